import zipfile
from pathlib import Path

import pandas as pd
import pytest

from deficits.errors import SourceError
from deficits.publications import ehc_plans
from deficits.raw import read_table
from deficits.publications.publication import Table

from .samples import csv_text, native, reordered, without

PLACE = [
    "time_period",
    "time_identifier",
    "geographic_level",
    "country_code",
    "country_name",
    "region_code",
    "region_name",
    "new_la_code",
    "old_la_code",
    "la_name",
]
BREAKDOWN = ["breakdown_topic", "breakdown"]
PLACEMENTS_2025 = [
    "ehcplans",
    "mainstream_independent",
    "mainstream_total",
    "mainstream_total_pc",
    "special_la_maintained",
    "special_academy_free",
    "special_independent",
    "special_non_maintained",
    "special_total",
    "ap_pru_total",
    "AP_PRU_total_pc",
    "specialist_post_16_institutions",
    "fe_total",
    "elective_home_education",
    "ed_elsewhere",
    "nm_early_years",
    "placement_unknown",
    "await_prov_2022",
    "perm_ex_2022",
]
TOTAL_2025 = ["All EHC plans", "All EHC plans"]
ENGLAND = ["National", "E92000001", "England", "", "", "", "", ""]
SOUTH_EAST = ["Regional", "E92000001", "England", "E12000008", "South East", "", "", ""]
KENT = ["Local authority", "E92000001", "England", "E12000008", "South East", "E10000016", "886", "Kent"]
MEDWAY = ["Local authority", "E92000001", "England", "E12000008", "South East", "E06000035", "887", "Medway"]
BUCKS_OLD = [*KENT[:5], "E10000002", "825", "Buckinghamshire"]
BUCKS_NEW = [*KENT[:5], "E06000060", "825", "Buckinghamshire"]
HULL = [*KENT[:3], "E12000003", "Yorkshire and The Humber", "E06000010", "810", "Kingston upon Hull, City of"]


def at(period: str, place: list[str], *rest: object) -> list[object]:
    kind = "Academic year" if len(period) == 6 else "Calendar year"
    return [period, kind, *place, *rest]


def placed(plans: object, others: object = 0) -> list[object]:
    """Figures of a row of caseload.csv in the 2025 release, invented."""
    return [plans, *[others] * (len(PLACEMENTS_2025) - 1)]


CASELOAD = [
    [*PLACE, *BREAKDOWN, *PLACEMENTS_2025],
    at("202324", ENGLAND, *TOTAL_2025, *placed(300, 30)),
    at("202324", KENT, *TOTAL_2025, *placed(100, 10)),
    at("202324", MEDWAY, *TOTAL_2025, *placed(200, "x")),
    at("202425", ENGLAND, *TOTAL_2025, *placed(330, 33)),
    at("202425", SOUTH_EAST, *TOTAL_2025, *placed(330, 33)),
    at("202425", KENT, *TOTAL_2025, *placed(110, 11)),
    at("202425", MEDWAY, *TOTAL_2025, *placed(220, 22)),
    at("202425", ENGLAND, "Child or young persons age", "10", *placed(30)),
    at("202425", KENT, "Child or young persons age", "10", *placed(30)),
    at("202425", KENT, "Child or young persons age", "Under 3", *placed(1)),
    at("202425", KENT, "Sex", "Female", *placed(50)),
]

