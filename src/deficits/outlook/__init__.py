"""The outlook: where balances go from the last published ones, how sure that is, how good it would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deficits.outlook.drivers import CouncilDrivers, Drivers, Held, Spread
from deficits.outlook.lever import Effect, Lever, lever_names
from deficits.outlook.outlook import MEASURES, Measure, Outlook, Reach, national, project, quantiles
from deficits.outlook.questions import CAUSES

if TYPE_CHECKING:
    from deficits.outlook.backtest import Backtest, backtest

__all__ = [
    "CAUSES",
    "MEASURES",
    "Backtest",
    "CouncilDrivers",
    "Drivers",
    "Effect",
    "Held",
    "Lever",
    "Measure",
    "Outlook",
    "Reach",
    "Spread",
    "backtest",
    "lever_names",
    "national",
    "project",
    "quantiles",
]


def __getattr__(name: str) -> Any:
    # The scores need libraries that a projection does not wait for.
    if name in ("Backtest", "backtest"):
        from importlib import import_module

        return getattr(import_module("deficits.outlook.backtest"), name)
    raise AttributeError(f"module 'deficits.outlook' has no attribute '{name}'")
