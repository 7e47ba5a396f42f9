"""Publishers' files as tables: what a file is, its headings and rows, the numbers in its cells, whose they are.

A zero stays a zero and nothing is filled in: what is not a number is missing with its reason, or an error. Every
error says the file, the line, the publisher's column and the cell, and what to do.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
from pyarrow import compute
from python_calamine import CalamineError, CalamineWorkbook

from deficits.authorities import load_authorities, plain_code
from deficits.errors import SourceError, closest
from deficits.formatting import listed

# --- cells

_SYMBOLS = {
    "blank": ("", "-", "–"),
    "not available": (":", "..", "x"),
    "not returned": ("…", "..."),
    "not applicable": ("z", "n/a", "na"),
    "suppressed": ("c",),
    "rounds to zero": ("low", "k"),
    "broken in the source": ("#ref!", "#n/a", "#div/0!", "#value!"),
}
"""What publishers print where there is no number: explore education statistics, the Analysis Function (in square
brackets), MHCLG (`…`), spreadsheets."""

REASONS = {symbol: reason for reason, symbols in _SYMBOLS.items() for symbol in symbols}

_SPACES = re.compile(r"[\s\u00a0\u2009\u202f\ufeff]+")
_DASHES = str.maketrans({"\u2013": "-", "\u2014": "-", "\u2212": "-", "\u2010": "-", "\u2011": "-", "\x96": "-"})
_PLAIN = r"-?[0-9]{1,15}(\.[0-9]{1,15})?"
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


def number(cell: object, units: bool = False) -> float | None:
    """The number in a cell, or None where there is none: a symbol, words, a percentage, lost digits (1.05E+08).

    `units`: also read 5.5m, 950k and £1.2 billion, as people write them; publishers' columns hold plain numbers.

    >>> number("(1,234)"), number("–£5.50"), number("1e+05"), number(7), number("£5.5m", units=True)
    (-1234.0, -5.5, 100000.0, 7.0, 5500000.0)
    >>> number("x"), number("12,34"), number("12%"), number("1.05E+08"), number("5k")
    (None, None, None, None, None)
    """
    if isinstance(cell, bool) or cell is None:
        return None
    if isinstance(cell, int | float | np.number):
        return float(cell) if np.isfinite(cell) else None
    match = _NUMBER.fullmatch(_SPACES.sub("", str(cell)).translate(_DASHES))
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
    """Why a cell holds no number, or None for words that are no known symbol.

    >>> reason("z"), reason(" [x] "), reason(None), reason("about 5")
    ('not applicable', 'not available', 'blank', None)
    """
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return REASONS[""]
    text = _SPACES.sub("", str(cell)).lower()
    return REASONS.get(re.sub(r"^\[(\w+)\]$", r"\1", text))


def financial_year(text: object, source: str) -> str:
    """The first financial year that a title or a period names, as `2023-24`; SourceError where there is none.

    >>> [financial_year(text, "a.csv") for text in (202324, "2023/24", "2023 to 2024", "Outturn (RO) 2023-24")]
    ['2023-24', '2023-24', '2023-24', '2023-24']
    """
    for match in _YEAR.finditer(str(text)):
        if (int(match[1]) + 1) % 100 == int(match[2]):
            return f"{match[1]}-{match[2]}"
    shown = re.sub(r"\s+", " ", str(text)).strip()[:80]
    raise SourceError(f"{source}: expected a financial year such as 2023-24, found '{shown}'")


# --- headings, rows and sums


@lru_cache(maxsize=1 << 13)
def heading(text: Hashable) -> str:
    """A heading without what its spellings differ in: case, spaces, underscores, dashes, a byte-order mark.

    >>> heading("\\ufeffTime_Period"), heading("1.2.1  Top–up funding\\n(state)")
    ('time period', '1.2.1 top-up funding (state)')
    """
    plain = str(text)
    plain = plain if plain.isascii() else plain.translate(_DASHES).replace("\ufeff", "")
    return " ".join(plain.replace("_", " ").split()).lower()


def columns_by_meaning(
    headings: Iterable[object], wanted: Mapping[str, tuple[str, ...]], source: str
) -> dict[str, int]:
    """Place of each wanted column among the headings, by the first of its spellings that is there.

    `wanted` maps our name to the publisher's spellings. SourceError names every wanted column that is not there,
    with the closest heading, and any that stands there twice.
    """
    folded = [heading(text) for text in headings]
    stands: dict[str, list[int]] = {}
    for place, text in enumerate(folded):
        stands.setdefault(text, []).append(place)
    places: dict[str, int] = {}
    faults, lost = [], []
    for name, spellings in wanted.items():
        word = next((word for word in map(heading, spellings) if word in stands), heading(spellings[0]))
        found = stands.get(word, [])
        if len(found) == 1:
            places[name] = found[0]
        elif found:
            faults.append(f"the column '{word}' stands {len(found)} times")
        elif (hint := closest(word, folded)).startswith("did you mean"):
            faults.append(f"no column '{spellings[0]}', {hint}")
        else:
            lost.append(f"'{spellings[0]}'")
    if lost:
        faults.append(f"no column {', '.join(lost)}; the columns are {', '.join(filter(None, folded[:12]))}")
    if faults:
        raise SourceError(f"{source}: {'; '.join(faults)}. Is it another file or edition?")
    return places


def figures(
    rows: pd.DataFrame, printed: Mapping[str, str], source: str, scale: float = 1.0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows with numbers (float64, times `scale`) in the columns of `printed`, and the cells without one.

    `printed` gives each column's heading in the file. The cells without: `line`, `column`, `symbol`, `reason`.
    SourceError lists the cells that are neither a number nor a known symbol.
    """
    # All columns at once: plain digits, nearly all cells of a big file, are converted without a look at each.
    cells = rows[[*printed]].astype("str").melt(var_name="column", value_name="symbol", ignore_index=False)
    plain = cells["symbol"].str.fullmatch(_PLAIN).to_numpy(dtype=bool)
    others = cells["symbol"][~plain]
    values = np.empty(len(cells))
    values[plain] = cells["symbol"][plain].astype("float64[pyarrow]")
    values[~plain] = others.map({cell: number(cell) for cell in others.unique()}).astype(float)
    gaps = cells[np.isnan(values)].rename_axis("line").reset_index()
    gaps["reason"] = gaps["symbol"].map({symbol: reason(symbol) for symbol in gaps["symbol"].unique()})
    unknown = gaps[gaps["reason"].isna()]
    if len(unknown):
        shown = [
            f"line {row.line}, column '{printed[row.column]}': '{row.symbol}'" for row in unknown.itertuples()
        ]
        raise SourceError(
            f"{source}: expected a number or a symbol such as x or z, found {_some(shown)}. If it is printed "
            "so, find out what it means, then write the number there, or x"
        )
    columns = values.reshape(len(printed), len(rows)) * scale
    return rows.assign(**dict(zip(printed, columns, strict=True))), gaps


