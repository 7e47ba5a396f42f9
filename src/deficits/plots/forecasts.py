"""Our range for one year end, or what was published for it since, beside what others forecast."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pandas as pd

from deficits.formatting import gbp, gbp_range, year_end
from deficits.plots import drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.england import SOURCE_WITH_FORECASTS
from deficits.plots.frames import Row, forecast_in_words
from deficits.plots.phrases import counted, march, short_date
from deficits.plots.style import BLUE, LINE, NAVY, PALE_BLUE, PLUM, THIN, WHITE, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, SINCE = "This projection", "Published since"
INCHES_A_LINE = 0.2


def forecasts_for_year(
    quantiles_row: pd.Series[float],
    forecasts: pd.DataFrame,
    year: int,
    *,
    published: float | None = None,
    source: str = SOURCE_WITH_FORECASTS,
) -> Chart:
    """Our 80% and 50% range for one year end, and below it a row for each published forecast, oldest first.

    Where the figure has been published since, it stands in place of our range.

    A forecast agrees when its central figure, or any part of a range without one, is within our 80% range.

    Args:
        quantiles_row: p10, p25, p50, p75, p90 of the gross deficit at 31 March of `year`, £, >= 0.
        forecasts: columns publisher, year, low, central, high (£, NaN where not given), published (ISO date);
            those for other years are left out.
        year: 2026 for 31 March 2026.
        published: the gross deficit of that day as published since, £; none where it is not.
        source: publications and organisations.

    Raises:
        ValueError: a percentile or a column is missing.

    >>> row = pd.Series({"p10": 5.1e9, "p25": 5.4e9, "p50": 5.7e9, "p75": 6e9, "p90": 6.3e9})
    >>> other = pd.DataFrame([["OBR", 2026, None, 6e9, None, "2025-11-26"]], columns=list(frames.FORECAST))
    >>> forecasts_for_year(row, other, 2026).finding
    '1 of 1 published forecast for March 2026 is within our 80% range'
    >>> forecasts_for_year(row, other, 2026, published=6.2e9).finding
    '1 of 1 forecast for March 2026 was below the £6.2bn published since'
    """
    name = f"forecasts-{year}"
    ours = frames.quantiles_by_year(quantiles_row.to_frame(year).T, name)
    if ours.empty:
        raise ValueError(f"chart {name!r}: quantiles_row lacks one of {', '.join(frames.QUANTILES)}")
    own = ours.iloc[0] if published is None else ours.iloc[0] * 0 + published
    others = frames.published_forecasts(forecasts, name)
    others = others[others["year"] == year].reset_index(drop=True)
    rows = frames.records(others)
    with house_style():
        labels = [_label(row) for row in rows]
        heights = [INCHES_A_LINE * (label.count("\n") + 2) for label in labels]
        figure, axes = drawing.new_axes(1.1 + sum(heights))
        unit = _value_axis(axes, own, others)
        _our_row(axes, own)
        places = _their_rows(axes, rows, heights)
        first = f"{OURS}\nthick: 50%, thin: 80% range" if published is None else SINCE
        axes.set_yticks([0.0, *places], [first, *labels])
        axes.set_ylim(0.3 + sum(heights), -0.3)
        axes.tick_params(axis="y", length=0)
        _align_left(axes)
        drawing.settle(figure)
    finding = _finding(own, rows, year) if published is None else _too_low(published, rows, year)
    ranges = (
        f"Ranges and dots in rows. Our 80% range is {gbp_range(own['p10'], own['p90'])} "
        f"and our 50% range {gbp_range(own['p25'], own['p75'])}."
    )
    told = (
        ranges
        if published is None
        else f"Ranges and dots in rows. The first is what was published, {gbp(published)}."
    )
    first_rows = (
        frames.quantile_rows(ours, OURS)
        if published is None
        else [{frames.YEAR: year, frames.FIGURE: SINCE, frames.MIDDLE: published}]
    )
    each = [f"{_publisher_and_date(row)}: {forecast_in_words(row)}." for row in rows]
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=f"Gross deficit of councils in deficit, England, {year_end(year)}",
        unit=unit,
        source=source,
        alt=" ".join(
            [
                f"{finding}.",
                told,
                *(each or ["No forecast by others is given."]),
            ]
        ),
        data=frames.table([*first_rows, *frames.forecast_rows(others)]).rename(columns=frames.WITH_FORECASTS),
    )


def _label(row: Row) -> str:
    return "\n".join([*textwrap.wrap(row["publisher"], 30), short_date(row["published"])]).strip()


def _publisher_and_date(row: Row) -> str:
    return ", ".join(filter(None, [row["publisher"], short_date(row["published"])]))


def _value_axis(axes: Axes, own: pd.Series[float], others: pd.DataFrame) -> str:
    """Dots, not bars: the axis need not start at zero."""
    values = pd.concat([own, *(others[part].dropna() for part in ("low", "central", "high"))])
    low, high = float(values.min()), float(values.max())
    pad = 0.06 * (high - low) or 0.1 * high or 1e6
    return drawing.money_axis_across(axes, max(0.0, low - pad), high + pad)


def _our_row(axes: Axes, own: pd.Series[float]) -> None:
    axes.axvspan(own["p10"], own["p90"], color=PALE_BLUE, linewidth=0, alpha=0.5, zorder=0.5)
    for edge in ("p10", "p90"):
        axes.axvline(own[edge], color=BLUE, linewidth=THIN, zorder=0.6)
    axes.hlines(0, own["p10"], own["p90"], color=BLUE, linewidth=4, zorder=2)
    axes.hlines(0, own["p25"], own["p75"], color=NAVY, linewidth=10, zorder=2.1)
    axes.plot([own["p50"]], [0], "o", color=NAVY, markerfacecolor=WHITE, markersize=6, zorder=3)
    _value(axes, 0, gbp_range(own["p10"], own["p90"]))


def _their_rows(axes: Axes, rows: list[Row], heights: list[float]) -> list[float]:
    """Draw one row a forecast, as tall as its label; returns where each stands."""
    places, below = [], 0.3
    for row, height in zip(rows, heights, strict=True):
        place = below + height / 2
        below += height
        given, marks = frames.values_and_marks(row)
        shape = "o" if len(marks) == 1 else "|"
        axes.hlines(place, min(given), max(given), color=PLUM, linewidth=LINE, zorder=2)
        axes.plot(marks, [place] * len(marks), shape, color=PLUM, markerfacecolor=WHITE, markersize=7, zorder=3)
        _value(axes, place, forecast_in_words(row))
        places.append(place)
    return places


def _value(axes: Axes, place: float, text: str) -> None:
    axes.text(1.03, place, text, transform=axes.get_yaxis_transform(), va="center")


def _align_left(axes: Axes) -> None:
    """Set the row labels flush left: two lines aligned right would be ragged in a reader's narrower font."""
    labels = axes.get_yticklabels()
    widest = max(label.get_window_extent().width for label in labels) * 72 / axes.figure.dpi
    for label in labels:
        label.set_horizontalalignment("left")
    axes.tick_params(axis="y", pad=widest + 8)


def _agrees(row: Row, own: pd.Series[float]) -> bool:
    """Whether the central figure, or else any part of the range, is within our 80% range."""
    _, marks = frames.values_and_marks(row)
    return bool(min(marks) <= own["p90"] and max(marks) >= own["p10"])


def _finding(own: pd.Series[float], rows: list[Row], year: int) -> str:
    if not rows:
        return f"Our 80% range for {march(year)} is {gbp_range(own['p10'], own['p90'])}"
    inside = sum(_agrees(row, own) for row in rows)
    verb = "is" if inside == 1 else "are"
    return f"{inside} of {counted(len(rows), 'published forecast')} for {march(year)} {verb} within our 80% range"


def _too_low(published: float, rows: list[Row], year: int) -> str:
    """How many forecasts were below what was published since; a floor is not."""
    highest = [max(row["central"], row["high"]) if pd.notna(row["high"]) else row["central"] for row in rows]
    below = sum(value < published for value in highest)
    verb = "was" if below == 1 else "were"
    these = f"{below} of {counted(len(rows), 'forecast')} for {march(year)}"
    return f"{these} {verb} below the {gbp(published)} published since"
