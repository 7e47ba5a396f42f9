"""Who gains and who loses: against another scheme, between councils, with what they had before, if they
respond."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from deficits.errors import SchemeError
from deficits.formatting import gbp
from deficits.projection import Projection, national
from deficits.projection.summaries import unit_of
from deficits.simulated import with_units
from deficits.validation import one_of
from deficits.writeoff.conditions import ByCondition, Scale
from deficits.writeoff.inputs import Array, Inputs
from deficits.writeoff.result import SHARE, Result, ordered, ranged
from deficits.writeoff.scheme import Scheme

NEAR = 1e-9
"""How near the mean cost of a scheme made as dear as another comes to the other's, as a share of it."""
TOP = 10
PERSON = unit_of("person_2_18", None)


def mean_cost(scheme: Scheme, inputs: Inputs) -> float:
    """£: write-off and cover of all councils, mean of the draws."""
    return float(Result.of(scheme, inputs).total("write_off", "cover").sum(axis=0).mean())


def at_cost_of(scheme: Scheme, other: Scheme, projection: Projection | Inputs) -> Scheme:
    """The scheme made larger or smaller so that it pays out as much as another, on the mean of all draws.

    Its budget is what changes; without one, its caps; without those, its share. SchemeError when even its largest
    form costs less.
    """
    inputs = projection if isinstance(projection, Inputs) else Inputs(projection)
    target = mean_cost(other, inputs)
    low, high = 0.0, 1.0
    while (most := mean_cost(scaled(scheme, high), inputs)) < target * (1 - NEAR):
        if high > 1e6:
            raise SchemeError(
                f"'{scheme.title}' pays {gbp(most)} at most, less than the {gbp(target)} of '{other.title}': "
                "compare it with a smaller scheme"
            )
        low, high = high, high * 4
    for _ in range(100):
        middle = (low + high) / 2
        pays = mean_cost(scaled(scheme, middle), inputs)
        if abs(pays - target) <= NEAR * target:
            break
        low, high = (middle, high) if pays < target else (low, middle)
    found = scaled(scheme, (low + high) / 2)
    return found.model_copy(update={"title": f"{scheme.title}, at the same cost as {other.title}"})


def scaled(scheme: Scheme, by: float) -> Scheme:
    """The scheme larger or smaller: its budget; without one, its caps; without those, its share (at most 1)."""
    share = scheme.share
    change: dict[str, Any]
    if scheme.budget:
        change = {"budget": scheme.budget.model_copy(update={"pounds": scheme.budget.pounds * by})}
    elif scheme.cap:
        change = {"cap": {size: limit * by for size, limit in scheme.cap.items()}}
    elif isinstance(share, Scale):
        change = {"share": share.model_copy(update={"pays": tuple(min(pays * by, 1.0) for pays in share.pays)})}
    elif isinstance(share, ByCondition):
        shares = {"met": min(share.met * by, 1.0), "otherwise": min(share.otherwise * by, 1.0)}
        change = {"share": share.model_copy(update=shares)}
    else:
        change = {"share": min(share * by, 1.0)}
    return scheme.model_copy(update=change)


def against(result: Result, other: Scheme | str, *, equal_cost: bool = True) -> pd.DataFrame:
    """Who gains and who loses against another scheme, made as dear as this one unless `equal_cost` is False.

    By council, largest loser first: mean of both grants, their difference (this less other, £: mean, p10, p50,
    p90, and mean per person aged 2 to 18) and `better`, the share of draws in which this one pays more.
    """
    inputs, scheme = result.inputs, one_of("other", other, Scheme, Scheme.read, SchemeError)
    rival = Result.of(at_cost_of(scheme, result.scheme, inputs) if equal_cost else scheme, inputs)
    mine, theirs = result.total("write_off", "cover"), rival.total("write_off", "cover")
    difference = mine - theirs
    people = inputs.size("people_2_18", result.scheme.base_year)[:, 0]
    frame = inputs.councils.assign(
        grant_mean=mine.mean(axis=1), other_mean=theirs.mean(axis=1), difference_mean=difference.mean(axis=1)
    )
    frame = frame.join(ranged({"difference": difference}, frame.index))
    frame["difference_per_person"] = frame["difference_mean"] / people
    # Less than a pound either way is neither a gain nor a loss.
    frame["better"] = (difference > 1).mean(axis=1)
    frame["worse"] = (difference < -1).mean(axis=1)
    frame = frame.sort_values(["difference_mean", "name"])
    return with_units(frame, "£", difference_per_person=PERSON, better=SHARE, worse=SHARE)


