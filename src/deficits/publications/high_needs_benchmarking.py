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
    refuse_twice,
)

_LABELS: dict[str, tuple[str, ...]] = {
    "dfe_number": ("la code", "la number"),
    "la_name": ("la name", "local authority"),
    "region": ("region",),
    "pop_2_18": ("2-18 population",),
    "ehc_plans_0_25": ("no. aged up to 25 with sen statement or ehcp", "no. aged up to 25 with ehcp"),
}
_AMOUNTS: dict[str, tuple[str, ...]] = {
    "place_funding": ("place funding",),
    "top_up_state": ("top up funding (maintained schools, academies, free schools and colleges)",),
    "top_up_non_maintained_and_independent": (
        "top up funding (non-maintained and independent schools and colleges)",
    ),
    "sen_support_and_inclusion": ("sen support and inclusion services",),
    "alternative_provision": ("alternative provision services",),
    "hospital_education": ("hospital education services",),
    "therapies": ("therapies and other health related services",),
}
_BLOCKS = {"budget": "section 251 budget", "outturn": "section 251 outturn"}
_KEY = ("financial_year", "dfe_number")


def parse(path: Path) -> tuple[Table, ...]:
    """One table, `spend`: a row an authority, `financial_year` as on the sheet.

    `budget_...` is planned and `outturn_...` spent, £ in the year, positive = spending; place funding is before
    recoupment in the budget and after it in the outturn, so the two do not compare. `pop_2_18` in people,
    `ehc_plans_0_25` in plans. `region` is the workbook's (London in two parts), in title case.

    Raises SourceError when no sheet has the headings, a column is missing, an amount is neither number nor symbol,
    an authority is unknown or stands twice, or the years on the sheet differ.
    """
    headed = [(sheet, rows, at) for sheet, rows in Workbook(path) if (at := _heading_row(rows)) is not None]
    if len(headed) != 1:
        found = ", ".join(sheet for sheet, _, _ in headed) or "none"
        raise SourceError(
            f"{path.name}: expected one sheet with the headings 'LA code' and '{_BLOCKS['budget']}', found {found}"
        )
    sheet, rows, at = headed[0]
    source = f"{path.name}, sheet '{sheet}'"
    # The year of the population projection changes with the edition.
    labels = [re.sub(r" \(ons [^)]*\)$", "", heading(cell)) for cell in rows[at]]
    places = columns_by_meaning(labels, _LABELS, source)
    for block, words in _BLOCKS.items():
        found_at = columns_by_meaning(_block(rows, at, words, source), _AMOUNTS, f"{source}, block '{words}'")
        places |= {f"{block}_{amount}": place for amount, place in found_at.items()}
    chosen = below(rows, at, places, ("dfe_number", "la_name", "region"))
    # calamine gives no text for a spreadsheet error such as #REF!, so one is a blank here.
    is_authority = chosen["dfe_number"].str.fullmatch(r"\d{3}")
    others = chosen.loc[~is_authority, ["region", "dfe_number", "la_name"]].agg(" ".join, axis=1).str.split()
    dropped = [" ".join(words) for words in others if words]
    authorities = chosen[is_authority].copy()
    if authorities.empty:
        raise SourceError(f"{source} has headings and no authority; download it again")
    dfe_numbers(authorities, ["dfe_number"], "la_name", source)
    refuse_twice(authorities, ["dfe_number"], source)

    counted = [column for column in places if column not in ("dfe_number", "la_name", "region")]
    authorities, gaps = figures(authorities, {name: name for name in counted}, source)
    # Councils that have ended keep a row in the tool, without a single amount.
    ended = authorities.filter(regex="^(budget|outturn)_").isna().all(axis=1)
    dropped += [f"{row.la_name} ({row.dfe_number}): no amounts" for row in authorities[ended].itertuples()]
    authorities = authorities[~ended].copy()
    authorities.insert(0, "financial_year", _financial_year(rows[:at], source))
    authorities["region"] = authorities["region"].str.title()
    missing = keyed_gaps(gaps, authorities, _KEY)
    return (Table("spend", authorities.reset_index(drop=True), _KEY, missing, tuple(dropped)),)


def _heading_row(rows: Rows) -> int | None:
    """The row with the authorities' headings, in a sheet that has a block's words over it."""
    for at, row in enumerate(rows[:20]):
        words = {heading(cell) for above in rows[:at] for cell in above}
        if any(heading(cell) in _LABELS["dfe_number"] for cell in row) and set(_BLOCKS.values()) & words:
            return at
    return None


def _block(rows: Rows, at: int, words: str, source: str) -> list[str]:
    """The names of a block's amounts in their columns, blank elsewhere.

    A block is an unbroken run of names in the row over the headings, with the block's words above one of them.
    """
    labels = [column for row in rows[: at - 1] for column, cell in enumerate(row) if heading(cell) == words]
    if len(labels) != 1:
        raise SourceError(f"{source}: expected '{words}' once over the headings, found it {len(labels)} times")
    names = [heading(cell) for cell in rows[at - 1]]
    first = max((place + 1 for place in range(labels[0]) if not names[place]), default=0)
    end = next((place for place in range(labels[0], len(names)) if not names[place]), len(names))
    return [name if first <= place < end else "" for place, name in enumerate(names)]


def _financial_year(rows: Rows, source: str) -> str:
    """The year next to the word "Year", which stands over each block."""
    years = sorted({heading(right) for row in rows for left, right in pairwise(row) if heading(left) == "year"})
    if len(years) != 1:
        raise SourceError(
            f"{source}: expected one financial year next to 'Year', found {', '.join(years) or 'none'}"
        )
    return financial_year(years[0], source)


PUBLICATION = Publication(
    folder="high-needs-benchmarking",
    address=GovUk("/government/publications/high-needs-benchmarking-tool", r"benchmarking.?tool"),
    page="https://www.gov.uk/government/publications/high-needs-benchmarking-tool",
    short=("benchmarking",),
    parse=parse,
)
