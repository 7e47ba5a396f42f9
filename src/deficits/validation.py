"""One reader of faults: what pydantic, TOML, YAML and callers got wrong, as lines that a person can act on."""

from __future__ import annotations

import operator
import re
import tomllib
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import lru_cache
from inspect import Parameter, Signature
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from deficits.errors import DeficitsError, closest

Model = TypeVar("Model", bound=BaseModel)
Thing = TypeVar("Thing")

LONGEST = 60
"""Characters of a faulty value that a message repeats."""


if TYPE_CHECKING:
    _Model = BaseModel
else:

    class _Kind(type(BaseModel)):
        """Of a declared class: one that cannot be made raises an error of ours; only its own names complete."""

        def __call__(cls, *args: Any, **given: Any) -> Any:
            try:
                return super().__call__(*args, **given)
            except ValidationError as error:
                raise cls._refused(error, given) from None

        def __dir__(cls) -> list[str]:
            return _own(super().__dir__())

    class _Model(BaseModel, metaclass=_Kind):
        pass


def _own(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith("__") or not (name[0] == "_" or hasattr(BaseModel, name))]


class Declared(_Model):
    """A value that is declared, in Python or in a file: checked, never changed, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    _error: ClassVar[type[DeficitsError]] = DeficitsError

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        # The signature and help that an editor shows: names and defaults, then what each is.
        fields = cls.model_fields
        told = [f"    {name}: {field.description}" for name, field in fields.items() if field.description]
        if told and cls.__doc__ and "Parameters:" not in cls.__doc__:
            cls.__doc__ = "\n    ".join([cls.__doc__.rstrip(), "", "Parameters:", *told])
        cls.__signature__ = Signature(
            [
                Parameter(name, Parameter.KEYWORD_ONLY)
                if each.is_required()
                else Parameter(name, Parameter.KEYWORD_ONLY, default=each.get_default(call_default_factory=True))
                for name, each in fields.items()
            ]
        )

    @classmethod
    def _refused(cls, error: ValidationError, given: dict[str, Any]) -> Exception:
        """What a caller is told who made a faulty one."""
        faults: dict[str, None] = {}
        for fault in error.errors():
            told = _told(fault, None)
            name = ".".join(map(str, fault["loc"]))
            if fault["type"] == "extra_forbidden" and name in given:
                told = f"no parameter '{name}': {closest(name, cls.model_fields)}"
            faults[f"{name}: missing" if fault["type"] == "missing" else told] = None
        return cls._error("\n  ".join([f"{cls.__name__} is not usable:", *faults]))

    def __dir__(self) -> list[str]:
        return _own(super().__dir__())

    def __str__(self) -> str:
        return repr(self)

    def __repr_args__(self) -> Any:
        # What is as usual is not repeated.
        return [
            (name, getattr(self, name))
            for name, field in type(self).model_fields.items()
            if field.is_required() or getattr(self, name) != field.get_default(call_default_factory=True)
        ]


def whole(
    name: str, value: Any, error: type[DeficitsError], low: float = -float("inf"), high: float = float("inf")
) -> int:
    """A whole number of Python or numpy; `error` names the argument, what was given and what is possible.

    >>> whole("until", "2028", DeficitsError, 2027, 2040)
    Traceback (most recent call last):
    deficits.errors.DeficitsError: until: found '2028', expected a whole number from 2027 to 2040
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is not None and low <= number <= high:
        return number
    span = "" if low == -float("inf") else f" from {low}" if high == float("inf") else f" from {low} to {high}"
    raise error(f"{name}: found {shortened(value)}, expected a whole number{span}")


def number(name: str, value: Any, error: type[DeficitsError], low: float, high: float) -> float:
    """A number of Python or numpy in a range; `error` names the argument, what was given and what is possible."""
    if type(value) is not bool and isinstance(value, Real) and low <= float(value) <= high:
        return float(value)
    raise error(f"{name}: found {shortened(value)}, expected a number from {low:g} to {high:g}")


def known_word(name: str, value: Any, known: Iterable[Any], error: type[DeficitsError]) -> Any:
    """One of the words that are known; `error` offers the closest of them."""
    words = list(known)
    if not isinstance(value, str) or value not in words:
        raise error(f"{name}: found {shortened(value)}; {closest(value, words)}")
    return value


def one_of(name: str, given: Any, kind: type, read: Callable[..., Thing], error: type[DeficitsError]) -> Thing:
    """A thing as itself, or by the name or file that it is read by; `error` for anything else."""
    if isinstance(given, kind):
        return cast(Thing, given)
    if isinstance(given, str | Path):
        return read(given)
    raise error(
        f"{name}: found {shortened(given)} ({type(given).__name__}), expected a {kind.__name__} or its name"
    )


