"""A publisher's table on its way to figures: its headings, rows, numbers, whose they are, and what must hold.

Nothing is filled in: a figure that is not there is missing, and its column `<figure>?` says
why. All faults of one kind are told at once, with the file, the line, the publisher's column and the cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deficits.errors import PanelError, SourceError, closest, first_of, some
from deficits.formatting import listed
from deficits.publications.editions import Table
from deficits.publications.files import Columns, Grid, heading, number, opened, padded, reason
from deficits.raw.authorities import load_authorities

Meaning = Callable[[str, str], object]
"""What a text means; given the text and where it stands, for a SourceError."""
NO_ROW = "no row in the file"
_PLAIN = r"-?[0-9]{1,15}(\.[0-9]{1,15})?"
"""Nearly all cells of a large file: converted without a look at each."""
_HEAD = 40
"""Rows, or lines, among which the headings are."""


@dataclass(frozen=True)
class Sheet:
    """A table as it lies in a file: a CSV, or a sheet of a workbook.

    `head` are the rows down to the headings, which stand in line `top`, of a grid of text. `fold` is what a
    heading is without what changes from edition to edition, `printed` the heading of each column that was taken.
    """

    grid: Grid
    head: list[list[str]]
    top: int
    fold: Callable[[str], str] = heading
    printed: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.grid.name

    @property
    def title(self) -> str:
        """The words above the headings."""
        return " ".join(cell for row in self.head[:-1] for cell in row if cell)

    def take(
        self,
        wanted: Columns,
        may_lack: Collection[str] = (),
        headings: Sequence[str] | None = None,
        skip: re.Pattern[bytes] | None = None,
    ) -> pd.DataFrame:
        """The wanted columns as text under our names, by line; blank lines are left out.

        Each is found by the first of its spellings that is a heading, of `headings` where given. SourceError names
        every column that is not there and not among `may_lack`, with the closest heading, and any that stands
        there twice. `skip`: how lines of a large CSV begin that need not be read.
        """
        printed = self.head[-1] if headings is None else headings
        folded = [self.fold(text) for text in printed]
        places: dict[str, int] = {}
        faults = []
        for name, spellings in wanted.items():
            word = next((word for word in map(heading, spellings) if word in folded), None)
            if word is not None:
                places[name] = folded.index(word)
                if (times := folded.count(word)) > 1:
                    faults.append(f"the column '{word}' stands {times} times")
            elif name not in may_lack:
                faults.append(f"no column '{spellings[0]}', {closest(heading(spellings[0]), folded)}")
        if faults:
            raise SourceError(f"{self.name}: {some(faults)} (another file or edition?)")
        self.printed.update({name: printed[place] for name, place in places.items()})
        frame = self.grid.columns(self.top, len(self.head[-1]), places, skip) if skip else None
        frame = self.cells(places) if frame is None else frame
        frame = frame[~frame.eq("").all(axis=1)]
        if frame.empty:
            raise SourceError(f"{self.name} has headings and no rows; download it again")
        return frame

    def cells(self, places: Mapping[str, int]) -> pd.DataFrame:
        """The columns at these places, below the headings, as text under our names, by line.

        Notes (words in the first cell alone) are left out. SourceError when a row is longer or shorter than the
        headings, as the last one of a file that was cut short is.
        """
        width = len(self.head[-1])
        found: dict[int, list[str]] = {}
        faults = []
        for line, row in self.grid.rows():
            if line <= self.top:
                continue
            if len(row) >= width and not any(cell.strip() for cell in row[width:]):
                found[line] = [row[place].strip() for place in places.values()]
                continue
            filled = [cell.strip() for cell in row if cell.strip()]
            if filled and (filled != [row[0].strip()] or not re.search("[A-Za-z]{2}", filled[0])):
                faults.append(f"line {line} has {len(row)} cells")
        if faults:
            cut = "If the file is cut short, download it again"
            raise SourceError(f"{self.name}: {some(faults)}, expected {width}. {cut}")
        return pd.DataFrame(list(found.values()), index=list(found), columns=list(places), dtype="str")

    def meaning(self, column: pd.Series, meaning: Meaning) -> pd.Series:
        """What each text of a column means; SourceError from the first that means nothing."""
        where = f"column '{self.printed.get(str(column.name), column.name)}'"
        first = column.drop_duplicates()
        return column.map({text: meaning(text, f"{self.name}, line {n}, {where}") for n, text in first.items()})

    def numbers(self, rows: pd.DataFrame, columns: Iterable[str], scale: float = 1.0) -> pd.DataFrame:
        """The rows with numbers (float64, times `scale`) in these columns, and in `<column>?` why one is missing.

        SourceError lists the cells that are neither a number nor a known symbol.
        """
        columns = list(columns)
        # All columns at once: plain digits, nearly all cells of a big file, are converted without a look at each.
        cells = rows[columns].melt(var_name="column", value_name="cell", ignore_index=False)
        plain = cells["cell"].str.fullmatch(_PLAIN).to_numpy(dtype=bool)
        others = cells["cell"][~plain]
        values = np.empty(len(cells))
        values[plain] = cells["cell"][plain].astype("float64[pyarrow]")
        values[~plain] = others.map({cell: number(cell) for cell in others.unique()}).astype(float)
        gaps = np.isnan(values)
        why = np.full(len(cells), None, dtype=object)
        why[gaps] = [reason(cell) for cell in cells["cell"][gaps]]
        unknown = cells[gaps & (why == None)]  # noqa: E711  each cell
        if len(unknown):
            shown = [
                f"line {row.Index}, column '{self.printed.get(row.column, row.column)}': '{row.cell}'"
                for row in unknown.itertuples()
            ]
            raise SourceError(
                f"{self.name}: expected a number or a symbol such as x or z, found {some(shown)}. If it is "
                "printed so, find out what it means, then write the number there, or x"
            )
        shape = (len(columns), len(rows))
        reasons = dict(zip((f"{name}?" for name in columns), why.reshape(shape), strict=True))
        amounts = dict(zip(columns, values.reshape(shape) * scale, strict=True))
        return rows.assign(**amounts, **{name: each for name, each in reasons.items() if any(each)})

    def councils(self, rows: pd.DataFrame, *codes: str) -> list[str]:
        """The DfE number of each row's council, by its codes in these columns, or without any by `la_name`.

        SourceError lists the lines of councils that are not known, with the closest name. A wrong DfE number is an
        error even where another code is right.
        """
        known, printed = load_authorities(), rows[[*codes, "la_name"]]
        found: dict[tuple[str, ...], str] = {}
        faults = []
        for line, *given, name in printed.drop_duplicates().itertuples():
            wrong = [code for code in given if re.fullmatch(r"\d{3}", code) and not known.knows(code)]
            try:
                code = known.of_codes(*(wrong or given), name=name) if given else known.resolve(name)
                found[*given, name] = code
            except (SourceError, PanelError) as error:
                faults.append(f"{self.name}, line {line}: {error}")
        refuse(faults)
        return [found[key] for key in printed.itertuples(index=False, name=None)]

    def refuse_twice(self, rows: pd.DataFrame, key: Sequence[str]) -> None:
        """SourceError when two rows have one key, with their lines in the file."""
        twice = rows[rows.duplicated(list(key), keep=False)]
        shown = [
            f"{' '.join(map(str, values))} (lines {', '.join(map(str, group.index))})"
            for values, group in twice.groupby(list(key), sort=False)
        ]
        if shown:
            raise SourceError(f"{self.name}: expected one row for each {', '.join(key)}, found {some(shown)}")


def open_sheets(
    path: Path,
    marks: Columns,
    *,
    enough: int = 1,
    fold: Callable[[str], str] = heading,
    wanted: Callable[[str], bool] = bool,
) -> list[Sheet]:
    """The tables of a file whose headings hold at least `enough` of `marks`: sheets of a workbook, a CSV, CSVs.

    The headings are the row, among the first forty, that has most of them. Of a zip each CSV that is `wanted` by
    its name is read.
    """
    spellings = [set(map(heading, words)) for words in marks.values()]
    sheets, there = [], []
    for grid in opened(path, wanted):
        head: list[list[str]] = []
        best, found = 0, (0, 0)
        for line, row in islice(grid.rows(), _HEAD):
            head.append(row)
            texts = set(map(fold, row))
            score = sum(not texts.isdisjoint(words) for words in spellings)
            if score > best:
                best, found = score, (line, len(head))
            if best == len(spellings):
                break
        place = grid.name.removeprefix(path.name).strip(", /") or "it"
        there.append(f"{place} begins '{' '.join(filter(None, chain(*head)))[:60]}'")
        if best >= enough:
            line, above = found
            sheets.append(Sheet(grid, padded(head[:above], len(head[above - 1])), line, fold))
    if not sheets:
        words = ", ".join(spelt[0] for spelt in marks.values())
        raise SourceError(
            f"{path.name}: no line has the headings that were expected ({words}): {some(there)}. Another file?"
        )
    return sheets


def open_sheet(path: Path, marks: Columns, **how: Any) -> Sheet:
    """The one table with these headings (see `open_sheets`)."""
    found = open_sheets(path, marks, **how)
    if len(found) > 1:
        names = ", ".join(sheet.name for sheet in found)
        raise SourceError(f"{path.name} has {len(found)} tables that may be meant ({names}); give one alone")
    return found[0]


# --- what must hold


def one_of(*words: str) -> Meaning:
    """A meaning that is one of these words, in lower case."""

    def meaning(text: str, source: str) -> str:
        if text.lower() not in words:
            raise SourceError(f"{source}: expected {listed(words, 'or')}, found '{text}'")
        return text.lower()

    return meaning


def refuse(faults: Iterable[str | None]) -> None:
    """One SourceError with every fault of a file, if there is any."""
    if found := [fault for fault in faults if fault]:
        raise SourceError("\n".join(first_of(found, 10)))


def sums_to(parts: npt.ArrayLike, total: float, rounding: float, source: str) -> str | None:
    """What is wrong when the parts do not add up to a printed total, or None; both in £.

    Each part, and the total, may be rounded by up to `rounding`. Incomplete parts cannot be compared, because
    publishers fill such totals up.
    """
    amounts = np.asarray(parts, dtype=float)
    if np.isnan(amounts).any() or abs(amounts.sum() - total) <= rounding * (len(amounts) + 1):
        return None
    return (
        f"{source}: rows of authorities ({len(amounts)}) sum to £{amounts.sum():,.0f}, but the file's own total "
        f"is £{total:,.0f}; rows are missing or changed: download the file again"
    )


def table_of(
    kind: str, rows: pd.DataFrame, key: Sequence[str], columns: Iterable[str], notes: Iterable[str] = ()
) -> Table:
    """The table of some columns of rows, with the reasons why figures are missing."""
    frame = rows[list(columns)].reset_index(drop=True)
    keys = frame[list(key)]
    gaps = [keys.iloc[:0].assign(column="", reason="")]
    for name in frame.select_dtypes("float"):
        if (gap := frame[name].isna().to_numpy()).any():
            why = rows[f"{name}?"][gap].fillna(NO_ROW).to_numpy() if f"{name}?" in rows else NO_ROW
            gaps.append(keys[gap].assign(column=name, reason=why))
    missing = pd.concat(gaps, ignore_index=True)
    return Table(kind, frame, tuple(key), missing, tuple(notes))
