"""`deficits check`: do sums of councils agree with figures published for England, and is anything newer due?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from deficits.formatting import last_day
from deficits.panel.panel import Panel


@dataclass(frozen=True)
class Comparison:
    """A figure of the panel, the published national measure it should sum to, and by how much it may differ.

    `publication`: whose rows are on the panel's own basis, where a measure has rows on several.
    """

    figure: str
    measure: str
    tolerance: float
    reason: str
    publication: str | None = None


# The written answer is on the DSG block, the article on the same returns; other rows are of wider bases.
_BLOCK, _ARTICLE = "Written answer 149231", "SEND spending needs reform to stop local authorities going bust"
COMPARISONS = (
    Comparison("plans", "ehc_plans_january", 0.0001, "one plan apart in January 2023"),
    Comparison(
        "high_needs_block", "high_needs_allocation", 0.002, "published to the nearest £1m, later updates", _BLOCK
    ),
    Comparison("balance", "gross_deficit", 0.07, "published to the nearest £0.1bn, in 2022-23 prices", _ARTICLE),
    Comparison(
        "balance_mhclg", "gross_deficit", 0.07, "published to the nearest £0.1bn, another return", _ARTICLE
    ),
)

NEARLY_ALL = 0.95
"""Share of councils below which a sum is not compared: it is incomplete, not wrong."""


@dataclass(frozen=True)
class Checked:
    """Result of a check: `sums` as `reconcile` gives them; `editions` one row a publication with a calendar.

    `editions` columns: publication, newest (date published, of what is held), next_expected, overdue (bool).
    """

    sums: pd.DataFrame
    editions: pd.DataFrame

    @property
    def sums_agree(self) -> bool:
        """No sum of councils differs from its published figure by more than its tolerance."""
        return not self.sums["state"].eq("differs").any()

    @property
    def fresh(self) -> bool:
        """Nothing newer was due by the day of the check."""
        return not self.editions["overdue"].any()


def check_panel(panel: Panel, today: date | None = None) -> Checked:
    """Compare the panel with the published national figures, and what is held with the publication calendar.

    `today` is the day of the check, by default this one.
    """
    day = (today or date.today()).isoformat()
    editions = [
        {
            "publication": folder,
            "newest": max((file.published for file in source.file if file.published), default=""),
            "next_expected": source.next_expected,
            "overdue": last_day(source.next_expected) < day,
        }
        for folder, source in panel.raw.sources.items()
        if source.next_expected
    ]
    return Checked(reconcile(panel), pd.DataFrame(editions))


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
        councils = wide.count()
        for year, published in _published(panel.national, comparison).items():
            if not councils.get(year, 0):
                continue
            difference = sums[year] / published - 1
            state = "agrees" if abs(difference) <= comparison.tolerance else "differs"
            complete = councils[year] >= NEARLY_ALL * len(panel.authorities.in_year(year))
            rows.append(
                {
                    "figure": comparison.figure,
                    "year": year,
                    "councils": int(councils[year]),
                    "sum": float(sums[year]),
                    "published": published,
                    "difference": float(difference),
                    "state": state if complete else "incomplete",
                    "reason": comparison.reason,
                }
            )
    return pd.DataFrame(rows)


def _as_published(panel: Panel, figure: str) -> pd.DataFrame:
    """A figure by authority and year, without corrections of a column of that name: England's total has none."""
    touched = panel.corrections[panel.corrections["column"] == figure].set_index("source")["before"]
    before = panel.frame[f"{figure}_source"].map(touched).astype(float)
    return before.fillna(panel.frame[figure]).unstack("year")


def _published(national: pd.DataFrame, comparison: Comparison) -> pd.Series:
    """What is published for England, by year; of a figure that was revised the later one."""
    rows = national[national["measure"].eq(comparison.measure) & national["value"].notna()]
    if comparison.publication:
        rows = rows[rows["publication"] == comparison.publication]
    return rows.drop_duplicates("year", keep="last").set_index("year")["value"]
