"""MHCLG revenue outturn: the DSG lines and the usable reserves that councils report, by authority.

Two of the ministry's files are read: the **revenue summary (RS) workbook** of one year (xlsx, ods; 2015-16 on),
with opening and closing levels of lines 911 to 916, and the **multi-year data set** (CSV, 2,587 columns, a row an
authority and year), where `RS_resdsgadj_end_cy` is what the workbook calls `RS-resdsgadj-end-cy` in hidden rows,
and `year_ending` is 202403 for 2023-24. Assumed of it, since not seen: its `status` is submitted, not submitted or
total; money is £ thousand.

Levels are given in pounds with the publisher's signs: the DSG adjustment account (line 912) is negative for a
deficit, reserves are positive for money held. DSG lines are taken from returns whose form has line 912: in older
ones many councils put deficits in line 913.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from deficits.errors import SourceError
from deficits.formatting import financial_year as words_for
from deficits.formatting import year_of
from deficits.publications.editions import REPORTED, Reader, Table, candidates
from deficits.publications.files import columns_of, financial_year, heading, number
from deficits.publications.reading import Sheet, one_of, open_sheet, refuse, sums_to, table_of
from deficits.raw.authorities import is_upper_tier

FOLDER = "mhclg-revenue-outturn"
THOUSAND = 1000.0
DSG_LINES = ["dsg_adjustment_account_gbp", "dsg_reserve_gbp"]
"""Lines 912 and 913."""
_OF_OTHERS = r"E(?!06|08|09|10|92)\d{8}"
"""Codes of districts and other bodies."""
_LINE_OF_OTHERS = re.compile(rf'"?20\d{{4}}"?,"?{_OF_OTHERS}'.encode())
_LABELS, _YEARS, _LEVELS, _LINES = columns_of(FOLDER).values()
_DSG = [name for name in _LEVELS if "_dsg_" in name]
_ONLY_EDUCATION = [name for name in _LEVELS if name in _DSG or "_schools_" in name]
"""Levels that only education authorities hold, so that their sum is England's."""
_MAY_LACK = ("certified", "notes", "open_other_earmarked_adjusted_gbp", "close_other_earmarked_adjusted_gbp")
_KEY = ["financial_year", "dfe_number"]


def parse(path: Path) -> tuple[Table, ...]:
    """The tables of a revenue summary workbook (xlsx, ods) or of the multi-year CSV.

    `usable_reserves`: one row an authority and return, opening and closing levels in £.
    `dsg_lines`, of returns with line 912: one row an authority and year end, `dsg_adjustment_account_gbp` (line
    912, negative = deficit) and `dsg_reserve_gbp` (line 913) in £. An opening level is the level at the end of the
    year before; where the multi-year file has that year's own closing level too, the closing level stands.
    """
    sheet, rows = read_cells(path)
    levels = [name for name in _LEVELS if name in rows]
    if multi_year := "status" in rows:
        rows.insert(0, "financial_year", sheet.meaning(rows["year_ending"], _year_ending))
        status = sheet.meaning(rows["status"], one_of("submitted", "not submitted", "total"))
        # A number in a row that was not submitted is the ministry's estimate, not the council's figure.
        if (absent := status == "not submitted").any():
            rows.loc[absent, levels] = "…"
    else:
        rows.insert(0, "financial_year", _year_of(sheet))
    upper = rows["la_code_published"].isin(filter(is_upper_tier, rows["la_code_published"].unique()))
    councils, others = rows[upper].copy(), rows[~upper]
    councils.insert(2, "dfe_number", sheet.councils(councils, "ecode", "la_code_published"))
    sheet.refuse_twice(councils, _KEY)
    councils = sheet.numbers(councils, levels, THOUSAND)
    england = others[others["la_name"].str.upper() == "ENGLAND"]
    faults = _faults(councils, england, [name for name in _ONLY_EDUCATION if name in levels], sheet.name)
    if not multi_year:
        # It stands below the authorities, so a sheet without it was cut short.
        if len(england) != 1:
            faults.append(f"{sheet.name}: expected one row 'ENGLAND', found {len(england)}")
        # A class's row (London boroughs, ...) is the sum of its councils.
        for name, group in others[~others["ecode"].str.fullmatch(r"E\d{4}")].groupby("class"):
            faults += _faults(councils[councils["class"] == name], group, levels, sheet.name)
    refuse(faults)
    words = [name for name in councils if name in (*_KEY, *_LABELS)]
    reserves = [name for name in levels if name not in _DSG]
    tables = [table_of("usable_reserves", councils, _KEY, [*words, *reserves])]
    if _DSG[-1] in levels:
        # Before there was line 912 its column is blank or 0 for everyone.
        used = councils["close_dsg_adjustment_account_gbp"].fillna(0) != 0
        if used.any():
            tables.append(_dsg_lines(councils[used.groupby(councils["financial_year"]).transform("any")]))
    return tuple(tables)


