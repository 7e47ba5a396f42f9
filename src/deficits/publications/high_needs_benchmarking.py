"""High needs benchmarking tool (DfE): section 251 budget and outturn by type of spending, one year a workbook.

The sheet has names of the amounts in one row, "LA code" and the like in the row below, and over the names the
words "Section 251 budget" and "Section 251 outturn". Two more blocks (funding formula, broken in the 2021-22
workbook, and amounts per head) are not read: they have neither.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from deficits.errors import SourceError
from deficits.publications.editions import Table
from deficits.publications.files import columns_of, financial_year, heading
from deficits.publications.reading import Sheet, open_sheet, table_of

_LABELS, _AMOUNTS = columns_of("high-needs-benchmarking").values()
_BLOCKS = {"budget": "section 251 budget", "outturn": "section 251 outturn"}
_KEY = ["financial_year", "dfe_number"]


def parse(path: Path) -> tuple[Table, ...]:
    """One table, `spend`: a row an authority, `financial_year` as on the sheet.

    `budget_...` is planned and `outturn_...` spent, £ in the year, positive = spending; place funding is before
    recoupment in the budget and after it in the outturn, so the two do not compare. `pop_2_18` in people,
    `ehc_plans_0_25` in plans. `region` is the workbook's (London in two parts), in title case.
    """
    # The year of the population projection changes with the edition.
    sheet = open_sheet(path, _LABELS, enough=2, fold=lambda text: re.sub(r" \(ons [^)]*\)$", "", heading(text)))
    rows = sheet.take(_LABELS)
    for block, words in _BLOCKS.items():
        names = {f"{block}_{amount}": spellings for amount, spellings in _AMOUNTS.items()}
        rows = rows.join(sheet.take(names, headings=_block(sheet, words)))
    rows = rows[rows["dfe_number"].str.fullmatch(r"\d{3}")]
    sheet.councils(rows, "dfe_number")
    counted = [name for name in rows if name not in ("dfe_number", "la_name", "region")]
    rows = sheet.numbers(rows, counted)
    # Councils that have ended keep a row in the tool, without a single amount.
    rows = rows[rows.filter(regex=r"^(budget|outturn)_.*(?<!\?)$").notna().any(axis=1)]
    # The year stands next to the word "Year", over each block.
    years = {right for row in sheet.head for left, right in pairwise(row) if heading(left) == "year"}
    if len(years) != 1:
        raise SourceError(f"{sheet.name}: expected one financial year next to 'Year', found {sorted(years)}")
    rows = rows.assign(financial_year=financial_year(years.pop(), sheet.name), region=rows["region"].str.title())
    sheet.refuse_twice(rows, _KEY)
    return (table_of("spend", rows, _KEY, [*_KEY, "la_name", "region", *counted]),)


def _block(sheet: Sheet, words: str) -> list[str]:
    """The names of a block's amounts in their columns, blank elsewhere.

    A block is an unbroken run of names in the row over the headings, with the block's words above one of them.
    """
    *above, names, _ = sheet.head
    at = [place for row in above for place, cell in enumerate(row) if heading(cell) == words]
    if len(at) != 1:
        raise SourceError(f"{sheet.name}: expected '{words}' once over the headings, found it {len(at)} times")
    blanks = [place for place, name in enumerate([*names, ""]) if not heading(name)]
    first = max((place for place in blanks if place < at[0]), default=-1)
    end = min(place for place in blanks if place >= at[0])
    return [name if first < place < end else "" for place, name in enumerate(names)]
