"""What the projection takes from the published figures: starting points, how councils move, sizes of shocks.

Shares are of a council's high needs block in the base year, so a big and a small council compare. A council's
*relative* position is its share less England's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import statsmodels.api as sm
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from deficits.assumptions import PROGRAMME_ENDED, Assumptions
from deficits.errors import ProjectionError
from deficits.formatting import year_end
from deficits.panel import Panel
from deficits.panel.choice import SOURCES
from deficits.projection.growth import History, history

T = TypeVar("T")

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
FEWEST = 30
"""Councils below which nothing can be fitted."""
UPPER_DECILE = 1.5332062740589
"""Upper decile of Student's t with TAIL degrees of freedom and scale 1 (a test holds it to scipy's)."""


@dataclass(frozen=True)
class Movement:
    """How a council's relative in-year position z moves with its relative growth of net spend h and of block f.

    z(t) = persistence z(t-1) + spend h(t) + spend_before h(t-1) + block f(t) + shock; h(t) = spend_persistence
    h(t-1) + shock. All are shares of the block. f is 0 where no block by council is published.
    The scales are those of Student-t shocks, as multiples of the half range of h across councils in the year: in a
    year in which councils' spend grows at very different rates they also stray further. `unrest` (const, spend,
    position) says by how much more those stray that move much. `councils` is how many council-years the first line
    was fitted to.
    """

    persistence: float
    spend: float
    spend_before: float
    block: float
    unrest: pd.Series
    scale: float
    spend_persistence: float
    spend_scale: float
    councils: int

    def volatility(self, growth: pd.Series, position: pd.Series, spread: float) -> npt.NDArray[np.float64]:
        """Scale of each council's own shock of a year (share of the block), from its h then and its z before."""
        moving = _moving(growth / spread, position / spread)
        unrest: pd.Series = self.unrest["const"] + moving @ self.unrest[moving.columns]
        scale: npt.NDArray[np.float64] = (self.scale * spread * unrest).to_numpy()
        return scale


@dataclass(frozen=True)
class Fit:
    """Fitted inputs of the simulation; frames and series are indexed by authority (DfE number).

    `base_year`: the newest year end with balances of nearly all councils; `reference_start`: the one that
    England's in-year position is measured from. `origin`: the newest year until then with England's plans,
    placements, unit cost and block, from which its spend is projected. `councils`: name, region, start (£, balance
    at the base year end, negative = deficit), start_basis (reported, ..., or estimated), last_known (year end of
    the last balance that is known), block (£, newest published until the base year; 0 where none is), relative (z
    in the base year), spend_growth (h in the base year) and spend (£, newest published net spend). `known_growth`:
    h by later year, where spend by council is published, missing where a council's is not; `known_funding`: f
    likewise. `position`: England's in-year position as a share of the block (negative = overspend), the mean of
    the REFERENCE_YEARS. `history`: England's spend and its parts; `block`: England's high needs block by year (£).
    `spread`: half range of h across councils, by year, which own shocks are scaled by. `level_sd`: standard
    deviation of the shared shock, share of the block a year, from `level_misses` observations.
    `safety_valve_payments`: safety valve grant by year, published or scheduled, £.
    """

    base_year: int
    reference_start: int
    origin: int
    councils: pd.DataFrame
    known_growth: pd.DataFrame
    known_funding: pd.DataFrame
    movement: Movement
    position: float
    history: History
    block: pd.Series
    spread: pd.Series
    level_sd: float
    level_misses: int
    safety_valve_payments: pd.DataFrame

    @property
    def total_block(self) -> float:
        """£, the high needs block of England in the base year, of the councils that have one."""
        return float(self.councils["block"].sum())

    @property
    def reference_years(self) -> range:
        """The years whose mean England's in-year position is taken from."""
        return range(self.reference_start + 1, self.base_year + 1)

    def once(self, name: str, key: Hashable, work: Callable[[], T]) -> T:
        """What follows from the fit and a key, worked out once: the newest under a name is kept with the fit."""
        held = self._kept.get(name)
        if held is None or held[0] != key:
            held = self._kept[name] = (key, work())
        return cast(T, held[1])

    @cached_property
    def _kept(self) -> dict[str, tuple[Hashable, object]]:
        return {}

    def with_assumptions(self, assumptions: Assumptions) -> Fit:
        """The fit under other assumptions: only the sizes of England's shocks depend on them."""
        again = replace(self, history=self.history.with_residuals(assumptions))
        # What has been worked out is kept under what it depends on, so it can be handed on.
        again._kept.update(self._kept)
        return again

    def __getstate__(self) -> dict[str, object]:
        # What is kept can be worked out again, and is far larger than the fit.
        return {name: value for name, value in vars(self).items() if name != "_kept"}

    def spread_in(self, year: int) -> float:
        """How wide own shocks are in a year; after the published years as in the newest."""
        return float(self.spread.get(year, self.spread.iloc[-1]))


