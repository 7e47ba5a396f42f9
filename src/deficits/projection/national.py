"""England's paths: plans, placements, unit cost, spend and block, published and then simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from deficits.assumptions import FIRST_YEAR, LEAST, MOST, Assumptions, Setting, Spread, assumed, setting_in
from deficits.projection.history import PLACEMENTS, History
from deficits.projection.streams import Array, Shock, stream, uncertain_size


@dataclass(frozen=True)
class Paths:
    """England's spend and its parts, shape (years, draws); of `shares` and `cost` (placements, years, draws).

    `people`, `rate` (indices, 1 in the year that they are projected from), `plans`, `shares` of plans and `cost`
    (£ per plan) by placement, `mix` (£ per plan of the cost year), `unit_cost` (index of what is not mix) and
    `spend` = plans x mix x unit cost (£). `block`: England's high needs block (£). `seed`: of its draws.
    """

    years: list[int]
    people: Array
    rate: Array
    plans: Array
    shares: Array
    cost: Array
    mix: Array
    unit_cost: Array
    spend: Array
    block: Array
    seed: int

    def since(self, year: int) -> Paths:
        """The same from a later year on; `people` and `rate` stay indices of the first year of all."""
        first = self.years.index(year)
        later = {
            each.name: getattr(self, each.name)[..., first:, :] for each in fields(self) if each.type == "Array"
        }
        return replace(self, years=self.years[first:], **later)


class Shocks(NamedTuple):
    """Shocks that all councils share, shape (years, draws): to growth of the plan rate, of the unit cost and of
    the block, to a year's spend alone (all shares, years after the origin), and to the level of in-year positions
    (share of the block, years after the base year)."""

    rate: Array
    cost: Array
    block: Array
    timing: Array
    level: Array


def growth_shocks(
    known: History, assumptions: Assumptions, years: int, draws: int, seed: int
) -> tuple[Array, Array, Array, Array]:
    """Shocks to plan rate, unit cost, block and a year's spend, each of shape (years, draws).

    The sizes of the first two are what the fading rule missed, known from few years only: one size a draw, so that
    they are Student's t with that many degrees of freedom. They are correlated as those misses were.
    """
    size, normal, missed = {}, {}, known.missed(assumptions)
    for name, kind in (("rate", Shock.PLAN_RATE), ("cost", Shock.UNIT_COST)):
        seen = missed[name].dropna()
        sd = float(np.sqrt((seen**2).mean())) if len(seen) else 0.0
        size[name] = sd * uncertain_size(len(seen), draws, seed, kind)
        normal[name] = stream(seed, kind, 0).standard_normal((years, draws))
    both, together = missed.dropna(), 0.0
    if len(both) >= 3:
        together = float((both["rate"] * both["cost"]).sum() / np.sqrt((both**2).sum().prod()))
    cost = together * normal["rate"] + np.sqrt(1 - together**2) * normal["cost"]
    block = assumed("projection", "block_doubt").number * stream(seed, Shock.BLOCK).standard_normal((years, draws))
    timing = stream(seed, Shock.TIMING).standard_normal((years, draws))
    doubt = assumed("projection", "count_timing_doubt").number
    return size["rate"] * normal["rate"], size["cost"] * cost, block, doubt * timing


def paths(
    known: History,
    block: pd.Series,
    origin: int,
    assumptions: Assumptions,
    until: int,
    shocks: Shocks,
    seed: int,
) -> Paths:
    """Draws of England's spend from a year in which all of it is published: published, then the assumptions or the
    model.

    `block`: the published high needs block by year (£). A published year has no shock.
    """
    draws = shocks.rate.shape[1]
    every = list(range(origin, until + 1))
    shape = (len(every), draws)
    people, rate, plans, unit_cost, money = (np.empty(shape) for _ in range(5))
    shares, dearer = np.empty((len(PLACEMENTS), *shape)), np.ones((len(PLACEMENTS), *shape))
    people[0], rate[0], plans[0] = 1.0, 1.0, known.plans[origin]
    shares[:, 0] = known.shares[origin].to_numpy()[:, None]
    unit_cost[0], money[0] = known.unit_cost[origin], block[origin]
    rate_now = np.full(draws, known.rate_growth[origin])
    cost_now = np.full(draws, known.cost_growth(assumptions)[origin])
    drift, persistence = known.drift.to_numpy(), assumptions.growth_persistence
    independent = assumptions.independent_share
    lasting, apart = unit_cost[0], np.ones((len(PLACEMENTS), draws))
    own = {PLACEMENTS.index(name): each for name, each in assumptions.placements.items()}
    for t, year in enumerate(every[1:], start=1):
        aged = known.people_growth(year)
        if year in known.plans.index:
            growth = np.full(draws, known.plans[year] / known.plans[year - 1] - 1)
        else:
            fading = assumptions.long_run_rate_growth + persistence * (rate_now - assumptions.long_run_rate_growth)
            modelled = (1 + aged) * (1 + fading + shocks.rate[t - 1]) - 1
            growth = chosen(assumptions.plan_growth, year, modelled, Shock.PLAN_SETTING, seed)
        growth = np.clip(growth, LEAST, MOST)
        rate_now = (1 + growth) / (1 + aged) - 1
        people[t], rate[t] = people[t - 1] * (1 + aged), rate[t - 1] * (1 + rate_now)
        plans[t] = plans[t - 1] * (1 + growth)
        if year in known.shares:
            shares[:, t] = known.shares[year].to_numpy()[:, None]
        else:
            drift = persistence * drift
            given = {0: independent[year]} if year in independent else {}
            for place, each in own.items():
                if setting_in(each.plan_growth, year) is not None:
                    mine = chosen(each.plan_growth, year, growth, Shock.PLAN_SETTING, seed).clip(LEAST, MOST)
                    given[place] = shares[place, t - 1] * (1 + mine) / (1 + growth)
            shares[:, t] = _mixed(shares[:, t - 1] + drift[:, None], given)
        prices = known.price_growth(year, assumptions)
        published = year in known.unit_cost.index
        if published:
            cost_growth, timing = np.full(draws, known.unit_cost[year] / known.unit_cost[year - 1] - 1), 0.0
        else:
            modelled = prices + persistence * cost_now + shocks.cost[t - 1]
            cost_growth = chosen(assumptions.unit_cost_growth, year, modelled, Shock.COST_SETTING, seed)
            timing = 0.0 if setting_in(assumptions.unit_cost_growth, year) is not None else shocks.timing[t - 1]
        cost_growth = np.clip(cost_growth, LEAST, MOST)
        cost_now = cost_growth - prices
        lasting = lasting * (1 + cost_growth)
        unit_cost[t], dearer[:, t] = lasting * (1 + timing), apart
        for place, each in own.items():
            if not published and setting_in(each.unit_cost_growth, year) is not None:
                mine = chosen(each.unit_cost_growth, year, cost_growth, Shock.COST_SETTING, seed).clip(LEAST, MOST)
                apart[place] *= (1 + mine) / (1 + cost_growth)
                dearer[place, t] = apart[place] / (1 + timing)
        granted = 1 + assumptions.growth_of_block(year) + shocks.block[t - 1]
        money[t] = block[year] if year in block.index else money[t - 1] * granted
    mix = np.tensordot(known.cost.to_numpy(), shares, axes=1)
    cost = known.cost.to_numpy()[:, None, None] * dearer * unit_cost
    unit_cost *= np.tensordot(known.cost.to_numpy(), shares * dearer, axes=1) / mix
    return Paths(every, people, rate, plans, shares, cost, mix, unit_cost, plans * mix * unit_cost, money, seed)


def chosen(setting: Setting, year: int, modelled: Array, kind: Shock, seed: int) -> Array:
    """Growth of a year: what the assumption sets, one value a draw where it is a spread, else the model's.

    A spread's value follows that of the year before as far as it says.
    """
    given = setting_in(setting, year)
    if given is None:
        return modelled
    if not isinstance(given, Spread):
        return np.full(modelled.shape, float(given))
    normal = stream(seed, kind).standard_normal(modelled.size)
    for each in range(FIRST_YEAR, year + 1) if given.correlation < 1 else ():
        fresh = stream(seed, kind, each).standard_normal(modelled.size)
        normal = given.correlation * normal + np.sqrt(1 - given.correlation**2) * fresh
    return given.mean + given.sd * normal


def _mixed(shares: Array, given: Mapping[int, Array | float]) -> Array:
    """Shares of plans by placement that add up to 1: some as given, the others in their proportions."""
    shares = np.maximum(shares, 0.0)
    others = [place for place in range(len(shares)) if place not in given]
    for place, share in given.items():
        shares[place] = share
    if given:
        shares[others] *= np.maximum(1 - sum(given.values()), 0.0) / shares[others].sum(axis=0)
    whole: Array = shares / shares.sum(axis=0)
    return whole
