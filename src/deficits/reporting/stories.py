"""What each report says in words and tables: the package's figures, chosen and put in order for a page.

Words that state a number are written here, so that a notebook holds no arithmetic and a page never disagrees
with its own tables. Each function returns frames or plain texts; nothing here computes a new estimate.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from deficits.outlook import Drivers, Outlook, project
from deficits.outlook.backtest import ORIGIN, TARGET, Backtest, backtest
from deficits.panel import (
    FIGURES,
    Checked,
    Panel,
    disagreements,
    divide,
    load_panel,
    read_splits,
    shares,
    year_of,
)
from deficits.sources import read_sources, read_table
from deficits.wording import financial_year, gbp, gbp_range, percent, year_end
from deficits.writeoff import WriteOff

THRESHOLD = 5e9
"""£: the figure that the deficit was heading for when MPs reported in September 2025."""
OVERRIDE_ENDS = 2028
"""The statutory override ends on 31 March 2028 (written statement of 20 June 2025)."""
NEARLY_ALL = 145
"""Councils with a balance from which a year's sum may stand for England, with its count beside it."""
EVERY_FOLDER = (
    "section251-outturn",
    "mhclg-revenue-outturn",
    "dsg-allocations",
    "ehc-plans",
    "specialist-placement-spend",
    "school-pupils",
    "ons-population",
    "national-figures",
    "published-forecasts",
    "authorities",
)
"""Publications that the panel rests on, by folder of `data/raw`."""
BALANCES = ("section251-outturn", "mhclg-revenue-outturn", "dsg-allocations")

Points = tuple[list[str], dict[str, float | int | str]]


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
        f"{_range(gross.loc[near])} at {year_end(near)} (8 in 10 simulated futures), "
        f"with {gbp(gross.at[near, 'p50'])} in the middle.",
        _when(reach, first),
    ]
    if OVERRIDE_ENDS in outlook.years:
        points.append(
            f"Without a write-off, {_range(gross.loc[OVERRIDE_ENDS])} would stand at {year_end(OVERRIDE_ENDS)}, "
            "when the statutory override ends."
        )
    points += [
        _record_point(record),
        "These are estimates. The range shows what this model does not know; it leaves out changes of policy.",
    ]
    headline: dict[str, float | int | str] = {
        f"gross_deficit_{year}_{name}": _pounds(gross.at[year, name])
        for year in outlook.years[1:]
        for name in ("p10", "p50", "p90")
    }
    headline[f"chance_of_5bn_{near}"] = round(float(reach.probability[near]), 4)
    headline["backtest_within_80"] = round(float(record.scores.at["This outlook", "within_80"]), 4)
    return points, headline


def past_record(panel: Panel) -> Backtest:
    """How good the outlook would have been: made on the day of the one backtest that the figures allow."""
    return backtest(panel, load_panel(ORIGIN), TARGET)


def _record_point(record: Backtest) -> str:
    england, scores = record.england, record.scores.loc["This outlook"]
    inside = "inside" if england["p10"] <= england["actual"] <= england["p90"] else "outside"
    return (
        f"Made with what was public on {_day(record.as_of)}, it would have put the deficit at "
        f"{year_end(record.target)} at {_range(england)}; it was {gbp(england['actual'])}, {inside} that range. "
        f"{percent(scores['within_80'])} of councils were inside theirs (80% should be)."
    )