def keyed_gaps(gaps: pd.DataFrame, frame: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """The gaps of a frame's lines, under its key instead of the line in the file."""
    ours = gaps[gaps["line"].isin(frame.index)]
    named = frame[list(key)].loc[ours["line"]].reset_index(drop=True)
    return named.assign(**{name: ours[name].to_numpy() for name in ("column", "symbol", "reason")})


Meaning = Callable[[str, str], object]
"""What a text means; given the text and where it stands, for a SourceError."""


def meanings(column: pd.Series, meaning: Meaning, source: str, printed: str) -> pd.Series:
    """What each text of a column (`printed` in the file) means; SourceError from the first that means nothing."""
    first = column.drop_duplicates()
    return column.map(
        {text: meaning(text, f"{source}, line {n}, column '{printed}'") for n, text in first.items()}
    )


def one_of(*words: str) -> Meaning:
    """A meaning that is one of these words, in lower case."""

    def meaning(text: str, source: str) -> str:
        if text.lower() not in words:
            raise SourceError(f"{source}: expected {listed(words, 'or')}, found '{text}'")
        return text.lower()

    return meaning


def refuse_twice(frame: pd.DataFrame, key: Sequence[str], source: str) -> None:
    """SourceError when two rows have one key, with their lines in the file."""
    twice = frame[frame.duplicated(list(key), keep=False)]
    shown = [
        f"{' '.join(map(str, values))} (lines {', '.join(map(str, group.index))})"
        for values, group in twice.groupby(list(key), sort=False)
    ]
    if shown:
        raise SourceError(f"{source}: expected one row for each {', '.join(key)}, found {_some(shown)}")


def refuse(faults: Iterable[str | None]) -> None:
    """One SourceError with every fault of a file, if there is any."""
    found = [fault for fault in faults if fault]
    if found:
        raise SourceError("\n".join(found[:10]) + (f"\nand {len(found) - 10} more" if len(found) > 10 else ""))


def sums_to(
    parts: pd.Series | npt.NDArray[np.float64], total: float | None, rounding: float, source: str
) -> str | None:
    """What is wrong when the parts do not add up to a printed total, or None; both in £.

    Each part, and the total, may be rounded by up to `rounding`. Parts that are incomplete cannot be compared,
    because publishers fill such totals up; nor can a total without a number.
    """
    amounts = np.asarray(parts, dtype=float)
    if total is None or np.isnan(amounts).any() or abs(amounts.sum() - total) <= rounding * (len(amounts) + 1):
        return None
    return (
        f"{source}: rows of authorities ({len(amounts)}) sum to £{amounts.sum():,.0f}, but the file's own total "
        f"is £{total:,.0f}; rows are missing or changed: download the file again"
    )


def dfe_numbers(rows: pd.DataFrame, codes: Sequence[str], name: str, source: str) -> list[str]:
    """The DfE number of each row's council, by its codes and name in these columns.

    SourceError lists the lines of councils that are not known, with the closest name. A DfE number that is not
    known is an error even where another code is.
    """
    known = load_authorities()
    places = list(zip(*(rows[column].tolist() for column in (*codes, name)), strict=True))
    found: dict[tuple[str, ...], str] = {}
    faults = []
    # From the last to the first, so that the line of each is its first.
    for place, line in dict(zip(reversed(places), reversed(rows.index), strict=True)).items():
        wrong = [code for code in place[:-1] if re.fullmatch(r"\d{3}", code) and not known.knows(code)]
        try:
            found[place] = known.of_codes(*(wrong or place[:-1]), name=place[-1])
        except SourceError as error:
            faults.append(f"{source}, line {line}: {error}")
    refuse(reversed(faults))
    return [found[place] for place in places]


def few_councils(frame: pd.DataFrame, year: str, ends_in: Callable[[object], int]) -> tuple[str, ...]:
    """Notes of years in which more than five councils have no row, as in a file that was cut short."""
    known = load_authorities()
    expected = {label: len(known.in_year(ends_in(label))) for label in sorted(frame[year].unique())}
    counts = frame.groupby(year)["dfe_number"].nunique()
    return tuple(
        f"{label}: {counts[label]} of {all_of_them} councils have a row; the file may be incomplete"
        for label, all_of_them in expected.items()
        if counts[label] < all_of_them - 5
    )


def _some(texts: Sequence[str]) -> str:
    return "; ".join(texts[:5]) + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")


# --- files

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


def _content(path: Path, first: int = -1) -> bytes:
    """A file's bytes, or its first ones."""
    try:
        if path.exists() and not path.is_file():
            raise SourceError(f"{path} is not a file; give the path of the file that was downloaded")
        if path.stat().st_size > LARGEST:
            raise SourceError(
                f"{path.name} has {path.stat().st_size:,} bytes; files of up to {LARGEST:,} are read"
            )
        with path.open("rb") as file:
            return file.read(first)
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}") from None


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
            if manifest in parts and b"encryption-data" in _unpacked(name, archive, archive.getinfo(manifest)):
                return _PROTECTED
            return "a workbook" if parts & {"xl/workbook.xml", "content.xml"} else "a zip archive"
    for beginning, kind in _BEGINNINGS.items():
        if begins.startswith(beginning):
            return kind
    return "no text" if b"\0" in begins and not content.startswith((b"\xff\xfe", b"\xfe\xff")) else "a CSV"


