"""A write-off scheme: declared in a YAML file, read with every fault told at once, composed and varied."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pandas as pd
import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    HttpUrl,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from deficits.assumptions import assumed
from deficits.errors import SchemeError, closest
from deficits.formatting import financial_year, gbp, percent, year_end
from deficits.paths import schemes_dir, write_whole
from deficits.simulated import with_units
from deficits.validation import Declared, faults_of, read_text
from deficits.validation import read_yaml as as_yaml
from deficits.writeoff.conditions import (
    AnyCondition,
    AnyShare,
    Approval,
    Budget,
    ByCondition,
    Caps,
    Clawback,
    Cover,
    Ineligible,
    IsCouncil,
    Payer,
    Repayment,
    Scale,
    Share,
    YearEnd,
)

OVERRIDE = assumed("override", "ends")
EACH = {"pupils": "per pupil", "people_2_18": "per person aged 2 to 18", "plans": "per EHC plan"}
SCHEMA = "scheme.schema.json"
Place = tuple[str | int, ...]
"""A key of a file: its path from the top."""
_NAMES = {"type": "array", "items": {"type": "string"}, "description": "schemes paid on top, by name or file"}


def _budget(given: Any) -> Any:
    """A budget may be one amount."""
    return {"pounds": given} if isinstance(given, int | float | str) and not isinstance(given, bool) else given


class Scheme(Declared):
    """A design for writing off part of councils' deficits.

    Each council in deficit at 31 March of `base_year` is paid from the financial year `paid_in` on; a council in
    surplus is paid nothing. The amount is worked out in this order: what is **ineligible** comes off the
    deficit; of the rest a **share** is paid; no more than the **cap**; and all councils together no more than
    the **budget**. Approval comes after: what a refused council would have been paid goes to nobody. Years are
    named by the calendar year they end in; shares are 0 to 1; money is £.

    >>> scheme = Scheme.read("high-needs-stability-grant")
    >>> scheme.share, scheme.base_year, scheme.paid_in
    (0.9, 2026, 2027)
    >>> Scheme.read("flat-share", share=0.75).title
    'Flat share of the deficit (share 75%)'
    >>> tuple(one.share for one in Scheme.read("flat-share").vary(share=[0.5, 0.75, 1]))
    (0.5, 0.75, 1.0)
    """

    _error = SchemeError

    title: str = Field(min_length=3)
    proposer: str = Field(min_length=2)
    published: date
    status: Literal["adopted", "proposed", "historical", "counterfactual"]
    reference: HttpUrl = Field(description="where the design, or what it is built on, was published")
    summary: str = Field(min_length=20)
    assumed: tuple[str, ...] = Field(min_length=1, description="what is assumed beyond what is published")

    base_year: YearEnd = Field(description="the deficit is that of 31 March of this year")
    source: Literal["projection", "lowest"] = Field(
        default="projection",
        description="which figure of the deficit counts: the projection's, or the lowest of the sources, by the £ "
        "by which they differed at the newest year end that both give; the projection's where one source shows a "
        "deficit and another a surplus, which is a difference of bases",
    )
    ineligible: Ineligible = Ineligible()
    eligibility: tuple[AnyCondition, ...] = Field(default=(), description="all must be met; none: every deficit")
    share: AnyShare = Field(description="share of the deficit that is paid: 0.9 is 90%")
    cap: Caps = Field(default_factory=dict, description="limits of one council's grant; the lowest applies")
    budget: Annotated[Budget | None, BeforeValidator(_budget)] = None
    paid_in: YearEnd = Field(description="financial year of payment")
    part_of_year: Share = Field(
        default=0.5, description="part of the year that is gone when a grant is paid: 0 is 1 April, 0.5 autumn"
    )
    instalments: tuple[Share, ...] = Field(
        default=(1.0,), min_length=1, description="share paid in paid_in and in each year after; they add up to 1"
    )
    approval: Approval = Approval()
    match_funding: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="£ the council pays from its general fund for each £ of grant, no more than what is then left "
        "of its deficit",
    )
    cover: Cover | None = None
    safety_valve: Literal["as_projected", "stop", "continue"] = Field(
        default="as_projected",
        description="agreed instalments after the base date: as in the projection; stop; or continue, and are "
        "left out of the deficit that the scheme pays for",
    )
    repayment: Repayment | None = None
    payer: Literal["treasury", "schools_budget"] = Field(
        default="treasury",
        description="new money, or taken from every council's DSG of the year in proportion (a council whose DSG "
        "is not published gives nothing)",
    )
    interest_borne_by: Payer = Field(
        default="general_fund", description="where interest on deficits after the base date is charged"
    )
    clawback: Clawback | None = None
    override_ends: YearEnd = Field(default=int(OVERRIDE.number), description=OVERRIDE.description)
    plus: Annotated[tuple[Scheme, ...], WithJsonSchema(_NAMES)] = Field(
        default=(), description="schemes that are paid on top, by name or file; never more than the deficit"
    )

    @field_validator("plus", mode="before")
    @classmethod
    def _named(cls, given: Any, info: ValidationInfo) -> Any:
        chain: tuple[Path, ...] = (info.context or {}).get("chain", ())
        near = chain[-1] if chain else None
        if not isinstance(given, list | tuple):
            return given
        return tuple(
            cls._from(scheme_path(one, near), chain, {}) if isinstance(one, str) else one for one in given
        )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        told = list(_contradictions(self))
        if told:
            raise ValueError("\n".join(told))
        return self

    @classmethod
    def read(cls, name: str | Path, **changes: Any) -> Scheme:
        """A scheme that comes with the package, by name, or any YAML file; `changes` override its parameters.

        Parameters inside a part have a dot: `Scheme.read("equal-per-pupil", **{"budget.pounds": 4e9})`.
        Raises SchemeError with every fault of the file, or the closest name of an unknown scheme or parameter.
        """
        return cls._from(scheme_path(name), (), changes)

    @classmethod
    def _from(cls, path: Path, chain: tuple[Path, ...], changes: Mapping[str, Any]) -> Scheme:
        whole = (*chain, path.resolve())
        if path.resolve() in chain:
            names = " -> ".join(link.stem for link in whole)
            raise SchemeError(f"scheme {path.name} is paid on top of itself: {names}; take it out of 'plus'")
        declared, lines = read_yaml(path)
        # What was changed after the file was read is on none of its lines.
        lines = {place: line for place, line in lines.items() if ".".join(map(str, place)) not in changes}
        scheme = cls._validated(_overridden(declared, changes), f"scheme {path.name}", lines, whole)
        return scheme._titled(declared, changes)

    @classmethod
    def _validated(
        cls, declared: dict[str, Any], what: str, lines: Mapping[Any, int], chain: tuple[Path, ...] = ()
    ) -> Scheme:
        try:
            return cls.model_validate(declared, context={"chain": chain})
        except ValidationError as error:
            # In the file's order; rules between parameters are only looked at once each parameter is right.
            told = [
                (max((lines.get(place[:end], 0) for end in range(1, len(place) + 1)), default=0), words)
                for words, place in faults_of(error, cls, declared).items()
            ]
            told.sort(key=lambda each: each[0])
            shown = (f"  line {line}: {words}" if line else f"  {words}" for line, words in told)
            raise SchemeError("\n".join([f"{what} is not usable:", *shown])) from None

    @classmethod
    def json_schema(cls) -> str:
        """The JSON schema of a scheme's file, for editors that check YAML while it is written."""
        return json.dumps(cls.model_json_schema(), indent=2, ensure_ascii=False)

    def changed(self, **changes: Any) -> Scheme:
        """The scheme with other parameters; its title says which. Raises SchemeError with every fault."""
        declared = dict(self)
        scheme = type(self)._validated(_overridden(declared, changes), f"'{self.title}' with changes", {})
        return scheme._titled(declared, changes)

    def vary(self, **values: Iterable[Any]) -> list[Scheme]:
        """A scheme for each value; of several parameters, for each combination."""
        several = (
            each if isinstance(each, Iterable) and not isinstance(each, str) else [each]
            for each in values.values()
        )
        return [self.changed(**dict(zip(values, one, strict=True))) for one in itertools.product(*several)]

    def __add__(self, other: Scheme) -> Scheme:
        """Both: the other is paid on top, on the same deficits, and together never more than the deficit."""
        declared = dict(self) | {"plus": (*self.plus, other), "title": f"{self.title} + {other.title}"}
        return type(self)._validated(declared, f"'{self.title}' and '{other.title}' together", {})

    @property
    def parts(self) -> tuple[Scheme, ...]:
        """The scheme without what is paid on top, then each scheme that is."""
        if not self.plus:
            return (self,)
        alone = self.model_copy(update={"plus": ()})
        return (alone, *(part for other in self.plus for part in other.parts))

    def terms(self) -> str:
        """The scheme's parameters in one sentence."""
        return "; on top ".join(_terms(part) for part in self.parts)

    def __repr__(self) -> str:
        return f"{self.title}: {self.terms()}"

    def _titled(self, declared: Mapping[str, Any], changes: Mapping[str, Any]) -> Scheme:
        """Its title says what the changes have changed of what was declared; a title that is given stands."""

        def before(key: str) -> Any:
            value: Any = declared
            for name in key.split("."):
                value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
            return value

        told = [f"{key} {_value(key, value)}" for key, value in changes.items() if before(key) != value]
        title = f"{self.title} ({', '.join(told)})"
        return self.model_copy(update={"title": title}) if told and "title" not in changes else self


