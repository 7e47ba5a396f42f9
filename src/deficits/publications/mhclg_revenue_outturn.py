"""MHCLG revenue outturn: the DSG lines and the usable reserves that councils report, by authority.

Two of the ministry's files are read:

- the **revenue summary (RS) workbook** of one year (xlsx, ods; 2015-16 on), one row an authority, with opening and
  closing levels of lines 911 to 916;
- the **multi-year data set** (CSV), one row an authority and year, one column an item of a form.

Levels are printed in £ thousand and given in pounds, with the publisher's signs: the DSG adjustment account (line
912) is negative for a deficit, reserves are positive for money held. Line 912 exists from 2022-23. Before that
many councils put deficits in line 913, so no DSG lines are taken from older years.

Not seen here, and so assumed of the multi-year file: its item columns are the ids that the 2023-24 workbook prints
in its hidden rows (`RS-resdsgadj-end-cy`), with any case, `-` or `_`, with or without the form's name around them;
its `year_ending` is 202403 for 2023-24; its `status` is submitted, not submitted or total; money is £ thousand.
The first seven columns (`year_ending`, `ONS_code`, `LA_LGF_code`, `LA_name`, `status`, `LA_class`, `LA_subclass`)
are as its users quote them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from deficits.authorities import is_upper_tier, load_authorities, plain_code
from deficits.errors import SourceError
from deficits.formatting import financial_year as words
from deficits.publications.cells import columns_by_meaning, heading, number
from deficits.publications.delimited import figures, keyed_gaps, refuse_twice
from deficits.publications.editions import REPORTED, Reader, candidates, financial
from deficits.publications.publication import GovUk, Publication, Table
from deficits.publications.reading import csv_columns, csv_headings, financial_year, refuse, sums_to, year_before
from deficits.publications.workbook import Rows, Workbook

FIRST_DSG_YEAR = "2022-23"
"""The first return with a DSG adjustment account (line 912); its opening level is that of March 2022."""

THOUSAND = 1000.0

RESERVES = {
    "schools": "schools reserves",
    "public_health": "public health financial reserves",
    "other_earmarked": "other earmarked financial reserves",
    "unallocated": "unallocated financial reserves",
}
"""Usable reserves that every revenue summary has: our name, and MHCLG's words before `level at 1 April`."""

DSG = {
    "dsg_adjustment_account": "dedicated schools grant adjustment account",
    "dsg_reserve": "dedicated schools grant reserves",
}
"""The DSG lines, there from 2022-23."""

ADJUSTED = "other_earmarked_adjusted"
"""Other earmarked reserves after netting off COVID-19 business rates relief: from 2021-22, for some years."""

LINES = {
    "schools": "911",
    "dsg_adjustment_account": "912",
    "dsg_reserve": "913",
    "public_health": "914",
    "other_earmarked": "915",
    ADJUSTED: "915b",
    "unallocated": "916",
}
"""The form's line of each item; a workbook that prints another line over the words is refused."""

ITEM_IDS = {
    "schools": "ressch",
    "dsg_adjustment_account": "resdsgadj",
    "dsg_reserve": "resdsg",
    "public_health": "resph",
    "other_earmarked": "resoth",
    ADJUSTED: "resoth_adj",
    "unallocated": "resunall",
}
"""MHCLG's id of each item, as in the hidden rows of the workbook and in the multi-year file's column names."""

USABLE = ("schools", "public_health", "other_earmarked", ADJUSTED, "unallocated")
"""Items of the usable reserves, in the order of our table."""

ONLY_EDUCATION = ("schools", "dsg_adjustment_account", "dsg_reserve")
"""Items that only education authorities hold, so that their sum is England's."""

_DATES = {"open": "1 april", "close": "31 march"}
_OTHER_FORM = re.compile(r"(RO\d|RSX|RG|TSR)[_-]", re.IGNORECASE)
_ECODE = re.compile(r"E\d{4}")
_WORKBOOK_COLUMNS: dict[str, tuple[str, ...]] = {
    "ecode": ("e-code", "ecode", "la_lgf_code", "lgf code"),
    "la_code_published": ("ons code", "ons_code"),
    "la_name": ("local authority", "la_name", "authority"),
    "class": ("class", "la_class"),
}
_WORKBOOK_EXTRAS: dict[str, tuple[str, ...]] = {
    "detailed_class": ("detailed class", "la_subclass"),
    "certified": ("certification",),
    "notes": ("notes",),
}
_MULTI_YEAR_COLUMNS: dict[str, tuple[str, ...]] = {
    "year_ending": ("year_ending",),
    "la_code_published": ("ons_code",),
    "ecode": ("la_lgf_code",),
    "la_name": ("la_name",),
    "status": ("status",),
    "class": ("la_class",),
}
_KEY = ["financial_year", "dfe_number"]
_Key = tuple[str, str]
_WORDS = ("financial_year", "la_code_published", "dfe_number", "la_name", "class", "ecode", "certified", "notes")


