"""What `deficits build` writes to `data/processed`, and what it says of it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from deficits.panel.build import Panel
from deficits.panel.figures import FIGURES
from deficits.panel.reconcile import reconcile
from deficits.sources import data_hashes


def write(panel: Panel, folder: Path) -> dict[str, Any]:
    """Write panel.parquet, national.parquet, forecasts.parquet and build.json; returns what build.json holds.

    Each file is written beside its place and moved into it, so a reader never meets half a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = describe(panel)
    tables = {"panel": panel.frame, "national": panel.national, "forecasts": panel.forecasts}
    for name, frame in tables.items():
        _move_in(folder / f"{name}.parquet", lambda path, frame=frame: frame.to_parquet(path))
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    _move_in(folder / "build.json", lambda path: path.write_text(text, encoding="utf-8"))
    return record


def describe(panel: Panel) -> dict[str, Any]:
    """Rows, years, authorities, newest year of each figure, sums beside published ones, hashes of the inputs."""
    years = panel.frame.index.get_level_values("year")
    return {
        "rows": len(panel.frame),
        "first_year": int(years.min()),
        "last_year": int(years.max()),
        "authorities": int(panel.frame.index.get_level_values("authority").nunique()),
        "authorities_now": len(panel.authorities.in_year(int(years.max()))),
        "figures": {name: _newest(panel, name) for name in FIGURES},
        "reconciliation": json.loads(reconcile(panel).to_json(orient="records")),
        "inputs": data_hashes(),
    }


def _newest(panel: Panel, name: str) -> dict[str, Any]:
    values = panel.frame[name].dropna()
    by_year = values.groupby(level="year").agg(["size", "sum"])
    year = int(by_year.index.max())
    return {
        "unit": FIGURES[name].unit,
        "first_year": int(by_year.index.min()),
        "newest_year": year,
        "newest_councils": int(by_year.at[year, "size"]),
        "newest_sum": float(by_year.at[year, "sum"]),
    }


def _move_in(path: Path, write: Any) -> None:
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        write(Path(beside))
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
