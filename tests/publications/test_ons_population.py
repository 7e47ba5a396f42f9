"""Population: made-up files in the shapes of ONS's and Nomis's (figures invented)."""

import pandas as pd
import pytest

from deficits.publications import ons_population
from tests.publications.samples import fault_of, reordered, without, write_csv, write_workbook

AGES = [*range(90), "90+"]
# County Durham, Hartlepool and the five districts of East Sussex (845); the figures are invented.
EAST_SUSSEX = ["E07000061", "E07000062", "E07000063", "E07000064", "E07000065"]
DISTRICTS = ["E06000047", "E06000001", *EAST_SUSSEX]
ENGLAND = "E92000001"
OUTSIDE = ["E12000001", "W06000001"]


def people(district: str, age: object, year: int = 2023) -> int:
    """Invented, and different in each cell."""
    return 1000 + int(district[-3:]) * 10 + AGES.index(age) + (year - 2023)


def everyone(age: object, year: int = 2023) -> int:
    return sum(people(district, age, year) for district in DISTRICTS)


def of(area: str, age: object, year: int = 2023) -> int:
    return people(area, age, year) if area in DISTRICTS else everyone(age, year)


def nomis(sexes: bool = False) -> list[list[object]]:
    """Nomis's long CSV: groups of ages and percentages among its rows, names and codes of each."""
    rows: list[list[object]] = [
        [
            "DATE",
            "DATE_NAME",
            "GEOGRAPHY",
            "GEOGRAPHY_NAME",
            "GEOGRAPHY_CODE",
            "GENDER",
            "GENDER_NAME",
            "C_AGE",
            "C_AGE_NAME",
            "MEASURES",
            "MEASURES_NAME",
            "OBS_VALUE",
        ]
    ]

    def row(area, sex, age, measure, value):
        return [2023, 2023, 18, "A name", area, 0, sex, 101, age, 20100, measure, value]

    for area in [*DISTRICTS, ENGLAND, *OUTSIDE]:
        each = [(f"Age {age}", of(area, age)) for age in AGES]
        each += [("All Ages", sum(value for _, value in each)), ("Aged 0 to 15", 5), ("Aged 65+", 9)]
        for age, value in each:
            if sexes:
                rows.append(row(area, "Male", age, "Value", 400))
                rows.append(row(area, "Female", age, "Value", value - 400))
            else:
                rows.append(row(area, "Total", age, "Value", value))
                rows.append(row(area, "Total", age, "Percent", 1.1))
    if sexes:
        for line in rows[1:]:
            if line[8] == "All Ages":
                line[11] = 400 * 91 if line[6] == "Male" else line[11] + 400 - 400 * 91
    return rows


def wide() -> list[list[object]]:
    """A row an area and a column an age, with thousands separators and the title above, as a download by hand."""
    head = ["Code", "Name", "Geography", "All ages", *AGES]
    rows = [
        [
            area,
            "A name",
            "Unitary",
            f"{sum(of(area, age) for age in AGES):,}",
            *[f"{of(area, age):,}" for age in AGES],
        ]
        for area in [*DISTRICTS, ENGLAND, "E10000011", *OUTSIDE]
    ]
    return [["MYE2: Population estimates, persons, mid-2023"], [], head, *rows, ["Source: a note"]]


def myeb1() -> list[list[object]]:
    """ONS's tidy table: a row an area, sex and age, a column a year; 90 is 90 and over, England is not there."""
    head = ["ladcode23", "laname23", "country", "sex", "age", "population_2022", "population_2023"]
    rows = [
        [district, "A name", "E", sex, AGES.index(age), *[share(people(district, age, y)) for y in (2022, 2023)]]
        for district in DISTRICTS
        for age in AGES
        for sex, share in {"M": lambda total: 400, "F": lambda total: total - 400}.items()
    ]
    return [head, *rows]


