"""Every edition of a kind of table, as it was known on a day, and the candidates for the panel that come from
them.

A publication is revised: the same figure stands in several files. Each row keeps where it stands (file and line),
when its figure was first public, and of which edition it is; the newest edition wins where the panel is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from deficits.errors import PanelError
from deficits.formatting import UNDATED, last_day, year_of
from deficits.raw import RawData, SourceFile
from deficits.raw.authorities import Authorities
from deficits.raw.corrections import TOUCHED, correct

KEY = ["authority", "year"]
CANDIDATE = ["figure", "authority", "year", "value", "basis", "source", "published", "edition"]
DISPUTED, REPORTED, DERIVED = "disputed", "reported", "derived"
Years = Callable[[pd.DataFrame], pd.Series]


def financial(column: str) -> Years:
    """The financial year that a column names (2024 is 2023-24)."""
    return lambda table: table[column].map(year_of)


def calendar(column: str, later: int = 0) -> Years:
    """The financial year of a January (or, `later` = 1, of the January after a calendar year)."""
    return lambda table: table[column].astype(int) + later


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
        files = self.raw.files(publication, kind)
        known = [file for file in files if self.as_of is None or _earliest(file) <= self.as_of]
        return sorted(known, key=lambda file: file.day)

    def table(self, publication: str, kind: str, numeric: Iterable[str]) -> pd.DataFrame:
        """The newest edition of a table that is no authority's by year; no rows when none is public."""
        held, public = self.raw.files(publication, kind), self.files(publication, kind)
        return self.raw.table(publication, [*held, *public][-1].name, numeric)[: None if public else 0]

    def dated(self, publication: str, kind: str, numeric: Iterable[str] = ()) -> pd.DataFrame:
        """The rows, each with its own date, of every edition of a table that were public on the reader's day.

        `published` is as printed (a day, month or year); a row without one is only known to a reader without a
        day. `source` is `publication/file:line`.
        """
        parts = []
        for file in self.raw.files(publication, kind):
            table = self.raw.table(publication, file.name, numeric)
            # Line 1 of a file is its header.
            parts.append(table.assign(source=[f"{publication}/{file.name}:{row + 2}" for row in table.index]))
        rows = pd.concat(parts)
        days = rows["published"].map(last_day)
        return rows[days <= self.last].reset_index(drop=True)

    def read(self, publication: str, kind: str, numeric: Iterable[str], year: Years) -> pd.DataFrame:
        """Every edition of a kind of table, corrected, as far as it was public; no rows where none is held.

        Indexed by (authority, year), with the files' columns, those of `numeric` as float (missing throughout an
        edition that has no such column), and source (`publication/file:line`), published (ISO day by which the
        figure was public), edition (day of the file) and flagged (columns that a correction disputes). `year`
        gives each row's financial year. SourceError or PanelError when a file, name, year or correction is wrong.
        """
        columns, raw = list(numeric), self.raw.where(publication)
        key = (publication, kind, *columns)
        if key not in raw.corrected:
            raw.corrected[key] = self._every(raw, publication, kind, columns, year)
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

    def _every(
        self, raw: RawData, publication: str, kind: str, numeric: list[str], year: Years
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """What `read` gives, whatever the day, and a row for each cell that a correction touched."""
        files, corrections = raw.files(publication, kind), raw.corrections(publication)
        if not files:
            columns = dict.fromkeys(numeric, float) | dict.fromkeys(("source", *CANDIDATE[-2:], "flagged"), "str")
            empty = pd.DataFrame(columns=[*KEY, *columns]).astype({"authority": "str", "year": "int64"} | columns)
            return empty.set_index(KEY), pd.DataFrame(columns=TOUCHED)
        wanted = [each for each in corrections.correction if each.table == kind and each.column in numeric]
        parts = []
        for file in files:
            about = [each for each in wanted if each.file in (None, file.name)]
            parts.append(correct(_edition(raw, publication, file, numeric, year), corrections, about, publication))
        frames, touched, found = zip(*parts, strict=True)
        lost = [each.name for each in wanted if each.expect and each.name not in set().union(*found)]
        if lost:
            raise PanelError(
                f"data/raw/{publication}/corrections.toml: no row of {kind} matches '{', '.join(lost)}'; remove "
                "the correction or mend its match"
            )
        rows = pd.concat(frames, ignore_index=True)
        rows["source"] = f"{publication}/" + rows["file"] + ":" + rows["line"].astype(str)
        if "dfe_number" not in rows:
            rows["dfe_number"] = list(map(self._authority, rows["la_name"], rows["ends_in"], rows["source"]))
        index = pd.MultiIndex.from_frame(rows[["dfe_number", "ends_in"]], names=KEY)
        return rows.set_index(index), pd.concat(touched)

    def _authority(self, name: str, year: int, source: str) -> str:
        try:
            return self.authorities.resolve(name, year)
        except PanelError as error:
            raise PanelError(f"data/raw/{source}: {error}") from None


def _edition(raw: RawData, publication: str, file: SourceFile, numeric: list[str], year: Years) -> pd.DataFrame:
    """One edition with what is known of each row: file, line, the year that it ends in, edition and published."""
    there = [column for column in numeric if column in file.columns]
    table = raw.table(publication, file.name, there)
    lacking = {column: float("nan") for column in numeric if column not in there}
    # Line 1 of a file is its header.
    table = table.assign(**lacking, file=file.name, line=table.index + 2, ends_in=year(table).astype("int64"))
    edition = last_day(file.published)
    first = {number: last_day(day) for number, day in file.first_published.items()}
    published = [first.get(number, edition) for number in table["ends_in"]]
    return table.assign(edition=edition, published=published)


def _earliest(file: SourceFile) -> str:
    """The day by which the first of a file's figures was public."""
    return min([last_day(file.published), *map(last_day, file.first_published.values())])


def candidates(
    rows: pd.DataFrame, values: Mapping[str, pd.Series], basis: str, flags: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Candidates for several figures of the panel from the same rows; cells without a value are left out.

    `rows` is a reader's frame. A figure counts as disputed in a row that is flagged on its column in `flags`.
    """
    amounts = np.array([value.to_numpy(dtype=float) for value in values.values()])
    flagged = "," + rows["flagged"]
    columns = [(flags or {}).get(figure) for figure in values]
    disputed = np.array([flagged.str.contains(f",{column},", regex=False) for column in columns])
    found = np.nonzero(~np.isnan(amounts))
    return (
        rows[["source", "published", "edition"]]
        .iloc[found[1]]
        .reset_index()
        .assign(
            figure=np.array([*values])[found[0]],
            value=amounts[found],
            basis=np.where(disputed[found], DISPUTED, basis),
        )[CANDIDATE]
    )


def reported(rows: pd.DataFrame, figures: Mapping[str, str]) -> pd.DataFrame:
    """Candidates that are columns (the keys) of a reader's frame, as they were reported."""
    flags = {figure: column for column, figure in figures.items()}
    return candidates(rows, {figure: rows[column] for figure, column in flags.items()}, REPORTED, flags)


def direct(
    publication: str, kind: str, year: Years, figures: Mapping[str, str]
) -> Callable[[Reader], Iterator[pd.DataFrame]]:
    """What gives the panel columns of a table (the keys) as its figures, as they were reported."""

    def load(reader: Reader) -> Iterator[pd.DataFrame]:
        yield reported(reader.read(publication, kind, figures, year), figures)

    return load


def newest(cells: pd.DataFrame) -> pd.DataFrame:
    """One candidate a cell: of the newest edition, and of several on one day the one declared last.

    A figure that a later edition repeats was public when the first edition with it was.
    """
    several = cells.duplicated(["figure", *KEY], keep=False)
    first = cells[several].groupby(["figure", *KEY, "value"])["published"].transform("min")
    latest = cells.assign(published=first.reindex(cells.index).fillna(cells["published"]))
    return latest.sort_values("edition", kind="stable").drop_duplicates(["figure", *KEY], keep="last")
