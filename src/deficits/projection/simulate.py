"""Draws of balances: the arithmetic of the projection, vectorised over draws and authorities.

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

from deficits.assumptions import PROGRAMME_ENDED, Assumptions
from deficits.errors import ProjectionError
from deficits.projection.calibration import Calibrated, Calibration
from deficits.projection.fit import Fit, received
from deficits.projection.growth import Paths, growth_shocks, paths, uncertain_size
from deficits.projection.streams import TAIL, Shock, own_shocks, stream

Array = npt.NDArray[np.float64]

Change = Callable[[Paths], Array | None]

T_SD = np.sqrt(TAIL / (TAIL - 2))
"""Standard deviation of a Student's t of scale 1."""


@dataclass(frozen=True)
class Simulation:
    """Balances in £, shape (draws, authorities, years + 1), the base year end first; England's paths behind them,
    from the year that its spend is projected from;
    how the national figure fitted, if there was one; the bail-outs inside the balances, £, shape (years,
    authorities); what own assumptions and levers changed, £, shape (years, authorities, draws) or None; and how
    each forecast that they were drawn to fitted."""

    balances: Array
    paths: Paths
    calibrated: Calibrated | None
    receipts: Array
    changed: Array | None
    holdings: tuple[Calibrated, ...]


def simulate(
    fit: Fit,
    assumptions: Assumptions,
    years: list[int],
    draws: int,
    seed: int,
    calibration: Calibration | None,
    known: dict[int, Known],
    change: Change,
) -> Simulation:
    """Draws of balances. `years` run on from the base year without a gap; the calibration's year must be the
    first.

    Every draw passes through the `known` balances of councils after the base year, and other councils make up
    what the national figure then lacks. `change`, from the paths, is what councils' own assumptions and levers
    add to each year's position (£, shape (years, authorities, draws) or broadcasting to it); it touches no
    published year.
    """
    shocks = _shared_shocks(fit, years, draws, seed)
    run = _run(fit, assumptions, years, shocks, seed, calibration, known, change)
    if not assumptions.calibrated_to:
        return run
    nudged, holdings = _nudged(shocks, run.balances, years, assumptions, seed)
    run = _run(fit, assumptions, years, nudged, seed, calibration, known, change)
    return replace(run, holdings=holdings)


@dataclass(frozen=True)
class Known:
    """Balances by council that are known at a year end: places among the councils, and £, shape (places,
    draws)."""

    places: list[int]
    balances: Array


@dataclass(frozen=True)
class Shared:
    """Shocks that councils share: to growth of plan rate and unit cost, shape (years from the origin on, draws),
    and to the level, shape (years after the base year, draws)."""

    rate: Array
    cost: Array
    level: Array


def _shared_shocks(fit: Fit, years: list[int], draws: int, seed: int) -> Shared:
    rate, cost = growth_shocks(fit.history, years[-1] - fit.origin, draws, seed)
    steps = _level_size(fit, draws, seed) * stream(seed, Shock.LEVEL, 0).standard_normal((len(years), draws))
    steps[0] *= _first_step(fit)
    return Shared(rate, cost, steps)


def _first_step(fit: Fit) -> float:
    """The first step of the level runs from the middle of the reference years to the first projected year."""
    return float(np.sqrt((len(fit.reference_years) + 1) / 2))


def _level_size(fit: Fit, draws: int, seed: int) -> Array:
    return fit.level_sd * uncertain_size(fit.level_misses, draws, seed, Shock.LEVEL)


