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
    retire: Annotated[
        list[str] | None,
        typer.Option("--retire-correction", help="A correction that the new edition no longer needs."),
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="A correction to make in the new edition although its figures moved.")
    ] = None,
    accept: Annotated[
        str | None, typer.Option(help="Why the figures that were asked about are right; kept with them.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the newest edition out again.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="What can be fetched, and from where.")] = False,
) -> None:
    """Add a publication's newest figures to the raw tables; without a name, list what can be fetched.

    Nothing is written unless the figures with the new edition build, agree with what is published for England and
    project. DEFICITS_EES_RELEASES, DEFICITS_EES_API and DEFICITS_GOVUK may name mirrors of the content API and the
    public API of explore education statistics, and of www.gov.uk/api/content.
    """
    from deficits import fetch as room

    if publication is None and (file or version or undo):
        raise room.FetchError("name a publication: `deficits fetch` alone lists them")
    if publication is None or listed:
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
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ask publishers what they have now; fail when a newer edition is out.")
    ] = False,
    raw: Annotated[Path | None, typer.Option(help="Folder of figures to check, instead of data/raw.")] = None,
) -> None:
    """Check sums of councils against published figures, and editions against the publication calendar."""
    from deficits.fetch import news
    from deficits.panel import check_panel, load_panel
    from deficits.publications import PUBLICATIONS
    from deficits.publications.publication import ByHand

    panel = load_panel(raw=raw)
    checked = check_panel(panel)
    say_sums(checked.sums.to_dict("records"))
    out.print("\nEditions held, and when a newer one is due")
    for row in checked.editions.to_dict("records"):
        late = "  OVERDUE: `deficits fetch` it" if row["overdue"] else ""
        out.print(f"  {row['publication']:31}{row['newest']:12}next {row['next_expected']}{late}")
    newer = False
    for publication in (each for each in PUBLICATIONS if fresh and not isinstance(each.address, ByHand)):
        other, words = news(publication, panel.raw)
        newer |= other
        todo = ": `deficits fetch` it" if other else ""
        out.print(f"  {publication.folder:31}asked now: {words}{todo}")
    if not checked.sums_agree or (fresh and (newer or not checked.fresh)):
        raise typer.Exit(ExitCode.DATA_FAILS_CHECK)
