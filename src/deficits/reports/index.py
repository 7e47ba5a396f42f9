"""The folder's front page: England's headline and chart, a search, a map and a table of councils, and the state of
the pages; `catalogue.json` and `feed.xml` say the same to programs."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup
from pydantic import ValidationError

from deficits.errors import DeficitsError, ReportFailed
from deficits.formatting import (
    day_in_words,
    estimate,
    estimate_range,
    financial_year,
    gbp,
    percent,
    slug,
    year_end,
)
from deficits.raw import raw_data
from deficits.raw.authorities import load_authorities
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
EVERY_DAYS = 31
"""Days from one run to the next, when whoever runs them does not say."""
BALANCE = re.compile(r"balance_(\d{4})_p(10|50|90)")
ENDS = {"10": "low", "50": "middle", "90": "high"}
State = Literal["fresh", "stale", "failed", "not made"]
STATES: dict[State, str] = {
    "fresh": "Up to date",
    "stale": "Out of date",
    "failed": "Last run failed",
    "not made": "Not made",
}
BANDS = (
    ("b4", "20% or more", 0.20),
    ("b3", "10% to under 20%", 0.10),
    ("b2", "5% to under 10%", 0.05),
    ("b1", "Under 5%", 0.0),
    ("b0", "Surplus, shown with +", -float("inf")),
)
"""Steps of the map's colours: the least deficit of each, as a share of the grant."""
NO_FIGURE = "none"


@dataclass(frozen=True)
class Page:
    """One page: its last good run, its failure since then, or both."""

    page: str
    title: str
    state: State
    reasons: tuple[str, ...] = ()
    record: RunRecord | None = None
    failure: FailureRecord | None = None
    there: bool = False

    @property
    def href(self) -> str | None:
        """The page's file, where there is one."""
        return f"{self.page}.html" if self.there else None

    @property
    def main_point(self) -> str:
        """The first of its main points."""
        return next(iter(self.record.content.main_points), "") if self.record else ""

    def as_json(self) -> dict[str, Any]:
        """The same for a program: money in £, unrounded, a balance below zero a deficit."""
        own = ("page", "title", "state", "reasons", "href")
        told: dict[str, Any] = {name: getattr(self, name) for name in own}
        told["failure"] = self.failure and self.failure.model_dump(mode="json")
        if self.record:
            shown = {"report", "parameters", "headline", "main_points", "code"}
            told |= {"made_on": self.record.run_on.isoformat(), "figures_to": figures_to(self.record.content)}
            told |= self.record.content.model_dump(mode="json", include=shown)
        return told


@dataclass(frozen=True)
class Council:
    """One council: its tile, its figures and its page, made or not. Balances in £, negative = deficit."""

    authority: str
    ons_code: str
    name: str
    region: str
    letters: str
    column: int
    row: int
    page: str
    state: State
    known_as: tuple[str, ...] = ()
    """Districts in it and councils that it replaced."""
    year: int | None = None
    low: float | None = None
    middle: float | None = None
    high: float | None = None
    deficit_share_of_dsg: float | None = None
    """Share of the year's dedicated schools grant, as the council's page has it; negative = surplus."""
    made_on: str = ""
    href: str | None = None

    @property
    def band(self) -> str:
        """The colour of its tile."""
        share = self.deficit_share_of_dsg
        return NO_FIGURE if share is None else next(name for name, _, least in BANDS if share >= least)

    @property
    def short_share(self) -> str:
        """The share as a tile has room for it: a surplus with a plus, no figure as a dash."""
        share = self.deficit_share_of_dsg
        return "–" if share is None else f"{'+' if share < 0 else ''}{abs(share):.0%}"

    @property
    def share_in_words(self) -> str:
        """The share as the table has it."""
        share = self.deficit_share_of_dsg
        return "" if share is None else percent(share) if share >= 0 else f"{percent(-share)} surplus"

    @property
    def range_in_words(self) -> str:
        """The range of its deficit."""
        return "" if self.low is None or self.high is None else deficit_range(self.low, self.high)

    @property
    def at(self) -> str:
        """The day on which that balance is measured."""
        return "" if self.year is None else year_end(self.year)

    @property
    def needs_care(self) -> bool:
        """Whether there is a page that is not up to date."""
        return self.state in ("stale", "failed")

    @property
    def told(self) -> str:
        """All of it in a sentence: the tile's description."""
        parts = [f"{self.range_in_words} at {self.at}"] if self.range_in_words else []
        middle = "" if self.low == self.high else "central estimate "
        parts += [f"{middle}{self.share_in_words} of its grant"] if self.share_in_words else []
        parts += [STATES[self.state].lower()] if self.state != "fresh" else []
        return f"{self.name}: {'; '.join(parts)}"


