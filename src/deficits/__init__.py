"""SEND deficits in England's councils: the published figures in one panel, a projection, and partial write-offs.

>>> import deficits as d
>>> panel = d.load_panel()
>>> projection = d.project(panel, d.Assumptions(), until=2028, draws=500, seed=1)
>>> result = d.write_off(projection, "high-needs-stability-grant")
>>> result.summary().index.name
'measure'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deficits.panel import authorities, load_panel, trace
    from deficits.projection import Assumptions, Lever, Spread, project
    from deficits.projection.lever import levers
    from deficits.reform_plan import plan
    from deficits.scenario import Scenario
    from deficits.writeoff import Scheme, compare
    from deficits.writeoff.scheme import schemes
    from deficits.writeoff.write_off import write_off

__version__ = "0.2.0"
__all__ = [
    "Assumptions",
    "Lever",
    "Scenario",
    "Scheme",
    "Spread",
    "authorities",
    "compare",
    "levers",
    "load_panel",
    "plan",
    "project",
    "schemes",
    "trace",
    "write_off",
]

_ROOM = {
    **dict.fromkeys(("authorities", "load_panel", "trace"), "deficits.panel"),
    **dict.fromkeys(("Assumptions", "Lever", "Spread", "levers", "project"), "deficits.projection"),
    **dict.fromkeys(("Scheme", "compare", "schemes", "write_off"), "deficits.writeoff"),
    "Scenario": "deficits.scenario",
    "plan": "deficits.reform_plan",
}


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `deficits --help` does not wait for pandas.
    if name in _ROOM:
        return getattr(import_module(_ROOM[name]), name)
    raise AttributeError(f"module 'deficits' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
