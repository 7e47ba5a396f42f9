"""Population: made-up files in the shape of ONS's MYEB1 (figures invented)."""

from pathlib import Path

import pandas as pd
import pytest

from deficits.publications import ons_population
from deficits.publications.editions import Table
from tests.publications.samples import fault_of, reordered, without, write_csv, write_workbook

Rows = list[list[object]]
AGES = [*range(90), "90 and over"]
# County Durham, Hartlepool and the five districts of East Sussex (845).
COUNCILS = {
    "840": ["E06000047"],
    "805": ["E06000001"],
    "845": ["E07000061", "E07000062", "E07000063", "E07000064", "E07000065"],
}
DISTRICTS = {district: (district, number) for number, parts in COUNCILS.items() for district in parts}
OTHERS = ["E10000011", "E12000001", "W06000001"]
"""A county, which its districts make up, a region, and a place in Wales."""


@pytest.fixture(autouse=True)
def three_councils(monkeypatch: pytest.MonkeyPatch) -> None:
    """England of three councils."""
    rows = [(code, active, number) for code, (active, number) in DISTRICTS.items()]
    table = pd.DataFrame(rows, columns=["ladcd", "ladcd_active", "utlacd"])
    monkeypatch.setattr(ons_population, "read_table", lambda *_: table)


def people(area: str, age: int, year: int) -> int:
    """Invented, and different in each cell."""
    return 1000 + int(area[-3:]) * 10 + age + (year - 2022)


def myeb1() -> Rows:
    """A row an area, sex and age, a column a year."""
    head = ["ladcode23", "laname23", "country", "sex", "age", "population_2022", "population_2023"]
    rows = [
        [area, "A name", "E", sex, age, *[people(area, n, y) - 400 if sex == "F" else 400 for y in (2022, 2023)]]
        for area in [*DISTRICTS, *OTHERS]
        for n, age in enumerate(AGES)
        for sex in ("M", "F")
    ]
    return [head, *rows]


def parse(tmp_path: Path, rows: Rows) -> Table:
    (table,) = ons_population.parse(write_csv(tmp_path / "file.csv", rows))
    return table


def expected() -> dict[tuple[int, str, str], float]:
    ages = {f"age_{age}": [age] for age in range(26)} | {"pop_2_18": range(2, 19)}
    return {
        (year, code, column): sum(people(district, age, year) for district in districts for age in counted)
        for code, districts in COUNCILS.items()
        for column, counted in ages.items()
        for year in (2022, 2023)
    }


def figures(table: Table) -> dict[tuple[int, str, str], float]:
    return table.frame.set_index([*table.key]).rename_axis(columns="column").stack().dropna().to_dict()


def test_people_are_of_both_sexes_and_a_county_is_the_sum_of_its_districts(tmp_path: Path) -> None:
    table = parse(tmp_path, myeb1())
    assert (table.kind, table.key) == ("population_by_authority", ("mid_year", "dfe_number"))
    assert figures(table) == expected()
    pd.testing.assert_frame_equal(table.frame, parse(tmp_path, reordered(myeb1())).frame)


def test_of_the_workbook_of_all_years_the_newest_geographys_sheet_of_ages(tmp_path: Path) -> None:
    title = ["MYEB1: a title"]
    head, *rows = myeb1()
    older = [[str(cell).replace("ladcode23", "ladcode21") for cell in head], ["W06000001", "", "W", "M", 0, 1, 1]]
    births = [[*head, "births_2023"], ["E06000001", "Hartlepool", "E", "M", 0, 1, 1, 5]]
    sheets = {"Contents": [["x"]], "MYEB1 (2021)": [title, *older], "MYEB1": [title, head, *rows], "MYEB2": births}
    (table,) = ons_population.parse(write_workbook(tmp_path / "mye.xlsx", sheets))
    assert figures(table) == expected()
    other = write_workbook(tmp_path / "other.xlsx", {"Contents": [["x"]]})
    assert "no line has the headings" in fault_of(ons_population.parse, other)


def changed(area: str, age: int, place: int, value: object) -> Rows:
    return [
        [*row[:place], value, *row[place + 1 :]] if row[0] == area and row[4] == age else row for row in myeb1()
    ]


def test_a_missing_cell_leaves_the_councils_sums_missing(tmp_path: Path) -> None:
    table = parse(tmp_path, changed("E07000061", 3, 6, "x"))
    lost = {(2023, "845", column) for column in ("age_3", "pop_2_18")}
    assert set(expected()) - set(figures(table)) == lost
    assert "not available" in set(table.missing["reason"])


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ([row for row in myeb1() if row[0] != "E07000063"], "districts are missing"),
        ([row for row in myeb1() if row[0] != "E06000001"], "E06000001 (in 805)"),
        (changed("E06000001", 3, 0, "E06000999"), "no authority is known for the area E06000999"),
        ([*myeb1(), myeb1()[1]], "E06000047 m 0 (lines 2,"),
        ([row for row in myeb1() if row[4] != 7], "every age from 0 to 85 or more, not so for E06000001 at 7"),
        (
            myeb1()[:2] + myeb1()[3:],
            "expected each sex at every age from 0 to 85 or more, not so for E06000047 at 0",
        ),
        ([row for row in myeb1() if row[0] != "E06000001" or row[4] != 7], "not so for E06000001 at 7"),
        (changed("E06000047", 0, 3, "others"), "line 2, column 'sex'"),
        (changed("E06000047", 9, 4, "0 to 15"), "line 20, column 'age'"),
        ([row[:5] for row in myeb1()], "a column a year"),
        (without(myeb1(), "age"), "no line has the headings"),
    ],
)
def test_what_makes_a_sum_wrong_is_named(tmp_path: Path, rows: Rows, part: str) -> None:
    assert part in fault_of(ons_population.parse, write_csv(tmp_path / "file.csv", rows))
