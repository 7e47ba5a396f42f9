"""Assumptions as data: what `data/assumptions/*.yaml` declares, each with its unit, source and day.

An assumption is one value, or values by financial year. Where it was announced, the day it became public decides
what a projection of an earlier day may use.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from deficits.errors import PanelError, closest
from deficits.paths import assumptions_dir
from deficits.validation import validated

Scalar = float | int | date | str


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dated(_Declared):
    """A value for one year, the day by which it was public, and where it was read."""

    value: Scalar
    announced: date | None = None
    reference: str = ""
    note: str = ""


class Assumption(_Declared):
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
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = [each.stem for each in assumptions_dir().glob("*.yaml")]
        raise PanelError(f"{shown} is missing: {closest(theme, known)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PanelError(f"{shown} is not valid YAML: {error}") from None
    return {
        name: validated(Assumption, entry, f"{shown}, {name}", PanelError)
        for name, entry in (content or {}).items()
    }


def assumed(theme: str, name: str) -> Assumption:
    """One assumption of a theme; PanelError offers the closest name.

    >>> assumed("safety_valve", "first_payment_share").number
    0.4
    """
    known = assumptions(theme)
    if name not in known:
        raise PanelError(f"data/assumptions/{theme}.yaml has no '{name}': {closest(name, known)}")
    return known[name]
