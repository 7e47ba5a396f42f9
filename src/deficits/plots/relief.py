"""What a write-off relieves: how soon deficits are back, and how many councils they stay too large for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from deficits.formatting import year_end
from deficits.plots import drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.england import SOURCE
from deficits.plots.phrases import counted, march, period
from deficits.plots.style import BLUE, NAVY, ORANGE, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LIMITS = {0.5: "6 months\nor less", 1.0: "to 1\nyear", 1.5: "to 1½\nyears", 2.0: "to 2\nyears", np.inf: "longer"}
"""Longest time of each bar, in years, and its name; "longer" takes those that are not back at all."""

SIDES = {"without": ("Without", NAVY, "o", -0.14), "with": ("With the scheme", ORANGE, "D", 0.14)}
"""Name, colour, shape and place beside the year: told apart without colour."""


def time_until_back(years: pd.Series, base_year: int, *, source: str = SOURCE) -> Chart:
    """How long it takes until each council's deficit is back at its level before a write-off.

    Args:
        years: one value a council that is paid, in years, the middle of its range; infinite where it is not back.
        base_year: 2026 for deficits of 31 March 2026.
        source: publications and organisations.

    Raises:
        ValueError: there is no council, or a value is missing or below 0.

    >>> time_until_back(pd.Series([0.4, 0.9, 2.5]), 2026).finding
    '2 of 3 deficits are back within a year'
    """
    name = "time-until-back"
    values = years.astype("float64")
    if values.empty or values.isna().any() or (values < 0).any():
        raise ValueError(f"chart {name!r}: give years of 0 or more for at least one council")
    bins = np.searchsorted(list(LIMITS), values.to_numpy(), side="left")
    counts = np.bincount(bins, minlength=len(LIMITS))
    with house_style():
        figure, axes = drawing.new_axes()
        axes.bar(range(len(LIMITS)), counts, width=0.62, color=BLUE)
        for place, count in enumerate(counts):
            drawing.label_above(axes, place, float(count), str(count))
        count_axis(axes, counts.max() * 1.1)
        axes.set_xticks(range(len(LIMITS)), list(LIMITS.values()))
        drawing.settle(figure)
    within = int((values <= 1).sum())
    finding = f"{within} of {counted(len(values), 'deficit')} are back within a year"
    names = [label.replace("\n", " ") for label in LIMITS.values()]
    told = ", ".join(f"{label}: {count}" for label, count in zip(names, counts, strict=True))
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=f"Councils by time until the deficit is back at its level of {year_end(base_year)}, "
        "middle of each council's range",
        unit="councils",
        source=source,
        alt=f"{finding}. Bar chart of councils by time since {year_end(base_year)}: {told}.",
        data=pd.DataFrame({"Time until back": names, "Councils": counts}),
    )


def above_reserves(frame: pd.DataFrame, *, source: str = SOURCE) -> Chart:
    """Councils with a deficit above their usable reserves at each year end, without and with a scheme.

    Args:
        frame: indexed by year, columns without_p10, without_p50, without_p90, with_p10, with_p50, with_p90:
            numbers of councils; the last year is the one that the finding is about.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, or there is no year.

    >>> counts = {"without_p10": 50, "without_p50": 66, "without_p90": 80}
    >>> counts |= {"with_p10": 25, "with_p50": 37, "with_p90": 53}
    >>> above_reserves(pd.DataFrame(counts, index=[2028])).finding
    'Deficits still pass reserves in 25 to 53 councils'
    """
    name = "above-reserves"
    wanted = [f"{side}_{part}" for side in SIDES for part in frames.WIDE]
    shown = frames.columns(frame, wanted, name).astype("float64").dropna()
    shown.index = pd.Index(frames.one_row_a_year(shown.index, name), name="year")
    if shown.empty:
        raise ValueError(f"chart {name!r}: no year has all numbers")
    with house_style():
        figure, axes = drawing.new_axes()
        for side, (label, colour, shape, aside) in SIDES.items():
            low, middle, high = (shown[f"{side}_{part}"] for part in frames.WIDE)
            places = shown.index.to_numpy(dtype=float) + aside
            axes.vlines(places, low, high, color=colour, linewidth=2.4, zorder=2)
            axes.plot(places, middle, shape, color=colour, markersize=8, label=label, clip_on=False, zorder=3)
            for place, value, top in zip(places, middle, high, strict=True):
                drawing.label_above(axes, place, top, f"{value:.0f}")
        count_axis(axes, shown.to_numpy().max() * 1.1)
        drawing.year_axis(axes, shown.index, room=0.5)
        drawing.legend_above(axes)
        drawing.settle(figure)
    last = int(shown.index[-1])
    with_scheme, without = (_numbers(shown.loc[last], side) for side in ("with", "without"))
    finding = f"Deficits still pass reserves in {with_scheme} councils"
    told = "; ".join(
        f"{year_end(year)} {_numbers(row, 'without')} without, {_numbers(row, 'with')} with"
        for year, row in frames.by_year(shown)
    )
    titles = {
        f"{side}_{part}": f"{label}, {words} (councils)"
        for side, (label, *_) in SIDES.items()
        for part, words in zip(frames.WIDE, ("10th percentile", "median", "90th percentile"), strict=True)
    }
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle="Councils with a deficit above their usable reserves, median and 80% range, "
        f"{period(shown.index)}",
        unit="councils",
        source=source,
        alt=f"{finding}. That is at {march(last)}; without the scheme {without}. Two marks with ranges for each "
        f"year end: {told}.",
        data=shown.rename(columns=titles).rename_axis(frames.YEAR).reset_index(),
    )


def count_axis(axes: Axes, most: float) -> None:
    """Give the upright axis whole numbers from 0 to above `most`."""
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(5, steps=[1, 2, 5, 10], integer=True).tick_values(0, max(most, 1.0))
    ticks = [float(tick) for tick in found if tick >= 0]
    axes.set_ylim(0, ticks[-1])
    axes.set_yticks(ticks, [f"{tick:,.0f}" for tick in ticks])


def _numbers(row: Any, side: str) -> str:
    low, high = round(row[f"{side}_p10"]), round(row[f"{side}_p90"])
    return str(low) if low == high else f"{low} to {high}"
