"""What this project says of each recommendation, worked out on a projection when a page is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from deficits.errors import PanelError, closest
from deficits.formatting import estimate_range, financial_year, gbp_range, percent, year_end
from deficits.panel import FIGURES
from deficits.places import Places, places_of_all, together
from deficits.projection import Lever, Projection
from deficits.projection.england import OVERRIDE_ENDS, levers_compared
from deficits.projection.streams import Array
from deficits.projection.voi import last_year_over, value_of_information
from deficits.recommendations.ledger import Ledger, Measure
from deficits.recommendations.people import hours, newest, posts, prices
from deficits.writeoff import Scheme, write_off


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
        ends = dict.fromkeys(f"{end:,.0f}" for end in (self.low, self.high))
        return f"{' to '.join(ends)} {self.unit}"


def findings(
    ledger: Ledger, projection: Projection, year: int | None = None, places: Places | None = None
) -> dict[str, Finding | None]:
    """By recommendation, the figure that its measure names at a year end (by default the projection's last).

    None where there is no measure, or where a published price or time was not public on the projection's day.
    `places`: of `england_places`, where worked out already. Raises the error of what a measure names: an unknown
    lever, scheme, figure, profession or price.
    """
    at = projection.years[-1] if year is None else year
    found: dict[str, Finding | None] = {}
    for each in ledger.recommendations:
        if each.measure is None:
            found[each.name] = None
        elif each.measure.kind == "capital":
            found[each.name] = _capital(projection, each.measure, places)
        else:
            found[each.name] = _KINDS[each.measure.kind](projection, each.measure, at)
    return found


def england_places(projection: Projection) -> Places:
    """Specialist places of all councils that can be worked out, together, if they now have those in use."""
    return together("England", [each for _, each in places_of_all(projection) if isinstance(each, Places)])


def _lever(projection: Projection, measure: Measure, later: int = 0) -> Lever:
    """A lever that starts as declared, or with the first projected year where that is later."""
    lever = Lever.read(measure.name)
    return Lever.read(measure.name, start=max(lever.start, projection.base_year + 1) + later)


def _override_end(projection: Projection, year: int) -> int:
    """The last year of the statutory override; the year asked for where that is over."""
    return OVERRIDE_ENDS if OVERRIDE_ENDS in projection.projected_years else year


def _ends(values: Array) -> tuple[float, float]:
    low, high = np.quantile(values, [0.1, 0.9])
    return float(low), float(high)


def _changes_deficit(projection: Projection, measure: Measure, year: int) -> Finding:
    row = levers_compared(projection, year, [_lever(projection, measure)]).iloc[0]
    of = f"change of England’s net deficit by {year_end(year)}"
    return Finding(float(row["change_p10"]), float(row["change_p90"]), "£", of)


def _costs_to_wait(projection: Projection, measure: Measure, year: int) -> Finding:
    now, then = (_cumulated(projection, _lever(projection, measure, later), year) for later in (0, 1))
    return Finding(*_ends(now - then), "£", f"change of England’s net deficit by {year_end(year)}, a year later")


def _cumulated(projection: Projection, lever: Lever, year: int) -> Array:
    """What a lever does to England's position to a year end, £ by draw, positive = less deficit."""
    position = lever.effect(projection.fit, projection.paths).position
    shape = (len(projection.years) - 1, len(projection.fit.councils), projection.balance.sizes["draw"])
    total: Array = np.broadcast_to(position, shape)[: projection.years.index(year)].sum(axis=(0, 1))
    return total


def _moves_between_councils(projection: Projection, measure: Measure, year: int) -> Finding:
    change = _lever(projection, measure).effect(projection.fit, projection.paths).position
    moved = np.clip(change[projection.years.index(year) - 1], 0, None).sum(axis=0)
    return Finding(*_ends(moved), "£", f"gained by some councils and lost by others in {financial_year(year)}")


def _capital(projection: Projection, measure: Measure, places: Places | None) -> Finding:
    capital = (places or england_places(projection)).capital
    if measure.name not in capital:
        raise PanelError(f"data/recommendations.yaml names '{measure.name}': {closest(measure.name, capital)}")
    of = f"capital for the places that are short by {financial_year(projection.years[-1])}"
    return Finding(*_ends(capital[measure.name].sum(axis=0)), "£", of)


def _grants(projection: Projection, measure: Measure, _: int) -> Finding:
    scheme = Scheme.read(measure.name)
    row = write_off(projection, scheme).summary().loc["grant"]
    of = f"grants for deficits at {year_end(scheme.base_year)}"
    return Finding(float(row["p10"]), float(row["p90"]), "£", of)


def _shortfall(projection: Projection, _: Measure, year: int) -> Finding:
    paths, at = projection.paths, _override_end(projection, year)
    short = (paths.spend - paths.block)[paths.years.index(at)]
    return Finding(*_ends(short), "£", f"high needs spending above the block in {financial_year(at)}")


def _share_of_plans(projection: Projection, measure: Measure, _: int) -> Finding:
    values = newest(projection.panel, measure.name)
    plans = projection.panel.figure("plans")[values.name].reindex(values.index)
    share = float(values.sum() / plans.sum())
    return Finding(share, share, "share", f"of EHC plans in January {values.name}, published")


def _number(projection: Projection, measure: Measure, _: int) -> Finding:
    values = newest(projection.panel, measure.name)
    total = float(values.sum())
    return Finding(
        total, total, FIGURES[measure.name].unit, f"in the calendar year {int(values.name) - 1}, published"
    )


def _information(projection: Projection, _: Measure, year: int) -> Finding | None:
    at = _override_end(projection, year)
    told = value_of_information(projection, at, last=last_year_over(projection.panel))
    if told.empty:
        return None
    less = float(told["width"].iloc[0] - told["expected"].iloc[0])
    return Finding(
        less, less, "£", f"off the range of the gross deficit at {year_end(at)}, if known: {told.index[0]}"
    )


def _posts(projection: Projection, measure: Measure, year: int) -> Finding | None:
    at = _override_end(projection, year)
    needed = posts(projection, at)
    if measure.name not in needed.index:
        _check_known(measure.name, hours().index.get_level_values("profession"))
        return None
    low, high = needed.loc[measure.name, ["posts_low", "posts_high"]]
    return Finding(float(low), float(high), "posts", f"for the new plans of {financial_year(at)}; not the DSG")


def _price(projection: Projection, measure: Measure, _: int) -> Finding | None:
    listed = prices(projection.panel.as_of)
    if measure.name not in listed.index:
        _check_known(measure.name, prices().index)
        return None
    row = listed.loc[measure.name]
    of = f"{row['when']}, paid by {row['payer']}; not the DSG"
    return Finding(float(row["total_low"]), float(row["total_high"]), "£", of, estimated=False)


def _check_known(name: str, known: pd.Index) -> None:
    """PanelError for a name that is not among what is held; what is held may not be public on an earlier day."""
    if name not in known:
        raise PanelError(f"data/recommendations.yaml names '{name}', which is not held: {closest(name, known)}")


_KINDS: dict[str, Callable[[Projection, Measure, int], Finding | None]] = {
    "lever": _changes_deficit,
    "delay": _costs_to_wait,
    "moved": _moves_between_councils,
    "scheme": _grants,
    "shortfall": _shortfall,
    "share": _share_of_plans,
    "number": _number,
    "information": _information,
    "posts": _posts,
    "price": _price,
}
