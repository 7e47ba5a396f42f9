"""What each report may be asked for: one frozen model a report, for notebook, command line and docs."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

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
from deficits.validation import read_text, shortened

if TYPE_CHECKING:
    from deficits.reform_plan import Actions
    from deficits.scenario import Scenario
    from deficits.writeoff import Scheme

ENDS = int(assumed("override", "ends").number)
MEASURED = int(assumed("write_offs", "grant_measured_at").number)
EARLIEST = int(assumed("write_offs", "measured_from").number)
LAST = int(assumed("projection", "last_year").number)
"""Year ends that parameters lie between: the override's, the grant's, a scheme's first and a projection's last."""
PARAMETERS = "application/vnd.deficits.parameters+json"
"""Kind of output by which the page knows a listing of parameters."""
MOST_COMPARED = 20
"""Schemes on one page."""
LONGEST_SCENARIO = 50_000
"""Characters of a scenario, or of a file of actions, that a record keeps."""
LONGEST_NAME = 120
"""Characters of a page's name, beyond which it is cut and numbered by its digest."""
EXAMPLE = "example"
"""The actions that come with the package, to change: no council has adopted them."""
USUAL = "high-needs-stability-grant"
"""The scheme that reports are on where nothing is said: the real one."""


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


def _told(words: str) -> PydanticCustomError:
    """A fault that says all of it: nothing is put around its words."""
    return PydanticCustomError("told", "{told}", {"told": words})


def _scenario_text(given: str) -> str:
    """What a scenario's file holds, from its path or from that itself: where the file lay tells nothing."""
    from deficits.scenario import Scenario

    try:
        scenario = Scenario.parse(given) if "\n" in given or given.startswith("version:") else Scenario.read(given)
    except ProjectionError as error:
        raise _told(str(error)) from None
    return scenario.text()


def _actions_text(given: str) -> str:
    """What a file of a reform plan's actions holds, from its path or from that itself; the example by its name."""
    from deficits.reform_plan import Actions

    if given == EXAMPLE:
        return given
    try:
        text = given if "\n" in given else read_text(Path(given), given, ProjectionError)
        Actions.parse(text)
    except ProjectionError as error:
        raise _told(str(error)) from None
    return text


Whole = Annotated[int, BeforeValidator(partial(_read, "whole_given"))]
Year = Annotated[int, BeforeValidator(partial(_read, "ending_year"))]
Until = Annotated[
    Year, Field(ge=MEASURED + 1, le=LAST, description="last year end: 2029 is 31 March 2029, the end of 2028-29")
]
Draws = Annotated[Whole, Field(ge=200, le=20_000, description="number of simulations")]
Seed = Annotated[
    Whole, Field(ge=0, description="start of the random numbers: the same seed gives the same report")
]
Share = Annotated[float, BeforeValidator(partial(_read, "share_given")), Field(ge=0, le=1, allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=80), AfterValidator(_plain)]
Council = Annotated[Name, Field(description="an authority's name, DfE number or ONS code")]
Place = Annotated[Name, Field(description="England, a region, or a council by name, DfE number or ONS code")]
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
    """A page that is asked for: its parameters, checked, of which every report has which figures it knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    report: ClassVar[str]
    notebook: ClassVar[str]
    title: ClassVar[str]
    named_by: ClassVar[str | None] = None
    """A parameter that always stands in the page's name. Others do where they are not the default, so that such a
    page never takes the place of the usual one."""
    on_request: ClassVar[bool] = False
    """Whether it is made only where it is asked for by name."""

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

    @cached_property
    def subject(self) -> str | None:
        """Whom the page is about, where one notebook makes many pages: the authority's name."""
        word = getattr(self, "authority", None)
        return None if word is None else load_authorities().name(load_authorities().resolve(word))

    @cached_property
    def page(self) -> str:
        """Name of the page's files.

        >>> WriteoffReport().page
        'writeoff-high-needs-stability-grant'
        >>> WriteoffReport(share=0.5).page
        'writeoff-high-needs-stability-grant-share-0-5'
        """
        values = self.model_dump(exclude={"until", "draws", "seed"})
        if self.subject is not None:
            values["authority"] = self.subject
        parts = [self.report]
        if self.named_by is not None:
            parts.append(str(values.pop(self.named_by)))
        for name, value in values.items():
            if value == type(self).model_fields[name].default:
                continue
            if name == "scenario":
                value = scenario_of(value).name
            if name == "actions":
                value = hashlib.sha256(value.encode()).hexdigest()[:8]
            parts += [name, str(value)]
        whole = slug("-".join(parts))
        if len(whole) <= LONGEST_NAME:
            return whole
        # A long list of schemes: files' names have a limit, and two lists must not share one.
        return f"{whole[:LONGEST_NAME]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"

    def heading(self, own: str | None = None) -> str:
        """Title of the page: what it is about, the notebook's own heading where it has one, and its scenario."""
        title = ": ".join(part for part in (self.subject, own or self.title) if part)
        if isinstance(self, EnglandReport) and self.scenario is not None:
            return f"{title} (scenario: {self.assumed.called})"
        return title

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

    report, notebook, title = "quality", "00_data_quality.ipynb", "The published figures"


