"""The papermill engine `deficits`: each notebook in a process forked from one that has imported everything.

Works in papermill as any other: `papermill --engine deficits in.ipynb out.ipynb`, with the extra arguments
`execution_timeout` and `report_timeout` (seconds) and `memory` (MB). Where processes cannot be forked safely
(Windows, macOS), it runs a kernel of its own, as papermill's engine does.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, from_dict

from deficits.errors import ReportFailed
from deficits.reports.forkserver import LAST, Event, Job, Lines, in_child, run_cells
from deficits.reports.kernel import KERNEL_NAME, ReportKernelManager, kernel_environment
from deficits.reports.limits import Limits
from deficits.reports.record import source_digest

NAME = "deficits"
LONGEST_START = 120.0
"""Seconds to import everything and compute the projections."""
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""A process with one thread can be forked, and two reports at once then use two processors and no more."""


def can_fork() -> bool:
    """Whether reports can be made in forked processes here. macOS has fork, but not for its own libraries."""
    return sys.platform.startswith("linux")


class ForkServer:
    """A running `deficits.reports.forkserver`, asked for reports.

    Args:
        projections: to be computed before the first report, as `deficits.reports.shared.needed` gives them.
    """

    def __init__(self, projections: Iterable[Mapping[str, Any]] = ()) -> None:
        self._order = json.dumps({"projections": [dict(each) for each in projections]})
        self._process: subprocess.Popen[bytes] | None = None
        self._jobs = 0

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Number of its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process, and once more when that fails. ReportFailed when it fails twice."""
        for last in (False, True):
            try:
                self._start()
            except ReportFailed:
                self.close()
                if last:
                    raise
            else:
                return

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="deficits-"))
        reading, writing = os.pipe()
        code = "from deficits.reports.forkserver import main; main()"
        told = self._folder / "errors.txt"
        try:
            with told.open("wb") as errors:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", code, str(writing), self._order],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    env=kernel_environment(dict(os.environ), self._folder) | ONE_THREAD,
                    pass_fds=[writing],
                    start_new_session=True,
                )
        except OSError as error:
            os.close(reading)
            raise ReportFailed(f"the process that makes reports did not start: {error.strerror}") from None
        finally:
            os.close(writing)
        assert self._process.stdin is not None
        self._asked, self._events = Lines(self._process.stdin.fileno()), Lines(reading)
        try:
            first = self._hear(LONGEST_START)
        except TimeoutError:
            raise ReportFailed(f"the process that makes reports did not start in {LONGEST_START:g} s") from None
        if first is None:
            why = told.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise ReportFailed(f"the process that makes reports did not start: {why[-1] if why else 'no reason'}")

    def _hear(self, seconds: float | None) -> list[Event] | None:
        """Events that have come; None when the process is gone. TimeoutError when none come in time."""
        if not select.select([self._events.descriptor], [], [], seconds)[0]:
            raise TimeoutError
        return self._events.read()

    def run(self, jobs: Iterable[Job], at_once: int = 1) -> Generator[Event, None, None]:
        """The events of some jobs, so many at a time, each event with its job.

        A job whose process ends for no reason of its own has the event `died`. When the whole server is ended, the
        jobs that were running have, and it is started again for the others. To leave off early ends what runs.
        """
        waiting = iter(jobs)
        running: dict[int, Job] = {}
        try:
            while True:
                while len(running) < at_once and (job := next(waiting, None)) is not None:
                    running[self._send(job)] = job
                if not running:
                    return
                events = self._hear(None)
                if events is None:
                    self.close()
                    for number in list(running):
                        yield {"event": "died", "reason": "the server was ended", "job": running.pop(number)}
                    continue
                for event in events:
                    if event["id"] not in running:
                        continue
                    job = running[event["id"]]
                    if event["event"] in LAST:
                        del running[event["id"]]
                    yield {**event, "job": job}
        finally:
            with suppress(OSError):
                for number in running:
                    self._asked.write({"do": "end", "id": number})

    def _send(self, job: Job) -> int:
        if not self.running:
            self.close()
            self.start()
        self._jobs += 1
        with suppress(BrokenPipeError):  # a server that is gone is found out when it is listened to
            self._asked.write({"do": "run", "id": self._jobs, **job})
        return self._jobs

    def close(self) -> None:
        """End the process and everything that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        with suppress(OSError):
            process.stdin.close()  # it ends its children and then itself
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(self._events.descriptor)
        shutil.rmtree(self._folder, ignore_errors=True)


_mine: dict[str, ForkServer] = {}


