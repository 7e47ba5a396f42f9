"""MHCLG revenue outturn: the DSG lines and the usable reserves that councils report, by authority.

Two of the ministry's files are read:

- the **revenue summary (RS) workbook** of one year (xlsx, ods; 2015-16 on), one row an authority, with opening and
  closing levels of lines 911 to 916;
- the **multi-year data set** (CSV), one row an authority and year, one column an item of a form.

Levels are printed in £ thousand and given in pounds, with the publisher's signs: the DSG adjustment account (line
912) is negative for a deficit, reserves are positive for money held. DSG lines are taken from returns whose form
has line 912: in older ones many councils put deficits in line 913.

Not seen here, and so assumed of the multi-year file: its item columns are the ids that the 2023-24 workbook prints
in its hidden rows (`RS-resdsgadj-end-cy`), with any case, `-` or `_`, with or without the form's name around them;
its `year_ending` is 202403 for 2023-24; its `status` is submitted, not submitted or total; money is £ thousand.
The first seven columns (`year_ending`, `ONS_code`, `LA_LGF_code`, `LA_name`, `status`, `LA_class`, `LA_subclass`)
are as its users quote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deficits.authorities import is_upper_tier, load_authorities, plain_code
from deficits.errors import SourceError
from deficits.formatting import financial_year as words_for
from deficits.formatting import year_of
from deficits.publications.editions import REPORTED, Reader, candidates, financial
from deficits.publications.publication import GovUk, Publication, Table
from deficits.publications.reading import (
    Rows,
    Workbook,
    below,
    columns_by_meaning,
    dfe_numbers,
    few_councils,
    figures,
    financial_year,
    heading,
    is_workbook,
    keyed_gaps,
    meanings,
    number,
    one_of,
    open_csv,
    refuse,
    refuse_twice,
    sums_to,
)

THOUSAND = 1000.0
ADJUSTED = "other_earmarked_adjusted"
"""Other earmarked reserves after netting off COVID-19 business rates relief: from 2021-22, for some years."""


@dataclass(frozen=True)
class Item:
    """An item of the form: its line, MHCLG's id for it, and its words before `level at 1 April`."""

    line: str
    id: str
    words: str


ITEMS = {
    "schools": Item("911", "ressch", "schools reserves"),
    "dsg_adjustment_account": Item("912", "resdsgadj", "dedicated schools grant adjustment account"),
    "dsg_reserve": Item("913", "resdsg", "dedicated schools grant reserves"),
    "public_health": Item("914", "resph", "public health financial reserves"),
    "other_earmarked": Item("915", "resoth", "other earmarked financial reserves"),
    ADJUSTED: Item("915b", "resoth_adj", "other earmarked financial reserves"),
    "unallocated": Item("916", "resunall", "unallocated financial reserves"),
}
"""The id stands in the hidden rows of the workbook and in the multi-year file's column names."""

DSG = ("dsg_adjustment_account", "dsg_reserve")
USABLE = ("schools", "public_health", "other_earmarked", ADJUSTED, "unallocated")
"""Items of the usable reserves, in the order of our table."""

ONLY_EDUCATION = ("schools", *DSG)
"""Items that only education authorities hold, so that their sum is England's."""

_DATES = {"open": "1 april", "close": "31 march"}
_WORKBOOK_COLUMNS: dict[str, tuple[str, ...]] = {
    "ecode": ("e-code", "ecode", "la_lgf_code", "lgf code"),
    "la_code_published": ("ons code",),
    "la_name": ("local authority", "la_name", "authority"),
    "class": ("detailed class", "la_subclass", "class", "la_class"),
}
_WORKBOOK_EXTRAS: dict[str, tuple[str, ...]] = {"certified": ("certification",), "notes": ("notes",)}
_MULTI_YEAR_COLUMNS: dict[str, tuple[str, ...]] = {
    "year_ending": ("year_ending",),
    "la_code_published": ("ONS_code",),
    "ecode": ("LA_LGF_code",),
    "la_name": ("LA_name",),
    "status": ("status",),
    "class": ("LA_class",),
}
_OTHER_FORM = re.compile(r"(RO\d|RSX|RG|TSR)[_-]", re.IGNORECASE)
_KEY = ("financial_year", "dfe_number")
_WORDS = ("financial_year", "la_code_published", "dfe_number", "la_name", "class", "ecode", "certified", "notes")


