"""SEND deficits in England's councils: the published figures in one panel, an outlook, and partial write-offs.

>>> import deficits as d
>>> panel = d.load_panel()
>>> outlook = d.project(panel, d.Drivers(), until=2028, draws=500, seed=1)
>>> result = d.Scheme.read("high-needs-stability-grant").apply(outlook)
>>> result.summary().index.name
'measure'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deficits.outlook import Drivers, Lever, project
    from deficits.panel import load_panel, trace
    from deficits.scenario import Scenario
    from deficits.writeoff import Scheme, frontier

__version__ = "0.1.0"
__all__ = ["Drivers", "Lever", "Scenario", "Scheme", "frontier", "load_panel", "project", "trace"]

_ROOM = {
    "Drivers": "deficits.outlook",
    "Lever": "deficits.outlook",
    "Scenario": "deficits.scenario",
    "Scheme": "deficits.writeoff",
    "frontier": "deficits.writeoff",
    "load_panel": "deficits.panel",
    "project": "deficits.outlook",
    "trace": "deficits.panel",
}


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `deficits --help` does not wait for pandas.
    if name in _ROOM:
        return getattr(import_module(_ROOM[name]), name)
    raise AttributeError(f"module 'deficits' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
