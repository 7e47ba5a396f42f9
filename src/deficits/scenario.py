"""Scenarios: assumptions, levers and schemes under one name, kept in a file that a person can read and change."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    InstanceOf,
    ValidationError,
    model_validator,
)

from deficits.assumptions import CouncilAssumptions, PlacementAssumptions, in_todays_names
from deficits.errors import DeficitsError, ProjectionError, closest
from deficits.formatting import MINUS, gbp, year_end
from deficits.panel import Panel
from deficits.paths import write_whole
from deficits.projection import Assumptions, Projection, project
from deficits.projection.lever import Lever, lever_from, lever_names
from deficits.projection.projection import UNTIL
from deficits.validation import Declared, faults_of, read_text, read_yaml, several, validated
from deficits.writeoff import Scheme, scheme_names

VERSION: Literal[1] = 1
"""Version of the file's form; it goes up when an older file would be read wrongly."""
SHOWN_KEYS = ("place", "as_of", "until", "plan", "off")
"""What the explorer showed when it saved: they change no figure of a report, which has its own parameters."""
WORDS = 2
"""Words in a scenario's name before its fingerprint."""

_HEAD = frozenset({"proposer", "published", "status", "reference", "summary", "evidence", "assumed", "kind"})
"""What a lever or scheme says of itself: who differs here is another one, and not a shipped one with changes."""


NAMES: dict[type, Callable[[], list[str]]] = {Lever: lever_names, Scheme: scheme_names}
"""Names of what comes with the package."""


def _on_one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a title is printable and on one line")
    return text


def _each(kind: type[Lever] | type[Scheme], given: Any) -> tuple[Any, ...]:
    return several(f"{kind.__name__.lower()}s", given, kind, kind.read, ProjectionError)


