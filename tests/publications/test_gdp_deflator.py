"""GDP deflator: made-up sheets in the layout of the OBR's (figures invented)."""

import pandas as pd
import pytest

from deficits.publications import gdp_deflator
from tests.publications.samples import fault_of, write_csv, write_workbook

YEARS = ["2023-24", "2024-25", "2025-26"]
TITLE = "4.3 Consistent historical RDEL and CDEL series"


def table(title: str = TITLE, years: list[str] = YEARS) -> list[list[object]]:
    """The sheet's layout with invented figures for three years."""
    return [
        ["Back to contents"],
        ["", title],
        ["", "", "", "", "Outturn", "", "Forecast"],
        ["", "", "", "", *years],
        ["", "Unadjusted aggregate spending series (£ billion)"],
        ["", "", "", "PSCE in RDEL", 1.0, 2.0, 3.0],
        ["", "Nominal GDP, GDP deflator and population figures"],
        ["", "", "", "", "Outturn", "", "Forecast"],
        ["", "", "", "", *years],
        ["", "Nominal GDP (£ billion)", "", "", 2790.0, 2934.0, 3054.5],
        ["", "GDP deflator", "", "", 5.0, 4.0, -1.5],
        ["", "", "", "", "Estimates", "", "Projections"],
        ["", "", "", "", *years],
        ["", "Population (thousand)", "", "", 68809.5, 69358.5, 69593.5],
        ["", "Note: This table removes series discontinuities."],
    ]


OTHER = [["Back to contents"], ["", "4.4 Reconciliation of PSCE in RDEL and PSGI in CDEL with RDEL and CDEL"]]


def sheets(rows, name="4.3"):
    return {"Contents": [["4.3 Consistent series of other things"]], "4.4": OTHER, name: rows}


def parse(tmp_path, rows, name="4.3"):
    return gdp_deflator.parse(write_workbook(tmp_path / "efo.xlsx", sheets(rows, name)))


def fault(tmp_path, rows):
    return fault_of(gdp_deflator.parse, write_workbook(tmp_path / "efo.xlsx", sheets(rows)))


def test_the_table_is_found_by_its_title_whatever_its_number_and_place(tmp_path):
    moved = table("4.12 Consistent historical RDEL and CDEL series1")
    again = [["", *row] for row in [*moved[:4], ["a new row"], *moved[4:]]]
    pd.testing.assert_frame_equal(parse(tmp_path, table())[0].frame, parse(tmp_path, again, "4.12")[0].frame)


def test_a_sheet_saved_as_a_csv_is_the_same_and_one_cut_short_is_refused(tmp_path):
    path = write_csv(tmp_path / "efo.csv", table())
    pd.testing.assert_frame_equal(gdp_deflator.parse(path)[0].frame, parse(tmp_path, table())[0].frame)
    cut = write_csv(tmp_path / "cut.csv", [*table()[:13], table()[13][:5]])
    fault_of(gdp_deflator.parse, cut, "cut.csv, 'population (thousand)': expected numbers, found 2024-25: ''")
    blank = write_csv(tmp_path / "blank.csv", [*table()[:8], [], *table()[8:]])
    fault_of(gdp_deflator.parse, blank, "blank.csv: status has nothing for 2023-24")


def test_a_missing_series_is_named_with_the_closest(tmp_path):
    rows = table()
    rows[10][1] = "GDP deflators"
    told = fault(tmp_path, rows)
    assert "one row 'gdp deflator'" in told
    assert "did you mean 'gdp deflators'?" in told
    rows[10][1] = "Prices"
    assert "68809" not in fault(tmp_path, rows)


@pytest.mark.parametrize(
    ("row", "column", "cell", "expected"),
    [
        (10, 5, "n/a", "'gdp deflator': expected numbers, found 2024-25: 'n/a'"),
        (10, 5, 96.9, "no growth in per cent; is it an index?"),
        (8, 5, "2023-24", "row 9: a financial year stands twice"),
        (7, 4, "Actual", "status has nothing for 2023-24"),
        (12, 6, "2026-27", "uk_population_thousand has nothing for 2025-26"),
    ],
)
def test_a_wrong_cell_is_told(tmp_path, row, column, cell, expected):
    rows = table()
    rows[row][column] = cell
    assert expected in fault(tmp_path, rows)


def test_another_workbook_is_refused(tmp_path):
    assert "expected one table titled" in fault(tmp_path, OTHER)
