import pandas as pd
import pytest

from deficits.errors import SourceError
from deficits.publications import gdp_deflator
from deficits.raw import read_table

from .samples import native, write_workbook

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


def parse(tmp_path, rows, name="4.3"):
    sheets = {"Contents": [["4.3 Consistent series of other things"]], "4.4": OTHER, name: rows}
    return gdp_deflator.parse(write_workbook(tmp_path / "efo.xlsx", sheets))


def fault(tmp_path, rows):
    with pytest.raises(SourceError) as told:
        parse(tmp_path, rows)
    return str(told.value)


def test_growth_gdp_population_and_status_by_year(tmp_path):
    (parsed,) = parse(tmp_path, table())
    assert (parsed.kind, parsed.key) == ("deflator", ("financial_year",))
    assert parsed.frame.to_dict("list") == {
        "financial_year": YEARS,
        "gdp_deflator_growth_pct": [5.0, 4.0, -1.5],
        "nominal_gdp_bn": [2790.0, 2934.0, 3054.5],
        "uk_population_thousand": [68809.5, 69358.5, 69593.5],
        "status": ["outturn", "outturn", "forecast"],
    }


def test_the_table_is_found_by_its_title_whatever_its_number_and_place(tmp_path):
    moved = table("4.12 Consistent historical RDEL and CDEL series1")
    again = [["", *row] for row in [*moved[:4], ["a new row"], *moved[4:]]]
    pd.testing.assert_frame_equal(parse(tmp_path, table())[0].frame, parse(tmp_path, again, "4.12")[0].frame)


def test_rows_in_another_order_change_nothing(tmp_path):
    rows = table()
    rows[9], rows[10] = rows[10], rows[9]
    pd.testing.assert_frame_equal(parse(tmp_path, table())[0].frame, parse(tmp_path, rows)[0].frame)


def test_a_missing_series_is_named_with_the_closest(tmp_path):
    rows = table()
    rows[10][1] = "GDP deflators"
    told = fault(tmp_path, rows)
    assert "expected one row 'gdp deflator' (gdp_deflator_growth_pct)" in told
    assert "did you mean 'gdp deflators'?" in told


@pytest.mark.parametrize(
    ("row", "column", "cell", "expected"),
    [
        (10, 5, "n/a", "row 11 (gdp_deflator_growth_pct): expected numbers, found 2024-25: 'n/a'"),
        (10, 5, 96.9, "expected growth in per cent; is it an index?"),
        (8, 5, "2023-24", "row 9: the year 2023-24 stands twice"),
        (7, 4, "Actual", "expected Outturn or Forecast over 2023-24"),
        (12, 6, "2026-27", "uk_population_thousand has no figure for 2025-26"),
    ],
)
def test_a_wrong_cell_is_told(tmp_path, row, column, cell, expected):
    rows = table()
    rows[row][column] = cell
    assert expected in fault(tmp_path, rows)


def test_another_workbook_and_a_truncated_one(tmp_path):
    assert "expected one table titled" in fault(tmp_path, OTHER)
    path = write_workbook(tmp_path / "efo.xlsx", {"4.3": table()})
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(SourceError, match="cannot be read as a workbook"):
        gdp_deflator.parse(path)


def test_index_is_chained_both_ways_from_its_base():
    growth = pd.Series([99.0, 10.0, 20.0], index=YEARS)
    level = gdp_deflator.deflator_index(growth, "2024-25")
    assert level.round(4).tolist() == [90.9091, 100.0, 120.0]
    with pytest.raises(SourceError, match=r"no financial year '2026-27' in the deflator"):
        gdp_deflator.deflator_index(growth, "2026-27")
    with pytest.raises(SourceError, match="not in an unbroken row"):
        gdp_deflator.deflator_index(growth.drop("2024-25"), "2025-26")


def test_native_workbook_equals_the_project_s_table():
    (parsed,) = gdp_deflator.parse(native("obr_march_2026_efo_expenditure.xlsx"))
    numeric = [*parsed.frame.select_dtypes("number"), "derived_index_2025_26_100"]
    raw = read_table("gdp-deflator", "deflator_by_financial_year.csv", numeric=numeric)
    derived = raw.pop("derived_index_2025_26_100")
    pd.testing.assert_frame_equal(parsed.frame, raw, check_like=True, check_exact=True)
    growth = parsed.frame.set_index("financial_year")["gdp_deflator_growth_pct"]
    level = gdp_deflator.deflator_index(growth, "2025-26")
    assert (level.round(4).to_numpy() == derived.to_numpy()).all()
    assert growth[["2020-21", "2021-22"]].round(1).tolist() == [5.2, 0.3]
