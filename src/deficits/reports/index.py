"""The folder's front page: England's headline and chart, a search, a map and a table of councils, and the state of
the pages; `catalogue.json` and `feed.xml` say the same to programs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pydantic import ValidationError

from deficits.errors import DeficitsError, ReportFailed
from deficits.formatting import estimate_range, financial_year, gbp, in_one_unit, listed, percent, slug, year_end
from deficits.raw import raw_data
from deficits.raw.authorities import SAYS_NOTHING, load_authorities
from deficits.reports.batch import put_in_place, reason
from deficits.reports.frame import PARTS, SITE, csp_hash, first_chart, part, templates
from deficits.reports.params import REPORTS, parse, read_notebook
from deficits.reports.record import (
    FAILED,
    FailureRecord,
    Now,
    RunContent,
    RunRecord,
    in_doubt,
    notebook_digest,
    now,
    why_stale,
)

FILES = ("catalogue.json", "feed.xml", "index.html")
STATES = {"fresh": "Up to date", "stale": "Out of date", "failed": "Last run failed", "not made": "Not made"}
BANDS = (
    ("b4", "20% or more", 0.20),
    ("b3", "10% to under 20%", 0.10),
    ("b2", "5% to under 10%", 0.05),
    ("b1", "Under 5%", 0.0),
    ("b0", "Surplus, shown with +", -float("inf")),
)
"""Steps of the map's colours: the least deficit of each, as a share of the grant."""
NO_FIGURE = "none"


def write_index(
    out_dir: Path,
    *,
    base_url: str | None = None,
    every_days: int = 31,
    today: date | None = None,
) -> Path:
    """Write `index.html`, `catalogue.json` and `feed.xml` from the records in `out_dir`; returns the page's path.

    A record that cannot be read is named on the page and costs nothing else. `base_url`: address that the folder
    will have, for the feed. `every_days`: days from one run to the next.

    Raises ReportFailed when the folder cannot be written to.
    """
    folder, made = catalogue(out_dir, every_days, today or datetime.now(UTC).date()), templates()
    about = {"folder": folder, "site": SITE, "base": f"{base_url.rstrip('/')}/" if base_url else ""}
    texts = {
        "catalogue.json": json.dumps(folder, indent=1, ensure_ascii=False) + "\n",
        "feed.xml": made.get_template("feed.xml.j2").render(about) + "\n",
        "index.html": made.get_template("front.html.j2").render(about | _shown(folder, out_dir)),
    }
    # All are written before any is moved, so that a full disk leaves the old three; the page is moved last.
    try:
        put_in_place(out_dir, texts)
    except OSError as error:
        raise ReportFailed(f"the list of reports could not be written: {reason(error)}") from None
    return out_dir / "index.html"


# The catalogue --------------------------------------------------------------------------------------------------


def catalogue(out_dir: Path, every_days: int, today: date) -> dict[str, Any]:
    """What pages a folder holds and in what state, as docs/catalogue.md describes; a missing folder has none.

    Money is in £, unrounded; a balance below zero is a deficit.
    """
    found = now()
    runs, failures, unreadable = _records(out_dir)
    html = {path.stem for path in out_dir.glob("*.html") if path.stem.partition("-")[0] in REPORTS}
    unreadable |= {
        f"{name}.json": "missing" for name in sorted(html - runs.keys()) if f"{name}.json" not in unreadable
    }
    order = {name: place for place, name in enumerate(REPORTS)}
    names = sorted(runs.keys() | failures.keys() | html)
    pages: list[dict[str, Any]] = []
    for name in sorted(names, key=lambda name: order.get(name.partition("-")[0], 99)):
        run, failed, there = runs.get(name), failures.get(name), name in html
        reasons = [f"its last run failed ({failed.error})"] if failed else []
        reasons += _reasons(run, out_dir / f"{name}.html", found) if there else []
        page: dict[str, Any] = {
            "page": name,
            "title": run.title if run else failed.title if failed else name,
            "state": "failed" if failed else "not made" if not there else "stale" if reasons else "fresh",
            "reasons": reasons,
            "href": f"{name}.html" if there else None,
            "failure": failed and failed.model_dump(mode="json"),
        }
        if run:
            shown = {"report", "parameters", "headline", "main_points", "code"}
            page |= {"made_on": run.run_on.isoformat(), "figures_to": figures_to(run.content)}
            page |= run.content.model_dump(mode="json", include=shown)
        pages.append(page)
    by_name = {page["page"]: page for page in pages}
    councils = list(_councils(by_name))
    states = Counter(page["state"] for page in pages)
    states["not made"] += sum(council["page"] not in by_name for council in councils)
    return {
        "kind": "deficits catalogue",
        "version": 3,
        "checked_on": today.isoformat(),
        "next_due": (today + timedelta(days=every_days)).isoformat(),
        "basis": found.data_digest,
        "counts": {state: states[state] for state in STATES},
        "pages": pages,
        "councils": councils,
        "unreadable": unreadable,
    }


