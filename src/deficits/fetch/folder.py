"""A folder like `data/raw` as a fetch changes it: alone, in a copy next to it, then in one step or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from filelock import Timeout

from deficits.errors import DeficitsError, SourceError
from deficits.fetch.download import FetchError, printable
from deficits.paths import checkout, lock_of, put_back, raw_dir, trial_folder
from deficits.raw import SourceFile


@contextmanager
def trial(raw: Path | None, publication: str) -> Iterator[tuple[Path, Path]]:
    """The folder of figures to change, and one next to it with a copy of a publication, to try the change in.

    A new or empty folder is first given a copy of the project's figures. Only one process at a time has a trial of
    a folder, and what a killed one left goes: FetchError for the second, SourceError where no figures are. What an
    error says of the change is without control codes.
    """
    try:
        if raw is None and checkout() is None and not os.environ.get("DEFICITS_RAW"):
            raise FetchError(
                f"the figures that came with the installed package ({raw_dir()}) are not changed in place: give "
                "--raw FOLDER; a new folder is given a copy of them first"
            )
        root = (raw or raw_dir()).resolve()
        place = trial_folder(root)
        place.mkdir(parents=True, exist_ok=True)
        put_back(root)
        with lock_of(root, seconds=0):
            _clear(place)
            try:
                new = not root.is_dir() or not any(root.iterdir())
                given = raw_dir() if new else root
                if not (given / publication / "source.toml").is_file():
                    raise SourceError(f"{given} holds no {publication}: give a folder like data/raw, or a new one")
                if new:
                    shutil.copytree(raw_dir(), place / "first")
                    if root.is_dir():
                        root.rmdir()
                    (place / "first").rename(root)
                shutil.copytree(root / publication, place / "raw" / publication)
                yield root, place / "raw"
            finally:
                _clear(place)
    except Timeout:
        raise FetchError(f"another fetch changes {root}: wait for it to end") from None
    except OSError as error:
        raise FetchError(f"nothing was changed: a file cannot be read or written ({error})") from None
    except DeficitsError as error:
        error.args = (printable(str(error)), *error.args[1:])
        raise


def _clear(place: Path) -> None:
    for left in (each for each in place.iterdir() if each.is_dir()):
        shutil.rmtree(left)


def declare(held: Path, entries: Sequence[SourceFile], staged: Path) -> None:
    """Write in a staged folder the source.toml of the one held, with entries for more tables."""
    blocks = [(held / "source.toml").read_text(encoding="utf-8").rstrip()]
    for entry in entries:
        values = entry.model_dump(mode="json", exclude_defaults=True, exclude={"columns"})
        blocks.append(f"{_block('[[file]]', values)}\n{_block('[file.columns]', entry.columns)}")
    _write(staged / "source.toml", blocks)


def decide(staged: Path, correction: str, file: str, choice: str) -> None:
    """Record in a publication's corrections.toml what was decided today of a correction in an edition."""
    values = {"correction": correction, "file": file, "choice": choice, "decided": date.today().isoformat()}
    path = staged / "corrections.toml"
    _write(path, [path.read_text(encoding="utf-8").rstrip(), _block("[[decision]]", values)])


def drop(staged: Path, names: set[str]) -> None:
    """Take tables out: their files, their entries in source.toml, the decisions on them in corrections.toml."""
    for name in names:
        (staged / name).unlink()
    for path, head, key in (
        (staged / "source.toml", "[[file]]", "name"),
        (staged / "corrections.toml", "[[decision]]", "file"),
    ):
        if path.is_file():
            gone = {f"{key} = {_text(name)}" for name in names}
            blocks = re.split(r"(?m)^(?=\[\[)", path.read_text(encoding="utf-8"))
            left = [each for each in blocks if not (each.startswith(head) and gone & set(each.splitlines()))]
            _write(path, ["".join(left).rstrip()])


def _block(head: str, values: Mapping[str, object]) -> str:
    """A table of TOML.

    >>> print(_block("[[file]]", {"rows": 1, "£ m": "as printed"}))
    [[file]]
    rows = 1
    "£ m" = "as printed"
    """
    keys = {name: name if re.fullmatch("[A-Za-z0-9_-]+", name) else _text(name) for name in values}
    return "\n".join([head, *(f"{keys[name]} = {_text(value)}" for name, value in values.items())])


def _text(value: object) -> str:
    # A JSON text is a TOML basic string, but for the one control character that JSON does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(path: Path, blocks: Sequence[str]) -> None:
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8", newline="\n")
