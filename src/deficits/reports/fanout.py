"""Many pages in one run, each for itself: one that fails costs one page."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any, Literal

from deficits.errors import DeficitsError, ExitCode, ReportFailed
from deficits.reports import shared
from deficits.reports.asked import Asked
from deficits.reports.limits import Limits
from deficits.reports.publish import MAKING, Fault, reason, record_failure, without_folders
from deficits.reports.record import Surroundings, surroundings
from deficits.reports.selection import stale

LOG = "run-log.jsonl"
"""The last run, a line of JSON a page, beside the pages."""
LOCK = ".lock"
"""CalibrationTarget by the run that is at work in a folder."""
DIED = "the process that made it ended ({}); it may have run out of memory"


@dataclass(frozen=True)
class Outcome:
    """What became of one page."""

    page: str
    state: Literal["made", "unchanged", "failed"]
    seconds: float = 0.0
    message: str = ""
    exit_code: int = ExitCode.DONE


@dataclass(frozen=True)
class How:
    """How a run makes its pages.

    `engine`: "deficits" forks a process a page, "plain" starts a kernel a page. `jobs`: pages at once; None is as
    many as there are processors to use. `cluster`: the address of a dask scheduler whose workers make the pages
    instead. `notebook`: another than the reports' own.
    """

    limits: Limits = field(default_factory=Limits)
    engine: Literal["deficits", "plain"] = "deficits"
    jobs: int | None = None
    only_stale: bool = False
    cluster: str | None = None
    notebook: Path | None = None

    @property
    def at_once(self) -> int:
        """Pages at once."""
        if self.jobs is not None:
            return self.jobs
        return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


Say = Callable[[Outcome], None]
Way = Callable[[Sequence[Asked], Path, How, Surroundings], Iterator[Outcome]]


def make(pages: Sequence[Asked], out_dir: Path, how: How | None = None, say: Say | None = None) -> list[Outcome]:
    """Make pages, each for itself: one that fails leaves the others, its last good page and a failure record.

    `say` is told of each page as it is done. Beside the pages, `run-log.jsonl` holds a line of JSON for each.

    Raises ReportFailed when another run is at work in the folder, or the folder cannot be written to.
    """
    how = how or How()
    outcomes: list[Outcome] = []
    try:
        with _alone(out_dir), (out_dir / LOG).open("w", encoding="utf-8") as log:
            _sweep(out_dir, how.limits)
            started = time.monotonic()
            _log(log, "start", pages=len(pages), engine=how.engine, at_once=how.at_once)
            for outcome in _outcomes(pages, out_dir, how):
                outcomes.append(outcome)
                _log(log, "page", **asdict(outcome) | {"message": without_folders(outcome.message)})
                if say:
                    say(outcome)
            counts = Counter(str(one.state) for one in outcomes)
            _log(log, "end", seconds=round(time.monotonic() - started, 1), exit=exit_code(outcomes), **counts)
    except OSError as error:
        raise ReportFailed(f"the folder of pages cannot be written to: {reason(error)}") from None
    return outcomes


def exit_code(outcomes: Iterable[Outcome]) -> ExitCode:
    """Of a whole run: out of time when that is all that went wrong.

    >>> exit_code([Outcome("england", "made"), Outcome("authority-kent", "failed", exit_code=4)])
    <ExitCode.REPORT_FAILED: 4>
    """
    codes = {outcome.exit_code for outcome in outcomes if outcome.state == "failed"}
    if not codes:
        return ExitCode.DONE
    return ExitCode.OUT_OF_TIME if codes == {ExitCode.OUT_OF_TIME} else ExitCode.REPORT_FAILED


def _outcomes(pages: Sequence[Asked], out_dir: Path, how: How) -> Iterator[Outcome]:
    found = surroundings()
    todo = stale(pages, out_dir, found, how.notebook) if how.only_stale else list(pages)
    yield from (Outcome(one.page, "unchanged") for one in pages if one not in todo)
    if todo:
        # The long ones, of which there is one each, before the many: the last page is then a short one.
        many = Counter(one.report.name for one in todo)
        yield from _way(how)(sorted(todo, key=lambda one: many[one.report.name]), out_dir, how, found)


def _way(how: How) -> Way:
    if how.cluster is not None:
        from deficits.reports.cluster import on_cluster

        return on_cluster
    from deficits.reports.engine import can_fork

    return _forked if how.engine == "deficits" and can_fork() else _plain


def page_job(asked: Asked, out_dir: Path, how: How, found: Surroundings) -> dict[str, Any]:
    """A page as another process is asked for it."""
    return {
        "kind": "page",
        "page": asked.page,
        "name": asked.report.name,
        "values": asked.values,
        "out": str(out_dir.resolve()),
        "limits": how.limits.model_dump(),
        "notebook": None if how.notebook is None else str(how.notebook.resolve()),
        "found": found.model_dump(),
    }


def _forked(pages: Sequence[Asked], out_dir: Path, how: How, found: Surroundings) -> Iterator[Outcome]:
    """Each page in a process forked from one that has imported everything and computed the projection."""
    from deficits.reports.engine import ForkServer

    waiting = {one.page: one for one in pages}
    told = Told()

    def jobs() -> Iterator[dict[str, Any]]:
        for one in pages:
            told.starts(one)
            yield page_job(one, out_dir, how, found)

    with ForkServer(shared.needed(one.values for one in pages)) as server:
        try:
            for event in server.run(jobs(), how.at_once):
                outcome = told.hear(event, out_dir)
                if outcome is not None:
                    del waiting[outcome.page]
                    yield outcome
        except ReportFailed as error:  # it cannot be started
            yield from (Outcome(page, "failed", 0.0, str(error), error.exit_code) for page in waiting)


class Told:
    """What is known of pages that are being made in other processes."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}
        self._since: dict[str, float] = {}
        self._cell: dict[str, Mapping[str, Any]] = {}
        self._result: dict[str, Outcome] = {}

    def starts(self, asked: Asked) -> None:
        """A page is asked for."""
        self._asked[asked.page] = asked
        self._since[asked.page] = time.monotonic()

    def hear(self, event: Mapping[str, Any], out_dir: Path) -> Outcome | None:
        """The outcome of a page, with the last event of it.

        Where its own process could leave no failure record, there is one afterwards.
        """
        page = event["job"]["page"]
        match event["event"]:
            case "cell":
                self._cell[page] = event
            case "made":
                self._result[page] = Outcome(page, "made")
            case "failed" if event.get("recorded"):
                self._result[page] = Outcome(page, "failed", 0.0, event["message"], event["exit"])
            case "failed":
                self._result[page] = self._fault(page, out_dir, "Crash", event["message"])
            case "out of time":
                message = f"the {event['of']} ran longer than {event['job']['limits'][event['of']]:g} seconds"
                return self._last(self._fault(page, out_dir, "Time-out", message, ExitCode.OUT_OF_TIME))
            case "died":
                return self._last(self._fault(page, out_dir, "Dead process", DIED.format(event["reason"])))
            case "finished":
                result = self._result.get(page)
                return self._last(result or self._fault(page, out_dir, "Dead process", DIED.format("early")))
        return None

    def _fault(
        self, page: str, out_dir: Path, error: str, message: str, code: int = ExitCode.REPORT_FAILED
    ) -> Outcome:
        cell = self._cell.get(page, {})
        fault = Fault(error, message, cell.get("written"), cell.get("source", ""))
        record_failure(out_dir, self._asked[page], fault)
        return Outcome(page, "failed", 0.0, f"report '{page}' failed: {fault}", code)

    def _last(self, outcome: Outcome) -> Outcome:
        return replace(outcome, seconds=round(time.monotonic() - self._since[outcome.page], 2))


