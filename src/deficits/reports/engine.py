"""The papermill engine `deficits`: each notebook in a process of its own that has imported everything already.

Works in papermill as any other: `papermill --engine deficits in.ipynb out.ipynb`, with the extra arguments
`execution_timeout` and `report_timeout` (seconds) and `memory` (MB). Where processes cannot be forked (Windows,
macOS), papermill's own engine starts a kernel.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from deficits.errors import ReportError, closest
from deficits.reports.cells import run_cells
from deficits.reports.job import RunOptions, can_fork, context, starting

NAME = "deficits"
PAPERMILLS = frozenset({"input_path", "start_timeout", "autosave_cell_every", "language"})
"""Arguments that papermill gives every engine and that mean nothing here."""
LONGEST_START = 120.0
"""Seconds in which a process is there, all imports of the first one included."""


class DeficitsEngine:
    """What papermill calls: the methods of its base class, which is still loading when it loads this."""

    @classmethod
    def execute_notebook(cls, nb: NotebookNode, kernel_name: str, **named: Any) -> NotebookNode:
        """Run the notebook with papermill's own marks in it, and give it back."""
        from papermill.engines import Engine

        done: NotebookNode = Engine.execute_notebook.__func__(cls, nb, kernel_name, **named)
        return done

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        execution_timeout: float | None = None,
        report_timeout: float | None = None,
        memory: int | None = None,
        on_cell_execute: Callable[..., object] | None = None,
        **more: Any,
    ) -> None:
        """Run the manager's notebook and keep it told of each cell; a cell that fails is marked in the notebook.

        Raises ReportError for an argument that no engine has, CellTimeoutError when a cell or the notebook takes
        too long, DeadKernelError when its process ends.
        """
        from papermill.clientwrap import PapermillNotebookClient
        from papermill.engines import NBClientEngine

        unknown = [name for name in more if name not in PAPERMILLS]
        if unknown:
            known = ("execution_timeout", "report_timeout", "memory", *PAPERMILLS)
            raise ReportError(f"engine argument '{unknown[0]}': {closest(unknown[0], known)}")
        files = {"log_output": log_output, "stdout_file": stdout_file, "stderr_file": stderr_file}
        cell_seconds = execution_timeout or RunOptions.cell_seconds
        page_seconds = report_timeout or RunOptions.page_seconds
        if not can_fork():
            files |= plain_arguments(cell_seconds, page_seconds) | {"on_cell_execute": on_cell_execute}
            NBClientEngine.execute_managed_notebook(nb_man, kernel_name, **files)
            return
        client, ends = PapermillNotebookClient(nb_man, **files), time.monotonic() + page_seconds
        with _running(nb_man.nb, memory or RunOptions.memory) as (process, results):
            for index, cell in enumerate(nb_man.nb.cells):
                nb_man.cell_start(cell, index)
                if not is_run(cell):
                    nb_man.cell_complete(cell, cell_index=index)
                    continue
                if on_cell_execute:
                    on_cell_execute(cell=cell, cell_index=index)
                left = ends - time.monotonic()
                if not results.poll(max(0, min(cell_seconds, left))):
                    of, seconds = ("notebook", page_seconds) if left < cell_seconds else ("cell", cell_seconds)
                    raise CellTimeoutError(f"the {of} ran longer than {seconds:g} seconds")
                cell.outputs, cell.execution_count, good = _received(process, results)
                for output in cell.outputs:
                    client.log_output_message(output)
                if not good:
                    nb_man.cell_exception(cell, cell_index=index)
                nb_man.cell_complete(cell, cell_index=index)
                if not good:
                    return

    @staticmethod
    def nb_kernel_name(nb: NotebookNode, name: str | None = None) -> str:
        """Any: the notebook is run by this interpreter."""
        return name or "python3"

    @staticmethod
    def nb_language(nb: NotebookNode, language: str | None = None) -> str:
        """Python."""
        return language or "python"


def plain_arguments(cell_seconds: float, page_seconds: float) -> dict[str, Any]:
    """What papermill's own engine is given, so that a kernel has the same limits of time and the same outputs."""
    ends = time.monotonic() + page_seconds
    return {
        "timeout_func": lambda cell: max(1, min(cell_seconds, ends - time.monotonic())),
        "coalesce_streams": True,
    }


def is_run(cell: NotebookNode) -> bool:
    """Whether a cell is one that a kernel would run."""
    code = cell.cell_type == "code" and bool(cell.source.strip())
    return code and "skip-execution" not in cell.metadata.get("tags", [])


@contextmanager
def _running(notebook: NotebookNode, memory: int) -> Iterator[tuple[Any, Connection]]:
    """A process that runs the notebook's cells, and where their results come from. It ends with the block."""
    results, told = context().Pipe(duplex=False)
    cells = [cell for cell in notebook.cells if is_run(cell)]
    with tempfile.TemporaryDirectory(prefix="deficits-", ignore_cleanup_errors=True) as folder:
        environment = dict(os.environ) | {"IPYTHONDIR": folder, "MPLBACKEND": "agg"}
        process = context().Process(target=run_cells, args=(cells, told, environment, memory))
        with starting():
            process.start()
        told.close()
        try:
            if not results.poll(LONGEST_START):
                raise DeadKernelError(f"did not start in {LONGEST_START:g} s")
            _received(process, results)
            yield process, results
        finally:
            results.close()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
            process.kill()  # also before it has a group of its own
            process.join()


def _received(process: Any, results: Connection) -> Any:
    """What the process tells next; DeadKernelError when it has ended."""
    try:
        return results.recv()
    except EOFError:
        process.join(5)
        code = process.exitcode
        raise DeadKernelError(f"signal {-code}" if code and code < 0 else f"exit code {code}") from None
