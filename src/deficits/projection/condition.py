"""National figures that draws are calibrated to: one newer than the balances, and others' forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from deficits.assumptions import Assumptions, CouncilTarget, assumed
from deficits.errors import ProjectionError
from deficits.formatting import year_end
from deficits.panel import Panel
from deficits.projection.national import Shocks
from deficits.projection.streams import TAIL, Array, Shock, stream
from deficits.publications.tabulated import RETURNED
from deficits.validation import whole

T_SD = np.sqrt(TAIL / (TAIL - 2))
"""Standard deviation of a Student's t of scale 1."""
BLOCK = 250
"""Draws that are conditioned at a time: arrays of so many stay in the processor's cache."""


@dataclass(frozen=True)
class Calibration:
    """A published national gross deficit, £, true to within `half_width` either way (evenly).

    `net`: the probability that it is net of surpluses all the same.
    """

    year: int
    gross: float
    half_width: float
    net: float = 0.0


@dataclass(frozen=True)
class Calibrated:
    """How the national figure fits the model: what the model alone says of it, £, and how far off that is.

    `expected`, `sd`: mean and standard deviation over draws; `low` to `high`: the 80% range. `shift` is the
    figure less the mean, in standard deviations.
    """

    calibration: Calibration
    expected: float
    sd: float
    low: float
    high: float

    @classmethod
    def of(cls, calibration: Calibration, gross: Array, error: float) -> Calibrated:
        """From the model's own draws of what the figure is of, and the figure's standard error, £."""
        low, high = np.quantile(gross, [0.1, 0.9])
        sd = float(np.hypot(gross.std(), error))
        return cls(calibration, float(gross.mean()), sd, float(low), float(high))

    @property
    def shift(self) -> float:
        """Standard deviations by which the figure lies above the model."""
        return (self.calibration.gross - self.expected) / self.sd


def returned(national: pd.DataFrame) -> pd.DataFrame:
    """Published national gross deficits that come from councils' returns, £, in the prices of their day.

    Not from a survey, not net, and none that repeats another; one of unknown basis is taken to be gross.
    """
    gross = national["measure"].eq("gross_deficit") & national["unit"].eq("gbp") & national["basis"].ne("net")
    counts = gross & national["price_basis"].eq("nominal") & national["kind"].isin(RETURNED)
    return national[counts & national["repeats"].isna()]


def newest_national_figure(panel: Panel, assumptions: Assumptions, year: int) -> Calibration | None:
    """The published national deficit of a year end, the one after the newest balances by council.

    None when the assumptions want none, or none was public when the panel's figures were. ProjectionError when
    several figures that disagree are published for it.
    """
    rows = returned(panel.national[panel.national["year"] == year])
    if assumptions.calibration == "none" or rows.empty:
        return None
    if rows["value"].nunique() > 1:
        raise ProjectionError(
            f"the national gross deficit of {year_end(year)} has figures that disagree: "
            f"{sorted(set(rows['value']))}; set calibration to 'none', or drop all but one from panel.national"
        )
    doubt = 0.0 if rows["basis"].eq("gross").any() else assumed("projection", "national_figure_net").number
    return Calibration(year, float(rows["value"].iloc[0]), assumptions.calibration_half_width, doubt)


