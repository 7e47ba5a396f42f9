"""Population: made-up files in the shapes of ONS's (figures invented)."""

from pathlib import Path

import pandas as pd
import pytest

from deficits.publications import ons_population
from deficits.publications.publication import Table
from tests.publications.samples import fault_of, reordered, without, write_csv, write_workbook

Rows = list[list[object]]
AGES = [*range(90), "90+"]
# County Durham, Hartlepool and the five districts of East Sussex (845); the figures are invented.
EAST_SUSSEX = ["E07000061", "E07000062", "E07000063", "E07000064", "E07000065"]
DISTRICTS = ["E06000047", "E06000001", *EAST_SUSSEX]
ENGLAND = "E92000001"
OTHERS = ["E10000011", "E12000001", "W06000001"]
"""A county, which its districts make up, a region, and a place in Wales."""

TITLE: Rows = [["MYE2: Population estimates, persons, mid-2023"], []]


def people(area: str, age: object, year: int = 2023) -> int:
    """Invented, and different in each cell."""
    if area not in DISTRICTS:
        return sum(people(district, age, year) for district in DISTRICTS)
    return 1000 + int(area[-3:]) * 10 + AGES.index(age) + (year - 2023)


def wide() -> Rows:
    """A row an area and a column an age, with thousands separators, as a sheet saved as CSV."""
    head = ["Code", "Name", "Geography", "All ages", *AGES]
    rows = [
        [area, "A name", "Unitary", *[f"{count:,}" for count in (sum(ages), *ages)]]
        for area in [*DISTRICTS, ENGLAND, *OTHERS]
        for ages in [[people(area, age) for age in AGES]]
    ]
    return [head, *rows]


def myeb1() -> Rows:
    """ONS's tidy table: a row an area, sex and age, a column a year; 90 is 90 and over."""
    head = ["ladcode23", "laname23", "country", "sex", "age", "population_2022", "population_2023"]
    rows = [
        [
            area,
            "A name",
            "E",
            sex,
            place,
            *[people(area, age, y) - 400 if sex == "F" else 400 for y in (2022, 2023)],
        ]
        for area in [*DISTRICTS, ENGLAND]
        for place, age in enumerate(AGES)
        for sex in ("M", "F")
    ]
    return [head, *rows]


def parse(tmp_path: Path, rows: Rows, name: str = "file.csv") -> Table:
    (table,) = ons_population.parse(write_csv(tmp_path / name, rows))
    return table


def fault(tmp_path: Path, rows: Rows) -> str:
    return fault_of(ons_population.parse, write_csv(tmp_path / "file.csv", rows))


def expected(*years: int) -> dict[tuple[int, str, str], float]:
    councils = {"840": ["E06000047"], "805": ["E06000001"], "845": EAST_SUSSEX}
    ages = {f"age_{age}": [age] for age in range(26)} | {"pop_2_18": range(2, 19)}
    return {
        (year, code, column): sum(people(district, age, year) for district in districts for age in counted)
        for code, districts in councils.items()
        for column, counted in ages.items()
        for year in years
    }


def figures(table: Table) -> dict[tuple[int, str, str], float]:
    return table.frame.set_index([*table.key]).rename_axis(columns="column").stack().dropna().to_dict()


def test_a_column_an_age_with_thousands_separators_and_the_year_above(tmp_path: Path) -> None:
    table = parse(tmp_path, [*TITLE, *wide(), ["Source: a note"]])
    assert (table.kind, table.key) == ("population_by_authority", ("mid_year", "dfe_number"))
    # The county is the sum of its districts and is not counted again.
    assert figures(table) == expected(2023)
    assert table.missing.empty


def test_a_row_a_sex_and_age_and_a_column_a_year(tmp_path: Path) -> None:
    table = parse(tmp_path, myeb1())
    assert figures(table) == expected(2022, 2023)
    pd.testing.assert_frame_equal(table.frame, parse(tmp_path, reordered(myeb1())).frame)


