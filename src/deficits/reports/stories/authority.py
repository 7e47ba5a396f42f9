"""The report on one council."""

from __future__ import annotations

import numpy as np
import pandas as pd

from deficits.formatting import day_in_words, financial_year, gbp, gbp_range, listed, percent, year_end
from deficits.panel import FIGURES, Panel, divide, read_splits, shares
from deficits.projection import Projection
from deficits.projection.councils import own_assumptions
from deficits.projection.summaries import dsg, pupils
from deficits.raw import raw_data
from deficits.reports.stories.common import Points, pounds, sentence, standing, standing_range
from deficits.writeoff import WriteOff

BASIS = {
    "reported": "published",
    "derived_from_percentage": "worked out from a published percentage",
    "derived": "worked out from published figures",
    "disputed": "disputed",
    "stated": "stated by the council",
    "own_outturn": "given by whoever made this page",
}
"""What a balance is, in words."""


def known_balances(panel: Panel, code: str) -> pd.DataFrame:
    """A council's closing balances that are known: by year, columns value (£, negative = deficit) and basis."""
    rows = panel.frame.loc[code, ["balance", "balance_basis"]].dropna().set_axis(["value", "basis"], axis=1)
    return rows[rows["basis"] != "own_forecast"]


def ahead(projection: Projection, code: str) -> int:
    """The year end of a projection to say first: the headline's, or the one after the council's newest balance."""
    known = known_balances(projection.panel, code).index
    newest = int(known[-1]) if len(known) else projection.base_year
    return min(max(projection.headline_year, newest + 1), projection.years[-1])


def authority_points(result: WriteOff, code: str) -> Points:
    """Main points and headline figures of the report on one council."""
    projection = result.projection
    council = projection.fit.councils.loc[code]
    near, last = ahead(projection, code), min(result.scheme.override_ends, projection.years[-1])
    path, row = projection.authority(code), result.by_authority().loc[code]
    given = own_assumptions(projection.panel, projection.assumptions, projection.fit.councils.index)
    follow = "published spend and what the scenario sets for it" if code in given else "published spend"
    points = [
        _known(projection, code),
        f"The projection puts it at {standing_range(path.loc[near])} at {year_end(near)} (8 in 10 simulated "
        "futures).",
        *([f"By {year_end(last)}, without a write-off, {standing_range(path.loc[last])}."] if last > near else []),
        f"{result.scheme.title}: {_grant(row)}.",
        "These are estimates from public figures, not the council's own forecast. They follow the council's "
        f"{follow}, and nothing else of it, after the last balance that is known.",
        *result.warnings,
    ]
    headline: dict[str, float | int | str] = {"authority": str(council["name"])}
    headline[f"balance_{council['last_known']}"] = pounds(float(council["start"]))
    for year in sorted({projection.headline_year, near}):
        headline |= {f"balance_{year}_{part}": pounds(path.at[year, part]) for part in ("p10", "p50", "p90")}
    headline |= {f"grant_{part}": pounds(row[f"grant_{part}"]) for part in ("p10", "p50", "p90")}
    return points, headline


def _known(projection: Projection, code: str) -> str:
    """What is known of a council's balance: at the newest year end with balances of nearly all, and later."""
    council, base = projection.fit.councils.loc[code], projection.base_year
    known = known_balances(projection.panel, code)
    if known.empty:
        return (
            f"{council['name']}'s dedicated schools grant balance at {year_end(base)} is put at "
            f"{standing(float(council['start']))}: an estimate, since the council has not reported one."
        )
    first = min(base, int(known.index[-1]))
    told = [_balance(projection.panel, code, int(year), balance) for year, balance in known.loc[first:].iterrows()]
    missing = f" None for {year_end(base)} is held." if int(known.index[-1]) < base else ""
    return f"{council['name']}'s dedicated schools grant balance was {listed(told)}.{missing}"


def _balance(panel: Panel, code: str, year: int, balance: pd.Series) -> str:
    """A known balance in words, with what it is; a disputed one with each return."""
    basis = BASIS[balance["basis"]]
    if balance["basis"] == "disputed":
        returns = {"balance_section251": "section 251", "balance_mhclg": "MHCLG's revenue outturn"}
        given = panel.frame.loc[(code, year), list(returns)].dropna()
        told = listed([f"{standing(float(value))} in {returns[name]}" for name, value in given.items()])
        basis += f": {told}" if len(given) > 1 else ", and in one return only"
    return f"{standing(float(balance['value']))} at {year_end(year)} ({basis})"


def _grant(row: pd.Series) -> str:
    if row["grant_p90"] <= 0:
        return "no grant is likely, since the council is likely to be in surplus"
    if row["grant_p10"] <= 0:
        return f"a grant of up to {gbp(row['grant_p90'])}, with a chance of {percent(row['paid'])} of any"
    return f"a grant of {gbp_range(row['grant_p10'], row['grant_p90'])}"


