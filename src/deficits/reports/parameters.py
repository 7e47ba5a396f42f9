"""What each report may be asked for: one frozen model a report, for notebook, command line and docs."""

from __future__ import annotations

import ast
import hashlib
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from deficits.assumptions import assumed
from deficits.errors import PanelError, ProjectionError, ReportError, closest
from deficits.paths import raw_dir

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from deficits.authorities import Authorities
    from deficits.scenario import Scenario
    from deficits.writeoff import Scheme

ENDS = int(assumed("override", "ends").number)
MEASURED = int(assumed("write_offs", "grant_measured_at").number)
EARLIEST = int(assumed("write_offs", "measured_from").number)
LAST = int(assumed("projection", "last_year").number)
"""Year ends that parameters lie between: the override's, the grant's, a scheme's first and a projection's last."""

LITERALS = (type(None), bool, int, float, str, list, tuple, dict)
"""What a parameters cell may hold. Anything else in a notebook's namespace is no parameter."""


PARAMETERS = "application/vnd.deficits.parameters+json"
"""Kind of output by which the page knows a listing of parameters."""


def _number(value: object) -> object:
    """Refuse what pydantic would turn into a number without a word: True is 1, 2031.0 is 2031."""
    if isinstance(value, bool):
        raise ValueError("a truth value is not a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _optional_number(value: object) -> object:
    """On a command line, nothing is written as an empty text or as none."""
    if isinstance(value, str) and value.strip().casefold() in {"", "none"}:
        return None
    return _number(value)


def _plain(text: str) -> str:
    """A name, not a path: it becomes part of a file's name, and a path would tell of the machine."""
    name = text.strip()
    if not name or not name.isprintable() or re.search(r"[/\\]", name):
        raise ValueError("not a plain name")
    return name


Name = Annotated[str, Field(max_length=80), AfterValidator(_plain)]


def _divided(value: object) -> object:
    """On a command line, several names are one text, divided by commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _each_once(names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} twice")
    return names


MOST_COMPARED = 20
"""Schemes on one page."""

Names = Annotated[
    list[Name],
    Field(min_length=2, max_length=MOST_COMPARED),
    BeforeValidator(_divided),
    AfterValidator(_each_once),
]


def _optional_text(value: object) -> object:
    """On a command line, nothing is written as an empty text or as none."""
    return None if isinstance(value, str) and value.strip().casefold() in {"", "none"} else value


def _listed(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "not set" if value is None else "; ".join(str(value).splitlines())


def _scenario_text(given: str) -> str:
    """What a scenario's file holds, from its path or from that itself.

    A page rests on what the scenario says, not on where its file lay.
    """
    from deficits.scenario import Scenario

    try:
        scenario = Scenario.parse(given) if "\n" in given or given.startswith("version:") else Scenario.read(given)
    except ProjectionError as error:
        raise PydanticCustomError("told", "{told}", {"told": str(error)}) from None
    return scenario.text()


def _date(text: str) -> str:
    return date.fromisoformat(text).isoformat()


class PanelReport(BaseModel):
    """Parameters that every report has: which figures it knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: Annotated[Annotated[str, AfterValidator(_date)] | None, BeforeValidator(_optional_text)] = Field(
        default=None,
        description="leave out what was published after this day, like 2025-09-17",
        json_schema_extra={"expected": "a day like 2025-09-17"},
    )
    own: Annotated[Name | None, BeforeValidator(_optional_text)] = Field(
        default=None, description="name of a file of your own balances that `deficits own` has kept"
    )

    def differences(self) -> list[str]:
        """What the page rests on that the usual one does not, in sentences."""
        told = []
        if self.as_of is not None:
            when = date.fromisoformat(self.as_of)
            told.append(f"It leaves out what was published after {when.day} {when:%B %Y}.")
        if self.own is not None:
            told.append(f"It takes balances from {self.own}, a file of whoever made it.")
        return told

    def __repr__(self) -> str:
        values = self.model_dump()
        width = max(map(len, values))
        lines = [f"  {name:<{width}}  {_listed(value)}" for name, value in values.items()]
        return "\n".join([f"{type(self).__name__.removesuffix('Report')} report", *lines])

    __str__ = __repr__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        # The second kind keeps the listing in the notebook: a page has its parameters in the run record.
        return {"text/plain": repr(self), PARAMETERS: self.model_dump()}


class QualityReport(PanelReport):
    """Parameters of the report on data quality.

    >>> QualityReport(as_of="2025-09-17")
    Quality report
      as_of  2025-09-17
      own    not set
    """


LONGEST_SCENARIO = 50_000
"""Characters of a scenario that a record keeps."""


class EnglandReport(PanelReport):
    """Parameters of the report on England.

    >>> EnglandReport(until=2028).until
    2028
    """

    scenario: Annotated[
        Annotated[str, AfterValidator(_scenario_text), Field(max_length=LONGEST_SCENARIO)] | None,
        BeforeValidator(_optional_text),
    ] = Field(
        default=None,
        description="a scenario's file, or what it holds: other assumptions, levers or schemes",
        json_schema_extra={"expected": f"a scenario's file, or what it holds in {LONGEST_SCENARIO:,} characters"},
    )
    until: Annotated[int, BeforeValidator(_number)] = Field(
        default=ENDS + 1,
        ge=MEASURED + 1,
        le=LAST,
        description="last year of the projection: 2029 ends on 31 March 2029",
    )
    draws: Annotated[int, BeforeValidator(_number)] = Field(
        default=4000, ge=200, le=20_000, description="number of simulated futures"
    )
    seed: Annotated[int, BeforeValidator(_number)] = Field(
        default=1, ge=0, description="start of the random numbers: the same seed gives the same report"
    )

    @field_validator("scenario")
    @classmethod
    def _as_far_as_it_changes_the_page(cls, text: str | None) -> str | None:
        """Without schemes where the report has none; None where nothing is left: such a page is the usual one."""
        if text is None:
            return None
        scenario = _parsed(text)
        if "scheme" not in cls.model_fields and "schemes" not in cls.model_fields:
            scenario = scenario.model_copy(update={"schemes": ()})
        return scenario.text() if scenario.lines() else None

    @property
    def assumed(self) -> Scenario:
        """The scenario; where none is set, that of the usual projection."""
        return _parsed(self.scenario)

    def differences(self) -> list[str]:
        """What the page rests on that the usual one does not, in sentences."""
        told, scenario = super().differences(), self.assumed
        used = [scheme for name, scheme in scenario.named_schemes().items() if name in self._schemes]
        lines = scenario.model_copy(update={"schemes": tuple(used)}).lines()
        if lines:
            told.append(f"It rests on a scenario, “{scenario.called}”: {'; '.join(lines)}.")
        return told

    @property
    def _schemes(self) -> tuple[str, ...]:
        """Names of the schemes that the page is on."""
        return ()

    def scheme_called(self, name: str) -> Scheme:
        """A scheme of the scenario by its name there, or else a shipped one; SchemeError where there is none."""
        from deficits.writeoff import Scheme

        return self.assumed.named_schemes().get(name) or Scheme.read(name)


USUAL = "high-needs-stability-grant"
"""The scheme that reports are on where nothing is said: the real one."""


class _OnAScheme(EnglandReport):
    scheme: Name = Field(default=USUAL, validate_default=True, description="name of a write-off scheme")

    @field_validator("scheme")
    @classmethod
    def _of_the_scenario(cls, scheme: str, info: ValidationInfo) -> str:
        """A scenario's one scheme goes before the usual one; of several, one must be named."""
        named = _schemes_of(info.data.get("scenario"))
        if scheme != USUAL or scheme in named or not named:
            return scheme
        if len(named) == 1:
            return named[0]
        told = f"the scenario has {len(named)} schemes and this report is on one: give {' or '.join(named)}"
        raise PydanticCustomError("told", "{told}", {"told": told})

    @property
    def _schemes(self) -> tuple[str, ...]:
        return (self.scheme,)


class WriteoffReport(_OnAScheme):
    """Parameters of the report on a write-off scheme.

    >>> WriteoffReport(share=0.5).share
    0.5
    """

    share: Annotated[float | None, BeforeValidator(_optional_number)] = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="share written off, instead of the scheme's own"
    )
    base_year: Annotated[int | None, BeforeValidator(_optional_number)] = Field(
        default=None,
        ge=EARLIEST,
        le=LAST - 1,
        description="year end of the deficits paid off, instead of the scheme's own; payment moves with it",
    )
    ineligible: Annotated[float | None, BeforeValidator(_optional_number)] = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="share of every deficit that is not eligible"
    )
    safety_valve: Annotated[
        Literal["as_projected", "stop", "continue"] | None, BeforeValidator(_optional_text)
    ] = Field(default=None, description="agreed instalments after the base date, instead of the scheme's own rule")


