"""Rules of `verify`: a page shows what a new run shows, or it is said what differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest

from deficits.errors import ReportError, ReportFailed
from deficits.reports import render, verify
from deficits.reports.page import META, with_record
from deficits.reports.record import RunRecord, read_record, rounded
from deficits.reports.verification import pieces, record_in
from tests.reports.conftest import TABLE, write_notebook

POINTS = "report.main_points(['One point.'], {'gross': 5.7e9})"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook in place of England's, and the page that was made from it."""
    made = tmp_path_factory.mktemp("verified")
    cells = ["# A page", POINTS, "import pandas as pd", TABLE]
    write_notebook(made / "01_england.ipynb", *cells)
    render("england", {"seed": 3}, made / "reports", notebook=made / "01_england.ipynb")
    return made


@pytest.fixture
def page(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    monkeypatch.setattr("deficits.reports.verification.notebook_path", lambda report: copy / "01_england.ipynb")
    return copy / "reports" / "england.html"


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def forge(page: Path, before: str, after: str) -> None:
    """Change a page and give the record next to it the new hash."""
    change(page, before, after)
    record = read_record(page.with_suffix(".json"))
    assert record is not None
    from deficits.reports.record import as_json, file_digest

    files = record.files | {".html": file_digest(page)}
    page.with_suffix(".json").write_text(as_json(record.model_copy(update={"files": files})), encoding="utf-8")


def test_a_page_that_is_made_again_is_the_same_also_alone(page: Path, tmp_path: Path) -> None:
    verified = verify(page)
    assert verified.same, verified.lines()
    assert verify(page.rename(tmp_path / "downloaded.html")).same


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (">142.1<", ">124.1<"),
        (quote("Kent,South East,142.1", safe=","), quote("Kent,South East,124.1", safe=",")),
        ("One point.", "Another point."),
        ("default-src 'none'", "default-src *"),
        ("<footer", "<script>steal()</script><footer"),
        ("<h1>", "<h1 onclick=steal()>"),
    ],
)
def test_a_page_whose_figure_download_or_script_was_changed_differs(page: Path, before: str, after: str) -> None:
    forge(page, before, after)
    assert not verify(page).same


def test_a_changed_notebook_or_record_next_to_a_page_is_found(page: Path) -> None:
    change(page.with_suffix(".ipynb"), "Largest deficits", "Smallest deficits")
    assert any("notebook" in line for line in verify(page).differences)
    change(page.with_suffix(".json"), '"seed": 3', '"seed": 4')
    assert any("record next to" in line for line in verify(page).differences)


def test_another_processors_last_digits_are_the_same() -> None:
    ours, theirs = '<p>5.1</p><a href="data:text/csv,{}">x</a>', "142111111.11000001"
    assert pieces(ours.format("142111111.10999999")) == pieces(ours.format(theirs))
    assert pieces(ours.format("142111112.11")) != pieces(ours.format(theirs))
    assert rounded("0.30000000000000004") == rounded("0.3000000000000000")


def test_another_result_and_what_it_was_made_from_are_named(page: Path) -> None:
    change(page.parent.parent / "01_england.ipynb", "5.7e9", "5.8e9")
    verified = verify(page)
    assert not verified.same
    assert "The page's notebook has changed" in verified.made_from


def test_a_page_that_cannot_be_made_again_is_an_error(page: Path) -> None:
    change(page.parent.parent / "01_england.ipynb", "import pandas as pd", "1 / 0")
    with pytest.raises(ReportFailed, match="ZeroDivisionError"):
        verify(page)


def test_what_is_no_page_of_ours_is_refused(page: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.html"
    other.write_text("<html></html>", encoding="utf-8")
    with pytest.raises(ReportError, match="carries no run record"):
        verify(other)
    with pytest.raises(ReportError, match="cannot be read"):
        verify(tmp_path / "gone.html")
    change(page, META, "another")
    with pytest.raises(ReportError, match="carries no run record"):
        verify(page)


def test_a_page_carries_its_record_whatever_it_says() -> None:
    record = RunRecord.model_validate(
        {
            "page": "x",
            "title": "a 'b' \"c\" <d> & é",
            "run_on": "2026-11-03",
            "content": {"report": "england", "parameters": {}},
        }
    )
    html = with_record("<head></head>", record)
    assert record_in(html) == record
    assert json.dumps("<d>") not in html
