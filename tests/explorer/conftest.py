"""A folder for what the panel keeps, and an engine that a module's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from deficits.explorer.views import Engine


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the scenario of whoever runs it."""
    folder = tmp_path / "kept"
    monkeypatch.setenv("DEFICITS_EXPLORER_STATE", str(folder))
    return folder


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()
