"""The folder's front: `index.html` with a tile map and a list of councils, `catalogue.json` and `feed.xml`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from deficits.errors import ReportFailed
from deficits.formatting import financial_year, gbp, gbp_range, percent, year_end
from deficits.reports.catalogue import (
    EVERY_DAYS,
    FILE,
    STATES,
    Catalogue,
    CouncilEntry,
    PageEntry,
    State,
    read_catalogue,
)
from deficits.reports.feed import FEED, atom_feed
from deficits.reports.frame import PARTS, SITE, csp_hash, day, part
from deficits.reports.parameters import REPORTS
from deficits.reports.publish import put_in_place, reason
from deficits.reports.record import Surroundings
from deficits.reports.tiles import borders

DASH = Markup('<span role="img" aria-label="not available">–</span>')
AUTHORITY, FIRST = "authority", "england"

STATE_WORDS: dict[State, str] = {
    "fresh": "Up to date",
    "stale": "Out of date",
    "failed": "Last run failed",
    "not made": "Not made",
}


@dataclass(frozen=True)
class Band:
    """A step of the map's colours: councils whose deficit is at least `least` of their grant."""

    name: str
    label: str
    least: float


BANDS = (
    Band("b4", "20% or more", 0.20),
    Band("b3", "10% to under 20%", 0.10),
    Band("b2", "5% to under 10%", 0.05),
    Band("b1", "Under 5%", 0.0),
    Band("b0", "Surplus, shown with +", -float("inf")),
)
NO_FIGURE = Band("none", "No figure", float("nan"))


@dataclass(frozen=True)
class Council:
    """One council as the map and the list show it: both say the same."""

    entry: CouncilEntry
    page: PageEntry | None

    @property
    def href(self) -> str | None:
        """Its page, where there is one."""
        return self.page.href if self.page else None

    @property
    def share(self) -> float | None:
        """Deficit as a share of the grant; negative = surplus."""
        return self.entry.deficit_share_of_dsg

    @property
    def band(self) -> Band:
        """The colour of its tile."""
        share = self.share
        return NO_FIGURE if share is None else next(band for band in BANDS if share >= band.least)

    @property
    def short_share(self) -> str:
        """The share as a tile has room for it: a surplus with a plus, no figure as a dash."""
        share = self.share
        if share is None:
            return "–"
        return f"{'+' if share < 0 else ''}{abs(share):.0%}"

    @property
    def share_in_words(self) -> str:
        """The share as the list has it."""
        share = self.share
        if share is None:
            return ""
        return percent(share) if share >= 0 else f"{percent(-share)} surplus"

    @property
    def range_in_words(self) -> str:
        """The range of its deficit."""
        low, high = self.entry.balance_p10, self.entry.balance_p90
        return "" if low is None or high is None else deficit_range(low, high)

    @cached_property
    def at(self) -> str:
        """The day on which that balance is measured."""
        return "" if self.entry.year is None else year_end(self.entry.year)

    @property
    def state(self) -> str:
        """State of its page, in words."""
        return STATE_WORDS[self.entry.state]

    @property
    def needs_care(self) -> bool:
        """Whether there is a page that is not up to date."""
        return self.entry.state in ("stale", "failed")

    @property
    def told(self) -> str:
        """All of it in a sentence: the tile's description."""
        parts = [f"{self.range_in_words} at {self.at}"] if self.range_in_words else []
        middle = "" if self.entry.balance_p10 == self.entry.balance_p90 else "middle of the range "
        parts += [f"{middle}{self.share_in_words} of its grant"] if self.share is not None else []
        parts += [f"page made on {day(self.page.made_on)}"] if self.page and self.page.made_on else []
        parts += [self.state.lower()] if self.entry.state != "fresh" else []
        return f"{self.entry.name}: {'; '.join(parts)}"

    @property
    def weight(self) -> int | None:
        """What the list sorts its deficit by, £: negative = surplus."""
        return None if self.entry.balance_p50 is None else round(-self.entry.balance_p50)


