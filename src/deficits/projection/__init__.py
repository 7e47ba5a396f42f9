"""Where balances go from the last published ones, how sure that is, how good it would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deficits.assumptions import Assumptions, CalibrationTarget, CouncilAssumptions, Spread
from deficits.projection.lever import Effect, Lever, lever_names, levers
from deficits.projection.projection import MEASURES, Measure, Projection, Reach, national, project, quantiles
from deficits.projection.summaries import CAUSES

if TYPE_CHECKING:
    from deficits.projection.backtest import Backtest, backtest

__all__ = [
    "CAUSES",
    "MEASURES",
    "Assumptions",
    "Backtest",
    "CalibrationTarget",
    "CouncilAssumptions",
    "Effect",
    "Lever",
    "Measure",
    "Projection",
    "Reach",
    "Spread",
    "backtest",
    "lever_names",
    "levers",
    "national",
    "project",
    "quantiles",
]


def __getattr__(name: str) -> Any:
    # The scores need libraries that a projection does not wait for.
    if name in ("Backtest", "backtest"):
        from importlib import import_module

        return getattr(import_module("deficits.projection.backtest"), name)
    raise AttributeError(f"module 'deficits.projection' has no attribute '{name}'")
