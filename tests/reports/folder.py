"""A folder of pages as runs leave it, written without running anything."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from deficits.formatting import slug
from deficits.panel import load_authorities
from deficits.reports import record as records
from deficits.reports.params import REPORTS, parse, read_notebook
from deficits.reports.record import Now, notebook_digest

TODAY = "2026-11-25"
DSG = {"Kent": 1.0e9, "Camden": 2.0e8, "Leeds": 8.0e8}
"""Grants of some councils, £."""


@cache
def now() -> Now:
    """Data and code at hand, looked up once."""
    return records.now()


@cache
def digest(report: str) -> str:
    """Of a report's notebook."""
    return notebook_digest(read_notebook(REPORTS[report]))


def councils() -> dict[str, str]:
    """Names of today's councils by DfE number."""
    frame = load_authorities().frame
    return dict(frame.loc[frame["last_year"].isna(), "name"])


def content(report: str, headline: dict, parameters: dict, **changes) -> dict:
    found = now()
    made = {
        "report": report,
        "parameters": parse(report, parameters).model_dump(),
        **found.model_dump(),
        "notebook": digest(report),
        "headline": headline,
        "main_points": [f"The first point of {report}."],
    }
    return made | changes


def put(folder: Path, page: str, report: str, title: str, headline: dict, parameters: dict, **changes) -> None:
    """A page and its record; `changes` are to the record's content."""
    folder.mkdir(parents=True, exist_ok=True)
    html = f"<!DOCTYPE html><title>{title}</title>"
    record = {
        "kind": "deficits run record",
        "page": page,
        "title": title,
        "run_on": TODAY,
        "fingerprint": "ab" * 32,
        "content": content(report, headline, parameters, **changes),
        "files": {".html": hashlib.sha256(html.encode()).hexdigest()},
    }
    (folder / f"{page}.html").write_text(html, encoding="utf-8")
    (folder / f"{page}.json").write_text(json.dumps(record), encoding="utf-8")


def put_england(folder: Path, **changes) -> None:
    put(folder, "england", "england", "When do deficits pass £5bn?", {"gross_2026": 5.7e9}, {}, **changes)


def put_council(
    folder: Path, name: str, low: float = -193.9e6, middle: float = -152.5e6, high: float = -110.9e6, **changes
):
    """A council's page whose balance is in that range; returns the page's name."""
    page = slug(f"authority-{name}")
    headline = {"authority": name, "balance_2024": -67e6} | {
        f"balance_2026_{part}": value for part, value in (("p10", low), ("p50", middle), ("p90", high))
    }
    if name in DSG:
        headline["share_of_dsg_2026"] = round(-middle / DSG[name], 4)
    put(folder, page, "authority", f"{name}: SEND deficit", headline, {"authority": name}, **changes)
    return page


def fail(
    folder: Path, page: str, report: str = "authority", title: str = "Leeds: SEND deficits by council"
) -> None:
    """What a failed run leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    failure = {
        "kind": "deficits failure record",
        "page": page,
        "title": title,
        "failed_at": "2026-11-26T06:00:00+00:00",
        "report": report,
        "parameters": {},
        "error": "KeyError",
        "message": "'gross'",
        "cell": 5,
        "source": "x",
    }
    (folder / f"{page}.failed.json").write_text(json.dumps(failure), encoding="utf-8")


def change(folder: Path, page: str, **changes) -> None:
    """Change what a record says, as another version of the package might have written it."""
    path = folder / f"{page}.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(record | changes), encoding="utf-8")
