"""`deficits check`: do sums of councils agree with figures published for England, and is anything newer due?"""

from __future__ import annotations

from datetime import date

import pandas as pd

from deficits.formatting import last_day
from deficits.panel.panel import Panel
from deficits.panel.schema import COMPARISONS, FIGURES
from deficits.simulated import in_units

NEARLY_ALL = 0.95
"""Share of councils below which a sum is not compared: it is incomplete, not wrong."""


def calendar(panel: Panel, today: date | None = None) -> pd.DataFrame:
    """Editions held, and when a newer one is due: a row a publication that has said so.

    Columns: publication, newest (date published, of what is held), next_expected, overdue (on a day, by default
    this one).
    """
    dated = {name: each for name, each in panel.raw.sources.items() if each.next_expected}
    editions = pd.DataFrame(
        [(name, each.newest, each.next_expected) for name, each in dated.items()],
        columns=["publication", "newest", "next_expected"],
    )
    overdue = editions["next_expected"].map(last_day) < (today or date.today()).isoformat()
    return editions.assign(overdue=overdue)


def reconcile(panel: Panel) -> pd.DataFrame:
    """Each comparison and year that both sides have.

    Columns: figure, year, councils (with a value), sum (of councils, as published where a correction changed one;
    of deficits for the balance), published, difference (sum over published, less 1), state (agrees, differs, or
    incomplete where too few councils have a value), reason. £ or plans.
    """
    found = pd.concat([_compared(panel, **each) for each in COMPARISONS], ignore_index=True)
    return in_units(found, {each["figure"]: FIGURES[each["figure"]].unit for each in COMPARISONS})


def _compared(
    panel: Panel, figure: str, measure: str, tolerance: float, reason: str, publication: str | None = None
) -> pd.DataFrame:
    rows = panel.national
    rows = rows[rows["measure"].eq(measure) & rows["value"].notna()]
    if publication:
        rows = rows[rows["publication"] == publication]
    # Without corrections of a column of that name: England's total has none.
    touched = panel.corrections[panel.corrections["column"] == figure].set_index("source")["before"]
    uncorrected = panel.frame[f"{figure}_source"].map(touched).astype(float)
    wide = uncorrected.fillna(panel.frame[figure]).unstack("year")
    wide = (-wide).clip(lower=0) if measure == "gross_deficit" else wide
    # Of a figure that was revised the later one.
    published = rows.drop_duplicates("year", keep="last").set_index("year")["value"]
    both = pd.DataFrame({"councils": wide.count(), "sum": wide.sum()}).join(
        published.rename("published"), how="right"
    )
    both = both[both["councils"] > 0].rename_axis("year").reset_index()
    both.insert(0, "figure", figure)
    both["difference"] = both["sum"] / both["published"] - 1
    complete = both["councils"] >= NEARLY_ALL * both["year"].map(lambda year: len(panel.authorities.in_year(year)))
    agrees = both["difference"].abs() <= tolerance
    both["state"] = agrees.map({True: "agrees", False: "differs"}).where(complete, "incomplete")
    return both.assign(reason=reason).astype({"councils": int, "year": int})
