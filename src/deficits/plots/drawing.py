"""The parts that the figures share: axes, the fan, rows of bars or dots, labels that keep clear of each other."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from deficits.formatting import MINUS, england_range, estimate, gbp, two_figures
from deficits.plots import frames
from deficits.plots.chart import Chart
from deficits.plots.style import (
    BLUE,
    DASHES,
    FONT_SIZE,
    GREY,
    HEIGHT,
    LIGHT_BLUE,
    LINE,
    NAVY,
    ORANGE,
    PALE_BLUE,
    PLUM,
    TEXT,
    THIN,
    WHITE,
    WIDTH,
    house_style,
)
from deficits.plots.words import UNITS, fan_words, period, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

MARKERS = "osD^v"  # one a basis: told apart without colour
CLEAR = {"facecolor": WHITE, "edgecolor": "none", "pad": 0.5}  # keeps the grid from striking through text


def new_axes(height: float = HEIGHT) -> tuple[Figure, Axes]:
    """One empty pair of axes, `height` inches high."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    return figure, figure.add_subplot()


def settle(figure: Figure) -> None:
    """Lay the figure out once and keep it so: each later drawing is the same."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)  # the layout alone: drawing without rendering would draw everything as well
    figure.set_layout_engine("none")


# Axes


def money_ticks(low: float, high: float, most: int = 6) -> tuple[list[float], list[str], str]:
    """Round amounts that enclose two limits, their labels and the unit that all of them share.

    >>> money_ticks(0, 4.2e9)[1:]
    (['£0', '£1bn', '£2bn', '£3bn', '£4bn', '£5bn'], '£bn')
    >>> money_ticks(-7e6, 1e6)[1:]
    (['−£8m', '−£6m', '−£4m', '−£2m', '£0', '£2m'], '£m')
    """
    ticks = round_ticks(low, high, most)
    # As the amounts themselves are written: £820m stands on an axis to £1,000m.
    unit = "£bn" if max(-low, high) >= UNITS["£bn"] else "£m" if max(map(abs, ticks)) >= UNITS["£m"] else "£"
    shown = [tick / UNITS[unit] for tick in ticks]
    places = next((n for n in range(3) if np.allclose(shown, np.round(shown, n), rtol=0, atol=1e-9)), 3)
    labels = [
        f"{MINUS if value < 0 else ''}£{abs(value):,.{places}f}{unit[1:]}" if round(value, places) else "£0"
        for value in shown
    ]
    return ticks, labels, unit


def money_unit(values: Iterable[float]) -> str:
    """The unit in which an axis of these amounts is labelled."""
    return money_ticks(*limits(values))[2]


def round_ticks(low: float, high: float, most: int = 5, whole: bool = False) -> list[float]:
    """Round numbers that enclose two limits."""
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(most, steps=[1, 2, 5, 10], integer=whole).tick_values(low, high)
    return [float(tick) for tick in found]


def limits(values: Iterable[float], signed: bool = False) -> tuple[float, float]:
    """The least and the largest of the values and zero; £1m about zero where there is nothing but zero."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    if high - low < 1:
        return (-1e6 if signed else 0.0), 1e6
    return low, high


def year_axis(axes: Axes, years: Iterable[int], label: str = "At 31 March", room: float = 0.4) -> None:
    """Whole years along the bottom, the last always named, no more of them than fit side by side."""
    known = set(years)
    first, last = min(known), max(known)
    step = math.ceil((last - first + 1) / 6)
    ticks = list(range(last, first - 1, -step))[::-1]
    axes.set_xlim(first - room, last + room)
    axes.set_xticks(ticks, [str(year) for year in ticks])
    axes.set_xlabel(label)


LEGEND_LETTERS = 38
"""Letters of a line of a legend, all columns together: right of the axis labels there is room for no more."""


