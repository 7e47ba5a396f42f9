"""What the outlook takes from the published figures: starting points, how councils move, sizes of shocks.

Shares are of a council's high needs block in the base year, so a big and a small council compare. A council's
*relative* position is its share less England's.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from deficits.errors import OutlookError
from deficits.outlook.anchor import Anchor
from deficits.outlook.drivers import Drivers
from deficits.panel import Panel

REFERENCE_YEARS = 2
"""England's in-year position is taken as its mean over the two years to the base year: of 2023 only some councils'
balances are held."""
NEARLY_ALL = 0.9
"""Share of the councils of a year that must have a balance for it to be a base year."""
FEWEST = 30
"""Councils below which nothing can be fitted."""
TAIL = 4
"""Degrees of freedom of the councils' shocks (Student's t): what the regression leaves has an excess kurtosis far
above a normal distribution's. An assumption; the scale is fitted."""

UPPER_DECILE = 1.5332062740589
"""Upper decile of Student's t with TAIL degrees of freedom and scale 1 (a test holds it to scipy's)."""


@dataclass(frozen=True)
class Movement:
    """How a council's relative in-year position z moves with its relative growth of net spend h (both shares).

    z(t) = persistence z(t-1) + spend h(t) + spend_before h(t-1) + shock; h(t) = spend_persistence h(t-1) + shock.
    The scales are those of Student-t shocks. `councils` is how many council-years the first line was fitted to.
    """

    persistence: float
    spend: float
    spend_before: float
    scale: float
    spend_persistence: float
    spend_scale: float
    councils: int


@dataclass(frozen=True)
class Fit:
    """Fitted inputs of the simulation; frames and series are indexed by authority (DfE number).

    `base_year`: the newest year end with balances of nearly all councils. `councils`: name, region, start (£,
    balance at the base year end, negative = deficit), start_basis (reported, ..., or estimated), block (£, of the
    base year; 0 where none is published), relative (z in the base year) and spend_growth (h in the base year).
    `known_growth`: h by later year, where spend by council is published, missing where a council's is not.
    `position`: England's in-year position as a share of the block (negative = overspend), the mean of the
    REFERENCE_YEARS. `spend`, `block`: England's net high needs spend and high needs block by year (£);
    `growth`: yearly growth of the spend (share). `growth_sd`, `level_sd`: standard deviations, in shares a year.
    """

    base_year: int
    councils: pd.DataFrame
    known_growth: pd.DataFrame
    movement: Movement
    position: float
    spend: pd.Series
    block: pd.Series
    growth: pd.Series
    growth_sd: float
    level_sd: float

    @property
    def total_block(self) -> float:
        """£, the high needs block of England in the base year, of the councils that have one."""
        return float(self.councils["block"].sum())

    @property
    def reference(self) -> float:
        """£, England's block less its net spend, the mean of the REFERENCE_YEARS."""
        years = range(self.base_year - REFERENCE_YEARS + 1, self.base_year + 1)
        return float(np.mean([self.block[year] - self.spend[year] for year in years]))


def fit(panel: Panel, drivers: Drivers, anchor: Anchor | None) -> Fit:
    """Fit the outlook's inputs to the panel. OutlookError when too little is published to fit."""
    base = base_year(panel)
    authorities = panel.authorities.in_year(base)
    block = panel.figure("high_needs_block")[base].reindex(authorities).fillna(0.0)
    balances = panel.figure("balance").reindex(authorities)
    underlying = balances - panel.figure("bail_out").reindex(authorities).fillna(0.0).cumsum(axis=1)
    relative, position = _relative(underlying, block, base)
    spend_by_council = panel.figure("high_needs_net_spend").reindex(authorities)
    growth_by_council = relative_growth(spend_by_council, block)
    movement = _movement(relative, growth_by_council, block, base)
    start, basis = _start(panel, authorities, base)
    councils = panel.authorities.frame.loc[authorities, ["name", "region"]].assign(
        start=start,
        start_basis=basis,
        block=block,
        relative=relative[base].fillna(0.0),
        spend_growth=growth_by_council.get(base, pd.Series(0.0, index=authorities)).fillna(0.0),
    )
    spend, growth = _national_spend(panel.figure("high_needs_net_spend"))
    national_block = panel.figure("high_needs_block").sum(min_count=100).dropna()
    return Fit(
        base_year=base,
        councils=councils,
        known_growth=growth_by_council[[year for year in growth_by_council if year > base]],
        movement=movement,
        position=position,
        spend=spend,
        block=national_block,
        growth=growth,
        growth_sd=_growth_sd(growth[growth.index <= base], drivers),
        level_sd=_level_sd(underlying, councils, position, spend, national_block, drivers, base, anchor),
    )


