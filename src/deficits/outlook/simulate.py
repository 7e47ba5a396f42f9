"""Draws of balances: the arithmetic of the outlook, vectorised over draws and authorities.

A council's in-year position in year t, as a share of its high needs block in the base year, is

    England's position + gap(t) + level(t) + z(t)

gap(t) is how far England's block less spend has moved from its mean over the reference years, level(t) a random
walk shared by all councils, and z(t) the council's position relative to England's, which follows its own spend and
dies away: see `Movement` and docs/method.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from deficits.errors import OutlookError
from deficits.outlook.anchor import Anchor, Anchoring
from deficits.outlook.drivers import PROGRAMME_ENDED, Drivers
from deficits.outlook.fit import REFERENCE_YEARS, Fit
from deficits.outlook.growth import Paths, growth_shocks, paths, uncertain_size
from deficits.outlook.streams import TAIL, Shock, own_shocks, stream

Array = npt.NDArray[np.float64]

Change = Callable[[Paths], Array | None]

FIRST_STEP = float(np.sqrt((REFERENCE_YEARS + 1) / 2))
"""The first step of the level runs from the middle of the reference years to the first projected year."""

T_SD = np.sqrt(TAIL / (TAIL - 2))
"""Standard deviation of a Student's t of scale 1."""


@dataclass(frozen=True)
class Simulation:
    """Balances in £, shape (draws, authorities, years + 1), the base year end first; England's paths behind them;
    how the national figure fitted, if there was one; the bail-outs inside the balances, £, shape (years,
    authorities); what own drivers and levers changed, £, shape (years, authorities, draws) or None; and how each
    forecast that they were drawn to fitted."""

    balances: Array
    paths: Paths
    anchoring: Anchoring | None
    receipts: Array
    changed: Array | None
    holdings: tuple[Anchoring, ...]


def simulate(
    fit: Fit,
    drivers: Drivers,
    years: list[int],
    draws: int,
    seed: int,
    anchor: Anchor | None,
    known: dict[int, tuple[list[int], Array]],
    change: Change,
) -> Simulation:
    """Draws of balances. `years` run on from the base year without a gap; the anchor's year must be the first.

    `known` gives for a year the places of councils whose balance at its end is known, and the balances (£): every
    draw passes through them, and other councils make up what the national figure then lacks. `change`, from the
    paths, is what councils' own drivers and levers add to each year's position (£, shape (years, authorities,
    draws) or broadcasting to it); it touches no published year.
    """
    shocks = _shared_shocks(fit, len(years), draws, seed)
    run = _run(fit, drivers, years, shocks, seed, anchor, known, change)
    if not drivers.held_to:
        return run
    nudged, holdings = _nudged(shocks, run.balances, years, drivers, seed)
    run = _run(fit, drivers, years, nudged, seed, anchor, known, change)
    return replace(run, holdings=holdings)


@dataclass(frozen=True)
class Shared:
    """Shocks that councils share, shape (years, draws): to growth of plan rate and unit cost, and to the level."""

    rate: Array
    cost: Array
    level: Array


def _shared_shocks(fit: Fit, years: int, draws: int, seed: int) -> Shared:
    rate, cost = growth_shocks(fit.history, years, draws, seed)
    steps = _level_size(fit, draws, seed) * stream(seed, Shock.LEVEL, 0).standard_normal((years, draws))
    steps[0] *= FIRST_STEP
    return Shared(rate, cost, steps)


def _level_size(fit: Fit, draws: int, seed: int) -> Array:
    return fit.level_sd * uncertain_size(fit.level_misses, draws, seed, Shock.LEVEL)


