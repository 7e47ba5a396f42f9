"""High needs benchmarking: made-up sheets in the layout of DfE's (figures invented)."""

import pandas as pd

from deficits.publications import high_needs_benchmarking
from tests.publications.samples import fault_of, write_workbook

TOP_UP_STATE = "Top up funding (maintained schools, academies, free schools and colleges)"
TOP_UP_OTHER = "Top up funding (non-maintained\nand independent schools and colleges)"
AMOUNTS = [
    "Place funding",
    "Early Years",
    TOP_UP_STATE,
    "Early Years (1)",
    TOP_UP_OTHER,
    "SEN support and inclusion services",
    "Alternative provision services",
    "Hospital education services",
    "Therapies and other health related services",
]
LABELS = [
    "", "Region", "LA code", "LA name", "2-18 Population (ONS mid-2021 projection)", "",
    "No. aged up to 25 with SEN statement or EHCP",
]  # fmt: skip
PER_HEAD = ["Place funding per head for special schools and AP/PRUs", *["Income (1)"] * 3]


def sheet(*councils: list[object], year: str = "2021-22") -> list[list[object]]:
    """The workbook's layout with these councils: labels, budget, a broken block, outturn, amounts per head."""
    blank = [""] * len(LABELS)
    amounts = [""] * len(AMOUNTS)
    nff = ["2019-20 allocation", ""]
    return [
        [],
        ["", "Year", year, *blank[3:], *amounts, "Year", year],
        [*blank, "", "Section 251 budget", *amounts[1:], "", "2020-21", "", "Section 251 outturn"],
        [*blank, "", *AMOUNTS, "", "", "", *AMOUNTS, "", "Table 3b: High needs outturn reported in section 251"],
        [*LABELS, "", *AMOUNTS, "", *nff, "Place funding", "of which", *AMOUNTS[2:], "", *PER_HEAD],
        [*blank, "", "", "(1)", *amounts[2:], "", *nff, "", "(1)", *amounts[2:], ""],
        [],
        *councils,
    ]


def council(code: object, name: str, budget: object, outturn: object, region: str = "SOUTH EAST ") -> list[object]:
    """A row with one figure in each block, invented."""
    nine = [budget] * len(AMOUNTS), [outturn] * len(AMOUNTS)
    return ["", region, code, name, 1000.5, "", 50.0, "", *nine[0], "", "#REF!", "", *nine[1], "", "#REF!", 1.0]


KENT = council(886.0, "Kent", 100.0, 90.0)
MEDWAY = council(887.0, "Medway", 10.0, 9.5)


def parse(tmp_path, rows, name="Sheet1"):
    return high_needs_benchmarking.parse(write_workbook(tmp_path / "tool.xlsx", {"Notes": [["x"]], name: rows}))


def fault(tmp_path, rows):
    return fault_of(high_needs_benchmarking.parse, write_workbook(tmp_path / "tool.xlsx", {"Sheet1": rows}))


def test_columns_in_another_order_change_nothing(tmp_path):
    rows = sheet(KENT, MEDWAY)
    width = max(map(len, rows))
    padded = [[*row, *[""] * (width - len(row))] for row in rows]
    # The labels and each block turned round, an added column at the start, the blocks exchanged.
    start, budget, outturn = 8, list(range(8, 17)), list(range(20, 29))
    order = [*reversed(range(start)), 17, *reversed(outturn), 18, *reversed(budget), 19, *range(29, width)]
    turned = [["", *[row[place] for place in order]] for row in padded]
    # The year stands beside its word and keeps its place after it.
    turned[1] = ["", "Year", "2021-22"]
    pd.testing.assert_frame_equal(
        parse(tmp_path, rows)[0].frame, parse(tmp_path, turned, "Another name")[0].frame, check_like=True
    )


def test_broken_and_blank_cells_are_missing_and_zero_is_zero(tmp_path):
    broken = council(940.0, "North Northamptonshire", 0.0, 5.0)
    broken[6] = "#REF!"
    (table,) = parse(tmp_path, sheet(broken))
    assert table.frame["budget_therapies"].tolist() == [0.0]
    assert table.missing[["dfe_number", "column", "reason"]].to_numpy().tolist() == [
        ["940", "ehc_plans_0_25", "blank"]
    ]


def test_rows_that_are_no_authority_s_are_dropped(tmp_path):
    england = council("", "England", 110.0, 99.5, region="")
    ended = council(835.0, "Dorset", "", "")
    (table,) = parse(tmp_path, sheet(KENT, MEDWAY, ended, england))
    assert table.frame["dfe_number"].tolist() == ["886", "887"]


def test_a_missing_column_is_named_with_its_block(tmp_path):
    rows = sheet(KENT)
    at = rows[3].index("Hospital education services")
    rows[3][at] = "Hospital education service"
    told = fault(tmp_path, rows)
    assert "no column 'hospital education services'" in told
    assert "did you mean 'hospital education service'?" in told
    rows = sheet(KENT)
    rows[4][2] = "Number"
    assert "no column 'la code'" in fault(tmp_path, rows)


def test_other_faults_name_line_and_cell(tmp_path):
    assert "886 (lines 8, 9)" in fault(tmp_path, sheet(KENT, KENT))
    assert "'a lot'" in fault(tmp_path, sheet(council(886.0, "Kent", "a lot", 9.0)))
    assert "line 8" in fault(tmp_path, sheet(council(999.0, "Kent", 1.0, 9.0)))
    assert "found '2021'" in fault(tmp_path, sheet(KENT, year="2021"))
    unlabelled = sheet(KENT)
    unlabelled[2] = ["" if cell == "Section 251 budget" else cell for cell in unlabelled[2]]
    assert "'section 251 budget' once" in fault(tmp_path, unlabelled)
    assert "no line has the headings" in fault(tmp_path, [["GDP deflator", 1.0]])
