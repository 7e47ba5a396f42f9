"""Councils' shares of England's spend, plans and block: published, then simulated; and their own assumptions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.robust.norms import HuberT
from statsmodels.robust.robust_linear_model import RLM
from statsmodels.tools import add_constant
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from deficits.assumptions import Assumptions, CouncilAssumptions
from deficits.errors import PanelError, ProjectionError
from deficits.panel import Panel
from deficits.projection.history import History, place_rate
from deficits.projection.streams import Array, Shock, own_shocks, stream
from deficits.publications.editions import Reader
from deficits.publications.tabulated import deprivation
from deficits.simulated import in_units

FEWEST = 30
"""Councils below which nothing can be fitted."""
UPPER_DECILE = 1.5332062740589
"""Upper decile of Student's t with TAIL degrees of freedom and scale 1 (a test holds it to scipy's)."""
FURTHEST = 0.5
"""A council's share of spend moves by less than this in a year (logarithm), however far a shock lies out."""
CAUSES = ["momentum", "to_block", "to_plans", "plans", "plans_before"]


@dataclass(frozen=True)
class Spending:
    """How a council's share of England's spend moves from year to year, and by how much it strays.

    The change of its logarithm is momentum x its last change, to_block and to_plans x the logs of its shares of
    the block and of plans over that of spend, plans and plans_before x the growth of its share of plans in the
    year and the year before, and a Student-t shock of scale `shock`, by council: those that have moved much
    stray further. `usual`: mean size of a council's yearly changes. `result` is the robust regression
    (statsmodels), over every council and published year.
    """

    result: RLM
    shock: pd.Series
    usual: pd.Series

    @classmethod
    def fitted(cls, spend: pd.DataFrame, block: pd.DataFrame, plans: pd.DataFrame) -> Spending:
        """Fitted to shares by council (rows) and year; councils and years that lack one are left out."""
        rows = []
        for year in spend.columns[2:]:
            if year - 1 in block and year - 2 in plans:
                found = _causes(spend, block, plans, year).assign(moved=np.log(spend[year] / spend[year - 1]))
                found = found.replace([np.inf, -np.inf], np.nan).dropna()
                rows.append(found - found.median())
        sample = pd.concat(rows) if rows else pd.DataFrame()
        if len(sample) < FEWEST:
            raise ProjectionError(
                f"only {len(sample)} councils have spend, plans and block of three years: {FEWEST} are needed"
            )
        result = robust(sample["moved"], sample[CAUSES])
        moved = np.log(spend).diff(axis=1).iloc[:, 1:].replace([np.inf, -np.inf], np.nan)
        usual = (moved - moved.median()).abs().mean(axis=1)
        usual = usual.fillna(usual.median())
        return cls(result, restless(pd.Series(result.resid), usual.to_frame("spend")), usual)

    def expected(self, spend: pd.DataFrame, block: pd.DataFrame, plans: pd.DataFrame, year: int) -> pd.Series:
        """Shares of spend in a year as those of the two years before let expect, adding up to 1."""
        moved = _causes(spend, block, plans, year).replace([np.inf, -np.inf], np.nan).fillna(0.0)
        return shares(spend[year - 1] * np.exp(moved @ self.result.params))

    def simulated(self, accounts: Accounts, years: list[int], draws: int, seed: int) -> Array:
        """Shares of spend, shape (years, councils, draws): as published, and from then on with shocks.

        Each draw has its own coefficients, as uncertain as the regression says.
        """
        random = stream(seed, Shock.COEFFICIENTS)
        given = random.multivariate_normal(self.result.params, self.result.cov_params(), draws)
        momentum, *lasting = np.ascontiguousarray(given.T)
        reverting = lasting[0] + lasting[1]
        spend, spent = accounts.spend, accounts.spent
        ahead = range(spent + 1, years[-1] + 1)
        codes = tuple(int(code) for code in spend.index)
        shocks = own_shocks(codes, Shock.OWN_SPEND, len(ahead), draws, seed)
        scale = self.shock.to_numpy()[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            last, block, plans = (
                np.log(each).where(accounts.block > 0)
                for each in (spend[[spent - 1, spent]], accounts.block, accounts.plans)
            )
        found = np.empty((len(years), len(codes), draws))
        held = [year for year in years if year <= spent]
        found[: len(held)] = spend[held].to_numpy().T[:, :, None]
        outside = np.flatnonzero(accounts.block[years[-1]] == 0)
        share = np.repeat(last[[spent]].fillna(0.0).to_numpy(), draws, axis=1)
        moved = np.repeat((last[[spent]] - last[[spent - 1]].to_numpy()).fillna(0.0).to_numpy(), draws, axis=1)
        part = np.empty_like(moved)
        for t, year in enumerate(ahead):
            causes = [block[year - 1], plans[year - 1]]
            causes += [plans[year] - plans[year - 1], plans[year - 1] - plans[year - 2]]
            known = pd.concat(causes, axis=1).replace([np.inf, -np.inf], np.nan).fillna(0.0).to_numpy()
            moved *= momentum
            moved += np.einsum("cj,jd->cd", known, np.stack(lasting), out=part)
            moved -= np.multiply(share, reverting, out=part)
            moved += np.multiply(shocks[t], scale, out=part)
            np.clip(moved, -FURTHEST, FURTHEST, out=moved)
            share += moved
            np.exp(share, out=part)
            part[outside] = 0.0
            total = part.sum(axis=0)
            if year in years:
                np.divide(part, total, out=found[years.index(year)])
            np.log(total, out=total)
            share -= total
            moved -= total
        found.setflags(write=False)
        return found


def _causes(spend: pd.DataFrame, block: pd.DataFrame, plans: pd.DataFrame, year: int) -> pd.DataFrame:
    """What a council's share of spend moves by in a year, one column a cause."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.DataFrame(
            {
                "momentum": np.log(spend[year - 1] / spend[year - 2]),
                "to_block": np.log(block[year - 1] / spend[year - 1]),
                "to_plans": np.log(plans[year - 1] / spend[year - 1]),
                "plans": np.log(plans[year] / plans[year - 1]),
                "plans_before": np.log(plans[year - 1] / plans[year - 2]),
            }
        )


@dataclass(frozen=True)
class Accounts:
    """Councils' shares of England's spend, block and plans, indexed by authority, by year; each adds up to 1.

    `spend`: published to the year `spent`, and as expected until the base year. `block`: published, else of the
    nearest year. `plans`: published, and then by the ages of the council's own people. `spending`: how shares of
    spend move.
    """

    spend: pd.DataFrame
    block: pd.DataFrame
    plans: pd.DataFrame
    spent: int
    spending: Spending


def accounts(panel: Panel, authorities: pd.Index, known: History, base: int, until: int) -> Accounts:
    """Councils' shares as far as they are published, and until the base year."""
    net = panel.figure("high_needs_net_spend").reindex(authorities).dropna(axis=1, how="all")
    if net.empty:
        raise ProjectionError("net spend by council is not among the figures known: a projection needs it")
    years = list(range(int(net.columns[0]), int(net.columns[-1]) + 1))
    special = panel.figure("plans_state_special").reindex(authorities).dropna(axis=1, how="all")
    special = special.reindex(columns=sorted({*years, *special})).ffill(axis=1).bfill(axis=1)[years].fillna(0.0)
    spend = net.reindex(columns=years).interpolate(axis=1, limit_area="inside") + place_rate() * special
    published = shares(panel.figure("high_needs_block").reindex(authorities).dropna(axis=1, how="all"))
    last = max(until, years[-1], int(published.columns[-1]))
    every = published.reindex(columns=range(min(years[0], int(published.columns[0])), last + 1))
    block = shares(every.ffill(axis=1).bfill(axis=1).fillna(0.0))
    plans = _plan_shares(panel, authorities, known, until)
    held = shares(spend.where(block[years] > 0))
    spending = Spending.fitted(held, block.replace(0.0, np.nan), plans)
    # A council whose spend is not published spends as its block says.
    whole = shares(held.fillna(block[years]))
    for year in range(years[-1] + 1, base + 1):
        whole[year] = spending.expected(whole, block, plans, year)
    return Accounts(whole, block, plans, years[-1], spending)


def shares(money: pd.DataFrame) -> pd.DataFrame:
    """Each council's share of the sum, by year."""
    return in_units(money / money.sum(), "share")


def _plan_shares(panel: Panel, authorities: pd.Index, known: History, until: int) -> pd.DataFrame:
    """Councils' shares of plans: published, then moved by how their people age compared with England's."""
    plans = shares(panel.figure("plans").reindex(authorities).dropna(axis=1, how="all"))
    newest = int(plans.columns[-1])
    plans[newest] = plans.ffill(axis=1)[newest].fillna(0.0)
    people = pd.DataFrame() if known.people is None else known.people.reindex(authorities)
    for year in range(newest + 1, until + 1):
        held = year in people and year - 1 in people
        aged = (people[year] / people[year - 1]).fillna(1.0) if held else 1.0
        plans[year] = shares(plans[year - 1] * aged)
    return plans


def robust(outcome: pd.Series, causes: pd.DataFrame) -> RLM:
    """statsmodels' robust linear model (Huber); ProjectionError when it does not converge.

    A few grants and restatements are far from what any rule says: a robust regression gives them little weight.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return RLM(outcome, causes, M=HuberT()).fit()
        except (ConvergenceWarning, np.linalg.LinAlgError) as error:
            raise ProjectionError(f"how councils move could not be fitted to the figures held: {error}") from None


def restless(missed: pd.Series, signs: pd.DataFrame) -> pd.Series:
    """Scale of each council's Student-t shock, from what was missed of councils (index, repeated by year).

    Councils that move much, by the `signs` of it, are missed by more: a robust regression of the size says by how
    much. The scale gives the 80% range of what was missed: the range that the projection publishes.
    """
    known = signs.loc[missed.index]
    size = robust(missed.abs(), add_constant(known)).params.clip(lower=0.0)
    by_council: pd.Series = size["const"] + signs @ size[signs.columns]
    low, high = (missed / by_council.loc[missed.index]).quantile([0.1, 0.9])
    return by_council * float((high - low) / 2 / UPPER_DECILE)


def parts(panel: Panel, accounts: Accounts, base: int) -> pd.DataFrame:
    """Each council's share of England's plans, of plans by placement, spend and block, adding up to 1.

    Indexed by authority; columns plans, independent, state_special, mainstream_and_other, spend and block, from
    the newest year in which each is published, and deprivation (children in income deprivation); 0 where none is.
    Levers share England's money out by them.
    """
    index = accounts.spend.index
    deprived = deprivation(Reader(panel.raw, panel.authorities, panel.as_of))["children_in_income_deprivation"]

    def newest(figure: str) -> pd.Series:
        return panel.figure(figure).reindex(index).ffill(axis=1).iloc[:, -1].fillna(0.0)

    plans, special, independent = newest("plans"), newest("plans_state_special"), newest("plans_independent")
    number = {
        "plans": plans,
        "independent": independent,
        "state_special": special,
        "mainstream_and_other": (plans - special - independent).clip(lower=0.0),
        "spend": accounts.spend[max(accounts.spent, base)],
        "block": accounts.block[base],
        # A share of children, times people aged 2 to 18.
        "deprivation": (deprived.reindex(index) * newest("population_2_18")).fillna(0.0),
    }
    return pd.DataFrame({name: shares(figure).fillna(0.0) for name, figure in number.items()})


def own_assumptions(panel: Panel, assumptions: Assumptions, councils: pd.Index) -> dict[str, CouncilAssumptions]:
    """Councils' own assumptions by DfE number.

    ProjectionError with each council that is unknown, not one of the projection's, or given twice.
    """
    given: dict[str, str] = {}
    faults = []
    for name in assumptions.councils:
        try:
            code = panel.authorities.resolve(name)
        except PanelError as error:
            faults.append(str(error))
            continue
        if code in given:
            faults.append(f"'{name}' and '{given[code]}' are the same council: give its assumptions once")
        if code not in councils:
            faults.append(absent(panel, code, councils))
        given[code] = name
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise ProjectionError(f"assumptions.councils does not fit the projection's councils:\n{told}")
    return {code: assumptions.councils[name] for code, name in given.items()}


def absent(panel: Panel, code: str, councils: pd.Index) -> str:
    """Of a council that is not in the projection: that it is gone or not there yet, and which ones to ask for."""
    authorities = panel.authorities
    heirs = [authorities.name(other) for other in councils if code in authorities.predecessors(other)]
    before = [authorities.name(other) for other in authorities.predecessors(code) if other in councils]
    instead = f"; ask for {' or '.join(heirs or before)}" if heirs or before else ""
    return f"{authorities.name(code)} ({code}) {'no longer exists' if heirs else 'did not exist'}{instead}"
