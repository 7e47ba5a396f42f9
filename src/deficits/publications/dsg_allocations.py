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
from deficits.publications.cells import columns_by_meaning, heading, number
from deficits.publications.delimited import figures, keyed_gaps, refuse_twice
from deficits.publications.editions import REPORTED, Reader, candidates, financial
from deficits.publications.publication import GovUk, Publication, Table
from deficits.publications.reading import financial_year, refuse, sums_to
from deficits.publications.workbook import Rows, Workbook

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

_NUMBER_HEADINGS = ("la number", "la code", "lea number", "local authority number", "local authority code")
_NAME_HEADINGS = ("local authority", "la name", "local authority name", "la")
_UNITS = {"£s": 1.0, "£": 1.0, "£m": 1e6, "£ million": 1e6, "£ millions": 1e6}
_UNIT = re.compile(r"\s*\(([^)]*)\)\s*$")
_KEY = ["financial_year", "dfe_number"]


def parse(path: Path) -> tuple[Table, ...]:
    """The table `allocations`: one row an authority, four blocks and `total_dsg` in £ for the year.

    `financial_year` is the one in the workbook's titles, `la_name` is as printed. England, classes and regions are
    in `dropped`; City of London and Isles of Scilly are not in the workbook.

    SourceError for another workbook, a missing block, a cell that is no number, an authority twice or unknown, a
    total that is not the sum of its blocks, and authorities that do not sum to the England row.
    """
    book = Workbook(path)
    sheet, top, rows = _summary(book)
    where = f"{path.name}, sheet '{sheet}'"
    year = _year(book, rows[: top + 1], where)
    group = _before_deductions(rows[: top + 1], where)
    plain = [heading(_UNIT.sub("", str(cell))) if place in group else "" for place, cell in enumerate(rows[top])]
    places = columns_by_meaning(plain, BLOCKS | TOTAL, where)
    scale = _scale(rows[top], places, where)

    body = pd.DataFrame(rows[top + 1 :], index=range(top + 2, len(rows) + 1))
    number_at, name_at = _label_columns(rows[top], body, where)
    numbers = body[number_at].map(plain_code)
    is_council = numbers.str.fullmatch(r"\d{3}")
    table = pd.DataFrame({name: body[place] for name, place in places.items()})
    table.insert(0, "financial_year", year)
    table.insert(1, "dfe_number", numbers)
    table.insert(2, "la_name", body[name_at].map(plain_code))
    councils = table[is_council]
    _refuse_unknown(councils, where)
    refuse_twice(councils, _KEY, where)
    counted, gaps = figures(councils, places, where, dict.fromkeys(places, scale))
    # A binary fraction of £ million is not quite the pence it stands for.
    counted[[*places]] = counted[[*places]].round(2)
    _check_sums(counted, table[~is_council], scale, where)
    labels = [text or other for text, other in zip(numbers, table["la_name"], strict=True)]
    dropped = tuple(label for label, council in zip(labels, is_council, strict=True) if label and not council)
    return (
        Table(
            "allocations",
            counted.reset_index(drop=True),
            tuple(_KEY),
            keyed_gaps(gaps, counted, _KEY),
            # The rows below the headings that only name formulas, [A] + [B], are no one's label.
            tuple(label for label in dropped if not label.startswith("[")),
        ),
    )


def _summary(book: Workbook) -> tuple[str, int, Rows]:
    """The sheet whose headings are the four blocks, and the row they are in."""
    for sheet in book.sheets:
        rows = book.rows(sheet)
        for place, row in enumerate(rows):
            plain = {heading(_UNIT.sub("", str(cell))) for cell in row}
            if sum(bool(plain.intersection(words)) for words in BLOCKS.values()) >= 3:
                return sheet, place, rows
    raise SourceError(
        f"{book.name}: no sheet has the blocks of the DSG as headings (sheets: {', '.join(book.sheets)}). "
        "Expected DfE's dedicated schools grant allocations"
    )


