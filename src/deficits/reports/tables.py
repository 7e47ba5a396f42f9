"""Frames as tables to read: rounded once, units in the headings, the same in page, CSV and spreadsheet."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from deficits.errors import closest
from deficits.formatting import MINUS, chance, financial_year, percent

if TYPE_CHECKING:
    import pandas as pd

Format = str | Callable[[Any], str]
Cell = str | int | float | None

DATA = "application/vnd.dataresource+json"
"""Kind of output that holds a table's rows: a Frictionless data resource."""
MISSING = "n/a"
NARROW = 2
"""Columns that a screen of 320 pixels has room for."""
SHORT = 12
"""Longest text, in characters, that is kept in one line."""

UNITS: dict[str, tuple[float, int]] = {
    "£": (1, 0),
    "£m": (1e6, 1),
    "£bn": (1e9, 1),
    "%": (0.01, 0),
    "number": (1, 0),
}
"""How a number is shown: what it is divided by, and to how many decimals."""
FORMATS = (*UNITS, "chance", "year")
"""The same by name, a share of simulations, and the calendar year in which a financial year ends."""
UNIT_IN_NAME = {"(£)": "£", "(0 to 1)": "%"}
"""How a column's own name tells what it holds."""


class Link(str):
    """A cell's text of which a part, or all, leads to an address: a link on a page, text alone elsewhere.

    >>> Markup("<td>{}</td>").format(Link("See England", "england.html", "England"))
    Markup('<td>See <a href="england.html">England</a></td>')
    """

    __slots__ = ("address", "part")
    address: str
    part: str

    def __new__(cls, text: str, address: str, part: str = "") -> Link:
        """A text with the address that its last `part` leads to; by default all of it."""
        link = super().__new__(cls, text)
        link.address, link.part = address, part or text
        return link

    def __html__(self) -> Markup:
        before, part, after = self.rpartition(self.part)
        return Markup('{}<a href="{}">{}</a>{}').format(before, self.address, part, after)


@dataclass(frozen=True)
class Column:
    """A column ready to be shown: its heading with the unit, and its cells as texts (None where missing)."""

    heading: str
    cells: tuple[str | None, ...]
    numeric: bool

    @property
    def in_one_line(self) -> bool:
        """Whether its cells are never broken over lines: numbers, and short texts such as 2024-25."""
        return self.numeric or all(len(cell or "") <= SHORT for cell in self.cells)

    @property
    def values(self) -> list[Cell]:
        """What is shown, numbers as numbers: a download holds nothing that the page does not."""
        return [_as_number(cell) if self.numeric and cell else cell for cell in self.cells]


