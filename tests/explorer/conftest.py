"""A folder for what the panel keeps, an engine that a module's tests share, a browser where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from deficits.explorer import session
from deficits.explorer.engine import Engine


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the state of whoever runs it."""
    folder = tmp_path / "kept"
    monkeypatch.setenv(session.FOLDER, str(folder))
    return folder


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()
