"""The report on England: how big, where next, when past £5bn, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from deficits.formatting import financial_year, gbp, percent, year_end
from deficits.outlook import CAUSES, Drivers, Held, Lever, Outlook, lever_names, national
from deficits.outlook.backtest import Backtest
from deficits.panel import Panel
from deficits.reporting.stories.common import OVERRIDE_ENDS, Points, money_range, pounds, sentence
from deficits.reporting.stories.record import record_point

THRESHOLD = 5e9
"""£: the figure that the deficit was heading for when MPs reported in September 2025."""

NEARLY_ALL = 145
"""Councils with a balance from which a year's sum may stand for England, with its count beside it."""


def observed_gross(panel: Panel) -> pd.DataFrame:
    """England's gross deficit as published: columns year, value (£), label.

    Sums of councils' returns where nearly all have one, then the national figures that are newer.
    """
    balances = panel.figure("balance_section251")
    counted = balances.notna().sum()
    years = counted.index[counted >= NEARLY_ALL]
    sums = (-balances[years]).clip(lower=0).sum()
    returns = pd.DataFrame({"year": years, "value": sums.to_numpy(), "label": "Councils' returns"})
    rows = panel.national[panel.national["measure"].eq("gross_deficit") & panel.national["year"].gt(years.max())]
    newer = rows.drop_duplicates("year")[["year", "value"]].assign(label="National figure")
    return pd.concat([returns, newer], ignore_index=True)


def deficit_forecasts(panel: Panel, after: int) -> pd.DataFrame:
    """Published forecasts of England's cumulative deficit for year ends after `after`, £.

    Columns publisher, year, low, central, high, published. A publication that only repeats another's figure is
    left out.
    """
    rows = panel.forecasts.query("measure == 'cumulative_deficit' and unit == 'gbp' and year > @after")
    repeats = rows["note"].str.startswith("Repeats").fillna(False)
    columns = ["publisher", "year", "low", "central", "high", "published"]
    return rows.loc[~repeats, columns].reset_index(drop=True)


def england_points(outlook: Outlook, record: Backtest) -> Points:
    """Main points and headline figures of the report on England."""
    gross = outlook.england().loc["gross"]
    reach = outlook.reaches(THRESHOLD)
    first = next((year for year in outlook.years if reach.probability[year] >= 0.5), None)
    near = outlook.years[2]
    points = [
        f"Councils' deficits for special educational needs are likely to have stood at "
        f"{money_range(gross.loc[near])} at {year_end(near)} (8 in 10 simulated futures), "
        f"with {gbp(gross.at[near, 'p50'])} in the middle.",
        _when(reach, first),
    ]
    if OVERRIDE_ENDS in outlook.years:
        points.append(
            f"Without a write-off, {money_range(gross.loc[OVERRIDE_ENDS])} would stand at "
            f"{year_end(OVERRIDE_ENDS)}, when the statutory override ends."
        )
    points += [
        record_point(record),
        "These are estimates. The range shows what this model does not know; it leaves out changes of policy.",
    ]
    headline: dict[str, float | int | str] = {
        f"gross_deficit_{year}_{name}": pounds(gross.at[year, name])
        for year in outlook.years[1:]
        for name in ("p10", "p50", "p90")
    }
    headline[f"chance_of_5bn_{near}"] = round(float(reach.probability[near]), 4)
    headline["backtest_within_80"] = round(float(record.scores.at["This outlook", "within_80"]), 4)
    return points, headline


def _when(reach: Any, first: int | None) -> str:
    amount = gbp(reach.amount, 0)
    if first is None:
        return f"The deficit is more likely than not to stay below {amount} for the whole period."
    dates = [f"{day:%B %Y}" for day in (reach.date["p10"], reach.date["p90"]) if not pd.isna(day)]
    between = f"between {dates[0]} and {dates[-1]}" if dates[0] != dates[-1] else f"in {dates[0]}"
    chance = percent(reach.probability[first])
    return (
        f"It is {chance} likely to have passed {amount} by {year_end(first)}, the first year end at which that is "
        f"more likely than not. A straight line between year ends puts the day {between}; balances are only "
        "measured on 31 March."
    )


