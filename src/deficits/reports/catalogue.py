"""What pages a folder holds, and in what state: the one account that list, `catalogue.json` and feed share.

It is read from the records beside the pages, by what it needs of them and no more: a record that another version
of the package wrote is read as well, and one that cannot be read costs its own entry, never the list.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deficits.errors import ReportError
from deficits.reports.asked import notebook_path
from deficits.reports.parameters import REPORTS, slug
from deficits.reports.record import Surroundings, notebook_digest, surroundings
from deficits.reports.tiles import tile_map

FILE = "catalogue.json"
KIND = "deficits catalogue"
VERSION = 1
"""Version of the JSON: a field that goes or changes its meaning makes a new one, an added field does not."""

EVERY_DAYS = 31
"""Days from one run to the next, when whoever runs them does not say."""

RUN, FAILURE = "deficits run record", "deficits failure record"
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
BALANCE = re.compile(r"balance_(\d{4})_p(10|50|90)")

State = Literal["fresh", "stale", "failed", "not made"]
STATES: tuple[State, ...] = ("fresh", "stale", "failed", "not made")


class _Public(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Failure(_Public):
    """The last run, which failed."""

    failed_at: str = Field(description="when, in UTC, ISO format")
    error: str = Field(description="name of the error")
    message: str = Field(description="its message")
    cell: int | None = Field(default=None, description="cell of the notebook, from 1; null when no cell's fault")


class PageEntry(_Public):
    """One page: its last good run, its failure since then, or both."""

    page: str = Field(description="name of its files, without an ending; also its key")
    report: str = Field(description="name of the report that it comes from")
    title: str
    state: State = Field(
        description="fresh, stale (its data or its code have changed), failed (its last run) or not made"
    )
    reasons: tuple[str, ...] = Field(default=(), description="why it is stale or failed, in words")
    href: str | None = Field(default=None, description="the page; null when there is none")
    record_href: str | None = Field(default=None, description="its run record")
    notebook_href: str | None = Field(default=None, description="its notebook as it ran")
    made_on: date | None = Field(default=None, description="day of the last good run")
    figures_to: str | None = Field(
        default=None, description="newest publication date among its figures: 2026, 2026-06 or 2026-06-18"
    )
    code: str | None = Field(default=None, description="version of the code that made it")
    fingerprint: str | None = Field(default=None, description="sha256 of its content: the same, the same result")
    main_point: str | None = Field(default=None, description="the first of its main points")
    parameters: dict[str, Any] = Field(default={}, description="parameters of the run")
    headline: dict[str, float | int | str] = Field(
        default={}, description="headline values, unrounded; £ where money, negative = deficit"
    )
    failure: Failure | None = None


class CouncilEntry(_Public):
    """One council: its tile, its figures and the name of its page. Every council stands here, page or no page."""

    authority: str = Field(description="DfE number")
    ons_code: str = Field(description="current ONS code")
    name: str
    region: str
    letters: str = Field(description="three letters for it on the map; no standard")
    column: int = Field(description="column of its tile, from 0 at the left")
    row: int = Field(description="row of its tile, from 0 at the top")
    page: str = Field(description="name of its page, made or not; the key to `pages`")
    state: State
    year: int | None = Field(default=None, description="the balance is that of 31 March of this year")
    balance_p10: float | None = Field(default=None, description="£, negative = deficit; 1 in 10 futures lie below")
    balance_p50: float | None = Field(default=None, description="£, the middle of the futures")
    balance_p90: float | None = Field(default=None, description="£, 1 in 10 futures lie above")
    dsg: float | None = Field(default=None, description="dedicated schools grant of `dsg_year`, £, published")
    dsg_year: int | None = Field(default=None, description="financial year by the calendar year it ends in")
    deficit_share_of_dsg: float | None = Field(
        default=None, description="-balance_p50 / dsg, which colours its tile; negative = surplus"
    )


class Unreadable(_Public):
    """A file that should say something of a page and does not."""

    file: str
    problem: str
    href: str | None = Field(default=None, description="the page that it should tell of, where that is there")


class Catalogue(_Public):
    """All pages of a folder on a day."""

    kind: Literal["deficits catalogue"] = "deficits catalogue"
    version: int = Field(default=VERSION, description="version of this format")
    checked_on: date = Field(description="day on which the pages were compared with the data and the code")
    next_due: date = Field(description="last day on which this can be trusted: the next run is due by then")
    basis: str = Field(
        default="", description="sha256 over the data and the code that the pages were compared with"
    )
    base_url: str | None = Field(
        default=None, description="address of the folder; null when addresses are relative"
    )
    counts: dict[State, int] = Field(description="number of pages in each state, councils without a page included")
    pages: tuple[PageEntry, ...]
    councils: tuple[CouncilEntry, ...]
    unreadable: tuple[Unreadable, ...] = ()

    @cached_property
    def by_page(self) -> dict[str, PageEntry]:
        """Pages by their names."""
        return {entry.page: entry for entry in self.pages}

    def address(self, href: str) -> str:
        """Where a file of the folder is: below the base URL, or relative to the folder."""
        return f"{self.base_url}{href}" if self.base_url else href


class _Loose(BaseModel):
    """What is read of a record: what another version added is no fault."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Content(_Loose):
    report: str
    parameters: dict[str, Any] = {}
    data: dict[str, str] = {}
    code: str = ""
    source: str = ""
    notebook: str = ""
    python: str = ""
    packages: dict[str, str] = {}
    headline: dict[str, float | int | str] = {}
    main_points: tuple[str, ...] = ()


