"""Publishers' files opened with care: what a file is, CSVs and workbooks as cells, and what a cell says.

Nothing fills the memory. Every fault of a file is a SourceError that says what the file is and what to do. A zero
stays a zero; a cell that holds no number has a reason, or is a fault.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
from pyarrow import compute
from python_calamine import CalamineError, CalamineWorkbook

from deficits.errors import SourceError

LARGEST = 1 << 30
"""Bytes that a file, or a part of an archive, may have; the publishers' largest have a tenth of it."""
_SQUEEZED = 200
"""Times that a part of an archive may be compressed: a table is 5 to 50 times, a bomb 1,000 times."""
_CELLS = 15_000_000
"""Cells that a sheet may span: it is held whole in memory."""

_PROTECTED = "protected by a password; save a copy without one"
_OLE = b"\xd0\xcf\x11\xe0"
_BEGINNINGS = {
    b"\x1f\x8b": "compressed (gzip); unpack it first",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"<": "a web page or XML; download the file again",
    b"{": "the answer of a web service (JSON); download the file again",
}


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Any fault of a broken, cut or sealed archive or workbook as a SourceError."""
    try:
        yield
    except (CalamineError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
        sealed = "encrypted" in str(error)
        fault = _PROTECTED if sealed else f"broken or cut short ({error}); download it again"
        raise SourceError(f"{name} is {fault}") from None


def _kind(content: bytes, name: str) -> str:
    """What a file is, whatever its name: a CSV, a zip archive, a workbook, or else what to say of it."""
    begins = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not begins:
        return "empty; download it again"
    if content.startswith(_OLE):
        return _PROTECTED if "EncryptedPackage".encode("utf-16-le") in content else "an old workbook"
    if content.startswith(b"PK"):
        with _readable(name), zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts, manifest = set(archive.namelist()), "META-INF/manifest.xml"
            if manifest in parts:
                _refuse_bomb(name, archive.getinfo(manifest))
                if b"encryption-data" in archive.read(manifest):
                    return _PROTECTED
            return "a workbook" if parts & {"xl/workbook.xml", "content.xml"} else "a zip archive"
    for beginning, kind in _BEGINNINGS.items():
        if begins.startswith(beginning):
            return kind
    return "no text" if b"\0" in begins and not content.startswith((b"\xff\xfe", b"\xfe\xff")) else "a CSV"


def _refuse_bomb(name: str, part: zipfile.ZipInfo) -> None:
    squeezed = part.file_size > LARGEST // 50 and part.file_size > _SQUEEZED * part.compress_size
    if part.file_size > LARGEST or squeezed:
        raise SourceError(
            f"{name}, {part.filename}: would unpack to {part.file_size:,} bytes; no table here is so large"
        )


class Grid(NamedTuple):
    """A sheet of a workbook, or a CSV: what messages call it, its sheet's name, the mark between a CSV's cells."""

    name: str
    sheet: str
    mark: str
    rows: Callable[[], Iterator[tuple[int, list[str]]]]
    """Each row as text, with its line; of a workbook each is as long as the widest. It may be called again."""
    content: bytes = b""
    """The text of a CSV."""

    def columns(
        self, top: int, width: int, places: Mapping[str, int], skip: re.Pattern[bytes]
    ) -> pd.DataFrame | None:
        """Some columns of a CSV's lines below line `top`, without those that begin as in `skip`, as text by line.

        By pyarrow, which does not keep the other 2,500 of a large file; None where a line is no row of `width`
        cells, and for a workbook.
        """
        names = [str(place) for place in range(width)]
        wanted = [names[place] for place in places.values()]
        lines = self.content.split(b"\n")
        last = len(lines) - (1 if lines[-1] else 2)  # always looked at: it shows whether the file was cut short
        kept = [n for n in range(top, last + 1) if n == last or not skip.match(lines[n])]
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(b"\n".join([lines[n] for n in kept])),
                arrow_csv.ReadOptions(column_names=names, block_size=1 << 22),
                arrow_csv.ParseOptions(delimiter=self.mark),
                arrow_csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string())),
            )
        except pa.ArrowInvalid:
            return None
        if not 0 < table.num_rows == len(kept):
            return None
        texts = [compute.utf8_trim_whitespace(column) for column in table.combine_chunks().columns]
        return pa.table(texts, names=list(places)).to_pandas().set_axis([n + 1 for n in kept])


def opened(path: Path, wanted: Callable[[str], bool] = lambda _: False, typed: bool = False) -> Iterator[Grid]:
    """The sheets of a workbook (xlsx, ods, xls); or a CSV, or those of a zip that are `wanted` by name, or alone.

    A CSV may be UTF-8, UTF-16 or Windows' CP1252; in one that a person `typed` each quotation mark has its pair.
    """
    try:
        if path.exists() and not path.is_file():
            raise SourceError(f"{path} is not a file; give the path of the file that was downloaded")
        if (size := path.stat().st_size) > LARGEST:
            raise SourceError(f"{path.name} has {size:,} bytes; files of up to {LARGEST:,} are read")
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}") from None
    kind = _kind(content, path.name)
    if "workbook" in kind:
        yield from _sheets(path.name, content, kind)
        return
    found = [(path.name, content)]
    if kind == "a zip archive":
        with _readable(path.name), zipfile.ZipFile(io.BytesIO(content)) as archive:
            every = [part for part in archive.infolist() if part.filename.lower().endswith(".csv")]
            taken = every if len(every) == 1 else [part for part in every if wanted(part.filename)]
            if not taken:
                names = ", ".join(part.filename for part in every[:8]) or "none"
                raise SourceError(f"{path.name} has no CSV that is read here; its CSVs: {names}")
            for part in taken:
                _refuse_bomb(path.name, part)
            found = [(f"{path.name}/{part.filename}", archive.read(part)) for part in taken]
    for name, text in found:
        if (kind := _kind(text, name)) != "a CSV":
            raise SourceError(f"{name} is {kind}" + ("" if ";" in kind else ", expected a workbook or a CSV"))
        yield _csv(name, text, typed)


def padded(rows: Sequence[list[str]], width: int) -> list[list[str]]:
    """The rows, each with at least `width` cells, as a workbook's have and a CSV's may not."""
    return [[*row, *[""] * (width - len(row))] for row in rows]


# --- workbooks


def _sheets(name: str, content: bytes, kind: str) -> Iterator[Grid]:
    with _readable(name):
        checked = _checked(name, content) if kind == "a workbook" else content
        book = CalamineWorkbook.from_filelike(io.BytesIO(checked))
    for sheet in book.sheet_names:
        place = f"{name}, sheet '{sheet}'"
        with _readable(place):
            cells = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
        yield Grid(place, sheet, "", partial(_sheet_rows, cells))


def _sheet_rows(cells: Sequence[Sequence[object]]) -> Iterator[tuple[int, list[str]]]:
    return enumerate(([_text(cell) for cell in row] for row in cells), 1)


def _text(cell: object) -> str:
    """A cell as text; a code that a workbook holds as a number is without a fraction.

    >>> _text(202.0), _text(" E09000007 "), _text(date(2025, 3, 31))
    ('202', 'E09000007', '31/03/2025')
    """
    if isinstance(cell, date):
        return f"{cell:%d/%m/%Y}"
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _checked(name: str, content: bytes) -> bytes:
    """A workbook's bytes after a look at its size; an ods that was written without its `mimetype` is given one."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        for part in parts:
            _refuse_bomb(name, part)
            if re.fullmatch(r"xl/worksheets/[^/]+\.xml", part.filename):
                _refuse_sparse(archive, part, name)
        names = [part.filename for part in parts]
        if "content.xml" not in names or "mimetype" in names:
            return content
        mended = io.BytesIO()
        with zipfile.ZipFile(mended, "w") as copy:
            copy.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
            for part in parts:
                copy.writestr(part, archive.read(part))
        return mended.getvalue()


