"""The record: projections of past days compared with what happened, and with rules that need no model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import binom, norm
from scoringrules import crps_ensemble, crps_normal, weighted_interval_score

from deficits.assumptions import Assumptions, assumed
from deficits.errors import ProjectionError
from deficits.formatting import gbp, iso_day, year_end
from deficits.panel import Panel, build, load_panel
from deficits.projection.cache import kept, key_of
from deficits.projection.condition import newest_national_figure
from deficits.projection.fit import fit
from deficits.projection.history import NEARLY_ALL, base_year
from deficits.projection.projection import Projection, national, project, quantiles
from deficits.projection.streams import Array
from deficits.raw import raw_data
from deficits.simulated import QUANTILES, in_units

OURS = "This projection"
SAME_GRANTS = ", same grants"
SCORES = ["error", "crps", "interval", "within_50", "within_80"]
RESAMPLES = 2000
NORMAL = {name: float(norm.ppf(share)) for name, share in QUANTILES.items()}
RULES: dict[str, Callable[[pd.Series, pd.Series, pd.Series, int], pd.Series]] = {
    "Last value": lambda moved, before, block, years: 0 * moved,
    "Own drift": lambda moved, before, block, years: years * (moved + before) / 2,
    "Half own, half national drift": lambda moved, before, block, years: (
        years * ((moved + before) / 2 + block * (moved + before).sum() / block.sum() / 2) / 2
    ),
    "Last in-year position": lambda moved, before, block, years: years * moved,
}
"""Rules that need no model: the change of a balance over some years (£), from its last two yearly changes (the
newer first) and the block."""


@dataclass(frozen=True)
class Backtest:
    """A projection of a past day compared with what happened.

    `as_of`: the day (ISO). `origin`: the newest year end whose balances were public on it. `councils`: indexed by
    DfE number; name, region, block, start and actual (£, balance at 31 March of `origin` and of `target`), p10 to
    p90, and pit (share of draws below what happened). `scores`: one row a method, the projection first; error
    (mean absolute error of the median, £), crps (continuous ranked probability score, £), interval (weighted
    interval score, £; for all three lower is better), within_50 and within_80 (share of councils inside the
    range). `losses`: CRPS by council (rows) and method, £. `england`: gross deficit of the same councils, £: p10
    to p90 and actual.
    """

    as_of: str
    origin: int
    target: int
    councils: pd.DataFrame
    scores: pd.DataFrame
    losses: pd.DataFrame
    england: pd.Series

    def skill(self) -> pd.DataFrame:
        """By how much the projection's CRPS is below that of each other method, the strongest (lowest CRPS) first:
        crps (£) and the columns of `skill`; above 0 the projection is better."""
        rows = {
            method: {"crps": losses.mean(), **skill(self.losses[OURS], losses, self.councils["region"])}
            for method, losses in self.losses.drop(columns=OURS).items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").sort_values("crps").rename_axis("method")

    def pit(self) -> pd.DataFrame:
        """How many councils' outcomes lie in each tenth of their distributions, and what is likely if all is
        right.

        One row a tenth: from and to (shares), councils, and low and high (95% of a binomial with equal chances).
        """
        edges = np.linspace(0, 1, 11)
        count, _ = np.histogram(self.councils["pit"], edges)
        low, high = binom.ppf([0.025, 0.975], len(self.councils), 0.1)
        return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "councils": count, "low": low, "high": high})


def skill(ours: pd.Series, other: pd.Series, regions: pd.Series) -> dict[str, float]:
    """Skill: 1 less the ratio of two sums of losses. Its 95% intervals: councils_low to councils_high with
    councils drawn again, regions_low to regions_high with whole regions. "Better" is to be said only where the
    interval excludes 0."""
    rng = np.random.default_rng(1)
    both = pd.DataFrame({"ours": ours, "other": other, "region": regions}).dropna()
    found = {"skill": 1 - both["ours"].sum() / both["other"].sum()}
    sums = both.groupby("region")[["ours", "other"]].sum().to_numpy()
    for name, losses in (("councils", both[["ours", "other"]].to_numpy()), ("regions", sums)):
        picked = losses[rng.integers(0, len(losses), (RESAMPLES, len(losses)))].sum(axis=1)
        found[f"{name}_low"], found[f"{name}_high"] = np.quantile(1 - picked[:, 0] / picked[:, 1], [0.025, 0.975])
    return found


def scored_record(now: Panel) -> tuple[str, int]:
    """The day and the year end of the record by council.

    The newest year end that nearly all councils have a balance of and that lay the assumed years ahead of the
    newest one known on a day; of several such days the first. ProjectionError when there is none.
    """
    ahead = int(assumed("backtest", "years_ahead").number)
    for target in sorted(returned_gross(now).index, reverse=True):
        for day in past_days(now):
            if base_year(as_known(now, day)) == target - ahead:
                return day, int(target)
    raise ProjectionError(
        f"no past projection can be scored: no year end lies {ahead} years after balances that were public on one "
        f"of the days of data/assumptions/backtest.yaml until {now.as_of or 'today'}"
    )


def past_days(now: Panel) -> list[str]:
    """The days (ISO) from which past projections are made, until the panel's own."""
    days: list[date] = assumed("backtest", "days").value  # type: ignore[assignment]
    return [iso_day(day) for day in days if now.as_of is None or iso_day(day) < now.as_of]


