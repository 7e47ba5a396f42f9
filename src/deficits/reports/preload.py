"""What every notebook imports and reads, once, in the process that all others are forked from."""

from __future__ import annotations

import gc
import sys
from importlib import import_module

# jsonschema looks for this one to check addresses that no notebook has; it takes as long as all of pandas.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

import nbformat  # noqa: E402
import pyarrow as pa  # noqa: E402
import xarray as xr  # noqa: E402

pa.set_cpu_count(1)
pa.set_io_thread_count(1)  # threads do not survive a fork

MODULES = (
    # What a shell and statsmodels import when they are first used, not when they are imported.
    *("ipykernel.zmqshell", "IPython.core.application", "IPython.core.completerlib", "IPython.core.logger"),
    *("IPython.core.oinspect", "papermill", "statsmodels.tsa.tsatools"),
    *("deficits.monitor", "deficits.places", "deficits.projection.england", "deficits.projection.profile"),
    *("deficits.projection.voi", "deficits.recommendations", "deficits.reports.engine"),
    *("deficits.reports.execute", "deficits.scenario", "deficits.writeoff.summaries"),
)
for name in MODULES:
    import_module(name)

from deficits.assumptions import Assumptions  # noqa: E402
from deficits.panel import load_panel  # noqa: E402
from deficits.plots import plans_history  # noqa: E402
from deficits.projection.backtest import as_known, scored_record  # noqa: E402
from deficits.projection.cache import key_of  # noqa: E402
from deficits.reports.display import figure  # noqa: E402

panel = load_panel()
day, _ = scored_record(panel)  # with the panels of past days that the record and each council's page look at
for known in (panel, as_known(panel, day)):
    key_of(known, Assumptions(), ())
# What is slow the first time: fonts, a schema, and the arrays of others that xarray looks for.
plans = panel.figure("plans").sum().rename("plans").rename_axis("year").reset_index()
figure(plans_history(plans, "England"))
xr.DataArray([0.0, 1.0]).isel(dim_0=0).quantile(0.5)
nbformat.validate(nbformat.v4.new_notebook())  # type: ignore[no-untyped-call]
gc.collect()
gc.freeze()  # children that look for garbage would copy every page of memory they share
