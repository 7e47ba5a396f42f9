"""What is published: England's high needs spend and its parts, and each council's balances, spend and block.

Spend is net spend (section 251) and place funding: plans x mix x unit cost, with plans = people x plan rate (see
docs/method.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

import numpy as np
import pandas as pd

from deficits.assumptions import PROGRAMME_ENDED, Assumptions, Placement, assumed
from deficits.errors import ProjectionError
from deficits.formatting import UNDATED
from deficits.panel import Ages, Panel
from deficits.panel.choice import SOURCES
from deficits.simulated import in_units

PLACEMENTS = get_args(Placement)
REFERENCE_YEARS = 2
"""England's in-year position is taken as its mean over the two years to the base year, or over as many as lie
between it and the newest year end before that has balances of nearly all councils."""
FURTHEST = 3
"""Years before the base year at which the reference may start."""
RESTATED = 150_000.0
"""£. Sources that differ by more than this at a year end are not subtracted from one another."""
MOST = 0.8
"""Share of the councils of a year end that must have a balance for a projection to start there."""
NEARLY_ALL = 0.9
"""Share of the councils of a year that must have a figure for their spread to be that of all."""
ENGLAND = 100
"""Councils that must have a figure for their sum to stand for England's."""


def place_rate() -> float:
    """£ a year for a place in a state special school, paid from the high needs block and not in net spend."""
    return assumed("funding", "place_rate").number


@dataclass(frozen=True)
class History:
    """What is published of England's spend, by year, and how its parts have moved.

    `plans`; `shares` of plans by placement (rows) and year; `cost`: £ per plan by placement in `cost_year`;
    `spend` (£, net spend and place funding); `unit_cost` (£ per plan with the mix of `cost_year`);
    `drift`: yearly change of the published shares; `people`: plans at fixed rates by age, any year, as authorities
    (rows) by years, None where no ages are known. `prices`: growth of the deflator by year. `rate_growth`: of the
    plan rate, by year.
    """

    plans: pd.Series
    shares: pd.DataFrame
    cost: pd.Series
    cost_year: int
    spend: pd.Series
    unit_cost: pd.Series
    drift: pd.Series
    people: pd.DataFrame | None
    prices: pd.Series
    rate_growth: pd.Series

    def cost_growth(self, assumptions: Assumptions) -> pd.Series:
        """Real growth of the unit cost, by year."""
        growth = self.unit_cost.pct_change().dropna()
        return growth - [self.price_growth(year, assumptions) for year in growth.index]

    def missed(self, assumptions: Assumptions) -> pd.DataFrame:
        """What the fading rule missed of growth of the plan rate and of the unit cost (columns rate, cost)."""
        rate, cost = self.rate_growth - assumptions.long_run_rate_growth, self.cost_growth(assumptions)
        above = pd.DataFrame({"rate": rate, "cost": cost})
        return above - assumptions.growth_persistence * above.shift()

    def price_growth(self, year: int, assumptions: Assumptions) -> float:
        """Growth of prices in a year (share): the deflator where it is published."""
        return float(self.prices.get(year, assumptions.long_run_prices))

    def people_growth(self, year: int) -> float:
        """Growth of the plans that people by age bring at fixed rates (share); 0 where it is not known."""
        if self.people is None or year - 1 not in self.people:
            return 0.0
        return float(self.people[year].sum() / self.people[year - 1].sum() - 1)


