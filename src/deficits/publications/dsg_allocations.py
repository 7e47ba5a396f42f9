"""DfE dedicated schools grant allocations by authority and block, from the yearly workbook (ods, xlsx).

Read is the summary sheet's table *before* recoupment for academies and deductions for places funded directly. The
workbook for 2021-22 names its columns by block and unit (`High needs block (£s)`) under that group's title, leaves
the authority's number and name without a heading, and has England above, and classes and regions below, the
authorities. 2019-20 was published in £ million.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from deficits.authorities import load_authorities, plain_code
from deficits.errors import SourceError
from deficits.publications.editions import REPORTED, Reader, candidates, financial
from deficits.publications.publication import GovUk, Publication, Table
from deficits.publications.reading import (
    Rows,
    Workbook,
    below,
    columns_by_meaning,
    dfe_numbers,
    figures,
    financial_year,
    heading,
    keyed_gaps,
    number,
    refuse,
    refuse_twice,
    sums_to,
)

BLOCKS: dict[str, tuple[str, ...]] = {
    "schools_block": ("schools block", "schools block allocation"),
    "central_school_services_block": (
        "central school services block",
        "central school services block allocation",
        "central schools services block",
        "cssb",
    ),
    "high_needs_block": ("high needs block", "high needs block allocation"),
    "early_years_block": ("early years block", "early years block allocation"),
}
"""The four blocks and the headings they have, without the unit."""

TOTAL: dict[str, tuple[str, ...]] = {"total_dsg": ("total dsg allocation", "total dsg", "total dsg allocations")}

_LABELS = ("", "la number", "la code", "lea number", "local authority", "la name", "local authority name", "la")
_UNITS = {"£s": 1.0, "£": 1.0, "£m": 1e6, "£ million": 1e6, "£ millions": 1e6}
_UNIT = re.compile(r"\s*\(([^)]*)\)\s*$")
_KEY = ("financial_year", "dfe_number")


def parse(path: Path) -> tuple[Table, ...]:
    """The table `allocations`: one row an authority, four blocks and `total_dsg` in £ for the year.

    `financial_year` is the one in the workbook's titles, `la_name` is as printed. England, classes and regions are
    in `dropped`; City of London and Isles of Scilly are not in the workbook.

    SourceError for another workbook, a missing block, a cell that is blank or no number, an authority twice or
    unknown, a total that is not the sum of its blocks, and authorities that do not sum to the England row.
    """
    sheets = dict(Workbook(path))
    sheet, notes = _summary(path.name, sheets)
    source, rows = f"{path.name}, sheet '{sheet}'", sheets[sheet]
    top = _heading_row(rows)
    year = _year(sheets, rows[: top + 1], source)
    group = _before_deductions(rows[: top + 1], source)
    plain = [_UNIT.sub("", str(cell)) if place in group else "" for place, cell in enumerate(rows[top])]
    places = columns_by_meaning(plain, BLOCKS | TOTAL, source)
    printed = {name: str(rows[top][place]) for name, place in places.items()}
    scale = _scale(list(printed.values()), source)

    labels = dict(zip(("dfe_number", "la_name"), _label_columns(rows, top, source), strict=True))
    table = below(rows, top, labels | places, labels)
    table.insert(0, "financial_year", year)
    is_council = table["dfe_number"].str.fullmatch(r"\d{3}")
    councils = table[is_council]
    dfe_numbers(councils, ["dfe_number"], "la_name", source)
    refuse_twice(councils, _KEY, source)
    counted, gaps = figures(councils, printed, source, scale)
    if (gaps["symbol"] == "").any():
        line, name = gaps.loc[gaps["symbol"] == "", ["line", "column"]].iloc[0]
        raise SourceError(
            f"{source}, line {line}, column '{printed[name]}': blank. If the cells are formulas that were never "
            "calculated, open the workbook in a spreadsheet program, save it, and give that copy"
        )
    # A binary fraction of £ million is not quite the pence it stands for.
    counted[[*places]] = counted[[*places]].round(2)
    _check_sums(counted, table[~is_council], scale, source)
    labels = table["dfe_number"].where(table["dfe_number"] != "", table["la_name"])[~is_council]
    # The rows below the headings that only name formulas, [A] + [B], are no one's label.
    dropped = tuple(label for label in labels if label and not label.startswith("["))
    return (
        Table(
            "allocations", counted.reset_index(drop=True), _KEY, keyed_gaps(gaps, counted, _KEY), dropped, notes
        ),
    )


def _heading_row(rows: Rows) -> int:
    """The row with three or more of the blocks as headings; -1 where there is none."""
    for place, row in enumerate(rows):
        plain = {heading(_UNIT.sub("", str(cell))) for cell in row}
        if sum(bool(plain.intersection(words)) for words in BLOCKS.values()) >= 3:
            return place
    return -1


def _summary(name: str, sheets: dict[str, Rows]) -> tuple[str, tuple[str, ...]]:
    """The sheet with the blocks as headings; of several the one called a summary, with a note."""
    found = [sheet for sheet, rows in sheets.items() if _heading_row(rows) >= 0]
    chosen = [sheet for sheet in found if "summary" in sheet.lower()] if len(found) > 1 else found
    if len(chosen) == 1:
        others = ", ".join(sheet for sheet in found if sheet != chosen[0])
        return chosen[0], (f"read from sheet '{chosen[0]}'; {others} has the blocks too",) if others else ()
    if found:
        raise SourceError(
            f"{name}: {len(found)} sheets have the blocks of the DSG ({', '.join(found)}); keep the one with the "
            "allocations of one year and delete the others"
        )
    raise SourceError(
        f"{name}: no sheet has the blocks of the DSG as headings (sheets: {', '.join(sheets)}). "
        "Expected DfE's dedicated schools grant allocations"
    )


def _year(sheets: dict[str, Rows], head: Rows, source: str) -> str:
    """The year in the summary's title, which must be the one on the information sheet."""
    year = financial_year(" ".join(str(cell) for row in head for cell in row), source)
    for sheet, rows in sheets.items():
        if sheet.lower().startswith("information"):
            other = financial_year(" ".join(str(cell) for row in rows for cell in row), f"sheet '{sheet}'")
            if other != year:
                raise SourceError(f"{source} is for {year}, but sheet '{sheet}' is for {other}")
    return year


