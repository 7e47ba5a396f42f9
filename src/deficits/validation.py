"""One reader of faults: what pydantic, TOML and YAML found wrong, as lines that a person can act on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from deficits.errors import DeficitsError

Model = TypeVar("Model", bound=BaseModel)

LONGEST = 60
"""Characters of a faulty value that a message repeats."""


def faults_of(error: ValidationError) -> list[str]:
    """Each fault of a declaration: where it stands, what is wrong and what was found there.

    >>> class Rate(BaseModel):
    ...     share: float
    >>> try:
    ...     Rate.model_validate({"share": "most"})
    ... except ValidationError as error:
    ...     print(*faults_of(error))
    share: input should be a valid number, unable to parse string as a number, found 'most'
    """
    return [
        f"{'.'.join(map(str, fault['loc'])) or 'entry'}: {_sentence(fault['msg'])}, "
        f"found {shortened(fault['input'])}"
        for fault in error.errors()
    ]


def _sentence(message: str) -> str:
    plain = message.removeprefix("Value error, ")
    return plain[:1].lower() + plain[1:]


def shortened(value: object) -> str:
    """A value as a message repeats it: on one line, and not at length."""
    text = re.sub(r"\s+", " ", repr(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def read_toml(path: Path, shown: str, error: type[DeficitsError]) -> dict[str, Any]:
    """The content of a TOML file that is called `shown` in messages; `error` when it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"{shown} is missing") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise error(f"{shown} is not valid TOML: {fault}") from None


class _Strict(yaml.SafeLoader):
    """YAML without aliases, by which a few lines hold millions of values, and without a key twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"line {mark.line + 1}: an alias is not taken; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen if isinstance(key, yaml.ScalarNode) else False:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: {key.value} stands there twice")
            seen |= {key.value} if isinstance(key, yaml.ScalarNode) else set()
        return super().construct_mapping(node, deep)


def read_yaml(text: str, shown: str, error: type[DeficitsError]) -> Any:
    """What a YAML text says, which is called `shown` in messages; `error` when it is none that can be taken.

    >>> read_yaml("share: 0.9", "scheme x.yaml", DeficitsError)
    {'share': 0.9}
    >>> read_yaml("a: 1\\na: 2", "scheme x.yaml", DeficitsError)
    Traceback (most recent call last):
    deficits.errors.DeficitsError: scheme x.yaml is not valid YAML: line 2: a stands there twice
    """
    try:
        return yaml.load(text, Loader=_Strict)  # a safe one
    except RecursionError:
        raise error(f"{shown} is not valid YAML: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError) as fault:
        raise error(f"{shown} is not valid YAML: {fault}") from None


def read_text(path: Path, shown: str, error: type[DeficitsError]) -> str:
    """The text of a file that is called `shown` in messages; `error` when it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as fault:
        raise error(f"{shown} cannot be read: {fault.strerror or fault}") from None
    except UnicodeDecodeError as fault:
        raise error(f"{shown} is not valid UTF-8, save it as that: {fault}") from None


def validated(model: type[Model], content: Any, shown: str, error: type[DeficitsError]) -> Model:
    """The content as a checked model; `error` lists every fault of the file `shown`."""
    try:
        return model.model_validate(content)
    except ValidationError as fault:
        raise error("\n".join([f"{shown} is not valid:", *(f"  {each}" for each in faults_of(fault))])) from None
