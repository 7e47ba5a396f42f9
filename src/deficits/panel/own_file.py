"""How a file of own figures is laid out: which cells are amounts, of which council, year, unit and kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, zip_longest
from pathlib import Path
from typing import NamedTuple

from deficits.authorities import plain_code
from deficits.errors import PanelError, SourceError, closest
from deficits.formatting import listed, year_given
from deficits.publications.cells import heading, number, reason
from deficits.publications.files import Workbook, is_workbook, typed_rows

LARGEST = 5_000_000
"""Bytes of a file that is read at all."""

UNITS = {"£": 1.0, "£000": 1e3, "£m": 1e6}
_UNIT = {
    "£": re.compile(r"£(?!\s?(?:[\d,'’]|k\b|mn?\b|bn\b|thousand|million|billion))|\bpounds\b"),
    "£000": re.compile(r"(?<![\d,.])£?\s?[,'’]?000'?s?\b|£\s?k\b|thousand"),
    "£m": re.compile(r"£\s?mn?\b|million"),
}
_ROLES = {
    "authority": "authority|council|local authority|la|name|la name|code|dfe number|ons code",
    "year": "year|financial year|year end|year end(ing|ed) march|as at|date",
    "status": "status|basis|type|scenario|case",
    "accepted": "accepted",
    "note": "notes?|comments?|source|reference",
}
"""What a column holds, and the headings that say so."""
_BALANCE = re.compile(
    r"balance|deficit|reserve|surplus|overspen|\bc/?f|carried f|closing|cumulative|mitigat|amount|outturn|forecast"
)
_NO_BALANCE = re.compile(r"in[- ]year|\bb/?f|brought f|opening|movement|change")
_MARCH = re.compile(r"(?:mar(?:ch)?[ ,-]+|\b31/0?3/)(?P<end>(?:20)?\d\d)\b|(?P<iso>20\d\d)-03-31", re.IGNORECASE)
_OTHER_DAY = re.compile(
    r"\d/\d{1,2}/\d|\d-\d\d-\d\d|\b(jan|feb|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE
)
_LABEL = re.compile(
    r"(?<![\d,.£])(?:20\d\d ?(?:[-/–—]|to) ?(?:20)?\d\d|FY ?(?:20)?\d\d|20\d\d(?:\d\d)?)(?![\d,.])", re.IGNORECASE
)
_YEAR_ALONE = re.compile(r"20\d\d(\d\d)?")
_PARTED = re.compile(r"[-+(]?£?\d{1,3},\d{3}\)?")

Lines = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class Answers:
    """What an analyst says of a file that does not say it itself.

    `authority`: the one council of a file without names. `unit` (£, £000 or £m): of its amounts.
    `deficits_positive`: a positive number is a deficit. `accept`: amounts that depart from the council's published
    record are right as they stand.
    """

    authority: str | None = None
    unit: str | None = None
    deficits_positive: bool = False
    accept: bool = False

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in UNITS:
            raise PanelError(f"unit '{self.unit}': {closest(self.unit, UNITS)}")


class Amount(NamedTuple):
    """A cell with an amount and what its row and headings say; `words` are those on its kind and sign."""

    line: int
    text: str
    names: list[str]
    year: int | str
    status: str
    words: str
    unit: str
    accepted: bool


class _Column(NamedTuple):
    """`role`: one of `_ROLES`, amount, other (an amount that is no closing balance), label, or None."""

    role: str | None
    words: str
    year: int | None = None
    unit: str | None = None


def amounts(path: Path, answers: Answers, readings: list[str], faults: list[str]) -> Iterator[Amount]:
    """The amounts of a CSV or workbook, row by row; `readings` and `faults` (with their lines) are added to.

    PanelError when the file cannot be read or has no headings that are understood.
    """
    sheets, commas = _sheets(path)
    found, others = {}, []
    for name, lines in sheets.items():
        try:
            columns, rows = _table(lines)
        except PanelError as error:
            others.append(str(error))
            continue
        if any(column.role == "amount" for column in columns):
            found[name] = columns, rows
        elif columns:
            others.append(f"found the headings {listed([column.words for column in columns if column.words])}")
    if len(found) != 1:
        several = [f"sheets {listed(list(found))} could be it: save one alone"] if found else []
        raise PanelError(
            f"{path.name} cannot be used: expected one table with headings, a row for each council and year "
            f"(authority, year, balance) or a year a column; {[*several, *others, 'found none'][0]}"
        )
    ((name, (columns, rows)),) = found.items()
    if len(sheets) > 1:
        readings.append(f"Sheet '{name}' is read")
    yield from _of_rows(columns, rows, commas, answers, readings, faults)


def year_in(text: str) -> int | None:
    """The one financial year that a text names, as a label, a year or its 31 March; PanelError for another day."""
    march = _MARCH.search(text)
    if march:
        return 2000 + int(march["end"] or march["iso"]) % 100
    label = _LABEL.search(text)
    if label and _OTHER_DAY.search(text):
        raise PanelError(f"'{text}' is no 31 March: own figures are balances at the end of a financial year")
    return year_given(label[0]) if label else None


def amount_in(text: str) -> tuple[float | None, bool]:
    """The number in a cell (None in a heading such as £000), and whether the cell gives the unit (£12.3m)."""
    value = None if _UNIT["£000"].fullmatch(text.strip("()")) else number(text, units=True)
    return value, value is not None and number(text) is None


def _sheets(path: Path) -> tuple[dict[str, Lines], bool]:
    """Rows that are not blank with their lines, by sheet, and whether commas divide the cells."""
    if path.is_file() and path.stat().st_size > LARGEST:
        raise PanelError(f"{path.name} is larger than {LARGEST // 1_000_000} MB: no file of a few balances")
    try:
        if is_workbook(path):
            sheets = {name: _filled(enumerate(rows, start=1)) for name, rows in Workbook(path)}
            return sheets, False
        rows, mark = typed_rows(path)
    except SourceError as error:
        raise PanelError(str(error)) from None
    return {"": _filled(rows)}, mark == ","


def _filled(rows: Iterable[tuple[int, Sequence[object]]]) -> Lines:
    def text(cell: object) -> str:
        return " ".join((f"{cell:%d/%m/%Y}" if isinstance(cell, date) else plain_code(cell)).split())

    return [(line, cells) for line, row in rows if any(cells := [text(cell) for cell in row])]


def _table(lines: Lines) -> tuple[list[_Column], Lines]:
    """The columns, from headings in one row or several (merged or not) below any titles, and the other rows."""
    start, year, years = len(lines), -1, False
    for at, (_, cells) in enumerate(lines):
        if (
            any(amount_in(cell)[0] is not None and not _YEAR_ALONE.fullmatch(cell) for cell in cells)
            or (years and cells[0] and not _heads(cells[0]))
            or (0 <= year < len(cells) and _LABEL.search(cells[year]))
        ):
            start = at
            break
        year = next((place for place, cell in enumerate(cells) if _role(cell) == "year"), year)
        years = years or (sum(map(bool, cells)) > 1 and any(map(_LABEL.search, cells)))
    above = [cells for _, cells in lines[:start]]
    titles = [cells for cells in above[:-1] if cells[0] and not any(cells[1:])]
    rows = zip(*zip_longest(*(cells for cells in above if cells not in titles), fillvalue=""), strict=True)
    return _columns([list(row) for row in rows], heading(" ".join(cells[0] for cells in titles))), lines[start:]


def _columns(heads: list[list[str]], title: str) -> list[_Column]:
    """What each column holds. A merged heading stands over the empty cells to its right."""

    def over(left: str, cell: str) -> str:
        return cell or left

    merged = [[*accumulate(row, over)] for row in heads[:-1]] + heads[-1:]
    plain = [heading(" ".join(cells)) for cells in zip(*heads, strict=True)]
    words = [heading(" ".join(cells)) for cells in zip(*merged, strict=True)]
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
        dated = year if wide else (rowed or year_in(title)) and (unit or _BALANCE.search(both))
        if role or not text or not dated:
            columns.append(_Column(role, both if text else ""))
        else:
            kind = "other" if _NO_BALANCE.search(both) else "amount"
            year = year or (None if rowed else year_in(title))
            unit = unit or _unit(corner) or _unit(title)
            columns.append(_Column(kind, f"{corner} {both}".strip(), year, unit))
    return columns


def _role(text: str) -> str | None:
    plain = " ".join(re.sub(r"[^a-z ]", "", heading(text)).split())
    return next((role for role, known in _ROLES.items() if re.fullmatch(known, plain)), None)


def _heads(cell: str) -> bool:
    """Whether a row's first cell is a heading: of the councils' names, or a unit alone."""
    text = heading(cell).strip("()")
    return _role(cell) is not None or any(pattern.fullmatch(text) for pattern in _UNIT.values())


def _unit(text: str) -> str | None:
    found = [unit for unit, pattern in _UNIT.items() if pattern.search(text)]
    if len(found) > 1:
        raise PanelError(f"'{text}' names two units, {' and '.join(found)}")
    return found[0] if found else None


def _of_rows(
    columns: list[_Column], rows: Lines, commas: bool, answers: Answers, readings: list[str], faults: list[str]
) -> Iterator[Amount]:
    for column in columns:
        if column.role == "other":
            readings.append(f"Column '{column.words}' is no closing balance: left out")
        elif column.role is None and column.words:
            faults.append(
                f"column '{column.words}' is none that is known ({', '.join(_ROLES)}, balance): take it out"
            )
    holding = [place for place, column in enumerate(columns) if column.role == "amount"]
    section = ""
    for line, row in rows:
        cells = [*row, *[""] * len(columns)]
        filled = [cell for cell in row if cell]
        if len(filled) == 1 and amount_in(filled[0])[0] is None:
            section = heading(filled[0])
            continue
        unheaded = [cell for column, cell in zip(columns, row, strict=False) if column == _Column(None, "")]
        if any(unheaded) or any(row[len(columns) :]):
            faults.append(
                f"line {line}: more cells than headings; an amount such as -8,400,000 needs quotes around it"
            )
            continue
        given: dict[str | None, list[str]] = {role: [] for role in [*_ROLES, "label"]}
        for column, cell in zip(columns, cells, strict=False):
            given.setdefault(column.role, []).extend([cell] if cell else [])
        label = heading(" ".join(given["label"]))
        if _NO_BALANCE.search(label):
            readings.append(f"Line {line}, '{label}', is no closing balance: left out")
            continue
        names = given["authority"] + ([] if _BALANCE.search(label) else given["label"])
        for place in holding:
            column, text, after = columns[place], cells[place], cells[place + 1]
            unit = answers.unit or column.unit or "£"
            if text in ("-", "–"):
                faults.append(f"line {line}: '{text}' may be nil or not known: write 0, or leave the cell empty")
            elif commas and unit != "£m" and not answers.accept and _PARTED.fullmatch(f"{text},{after}"):
                faults.append(
                    f"line {line}: '{text},{after}' may be one amount: leave its comma out, or --accept two"
                )
            elif len(holding) == 1 or reason(text) is None:
                yield Amount(
                    line=line,
                    text=text,
                    names=[*names, *([answers.authority] if answers.authority else [])],
                    year=column.year or " ".join(given["year"]),
                    status=heading(" ".join(given["status"])),
                    words=" ".join(filter(None, [column.words, "" if names else label, section])),
                    unit=unit,
                    accepted=[heading(each) for each in given["accepted"]] == ["yes"],
                )
