"""Rules of our papermill engine, held to by a kernel of its own beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from papermill.exceptions import PapermillExecutionError

from deficits.errors import ReportFailed
from deficits.paths import notebooks_dir
from deficits.reports import engine, record, render
from deficits.reports.engine import ForkServer, plain_arguments
from deficits.reports.limits import Limits
from deficits.reports.parameters import REPORTS

CELLS = {
    "what is printed is one piece a stream": "import sys\nfor k in (1, 2): print(k); print('oh', file=sys.stderr)",
    "the last line is shown": "{'a': [1, 2.5, None]}",
    "a table is shown": "import pandas as pd\npd.DataFrame({'a': [1, 2]})",
    "things are shown in order": "from IPython.display import HTML\nprint(1); display(HTML('<b>x</b>')); print(2)",
    "a picture is encoded": "from IPython.display import Image, display\nImage(bytes.fromhex('89504e470d0a1a0a'))",
    "a display is updated": "shown = display('before', display_id='one')\nshown.update('after')",
    "output is cleared": "from IPython.display import clear_output\nprint('gone'); clear_output(); print('kept')",
    "a line is written over": "print('10%', end='\\r'); print('20%')",
    "a program prints": "import subprocess\nprint('first', flush=True)\nsubprocess.run(['echo', 'second']);",
    "a shell command prints": "!echo hello",
    "a warning names no file": "import warnings\nwarnings.warn('two figures are estimates')",
    "the count goes up": "_, In[1], len(Out) > 0",
    "await works": "import asyncio\nawait asyncio.sleep(0)\n'awaited'",
    "nothing": "   ",
    "a cell may fail when it says so": "1 / 0",
    "an error has its traceback": "def inner():\n    raise KeyError('gross')\ninner()",
    "no cell comes after it": "print('never')",
}


def notebook(*cells: str) -> NotebookNode:
    made = new_notebook(cells=[new_code_cell(text, metadata={"tags": []}) for text in cells])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for place, cell in enumerate(made.cells):
        cell.id = f"cell-{place}"
    return made


def executed(made: NotebookNode, *, plain: bool = False, **more: object) -> NotebookNode:
    more = plain_arguments(Limits()) if plain else more
    name = None if plain else engine.NAME
    return papermill.execute_notebook(made, None, engine_name=name, progress_bar=False, **more)


def children() -> set[str]:
    """Commands of processes of this test's own, marked by its number."""
    mark = f"sleep 7{os.getpid()}"
    listed = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout
    return {line for line in listed.splitlines() if line.endswith(mark) and not line.startswith("Z")}


def gone() -> bool:
    ends = time.monotonic() + 10
    while children() and time.monotonic() < ends:
        time.sleep(0.05)
    return not children()


def test_papermill_knows_the_engine() -> None:
    from papermill.engines import papermill_engines

    assert papermill_engines.get_engine("deficits") is engine.ForkEngine


def test_outputs_are_those_of_a_kernel_of_its_own() -> None:
    given = notebook(*CELLS.values())
    given.cells[list(CELLS).index("a cell may fail when it says so")].metadata.tags = ["raises-exception"]
    with pytest.raises(PapermillExecutionError) as plain:
        executed(given, plain=True)
    with pytest.raises(PapermillExecutionError) as ours:
        executed(given)
    assert str(ours.value) == str(plain.value)


def test_each_cells_outputs_are_those_of_a_kernel_of_its_own() -> None:
    texts = list(CELLS.values())[: list(CELLS).index("nothing")]
    ours, plain = (executed(notebook(*texts), plain=plain) for plain in (False, True))
    for name, one, other in zip(CELLS, ours.cells, plain.cells, strict=False):
        assert one.outputs == other.outputs, name
        assert one.execution_count == other.execution_count, name
    assert ours.cells[0].outputs[0] == {"output_type": "stream", "name": "stdout", "text": "1\n2\n"}


@pytest.mark.parametrize("name", ["england", "authority"])  # every kind of output is on one of the two
def test_a_reports_page_and_record_are_those_of_a_kernel_of_its_own(name: str, tmp_path: Path) -> None:
    values = {"draws": 200} if "draws" in REPORTS[name].model.model_fields else {}
    found = record.surroundings()
    pages = [render(name, values, tmp_path / each, engine=each) for each in ("deficits", "plain")]
    ours, plain = (record.record_beside(page) for page in pages)
    assert ours is not None
    assert plain is not None
    assert ours == plain
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert ours.content.data == found.data


def test_a_cell_that_runs_too_long_is_ended_with_its_children() -> None:
    start = f"import subprocess, time\nsubprocess.Popen(['sleep', '7{os.getpid()}'])\ntime.sleep(60)"
    with pytest.raises(CellTimeoutError):
        executed(notebook("1", start), execution_timeout=1)
    assert gone()