def _year(book: Workbook, head: Rows, where: str) -> str:
    """The year in the summary's title, which must be the one on the information sheet."""
    year = financial_year(" ".join(str(cell) for row in head for cell in row), where)
    for sheet in book.sheets:
        if sheet.lower().startswith("information"):
            words = " ".join(str(cell) for row in book.rows(sheet) for cell in row)
            told = financial_year(words, f"{book.name}, sheet '{sheet}'")
            if told != year:
                raise SourceError(f"{where} is for {year}, but sheet '{sheet}' is for {told}")
    return year


def _before_deductions(head: Rows, where: str) -> set[int]:
    """Places of the columns under a title that says `before ... deductions`."""
    for row in head[:-1]:
        title = ""
        titles = []
        for cell in row:
            title = heading(cell) or title
            titles.append(title)
        before = {place for place, text in enumerate(titles) if "before" in text and "deduction" in text}
        if before:
            return before
    raise SourceError(f"{where}: expected columns under a title 'before recoupment and deductions', found none")


def _scale(headings: list[object], places: dict[str, int], where: str) -> float:
    found = {}
    for place in places.values():
        match = _UNIT.search(str(headings[place]))
        found[str(headings[place])] = _UNITS.get(heading(match[1])) if match else None
    scales = set(found.values())
    if len(scales) > 1 or None in scales:
        units = " or ".join(_UNITS)
        raise SourceError(f"{where}: expected one unit, {units}, in the headings, found {list(found)}")
    return scales.pop() or 1.0


def _label_columns(headings: list[object], body: pd.DataFrame, where: str) -> tuple[int, int]:
    """Places of the authority's number and name: by heading or, where they have none, by what stands in them."""
    folded = [heading(cell) for cell in headings]
    unnamed = [place for place, text in enumerate(folded) if text in ("", *_NUMBER_HEADINGS, *_NAME_HEADINGS)]
    known = {place: body[place].map(plain_code).map(load_authorities().knows) for place in unnamed}
    numbered = max(unnamed, key=lambda place: known[place].sum(), default=None)
    if numbered is None or not known[numbered].any():
        raise SourceError(f"{where}: expected a column of authorities' DfE numbers such as 202, found none")
    rows = body[known[numbered]]
    named = [
        place for place in unnamed if place != numbered and rows[place].map(plain_code).str.contains("[a-z]").any()
    ]
    if len(named) != 1:
        raise SourceError(f"{where}: expected one column of authorities' names, found {len(named)}")
    return numbered, named[0]


def _refuse_unknown(councils: pd.DataFrame, where: str) -> None:
    faults: list[str | None] = []
    for line, row in zip(councils.index, councils.itertuples(), strict=True):
        try:
            load_authorities().of_codes(row.dfe_number, name=row.la_name)
        except SourceError as error:
            faults.append(f"{where}, line {line}: {error}")
    refuse(faults)


def _check_sums(councils: pd.DataFrame, others: pd.DataFrame, scale: float, where: str) -> None:
    """Each total is the sum of its blocks, and England the sum of the authorities, which are all in the file."""
    rounding = 0.5 if scale == 1 else 0.0005 * scale
    blocks = councils[[*BLOCKS]].sum(axis=1, skipna=False)
    wrong = councils[(blocks - councils["total_dsg"]).abs() > rounding * 5]
    faults: list[str | None] = [
        f"{where}, line {line}: {row.la_name}'s blocks sum to £{blocks[line]:,.0f}, "
        f"but its total is £{row.total_dsg:,.0f}"
        for line, row in zip(wrong.index, wrong.itertuples(), strict=True)
    ]
    england = others[others["dfe_number"].str.lower().eq("england") | others["la_name"].str.lower().eq("england")]
    if len(england) != 1:
        faults.append(f"{where}: expected one row 'England', found {len(england)}")
    for _, row in england.iterrows():
        for name in [*BLOCKS, *TOTAL]:
            total = number(row[name])
            printed = None if total is None else total * scale
            faults.append(sums_to(councils[name], printed, rounding, f"{where}, England, {name}"))
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
