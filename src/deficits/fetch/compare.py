"""What is in a new table, and what it changed against the edition held before."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from deficits.formatting import MINUS
from deficits.publications import Table

YEARS = ("financial_year", "january", "calendar_year", "academic_year", "mid_year", "year")
"""Columns that hold a row's year, in the parsers' own names."""
SHOWN = 5


@dataclass(frozen=True)
class Difference:
    """What an edition changed against the one `before`: rows of the years in both, cells of the rows in both.

    `new_years` are years that no edition held has; `largest` says which cells moved most, in their own unit.
    """

    kind: str
    before: str
    new_years: tuple[str, ...]
    added: int
    removed: int
    moved: int
    largest: tuple[str, ...]

    def lines(self) -> list[str]:
        """The same in words; a file that moves figures and adds no year is named as what it is."""
        years = f"new years {', '.join(self.new_years)}" if self.new_years else "no new year"
        republished = ": its publisher has replaced figures" if self.moved and not self.new_years else ""
        return [
            f"{self.kind} against {self.before}: {years}; of the years held {self.added:,} rows added, "
            f"{self.removed:,} removed, {self.moved:,} cells moved{republished}",
            *(f"  {each}" for each in self.largest),
        ]


def compare(table: Table, name: str, before: pd.DataFrame, years_held: set[str]) -> Difference:
    """A new table against the edition `name` held `before` (read as text); `years_held` are those of all editions.

    Rows that the key does not tell apart in the earlier edition are left out.
    """
    key, after, year = [*table.key], table.frame, year_column(table.frame)
    new_years: set[str] = set()
    if year is not None and year in before:
        new_years = set(after[year].astype(str)) - years_held
        common = set(after[year].astype(str)) & set(before[year])
        before, after = (frame[frame[year].astype(str).isin(common)] for frame in (before, after))
    if not set(key) <= set(before):
        before = before.iloc[:0].reindex(columns=[*before.columns, *key])
    old, new = (frame.astype(dict.fromkeys(key, str)).set_index(key) for frame in (before, after))
    old = old[~old.index.duplicated(keep=False)]
    both = new.index.intersection(old.index)
    columns = new.select_dtypes("number").columns.intersection(old.columns)
    was, now = (
        frame.loc[both, columns].apply(pd.to_numeric, errors="coerce").astype(float) for frame in (old, new)
    )
    # Binary fractions differ in the last digit from one way of adding up to another: that is no revision.
    moved = ~((was - now).abs().le(1e-9 * was.abs()) | (was.isna() & now.isna()))
    sizes = (now.fillna(0) - was.fillna(0)).abs().where(moved).stack().nlargest(SHOWN)
    largest = [
        f"{', '.join(row) if isinstance(row, tuple) else row}: {column} {number(was.at[row, column])} to "
        f"{number(now.at[row, column])}"
        for row, column in ((place[:-1] if len(key) > 1 else place[0], place[-1]) for place in sizes.index)
    ]
    added, removed = (len(one.index.difference(other.index)) for one, other in ((new, old), (old, new)))
    return Difference(
        table.kind, name, tuple(sorted(new_years)), added, removed, int(moved.to_numpy().sum()), tuple(largest)
    )


def year_column(frame: pd.DataFrame) -> str | None:
    """The column that holds a row's year, if there is one."""
    return next((name for name in YEARS if name in frame), None)


def contents(table: Table) -> list[str]:
    """What is in a table, in words: rows, years, councils and sums of the newest year, gaps, rows left out."""
    frame, year = table.frame, year_column(table.frame)
    newest = frame if year is None else frame[frame[year] == frame[year].max()]
    span = "" if year is None else f", {' to '.join(sorted({str(frame[year].min()), str(frame[year].max())}))}"
    councils = f", {newest['dfe_number'].nunique()} councils in the newest year" if "dfe_number" in frame else ""
    lines = [f"{table.kind}: {len(frame):,} rows{span}{councils}"]
    for column in newest.select_dtypes("number").columns.difference([*table.key, year], sort=False):
        if not re.search(r"pct|percent|rate|index", str(column)):  # no sum says anything of these
            lines.append(f"  {column:40} sum of the newest year {number(newest[column].sum())}")
    if len(table.missing):
        counts = table.missing["reason"].value_counts()
        lines.append(f"  without a number: {', '.join(f'{why} {count:,}' for why, count in counts.items())}")
    if table.dropped:
        more = f" and {len(table.dropped) - SHOWN} more" if len(table.dropped) > SHOWN else ""
        lines.append(f"  rows left out: {', '.join(table.dropped[:SHOWN])}{more}")
    return lines


def number(value: float) -> str:
    """A figure as it is shown, in the column's own unit."""
    return "missing" if pd.isna(value) else f"{value:,.2f}".rstrip("0").rstrip(".").replace("-", MINUS)
