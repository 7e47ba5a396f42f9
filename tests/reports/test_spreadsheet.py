"""Rules of a page's spreadsheet: the Analysis Function's, the page's figures, the same bytes each time."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from python_calamine import CalamineWorkbook

from deficits.reports import figure, table
from deficits.reports.record import RunContent, RunRecord
from deficits.reports.spreadsheet import link, spreadsheet, tables_of
from tests.reports.folder import content

FRAME = pd.DataFrame(
    {
        "Council": ["Kent", "=Bury", "–", "[Leeds](x)"],
        "Balance": [-142_123_456.78, 1_049_999.0, None, 0.0],
        "Chance": [0.9997, 0.0, None, 0.5],
        "Year": [2025, 2026, 2027, 2028],
        "Code": ["202", "886", None, "010"],
    }
)
CHART = SimpleNamespace(
    name="fan",
    finding="Over £5bn & rising",
    subtitle="Gross deficit, England",
    unit="£bn",
    source="own projection",
    alt="A rising line.",
    data=pd.DataFrame({"Year (at 31 March)": [2025, 2026], "10th percentile (£)": [3.8e9, 5.712e9]}),
    svg=lambda: "<svg></svg>",
)


def a_notebook():
    formats = {"Balance": "£m", "Chance": "%", "Year": "year"}
    shown = [figure(CHART), table(FRAME, "largest", "Largest <deficits>", "section 251 from DfE", formats)]
    outputs = [new_output("display_data", one._repr_mimebundle_()) for one in shown]
    return new_notebook(cells=[new_code_cell("", outputs=[output]) for output in outputs])


@pytest.fixture(scope="module")
def record() -> RunRecord:
    made = RunContent.model_validate(content("england", {"gross": 1.0}, {}))
    return RunRecord(
        page="england", title="A page", run_on=date(2026, 11, 25), fingerprint="ab" * 32, content=made
    )


@pytest.fixture(scope="module")
def file(record: RunRecord) -> bytes:
    return spreadsheet(tables_of(a_notebook()), record)


@pytest.fixture(scope="module")
def book(file: bytes) -> CalamineWorkbook:
    return CalamineWorkbook.from_filelike(io.BytesIO(file))


def rows(book: CalamineWorkbook, sheet: str) -> list[list]:
    return book.get_sheet_by_name(sheet).to_python()


def parts(file: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(file)) as opened:
        return {name: opened.read(name).decode() for name in opened.namelist()}


def test_there_are_cover_contents_and_one_sheet_a_table(book):
    assert book.sheet_names == ["Cover", "Contents", "Table_1", "Table_2"]
    cover = " ".join(str(row[0]) for row in rows(book, "Cover"))
    assert "not official statistics" in cover
    assert "Open Government Licence" in cover
    assert "25 November 2026" in cover


def test_a_sheet_says_what_it_is_where_from_and_what_its_symbols_mean(book):
    above = [row[0] for row in rows(book, "Table_2")[:4]]
    assert above[0] == "Table 2: Largest <deficits>"
    assert above[2:] == ["[x] = not available", "Source: section 251 from DfE"]
    assert [row[0] for row in rows(book, "Table_1")[:2]] == [
        "Table 1: Gross deficit, England",
        "Over £5bn & rising",
    ]


def test_numbers_are_those_of_the_page_and_a_missing_one_is_never_blank(book):
    head, *cells = rows(book, "Table_2")[4:]
    assert head == ["Council", "Balance (£m)", "Chance (%)", "Year", "Code"]
    assert cells[0] == ["Kent", -142.1, "over 99", "2024-25", "202"]
    assert cells[2] == ["[x]", "[x]", "[x]", "2026-27", "[x]"]
    assert rows(book, "Table_1")[-1] == [2026, 5.7]


def test_a_text_is_a_text_whatever_it_looks_like(book, file):
    cells = rows(book, "Table_2")[5:]
    assert (cells[1][0], cells[3][0], cells[3][4]) == ("=Bury", "[Leeds](x)", "010")
    assert not any("<f>" in part for name, part in parts(file).items() if "worksheets/sheet" in name)


def test_every_table_is_marked_up_with_a_name_and_no_cells_are_merged(file):
    found = parts(file)
    names = "".join(part for name, part in found.items() if name.startswith("xl/tables/"))
    assert 'displayName="figure_fan"' in names
    assert 'displayName="table_largest"' in names
    assert not any("mergeCell" in part or "<pane" in part for part in found.values())


def test_the_same_record_gives_the_same_bytes(file, record):
    assert spreadsheet(tables_of(a_notebook()), record) == file


def test_two_columns_of_one_name_are_told_apart(record):
    twice = pd.DataFrame([["Kent", 1, 2]], columns=["Council", "Plans", "Plans"])
    shown = table(twice, "x", "Caption", "DfE")._repr_mimebundle_()
    made = spreadsheet([shown["application/vnd.dataresource+json"]], record)
    head = CalamineWorkbook.from_filelike(io.BytesIO(made)).get_sheet_by_name("Table_1").to_python()[-2]
    assert head == ["Council", "Plans", "Plans (2)"]


def test_the_link_holds_the_file():
    assert f'base64,{"eHh4" * 666}eHg=" download="england.xlsx"' in str(link(b"x" * 2000, "england"))


def test_the_cover_tells_what_the_page_rests_on_that_the_usual_one_does_not(record):
    titled = record.model_copy(update={"title": "A page (scenario: [x](y) $$z$$)"})
    made = spreadsheet(
        tables_of(a_notebook()), titled, ["It rests on a scenario, “[x](y) $$z$$”: Plan growth: 5%."]
    )
    cover = str(CalamineWorkbook.from_filelike(io.BytesIO(made)).get_sheet_by_name("Cover").to_python())
    assert "It rests on a scenario" in cover
    assert "$z$" in cover