def projection() -> list[list[object]]:
    """Sub-national population projections: thousandths, a row of all ages, "90 and over"."""
    years = [2022, 2023]
    rows: list[list[object]] = [["AREA_CODE", "AREA_NAME", "COMPONENT", "SEX", "AGE_GROUP", *map(str, years)]]
    for area in [*DISTRICTS, ENGLAND, "E12000001"]:
        for age in AGES:
            label = "90 and over" if age == "90+" else age
            figures = [f"{of(area, age, year):.3f}" for year in years]
            rows.append([area, "A name", "Population", "persons", label, *figures])
        totals = [f"{sum(of(area, age, year) for age in AGES):.3f}" for year in years]
        rows.append([area, "A name", "Population", "persons", "All ages", *totals])
        rows.append([area, "A name", "Births", "persons", "All ages", "5.000", "6.000"])
    return rows


def parse(tmp_path, rows, name="file.csv", **how):
    (table,) = ons_population.parse(write_csv(tmp_path / name, rows, **how))
    return table


def fault(tmp_path, rows):
    return fault_of(ons_population.parse, write_csv(tmp_path / "file.csv", rows))


def expected(years: list[int]) -> dict[tuple[str, int, int], float]:
    found = {}
    for place, age in enumerate(AGES):
        for year in years:
            found["840", year, place] = float(people("E06000047", age, year))
            found["805", year, place] = float(people("E06000001", age, year))
            found["845", year, place] = float(sum(people(district, age, year) for district in EAST_SUSSEX))
    return found


def figures(table) -> dict[tuple[str, int, int], float]:
    return table.frame.set_index([*ons_population.KEY])["people"].to_dict()


@pytest.mark.parametrize("sexes", [False, True])
def test_nomis_rows_count_each_age_once(tmp_path, sexes):
    table = parse(tmp_path, nomis(sexes))
    assert (table.kind, table.key) == ("population", ("dfe_number", "year", "age"))
    assert figures(table) == expected([2023])
    assert table.dropped == (ENGLAND, *OUTSIDE)
    assert table.missing.empty


def test_a_column_an_age_with_thousands_separators(tmp_path):
    table = parse(tmp_path, wide())
    assert table.kind == "population"
    assert figures(table) == expected([2023])
    # The county is the sum of its districts and is not counted again.
    assert "E10000011" in table.dropped


def test_a_file_of_counties_without_districts(tmp_path):
    rows = wide()
    county = [sum(people(district, age) for district in EAST_SUSSEX) for age in AGES]
    kept = [row for row in rows if not row or row[0] not in [*EAST_SUSSEX, "E10000011"]]
    kept.insert(-1, ["E10000011", "East Sussex", "County", sum(county), *county])
    assert figures(parse(tmp_path, kept)) == expected([2023])


def test_years_as_columns_with_sexes_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(ons_population, "_check_england", lambda *_: None)  # a whole country is too long a sample
    assert figures(parse(tmp_path, myeb1())) == expected([2022, 2023])


def test_the_workbook_of_all_years_by_its_sheet_of_ages(tmp_path, monkeypatch):
    monkeypatch.setattr(ons_population, "_check_england", lambda *_: None)
    title = ["MYEB1: a title"]
    older = [
        [str(cell).replace("ladcode23", "ladcode21") for cell in myeb1()[0]],
        ["W06000001", "", "W", "M", 0, 1, 1],
    ]
    births = [[*myeb1()[0], "births_2023"], ["E06000001", "Hartlepool", "E", "M", 0, 1, 1, 5]]
    sheets = {"Contents": [["x"]], "MYEB1 (2021)": [title, *older], "MYEB1": [title, *myeb1()], "MYEB2": births}
    (table,) = ons_population.parse(write_workbook(tmp_path / "mye.xlsx", sheets))
    assert figures(table) == expected([2022, 2023])
    other = write_workbook(tmp_path / "other.xlsx", {"Contents": [["x"]]})
    assert "a sheet with a row an area, sex and age" in fault_of(ons_population.parse, other)


def test_projection_by_year_with_other_components_left_out(tmp_path):
    table = parse(tmp_path, projection(), quoted=True)
    assert table.kind == "population_projection"
    assert figures(table) == expected([2022, 2023])


def test_columns_in_another_order_and_one_more_change_nothing(tmp_path):
    for rows in (nomis(), projection()):
        pd.testing.assert_frame_equal(parse(tmp_path, rows).frame, parse(tmp_path, reordered(rows)).frame)


