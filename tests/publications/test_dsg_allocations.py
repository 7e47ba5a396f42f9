"""DSG allocations: the publisher's 2021-22 workbook, and made-up ones in its shape (figures invented)."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deficits.errors import SourceError
from deficits.raw import read_table
from deficits.publications.dsg_allocations import BLOCKS, TOTAL, parse
from tests.publications.samples import native
from tests.publications.workbook_files import write_workbook

MONEY = [*BLOCKS, *TOTAL]
COUNCILS = [
    [202, "Camden", 100, 2, 40, 10, 152],
    [203, "Greenwich", 200, 4, 50, 20, 274],
    [940, "North Northamptonshire", 300, 6, 60, 30, 396],
]


def workbook(
    councils: list[list[object]] = COUNCILS, unit: str = "£s", year: str = "2021 to 2022", information: str = ""
) -> dict[str, list[list[object]]]:
    """Sheets as DfE's, the 'after' columns half of the 'before' ones."""
    england = [sum(row[place] for row in COUNCILS) for place in range(2, 7)]
    blocks = ["Schools block", "Central school services block", "High needs block", "Early years block"]
    before = [f"{block} ({unit})" for block in blocks]
    after = [before[0], *[f"{block} allocation ({unit})" for block in blocks[1:3]], before[3]]
    total = f"Total DSG allocation ({unit})"

    def halved(row: list[object]) -> list[object]:
        return [*row, *[value / 2 if isinstance(value, int | float) else value for value in row[2:]]]

    title = f"{year} DSG allocations, before recoupment and deductions for direct funding of high needs places"
    later = f"{year} DSG allocations, after deductions for academies recoupment and direct funding"
    information = information or year
    return {
        "Information": [[" "], ["", f"Dedicated schools grant (DSG): {information} financial year allocations"]],
        "Allocations_summary": [
            [f"Dedicated schools grant: {year} allocations local authority summary", "", title, *[""] * 4, later],
            ["", "", *before, total, *after, total],
            [" ", " ", *[f"[{letter}]" for letter in "ABCDEFGHIJ"]],
            [" ", " ", " ", " ", " ", " ", " = [A] + [B] + [C] + [D]", " ", " ", " ", " ", " = [F] + [G]"],
            halved(["ENGLAND", "", *england]),
            *[halved(row) for row in councils],
            [""] * 12,
            halved(["LONDON", "", 300, 6, 90, 30, 426]),
            halved(["Yorkshire and the Humber", "", 0, 0, 0, 0, 0]),
        ],
        "High_needs_block": [["", "", "Total high needs block before deductions (£s)"], [202, "Camden", 40]],
    }


def frame_of(tmp_path: Path, sheets: dict[str, list[list[object]]], suffix: str = ".ods") -> pd.DataFrame:
    (table,) = parse(write_workbook(tmp_path / f"dsg{suffix}", sheets))
    return table.frame


def fault(tmp_path: Path, sheets: dict[str, list[list[object]]]) -> str:
    with pytest.raises(SourceError) as caught:
        parse(write_workbook(tmp_path / "dsg.ods", sheets))
    return str(caught.value)


def changed(row: int, **cells: object) -> list[list[object]]:
    """The councils with one of them changed, by column place (`c4` is the high needs block)."""
    councils = [list(council) for council in COUNCILS]
    for place, value in cells.items():
        councils[row][int(place[1:])] = value
    return councils


def test_the_publishers_workbook_is_our_raw_table_exactly() -> None:
    (table,) = parse(native("dedicated-schools-grant_2022_07_18.ods"))
    held = read_table("dsg-allocations", "allocations_by_block.csv", numeric=MONEY)
    held = held[held["financial_year"] == "2021-22"].reset_index(drop=True)
    pd.testing.assert_frame_equal(table.frame, held, check_flags=False)
    assert table.frame["high_needs_block"].sum() == 7_906_348_577
    assert table.frame["total_dsg"].sum() == 51_128_654_118
    assert len(table.frame) == 150
    assert table.missing.empty
    assert table.dropped[:2] == ("ENGLAND", "LONDON")
    assert len(table.dropped) == 14


@pytest.mark.parametrize("suffix", [".ods", ".xlsx"])
def test_the_columns_before_deductions_are_taken(tmp_path: Path, suffix: str) -> None:
    frame = frame_of(tmp_path, workbook(), suffix)
    assert list(frame.columns) == ["financial_year", "dfe_number", "la_name", *MONEY]
    assert frame[MONEY].to_numpy().tolist() == [row[2:] for row in COUNCILS]
    assert list(frame["dfe_number"]) == ["202", "203", "940"]
    assert set(frame["financial_year"]) == {"2021-22"}