def fit(panel: Panel, assumptions: Assumptions, until: int) -> Fit:
    """Fit the projection's inputs to the panel. ProjectionError when too little is published to fit."""
    base, reference_start = year_ends(panel)
    authorities = panel.authorities.in_year(base)
    blocks = panel.figure("high_needs_block").reindex(authorities)
    block = _newest_block(blocks, base)
    receipts = safety_valve_payments(panel, authorities)
    balances = Balances.of(panel, authorities, received(receipts))
    relative, position = _relative(balances, block, base, reference_start)
    spend_by_council = panel.figure("high_needs_net_spend").reindex(authorities)
    growth_by_council = relative_growth(spend_by_council, block)
    known = history(panel, assumptions, until)
    spread = _half_range(growth_by_council)
    funded_by_council = relative_growth(blocks, block)
    movement = _movement(relative, growth_by_council, funded_by_council, base, spread)
    start, basis, last_known = _start(panel, authorities, base)
    newest_growth = max((year for year in growth_by_council if year <= base), default=None)
    if newest_growth is None:
        raise ProjectionError(f"net spend by council is not among the figures known until {year_end(base)}")
    councils = panel.authorities.frame.loc[authorities, ["name", "region"]].assign(
        start=start,
        start_basis=basis,
        last_known=last_known,
        block=block,
        relative=relative[base].fillna(0.0),
        # Where spend is older than the balances, relative growth has died away since.
        spend_growth=growth_by_council[newest_growth].fillna(0.0)
        * movement.spend_persistence ** (base - newest_growth),
        spend=spend_by_council.ffill(axis=1).iloc[:, -1].fillna(0.0),
    )
    national_block = panel.figure("high_needs_block").sum(min_count=ENGLAND).dropna()
    missed = _level_missed(balances, known.spend, national_block, base, _size_year(blocks, base))
    return Fit(
        base_year=base,
        reference_start=reference_start,
        origin=_origin(known, national_block, base, reference_start),
        councils=councils,
        known_growth=growth_by_council[[year for year in growth_by_council if year > base]],
        known_funding=funded_by_council[[year for year in funded_by_council if year > base]],
        movement=movement,
        position=position,
        history=known,
        block=national_block,
        spread=spread,
        level_sd=float(np.sqrt((missed**2).mean())),
        level_misses=len(missed),
        safety_valve_payments=receipts,
    )


def safety_valve_payments(panel: Panel, authorities: pd.Index) -> pd.DataFrame:
    """Safety valve payments by council and year, £ (>= 0): as published, else as the agreement schedules them."""
    by_year = panel.agreements.pivot_table(index="authority", columns="year", values="value", aggfunc="sum")
    return by_year.reindex(authorities).fillna(0.0)


