"""What moves the outlook, declared: each with its range, its default and where the default comes from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deficits.assumptions import assumed

BLOCK_GROWTH = assumed("funding", "block_growth")
"""Growth of the high needs block as announced for England; used where no allocation by council is held."""
PROGRAMME_ENDED = assumed("safety_valve", "programme_ended")
"""Last year of the safety valve programme. Whether instalments due later are still paid was not read:
`Drivers.bail_outs` takes either."""


def _assumed(theme: str, name: str) -> dict[str, Any]:
    """A field's default and description, from `data/assumptions`."""
    assumption = assumed(theme, name)
    return {"default": assumption.number, "description": assumption.description}


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
    long_run_rate_growth: Growth = Field(**_assumed("projection", "long_run_rate_growth"))
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
    long_run_prices: Growth = Field(**_assumed("projection", "long_run_prices"))
    block_growth: dict[int, Growth] = Field(
        default_factory=BLOCK_GROWTH.by_year, description=BLOCK_GROWTH.description
    )
    later_block_growth: Growth = Field(**_assumed("funding", "later_block_growth"))
    dsg_growth: Growth = Field(**_assumed("funding", "dsg_growth"))
    growth_persistence: float = Field(ge=0, le=1, **_assumed("projection", "growth_persistence"))
    bail_outs: Literal["until_2026", "as_agreed", "none"] = Field(
        default="until_2026",
        description="safety valve instalments of projected years: those due by 31 March 2026, when the programme "
        "ended; all that were agreed; or none",
    )
    financing_rate: float = Field(ge=0, le=0.2, **_assumed("financing", "rate"))
    councils: dict[str, CouncilDrivers] = Field(
        default_factory=dict, description="what differs for a named council (name, DfE number or ONS code)"
    )
    anchor: Literal["newest", "none"] = Field(
        default="newest",
        description="the national gross deficit that draws are held to: the newest published one for a year end "
        "after the balances by council, or none",
    )
    anchor_half_width: float = Field(gt=0, le=2e9, **_assumed("projection", "calibration_half_width"))
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
        announced, known = BLOCK_GROWTH.by_year(), BLOCK_GROWTH.by_year(as_of)
        kept = {
            year: growth
            for year, growth in self.block_growth.items()
            if year in known or growth != announced.get(year)
        }
        agreed = self.bail_outs == "until_2026" and as_of < str(PROGRAMME_ENDED.announced)
        bail_outs = "as_agreed" if agreed else self.bail_outs
        return self.model_copy(update={"block_growth": kept, "bail_outs": bail_outs})

    def growth_of_block(self, year: int) -> float:
        """Growth of the high needs block in a year after the published ones (share)."""
        return self.block_growth.get(year, self.later_block_growth)
