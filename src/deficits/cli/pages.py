"""Commands that make, check and serve pages: report, verify, explore."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import MofNCompleteColumn, Progress
from typer import Argument, Option

from deficits.cli.common import WHOLE, AsOf, ScenarioFile, Several, app, at_least, err, out, pairs, within
from deficits.errors import ExitCode

if TYPE_CHECKING:
    from deficits.reports import PageResult


@app.command()
def report(
    names: Annotated[Several, Argument(help="Reports to make; without a name, all of them.")] = None,
    authorities: Annotated[Several, Option(help="Whose pages: all, a region, or names, with commas.")] = None,
    scheme: Annotated[str | None, Option(help="A write-off scheme instead of the usual one.")] = None,
    as_of: AsOf = None,
    scenario: ScenarioFile = None,
    assignments: Annotated[Several, Option("--set", help="A parameter: authority=Kent. Repeatable.")] = None,
    folder: Annotated[Path | None, Option("--out", help="Folder for the pages.")] = None,
    only_stale: Annotated[bool, Option("--only-stale", help="Leave pages that are up to date.")] = False,
    jobs: Annotated[
        int | None, Option(parser=at_least(1), help="Pages at once; one a processor as usual.")
    ] = None,
    engine: Annotated[
        Literal["deficits", "plain"], Option(help="deficits forks a process a page, plain starts a kernel.")
    ] = "deficits",
    cluster: Annotated[str | None, Option(help="A dask scheduler, like tcp://host:8786.")] = None,
    cell_seconds: Annotated[int, Option(parser=at_least(1), help="Longest time for a cell.")] = 300,
    page_seconds: Annotated[int, Option(parser=at_least(1), help="Longest time for a page.")] = 900,
    memory: Annotated[int, Option(parser=at_least(64), help="MB that a page may take for itself.")] = 4096,
    base_url: Annotated[str | None, Option(help="Where the pages will stand, for links in the feed.")] = None,
    every_days: Annotated[int, Option(parser=at_least(1), help="Days until the pages count as out of date.")] = 31,
    pdf: Annotated[bool, Option("--pdf", help="Also print each council's briefing, one sheet.")] = False,
) -> None:
    """Render reports to pages: all of them, or those named. One that fails leaves the others."""
    from deficits.paths import reports_dir
    from deficits.reports import RunOptions, exit_code, make, plan, write_index
    from deficits.reports.briefing import browser, write_briefings

    folder = folder or reports_dir()
    if scheme:
        from deficits import Scenario

        (Scenario.read(scenario) if scenario else Scenario()).scheme(scheme)  # a misspelt one ends here
    values = pairs("--set", assignments, str, wanted="name=value, for example --set draws=1000")
    options = {"scheme": scheme, "as_of": as_of, "scenario": scenario}
    values |= {key: value for key, value in options.items() if value is not None}
    executor = None
    if cluster:
        from deficits.writeoff.comparison import connected

        executor = connected(cluster).get_executor()
    run = RunOptions(cell_seconds, page_seconds, memory, engine, jobs, only_stale, executor)
    pages = plan(names or (), authorities or (), values)
    if pdf:
        browser()  # one that is missing is told of before anything is made
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    # Elsewhere than on a terminal there is no bar, but a line a page.
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        done = bar.add_task("Pages", total=len(pages))

        def say(result: PageResult) -> None:
            bar.advance(done)
            if result.state == "failed":
                err.print(f"deficits: {result.message}")
            elif not err.is_terminal and result.state == "made":
                out.print(f"{bar.tasks[0].completed}/{len(pages)} {result.page}, {result.seconds:.1f} s")

        results = make(pages, folder, run, say)
    # Also when nothing was made: the front page says until when it holds, and that moves with each run.
    write_index(folder, base_url=base_url, every_days=every_days)
    if pdf:
        councils = [folder / f"{each.page}.html" for each in pages if each.report == "authority"]
        without = [page for page in councils if page.exists() and not page.with_suffix(".pdf").exists()]
        write_briefings(without, run.at_once)
    counted = Counter(result.state for result in results)
    if len(results) == 1 and counted["made"]:
        out.print(f"Written: {folder / results[0].page}.html")
    else:
        told = ", ".join(
            f"{counted[state]} {state}" for state in ("made", "unchanged", "failed") if counted[state]
        )
        out.print(f"{len(results)} pages: {told}. Open {folder / 'index.html'}")
    raise typer.Exit(exit_code(results))


@app.command()
def verify(
    pages: Annotated[list[Path], Argument(help="Pages that `deficits report` has made.")],
) -> None:
    """Make pages again from their own run records and say what differs, if anything."""
    from deficits.reports import verify as checked

    results = [checked(page) for page in pages]
    for result in results:
        out.print(*result.lines(), sep="\n")
    if not all(result.same for result in results):
        raise typer.Exit(ExitCode.DATA_FAILS_CHECK)


@app.command("diff")
def difference(
    before: Annotated[Path, Argument(help="Folder of an earlier run, such as reports/archive/2026-11-03.")],
    now: Annotated[Path, Argument(help="Folder of a later run.")],
    folder: Annotated[Path | None, Option("--out", help="Folder for the page.")] = None,
) -> None:
    """Write one page of what changed between two runs: figures, charts side by side, and causes."""
    from deficits.reports.difference import write_difference

    out.print(f"Written: {write_difference(before, now, folder or now)}")


@app.command()
def explore(
    place: Annotated[str, Argument(help="England, a region or a council to begin with.")] = "England",
    port: Annotated[
        int, Option(parser=within(WHOLE, "1 to 65535", 1, 65535), help="Port on this machine.")
    ] = 8866,
    no_browser: Annotated[bool, Option("--no-browser", help="Do not open a browser.")] = False,
) -> None:
    """Open the explorer in a browser: move a lever and see it. Ctrl-C ends it."""
    from deficits import load_panel, project
    from deficits.explorer import serve

    project(load_panel(), draws=200).place(place)  # a misspelt one is refused before a server starts
    serve(port, not no_browser, place=place, say=out.print)
