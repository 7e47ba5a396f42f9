"""Answers that follow from a projection: why the deficit grows, what would stop it, what money is divided by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from deficits.assumptions import Assumptions
from deficits.errors import ProjectionError, closest
from deficits.formatting import financial_year
from deficits.panel import Panel
from deficits.projection.streams import Array
from deficits.simulated import in_units, ranges
from deficits.validation import whole

Per = Literal["pupil", "person_2_18", "plan", "dsg"]
PERS: tuple[Per, ...] = get_args(Per)
SCHOOL_AGES = list(range(4, 19))
AGES_2_18 = list(range(2, 19))
"""Ages that DfE's high needs benchmarking divides by."""


def check_per(per: str | None) -> None:
    """ProjectionError, with the closest name, for something that money is not divided by here."""
    if per is not None and per not in PERS:
        raise ProjectionError(f"no measure per '{per}': {closest(per, PERS)}")


def unit_of(per: Per | None, real: int | None) -> str:
    """The unit of money that is divided and in prices as asked for."""
    words = {None: "£", "pupil": "£ per pupil", "person_2_18": "£ per person aged 2 to 18", "plan": "£ per plan"}
    return words.get(per, "share of DSG") + (f" in {financial_year(real)} prices" if real and per != "dsg" else "")


def price_factor(panel: Panel, assumptions: Assumptions, years: list[int], real: int) -> Array:
    """What turns money of each year into prices of the year `real` (GDP deflator, financial years).

    After the published forecast prices grow as `assumptions.long_run_prices` says.
    """
    if panel.prices.empty:
        raise ProjectionError(f"no GDP deflator was public on {panel.as_of}: leave real out")
    first, last = int(panel.prices.index[0]), max(years[-1], int(panel.prices.index[-1]))
    real = whole("real", real, ProjectionError, first, last)
    growth = panel.prices.reindex(range(first, last + 1)).fillna(assumptions.long_run_prices)
    level = (1 + growth).cumprod()
    factor: Array = (level[real] / level[years]).to_numpy()
    return factor


def school_pupils(panel: Panel, authorities: pd.Index, years: list[int]) -> pd.DataFrame:
    """Pupils on schools' rolls by authority and year: counted in January, else the newest count before, grown as
    the council's people aged 4 to 18 are."""
    counted = panel.figure("pupils").reindex(authorities).dropna(axis=1, how="all")
    found = {}
    for year in years:
        before = [int(each) for each in counted if each <= year]
        if not before:
            raise ProjectionError(
                f"no count of pupils to {year} was public: divide by people aged 2 to 18 (person_2_18) instead"
            )
        grown: pd.Series | float = 1.0
        if before[-1] < year:
            then, later = (_people(panel, SCHOOL_AGES, each) for each in (before[-1], year))
            grown = (later / then).reindex(authorities)
        found[year] = counted[before[-1]] * grown
    return pd.DataFrame(found)


def people_2_18(panel: Panel, authorities: pd.Index, years: list[int]) -> pd.DataFrame:
    """People aged 2 to 18 by authority and year: those of mid-2023 grown older, births as in the newest year."""
    return pd.DataFrame({year: _people(panel, AGES_2_18, year) for year in years}).reindex(authorities)


def _people(panel: Panel, ages: list[int], year: int) -> pd.Series:
    if panel.ages.empty:
        raise ProjectionError(f"no population by age was public on {panel.as_of}: people of {year} are not known")
    return panel.ages.people_in(year)[ages].sum(axis=1, min_count=1)


def dsg(panel: Panel, assumptions: Assumptions, authorities: pd.Index, years: list[int]) -> pd.DataFrame:
    """Dedicated schools grant by authority and year, £: published, then growing by `dsg_growth`."""
    whole = panel.figure("dsg_total")
    newest = int(whole.dropna(axis=1, how="all").columns[-1])
    published = whole.reindex(authorities)
    last = published.ffill(axis=1)[newest]
    return pd.DataFrame(
        {
            year: published[year] if year <= newest else last * (1 + assumptions.dsg_growth) ** (year - newest)
            for year in years
        },
        index=authorities,
    ).replace(0.0, np.nan)