REQUESTS_2026 = [
    [
        *PLACE,
        *BREAKDOWN,
        "requests_received_in_year",
        "requests_rya",
        "requests_decided_to_assess",
        "requests_decided_not_to_assess",
        "requests_decision_not_made",
        "requests_withdrawn",
    ],
    at("2022", ENGLAND, *["All requests for an EHC needs assessment"] * 2, 50, 0, "x", 5, "x", "x"),
    at("2022", HULL, *["All requests for an EHC needs assessment"] * 2, 20, 0, "x", 2, "x", "x"),
    at("2022", BUCKS_NEW, *["All requests for an EHC needs assessment"] * 2, 30, 0, "x", 3, "x", "x"),
]
NEW_PLANS = [
    [*PLACE, *BREAKDOWN, "new_ehc_plans", "mainstream_total"],
    at("2022", ENGLAND, "New EHC plans", "New EHC plans", 7, 7),
    at("2022", BUCKS_OLD, "New EHC plans", "New EHC plans", 7, 7),
]
ENGLAND_2023 = ["National", "E92000001", "England", "", "", "", "", ""]
SEN2_MI = [
    [*PLACE, "ass_none_ehc", "ass_refused_ehc", "assessments", "inreq_ehc", "new_all_ehc", "total_tribunal_pc"],
    [2014, "Calendar year", *ENGLAND_2023, 3, 4, "z", "z", 12, " 72.358"],
    [2014, "Calendar year", *KENT, 1, 2, "z", "z", 5, "z"],
    [2014, "Calendar year", *MEDWAY, 2, 2, "z", "z", 7, "z"],
]
AGE_BANDS_2024 = [
    [*PLACE, "age", "ehcp_or_statement", "num_caseload", "pc_caseload", "", ""],
    *[
        at("2024", place, age, document, "z" if document == "Statement" else plans, "z", "", "       ")
        for age, plans_by_place in {"Age 5 to 10": (9, 4, 5), "Total": (9, 4, 5)}.items()
        for place, plans in zip((ENGLAND, KENT, MEDWAY), plans_by_place, strict=True)
        for document in ("EHCP", "Statement", "Total")
    ],
]


def parse(tmp_path: Path, rows: list[list[object]], name: str = "file.csv", **how: bool) -> tuple[Table, ...]:
    path = tmp_path / name
    path.write_text("\ufeff" + csv_text(rows, **how), encoding="utf-8")
    return ehc_plans.parse(path)


def fault(tmp_path: Path, rows: list[list[object]], name: str = "file.csv") -> str:
    with pytest.raises(SourceError) as told:
        parse(tmp_path, rows, name)
    return str(told.value)


def test_caseload_2025_gives_plans_by_placement_and_by_single_age(tmp_path):
    placement, ages = parse(tmp_path, CASELOAD)
    assert (placement.kind, placement.key) == ("plans_by_placement", ("january", "dfe_number"))
    assert placement.frame[["january", "dfe_number", "la_code", "plans"]].to_numpy().tolist() == [
        [2024, "886", "E10000016", 100.0],
        [2024, "887", "E06000035", 200.0],
        [2025, "886", "E10000016", 110.0],
        [2025, "887", "E06000035", 220.0],
    ]
    assert (ages.kind, ages.key) == ("plans_by_single_age", ("january", "dfe_number", "age"))
    assert ages.frame[["january", "dfe_number", "age", "plans"]].to_numpy().tolist() == [
        [2025, "886", "10", 30.0],
        [2025, "886", "under 3", 1.0],
    ]


def test_columns_are_those_of_the_project_s_own_table(tmp_path):
    placement, ages = parse(tmp_path, CASELOAD)
    assert set(placement.frame) == set(read_table("ehc-plans", "plans_by_placement_2019_2025.csv"))
    assert set(ages.frame) == set(read_table("ehc-plans", "plans_by_single_age_2024_2025.csv"))


def test_a_symbol_is_missing_with_its_reason_and_a_zero_stays(tmp_path):
    placement, _ = parse(tmp_path, CASELOAD)
    gaps = placement.missing
    assert set(gaps["dfe_number"]) == {"887"}
    assert set(gaps["january"]) == {2024}
    assert set(gaps["symbol"]) == {"x"}
    assert set(gaps["reason"]) == {"not available"}
    assert len(gaps) == placement.frame.isna().to_numpy().sum() == 16
    assert "mainstream_total 2024: councils sum to 10, England is 30 (councils are missing)" in placement.dropped
    zero = [row if row[9] != "Kent" or row[0] != "202425" else [*row[:14], 0, *row[15:]] for row in CASELOAD]
    zero = [row for row in zero if row[2] != "National"]
    assert parse(tmp_path, zero)[0].frame["mainstream_total"].tolist()[2] == 0.0


def test_totals_of_nation_and_region_are_dropped_by_level(tmp_path):
    placement, _ = parse(tmp_path, CASELOAD)
    assert placement.dropped[:2] == ("England", "South East")


def test_columns_in_another_order_and_one_more_change_nothing(tmp_path):
    for rows in (CASELOAD, REQUESTS_2026, SEN2_MI):
        for once, again in zip(parse(tmp_path, rows), parse(tmp_path, reordered(rows)), strict=True):
            pd.testing.assert_frame_equal(once.frame, again.frame)
            pd.testing.assert_frame_equal(once.missing, again.missing)


