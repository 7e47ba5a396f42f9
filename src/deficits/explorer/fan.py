"""The panel's figure, written as SVG directly: a slider's figure is drawn again while it is still being looked at.

matplotlib takes about a tenth of a second for a fan, this a thousandth. Colours, dashes, ticks, limits and how
labels keep apart are those of `deficits.plots`, so that it looks like the figures of the reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from deficits.plots.drawing import limits, money_ticks, spread
from deficits.plots.style import AFTER_WRITEOFF, GREY, GRID, PROJECTION, TEXT, THIN, WHITE, FanStyle
from deficits.plots.svg import FONTS

Array = npt.NDArray[np.float64]

HEIGHT, SIZE, LINE, LETTER = 372.0, 13.0, 16.0, 6.76
LEFT, TOP, BOTTOM = 58.0, 34.0, 318.0
"""The axes' edges: the labels of the fans stand to their right, the observed figures' key above."""


@dataclass(frozen=True)
class Width:
    """Of the picture, and where its axes end on the right."""

    whole: float
    axes: float


WIDE, NARROW = Width(640, 506), Width(372, 276)
"""Beside the controls, and on a small screen: its letters are not made smaller there."""


@dataclass(frozen=True)
class Fan:
    """Quantiles by year, £: `values` has rows p10, p25, p50, p75, p90. A dashed fan is an outline only."""

    label: str
    years: Sequence[int]
    values: Array
    dashed: bool = False


@dataclass(frozen=True)
class Observed:
    """A published figure, £."""

    year: int
    value: float
    basis: str


def fan_svg(fans: Sequence[Fan], observed: Sequence[Observed], alt: str, name: str, width: Width = WIDE) -> str:
    """The figure as an `<svg>` element with its text alternative; `name` begins its ids.

    >>> fan = Fan("Scenario £2bn", [2030, 2031], np.array([[1e9, 1e9]] * 5))
    >>> fan_svg([fan], [], "It stays.", "fan").startswith('<svg viewBox="0 0 640 372"')
    True
    """
    years = [*(year for fan in fans for year in fan.years), *(point.year for point in observed)]
    amounts = [float(value) for fan in fans for value in fan.values.ravel()]
    ticks, labels, _ = money_ticks(*limits([*amounts, *(point.value for point in observed)], signed=True))
    key, rows = _key(observed, width)
    top = TOP + LINE * (rows - 1)
    place = _Place(min(years), max(years), ticks[0], ticks[-1], top, width.axes)
    parts = [_axes(place, ticks, labels)]
    parts += [_fan(place, fan) for fan in fans]
    parts += [_observed(place, observed), key, _end_labels(place, fans)]
    return (
        f'<svg viewBox="0 0 {width.whole:g} {HEIGHT:g}" width="100%" role="img" aria-labelledby="{name}-desc" '
        f'style="font-family: {FONTS}; font-size: {SIZE:g}px; stroke-linejoin: round">'
        f'<desc id="{name}-desc">{escape(alt)}</desc>'
        f'<rect width="{width.whole:g}" height="{HEIGHT:g}" fill="{WHITE}"/>{"".join(parts)}</svg>'
    )


@dataclass(frozen=True)
class _Place:
    """From years and £ to the picture."""

    first: int
    last: int
    low: float
    high: float
    top: float
    right: float

    def x(self, year: float) -> float:
        room = 0.25
        return LEFT + (self.right - LEFT) * (year - self.first + room) / (self.last - self.first + 2 * room)

    def y(self, value: float) -> float:
        return BOTTOM - (BOTTOM - self.top) * (value - self.low) / (self.high - self.low)

    def points(self, years: Sequence[int], values: Iterable[float]) -> str:
        return " ".join(
            f"{self.x(year):.1f},{self.y(value):.1f}" for year, value in zip(years, values, strict=True)
        )


def _axes(place: _Place, ticks: list[float], labels: list[str]) -> str:
    parts = []
    for tick, label in zip(ticks, labels, strict=True):
        y = place.y(tick)
        strong = tick == 0
        colour, width = (TEXT, THIN) if strong else (GRID, 0.4)
        parts.append(f'<path d="M{LEFT:g} {y:.1f}H{place.right:g}" stroke="{colour}" stroke-width="{width}"/>')
        parts.append(_text(LEFT - 7, y + SIZE * 0.35, label, "end"))
    most = min(8, int((place.right - LEFT) // 40))
    step = -(-(place.last - place.first + 1) // most)
    for year in range(place.last, place.first - 1, -step):
        x = place.x(year)
        parts.append(f'<path d="M{x:.1f} {BOTTOM:g}v4" stroke="{GREY}" stroke-width="{THIN}"/>')
        parts.append(_text(x, BOTTOM + 18, str(year), "middle"))
    parts.append(_text((LEFT + place.right) / 2, BOTTOM + 40, "At 31 March", "middle"))
    return "".join(parts)


def _fan(place: _Place, fan: Fan) -> str:
    style = AFTER_WRITEOFF if fan.dashed else PROJECTION
    low, near, middle, far, high = fan.values
    parts = []
    if not fan.dashed:
        parts += [_band(place, fan.years, low, high, style.wide), _band(place, fan.years, near, far, style.narrow)]
    edges = (low, high) if fan.dashed else (low, near, far, high)
    parts += [_line(place, fan, edge, style.edge, 1.2 if fan.dashed else THIN, style) for edge in edges]
    parts.append(_line(place, fan, middle, style.line, 2.0, style))
    return "".join(parts)


def _band(place: _Place, years: Sequence[int], low: Array, high: Array, fill: tuple[str, float]) -> str:
    points = f"{place.points(years, low)} {place.points(years[::-1], high[::-1])}"
    return f'<polygon points="{points}" fill="{fill[0]}" fill-opacity="{fill[1]:g}"/>'


def _line(place: _Place, fan: Fan, values: Array, colour: str, width: float, style: FanStyle) -> str:
    dash = ""
    if fan.dashed and isinstance(style.dashes, tuple):
        dash = f' stroke-dasharray="{" ".join(f"{part * 1.5:g}" for part in style.dashes[1])}"'
    return (
        f'<polyline points="{place.points(fan.years, values)}" fill="none" stroke="{colour}" '
        f'stroke-width="{width}"{dash}/>'
    )


def _observed(place: _Place, observed: Sequence[Observed]) -> str:
    if not observed:
        return ""
    years, values = [point.year for point in observed], [point.value for point in observed]
    parts = [f'<polyline points="{place.points(years, values)}" fill="none" stroke="{GREY}" stroke-width="2"/>']
    bases = list(dict.fromkeys(point.basis for point in observed))
    parts += [_mark(place.x(point.year), place.y(point.value), bases.index(point.basis)) for point in observed]
    return "".join(parts)


def _key(observed: Sequence[Observed], width: Width) -> tuple[str, int]:
    """What the marks are, above the axes, and in how many rows that is."""
    parts, across, row = [], LEFT, 0
    for number, basis in enumerate(dict.fromkeys(point.basis for point in observed)):
        long = 14 + len(basis) * LETTER
        if number and across + long > width.whole:
            across, row = LEFT, row + 1
        y = 14 + LINE * row
        parts += [_mark(across + 4, y, number), _text(across + 14, y + SIZE * 0.35, basis, "start")]
        across += long + 20
    return "".join(parts), row + 1


def _mark(x: float, y: float, number: int) -> str:
    """Circle, square, diamond: told apart without colour."""
    look = f'fill="{GREY}" stroke="{WHITE}" stroke-width="0.8"'
    if number == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {look}/>'
    turn = f' transform="rotate(45 {x:.1f} {y:.1f})"' if number > 1 else ""
    return f'<rect x="{x - 3.7:.1f}" y="{y - 3.7:.1f}" width="7.4" height="7.4" {look}{turn}/>'


def _end_labels(place: _Place, fans: Sequence[Fan]) -> str:
    words = [fan.label.split("\n") for fan in fans]
    ends = [place.y(float(fan.values[2, -1])) for fan in fans]
    heights = [len(lines) * LINE + 4 for lines in words]
    middles = spread(ends, heights, place.top - 12, BOTTOM + 12)
    parts = []
    for lines, end, middle, fan in zip(words, ends, middles, fans, strict=True):
        x = place.x(fan.years[-1])
        parts.append(
            f'<path d="M{x:.1f} {end:.1f}L{place.right + 8:g} {middle:.1f}" stroke="{GREY}" '
            f'stroke-width="{THIN}" fill="none"/>'
        )
        top = middle - (len(lines) - 1) * LINE / 2 + SIZE * 0.35
        parts += [_text(place.right + 12, top + number * LINE, line, "start") for number, line in enumerate(lines)]
    return "".join(parts)


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{TEXT}">{escape(words)}</text>'
