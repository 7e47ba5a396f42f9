"""What each report may be asked for: one frozen model a report, for notebook, command line and docs."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from deficits.assumptions import assumed
from deficits.errors import PanelError, ProjectionError, ReportError, closest
from deficits.formatting import day_in_words, slug
from deficits.paths import notebooks_dir
from deficits.raw.authorities import load_authorities
from deficits.validation import shortened

if TYPE_CHECKING:
    from deficits.reform_plan import Actions
    from deficits.scenario import Scenario
    from deficits.writeoff import Scheme

ENDS = int(assumed("override", "ends").number)
MEASURED = int(assumed("write_offs", "grant_measured_at").number)
EARLIEST = int(assumed("write_offs", "measured_from").number)
LAST = int(assumed("projection", "last_year").number)
"""Year ends that parameters lie between: the override's, the grant's, a scheme's first and a projection's last."""

INJECTED = "# Parameters"
"""How the cell begins into which papermill puts its values."""

PARAMETERS = "application/vnd.deficits.parameters+json"
"""Kind of output by which the page knows a listing of parameters."""


def _read(name: str, value: object) -> Any:
    """A text as a person types it, by a reader of `deficits.panel.given`; other values as they are.

    A truth value is refused, which pydantic would take for a number.
    """
    if isinstance(value, bool):
        raise ValueError("a truth value is not a number")
    if not isinstance(value, str):
        return value
    from deficits.panel import given

    return getattr(given, name)(value)


def _plain(text: str) -> str:
    """A name, not a path: it becomes part of a file's name, and a path would tell of the machine."""
    name = text.strip()
    if not name or not name.isprintable() or re.search(r"[/\\]", name):
        raise ValueError("should be a text of 1 to 80 characters without slashes")
    return name


def _divided(value: object) -> object:
    """On a command line, several names are one text, divided by commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _each_once(names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"should be different names: {', '.join(twice)} twice")
    return names


MOST_COMPARED = 20
"""Schemes on one page."""
LONGEST_SCENARIO = 50_000
"""Characters of a scenario, or of a file of actions, that a record keeps."""
EXAMPLE = "example"
"""The actions that come with the package, to change: no council has adopted them."""


def _told(words: str) -> PydanticCustomError:
    """A fault that says all of it: nothing is put around its words."""
    return PydanticCustomError("told", "{told}", {"told": words})


def _scenario_text(given: str) -> str:
    """What a scenario's file holds, from its path or from that itself.

    A page rests on what the scenario says, not on where its file lay.
    """
    from deficits.scenario import Scenario

    try:
        scenario = Scenario.parse(given) if "\n" in given or given.startswith("version:") else Scenario.read(given)
    except ProjectionError as error:
        raise _told(str(error)) from None
    return scenario.text()


def _actions_text(given: str) -> str:
    """What a file of a reform plan's actions holds, from its path or from that itself; the example by its name.

    A page rests on what the file says, not on where it lay.
    """
    from deficits.reform_plan import Actions
    from deficits.validation import read_text

    try:
        text = given if "\n" in given or given == EXAMPLE else read_text(Path(given), given, ProjectionError)
        Actions.parse(text) if text != EXAMPLE else None
    except ProjectionError as error:
        raise _told(str(error)) from None
    return text


Whole = Annotated[int, BeforeValidator(partial(_read, "whole_given"))]
Year = Annotated[int, BeforeValidator(partial(_read, "ending_year"))]
Share = Annotated[float, BeforeValidator(partial(_read, "share_given")), Field(ge=0, le=1, allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=80), AfterValidator(_plain)]
Day = Annotated[str, BeforeValidator(lambda value: _read("day_given", str(value)).isoformat())]
ActionsText = Annotated[str, AfterValidator(_actions_text), Field(max_length=LONGEST_SCENARIO)]
ScenarioText = Annotated[str, AfterValidator(_scenario_text), Field(max_length=LONGEST_SCENARIO)]
Names = Annotated[
    list[Name],
    Field(min_length=2, max_length=MOST_COMPARED),
    BeforeValidator(_divided),
    AfterValidator(_each_once),
]


class PanelReport(BaseModel):
    """Parameters that every report has: which figures it knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: Day | None = Field(
        default=None, description="leave out what was published after this day, like 2025-09-17"
    )
    own: Name | None = Field(
        default=None, description="name of a file of your own balances that `deficits own` has kept"
    )

    @model_validator(mode="before")
    @classmethod
    def _nothing_as_a_command_line_writes_it(cls, given: dict[str, Any]) -> dict[str, Any]:
        """An empty text or none, where a parameter may have no value."""
        optional = {name for name, field in cls.model_fields.items() if field.default is None}
        nothing = {"", "none"}
        return {
            name: None if name in optional and str(value).strip().casefold() in nothing else value
            for name, value in given.items()
        }

    def differences(self) -> list[str]:
        """What the page rests on that the usual one does not, in sentences."""
        told = []
        if self.as_of is not None:
            told.append(f"It leaves out what was published after {day_in_words(self.as_of)}.")
        if self.own is not None:
            told.append(f"It takes balances from {self.own}, a file of whoever made it.")
        return told

    def __repr__(self) -> str:
        values = self.model_dump()
        width = max(map(len, values))
        lines = [
            f"  {name:<{width}}  {'not set' if value is None else '; '.join(str(value).splitlines())}"
            for name, value in values.items()
        ]
        return "\n".join([f"{type(self).__name__.removesuffix('Report')} report", *lines])

    __str__ = __repr__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        # The second kind keeps the listing in the notebook: a page has its parameters in the run record.
        return {"text/plain": repr(self), PARAMETERS: self.model_dump()}