def authority_notes(projection: Projection, code: str) -> list[str]:
    """What a reader of one council's page must know: the projection's warnings, and an announced division."""
    notes = list(projection.warnings)
    split = read_splits().get(code)
    if split is not None:
        name = projection.panel.authorities.name(code)
        year = split.on.year if split.on.month > 3 else split.on.year - 1
        balance = projection.authority(code).at[year, "p50"]
        parts = shares(split)
        told = listed(
            [
                f"{successor} {standing(float(amount))} ({percent(parts[successor])})"
                for successor, amount in divide(balance, parts).items()
            ]
        )
        notes.append(
            f"{name} is to be divided on {day_in_words(split.on)}. By people aged 2 to 18, an assumption, its "
            f"balance of {year_end(year)} would leave {told}, at the middle of the range and without a write-off."
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


def near(projection: Projection, code: str) -> list[str]:
    """DfE numbers of the councils that one is set beside, nearest first."""
    frame = projection.panel.authorities.frame
    block = projection.fit.councils["block"]
    kind = frame["gss"].str[:3]
    others = block[(kind.reindex(block.index) == kind[code]) & (block > 0)].drop(code, errors="ignore")
    return list((others - block[code]).abs().nsmallest(NEIGHBOURS).index)


def beside_others(projection: Projection, code: str) -> pd.DataFrame:
    """The council beside those nearest in size, its region and England, at the headline's year end.

    Columns Place, Net deficit (£), Per person aged 2 to 18 (£), Per EHC plan (£), Share of DSG (0 to 1): middles
    of the ranges, negative where the place is in surplus.
    """
    year = projection.headline_year
    frame = projection.fit.councils
    region = str(frame.at[code, "region"])
    places = {str(frame.at[other, "name"]): [other] for other in [code, *near(projection, code)]}
    places |= {region: projection.in_region(region), "England": list(frame.index)}
    every = pd.Index(frame.index)
    divisors = {
        "Per person aged 2 to 18 (£)": pupils(projection.panel, every, [year])[year],
        "Per EHC plan (£)": projection.middle_plans(year),
        "Share of DSG (0 to 1)": dsg(projection.panel, projection.assumptions, every, [year])[year],
    }
    balance = projection.balance.sel(year=year)
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


def questions(result: WriteOff, code: str) -> pd.DataFrame:
    """What requests under the Freedom of Information Act ask every council, answered: columns Question, Answer."""
    projection = result.projection
    soon, last = ahead(projection, code), projection.years[-1]
    later = min(soon + 1, last)
    path, helped = projection.authority(code), result.authority(code)
    newest = known_balances(projection.panel, code).iloc[-2:]
    past = [_balance(projection.panel, code, int(year), balance) for year, balance in newest.iterrows()]
    coming = [f"{year_end(year)}: {standing_range(path.loc[year])}" for year in sorted({soon, later})]
    clears = float((projection.balance.sel(authority=code, year=last) >= 0).mean())
    rows = {
        "What was the balance at the last two year ends known?": "; ".join(past) or "none is known",
        f"What will it be at {listed([year_end(year) for year in sorted({soon, later})])}?": "; ".join(coming),
        f"How large is the overspend of {financial_year(soon)}, as a share of the DSG?": _overspend(
            projection, code, soon
        ),
        "When will the deficit clear?": f"in {percent(clears)} of futures by {year_end(last)}, without help",
        f"What does carrying it cost in {financial_year(later)}?": _carrying(result, code, later),
        "Do reserves cover it?": _covered(result, code),
        f"What would {result.scheme.title} pay?": _grant(result.by_authority().loc[code]),
        f"What would stand at {year_end(last)} with it?": standing_range(helped.loc[last]),
    }
    return pd.DataFrame({"Question": list(rows), "Answer": [sentence(answer) for answer in rows.values()]})


def _overspend(projection: Projection, code: str, year: int) -> str:
    """The in-year position of a year without grants, at the middle, as a share of the DSG."""
    ends = projection.balance.sel(authority=code, year=[year - 1, year]).diff("year").median("draw")
    position = float(ends.item()) - float(projection.dataset["bail_out"].sel(authority=code, year=year))
    grant = float(dsg(projection.panel, projection.assumptions, pd.Index([code]), [year]).iloc[0, 0])
    if not grant > 0:
        return "the council's DSG is not among the figures held"
    return f"about {percent(-position / grant)}" if position < 0 else "none: a surplus in the year is likely"


def _carrying(result: WriteOff, code: str, year: int) -> str:
    """Interest on the average deficit of a year, without and with the scheme."""
    rate = result.projection.assumptions.financing_rate
    told = []
    for balance in (result.projection.balance, result.standing):
        ends = (-balance.sel(authority=code, year=[year - 1, year])).clip(min=0.0).mean("year")
        told.append(gbp(round(rate * float(ends.median("draw")), -4)))
    if told == [gbp(0), gbp(0)]:
        return "nothing: the council is likely to be in surplus"
    return f"about {told[0]} in interest at {rate:.2%}, paid from the general fund; {told[1]} with the scheme"


def _covered(result: WriteOff, code: str) -> str:
    """Whether reserves cover the deficit: those of the year end at which nearly all councils' are published."""
    projection, year = result.projection, result.inputs.reserves_year
    amount = float(result.inputs.reserves.loc[code].sum(skipna=False))
    if year is None or np.isnan(amount):
        when = "" if year is None else f" at {year_end(year)}"
        return f"not known: the council's reserves{when} are not among the figures held"
    told, draws = (
        f"usable reserves were {gbp(amount)} at {year_end(year)}; ",
        projection.balance.sel(authority=code),
    )
    known = known_balances(projection.panel, code)["value"]
    if len(known) and -known.iloc[-1] > amount:
        return f"{told}the deficit of {year_end(int(known.index[-1]))} was above that"
    newest = int(known.index[-1]) if len(known) else projection.base_year
    above = {end: float((-draws.sel(year=end) > amount).mean()) for end in projection.years if end > newest}
    first = next((end for end, share in above.items() if share >= 0.5), None)
    if first is None:
        last = projection.years[-1]
        return (
            f"{told}the deficit is above that by {year_end(last)} in {percent(above[last])} of simulated futures"
        )
    return f"{told}the deficit is more likely than not to be above that from {year_end(first)}, without help"


STAYS = (
    "No high needs block is published for this council, so its balance stays as it is in this projection, but for "
    "what a scenario says that it pays in."
)


def moves(projection: Projection, code: str) -> bool:
    """Whether a council's balance moves: that of one without a high needs block stays as it is."""
    return bool(projection.fit.councils.at[code, "block"] > 0)


def breaking_even(projection: Projection, year: int, code: str) -> pd.DataFrame:
    """What would stop a council's deficit growing in a year, in words: columns Way, Needed, Expected.

    A saving alone where levers or assumptions of its own move the council: its growth is not England's then.
    """
    ways = projection.breakeven(code, year)
    saving = ways.loc["saving"]
    if saving["p50"] <= 0:
        needed = f"none at the middle of the range; {gbp(saving['p90'])} at its upper end"
    else:
        needed = gbp_range(max(saving["p10"], 0.0), saving["p90"])
    rows = [{"Way": "A saving in the year", "Needed": needed, "Expected": "none"}]
    if not _changed(projection, code):
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


def _changed(projection: Projection, code: str) -> bool:
    """Whether levers or assumptions of its own change a council's position."""
    if projection.changed is None:
        return False
    place = projection.fit.councils.index.get_loc(code)
    return bool(projection.changed[:, place].any())


def _growth(row: pd.Series) -> str:
    return f"{percent(row['p10'])} to {percent(row['p90'])}"


def followed(projection: Projection, code: str) -> str:
    """How a council's projection goes on from what is published of it, in sentences."""
    spend = projection.panel.figure("high_needs_net_spend").loc[code].dropna().index
    known = known_balances(projection.panel, code).index
    newest = int(known[-1]) if len(known) else projection.base_year
    starts = (
        f"recent position and follows its published spend to {financial_year(int(spend[-1]))}"
        if max(spend, default=0) > newest
        else f"position at {year_end(newest)}"
    )
    return (
        f"The projection starts from the council's own {starts}; after that it takes its share of England's "
        "growth, and its own position fades slowly. In the usual projection safety valve grant is counted as its "
        "agreement schedules it where payments are not public. A council's own closing balance, once known, is "
        "the better figure."
    )


RETURNED = ("reported", "derived_from_percentage", "derived", "disputed")
"""What a balance from a national return is."""
MEASURES = {
    "dsg_balance": "DSG balance",
    "dsg_balance_low": "DSG balance, larger deficit of a range",
    "dsg_balance_high": "DSG balance, smaller deficit of a range",
    "high_needs_block_balance": "balance of the high needs block alone",
}
"""What a council's statement is of, in words."""
SAID_FORMATS = {"Balance (£)": "gbp_m"}


def said(panel: Panel, code: str) -> pd.DataFrame:
    """What a council has said of its balance since the newest that a national return has.

    Columns Year end, Balance (£, negative = deficit), What it is, Source, Published, Page.
    """
    own = panel.frame.loc[code]
    returned = own.index[own["balance_basis"].isin(RETURNED) & own["balance"].notna()]
    rows = panel.statements[panel.statements["authority"].eq(code)]
    rows = rows[rows["year"] > max(returned, default=0)].sort_values(["year", "published"])
    not_used = np.where(rows["use"], "", ", not used: " + rows["reason"].fillna("its date or nature is not clear"))
    return pd.DataFrame(
        {
            "Year end": [year_end(int(year)) for year in rows["year"]],
            "Balance (£)": rows["value"],
            "What it is": rows["kind"] + ": " + rows["measure"].map(MEASURES) + not_used,
            "Source": rows["source_kind"].str.replace("_", " "),
            "Published": [
                day_in_words(day) if isinstance(day, str) else "day not seen" for day in rows["published"]
            ],
            "Page": rows["url"],
        }
    ).reset_index(drop=True)
