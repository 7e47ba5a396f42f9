"""A folder like `data/raw` as one fetch changes it: alone, in a copy first, and then whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from filelock import FileLock, Timeout

from deficits.errors import SourceError
from deficits.fetch.download import FetchError
from deficits.paths import checkout, raw_dir, write_whole
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
    beside = raw.with_name(f".{raw.name}.{os.getpid()}.part")
    raw.parent.mkdir(parents=True, exist_ok=True)
    try:
        staged(raw_dir(), beside)
        if raw.is_dir():
            raw.rmdir()
        beside.rename(raw)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return raw


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Only one fetch at a time changes a folder: FetchError for the second. The lock ends with its holder."""
    lock = FileLock(root / ".fetch.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise FetchError(f"another fetch is at work on {root}: wait for it to end") from None
    try:
        yield
    finally:
        lock.release()


def staged(root: Path, to: Path) -> Path:
    """A copy of the folder, a few MB, to try a change in."""
    if not any(root.glob("*/source.toml")):
        raise SourceError(f"{root} holds no published figures: give a folder like data/raw, or a new one")
    return Path(shutil.copytree(root, to, ignore=shutil.ignore_patterns(".*")))


def move_in(staged: Path, tables: Sequence[str], folder: Path) -> None:
    """New tables from a staged folder of a publication into its own, and then what declares them.

    The declaration comes last: until then no run sees the tables. When one cannot be written, all is as it was.
    """
    was = {
        name: (folder / name).read_bytes()
        for name in ("corrections.toml", "source.toml")
        if (folder / name).is_file()
    }
    try:
        for name in (*tables, *was):
            write_whole(folder / name, (staged / name).read_bytes())
    except BaseException:
        for name, content in was.items():
            if (folder / name).read_bytes() != content:
                write_whole(folder / name, content)
        for name in tables:
            (folder / name).unlink(missing_ok=True)
        raise


def move_out(staged: Path, tables: Sequence[str], folder: Path) -> None:
    """The other way: first what declares the tables as in the staged folder, then the tables go."""
    move_in(staged, (), folder)
    for name in tables:
        (folder / name).unlink(missing_ok=True)


def add_entries(folder: Path, entries: Sequence[SourceFile]) -> None:
    """Declare tables in a publication's source.toml."""
    _append(folder / "source.toml", [entry_text(entry) for entry in entries])


def add_decision(folder: Path, correction: str, file: str, choice: str, today: date) -> None:
    """Record in a publication's corrections.toml what was decided of a correction in an edition."""
    given = {"correction": correction, "file": file, "choice": choice}
    lines = ["[[decision]]", *(f"{name} = {_toml(value)}" for name, value in given.items())]
    _append(folder / "corrections.toml", ["\n".join([*lines, f"decided = {today.isoformat()}", ""])])


def drop(folder: Path, names: set[str]) -> None:
    """Take the entries of tables out of source.toml, and the decisions on them out of corrections.toml."""
    for file, head in (("source.toml", "[[file]]\nname"), ("corrections.toml", "[[decision]]\n")):
        path = folder / file
        if not path.is_file():
            continue
        blocks = re.split(r"(?m)^(?=\[\[\w+\]\]$)", path.read_text(encoding="utf-8"))
        lines = {f"{key} = {_toml(name)}" for key in ("name", "file") for name in names}
        left = [block for block in blocks if not (block.startswith(head) and lines & set(block.splitlines()))]
        path.write_text("".join(left).rstrip() + "\n", encoding="utf-8", newline="\n")


def entry_text(entry: SourceFile) -> str:
    """A file's entry as it stands in source.toml.

    >>> print(entry_text(SourceFile(name="a.csv", title="A", sha256="0" * 64, rows=1, columns={"x y": "£"})))
    [[file]]
    name = "a.csv"
    title = "A"
    sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
    rows = 1
    [file.columns]
    "x y" = "£"
    <BLANKLINE>
    """
    values = entry.model_dump(mode="json", exclude_defaults=True, exclude={"columns"})
    heads = [f"{name} = {_toml(value)}" for name, value in values.items()]
    columns = [
        f"{name if re.fullmatch('[A-Za-z0-9_-]+', name) else _toml(name)} = {_toml(meaning)}"
        for name, meaning in entry.columns.items()
    ]
    return "\n".join(["[[file]]", *heads, "[file.columns]", *columns, ""])


def _toml(value: object) -> str:
    # A JSON text is a TOML basic string, but for the one control character that JSON does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _append(path: Path, blocks: Sequence[str]) -> None:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    path.write_text("\n\n".join([text.rstrip(), *blocks]).lstrip(), encoding="utf-8", newline="\n")
