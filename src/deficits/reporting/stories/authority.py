"""The report on one council."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from deficits.formatting import financial_year, gbp, gbp_range, percent, year_end
from deficits.outlook import Outlook
from deficits.outlook.councils import own_drivers
from deficits.outlook.measures import dsg, pupils
from deficits.panel import FIGURES, Panel, divide, read_splits, shares
from deficits.raw import raw_data
from deficits.reporting.stories.common import OVERRIDE_ENDS, Points, pounds, sentence, standing, standing_range
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
    given = own_drivers(outlook.panel, outlook.drivers, outlook.fit.councils.index)
    follow = "published spend and what the scenario sets for it" if code in given else "published spend"
    points = [
        f"{name}'s dedicated schools grant balance at {year_end(start_year)} was {standing(start)} ({known}).",
        f"At {year_end(near)} it is likely to have been {standing_range(path.loc[near])} "
        "(8 in 10 simulated futures).",
        f"By {year_end(last)}, without a write-off, {standing_range(path.loc[last])}.",
        f"{result.scheme.title}: {_grant(row)}.",
        "These are estimates from public figures, not the council's own forecast. They follow the council's "
        f"{follow}, and nothing else of it, after the last published balance.",
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
    sources = raw_data().sources
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
                "From": f"{panel.own}, given by whoever made this page"
                if basis.startswith("own_")
                else sources[source.split("/")[0]].publication,
            }
        )
    return pd.DataFrame(rows)


NEIGHBOURS = 5
"""Councils that one is set beside: those of its type whose high needs block is nearest to its own. A rule of size;
published statistical neighbours are not among the figures held."""

TYPES = {"E06": "unitary authorities", "E08": "metropolitan boroughs", "E09": "London boroughs", "E10": "counties"}
"""What the first letters of an ONS code say of a council."""


def near(outlook: Outlook, code: str) -> list[str]:
    """DfE numbers of the councils that one is set beside, nearest first."""
    frame = outlook.panel.authorities.frame
    block = outlook.fit.councils["block"]
    kind = frame["gss"].str[:3]
    others = block[(kind.reindex(block.index) == kind[code]) & (block > 0)].drop(code, errors="ignore")
    return list((others - block[code]).abs().nsmallest(NEIGHBOURS).index)


def beside_others(outlook: Outlook, code: str) -> pd.DataFrame:
    """The council beside those nearest in size, its region and England, at the second projected year end.

    Columns Place, Net deficit (£), Per person aged 2 to 18 (£), Per EHC plan (£), Share of DSG (0 to 1): middles
    of the ranges, negative where the place is in surplus.
    """
    year = outlook.years[2]
    frame = outlook.fit.councils
    region = str(frame.at[code, "region"])
    places = {str(frame.at[other, "name"]): [other] for other in [code, *near(outlook, code)]}
    places |= {region: outlook.in_region(region), "England": list(frame.index)}
    every = pd.Index(frame.index)
    divisors = {
        "Per person aged 2 to 18 (£)": pupils(outlook.panel, every, [year])[year],
        "Per EHC plan (£)": outlook.middle_plans(year),
        "Share of DSG (0 to 1)": dsg(outlook.panel, outlook.drivers, every, [year])[year],
    }
    balance = outlook.balance.sel(year=year)
    rows = []
    for place, codes in places.items():
        deficit = -float(balance.sel(authority=codes).sum("authority").median("draw"))
        sizes = {name: float(divisor[codes].sum(min_count=1)) for name, divisor in divisors.items()}
        rows.append(
            {"Place": place, "Net deficit (£)": deficit} | {n: deficit / size for n, size in sizes.items()}
        )
    return pd.DataFrame(rows)


BESIDE_FORMATS = {
    "Net deficit (£)": "gbp_m",
    "Per person aged 2 to 18 (£)": "gbp",
    "Per EHC plan (£)": "gbp",
    "Share of DSG (0 to 1)": "percent",
}


def placements(panel: Panel, code: str) -> pd.DataFrame:
    """Where children with plans are taught, in the newest count by placement.

    Shares (0 to 1) of the plans of the council, of its region and of England.
    """
    figures = {
        "Mainstream schools": "plans_mainstream",
        "State special schools": "plans_state_special",
        "Independent schools": "plans_independent",
    }
    tables = {words: panel.figure(figure) for words, figure in figures.items()}
    year = int(tables["Mainstream schools"].dropna(axis=1, how="all").columns[-1])
    plans = panel.figure("plans")[year]
    region = panel.authorities.frame["region"]
    places = {
        panel.authorities.name(code): [code],
        str(region[code]): [other for other in plans.dropna().index if region[other] == region[code]],
        "England": list(plans.dropna().index),
    }
    rows = {}
    for place, codes in places.items():
        counted = {words: table.loc[codes, year].sum(min_count=1) for words, table in tables.items()}
        row = {words: number / plans[codes].sum() for words, number in counted.items()}
        rows[place] = row | {"Elsewhere, in colleges or waiting": 1 - sum(row.values())}
    table = pd.DataFrame(rows).rename_axis("Placement").reset_index()
    return table.rename(columns={place: f"{place} (0 to 1)" for place in places})


def reserves(panel: Panel, code: str) -> tuple[float, int] | None:
    """The council's usable reserves, unallocated and earmarked, £, and their year; None where not published."""
    both = panel.figure("reserves_unallocated").loc[code] + panel.figure("reserves_earmarked").loc[code]
    known = both.dropna()
    return None if known.empty else (float(known.iloc[-1]), int(known.index[-1]))


