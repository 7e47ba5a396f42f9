"""What the explorer is set to: one frozen value, which a control replaces and a scenario file keeps."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from deficits.projection import Lever
from deficits.projection.projection import UNTIL
from deficits.reform_plan import Actions
from deficits.scenario import SHOWN_KEYS, VERSION, Scenario, as_yaml
from deficits.writeoff import Scheme

ENGLAND, EXAMPLE = "England", "example"
CONTROLS = tomllib.loads(Path(__file__).with_name("controls.toml").read_text(encoding="utf-8"))
shipped_lever = cache(Lever.read)


@dataclass(frozen=True)
class State:
    """Everything that the explorer shows follows from this.

    `place`: England, a region, or a council by name, DfE number or ONS code. `as_of`: ISO date, None for all that
    is published. `until`: the last year end. The first scheme of `scenario` is applied; others of an opened file
    are kept. `other`: the scenario that it is compared with, by name in `other_name`; None for none. `plan`: what
    a file of a reform plan's actions holds, or "example", by name in `plan_name`, without the actions whose titles
    are in `off`; it applies where the place is a council.
    """

    place: str = ENGLAND
    as_of: str | None = None
    until: int = UNTIL
    scenario: Scenario = field(default_factory=Scenario)
    other: Scenario | None = field(default_factory=Scenario)
    other_name: str = "the baseline"
    plan: str | None = None
    plan_name: str = "nothing"
    off: tuple[str, ...] = ()
    draws: int = 4000
    seed: int = 1

    @property
    def scheme(self) -> Scheme | None:
        """The write-off that is applied; None without one."""
        return self.scenario.schemes[0] if self.scenario.schemes else None

    @cached_property
    def actions(self) -> Actions | None:
        """All actions of the reform plan's file; ProjectionError with every fault of it."""
        if self.plan is None:
            return None
        return Actions.read(EXAMPLE) if self.plan == EXAMPLE else Actions.parse(self.plan, self.plan_name)

    @cached_property
    def declared(self) -> dict[str, Any]:
        """What differs from the package's own assumptions, as a scenario file declares it."""
        return self.scenario.contents()

    @property
    def is_baseline(self) -> bool:
        """Whether nothing differs from the package's own assumptions."""
        return not self.declared.keys() - {"version", "title"} and self.plan is None

    def value(self, setting: str) -> Any:
        """What a setting is at; None where there is none.

        A setting is a field of the state, `assumption.NAME`, `lever.NAME` (a shipped lever: the size of the one of
        its kind), `scheme` (its name), `term.NAME` of the scheme (`budget` in £), `compared`, or `actions` (titles
        of those of the reform plan that apply).
        """
        kind, _, name = setting.partition(".")
        match kind:
            case "assumption":
                return getattr(self.scenario.assumptions, name)
            case "lever":
                alike, size = shipped_lever(name).kind, CONTROLS["Levers"][shipped_lever(name).kind]["size"]
                return next((each.central(size) for each in self.scenario.levers if each.kind == alike), None)
            case "scheme":
                return self.scheme and self.declared["schemes"][0].get("name", self.scheme.title)
            case "term":
                term = getattr(self.scheme, name, None)
                return (term.pounds if term else 0.0) if name == "budget" and self.scheme else term
            case "compared":
                return self.other_name if self.other else "nothing"
            case "actions":
                return self.actions and tuple(title for title in self.actions.titles if title not in self.off)
            case "as_of":
                return self.as_of or ""
        return getattr(self, setting)

    def with_value(self, setting: str, value: Any) -> State:
        """The state with a setting at another value: it is changed in what the scenario's file would say, which is
        read again. Raises ProjectionError as for a file.

        A lever's size is its range where it is the shipped one's, else one value; None takes it out. A base date
        takes the payment along.

        >>> State().with_value("lever.funding-growth", 0.02).scenario.lines()
        ['Lever: Faster growth of the high needs block (growth 2%)']
        """
        kind, _, name = setting.partition(".")
        declared = {"version": VERSION, **self.declared}
        match kind:
            case "assumption":
                declared["assumptions"] = declared.get("assumptions", {}) | {name: value}
            case "lever":
                shipped = shipped_lever(name)
                size = CONTROLS["Levers"][shipped.kind]["size"]
                entries = list(zip(self.scenario.levers, declared.get("levers", []), strict=True))
                alike = [entry for lever, entry in entries if lever.kind == shipped.kind]
                others = [entry for lever, entry in entries if lever.kind != shipped.kind]
                usual = value is not None and math.isclose(value, shipped.central(size))
                sized = [*alike, {"name": name}][0] | {
                    size: shipped.model_dump(mode="json")[size] if usual else value
                }
                declared["levers"] = others if value is None else [*others, sized]
            case "scheme":
                declared["schemes"] = [{"name": value}] if value else []
            case "term" if self.scheme:
                terms = {name: ({"pounds": value} if value else None) if name == "budget" else value}
                if name == "base_year":
                    terms["paid_in"] = value + self.scheme.paid_in - self.scheme.base_year
                first, *others = declared["schemes"]
                declared["schemes"] = [first | terms, *others]
            case "actions" if self.actions:
                return replace(self, off=tuple(title for title in self.actions.titles if title not in value))
            case _:
                fields: dict[str, Any] = {setting: value.strip() or None if setting == "as_of" else value}
                return replace(self, **fields)
        return replace(self, scenario=Scenario.from_contents(declared, "set here"))

    @property
    def file_text(self) -> str:
        """The scenario's file with place, day, horizon and the name of the reform plan's file in it."""
        shown: dict[str, Any] = {
            "place": self.place,
            "as_of": self.as_of and date.fromisoformat(self.as_of),
            "until": self.until,
        }
        shown |= {"plan": self.plan_name, "off": list(self.off)} if self.plan else {}
        return as_yaml(self.declared | {key: value for key, value in shown.items() if value})

    def opened(self, scenario: Scenario) -> State:
        """The state with a scenario, and with its place, day and horizon where it has them."""
        return replace(
            self,
            scenario=scenario.model_copy(update=dict.fromkeys(SHOWN_KEYS) | {"off": ()}),
            place=scenario.place or self.place,
            as_of=scenario.as_of.isoformat() if scenario.as_of else self.as_of,
            until=scenario.until or self.until,
        )
