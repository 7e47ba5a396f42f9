"""The command line: each command a line or two into a room.

Rooms are imported inside the commands, so that `deficits --help` does not wait for pandas.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from deficits.errors import DeficitsError, ExitCode, ReportError, closest
from deficits.wording import financial_year, gbp, gbp_range, percent, year_end

if TYPE_CHECKING:
    from deficits.reporting import Outcome

app = typer.Typer(
    help="SEND deficits in England's councils: published figures, an outlook, partial write-offs, reports. "
    "Exit codes: 0 done, 2 bad input, 3 data fails a check, 4 a report failed, 5 out of time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Until = Annotated[int, typer.Option(help="Last year end: 2031 is 31 March 2031.")]
Draws = Annotated[int, typer.Option(help="Number of draws.")]
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]
AuthorityOption = Annotated[str | None, typer.Option(help="One council, by name, DfE number or ONS code.")]


AsOf = Annotated[str | None, typer.Option(help="Leave out what was published after this day, like 2025-09-17.")]
OwnFigures = Annotated[
    str | None, typer.Option("--own", help="Your own balances: a CSV, or one `deficits own` kept.")
]
RuleOption = Annotated[str, typer.Option(help="Choice among sources: section251, mhclg, lowest or newest.")]


@app.command()
def fetch(
    publication: Annotated[str | None, typer.Argument(help="A folder of data/raw or a short name.")] = None,
    version: Annotated[
        str | None, typer.Option(help="Another edition than the newest; with --file the day it was published.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="The publisher's file, downloaded by hand.")] = None,
    raw: Annotated[Path | None, typer.Option(help="Folder of figures to add to, instead of data/raw.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="What can be fetched, and how.")] = False,
) -> None:
    """Add a publication's newest figures to the raw tables; without a name, list what can be fetched."""
    from deficits.sources.fetch import fetch as add
    from deficits.sources.fetch import listing
    from deficits.sources.http import progress_on

    if publication is None or listed:
        for held in listing(raw):
            out.print(f"{held.publication:26}newest {held.newest or 'undated':12}{held.how}", markup=False)
        return
    with progress_on(err) as progress:
        fetched = add(publication, version=version, file=file, raw=raw, progress=progress)
    for line in fetched.lines():
        out.print(line, markup=False)


@app.command()
def build(
    folder: Annotated[Path | None, typer.Option("--out", help="Folder to write to.")] = None,
    as_of: AsOf = None,
    rule: RuleOption = "section251",
    own_figures: OwnFigures = None,
) -> None:
    """Build the authority-by-year panel from the raw tables and say what is in it."""
    from deficits.panel import load_panel, write
    from deficits.places import processed_dir

    panel = load_panel(as_of, rule=cast(Any, rule), own=own_figures)
    folder = folder or processed_dir()
    record = write(panel, folder)
    out.print(
        f"Panel: {record['rows']:,} rows, {record['first_year']} to {record['last_year']}, "
        f"{record['authorities']} authorities ({record['authorities_now']} now), "
        f"{record['corrected_cells']} cells corrected"
    )
    out.print("\nNewest of each figure")
    for name, figure in record["figures"].items():
        total = gbp(figure["newest_sum"]) if figure["unit"] == "£" else f"{figure['newest_sum']:,.0f}"
        out.print(
            f"  {name:31}{financial_year(figure['newest_year'])}  {figure['newest_councils']:3} councils  "
            f"sum {total}" + ("" if figure["unit"] == "£" else f" {figure['unit']}")
        )
    _say_sums(record["reconciliation"], newest=2)
    _say_changes(record["changes"])
    out.print(f"\nWritten to {folder}")
    if any(row["state"] == "differs" for row in record["reconciliation"]):
        raise typer.Exit(ExitCode.DATA_FAILS_CHECK)


@app.command()
def check(
    fresh: Annotated[bool, typer.Option("--fresh", help="Fail too when a newer edition is overdue.")] = False,
) -> None:
    """Check sums of councils against published figures, and editions against the publication calendar."""
    from deficits.panel import check_panel, load_panel

    checked = check_panel(load_panel())
    _say_sums(checked.sums.to_dict("records"))
    out.print("\nEditions held, and when a newer one is due")
    for row in checked.editions.to_dict("records"):
        late = "  OVERDUE: `deficits fetch` it" if row["overdue"] else ""
        out.print(f"  {row['publication']:31}{row['newest']:12}next {row['next_expected']}{late}")
    if not checked.sums_agree or (fresh and not checked.fresh):
        raise typer.Exit(ExitCode.DATA_FAILS_CHECK)


