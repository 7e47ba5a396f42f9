"""What the projection takes from the published figures: starting points, how councils move, sizes of shocks.

Shares are of a council's high needs block in the base year, so that a big and a small council compare; what is
*relative* is less England's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from statsmodels.robust.robust_linear_model import RLM
from statsmodels.tools import add_constant

from deficits.assumptions import assumed
from deficits.errors import ProjectionError
from deficits.formatting import year_end
from deficits.panel import Panel
from deficits.projection.councils import FEWEST, Accounts, accounts, parts, restless, robust
from deficits.projection.history import (
    ENGLAND,
    NEARLY_ALL,
    Balances,
    History,
    history,
    received,
    starting_balances,
    year_ends,
)
from deficits.simulated import in_units


@dataclass(frozen=True)
class Offsets:
    """What block and spend leave of a council's in-year position, less England's (share of the block), and how it
    goes on:

        offset(t) = persistence x lasting(t-1) + shock(t)
        lasting(t) = persistence x lasting(t-1) + gain x shock(t)

    `lasting` is that of the base year and `shock` the scale of the Student-t shock, by council. `result` is the
    robust regression (statsmodels) of a year's offset on that of the year before.
    """

    persistence: float
    gain: float
    lasting: pd.Series
    shock: pd.Series
    result: RLM


@dataclass(frozen=True)
class Fit:
    """Fitted inputs of the simulation; frames and series are indexed by authority (DfE number).

    `base_year`: the newest year end with balances of nearly all councils; `reference_start`: the one that
    England's in-year position is measured from. `origin`: the newest year until then with England's plans,
    placements, unit cost and block, from which its spend is projected. `councils`: name, region, start (£, balance
    at the base year end, negative = deficit), start_basis (reported, ..., or estimated), last_known (year end of
    the last balance that is known), block (£, newest published until the base year; 0 where none is), and gap (its
    block less spend in the base year, as a share of its block, less England's). `position`: England's in-year
    position as a share of the block (negative = overspend), the mean of the reference years. `history`: England's
    spend and its parts; `block`: England's high needs block by year (£). `level_sd`: standard deviation of the
    shared shock, share of the block a year, from `level_misses` observations. `safety_valve_payments`: safety
    valve grant by year, published or scheduled, £.
    """

    base_year: int
    reference_start: int
    origin: int
    councils: pd.DataFrame
    accounts: Accounts
    offsets: Offsets
    position: float
    history: History
    block: pd.Series
    level_sd: float
    level_misses: int
    safety_valve_payments: pd.DataFrame
    parts: pd.DataFrame

    @property
    def reference_years(self) -> range:
        """The years whose mean England's in-year position is taken from."""
        return range(self.reference_start + 1, self.base_year + 1)


def fit(panel: Panel, until: int) -> Fit:
    """Fit the projection's inputs to the panel. ProjectionError when too little is published to fit."""
    base, reference_start = year_ends(panel)
    authorities = panel.authorities.in_year(base)
    blocks = panel.figure("high_needs_block").reindex(authorities)
    published = [year for year in blocks if year <= base and blocks[year].notna().sum() >= ENGLAND]
    if not published:
        raise ProjectionError(f"no high needs block by council is among the figures known until {year_end(base)}")
    size_year = max(published)
    block = blocks[size_year].fillna(0.0)
    paid = panel.agreements.pivot_table(index="authority", columns="year", values="value", aggfunc="sum")
    payments = paid.reindex(authorities).fillna(0.0)
    balances = Balances.of(panel, authorities, received(payments))
    known = history(panel, until)
    national_block = panel.figure("high_needs_block").sum(min_count=ENGLAND).dropna()
    relative, position = _relative(balances, block, base, reference_start)
    held = accounts(panel, authorities, known, base, until)
    # Block less spend by year, as a share of the base year's block, less England's.
    spent, funded = (total.reindex(relative.columns, method="nearest") for total in (known.spend, national_block))
    left = held.block[relative.columns] * funded - held.spend[relative.columns] * spent
    gap = left.div(block.where(block > 0), axis=0).fillna(0.0) - left.sum() / block.sum()
    offsets = _offsets(relative, gap, held.spending.usual, block, range(reference_start + 1, base + 1))
    start, basis, last_known = starting_balances(panel, authorities, base)
    councils = panel.authorities.frame.loc[authorities, ["name", "region"]].assign(
        start=start, start_basis=basis, last_known=last_known, block=block, gap=gap[base]
    )
    missed = _level_missed(balances, known.spend, national_block, base, size_year)
    return Fit(
        base_year=base,
        reference_start=reference_start,
        origin=_origin(known, national_block, base, reference_start),
        councils=councils,
        accounts=held,
        offsets=offsets,
        position=position,
        history=known,
        block=national_block,
        level_sd=float(np.sqrt((missed**2).mean())),
        level_misses=len(missed),
        safety_valve_payments=payments,
        parts=parts(panel, held, base),
    )


def _relative(balances: Balances, block: pd.Series, base: int, reference_start: int) -> tuple[pd.DataFrame, float]:
    """In-year positions less England's, by council and year, and England's over the reference years (shares).

    A year of which a council has no balance before or after is missing; of the reference years, their mean stands
    in, which is the same number in each of them.
    """
    sized = block.where(block > 0)
    ends = [int(year) for year in balances.chosen.columns if year <= base]
    moved = {year: balances.moved(year - 1, year) / sized for year in ends[1:] if year - 1 in ends}
    relative = pd.DataFrame({year: shares - _weighted(shares, block) for year, shares in moved.items()})
    relative = relative.dropna(axis=1, how="all")
    mean = balances.moved(reference_start, base) / (base - reference_start) / sized
    position = _weighted(mean, block)
    for year in range(reference_start + 1, base + 1):
        held = relative[year] if year in relative else pd.Series(np.nan, index=block.index)
        relative[year] = held.fillna(mean - position)
    return relative.sort_index(axis=1), position


def _weighted(shares: pd.Series, block: pd.Series) -> float:
    """England's share: the councils' by size."""
    known = shares.notna()
    return float((shares * block)[known].sum() / block[known].sum()) if known.any() else float("nan")


def _offsets(
    relative: pd.DataFrame, gap: pd.DataFrame, usual: pd.Series, block: pd.Series, reference: range
) -> Offsets:
    """How offsets go on, and what lasts of each council's in the base year: Kalman's filter of its yearly
    offsets."""
    # Where only the change over all reference years is known, its mean is no yearly figure to fit to.
    years = list(reference)
    repeated = relative[years].nunique(axis=1).le(1) & (len(years) > 1)
    offset = relative - gap
    offset[years] = offset[years].mask(repeated, offset[years].mean(axis=1), axis=0)
    yearly = offset.copy()
    yearly.loc[repeated, years] = np.nan
    pairs = [yearly[[year - 1, year]].set_axis(["before", "now"], axis=1) for year in yearly if year - 1 in yearly]
    sample = pd.concat(pairs).dropna() if pairs else pd.DataFrame()
    if len(sample) < FEWEST:
        raise ProjectionError(
            f"only {len(sample)} councils have balances and spend of two years: {FEWEST} are needed"
        )
    result = robust(sample["now"], add_constant(sample[["before"]]))
    persistence = assumed("projection", "offset_persistence").number
    # Of an offset's variance, the share that lasts: what a year has in common with the next, less what fades.
    common = float(np.clip(result.params["before"] / persistence, 0.05, 0.95))
    noise, fresh = 1 - common, common * (1 - persistence**2)
    state, known = pd.Series(0.0, index=offset.index), pd.Series(common, index=offset.index)
    shocks = {}
    for year in offset.columns:
        if year - 1 in offset:
            state, known = persistence * state, persistence**2 * known + fresh
        shock = offset[year] - state
        weight = (known / (known + noise)).where(shock.notna(), 0.0)
        state, known = state + weight * shock.fillna(0.0), known * (1 - weight)
        shocks[year] = shock.where(yearly[year].notna())
    later = pd.DataFrame(shocks).iloc[:, 1:]
    # Where only some balances of a year are held, they are those of councils whose two returns agree, the tidier
    # ones: how far councils stray is taken from years of nearly all.
    counts = later.count()
    whole = later[counts.index[counts >= NEARLY_ALL * counts.max()]]
    missed = pd.concat([whole[year].dropna() for year in whole])
    signs = pd.DataFrame({"spend": usual, "offset": state.abs()})
    lasting = in_units((state - _weighted(state, block)).where(block > 0, 0.0), "share")
    # The weight that the filter comes to give to a year's shock.
    b = noise * (1 - persistence**2) - fresh
    steady = (-b + np.sqrt(b**2 + 4 * fresh * noise)) / 2
    return Offsets(persistence, float(steady / (steady + noise)), lasting, restless(missed, signs), result)


def _level_missed(
    balances: Balances, spend: pd.Series, block: pd.Series, base: int, size_year: int
) -> npt.NDArray[np.float64]:
    """What block and spend did not explain of each step of England's in-year position (share of the block).

    From the in-year positions of each year that has balances of nearly all councils at both ends (of the mean of
    the last two where only they have); each less what the change in block and spend since the one before it says.
    They are few: the size is known no better than to within a factor of two.
    """
    gap = (block - spend).dropna() / block[size_year]
    ends = [
        int(year)
        for year in balances.chosen
        if year <= base and balances.chosen[year].notna().mean() >= NEARLY_ALL - 0.05
    ]
    together = balances.chosen.index[balances.chosen[ends].notna().all(axis=1)]
    middles, in_year, gaps = [], [], []
    for before, year in pairwise(ends):
        between = range(before + 1, year + 1)
        if set(between) <= set(gap.index):
            middles.append(float(np.mean(between)))
            moved = balances.moved(before, year)[together].sum() / block[size_year]
            in_year.append(moved / (year - before))
            gaps.append(gap[list(between)].mean())
    return (np.diff(in_year) - np.diff(gaps)) / np.sqrt(np.diff(middles))


def _origin(known: History, block: pd.Series, base: int, reference_start: int) -> int:
    """The newest year until the base year in which all of England's spend and its block are published.

    A reference year before it must be published too, or else an earlier year is taken and that one projected.
    """
    years = set(known.plans.index) & set(known.shares.columns) & set(known.unit_cost.index[1:])
    years &= set(known.rate_growth.index) & set(block.index)
    whole = set(known.spend.index) & set(block.index)
    usable = [year for year in years if year <= base and set(range(reference_start + 1, year)) <= whole]
    if not usable:
        raise ProjectionError("no year has England's plans, placements, spend and block: a projection needs one")
    return int(max(usable))