def national_arithmetic(outlook: Outlook) -> pd.DataFrame:
    """Spend, block and in-year position of England by year: what is published and what the outlook assumes.

    Columns Year, EHC plans, High needs spend (£, with place funding), High needs block (£), the growth of each
    (0 to 1), safety valve grant as the outlook counts it (£; a memo, it counts in no growth), and which of them
    are not published but at the middle of their paths.
    """
    history, paths, drivers = outlook.fit.history, outlook.paths, outlook.drivers
    published_block = outlook.fit.block
    first = max(int(history.spend.index[0]), int(published_block.index[0]))
    published = pd.DataFrame({"plans": history.plans, "spend": history.spend, "block": published_block})
    middle = pd.DataFrame(
        {name: np.median(getattr(paths, name), axis=1) for name in ("plans", "spend", "block")}, index=paths.years
    )
    amounts = published.combine_first(middle).loc[first : paths.years[-1]]
    growth = amounts.pct_change()
    grant = outlook.dataset["bail_out"].sum("authority").to_series().combine_first(outlook.fit.bail_outs.sum())
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
            "Not published": [_assumed(year, published, drivers) for year in amounts.index],
        }
    )


def _assumed(year: int, published: pd.DataFrame, drivers: Drivers) -> str:
    """What of a year's row is not published, in words."""
    known = published.reindex([year]).iloc[0].notna()
    words = {"plans": "plans", "spend": "spend", "block": "block"}
    if (year, drivers.block_growth.get(year)) in Drivers().block_growth.items():
        words["block"] = "block (growth announced)"
    return ", ".join(word for name, word in words.items() if not known[name]) or "–"


DFE_PLAN_GROWTH = (718_838 / 638_745 / (7.7 / 5.3)) ** (-1 / 4) - 1
"""Yearly growth of EHC plans from January 2026 to 2030 that gives DfE's estimate of February 2026: from 5.3% of
pupils in 2024-25 to 7.7% in 2029-30, with pupils as they are
(https://www.neilobrien.co.uk/p/the-send-white-paper-asking-mps-to)."""

LEVERS_UNTIL = 2031
"""Levers are compared at 31 March of this year: some take years to work."""

OBR_ERROR = 1e9
"""£: standard error given to the OBR's forecast for the end of the override. It publishes none: an assumption."""


def sensitivities(outlook: Outlook) -> pd.DataFrame:
    """England's gross deficit under other assumptions, on the same random numbers.

    Columns Assumption, then for two year ends the middle of the range (£).
    """
    drivers = outlook.drivers
    plans, block = percent(drivers.long_run_rate_growth), percent(drivers.later_block_growth)
    alternatives: dict[str, dict[str, Any]] = {
        "As in this report": {},
        "Growth fades faster (0.7 of it left a year later)": {"growth_persistence": 0.7},
        "Growth stays longer (0.98 of it left a year later)": {"growth_persistence": 0.98},
        f"Plans per person stop growing in the long run, instead of {plans} a year": {"long_run_rate_growth": 0.0},
        "Plans grow 6.6% a year, to DfE's 7.7% of pupils in January 2030": {"plan_growth": DFE_PLAN_GROWTH},
        "Spend a plan grows 2% a year": {"unit_cost_growth": 0.02},
        f"Block grows 5% a year where no growth is announced, instead of {block}": {"later_block_growth": 0.05},
        "Not held to the national figure of March 2025": {"anchor": "none"},
    }
    obr = _obr(outlook)
    if obr:
        words = f"Drawn to the OBR's {gbp(obr.gross, 0)} for March {obr.year}, give or take {gbp(obr.sd, 0)}"
        alternatives[words] = {"held_to": (obr,)}
    ends = [year for year in (outlook.years[2], OVERRIDE_ENDS) if year in outlook.years]
    rows = []
    for words, change in alternatives.items():
        gross = outlook.again(drivers.model_copy(update=change)).england().loc["gross"]
        middles = {f"Middle at {year_end(year)} (£)": gross.at[year, "p50"] for year in ends}
        rows.append({"Assumption": words} | middles)
    return pd.DataFrame(rows)


