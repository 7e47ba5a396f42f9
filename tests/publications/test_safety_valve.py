"""Safety valve agreements: the project's own table and made-up ones in its shape."""

from pathlib import Path

import pandas as pd
import pytest

from deficits.paths import raw_dir
from deficits.publications import safety_valve
from deficits.publications.editions import Table
from deficits.raw import read_table
from tests.publications.samples import fault_of, reordered, write_csv

Rows = list[list[object]]
LISTED: Rows = [
    ["la_name", "agreement_year", "total_payment_gbp", "payments_by_year_gbp", "note"],
    ["Bury", "2020-21", "20000000", "2020-21:4000000;2024/25:0", "a note"],
    ["Bexley", "2022-23", "", "", ""],
    ["Kent CC", "", "", "", ""],
]


def parse(tmp_path: Path, rows: Rows) -> tuple[Table, ...]:
    return safety_valve.parse(write_csv(tmp_path / "valve.csv", rows))


def fault(tmp_path: Path, rows: Rows, *parts: str) -> str:
    return fault_of(safety_valve.parse, write_csv(tmp_path / "valve.csv", rows), *parts)


def test_payments_listed_in_a_cell_and_a_total_not_found(tmp_path: Path) -> None:
    (agreements,) = parse(tmp_path, LISTED)
    paid = agreements.frame["payments_by_year_gbp"][0]
    assert safety_valve.payments_of(paid, "a.csv") == {"2020-21": 4e6, "2024-25": 0.0}
    assert agreements.frame["dfe_number"].tolist() == ["351", "303", "886"]
    assert agreements.frame["total_payment_gbp"].isna().tolist() == [False, True, True]
    assert agreements.frame["note"].isna().tolist() == [False, True, True]
    assert agreements.missing["reason"].tolist() == ["blank", "blank"]


def test_columns_in_another_order_and_one_more_change_nothing(tmp_path: Path) -> None:
    for once, again in zip(parse(tmp_path, LISTED), parse(tmp_path, reordered(LISTED)), strict=True):
        assert once.frame.equals(again.frame[once.frame.columns])


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        (["Kingston Bagpuize", "", "2", "", ""], ["line 3", "'Kingston Bagpuize'"]),
        (["Bury", "", "2", "", ""], ["351 (lines 2, 3)"]),
        (["Bexley", "", "lots", "", ""], ["line 3", "'total_payment_gbp'", "'lots'"]),
        (["Bexley", "", "2", "2020-21:3;2021-22:1", ""], ["line 3", "£4", "£2"]),
        (["Bexley", "", "", "2020-22:5", ""], ["line 3", "'payments_by_year_gbp'", "2020-22"]),
        (["Bexley", "", "", "2020-21:5;2020-21:6", ""], ["line 3", "each year once"]),
        (["Bexley", "", "", "2020-21:five", ""], ["line 3", "'2020-21:five'"]),
        (["Bexley", "", "", "2020-21:-5", ""], ["line 3", "'2020-21:-5'"]),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: list[object], parts: list[str]) -> None:
    fault(tmp_path, [*LISTED[:2], row], *parts)


def test_the_project_s_own_table() -> None:
    (agreements,) = safety_valve.parse(raw_dir() / "safety-valve" / "agreements.csv")
    raw = read_table("safety-valve", "agreements.csv", numeric=["total_payment_gbp"])
    assert agreements.frame["dfe_number"].is_unique
    pd.testing.assert_frame_equal(agreements.frame[[*raw]], raw)
