"""What the outlook takes from the published figures: starting balances, drifts, sizes of shocks.

Shares are of a council's high needs block in the base year, so a big and a small council compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from deficits.errors import OutlookError
from deficits.outlook.anchor import Anchor
from deficits.outlook.drivers import BASE_YEAR, Drivers
from deficits.panel import Panel

DRIFT_YEARS = 2
"""Own drift is measured over the two years to the base year; of 2023 only some councils' balances are held."""
TAIL = 4
"""Degrees of freedom of the councils' shocks (Student's t): their yearly changes 2020 to 2022 have an excess
kurtosis of about 15, which a normal distribution cannot show. An assumption; the scale is fitted."""

UPPER_QUARTILE = 0.740697084112677
"""Upper quartile of Student's t with TAIL degrees of freedom and scale 1 (a test holds it to scipy's)."""


@dataclass(frozen=True)
class Fit:
    """Fitted inputs of the simulation; frames and series are indexed by authority (DfE number).

    `councils`: name, region, start (£, balance at the base year end, negative = deficit), start_basis
    (reported, ..., or estimated), block (£, of the base year; 0 where none is published), drift (in-year
    position a year as a share of the block; negative = overspend). `spend` and `block`: England's net high
    needs spend and high needs block by year (£). `spend_growth`: yearly growth of the spend (share).
    Shock sizes are Student-t scales (own_*) or standard deviations (growth_sd, level_sd), in shares a year.
    """

    councils: pd.DataFrame
    spend: pd.Series
    block: pd.Series
    spend_growth: pd.Series
    own_drift_scale: float
    own_shock_scale: float
    growth_sd: float
    level_sd: float

    @property
    def total_block(self) -> float:
        """£, the high needs block of England in the base year, of the councils that have one."""
        return float(self.councils["block"].sum())


def fit(panel: Panel, drivers: Drivers, anchor: Anchor | None) -> Fit:
    """Fit the outlook's inputs to the panel. OutlookError when too little is published to fit."""
    balances = panel.figure("balance")
    authorities = panel.authorities.in_year(BASE_YEAR)
    block = panel.figure("high_needs_block")[BASE_YEAR].reindex(authorities).fillna(0.0)
    balances = balances.reindex(authorities)
    shares = balances.div(block.where(block > 0), axis=0)

    own = (shares[BASE_YEAR] - shares[BASE_YEAR - DRIFT_YEARS]) / DRIFT_YEARS
    if own.notna().sum() < 30:
        raise OutlookError(
            f"only {own.notna().sum()} councils have a balance in {BASE_YEAR - DRIFT_YEARS} and {BASE_YEAR}: "
            "at least 30 are needed to fit the outlook"
        )
    own_shock, own_drift = _own_scales(shares, block, drivers.own_drift_weight)
    start, basis = _start(panel, authorities)
    labels = panel.authorities.frame.loc[authorities, ["name", "region"]]
    councils = labels.assign(
        start=start, start_basis=basis, block=block, drift=_blend(own, block, drivers.own_drift_weight)
    )
    spend, growth = _national_spend(panel.figure("high_needs_net_spend"))
    national_block = panel.figure("high_needs_block").sum(min_count=100).dropna()
    return Fit(
        councils=councils,
        spend=spend,
        block=national_block,
        spend_growth=growth,
        own_drift_scale=own_drift,
        own_shock_scale=own_shock,
        growth_sd=_growth_sd(growth, drivers),
        level_sd=_level_sd(balances, councils, spend, national_block, drivers, anchor),
    )


def _blend(own: pd.Series, block: pd.Series, weight: float) -> pd.Series:
    """Own drift and England's, by size; England's alone where a council has none of its own."""
    known = own.notna()
    national = float((own * block)[known].sum() / block[known].sum())
    return (weight * own + (1 - weight) * national).fillna(national)