class EnglandReport(PanelReport):
    """Parameters of the report on England."""

    report, notebook, title = "england", "01_england.ipynb", "SEND deficits in England"

    scenario: ScenarioText | None = Field(
        default=None, description="a scenario's file, or what it holds: other assumptions, levers or schemes"
    )
    until: Until = ENDS + 1
    draws: Draws = 4000
    seed: Seed = 1

    @field_validator("scenario")
    @classmethod
    def _as_far_as_it_changes_the_page(cls, text: str | None) -> str | None:
        """Without schemes where the report has none; None where nothing is left: such a page is the usual one."""
        if text is None:
            return None
        scenario = scenario_of(text)
        if cls.model_fields.keys().isdisjoint({"scheme", "schemes"}):
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

    report, notebook, title = "writeoff", "02_writeoff.ipynb", "Write-offs of SEND deficits"
    named_by = "scheme"

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


class AuthorityReport(_OnAScheme):
    """Parameters of the report on one authority."""

    report, notebook, title = "authority", "03_authority.ipynb", "SEND deficits by council"
    named_by = "authority"

    authority: Council = "Kent"


class BacktestReport(PanelReport):
    """Parameters of the report on the projection's record."""

    report, notebook, title = "backtest", "04_backtest.ipynb", "How good the projection has been"

    draws: Draws = 4000