@pytest.mark.parametrize(
    ("rows", "column", "named"),
    [
        (nomis, "C_AGE_NAME", "c_age_name"),
        (nomis, "OBS_VALUE", "obs_value"),
        (projection, "AGE_GROUP", "c_age_name"),
        (projection, "COMPONENT", "component"),
    ],
)
def test_a_missing_column_is_named(tmp_path, rows, column, named):
    assert f"no column '{named}'" in fault(tmp_path, without(rows(), column))


def test_a_file_without_codes_of_areas(tmp_path):
    assert "no column 'area_code'" in fault(tmp_path, without(nomis(), "GEOGRAPHY_CODE"))


def test_a_missing_cell_leaves_the_council_s_sum_missing(tmp_path):
    rows = nomis()
    district = next(row for row in rows if row[4] == EAST_SUSSEX[0] and row[8] == "Age 3")
    district[11] = "x"
    table = parse(tmp_path, rows)
    assert table.frame.loc[table.frame["people"].isna(), [*ons_population.KEY]].to_numpy().tolist() == [
        ["845", 2023, 3]
    ]
    assert table.missing.to_dict("records") == [
        {
            "dfe_number": "845",
            "year": 2023,
            "age": 3,
            "column": "people",
            "symbol": "x",
            "reason": "not available",
        }
    ]


def test_what_makes_a_sum_wrong_is_told(tmp_path):
    rows = nomis()
    assert "councils sum to" in fault(tmp_path, [row for row in rows if row[4] != "E06000001"])
    assert "districts are missing" in fault(tmp_path, [row for row in rows if row[4] != EAST_SUSSEX[2]])
    assert "E07000063 (in 845)" in fault(tmp_path, [row for row in rows if row[4] != EAST_SUSSEX[2]])
    no_england = [row for row in rows if row[4] != ENGLAND]
    assert "no row for England and no figures for 150 authorities" in fault(tmp_path, no_england)
    no_seven = [row for row in rows if row[8] != "Age 7"]
    assert "expected every single year of age from 0, found 0 to 89, 89 of them" in fault(tmp_path, no_seven)
    young = [row for row in rows if row[8] not in ("Age 90+", "Age 89")]
    assert "single years of age end at 88" in fault(tmp_path, young)
    lost = [row for row in rows if row[4] != "E06000001" or row[8] not in ("Age 7", "All Ages")]
    assert "E06000001 has 90 ages in 2023, expected 91" in fault(tmp_path, lost)
    total = [[*row[:11], row[11] + 1] if row[4] == "E06000001" and row[8] == "All Ages" else row for row in rows]
    assert "its row of all ages has" in fault(tmp_path, total)
    one = next(n for n, row in enumerate(rows) if row[4] == "E06000001")
    assert f"E06000001 2023 0 persons (lines {one + 1}, {len(rows) + 1})" in fault(tmp_path, [*rows, rows[one]])


def test_one_sex_is_not_taken_for_persons(tmp_path):
    males = [row if n == 0 else [*row[:3], "males", *row[4:]] for n, row in enumerate(projection())]
    assert "has male only, expected persons or both sexes" in fault(tmp_path, males)
    other = [row if n == 0 else [*row[:3], "others", *row[4:]] for n, row in enumerate(projection())]
    assert "line 2: expected persons, males or females, found 'others'" in fault(tmp_path, other)


def test_a_year_is_needed(tmp_path):
    rows = wide()
    rows[0] = ["Population estimates"]
    assert "has no column of years" in fault(tmp_path, rows)
    assert figures(parse(tmp_path, rows, "mye2-mid2023.csv")) == expected([2023])


def test_another_file_and_an_unknown_district_are_errors(tmp_path):
    births = [row for row in projection() if row[2] != "Population"]
    assert "no rows of population" in fault(tmp_path, births)
    unknown = [[cell if cell != "E06000001" else "E06000999" for cell in row] for row in nomis()]
    assert "no authority is known for the area E06000999" in fault(tmp_path, unknown)
    wales = [row for row in nomis() if row[4] in ("GEOGRAPHY_CODE", "W06000001")]
    assert "has no districts or counties of England" in fault(tmp_path, wales)
