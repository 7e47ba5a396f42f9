"""The annual monitor: plans by sector, requests, timeliness and ages of any place, as published, and what the
mix costs.

A place is the DfE numbers of its councils, those that have ended included. A figure that a council did not
return stays unknown: sums say how many of a place's councils they are of, and rates are of the councils that
have both parts. A year is a January's: plans are counted then, and requests, plans issued and ceased are of the
calendar year before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from deficits.panel import FIGURES, Panel
from deficits.projection.history import PLACEMENTS, history, place_rate
from deficits.projection.profile import neighbours
from deficits.reform_plan import SECTOR_WORDS, SECTORS

NEIGHBOURS = "Statistical neighbours"
FLOWS = ("new_plans", "requests", "requests_refused", "requests_at_tribunal")
CAUSES = {
    "plans": "the number of plans",
    "mix": "the mix of placements",
    "unit cost": "what the same placements cost",
}
"""Causes of a change in spend, in words."""


@dataclass(frozen=True)
class Rate:
    """One measure over another, in words. `top` and `bottom` are measures of `counts`, or figures of the panel."""

    words: str
    top: str
    bottom: str
    unit: str = "share"
    times: float = 1.0


RATES = {f"share_{each}": Rate(f"Plans in {SECTOR_WORDS[each]}", f"plans_{each}", "plans") for each in SECTORS}
RATES |= {
    "share_16_25": Rate("Plans of young people aged 16 to 25", "plans_16_25", "plans"),
    "rate": Rate("Plans per 1,000 people aged 2 to 18", "plans", "population_2_18", "plans", 1000),
    "requests_rate": Rate(
        "Requests per 1,000 people aged 2 to 18", "requests", "population_2_18", "requests", 1000
    ),
    "refused": Rate("Requests refused", "requests_refused", "requests"),
    "at_tribunal": Rate("Requests whose outcome went to the tribunal", "requests_at_tribunal", "requests"),
    "in_20_weeks": Rate(
        "Plans issued within 20 weeks (exceptions left out)", "plans_issued_in_20_weeks", "plans_issued"
    ),
    "ceased": Rate("Plans that ceased, of those in force", "plans_ceased", "plans"),
}
"""Measures that are one count over another."""


def places(panel: Panel, code: str | None = None) -> dict[str, list[str]]:
    """A council, its statistical neighbours, its region and England, by name; all regions and England without
    one.
    """
    frame = panel.authorities.frame
    regions = {str(name): list(codes) for name, codes in frame.groupby("region").groups.items()}
    england = {"England": list(frame.index)}
    if code is None:
        return regions | england
    near, region = neighbours(panel, code), str(frame.at[code, "region"])
    found = {panel.authorities.name(code): [code], NEIGHBOURS: near, region: regions[region]} | england
    return {name: codes for name, codes in found.items() if codes}


def by_council(panel: Panel) -> dict[str, pd.DataFrame]:
    """Each count by council (rows) and year: plans, by sector (`plans_<sector>`) and of young people, and flows.

    Mainstream is without resource bases and SEN units here, and `plans_other` is what the sectors leave:
    alternative provision, early years, elsewhere, and placements that were not recorded. Missing where a part
    is not published.
    """
    held = {name: panel.figure(name) for name in FIGURES if name.startswith("plans") or name in FLOWS}
    held["population_2_18"] = panel.figure("population_2_18").ffill(axis=1, limit=2)
    held["plans_mainstream"] = held["plans_mainstream"] - held["plans_resource_base"]
    known = [held[f"plans_{sector}"] for sector in SECTORS if sector != "other"]
    held["plans_other"] = held["plans"] - sum(known[1:], known[0])
    return held


def counts(panel: Panel, place: Sequence[str]) -> pd.DataFrame:
    """A place's counts, tidy: columns measure, year, value, unit, councils (that have it) and of (that there
    were).

    `value` is the sum of the councils that have it. Rows from the first year in which any has it; a later one that
    none has is missing, never 0.
    """
    frames = []
    for measure, table in by_council(panel).items():
        own = table.reindex(list(place))
        frame = pd.DataFrame({"value": own.sum(min_count=1), "councils": own.notna().sum()})
        first = frame["value"].first_valid_index()
        unit = FIGURES[measure].unit if measure in FIGURES else "plans"
        frames.append((frame[:0] if first is None else frame.loc[first:]).assign(measure=measure, unit=unit))
    return _tidy(panel, place, pd.concat(frames).rename_axis("year").reset_index())


def rates(panel: Panel, place: Sequence[str]) -> pd.DataFrame:
    """A place's shares and rates, tidy: columns measure, year, value, unit, councils and of, as in `counts`.

    Each is the sum of its councils' top over the sum of their bottom, of those that have both.
    """
    top, bottom = _both(panel)
    councils = top.reindex(list(place)).notna().sum()
    frame = pd.DataFrame({"value": _values(place, top, bottom), "councils": councils})
    frame = frame.rename_axis(["measure", "year"]).dropna(subset="value").reset_index()
    return _tidy(panel, place, frame.assign(unit=[RATES[name].unit for name in frame["measure"]]))


def _both(panel: Panel) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Top and bottom of every rate by council (rows), and measure and year (columns), where both are published."""
    held = by_council(panel)
    top = pd.concat({name: rate.times * held[rate.top] for name, rate in RATES.items()}, axis=1)
    bottom = pd.concat({name: held[rate.bottom] for name, rate in RATES.items()}, axis=1)
    both = top.notna() & bottom.notna()
    return top.where(both), bottom.where(both)


