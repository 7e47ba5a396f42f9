"""What a wrong file cannot pass: councils that are gone, and figures that moved as councils' figures do not.

A fault of the whole file (most signs turned, all a thousand times as large, all zero, cut short) is refused. What
the publisher or one council may explain is asked about: a person looks, and says so with a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd

from deficits.authorities import Authorities
from deficits.fetch.compare import year_column
from deficits.formatting import financial_year, gbp, listed
from deficits.panel import FIGURES, Panel, reconcile
from deficits.publications import Table

WATCHED = (
    "balance_section251",
    "balance_mhclg",
    "dsg_total",
    "high_needs_block",
    "high_needs_net_spend",
    "plans",
    "population_2_18",
    "pupils",
)
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


@dataclass
class Findings:
    """What is wrong with the whole file, and what a person must look at."""

    refused: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Usual:
    """How one figure moves from year to year: the spread of councils' moves, and a rare move in spreads."""

    spread: float
    rare: float


def coverage(table: Table, name: str, before: pd.DataFrame, authorities: Authorities, found: Findings) -> None:
    """Councils that the edition `name`, `before`, has and a new table has not.

    Compared in each year that both have, and between the newest years of both; councils that have ended are not
    missed. A few that an older year has lost lose no figure: those held stand.
    """
    year = year_column(table.frame)
    if year not in before or "dfe_number" not in table.frame or "dfe_number" not in before:
        return
    here, there = (
        {str(label): set(rows) for label, rows in frame.groupby(year)["dfe_number"]}
        for frame in (table.frame, before)
    )
    pairs = {(label, label) for label in here if label in there} | {(max(here), max(there))}
    for label, other in sorted(pairs):
        # A label begins with the year before the one that a financial year is named by.
        ended = int(label[:4]) + 1
        lasting = {code for code in there[other] if authorities.knows(code) and authorities.existed(code, ended)}
        lost = sorted(lasting - here[label])
        names = listed([*(authorities.name(code) for code in lost[:6]), *(["others"] if len(lost) > 6 else [])])
        line = f"{table.kind} {label}: {len(lost)} of {len(lasting)} councils in {name} are not here ({names})"
        if len(lost) > CUT_SHORT * len(lasting):
            found.refused.append(f"{line}. Was the file cut short? Download it again")
        elif lost and label == max(here):
            found.asked.append(line)


def figures(before: Panel | None, after: Panel, names: Sequence[str], found: Findings) -> None:
    """Moves of councils' figures that come from the new files `names` (as `publication/file`)."""
    if before is None:
        return
    dsg = after.figure("dsg_total").ffill(axis=1).bfill(axis=1).iloc[:, -1]
    for figure in WATCHED:
        source = after.frame[f"{figure}_source"].str.rsplit(":", n=1).str[0]
        new = after.figure(figure).where(source.isin(names).unstack("year"))
        size = dsg if figure.startswith("balance") else None
        usual = _usual(before.figure(figure), size)
        for year in new.columns[new.notna().any()]:
            pairs = _reference(before, after, figure, year).assign(after=new[year]).dropna()
            _year(f"{figure} {financial_year(year)}", figure, pairs, size, usual, after.authorities, found)


def national(before: Panel | None, after: Panel, found: Findings) -> None:
    """Sums of councils that differ from the figure published for England, and did not before."""
    differed = [_differing(panel) for panel in (before, after) if panel is not None]
    for place, words in differed[-1].items():
        if len(differed) == 1 or place not in differed[0]:
            found.asked.append(words)


def _differing(panel: Panel) -> dict[tuple[str, int], str]:
    sums = reconcile(panel)
    return {
        (row["figure"], row["year"]): f"{row['figure']} {financial_year(row['year'])}: councils sum to "
        f"{row['sum']:,.0f}, published for England is {row['published']:,.0f} ({100 * row['difference']:+.1f}%)"
        for row in sums[sums["state"] == "differs"].to_dict("records")
    }


