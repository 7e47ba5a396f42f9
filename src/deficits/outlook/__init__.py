"""The outlook: where balances go from the last published ones, how sure that is, how good it would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deficits.outlook.drivers import Drivers
from deficits.outlook.outlook import MEASURES, Measure, Outlook, Reach, national, project, quantiles

if TYPE_CHECKING:
    from deficits.outlook.backtest import Backtest, backtest

__all__ = [
    "MEASURES",
    "Backtest",
    "Drivers",
    "Measure",
    "Outlook",
    "Reach",
    "backtest",
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