class Scenario(Declared):
    """What is assumed, what is changed and what is written off.

    `assumptions` are the projection's assumptions; `levers` change each draw from what it would be without them;
    `schemes` are worked out on the projection, each on its own. `place`, `as_of`, `until`, `plan` (the file of a
    reform plan's actions) and `off` (those that do not apply) are what the explorer showed when it saved. A file
    holds only what differs from the defaults.

    >>> scenario = Scenario(assumptions=Assumptions(plan_growth=0.05), levers=(Lever.read("funding-growth"),))
    >>> scenario.name
    'plan-growth-and-funding-growth-4960bf'
    >>> print(scenario.text(), end="")
    version: 1
    assumptions:
      plan_growth: 0.05
    levers:
    - name: funding-growth
    """

    _error = ProjectionError

    version: Literal[1] = VERSION
    title: Annotated[str, AfterValidator(_on_one_line)] | None = Field(default=None, min_length=1, max_length=200)
    place: str | None = Field(default=None, max_length=100)
    as_of: date | None = None
    until: int | None = None
    plan: str | None = Field(default=None, max_length=200)
    off: tuple[str, ...] = ()
    assumptions: Assumptions = Field(default_factory=Assumptions)
    levers: Annotated[tuple[InstanceOf[Lever], ...], BeforeValidator(partial(_each, Lever))] = ()
    schemes: Annotated[tuple[InstanceOf[Scheme], ...], BeforeValidator(partial(_each, Scheme))] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        things: dict[str, tuple[Lever | Scheme, ...]] = {"lever": self.levers, "scheme": self.schemes}
        for kind, each in things.items():
            if twice := [thing.title for thing in each if each.count(thing) > 1]:
                raise ValueError(f"{kind} '{twice[0]}' is there twice: it would count double")
        return self

    @property
    def name(self) -> str:
        """A short name that says what is in it; its last six characters change with anything but the title."""
        parts = [*self._assumptions(), *map(_slug, self.levers), *map(_slug, self.schemes)]
        words = [part.replace("_", "-") for part in parts]
        said = "-and-".join(words[:WORDS]) or "baseline"
        if len(words) > WORDS:
            said += f"-and-{len(words) - WORDS}-more"
        # A shipped lever or scheme counts by its name: better evidence in its file renames nobody's scenario.
        content = {
            key: value for key, value in self.contents().items() if key not in ("version", "title", *SHOWN_KEYS)
        }
        return f"{said}-{sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:6]}"

    @property
    def called(self) -> str:
        """What a reader is told it is called: its title, or without one its name in plain words.

        >>> Scenario(assumptions=Assumptions(plan_growth=0.05)).called
        'plan growth'
        """
        return self.title or self.name.rpartition("-")[0].replace("-", " ")

    def project(self, panel: Panel, *, until: int = UNTIL, draws: int = 4000, seed: int = 1) -> Projection:
        """The projection under this scenario; the same seed as the baseline's gives the same draws, changed by it.

        Raises ProjectionError for a council that the projection does not have, and as `deficits.project` does.
        """
        return project(panel, self.assumptions, levers=self.levers, until=until, draws=draws, seed=seed)

    def named_schemes(self) -> dict[str, Scheme]:
        """The schemes by the names reports give them: a shipped one's or own-scheme, numbered where two are alike.

        >>> both = (Scheme.read("flat-share", share=0.5), Scheme.read("flat-share", share=0.6))
        >>> list(Scenario(schemes=both).named_schemes())
        ['flat-share', 'flat-share-2']
        """
        named: dict[str, Scheme] = {}
        for scheme in self.schemes:
            name = _slug(scheme)
            alike = sum(_slug(other) == name for other in named.values())
            named[f"{name}-{alike + 1}" if alike else name] = scheme
        return named

    def scheme(self, name: str) -> Scheme:
        """A scheme of the scenario by its name there, or else a shipped one or a file; SchemeError where there is
        none."""
        return self.named_schemes().get(name) or Scheme.read(name)

    def lines(self) -> list[str]:
        """What differs from the usual projection, a line each, for a reader.

        >>> Scenario(assumptions=Assumptions(plan_growth=0.05), levers=(Lever.read("funding-growth"),)).lines()
        ['Plan growth: 5%', 'Lever: Faster growth of the high needs block']
        """
        said = self._assumptions()
        placements = {f"{_in_words(name)} places": own for name, own in said.pop("placements", {}).items()}
        of_some = placements | said.pop("councils", {})
        told = [f"{_in_words(name)}: {_value(value)}" for name, value in said.items()]
        for of, changed in of_some.items():
            told += [f"{of}, {name.replace('_', ' ')}: {_value(value)}" for name, value in changed.items()]
        told += [f"Lever: {lever.title}" for lever in self.levers]
        return [*told, *(f"Scheme: {scheme.title}" for scheme in self.schemes)]

    def contents(self) -> dict[str, Any]:
        """What differs from the defaults, as it is written: plain values, the version first."""
        said: dict[str, Any] = {"version": self.version, "title": self.title}
        said |= {key: getattr(self, key) for key in SHOWN_KEYS}
        said["assumptions"] = self._assumptions()
        said["levers"] = [_declared(lever) for lever in self.levers]
        said["schemes"] = [_declared(scheme) for scheme in self.schemes]
        return {key: value for key, value in said.items() if value}

    def text(self) -> str:
        """The scenario's file."""
        return as_yaml(self.contents())

    def save(self, path: str | Path) -> Path:
        """Write the scenario's file; an older one stays whole until the new one is.

        Raises ProjectionError when the file cannot be written.
        """
        target = Path(path)
        try:
            write_whole(target, self.text())
        except OSError as error:
            raise ProjectionError(f"scenario {target} could not be written: {error.strerror or error}") from None
        return target

    @classmethod
    def read(cls, path: str | Path) -> Scenario:
        """A scenario from its file, equal to the one that was saved.

        Raises ProjectionError with every fault of the file: where it is, what was found and what was expected.
        """
        return cls.parse(read_text(Path(path), f"scenario {path}", ProjectionError), Path(path).name)

    @classmethod
    def parse(cls, text: str, where: str = "text") -> Scenario:
        """A scenario from what its file holds; `where` names it in an error.

        Raises ProjectionError as `read` does.

        >>> Scenario.parse(Scenario(assumptions=Assumptions(plan_growth=0.05)).text()).assumptions.plan_growth
        0.05
        """
        return cls.from_contents(read_yaml(text, f"scenario {where}", ProjectionError), where)

    @classmethod
    def from_contents(cls, declared: Any, where: str = "contents") -> Scenario:
        """A scenario from plain values, as `contents` gives them. Raises ProjectionError as `read` does."""
        if not isinstance(declared, dict):
            raise ProjectionError(
                f"scenario {where} holds {type(declared).__name__}, expected keys: {', '.join(cls.model_fields)}"
            )
        if declared.get("version") != VERSION:
            raise ProjectionError(f"scenario {where}: {_of_another_version(declared)}")
        if "drivers" in declared and "assumptions" not in declared:  # as files of 0.1 have it
            older = declared.pop("drivers")
            declared["assumptions"] = in_todays_names(older) if isinstance(older, dict) else older
        faults: list[str] = []
        given = {key: value for key, value in declared.items() if value is not None}
        given["levers"] = _read_all("levers", Lever, declared.get("levers"), faults)
        given["schemes"] = _read_all("schemes", Scheme, declared.get("schemes"), faults)
        try:
            scenario = cls.model_validate(given)
        except ValidationError as error:
            faults += faults_of(error, cls, given)
        if faults:
            told = "\n".join(f"  {fault}" for fault in faults)
            raise ProjectionError(f"scenario {where} is not usable:\n{told}")
        return scenario

    def _assumptions(self) -> dict[str, Any]:
        """The assumptions that differ from their defaults, as plain values."""
        changed = _changed(self.assumptions, Assumptions())
        for name, usual in {"placements": PlacementAssumptions(), "councils": CouncilAssumptions()}.items():
            if name in changed:
                changed[name] = {of: _changed(own, usual) for of, own in getattr(self.assumptions, name).items()}
        return changed


