"""What a publication is here, every edition of its tables as it was known on a day, and what it gives the panel.

A publication is revised: the same figure stands in several files. Each row keeps where it stands (file and line),
when its figure was first public, and of which edition it is; the newest edition wins where the panel is built.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deficits.errors import PanelError
from deficits.formatting import UNDATED, last_day, year_of
from deficits.raw import RawData, SourceFile
from deficits.raw.authorities import Authorities
from deficits.raw.corrections import TOUCHED, correct

_DECLARED = tomllib.loads(Path(__file__).with_name("publications.toml").read_text(encoding="utf-8"))
KEY = ["authority", "year"]
CANDIDATE = ["figure", "authority", "year", "value", "basis", "source", "published", "edition"]
DISPUTED, REPORTED, DERIVED = "disputed", "reported", "derived"
STATED = "stated"
"""Basis of a balance that the council itself stated and no national return has yet."""
YEARS = {
    "financial_year": (year_of, 0),
    "year": (year_of, 0),
    "academic_year": (year_of, 1),
    "january": (int, 0),
    "calendar_year": (int, 1),
    "mid_year": (int, 1),
}
"""What a column of years means, and how many financial years later its figures belong: pupils are counted in May,
what happened in a calendar year in the January after it, and people at mid-year."""


@dataclass(frozen=True)
class Table:
    """A publication's table with its own labels, signs and coverage; money in £ whatever unit it was printed in.

    `kind` is the table's name within its publication (as `table` in source.toml). `frame` is one row a key.
    `missing` has a row for each figure that is not there: the key columns, `column`, `reason`. `notes` are for a
    person to look at: what the parser found odd and took as it was published.
    """

    kind: str
    frame: pd.DataFrame
    key: tuple[str, ...]
    missing: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["column", "reason"]))
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EesRelease:
    """A release of explore education statistics (EES), whose slug (2024-25) is a version: one file of it by its
    title, or the zip of all."""

    slug: str
    title: str | None = None

    def __str__(self) -> str:
        return f"files of the latest release of '{self.slug}' on explore education statistics"


@dataclass(frozen=True)
class GovUk:
    """An attachment of a gov.uk page, by a pattern for its title or file name.

    Where a `collection` lists the pages, a version is what stands for {version} in `path`. Else it is a text that
    the attachment's title or file name must also hold.
    """

    path: str
    attachment: str
    collection: str = ""

    def __str__(self) -> str:
        return f"attachment of www.gov.uk{self.path}"


@dataclass(frozen=True)
class FixedUrl:
    """A file at a known address, in which {version} stands for the edition; `newest` gives today's."""

    url: str
    filename: str
    newest: Callable[[], str]

    def __str__(self) -> str:
        return self.url.format(version=self.newest())


@dataclass(frozen=True)
class ByHand:
    """No file to download: someone tabulates it and gives it with `--file`."""

    why: str

    def __str__(self) -> str:
        return f"by hand only: {self.why}"


@dataclass(frozen=True)
class Publication:
    """One publication, known by its folder in `data/raw`.

    `parse` turns the publisher's file into tidy tables; None where nothing is fetched. It raises SourceError for
    another file, a column that is missing, a cell that is neither a number nor a known symbol, a council that is
    unknown or stands twice, and sums that do not reach the file's own totals. `figures` are the columns that are
    figures of the panel as they stand, by kind of table; `load` gives the candidates that are worked out. `turned`
    are the kinds of table whose sign, positive for a deficit, the panel turns.
    """

    folder: str
    address: EesRelease | GovUk | FixedUrl | ByHand
    short: tuple[str, ...] = ()
    parse: Callable[[Path], tuple[Table, ...]] | None = None
    figures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    load: Callable[[Reader], Iterator[pd.DataFrame]] | None = None
    turned: tuple[str, ...] = ()

    def candidates(self, reader: Reader) -> Iterator[pd.DataFrame]:
        """What it gives the panel, from the tables held, as known on the reader's day."""
        if self.load:
            yield from self.load(reader)
        for kind, columns in self.figures.items():
            yield reported(reader.read(self.folder, kind, columns), columns)


