"""The run record: what a page was made from, what it found, and whether it still holds."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from pydantic import BaseModel, ConfigDict

from deficits import paths
from deficits.errors import DeficitsError
from deficits.reports.frame import PARTS
from deficits.reports.params import Request

if TYPE_CHECKING:
    import pandas as pd


INJECTED = "injected-parameters"
"""Tag of the cell in which papermill puts the values of a run."""
PACKAGE = "deficits"
NOT_RUN = (
    "cli",
    "explorer",
    "fetch",
    "_bundle",
    "reports/index.py",
    "reports/batch.py",
    "reports/verification.py",
)
"""What of the package no page runs."""
LETTERS = 16
"""Letters of a sha256 that stand for a table of figures or for what a cell showed."""
DIGITS = 9
"""Significant digits that figures are compared to: another processor changes those after the twelfth."""
COUNCIL_PRECISION, ENGLAND_PRECISION = 1e5, 1e8
"""£: to what a projected balance of a council and of England is compared, the least that pages show."""


class Now(BaseModel):
    """What a run finds on the machine: files, code and packages. The same for every page of a run."""

    model_config = ConfigDict(frozen=True)

    data: dict[str, str]
    """Each raw file to its sha256."""
    code: str
    """The package's version, for a reader; in a checkout also the commit."""
    source: str
    """The sha256 of the package's own files."""
    template: str
    """The sha256 of what stands around a page."""
    python: str
    packages: dict[str, str]

    @property
    def data_digest(self) -> str:
        """One sha256 for all files of data."""
        return text_digest(json.dumps(self.data, sort_keys=True))