def _values(place: Sequence[str], top: pd.DataFrame, bottom: pd.DataFrame) -> pd.Series:
    """A place's rates, by measure and year."""
    above, below = (table.reindex(list(place)).sum(min_count=1) for table in (top, bottom))
    return above / below.replace(0, np.nan)


def _tidy(panel: Panel, place: Sequence[str], found: pd.DataFrame) -> pd.DataFrame:
    found["of"] = found["year"].map(_councils(panel, place)).astype(int)
    return found[["measure", "year", "value", "unit", "councils", "of"]]


def _councils(panel: Panel, place: Sequence[str]) -> pd.Series:
    """How many of a place's councils there were, by year."""
    codes, years = (panel.frame.index.get_level_values(key) for key in ("authority", "year"))
    return pd.Series(years[codes.isin(list(place))]).value_counts().reindex(years.unique(), fill_value=0)


def rates_by_council(panel: Panel) -> dict[str, pd.DataFrame]:
    """Each rate by council (rows) and year; missing where a part is not published."""
    top, bottom = _both(panel)
    values = top / bottom.replace(0, np.nan)
    return {name: values[name] for name in RATES}


def by_place(panel: Panel, given: Mapping[str, Sequence[str]], measure: str) -> pd.DataFrame:
    """One measure of `counts` or `rates` for several places: years (rows) by places."""
    made = rates if measure in RATES else counts
    tables = {name: made(panel, codes).set_index(["measure", "year"])["value"] for name, codes in given.items()}
    return pd.DataFrame({name: table[measure] for name, table in tables.items() if measure in table})


def compared(panel: Panel, code: str) -> pd.DataFrame:
    """A council's rates compared: a row a measure, in the newest year that the council has it.

    Columns words, unit, year, then one for each place of `places`; `before` is the council's own in the first year
    held, and `since` that year. No rows where nothing is published.
    """
    both = _both(panel)
    found = {name: _values(codes, *both) for name, codes in places(panel, code).items()}
    own, rows = found[panel.authorities.name(code)].dropna(), []
    for measure, years in own.groupby(level=0, sort=False):
        rate, (_, year), (_, since) = RATES[measure], years.index[-1], years.index[0]
        values = {name: value[measure, year] for name, value in found.items()}
        row = {"measure": measure, "words": rate.words, "unit": rate.unit, "year": year}
        rows.append(row | values | {"since": since, "before": years.iloc[0] if since < year else np.nan})
    return pd.DataFrame(rows)


