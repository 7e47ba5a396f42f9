"""Reading a scheme's file: YAML with the line of each key, and every fault told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from deficits.errors import SchemeError, closest
from deficits.paths import schemes_dir
from deficits.validation import faults_of, read_text
from deficits.validation import read_yaml as as_yaml

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


def faults(
    error: ValidationError, model: type[BaseModel], declared: Mapping[str, Any], lines: Mapping[Place, int]
) -> list[str]:
    """Every fault of a declaration in words, each with its line where it has one, in the file's order.

    Rules between parameters are only looked at once each parameter is right.
    """
    told = [
        (next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), 0), words)
        for words, place in faults_of(error, model, declared).items()
    ]
    return [(f"line {line}: " if line else "") + words for line, words in sorted(told, key=lambda each: each[0])]
