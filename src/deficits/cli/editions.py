"""Commands that add published figures and check them: fetch, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deficits.cli.common import app, err, out, say_sums
from deficits.errors import ExitCode


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
    from deficits.fetch.fetch import fetch as add
    from deficits.fetch.fetch import listing
    from deficits.fetch.http import progress_on

    if publication is None or listed:
        for held in listing(raw):
            out.print(f"{held.publication:26}newest {held.newest or 'undated':12}{held.how}", markup=False)
        return
    with progress_on(err) as progress:
        fetched = add(publication, version=version, file=file, raw=raw, progress=progress)
    for line in fetched.lines():
        out.print(line, markup=False)


@app.command()
def check(
    fresh: Annotated[bool, typer.Option("--fresh", help="Fail too when a newer edition is overdue.")] = False,
) -> None:
    """Check sums of councils against published figures, and editions against the publication calendar."""
    from deficits.panel import check_panel, load_panel

    checked = check_panel(load_panel())
    say_sums(checked.sums.to_dict("records"))
    out.print("\nEditions held, and when a newer one is due")
    for row in checked.editions.to_dict("records"):
        late = "  OVERDUE: `deficits fetch` it" if row["overdue"] else ""
        out.print(f"  {row['publication']:31}{row['newest']:12}next {row['next_expected']}{late}")
    if not checked.sums_agree or (fresh and not checked.fresh):
        raise typer.Exit(ExitCode.DATA_FAILS_CHECK)
