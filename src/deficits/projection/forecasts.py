"""The forecast ledger: projections as issued, each sealed to the one before, their scores, and why they moved.

`forecasts/<day>-<name>/` holds one entry: `forecast.parquet`, quantiles by council, region and England in the
column names of the hubverse forecast hubs, and `entry.json`, what it was made with. An entry's hash is that of
its `entry.json`, which carries the hash of its table and of the entry before: changing one byte of an old entry
breaks the chain, and `verify` says where.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scoringrules import crps_quantile

from deficits.assumptions import BLOCK_GROWTH, PROGRAMME_ENDED, Assumptions, in_todays_names
from deficits.errors import ProjectionError, closest
from deficits.formatting import financial_year, gbp, last_day, listed, slug, year_end
from deficits.panel import Panel
from deficits.paths import checkout, forecasts_dir, write_whole
from deficits.projection.backtest import as_known, cases
from deficits.projection.backtest import skill as compared
from deficits.projection.cache import code_hash
from deficits.projection.condition import returned
from deficits.projection.england import newest_forecast
from deficits.projection.history import NEARLY_ALL, newest_day
from deficits.projection.projection import Projection, national, project
from deficits.publications.editions import STATED
from deficits.simulated import QUANTILES as RANGES

QUANTILES = (0.025, *(round(0.05 * step, 2) for step in range(1, 20)), 0.975)
"""The 21 quantile levels kept."""
SCORES = ["error", "crps", "within_50", "within_80"]
COLUMNS = ["forecaster", "area", "target_end_date", "n", *SCORES]
FIRST = "0" * 64
"""What the first entry carries in place of a hash."""
NATIONAL = "the national figure"
"""How the words for a published deficit of England begin."""
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


@dataclass(frozen=True)
class Entry:
    """One issued projection.

    `facts` is its entry.json: name, issued (ISO day), as_of (day of the figures, or null), data (newest day of a
    figure used, sha256 of all figures), code (version, commit, sha256), seed, draws, assumptions, note, sha256 of
    the table and `previous`, the hash of the entry before. `hash` seals all of that.
    """

    folder: Path
    facts: dict[str, Any]
    hash: str

    @property
    def name(self) -> str:
        """Its folder: the day it was issued, and what it is called."""
        return self.folder.name

    def table(self) -> pd.DataFrame:
        """Its quantiles: target, location, target_end_date, output_type, output_type_id (level) and value (£).

        target is gross_deficit (England, regions; £ >= 0) or balance (councils; £, negative = deficit); location
        is England, a region's name or a council's DfE number.
        """
        return pd.read_parquet(self.folder / "forecast.parquet")

    @property
    def run(self) -> tuple[Assumptions, int, int]:
        """What a projection like it is made with: assumptions, number of draws and seed."""
        told = in_todays_names(self.facts["assumptions"])
        known = {name: value for name, value in told.items() if name in Assumptions.model_fields}
        return Assumptions(**known), int(self.facts["draws"]), int(self.facts["seed"])

    def median(self, location: str, year: int) -> float:
        """Its central estimate, £; ProjectionError where it has none."""
        told = self.table().set_index(["location", "target_end_date", "output_type_id"])["value"]
        place = (location, f"{year}-03-31", 0.5)
        if place not in told.index:
            raise ProjectionError(f"entry {self.name} has no forecast of {location} for 31 March {year}")
        return float(told[place])


def entries(folder: Path | None = None) -> list[Entry]:
    """Every entry, oldest first, as it stands in the folder: `verify` says whether that is how it was issued."""
    root = folder or forecasts_dir()
    found = []
    for path in sorted(root.glob("*/entry.json")):
        content = path.read_bytes()
        found.append(Entry(path.parent, json.loads(content), _digest(content)))
    return sorted(found, key=lambda entry: entry.facts["number"])


def entry(name: str, held: list[Entry] | None = None) -> Entry:
    """An entry of the ledger by its folder's name, or what it is called; ProjectionError offers the closest."""
    known = entries() if held is None else held
    for each in known:
        if name in (each.name, each.facts["name"]):
            return each
    raise ProjectionError(f"no entry '{name}' in the ledger: {closest(name, [each.name for each in known])}")


