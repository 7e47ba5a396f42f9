"""What tests of parsers share: publishers' own files where they are, and small made-up ones in the same shape.

Figures in a made-up file are invented, whatever the council's name beside them.
"""

import csv
import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

_FOLDER = Path(os.environ.get("DEFICITS_NATIVE", Path(__file__).parents[3] / "shared" / "native"))


def native(name: str) -> Path:
    """A publisher's own file; the test is skipped where there is none."""
    path = _FOLDER / name
    if not path.exists():
        pytest.skip(f"no {name}: set DEFICITS_NATIVE to a folder of publishers' own files")
    return path


def csv_text(rows: Sequence[Sequence[object]], quoted: bool = False) -> str:
    text = io.StringIO()
    quoting = csv.QUOTE_NONNUMERIC if quoted else csv.QUOTE_MINIMAL
    csv.writer(text, quoting=quoting, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def reordered(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    """The same table with its columns turned round and one more among them."""
    width = len(rows[0])
    added = ["a new column", *["new"] * (len(rows) - 1)]
    turned = [list(reversed(row[:width])) for row in rows]
    return [[*row[:3], word, *row[3:]] for row, word in zip(turned, added, strict=True)]


def without(rows: Sequence[Sequence[object]], heading: str) -> list[list[object]]:
    at = list(rows[0]).index(heading)
    return [[cell for place, cell in enumerate(row) if place != at] for row in rows]


def write_workbook(path: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> Path:
    """A workbook of these sheets, with the little that the format asks for; "#REF!" is a spreadsheet error."""
    kinds = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    }
    listed, related = [], []
    for number, (name, rows) in enumerate(sheets.items(), start=1):
        listed.append(f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>')
        target = f"worksheets/sheet{number}.xml"
        related.append(f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="{target}"/>')
        body = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
        kinds[f"xl/{target}"] = f'<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>'
    kinds["xl/workbook.xml"] = (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{"".join(listed)}</sheets></workbook>'
    )
    kinds["xl/_rels/workbook.xml.rels"] = f'<Relationships xmlns="{_PACKAGE}">{"".join(related)}</Relationships>'
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in kinds.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return path


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def _cell(value: object) -> str:
    if value == "":
        return "<c/>"
    if isinstance(value, int | float):
        return f"<c><v>{value!r}</v></c>"
    if str(value).startswith("#"):
        return f'<c t="e"><v>{value}</v></c>'
    return f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'
