"""The explorer: a panel in JupyterLab, and the same in a browser, over the projection and the write-offs.

What is shown follows from a `State` by `view`, which needs no widget; `Explorer` is the panel; `serve` opens it
in a browser. Only the last two load ipywidgets and voila.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deficits.explorer.state import Pick, State
from deficits.explorer.view import View, view

if TYPE_CHECKING:
    from deficits.explorer.panel import Explorer
    from deficits.explorer.server import serve

__all__ = ["Explorer", "Pick", "State", "View", "serve", "view"]

_LATER = {"Explorer": "panel", "serve": "server"}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"deficits.explorer.{_LATER[name]}"), name)
    raise AttributeError(f"module 'deficits.explorer' has no attribute '{name}'")
