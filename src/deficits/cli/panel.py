"""Commands on the panel: build, trace, own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from deficits.cli.common import AsOf, OwnFigures, app, out, say_sums
from deficits.errors import ExitCode
from deficits.formatting import financial_year, gbp

RuleOption = Annotated[str, typer.Option(help="Choice among sources: section251, mhclg, lowest or newest.")]


@app.command()
def build(
    folder: Annotated[Path | None, typer.Option("--out", help="Folder to write to.")] = None,
    as_of: AsOf = None,
    rule: RuleOption = "section251",
    own_figures: OwnFigures = None,
    raw: Annotated[Path | None, typer.Option(help="Folder of figures to build from, instead of data/raw.")] = None,
) -> None:
    """Build the authority-by-year panel from the raw tables and say what is in it."""
    from deficits.panel import load_panel, write
    from deficits.paths import processed_dir

    panel = load_panel(as_of, rule=cast(Any, rule), own=own_figures, raw=raw)
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
    say_sums(record["reconciliation"], newest=2)
    _say_changes(record["changes"])
    out.print(f"\nWritten to {folder}")
    if any(row["state"] == "differs" for row in record["reconciliation"]):
        raise typer.Exit(ExitCode.DATA_FAILS_CHECK)


@app.command()
def trace(
    authority: Annotated[str, typer.Argument(help="A council, by name, DfE number or ONS code.")],
    year: Annotated[str, typer.Argument(help="A financial year like 2023-24.")],
    figure: Annotated[
        str, typer.Argument(help="A figure of the panel, for example balance or plans.")
    ] = "balance",
    as_of: AsOf = None,
    own_figures: OwnFigures = None,
) -> None:
    """Show where one figure comes from: file, line, sign, unit, correction, rule, rivals."""
    from deficits.panel import load_panel
    from deficits.panel import trace as way

    out.print(repr(way(load_panel(as_of, own=own_figures), authority, year, figure)))


@app.command()
def own(
    file: Annotated[Path, typer.Argument(help="A CSV or workbook: a row a council and year, or a year a column.")],
    authority: Annotated[str | None, typer.Option(help="Whose figures, where the file names nobody.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of amounts: £, £000 or £m.")] = None,
    deficits_positive: Annotated[
        bool, typer.Option("--deficits-positive", help="A positive number is a deficit.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Amounts that depart from the council's published record are right.")
    ] = False,
) -> None:
    """Check a file of your own balances and keep it, for `--own` and for reports.

    Amounts are in £, negative for a deficit, unless their heading says otherwise (£000; deficit). What is not
    certain is asked about, and nothing is kept then.
    """
    from deficits.panel import Answers, keep_own, load_panel

    panel, answers = load_panel(), Answers(authority, unit, deficits_positive, accept)
    kept, figures = keep_own(file, panel.frame, panel.authorities, answers)
    for row in figures.kept.to_dict("records"):
        out.print(f"  {row['name']:31}{financial_year(row['year'])}  {gbp(row['value'])}  {row['status']}")
    for reading in figures.readings:
        out.print(f"{reading}.")
    if len(figures.paths):
        out.print("Forecasts are kept as the council's own path; that of a year that has not ended is no balance.")
    out.print(f"Kept as {kept.name}: use it with --own {kept.name}")


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
