"""One council: its balance with the projection, and its education, health and care plans."""

from __future__ import annotations

import pandas as pd

from deficits.formatting import gbp, percent, year_end
from deficits.plots import drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.drawing import EndLabel
from deficits.plots.england import SOURCE
from deficits.plots.phrases import balance, balance_range, counted, march, period, slug
from deficits.plots.style import AFTER_WRITEOFF, NAVY, PROJECTION, TEXT, THIN, house_style

PLANS_SOURCE = "Education, health and care plans from the Department for Education"


def authority_fan(
    quantiles: pd.DataFrame,
    observed: pd.DataFrame,
    name: str,
    with_scheme: pd.DataFrame | None = None,
    *,
    source: str = SOURCE,
) -> Chart:
    """The cumulative balance of one council: observed, then the projection's ranges; a deficit lies below zero.

    Args:
        quantiles: indexed by year (2026: at 31 March 2026), columns p10, p25, p50, p75, p90; balance, £,
            negative = deficit, so p10 is the worst. May be empty where `observed` is not.
        observed: columns year, value (£, negative = deficit), basis (such as "reported"); may be empty.
        name: of the council.
        with_scheme: as `quantiles`, after a write-off; then each fan shows its 80% range only.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, a year stands twice, the two projections have no year in common, or there
            is nothing to draw.

    >>> fan = pd.DataFrame({"p10": -9e6, "p25": -7e6, "p50": -6e6, "p75": -5e6, "p90": -3e6}, index=[2026])
    >>> authority_fan(fan, pd.DataFrame(columns=["year", "value", "basis"]), "Kent").finding
    'Kent: deficit of £3.0m to £9.0m projected at March 2026'
    """
    chart = f"authority-fan-{slug(name)}"
    projection = frames.quantiles_by_year(quantiles, chart)
    after = projection.iloc[:0] if with_scheme is None else frames.quantiles_by_year(with_scheme, chart)
    points = frames.observed_points(observed, chart, "basis")
    years = [*projection.index, *after.index, *points["year"]]
    if not years:
        raise ValueError(f"chart {chart!r}: no observed balance and no projection; there is nothing to draw")
    values = [*projection.to_numpy().ravel(), *after.to_numpy().ravel(), *points["value"]]
    with house_style():
        figure, axes = drawing.new_axes()
        unit = drawing.money_axis(axes, *drawing.limits(values, signed=True))
        drawing.year_axis(axes, years)
        bands = frames.QUANTILES if after.empty else frames.WIDE  # eight edges would be too many to follow
        drawing.fan(axes, projection[list(bands)], points, PROJECTION)
        drawing.fan(axes, after[list(bands)], points, AFTER_WRITEOFF)
        axes.axhline(0, color=TEXT, linewidth=THIN, zorder=2.1)
        axes.spines["bottom"].set_visible(False)
        drawing.observed(axes, points)
        drawing.legend_above(axes)
        zero = EndLabel(axes.get_xlim()[1], 0.0, "Zero balance")
        drawing.end_labels(figure, axes, [*_end_labels(projection, after), zero])
    finding = _finding(name, projection, after, points)
    return Chart(
        figure=figure,
        name=chart,
        finding=finding,
        subtitle=f"Dedicated schools grant balance (negative = deficit), {_ranges(projection, after)}"
        f"{name}, {period(years)}",
        unit=unit,
        source=source,
        alt=" ".join(
            [
                f"{finding}.",
                f"Line {'' if projection.empty and after.empty else 'and fan '}chart with a line at zero.",
                *_observed_words(points),
                *_projection_words("The median of the projection", projection),
                *_projection_words("After the write-off the median", after),
            ]
        ),
        data=frames.table(
            [
                *frames.observed_rows(points),
                *frames.quantile_rows(projection, "Projection"),
                *frames.quantile_rows(after, "After write-off"),
            ]
        ),
    )


