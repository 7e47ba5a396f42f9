"""Commands on the panel: fetch what goes into it, build, check, trace, own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer import Argument, Option

from deficits.cli.common import AsOf, OwnFigures, Several, app, err, out, say_sums
from deficits.errors import ExitCode
from deficits.formatting import financial_year, gbp


@app.command()
def fetch(
    publication: Annotated[str | None, Argument(help="A folder of data/raw or a short name.")] = None,
    version: Annotated[str | None, Option(help="An older edition; with --file its day of publication.")] = None,
    file: Annotated[Path | None, Option(help="The publisher's file, downloaded by hand.")] = None,
    raw: Annotated[Path | None, Option(help="Folder of figures to add to, instead of data/raw.")] = None,
    retire: Annotated[Several, Option("--retire-correction", help="A correction no longer needed.")] = None,
    keep: Annotated[Several, Option(help="A correction to make although its figures moved.")] = None,
    accept: Annotated[str | None, Option(help="Why the figures asked about are right; kept with them.")] = None,
    undo: Annotated[bool, Option("--undo", help="Take the newest edition out again.")] = False,
) -> None:
    """Add a publication's newest figures to the raw tables; without a name, list what can be fetched.

    Nothing is written unless the figures with the new edition build, agree with what is published for England and
    project. DEFICITS_EES_RELEASES, DEFICITS_EES_API and DEFICITS_GOVUK may name mirrors of the content API and the
    public API of explore education statistics, and of www.gov.uk/api/content.
    """
    from deficits import fetch as room

    if publication is None:
        if file or version or undo:
            raise room.FetchError("name a publication: `deficits fetch` alone lists them")
        for name, newest, address in room.listing(raw):
            out.print(f"{name:26}newest {newest:12}{address}")
        return
    if undo and (file or version):
        raise room.FetchError("--undo takes the newest edition out, whichever it is: give no --file or --version")
    with err.status("Trying the figures: a moment"):
        if undo:
            done = room.undo(publication, raw=raw)
        else:
            decided = {"retire": retire or (), "keep": keep or ()}
            done = room.fetch(publication, version=version, file=file, raw=raw, accept=accept, **decided)
    for line in done.lines:
        out.print(room.printable(line))


@app.command()
def check(
    fresh: Annotated[bool, Option("--fresh", help="Ask publishers; fail when a newer edition is out.")] = False,
) -> None:
    """Check sums of councils against published figures, and editions against the publication calendar."""
    from deficits.fetch import news
    from deficits.panel import calendar, load_panel, reconcile
    from deficits.publications import PUBLICATIONS
    from deficits.publications.editions import ByHand

    panel = load_panel()
    sums, editions = reconcile(panel), calendar(panel)
    say_sums(sums.to_dict("records"))
    out.print("\nEditions held, and when a newer one is due")
    for row in editions.to_dict("records"):
        late = "  OVERDUE: `deficits fetch` it" if row["overdue"] else ""
        out.print(f"  {row['publication']:31}{row['newest']:12}next {row['next_expected']}{late}")
    failed = sums["state"].eq("differs").any() or (fresh and editions["overdue"].any())
    for publication in (each for each in PUBLICATIONS if fresh and not isinstance(each.address, ByHand)):
        other, words = news(publication, panel.raw)
        failed |= other
        todo = ": `deficits fetch` it" if other else ""
        out.print(f"  {publication.folder:31}asked now: {words}{todo}")
    if failed:
        raise typer.Exit(ExitCode.DATA_FAILS_CHECK)


@app.command()
def build(
    folder: Annotated[Path | None, Option("--out", help="Folder to write to.")] = None,
    as_of: AsOf = None,
    rule: Annotated[str, Option(help="Choice among sources: section251, mhclg, lowest or newest.")] = "section251",
    own_figures: OwnFigures = None,
) -> None:
    """Build the authority-by-year panel from the raw tables and say what is in it."""
    from deficits.panel import load_panel, write
    from deficits.paths import processed_dir

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
    say_sums(record["reconciliation"], newest=2)
    changes = record["changes"]
    compared = "\nDifferences from the build before" + ("" if changes else ": none")
    out.print("\nNo earlier build to compare with" if changes is None else compared)
    for name, change in (changes or {}).items():
        told = f"{change['added']} added, {change['removed']} removed, {change['changed']} changed"
        if change["largest"]:
            code, year, before, after = change["largest"]
            told += f"; largest {code} in {financial_year(year)}: {before:,.0f} to {after:,.0f}"
        out.print(f"  {name:31}{told}")
    out.print(f"\nWritten to {folder}")
    if any(row["state"] == "differs" for row in record["reconciliation"]):
        raise typer.Exit(ExitCode.DATA_FAILS_CHECK)


@app.command()
def trace(
    authority: Annotated[str, Argument(help="A council, by name, DfE number or ONS code.")],
    year: Annotated[str, Argument(help="A financial year like 2023-24.")],
    figure: Annotated[str, Argument(help="A figure of the panel, for example balance or plans.")] = "balance",
    as_of: AsOf = None,
    own_figures: OwnFigures = None,
) -> None:
    """Show where one figure comes from: file, line, sign, unit, correction, rule, rivals."""
    from deficits.panel import load_panel
    from deficits.panel import trace as way

    out.print(repr(way(load_panel(as_of, own=own_figures), authority, year, figure)))


@app.command()
def own(
    file: Annotated[Path, Argument(help="A CSV or workbook: a row a council and year, or a year a column.")],
    authority: Annotated[str | None, Option(help="Whose figures, where the file names nobody.")] = None,
    unit: Annotated[str | None, Option(help="Unit of amounts: £, £000 or £m.")] = None,
    deficits_positive: Annotated[bool, Option("--deficits-positive", help="Positive is a deficit.")] = False,
    accept: Annotated[bool, Option("--accept", help="Amounts far from the published record are right.")] = False,
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
