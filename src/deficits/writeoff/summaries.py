"""What a write-off does, as tidy numeric frames: councils, places, other terms, help so far, other sharing.

Money is £, shares and chances are 0 to 1; `p10`, `p50` and `p90` are quantiles over the simulations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from deficits.errors import SchemeError
from deficits.projection.summaries import Per, unit_of
from deficits.simulated import with_units
from deficits.writeoff.comparison import compare
from deficits.writeoff.costs import interest_by_year
from deficits.writeoff.result import SHARE
from deficits.writeoff.scheme import Scheme
from deficits.writeoff.write_off import WriteOff, write_off

NAMES: dict[Per, str] = {"person_2_18": "per_person", "plan": "per_plan", "dsg": "share_of_dsg"}
UNITS = {name: unit_of(per, None) for per, name in NAMES.items()}
Terms = Mapping[str, Mapping[str, Any]]


def moved_to(scheme: Scheme, year: int | None) -> Scheme:
    """The scheme with another base year (31 March of `year`); all that has a date moves with it."""
    later = 0 if year is None else year - scheme.base_year
    if not later:
        return scheme
    changes: dict[str, Any] = {"base_year": scheme.base_year + later, "paid_in": scheme.paid_in + later}
    if scheme.cover:
        changes["cover.shares"] = {at + later: share for at, share in scheme.cover.shares.items()}
    if scheme.clawback:
        changes["clawback.year"] = scheme.clawback.year + later
    return scheme.changed(**changes)


def override_end(result: WriteOff) -> int:
    """The year end at which the override ends, or the projection's last before it."""
    return min(result.scheme.override_ends, result.projection.years[-1])


def by_council(result: WriteOff) -> pd.DataFrame:
    """Each council, by DfE number, largest grant first.

    name, region; grant_p10 to grant_p90; paid (chance of any grant); per_person (central grant, £ per person
    aged 2 to 18), per_plan and share_of_dsg; paid_share (mean grant over mean deficit at the base date); left_p50;
    back_p50 (years until the deficit is back at its base level; missing where it is not by the last year) and
    not_back (chance of that); interest_saved (£, mean, from the base date to the end of the override); reserves
    and above_reserves (chance that the deficit is above them when the override ends; missing where they are not
    published).
    """
    base, end, codes = result.scheme.base_year, override_end(result), result.inputs.codes
    frame, back = result.by_authority(), result.back_by_authority().reindex(codes)
    for per, name in NAMES.items():
        frame[name] = result.by_authority(per=per)["grant_p50"]
    deficit, grant = (each.mean("draw").to_series().reindex(codes) for each in (result.base_deficit, result.grant))
    without, now = interest_by_year(result, paid=False), interest_by_year(result)
    saved = sum((without[year] - now[year]).mean(axis=1) for year in without if base < year <= end)
    known = end == result.scheme.override_ends
    columns = ["name", "region", "grant_p10", "grant_p50", "grant_p90", "paid", *NAMES.values(), "paid_share"]
    columns += ["left_p50", "back_p50", "not_back", "interest_saved", "reserves", "above_reserves"]
    frame = frame.assign(
        paid_share=grant / deficit.where(deficit > 0),
        back_p50=back["p50"].replace(np.inf, np.nan),
        not_back=back["never"],
        interest_saved=pd.Series(saved, index=codes, dtype=float),
        reserves=result.inputs.reserves.sum(axis=1, skipna=False),
        above_reserves=result.cannot_balance()["chance_with"] if known else np.nan,
    )[columns].sort_values(["grant_p50", "name"], ascending=[False, True])
    chances = dict.fromkeys(("paid", "not_back", "above_reserves"), SHARE)
    return with_units(frame, "£", **UNITS, **chances, paid_share="share", back="years")


def by_place(result: WriteOff, kind: Literal["region", "type"] = "region") -> pd.DataFrame:
    """Each region or type of council, and England: grant_p10 to grant_p90, grant_mean, left_mean, and the mean
    grant per_person aged 2 to 18, per_plan and as share_of_dsg. Means add up over places; ranges do not."""
    grouped = result.by_region if kind == "region" else result.by_type
    frame = grouped().assign(**{name: grouped(per=per)["grant_mean"] for per, name in NAMES.items()})
    columns = [*(f"grant_{at}" for at in ("p10", "p50", "p90", "mean")), "left_mean", *NAMES.values()]
    return with_units(frame[columns], "£", **UNITS)