def received(payments: pd.DataFrame) -> pd.DataFrame:
    """Safety valve payments that published balances hold: those of the programme's years, £."""
    last = PROGRAMME_ENDED.number
    return payments.loc[:, [year for year in payments if year <= last]]


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
    """Balances by council (rows) and year end, £: the chosen ones, the name of the source of each, and every
    source's.

    `payments`: safety valve payments by council and year, £.
    """

    chosen: pd.DataFrame
    source: pd.DataFrame
    sources: dict[str, pd.DataFrame]
    payments: pd.DataFrame

    @classmethod
    def of(cls, panel: Panel, authorities: pd.Index, payments: pd.DataFrame) -> Balances:
        """Those of a panel."""
        chosen = panel.figure("balance").reindex(authorities)
        sources = {name: panel.figure(name).reindex(authorities) for name in SOURCES}
        places = panel.frame["balance_source"]
        source = pd.DataFrame(index=chosen.index, columns=chosen.columns, dtype=object)
        for name in SOURCES:
            same = (panel.frame[f"{name}_source"] == places).unstack("year").reindex(authorities)
            source = source.mask(same.eq(True), name)
        return cls(chosen, source, sources, payments)

    def moved(self, before: int, year: int) -> pd.Series:
        """Change between two year ends without the payments received, £; missing where either balance is.

        A grant is no improvement. Where the two ends come from sources that disagree, the later one's source is
        taken at both ends.
        """
        earlier = self.chosen[before].copy()
        for name, balances in self.sources.items():
            restated = balances[before].where(self.source[year].eq(name) & self.source[before].ne(name))
            differs = (restated - earlier).abs() > RESTATED
            earlier = earlier.mask(differs, restated)
        paid = self.payments.reindex(columns=range(before + 1, year + 1)).fillna(0.0).sum(axis=1)
        return self.chosen[year] - earlier - paid


def _newest_block(blocks: pd.DataFrame, base: int) -> pd.Series:
    """The high needs block of the newest year until the base year that has one, £; 0 where none is published."""
    return blocks[_size_year(blocks, base)].fillna(0.0)


def _size_year(blocks: pd.DataFrame, base: int) -> int:
    published = [int(year) for year in blocks.columns if year <= base and blocks[year].notna().sum() >= ENGLAND]
    if not published:
        raise ProjectionError(f"no high needs block by council is among the figures known until {year_end(base)}")
    return max(published)


def _origin(known: History, block: pd.Series, base: int, reference_start: int) -> int:
    """The newest year until the base year in which all of England's spend and its block are published.

    A reference year before it must be published too, or else an earlier year is taken and that one projected.
    """
    years = set(known.plans.index) & set(known.shares.columns) & set(known.unit_cost.index) & set(block.index)
    years &= set(known.rate_growth.index) & set(known.cost_growth.index)
    whole = set(known.spend.index) & set(block.index)
    usable = [year for year in years if year <= base and set(range(reference_start + 1, year)) <= whole]
    if not usable:
        raise ProjectionError(
            "England's plans, placements, spend and block have no year in common to project from"
        )
    return int(max(usable))


def _relative(balances: Balances, block: pd.Series, base: int, reference_start: int) -> tuple[pd.DataFrame, float]:
    """In-year positions less England's, by council and year, and England's over the reference years (shares).

    A year of which a council has no balance before or after is missing; of the base year, the mean of the
    reference years stands in.
    """
    sized = block.where(block > 0)
    years = [int(year) for year in balances.chosen.columns]
    moved = {year: balances.moved(year - 1, year) / sized for year in years[1:]}
    mean = balances.moved(reference_start, base) / (base - reference_start) / sized
    position = _weighted(mean, block)
    centred = pd.DataFrame({year: shares - _weighted(shares, block) for year, shares in moved.items()})
    centred[base] = centred[base].fillna(mean - position)
    return centred, position


def _weighted(shares: pd.Series, block: pd.Series) -> float:
    """England's share: the councils' by size."""
    known = shares.notna()
    return float((shares * block)[known].sum() / block[known].sum()) if known.any() else float("nan")


