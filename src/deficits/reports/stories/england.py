"""The report on England: how big, where next, when past £5bn, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from deficits.assumptions import assumed
from deficits.formatting import (
    day_in_words,
    financial_year,
    gbp,
    gbp_range,
    last_day,
    percent,
    year_end,
)
from deficits.panel import Panel
from deficits.projection import (
    CAUSES,
    Assumptions,
    CalibrationTarget,
    Lever,
    Projection,
    Reach,
    lever_names,
    national,
)
from deficits.projection.backtest import Backtest, outturns, returned_gross
from deficits.projection.condition import Calibration, returned
from deficits.publications.council_statements import STATED
from deficits.reports.stories.common import (
    OVERRIDE_ENDS,
    Points,
    has_passed,
    money_range,
    named_sources,
    pounds,
    sentence,
)
from deficits.reports.stories.record import record_point

THRESHOLD = 5e9
"""£: the figure that the deficit was heading for when MPs reported."""


def observed_gross(panel: Panel) -> pd.DataFrame:
    """England's gross deficit as published: columns year, value (£), label.

    Sums of councils' returns where nearly all have one, then the national figure that is newer.
    """
    known = outturns(panel)
    returned = set(returned_gross(panel).index)
    labels = ["Councils' returns" if year in returned else "National figure" for year in known]
    return pd.DataFrame({"year": list(known), "value": list(known.values()), "label": labels})


def deficit_forecasts(panel: Panel, after: int = 0) -> pd.DataFrame:
    """Published forecasts of England's cumulative deficit for year ends after `after`, £.

    Columns publisher, year, low, central, high, published. A publication that only repeats another's figure is
    left out.
    """
    rows = panel.forecasts.query("measure == 'cumulative_deficit' and unit == 'gbp' and year > @after")
    columns = ["publisher", "year", "low", "central", "high", "published"]
    return rows.loc[rows["repeats"].isna(), columns].reset_index(drop=True)


def england_points(projection: Projection, record: Backtest) -> Points:
    """Main points and headline figures of the report on England."""
    gross = projection.england().loc["gross"]
    reach = projection.reaches(THRESHOLD)
    near, base = projection.headline_year, projection.base_year
    returned = returned_gross(projection.panel)
    points = [headline_sentence(projection), _when(projection, reach)]
    if OVERRIDE_ENDS in projection.projected_years and near != OVERRIDE_ENDS:
        points.append(
            f"Without a write-off, {money_range(gross.loc[OVERRIDE_ENDS])} would stand at "
            f"{year_end(OVERRIDE_ENDS)}, when the statutory override ends."
        )
    estimates = (
        f"What is said of later than {year_end(base)} is estimated" if near in returned else "These are estimates"
    )
    points += [
        record_point(record),
        f"{estimates}. The range shows what this model does not know; it leaves out changes of policy.",
    ]
    headline: dict[str, float | int | str] = {
        f"gross_deficit_{year}_{name}": pounds(gross.at[year, name])
        for year in sorted({near, *projection.projected_years} - set(returned.index))
        for name in ("p10", "p50", "p90")
    }
    if near in returned:
        headline[f"gross_deficit_{near}"] = pounds(returned[near])
    else:
        headline[f"chance_of_5bn_{near}"] = round(float(reach.probability[near]), 4)
    headline["backtest_within_80"] = round(float(record.scores.at["This projection", "within_80"]), 4)
    return points, headline


def headline_sentence(projection: Projection) -> str:
    """England's gross deficit at the year end to report first: as councils returned it, or as it is projected."""
    year, deficits = projection.headline_year, "Councils' deficits for special educational needs"
    gross = projection.england().loc[("gross", year)]
    if year > projection.base_year:
        stand = "have stood" if has_passed(projection.panel, year) else "stand"
        return (
            f"{deficits} are likely to {stand} at {money_range(gross)} at {year_end(year)} (8 in 10 simulated "
            f"futures), with {gbp(gross['p50'])} in the middle."
        )
    balances = projection.panel.frame["balance"].xs(year, level="year")
    known, amount = balances.notna(), gbp((-balances).clip(lower=0).sum())
    councils = f"all {len(known)}" if known.all() else f"{known.sum()} of {len(known)}"
    sources = named_sources(projection.panel, "balance", year)
    if year not in returned_gross(projection.panel):
        return (
            f"{deficits} are put at {money_range(gross)} at {year_end(year)} (8 in 10 simulated futures): "
            f"{councils} councils returned theirs, {amount} together ({sources}), and the others are estimated."
        )
    said = (
        f"{deficits} stood at {amount} at {year_end(year)}: the sum of what {councils} councils returned "
        f"({sources})."
    )
    missing = len(known) - known.sum()
    if not missing:
        return said
    return (
        f"{said} {missing} {'has' if missing == 1 else 'have'} not returned theirs; with estimates in their "
        f"place it comes to {gbp_range(gross['p10'], gross['p90'])}."
    )


