"""The run record: what a page was made from, what it found, and whether it still holds."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from importlib import metadata
from opcode import opmap
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from pydantic import BaseModel, ConfigDict

from deficits import paths
from deficits.errors import DeficitsError
from deficits.reports.frame import PARTS
from deficits.reports.params import AuthorityReport, PanelReport

if TYPE_CHECKING:
    import pandas as pd


INJECTED = "injected-parameters"
"""Tag of the cell in which papermill puts the values of a run."""
FAILED = ".failed.json"
"""Ending of a failure record's name, after the page's."""
PACKAGE = "deficits"
NOT_RUN = (
    *("cli", "explorer", "fetch", "_bundle", "reports/batch.py", "reports/briefing.py"),
    *("reports/difference.py", "reports/index.py", "reports/verification.py"),
)
"""What of the package no page runs."""
BY_FIGURE = frozenset(
    {
        *("section251-outturn", "mhclg-revenue-outturn", "ehc-plans", "dsg-allocations", "ons-population"),
        *("school-pupils", "specialist-placement-spend", "high-needs-benchmarking", "safety-valve"),
        *("council-statements", "national-figures"),
    }
)
"""Publications whose figures are compared when a file of theirs has changed: a page that used none of the changed
ones still holds. A changed file of another, an assumption or an analyst's own always makes a page stale."""
LETTERS = 16
"""Letters of a sha256 that stand for a table of figures or for what a cell showed."""
DIGITS = 9
"""Significant digits that figures are compared to: another processor changes those after the twelfth."""
COUNCIL_PRECISION, ENGLAND_PRECISION = 1e5, 1e8
"""£: to what a projected balance of a council and of England is compared, the least that pages show."""
SHORTEST_FOLDER = 3
"""Letters of a folder's name that is found in any picture, and tells nothing."""


class Now(BaseModel):
    """What a run finds on the machine: files, code and packages. The same for every page of a run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    data: dict[str, str] = {}
    """Each raw file to its sha256."""
    code: str = ""
    """The package's version, for a reader; in a checkout also the commit."""
    ran: str = ""
    """The sha256 of the code that pages run, without comments and docstrings."""
    template: str = ""
    """The sha256 of what stands around a page."""
    python: str = ""
    packages: dict[str, str] = {}

    @property
    def data_digest(self) -> str:
        """One sha256 for all files of data."""
        return sha256(json.dumps(self.data, sort_keys=True))


class RunContent(Now):
    """All that a page's figures depend on, and what came of it. Holds no time and no path.

    `data` has also a file of the analyst's own where one was used.
    """

    report: str
    parameters: dict[str, Any]
    figures: dict[str, str] = {}
    """The figures that the page used: each table's name to letters of the sha256 of its rounded values."""
    notebook: str = ""
    """The sha256 of the notebook's cells, without their outputs."""
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
        return sha256(rounded(told))


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
    holds_with: str = ""
    """Digest of later data with which the page's figures were found to be as they were."""


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

    ledger = paths.recommendations_file()
    assumptions = {f"assumptions/{path.name}": path for path in sorted(paths.assumptions_dir().glob("*.yaml"))}
    around = [path for path in sorted(PARTS.iterdir()) if not path.name.startswith(("front", "feed", "diff"))]
    return Now(
        data=dict(sorted(raw_data().hashes().items()))
        | {name: file_digest(path) for name, path in {**assumptions, ledger.name: ledger}.items()},
        code=code_version(),
        ran=code_digest(),
        template=sha256("".join(f"{path.name} {file_digest(path)}\n" for path in around)),
        python=platform.python_version(),
        packages=package_versions(),
    )


def data_of(request: PanelReport, found: Now) -> dict[str, str]:
    """Files that a page is made from, the analyst's own among them, each to its sha256."""
    if request.own is None:
        return found.data
    from deficits.panel.own_figures import find

    return found.data | {f"own/{request.own}": file_digest(find(request.own))}


def figures_used(request: PanelReport) -> dict[str, str]:
    """The figures that a page uses: each table's name to the digest of its values.

    A council's page uses its own published figures, what is projected of it and of England, to the precision that
    pages show, and what is published for England. The other pages use the whole panel.
    """
    try:
        if isinstance(request, AuthorityReport):
            return _of_council(request)
        return _of_panel(request.as_of, request.own)
    except DeficitsError:  # the page itself will say why
        return {}