def parse(path: Path) -> tuple[Table, ...]:
    """The tables of a revenue summary workbook (xlsx, ods) or of the multi-year CSV.

    `usable_reserves`: one row an authority and return, opening and closing levels in £.
    `dsg_lines`, from 2022-23: one row an authority and year end, `dsg_adjustment_account_gbp` (line 912, negative
    = deficit) and `dsg_reserve_gbp` (line 913) in £. An opening level is the level at the end of the year before;
    where the multi-year file has that year's own closing level too, the closing level stands.

    `la_code_published`, `ecode`, `la_name`, `class`, `certified` and `notes` are as printed; `dfe_number` comes
    from the codes. Districts, police, fire and other bodies, class rows and England are in `dropped`.

    SourceError for another file, a missing column or sheet, a cell that is no number and no symbol, an authority
    twice or unknown, and sums that do not reach the file's own totals where every authority has returned.
    """
    returns = _multi_year(path) if path.suffix.lower() == ".csv" else _workbook(path)
    reserves = _usable_reserves(returns)
    return (reserves, _dsg_lines(returns)) if returns.has_dsg else (reserves,)


@dataclass(frozen=True)
class _Returns:
    """Councils' returns: one row a council and year with levels in £, and the cells without a number."""

    levels: pd.DataFrame
    missing: pd.DataFrame
    dropped: tuple[str, ...]

    @property
    def has_dsg(self) -> bool:
        return "close_dsg_reserve" in self.levels


def _sides(items: Iterable[str]) -> list[str]:
    return [f"{side}_{item}" for side in _DATES for item in items]


# --- the revenue summary workbook of one year


def _workbook(path: Path) -> _Returns:
    book = Workbook(path)
    sheet, top = _data_sheet(book)
    rows = book.rows(sheet)
    where = f"{path.name}, sheet '{sheet}'"
    year = _year_of(rows[: top + 1], where)
    scale = _scale_of(rows[:top], where)
    places = _places(rows[top], year, where)
    _refuse_other_lines(rows[:top], places, where)

    text = pd.DataFrame(
        {name: [row[place] for row in rows[top + 1 :]] for name, place in places.items()},
        index=range(top + 2, len(rows) + 1),
    )
    for name in [name for name in text if not str(name).startswith(("open_", "close_"))]:
        text[name] = text[name].map(plain_code)
    if "detailed_class" in text:
        text["class"] = text.pop("detailed_class")
    councils, others = _councils(text, where)
    councils.insert(0, "financial_year", year)
    refuse_twice(councils, _KEY, where)
    money = [name for name in places if name.startswith(("open_", "close_"))]
    levels, gaps = figures(councils, money, where, dict.fromkeys(money, scale))
    missing = keyed_gaps(gaps, levels, _KEY)
    _check_totals(levels, others, money, scale, where)
    return _Returns(levels, missing, tuple(others["la_name"][others["la_name"] != ""]))


def _data_sheet(book: Workbook) -> tuple[str, int]:
    """The sheet with one row an authority, and where its row of headings is."""
    for sheet in book.sheets:
        for place, row in enumerate(book.rows(sheet)):
            headings = {heading(cell) for cell in row}
            if all(headings.intersection(_WORKBOOK_COLUMNS[name]) for name in ("la_code_published", "la_name")):
                return sheet, place
    raise SourceError(
        f"{book.name}: no sheet has the headings 'ONS Code' and 'Local authority' "
        f"(sheets: {', '.join(book.sheets)}). Expected MHCLG's revenue summary (RS) by authority"
    )


def _year_of(head: Rows, where: str) -> str:
    """The year in the title, which must be the one of the dates over the reserves."""
    words = " ".join(str(cell) for row in head for cell in row)
    if "outturn" not in words.lower():
        raise SourceError(f"{where}: expected revenue outturn in the title, found '{words.strip()[:80]}'")
    year = financial_year(words, where)
    dates = set(re.findall(r"1 April (20\d\d)", words))
    if dates and dates != {year[:4]}:
        raise SourceError(
            f"{where}: the title says {year}, but reserves are at 1 April {', '.join(sorted(dates))}"
        )
    return year


