"""How a file of own figures is laid out: which cells are amounts, of which council, year, unit and kind."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from deficits.errors import PanelError, SourceError
from deficits.formatting import listed, year_given
from deficits.publications.files import heading, number, opened

LARGEST = 5_000_000
"""Bytes of a file that is read at all."""

UNITS = {"£": 1.0, "£000": 1e3, "£m": 1e6}
_WORDS = tomllib.loads(Path(__file__).with_name("own_words.toml").read_text(encoding="utf-8"))
ROLES: dict[str, str] = _WORDS["role"]
"""What a column holds, and the headings that say so."""
UNIT, STATUS, SAYS = (
    {name: re.compile(words, re.IGNORECASE) for name, words in _WORDS[kind].items()}
    for kind in ("unit", "status", "says")
)
"""What a heading says of the unit and kind of its figures, and of other things, by name."""

Lines = list[tuple[int, list[str]]]


class Column(NamedTuple):
    """`role`: one of `ROLES`, amount, other (an amount that is no closing balance), label, or empty if unknown.

    `words` of the heading are those on its kind and sign; `year` and `unit` are of its amounts, if it says them.
    """

    role: str
    words: str
    year: int | None = None
    unit: str | None = None


def read_table(path: Path, readings: list[str]) -> tuple[list[Column], Lines, bool]:
    """The one table of a CSV or workbook: its columns, its rows with their lines, and whether commas divide them.

    PanelError when the file cannot be read or has no headings that are understood.
    """
    if path.is_file() and path.stat().st_size > LARGEST:
        raise PanelError(f"{path.name} is larger than {LARGEST // 1_000_000} MB: no file of a few balances")
    try:
        grids = [(grid, [*grid.rows()]) for grid in opened(path, typed=True)]
    except SourceError as error:
        raise PanelError(str(error)) from None
    found, others = {}, []
    for grid, cells in grids:
        lines = [(line, [" ".join(cell.split()) for cell in row]) for line, row in cells]
        try:
            columns, rows = _table([(line, row) for line, row in lines if any(row)])
        except PanelError as error:
            others.append(str(error))
            continue
        if any(column.role == "amount" for column in columns):
            found[grid.sheet] = columns, rows
        elif columns:
            others.append(f"found the headings {listed([column.words for column in columns if column.words])}")
    if len(found) != 1:
        several = [f"sheets {listed(list(found))} could be it: save one alone"] if found else []
        raise PanelError(
            f"{path.name} cannot be used: expected one table with headings, a row for each council and year "
            f"(authority, year, balance) or a year a column; {[*several, *others, 'found none'][0]}"
        )
    ((name, (columns, rows)),) = found.items()
    readings += [f"Sheet '{name}' is read"] * (len(grids) > 1)
    return columns, rows, grids[-1][0].mark == ","


def year_in(text: str) -> int | None:
    """The one financial year that a text names, as a label, a year or its 31 March; PanelError for another day."""
    march = SAYS["march"].search(text)
    if march:
        return 2000 + int(march["end"] or march["iso"]) % 100
    label = SAYS["year"].search(text)
    if label and SAYS["other_day"].search(text):
        raise PanelError(f"'{text}' is no 31 March: own figures are balances at the end of a financial year")
    return year_given(label[0]) if label else None


def amount_in(text: str) -> tuple[float | None, bool]:
    """The number in a cell (None in a heading such as £000), and whether the cell gives the unit (£12.3m)."""
    value = None if UNIT["£000"].fullmatch(text.strip("()")) else number(text, units=True)
    return value, value is not None and number(text) is None


def _table(lines: Lines) -> tuple[list[Column], Lines]:
    """The columns, from headings in one row or several (merged or not) below any titles, and the other rows."""
    start, year, years = len(lines), -1, False
    for at, (_, cells) in enumerate(lines):
        if (
            any(amount_in(cell)[0] is not None and not SAYS["year_alone"].match(cell) for cell in cells)
            or (years and cells[0] and not _heads(cells[0]))
            or (0 <= year < len(cells) and SAYS["year"].search(cells[year]))
        ):
            start = at
            break
        year = next((place for place, cell in enumerate(cells) if _role(cell) == "year"), year)
        years = years or (sum(map(bool, cells)) > 1 and any(map(SAYS["year"].search, cells)))
    above = [cells for _, cells in lines[:start]]
    titles = [cells for cells in above[:-1] if cells[0] and not any(cells[1:])]
    heads = pd.DataFrame([cells for cells in above if cells not in titles], dtype=str).fillna("")
    return _columns(heads, heading(" ".join(cells[0] for cells in titles))), lines[start:]


def _columns(heads: pd.DataFrame, title: str) -> list[Column]:
    """What each column holds. A merged heading stands over the empty cells to its right."""
    merged = pd.concat([heads[:-1].where(heads[:-1] != "").ffill(axis=1).fillna(""), heads[-1:]])
    plain, words = ([heading(" ".join(cells)) for _, cells in rows.items()] for rows in (heads, merged))
    roles = [_role(text) for text in plain]
    years = [
        None if role or not text else year_in(text) or year_in(both)
        for role, text, both in zip(roles, plain, words, strict=True)
    ]
    rowed, corner = "year" in roles, ""
    wide = any(years) and not rowed
    if wide and not roles[0] and not years[0]:
        roles[0], corner = "label", words[0]
    columns = []
    for role, text, both, year in zip(roles, plain, words, years, strict=True):
        unit = None if role else _unit(text) or _unit(both)
        dated = year if wide else (rowed or year_in(title)) and (unit or SAYS["balance"].search(both))
        if role or not text or not dated:
            columns.append(Column(role, both if text else ""))
        else:
            kind = "other" if SAYS["no_balance"].search(both) else "amount"
            year = year or (None if rowed else year_in(title))
            columns.append(Column(kind, f"{corner} {both}".strip(), year, unit or _unit(corner) or _unit(title)))
    return columns


def _role(text: str) -> str:
    plain = " ".join(re.sub(r"[^a-z ]", "", heading(text)).split())
    return next((role for role, known in ROLES.items() if re.fullmatch(known, plain)), "")


def _heads(cell: str) -> bool:
    """Whether a row's first cell is a heading: of the councils' names, or a unit alone."""
    text = heading(cell).strip("()")
    return bool(_role(cell)) or any(pattern.fullmatch(text) for pattern in UNIT.values())


def _unit(text: str) -> str | None:
    found = [unit for unit, pattern in UNIT.items() if pattern.search(text)]
    if len(found) > 1:
        raise PanelError(f"'{text}' names two units, {' and '.join(found)}")
    return found[0] if found else None
