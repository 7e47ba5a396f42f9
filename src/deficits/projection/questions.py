"""Why the deficit grows, and what would stop it: answers that follow from England's paths and the balances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]

CAUSES = {
    "carried_on": "overspend of the first year, carried on",
    "people": "people: more or fewer of each age",
    "plan_rate": "plan rate: plans per person of the same age",
    "placement_mix": "placement mix",
    "unit_cost": "unit cost: spend a plan in the same placements",
    "funding": "growth of the high needs block",
    "safety_valve_payments": "bail-outs and contributions",
    "levers": "levers and the council's own assumptions",
    "not_explained": "what spend and block do not explain",
}
"""Causes of growth of a deficit, in the order they are shown."""


@dataclass(frozen=True)
class Step:
    """What is needed of one place (England or a council), arrays of shape (years, draws), the first year first.

    £: `balance`, `spend`, `block`, `added` (bail-outs and contributions), `changed` (levers and own assumptions);
    indices `people`, `rate`, `mix`, `unit_cost`, whose product is in proportion to spend.
    """

    years: list[int]
    balance: Array
    spend: Array
    block: Array
    added: Array
    changed: Array
    factors: dict[str, Array]


def decomposed(step: Step, start: int, end: int) -> pd.DataFrame:
    """Growth of the net deficit between two year ends by cause, £ (positive raises it): mean, p10, p50, p90.

    The overspend of `start` repeated each year is one cause; each year's change since then is split by logarithmic
    means (LMDI), which leaves no remainder and does not depend on an order. The means add up to `total` exactly;
    quantiles do not.
    """
    first, last = step.years.index(start), step.years.index(end)
    overspend = -np.diff(step.balance, axis=0)
    given = step.added + step.changed
    base = overspend[first - 1] + given[first]
    causes = {name: np.zeros(step.balance.shape[1]) for name in CAUSES}
    for t in range(first + 1, last + 1):
        causes["carried_on"] += base
        grown = step.spend[t] - step.spend[first]
        weight = _logarithmic_mean(step.spend[t], step.spend[first])
        logs = {name: np.log(index[t] / index[first]) for name, index in step.factors.items()}
        whole = sum(logs.values())
        # Spend is the product of the factors, so that their parts are the whole of its growth.
        for name, part in logs.items():
            causes[name] += weight * part
        causes["funding"] -= step.block[t] - step.block[first]
        causes["safety_valve_payments"] -= step.added[t]
        causes["levers"] -= step.changed[t]
        explained = grown - (step.block[t] - step.block[first])
        causes["not_explained"] += overspend[t - 1] + given[t] - base - explained
        # Where a lever or a published year leaves spend off the product, the rest is not explained.
        causes["not_explained"] += grown - weight * whole
    causes["total"] = step.balance[first] - step.balance[last]
    rows = {
        name: {
            "mean": values.mean(),
            **dict(zip(("p10", "p50", "p90"), np.quantile(values, (0.1, 0.5, 0.9)), strict=True)),
        }
        for name, values in causes.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("cause")


def _logarithmic_mean(after: Array, before: Array) -> Array:
    """(after - before) / log(after / before), which is their common value where they are equal."""
    logs = np.log(after / before)
    return np.where(np.abs(logs) < 1e-12, before, (after - before) / np.where(np.abs(logs) < 1e-12, 1.0, logs))


def breaks_even(step: Step, year: int) -> pd.DataFrame:
    """What would stop the deficit from growing in a year, without grants: p10, p50, p90, one row a way.

    saving: £ less spent in the year (below 0: that much could be spent more). plan_growth, funding_growth: the
    growth in that one year at which spend equals funding, all else as it is (shares).
    """
    t = step.years.index(year)
    in_year = step.balance[t] - step.balance[t - 1] - step.added[t]
    other = (step.spend[t] / step.spend[t - 1]) / _plan_growth(step, t)
    needed = {
        "saving": -in_year,
        "plan_growth": (step.spend[t] + in_year) / step.spend[t - 1] / other - 1,
        "expected_plan_growth": _plan_growth(step, t) - 1,
        "funding_growth": (step.block[t] - in_year) / step.block[t - 1] - 1,
        "expected_funding_growth": step.block[t] / step.block[t - 1] - 1,
    }
    rows = {name: np.quantile(values, (0.1, 0.5, 0.9)) for name, values in needed.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["p10", "p50", "p90"]).rename_axis("way")


def _plan_growth(step: Step, t: int) -> Array:
    plans = step.factors["people"] * step.factors["plan_rate"]
    growth: Array = plans[t] / plans[t - 1]
    return growth