def _server() -> ForkServer:
    """The server of this process's single reports, started when it is first used.

    One that has imported other code than is there now is replaced: in a notebook that is open while somebody works
    on the package, a record would name code that has not run.
    """
    source = source_digest()
    if source not in _mine:
        end_mine()
        _mine[source] = ForkServer()
    return _mine[source]


@atexit.register
def end_mine() -> None:
    """End the server of single reports, as at this process's end; the next report starts another."""
    for server in _mine.values():
        server.close()
    _mine.clear()


class ForkEngine:
    """What papermill calls.

    It has the methods of papermill's base class and not the class: papermill is loading when it loads this.
    """

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: bool = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        **more: Any,
    ) -> NotebookNode:
        """Run the notebook, keeping papermill's own marks in it, and give it back."""
        from papermill.engines import NotebookExecutionManager

        manager = NotebookExecutionManager(nb, output_path, log_output, progress_bar, autosave_cell_every)
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, log_output=log_output, **more)
        finally:
            manager.cleanup_pbar()
            manager.notebook_complete()
        done: NotebookNode = manager.nb
        return done

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        execution_timeout: float | None = None,
        report_timeout: float | None = None,
        memory: int | None = None,
        on_cell_execute: Callable[..., None] | None = None,
        **more: Any,
    ) -> None:
        """Run the manager's notebook and keep it told of each cell.

        Raises CellTimeoutError when a cell or the report takes too long, DeadKernelError when its process ends. A
        cell that fails is marked in the notebook, as papermill expects.
        """
        asked = {"cell": execution_timeout, "report": report_timeout, "memory": memory}
        limits = Limits(**{name: value for name, value in asked.items() if value is not None})
        run = _Run(nb_man, on_cell_execute or (lambda cell, cell_index: None), limits)
        if in_child():
            run.here()
        elif can_fork():
            run.in_a_fork()
        else:
            from papermill.engines import NBClientEngine

            more |= {"on_cell_execute": on_cell_execute, **plain_arguments(limits)}
            NBClientEngine.execute_managed_notebook(nb_man, kernel_name, **more)

    @staticmethod
    def nb_kernel_name(nb: NotebookNode, name: str | None = None) -> str:
        """Any: the notebook is run by this interpreter."""
        return name or KERNEL_NAME

    @staticmethod
    def nb_language(nb: NotebookNode, language: str | None = None) -> str:
        """Python."""
        return language or "python"


class _Run:
    """One notebook's run for papermill."""

    def __init__(self, manager: Any, starts: Callable[..., None], limits: Limits) -> None:
        self.manager, self.starts, self.limits = manager, starts, limits
        self.notebook: NotebookNode = manager.nb

    def here(self) -> None:
        """In this process, which was forked for it and is watched from outside."""
        for place, _, good in run_cells(self.notebook):
            self._cell(place) if good is None else self._ran(place, good)

    def in_a_fork(self) -> None:
        """In a process forked for it."""
        job = {"kind": "notebook", "notebook": self.notebook, "limits": self.limits.model_dump()}
        with closing(_server().run([job])) as events:
            for event in events:
                self._hear(event)

    def _hear(self, event: Event) -> None:
        match event["event"]:
            case "cell":
                self._cell(event["place"])
            case "ran":
                cell = self.notebook.cells[event["place"]]
                cell.outputs = [_output(output) for output in event["outputs"]]
                cell.execution_count = event["count"]
                self._ran(event["place"], event["good"])
            case "out of time":
                raise CellTimeoutError(f"the {event['of']} is out of time")
            case "died" | "failed":
                raise DeadKernelError(event.get("reason") or event["message"])

    def _cell(self, place: int) -> None:
        cell = self.notebook.cells[place]
        self.manager.cell_start(cell, place)
        self.starts(cell=cell, cell_index=place)

    def _ran(self, place: int, good: bool) -> None:
        cell = self.notebook.cells[place]
        if not good:
            self.manager.cell_exception(cell, cell_index=place)
        self.manager.cell_complete(cell, cell_index=place)


def _output(output: dict[str, Any]) -> NotebookNode:
    node: NotebookNode = from_dict(output)  # type: ignore[no-untyped-call]
    return node


def plain_arguments(limits: Limits) -> dict[str, Any]:
    """What papermill's own engine is given, so that a kernel of its own has the same limits and outputs."""
    ends = time.monotonic() + limits.report
    return {
        "timeout_func": lambda cell: max(1, min(limits.cell, ends - time.monotonic())),
        "kernel_manager_class": ReportKernelManager,
        "coalesce_streams": True,
    }
