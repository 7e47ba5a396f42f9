"""One council compared with others: what is known of its balance, plans and costs, its rank and neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from deficits.formatting import gbp
from deficits.panel import FIGURES, Panel
from deficits.projection.projection import Projection
from deficits.projection.summaries import dsg, people_2_18
from deficits.publications.editions import STATED, Reader
from deficits.publications.tabulated import deprivation
from deficits.publications.tabulated import neighbours as dfe_neighbours
from deficits.simulated import in_units

RETURNS = {"balance_section251": "section 251 return", "balance_mhclg": "MHCLG revenue outturn"}
"""The two national returns of a balance, by figure of the panel."""
BASES = {
    "reported": "published",
    "derived_from_percentage": "published as a percentage",
    STATED: "stated by the council",
    "own_outturn": "supplied by the user",
}
"""What a balance is, in words."""
PLACEMENTS = {
    "plans_mainstream": "Mainstream schools",
    "plans_state_special": "State special schools",
    "plans_independent": "Independent schools",
}
ELSEWHERE = "Colleges or elsewhere"
NOT_USED = {
    "forecast": "a forecast: shown and scored",
    "outturn": "another figure is used",
    "unclear": "not said to be an outturn",
}
"""Why a statement that gives no reason itself is not used, by its kind."""


def known_balances(panel: Panel, code: str) -> pd.DataFrame:
    """A council's closing balances, £ (negative = deficit), one row a year end.

    Columns year, value, basis ("published", "disputed", "stated by the council" ...), from (the source of the
    value), other and other_from (what the other national return says, where the two are in dispute and do not
    print alike) and reason (of a declared correction, where a balance is in dispute for one; else empty).
    """
    columns = ["balance", "balance_basis", "balance_source", *RETURNS]
    rows = panel.frame.loc[code, columns].dropna(subset=["balance"])
    rows = rows[rows["balance_basis"] != "own_forecast"]
    found, doubts = [], panel.corrections.drop_duplicates("source").set_index("source")["reason"]
    for year, row in rows.iterrows():
        given = {words: row[figure] for figure, words in RETURNS.items() if pd.notna(row[figure])}
        mine = next((words for words, value in given.items() if value == row["balance"]), "council papers")
        others = {words: value for words, value in given.items() if gbp(value) != gbp(row["balance"])}
        basis = BASES.get(row["balance_basis"], row["balance_basis"].replace("_", " "))
        disputed = row["balance_basis"] == "disputed"
        words, value = next(iter(others.items())) if disputed and others else ("", np.nan)
        reason = doubts.get(row["balance_source"], "") if disputed else ""
        found.append((year, row["balance"], basis, mine, value, words, reason))
    return pd.DataFrame(found, columns=["year", "value", "basis", "from", "other", "other_from", "reason"])


def statements(panel: Panel, code: str) -> pd.DataFrame:
    """What a council has said of its balance at year ends that no national return covers, as it was stated.

    Columns year, value (£, negative = deficit), kind (outturn, forecast ...), measure, source, published (ISO day,
    missing where not seen), used (whether the projection uses it), reason (why not) and url.
    """
    known = known_balances(panel, code)
    newest = known.loc[known["basis"] != "stated by the council", "year"].max()
    rows = panel.statements[panel.statements["authority"].eq(code)]
    rows = rows[rows["year"] > (0 if pd.isna(newest) else newest)].sort_values(["year", "published"])
    used = rows["source"].isin(panel.frame["balance_source"])
    rows = rows.assign(used=used, reason=rows["reason"].fillna(rows["kind"].map(NOT_USED)).mask(used))
    columns = ["year", "value", "kind", "measure", "source_kind", "published", "used", "reason", "url"]
    return rows[columns].rename(columns={"source_kind": "source"}).reset_index(drop=True)


def replaced(panel: Panel, figure: str, codes: Sequence[str]) -> list[str]:
    """Values of councils that a declared correction has put in place of published ones, in sentences with the
    reason: they are in sums of councils too."""
    used = panel.frame.loc[panel.frame.index.isin(codes, level="authority"), f"{figure}_source"]
    made = panel.corrections[panel.corrections["action"].eq("override") & panel.corrections["source"].isin(used)]
    return [
        f"Estimated here, alone and in sums, not as published: {reason}." for reason in made["reason"].unique()
    ]


def own_path(projection: Projection, code: str) -> pd.DataFrame:
    """A council's own path in the analyst's file next to the projection, a row a forecast.

    Columns scenario (mitigated, unmitigated or forecast), year, value (£, negative = deficit) and the projection's
    p10, p50 and p90 of that year end.
    """
    own = projection.panel.own_paths
    mine = own.loc[own["authority"].eq(code) & own["year"].isin(projection.years), ["scenario", "year", "value"]]
    ours = projection.authority(code)[["p10", "p50", "p90"]]
    return mine.join(ours, on="year").sort_values(["scenario", "year"], ignore_index=True)


def placements(panel: Panel, codes: Sequence[str]) -> pd.DataFrame:
    """Where children with plans are taught: shares (0 to 1) of the plans of some councils together, by January.

    What is in none of the kinds of school has a column of its own. Councils without each kind are left out of a
    year, and years without any council.
    """
    plans, *kinds = _held_together(panel, codes, "plans", *PLACEMENTS)
    shares = pd.DataFrame(dict(zip(PLACEMENTS.values(), kinds, strict=True))).div(plans, axis=0).dropna()
    return in_units(shares.assign(**{ELSEWHERE: 1 - shares.sum(axis=1)}).rename_axis("January"), "share")


def costs(panel: Panel, codes: Sequence[str]) -> pd.DataFrame:
    """High needs spending of some councils together, by year: plans, spend (£, net, without place funding) and
    per_plan (£); in each year of those that have both."""
    plans, spend = _held_together(panel, codes, "plans", "high_needs_net_spend")
    return pd.DataFrame({"plans": plans, "spend": spend, "per_plan": spend / plans}).dropna()


def _held_together(panel: Panel, codes: Sequence[str], *figures: str) -> list[pd.Series]:
    """Sums of figures by year, of the councils that have them all; missing where none has."""
    tables = [panel.figure(figure).reindex(list(codes)) for figure in figures]
    known = np.logical_and.reduce([table.notna() for table in tables])
    return [table.where(known).sum(min_count=1) for table in tables]


def neighbours(panel: Panel, code: str) -> list[str]:
    """DfE numbers of a council's ten statistical neighbours, nearest first; none before DfE published them."""
    listed = dfe_neighbours(Reader(panel.raw, panel.authorities, panel.as_of))
    known = set(panel.frame.index.get_level_values("authority"))
    mine = listed[listed["authority"].eq(code)].sort_values("rank")["neighbour"]
    return [str(other) for other in mine if other in known]


