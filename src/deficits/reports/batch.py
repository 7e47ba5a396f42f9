"""Many pages in one run, each for itself: one that fails costs one page."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from deficits.errors import ExitCode, PanelError, ReportError, ReportFailed, closest
from deficits.paths import write_whole
from deficits.raw.authorities import load_authorities
from deficits.reports.job import Engine, Fault, Job, Limits, Made
from deficits.reports.machine import without_folders
from deficits.reports.params import (
    REPORTS,
    Request,
    check_parameters_cell,
    find_report,
    notebook_path,
)
from deficits.reports.processes import can_fork, context, starting
from deficits.reports.record import (
    BY_FIGURE,
    CHECKED,
    FailureRecord,
    Now,
    RunRecord,
    as_json,
    changed_figures,
    changed_files,
    checked,
    code_digest,
    figures_used,
    notebook_digest,
    now,
    read_record,
    stale,
)

LOG = "run-log.jsonl"
"""The last run, a line of JSON a page, in the folder of the pages."""
LOCK = ".lock"
"""Held by the run that is at work in a folder."""
FAILED = ".failed.json"
"""Ending of a failure record's name, after the page's."""
MAKING = ".making-"
"""How the folders begin in which files are written before they are moved into place."""
ARCHIVE = "archive"
TO_A_PAGE = re.compile(r'href="(?=[\w./-]+\.html")')
"""Begins a link to another page of the folder, which lies two folders up from one in the archive."""
TRIES = 3
"""Times that a page is tried when a process that makes pages ends for no reason of its own."""
PASSED_ON = frozenset(
    {
        *("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "APPDATA", "LOCALAPPDATA"),
        *("TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE", "TZ", "MPLCONFIGDIR", "PYTHONPATH", "PYTHONHOME"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    }
)
PASSED_ON_BEGINNINGS = ("LC_", "OMP_", "OPENBLAS_", "MKL_", "DEFICITS_")
"""What the notebooks of a run are given of the environment: a page cannot print a token that it never had."""


class ReportOutOfTime(ReportFailed):
    """A cell, or the whole report, ran longer than it may."""

    exit_code = ExitCode.OUT_OF_TIME


@dataclass(frozen=True)
class PageResult:
    """What became of one page; `message`: why it failed, or why it was out of date."""

    page: str
    state: Literal["made", "unchanged", "failed"]
    seconds: float = 0.0
    message: str = ""
    exit_code: int = ExitCode.DONE


@dataclass(frozen=True)
class RunOptions:
    """How a run makes its pages.

    `engine`: "deficits" forks a process a page, "plain" starts a Jupyter kernel a page. `jobs`: pages at once;
    None is as many as there are processors to use. `executor`: makes the pages instead of processes here, such as
    `dask.distributed.Client(address).get_executor()`. `notebook`: another than the reports' own.
    """

    limits: Limits = field(default_factory=Limits)
    engine: Engine = "deficits"
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


OnProgress = Callable[[PageResult], object]
Starting = Callable[[], AbstractContextManager[None]]


# Which pages ----------------------------------------------------------------------------------------------------


def plan(
    names: Sequence[str] = (), authorities: Sequence[str] = (), values: Mapping[str, object] | None = None
) -> list[Request]:
    """The pages to make: of the reports named, or of the usual ones; of all authorities unless some are chosen.

    `authorities`: "all", a region, or councils by name, DfE number or ONS code, several divided by commas. A value
    goes to the reports that have such a parameter; one that none of them has is refused.

    Raises ReportError that lists every fault.

    >>> [request.page for request in plan(["england", "authority"], ["Kent, Camden"])]
    ['england', 'authority-kent', 'authority-camden']
    """
    values = dict(values or {})
    usual = [name for name, report in REPORTS.items() if not report.on_request]
    reports = [find_report(name) for name in dict.fromkeys(names or usual)]
    known = {key for report in reports for key in report.model.model_fields}
    faults = [f"{key}: not a parameter of these reports; {closest(key, known)}" for key in values.keys() - known]
    if faults:
        raise ReportError("\n  ".join(sorted(faults)))
    councils = _chosen(authorities) if authorities or "authority" not in values else None
    found: dict[str, Request] = {}
    for report in reports:
        given = {key: value for key, value in values.items() if key in report.model.model_fields}
        by_council = "authority" in report.model.model_fields and councils is not None
        for council in councils or () if by_council else (None,):
            request = Request.of(report.name, given if council is None else {**given, "authority": council})
            found.setdefault(request.page, request)
    return list(found.values())


def _chosen(words: Sequence[str]) -> list[str]:
    """DfE numbers of the councils that are meant; ReportError lists what is no region and no council."""
    known = load_authorities()
    now = [code for code in known.frame.index if known.existed(code)]
    regions = known.frame.loc[now, "region"]
    by_region = {name.casefold(): list(codes) for name, codes in regions.groupby(regions).groups.items()}
    found: list[str] = []
    faults = []
    for word in words or ("all",):
        try:
            found += {"all": now, **by_region}.get(word.strip().casefold()) or _councils(word)
        except PanelError as error:
            faults.append(f"{error}; regions: {', '.join(sorted(regions.unique()))}")
    if faults:
        raise ReportError("--authorities: " + "\n  ".join(faults))
    return list(dict.fromkeys(found))


def _councils(word: str) -> list[str]:
    """Councils by one word or by several divided by commas; a name may hold a comma itself (Bristol, City of)."""
    known = load_authorities()
    try:
        return [known.resolve(word)]
    except PanelError:
        parts = [part for part in word.split(",") if part.strip()]
        if len(parts) < 2:
            raise
        return [known.resolve(part) for part in parts]


def read_cells(request: Request, notebook: Path | None) -> dict[str, Any]:
    """What the file of a report's notebook holds, or of another; ReportError when it is no notebook."""
    path = notebook_path(request.report, notebook)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"cells": list(found["cells"])}
    except (ValueError, KeyError, TypeError):
        raise ReportError(f"{path} is not a notebook") from None