class QualityReport(PanelReport):
    """Parameters of the report on data quality."""


class EnglandReport(PanelReport):
    """Parameters of the report on England."""

    scenario: ScenarioText | None = Field(
        default=None, description="a scenario's file, or what it holds: other assumptions, levers or schemes"
    )
    until: Year = Field(
        default=ENDS + 1,
        ge=MEASURED + 1,
        le=LAST,
        description="last year of the projection: 2029 ends on 31 March 2029",
    )
    draws: Whole = Field(default=4000, ge=200, le=20_000, description="number of simulations")
    seed: Whole = Field(
        default=1, ge=0, description="start of the random numbers: the same seed gives the same report"
    )

    @field_validator("scenario")
    @classmethod
    def _as_far_as_it_changes_the_page(cls, text: str | None) -> str | None:
        """Without schemes where the report has none; None where nothing is left: such a page is the usual one."""
        if text is None:
            return None
        scenario = scenario_of(text)
        if "scheme" not in cls.model_fields and "schemes" not in cls.model_fields:
            scenario = scenario.model_copy(update={"schemes": ()})
        return scenario.text() if scenario.lines() else None

    @property
    def assumed(self) -> Scenario:
        """The scenario; where none is set, that of the usual projection."""
        return scenario_of(self.scenario)

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
        return self.assumed.scheme(name)


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
        raise _told(told)

    @property
    def _schemes(self) -> tuple[str, ...]:
        return (self.scheme,)