def _unpacked(name: str, archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bytes:
    _refuse_bomb(name, part)
    return archive.read(part)


def _refuse_bomb(name: str, part: zipfile.ZipInfo) -> None:
    squeezed = part.file_size > LARGEST // 50 and part.file_size > _SQUEEZED * part.compress_size
    if part.file_size > LARGEST or squeezed:
        raise SourceError(
            f"{name}, {part.filename}: would unpack from {part.compress_size:,} to {part.file_size:,} bytes; no "
            "table is so large, so it was not unpacked"
        )


# --- CSV


@dataclass(frozen=True)
class Csv:
    """A delimited text: its headings as printed, the words above them, and the columns that are asked for.

    `content` is UTF-8; `first` is the line after the headings.
    """

    name: str
    headings: tuple[str, ...]
    above: tuple[str, ...]
    content: bytes
    delimiter: str
    first: int

    def table(
        self, wanted: Mapping[str, tuple[str, ...]], may_lack: Collection[str] = ()
    ) -> tuple[pd.DataFrame, dict[str, str]]:
        """The wanted columns by their meaning, and the heading of each in the file; some may not be there."""
        known = set(map(heading, self.headings))
        there = {
            name: words
            for name, words in wanted.items()
            if name not in may_lack or not known.isdisjoint(map(heading, words))
        }
        places = columns_by_meaning(self.headings, there, self.name)
        return self.columns(places), {name: self.headings[place] for name, place in places.items()}

    def columns(self, places: Mapping[str, int]) -> pd.DataFrame:
        """The columns at these places as text under our names, without spaces around it; the index is the line.

        Blank lines and notes (words in the first cell alone) are left out. SourceError when a row is longer or
        shorter than the headings, as the last one of a file that was cut short is, or when there is none.
        """
        frame = self._at_once(places)
        frame = self._line_by_line(places) if frame is None else frame
        bare = frame[frame.iloc[:, 0] == ""]
        if len(bare):
            frame = frame.drop(bare.index[(bare == "").all(axis=1)])
        if frame.empty:
            raise SourceError(f"{self.name} has headings and no rows; download it again")
        return frame

    def _at_once(self, places: Mapping[str, int]) -> pd.DataFrame | None:
        """By pyarrow, which keeps these columns only; None where a line of the file is not a row of the table."""
        names = [str(place) for place in range(len(self.headings))]
        wanted = [names[place] for place in places.values()]
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(self.content),
                arrow_csv.ReadOptions(column_names=names, skip_rows=self.first - 1, block_size=1 << 22),
                arrow_csv.ParseOptions(delimiter=self.delimiter),
                arrow_csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string())),
            )
        except pa.ArrowInvalid:
            return None
        lines = sum(1 for _ in io.BytesIO(self.content))
        if not 0 < table.num_rows == lines - self.first + 1:
            return None
        texts = [compute.utf8_trim_whitespace(column) for column in table.combine_chunks().columns]
        return pa.table(texts, names=list(places)).to_pandas().set_axis(range(self.first, lines + 1))

    def _line_by_line(self, places: Mapping[str, int]) -> pd.DataFrame:
        width, cut = len(self.headings), not self.content.endswith(b"\n")
        rows: dict[int, list[str]] = {}
        notes, faults = [], []
        for line, cells in _rows(self.name, self.content, self.delimiter):
            filled = [cell.strip() for cell in cells if cell.strip()]
            if line < self.first or not filled:
                continue
            fault = f"line {line} has {len(cells)} cells"
            if len(cells) >= width and not any(cell.strip() for cell in cells[width:]):
                rows[line] = [cells[place].strip() for place in places.values()]
            elif len(filled) == 1 and filled[0] == cells[0].strip() and re.search("[A-Za-z]{2}", filled[0]):
                notes.append((line, fault))
            else:
                faults.append(fault)
        if cut and notes and notes[-1][0] > max(rows, default=0):
            faults.append(notes[-1][1])
        if faults:
            raise SourceError(
                f"{self.name}: {_some(faults)}, expected {width}. If the file is cut short, download it again"
            )
        return pd.DataFrame(list(rows.values()), index=list(rows), columns=list(places), dtype="str")


