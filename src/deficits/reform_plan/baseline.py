"""A council's position without its reform plan: plans by sector, spend, block and balance, by year and draw."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from deficits.assumptions import assumed
from deficits.errors import ProjectionError
from deficits.formatting import gbp
from deficits.panel import Panel
from deficits.projection import Projection
from deficits.reform_plan.actions import SECTORS, Actions, GrowthByYear, OwnGrowth, Position
from deficits.sizes import Array

PLACEMENT = [each if each in ("independent", "state_special") else "mainstream_and_other" for each in SECTORS]
"""Placement of the projection to which each sector belongs."""


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
        return self.in_year - (self.block - self.position.spend)[1:]


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
    then = known.shares.loc[PLACEMENT, counted].to_numpy(dtype=float)
    rows = known.shares.index.get_indexer(PLACEMENT)
    path = paths.shares[rows][:, ahead]
    weight = counts.to_numpy()[:, None, None] * path / then[:, None, None]
    places = number * weight / weight.sum(axis=0)
    cost = _unit_costs(paths.cost[rows][:, ahead], actions, places, account.spend[ahead])
    return Baseline(
        position=Position(years, places, cost, np.zeros_like(number)),
        block=np.broadcast_to(account.block[ahead], number.shape),
        balance=account.balance[ahead],
        prices=np.broadcast_to(paths.unit_cost[ahead], number.shape),
        known=newest,
        counted=counted,
    )


def grown(base: Baseline, own: OwnGrowth, more: float = 0.0) -> Baseline:
    """The baseline on other growth; `more`: points a year that plans grow above it. The first year stays."""
    position = base.position

    def factor(path: Array, setting: GrowthByYear, more: float = 0.0) -> Array:
        """What a path is multiplied by so that it grows as set, shape (years, draws)."""
        factors = np.ones_like(path)
        for t, year in enumerate(position.years[1:], start=1):
            factors[t] = factors[t - 1]
            if year > base.known:
                growth = np.divide(path[t], path[t - 1], out=np.ones_like(path[t]), where=path[t - 1] > 0)
                given = setting.get(year) if isinstance(setting, dict) else setting
                factors[t] *= ((growth if given is None else 1 + given) + more) / growth
        return factors

    prices = factor(base.prices, own.unit_cost_growth)
    block = base.block * factor(base.block, own.block_growth)
    places = position.places * factor(position.plans, own.plan_growth, more)
    moved = replace(position, places=places, cost=position.cost * prices)
    change = (block - base.block) - (moved.spend - position.spend)
    balance = base.balance + change.cumsum(axis=0)
    return replace(base, position=moved, block=block, balance=balance, prices=base.prices * prices)


def _counts(panel: Panel, code: str, actions: Actions, plans: float) -> tuple[pd.Series, int]:
    """Plans by sector at the newest count of all sectors that are counted, and its year.

    The council's own numbers go before, and resource bases, its own number or the published one, come out of
    mainstream, in which a publication counts them; what the sectors leave of all plans is in `other`.
    """
    counted = [sector for sector in SECTORS if sector != "other"]
    rows = panel.frame.loc[code, [*(f"plans_{sector}" for sector in counted), "plans"]]
    rows = rows.fillna({"plans_resource_base": 0.0}).dropna()
    name = panel.authorities.name(code)
    if rows.empty:
        raise ProjectionError(
            f"no plans by placement are published for {name}: a reform plan cannot be worked out"
        )
    published = rows.iloc[-1].set_axis([*counted, "all"])
    own = pd.Series(actions.places, dtype=float).drop("other", errors="ignore")
    whole = plans if len(own) else published["all"]
    counts = published[counted] * (whole / published["all"])
    counts["mainstream"] -= own.get("resource_base", counts["resource_base"])
    counts.update(own)
    counts["other"] = whole - counts.sum()
    if (counts < -0.5).any():
        low = counts.idxmin()
        raise ProjectionError(
            f"places: {', '.join(f'{sector} {number:,.0f}' for sector, number in own.items())} leave "
            f"{counts[low]:,.0f} plans in {low}, of the {whole:,.0f} that {name} has"
        )
    return counts.clip(lower=0.0), int(rows.index[-1])


def _unit_costs(england: Array, actions: Actions, places: Array, spend: Array) -> Array:
    """£ a place by sector, year and draw, from England's of its placement; all places together cost the spend.

    In the first year a place costs, on average, what the council says, else as England's average of its placement.
    """
    apart = assumed("reform_plan", "resource_base_cost").number
    by_sector = dict(zip(SECTORS, england, strict=True))
    by_sector["resource_base"] = (1 - apart) * by_sector["mainstream"] + apart * by_sector["state_special"]
    moved = np.stack(list(by_sector.values()))
    usual = pd.Series(moved[:, 0].mean(axis=1), index=list(SECTORS))
    first, whole = places[:, 0].mean(axis=1), float(spend[0].mean())
    own = pd.Series(actions.unit_costs, dtype=float).reindex(usual.index)
    left = whole - float((first * own).sum())
    if left <= 0:
        raise ProjectionError(
            f"unit_costs: places at these costs come to {gbp(whole - left)}, more than the council's high needs "
            f"spend of {gbp(whole)}"
        )
    others = float((first * usual)[own.isna()].sum()) or 1.0  # none where the council gives every cost
    relative = (own.fillna(usual * left / others) / usual).to_numpy()[:, None, None] * moved
    # Each simulation has its own spend and prices: every sector's cost moves with them alike.
    costed: Array = relative * spend / (places * relative).sum(axis=0)
    return costed
