"""Tables of one kind, every edition of them, as they were known at a date.

A publication is revised: the same figure stands in several files. Each row keeps where it stands (file and line),
when its figure was first public, and of which edition it is; the newest edition wins where the panel is built.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from deficits.errors import PanelError, closest
from deficits.panel.authorities import Authorities
from deficits.panel.corrections import correct, read_corrections
from deficits.sources import Source, SourceFile, read_sources, read_table

KEY = ["authority", "year"]
UNKNOWN = "9999-12-31"
"""Sorts after every date: what carries no publication date is not known to have been public by any."""


def last_day(published: str | None) -> str:
    """The day by which something was public, for a date known to the day, the month or the year.

    >>> last_day("2025-06"), last_day("2024"), last_day("2024-12-12"), last_day("2024-02")
    ('2025-06-30', '2024-12-31', '2024-12-12', '2024-02-29')
    """
    if not published:
        return UNKNOWN
    if len(published) == 4:
        return f"{published}-12-31"
    if len(published) == 7:
        year, month = map(int, published.split("-"))
        return f"{published}-{monthrange(year, month)[1]}"
    return published


@dataclass(frozen=True)
class Reader:
    """Reads tables as they were known on `as_of` (ISO date; None knows everything), noting what it corrected."""

    authorities: Authorities
    as_of: str | None = None

    def holds(self, publication: str, kind: str) -> bool:
        """Whether any edition of a kind of table is held."""
        return any(file.table == kind for file in read_sources()[publication].file)

    def read(
        self, publication: str, kind: str, numeric: Iterable[str], year: Callable[[pd.DataFrame], pd.Series]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Every edition of a kind of table, corrected, and the cells that were corrected.

        The first frame is indexed by (authority, year) and has the files' columns, those of `numeric` as float
        (missing throughout an edition that has no such column), and source (`publication/file:line`), published
        (ISO day by which the figure was public) and edition (that of the file). `year` gives each row's financial
        year. Rows that were not public on `as_of` are left out.

        Raises SourceError or PanelError when a file, name, year or correction is wrong.
        """
        source = read_sources()[publication]
        files = [file for file in source.file if file.table == kind]
        if not files:
            kinds = {file.table for file in source.file if file.table}
            raise PanelError(f"data/raw/{publication} declares no table '{kind}': {closest(kind, kinds)}")
        numeric = list(numeric)
        whole = pd.concat([self._edition(source, file, numeric, year) for file in files], ignore_index=True)
        lacking = [column for column in numeric if whole[column].isna().all()]
        if lacking:
            raise PanelError(f"no edition of {publication}, {kind} has a figure in column {', '.join(lacking)}")
        wanted = [
            entry for entry in read_corrections(publication) if entry.table == kind and entry.column in numeric
        ]
        corrected, touched = correct(whole, wanted, publication)
        corrected["source"] = publication + "/" + corrected["file"] + ":" + corrected["line"].astype(str)
        flags = touched[touched["action"] == "flag"].groupby("source")["column"].agg(",".join).to_dict()
        corrected["flagged"] = [flags.get(place, "") for place in corrected["source"]]
        if self.as_of is not None:
            corrected = corrected[corrected["published"] <= self.as_of]
        keys = [self._authority(corrected), corrected["ends_in"]]
        return corrected.set_index(pd.MultiIndex.from_arrays(keys, names=KEY)), touched

    def _edition(
        self, source: Source, file: SourceFile, numeric: list[str], year: Callable[[pd.DataFrame], pd.Series]
    ) -> pd.DataFrame:
        there = [column for column in numeric if column in file.columns]
        table = read_table(source.folder, file.name, numeric=there)
        table = table.assign(**{column: float("nan") for column in numeric if column not in there})
        # Line 1 of a file is its header.
        table = table.assign(file=file.name, line=table.index + 2, ends_in=year(table).astype("int64"))
        first = {number: last_day(day) for number, day in file.first_published.items()}
        edition = last_day(file.published)
        published = [first.get(number, edition) for number in table["ends_in"]]
        return table.assign(edition=edition, published=published)

    def _authority(self, table: pd.DataFrame) -> list[str]:
        if "dfe_number" in table:
            return [str(code) for code in table["dfe_number"]]
        pairs = zip(table["la_name"], table["ends_in"], strict=True)
        return [self.authorities.resolve(name, year) for name, year in pairs]
