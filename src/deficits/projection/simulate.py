"""Draws of balances: the arithmetic of the projection, vectorised over draws and authorities.

    balance(t) = balance(t-1) + block(t) - spend(t) + size x (national offset + level(t) + offset(t)) + grants(t)

block and spend are the council's own: its shares of England's paths. Its size is its block in the base year; the
national offset what England's block and spend left of its in-year position in the reference years, level(t) a
random walk shared by all councils, and offset(t) the council's own: see `Offsets` and docs/method.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from deficits.assumptions import PROGRAMME_ENDED, Assumptions
from deficits.projection.condition import Calibrated, Calibration, condition, nudged
from deficits.projection.fit import Fit
from deficits.projection.history import received
from deficits.projection.national import Paths, Shocks, growth_shocks, paths
from deficits.projection.streams import Array, Shock, own_shocks, stream, uncertain_size

Change = Callable[[Paths, Array], Array | None]


@dataclass(frozen=True)
class Simulation:
    """Balances in £, shape (draws, authorities, years + 1), the base year end first.

    `paths`: England's, from the year that its spend is projected from; `spend`: councils' shares of England's
    spend, shape (years, authorities, draws), from the first year asked for; `calibrated`: how the national figure
    fitted, if there was one; `payments`: safety valve payments inside the balances, £, shape (years, authorities);
    `changed`: what own assumptions and levers changed, £, shape (years, authorities, draws) or None; `holdings`:
    how each forecast that they were calibrated to fitted.
    """

    balances: Array
    paths: Paths
    spend: Array
    calibrated: Calibrated | None
    payments: Array
    changed: Array | None
    holdings: tuple[Calibrated, ...]


@dataclass(frozen=True)
class Known:
    """Balances by council that are known at a year end: places among the councils, and £, shape (places,
    draws)."""

    places: list[int]
    balances: Array


def simulate(
    fit: Fit,
    assumptions: Assumptions,
    every: list[int],
    draws: int,
    seed: int,
    calibration: Calibration | None,
    known: dict[int, Known],
    change: Change,
) -> Simulation:
    """Draws of balances at the later of `every` year end, which run on from the base year or before it.

    The calibration's year must be the first after it. Every draw passes through the `known` balances of councils
    after the base year, and other councils make up what the national figure then lacks. `change`, from the paths
    and councils' shares of spend, is what councils' own assumptions and levers add to each later year's position
    (£, shape (years, authorities, draws) or broadcasting to it); it touches no published year.
    """
    ahead = every[-1] - fit.base_year
    rate, cost, block, timing = growth_shocks(fit.history, every[-1] - fit.origin, draws, seed)
    level = _level_size(fit, draws, seed) * stream(seed, Shock.LEVEL, 0).standard_normal((ahead, draws))
    level[0] *= _first_step(fit)
    shocks = Shocks(rate, cost, block, timing, level)
    run = _run(fit, assumptions, every, shocks, seed, calibration, known, change)
    if not assumptions.calibrated_to:
        return run
    later = [year for year in every if year > fit.base_year]
    moved, holdings = nudged(shocks, run.balances, later, assumptions, seed)
    run = _run(fit, assumptions, every, moved, seed, calibration, known, change)
    return replace(run, holdings=holdings)


def _first_step(fit: Fit) -> float:
    """The first step of the level runs from the midpoint of the reference years to the first projected year."""
    return float(np.sqrt((len(fit.reference_years) + 1) / 2))


def _level_size(fit: Fit, draws: int, seed: int) -> Array:
    return fit.level_sd * uncertain_size(fit.level_misses, draws, seed, Shock.LEVEL)


def _run(
    fit: Fit,
    assumptions: Assumptions,
    every: list[int],
    shared: Shocks,
    seed: int,
    calibration: Calibration | None,
    known: dict[int, Known],
    change: Change,
) -> Simulation:
    # In memory the draws lie innermost: sums over councils and quantiles over draws then read straight on.
    draws = shared.level.shape[1]
    years = [year for year in every if year > fit.base_year]
    codes = tuple(int(code) for code in fit.councils.index)
    # No assumption but those of the fit moves these, so a changed assumption or lever finds them as they were.
    run = (tuple(every), draws, seed)
    spend = fit.cached("spend", run, lambda: fit.accounts.spending.simulated(fit.accounts, every, draws, seed))
    start = fit.cached("start", run, lambda: _start(fit, draws, seed))
    drawn = own_shocks(codes, Shock.OWN_POSITION, len(years), draws, seed)
    england = paths(
        fit.history, fit.block, fit.origin, assumptions, list(range(fit.origin + 1, years[-1] + 1)), shared, seed
    )
    later, shares = england.since(fit.base_year), spend[every.index(years[0]) :]
    changed = change(england, spend)
    payments = _payments(fit, assumptions, years)
    size, offsets = fit.councils["block"].to_numpy()[:, None], fit.offsets
    scale = offsets.shock.to_numpy()[:, None]
    national = fit.position - _reference(fit, england) / fit.total_block
    lasting = np.repeat(offsets.lasting.to_numpy()[:, None], draws, axis=1)
    level, calibrated, spare = np.zeros(draws), None, np.empty((len(size), draws))
    balances = np.empty((len(years) + 1, len(size), draws))
    balances[0] = start
    for t, year in enumerate(years):
        lasting *= offsets.persistence
        shock, step = scale * drawn[t], shared.level[t]
        # What block, spend, the offsets that last and grants lead to, before the year's own shocks.
        per_council = np.column_stack([fit.accounts.block[year], size, payments[t]])
        shared_by_all = [later.block[t + 1], national + level, np.ones(draws)]
        # Not by BLAS, whose threads wait for one another where other work runs.
        expected = np.einsum("cj,jd->cd", per_council, shared_by_all, out=balances[t + 1])
        expected -= np.multiply(shares[t], later.spend[t + 1], out=spare)
        expected += np.multiply(size, lasting, out=spare)
        expected += balances[t]
        given = known.get(year, Known([], np.empty((0, draws))))
        if t == 0 and calibration is not None:
            step = step.copy()
            free = size * ~np.isin(np.arange(len(codes)), given.places)[:, None]
            fixed = expected.copy()
            fixed[given.places] = given.balances
            level_sd = _first_step(fit) * _level_size(fit, draws, seed)
            calibrated = condition(fixed, free, shock, step, scale, level_sd, calibration, seed)
        level = level + step
        expected += np.multiply(size, step, out=spare)
        # A published balance says what the council's own shock was.
        missing, held = given.balances - expected[given.places], size[given.places]
        shock[given.places] = np.divide(missing, held, out=np.zeros_like(missing), where=held > 0)
        expected += np.multiply(size, shock, out=spare)
        balances[t + 1, given.places] = given.balances
        lasting += np.multiply(offsets.gain, shock, out=shock)
    if changed is not None:
        # Beside the rest, so that what is published says the same of a council's shocks with a lever as without.
        so_far = np.zeros_like(spare)
        for t, year in enumerate(years):
            so_far += changed[t]
            so_far[known[year].places if year in known else []] = 0.0
            balances[t + 1] += so_far
    return Simulation(balances.transpose(2, 1, 0), england, spend, calibrated, payments, changed, ())


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

    A council whose last balance is older moves on from it as its block and spend and what lasts of its offset say,
    with shocks of its own.
    """
    councils = fit.councils
    start: Array = councils["start"].to_numpy()[:, None]
    late = np.flatnonzero(councils["last_known"] < fit.base_year)
    if not len(late):
        return start
    start = np.repeat(start, draws, axis=1)
    rows = councils.iloc[late]
    first = int(rows["last_known"].min()) + 1
    codes = tuple(int(code) for code in councils.index)
    shocks = own_shocks(codes, Shock.NOT_REPORTED, fit.base_year - first + 1, draws, seed)[:, late]
    paid = received(fit.safety_valve_payments).reindex(index=rows.index, columns=range(first, fit.base_year + 1))
    expected = (fit.position + rows["gap"] + fit.offsets.lasting[rows.index]).to_numpy()[:, None]
    scale = fit.offsets.shock[rows.index].to_numpy()[:, None]
    for t, year in enumerate(range(first, fit.base_year + 1)):
        moved = rows["block"].to_numpy()[:, None] * (expected + scale * shocks[t])
        moved += paid.fillna(0.0)[year].to_numpy()[:, None]
        start[late] += (year > rows["last_known"].to_numpy()[:, None]) * moved
    return start


def _payments(fit: Fit, assumptions: Assumptions, years: list[int]) -> Array:
    """Safety valve payments of projected years as the assumption says, £, shape (years, authorities)."""
    last = {"until_2026": int(PROGRAMME_ENDED.number), "as_agreed": years[-1], "none": fit.base_year}[
        assumptions.safety_valve_payments
    ]
    paid = fit.safety_valve_payments.reindex(columns=years).fillna(0.0)
    return np.where(np.array(years)[:, None] <= last, paid.to_numpy().T, 0.0)
