"""The report on one council."""

from __future__ import annotations

import pandas as pd

from deficits.outlook import Outlook
from deficits.panel import FIGURES, Panel, divide, read_splits, shares
from deficits.reporting.stories.common import OVERRIDE_ENDS, Points, pounds, sentence, standing, standing_range
from deficits.sources import read_sources
from deficits.wording import financial_year, gbp, gbp_range, percent, year_end
from deficits.writeoff import WriteOff


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
        f"{name}'s dedicated schools grant balance at {year_end(start_year)} was {standing(start)} ({known}).",
        f"At {year_end(near)} it is likely to have been {standing_range(path.loc[near])} "
        "(8 in 10 simulated futures).",
        f"By {year_end(last)}, without a write-off, {standing_range(path.loc[last])}.",
        f"{result.scheme.title}: {_grant(row)}.",
        "These are estimates from public figures, not the council's own forecast. They follow the council's "
        "published spend, and nothing else of it, after the last published balance.",
    ]
    headline: dict[str, float | int | str] = {"authority": name, f"balance_{start_year}": pounds(start)}
    headline |= {f"balance_{near}_{part}": pounds(path.at[near, part]) for part in ("p10", "p50", "p90")}
    headline |= {f"grant_{part}": pounds(row[f"grant_{part}"]) for part in ("p10", "p50", "p90")}
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
            f"{successor} {standing(float(amount))} ({percent(parts[successor])})"
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
        described: dict[str, str | None] = {"Figure": sentence(figure.meaning)}
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
