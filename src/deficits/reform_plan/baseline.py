"""A council's position without its reform plan: plans by sector, spend, block and balance, by year and draw."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from deficits.assumptions import assumed
from deficits.errors import ProjectionError
from deficits.formatting import gbp, year_end
from deficits.panel import Panel
from deficits.projection import Projection
from deficits.reform_plan.actions import SECTORS, Actions, Array, GrowthByYear, OwnGrowth, Position, Sector

COUNTED: dict[Sector, str] = {
    "mainstream": "plans_mainstream",
    "state_special": "plans_state_special",
    "independent": "plans_independent",
    "post_16": "plans_post_16",
}
"""Sectors that a publication counts, and their figure in the panel. Resource bases stand in mainstream there, and
have a figure of their own where the release counts them."""


@dataclass(frozen=True)
class Baseline:
    """A council without its plan, from the grant's base date or the newest January count, whichever is earlier.

    `position`: plans by sector and their cost; `block` and `balance` (negative = deficit), £, shape (years,
    draws); `prices`: index of the cost of a place, the same shape; `known`: the newest
    count's year, until which nothing can be changed; `counted`: year of the count by sector.
    """

    position: Position
    block: Array
    balance: Array
    prices: Array
    known: int
    counted: int

    @property
    def in_year(self) -> Array:
        """£ by which the balance moves, from the second year on, shape (years - 1, draws)."""
        return np.diff(self.balance, axis=0)

    @property
    def other(self) -> Array:
        """£ a year in the in-year position that block and spend do not explain: other blocks, and grants."""
        explained: Array = (self.block - self.position.spend)[1:]
        return self.in_year - explained


def baseline(projection: Projection, code: str, actions: Actions, plans: xr.DataArray) -> Baseline:
    """A council's position as the projection has it, split by sector. `plans`: of `Projection.plans`.

    Each sector keeps its share of the council's plans at the newest count, moved as England's shares move. A place
    costs as England's average of its placement, scaled so that all places together cost the council's spend,
    unless the council gives its own unit cost.
    """
    account, paths, known = projection.account(code), projection.paths, projection.fit.history
    if projection.levers or (projection.changed is not None and account.changed.any()):
        raise ProjectionError(
            "a reform plan starts from a projection without levers and without the council's own assumptions: "
            "give its own growth with the actions, so that nothing counts twice"
        )
    newest = max(projection.base_year, int(known.plans.index[-1]))
    first = max(min(newest, int(assumed("write_offs", "grant_measured_at").number)), projection.years[0])
    years = [year for year in projection.years if year >= first]
    ahead = slice(account.years.index(first), None)
    number = np.asarray(plans.sel(authority=code, year=years).transpose("year", "draw").values, dtype=float)
    counts, counted = _counts(projection.panel, code, actions, float(number[0].mean()))
    placements = list(known.shares.index)
    groups = [_placement(sector) for sector in SECTORS]
    then = np.array([float(known.shares.at[group, counted]) for group in groups])
    path = paths.shares[[placements.index(group) for group in groups]][:, ahead]
    weight = counts.to_numpy()[:, None, None] * path / then[:, None, None]
    places = number * weight / weight.sum(axis=0)
    prices = paths.unit_cost[ahead]
    spend = account.spend[ahead]
    cost = _unit_costs(known.cost, actions, places, spend)
    return Baseline(
        position=Position(years, places, cost, np.zeros_like(number)),
        block=np.broadcast_to(account.block[ahead], number.shape),
        balance=account.balance[ahead],
        prices=np.broadcast_to(prices, number.shape),
        known=newest,
        counted=counted,
    )


def grown(base: Baseline, own: OwnGrowth, more: float = 0.0) -> Baseline:
    """The baseline on other growth; `more`: points a year that plans grow above it. The first year stays."""
    position = base.position
    ahead = [year > base.known for year in position.years]

    def factor(path: Array, setting: GrowthByYear, more: float = 0.0) -> Array:
        return _factor(path, setting, position.years, ahead, more)

    plans = factor(position.plans, own.plan_growth, more)
    prices = factor(base.prices, own.unit_cost_growth)
    block = base.block * factor(base.block, own.block_growth)
    moved = replace(position, places=position.places * plans, cost=position.cost * prices)
    change = (block - base.block) - (moved.spend - position.spend)
    return replace(
        base,
        position=moved,
        block=block,
        balance=base.balance + change.cumsum(axis=0),
        prices=base.prices * prices,
    )


def _factor(path: Array, setting: GrowthByYear, years: list[int], ahead: list[bool], more: float) -> Array:
    """What a path is multiplied by so that it grows as set, shape (years, draws)."""
    factor = np.ones_like(path)
    for t, year in enumerate(years[1:], start=1):
        growth = np.divide(path[t], path[t - 1], out=np.ones_like(path[t]), where=path[t - 1] > 0)
        given = setting.get(year) if isinstance(setting, dict) else setting
        factor[t] = factor[t - 1]
        if ahead[t]:
            factor[t] *= ((growth if given is None else 1 + given) + more) / growth
    return factor


def _placement(sector: Sector) -> str:
    return sector if sector in ("independent", "state_special") else "mainstream_and_other"


def _counts(panel: Panel, code: str, actions: Actions, plans: float) -> tuple[pd.Series, int]:
    """Plans by sector at the newest count of all sectors that are counted, and its year.

    The council's own numbers go before, and resource bases, its own number or the published one, come out of
    mainstream; what the sectors leave of all plans is in `other`.
    """
    rows = panel.frame.loc[code, [*COUNTED.values(), "plans", "plans_resource_base"]]
    rows = rows.fillna({"plans_resource_base": 0.0}).dropna()
    name = panel.authorities.name(code)
    if rows.empty:
        raise ProjectionError(
            f"no plans by placement are published for {name}: a reform plan cannot be worked out"
        )
    year = int(rows.index[-1])
    counts = pd.Series(0.0, index=list(SECTORS))
    for sector, figure in COUNTED.items():
        counts[sector] = rows.at[year, figure]
    counts["resource_base"] = rows.at[year, "plans_resource_base"]
    counts["mainstream"] -= counts["resource_base"]
    own = pd.Series(
        {sector: number for sector, number in actions.places.items() if sector != "other"}, dtype=float
    )
    whole = plans if len(own) else float(rows.at[year, "plans"])
    counts *= whole / float(rows.at[year, "plans"])
    counts["mainstream"] -= own.get("resource_base", counts["resource_base"]) - counts["resource_base"]
    counts.update(own)
    counts["other"] = whole - counts.drop("other").sum()
    if (counts < -0.5).any():
        low = counts.idxmin()
        raise ProjectionError(
            f"places: {', '.join(f'{sector} {number:,.0f}' for sector, number in own.items())} leave "
            f"{counts[low]:,.0f} plans in {low}, of the {whole:,.0f} that {name} has"
        )
    return counts.clip(lower=0.0), year


def _unit_costs(england: pd.Series, actions: Actions, places: Array, spend: Array) -> Array:
    """£ a place by sector, year and draw; all places together cost the spend.

    In the first year a place costs, on average, what the council says, else as England's average of its placement.
    """
    apart = assumed("reform_plan", "resource_base_cost").number
    cost = {sector: float(england[_placement(sector)]) for sector in SECTORS}
    cost["resource_base"] = (1 - apart) * cost["mainstream"] + apart * cost["state_special"]
    first, whole = places[:, 0].mean(axis=1), float(spend[0].mean())
    given = np.array([sector in actions.unit_costs for sector in SECTORS])
    own = np.array([actions.unit_costs.get(sector, 0.0) for sector in SECTORS])
    england_cost = np.array([cost[sector] for sector in SECTORS])
    left = whole - float((first * own).sum())
    if left <= 0:
        raise ProjectionError(
            f"unit_costs: places at these costs come to {gbp(whole - left)}, more than the council's high needs "
            f"spend of {gbp(whole)}"
        )
    others = float((first * england_cost)[~given].sum()) or 1.0  # none where the council gives every cost
    relative = np.where(given, own, england_cost * left / others)
    # Each simulation has its own spend and prices: every sector's cost moves with them alike.
    costed: Array = relative[:, None, None] * spend / (places * relative[:, None, None]).sum(axis=0)
    return costed


def described(base: Baseline) -> str:
    """Where the baseline starts, in a sentence."""
    return (
        f"It starts from {np.median(base.position.plans[0]):,.0f} EHC plans in January {base.position.years[0]}, "
        f"shared among sectors as at the count of January {base.counted}, and a balance of "
        f"{gbp(float(np.median(base.balance[0])))} at {year_end(base.position.years[0])}."
    )
