"""DSG allocations: made-up workbooks in the shape of DfE's (figures invented)."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deficits.publications.dsg_allocations import BLOCKS, TOTAL, parse
from tests.publications.samples import fault_of, write_workbook

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


def fault(tmp_path: Path, sheets: dict[str, list[list[object]]], *parts: str) -> str:
    return fault_of(parse, write_workbook(tmp_path / "dsg.ods", sheets), *parts)


def changed(row: int, **cells: object) -> list[list[object]]:
    """The councils with one of them changed, by column place (`c4` is the high needs block)."""
    councils = [list(council) for council in COUNCILS]
    for place, value in cells.items():
        councils[row][int(place[1:])] = value
    return councils


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


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    ("councils", "parts"),
    [
        (changed(1, c0=202, c1="Camden again"), ["202", "lines 6, 7"]),
        (changed(0, c0=299), ["line 6", "'299'", "did you mean 'Camden'?"]),
        (changed(0, c4="about 40"), ["line 6", "'High needs block (£s)'", "'about 40'"]),
        (changed(0, c4="26%"), ["line 6", "'High needs block (£s)'", "'26%'"]),
        (changed(0, c6=""), ["line 6", "'Total DSG allocation (£s)'", "blank", "never calculated"]),
        (changed(2, c4=65, c6=401), ["England, high_needs_block", "£155", "£150"]),
        (changed(2, c4=90), ["line 8", "North Northamptonshire", "£426", "£396"]),
        (COUNCILS[:2], ["England, schools_block", "£300", "£600"]),
    ],
)
def test_a_fault_names_sheet_line_column_and_cell(
    tmp_path: Path, councils: list[list[object]], parts: list[str]
) -> None:
    fault(tmp_path, workbook(councils), "sheet 'Allocations_summary'", *parts)


def test_a_cell_without_a_number_is_missing_with_its_symbol(tmp_path: Path) -> None:
    (table,) = parse(write_workbook(tmp_path / "dsg.ods", workbook(changed(1, c5="z", c6="z"))))
    assert table.frame["early_years_block"].isna().tolist() == [False, True, False]
    assert table.missing.to_numpy().tolist() == [
        ["2021-22", "203", "early_years_block", "not applicable"],
        ["2021-22", "203", "total_dsg", "not applicable"],
    ]


def test_two_years_in_one_workbook_are_refused(tmp_path: Path) -> None:
    message = fault(tmp_path, workbook(information="2022 to 2023"))
    assert "2021-22" in message
    assert "'Information' is for 2022-23" in message


def test_of_two_sheets_with_the_blocks_the_summary_is_read_with_a_note(tmp_path: Path) -> None:
    sheets = workbook()
    older = [
        [value / 2 if isinstance(value, int) else value for value in row] for row in sheets["Allocations_summary"]
    ]
    (table,) = parse(write_workbook(tmp_path / "dsg.ods", {"Indicative": older, **sheets}))
    assert table.frame[MONEY].to_numpy().tolist() == [row[2:] for row in COUNCILS]
    assert "Indicative" in table.notes[0]
    rows = sheets["Allocations_summary"]
    assert "2 sheets" in fault(tmp_path, {"2021": rows, "2022": rows})


def test_a_workbook_without_england_a_unit_or_the_group_is_refused(tmp_path: Path) -> None:
    sheets = workbook()
    del sheets["Allocations_summary"][4]
    assert "one row 'England', found 0" in fault(tmp_path, sheets)
    assert "one unit" in fault(tmp_path, workbook(unit="$"))
    sheets = workbook()
    sheets["Allocations_summary"][0][2] = "2021 to 2022 DSG allocations"
    assert "before recoupment" in fault(tmp_path, sheets)
    assert "no line has the headings" in fault(tmp_path, {"Data": [["ONS Code", "Class"]]})