def verify(folder: Path | None = None) -> str:
    """The newest entry's hash, if each entry is as it was issued; ProjectionError names the first that is not."""
    previous = FIRST
    for number, entry in enumerate(entries(folder), start=1):
        facts, table = entry.facts, _digest((entry.folder / "forecast.parquet").read_bytes())
        faults = {
            f"it is entry {facts['number']}, expected entry {number}": facts["number"] != number,
            "the entry before it is not the one that it was issued after": facts["previous"] != previous,
            "its table is not the one that was issued": facts["sha256"] != table,
        }
        told = [words for words, wrong in faults.items() if wrong]
        if told:
            raise ProjectionError(
                f"forecasts/{entry.name} was changed: {'; '.join(told)}. Restore it from version control: entries "
                "are never edited, a new projection is a new entry"
            )
        previous = entry.hash
    return previous


def issue(
    projection: Projection, name: str, note: str, folder: Path | None = None, today: date | None = None
) -> Entry:
    """Add a projection to the ledger as it is now. `note` says what a reader must know of what was not seen.

    ProjectionError where the chain is broken, or the day has an entry of that name.
    """
    root = folder or forecasts_dir()
    if name != slug(name):
        raise ProjectionError(f"name: found '{name}', expected small letters, digits and hyphens: '{slug(name)}'")
    previous = verify(root)
    day = (today or date.today()).isoformat()
    place = root / f"{day}-{name}"
    if place.exists():
        raise ProjectionError(f"forecasts/{place.name} exists: entries are never replaced; give another name")
    content: bytes = quantiles(projection).to_parquet(index=False)
    panel = projection.panel
    facts = {
        "number": len(entries(root)) + 1,
        "name": name,
        "issued": day,
        "as_of": panel.as_of,
        "data": {
            "newest_figure": newest_day(panel),
            "balances_to": projection.base_year,
            "sha256": _digest(json.dumps(panel.raw.hashes(), sort_keys=True).encode()),
        },
        "code": {"version": version("deficits"), "commit": _commit(), "sha256": code_hash()},
        "seed": projection.seed,
        "draws": projection.balance.sizes["draw"],
        "assumptions": projection.assumptions.model_dump(mode="json"),
        "note": note,
        "sha256": _digest(content),
        "previous": previous,
    }
    place.mkdir(parents=True)
    write_whole(place / "forecast.parquet", content)
    write_whole(place / "entry.json", json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    return entries(root)[-1]


def quantiles(projection: Projection) -> pd.DataFrame:
    """Quantiles of a projection's later year ends, to the nearest £, in the ledger's columns: see
    `Entry.table`."""
    later = projection.balance.sel(year=projection.projected_years)
    places = pd.Index(["England", *sorted(set(projection.regions))], name="location")
    gross = [national(later.sel(authority=projection.codes(place)), "gross") for place in places]
    balances = later.reset_coords(drop=True).rename(authority="location")
    frames = []
    for target, draws in (("gross_deficit", xr.concat(gross, places)), ("balance", balances)):
        levels = draws.quantile(QUANTILES, "draw", skipna=False).rename(quantile="output_type_id")
        long = levels.transpose("location", "output_type_id", "year").rename("value").to_series()
        frames.append(long.reset_index().assign(target=target))
    table = pd.concat(frames, ignore_index=True)
    table["target_end_date"] = table.pop("year").astype(str) + "-03-31"
    table["output_type"], table["value"] = "quantile", table["value"].round()
    return table[["target", "location", "target_end_date", "output_type", "output_type_id", "value"]]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _commit() -> str:
    """The commit of the checkout that the package is in, if it is in one."""
    root = checkout()
    if root is None:
        return ""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    return asked.stdout.strip()


# --- scores


def outturns(panel: Panel, after: str) -> pd.DataFrame:
    """What has come out since a day: target, location, target_end_date, value (£) and known (ISO day).

    Councils' returned or stated balances, England's published gross deficit (or the sum of nearly all councils'),
    and the regions' sums where all their councils are known. A figure that was public by the day is not an
    outturn.
    """
    rows = panel.frame[["balance", "balance_published", "region"]].reset_index()
    rows = rows.rename(columns={"authority": "location", "balance": "value", "balance_published": "known"})
    deficits = rows.assign(value=(-rows["value"]).clip(lower=0))
    areas = pd.concat([deficits.assign(location=rows["region"]), deficits.assign(location="England")])
    by = ["year", "location"]
    sums = areas.dropna().groupby(by).agg(value=("value", "sum"), known=("known", "max"), n=("value", "size"))
    sums = sums.assign(of=areas.groupby(by).size()).reset_index()
    # Of a region all councils, of England nearly all.
    returns = sums[sums["n"] >= sums["of"] * np.where(sums["location"] == "England", NEARLY_ALL, 1)]
    england = returned(panel.national)
    england = england.assign(known=england["published"].map(last_day), location="England")
    newer = ~england["year"].isin(returns.loc[returns["location"].eq("England"), "year"])
    gross = pd.concat([returns, england[newer]]).assign(target="gross_deficit")
    found = pd.concat([rows.dropna().assign(target="balance"), gross], ignore_index=True)
    found["target_end_date"] = found["year"].astype(int).astype(str) + "-03-31"
    return found.loc[found["known"] > after, ["target", "location", "target_end_date", "value", "known"]]


def score(panel: Panel, folder: Path | None = None) -> pd.DataFrame:
    """Every entry against what has come out since it was issued, and other people's forecasts of England.

    One row a forecaster, area (councils, regions, England) and year end: n (outturns), error (mean absolute error
    of the median, £), crps (£; from the quantiles, or the error for a single figure), within_50 and within_80
    (shares; missing for a single figure). No row where nothing has come out yet.
    """
    tables = []
    for entry in entries(folder):
        by_area = scored(entry, panel).groupby(["forecaster", "area", "target_end_date"])
        tables.append(by_area[SCORES].mean().assign(n=by_area.size()).reset_index())
    tables.append(_others(panel))
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)[COLUMNS]


