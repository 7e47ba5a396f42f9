"""Making one page: run its notebook with papermill, check what came of it, and give the files to publish."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from deficits.errors import DeficitsError, ExitCode, ReportError
from deficits.projection.forecasts import entries
from deficits.reports.changes import changes
from deficits.reports.display import HEADLINE, POINTS, headline_faults
from deficits.reports.engine import NAME, is_run, plain_arguments
from deficits.reports.frame import bundles
from deficits.reports.job import Fault, Job, Made
from deficits.reports.machine import folders_in
from deficits.reports.page import first_heading, notebook_page, with_record
from deficits.reports.params import Request, notebook_path
from deficits.reports.record import (
    INJECTED,
    Now,
    RunContent,
    RunRecord,
    as_json,
    figures_used,
    notebook_digest,
    now,
    output_digests,
    own_file,
    text_digest,
    written_cells,
)

DIED = "the process that runs the notebook ended ({}); it may have run out of memory"
OTHER = "the process that was asked for it has other code or other data than the run"
FIRST_LINES = 5
"""Lines of a failed cell that a failure record quotes."""


class _Running:
    """The cell that is running, so that one that fails or never ends can be named."""

    place: int | None = None
    source = ""
    _injected = 0

    def __call__(self, cell: NotebookNode, cell_index: int) -> None:
        self._injected += INJECTED in cell.metadata.get("tags", [])
        self.place, self.source = cell_index + 1 - self._injected, first_lines(cell.source)


class _Failure(Exception):
    """Carries a fault from where it is found."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def make_page(job: Job) -> Made:
    """Run a report's notebook and give its page, `.html`, with the notebook as it ran and the run record.

    Nothing is written: whoever holds the folder puts them in place. A page that cannot be made has a fault.
    """
    started = time.monotonic()
    request, here = Request.of(job.name, job.values), _here()
    if (here.source, here.data) != (job.found.source, job.found.data):
        return Made(request.page, 0.0, fault=Fault("Other code", OTHER))
    try:
        # First, so that the notebook's process, forked from this one, finds the projection here already.
        figures = figures_used(request) if job.figures is None else job.figures
        files, fault = _files(request, clean(_run(request, job)), job, figures), None
    except _Failure as failure:
        files, fault = {}, failure.fault
    except (DeficitsError, OSError) as error:
        files, fault = {}, Fault(type(error).__name__, str(error))
    return Made(request.page, round(time.monotonic() - started, 2), files, fault)


@cache
def _here() -> Now:
    """Data and code of this process, looked up once."""
    return now()


@cache
def _ledger() -> str:
    """Hash of the forecast ledger's newest entry; empty where there is none."""
    return next((entry.hash for entry in reversed(entries())), "")


def _run(request: Request, job: Job) -> NotebookNode:
    """The notebook as it ran, each cell to its end."""
    source = nbformat.read(notebook_path(request.report, job.notebook), as_version=4)  # type: ignore[no-untyped-call]
    limits, plain = job.limits, job.engine == "plain"
    ours = {"execution_timeout": limits.cell, "report_timeout": limits.report, "memory": limits.memory}
    running = _Running()
    try:
        ran: NotebookNode = papermill.execute_notebook(
            source,
            None,
            parameters=dict(request.values),
            engine_name=None if plain else NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            **(plain_arguments(limits) if plain else ours),
            on_cell_execute=running,
        )
    except PapermillExecutionError as error:
        raise _Failure(Fault(error.ename, error.evalue, running.place, running.source)) from None
    except CellTimeoutError as error:
        told = f"the cell ran longer than {limits.cell:g} seconds" if plain else str(error)
        raise _Failure(Fault("Time-out", told, running.place, running.source, ExitCode.OUT_OF_TIME)) from None
    except DeadKernelError as error:
        raise _Failure(Fault("Dead process", DIED.format(error), running.place, running.source)) from None
    for place, cell in enumerate(written_cells(ran), 1):
        failed = cell.get("execution_count") is None or any(each.output_type == "error" for each in cell.outputs)
        if is_run(cell) and failed:
            raise _Failure(Fault("Half run", "the cell did not run to its end", place, first_lines(cell.source)))
    return ran


def _files(request: Request, ran: NotebookNode, job: Job, figures: Mapping[str, str]) -> dict[str, str]:
    """What is published, by the ending of its name: the page comes last."""
    headline, points = _results(ran)
    before = job.before
    content = RunContent(
        report=request.report.name,
        parameters=request.values,
        data=job.found.data | own_file(request.values),
        figures=dict(figures),
        notebook=notebook_digest(ran),
        headline=headline,
        main_points=tuple(points),
        outputs=output_digests(ran),
        ran=job.ran,
        **job.found.model_dump(include={"code", "source", "template", "python", "packages"}),
    )
    earlier = None if before is None else before.run_on if before.run_on < job.today else before.previous
    record = RunRecord(
        page=request.page,
        title=request.title(first_heading(ran)),
        run_on=job.today,
        previous=earlier,
        ledger=_ledger(),
        fingerprint=content.fingerprint(),
        content=content,
    )
    try:
        html = with_record(notebook_page(ran, record, changes(before, content)), record)
    except ReportError as error:
        raise _Failure(Fault("Page", str(error))) from None
    files = {".ipynb": f"{nbformat.writes(ran)}\n", ".html": html}  # type: ignore[no-untyped-call]
    hashes = {ending: text_digest(text) for ending, text in files.items()}
    files = {".json": as_json(record.model_copy(update={"files": hashes})), **files}
    _refuse_machine_paths(ran, files)
    return files


def _results(ran: NotebookNode) -> tuple[dict[str, Any], list[str]]:
    """Headline values and main points of a run."""
    headline: dict[str, Any] = {}
    points: list[str] = []
    for data in bundles(ran):
        headline |= data.get(HEADLINE, {})
        points += data.get(POINTS, [])
    faults = headline_faults(headline)
    if faults:
        raise _Failure(Fault("Headline", f"{'; '.join(faults)}. Show main_points(points, headline)"))
    return headline, points


def clean(ran: NotebookNode) -> NotebookNode:
    """Take out of an executed notebook what belongs to the run and not to the result, and give it back.

    Gone are papermill's blocks (parameters, paths, times), times of cells and the kernel's own description.
    """
    ran.metadata.clear()
    ran.metadata.update(
        kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"},
        language_info={"name": "python"},
    )
    for cell in ran.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata.clear()
        if tags:
            cell.metadata.update(tags=tags)
        if INJECTED in tags:
            cell.id = INJECTED  # papermill gives it another random id each time
    return ran


def first_lines(source: str) -> str:
    """The lines of a failed cell that a failure record quotes."""
    lines = source.splitlines()
    return "\n".join([*lines[:FIRST_LINES], *(["..."] if len(lines) > FIRST_LINES else [])])


def _refuse_machine_paths(ran: NotebookNode, files: Mapping[str, str]) -> None:
    """A page that names a folder of this machine is not published; the cell that printed it is named."""
    for place, cell in enumerate(written_cells(ran), 1):
        for folder in folders_in(json.dumps(cell.get("outputs", []), ensure_ascii=False)):
            message = f"the output names a folder of this machine, {folder}; a page holds no such paths"
            raise _Failure(Fault("Machine path", message, place, first_lines(cell.source)))
    for ending, text in files.items():
        for folder in folders_in(text):
            message = f"the {ending} file names a folder of this machine, {folder}; a page holds no such paths"
            raise _Failure(Fault("Machine path", message))
