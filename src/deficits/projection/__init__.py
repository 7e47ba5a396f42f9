"""Where balances go from the last published ones, how sure that is, how good it would have been."""

from __future__ import annotations

from deficits.assumptions import Assumptions, CalibrationTarget, CouncilAssumptions, Spread
from deficits.projection.lever import Effect, Lever, lever_names, levers
from deficits.projection.projection import MEASURES, Measure, Projection, Reach, national, project, quantiles
from deficits.projection.summaries import CAUSES

__all__ = [
    "CAUSES",
    "MEASURES",
    "Assumptions",
    "CalibrationTarget",
    "CouncilAssumptions",
    "Effect",
    "Lever",
    "Measure",
    "Projection",
    "Reach",
    "Spread",
    "lever_names",
    "levers",
    "national",
    "project",
    "quantiles",
]