def _year(
    when: str,
    figure: str,
    pairs: pd.DataFrame,
    size: pd.Series | None,
    usual: Usual | None,
    authorities: Authorities,
    found: Findings,
) -> None:
    """The moves of one figure to one year, held against how councils' figures usually move."""
    share = pd.Series(1.0, pairs.index) if size is None else (pairs["before"] / size.reindex(pairs.index)).abs()
    material = pairs[(share > MATERIAL) & pairs["before"].ne(0)]
    if len(material) < ENOUGH:
        return
    ratio = material["after"] / material["before"]
    if fault := _whole_file(ratio):
        found.refused.append(f"{when}: {fault} (of {len(material)} councils, against the figures held)")
        return
    odd = (
        (share > LARGE)
        & (pairs["after"].eq(0) | _turned(pairs["after"] / pairs["before"]))
        & pairs["before"].ne(0)
    )
    if usual is not None:
        moves = _moves(pairs["before"], pairs["after"], size)
        limit = BEYOND * usual.rare * usual.spread * pairs["gap"].reindex(moves.index).clip(lower=1)
        if size is not None:
            # Deficits that grow spread councils out: then that year's own spread is the measure.
            limit = limit.clip(lower=BEYOND * usual.rare * _spread(moves))
        elif abs(moves.median()) > limit.median():
            found.asked.append(f"{when}: half of the councils moved by {np.expm1(moves.median()):+.0%} or beyond")
            return
        odd |= (moves - moves.median()).abs().gt(limit).reindex(pairs.index, fill_value=False)
    show = gbp if FIGURES[figure].unit == "£" else "{:,.0f}".format
    for code, row in pairs[odd].iterrows():
        cause = _cause(row["after"] / row["before"]) if row["before"] else ""
        found.asked.append(
            f"{when}: {authorities.name(str(code))} {show(row['before'])} to {show(row['after'])}{cause}"
        )


def _whole_file(ratio: pd.Series) -> str | None:
    """What is wrong when the figures of most councils have moved in one way that no council's do."""
    middle = float(ratio.abs().median())
    if ratio.eq(0).mean() > 0.5:
        return "most councils' figures are zero: does the figure stand in another column now?"
    if _turned(ratio).mean() > 0.5:
        return "most councils' figures have turned their sign: is a deficit printed the other way now?"
    if not 1 / OTHER_UNIT < middle < OTHER_UNIT:
        return f"most councils' figures are {middle:,.3g} times what they were: £ and £ thousand mixed up?"
    return None


def _turned(ratio: pd.Series) -> pd.Series:
    return ratio.between(-4, -0.25)


def _cause(ratio: float) -> str:
    if ratio == 0:
        return " (zero: not returned?)"
    if -4 <= ratio <= -0.25:
        return " (is its sign turned?)"
    return " (is it in another unit?)" if not 1 / OTHER_UNIT < abs(ratio) < OTHER_UNIT else ""


def _reference(before: Panel, after: Panel, figure: str, year: int) -> pd.DataFrame:
    """What a year's figures are compared with, and how many years earlier that is.

    Those held for the same year, else the newest of an earlier year.
    """
    wide = after.figure(figure)
    reference = pd.DataFrame({"before": np.nan, "gap": 0}, index=wide.index)
    held = before.figure(figure)
    if year in held:
        reference["before"] = held[year].reindex(wide.index)
    for earlier in sorted((each for each in wide if each < year), reverse=True):
        empty = reference["before"].isna()
        reference.loc[empty, "before"] = wide.loc[empty, earlier]
        reference.loc[empty, "gap"] = year - earlier
    return reference


def _usual(held: pd.DataFrame, size: pd.Series | None) -> Usual | None:
    """How a figure has moved in the years held; None where no two of them say so."""
    full = [year for year in held if held[year].notna().sum() > ENOUGH]
    spreads, distances = [], []
    for first, second in pairwise(full):
        moves = _moves(held[first], held[second], size)
        if len(moves) > ENOUGH and (spread := _spread(moves)):
            spreads.append(spread)
            distances.extend((moves - moves.median()).abs() / spread)
    return Usual(float(np.median(spreads)), float(np.quantile(distances, RARE))) if spreads else None


def _moves(before: pd.Series, after: pd.Series, size: pd.Series | None) -> pd.Series:
    """Moves as a share of a council's size, or as logarithms of growth where a figure is never below zero."""
    if size is not None:
        return ((after - before) / size.reindex(before.index)).dropna()
    return np.log(after.where(after > 0) / before.where(before > 0)).dropna()


def _spread(moves: pd.Series) -> float:
    """Standard deviation by the median absolute deviation, which a few odd councils do not move."""
    return float(1.4826 * (moves - moves.median()).abs().median())
