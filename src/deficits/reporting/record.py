"""The run record: what a page was made from and what it found, under one fingerprint."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from pydantic import BaseModel, ConfigDict

from deficits import places

PACKAGE = "deficits"


class RunContent(BaseModel):
    """All that a page's figures depend on, and the headline ones. Holds no time and no path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    report: str
    parameters: dict[str, Any]
    data: dict[str, str]
    """Each raw file to its sha256."""
    code: str
    python: str
    packages: dict[str, str]
    headline: dict[str, float | int | str]
    main_points: tuple[str, ...]

    def fingerprint(self) -> str:
        """The sha256 of the content as canonical JSON: two runs with the same one had the same result.

        >>> first = RunContent(report="england", parameters={"seed": 1}, data={}, code="1", python="3",
        ...     packages={}, headline={"gross": 3.8e9}, main_points=())
        >>> first.fingerprint() == first.model_copy(update={"parameters": {"seed": 2}}).fingerprint()
        False
        """
        text = json.dumps(
            self.model_dump(mode="json"),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
        return hashlib.sha256(text.encode()).hexdigest()


class RunRecord(BaseModel):
    """What is kept beside a page as `<page>.json`; `run_on` stands outside the fingerprint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = "deficits run record"
    page: str
    title: str
    run_on: date
    fingerprint: str
    content: RunContent


class FailureRecord(BaseModel):
    """What is kept as `<page>.failed.json` when a run fails, until one succeeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = "deficits failure record"
    page: str
    title: str
    failed_at: str
    """UTC, ISO format."""
    report: str
    parameters: dict[str, Any]
    error: str
    message: str
    cell: int | None
    """Place of the cell in the report's notebook, counted from 1; None when it was no cell's fault."""
    source: str


def make_content(
    report: str, parameters: Mapping[str, Any], headline: Mapping[str, Any], main_points: Sequence[str]
) -> RunContent:
    """The content of the run that has just been made, on this machine, with this data and this code."""
    from deficits.sources import data_hashes

    return RunContent(
        report=report,
        parameters=dict(parameters),
        data=dict(sorted(data_hashes().items())),
        code=code_version(),
        python=platform.python_version(),
        packages=package_versions(),
        headline=dict(headline),
        main_points=tuple(main_points),
    )


def package_versions() -> dict[str, str]:
    """Versions of the packages that this one asks for by name, without its extras."""
    wanted = (Requirement(text) for text in metadata.requires(PACKAGE) or [])
    names = sorted(need.name for need in wanted if need.marker is None or need.marker.evaluate({"extra": ""}))
    return {name: metadata.version(name) for name in names}


def code_version() -> str:
    """The package's version; in a checkout also the commit, and whether there are changes that are not in it."""
    version = metadata.version(PACKAGE)
    root = places.checkout()
    commit = None if root is None else _git(root, "describe", "--always", "--tags")
    if root is None or commit is None:
        return version
    changes = _git(root, "status", "--porcelain")
    return f"{version}, commit {commit}" + (", with uncommitted changes" if changes else "")


def _git(root: Path, *words: str) -> str | None:
    """What git answers; None where git or the repository is missing."""
    try:
        # Without the optional locks, a reading command never gets in the way of somebody's commit.
        done = subprocess.run(
            ["git", "--no-optional-locks", *words],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