def legend_above(axes: Axes, columns: int = 2) -> None:
    """What the marks mean, above the axes; nothing where nothing has a label."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        wrapped = ["\n".join(textwrap.wrap(label, LEGEND_LETTERS)) for label in labels]
        deep = math.ceil(len(labels) / columns)
        across = sum(max(map(len, labels[first : first + deep])) for first in range(0, len(labels), deep))
        axes.legend(
            handles,
            wrapped,
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=columns if across <= LEGEND_LETTERS else 1,
            borderaxespad=0.6,
            borderpad=0,
            handlelength=1.0,
            handletextpad=0.4,
            columnspacing=1.2,
        )


# Labels at the end of lines


EndLabel = tuple[float, float, str]
"""Year and value of what a label right of the axes names, and the label."""


def spread(targets: ArrayLike, heights: ArrayLike, low: float, high: float) -> NDArray[np.float64]:
    """Places nearest to the targets at which labels of these heights do not touch, within two limits.

    >>> spread([10, 11, 50], [10, 10, 10], 0, 100).tolist()
    [5.5, 15.5, 50.0]
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(targets, kind="stable")
    tall = np.asarray(heights, dtype=float)[order]
    offsets = np.concatenate([[0.0], np.cumsum((tall[1:] + tall[:-1]) / 2)])
    placed = isotonic_regression(np.asarray(targets, dtype=float)[order] - offsets).x
    bottom, top = low + tall[0] / 2, high - offsets[-1] - tall[-1] / 2
    result = np.empty(len(order))
    result[order] = np.clip(placed, bottom, max(bottom, top)) + offsets
    return result


FROM_LABEL = 4
"""Points between a label and its line."""


def end_labels(figure: Figure, axes: Axes, labels: Sequence[EndLabel]) -> None:
    """Lay the figure out with these labels right of the axes, a line from each to what it names."""
    from matplotlib.collections import LineCollection

    edge = axes.get_yaxis_transform()
    notes = [
        axes.text(1.03, value, text, va="center", linespacing=1.15, transform=edge) for _, value, text in labels
    ]
    settle(figure)
    to_pixels, box = axes.transData, axes.get_window_extent()
    heights = np.array([note.get_window_extent().height + FONT_SIZE * 0.25 for note in notes])
    wanted = to_pixels.transform([label[:2] for label in labels])[:, 1]
    # A label at the end of the axis may stand half beyond it: the layout has kept that room.
    low, high = min(box.y0, *(wanted - heights / 2)), max(box.y1, *(wanted + heights / 2))
    before, lines = axes.transAxes.transform((1.03, 0))[0] - FROM_LABEL * figure.dpi / 72, []
    for label, note, place in zip(labels, notes, spread(wanted, heights, low, high), strict=True):
        start, height = to_pixels.inverted().transform((before, place))
        note.set_y(height)
        lines.append([(start, height), label[:2]])
    drawn = LineCollection(lines, color=GREY, linewidth=THIN, capstyle="round", clip_on=False, zorder=3)
    axes.add_collection(drawn, autolim=False)


# The fan