def _run(
    fit: Fit,
    drivers: Drivers,
    years: list[int],
    shared: Shared,
    seed: int,
    anchor: Anchor | None,
    known: dict[int, tuple[list[int], Array]],
    change: Change,
) -> Simulation:
    # In memory the draws lie innermost: sums over councils and quantiles over draws then read straight on.
    councils = fit.councils
    draws = shared.level.shape[1]
    block = councils["block"].to_numpy()[:, None]
    start = councils["start"].to_numpy()[:, None]
    codes = tuple(int(code) for code in councils.index)
    # No driver but those of the fit moves these two, so a changed driver or lever finds them as they were.
    run = (tuple(years), draws, seed)
    scale, own = fit.once("own", run, lambda: _own(fit, years, codes, draws, seed))
    england = paths(fit.history, fit.block, fit.base_year, drivers, years, shared.rate, shared.cost, seed)
    gap = (england.block - england.spend - fit.reference)[1:] / fit.total_block
    pushed = fit.once("pushed", run, lambda: _pushed(fit, years, codes, draws, seed))
    relative = np.repeat(councils["relative"].to_numpy()[:, None], draws, axis=1)
    receipts = _receipts(fit, drivers, years)
    added = receipts[:, :, None]
    steps = shared.level.copy()

    anchoring, first = None, own[0]
    if anchor is not None:

        def held() -> tuple[Anchoring, Array, Array]:
            position = fit.position + gap[0] + fit.movement.persistence * relative + pushed[0]
            expected = start + block * position + added[0]
            places, at = known.get(years[0], ([], np.empty(0)))
            moving = block * ~np.isin(np.arange(len(codes)), places)[:, None]
            expected[places] = at[:, None]
            level_sd = FIRST_STEP * _level_size(fit, draws, seed)
            shocks, level = own[0].copy(), steps[0].copy()
            found = _condition(expected, moving, shocks, level, scale[0], level_sd, anchor, seed)
            return found, shocks, level

        places, at = known.get(years[0], ([], np.empty(0)))
        first_year = (gap[0].tobytes(), steps[0].tobytes(), receipts[0].tobytes(), tuple(places), at.tobytes())
        anchoring, first, steps[0] = fit.once("held", (*run, anchor, *first_year), held)
    position = fit.position + gap + steps.cumsum(axis=0)
    changed = change(england)
    if changed is not None:
        added = added + changed

    balances = np.empty((len(years) + 1, len(codes), draws))
    balances[0] = start
    moved = np.empty_like(relative)
    for t, year in enumerate(years):
        # In place: fresh memory for each step would cost more than its arithmetic.
        relative *= fit.movement.persistence
        relative += pushed[t]
        relative += own[t] if t else first
        np.add(position[t], relative, out=moved)
        moved *= block
        np.add(balances[t], moved, out=balances[t + 1])
        balances[t + 1] += added[t]
        if year in known:
            places, at = known[year]
            balances[t + 1, places] = at[:, None]
            # A known balance says what the council's position of the year was.
            step = balances[t + 1, places] - balances[t, places] - added[t][places]
            relative[places] = step / np.maximum(block[places], 1.0) - position[t]
    return Simulation(balances.transpose(2, 1, 0), england, anchoring, receipts, changed, ())


def _nudged(
    shared: Shared, balances: Array, years: list[int], drivers: Drivers, seed: int
) -> tuple[Shared, tuple[Anchoring, ...]]:
    """The shared shocks, moved towards forecasts of the gross deficit, and how these fit the model.

    The ensemble form of a Gaussian update: each shock moves by its covariance with the deficit over draws, and a
    forecast counts the more the smaller its error is beside the spread of the draws.
    """
    for held in drivers.held_to:
        if held.year not in years:
            raise OutlookError(f"held_to {held.year} is not a projected year: {years[0]} to {years[-1]}")
    gross = np.stack(
        [np.maximum(-balances[:, :, years.index(held.year) + 1], 0.0).sum(axis=1) for held in drivers.held_to]
    )
    told = np.array([held.gross for held in drivers.held_to])[:, None]
    errors = np.array([held.sd for held in drivers.held_to])[:, None]
    shocks = np.concatenate([shared.rate, shared.cost, shared.level])
    draws = gross.shape[1]
    away, moving = gross - gross.mean(axis=1, keepdims=True), shocks - shocks.mean(axis=1, keepdims=True)
    spread = np.atleast_2d(away @ away.T / (draws - 1)) + np.diag(errors[:, 0] ** 2)
    wanted = told + errors * stream(seed, Shock.HELD).standard_normal(gross.shape)
    shocks = shocks + (moving @ away.T / (draws - 1)) @ np.linalg.solve(spread, wanted - gross)
    holdings = tuple(
        Anchoring(
            Anchor(held.year, held.gross, held.sd),
            expected=float(each.mean()),
            sd=float(np.hypot(each.std(), held.sd)),
            low=float(np.quantile(each, 0.1)),
            high=float(np.quantile(each, 0.9)),
        )
        for held, each in zip(drivers.held_to, gross, strict=True)
    )
    return Shared(*np.split(shocks, 3)), holdings