def several(
    name: str, given: Any, kind: type, read: Callable[..., Thing], error: type[DeficitsError]
) -> tuple[Thing, ...]:
    """One thing or several, each as for `one_of`."""
    alone = isinstance(given, kind | str | Path) or not hasattr(given, "__iter__")
    return tuple(one_of(name, each, kind, read, error) for each in ([given] if alone else given))


NUMBER = "a number, such as 0.9 or 90% for a share, 150000000 or £150m for an amount"
YEAR = "a year, such as 2026 or 2025-26, or a whole number"
SEVERAL = "several values by name, such as {{pounds: 5000000000}}"
EXPECTED = {
    "float_parsing": NUMBER,
    "float_type": NUMBER,
    "int_parsing": YEAR,
    "int_type": YEAR,
    "greater_than_equal": "{ge:g} or more",
    "less_than_equal": "{le:g} or less",
    "finite_number": "an amount that is finite",
    "tuple_type": "a list, such as [0.5, 0.5]",
    "dict_type": SEVERAL,
    "model_type": SEVERAL,
    "model_attributes_type": SEVERAL,
}
"""What was expected, in an analyst's words, by pydantic's kind of fault."""


def expected(fault: Any) -> str | None:
    """What was expected instead of a faulty value; None where pydantic's own words must do."""
    words = EXPECTED.get(fault["type"])
    return None if words is None else words.format(**fault.get("ctx", {}))


def faults_of(error: ValidationError, content: Any = None, known: Iterable[str] = ()) -> list[str]:
    """Each fault of a declaration: where it stands in the content, what is wrong and what was found; of names
    that are `known` the closest one to an unknown one.

    >>> class Rate(BaseModel):
    ...     share: float
    >>> try:
    ...     Rate.model_validate({"share": "most"})
    ... except ValidationError as error:
    ...     print(*faults_of(error))
    share: found 'most', expected a number, such as 0.9 or 90% for a share, 150000000 or £150m for an amount
    """
    faults = error.errors()
    inner = {fault["loc"][:end] for fault in faults for end in range(len(fault["loc"]))}
    # What holds nothing that is right is then said to be empty as well: only the first is the fault.
    told = [fault for fault in faults if not (fault["type"] == "too_short" and fault["loc"] in inner)]
    return list(dict.fromkeys(_told(fault, content, known) for fault in told))


def _told(fault: Any, content: Any, known: Iterable[str] = ()) -> str:
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1 and known:
        return f"{fault['loc'][0]}: unknown name; {closest(str(fault['loc'][0]), known)}"
    return f"{_place(fault['loc'], content) or 'entry'}: {_words(fault)}"


def _words(fault: Any) -> str:
    found = f"found {shortened(fault['input'])}"
    if fault["type"] == "missing":
        return "missing"
    if fault["type"] == "extra_forbidden":
        return f"unknown name, {found}"
    wanted = expected(fault)
    return f"{found}, expected {wanted}" if wanted else f"{_sentence(fault['msg'])}, {found}"


def _place(keys: tuple[int | str, ...], content: Any) -> str:
    """Where a fault stands; the name of a kind, which pydantic puts among the keys, is none of the content's."""
    shown, node = [], content
    for number, key in enumerate(keys):
        if isinstance(node, dict) and key in node:
            node = node[key]
            shown.append(str(key))
        elif isinstance(node, list) and isinstance(key, int) and key < len(node):
            node = node[key]
            title = node.get("title") if isinstance(node, dict) else None
            shown.append(f"{key} ({title})" if title else str(key))
        elif content is None or (number == len(keys) - 1 and isinstance(node, dict)):
            shown.append(str(key))
    return ".".join(shown)


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


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    """What a text says, kept: a slider's move reads the files of levers and schemes again."""
    return yaml.load(text, Loader=_Strict)  # a safe one


def read_yaml(text: str, shown: str, error: type[DeficitsError]) -> Any:
    """What a YAML text says, which is called `shown` in messages; `error` when it is none that can be taken.

    >>> read_yaml("share: 0.9", "scheme x.yaml", DeficitsError)
    {'share': 0.9}
    >>> read_yaml("a: 1\\na: 2", "scheme x.yaml", DeficitsError)
    Traceback (most recent call last):
    deficits.errors.DeficitsError: scheme x.yaml is not valid YAML: line 2: a stands there twice
    """
    try:
        return deepcopy(_parsed(text))
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
        raise error(
            "\n".join(
                [
                    f"{shown} is not valid:",
                    *(f"  {each}" for each in faults_of(fault, content, model.model_fields)),
                ]
            )
        ) from None