def open_csvs(path: Path, marks: Mapping[str, tuple[str, ...]], wanted: Callable[[str], bool]) -> list[Csv]:
    """A CSV, or of a zip each CSV that is `wanted` by its name (the only one, whatever its name, if there is one).

    UTF-8, UTF-16 or Windows' CP1252, cells parted by commas, semicolons or tabs. The headings are the line, among
    the first forty, that has most spellings of `marks`, as `columns_by_meaning` wants them. SourceError says what
    the file is when it is none.
    """
    content = _content(path)
    kind = _kind(content, path.name)
    if kind != "a zip archive":
        return [_csv(path.name, content, marks, kind)]
    with _readable(path.name), zipfile.ZipFile(io.BytesIO(content)) as archive:
        every = [part for part in archive.infolist() if part.filename.lower().endswith(".csv")]
        taken = every if len(every) == 1 else [part for part in every if wanted(part.filename)]
        if not taken:
            names = ", ".join(part.filename for part in every[:8]) or "none"
            raise SourceError(f"{path.name} has no CSV that is read here; its CSVs: {names}")
        return [_csv(f"{path.name}/{part.filename}", _unpacked(path.name, archive, part), marks) for part in taken]


def open_csv(path: Path, marks: Mapping[str, tuple[str, ...]], wanted: Callable[[str], bool] = bool) -> Csv:
    """The one CSV that is wanted (any, if it is the only one), as `open_csvs`."""
    found = open_csvs(path, marks, wanted)
    if len(found) > 1:
        raise SourceError(f"{path.name} has {len(found)} files that may be meant; unpack it and give one of them")
    return found[0]