def _own_scales(shares: pd.DataFrame, block: pd.Series, weight: float) -> tuple[float, float]:
    """Scales of a council's yearly shock and of the error in its drift.

    The shock from the change between two successive in-year positions (its variance is twice the shock's);
    the drift's error from what the blend of 2020 to 2022 missed of 2022 to 2024, less the shocks in it.
    """
    first = shares[2021] - shares[2020]
    second = shares[2022] - shares[2021]
    shock = _t_scale(second - first) / np.sqrt(2)
    before = (shares[2022] - shares[2020]) / DRIFT_YEARS
    after = (shares[2024] - shares[2022]) / DRIFT_YEARS
    missed = _t_scale(after - _blend(before, block, weight).where(before.notna()))
    drift = np.sqrt(max(missed**2 - shock**2 / DRIFT_YEARS, 0.0))
    return float(shock), float(drift)


def _t_scale(values: pd.Series) -> float:
    """Scale of a Student-t from the median absolute deviation, which a few bail-outs cannot move."""
    known = values.dropna()
    return float((known - known.median()).abs().median() / UPPER_QUARTILE)


def _national_spend(by_authority: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """England's net high needs spend by year (£) and its growth.

    Growth is of the councils that are in both years, since a few are missing from some; the level is the
    newest year's sum carried back by that growth.
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
    spend: pd.Series,
    block: pd.Series,
    drivers: Drivers,
    anchor: Anchor | None,
) -> float:
    """Size of the yearly shock to England's in-year position that block and spend do not explain.

    From the in-year positions of 2020-21, of 2021-22, of the mean of 2022-23 and 2023-24 and, where an anchor
    gives it, of the year after; each less what the change in block and spend since the one before it says.
    Three steps are few: the size is known no better than to within a factor of two.
    """
    gap = (block - spend).dropna() / block[BASE_YEAR]
    together = balances[[2020, 2021, 2022, BASE_YEAR]].dropna().sum() / block[BASE_YEAR]
    in_year = {2021.0: together[2021] - together[2020], 2022.0: together[2022] - together[2021]}
    in_year[2023.5] = (together[BASE_YEAR] - together[2022]) / DRIFT_YEARS
    gaps = {2021.0: gap[2021], 2022.0: gap[2022], 2023.5: gap[[2023, BASE_YEAR]].mean()}
    missed = np.diff(list(in_year.values())) - np.diff(list(gaps.values()))
    years = np.diff(list(in_year))
    if anchor is not None and anchor.year in spend.index:
        grown = 1 + drivers.growth_of_block(anchor.year) - spend[anchor.year] / block[BASE_YEAR]
        missed = np.append(missed, _shared_share(councils, anchor.gross) - (grown - gaps[2023.5]))
        years = np.append(years, anchor.year - 2023.5)
    return float(np.sqrt((missed**2 / years).mean()))


def _shared_share(councils: pd.DataFrame, gross: float) -> float:
    """Share of the block, the same for all councils, that on top of their drift gives that gross deficit (£)."""
    shares = np.linspace(-1.0, 1.0, 2001)
    start, block, drift = (councils[name].to_numpy()[:, None] for name in ("start", "block", "drift"))
    deficits = np.maximum(-(start + block * (drift + shares)), 0.0).sum(axis=0)
    return float(np.interp(gross, deficits[::-1], shares[::-1]))


def _start(panel: Panel, authorities: pd.Index) -> tuple[pd.Series, pd.Series]:
    """Balance at the base year end and its basis; a successor that has not reported takes its share.

    The share of its predecessor's last balance is by population aged 2 to 18 among the successors (an
    assumption until the split is published).
    """
    balances = panel.figure("balance")
    start = balances[BASE_YEAR].reindex(authorities)
    basis = panel.frame["balance_basis"].xs(BASE_YEAR, level="year").reindex(authorities)
    people = panel.figure("population_2_18")[BASE_YEAR]
    for authority in authorities[start.isna()]:
        start[authority], basis[authority] = 0.0, "estimated"
        for predecessor in panel.authorities.predecessors(authority):
            last = balances.loc[predecessor].dropna()
            heirs = [heir for heir in authorities if predecessor in panel.authorities.predecessors(heir)]
            if len(last):
                start[authority] += last.iloc[-1] * people[authority] / people[heirs].sum()
    return start, basis
