"""What `deficits build` writes to `data/processed`, and what it says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.io.json import build_table_schema

from deficits.panel.checks import reconcile
from deficits.panel.panel import Panel
from deficits.panel.schema import BESIDE, COLUMNS, FIGURES, PACKAGE
from deficits.paths import write_whole


def write(panel: Panel, folder: Path) -> dict[str, Any]:
    """Write the panel and what belongs to it; returns what build.json holds.

    panel, national, forecasts, statements and corrections as parquet and CSV, a datapackage.json that describes
    the CSVs, and build.json, which comes last: rows, years, authorities, newest year of each figure, sums against
    published ones, hashes of the inputs, and what differs from the panel that was there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    years = panel.frame.index.get_level_values("year")
    record = {
        "as_of": panel.as_of,
        "rule": panel.rule,
        "own": panel.own,
        "rows": len(panel.frame),
        "first_year": int(years.min()),
        "last_year": int(years.max()),
        "authorities": int(panel.frame.index.get_level_values("authority").nunique()),
        "authorities_now": len(panel.authorities.in_year(int(years.max()))),
        "figures": {name: _newest(panel, name) for name in FIGURES if panel.frame[name].notna().any()},
        "corrected_cells": len(panel.corrections),
        "reconciliation": json.loads(reconcile(panel).to_json(orient="records")),
        "inputs": panel.raw.hashes(),
        "changes": _changes(panel, folder / "panel.parquet"),
    }
    others = {name: getattr(panel, name) for name in ("national", "forecasts", "statements", "corrections")}
    for name, frame in {"panel": panel.frame, **others}.items():
        write_whole(folder / f"{name}.parquet", frame.to_parquet())
    tables = {"panel": panel.frame.reset_index(), **others}
    for name, frame in tables.items():
        write_whole(folder / f"{name}.csv", frame.to_csv(index=False, lineterminator="\n"))
    for name, content in {"datapackage.json": _datapackage(panel, tables), "build.json": record}.items():
        write_whole(folder / name, f"{json.dumps(content, indent=1, ensure_ascii=False)}\n")
    return record


def _newest(panel: Panel, name: str) -> dict[str, Any]:
    by_year = panel.frame[name].dropna().groupby(level="year").agg(["size", "sum"])
    year = int(by_year.index.max())
    return {
        "unit": FIGURES[name].unit,
        "first_year": int(by_year.index.min()),
        "newest_year": year,
        "newest_councils": int(by_year.at[year, "size"]),
        "newest_sum": float(by_year.at[year, "sum"]),
    }


def _changes(panel: Panel, before: Path) -> dict[str, Any] | None:
    """What differs from the panel stored in `before`, by figure: cells added, removed and changed, and the largest
    change (authority, year, before, after). None when there is no panel that can be read.
    """
    try:
        stored = pd.read_parquet(before)
    except (OSError, ValueError):
        return None
    old, new = stored.reindex(columns=list(FIGURES)).align(panel.frame[list(FIGURES)], axis=0)
    moved, found = new - old, {}
    for name in FIGURES:
        added, removed = old[name].isna() & new[name].notna(), old[name].notna() & new[name].isna()
        changed, largest = moved[name].fillna(0) != 0, None
        if changed.any():
            code, year = place = moved[name].abs().idxmax()
            largest = [code, int(year), float(old.at[place, name]), float(new.at[place, name])]
        counts = {"added": int(added.sum()), "removed": int(removed.sum()), "changed": int(changed.sum())}
        if any(counts.values()):
            found[name] = counts | {"largest": largest}
    return found


def _datapackage(panel: Panel, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """A Frictionless Data Package of the CSV files, the panel's columns with their meaning and unit."""
    words = COLUMNS | {f"{name}{part}": meaning for name in FIGURES for part, meaning in BESIDE.items()}
    for name, figure in FIGURES.items():
        words[name] = f"{figure.meaning}, in {figure.unit}" + ("; negative = deficit" * name.startswith("balance"))
    schemas: dict[str, dict[str, Any]] = {
        name: build_table_schema(frame, index=False, version=False) for name, frame in tables.items()
    }
    for field in schemas["panel"]["fields"]:
        field["description"] = words[field["name"]]
        if field["name"] in FIGURES:
            field["unit"] = FIGURES[field["name"]].unit
    schemas["panel"]["primaryKey"] = ["authority", "year"]
    files = {"format": "csv", "mediatype": "text/csv", "encoding": "utf-8"}
    return PACKAGE | {
        "sources": [{"title": source.title, "path": str(source.url)} for source in panel.raw.sources.values()],
        "resources": [
            {"name": name, "path": f"{name}.csv", **files, "schema": schema | {"missingValues": [""]}}
            for name, schema in schemas.items()
        ],
    }
