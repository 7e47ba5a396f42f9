"""What is in a new table, and what it changed against the edition held before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from deficits.formatting import MINUS, last_day
from deficits.publications import Table
from deficits.raw import RawData, SourceFile

YEARS = ("financial_year", "january", "calendar_year", "academic_year", "mid_year", "year")
"""Columns that hold a row's year, in the parsers' own names."""
SHOWN = 5


@dataclass(frozen=True)
class Held:
    """The edition to compare a new table with: its name, its rows as text, and the years of all editions."""

    name: str
    frame: pd.DataFrame
    years: set[str]


@dataclass(frozen=True)
class Difference:
    """What a new table changed: years that no edition held has, cells of years held that moved; in words too."""

    kind: str
    new_years: tuple[str, ...]
    moved: int
    lines: tuple[str, ...]


def year_column(frame: pd.DataFrame) -> str | None:
    """The column that holds a row's year, if there is one."""
    return next((name for name in YEARS if name in frame), None)


def day_of(file: SourceFile) -> str:
    """The day of an edition; one without a date is taken to be older than any."""
    return last_day(file.published) if file.published else ""


def earlier(table: Table, raw: RawData, publication: str) -> Held | None:
    """The newest edition held that shares years with a new table, else the newest."""
    year = year_column(table.frame)
    files = sorted(raw.files(publication, table.kind), key=day_of)
    frames = {file.name: raw.table(publication, file.name) for file in files}
    years = {name: set(frame[year]) if year in frame else set() for name, frame in frames.items()}
    shared = [name for name in frames if year and years[name] & set(table.frame[year].astype(str))]
    names = shared or list(frames)
    return Held(names[-1], frames[names[-1]], set().union(*years.values())) if names else None


def compare(table: Table, held: Held) -> Difference:
    """A new table against an edition held, whose rows that the key does not tell apart are left out.

    Rows are counted in the years that both have; the cells that moved most are shown in their own unit.
    """
    year = year_column(table.frame)
    new_years: set[str] = set()
    before, after = held.frame, table.frame
    if year is not None and year in before:
        new_years = set(after[year].astype(str)) - held.years
        common = set(after[year].astype(str)) & set(before[year])
        before, after = (frame[frame[year].astype(str).isin(common)] for frame in (before, after))
    old, new = (_by_key(frame, table.key) for frame in (before, after))
    old = old[~old.index.duplicated(keep=False)]
    both = new.index.intersection(old.index)
    columns = new.select_dtypes("number").columns.intersection(old.columns)
    was, now = (
        frame.loc[both, columns].apply(pd.to_numeric, errors="coerce").astype(float) for frame in (old, new)
    )
    # Binary fractions differ in the last digit from one way of adding up to another: that is no revision.
    moved = ~((was - now).abs().le(1e-9 * was.abs()) | (was.isna() & now.isna()))
    count = int(moved.to_numpy().sum())
    largest = (now.fillna(0) - was.fillna(0)).abs().where(moved).stack().nlargest(SHOWN).index
    years = f"new years {', '.join(sorted(new_years))}" if new_years else "no new year"
    republished = ": its publisher has replaced figures" if count and not new_years else ""
    lines = (
        f"{table.kind} against {held.name}: {years}; of the years held "
        f"{len(new.index.difference(old.index)):,} rows added, {len(old.index.difference(new.index)):,} removed, "
        f"{count:,} cells moved{republished}",
        *(
            f"  {row}: {name} {_number(was.at[row, name])} to {_number(now.at[row, name])}"
            for row, name in largest
        ),
    )
    return Difference(table.kind, tuple(sorted(new_years)), count, lines)


def contents(table: Table) -> Iterator[str]:
    """What is in a table, in words: rows, years, councils, gaps and why."""
    frame, year = table.frame, year_column(table.frame)
    years = [] if year is None else sorted(frame[year].astype(str).unique())
    span = f", {years[0]} to {years[-1]}" if years else ""
    newest = frame[frame[year].astype(str) == years[-1]] if years else frame
    councils = f", {newest['dfe_number'].nunique()} councils in the newest year" if "dfe_number" in frame else ""
    yield f"{table.kind}: {len(frame):,} rows{span}{councils}"
    if len(table.missing):
        counts = table.missing["reason"].value_counts()
        yield f"  without a number: {', '.join(f'{why} {count:,}' for why, count in counts.items())}"


def _by_key(frame: pd.DataFrame, key: tuple[str, ...]) -> pd.DataFrame:
    keys = frame.reindex(columns=list(key)).astype(str)
    return frame.set_axis([", ".join(row) for row in keys.itertuples(index=False)])


def _number(value: float) -> str:
    """A figure as it is shown, in the column's own unit."""
    return "missing" if pd.isna(value) else f"{value:,.2f}".rstrip("0").rstrip(".").replace("-", MINUS)