def as_known(now: Panel, day: str) -> Panel:
    """What was public on a day, from the raw data that a panel was built from."""
    return load_panel(day) if now.raw is raw_data() else build(now.raw, day)


def returned_gross(panel: Panel) -> pd.Series:
    """England's gross deficit by year end, £, as councils returned it: where nearly all have a balance."""
    balances = panel.frame["balance"].groupby(level="year")
    gross = (-panel.frame["balance"]).clip(lower=0).groupby(level="year").sum()
    return in_units(gross[balances.count() >= NEARLY_ALL * balances.size()], "£")


def backtest(now: Panel, then: Panel, target: int, draws: int = 4000) -> Backtest:
    """Project from what was public `then` and score it on the balances known `now`.

    The councils scored are those with a balance at the origin, two years before it and at the target: in section
    251 where nearly all councils returned that for the target, else in the panel. Nothing of the target is used:
    each number of the model is an assumption stated in `Assumptions`, or fitted to figures that were public then.

    Raises ProjectionError when the older panel has no date, or too few balances of the target are known to score
    it. Kept in the folder that DEFICITS_CACHE names, if it does, as `project` is.
    """
    return kept(
        lambda: "-".join(["backtest", *(key_of(each, Assumptions(), (), target, draws) for each in (now, then))]),
        lambda: _backtest(now, then, target, draws),
    )


