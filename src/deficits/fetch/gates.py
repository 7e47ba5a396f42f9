"""A new edition against what is held: what is in it and what it changed, and what a wrong file cannot pass.

A fault of the whole file (most signs wrong, all a thousand times as large, all zero, cut short) is refused. What
the publisher or one council may explain is asked about: a person looks, and says so with a reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from deficits.formatting import MINUS, financial_year, gbp, listed
from deficits.panel import FIGURES, Panel, reconcile
from deficits.publications import Table
from deficits.publications.editions import YEARS
from deficits.raw import RawData
from deficits.raw.authorities import Authorities

SHOWN = 5
CUT_SHORT = 0.1
"""Share of councils that are gone above which a file counts as cut short."""
ENOUGH = 20
"""Councils that two years share, below which their moves say nothing about the file."""
MATERIAL = 0.01
"""Share of a council's DSG below which the sign or size of a balance says nothing."""
LARGE = 0.03
"""Share of a council's DSG above which a balance that turns its sign, or is zero, is asked about."""
RARE, BEYOND = 0.99, 3.0
"""A move is asked about when it is `BEYOND` times one as large as only 1 - `RARE` of the moves held."""
OTHER_UNIT = 30.0
"""No figure of most councils grows or shrinks so many times in a year: it is in another unit."""
FAULTS = (
    "(zero: not returned, or in another column?)",
    "(is the sign reversed?)",
    "(is it in another unit, £ for £ thousand?)",
)


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
    largest = (now.fillna(0) - was.fillna(0)).abs().where(moved).stack().dropna().nlargest(SHOWN).index
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
    # The project's own table of agreements names councils and has no number.
    keys = frame.reindex(columns=list(key)).astype(str).fillna("")
    return frame.set_axis([", ".join(row) for row in keys.itertuples(index=False)])


def _number(value: float) -> str:
    return "missing" if pd.isna(value) else f"{value:,.2f}".rstrip("0").rstrip(".").replace("-", MINUS)


@dataclass
class Findings:
    """What is wrong with the whole file, and what a person must look at."""

    refused: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


def coverage(table: Table, held: Held, authorities: Authorities, found: Findings) -> None:
    """Councils that an edition held has and a new table has not, in each year of both and in the newest of each.

    Councils that have ended are not missed. A few that an older year has lost lose no figure: those held stand.
    """
    if not {"dfe_number"} <= set(table.frame) & set(held.frame):
        return
    here, there = (
        {label: set(rows["dfe_number"]) for label, rows in frame.groupby(years_of(frame)) if label}
        for frame in (table.frame, held.frame)
    )
    newest = max(here, default=None)
    pairs = {(label, label) for label in here if label in there}
    pairs |= {(newest, max(there))} if newest and there else set()
    for label, other in sorted(pairs):
        # A label begins with the year before the one that a financial year is named by.
        ended = int(label[:4]) + 1
        lasting = {code for code in there[other] if authorities.knows(code) and authorities.existed(code, ended)}
        lost = sorted(lasting - here[label])
        names = listed([*(authorities.name(code) for code in lost[:6]), *(["others"] if len(lost) > 6 else [])])
        line = (
            f"{table.kind} {label}: {len(lost)} of {len(lasting)} councils in {held.name} are not here ({names})"
        )
        if len(lost) > CUT_SHORT * len(lasting):
            found.refused.append(f"{line}. Was the file cut short? Download it again")
        elif lost and label == newest:
            found.asked.append(line)


