"""The command line: each command a line or two into a room.

Rooms are imported inside the commands, so that `deficits --help` does not wait for pandas.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from deficits.errors import DeficitsError, ExitCode, ReportError, ReportFailed
from deficits.wording import financial_year, gbp, gbp_range, percent, year_end

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


@app.command()
def build(folder: Annotated[Path | None, typer.Option("--out", help="Folder to write to.")] = None) -> None:
    """Build the authority-by-year panel from the raw tables and say what is in it."""
    from deficits.panel import load_panel, write
    from deficits.places import processed_dir

    panel = load_panel()
    folder = folder or processed_dir()
    record = write(panel, folder)
    out.print(
        f"Panel: {record['rows']:,} rows, {record['first_year']} to {record['last_year']}, "
        f"{record['authorities']} authorities ({record['authorities_now']} now)"
    )
    out.print("\nNewest of each figure")
    for name, figure in record["figures"].items():
        total = gbp(figure["newest_sum"]) if figure["unit"] == "£" else f"{figure['newest_sum']:,.0f}"
        out.print(
            f"  {name:31}{financial_year(figure['newest_year'])}  {figure['newest_councils']:3} councils  "
            f"sum {total}" + ("" if figure["unit"] == "£" else f" {figure['unit']}")
        )
    out.print("\nSums of councils beside the published figure for England (newest two years)")
    rows = record["reconciliation"]
    for name in dict.fromkeys(row["figure"] for row in rows):
        for row in sorted((row for row in rows if row["figure"] == name), key=lambda row: -row["year"])[:2]:
            money = name not in ("plans",)
            show = gbp if money else "{:,.0f}".format
            out.print(
                f"  {name:31}{financial_year(row['year'])}  {show(row['sum'])} beside {show(row['published'])}: "
                f"{row['state']} ({100 * row['difference']:+.2f}%, {row['councils']} councils; {row['reason']})"
            )
    out.print(f"\nWritten to {folder}")
    if any(row["state"] == "differs" for row in rows):
        raise typer.Exit(ExitCode.DATA_FAILS_CHECK)


@app.command()
def outlook(
    until: Until = 2031,
    draws: Draws = 4000,
    seed: Seed = 1,
    authority: AuthorityOption = None,
    reaches: Annotated[float, typer.Option(help="When does England's gross deficit reach this, in £bn?")] = 5.0,
    csv: Annotated[Path | None, typer.Option(help="Write the quantiles, in £, to this file.")] = None,
) -> None:
    """Project deficits: England, or one council's balance (negative = deficit)."""
    import deficits as d

    projected = d.project(d.load_panel(), until=until, draws=draws, seed=seed)
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
    name: Annotated[str, typer.Argument(help="england, writeoff or authority.")],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter, for example --set authority=Kent. May be repeated."),
    ] = None,
    folder: Annotated[Path | None, typer.Option("--out", help="Folder for the page.")] = None,
) -> None:
    """Render a report to a page."""
    from deficits.places import reports_dir
    from deficits.reporting import render, write_index

    values: dict[str, Any] = {}
    for assignment in assignments or []:
        key, mark, value = assignment.partition("=")
        if not mark:
            raise ReportError(f"--set {assignment}: expected name=value, for example --set draws=1000")
        values[key.strip()] = value.strip()
    folder = folder or reports_dir()
    try:
        page = render(name, values, folder)
    except ReportFailed:
        write_index(folder)
        raise
    write_index(folder)
    out.print(f"Written: {page}")


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