class WriteoffReport(_OnAScheme):
    """Parameters of the report on a write-off scheme."""

    share: Share | None = Field(default=None, description="share written off, instead of the scheme's own")
    base_year: Year | None = Field(
        default=None,
        ge=EARLIEST,
        le=LAST - 1,
        description="year end of the deficits paid off, instead of the scheme's own; payment moves with it",
    )
    ineligible: Share | None = Field(default=None, description="share of every deficit that is not eligible")
    safety_valve: Literal["as_projected", "stop", "continue"] | None = Field(
        default=None, description="agreed payments after the base date, instead of the scheme's own rule"
    )


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
    against: Name = Field(default=USUAL, description="the scheme that the others are compared with")
    year: Year = Field(default=ENDS, ge=EARLIEST, le=LAST, description="year end at which deficits are compared")

    @field_validator("schemes")
    @classmethod
    def _of_the_scenario(cls, schemes: list[str], info: ValidationInfo) -> list[str]:
        """A scenario's schemes stand in place of the usual ones, with the one that they are compared with.

        A scenario that has but that one changes it, and it stands among the usual ones.
        """
        own = [name for name in _schemes_of(info.data.get("scenario")) if name != USUAL]
        if not own or schemes != cls.model_fields["schemes"].default:
            return schemes
        if len(own) >= MOST_COMPARED:
            told = f"the scenario has {len(own)} schemes, and at most {MOST_COMPARED - 1} are compared"
            raise _told(told)
        return [USUAL, *own]

    @property
    def _schemes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.schemes, self.against]))

    @property
    def designs(self) -> dict[str, Scheme]:
        """The schemes by their names; the one they are compared with joins them where it is not there."""
        return {name: self.scheme_called(name) for name in self._schemes}


class AuthorityReport(_OnAScheme):
    """Parameters of the report on one authority."""

    authority: Name = Field(default="Kent", description="an authority's name, DfE number or ONS code")


class PlanReport(PanelReport):
    """Parameters of the report on a council's local SEND reform plan."""

    authority: Name = Field(default="Kent", description="an authority's name, DfE number or ONS code")
    actions: ActionsText = Field(
        default=EXAMPLE, description="a file of the plan's actions; `deficits plan --example` prints one to change"
    )
    until: Year = Field(
        default=ENDS + 3, ge=MEASURED + 1, le=LAST, description="last year end: 2031 is 31 March 2031"
    )
    draws: Whole = Field(default=1000, ge=200, le=20_000, description="number of simulations")
    seed: Whole = Field(default=1, ge=0, description="the same seed gives the same report")

    @property
    def declared(self) -> Actions:
        """The actions, checked."""
        from deficits.reform_plan import Actions

        return Actions.read(EXAMPLE) if self.actions == EXAMPLE else Actions.parse(self.actions)

    def differences(self) -> list[str]:
        """What the page rests on that the usual one does not, in sentences."""
        own = [] if self.actions == EXAMPLE else ["It takes actions from a file of whoever made it."]
        return super().differences() + own


class BacktestReport(PanelReport):
    """Parameters of the report on the projection's record."""

    draws: Whole = Field(default=4000, ge=200, le=20_000, description="number of simulations")


class ExploreNotebook(PanelReport):
    """Parameters of the notebook that opens the explorer."""

    own: None = Field(default=None, description="the explorer takes no file of your own")
    place: Name = Field(default="England", description="England, a region, or a council by name or code")
    scenario: str | None = Field(default=None, description="a scenario's file to start from")


class MonitorReport(PanelReport):
    """Parameters of the annual monitor."""

    place: Name = Field(
        default="England", description="England, a region, or a council by name, DfE number or ONS code"
    )


class RecommendationsReport(EnglandReport):
    """Parameters of the report on the committee's recommendations."""

    until: Year = Field(
        default=ENDS + 3,  # some levers take years to work
        ge=MEASURED + 1,
        le=LAST,
        description="year end at which levers are measured: 2031 is 31 March 2031",
    )


class PlacesReport(RecommendationsReport):
    """Parameters of the report on specialist places."""

    until: Year = Field(default=ENDS + 3, ge=MEASURED + 1, le=LAST, description="last year: 2031 is 2030-31")
    draws: Whole = Field(default=1000, ge=200, le=4_000, description="number of simulations")


class FormulaReport(RecommendationsReport):
    """Parameters of the report on a review of the high needs formula."""


LONGEST_NAME = 120
"""Characters of a page's name, beyond which it is cut and numbered by its digest."""
NOT_NAMING = frozenset({"until", "draws", "seed"})
"""Parameters that never stand in a page's name. Others do when they are not the default: such a page never takes
the place of the usual one."""


