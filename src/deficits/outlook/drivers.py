"""What moves the outlook, declared: each with its range, its default and where the default comes from."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

Growths = TypeVar("Growths", float, npt.NDArray[np.float64])
Growth = Annotated[float, Field(ge=-0.2, le=0.5)]

BASE_YEAR = 2024
"""31 March 2024: the newest balances held for nearly all authorities, from which the outlook starts."""

BLOCK_GROWTH = {
    # DfE, written answer 199436 (22 September 2023): 2024-25 up £440m, 4.3%, on 2023-24.
    2025: 0.043,
    # DfE, written answer 46281 (29 April 2025): 2025-26 "over £12bn", "an increase of £1bn": 1 / (12 - 1).
    2026: 0.091,
    # DfE, DSG 2026-27 (17 December 2025): formula suspended, allocations held at their 2025-26 level.
    2027: 0.0,
}


class Drivers(BaseModel):
    """The outlook's assumptions. Growth is a share a year: 0.05 is 5%.

    >>> Drivers().block_growth[2027]
    0.0
    >>> Drivers(long_run_spend_growth=0.03).long_run_spend_growth
    0.03
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    own_drift_weight: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="weight on a council's own in-year position of 2022-23 and 2023-24; the rest is on "
        "England's, by size. One half had the smallest error from March 2022 to March 2024",
    )
    block_growth: dict[int, Growth] = Field(
        default_factory=lambda: dict(BLOCK_GROWTH),
        description="growth of the high needs block by year, as announced for the total of England",
    )
    later_block_growth: Growth = Field(
        default=0.03, description="growth of the block after the last announced year (assumption)"
    )
    long_run_spend_growth: Growth = Field(
        default=0.05,
        description="growth that net high needs spend returns to: 2% prices and 3% plans (assumption)",
    )
    growth_persistence: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="share of growth above the long run that is still there a year later (assumption)",
    )
    anchor: Literal["newest", "none"] = Field(
        default="newest",
        description="the national gross deficit that draws are held to: the newest published one for a year end "
        "after the balances by council, or none",
    )
    anchor_half_width: float = Field(
        default=50e6,
        gt=0,
        le=2e9,
        description="£ either way within which the anchor is true: it is published to the nearest £0.1bn",
    )

    def growth_of_block(self, year: int) -> float:
        """Growth of the high needs block in a year after the published ones (share)."""
        return self.block_growth.get(year, self.later_block_growth)

    def next_spend_growth(self, growth: Growths) -> Growths:
        """Growth of net spend expected a year after one of `growth` (shares)."""
        return self.long_run_spend_growth + self.growth_persistence * (growth - self.long_run_spend_growth)