class _Run(_Loose):
    title: str
    run_on: date
    fingerprint: str = ""
    content: _Content
    files: dict[str, str] = {}


class _Failed(_Loose):
    title: str
    failed_at: datetime
    report: str
    parameters: dict[str, Any] = {}
    error: str
    message: str = ""
    cell: int | None = None


@dataclass(frozen=True)
class _Found:
    """What lies in a folder, by the names of the pages."""

    runs: dict[str, _Run]
    failures: dict[str, _Failed]
    html: frozenset[str]
    notebooks: frozenset[str]
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True)
class _Now:
    """What the pages are compared with: data, code and packages, dates of publication, and the notebooks."""

    found: Surroundings
    published: Mapping[str, str]
    notebooks: Mapping[str, str]


def read_catalogue(
    folder: Path,
    *,
    base_url: str | None = None,
    every_days: int = EVERY_DAYS,
    today: date | None = None,
    found: Surroundings | None = None,
    dsg: Mapping[str, float] | None = None,
    dsg_year: int | None = None,
) -> Catalogue:
    """The account of the pages in `folder`.

    Args:
        folder: of the pages; a missing one has none.
        base_url: address that the folder will have; without it, addresses are relative.
        every_days: days from one run to the next.
        today: the day of the check; in UTC when not given.
        found: the data and the code as they are now; looked up when not given.
        dsg: dedicated schools grant by DfE number, £, of `dsg_year`; the newest published one when not given.
    """
    today = today or datetime.now(UTC).date()
    lies = _read_folder(folder)
    found = found or surroundings()
    now, basis = _now(found, lies), _basis(found)
    names = council_pages()
    pages = {name: _page_entry(name, folder, lies, now, names) for name in _page_names(lies)}
    grants, grants_year = (dsg, dsg_year) if dsg is not None else _newest_dsg(pages, names, folder, basis)
    councils = tuple(_councils(pages, names, grants, grants_year))
    missing = sum(council.page not in pages for council in councils)
    counts = Counter(entry.state for entry in pages.values()) + Counter({"not made": missing})
    return Catalogue(
        checked_on=today,
        next_due=today + timedelta(days=every_days),
        basis=basis,
        base_url=_folder_url(base_url),
        counts={state: counts[state] for state in STATES},
        pages=tuple(pages.values()),
        councils=councils,
        unreadable=lies.unreadable,
    )


def _folder_url(url: str | None) -> str | None:
    return None if not url else url.rstrip("/") + "/"


def council_pages() -> dict[str, str]:
    """DfE number by the name of a council's usual page, for today's councils."""
    return {slug(f"authority-{name}"): str(code) for code, name in _councils_now()["name"].items()}


@cache
def _councils_now() -> Any:
    from deficits.panel import load_authorities

    frame = load_authorities().frame
    return frame[frame["last_year"].isna()]


# What lies in the folder ----------------------------------------------------------------------------------------


def _read_folder(folder: Path) -> _Found:
    runs: dict[str, _Run] = {}
    failures: dict[str, _Failed] = {}
    problems: list[Unreadable] = []
    # Other files of HTML in the folder are somebody else's.
    html = frozenset(path.stem for path in folder.glob("*.html") if path.stem.partition("-")[0] in REPORTS)
    for path in sorted(folder.glob("*.json")):
        name = path.name.removesuffix(".json").removesuffix(".failed")
        try:
            record = _record(path)
        except (OSError, ValueError) as error:
            problems.append(_unreadable(path.name, _in_words(error), name, html))
            continue
        if isinstance(record, _Run):
            runs[name] = record
        elif isinstance(record, _Failed):
            failures[name] = record
    told = runs.keys() | {Path(problem.file).stem for problem in problems}
    problems += [_unreadable(f"{name}.json", "missing", name, html) for name in sorted(html) if name not in told]
    notebooks = frozenset(path.stem for path in folder.glob("*.ipynb"))
    return _Found(runs, failures, html, notebooks, tuple(problems))


