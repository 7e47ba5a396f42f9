"""Sizes that are not known for sure: one value or an 80% range, drawn once a simulation."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field, model_validator

from deficits.panel.given import amount_given, share_given
from deficits.validation import Declared

Array = npt.NDArray[np.float64]

STREAM = 2_000
"""Key of the random streams of sizes, apart from the projection's own (`deficits.projection.streams.Shock`)."""
Z90 = 1.2815515655446004
"""Upper decile of the normal distribution: what turns an 80% range into a standard deviation."""

Pounds = Annotated[float, BeforeValidator(amount_given), Field(ge=0)]
Share = Annotated[float, BeforeValidator(share_given), Field(ge=0, le=1)]


class Range(Declared):
    """A number of 0 or more, as an 80% range or one value."""

    low: float = Field(ge=0)
    high: float = Field(ge=0)
    _most: ClassVar[float] = np.inf
    """What no draw may pass."""

    @model_validator(mode="before")
    @classmethod
    def _one_value_is_a_range(cls, given: Any) -> Any:
        return given if isinstance(given, dict | cls) else {"low": given, "high": given}

    @model_validator(mode="after")
    def _in_order(self) -> Range:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self

    @property
    def middle(self) -> float:
        """The central value."""
        return (self.low + self.high) / 2

    def drawn(self, draws: int, seed: int, *key: int) -> Array:
        """One value a draw, never below 0: normal, with its 10% and 90% points at low and high.

        `key` names what it is drawn for: nothing else moves its numbers.
        """
        sd = (self.high - self.low) / (2 * Z90)
        stream = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAM, *key)))
        return np.clip(self.middle + sd * stream.standard_normal(draws), 0.0, self._most)


class PoundsRange(Range):
    """£, as an 80% range or one value."""

    low: Pounds
    high: Pounds


class ShareRange(Range):
    """A share, 0 to 1 or with a %, as an 80% range or one value."""

    low: Share
    high: Share
    _most: ClassVar[float] = 1.0
