"""How a file of own figures is laid out: which cells are amounts, of which council, year, unit and kind."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from deficits.errors import PanelError, SourceError, closest
from deficits.formatting import listed, year_given
from deficits.publications.reading import Workbook, heading, number, reason

LARGEST = 5_000_000
"""Bytes of a file that is read at all."""

UNITS = {"£": 1.0, "£000": 1e3, "£m": 1e6}
_UNIT = {
    "£": re.compile(r"£(?!\s?(?:[\d,'’]|k\b|mn?\b|bn\b|thousand|million|billion))|\bpounds\b"),
    "£000": re.compile(r"(?<![\d,])£?\s?[,'’]?000'?s?\b|£\s?k\b|thousand"),
    "£m": re.compile(r"£\s?mn?\b|million"),
}
_ROLES = {
    "authority": (
        "authority",
        "council",
        "local authority",
        "la",
        "name",
        "la name",
        "code",
        "dfe number",
        "ons code",
    ),
    "year": ("year", "financial year", "year end", "year ending march", "year ended march", "as at", "date"),
    "status": ("status", "basis", "type", "scenario", "case"),
    "accepted": ("accepted",),
    "note": ("note", "notes", "comment", "comments", "source", "reference"),
}
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
_UNIT_AFTER = re.compile(r"(\)?)\s*(billion|bn|million|mn|m|thousand|k)\s*(\)?)$", re.IGNORECASE)
_PARTED = re.compile(r"[-+(]?£?\d{1,3},\d{3}\)?")
_YEAR_ALONE = re.compile(r"20\d\d(\d\d)?")

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
    place: int
    role: str | None
    words: str
    year: int | None
    unit: str | None


class _Layout(NamedTuple):
    columns: list[_Column]
    rows: Lines


def amounts(path: Path, answers: Answers, readings: list[str], faults: list[str]) -> Iterator[Amount]:
    """The amounts of a CSV or workbook, row by row; `readings` and `faults` (with their lines) are added to.

    PanelError when the file cannot be read or has no headings that are understood.
    """
    sheets, commas = _sheets(path)
    found, others = {}, []
    for name, lines in sheets.items():
        try:
            layout = _layout(lines)
        except PanelError as error:
            others.append(str(error))
            continue
        if any(each.role == "amount" for each in layout.columns):
            found[name] = layout
        elif layout.columns:
            others.append(f"found the headings {listed([each.words for each in layout.columns if each.words])}")
    if len(found) != 1:
        what = [f"sheets {listed(list(found))} could be it: save one alone"] if found else others or ["found none"]
        raise PanelError(
            f"{path.name} cannot be used: expected one table with headings, a row for each council and year "
            f"(authority, year, balance) or a year a column; {what[0]}"
        )
    ((name, layout),) = found.items()
    if len(sheets) > 1:
        readings.append(f"Sheet '{name}' is read")
    yield from _of_rows(layout, commas, answers, readings, faults)


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
    """The number in a cell, and whether the cell itself gives the unit (£12.3m)."""
    plain, units = _UNIT_AFTER.subn(
        lambda found: {"b": "bn", "m": "m", "t": "k", "k": "k"}[found[2][0].lower()] + found[1] + found[3],
        text.strip().replace("£(", "(£"),
    )
    if re.fullmatch(r"[£(]*[,'’]?000\)?", plain):  # a heading
        return None, False
    return number(plain, units=True), units > 0


def _sheets(path: Path) -> tuple[dict[str, Lines], bool]:
    """Rows that are not blank with their lines, by sheet, and whether commas divide the cells."""
    try:
        if path.stat().st_size > LARGEST:
            raise PanelError(f"{path.name} is larger than {LARGEST // 1_000_000} MB: no file of a few balances")
        content = path.read_bytes()
        if content.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
            sheets = {name: [[_text(cell) for cell in row] for row in rows] for name, rows in Workbook(path)}
            return {name: _filled(enumerate(rows, start=1)) for name, rows in sheets.items()}, False
    except (OSError, SourceError) as error:
        raise PanelError(f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    text = _decoded(content, path.name)
    mark = max("\t;,", key=lambda mark: _alike(text, mark))
    try:
        return {"": _filled(_divided(text, mark, strict=True))}, mark == ","
    except csv.Error as error:
        raise PanelError(
            f"{path.name} is not a whole CSV ({error}): look for a quotation mark without its pair"
        ) from None


def _alike(text: str, mark: str) -> int:
    """How many rows have the same number of cells, over one, where this mark divides them."""
    try:
        widths = Counter(len(cells) for _, cells in _filled(_divided(text, mark)) if len(cells) > 1)
    except csv.Error:
        return 0
    return max(widths.values(), default=0)


def _decoded(content: bytes, name: str) -> str:
    """Text in UTF-8, UTF-16 with its mark, or Windows' CP1252."""
    try:
        encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    if re.search(r"[\x00\ufffd]", text):
        raise PanelError(f"{name} is neither a CSV nor a workbook: save it as 'CSV UTF-8' or xlsx")
    return text


def _divided(text: str, mark: str, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True, strict=strict)
    start = 1
    for cells in reader:
        yield start, [re.sub(r"\s+", " ", cell).strip() for cell in cells]
        start = reader.line_num + 1


def _filled(lines: Iterator[tuple[int, list[str]]]) -> Lines:
    return [(line, cells) for line, cells in lines if any(cells)]