def skill(entry: Entry, panel: Panel) -> pd.DataFrame:
    """By how much an entry's CRPS for councils beats the last value, one row a year end: n and the columns of
    `backtest.skill`."""
    found = scored(entry, panel)
    councils = found[found["area"].eq("councils")].dropna().groupby("target_end_date")
    return pd.DataFrame(
        {"target_end_date": end, "n": len(each), **compared(each["crps"], each["last"], each["region"])}
        for end, each in councils
    )


def scored(entry: Entry, panel: Panel) -> pd.DataFrame:
    """Each figure of an entry that has an outturn: target, location, target_end_date, forecaster, area, region;
    error, crps, within_50 and within_80 as in `score`, and last (£, error of the last value; councils only)."""
    key = ["target", "location", "target_end_date"]
    told = entry.table().pivot(index=key, columns="output_type_id", values="value")
    values = outturns(panel, entry.facts["as_of"] or entry.facts["issued"]).set_index(key)["value"]
    both = told.index.intersection(values.index)
    told, values, levels = told.loc[both], values[both], told.columns.to_numpy(dtype=float)
    found = cases(values, told[list(RANGES.values())].set_axis(list(RANGES), axis=1)).reset_index()
    places, newest = found["location"], panel.figure("balance")[entry.facts["data"]["balances_to"]]
    areas = np.where(places == "England", "England", "regions")
    return found.assign(
        forecaster=entry.name,
        area=np.where(found["target"] == "balance", "councils", areas),
        region=panel.authorities.frame["region"].reindex(places).to_numpy(),
        crps=crps_quantile(values.to_numpy(), told.to_numpy(), levels) if len(told) else 0.0,
        last=np.abs(values.to_numpy() - newest.reindex(places).to_numpy()),
    )