@cache
def _of_panel(as_of: str | None, own: str | None) -> dict[str, str]:
    from deficits.panel import FIGURES, load_panel

    panel = load_panel(as_of, own=own)
    columns = [column for name in FIGURES for column in (name, f"{name}_source")]
    tables: dict[str, Any] = {name: panel.frame[name] for name in columns if name in panel.frame}
    tables |= {"people by age": panel.ages.people, "plans by age": panel.ages.plans, "prices": panel.prices}
    tables |= {name: getattr(panel, name) for name in ("national", "forecasts", "statements", "agreements")}
    return {name: frame_digest(table) for name, table in tables.items()}


def _of_council(request: AuthorityReport) -> dict[str, str]:
    from deficits.panel import load_panel

    panel = load_panel(request.as_of, own=request.own)
    code = panel.authorities.resolve(request.authority)
    run = request.model_dump(include={"as_of", "own", "scenario", "until", "draws", "seed"})
    council, england = _projected(**run)
    councils = panel.authorities.frame
    region = councils.index[councils["region"] == councils.at[code, "region"]]
    tables = {
        "its published figures": panel.frame[panel.frame.index.get_level_values("authority") == code],
        "its own statements": panel.statements[panel.statements["authority"] == code],
        "its projection": council[council.index == code],
        "its region's projections": council[council.index.isin(region)],
        "England's projection": england,
        "figures for England": panel.national,
    }
    return {name: frame_digest(table) for name, table in tables.items()}


@cache
def _projected(
    as_of: str | None, own: str | None, scenario: str | None, until: int, draws: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Quantiles of every council's balance and of England's gross deficit, to the precision of pages: one column a
    year and quantile.
    """
    import numpy as np
    import pandas as pd

    from deficits.panel import load_panel
    from deficits.reports.params import scenario_of

    projection = scenario_of(scenario).project(load_panel(as_of, own=own), until=until, draws=draws, seed=seed)
    held = np.quantile(projection.balance.transpose("authority", "year", "draw").values, (0.1, 0.5, 0.9), axis=-1)
    wide = held.transpose(1, 2, 0).reshape(len(projection.simulations.authority), -1)
    council = pd.DataFrame(wide, index=projection.simulations.authority.values)
    england = projection.england().loc["gross"]
    return (council / COUNCIL_PRECISION).round(), (england / ENGLAND_PRECISION).round()


def frame_digest(table: pd.DataFrame | pd.Series) -> str:
    """The first letters of the sha256 of a table, its numbers rounded."""
    return sha256(rounded(table.to_csv(float_format=f"%.{DIGITS}g")))[:LETTERS]


LONG = re.compile(r"-?\d+\.\d{3,}(?:e[+-]?\d+)?")


def rounded(text: str) -> str:
    """A text with its long numbers rounded to `DIGITS` significant digits.

    >>> rounded("1234567.8901234567 and 0.1"), rounded("0.12345678912345")
    ('1234567.89 and 0.1', '0.123456789')
    """
    return LONG.sub(lambda found: f"{float(found[0]):.{DIGITS}g}", text)


# Whether it still holds ------------------------------------------------------------------------------------------


def why_stale(request: PanelReport, record: RunRecord | None, page: Path, found: Now, notebook: str) -> list[str]:
    """Why a page is to be made again, in words; nothing where it still holds, but for figures: see `in_doubt`."""
    if record is None:
        return ["there is no page with a record that can be read"]
    content = record.content
    files = {page.with_suffix(ending): digest for ending, digest in record.files.items()}
    whole = files and all(path.is_file() and file_digest(path) == digest for path, digest in files.items())
    reasons = [] if whole else ["its files are not those that its run left"]
    was, asked = content.parameters, request.model_dump()
    reasons += [f"{name} is {asked.get(name)}, and was {was.get(name)}" for name in differing(was, asked)]
    reasons += ["its notebook has changed"] if content.notebook != notebook else []
    reasons += ["the page's template has changed"] if content.template != found.template else []
    if content.ran != found.ran:
        reasons.append(f"the code that it runs has changed (it was made by {content.code})")
    other = differing({"Python": content.python} | content.packages, {"Python": found.python} | found.packages)
    reasons += [f"other versions of {', '.join(other)}"] if other else []
    changed = differing(content.data, data_of(request, found))
    return reasons + [f"{name} has changed" for name in changed if name.partition("/")[0] not in BY_FIGURE]


def in_doubt(request: PanelReport, record: RunRecord, found: Now) -> list[str]:
    """Data files that are not those a page was made from, unless its figures were compared with them already."""
    if record.holds_with == found.data_digest:
        return []
    return differing(record.content.data, data_of(request, found))


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names whose values are not the same, or that only one has."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


# Digests ---------------------------------------------------------------------------------------------------------


def sha256(content: str | bytes) -> str:
    """The sha256 of a text or of what a file holds."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def file_digest(path: Path) -> str:
    """The sha256 of a file."""
    return sha256(path.read_bytes())


@cache
def code_digest() -> str:
    """The sha256 of the code that pages run, without comments and docstrings; with schemes and levers."""
    parts = []
    for path in sorted(paths.PACKAGE.rglob("*")):
        inside = path.relative_to(paths.PACKAGE).as_posix()
        if not inside.startswith(NOT_RUN) and path.suffix in {".py", ".yaml", ".toml"}:
            text = path.read_text(encoding="utf-8")
            parts.append(f"{inside} {code_of(text) if path.suffix == '.py' else text}\n")
    return sha256("".join(parts))


def code_of(source: str) -> str:
    """What a file of Python does, as its compiler has it: without comments, docstrings and the gaps they leave."""

    def told(part: object) -> str:
        if isinstance(part, CodeType):
            code = part.co_code
            done = b"".join(code[at : at + 2] for at in range(0, len(code), 2) if code[at] != opmap["NOP"])
            names = (part.co_name, part.co_names, part.co_varnames, part.co_freevars, done)
            return f"{names} {[told(each) for each in part.co_consts]}"
        return repr(sorted(map(repr, part)) if isinstance(part, frozenset) else part)

    return told(compile(source, "", "exec", optimize=2, dont_inherit=True))


def notebook_digest(notebook: Mapping[str, Any]) -> str:
    """The sha256 of the cells as they were written: without outputs, and without the values papermill put in."""
    cells = [
        [cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])]
        for cell in written_cells(notebook)
    ]
    return sha256(json.dumps(cells, ensure_ascii=False))


