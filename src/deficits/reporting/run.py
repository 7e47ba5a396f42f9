"""Making one page: run its notebook, check what came of it, and only then put the page in place."""

from __future__ import annotations

import copy
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from deficits import places
from deficits.errors import ExitCode, ReportError, ReportFailed
from deficits.reporting.display import HEADLINE, POINTS, headline_faults
from deficits.reporting.kernel import KERNEL_NAME, ReportKernelManager
from deficits.reporting.page import first_heading, notebook_page
from deficits.reporting.parameters import Report, check_parameters_cell, find_report, parse
from deficits.reporting.record import FailureRecord, RunRecord, make_content

if TYPE_CHECKING:
    from pydantic import BaseModel

INJECTED = "injected-parameters"
FIRST_LINES = 5
"""Lines of a failed cell that the failure record quotes."""


class ReportOutOfTime(ReportFailed):
    """A cell ran longer than it may."""

    exit_code = ExitCode.OUT_OF_TIME


@dataclass(frozen=True)
class _Fault:
    """Why a run failed: the error's name and message, and the cell (place in the notebook from 1, its source)."""

    error: str
    message: str
    cell: int | None = None
    source: str = ""
    raises: type[ReportFailed] = ReportFailed

    def __str__(self) -> str:
        where = "" if self.cell is None else f" in cell {self.cell}"
        quoted = "".join(f"\n    {line}" for line in self.source.splitlines())
        return f"{self.error}{where}: {self.message}{quoted}"