def read_cells(path: Path) -> tuple[Sheet, pd.DataFrame]:
    """The columns that `parse` needs, as text under our names, by line; SourceError names what is missing.

    The other 2,500 columns of the multi-year file are not kept, nor are its rows of districts.
    """
    marks = {name: _LABELS[name] for name in ("la_code_published", "la_name")}
    sheet = open_sheet(path, marks, enough=2, fold=_plain, wanted=lambda name: "time_series" in name)
    headings = set(map(sheet.fold, sheet.head[-1]))
    if "year ending" in headings:
        ids = {name: spelt[1:] for name, spelt in _LEVELS.items()}
        cells = sheet.take(_LABELS | _YEARS | ids, _MAY_LACK, skip=_LINE_OF_OTHERS)
        return sheet, cells[~cells["la_code_published"].str.match(_OF_OTHERS)]
    has_912 = any("dedicated schools grant adjustment account" in text for text in headings)
    words = {name: spelt[:1] for name, spelt in _LEVELS.items() if has_912 or name not in _DSG}
    cells = sheet.take(_LABELS | words, _MAY_LACK)
    # A line number over the words of a column must say the same as they do.
    faults = []
    for name in (name for name in words if name in cells):
        at = sheet.head[-1].index(sheet.printed[name])
        over = {row[at] for row in sheet.head if re.fullmatch(r"9\d\d[a-z]?", row[at])}
        (line,) = _LINES[name.partition("_")[2].removesuffix("_gbp")]
        if over and line not in over:
            column = f"column {at + 1} '{sheet.printed[name]}'"
            faults.append(f"{sheet.name}, {column}: expected line {line} over it, found {', '.join(sorted(over))}")
    refuse(faults)
    return sheet, cells


def _plain(text: str) -> str:
    """A heading without what changes from year to year: notes, the year of a date, the group before a dash.

    >>> _plain("Reserves at 1 April 2024 - Estimated schools' reserves level at 1 April [Note 4] (unadjusted)")
    'schools reserves level at 1 april'
    """
    words = heading(text)
    if " level at " not in words:
        return words
    words = re.sub(r"\[[^\]]*\]|\(unadjusted\)|(?<=april) 20\d\d|(?<=march) 20\d\d|['’]", "", words)
    return " ".join(re.sub(r"^reserves\b.*? - ", "", words).split()).removeprefix("estimated ")


def _year_of(sheet: Sheet) -> str:
    """The year in the title, which must be the one of the dates over the reserves."""
    if "outturn" not in sheet.title.lower():
        raise SourceError(f"{sheet.name}: expected revenue outturn in the title, found '{sheet.title[:80]}'")
    if "£ thousand" not in heading(sheet.title):
        raise SourceError(f"{sheet.name}: expected '£ thousand' above the headings, found no unit there")
    year = financial_year(sheet.title, sheet.name)
    dates = sorted(set(re.findall(r"1 April (20\d\d)", " ".join([sheet.title, *sheet.head[-1]]))))
    if dates not in ([], [year[:4]]):
        raise SourceError(f"{sheet.name}: the title says {year}, but reserves are at 1 April {', '.join(dates)}")
    return year


def _year_ending(text: str, source: str) -> str:
    """`2023-24` from 202403."""
    march = re.fullmatch(r"(20\d\d)-?03(\.0)?", text)
    if march:
        return words_for(int(march[1]))
    return financial_year(text, f"{source} (a March such as 202403, or a year)")


def _faults(councils: pd.DataFrame, totals: pd.DataFrame, levels: Sequence[str], source: str) -> list[str | None]:
    """Where councils' levels do not add up to rows of totals (£ thousand as text) of their years.

    A council that has not returned leaves them incomplete: MHCLG grosses the total up, so it is not compared.
    """
    amounts, rows_of = councils[list(levels)].to_numpy(), councils.groupby("financial_year").indices
    return [
        sums_to(parts, printed * THOUSAND, THOUSAND / 2, f"{source}, {year}, {name}, {level.removesuffix('_gbp')}")
        for year, name, *cells in totals[["financial_year", "la_name", *levels]].itertuples(index=False)
        if year in rows_of
        for level, cell, parts in zip(levels, cells, amounts[rows_of[year]].T, strict=True)
        if (printed := number(cell)) is not None
    ]


def _dsg_lines(councils: pd.DataFrame) -> Table:
    """One row a council and year end: the closing level, or the next return's opening level if there is none."""
    labels, money = ["la_code_published", "dfe_number", "la_name"], DSG_LINES
    ends, certified = councils["financial_year"].map(year_of), councils.get("certified", pd.NA)
    councils = councils.assign(ends=ends, certified=certified)
    sides = []
    for earlier, side in enumerate(("close", "open")):
        names = {f"{side}_{name}{mark}": f"{name}{mark}" for name in money for mark in ("", "?")}
        part = councils[[*labels, "certified", "ends", *(name for name in names if name in councils)]]
        sides.append(part.rename(columns=names).assign(ends=part["ends"] - earlier, earlier=earlier))
    rows = pd.concat(sides)
    rows["unknown"] = rows[money].isna().all(axis=1)
    rows["council"] = rows["dfe_number"].astype(int)
    rows = rows.sort_values(["ends", "council", "unknown", "earlier"]).drop_duplicates(["ends", "council"])
    rows["financial_year"] = rows["ends"].map(words_for)
    return table_of("dsg_lines", rows, _KEY, ["financial_year", *labels, *money, "certified"])


# --- what it gives the panel


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Balances: lines 912 and 913 added.

    The level at 1 April is the balance at the end of the year before; what a council that began on that day took
    over then is no balance of its own and is left out.
    """
    rows = reader.existing(reader.read(FOLDER, "dsg_lines", DSG_LINES))
    balance = {"balance_mhclg": rows[DSG_LINES].sum(axis=1, min_count=2)}
    yield candidates(rows, balance, REPORTED, {"balance_mhclg": DSG_LINES[1]})