@dataclass(frozen=True)
class Folder:
    """All pages of a folder on a day."""

    checked_on: date
    next_due: date
    """Last day on which this can be trusted: the next run is due by then."""
    basis: str
    """The sha256 of the data that the pages were compared with."""
    pages: tuple[Page, ...]
    councils: tuple[Council, ...]
    unreadable: Mapping[str, str]
    """Files that should say something of a page, each with its problem."""

    @cached_property
    def counts(self) -> dict[State, int]:
        """Number of pages in each state, councils without a page included."""
        made = {page.page for page in self.pages}
        found = Counter(page.state for page in self.pages)
        found["not made"] += sum(council.page not in made for council in self.councils)
        return {state: found[state] for state in STATES}

    def as_json(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "kind": "deficits catalogue",
            "version": 3,
            "checked_on": self.checked_on.isoformat(),
            "next_due": self.next_due.isoformat(),
            "basis": self.basis,
            "counts": self.counts,
            "pages": [page.as_json() for page in self.pages],
            "councils": [asdict(council) for council in self.councils],
            "unreadable": dict(self.unreadable),
        }


def write_index(
    out_dir: Path,
    *,
    base_url: str | None = None,
    every_days: int = EVERY_DAYS,
    today: date | None = None,
) -> Path:
    """Write `index.html`, `catalogue.json` and `feed.xml` from the records in `out_dir`; returns the page's path.

    A record that cannot be read is named on the page and costs nothing else. `base_url`: address that the folder
    will have, for the feed. `every_days`: days from one run to the next.

    Raises ReportFailed when the folder cannot be written to.
    """
    folder = read_folder(out_dir, every_days, today)
    made = templates()
    made.filters["short"] = lambda day: day_in_words(day) if day else ""
    base = f"{base_url.rstrip('/')}/" if base_url else ""
    about = {"folder": folder, "site": SITE, "states": STATES, "base": base}
    texts = {
        "catalogue.json": json.dumps(folder.as_json(), indent=1, ensure_ascii=False, default=str) + "\n",
        "feed.xml": made.get_template("feed.xml.j2").render(**about, moment=_moment) + "\n",
        "index.html": made.get_template("front.html.j2").render(**about, **_shown(folder, out_dir)),
    }
    # All are written before any is moved, so that a full disk leaves the old three; the page is moved last.
    try:
        put_in_place(out_dir, texts)
    except OSError as error:
        raise ReportFailed(f"the list of reports could not be written: {reason(error)}") from None
    return out_dir / "index.html"


def _moment(page: Page) -> str:
    """When a page last changed: its run, of which the day is known, or its failure since then."""
    made = f"{page.record.run_on}T12:00:00+00:00" if page.record else ""
    return max(made, page.failure.failed_at) if page.failure else made


