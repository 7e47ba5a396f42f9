"""The list of the pages that are there, with those whose last run failed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from pydantic import ValidationError

from deficits.errors import ReportError
from deficits.reporting.page import plain_page
from deficits.reporting.parameters import REPORTS
from deficits.reporting.record import FailureRecord, RunRecord


@dataclass(frozen=True)
class Entry:
    """One page of the list: its last good run, its failure since then, or both."""

    name: str
    record: RunRecord | None
    failure: FailureRecord | None

    @property
    def title(self) -> str:
        """Title of the page."""
        known = self.record or self.failure
        assert known is not None
        return known.title

    @property
    def report(self) -> str:
        """Name of the report that the page comes from."""
        if self.record:
            return self.record.content.report
        assert self.failure is not None
        return self.failure.report

    @property
    def asked(self) -> str:
        """The parameters in a line."""
        assert self.record is not None
        given = self.record.content.parameters.items()
        return ", ".join(f"{name} {value}" for name, value in given if value is not None)

    @property
    def failed_on(self) -> date:
        """Day of the failure."""
        assert self.failure is not None
        return datetime.fromisoformat(self.failure.failed_at).date()


def write_index(out_dir: Path) -> Path:
    """Write `index.html` from the run records and failure records in `out_dir`, and return its path.

    Raises ReportError naming every record that cannot be read.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    entries = read_entries(out_dir)
    pages = sum(entry.record is not None for entry in entries)
    failures = sum(entry.failure is not None for entry in entries)
    html = plain_page(
        "catalogue.html.j2",
        groups=_by_report(entries),
        count=_counted(pages, "page"),
        failed=_counted(failures, "failed run") if failures else "",
    )
    with tempfile.TemporaryDirectory(prefix=".making-", dir=out_dir) as made_in:
        made = Path(made_in) / "index.html"
        made.write_text(html, encoding="utf-8", newline="\n")
        return made.replace(out_dir / "index.html")


def read_entries(out_dir: Path) -> list[Entry]:
    """The pages of a folder in the order of their names. JSON files that are no records of ours are left alone."""
    faults: list[str] = []
    good: dict[str, RunRecord] = {}
    bad: dict[str, FailureRecord] = {}
    for path in sorted(out_dir.glob("*.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            kind = found.get("kind") if isinstance(found, dict) else None
            if kind == RunRecord.model_fields["kind"].default:
                good[path.stem] = RunRecord.model_validate(found)
            elif kind == FailureRecord.model_fields["kind"].default:
                bad[path.name.removesuffix(".failed.json")] = FailureRecord.model_validate(found)
        except (ValueError, ValidationError) as error:
            faults.append(f"{path.name}: {str(error).splitlines()[0]}")
    if faults:
        raise ReportError("these run records cannot be read; run their reports again:\n  " + "\n  ".join(faults))
    return [Entry(name, good.get(name), bad.get(name)) for name in sorted(good.keys() | bad.keys())]


def _by_report(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Pages under the title of their report, reports in reading order."""
    listed = list(entries)
    groups = {
        report.title: [entry for entry in listed if entry.report == name] for name, report in REPORTS.items()
    }
    return {title: pages for title, pages in groups.items() if pages}


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