@dataclass(frozen=True)
class Report:
    """A report: its notebook, parameters and title, and the parameters that always stand in a page's name."""

    name: str
    notebook: str
    model: type[PanelReport]
    title: str
    named_by: tuple[str, ...] = ()
    on_request: bool = False
    """Whether it is made only where it is asked for by name."""

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
        if values.get("actions", EXAMPLE) != EXAMPLE:
            values["actions"] = hashlib.sha256(values["actions"].encode()).hexdigest()[:8]
        parts = [self.name, *(str(values[name]) for name in self.named_by)]
        for name, field in self.model.model_fields.items():
            if name not in NOT_NAMING.union(self.named_by) and values[name] != field.default:
                parts += [name, scenario_of(values[name]).name if name == "scenario" else str(values[name])]
        whole = slug("-".join(parts))
        if len(whole) <= LONGEST_NAME:
            return whole
        # A long list of schemes: files' names have a limit, and two lists must not share one.
        return f"{whole[:LONGEST_NAME]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


REPORTS: dict[str, Report] = {
    report.name: report
    for report in (
        Report("quality", "00_data_quality.ipynb", QualityReport, "The published figures"),
        Report("england", "01_england.ipynb", EnglandReport, "SEND deficits in England"),
        Report("writeoff", "02_writeoff.ipynb", WriteoffReport, "Write-offs of SEND deficits", ("scheme",)),
        Report("authority", "03_authority.ipynb", AuthorityReport, "SEND deficits by council", ("authority",)),
        Report("backtest", "04_backtest.ipynb", BacktestReport, "How good the projection has been"),
        Report("compare", "05_compare.ipynb", CompareReport, "Write-off schemes compared"),
        Report(
            "recommendations",
            "07_recommendations.ipynb",
            RecommendationsReport,
            "What the committee recommended, with figures",
        ),
        Report(
            "plan",
            "06_reform_plan.ipynb",
            PlanReport,
            "A local SEND reform plan",
            ("authority",),
            on_request=True,
        ),
        Report("monitor", "08_monitor.ipynb", MonitorReport, "Annual monitor of EHC plans"),
        Report("places", "09_places.ipynb", PlacesReport, "Specialist places and capital"),
        Report("formula", "10_formula.ipynb", FormulaReport, "A review of the high needs formula"),
    )
}


def find_report(name: str) -> Report:
    """The report of that name; ReportError offers the closest."""
    try:
        return REPORTS[name]
    except KeyError:
        council = f"; for a council's page: deficits report authority --authorities '{name}'"
        raise ReportError(f"no report '{name}'; {closest(name, REPORTS)}{council}") from None


def parse(name: str, values: Mapping[str, object]) -> PanelReport:
    """The parameters of report `name`, or of the notebook `explore`, checked.

    Texts, as a command line gives them, are read as what the parameter is; an authority's code stays a text.
    Raises ReportError that lists every fault: the parameter, what was found, what was expected.

    >>> parse("england", {"until": "2029"}).until
    2029
    >>> parse("england", {"drawz": 5})
    Traceback (most recent call last):
    deficits.errors.ReportError: report 'england', 1 fault:
      drawz: not a parameter of this report; did you mean 'draws'?
    """
    model = _model(name)
    try:
        parameters = model.model_validate(dict(values))
    except ValidationError as error:
        raise _refusal(name, [_fault(model, dict(detail)) for detail in error.errors()]) from None
    try:
        if hasattr(parameters, "authority"):
            _authority_name(parameters.authority)
    except PanelError as error:
        raise _refusal(name, [f"authority: {error}"]) from None
    return parameters


def _model(name: str) -> type[PanelReport]:
    return ExploreNotebook if name == "explore" else find_report(name).model


def settings(name: str, namespace: Mapping[str, object]) -> PanelReport:
    """The parameters of report `name` from a notebook's variables: call it after the parameters cell.

    `namespace` is `globals()`. What the parameters cell and papermill's cell after it assign must be parameters:
    a name misspelt on papermill's command line is refused, and what else the notebook holds does not matter.

    >>> settings("england", {"until": 2030, "seed": 7, "FY": 2026}).seed
    7
    """
    fields = _model(name).model_fields
    asked = _assigned(cast("Sequence[str]", namespace.get("In", ())), fields)
    return parse(name, asked | {key: value for key, value in namespace.items() if key in fields})