def _others(panel: Panel) -> pd.DataFrame:
    """Published forecasts of England's cumulative deficit, each against the outturn that came after it."""
    told = panel.forecasts.query("measure == 'cumulative_deficit' and unit == 'gbp' and price_basis == 'nominal'")
    told = told[told["repeats"].isna() & told["published"].notna()].reset_index()
    told["target_end_date"] = told["year"].astype(str) + "-03-31"
    england = outturns(panel, "").query("location == 'England'")[["target_end_date", "value", "known"]]
    found = told.drop(columns="value", errors="ignore").merge(england, on="target_end_date")
    found = found[found["known"] > found["published"].map(last_day)].drop_duplicates("index")
    # "At least" says no central estimate.
    error = (found["value"] - found["central"].fillna((found["low"] + found["high"]) / 2)).abs()
    found = found.assign(forecaster=found["publisher"] + ", " + found["published"], area="England", n=1)
    return found.assign(error=error, crps=error, within_50=np.nan, within_80=np.nan).dropna(subset="error")


# --- why a projection moved


def news(panel: Panel, after: str, until: str | None = None) -> dict[str, list[str]]:
    """What became public between two days (ISO; after the first, to the second), by day: publications, in
    words."""
    found = [
        (last_day(published), source.title.partition(":")[0])
        for folder, source in panel.raw.sources.items()
        for file in (source.file if folder in EDITIONS else ())
        for published in (file.published, *file.first_published.values())
        if published is not None
    ]
    stated = panel.frame.loc[panel.frame["balance_basis"].eq(STATED), "balance_published"].dropna()
    found += [(str(day), "council statements") for day in stated]
    national = returned(panel.national).dropna(subset="published")
    found += [
        (last_day(row.published), f"{NATIONAL} of {gbp(row.value)} for {year_end(row.year)}")
        for row in national.itertuples()
    ]
    for year, value in BLOCK_GROWTH.values.items():
        found.append((str(value.announced), f"the block of {financial_year(year)} as announced"))
    found.append((str(PROGRAMME_ENDED.announced), "the end of the safety valve programme"))
    days = sorted({day for day, _ in found if after < day and (until is None or day <= until)})
    return {day: sorted({words for on, words in found if on == day}) for day in days}


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
    before, after = first.run, second.run

    def value(then: Panel, assumptions: Assumptions, draws: int, seed: int) -> float:
        return _projected(project(then, assumptions, until=year, draws=draws, seed=seed), location, year)

    same = start == end and first.facts["as_of"] == second.facts["as_of"]
    then = panel if same and first.facts["as_of"] is None else as_known(panel, start)
    steps = {f"as issued: {first.name}": first.median(location, year)}
    steps["method, and older figures held since"] = value(then, *before)
    for day, names in {} if same else news(panel, start, end).items():
        then = as_known(panel, day)
        steps[f"{day}: {listed(names)}"] = value(then, *before)
    if after[0] != before[0]:
        steps["assumptions"] = value(then, after[0], *before[1:])
    if after[1:] != before[1:]:
        steps["random numbers"] = value(then, *after)
    steps[f"method of {second.name}, and figures without a day"] = second.median(location, year)
    return _steps(steps)


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
    before = as_known(panel, day)
    steps[f"method: this projection on {day}"] = value(before)
    for each, names in news(panel, day, panel.as_of).items():
        then = as_known(panel, each)
        stated, others = ([one for one in names if one.startswith(NATIONAL) is so] for so in (True, False))
        if stated and others:  # a national figure has a line of its own
            steps[f"{each}: {listed(others)}"] = value(replace(then, national=before.national))
        steps[f"{each}: {listed(stated or others)}"] = value(then)
        before = then
    steps["figures without a day, levers and own figures"] = _projected(projection, location, year)
    told = _steps(steps)
    return told[told["change"] != 0]


def _projected(projection: Projection, location: str, year: int) -> float:
    if location in projection.fit.councils.index:
        return float(projection.authority(location).at[year, "p50"])
    return float(projection.area(location).at[("gross", year), "p50"])


def _steps(steps: dict[str, float]) -> pd.DataFrame:
    value = pd.Series(steps).round()
    return pd.DataFrame({"value": value, "change": value.diff()}).rename_axis("cause")
