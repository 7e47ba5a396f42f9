"""The sliders as declared: what each changes, its label, range and unit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import annotated_types

from deficits.assumptions import PROGRAMME_ENDED
from deficits.explorer.state import SIZES, Pick
from deficits.formatting import year_end
from deficits.projection import Assumptions, Lever


@dataclass(frozen=True)
class Slide:
    """A slider. It shows `scale` times the value: 100 shows a share in percent."""

    name: str
    label: str
    low: float
    high: float
    step: float
    scale: float = 100.0
    places: int = 1

    def shown(self, value: float) -> float:
        """The value as the slider shows it.

        >>> ASSUMPTIONS["later_block_growth"].shown(0.03)
        3.0
        """
        return round(value * self.scale, 8)

    def value(self, shown: float) -> float:
        """Of what the slider shows.

        >>> ASSUMPTIONS["financing_rate"].value(4.05)
        0.0405
        """
        value = shown / self.scale
        return float(f"{value:.12g}")


def _by_name(slides: Iterable[Slide]) -> dict[str, Slide]:
    return {slide.name: slide for slide in slides}


ASSUMPTIONS = _by_name(
    [
        Slide("plan_growth", "Growth of plans, % a year", -5, 20, 0.5),
        Slide("unit_cost_growth", "Growth of cost a plan, % a year", -5, 15, 0.5),
        Slide("later_block_growth", "Later growth of the block, % a year", -2, 15, 0.5),
        Slide("growth_persistence", "Growth that persists, % a year later", 0, 100, 5, places=0),
        Slide("financing_rate", "Interest on deficits, % a year", 0, 12, 0.05, places=2),
    ]
)
OPTIONAL = {
    "plan_growth": ("Set growth of plans", 0.08),
    "unit_cost_growth": ("Set growth of cost a plan", 0.04),
}
"""Assumptions that the model works out itself until set: what says so, and where the slider then starts."""

SAFETY_VALVE_PAYMENTS = {
    f"Those due by {year_end(int(PROGRAMME_ENDED.number))}": "until_2026",
    "All that were agreed": "as_agreed",
    "None": "none",
}

SCHEME = _by_name(
    [
        Slide("share", "Share paid, %", 0, 100, 5, places=0),
        Slide("budget", "National limit, £bn (0: none)", 0, 20, 0.25, 1e-9, 2),
    ]
)


@cache
def lever_slide(name: str) -> Slide:
    """The slider of a shipped lever's size, with the range that its model allows.

    >>> lever_slide("funding-growth").label, lever_slide("threshold-uprating").low
    ('Points a year that the block grows more', 6000.0)
    """
    lever = Pick(name).lever()
    size = SIZES[lever.kind]
    low, high = _range(lever, size)
    labels = {
        "threshold": "Threshold in the first year, £",
        "fewer": "Points a year that plans grow less",
        "moved": "Placements that move, % a year",
        "weight": "Block shared out anew, %",
        "paid": "Joint cost that health pays, %",
        "growth": "Points a year that the block grows more",
    }
    if size == "threshold":
        return Slide(size, labels[size], low, high, 100, 1, 0)
    return Slide(size, labels[size], 100 * low, 100 * high, 0.5 if high <= 0.2 else 5)


def _range(lever: Lever, name: str) -> tuple[float, float]:
    bounds = type(lever).model_fields[name].metadata
    low = next(float(bound.ge) for bound in bounds if isinstance(bound, annotated_types.Ge))  # type: ignore[arg-type]
    high = next(float(bound.le) for bound in bounds if isinstance(bound, annotated_types.Le))  # type: ignore[arg-type]
    return low, high


def default_of(name: str) -> float:
    """Where an assumption's slider stands before anything is set."""
    if name in OPTIONAL:
        return OPTIONAL[name][1]
    return float(getattr(Assumptions(), name))