def _records(out_dir: Path) -> tuple[dict[str, RunRecord], dict[str, FailureRecord], dict[str, str]]:
    runs, failures, unreadable = {}, {}, {}
    for path in sorted(out_dir.glob("*.json")):
        if path.name in FILES:
            continue
        try:
            if path.name.endswith(FAILED):
                failures[path.name.removesuffix(FAILED)] = FailureRecord.model_validate_json(path.read_bytes())
            else:
                runs[path.stem] = RunRecord.model_validate_json(path.read_bytes())
        except ValidationError as error:
            fault = error.errors()[0]
            unreadable[path.name] = f"{'.'.join(map(str, fault['loc'])) or 'record'}: {fault['msg']}"
        except OSError as error:
            unreadable[path.name] = str(error.strerror)
    return runs, failures, unreadable


def _reasons(run: RunRecord | None, page: Path, found: Now) -> list[str]:
    if run is None:
        return ["its run record is missing or cannot be read"]
    try:
        request = parse(run.content.report, run.content.parameters)
        reasons = why_stale(request, run, page, found, _notebook(request.report))
        files = in_doubt(request, run, found)
    except DeficitsError as error:
        return [f"it can no longer be made: {str(error).splitlines()[0]}"]
    return reasons or ([f"{len(files)} of its data files changed"] if files else [])


@cache
def _notebook(report: str) -> str:
    return notebook_digest(read_notebook(REPORTS[report]))


def figures_to(content: RunContent) -> str | None:
    """Newest date of publication among the figures of a page: 2026, 2026-06 or 2026-06-18."""
    if content.parameters.get("as_of"):
        return str(content.parameters["as_of"])
    files = [(folder, file) for folder, source in raw_data().sources.items() for file in source.file]
    used = [file.published for folder, file in files if f"{folder}/{file.name}" in content.data]
    return max(filter(None, used), default=None)


