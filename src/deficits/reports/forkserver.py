"""A process that has imported everything once and forks a child a report.

It is started as a program of its own, so that it has one thread, numerical libraries that use one, no open
connection and none of the environment's secrets. It reads jobs as lines of JSON from its input and answers with
events as lines of JSON. It watches its children's time, ends one that takes too long with all that it started, and
ends them all when whoever asked for them is gone.

Jobs: `{"do": "run", "id": 1, "kind": "notebook" or "page", "limits": {...}, ...}` and `{"do": "end", "id": 1}`.
Events of a job: `cell` (a cell starts), `ran` (what it showed), `made` or `failed` (a page), `finished`, and from
here `out of time` and `died`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import selectors
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deficits.reports import shared
from deficits.reports.limits import Limits, cap_memory

Job = dict[str, Any]
Event = dict[str, Any]

TICK = 0.05
"""Seconds between two looks at the children."""
LAST = frozenset({"finished", "out of time", "died"})
"""Events after which a job is over."""
DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""

_pipe: Lines | None = None
"""In a child: where its events go."""


class Lines:
    """Lines of JSON to and from a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._rest = b""

    def write(self, message: Mapping[str, Any]) -> None:
        """Send a message."""
        left = memoryview(json.dumps(message).encode() + b"\n")
        while left:
            left = left[os.write(self.descriptor, left) :]

    def read(self) -> list[dict[str, Any]] | None:
        """What has come, or None at the end."""
        found = os.read(self.descriptor, 1 << 16)
        *lines, self._rest = (self._rest + found).split(b"\n")
        return [json.loads(line) for line in lines] if found else None


def in_child() -> bool:
    """Whether this process was forked for one report, and may be changed by its cells."""
    return _pipe is not None


def tell(event: str, **more: Any) -> None:
    """In a child: send an event to whoever asked for the report."""
    assert _pipe is not None
    _pipe.write({"event": event, **more})


