"""A council's actions, as its reform plan declares them, and what each does to its places and their cost.

An action acts on the position that earlier actions have left, so that no place, plan or pound is saved twice.
Money is £; a size is an 80% range: one time in ten it is below `low`, one time in ten above `high`.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import BeforeValidator, Discriminator, Field, HttpUrl, Tag, model_validator

from deficits.assumptions import FIRST_YEAR, LAST_YEAR
from deficits.errors import ProjectionError
from deficits.formatting import between, financial_year, gbp, percent
from deficits.panel.given import ending_year, rate_given
from deficits.sizes import Array, Pounds, PoundsRange, Range, ShareRange
from deficits.validation import Declared, each_once, known_word, read_text, read_yaml, validated

Sector = Literal["mainstream", "resource_base", "state_special", "independent", "post_16", "other"]
SECTORS: tuple[Sector, ...] = get_args(Sector)
SECTOR_WORDS = {
    "mainstream": "mainstream schools",
    "resource_base": "resource bases and SEN units",
    "state_special": "state special schools",
    "independent": "independent and non-maintained schools",
    "post_16": "further education and specialist post-16",
    "other": "alternative provision, early years, elsewhere, not recorded",
}

Year = Annotated[int, BeforeValidator(ending_year), Field(ge=FIRST_YEAR, le=LAST_YEAR)]
Growth = Annotated[float, BeforeValidator(rate_given), Field(ge=-0.2, le=0.5)]
GrowthByYear = Annotated[
    Annotated[Growth, Tag("rate")] | Annotated[dict[Year, Growth], Tag("years")] | Annotated[None, Tag("none")],
    Discriminator(lambda given: "years" if isinstance(given, dict) else "none" if given is None else "rate"),
]


class Evidence(Declared):
    """What a size rests on, and where it was read; without an address it is the council's own."""

    fact: str = Field(min_length=5)
    url: HttpUrl | None = None


@dataclass(frozen=True)
class Position:
    """A council's plans by sector and what they cost, by year and draw.

    `places`: plans, shape (sectors, years, draws); `cost`: £ per plan, the same shape; `income`: £ that comes into
    the DSG, shape (years, draws). The first year is known, and no action moves it.
    """

    years: list[int]
    places: Array
    cost: Array
    income: Array

    @property
    def plans(self) -> Array:
        """All plans, shape (years, draws)."""
        total: Array = self.places.sum(axis=0)
        return total

    @property
    def spend(self) -> Array:
        """£ that the DSG pays, less income, shape (years, draws)."""
        paid: Array = (self.places * self.cost).sum(axis=0) - self.income
        return paid


class Action(Declared):
    """A declared action: what it changes, when, by how much, at what cost, on what evidence, at whose risk."""

    title: str = Field(min_length=3)
    changes: str = Field(description="what it changes: plans, places, unit_cost or income")
    start: Year = Field(description="first financial year in which it costs money: 2027-28, or 2028")
    lag: int = Field(default=0, ge=0, le=10, description="years from the start before it works")
    ramp: int = Field(default=1, ge=1, le=10, description="years that it takes to reach full size")
    cost: PoundsRange = Field(default=PoundsRange(low=0, high=0), description="£ a year from the start, in cash")
    paid_by: str = Field(default="dsg", description="who pays the cost: dsg, or anybody else by name")
    capital: Pounds = Field(default=0.0, description="£ once for each place that it adds; never on the DSG")
    evidence: tuple[Evidence, ...] = Field(default=(), description="what its size rests on")
    risk_owner: str = Field(min_length=2, description="the officer who answers for it")
    size: Range

    def sizes(self, draws: int, seed: int, code: str) -> tuple[Array, Array]:
        """Its size and its cost (£ a year), one a draw, for one council."""
        # Known by its title: another order or another action moves none of its numbers.
        key = (int(code), zlib.crc32(self.title.encode()))
        return self.size.drawn(draws, seed, *key, 0), self.cost.drawn(draws, seed, *key, 1)

    def ramped(self, years: list[int]) -> Array:
        """Share of its full size by year, shape (years, 1): 0 before start and lag, then up evenly, then 1."""
        steps = (np.array(years, dtype=float) - (self.start + self.lag) + 1) / self.ramp
        return np.clip(steps, 0.0, 1.0)[:, None]

    def costs(self, years: list[int], cost: Array) -> Array:
        """£ by year and draw, from the start on."""
        return cost * (np.array(years)[:, None] >= self.start)

    @abstractmethod
    def act(self, position: Position, size: Array) -> Position:
        """The position after it, from the position that earlier actions have left."""

    @abstractmethod
    def terms(self) -> str:
        """What it does, in a sentence without its timing."""

    def timing(self) -> str:
        """When it starts, works and is in full, in words."""
        said = f"from {financial_year(self.start)}"
        if self.lag:
            said += f", first felt in {financial_year(self.start + self.lag)}"
        if self.ramp > 1:
            said += f", in full by {financial_year(self.start + self.lag + self.ramp - 1)}"
        return said


