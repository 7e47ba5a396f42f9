"""What the money parsers share: a few columns of a big CSV, financial years, sums held to printed totals."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv

from deficits.errors import SourceError

_BLOCK = 1 << 22
"""Bytes that pyarrow reads at a time: with rows of 10 kB, its own 1 MB makes many small pieces."""

_YEAR = re.compile(r"(?<!\d)(20\d\d)\s*(?:[-/\u2013]|to|)\s*(?:20)?(\d\d)(?!\d)")


def financial_year(text: object, where: str) -> str:
    """The first financial year that a title or a period names, as `2023-24`.

    SourceError where there is none whose halves follow one another.

    >>> [financial_year(text, "a.csv") for text in (202324, "2023/24", "2023 to 2024", "Outturn (RO) 2023-24")]
    ['2023-24', '2023-24', '2023-24', '2023-24']
    """
    for match in _YEAR.finditer(str(text)):
        if (int(match[1]) + 1) % 100 == int(match[2]):
            return f"{match[1]}-{match[2]}"
    shown = re.sub(r"\s+", " ", str(text)).strip()[:80]
    raise SourceError(f"{where}: expected a financial year such as 2023-24, found '{shown}'")


def year_before(year: str) -> str:
    """The financial year before.

    >>> year_before("2000-01")
    '1999-00'
    """
    start = int(year[:4]) - 1
    return f"{start}-{(start + 1) % 100:02d}"


def csv_headings(path: Path) -> list[str]:
    """The headings in the first line of a CSV, in UTF-8 with or without its mark, or in Windows' CP1252."""
    with _readable(path), path.open("rb") as content:
        line = content.readline()
        try:
            text = line.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = line.decode("cp1252")
        return next(csv.reader([text]), [])


def csv_columns(path: Path, places: dict[str, int], width: int) -> pd.DataFrame:
    """The columns at `places` of a CSV of `width` columns, as text under our names; the index is the line.

    Only these columns are kept in memory. SourceError when a row is longer or shorter than the headings, as the
    last row of a file that was cut short is, or when there is none.
    """
    wanted = [str(place) for place in places.values()]
    chosen = arrow_csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()))

    def read(encoding: str, threads: bool) -> pa.Table:
        options = arrow_csv.ReadOptions(
            use_threads=threads,
            column_names=[str(place) for place in range(width)],
            skip_rows=1,
            block_size=_BLOCK,
            encoding=encoding,
        )
        return arrow_csv.read_csv(path, read_options=options, convert_options=chosen)

    with _readable(path):
        try:
            table = read("utf8", threads=True)
        except pa.ArrowInvalid:
            table = _again(read)
    if not table.num_rows:
        raise SourceError(f"{path.name} has headings and no rows; download it again")
    # In one piece: every later step on a column of many pieces costs more than putting them together does.
    frame = table.rename_columns(list(places)).combine_chunks().to_pandas()
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    return frame


def _again(read: Callable[[str, bool], pa.Table]) -> pa.Table:
    """After a fault: without threads, so that its message names the row, and in the other encoding."""
    try:
        return read("utf8", False)
    except pa.ArrowInvalid:
        return read("cp1252", False)  # another fault than the encoding is found, and told, again


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError, csv.Error, pa.ArrowException) as error:
        shown = re.sub(r"\s+", " ", str(error)).replace(str(path), path.name)[:160]
        raise SourceError(f"{path.name} cannot be read as a CSV: {shown}. Download it again") from None


def sums_to(
    parts: pd.Series | npt.NDArray[np.float64], total: float | None, rounding: float, where: str
) -> str | None:
    """What is wrong when the parts do not add up to a printed total, or None; both in £.

    Each part, and the total, may be rounded by up to `rounding`. Parts that are incomplete cannot be compared,
    because the publisher fills such totals up; nor can a total without a number.
    """
    amounts = np.asarray(parts, dtype=float)
    if total is None or np.isnan(amounts).any() or abs(amounts.sum() - total) <= rounding * (len(amounts) + 1):
        return None
    return (
        f"{where}: rows of authorities ({len(amounts)}) sum to £{amounts.sum():,.0f}, but the file's own total is "
        f"£{total:,.0f}; rows are missing or changed"
    )


def refuse(faults: list[str | None]) -> None:
    """One SourceError with every fault of a file, if there is any."""
    told = [fault for fault in faults if fault]
    if told:
        more = f"\nand {len(told) - 10} more" if len(told) > 10 else ""
        raise SourceError("\n".join(told[:10]) + more)