@dataclass
class _Child:
    """A report that is being made."""

    job: Job
    pid: int
    events: Lines
    started: float = field(default_factory=time.monotonic)
    cell_started: float | None = None
    finished: bool = False

    def late(self) -> str | None:
        """What has taken too long, if anything: the cell or the report."""
        limits, now = Limits(**self.job["limits"]), time.monotonic()
        if now - self.started > limits.report:
            return "report"
        if self.cell_started is not None and now - self.cell_started > limits.cell:
            return "cell"
        return None

    def end(self) -> int:
        """End the process and all that it started, and give its status."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.events.descriptor)
        return os.waitstatus_to_exitcode(status)


class _Server:
    """The loop that forks and watches."""

    def __init__(self, jobs: int, events: int) -> None:
        self.jobs, self.events = Lines(jobs), Lines(events)
        self.children: dict[int, _Child] = {}
        self.ready = selectors.DefaultSelector()
        self.ready.register(jobs, selectors.EVENT_READ, self.jobs)

    def serve(self) -> None:
        """Until whoever asked closes the line."""
        while True:
            found = self.ready.select(TICK if self.children else None)
            for key, _ in found:
                if key.data is not self.jobs:
                    self._hear(self.children[key.data])
                    continue
                messages = self.jobs.read()
                if messages is None:
                    return
                for message in messages:
                    self._do(message)
            for child in list(self.children.values()):
                self._watch(child)

    def end_all(self) -> None:
        """End every child."""
        for child in self.children.values():
            child.end()

    def _do(self, message: Job) -> None:
        if message["do"] == "run":
            self._fork(message)
        for child in [child for child in self.children.values() if message["do"] == "end"]:
            if child.job["id"] == message["id"]:
                self._over(child, "finished")

    def _fork(self, job: Job) -> None:
        reading, writing = os.pipe()
        pid = _forked()
        if pid is None:
            os.close(reading)
            os.close(writing)
            self.events.write({"id": job["id"], "event": "died", "reason": "no process could be started for it"})
            return
        if pid == 0:
            self._become(job, writing)
        os.close(writing)
        self.children[job["id"]] = _Child(job, pid, Lines(reading))
        self.ready.register(reading, selectors.EVENT_READ, job["id"])

    def _become(self, job: Job, writing: int) -> None:
        """In the child: leave the server behind, make the report and end."""
        server = os.getppid()
        try:
            os.setsid()
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != server:
                os._exit(1)
            for key in list(self.ready.get_map().values()):
                os.close(key.fd)
            self.ready.close()
            os.close(self.events.descriptor)
            _make(job, writing)
        finally:
            os._exit(0)

    def _hear(self, child: _Child) -> None:
        events = child.events.read()
        if events is None:
            self.ready.unregister(child.events.descriptor)  # its end is seen by its status
            return
        for event in events:
            child.cell_started = time.monotonic() if event["event"] == "cell" else None
            child.finished |= event["event"] in LAST
            if event["event"] not in LAST | {"pause"}:
                self.events.write({"id": child.job["id"], **event})

    def _watch(self, child: _Child) -> None:
        late = child.late()
        if child.finished:
            self._over(child, "finished")
        elif late is not None:
            self._over(child, "out of time", of=late)
        elif os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            # Its last words may still be in the pipe.
            with contextlib.suppress(KeyError):
                self._hear(child)
            self._over(child, "finished" if child.finished else "died")

    def _over(self, child: _Child, event: str, **more: Any) -> None:
        with contextlib.suppress(KeyError):
            self.ready.unregister(child.events.descriptor)
        status = child.end()
        del self.children[child.job["id"]]
        if event == "died":
            more["reason"] = f"signal {-status}" if status < 0 else f"status {status}"
        self.events.write({"id": child.job["id"], "event": event, **more})


def _forked() -> int | None:
    """The number of a new process, 0 in it; None when the system gives none, asked twice."""
    for wait in (0.5, 0):
        try:
            return os.fork()
        except OSError:
            time.sleep(wait)
    return None


def _make(job: Job, writing: int) -> None:
    """In the child: run the notebook or make the page."""
    global _pipe
    _pipe = Lines(writing)
    cap_memory(Limits(**job["limits"]).memory)
    try:
        if job["kind"] == "notebook":
            _run_notebook(job)
        else:
            _make_page(job)
    except BaseException as error:
        last = traceback.format_exception_only(error)[-1].strip()
        tell("failed", message=f"the report could not be made: {last}", exit=4)
    tell("finished")


def _run_notebook(job: Job) -> None:
    import nbformat

    for place, cell, good in run_cells(nbformat.from_dict(job["notebook"])):  # type: ignore[no-untyped-call]
        if good is not None:
            tell("ran", place=place, outputs=cell.outputs, count=cell.execution_count, good=good)


def run_cells(notebook: Any) -> Iterator[tuple[int, Any, bool | None]]:
    """In a child: run a notebook's cells up to the first that fails.

    Each is given twice, with its place: before it starts, and afterwards with whether it was good.
    """
    from deficits.reports.record import first_lines, written_place
    from deficits.reports.shell import Cells, is_run

    cells = Cells(notebook)
    for place, cell in enumerate(notebook.cells):
        if not is_run(cell):
            continue
        tell("cell", place=place, written=written_place(notebook, place), source=first_lines(cell.source))
        yield place, cell, None
        good = cells.run(place)
        tell("pause")  # what follows is not the cell's time
        yield place, cell, good
        if not good:
            return


def _make_page(job: Job) -> None:
    from deficits.errors import DeficitsError
    from deficits.reports.record import Surroundings
    from deficits.reports.run import render

    try:
        page = render(
            job["name"],
            job["values"],
            Path(job["out"]),
            limits=Limits(**job["limits"]),
            notebook=None if job["notebook"] is None else Path(job["notebook"]),
            found=Surroundings(**job["found"]),
        )
    except DeficitsError as error:
        tell("failed", message=str(error), exit=int(error.exit_code), recorded=True)
    else:
        tell("made", page=page.name)


def _warm(order: Mapping[str, Any]) -> None:
    """Import and compute what every report needs, and do once what is slow at first: fonts, a schema."""
    import nbformat
    import pandas as pd
    import pyarrow as pa

    import deficits.plots
    import deficits.reports.engine
    import deficits.reports.run
    import deficits.reports.shell
    import deficits.reports.stories
    import deficits.writeoff
    from deficits.reports.display import show
    from deficits.reports.parameters import authorities_now

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    show(deficits.plots.plans_history(pd.DataFrame({"year": [2024, 2025], "plans": [1.0, 2.0]}), "Warm-up"))
    nbformat.validate(nbformat.v4.new_notebook())  # type: ignore[no-untyped-call]
    authorities_now().resolve("Kent")
    for asked in order["projections"]:
        shared.hold(asked)
    shared.install()
    gc.collect()
    gc.freeze()  # children that look for garbage would copy every page of memory they share


def main() -> None:
    """Serve. The first argument is the descriptor for events, the second what to compute beforehand."""
    jobs, nothing = os.dup(0), os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    # jsonschema, which nbformat brings, looks for this one to check addresses that no notebook has. It takes as
    # long to load as all the rest together.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = _Server(jobs, int(sys.argv[1]))
    os.set_inheritable(int(sys.argv[1]), False)
    _warm(json.loads(sys.argv[2]))
    server.events.write({"event": "ready", "threads": len(list(Path("/proc/self/task").iterdir()))})
    try:
        server.serve()
    finally:
        server.end_all()
        shutil.rmtree(os.environ["IPYTHONDIR"], ignore_errors=True)  # whoever asked may have been killed