def _scale_of(head: Rows, where: str) -> float:
    words = " ".join(str(cell) for row in head for cell in row)
    if "£ thousand" in heading(words):
        return THOUSAND
    raise SourceError(f"{where}: expected '£ thousand' above the headings, found no unit there")


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


def _places(headings: list[object], year: str, where: str) -> dict[str, int]:
    plain = [_reserve_words(cell) for cell in headings]
    wanted = dict(_WORKBOOK_COLUMNS)
    wanted |= {name: words for name, words in _WORKBOOK_EXTRAS.items() if set(words) & set(plain)}
    needed = RESERVES | (DSG if year >= FIRST_DSG_YEAR else {})
    for side, date in _DATES.items():
        wanted |= {f"{side}_{item}": (f"{words} level at {date}",) for item, words in needed.items()}
        adjusted = f"{RESERVES['other_earmarked']} level at {date} (adjusted)"
        wanted |= {f"{side}_{ADJUSTED}": (adjusted,)} if adjusted in plain else {}
    return columns_by_meaning(plain, wanted, where)


def _refuse_other_lines(head: Rows, places: dict[str, int], where: str) -> None:
    """Words and line number must say the same, where a line number stands over the words."""
    faults = []
    for name, place in places.items():
        item = name.partition("_")[2]
        if not name.startswith(("open_", "close_")):
            continue
        printed = [plain_code(row[place]) for row in head]
        lines = [line for line in printed if re.fullmatch(r"9\d\d[a-z]?", line)]
        if lines and LINES[item] not in lines:
            faults.append(f"column {place + 1} ({name}): expected line {LINES[item]}, found {', '.join(lines)}")
    if faults:
        raise SourceError(f"{where}: {'; '.join(faults)}")