class RunContent(BaseModel):
    """All that a page's figures depend on, and what came of it. Holds no time and no path."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    report: str
    parameters: dict[str, Any]
    data: dict[str, str] = {}
    """Each raw file to its sha256, and a file of the analyst's own where one was used."""
    figures: dict[str, str] = {}
    """The figures that the page used: each table's name to letters of the sha256 of its rounded values."""
    code: str = ""
    source: str = ""
    ran: str = ""
    """The sha256 of the code that pages run, without comments and docstrings."""
    template: str = ""
    notebook: str = ""
    """The sha256 of the notebook's cells, without their outputs."""
    python: str = ""
    packages: dict[str, str] = {}
    headline: dict[str, float | int | str] = {}
    main_points: tuple[str, ...] = ()
    outputs: dict[str, str] = {}
    """What each cell showed, rounded: its place in the notebook to the first letters of a sha256."""

    def fingerprint(self) -> str:
        """The sha256 of what the page rests on and found: two runs with the same one had the same result, whatever
        processor, Python and packages they had.

        >>> first = RunContent(report="england", parameters={"seed": 1}, headline={"gross": 3.8e9 / 7})
        >>> first.fingerprint() == first.model_copy(update={"headline": {"gross": 3.8e9 / 7 + 1e-6}}).fingerprint()
        True
        >>> first.fingerprint() == first.model_copy(update={"parameters": {"seed": 2}}).fingerprint()
        False
        """
        rests_on = {"report", "parameters", "figures", "notebook", "headline", "main_points", "outputs"}
        told = json.dumps(self.model_dump(mode="json", include=rests_on), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(rounded(told).encode()).hexdigest()


class RunRecord(BaseModel):
    """What is kept in a page and next to it as `<page>.json`; only `content` is in the fingerprint."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str = "deficits run record"
    page: str
    title: str
    run_on: date
    previous: date | None = None
    """Day of the edition before, which is in the archive."""
    ledger: str = ""
    """Hash of the newest entry of the forecast ledger when the page was made."""
    fingerprint: str = ""
    content: RunContent
    files: dict[str, str] = {}
    """The endings of the page's other files, each to its sha256; empty in the record within the page."""


class FailureRecord(BaseModel):
    """What is kept as `<page>.failed.json` when a run fails, until one succeeds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str = "deficits failure record"
    page: str
    title: str
    failed_at: str
    """UTC, ISO format."""
    report: str
    parameters: dict[str, Any] = {}
    error: str
    message: str = ""
    cell: int | None = None
    """Place of the cell in the report's notebook, counted from 1; None when it was no cell's fault."""
    source: str = ""


def read_record(path: Path) -> RunRecord | None:
    """The run record in a file; None when there is none that can be read."""
    try:
        return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def as_json(record: BaseModel) -> str:
    """A record as its file has it."""
    return json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


# What a page rests on --------------------------------------------------------------------------------------------


def now() -> Now:
    """This machine's data, code and packages as they are now."""
    from deficits.raw import raw_data

    return Now(
        data=dict(sorted(raw_data().hashes().items())) | _assumptions(),
        code=code_version(),
        source=_digest_of(path for path in paths.PACKAGE.rglob("*") if path.suffix in {".py", ".yaml", ".toml"}),
        template=_digest_of(
            path for path in PARTS.iterdir() if not path.name.startswith(("front", "feed", "diff"))
        ),
        python=platform.python_version(),
        packages=package_versions(),
    )


def _assumptions() -> dict[str, str]:
    ledger = paths.recommendations_file()
    return {
        f"assumptions/{path.name}": file_digest(path) for path in sorted(paths.assumptions_dir().glob("*.yaml"))
    } | {ledger.name: file_digest(ledger)}


def own_file(values: Mapping[str, Any]) -> dict[str, str]:
    """The analyst's own file among the parameters, to its sha256."""
    name = values.get("own")
    if name is None:
        return {}
    from deficits.panel.own_figures import find

    return {f"own/{name}": file_digest(find(name))}


def figures_used(request: Request) -> dict[str, str]:
    """The figures that a page uses: each table's name to the digest of its values.

    A council's page uses its own published figures, what is projected of it and of England, to the precision that
    pages show, and what is published for England. The other pages use the whole panel.
    """
    values = request.values
    try:
        council = request.report.name == "authority"
        return _of_council(values) if council else _of_panel(values["as_of"], values["own"])
    except DeficitsError:  # the page itself will say why
        return {}


@cache
def _of_panel(as_of: str | None, own: str | None) -> dict[str, str]:
    from deficits.panel import FIGURES, load_panel

    panel = load_panel(as_of, own=own)
    tables: dict[str, Any] = {name: panel.frame[name] for name in FIGURES if name in panel.frame}
    tables |= {
        f"{name}_source": panel.frame[f"{name}_source"] for name in tables if f"{name}_source" in panel.frame
    }
    tables |= {"people by age": panel.ages.people, "plans by age": panel.ages.plans, "prices": panel.prices}
    tables |= {name: getattr(panel, name) for name in ("national", "forecasts", "statements", "agreements")}
    return {name: frame_digest(table) for name, table in tables.items()}


def _of_council(values: Mapping[str, Any]) -> dict[str, str]:
    from deficits.panel import load_panel

    panel = load_panel(values["as_of"], own=values["own"])
    code = panel.authorities.resolve(values["authority"])
    run = [values[name] for name in ("as_of", "own", "scenario", "until", "draws", "seed")]
    council, england = _projected(*run)
    councils = panel.authorities.frame
    region = councils.index[councils["region"] == councils.at[code, "region"]]
    own = panel.frame[panel.frame.index.get_level_values("authority") == code]
    return {
        "its published figures": frame_digest(own),
        "its own statements": frame_digest(panel.statements[panel.statements["authority"] == code]),
        "its projection": frame_digest((council[council.index == code] / COUNCIL_PRECISION).round()),
        "its region’s projections": frame_digest(
            (council[council.index.isin(region)] / COUNCIL_PRECISION).round()
        ),
        "England’s projection": frame_digest((england / ENGLAND_PRECISION).round()),
        "figures for England": frame_digest(panel.national),
    }


@cache
def _projected(
    as_of: str | None, own: str | None, scenario: str | None, until: int, draws: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Quantiles of every council's balance, and of England's gross deficit, £, one column a year and quantile."""
    import numpy as np
    import pandas as pd

    from deficits.panel import load_panel
    from deficits.reports.params import scenario_of

    projection = scenario_of(scenario).project(load_panel(as_of, own=own), until=until, draws=draws, seed=seed)
    held = np.quantile(projection.balance.transpose("authority", "year", "draw").values, (0.1, 0.5, 0.9), axis=-1)
    wide = held.transpose(1, 2, 0).reshape(len(projection.simulations.authority), -1)
    council = pd.DataFrame(wide, index=projection.simulations.authority.values)
    return council, projection.england().loc["gross"]


def frame_digest(table: pd.DataFrame | pd.Series) -> str:
    """The first letters of the sha256 of a table, its numbers rounded."""
    text = rounded(table.to_csv(float_format=f"%.{DIGITS}g"))
    return hashlib.sha256(text.encode()).hexdigest()[:LETTERS]


LONG = re.compile(r"-?\d+\.\d{3,}(?:e[+-]?\d+)?")


def rounded(text: str) -> str:
    """A text with its long numbers rounded to `DIGITS` significant digits.

    >>> rounded("1234567.8901234567 and 0.1"), rounded("0.12345678912345")
    ('1234567.89 and 0.1', '0.123456789')
    """
    return LONG.sub(lambda found: f"{float(found[0]):.{DIGITS}g}", text)


# Whether it still holds ------------------------------------------------------------------------------------------


def stale(request: Request, record: RunRecord | None, page: Path, found: Now, notebook: str) -> list[str]:
    """Why a page is to be made again, in words; nothing where it still holds.

    Figures are only compared, in `changed_figures`, where a file of data has changed: here that is not known yet.
    """
    if record is None:
        return ["there is no page with a record that can be read"]
    content = record.content
    whole = record.files and all(_is(page.with_suffix(end), digest) for end, digest in record.files.items())
    reasons = [] if whole else ["its files are not those that its run left"]
    values = {key: value for key, value in request.values.items() if content.parameters.get(key) != value}
    reasons += [f"{key} is {value}, and was {content.parameters.get(key)}" for key, value in values.items()]
    if content.notebook != notebook:
        reasons.append("its notebook has changed")
    if content.template != found.template:
        reasons.append("the page’s template has changed")
    if content.source != found.source and content.ran != code_digest():
        reasons.append(f"the code that it runs has changed (it was made by {content.code})")
    names = sorted(content.packages.keys() | found.packages.keys())
    other = [name for name in names if content.packages.get(name) != found.packages.get(name)]
    if content.python != found.python or other:
        reasons.append(f"other versions of {', '.join(['Python'] * (content.python != found.python) + other)}")
    return reasons


BY_FIGURE = frozenset(
    {
        *("section251-outturn", "mhclg-revenue-outturn", "ehc-plans", "dsg-allocations", "ons-population"),
        *("school-pupils", "specialist-placement-spend", "high-needs-benchmarking", "safety-valve"),
        *("council-statements", "national-figures"),
    }
)
"""Publications whose figures are compared when a file of theirs has changed: a page that used none of the changed
ones still holds. A changed file of another, an assumption or an analyst's own always makes a page stale."""

CHECKED = ".checked.json"
"""Names the pages whose figures are as they were though files of data are not: a run need not look again."""


def checked(out_dir: Path, found: Now) -> frozenset[str]:
    """Pages whose figures an earlier run has found to be as they were, with the data that are there now."""
    try:
        held = json.loads((out_dir / CHECKED).read_text(encoding="utf-8"))
        return frozenset(held["pages"] if held["data"] == found.data_digest else ())
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def changed_files(content: RunContent, found: Now, values: Mapping[str, Any]) -> list[str]:
    """Data files that are not those that a page was made from."""
    held = found.data | own_file(values)
    return sorted(name for name in held.keys() | content.data.keys() if held.get(name) != content.data.get(name))


def changed_figures(content: RunContent, figures: Mapping[str, str]) -> list[str]:
    """Figures that a page used and that are not what they were, in words."""
    return [
        name
        for name in sorted(figures.keys() | content.figures.keys())
        if figures.get(name) != content.figures.get(name)
    ]


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and file_digest(path) == digest


# Digests ---------------------------------------------------------------------------------------------------------


def file_digest(path: Path) -> str:
    """The sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def text_digest(text: str) -> str:
    """The sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _digest_of(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.is_file() and "_bundle" not in path.parts:
            digest.update(f"{path.name} {file_digest(path)}\n".encode())
    return digest.hexdigest()


@cache
def code_digest() -> str:
    """The sha256 of the code that pages run, without comments, docstrings and layout; with schemes and levers."""
    digest = hashlib.sha256()
    for path in sorted(paths.PACKAGE.rglob("*")):
        inside = path.relative_to(paths.PACKAGE).as_posix()
        if inside.startswith(NOT_RUN) or path.suffix not in {".py", ".yaml", ".toml"}:
            continue
        text = path.read_text(encoding="utf-8")
        digest.update(f"{inside} {_without_docstrings(text) if path.suffix == '.py' else text}\n".encode())
    return digest.hexdigest()


def _without_docstrings(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [each for each in node.body if not _is_text(each)] or [ast.Pass()]
    return ast.dump(tree)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )


def notebook_digest(notebook: Mapping[str, Any]) -> str:
    """The sha256 of the cells as they were written: without outputs, and without the values papermill put in."""
    cells = [
        [cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])]
        for cell in written_cells(notebook)
    ]
    return hashlib.sha256(json.dumps(cells, ensure_ascii=False).encode()).hexdigest()


def output_digests(notebook: Mapping[str, Any]) -> dict[str, str]:
    """What each cell that showed anything did, rounded and without pictures in pixels, by its place from 1."""
    shown = {}
    for place, cell in enumerate(written_cells(notebook), 1):
        outputs = [without_pixels(output) for output in cell.get("outputs", [])]
        if outputs:
            text = rounded(json.dumps(outputs, sort_keys=True, ensure_ascii=False))
            shown[str(place)] = hashlib.sha256(text.encode()).hexdigest()[:LETTERS]
    return shown


def without_pixels(output: Mapping[str, Any]) -> dict[str, Any]:
    """An output of a cell without its pictures in pixels, which differ from one machine to another."""
    data = {kind: value for kind, value in output.get("data", {}).items() if kind != "image/png"}
    return dict(output) | ({"data": data} if "data" in output else {})


def written_cells(notebook: Mapping[str, Any]) -> list[Any]:
    """The cells of the notebook as it was written, without the one that papermill adds."""
    return [cell for cell in notebook["cells"] if INJECTED not in cell["metadata"].get("tags", [])]


@cache
def package_versions() -> dict[str, str]:
    """Versions of the packages that this one asks for by name, without its extras."""
    wanted = (Requirement(text) for text in metadata.requires(PACKAGE) or [])
    names = sorted(need.name for need in wanted if need.marker is None or need.marker.evaluate({"extra": ""}))
    return {name: metadata.version(name) for name in names}


@cache
def code_version() -> str:
    """The package's version; in a checkout also the commit, and whether there are changes that are not in it.

    As this process loaded it: what changes in the folder later does not run here.
    """
    version, root = metadata.version(PACKAGE), paths.checkout()
    commit = None if root is None else _git(root, "describe", "--always", "--tags")
    if root is None or commit is None:
        return version
    changes = _git(root, "status", "--porcelain")
    return f"{version}, commit {commit}" + (", with uncommitted changes" if changes else "")


def _git(root: Path, *words: str) -> str | None:
    """What git answers; None where git or the repository is missing."""
    # Without the optional locks, a reading command never gets in the way of somebody's commit.
    command = ["git", "--no-optional-locks", *words]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def figures_to(content: RunContent) -> str | None:
    """Newest date of publication among the figures of a page: 2026, 2026-06 or 2026-06-18."""
    return (
        max(_published(content), default=None)
        if not content.parameters.get("as_of")
        else str(content.parameters["as_of"])
    )


def _published(content: RunContent) -> Iterator[str]:
    from deficits.raw import raw_data

    for folder, source in raw_data().sources.items():
        for file in source.file:
            if file.published and f"{folder}/{file.name}" in content.data:
                yield file.published