def _plain(pages: Sequence[Asked], out_dir: Path, how: How, found: Surroundings) -> Iterator[Outcome]:
    """Each page with a kernel of its own, which maps the projection from a file."""
    told = Told()
    with tempfile.TemporaryDirectory(prefix="deficits-") as folder:
        for asked in shared.needed(one.values for one in pages):
            shared.hold(asked)
        shared.save(Path(folder))
        with ProcessPoolExecutor(how.at_once, get_context("spawn"), _share, (folder,)) as pool:
            futures = {pool.submit(render_plain, page_job(one, out_dir, how, found)): one for one in pages}
            for one in pages:
                told.starts(one)
            for future in as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    event = {"event": "died", "reason": "with others", "job": {"page": futures[future].page}}
                    outcome = told.hear(event, out_dir)
                    assert outcome is not None
                    yield outcome


def _share(folder: str) -> None:
    os.environ[shared.FOLDER] = folder


def render_plain(job: Mapping[str, Any]) -> Outcome:
    """Make a page with a kernel of its own, in this process."""
    from deficits.reports.run import render

    started = time.monotonic()
    result = Outcome(job["page"], "made")
    try:
        render(
            job["name"],
            job["values"],
            Path(job["out"]),
            limits=Limits(**job["limits"]),
            engine="plain",
            notebook=None if job["notebook"] is None else Path(job["notebook"]),
            found=Surroundings(**job["found"]),
        )
    except DeficitsError as error:
        result = Outcome(job["page"], "failed", 0.0, str(error), error.exit_code)
    return replace(result, seconds=round(time.monotonic() - started, 2))


@contextmanager
def _alone(out_dir: Path) -> Iterator[None]:
    """Hold the folder for this run; ReportFailed when another has it. The system lets go when a run is killed."""
    out_dir.mkdir(parents=True, exist_ok=True)
    with (out_dir / LOCK).open("w", encoding="utf-8") as file:
        try:
            _lock(file)
        except OSError:
            raise ReportFailed(
                "another run is making pages in that folder: wait for it, or choose --out"
            ) from None
        yield


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sweep(out_dir: Path, limits: Limits) -> None:
    """Remove what killed runs left half made. What a report is made in now is younger than a report may take."""
    for folder in out_dir.glob(f"{MAKING}*"):
        if time.time() - folder.stat().st_mtime > limits.report:
            shutil.rmtree(folder, ignore_errors=True)


def _log(log: IO[str], event: str, **more: object) -> None:
    when = datetime.now(UTC).isoformat(timespec="seconds")
    log.write(json.dumps({"at": when, "event": event, **more}, ensure_ascii=False) + "\n")
    log.flush()
