"""England's deficit in tidy frames: as published, projected and forecast by others, and under other assumptions.

Money is £, unrounded but for `estimates` and `headline`; a year is named by the calendar year that it ends in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from deficits.assumptions import Assumptions, CalibrationTarget, assumed
from deficits.formatting import england_estimate, last_day
from deficits.panel import Panel
from deficits.projection.backtest import at_rows, outturns, returned_gross
from deficits.projection.condition import returned
from deficits.projection.lever import Lever, lever_names
from deficits.projection.projection import Projection, national, quantiles
from deficits.simulated import ranges

OVERRIDE_ENDS = int(assumed("override", "ends").number)
"""The last year end that the statutory override covers."""


# As published


def observed_gross(panel: Panel) -> pd.DataFrame:
    """England's gross deficit as published: columns year, value (£), label (who it is from).

    Sums of councils' returns where nearly all have one, then the national figure that is newer.
    """
    known, sums = outturns(panel), set(returned_gross(panel).index)
    labels = [
        "Councils' returns" if year in sums else f"National figure, {first_published(panel, year)['publisher']}"
        for year in known
    ]
    return pd.DataFrame({"year": list(known), "value": list(known.values()), "label": labels})


def first_published(panel: Panel, year: int) -> pd.Series:
    """Who first published the national figure of a year end: publisher, published (ISO day), basis, value (£)."""
    rows = returned(panel.national).query("year == @year").sort_values("published")
    return rows.iloc[0][["publisher", "published", "basis", "value"]]


def published_by(panel: Panel, figure: str, year: int) -> pd.DataFrame:
    """The publications that councils' figures of a year are from: title, publisher, published, councils.

    The one of most councils comes first. `published` is an ISO day, or a month where only that is known.
    """
    rows = panel.frame[[f"{figure}_source", f"{figure}_published"]].xs(year, level="year").dropna()
    folder = rows[f"{figure}_source"].str.partition("/")[0]
    found = rows.groupby(folder)[f"{figure}_published"].agg(["max", "size"]).sort_values("size", ascending=False)
    sources = [panel.raw.source(folder) for folder in found.index]
    return pd.DataFrame(
        {
            "title": [source.title.partition(":")[0] for source in sources],
            "publisher": [source.publisher for source in sources],
            # A month alone is kept as its last day.
            "published": [day[:7] if day == last_day(day[:7]) else day for day in found["max"]],
            "councils": found["size"].to_numpy(),
        }
    )


def published_forecasts(panel: Panel, after: int = 0) -> pd.DataFrame:
    """Others' forecasts of England's cumulative deficit for year ends after `after`, £, oldest first.

    Columns publisher, year, low, central, high, published. What only repeats another's figure is left out; a
    forecast without central and high is a floor.
    """
    rows = panel.forecasts.query("measure == 'cumulative_deficit' and unit == 'gbp' and year > @after")
    columns = ["publisher", "year", "low", "central", "high", "published"]
    return rows.loc[rows["repeats"].isna(), columns].sort_values(["year", "published"], ignore_index=True)


# As projected


def estimates(projection: Projection) -> pd.DataFrame:
    """England's gross deficit by projected year end, £, rounded to what is known of it: p10 to p90."""
    gross = projection.england().loc["gross"].loc[projection.projected_years]
    ahead = gross.index - projection.base_year
    return gross.apply(lambda column: [england_estimate(*each) for each in zip(column, ahead, strict=True)])


def headline(projection: Projection) -> dict[str, float]:
    """England's headline values by name, £: its gross deficit at the headline year end and the override's end.

    As councils returned it where nearly all have; else p10, p50 and p90 as `estimates` has them.
    """
    known, rounded = returned_gross(projection.panel), estimates(projection)
    values: dict[str, float] = {}
    for year in dict.fromkeys([projection.headline_year, OVERRIDE_ENDS]):
        name = f"england_gross_deficit_{year}"
        if year in known.index:
            values[name] = england_estimate(known[year], 0)
        elif year in rounded.index:
            values |= {f"{name}_{part}": float(rounded.at[year, part]) for part in ("p10", "p50", "p90")}
    return values


def national_table(projection: Projection) -> pd.DataFrame:
    """England's plans, spending, block and deficit by year: as published, then the mean of the simulations.

    Columns plans, spending, block (£); plans_known, spending_known, block_known (whether published); and in £
    shortfall (spending less block), safety_valve, other (what spending and block do not explain) and growth (of
    the net deficit), which is shortfall less safety_valve plus other: these two from the first projected year on.
    """
    history, paths = projection.fit.history, projection.paths
    published = pd.DataFrame({"plans": history.plans, "spending": history.spend, "block": projection.fit.block})
    simulated = {"plans": paths.plans, "spending": paths.spend, "block": paths.block}
    means = pd.DataFrame({name: path.mean(axis=1) for name, path in simulated.items()}, index=paths.years)
    first = max(int(history.spend.index[0]), int(projection.fit.block.index[0]))
    table = published.combine_first(means).loc[first : paths.years[-1]].rename_axis("year")
    for name in published:
        table[f"{name}_known"] = published[name].reindex(table.index).notna()
    paid = projection.simulations["safety_valve_payments"].sum("authority").to_series()
    paid = paid.combine_first(projection.fit.safety_valve_payments.sum())
    table["shortfall"] = table["spending"] - table["block"]
    table["safety_valve"] = paid.reindex(table.index).fillna(0.0)
    table["growth"] = national(projection.balance, "net").mean("draw").to_series().diff()
    table["other"] = table["growth"] - table["shortfall"] + table["safety_valve"]
    return table