def _run(
    fit: Fit,
    assumptions: Assumptions,
    years: list[int],
    shared: Shared,
    seed: int,
    calibration: Calibration | None,
    known: dict[int, Known],
    change: Change,
) -> Simulation:
    # In memory the draws lie innermost: sums over councils and quantiles over draws then read straight on.
    councils = fit.councils
    draws = shared.level.shape[1]
    block = councils["block"].to_numpy()[:, None]
    codes = tuple(int(code) for code in councils.index)
    # No assumption but those of the fit moves these two, so a changed assumption or lever finds them as they were.
    run = (tuple(years), draws, seed)
    scale, own = fit.once("own", run, lambda: _own(fit, years, codes, draws, seed))
    spent = list(range(fit.origin + 1, years[-1] + 1))
    england = paths(fit.history, fit.block, fit.origin, assumptions, spent, shared.rate, shared.cost, seed)
    left = england.since(fit.base_year).block - england.since(fit.base_year).spend
    gap = (left[1:] - _reference(fit, england)) / fit.total_block
    start = fit.once("start", run, lambda: _start(fit, draws, seed))
    pushed = fit.once("pushed", run, lambda: _pushed(fit, years, codes, draws, seed))
    relative = np.repeat(councils["relative"].to_numpy()[:, None], draws, axis=1)
    receipts = _receipts(fit, assumptions, years)
    added = receipts[:, :, None]
    steps = shared.level.copy()

    calibrated, first = None, own[0]
    given = known.get(years[0], Known([], np.empty((0, draws))))
    if calibration is not None:

        def held() -> tuple[Calibrated, Array, Array]:
            position = fit.position + gap[0] + fit.movement.persistence * relative + pushed[0]
            expected = start + block * position + added[0]
            moving = block * ~np.isin(np.arange(len(codes)), given.places)[:, None]
            expected[given.places] = given.balances
            level_sd = _first_step(fit) * _level_size(fit, draws, seed)
            shocks, level = own[0].copy(), steps[0].copy()
            found = _condition(expected, moving, shocks, level, scale[0], level_sd, calibration, seed)
            return found, shocks, level

        first_year = (
            *(part.tobytes() for part in (gap[0], steps[0], receipts[0], given.balances)),
            tuple(given.places),
        )
        calibrated, first, steps[0] = fit.once("held", (*run, calibration, *first_year), held)
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
            places = known[year].places
            balances[t + 1, places] = known[year].balances
            # A known balance says what the council's position of the year was.
            step = balances[t + 1, places] - balances[t, places] - added[t][places]
            relative[places] = step / np.maximum(block[places], 1.0) - position[t]
    return Simulation(balances.transpose(2, 1, 0), england, calibrated, receipts, changed, ())


def _reference(fit: Fit, england: Paths) -> Array:
    """England's block less its spend, £, the mean of the reference years: published, or else as projected."""
    left = [
        fit.block[year] - fit.history.spend[year]
        if year in fit.block.index and year in fit.history.spend.index
        else england.block[england.years.index(year)] - england.spend[england.years.index(year)]
        for year in fit.reference_years
    ]
    mean: Array = np.mean(np.broadcast_arrays(*left), axis=0)
    return mean


def _start(fit: Fit, draws: int, seed: int) -> Array:
    """Balances at the base year end, £, shape (authorities, 1) or, where some did not report, (authorities,
    draws).

    A council whose last balance is older moves on from it as England did in the reference years, and strays from
    that by its own position, which dies away, and by shocks of its own.
    """
    councils = fit.councils
    start: Array = councils["start"].to_numpy()[:, None]
    late = np.flatnonzero(councils["last_known"] < fit.base_year)
    if not len(late):
        return start
    start = np.repeat(start, draws, axis=1)
    block = councils["block"].to_numpy()[late, None]
    position = np.repeat(councils["relative"].to_numpy()[late, None], draws, axis=1)
    codes = tuple(int(code) for code in councils.index[late])
    first = int(councils["last_known"].iloc[late].min()) + 1
    shocks = own_shocks(codes, Shock.NOT_REPORTED, fit.base_year - first + 1, draws, seed)
    scale = _volatility(fit, fit.base_year)[late, None]
    paid = (
        received(fit.safety_valve_payments)
        .reindex(columns=range(first, fit.base_year + 1))
        .fillna(0.0)
        .to_numpy()[late]
    )
    last = councils["last_known"].to_numpy()[late, None]
    for t, year in enumerate(range(first, fit.base_year + 1)):
        position = fit.movement.persistence * position + scale * shocks[t]
        start[late] += (year > last) * (block * (fit.position + position) + paid[:, [t]])
    return start


