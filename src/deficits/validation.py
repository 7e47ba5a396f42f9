"""One reader of faults: what pydantic, TOML and YAML found wrong, as lines that a person can act on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

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


def validated(model: type[Model], content: Any, shown: str, error: type[DeficitsError]) -> Model:
    """The content as a checked model; `error` lists every fault of the file `shown`."""
    try:
        return model.model_validate(content)
    except ValidationError as fault:
        raise error("\n".join([f"{shown} is not valid:", *(f"  {each}" for each in faults_of(fault))])) from None