def parse(path: Path) -> tuple[Table, ...]:
    """The tables of a revenue summary workbook (xlsx, ods) or of the multi-year CSV.

    `usable_reserves`: one row an authority and return, opening and closing levels in £.
    `dsg_lines`, of returns with line 912: one row an authority and year end, `dsg_adjustment_account_gbp` (line
    912, negative = deficit) and `dsg_reserve_gbp` (line 913) in £. An opening level is the level at the end of the
    year before; where the multi-year file has that year's own closing level too, the closing level stands.

    `la_code_published`, `ecode`, `la_name`, `class`, `certified` and `notes` are as printed; `dfe_number` comes
    from the codes. Districts, police, fire and other bodies, class rows and England are in `dropped`.

    SourceError for another file, a missing column or sheet, a cell that is no number and no symbol, an authority
    twice or unknown, and sums that do not reach the file's own totals where every authority has returned.
    """
    returns = _workbook(path) if is_workbook(path) else _multi_year(path)
    reserves = _usable_reserves(returns)
    return (reserves, _dsg_lines(returns)) if returns.dsg_years else (reserves,)


@dataclass(frozen=True)
class _Returns:
    """Councils' returns: one row a council and year with levels in £, and the cells without a number.

    `dsg_years`: the years whose form has line 912.
    """

    levels: pd.DataFrame
    missing: pd.DataFrame
    dropped: tuple[str, ...]
    dsg_years: frozenset[str]


def _sides(items: Sequence[str]) -> list[str]:
    return [f"{side}_{item}" for side in _DATES for item in items]


def _is_level(name: str) -> bool:
    return name.startswith(("open_", "close_"))