def _refuse_sparse(archive: zipfile.ZipFile, part: zipfile.ZipInfo, name: str) -> None:
    """SourceError when a sheet spans more cells than memory holds, as one cell in its far corner makes it do."""
    rows = columns = 1
    tail = b""
    with archive.open(part) as sheet:
        while block := sheet.read(1 << 20):
            for letters, row in set(re.findall(rb'\br="([A-Z]{0,3})([0-9]{1,7})"', tail + block)):
                place = sum((letter - 64) * 26**n for n, letter in enumerate(reversed(letters)))
                rows, columns = max(rows, int(row)), max(columns, place)
            tail = block[-20:]
    if rows * columns > _CELLS:
        raise SourceError(
            f"{name}, {part.filename}: spans {rows:,} rows and {columns:,} columns; clear cells far from the table"
        )


# --- CSV


def _csv(name: str, content: bytes, typed: bool) -> Grid:
    """A CSV; the mark between its cells is that by which most of its first rows have as many of them."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16", errors="replace").encode()
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        content = content.decode("cp1252", errors="replace").encode()

    def alike(mark: str) -> int:
        rows = _csv_rows(name, content[: 1 << 18], mark, False)
        widths = Counter(len(cells) for _, cells in rows if len(cells) > 1 and any(cells))
        return max(widths.values(), default=0)

    mark = max("\t;,", key=alike)
    return Grid(name, "", mark, partial(_csv_rows, name, content, mark, typed), content)


def _csv_rows(name: str, content: bytes, mark: str, typed: bool) -> Iterator[tuple[int, list[str]]]:
    """Each row and the line on which it ends, as an editor counts them."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="replace", newline="")
    reader = csv.reader(text, delimiter=mark, skipinitialspace=typed, strict=typed)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        what = "look for a quotation mark without its pair" if typed else "download it again"
        raise SourceError(f"{name}, line {reader.line_num}: {error}; {what}") from None


