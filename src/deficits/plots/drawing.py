"""The parts that the figures share: axes, fans, points, labels that keep clear of each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from deficits.formatting import MINUS
from deficits.plots.frames import by_year
from deficits.plots.style import FONT_SIZE, GREY, HEIGHT, LINE, PROJECTION, THIN, WHITE, WIDTH, FanStyle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MARKERS = "osD^v"  # one a basis: told apart without colour
CLEAR = {"facecolor": WHITE, "edgecolor": "none", "pad": 0.5}  # keeps the grid from striking through text
UNITS = (("£bn", 1e9), ("£m", 1e6), ("£", 1.0))


def new_axes(height: float = HEIGHT) -> tuple[Figure, Axes]:
    """One empty pair of axes, `height` inches high."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    return figure, figure.add_subplot()


def settle(figure: Figure) -> None:
    """Lay the figure out once and keep it so: each later drawing is the same."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


# Axes


def money_ticks(low: float, high: float, most: int = 6) -> tuple[list[float], list[str], str]:
    """Round amounts that enclose two limits, their labels and the unit that all of them share.

    >>> money_ticks(0, 4.2e9)[1:]
    (['£0', '£1bn', '£2bn', '£3bn', '£4bn', '£5bn'], '£bn')
    >>> money_ticks(-7e6, 1e6)[1:]
    (['−£8m', '−£6m', '−£4m', '−£2m', '£0', '£2m'], '£m')
    """
    from matplotlib.ticker import MaxNLocator

    ticks = [float(tick) for tick in MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(low, high)]
    largest = max(map(abs, ticks))
    unit, scale = next((pair for pair in UNITS if largest >= pair[1]), UNITS[-1])
    shown = [tick / scale for tick in ticks]
    places = next((n for n in range(3) if np.allclose(shown, np.round(shown, n), rtol=0, atol=1e-9)), 3)
    suffix = unit.removeprefix("£")
    labels = [
        f"{MINUS if value < 0 else ''}£{abs(value):,.{places}f}{suffix}" if round(value, places) else "£0"
        for value in shown
    ]
    return ticks, labels, unit


def limits(values: Iterable[float], signed: bool = False) -> tuple[float, float]:
    """The least and the largest of the values and zero; £1m about zero where there is nothing but zero."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    if high - low < 1:
        return (-1e6 if signed else 0.0), 1e6
    return low, high


def money_axis(axes: Axes, low: float, high: float) -> str:
    """Give the upright axis ticks in pounds from the one below `low` to the one above `high`; returns the unit."""
    ticks, labels, unit = money_ticks(low, high)
    axes.set_ylim(ticks[0], ticks[-1])
    axes.set_yticks(ticks, labels)
    return unit


def money_axis_across(axes: Axes, low: float, high: float) -> str:
    """Give the level axis these limits and the ticks in pounds within them; returns the unit.

    The grid stands on this axis then, and the ticks are few: names on the left and amounts on the right leave
    little room for their labels.
    """
    ticks, labels, unit = money_ticks(low, high, most=4)
    within = [(tick, label) for tick, label in zip(ticks, labels, strict=True) if low <= tick <= high]
    axes.set_xlim(low, high)
    axes.set_xticks([tick for tick, _ in within], [label for _, label in within])
    axes.grid(False, axis="y")
    axes.grid(True, axis="x")
    return unit


def year_axis(axes: Axes, years: Iterable[int], label: str = "At 31 March", room: float = 0.4) -> None:
    """Whole years along the bottom, the last always named, no more of them than fit side by side."""
    known = set(years)
    first, last = min(known), max(known)
    step = math.ceil((last - first + 1) / 8)
    ticks = list(range(last, first - 1, -step))[::-1]
    axes.set_xlim(first - room, last + room)
    axes.set_xticks(ticks, [str(year) for year in ticks])
    axes.set_xlabel(label)


# Fans and points


def fan(axes: Axes, quantiles: pd.DataFrame, points: pd.DataFrame, style: FanStyle = PROJECTION) -> None:
    """Bands with an edge line, and the median; a fan that begins the year after the last point opens from it.

    Everything drawn is within the limits of the axis, so nothing is clipped: not even half a line at an edge.
    """
    if quantiles.empty:
        return
    opened = _opened(quantiles, points)
    shown = opened.reindex(range(int(opened.index[0]), int(opened.index[-1]) + 1))
    years = shown.index.to_numpy(dtype=float)
    for low, high, (colour, opacity) in (("p10", "p90", style.wide), ("p25", "p75", style.narrow)):
        if low not in shown:
            continue
        axes.fill_between(
            years, shown[low], shown[high], color=colour, alpha=opacity, linewidth=0, clip_on=False, zorder=1.5
        )
        for edge in (low, high):
            axes.plot(years, shown[edge], color=style.edge, linewidth=THIN, clip_on=False, zorder=1.8)
    axes.plot(
        years, shown["p50"], color=style.line, linestyle=style.dashes, linewidth=LINE, clip_on=False, zorder=2.2
    )
    for year, row in by_year(shown[_alone(shown)]):  # a band needs two years beside each other
        axes.vlines(year, row["p10"], row["p90"], color=style.edge, linewidth=LINE, zorder=2)
        axes.plot([year], [row["p50"]], marker="_", markersize=12, color=style.line, zorder=2.2)