def _assigned(history: Sequence[str], fields: Mapping[str, object]) -> dict[str, Any]:
    """What the newest parameters cell that has run and papermill's cell after it assign."""
    found: dict[str, Any] = {}
    for source in reversed(history):
        try:
            values = dict(_literals(source))
        except (ReportError, SyntaxError):
            continue
        injected = source.lstrip().startswith(INJECTED)
        if injected or fields.keys() & values.keys():
            found = values | found
            if not injected:
                break
    return found


def parameters_cell(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values in the cell tagged `parameters`.

    Raises ReportError when there is not exactly one such cell, or when it holds anything but `name = literal`:
    papermill puts its values in a cell after it, so what is worked out there would keep the default.
    """
    cells = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        raise ReportError(f"expected one cell tagged 'parameters', found {len(cells)}")
    return dict(_literals("".join(cells[0]["source"])))


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


def check_parameters_cell(report: Report, notebook: Mapping[str, Any]) -> None:
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
        raise _refusal(report.name, faults)


@dataclass(frozen=True)
class Request:
    """A page that somebody asks for: its report, its checked parameters, and its name."""

    report: Report
    parameters: PanelReport
    page: str
    subject: str | None

    @classmethod
    def of(cls, name: str, values: Mapping[str, object]) -> Request:
        """A page by its report's name and its parameters; ReportError when they are wrong."""
        report, parameters = find_report(name), parse(name, values)
        return cls(report, parameters, report.page_id(parameters), report.subject(parameters))

    @property
    def values(self) -> dict[str, Any]:
        """All its parameters."""
        return self.parameters.model_dump()

    def title(self, heading: str | None = None) -> str:
        """Title of its page: what it is about, the notebook's own heading where it has one, and its scenario."""
        title = ": ".join(part for part in (self.subject, heading or self.report.title) if part)
        if not isinstance(self.parameters, EnglandReport) or self.parameters.scenario is None:
            return title
        return f"{title} (scenario: {self.parameters.assumed.called})"


def notebook_path(report: Report, notebook: Path | None = None) -> Path:
    """Where a report's notebook lies, or another in its place. ReportError when it is missing."""
    path = notebook or notebooks_dir() / report.notebook
    if not path.is_file():
        raise ReportError(f"the notebook {path} is missing")
    return path


def _schemes_of(text: str | None) -> list[str]:
    """Names of a scenario's schemes, without loading what reads it where there is none."""
    return [] if text is None else list(scenario_of(text).named_schemes())


@lru_cache(maxsize=64)
def scenario_of(text: str | None) -> Scenario:
    """The scenario of that text; where there is none, that of the usual projection."""
    from deficits.scenario import Scenario

    return Scenario() if text is None else Scenario.parse(text)


def _authority_name(word: str) -> str:
    authorities = load_authorities()
    return authorities.name(authorities.resolve(word))


def _refusal(name: str, faults: list[str]) -> ReportError:
    counted = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return ReportError("\n  ".join([f"report '{name}', {counted}:", *faults]))


def _fault(model: type[PanelReport], detail: dict[str, Any]) -> str:
    name, found, said = str(detail["loc"][0]), detail["input"], str(detail["msg"])
    if detail["type"] == "extra_forbidden":
        return f"{name}: not a parameter of this report; {closest(name, model.model_fields)}"
    if detail["type"] == "told":
        return f"{name}: {said}"
    said = said.removeprefix("Input ").removeprefix("Value error, ")
    hint = f"; give {str(found)!r}" if detail["type"] == "string_type" and isinstance(found, int) else ""
    told = (
        said
        if detail["type"] == "value_error" and f"'{found}'" in said
        else f"found {shortened(found)}, {said}{hint}"
    )
    return f"{name}: {told} ({model.model_fields[name].description})"