def laid_out(frame: pd.DataFrame, units: str = "", formats: Mapping[str, Format] | None = None) -> list[Column]:
    """The frame's columns as they are shown; a named index comes first.

    `formats` gives for a column a unit ("£", "£m", "£bn", "%", "chance", "number", "year") or a function from a
    value to a text; `units` is the unit of the other numbers, which a column's own name overrules where it ends in
    "(£)" or "(0 to 1)". Raises ValueError for an unknown unit, or a format for a column that is not there.
    """
    frame = frame if frame.index.names == [None] else frame.reset_index()
    names = [", ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.columns]
    formats = formats or {}
    for name, given in {**formats, "": units}.items():
        if name and name not in names:
            raise ValueError(f"a format is given for '{name}', which is no column; {closest(name, names)}")
        if given and isinstance(given, str) and given not in FORMATS:
            where = f"column '{name}'" if name else "the table"
            raise ValueError(f"{where} has format '{given}'; {closest(given, FORMATS)}")
    # One unit for all of a table's pounds: where none is said, what suits the largest of them.
    largest = frame.loc[:, [name.endswith("(£)") for name in names]].abs().max().max()
    suiting = "£bn" if largest >= 1e9 else "£m" if largest >= 1e6 else "£"
    pounds = units if units.startswith("£") else suiting
    return [
        _column(name, values, formats.get(name) or _suiting(name, values, units, pounds))
        for name, (_, values) in zip(names, frame.items(), strict=True)
    ]


def _suiting(name: str, values: pd.Series, units: str, pounds: str) -> Format:
    if values.dtype.kind not in "iuf":
        return str
    kept = next((unit for ending, unit in UNIT_IN_NAME.items() if name.endswith(ending)), "")
    if kept:
        return pounds if kept == "£" else kept
    if values.dtype.kind in "iu" and values.between(1900, 2100).all():
        return str  # a calendar year takes no comma
    return units or ("number" if (values.dropna() % 1 == 0).all() else lambda value: _written(value, 1, 1))


def _column(name: str, values: pd.Series, given: Format) -> Column:
    write, unit = given, ""
    if isinstance(given, str):
        unit = "%" if given == "chance" else given if given in UNITS and given != "number" else ""
        write = _writer(given)
    numeric = values.dtype.kind in "iuf" and given != "year"
    cells = tuple(None if gone else write(value) for value, gone in zip(values, values.isna(), strict=True))  # type: ignore[operator]
    if numeric:  # of a format of the notebook's own too
        cells = tuple(cell and re.sub("^-", MINUS, cell) for cell in cells)
    for kept in UNIT_IN_NAME if unit else ():
        name = name.removesuffix(kept).rstrip()
    heading = name if not unit or name.endswith(f"({unit})") else f"{name} ({unit})"
    return Column(heading, cells, numeric)


def _writer(unit: str) -> Callable[[Any], str]:
    if unit == "year":
        return lambda year: financial_year(int(year))
    if unit in ("%", "chance"):
        # "over 99" and "under 1" stay; their sign stands in the heading.
        return lambda share: (percent if unit == "%" else chance)(float(share)).replace("%", "")
    scale, places = UNITS[unit]
    # £120m, an estimate to two figures, is not £120.0m; £2.0m is one to two figures.
    whole = 10 * scale if unit == "£m" else math.inf
    return lambda value: _written(
        value, scale, 0 if not value or (abs(value) >= whole and not value % scale) else places
    )


def _written(value: float, scale: float, places: int) -> str:
    text = f"{value / scale:,.{places}f}"
    return (text.lstrip("-") if not text.strip("-0.,") else text).replace("-", MINUS)


def _as_number(text: str) -> Cell:
    plain = text.replace(MINUS, "-").replace(",", "")
    try:
        return float(plain) if "." in plain else int(plain)
    except ValueError:
        return text


def html_table(columns: Sequence[Column], name: str, caption: str) -> Markup:
    """The table, in a box that scrolls; the keyboard reaches the box when a narrow screen would need to scroll.

    `name` is the id, unique on the page.
    """
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_class(each), each.heading) for each in columns
    )
    rows = Markup("\n").join(
        Markup("<tr>{}</tr>").format(Markup("").join(_cell(each, row, each is columns[0]) for each in columns))
        for row in range(len(columns[0].cells))
    )
    # A tab stop where nothing scrolls is a nuisance, a box that scrolls without one is closed to the keyboard.
    region = Markup(' role="region" tabindex="0" aria-labelledby="{}-caption"').format(name)
    return Markup(
        '<div class="scroll"{}><table id="{}">\n<caption id="{}-caption"><span>{}</span></caption>\n'
        "<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table></div>"
    ).format(region if len(columns) > NARROW else "", name, name, caption, head, rows)


def _cell(column: Column, row: int, names_the_row: bool) -> Markup:
    text = MISSING if column.cells[row] is None else column.cells[row]
    if names_the_row:
        return Markup('<th scope="row"{}>{}</th>').format(Markup(' class="s"' if column.in_one_line else ""), text)
    return Markup("<td{}>{}</td>").format(_class(column), text)


def _class(column: Column) -> Markup:
    """How a column is set: numbers need no class, "t" is text, "s" text in one line."""
    return Markup("" if column.numeric else ' class="s"' if column.in_one_line else ' class="t"')


def text_table(columns: Sequence[Column]) -> str:
    """The table in plain text, the same in every version of pandas."""
    lined_up = []
    for column in columns:
        texts = [column.heading, *(MISSING if cell is None else cell for cell in column.cells)]
        width = max(map(len, texts))
        lined_up.append([f"{text:>{width}}" if column.numeric else f"{text:<{width}}" for text in texts])
    return "\n".join("  ".join(row).rstrip() for row in zip(*lined_up, strict=True))


def resource(columns: Sequence[Column], name: str, title: str, source: str, finding: str = "") -> dict[str, Any]:
    """The table as data: what a spreadsheet is made from."""
    fields = [{"name": each.heading, "type": "number" if each.numeric else "string"} for each in columns]
    rows = [list(row) for row in zip(*(each.values for each in columns), strict=True)]
    return {
        "name": name,
        "title": title,
        "description": finding,
        "sources": [{"title": source}],
        "schema": {"fields": fields},
        "data": rows,
    }


def csv_link(columns: Sequence[Column], name: str) -> Markup:
    """A link that holds the table as CSV, as it is shown: it is saved without asking any server."""
    text = io.StringIO()
    write = csv.writer(text)
    write.writerow([each.heading for each in columns])
    write.writerows(zip(*([_harmless(value) for value in each.values] for each in columns), strict=True))
    # Excel takes a file for UTF-8 only when it begins with this mark.
    address = "data:text/csv;charset=utf-8," + quote("\ufeff" + text.getvalue(), safe=",()/:")
    return Markup('<a class="download" href="{}" download="{}.csv">Download {}.csv</a>').format(
        address, name, name
    )


def _harmless(value: Cell) -> Cell:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