def measures(projection: Projection, year: int) -> pd.DataFrame:
    """Each council at 31 March of a year, by DfE number: name, region, deficit (£, central estimate, negative =
    surplus), per_person (£ per person aged 2 to 18), per_plan (£), share_of_dsg (of that year's DSG, 0 to 1) and
    deprivation (average score of the index of multiple deprivation; higher is more deprived)."""
    panel, councils = projection.panel, projection.fit.councils
    deficit = -projection.balance.sel(year=year).median("draw").to_series()
    scores = deprivation(Reader(panel.raw, panel.authorities, panel.as_of))["score"].reindex(councils.index)
    shares = {name: deficit / size.replace(0, np.nan) for name, size in _sizes(projection, year).items()}
    return councils[["name", "region"]].assign(deficit=deficit, **shares, deprivation=scores)


def _sizes(projection: Projection, year: int) -> dict[str, pd.Series]:
    """What a deficit is divided by, by council: people aged 2 to 18, plans (England's at the median), DSG (£)."""
    panel, codes = projection.panel, projection.fit.councils.index
    plans = float(np.median(projection.paths.plans[projection.years.index(projection.year(year))]))
    return {
        "per_person": people_2_18(panel, codes, [year])[year],
        "per_plan": projection.fit.accounts.plans[year] * plans,
        "share_of_dsg": dsg(panel, projection.assumptions, codes, [year])[year],
    }


def compared(projection: Projection, places: Mapping[str, Sequence[str]], year: int) -> pd.DataFrame:
    """Places side by side at 31 March of a year; a place is one council or several together, by DfE number.

    Columns deficit (£, net, central estimate, negative = surplus), per_person (£ per person aged 2 to 18),
    per_plan (£) and share_of_dsg (0 to 1).
    """
    sizes, rows = _sizes(projection, year), {}
    for place, members in places.items():
        codes = list(members)
        deficit = -float(projection.balance.sel(year=year, authority=codes).sum("authority").median("draw"))
        shares = {name: deficit / float(size[codes].sum(min_count=1)) for name, size in sizes.items()}
        rows[place] = {"deficit": deficit} | shares
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("place")


def newest(panel: Panel, code: str) -> pd.DataFrame:
    """The newest value of each figure that is published for a council: columns meaning, value, unit, year, basis
    and publication (the analyst's file for an own figure)."""
    own, rows = panel.frame.loc[code], []
    for figure in FIGURES.values():
        year = own[figure.name].last_valid_index()
        if year is not None:
            value, basis, source = (own.at[year, f"{figure.name}{part}"] for part in ("", "_basis", "_source"))
            name = f"{panel.own}, supplied by the user"
            if not basis.startswith("own_"):
                name = panel.raw.source(source.split("/")[0]).publication
            rows.append((figure.meaning, value, figure.unit, int(year), basis.replace("_", " "), name))
    return pd.DataFrame(rows, columns=["meaning", "value", "unit", "year", "basis", "publication"])
