"""Each council's part of England's plans, spend and block, and what its own assumptions change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from deficits.assumptions import Assumptions, CouncilAssumptions
from deficits.errors import ProjectionError
from deficits.panel import Panel
from deficits.projection.fit import Fit
from deficits.projection.growth import LEAST, MOST, Paths, chosen, place_rate
from deficits.projection.streams import Shock

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """Councils' parts of England's paths.

    `share`: indexed by authority; columns plans, independent, state_special, mainstream_and_other (plans by
    placement), spend (net and place funding) and block: each council's share of England's, adding up to 1, from
    the newest published figures. A council's figure in a draw and year is its share of England's path. `ageing`:
    (authorities, years) factor on its plans from the ages of its own people, England's being 1.
    """

    share: pd.DataFrame
    ageing: Array


def parts(panel: Panel, fit: Fit, years: list[int]) -> Parts:
    """Each council's parts, from the newest year in which its figure is published; 0 where none is."""
    index = fit.councils.index

    def newest(figure: str) -> pd.Series:
        table = panel.figure(figure).reindex(index)
        return table.ffill(axis=1).iloc[:, -1].fillna(0.0)

    plans, special, independent = newest("plans"), newest("plans_state_special"), newest("plans_independent")
    number = {
        "plans": plans,
        "independent": independent,
        "state_special": special,
        "mainstream_and_other": (plans - special - independent).clip(lower=0.0),
        "spend": fit.councils["spend"] + place_rate() * special,
        "block": fit.councils["block"],
    }
    share = pd.DataFrame({name: figure / figure.sum() for name, figure in number.items()})
    ageing = np.ones((len(index), len(years)))
    people = fit.history.people
    if people is not None:
        newest_count = max(int(fit.history.plans.index[-1]), int(people.columns[0]))
        own = people.reindex(index).to_numpy() / people.reindex(index)[[newest_count]].to_numpy()
        england = people.sum().to_numpy() / people[newest_count].sum()
        relative = pd.DataFrame(np.nan_to_num(own / england, nan=1.0), columns=people.columns)
        ageing = relative.reindex(columns=years).fillna(1.0).to_numpy()
    return Parts(share, ageing)


def own_assumptions(panel: Panel, assumptions: Assumptions, councils: pd.Index) -> dict[str, CouncilAssumptions]:
    """Councils' own assumptions by DfE number.

    PanelError offers the closest name of an unknown council; ProjectionError for one that no longer exists or is
    given twice.
    """
    found: dict[str, CouncilAssumptions] = {}
    for name, own in assumptions.councils.items():
        code = panel.authorities.resolve(name)
        if code not in councils:
            raise ProjectionError(f"assumptions of {name}: {gone(panel, code, councils)}")
        if code in found:
            raise ProjectionError(f"assumptions of {panel.authorities.name(code)} ({code}) are given twice")
        found[code] = own
    return found


def gone(panel: Panel, code: str, councils: pd.Index) -> str:
    """Of a council that is not in the projection: that it no longer exists, and which took its place."""
    heirs = [panel.authorities.name(heir) for heir in councils if code in panel.authorities.predecessors(heir)]
    return f"{panel.authorities.name(code)} ({code}) no longer exists; ask for {' or '.join(heirs)}"


def own_changes(
    fit: Fit, parts: Parts, paths: Paths, own: dict[str, CouncilAssumptions], seed: int
) -> Array | None:
    """What councils' own assumptions add to their in-year positions, £, shape (years, authorities, draws).

    Against England's growth, which the projection gives every council; None where no council has assumptions of
    its own.
    """
    if not own:
        return None
    years, draws = paths.years[1:], paths.plans.shape[1]
    changed = np.zeros((len(years), len(fit.councils), draws))
    for code, council in own.items():
        place = fit.councils.index.get_loc(code)
        changed[:, place] = _spared(fit, parts.share.loc[code], paths, council, seed)
        paid = [council.contribution.get(year, 0.0) for year in years]
        changed[:, place] += np.array(paid)[:, None]
    return changed


def _spared(fit: Fit, share: pd.Series, paths: Paths, council: CouncilAssumptions, seed: int) -> Array:
    """£ a year by which a council's spend is lower, and its block higher, than on England's growth."""
    spend, block = share["spend"] * paths.spend, share["block"] * paths.block
    mine_spend, mine_block = spend.copy(), block.copy()
    newest = int(fit.history.plans.index[-1])
    costed = int(fit.history.unit_cost.index[-1])
    for t, year in enumerate(paths.years[1:], start=1):
        plans = paths.plans[t] / paths.plans[t - 1] - 1
        cost = paths.unit_cost[t] / paths.unit_cost[t - 1] - 1
        if year > newest:
            plans_mine = np.clip(chosen(council.plan_growth, year, plans, Shock.PLAN_SETTING, seed), LEAST, MOST)
        else:
            plans_mine = plans
        cost_mine = cost
        if year > costed:
            cost_mine = np.clip(
                chosen(council.unit_cost_growth, year, cost, Shock.COST_SETTING, seed), LEAST, MOST
            )
        mine_spend[t] = mine_spend[t - 1] * (1 + plans_mine) * (1 + cost_mine) * paths.mix[t] / paths.mix[t - 1]
        granted = paths.block[t] / paths.block[t - 1] - 1
        if year not in fit.block.index:
            granted = chosen(council.block_growth, year, granted, Shock.BLOCK_SETTING, seed)
        mine_block[t] = mine_block[t - 1] * (1 + granted)
    spared: Array = ((spend - mine_spend) + (mine_block - block))[1:]
    return spared


def plan_shares(parts: Parts) -> Array:
    """Councils' shares of England's plans, shape (authorities, years), each year adding up to 1."""
    weight = parts.share["plans"].to_numpy()[:, None] * parts.ageing
    shares: Array = weight / weight.sum(axis=0)
    return shares


def plans_by_council(fit: Fit, parts: Parts, paths: Paths, own: dict[str, CouncilAssumptions], seed: int) -> Array:
    """EHC plans, shape (draws, authorities, years + 1); without own assumptions they add up to England's."""
    plans: Array = paths.plans.T[:, None, :] * plan_shares(parts)[None]
    newest = int(fit.history.plans.index[-1])
    for code, council in own.items():
        place = fit.councils.index.get_loc(code)
        for t, year in enumerate(paths.years[1:], start=1):
            growth = plans[:, place, t] / plans[:, place, t - 1] - 1
            if year > newest and council.plan_growth is not None:
                growth = chosen(council.plan_growth, year, growth, Shock.PLAN_SETTING, seed)
                plans[:, place, t:] *= (plans[:, place, t - 1] * (1 + growth) / plans[:, place, t])[:, None]
    return plans
