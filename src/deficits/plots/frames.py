"""Frames as the charts take them: checked, sorted, without gaps; and the tables that go with the charts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from deficits.errors import closest
from deficits.formatting import gbp, gbp_range
from deficits.plots.phrases import short_date

QUANTILES = ("p10", "p25", "p50", "p75", "p90")
WIDE = ("p10", "p50", "p90")
FORECAST = ("publisher", "year", "low", "central", "high", "published")

YEAR, FIGURE, MIDDLE = "Year (at 31 March)", "Figure", "Median or observed (£)"
PERCENTILES = {
    "p10": "10th percentile (£)",
    "p25": "25th percentile (£)",
    "p50": MIDDLE,
    "p75": "75th percentile (£)",
    "p90": "90th percentile (£)",
}
# Where published forecasts stand in the same table, their low, central and high go with ours.
WITH_FORECASTS = {
    PERCENTILES["p10"]: "10th percentile or published low (£)",
    MIDDLE: "Median, observed or published central (£)",
    PERCENTILES["p90"]: "90th percentile or published high (£)",
}
Row = dict[str, Any]


def columns(frame: pd.DataFrame, wanted: Iterable[str], chart: str) -> pd.DataFrame:
    """The wanted columns of a frame.

    Raises:
        ValueError: a column is not there; it names the chart and offers the closest name.
    """
    wanted = list(wanted)
    for column in wanted:
        if column not in frame.columns:
            hint = closest(column, map(str, frame.columns))
            raise ValueError(f"chart {chart!r}: no column {column!r}; {hint}")
    return frame[wanted]


def whole_years(years: Iterable[Any], chart: str) -> list[int]:
    """Years as integers.

    Raises:
        ValueError: something is not a whole year.
    """
    found = []
    for year in years:
        try:
            whole = int(year)
        except (TypeError, ValueError):
            whole = None
        if whole is None or whole != float(year):
            raise ValueError(f"chart {chart!r}: {year!r} is not a year; expected a whole number such as 2025")
        found.append(whole)
    return found


def one_row_a_year(years: Iterable[Any], chart: str) -> list[int]:
    """Years as integers, each of which stands once.

    Raises:
        ValueError: something is not a whole year, or a year stands twice.
    """
    found = whole_years(years, chart)
    twice = sorted({year for year in found if found.count(year) > 1})
    if twice:
        raise ValueError(f"chart {chart!r}: {', '.join(map(str, twice))} stands twice; give one row a year")
    return found


def quantiles_by_year(frame: pd.DataFrame, chart: str, names: Iterable[str] = QUANTILES) -> pd.DataFrame:
    """Percentiles as floats by integer year, sorted, without years that lack one.

    Raises:
        ValueError: a column is missing, or a year stands twice.
    """
    found = columns(frame, names, chart).astype("float64").dropna()
    found.index = pd.Index(one_row_a_year(found.index, chart), name="year", dtype="int64")
    return found.sort_index()


def last_shared_year(without: pd.DataFrame, with_scheme: pd.DataFrame, chart: str) -> int:
    """The last year that both projections have.

    Raises:
        ValueError: they have none in common.
    """
    shared = without.index.intersection(with_scheme.index)
    if shared.empty:
        raise ValueError(f"chart {chart!r}: the projections without and with the scheme have no year in common")
    return int(shared.max())


def observed_points(frame: pd.DataFrame, chart: str, basis: str) -> pd.DataFrame:
    """Observed values as year, value and basis, sorted by year, without missing values."""
    found = columns(frame, ("year", "value", basis), chart).dropna(subset=["year", "value"])
    points = pd.DataFrame(
        {
            "year": pd.Series(whole_years(found["year"], chart), dtype="int64"),
            "value": found["value"].astype("float64").to_numpy(),
            "basis": [_sentence(text) for text in found[basis]],
        }
    )
    return points.sort_values("year", kind="stable", ignore_index=True)


def published_forecasts(frame: pd.DataFrame, chart: str) -> pd.DataFrame:
    """Forecasts that give at least one value, oldest first."""
    found = columns(frame, FORECAST, chart).dropna(subset=["low", "central", "high"], how="all")
    found = found.assign(
        year=whole_years(found["year"], chart),
        published=["" if pd.isna(day) else str(day).removesuffix(" 00:00:00") for day in found["published"]],
        publisher=found["publisher"].astype(str),
        **{column: found[column].astype("float64") for column in ("low", "central", "high")},
    )
    return found.sort_values(["published", "publisher"], kind="stable", ignore_index=True)


def _sentence(text: object) -> str:
    words = "Observed" if pd.isna(text) else str(text).strip() or "Observed"
    return words[0].upper() + words[1:]


def records(frame: pd.DataFrame) -> list[Row]:
    """The rows of a frame as dictionaries by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def by_year(frame: pd.DataFrame) -> list[tuple[int, Row]]:
    """The rows of a frame indexed by year, each with its year."""
    return list(zip(frame.index.tolist(), records(frame), strict=True))


def quantile_rows(quantiles: pd.DataFrame, figure: str) -> list[Row]:
    """One row a year for the chart's table."""
    named = quantiles.rename(columns=PERCENTILES)
    return [{YEAR: year, FIGURE: figure, **row} for year, row in by_year(named)]


def observed_rows(points: pd.DataFrame) -> list[Row]:
    """One row a point for the chart's table."""
    return [
        {YEAR: int(year), FIGURE: basis, MIDDLE: value}
        for year, value, basis in points.itertuples(index=False, name=None)
    ]


def forecast_rows(forecasts: pd.DataFrame) -> list[Row]:
    """One row a forecast for the chart's table."""
    return [
        {
            YEAR: row["year"],
            FIGURE: row["publisher"],
            PERCENTILES["p10"]: row["low"],
            MIDDLE: row["central"],
            PERCENTILES["p90"]: row["high"],
            "Published": short_date(row["published"]),
        }
        for row in records(forecasts)
    ]


def values_and_marks(forecast: Row) -> tuple[list[float], list[float]]:
    """All values that a forecast gives, and those to mark: its central figure, or else the ends it gives."""
    given = [float(forecast[part]) for part in ("low", "central", "high") if pd.notna(forecast[part])]
    return given, [float(forecast["central"])] if pd.notna(forecast["central"]) else given


def forecast_in_words(forecast: Row) -> str:
    """What a forecast says: a range before a point.

    >>> forecast_in_words({"low": 4.3e9, "central": float("nan"), "high": 4.9e9})
    '£4.3bn to £4.9bn'
    >>> forecast_in_words({"low": 4.3e9, "central": float("nan"), "high": float("nan")})
    'from £4.3bn'
    """
    low, central, high = forecast["low"], forecast["central"], forecast["high"]
    if pd.notna(low) and pd.notna(high):
        return gbp_range(low, high)
    if pd.notna(central):
        return gbp(central)
    return f"from {gbp(low)}" if pd.notna(low) else f"up to {gbp(high)}"


def table(rows: list[Row]) -> pd.DataFrame:
    """Rows as a frame with its columns in reading order; a percentile that no row has is left out."""
    order = [YEAR, FIGURE, *PERCENTILES.values(), "Published"]
    found = pd.DataFrame(rows, columns=order)
    return found.dropna(axis="columns", how="all").sort_values(YEAR, kind="stable", ignore_index=True)
