"""Commands that make, check and serve pages: report, verify, explore."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.progress import MofNCompleteColumn, Progress

from deficits.cli.common import AsOf, ScenarioFile, app, err, out
from deficits.errors import ExitCode, ReportError, closest

if TYPE_CHECKING:
    from deficits.reports import Outcome


@app.command()
def report(
    names: Annotated[
        list[str] | None, typer.Argument(help="Reports to make; without a name, all of them.")
    ] = None,
    authorities: Annotated[
        list[str] | None,
        typer.Option(
            help="Councils with a page: all (the default), a region, or names or codes divided by commas."
        ),
    ] = None,
    scheme: Annotated[str | None, typer.Option(help="A write-off scheme instead of the usual one.")] = None,
    as_of: AsOf = None,
    scenario: ScenarioFile = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter, for example --set authority=Kent. May be repeated."),
    ] = None,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder for the pages.")] = None,
    only_stale: Annotated[
        bool, typer.Option("--only-stale", help="Leave pages whose data, code and parameters are unchanged.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Pages at once; as many as there are processors.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="deficits: a forked process a page. plain: a Jupyter kernel a page.")
    ] = "deficits",
    cluster: Annotated[str | None, typer.Option(help="A dask scheduler, like tcp://host:8786.")] = None,
    cell_seconds: Annotated[float, typer.Option(min=1, help="Longest time for a cell.")] = 300,
    page_seconds: Annotated[float, typer.Option(min=1, help="Longest time for a page.")] = 900,
    memory: Annotated[int, typer.Option(min=64, help="MB that a page may take for itself.")] = 4096,
    base_url: Annotated[
        str | None, typer.Option(help="Where the pages will stand, for links in the feed.")
    ] = None,
    every_days: Annotated[
        int, typer.Option(min=1, help="Days until the list of pages counts as out of date.")
    ] = 31,
) -> None:
    """Render reports to pages: all of them, or those named. One that fails leaves the others.

    Of the run's end, the command in DEFICITS_NOTIFY_COMMAND and the address in DEFICITS_NOTIFY_URL are told.
    """
    from deficits.paths import reports_dir
    from deficits.reports import How, Limits, exit_code, make, plan, write_index
    from deficits.reports.notify import Notified

    folder = folder or reports_dir()
    with Notified(folder, base_url, lambda line: err.print(f"deficits: {line}", markup=False)) as run:
        values = _texts(assignments or [])
        options = {"scheme": scheme, "as_of": as_of, "scenario": scenario}
        values |= {key: value for key, value in options.items() if value is not None}
        if engine not in ("deficits", "plain"):
            raise ReportError(f"--engine {engine}: {closest(engine, ['deficits', 'plain'])}")
        limits = Limits(cell=cell_seconds, report=page_seconds, memory=memory)
        how = How(limits, cast(Any, engine), jobs, only_stale, cluster)
        pages = plan(names or (), authorities or (), values)
        with _PageProgress(len(pages)) as progress:
            outcomes = make(pages, folder, how, run.hears(progress.say))
        # Also when nothing was made: the list says until when it holds, and that moves with each run.
        write_index(folder, base_url=base_url, every_days=every_days)
        _say_outcomes(outcomes, folder)
    raise typer.Exit(exit_code(outcomes))


@app.command()
def verify(
    pages: Annotated[list[Path], typer.Argument(help="Pages that `deficits report` has made.")],
) -> None:
    """Make pages again from their own run records and say what differs, if anything."""
    from deficits.reports import verify as checked

    results = [checked(page) for page in pages]
    for result in results:
        for line in result.lines():
            out.print(line, markup=False)
    if not all(result.same for result in results):
        raise typer.Exit(ExitCode.DATA_FAILS_CHECK)


def _texts(assignments: list[str]) -> dict[str, Any]:
    """Parameters as texts: the report's own model reads them."""
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, mark, value = assignment.partition("=")
        if not mark:
            raise ReportError(f"--set {assignment}: expected name=value, for example --set draws=1000")
        values[key.strip()] = value.strip()
    return values


class _PageProgress:
    """A bar on a terminal, a line a page elsewhere; a failure is told at once on either."""

    def __init__(self, pages: int) -> None:
        self._pages, self._done = pages, 0
        self._bar = Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=err, transient=True)
        self._task = self._bar.add_task("Pages", total=pages)

    def __enter__(self) -> _PageProgress:
        if err.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if err.is_terminal:  # elsewhere rich ends with an empty line, for which cron would send a mail
            self._bar.stop()

    def say(self, outcome: Outcome) -> None:
        """Tell of a page that is done."""
        self._done += 1
        self._bar.advance(self._task)
        if outcome.state == "failed":
            err.print(f"deficits: {outcome.message}", markup=False)
        elif not err.is_terminal and outcome.state == "made":
            out.print(f"{self._done}/{self._pages} {outcome.page}, {outcome.seconds:.1f} s", markup=False)


def _say_outcomes(outcomes: list[Outcome], folder: Path) -> None:
    counted = Counter(outcome.state for outcome in outcomes)
    told = ", ".join(f"{counted[state]} {state}" for state in ("made", "unchanged", "failed") if counted[state])
    if len(outcomes) == 1 and counted["made"]:
        out.print(f"Written: {folder / outcomes[0].page}.html", markup=False)
    else:
        out.print(f"{len(outcomes)} pages: {told}. Open {folder / 'index.html'}", markup=False)


@app.command()
def explore(
    place: Annotated[str, typer.Argument(help="England, a region or a council to begin with.")] = "England",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8866,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
) -> None:
    """Open the explorer in a browser: move a lever and see it. Ctrl-C ends it."""
    from deficits.explorer import serve

    serve(port, not no_browser, place=place, say=lambda line: out.print(line, markup=False))
