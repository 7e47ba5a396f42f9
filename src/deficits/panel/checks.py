"""`deficits check`: do sums of councils agree with figures published for England, and is anything newer due?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from deficits.formatting import last_day
from deficits.panel.panel import Panel
from deficits.panel.schema import COMPARISONS, Comparison

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
            "newest": source.newest,
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
    return pd.concat([_compared(panel, each) for each in COMPARISONS], ignore_index=True)


def _compared(panel: Panel, comparison: Comparison) -> pd.DataFrame:
    figure, rows = comparison.figure, panel.national
    rows = rows[rows["measure"].eq(comparison.measure) & rows["value"].notna()]
    if comparison.publication:
        rows = rows[rows["publication"] == comparison.publication]
    # Without corrections of a column of that name: England's total has none.
    touched = panel.corrections[panel.corrections["column"] == figure].set_index("source")["before"]
    uncorrected = panel.frame[f"{figure}_source"].map(touched).astype(float)
    wide = uncorrected.fillna(panel.frame[figure]).unstack("year")
    wide = (-wide).clip(lower=0) if comparison.measure == "gross_deficit" else wide
    # Of a figure that was revised the later one.
    published = rows.drop_duplicates("year", keep="last").set_index("year")["value"]
    both = pd.DataFrame({"councils": wide.count(), "sum": wide.sum()}).join(
        published.rename("published"), how="right"
    )
    both = both[both["councils"] > 0].rename_axis("year").reset_index()
    both.insert(0, "figure", figure)
    both["difference"] = both["sum"] / both["published"] - 1
    agrees = both["difference"].abs() <= comparison.tolerance
    complete = both["councils"] >= NEARLY_ALL * both["year"].map(lambda year: len(panel.authorities.in_year(year)))
    both["state"] = agrees.map({True: "agrees", False: "differs"}).where(complete, "incomplete")
    return both.assign(reason=comparison.reason).astype({"councils": int, "year": int})
