"""DfE dedicated schools grant allocations by authority and block, from the yearly workbook (ods, xlsx).

Read is the summary sheet's table *before* recoupment for academies and deductions for places funded directly. Its
columns are named by block and unit (`High needs block (£s)`) under that group's title, the authority's number and
name have no heading, and England stands above, classes and regions below, the authorities. 2019-20 was
published in £ million.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from deficits.errors import SourceError
from deficits.publications.editions import Table
from deficits.publications.files import columns_of, financial_year, heading, number, opened
from deficits.publications.reading import Sheet, open_sheets, refuse, sums_to, table_of
from deficits.raw.authorities import load_authorities

BLOCKS, TOTAL = columns_of("dsg-allocations").values()

_LABELS = ("", "la number", "la code", "lea number", "local authority", "la name", "local authority name", "la")
_UNITS = {"£s": 1.0, "£": 1.0, "£m": 1e6, "£ million": 1e6, "£ millions": 1e6}
_UNIT = re.compile(r"\s*\(([^)]*)\)\s*$")
_KEY = ["financial_year", "dfe_number"]


def parse(path: Path) -> tuple[Table, ...]:
    """The table `allocations`: one row an authority, four blocks and `total_dsg` in £ for the year.

    `financial_year` is the one in the workbook's titles, `la_name` is as printed. City of London and Isles of
    Scilly are not in the workbook. SourceError for a blank cell as well, which is a formula never calculated.
    """
    sheet, year, notes = _summary(path)
    group = _before_deductions(sheet)
    headings = [cell if place in group else "" for place, cell in enumerate(sheet.head[-1])]
    table = sheet.take(BLOCKS | TOTAL, headings=headings)
    money = [*BLOCKS, *TOTAL]
    printed = [sheet.printed[name] for name in money]
    units = {_UNITS.get(heading(match[1])) if (match := _UNIT.search(text)) else None for text in printed}
    if len(units) > 1 or None in units:
        raise SourceError(f"{sheet.name}: expected headings in one unit, {' or '.join(_UNITS)}, found {printed}")
    scale = float(units.pop() or 0)
    table = _labels(sheet).join(table, how="right")
    table.insert(0, "financial_year", year)
    is_council = table["dfe_number"].str.fullmatch(r"\d{3}")
    councils, others = table[is_council], table[~is_council]
    sheet.councils(councils, "dfe_number")
    sheet.refuse_twice(councils, _KEY)
    blank = councils[money].eq("").stack()
    if blank.any():
        line, name = blank.idxmax()
        raise SourceError(
            f"{sheet.name}, line {line}, column '{sheet.printed[name]}': blank. If the cells are formulas "
            "that were never calculated, open the workbook in a spreadsheet program, save it, and give that copy"
        )
    councils = sheet.numbers(councils, money, scale)
    # A binary fraction of £ million is not quite the pence it stands for.
    councils[money] = councils[money].round(2)
    _check_sums(councils, others, scale, sheet.name)
    return (table_of("allocations", councils, _KEY, [*_KEY, "la_name", *money], notes),)


def _summary(path: Path) -> tuple[Sheet, str, list[str]]:
    """The sheet with the blocks as headings, of several the one called a summary, with a note; and the year in its
    title, which must be the one on the information sheet."""
    found = open_sheets(
        path, BLOCKS, enough=3, fold=lambda text: re.sub(" allocations?$", "", heading(_UNIT.sub("", text)))
    )
    chosen = [sheet for sheet in found if "summary" in sheet.name.lower()] if len(found) > 1 else found
    if len(chosen) != 1:
        names = ", ".join(sheet.name.partition(", ")[2] for sheet in found)
        raise SourceError(
            f"{path.name}: {len(found)} sheets have the blocks of the DSG ({names}); keep that of one year alone"
        )
    (sheet,) = chosen
    others = ", ".join(each.name.partition(", ")[2] for each in found if each is not sheet)
    year = financial_year(sheet.title, sheet.name)
    for grid in opened(path):
        if grid.sheet.lower().startswith("information"):
            other = financial_year(" ".join(cell for _, row in grid.rows() for cell in row), grid.name)
            if other != year:
                raise SourceError(f"{sheet.name} is for {year}, but sheet '{grid.sheet}' is for {other}")
    return sheet, year, [f"read from {sheet.name}; {others} has the blocks too"] if others else []


def _before_deductions(sheet: Sheet) -> set[int]:
    """Places of the columns under a title that says `before ... deductions`."""
    for row in sheet.head[:-1]:
        titles = pd.Series(map(heading, row)).replace("", None).ffill().fillna("")
        before = titles.str.contains("before") & titles.str.contains("deduction")
        if before.any():
            return set(titles.index[before])
    raise SourceError(f"{sheet.name}: no columns stand under a title 'before recoupment and deductions'")


def _labels(sheet: Sheet) -> pd.DataFrame:
    """The authorities' numbers and names, by what stands in the columns: they have had no heading."""
    places = {str(place): place for place, cell in enumerate(sheet.head[-1]) if heading(cell) in _LABELS}
    texts = sheet.cells(places)
    known = texts.map(load_authorities().knows)
    if not known.any(axis=None):
        raise SourceError(f"{sheet.name}: expected a column of authorities' DfE numbers such as 202, found none")
    numbered = known.sum().idxmax()
    named = [place for place in texts if texts.loc[known[numbered], place].str.contains("[a-z]").any()]
    if len(named) != 1:
        raise SourceError(f"{sheet.name}: expected one column of authorities' names, found {len(named)}")
    return texts[[numbered, *named]].set_axis(["dfe_number", "la_name"], axis=1)


def _check_sums(councils: pd.DataFrame, others: pd.DataFrame, scale: float, source: str) -> None:
    """Each total is the sum of its blocks, and England the sum of the authorities, which are all in the file."""
    rounding = 0.5 if scale == 1 else 0.0005 * scale
    blocks = councils[[*BLOCKS]].sum(axis=1, skipna=False)
    wrong = councils[(blocks - councils["total_dsg"]).abs() > rounding * 5]
    faults: list[str | None] = [
        f"{source}, line {row.Index}: {row.la_name}'s blocks sum to £{blocks[row.Index]:,.0f}, "
        f"but its total is £{row.total_dsg:,.0f}"
        for row in wrong.itertuples()
    ]
    england = others[(others[["dfe_number", "la_name"]].map(str.lower) == "england").any(axis=1)]
    if len(england) != 1:
        faults.append(f"{source}: expected one row 'England', found {len(england)}")
    for name in [*BLOCKS, *TOTAL]:
        for total in england[name].map(number).dropna():
            faults.append(sums_to(councils[name], total * scale, rounding, f"{source}, England, {name}"))
    refuse(faults)
