"""Which pages to make: those that are asked for, and of them those that are out of date."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deficits.errors import PanelError, ReportError, closest
from deficits.reports.asked import Asked, notebook_path
from deficits.reports.parameters import REPORTS, authorities_now, find_report
from deficits.reports.publish import FAILED
from deficits.reports.record import Surroundings, file_digest, make_content, record_beside

if TYPE_CHECKING:
    from deficits.authorities import Authorities

FILES = frozenset({".ipynb", ".html"})
"""What a page has besides its record."""


def plan(
    names: Sequence[str] = (), authorities: Sequence[str] = (), values: Mapping[str, object] | None = None
) -> list[Asked]:
    """The pages to make: of the reports named, or of all, and of all authorities unless some are chosen.

    `authorities`: "all", a region, or councils by name, DfE number or ONS code, several divided by commas. A value
    goes to the reports that have such a parameter; one that none of them has is refused.

    Raises ReportError that lists every fault.

    >>> [asked.page for asked in plan(["england", "authority"], ["Kent, Camden"])]
    ['england', 'authority-kent', 'authority-camden']
    """
    values = dict(values or {})
    reports = [find_report(name) for name in dict.fromkeys(names or REPORTS)]
    known = {key for report in reports for key in report.model.model_fields}
    faults = [f"{key}: not a parameter of these reports; {closest(key, known)}" for key in values.keys() - known]
    if faults:
        raise ReportError("\n  ".join(sorted(faults)))
    councils = chosen(authorities, authorities_now()) if authorities or "authority" not in values else None
    found: dict[str, Asked] = {}
    for report in reports:
        given = {key: value for key, value in values.items() if key in report.model.model_fields}
        by_council = "authority" in report.model.model_fields and councils is not None
        for council in councils or () if by_council else (None,):
            asked = Asked.of(report.name, given if council is None else {**given, "authority": council})
            found.setdefault(asked.page, asked)
    return list(found.values())


def chosen(words: Sequence[str], known: Authorities) -> list[str]:
    """DfE numbers of the councils that are meant; ReportError lists what is no region and no council."""
    now = [code for code in known.frame.index if known.existed(code)]
    regions = {region.casefold(): region for region in known.frame.loc[now, "region"].unique()}
    found: list[str] = []
    faults = []
    for word in words or ("all",):
        if word.strip().casefold() == "all":
            found += now
        elif word.strip().casefold() in regions:
            region = regions[word.strip().casefold()]
            found += [code for code in now if known.frame.at[code, "region"] == region]
        else:
            try:
                found += _councils(word, known)
            except PanelError as error:
                faults.append(f"{error}; regions: {', '.join(sorted(regions.values()))}")
    if faults:
        raise ReportError("--authorities: " + "\n  ".join(faults))
    return list(dict.fromkeys(found))


def _councils(word: str, known: Authorities) -> list[str]:
    """Councils by one word or by several divided by commas; a name may hold a comma itself (Bristol, City of)."""
    try:
        return [known.resolve(word)]
    except PanelError:
        parts = [part for part in word.split(",") if part.strip()]
        if len(parts) < 2:
            raise
        return [known.resolve(part) for part in parts]


def stale(pages: Sequence[Asked], out_dir: Path, found: Surroundings, notebook: Path | None = None) -> list[Asked]:
    """The pages that are not there whole, made from these data, this code and these parameters."""
    paths = {one.report.name: notebook_path(one.report, notebook) for one in pages}
    notebooks = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items()}
    return [one for one in pages if not _up_to_date(out_dir, one, notebooks[one.report.name], found)]


def _up_to_date(out_dir: Path, asked: Asked, notebook: Mapping[str, Any], found: Surroundings) -> bool:
    page = out_dir / f"{asked.page}.html"
    record = record_beside(page)
    if record is None or record.files.keys() != FILES or (out_dir / f"{asked.page}{FAILED}").exists():
        return False
    now = make_content(asked.report.name, asked.values, notebook, found)
    if record.content.inputs() != now.inputs():
        return False
    paths = {page.with_suffix(ending): digest for ending, digest in record.files.items()}
    return all(path.is_file() and file_digest(path) == digest for path, digest in paths.items())


def index_is_current(out_dir: Path) -> bool:
    """Whether the list of pages is of today and newer than every record it rests on."""
    index = out_dir / "index.html"
    if not index.is_file():
        return False
    written = index.stat().st_mtime
    records = [path for path in out_dir.glob("*.json") if path.name != "catalogue.json"]
    today = date.fromtimestamp(written) == date.today()
    return today and all(path.stat().st_mtime < written for path in records)
