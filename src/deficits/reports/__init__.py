"""Parameterised notebooks made into pages: what a notebook calls, and what runs it.

A notebook calls `settings`, `show`, `table`, `live`, `main_points`, `paragraph`, `notes` and `sources`; whoever
makes pages calls `render` for one or `plan` and `make` for many, `verify` and `write_index`. Only those load
papermill, nbconvert and jinja2.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deficits.reports.display import figure, main_points, notes, paragraph, show, sources, table
from deficits.reports.limits import Limits
from deficits.reports.live import live
from deficits.reports.parameters import REPORTS, parse, settings

if TYPE_CHECKING:
    from deficits.reports.fanout import How, Outcome, exit_code, make
    from deficits.reports.index import write_index
    from deficits.reports.run import render
    from deficits.reports.selection import index_is_current, plan
    from deficits.reports.verification import verify

__all__ = [
    "REPORTS",
    "How",
    "Limits",
    "Outcome",
    "exit_code",
    "figure",
    "index_is_current",
    "live",
    "main_points",
    "make",
    "notes",
    "paragraph",
    "parse",
    "plan",
    "render",
    "settings",
    "show",
    "sources",
    "table",
    "verify",
    "write_index",
]

_MAKING = {
    "How": "fanout",
    "Outcome": "fanout",
    "exit_code": "fanout",
    "index_is_current": "selection",
    "make": "fanout",
    "plan": "selection",
    "render": "run",
    "verify": "verification",
    "write_index": "index",
}


def __getattr__(name: str) -> Any:
    # A notebook does not wait for what makes pages.
    if name in _MAKING:
        return getattr(import_module(f"deficits.reports.{_MAKING[name]}"), name)
    raise AttributeError(f"module 'deficits.reports' has no attribute '{name}'")
