"""Whether a page is what its run record says, by making it again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deficits.errors import ReportError
from deficits.reports.limits import Limits
from deficits.reports.record import RESULTS, RunContent, RunRecord, file_digest, record_beside, record_in

LISTED = 6
"""Differences of one kind that are listed; the others are counted."""
NAMES = {
    "data": "data",
    "code": "code",
    "source": "the package's files",
    "notebook": "the notebook's cells",
    "python": "Python",
    "packages": "package",
    "parameters": "parameter",
    "headline": "headline",
    "main_points": "main point",
    "outputs": "what is shown by cell",
}


@dataclass(frozen=True)
class Verified:
    """What came of making a page again.

    `altered`: what is wrong with the page itself. `results`: what the new run found otherwise. `made_from`: what
    differs of that from which it was made, whether or not that is why.
    """

    page: str
    fingerprint: str
    altered: tuple[str, ...]
    results: tuple[str, ...]
    made_from: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the page is whole and a new run finds the same."""
        return not self.altered and not self.results

    def lines(self) -> list[str]:
        """What to tell a reader."""
        if self.same and not self.made_from:
            return [f"{self.page}: the same, fingerprint {self.fingerprint}"]
        told = [f"{self.page}: the same results, from other inputs" if self.same else f"{self.page}: differs"]
        told += [f"  the page: {line}" for line in self.altered]
        told += [f"  result: {line}" for line in self.results]
        return told + [f"  made from: {line}" for line in self.made_from]


def verify(page: Path, limits: Limits | None = None) -> Verified:
    """Make a page again from its own record, on this machine's data and code, and compare.

    Raises ReportError when the file is no page of ours or its parameters are no longer known, ReportFailed when it
    cannot be made again.
    """
    from deficits.reports.run import render

    record = _record(page)
    with tempfile.TemporaryDirectory(prefix="deficits-") as folder:
        made = render(record.content.report, record.content.parameters, Path(folder), limits=limits)
        again = record_beside(made)
    assert again is not None
    results = [line for name in RESULTS for line in _differences(name, record.content, again.content)]
    inputs = [name for name in RunContent.model_fields if name not in (*RESULTS, "report")]
    made_from = [line for name in inputs for line in _differences(name, record.content, again.content)]
    return Verified(
        record.page, record.fingerprint, tuple(_altered(page, record)), tuple(results), tuple(made_from)
    )


def _record(page: Path) -> RunRecord:
    try:
        record = record_in(page.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{page} cannot be read: {error}") from None
    if record is None:
        raise ReportError(f"{page} carries no run record: expected a page that `deficits report` has made")
    return record


def _altered(page: Path, record: RunRecord) -> Iterator[str]:
    """What shows that the page is not as the run left it."""
    if record.content.fingerprint() != record.fingerprint:
        yield "its run record was changed after the run: the fingerprint is not that of its content"
    beside = record_beside(page)
    if beside is None:
        return
    if beside.fingerprint != record.fingerprint:
        yield "the run record beside it is of another run"
    elif beside.files.get(".html") != file_digest(page):
        yield "its text was changed after the run: it is not the file whose sha256 the record beside it holds"


def _differences(name: str, before: RunContent, after: RunContent) -> list[str]:
    old, new = _as_mapping(getattr(before, name)), _as_mapping(getattr(after, name))
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    lines = [
        f"{NAMES[name]}{f' {key}' if key else ''}: {_change(name, old.get(key), new.get(key))}" for key in changed
    ]
    return (
        lines if len(lines) <= LISTED else [*lines[:LISTED], f"{NAMES[name]}: {len(lines) - LISTED} more differ"]
    )


def _as_mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, tuple):
        return {str(place): each for place, each in enumerate(value, 1)}
    return {"": value}


def _change(name: str, old: object, new: object) -> str:
    if name in ("data", "source", "notebook", "outputs"):
        return "no longer there" if new is None else "new" if old is None else "another"
    return f"{_told(old)} then, {_told(new)} now"


def _told(value: object) -> str:
    return (
        "nothing"
        if value is None
        else f"{value:,.0f}"
        if isinstance(value, float) and abs(value) >= 1000
        else str(value)
    )