def not_paid(result: WriteOff, below: float = 0.5) -> pd.DataFrame:
    """Councils with less than that chance of a grant, by DfE number: name, region, paid (the chance), the balance
    at the base date (balance_p10, balance_p90, £, negative = deficit) and in_surplus (its chance)."""
    frame = result.by_authority()[["name", "region", "paid"]]
    balances = result.projection.balance.sel(year=result.scheme.base_year)
    low, high = np.quantile(balances.values, [0.1, 0.9], axis=0)
    surplus = (balances.values >= 0).mean(axis=0)
    frame = frame.assign(balance_p10=low, balance_p90=high, in_surplus=surplus)
    frame = frame[frame["paid"] < below].sort_values(["paid", "name"])
    return with_units(frame, "£", paid=SHARE, in_surplus=SHARE)


def on_other_terms(result: WriteOff, terms: Terms, year: int | None = None) -> pd.DataFrame:
    """The scheme with some of its terms changed, on the same simulations: one row for each that makes sense of it.

    `terms`: for each row its changes, as for `Scheme.changed`; an empty one is the scheme itself. Columns
    cost_p10, cost_p50, cost_p90 (£ paid), deficit_p50 (£, England's at 31 March of `year`), above_reserves_p50
    (councils), councils_pay_p50 (£, discounted) and years_bought_p50 (missing where the deficit is not back).
    """
    kept = {}
    for words, changed in terms.items():
        try:
            scheme = result.scheme.changed(**changed) if changed else result.scheme
            write_off(result.projection, scheme)
        except SchemeError:
            continue  # a loan with cover, or paid after the last year of the projection
        kept[words] = scheme
    measured = compare(result.projection, list(kept.values()), year=year or override_end(result))
    medians = ("deficit", "above_reserves", "councils_pay", "years_bought")
    columns = ["cost_p10", "cost_p50", "cost_p90", *(f"{name}_p50" for name in medians)]
    frame = measured.table().loc[measured.titles, columns].set_axis(pd.Index(kept, name="terms"))
    frame = frame.replace([np.inf, -np.inf], np.nan)
    return with_units(frame, "£", above_reserves="councils", years_bought="years")


def help_by_group(result: WriteOff) -> pd.DataFrame:
    """Councils that had a safety valve agreement (True), and the others: number of councils, and £ per person
    aged 2 to 18 that they had before (received_per_person) and would get (new_per_person)."""
    people = pd.Series(result.inputs.size("people_2_18", result.scheme.base_year)[:, 0], index=result.inputs.codes)
    groups = result.help_so_far().assign(people=people).groupby("safety_valve")
    sums = groups[["received", "new", "people"]].sum()
    frame = pd.DataFrame(
        {
            "councils": groups.size(),
            "received_per_person": sums["received"] / sums["people"],
            "new_per_person": sums["new"] / sums["people"],
        }
    ).sort_index(ascending=False)
    return with_units(frame, UNITS["per_person"], councils="councils")


def at_equal_cost(reference: WriteOff, schemes: Iterable[Scheme]) -> pd.DataFrame:
    """What other ways of sharing pay each council more than `reference`, once they cost as much, same draws.

    One row a scheme and council: scheme (its title without its amount), authority, name, region,
    difference_mean, difference_p10, difference_p50, difference_p90 (£, negative = paid less), per_person (£ per
    person aged 2 to 18, mean), gains and loses (share of simulations). A scheme whose largest form pays less has
    no row, nor one that shares the money as another does.
    """
    found: list[pd.DataFrame] = []
    for scheme in schemes:
        try:
            frame = reference.against(scheme)
        except SchemeError:
            continue
        columns = {
            "difference_mean": -frame["difference_mean"],
            "difference_p50": -frame["difference_p50"],
            "difference_p10": -frame["difference_p90"],
            "difference_p90": -frame["difference_p10"],
            "per_person": -frame["difference_per_person"],
            "gains": frame["worse"],
            "loses": frame["better"],
            "scheme": re.sub(r", £[\d.]+(bn|m)$", "", scheme.title),
        }
        mine = frame[["name", "region"]].assign(**columns).sort_index()
        alike = [
            other for other in found if np.abs(other["difference_mean"] - mine["difference_mean"]).max() < 1000
        ]
        if not alike and np.abs(mine["difference_mean"]).max() >= 1000:
            found.append(mine)
    if not found:
        return pd.DataFrame(columns=["scheme", "authority", "name", "region", "difference_mean"])
    frame = pd.concat(found).rename_axis("authority").reset_index()
    frame = frame.sort_values(["scheme", "difference_mean", "name"])
    return with_units(frame, "£", per_person=UNITS["per_person"], gains=SHARE, loses=SHARE)
