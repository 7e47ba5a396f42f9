"""The explorer: move an assumption, a lever or a scheme and see at once what it does.

`View` gives what is shown of a `State`, without a widget; `Explorer` is the panel; `serve` opens it in a browser.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deficits.explorer.panel import Explorer
    from deficits.explorer.server import serve
    from deficits.explorer.state import State
    from deficits.explorer.views import View

__all__ = ["Explorer", "State", "View", "serve"]

_FILE = {"Explorer": "panel", "State": "state", "View": "views", "serve": "server"}


def __getattr__(name: str) -> Any:
    # Imported on first use: the server needs none of what the panel needs.
    if name in _FILE:
        return getattr(import_module(f"deficits.explorer.{_FILE[name]}"), name)
    raise AttributeError(f"module 'deficits.explorer' has no attribute '{name}'")
