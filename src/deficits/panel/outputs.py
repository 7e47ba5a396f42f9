"""What `deficits build` writes to `data/processed`, and what it says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from deficits.panel.panel import Panel
from deficits.panel.reconcile import reconcile
from deficits.panel.schema import BASES, FIGURES, PARTS, REGIONS
from deficits.paths import write_whole
from deficits.raw import raw_data

FIGURE_PARTS = {
    "_basis": ("string", "whether the figure is reported, or derived and how, or disputed, or why there is none"),
    "_source": ("string", "raw table and line that it came from: publication/file:line"),
    "_published": ("date", "day by which it was public"),
}


def write(panel: Panel, folder: Path) -> dict[str, Any]:
    """Write the panel and what belongs to it; returns what build.json holds.

    panel, national, forecasts, statements and corrections as parquet and CSV, a datapackage.json that describes
    the CSVs, and build.json. Each file is written beside its place and moved into it, so a reader never meets half
    a file; build.json comes last. Its `changes` say what differs from the panel that was there before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = describe(panel) | {"changes": changes(panel, folder / "panel.parquet")}
    tables = {
        "panel": panel.frame.reset_index(),
        "national": panel.national,
        "forecasts": panel.forecasts,
        "statements": panel.statements,
        "corrections": panel.corrections,
    }
    for name, frame in tables.items():
        stored = panel.frame if name == "panel" else frame
        write_whole(folder / f"{name}.parquet", stored.to_parquet())
        write_whole(folder / f"{name}.csv", frame.to_csv(index=False, lineterminator="\n").encode())
    for name, content in {"datapackage.json": _datapackage(tables), "build.json": record}.items():
        write_whole(folder / name, f"{json.dumps(content, indent=1, ensure_ascii=False)}\n".encode())
    return record


def describe(panel: Panel) -> dict[str, Any]:
    """Rows, years, authorities, newest year of each figure, sums beside published ones, hashes of the inputs."""
    years = panel.frame.index.get_level_values("year")
    return {
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
    }


def changes(panel: Panel, before: Path) -> dict[str, Any] | None:
    """What differs from the panel stored in `before`; None when there is none that can be read.

    By figure that differs: cells added, removed and changed, and the largest change (authority, year, before,
    after).
    """
    try:
        old = pd.read_parquet(before)
    except (FileNotFoundError, OSError, ValueError):
        return None
    found: dict[str, Any] = {}
    for name in FIGURES:
        new = panel.frame[name].rename("after")
        if name not in old:
            found[name] = {"added": int(new.notna().sum()), "removed": 0, "changed": 0, "largest": None}
            continue
        both = pd.concat([old[name].rename("before"), new], axis=1)
        had, has = both["before"].notna(), both["after"].notna()
        differ = both[had & has & (both["before"] != both["after"])]
        if (had == has).all() and differ.empty:
            continue
        found[name] = {
            "added": int((has & ~had).sum()),
            "removed": int((had & ~has).sum()),
            "changed": len(differ),
            "largest": _largest(differ),
        }
    return found


def _largest(differ: pd.DataFrame) -> list[Any] | None:
    if differ.empty:
        return None
    place = (differ["after"] - differ["before"]).abs().idxmax()
    return [place[0], int(place[1]), float(differ.at[place, "before"]), float(differ.at[place, "after"])]


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


def panel_fields() -> list[dict[str, Any]]:
    """Each column of the panel as a Frictionless field: name, type, description and, where it has one, unit."""
    fields: list[dict[str, Any]] = [
        {
            "name": "authority",
            "type": "string",
            "description": "DfE number of the authority",
            "constraints": {"required": True, "pattern": r"\d{3}"},
        },
        {
            "name": "year",
            "type": "integer",
            "description": "financial year, named by the calendar year it ends in: 2025 is 2024-25",
            "constraints": {"required": True},
        },
        {"name": "gss", "type": "string", "description": "current ONS code", "constraints": {"required": True}},
        {
            "name": "name",
            "type": "string",
            "description": "name of the authority",
            "constraints": {"required": True},
        },
        {"name": "region", "type": "string", "description": "region", "constraints": {"enum": list(REGIONS)}},
    ]
    for figure in FIGURES.values():
        for part in PARTS:
            if not part:
                sign = "; negative = deficit" if figure.name.startswith("balance") else ""
                constraints = {} if figure.signed else {"constraints": {"minimum": 0}}
                meaning = f"{figure.meaning}, in {figure.unit}{sign}"
                fields.append({"name": figure.name, "type": "number", "description": meaning, "unit": figure.unit})
                fields[-1] |= constraints
                continue
            kind, meaning = FIGURE_PARTS[part]
            field: dict[str, Any] = {"name": figure.name + part, "type": kind, "description": meaning}
            if part == "_basis":
                field["constraints"] = {"enum": list(BASES)}
            fields.append(field)
    return fields


def _datapackage(tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """A Frictionless Data Package of the CSV files."""
    ogl = {
        "name": "OGL-UK-3.0",
        "title": "Open Government Licence v3.0",
        "path": "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
    }
    schemas: dict[str, dict[str, Any]] = {
        name: {"fields": [{"name": column, "type": _type(frame[column])} for column in frame]}
        for name, frame in tables.items()
    }
    schemas["panel"] = {"fields": panel_fields(), "primaryKey": ["authority", "year"]}
    return {
        "name": "send-deficits",
        "title": "High needs deficits of English authorities, by authority and year",
        "licenses": [ogl],
        "sources": [{"title": source.title, "path": str(source.url)} for source in raw_data().sources.values()],
        "resources": [
            {
                "name": name,
                "path": f"{name}.csv",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": schema | {"missingValues": [""]},
            }
            for name, schema in schemas.items()
        ],
    }


def _type(column: pd.Series) -> str:
    return {"i": "integer", "f": "number", "b": "boolean"}.get(column.dtype.kind, "string")
