"""England's high needs spend as people x plan rate x placement mix x unit cost: published, and paths of it.

Each is an index, so that spend is their product in every year and draw:

    spend = plans x mix x unit cost,    plans = people x plan rate

*people* is the number of plans that the population would have at the plan rates by age of January 2025; *mix* the
mean relative cost of the placements that plans are in; *unit cost* £ a plan with the placements held fixed. Spend
is net spend (section 251) and place funding.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from deficits.assumptions import Assumptions, Setting, Spread, assumed, setting_in
from deficits.errors import ProjectionError
from deficits.panel import Ages, Panel
from deficits.projection.streams import Shock, stream

Array = npt.NDArray[np.float64]

PLACEMENTS = ("independent", "state_special", "mainstream_and_other")
LEAST, MOST = -0.2, 0.5
"""Growth a year stays between these: those that an assumption may be set to."""
FEWEST = 100
"""Councils that must have a figure for their sum to stand for England's."""


def place_rate() -> float:
    """£ a year for a place in a state special school, paid from the high needs block and not in net spend."""
    return assumed("funding", "place_rate").number


@dataclass(frozen=True)
class History:
    """What is published of England's spend, by year, and how its parts have moved.

    `plans`; `shares` of plans by placement (rows) and year; `cost`: £ a plan by placement in `cost_year`;
    `spend` (£, net spend and place funding) and `net` (£); `unit_cost` (£ a plan with the mix of `cost_year`);
    `people`: plans at fixed rates by age, any year, as authorities (rows) by years; None where no ages are known.
    `prices`: growth of the deflator by year. `rate_growth`, `cost_growth`: real, by year. `rate_sd`, `cost_sd`:
    root mean square of what the fading rule missed, and `rate_misses`, `cost_misses`: of how many years.
    """

    plans: pd.Series
    shares: pd.DataFrame
    cost: pd.Series
    cost_year: int
    spend: pd.Series
    net: pd.Series
    unit_cost: pd.Series
    people: pd.DataFrame | None
    prices: pd.Series
    rate_growth: pd.Series
    cost_growth: pd.Series
    rate_sd: float
    cost_sd: float
    rate_misses: int
    cost_misses: int

    def with_residuals(self, assumptions: Assumptions) -> History:
        """The same figures, with the sizes of what the fading rule missed of them under some assumptions."""
        priced = pd.Series({year: self.price_growth(year, assumptions) for year in self.unit_cost.index})
        cost_growth = self.unit_cost.pct_change().dropna() - priced[self.unit_cost.index[1:]]
        rate_missed = _missed(self.rate_growth, assumptions.long_run_rate_growth, assumptions.growth_persistence)
        cost_missed = _missed(cost_growth, 0.0, assumptions.growth_persistence)
        return replace(
            self,
            cost_growth=cost_growth,
            rate_sd=_root_mean_square(rate_missed),
            cost_sd=_root_mean_square(cost_missed),
            rate_misses=len(rate_missed),
            cost_misses=len(cost_missed),
        )

    def price_growth(self, year: int, assumptions: Assumptions) -> float:
        """Growth of prices in a year (share): the deflator where it is published."""
        return float(self.prices.get(year, assumptions.long_run_prices))

    def people_growth(self, year: int) -> float:
        """Growth of the plans that people by age bring at fixed rates (share); 0 where it is not known."""
        if self.people is None or year - 1 not in self.people:
            return 0.0
        return float(self.people[year].sum() / self.people[year - 1].sum() - 1)


