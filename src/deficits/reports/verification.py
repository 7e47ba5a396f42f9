"""Whether a page shows what its own record says, by making it again and comparing what both show."""

from __future__ import annotations

import base64
import io
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import unescape
from pathlib import Path
from urllib.parse import unquote

from python_calamine import CalamineWorkbook

from deficits.errors import ReportError, ReportFailed, first_of
from deficits.reports.batch import make_all
from deficits.reports.changes import changes
from deficits.reports.job import Job, RunOptions
from deficits.reports.page import META
from deficits.reports.params import notebook_path, parse
from deficits.reports.record import RunRecord, now, read_record, rounded, sha256
from deficits.validation import read_text

LISTED = 6
"""Differences that are listed; the others are counted."""
RECORD = re.compile(rf'<meta name="{META}" content="([^"]*)">')
OF_THE_RUN = (
    re.compile(r'<section class="closing" data-part="what-changed".*?</section>', re.DOTALL),
    re.compile(r'<details class="record" data-part="run-record">.*?</details>', re.DOTALL),
    re.compile(r"(?<=<p>To report an error, ).*?(?= and\n)", re.DOTALL),
    RECORD,
)
"""Parts of a page that tell of its run and of whoever runs it, and that no other run has the same."""
HELD = re.compile(r'"data:([^,"]+),([^"]*)"')
"""An address that holds a file: a chart, a table or the workbook."""


@dataclass(frozen=True)
class Verified:
    """What came of making a page again; `differences`: what it shows and what the new run shows, in words.
    `made_from`: what it was made from and is not here, whether or not that is why.
    """

    page: str
    differences: tuple[str, ...]
    made_from: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether a new run shows the same."""
        return not self.differences

    def lines(self) -> list[str]:
        """What to tell a reader."""
        said = "the same" if self.same else "differs"
        listed = [f"  {each}" for each in first_of(self.differences, LISTED)]
        return [f"{self.page}: {said}", *listed, *(f"  made from: {each}" for each in self.made_from)]


def verify(page: Path) -> Verified:
    """Make a page again from its own record, on this machine's data and code, and compare what the two show: text,
    charts, script, downloads, and the notebook next to it. Long numbers are compared rounded, so that another
    processor finds the same. What changed since the run before is of the run, and is not compared.

    Raises ReportError when the file is no page of ours or its parameters are no longer known, ReportFailed when it
    cannot be made again.
    """
    text = read_text(page, str(page), ReportError)
    record = record_in(text)
    if record is None:
        raise ReportError(f"{page} carries no run record: expected a page that `deficits report` has made")
    request = parse(record.content.report, record.content.parameters)
    options = RunOptions(notebook=notebook_path(type(request)))
    before = None if record.previous is None else record.model_copy(update={"run_on": record.previous})
    job = Job(request, record.run_on, now(), before, options, record.content.figures)
    with tempfile.TemporaryDirectory(prefix="deficits-") as cache:
        (made,) = make_all({request.page: job}, options, cache)
    if made.fault is not None:
        raise ReportFailed(f"{record.page} cannot be made again: {made.fault}")
    again = record_in(made.files[".html"])
    assert again is not None
    differences = [*_record(record, again, page, text)]
    differences += _differences(pieces(text), pieces(made.files[".html"]), "shows")
    notebook = page.with_suffix(".ipynb")
    if notebook.is_file():
        old = _cells(read_text(notebook, str(notebook), ReportError))
        differences += _differences(old, _cells(made.files[".ipynb"]), "its notebook holds")
    other = changes(record, again.content)
    return Verified(record.page, tuple(differences), other.data + other.code)


def _record(record: RunRecord, again: RunRecord, page: Path, text: str) -> Iterator[str]:
    if record.content.fingerprint() != record.fingerprint:
        yield "its run record was changed after the run: the fingerprint is not that of its content"
    if record.fingerprint != again.fingerprint:
        yield f"its run record has fingerprint {record.fingerprint[:8]}, a new run {again.fingerprint[:8]}"
    held = read_record(page.with_suffix(".json"))
    if held is not None and (held.content != record.content or held.files.get(".html") != sha256(text)):
        yield "the run record next to it is of another page"


def _differences(given: list[str], again: list[str], verb: str) -> Iterator[str]:
    def short(tokens: list[str]) -> str:
        text = " ".join(tokens)
        return "nothing" if not text else repr(text if len(text) <= 80 else f"{text[:77]}...")

    for kind, a, b, c, d in SequenceMatcher(None, given, again, autojunk=False).get_opcodes():
        if kind != "equal":
            yield f"{verb} {short(given[a:b])}, a new run {short(again[c:d])}"


def _cells(text: str) -> list[str]:
    try:
        cells = json.loads(text)["cells"]
        told = [["".join(cell["source"]), cell.get("outputs", [])] for cell in cells]
        return [rounded(json.dumps(each, sort_keys=True)) for each in told]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ["no notebook"]


def record_in(page: str) -> RunRecord | None:
    """The run record that a page carries; None where there is none that can be read."""
    found = RECORD.search(page)
    try:
        return None if found is None else RunRecord.model_validate_json(unescape(found[1]))
    except ValueError:
        return None


def pieces(page: str) -> list[str]:
    """What a page holds, tag by tag and text by text, in a form that another processor gives too."""
    for part in OF_THE_RUN:
        page = part.sub("", page, count=1)
    # A page in the archive links to those two folders up.
    page = rounded(HELD.sub(_held, page.replace('href="../../', 'href="')))
    return [" ".join(piece.split()) for piece in re.split(r"(<[^>]*>)", page) if piece.strip()]


def _held(found: re.Match[str]) -> str:
    """What an address holds, as a text in which numbers can be rounded."""
    kind, body = found.groups()
    if not kind.endswith(";base64"):
        return f'"{unquote(body)}"'
    file = base64.b64decode(body)
    if "spreadsheetml" in kind:
        return f'"{" ".join(_workbook(file))}"'
    return f'"{file.decode() if "svg" in kind else sha256(file)}"'


def _workbook(file: bytes) -> Iterator[str]:
    """Cells of a workbook, a line a row; its cover tells of the run."""
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(file))
        for name in book.sheet_names:
            for row in book.get_sheet_by_name(name).to_python():
                if not (name == "Cover" and str(row[0]).startswith("Code: ")):
                    yield f"{name} {row}"
    except Exception as error:  # whatever a changed file makes of a reader of workbooks
        yield f"no workbook: {error}"
