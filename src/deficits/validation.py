"""One reader of faults: what pydantic, TOML, YAML and callers got wrong, as lines that a person can act on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import date
from functools import lru_cache
from inspect import Parameter, Signature
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

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
        return cls._error("\n  ".join([f"{cls.__name__} cannot be used:", *faults_of(error, cls, given)]))

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
    if type(value) is not bool and isinstance(value, Integral) and low <= int(value) <= high:
        return int(value)
    span = "" if low == -float("inf") else f" from {low}" if high == float("inf") else f" from {low} to {high}"
    raise error(f"{name}: found {shortened(value)}, expected a whole number{span}")


def number(name: str, value: Any, error: type[DeficitsError], low: float, high: float) -> float:
    """A number of Python or numpy in a range; `error` names the argument, what was given and what is possible."""
    if type(value) is not bool and isinstance(value, Real) and low <= float(value) <= high:
        return float(value)
    raise error(f"{name}: found {shortened(value)}, expected a number from {low:g} to {high:g}")


def each_once(name: str) -> AfterValidator:
    """The rule of a declared list that no two of its entries have the same `name`."""

    def check(entries: Any) -> Any:
        names = [getattr(each, name) for each in entries]
        if twice := sorted({each for each in names if names.count(each) > 1}):
            raise ValueError(f"two have the {name} '{twice[0]}': give each its own")
        return entries

    return AfterValidator(check)


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


QUOTED = re.compile("'([^']+)'")
NUMBER = "a number, such as 0.9 or 90% for a share, 150000000 or £150m for an amount"
YEAR = "a year, such as 2026 or 2025-26, or a whole number"
SEVERAL = "names with their values, such as {{low: 1, high: 2}}"
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


def faults_of(error: ValidationError, model: type[BaseModel], content: Any) -> dict[str, tuple[int | str, ...]]:
    """Each fault of a declaration in words (name, what was found, what was expected), and where it stands in it.

    A field's `json_schema_extra["expected"]` says what is expected of whatever is inside it.

    >>> class Rate(BaseModel):
    ...     share: float
    >>> try:
    ...     Rate.model_validate({"share": "most"})
    ... except ValidationError as error:
    ...     print(*faults_of(error, Rate, {"share": "most"}))
    share: found 'most', expected a number, such as 0.9 or 90% for a share, 150000000 or £150m for an amount
    """
    faults = error.errors()
    inner = {fault["loc"][:end] for fault in faults for end in range(len(fault["loc"]))}
    told: dict[str, tuple[int | str, ...]] = {}
    for fault in faults:
        place, found, known, field = _found(fault, model, content)
        extra = field.json_schema_extra if field else None
        if not place and fault["type"] != "value_error":
            told[_words(fault, "", known, field)] = place
        elif not place:  # a rule between fields: each line begins with one of them
            lines = str(fault["msg"]).removeprefix("Value error, ").splitlines()
            told |= {line: tuple(line.split(maxsplit=1)[0].split(".")) for line in lines}
        elif isinstance(extra, dict) and "expected" in extra:
            told[f"{_shown(place, content)}: found {shortened(found)}, expected {extra['expected']}"] = place
        elif fault["type"] != "too_short" or fault["loc"] not in inner:
            # What holds nothing that is right is said to be empty as well: only the first is the fault.
            told[f"{_shown(place, content)}: {_words(fault, str(place[-1]), known, field)}"] = place
    return told


def _found(
    fault: Any, model: type[BaseModel], content: Any
) -> tuple[tuple[int | str, ...], Any, set[str], FieldInfo | None]:
    """A fault's place in the content, what is there, the names that may be there, and the field.

    The kinds of a union, and "[key]", which pydantic puts among the keys, are none of the content's.
    """
    keys, models, node, place = [key for key in fault["loc"] if key != "[key]"], [model], content, []
    known, field = set(model.model_fields), None
    for depth, key in enumerate(keys):
        there = _holds(node, key)
        if not there and not (depth == len(keys) - 1 and isinstance(node, dict)):
            continue
        place.append(key)
        known = {name for each in models for name in each.model_fields}
        field = next((each.model_fields[key] for each in models if key in each.model_fields), None)
        node = node[key] if there else fault["input"]
        if field is not None:
            models = _models(field.annotation)
            if isinstance(field.json_schema_extra, dict) and "expected" in field.json_schema_extra:
                break
    return tuple(place), node, known, field


def _holds(node: Any, key: int | str) -> bool:
    return key in node if isinstance(node, dict) else isinstance(node, list | tuple) and key in range(len(node))


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _shown(place: tuple[int | str, ...], content: Any) -> str:
    """A place as a message names it: an entry of a list by its number and title."""
    shown: list[str] = []
    node: Any = content
    for key in place:
        node = node[key] if _holds(node, key) else None
        title = node.get("title") if isinstance(key, int) and isinstance(node, dict) else None
        shown.append(f"{key} ({title})" if title else str(key))
    return ".".join(shown)


def _words(fault: Any, name: str, known: set[str], field: FieldInfo | None) -> str:
    value, kind = fault["input"], fault["type"]
    if kind == "missing":
        return f"missing; {field.description}" if field and field.description else "missing"
    if kind == "extra_forbidden":
        return f"unknown name; {closest(name, known)}"
    said = str(fault["msg"]).removeprefix("Value error, ")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and kind == "less_than_equal" and fault["ctx"]["le"] == 1 and value <= 100:
        return f"found {value:g}, expected a share from 0 to 1; {value:g}% is {value / 100:g}"
    if kind == "literal_error":
        return f"found {shortened(value)}; {closest(value, re.findall(QUOTED, fault['ctx']['expected']))}"
    if kind in EXPECTED:
        return f"found {shortened(value)}, expected {EXPECTED[kind].format(**fault.get('ctx', {}))}"
    if kind == "value_error":
        whole = said.startswith("found") or isinstance(value, dict) or f"'{value}'" in said
        return said if whole else f"found {shortened(value)}; {said}"
    return f"found {shortened(value)}; {said[:1].lower()}{said[1:]}"


def shortened(value: object) -> str:
    """A value as a message repeats it: on one line, and not at length."""
    text = re.sub(r"\s+", " ", str(value) if isinstance(value, date) else repr(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def read_toml(path: Path, shown: str, error: type[DeficitsError]) -> dict[str, Any]:
    """The content of a TOML file that is called `shown` in messages; `error` when it cannot be read."""
    try:
        return tomllib.loads(read_text(path, shown, error))
    except tomllib.TOMLDecodeError as fault:
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
        told = "".join(f"\n  {each}" for each in faults_of(fault, model, content))
        raise error(f"{shown} is not valid:{told}") from None
