"""A page's tables as one spreadsheet, to the Analysis Function's guidance, through gptables.

It is read from what `show` and `table` have put on the page, so that it can hold nothing that the page does not:
captions and headings from the tables, unrounded values from the CSV beside each.
"""

from __future__ import annotations

import base64
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pandas as pd
from markupsafe import Markup
from xlsxwriter import Workbook

from deficits.reports.frame import SITE, day

with warnings.catch_warnings():
    # gptables leaves its theme's file to the garbage collector to close.
    warnings.simplefilter("ignore", ResourceWarning)
    import gptables
    from gptables.core.wrappers import GPWorkbook, GPWorksheet

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from deficits.reports.record import RunRecord

KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NOT_AVAILABLE = "[x]"
"""The Analysis Function's shorthand."""
OF_A_CHART = ": the figures in the chart"
UNROUNDED = {"£": "£", "£m": "£", "£bn": "£", "%": "0 to 1"}
"""The unit that a page shows in, to the one that its CSV holds."""
SHOWN_AS = {"(£)": "#,##0", "(0 to 1)": "0.000"}
"""How Excel shows a column whose heading ends so. The cell keeps every digit."""
WIDEST, NARROWEST = 60, 12
"""Of a column, in characters."""
ONE_TABLE = "This worksheet contains one table."
YEAR = re.compile(r"\d{4}-\d{2}")

Cell = str | int | float

NOTES = {
    "rounding": "Figures are not rounded. The page shows them rounded, and rounded figures need not add up.",
    "missing": f"{NOT_AVAILABLE} = not available: not published, not returned, or none for that row.",
    "ranges": "8 in 10 simulated futures lie between low (10th percentile) and high (90th percentile); the middle "
    "is the median. Percentiles of councils do not add up to those of England.",
    "sign": "A balance below zero is a deficit.",
    "years": "2024-25 is the financial year from 1 April 2024 to 31 March 2025.",
    "shares": "Shares and chances are from 0 to 1: 0.5 is 50%.",
}
"""What tables refer to; a spreadsheet holds those notes that its own tables need."""


@dataclass(frozen=True)
class PageTable:
    """A table of a page: unrounded, its unit in the headings, a missing value None."""

    name: str
    caption: str
    source: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell | None, ...], ...]
    finding: str = ""
    """Of the chart whose figures they are."""

    def notes(self) -> list[str]:
        """Names of the notes that it needs."""
        words = " ".join([self.caption, *self.headings]).casefold()
        cells = [cell for row in self.rows for cell in row]
        needed = {
            "rounding": any(isinstance(cell, float) for cell in cells),
            "missing": None in cells,
            "ranges": any(word in words for word in ("percentile", ", low", "high (", "80%")),
            "sign": "balance" in words or "negative" in words,
            "years": any(isinstance(cell, str) and YEAR.fullmatch(cell) for cell in cells),
            "shares": "(0 to 1)" in words,
        }
        return [name for name, is_needed in needed.items() if is_needed]