def _when(projection: Projection, reach: Reach) -> str:
    """When the deficit passed an amount, where that is published; else when it is likely to."""
    amount, known = gbp(reach.amount, 0), outturns(projection.panel)
    above = [year for year, value in known.items() if value >= reach.amount]
    if above:
        before = max((year for year in known if year < above[0]), default=None)
        stood = f"{year_end(above[0])} ({gbp(known[above[0]])})"
        if before is None:
            return f"They had passed {amount} by {stood}."
        return (
            f"They passed {amount} between {year_end(before)} ({gbp(known[before])}) and {stood}; balances are "
            "only measured on 31 March."
        )
    ahead = [projection.base_year, *projection.projected_years]
    first = next((year for year in ahead if reach.probability[year] >= 0.5), None)
    if first is None:
        return f"The deficit is more likely than not to stay below {amount} for the whole period."
    dates = [f"{day:%B %Y}" for day in (reach.date["p10"], reach.date["p90"]) if not pd.isna(day)]
    between = f"between {dates[0]} and {dates[-1]}" if dates[0] != dates[-1] else f"in {dates[0]}"
    passed = "have passed" if has_passed(projection.panel, first) else "pass"
    return (
        f"It is {percent(reach.probability[first])} likely to {passed} {amount} by {year_end(first)}, the first "
        "year end at which that is more likely than not. A straight line between year ends puts the day "
        f"{between}; balances are only measured on 31 March."
    )


def what_is_published(projection: Projection) -> str:
    """To when councils' balances are published, and what newer figure the projection uses, in words."""
    panel, base = projection.panel, projection.base_year
    rows = panel.frame.xs(base, level="year")
    said = [
        f"The newest balances held for most councils are those of {year_end(base)}: "
        f"{rows['balance'].count()} of {len(rows)} have one ({named_sources(panel, 'balance', base)})."
    ]
    later = panel.frame.loc[panel.frame.index.get_level_values("year") > base].dropna(subset=["balance"])
    if len(later):
        councils = later.index.get_level_values("authority").nunique()
        papers = "stated" if later["balance_basis"].eq(STATED).all() else "published"
        said.append(f"{councils} councils have {papers} later ones, which count as known.")
    calibrated = projection.calibrated
    if calibrated is not None:
        figure = calibrated.calibration
        said.append(
            f"For {year_end(figure.year)} a national figure is held, {gbp(figure.gross)}: "
            f"{_who_said(panel, figure)}. Every simulated future is held to it, within "
            f"{gbp(figure.half_width, 0)}."
        )
    return " ".join(said)


def _who_said(panel: Panel, figure: Calibration) -> str:
    """Who published a national figure first, when, and what they did not say of it."""
    rows = returned(panel.national).query("year == @figure.year and value == @figure.gross")
    first = rows.sort_values("published").iloc[0]
    unsaid = "" if first["basis"] == "gross" else ", who did not say whether it is gross or net"
    return f"{first['publisher']}, {day_in_words(first['published'])}{unsaid}"


