"""Scenario files: which one is meant by what is typed, and which are there."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from deficits.errors import ProjectionError

USUAL = "scenario.yaml"
SUFFIXES = {".yaml", ".yml"}


def scenario_path(folder: Path, said: str) -> Path:
    """The file meant, in the folder unless it says another; one without an ending is a .yaml file.

    >>> scenario_path(Path("scenarios"), " mine ").as_posix()
    'scenarios/mine.yaml'

    Raises ProjectionError for what can be no file's name.
    """
    try:
        given = Path(said.strip() or USUAL).expanduser()
        named = given if given.suffix.lower() in SUFFIXES else given.with_name(f"{given.name}.yaml")
        path = folder / named
        with suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
    except (OSError, RuntimeError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "that is no file's name"
        raise ProjectionError(f"'{said[:60]}' cannot be a scenario file: {why}") from None
    return path


def scenario_files(folder: Path) -> list[str]:
    """Names of the scenario files in a folder; none where it cannot be read."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError:
        return []