def questions(result: WriteOff, code: str) -> pd.DataFrame:
    """What requests under the Freedom of Information Act ask every council, answered: columns Question, Answer."""
    outlook = result.outlook
    panel, years = outlook.panel, outlook.years
    soon = years[2]
    path, helped = outlook.authority(code), result.authority(code)
    balances = panel.frame.loc[code, "balance"].dropna()
    past = [f"{year_end(int(year))}: {standing(float(value))}" for year, value in balances.iloc[-2:].items()]
    coming = [f"{year_end(year)}: {standing_range(path.loc[year])}" for year in (soon, soon + 1)]
    draws = outlook.balance.sel(authority=code)
    last = years[-1]
    clears = float((draws.sel(year=last) >= 0).mean())
    held = reserves(panel, code)
    rows = {
        "What was the balance at the last two year ends published?": "; ".join(past) or "none is published",
        f"What will it be at {year_end(soon)} and {year_end(soon + 1)}?": "; ".join(coming),
        f"How large is the overspend of {financial_year(soon)}, as a share of the DSG?": _overspend(
            outlook, code, soon
        ),
        "When will the deficit clear?": f"in {percent(clears)} of futures by {year_end(last)}, without help",
        f"What does carrying it cost in {financial_year(soon + 1)}?": _carrying(result, code, soon + 1),
        "Do reserves cover it?": _covered(draws, held, years),
        f"What would {result.scheme.title} pay?": _grant(result.by_authority().loc[code]),
        f"What would stand at {year_end(last)} with it?": standing_range(helped.loc[last]),
    }
    return pd.DataFrame({"Question": list(rows), "Answer": [sentence(answer) for answer in rows.values()]})


def _overspend(outlook: Outlook, code: str, year: int) -> str:
    """The in-year position of a year without grants, at the middle, as a share of the DSG."""
    ends = outlook.balance.sel(authority=code, year=[year - 1, year]).diff("year").median("draw")
    position = float(ends.item()) - float(outlook.dataset["bail_out"].sel(authority=code, year=year))
    grant = float(dsg(outlook.panel, outlook.drivers, pd.Index([code]), [year]).iloc[0, 0])
    if not grant > 0:
        return "the council's DSG is not among the figures held"
    return f"about {percent(-position / grant)}" if position < 0 else "none: a surplus in the year is likely"


def _carrying(result: WriteOff, code: str, year: int) -> str:
    """Interest on the average deficit of a year, without and with the scheme."""
    rate = result.outlook.drivers.financing_rate
    told = []
    for balance in (result.outlook.balance, result.balance):
        ends = (-balance.sel(authority=code, year=[year - 1, year])).clip(min=0.0).mean("year")
        told.append(gbp(round(rate * float(ends.median("draw")), -4)))
    if told == [gbp(0), gbp(0)]:
        return "nothing: the council is likely to be in surplus"
    return f"about {told[0]} in interest at {rate:.2%}, paid from the general fund; {told[1]} with the scheme"


def _covered(draws: xr.DataArray, held: tuple[float, int] | None, years: list[int]) -> str:
    if held is None:
        return "the council's reserves are not among the figures held"
    amount, year = held
    above = {end: float((-draws.sel(year=end) > amount).mean()) for end in years[1:]}
    first = next((end for end, share in above.items() if share >= 0.5), None)
    told = f"usable reserves were {gbp(amount)} at {year_end(year)}; "
    if first is None:
        last = years[-1]
        return (
            f"{told}the deficit is above that by {year_end(last)} in {percent(above[last])} of simulated futures"
        )
    return f"{told}the deficit is more likely than not to be above that from {year_end(first)}, without help"


STAYS = (
    "No high needs block is published for this council, so its balance stays as it is in this outlook, but for "
    "what a scenario says that it pays in."
)


def moves(outlook: Outlook, code: str) -> bool:
    """Whether a council's balance moves in the outlook: that of one without a high needs block stays as it is."""
    return bool(outlook.fit.councils.at[code, "block"] > 0)


def breaking_even(outlook: Outlook, year: int, code: str) -> pd.DataFrame:
    """What would stop a council's deficit growing in a year, in words: columns Way, Needed, Expected.

    A saving alone where levers or drivers of its own move the council: its growth is not England's then.
    """
    ways = outlook.breakeven(code, year)
    saving = ways.loc["saving"]
    if saving["p50"] <= 0:
        needed = f"none at the middle of the range; {gbp(saving['p90'])} at its upper end"
    else:
        needed = gbp_range(max(saving["p10"], 0.0), saving["p90"])
    rows = [{"Way": "A saving in the year", "Needed": needed, "Expected": "none"}]
    if not _changed(outlook, code):
        rows += [
            {
                "Way": words,
                "Needed": _growth(ways.loc[way]),
                "Expected": percent(ways.at[f"expected_{way}", "p50"]),
            }
            for way, words in (
                ("plan_growth", "Growth of EHC plans in that year alone"),
                ("funding_growth", "Growth of the high needs block in that year alone"),
            )
        ]
    return pd.DataFrame(rows)


def _changed(outlook: Outlook, code: str) -> bool:
    """Whether levers or drivers of its own change a council's position."""
    if outlook.changed is None:
        return False
    place = outlook.fit.councils.index.get_loc(code)
    return bool(outlook.changed[:, place].any())


def _growth(row: pd.Series) -> str:
    return f"{percent(row['p10'])} to {percent(row['p90'])}"
