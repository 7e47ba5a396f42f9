"""How good the outlook would have been: made with what was public on a day, scored against what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scoringrules import crps_ensemble, crps_normal, weighted_interval_score

from deficits.errors import OutlookError
from deficits.formatting import gbp
from deficits.outlook.anchor import find_anchor
from deficits.outlook.drivers import Drivers
from deficits.outlook.outlook import Outlook, national, project
from deficits.panel import Panel, load_panel

ORIGIN, TARGET = "2023-02-28", 2024
"""The first day whose outlook can be scored by council: balances of March 2020 to 2022 were public on it (section
251 outturn 2021-22), and March 2024 is the newest that is held."""

DAYS = (ORIGIN, "2024-02-28", "2024-09-30", "2025-02-28")
"""Days on which new figures had been published, all before the national figure of March 2025: from each an
outlook for England can be scored."""


@dataclass(frozen=True)
class Backtest:
    """An outlook of a past day beside what happened.

    `councils`: indexed by DfE number; name, block, start, actual (£, balance at 31 March of `target`), p10 to
    p90.
    `scores`: one row a method, the outlook first; error (mean absolute error of the middle, £), crps (continuous
    ranked probability score, £), interval (weighted interval score of the middle, the 50% and the 80% range, £;
    for all three less is better), within_50 and within_80 (share of councils inside the range; missing for a
    method that gives none). `england`: gross deficit of the same councils, £: p10 to p90 and actual.
    """

    as_of: str
    target: int
    councils: pd.DataFrame
    scores: pd.DataFrame
    england: pd.Series


def backtest(now: Panel, then: Panel, target: int, drivers: Drivers | None = None, draws: int = 4000) -> Backtest:
    """Project from what was public `then` and score it on the balances known `now`.

    The councils scored are those with a section 251 balance at the origin, two years before it and at the target.
    Nothing of the target is used: each number of the model is an assumption stated in `Drivers`, or fitted to
    figures that were public then.

    Raises OutlookError when the older panel has no date, or no balance can be scored.
    """
    if then.as_of is None:
        raise OutlookError("a backtest needs a panel as of a day: load_panel(as_of='2023-02-28')")
    outlook = project(then, drivers, until=target, draws=draws, seed=1)
    origin = outlook.fit.base_year
    balances = now.figure("balance_section251")
    past = balances[[origin - 2, origin - 1, origin]]
    blocks = outlook.fit.councils["block"]
    scored = (
        blocks.index[blocks > 0].intersection(past.dropna().index).intersection(balances[target].dropna().index)
    )
    if scored.empty:
        raise OutlookError(f"no council has a section 251 balance at {origin - 2}, {origin} and {target}")
    actual, past, block = balances.loc[scored, target], past.loc[scored], blocks[scored]
    draws_of = outlook.balance.sel(authority=scored, year=target).transpose("authority", "draw").values
    quantiles = pd.DataFrame(
        np.quantile(draws_of, [0.1, 0.25, 0.5, 0.75, 0.9], axis=1).T,
        index=scored,
        columns=["p10", "p25", "p50", "p75", "p90"],
    )
    rows = {"This outlook": _score_ranges(actual, quantiles, crps_ensemble(actual.to_numpy(), draws_of))}
    rows |= _naive(actual, past, block, target - origin)
    names = outlook.fit.councils.loc[scored, ["name"]]
    return Backtest(
        as_of=then.as_of,
        target=target,
        councils=names.assign(block=block, start=past[origin], actual=actual).join(quantiles),
        scores=pd.DataFrame.from_dict(rows, orient="index").rename_axis("method"),
        england=_england(outlook, scored, actual, target),
    )


def vintages(now: Panel, days: tuple[str, ...] = DAYS, draws: int = 2000) -> pd.DataFrame:
    """England's gross deficit as the outlook would have had it on past days, beside what happened, £.

    One row a day and later year end with a figure: as_of, year, p10 to p90, actual, and forecasts: what others had
    published by that day for that year end (publisher and £bn, in words; empty where none had).
    """
    actual = _outturns(now)
    rows = []
    for day in days:
        then = load_panel(day)
        outlook = project(then, until=max(actual), draws=draws, seed=1)
        gross = outlook.england().loc["gross"]
        rows += [
            {"as_of": day, "year": year, **gross.loc[year], "actual": amount, "forecasts": _told(then, year)}
            for year, amount in actual.items()
            if year in outlook.years[1:]
        ]
    return pd.DataFrame(rows)


def _outturns(now: Panel) -> dict[int, float]:
    """England's gross deficit at the year ends that can be scored: councils' returns, then the national figure."""
    returns = float((-now.figure("balance")[TARGET]).clip(lower=0).sum())
    newest = find_anchor(now, Drivers(), TARGET + 1)
    return {TARGET: returns} | ({newest.year: newest.gross} if newest else {})


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


def _england(outlook: Outlook, scored: pd.Index, actual: pd.Series, target: int) -> pd.Series:
    gross = national(outlook.balance.sel(authority=scored, year=[target]), "gross").values[:, 0]
    shares = {"p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9}
    told = {name: float(np.quantile(gross, share)) for name, share in shares.items()}
    return pd.Series(told | {"actual": float((-actual).clip(lower=0).sum())})