def others_for(projection: Projection) -> str:
    """Whether the forecasts of others for the year end to report first can be checked yet, in words."""
    year, known = projection.headline_year, outturns(projection.panel)
    if year in known:
        return f"What they said of {year_end(year)} stands beside what was published since, {gbp(known[year])}."
    return f"Those for {year_end(year)} cannot be checked yet: no outturn for that date is among the figures held."


def national_arithmetic(projection: Projection) -> pd.DataFrame:
    """Spend, block and in-year position of England by year: what is published and what the projection assumes.

    Columns Year, EHC plans, High needs spend (£, with place funding), High needs block (£), the growth of each
    (0 to 1), safety valve grant as the projection counts it (£; a memo, it counts in no growth), and which of them
    are not published but at the middle of their paths.
    """
    history, paths, assumptions = projection.fit.history, projection.paths, projection.assumptions
    published_block = projection.fit.block
    first = max(int(history.spend.index[0]), int(published_block.index[0]))
    published = pd.DataFrame({"plans": history.plans, "spend": history.spend, "block": published_block})
    middle = pd.DataFrame(
        {name: np.median(getattr(paths, name), axis=1) for name in ("plans", "spend", "block")}, index=paths.years
    )
    amounts = published.combine_first(middle).loc[first : paths.years[-1]]
    growth = amounts.pct_change()
    grant = (
        projection.dataset["bail_out"]
        .sum("authority")
        .to_series()
        .combine_first(projection.fit.safety_valve_payments.sum())
    )
    return pd.DataFrame(
        {
            "Year": amounts.index,
            "EHC plans": amounts["plans"].round(),
            "Growth of plans (0 to 1)": growth["plans"],
            "High needs spend (£)": amounts["spend"],
            "Growth of spend (0 to 1)": growth["spend"],
            "High needs block (£)": amounts["block"],
            "Growth of block (0 to 1)": growth["block"],
            "Safety valve grant (£)": grant.reindex(amounts.index).fillna(0.0),
            "Not published": [_assumed(year, published, assumptions) for year in amounts.index],
        }
    )


def _assumed(year: int, published: pd.DataFrame, assumptions: Assumptions) -> str:
    """What of a year's row is not published, in words."""
    known = published.reindex([year]).iloc[0].notna()
    words = {"plans": "plans", "spend": "spend", "block": "block"}
    if (year, assumptions.block_growth.get(year)) in Assumptions().block_growth.items():
        words["block"] = "block (growth announced)"
    return ", ".join(word for name, word in words.items() if not known[name]) or "–"


LEVERS_UNTIL = OVERRIDE_ENDS + 3
"""Levers are compared at 31 March of this year at the earliest: some take years to work."""


def sensitivities(projection: Projection) -> pd.DataFrame:
    """England's gross deficit under other assumptions, on the same random numbers.

    Columns Assumption, then for one or two year ends the middle of the range (£).
    """
    assumptions = projection.assumptions
    plans, block = percent(assumptions.long_run_rate_growth), percent(assumptions.later_block_growth)
    alternatives: dict[str, dict[str, Any]] = {
        "As in this report": {},
        "Growth fades faster (0.7 of it left a year later)": {"growth_persistence": 0.7},
        "Growth stays longer (0.98 of it left a year later)": {"growth_persistence": 0.98},
        f"Plans per person stop growing in the long run, instead of {plans} a year": {"long_run_rate_growth": 0.0},
        **_dfe_plans(projection),
        "Spend a plan grows 2% a year": {"unit_cost_growth": 0.02},
        f"Block grows 5% a year where no growth is announced, instead of {block}": {"later_block_growth": 0.05},
    }
    if projection.calibrated is not None:
        year = projection.calibrated.calibration.year
        alternatives[f"Not held to the national figure of March {year}"] = {"calibration": "none"}
    obr = _obr(projection)
    if obr:
        words = f"Drawn to the OBR's {gbp(obr.gross, 0)} for March {obr.year}, give or take {gbp(obr.sd, 0)}"
        alternatives[words] = {"calibrated_to": (obr,)}
    ends = [year for year in (projection.headline_year, OVERRIDE_ENDS) if year in projection.projected_years]
    rows = []
    for words, change in alternatives.items():
        gross = projection.with_assumptions(assumptions.model_copy(update=change)).england().loc["gross"]
        middles = {
            f"Middle at {year_end(year)} (£)": gross.at[year, "p50"] for year in ends or projection.years[-1:]
        }
        rows.append({"Assumption": words} | middles)
    return pd.DataFrame(rows)