class CompareReport(EnglandReport):
    """Parameters of the report that compares schemes.

    >>> CompareReport(schemes="no-help, flat-share").schemes
    ['no-help', 'flat-share']
    """

    schemes: Names = Field(
        validate_default=True,
        default=[
            "no-help",
            "high-needs-stability-grant",
            "flat-share",
            "flat-share-75",
            "flat-share-100",
            "equal-per-pupil",
            "equal-per-plan",
            "capped-at-reserves",
            "loan-10-years",
        ],
        description="names of write-off schemes",
    )
    against: Name = Field(default=USUAL, description="the scheme that the others are held against")
    year: Annotated[int, BeforeValidator(_number)] = Field(
        default=ENDS, ge=EARLIEST, le=LAST, description="year end at which deficits are compared"
    )

    @field_validator("schemes")
    @classmethod
    def _of_the_scenario(cls, schemes: list[str], info: ValidationInfo) -> list[str]:
        """A scenario's schemes stand in place of the usual ones, beside the one that they are held against.

        A scenario that has but that one changes it, and it stands among the usual ones.
        """
        own = [name for name in _schemes_of(info.data.get("scenario")) if name != USUAL]
        if not own or schemes != cls.model_fields["schemes"].default:
            return schemes
        if len(own) >= MOST_COMPARED:
            told = f"the scenario has {len(own)} schemes, and at most {MOST_COMPARED - 1} are compared"
            raise PydanticCustomError("told", "{told}", {"told": told})
        return [USUAL, *own]

    @property
    def _schemes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.schemes, self.against]))

    @property
    def designs(self) -> dict[str, Scheme]:
        """The schemes by their names; the one that they are held against joins them where it is not among them."""
        return {name: self.scheme_called(name) for name in self._schemes}