# --- cells

_WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
REASONS: dict[str, str] = {symbol: reason for reason, symbols in _WORDS["symbols"].items() for symbol in symbols}
"""Why there is no number, by what publishers print there."""
Columns = dict[str, tuple[str, ...]]
"""Our name of each column and the publisher's spellings of its heading."""

_DASHES = str.maketrans("\u2013\u2014\u2212\u2010\u2011\x96", "------", "\ufeff")
"""Dashes are hyphens, and a byte-order mark is nothing."""
_UNIT = "(?i:billion|bn|million|mn|m|thousand|k)"
_NUMBER = re.compile(
    rf"""
    (?:£(?=\())?(?P<open>\()?            # (1,234) and £(1,234) are minus 1,234
    (?P<sign>[-+])?
    £?(?P<inner>-)?                     # -£5 and £-5
    (?P<digits>\d{{1,3}}(?:,\d{{3}})+|\d+)?(?P<fraction>\.\d+)?
    (?P<power>e[-+]?\d+)?               # as R writes a round number; Excel's 1.05E+08 has lost digits
    (?P<unit>{_UNIT})?
    (?(open)\)(?P<after>{_UNIT})?)      # a bracket that was opened is closed: (5m) and (5)m
    """,
    re.VERBOSE,
)
_SCALES = {"b": 1e9, "m": 1e6, "t": 1e3, "k": 1e3, "": 1.0}
_YEAR = re.compile(r"(?<!\d)(20\d\d)\s*(?:[-/\u2013]|to|)\s*(?:20)?(\d\d)(?!\d)")


def columns_of(publication: str) -> dict[str, Columns]:
    """What `words.toml` says of a publication's columns, by group."""
    return {
        group: {name: tuple(spellings) or (name,) for name, spellings in columns.items()}
        for group, columns in _WORDS[publication].items()
    }


def number(cell: object, units: bool = False) -> float | None:
    """The number in a cell, or None where there is none: a symbol, words, a percentage, lost digits (1.05E+08).

    `units`: also read 5.5m, 950k and £1.2 billion, as people write them; publishers' columns hold plain numbers.

    >>> number("(1,234)"), number("–£5.50"), number("1e+05"), number(7), number("£5.5m", units=True)
    (-1234.0, -5.5, 100000.0, 7.0, 5500000.0)
    """
    if isinstance(cell, int | float | np.number) and not isinstance(cell, bool):
        return float(cell) if np.isfinite(cell) else None
    match = _NUMBER.fullmatch("".join(str(cell).translate(_DASHES).split()))
    unit = (match["unit"] or match["after"] or "") if match else ""
    if match is None or not (match["digits"] or match["fraction"]) or (unit and not units):
        return None
    minus = [match["open"], match["sign"] == "-", match["inner"]]
    if sum(map(bool, minus)) > 1:
        return None
    size = float((match["digits"] or "0").replace(",", "") + (match["fraction"] or "") + (match["power"] or ""))
    value = (-size if any(minus) else size) * _SCALES[unit[:1].lower()]
    return value if np.isfinite(value) else None


def reason(cell: object) -> str | None:
    """Why a cell holds no number, or None for words that are no known symbol."""
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return REASONS[""]
    text = "".join(str(cell).replace("\ufeff", "").split()).lower()
    return REASONS.get(re.sub(r"^\[(\w+)\]$", r"\1", text))


def financial_year(text: object, source: str) -> str:
    """The first financial year that a title or a period names, as `2023-24`; SourceError where there is none.

    >>> [financial_year(text, "a.csv") for text in (202324, "2023/24", "2023 to 2024", "Outturn (RO) 2023-24")]
    ['2023-24', '2023-24', '2023-24', '2023-24']
    """
    for match in _YEAR.finditer(str(text)):
        if (int(match[1]) + 1) % 100 == int(match[2]):
            return f"{match[1]}-{match[2]}"
    shown = " ".join(str(text).split())[:80]
    raise SourceError(f"{source}: expected a financial year such as 2023-24, found '{shown}'")


@lru_cache(maxsize=1 << 13)
def heading(text: Hashable) -> str:
    """A heading without what its spellings differ in: case, spaces, underscores, dashes, a byte-order mark.

    >>> heading("\\ufeffTime_Period"), heading("1.2.1  Top–up funding\\n(state)")
    ('time period', '1.2.1 top-up funding (state)')
    """
    plain = str(text)
    plain = plain if plain.isascii() else plain.translate(_DASHES)
    return " ".join(plain.replace("_", " ").split()).lower()
