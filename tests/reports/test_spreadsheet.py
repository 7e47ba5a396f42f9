"""Rules of a page's spreadsheet: what the Analysis Function asks for, unrounded, the same bytes each time."""

from __future__ import annotations

import io
import warnings
import zipfile
from datetime import date
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from deficits.paths import notebooks_dir
from deficits.reports import show, table
from deficits.reports.parameters import REPORTS
from deficits.reports.record import RunContent, RunRecord
from deficits.reports.spreadsheet import GPWorksheet, _Worksheet, link, spreadsheet, table_in, tables_of
from tests.reports.folder import content

FRAME = pd.DataFrame(
    {
        "Council": ["Kent", "=Bury", "–", "[Leeds](x)"],
        "Balance": [-142_123_456.78, 1_049_999.0, None, 0.0],
        "Chance": [0.9997, 0.0, None, 0.5],
        "Year": [2025, 2026, 2027, 2028],
        "Plans": [1234, 5, 6, 7],
        "Code": ["202", "886", None, "010"],
    }
)
FORMATS = {"Balance": "gbp_m", "Chance": "percent", "Year": "year"}


def html(shown) -> str:
    return shown._repr_mimebundle_()[0]["text/html"]


def a_table():
    found = table_in(html(table(FRAME, "largest", "Largest <deficits>", "section 251 from DfE", FORMATS)))
    assert found is not None
    return found


def a_chart():
    chart = SimpleNamespace(
        name="fan",
        finding="Over £5bn & rising",
        subtitle="Gross deficit, England",
        unit="£bn",
        source="own projection",
        alt="A rising line.",
        data=pd.DataFrame({"Year (at 31 March)": [2025, 2026], "10th percentile (£)": [3.8e9, 5.712e9]}),
        svg=lambda: "<svg></svg>",
        png=lambda: b"png",
    )
    found = table_in(html(show(chart)))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def record() -> RunRecord:
    made = RunContent.model_validate(content("england", {"gross": 1.0}, {}))
    return RunRecord(
        page="england", title="A page", run_on=date(2026, 11, 25), fingerprint="ab" * 32, content=made
    )


@pytest.fixture(scope="module")
def file(record: RunRecord) -> bytes:
    return spreadsheet([a_chart(), a_table()], record)


@pytest.fixture(scope="module")
def book(file: bytes) -> CalamineWorkbook:
    return CalamineWorkbook.from_filelike(io.BytesIO(file))


def rows(book: CalamineWorkbook, sheet: str) -> list[list]:
    return book.get_sheet_by_name(sheet).to_python()


def parts(file: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(file)) as opened:
        return {name: opened.read(name).decode() for name in opened.namelist()}


def test_a_table_is_read_from_the_page_unrounded_with_its_unit_in_the_heading():
    found = a_table()
    assert found.caption == "Largest <deficits>"
    assert found.source == "section 251 from DfE"
    assert found.headings == ("Council", "Balance (£)", "Chance (0 to 1)", "Year", "Plans", "Code")
    assert found.rows[0] == ("Kent", -142_123_456.78, 0.9997, "2024-25", 1234, "202")
    assert found.rows[2] == ("–", None, None, "2026-27", 6, None)


def test_a_charts_table_has_the_charts_finding_and_source():
    found = a_chart()
    assert (found.finding, found.source) == ("Over £5bn & rising", "own projection")
    assert found.caption == "Gross deficit, England"
    assert found.headings == ("Year (at 31 March)", "10th percentile (£)")
    assert found.rows == ((2025, 3.8e9), (2026, 5.712e9))


def test_what_holds_no_table_is_no_table():
    assert table_in("<p>Words</p>") is None
    assert table_in(html(table(FRAME.head(0), "none", "None", "DfE"))) is None


def test_there_are_cover_contents_notes_and_one_sheet_a_table(book):
    assert book.sheet_names == ["Cover", "Contents", "Notes", "Table_1", "Table_2"]
    cover = " ".join(str(row[0]) for row in rows(book, "Cover"))
    assert "not official statistics" in cover
    assert "25 November 2026" in cover
    assert [row[0] for row in rows(book, "Contents")[-2:]] == ["Table_1", "Table_2"]


def test_each_sheet_says_what_it_is_where_from_and_what_its_symbols_mean(book):
    above = [row[0] for row in rows(book, "Table_2")[:4]]
    assert above[0] == "Table 2: Largest <deficits>"
    assert above[1].startswith("This worksheet contains one table. [note 1]")
    assert above[2:] == ["[x] = not available", "Source: section 251 from DfE"]