def _record(path: Path) -> _Run | _Failed | None:
    """The record in a file; None when the file is something else's."""
    found = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refused)
    kind = found.get("kind") if isinstance(found, dict) else None
    if kind == RUN:
        return _Run.model_validate(found)
    return _Failed.model_validate(found) if kind == FAILURE else None


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no figure")


def _in_words(error: Exception) -> str:
    """What is wrong with a record, without the folder it lies in."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'record'}: {first['msg']}"
    if isinstance(error, OSError):
        return error.strerror or "cannot be opened"
    return "not whole, or not JSON"


def _unreadable(file: str, problem: str, name: str, html: frozenset[str]) -> Unreadable:
    return Unreadable(file=file, problem=problem, href=quote(f"{name}.html") if name in html else None)


def _page_names(lies: _Found) -> list[str]:
    """Reports in their reading order, then by name."""
    order = {name: place for place, name in enumerate(REPORTS)}
    names = lies.runs.keys() | lies.failures.keys() | lies.html

    def key(name: str) -> tuple[int, str]:
        return order.get(_report(name, lies), len(order)), name

    return sorted(names, key=key)


def _report(name: str, lies: _Found) -> str:
    if name in lies.runs:
        return lies.runs[name].content.report
    return lies.failures[name].report if name in lies.failures else name.partition("-")[0]


# One page -------------------------------------------------------------------------------------------------------


def _page_entry(name: str, folder: Path, lies: _Found, now: _Now, names: Mapping[str, str]) -> PageEntry:
    run, failed = lies.runs.get(name), lies.failures.get(name)
    there = name in lies.html
    reasons = _failure_reasons(failed) + (_stale_reasons(name, folder, run, now) if there else ())
    told = {} if run is None else _told(run, now)
    state: State = "failed" if failed else "not made" if not there else "stale" if reasons else "fresh"
    return PageEntry(
        page=name,
        report=_report(name, lies),
        title=run.title if run else failed.title if failed else _title(name, names),
        state=state,
        reasons=reasons,
        href=quote(f"{name}.html") if there else None,
        record_href=quote(f"{name}.json") if run else None,
        notebook_href=quote(f"{name}.ipynb") if name in lies.notebooks else None,
        failure=_failure(failed),
        **told,
    )


def _title(name: str, names: Mapping[str, str]) -> str:
    """Title of a page that has no record to tell it."""
    if name in names:
        return str(_councils_now().at[names[name], "name"])
    return REPORTS[name].title if name in REPORTS else name


def _told(run: _Run, now: _Now) -> dict[str, Any]:
    """What a run record says of its page."""
    content = run.content
    return {
        "made_on": run.run_on,
        "figures_to": _figures_to(content, now),
        "code": content.code or None,
        "fingerprint": run.fingerprint or None,
        "main_point": content.main_points[0] if content.main_points else None,
        "parameters": content.parameters,
        "headline": content.headline,
    }


def _figures_to(content: _Content, now: _Now) -> str | None:
    """Newest date of publication among a page's figures, as far as it is known."""
    known = [
        now.published[file]
        for file, digest in content.data.items()
        if file in now.published and now.found.data.get(file) == digest
    ]
    as_of = content.parameters.get("as_of")
    return str(as_of) if DAY.fullmatch(str(as_of)) else max(known, default=None)


def _failure(failed: _Failed | None) -> Failure | None:
    if failed is None:
        return None
    at = failed.failed_at.astimezone(UTC).isoformat(timespec="seconds")
    return Failure(failed_at=at, error=failed.error, message=failed.message, cell=failed.cell)


def _failure_reasons(failed: _Failed | None) -> tuple[str, ...]:
    return () if failed is None else (f"its last run failed ({failed.error})",)


def _stale_reasons(name: str, folder: Path, run: _Run | None, now: _Now) -> tuple[str, ...]:
    """Why a page that is there is out of date."""
    if run is None:
        return ("its run record is missing or cannot be read",)
    reasons = list(_changes(run.content, now))
    if ".html" in run.files and run.files[".html"] != _digest(folder / f"{name}.html"):
        reasons.append("the page and its run record are not of the same run")
    return tuple(reasons)


