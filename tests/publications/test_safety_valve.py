import pandas as pd
import pytest

from deficits.errors import SourceError
from deficits.paths import raw_dir
from deficits.raw import read_table, safety_valve
from deficits.sources.names import dfe_number_named, folded

from .samples import csv_text, reordered, without

# A table with a column a year, its figures invented.
YEARLY = [
    ["Local authority", "Total payment (£m)", "2021 to 2022 (£m)", "2022 to 2023 (£m)"],
    ["Bristol City Council", "10.5", "4.5", "6.0"],
    ["Kingston-upon-Thames", "£2.0", "2.0", "z"],
    ["Total", "12.5", "6.5", "6.0"],
]
LISTED = [
    ["la_name", "agreement_year", "total_payment_gbp", "payments_by_year_gbp", "note"],
    ["Bury", "2020-21", "20000000", "2020-21:4000000;2024-25:0", "a note"],
    ["Bexley", "2022-23", "", "", ""],
]


def parse(tmp_path, rows):
    path = tmp_path / "valve.csv"
    path.write_text("\ufeff" + csv_text(rows), encoding="utf-8")
    return safety_valve.parse(path)


def fault(tmp_path, rows):
    with pytest.raises(SourceError) as told:
        parse(tmp_path, rows)
    return str(told.value)


def test_a_column_a_year_in_millions(tmp_path):
    agreements, payments = parse(tmp_path, YEARLY)
    assert agreements.frame[["dfe_number", "total_payment_gbp"]].to_numpy().tolist() == [
        ["801", 10.5e6],
        ["314", 2e6],
    ]
    assert payments.frame.to_numpy().tolist() == [
        ["314", "2021-22", 2e6],
        ["801", "2021-22", 4.5e6],
        ["801", "2022-23", 6e6],
    ]
    assert payments.key == ("dfe_number", "financial_year")
    assert payments.missing.to_dict("records") == [
        {
            "dfe_number": "314",
            "financial_year": "2022-23",
            "column": "payment_gbp",
            "symbol": "z",
            "reason": "not applicable",
        }
    ]
    assert agreements.dropped == ("Total",)


def test_payments_listed_in_a_cell_and_a_total_not_found(tmp_path):
    agreements, payments = parse(tmp_path, LISTED)
    assert payments.frame.to_numpy().tolist() == [["351", "2020-21", 4e6], ["351", "2024-25", 0.0]]
    assert agreements.frame["total_payment_gbp"].isna().tolist() == [False, True]
    assert agreements.frame["note"].isna().tolist() == [False, True]
    assert agreements.missing.to_dict("records") == [
        {"dfe_number": "303", "column": "total_payment_gbp", "symbol": "", "reason": "blank"}
    ]


def test_columns_in_another_order_and_one_more_change_nothing(tmp_path):
    for rows in (YEARLY, LISTED):
        for once, again in zip(parse(tmp_path, rows), parse(tmp_path, reordered(rows)), strict=True):
            pd.testing.assert_frame_equal(once.frame, again.frame, check_like=True)


def test_a_missing_column_is_named(tmp_path):
    assert "no column 'la_name'" in fault(tmp_path, without(YEARLY, "Local authority"))
    assert "no column 'total_payment_gbp'" in fault(tmp_path, without(LISTED, "total_payment_gbp"))
    assert "no column 'payments_by_year_gbp'" in fault(tmp_path, without(LISTED, "payments_by_year_gbp"))


@pytest.mark.parametrize(
    ("line", "row", "expected"),
    [
        (2, ["Kingston Bagpuize", "2.0", "2.0", "z"], "line 3: no authority is called 'Kingston Bagpuize'"),
        (2, ["Bristol", "2.0", "2.0", "z"], "801 (lines 2, 3)"),
        (2, ["Kent", "2.0", "lots", "z"], "line 3: 'lots'"),
        (2, ["Kent", "2.0", "-2.0", "z"], "found one below"),
        (2, ["Kent", "2.0", "3.0", "1.0"], "payments to Kent sum to £4,000,000, its total is £2,000,000"),
        (3, ["Total", "99.0", "6.5", "6.0"], "line 4, column 'total_payment_gbp': councils sum to £12,500,000"),
        (0, ["Local authority", "Total payment (£bn)", "2021-22", "2022-23"], "expected a unit among"),
    ],
)
def test_a_wrong_row_is_told(tmp_path, line, row, expected):
    assert expected in fault(tmp_path, [row if place == line else old for place, old in enumerate(YEARLY)])


@pytest.mark.parametrize("cell", ["2020-22:5", "2020-21:5;2020-21:6", "2020-21:five", "2020-21"])
def test_a_wrong_list_of_payments_is_told(tmp_path, cell):
    told = fault(tmp_path, [*LISTED[:2], ["Bexley", "2022-23", "", cell, ""]])
    assert "line 3, column 'payments_by_year_gbp': expected each year once" in told


def test_the_project_s_own_table():
    agreements, payments = safety_valve.parse(raw_dir() / "safety-valve" / "agreements.csv")
    raw = read_table("safety-valve", "agreements.csv", numeric=["total_payment_gbp"])
    assert agreements.frame["dfe_number"].is_unique
    pd.testing.assert_frame_equal(
        agreements.frame.drop(columns="dfe_number"), raw.drop(columns="payments_by_year_gbp"), check_like=True
    )
    assert len(agreements.missing) == 9
    assert (
        payments.frame.set_index(["dfe_number", "financial_year"])["payment_gbp"]["886", "2022-23"] == 56_800_000
    )


@pytest.mark.parametrize(
    ("spelling", "number"),
    [
        ("Bristol", "801"),
        ("City of Bristol", "801"),
        ("HULL CITY COUNCIL", "810"),
        ("Kingston upon Hull, City of", "810"),
        ("Royal Borough of Kingston upon Thames", "314"),
        ("Hammersmith & Fulham", "205"),
        ("Herefordshire", "884"),
        ("Durham County Council", "840"),
        ("Stoke on Trent", "861"),
        ("St Helens", "342"),
        ("BCP Council", "839"),
        ("Dorset", "838"),
        ("City of London", "201"),
    ],
)
def test_names_are_known_in_common_spellings(spelling, number):
    assert dfe_number_named(spelling, "a test") == number


@pytest.mark.parametrize("name", ["London", "England", "South East", ""])
def test_a_place_that_is_no_council_is_no_name(name):
    with pytest.raises(SourceError, match=f"a test: no authority is called '{name}', "):
        dfe_number_named(name, "a test")


def test_no_two_authorities_of_today_have_one_folded_name():
    table = read_table("authorities", "authority_codes.csv")
    current = table.loc[table["end_date"].isna(), "la_name"]
    assert current.map(folded).is_unique