def _dfe_plans(projection: Projection) -> dict[str, dict[str, Any]]:
    """The growth of plans that gives DfE's estimate of the share of pupils with one, with pupils as they are.

    Nothing where the estimate was not public, or plans have been counted since the year that it is for.
    """
    shares = assumed("plans", "share_of_pupils").by_year(projection.panel.as_of)
    counts = projection.panel.national.query("measure == 'ehc_plans_january'").drop_duplicates("year", keep="last")
    plans = counts.set_index("year")["value"]
    newest = int(plans.index.max())
    start = next((year for year in sorted(shares) if year in plans.index), None)
    end = next((year for year in sorted(shares) if year > newest), None)
    if start is None or end is None:
        return {}
    growth = (plans[start] * shares[end] / shares[start] / plans[newest]) ** (1 / (end - newest)) - 1
    share = percent(shares[end], 1)
    return {
        f"Plans grow {percent(growth, 1)} a year, to DfE's {share} of pupils in January {end}": {
            "plan_growth": growth
        }
    }


def _obr_row(projection: Projection) -> pd.Series | None:
    """The OBR's forecast of the deficit at the end of the override, where public and not past."""
    forecasts = deficit_forecasts(projection.panel, after=projection.base_year)
    theirs = forecasts.query("publisher == 'OBR' and year == @OVERRIDE_ENDS and central.notna()")
    return theirs.iloc[-1] if len(theirs) and OVERRIDE_ENDS in projection.projected_years else None


def _obr(projection: Projection) -> CalibrationTarget | None:
    """It as a forecast that draws can be drawn to."""
    row = _obr_row(projection)
    if row is None:
        return None
    return CalibrationTarget(year=OVERRIDE_ENDS, gross=row["central"], sd=assumed("projection", "obr_error").value)


def beside_the_obr(projection: Projection) -> list[str]:
    """Why the projection's middle for the end of the override is not the OBR's: what spend would have to do."""
    row, held = _obr_row(projection), _obr(projection)
    if row is None or held is None:
        return []
    year = held.year
    theirs = projection.with_assumptions(projection.assumptions.model_copy(update={"calibrated_to": (held,)}))
    first = int(projection.fit.history.spend.index[-1])
    grown = {
        which: np.median(each.paths.spend[each.years.index(year)]) / each.fit.history.spend[first]
        for which, each in (("ours", projection), ("theirs", theirs))
    }
    ours, obr = (grown[which] ** (1 / (year - first)) - 1 for which in ("ours", "theirs"))
    middle = projection.england().at[("gross", year), "p50"]
    side = "above" if middle > held.gross else "below"
    years = f"from {financial_year(first)} to {financial_year(year)}"
    before = "" if projection.changed is None else ", before levers and councils' own assumptions"
    told = gbp(held.gross, 0)
    return [
        f"The OBR forecast {told} for {year_end(year)}; the middle of this projection, {gbp(middle)}, lies {side} "
        f"that. Here spend grows by {percent(ours)} a year {years}{before}; draws that end near {told} have it "
        f"grow by {percent(obr)}. The OBR {_unknown_then(projection, str(row['published']))}does not publish the "
        "growth it assumes."
    ]


