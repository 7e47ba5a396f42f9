"""Draws of balances: the arithmetic of the outlook, vectorised over draws and authorities.

A council's in-year position in year t, as a share of its high needs block in the base year, is

    England's position + gap(t) + level(t) + z(t)

gap(t) is how far England's block less spend has moved from its mean over the reference years, level(t) a random
walk shared by all councils, and z(t) the council's position relative to England's, which follows its own spend and
dies away: see `Movement` and docs/method.md.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from deficits.errors import OutlookError
from deficits.outlook.anchor import Anchor, Anchoring
from deficits.outlook.drivers import Drivers
from deficits.outlook.fit import TAIL, Fit

Array = npt.NDArray[np.float64]

T_SD = np.sqrt(TAIL / (TAIL - 2))
"""Standard deviation of a Student's t of scale 1."""


class Shock(IntEnum):
    """One random stream a kind of shock (and council), so that adding a year or a council moves no other."""

    SPEND_GROWTH = 0
    LEVEL = 1
    OWN_SPEND = 2
    OWN_POSITION = 3
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
    own = fit.movement.scale * _own(codes, Shock.OWN_POSITION, len(years), draws, seed)
    steps = fit.level_sd * _stream(seed, Shock.LEVEL).standard_normal((len(years), draws))
    gap = _gap(fit, drivers, years, draws, seed)
    pushed = _pushed(fit, years, codes, draws, seed)
    relative = np.repeat(fit.councils["relative"].to_numpy()[:, None], draws, axis=1)

    anchoring = None
    if anchor is not None:
        expected = start + block * (fit.position + gap[0] + fit.movement.persistence * relative + pushed[0])
        places, at = known.get(years[0], ([], np.empty(0)))
        moving = block * ~np.isin(np.arange(len(codes)), places)[:, None]
        expected[places] = at[:, None]
        anchoring = _condition(expected, moving, own[0], steps[0], fit, anchor, seed)
    shared = fit.position + gap + steps.cumsum(axis=0)

    balances = np.empty((len(years) + 1, len(codes), draws))
    balances[0] = start
    for t in range(len(years)):
        relative = fit.movement.persistence * relative + pushed[t] + own[t]
        balances[t + 1] = balances[t] + block * (shared[t] + relative)
        if years[t] in known:
            places, at = known[years[t]]
            balances[t + 1, places] = at[:, None]
            # A known balance says what the council's position of the year was.
            moved = (balances[t + 1, places] - balances[t, places]) / np.maximum(block[places], 1.0)
            relative[places] = moved - shared[t]
    return balances.transpose(2, 1, 0), anchoring


def _pushed(fit: Fit, years: list[int], codes: list[int], draws: int, seed: int) -> Array:
    """What a council's own spend does to its relative position, shape (years, authorities, draws).

    Where spend by council is published it is used; after that its relative growth dies away, with shocks.
    """
    movement = fit.movement
    shocks = movement.spend_scale * _own(codes, Shock.OWN_SPEND, len(years), draws, seed)
    before = np.repeat(fit.councils["spend_growth"].to_numpy()[:, None], draws, axis=1)
    pushed = np.empty_like(shocks)
    for t, year in enumerate(years):
        growth = movement.spend_persistence * before + shocks[t]
        if year in fit.known_growth:
            published = fit.known_growth[year].to_numpy()[:, None]
            growth = np.where(np.isnan(published), growth, published)
        pushed[t] = movement.spend * growth + movement.spend_before * before
        before = growth
    return pushed


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

    Published spend and block are used as far as they run; after that growth of spend returns to the long run with
    shocks, and the block grows as announced, then by the stated rule.
    """
    shocks = fit.growth_sd * _stream(seed, Shock.SPEND_GROWTH).standard_normal((len(years), draws))
    spend = np.full(draws, fit.spend[fit.base_year])
    growth = np.full(draws, fit.growth[fit.base_year])
    block = float(fit.block[fit.base_year])
    moved = np.empty((len(years), draws))
    for t, year in enumerate(years):
        if year in fit.growth.index:
            growth = np.full(draws, fit.growth[year])
        else:
            growth = drivers.next_spend_growth(growth) + shocks[t]
        spend = spend * (1 + growth)
        block = float(fit.block[year]) if year in fit.block.index else block * (1 + drivers.growth_of_block(year))
        moved[t] = (block - spend - fit.reference) / fit.total_block
    return moved


def _condition(
    expected: Array,
    block: Array,
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
    own_var, level_var = (fit.movement.scale * T_SD) ** 2, fit.level_sd**2
    anchoring = None
    for _ in range(50):
        after = expected + block * (own + level)
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
        step = lacking / (level_var * total**2 + own_var * (counts**2).sum(axis=0))
        level -= level_var * total * step
        own -= own_var * counts * step
    raise OutlookError(
        f"the draws cannot be held to a gross deficit of {anchor.gross:,.0f} at 31 March {anchor.year}: "
        "set anchor to 'none' or give a larger anchor_half_width"
    )
