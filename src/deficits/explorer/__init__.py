"""The explorer: move an assumption, a lever or a scheme and see at once what it does.

`view` gives what is shown of a `State`, without a widget; `Explorer` is the panel; `serve` opens it in a browser.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deficits.explorer.state import State
from deficits.explorer.view import View, view

if TYPE_CHECKING:
    from deficits.explorer.panel import Explorer
    from deficits.explorer.server import serve

__all__ = ["Explorer", "State", "View", "serve", "view"]


def __getattr__(name: str) -> Any:
    # Only these two need ipywidgets and voila.
    if name in ("Explorer", "serve"):
        return getattr(import_module(f"deficits.explorer.{'panel' if name == 'Explorer' else 'server'}"), name)
    raise AttributeError(f"module 'deficits.explorer' has no attribute '{name}'")
