"""The forecast ledger: projections as they were issued, each sealed to the one before, and their scores.

`forecasts/<day>-<name>/` holds one entry: `forecast.parquet`, quantiles by council, region and England in the
column names of the hubverse forecast hubs, and `entry.json`, what it was made with. An entry's hash is that of
its `entry.json`, which carries the hash of its table and of the entry before: changing one byte of an old entry
breaks the chain, and `verify` says where.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scoringrules import crps_quantile

from deficits.errors import ProjectionError
from deficits.formatting import last_day
from deficits.panel import Panel
from deficits.paths import PACKAGE, checkout, forecasts_dir, write_whole
from deficits.projection.backtest import cases
from deficits.projection.backtest import skill as compared
from deficits.projection.condition import returned
from deficits.projection.history import NEARLY_ALL
from deficits.projection.projection import Projection, national
from deficits.simulated import QUANTILES as RANGES

LEVELS = (0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
QUANTILES = tuple(round(level, 3) for level in (*LEVELS, *(1 - level for level in reversed(LEVELS[:-1]))))
"""The 21 quantile levels kept."""
ROOMS = ("raw", "publications", "panel", "projection")
"""Rooms whose code makes a projection."""
SCORES = ["error", "crps", "within_50", "within_80"]
COLUMNS = ["forecaster", "area", "target_end_date", "n", *SCORES]
FIRST = "0" * 64
"""What the first entry carries in place of a hash."""


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


def entries(folder: Path | None = None) -> list[Entry]:
    """Every entry, oldest first, as it stands in the folder: `verify` says whether that is how it was issued."""
    root = folder or forecasts_dir()
    found = []
    for path in sorted(root.glob("*/entry.json")):
        content = path.read_bytes()
        found.append(Entry(path.parent, json.loads(content), hashlib.sha256(content).hexdigest()))
    return sorted(found, key=lambda entry: entry.facts["number"])


def verify(folder: Path | None = None) -> str:
    """The newest entry's hash, if each entry is as it was issued; ProjectionError names the first that is not."""
    previous = FIRST
    for number, entry in enumerate(entries(folder), start=1):
        table = (entry.folder / "forecast.parquet").read_bytes()
        faults = [
            (entry.facts["number"] != number, f"it is entry {entry.facts['number']}, expected entry {number}"),
            (entry.facts["previous"] != previous, "the entry before it is not the one that it was issued after"),
            (
                entry.facts["sha256"] != hashlib.sha256(table).hexdigest(),
                "its table is not the one that was issued",
            ),
        ]
        told = [words for wrong, words in faults if wrong]
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
    previous = verify(root)
    day = (today or date.today()).isoformat()
    place = root / f"{day}-{name}"
    if place.exists():
        raise ProjectionError(
            f"forecasts/{place.name} is there already: entries are never replaced; give another name"
        )
    content = io.BytesIO()
    quantiles(projection).to_parquet(content, index=False)
    panel = projection.panel
    published = panel.frame.filter(like="_published").stack()
    facts = {
        "number": len(entries(root)) + 1,
        "name": name,
        "issued": day,
        "as_of": panel.as_of,
        "data": {
            "newest_figure": str(published[published < "9999"].max()),
            "balances_to": projection.base_year,
            "sha256": _digest(json.dumps(panel.raw.hashes(), sort_keys=True).encode()),
        },
        "code": _code(),
        "seed": projection.seed,
        "draws": projection.balance.sizes["draw"],
        "assumptions": projection.assumptions.model_dump(mode="json"),
        "note": note,
        "sha256": _digest(content.getvalue()),
        "previous": previous,
    }
    place.mkdir(parents=True)
    write_whole(place / "forecast.parquet", content.getvalue())
    write_whole(place / "entry.json", json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    return entries(root)[-1]


def quantiles(projection: Projection) -> pd.DataFrame:
    """Quantiles of a projection's later year ends, to the nearest £, in the ledger's columns: see
    `Entry.table`."""
    later = projection.balance.sel(year=projection.projected_years)
    gross = {"England": national(later, "gross")}
    for region in sorted(set(projection.regions)):
        gross[region] = national(later.sel(authority=projection.in_region(region)), "gross")
    places = {
        "gross_deficit": xr.concat(list(gross.values()), pd.Index(list(gross), name="location")),
        "balance": later.reset_coords(drop=True).rename(authority="location"),
    }
    frames = []
    for target, draws in places.items():
        levels = draws.quantile(QUANTILES, "draw", skipna=False).rename(quantile="output_type_id")
        long = levels.transpose("location", "output_type_id", "year").rename("value").to_series()
        frames.append(long.reset_index().assign(target=target))
    table = pd.concat(frames, ignore_index=True)
    table["target_end_date"] = table.pop("year").astype(str) + "-03-31"
    table["output_type"], table["value"] = "quantile", table["value"].round()
    return table[["target", "location", "target_end_date", "output_type", "output_type_id", "value"]]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _code() -> dict[str, str]:
    """Version, commit (where the project is a checkout with one) and hash of the code that makes a projection."""
    root = checkout()
    commit = ""
    if root is not None:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
        commit = asked.stdout.strip()
    files = sorted(path for room in ROOMS for path in (PACKAGE / room).glob("*.py"))
    return {
        "version": version("deficits"),
        "commit": commit,
        "sha256": _digest(b"".join(path.read_bytes() for path in files)),
    }


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


def matched(entry: Entry, panel: Panel) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The quantiles that have an outturn (rows by target, location, year end; columns by level, £), and these."""
    key = ["target", "location", "target_end_date"]
    told = entry.table().pivot(index=key, columns="output_type_id", values="value")
    actual = outturns(panel, entry.facts["as_of"] or entry.facts["issued"]).set_index(key)
    both = told.index.intersection(actual.index)
    return told.loc[both], actual.loc[both]


def skill(entry: Entry, panel: Panel, resamples: int = 2000, seed: int = 1) -> pd.DataFrame:
    """By how much an entry's CRPS for councils beats the last value: share, with 95% intervals.

    One row a year end: n, skill (1 less the ratio of the scores), and low and high when councils are drawn again
    (`councils_...`) and when whole regions are (`regions_...`). Better is to be said only where the interval
    excludes 0.
    """
    found = scored(entry, panel)
    councils = found[found["area"].eq("councils")].dropna()
    rows = [
        {
            "target_end_date": end,
            "n": len(each),
            **compared(each["crps"], each["last"], each["region"], resamples, seed),
        }
        for end, each in councils.groupby("target_end_date")
    ]
    return pd.DataFrame(rows)


def scored(entry: Entry, panel: Panel) -> pd.DataFrame:
    """Each figure of an entry that has an outturn: target, location, target_end_date, forecaster, area, region;
    error, crps, within_50 and within_80 as in `score`, and last (£, error of the last value; councils only)."""
    told, actual = matched(entry, panel)
    values, levels = actual["value"], np.array([float(level) for level in told.columns])
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