class AuthorityReport(_OnAScheme):
    """Parameters of the report on one authority.

    >>> AuthorityReport(authority="0201").authority
    '0201'
    """

    authority: Name = Field(default="Kent", description="an authority's name, DfE number or ONS code")


class BacktestReport(PanelReport):
    """Parameters of the report on the projection's record.

    >>> BacktestReport().draws
    4000
    """

    draws: Annotated[int, BeforeValidator(_number)] = Field(
        default=4000, ge=200, le=20_000, description="number of simulated futures"
    )


LONGEST_NAME = 120
"""Characters of a page's name, beyond which it is cut and numbered by its digest."""


@dataclass(frozen=True)
class Report:
    """A report: its notebook, its parameters, its title, and what tells one page of it from another."""

    name: str
    notebook: str
    model: type[PanelReport]
    title: str
    named_by: tuple[str, ...] = ()
    """Parameters that always stand in the page's name."""
    named_when_changed: tuple[str, ...] = ("as_of", "own", "scenario")
    """Parameters that stand in it when they are not the default: such a page never replaces the usual one."""

    def subject(self, parameters: PanelReport) -> str | None:
        """Whom or what the page is about, when one notebook makes many pages: the authority's name."""
        word = getattr(parameters, "authority", None)
        return None if word is None else _authority_name(word)

    def page_id(self, parameters: PanelReport) -> str:
        """Name of the page's files.

        >>> REPORTS["writeoff"].page_id(WriteoffReport())
        'writeoff-high-needs-stability-grant'
        >>> REPORTS["writeoff"].page_id(WriteoffReport(share=0.5))
        'writeoff-high-needs-stability-grant-share-0-5'
        """
        values = parameters.model_dump() | {"authority": self.subject(parameters)}
        parts = [self.name, *(str(values[name]) for name in self.named_by)]
        for name in self.named_when_changed:
            if values[name] != self.model.model_fields[name].default:
                parts += [name, str(values[name] if name != "scenario" else _parsed(values[name]).name)]
        whole = slug("-".join(parts))
        if len(whole) <= LONGEST_NAME:
            return whole
        # A long list of schemes: files' names have a limit, and two lists must not share one.
        return f"{whole[:LONGEST_NAME]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