def output_digests(notebook: Mapping[str, Any]) -> dict[str, str]:
    """What each cell that showed anything did, rounded, by its place from 1."""
    return {
        str(place): sha256(rounded(json.dumps(cell["outputs"], sort_keys=True, ensure_ascii=False)))[:LETTERS]
        for place, cell in enumerate(written_cells(notebook), 1)
        if cell.get("outputs")
    }


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
    """The package's version; in a checkout also the commit, and whether files of it have changed since.

    As this process loaded it: what changes in the folder later does not run here.
    """
    version, root = metadata.version(PACKAGE), paths.checkout()
    if root is None:
        return version
    # Without the optional locks, a reading command never gets in the way of somebody's commit.
    asked = ["git", "--no-optional-locks", "describe", "--always", "--tags", "--dirty=, with uncommitted changes"]
    try:
        done = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return version
    return f"{version}, commit {done.stdout.strip()}"


# Folders of this machine, which no page names --------------------------------------------------------------------


def _machine_folders() -> list[str]:
    """Folders that tell of the machine or its user, the longest first."""
    folders = [Path.home(), Path.cwd(), Path(tempfile.gettempdir()), Path(sys.prefix), paths.PACKAGE.parent]
    found = {str(path) for folder in folders for path in (folder, folder.resolve()) if path != path.parent}
    return sorted((folder for folder in found if len(folder) > SHORTEST_FOLDER), key=len, reverse=True)


def folders_in(text: str) -> Iterator[str]:
    """Folders of this machine that a text names."""
    for folder in _machine_folders():
        # As a whole path: a folder's name at the end of a web address, or at the start of a longer word, is none.
        if folder in text and re.search(rf"(?<![\w.-]){re.escape(folder)}(?![\w-])", text):
            yield folder


def without_folders(message: str) -> str:
    """A message for the folder of the pages, which others read: whoever ran it has the whole one."""
    for folder in _machine_folders():
        message = message.replace(folder, "(a folder)")
    return message