def gini(amounts: Array) -> Array:
    """Gini coefficient down the columns of amounts (>= 0); NaN where there is nothing to share."""
    # Each draw's amounts side by side in memory: that sorts twice as fast.
    rising, count, total = amounts.T.copy(), len(amounts), amounts.sum(axis=0)
    rising.sort(axis=1)
    # Not `@`: a matrix product would take every core, and schemes run side by side.
    ranked = np.einsum("j,ij->i", 2.0 * np.arange(1, count + 1) - count - 1, rising)
    found: Array = np.divide(ranked, count * total, out=np.full_like(total, np.nan), where=total > 0)
    return found


def top_share(amounts: Array) -> Array:
    """Share of the ten largest amounts of each column in its total; NaN where there is nothing to share."""
    total, top = amounts.sum(axis=0), min(TOP, len(amounts))
    rising = amounts.T.copy()
    rising.partition(-top, axis=1)
    largest = rising[:, -top:].sum(axis=1)
    found: Array = np.divide(largest, total, out=np.full_like(total, np.nan), where=total > 0)
    return found


def concentration(result: Result) -> pd.DataFrame:
    """How unevenly the grant falls on councils, quantiles over draws: `gini` of £ per person aged 2 to 18 between
    councils, 0 where all get the same and near 1 where one gets all; `top_10_share`, of £, of the ten largest
    grants. Empty where nothing is paid."""
    amounts = result.total("write_off", "cover")
    people = result.inputs.size("people_2_18", result.scheme.base_year)
    rows = {"gini": gini(amounts / people), "top_10_share": top_share(amounts)}
    found = {
        name: ordered(values[~np.isnan(values)]) for name, values in rows.items() if not np.isnan(values).all()
    }
    frame = pd.DataFrame.from_dict(found, orient="index").rename_axis("measure")
    return with_units(frame, "0 to 1")


def help_so_far(result: Result) -> pd.DataFrame:
    """Safety valve grant up to the base date, published or scheduled, and the new help of the scheme, by council:
    £ and £ per person aged 2 to 18, most helped first. `safety_valve` says who ever had an agreement."""
    inputs, base = result.inputs, result.scheme.base_year
    frame = inputs.councils.assign(
        safety_valve=inputs.had_safety_valve[:, 0],
        received=inputs.agreed.loc[:, [year for year in inputs.agreed if year <= base]].sum(axis=1),
        new=result.total("write_off", "cover").mean(axis=1),
        instalments=result.total("safety_valve").mean(axis=1),
    )
    frame["together"] = frame[["received", "new", "instalments"]].sum(axis=1)
    people = inputs.size("people_2_18", base)[:, 0]
    for column in ("received", "new", "together"):
        frame[f"{column}_per_person"] = frame[column] / people
    frame = frame.sort_values(["together_per_person", "name"], ascending=[False, True])
    return with_units(frame, "£", **{name: PERSON for name in frame if name.endswith("_per_person")})


def moral_hazard(
    result: Result, extra: float | Sequence[float] = (0.0, 0.01, 0.02), year: int | None = None
) -> pd.DataFrame:
    """What it does when councils that expect cover let deficits grow faster: one row a response.

    `extra`: further growth of spend, a share of the high needs block in each covered year, of councils in deficit
    at the base date, kept in later years (below 0: conditions that hold spend down). An assumption to try, not a
    finding. £: means of the cover and of England's gross deficit at 31 March of `year` (the last one unless
    given), with and without it.
    """
    projection, inputs = result.projection, result.inputs
    at = projection.years[-1] if year is None else projection.year(year)
    covered = {year for part in result.scheme.parts if part.cover for year in part.cover.shares}
    # Spend that has grown stays grown: a year covered adds its part again in each year after.
    times = [sum(year - start + 1 for start in covered if start <= year) for year in inputs.years]
    block = projection.fit.councils["block"].reindex(inputs.codes).to_numpy()[:, None]
    grown = np.array(times)[:, None, None] * block * (inputs.balance(result.scheme.base_year) < 0)
    rows = {}
    for response in [extra] if isinstance(extra, float | int) else extra:
        balance = projection.balance.copy(data=(inputs.balances - response * grown).transpose(2, 1, 0))
        moved = dataclasses.replace(projection, simulations=projection.simulations.assign(balance=balance))
        there = type(result).of(result.scheme, dataclasses.replace(inputs, projection=moved))
        rows[response] = {
            "grant": there.total("write_off").sum(axis=0).mean(),
            "cover": there.total("cover").sum(axis=0).mean(),
            "deficit_without": float(national(balance, "gross").sel(year=at).mean()),
            "deficit_with": there.deficit(at).sum(axis=0).mean(),
        }
    return with_units(pd.DataFrame.from_dict(rows, orient="index").rename_axis("extra"), "£")