def history(panel: Panel, until: int) -> History:
    """What is published, as far as the panel knows it. ProjectionError when spend or plans are not."""
    plans = _total(panel, "plans")
    net = linked(panel.figure("high_needs_net_spend"))
    if net.empty or _total(panel, "plans_state_special").empty:
        raise ProjectionError("spend or plans by placement are not known: a projection needs both")
    by_placement = {}
    for name in PLACEMENTS[:2]:
        number = panel.figure(f"plans_{name}")
        held = panel.figure("plans").where(number.notna())  # of the councils whose placements are held
        by_placement[name] = number.sum(min_count=ENGLAND) / held.sum()
    shares = pd.DataFrame(by_placement).dropna().T
    shares.loc["mainstream_and_other"] = 1 - shares.sum()
    drift = (shares.iloc[:, -1] - shares.iloc[:, 0]) / max(shares.columns[-1] - shares.columns[0], 1)
    # In a year with spend and no count by placement, the nearest count's shares stand in.
    spent = [year for year in net.index if year in plans.index]
    shares = shares.reindex(columns=sorted({*shares.columns, *spent})).ffill(axis=1).bfill(axis=1)
    both = net.index.intersection(shares.columns)
    spend = in_units((net + place_rate() * shares.loc["state_special"] * plans)[both], "£")
    cost, cost_year = _cost(panel, plans, shares, spend)
    mix = shares.mul(cost, axis=0).sum()
    unit_cost = in_units(spend / (plans[both] * mix[both]), "index")
    people = _people(panel.ages, max(until, int(plans.index[-1])))
    plan_growth = in_units(plans.pct_change().dropna(), "share")
    # How far people alone moved plans is known only where ages are; before that rate growth is that of plans.
    aged = 0.0 if people is None else people.sum().pct_change().reindex(plan_growth.index).fillna(0.0)
    rate_growth = (1 + plan_growth) / (1 + aged) - 1
    rate_growth = rate_growth[rate_growth.index >= assumed("plans", "comparable_from").number]
    return History(
        plans=plans,
        shares=shares,
        cost=cost,
        cost_year=cost_year,
        spend=spend,
        unit_cost=unit_cost,
        drift=drift,
        people=people,
        prices=panel.prices,
        rate_growth=rate_growth,
    )


def linked(by_authority: pd.DataFrame) -> pd.Series:
    """England's total of a figure by year, where a few councils are missing from some years.

    The newest year's sum is carried back by the growth of the councils that are in both of two years.
    """
    totals = by_authority.dropna(axis=1, how="all")
    growth = pd.Series(dtype=float)
    for before, year in pairwise(totals.columns):
        both = totals[[before, year]].dropna()
        if len(both):
            growth[year] = both[year].sum() / both[before].sum() - 1
    if growth.empty:
        return growth
    newest, back = totals[growth.index[-1]].sum(), (1 + growth[::-1]).cumprod()
    spend = pd.Series({year - 1: newest / back[year] for year in growth.index} | {growth.index[-1]: newest})
    return spend.sort_index()


def _total(panel: Panel, figure: str) -> pd.Series:
    return panel.figure(figure).sum(min_count=ENGLAND).dropna()


def _cost(panel: Panel, plans: pd.Series, shares: pd.DataFrame, spend: pd.Series) -> tuple[pd.Series, int]:
    """£ per plan by placement in the newest year with spend on special and independent placements.

    State special: its spend and place funding. Independent: section 251 line 1.2.3 where England's is known, else
    the sum of councils' (narrower). The rest of the spend is mainstream's and others'.
    """
    special, by_council = _total(panel, "state_special_spend"), _total(panel, "independent_spend")
    rows = panel.national.query("measure == 'independent_placement_spend' and unit == 'gbp'")
    independent = rows.set_index("year")["value"].combine_first(by_council)
    years = special.index.intersection(independent.index).intersection(spend.index)
    if years.empty:
        raise ProjectionError("spend by placement is not known: a projection needs one year of it")
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


# --- balances


def newest_day(panel: Panel) -> str:
    """The newest day (ISO) on which a figure that is held was published; what has no day does not count."""
    published = panel.frame.filter(like="_published").stack()
    return str(published[published < UNDATED].max())


def received(payments: pd.DataFrame) -> pd.DataFrame:
    """Safety valve payments that published balances hold: those of the programme's years, £."""
    return payments.loc[:, : int(PROGRAMME_ENDED.number)]


def base_year(panel: Panel) -> int:
    """The newest year end with balances of nearly all councils, and of an earlier one to measure from."""
    return year_ends(panel)[0]