# Making them ----------------------------------------------------------------------------------------------------


def render(name: str, values: Mapping[str, object], out_dir: Path, **options: Any) -> Path:
    """Make the page of one report and return its path, `<page>.html`; `options` are those of `RunOptions`.

    Raises ReportError when the report, a parameter or the notebook's parameters cell is wrong: nothing has run.
    ReportFailed, and its sub-class ReportOutOfTime, when the page could not be made: the last good one stays.
    """
    request = Request.of(name, values)
    (result,) = make([request], out_dir, RunOptions(**options))
    if result.state == "failed":
        raise (ReportOutOfTime if result.exit_code == ExitCode.OUT_OF_TIME else ReportFailed)(result.message)
    return out_dir / f"{request.page}.html"


def make(
    requests: Sequence[Request],
    out_dir: Path,
    options: RunOptions | None = None,
    on_progress: OnProgress | None = None,
    today: date | None = None,
) -> list[PageResult]:
    """Make pages, each for itself: one that fails leaves the others, its last good page and a failure record.

    A page has three files: `<page>.json` (the run record), `<page>.ipynb` (the notebook as it ran) and
    `<page>.html`. They are made elsewhere and moved into place, the page last; the edition that they replace goes
    to `archive/<its day>/`, where nothing is overwritten. `on_progress` is told of each page as it is done.

    Raises ReportError when a notebook's parameters cell is wrong, ReportFailed when another run is at work in the
    folder or the folder cannot be written to.
    """
    options, today = options or RunOptions(), today or datetime.now(UTC).date()
    for request in {request.report.name: request for request in requests}.values():
        check_parameters_cell(request.report, read_cells(request, options.notebook))
    results: list[PageResult] = []
    try:
        with _alone(out_dir), _log(out_dir) as log:
            log("start", pages=len(requests), engine=options.engine, at_once=options.at_once)
            for result in _results(requests, out_dir, options, today):
                results.append(result)
                log("page", **asdict(result) | {"message": without_folders(result.message)})
                if on_progress:
                    on_progress(result)
            log("end", exit=exit_code(results), **Counter(str(one.state) for one in results))
    except OSError as error:
        raise ReportFailed(f"the folder of pages cannot be written to: {reason(error)}") from None
    return results


def exit_code(results: Iterable[PageResult]) -> ExitCode:
    """Of a whole run: out of time when that is all that went wrong.

    >>> exit_code([PageResult("england", "made"), PageResult("authority-kent", "failed", exit_code=4)])
    <ExitCode.REPORT_FAILED: 4>
    """
    codes = {result.exit_code for result in results if result.state == "failed"}
    if not codes:
        return ExitCode.DONE
    return ExitCode.OUT_OF_TIME if codes == {ExitCode.OUT_OF_TIME} else ExitCode.REPORT_FAILED


