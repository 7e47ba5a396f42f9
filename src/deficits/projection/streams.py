"""Random numbers: one stream a kind of shock (and council), so that a year or council more moves no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

TAIL = 4
"""Degrees of freedom of the councils' shocks (Student's t): what the regression leaves has an excess kurtosis far
above a normal distribution's. An assumption; the scale is fitted."""
MOST_OFF = 4.0
"""The factor of an uncertain size stops here: with two or three observations a few draws in a thousand would be
absurd beyond it."""
Shock = IntEnum(
    "Shock",
    "PLAN_RATE LEVEL OWN_SPEND OWN_POSITION ANCHOR UNIT_COST PLAN_SETTING COST_SETTING BLOCK_SETTING HELD "
    "NOT_REPORTED ROUNDING BLOCK TIMING NET COEFFICIENTS",
    start=0,
)
"""What is drawn. A new kind goes last: its number is the key of its stream."""


def stream(seed: int, kind: Shock, *key: int) -> np.random.Generator:
    """The generator of one kind of shock, and of one council where `key` is its number."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(kind, *key)))


def uncertain_size(observed: int, draws: int, seed: int, kind: Shock) -> Array:
    """How far a standard deviation from so few observations may be off, as a factor, one a draw."""
    if observed < 1:
        return np.ones(draws)
    size: Array = np.sqrt(observed / stream(seed, kind, 1).chisquare(observed, draws))
    return np.minimum(size, MOST_OFF)


def own_shocks(codes: tuple[int, ...], kind: Shock, years: int, draws: int, seed: int) -> Array:
    """Student-t shocks of scale 1, shape (years, authorities, draws)."""
    shocks = np.empty((years, len(codes), draws))

    def draw(row: int) -> None:
        # A normal over the root of a chi-square of 4, twice the sum of two exponentials: quicker than numpy's.
        exponential = stream(seed, kind, codes[row], 1).standard_exponential((years, 2, draws))
        chi_square = 2 * (exponential[:, 0] + exponential[:, 1])
        normal = stream(seed, kind, codes[row]).standard_normal((years, draws))
        np.divide(normal, np.sqrt(chi_square / TAIL), out=shocks[:, row])

    # Each council has a stream of its own, so that threads, which numpy lets run, draw the same numbers.
    with ThreadPoolExecutor() as pool:
        list(pool.map(draw, range(len(codes))))
    return shocks
