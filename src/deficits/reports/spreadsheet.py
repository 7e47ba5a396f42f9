"""A page's tables as one spreadsheet, to the Analysis Function's guidance: cover, contents, a sheet a table.

It is made from the data that `figure` and `table` keep in a notebook's outputs, as rounded as the page shows them.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

import xlsxwriter
from markupsafe import Markup

from deficits.formatting import day_in_words
from deficits.reports.display import OGL_ATTRIBUTION
from deficits.reports.frame import SITE, bundles
from deficits.reports.tables import DATA, Cell

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from xlsxwriter.worksheet import Worksheet

    from deficits.reports.record import RunRecord

KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NOT_AVAILABLE = "[x]"
"""The Analysis Function's shorthand."""
WIDEST = 80
"""Letters of a column, beyond which its texts break over lines."""
FORMATS: dict[str, dict[str, Any]] = {
    "title": {"font_size": 16, "bold": True},
    "cover title": {"font_size": 16, "bold": True, "text_wrap": True},
    "cover heading": {"font_size": 14, "bold": True, "text_wrap": True},
    "subtitle": {"font_size": 14},
    "line": {},
    "text": {"align": "left", "text_wrap": True},
    "number": {"align": "right", "text_wrap": True},
    "text heading": {"align": "left", "text_wrap": True, "bold": True, "bottom": 1, "valign": "top"},
    "number heading": {"align": "right", "text_wrap": True, "bold": True, "bottom": 1, "valign": "top"},
    "link": {"align": "left", "text_wrap": True, "underline": True, "font_color": "blue"},
}
ONE_TABLE = "This worksheet contains one table."


def tables_of(notebook: NotebookNode) -> list[dict[str, Any]]:
    """The tables that a notebook's cells have shown, charts' tables included, in the page's order."""
    shown = (data.get(DATA) for data in bundles(notebook))
    return [table for table in shown if table and table["data"]]


def spreadsheet(tables: Sequence[Mapping[str, Any]], record: RunRecord, differences: Iterable[str] = ()) -> bytes:
    """An xlsx file with cover, contents and a sheet a table: the same bytes for the same record.

    `differences`: what the page rests on that the usual one does not, in sentences.
    """
    into, told = io.BytesIO(), {"title": record.title, "subject": SITE}
    book = _Book(into)
    # Without a day, the file holds the moment at which it was made.
    book.file.set_properties(told | {"created": datetime.combine(record.run_on, time())})
    cover = book.sheet("Cover")
    cover.set_column(0, 0, WIDEST)
    intro = [
        f"All tables of the page “{record.title}”, run on {day_in_words(record.run_on)}.",
        "Estimates made from published figures; they are not official statistics.",
        *differences,
    ]
    about = [
        "Figures are rounded as on the page; rounded figures need not add up. Units stand in the headings.",
        "80% of simulations lie between the 10th and the 90th percentile; the central estimate is the median.",
        f"Some cells have no figure: {NOT_AVAILABLE} = not available. 2024-25 is the year to 31 March 2025.",
        f"Code: {record.content.code}. Fingerprint of the run: {record.fingerprint}.",
        "Sources, licences, method and corrections are on the page.",
        OGL_ATTRIBUTION,
    ]
    above = [("cover title", record.title), ("cover heading", "Introductory information")]
    above += [*(("text", text) for text in intro), ("cover heading", "About these data")]
    book.write(cover, [*above, *(("text", text) for text in about)])
    titles = [f"Table {number}: {table['title']}" for number, table in enumerate(tables, 1)]
    rows: list[list[Cell]] = [[f"Table_{number}", title] for number, title in enumerate(titles, 1)]
    contents = book.sheet("Contents")
    headings = {"Sheet name": False, "Table description": False}
    top = book.table(
        contents, "contents_table", [("title", "Table of contents"), ("line", ONE_TABLE)], headings, rows
    )
    for number, (name, _) in enumerate(rows, 1):
        contents.write_url(top + number, 0, f"internal:'{name}'!A1", book.formats["link"], str(name))
    for (name, title), table in zip(rows, tables, strict=True):
        _table(book, str(name), str(title), table)
    book.file.close()
    return into.getvalue()


def _table(book: _Book, sheet: str, title: str, table: Mapping[str, Any]) -> None:
    rows = [[_written(cell) for cell in row] for row in table["data"]]
    above = [("title", title), ("subtitle", table["description"]), ("line", ONE_TABLE)]
    above += [("line", f"{NOT_AVAILABLE} = not available")] if any(None in row for row in table["data"]) else []
    above += [("line", f"Source: {table['sources'][0]['title']}")]
    headings: dict[str, bool] = {}
    for place, field in enumerate(table["schema"]["fields"]):
        name = field["name"]
        headings[f"{name} ({place})" if name in headings else name] = place > 0 and field["type"] == "number"
    name = re.sub(r"\W", "_", table["name"])
    book.table(book.sheet(sheet), name, [line for line in above if line[1]], headings, rows)


def _written(cell: Cell) -> Cell:
    """A cell that a screen reader can read out: a text has a letter or a figure, and none is empty."""
    return NOT_AVAILABLE if cell is None or (isinstance(cell, str) and not re.search(r"\w", cell)) else cell


class _Book:
    """A workbook in the Analysis Function's formats."""

    def __init__(self, into: io.BytesIO) -> None:
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self.file = xlsxwriter.Workbook(into, options)
        arial = {"font_name": "Arial", "font_size": 12}
        self.formats = {name: self.file.add_format(arial | given) for name, given in FORMATS.items()}

    def sheet(self, name: str) -> Worksheet:
        """A sheet without grid lines."""
        sheet = self.file.add_worksheet(name)
        sheet.hide_gridlines(2)
        return sheet

    def write(self, sheet: Worksheet, lines: Sequence[tuple[str, str]]) -> None:
        """Lines down the first column, each in its format."""
        for row, (kind, text) in enumerate(lines):
            sheet.write_string(row, 0, text, self.formats[kind])

    def table(
        self,
        sheet: Worksheet,
        name: str,
        above: Sequence[tuple[str, str]],
        headings: Mapping[str, bool],
        rows: Sequence[Sequence[Cell]],
    ) -> int:
        """A table below some lines; `headings`: whether each is of numbers. Returns the row of the headings."""
        self.write(sheet, above)
        kinds = ["number" if numeric else "text" for numeric in headings.values()]
        columns = [
            {"header": heading, "header_format": self.formats[f"{kind} heading"], "format": self.formats[kind]}
            for heading, kind in zip(headings, kinds, strict=True)
        ]
        marked = {"name": name, "columns": columns, "data": rows, "autofilter": False, "style": None}
        sheet.add_table(len(above), 0, len(above) + len(rows), len(columns) - 1, marked)
        for place, cells in enumerate(zip(headings, *rows, strict=True)):
            sheet.set_column(place, place, min(WIDEST, 2 + 1.2 * max(len(str(cell)) for cell in cells)))
        return len(above)


def link(file: bytes, name: str) -> Markup:
    """A link that holds the spreadsheet: it is saved without asking any server."""
    address = f"data:{KIND};base64,{base64.b64encode(file).decode('ascii')}"
    size = max(1, round(len(file) / 1000))
    return Markup(
        '<a class="download" href="{}" download="{}.xlsx">All tables as a spreadsheet</a> (Excel, .xlsx, {} KB)'
    ).format(address, name, size)
