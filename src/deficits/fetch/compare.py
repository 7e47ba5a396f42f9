"""What is in a new table, and what it changed against the edition held before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from deficits.formatting import MINUS
from deficits.publications import Table
from deficits.raw import RawData

YEARS = ("financial_year", "january", "calendar_year", "academic_year", "mid_year", "year")
"""Columns that hold a row's year, in the parsers' own names."""
SHOWN = 5


@dataclass(frozen=True)
class Held:
    """The edition to compare a new table with: its name, its rows as text, and the years of all editions."""

    name: str
    frame: pd.DataFrame
    years: set[str]


def years_of(frame: pd.DataFrame) -> pd.Series:
    """The year of each row, as text; blank where a table has none."""
    column = next((name for name in YEARS if name in frame), None)
    return pd.Series("", frame.index) if column is None else frame[column].astype(str)


def earlier(table: Table, raw: RawData, publication: str) -> Held | None:
    """The newest edition held that shares years with a new table, else the newest."""
    files = sorted(raw.files(publication, table.kind), key=lambda file: file.day)
    frames = {file.name: raw.table(publication, file.name) for file in files}
    years = {name: set(years_of(frame)) for name, frame in frames.items()}
    shared = [name for name in frames if years[name] & set(years_of(table.frame))]
    names = shared or list(frames)
    return Held(names[-1], frames[names[-1]], set().union(*years.values())) if names else None


def compare(table: Table, held: Held) -> Iterator[str]:
    """What a new table changed against an edition held, in words: years that no edition has, cells that moved.

    Rows are counted in the years that both have, without those that the key does not tell apart.
    """
    here, there = years_of(table.frame), years_of(held.frame)
    new_years = sorted(set(here) - held.years)
    old = _by_key(held.frame[there.isin(here)], table.key)
    new = _by_key(table.frame[here.isin(there)], table.key)
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
    years = f"new years {', '.join(new_years)}" if new_years else "no new year"
    replaced = ": its publisher has replaced figures" if count and not new_years else ""
    yield (
        f"{table.kind} against {held.name}: {years}; of the years held "
        f"{len(new.index.difference(old.index)):,} rows added, {len(old.index.difference(new.index)):,} removed, "
        f"{count:,} cells moved{replaced}"
    )
    for row, name in largest:
        yield f"  {row}: {name} {_number(was.at[row, name])} to {_number(now.at[row, name])}"


def contents(table: Table) -> Iterator[str]:
    """What is in a table, in words: rows, years, councils, gaps and why."""
    years = years_of(table.frame)
    first, last = years.min(), years.max()
    span = f", {first} to {last}" if last else ""
    councils = table.frame[years == last].get("dfe_number", pd.Series(dtype=str)).nunique()
    counted = f", {councils} councils in the newest year" if councils else ""
    yield f"{table.kind}: {len(table.frame):,} rows{span}{counted}"
    if len(table.missing):
        counts = table.missing["reason"].value_counts()
        yield f"  without a number: {', '.join(f'{why} {count:,}' for why, count in counts.items())}"


def _by_key(frame: pd.DataFrame, key: tuple[str, ...]) -> pd.DataFrame:
    keys = frame.reindex(columns=list(key)).astype(str)
    return frame.set_axis([", ".join(row) for row in keys.itertuples(index=False)])


def _number(value: float) -> str:
    """A figure as it is shown, in the column's own unit."""
    return "missing" if pd.isna(value) else f"{value:,.2f}".rstrip("0").rstrip(".").replace("-", MINUS)