def _unknown_then(projection: Projection, published: str) -> str:
    """That a forecast was written before the newest count of plans, where it was."""
    plans = projection.fit.history.plans
    newest = int(plans.index[-1])
    counted = projection.panel.frame["plans_published"].xs(newest, level="year").dropna()
    if not (counted > last_day(published)).all():
        return ""
    growth = percent(plans[newest] / plans[newest - 1] - 1)
    return f"wrote before the count of January {newest}, in which plans grew by {growth}, and "


def causes_table(causes: pd.DataFrame) -> pd.DataFrame:
    """Why the deficit grows, in readable columns (£; positive raises it). Means add up; ranges do not."""
    named = {**CAUSES, "total": "growth of the deficit"}
    kept = causes[(causes.abs() > 0).any(axis=1)]
    return pd.DataFrame(
        {
            "Cause": [sentence(named[cause]) for cause in kept.index],
            "Mean (£)": kept["mean"].to_numpy(),
            "Low (£)": kept["p10"].to_numpy(),
            "High (£)": kept["p90"].to_numpy(),
        }
    )


def levers_compared(projection: Projection, year: int) -> pd.DataFrame:
    """Each lever alone, the shipped ones and the projection's own, on the same draws: change of England's net
    deficit at a year end (£) from what it is without any.

    Columns lever, kind, terms, change_p10, change_p50, change_p90 (negative = smaller deficit) and elsewhere: what
    others pay in the year, at the middle, in words.
    """
    without = projection.with_assumptions(levers=[]) if projection.levers else projection
    baseline = national(without.balance, "net").sel(year=year)
    shipped = [Lever.read(name) for name in lever_names()]
    rows = []
    for lever in [*shipped, *(lever for lever in projection.levers if lever not in shipped)]:
        changed = national(without.with_assumptions(levers=[lever]).balance, "net").sel(year=year) - baseline
        low, middle, high = np.quantile(changed.values, [0.1, 0.5, 0.9])
        rows.append(
            {
                "lever": lever.title,
                "kind": "policy lever",
                "terms": lever.terms(),
                "change_p10": low,
                "change_p50": middle,
                "change_p90": high,
                "elsewhere": _paid_elsewhere(without, lever, year),
            }
        )
    return pd.DataFrame(rows)


def _paid_elsewhere(projection: Projection, lever: Lever, year: int) -> str:
    place = projection.years.index(year) - 1
    shape = (len(projection.years) - 1, len(projection.fit.councils), projection.balance.sizes["draw"])
    effect = lever.effect(projection.fit, projection.parts, projection.paths)
    paid = {
        payer: float(np.median(np.broadcast_to(cost, shape)[place].sum(axis=0)))
        for payer, cost in effect.elsewhere.items()
    }
    return "; ".join(f"{payer} {gbp(amount)}" for payer, amount in paid.items() if amount) or "nobody"


def lever_table(compared: pd.DataFrame, year: int) -> pd.DataFrame:
    """The levers in readable columns (£)."""
    return pd.DataFrame(
        {
            "Lever": compared["lever"],
            "As set here": compared["terms"],
            f"Change of the deficit by {year_end(year)}, low (£)": compared["change_p10"],
            "Middle (£)": compared["change_p50"],
            "High (£)": compared["change_p90"],
            f"Who else pays in {financial_year(year)}": compared["elsewhere"],
        }
    )


def span(projection: Projection) -> tuple[int, int]:
    """The two year ends between which growth is explained: the one to report first, and the override's end or,
    where that is no later, the last one."""
    start, last = projection.headline_year, projection.years[-1]
    return start, OVERRIDE_ENDS if start < OVERRIDE_ENDS <= last else last
