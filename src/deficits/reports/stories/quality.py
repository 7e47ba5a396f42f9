"""The report on data quality."""

from __future__ import annotations

import pandas as pd

from deficits.formatting import gbp, year_end
from deficits.panel import FIGURES, Checked, Panel, disagreements
from deficits.panel.choice import TOLERANCE
from deficits.projection.backtest import returned_gross
from deficits.publications.council_statements import STATED
from deficits.raw import raw_data
from deficits.reports.stories.common import Points, sentence

DIFFER = f"differ by more than {gbp(TOLERANCE, 0)}"
"""When two publications count as saying different things."""

MOST = 0.5
"""Share of councils that must have a figure for it to be missing for the others."""

STATE_OF_BASIS = {
    "reported": "reported",
    "derived_from_percentage": "derived",
    "derived": "derived",
    "disputed": "disputed",
    "not_reported": "not reported",
    STATED: "stated",
    "own_outturn": "reported",
    "own_forecast": "derived",
}


def coverage(panel: Panel, figure: str = "balance") -> pd.DataFrame:
    """How each council's figure is known by year: columns name, region, year, state (as the chart wants them).

    From the first year in which any council's is known to the last.
    """
    rows = panel.frame[["name", "region", f"{figure}_basis"]].reset_index("year")
    known = rows.loc[rows[f"{figure}_basis"].notna(), "year"]
    rows = rows[rows["year"].between(known.min(), known.max())]
    return pd.DataFrame(
        {
            # Two councils have been called Dorset, one after the other.
            "name": rows["name"].to_numpy() + " " + rows.index.to_numpy(),
            "region": rows["region"].to_numpy(),
            "year": rows["year"].to_numpy(),
            "state": rows[f"{figure}_basis"].map(STATE_OF_BASIS).fillna("not collected").to_numpy(),
        }
    )


def quality_points(panel: Panel, checked: Checked) -> Points:
    """Main points and headline figures of the report on data quality."""
    differ = disagreements(panel.frame)
    held = panel.frame["balance"].dropna().index
    year = int(max(returned_gross(panel).index, default=held.get_level_values("year").max()))
    balances = panel.frame["balance"].xs(year, level="year")
    later = held[held.get_level_values("year") > year].get_level_values("authority").nunique()
    sums = checked.sums
    agree = int(sums["state"].eq("agrees").sum())
    compared = int(sums["state"].ne("incomplete").sum())
    cells = int(panel.frame[list(FIGURES)].notna().sum().sum())
    points = [
        f"The panel holds {cells:,} published figures, each with its source, line and date.",
        f"The newest balances held for nearly all councils are those of {year_end(year)}: "
        f"{balances.notna().sum()} of {len(balances)} have one{f'; {later} have a later one' if later else ''}.",
        _differences(differ),
        f"{agree} of {compared} sums of councils agree with the figure published for England, within the "
        "tolerance that suits how it was published.",
        f"{len(panel.corrections)} cells carry a declared correction, each with its reason.",
    ]
    headline: dict[str, float | int | str] = {
        "figures": cells,
        "newest_balances": year,
        "councils_with_balance": int(balances.notna().sum()),
        "disagreements": len(differ),
        "sums_that_agree": agree,
        "corrected_cells": len(panel.corrections),
    }
    return points, headline


def _differences(differ: pd.DataFrame) -> str:
    if differ.empty:
        return f"On no balance do two publications {DIFFER}."
    largest = differ.iloc[0]
    return (
        f"On {len(differ)} balances two publications {DIFFER}; the largest difference is "
        f"{gbp(abs(largest['difference']))}, for {largest['name']}."
    )


DISAGREEMENT_FORMATS = {
    "Year": "year",
    "Section 251 (£)": "gbp_m",
    "MHCLG (£)": "gbp_m",
    "Difference (£)": "gbp_m",
    "Used (£)": "gbp_m",
}

RECONCILIATION_FORMATS = {
    "Year": "year",
    "Councils": "count",
    "Sum of councils (£ or plans)": "count",
    "Published (£ or plans)": "count",
}


def disagreement_table(panel: Panel) -> pd.DataFrame:
    """Balances on which two publications differ, largest difference first (£, negative = deficit)."""
    listed = disagreements(panel.frame).reset_index()
    return pd.DataFrame(
        {
            "Council": listed["name"],
            "Year": listed["year"],
            "Section 251 (£)": listed["balance_section251"],
            "MHCLG (£)": listed["balance_mhclg"],
            "Difference (£)": listed["difference"],
            "Used (£)": listed["balance"],
        }
    )


def reconciliation_table(checked: Checked) -> pd.DataFrame:
    """Sums of councils beside the published figure for England, newest first within each figure."""
    sums = checked.sums.sort_values(["figure", "year"], ascending=[True, False])
    return pd.DataFrame(
        {
            "Figure": sums["figure"].str.replace("_", " "),
            "Year": sums["year"],
            "Councils": sums["councils"],
            "Sum of councils (£ or plans)": sums["sum"],
            "Published (£ or plans)": sums["published"],
            "State": sums["state"],
            "Why a difference is expected": sums["reason"],
        }
    )


def correction_table(panel: Panel) -> pd.DataFrame:
    """Corrections in force: one row a correction, with how many cells it touches."""
    counted = (
        panel.corrections.groupby(["reason", "column", "action"], sort=False).size().reset_index(name="cells")
    )
    return pd.DataFrame(
        {
            "Column": counted["column"],
            "Action": counted["action"],
            "Cells": counted["cells"],
            "Reason": counted["reason"],
        }
    )


def missing_table(panel: Panel) -> pd.DataFrame:
    """Figures that some councils lack in the newest year that most have one of, and which councils."""
    rows = []
    for figure in FIGURES.values():
        values = panel.frame[figure.name]
        share = values.notna().groupby(level="year").mean()
        # A rival of the balance is not missing for the others; nor is what most councils never have.
        if not (share > MOST).any() or figure.name.startswith("balance_"):
            continue
        year = int(share.index[share > MOST].max())
        newest = values.xs(year, level="year")
        lacking = [panel.authorities.name(code) for code in newest.index[newest.isna()]]
        if lacking:
            rows.append(
                {
                    "Figure": sentence(figure.meaning),
                    "Newest year": year,
                    "Councils without": len(lacking),
                    "Which": ", ".join(lacking),
                }
            )
    return pd.DataFrame(rows)


def edition_table(checked: Checked) -> pd.DataFrame:
    """Editions held and when a newer one is due."""
    titles = {folder: source.title for folder, source in raw_data().sources.items()}
    editions = checked.editions
    return pd.DataFrame(
        {
            "Publication": editions["publication"].map(titles),
            "Newest held": editions["newest"],
            "Next expected": editions["next_expected"],
        }
    )
