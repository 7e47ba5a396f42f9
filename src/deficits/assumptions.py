"""Assumptions as data: what `data/assumptions/*.yaml` declares, each with its unit, source and day.

An assumption is one value, or values by financial year. Where it was announced, the day it became public decides
what a projection of an earlier day may use.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from deficits.errors import PanelError, ProjectionError, closest
from deficits.paths import assumptions_dir
from deficits.validation import Declared, read_text, read_yaml, validated

Scalar = float | int | date | str


class Dated(Declared):
    """A value for one year, the day by which it was public, and where it was read."""

    value: Scalar
    announced: date | None = None
    reference: str = ""
    note: str = ""


class Assumption(Declared):
    """One assumption: a value, or values by financial year (2026 is 2025-26).

    `kind`: announced (somebody with the power to decide said so), published (a statistic), assumed (a choice of
    this project). `reference`: the publisher's page, or "second-hand, via ..." where it has not been seen.
    """

    description: str = Field(min_length=10)
    unit: str
    kind: str = Field(pattern="^(announced|published|assumed)$")
    value: Scalar | list[Scalar] | None = None
    values: dict[int, Dated] = Field(default_factory=dict)
    publisher: str = ""
    reference: str = ""
    announced: date | None = None
    note: str = ""

    @model_validator(mode="after")
    def _has_a_value_and_a_source(self) -> Assumption:
        if (self.value is None) == (not self.values):
            raise ValueError("give 'value' or 'values' by year, not both")
        sources = [self.reference, *(each.reference for each in self.values.values())]
        if self.kind != "assumed" and not any(sources):
            raise ValueError(f"what is {self.kind} needs a 'reference'")
        return self

    @property
    def number(self) -> float:
        """The value, which is one number; PanelError where it is not."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise PanelError(f"an assumption's value is not one number: {self.description}")
        return float(self.value)

    def by_year(self, as_of: str | None = None) -> dict[int, Any]:
        """The values by year that were public on a day (ISO; None knows everything)."""
        return {
            year: dated.value
            for year, dated in self.values.items()
            if as_of is None or dated.announced is None or dated.announced.isoformat() <= as_of
        }


@cache
def assumptions(theme: str) -> dict[str, Assumption]:
    """Every assumption of a theme, a file of `data/assumptions`; PanelError lists the faults of the file."""
    path = assumptions_dir() / f"{theme}.yaml"
    shown = f"data/assumptions/{theme}.yaml"
    if not path.is_file():
        raise PanelError(
            f"{shown} is missing: {closest(theme, [each.stem for each in path.parent.glob('*.yaml')])}"
        )
    content = read_yaml(read_text(path, shown, PanelError), shown, PanelError)
    return {
        name: validated(Assumption, entry, f"{shown}, {name}", PanelError)
        for name, entry in (content or {}).items()
    }


def assumed(theme: str, name: str) -> Assumption:
    """One assumption of a theme; PanelError offers the closest name."""
    known = assumptions(theme)
    if name not in known:
        raise PanelError(f"data/assumptions/{theme}.yaml has no '{name}': {closest(name, known)}")
    return known[name]


BLOCK_GROWTH = assumed("funding", "block_growth")
"""Growth of the high needs block as announced for England; used where no allocation by council is held."""
FIRST_YEAR = int(assumed("projection", "first_accepted_year").number)
LAST_YEAR = int(assumed("projection", "last_accepted_year").number)
"""Years (ends) that a lever, an action or a scheme may name."""
PROGRAMME_ENDED = assumed("safety_valve", "programme_ended")
"""Last year of the safety valve programme. Whether instalments due later are still paid was not read:
`Assumptions.safety_valve_payments` takes either."""


def _assumed(theme: str, name: str) -> dict[str, Any]:
    """A field's default and description, from `data/assumptions`."""
    assumption = assumed(theme, name)
    return {"default": assumption.number, "description": assumption.description}


LEAST, MOST = -0.2, 0.5
"""Growth a year that is accepted: what is outside is a slip."""
Growth = Annotated[float, Field(ge=LEAST, le=MOST)]


class Spread(Declared):
    """An assumption that is not known for sure, such as `Assumptions(plan_growth=Spread(mean=0.08, sd=0.02))`:
    normal, one value a draw and year. `correlation` of a year's value with that of the year before: at 1 a draw
    keeps its value for all years."""

    mean: Growth
    sd: float = Field(ge=0, le=0.2)
    correlation: float = Field(default=1.0, ge=0, le=1)


def _by_year(value: Any) -> Any:
    """A pandas Series as a path by year; anything else as it is."""
    return {int(year): each for year, each in value.items()} if hasattr(value, "to_dict") else value


EXPECTED = f"growth a year from {LEAST:g} to {MOST:g}, a spread (mean, sd), or either by year"
Setting = Annotated[
    Growth | Spread | dict[int, Growth | Spread] | None,
    BeforeValidator(_by_year),
    Field(json_schema_extra={"expected": EXPECTED}),
]
"""A growth a year (0.05 is 5%): one for every projected year, a spread, or either by year (a dictionary or a
pandas Series); other years, or all without one, keep the model's."""


def setting_in(setting: Setting, year: int) -> float | Spread | None:
    """What a setting says of a year; None where it leaves the year to the model."""
    return setting.get(year) if isinstance(setting, dict) else setting


class CouncilTarget(Declared):
    """A council's own forecast of its balance that an analyst lets count, with how far off it may be (£)."""

    year: int = Field(description="the year end it is for")
    balance: float = Field(ge=-20e9, le=20e9, description="£, negative = deficit")
    sd: float = Field(gt=0, le=5e9, description="its standard error, £: the smaller, the more it counts")