@dataclass(frozen=True)
class Paths:
    """England's spend and its parts, shape (years, draws).

    `people`, `rate` (indices, 1 in the year that they are projected from), `plans`, `shares` (placements, years,
    draws), `mix` (£ a plan of the cost year), `unit_cost` (index of what is not mix) and `spend` = plans x mix x
    unit cost (£). `block`: England's high needs block (£).
    """

    years: list[int]
    people: Array
    rate: Array
    plans: Array
    shares: Array
    mix: Array
    unit_cost: Array
    spend: Array
    block: Array

    def since(self, year: int) -> Paths:
        """The same from a later year on; `people` and `rate` stay indices of the first year of all."""
        first = self.years.index(year)
        later = {
            each.name: getattr(self, each.name)[..., first:, :] for each in fields(self) if each.name != "years"
        }
        return Paths(years=self.years[first:], **later)


def history(panel: Panel, assumptions: Assumptions, until: int) -> History:
    """What is published, as far as the panel knows it. ProjectionError when spend or plans are not."""
    plans = _total(panel, "plans")
    special, independent = _total(panel, "plans_state_special"), _total(panel, "plans_independent")
    net, _ = linked(panel.figure("high_needs_net_spend"))
    if special.empty or net.empty:
        raise ProjectionError(
            "spend or plans by placement are not among the figures known: a projection needs both"
        )
    shares = pd.DataFrame({"independent": independent, "state_special": special}).dropna().T / plans
    shares = shares.dropna(axis=1)
    shares.loc["mainstream_and_other"] = 1 - shares.sum()
    # In a year with spend and no count by placement, the nearest count's shares stand in.
    spent = [year for year in net.index if year in plans.index]
    shares = shares.reindex(columns=sorted({*shares.columns, *spent})).ffill(axis=1).bfill(axis=1)
    both = net.index.intersection(shares.columns)
    spend = (net + place_rate() * shares.loc["state_special"] * plans)[both]
    cost, cost_year = _cost(panel, plans, shares, spend)
    mix = shares.mul(cost, axis=0).sum()
    unit_cost = spend / (plans[both] * mix[both])
    people = _people(panel.ages, max(until, int(plans.index[-1])))
    prices = panel.prices
    plan_growth = plans.pct_change().dropna()
    # How far people alone moved plans is known only where ages are; before that rate growth is that of plans.
    known = pd.Series({year: _growth(people, year) if people is not None else 0.0 for year in plan_growth.index})
    rate_growth = ((1 + plan_growth) / (1 + known) - 1)[
        plan_growth.index >= assumed("plans", "comparable_from").number
    ]
    published = History(
        plans=plans,
        shares=shares,
        cost=cost,
        cost_year=cost_year,
        spend=spend,
        net=net,
        unit_cost=unit_cost,
        people=people,
        prices=prices,
        rate_growth=rate_growth,
        cost_growth=pd.Series(dtype=float),
        rate_sd=0.0,
        cost_sd=0.0,
        rate_misses=0,
        cost_misses=0,
    )
    return published.with_residuals(assumptions)