def plans_history(frame: pd.DataFrame, name: str, *, source: str = PLANS_SOURCE) -> Chart:
    """Education, health and care plans of one council (or England) each January.

    Args:
        frame: columns year (2025: January 2025) and plans (a count).
        name: of the council.
        source: publication and organisation.

    Raises:
        ValueError: a column is missing, a year stands twice, or no year has a count.

    >>> plans_history(pd.DataFrame({"year": [2024, 2025], "plans": [1000.0, 1100.0]}), "Kent").finding
    'Kent: EHC plans up 10% from January 2024 to January 2025'
    """
    chart = f"plans-history-{slug(name)}"
    found = frames.columns(frame, ("year", "plans"), chart).dropna()
    if found.empty:
        raise ValueError(f"chart {chart!r}: no year has a count of plans")
    years = frames.one_row_a_year(found["year"], chart)
    plans = pd.Series(found["plans"].astype("float64").to_numpy(), index=years).sort_index()
    with house_style():
        figure, axes = drawing.new_axes()
        ticks = _count_ticks(plans.max())
        axes.set_ylim(0, ticks[-1])
        axes.set_yticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        drawing.year_axis(axes, plans.index, "January")
        every_year = plans.reindex(range(plans.index[0], plans.index[-1] + 1))
        axes.plot(every_year.index, every_year, "o-", color=NAVY, markersize=6, clip_on=False)
        last = EndLabel(plans.index[-1], plans.iloc[-1], f"{plans.iloc[-1]:,.0f}")
        drawing.end_labels(figure, axes, [last])
    finding = _plans_finding(name, plans)
    start, end = f"January {plans.index[0]}", f"January {plans.index[-1]}"
    return Chart(
        figure=figure,
        name=chart,
        finding=finding,
        subtitle=f"Education, health and care (EHC) plans, {name}, "
        + (start if start == end else f"{start} to {end}"),
        unit="plans",
        source=source,
        alt=f"{finding}. Line chart of the plans each January: "
        + ", ".join(f"{count:,.0f} in {year}" for year, count in plans.items())
        + ".",
        data=pd.DataFrame({"January": plans.index.to_list(), "EHC plans (number)": plans.to_numpy()}),
    )


def _ranges(projection: pd.DataFrame, after: pd.DataFrame) -> str:
    if not after.empty:
        return "median and 80% range, "
    return "" if projection.empty else "50% and 80% ranges, "


def _end_labels(projection: pd.DataFrame, after: pd.DataFrame) -> list[EndLabel]:
    """The ranges are named in their lower halves, where a falling fan has room."""
    if after.empty and not projection.empty:
        year, end = float(projection.index[-1]), projection.iloc[-1]
        return [
            EndLabel(year, (end["p10"] + end["p25"]) / 2, "80% range"),
            EndLabel(year, (end["p25"] + end["p50"]) / 2, "50% range"),
            EndLabel(year, end["p50"], f"Median {gbp(end['p50'])}"),
        ]
    return [
        EndLabel(float(fan.index[-1]), fan["p50"].iloc[-1], f"{words}\n{gbp(fan['p50'].iloc[-1])}")
        for words, fan in (("No write-off", projection), ("After write-off", after))
        if not fan.empty
    ]


def _finding(name: str, projection: pd.DataFrame, after: pd.DataFrame, points: pd.DataFrame) -> str:
    if projection.empty and after.empty:
        return f"{name}: {balance(points['value'].iloc[-1])} at {march(points['year'].iloc[-1])}"
    if projection.empty or after.empty:
        only = after if projection.empty else projection
        end = balance_range(only["p10"].iloc[-1], only["p90"].iloc[-1])
        return f"{name}: {end} projected at {march(only.index[-1])}"
    last = frames.last_shared_year(projection, after, f"authority-fan-{slug(name)}")
    before, then, when = projection["p50"].loc[last], after["p50"].loc[last], march(last)
    if gbp(before) == gbp(then):
        return f"{name}: write-off leaves a central {balance(then)} at {when}, the same as without it"
    if before < 0 and then < 0:
        return f"{name}: write-off cuts the central deficit at {when} from {gbp(-before)} to {gbp(-then)}"
    return f"{name}: write-off moves the central balance at {when} from a {balance(before)} to a {balance(then)}"


def _observed_words(points: pd.DataFrame) -> list[str]:
    if points.empty:
        return []
    first, last = points.iloc[0], points.iloc[-1]
    if len(points) == 1:
        return [f"One observed balance: a {balance(last['value'])} at {year_end(last['year'])}."]
    return [
        f"The observed balance goes from a {balance(first['value'])} at {year_end(first['year'])} "
        f"to a {balance(last['value'])} at {year_end(last['year'])}."
    ]


def _projection_words(subject: str, projection: pd.DataFrame) -> list[str]:
    if projection.empty:
        return []
    end = projection.iloc[-1]
    return [
        f"{subject} is a {balance(end['p50'])} at {year_end(int(projection.index[-1]))}, where the 80% range is "
        f"a {balance_range(end['p10'], end['p90'])}."
    ]


def _plans_finding(name: str, plans: pd.Series) -> str:
    first, last = plans.iloc[0], plans.iloc[-1]
    start, end = f"January {plans.index[0]}", f"January {plans.index[-1]}"
    if len(plans) == 1:
        return f"{name}: {counted(round(last), 'EHC plan')} in {end}"
    if first == last:
        return f"{name}: {counted(round(last), 'EHC plan')} in both {start} and {end}"
    if first == 0:
        return f"{name}: EHC plans up from 0 in {start} to {last:,.0f} in {end}"
    change = f"{'up' if last > first else 'down'} {percent(abs(last / first - 1))}"
    return f"{name}: EHC plans {change} from {start} to {end}"


def _count_ticks(most: float) -> list[float]:
    """Whole numbers from zero to the one above `most`."""
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]).tick_values(0, max(most, 1))
    return [float(tick) for tick in ticks]