def _make_page(job: Job) -> Made:
    """In another process, which alone loads papermill: see `deficits.reports.execute.make_page`."""
    from deficits.reports.execute import make_page

    return make_page(job)


def _results(requests: Sequence[Request], out_dir: Path, options: RunOptions, today: date) -> Iterator[PageResult]:
    found = now()
    records = {request.page: read_record(out_dir / f"{request.page}.json") for request in requests}
    why = why_stale(requests, records, out_dir, found, options.notebook) if options.only_stale else {}
    if options.only_stale and not any(why.values()):
        yield from (PageResult(request.page, "unchanged") for request in requests)
        return
    with tempfile.TemporaryDirectory(prefix="deficits-") as cache:
        looked_at = [request for request in requests if why.get(request.page) == [DATA]]
        figures = _figures(looked_at, options, cache) if looked_at else {}
        todo: dict[str, Job] = {}
        held = set(checked(out_dir, found))
        for request in requests:
            page, record = request.page, records[request.page]
            reasons = why.get(page, ["asked for"])
            if reasons == [DATA] and record is not None:
                reasons = why[page] = [
                    f"figures: {name}" for name in changed_figures(record.content, figures[page])
                ]
            if reasons:
                name, values = request.report.name, request.values
                more = (record, options.limits, options.engine, options.notebook)
                todo[page] = Job(name, values, today, found, code_digest(), None, *more)
            else:
                held.add(page)
                yield PageResult(page, "unchanged")
        if options.only_stale:
            told = {"data": found.data_digest, "pages": sorted(held)}
            put_in_place(out_dir, {CHECKED: json.dumps(told) + "\n"})
        by_page = {request.page: request for request in requests}
        for made in make_all(todo, options, cache):
            yield _put(by_page[made.page], made, records[made.page], out_dir, today, why.get(made.page, []))


DATA = "data"
"""Stands for figures that may have changed: which of them have is only worked out when a file has."""


def why_stale(
    requests: Sequence[Request],
    records: Mapping[str, RunRecord | None],
    out_dir: Path,
    found: Now,
    notebook: Path | None = None,
) -> dict[str, list[str]]:
    """Why each page is to be made again, in words; nothing where it still holds. `DATA` alone: see there."""
    reports = {request.report.name: request for request in requests}
    notebooks = {name: notebook_digest(read_cells(one, notebook)) for name, one in reports.items()}
    held, why = checked(out_dir, found), {}
    for request in requests:
        record, page = records[request.page], out_dir / f"{request.page}.html"
        reasons = stale(request, record, page, found, notebooks[request.report.name])
        if page.with_suffix(FAILED).exists():
            reasons.append("its last run failed")
        files = changed_files(record.content, found, request.values) if record else []
        reasons += [f"{name} has changed" for name in files if name.partition("/")[0] not in BY_FIGURE]
        if not reasons and files and request.page not in held:
            reasons = [DATA]
        why[request.page] = reasons
    return why


def _figures(requests: Sequence[Request], options: RunOptions, cache: str) -> dict[str, dict[str, str]]:
    """By page, the figures that it uses now."""
    with _executor(options, cache) as (executor, starting):
        with starting():
            found = executor.map(figures_used, requests)
        return {request.page: figures for request, figures in zip(requests, found, strict=True)}


def make_all(todo: Mapping[str, Job], options: RunOptions, cache: str) -> Iterator[Made]:
    """Pages as they are done. Where a process that makes pages ends for no reason of its own, those that it leaves
    are tried again.
    """
    # The long ones, of which there is one each, before the many: the last page is then a short one.
    many = Counter(job.name for job in todo.values())
    waiting = dict(sorted(todo.items(), key=lambda item: many[item[1].name]))
    for _ in range(TRIES):
        with _executor(options, cache) as (executor, starting):
            with starting():
                futures = {executor.submit(_make_page, job): page for page, job in waiting.items()}
            for future in as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    continue
                del waiting[futures[future]]
        if not waiting:
            return
    fault = Fault("Dead process", "the process that makes pages was ended, more than once")
    yield from (Made(page, 0.0, fault=fault) for page in waiting)


