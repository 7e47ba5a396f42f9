"""What a scheme is declared with: small frozen models, each with its units, range and default.

Amounts, shares and years may be written as people write them: "£150m", "150,000,000", "90%", "2025-26".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from deficits.assumptions import FIRST_YEAR, LAST_YEAR
from deficits.errors import PanelError, closest
from deficits.formatting import year_of
from deficits.panel import Authorities, load_authorities
from deficits.panel.given import amount_given, rate_given
from deficits.validation import Declared

Size = Literal["pounds", "dsg", "reserves", "unallocated_reserves", "pupils", "people_2_18", "plans"]
"""What an amount is measured against: £ themselves; the council's whole DSG of the base year; its usable reserves
(unallocated and other earmarked) or the unallocated alone, at the newest year end published; pupils
on the rolls of state schools; people aged 2 to 18; EHC plans in January."""
CouncilType = Literal["county", "unitary", "metropolitan", "london"]
Payer = Literal["general_fund", "dsg"]


@cache
def authorities() -> Authorities:
    """The closed list, read once."""
    return load_authorities()


def _year_end(given: Any) -> Any:
    if isinstance(given, date):
        if (given.month, given.day) == (3, 31):
            return given.year
        after = given.year + (given.month > 3)
        raise ValueError(f"no year end: balances are measured on 31 March; write {after} for 31 March {after}")
    return year_of(given) if isinstance(given, str) and re.fullmatch(r"\d{4}[-/]\d{2,4}", given) else given


def amount(given: Any) -> Any:
    """A number from an amount as people write it; what is no amount is given back as it is.

    >>> amount("£150m"), amount("150,000,000"), amount("90%"), amount(0.9), amount("lots")
    (150000000.0, 150000000.0, 0.9, 0.9, 'lots')
    """
    if not isinstance(given, str):
        return given
    try:
        return rate_given(given) if given.strip().endswith("%") else amount_given(given)
    except ValueError:
        return given


def _known_regions(names: Iterable[str]) -> tuple[str, ...]:
    known = {str(region).casefold(): str(region) for region in authorities().frame["region"].unique()}
    _refuse(
        f"no region '{name}': {closest(name, known.values())}" for name in names if name.casefold() not in known
    )
    return tuple(known[name.casefold()] for name in names)


def known_councils(names: Any) -> Any:
    """The names, all of them councils; ValueError says which are not, or are amounts for the same one."""
    faults, seen = [], dict[str, str]()
    for name in names:
        try:
            code = authorities().resolve(name)
        except PanelError as error:
            faults.append(str(error))
            continue
        if code in seen and isinstance(names, Mapping):
            faults.append(f"'{seen[code]}' and '{name}' are the same council: give one amount for it")
        seen[code] = name
    _refuse(faults)
    return names


def _refuse(faults: Iterable[str]) -> None:
    if told := "; ".join(faults):
        raise ValueError(told)


Share = Annotated[float, BeforeValidator(amount), Field(ge=0, le=1)]
Pounds = Annotated[float, BeforeValidator(amount), Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, BeforeValidator(amount), Field(ge=0, le=0.2)]
YearEnd = Annotated[int, BeforeValidator(_year_end), Field(ge=FIRST_YEAR, le=LAST_YEAR)]
Caps = dict[Size, Pounds]
"""A limit in £ for each thing named: `{dsg: 0.1, pupils: 400}` is 10% of the DSG and £400 a pupil, whichever is
less."""


class Condition(Declared):
    """Something that is true of a council or not; with `holds: false` its opposite is asked for."""

    holds: bool = True


class DeficitAbove(Condition):
    """Its deficit at the base date is more than `than` times something: `{of: dsg, than: 0.1}`."""

    kind: Literal["deficit_above"]
    of: Size = "pounds"
    than: Pounds


class InRegion(Condition):
    """It is in one of these regions."""

    kind: Literal["region"]
    names: Annotated[tuple[str, ...], AfterValidator(_known_regions), Field(min_length=1)]


class IsCouncil(Condition):
    """It is one of these councils: names, DfE numbers or ONS codes."""

    kind: Literal["council"]
    names: Annotated[tuple[str, ...], AfterValidator(known_councils), Field(min_length=1)]


class IsType(Condition):
    """It is a council of one of these types, as its ONS code says."""

    kind: Literal["type"]
    names: Annotated[tuple[CouncilType, ...], Field(min_length=1)]


class HasSafetyValve(Condition):
    """It has had a safety valve agreement."""

    kind: Literal["safety_valve"]


AnyCondition = Annotated[
    DeficitAbove | InRegion | IsCouncil | IsType | HasSafetyValve, Field(discriminator="kind")
]


class Scale(Declared):
    """A share that goes by the size of the deficit: tiers (`step`) or a taper (`line`).

    `at` are deficits as a multiple of `of`, rising; `pays` the share paid of the whole deficit from each on
    (step), or at each, with straight lines between (line). Below the first and above the last the share stays.
    """

    of: Size = "dsg"
    at: tuple[Pounds, ...] = Field(min_length=1)
    pays: tuple[Share, ...] = Field(min_length=1)
    between: Literal["step", "line"] = "step"

    @model_validator(mode="after")
    def _fits(self) -> Scale:
        if len(self.at) != len(self.pays):
            raise ValueError(
                f"{len(self.at)} places in 'at' and {len(self.pays)} shares in 'pays': give one for each"
            )
        if list(self.at) != sorted(set(self.at)):
            raise ValueError(f"'at' must rise: found {', '.join(f'{place:g}' for place in self.at)}")
        return self


class ByCondition(Declared):
    """A share for councils that meet every condition, and another for the rest."""

    conditions: tuple[AnyCondition, ...] = Field(min_length=1)
    met: Share
    otherwise: Share


def _kind_of_share(given: Any) -> str:
    if isinstance(given, Scale) or (isinstance(given, dict) and "conditions" not in given):
        return "scale"
    return "by_condition" if isinstance(given, dict | ByCondition) else "flat"


AnyShare = Annotated[
    Annotated[Share, Tag("flat")] | Annotated[Scale, Tag("scale")] | Annotated[ByCondition, Tag("by_condition")],
    Discriminator(_kind_of_share),
]


class Ineligible(Declared):
    """What is left out of the deficit before any share is paid; all that is named is added up."""

    share: Share = Field(default=0.0, description="share of every deficit, for example what is not high needs")
    reserves: Pounds = Field(default=0.0, description="multiple of usable reserves that a council bears first")
    councils: Annotated[dict[str, Pounds], AfterValidator(known_councils)] = Field(
        default_factory=dict, description="£ by council"
    )


class Budget(Declared):
    """A national amount that the grants of a scheme may not pass, in any draw."""

    pounds: Pounds
    allocation: Literal["pro_rata", "pupils", "people_2_18", "plans", "largest_of_dsg", "largest_of_reserves"] = (
        Field(
            default="pro_rata",
            description="how it is shared where it is too little: every claim cut alike; the same £ per pupil, "
            "person aged 2 to 18 or plan, no more than the claim; or claims in full, largest deficit first as a "
            "multiple of DSG or usable reserves, until the money is gone, the last one reached paid in part",
        )
    )


class Approval(Declared):
    """Whether a council's plan is approved: drawn once a council and draw, the same for every scheme."""

    probability: Share = Field(
        default=1.0, description="that it is approved at all; a refused plan is paid nothing"
    )
    late: Share = Field(default=0.0, description="share of the approved that are approved late")
    delay: int = Field(default=0, ge=0, le=5, description="years by which the late are paid later")


class Cover(Declared):
    """Grant for deficits that build up after the base date: a share of each year's growth of the deficit."""

    shares: dict[YearEnd, Share] = Field(min_length=1, description="by the year in which the deficit grows")
    growth_limit: Pounds | None = Field(
        default=None,
        description="growth of a year above this multiple of the DSG is not covered; a council whose DSG is not "
        "published has no limit",
    )
    paid_after: int = Field(default=1, ge=0, le=3, description="years from the growth to its payment")


class Repayment(Declared):
    """The write-off is a loan, repaid in equal yearly amounts from the year after it is paid."""

    years: int = Field(ge=1, le=50)
    rate: Rate | None = Field(
        default=None, description="interest on the loan, a year; the financing rate of the projection unless given"
    )
    borne_by: Payer = Field(default="general_fund", description="where the council finds the repayments")


class Clawback(Declared):
    """Grant taken back, in the year after `year`, where the deficit grew by more than was agreed."""

    share: Share = Field(description="of the write-off")
    year: YearEnd = Field(description="year end at which growth since the base date is measured, grants left out")
    growth: Pounds = Field(description="growth of the deficit that is allowed, as a multiple of the DSG")