def _text(cell: object) -> str:
    if isinstance(cell, date):
        return f"{cell:%d/%m/%Y}"
    whole = isinstance(cell, float) and cell.is_integer()
    return re.sub(r"\s+", " ", str(int(cell) if whole else cell)).strip()  # type: ignore[call-overload]


def _layout(lines: Lines) -> _Layout:
    """Titles, headings (in one row or several, merged or not) and rows."""
    start, year_place, years = len(lines), -1, False
    for place, (_, cells) in enumerate(lines):
        numbers = [cell for cell in cells if amount_in(cell)[0] is not None]
        if (
            any(not _YEAR_ALONE.fullmatch(cell) for cell in numbers)
            or (years and (numbers or (cells[0] and not _heads(cells[0]))))
            or (0 <= year_place < len(cells) and _LABEL.search(cells[year_place]))
        ):
            start = place
            break
        folded = [heading(cell) for cell in cells]
        year_place = next((at for at, cell in enumerate(folded) if _role(cell) == "year"), year_place)
        years = years or (sum(map(bool, cells)) > 1 and any(map(_LABEL.search, cells)))
    above = [cells for _, cells in lines[:start]]
    titles = [cells for cells in above[:-1] if cells[0] and not any(cells[1:])]
    heads = [cells for cells in above if cells not in titles]
    width = max((place + 1 for cells in heads for place, cell in enumerate(cells) if cell), default=0)
    heads = [(cells + [""] * width)[:width] for cells in heads]
    over = [*map(_spread, heads[:-1]), *heads[-1:]]
    title = heading(" ".join(cells[0] for cells in titles))
    columns = [
        _column(place, [row[place] for row in heads], [row[place] for row in over]) for place in range(width)
    ]
    return _Layout(_roles(columns, title), lines[start:])


def _heads(cell: str) -> bool:
    """Whether a row's first cell is a heading: of the councils' names, or a unit alone."""
    text = heading(cell)
    return _role(text) is not None or any(pattern.fullmatch(text.strip("()")) for pattern in _UNIT.values())


def _spread(cells: list[str]) -> list[str]:
    """A row of merged headings: each stands over the empty cells to its right."""

    def over(left: str, cell: str) -> str:
        return cell or left

    return list(accumulate(cells, over))


def _column(place: int, own: list[str], over: list[str]) -> _Column:
    text, words = heading(" ".join(own)), heading(" ".join(over))
    role = _role(text)
    year = None if role else (year_in(text) or year_in(words))
    return _Column(place, role, words, year, None if role else (_unit(text) or _unit(words)))


def _role(text: str) -> str | None:
    plain = " ".join(re.sub(r"[^a-z ]", "", text).split())
    return next((role for role, known in _ROLES.items() if plain in known), None)


def _roles(columns: list[_Column], title: str) -> list[_Column]:
    """The columns with what each holds: an amount, a label, or nothing that is used."""
    rowed = any(each.role == "year" for each in columns)
    wide = any(each.year for each in columns) and not rowed
    dated = wide or rowed or year_in(title)
    label = next((each for each in columns[:1] if wide and not each.role and not each.year), None)
    corner = label.words if label else ""
    done = []
    for each in columns:
        amount = bool(each.year) if wide else bool(dated and (_BALANCE.search(each.words) or each.unit))
        if each.role or each == label or not amount:
            done.append(each._replace(role=each.role or ("label" if each == label else "unknown")))
            continue
        done.append(
            each._replace(
                role="other" if _NO_BALANCE.search(each.words) else "amount",
                unit=each.unit or _unit(corner) or _unit(title),
                year=each.year or (None if rowed else year_in(title)),
                words=f"{corner} {each.words}".strip(),
            )
        )
    return done


def _unit(text: str) -> str | None:
    found = [unit for unit, pattern in _UNIT.items() if pattern.search(text)]
    if len(found) > 1:
        raise PanelError(f"'{text}' names two units, {' and '.join(found)}")
    return found[0] if found else None


def _of_rows(
    layout: _Layout, commas: bool, answers: Answers, readings: list[str], faults: list[str]
) -> Iterator[Amount]:
    columns = layout.columns
    holding = [column for column in columns if column.role == "amount"]
    for column in columns:
        if column.role == "other":
            readings.append(f"Column '{column.words}' is no closing balance: left out")
        elif column.role == "unknown" and column.words:
            faults.append(
                f"column '{column.words}' is none that is known ({', '.join(_ROLES)}, balance): take it out"
            )
    section = ""
    for line, row in layout.rows:
        cells = [*row, *[""] * len(columns)]
        if sum(map(bool, row)) == 1 and amount_in(next(filter(None, row)))[0] is None:
            section = heading(" ".join(row))
            continue
        if any(
            cell and (place >= len(columns) or (not columns[place].words and columns[place].role != "label"))
            for place, cell in enumerate(row)
        ):
            faults.append(
                f"line {line}: more cells than headings; an amount such as -8,400,000 needs quotes around it"
            )
            continue
        given = {
            role: [cells[each.place] for each in columns if each.role == role and cells[each.place]]
            for role in [*_ROLES, "label"]
        }
        label = heading(" ".join(given["label"]))
        if _NO_BALANCE.search(label):
            readings.append(f"Line {line}, '{label}', is no closing balance: left out")
            continue
        names = given["authority"] + ([] if _BALANCE.search(label) else given["label"])
        for column in holding:
            text = cells[column.place]
            after = cells[column.place + 1]
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
                    words=" ".join(filter(None, [column.words, label if label and not names else "", section])),
                    unit=unit,
                    accepted=[heading(each) for each in given["accepted"]] == ["yes"],
                )
