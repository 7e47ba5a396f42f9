"""Rules of `verify`: a page is what its record says, or it is said what differs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deficits.errors import ReportError, ReportFailed
from deficits.paths import notebooks_dir
from deficits.reports import asked, render, verify
from deficits.reports.record import RunRecord, record_beside, record_in, with_record

Write = Callable[..., Path]
POINTS = "report.main_points(['One point.'], {'gross': 5.7e9})"


@pytest.fixture
def page(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page whose notebook is made again by `verify`."""
    monkeypatch.setattr(asked.paths, "notebooks_dir", lambda: tmp_path)
    write("# A page", POINTS, "report.paragraph('Shown.')").rename(tmp_path / "01_england.ipynb")
    return render("england", {"seed": 3}, tmp_path / "reports")


def rewrite(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "01_england.ipynb"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_a_page_that_is_made_again_is_the_same(page: Path) -> None:
    verified = verify(page)
    assert verified.same
    assert verified.lines() == [f"england: the same, fingerprint {record_beside(page).fingerprint}"]


def test_a_page_alone_is_enough(page: Path, tmp_path: Path) -> None:
    alone = page.rename(tmp_path / "downloaded.html")
    assert verify(alone).same


def test_another_result_is_named(page: Path, tmp_path: Path) -> None:
    rewrite(tmp_path, "5.7e9", "5.8e9")
    rewrite(tmp_path, "One point.", "Another.")
    verified = verify(page)
    assert not verified.same
    assert "  result: headline gross: 5,700,000,000 then, 5,800,000,000 now" in verified.lines()
    assert "  result: main point 1: One point. then, Another. now" in verified.lines()
    assert "  made from: the notebook's cells: another" in verified.lines()


def test_another_table_or_chart_is_named_by_its_cell(page: Path, tmp_path: Path) -> None:
    rewrite(tmp_path, "Shown.", "Shown otherwise.")
    assert verify(page).results == ("what is shown by cell 5: another",)


def test_the_same_results_from_other_inputs_are_the_same(page: Path, tmp_path: Path) -> None:
    rewrite(tmp_path, "report.paragraph('Shown.')", "report.paragraph(('Shown.'))")
    verified = verify(page)
    assert verified.same
    assert verified.lines() == [
        "england: the same results, from other inputs",
        "  made from: the notebook's cells: another",
    ]


def test_a_page_whose_text_was_changed_is_found_out(page: Path) -> None:
    page.write_text(page.read_text(encoding="utf-8").replace("One point.", "No point."), encoding="utf-8")
    # The record within holds the main point too, so its fingerprint no longer fits either.
    assert len(verify(page).altered) == 2


def test_a_record_that_was_changed_is_found_out(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace('"gross": 5700000000.0', '"gross": 5600000000.0'), encoding="utf-8")
    page.with_suffix(".json").unlink()
    verified = verify(page)
    assert verified.altered == (
        "its run record was changed after the run: the fingerprint is not that of its content",
    )
    assert not verified.same


def test_a_page_that_is_no_page_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.html"
    other.write_text("<html></html>", encoding="utf-8")
    with pytest.raises(ReportError, match="carries no run record"):
        verify(other)
    with pytest.raises(ReportError, match="cannot be read"):
        verify(tmp_path / "gone.html")


def test_a_page_that_cannot_be_made_again_is_a_failed_report(page: Path, tmp_path: Path) -> None:
    rewrite(tmp_path, "report.paragraph('Shown.')", "1 / 0")
    with pytest.raises(ReportFailed, match="ZeroDivisionError in cell 5"):
        verify(page)


def test_the_record_in_a_page_survives_its_quoting(page: Path) -> None:
    record = record_beside(page)
    quoted = record.model_copy(update={"title": 'It\'s <b>5</b> & "more" &#39;', "files": {}})
    assert record_in(with_record("<head></head>", quoted)) == quoted


def test_a_record_names_its_files_and_what_each_cell_showed(page: Path) -> None:
    record = RunRecord.model_validate(json.loads(page.with_suffix(".json").read_text(encoding="utf-8")))
    assert set(record.files) == {".html", ".ipynb"}
    assert set(record.content.outputs) == {"3", "4", "5"}
    assert len(record.content.source) == len(record.content.notebook) == 64


def test_outputs_are_no_part_of_what_a_notebook_is() -> None:
    import nbformat

    from deficits.reports.record import notebook_digest

    notebook = nbformat.read(notebooks_dir() / "01_england.ipynb", as_version=4)
    before = notebook_digest(notebook)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = []
    assert notebook_digest(notebook) == before
    notebook.cells[-1].source += "\n"
    assert notebook_digest(notebook) != before
