"""Rules of our papermill engine, held to by a kernel of its own beside it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import papermill
import psutil
import pytest
from click.testing import CliRunner
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from papermill.cli import papermill as command_line
from papermill.exceptions import PapermillExecutionError

from deficits.errors import ReportError

CELLS = {
    "what is printed is one piece a stream": "import sys\nfor k in (1, 2): print(k); print('oh', file=sys.stderr)",
    "the last line is shown": "{'a': [1, 2.5, None]}",
    "a table is shown": "import pandas as pd\npd.DataFrame({'a': [1, 2]})",
    "things are shown in order": "from IPython.display import HTML\nprint(1); display(HTML('<b>x</b>')); print(2)",
    "a picture is encoded": "from IPython.display import Image, display\nImage(bytes.fromhex('89504e470d0a1a0a'))",
    "a display is updated": "shown = display('before', display_id='one')\nshown.update('after')",
    "output is cleared": "from IPython.display import clear_output\nprint('gone'); clear_output(); print('kept')",
    "a line is written over": "print('10%', end='\\r'); print('20%')",
    "a shell command prints": "!echo hello",
    "the count goes up": "_, In[1], len(Out) > 0",
    "await works": "import asyncio\nawait asyncio.sleep(0)\n'awaited'",
    "nothing": "   ",
    "a cell may fail when it says so": "1 / 0",
    "an error has its traceback": "def inner():\n    raise KeyError('gross')\ninner()",
    "no cell comes after it": "print('never')",
}
KILLED = """
import papermill, sys
from nbformat.v4 import new_code_cell, new_notebook

cells = [new_code_cell("import subprocess, time\\nsubprocess.Popen(['sleep', '600'])\\ntime.sleep(600)")]
papermill.execute_notebook(new_notebook(cells=cells), None, engine_name="deficits", progress_bar=False)
"""
"""A user's script without a guard: the engine's processes do not run it again."""


def notebook(*cells: str) -> NotebookNode:
    made = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    made.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return made


def run(made: NotebookNode, engine: str | None = "deficits", **more: Any) -> NotebookNode:
    """The notebook as papermill leaves it, also where a cell fails."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out.ipynb")
        with suppress(PapermillExecutionError):
            papermill.execute_notebook(made, out, engine_name=engine, **{"progress_bar": False} | more)
        return nbformat.read(out, as_version=4)


def test_cells_show_what_a_kernel_shows() -> None:
    def made() -> NotebookNode:
        cells = notebook(*CELLS.values())
        cells.cells[list(CELLS).index("a cell may fail when it says so")].metadata["tags"] = ["raises-exception"]
        return cells

    ours, theirs = run(made()), run(made(), engine=None, coalesce_streams=True)
    shown = {
        "ours": [cell for cell in ours.cells if cell.cell_type == "code"],
        "theirs": [cell for cell in theirs.cells if cell.cell_type == "code"],
    }
    for name, one, other in zip(CELLS, *shown.values(), strict=True):
        for output in (*one.outputs, *other.outputs):
            output.pop("traceback", None)  # names a temporary file of each
        assert one.outputs == other.outputs, name
        assert one.execution_count == other.execution_count, name


def test_papermills_own_flags_work() -> None:
    out, err = io.StringIO(), io.StringIO()
    folders: list[str] = []
    made = notebook("import sys, os\nprint('said', os.getcwd()); print('told', file=sys.stderr)")
    run(
        made,
        stdout_file=out,
        stderr_file=err,
        cwd="/",
        on_cell_execute=lambda cell, cell_index: folders.append("x"),
    )
    assert (out.getvalue(), err.getvalue()) == ("said /\n", "told\n")
    assert folders == ["x"]


@pytest.mark.filterwarnings("ignore:the file is not specified with any extension")
def test_the_command_line_takes_a_notebook_from_its_input() -> None:
    text = nbformat.writes(notebook("print('said')"))
    given = ["--engine", "deficits", "--log-output", "--no-progress-bar", "-", "-"]
    done = CliRunner().invoke(command_line, given, input=text)
    assert nbformat.reads(done.stdout, as_version=4).cells[0].outputs[0].text == "said\n", done.stderr


def test_a_misspelt_argument_is_refused() -> None:
    with pytest.raises(ReportError, match="did you mean 'execution_timeout'"):
        papermill.execute_notebook(notebook("1"), None, engine_name="deficits", executon_timeout=1)


def test_threads_share_the_engine() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: run(notebook(f"{number} * 2")), range(4)))
    assert [one.cells[0].outputs[0].data["text/plain"] for one in made] == ["0", "2", "4", "6"]


@pytest.mark.parametrize(
    ("limits", "cells", "says"),
    [
        ({"execution_timeout": 1}, ["import time; time.sleep(60)"], "the cell ran longer than 1 seconds"),
        ({"report_timeout": 2}, ["import time; time.sleep(0.8)"] * 9, "the notebook ran longer than 2 seconds"),
    ],
)
def test_what_takes_too_long_is_ended(limits: dict[str, float], cells: list[str], says: str) -> None:
    with pytest.raises(CellTimeoutError, match=says):
        papermill.execute_notebook(notebook(*cells), None, engine_name="deficits", progress_bar=False, **limits)


def test_a_process_that_ends_is_a_dead_kernel_and_no_other_notebook_suffers() -> None:
    with pytest.raises(DeadKernelError, match="signal 9"):
        run(notebook("import os; os.kill(os.getpid(), 9)"))
    with pytest.raises(DeadKernelError, match="exit code 3"):
        run(notebook("import os; os._exit(3)"))
    assert run(notebook("1")).cells[0].outputs[0].data["text/plain"] == "1"


def test_a_cell_that_takes_too_much_memory_fails() -> None:
    made = run(notebook("x = bytearray(500_000_000)"), memory=200)
    assert any(output.get("ename") == "MemoryError" for cell in made.cells for output in cell.get("outputs", []))


def test_a_notebook_changes_nothing_for_the_next_and_has_the_callers_environment() -> None:
    run(notebook("import os, builtins; os.environ['LEFT'] = 'x'; builtins.left = 1"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIVEN", "yes")
        made = run(
            notebook(
                "import os, builtins; [hasattr(builtins, 'left'), os.environ.get('LEFT'), os.environ['GIVEN']]"
            )
        )
    assert made.cells[0].outputs[0].data["text/plain"] == "[False, None, 'yes']"


def test_all_ends_with_a_caller_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED]) as caller:
        ends = time.monotonic() + 240
        while (
            not any("sleep" in one.name() for one in psutil.Process(caller.pid).children(recursive=True))
            and not _sleeping()
        ):
            assert time.monotonic() < ends
            time.sleep(0.05)
        started = psutil.Process(caller.pid).children(recursive=True) + _sleeping()
        assert started
        caller.kill()
    _, left = psutil.wait_procs(started, 20)
    assert not [one for one in left if one.status() != psutil.STATUS_ZOMBIE]


def _sleeping() -> list[psutil.Process]:
    """What the cells of the script have started, which has a session of its own."""
    return [
        one
        for one in psutil.process_iter(["cmdline"])
        if one.info["cmdline"] == ["sleep", "600"] and one.pid != os.getpid()
    ]