@app.command()
def trace(
    authority: Annotated[str, typer.Argument(help="A council, by name, DfE number or ONS code.")],
    year: Annotated[str, typer.Argument(help="A financial year like 2023-24.")],
    figure: Annotated[
        str, typer.Argument(help="A figure of the panel, for example balance or plans.")
    ] = "balance",
    own_figures: OwnFigures = None,
) -> None:
    """Show where one figure comes from: file, line, sign, unit, correction, rule, rivals."""
    from deficits.panel import load_panel
    from deficits.panel import trace as way

    out.print(repr(way(load_panel(own=own_figures), authority, year, figure)), markup=False)


@app.command()
def own(
    file: Annotated[
        Path, typer.Argument(help="A CSV with columns authority, year, balance; status and note optional.")
    ],
) -> None:
    """Check a CSV of your own balances and keep it, for `--own` and for reports."""
    from deficits.panel import keep_own, load_panel

    kept, rows = keep_own(file, load_panel())
    for row in rows.to_dict("records"):
        out.print(f"  {row['name']:31}{financial_year(row['year'])}  {gbp(row['value'])}  {row['basis']}")
    out.print(f"Kept as {kept.name}: use it with --own {kept.name}")


def _say_sums(rows: list[dict[str, Any]], newest: int | None = None) -> None:
    out.print("\nSums of councils beside the published figure for England")
    for name in dict.fromkeys(row["figure"] for row in rows):
        show = "{:,.0f}".format if name == "plans" else gbp
        for row in sorted((row for row in rows if row["figure"] == name), key=lambda row: -row["year"])[:newest]:
            out.print(
                f"  {name:31}{financial_year(row['year'])}  {show(row['sum'])} beside {show(row['published'])}: "
                f"{row['state']} ({100 * row['difference']:+.2f}%, {row['councils']} councils; {row['reason']})"
            )


def _say_changes(changes: dict[str, Any] | None) -> None:
    if changes is None:
        out.print("\nNo earlier build to compare with")
        return
    out.print("\nDifferences from the build before" + ("" if changes else ": none"))
    for name, change in changes.items():
        told = f"{change['added']} added, {change['removed']} removed, {change['changed']} changed"
        if change["largest"]:
            code, year, before, after = change["largest"]
            told += f"; largest {code} in {financial_year(year)}: {before:,.0f} to {after:,.0f}"
        out.print(f"  {name:31}{told}")


@app.command()
def outlook(
    until: Until = 2031,
    draws: Draws = 4000,
    seed: Seed = 1,
    authority: AuthorityOption = None,
    as_of: AsOf = None,
    own_figures: OwnFigures = None,
    reaches: Annotated[float, typer.Option(help="When does England's gross deficit reach this, in £bn?")] = 5.0,
    csv: Annotated[Path | None, typer.Option(help="Write the quantiles, in £, to this file.")] = None,
) -> None:
    """Project deficits: England, or one council's balance (negative = deficit)."""
    import deficits as d

    projected = d.project(d.load_panel(as_of, own=own_figures), until=until, draws=draws, seed=seed)
    if authority is None:
        frame = projected.england().loc["gross"]
        out.print("Gross deficit of England's councils (8 in 10 draws lie in the range)")
    else:
        code = projected.code(authority)
        frame = projected.authority(code)
        out.print(f"DSG balance of {projected.panel.authorities.name(code)}, negative = deficit")
    for year, row in frame.iterrows():
        ranged = gbp(row["p50"]) if year == projected.years[0] else gbp_range(row["p10"], row["p90"])
        out.print(
            f"  {year_end(int(year))}  {ranged}"
            + ("" if year == projected.years[0] else f", middle {gbp(row['p50'])}")
        )
    if authority is None:
        reach = projected.reaches(reaches * 1e9)
        likely = ", ".join(
            f"{percent(chance)} by {year_end(int(year))}" for year, chance in reach.probability.items()
        )
        out.print(f"At or above {gbp(reaches * 1e9)}: {likely}")
    for warning in projected.warnings:
        err.print(f"Note: {warning}")
    if csv:
        frame.to_csv(csv)