class CouncilAssumptions(Declared):
    """What differs for one council, in projected years: growth a year, its own contribution (£, by year), and
    forecasts of its own that its balances are drawn to."""

    plan_growth: Setting = Field(default=None, description="growth of the council's EHC plans")
    unit_cost_growth: Setting = Field(default=None, description="growth of its spend per plan, same placements")
    block_growth: Setting = Field(default=None, description="growth of its high needs block")
    contribution: dict[int, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict,
        description="£ that it pays into the DSG from its general fund or by a block transfer",
    )
    calibrated_to: tuple[CouncilTarget, ...] = Field(
        default=(),
        description="forecasts of its balance that its draws are drawn to, each as far as its error allows",
    )


Placement = Literal["independent", "state_special", "mainstream_and_other"]
"""Where plans are; what published figures do not count as one of the first two is in the third."""


class PlacementAssumptions(Declared):
    """What differs for England's plans in one placement, in projected years: growth a year. Spreads of several go
    up and down together."""

    plan_growth: Setting = Field(
        default=None,
        description="growth of the plans there, as far as there are plans; all plans grow as they do without it, "
        "and other placements, in their proportions, have the rest",
    )
    unit_cost_growth: Setting = Field(
        default=None,
        description="growth of spend per plan there; in other placements it stays as for all",
    )


class CalibrationTarget(Declared):
    """A forecast of England's gross deficit that an analyst lets count, with how far off it may be (£)."""

    year: int = Field(description="the year end it is for")
    gross: float = Field(gt=0, le=200e9, description="£")
    sd: float = Field(gt=0, le=50e9, description="its standard error, £: the smaller, the more it counts")


class Assumptions(Declared):
    """The projection's assumptions, such as `Assumptions(councils={"Kent": {"plan_growth": 0.05}})`. Growth is a
    share a year: 0.05 is 5%."""

    _error = ProjectionError

    plan_growth: Setting = Field(
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
    unit_cost_growth: Setting = Field(
        default=None,
        description="growth of spend per plan in the same placements; by default prices, and a real growth that "
        "goes on as it did and fades",
    )
    long_run_prices: Growth = Field(**_assumed("projection", "long_run_prices"))
    block_growth: Annotated[dict[int, Growth], BeforeValidator(_by_year)] = Field(
        default_factory=BLOCK_GROWTH.by_year, description=BLOCK_GROWTH.description
    )
    later_block_growth: Growth = Field(**_assumed("funding", "later_block_growth"))
    dsg_growth: Growth = Field(**_assumed("funding", "dsg_growth"))
    growth_persistence: float = Field(ge=0, le=1, **_assumed("projection", "growth_persistence"))
    safety_valve_payments: Literal["until_2026", "as_agreed", "none"] = Field(
        default="until_2026",
        description="safety valve instalments of projected years: those due by 31 March 2026, when the programme "
        "ended; all that were agreed; or none",
    )
    financing_rate: float = Field(ge=0, le=0.2, **_assumed("financing", "rate"))
    placements: dict[Placement, PlacementAssumptions] = Field(
        default_factory=dict,
        description=f"what differs for plans in one placement ({', '.join(get_args(Placement))}), such as "
        '{"independent": {"unit_cost_growth": 0.08}}',
    )
    councils: dict[str, CouncilAssumptions] = Field(
        default_factory=dict, description="what differs for a named council (name, DfE number or ONS code)"
    )
    calibration: Literal["newest", "none"] = Field(
        default="newest",
        description="the national gross deficit that draws are calibrated to: the newest published one for a year "
        "end after the balances by council, or none",
    )
    calibration_half_width: float = Field(gt=0, le=2e9, **_assumed("projection", "calibration_half_width"))
    calibrated_to: tuple[CalibrationTarget, ...] = Field(
        default=(),
        description="forecasts of England's gross deficit that draws are drawn to, each as far as its error "
        "allows (none by default: the projection is its own)",
    )

    @model_validator(mode="after")
    def _plans_are_somewhere(self) -> Self:
        moved = [name for name, own in self.placements.items() if own.plan_growth is not None]
        if len(moved) == len(get_args(Placement)):
            raise ValueError("placements: found plan_growth of all three, expected of two: the third has the rest")
        if self.independent_share and "independent" in moved:
            raise ValueError("placements.independent.plan_growth and independent_share say the same: give one")
        return self

    def known_on(self, as_of: str | None) -> Assumptions:
        """These assumptions without what was announced after a day (ISO date; None knows everything)."""
        if as_of is None:
            return self
        known = BLOCK_GROWTH.by_year(as_of)
        later = {year: growth for year, growth in BLOCK_GROWTH.by_year().items() if year not in known}
        own = {year: growth for year, growth in self.block_growth.items() if growth != later.get(year)}
        agreed = self.safety_valve_payments == "until_2026" and as_of < str(PROGRAMME_ENDED.announced)
        payments = "as_agreed" if agreed else self.safety_valve_payments
        return self.model_copy(update={"block_growth": own, "safety_valve_payments": payments})

    def growth_of_block(self, year: int) -> float:
        """Growth of the high needs block in a year after the published ones (share)."""
        return self.block_growth.get(year, self.later_block_growth)


OLD_NAMES = {
    "anchor": "calibration",
    "anchor_half_width": "calibration_half_width",
    "bail_outs": "safety_valve_payments",
    "held_to": "calibrated_to",
}
"""Names that assumptions had in 0.1: in scenario files and in the forecast ledger's first entries."""


def in_todays_names(given: dict[str, Any]) -> dict[str, Any]:
    """Assumptions of an older file under the names that they have now."""
    return {OLD_NAMES.get(name, name): value for name, value in given.items()}