def _csv(name: str, content: bytes, marks: Mapping[str, tuple[str, ...]], kind: str = "") -> Csv:
    kind = kind or _kind(content, name)
    if kind != "a CSV":
        raise SourceError(f"{name} is {kind}, expected a CSV" if ";" not in kind else f"{name} is {kind}")
    content = _utf8(content)
    head = content[: 1 << 18].rpartition(b"\n")[0] or content
    known = {heading(word) for words in marks.values() for word in words}
    best, found = 0, None
    for delimiter in ",;\t":
        above: list[str] = []
        for line, cells in itertools.islice(_rows(name, head, delimiter), 40):
            if best == len(known):
                break
            score = len(known & {heading(cell) for cell in cells})
            if score > best:
                best, found = score, Csv(name, tuple(cells), tuple(above), content, delimiter, line + 1)
            above.append(" ".join(cell for cell in cells if cell.strip()))
    if found is None:
        begins = head.decode(errors="replace").strip().partition("\n")[0].strip()[:80]
        raise SourceError(
            f"{name}: no line has the headings that were expected ({', '.join(sorted(known)[:5])}); it begins "
            f"'{begins}'. Is it another file?"
        )
    return found


def _utf8(content: bytes) -> bytes:
    """A text as UTF-8, without a byte-order mark."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace").encode()
    try:
        if not content.isascii():
            content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace").encode()
    return content.removeprefix(b"\xef\xbb\xbf")


def typed_rows(path: Path) -> tuple[list[tuple[int, list[str]]], str]:
    """The rows of a text that a person typed, with the line on which each ends, and the mark between its cells.

    That is the comma, semicolon or tab by which most rows have the same number of cells. SourceError when the file
    is no such text, or a quotation mark has no pair.
    """
    content = _content(path)
    kind = _kind(content, path.name)
    if kind != "a CSV":
        raise SourceError(f"{path.name} is neither a CSV nor a workbook: it is {kind}")

    def alike(mark: str) -> int:
        widths = Counter(len(cells) for _, cells in _rows(path.name, text, mark) if any(cells))
        return max((rows for width, rows in widths.items() if width > 1), default=0)

    text = _utf8(content)
    mark = max("\t;,", key=alike)
    return list(_rows(path.name, text, mark, typed=True)), mark


def _rows(name: str, content: bytes, delimiter: str, typed: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Each row and the line on which it ends (the first is line 1)."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="replace", newline="")
    reader = csv.reader(text, delimiter=delimiter, skipinitialspace=typed, strict=typed)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        what = "look for a quotation mark without its pair" if typed else "download it again"
        raise SourceError(f"{name}, line {reader.line_num}: {error}; {what}") from None


# --- workbooks

Rows = list[list[object]]


def is_workbook(path: Path) -> bool:
    """Whether a file is a workbook, whatever its name."""
    begins = _content(path, 4)
    return begins in (b"PK\x03\x04", _OLE[:4]) and "workbook" in _kind(_content(path), path.name)


def below(rows: Rows, at: int, places: Mapping[str, int], texts: Collection[str]) -> pd.DataFrame:
    """The cells under the row of headings, under our names, those of `texts` as text; the index is the line."""
    cells = {name: [row[place] for row in rows[at + 1 :]] for name, place in places.items()}
    text = {name: [plain_code(cell) for cell in cells[name]] for name in texts if name in cells}
    return pd.DataFrame(cells | text, index=range(at + 2, len(rows) + 1))


class Workbook:
    """A workbook (xlsx, ods, xls): its sheets' names, and their rows one sheet at a time.

    Raises SourceError when the file is missing, broken, protected, too large, or no workbook.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        content = _content(path)
        kind = _kind(content, path.name)
        if "workbook" not in kind:
            raise SourceError(
                f"{self.name} is {kind}" + ("" if ";" in kind else ", expected a workbook (xlsx, ods)")
            )
        with _readable(self.name):
            checked = _checked(self.name, content) if kind == "a workbook" else content
            self._book = CalamineWorkbook.from_filelike(io.BytesIO(checked))
        self.sheets = list(self._book.sheet_names)

    def __iter__(self) -> Iterator[tuple[str, Rows]]:
        """Each sheet's name and rows, each as long as the widest; an empty cell is an empty text."""
        for sheet in self.sheets:
            with _readable(f"{self.name}, sheet '{sheet}'"):
                rows = self._book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
            yield sheet, [list(row) for row in rows]


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
            f"{name}, {part.filename}: its cells span {rows:,} rows and {columns:,} columns; delete what stands "
            "far from the table and save it again"
        )
