"""The way of one cell of the panel, from a publisher's file to the figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from deficits.errors import PanelError
from deficits.formatting import MINUS, financial_year, year_given
from deficits.panel.panel import Panel
from deficits.panel.schema import FIGURES
from deficits.publications import PUBLICATIONS
from deficits.publications.editions import DERIVED
from deficits.publications.section251_outturn import FROM_PERCENTAGE
from deficits.validation import known_word


@dataclass(frozen=True)
class Trace:
    """How a cell came about, a line a step; printed as text."""

    title: str
    steps: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([self.title, *(f"  {step}" for step in self.steps)])


def trace(panel: Panel, authority: str | int, year: int | str, figure: str) -> Trace:
    """The way of a cell: file and line, what it held, sign, unit, corrections, the rule that chose it, its rivals.

    `year` is the panel's (2024, "2024") or a label ("2023-24").

    >>> from deficits.panel import load_panel
    >>> trace(load_panel(), "Kent", 2024, "balance").steps[0]
    'value: −67,167,405 £ (disputed), public by 2024-12-31'

    Raises PanelError for an unknown authority, year or figure, offering the closest.
    """
    ends_in = year_given(year)
    known_word("figure", figure, FIGURES, PanelError)
    code = panel.authorities.resolve(authority, ends_in)
    if (code, ends_in) not in panel.frame.index:
        known = panel.frame.xs(code, level="authority").index
        name = panel.authorities.name(code)
        raise PanelError(f"{name} has no year {ends_in}: the panel has it from {known.min()} to {known.max()}")
    row = panel.frame.loc[(code, ends_in)]
    title = f"{figure} of {row['name']} ({code}), {financial_year(ends_in)}: {FIGURES[figure].meaning}"
    steps = [f"value: {_value(row, figure)}"]
    if pd.notna(row[f"{figure}_source"]):
        steps += _file(panel, row[f"{figure}_source"], row[f"{figure}_basis"])
    if figure == "balance":
        first = ", an analyst's own figures first" if panel.own else ""
        steps.append(f"rule between sources: {panel.rule}{first}")
        for name in (each for each in FIGURES if each.startswith("balance_") and pd.notna(row[each])):
            if row[f"{name}_source"] != row["balance_source"]:
                steps.append(f"rival {name}: {_value(row, name)}")
    return Trace(title, tuple(steps))


def _value(row: pd.Series, figure: str) -> str:
    value, basis = row[figure], row[f"{figure}_basis"]
    if pd.isna(value):
        unknown = "not collected for this year, or not from this council"
        return f"none ({unknown if pd.isna(basis) else basis.replace('_', ' ')})"
    shown = f"{value:,.0f}".replace("-", MINUS)
    day = row[f"{figure}_published"]
    public = "" if day.startswith("9999") else f", public by {day}"
    return f"{shown} {FIGURES[figure].unit} ({basis.replace('_', ' ')}){public}"


def _file(panel: Panel, source: str, basis: str) -> Iterator[str]:
    place, _, line = source.rpartition(":")
    folder, _, name = place.partition("/")
    if folder == "own":
        yield f"from {name}, line {line}: the analyst's own file"
        return
    publication = panel.raw.source(folder)
    declared = publication.find(name)
    cells = panel.raw.table(folder, name).iloc[int(line) - 2].dropna()
    edition = f", edition of {declared.published}" if declared.published else ""
    yield f"publication: {publication.title}, {publication.publisher}{edition}"
    if declared.via:
        yield f"tabulated by: {declared.via}"
    yield f"file: data/raw/{place}, line {line}, sha256 {declared.sha256[:12]}…"
    yield "holds: " + ", ".join(f"{column} = {cell}" for column, cell in cells.items())
    if any(each.folder == folder and declared.table in each.turned for each in PUBLICATIONS):
        yield "sign: turned, since the publisher's is positive for a deficit"
    if basis == FROM_PERCENTAGE:
        yield "unit: a percentage of the DSG, times the DSG of the year, to the nearest £1,000"
    elif basis == DERIVED:
        yield "derived: from several columns or rows of the table; this is the first"
    for _, done in panel.corrections[panel.corrections["source"] == source].iterrows():
        before, after = ("missing" if pd.isna(done[at]) else f"{done[at]:,.0f}" for at in ("before", "after"))
        made = f"{done['action']} {done['column']}, {before} became {after}"
        made = f"{done['column']} flagged" if done["action"] == "flag" else made
        yield f"correction: {made}: {done['reason']}"