def test_numbers_are_numbers_and_a_missing_one_is_never_blank(book):
    head, *cells = rows(book, "Table_2")[4:]
    assert head == ["Council", "Balance (£)", "Chance (0 to 1)", "Year", "Plans", "Code"]
    assert cells[0] == ["Kent", -142_123_456.78, 0.9997, "2024-25", 1234.0, "202"]
    assert cells[2] == ["[x]", "[x]", "[x]", "2026-27", 6.0, "[x]"]


def test_a_text_is_a_text_whatever_it_looks_like(book, file):
    cells = rows(book, "Table_2")[5:]
    assert (cells[1][0], cells[3][0], cells[3][5]) == ("=Bury", "[Leeds] (x)", "010")
    assert not any("<f>" in part for name, part in parts(file).items() if "worksheets/sheet" in name)


def test_notes_are_those_that_a_table_refers_to(book):
    notes = " ".join(row[1] for row in rows(book, "Notes")[2:])
    assert "not rounded" in notes
    assert "8 in 10" in notes
    referred = " ".join(str(row[0]) for name in ("Table_1", "Table_2") for row in rows(book, name)[:4])
    for number in range(1, len(rows(book, "Notes")) - 2):
        assert f"[note {number}]" in referred


def test_every_table_is_marked_up_with_a_name_and_no_cells_are_merged(file):
    found = parts(file)
    names = [part for name, part in found.items() if name.startswith("xl/tables/")]
    assert ['displayName="figure_fan_data"' in names[2], 'displayName="table_largest"' in names[3]] == [True, True]
    assert len(names) == 4  # contents and notes are tables too
    assert not any("mergeCell" in part or "<pane" in part for part in found.values())


def test_the_same_record_gives_the_same_bytes(file, record):
    assert spreadsheet([a_chart(), a_table()], record) == file
    assert "2026-11-25T00:00:00Z" in parts(file)["docProps/core.xml"]


def test_two_columns_of_one_name_are_told_apart(record):
    twice = pd.DataFrame([["Kent", 1, 2]], columns=["Council", "Plans", "Plans"])
    found = table_in(html(table(twice, "x", "Caption", "DfE")))
    assert found.headings == ("Council", "Plans", "Plans (2)")
    assert spreadsheet([found], record)


def test_our_way_of_writing_cells_gives_what_gptables_own_does(file, record, monkeypatch):
    monkeypatch.setattr(_Worksheet, "_write_table_elements", GPWorksheet._write_table_elements)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gptables uses what pandas is about to drop
        theirs = parts(spreadsheet([a_chart(), a_table()], record))
    ours = parts(file)
    assert ours.keys() == theirs.keys()
    ours_book = CalamineWorkbook.from_filelike(io.BytesIO(file))
    for name in ours:
        if name.startswith("xl/tables/"):
            assert ours[name] == theirs[name]
    assert [sheet.count("<c ") for name, sheet in sorted(ours.items()) if "worksheets/sheet" in name] == [
        sheet.count("<c ") for name, sheet in sorted(theirs.items()) if "worksheets/sheet" in name
    ]
    assert ours_book.sheet_names


def test_the_link_holds_the_file():
    assert str(link(b"x" * 2000, "england")) == (
        '<a class="download" href="data:application/vnd.openxmlformats-officedocument.spreadsheetml.sheet;base64,'
        f'{"eHh4" * 666}eHg=" download="england.xlsx">All tables as a spreadsheet</a> (Excel, .xlsx, 2 KB)'
    )


@pytest.mark.parametrize("name", REPORTS)
def test_every_reports_tables_are_in_its_spreadsheet(name, record):
    notebook = nbformat.read(notebooks_dir() / REPORTS[name].notebook, as_version=4)
    shown = sum(
        output.get("data", {}).get("text/html", "").count("<table id=")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    found = tables_of(notebook)
    assert len(found) == shown > 0
    made = CalamineWorkbook.from_filelike(io.BytesIO(spreadsheet(found, record)))
    assert len(made.sheet_names) == shown + 3


def test_the_cover_tells_what_the_page_rests_on_that_the_usual_one_does_not(record):
    titled = record.model_copy(update={"title": "A page (scenario: [x](y) $$z$$)"})
    made = spreadsheet([a_table()], titled, ["It rests on a scenario, “[x](y) $$z$$”: Plan growth: 5%."])
    cover = str(CalamineWorkbook.from_filelike(io.BytesIO(made)).get_sheet_by_name("Cover").to_python())
    assert "It rests on a scenario" in cover
    assert "$z$" in cover
