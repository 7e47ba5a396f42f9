"""The report on a write-off: who is paid what, what stays, how soon it is back."""

from __future__ import annotations

import pandas as pd

from deficits.reporting.stories.common import OVERRIDE_ENDS, Points, money_range, pounds
from deficits.wording import percent, year_end
from deficits.writeoff import WriteOff


def writeoff_points(result: WriteOff) -> Points:
    """Main points and headline figures of the report on one scheme."""
    scheme, summary = result.scheme, result.summary()
    base, last = scheme.base_year, min(OVERRIDE_ENDS, result.outlook.years[-1])
    councils = summary.loc["councils_paid"]
    points = [
        f"{scheme.title} would pay {money_range(summary.loc['grant'])} to "
        f"{councils['p10']:.0f} to {councils['p90']:.0f} of {len(result.outlook.fit.councils)} councils: "
        f"{scheme.terms()}.",
        f"{money_range(summary.loc[f'left_of_{base}'])} of the {year_end(base)} deficit would stay with councils.",
        _back(summary, base),
        f"At {year_end(last)} the deficit would be {money_range(summary.loc[f'deficit_with_{last}'])} with the "
        f"grant, and {money_range(summary.loc[f'deficit_without_{last}'])} without it.",
        "These are estimates on the outlook's simulated futures, the same ones with and without the grant.",
    ]
    headline: dict[str, float | int | str] = {"scheme": scheme.title, "terms": scheme.terms()}
    for measure in ("grant", f"left_of_{base}", f"deficit_with_{last}"):
        headline |= {f"{measure}_{name}": pounds(summary.at[measure, name]) for name in ("p10", "p50", "p90")}
    return points, headline


def _back(summary: pd.DataFrame, base: int) -> str:
    years, never = summary.loc["years_bought"], float(summary.at["not_back", "p50"])
    if years["p50"] == 0:
        return "It buys no time: nothing is paid."
    if years["p50"] == float("inf"):
        return f"In {percent(never)} of simulated futures the deficit is not back at its {year_end(base)} level."
    slow = "not within the period" if years["p90"] == float("inf") else f"{years['p90']:.1f} years"
    return (
        f"The deficit would be back at its {year_end(base)} level after about {years['p50']:.1f} years "
        f"({years['p10']:.1f} years in the fast tenth of futures, {slow} in the slow tenth)."
    )


def grants(result: WriteOff) -> pd.DataFrame:
    """Each council's grant and what it is left with, largest grant first, in readable columns (£)."""
    base = result.scheme.base_year
    frame = result.by_authority().sort_values("grant_p50", ascending=False)
    return pd.DataFrame(
        {
            "Council": frame["name"],
            "Region": frame["region"],
            "Grant, low (£)": frame["grant_p10"],
            "Grant, middle (£)": frame["grant_p50"],
            "Grant, high (£)": frame["grant_p90"],
            f"Left of {year_end(base)}, middle (£)": frame[f"left_of_{base}_p50"],
            "Chance of a grant (0 to 1)": frame["paid"],
        }
    )


GRANT_FORMATS = {
    "Grant, low (£)": "gbp_m",
    "Grant, middle (£)": "gbp_m",
    "Grant, high (£)": "gbp_m",
    "Chance of a grant (0 to 1)": "percent",
}
"""How the money and chances of `grants` are shown; what is left goes by its size."""


def changes(**parameters: float | None) -> dict[str, float]:
    """The parameters of a scheme that a report was asked to change: those that are set."""
    return {name: value for name, value in parameters.items() if value is not None}


def grants_by_region(result: WriteOff) -> pd.DataFrame:
    """Each region's grant and what is left there, England last (£). Means add up; ranges do not."""
    frame = result.by_region().reset_index()
    return pd.DataFrame(
        {
            "Region": frame["region"],
            "Grant, low (£)": frame["grant_p10"],
            "Grant, middle (£)": frame["grant_p50"],
            "Grant, high (£)": frame["grant_p90"],
            "Grant, mean (£)": frame["grant_mean"],
            "Left, mean (£)": frame["left_mean"],
        }
    )