def _councils(text: pd.DataFrame, where: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of education authorities, with their DfE numbers, and all other rows."""
    upper = _which(text["la_code_published"], is_upper_tier)
    councils, others = text[upper], text[~upper]
    codes = ["ecode", "la_code_published", "la_name"]
    faults: list[str | None] = [
        f"{where}, line {line}: '{ecode}' ({name}) is an education authority, but its ONS code is '{ons_code}'"
        for line, ecode, ons_code, name in others[codes][
            _which(others["ecode"], load_authorities().knows)
        ].itertuples(name=None)
    ]
    places = list(zip(*(councils[code].tolist() for code in codes), strict=True))
    numbers: dict[tuple[str, str, str], str | None] = {}
    for line, place in zip(councils.index, places, strict=True):
        if place in numbers:
            continue
        try:
            numbers[place] = load_authorities().of_codes(*place[:2], name=place[2])
        except SourceError as error:
            numbers[place] = None  # told once, not for each year
            faults.append(f"{where}, line {line}: {error}")
    refuse(faults)
    if councils.empty:
        raise SourceError(f"{where}: expected rows of education authorities, found none")
    councils.insert(1, "dfe_number", [numbers[place] for place in places])
    return councils, others


def _which(codes: pd.Series, known: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
    """The rows whose code is `known`, asked once for each code: a council has a row a year."""
    places, distinct = pd.factorize(codes)
    rows: npt.NDArray[np.bool_] = np.array([known(code) for code in distinct.tolist()], dtype=bool)[places]
    return rows


def _check_totals(levels: pd.DataFrame, others: pd.DataFrame, money: list[str], scale: float, where: str) -> None:
    """Holds the councils to the workbook's own totals.

    A class's row (London boroughs, ...) is the sum of its councils, and England's row is the sum of all for the
    items that only education authorities hold. Where a council has not returned, MHCLG grosses the total up, so
    it is not compared; nor is anything with `[n]` or `…` in the total. The England row must be there: it stands
    below the authorities, so a sheet without it was cut short.
    """
    england = others[others["la_name"].str.upper() == "ENGLAND"]
    if len(england) != 1:
        raise SourceError(f"{where}: expected one row 'ENGLAND', found {len(england)}; the sheet may be cut short")
    classes = others[others["class"].isin(levels["class"]) & ~others["ecode"].str.fullmatch(_ECODE)]
    compared = [
        (name, levels.loc[levels["class"] == row["class"], name], row)
        for _, row in classes.iterrows()
        for name in money
    ] + [(name, levels[name], england.iloc[0]) for name in money if name.partition("_")[2] in ONLY_EDUCATION]
    faults: list[str | None] = []
    for name, parts, row in compared:
        total = number(row[name])
        printed = None if total is None else total * scale
        faults.append(sums_to(parts, printed, scale / 2, f"{where}, {row['la_name']}, {name}"))
    refuse(faults)


# --- the multi-year CSV


def read_cells(path: Path) -> pd.DataFrame:
    """The multi-year CSV's columns that `parse` needs, as text under our names; the index is the line in the file.

    Columns: `year_ending`, `la_code_published`, `ecode`, `la_name`, `status`, `class`, and `open_...`, `close_...`
    for each item of `LINES`. The other 2,500 columns are not kept. SourceError names what is missing.
    """
    headings = csv_headings(path)
    # The other forms' items are nine columns in ten, and never the ones meant by a heading that is misspelt.
    ours = [place for place, text in enumerate(headings) if not _OTHER_FORM.match(text)]
    plain = [_item(headings[place]) for place in ours]
    wanted = _MULTI_YEAR_COLUMNS | {
        f"{side}_{item}": (f"{ITEM_IDS[item]}_{end}",)
        for side, end in (("open", "start"), ("close", "end"))
        for item in LINES
        if item != ADJUSTED or f"{ITEM_IDS[item]}_{end}" in plain
    }
    places = {name: ours[place] for name, place in columns_by_meaning(plain, wanted, path.name).items()}
    return csv_columns(path, places, len(headings))


def _multi_year(path: Path) -> _Returns:
    text = read_cells(path)
    money = [name for name in text if name.startswith(("open_", "close_"))]
    text["status"] = text["status"].str.strip().str.lower()
    strange = ~text["status"].isin(["submitted", "not submitted", "total"])
    if strange.any():
        raise SourceError(
            f"{path.name}, column 'status': expected submitted, not submitted or total, found "
            f"'{text['status'][strange].iloc[0]}' on line {text.index[strange][0]}"
        )
    text.insert(0, "financial_year", _years(text.pop("year_ending"), path.name))
    councils, others = _councils(text, path.name)
    refuse_twice(councils, _KEY, path.name)
    levels, gaps = figures(councils, money, path.name, dict.fromkeys(money, THOUSAND))
    absent = (levels["status"] == "not submitted").to_numpy()
    # A number in a row that was not submitted is the ministry's estimate, not the council's figure.
    levels.loc[levels.index[absent], money] = float("nan")
    missing = pd.concat([keyed_gaps(gaps, levels[~absent], _KEY), _not_returned(councils[absent], money)])
    _check_england(levels, others, path.name)
    labels = others["la_name"] + " " + others["financial_year"]
    return _Returns(levels, missing.reset_index(drop=True), tuple(labels.tolist()))


def _item(text: str) -> str:
    """A column's name without case, form and punctuation.

    >>> _item("RS_resdsgadj-end-cy"), _item("RS_resoth_adj_start_cy_net_exp"), _item("LA_name")
    ('resdsgadj_end', 'resoth_adj_start', 'la_name')
    """
    name = re.sub(r"\W", "_", heading(text)).removeprefix("rs_").removesuffix("_rs")
    name = re.sub(r"_(net|tot)(_\w+)?$", "", name) if name.startswith("res") else name
    return name.removesuffix("_cy").replace("_strt", "_start") if name.startswith("res") else name


def _years(endings: pd.Series, where: str) -> pd.Series:
    """`2023-24` from 202403; SourceError for anything that is no March."""
    years = {}
    for ending in endings.unique():
        march = re.fullmatch(r"\s*(20\d\d)-?03\s*", ending)
        if march is None:
            line = endings.index[endings == ending][0]
            raise SourceError(
                f"{where}, column 'year_ending': expected a March such as 202403, found '{ending}' on line {line}"
            )
        years[ending] = words(int(march[1]))
    return endings.map(years)


def _not_returned(councils: pd.DataFrame, money: list[str]) -> pd.DataFrame:
    cells = {
        **{part: np.tile(councils[part], len(money)) for part in _KEY},
        "column": np.repeat(np.array(money, dtype=object), len(councils)),
        "symbol": councils[money].to_numpy().ravel(order="F"),
    }
    return pd.DataFrame(cells, dtype="str").assign(reason="not returned")


def _check_england(levels: pd.DataFrame, others: pd.DataFrame, where: str) -> None:
    """Holds each year's councils to its row `England`, for the items that only education authorities hold.

    Only years in which every council has returned: else the ministry grosses England up.
    """
    names = _sides(ONLY_EDUCATION)
    totals = others[["financial_year", "la_name", *names]][others["status"] == "total"]
    years, amounts = levels["financial_year"].to_numpy(), levels[names].to_numpy()
    faults: list[str | None] = []
    for year, place, *cells in totals.itertuples(index=False, name=None):
        councils = amounts[years == year]
        if place.strip().lower() != "england" or not len(councils):
            continue
        for name, cell, parts in zip(names, cells, councils.T, strict=True):
            total = number(cell)
            printed = None if total is None else total * THOUSAND
            faults.append(sums_to(parts, printed, THOUSAND / 2, f"{where}, England {year}, {name}"))
    refuse(faults)


# --- the tables


def _usable_reserves(returns: _Returns) -> Table:
    levels = returns.levels
    money = [name for name in _sides(USABLE) if name in levels]
    words = [name for name in _WORDS if name in levels]
    names = {name: f"{name}_gbp" for name in money}
    frame = levels[words + money].rename(columns=names).reset_index(drop=True)
    return Table("usable_reserves", frame, tuple(_KEY), _gaps(returns.missing, names), returns.dropped)


def _gaps(missing: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    kept = missing[missing["column"].isin(names)]
    return kept.assign(column=kept["column"].map(names)).reset_index(drop=True)


def _dsg_lines(returns: _Returns) -> Table:
    """One row a council and year end: the closing level, or the next return's opening level if there is none."""
    rows = returns.levels[returns.levels["financial_year"] >= FIRST_DSG_YEAR]
    levels = {side: rows[[f"{side}_{item}" for item in DSG]].to_numpy() for side in _DATES}
    standing = _standing(rows, levels)
    keys = sorted(standing)
    chosen = [standing[key] for key in keys]
    columns = [name for name in ("la_code_published", "dfe_number", "la_name", "certified") if name in rows]
    frame = rows[columns].iloc[[place for _, place in chosen]].reset_index(drop=True)
    frame.insert(0, "financial_year", [year for year, _ in keys])
    certified = frame.pop("certified") if "certified" in frame else pd.NA
    frame[[f"{item}_gbp" for item in DSG]] = np.array([levels[side][place] for side, place in chosen])
    frame["certified"] = certified
    missing = _dsg_gaps(returns.missing, standing)
    return Table("dsg_lines", frame, tuple(_KEY), missing, returns.dropped)


def _standing(rows: pd.DataFrame, levels: dict[str, npt.NDArray[np.float64]]) -> dict[_Key, tuple[str, int]]:
    """The level that stands for each year end and council: its side, and the row that has it.

    The closing level stands unless the council did not return it. (Sorting and merging the two sides on columns of
    text takes three times as long as a dictionary.)
    """
    empty = {side: np.isnan(levels[side]).all(axis=1) for side in _DATES}
    returns = list(zip(rows["financial_year"].tolist(), rows["dfe_number"].tolist(), strict=True))
    # From the worst to the best: the last one put in stands.
    ranks = [(side, none) for none in (True, False) for side in ("open", "close")]
    return {
        (_year_end(returns[place][0], side), returns[place][1]): (side, place)
        for side, none in ranks
        for place in np.flatnonzero(empty[side] == none).tolist()
    }


def _dsg_gaps(missing: pd.DataFrame, standing: dict[_Key, tuple[str, int]]) -> pd.DataFrame:
    """The gaps in the levels that stand, under their year end; closing levels first."""
    names = {side: {f"{side}_{item}": f"{item}_gbp" for item in DSG} for side in ("close", "open")}
    recent = missing[missing["financial_year"] >= FIRST_DSG_YEAR]
    returned = list(recent[[*_KEY, "column"]].itertuples(index=False, name=None))
    found = {
        place: (_year_end(year, side), names[side][column])
        for side in names
        for place, (year, code, column) in enumerate(returned)
        if column in names[side] and standing[_year_end(year, side), code][0] == side
    }
    changed = pd.DataFrame(found.values(), columns=["financial_year", "column"], dtype="str")
    return recent.iloc[list(found)].reset_index(drop=True).assign(**changed)


def _year_end(year: str, side: str) -> str:
    """The year that a return's level ends: for an opening level, the year before the return's."""
    return year_before(year) if side == "open" else year


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