def declared(
    folder: str,
    parse: Callable[[Path], tuple[Table, ...]] | None = None,
    load: Callable[[Reader], Iterator[pd.DataFrame]] | None = None,
    newest: Callable[[], str] | None = None,
) -> Publication:
    """What `publications.toml` declares; `newest` gives today's edition of a file at a known address."""
    entry: dict[str, Any] = dict(_DECLARED[folder])
    addresses = {"ees": EesRelease, "gov_uk": GovUk, "fixed": FixedUrl, "by_hand": ByHand}
    (name,) = addresses.keys() & entry
    address = addresses[name](**entry.pop(name), **({"newest": newest} if newest else {}))
    return Publication(folder, address, parse=parse, load=load, **entry)


@dataclass(frozen=True)
class Reader:
    """Reads tables as they were known on `as_of` (ISO date; None knows everything), noting what it corrected."""

    raw: RawData
    authorities: Authorities
    as_of: str | None = None
    touched: list[pd.DataFrame] = field(default_factory=list)

    @property
    def last(self) -> str:
        """The last day of which something is known; without a day, one after every day."""
        return self.as_of or UNDATED

    def files(self, publication: str, kind: str) -> list[SourceFile]:
        """The editions of a kind of table that were public on the day, oldest first."""
        files = sorted(self.raw.files(publication, kind), key=lambda file: file.day)
        first = (min(map(last_day, (file.published, *file.first_published.values()))) for file in files)
        return [file for file, day in zip(files, first, strict=True) if day <= self.last]

    def table(self, publication: str, kind: str, numeric: Iterable[str]) -> pd.DataFrame:
        """The newest edition of a table that is no authority's by year; no rows when none is public."""
        held, public = self.raw.files(publication, kind), self.files(publication, kind)
        return self.raw.table(publication, [*held, *public][-1].name, numeric)[: None if public else 0]

    def dated(self, publication: str, kind: str, numeric: Iterable[str] = ()) -> pd.DataFrame:
        """The rows, each with its own date, of every edition of a table that were public on the reader's day.

        `published` is as printed (a day, month or year); a row without one is only known to a reader without a
        day. `source` is `publication/file:line`.
        """
        files = self.raw.files(publication, kind)
        rows = pd.concat(
            [self.raw.table(publication, file.name, numeric).assign(source=file.name) for file in files]
        )
        # Line 1 of a file is its header.
        rows["source"] = f"{publication}/" + rows["source"] + ":" + (rows.index + 2).astype(str)
        return rows[rows["published"].map(last_day) <= self.last].reset_index(drop=True)

    def read(self, publication: str, kind: str, numeric: Iterable[str]) -> pd.DataFrame:
        """Every edition of a kind of table, corrected, as far as it was public.

        Indexed by (authority, year), with the files' columns, those of `numeric` as float (missing throughout an
        edition that has no such column), and source (`publication/file:line`), published (ISO day by which the
        figure was public), edition (day of the file) and flagged (columns that a correction disputes).
        SourceError or PanelError when a file, name, year or correction is wrong.
        """
        raw, key = self.raw.where(publication), (publication, kind, *numeric)
        if key not in raw.corrected:
            raw.corrected[key] = _corrected(raw, self.authorities, *key)
        rows, touched = raw.corrected[key]
        self.touched.append(touched)
        return rows[rows["published"] <= self.last]

    def existing(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of authorities that existed at the end of the row's year."""
        return rows[np.array([self.authorities.existed(code, year) for code, year in rows.index], dtype=bool)]

    @property
    def corrected(self) -> pd.DataFrame:
        """A row for each cell that a correction touched."""
        return pd.concat([pd.DataFrame(columns=TOUCHED), *self.touched], ignore_index=True).drop_duplicates(
            ["source", "correction", "column"], ignore_index=True
        )


def _corrected(
    raw: RawData, authorities: Authorities, publication: str, kind: str, *numeric: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What `Reader.read` gives, whatever the day, and a row for each cell that a correction touched."""
    corrections = raw.corrections(publication)
    wanted = [each for each in corrections.correction if each.table == kind and each.column in numeric]
    frames, records, found = [], [], set()
    for file in raw.files(publication, kind):
        there = [column for column in numeric if column in file.columns]
        table = raw.table(publication, file.name, there)
        column = next(name for name in YEARS if name in table)
        meaning, later = YEARS[column]
        years = table[column].map(meaning) + later
        first = {year: last_day(day) for year, day in file.first_published.items()}
        edition = last_day(file.published)
        # Line 1 of a file is its header.
        table = table.assign(
            **{column: float("nan") for column in numeric if column not in there},
            file=file.name,
            line=table.index + 2,
            ends_in=years,
            edition=edition,
            published=[first.get(year, edition) for year in years],
        )
        about = [each for each in wanted if each.file in (None, file.name)]
        table, touched, names = correct(table, corrections, about, publication)
        frames.append(table)
        records.append(touched)
        found |= names
    if not frames:
        raise PanelError(f"data/raw/{publication} has no table '{kind}': start from a whole copy of data/raw")
    if lost := [each.name for each in wanted if each.expect and each.name not in found]:
        where = f"data/raw/{publication}/corrections.toml"
        raise PanelError(f"{where}: no row of {kind} matches '{', '.join(lost)}'; remove it or mend its match")
    rows = pd.concat(frames, ignore_index=True)
    rows["source"] = f"{publication}/" + rows["file"] + ":" + rows["line"].astype(str)
    if "dfe_number" not in rows:
        numbers = []
        for name, year, source in rows[["la_name", "ends_in", "source"]].itertuples(index=False):
            try:
                numbers.append(authorities.resolve(name, year))
            except PanelError as error:
                raise PanelError(f"data/raw/{source}: {error}") from None
        rows["dfe_number"] = numbers
    return rows.set_index(pd.MultiIndex.from_frame(rows[["dfe_number", "ends_in"]], names=KEY)), pd.concat(records)


def candidates(
    rows: pd.DataFrame, values: Mapping[str, pd.Series], basis: str, flags: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Candidates for several figures of the panel from the same rows; cells without a value are left out.

    `rows` is a reader's frame. A figure counts as disputed in a row that is flagged on its column in `flags`.
    """
    flagged, where, parts = "," + rows["flagged"], rows[["source", "published", "edition"]], []
    for figure, value in values.items():
        disputed = flagged.str.contains(f",{(flags or {}).get(figure)},", regex=False)
        parts.append(where.assign(figure=figure, value=value, basis=np.where(disputed, DISPUTED, basis)))
    return pd.concat(parts).dropna(subset="value").reset_index()[CANDIDATE]


def reported(rows: pd.DataFrame, figures: Mapping[str, str]) -> pd.DataFrame:
    """Candidates that are columns (the keys) of a reader's frame, as they were reported."""
    flags = {figure: column for column, figure in figures.items()}
    return candidates(rows, {figure: rows[column] for figure, column in flags.items()}, REPORTED, flags)


def newest(cells: pd.DataFrame) -> pd.DataFrame:
    """One candidate a cell: of the newest edition, and of several on one day the one declared last.

    A figure that a later edition repeats was public when the first edition with it was.
    """
    several = cells.duplicated(["figure", *KEY], keep=False)
    first = cells[several].groupby(["figure", *KEY, "value"])["published"].transform("min")
    latest = cells.assign(published=first.reindex(cells.index).fillna(cells["published"]))
    return latest.sort_values("edition", kind="stable").drop_duplicates(["figure", *KEY], keep="last")
