"""What parsers of published CSVs share: text read strictly, and cells without a number with their reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from deficits.errors import SourceError
from deficits.publications.cells import PLAIN, columns_by_meaning, heading, numbers
from deficits.publications.workbook import Rows

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Delimited:
    """A delimited file: its headings (as `heading` folds them) and its rows as text, indexed by line in the file.

    `above` and `below` are the words that stand over the headings and under the rows.
    """

    where: str
    headings: tuple[str, ...]
    rows: pd.DataFrame
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()

    def columns(self, wanted: dict[str, tuple[str, ...]]) -> pd.DataFrame:
        """The wanted columns under our names, wherever they stand; text without spaces around it.

        Where a file has several of a name's spellings, the first that `wanted` lists is taken. SourceError
        names each column that is missing, with the closest heading.
        """
        present = set(self.headings)
        first = {name: next(((s,) for s in words if s in present), words) for name, words in wanted.items()}
        places = columns_by_meaning(self.headings, first, self.where)
        chosen = self.rows[list(places.values())].set_axis(list(places), axis=1)
        return chosen.apply(lambda column: column.str.strip())


def read_delimited(content: bytes, where: str, heads: Callable[[list[str]], bool] | None = None) -> Delimited:
    """A CSV's rows, each as long as its headings, in UTF-8 (a byte-order mark is no part of it) or CP1252.

    `heads` finds the row of headings where a file has words above it (and then perhaps notes below); without it
    the first row is the headings and nothing else may stand in the file.
    Raises SourceError when the file is no CSV or empty, has no such headings, or has rows of another length, as
    a file that was cut short has.
    """
    return _headed(_lines(content, where), where, heads)


def read_sheet(rows: Rows, where: str, heads: Callable[[list[str]], bool]) -> Delimited:
    """A workbook's sheet read as `read_delimited` reads a CSV; a whole number is text without a point."""
    lines = [(line, [_text(cell) for cell in row]) for line, row in enumerate(rows, start=1)]
    return _headed([(line, cells) for line, cells in lines if any(cells)], where, heads)


def _headed(
    lines: list[tuple[int, list[str]]], where: str, heads: Callable[[list[str]], bool] | None
) -> Delimited:
    at = next((place for place, (_, cells) in enumerate(lines) if heads is None or heads(cells)), None)
    if at is None:
        raise SourceError(f"{where} has no row with the headings that were expected; is it another table?")
    headings = lines[at][1]
    width = len(headings)
    rows: dict[int, list[str]] = {}
    notes, faults = [], []
    for line, cells in lines[at + 1 :]:
        filled = [cell for cell in cells if cell.strip()]
        if heads is not None and len(filled) == 1 and filled[0] == cells[0]:
            notes.append(cells[0])
        elif len(cells) < width or any(cell.strip() for cell in cells[width:]):
            faults.append(f"line {line} has {len(cells)} cells")
        else:
            rows[line] = cells[:width]
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise SourceError(
            f"{where}: {'; '.join(faults[:5])}{more}, expected {width}. "
            "If the file is cut short, download it again"
        )
    if not rows:
        raise SourceError(f"{where} has headings and no rows; download it again")
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(range(width)), dtype="str")
    above = tuple(" ".join(cell for cell in cells if cell.strip()) for _, cells in lines[:at])
    return Delimited(where, tuple(heading(text) for text in headings), frame, above, tuple(notes))


def figures(
    rows: pd.DataFrame, columns: Iterable[str], where: str, scale: dict[str, float] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows with numbers (float64) in `columns`, and the cells without: `line`, `column`, `symbol`, `reason`.

    `scale` multiplies a column's numbers (1e6 where it was printed in millions). SourceError lists the cells of
    every column that are neither a number nor a known symbol.
    """
    names = list(columns)
    # All columns at once: one pass over them is quicker than one for each.
    cells = pd.concat([rows[name] for name in names], ignore_index=True)
    try:
        values, empty, reasons = _numbers(cells, where)
    except SourceError:
        raise _column_faults(rows, names, where) from None
    scales = np.array([(scale or {}).get(name, 1.0) for name in names])
    table = pd.DataFrame(values.reshape(len(names), len(rows)).T * scales, rows.index, names)
    counted = pd.concat([rows.drop(columns=names), table], axis=1)[list(rows)]
    gaps = pd.DataFrame(
        {
            "line": rows.index.to_numpy()[empty % len(rows)],
            "column": np.array(names, dtype=object)[empty // len(rows)],
            "symbol": cells.iloc[empty].to_numpy(),
            "reason": reasons,
        }
    )
    return counted, gaps


def _numbers(cells: pd.Series, where: str) -> tuple[_Floats, npt.NDArray[np.intp], npt.NDArray[np.object_]]:
    """What `numbers` says of the cells: the values, the places without one, and the reason for each of those.

    A big file's cells are nearly all plain digits, converted at once, and a few other texts, each looked at once.
    """
    values = np.full(len(cells), np.nan)
    others = np.arange(len(cells))
    distinct, which = cells, others
    if isinstance(cells.dtype, pd.StringDtype):
        plain = cells.str.fullmatch(PLAIN.pattern).to_numpy(dtype=bool)
        values[plain] = cells[plain].astype("float64[pyarrow]").to_numpy()
        others = np.flatnonzero(~plain)
        which, texts = pd.factorize(cells.iloc[others], use_na_sentinel=False)
        distinct = texts.to_series()
    found, reasons = numbers(distinct, where)
    values[others] = found.to_numpy()[which]
    empty = np.isnan(values[others])
    return values, others[empty], reasons.to_numpy(dtype=object)[which[empty]]


def _column_faults(rows: pd.DataFrame, columns: list[str], where: str) -> SourceError:
    """An error that names the column and line of every cell that is neither a number nor a symbol."""
    faults = []
    for column in columns:
        try:
            numbers(rows[column], f"{where}, column '{column}'")
        except SourceError as error:
            faults.append(str(error))
    return SourceError("; ".join(faults))


def keyed_gaps(gaps: pd.DataFrame, frame: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """The gaps of a frame's lines, under its key instead of the line in the file."""
    ours = gaps[gaps["line"].isin(frame.index)]
    named = frame[key].loc[ours["line"]].reset_index(drop=True)
    return named.assign(**{name: ours[name].to_numpy() for name in ("column", "symbol", "reason")})


def refuse_twice(frame: pd.DataFrame, key: list[str], where: str) -> None:
    """SourceError when two rows have one key, with their lines in the file."""
    repeated = frame.duplicated(key, keep=False)
    if repeated.any():
        twice = frame[repeated]
        shown = [
            f"{' '.join(str(part) for part in values)} (lines {', '.join(str(line) for line in group.index)})"
            for values, group in twice.groupby(key, sort=False)
        ]
        more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
        raise SourceError(
            f"{where}: expected one row for each {', '.join(key)}, found {'; '.join(shown[:5])}{more}"
        )


def _text(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _lines(content: bytes, where: str) -> list[tuple[int, list[str]]]:
    """Rows that are not blank, each with the line on which it starts (the first is line 1)."""
    if content.startswith(b"PK"):
        raise SourceError(f"{where} is a zip or a workbook, expected a CSV")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    if text.lstrip().startswith("<"):
        raise SourceError(f"{where} is a web page, expected a CSV; download it again")
    lines: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise SourceError(
            f"{where}, line {reader.line_num}: {error}. If the file is cut short, download it again"
        ) from None
    if not lines:
        raise SourceError(f"{where} is empty; download it again")
    return lines
