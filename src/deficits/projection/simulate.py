"""Draws of balances: the arithmetic of the projection, vectorised over draws and authorities.

    balance(t) = balance(t-1) + block(t) - spend(t) + size x (national offset + level(t) + offset(t)) + grants(t)

block and spend are the council's own: its shares of England's paths. Its size is its block in the base year; the
national offset what England's block and spend left of its in-year position in the reference years, level(t) a
random walk shared by all councils, and offset(t) the council's own: see `Offsets` and docs/method.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deficits.assumptions import LEAST, MOST, PROGRAMME_ENDED, Assumptions, CouncilAssumptions
from deficits.panel import Panel
from deficits.projection.condition import Calibrated, Calibration, condition, drawn_to, nudged
from deficits.projection.fit import Fit
from deficits.projection.history import received
from deficits.projection.lever import Lever, in_turn
from deficits.projection.national import Paths, Shocks, chosen, growth_shocks, paths
from deficits.projection.streams import Array, Shock, own_shocks, stream, uncertain_size


@dataclass(frozen=True)
class Drawn:
    """What no assumption or lever moves: it is drawn once, and handed on to a run with others.

    `known`: balances after the base year, £ a draw, by year and council's place among the others; `start`: all
    balances at the base year end, £, shape (authorities, draws) or (authorities, 1); `spend`: councils' shares of
    England's spend, shape (years, authorities, draws), from the first year asked for; `offsets`: their own offsets
    (see `Offsets`), share of the block, of the same shape, from the first projected year on.
    """

    known: dict[int, dict[int, Array]]
    start: Array
    spend: Array
    offsets: Array

    @classmethod
    def of(cls, panel: Panel, fit: Fit, every: list[int], draws: int, seed: int) -> Drawn:
        """Drawn for the years of a run."""
        spend = fit.accounts.spending.simulated(fit.accounts, every, draws, seed)
        offsets = _offsets(fit, every[-1] - fit.base_year, draws, seed)
        return cls(_known(panel, fit, every, draws, seed), _start(fit, draws, seed), spend, offsets)


@dataclass(frozen=True)
class Simulation:
    """Balances in £, shape (draws, authorities, years + 1), the base year end first.

    `paths`: England's, from the first year asked for; `payments`: safety valve payments inside the balances, £,
    shape (years, authorities), from that year on; `changed`: what own assumptions and levers changed, £, shape
    (projected years, authorities, draws) or None; `calibrated`: how the national figure fitted, if there was one;
    `holdings`: how each forecast that they were calibrated to fitted.
    """

    balances: Array
    paths: Paths
    payments: Array
    changed: Array | None
    calibrated: Calibrated | None
    holdings: tuple[Calibrated, ...] = ()


def simulate(
    fit: Fit,
    drawn: Drawn,
    assumptions: Assumptions,
    own: dict[str, CouncilAssumptions],
    levers: Sequence[Lever],
    every: list[int],
    seed: int,
    calibration: Calibration | None,
) -> Simulation:
    """Draws of balances at the later of `every` year end, which run on from the base year or before it.

    The calibration's year must be the first after it. Every draw passes through the known balances of councils
    after the base year, and other councils make up what the national figure then lacks. Councils' `own`
    assumptions and levers add to each later year's position; they touch no published year.
    """
    draws, later = drawn.spend.shape[2], [year for year in every if year > fit.base_year]
    level_sd = fit.level_sd * uncertain_size(fit.level_misses, draws, seed, Shock.LEVEL)
    level = level_sd * stream(seed, Shock.LEVEL, 0).standard_normal((len(later), draws))
    # The first step of the level runs from the midpoint of the reference years to the first projected year.
    first_step = float(np.sqrt((len(fit.reference_years) + 1) / 2))
    level[0] *= first_step
    shocks = Shocks(*growth_shocks(fit.history, assumptions, every[-1] - fit.origin, draws, seed), level)
    # Payments of the programme's years are in published balances; later ones are as the assumption says.
    ended = int(PROGRAMME_ENDED.number)
    last = {"until_2026": ended, "as_agreed": every[-1], "none": fit.base_year}[assumptions.safety_valve_payments]
    counts = [year <= (last if year > fit.base_year else ended) for year in every]
    paid = fit.safety_valve_payments.reindex(columns=every).fillna(0.0)
    payments = np.where(np.array(counts)[:, None], paid.to_numpy().T, 0.0)

    def run(shared: Shocks) -> Simulation:
        england = paths(fit.history, fit.block, fit.origin, assumptions, every[-1], shared, seed)
        shown = england.since(every[0])
        changes = [_own_changes(fit, drawn.spend, shown, own, seed)] if own else []
        changes += [effect.position for effect in in_turn(levers, fit, shown)]
        changed = sum(changes[1:], changes[0])[-len(later) :] if changes else None
        balances, calibrated = _balances(
            fit, drawn, england, later, shared.level, payments, changed, calibration, first_step * level_sd, seed
        )
        for code, council in own.items():
            if council.calibrated_to and changed is not None:
                place = fit.councils.index.get_loc(code)
                # What is published of the council or calibrated to England's figure stays as it is.
                fixed = [year for year in drawn.known if place in drawn.known[year]]
                fixed += [fit.base_year] if calibration is None else [calibration.year]
                first = max(fixed) + 1 - later[0]
                mine, open_years = balances[first + 1 :, place], range(max(fixed) + 1, later[-1] + 1)
                moves = drawn_to(mine, council.calibrated_to, open_years, code, seed)
                mine += moves
                changed[first:, place] += np.diff(moves, axis=0, prepend=0.0)
        return Simulation(balances.transpose(2, 1, 0), shown, payments, changed, calibrated)

    free = run(shocks)
    if not assumptions.calibrated_to:
        return free
    moved, holdings = nudged(shocks, free.balances, later, assumptions, seed)
    return replace(run(moved), holdings=holdings)


def _balances(
    fit: Fit,
    drawn: Drawn,
    england: Paths,
    years: list[int],
    level_steps: Array,
    payments: Array,
    changed: Array | None,
    calibration: Calibration | None,
    first_sd: Array,
    seed: int,
) -> tuple[Array, Calibrated | None]:
    """Balances, shape (years + 1, authorities, draws), and how the national figure fitted."""
    # In memory the draws lie innermost: sums over councils and quantiles over draws then read straight on.
    draws = first_sd.size
    later, shares, paid = england.since(fit.base_year), drawn.spend[-len(years) :], payments[-len(years) :]
    size = fit.councils["block"].to_numpy()
    funded, known = fit.accounts.block[years].to_numpy().T, [drawn.known.get(year, {}) for year in years]
    # England's block less its spend in the reference years, £: published, or else as projected.
    published, projected = (fit.block - fit.history.spend).dropna(), england.block - england.spend
    left = [
        published[year] if year in published.index else projected[england.years.index(year)]
        for year in fit.reference_years
    ]
    national = fit.position - np.mean(np.broadcast_arrays(*left), axis=0) / float(size.sum())
    added, steps, calibrated = np.zeros((len(size), draws)), level_steps.copy(), None
    balances = np.empty((len(years) + 1, len(size), draws))
    balances[0] = drawn.start

    def lead_to(t: int, c: int, before: Array, balance: Array) -> None:
        """Turn the offset of council c in year t, in place, into the balance that it, block, spend and grants lead
        to."""
        balance *= size[c]
        balance += before
        balance += funded[t, c] * later.block[t + 1]
        balance -= shares[t, c] * later.spend[t + 1]
        if paid[t, c]:
            balance += paid[t, c]

    if calibration is not None:
        free, expected = size.copy(), drawn.offsets[0] + national
        for c in range(len(size)):
            lead_to(0, c, balances[0, c], expected[c])
        for c, balance in known[0].items():
            free[c], expected[c] = 0.0, balance
        scale = fit.offsets.shock.to_numpy()[:, None]
        calibrated = condition(expected, free[:, None], added, steps[0], scale, first_sd, calibration, seed)
    level = national + np.cumsum(steps, axis=0)
    # A council after the other: what a year makes of its draws stays in the processor's cache for the next.
    for c in range(len(size)):
        # What calibration and published balances add to the shocks drawn, and what lasts of it.
        more = added[c]
        for t in range(len(years)):
            balance = np.add(drawn.offsets[t, c], level[t], out=balances[t + 1, c])
            balance += more
            lead_to(t, c, balances[t, c], balance)
            if t == 0:
                more *= fit.offsets.gain
            if c in known[t]:
                # A published balance says what the council's own shock was.
                if size[c]:
                    more += fit.offsets.gain * (known[t][c] - balance) / size[c]
                balance[:] = known[t][c]
            more *= fit.offsets.persistence
        if changed is not None:
            # Apart from the rest: what is published says the same of a council's shocks with a lever as without.
            so_far = np.zeros(draws)
            for t in range(len(years)):
                so_far += changed[t, c]
                if c in known[t]:
                    so_far[:] = 0.0
                balances[t + 1, c] += so_far
    return balances, calibrated


def _known(panel: Panel, fit: Fit, years: list[int], draws: int, seed: int) -> dict[int, dict[int, Array]]:
    """Balances that are known after the base year, £ a draw, by year and council's place among the others.

    What a council states is true to half of its last digit either way; what it returned is taken as it is.
    """
    balances, known = panel.figure("balance").reindex(fit.councils.index), {}
    for year in sorted(set(years) & set(balances.columns[balances.columns > fit.base_year])):
        held = balances[year].dropna()
        rounding = panel.rounding(year).reindex(held.index).fillna(0.0).to_numpy()[:, None]
        off = stream(seed, Shock.ROUNDING, year).uniform(-0.5, 0.5, (len(held), draws))
        places = fit.councils.index.get_indexer(held.index).tolist()
        known[year] = dict(zip(places, held.to_numpy()[:, None] + rounding * off, strict=True))
    return known


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


def _offsets(fit: Fit, years: int, draws: int, seed: int) -> Array:
    """Councils' offsets in the years after the base year, before calibration and published balances: shares of the
    block, shape (years, authorities, draws)."""
    own, codes = fit.offsets, tuple(int(code) for code in fit.councils.index)
    offsets = own_shocks(codes, Shock.OWN_POSITION, years, draws, seed)
    lasting = np.repeat(own.lasting.to_numpy()[:, None], draws, axis=1)
    for offset in offsets:
        lasting *= own.persistence
        offset *= own.shock.to_numpy()[:, None]
        lasts = own.gain * offset
        offset += lasting
        lasting += lasts
    return offsets


def _own_changes(fit: Fit, spend: Array, paths: Paths, own: dict[str, CouncilAssumptions], seed: int) -> Array:
    """What councils' own assumptions add to their in-year positions, £, shape (years, authorities, draws).

    On top of the growth that is projected for each. `spend`: shares of England's spend by year, council and draw.
    """
    changed = np.zeros((len(paths.years) - 1, *spend.shape[1:]))
    newest, costed = int(fit.history.plans.index[-1]), int(fit.history.unit_cost.index[-1])
    for code, council in own.items():
        place = fit.councils.index.get_loc(code)
        spent = spend[:, place] * paths.spend
        granted = paths.block * fit.accounts.block.loc[code, paths.years].to_numpy()[:, None]
        more_spend, more_block = np.ones_like(spent), np.ones_like(granted)
        for t, year in enumerate(paths.years[1:], start=1):
            more_spend[t], more_block[t] = more_spend[t - 1], more_block[t - 1]
            for more, setting, path, kind, open_ in (
                (more_spend, council.plan_growth, paths.plans, Shock.PLAN_SETTING, year > newest),
                (more_spend, council.unit_cost_growth, paths.unit_cost, Shock.COST_SETTING, year > costed),
                (more_block, council.block_growth, paths.block, Shock.BLOCK_SETTING, year not in fit.block.index),
            ):
                if open_:
                    growth = path[t] / path[t - 1]
                    mine = np.clip(chosen(setting, year, growth - 1, kind, seed), LEAST, MOST)
                    more[t] *= (1 + mine) / growth
        changed[:, place] = (spent * (1 - more_spend) + granted * (more_block - 1))[1:]
        changed[:, place] += np.array([council.contribution.get(year, 0.0) for year in paths.years[1:]])[:, None]
    return changed


def plans_by_council(fit: Fit, paths: Paths, own: dict[str, CouncilAssumptions], seed: int) -> Array:
    """EHC plans, shape (draws, authorities, years + 1); without own assumptions they add up to England's."""
    plans: Array = paths.plans.T[:, None, :] * fit.accounts.plans[paths.years].to_numpy()[None]
    newest = int(fit.history.plans.index[-1])
    for code, council in own.items():
        place = fit.councils.index.get_loc(code)
        for t, year in enumerate(paths.years[1:], start=1):
            if year > newest and council.plan_growth is not None:
                before, now = plans[:, place, t - 1], plans[:, place, t]
                growth = chosen(council.plan_growth, year, now / before - 1, Shock.PLAN_SETTING, seed)
                plans[:, place, t:] *= (before * (1 + growth) / now)[:, None]
    return plans