TABLE = re.compile(
    r'<table id="(?P<name>[^"]+)">\s*<caption[^>]*><span>(?P<caption>.*?)</span></caption>\s*'
    r"<thead><tr>(?P<head>.*?)</tr></thead>\s*<tbody>(?P<body>.*?)</tbody>",
    flags=re.DOTALL,
)
HEADING = re.compile(r'<th scope="col"(?P<text>[^>]*)>(?P<heading>.*?)</th>', flags=re.DOTALL)
CELL = re.compile(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", flags=re.DOTALL)
SOURCE = re.compile(r'<p class="source">Source: (.*?)\.(?: <a|</p>)', flags=re.DOTALL)
FINDING = re.compile(r"<h3>(.*?)</h3>", flags=re.DOTALL)
DOWNLOAD = re.compile(r'href="data:text/csv;charset=utf-8,([^"]*)"')


def tables_of(notebook: NotebookNode) -> list[PageTable]:
    """The tables that a notebook's cells have shown, charts' tables included, in the page's order."""
    shown = (output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
    found = (table_in("".join(data.get("text/html", ""))) for data in shown)
    return [table for table in found if table is not None]


def table_in(html: str) -> PageTable | None:
    """The table in what `show` or `table` gave, with its unrounded values; None where there is none."""
    table, download = TABLE.search(html), DOWNLOAD.search(html)
    if table is None or download is None:
        return None
    heads = HEADING.findall(table["head"])
    shown = [[_text(cell) for cell in CELL.findall(row)] for row in table["body"].split("</tr>") if "<t" in row]
    names, *kept = csv.reader(io.StringIO(unescape(unquote(download[1])).removeprefix("\ufeff"), newline=""))
    if not shown:
        return None
    numeric = [not text for text, _ in heads]
    rows = [
        tuple(_value(*cell) for cell in zip(numeric, held, row, strict=True))
        for held, row in zip(kept, shown, strict=True)
    ]
    source, finding = SOURCE.search(html), FINDING.search(html)
    return PageTable(
        name=table["name"],
        caption=_text(table["caption"]).removesuffix(OF_A_CHART),
        source=_text(source[1]) if source else "",
        headings=tuple(_once(_unrounded(name, _text(head)) for name, (_, head) in zip(names, heads, strict=True))),
        rows=tuple(rows),
        finding=_text(finding[1]) if finding else "",
    )


def _text(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html)).strip()


def _value(numeric: bool, held: str, shown: str) -> Cell | None:
    """What a cell holds: the number that its CSV has, or the text that the page shows."""
    if not held:
        return None
    if not numeric or YEAR.fullmatch(shown):
        return shown
    number = float(held)
    return int(number) if number.is_integer() and "." not in held else number


def _unrounded(name: str, heading: str) -> str:
    """A heading with the unit of the unrounded values.

    >>> _unrounded("Deficit", "Deficit (£m)"), _unrounded("Chance", "Chance (%)"), _unrounded("Plans", "Plans")
    ('Deficit (£)', 'Chance (0 to 1)', 'Plans')
    """
    if heading == name or name.endswith(("(£)", "(0 to 1)")):
        return name
    unit = heading.removeprefix(name).strip(" ()")
    return f"{name} ({UNROUNDED[unit]})" if unit in UNROUNDED else name


def _once(headings: Iterable[str]) -> Iterator[str]:
    """Headings that differ from one another."""
    seen: Counter[str] = Counter()
    for heading in headings:
        seen[heading] += 1
        yield heading if seen[heading] == 1 else f"{heading} ({seen[heading]})"


def spreadsheet(tables: Sequence[PageTable], record: RunRecord, differences: Iterable[str] = ()) -> bytes:
    """An xlsx file with cover, contents, notes and a sheet a table: the same bytes for the same record.

    `differences`: what the page rests on that the usual one does not, in sentences.
    """
    into = io.BytesIO()
    book = _Book(into, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    needed = {note for table in tables for note in table.notes()}
    notes = [(name, text) for name, text in NOTES.items() if name in needed]
    sheets = {f"Table_{number}": _sheet(number, table) for number, table in enumerate(tables, 1)}
    book._update_annotations(sheets)
    book.add_worksheet("Cover").write_cover(_cover(record, differences))
    contents = book.make_table_of_contents(sheets, instructions=f"{ONE_TABLE} It links to each of the others.")
    book.add_table_sheet("Contents", contents, [16, 100])
    if notes:
        made = book.make_notesheet(pd.DataFrame(notes, columns=["Note", "Note text"]), instructions=ONE_TABLE)
        book.add_table_sheet("Notes", made, [16, 100])
    for (name, sheet), table in zip(sheets.items(), tables, strict=True):
        book.add_table_sheet(name, sheet, _widths(table))
    # Without this, the file holds the moment at which it was made.
    book.set_properties(
        {"title": record.title, "subject": SITE, "created": datetime.combine(record.run_on, time())}
    )
    book.close()
    return into.getvalue()


class _Worksheet(GPWorksheet):  # type: ignore[misc]
    """gptables' worksheet, which writes a table's cells by column.

    gptables looks for each cell's format in a frame of dictionaries: ten times as long for the same file.
    """

    def _write_table_elements(self, pos: list[int], gptable: gptables.GPTable, auto_width: bool) -> list[int]:
        top, table = gptable.data_range[0], gptable.table
        looks = [_look(self.theme, gptable, place) for place in range(table.shape[1])]
        heads = [self.theme.column_heading_format | {"align": look["align"]} for look in looks]
        for place, (heading, cells) in enumerate(table.items()):
            self._smart_write(top, place, heading, heads[place])
            for row, cell in enumerate(cells, top + 1):
                self._smart_write(row, place, cell, looks[place])
        self._mark_data_as_worksheet_table(gptable, pd.DataFrame([heads]))
        return [top + len(table) + 1, 0]


def _look(theme: gptables.Theme, gptable: gptables.GPTable, place: int) -> dict[str, Any]:
    """How the cells of a column look."""
    names_the_row = place in gptable.index_columns.values()
    numbers = not names_the_row and any(isinstance(cell, int | float) for cell in gptable.table.iloc[:, place])
    look = dict(theme.index_2_format if names_the_row else theme.data_format)
    look["align"] = "right" if numbers else "left"
    for given in gptable.additional_formatting:
        look |= given["column"]["format"] if place in given["column"]["columns"] else {}
    return look


class _Book(GPWorkbook):  # type: ignore[misc]
    """gptables' workbook, with worksheets of ours."""

    def add_worksheet(self, name: str | None = None, gridlines: str = "hide_all") -> _Worksheet:
        sheet: _Worksheet = Workbook.add_worksheet(self, name, _Worksheet)
        sheet.theme, sheet._workbook = self.theme, self
        sheet.hide_gridlines(2)
        return sheet

    def add_table_sheet(self, name: str, gptable: gptables.GPTable, widths: Iterable[int]) -> None:
        """A sheet with one table, its columns so many characters wide."""
        sheet = self.add_worksheet(name)
        sheet.write_gptable(gptable, False, self._annotations)
        for place, width in enumerate(widths):
            sheet.set_column(place, place, width)


def _cover(record: RunRecord, differences: Iterable[str]) -> gptables.Cover:
    title = _plain(record.title)
    return gptables.Cover(
        title=title,
        intro=[
            f"All tables of the page “{title}”, run on {day(record.run_on)}.",
            "Estimates made from published figures; they are not official statistics.",
            *map(_plain, differences),
        ],
        about=[
            "Figures are not rounded. Units stand in the headings. Notes are on the sheet “Notes”.",
            f"Some cells have no figure: {NOT_AVAILABLE} = not available.",
            f"Code: {record.content.code}. Fingerprint of the run: {record.fingerprint}.",
            "Sources, licences, method and corrections are on the page.",
        ],
    )


def _sheet(number: int, table: PageTable) -> gptables.GPTable:
    references = "".join(f"$${name}$$" for name in table.notes())
    legend = [f"{NOT_AVAILABLE} = not available"] if "missing" in table.notes() else []
    frame = pd.DataFrame(
        [[_written(cell) for cell in row] for row in table.rows], columns=list(table.headings), dtype=object
    )
    formats = [
        {"column": {"columns": [place], "format": {"num_format": shown}}}
        for place, heading in enumerate(table.headings)
        for ending, shown in SHOWN_AS.items()
        if heading.endswith(ending)
    ]
    return gptables.GPTable(
        table=frame,
        table_name=re.sub(r"\W", "_", table.name),
        title=f"Table {number}: {_plain(table.caption)}",
        subtitles=[_plain(table.finding)] if table.finding else [],
        instructions=f"{ONE_TABLE} {references}".strip(),
        legend=legend,
        source=f"Source: {_plain(table.source)}" if table.source else None,
        index_columns={2: 0},
        additional_formatting=formats,
    )


def _written(cell: Cell | None) -> Cell:
    """A cell as gptables takes it: none is empty, none without a letter or a figure."""
    if cell is None:
        return NOT_AVAILABLE
    if isinstance(cell, str):
        return _plain(cell) if re.search(r"[A-Za-z0-9]", cell) else NOT_AVAILABLE
    return cell


def _plain(text: str) -> str:
    """A text in which gptables finds no link and no note."""
    return text.replace("](", "] (").replace("$$", "$ $")


def _widths(table: PageTable) -> list[int]:
    """Widths of columns: a number's heading may break, a text is at most a paragraph wide."""
    columns = zip(table.headings, zip(*table.rows, strict=True), strict=True)
    return [
        min(WIDEST, max(NARROWEST, 2 + max(len(heading) // 2, *(len(_short(cell)) for cell in cells))))
        for heading, cells in columns
    ]


def _short(cell: Cell | None) -> str:
    return f"{cell:,.0f}" if isinstance(cell, float) else str(cell)


def link(file: bytes, name: str) -> Markup:
    """A link that holds the spreadsheet: it is saved without asking any server."""
    address = f"data:{KIND};base64,{base64.b64encode(file).decode('ascii')}"
    size = max(1, round(len(file) / 1000))
    return Markup('<a class="download" href="{}" download="{}.xlsx">All tables as a spreadsheet</a>').format(
        address, name
    ) + Markup(" (Excel, .xlsx, {} KB)").format(size)
