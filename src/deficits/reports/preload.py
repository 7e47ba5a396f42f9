"""What every notebook imports and reads, once, in the process that all others are forked from."""

from __future__ import annotations

import gc
import sys

# jsonschema looks for this one to check addresses that no notebook has; it takes as long as all of pandas.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

import nbformat  # noqa: E402
import pyarrow as pa  # noqa: E402
import xarray as xr  # noqa: E402

pa.set_cpu_count(1)
pa.set_io_thread_count(1)  # threads do not survive a fork

# What a shell and statsmodels import when they are first used, not when they are imported.
import ipykernel.zmqshell  # noqa: E402
import IPython.core.application  # noqa: E402
import IPython.core.completerlib  # noqa: E402
import IPython.core.logger  # noqa: E402
import IPython.core.oinspect  # noqa: E402
import papermill  # noqa: E402
import statsmodels.tsa.tsatools  # noqa: E402

import deficits.monitor  # noqa: E402
import deficits.places  # noqa: E402
import deficits.plots  # noqa: E402
import deficits.projection.england  # noqa: E402
import deficits.projection.profile  # noqa: E402
import deficits.projection.voi  # noqa: E402
import deficits.recommendations  # noqa: E402
import deficits.reports.engine  # noqa: E402
import deficits.reports.execute  # noqa: E402
import deficits.scenario  # noqa: E402
import deficits.writeoff.summaries  # noqa: E402
from deficits.assumptions import Assumptions  # noqa: E402
from deficits.panel import load_panel  # noqa: E402
from deficits.projection.backtest import as_known, scored_record  # noqa: E402
from deficits.projection.cache import key_of  # noqa: E402
from deficits.reports.display import figure  # noqa: E402

__all__ = ["IPython", "deficits", "ipykernel", "papermill", "statsmodels"]

panel = load_panel()
day, _ = scored_record(panel)  # with the panels of past days that the record and each council's page look at
for known in (panel, as_known(panel, day)):
    key_of(known, Assumptions(), ())
# What is slow the first time: fonts, a schema, and the arrays of others that xarray looks for.
plans = panel.figure("plans").sum().rename("plans").rename_axis("year").reset_index()
figure(deficits.plots.plans_history(plans, "England"))
xr.DataArray([0.0, 1.0]).isel(dim_0=0).quantile(0.5)
nbformat.validate(nbformat.v4.new_notebook())  # type: ignore[no-untyped-call]
gc.collect()
gc.freeze()  # children that look for garbage would copy every page of memory they share
