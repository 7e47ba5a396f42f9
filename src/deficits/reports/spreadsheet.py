"""A page's tables as one spreadsheet, to the Analysis Function's guidance, through gptables.

It is made from the data that `figure` and `table` keep in a notebook's outputs, as rounded as the page shows them.
"""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup

from deficits.reports.display import OGL_ATTRIBUTION
from deficits.reports.frame import SITE, day
from deficits.reports.tables import DATA

with warnings.catch_warnings():
    # gptables leaves its theme's file to the garbage collector to close.
    warnings.simplefilter("ignore", ResourceWarning)
    import gptables

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from deficits.reports.record import RunRecord

KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NOT_AVAILABLE = "[x]"
"""The Analysis Function's shorthand."""


def tables_of(notebook: NotebookNode) -> list[dict[str, Any]]:
    """The tables that a notebook's cells have shown, charts' tables included, in the page's order."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    shown = (output.get("data", {}).get(DATA) for output in outputs)
    return [table for table in shown if table and table["data"]]


def spreadsheet(tables: Sequence[Mapping[str, Any]], record: RunRecord, differences: Iterable[str] = ()) -> bytes:
    """An xlsx file with cover, contents and a sheet a table: the same bytes for the same record.

    `differences`: what the page rests on that the usual one does not, in sentences.
    """
    title = _plain(record.title)
    cover = gptables.Cover(
        title=title,
        intro=[
            f"All tables of the page “{title}”, run on {day(record.run_on)}.",
            "Estimates made from published figures; they are not official statistics.",
            *map(_plain, differences),
        ],
        about=[
            "Figures are rounded as on the page; rounded figures need not add up. Units stand in the headings.",
            "80% of simulations lie between the 10th and the 90th percentile; the central estimate is the median.",
            f"Some cells have no figure: {NOT_AVAILABLE} = not available. 2024-25 is the year to 31 March 2025.",
            f"Code: {record.content.code}. Fingerprint of the run: {record.fingerprint}.",
            "Sources, licences, method and corrections are on the page.",
            OGL_ATTRIBUTION,
        ],
    )
    sheets = {f"Table_{number}": _sheet(number, table) for number, table in enumerate(tables, 1)}
    into = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gptables warns that there are no notes, and of what pandas is to drop
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        book = gptables.produce_workbook(into, sheets, cover=cover, workbook_options=options)
    # Without this, the file holds the moment at which it was made.
    book.set_properties(
        {"title": record.title, "subject": SITE, "created": datetime.combine(record.run_on, time())}
    )
    book.close()
    return into.getvalue()


def _sheet(number: int, table: Mapping[str, Any]) -> gptables.GPTable:
    headings = [field["name"] for field in table["schema"]["fields"]]
    headings = [f"{name} ({place})" if name in headings[:place] else name for place, name in enumerate(headings)]
    rows = [[_written(cell) for cell in row] for row in table["data"]]
    source = table["sources"][0]["title"]
    return gptables.GPTable(
        table=pd.DataFrame(rows, columns=headings, dtype=object),
        table_name=re.sub(r"\W", "_", table["name"]),
        title=f"Table {number}: {_plain(table['title'])}",
        subtitles=[_plain(table["description"])] if table["description"] else [],
        instructions="This worksheet contains one table.",
        legend=[f"{NOT_AVAILABLE} = not available"] if any(None in row for row in table["data"]) else [],
        source=f"Source: {_plain(source)}",
        index_columns={2: 0},
    )


def _written(cell: Any) -> Any:
    """A cell as gptables takes it: none is empty, none without a letter or a figure."""
    if isinstance(cell, str) and re.search(r"[A-Za-z0-9]", cell):
        return _plain(cell)
    return NOT_AVAILABLE if cell is None or isinstance(cell, str) else cell


def _plain(text: str) -> str:
    """A text in which gptables finds no link and no note."""
    return text.replace("](", "] (").replace("$$", "$ $")


def link(file: bytes, name: str) -> Markup:
    """A link that holds the spreadsheet: it is saved without asking any server."""
    address = f"data:{KIND};base64,{base64.b64encode(file).decode('ascii')}"
    size = max(1, round(len(file) / 1000))
    return Markup(
        '<a class="download" href="{}" download="{}.xlsx">All tables as a spreadsheet</a> (Excel, .xlsx, {} KB)'
    ).format(address, name, size)