def test_of_the_workbook_of_all_years_the_newest_geographys_sheet_of_ages(tmp_path: Path) -> None:
    title = ["MYEB1: a title"]
    head, *rows = myeb1()
    older = [[str(cell).replace("ladcode23", "ladcode21") for cell in head], ["W06000001", "", "W", "M", 0, 1, 1]]
    births = [[*head, "births_2023"], ["E06000001", "Hartlepool", "E", "M", 0, 1, 1, 5]]
    sheets = {"Contents": [["x"]], "MYEB1 (2021)": [title, *older], "MYEB1": [title, head, *rows], "MYEB2": births}
    (table,) = ons_population.parse(write_workbook(tmp_path / "mye.xlsx", sheets))
    assert figures(table) == expected(2022, 2023)
    other = write_workbook(tmp_path / "other.xlsx", {"Contents": [["x"]]})
    assert "no line has the headings" in fault_of(ons_population.parse, other)


@pytest.mark.parametrize(("column", "named"), [("age", "age"), ("sex", "sex"), ("ladcode23", "ladcode")])
def test_a_missing_column_is_named(tmp_path: Path, column: str, named: str) -> None:
    assert f"no column '{named}'" in fault(tmp_path, without(myeb1(), column))


def changed(area: str, place: int, value: object) -> Rows:
    return [
        [*row[:place], value, *row[place + 1 :]] if row[0] == area else row for row in [*TITLE, *wide()] if row
    ]


def test_a_missing_cell_leaves_the_councils_sum_missing(tmp_path: Path) -> None:
    table = parse(tmp_path, changed(EAST_SUSSEX[0], 7, "x"))
    lost = {(2023, "845", column) for column in ("age_3", "pop_2_18")}
    assert set(expected(2023)) - set(figures(table)) == lost
    assert table.missing[["column", "reason"]].to_numpy().tolist()[-1] == ["age_3", "not available"]


def left_out(area: str) -> Rows:
    return [row for row in [*TITLE, *wide()] if not row or row[0] != area]


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        (left_out("E06000001"), "England is"),
        (left_out(EAST_SUSSEX[2]), "districts are missing, so their council cannot be summed: E07000063 (in 845)"),
        (left_out(ENGLAND), "no row for England and no figures for 150 authorities"),
        (changed("E06000001", 3, "9"), "all ages is 9"),
        (changed("E06000001", 0, "E06000999"), "no authority is known for the area E06000999"),
        ([*TITLE, wide()[0], wide()[-1]], "no districts of England"),
        ([*TITLE, *wide(), wide()[1]], "E06000047 2023 -1 (lines 4, 15)"),
        ([*TITLE, *without(wide(), 7)], "expected every single year of age from 0 to 85 or more, found 90"),
        ([*TITLE, *[row[:40] for row in wide()]], "found 36 of them"),
        (without(myeb1(), "population_2022")[:-1], "E92000001 has 1 rows, expected 2, for age 90 in 2023"),
        ([row for row in myeb1() if row[0] != "E06000001" or row[4] != 7], "E06000001 has 0 rows, expected 2"),
        ([[*row[:3], "others", *row[4:]] if row[4] == 0 else row for row in myeb1()], "line 2, column 'sex'"),
        ([[*row[:4], "0 to 15", *row[5:]] if row[4] == 9 else row for row in myeb1()], "line 20, column 'age'"),
    ],
)  # fmt: skip
def test_what_makes_a_sum_wrong_is_named(tmp_path: Path, rows: Rows, part: str) -> None:
    assert part in fault(tmp_path, rows)


def test_a_year_is_needed_in_the_title_or_the_name(tmp_path: Path) -> None:
    assert "has no column of years" in fault(tmp_path, wide())
    assert figures(parse(tmp_path, wide(), "mye2-mid2023.csv")) == expected(2023)