def condition(
    expected: Array,
    block: Array,
    own: Array,
    level: Array,
    own_scale: Array,
    level_sd: Array,
    calibration: Calibration,
    seed: int,
) -> Calibrated:
    """Move the first year's shocks, in place, so that each draw has the published deficit.

    `expected`: balances of shape (authorities, draws) without what is in `own` and `level`, shares of the block.
    The exact update of a Gaussian model: each shock takes a part of what is missing in proportion to its variance
    and to what it does to the total (a national shock much, one council's little). The gross deficit is not quite
    linear, since surpluses do not count, so the step is repeated until the total is met. In the draws that take
    the figure to be net, surpluses do count.
    """
    draws = level.size
    target = calibration.gross + calibration.half_width * stream(seed, Shock.ANCHOR).uniform(-1.0, 1.0, draws)
    net = stream(seed, Shock.NET).uniform(size=draws) < calibration.net
    own_var, level_var, gross = (own_scale * T_SD) ** 2, level_sd**2, np.empty(draws)
    for start in range(0, draws, BLOCK):
        part = np.s_[start : start + BLOCK]
        mine, shared = own[:, part], level[part]
        for step in range(50):
            after = mine + shared
            after *= block
            after += expected[:, part]
            if step == 0:
                gross[part] = -np.minimum(after, 0.0).sum(axis=0)
            counted = (after < 0) | net[part]
            after *= counted
            lacking = target[part] + after.sum(axis=0)
            if np.all(np.abs(lacking) < 1.0):
                break
            # £ of deficit for each unit (share of the block) that a shock falls.
            counts = counted * block
            total = counts.sum(axis=0)
            moved = np.multiply(own_var, counts, out=after)
            lacking /= level_var[part] * total**2 + np.einsum("cd,cd->d", moved, counts)
            shared -= level_var[part] * total * lacking
            mine -= np.multiply(moved, lacking, out=moved)
        else:
            raise ProjectionError(
                f"the draws cannot be calibrated to a deficit of {calibration.gross:,.0f} at 31 March "
                f"{calibration.year}: set calibration to 'none' or give a larger calibration_half_width"
            )
    return Calibrated.of(calibration, gross, calibration.half_width / 3**0.5)


def nudged(
    shocks: Shocks, balances: Array, years: list[int], assumptions: Assumptions, seed: int
) -> tuple[Shocks, tuple[Calibrated, ...]]:
    """The shared shocks, moved towards forecasts of the gross deficit, and how these fit the model.

    The ensemble form of a Gaussian update: each shock moves by its covariance with the deficit over draws, and a
    forecast counts the more the smaller its error is compared with the spread of the draws.
    """
    targets = assumptions.calibrated_to
    for target in targets:
        whole("calibrated_to", target.year, ProjectionError, years[0], years[-1])
    places = [years.index(target.year) + 1 for target in targets]
    gross = np.stack([np.maximum(-balances[:, :, place], 0.0).sum(axis=1) for place in places])
    rows = np.concatenate(shocks)
    rows = rows + _moves(rows, gross, [(target.gross, target.sd) for target in targets], stream(seed, Shock.HELD))
    holdings = tuple(
        Calibrated.of(Calibration(target.year, target.gross, target.sd), each, target.sd)
        for target, each in zip(targets, gross, strict=True)
    )
    return Shocks(*np.split(rows, np.cumsum([len(each) for each in shocks])[:-1])), holdings


def drawn_to(balances: Array, targets: Sequence[CouncilTarget], years: range, code: str, seed: int) -> Array:
    """What moves one council's balances at `years`, shape (years, draws), towards its own forecasts of them."""
    for target in targets:
        whole("councils.calibrated_to", target.year, ProjectionError, years.start, years.stop - 1)
    seen = balances[[years.index(target.year) for target in targets]]
    said = [(target.balance, target.sd) for target in targets]
    return _moves(balances, seen, said, stream(seed, Shock.HELD, int(code)))


def _moves(rows: Array, seen: Array, said: list[tuple[float, float]], random: np.random.Generator) -> Array:
    """By how much each of `rows` moves, a draw a column, when what is `seen` of the draws is said to be otherwise:
    amounts, each with its standard error."""
    published, errors = np.array(said).T[:, :, None]
    away, moving = seen - seen.mean(axis=1, keepdims=True), rows - rows.mean(axis=1, keepdims=True)
    spread = away @ away.T / (seen.shape[1] - 1) + np.diag(errors[:, 0] ** 2)
    wanted = published + errors * random.standard_normal(seen.shape)
    moves: Array = (moving @ away.T / (seen.shape[1] - 1)) @ np.linalg.solve(spread, wanted - seen)
    return moves