def _changes(content: _Content, now: _Now) -> Iterable[str]:
    """What has changed since a page was made: the same that decides whether it is made again."""
    found = now.found
    # An analyst's own file is not among the published ones; it is compared when the page is asked for again.
    held = {file: digest for file, digest in content.data.items() if not file.startswith("own/")}
    changed = sum(held.get(file) != found.data.get(file) for file in held.keys() | found.data.keys())
    if changed:
        yield f"{changed} data file{'s have' if changed > 1 else ' has'} changed since it was made"
    if content.source != found.source or content.notebook != now.notebooks.get(content.report, content.notebook):
        yield f"made by another version of the code ({content.code or 'not known'})"
    elif (content.python, content.packages) != (found.python, found.packages):
        yield "made with other versions of Python or of packages"


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _now(found: Surroundings, lies: _Found) -> _Now:
    from deficits.raw import raw_data

    published = {
        f"{folder}/{file.name}": file.published
        for folder, source in raw_data().sources.items()
        for file in source.file
        if file.published
    }
    reports = {run.content.report for run in lies.runs.values()} & REPORTS.keys()
    return _Now(found, published, {name: digest for name in reports if (digest := _notebook(name))})


def _notebook(report: str) -> str | None:
    """The digest of a report's notebook; None when the notebook is not there to compare."""
    try:
        return notebook_digest(json.loads(notebook_path(REPORTS[report]).read_text(encoding="utf-8")))
    except (ReportError, ValueError):
        return None


# Councils -------------------------------------------------------------------------------------------------------


def _councils(
    pages: Mapping[str, PageEntry], names: Mapping[str, str], grants: Mapping[str, float], year: int | None
) -> Iterable[CouncilEntry]:
    """Every council of today, in the order of the alphabet."""
    frame = _councils_now()
    tiles = tile_map(frame)
    for page, code in sorted(names.items(), key=lambda item: slug(str(frame.at[item[1], "name"]))):
        row, tile, entry = frame.loc[code], tiles[code], pages.get(page)
        yield CouncilEntry(
            authority=code,
            ons_code=row["gss"],
            name=row["name"],
            region=row["region"],
            letters=tile.letters,
            column=tile.column,
            row=tile.row,
            page=page,
            state=entry.state if entry else "not made",
            **_figures(entry, grants.get(code), year),
        )


def _figures(entry: PageEntry | None, dsg: float | None, dsg_year: int | None) -> dict[str, Any]:
    """A council's grant, the balance that its page gives first, and what the one is of the other."""
    # Every council has its grant, page or no page, so that the next run finds all of them here.
    found: dict[str, Any] = {"dsg": dsg, "dsg_year": dsg_year} if dsg and dsg > 0 else {}
    balances: dict[int, dict[str, float]] = {}
    for name, value in (entry.headline if entry else {}).items():
        match = BALANCE.fullmatch(name)
        if match and not isinstance(value, str):
            balances.setdefault(int(match[1]), {})[f"balance_p{match[2]}"] = float(value)
    year = min((year for year, parts in balances.items() if len(parts) == 3), default=None)
    if year is None:
        return found
    if found:
        found["deficit_share_of_dsg"] = -balances[year]["balance_p50"] / found["dsg"]
    return found | {"year": year, **balances[year]}


Grants = tuple[Mapping[str, float], int | None]
"""Dedicated schools grant by DfE number, £, and the year it is of."""


def _newest_dsg(pages: Mapping[str, PageEntry], names: Mapping[str, str], folder: Path, basis: str) -> Grants:
    """The newest published grant by council; nothing where no council has a page that would need it."""
    if not any(pages[name].headline for name in names if name in pages):
        return {}, None
    return _dsg_before(folder, basis) or _published_dsg()


def _dsg_before(folder: Path, basis: str) -> Grants | None:
    """The grants as the last catalogue has them, when data and code are still the same.

    It saves a run in which nothing has changed from building the panel for one column.
    """
    try:
        before = Catalogue.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    grants = {entry.authority: entry.dsg for entry in before.councils if entry.dsg}
    years = {entry.dsg_year for entry in before.councils if entry.dsg_year}
    return (grants, years.pop()) if before.basis == basis and len(years) == 1 else None


@cache
def _published_dsg() -> Grants:
    from deficits.panel import load_panel

    figure = load_panel().figure("dsg_total").dropna(axis=1, how="all")
    year = int(figure.columns[-1])
    return {str(code): float(value) for code, value in figure[year].dropna().items()}, year


def _basis(found: Surroundings) -> str:
    told = json.dumps([found.source, dict(sorted(found.data.items()))])
    return hashlib.sha256(told.encode()).hexdigest()
