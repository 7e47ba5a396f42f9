"""Frames as the charts take them: checked, sorted, without gaps; and the tables that go with the charts.

What does not fit is refused with a ValueError that names the chart, what was found and what is expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from deficits.errors import closest
from deficits.formatting import day_in_words, gbp, gbp_range

QUANTILES = ("p10", "p25", "p50", "p75", "p90")
WIDE = ("p10", "p50", "p90")
VALUES = ["low", "central", "high"]
FORECAST = ("publisher", "year", *VALUES, "published")
STATED = "stated"

YEAR, FIGURE = "Year (at 31 March)", "Figure"
PERCENTILES = {
    "p10": "10th percentile (£)",
    "p25": "25th percentile (£)",
    "p50": "Central estimate or observed (£)",
    "p75": "75th percentile (£)",
    "p90": "90th percentile (£)",
}
WITH_FORECASTS = {
    PERCENTILES["p10"]: "10th percentile or published low (£)",
    PERCENTILES["p50"]: "Central estimate, observed or published central (£)",
    PERCENTILES["p90"]: "90th percentile or published high (£)",
}
Row = Mapping[Any, Any]


def columns(frame: pd.DataFrame, wanted: Iterable[str], chart: str) -> pd.DataFrame:
    """The wanted columns of a frame."""
    wanted = list(wanted)
    for column in wanted:
        if column not in frame.columns:
            raise ValueError(f"chart {chart!r}: no column {column!r}; {closest(column, map(str, frame.columns))}")
    return frame[wanted]


def complete(frame: pd.DataFrame, wanted: Iterable[str], chart: str) -> pd.DataFrame:
    """The wanted columns of the rows that have all of them."""
    wanted = list(wanted)
    found = columns(frame, wanted, chart).dropna()
    if found.empty:
        raise ValueError(f"chart {chart!r}: no row has all of {', '.join(wanted)}; there is nothing to draw")
    return found


def whole_years(years: Iterable[Any], chart: str, once: bool = False) -> list[int]:
    """Years as integers; with `once`, each of which stands once."""
    given = list(years)
    numbers = pd.to_numeric(pd.Series(given, dtype=object), errors="coerce")
    for year, number in zip(given, numbers, strict=True):
        if not float(number).is_integer():
            raise ValueError(f"chart {chart!r}: {year!r} is not a year; expected a whole number such as 2025")
    found = [int(number) for number in numbers]
    twice = sorted({year for year in found if found.count(year) > 1})
    if once and twice:
        raise ValueError(f"chart {chart!r}: {', '.join(map(str, twice))} stands twice; give one row a year")
    return found


def quantiles_by_year(frame: pd.DataFrame, chart: str, names: Iterable[str] = QUANTILES) -> pd.DataFrame:
    """Percentiles as floats by integer year, sorted, without years that lack one."""
    found = columns(frame, names, chart).astype("float64").dropna()
    found.index = pd.Index(whole_years(found.index, chart, once=True), name="year", dtype="int64")
    return found.sort_index()


def observed_points(frame: pd.DataFrame, chart: str, basis: str) -> pd.DataFrame:
    """Observed values as year, value, basis and other (what a second source says), sorted by year."""
    found = columns(frame, ("year", "value", basis), chart).dropna(subset=["year", "value"])
    words = found[basis].astype(str)
    points = pd.DataFrame(
        {
            "year": pd.Series(whole_years(found["year"], chart), found.index, dtype="int64"),
            "value": found["value"].astype("float64"),
            "basis": (words.str[:1].str.upper() + words.str[1:]).astype("str"),
            "other": frame["other"].reindex(found.index).astype("float64") if "other" in frame else float("nan"),
        }
    )
    return points.sort_values("year", kind="stable", ignore_index=True)


def published_forecasts(frame: pd.DataFrame, chart: str) -> pd.DataFrame:
    """Forecasts that give at least one value, oldest first."""
    found = columns(frame, FORECAST, chart).dropna(subset=VALUES, how="all")
    found = found.assign(
        year=whole_years(found["year"], chart),
        published=["" if pd.isna(day) else str(day).removesuffix(" 00:00:00") for day in found["published"]],
        publisher=found["publisher"].astype(str),
        **{column: found[column].astype("float64") for column in VALUES},
    )
    return found.sort_values(["published", "publisher"], kind="stable", ignore_index=True)


def fan_table(
    points: pd.DataFrame, fans: dict[str, pd.DataFrame], forecasts: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The table of a fan chart: what was observed, each projection and each forecast, by year.

    A percentile that no row has is left out. The low, central and high of forecasts go with ours.
    """
    second = points.dropna(subset=["other"])
    seen = [points, second.assign(value=second["other"], basis="Second source")]
    parts = [
        some[["year", "basis", "value"]].set_axis([YEAR, FIGURE, PERCENTILES["p50"]], axis=1) for some in seen
    ]
    parts += [
        fan.rename(columns=PERCENTILES).rename_axis(YEAR).reset_index().assign(**{FIGURE: figure})
        for figure, fan in fans.items()
    ]
    if forecasts is not None:
        ends = {"low": PERCENTILES["p10"], "central": PERCENTILES["p50"], "high": PERCENTILES["p90"]}
        said = forecasts.assign(Published=[day_in_words(day) if day else None for day in forecasts["published"]])
        parts.append(said.drop(columns="published").rename(columns={"year": YEAR, "publisher": FIGURE} | ends))
    table = pd.concat([part for part in parts if len(part)]).reindex(
        columns=[YEAR, FIGURE, *PERCENTILES.values(), "Published"]
    )
    table = table.dropna(axis="columns", how="all").sort_values(YEAR, kind="stable", ignore_index=True)
    return table if "Published" not in table else table.rename(columns=WITH_FORECASTS)


def values_and_marks(forecast: Row) -> tuple[list[float], list[float]]:
    """All values that a forecast gives, and those to mark: its central figure, or else the ends it gives."""
    given = [float(forecast[part]) for part in VALUES if pd.notna(forecast[part])]
    return given, [float(forecast["central"])] if pd.notna(forecast["central"]) else given


def is_floor(forecast: Row) -> bool:
    """Whether a forecast gives a lower end only, such as "over £5bn"."""
    return bool(pd.isna(forecast["central"]) and pd.isna(forecast["high"]))


def forecast_in_words(forecast: Row) -> str:
    """What a forecast says: a range before a point.

    >>> forecast_in_words({"low": 4.3e9, "central": float("nan"), "high": 4.9e9})
    '£4.3bn to £4.9bn'
    >>> forecast_in_words({"low": 5e9, "central": float("nan"), "high": float("nan")})
    'over £5.0bn'
    """
    low, central, high = forecast["low"], forecast["central"], forecast["high"]
    if pd.notna(low) and pd.notna(high):
        return gbp_range(low, high)
    if pd.notna(central):
        return gbp(central)
    return f"over {gbp(low)}" if pd.notna(low) else f"up to {gbp(high)}"


def named(words: str, parts: Iterable[str], unit: str = "£") -> dict[str, str]:
    """Headings of the table for columns of percentiles and means, by column.

    >>> named("Grant", ["grant_p10", "grant_p50"])
    {'grant_p10': 'Grant, 10th percentile (£)', 'grant_p50': 'Grant, central estimate (£)'}
    """
    said = {"p10": "10th percentile", "p50": "central estimate", "p90": "90th percentile", "mean": "mean"}
    return {part: f"{words}, {said[part.rpartition('_')[2]]} ({unit})" for part in parts}
