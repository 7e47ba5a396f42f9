"""The same pages by the workers of a dask cluster: `pip install 'deficits[cluster]'`.

A worker makes a page as this machine would and sends back its files; this machine puts them in place. Workers are
best started with one thread each (`dask worker --nthreads 1`), since a worker makes one page at a time.
"""

from __future__ import annotations

import atexit
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from deficits.errors import ExitCode, ReportError, ReportFailed
from deficits.reports import shared
from deficits.reports.asked import Asked
from deficits.reports.engine import ForkServer, can_fork
from deficits.reports.fanout import How, Outcome, Told, page_job, render_plain
from deficits.reports.publish import FAILED, Fault, put_in_place, record_failure
from deficits.reports.record import RunRecord, Surroundings, surroundings

ENDINGS = (".json", ".ipynb", ".html")
"""Of a page's files, in the order in which they are put in place."""
CONNECTING = 30
"""Seconds to reach the scheduler."""

_one_at_a_time = Lock()


def on_cluster(pages: Sequence[Asked], out_dir: Path, how: How, found: Surroundings) -> Iterator[Outcome]:
    """Each page by a worker of the cluster at `how.cluster`.

    Raises ReportError when dask.distributed is not installed, ReportFailed when the scheduler cannot be reached.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise ReportError("--cluster needs dask: pip install 'deficits[cluster]'") from None
    try:
        client = Client(how.cluster, timeout=CONNECTING)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ReportFailed(f"no scheduler answers at {how.cluster}: {error}") from None
    projections = shared.needed(one.values for one in pages)
    with client:
        futures = {}
        for one in pages:
            job = {**page_job(one, out_dir, how, found), "out": None, "before": _last_good(out_dir, one)}
            futures[client.submit(work, job, projections, pure=False, key=f"page-{one.page}")] = one
        for future in as_completed(futures):  # type: ignore[no-untyped-call]
            one = futures[future]
            fault = future.exception()
            if fault is None:
                yield _put(one, out_dir, found, *future.result())
            else:
                yield _fail(one, out_dir, f"the worker ended: {type(fault).__name__}: {fault}")


def _last_good(out_dir: Path, asked: Asked) -> str | None:
    page = out_dir / f"{asked.page}.html"
    return page.read_text(encoding="utf-8") if page.is_file() else None


def work(job: Mapping[str, Any], projections: Sequence[Mapping[str, Any]]) -> tuple[Outcome, dict[str, str]]:
    """On a worker: make a page and give its files, or the record of its failure."""
    with _one_at_a_time, tempfile.TemporaryDirectory(prefix="deficits-") as folder:
        mine = {**job, "out": folder, "found": _found_here().model_dump()}
        if mine.pop("before") is not None:  # the page says what has changed since
            (Path(folder) / f"{job['page']}.html").write_text(job["before"], encoding="utf-8", newline="\n")
        outcome = _in_a_fork(mine, projections) if can_fork() else render_plain(mine)
        names = [f"{job['page']}{ending}" for ending in ([FAILED] if outcome.state == "failed" else ENDINGS)]
        found = [Path(folder) / name for name in names]
        return outcome, {path.name: path.read_text(encoding="utf-8") for path in found if path.is_file()}


def _in_a_fork(job: Mapping[str, Any], projections: Sequence[Mapping[str, Any]]) -> Outcome:
    told = Told()
    told.starts(Asked.of(job["name"], job["values"]))
    outcomes = (told.hear(event, Path(job["out"])) for event in _server(json.dumps(projections)).run([dict(job)]))
    return next(outcome for outcome in outcomes if outcome is not None)


@lru_cache(maxsize=1)
def _server(projections: str) -> ForkServer:
    """The worker's fork server, kept for the run's other pages."""
    server = ForkServer(json.loads(projections))
    atexit.register(server.close)
    return server


@cache
def _found_here() -> Surroundings:
    return surroundings()


def _put(asked: Asked, out_dir: Path, found: Surroundings, outcome: Outcome, files: Mapping[str, str]) -> Outcome:
    page = asked.page
    if outcome.state == "failed":
        put_in_place(out_dir, files)
        return outcome
    content = RunRecord.model_validate_json(files[f"{page}.json"]).content
    if (content.source, content.python) != (
        found.source,
        found.python,
    ) or found.data.items() - content.data.items():
        return _fail(asked, out_dir, "the worker has other data, another Python or other code than this machine")
    put_in_place(out_dir, {f"{page}{ending}": files[f"{page}{ending}"] for ending in ENDINGS})
    (out_dir / f"{page}{FAILED}").unlink(missing_ok=True)
    return outcome


def _fail(asked: Asked, out_dir: Path, message: str) -> Outcome:
    record_failure(out_dir, asked, Fault("Worker", message))
    return Outcome(asked.page, "failed", 0.0, f"report '{asked.page}' failed: {message}", ExitCode.REPORT_FAILED)
