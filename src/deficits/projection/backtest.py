"""How good the projection would have been: made with what was public on a day, scored against what happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from scoringrules import crps_ensemble, crps_normal, weighted_interval_score

from deficits.assumptions import Assumptions, assumed
from deficits.errors import ProjectionError
from deficits.formatting import gbp, iso_day, year_end
from deficits.panel import Panel, load_panel
from deficits.projection.calibration import newest_national_figure
from deficits.projection.fit import NEARLY_ALL, base_year
from deficits.projection.projection import QUANTILES, Projection, national, project
from deficits.raw import raw_data


@dataclass(frozen=True)
class Backtest:
    """A projection of a past day beside what happened.

    `as_of`: the day (ISO). `origin`: the newest year end whose balances were public on it. `councils`: indexed by
    DfE number; name, block, start and actual (£, balance at 31 March of `origin` and of `target`), p10 to p90.
    `scores`: one row a method, the projection first; error (mean absolute error of the middle, £), crps
    (continuous ranked probability score, £), interval (weighted interval score of the middle, the 50% and the 80%
    range, £; for all three less is better), within_50 and within_80 (share of councils inside the range; missing
    for a method that gives none). `england`: gross deficit of the same councils, £: p10 to p90 and actual.
    """

    as_of: str
    origin: int
    target: int
    councils: pd.DataFrame
    scores: pd.DataFrame
    england: pd.Series


def scored_record(now: Panel) -> tuple[str, int]:
    """The day and the year end of the record by council.

    The newest year end that nearly all councils have a balance of and that lay the assumed years ahead of the
    newest one known on a day; of several such days the first. ProjectionError when there is none.
    """
    ahead = int(assumed("backtest", "years_ahead").value)  # type: ignore[arg-type]
    newest: dict[str, int] = {}
    for target in sorted(returned_gross(now).index, reverse=True):
        for day in past_days(now):
            if day not in newest:
                newest[day] = base_year(as_known(now, day))
            if newest[day] == target - ahead:
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
    return load_panel(day, raw=None if now.raw is raw_data() else now.raw.folder)


def returned_gross(panel: Panel) -> pd.Series:
    """England's gross deficit by year end, £, as councils returned it: where nearly all have a balance."""
    balances = panel.frame["balance"].groupby(level="year")
    gross = (-panel.frame["balance"]).clip(lower=0).groupby(level="year").sum()
    return gross[balances.count() >= NEARLY_ALL * balances.size()]


def backtest(
    now: Panel, then: Panel, target: int, assumptions: Assumptions | None = None, draws: int = 4000
) -> Backtest:
    """Project from what was public `then` and score it on the balances known `now`.

    The councils scored are those with a balance at the origin, two years before it and at the target: in section
    251 where nearly all councils returned that for the target, else in the panel. Nothing of the target is used:
    each number of the model is an assumption stated in `Assumptions`, or fitted to figures that were public then.

    Raises ProjectionError when the older panel has no date, or too few balances of the target are known to score
    it.
    """
    if then.as_of is None:
        raise ProjectionError("a backtest needs a panel as of a day: load_panel(as_of='2023-02-28')")
    if target not in returned_gross(now).index:
        raise ProjectionError(
            f"a backtest needs balances of nearly all councils at {year_end(target)}: too few are held"
        )
    projection = project(then, assumptions, until=target, draws=draws, seed=1)
    origin = projection.base_year
    balances = now.figure("balance")
    section251 = now.figure("balance_section251")
    if section251[target].count() >= NEARLY_ALL * balances[target].count():
        balances = section251
    past = balances[[origin - 2, origin - 1, origin]]
    blocks = projection.fit.councils["block"]
    known = balances[[origin - 2, origin, target]].dropna().index
    scored = blocks.index[blocks > 0].intersection(known)
    if scored.empty:
        raise ProjectionError(f"no council has a balance at {origin - 2}, {origin} and {target}")
    actual, past, block = balances.loc[scored, target], past.loc[scored], blocks[scored]
    draws_of = projection.balance.sel(authority=scored, year=target).transpose("authority", "draw").values
    quantiles = pd.DataFrame(
        np.quantile(draws_of, [0.1, 0.25, 0.5, 0.75, 0.9], axis=1).T,
        index=scored,
        columns=["p10", "p25", "p50", "p75", "p90"],
    )
    rows = {"This projection": _score_ranges(actual, quantiles, crps_ensemble(actual.to_numpy(), draws_of))}
    rows |= _naive(actual, past, block, target - origin)
    names = projection.fit.councils.loc[scored, ["name"]]
    return Backtest(
        as_of=then.as_of,
        origin=origin,
        target=target,
        councils=names.assign(block=block, start=past[origin], actual=actual).join(quantiles),
        scores=pd.DataFrame.from_dict(rows, orient="index").rename_axis("method"),
        england=_england(projection, scored, actual, target),
    )


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
        gross = project(then, until=max(later), draws=draws, seed=1).england().loc["gross"]
        rows += [
            {"as_of": day, "year": year, **gross.loc[year], "actual": amount, "forecasts": _told(then, year)}
            for year, amount in later.items()
        ]
    return pd.DataFrame(rows, columns=["as_of", "year", *QUANTILES, "actual", "forecasts"])


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


