"""Sums of councils beside the figures published for England."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from deficits.panel.panel import Panel


@dataclass(frozen=True)
class Comparison:
    """A figure of the panel, the published national measure it should sum to, and by how much it may differ."""

    figure: str
    measure: str
    tolerance: float
    reason: str


COMPARISONS = (
    Comparison("plans", "ehc_plans_january", 0.0001, "one plan apart in January 2023"),
    Comparison("high_needs_block", "high_needs_allocation", 0.002, "published to the nearest £1m, later updates"),
    Comparison("balance", "gross_deficit", 0.07, "published to the nearest £0.1bn, in 2022-23 prices"),
    Comparison("balance_mhclg", "gross_deficit", 0.07, "published to the nearest £0.1bn, another return"),
)

NEARLY_ALL = 0.95
"""Share of councils below which a sum is not compared: it is incomplete, not wrong."""

PUBLICATIONS = {
    "high_needs_allocation": "Written answer 149231",  # the DSG block; other rows are of wider bases
    "gross_deficit": "SEND spending needs reform to stop local authorities going bust",  # from the same returns
}
"""Publication whose rows are on the panel's own basis, where a measure has rows on several."""


def reconcile(panel: Panel) -> pd.DataFrame:
    """Each comparison and year that both sides have.

    Columns: figure, year, councils (with a value), sum (of councils, as published where a correction changed one;
    of deficits for the balance), published, difference (sum over published, less 1), state (agrees, differs, or
    incomplete where too few councils have a value), reason. £ or plans.
    """
    rows = []
    for comparison in COMPARISONS:
        wide = _as_published(panel, comparison.figure)
        sums = (-wide).clip(lower=0).sum() if comparison.measure == "gross_deficit" else wide.sum()
        for _, row in _published(panel.national, comparison).iterrows():
            councils = int(wide[row["year"]].notna().sum()) if row["year"] in wide else 0
            if not councils:
                continue
            complete = councils >= NEARLY_ALL * len(panel.authorities.in_year(row["year"]))
            total = float(sums[row["year"]])
            difference = total / row["value"] - 1
            rows.append(
                {
                    "figure": comparison.figure,
                    "year": row["year"],
                    "councils": councils,
                    "sum": total,
                    "published": row["value"],
                    "difference": difference,
                    "state": _state(difference, comparison.tolerance, complete),
                    "reason": comparison.reason,
                }
            )
    return pd.DataFrame(rows)


def _as_published(panel: Panel, figure: str) -> pd.DataFrame:
    """A figure by authority and year, without corrections of a column of that name: England's total has none."""
    touched = panel.corrections[panel.corrections["column"] == figure].set_index("source")["before"]
    before = panel.frame[f"{figure}_source"].map(touched).astype(float)
    return before.fillna(panel.frame[figure]).unstack("year")


def _corrected(panel: Panel, figure: str) -> pd.Series:
    """By how much corrections move the sum of a figure, by year: the publisher's total is of what it published."""
    done = panel.corrections.query("action != 'flag' and column == @figure").set_index("source")
    moved = done["after"].astype(float) - done["before"].astype(float)
    cells = panel.frame[f"{figure}_source"].map(moved).astype(float)
    return cells.groupby(level="year").sum()


def _state(difference: float, tolerance: float, complete: bool) -> str:
    if not complete:
        return "incomplete"
    return "agrees" if abs(difference) <= tolerance else "differs"


def _published(national: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    rows = national[national["measure"].eq(comparison.measure) & national["value"].notna()]
    publication = PUBLICATIONS.get(comparison.measure)
    if publication:
        rows = rows[rows["publication"] == publication]
    # A figure revised later is the one to compare with.
    return rows.drop_duplicates("year", keep="last")