def _councils(text: pd.DataFrame, source: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of education authorities, with their DfE numbers, and all other rows."""
    # Asked once for each code: a council has a row a year.
    upper = text["la_code_published"].isin(filter(is_upper_tier, text["la_code_published"].unique()))
    councils, others = text[upper].copy(), text[~upper]
    ours = others["ecode"].isin(filter(load_authorities().knows, others["ecode"].unique()))
    refuse(
        f"{source}, line {row.Index}: '{row.ecode}' ({row.la_name}) is an education authority, but its ONS code "
        f"is '{row.la_code_published}'"
        for row in others.loc[ours, ["ecode", "la_name", "la_code_published"]].itertuples()
    )
    if councils.empty:
        raise SourceError(f"{source}: expected rows of education authorities, found none")
    councils.insert(1, "dfe_number", dfe_numbers(councils, ["ecode", "la_code_published"], "la_name", source))
    refuse_twice(councils, _KEY, source)
    return councils, others


def _faults(
    parts: npt.NDArray[np.float64], total: Sequence[Any], names: Sequence[str], source: str
) -> Iterator[str | None]:
    """What is wrong where councils' levels (£) do not add up to a row of totals (name, £ thousand), by item."""
    place, *cells = total
    for name, cell, amounts in zip(names, cells, parts.T, strict=True):
        printed = number(cell)
        pounds = None if printed is None else printed * THOUSAND
        yield sums_to(amounts, pounds, THOUSAND / 2, f"{source}, {place}, {name}")


# --- the revenue summary workbook of one year


def _workbook(path: Path) -> _Returns:
    book = Workbook(path)
    sheet, top, rows = _data_sheet(book)
    source = f"{path.name}, sheet '{sheet}'"
    head = rows[: top + 1]
    year = _year_of(head, source)
    if not any("£ thousand" in heading(cell) for row in head[:-1] for cell in row):
        raise SourceError(f"{source}: expected '£ thousand' above the headings, found no unit there")
    places = _places(head, source)
    text = below(rows, top, places, [name for name in places if not _is_level(name)])
    text.insert(0, "financial_year", year)
    councils, others = _councils(text, source)
    printed = {name: str(rows[top][place]) for name, place in places.items() if _is_level(name)}
    levels, gaps = figures(councils, printed, source, THOUSAND)
    _check_totals(levels, others, list(printed), source)
    dropped = tuple(name for name in others["la_name"] if name)
    years = frozenset({year} if f"close_{DSG[0]}" in levels else ())
    return _Returns(levels, keyed_gaps(gaps, levels, _KEY), dropped, years)


def _data_sheet(book: Workbook) -> tuple[str, int, Rows]:
    """The sheet with one row an authority, and where its row of headings is."""
    needed = (_WORKBOOK_COLUMNS["la_code_published"], _WORKBOOK_COLUMNS["la_name"])
    for sheet, rows in book:
        for place, row in enumerate(rows):
            headings = {heading(cell) for cell in row}
            if not any(headings.isdisjoint(words) for words in needed):
                return sheet, place, rows
    raise SourceError(
        f"{book.name}: no sheet has the headings 'ONS Code' and 'Local authority' "
        f"(sheets: {', '.join(book.sheets)}). Expected MHCLG's revenue summary (RS) by authority"
    )


def _year_of(head: Rows, source: str) -> str:
    """The year in the title, which must be the one of the dates over the reserves."""
    words = " ".join(str(cell) for row in head for cell in row)
    if "outturn" not in words.lower():
        raise SourceError(f"{source}: expected revenue outturn in the title, found '{words.strip()[:80]}'")
    year = financial_year(words, source)
    dates = set(re.findall(r"1 April (20\d\d)", words))
    if dates and dates != {year[:4]}:
        raise SourceError(
            f"{source}: the title says {year}, but reserves are at 1 April {', '.join(sorted(dates))}"
        )
    return year


def _reserve_words(cell: object) -> str:
    """A heading without what changes from year to year: notes, the year of a date, the group before a dash.

    >>> _reserve_words("Reserves at 1 April 2024 - Estimated schools' reserves level at 1 April [Note 4]")
    'schools reserves level at 1 april'
    >>> _reserve_words("Estimated other earmarked financial reserves level at 31 March (unadjusted)")
    'other earmarked financial reserves level at 31 march'
    """
    words = re.sub(r"\[[^\]]*\]|\(unadjusted\)|(?<=april) 20\d\d|(?<=march) 20\d\d", "", heading(cell))
    words = re.sub(r"^reserves\b.*? - ", "", words).replace("'", "").replace("’", "")
    return re.sub(r"\s+", " ", words).strip().removeprefix("estimated ")


def _places(head: Rows, source: str) -> dict[str, int]:
    """The place of each column; a line number over the words must say the same as they do."""
    plain = [_reserve_words(cell) for cell in head[-1]]
    over = [{plain_code(row[place]) for row in head[:-1]} for place in range(len(plain))]
    has_912 = any(ITEMS[DSG[0]].words in text for text in plain)
    wanted = dict(_WORKBOOK_COLUMNS)
    wanted |= {name: words for name, words in _WORKBOOK_EXTRAS.items() if set(words) & set(plain)}
    for side, date in _DATES.items():
        for name, item in ITEMS.items():
            text = f"{item.words} level at {date}" + (" (adjusted)" if name == ADJUSTED else "")
            if has_912 if name in DSG else name != ADJUSTED or text in plain:
                wanted[f"{side}_{name}"] = (text,)
    places = columns_by_meaning(plain, wanted, source)
    refuse(
        f"{source}, column {place + 1} '{head[-1][place]}': expected line {meant.line} over it, found "
        f"{', '.join(sorted(lines))}"
        for name, place in places.items()
        if (meant := ITEMS.get(name.partition("_")[2]))
        and (lines := {text for text in over[place] if re.fullmatch(r"9\d\d[a-z]?", text)})
        and meant.line not in lines
    )
    return places


def _check_totals(levels: pd.DataFrame, others: pd.DataFrame, money: list[str], source: str) -> None:
    """Compares the councils with the workbook's own totals.

    A class's row (London boroughs, ...) is the sum of its councils, and England's row is the sum of all for the
    items that only education authorities hold. Where a council has not returned, MHCLG grosses the total up, so
    it is not compared; nor is anything with `[n]` or `…` in the total. The England row must be there: it stands
    below the authorities, so a sheet without it was cut short.
    """
    england = others[others["la_name"].str.upper() == "ENGLAND"]
    if len(england) != 1:
        raise SourceError(
            f"{source}: expected one row 'ENGLAND', found {len(england)}; the sheet may be cut short"
        )
    classes = others[others["class"].isin(levels["class"]) & ~others["ecode"].str.fullmatch(r"E\d{4}")]
    compared = [(levels[levels["class"] == row["class"]], row, money) for _, row in classes.iterrows()]
    compared.append((levels, england.iloc[0], [name for name in _sides(ONLY_EDUCATION) if name in money]))
    refuse(
        fault
        for parts, total, names in compared
        for fault in _faults(parts[names].to_numpy(), total[["la_name", *names]].tolist(), names, source)
    )


# --- the multi-year CSV


def read_cells(path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """The multi-year CSV's columns that `parse` needs, as text under our names, and their headings in the file.

    Columns: `year_ending`, `la_code_published`, `ecode`, `la_name`, `status`, `class`, and `open_...`, `close_...`
    for each item of `ITEMS`; the index is the line in the file. The other 2,500 columns are not kept. SourceError
    names what is missing.
    """
    text = open_csv(path, _MULTI_YEAR_COLUMNS, lambda name: "time_series" in name.lower())
    # The other forms' items are nine columns in ten, and never the ones meant by a heading that is misspelt.
    ours = [place for place, name in enumerate(text.headings) if not _OTHER_FORM.match(name)]
    plain = [_item(text.headings[place]) for place in ours]
    ends = {
        f"{side}_{name}": f"{item.id}_{end}"
        for side, end in (("open", "start"), ("close", "end"))
        for name, item in ITEMS.items()
    }
    items = {name: (id_,) for name, id_ in ends.items() if not name.endswith(ADJUSTED) or heading(id_) in plain}
    found = columns_by_meaning(plain, _MULTI_YEAR_COLUMNS | items, text.name)
    places = {name: ours[place] for name, place in found.items()}
    return text.columns(places), {name: text.headings[place] for name, place in places.items()}


def _multi_year(path: Path) -> _Returns:
    text, headings = read_cells(path)
    printed = {name: words for name, words in headings.items() if _is_level(name)}
    text["status"] = meanings(text["status"], one_of("submitted", "not submitted", "total"), path.name, "status")
    text.insert(0, "financial_year", meanings(text.pop("year_ending"), _year_ending, path.name, "year_ending"))
    councils, others = _councils(text, path.name)
    levels, gaps = figures(councils, printed, path.name, THOUSAND)
    absent = levels["status"] == "not submitted"
    # A number in a row that was not submitted is the ministry's estimate, not the council's figure.
    levels.loc[absent, [*printed]] = float("nan")
    not_returned = councils.loc[absent, [*_KEY, *printed]].set_index([*_KEY]).rename_axis(columns="column").stack()
    not_returned = not_returned.rename("symbol").reset_index().assign(reason="not returned")
    missing = pd.concat([keyed_gaps(gaps, levels[~absent], _KEY), not_returned], ignore_index=True)
    names = _sides(ONLY_EDUCATION)
    england = others[(others["status"] == "total") & (others["la_name"].str.lower() == "england")]
    amounts, rows = levels[names].to_numpy(), levels.groupby("financial_year").indices
    refuse(
        fault
        for year, *total in england[["financial_year", "la_name", *names]].itertuples(index=False)
        if year in rows
        for fault in _faults(amounts[rows[year]], total, names, f"{path.name}, {year}")
    )
    labels = others["la_name"] + " " + others["financial_year"]
    # Before there was line 912 its column is blank or 0 for everyone.
    used = (levels[f"close_{DSG[0]}"].fillna(0) != 0).groupby(levels["financial_year"]).any()
    return _Returns(levels, missing, tuple(labels), frozenset(used.index[used]))


def _item(text: str) -> str:
    """A column's name without case, form and punctuation.

    >>> _item("RS_resdsgadj-end-cy"), _item("RS_resoth_adj_start_cy_net_exp"), _item("LA_name")
    ('resdsgadj end', 'resoth adj start', 'la name')
    """
    name = heading(re.sub(r"\W", "_", text)).removeprefix("rs ").removesuffix(" rs")
    if not name.startswith("res"):
        return name
    return re.sub(r" (net|tot)( \w+)?$", "", name).removesuffix(" cy").replace(" strt", " start")


def _year_ending(text: str, source: str) -> str:
    """`2023-24` from 202403, or from another spelling of the year."""
    march = re.fullmatch(r"(20\d\d)-?03(\.0)?", text)
    return (
        words_for(int(march[1]))
        if march
        else financial_year(text, f"{source} (a March such as 202403, or a year)")
    )


# --- the tables


def _usable_reserves(returns: _Returns) -> Table:
    levels = returns.levels
    names = {name: f"{name}_gbp" for name in _sides(USABLE) if name in levels}
    words = [name for name in _WORDS if name in levels]
    frame = levels[[*words, *names]].rename(columns=names).reset_index(drop=True)
    gaps = returns.missing[returns.missing["column"].isin(names)]
    missing = gaps.assign(column=gaps["column"].map(names)).reset_index(drop=True)
    return Table("usable_reserves", frame, _KEY, missing, returns.dropped)


def _dsg_lines(returns: _Returns) -> Table:
    """One row a council and year end: the closing level, or the next return's opening level if there is none."""
    rows = returns.levels[returns.levels["financial_year"].isin(returns.dsg_years)]
    rows = rows.assign(certified=rows.get("certified", pd.NA))
    ends = {(side, year): _year_end(year, side) for side in _DATES for year in returns.dsg_years}
    council = rows["dfe_number"].astype(int).to_numpy()
    keys = [np.array([ends[side, year] for year in rows["financial_year"]]) * 1000 + council for side in _DATES]
    levels = [rows[[f"{side}_{item}" for item in DSG]].to_numpy() for side in _DATES]
    key, level = np.concatenate(keys), np.concatenate(levels)
    side_of = np.repeat(np.arange(len(_DATES)), len(rows))
    # From the worst to the best, the last one stands: a closing level, unless the council did not return it.
    order = np.lexsort((side_of, ~np.isnan(level).all(axis=1), key))
    chosen = order[np.append(np.diff(key[order]) > 0, True)]
    frame = rows[["la_code_published", "dfe_number", "la_name", "certified"]].iloc[chosen % len(rows)]
    frame = frame.reset_index(drop=True)
    frame.insert(0, "financial_year", [words_for(int(each) // 1000) for each in key[chosen]])
    certified = frame.pop("certified")
    frame[[f"{item}_gbp" for item in DSG]] = level[chosen]
    frame["certified"] = certified
    standing = dict(zip(key[chosen].tolist(), side_of[chosen].tolist(), strict=True))
    missing = _dsg_gaps(returns, ends, standing)
    notes = few_councils(frame, "financial_year", year_of)
    return Table("dsg_lines", frame, _KEY, missing, returns.dropped, notes)


def _dsg_gaps(returns: _Returns, ends: dict[tuple[str, str], int], standing: dict[int, int]) -> pd.DataFrame:
    """The gaps in the levels that stand, under their year end; closing levels first."""
    lacking = returns.missing[returns.missing["financial_year"].isin(returns.dsg_years)]
    parts = []
    for place, side in reversed(list(enumerate(_DATES))):
        names = {f"{side}_{item}": f"{item}_gbp" for item in DSG}
        gap = lacking[lacking["column"].isin(names)]
        ended = np.array([ends[side, year] for year in gap["financial_year"]], dtype=int)
        key = ended * 1000 + gap["dfe_number"].astype(int)
        stands = key.map(standing) == place
        named = gap.assign(financial_year=[words_for(year) for year in ended], column=gap["column"].map(names))
        parts.append(named[stands])
    return pd.concat(parts, ignore_index=True)


def _year_end(year: str, side: str) -> int:
    """The year end of a return's level: one at 1 April is that of the end of the year before."""
    return year_of(year) - (side == "open")


# --- what it gives the panel


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Balances (lines 912 and 913 added), and usable reserves.

    The level at 1 April is the balance at the end of the year before; what a council that began on that day took
    over then is no balance of its own and is left out.
    """
    lines = ["dsg_adjustment_account_gbp", "dsg_reserve_gbp"]
    rows = reader.read("mhclg-revenue-outturn", "dsg_lines", lines, financial("financial_year"))
    existed = np.array([reader.authorities.existed(code, year) for code, year in rows.index], dtype=bool)
    rows = rows[existed]
    yield candidates(rows, {"balance_mhclg": rows[lines].sum(axis=1, min_count=2)}, REPORTED, lines[1])
    columns = {"close_unallocated_gbp": "reserves_unallocated", "close_other_earmarked_gbp": "reserves_earmarked"}
    rows = reader.read("mhclg-revenue-outturn", "usable_reserves", columns, financial("financial_year"))
    for column, figure in columns.items():
        yield candidates(rows, {figure: rows[column]}, REPORTED, column)


PUBLICATION = Publication(
    folder="mhclg-revenue-outturn",
    address=GovUk(
        "/government/statistics/local-authority-revenue-expenditure-and-financing-england-revenue-outturn-multi-year-"
        "data-set",
        r"revenue_outturn_time_series_data.*\.csv$",
    ),
    page="https://www.gov.uk/government/collections/local-authority-revenue-expenditure-and-financing",
    short=("mhclg", "revenue-outturn", "rs"),
    parse=parse,
    load=load,
    reads=frozenset({"dsg_lines", "usable_reserves"}),
)
