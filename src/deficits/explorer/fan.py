"""The explorer's figure as SVG: drawn at each move of a slider, in a hundredth of matplotlib's time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from deficits.formatting import gbp

Array = npt.NDArray[np.float64]

INK, GREY, GRID = "#0b0c0c", "#3d3d3d", "#949494"
BLUE, BANDS, ORANGE = "#12436d", ("#add1f1", "#6bace6"), "#a8450f"
TOP, BOTTOM, LEFT, HEIGHT, LINE = 34.0, 318.0, 62.0, 372.0, 16.0


@dataclass(frozen=True)
class Fan:
    """Quantiles by year, £: rows p10, p25, p50, p75, p90; its name; its last central estimate in words. What
    is compared with is an outline only."""

    label: str
    end: str
    values: Array
    outline: bool = False


def fan_svg(
    years: Sequence[int], fans: Sequence[Fan], observed: Sequence[tuple[int, float]], alt: str, width: int = 640
) -> str:
    """The figure as an `<svg>` with its text alternative. `observed`: published figures by year, £.

    >>> fan_svg([2030, 2031], [Fan("All", "£1bn", np.full((5, 2), 1e9))], [], "It stays.")[:4]
    '<svg'
    """
    right = width - 134.0
    amounts = [0.0, *(value for _, value in observed), *np.concatenate([fan.values.ravel() for fan in fans])]
    ticks = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(min(amounts), max(amounts))
    first, last = min([*years, *(year for year, _ in observed)]), max(years)

    def x(year: float) -> float:
        return LEFT + (right - LEFT) * (year - first + 0.25) / (last - first + 0.5)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    def points(values: Sequence[float], over: Sequence[int] = years) -> str:
        return " ".join(f"{x(year):.1f},{y(value):.1f}" for year, value in zip(over, values, strict=True))

    def text(across: float, down: float, words: str, anchor: str = "start") -> str:
        return f'<text x="{across:.1f}" y="{down:.1f}" text-anchor="{anchor}">{escape(words)}</text>'

    def line(values: Sequence[float], look: str, over: Sequence[int] = years) -> str:
        return f'<polyline points="{points(values, over)}" fill="none" {look}/>'

    parts = []
    for tick in ticks:
        colour = INK if tick == 0 else GRID
        parts.append(f'<path d="M{LEFT:g} {y(tick):.1f}H{right:g}" stroke="{colour}" stroke-width="0.5"/>')
        parts.append(text(LEFT - 7, y(tick) + 4, gbp(float(tick)).replace(".0", ""), "end"))
    step = -(-(last - first + 1) // int((right - LEFT) // 40))
    parts += [text(x(year), BOTTOM + 18, str(year), "middle") for year in range(last, first - 1, -step)]
    parts.append(text((LEFT + right) / 2, BOTTOM + 40, "At 31 March", "middle"))
    for fan in fans:
        low, near, middle, far, high = fan.values
        if fan.outline:
            dashed = f'stroke="{ORANGE}" stroke-width="1.2" stroke-dasharray="5 3"'
            parts += [line(low, dashed), line(high, dashed)]
            parts.append(line(middle, f'stroke="{ORANGE}" stroke-width="2" stroke-dasharray="5 3"'))
            continue
        for lower, upper, fill in ((low, high, BANDS[0]), (near, far, BANDS[1])):
            back = points(upper[::-1], years[::-1])
            parts.append(f'<polygon points="{points(lower)} {back}" fill="{fill}"/>')
        parts.append(line(middle, f'stroke="{BLUE}" stroke-width="2"'))
    if observed:
        seen, values = zip(*observed, strict=True)
        parts.append(line(values, f'stroke="{GREY}" stroke-width="2"', seen))
        marks = [(x(year), y(value)) for year, value in observed] + [(LEFT + 4, 14.0)]
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{GREY}" stroke="#fff"/>' for a, b in marks]
        parts.append(text(LEFT + 14, 18, "Published"))
    # The labels of two fans keep apart.
    ends = [y(float(fan.values[2, -1])) for fan in fans]
    if len(ends) == 2 and abs(ends[0] - ends[1]) < 2.5 * LINE:
        upper = int(np.argmin(ends))
        ends[upper], ends[1 - upper] = min(ends) - LINE, min(ends) + 1.5 * LINE
    for fan, end in zip(fans, ends, strict=True):
        parts.append(text(right + 8, end, fan.label))
        parts.append(text(right + 8, end + LINE, fan.end))
    return (
        f'<svg viewBox="0 0 {width} {HEIGHT:g}" width="100%" role="img" aria-label="{escape(alt)}" fill="{INK}" '
        'style="font-family: Arial, Helvetica, sans-serif; font-size: 13px; stroke-linejoin: round">'
        f'<rect width="{width}" height="{HEIGHT:g}" fill="#fff"/>{"".join(parts)}</svg>'
    )