def year_ends(panel: Panel) -> tuple[int, int]:
    """The base year end, and the earlier one from which England's in-year position is measured.

    An analyst's own figures do not count. The earlier one lies REFERENCE_YEARS before, or else is the newest
    before the base year end, at most FURTHEST years back. ProjectionError where balances are published for too few
    councils.
    """
    published = panel.frame["balance"].where(~panel.frame["balance_basis"].isin(["own_outturn", "own_forecast"]))
    share = published.notna().groupby(level="year").mean()
    complete = [int(year) for year in share.index[share >= MOST]]
    for base in reversed(complete):
        if base - REFERENCE_YEARS in complete:
            return base, base - REFERENCE_YEARS
        earlier = [year for year in complete if base - FURTHEST <= year < base]
        if earlier:
            return base, earlier[-1]
    raise ProjectionError(
        "no two year ends at most three years apart have balances of nearly all councils among the figures known"
        f"{f' on {panel.as_of}' if panel.as_of else ''}: a projection needs both"
    )


@dataclass(frozen=True)
class Balances:
    """Balances by council (rows) and year end, £: the chosen ones, and by source its own and whether they are
    chosen. `payments`: safety valve payments by council and year, £."""

    chosen: pd.DataFrame
    sources: dict[str, tuple[pd.DataFrame, pd.DataFrame]]
    payments: pd.DataFrame

    @classmethod
    def of(cls, panel: Panel, authorities: pd.Index, payments: pd.DataFrame) -> Balances:
        """Those of a panel."""
        frame, sources = panel.frame, {}
        for name in SOURCES:
            same = (frame[f"{name}_source"] == frame["balance_source"]).unstack("year").reindex(authorities)
            sources[name] = (panel.figure(name).reindex(authorities), same.eq(True))
        return cls(panel.figure("balance").reindex(authorities), sources, payments)

    def moved(self, before: int, year: int) -> pd.Series:
        """Change between two year ends without the payments received, £; missing where either balance is.

        A grant is no improvement. Where the two ends come from sources that disagree, the later one's source is
        taken at both ends.
        """
        earlier = self.chosen[before]
        for balances, chosen in self.sources.values():
            apart = (balances[before] - self.chosen[before]).abs()
            restated = chosen[year] & ~chosen[before] & (apart > RESTATED)
            earlier = earlier.mask(restated, balances[before])
        paid = self.payments.reindex(columns=range(before + 1, year + 1)).fillna(0.0).sum(axis=1)
        return self.chosen[year] - earlier - paid


def starting_balances(panel: Panel, authorities: pd.Index, base: int) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Balance at the base year end, its basis, and the year end of the last balance known.

    A council that has not reported keeps its last balance here; the simulation brings it up to the base year end.
    A successor that never reported takes its share of its predecessor's last balance: by population aged 2 to 18
    among the successors (an assumption until the split is published), or by their number where that is not known.
    """
    balances = panel.figure("balance")
    balances = balances[[year for year in balances if year <= base]]
    start = balances[base].reindex(authorities)
    basis = panel.frame["balance_basis"].xs(base, level="year").reindex(authorities)
    last_known = pd.Series(base, index=authorities)
    people = panel.figure("population_2_18").reindex(authorities).ffill(axis=1).iloc[:, -1]
    for authority in authorities[start.isna()]:
        start[authority], basis[authority] = 0.0, "estimated"
        own = balances.loc[authority].dropna()
        if len(own):
            start[authority], last_known[authority] = own.iloc[-1], int(own.index[-1])
            continue
        for predecessor in panel.authorities.predecessors(authority):
            last = balances.loc[predecessor].dropna()
            heirs = [heir for heir in authorities if predecessor in panel.authorities.predecessors(heir)]
            share = people[authority] / people[heirs].sum() if people[heirs].notna().all() else 1 / len(heirs)
            if len(last):
                start[authority] += last.iloc[-1] * share
    return start, basis, last_known