@contextmanager
def _executor(options: RunOptions, cache: str) -> Iterator[tuple[Executor, Starting]]:
    """What makes pages: the one that was given, or processes here, which end with this one; and what to hold while
    it is given jobs.
    """
    if options.executor is not None:
        yield options.executor, nullcontext
        return
    before = set(multiprocessing.active_children())
    kind = context() if can_fork() else multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(options.at_once, kind, _start_worker, (cache,))
    try:
        yield pool, starting
        pool.shutdown()
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            child.kill()
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _start_worker(cache: str) -> None:
    """In a process that makes pages: no secrets, the run's projections, and an end when the run ends."""
    from deficits.reports.cells import end_with_parent

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in PASSED_ON or name.startswith(PASSED_ON_BEGINNINGS)
    }
    os.environ.clear()
    os.environ.update(kept, DEFICITS_CACHE=cache, IPYTHONDIR=cache, PYTHONHASHSEED="0", MPLBACKEND="agg")


# In place -------------------------------------------------------------------------------------------------------


def _put(
    request: Request, made: Made, before: RunRecord | None, out_dir: Path, today: date, why: Sequence[str]
) -> PageResult:
    """Put a page in place, or leave a record of its failure and the last good page."""
    page, fault = made.page, made.fault
    if fault is None:
        try:
            if before is not None:
                _archive(out_dir, page, before, today)
            put_in_place(out_dir, {f"{page}{ending}": text for ending, text in made.files.items()})
            (out_dir / f"{page}{FAILED}").unlink(missing_ok=True)
        except OSError as error:
            message = f"report '{page}' could not be written: {reason(error)}"
            return PageResult(page, "failed", made.seconds, message, ExitCode.REPORT_FAILED)
        return PageResult(page, "made", made.seconds, "; ".join(why))
    record = FailureRecord(
        page=page,
        title=request.title(),
        failed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        report=request.report.name,
        parameters=request.values,
        error=fault.error,
        message=without_folders(fault.message),
        cell=fault.cell,
        source=without_folders(fault.source),
    )
    with suppress(OSError):
        put_in_place(out_dir, {f"{page}{FAILED}": as_json(record)})
    return PageResult(page, "failed", made.seconds, f"report '{page}' failed: {fault}", fault.exit_code)


def put_in_place(out_dir: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder so that none is ever half there: made elsewhere and moved, in their order."""
    out_dir.mkdir(parents=True, exist_ok=True)
    # Inside the folder of the pages: what lies next to it may be another file system, where a move is no longer
    # one step.
    with tempfile.TemporaryDirectory(prefix=MAKING, dir=out_dir) as made_in:
        for name, text in files.items():
            (Path(made_in) / name).write_text(text, encoding="utf-8", newline="\n")
        for name in files:
            (Path(made_in) / name).replace(out_dir / name)


def _archive(out_dir: Path, page: str, before: RunRecord, today: date) -> None:
    """Keep the edition of an earlier day that is about to be replaced. What the archive holds is never changed."""
    kept = out_dir / ARCHIVE / before.run_on.isoformat()
    if before.run_on >= today or (kept / f"{page}.html").exists():
        return
    kept.mkdir(parents=True, exist_ok=True)
    for ending in (".json", ".ipynb", ".html"):
        old = out_dir / f"{page}{ending}"
        if old.exists() and not (kept / old.name).exists():
            text = old.read_text(encoding="utf-8")
            write_whole(kept / old.name, TO_A_PAGE.sub('href="../../', text) if ending == ".html" else text)


@contextmanager
def _alone(out_dir: Path) -> Iterator[None]:
    """Hold the folder for this run; ReportFailed when another has it. The system lets go when a run is killed."""
    out_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out_dir / LOCK, timeout=0):
            for folder in out_dir.glob(f"{MAKING}*"):  # what a killed run has left: only one is at work here
                shutil.rmtree(folder, ignore_errors=True)
            yield
    except Timeout:
        raise ReportFailed("another run is making pages in that folder: wait for it, or choose --out") from None


@contextmanager
def _log(out_dir: Path) -> Iterator[Callable[..., None]]:
    (out_dir / LOG).unlink(missing_ok=True)
    with (out_dir / LOG).open("x", encoding="utf-8") as file:

        def log(event: str, **more: object) -> None:
            when = datetime.now(UTC).isoformat(timespec="seconds")
            file.write(json.dumps({"at": when, "event": event, **more}, ensure_ascii=False) + "\n")
            file.flush()

        yield log


def reason(error: OSError) -> str:
    """Why a file could not be written, without the folder it is in."""
    name = f" ({Path(error.filename).name})" if error.filename else ""
    return f"{error.strerror or error}{name}"