@house_style()
def fan_chart(
    fans: dict[str, pd.DataFrame],
    points: pd.DataFrame,
    *,
    finding: str,
    subtitle: str,
    shape: str,
    forecasts: pd.DataFrame | None = None,
    line: tuple[float, str] | None = None,
    scenarios: Mapping[str, pd.DataFrame] | None = None,
    of_a_council: bool = False,
    **words: Any,
) -> Chart:
    """A projection's ranges by year with what was observed; the subtitle is given its period.

    Args:
        fans: a projection of `frames.quantiles_by_year` by its words, and where there is a second, that after a
            write-off: its central estimate, and its 80% range in the last year. Each may be empty.
        points: `frames.observed_points`. Those of one kind are joined; a figure that was stated stands alone.
        finding, subtitle, words: see `Chart`.
        shape: a sentence of the text alternative on what is drawn; what the numbers are is added.
        forecasts: `frames.published_forecasts`, or a council's own; those for the last year are named.
        line: a level to mark, £, and its name.
        scenarios: the same projection under other assumptions, by their words: central estimates as lines.
        of_a_council: estimated balances (negative = deficit), so that zero is marked.
    """
    projection, *second = fans.values()
    after = second[0] if second else projection.iloc[:0]
    others = pd.DataFrame(columns=frames.FORECAST) if forecasts is None else forecasts
    years = [*projection.index, *after.index, *points["year"], *others["year"]]
    amounts = [*projection.to_numpy().ravel(), *after.to_numpy().ravel(), *points["value"], *points["other"]]
    amounts += [*others[frames.VALUES].max(axis=1), *([line[0]] if line else [])]
    amounts += [amount for other in (scenarios or {}).values() for amount in other["p50"]]
    write = estimate if of_a_council else gbp
    figure, axes = new_axes()
    central = partial(axes.plot, color=ORANGE, linewidth=LINE, clip_on=False, zorder=2.3)
    ticks, labels, unit = money_ticks(*limits(amounts, of_a_council))
    axes.set_ylim(ticks[0], ticks[-1])
    axes.set_yticks(ticks, labels)
    year_axis(axes, years)
    ends: list[EndLabel] = [(axes.get_xlim()[1], *line)] if line and line[1] not in labels else []
    if line:
        dashes = "-" if of_a_council else (0, (6, 3))
        axes.axhline(line[0], color=TEXT, linewidth=THIN, linestyle=dashes, zorder=2.1)
    axes.spines["bottom"].set_visible(not of_a_council)
    _bands(axes, projection, points, narrow=after.empty)
    _points(axes, points)
    ends += _forecasts(axes, others, "The council's own forecast" if of_a_council else "Published forecast")
    if not after.empty:
        central(after.index, after["p50"], linestyle=DASHES)
        year, last = float(after.index[-1]), after.iloc[-1]
        middle, half = (last["p10"] + last["p90"]) / 2, (last["p90"] - last["p10"]) / 2
        look = {"fmt": "none", "ecolor": ORANGE, "elinewidth": LINE, "capsize": 4, "zorder": 2.4}
        bar = axes.errorbar([year], [middle], yerr=[half], **look)
        bar[2][0].set_clip_on(False)
        ends.append((year, last["p50"], f"After write-off\n{write(last['p50'])}"))
    for place, (called, other) in enumerate((scenarios or {}).items()):
        central(other.index, other["p50"], color=(ORANGE, PLUM)[place % 2], linestyle=(0, (1 + 4 * place, 2)))
        last = other["p50"].iloc[-1]
        ends.append((float(other.index[-1]), last, "\n".join(textwrap.wrap(f"{called} {write(last)}", 15))))
    if not projection.empty:
        year, end = float(projection.index[-1]), projection.iloc[-1]
        ends.append((year, end["p50"], f"{'Central' if after.empty else 'No write-off'}\n{write(end['p50'])}"))
        # The ranges are named in the halves where a fan that opens away from zero has room.
        ends.append((year, end["p10" if of_a_council else "p90"], "80% range"))
        if after.empty and "p25" in projection:
            ends.append((year, end["p25" if of_a_council else "p75"], "50% range"))
    legend_above(axes)
    end_labels(figure, axes, ends) if ends else settle(figure)
    fans = fans | dict(scenarios or {})
    told = fan_words(points, fans, others, of_a_council)
    shown = {called: fan.map(two_figures) for called, fan in fans.items()} if of_a_council else fans
    return Chart(
        figure=figure,
        finding=finding,
        subtitle=f"{subtitle}, {period(years)}",
        unit=unit,
        alt=" ".join([f"{finding}.", shape, *told]),
        data=frames.fan_table(points, shown, forecasts),
        **words,
    )


def _bands(axes: Axes, quantiles: pd.DataFrame, points: pd.DataFrame, narrow: bool) -> None:
    """Bands with an edge line, and the median; a fan that begins the year after the last return opens from it."""
    if quantiles.empty:
        return
    returns = points[~_stands_alone(points)]
    before = int(quantiles.index[0]) - 1
    if not returns.empty and returns["year"].iloc[-1] == before:
        point = pd.DataFrame(float(returns["value"].iloc[-1]), index=[before], columns=quantiles.columns)
        quantiles = pd.concat([point, quantiles])
    shown = quantiles.reindex(range(int(quantiles.index[0]), int(quantiles.index[-1]) + 1))
    years = shown.index.to_numpy(dtype=float)
    bands = [("p10", "p90", PALE_BLUE), ("p25", "p75", LIGHT_BLUE)]
    fill = partial(axes.fill_between, alpha=1, linewidth=0, clip_on=False, zorder=1.5)
    for low, high, colour in bands if narrow and "p25" in shown else bands[:1]:
        fill(years, shown[low], shown[high], color=colour)
        for edge in (low, high):
            axes.plot(years, shown[edge], color=BLUE, linewidth=THIN, clip_on=False, zorder=1.8)
    axes.plot(years, shown["p50"], color=NAVY, linewidth=LINE, clip_on=False, zorder=2.2)
    there = shown["p50"].notna()
    alone = there & ~there.shift(1, fill_value=False) & ~there.shift(-1, fill_value=False)
    for year, row in shown[alone].iterrows():  # a band needs two years in a row
        axes.vlines(year, row["p10"], row["p90"], color=BLUE, linewidth=LINE, zorder=2)
        axes.plot([year], [row["p50"]], marker="_", markersize=12, color=NAVY, zorder=2.2)


def _stands_alone(points: pd.DataFrame) -> pd.Series[bool]:
    """Whether a point is no sum or return of the kind of the first: nothing joins it to them."""
    words = points["basis"].astype("str").str.lower()
    return words.str.contains(frames.STATED) | words.str.contains("national")