def test_a_report_that_runs_too_long_is_ended_though_each_cell_is_short() -> None:
    with pytest.raises(CellTimeoutError, match="the report is out of time"):
        executed(notebook(*["import time; time.sleep(0.4)"] * 20), execution_timeout=30, report_timeout=1)


def test_what_a_good_report_leaves_running_is_ended_too() -> None:
    executed(notebook(f"import subprocess\nchild = subprocess.Popen(['sleep', '7{os.getpid()}'])"))
    assert gone()


def test_a_cell_that_takes_too_much_memory_fails_and_no_other_does() -> None:
    with pytest.raises(PapermillExecutionError) as error:
        executed(notebook("taken = bytearray(300_000_000)"), memory=200)
    assert error.value.ename == "MemoryError"
    executed(notebook("taken = bytearray(100_000_000)"), memory=200)


def test_a_process_that_ends_itself_is_a_dead_kernel() -> None:
    with pytest.raises(DeadKernelError, match="signal 9"):
        executed(notebook("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"))


def test_a_report_changes_nothing_for_the_next() -> None:
    executed(notebook("import deficits\ndeficits.changed = True\nimport os\nos.environ['LEFT'] = '1'\nx = 1"))
    after = executed(
        notebook("import deficits, os\nhasattr(deficits, 'changed'), 'LEFT' in os.environ, 'x' in dir()")
    )
    assert after.cells[0].outputs[0].data["text/plain"] == "(False, False, False)"


def test_reports_are_forked_from_a_process_with_one_thread_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_TOKEN", "planted-secret-value")
    with ForkServer() as server:
        server.start()
        environment = Path(f"/proc/{server.pid}/environ").read_text(encoding="utf-8")
        assert len(list(Path(f"/proc/{server.pid}/task").iterdir())) == 1
    assert "planted-secret-value" not in environment


def fragile(path: Path, failures: int) -> str:
    """An interpreter that fails to start so many times."""
    path.write_text(
        f'#!/bin/sh\nn=$(cat "{path}.n" 2>/dev/null || echo 0)\necho $((n + 1)) > "{path}.n"\n'
        f'[ "$n" -lt {failures} ] && {{ echo "no memory for it" >&2; exit 1; }}\nexec "{sys.executable}" "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("failures", [1, 2])
def test_a_start_that_fails_is_tried_once_more(
    failures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.sys, "executable", fragile(tmp_path / "python", failures))
    with ForkServer() as server:
        if failures == 1:
            server.start()
            assert server.running
        else:
            with pytest.raises(ReportFailed, match="did not start: no memory for it"):
                server.start()
    assert int((tmp_path / "python.n").read_text()) == 2


def test_a_failed_cell_is_not_tried_again(tmp_path: Path) -> None:
    count = tmp_path / "count"
    cell = f"with open({str(count)!r}, 'a') as file: file.write('x')\nraise ValueError"
    with pytest.raises(PapermillExecutionError):
        executed(notebook(cell))
    assert count.read_text() == "x"


def test_reports_end_with_whoever_asked_for_them(tmp_path: Path) -> None:
    code = (
        "import papermill, nbformat, sys\n"
        "papermill.execute_notebook(sys.argv[1], None, engine_name='deficits', progress_bar=False)"
    )
    given = notebook(f"import subprocess\nsubprocess.run(['sleep', '7{os.getpid()}'])")
    nbformat.write(given, tmp_path / "in.ipynb")
    asks = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "in.ipynb"],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    ends = time.monotonic() + 60
    while not children() and time.monotonic() < ends:
        time.sleep(0.05)
    assert children()
    asks.kill()
    asks.wait()
    assert gone()
    ends = time.monotonic() + 10
    while any(tmp_path.glob("deficits-*")) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not list(tmp_path.glob("deficits-*"))


def test_where_processes_cannot_be_forked_a_kernel_runs_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "can_fork", lambda: False)
    done = executed(notebook("from ipykernel.kernelapp import IPKernelApp\nIPKernelApp.initialized()"))
    assert done.cells[0].outputs[0].data["text/plain"] == "True"


def test_papermills_command_line_takes_the_engine(tmp_path: Path) -> None:
    given = [notebooks_dir() / "00_data_quality.ipynb", tmp_path / "out.ipynb"]
    command = [sys.executable, "-m", "papermill", "--engine", "deficits", "--no-progress-bar", *given]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    ran = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert ran.metadata.papermill.exception is None
    assert any(cell.get("outputs") for cell in ran.cells)