REPORTS: dict[str, Report] = {
    report.name: report
    for report in (
        Report(
            "quality",
            "00_data_quality.ipynb",
            QualityReport,
            "The published figures",
            named_when_changed=("as_of", "own"),
        ),
        Report("england", "01_england.ipynb", EnglandReport, "SEND deficits in England"),
        Report(
            "writeoff",
            "02_writeoff.ipynb",
            WriteoffReport,
            "Write-offs of SEND deficits",
            named_by=("scheme",),
            named_when_changed=("share", "base_year", "ineligible", "safety_valve", "as_of", "own", "scenario"),
        ),
        Report(
            "authority",
            "03_authority.ipynb",
            AuthorityReport,
            "SEND deficits by council",
            named_by=("authority",),
            named_when_changed=("scheme", "as_of", "own", "scenario"),
        ),
        Report(
            "backtest",
            "04_backtest.ipynb",
            BacktestReport,
            "How good the projection has been",
            named_when_changed=("as_of", "own"),
        ),
        Report(
            "compare",
            "05_compare.ipynb",
            CompareReport,
            "Write-off schemes compared",
            named_when_changed=("schemes", "against", "year", "as_of", "own", "scenario"),
        ),
    )
}


def find_report(name: str) -> Report:
    """The report of that name; ReportError offers the closest."""
    try:
        return REPORTS[name]
    except KeyError:
        raise ReportError(f"no report '{name}': {closest(name, REPORTS)}") from None


def parse(name: str, values: Mapping[str, object]) -> PanelReport:
    """The parameters of report `name`, checked.

    Texts, as a command line gives them, are read as what the parameter is; an authority's code stays a text.
    Raises ReportError that lists every fault: the parameter, what was found, what was expected.

    >>> parse("england", {"until": "2029"}).until
    2029
    >>> parse("england", {"drawz": 5})
    Traceback (most recent call last):
    deficits.errors.ReportError: report 'england', 1 fault:
      drawz: not a parameter of this report; did you mean 'draws'?
    """
    report = find_report(name)
    try:
        parameters = report.model.model_validate(dict(values))
    except ValidationError as error:
        raise _refusal(report, [_fault(report, dict(detail)) for detail in error.errors()]) from None
    try:
        report.subject(parameters)
    except PanelError as error:
        raise _refusal(report, [f"authority: {error}"]) from None
    return parameters


def settings(name: str, namespace: Mapping[str, object]) -> PanelReport:
    """The parameters of report `name` from a notebook's variables: call it right after the parameters cell.

    `namespace` is `globals()`. Every literal that the notebook holds by then must be a parameter, so that a name
    misspelt on papermill's command line is refused. When the cell is run again in an open notebook, which holds
    much else by then, only a name close to a parameter's is refused.

    >>> settings("england", {"until": 2030, "seed": 7, "_": 4}).seed
    7
    """
    report = find_report(name)
    fields = report.model.model_fields
    again = any(isinstance(value, report.model) for value in namespace.values())
    mine = {
        key: value
        for key, value in namespace.items()
        if key in fields or _looks_like_a_parameter(key, value, fields if again else None)
    }
    return parse(name, mine)


IPYTHON = frozenset({"In", "Out"})
"""IPython's own variables that are literals; its others begin with "_" or can be called."""


def _looks_like_a_parameter(key: str, value: object, near: Mapping[str, object] | None) -> bool:
    if key.startswith("_") or key in IPYTHON or not isinstance(value, LITERALS):
        return False
    return near is None or closest(key, near).startswith("did you mean")


