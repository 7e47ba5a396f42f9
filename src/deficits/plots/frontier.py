"""Schemes side by side: what each costs against what it buys, and how far each lies from one of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from deficits.errors import closest
from deficits.formatting import gbp, gbp_range, year_end
from deficits.plots import changes, drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.england import SOURCE
from deficits.plots.phrases import counted
from deficits.plots.relief import count_axis
from deficits.plots.style import GREY, NAVY, PLUM, WHITE, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COST = "present_cost_p50"
LETTERS = 56  # in a line of the key
DOT, RING = 7.0, 10.0  # points across


@dataclass(frozen=True)
class Measure:
    """What a scheme buys: words with {date}, the unit, how a value is written, the finding about the best, and the
    heading of its columns."""

    words: str
    unit: str
    write: Callable[[float], str]
    finding: str
    column: str
    best: Callable[[pd.Series], Any] = pd.Series.idxmin


MEASURES = {
    "deficit": Measure(
        "gross deficit of England, {date}",
        "£bn",
        gbp,
        "The smallest deficit left is {value}",
        "Deficit, {part} (£)",
    ),
    "above_reserves": Measure(
        "councils with a deficit above their usable reserves, {date}",
        "councils",
        lambda value: f"{value:.0f}",
        "Fewest councils above their reserves: {value}",
        "Councils, {part}",
    ),
    "years_bought": Measure(
        "years until the deficit is back at its old level",
        "years",
        lambda value: f"{value:.1f}",
        "The longest time bought is {value} years",
        "Years bought, {part}",
        pd.Series.idxmax,
    ),
    "gini": Measure(
        "Gini coefficient of grant a pupil between councils: 0 is even",
        "0 to 1",
        lambda value: f"{value:.2f}",
        "Scheme {number} is the most even, Gini {value}",
        "Gini, {part} (0 to 1)",
    ),
}


def frontier(table: pd.DataFrame, measure: str, year: int, *, source: str = SOURCE) -> Chart:
    """What schemes cost the Exchequer against one thing that they buy, dominated ones hollow.

    Args:
        table: columns scheme, dominated (bool), present_cost_p50 (£) and p10, p50, p90 of the measure, as
            `deficits.frontier(...).table()` has them. Schemes are numbered from the cheapest on.
        measure: deficit (£), above_reserves (councils), years_bought or gini.
        year: 2028 for 31 March 2028.
        source: publications and organisations.

    Raises:
        ValueError: the measure is not known, a column is missing, or no scheme has a value.

    >>> tried = pd.DataFrame({"scheme": ["None", "Half"], "dominated": False, "present_cost_p50": [0.0, 3e9],
    ...                       "gini_p10": [float("nan"), 0.4], "gini_p50": [float("nan"), 0.45],
    ...                       "gini_p90": [float("nan"), 0.5]})
    >>> frontier(tried, "gini", 2028).finding
    'Scheme 2 is the most even, Gini 0.40 to 0.50'
    """
    if measure not in MEASURES:
        raise ValueError(f"chart 'frontier': no measure '{measure}'; {closest(measure, MEASURES)}")
    name, of = f"frontier-{measure.replace('_', '-')}", MEASURES[measure]
    columns = [f"{measure}_{part}" for part in frames.WIDE]
    rows = frames.columns(table, ("scheme", "dominated", COST, *columns), name)
    rows = rows.sort_values(COST, kind="stable", ignore_index=True)
    rows.index = pd.RangeIndex(1, len(rows) + 1)
    # Where most draws have no value (nothing is paid; never back), there is no place to draw it at.
    shown = rows[np.isfinite(rows[columns[1]].astype("float64"))]
    if shown.empty:
        raise ValueError(f"chart {name!r}: no scheme has a value")
    with house_style():
        figure, axes = drawing.new_axes(4.3 + 0.2 * sum(len(_lines(row)) for row in _numbered(rows)))
        drawing.money_axis_across(axes, *changes.span([0.0, *shown[COST]], room=0.06))
        axes.grid(True, axis="y")
        ends = shown[columns].replace([np.inf, -np.inf], np.nan)
        unit = _upright(axes, of, float(np.nanmax(ends.to_numpy())))
        # Rings under dots: two schemes at one place are both seen.
        for dominated, colour, fill, size in ((True, PLUM, WHITE, RING), (False, NAVY, NAVY, DOT)):
            some = shown[shown["dominated"].astype(bool) == dominated]
            high = some[columns[2]].replace(np.inf, axes.get_ylim()[1])
            axes.vlines(some[COST], some[columns[0]], high, color=GREY, linewidth=1.0, zorder=2)
            axes.plot(
                some[COST],
                some[columns[1]],
                "o",
                color=colour,
                markerfacecolor=fill,
                markeredgewidth=1.6,
                markersize=size,
                clip_on=False,
                zorder=3,
            )
        axes.set_xlabel("Net cost to the Exchequer, present value")
        _key(axes, rows)
        drawing.settle(figure)
        _number(figure, axes, [(int(place), row[COST], row[columns[1]]) for place, row in frames.by_year(shown)])
    best = of.best(shown[columns[1]])
    finding = of.finding.format(value=_span(of, shown.loc[best, columns]), number=best)
    told = "; ".join(_told(place, row, of, columns) for place, row in rows.iterrows())
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=f"Cost and {of.words.format(date=year_end(year))}, medians, 80% range as a line",
        unit=unit,
        source=source,
        alt=f"{finding}. One point a scheme, cost across and the measure upwards, cheapest first: {told}.",
        data=pd.DataFrame(
            {
                "Number": rows.index,
                "Scheme": rows["scheme"],
                "Net cost, median, present value (£)": rows[COST],
                **{
                    of.column.format(part=words): rows[column]
                    for column, words in zip(
                        columns, ("10th percentile", "median", "90th percentile"), strict=True
                    )
                },
                "Dominated": ["yes" if one else "no" for one in rows["dominated"]],
            }
        ).replace([np.inf, -np.inf], np.nan),
    )


def schemes_against(frame: pd.DataFrame, reference: str, year: int, *, source: str = SOURCE) -> Chart:
    """What each scheme leaves more or less than one of them, draw by draw: a dot and a range.

    Args:
        frame: columns scheme, p10, p50, p90: £ of England's gross deficit, this scheme's less the reference's on
            the same draws, negative = smaller deficit.
        reference: title of the scheme that they are held against.
        year: 2028 for 31 March 2028.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, or no row has all values.

    >>> less = pd.DataFrame({"scheme": ["All", "Half"], "p10": [-8e8, 2e9], "p50": [-7e8, 2.5e9],
    ...                      "p90": [-6e8, 3e9]})
    >>> schemes_against(less, "the grant", 2028).finding
    '1 of 2 schemes leaves a larger deficit'
    """
    name = "schemes-against"
    rows = frames.columns(frame, ("scheme", *frames.WIDE), name).dropna()
    if rows.empty:
        raise ValueError(f"chart {name!r}: no row has all values")
    rows = rows.sort_values(["p50", "scheme"], kind="stable", ignore_index=True)
    labels = [changes.wrapped(str(scheme), 27) for scheme in rows["scheme"]]
    with house_style():
        figure, axes = drawing.new_axes(1.3 + 0.16 * sum(label.count("\n") + 2 for label in labels))
        values = rows[list(frames.WIDE)]
        unit = drawing.money_axis_across(axes, *changes.span(values.to_numpy().ravel(), room=0.05))
        changes.ranges(axes, rows["p10"], rows["p90"])
        axes.plot(rows["p50"], rows.index, "o", color=NAVY, markersize=7, clip_on=False, zorder=3.5)
        changes.zero_line(axes, len(rows))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        changes.amounts_beside(axes, [changes.signed(value, unit) for value in rows["p50"]])
        axes.set_xlabel("Below zero: smaller deficit")
        changes.name_rows(figure, axes, labels)
        drawing.settle(figure)
    more = int((rows["p10"] > 0).sum())
    finding = f"{more} of {counted(len(rows), 'scheme')} {'leaves' if more == 1 else 'leave'} a larger deficit"
    told = "; ".join(
        f"{scheme} {changes.signed(middle, unit)} ({gbp_range(low, high)})"
        for scheme, low, middle, high in rows.itertuples(index=False, name=None)
    )
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=f"Gross deficit less that under {reference}, same simulated futures, median and 80% range, "
        f"England, {year_end(year)}",
        unit=unit,
        source=source,
        alt=f"{finding}. That is in 9 of 10 futures. "
        f"Dots with the 80% range as a line, smallest deficit first; below zero is a smaller "
        f"deficit than under {reference}: {told}.",
        data=rows.rename(
            columns={
                "scheme": "Scheme",
                "p10": "Difference, 10th percentile (£)",
                "p50": "Difference, median (£)",
                "p90": "Difference, 90th percentile (£)",
            }
        ),
    )


def _span(of: Measure, row: pd.Series) -> str:
    low, middle, high = (float(value) for value in row)
    ends = [of.write(value) for value in (low, high) if math.isfinite(value)]
    if len(ends) < 2:
        return of.write(middle)
    if of.write is gbp:
        return gbp_range(low, high)
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _told(place: Any, row: pd.Series, of: Measure, columns: list[str]) -> str:
    mark = ", dominated" if row["dominated"] else ""
    value = float(row[columns[1]])
    bought = of.write(value) if math.isfinite(value) else "no value"
    return f"{place} {row['scheme']}{mark}, {gbp(row[COST])}: {bought}"


def _upright(axes: Axes, of: Measure, most: float) -> str:
    if of.unit == "£bn":
        return drawing.money_axis(axes, 0.0, max(most, 1.0))
    if of.unit == "councils":
        count_axis(axes, most)
        return of.unit
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(0, max(most, 0.1))
    ticks = [float(tick) for tick in found if tick >= 0]
    axes.set_ylim(0, ticks[-1])
    axes.set_yticks(ticks, [f"{tick:.1f}" for tick in ticks])
    return of.unit


def _numbered(rows: pd.DataFrame) -> list[str]:
    return [
        f"{place}  {row['scheme']}{' (dominated)' if row['dominated'] else ''}" for place, row in rows.iterrows()
    ]


def _lines(text: str) -> list[str]:
    return changes.wrapped(text, LETTERS).splitlines()


def _key(axes: Axes, rows: pd.DataFrame) -> None:
    """The schemes by number, below the axes, each with the dot that it is drawn with."""
    from matplotlib.lines import Line2D

    dots = []
    for dominated in rows["dominated"].astype(bool):
        colour = PLUM if dominated else NAVY
        dots.append(
            Line2D(
                [],
                [],
                marker="o",
                linestyle="",
                color=colour,
                markerfacecolor=WHITE if dominated else colour,
                markeredgewidth=1.6,
                markersize=RING if dominated else DOT,
            )
        )
    axes.legend(
        dots,
        ["\n".join(_lines(text)) for text in _numbered(rows)],
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.2),
        borderaxespad=0,
        handletextpad=0.3,
        labelspacing=0.3,
    )


def _number(figure: Figure, axes: Axes, points: list[tuple[int, float, float]]) -> None:
    """A number beside each dot, where it stands on no dot and on no other number; dots at one place share it."""
    scale = figure.dpi / 72
    at_one_place: dict[tuple[int, int], list[tuple[int, float, float]]] = {}
    for number, across, up in points:
        x, y = axes.transData.transform((across, up))
        at_one_place.setdefault((round(x / (3 * scale)), round(y / (3 * scale))), []).append((number, across, up))
    labels = [(_runs([one[0] for one in some]), *some[0][1:]) for some in at_one_place.values()]
    places = [axes.transData.transform((across, up)) for _, across, up in labels]
    dots = [(x, y, (RING / 2 + 1) * scale) for x, y in places]
    taken: list[tuple[float, float, float, float]] = []
    box = axes.get_window_extent()
    for (text, across, up), (x, y) in zip(labels, places, strict=True):
        half_wide, half_high = (3.6 * len(text) + 1) * scale, 6.5 * scale
        dx, dy = _free(x, y, half_wide, half_high, dots, taken, box, scale)
        taken.append((x + dx, y + dy, half_wide, half_high))
        axes.annotate(
            text,
            (across, up),
            (dx / scale, dy / scale),
            textcoords="offset points",
            ha="center",
            va="center",
            bbox=drawing.CLEAR,
            zorder=2.5,
        )


def _runs(numbers: list[int]) -> str:
    """Numbers in words, neighbours as a range.

    >>> _runs([2, 5, 6]), _runs([1, 2, 3, 7])
    ('2, 5, 6', '1 to 3, 7')
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    told = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(told)


def _free(
    x: float,
    y: float,
    wide: float,
    high: float,
    dots: list[tuple[float, float, float]],
    taken: list[tuple[float, float, float, float]],
    box: Any,
    scale: float,
) -> tuple[float, float]:
    """Nearest offset at which a label of that size is free."""
    angles = np.radians([0, 180, 45, 135, -45, -135, 90, -90])
    for reach, angle in itertools.product((12.0, 16.0, 21.0, 27.0, 35.0, 45.0, 60.0), angles):
        dx, dy = reach * scale * math.cos(angle), reach * scale * math.sin(angle)
        dx += math.copysign(wide - 4.6 * scale, dx) if abs(dx) > 1 else 0.0
        left, right, low, up = x + dx - wide, x + dx + wide, y + dy - high, y + dy + high
        if left < box.x0 or right > box.x1 + 6 * scale or low < box.y0 or up > box.y1 + 6 * scale:
            continue
        if any(left < ax + r and right > ax - r and low < ay + r and up > ay - r for ax, ay, r in dots):
            continue
        if any(abs(x + dx - ax) < wide + w and abs(y + dy - ay) < high + h for ax, ay, w, h in taken):
            continue
        return dx, dy
    return 12.0 * scale, 0.0