@pytest.mark.parametrize(
    "column", ["old_la_code", "time_period", "breakdown_topic", "fe_total", "special_academy_free"]
)
def test_a_missing_column_is_named(tmp_path, column):
    told = fault(tmp_path, without(CASELOAD, column))
    assert f"no column '{column}'" in told
    assert "did you mean" in told or "known: " in told


def test_a_missing_main_column_is_named_where_the_file_s_name_tells_the_table(tmp_path):
    told = fault(tmp_path, without(CASELOAD, "ehcplans"), "caseload.csv")
    assert "no column 'ehcplans' (plans)" in told


def test_2026_release_academies_and_free_schools_are_one_figure(tmp_path):
    headings = CASELOAD[0][:]
    split = headings.index("special_academy_free")
    headings[split : split + 1] = ["special_academy", "special_free_school"]

    def row(period, place, academies, free):
        cells = at(period, place, *TOTAL_2025, *placed(10))
        return [*cells[:split], academies, free, *cells[split + 1 :]]

    rows = [
        headings,
        row("202425", ENGLAND, 12, "x"),
        row("202425", KENT, 5, "x"),
        row("202425", MEDWAY, 7, "x"),
        row("202526", ENGLAND, 13, 4),
        row("202526", KENT, 5, 2),
        row("202526", MEDWAY, "x", "x"),
    ]
    rows = [[10 if cell == 20 else cell for cell in line] for line in rows]
    for england in (1, 4):
        rows[england][headings.index("ehcplans")] = 20
    table = parse(tmp_path, rows)[0]
    assert table.frame["special_academy_free"].tolist()[:3] == [5.0, 7.0, 7.0]
    gaps = table.missing
    assert gaps.to_dict("records") == [
        {
            "january": 2026,
            "dfe_number": "887",
            "column": "special_academy_free",
            "symbol": "x",
            "reason": "not available",
        }
    ]


def test_2026_ages_are_the_same_labels(tmp_path):
    rows = [
        CASELOAD[0],
        at("202526", KENT, *TOTAL_2025, *placed(2)),
        at("202526", KENT, "Age at start of academic year", "age 10", *placed(1)),
        at("202526", KENT, "Age at start of academic year", "age 2 and under", *placed(1)),
        at("202526", KENT, "Age when plan started", "age 10", *placed(1)),
    ]
    _, ages = parse(tmp_path, rows)
    assert ages.frame["age"].tolist() == ["10", "under 3"]


def test_2023_release_quoted_headings_and_symbols(tmp_path):
    (table,) = parse(tmp_path, SEN2_MI, quoted=True)
    assert table.kind == "flows_before_2023"
    assert table.frame[
        ["calendar_year", "dfe_number", "requests_refused", "new_ehc_plans"]
    ].to_numpy().tolist() == [
        [2014, "886", 2.0, 5.0],
        [2014, "887", 2.0, 7.0],
    ]
    assert set(table.missing["column"]) == {"requests_received_in_year", "assessments"}
    assert set(table.missing["reason"]) == {"not applicable"}


def test_2024_release_bands_of_age_with_empty_headings(tmp_path):
    (table,) = parse(tmp_path, AGE_BANDS_2024)
    assert table.kind == "plans_by_age"
    assert table.frame[["january", "dfe_number", "age_group", "plans"]].to_numpy().tolist() == [
        [2024, "886", "Age 5 to 10", 4.0],
        [2024, "887", "Age 5 to 10", 5.0],
    ]
    assert set(table.frame) == set(read_table("ehc-plans", "plans_by_age_2010_2023.csv"))


def test_annual_reviews_count_the_plans_of_the_january_after(tmp_path):
    total = ["All reviews of EHC plans"] * 2
    rows = [
        [*PLACE, *BREAKDOWN, "total_ehc_plans", "review_expected_2025"],
        at("2025", ENGLAND, "Sex", "Female", 4, 1),
        at("2025", ENGLAND, *total, 9, 1),
        at("2025", KENT, *total, 9, 1),
    ]
    (table,) = parse(tmp_path, rows)
    assert table.kind == "plans_total"
    assert table.frame[["january", "dfe_number", "plans"]].to_numpy().tolist() == [[2026, "886", 9.0]]


