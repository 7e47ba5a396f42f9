"""Parameterised notebooks made into pages: what a notebook calls, and what runs it.

A notebook calls `settings`, `show`, `table`, `main_points`, `paragraph`, `notes` and `sources`; whoever makes
pages calls `render` and `write_index`. Only those two load papermill, nbconvert and jinja2.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deficits.reporting.display import main_points, notes, paragraph, show, sources, table
from deficits.reporting.parameters import REPORTS, parse, settings

__all__ = [
    "REPORTS",
    "main_points",
    "notes",
    "paragraph",
    "parse",
    "render",
    "settings",
    "show",
    "sources",
    "table",
    "write_index",
]


def render(
    name: str,
    values: Mapping[str, object],
    out_dir: Path,
    *,
    timeout_cell: int = 300,
    notebook: Path | None = None,
) -> Path:
    """Make the page of a report; see `deficits.reporting.run.render`."""
    from deficits.reporting.run import render as run

    return run(name, values, out_dir, timeout_cell=timeout_cell, notebook=notebook)


def write_index(out_dir: Path) -> Path:
    """Write the list of the pages in a folder; see `deficits.reporting.index.write_index`."""
    from deficits.reporting.index import write_index as write

    return write(out_dir)