def parameters_cell(notebook: NotebookNode) -> dict[str, Any]:
    """Names and values in the cell tagged `parameters`.

    Raises ReportError when there is not exactly one such cell, or when it holds anything but `name = literal`:
    papermill puts its values in a cell after it, so what is worked out there would keep the default.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ReportError(f"expected one cell tagged 'parameters', found {len(cells)}")
    return dict(_literals(cells[0].source))


def _literals(source: str) -> Iterator[tuple[str, Any]]:
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                try:
                    yield name, ast.literal_eval(value)
                    continue
                except ValueError:
                    pass
        found = ast.unparse(statement)
        raise ReportError(f"parameters cell, line {statement.lineno}: found {found!r}, expected name = literal")


def check_parameters_cell(report: Report, notebook: NotebookNode) -> None:
    """ReportError unless the notebook's parameters cell holds the report's parameters, each with its default."""
    cell = parameters_cell(notebook)
    model = report.model.__name__
    defaults = {name: field.default for name, field in report.model.model_fields.items()}
    faults = [f"{name}: missing in the parameters cell" for name in defaults.keys() - cell.keys()]
    faults += [f"{name}: in the parameters cell, but not in {model}" for name in cell.keys() - defaults.keys()]
    faults += [
        f"{name}: {cell[name]!r} in the parameters cell, but {defaults[name]!r} in {model}"
        for name in cell.keys() & defaults.keys()
        if cell[name] != defaults[name]
    ]
    if faults:
        faults.sort()
        raise _refusal(report, faults)


def slug(text: str) -> str:
    """Text as part of a file's name.

    >>> slug("Kingston upon Hull, City of"), slug("St. Helens")
    ('kingston-upon-hull-city-of', 'st-helens')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain.casefold()))


def authorities_now() -> Authorities:
    """The authorities, read once for the many pages of a run."""
    return _authorities(raw_dir())


def _schemes_of(text: str | None) -> list[str]:
    """Names of a scenario's schemes, without loading what reads it where there is none."""
    return [] if text is None else list(_parsed(text).named_schemes())


@lru_cache(maxsize=64)
def _parsed(text: str | None) -> Scenario:
    from deficits.scenario import Scenario

    return Scenario() if text is None else Scenario.parse(text)


@cache
def _authorities(raw: Path) -> Authorities:
    from deficits.panel import load_authorities

    return load_authorities()


def _authority_name(word: str) -> str:
    authorities = authorities_now()
    return authorities.name(authorities.resolve(word))


def _refusal(report: Report, faults: list[str]) -> ReportError:
    counted = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return ReportError("\n  ".join([f"report '{report.name}', {counted}:", *faults]))


def _fault(report: Report, detail: dict[str, Any]) -> str:
    name = str(detail["loc"][0])
    if detail["type"] == "extra_forbidden":
        return f"{name}: not a parameter of this report; {closest(name, report.model.model_fields)}"
    if detail["type"] == "told":
        return f"{name}: {detail['msg']}"
    found = detail["input"]
    hint = f", such as {str(found)!r}" if isinstance(found, int | float) and _is_text(report, name) else ""
    return f"{name}: found {_short(found)}, expected {expected(report, name)}{hint}"


def expected(report: Report, name: str) -> str:
    """What a parameter takes, in words.

    >>> expected(REPORTS["england"], "until"), expected(REPORTS["writeoff"], "share")
    ('a whole number from 2027 to 2035', 'a number from 0 to 1, or none')
    >>> expected(REPORTS["england"], "as_of")
    'a day like 2025-09-17, or none'
    """
    schema = report.model.model_json_schema()["properties"][name]
    kinds = schema.get("anyOf", [schema])
    first, optional = kinds[0], len(kinds) > 1
    if "expected" in schema:
        return f"{schema['expected']}, or none"
    if "enum" in first:
        return f"{', '.join(first['enum'])}" + (", or none" if optional else "")
    words: dict[str, Callable[[], str]] = {
        "integer": lambda: f"a whole number{_bounds(first)}",
        "number": lambda: f"a number{_bounds(first)}",
        "string": lambda: f"a text of 1 to {first['maxLength']} characters without slashes",
        "array": lambda: f"{first['minItems']} to {first['maxItems']} different names, divided by commas",
    }
    return words[first["type"]]() + (", or none" if optional else "")


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is None:
        return f" of {low:g} or more"
    return f" from {low:g} to {high:g}"


def _is_text(report: Report, name: str) -> bool:
    return report.model.model_fields[name].annotation is str


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