def write_index(
    out_dir: Path,
    *,
    base_url: str | None = None,
    every_days: int = EVERY_DAYS,
    today: date | None = None,
    found: Surroundings | None = None,
    dsg: Mapping[str, float] | None = None,
    dsg_year: int | None = None,
) -> Path:
    """Write `index.html`, `catalogue.json` and `feed.xml` from the records in `out_dir`; returns the page's path.

    A record that cannot be read is named on the page and costs nothing else. The arguments are those of
    `deficits.reports.catalogue.read_catalogue`. Raises ReportFailed when the folder cannot be written to.
    """
    catalogue = read_catalogue(
        out_dir,
        base_url=base_url,
        every_days=every_days,
        today=today,
        found=found,
        dsg=dsg,
        dsg_year=dsg_year,
    )
    files = {
        FILE: json.dumps(catalogue.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n",
        FEED: atom_feed(catalogue),
        "index.html": index_page(catalogue),
    }
    # All are written before any is moved, so that a full disk leaves the old three; the page is moved last.
    try:
        put_in_place(out_dir, files)
    except OSError as error:
        raise ReportFailed(f"the list of reports could not be written: {reason(error)}") from None
    return out_dir / "index.html"


def index_page(catalogue: Catalogue) -> str:
    """The page that shows a catalogue."""
    councils = [Council(entry, catalogue.by_page.get(entry.page)) for entry in catalogue.councils]
    usual = {entry.page for entry in catalogue.councils}
    others = [entry for entry in catalogue.pages if entry.page not in usual]
    # The page of a report as it comes is a card; pages of a changed scheme or an earlier day are in a plain list.
    cards = sorted((entry for entry in others if _is_usual(entry)), key=lambda entry: entry.report != FIRST)
    script = part("catalogue.js")
    template = _environment().get_template("catalogue.html.j2")
    return template.render(
        site=SITE,
        style=part("style.css") + part("catalogue.css"),
        script=script,
        script_hash=csp_hash(script),
        catalogue=catalogue,
        dash=DASH,
        counts=[(state, STATE_WORDS[state], catalogue.counts[state]) for state in STATES],
        state_words=STATE_WORDS,
        cards=cards,
        unmade=[report.title for name, report in REPORTS.items() if _is_unmade(name, cards)],
        others=[entry for entry in others if entry not in cards],
        councils=councils,
        mapped=_mapped(councils),
        stale=_by_reason(catalogue),
        failed=[entry for entry in catalogue.pages if entry.failure],
        feed=FEED,
        json=FILE,
    )


def _by_reason(catalogue: Catalogue) -> dict[str, list[PageEntry]]:
    """Pages that are out of date under each reason, the reason of the most pages first.

    A page without a record is left out: it is listed as such.
    """
    found: dict[str, list[PageEntry]] = {}
    for entry in catalogue.pages:
        for why in entry.reasons if entry.state == "stale" and entry.record_href else ():
            found.setdefault(why, []).append(entry)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _is_usual(entry: PageEntry) -> bool:
    """Whether a page is a report's own, and not one of another day, another share or a council."""
    if entry.report == AUTHORITY or entry.report not in REPORTS:
        return False
    report = REPORTS[entry.report]
    changed = [
        name
        for name in report.named_when_changed
        if entry.parameters.get(name) not in (None, report.model.model_fields[name].default)
    ]
    return not changed


def _is_unmade(name: str, cards: list[PageEntry]) -> bool:
    return name != AUTHORITY and all(entry.report != name for entry in cards)


def _mapped(councils: list[Council]) -> dict[str, Any]:
    """What the map needs besides the councils: its size, borders, key and date."""
    cells = {(council.entry.column, council.entry.row): council.entry.region for council in councils}
    number = Counter(council.band.name for council in councils)
    key = [(band, number[band.name]) for band in (*BANDS, NO_FIGURE) if number[band.name] or band is not NO_FIGURE]
    days = {council.at for council in councils if council.at}
    grants = {council.entry.dsg_year for council in councils if council.entry.dsg_year}
    return {
        "columns": max((column for column, _ in cells), default=0) + 1,
        "rows": max((row for _, row in cells), default=0) + 1,
        "borders": borders(cells),
        "key": key,
        "figures": sum(council.share is not None for council in councils),
        "at": days.pop() if len(days) == 1 else "",
        "grant": financial_year(grants.pop()) if len(grants) == 1 else "",
        "care": any(council.needs_care for council in councils),
        "linked": any(council.href for council in councils),
    }


def deficit_range(low: float, high: float) -> str:
    """The range of a deficit, from quantiles of the balance (£, negative = deficit).

    >>> deficit_range(-193_876_902, -110_923_417), deficit_range(-2.1e6, 3.2e6), deficit_range(1e6, 2e6)
    ('£110.9m to £193.9m', '£3.2m surplus to £2.1m deficit', '£1.0m to £2.0m surplus')
    """
    if high <= 0:
        return gbp_range(-high, -low)
    if low >= 0:
        return f"{gbp_range(low, high)} surplus"
    return f"{gbp(high)} surplus to {gbp(-low)} deficit"


def partial_date(iso: str) -> str:
    """A date of publication as precisely as it is known.

    >>> partial_date("2026-06-18"), partial_date("2026-06"), partial_date("2026")
    ('18 June 2026', 'June 2026', '2026')
    """
    parts = iso.split("-")
    if len(parts) == 3:
        return day(date.fromisoformat(iso))
    return f"{date(int(parts[0]), int(parts[1]), 1):%B %Y}" if len(parts) == 2 else iso


def short_date(iso: str | date) -> str:
    """The same where there is little room.

    >>> short_date("2026-06-18"), short_date("2026-06"), short_date("2026")
    ('18 Jun 2026', 'Jun 2026', '2026')
    """
    *first, year = partial_date(str(iso)).split()
    return " ".join([*(word[:3] for word in first), year])


def moment_day(moment: str) -> str:
    """The day of an ISO moment.

    >>> moment_day("2026-11-26T06:00:00+00:00")
    '26 November 2026'
    """
    return day(datetime.fromisoformat(moment).date())


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(PARTS), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "day": day,
        "partial_date": partial_date,
        "short_date": short_date,
        "moment_day": moment_day,
    }
    return environment