def _councils(pages: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every council of today, in the order of the alphabet: its tile, its figures and its page, made or not."""
    known = load_authorities()
    frame = known.frame[known.frame["last_year"].isna()]
    # A reader may look for a district, for a council that was replaced, or by a short name.
    known_as = {str(code): {known.name(old) for old in known.predecessors(code)} for code in known.frame.index}
    for district, code in known.districts.items():
        if district != slug(known.name(code)).replace("-", " "):
            known_as[code].add(district.title())
    for short, code in known.short_names().items():
        if short not in slug(known.name(code)).replace("-", " "):
            known_as[code].add(short.upper())
    tiles = read_tiles()
    for code, row in sorted(frame.iterrows(), key=lambda item: slug(str(item[1]["name"]))):
        name = slug(f"authority-{row['name']}")
        page = pages.get(name, {})
        letters, column, line = tiles.get(str(code), (str(row["name"])[:3].upper(), -1, -1))
        yield {
            "authority": str(code),
            "ons_code": row["gss"],
            "name": row["name"],
            "region": row["region"],
            "known_as": sorted(known_as[str(code)]),
            "letters": letters,
            "column": column,
            "row": line,
            "page": name,
            "state": page.get("state", "not made"),
            "made_on": page.get("made_on", ""),
            "href": page.get("href"),
            **_balance(page.get("headline", {})),
        }


def _balance(headline: Mapping[str, Any]) -> dict[str, Any]:
    """The balance that a council's page gives first (£, negative = deficit), and its share of the grant."""
    years = [int(name[8:12]) for name in headline if re.fullmatch(r"balance_\d{4}_p50", name)]
    year = min(years, default=None)
    parts = {"low": "p10", "middle": "p50", "high": "p90"}
    found = {word: headline.get(f"balance_{year}_{part}") for word, part in parts.items()}
    return {"year": year, **found, "deficit_share_of_dsg": headline.get(f"share_of_dsg_{year}")}


def read_tiles() -> dict[str, tuple[str, int, int]]:
    """Letters, column and row of each council's tile, by DfE number: equal tiles near where the councils lie. The
    file is the map: a line a row of tiles, each tile's letters and number.
    """
    rows = (PARTS / "tiles.csv").read_text(encoding="utf-8").splitlines()
    tiles = [(tile.split(), x, y) for y, row in enumerate(rows) for x, tile in enumerate(row.split(","))]
    return {tile[1]: (tile[0], x, y) for tile, x, y in tiles if tile}


# The page -------------------------------------------------------------------------------------------------------


def _shown(folder: Mapping[str, Any], out_dir: Path) -> dict[str, Any]:
    script = part("front.js")
    councils = [council | _in_words(council) for council in folder["councils"]]
    reports = [page for page in folder["pages"] if page["page"] not in {council["page"] for council in councils}]
    england = next((page for page in reports if page["page"] == "england"), None)
    mapped = [council for council in councils if council["column"] >= 0]
    number = Counter(council["band"] for council in councils)
    years = {council["year"] for council in councils if council["year"]}
    year = years.pop() if len(years) == 1 else None
    made = {page["page"].partition("-")[0] for page in folder["pages"]}
    stale: dict[str, list[Any]] = {}
    for page in folder["pages"]:
        for why in page["reasons"] if page["state"] == "stale" else ():
            stale.setdefault(why, []).append(page)
    return {
        "states": STATES,
        "style": part("style.css") + part("front.css"),
        "script": script,
        "script_hash": csp_hash(script),
        "england": england,
        "chart": Markup(first_chart(out_dir / "england.ipynb")) if england and england["href"] else "",
        "reports": reports,
        "unmade": [report.title for name, report in REPORTS.items() if not report.on_request and name not in made],
        "councils": councils,
        "says_nothing": " ".join(SAYS_NOTHING),
        "mapped": mapped,
        "columns": max((council["column"] for council in mapped), default=0) + 1,
        "rows": max((council["row"] for council in mapped), default=0) + 1,
        "key": [
            (name, label, number[name]) for name, label, _ in (*BANDS, (NO_FIGURE, "No figure", 0)) if number[name]
        ],
        "at": "" if year is None else year_end(year),
        "grant": "" if year is None else financial_year(year),
        "figures": len(councils) - number[NO_FIGURE],
        "unchanged": listed([each["name"] for each in councils if each["span"] and not each["of_grant"]]),
        "stale": dict(sorted(stale.items(), key=lambda item: -len(item[1]))),
        "dash": Markup('<span role="img" aria-label="not available">–</span>'),
    }


def _in_words(council: Mapping[str, Any]) -> dict[str, str]:
    """A council's figures: the colour and text of its tile (a surplus with a plus), its share of the grant, its
    range and its day as the table has them, and all of it in a sentence.
    """
    share, low, high = (council[name] for name in ("deficit_share_of_dsg", "low", "high"))
    band, short, of_grant = NO_FIGURE, "–", ""
    if share is not None:
        shown = share if share < 0 else round(share, 2)  # as on the tile
        band = next(name for name, _, least in BANDS if shown >= least)
        short = ("+" if share < 0 else "") + percent(abs(share)).replace("under ", "<").replace("over ", ">")
        of_grant = percent(share) if share >= 0 else f"{percent(-share)} surplus"
    span, at = ("", "") if low is None else (deficit_range(low, high), year_end(council["year"]))
    told = [f"{span} at {at}"] if span else []
    told += [f"{'' if low == high else 'central estimate '}{of_grant} of its grant"] if of_grant else []
    told += [STATES[council["state"]].lower()] if council["state"] != "fresh" else []
    sentence = f"{council['name']}: {'; '.join(told)}"
    return {"band": band, "short": short, "of_grant": of_grant, "span": span, "at": at, "told": sentence}


def deficit_range(low: float, high: float) -> str:
    """The range of a deficit, from quantiles of the balance (£, negative = deficit).

    Rounded as on the council's page; a balance that is known is not.

    >>> deficit_range(-193_876_902, -110_923_417), deficit_range(-30e6, 580_000), deficit_range(1e6, 2e6)
    ('£110m to £190m', '£0.6m surplus to £30m deficit', '£1.0m to £2.0m surplus')
    >>> deficit_range(-97.5e6, -97.5e6)
    '£97.5m'
    """
    if low == high:
        return f"{gbp(abs(low))}{' surplus' if low > 0 else ''}"
    if high <= 0:
        return estimate_range(-high, -low)
    if low >= 0:
        return f"{estimate_range(low, high)} surplus"
    return "{} surplus to {} deficit".format(*in_one_unit(high, -low))
