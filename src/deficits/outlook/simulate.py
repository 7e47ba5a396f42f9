"""Draws of balances: the arithmetic of the outlook, vectorised over draws and authorities.

A council's in-year position in year t, as a share of its high needs block in the base year, is

    drift + drift error + gap(t) + level(t) + own shock(t)

where gap(t) is how far England's block less spend has moved from its mean over the years the drift was
measured in, and level(t) is a random walk shared by all councils. See docs/method.md.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from deficits.errors import OutlookError
from deficits.outlook.anchor import Anchor, Anchoring
from deficits.outlook.drivers import BASE_YEAR, Drivers
from deficits.outlook.fit import DRIFT_YEARS, TAIL, Fit

Array = npt.NDArray[np.float64]

T_SD = np.sqrt(TAIL / (TAIL - 2))
"""Standard deviation of a Student's t of scale 1."""


class Shock(IntEnum):
    """One random stream a kind of shock (and council), so that adding a year or a council moves no other."""

    SPEND_GROWTH = 0
    LEVEL = 1
    OWN_DRIFT = 2
    OWN_YEAR = 3
    ANCHOR = 4


def simulate(
    fit: Fit,
    drivers: Drivers,
    years: list[int],
    draws: int,
    seed: int,
    anchor: Anchor | None,
    known: dict[int, tuple[list[int], Array]],
) -> tuple[Array, Anchoring | None]:
    """Balances in £, shape (draws, authorities, years + 1): the base year end, then each of `years`.

    `years` run on from the base year without a gap; the anchor's year must be the first of them. `known` gives for
    a year the places of councils whose balance at its end is known, and the balances (£): every draw passes
    through them, and other councils make up what the national figure then lacks.
    """
    # In memory the draws lie innermost: sums over councils and quantiles over draws then read straight on.
    block = fit.councils["block"].to_numpy()[:, None]
    start = fit.councils["start"].to_numpy()[:, None]
    codes = [int(code) for code in fit.councils.index]
    missed = fit.own_drift_scale * _own(codes, Shock.OWN_DRIFT, 1, draws, seed)[0]
    own = fit.own_shock_scale * _own(codes, Shock.OWN_YEAR, len(years), draws, seed)
    steps = fit.level_sd * _stream(seed, Shock.LEVEL).standard_normal((len(years), draws))
    drift = fit.councils["drift"].to_numpy()[:, None]
    gap = _gap(fit, drivers, years, draws, seed)

    anchoring = None
    if anchor is not None:
        expected = start + block * (drift + gap[0])
        places, at = known.get(years[0], ([], np.empty(0)))
        moving = block * ~np.isin(np.arange(len(codes)), places)[:, None]
        expected[places] = at[:, None]
        anchoring = _condition(expected, moving, missed, own[0], steps[0], fit, anchor, seed)
    shared = gap + steps.cumsum(axis=0)

    balances = np.empty((len(years) + 1, len(codes), draws))
    balances[0] = start
    drift = drift + missed
    for t in range(len(years)):
        balances[t + 1] = balances[t] + block * (drift + own[t] + shared[t])
        if years[t] in known:
            places, at = known[years[t]]
            balances[t + 1, places] = at[:, None]
    return balances.transpose(2, 1, 0), anchoring


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _own(codes: list[int], kind: Shock, years: int, draws: int, seed: int) -> Array:
    """Student-t shocks of scale 1, shape (years, authorities, draws)."""
    shocks = np.empty((years, len(codes), draws))
    for row, code in enumerate(codes):
        shocks[:, row] = _stream(seed, kind, code).standard_t(TAIL, (years, draws))
    return shocks


def _gap(fit: Fit, drivers: Drivers, years: list[int], draws: int, seed: int) -> Array:
    """How far block less spend has moved, as a share of the base year's block, shape (years, draws).

    Published spend is used as far as it runs; after that its growth returns to the long run with shocks.
    The block grows as announced, then by the stated rule.
    """
    shocks = fit.growth_sd * _stream(seed, Shock.SPEND_GROWTH).standard_normal((len(years), draws))
    spend = np.full(draws, fit.spend[BASE_YEAR])
    growth = np.full(draws, fit.spend_growth[BASE_YEAR])
    block = fit.total_block
    measured = range(BASE_YEAR - DRIFT_YEARS + 1, BASE_YEAR + 1)
    reference = np.mean([fit.block[year] - fit.spend[year] for year in measured])
    moved = np.empty((len(years), draws))
    for t, year in enumerate(years):
        if year in fit.spend_growth.index:
            growth = np.full(draws, fit.spend_growth[year])
        else:
            growth = drivers.next_spend_growth(growth) + shocks[t]
        spend = spend * (1 + growth)
        block = block * (1 + drivers.growth_of_block(year))
        moved[t] = (block - spend - reference) / fit.total_block
    return moved


def _condition(
    expected: Array,
    block: Array,
    missed: Array,
    own: Array,
    level: Array,
    fit: Fit,
    anchor: Anchor,
    seed: int,
) -> Anchoring:
    """Move the first year's shocks, in place, so that each draw has the published gross deficit.

    The exact update of a Gaussian model: each shock takes a part of what is missing in proportion to its
    variance and to what it does to the total (a national shock much, one council's little). The gross deficit
    is not quite linear, since surpluses do not count, so the step is repeated until the total is met.
    """
    draws = level.size
    target = anchor.gross + anchor.half_width * _stream(seed, Shock.ANCHOR).uniform(-1.0, 1.0, draws)
    drift_var, own_var = (fit.own_drift_scale * T_SD) ** 2, (fit.own_shock_scale * T_SD) ** 2
    level_var = fit.level_sd**2
    anchoring = None
    for _ in range(50):
        after = expected + block * (missed + own + level)
        gross = np.maximum(-after, 0.0).sum(axis=0)
        if anchoring is None:
            anchoring = Anchoring(
                anchor, float(gross.mean()), float(np.hypot(gross.std(), anchor.half_width / 3**0.5))
            )
        lacking = target - gross
        if np.all(np.abs(lacking) < 1.0):
            return anchoring
        # £ of gross deficit for each unit (share of the block) that a shock falls.
        counts = np.where(after < 0, block, 0.0)
        total = counts.sum(axis=0)
        step = lacking / (level_var * total**2 + (drift_var + own_var) * (counts**2).sum(axis=0))
        level -= level_var * total * step
        missed -= drift_var * counts * step
        own -= own_var * counts * step
    raise OutlookError(
        f"the draws cannot be held to a gross deficit of {anchor.gross:,.0f} at 31 March {anchor.year}: "
        "set anchor to 'none' or give a larger anchor_half_width"
    )
