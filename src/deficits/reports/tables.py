"""Frames as tables that can be read: rounded once, units in the headings, marked up for a screen reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from deficits.errors import closest
from deficits.formatting import MINUS, financial_year, percent

if TYPE_CHECKING:
    import pandas as pd

Format = str | Callable[[Any], str]

DASH = "\N{EN DASH}"
NARROW = 280
"""Room for a table, in pixels, on a screen 320 pixels wide."""


SHORT = 12
"""Longest text, in characters, that is kept in one line."""


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


def _number(places: int, scale: float = 1.0) -> Callable[[float], str]:
    def write(value: float) -> str:
        text = f"{value / scale:,.{places}f}"
        if text.strip("-0.,") == "":
            text = text.lstrip("-")
        return text.replace("-", MINUS)

    return write


FORMATS: dict[str, tuple[Callable[[Any], str], str]] = {
    "gbp": (_number(0), "£"),
    "gbp_m": (_number(1, 1e6), "£m"),
    "gbp_bn": (_number(1, 1e9), "£bn"),
    # "over 99" and "under 1" stay; their sign stands in the heading.
    "percent": (lambda share: percent(float(share)).replace("%", ""), "%"),
    "count": (_number(0), ""),
    "year": (lambda year: financial_year(int(year)), ""),
}
"""Name of a format: from a value to its text, and the unit for the heading."""

UNIT_IN_NAME = {"(£)": "gbp", "(0 to 1)": "percent"}
"""How a column's own name tells what it holds."""


def laid_out(frame: pd.DataFrame, formats: Mapping[str, Format] | None = None, unit: str = "") -> list[Column]:
    """The frame's columns as they are shown; a named index comes first.

    A column without a format goes by its name: "(£)" is shown in `unit` ("£m", "£bn") or in what suits its size,
    "(0 to 1)" in per cent. Raises ValueError for an unknown format, or one for a column that is not there.
    """
    frame = frame if frame.index.names == [None] else frame.reset_index()
    formats = formats or {}
    names = [str(name) for name in frame.columns]
    for name, given in formats.items():
        if name not in names:
            raise ValueError(f"a format is given for '{name}', which is no column; {closest(name, names)}")
        if isinstance(given, str) and given not in FORMATS:
            raise ValueError(f"column '{name}' has format '{given}'; {closest(given, FORMATS)}")
    return [
        _column(name, values, formats.get(name) or _suiting(name, values, unit))
        for name, (_, values) in zip(names, frame.items(), strict=True)
    ]


def _column(name: str, values: pd.Series, given: Format) -> Column:
    write, unit = FORMATS[given] if isinstance(given, str) else (given, "")
    missing = values.isna()
    cells = tuple(None if gone else write(value) for value, gone in zip(values, missing, strict=True))
    numeric = values.dtype.kind in "iuf" or given == "year"
    return Column(_heading(name, unit), cells, numeric)


def _heading(name: str, unit: str) -> str:
    """The name with the unit that the cells are shown in, instead of the one they are kept in."""
    if not unit or name.endswith(f"({unit})"):
        return name
    for kept in UNIT_IN_NAME:
        name = name.removesuffix(kept).rstrip()
    return f"{name} ({unit})"


def _suiting(name: str, values: pd.Series, unit: str) -> Format:
    """The format for a column that was given none."""
    if values.dtype.kind not in "iuf":
        return str
    kept = next((given for ending, given in UNIT_IN_NAME.items() if name.endswith(ending)), None)
    if kept == "gbp":
        size = values.abs().max()
        by_size = "gbp_bn" if size >= 1e9 else "gbp_m" if size >= 1e6 else "gbp"
        return {"£bn": "gbp_bn", "£m": "gbp_m"}.get(unit, by_size)
    if kept:
        return kept
    if values.dtype.kind in "iu" and values.between(1900, 2100).all():
        return str  # a calendar year takes no comma
    return "count" if (values.dropna() % 1 == 0).all() else _number(1)


def html_table(columns: list[Column], name: str, caption: str) -> Markup:
    """The table, in a box that scrolls; the keyboard reaches the box when a narrow screen would need to scroll.

    `name` is the id, unique on the page.
    """
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_text_class(column), column.heading) for column in columns
    )
    body = Markup("\n").join(
        Markup("<tr>{}</tr>").format(Markup("").join(_cell(column, row) for column in _placed(columns)))
        for row in range(len(columns[0].cells))
    )
    # A tab stop where nothing scrolls is a nuisance, a box that scrolls without one is closed to the keyboard.
    focusable = Markup(' role="region" tabindex="0" aria-labelledby="{}-caption"').format(name)
    return Markup(
        '<div class="scroll"{focusable}><table id="{name}">\n'
        '<caption id="{name}-caption"><span>{caption}</span></caption>\n'
        "<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    ).format(
        focusable=focusable if _least_width(columns) > NARROW else "",
        name=name,
        caption=caption,
        head=head,
        body=body,
    )


def _placed(columns: list[Column]) -> list[tuple[Column, bool]]:
    return [(column, place == 0) for place, column in enumerate(columns)]


def _cell(placed: tuple[Column, bool], row: int) -> Markup:
    column, names_the_row = placed
    text = column.cells[row]
    # An empty cell is read out as nothing at all; a bare dash as "dash", or not.
    shown = Markup(f'<span role="img" aria-label="not available">{DASH}</span>') if text is None else text
    if names_the_row:
        kind = Markup(' class="s"' if column.in_one_line else "")
        return Markup('<th scope="row"{}>{}</th>').format(kind, shown)
    return Markup("<td{}>{}</td>").format(_text_class(column), shown)


def _text_class(column: Column) -> Markup:
    """How a column is set: numbers need no class, "t" is text, "s" text in one line."""
    return Markup("" if column.numeric else ' class="s"' if column.in_one_line else ' class="t"')


def _least_width(columns: list[Column]) -> float:
    """Least width in pixels: the longest piece of each column that no browser breaks, in a wide font."""
    return sum(18 + 9.5 * max(_longest_piece(column.heading), _widest_cell(column)) for column in columns)


def _widest_cell(column: Column) -> int:
    piece = len if column.in_one_line else _longest_piece
    return max((piece(cell) for cell in column.cells if cell), default=1)


def _longest_piece(text: str) -> int:
    return max(map(len, text.replace("-", "- ").split()), default=1)


def text_table(columns: list[Column]) -> str:
    """The table in plain text, the same in every version of pandas."""
    lined_up = []
    for column in columns:
        texts = [column.heading, *(DASH if cell is None else cell for cell in column.cells)]
        width = max(map(len, texts))
        lined_up.append([f"{text:>{width}}" if column.numeric else f"{text:<{width}}" for text in texts])
    return "\n".join("  ".join(row).rstrip() for row in zip(*lined_up, strict=True))


def csv_link(frame: pd.DataFrame, name: str) -> Markup:
    """A link that holds the frame as CSV, unrounded: it is saved without asking any server."""
    named = frame if frame.index.names == [None] else frame.reset_index()
    text = named.to_csv(index=False, lineterminator="\r\n")
    size = max(1, round(len(text.encode()) / 1000))
    # Excel takes a file for UTF-8 only when it begins with this mark.
    address = "data:text/csv;charset=utf-8," + quote("\ufeff" + text, safe=",()/:")
    return Markup('<a class="download" href="{}" download="{}.csv">Download {}.csv ({} KB)</a>').format(
        address, name, name, size
    )
