"""What `deficits build` writes to `data/processed`, and what it says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from deficits.panel.checks import reconcile
from deficits.panel.panel import Panel
from deficits.panel.schema import BASES, FIGURES, REGIONS
from deficits.paths import write_whole

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
    for name, content in {"datapackage.json": _datapackage(panel, tables), "build.json": record}.items():
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
    except (OSError, ValueError):
        return None
    found: dict[str, Any] = {}
    for name in FIGURES:
        both = pd.concat([old.reindex(columns=[name]), panel.frame[name].rename("after")], axis=1)
        both = both.rename(columns={name: "before"})
        had, has = both["before"].notna(), both["after"].notna()
        differ = both[had & has & (both["before"] != both["after"])]
        if (had != has).any() or len(differ):
            counts = {"added": has & ~had, "removed": had & ~has}
            found[name] = {word: int(cells.sum()) for word, cells in counts.items()}
            found[name] |= {"changed": len(differ), "largest": _largest(differ)}
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


def _field(name: str, kind: str, description: str, **constraints: Any) -> dict[str, Any]:
    field: dict[str, Any] = {"name": name, "type": kind, "description": description}
    return field | {"constraints": constraints} if constraints else field


def _panel_fields() -> list[dict[str, Any]]:
    """Each column of the panel as a Frictionless field: name, type, description and, where it has one, unit."""
    year = "financial year, named by the calendar year it ends in: 2025 is 2024-25"
    fields = [
        _field("authority", "string", "DfE number of the authority", required=True, pattern=r"\d{3}"),
        _field("year", "integer", year, required=True),
        _field("gss", "string", "current ONS code", required=True),
        _field("name", "string", "name of the authority", required=True),
        _field("region", "string", "region", enum=list(REGIONS)),
    ]
    for figure in FIGURES.values():
        sign = "; negative = deficit" if figure.name.startswith("balance") else ""
        least = {} if figure.signed else {"minimum": 0}
        value = _field(figure.name, "number", f"{figure.meaning}, in {figure.unit}{sign}", **least)
        fields.append(value | {"unit": figure.unit})
        for part, (kind, meaning) in FIGURE_PARTS.items():
            words = {"enum": list(BASES)} if part == "_basis" else {}
            fields.append(_field(figure.name + part, kind, meaning, **words))
    return fields


def _datapackage(panel: Panel, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """A Frictionless Data Package of the CSV files."""
    ogl = {
        "name": "OGL-UK-3.0",
        "title": "Open Government Licence v3.0",
        "path": "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
    }
    types = {"i": "integer", "f": "number", "b": "boolean"}
    schemas: dict[str, dict[str, Any]] = {
        name: {
            "fields": [{"name": key, "type": types.get(kind.kind, "string")} for key, kind in frame.dtypes.items()]
        }
        for name, frame in tables.items()
    }
    schemas["panel"] = {"fields": _panel_fields(), "primaryKey": ["authority", "year"]}
    return {
        "name": "send-deficits",
        "title": "High needs deficits of English authorities, by authority and year",
        "licenses": [ogl],
        "sources": [{"title": source.title, "path": str(source.url)} for source in panel.raw.sources.values()],
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
