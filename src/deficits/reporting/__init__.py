"""Parameterised notebooks made into pages: what a notebook calls, and what runs it.

A notebook calls `settings`, `show`, `table`, `live`, `main_points`, `paragraph`, `notes` and `sources`; whoever
makes pages calls `render` for one or `plan` and `make` for many, `verify` and `write_index`. Only those load
papermill, nbconvert and jinja2.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deficits.reporting.display import main_points, notes, paragraph, show, sources, table
from deficits.reporting.limits import Limits
from deficits.reporting.live import live
from deficits.reporting.parameters import REPORTS, parse, settings

if TYPE_CHECKING:
    from deficits.reporting.fanout import How, Outcome, exit_code, make
    from deficits.reporting.index import write_index
    from deficits.reporting.run import render
    from deficits.reporting.selection import index_is_current, plan
    from deficits.reporting.verification import verify

__all__ = [
    "REPORTS",
    "How",
    "Limits",
    "Outcome",
    "exit_code",
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
        return getattr(import_module(f"deficits.reporting.{_MAKING[name]}"), name)
    raise AttributeError(f"module 'deficits.reporting' has no attribute '{name}'")
