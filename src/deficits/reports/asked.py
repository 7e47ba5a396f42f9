"""A page that somebody asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deficits import paths
from deficits.errors import ReportError
from deficits.reports.parameters import EnglandReport, PanelReport, Report, find_report, parse


@dataclass(frozen=True)
class Asked:
    """A page that somebody asks for: its report, its checked parameters, and its name."""

    report: Report
    parameters: PanelReport
    page: str
    subject: str | None

    @classmethod
    def of(cls, name: str, values: Mapping[str, object]) -> Asked:
        """A page by its report's name and its parameters; ReportError when they are wrong."""
        report, parameters = find_report(name), parse(name, values)
        return cls(report, parameters, report.page_id(parameters), report.subject(parameters))

    @property
    def values(self) -> dict[str, Any]:
        """All its parameters."""
        return self.parameters.model_dump()

    def title(self, heading: str | None = None) -> str:
        """Title of its page: what it is about, the notebook's own heading where it has one, and its scenario."""
        title = ": ".join(part for part in (self.subject, heading or self.report.title) if part)
        if not isinstance(self.parameters, EnglandReport) or self.parameters.scenario is None:
            return title
        return f"{title} (scenario: {self.parameters.assumed.called})"


def notebook_path(report: Report, notebook: Path | None = None) -> Path:
    """Where a report's notebook lies, or another in its place. ReportError when it is missing."""
    path = notebook or paths.notebooks_dir() / report.notebook
    if not path.is_file():
        raise ReportError(f"the notebook {path} is missing")
    return path
