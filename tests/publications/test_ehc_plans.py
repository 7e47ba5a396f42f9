"""EHC plans: made-up files in the shapes of DfE's releases (figures invented)."""

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from deficits.publications import ehc_plans
from deficits.publications.editions import Table
from deficits.raw import read_table
from tests.publications.samples import csv_text, fault_of, reordered, write_csv

PLACE = [
    "time_period", "time_identifier", "geographic_level", "country_code", "country_name", "region_code",
    "region_name", "new_la_code", "old_la_code", "la_name",
]  # fmt: skip
BREAKDOWN = ["breakdown_topic", "breakdown"]
PLACEMENTS_2025 = [
    "ehcplans", "mainstream_independent", "mainstream_total", "mainstream_total_pc", "special_la_maintained",
    "special_academy_free", "special_independent", "special_non_maintained", "special_total", "ap_pru_total",
    "AP_PRU_total_pc", "specialist_post_16_institutions", "fe_total", "elective_home_education", "ed_elsewhere",
    "nm_early_years", "placement_unknown", "await_prov_2022", "perm_ex_2022",
]  # fmt: skip
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

REQUESTS = [
    "requests_received_in_year", "requests_rya", "requests_decided_to_assess", "requests_decided_not_to_assess",
    "requests_decision_not_made", "requests_withdrawn",
]  # fmt: skip
REQUESTS_2026 = [
    [*PLACE, *BREAKDOWN, *REQUESTS],
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
    return ehc_plans.parse(write_csv(tmp_path / name, rows, **how))


def fault(tmp_path: Path, rows: list[list[object]], *parts: str, name: str = "file.csv") -> str:
    return fault_of(ehc_plans.parse, write_csv(tmp_path / name, rows), *parts)


def test_a_symbol_is_missing_with_its_reason_and_a_zero_stays(tmp_path):
    placement, _ = parse(tmp_path, CASELOAD)
    gaps = placement.missing
    assert set(gaps["dfe_number"]) == {"887"}
    assert set(gaps["january"]) == {2024}
    assert set(gaps["reason"]) == {"not available"}
    assert len(gaps) == placement.frame.isna().to_numpy().sum() == 16
    assert any(
        note.startswith("mainstream_total 2024: councils sum to 10, England is 30") for note in placement.notes
    )
    zero = [row if row[9] != "Kent" or row[0] != "202425" else [*row[:14], 0, *row[15:]] for row in CASELOAD]
    zero = [row for row in zero if row[2] != "National"]
    assert parse(tmp_path, zero)[0].frame["mainstream_total"].tolist()[2] == 0.0


def test_columns_in_another_order_and_one_more_change_nothing(tmp_path):
    for rows in (CASELOAD, REQUESTS_2026, SEN2_MI):
        for once, again in zip(parse(tmp_path, rows), parse(tmp_path, reordered(rows)), strict=True):
            pd.testing.assert_frame_equal(once.frame, again.frame)
            pd.testing.assert_frame_equal(once.missing, again.missing)


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
            "reason": "not available",
        }
    ]


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
    assert absent[["dfe_number", "reason"]].to_numpy().tolist() == [["810", "no row in the file"]]


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
    assert any("2021: councils sum to 4, England is 7" in note for note in table.notes)
    # In the last year it may be the file that is cut short.
    assert "new_ehc_plans 2023: councils sum to 4, England is 7" in fault(tmp_path, rows[:-1])


def test_councils_that_each_hold_their_regions_figure_are_kept_and_noted(tmp_path):
    region = [*SOUTH_EAST[:5], *SOUTH_EAST[5:]]
    rows = [NEW_PLANS[0]]
    for place, plans in ((ENGLAND, 9), (region, 7), (KENT, 7), (MEDWAY, 7), (HULL, 2)):
        rows.append(at("2024", place, "New EHC plans", "New EHC plans", plans, 0))
    (table,) = parse(tmp_path, rows)
    assert sorted(table.frame["new_ehc_plans"]) == [2, 7, 7]
    assert "South East" in table.notes[0]
    rows[2][12] = 6
    assert "councils sum to 16, England is 9" in fault(tmp_path, rows)


@pytest.mark.parametrize("period", ["202425", "2024/25", "2024-25", "2024 to 2025", "202425.0", "2025"])
def test_the_january_of_a_year_is_known_in_any_spelling(tmp_path, period):
    table, _ = parse(tmp_path, [[period, *row[1:]] if row[0] == "202425" else row for row in CASELOAD])
    assert table.frame["january"].tolist() == [2024, 2024, 2025, 2025]


@pytest.mark.parametrize(
    ("printed", "age"),
    [("Aged 10", "10"), ("age 7", "7"), ("Under 3", "under 3"), ("Aged 2 and under", "under 3")],
)
def test_an_age_is_called_alike_in_every_release(tmp_path, printed, age):
    place = CASELOAD[0].index("breakdown")
    rows = [row for row in CASELOAD if row[place] != "10"]
    rows = [[*row[:place], printed, *row[place + 1 :]] if row[place] == "Under 3" else row for row in rows]
    _, ages = parse(tmp_path, rows)
    assert ages.frame["age"].tolist() == [age]


@pytest.mark.parametrize(
    ("column", "cell", "parts"),
    [
        ("ehcplans", "about 5", ["line 4", "'ehcplans'", "'about 5'"]),
        ("ehcplans", "12%", ["line 4", "'12%'"]),
        ("old_la_code", "999", ["line 4", "'999'", "did you mean 'Medway'"]),
        ("time_period", "202326", ["line 4", "'time_period'", "'202326'"]),
        ("geographic_level", "School", ["line 4", "'geographic_level'", "'School'"]),
    ],
)
def test_a_cell_that_is_wrong_is_named_with_line_and_column(tmp_path, column, cell, parts):
    place = CASELOAD[0].index(column)
    rows = [[*row[:place], cell, *row[place + 1 :]] if n == 3 else row for n, row in enumerate(CASELOAD)]
    fault(tmp_path, rows, *parts)


def test_another_file_is_refused(tmp_path):
    assert "no line has the headings" in fault(tmp_path, [["dsg", "year"], [5, 2024]])
    assert "no table of education, health and care plans" in fault(tmp_path, [PLACE, at("2024", KENT)])
    assert "no totals among its breakdowns" in fault(tmp_path, [CASELOAD[0], CASELOAD[-1]])
