"""How good the projection would have been, and what councils have said since."""

from __future__ import annotations

import pandas as pd

from deficits.assumptions import assumed
from deficits.formatting import day_in_words, financial_year, gbp, listed, percent, year_end
from deficits.panel import Panel
from deficits.projection import Projection
from deficits.projection.backtest import Backtest, as_known, backtest, scored_record
from deficits.reports.stories.common import Points, money_range, pounds


def past_record(panel: Panel, draws: int = 4000) -> Backtest:
    """How good the projection would have been: made on the newest day from which councils can be scored."""
    day, target = scored_record(panel)
    return backtest(panel, as_known(panel, day), target, draws=draws)


def record_caption(record: Backtest) -> str:
    """What the table of scores is of: the year end, and the day."""
    return (
        f"How good the projection would have been at March {record.target}, by council, made with what was "
        f"public on {day_in_words(record.as_of)}"
    )


def known_then(record: Backtest, panel: Panel) -> str:
    """What was public on the day of the record and what was not, in words."""
    then = as_known(panel, record.as_of)
    newest = {
        name: int(then.figure(name).dropna(axis=1, how="all").columns[-1])
        for name in ("high_needs_net_spend", "high_needs_block")
    }
    announced = assumed("safety_valve", "agreements_announced").values
    after = [
        day_in_words(each.value)  # type: ignore[arg-type]
        for year, each in sorted(announced.items())
        if str(each.value) > record.as_of and year <= record.target
    ]
    said = (
        f"Made on {day_in_words(record.as_of)} for {year_end(record.target)}. Balances to March {record.origin} "
        f"were public then, spend to {financial_year(newest['high_needs_net_spend'])}, and the block to "
        f"{financial_year(newest['high_needs_block'])}."
    )
    if not after:
        return said
    said += f" The safety valve agreements of {listed(after)} were not"
    expected = then.agreements.loc[then.agreements["basis"] == "expected", "authority"].nunique()
    return (
        f"{said}, but a minister had said that {expected} councils were negotiating some."
        if expected
        else f"{said}."
    )


def record_point(record: Backtest) -> str:
    """The projection's record in two sentences."""
    england, scores = record.england, record.scores.loc["This projection"]
    inside = "inside" if england["p10"] <= england["actual"] <= england["p90"] else "outside"
    return (
        f"Made with what was public on {day_in_words(record.as_of)}, the usual projection would have put the "
        f"deficit at {year_end(record.target)} at {money_range(england)}; it was {gbp(england['actual'])}, "
        f"{inside} that range. "
        f"{percent(scores['within_80'])} of councils were inside theirs (80% should be)."
    )


RECORD_FORMATS = {
    "Mean error (£)": "gbp_m",
    "CRPS (£)": "gbp_m",
    "Inside the 50% range (0 to 1)": "percent",
    "Inside the 80% range (0 to 1)": "percent",
}


def record_table(record: Backtest) -> pd.DataFrame:
    """The projection's record beside rules that need no model, by council; less error and less CRPS is better."""
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


def statement_table(projection: Projection) -> pd.DataFrame:
    """What councils forecast of their own balances at projected year ends, with the projection (£).

    What they state as an outturn is not in it: it counts as known. Nor is what is of doubtful origin.
    """
    rows = []
    stated = projection.panel.statements
    known = projection.panel.frame["balance"].dropna().index
    forecasts = stated[stated["measure"].eq("dsg_balance") & stated["kind"].eq("forecast") & stated["use"]]
    forecasts = forecasts[~pd.MultiIndex.from_frame(forecasts[["authority", "year"]]).isin(known)]
    for row in forecasts[forecasts["year"].isin(projection.projected_years)].itertuples():
        path = projection.authority(row.authority).loc[row.year]
        half = row.rounding / 2
        inside = path["p10"] - half <= row.value <= path["p90"] + half
        rows.append(
            {
                "Council": row.name,
                "Year": row.year,
                "Stated (£)": row.value,
                "What it is": row.detail,
                "Projection, low (£)": path["p10"],
                "Projection, high (£)": path["p90"],
                "Inside the 80% range": "yes" if inside else "no",
            }
        )
    columns = ["Council", "Year", "What it is", *STATEMENT_FORMATS, "Inside the 80% range"]
    return pd.DataFrame(rows, columns=list(dict.fromkeys(columns)))


STATEMENT_FORMATS = {
    "Year": "year",
    "Stated (£)": "gbp_m",
    "Projection, low (£)": "gbp_m",
    "Projection, high (£)": "gbp_m",
}


def backtest_points(record: Backtest, past: pd.DataFrame) -> Points:
    """Main points and headline figures of the report on the record."""
    scores = record.scores
    ours, rules = scores.loc["This projection"], scores.drop("This projection")
    best = rules["error"].idxmin()
    inside = past["actual"].between(past["p10"], past["p90"])
    sharper = 1 - ours["crps"] / scores.at["Own drift", "crps"]
    points = [
        record_point(record),
        f"By council it would have erred by {gbp(ours['error'])} on average; the best rule that needs no model "
        f"({best.lower()}) by {gbp(rules.at[best, 'error'])}.",
        f"Its ranges as a whole were {percent(abs(sharper))} {'sharper' if sharper >= 0 else 'less sharp'} than "
        "those of a council's own drift (CRPS).",
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
    """England's deficit as past projections had it, with what happened and what others forecast (£)."""
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

    Bail-outs are those of agreements made after the projection was, by the year end that is scored.
    """
    councils = record.councils
    half = (councils["p90"] - councils["p10"]) / 2
    away = (councils["actual"] - councils["p50"]) / half
    furthest = councils.loc[away.abs().sort_values(ascending=False).index[:most]]
    paid = agreements[agreements["year"] <= record.target].groupby("authority")["value"].sum()
    return pd.DataFrame(
        {
            "Council": furthest["name"],
            f"March {record.origin} (£)": furthest["start"],
            "Projection, low (£)": furthest["p10"],
            "High (£)": furthest["p90"],
            "What happened (£)": furthest["actual"],
            "Grant by then (£)": paid.reindex(furthest.index),
            "Half ranges away": away[furthest.index].round(1),
        }
    ).reset_index(drop=True)