def _score_ranges(actual: pd.Series, quantiles: pd.DataFrame, crps: np.ndarray) -> dict[str, float]:
    lower, upper = quantiles[["p10", "p25"]].to_numpy(), quantiles[["p90", "p75"]].to_numpy()
    levels = np.array([0.2, 0.5])  # what lies outside the 80% and the 50% range
    middle = quantiles["p50"].to_numpy()
    interval = weighted_interval_score(actual.to_numpy(), middle, lower, upper, levels)
    return {
        "error": float((actual - quantiles["p50"]).abs().mean()),
        "crps": float(crps.mean()),
        "interval": float(np.mean(interval)),
        "within_50": float(actual.between(quantiles["p25"], quantiles["p75"]).mean()),
        "within_80": float(actual.between(quantiles["p10"], quantiles["p90"]).mean()),
    }


def _naive(actual: pd.Series, past: pd.DataFrame, block: pd.Series, years: int) -> dict[str, dict[str, float]]:
    """Rules that need no model. A point's CRPS is its absolute error; own drift has a Gaussian range as well.

    The range of own drift is as wide as that rule was wrong a year ahead before the origin, for each year.
    """
    before, middle, origin = (past[year] for year in past)
    own = (origin - before) / 2
    by_size = block * own.sum() / block.sum()
    points = {
        "Last value": origin,
        "Own drift": origin + years * own,
        "National drift by size": origin + years * by_size,
        "Half own, half national drift": origin + years * (own + by_size) / 2,
    }
    rows = {}
    for name, point in points.items():
        error = float((actual - point).abs().mean())
        rows[name] = {"error": error, "crps": error}
    wrong = ((origin - middle) - (middle - before)) / block
    sigma = years * float(wrong.std()) * block
    spread = {"p10": -1.2816, "p25": -0.6745, "p50": 0.0, "p75": 0.6745, "p90": 1.2816}
    ranges = pd.DataFrame({name: points["Own drift"] + times * sigma for name, times in spread.items()})
    crps = crps_normal(actual.to_numpy(), points["Own drift"].to_numpy(), sigma.to_numpy())
    rows["Own drift, Gaussian range"] = _score_ranges(actual, ranges, crps)
    return rows


def _england(projection: Projection, scored: pd.Index, actual: pd.Series, target: int) -> pd.Series:
    gross = national(projection.balance.sel(authority=scored, year=[target]), "gross").values[:, 0]
    shares = {"p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9}
    told = {name: float(np.quantile(gross, share)) for name, share in shares.items()}
    return pd.Series(told | {"actual": float((-actual).clip(lower=0).sum())})
