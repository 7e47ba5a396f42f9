"""Reading a scheme's file: YAML with the line of each key, and every fault told at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from deficits.errors import SchemeError, closest
from deficits.paths import schemes_dir
from deficits.validation import Declared, expected, read_text
from deficits.validation import read_yaml as as_yaml
from deficits.writeoff import conditions

Place = tuple[str | int, ...]


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


def faults(error: ValidationError, model: type[BaseModel], lines: Mapping[Place, int]) -> list[str]:
    """Every fault of a declaration in words, each with its line where it has one.

    Rules between parameters are only looked at once each parameter is right.
    """
    told: list[tuple[int, str]] = []
    for fault in error.errors():
        # A union puts the name of the member it tried among the keys; those are no keys of the file.
        place = tuple(part for part in fault["loc"] if not _MEMBER.match(str(part)))
        found: list[tuple[Place, str]] = [(place, _words(fault, ".".join(map(str, place)), model))]
        if not place:  # contradictions come several in one, and each begins with a key
            messages = str(fault["msg"]).removeprefix("Value error, ").splitlines()
            found = [(tuple(words.split(maxsplit=1)[0].split(".")), words) for words in messages]
        for keys, words in found:
            line = next((lines[keys[:end]] for end in range(len(keys), 0, -1) if keys[:end] in lines), 0)
            told.append((line, words))
    return [(f"line {line}: " if line else "") + words for line, words in sorted(told, key=lambda each: each[0])]


_MEMBER = re.compile(
    r"(flat|scale|by_condition|deficit_above|region|council|type|\[key\])$|function-|constrained-"
)


def _words(fault: Any, key: str, model: type[BaseModel]) -> str:
    found = fault["input"]
    name = key.rpartition(".")[2]
    if fault["type"] == "extra_forbidden":
        parts = [
            each for each in vars(conditions).values() if isinstance(each, type) and issubclass(each, Declared)
        ]
        inner = {field for part in parts for field in part.model_fields}
        known = model.model_fields if name == key else inner
        near = get_close_matches(name, known, n=1)
        return f"{key}: unknown parameter; " + (f"did you mean '{near[0]}'?" if near else closest(name, known))
    if fault["type"] == "missing":
        described = model.model_fields[key].description if key in model.model_fields else None
        return f"{key}: missing; {described or 'a scheme needs it'}"
    number = isinstance(found, int | float) and not isinstance(found, bool)
    if number and fault["type"] == "less_than_equal" and fault["ctx"]["le"] == 1 and found <= 100:
        return f"{key}: found {found:g}, expected a share from 0 to 1; {found:g}% is {found / 100:g}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return f"{key}: found {found!s}; {message}"
    if wanted := expected(fault):
        return f"{key}: found {found!r}, expected {wanted}"
    return f"{key}: found {found!r}; {message[0].lower()}{message[1:]}"