def _nudged(
    shared: Shared, balances: Array, years: list[int], assumptions: Assumptions, seed: int
) -> tuple[Shared, tuple[Calibrated, ...]]:
    """The shared shocks, moved towards forecasts of the gross deficit, and how these fit the model.

    The ensemble form of a Gaussian update: each shock moves by its covariance with the deficit over draws, and a
    forecast counts the more the smaller its error is beside the spread of the draws.
    """
    for held in assumptions.calibrated_to:
        if held.year not in years:
            raise ProjectionError(f"calibrated_to {held.year} is not a projected year: {years[0]} to {years[-1]}")
    gross = np.stack(
        [
            np.maximum(-balances[:, :, years.index(held.year) + 1], 0.0).sum(axis=1)
            for held in assumptions.calibrated_to
        ]
    )
    told = np.array([held.gross for held in assumptions.calibrated_to])[:, None]
    errors = np.array([held.sd for held in assumptions.calibrated_to])[:, None]
    shocks = np.concatenate([shared.rate, shared.cost, shared.level])
    draws = gross.shape[1]
    away, moving = gross - gross.mean(axis=1, keepdims=True), shocks - shocks.mean(axis=1, keepdims=True)
    spread = np.atleast_2d(away @ away.T / (draws - 1)) + np.diag(errors[:, 0] ** 2)
    wanted = told + errors * stream(seed, Shock.HELD).standard_normal(gross.shape)
    shocks = shocks + (moving @ away.T / (draws - 1)) @ np.linalg.solve(spread, wanted - gross)
    holdings = tuple(
        Calibrated(
            Calibration(held.year, held.gross, held.sd),
            expected=float(each.mean()),
            sd=float(np.hypot(each.std(), held.sd)),
            low=float(np.quantile(each, 0.1)),
            high=float(np.quantile(each, 0.9)),
        )
        for held, each in zip(assumptions.calibrated_to, gross, strict=True)
    )
    rows = np.cumsum([len(shared.rate), len(shared.cost)])
    return Shared(*np.split(shocks, rows)), holdings


def _receipts(fit: Fit, assumptions: Assumptions, years: list[int]) -> Array:
    """Safety valve grant of projected years as the assumption says, £, shape (years, authorities)."""
    last = {"until_2026": int(PROGRAMME_ENDED.number), "as_agreed": years[-1], "none": fit.base_year}[
        assumptions.safety_valve_payments
    ]
    paid = fit.safety_valve_payments.reindex(columns=years).fillna(0.0)
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
    calibration: Calibration,
    seed: int,
) -> Calibrated:
    """Move the first year's shocks, in place, so that each draw has the published gross deficit.

    The exact update of a Gaussian model: each shock takes a part of what is missing in proportion to its
    variance and to what it does to the total (a national shock much, one council's little). The gross deficit
    is not quite linear, since surpluses do not count, so the step is repeated until the total is met.
    """
    draws = level.size
    target = calibration.gross + calibration.half_width * stream(seed, Shock.ANCHOR).uniform(-1.0, 1.0, draws)
    own_var, level_var = (own_scale * T_SD) ** 2, level_sd**2
    calibrated = None
    for _ in range(50):
        after = expected + block * (own + level)
        gross = np.maximum(-after, 0.0).sum(axis=0)
        if calibrated is None:
            calibrated = Calibrated(
                calibration,
                expected=float(gross.mean()),
                sd=float(np.hypot(gross.std(), calibration.half_width / 3**0.5)),
                low=float(np.quantile(gross, 0.1)),
                high=float(np.quantile(gross, 0.9)),
            )
        lacking = target - gross
        if np.all(np.abs(lacking) < 1.0):
            return calibrated
        # £ of gross deficit for each unit (share of the block) that a shock falls.
        counts = np.where(after < 0, block, 0.0)
        total = counts.sum(axis=0)
        step = lacking / (level_var * total**2 + (own_var * counts**2).sum(axis=0))
        level -= level_var * total * step
        own -= own_var * counts * step
    raise ProjectionError(
        f"the draws cannot be held to a gross deficit of {calibration.gross:,.0f} at 31 March {calibration.year}: "
        "set calibration to 'none' or give a larger calibration_half_width"
    )