def schemes() -> pd.DataFrame:
    """The schemes that come with the package, by name: title, status, proposer, published, base_year, paid_in and
    terms.

    >>> schemes().loc["high-needs-stability-grant", "status"]
    'adopted'
    """
    known = {name: Scheme.read(name) for name in scheme_names()}
    columns = ["title", "status", "proposer", "published", "base_year", "paid_in"]
    rows = {name: [*(getattr(each, column) for column in columns), each.terms()] for name, each in known.items()}
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=[*columns, "terms"]).rename_axis("name")
    return with_units(frame, "year")


def write_new(path: Path, like: str = "flat-share") -> tuple[Path, Path]:
    """Write a copy of a shipped scheme to change, and the JSON schema next to it: the paths of both.

    Editors that know the yaml-language-server's first line then complete and check keys. SchemeError when the name
    is not that of a YAML file, the file is there already, or no such scheme is shipped.
    """
    if path.suffix not in {".yaml", ".yml"}:
        raise SchemeError(f"{path}: expected a name that ends in .yaml")
    if path.exists():
        raise SchemeError(f"{path} is there already: give another name, or move it away")
    Scheme.read(like)
    declared = (schemes_dir() / f"{like}.yaml").read_text(encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = path.parent / SCHEMA
    head = f"# yaml-language-server: $schema={SCHEMA}\n# A copy of '{like}': change title, proposer and terms.\n"
    write_whole(schema, Scheme.json_schema() + "\n")
    write_whole(path, head + declared)
    return path, schema


def _contradictions(scheme: Scheme) -> Iterable[str]:
    """Parameters that are each in range and make no sense together; each message begins with one of them."""
    last_paid = scheme.paid_in + len(scheme.instalments) - 1 + scheme.approval.delay
    if scheme.paid_in <= scheme.base_year:
        yield (
            f"paid_in {scheme.paid_in} is not after base_year {scheme.base_year}: "
            "a deficit is paid off after it has been measured"
        )
    if abs(sum(scheme.instalments) - 1) > 1e-9:
        yield f"instalments add up to {sum(scheme.instalments):g}, expected 1"
    limit = scheme.cap.get("pounds")
    if scheme.budget and limit is not None and limit > scheme.budget.pounds:
        yield (
            f"cap.pounds {gbp(limit)} for one council is above budget.pounds {gbp(scheme.budget.pounds)} for all "
            "of them: leave one out"
        )
    if scheme.approval.late > 0 and scheme.approval.delay == 0:
        yield "approval.late without approval.delay: say by how many years the late are paid later"
    early = sorted(year for year in scheme.cover.shares if year <= scheme.base_year) if scheme.cover else []
    if early:
        years = ", ".join(map(str, early))
        yield f"cover of {years}: growth is covered after the base date, 31 March {scheme.base_year}"
    if scheme.clawback and scheme.clawback.year < last_paid:
        yield f"clawback.year {scheme.clawback.year} is before the last payment, in {last_paid}"
    asked = [condition for condition in scheme.eligibility if isinstance(condition, IsCouncil)]
    for one in asked:
        both = {name for other in asked if other.holds != one.holds for name in other.names} & set(one.names)
        if one.holds and both:
            yield f"eligibility asks for {', '.join(sorted(both))} and leaves the same out"
    variants = {part.safety_valve for part in scheme.parts} - {"as_projected"}
    if len(variants) > 1:
        yield "safety_valve is 'stop' in one scheme and 'continue' in another that is paid with it"


def _overridden(declared: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The declaration with changes, of which `budget.pounds` is inside a part."""
    changed = dict(declared)
    for key, value in changes.items():
        first, dot, rest = key.partition(".")
        if dot:
            inside = changed.get(first)
            inside = inside.model_dump() if isinstance(inside, BaseModel) else dict(inside or {})
            value = _overridden(inside, {rest: value})
        changed[first] = value
    return changed


_SHARES = {"share", "part_of_year", "probability", "late", "dsg"}


def _value(key: str, value: Any) -> str:
    name = key.rpartition(".")[2]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and name in _SHARES:
        return percent(value)
    if number and name in ("pounds", *EACH):
        return gbp(value)
    if isinstance(value, Declared):
        value = value.model_dump(exclude_defaults=True)
    if isinstance(value, Mapping):
        told = value.items()
        return " ".join(f"{inner} {_value(str(inner), amount)}" for inner, amount in told)
    if isinstance(value, list | tuple):
        return " ".join(_value(name, one) for one in value)
    return str(value)


_SIZES = {
    "dsg": "its DSG",
    "reserves": "its usable reserves",
    "unallocated_reserves": "its unallocated reserves",
    **EACH,
}


def _terms(scheme: Scheme) -> str:
    """One scheme in words, what is paid on top left out."""
    share, measured = scheme.share, f"of each council's deficit at {year_end(scheme.base_year)}"
    if share == 0 and scheme.cover is None:
        return ", ".join([f"nothing is paid off; deficits of {year_end(scheme.base_year)} stay", *_also(scheme)])
    if isinstance(share, Scale):
        whose = _SIZES.get(share.of, "£").removeprefix("its ")
        lowest, highest = percent(min(share.pays)), percent(max(share.pays))
        paid = f"{lowest} to {highest} {measured}, by its size against {whose}"
    elif isinstance(share, ByCondition):
        either = f"{percent(share.met)} or {percent(share.otherwise)}"
        paid = f"{either} {measured}, by whether it meets the conditions"
    else:
        paid = f"{percent(share)} {measured}"
    if scheme.ineligible.reserves:
        paid += f" above {percent(scheme.ineligible.reserves)} of its usable reserves"
    if scheme.eligibility:
        paid += " where it is eligible"
    told = [paid, *(f"at most {limit_in_words(size, limit)}" for size, limit in scheme.cap.items())]
    if scheme.budget:
        told.append(f"within {gbp(scheme.budget.pounds)} for England")
        if scheme.budget.allocation in EACH:
            told.append(f"the same amount {EACH[scheme.budget.allocation]}")
    last = scheme.paid_in + len(scheme.instalments) - 1
    until = f" to {financial_year(last)}" if last > scheme.paid_in else ""
    return ", ".join([*told, f"paid in {financial_year(scheme.paid_in)}{until}", *_also(scheme)])


def limit_in_words(size: str, limit: float) -> str:
    """A limit of one council's grant: £, or a multiple of what it is measured against."""
    if size == "pounds":
        return f"{gbp(limit)} a council"
    return f"{gbp(limit) if size in EACH else f'{percent(limit)} of'} {_SIZES[size]}"


def _also(scheme: Scheme) -> Iterator[str]:
    if scheme.cover:
        shares = scheme.cover.shares.items()
        covered = ", ".join(f"{percent(share)} of {financial_year(year)}" for year, share in shares)
        yield f"and of the growth of deficits {covered}"
    if scheme.match_funding:
        yield f"each £ matched by £{scheme.match_funding:g} of the council's"
    if scheme.repayment:
        rate = scheme.repayment.rate
        at = "the financing rate" if rate is None else percent(rate, 2)
        yield f"repaid over {scheme.repayment.years} years at {at}"
    if scheme.safety_valve == "continue":
        yield "agreed safety valve payments continuing"
    if scheme.payer == "schools_budget":
        yield "taken from the schools budget"
    if scheme.interest_borne_by == "dsg":
        yield "interest charged to the DSG"
    if scheme.approval.probability < 1:
        yield f"each plan approved with a chance of {percent(scheme.approval.probability)}"
    if scheme.override_ends != int(OVERRIDE.number):
        yield f"the override ending on {year_end(scheme.override_ends)}"


def scheme_names() -> list[str]:
    """Names of the schemes that come with the package."""
    return sorted(path.stem for path in schemes_dir().glob("*.yaml"))


def scheme_path(name: str | Path, near: Path | None = None) -> Path:
    """The file of a scheme that comes with the package, by name, or of a YAML file (a path from `near` on)."""
    if not isinstance(name, str | Path):
        raise SchemeError(f"scheme: found {name!r} ({type(name).__name__}), expected a name or a YAML file")
    given = Path(name)
    if given.suffix in {".yaml", ".yml"}:
        path = given if near is None else near.parent / given
        if not path.is_file():
            raise SchemeError(f"no scheme file {path}")
        return path
    if str(name) not in scheme_names():
        raise SchemeError(f"no scheme '{name}': {closest(str(name), scheme_names())}")
    return schemes_dir() / f"{name}.yaml"


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    """What a file declares, and the line of each key in it (the place of a key is its path from the top)."""
    shown = f"scheme {path.name}"
    text = read_text(path, shown, SchemeError)
    declared = as_yaml(text, shown, SchemeError)
    if not isinstance(declared, dict):
        raise SchemeError(f"scheme {path.name} holds no parameters: expected lines like 'share: 0.9'")
    return declared, _lines_of(text)


@lru_cache(maxsize=64)
def _lines_of(text: str) -> dict[Place, int]:
    return dict(_lines(yaml.compose(text, Loader=yaml.SafeLoader), ()))


def _lines(node: Any, place: Place) -> Iterable[tuple[Place, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, key.value)
            yield here, key.start_mark.line + 1
            yield from _lines(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (*place, number), value.start_mark.line + 1
            yield from _lines(value, (*place, number))