def linked(by_authority: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """England's total of a figure by year and its growth, where a few councils are missing from some years.

    Growth is of the councils that are in both years; the level is the newest year's sum carried back by it.
    """
    totals = by_authority.dropna(axis=1, how="all")
    if totals.empty:
        return pd.Series(dtype=float), pd.Series(dtype=float)
    pairs = zip(totals.columns[:-1], totals.columns[1:], strict=True)
    growth = pd.Series(
        {
            year: totals.loc[both, year].sum() / totals.loc[both, before].sum() - 1
            for before, year in pairs
            if len(both := totals.index[totals[[before, year]].notna().all(axis=1)])
        }
    )
    back = (1 + growth[::-1]).cumprod()
    newest = totals[growth.index[-1]].sum()
    spend = pd.Series({year - 1: newest / back[year] for year in growth.index} | {growth.index[-1]: newest})
    return spend.sort_index(), growth


def _total(panel: Panel, figure: str) -> pd.Series:
    return panel.figure(figure).sum(min_count=FEWEST).dropna()


def _cost(panel: Panel, plans: pd.Series, shares: pd.DataFrame, spend: pd.Series) -> tuple[pd.Series, int]:
    """£ a plan by placement in the newest year with spend on special and independent placements.

    State special: its spend and place funding. Independent: section 251 line 1.2.3 where England's is known, else
    the sum of councils' (narrower). The rest of the spend is mainstream's and others'.
    """
    special, by_council = _total(panel, "state_special_spend"), _total(panel, "independent_spend")
    rows = panel.national.query("measure == 'independent_placement_spend' and unit == 'gbp'")
    independent = rows.set_index("year")["value"].combine_first(by_council)
    years = special.index.intersection(independent.index).intersection(spend.index)
    if years.empty:
        raise ProjectionError(
            "spend by placement is not among the figures known: a projection needs one year of it"
        )
    year = int(years.max())
    number = shares[year] * plans[year]
    total = pd.Series({"independent": independent[year], "state_special": special[year]})
    total["state_special"] += place_rate() * number["state_special"]
    total["mainstream_and_other"] = spend[year] - total.sum()
    return (total / number)[list(PLACEMENTS)], year


def _people(ages: Ages, until: int) -> pd.DataFrame | None:
    """Plans that people by age bring at the rates of the newest plans by age, authorities by years.

    None without ages. Each child counted grows a year older a year; later births are as many as the newest
    (assumption); nobody moves between councils.
    """
    if ages.empty or ages.plans_year is None:
        return None
    plans = ages.plans.fillna(0.0)
    then = ages.people_in(ages.plans_year).reindex(plans.index)[plans.columns].to_numpy()
    rates = np.divide(plans.to_numpy(), then, out=np.zeros_like(then), where=then > 0)
    years = range(min(ages.counts[0], ages.plans_year), until + 1)
    people = {year: ages.people_in(year).reindex(plans.index)[plans.columns].to_numpy() for year in years}
    return pd.DataFrame({year: (rates * each).sum(axis=1) for year, each in people.items()}, index=plans.index)


def _growth(people: pd.DataFrame, year: int) -> float:
    if year - 1 not in people or year not in people:
        return 0.0
    return float(people[year].sum() / people[year - 1].sum() - 1)


def _missed(growth: pd.Series, long_run: float, persistence: float) -> Array:
    values = growth.to_numpy()
    missed: Array = values[1:] - (long_run + persistence * (values[:-1] - long_run))
    return missed


def _root_mean_square(values: Array) -> float:
    return float(np.sqrt((values**2).mean())) if len(values) else 0.0


def growth_shocks(known: History, years: int, draws: int, seed: int) -> tuple[Array, Array]:
    """Shocks to the growth of the plan rate and of the unit cost (shares), each of shape (years, draws)."""
    rate = _shocks(Shock.PLAN_RATE, known.rate_sd, known.rate_misses, years, draws, seed)
    return rate, _shocks(Shock.UNIT_COST, known.cost_sd, known.cost_misses, years, draws, seed)


def paths(
    known: History,
    block: pd.Series,
    origin: int,
    assumptions: Assumptions,
    years: list[int],
    rate_shocks: Array,
    cost_shocks: Array,
    seed: int,
) -> Paths:
    """Draws of England's spend from a year in which all of it is published: published, then the assumptions or the
    model.

    `block`: the published high needs block by year (£). `years` run on from the origin without a gap; shocks of
    shape (years, draws). A published year has no shock.
    """
    draws = rate_shocks.shape[1]
    every = [origin, *years]
    shape = (len(every), draws)
    people, rate, plans, unit_cost, spend, money = (np.empty(shape) for _ in range(6))
    shares = np.empty((len(PLACEMENTS), *shape))
    people[0], rate[0], plans[0] = 1.0, 1.0, known.plans[origin]
    shares[:, 0] = known.shares[origin].to_numpy()[:, None]
    cost = known.cost.to_numpy()
    unit_cost[0], money[0] = known.unit_cost[origin], block[origin]
    rate_now = np.full(draws, known.rate_growth[origin])
    cost_now = np.full(draws, known.cost_growth[origin])
    drift = (known.shares.iloc[:, -1] - known.shares.iloc[:, 0]).to_numpy() / (known.shares.shape[1] - 1)
    persistence = assumptions.growth_persistence
    for t, year in enumerate(years, start=1):
        aged = known.people_growth(year)
        if year in known.plans.index:
            growth = np.full(draws, known.plans[year] / known.plans[year - 1] - 1)
        else:
            fading = assumptions.long_run_rate_growth + persistence * (rate_now - assumptions.long_run_rate_growth)
            modelled = (1 + aged) * (1 + fading + rate_shocks[t - 1]) - 1
            growth = chosen(assumptions.plan_growth, year, modelled, Shock.PLAN_SETTING, seed)
        growth = np.clip(growth, LEAST, MOST)
        rate_now = (1 + growth) / (1 + aged) - 1
        people[t], rate[t] = people[t - 1] * (1 + aged), rate[t - 1] * (1 + rate_now)
        plans[t] = plans[t - 1] * (1 + growth)
        if year in known.shares:
            shares[:, t] = known.shares[year].to_numpy()[:, None]
        else:
            drift = persistence * drift
            shares[:, t] = _mixed(shares[:, t - 1] + drift[:, None], assumptions.independent_share.get(year))
        prices = known.price_growth(year, assumptions)
        if year in known.unit_cost.index:
            cost_growth = np.full(draws, known.unit_cost[year] / known.unit_cost[year - 1] - 1)
        else:
            modelled = prices + persistence * cost_now + cost_shocks[t - 1]
            cost_growth = chosen(assumptions.unit_cost_growth, year, modelled, Shock.COST_SETTING, seed)
        cost_growth = np.clip(cost_growth, LEAST, MOST)
        cost_now = cost_growth - prices
        unit_cost[t] = unit_cost[t - 1] * (1 + cost_growth)
        money[t] = block[year] if year in block.index else money[t - 1] * (1 + assumptions.growth_of_block(year))
    mix = np.tensordot(cost, shares, axes=1)
    spend = plans * mix * unit_cost
    return Paths(every, people, rate, plans, shares, mix, unit_cost, spend, money)


def chosen(setting: Setting | None, year: int, modelled: Array, kind: Shock, seed: int) -> Array:
    """Growth of a year: what the assumption sets, one value a draw where it is a spread, else the model's."""
    given = setting_in(setting, year)
    if given is None:
        return modelled
    if isinstance(given, Spread):
        return given.mean + given.sd * stream(seed, kind).standard_normal(modelled.shape)
    return np.full(modelled.shape, float(given))


def _mixed(shares: Array, independent: float | None) -> Array:
    """Shares of plans by placement that add up to 1, the independent share as assumed if it is."""
    shares = np.maximum(shares, 0.0)
    if independent is not None:
        shares = np.vstack([np.full((1, shares.shape[1]), independent), shares[1:]])
        shares[1:] *= (1 - independent) / shares[1:].sum(axis=0)
    whole: Array = shares / shares.sum(axis=0)
    return whole


def _shocks(kind: Shock, sd: float, misses: int, years: int, draws: int, seed: int) -> Array:
    """Normal shocks whose size is known from few years only: Student's t with that many degrees of freedom.

    One draw's size holds for all its years.
    """
    steps = stream(seed, kind, 0).standard_normal((years, draws))
    shocks: Array = sd * uncertain_size(misses, draws, seed, kind) * steps
    return shocks


def uncertain_size(observed: int, draws: int, seed: int, kind: Shock) -> Array:
    """How far a standard deviation from so few observations may be off, as a factor, one a draw."""
    if observed < 1:
        return np.ones(draws)
    size = np.sqrt(observed / stream(seed, kind, 1).chisquare(observed, draws))
    capped: Array = np.minimum(size, MOST_OFF)
    return capped


MOST_OFF = 4.0
"""The factor stops here: with two or three observations a few draws in a thousand would be absurd beyond it."""