def test_a_release_s_zip_joins_its_flows_and_merges_a_council_of_two_codes(tmp_path):
    path = tmp_path / "release.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/requests.csv", csv_text(REQUESTS_2026))
        archive.writestr("data/newplans.csv", csv_text(NEW_PLANS))
        archive.writestr("data/caseload.csv", csv_text(CASELOAD))
        archive.writestr("data/sen_need_newplans.csv", "time_period,ehc_plans\r\n2024,5\r\n")
        archive.writestr("data-guidance/data-guidance.txt", "no table")
    tables = {table.kind: table for table in ehc_plans.parse(path)}
    assert set(tables) == {"flows", "plans_by_placement", "plans_by_single_age"}
    flows = tables["flows"].frame.set_index("dfe_number")
    assert flows.loc["825", ["la_code", "requests_received_in_year", "new_ehc_plans"]].tolist() == [
        "E06000060",
        30.0,
        7.0,
    ]
    absent = tables["flows"].missing.query("column == 'new_ehc_plans'")
    assert absent[["dfe_number", "reason"]].to_numpy().tolist() == [["810", "no row in newplans.csv"]]


def test_a_council_twice_under_two_codes_becomes_one_row_unless_cells_conflict(tmp_path):
    total = ["All requests for an EHC needs assessment"] * 2
    split = [
        REQUESTS_2026[0],
        at("2022", BUCKS_NEW, *total, 30, 0, "x", "x", "x", "x"),
        at("2022", BUCKS_OLD, *total, "x", 0, "x", 3, "x", "x"),
    ]
    (table,) = parse(tmp_path, split)
    assert table.frame[
        ["dfe_number", "requests_received_in_year", "requests_decided_not_to_assess"]
    ].to_numpy().tolist() == [["825", 30.0, 3.0]]
    assert "requests_received_in_year" not in set(table.missing["column"])
    split[2][12] = 31
    told = fault(tmp_path, split)
    assert "2022 825 (lines 2, 3)" in told


def test_a_row_twice_is_an_error(tmp_path):
    assert "202" in fault(tmp_path, [*CASELOAD, CASELOAD[6]])
    assert "2025 886 E10000016 (lines 7, 13)" in fault(tmp_path, [*CASELOAD, CASELOAD[6]])


def test_councils_that_do_not_sum_to_england_are_an_error(tmp_path):
    told = fault(tmp_path, [row for row in CASELOAD if row[9] != "Medway"])
    assert "plans 2024: councils sum to 100, England is 300" in told


def test_a_council_with_no_row_between_two_years_leaves_a_sum_short(tmp_path):
    rows = [NEW_PLANS[0]]
    for year in ("2020", "2021", "2023"):
        rows += [at(year, ENGLAND, "New EHC plans", "New EHC plans", 7, 7)]
        rows += [at(year, KENT, "New EHC plans", "New EHC plans", 4, 4)]
        rows += [at(year, MEDWAY, "New EHC plans", "New EHC plans", 3, 3)]
    (table,) = parse(tmp_path, rows[:6] + rows[7:])
    assert "new_ehc_plans 2021: councils sum to 4, England is 7 (councils are missing)" in table.dropped
    # In the last year it may be the file that is cut short.
    assert "new_ehc_plans 2023: councils sum to 4, England is 7" in fault(tmp_path, rows[:-1])


def test_publisher_s_own_difference_is_kept_and_told(tmp_path):
    found, england = ehc_plans.PUBLISHERS_OWN["new_ehc_plans", 2022]
    rows = [NEW_PLANS[0], [*NEW_PLANS[1][:12], england, 0], [*NEW_PLANS[2][:12], found, 0]]
    (table,) = parse(tmp_path, rows)
    assert table.frame["new_ehc_plans"].tolist() == [found]
    assert table.dropped[-1] == "new_ehc_plans 2022: councils sum to 151,798, England is 66,706 (as published)"


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("ehcplans", "about 5", "column 'plans': expected a number or a symbol, found line 4: 'about 5'"),
        ("ehcplans", "12%", "line 4: '12%'"),
        ("old_la_code", "88", "line 4, column 'old_la_code': found '88' for Medway"),
        ("time_period", "202326", "line 4, column 'time_period': found '202326', expected a year like 202425"),
        ("geographic_level", "School", "line 4, column 'geographic_level': found 'School'"),
    ],
)
def test_a_cell_that_is_wrong_is_named_with_line_and_column(tmp_path, column, cell, expected):
    place = CASELOAD[0].index(column)
    rows = [[*row[:place], cell, *row[place + 1 :]] if n == 3 else row for n, row in enumerate(CASELOAD)]
    told = fault(tmp_path, rows)
    assert "file.csv" in told
    assert expected in told


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (csv_text(CASELOAD)[:-20].encode(), "line 12 has"),
        (b"", "is empty"),
        (b"<!DOCTYPE html><html></html>", "is a web page"),
        (b"PK\x03\x04 cut", "cut short"),
        (csv_text(CASELOAD[:1]).encode(), "headings and no rows"),
        (b"time_period,old_la_code,dsg\r\n202425,886,5\r\n", "no table of education, health and care plans"),
        (csv_text([CASELOAD[0], CASELOAD[-1]]).encode(), "no totals among its breakdowns"),
    ],
)
def test_a_file_that_is_cut_short_or_another_is_an_error(tmp_path, content, expected):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"file\.csv") as told:
        ehc_plans.parse(path)
    assert expected in str(told.value)


