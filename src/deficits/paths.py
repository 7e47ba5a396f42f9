"""Where things lie: in a checkout of the project, or in an installed wheel.

A wheel carries `data/raw` and the notebooks inside the package; what a run writes goes to the folder it was
started in. In a checkout everything is under the project's root.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


@cache
def checkout() -> Path | None:
    """Root of the project's checkout, or None when the package was installed from a wheel."""
    root = PACKAGE.parent.parent
    return root if (root / "pyproject.toml").is_file() and (root / "data" / "raw").is_dir() else None


def _given() -> Path:
    """Folder of what the project gives: the checkout, or the wheel's bundle."""
    return checkout() or PACKAGE / "_bundle"


def _written() -> Path:
    """Folder that runs write below: the checkout, or the current folder."""
    return checkout() or Path.cwd()


def raw_dir() -> Path:
    """Published figures, one folder a publication: the project's, or those that DEFICITS_RAW names.

    A wheel's own folder is not for writing; `deficits fetch --raw FOLDER` makes a copy that can be used so.
    """
    return Path(os.environ.get("DEFICITS_RAW") or _given() / "data" / "raw")


def notebooks_dir() -> Path:
    """The parameterised notebooks."""
    return _given() / "notebooks"


def processed_dir() -> Path:
    """What `deficits build` writes."""
    return _written() / "data" / "processed"


def own_dir() -> Path:
    """An analyst's own figures, as `deficits own` has checked them."""
    return _written() / "data" / "own"


def reports_dir() -> Path:
    """Rendered pages."""
    return _written() / "reports"


def schemes_dir() -> Path:
    """The write-off schemes that come with the package."""
    return PACKAGE / "writeoff" / "schemes"


def levers_dir() -> Path:
    """The levers that come with the package."""
    return PACKAGE / "projection" / "levers"


def assumptions_dir() -> Path:
    """Every assumption, as data: dated values with their sources."""
    return _given() / "data" / "assumptions"


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file beside its place and move it in, so that a reader meets the old one or the new one.

    The file gets the permissions that any new file gets. OSError when it cannot be written; the old file stands.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def forecasts_dir() -> Path:
    """The forecast ledger: every projection that was issued, never changed afterwards."""
    return _written() / "forecasts"