def relative_growth(money: pd.DataFrame, block: pd.Series) -> pd.DataFrame:
    """Yearly growth of net spend, or of the block, as a share of the block, less England's, by council.

    Over years of which nothing is published it is spread evenly.
    """
    published = money.dropna(axis=1, how="all")
    if published.empty:
        return pd.DataFrame(index=money.index)
    years = range(int(published.columns[0]), int(published.columns[-1]) + 1)
    inside = [year for year in years if year not in published]
    filled = published.reindex(columns=years)
    if inside:
        filled[inside] = filled.interpolate(axis=1, limit_area="inside")[inside]
    shares = filled.diff(axis=1).iloc[:, 1:].div(block.where(block > 0), axis=0)
    return shares.apply(lambda year: year - _weighted(year, block))


def _movement(
    relative: pd.DataFrame, growth: pd.DataFrame, funded: pd.DataFrame, base: int, spread: pd.Series
) -> Movement:
    """Fit how councils move, by Huber's robust regression over every council and year up to the base year.

    A few bail-outs and restatements are far from what any rule says; a robust regression gives them little weight.
    """
    rows = []
    for year in range(int(relative.columns.min()) + 2, base + 1):
        if year in growth and year - 1 in growth and year in funded:
            parts = {"z": relative[year], "persistence": relative[year - 1], "block": funded[year]}
            parts |= {"spend": growth[year], "spend_before": growth[year - 1]}
            rows.append((pd.DataFrame(parts) / spread[year]).assign(year=year))
    sample = pd.concat(rows).dropna() if rows else pd.DataFrame()
    if len(sample) < FEWEST:
        raise ProjectionError(
            f"only {len(sample)} councils have balances and spend of two years: {FEWEST} are needed"
        )
    first = _robust(sample["z"], sample[["persistence", "spend", "spend_before", "block"]])
    # Where only some balances of a year are held, they are those of councils whose two returns agree, the tidier
    # ones: how far councils stray is taken from years of nearly all.
    size = sample.groupby("year")["z"].transform("size")
    whole = size >= NEARLY_ALL * size.max()
    missed = pd.Series(first.resid)[whole]
    # Councils that move much are missed by more.
    moving = _moving(sample["spend"], sample["persistence"])[whole]
    third = _robust(missed.abs(), moving)
    unrest = third.params.clip(lower=0.0)
    pairs = [
        pd.DataFrame({"now": growth[year], "before": growth[year - 1]}) / spread[year]
        for year in growth
        if year <= base and year - 1 in growth
    ]
    both = pd.concat(pairs).dropna()
    second = _robust(both["now"], both[["before"]])
    return Movement(
        persistence=float(np.clip(first.params["persistence"], 0.0, 0.95)),
        spend=float(first.params["spend"]),
        spend_before=float(first.params["spend_before"]),
        block=float(first.params["block"]),
        unrest=unrest,
        scale=_t_scale(missed / (unrest["const"] + moving @ unrest[moving.columns])),
        spend_persistence=float(np.clip(second.params["before"], 0.0, 0.95)),
        spend_scale=_t_scale(pd.Series(second.resid)),
        councils=len(sample),
    )


def _moving(growth: pd.Series, position: pd.Series) -> pd.DataFrame:
    """How much councils move, whichever way; both as multiples of the half range across councils."""
    return pd.DataFrame({"spend": growth.abs(), "position": position.abs()})


def _robust(outcome: pd.Series, causes: pd.DataFrame) -> sm.RLM:
    """statsmodels' robust linear model; ProjectionError when it does not converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return sm.RLM(outcome, sm.add_constant(causes), M=sm.robust.norms.HuberT()).fit()
        except (ConvergenceWarning, np.linalg.LinAlgError) as error:
            raise ProjectionError(f"how councils move could not be fitted to the figures held: {error}") from None


def _half_range(shares: pd.DataFrame) -> pd.Series:
    """Half of the 80% range across councils, by year."""
    return (shares.quantile(0.9) - shares.quantile(0.1)) / 2


def _t_scale(values: pd.Series) -> float:
    """Scale of the Student-t whose 80% range is that of the values: the range that the projection publishes."""
    low, high = values.dropna().quantile([0.1, 0.9])
    return float((high - low) / 2 / UPPER_DECILE)


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


def _start(panel: Panel, authorities: pd.Index, base: int) -> tuple[pd.Series, pd.Series, pd.Series]:
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
