"""Where things lie: in a checkout of the project, or in an installed wheel.

A wheel carries `data/raw` and the notebooks inside the package; what a run writes goes to the folder it was
started in. In a checkout everything is under the project's root.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

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


def recommendations_file() -> Path:
    """What the Education Committee recommended, and what government has answered."""
    return _given() / "data" / "recommendations.yaml"


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file next to its place and move it in, so that a reader meets the old one or the new one.

    The file gets the permissions that any new file gets. OSError when it cannot be written; the old file stands.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def trial_folder(folder: Path) -> Path:
    """Where a change of a folder is made ready, and the lock of whoever makes it: next to it, on the same disk."""
    return folder.with_name(f".{folder.name}.fetch")


def lock_of(folder: Path, seconds: float) -> FileLock:
    """The lock of whoever changes a folder; Timeout when another process has it for longer than that."""
    return FileLock(trial_folder(folder) / "lock", timeout=seconds)


def exchange(new: Path, place: Path) -> None:
    """Put a folder in the place of another, which is then where the new one was.

    On Linux in one step: whoever looks, or kills this process, finds the one or the other. Elsewhere in two, with
    the old folder aside between them: `put_back` makes good a process that was killed there.
    """
    if _in_one_step(new, place):
        return
    aside = new.with_name(f"{new.name}.old")
    place.rename(aside)
    try:
        new.rename(place)
    except OSError:
        aside.rename(place)
        raise


def put_back(folder: Path) -> None:
    """Put back what a killed process has left aside (see `exchange`), unless whoever changes `folder` is alive."""
    left = [aside for aside in trial_folder(folder).glob("*/*.old") if not (folder / aside.stem).exists()]
    if left:
        with suppress(Timeout, OSError), lock_of(folder, seconds=2.0):
            for aside in left:
                aside.rename(folder / aside.stem)


def _in_one_step(first: Path, second: Path) -> bool:
    """Whether two folders of one disk have changed places; False where the system has no such step."""
    here, exchanged = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of <fcntl.h> and <linux/fs.h>
    if not sys.platform.startswith("linux"):
        return False
    with suppress(AttributeError):
        names = os.fsencode(first.absolute()), os.fsencode(second.absolute())
        return bool(ctypes.CDLL(None).renameat2(here, names[0], here, names[1], exchanged) == 0)
    return False


def forecasts_dir() -> Path:
    """The forecast ledger: every projection that was issued, never changed afterwards."""
    return _written() / "forecasts"