class FewerPlans(Action):
    """Plans grow less: by `size` x ramp points in each year, in one sector or in all.

    Each year's lower growth stays in all later years; plans never fall below none.
    """

    changes: Literal["plans"]
    sector: Sector | Literal["all"] = "all"
    size: ShareRange = Field(description="points of growth a year: 0.01, or 1%, is one point")

    def act(self, position: Position, size: Array) -> Position:
        """See the class."""
        chosen = slice(None) if self.sector == "all" else [SECTORS.index(self.sector)]
        held = position.places[chosen].sum(axis=0)
        growth = np.divide(held[1:], held[:-1], out=np.ones_like(held[1:]), where=held[:-1] > 0)
        fewer = size * self.ramped(position.years)[1:]
        left = np.cumprod(
            np.clip(1 - np.divide(fewer, growth, out=np.zeros_like(growth), where=growth > 0), 0, 1), 0
        )
        places = position.places.copy()
        places[chosen, 1:] *= left
        return replace(position, places=places)

    def terms(self) -> str:
        """See `Action.terms`."""
        where = "" if self.sector == "all" else f" in {SECTOR_WORDS[self.sector]}"
        return f"Plans{where} grow {_span(self.size, lambda v: f'{100 * v:.3g}')} points a year less"


class MovePlaces(Action):
    """Places in one sector instead of another: `size` x ramp a year, a number or a share of those still there.

    What has moved stays moved; no more can move than are there.
    """

    changes: Literal["places"]
    from_: Sector = Field(alias="from")
    to: Sector
    unit: Literal["places", "share"] = Field(description="whether size is places a year or a share a year")
    size: Range = Field(description="places a year, or the share a year of those in `from` (0.05)")

    @model_validator(mode="before")
    @classmethod
    def _shares_as_typed(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("unit") == "share" and "size" in given:
            return given | {"size": ShareRange.model_validate(given["size"]).model_dump()}
        return given

    @model_validator(mode="after")
    def _two_sectors(self) -> MovePlaces:
        if self.from_ == self.to:
            raise ValueError(f"from and to are both '{self.to}'")
        return self

    def act(self, position: Position, size: Array) -> Position:
        """See the class."""
        source, target = SECTORS.index(self.from_), SECTORS.index(self.to)
        each = size * self.ramped(position.years)
        there = position.places[source]
        if self.unit == "share":
            moved = there * (1 - np.cumprod(1 - np.minimum(each, 1.0), axis=0))
        else:
            moved = np.minimum(each.cumsum(axis=0), there)
        moved[0] = 0.0
        places = position.places.copy()
        places[source] -= moved
        places[target] += moved
        return replace(position, places=places)

    def terms(self) -> str:
        """See `Action.terms`."""
        share = self.unit == "share"
        size = _span(self.size, percent if share else "{:g}".format) + (" of places" if share else " places")
        return f"{size} a year move from {SECTOR_WORDS[self.from_]} to {SECTOR_WORDS[self.to]}"


class LowerCost(Action):
    """A place in a sector costs less, by the share `size` x ramp."""

    changes: Literal["unit_cost"]
    sector: Sector
    size: ShareRange = Field(description="share by which a place costs less: 0.02, or 2%")

    def act(self, position: Position, size: Array) -> Position:
        """See the class."""
        cost = position.cost.copy()
        cost[SECTORS.index(self.sector), 1:] *= 1 - size * self.ramped(position.years)[1:]
        return replace(position, cost=cost)

    def terms(self) -> str:
        """See `Action.terms`."""
        return f"A place in {SECTOR_WORDS[self.sector]} costs {_span(self.size, lambda v: percent(v, 1))} less"


class Income(Action):
    """Money into the DSG: a transfer between blocks, a partner's contribution."""

    changes: Literal["income"]
    size: PoundsRange = Field(description="£ a year when in full")
    payer: str = Field(min_length=2, description="who pays it")

    def act(self, position: Position, size: Array) -> Position:
        """See the class."""
        more = size * self.ramped(position.years)
        more[0] = 0.0
        return replace(position, income=position.income + more)

    def terms(self) -> str:
        """See `Action.terms`."""
        return f"{self.payer} pays {_span(self.size, gbp)} a year into the DSG"


class OwnGrowth(Declared):
    """A council's own view of growth a year without its plan: a share, or shares by year."""

    plan_growth: GrowthByYear = Field(default=None, description="growth of EHC plans")
    unit_cost_growth: GrowthByYear = Field(default=None, description="growth of £ a place")
    block_growth: GrowthByYear = Field(default=None, description="growth of the high needs block")


Declarable = Annotated[FewerPlans | MovePlaces | LowerCost | Income, Field(discriminator="changes")]


class Actions(Declared):
    """A reform plan's actions in the order in which they act, and what the council knows of its own places.

    `growth`: its own view of growth without the plan, where it is not the projection's. `unit_costs`: £ a place in
    the year of the newest count, where the council has its own; `places`: its own count by sector, such as its
    resource bases since the newest count.
    """

    actions: Annotated[tuple[Declarable, ...], Field(min_length=1), each_once("title")]
    growth: OwnGrowth = Field(default_factory=OwnGrowth)
    unit_costs: dict[Sector, Pounds] = Field(default_factory=dict)
    places: dict[Sector, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)

    @property
    def titles(self) -> list[str]:
        """What the actions are called, in their order."""
        return [action.title for action in self.actions]

    def without(self, *titles: str) -> Actions:
        """The actions but for those of some titles; ProjectionError where none is left or a title is unknown."""
        for title in titles:
            known_word("title", title, self.titles, ProjectionError)
        left = tuple(action for action in self.actions if action.title not in titles)
        if not left:
            raise ProjectionError("no action is left: leave at least one in")
        return self.model_copy(update={"actions": left})

    @classmethod
    def read(cls, file: str | Path) -> Actions:
        """The actions of a YAML file, or the "example"; ProjectionError lists every fault."""
        path = Path(__file__).with_name("example.yaml") if str(file) == "example" else Path(file)
        if not path.is_file():
            raise ProjectionError(f"no file of actions {path}; `deficits plan --example` prints one")
        return cls.parse(read_text(path, path.name, ProjectionError), path.name)

    @classmethod
    def parse(cls, text: str, shown: str = "the file of actions") -> Actions:
        """The actions of a YAML text, which is called `shown` in messages; ProjectionError lists every fault."""
        return validated(cls, read_yaml(text, shown, ProjectionError), shown, ProjectionError)


def _span(size: Range, show: Callable[[float], str]) -> str:
    return between(show(size.low), show(size.high))