def _backtest(now: Panel, then: Panel, target: int, draws: int) -> Backtest:
    if then.as_of is None:
        raise ProjectionError("a backtest needs a panel as of a day: load_panel(as_of='2023-02-28')")
    if target not in returned_gross(now).index:
        raise ProjectionError(f"a backtest needs balances of nearly all councils at {year_end(target)}")
    projection = project(then, until=target, draws=draws)
    origin = projection.base_year
    balances, section251 = now.figure("balance"), now.figure("balance_section251")
    if section251[target].count() >= NEARLY_ALL * balances[target].count():
        balances = section251
    blocks = projection.fit.councils["block"]
    known = balances[[origin - 2, origin, target]].dropna().index
    scored = blocks.index[blocks > 0].intersection(known)
    if scored.empty:
        raise ProjectionError(f"no council has a balance at {origin - 2}, {origin} and {target}")
    actual, block = balances.loc[scored, target], blocks[scored]
    past = balances.loc[scored, [origin - 2, origin - 1, origin]]
    # No agreement that was still being negotiated is paid.
    agreed = replace(then, agreements=then.agreements[then.agreements["basis"] != "expected"])
    plain = project(agreed, until=target, draws=draws)
    drawn = {
        name: each.balance.sel(authority=scored, year=target).transpose("authority", "draw")
        for name, each in {OURS: projection, "Without the safety valve rule": plain}.items()
    }
    ranges = {name: quantiles(each) for name, each in drawn.items()}
    losses = {name: crps_ensemble(actual.to_numpy(), each.values) for name, each in drawn.items()}
    for name, (point, sigma) in _naive(projection, past, block, target):
        ranges[name] = pd.DataFrame({level: point + times * sigma for level, times in NORMAL.items()})
        losses[name] = crps_normal(actual.to_numpy(), point.to_numpy(), sigma.to_numpy())
    scores = {
        name: cases(actual, each).assign(crps=losses[name], interval=_interval(actual, each)).mean()
        for name, each in ranges.items()
    }
    gross = quantiles(national(projection.balance.sel(authority=scored, year=[target]), "gross")).loc[target]
    councils = projection.fit.councils.loc[scored, ["name", "region"]].assign(
        block=block,
        start=past[origin],
        actual=actual,
        pit=(drawn[OURS].values < actual.to_numpy()[:, None]).mean(axis=1),
    )
    return Backtest(
        as_of=then.as_of,
        origin=origin,
        target=target,
        councils=councils.join(ranges[OURS]),
        scores=pd.DataFrame(scores).T.rename_axis("method")[SCORES],
        losses=pd.DataFrame(losses, index=scored),
        england=pd.Series({**gross, "actual": float((-actual).clip(lower=0).sum())}),
    )


def cases(actual: pd.Series, ranges: pd.DataFrame) -> pd.DataFrame:
    """How each outcome lies in its range (p10 to p90): error (absolute, of the median), whether it is within the
    50% and the 80% range, and below or above the latter."""
    return pd.DataFrame(
        {
            "error": (actual - ranges["p50"]).abs(),
            "within_50": actual.between(ranges["p25"], ranges["p75"]),
            "within_80": actual.between(ranges["p10"], ranges["p90"]),
            "below": actual < ranges["p10"],
            "above": actual > ranges["p90"],
        }
    )


def _interval(actual: pd.Series, ranges: pd.DataFrame) -> Array:
    lower, upper = ranges[["p10", "p25"]].to_numpy(), ranges[["p90", "p75"]].to_numpy()
    levels = np.array([0.2, 0.5])  # what lies outside the 80% and the 50% range
    score: Array = weighted_interval_score(actual.to_numpy(), ranges["p50"].to_numpy(), lower, upper, levels)
    return score


def _naive(
    projection: Projection, past: pd.DataFrame, block: pd.Series, target: int
) -> Iterator[tuple[str, tuple[pd.Series, pd.Series]]]:
    """Rules that need no model, each as it is and with the safety valve payments that the projection has.

    The range is Gaussian, as wide for each year ahead as the rule was wrong a year ahead at the origin.
    """
    before, middle, origin = (past[year] for year in past)
    middle = middle.fillna((before + origin) / 2)
    paid = projection.fit.safety_valve_payments.loc[past.index]
    last = int(past.columns[-1])
    years = target - last
    received = [paid.get(year, 0 * block) for year in (last - 1, last)]
    ahead = paid.reindex(columns=range(last + 1, target + 1)).sum(axis=1)
    for grants in (False, True):
        older = middle - before - (received[0] if grants else 0)
        newer = origin - middle - (received[1] if grants else 0)
        for name, rule in RULES.items():
            point = origin + rule(newer, older, block, years) + (ahead if grants else 0)
            wrong = (newer - rule(older, older, block, 1)) / block
            yield name + SAME_GRANTS * grants, (point, years * float(wrong.std()) * block)


