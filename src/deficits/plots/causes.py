"""Why the deficit grows: its causes as bars, with their total."""

from __future__ import annotations

import pandas as pd

from deficits.errors import closest
from deficits.formatting import financial_year, gbp, gbp_range, year_end
from deficits.plots import changes, drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.england import SOURCE
from deficits.plots.frames import Row
from deficits.plots.phrases import march, slug
from deficits.plots.style import BLUE, ORANGE, TEXT, THIN, house_style
from deficits.projection.questions import CAUSES

TOTAL = "total"
VALUES = ("mean", "p10", "p90")
SHORT = {
    "carried_on": "Overspend of {first},\nrepeated each year",
    "people": "Number of children\nand young people",
    "plan_rate": "Plans per person",
    "placement_mix": "Placement mix",
    "unit_cost": "Spend a plan, in the\nsame placements",
    "funding": "Growth of the\nhigh needs block",
    "safety_valve_payments": "Bail-outs and\ncontributions",
    "levers": "Levers and councils'\nown assumptions",
    "not_explained": "Not explained",
    TOTAL: "Total growth",
}
"""A cause beside its bar; in the order of `CAUSES`, whose longer words the table has."""

IN_A_HEADLINE = {
    "carried_on": ("Repeating the {first} overspend adds", "Repeating the {first} surplus takes"),
    "people": ("More children and young people add", "Fewer children and young people take"),
    "plan_rate": ("More plans per person add", "Fewer plans per person take"),
    "placement_mix": ("Costlier placements add", "Cheaper placements take"),
    "unit_cost": ("Higher spend a plan adds", "Lower spend a plan takes"),
    "funding": ("A smaller high needs block adds", "A larger high needs block takes"),
    "safety_valve_payments": ("Money moved out adds", "Bail-outs and contributions take"),
    "levers": ("Levers add", "Levers take"),
    "not_explained": ("What is not explained adds", "What is not explained takes"),
}
"""A cause that raises the deficit, and the same cause where it lowers it."""


def causes_of_growth(
    causes: pd.DataFrame, start: int, end: int, place: str = "England", *, source: str = SOURCE
) -> Chart:
    """What the net deficit's growth between two year ends is made of: a bar a cause, and their total.

    Each bar starts at zero, so that it can be read off the axis with its range. Means add up to the total;
    ranges do not. A cause that is nothing throughout has no bar.

    Args:
        causes: indexed by cause (those of `CAUSES`, and "total"), columns mean, p10, p50, p90; £, positive
            raises the deficit: `Projection.decompose`.
        start: 2026 for 31 March 2026, and for the overspend of 2025-26.
        end: as `start`.
        place: England, or the name of a council.
        source: publications and organisations.

    Raises:
        ValueError: a column or the total is missing, a cause is not known, a value is missing, or nothing
            changes.

    >>> parts = pd.DataFrame({"mean": [1e9, 3e9, 4e9], "p10": [5e8, 2e9, 3e9], "p50": [1e9, 3e9, 4e9],
    ...                       "p90": [2e9, 4e9, 5e9]}, index=["carried_on", "plan_rate", "total"])
    >>> causes_of_growth(parts, 2026, 2028).finding
    'More plans per person add most to the deficit, £3.0bn'
    """
    name = f"causes-of-growth-{slug(place)}"
    parts = _checked(causes, name)
    first = financial_year(start)
    labels = [SHORT[cause].format(first=first) for cause in parts.index]
    mean, low, high = (parts[column] for column in VALUES)
    rows = range(len(parts))
    with house_style():
        tall = [0.46 if "\n" in label else 0.38 for label in labels]
        figure, axes = drawing.new_axes(1.05 + sum(tall))
        unit = drawing.money_axis_across(axes, *changes.span([*mean, *low, *high]))
        axes.barh(rows, mean, height=0.62, color=[BLUE if value >= 0 else ORANGE for value in mean], zorder=2)
        changes.ranges(axes, low, high)
        changes.zero_line(axes, len(parts))
        axes.axhline(len(parts) - 1.5, color=TEXT, linewidth=THIN)
        axes.set_ylim(len(parts) - 0.5, -0.5)
        changes.amounts_beside(axes, [changes.signed(value, unit) for value in mean])
        axes.set_xlabel("Bars: means, which add up. Lines: 80% ranges, which do not.")
        axes.texts[-1].set_fontweight("bold")
        changes.name_rows(figure, axes, labels)
        axes.get_yticklabels()[-1].set_fontweight("bold")
        drawing.settle(figure)
    finding = _finding(parts, first, place)
    words = {**CAUSES, TOTAL: "total growth of the net deficit"}
    told = "; ".join(
        f"{words[cause]} {_mean_and_range(row)}"
        for cause, row in zip(parts.index, frames.records(parts), strict=True)
    )
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=f"Growth of the net deficit by cause, mean and 80% range, {place}, "
        f"{year_end(start)} to {year_end(end)}",
        unit=unit,
        source=source,
        alt=f"{finding}. Horizontal bars of the mean with the 80% range as a line, from {march(start)} to "
        f"{march(end)}; above zero raises the deficit: {told}. Means add up to the total; ranges do not.",
        data=pd.DataFrame(
            {
                "Cause": [words[cause][0].upper() + words[cause][1:] for cause in parts.index],
                "Mean (£)": mean.to_numpy(),
                "10th percentile (£)": low.to_numpy(),
                "90th percentile (£)": high.to_numpy(),
            }
        ),
    )


def _mean_and_range(row: Row) -> str:
    """In words, without a range that says the mean again.

    >>> _mean_and_range({"mean": 2e6, "p10": 1e6, "p90": 3e6})
    '£2.0m (£1.0m to £3.0m)'
    >>> _mean_and_range({"mean": -3e8, "p10": -3e8, "p90": -3e8})
    '−£300.0m'
    """
    mean, spread = gbp(row["mean"]), gbp_range(row["p10"], row["p90"])
    return mean if spread == mean else f"{mean} ({spread})"


def _checked(causes: pd.DataFrame, chart: str) -> pd.DataFrame:
    """The causes that are something, in the order given, and the total last."""
    parts = frames.columns(causes, VALUES, chart).astype("float64")
    for cause in parts.index:
        if cause not in SHORT:
            raise ValueError(f"chart {chart!r}: cause {cause!r} is not known; {closest(str(cause), SHORT)}")
    if TOTAL not in parts.index:
        raise ValueError(f"chart {chart!r}: no row {TOTAL!r}; the bars need the total that they add up to")
    if parts.isna().any(axis=None):
        raise ValueError(f"chart {chart!r}: {parts.index[parts.isna().any(axis=1)][0]!r} lacks a value")
    shown = parts[parts.map(gbp).ne(gbp(0)).any(axis=1) & (parts.index != TOTAL)]
    if shown.empty:
        raise ValueError(f"chart {chart!r}: every cause is zero; there is nothing to draw")
    return pd.concat([shown, parts.loc[[TOTAL]]])


def _finding(parts: pd.DataFrame, first: str, place: str) -> str:
    """The largest cause in the direction in which the deficit goes."""
    mean = parts["mean"].drop(TOTAL)
    grows = parts.at[TOTAL, "mean"] >= 0 if (mean > 0).any() and (mean < 0).any() else (mean > 0).any()
    cause = str(mean.idxmax() if grows else mean.idxmin())
    words = IN_A_HEADLINE[cause][0 if grows else 1].format(first=first)
    words = f"{words} most {'to' if grows else 'off'} the deficit"
    if place != "England":
        return f"{place}: {words[0].lower()}{words[1:]}"
    return f"{words}, {gbp(abs(mean[cause]))}"