def _day(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"


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
    (0 to 1), and whether each is published or assumed. What is not published is at the middle of its path.
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
    return pd.DataFrame(
        {
            "Year": amounts.index,
            "EHC plans": amounts["plans"].round(),
            "Growth of plans (0 to 1)": growth["plans"],
            "High needs spend (£)": amounts["spend"],
            "Growth of spend (0 to 1)": growth["spend"],
            "High needs block (£)": amounts["block"],
            "Growth of block (0 to 1)": growth["block"],
            "Plans are": _status(amounts.index, history.plans.index),
            "Spend is": _status(amounts.index, history.spend.index),
            "Block is": [_block_status(year, published_block, drivers) for year in amounts.index],
        }
    )


def _status(years: pd.Index, published: pd.Index) -> list[str]:
    return ["published" if year in published else "assumed" for year in years]


def _block_status(year: int, block: pd.Series, drivers: Drivers) -> str:
    if year in block.index:
        return "published"
    return "announced growth" if year in drivers.block_growth else "assumed"


def sensitivities(outlook: Outlook) -> pd.DataFrame:
    """England's gross deficit under other assumptions, on the same random numbers.

    Columns Assumption, then for two year ends the middle of the range (£).
    """
    alternatives: dict[str, dict[str, Any]] = {
        "As in this report": {},
        "Growth fades faster (0.7 of it left a year later)": {"growth_persistence": 0.7},
        "Growth stays longer (0.98 of it left a year later)": {"growth_persistence": 0.98},
        "Plans per person stop growing in the long run, instead of 3% a year": {"long_run_rate_growth": 0.0},
        "Spend a plan grows 2% a year from 2025-26": {"unit_cost_growth": 0.02},
        "Block grows 5% a year after 2026-27 instead of 3%": {"later_block_growth": 0.05},
        "Not held to the national figure of March 2025": {"anchor": "none"},
    }
    ends = [year for year in (outlook.years[2], OVERRIDE_ENDS) if year in outlook.years]
    draws = outlook.balance.sizes["draw"]
    rows = []
    for words, change in alternatives.items():
        drivers = Drivers(**(outlook.drivers.model_dump() | change))
        other = project(outlook.panel, drivers, until=max(ends), draws=draws, seed=outlook.seed)
        gross = other.england().loc["gross"]
        middles = {f"Middle at {year_end(year)} (£)": gross.at[year, "p50"] for year in ends}
        rows.append({"Assumption": words} | middles)
    return pd.DataFrame(rows)


def writeoff_points(result: WriteOff) -> Points:
    """Main points and headline figures of the report on one scheme."""
    scheme, summary = result.scheme, result.summary()
    base, last = scheme.base_year, min(OVERRIDE_ENDS, result.outlook.years[-1])
    councils = summary.loc["councils_paid"]
    points = [
        f"{scheme.title} would pay {_range(summary.loc['grant'])} to "
        f"{councils['p10']:.0f} to {councils['p90']:.0f} of {len(result.outlook.fit.councils)} councils: "
        f"{scheme.terms()}.",
        f"{_range(summary.loc[f'left_of_{base}'])} of the {year_end(base)} deficit would stay with councils.",
        _back(summary, base),
        f"At {year_end(last)} the deficit would be {_range(summary.loc[f'deficit_with_{last}'])} with the grant, "
        f"and {_range(summary.loc[f'deficit_without_{last}'])} without it.",
        "These are estimates on the outlook's simulated futures, the same ones with and without the grant.",
    ]
    headline: dict[str, float | int | str] = {"scheme": scheme.title, "share": scheme.share}
    for measure in ("grant", f"left_of_{base}", f"deficit_with_{last}"):
        headline |= {f"{measure}_{name}": _pounds(summary.at[measure, name]) for name in ("p10", "p50", "p90")}
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


def authority_points(result: WriteOff, code: str) -> Points:
    """Main points and headline figures of the report on one council."""
    outlook = result.outlook
    council = outlook.fit.councils.loc[code]
    name = council["name"]
    start_year, near, last = outlook.years[0], outlook.years[2], min(OVERRIDE_ENDS, outlook.years[-1])
    path, row = outlook.authority(code), result.by_authority().loc[code]
    start = float(council["start"])
    estimated = council["start_basis"] == "estimated"
    known = "an estimate: the council has not reported one" if estimated else "published"
    points = [
        f"{name}'s dedicated schools grant balance at {year_end(start_year)} was {_standing(start)} ({known}).",
        f"At {year_end(near)} it is likely to have been {_standing_range(path.loc[near])} "
        "(8 in 10 simulated futures).",
        f"By {year_end(last)}, without a write-off, {_standing_range(path.loc[last])}.",
        f"{result.scheme.title}: {_grant(row)}.",
        "These are estimates from public figures, not the council's own forecast. They follow the council's "
        "published spend, and nothing else of it, after the last published balance.",
    ]
    headline: dict[str, float | int | str] = {"authority": name, f"balance_{start_year}": _pounds(start)}
    headline |= {f"balance_{near}_{part}": _pounds(path.at[near, part]) for part in ("p10", "p50", "p90")}
    headline |= {f"grant_{part}": _pounds(row[f"grant_{part}"]) for part in ("p10", "p50", "p90")}
    return points, headline


def _grant(row: pd.Series) -> str:
    if row["grant_p90"] <= 0:
        return "no grant is likely, since the council is likely to be in surplus"
    if row["grant_p10"] <= 0:
        return f"a grant of up to {gbp(row['grant_p90'])}, with a chance of {percent(row['paid'])} of any"
    return f"a grant of {gbp_range(row['grant_p10'], row['grant_p90'])}"


def authority_notes(outlook: Outlook, code: str) -> list[str]:
    """What a reader of one council's page must know: the outlook's warnings, and an announced division."""
    notes = list(outlook.warnings)
    split = read_splits().get(code)
    if split is not None:
        name = outlook.panel.authorities.name(code)
        year = split.on.year if split.on.month > 3 else split.on.year - 1
        balance = outlook.authority(code).at[year, "p50"]
        parts = shares(split)
        told = " and ".join(
            f"{successor} {_standing(float(amount))} ({percent(parts[successor])})"
            for successor, amount in divide(balance, parts).items()
        )
        day = f"{split.on.day} {split.on:%B %Y}"
        notes.append(
            f"{name} is to be divided on {day}. By people aged 2 to 18, an assumption, its balance of "
            f"{year_end(year)} would leave {told}, at the middle of the range and without a write-off."
        )
    return notes


def observed_balances(panel: Panel, code: str) -> pd.DataFrame:
    """One council's published balances: columns year, value (£, negative = deficit), basis."""
    rows = panel.frame.loc[code, ["balance", "balance_basis"]].dropna().reset_index()
    return rows.set_axis(["year", "value", "basis"], axis=1).assign(
        basis=rows["balance_basis"].str.replace("_", " ")
    )


def plans(panel: Panel, code: str) -> pd.DataFrame:
    """One council's EHC plans each January: columns year, plans."""
    return panel.frame.loc[code, "plans"].dropna().reset_index()


def council_facts(panel: Panel, code: str) -> pd.DataFrame:
    """The newest value of each published figure of a council: columns Figure, Value, Year, Basis, From.

    A figure that is not published for it is listed with what is missing.
    """
    rows = []
    sources = read_sources()
    for figure in FIGURES.values():
        values = panel.frame.loc[code, [figure.name, f"{figure.name}_basis", f"{figure.name}_source"]].dropna()
        described: dict[str, str | None] = {"Figure": _sentence(figure.meaning)}
        if values.empty:
            rows.append(described | {"Value": None, "Year": None, "Basis": "not published for this council"})
            continue
        value, basis, source = values.iloc[-1]
        shown = gbp(value) if figure.unit == "£" else f"{value:,.0f} {figure.unit}"
        rows.append(
            described
            | {
                "Value": shown,
                "Year": financial_year(int(values.index[-1])),
                "Basis": basis.replace("_", " "),
                "From": sources[source.split("/")[0]].publication,
            }
        )
    return pd.DataFrame(rows)


def used_sources(*folders: str) -> list[dict[str, Any]]:
    """What `reporting.sources` shows of some publications, by folder of `data/raw`."""
    known = read_sources()
    return [
        {
            "title": source.title,
            "publisher": source.publisher,
            "url": str(source.url),
            "licence": source.licence,
            "published": max((file.published for file in source.file if file.published), default=""),
            "retrieved": source.retrieved.isoformat(),
            "files": {file.name: file.sha256 for file in source.file},
        }
        for source in (known[folder] for folder in folders)
    ]


def _pounds(value: float) -> float:
    """A headline value, to the pound: the same on every machine."""
    return float(round(value))


def _range(row: pd.Series) -> str:
    return gbp_range(row["p10"], row["p90"])


def _standing(balance: float) -> str:
    return f"a deficit of {gbp(-balance)}" if balance < 0 else f"a surplus of {gbp(balance)}"


def _standing_range(row: pd.Series) -> str:
    low, high = row["p10"], row["p90"]
    if high <= 0:
        return f"a deficit of {gbp_range(-high, -low)}"
    if low >= 0:
        return f"a surplus of {gbp_range(low, high)}"
    return f"between a deficit of {gbp(-low)} and a surplus of {gbp(high)}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


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
                    "Figure": _sentence(figure.meaning),
                    "Newest year": year,
                    "Councils without": len(lacking),
                    "Which": ", ".join(lacking),
                }
            )
    return pd.DataFrame(rows)


def edition_table(checked: Checked) -> pd.DataFrame:
    """Editions held and when a newer one is due."""
    titles = {folder: source.title for folder, source in read_sources().items()}
    editions = checked.editions
    return pd.DataFrame(
        {
            "Publication": editions["publication"].map(titles),
            "Newest held": editions["newest"],
            "Next expected": editions["next_expected"],
        }
    )
