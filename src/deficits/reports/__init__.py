"""Parameterised notebooks made into pages: what a notebook calls, and what runs it.

A notebook calls `settings`, `figure`, `table`, `what_if`, `main_points`, `paragraph`, `notes` and `sources`;
whoever makes pages calls `render` for one or `plan` and `make` for many, `verify` and `write_index`. Only those
load papermill and jinja2.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deficits.reports.display import figure, main_points, notes, paragraph, sources, table
from deficits.reports.params import REPORTS, parse, settings
from deficits.reports.whatif import what_if

if TYPE_CHECKING:
    from deficits.reports.batch import PageResult, exit_code, make, plan, render
    from deficits.reports.index import write_index
    from deficits.reports.job import RunOptions
    from deficits.reports.verification import verify

__all__ = [
    "REPORTS",
    "PageResult",
    "RunOptions",
    "exit_code",
    "figure",
    "main_points",
    "make",
    "notes",
    "paragraph",
    "parse",
    "plan",
    "render",
    "settings",
    "sources",
    "table",
    "verify",
    "what_if",
    "write_index",
]

_MAKING = dict.fromkeys(("PageResult", "exit_code", "make", "plan", "render"), "batch")
_MAKING |= {"RunOptions": "job", "write_index": "index", "verify": "verification"}


def __getattr__(name: str) -> Any:
    # A notebook does not wait for what makes pages.
    if name in _MAKING:
        return getattr(import_module(f"deficits.reports.{_MAKING[name]}"), name)
    raise AttributeError(f"module 'deficits.reports' has no attribute '{name}'")
