"""England: the projection against a threshold, how likely it is passed, and paths with and without a write-off."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from deficits.formatting import gbp, gbp_range, percent, year_end
from deficits.plots import drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.drawing import EndLabel
from deficits.plots.frames import Row
from deficits.plots.phrases import change, counted, march, period, round_gbp, slug
from deficits.plots.style import AFTER_WRITEOFF, BLUE, GREY, PLUM, PROJECTION, TEXT, THIN, WHITE, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SOURCE = "projection based on council returns to the Department for Education and MHCLG"
SOURCE_WITH_FORECASTS = f"{SOURCE}; forecasts as published by each organisation named"
FORECAST_VALUES = ["low", "central", "high"]


def england_fan(
    quantiles: pd.DataFrame,
    observed: pd.DataFrame,
    forecasts: pd.DataFrame,
    threshold: float = 5e9,
    *,
    source: str = SOURCE_WITH_FORECASTS,
) -> Chart:
    """The gross deficit of England: observed, the projection's 50% and 80% ranges, and others' forecasts.

    Args:
        quantiles: indexed by year (2026: at 31 March 2026), columns p10, p25, p50, p75, p90; gross deficit,
            £, >= 0.
        observed: columns year, value (£) and label (such as "Reported by councils"); may be empty.
        forecasts: columns publisher, year, low, central, high (£, NaN where not given), published (ISO date);
            may be empty.
        threshold: £, drawn as a line.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, a year stands twice, or no year has all percentiles.

    >>> fan = pd.DataFrame({"p10": 5.1e9, "p25": 5.4e9, "p50": 5.7e9, "p75": 6e9, "p90": 6.3e9}, index=[2026])
    >>> seen = pd.DataFrame({"year": [2025], "value": [3.8e9], "label": ["National figure"]})
    >>> england_fan(fan, seen, pd.DataFrame(columns=list(frames.FORECAST))).finding
    "England's deficit is at least 90% likely to exceed £5bn at March 2026"
    """
    name = "england-fan"
    projection = frames.quantiles_by_year(quantiles, name)
    if projection.empty:
        raise ValueError(f"chart {name!r}: no year of quantiles has all of {', '.join(frames.QUANTILES)}")
    points = frames.observed_points(observed, name, "label")
    others = frames.published_forecasts(forecasts, name)
    years = [*projection.index, *points["year"], *others["year"]]
    named = _forecast_to_name(others, projection, points)
    amounts = [*projection["p90"], *points["value"], *others[FORECAST_VALUES].max(axis=1), threshold]
    if named:
        amounts.append(_name_height(named, projection) + 0.14 * max(amounts))
    with house_style():
        figure, axes = drawing.new_axes()
        unit = drawing.money_axis(axes, *drawing.limits(amounts))
        drawing.year_axis(axes, years)
        drawing.fan(axes, projection, points)
        axes.axhline(threshold, color=TEXT, linewidth=THIN, linestyle=(0, (6, 3)), zorder=2.1)
        drawing.observed(axes, points)
        _forecast_marks(axes, others)
        if named:
            _name_forecast(axes, named, _name_height(named, projection))
        drawing.legend_above(axes)
        drawing.end_labels(figure, axes, _fan_labels(projection, threshold, axes.get_xlim()[1]))
    finding = _threshold_finding(projection, points, threshold)
    rows = [
        *frames.observed_rows(points),
        *frames.quantile_rows(projection, "Projection"),
        *frames.forecast_rows(others),
    ]
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=f"Gross deficit of councils in deficit, 50% and 80% ranges, England, {period(years)}",
        unit=unit,
        source=source,
        alt=" ".join(
            [
                f"{finding}.",
                f"Line and fan chart with a line at {round_gbp(threshold)}.",
                *_observed_words(points),
                _projection_words("The median of the projection", projection),
                *_forecast_words(others),
            ]
        ),
        data=frames.table(rows).rename(columns=frames.WITH_FORECASTS),
    )


def probability_by_year(
    probability: pd.Series[float], threshold: float, measure: str, *, source: str = SOURCE
) -> Chart:
    """How likely the deficit is to be above a threshold at each year end.

    Args:
        probability: 0 to 1, indexed by year (2026: at 31 March 2026).
        threshold: £.
        measure: the deficit meant, such as "gross" or "net".
        source: publications and organisations.

    Raises:
        ValueError: a value outside 0 to 1, a year that stands twice, or no value at all.

    >>> probability_by_year(pd.Series({2026: 0.34, 2027: 0.92}), 5e9, "gross").finding
    'A gross deficit above £5bn is 92% likely at March 2027'
    """
    amount = round_gbp(threshold)
    name = f"probability-{slug(measure)}-above-{slug(amount)}"
    known = probability.dropna().astype("float64")
    shares = dict(sorted(zip(frames.one_row_a_year(known.index, name), known.tolist(), strict=True)))
    if not shares:
        raise ValueError(f"chart {name!r}: probability is empty; give at least one year")
    for year, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"chart {name!r}: the probability of {year} is {share}; expected 0 to 1")
    with house_style():
        figure, axes = drawing.new_axes()
        axes.bar(list(shares), list(shares.values()), width=0.62, color=BLUE)
        for year, share in shares.items():
            # Signs in place of words, so that the labels of many years stand side by side.
            shown = percent(share).replace("over ", ">").replace("under ", "<")
            drawing.label_above(axes, year, share, shown)
        axes.set_ylim(0, 1.1)
        axes.set_yticks(np.linspace(0, 1, 5), ["0%", "25%", "50%", "75%", "100%"])
        drawing.year_axis(axes, shares, room=0.6)
        drawing.settle(figure)
    headline = next((year for year, share in shares.items() if share >= 0.5), max(shares))
    finding = f"A {measure} deficit above {amount} is {percent(shares[headline])} likely at {march(headline)}"
    each = ", ".join(f"{percent(share)} in {year}" for year, share in shares.items())
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=f"Probability that the {measure} deficit is above {amount}, England, {period(shares)}",
        unit="%",
        source=source,
        alt=f"{finding}. Bar chart with one bar for each 31 March: {each}.",
        data=pd.DataFrame({frames.YEAR: list(shares), "Probability (0 to 1)": list(shares.values())}),
    )


def writeoff_paths(
    without: pd.DataFrame,
    with_scheme: pd.DataFrame,
    observed: pd.DataFrame,
    scheme_title: str,
    *,
    source: str = SOURCE,
) -> Chart:
    """The gross deficit of England with and without a write-off: 80% range and median of each.

    Args:
        without: indexed by year, columns p10, p50, p90; gross deficit, £, >= 0.
        with_scheme: the same after the write-off.
        observed: columns year, value (£), label; may be empty.
        scheme_title: as its proposer calls it.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, a year stands twice, or the two projections have no year in common.

    >>> before = pd.DataFrame({"p10": [18e9], "p50": [20e9], "p90": [22e9]}, index=[2031])
    >>> seen = pd.DataFrame(columns=["year", "value", "label"])
    >>> writeoff_paths(before, before - 5e9, seen, "Half of each deficit").finding
    'Write-off lowers the central deficit at March 2031 from £20.0bn to £15.0bn'
    """
    name = f"writeoff-paths-{slug(scheme_title)}"
    before = frames.quantiles_by_year(without, name, frames.WIDE)
    after = frames.quantiles_by_year(with_scheme, name, frames.WIDE)
    points = frames.observed_points(observed, name, "label")
    last = frames.last_shared_year(before, after, name)
    left, reached = float(before["p50"].loc[last]), float(after["p50"].loc[last])
    years = [*before.index, *after.index, *points["year"]]
    with house_style():
        figure, axes = drawing.new_axes()
        amounts = [*before["p90"], *after["p90"], *points["value"]]
        unit = drawing.money_axis(axes, *drawing.limits(amounts))
        drawing.year_axis(axes, years)
        drawing.fan(axes, before, points, PROJECTION)
        drawing.fan(axes, after, points, AFTER_WRITEOFF)
        drawing.observed(axes, points)
        drawing.legend_above(axes)
        labels = [
            EndLabel(last, reached, f"After write-off\n{gbp(reached)}"),
            EndLabel(last, left, f"No write-off\n{gbp(left)}"),
        ]
        drawing.end_labels(figure, axes, labels)
    finding = _difference(left, reached, last)
    rows = [
        *frames.observed_rows(points),
        *frames.quantile_rows(before, "No write-off"),
        *frames.quantile_rows(after, "After write-off"),
    ]
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=f"Gross deficit, median and 80% range, {scheme_title}, England, {period(years)}",
        unit=unit,
        source=source,
        alt=" ".join(
            [
                f"{finding}.",
                f"Two fans, without and after the write-off ({scheme_title}).",
                *_observed_words(points),
                _projection_words("Without it the median", before),
                _projection_words("After it the median", after),
            ]
        ),
        data=frames.table(rows),
    )


# Words


def _threshold_finding(projection: pd.DataFrame, points: pd.DataFrame, threshold: float) -> str:
    amount = round_gbp(threshold)
    below = projection.index[projection["p50"] <= threshold]
    above = projection.index[projection["p50"] > threshold]
    if not points.empty and points["value"].iloc[-1] > threshold:
        if below.empty:
            seen = march(points["year"].iloc[-1])
            return f"England's deficit, above {amount} at {seen}, is likely to stay above it"
        return f"England's deficit is likely to fall below {amount} by {march(below[0])}"
    if above.empty:
        return f"England's deficit is more likely than not below {amount} until {march(below[-1])}"
    first = projection.loc[above[0]]
    chance = "more likely than not"
    if first["p25"] > threshold:
        chance = "at least 75% likely"
    if first["p10"] > threshold:
        chance = "at least 90% likely"
    return f"England's deficit is {chance} to exceed {amount} at {march(above[0])}"


def _difference(before: float, after: float, year: int) -> str:
    if gbp(before) == gbp(after):
        return f"Write-off leaves the central deficit at {march(year)} unchanged at {gbp(after)}"
    word = "lowers" if after < before else "raises"
    return f"Write-off {word} the central deficit at {march(year)} from {gbp(before)} to {gbp(after)}"


def _observed_words(points: pd.DataFrame) -> list[str]:
    if points.empty:
        return []
    first, last = points.iloc[0], points.iloc[-1]
    if len(points) == 1:
        return [f"The observed deficit is {gbp(last['value'])} at {year_end(last['year'])}."]
    moved = change(first["value"], last["value"])
    return [f"The observed deficit {moved} between {year_end(first['year'])} and {year_end(last['year'])}."]


def _projection_words(subject: str, projection: pd.DataFrame) -> str:
    first, last = projection.iloc[0], projection.iloc[-1]
    when = year_end(projection.index[-1])
    moved = (
        f"is {gbp(last['p50'])} at {when}"
        if len(projection) == 1
        else f"{change(first['p50'], last['p50'])} between {year_end(projection.index[0])} and {when}"
    )
    return f"{subject} {moved}, where its 80% range is {gbp_range(last['p10'], last['p90'])}."


def _forecast_words(others: pd.DataFrame) -> list[str]:
    said = []
    for year in sorted(set(others["year"])):
        some = others.loc[others["year"] == year, FORECAST_VALUES].to_numpy()
        amounts = gbp_range(float(np.nanmin(some)), float(np.nanmax(some)))
        said.append(f"{counted(len(some), 'forecast')} for {march(year)}, {amounts}")
    return [f"Published elsewhere: {'; '.join(said)}."] if said else []


# Marks


def _fan_labels(projection: pd.DataFrame, threshold: float, edge: float) -> list[EndLabel]:
    """The ranges are named in their upper halves, where a rising fan has room."""
    year, end = float(projection.index[-1]), projection.iloc[-1]
    return [
        EndLabel(year, end["p50"], f"Median {gbp(end['p50'])}"),
        EndLabel(year, (end["p50"] + end["p75"]) / 2, "50% range"),
        EndLabel(year, (end["p75"] + end["p90"]) / 2, "80% range"),
        EndLabel(edge, threshold, round_gbp(threshold)),
    ]


def _forecast_marks(axes: Axes, others: pd.DataFrame) -> None:
    """Hollow markers, those of one year side by side in order of publication; a thin line for a range."""
    for year in sorted(set(others["year"])):
        some = frames.records(others[others["year"] == year])
        step = min(0.13, 0.6 / len(some))
        for number, row in enumerate(some):
            place = year + step * (number - (len(some) - 1) / 2)
            given, marks = frames.values_and_marks(row)
            axes.vlines(place, min(given), max(given), color=PLUM, linewidth=1.2, clip_on=False, zorder=3.2)
            axes.plot(
                [place] * len(marks),
                marks,
                "o",
                color=PLUM,
                markerfacecolor=WHITE,
                markersize=5,
                clip_on=False,
                zorder=3.3,
            )
    if not others.empty:
        axes.plot([], [], "o", color=PLUM, markerfacecolor=WHITE, markersize=5, label="Published forecast")


def _forecast_to_name(others: pd.DataFrame, projection: pd.DataFrame, points: pd.DataFrame) -> Row | None:
    """The one forecast that looks furthest ahead, where the space left of it, above the fan, is free."""
    if others.empty:
        return None
    year = int(others["year"].max())
    furthest = frames.records(others[others["year"] == year])
    if len(furthest) > 1 or year not in projection.index:
        return None
    before = [*projection["p90"].loc[: year - 1], *points["value"], *others[FORECAST_VALUES].max(axis=1)]
    first = min([*projection.index, *points["year"]])
    free = max(before) <= _name_height(furthest[0], projection) and year - first >= 5
    return furthest[0] if free else None


def _name_height(row: Row, projection: pd.DataFrame) -> float:
    given, _ = frames.values_and_marks(row)
    return max(float(projection["p90"].loc[row["year"]]), *given)


def _name_forecast(axes: Axes, row: Row, height: float) -> None:
    _, marks = frames.values_and_marks(row)
    words = textwrap.wrap(f"{row['publisher']} {frames.forecast_in_words(row)}", 26)
    axes.annotate(
        "\n".join(words),
        xy=(row["year"], marks[-1]),
        xytext=(row["year"] - 0.5, height),
        ha="right",
        va="bottom",
        multialignment="left",
        bbox=drawing.CLEAR,
        arrowprops={"arrowstyle": "-", "linewidth": THIN, "color": GREY, "relpos": (1, 0.2), "shrinkB": 3},
        zorder=4,
    )