def vintages(now: Panel, draws: int = 2000) -> pd.DataFrame:
    """England's gross deficit as the projection would have had it on past days, and what happened, £.

    One row a day and year end that was not public on it and is now: as_of, year, p10 to p90, actual, and
    forecasts: what others had published by that day for that year end (publisher and £bn, in words; empty where
    none had).
    """
    actual = outturns(now)
    rows = []
    for day in past_days(now):
        then = as_known(now, day)
        later = {year: amount for year, amount in actual.items() if year > max(outturns(then))}
        if not later:
            continue
        gross = project(then, until=max(later), draws=draws).england().loc["gross"]
        rows += [
            {"as_of": day, "year": year, **gross.loc[year], "actual": amount, "forecasts": _told(then, year)}
            for year, amount in later.items()
        ]
    return pd.DataFrame(rows, columns=["as_of", "year", *QUANTILES, "actual", "forecasts"])


def coverage(now: Panel, draws: int = 1000) -> pd.DataFrame:
    """How often councils' balances lay in their ranges, by the day a projection is made and the years ahead.

    One row a day and later year end with balances of at least half of the councils: as_of, origin, year, ahead
    (years from the origin), councils, error (mean absolute error, £), within_50 and within_80, below and above
    (shares of councils outside the 80% range, on the side of a larger and of a smaller deficit).
    """
    balances = now.figure("balance")
    held = [int(year) for year in balances if balances[year].notna().mean() >= 0.5]
    rows = []
    for day in past_days(now):
        then = as_known(now, day)
        origin, known = base_year(then), then.figure("balance").reindex(columns=held).notna().mean()
        later = [year for year in held if year > origin and known[year] < 0.5]
        if not later:
            continue
        projection = project(then, until=max(later), draws=draws)
        for year in later:
            scored = balances[year].dropna().index.intersection(projection.fit.councils.index)
            ranges = quantiles(projection.balance.sel(authority=scored, year=year))
            about = {"as_of": day, "origin": origin, "year": year, "ahead": year - origin, "councils": len(scored)}
            rows.append(about | cases(balances.loc[scored, year], ranges).mean().to_dict())
    return pd.DataFrame(rows)


def components(now: Panel) -> pd.DataFrame:
    """How the rules for parts with long histories would have done: growth a year ahead, from each year before it.

    One row a component (plans of England, spend per plan, councils' shares of plans and of spend) and rule:
    origins, cases, error (mean absolute error of growth, share). The rules are known before each origin: the
    fading rule with the long run and persistence of `Assumptions`, the last growth again, no growth, and the mean
    until then.
    """
    assumptions = Assumptions()
    known = fit(now, base_year(now) + 1)
    plans, spend = known.history.plans, known.history.spend
    missed: dict[tuple[str, str], pd.Series] = {}
    for name, series in {"plans": plans, "spend": spend, "spend per plan": spend / plans}.items():
        long_run = assumptions.long_run_rate_growth if name == "plans" else assumptions.long_run_prices
        growth = series.pct_change().dropna()
        last = growth.shift()
        rules = {
            "fading": long_run + assumptions.growth_persistence * (last - long_run),
            "last growth again": last,
            "mean until then": growth.expanding().mean().shift(),
            "no growth": 0 * last,
        }
        missed |= {(name, rule): (growth - said).dropna() for rule, said in rules.items()}
    councils = {
        "councils' shares of plans": known.accounts.plans.loc[:, int(plans.index[0]) + 1 : int(plans.index[-1])],
        "councils' shares of spend": known.accounts.spend.loc[:, : known.accounts.spent],
    }
    for name, share in councils.items():
        moved = np.log(share.where(share > 0)).diff(axis=1).iloc[:, 1:]
        for rule, said in {"no change": 0 * moved, "last change again": moved.shift(axis=1)}.items():
            missed[name, rule] = (moved - said).iloc[:, 1:].stack()
    rows = [
        (name, rule, each.index.get_level_values(-1).nunique(), len(each), each.abs().mean())
        for (name, rule), each in missed.items()
    ]
    return pd.DataFrame(rows, columns=["component", "rule", "origins", "cases", "error"])


