"""What the panel is set to: one frozen value that a control replaces and a scenario file keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from pydantic import ValidationError

from deficits.errors import ProjectionError
from deficits.projection import Assumptions, Lever, lever_names
from deficits.projection.projection import UNTIL
from deficits.scenario import Scenario
from deficits.writeoff import Scheme, scheme_names

ENGLAND = "England"
SEVERAL = "Several schemes: the first is shown, and all are kept when you save"
REPLACED = "Moving the slider of a growth with a spread or by year replaces that by one number"
SIZES = {
    "threshold_uprating": "threshold",
    "early_support": "fewer",
    "placement_shift": "moved",
    "formula_review": "weight",
    "health_share": "paid",
    "funding_growth": "growth",
}
"""The parameter of each kind of lever that its slider sets."""
CONTROLLED = frozenset(
    {
        "plan_growth",
        "unit_cost_growth",
        "later_block_growth",
        "growth_persistence",
        "financing_rate",
        "safety_valve_payments",
        "calibration",
    }
)
"""The assumptions that a control shows, where they are one number or word."""


@dataclass(frozen=True)
class Pick:
    """A shipped lever or scheme by name with what is changed of it; or one that stood whole in a file.

    >>> Pick("flat-share").changed(share=0.75).scheme().share
    0.75
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    own: Lever | Scheme | None = None

    def changed(self, **changes: Any) -> Pick:
        """The same with other parameters; those that it had stay."""
        return replace(self, changes={**self.changes, **changes})

    def lever(self) -> Lever:
        """The lever. Raises ProjectionError for a parameter that it cannot have."""
        return self.own if isinstance(self.own, Lever) else _lever(self.name, json.dumps(self.changes))

    def scheme(self) -> Scheme:
        """The scheme. Raises SchemeError for parameters that are out of range or contradict each other."""
        if isinstance(self.own, Scheme):
            return self.own.changed(**self.changes) if self.changes else self.own
        return _scheme(self.name, json.dumps(self.changes))


@lru_cache(maxsize=256)
def _lever(name: str, changes: str) -> Lever:
    return Lever.read(name, **json.loads(changes))


@lru_cache(maxsize=256)
def _scheme(name: str, changes: str) -> Scheme:
    return Scheme.read(name, **json.loads(changes))


@dataclass(frozen=True)
class State:
    """Everything that the panel shows follows from this.

    `place`: England, a region, or a council by name, DfE number or ONS code. `as_of`: ISO date, None for all that
    is published. `until`: the last year end. `scheme`: the one that is applied; `further` are other schemes of an
    opened file. Nothing of a file is lost because no control shows it.
    """

    place: str = ENGLAND
    as_of: str | None = None
    until: int = UNTIL
    assumptions: Assumptions = field(default_factory=Assumptions)
    levers: tuple[Pick, ...] = ()
    scheme: Pick | None = None
    compare: bool = True
    title: str | None = None
    further: tuple[Scheme, ...] = ()
    draws: int = 4000
    seed: int = 1

    def assumption(self, name: str, value: Any) -> State:
        """The state with one assumption at another value. Raises ProjectionError where it is out of range.

        >>> State().assumption("plan_growth", 0.05).assumptions.plan_growth
        0.05
        """
        try:
            return replace(self, assumptions=Assumptions(**{**dict(self.assumptions), name: value}))
        except ValidationError as error:
            told = dict.fromkeys(fault["msg"][:1].lower() + fault["msg"][1:] for fault in error.errors())
            raise ProjectionError(f"found {value!r}; {' or '.join(told)}") from None

    def lever(self, name: str, on: bool, **changes: Any) -> State:
        """The state with one shipped lever on (with parameters changed) or off; others stay as they are."""
        others = tuple(pick for pick in self.levers if pick.name != name)
        if not on:
            return replace(self, levers=others)
        pick = (self.picked(name) or Pick(name)).changed(**changes)
        pick.lever()
        return replace(self, levers=tuple(sorted((*others, pick), key=_order)))

    def picked(self, name: str) -> Pick | None:
        """A lever that is on, by name."""
        return next((pick for pick in self.levers if pick.name == name and pick.own is None), None)

    def with_scheme(self, name: str | None, **changes: Any) -> State:
        """The state with another scheme, or none; or with parameters of the same one changed."""
        if name is None:
            return replace(self, scheme=None, further=())
        same = self.scheme is not None and self.scheme.name == name
        pick = (self.scheme if same and self.scheme else Pick(name)).changed(**changes)
        pick.scheme()
        return replace(self, scheme=pick, further=self.further if same else ())

    @cached_property
    def declared(self) -> dict[str, Any]:
        """What differs from the package's own assumptions, as a scenario file declares it."""
        return self.scenario.contents()

    @cached_property
    def scenario(self) -> Scenario:
        """Assumptions, levers and schemes as a scenario: what is saved, and what public functions take."""
        schemes = () if self.scheme is None else (self.scheme.scheme(), *self.further)
        levers = tuple(pick.lever() for pick in self.levers)
        return Scenario(title=self.title, assumptions=self.assumptions, levers=levers, schemes=schemes)

    def opened(self, scenario: Scenario) -> State:
        """The state with a scenario in place of its own; place, dates and draws stay."""
        declared = scenario.contents()
        levers = tuple(
            _pick(entry, lever, lever_names())
            for entry, lever in zip(declared.get("levers", []), scenario.levers, strict=True)
        )
        schemes = tuple(
            _pick(entry, scheme, scheme_names())
            for entry, scheme in zip(declared.get("schemes", []), scenario.schemes, strict=True)
        )
        return replace(
            self,
            assumptions=scenario.assumptions,
            levers=levers,
            scheme=schemes[0] if schemes else None,
            further=scenario.schemes[1:],
            title=scenario.title,
        )

    @property
    def is_baseline(self) -> bool:
        """Whether nothing differs from the package's own assumptions."""
        return self.assumptions == Assumptions() and not self.levers and self.scheme is None

    @property
    def notes(self) -> tuple[str, ...]:
        """What of an opened file no control shows, in words."""
        hidden = {
            name: value
            for name, value in self.declared.get("assumptions", {}).items()
            if name not in CONTROLLED or isinstance(value, dict)
        }
        told = Scenario(assumptions=Assumptions(**hidden)).lines()
        told += [REPLACED] if CONTROLLED & hidden.keys() else []
        told += [f"Lever: {pick.lever().title}" for pick in self.levers if not self._is_controlled(pick)]
        told += [SEVERAL] if self.further else []
        return tuple(told)

    def _is_controlled(self, pick: Pick) -> bool:
        """Whether its box and slider show all of a lever."""
        alone = sum(other.name == pick.name for other in self.levers) == 1
        return pick.own is None and alone and pick.changes.keys() <= {SIZES[pick.lever().kind]}


def _order(pick: Pick) -> int:
    return lever_names().index(pick.name) if pick.own is None else len(lever_names())


def _pick(entry: Mapping[str, Any], thing: Lever | Scheme, names: list[str]) -> Pick:
    """A lever or scheme as it is declared: a shipped one with changes where that gives it back, else the whole."""
    name = entry.get("name")
    changes = {key: value for key, value in entry.items() if key not in ("name", "title")}
    budget = changes.get("budget")
    if isinstance(budget, dict) and budget.get("allocation") == "pro_rata":
        # As the slider sets it; written out, the default would make another title.
        changes["budget"] = {"pounds": budget["pounds"]}
    if name in names:
        pick = Pick(str(name), changes)
        if thing == (pick.lever() if isinstance(thing, Lever) else pick.scheme()):
            return pick
    return Pick(str(thing.title), own=thing)
