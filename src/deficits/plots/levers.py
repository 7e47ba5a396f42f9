"""What could be done: levers beside each other, each against the same baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from deficits.formatting import gbp, gbp_range, year_end
from deficits.plots import changes, drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.england import SOURCE
from deficits.plots.frames import Row
from deficits.plots.phrases import counted, march
from deficits.plots.style import NAVY, PLUM, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POLICY, ASSUMPTION = "policy lever", "assumption"
KINDS = {POLICY: (NAVY, "o"), ASSUMPTION: (PLUM, "D")}
"""Colour and shape of the dot."""

CHANGES = ("change_p10", "change_p50", "change_p90")
LETTERS = 27  # in a line of a lever's title


def levers_compared(table: pd.DataFrame, year: int, *, source: str = SOURCE) -> Chart:
    """What each lever alone does to England's net deficit at a year end: a dot and a range, most cut first.

    Args:
        table: columns lever (title), kind ("policy lever" or "assumption"), change_p10, change_p50, change_p90:
            £ against the baseline on the same draws, negative = smaller deficit.
        year: 2031 for 31 March 2031.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, a kind is not known, or no row has all values.

    >>> tried = pd.DataFrame({"lever": ["Cheaper places"], "kind": "policy lever", "change_p10": [-3e9],
    ...                       "change_p50": [-2e9], "change_p90": [-1e9]})
    >>> levers_compared(tried, 2031).finding
    'Largest deficit cut, £2.0bn: cheaper places'
    """
    name = "levers-compared"
    rows = _sorted(table, name)
    records = frames.records(rows)
    labels = [changes.wrapped(str(lever), LETTERS) for lever in rows["lever"]]
    with house_style():
        height = 1.3 + 0.16 * sum(label.count("\n") + 2 for label in labels)
        figure, axes = drawing.new_axes(height)
        unit = drawing.money_axis_across(axes, *changes.span(rows[list(CHANGES)].to_numpy().ravel(), room=0.05))
        changes.ranges(axes, rows["change_p10"], rows["change_p90"])
        for kind in KINDS:
            _dots(axes, rows[rows["kind"] == kind], kind)
        changes.zero_line(axes, len(rows))
        axes.annotate("baseline", (0, -0.55), ha="center", va="bottom", bbox=drawing.CLEAR, zorder=4)
        axes.set_ylim(len(rows) - 0.5, -0.95)
        changes.amounts_beside(axes, [changes.signed(row["change_p50"], unit) for row in records])
        axes.set_xlabel(f"Change by {march(year)}; below zero: smaller deficit")
        changes.name_rows(figure, axes, labels)
        if rows["kind"].nunique() > 1:
            drawing.legend_above(axes)
        drawing.settle(figure)
    finding = _finding(rows, year)
    told = "; ".join(f"{row['lever']} ({row['kind']}) {_middle_and_range(row)}" for row in records)
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle="Change in the net deficit against the baseline, median and 80% range, "
        f"England, {year_end(year)}",
        unit=unit,
        source=source,
        alt=f"{finding}. Dots with the 80% range as a line, {counted(len(rows), 'row')}, the largest cut first; "
        f"below zero is a smaller deficit: {told}.",
        data=rows.rename(
            columns={
                "lever": "Lever",
                "kind": "Kind",
                "change_p10": "Change, 10th percentile (£)",
                "change_p50": "Change, median (£)",
                "change_p90": "Change, 90th percentile (£)",
            }
        ),
    )


def _sorted(table: pd.DataFrame, chart: str) -> pd.DataFrame:
    found = frames.columns(table, ("lever", "kind", *CHANGES), chart).dropna()
    unknown = sorted(set(found["kind"].astype(str)) - set(KINDS))
    if found.empty or unknown:
        fault = "no row has all values" if found.empty else f"unknown kinds {unknown}; expected {list(KINDS)}"
        raise ValueError(f"chart {chart!r}: {fault}")
    found = found.astype(dict.fromkeys(CHANGES, "float64"))
    return found.sort_values(["change_p50", "lever"], kind="stable", ignore_index=True)


def _dots(axes: Axes, rows: pd.DataFrame, kind: str) -> None:
    if rows.empty:
        return
    colour, shape = KINDS[kind]
    axes.plot(
        rows["change_p50"],
        rows.index,
        shape,
        color=colour,
        markersize=7 if shape == "o" else 6,
        label=f"{kind[0].upper()}{kind[1:]}",
        clip_on=False,
        zorder=3.5,
    )


def _middle_and_range(row: Row) -> str:
    middle, spread = gbp(row["change_p50"]), gbp_range(row["change_p10"], row["change_p90"])
    return middle if spread == middle else f"{middle} ({spread})"


def _finding(rows: pd.DataFrame, year: int) -> str:
    """The policy lever that cuts most; an assumption is nobody's to choose."""
    levers = rows[rows["kind"] == POLICY]
    chosen = rows if levers.empty else levers
    best = chosen.iloc[0]
    thing = "assumption" if levers.empty else "lever"
    if best["change_p50"] >= 0 or gbp(best["change_p50"]) == gbp(0):
        return f"No {thing} cuts the deficit at {march(year)}"
    title = str(best["lever"])
    begins = title[:1] if title[1:2].isupper() else title[:1].lower()  # "NHS pays" keeps its capitals
    return f"Largest deficit cut, {gbp(-best['change_p50'])}: {begins}{title[1:]}"