def _obr(outlook: Outlook) -> Held | None:
    """The OBR's forecast for the end of the override, as far as the outlook's panel knows it."""
    told = outlook.panel.forecasts.query("publisher == 'OBR' and year == @OVERRIDE_ENDS")
    if OVERRIDE_ENDS not in outlook.years or told.empty:
        return None
    return Held(year=OVERRIDE_ENDS, gross=float(told["central"].iloc[-1]), sd=OBR_ERROR)


def beside_the_obr(outlook: Outlook) -> list[str]:
    """Why the outlook's middle for March 2028 is not the OBR's: what spend would have to do for that."""
    held = _obr(outlook)
    if held is None:
        return []
    year = held.year
    theirs = outlook.again(outlook.drivers.model_copy(update={"held_to": (held,)}))
    first = int(outlook.fit.history.spend.index[-1])
    grown = {
        which: np.median(each.paths.spend[each.years.index(year)]) / each.fit.history.spend[first]
        for which, each in (("ours", outlook), ("theirs", theirs))
    }
    ours, obr = (grown[which] ** (1 / (year - first)) - 1 for which in ("ours", "theirs"))
    middle = outlook.england().at[("gross", year), "p50"]
    side = "above" if middle > held.gross else "below"
    plans = outlook.fit.history.plans
    newest = int(plans.index[-1])
    counted = percent(plans[newest] / plans[newest - 1] - 1)
    years = f"from {financial_year(first)} to {financial_year(year)}"
    before = "" if outlook.changed is None else ", before levers and councils' own drivers"
    told = gbp(held.gross, 0)
    return [
        f"The OBR forecast {told} for {year_end(year)}; the middle of this outlook, {gbp(middle)}, lies {side} "
        f"that. Here spend grows by {percent(ours)} a year {years}{before}; draws that end near {told} have it "
        f"grow by {percent(obr)}. The OBR wrote before the count of January {newest}, in which plans grew by "
        f"{counted}, and does not publish the growth it assumes. The IFS (December 2025) reckons that spend "
        f"grows 13% above prices in 2025-26; here it grows by {percent(_real_growth(outlook, 2026))} above them."
    ]


def _real_growth(outlook: Outlook, year: int) -> float:
    """Growth of spend above prices in a year, at the middle of its path (share)."""
    paths, place = outlook.paths, outlook.paths.years.index(year)
    grown = float(np.median(paths.spend[place] / paths.spend[place - 1]))
    return grown / (1 + outlook.fit.history.price_growth(year, outlook.drivers)) - 1


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


def levers_compared(outlook: Outlook, year: int) -> pd.DataFrame:
    """Each lever alone, the shipped ones and the outlook's own, on the same draws: change of England's net deficit
    at a year end (£) from what it is without any.

    Columns lever, kind, terms, change_p10, change_p50, change_p90 (negative = smaller deficit) and elsewhere: what
    others pay in the year, at the middle, in words.
    """
    without = outlook.again(levers=[]) if outlook.levers else outlook
    baseline = national(without.balance, "net").sel(year=year)
    shipped = [Lever.read(name) for name in lever_names()]
    rows = []
    for lever in [*shipped, *(lever for lever in outlook.levers if lever not in shipped)]:
        changed = national(without.again(levers=[lever]).balance, "net").sel(year=year) - baseline
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


def _paid_elsewhere(outlook: Outlook, lever: Lever, year: int) -> str:
    place = outlook.years.index(year) - 1
    shape = (len(outlook.years) - 1, len(outlook.fit.councils), outlook.balance.sizes["draw"])
    effect = lever.effect(outlook.fit, outlook.parts, outlook.paths)
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


def span(outlook: Outlook) -> tuple[int, int]:
    """The two year ends between which growth is explained: the first without a national figure, and the override's
    end or the last one."""
    return outlook.years[2], min(OVERRIDE_ENDS, outlook.years[-1])