def read_folder(out_dir: Path, every_days: int = EVERY_DAYS, today: date | None = None) -> Folder:
    """What pages a folder holds and in what state; a missing folder has none."""
    found, today = now(), today or datetime.now(UTC).date()
    notebooks = {name: notebook_digest(read_notebook(report)) for name, report in REPORTS.items()}
    runs, failures, unreadable = _records(out_dir)
    html = {path.stem for path in out_dir.glob("*.html") if path.stem.partition("-")[0] in REPORTS}
    unreadable |= {
        f"{name}.json": "missing" for name in sorted(html - runs.keys()) if f"{name}.json" not in unreadable
    }
    order = {name: place for place, name in enumerate(REPORTS)}
    names = sorted(runs.keys() | failures.keys() | html)
    pages = []
    for name in sorted(names, key=lambda name: order.get(name.partition("-")[0], 99)):
        run, failed, there = runs.get(name), failures.get(name), name in html
        reasons = [f"its last run failed ({failed.error})"] if failed else []
        if there:
            reasons += _reasons(run, out_dir / f"{name}.html", found, notebooks)
        state: State = "failed" if failed else "not made" if not there else "stale" if reasons else "fresh"
        title = run.title if run else failed.title if failed else name
        pages.append(Page(name, title, state, tuple(reasons), run, failed, there))
    councils = tuple(_councils({page.page: page for page in pages}))
    due = today + timedelta(days=every_days)
    return Folder(today, due, found.data_digest, tuple(pages), councils, unreadable)


def figures_to(content: RunContent) -> str | None:
    """Newest date of publication among the figures of a page: 2026, 2026-06 or 2026-06-18."""
    if content.parameters.get("as_of"):
        return str(content.parameters["as_of"])
    files = [(folder, file) for folder, source in raw_data().sources.items() for file in source.file]
    used = [file.published for folder, file in files if f"{folder}/{file.name}" in content.data]
    return max(filter(None, used), default=None)


def _records(out_dir: Path) -> tuple[dict[str, RunRecord], dict[str, FailureRecord], dict[str, str]]:
    runs, failures, unreadable = {}, {}, {}
    for path in sorted(out_dir.glob("*.json")):
        if path.name in FILES or path.name.startswith(".") or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
            if path.name.endswith(FAILED):
                failures[path.name.removesuffix(FAILED)] = FailureRecord.model_validate_json(text)
            else:
                runs[path.stem] = RunRecord.model_validate_json(text)
        except ValidationError as error:
            fault = error.errors()[0]
            unreadable[path.name] = f"{'.'.join(map(str, fault['loc'])) or 'record'}: {fault['msg']}"
        except (OSError, UnicodeDecodeError, RecursionError) as error:
            unreadable[path.name] = getattr(error, "strerror", None) or "it is not text"
    return runs, failures, unreadable


def _reasons(run: RunRecord | None, page: Path, found: Now, notebooks: Mapping[str, str]) -> list[str]:
    """Why a page is out of date."""
    if run is None:
        return ["its run record is missing or cannot be read"]
    try:
        request = parse(run.content.report, run.content.parameters)
        reasons = why_stale(request, run, page, found, notebooks[request.report])
        files = in_doubt(request, run, found)
    except DeficitsError as error:
        return [f"it can no longer be made: {str(error).splitlines()[0]}"]
    return reasons or ([f"{len(files)} of its data files changed"] if files else [])


# Councils -------------------------------------------------------------------------------------------------------


def _councils(pages: Mapping[str, Page]) -> Iterable[Council]:
    """Every council of today, in the order of the alphabet."""
    known = load_authorities()
    frame = known.frame[known.frame["last_year"].isna()]
    tiles, names = read_tiles(), _known_as()
    for code, row in sorted(frame.iterrows(), key=lambda item: slug(str(item[1]["name"]))):
        page = pages.get(slug(f"authority-{row['name']}"))
        letters, column, line = tiles.get(str(code), (str(row["name"])[:3].upper(), -1, -1))
        yield Council(
            authority=str(code),
            ons_code=row["gss"],
            name=row["name"],
            region=row["region"],
            letters=letters,
            column=column,
            row=line,
            page=slug(f"authority-{row['name']}"),
            state=page.state if page else "not made",
            known_as=tuple(names.get(str(code), ())),
            made_on=str(page.record.run_on) if page and page.record else "",
            href=page.href if page else None,
            **_balance(page),
        )


def _known_as() -> dict[str, list[str]]:
    """Districts in each council, and councils that it replaced, by DfE number."""
    known = load_authorities()
    found: dict[str, list[str]] = {}
    for district, code in known.districts.items():
        if district != slug(known.name(code)).replace("-", " "):
            found.setdefault(code, []).append(district.title())
    for code in known.frame.index:
        found.setdefault(str(code), []).extend(known.name(old) for old in known.predecessors(code))
    return {code: sorted(set(names)) for code, names in found.items()}


