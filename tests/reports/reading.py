"""A report's text for any figures: its notebook's Markdown and what its cells show, without a kernel."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import nbformat
import pytest

import deficits as d
from deficits.panel import Panel
from deficits.paths import notebooks_dir
from deficits.projection import backtest
from deficits.projection.history import base_year
from deficits.reports import REPORTS
from tests.editions.relabelled import Folder, balances, newest_balances

REPLAYED = "2025-09-17"
LATE = ("202", "886", "926")
"""Councils without a balance in the newest invented release: Camden, Kent and Norfolk."""
VINTAGES = ("held", "replayed", "two years on")


@dataclass(frozen=True)
class Vintage:
    """Figures to make pages of: those held, those of an earlier day, or with later balances that are invented."""

    name: str
    raw: Path | None = None
    as_of: str | None = None

    @cached_property
    def panel(self) -> Panel:
        """What is known."""
        return _panel(self.as_of, raw=self.raw)

    @cached_property
    def base(self) -> int:
        """The newest year end with balances of nearly all councils."""
        return base_year(self.panel)

    @cached_property
    def england(self) -> str:
        """The page on England."""
        return self.text("england", draws=200)

    def text(self, report: str, **parameters: Any) -> str:
        """All that a reader of a page sees in words: a paragraph, table row or chart's text alternative a line."""
        notebook = nbformat.read(notebooks_dir() / REPORTS[report].notebook, as_version=4)
        names: dict[str, Any] = {}
        lines: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(backtest, "load_panel", _panel)
            patch.setattr(d, "load_panel", lambda as_of=None, own=None: _panel(as_of, own=own, raw=self.raw))
            for cell in notebook.cells:
                if cell.cell_type == "markdown":
                    lines.append(cell.source)
                    continue
                shown = _run(cell.source, names)
                lines.append(str(getattr(shown, "text", "")))
                if "parameters" in cell.metadata.get("tags", []):
                    names |= {"as_of": self.as_of} | parameters
        return "\n".join(lines)


def vintages(folder: Callable[[], Path]) -> Callable[[str], Vintage]:
    """Vintages by name, each made once; `folder` gives an empty folder."""

    @cache
    def make(name: str) -> Vintage:
        if name == "held":
            return Vintage(name)
        if name == "replayed":
            return Vintage(name, as_of=REPLAYED)
        raw = Folder.copied(folder() / "raw")
        balances(raw, last=newest_balances() + 2, missing=LATE)
        return Vintage(name, raw=raw.folder)

    return make


def sentences(text: str) -> list[str]:
    """The text sentence by sentence."""
    return [each.strip() for line in text.splitlines() for each in re.split(r"(?<=[.:;])\s", line) if each.strip()]


def _run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; gives what its last line is."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)


_load = cache(d.load_panel)


def _panel(as_of: str | None = None, *, own: str | None = None, raw: Path | None = None) -> Panel:
    return _load(as_of, own=own, raw=raw)
