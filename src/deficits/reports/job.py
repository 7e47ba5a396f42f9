"""A page to make as another process is asked for it, what came of it, and the processes that make pages: the
standard library's "forkserver", in which everything is imported already. Nothing here loads what makes pages.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from deficits.errors import ExitCode
from deficits.reports.params import PanelReport
from deficits.reports.record import Now, RunRecord

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of the server: two notebooks at once use two processors and no more, and forks hold no threads."""
FIRST_LINES = 5
"""Lines of a failed cell that are quoted."""


@dataclass(frozen=True)
class RunOptions:
    """How a run makes its pages.

    `cell_seconds`, `page_seconds` and `memory` (MB): what one notebook may take. `engine`: "deficits" forks a
    process a page, "plain" starts a Jupyter kernel a page. `jobs`: pages at once; None is as many as there are
    processors to use. `executor`: makes the pages instead of processes here, such as
    `dask.distributed.Client(address).get_executor()`. `notebook`: another than the reports' own.
    """

    cell_seconds: float = 300.0
    page_seconds: float = 900.0
    memory: int = 4096
    engine: Literal["deficits", "plain"] = "deficits"
    jobs: int | None = None
    only_stale: bool = False
    executor: Executor | None = None
    notebook: Path | None = None

    @property
    def at_once(self) -> int:
        """Pages at once."""
        if self.jobs is not None:
            return self.jobs
        return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@dataclass(frozen=True)
class Job:
    """A page to make. `before`: its last good run. `figures`: those that its record is to give as used, where they
    are not to be looked up.
    """

    request: PanelReport
    today: date
    found: Now
    before: RunRecord | None
    options: RunOptions
    figures: Mapping[str, str] | None = None


@dataclass(eq=False)
class Fault(Exception):
    """Why a page could not be made: the error's name and message, and the cell (place from 1, its first lines)."""

    error: str
    message: str
    cell: int | None = None
    source: str = ""
    exit_code: ExitCode = ExitCode.REPORT_FAILED

    def __post_init__(self) -> None:
        lines = self.source.splitlines()
        self.source = "\n".join([*lines[:FIRST_LINES], *(["..."] if len(lines) > FIRST_LINES else [])])

    def __str__(self) -> str:
        where = "" if self.cell is None else f" in cell {self.cell}"
        quoted = "".join(f"\n    {line}" for line in self.source.splitlines())
        return f"{self.error}{where}: {self.message}{quoted}"


@dataclass(frozen=True)
class Made:
    """What came of a job: the files of the page by the ending of their names, the page last, or a fault."""

    page: str
    seconds: float
    files: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None


# Processes ------------------------------------------------------------------------------------------------------

_starting = threading.Lock()


def _unheld() -> None:
    """A process forked while the lock is held would find it held for ever."""
    global _starting
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unheld)


def can_fork() -> bool:
    """Whether notebooks can have processes forked here: on Linux, and not in a daemon such as a dask worker."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon


def context() -> Any:
    """The standard library's "forkserver", with what every notebook imports loaded once; in a process that comes
    from it, "fork", since that has loaded all of it too.
    """
    if multiprocessing.parent_process() is not None:
        return multiprocessing.get_context("fork")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["deficits.reports.preload"])
    return made


@contextmanager
def starting() -> Iterator[None]:
    """While processes are started: none does again what the caller's own script does, as "forkserver" would."""
    with _starting:
        main, before = sys.modules["__main__"], {name: os.environ.get(name) for name in ONE_THREAD}
        sys.modules["__main__"] = types.ModuleType("__main__")
        os.environ.update(ONE_THREAD)
        try:
            yield
        finally:
            sys.modules["__main__"] = main
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
