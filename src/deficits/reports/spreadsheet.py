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


def tables_of(notebook: NotebookNode) -> list[dict[str, Any]]:
    """The tables that a notebook's cells have shown, charts' tables included, in the page's order."""
    shown = (data.get(DATA) for data in bundles(notebook))
    return [table for table in shown if table and table["data"]]


def spreadsheet(tables: Sequence[Mapping[str, Any]], record: RunRecord, differences: Iterable[str] = ()) -> bytes:
    """An xlsx file with cover, contents and a sheet a table: the same bytes for the same record.

    `differences`: what the page rests on that the usual one does not, in sentences.
    """
    into = io.BytesIO()
    book = _Book(into)
    # Without a day, the file holds the moment at which it was made.
    made = datetime.combine(record.run_on, time())
    book.file.set_properties({"title": record.title, "subject": SITE, "created": made})
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
    lines = [("cover title", record.title), ("cover heading", "Introductory information")]
    lines += [*(("text", text) for text in intro), ("cover heading", "About these data")]
    book.sheet("Cover", [*lines, *(("text", text) for text in about)]).set_column(0, 0, WIDEST)
    named = {f"Table_{number}": f"Table {number}: {table['title']}" for number, table in enumerate(tables, 1)}
    headings = [{"name": "Sheet name", "type": "string"}, {"name": "Table description", "type": "string"}]
    listed = {"name": "contents_table", "schema": {"fields": headings}, "data": list(named.items())}
    contents, top = book.table("Contents", "Table of contents", listed)
    for row, name in enumerate(named, top + 1):
        contents.write_url(row, 0, f"internal:'{name}'!A1", book.formats["link"], name)
    for (name, title), table in zip(named.items(), tables, strict=True):
        book.table(name, title, table)
    book.file.close()
    return into.getvalue()


class _Book:
    """A workbook in the Analysis Function's formats."""

    def __init__(self, into: io.BytesIO) -> None:
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self.file = xlsxwriter.Workbook(into, options)
        arial = {"font_name": "Arial", "font_size": 12}
        self.formats = {name: self.file.add_format(arial | given) for name, given in FORMATS.items()}

    def sheet(self, name: str, lines: Sequence[tuple[str, str]]) -> Worksheet:
        """A sheet without grid lines, with lines down the first column, each in its format."""
        sheet = self.file.add_worksheet(name)
        sheet.hide_gridlines(2)
        for row, (kind, text) in enumerate(lines):
            sheet.write_string(row, 0, text, self.formats[kind])
        return sheet

    def table(self, name: str, title: str, table: Mapping[str, Any]) -> tuple[Worksheet, int]:
        """A sheet with a table below what is to be known of it; and the row of the headings."""
        missing = any(None in row for row in table["data"])
        source = "".join(f"Source: {each['title']}" for each in table.get("sources", ()))
        above = [
            ("title", title),
            ("subtitle", table.get("description", "")),
            ("line", "This worksheet contains one table."),
        ]
        above += [("line", f"{NOT_AVAILABLE} = not available" if missing else ""), ("line", source)]
        above = [line for line in above if line[1]]
        sheet, top, columns = self.sheet(name, above), len(above), {}
        for place, field in enumerate(table["schema"]["fields"]):
            heading, kind = field["name"], "number" if place > 0 and field["type"] == "number" else "text"
            columns[f"{heading} ({place})" if heading in columns else heading] = {
                "header_format": self.formats[f"{kind} heading"],
                "format": self.formats[kind],
            }
        rows = [[_written(cell) for cell in row] for row in table["data"]]
        marked = {
            "name": re.sub(r"\W", "_", table["name"]),
            "columns": [{"header": heading, **formats} for heading, formats in columns.items()],
            "data": rows,
            "autofilter": False,
            "style": None,
        }
        sheet.add_table(top, 0, top + len(rows), len(columns) - 1, marked)
        for place, cells in enumerate(zip(columns, *rows, strict=True)):
            sheet.set_column(place, place, min(WIDEST, 2 + 1.2 * max(len(str(cell)) for cell in cells)))
        return sheet, top


def _written(cell: Cell) -> Cell:
    """A cell that a screen reader can read out: a text has a letter or a figure, and none is empty."""
    return NOT_AVAILABLE if cell is None or (isinstance(cell, str) and not re.search(r"\w", cell)) else cell


def link(file: bytes, name: str) -> Markup:
    """A link that holds the spreadsheet: it is saved without asking any server."""
    address = f"data:{KIND};base64,{base64.b64encode(file).decode('ascii')}"
    size = max(1, round(len(file) / 1000))
    return Markup(
        '<a class="download" href="{}" download="{}.xlsx">All tables as a spreadsheet</a> (Excel, .xlsx, {} KB)'
    ).format(address, name, size)
