"""A write-off scheme: declared in a YAML file, checked, and applied to an outlook."""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, ValidationError, model_validator

from deficits.errors import SchemeError, closest
from deficits.places import schemes_dir
from deficits.wording import percent, year_end

if TYPE_CHECKING:
    from deficits.outlook import Outlook
    from deficits.writeoff.result import WriteOff


class Scheme(BaseModel):
    """A design for writing off part of councils' deficits.

    Each council in deficit at 31 March of `base_year` is paid `share` of that deficit in the financial year
    `paid_in`; a council in surplus is paid nothing. Years are named by the calendar year they end in.

    >>> scheme = Scheme.read("high-needs-stability-grant")
    >>> scheme.share, scheme.base_year, scheme.paid_in
    (0.9, 2026, 2027)
    >>> Scheme.read("flat-share", share=0.75).title
    'Flat share of the deficit (share 75%)'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=3)
    proposer: str = Field(min_length=2)
    published: date
    status: Literal["adopted", "proposed", "historical", "counterfactual"]
    reference: HttpUrl = Field(description="where the design, or what it is built on, was published")
    summary: str = Field(min_length=20)
    assumed: tuple[str, ...] = Field(min_length=1, description="what is assumed beyond what is published")
    share: float = Field(ge=0, le=1, description="share of the deficit that is paid: 0.9 is 90%")
    base_year: int = Field(ge=2020, le=2040, description="the deficit is that of 31 March of this year")
    paid_in: int = Field(ge=2020, le=2040, description="financial year of payment")

    @model_validator(mode="after")
    def _paid_after_the_base_date(self) -> Self:
        if self.paid_in <= self.base_year:
            raise ValueError(
                f"paid_in {self.paid_in} is not after base_year {self.base_year}: "
                "a deficit is paid off after it has been measured"
            )
        return self

    @classmethod
    def read(cls, name: str | Path, **changes: float) -> Scheme:
        """A scheme that comes with the package, by name, or any YAML file; `changes` override its parameters.

        Raises SchemeError with every fault of the file, or the closest name of an unknown scheme or parameter.
        """
        path = _path(name)
        try:
            declared = yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            raise SchemeError(f"scheme {path.name} is not valid YAML: {error}") from None
        if not isinstance(declared, dict):
            raise SchemeError(f"scheme {path.name} holds no parameters: expected lines like 'share: 0.9'")
        changed = {key: value for key, value in changes.items() if declared.get(key) != value}
        scheme = _validated(cls, {**declared, **changes}, path.name)
        if not changed:
            return scheme
        told = ", ".join(f"{key} {percent(value) if key == 'share' else value}" for key, value in changed.items())
        return scheme.model_copy(update={"title": f"{scheme.title} ({told})"})

    def apply(self, outlook: Outlook) -> WriteOff:
        """What the scheme does to each draw of the outlook.

        Raises SchemeError when the base year or the payment lies outside the outlook's years.
        """
        from deficits.writeoff.result import pay

        return pay(self, outlook)

    def terms(self) -> str:
        """The scheme's parameters in one sentence."""
        return (
            f"{percent(self.share)} of each council's deficit at {year_end(self.base_year)}, "
            f"paid in {self.paid_in - 1}-{self.paid_in % 100:02d}"
        )


def scheme_names() -> list[str]:
    """Names of the schemes that come with the package."""
    return sorted(path.stem for path in schemes_dir().glob("*.yaml"))


def _path(name: str | Path) -> Path:
    given = Path(name)
    if given.suffix in {".yaml", ".yml"}:
        if not given.is_file():
            raise SchemeError(f"no scheme file {given}")
        return given
    if str(name) not in scheme_names():
        raise SchemeError(f"no scheme '{name}': {closest(str(name), scheme_names())}")
    return schemes_dir() / f"{name}.yaml"


def _validated(model: type[Scheme], declared: dict[str, Any], file: str) -> Scheme:
    try:
        return model.model_validate(declared)
    except ValidationError as error:
        faults = "\n".join(f"  {_fault(fault, model)}" for fault in error.errors())
        raise SchemeError(f"scheme {file} is not usable:\n{faults}") from None


def _fault(fault: Any, model: type[Scheme]) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    found = fault["input"]
    if fault["type"] == "extra_forbidden":
        near = get_close_matches(key, model.model_fields, n=1)
        return f"{key}: unknown parameter; " + (
            f"did you mean '{near[0]}'?" if near else closest(key, model.model_fields)
        )
    if fault["type"] == "missing":
        return f"{key}: missing; {model.model_fields[key].description or 'a scheme needs it'}"
    if key == "share" and isinstance(found, int | float) and 1 < found <= 100:
        return f"share: found {found:g}, expected a share from 0 to 1; {found:g}% is {found / 100:g}"
    if not key:
        return str(fault["msg"]).removeprefix("Value error, ")
    return f"{key}: found {found!r}; {fault['msg'][0].lower()}{fault['msg'][1:]}"