def test_a_missing_file_and_a_zip_of_others_are_errors(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        ehc_plans.parse(tmp_path / "none.csv")
    path = tmp_path / "release.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/exclusions.csv", "a,b\r\n1,2\r\n")
    with pytest.raises(SourceError, match=r"holds none of the files caseload\.csv"):
        ehc_plans.parse(path)


def same(parsed: Table, raw: pd.DataFrame, year: str) -> None:
    """Parsed cells equal the project's own table in every column and row that both have."""
    key = [year, "dfe_number"]
    raw = raw.assign(**{year: raw[year].astype("int64")})
    # The project keeps Buckinghamshire's two rows of 2022 apart; the parser makes them one.
    raw = raw.groupby(key).first()
    parsed_by_key = parsed.frame.set_index(key)
    assert parsed_by_key.index.isin(raw.index).all()
    raw = raw.loc[parsed_by_key.index]
    counted = list(parsed.frame.select_dtypes("number").columns.difference(key))
    for column in ["la_name", "region", *counted]:
        values = raw[column].astype(float) if column in counted else raw[column]
        pd.testing.assert_series_equal(parsed_by_key[column], values, check_dtype=False, check_exact=True)


def test_native_caseload_equals_the_project_s_table_and_its_golden_sums():
    (table,) = ehc_plans.parse(native("ees_ehc_plans_2025/caseload_totals_excerpt.csv"))
    same(table, read_table("ehc-plans", "plans_by_placement_2019_2025.csv"), "january")
    sums = table.frame.groupby("january")["plans"].sum()
    assert sums[2019] == 353_995
    assert sums[2025] == 638_745
    assert table.frame.groupby("january").size().tolist() == [152, 151, 151, 152, 152, 153, 153]
    newham = table.frame.query("dfe_number == '316' and january >= 2024")["plans"]
    assert newham.tolist() == [2705, 1199], "as published, right or wrong"


def test_native_requests_and_new_plans_equal_the_project_s_table():
    raw = read_table("ehc-plans", "flows_2019_2024.csv")
    (requests,) = ehc_plans.parse(native("ees_ehc_plans_2025/requests_totals_excerpt.csv"))
    same(requests, raw, "calendar_year")
    by_year = requests.frame.groupby("calendar_year")["requests_received_in_year"].sum()
    assert 138_242 - by_year[2023] == 935
    (new,) = ehc_plans.parse(native("ees_ehc_plans_2025/newplans_totals_excerpt.csv"))
    as_published = raw.drop(columns="new_ehc_plans").rename(
        columns={"new_ehc_plans_as_published": "new_ehc_plans"}
    )
    same(new, as_published, "calendar_year")
    assert "new_ehc_plans 2022: councils sum to 151,798, England is 66,706 (as published)" in new.dropped


def test_native_2023_release_equals_the_project_s_table():
    (table,) = ehc_plans.parse(native("ees_ehc_plans_2023/sen2_mi.csv"))
    same(table, read_table("ehc-plans", "flows_2009_2022.csv"), "calendar_year")
    assert table.frame.groupby("calendar_year")["new_ehc_plans"].sum()[2022] == 68_665
    # Every sum is England's: nothing is told but the names of the totals.
    assert not [note for note in table.dropped if "councils sum" in note]
