"""Making one page: run its notebook, check what came of it, and only then put the page in place."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from deficits.errors import ReportError, ReportFailed
from deficits.reports.asked import Asked, notebook_path
from deficits.reports.changes import changes, last_run
from deficits.reports.display import HEADLINE, POINTS, headline_faults
from deficits.reports.engine import NAME, plain_arguments
from deficits.reports.kernel import KERNEL_NAME
from deficits.reports.limits import Limits
from deficits.reports.page import first_heading, notebook_page
from deficits.reports.parameters import check_parameters_cell
from deficits.reports.publish import (
    FAILED,
    Fault,
    ReportOutOfTime,
    as_json,
    folders_in,
    put_in_place,
    reason,
    record_failure,
)
from deficits.reports.record import (
    INJECTED,
    RunRecord,
    Surroundings,
    first_lines,
    make_content,
    surroundings,
    with_record,
    written_cells,
)

Engine = Literal["deficits", "plain"]

DIED = "the process that runs the notebook ended; it may have run out of memory"


class _Failure(Exception):
    """Carries a fault from where it is found to where it is recorded."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class _Progress:
    """The cell that is running, so that one that never ends can be named."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.place: int | None = None
        self.source = ""
        self._injected: int | None = None

    def starts(self, cell: NotebookNode, cell_index: int) -> None:
        """Called by the engine before each cell that it runs."""
        if INJECTED in cell.metadata.get("tags", []):
            self._injected = cell_index
        later = self._injected is not None and cell_index > self._injected
        self.place = cell_index if later else cell_index + 1
        self.source = first_lines(cell.source)


def render(
    name: str,
    values: Mapping[str, object],
    out_dir: Path,
    *,
    limits: Limits | None = None,
    engine: Engine = "deficits",
    notebook: Path | None = None,
    found: Surroundings | None = None,
) -> Path:
    """Make the page of report `name` and return its path, `<page>.html`.

    Beside it are `<page>.ipynb` (the notebook as it ran) and `<page>.json` (the run record). All three are made
    in a folder of their own and moved into place, the page last. The record holds the hashes of the other two, so
    that a run ended between two moves is found out.

    Args:
        name: of a report in `REPORTS`.
        values: its parameters; those not given have their defaults, texts are read as what the parameter is.
        out_dir: folder of the pages; made when missing.
        limits: seconds and memory that the run may take.
        engine: "deficits" runs the notebook in a process forked from one that has imported everything; "plain"
            starts a kernel for it, as papermill does.
        notebook: a notebook other than the report's own.
        found: this machine's data, code and packages, when the caller knows them.

    Raises:
        ReportError: the report, a parameter or the notebook's parameters cell is wrong; nothing has run.
        ReportFailed: a cell failed, its process died, the files could not be written or the result is not fit to
            publish. The last good page stays, and `<page>.failed.json` says what happened until a run succeeds.
            Its sub-class ReportOutOfTime: a cell or the report took too long.
    """
    asked = Asked.of(name, values)
    source = _read(notebook_path(asked.report, notebook))
    check_parameters_cell(asked.report, source)
    try:
        ran = _run(source, asked.values, limits or Limits(), engine)
        files = _files(asked, ran, found or surroundings(), last_run(out_dir / f"{asked.page}.html"))
        put_in_place(out_dir, {f"{asked.page}{ending}": text for ending, text in files.items()})
        (out_dir / f"{asked.page}{FAILED}").unlink(missing_ok=True)
    except _Failure as failure:
        record_failure(out_dir, asked, failure.fault)
        raise failure.fault.raises(f"report '{asked.page}' failed: {failure.fault}") from None
    except OSError as error:
        raise ReportFailed(f"report '{asked.page}' could not be written: {reason(error)}") from None
    return out_dir / f"{asked.page}.html"


def _read(path: Path) -> NotebookNode:
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        return notebook
    except nbformat.reader.NotJSONError:
        raise ReportError(f"{path} is not a notebook") from None


def _run(source: NotebookNode, asked: Mapping[str, Any], limits: Limits, engine: Engine) -> NotebookNode:
    """The notebook as it ran, each cell to its end."""
    progress = _Progress()
    ours = {"execution_timeout": limits.cell, "report_timeout": limits.report, "memory": limits.memory}
    try:
        ran: NotebookNode = papermill.execute_notebook(
            source,
            None,
            parameters=dict(asked),
            engine_name=None if engine == "plain" else NAME,
            kernel_name=KERNEL_NAME,
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            on_cell_execute=progress.starts,
            **(plain_arguments(limits) if engine == "plain" else ours),
        )
    except PapermillExecutionError as error:
        raise _Failure(Fault(error.ename, error.evalue, progress.place, first_lines(error.source))) from None
    except CellTimeoutError:
        raise _Failure(out_of_time(limits, progress)) from None
    except DeadKernelError:
        raise _Failure(Fault("Dead kernel", DIED, progress.place, progress.source)) from None
    for place, cell in enumerate(written_cells(ran), 1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None or any(output.output_type == "error" for output in cell.outputs):
            raise _Failure(Fault("Half run", "the cell did not run to its end", place, first_lines(cell.source)))
    return ran


def out_of_time(limits: Limits, progress: _Progress) -> Fault:
    """The fault of a run that took too long: its cell or all of it."""
    whole = time.monotonic() - progress.started >= limits.report
    message = f"the report ran longer than {limits.report:g} seconds" if whole else _too_long(limits.cell)
    return Fault("Time-out", message, progress.place, progress.source, ReportOutOfTime)


def _too_long(seconds: float) -> str:
    return f"ran longer than {seconds:g} seconds"


def _files(asked: Asked, ran: NotebookNode, found: Surroundings, before: RunRecord | None) -> dict[str, str]:
    """What is published, by the ending of its name: the page comes last. `before`: the last good run's record."""
    headline, points = _results(ran)
    cleaned = clean(ran)
    content = make_content(asked.report.name, asked.values, cleaned, found, headline, points)
    record = RunRecord(
        page=asked.page,
        title=asked.title(first_heading(ran)),
        run_on=datetime.now(UTC).date(),
        fingerprint=content.fingerprint(),
        content=content,
    )
    try:
        html = with_record(notebook_page(cleaned, record, changes(before, content)), record)
    except ReportError as error:
        raise _Failure(Fault("Page", str(error))) from None
    files = {".ipynb": _as_notebook(cleaned), ".html": html}
    hashes = {ending: hashlib.sha256(text.encode()).hexdigest() for ending, text in files.items()}
    files = {".json": as_json(record.model_copy(update={"files": hashes})), **files}
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
        raise _Failure(Fault("Headline", f"{'; '.join(faults)}. Show main_points(points, headline)"))
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
    for place, cell in enumerate(written_cells(ran), 1):
        for folder in folders_in(json.dumps(cell.get("outputs", []), ensure_ascii=False)):
            message = f"the output names a folder of this machine, {folder}; a page holds no such paths"
            raise _Failure(Fault("Machine path", message, place, first_lines(cell.source)))
    for suffix, text in files.items():
        for folder in folders_in(text):
            message = f"the {suffix} file names a folder of this machine, {folder}; a page holds no such paths"
            raise _Failure(Fault("Machine path", message))


def _outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def _as_notebook(notebook: NotebookNode) -> str:
    return f"{nbformat.writes(notebook)}\n"  # type: ignore[no-untyped-call]
