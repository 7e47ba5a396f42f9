"""The panel's last state, kept on disk as it changes: a kernel that ends takes nothing with it."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from deficits.errors import DeficitsError
from deficits.explorer.state import State
from deficits.paths import write_whole
from deficits.scenario import Scenario

FOLDER = "DEFICITS_EXPLORER_STATE"
"""Environment variable that names another folder for the kept state."""


def kept_at() -> Path:
    """The file that holds the last state."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(os.environ.get(FOLDER) or Path(home) / "deficits") / "explorer.yaml"


def kept_on() -> float:
    """When a state was last kept (seconds, as the file system has it); 0 where none is."""
    try:
        return kept_at().stat().st_mtime
    except OSError:
        return 0.0


def keep(state: State) -> None:
    """Keep a state, atomically. Without a folder that can be written to, the panel does without."""
    held: dict[str, Any] = {"place": state.place, "as_of": state.as_of, "until": state.until}
    held |= {"compare": state.compare, "scenario": state.declared}
    path = kept_at()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, yaml.safe_dump(held, sort_keys=False, allow_unicode=True))


def kept(now: State) -> State | None:
    """The state that was kept, on the draws of the state now; None where none is, or none that can be read."""
    try:
        held = yaml.safe_load(kept_at().read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scenario.yaml"
            path.write_text(yaml.safe_dump(held["scenario"], allow_unicode=True), encoding="utf-8")
            state = now.opened(Scenario.read(path))
        return replace(
            state,
            place=str(held["place"]),
            as_of=held["as_of"],
            until=int(held["until"]),
            compare=bool(held["compare"]),
        )
    except (OSError, DeficitsError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return None