def base_year(panel: Panel) -> int:
    """The newest year end at which nearly all councils have a published balance, and the second before it too."""
    published = panel.frame["balance"].where(~panel.frame["balance_basis"].isin(["own_outturn", "own_forecast"]))
    share = published.notna().groupby(level="year").mean()
    complete = [int(year) for year in share.index[share >= NEARLY_ALL]]
    usable = [year for year in complete if year - REFERENCE_YEARS in complete and year - 1 in share.index]
    if not usable:
        raise OutlookError(
            "no year end has balances of nearly all councils, and of two years before, among the figures "
            f"known{f' on {panel.as_of}' if panel.as_of else ''}: an outlook needs both"
        )
    return max(usable)


def _relative(balances: pd.DataFrame, block: pd.Series, base: int) -> tuple[pd.DataFrame, float]:
    """In-year positions less England's, by council and year, and England's over the reference years (shares).

    The balances are without the bail-outs received so far, as far as they are public: a grant is no improvement.

    A year of which a council has no balance before or after is missing; of the base year, the mean of the
    reference years stands in.
    """
    sized = block.where(block > 0)
    shares = balances.diff(axis=1).div(sized, axis=0)
    mean = (balances[base] - balances[base - REFERENCE_YEARS]) / REFERENCE_YEARS / sized
    position = _weighted(mean, block)
    centred = shares.apply(lambda year: year - _weighted(year, block))
    centred[base] = centred[base].fillna(mean - position)
    return centred, position


def _weighted(shares: pd.Series, block: pd.Series) -> float:
    """England's share: the councils' by size."""
    known = shares.notna()
    return float((shares * block)[known].sum() / block[known].sum()) if known.any() else float("nan")


def relative_growth(spend: pd.DataFrame, block: pd.Series) -> pd.DataFrame:
    """Yearly growth of net spend as a share of the block, less England's, by council and year."""
    published = spend.dropna(axis=1, how="all")
    shares = published.diff(axis=1).iloc[:, 1:].div(block.where(block > 0), axis=0)
    return shares.apply(lambda year: year - _weighted(year, block))


def _movement(relative: pd.DataFrame, growth: pd.DataFrame, block: pd.Series, base: int) -> Movement:
    """Fit how councils move, by Huber's robust regression over every council and year up to the base year.

    A few bail-outs and restatements are far from what any rule says; a robust regression gives them little weight.
    """
    rows = []
    for year in range(int(relative.columns.min()) + 2, base + 1):
        if year in growth and year - 1 in growth:
            parts = {"z": relative[year], "persistence": relative[year - 1]}
            rows.append(pd.DataFrame(parts | {"spend": growth[year], "spend_before": growth[year - 1]}))
    sample = pd.concat(rows).dropna() if rows else pd.DataFrame()
    if len(sample) < FEWEST:
        raise OutlookError(
            f"only {len(sample)} councils have balances and spend of two years: {FEWEST} are needed"
        )
    first = _robust(sample["z"], sample[["persistence", "spend", "spend_before"]])
    pairs = [
        pd.DataFrame({"now": growth[year], "before": growth[year - 1]})
        for year in growth
        if year <= base and year - 1 in growth
    ]
    both = pd.concat(pairs).dropna()
    second = _robust(both["now"], both[["before"]])
    return Movement(
        persistence=float(np.clip(first.params["persistence"], 0.0, 0.95)),
        spend=float(first.params["spend"]),
        spend_before=float(first.params["spend_before"]),
        scale=_t_scale(pd.Series(first.resid)),
        spend_persistence=float(np.clip(second.params["before"], 0.0, 0.95)),
        spend_scale=_t_scale(pd.Series(second.resid)),
        councils=len(sample),
    )