def factors(panel: Panel, place: Sequence[str] | None = None) -> pd.DataFrame:
    """What a place's high needs spend is made of, by year: plans x mix x unit_cost = spend (£); England without
    one.

    `mix`: £ that a plan would cost on average with the place's placements at England's unit costs of one year.
    `unit_cost`: what a plan costs over that, which is 1 for England in that year. Spend is net spend (section
    251) and £10,000 a state special place. Of a place, shares of placements are of the councils that have them;
    years in which one council's spend or plans are not published are left out.
    """
    known = history(panel, int(panel.frame.index[-1][1]))
    counted = known.shares.columns.intersection(known.spend.index)
    counted = [year for year in counted if panel.figure("plans_state_special")[year].notna().any()]
    if place is None:
        mix = known.shares.mul(known.cost, axis=0).sum()
        made_of = {"plans": known.plans, "mix": mix, "unit_cost": known.unit_cost, "spend": known.spend}
        return pd.DataFrame(made_of).loc[counted].rename_axis("year")
    there = _councils(panel, place)
    held = {name: panel.figure(name).reindex(list(place)) for name in ("plans", "high_needs_net_spend")}
    complete = [year for year in counted if all(table[year].count() == there[year] for table in held.values())]
    plans, net = (table[complete].sum() for table in held.values())
    shares = pd.DataFrame(index=complete, columns=list(PLACEMENTS), dtype=float)
    for name in PLACEMENTS[:2]:
        number = panel.figure(f"plans_{name}").reindex(list(place))[complete]
        shares[name] = number.sum(min_count=1) / held["plans"][complete].where(number.notna()).sum()
    shares[PLACEMENTS[2]] = 1 - shares[PLACEMENTS[0]] - shares[PLACEMENTS[1]]
    spend = net + place_rate() * shares["state_special"] * plans
    mix = (shares * known.cost[list(PLACEMENTS)]).sum(axis=1, min_count=len(PLACEMENTS))
    frame = pd.DataFrame({"plans": plans, "mix": mix, "unit_cost": spend / (plans * mix), "spend": spend})
    return frame.dropna().rename_axis("year")


def explained(made_of: pd.DataFrame, start: int, end: int) -> pd.Series:
    """Why spend differs between two years of `factors`, £ by cause of `CAUSES`, and their total, which is exact.

    Each cause's part is the logarithmic mean of the two years' spend times the growth of its factor
    (logarithm), so that nothing is left over and no order matters.
    """
    before, after = made_of.loc[start], made_of.loc[end]
    growth = np.log(after["spend"] / before["spend"])
    weight = (after["spend"] - before["spend"]) / growth if abs(growth) > 1e-12 else after["spend"]
    parts = {
        cause: float(weight * np.log(after[factor] / before[factor]))
        for cause, factor in zip(CAUSES, ("plans", "mix", "unit_cost"), strict=True)
    }
    return pd.Series(parts | {"total": sum(parts.values())}, name="gbp")


def cost_of_young_people(panel: Panel) -> pd.DataFrame:
    """What England's plans of young people cost, £ by year, estimated: no spend by age is published.

    `average`: plans of those aged 16 to 25 at the average cost of a plan; `colleges`: plans in further
    education and specialist post-16 at the cost of a plan outside special and independent schools. `share`: of
    plans, aged 16 to 25.
    """
    made_of, england = factors(panel), {"England": places(panel)["England"]}
    cost = history(panel, int(panel.frame.index[-1][1])).cost
    share, young, colleges = (
        by_place(panel, england, measure)["England"].reindex(made_of.index)
        for measure in ("share_16_25", "plans_16_25", "plans_post_16")
    )
    average = young * made_of["spend"] / made_of["plans"]
    colleges = colleges * cost["mainstream_and_other"] * made_of["unit_cost"]
    return pd.DataFrame({"share": share, "average": average, "colleges": colleges})
