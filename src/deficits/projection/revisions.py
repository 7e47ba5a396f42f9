"""Why a projection moved: from one entry of the ledger to another, and from the OBR's forecast to ours."""

from __future__ import annotations

import pandas as pd

from deficits.assumptions import BLOCK_GROWTH, PROGRAMME_ENDED, Assumptions, in_todays_names
from deficits.errors import ProjectionError, closest
from deficits.formatting import financial_year, last_day, listed, year_end
from deficits.panel import Panel
from deficits.projection.backtest import as_known
from deficits.projection.condition import returned
from deficits.projection.england import newest_forecast
from deficits.projection.forecasts import Entry, entries
from deficits.projection.projection import Projection, project
from deficits.publications.editions import STATED

EDITIONS = (
    "section251-outturn",
    "mhclg-revenue-outturn",
    "dsg-allocations",
    "ehc-plans",
    "gdp-deflator",
    "ons-population",
    "specialist-placement-spend",
    "high-needs-benchmarking",
)
"""Publications whose editions a projection is made from."""


def news(panel: Panel, after: str, until: str | None = None) -> dict[str, str]:
    """What became public between two days (ISO; after the first, to the second), by day: publications, in
    words."""
    found: dict[str, set[str]] = {}
    for folder, source in panel.raw.sources.items():
        for file in source.file if folder in EDITIONS else ():
            for published in (file.published, *file.first_published.values()):
                if published is not None:
                    found.setdefault(last_day(published), set()).add(folder.replace("-", " "))
    for day in panel.frame.loc[panel.frame["balance_basis"].eq(STATED), "balance_published"].dropna():
        found.setdefault(str(day), set()).add("council statements")
    for published in returned(panel.national)["published"].dropna():
        found.setdefault(last_day(published), set()).add("national figures")
    for year, value in BLOCK_GROWTH.values.items():
        found.setdefault(str(value.announced), set()).add(f"the block of {financial_year(year)} as announced")
    found.setdefault(str(PROGRAMME_ENDED.announced), set()).add("the end of the safety valve programme")
    return {
        day: listed(sorted(names))
        for day, names in sorted(found.items())
        if after < day and (until is None or day <= until)
    }


def diff(first: Entry, second: Entry, panel: Panel, year: int, authority: str | int | None = None) -> pd.DataFrame:
    """Why the median at a year end moved between two entries of the ledger, £: England's gross deficit, or a
    council's balance (negative = deficit).

    One row a step, in order, with cause, value (once the step is taken) and change, which add up to the pound.
    Today's code is run on the first entry's data, assumptions and random numbers (what then differs is method, and
    older figures that were not held); then what became public is taken in, day by day, then the second entry's
    assumptions, its random numbers, and what its method still differs by.
    """
    location = "England" if authority is None else panel.authorities.resolve(authority)
    start, end = (each.facts["as_of"] or each.facts["issued"] for each in (first, second))
    before, after = (
        (_assumptions(each), int(each.facts["draws"]), int(each.facts["seed"])) for each in (first, second)
    )

    def value(then: Panel, assumptions: Assumptions, draws: int, seed: int) -> float:
        return _projected(project(then, assumptions, until=year, draws=draws, seed=seed), location, year)

    same = start == end and first.facts["as_of"] == second.facts["as_of"]
    then = panel if same and first.facts["as_of"] is None else as_known(panel, start)
    steps = {f"as issued: {first.name}": _median(first, location, year)}
    steps["method, and older figures held since"] = value(then, *before)
    for day, names in {} if same else news(panel, start, end).items():
        then = as_known(panel, day)
        steps[f"{day}: {names}"] = value(then, *before)
    if after[0] != before[0]:
        steps["assumptions"] = value(then, after[0], *before[1:])
    if after[1:] != before[1:]:
        steps["random numbers"] = value(then, *after)
    steps[f"method of {second.name}, and figures without a day"] = _median(second, location, year)
    return _steps(steps)


def entry(name: str, held: list[Entry] | None = None) -> Entry:
    """An entry of the ledger by its folder's name, or what it is called; ProjectionError offers the closest."""
    known = entries() if held is None else held
    for each in known:
        if name in (each.name, each.facts["name"]):
            return each
    raise ProjectionError(f"no entry '{name}' in the ledger: {closest(name, [each.name for each in known])}")


def from_forecast(projection: Projection, publisher: str) -> pd.DataFrame:
    """From somebody else's newest forecast, of England or a region, to this projection's median, £: cause, value
    and change by step.

    The first step is method: what this projection says with the figures of the day of theirs. Then what became
    public since is taken in, day by day, without days that move nothing. ProjectionError where they have none.
    """
    forecast, panel = newest_forecast(projection, publisher), projection.panel
    if forecast is None:
        known = sorted(set(panel.forecasts["publisher"]))
        raise ProjectionError(
            f"no forecast of '{publisher}' for a projected year end is held: {closest(publisher, known)}"
        )
    year, day = int(forecast["year"]), last_day(forecast["published"])
    location = "England" if pd.isna(forecast["region"]) else str(forecast["region"])
    draws, seed = projection.balance.sizes["draw"], projection.seed

    def value(then: Panel) -> float:
        made = project(then, projection.assumptions, until=year, draws=draws, seed=seed)
        return _projected(made, location, year)

    steps = {f"{publisher}: {location}, {year_end(year)}": float(forecast["central"])}
    steps[f"method: this projection on {day}"] = value(as_known(panel, day))
    for each, names in news(panel, day, panel.as_of).items():
        steps[f"{each}: {names}"] = value(as_known(panel, each))
    steps["figures without a day, levers and own figures"] = _projected(projection, location, year)
    told = _steps(steps)
    return told[told["change"] != 0]


def _assumptions(entry: Entry) -> Assumptions:
    told = in_todays_names(entry.facts["assumptions"])
    return Assumptions(**{name: value for name, value in told.items() if name in Assumptions.model_fields})


def _median(entry: Entry, location: str, year: int) -> float:
    told = entry.table().set_index(["location", "target_end_date", "output_type_id"])["value"]
    place = (location, f"{year}-03-31", 0.5)
    if place not in told.index:
        raise ProjectionError(f"entry {entry.name} has no forecast of {location} for 31 March {year}")
    return float(told[place])


def _projected(projection: Projection, location: str, year: int) -> float:
    if location in projection.fit.councils.index:
        return float(projection.authority(location).at[year, "p50"])
    return float(projection.area(location).at[("gross", year), "p50"])


def _steps(steps: dict[str, float]) -> pd.DataFrame:
    value = pd.Series(steps).round()
    return pd.DataFrame({"value": value, "change": value.diff()}).rename_axis("cause")