def _before_deductions(head: Rows, source: str) -> set[int]:
    """Places of the columns under a title that says `before ... deductions`."""
    for row in head[:-1]:
        title, before = "", set()
        for place, cell in enumerate(row):
            title = heading(cell) or title
            if "before" in title and "deduction" in title:
                before.add(place)
        if before:
            return before
    raise SourceError(f"{source}: expected columns under a title 'before recoupment and deductions', found none")


def _scale(headings: list[str], source: str) -> float:
    units = {text: _UNITS.get(heading(match[1])) if (match := _UNIT.search(text)) else None for text in headings}
    scale = next(iter(units.values()))
    if len(set(units.values())) > 1 or scale is None:
        raise SourceError(
            f"{source}: expected one unit, {' or '.join(_UNITS)}, in the headings, found {list(units)}"
        )
    return scale


def _label_columns(rows: Rows, top: int, source: str) -> tuple[int, int]:
    """Places of the authority's number and name, by what stands in them: they have had no heading."""
    texts = {
        place: pd.Series([plain_code(row[place]) for row in rows[top + 1 :]])
        for place, cell in enumerate(rows[top])
        if heading(cell) in _LABELS
    }
    known = {place: column.map(load_authorities().knows) for place, column in texts.items()}
    numbered = max(texts, key=lambda place: known[place].sum(), default=-1)
    if numbered < 0 or not known[numbered].any():
        raise SourceError(f"{source}: expected a column of authorities' DfE numbers such as 202, found none")
    named = [place for place in texts if texts[place][known[numbered]].str.contains("[a-z]").any()]
    if len(named) != 1:
        raise SourceError(f"{source}: expected one column of authorities' names, found {len(named)}")
    return numbered, named[0]


def _check_sums(councils: pd.DataFrame, others: pd.DataFrame, scale: float, source: str) -> None:
    """Each total is the sum of its blocks, and England the sum of the authorities, which are all in the file."""
    rounding = 0.5 if scale == 1 else 0.0005 * scale
    blocks = councils[[*BLOCKS]].sum(axis=1, skipna=False)
    wrong = councils[(blocks - councils["total_dsg"]).abs() > rounding * 5]
    faults: list[str | None] = [
        f"{source}, line {line}: {row.la_name}'s blocks sum to £{blocks[line]:,.0f}, "
        f"but its total is £{row.total_dsg:,.0f}"
        for line, row in zip(wrong.index, wrong.itertuples(), strict=True)
    ]
    england = others[
        (others[["dfe_number", "la_name"]].apply(lambda text: text.str.lower()) == "england").any(axis=1)
    ]
    if len(england) != 1:
        faults.append(f"{source}: expected one row 'England', found {len(england)}")
    for name in [*BLOCKS, *TOTAL]:
        for total in england[name].map(number):
            printed = None if total is None else total * scale
            faults.append(sums_to(councils[name], printed, rounding, f"{source}, England, {name}"))
    refuse(faults)


# --- what it gives the panel


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """DSG by block, £, before recoupment and deductions."""
    rows = reader.read("dsg-allocations", "allocations", [*BLOCKS, *TOTAL], financial("financial_year"))
    values = {block: rows[block] for block in BLOCKS} | {"dsg_total": rows["total_dsg"]}
    yield candidates(rows, values, REPORTED)


PUBLICATION = Publication(
    folder="dsg-allocations",
    address=GovUk(
        "/government/publications/dedicated-schools-grant-dsg-{version}",
        r"\ballocations?\b",
        collection="/government/collections/dedicated-schools-grant-dsg",
    ),
    page="https://www.gov.uk/government/collections/dedicated-schools-grant-dsg",
    short=("dsg", "allocations"),
    parse=parse,
    load=load,
    reads=frozenset({"allocations"}),
)