def figures(before: Panel, after: Panel, names: Sequence[str], found: Findings) -> None:
    """Moves of councils' figures that come from the new files `names` (as `publication/file`), compared with how
    they usually move."""
    dsg = after.figure("dsg_total").ffill(axis=1).bfill(axis=1).iloc[:, -1]
    for figure in (name for name, declared in FIGURES.items() if declared.watched):
        source = after.frame[f"{figure}_source"].str.rsplit(":", n=1).str[0]
        new = after.figure(figure).where(source.isin(names).unstack("year"))
        size = dsg if figure.startswith("balance") else None
        show = gbp if FIGURES[figure].unit == "£" else "{:,.0f}".format
        usual, rare = _usual(before.figure(figure), size)
        for year in new.columns[new.notna().any()]:
            # Compared with what is held for the same year, else with the newest of an earlier year.
            held = after.figure(figure).loc[:, :year].copy()
            held[year] = before.figure(figure).get(year, np.nan)
            gap = year - held.notna().mul(held.columns).max(axis=1)
            pairs = pd.DataFrame({"before": held.ffill(axis=1)[year], "after": new[year], "gap": gap}).dropna()
            when = f"{figure} {financial_year(year)}"
            whole = pairs["before"] if size is None else size.reindex(pairs.index)
            share = (pairs["before"] / whole).abs()
            ratio = (pairs["after"] / pairs["before"]).where(pairs["before"] != 0)
            other_unit = ratio.notna() & ~ratio.abs().between(1 / OTHER_UNIT, OTHER_UNIT)
            cause = pd.Series(
                np.select([ratio.eq(0), ratio.between(-4, -0.25), other_unit], FAULTS, ""), ratio.index
            )
            material = ratio.where(share > MATERIAL).dropna()
            if len(material) < ENOUGH:
                continue
            common = cause[material.index].mode()[0]
            if common and cause[material.index].eq(common).mean() > 0.5:
                times = f"{material.median():,.3g} times those held, of {len(material)} councils"
                found.refused.append(f"{when}: most councils' figures are {times} {common}")
                continue
            moves = _moves(pairs["before"], pairs["after"], size)
            limit = BEYOND * rare * usual * pairs["gap"].clip(lower=1)
            if size is not None:
                # Deficits that grow spread councils out: then that year's own spread is the measure.
                limit = limit.clip(lower=BEYOND * rare * _spread(moves))
            elif abs(moves.median()) > limit.median():
                moved = f"{np.expm1(moves.median()):+.0%}"
                found.asked.append(f"{when}: half of the councils moved by {moved} or beyond")
                continue
            odd = (moves - moves.median()).abs() > limit
            odd |= (share > LARGE) & cause.isin(FAULTS[:2])
            for code, row in pairs[odd].iterrows():
                council = f"{after.authorities.name(str(code))} {show(row['before'])} to {show(row['after'])}"
                found.asked.append(f"{when}: {council} {cause[code]}".rstrip())


def national(before: Panel | None, after: Panel, found: Findings) -> None:
    """Sums of councils that differ from the figure published for England, and did not before."""
    known = _differing(before) if before else {}
    found.asked.extend(words for place, words in _differing(after).items() if place not in known)


def _differing(panel: Panel) -> dict[tuple[str, int], str]:
    sums = reconcile(panel)
    return {
        (row["figure"], row["year"]): (
            f"{row['figure']} {financial_year(row['year'])}: councils sum to {row['sum']:,.0f}, published for "
            f"England is {row['published']:,.0f} ({100 * row['difference']:+.1f}%)"
        )
        for row in sums[sums["state"] == "differs"].to_dict("records")
    }


def _usual(held: pd.DataFrame, size: pd.Series | None) -> tuple[float, float]:
    """How a figure moves from year to year: councils' spread, and a rare move in spreads; NaN if nothing says."""
    full = held.loc[:, held.notna().sum() > ENOUGH]
    moves = _moves(full.shift(axis=1), full, size)
    moves = moves.loc[:, moves.notna().sum() > ENOUGH]
    spread = _spread(moves).where(lambda each: each > 0)
    distances = (moves - moves.median()).abs() / spread
    return float(spread.median()), float(distances.stack().quantile(RARE))


def _moves(before: pd.Series, after: pd.Series, size: pd.Series | None) -> pd.Series:
    """Moves as a share of a council's size, or as logarithms of growth where a figure is never below zero."""
    if size is not None:
        return (after - before).div(size.reindex(before.index), axis=0)
    return np.log(after.where(after > 0) / before.where(before > 0))


def _spread(moves: pd.Series) -> pd.Series:
    """Standard deviation by the median absolute deviation, which a few odd councils do not move."""
    return 1.4826 * (moves - moves.median()).abs().median()