def test_millions_become_pounds_to_the_penny(tmp_path: Path) -> None:
    frame = frame_of(tmp_path, workbook(unit="£m"))
    assert frame["high_needs_block"].tolist() == [40e6, 50e6, 60e6]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(12)), at=st.integers(0, 12))
def test_column_order_and_an_added_column_change_nothing(tmp_path: Path, order: list[int], at: int) -> None:
    sheets = workbook()
    rows = [[*row, *[""] * (12 - len(row))] for row in sheets["Allocations_summary"]]
    # The title of a group stands over its first column; moved columns each carry theirs.
    rows[0] = [rows[0][0], "", *[rows[0][2]] * 5, *[rows[0][7]] * 5]
    moved = [[row[place] for place in order] for row in rows]
    for place, row in enumerate(moved):
        row.insert(at, "Change since last year (%)" if place == 1 else "")
    expected = frame_of(tmp_path, sheets)
    pd.testing.assert_frame_equal(frame_of(tmp_path, {**sheets, "Allocations_summary": moved}), expected)


@pytest.mark.parametrize("block", range(2, 6))
def test_a_block_that_is_gone_is_named_with_the_closest(tmp_path: Path, block: int) -> None:
    sheets = workbook()
    name = str(sheets["Allocations_summary"][1][block])
    sheets["Allocations_summary"][1][block] = name.replace("block", "blck")
    message = fault(tmp_path, sheets)
    assert "sheet 'Allocations_summary': no column" in message
    assert name.removesuffix(" (£s)").lower() in message
    assert "blck" in message


@pytest.mark.parametrize(
    ("councils", "words"),
    [
        (changed(1, c0=202, c1="Camden again"), "found 2021-22 202 (lines 6, 7)"),
        (changed(0, c0=299), "line 6: no education authority is known by '299' (Camden): did you mean 'Camden'?"),
        (
            changed(0, c4="about 40"),
            "column 'high_needs_block': expected a number or a symbol, found line 6: 'about 40'",
        ),
        (changed(0, c4="26%"), "column 'high_needs_block': expected a number or a symbol, found line 6: '26%'"),
        (
            changed(2, c4=65, c6=401),
            "England, high_needs_block: rows of authorities (3) sum to £155, but the file's own total is",
        ),
        (changed(2, c4=90), "line 8: North Northamptonshire's blocks sum to £426, but its total is £396"),
        (
            COUNCILS[:2],
            "England, schools_block: rows of authorities (2) sum to £300, but the file's own total is £600",
        ),
    ],
)
def test_a_fault_names_file_line_and_column(tmp_path: Path, councils: list[list[object]], words: str) -> None:
    message = fault(tmp_path, workbook(councils))
    assert "dsg.ods, sheet 'Allocations_summary'" in message
    assert words in message


def test_a_cell_without_a_number_is_missing_with_its_symbol(tmp_path: Path) -> None:
    (table,) = parse(write_workbook(tmp_path / "dsg.ods", workbook(changed(1, c5="z", c6="z"))))
    assert table.frame["early_years_block"].isna().tolist() == [False, True, False]
    assert table.missing.to_numpy().tolist() == [
        ["2021-22", "203", "early_years_block", "z", "not applicable"],
        ["2021-22", "203", "total_dsg", "z", "not applicable"],
    ]


def test_two_years_in_one_workbook_are_refused(tmp_path: Path) -> None:
    message = fault(tmp_path, workbook(information="2022 to 2023"))
    assert "is for 2021-22, but sheet 'Information' is for 2022-23" in message


def test_a_workbook_without_england_a_unit_or_the_group_is_refused(tmp_path: Path) -> None:
    sheets = workbook()
    del sheets["Allocations_summary"][4]
    assert "expected one row 'England', found 0" in fault(tmp_path, sheets)
    assert "expected one unit, £s or" in fault(tmp_path, workbook(unit="$"))
    sheets = workbook()
    sheets["Allocations_summary"][0][2] = "2021 to 2022 DSG allocations"
    assert "expected columns under a title 'before recoupment and deductions'" in fault(tmp_path, sheets)


def test_another_workbook_and_a_cut_file_are_refused(tmp_path: Path) -> None:
    assert "no sheet has the blocks of the DSG as headings" in fault(tmp_path, {"Data": [["ONS Code", "Class"]]})
    path = write_workbook(tmp_path / "cut.ods", workbook())
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(SourceError, match=r"cut\.ods cannot be read as a workbook"):
        parse(path)
