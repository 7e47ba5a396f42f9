"""Levers: declared changes to what moves the deficit, each with its size, lag, ramp and evidence.

A lever is off unless it is asked for. Each is worked out on the paths of the baseline, draw by draw; several act
in turn on the plans that earlier ones leave, so that none is counted twice (`in_turn`). Named councils or regions
may start in a year of their own, as pathfinders. Signs: what a lever does to a position is £, positive = less
deficit; what somebody else pays is £, positive = a cost to them.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, get_args

import numpy as np
import pandas as pd
from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    HttpUrl,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from deficits.assumptions import FIRST_YEAR, LAST_YEAR
from deficits.errors import ProjectionError, closest
from deficits.formatting import between, financial_year, gbp, listed
from deficits.panel.given import amount_given, ending_year, share_given
from deficits.paths import levers_dir
from deficits.projection.fit import Fit
from deficits.projection.history import PLACEMENTS
from deficits.projection.national import Paths
from deficits.projection.streams import Array
from deficits.sizes import Range, ShareRange
from deficits.validation import Declared, faults_of, read_text, read_yaml

THRESHOLD = 6_000.0
"""£ a year that a mainstream school pays for a pupil's special provision before the high needs block does; the
same since 2013-14 (Schools Week, https://schoolsweek.co.uk/send-spend-freeze-has-led-to-ehcp-rise-mps-say)."""
INDEPENDENT, STATE_SPECIAL, MAINSTREAM = range(len(PLACEMENTS))

SHARE: dict[str, Any] = {"unit": "share"}
Share = Annotated[float, BeforeValidator(share_given), Field(ge=0, le=1, json_schema_extra=SHARE)]
Points = Annotated[float, BeforeValidator(share_given), Field(ge=0, le=0.2, json_schema_extra=SHARE)]
Pounds = Annotated[float, BeforeValidator(amount_given), Field(json_schema_extra={"unit": "£"})]
if TYPE_CHECKING:
    Uncertain = Any  # in `_effect` an array
else:
    Uncertain = Annotated[
        Annotated[float, BeforeValidator(share_given), Field(ge=0, le=1), Tag("value")]
        | Annotated[ShareRange, Tag("range")],
        Discriminator(lambda given: "range" if isinstance(given, dict | Range) else "value"),
        Field(json_schema_extra=SHARE),
    ]
"""A share, or an 80% range of it, of which each draw then has one value: what nobody has measured."""
Basis = Literal["people", "plans", "spend", "deprivation"]
BASES = {
    "people": "people by age at England's plan rates",
    "plans": "EHC plans",
    "spend": "high needs spend",
    "deprivation": "children in income deprivation",
}
"""What a formula review may share the block out by, in words."""
Year = Annotated[
    int, BeforeValidator(ending_year), Field(ge=FIRST_YEAR, le=LAST_YEAR, json_schema_extra={"unit": "year"})
]


@dataclass(frozen=True)
class Effect:
    """What a lever adds to in-year positions (£, positive = less deficit), and what others pay (£, positive = a
    cost), by payer. Arrays of shape (years, authorities, draws), from the first projected year on."""

    position: Array
    elsewhere: dict[str, Array] = field(default_factory=dict)


class Evidence(Declared):
    """A published fact that a lever's size is taken from, and where it was read."""

    fact: str = Field(min_length=10)
    url: HttpUrl


KINDS: dict[str, type[Lever]] = {}
"""Kinds of lever by the word that declares them; a class of one's own is among them from its definition on."""


class Lever(Declared):
    """A declared change, read from a YAML file; `kind` says which parameters it has besides start, lag and ramp.

    >>> Lever.read("funding-growth", growth=0.02, start=2029).title
    'Faster growth of the high needs block (start 2028-29, growth 2%)'
    >>> Lever.read("placement-shift").timing()
    'from 2027-28, first felt in 2029-30'
    """

    _error = ProjectionError
    _terms: ClassVar[str] = ""
    """Its parameters in one sentence, without its timing."""

    title: str = Field(min_length=3)
    proposer: str = Field(min_length=2)
    published: date
    reference: HttpUrl = Field(description="where the proposal was published, or where it was read")
    summary: str = Field(min_length=20)
    evidence: tuple[Evidence, ...] = Field(min_length=1, description="published facts behind its size, with url")
    assumed: tuple[str, ...] = Field(min_length=1, description="what is assumed beyond what is published")
    kind: str = Field(description="what it changes")
    start: Year = Field(description="first financial year it may change, named by the year in which it ends")
    lag: int = Field(ge=0, le=10, description="years from the start before it begins to work")
    ramp: int = Field(ge=1, le=10, description="years that it takes to reach full size; 1 is full size at once")
    pathfinders: dict[str, Year] = Field(
        default_factory=dict,
        json_schema_extra={"unit": "year"},
        description="first financial year of councils (name or DfE number) or regions that do not start with the "
        "others; a council goes before its region",
    )
    only_pathfinders: bool = Field(default=False, description="whether the other councils never start")

    @model_validator(mode="after")
    def _starts_somewhere(self) -> Self:
        if self.only_pathfinders and not self.pathfinders:
            raise ValueError("only_pathfinders: no council starts; give pathfinders, like {Kent: 2028}")
        return self

    @classmethod
    def __pydantic_init_subclass__(cls, **more: Any) -> None:
        super().__pydantic_init_subclass__(**more)
        KINDS.update(dict.fromkeys(get_args(cls.model_fields["kind"].annotation), cls))

    @classmethod
    def read(cls, name: str | Path, **changes: Any) -> Lever:
        """A lever that comes with the package, by name, or any YAML file; `changes` override its parameters.

        Raises ProjectionError with every fault of the file, or the closest name of an unknown lever or parameter.
        """
        if not isinstance(name, str | Path):
            raise ProjectionError(f"lever: found {name!r} ({type(name).__name__}), expected a name or a YAML file")
        path = Path(name)
        if path.suffix in {".yaml", ".yml"}:
            if not path.is_file():
                raise ProjectionError(f"no lever file {path}")
        elif str(name) in lever_names():
            path = levers_dir() / f"{name}.yaml"
        else:
            raise ProjectionError(f"no lever '{name}': {closest(str(name), lever_names())}")
        shown = f"lever {path.name}"
        declared = read_yaml(read_text(path, shown, ProjectionError), shown, ProjectionError)
        if not isinstance(declared, dict):
            raise ProjectionError(f"lever {path.name} holds no parameters: expected lines like 'start: 2028'")
        plain, lever = lever_from(declared, path.name), lever_from({**declared, **changes}, path.name)
        changed = [name for name in type(lever).model_fields if getattr(lever, name) != getattr(plain, name, None)]
        if not changed or "title" in changes:
            return lever
        told = ", ".join(f"{name} {lever.shown(name)}" for name in changed)
        return lever.model_copy(update={"title": f"{lever.title} ({told})"})

    def effect(self, fit: Fit, paths: Paths) -> Effect:
        """What it does on the baseline's paths, by year, council and draw.

        Raises ProjectionError when it starts in a year that is published, or for an unknown pathfinder.
        """
        if self.first_start <= paths.years[0]:
            raise ProjectionError(
                f"lever '{self.title}': found start {self.first_start}, expected a year after {paths.years[0]}, "
                "the last year end with published balances"
            )
        lever = self.drawn(paths)
        done = [each._effect(fit, parts, paths) for each, parts in lever._starting(fit)]
        paid = {payer: reduce(np.add, [each.elsewhere[payer] for each in done]) for payer in done[0].elsewhere}
        return Effect(reduce(np.add, [each.position for each in done]), paid)

    def _starting(self, fit: Fit) -> list[tuple[Self, pd.DataFrame]]:
        """The lever as it starts in each first year, and the parts of the councils that start with it.

        Raises ProjectionError for a pathfinder that is no council and no region.
        """
        if not self.pathfinders:
            return [(self, fit.parts)]
        named = {place.strip().casefold(): year for place, year in self.pathfinders.items()}
        starts = pd.Series(np.nan if self.only_pathfinders else float(self.start), index=fit.councils.index)
        # The council last, so that it goes before its region.
        columns = (fit.councils["region"], fit.councils["name"], fit.councils.index.to_series())
        for column in columns:
            starts = column.str.casefold().map(named).fillna(starts)
        known = {place.casefold(): place for column in columns for place in column}
        for place in self.pathfinders:
            if place.strip().casefold() not in known:
                raise ProjectionError(
                    f"lever '{self.title}': pathfinders: no council or region '{place}'; "
                    f"{closest(place, known.values())}"
                )
        # A council that has no part in England's money is left as it is.
        return [
            (self.model_copy(update={"start": int(year)}), fit.parts.where(starts.eq(year), 0.0))
            for year in sorted(starts.dropna().unique())
        ]

    def drawn(self, paths: Paths) -> Self:
        """The lever with one value a draw, shape (draws,), of each size that is a range."""
        draws = paths.plans.shape[1]
        sizes = {
            name: value.drawn(draws, paths.seed, zlib.crc32(f"{self.kind} {name}".encode()))
            for name, value in self
            if isinstance(value, Range)
        }
        return self.model_copy(update=sizes)

    @abstractmethod
    def _effect(self, fit: Fit, parts: pd.DataFrame, paths: Paths) -> Effect:
        """What it does where all councils that have a part start together."""

    def leaves(self, fit: Fit, paths: Paths) -> Paths:
        """The paths that it leaves for later levers: without plans that it avoids, and with those that it moves in
        their new placements."""
        return paths

    @property
    def first_start(self) -> int:
        """The first year in which it may change anything anywhere."""
        years = [*self.pathfinders.values(), *([] if self.only_pathfinders else [self.start])]
        return min(years, default=self.start)

    def __repr__(self) -> str:
        return f"{self.title}: {self.terms()}, {self.timing()}"

    def terms(self) -> str:
        """The lever's parameters in one sentence, without its timing."""
        told = self._terms.format_map({name: self.shown(name) for name in type(self).model_fields})
        return told.replace("% points", " points")

    def shown(self, name: str) -> str:
        """One of its parameters as a reader sees it."""
        value, extra = getattr(self, name), type(self).model_fields[name].json_schema_extra
        if isinstance(value, Range):
            return between(f"{100 * value.low:.6g}", f"{100 * value.high:.6g}") + "%"
        unit = str(extra.get("unit")) if isinstance(extra, dict) else ""
        written = {"share": lambda share: f"{100 * share:.6g}%", "£": gbp, "year": financial_year}.get(unit, str)
        if isinstance(value, dict):
            return ", ".join(f"{key} {written(each)}" for key, each in value.items())
        return str(value) if value is None or isinstance(value, str) else written(value)

    def central(self, name: str) -> Any:
        """One of its parameters; the middle of a range."""
        value = getattr(self, name)
        return value.middle if isinstance(value, Range) else value

    def timing(self) -> str:
        """When it works, in words."""
        said = f"from {financial_year(self.start)}"
        if self.lag:
            said += f", first felt in {financial_year(self.start + self.lag)}"
        if self.ramp > 1:
            said += f", at full size in {financial_year(self.start + self.lag + self.ramp - 1)}"
        if self.pathfinders:
            own = listed([f"{place} from {financial_year(year)}" for place, year in self.pathfinders.items()])
            said = f"only in {own}" if self.only_pathfinders else f"{said}; {own}"
        return said

    def size(self, years: list[int]) -> Array:
        """Share of its full size by year, shape (years, 1): 0 before start and lag, then up evenly, then 1."""
        steps = (np.array(years, dtype=float) - self.start - self.lag + 1) / self.ramp
        return np.clip(steps, 0.0, 1.0)[:, None]


def spread(parts: pd.DataFrame, column: str, england: Array) -> Array:
    """England's money (years, draws) among councils by one of their shares: (years, authorities, draws)."""
    among: Array = parts[column].to_numpy()[None, :, None] * england[:, None, :]
    return among


def in_turn(levers: Sequence[Lever], fit: Fit, paths: Paths) -> list[Effect]:
    """What several levers do together, whatever order they are given in: those that avoid plans first, then those
    that move plans, then those that change what plans cost or who pays, each on the plans that are left."""
    turns = {"early_support": 0, "placement_shift": 1}
    effects = []
    for lever in sorted(levers, key=lambda each: turns.get(each.kind, len(turns))):
        effects.append(lever.effect(fit, paths))
        paths = lever.drawn(paths).leaves(fit, paths)
    return effects


class ThresholdUprating(Lever):
    """Schools pay more before the high needs block does: the threshold of £6,000 goes up with inflation.

    Saving(t) = mainstream plans(t) x affected x passed_on x size(t) x (threshold(t) - £6,000), with threshold(t) =
    `threshold` x (1 + rate)^(t - start). What the block saves, mainstream schools' budgets pay.
    """

    kind: Literal["threshold_uprating"]
    _terms = (
        "Schools pay the first {threshold} instead of £6,000 of a plan's cost, rising by {rate} a year, for "
        "{affected} of plans in mainstream and other places; {passed_on} of the rise comes off councils' top-ups"
    )
    threshold: Pounds = Field(ge=THRESHOLD, le=15_000, description="£ in the first year, where it was £6,000")
    rate: Points = Field(description="growth of the threshold in later years, a year")
    affected: Share = Field(description="share of plans outside special and independent schools that it concerns")
    passed_on: Uncertain = Field(description="share of the rise by which councils' top-ups do fall")

    def _effect(self, fit: Fit, parts: pd.DataFrame, paths: Paths) -> Effect:
        years = paths.years[1:]
        since = np.array(years, dtype=float)[:, None] - self.start
        rise = self.threshold * (1 + self.rate) ** np.maximum(since, 0.0) - THRESHOLD
        plans = (paths.plans * paths.shares[MAINSTREAM])[1:] * self.affected
        saving = spread(parts, "mainstream_and_other", plans * self.passed_on * self.size(years) * rise)
        return Effect(saving, {"mainstream schools": saving})


class EarlySupport(Lever):
    """Spend more on early and mainstream support at once; later fewer plans.

    Cost(t) = cost x spend(t) from the start; plan growth is lower by `fewer` x size(t) from start and lag. What is
    saved is the plans that are then not there, which add up year by year, times the cost of such a plan.
    """

    kind: Literal["early_support"]
    _terms = (
        "another {cost} of high needs spend goes to early support, {from_block} of it from the block; plans then "
        "grow {fewer} points a year less"
    )
    cost: Points = Field(description="spend on early support, as a share of high needs spend, more than now")
    fewer: Uncertain = Field(description="points a year by which plans grow less: 0.01 is one point")
    from_block: Share = Field(description="share of the cost that the high needs block pays; DfE pays the rest")
    avoided: Literal["mainstream_and_other", "average"] = Field(
        description="cost of a plan that is not issued: of one in a mainstream or other place, or the mean"
    )

    def _effect(self, fit: Fit, parts: pd.DataFrame, paths: Paths) -> Effect:
        spent = self.cost * paths.spend[1:] * (np.array(paths.years[1:])[:, None] >= self.start)
        left = self.plans_left(paths)
        cost = paths.mix * paths.unit_cost if self.avoided == "average" else paths.cost[MAINSTREAM]
        saved = paths.plans[1:] * (1 - left) * cost[1:]
        paid = spread(parts, "spend", spent)
        effect = spread(parts, "plans", saved) - paid * self.from_block
        return Effect(effect, {"DfE": paid * (1 - self.from_block)} if self.from_block < 1 else {})

    def leaves(self, fit: Fit, paths: Paths) -> Paths:
        """The paths without the plans that are not issued."""
        waves = [parts["plans"].sum() * (1 - each.plans_left(paths)) for each, parts in self._starting(fit)]
        gone, counts = sum(waves) * paths.plans[1:], paths.plans * paths.shares
        if self.avoided == "average":
            counts[:, 1:] -= gone * paths.shares[:, 1:]
        else:
            counts[MAINSTREAM, 1:] = np.maximum(counts[MAINSTREAM, 1:] - gone, 0.0)
        plans = counts.sum(axis=0)
        return replace(paths, plans=plans, shares=counts / plans)

    def plans_left(self, paths: Paths) -> Array:
        """Plans that are left, as a share of the baseline's, shape (projected years, draws).

        Each year's lower growth stays in all later years.
        """
        growth = paths.plans[1:] / paths.plans[:-1]
        fewer = self.drawn(paths).fewer * self.size(paths.years[1:])
        return np.cumprod((growth - fewer) / growth, axis=0, dtype=np.float64)


class PlacementShift(Lever):
    """Plans move from independent and non-maintained into state special schools.

    Each year from start and lag `moved` x size(t) of the independent plans still there moves; of the baseline's
    independent plans the share 1 - product of (1 - moved x size) has then moved. Each saves the difference of the
    two placements' unit costs (state special with its £10,000 place), which grow as all unit costs do. Each new
    place costs `capital` once, in the year it opens.
    """

    kind: Literal["placement_shift"]
    _terms = (
        "{moved} of independent placements a year move to state special schools, where a new place costs "
        "{capital} to build"
    )
    moved: Uncertain = Field(description="share of independent placements that moves a year")
    capital: Pounds = Field(ge=0, le=500_000, description="£ to build a place, paid by DfE, not uprated")

    def _effect(self, fit: Fit, parts: pd.DataFrame, paths: Paths) -> Effect:
        plans = self._gone(paths) * (paths.plans * paths.shares[INDEPENDENT])[1:]
        apart = (paths.cost[INDEPENDENT] - paths.cost[STATE_SPECIAL])[1:]
        # A place once built is there: fewer plans later need no new one, and give no money back.
        places = np.maximum.accumulate(plans, axis=0)
        built = np.diff(places, axis=0, prepend=0.0)
        return Effect(
            spread(parts, "independent", plans * apart),
            {"capital (DfE)": spread(parts, "independent", built * self.capital)},
        )

    def _gone(self, paths: Paths) -> Array:
        """Share of the independent plans that has moved, shape (projected years, 1)."""
        return 1 - np.cumprod(1 - self.moved * self.size(paths.years[1:]), axis=0, dtype=np.float64)

    def leaves(self, fit: Fit, paths: Paths) -> Paths:
        """The paths with the plans that have moved in state special schools."""
        shares = paths.shares.copy()
        waves = [parts["independent"].sum() * each._gone(paths) for each, parts in self._starting(fit)]
        moved = sum(waves) * shares[INDEPENDENT, 1:]
        shares[INDEPENDENT, 1:] -= moved
        shares[STATE_SPECIAL, 1:] += moved
        return replace(paths, shares=shares)


class FormulaReview(Lever):
    """The high needs block is redistributed; its sum stays.

    Change(council, t) = block(t) x weight x size(t) x (share of the basis - share of the block), within a floor
    and a cap where they are given. Where gains and losses then do not match, the larger side comes down in
    proportion: councils' changes add up to nothing in every year and draw. Councils that start in different years
    share out their own blocks apart.
    """

    kind: Literal["formula_review"]
    weight: Share = Field(description="part of the block that follows the basis, when fully in place")
    basis: Basis | dict[Basis, Share] = Field(
        json_schema_extra=SHARE,
        description="people: people by age at England's plan rates; plans: EHC plans; spend: high needs spend so "
        "far; deprivation: children in income deprivation. Or several with their shares, which add up to 1",
    )
    floor: Share | None = Field(
        None, json_schema_extra=SHARE, description="most that a council loses, as a share of its block"
    )
    gains_cap: Share | None = Field(
        None, json_schema_extra=SHARE, description="most that one gains, as a share of its block"
    )

    @field_validator("basis")
    @classmethod
    def _shares_add_up(cls, basis: Any) -> Any:
        if isinstance(basis, dict) and abs(sum(basis.values()) - 1) > 1e-9:
            raise ValueError(f"shares add up to {sum(basis.values()):g}, expected 1")
        return basis

    @property
    def mixed(self) -> dict[str, float]:
        """The factors of the basis and their shares."""
        basis = self.basis if isinstance(self.basis, dict) else {self.basis: 1.0}
        return {str(name): share for name, share in basis.items()}

    def _effect(self, fit: Fit, parts: pd.DataFrame, paths: Paths) -> Effect:
        years, funded = paths.years[1:], parts["block"].to_numpy()
        mixed = [
            sum(part * self._factor(fit, parts, year, name) for name, part in self.mixed.items()) for year in years
        ]
        apart = np.stack(mixed) * funded.sum() - funded
        # What rounding leaves goes where the money is, so that the sum is kept to the penny.
        apart -= apart.sum(axis=1, keepdims=True) * funded / funded.sum()
        moved = self._bounded(self.weight * self.size(years) * apart, funded)
        return Effect(paths.block[1:][:, None, :] * moved[:, :, None])

    def _bounded(self, moved: Array, funded: Array) -> Array:
        """Changes as shares of England's block, shape (years, authorities), within the floor and the cap."""
        if self.floor is None and self.gains_cap is None:
            return moved
        gains = np.minimum(moved.clip(min=0.0), np.inf if self.gains_cap is None else self.gains_cap * funded)
        losses = np.minimum((-moved).clip(min=0.0), np.inf if self.floor is None else self.floor * funded)
        gained, lost = gains.sum(axis=1, keepdims=True), losses.sum(axis=1, keepdims=True)
        kept = np.minimum(gained, lost)
        bounded: Array = gains * (kept / np.where(gained > 0, gained, 1)) - losses * (
            kept / np.where(lost > 0, lost, 1)
        )
        return bounded

    def _factor(self, fit: Fit, parts: pd.DataFrame, year: int, name: str) -> Array:
        """Councils' shares of one factor of the basis, adding up to 1; a council without a block stays outside."""
        people, number = fit.history.people, parts.get(name)
        if name == "people" and people is not None:
            number = people[min(year, int(people.columns[-1]))].reindex(parts.index).fillna(0.0)
        if number is None or number.sum() == 0:
            raise ProjectionError(
                f"lever '{self.title}': basis '{name}' needs {BASES[name]}, which are not among the figures "
                "known; give basis 'plans' or 'spend'"
            )
        kept = np.where(parts["block"].to_numpy() == 0, 0.0, number.to_numpy())
        shares: Array = kept / kept.sum()
        return shares

    def terms(self) -> str:
        """The lever's parameters in one sentence, without its timing."""
        one = len(self.mixed) == 1
        words = [BASES[name] + ("" if one else f" ({100 * part:.6g}%)") for name, part in self.mixed.items()]
        said = f"{self.shown('weight')} of the block is shared out by {listed(words)}; its sum stays the same"
        limits = [
            f"no council {verb} more than {self.shown(name)} of its block"
            for name, verb in (("floor", "loses"), ("gains_cap", "gains"))
            if getattr(self, name) is not None
        ]
        return "; ".join([said, *limits])


class HealthShare(Lever):
    """The NHS pays part of placements that health and education arrange together.

    Saving(t) = independent plans(t) x unit cost(t) x joint x paid x size(t). The NHS pays what the block saves.
    """

    kind: Literal["health_share"]
    _terms = "Health pays {paid} of the cost of joint placements, which are {joint} of independent ones"
    joint: Uncertain = Field(description="share of independent placements that are joint ones")
    paid: Uncertain = Field(
        description="share of a joint placement's cost that health pays, besides what it pays now",
    )

    def _effect(self, fit: Fit, parts: pd.DataFrame, paths: Paths) -> Effect:
        spent = (paths.plans * paths.shares[INDEPENDENT] * paths.cost[INDEPENDENT])[1:]
        saved = spent * self.joint * self.paid * self.size(paths.years[1:])
        saving = spread(parts, "independent", saved)
        return Effect(saving, {"NHS": saving})


class FundingGrowth(Lever):
    """The high needs block grows faster by `growth` x size(t), and stays higher.

    More(t) = block(t) x (product of (1 + block growth + growth x size) / (1 + block growth) - 1), which the
    Treasury pays.
    """

    kind: Literal["funding_growth"]
    _terms = "The high needs block grows {growth} points a year more"
    growth: Points = Field(description="points a year that the block grows more: 0.01 is one point")

    def _effect(self, fit: Fit, parts: pd.DataFrame, paths: Paths) -> Effect:
        growth = paths.block[1:] / paths.block[:-1]
        higher = np.cumprod((growth + self.growth * self.size(paths.years[1:])) / growth, axis=0)
        more = spread(parts, "block", paths.block[1:] * (higher - 1))
        return Effect(more, {"Treasury": more})


def lever_names() -> list[str]:
    """Names of the levers that come with the package."""
    return sorted(path.stem for path in levers_dir().glob("*.yaml"))


def levers() -> pd.DataFrame:
    """The levers that come with the package, by name: title, kind, proposer, published, terms, timing."""
    known = {name: Lever.read(name) for name in lever_names()}
    rows = {
        name: {column: getattr(lever, column) for column in ("title", "kind", "proposer", "published")}
        | {"terms": lever.terms(), "timing": lever.timing()}
        for name, lever in known.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def lever_from(declared: dict[str, Any], where: str) -> Lever:
    """A lever from what is declared; `where` names it in messages. Raises ProjectionError with every fault."""
    kind, faults = declared.get("kind"), []
    if kind not in list(KINDS):
        # Without a kind its own parameters cannot be judged, but what every lever has can.
        faults.append(f"kind: {f'found {kind!r}' if kind else 'missing'}; {closest(str(kind), KINDS)}")
        heads = {key: value for key, value in declared.items() if key in Lever.model_fields}
        kind, declared = "funding_growth", heads | {"kind": "funding_growth", "growth": 0.0}
    try:
        lever = KINDS[kind].model_validate(declared)
    except ValidationError as error:
        faults += faults_of(error, KINDS[kind], declared)
    if faults:
        raise ProjectionError(f"lever {where} is not usable:\n" + "\n".join(f"  {fault}" for fault in faults))
    return lever