def _balance(page: Page | None) -> dict[str, Any]:
    """The balance that a council's page gives first, and its share of the grant."""
    headline = page.record.content.headline if page and page.record else {}
    balances: dict[int, dict[str, Any]] = {}
    for name, value in headline.items():
        match = BALANCE.fullmatch(name)
        if match:
            balances.setdefault(int(match[1]), {})[ENDS[match[2]]] = float(value)
    whole = [year for year, parts in balances.items() if len(parts) == len(ENDS)]
    if not whole:
        return {}
    year = min(whole)
    return {"year": year, "deficit_share_of_dsg": headline.get(f"share_of_dsg_{year}"), **balances[year]}


def read_tiles() -> dict[str, tuple[str, int, int]]:
    """Letters, column and row of each council's tile, by DfE number: equal tiles near where the councils lie. The
    file is the map: a line a row of tiles, each tile's letters and number.
    """
    with (PARTS / "tiles.csv").open(encoding="utf-8", newline="") as lines:
        cells = [
            (tile, column, row) for row, line in enumerate(csv.reader(lines)) for column, tile in enumerate(line)
        ]
    return {tile.split()[1]: (tile.split()[0], column, row) for tile, column, row in cells if tile}


# The page -------------------------------------------------------------------------------------------------------


def _shown(folder: Folder, out_dir: Path) -> dict[str, Any]:
    """What the template shows besides the folder."""
    script = part("front.js")
    usual = {council.page for council in folder.councils}
    reports = [page for page in folder.pages if page.page not in usual]
    england = next((page for page in reports if page.page == "england"), None)
    mapped = [council for council in folder.councils if council.column >= 0]
    number = Counter(council.band for council in folder.councils)
    years = {council.year for council in folder.councils if council.year}
    year = years.pop() if len(years) == 1 else None
    made = {page.page.partition("-")[0] for page in folder.pages}
    stale: dict[str, list[Page]] = {}
    for page in folder.pages:
        for why in page.reasons if page.state == "stale" else ():
            stale.setdefault(why, []).append(page)
    return {
        "style": part("style.css") + part("front.css"),
        "script": script,
        "script_hash": csp_hash(script),
        "england": england,
        "chart": Markup(first_chart(out_dir / "england.ipynb")) if england and england.there else "",
        "reports": reports,
        "unmade": [report.title for name, report in REPORTS.items() if not report.on_request and name not in made],
        "mapped": mapped,
        "columns": max((council.column for council in mapped), default=0) + 1,
        "rows": max((council.row for council in mapped), default=0) + 1,
        "key": [
            (name, label, number[name]) for name, label, _ in (*BANDS, (NO_FIGURE, "No figure", 0)) if number[name]
        ],
        "at": "" if year is None else year_end(year),
        "grant": "" if year is None else financial_year(year),
        "figures": sum(council.deficit_share_of_dsg is not None for council in folder.councils),
        "stale": dict(sorted(stale.items(), key=lambda item: -len(item[1]))),
        "failed": [page for page in folder.pages if page.failure],
        "dash": Markup('<span role="img" aria-label="not available">–</span>'),
    }


def deficit_range(low: float, high: float) -> str:
    """The range of a deficit, from quantiles of the balance (£, negative = deficit).

    Rounded as on the council's page; a balance that is known is not.

    >>> deficit_range(-193_876_902, -110_923_417), deficit_range(-2.1e6, 3.2e6), deficit_range(1e6, 2e6)
    ('£110m to £190m', '£3.2m surplus to £2.1m deficit', '£1.0m to £2.0m surplus')
    >>> deficit_range(-97.5e6, -97.5e6)
    '£97.5m'
    """
    if low == high:
        return f"{gbp(abs(low))}{' surplus' if low > 0 else ''}"
    if high <= 0:
        return estimate_range(-high, -low)
    if low >= 0:
        return f"{estimate_range(low, high)} surplus"
    return f"{estimate(high)} surplus to {estimate(-low)} deficit"
