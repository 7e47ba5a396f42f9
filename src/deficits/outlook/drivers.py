"""What moves the outlook, declared: each with its range, its default and where the default comes from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

ANNOUNCED = {
    # DfE ministers' totals, "over £9.1bn" for 2022-23 (5 January 2022) and £9.7bn for 2023-24 (6 December 2022).
    2024: (0.066, "2022-12-06"),
    # DfE, written answer 199436: 2024-25 up £440m, 4.3%, on 2023-24.
    2025: (0.043, "2023-09-22"),
    # DfE, written answer 46281: 2025-26 "over £12bn", "an increase of £1bn": 1 / (12 - 1).
    2026: (0.091, "2025-04-29"),
    # DfE, DSG 2026-27: formula suspended, allocations held at their 2025-26 level.
    2027: (0.0, "2025-12-17"),
    # Schools white paper: "a record increase in high needs funding of £3.5 billion in 2028-29", read as 3.5 on 12
    # (https://www.surfradiofal.co.uk/?p=11113).
    2029: (0.29, "2026-02-23"),
}
"""Growth of the high needs block by year as announced for England, and the day of the announcement. Used where no
allocation by council is held."""

PROGRAMME_ENDED = (2026, "2026-04-01")
"""The safety valve programme closed after 2025-26; gov.uk's list of agreements said so on 1 April 2026. Whether
instalments due later are still paid was not read: `Drivers.bail_outs` takes either."""


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Growth = Annotated[float, Field(ge=-0.2, le=0.5)]


class Spread(_Declared):
    """A driver that is not known for sure: normal, one value a draw, kept for all years it is set for.

    >>> Drivers(plan_growth=Spread(mean=0.08, sd=0.02)).plan_growth
    Spread(mean=0.08, sd=0.02)
    """

    mean: Growth
    sd: float = Field(ge=0, le=0.2)


Setting = Growth | Spread | dict[int, Growth | Spread]
"""A growth a year (0.05 is 5%): one for every projected year, a spread, or either by year; other years keep the
model's."""


def setting_in(setting: Setting | None, year: int) -> float | Spread | None:
    """What a setting says of a year; None where it leaves the year to the model."""
    return setting.get(year) if isinstance(setting, dict) else setting


class CouncilDrivers(_Declared):
    """What differs for one council, in projected years: growth a year, and its own contribution (£, by year)."""

    plan_growth: Setting | None = Field(default=None, description="growth of the council's EHC plans")
    unit_cost_growth: Setting | None = Field(
        default=None, description="growth of its spend a plan, same placements"
    )
    block_growth: Setting | None = Field(default=None, description="growth of its high needs block")
    contribution: dict[int, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict,
        description="£ that it pays into the DSG from its general fund or by a block transfer",
    )


class Held(_Declared):
    """A forecast of England's gross deficit that an analyst lets count, with how far off it may be (£)."""

    year: int = Field(description="the year end it is for")
    gross: float = Field(gt=0, le=200e9, description="£")
    sd: float = Field(gt=0, le=50e9, description="its standard error, £: the smaller, the more it counts")


class Drivers(_Declared):
    """The outlook's assumptions. Growth is a share a year: 0.05 is 5%.

    >>> Drivers().block_growth[2027]
    0.0
    >>> Drivers(plan_growth={2027: 0.08}, councils={"Kent": {"plan_growth": 0.05}}).councils["Kent"].plan_growth
    0.05
    """

    plan_growth: Setting | None = Field(
        default=None,
        description="growth of EHC plans where no January count is published; by default people by age, times a "
        "plan rate that goes on as it did and fades to the long run",
    )
    long_run_rate_growth: Growth = Field(
        default=0.03, description="growth that plans per person of the same age return to (assumption)"
    )
    independent_share: dict[int, Annotated[float, Field(ge=0, le=0.5)]] = Field(
        default_factory=dict,
        description="share of plans in independent and non-maintained schools by year; by default it drifts as it "
        "did, fading; other placements keep their proportions",
    )
    unit_cost_growth: Setting | None = Field(
        default=None,
        description="growth of spend a plan in the same placements; by default prices, and a real growth that "
        "goes on as it did and fades",
    )
    long_run_prices: Growth = Field(
        default=0.02, description="price growth where no deflator is published (the Bank's target)"
    )
    block_growth: dict[int, Growth] = Field(
        default_factory=lambda: {year: growth for year, (growth, _) in ANNOUNCED.items()},
        description="growth of the high needs block by year, as announced for the total of England",
    )
    later_block_growth: Growth = Field(
        default=0.03, description="growth of the block in years for which none is announced (assumption)"
    )
    dsg_growth: Growth = Field(
        default=0.04, description="growth of the whole DSG after the published years, for % of DSG (assumption)"
    )
    growth_persistence: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="share of growth above the long run that is still there a year later (assumption: the middle "
        "of the 0.8 to 0.98 that damped-trend forecasts keep to)",
    )
    bail_outs: Literal["until_2026", "as_agreed", "none"] = Field(
        default="until_2026",
        description="safety valve instalments of projected years: those due by 31 March 2026, when the programme "
        "ended; all that were agreed; or none",
    )
    financing_rate: float = Field(
        default=0.0405,
        ge=0,
        le=0.2,
        description="interest on the average deficit, a year, paid by the general fund (Cheshire East, February "
        "2026: £5.265m a year on about £130m)",
    )
    councils: dict[str, CouncilDrivers] = Field(
        default_factory=dict, description="what differs for a named council (name, DfE number or ONS code)"
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

    held_to: tuple[Held, ...] = Field(
        default=(),
        description="forecasts of England's gross deficit that draws are drawn to, each as far as its error "
        "allows (none by default: the outlook is its own)",
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
        kept = {year: growth for year, growth in self.block_growth.items() if year not in later}
        agreed = self.bail_outs == "until_2026" and as_of < PROGRAMME_ENDED[1]
        bail_outs = "as_agreed" if agreed else self.bail_outs
        return self.model_copy(update={"block_growth": kept, "bail_outs": bail_outs})

    def growth_of_block(self, year: int) -> float:
        """Growth of the high needs block in a year after the published ones (share)."""
        return self.block_growth.get(year, self.later_block_growth)