def live_record(now: Panel, draws: int = 4000) -> pd.DataFrame:
    """What councils have stated since the newest returned balances, compared with a projection made without their
    statements.

    One row a council, year end and kind (outturn or forecast; the most trusted and newest): authority, name,
    region, block (£), year, kind, trust, stated (£), p10 to p90 (£), error (£, median less stated), crps (£).
    """
    base = base_year(now)
    unseen = now.frame.copy()
    later = unseen.index.get_level_values("year") > base
    unseen.loc[later, [name for name in unseen if name.startswith("balance")]] = np.nan
    rows = now.statements.query("measure == 'dsg_balance' and year > @base and kind in ('outturn', 'forecast')")
    rows = rows[rows["use"]].sort_values("published", ascending=False).sort_values("trust", kind="stable")
    rows = rows.drop_duplicates(["authority", "year", "kind"])
    if rows.empty:
        return pd.DataFrame()
    projection = project(replace(now, frame=unseen), until=max(int(rows["year"].max()), base + 1), draws=draws)
    councils = projection.fit.councils
    rows = rows[rows["authority"].isin(councils.index)].sort_values(
        ["year", "kind", "authority"], ignore_index=True
    )
    drawn = at_rows(projection, rows)
    found = rows[["authority"]].join(councils[["name", "region", "block"]], on="authority")
    found = found.join(rows[["year", "kind", "trust"]]).assign(stated=rows["value"]).join(quantiles(drawn))
    score = crps_ensemble(found["stated"].to_numpy(), drawn.transpose("row", "draw").values)
    return found.assign(error=found["p50"] - found["stated"], crps=score)


def at_rows(projection: Projection, rows: pd.DataFrame) -> xr.DataArray:
    """Balances of the council (`authority`) and year of each row, £, dims draw and row."""
    return projection.balance.sel({name: xr.DataArray(rows[name], dims="row") for name in ("authority", "year")})


def statements_by_region(live: pd.DataFrame) -> pd.DataFrame:
    """Councils' own forecasts by region and year end, compared with the projection of the same councils, £
    (positive = deficit). `live`: of `live_record`.

    Indexed by year and region; councils (number), stated, projected (sum of medians), difference (projected less
    stated) and spread: by how much a sum of so many councils would stray if each strayed on its own as far, as a
    share of its block, as that year's statements do from the projection (standard deviation around their mean).
    """
    said = live[live["kind"] == "forecast"]
    apart = (said["error"] / said["block"]).groupby(said["year"]).transform("std")
    said = said.assign(councils=1, projected=said["p50"], spread=(apart * said["block"]) ** 2)
    table = said.groupby(["year", "region"])[["councils", "stated", "projected", "spread"]].sum()
    table[["stated", "projected"]] *= -1
    table.insert(3, "difference", table["projected"] - table["stated"])
    return table.assign(spread=np.sqrt(table["spread"]))


def outturns(panel: Panel) -> dict[int, float]:
    """England's gross deficit by year end, £: councils' returns, then the national figure that is newer."""
    returns = {int(year): float(gross) for year, gross in returned_gross(panel).items()}
    newest = newest_national_figure(panel, Assumptions(), max(returns) + 1)
    return returns | ({newest.year: newest.gross} if newest else {})


def _told(then: Panel, year: int) -> str:
    """Each publisher's newest forecast of a cumulative deficit that was public."""
    rows = then.forecasts.query("measure == 'cumulative_deficit' and unit == 'gbp' and year == @year")
    newest = rows.sort_values("published").drop_duplicates("publisher", keep="last")
    return "; ".join(f"{row.publisher} {gbp(row.central)}" for row in newest.itertuples() if row.central > 0)
