"""The report on data quality."""

from __future__ import annotations

import pandas as pd

from deficits.formatting import gbp, year_end
from deficits.panel import FIGURES, Checked, Panel, disagreements
from deficits.raw import raw_data
from deficits.reporting.stories.common import Points, sentence

STATE_OF_BASIS = {
    "reported": "reported",
    "derived_from_percentage": "derived",
    "derived": "derived",
    "disputed": "disputed",
    "not_reported": "not reported",
    "own_outturn": "reported",
    "own_forecast": "derived",
}


def coverage(panel: Panel, figure: str = "balance", since: int = 2019) -> pd.DataFrame:
    """How each council's figure is known by year: columns name, region, year, state (as the chart wants them)."""
    rows = panel.frame.loc[
        panel.frame.index.get_level_values("year") > since, ["name", "region", f"{figure}_basis"]
    ]
    rows = rows.reset_index("year")
    last = rows.loc[rows[f"{figure}_basis"].notna(), "year"].max()
    rows = rows[rows["year"] <= last]
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
    year = int(panel.frame["balance"].dropna().index.get_level_values("year").max())
    balances = panel.frame["balance"].xs(year, level="year")
    sums = checked.sums
    agree = int(sums["state"].eq("agrees").sum())
    compared = int(sums["state"].ne("incomplete").sum())
    cells = int(panel.frame[list(FIGURES)].notna().sum().sum())
    points = [
        f"The panel holds {cells:,} published figures, each with its source, line and date.",
        f"The newest balances held by council are of {year_end(year)}: {balances.notna().sum()} of "
        f"{len(balances)} councils have one.",
        f"For {len(differ)} of them two publications differ by more than £150,000; the largest difference is "
        f"{gbp(differ['difference'].abs().max())}, for {differ['name'].iloc[0]}.",
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
    """Figures by year that some councils lack in the newest year they are collected, and which councils."""
    rows = []
    for figure in FIGURES.values():
        values = panel.frame[figure.name]
        # A rival of the balance, or what only some councils ever have, is not missing for the others.
        if not values.notna().any() or figure.name.startswith(("balance_", "bail_out")):
            continue
        year = int(values.dropna().index.get_level_values("year").max())
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