def _points(axes: Axes, points: pd.DataFrame) -> None:
    """Returns joined where years follow each other; what is stated stands alone; a bar to a second figure."""
    if points.empty:
        return
    joined = points[~_stands_alone(points)].groupby("year")["value"].last()
    if not joined.empty:
        line = joined.reindex(range(int(joined.index[0]), int(joined.index[-1]) + 1))
        axes.plot(line.index, line, color=GREY, linewidth=LINE, clip_on=False, zorder=3)
    disputed = partial(axes.plot, color=PLUM, markersize=9, linewidth=1.4, clip_on=False, zorder=3.2)
    for row in points.dropna(subset=["other"]).to_dict("records"):
        disputed([row["year"]] * 2, [row["value"], row["other"]], "_-")
    hollow = {"color": PLUM, "markerfacecolor": WHITE, "markeredgecolor": PLUM, "markeredgewidth": 1.2}
    filled = {"color": GREY, "markerfacecolor": GREY, "markeredgecolor": WHITE, "markeredgewidth": 0.6}
    mark = partial(axes.plot, markersize=6, clip_on=False, zorder=3.5)
    for number, (basis, some) in enumerate(points.groupby("basis", sort=False)):
        look: dict[str, Any] = hollow if _stands_alone(some).any() else filled
        label = f"{basis}{', line to the other return' if some['other'].notna().any() else ''}"
        mark(some["year"], some["value"], MARKERS[number % len(MARKERS)], label=label, **look)


def _forecasts(axes: Axes, others: pd.DataFrame, label: str) -> list[EndLabel]:
    """Hollow markers, those of one year side by side in order of publication; the last year's are named."""
    ends: list[EndLabel] = []
    mark = partial(axes.plot, color=PLUM, markerfacecolor=WHITE, markersize=5)
    last = others["year"].max()
    for year, some in others.groupby("year"):
        rows = some.to_dict("records")
        step = min(0.13, 0.6 / len(rows))
        for number, row in enumerate(rows):
            place = year + step * (number - (len(rows) - 1) / 2)
            given, marks = frames.values_and_marks(row)
            axes.vlines(place, min(given), max(given), color=PLUM, linewidth=1.2, clip_on=False, zorder=3.2)
            mark([place] * len(marks), marks, "^" if frames.is_floor(row) else "o", clip_on=False, zorder=3.3)
            if year == last:
                said = frames.forecast_in_words(row).replace(".0bn", "bn")
                ends.append((place, marks[-1], "\n".join(textwrap.wrap(f"{row['publisher']} {said}", 15))))
    if ends:
        mark([], [], "o", label=label)
    return ends


# Rows of bars or dots


@dataclass(frozen=True)
class Bars:
    """How the bars of one column are drawn: its words in the legend, colour and hatching."""

    label: str = ""
    colour: str = BLUE
    hatch: str = ""


LETTERS = 54  # of a row's name and its amount together, in one line
A_LINE, A_BAR, A_GAP = 0.21, 0.15, 0.13  # inches


def signed_rows(
    found: pd.DataFrame, label: str, amounts: Sequence[str], mark: str, of_a_council: bool = False
) -> pd.DataFrame:
    """Rows of amounts on both sides of zero, all in one unit. `amounts`: columns of low, middle and high, £; the
    `mark` ("bar" or "dot") and the text are the middle's, "range" is the others' in brackets."""
    low, middle, high = (found[column] for column in amounts)
    unit = money_unit([*low, *middle, *high])
    texts = [signed(amount, unit, estimate=of_a_council) for amount in middle]
    ranges = [f"({england_range(*ends, unit=unit)})" for ends in zip(low, high, strict=True)]
    rows = {"label": found[label].astype(str), "text": texts, "range": ranges}
    return pd.DataFrame(rows | {mark: middle, "low": low, "high": high})


