"""What tests of parsers share: publishers' own files, and small made-up ones in the same shapes.

Figures in a made-up file are invented, whatever the name of the council in its row.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from deficits.errors import SourceError
from deficits.publications.editions import Table

FILES = Path(__file__).parent / "files"
Rows = Sequence[Sequence[object]]
Sheets = Mapping[str, Rows]

_ODS = "application/vnd.oasis.opendocument.spreadsheet"
_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_OPENXML = "http://schemas.openxmlformats.org"


def tables_of(parse: Callable[[Path], tuple[Table, ...]], path: Path) -> dict[str, Table]:
    return {table.kind: table for table in parse(path)}


def fault_of(parse: Callable[[Path], object], path: Path, *parts: str) -> str:
    """What is said of a file that is refused: its name, and these parts."""
    with pytest.raises(SourceError) as caught:
        parse(path)
    message = str(caught.value)
    assert [part for part in (path.name, *parts) if part not in message] == [], message
    return message


def csv_text(rows: Rows, quoted: bool = False, delimiter: str = ",") -> str:
    text = io.StringIO()
    quoting = csv.QUOTE_NONNUMERIC if quoted else csv.QUOTE_MINIMAL
    csv.writer(text, quoting=quoting, lineterminator="\r\n", delimiter=delimiter).writerows(rows)
    return text.getvalue()


def write_csv(path: Path, rows: Rows, encoding: str = "utf-8-sig", **how: bool) -> Path:
    path.write_bytes(csv_text(rows, **how).encode(encoding))
    return path


def reordered(rows: Rows) -> list[list[object]]:
    """The same table with its columns turned round and one more among them."""
    width = len(rows[0])
    added = ["a new column", *["new"] * (len(rows) - 1)]
    turned = [list(reversed(row[:width])) for row in rows]
    return [[*row[:3], word, *row[3:]] for row, word in zip(turned, added, strict=True)]


def without(rows: Rows, heading: str) -> list[list[object]]:
    at = list(rows[0]).index(heading)
    return [[cell for place, cell in enumerate(row) if place != at] for row in rows]


def write_workbook(path: Path, sheets: Sheets) -> Path:
    """An ods or xlsx file, by its suffix: numbers, text, empty cells for None and "", errors for "#REF!"."""
    entries = _ods(sheets) if path.suffix == ".ods" else _xlsx(sheets)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def _ods(sheets: Sheets) -> dict[str, str]:
    def cell(value: object) -> str:
        if value is None or value == "":
            return "<table:table-cell/>"
        if isinstance(value, int | float):
            return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
        text = escape(str(value))
        return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'

    tables = "".join(
        f'<table:table table:name="{escape(name)}">'
        + "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
        + "</table:table>"
        for name, rows in sheets.items()
    )
    spaces = " ".join(f'xmlns:{name}="{_OASIS}{name}:1.0"' for name in ("office", "table", "text"))
    return {
        "mimetype": _ODS,
        "META-INF/manifest.xml": f'<m:manifest xmlns:m="{_OASIS}manifest"><m:file-entry m:full-path="/" '
        f'm:media-type="{_ODS}"/></m:manifest>',
        "content.xml": f"<office:document-content {spaces}><office:body><office:spreadsheet>{tables}"
        "</office:spreadsheet></office:body></office:document-content>",
    }


def _xlsx(sheets: Sheets) -> dict[str, str]:
    def cell(value: object) -> str:
        if value is None or value == "":
            return "<c/>"
        if isinstance(value, int | float):
            return f"<c><v>{value!r}</v></c>"
        if str(value).startswith("#"):
            return f'<c t="e"><v>{value}</v></c>'
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'

    main, kind = f"{_OPENXML}/spreadsheetml/2006/main", f"{_OPENXML}/officeDocument/2006/relationships"
    package = f"{_OPENXML}/package/2006"
    listed, related, entries = "", "", {}
    for number, (name, rows) in enumerate(sheets.items(), start=1):
        target = f"worksheets/sheet{number}.xml"
        listed += f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>'
        related += f'<Relationship Id="rId{number}" Type="{kind}/worksheet" Target="{target}"/>'
        body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
        entries[f"xl/{target}"] = f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
    return entries | {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
        'ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{kind}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{kind}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{related}</Relationships>',
    }
