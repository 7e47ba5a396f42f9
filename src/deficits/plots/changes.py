"""What the figures of changes share: signed amounts in one unit, and rows with a name, a range and an amount."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from deficits.formatting import MINUS, gbp
from deficits.plots import drawing
from deficits.plots.style import FONT_SIZE, TEXT

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POUNDS = dict(drawing.UNITS)


def signed(value: float, unit: str) -> str:
    """A change with its sign, in the unit that its figure has: amounts in one column compare at a glance.

    >>> signed(5.93e9, "£bn"), signed(-242e6, "£bn"), signed(11e6, "£bn"), signed(0.2, "£m"), signed(-950, "£")
    ('+£5.9bn', '−£0.2bn', '<£0.1bn', 'none', '−£950')
    """
    if gbp(value) == gbp(0):
        return "none"
    scale, suffix = POUNDS[unit], unit.removeprefix("£")
    places = 1 if suffix else 0
    shown = f"{abs(value) / scale:,.{places}f}"
    if not shown.strip("0.,"):
        return f"<£0.1{suffix}"
    return f"{MINUS if value < 0 else '+'}£{shown}{suffix}"


def span(values: Iterable[float], room: float = 0.03) -> tuple[float, float]:
    """Limits of a level axis that hold zero and all values, with a little room on the sides that have any."""
    low, high = drawing.limits(values, signed=True)
    pad = room * (high - low)
    return (low - pad if low < 0 else 0.0), (high + pad if high > 0 else 0.0)


def zero_line(axes: Axes, rows: int) -> None:
    """An upright line at no change, in front of the bars, along all rows; the first row is the top one."""
    axes.vlines(0, -0.5, rows - 0.5, color=TEXT, linewidth=1.0, zorder=2.6)
    axes.spines["left"].set_visible(False)


def ranges(axes: Axes, low: pd.Series[float], high: pd.Series[float]) -> None:
    """A thin line with ends on each row; the middle need not lie between them, as a mean may not."""
    axes.errorbar(
        (low + high) / 2,
        range(len(low)),
        xerr=(high - low).clip(lower=0) / 2,
        fmt="none",
        ecolor=TEXT,
        elinewidth=1.2,
        capsize=3,
        zorder=3,
    )


def name_rows(figure: Figure, axes: Axes, labels: Sequence[str]) -> None:
    """Names left of the axes, flush left: two lines set flush right are ragged in a reader's narrower font."""
    axes.set_yticks(range(len(labels)), labels)
    ticks = axes.get_yticklabels()
    figure.draw_without_rendering()
    widest = max(tick.get_window_extent().width for tick in ticks) * 72 / figure.dpi
    for tick in ticks:
        tick.set_horizontalalignment("left")
        tick.set_linespacing(1.1)
    axes.tick_params(axis="y", length=0, pad=widest + FONT_SIZE)


def amounts_beside(axes: Axes, texts: Sequence[str]) -> None:
    """One text a row in a column right of the axes."""
    for place, text in enumerate(texts):
        axes.text(1.03, place, text, transform=axes.get_yaxis_transform(), va="center")


def wrapped(text: str, letters: int) -> str:
    """Text on as few lines of so many letters as it needs, about equally long.

    >>> wrapped("Spend a plan grows 4% a year", 27).splitlines()
    ['Spend a plan', 'grows 4% a year']
    """
    lines = textwrap.wrap(text, letters)
    for fewer in range(letters - 1, 0, -1):
        closer = textwrap.wrap(text, fewer)
        if len(closer) > len(lines):
            break
        lines = closer
    return "\n".join(lines)
