"""What the explorer is set to: one frozen value, which a control replaces and a scenario file keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache, cached_property
from typing import Any

from pydantic import ValidationError

from deficits.assumptions import Assumptions
from deficits.errors import ProjectionError
from deficits.projection import Lever
from deficits.projection.lever import THRESHOLD
from deficits.projection.projection import UNTIL
from deficits.scenario import SHOWN_KEYS, Scenario, as_yaml
from deficits.writeoff import Scheme

ENGLAND = "England"
SIZES = {
    "threshold_uprating": ("threshold", THRESHOLD, 15_000),
    "early_support": ("fewer", 0, 0.2),
    "placement_shift": ("moved", 0, 0.2),
    "formula_review": ("weight", 0, 1),
    "health_share": ("paid", 0, 1),
    "funding_growth": ("growth", 0, 0.2),
}
"""The parameter of each kind of lever that its slider sets, and the slider's ends."""
_SAID = ("summary", "reference", "published", "proposer")


@cache
def shipped_lever(name: str) -> Lever:
    """A lever that comes with the package, read once."""
    return Lever.read(name)


@dataclass(frozen=True)
class State:
    """Everything that the explorer shows follows from this.

    `place`: England, a region, or a council by name, DfE number or ONS code. `as_of`: ISO date, None for all that
    is published. `until`: the last year end. The first scheme of `scenario` is applied; others of an opened file
    are kept. `other`: the scenario that it is compared with, by name in `other_name`; None for none.
    """

    place: str = ENGLAND
    as_of: str | None = None
    until: int = UNTIL
    scenario: Scenario = field(default_factory=Scenario)
    other: Scenario | None = field(default_factory=Scenario)
    other_name: str = "the baseline"
    draws: int = 4000
    seed: int = 1

    @property
    def scheme(self) -> Scheme | None:
        """The write-off that is applied; None without one."""
        return self.scenario.schemes[0] if self.scenario.schemes else None

    @cached_property
    def declared(self) -> dict[str, Any]:
        """What differs from the package's own assumptions, as a scenario file declares it."""
        return self.scenario.contents()

    @cached_property
    def text(self) -> str:
        """The scenario as its file has it."""
        return as_yaml(self.declared)

    @property
    def is_baseline(self) -> bool:
        """Whether nothing differs from the package's own assumptions."""
        return not self.declared.keys() - {"version", "title"}

    def _changed(self, **changes: Any) -> State:
        return replace(self, scenario=self.scenario.model_copy(update=changes))

    def with_assumption(self, name: str, value: Any) -> State:
        """The state with one assumption at another value. Raises ProjectionError where it is out of range.

        >>> State().with_assumption("plan_growth", 0.05).scenario.assumptions.plan_growth
        0.05
        """
        try:
            return self._changed(assumptions=Assumptions(**{**dict(self.scenario.assumptions), name: value}))
        except ValidationError as error:
            said = dict.fromkeys(fault["msg"][:1].lower() + fault["msg"][1:] for fault in error.errors())
            raise ProjectionError(f"{name}: found {value!r}; {' or '.join(said)}") from None

    def lever(self, name: str) -> Lever | None:
        """The scenario's lever of the same kind as a shipped one; None where it has none."""
        kind = shipped_lever(name).kind
        return next((lever for lever in self.scenario.levers if lever.kind == kind), None)

    def with_lever(self, name: str, size: float | None) -> State:
        """The state with a lever of a shipped one's kind at a size, or with None without any.

        The shipped one's own size is its range where it has one; any other is one value.

        >>> State().with_lever("funding-growth", 0.02).scenario.levers[0].growth
        0.02
        """
        shipped = shipped_lever(name)
        others = tuple(lever for lever in self.scenario.levers if lever.kind != shipped.kind)
        if size is None:
            return self._changed(levers=others)
        now, usual, sized = self.lever(name) or shipped, shipped.model_dump(mode="json"), SIZES[shipped.kind][0]
        terms = {
            key: value
            for key, value in now.model_dump(mode="json").items()
            if value != usual[key] and key not in ("title", sized)
        } | {sized: usual[sized] if math.isclose(size, shipped.central(sized)) else size}
        if any(getattr(now, key) != getattr(shipped, key) for key in _SAID):
            terms["title"] = now.title  # somebody's own lever keeps its name
        return self._changed(levers=(*others, Lever.read(name, **terms)))

    def with_scheme(self, name: str | None) -> State:
        """The state with a shipped scheme in place of its own, or with None without any."""
        return self._changed(schemes=() if name is None else (Scheme.read(name),))

    def with_terms(self, **terms: Any) -> State:
        """The state's scheme on other terms. Raises SchemeError for terms that contradict each other.

        >>> State().with_scheme("flat-share").with_terms(share=0.75).scheme.share
        0.75
        """
        if self.scheme is None:
            return self
        entry = dict(self.declared["schemes"][0])
        if "name" in entry and "title" not in entry:
            scheme = Scheme.read(entry.pop("name"), **{**entry, **terms})
        else:
            scheme = self.scheme.changed(**terms).model_copy(update={"title": self.scheme.title})
        return self._changed(schemes=(scheme, *self.scenario.schemes[1:]))

    @property
    def file_text(self) -> str:
        """The scenario's file with place, day and horizon in it."""
        shown = {"place": self.place, "as_of": self.as_of and date.fromisoformat(self.as_of), "until": self.until}
        return as_yaml(self.declared | {key: value for key, value in shown.items() if value})

    def opened(self, scenario: Scenario) -> State:
        """The state with a scenario, and with its place, day and horizon where it has them."""
        return replace(
            self,
            scenario=scenario.model_copy(update=dict.fromkeys(SHOWN_KEYS)),
            place=scenario.place or self.place,
            as_of=scenario.as_of.isoformat() if scenario.as_of else self.as_of,
            until=scenario.until or self.until,
        )