CAUSES = {
    "carried_on": "overspend of the first year, carried on",
    "people": "people: more or fewer of each age",
    "plan_rate": "plan rate: plans per person of the same age",
    "placement_mix": "placement mix",
    "unit_cost": "unit cost: spend per plan in the same placements",
    "funding": "growth of the high needs block",
    "safety_valve_payments": "safety valve payments and contributions",
    "levers": "levers and the council's own assumptions",
    "not_explained": "what spend and block do not explain",
}
"""Causes of growth of a deficit, in the order they are shown."""


@dataclass(frozen=True)
class Step:
    """What is needed of one place (England or a council), arrays of shape (years, draws), the first year first.

    £: `balance`, `spend`, `block`, `added` (safety valve payments and contributions, the same in all draws),
    `changed` (levers and own assumptions); `factors`: indices whose product is in proportion to spend.
    """

    years: list[int]
    balance: Array
    spend: Array
    block: Array
    added: Array
    changed: Array
    factors: dict[str, Array]


def decomposed(step: Step, start: int, end: int) -> pd.DataFrame:
    """See `Projection.decompose`. The overspend of `start` (of the year after it, where no year end before it is
    held) repeated each year is one cause; each year's change since then is split by logarithmic means (LMDI),
    which leaves no remainder and does not depend on an order."""
    first, last = step.years.index(start), step.years.index(end)
    years, total = slice(first + 1, last + 1), step.balance[first] - step.balance[last]
    overspend = step.added[1:] + step.changed[1:] - np.diff(step.balance, axis=0)
    base = overspend[max(first - 1, 0)]
    after, before = step.spend[years], step.spend[first]
    logs = np.log(np.divide(after, before, out=np.ones_like(after), where=before > 0))
    alike = np.abs(logs) < 1e-12  # their logarithmic mean is then their common value
    weight = np.where(alike, before, (after - before) / np.where(alike, 1.0, logs))
    causes = {
        name: (weight * np.log(index[years] / index[first])).sum(axis=0) for name, index in step.factors.items()
    }
    causes |= {
        "carried_on": (last - first) * base,
        "funding": (step.block[first] - step.block[years]).sum(axis=0),
        "safety_valve_payments": -step.added[years].sum(axis=0),
        "levers": -step.changed[years].sum(axis=0),
    }
    # Offsets of the years, and spend that a lever or a published year leaves off the product of the factors.
    causes["not_explained"] = total - sum(causes.values())
    rows = {name: ranges(causes[name]) for name in CAUSES} | {"total": ranges(total)}
    return in_units(pd.DataFrame.from_dict(rows, orient="index").rename_axis("cause"), "£")


def breaks_even(step: Step, year: int) -> pd.DataFrame:
    """See `Projection.breakeven`: one row a way."""
    t = step.years.index(year)
    in_year = step.balance[t] - step.balance[t - 1] - step.added[t]
    plans = step.factors["people"] * step.factors["plan_rate"]
    growth = plans[t] / plans[t - 1]
    other = (step.spend[t] / step.spend[t - 1]) / growth
    needed = {
        "saving": -in_year,
        "plan_growth": (step.spend[t] + in_year) / step.spend[t - 1] / other - 1,
        "expected_plan_growth": growth - 1,
        "funding_growth": (step.block[t] - in_year) / step.block[t - 1] - 1,
        "expected_funding_growth": step.block[t] / step.block[t - 1] - 1,
    }
    rows = {name: ranges(values) for name, values in needed.items()}
    frame = pd.DataFrame.from_dict(rows, orient="index")[["p10", "p50", "p90"]].rename_axis("way")
    return in_units(frame, dict.fromkeys(rows, "share") | {"saving": "£"})