class CompareReport(EnglandReport):
    """Parameters of the report that compares schemes.

    >>> CompareReport(schemes="no-help, flat-share").schemes
    ['no-help', 'flat-share']
    """

    report, notebook, title = "compare", "05_compare.ipynb", "Write-off schemes compared"

    schemes: Names = Field(
        validate_default=True,
        default=[
            *("no-help", "high-needs-stability-grant", "flat-share", "flat-share-75", "flat-share-100"),
            *("equal-per-pupil", "equal-per-plan", "capped-at-reserves", "loan-10-years"),
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


class RecommendationsReport(EnglandReport):
    """Parameters of the report on the committee's recommendations."""

    report, notebook = "recommendations", "07_recommendations.ipynb"
    title = "What the committee recommended, with figures"

    until: Until = ENDS + 3  # some levers take years to work


class PlanReport(PanelReport):
    """Parameters of the report on a council's local SEND reform plan."""

    report, notebook, title = "plan", "06_reform_plan.ipynb", "A local SEND reform plan"
    named_by, on_request = "authority", True

    authority: Council = "Kent"
    actions: ActionsText = Field(
        default=EXAMPLE, description="a file of the plan's actions; `deficits plan --example` prints one to change"
    )
    until: Until = ENDS + 3
    draws: Draws = 1000
    seed: Seed = 1

    @property
    def declared(self) -> Actions:
        """The actions, checked."""
        from deficits.reform_plan import Actions

        return Actions.read(EXAMPLE) if self.actions == EXAMPLE else Actions.parse(self.actions)

    def differences(self) -> list[str]:
        """What the page rests on that the usual one does not, in sentences."""
        own = [] if self.actions == EXAMPLE else ["It takes actions from a file of whoever made it."]
        return super().differences() + own


class MonitorReport(PanelReport):
    """Parameters of the annual monitor."""

    report, notebook, title = "monitor", "08_monitor.ipynb", "Annual monitor of EHC plans"

    place: Place = "England"


class PlacesReport(RecommendationsReport):
    """Parameters of the report on specialist places."""

    report, notebook, title = "places", "09_places.ipynb", "Specialist places and capital"

    draws: Draws = Field(default=4_000, le=4_000)


class FormulaReport(RecommendationsReport):
    """Parameters of the report on a review of the high needs formula."""

    report, notebook, title = "formula", "10_formula.ipynb", "A review of the high needs formula"


class ExploreNotebook(PanelReport):
    """Parameters of the notebook that opens the explorer."""

    report, notebook, title = "explore", "explore.ipynb", "Explore"

    own: None = Field(default=None, description="the explorer takes no file of your own")
    place: Place = "England"
    scenario: str | None = Field(default=None, description="a scenario's file to start from")


REPORTS: dict[str, type[PanelReport]] = {
    model.report: model
    for model in (
        *(QualityReport, EnglandReport, WriteoffReport, AuthorityReport, BacktestReport, CompareReport),
        *(RecommendationsReport, PlanReport, MonitorReport, PlacesReport, FormulaReport),
    )
}
"""The reports by their names, in the order in which they are listed."""


def find_report(name: str) -> type[PanelReport]:
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
    model = ExploreNotebook if name == "explore" else find_report(name)
    try:
        parameters = model.model_validate(dict(values))
        parameters.subject  # noqa: B018  # an authority that there is none of
    except ValidationError as error:
        raise _refusal(name, [_fault(model, dict(detail)) for detail in error.errors()]) from None
    except PanelError as error:
        raise _refusal(name, [f"authority: {error}"]) from None
    return parameters


def settings(name: str, namespace: Mapping[str, object]) -> PanelReport:
    """The parameters of report `name` from a notebook's variables: call it after the parameters cell.

    `namespace` is `globals()`. What the parameters cell and papermill's cell after it assign must be parameters:
    a name misspelt on papermill's command line is refused, and what else the notebook holds does not matter.

    >>> settings("england", {"until": 2030, "seed": 7, "FY": 2026}).seed
    7
    """
    fields = (ExploreNotebook if name == "explore" else find_report(name)).model_fields
    assigned: dict[str, Any] = {}
    for source in reversed(cast("Sequence[str]", namespace.get("In", ()))):
        try:
            values = _literals(source)
        except (ReportError, SyntaxError):
            continue
        injected = source.lstrip().startswith("# Parameters")  # as papermill's cell does
        if injected or fields.keys() & values.keys():
            assigned = values | assigned
            if not injected:
                break  # the newest parameters cell: what ran before it was for an earlier run
    return parse(name, assigned | {key: value for key, value in namespace.items() if key in fields})


def parameters_cell(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values in the cell tagged `parameters`.

    Raises ReportError when there is not exactly one such cell, or when it holds anything but `name = literal`:
    papermill puts its values in a cell after it, so what is worked out there would keep the default.
    """
    cells = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        raise ReportError(f"expected one cell tagged 'parameters', found {len(cells)}")
    return _literals("".join(cells[0]["source"]))


def _literals(source: str) -> dict[str, Any]:
    found = {}
    for statement in ast.parse(source).body:
        try:
            (target,) = statement.targets  # type: ignore[attr-defined]
            found[target.id] = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
        except (AttributeError, ValueError):
            what = f"found {ast.unparse(statement)!r}, expected name = literal"
            raise ReportError(f"parameters cell, line {statement.lineno}: {what}") from None
    return found


def check_parameters_cell(report: type[PanelReport], notebook: Mapping[str, Any]) -> None:
    """ReportError unless the notebook's parameters cell holds the report's parameters, each with its default."""
    cell = parameters_cell(notebook)
    here = {name: repr(value) for name, value in cell.items()}
    there = {name: repr(field.default) for name, field in report.model_fields.items()}
    faults = [
        f"{name}: {found} in the parameters cell, {expected} in {report.__name__}"
        for name in sorted(here.keys() | there.keys())
        if (found := here.get(name, "missing")) != (expected := there.get(name, "missing"))
    ]
    if faults:
        raise _refusal(report.report, faults)


def notebook_path(report: type[PanelReport], notebook: Path | None = None) -> Path:
    """Where a report's notebook lies, or another in its place. ReportError when it is missing."""
    path = notebook or notebooks_dir() / report.notebook
    if not path.is_file():
        raise ReportError(f"the notebook {path} is missing")
    return path


def read_notebook(report: type[PanelReport], notebook: Path | None = None) -> dict[str, Any]:
    """What the file of a report's notebook holds, or of another; ReportError when it is no notebook."""
    path = notebook_path(report, notebook)
    try:
        return {"cells": list(json.loads(path.read_bytes())["cells"])}
    except (ValueError, KeyError, TypeError):
        raise ReportError(f"{path} is not a notebook") from None


def _schemes_of(text: str | None) -> list[str]:
    """Names of a scenario's schemes, without loading what reads it where there is none."""
    return [] if text is None else list(scenario_of(text).named_schemes())


@lru_cache(maxsize=64)
def scenario_of(text: str | None) -> Scenario:
    """The scenario of that text; where there is none, that of the usual projection."""
    from deficits.scenario import Scenario

    return Scenario() if text is None else Scenario.parse(text)


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
    if not (detail["type"] == "value_error" and f"'{found}'" in said):
        hint = f"; give {str(found)!r}" if detail["type"] == "string_type" and isinstance(found, int) else ""
        said = f"found {shortened(found)}, {said}{hint}"
    return f"{name}: {said} ({model.model_fields[name].description})"