def _robust(outcome: pd.Series, causes: pd.DataFrame) -> sm.RLM:
    """statsmodels' robust linear model; OutlookError when it does not converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return sm.RLM(outcome, sm.add_constant(causes), M=sm.robust.norms.HuberT()).fit()
        except (ConvergenceWarning, np.linalg.LinAlgError) as error:
            raise OutlookError(f"how councils move could not be fitted to the figures held: {error}") from None


def _t_scale(values: pd.Series) -> float:
    """Scale of the Student-t whose 80% range is that of the values: the range that the outlook publishes."""
    low, high = values.dropna().quantile([0.1, 0.9])
    return float((high - low) / 2 / UPPER_DECILE)


def _national_spend(by_authority: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """England's net high needs spend by year (£) and its growth.

    Growth is of the councils that are in both years, since a few are missing from some; the level is the newest
    year's sum carried back by that growth.
    """
    totals = by_authority.dropna(axis=1, how="all")
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


def _growth_sd(growth: pd.Series, drivers: Drivers) -> float:
    """Root mean square of what the damped rule missed of each year's spend growth."""
    values = growth.to_numpy()
    missed = values[1:] - drivers.next_spend_growth(values[:-1])
    return float(np.sqrt((missed**2).mean()))


def _level_sd(
    balances: pd.DataFrame,
    councils: pd.DataFrame,
    position: float,
    spend: pd.Series,
    block: pd.Series,
    drivers: Drivers,
    base: int,
    anchor: Anchor | None,
) -> float:
    """Size of the yearly shock to England's in-year position that block and spend do not explain.

    From the in-year positions of each year that has balances of nearly all councils at both ends (of the mean of
    the last two where only they have) and, where an anchor gives it, of the year after; each less what the change
    in block and spend since the one before it says. They are few: the size is known no better than to within a
    factor of two.
    """
    gap = (block - spend).dropna() / block[base]
    complete = balances.loc[:, balances.notna().mean() >= NEARLY_ALL - 0.05]
    ends = [int(year) for year in complete.columns if year <= base]
    together = complete[ends].dropna().sum() / block[base]
    middles, in_year, gaps = [], [], []
    for before, year in pairwise(ends):
        between = range(before + 1, year + 1)
        if set(between) <= set(gap.index):
            middles.append(float(np.mean(between)))
            in_year.append((together[year] - together[before]) / (year - before))
            gaps.append(gap[list(between)].mean())
    missed, years = np.diff(in_year) - np.diff(gaps), np.diff(middles)
    if anchor is not None and anchor.year in spend.index:
        grown = 1 + drivers.growth_of_block(anchor.year) - spend[anchor.year] / block[base]
        needed = _shared_share(councils, position, anchor.gross)
        missed = np.append(missed, needed - (grown - gaps[-1]))
        years = np.append(years, anchor.year - middles[-1])
    return float(np.sqrt((missed**2 / years).mean()))


def _shared_share(councils: pd.DataFrame, position: float, gross: float) -> float:
    """Share of the block, the same for all councils, that on top of their position gives a gross deficit (£)."""
    shares = np.linspace(-1.0, 1.0, 2001)
    start, block, relative = (councils[name].to_numpy()[:, None] for name in ("start", "block", "relative"))
    deficits = np.maximum(-(start + block * (position + relative + shares)), 0.0).sum(axis=0)
    return float(np.interp(gross, deficits[::-1], shares[::-1]))


def _start(panel: Panel, authorities: pd.Index, base: int) -> tuple[pd.Series, pd.Series]:
    """Balance at the base year end and its basis; a successor that has not reported takes its share.

    The share of its predecessor's last balance is by population aged 2 to 18 among the successors (an assumption
    until the split is published); where that is not known, by the number of successors.
    """
    balances = panel.figure("balance")
    start = balances[base].reindex(authorities)
    basis = panel.frame["balance_basis"].xs(base, level="year").reindex(authorities)
    people = panel.figure("population_2_18").reindex(authorities).ffill(axis=1).iloc[:, -1]
    for authority in authorities[start.isna()]:
        start[authority], basis[authority] = 0.0, "estimated"
        for predecessor in panel.authorities.predecessors(authority):
            last = balances.loc[predecessor].dropna()
            heirs = [heir for heir in authorities if predecessor in panel.authorities.predecessors(heir)]
            share = people[authority] / people[heirs].sum() if people[heirs].notna().all() else 1 / len(heirs)
            if len(last):
                start[authority] += last.iloc[-1] * share
    return start, basis
