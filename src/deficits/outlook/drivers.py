"""What moves the outlook, declared: each with its range, its default and where the default comes from."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

Growths = TypeVar("Growths", float, npt.NDArray[np.float64])
Growth = Annotated[float, Field(ge=-0.2, le=0.5)]

ANNOUNCED = {
    # DfE ministers' totals, "over £9.1bn" for 2022-23 (5 January 2022) and £9.7bn for 2023-24 (6 December 2022).
    2024: (0.066, "2022-12-06"),
    # DfE, written answer 199436: 2024-25 up £440m, 4.3%, on 2023-24.
    2025: (0.043, "2023-09-22"),
    # DfE, written answer 46281: 2025-26 "over £12bn", "an increase of £1bn": 1 / (12 - 1).
    2026: (0.091, "2025-04-29"),
    # DfE, DSG 2026-27: formula suspended, allocations held at their 2025-26 level.
    2027: (0.0, "2025-12-17"),
}
"""Growth of the high needs block by year as announced for England, and the day of the announcement. Used where no
allocation by council is held."""


class Drivers(BaseModel):
    """The outlook's assumptions. Growth is a share a year: 0.05 is 5%.

    >>> Drivers().block_growth[2027]
    0.0
    >>> Drivers(long_run_spend_growth=0.03).long_run_spend_growth
    0.03
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    block_growth: dict[int, Growth] = Field(
        default_factory=lambda: {year: growth for year, (growth, _) in ANNOUNCED.items()},
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
        default=0.9,
        ge=0,
        le=1,
        description="share of growth above the long run that is still there a year later (assumption: the middle "
        "of the 0.8 to 0.98 that damped-trend forecasts keep to; it gives 15.6% in 2025-26, where IFS says 13% in "
        "real terms)",
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

    def known_on(self, as_of: str | None) -> Drivers:
        """These drivers without what was announced after a day (ISO date; None knows everything).

        >>> sorted(Drivers().known_on("2025-09-17").block_growth)
        [2024, 2025, 2026]
        """
        if as_of is None:
            return self
        later = {
            year
            for year, (growth, day) in ANNOUNCED.items()
            if day > as_of and self.block_growth.get(year) == growth
        }
        return self.model_copy(
            update={
                "block_growth": {year: growth for year, growth in self.block_growth.items() if year not in later}
            }
        )

    def growth_of_block(self, year: int) -> float:
        """Growth of the high needs block in a year after the published ones (share)."""
        return self.block_growth.get(year, self.later_block_growth)

    def next_spend_growth(self, growth: Growths) -> Growths:
        """Growth of net spend expected a year after one of `growth` (shares)."""
        return self.long_run_spend_growth + self.growth_persistence * (growth - self.long_run_spend_growth)