@house_style()
def row_chart(
    rows: pd.DataFrame,
    bars: dict[str, Bars] | None = None,
    *,
    unit: str = "",
    axis: str = "money",
    from_zero: bool = True,
    across: str = "",
    band: tuple[float, float] | None = None,
    **words: Any,
) -> Chart:
    """Rows with a name and an amount above a bar or a dot, as wide as the figure.

    Args:
        rows: columns label and text (the amount as written); optional dot, low and high (a range as a line),
            start (where the bars begin, 0), target (an upright mark), colour (of the row's bar or dot), shape (of
            its dot); the first row is the top one.
        bars: columns of `rows` that are drawn as bars, one after the other; "bar" where there is one unless given.
        unit: of the axis; the money's own unless given.
        axis: "money", "count" or "share" (0 to 1).
        from_zero: whether the axis holds zero, and marks it; not needed for dots.
        across: what the axis is.
        band: a range to shade behind all rows.
        words: name, finding, subtitle, source, alt and data of the `Chart`.
    """
    bars = bars or ({"bar": Bars()} if "bar" in rows else {})
    rows = rows.reset_index(drop=True)
    wrapped = ["\n".join(textwrap.wrap(row.label, LETTERS - len(row.text))) for row in rows.itertuples()]
    bottoms = np.cumsum([(label.count("\n") + 1) * A_LINE + A_BAR + A_GAP for label in wrapped])
    places = bottoms - A_GAP - A_BAR / 2
    start = rows["start"].to_numpy(dtype=float) if "start" in rows else np.zeros(len(rows))
    stacked = rows[list(bars)].to_numpy(dtype=float).cumsum(axis=1) + start[:, None]
    marks = rows[rows.columns.intersection(["dot", "low", "high", "target"])].to_numpy(dtype=float)
    values = np.concatenate([start if bars else [], stacked.ravel(), marks.ravel(), band or []])
    legend = 0.45 if len(bars) > 2 else 0.25 if len(bars) > 1 else 0
    figure, axes = new_axes(float(bottoms[-1]) + (0.62 if across else 0.42) + legend)
    money = _value_axis(axes, values[np.isfinite(values)], axis, from_zero)
    if band:
        axes.axvspan(*band, color=PALE_BLUE, linewidth=0, alpha=0.6, zorder=0.5)
        for end in band:
            axes.axvline(end, color=BLUE, linewidth=THIN, zorder=0.6)
    for number, (column, drawn) in enumerate(bars.items()):
        axes.barh(
            places,
            rows[column],
            left=stacked[:, number - 1] if number else start,
            height=A_BAR,
            color=rows.get("colour", drawn.colour),
            hatch=drawn.hatch,
            edgecolor=WHITE,
            linewidth=0,
            label=drawn.label or None,
            zorder=2,
        )
    if "low" in rows:
        middle, half = (rows["low"] + rows["high"]) / 2, (rows["high"] - rows["low"]).clip(lower=0) / 2
        colour = TEXT if bars else NAVY
        axes.errorbar(middle, places, xerr=half, fmt="none", ecolor=colour, elinewidth=1.4, capsize=3, zorder=3)
    box, edge = CLEAR if band else None, axes.get_yaxis_transform()
    for place, label, (_, row) in zip(places, wrapped, rows.iterrows(), strict=True):
        if "dot" in row:
            colour, shape = row.get("colour", NAVY), row.get("shape", "o")
            axes.plot([row["dot"]], [place], shape, color=colour, markersize=7, clip_on=False, zorder=3.5)
        if "target" in row:
            axes.vlines(row["target"], place - 0.1, place + 0.1, color=TEXT, linewidth=LINE, zorder=3.2)
        for x, text, side in ((0, label, "left"), (1, row["text"], "right")):
            axes.text(x, place - 0.125, text, transform=edge, va="bottom", ha=side, bbox=box, zorder=4)
    if from_zero:
        axes.vlines([0] * len(places), places - 0.1, places + 0.1, color=TEXT, linewidth=1.2, zorder=2.6)
    axes.spines["left"].set_visible(False)
    axes.grid(False)
    axes.set_ylim(float(bottoms[-1]), 0)
    axes.set_yticks([])
    axes.set_xlabel(across)
    if len(bars) > 1:
        legend_above(axes)
    settle(figure)
    return Chart(figure=figure, unit=unit or money, **words)


def _value_axis(axes: Axes, values: NDArray[np.float64], axis: str, from_zero: bool) -> str:
    low, high = limits(values) if from_zero else (float(values.min()), float(values.max()))
    if axis == "count":
        high = max(high, 1.0) if high < 1e6 else 1.0
    elif axis == "share":
        high = min(high, 1.0)
    pad = 0.03 * (high - low) or 0.1 * abs(high) or 1.0
    low, high = (low - pad if low < 0 or not from_zero else 0.0), (high + pad if high > 0 else 0.0)
    unit = ""
    if axis == "money":
        ticks, labels, unit = money_ticks(low, high, most=5)
    else:
        ticks = round_ticks(low, high, whole=axis == "count")
        labels = [f"{tick:,.0f}" if axis == "count" else f"{tick:.0%}" for tick in ticks]
    within = [(tick, label) for tick, label in zip(ticks, labels, strict=True) if low <= tick <= high]
    axes.set_xlim(low, high)
    axes.set_xticks([tick for tick, _ in within], [label for _, label in within])
    return unit