def _receipts(fit: Fit, drivers: Drivers, years: list[int]) -> Array:
    """Safety valve grant of projected years as the driver says, £, shape (years, authorities)."""
    last = {"until_2026": PROGRAMME_ENDED[0], "as_agreed": years[-1], "none": fit.base_year}[drivers.bail_outs]
    paid = fit.bail_outs.reindex(columns=years).fillna(0.0)
    return np.where(np.array(years)[:, None] <= last, paid.to_numpy().T, 0.0)


def _volatility(fit: Fit, year: int) -> Array:
    """Scale of each council's own shock of a year: from its spend growth, or that of the newest published year."""
    published = [column for column in fit.known_growth if column <= year]
    growth = fit.known_growth[published[-1]].fillna(0.0) if published else fit.councils["spend_growth"]
    return fit.movement.volatility(growth, fit.councils["relative"], fit.spread_in(year))


def _own(fit: Fit, years: list[int], codes: tuple[int, ...], draws: int, seed: int) -> tuple[Array, Array]:
    """Scales of councils' own shocks, shape (years, authorities, 1), and the shocks."""
    scale = np.stack([_volatility(fit, year) for year in years])[:, :, None]
    shocks = scale * own_shocks(codes, Shock.OWN_POSITION, len(years), draws, seed)
    shocks.setflags(write=False)
    return scale, shocks


def _pushed(fit: Fit, years: list[int], codes: tuple[int, ...], draws: int, seed: int) -> Array:
    """What a council's own spend and funding do to its relative position, shape (years, authorities, draws).

    Where spend by council is published it is used; after that its relative growth dies away, with shocks.
    """
    movement = fit.movement
    shocks = own_shocks(codes, Shock.OWN_SPEND, len(years), draws, seed)
    before = np.repeat(fit.councils["spend_growth"].to_numpy()[:, None], draws, axis=1)
    pushed = np.empty_like(shocks)
    for t, year in enumerate(years):
        growth = movement.spend_persistence * before + movement.spend_scale * fit.spread_in(year) * shocks[t]
        if year in fit.known_growth:
            published = fit.known_growth[year].to_numpy()[:, None]
            growth = np.where(np.isnan(published), growth, published)
        pushed[t] = movement.spend * growth + movement.spend_before * before
        if year in fit.known_funding:
            pushed[t] += movement.block * fit.known_funding[year].fillna(0.0).to_numpy()[:, None]
        before = growth
    return pushed


def _condition(
    expected: Array,
    block: Array,
    own: Array,
    level: Array,
    own_scale: Array,
    level_sd: Array,
    anchor: Anchor,
    seed: int,
) -> Anchoring:
    """Move the first year's shocks, in place, so that each draw has the published gross deficit.

    The exact update of a Gaussian model: each shock takes a part of what is missing in proportion to its
    variance and to what it does to the total (a national shock much, one council's little). The gross deficit
    is not quite linear, since surpluses do not count, so the step is repeated until the total is met.
    """
    draws = level.size
    target = anchor.gross + anchor.half_width * stream(seed, Shock.ANCHOR).uniform(-1.0, 1.0, draws)
    own_var, level_var = (own_scale * T_SD) ** 2, level_sd**2
    anchoring = None
    for _ in range(50):
        after = expected + block * (own + level)
        gross = np.maximum(-after, 0.0).sum(axis=0)
        if anchoring is None:
            anchoring = Anchoring(
                anchor,
                expected=float(gross.mean()),
                sd=float(np.hypot(gross.std(), anchor.half_width / 3**0.5)),
                low=float(np.quantile(gross, 0.1)),
                high=float(np.quantile(gross, 0.9)),
            )
        lacking = target - gross
        if np.all(np.abs(lacking) < 1.0):
            return anchoring
        # £ of gross deficit for each unit (share of the block) that a shock falls.
        counts = np.where(after < 0, block, 0.0)
        total = counts.sum(axis=0)
        step = lacking / (level_var * total**2 + (own_var * counts**2).sum(axis=0))
        level -= level_var * total * step
        own -= own_var * counts * step
    raise OutlookError(
        f"the draws cannot be held to a gross deficit of {anchor.gross:,.0f} at 31 March {anchor.year}: "
        "set anchor to 'none' or give a larger anchor_half_width"
    )
