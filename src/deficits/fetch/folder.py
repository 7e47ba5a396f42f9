"""A folder like `data/raw` as one fetch changes it: alone, in a copy first, and then whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from shutil import copyfile

from filelock import FileLock, Timeout

from deficits.errors import SourceError
from deficits.fetch.download import FetchError
from deficits.paths import checkout, raw_dir
from deficits.raw import SourceFile


def writable(raw: Path | None) -> Path:
    """The folder to add to; a new or empty one is first given a whole copy of the project's figures."""
    if raw is None and checkout() is None and not os.environ.get("DEFICITS_RAW"):
        raise FetchError(
            f"the figures that came with the installed package ({raw_dir()}) are not changed in place: give "
            "--raw FOLDER; a new folder is given a copy of them first"
        )
    raw = (raw or raw_dir()).resolve()
    if raw.is_dir() and any(raw.iterdir()):
        return raw
    copy = raw.with_name(f".{raw.name}.{os.getpid()}.part")
    raw.parent.mkdir(parents=True, exist_ok=True)
    try:
        staged(raw_dir(), copy)
        if raw.is_dir():
            raw.rmdir()
        copy.rename(raw)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    return raw


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Only one fetch at a time changes a folder: FetchError for the second. The lock ends with its holder."""
    try:
        lock = FileLock(root / ".fetch.lock").acquire(timeout=0)
    except Timeout:
        raise FetchError(f"another fetch changes {root}: wait for it to end") from None
    with lock:
        for left in root.glob("*/.*.part"):  # by a fetch that was killed
            left.unlink()
        yield


def staged(root: Path, to: Path) -> Path:
    """A copy of the folder, a few MB, to try a change in."""
    if not any(root.glob("*/source.toml")):
        raise SourceError(f"{root} holds no published figures: give a folder like data/raw, or a new one")
    return Path(shutil.copytree(root, to, ignore=shutil.ignore_patterns(".*")))


def replace(staged: Path, names: Sequence[str], folder: Path) -> None:
    """Files of a staged folder into another, in this order, once all are written whole under other names."""
    parts = {name: folder / f".{name}.part" for name in names if (staged / name).is_file()}
    try:
        for name, part in parts.items():
            copyfile(staged / name, part)
        for name, part in parts.items():
            part.replace(folder / name)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


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
    """Take the entries of tables out of source.toml, and the decisions on them out of corrections.toml."""
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
