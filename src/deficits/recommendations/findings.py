"""What this project says of each recommendation, worked out on a projection when a page is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deficits.errors import PanelError
from deficits.formatting import estimate_range, financial_year, gbp_range, number_range, percent, year_end
from deficits.panel import FIGURES
from deficits.places import Places, places_of_all, together
from deficits.projection import Lever, Projection
from deficits.projection.england import OVERRIDE_ENDS, levers_compared
from deficits.projection.streams import Array
from deficits.projection.voi import last_year_over, value_of_information
from deficits.recommendations.ledger import Ledger, Measure
from deficits.recommendations.people import hours, newest, posts, prices
from deficits.validation import known_word
from deficits.writeoff import Scheme, write_off

FILE = "data/recommendations.yaml"


@dataclass(frozen=True)
class Finding:
    """A figure with its range and its unit (£, share, posts, or that of the panel), and what it is of, in words.

    `low` and `high` are the 80% range of the projection, or the range of a published price; the same where there
    is one number. £ of a lever: negative = a smaller deficit.
    """

    low: float
    high: float
    unit: str
    of: str
    estimated: bool = True
    """Rounded as an estimate is; a published price is not."""

    def __str__(self) -> str:
        if self.unit == "£":
            return (estimate_range if self.estimated else gbp_range)(self.low, self.high)
        if self.unit == "share":
            return percent(self.low)
        counted = self.low == self.high
        return f"{f'{self.low:,.0f}' if counted else number_range(self.low, self.high)} {self.unit}"


def findings(
    ledger: Ledger, projection: Projection, year: int | None = None, places: Places | None = None
) -> dict[str, Finding | None]:
    """By recommendation, the figure that its measure names at a year end (by default the projection's last).

    None where there is no measure, or where a published price or time was not public on the projection's day.
    `places`: of `england_places`, where worked out already. Raises the error of what a measure names: an unknown
    lever, scheme, figure, profession or price.
    """
    at = projection.years[-1] if year is None else year
    return {
        each.name: None if each.measure is None else _finding(projection, each.measure, at, places)
        for each in ledger.recommendations
    }


def england_places(projection: Projection) -> Places:
    """Specialist places of all councils that can be worked out, together, if they now have those in use."""
    return together("England", [each for _, each in places_of_all(projection) if isinstance(each, Places)])


def _finding(projection: Projection, measure: Measure, year: int, places: Places | None) -> Finding | None:
    name, panel, paths = measure.name, projection.panel, projection.paths
    # The last year of the statutory override; the year asked for where that is over.
    ends = OVERRIDE_ENDS if OVERRIDE_ENDS in projection.projected_years else year
    change = f"change of England's net deficit by {year_end(year)}"
    match measure.kind:
        case "lever":
            row = levers_compared(projection, year, [_lever(projection, name)]).iloc[0]
            return Finding(row["change_p10"], row["change_p90"], "£", change)
        case "delay":
            shape = (len(projection.years) - 1, len(projection.fit.councils), projection.balance.sizes["draw"])
            now, then = (
                np.broadcast_to(_position(projection, name, later), shape)[: projection.years.index(year)]
                for later in (0, 1)
            )
            return _range(now.sum(axis=(0, 1)) - then.sum(axis=(0, 1)), "£", f"{change}, a year later")
        case "moved":
            moved = np.clip(_position(projection, name)[projection.years.index(year) - 1], 0, None).sum(axis=0)
            return _range(moved, "£", f"gained by some councils and lost by others in {financial_year(year)}")
        case "capital":
            capital = (places or england_places(projection)).capital
            known_word(FILE, name, capital, PanelError)
            of = f"capital for the places that are short by {financial_year(projection.years[-1])}"
            return _range(capital[name].sum(axis=0), "£", of)
        case "scheme":
            scheme = Scheme.read(name)
            paid = write_off(projection, scheme).grant.sum("authority").values
            return _range(paid, "£", f"grants for deficits at {year_end(scheme.base_year)}")
        case "shortfall":
            short = (paths.spend - paths.block)[paths.years.index(ends)]
            return _range(short, "£", f"high needs spending above the block in {financial_year(ends)}")
        case "share":
            values = newest(panel, name)
            share = values.sum() / panel.figure("plans")[values.name].reindex(values.index).sum()
            return _range([share], "share", f"of EHC plans in January {values.name}, published")
        case "number":
            values = newest(panel, name)
            of = f"in the calendar year {int(values.name) - 1}, published"
            return _range([values.sum()], FIGURES[name].unit, of)
        case "information":
            told = value_of_information(projection, ends, last=last_year_over(panel))
            if told.empty:
                return None
            of = f"off the range of the gross deficit at {year_end(ends)}, if known: {told.index[0]}"
            return _range([told["width"].iloc[0] - told["expected"].iloc[0]], "£", of)
        case "posts":
            needed = posts(projection, ends)
            if name not in needed.index:
                known_word(FILE, name, hours().index.get_level_values("profession"), PanelError)
                return None
            row, of = needed.loc[name], f"for the new plans of {ends - 1}; not the DSG"
            return Finding(row["posts_low"], row["posts_high"], "posts", of)
        case "price":
            listed = prices(panel.as_of)
            if name not in listed.index:
                known_word(FILE, name, prices().index, PanelError)
                return None
            row = listed.loc[name]
            of = f"{row['when']}, paid by {row['payer']}; not the DSG"
            return Finding(row["total_low"], row["total_high"], "£", of, estimated=False)


def _lever(projection: Projection, name: str, later: int = 0) -> Lever:
    """A lever that starts as declared, or with the first projected year where that is later."""
    return Lever.read(name, start=max(Lever.read(name).start, projection.base_year + 1) + later)


def _position(projection: Projection, name: str, later: int = 0) -> Array:
    """What a lever does to positions, £ (>= 0: less deficit), broadcasting to (years, authorities, draws)."""
    return _lever(projection, name, later).effect(projection.fit, projection.paths).position


def _range(values: Array | list[float], unit: str, of: str) -> Finding:
    low, high = np.quantile(values, [0.1, 0.9])
    return Finding(low, high, unit, of)
