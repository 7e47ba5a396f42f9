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

import ipykernel.zmqshell  # noqa: E402
import papermill  # noqa: E402

import deficits.plots  # noqa: E402
import deficits.projection.profile  # noqa: E402
import deficits.reports.engine  # noqa: E402
import deficits.reports.execute  # noqa: E402
import deficits.writeoff.summaries  # noqa: E402
from deficits.panel import load_panel  # noqa: E402
from deficits.projection.backtest import scored_record  # noqa: E402
from deficits.reports.display import figure  # noqa: E402

__all__ = ["deficits", "ipykernel", "papermill"]

panel = load_panel()
scored_record(panel)  # with the panels of past days that the record and each council's page look at
# What is slow the first time: fonts, a schema, and the arrays of others that xarray looks for.
plans = panel.figure("plans").sum().rename("plans").rename_axis("year").reset_index()
figure(deficits.plots.plans_history(plans, "England"))
xr.DataArray([0.0, 1.0]).isel(dim_0=0)
nbformat.validate(nbformat.v4.new_notebook())  # type: ignore[no-untyped-call]
gc.collect()
gc.freeze()  # children that look for garbage would copy every page of memory they share