def _opened(quantiles: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    before = int(quantiles.index[0]) - 1
    if points.empty or points["year"].iloc[-1] != before:
        return quantiles
    point = pd.DataFrame(float(points["value"].iloc[-1]), index=[before], columns=quantiles.columns)
    return pd.concat([point, quantiles])


def _alone(shown: pd.DataFrame) -> pd.Series[bool]:
    there = shown["p50"].notna()
    return there & ~there.shift(1, fill_value=False) & ~there.shift(-1, fill_value=False)


def observed(axes: Axes, points: pd.DataFrame) -> None:
    """Points joined where years follow each other, with one marker a basis."""
    if points.empty:
        return
    last = points.groupby("year")["value"].last()
    line = last.reindex(range(int(last.index[0]), int(last.index[-1]) + 1))
    axes.plot(line.index, line, color=GREY, linewidth=LINE, clip_on=False, zorder=3)
    for number, (basis, some) in enumerate(points.groupby("basis", sort=False)):
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(
            some["year"],
            some["value"],
            marker,
            color=GREY,
            markersize=6,
            markeredgecolor=WHITE,
            markeredgewidth=0.6,
            label=str(basis),
            clip_on=False,
            zorder=3.5,
        )


def legend_above(axes: Axes) -> None:
    """What the markers mean, above the axes; nothing where nothing has a label."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=3,
            borderaxespad=0.8,
            borderpad=0,
            handlelength=1.0,
            handletextpad=0.4,
            columnspacing=1.5,
        )


# Labels


def label_above(axes: Axes, place: float, value: float, text: str) -> None:
    """A value over its bar, clear of the grid."""
    axes.annotate(text, (place, value), (0, 4), textcoords="offset points", ha="center", bbox=CLEAR)


@dataclass(frozen=True)
class EndLabel:
    """A label to stand right of the axes, at the height of what it names."""

    year: float
    value: float
    text: str


def spread(targets: Sequence[float], heights: Sequence[float], low: float, high: float) -> NDArray[np.float64]:
    """Places nearest to the targets at which labels of these heights do not touch, within two limits.

    Least squares under an order: neighbours that touch become one block, at the mean of what they want.

    >>> spread([10, 11, 50], [10, 10, 10], 0, 100).tolist()
    [5.5, 15.5, 50.0]
    """
    order = np.argsort(targets, kind="stable")
    tall = np.asarray(heights, dtype=float)[order]
    offsets = np.concatenate([[0.0], np.cumsum((tall[1:] + tall[:-1]) / 2)])
    blocks: list[tuple[float, int]] = []  # mean of target less offset, labels in the block
    for wish in np.asarray(targets, dtype=float)[order] - offsets:
        blocks.append((float(wish), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (mean, size), (other, more) = blocks[-2:]
            blocks[-2:] = [((mean * size + other * more) / (size + more), size + more)]
    placed = np.repeat([mean for mean, _ in blocks], [size for _, size in blocks])
    bottom, top = low + tall[0] / 2, high - offsets[-1] - tall[-1] / 2
    result = np.empty(len(order))
    result[order] = np.clip(placed, bottom, max(bottom, top)) + offsets
    return result


def end_labels(figure: Figure, axes: Axes, labels: Sequence[EndLabel]) -> None:
    """Lay the figure out with these labels right of the axes, a line from each to what it names."""
    notes = [
        axes.annotate(
            label.text,
            xy=(label.year, label.value),
            xytext=(1.03, label.value),
            textcoords=("axes fraction", "data"),
            va="center",
            linespacing=1.15,
            arrowprops={
                "arrowstyle": "-",
                "linewidth": THIN,
                "color": GREY,
                "shrinkA": 2,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )
        for label in labels
    ]
    settle(figure)
    to_pixels, box = axes.transData, axes.get_window_extent()
    heights = [note.get_window_extent().height + FONT_SIZE * 0.25 for note in notes]
    wanted = [float(to_pixels.transform((label.year, label.value))[1]) for label in labels]
    # A label at the end of the axis may stand half beyond it: the layout has kept that room.
    low = min(box.y0, *(place - height / 2 for place, height in zip(wanted, heights, strict=True)))
    high = max(box.y1, *(place + height / 2 for place, height in zip(wanted, heights, strict=True)))
    for note, place in zip(notes, spread(wanted, heights, low, high), strict=True):
        note.xyann = (1.03, float(to_pixels.inverted().transform((0, place))[1]))
