"""Making one page: run its notebook with papermill, check what came of it, and give the files to publish."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import cache

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from deficits.errors import DeficitsError, ExitCode
from deficits.projection.forecasts import entries
from deficits.reports.changes import changes
from deficits.reports.display import HEADLINE, POINTS
from deficits.reports.engine import NAME, is_run, plain_arguments
from deficits.reports.frame import bundles
from deficits.reports.job import Fault, Job, Made
from deficits.reports.page import first_heading, notebook_page, with_record
from deficits.reports.params import notebook_path
from deficits.reports.record import (
    INJECTED,
    RunContent,
    RunRecord,
    as_json,
    data_of,
    figures_used,
    folders_in,
    notebook_digest,
    now,
    output_digests,
    sha256,
    written_cells,
)

DIED = "the process that runs the notebook ended ({}); it may have run out of memory"
OTHER = "the process that was asked for it has other code or other data than the run"
PATH = "the {} names a folder of this machine, {}; a page holds no such paths"


def make_page(job: Job) -> Made:
    """Run a report's notebook and give its page, `.html`, with the notebook as it ran and the run record.

    Nothing is written: whoever holds the folder puts them in place. A page that cannot be made has a fault.
    """
    started, page, here = time.monotonic(), job.request.page, _here()
    files, fault = {}, None
    try:
        if (here.ran, here.data) != (job.found.ran, job.found.data):
            raise Fault("Other code", OTHER)
        # First, so that the notebook's process, forked from this one, finds the projection here already.
        figures = figures_used(job.request) if job.figures is None else job.figures
        files = _files(clean(_run(job)), job, figures)
    except Fault as found:
        fault = found
    except (DeficitsError, OSError) as error:
        fault = Fault(type(error).__name__, str(error))
    return Made(page, round(time.monotonic() - started, 2), files, fault)


_here = cache(now)


@cache
def _ledger() -> str:
    """Hash of the forecast ledger's newest entry; empty where there is none."""
    return next((entry.hash for entry in reversed(entries())), "")


def _run(job: Job) -> NotebookNode:
    options, path = job.options, notebook_path(type(job.request), job.options.notebook)
    source = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    places = {cell.id: place for place, cell in enumerate(source.cells, 1)}
    seconds, plain = (options.cell_seconds, options.page_seconds), options.engine == "plain"
    ours = {"execution_timeout": seconds[0], "report_timeout": seconds[1], "memory": options.memory}
    running: tuple[int | None, str] = None, ""

    def note(cell: NotebookNode, cell_index: int) -> None:
        nonlocal running
        running = places.get(cell.id), cell.source

    try:
        ran: NotebookNode = papermill.execute_notebook(
            source,
            None,
            parameters=job.request.model_dump(),
            engine_name=None if plain else NAME,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            **(plain_arguments(*seconds) if plain else ours),
            on_cell_execute=note,
        )
    except PapermillExecutionError as error:
        raise Fault(error.ename, error.evalue, *running) from None
    except CellTimeoutError as error:
        told = f"the cell ran longer than {options.cell_seconds:g} seconds" if plain else str(error)
        raise Fault("Time-out", told, *running, ExitCode.OUT_OF_TIME) from None
    except DeadKernelError as error:
        raise Fault("Dead process", DIED.format(error), *running) from None
    for place, cell in enumerate(written_cells(ran), 1):
        failed = cell.get("execution_count") is None or any(each.output_type == "error" for each in cell.outputs)
        if is_run(cell) and failed:
            raise Fault("Half run", "the cell did not run to its end", place, cell.source)
    return ran


def _files(ran: NotebookNode, job: Job, figures: Mapping[str, str]) -> dict[str, str]:
    """What is published, by the ending of its name: the page comes last."""
    request, before, shown = job.request, job.before, list(bundles(ran))
    headline = {name: value for data in shown for name, value in data.get(HEADLINE, {}).items()}
    if not headline:
        raise Fault("Headline", "there is no headline value. Show main_points(points, headline)")
    content = RunContent(
        **job.found.model_dump() | {"data": data_of(request, job.found)},
        report=request.report,
        parameters=request.model_dump(),
        figures=dict(figures),
        notebook=notebook_digest(ran),
        headline=headline,
        main_points=tuple(point for data in shown for point in data.get(POINTS, [])),
        outputs=output_digests(ran),
    )
    earlier = None if before is None else before.run_on if before.run_on < job.today else before.previous
    record = RunRecord(
        page=request.page,
        title=request.heading(first_heading(ran)),
        run_on=job.today,
        previous=earlier,
        ledger=_ledger(),
        fingerprint=content.fingerprint(),
        content=content,
    )
    html = with_record(notebook_page(ran, record, changes(before, content)), record)
    files = {".ipynb": f"{nbformat.writes(ran)}\n", ".html": html}  # type: ignore[no-untyped-call]
    hashes = {ending: sha256(text) for ending, text in files.items()}
    files = {".json": as_json(record.model_copy(update={"files": hashes})), **files}
    for place, cell in enumerate(written_cells(ran), 1):
        for folder in folders_in(json.dumps(cell.get("outputs", []), ensure_ascii=False)):
            raise Fault("Machine path", PATH.format("output", folder), place, cell.source)
    for ending, text in files.items():
        for folder in folders_in(text):
            raise Fault("Machine path", PATH.format(f"{ending} file", folder))
    return files


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