class _Failure(Exception):
    """Carries a fault from where it is found to where it is recorded."""

    def __init__(self, fault: _Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class _Progress:
    """The cell that is running, so that one that never ends can be named."""

    def __init__(self) -> None:
        self.place: int | None = None
        self.source = ""
        self._injected = 0

    def starts(self, cell: NotebookNode, cell_index: int) -> None:
        """Called by nbclient before each cell that it runs."""
        self._injected += INJECTED in cell.metadata.get("tags", [])
        self.place = cell_index + 1 - self._injected
        self.source = _first_lines(cell.source)


def render(
    name: str,
    values: Mapping[str, object],
    out_dir: Path,
    *,
    timeout_cell: int = 300,
    notebook: Path | None = None,
) -> Path:
    """Make the page of report `name` and return its path, `<page>.html`.

    Beside it are `<page>.ipynb` (the notebook as it ran) and `<page>.json` (the run record). All three are made
    in a folder of their own and moved into place, the page last.

    Args:
        name: of a report in `REPORTS`.
        values: its parameters; those not given have their defaults, texts are read as what the parameter is.
        out_dir: folder of the pages; made when missing.
        timeout_cell: seconds that one cell may take.
        notebook: a notebook other than the report's own.

    Raises:
        ReportError: the report, a parameter or the notebook's parameters cell is wrong; nothing has run.
        ReportFailed: a cell failed, the kernel died or the result is not fit to publish. The last good page stays,
            and `<page>.failed.json` says what happened until a run succeeds. Its sub-class ReportOutOfTime: a cell
            took too long.
    """
    report = find_report(name)
    parameters = parse(name, values)
    source = _read(notebook or places.notebooks_dir() / report.notebook)
    check_parameters_cell(report, source)
    page, asked = report.page_id(parameters), parameters.model_dump()
    out_dir.mkdir(parents=True, exist_ok=True)
    failed = out_dir / f"{page}.failed.json"
    # Inside the folder of the pages: what lies beside it may be another file system, where a move is no longer
    # one step.
    with tempfile.TemporaryDirectory(prefix=".making-", dir=out_dir) as made_in:
        making = Path(made_in)
        try:
            ran = _run(source, asked, timeout_cell)
            files = _files(report, page, asked, report.subject(parameters), ran)
        except _Failure as failure:
            record = _failure_record(report, page, asked, report.subject(parameters), failure.fault)
            _put(making / failed.name, _as_json(record))
            (making / failed.name).replace(failed)
            raise failure.fault.raises(f"report '{page}' failed: {failure.fault}") from None
        for suffix, text in files.items():
            _put(making / f"{page}{suffix}", text)
        for suffix in files:
            (making / f"{page}{suffix}").replace(out_dir / f"{page}{suffix}")
    failed.unlink(missing_ok=True)
    return out_dir / f"{page}.html"


def _read(path: Path) -> NotebookNode:
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        return notebook
    except FileNotFoundError:
        raise ReportError(f"the notebook {path} is missing") from None
    except nbformat.reader.NotJSONError:
        raise ReportError(f"{path} is not a notebook") from None


def _run(source: NotebookNode, asked: Mapping[str, Any], timeout_cell: int) -> NotebookNode:
    """The notebook as it ran, each cell to its end."""
    progress = _Progress()
    try:
        ran: NotebookNode = papermill.execute_notebook(
            source,
            None,
            parameters=dict(asked),
            kernel_name=KERNEL_NAME,
            language="python",
            progress_bar=sys.stderr.isatty(),
            request_save_on_cell_execute=False,
            execution_timeout=timeout_cell,
            kernel_manager_class=ReportKernelManager,
            on_cell_execute=progress.starts,
        )
    except PapermillExecutionError as error:
        fault = _Fault(error.ename, error.evalue, progress.place, _first_lines(error.source))
        raise _Failure(fault) from None
    except CellTimeoutError:
        message = f"ran longer than {timeout_cell} seconds"
        fault = _Fault("Time-out", message, progress.place, progress.source, ReportOutOfTime)
        raise _Failure(fault) from None
    except DeadKernelError:
        message = "the process that runs the notebook ended; it may have run out of memory"
        raise _Failure(_Fault("Dead kernel", message, progress.place, progress.source)) from None
    for place, cell in enumerate(_without_injected(ran), 1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None or any(output.output_type == "error" for output in cell.outputs):
            raise _Failure(_Fault("Half run", "the cell did not run to its end", place, _first_lines(cell.source)))
    return ran


def _files(
    report: Report, page: str, asked: Mapping[str, Any], subject: str | None, ran: NotebookNode
) -> dict[str, str]:
    """What is published, by the ending of its name: the page comes last."""
    headline, points = _results(ran)
    content = make_content(report.name, asked, headline, points)
    record = RunRecord(
        page=page,
        title=_title(report, subject, first_heading(ran)),
        run_on=datetime.now(UTC).date(),
        fingerprint=content.fingerprint(),
        content=content,
    )
    cleaned = clean(ran)
    try:
        html = notebook_page(cleaned, record)
    except ReportError as error:
        raise _Failure(_Fault("Page", str(error))) from None
    files = {".json": _as_json(record), ".ipynb": _as_notebook(cleaned), ".html": html}
    _refuse_machine_paths(ran, files)
    return files


def _results(ran: NotebookNode) -> tuple[dict[str, Any], list[str]]:
    """Headline values and main points of a run."""
    headline: dict[str, Any] = {}
    points: list[str] = []
    for output in _outputs(ran):
        headline |= output.get("data", {}).get(HEADLINE, {})
        points += output.get("data", {}).get(POINTS, [])
    faults = headline_faults(headline)
    if faults:
        raise _Failure(_Fault("Headline", f"{'; '.join(faults)}. Show main_points(points, headline)"))
    return headline, points


def clean(ran: NotebookNode) -> NotebookNode:
    """A copy of an executed notebook without what belongs to the run and not to the result.

    Gone are papermill's blocks (parameters, paths, times), times of cells and the kernel's own description.
    """
    cleaned = copy.deepcopy(ran)
    cleaned.metadata.clear()
    cleaned.metadata.update(
        kernelspec={"name": KERNEL_NAME, "display_name": "Python 3", "language": "python"},
        language_info={"name": "python"},
    )
    for cell in cleaned.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata.clear()
        if tags:
            cell.metadata.update(tags=tags)
        if INJECTED in tags:
            cell.id = INJECTED  # papermill gives it another random id each time
    return cleaned


def _refuse_machine_paths(ran: NotebookNode, files: Mapping[str, str]) -> None:
    """A page that names a folder of this machine is not published; the cell that printed it is named."""
    for place, cell in enumerate(_without_injected(ran), 1):
        for folder in _folders_in(json.dumps(cell.get("outputs", []), ensure_ascii=False)):
            message = f"the output names a folder of this machine, {folder}; a page holds no such paths"
            raise _Failure(_Fault("Machine path", message, place, _first_lines(cell.source)))
    for suffix, text in files.items():
        for folder in _folders_in(text):
            message = f"the {suffix} file names a folder of this machine, {folder}; a page holds no such paths"
            raise _Failure(_Fault("Machine path", message))


def _machine_folders() -> set[str]:
    """Folders that tell of the machine or its user."""
    folders = [Path.home(), Path.cwd(), Path(tempfile.gettempdir()), Path(sys.prefix), places.PACKAGE.parent]
    return {str(path) for folder in folders for path in (folder, folder.resolve()) if path != path.parent}


def _folders_in(text: str) -> Iterator[str]:
    for folder in _machine_folders():
        # As a whole path: a folder's name at the end of a web address, or at the start of a longer word, is none.
        if re.search(rf"(?<![\w.-]){re.escape(folder)}(?![\w-])", text):
            yield folder


def _title(report: Report, subject: str | None, heading: str | None = None) -> str:
    """Title of a page: what it is about, and the notebook's own heading where it has one."""
    return ": ".join(part for part in (subject, heading or report.title) if part)


def _failure_record(
    report: Report, page: str, asked: Mapping[str, Any], subject: str | None, fault: _Fault
) -> FailureRecord:
    return FailureRecord(
        page=page,
        title=_title(report, subject),
        failed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        report=report.name,
        parameters=dict(asked),
        error=fault.error,
        message=_without_folders(fault.message),
        cell=fault.cell,
        source=fault.source,
    )


def _without_folders(message: str) -> str:
    """A message for the folder of the pages, which others read: whoever ran it has the whole one."""
    for folder in sorted(_machine_folders(), key=len, reverse=True):
        message = message.replace(folder, "(a folder)")
    return message


def _without_injected(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells of the notebook as it was written."""
    return [cell for cell in notebook.cells if INJECTED not in cell.metadata.get("tags", [])]


def _outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def _first_lines(source: str) -> str:
    lines = source.splitlines()
    return "\n".join([*lines[:FIRST_LINES], *(["..."] if len(lines) > FIRST_LINES else [])])


def _as_json(record: BaseModel) -> str:
    return json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _as_notebook(notebook: NotebookNode) -> str:
    return f"{nbformat.writes(notebook)}\n"  # type: ignore[no-untyped-call]


def _put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
