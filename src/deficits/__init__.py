"""SEND deficits in England's councils: the published figures in one panel, a projection, and partial write-offs.

>>> import deficits as d
>>> panel = d.load_panel()
>>> projection = d.project(panel, d.Assumptions(), until=2028, draws=500, seed=1)
>>> result = d.Scheme.read("high-needs-stability-grant").apply(projection)
>>> result.summary().index.name
'measure'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deficits.panel import load_panel, trace
    from deficits.projection import Assumptions, Lever, project
    from deficits.reform_plan import plan
    from deficits.scenario import Scenario
    from deficits.writeoff import Scheme, compare

__version__ = "0.1.0"
__all__ = ["Assumptions", "Lever", "Scenario", "Scheme", "compare", "load_panel", "plan", "project", "trace"]

_ROOM = {
    "Assumptions": "deficits.projection",
    "Lever": "deficits.projection",
    "Scenario": "deficits.scenario",
    "Scheme": "deficits.writeoff",
    "compare": "deficits.writeoff",
    "load_panel": "deficits.panel",
    "plan": "deficits.reform_plan",
    "project": "deficits.projection",
    "trace": "deficits.panel",
}


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `deficits --help` does not wait for pandas.
    if name in _ROOM:
        return getattr(import_module(_ROOM[name]), name)
    raise AttributeError(f"module 'deficits' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
