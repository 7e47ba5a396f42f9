"""Commands on forecasts: forecasts list, issue, verify, score, diff, explain; voi."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from deficits.assumptions import FIRST_YEAR, assumed
from deficits.cli.common import (
    LAST_HORIZON,
    YEAR,
    AuthorityOption,
    Draws,
    Seed,
    Until,
    app,
    folder_held,
    out,
    within,
)
from deficits.errors import ProjectionError
from deficits.formatting import gbp, percent, year_end

if TYPE_CHECKING:
    import pandas as pd

ledger = typer.Typer(help="The forecast ledger: projections as they were issued, never changed, and scored.")
app.add_typer(ledger, name="forecasts")

LEDGER_UNTIL = int(assumed("projection", "ledger_last_year").number)
Folder = Annotated[Path | None, Option("--folder", parser=folder_held, help="Another ledger than the project's.")]
OVERRIDE_ENDS = int(assumed("override", "ends").number)
END_GIVEN = within(YEAR, f"a year from {FIRST_YEAR} to {LAST_HORIZON}", FIRST_YEAR, LAST_HORIZON)
YearEnd = Annotated[int, Option("--year", parser=END_GIVEN, help="Year end of the estimate.")]


@ledger.command("list")
def listed(folder: Folder = None) -> None:
    """The entries, oldest first, each with its hash."""
    from deficits.projection.forecasts import entries

    for entry in entries(folder):
        out.print(f"{entry.name}  {entry.hash[:16]}  {entry.facts['note']}")


@ledger.command()
def issue(
    name: Annotated[str, Argument(help="What the entry is called, after the day.")],
    note: Annotated[str, Option(help="What a reader must know, above all of figures that were not seen.")],
    until: Until = LEDGER_UNTIL,
    draws: Draws = 4000,
    seed: Seed = 1,
    folder: Folder = None,
) -> None:
    """Add today's projection to the ledger."""
    from deficits import load_panel, project
    from deficits.projection.forecasts import issue as add

    entry = add(project(load_panel(), until=until, draws=draws, seed=seed), name, note, folder)
    out.print(f"forecasts/{entry.name}, hash {entry.hash}")


@ledger.command()
def verify(folder: Folder = None) -> None:
    """Check that every entry is byte for byte as it was issued; exit 2 names the first that is not."""
    from deficits.projection.forecasts import entries
    from deficits.projection.forecasts import verify as check

    newest = check(folder)
    out.print(f"{len(entries(folder))} entries, all as issued; newest hash {newest}")


@ledger.command()
def score(folder: Folder = None) -> None:
    """Score every entry, and other people's published forecasts, against what has come out since."""
    from deficits import load_panel
    from deficits.projection.forecasts import entries, skill
    from deficits.projection.forecasts import score as scored

    panel = load_panel()
    for row in scored(panel, folder).itertuples():
        about = f"{row.forecaster}: {row.area} at {row.target_end_date}, {row.n} outturns"
        inside = "" if row.within_80 != row.within_80 else f", {percent(row.within_80)} in the 80% range"
        out.print(f"{about}: error {gbp(row.error)}, CRPS {gbp(row.crps)}{inside}")
    for entry in entries(folder):
        better = skill(entry, panel)
        if better.empty:
            out.print(f"{entry.name}: nothing that it forecast for a council has come out yet")
        for row in better.itertuples():
            by_council = f"{percent(row.councils_low)} to {percent(row.councils_high)} by council"
            by_region = f"{percent(row.regions_low)} to {percent(row.regions_high)} by region"
            out.print(
                f"{entry.name}: councils at {row.target_end_date}, {row.n} outturns: CRPS {percent(row.skill)} "
                f"below that of the last value (95%: {by_council}, {by_region})",
            )


@ledger.command()
def diff(
    first: Annotated[str, Argument(help="The older entry, by its folder or its name.")],
    second: Annotated[str, Argument(help="The newer entry.")],
    year: YearEnd = OVERRIDE_ENDS,
    authority: AuthorityOption = None,
    folder: Folder = None,
) -> None:
    """Why the central estimate moved between two entries: data by day and publication, method, assumptions."""
    from deficits import load_panel
    from deficits.projection.forecasts import diff as explained
    from deficits.projection.forecasts import entries, entry

    held = entries(folder)
    steps = explained(entry(first, held), entry(second, held), load_panel(), year, authority)
    out.print(f"{'Gross deficit of England' if authority is None else authority}, {year_end(year)}, £")
    _print_steps(steps)


@ledger.command()
def explain(
    publisher: Annotated[str, Argument(help="Whose forecast: OBR, London Councils.")],
    draws: Draws = 4000,
    seed: Seed = 1,
) -> None:
    """From somebody else's newest forecast to today's projection, cause by cause; takes a minute or two."""
    from deficits import load_panel, project
    from deficits.projection.forecasts import from_forecast

    _print_steps(from_forecast(project(load_panel(), draws=draws, seed=seed), publisher))


def _print_steps(steps: pd.DataFrame) -> None:
    for cause, row in steps.iterrows():
        change = "" if row["change"] != row["change"] else f"{row['change']:+18,.0f}"
        out.print(f"  {row['value']:18,.0f} {change:18}  {cause}")


@app.command()
def voi(
    year: YearEnd = OVERRIDE_ENDS, authority: AuthorityOption = None, draws: Draws = 4000, seed: Seed = 1
) -> None:
    """Which figures that are not held would narrow the 80% range at a year end most, were they known."""
    from deficits import load_panel, project
    from deficits.projection.voi import value_of_information

    projection = project(load_panel(), until=max(year, OVERRIDE_ENDS), draws=draws, seed=seed)
    found = value_of_information(projection, year, authority)
    if found.empty:
        first = projection.base_year + 2
        raise ProjectionError(f"--year: found {year}, expected {first} or later: no figure to come lies before it")
    out.print(f"80% range at {year_end(year)}: {gbp(found['width'].iloc[0])} wide. Knowing these would take off:")
    for figure, row in found.iterrows():
        out.print(f"  {percent(row['narrowing']):>5}  {figure}")
