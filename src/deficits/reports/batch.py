"""Many pages in one run, each for itself: one that fails costs one page."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from deficits.errors import ExitCode, PanelError, ReportError, ReportFailed, closest
from deficits.paths import write_whole
from deficits.raw.authorities import load_authorities
from deficits.reports.job import Fault, Job, Made, RunOptions, can_fork, context, starting
from deficits.reports.params import REPORTS, PanelReport, check_parameters_cell, find_report, parse, read_notebook
from deficits.reports.record import (
    FAILED,
    FailureRecord,
    as_json,
    differing,
    figures_used,
    in_doubt,
    notebook_digest,
    now,
    read_record,
    why_stale,
    without_folders,
)

LOG = "run-log.jsonl"
"""The last run, a line of JSON a page, in the folder of the pages."""
MAKING = ".making-"
"""How the folders begin in which files are written before they are moved into place."""
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


@dataclass(frozen=True)
class PageResult:
    """What became of one page; `message`: why it failed, or why it was out of date."""

    page: str
    state: Literal["made", "unchanged", "failed"]
    seconds: float = 0.0
    message: str = ""
    exit_code: int = ExitCode.DONE


# Which pages ----------------------------------------------------------------------------------------------------


def plan(
    names: Sequence[str] = (), authorities: Sequence[str] = (), values: Mapping[str, object] | None = None
) -> list[PanelReport]:
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
    known = {key for report in reports for key in report.model_fields}
    faults = [f"{key}: not a parameter of these reports; {closest(key, known)}" for key in values.keys() - known]
    if faults:
        raise ReportError("\n  ".join(sorted(faults)))
    councils = _chosen(authorities) if authorities or "authority" not in values else None
    found: dict[str, PanelReport] = {}
    for report in reports:
        given = {key: value for key, value in values.items() if key in report.model_fields}
        by_council = "authority" in report.model_fields and councils is not None
        for council in [{"authority": code} for code in councils or ()] if by_council else [{}]:
            request = parse(report.report, given | council)
            found.setdefault(request.page, request)
    return list(found.values())


def _chosen(words: Sequence[str]) -> list[str]:
    """DfE numbers of the councils that are meant; ReportError lists what is no region and no council."""
    known = load_authorities()
    regions = known.frame.loc[known.frame["last_year"].isna(), "region"]
    areas = {str(name).casefold(): list(region.index) for name, region in regions.groupby(regions)}
    areas["all"] = list(regions.index)

    def meant(word: str) -> list[str]:
        if word.strip().casefold() in areas:
            return areas[word.strip().casefold()]
        try:
            return [known.resolve(word)]
        except PanelError:
            parts = [part for part in word.split(",") if part.strip()]  # a name may hold a comma itself
            if len(parts) < 2:
                raise
            return [code for part in parts for code in meant(part)]

    found: list[str] = []
    faults = []
    for word in words or ("all",):
        try:
            found += meant(word)
        except PanelError as error:
            faults.append(f"{error}; regions: {', '.join(sorted(regions.unique()))}")
    if faults:
        raise ReportError("--authorities: " + "\n  ".join(faults))
    return list(dict.fromkeys(found))


# Making them ----------------------------------------------------------------------------------------------------


def render(name: str, values: Mapping[str, object], out_dir: Path, **options: Any) -> Path:
    """Make the page of one report and return its path, `<page>.html`; `options` are those of `RunOptions`.

    Raises ReportError when the report, a parameter or the notebook's parameters cell is wrong: nothing has run.
    ReportFailed when the page could not be made: the last good one stays.
    """
    request = parse(name, values)
    (result,) = make([request], out_dir, RunOptions(**options))
    if result.state == "failed":
        raise ReportFailed(result.message)
    return out_dir / f"{request.page}.html"


def make(
    requests: Sequence[PanelReport],
    out_dir: Path,
    options: RunOptions | None = None,
    on_progress: Callable[[PageResult], object] | None = None,
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
    notebooks = {}
    for name, report in {request.report: type(request) for request in requests}.items():
        notebook = read_notebook(report, options.notebook)
        check_parameters_cell(report, notebook)
        notebooks[name] = notebook_digest(notebook)
    results: list[PageResult] = []
    try:
        with _alone(out_dir), _log(out_dir) as log:
            log("start", pages=len(requests), engine=options.engine, at_once=options.at_once)
            for result in _results(requests, notebooks, out_dir, options, today):
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


def _results(
    requests: Sequence[PanelReport], notebooks: Mapping[str, str], out_dir: Path, options: RunOptions, today: date
) -> Iterator[PageResult]:
    found, alone = now(), replace(options, executor=None)
    jobs = {
        request.page: Job(request, today, found, read_record(out_dir / f"{request.page}.json"), alone)
        for request in requests
    }
    with tempfile.TemporaryDirectory(prefix="deficits-") as cache:
        why = {page: ["asked for"] for page in jobs}
        if options.only_stale:
            why = _why_stale(jobs, notebooks, out_dir, options, cache)
        yield from (PageResult(page, "unchanged") for page, reasons in why.items() if not reasons)
        for made in make_all({page: job for page, job in jobs.items() if why[page]}, options, cache):
            yield _put(jobs[made.page], made, out_dir, why[made.page])


def _why_stale(
    jobs: Mapping[str, Job], notebooks: Mapping[str, str], out_dir: Path, options: RunOptions, cache: str
) -> dict[str, list[str]]:
    """Why each page is to be made again, in words; nothing where it still holds.

    Figures are only compared where a file of data has changed; a record keeps that its page's are as they were.
    """
    why, doubtful = {}, []
    for page, job in jobs.items():
        request, record, html = job.request, job.before, out_dir / f"{page}.html"
        why[page] = why_stale(request, record, html, job.found, notebooks[request.report])
        if html.with_suffix(FAILED).exists():
            why[page].append("its last run failed")
        if record is not None and not why[page] and in_doubt(request, record, job.found):
            doubtful.append((request, record, job.found.data_digest))
    if not doubtful:
        return why
    with _executor(options, cache) as executor:
        with starting():
            figures = executor.map(figures_used, [request for request, _, _ in doubtful])
        for (request, record, data), used in zip(doubtful, figures, strict=True):
            why[request.page] = [f"figures: {name}" for name in differing(record.content.figures, used)]
            if not why[request.page]:
                held = record.model_copy(update={"holds_with": data})
                put_in_place(out_dir, {f"{request.page}.json": as_json(held)})
    return why


def make_all(todo: Mapping[str, Job], options: RunOptions, cache: str) -> Iterator[Made]:
    """Pages as they are done. Where a process that makes pages ends for no reason of its own, those that it leaves
    are tried again.
    """
    # The long ones, of which there is one each, before the many: the last page is then a short one.
    many = Counter(job.request.report for job in todo.values())
    waiting = dict(sorted(todo.items(), key=lambda item: many[item[1].request.report]))
    for _ in range(TRIES):
        if not waiting:
            return
        with _executor(options, cache) as executor:
            with starting():
                futures = {executor.submit(_make_page, job): page for page, job in waiting.items()}
            for future in as_completed(futures):
                with suppress(BrokenProcessPool):
                    yield future.result()
                    del waiting[futures[future]]
    fault = Fault("Dead process", "the process that makes pages was ended, more than once")
    yield from (Made(page, 0.0, fault=fault) for page in waiting)


def _make_page(job: Job) -> Made:
    """In another process, which alone loads papermill: see `deficits.reports.execute.make_page`."""
    from deficits.reports.execute import make_page

    return make_page(job)


@contextmanager
def _executor(options: RunOptions, cache: str) -> Iterator[Executor]:
    """What makes pages: the one that was given, or processes here, which end with this one."""
    if options.executor is not None:
        yield options.executor
        return
    before = set(multiprocessing.active_children())
    kind = context() if can_fork() else multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(options.at_once, kind, _start_worker, (cache,))
    try:
        yield pool
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


def _put(job: Job, made: Made, out_dir: Path, why: Sequence[str]) -> PageResult:
    """Put a page in place, or leave a record of its failure and the last good page."""
    page, fault, request = made.page, made.fault, job.request
    if fault is None:
        try:
            if job.before is not None and job.before.run_on < job.today:
                _archive(out_dir, page, job.before.run_on)
            put_in_place(out_dir, {f"{page}{ending}": text for ending, text in made.files.items()})
            for old in (FAILED, ".pdf"):  # a briefing is of the page that it was printed from
                (out_dir / f"{page}{old}").unlink(missing_ok=True)
        except OSError as error:
            message = f"report '{page}' could not be written: {reason(error)}"
            return PageResult(page, "failed", made.seconds, message, ExitCode.REPORT_FAILED)
        return PageResult(page, "made", made.seconds, "; ".join(why))
    record = FailureRecord(
        page=page,
        title=request.heading(),
        failed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        report=request.report,
        parameters=request.model_dump(),
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


def _archive(out_dir: Path, page: str, day: date) -> None:
    """Keep the edition of an earlier day that is about to be replaced. What the archive holds is never changed."""
    kept = out_dir / "archive" / day.isoformat()
    if (kept / f"{page}.html").exists():
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
        with FileLock(out_dir / ".lock", timeout=0):
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
