"""Putting files in place whole, leaving a record of a failure, and telling nothing of the machine."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deficits import paths
from deficits.errors import ExitCode, ReportFailed
from deficits.reports.record import FailureRecord

if TYPE_CHECKING:
    from pydantic import BaseModel

    from deficits.reports.asked import Asked

FAILED = ".failed.json"
"""Ending of a failure record's name, after the page's."""
MAKING = ".making-"
"""How the folders begin in which pages are made."""


class ReportOutOfTime(ReportFailed):
    """A cell, or the whole report, ran longer than it may."""

    exit_code = ExitCode.OUT_OF_TIME


@dataclass(frozen=True)
class Fault:
    """Why a run failed: the error's name and message, and the cell (place in the notebook from 1, its source)."""

    error: str
    message: str
    cell: int | None = None
    source: str = ""
    raises: type[ReportFailed] = ReportFailed

    def __str__(self) -> str:
        where = "" if self.cell is None else f" in cell {self.cell}"
        quoted = "".join(f"\n    {line}" for line in self.source.splitlines())
        return f"{self.error}{where}: {self.message}{quoted}"


def put_in_place(out_dir: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder so that none is ever half there: each is made beside and moved, in their order."""
    out_dir.mkdir(parents=True, exist_ok=True)
    # Inside the folder of the pages: what lies beside it may be another file system, where a move is no longer
    # one step.
    with tempfile.TemporaryDirectory(prefix=MAKING, dir=out_dir) as made_in:
        for name, text in files.items():
            (Path(made_in) / name).write_text(text, encoding="utf-8", newline="\n")
        for name in files:
            (Path(made_in) / name).replace(out_dir / name)


def record_failure(out_dir: Path, asked: Asked, fault: Fault) -> None:
    """Leave a failure record for a page, if the disk lets one; the last good page stays."""
    record = FailureRecord(
        page=asked.page,
        title=asked.title(),
        failed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        report=asked.report.name,
        parameters=asked.values,
        error=fault.error,
        message=without_folders(fault.message),
        cell=fault.cell,
        source=without_folders(fault.source) if fault.source else fault.source,
    )
    with suppress(OSError):
        put_in_place(out_dir, {f"{asked.page}{FAILED}": as_json(record)})


def reason(error: OSError) -> str:
    """Why a file could not be written, without the folder it is in."""
    name = f" ({Path(error.filename).name})" if error.filename else ""
    return f"{error.strerror or error}{name}"


def _machine_folders() -> set[str]:
    """Folders that tell of the machine or its user."""
    folders = [Path.home(), Path.cwd(), Path(tempfile.gettempdir()), Path(sys.prefix), paths.PACKAGE.parent]
    return {str(path) for folder in folders for path in (folder, folder.resolve()) if path != path.parent}


def folders_in(text: str) -> Iterator[str]:
    """Folders of this machine that a text names."""
    for folder in _machine_folders():
        # As a whole path: a folder's name at the end of a web address, or at the start of a longer word, is none.
        if folder in text and re.search(rf"(?<![\w.-]){re.escape(folder)}(?![\w-])", text):
            yield folder


def without_folders(message: str) -> str:
    """A message for the folder of the pages, which others read: whoever ran it has the whole one."""
    for folder in sorted(_machine_folders(), key=len, reverse=True):
        message = message.replace(folder, "(a folder)")
    return message


def as_json(record: BaseModel) -> str:
    """A record as its file has it."""
    return json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