def spending_growth(projection: Projection, end: int) -> float:
    """Growth of England's high needs spending a year, share: from the newest published year to `end`, median."""
    spent = projection.fit.history.spend
    first = int(spent.index[-1])
    grown = np.median(projection.paths.spend[projection.paths.years.index(end)]) / spent[first]
    return float(grown ** (1 / (end - first)) - 1)


# Under other assumptions and levers


def sensitivity(
    projection: Projection, alternatives: Mapping[str, Mapping[str, Any]], years: Iterable[int]
) -> pd.DataFrame:
    """England's gross deficit under other assumptions, on the same random numbers, £.

    `alternatives`: by its name in the table, what each changes of the projection's assumptions, such as
    `{"Plans grow 3%": {"plan_growth": 0.03}}`. Indexed by (alternative, year), columns p10 to p90 and change (of
    the median, from the projection's own).
    """
    chosen, own = list(years), projection.england().loc["gross", "p50"]
    frames = {}
    for name, changes in alternatives.items():
        assumptions = Assumptions.model_validate({**dict(projection.assumptions), **changes})
        frame = projection.with_assumptions(assumptions).england().loc["gross"].loc[chosen]
        frames[name] = frame.assign(change=frame["p50"] - own[chosen])
    return pd.concat(frames, names=["alternative"])


def dfe_plan_growth(projection: Projection) -> dict[int, float]:
    """Growth of plans by projected year (shares) that leads from the newest count to DfE's next estimates of the
    share of pupils with a plan, with pupils as they are; empty where its estimates were not public."""
    estimates = assumed("plans", "share_of_pupils").by_year(projection.panel.as_of)
    plans = projection.fit.history.plans
    start = next((year for year in sorted(estimates) if year in plans.index), None)
    if start is None:
        return {}
    before, level = int(plans.index[-1]), float(plans.iloc[-1])
    growth: dict[int, float] = {}
    for year in sorted(year for year in estimates if year > before):
        target = float(plans[start] * estimates[year] / estimates[start])
        growth |= dict.fromkeys(range(before + 1, year + 1), (target / level) ** (1 / (year - before)) - 1)
        before, level = year, target
    return {year: each for year, each in growth.items() if year <= projection.years[-1]}


def newest_forecast(projection: Projection, publisher: str) -> pd.Series | None:
    """A publisher's newest forecast of a cumulative deficit at a projected year end, of England or (`region`) one
    region: a row of `panel.forecasts`. None where none was public."""
    rows = projection.panel.forecasts
    measures = rows["measure"].isin(["cumulative_deficit", "regional_cumulative_deficit"]) & rows["unit"].eq("gbp")
    theirs = rows[measures & rows["publisher"].eq(publisher) & rows["central"].notna() & rows["repeats"].isna()]
    theirs = theirs[theirs["year"].isin(projection.projected_years)]
    return None if theirs.empty else theirs.sort_values("published").iloc[-1]


def obr_target(projection: Projection) -> CalibrationTarget | None:
    """The OBR's newest forecast with the error assumed for it, to calibrate to; None where none was public."""
    theirs = newest_forecast(projection, "OBR")
    if theirs is None:
        return None
    error = assumed("projection", "obr_error").number
    return CalibrationTarget(year=int(theirs["year"]), gross=float(theirs["central"]), sd=error)


def levers_compared(projection: Projection, year: int, levers: Sequence[Lever] | None = None) -> pd.DataFrame:
    """What each lever alone, on the same simulations, changes of England's net deficit at a year end, £.

    The shipped levers and the projection's own, unless others are given. Columns lever, kind, terms, change_p10,
    change_p50, change_p90 (negative = smaller deficit), payers (who they are, in words) and others_pay (£ in that
    year, median).
    """
    without = projection.with_assumptions(levers=[]) if projection.levers else projection
    baseline = national(without.balance, "net").sel(year=year)
    place = without.years.index(year) - 1
    if levers is None:
        shipped = [Lever.read(name) for name in lever_names()]
        levers = [*shipped, *(lever for lever in projection.levers if lever not in shipped)]
    rows = []
    for lever in levers:
        changed = national(without.with_assumptions(levers=[lever]).balance, "net").sel(year=year) - baseline
        costs = lever.effect(without.fit, without.paths).elsewhere
        paid = {payer: float(np.median(cost[place].sum(axis=0))) for payer, cost in costs.items()}
        told: dict[str, Any] = {"lever": lever.title, "kind": "policy lever", "terms": lever.terms()}
        told |= {f"change_{name}": each for name, each in ranges(changed.values).items() if name != "mean"}
        payers = ", ".join(payer for payer, amount in paid.items() if amount) or "none"
        rows.append(told | {"payers": payers, "others_pay": sum(paid.values())})
    return pd.DataFrame(rows)


def stated_forecasts(projection: Projection) -> pd.DataFrame:
    """Councils' own forecasts of balances at projected year ends and the projection's, £ (negative = deficit).

    Columns authority, name, year, stated, detail, p10, p90, inside (whether within the 80% range, as far as it is
    rounded). What they state as an outturn is not in it: it counts as known. Nor is what is of doubtful origin.
    """
    stated, known = projection.panel.statements, projection.panel.frame["balance"].dropna().index
    rows = stated[stated["measure"].eq("dsg_balance") & stated["kind"].eq("forecast") & stated["use"]]
    rows = rows[~pd.MultiIndex.from_frame(rows[["authority", "year"]]).isin(known)]
    rows = rows[rows["year"].isin(projection.projected_years)].rename(columns={"value": "stated"})
    found = rows[["authority", "name", "year", "stated", "detail"]]
    found = found.join(quantiles(at_rows(projection, rows))[["p10", "p90"]].set_axis(rows.index))
    half = rows["rounding"] / 2
    return found.assign(inside=found["stated"].between(found["p10"] - half, found["p90"] + half))
