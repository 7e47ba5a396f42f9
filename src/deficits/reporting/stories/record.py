"""How good the outlook would have been, and what councils have said since."""

from __future__ import annotations

import pandas as pd

from deficits.formatting import gbp, percent, year_end
from deficits.outlook import Outlook
from deficits.outlook.backtest import ORIGIN, TARGET, Backtest, backtest
from deficits.panel import Panel, load_panel, year_of
from deficits.raw import read_table
from deficits.reporting.stories.common import Points, day_in_words, money_range, pounds


def past_record(panel: Panel, draws: int = 4000) -> Backtest:
    """How good the outlook would have been: made on the day of the one backtest that the figures allow."""
    return backtest(panel, load_panel(ORIGIN), TARGET, draws=draws)


def record_point(record: Backtest) -> str:
    """The outlook's record in two sentences."""
    england, scores = record.england, record.scores.loc["This outlook"]
    inside = "inside" if england["p10"] <= england["actual"] <= england["p90"] else "outside"
    return (
        f"Made with what was public on {day_in_words(record.as_of)}, the usual outlook would have put the deficit "
        f"at {year_end(record.target)} at {money_range(england)}; it was {gbp(england['actual'])}, {inside} that "
        "range. "
        f"{percent(scores['within_80'])} of councils were inside theirs (80% should be)."
    )


RECORD_FORMATS = {
    "Mean error (£)": "gbp_m",
    "CRPS (£)": "gbp_m",
    "Inside the 50% range (0 to 1)": "percent",
    "Inside the 80% range (0 to 1)": "percent",
}


def record_table(record: Backtest) -> pd.DataFrame:
    """The outlook's record beside rules that need no model, by council; less error and less CRPS is better."""
    scores = record.scores.reset_index()
    return pd.DataFrame(
        {
            "Method": scores["method"],
            "Mean error (£)": scores["error"],
            "CRPS (£)": scores["crps"],
            "Inside the 50% range (0 to 1)": scores["within_50"],
            "Inside the 80% range (0 to 1)": scores["within_80"],
        }
    )


def statement_table(outlook: Outlook) -> pd.DataFrame:
    """What councils say of their own balances after the last published ones, beside the outlook (£)."""
    rows = []
    stated = read_table("council-statements", "statements.csv", numeric=["value_gbp", "rounding_gbp"])
    for row in stated[stated["measure"] == "dsg_balance"].itertuples():
        year = year_of(row.financial_year)
        if year <= outlook.years[0] or year > outlook.years[-1]:
            continue
        path = outlook.authority(row.dfe_number).loc[year]
        half = row.rounding_gbp / 2
        inside = path["p10"] - half <= row.value_gbp <= path["p90"] + half
        rows.append(
            {
                "Council": row.la_name,
                "Year": year,
                "Stated (£)": row.value_gbp,
                "What it is": row.status,
                "Outlook, low (£)": path["p10"],
                "Outlook, high (£)": path["p90"],
                "Inside the 80% range": "yes" if inside else "no",
            }
        )
    return pd.DataFrame(rows)


STATEMENT_FORMATS = {
    "Year": "year",
    "Stated (£)": "gbp_m",
    "Outlook, low (£)": "gbp_m",
    "Outlook, high (£)": "gbp_m",
}


def backtest_points(record: Backtest, past: pd.DataFrame) -> Points:
    """Main points and headline figures of the report on the record."""
    scores = record.scores
    ours, rules = scores.loc["This outlook"], scores.drop("This outlook")
    best = rules["error"].idxmin()
    inside = past["actual"].between(past["p10"], past["p90"])
    points = [
        record_point(record),
        f"By council it would have erred by {gbp(ours['error'])} on average; the best rule that needs no model "
        f"({best.lower()}) by {gbp(rules.at[best, 'error'])}.",
        f"Its ranges as a whole were {percent(1 - ours['crps'] / scores.at['Own drift, Gaussian range', 'crps'])} "
        "sharper than those of a council's own drift (CRPS).",
        f"For England, {inside.sum()} of {len(past)} forecasts from {past['as_of'].nunique()} past days held what "
        "happened in their 80% range.",
        "One past date by council is a small record, and the model's assumptions were chosen by people who know "
        "what happened after.",
    ]
    headline: dict[str, float | int | str] = {
        "error": pounds(ours["error"]),
        "crps": pounds(ours["crps"]),
        "within_50": round(float(ours["within_50"]), 4),
        "within_80": round(float(ours["within_80"]), 4),
    }
    return points, headline


def vintage_table(past: pd.DataFrame) -> pd.DataFrame:
    """England's deficit as past outlooks would have had it, beside what happened and what others forecast (£)."""
    return pd.DataFrame(
        {
            "Made on": [day_in_words(day) for day in past["as_of"]],
            "For March": past["year"].astype(str),
            "Low (£)": past["p10"],
            "Middle (£)": past["p50"],
            "High (£)": past["p90"],
            "What happened (£)": past["actual"],
            "Published by others till then": past["forecasts"],
        }
    )


VINTAGE_FORMATS = dict.fromkeys(["Low (£)", "Middle (£)", "High (£)", "What happened (£)"], "gbp_bn")


def missed_table(record: Backtest, agreements: pd.DataFrame, most: int = 15) -> pd.DataFrame:
    """The councils whose balance lay furthest outside its range, in 80% half ranges, and bail-outs in between (£).

    Bail-outs are those of agreements made after the outlook was, by the year end that is scored.
    """
    councils = record.councils
    half = (councils["p90"] - councils["p10"]) / 2
    away = (councils["actual"] - councils["p50"]) / half
    listed = councils.loc[away.abs().sort_values(ascending=False).index[:most]]
    paid = agreements[agreements["year"] <= record.target].groupby("authority")["value"].sum()
    return pd.DataFrame(
        {
            "Council": listed["name"],
            "March 2022 (£)": listed["start"],
            "Outlook, low (£)": listed["p10"],
            "High (£)": listed["p90"],
            "What happened (£)": listed["actual"],
            "Half ranges away": away[listed.index].round(1),
            "Grant by then (£)": paid.reindex(listed.index),
        }
    ).reset_index(drop=True)


MISSED_FORMATS = dict.fromkeys(
    [
        "March 2022 (£)",
        "Outlook, low (£)",
        "High (£)",
        "What happened (£)",
        "Grant by then (£)",
    ],
    "gbp_m",
)