def as_yaml(contents: dict[str, Any]) -> str:
    """The text of a scenario's file from what it declares."""
    return yaml.safe_dump(contents, sort_keys=False, allow_unicode=True, width=110)


def _changed(given: BaseModel, default: BaseModel) -> dict[str, Any]:
    plain = given.model_dump()
    return {name: plain[name] for name in plain if getattr(given, name) != getattr(default, name)}


def _in_words(name: str) -> str:
    words = name.replace("_", " ").replace("dsg", "DSG")
    return words[0].upper() + words[1:]


def _value(value: Any) -> str:
    """An assumption's value in words: shares in per cent, £ with their unit, a spread, or any of them by year."""
    match value:
        case {"mean": mean, "sd": sd}:
            return f"{_value(mean)}, give or take {_value(sd)}"
        case {"year": year, "gross": amount, "sd": sd} | {"year": year, "balance": amount, "sd": sd}:
            return f"{gbp(amount)} at {year_end(year)}, give or take {gbp(sd)}"
        case dict():
            return ", ".join(f"{_value(each)} in {year}" for year, each in value.items()) or "none"
        case list() | tuple():
            return "; ".join(map(_value, value)) or "none"
        case float() | int():
            return f"{100 * value:g}%".replace("-", MINUS) if abs(value) <= 1 else gbp(value)
    return str(value).replace("_", " ")


def _slug(thing: Lever | Scheme) -> str:
    """A lever's or scheme's word in a scenario's name: that of the shipped one it is, else of what it is."""
    return str(_declared(thing).get("name", thing.kind if isinstance(thing, Lever) else "own-scheme"))


@cache
def _shipped(kind: type[Lever] | type[Scheme], name: str) -> Lever | Scheme:
    return kind.read(name)


def _declared(thing: Lever | Scheme) -> dict[str, Any]:
    """A lever or scheme as it is written: the shipped one's name with what differs, or else the whole of it."""
    kind = Lever if isinstance(thing, Lever) else Scheme
    whole: dict[str, Any] = thing.model_dump(mode="json")
    for name in NAMES[kind]():
        shipped = _shipped(kind, name)
        plain = shipped.model_dump(mode="json")
        changes = {key: value for key, value in whole.items() if key != "title" and plain.get(key) != value}
        if type(shipped) is not type(thing) or _HEAD & changes.keys():
            continue
        # A title follows from the changes, unless somebody has given one or told the changes otherwise.
        for title in ({}, {"title": thing.title}):
            with suppress(DeficitsError):
                if kind.read(name, **title, **changes) == thing:
                    return {"name": name, **title, **changes}
    return whole


def _of_another_version(declared: dict[str, Any]) -> str:
    if "version" not in declared:
        return f"version is missing, expected {VERSION}; is this a scenario's file?"
    found = declared["version"]
    newer = isinstance(found, int) and found > VERSION
    what = "install the deficits that wrote it" if newer else "make the scenario again and save it"
    return f"found version {found!r}, expected {VERSION}; {what}"


def _read_all(key: str, kind: type[Lever] | type[Scheme], given: Any, faults: list[str]) -> tuple[Any, ...]:
    """Levers or schemes of a file; what is wrong with them goes into the list of faults."""
    names = NAMES[kind]()
    if given is not None and not isinstance(given, list):
        faults.append(f"{key}: found {given!r}, expected a list of '- name: {names[0]}'")
        return ()
    things: list[Any] = []
    for place, entry in enumerate(given or []):
        try:
            if not isinstance(entry, dict):
                raise ProjectionError(f"found {entry!r}, expected '- name: {names[0]}'")
            if "name" not in entry:
                where = f"{place + 1} of the file"
                if kind is Lever:
                    things.append(lever_from(entry, where))
                else:
                    things.append(validated(Scheme, entry, f"scheme {where}", ProjectionError))
                continue
            # By name only: a path would make the file mean something else on another machine.
            name = str(entry["name"])
            if name not in names:
                raise ProjectionError(f"found name {name!r}, expected a shipped one; {closest(name, names)}")
            things.append(kind.read(name, **{str(key): each for key, each in entry.items() if key != "name"}))
        except DeficitsError as error:
            faults.append(f"{key}[{place}]: {str(error).replace(chr(10), chr(10) + '  ')}")
    return tuple(things)