@app.command()
def writeoff(
    scheme: Annotated[str, typer.Argument(help="A scheme's name or a YAML file; `deficits schemes` lists them.")],
    share: Annotated[float | None, typer.Option(help="Another share than the scheme's, 0 to 1.")] = None,
    until: Until = 2031,
    draws: Draws = 4000,
    seed: Seed = 1,
    authority: AuthorityOption = None,
    csv: Annotated[Path | None, typer.Option(help="Write the result by council, in £, to this file.")] = None,
) -> None:
    """Apply a write-off scheme: who is paid what, what is left, how soon it is back."""
    import deficits as d

    design = d.Scheme.read(scheme, **({} if share is None else {"share": share}))
    result = design.apply(d.project(d.load_panel(), until=until, draws=draws, seed=seed))
    councils = result.by_authority()
    out.print(f"{design.title}: {design.terms()}")
    if authority is not None:
        code = result.outlook.code(authority)
        row = councils.loc[code]
        out.print(
            f"{row['name']}: grant {gbp_range(row['grant_p10'], row['grant_p90'])}, middle {gbp(row['grant_p50'])}"
        )
    else:
        summary = result.summary()
        for name, row in summary.iterrows():
            out.print(f"  {str(name).replace('_', ' '):24}{_told(row)}")
    if csv:
        councils.to_csv(csv)


@app.command()
def schemes() -> None:
    """List the write-off schemes that come with the package."""
    from deficits.writeoff import Scheme, scheme_names

    for name in scheme_names():
        scheme = Scheme.read(name)
        out.print(f"{name:30}{scheme.status:16}{scheme.terms()}")


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
) -> None:
    """Render reports to pages: all of them, or those named. One that fails leaves the others."""
    from deficits.places import reports_dir
    from deficits.reporting import How, Limits, exit_code, index_is_current, make, plan, write_index

    values = _assigned(assignments or [])
    values |= {key: value for key, value in {"scheme": scheme, "as_of": as_of}.items() if value is not None}
    if engine not in ("deficits", "plain"):
        raise ReportError(f"--engine {engine}: {closest(engine, ['deficits', 'plain'])}")
    limits = Limits(cell=cell_seconds, report=page_seconds, memory=memory)
    how = How(limits, cast(Any, engine), jobs, only_stale, cluster)
    pages = plan(names or (), authorities or (), values)
    folder = folder or reports_dir()
    with _PageProgress(len(pages)) as progress:
        outcomes = make(pages, folder, how, progress.say)
    if not index_is_current(folder):
        write_index(folder)
    _say_outcomes(outcomes, folder)
    raise typer.Exit(exit_code(outcomes))


@app.command()
def verify(
    pages: Annotated[list[Path], typer.Argument(help="Pages that `deficits report` has made.")],
) -> None:
    """Make pages again from their own run records and say what differs, if anything."""
    from deficits.reporting import verify as checked

    results = [checked(page) for page in pages]
    for result in results:
        for line in result.lines():
            out.print(line, markup=False)
    if not all(result.same for result in results):
        raise typer.Exit(ExitCode.DATA_FAILS_CHECK)


def _assigned(assignments: list[str]) -> dict[str, Any]:
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


def _told(row: Any) -> str:
    if row["unit"] == "£":
        return f"{gbp_range(row['p10'], row['p90'])}, middle {gbp(row['p50'])}"
    if row["unit"] == "share of draws":
        return percent(row["p50"])
    places = 1 if row["unit"] == "years" else 0
    return f"{row['p10']:.{places}f} to {row['p90']:.{places}f} {row['unit']}, middle {row['p50']:.{places}f}"


def main() -> None:
    """Run the command line; an error of ours is one message and its exit code, never a traceback."""
    try:
        app()
    except DeficitsError as error:
        err.print(f"deficits: {error}", markup=False)
        sys.exit(int(error.exit_code))


if __name__ == "__main__":
    main()
