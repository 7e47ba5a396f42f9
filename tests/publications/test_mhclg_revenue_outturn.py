"""MHCLG revenue outturn: made-up files in the shapes of the ministry's (figures invented)."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.multiyear import HEAD, LEVELS, write_multiyear
from deficits.publications.editions import Table
from deficits.publications.mhclg_revenue_outturn import parse, read_cells
from tests.publications.samples import fault_of, reordered, tables_of, write_csv, write_workbook

Rows = list[list[object]]

# --- made-up revenue summaries

ITEMS = {
    "911": "schools reserves",
    "912": "dedicated schools grant adjustment account",
    "913": "dedicated schools grant reserves",
    "914": "public health financial reserves",
    "915": "other earmarked financial reserves",
    "916": "unallocated financial reserves",
}
COUNCILS = [
    ["E5011", "E09000007", "Camden", "LB", "London", "Y"],
    ["E5012", "E09000011", "Greenwich", "LB", "London", "N"],
    ["E4401", "E08000016", "Barnsley MBC", "MD", "MD", "Y"],
]
LEVELS_OF = {
    "E5011": [10, 0, 19, 3, 130, 15, 11, 0, 22, 4, 120, 14],
    "E5012": [9, -5, 0, 1, 190, 22, 8, -7, 0, 2, 180, 21],
    "E4401": [5, -12.5, 0, 2, 60, 9, 4, -20.25, 0, 3, 50, 8],
}


def level_headings(dates: list[str], estimated: bool) -> list[str]:
    before = "Estimated " if estimated else ""
    return [
        f"{before}{words} level at {date}{' [Note 12]' if line in ('912', '913') else ''}"
        for date in dates
        for line, words in ITEMS.items()
    ]


def rows_of(levels: dict[str, list[object]], councils: list[list[str]]) -> Rows:
    """Councils, a district, a police body, England, and classes below, as in the workbook of 2023-24."""
    own = [[code, ons, name, "", group, detail, certified, 1.0, *levels[code]] for code, ons, name, group, detail,
           certified in councils]  # fmt: skip
    sums = [sum(LEVELS_OF[code][place] for code in LEVELS_OF) for place in range(12)]
    london = [LEVELS_OF["E5011"][place] + LEVELS_OF["E5012"][place] for place in range(12)]
    head = ["E-code", "ONS Code", "Class Breakdown [O]", "Notes", "Class", "Detailed Class", "Certification"]
    return [
        ["E3831", "E07000223", "Adur", "", "SD", "SD", "Y", 0.0, *[0] * 12],
        *own,
        ["E7055", "E23000016", "West Mercia Police", "", "O", "Police", "Y", 0.0, *[0] * 12],
        ["Eng", "E92000001", "ENGLAND", "", "", "", "[x]", 1.0, *sums],
        [*head, "Education services", *[""] * 12],
        ["[Y]", "E09", "London Boroughs", "", "LB", "London", 24, 1.0, *london],
        ["[Y]", "E08", "Metropolitan Districts", "", "MD", "MD", 33, 1.0, *LEVELS_OF["E4401"]],
    ]


def summary(
    levels: dict[str, list[object]] = LEVELS_OF, councils: list[list[str]] = COUNCILS, year: str = "2023-24"
) -> dict[str, Rows]:
    """The shape of 2023-24: reference rows that are hidden, line numbers and groups above the headings."""
    start, end = year[:4], str(int(year[:4]) + 1)
    head = ["E-code", "ONS Code", "Local authority", "Notes", "Class", "Detailed Class", "Certification"]
    blank = [""] * 7
    return {
        "Front_Page": [["General Fund Revenue Account Outturn"]],
        f"RS_LA_Data_{year}": [
            [f"Worksheet 2: Revenue Outturn (RO) {year}: Revenue Outturn Summary (RS) data"],
            ["This worksheet contains 2 tables. Data are reported in £ thousand. "],
            [*blank, "RS-edu-net-exp", *[f"RS-{number}-cy" for number in range(12)]],
            [*blank, 5.0, *[float(number) for number in range(85, 97)]],
            [
                *blank,
                "Service Expenditure",
                f"Reserves at 1 April {start}",
                *[""] * 5,
                f"Reserves at 31 March {end}",
            ],
            [*blank, 190.0, *[float(line) for line in ITEMS] * 2],
            [*head, "Education services", *level_headings(["1 April", "31 March"], estimated=True)],
            *rows_of(levels, councils),
        ],
    }


def one_row_summary() -> dict[str, Rows]:
    """The shape of 2024-25: the group stands before a dash in the heading, and no line numbers above."""
    sheets = summary(year="2024-25")
    rows = sheets["RS_LA_Data_2024-25"]
    groups = ["Reserves at 1 April 2024"] * 6 + ["Reserves at 31 March 2025"] * 6
    headings = [f"{group} - {text}" for group, text in zip(groups, rows[6][8:], strict=True)]
    rows[6] = [*rows[6][:7], "Service Expenditure - Education services", *headings]
    return {"RS_LA_Data_2024-25": [rows[0], rows[1], *rows[6:]]}


def parsed(path: Path, sheets: dict[str, Rows]) -> dict[str, Table]:
    return tables_of(parse, write_workbook(path, sheets))


def fault(path: Path, sheets: dict[str, Rows], *parts: str) -> str:
    return fault_of(parse, write_workbook(path, sheets), *parts)


def data_sheet(sheets: dict[str, Rows]) -> Rows:
    return sheets["RS_LA_Data_2023-24"]


@pytest.mark.parametrize("suffix", [".ods", ".xlsx"])
def test_levels_are_pounds_with_the_publishers_sign(tmp_path: Path, suffix: str) -> None:
    tables = parsed(tmp_path / f"RS{suffix}", summary())
    reserves, dsg = tables["usable_reserves"].frame, tables["dsg_lines"].frame
    assert list(reserves["dfe_number"]) == ["202", "203", "370"]
    assert reserves["open_schools_gbp"].tolist() == [10_000, 9_000, 5_000]
    assert reserves["close_unallocated_gbp"].tolist() == [14_000, 21_000, 8_000]
    assert reserves["class"].tolist() == ["London", "London", "MD"]
    assert dsg.drop(columns=["la_code_published", "la_name"]).to_numpy().tolist() == [
        ["2022-23", "202", 0, 19_000, "Y"],
        ["2022-23", "203", -5_000, 0, "N"],
        ["2022-23", "370", -12_500, 0, "Y"],
        ["2023-24", "202", 0, 22_000, "Y"],
        ["2023-24", "203", -7_000, 0, "N"],
        ["2023-24", "370", -20_250, 0, "Y"],
    ]


def test_a_sheet_saved_as_a_csv_is_the_same(tmp_path: Path) -> None:
    book = parsed(tmp_path / "RS.xlsx", summary())
    text = tables_of(parse, write_csv(tmp_path / "RS.csv", [["A title"], [], *data_sheet(summary())]))
    for kind, table in book.items():
        pd.testing.assert_frame_equal(text[kind].frame, table.frame)


def test_the_headings_of_2024_25_mean_the_same(tmp_path: Path) -> None:
    older = parsed(tmp_path / "RS_2023-24.ods", summary())["dsg_lines"].frame
    newer = parsed(tmp_path / "RS_2024-25.ods", one_row_summary())["dsg_lines"].frame
    assert set(newer["financial_year"]) == {"2023-24", "2024-25"}
    pd.testing.assert_frame_equal(newer.drop(columns="financial_year"), older.drop(columns="financial_year"))


def test_adjusted_levels_stand_beside_the_unadjusted(tmp_path: Path) -> None:
    sheets = summary()
    rows = data_sheet(sheets)
    for at, row in enumerate(rows):
        if len(row) == 20:
            words = {6: "Estimated other earmarked financial reserves level at 1 April (adjusted)", 5: "915b"}
            row.insert(13, words.get(at, 1.0 if isinstance(row[12], int | float) else ""))
    rows[6][12] = "Estimated other earmarked financial reserves level at 1 April (unadjusted)"
    for row in rows[12:]:
        if row[2] == "London Boroughs":
            row[13] = 2.0
    frame = parsed(tmp_path / "RS.ods", sheets)["usable_reserves"].frame
    assert frame["open_other_earmarked_adjusted_gbp"].tolist() == [1000, 1000, 1000]
    assert frame["open_other_earmarked_gbp"].tolist() == [130_000, 190_000, 60_000]


def with_cell(ecode: str, place: int, value: object) -> dict[str, Rows]:
    levels = {code: list(cells) for code, cells in LEVELS_OF.items()}
    levels[ecode][place] = value
    return summary(levels)


@pytest.mark.parametrize(
    ("sheets", "parts"),
    [
        (with_cell("E5012", 1, "n/k"), ["line 10", "schools grant adjustment account level at 1 April", "'n/k'"]),
        (with_cell("E5012", 1, "5%"), ["line 10", "'5%'"]),
        (with_cell("E5012", 7, -9), ["London Boroughs, close_dsg_adjustment_account", "£-9,000"]),
        (with_cell("E4401", 9, 70), ["Metropolitan Districts, close_public_health", "£70,000"]),
        (summary(councils=[*COUNCILS, COUNCILS[0]]), ["2023-24 202 (lines 9, 12)"]),
        (summary(councils=COUNCILS[1:]), ["London Boroughs, open_schools", "£9,000"]),
        (
            summary({"E9": LEVELS_OF["E5011"]}, [["E9", "E09000099", "Camdem", "LB", "London", "Y"]]),
            ["line 9", "'E9' and 'E09000099' (Camdem)", "did you mean 'Camden'?"],
        ),
        (
            summary(councils=[["E5011", "E09000011", "Camden", "LB", "London", "Y"], *COUNCILS[1:]]),
            ["belong to different authorities, 202 and 203"],
        ),
    ],
)
def test_a_fault_names_sheet_line_column_and_cell(
    tmp_path: Path, sheets: dict[str, Rows], parts: list[str]
) -> None:
    fault(tmp_path / "RS.ods", sheets, "sheet 'RS_LA_Data_2023-24'", *parts)


def test_a_return_not_made_is_missing_and_stops_the_comparison_with_totals(tmp_path: Path) -> None:
    levels = {**LEVELS_OF, "E4401": ["[x]"] * 12}
    tables = parsed(tmp_path / "RS.ods", summary(levels))
    assert tables["dsg_lines"].frame["dsg_reserve_gbp"].isna().tolist() == [False, False, True] * 2
    assert tables["dsg_lines"].missing.to_numpy().tolist() == [
        ["2022-23", "370", "dsg_adjustment_account_gbp", "not available"],
        ["2023-24", "370", "dsg_adjustment_account_gbp", "not available"],
        ["2022-23", "370", "dsg_reserve_gbp", "not available"],
        ["2023-24", "370", "dsg_reserve_gbp", "not available"],
    ]
    assert len(tables["usable_reserves"].missing) == 8


def test_an_older_ecode_finds_the_county_whatever_its_ons_code(tmp_path: Path) -> None:
    councils = [["E2721", "E10000022", "North Yorkshire", "SC", "SC", "Y"], *COUNCILS]
    levels = {"E2721": [0] * 12, **LEVELS_OF}
    frame = parsed(tmp_path / "RS.ods", summary(levels, councils))["usable_reserves"].frame
    assert frame.loc[0, ["dfe_number", "la_code_published"]].tolist() == ["815", "E10000022"]


def test_words_and_lines_that_differ_are_refused(tmp_path: Path) -> None:
    sheets = summary()
    data_sheet(sheets)[5][9] = 913.0
    fault(tmp_path / "RS.ods", sheets, "column 10", "line 912", "913")


def test_title_unit_and_england_are_needed(tmp_path: Path) -> None:
    for place, cell, words in (
        ((0, 0), "Revenue Account (RA) budget 2023-24", "expected revenue outturn in the title"),
        ((0, 0), "Revenue Outturn (RO) 2022-23", "the title says 2022-23, but reserves are at 1 April 2023"),
        ((1, 0), "Data are reported in full.", "expected '£ thousand' above the headings"),
        ((12, 2), "Engl", "expected one row 'ENGLAND', found 0"),
    ):
        sheets = summary()
        data_sheet(sheets)[place[0]][place[1]] = cell
        assert words in fault(tmp_path / "RS.ods", sheets)


def test_another_workbook_is_refused(tmp_path: Path) -> None:
    message = fault(tmp_path / "dsg.ods", {"Allocations_summary": [["", "", "Schools block (£s)"]]})
    assert "(ONS code, local authority): sheet 'Allocations_summary' begins" in message


# --- made-up multi-year files


def multi_year() -> Rows:
    """Two councils over three years, a district and totals; line 912 is blank before 2022-23."""
    camden, barnsley = ["E09000007", "E5011", "Camden"], ["E08000038", "E4401", "Barnsley"]
    items = ("ressch", "resdsgadj", "resdsg", "resph", "resoth", "resunall")
    levels = [f"RS_{item}_{end}_cy" for end in ("start", "end") for item in items]
    head = ["year_ending", "ONS_code", "LA_LGF_code", "LA_name", "status", "LA_class", "RO1_eduerl_net_cur_exp"]

    def row(ending: int, place: list[str], status: str, group: str, levels: list[object]) -> list[object]:
        return [ending, *place, status, group, 7, *levels, 0]

    old = [1, "", -3, 1, 1, 1, 1, "", -4, 1, 1, 1]
    return [
        [*head, *levels, "RSX_edu_net_cur_exp"],
        row(202203, camden, "submitted", "LB", old),
        row(202203, barnsley, "submitted", "MD", old),
        row(202203, ["E92000001", "", "England"], "total", "", [2, "", -6, 9, 9, 9, 2, "", -8, 9, 9, 9]),
        row(202303, camden, "submitted", "LB", [1, -9, 2, 1, 1, 1, 1, -10, 3, 1, 1, 1]),
        row(202303, barnsley, "not submitted", "MD", [""] * 6 + [55] * 6),
        row(202303, ["E07000223", "E3831", "Adur"], "submitted", "SD", [0] * 12),
        row(202403, camden, "submitted", "LB", [1, -11, 3, 1, 1, 1, 1, -12, 4, 1, 1, 1]),
        row(202403, barnsley, "submitted", "MD", [1, -20, 0, 1, 1, 1, 1, -21.5, 0, 1, 1, 1]),
        row(202403, ["E92000001", "", "England"], "total", "", [2, -31, 3, 9, 9, 9, 2, -33.5, 4, 9, 9, 9]),
    ]


def multi_year_file(path: Path, rows: Rows) -> Path:
    return write_csv(path, rows, "utf-8")


def test_a_closing_level_stands_and_an_opening_one_fills_what_was_not_returned(tmp_path: Path) -> None:
    reserves, dsg = parse(multi_year_file(tmp_path / "multi.csv", multi_year()))
    opening = dsg.frame.query("financial_year == '2021-22' and dfe_number == '202'")
    assert opening.filter(like="_gbp").to_numpy().tolist() == [[-9_000, 2_000]]
    levels = dsg.frame.set_index(["financial_year", "dfe_number"])["dsg_adjustment_account_gbp"]
    assert levels["2022-23", "202"] == -10_000  # closing, not the -11,000 that opens 2023-24
    assert levels["2022-23", "370"] == -20_000  # Barnsley did not return 2022-23: the opening level of 2023-24
    assert levels["2023-24", "370"] == -21_500
    assert dsg.missing[["financial_year", "dfe_number", "reason"]].drop_duplicates().to_numpy().tolist() == [
        ["2021-22", "370", "not returned"]
    ]
    assert list(reserves.frame["financial_year"]) == ["2021-22"] * 2 + ["2022-23"] * 2 + ["2023-24"] * 2
    assert "open_other_earmarked_adjusted_gbp" not in reserves.frame


def test_a_number_in_a_row_not_submitted_is_not_the_councils(tmp_path: Path) -> None:
    reserves, _ = parse(multi_year_file(tmp_path / "multi.csv", multi_year()))
    row = reserves.frame.query("financial_year == '2022-23' and dfe_number == '370'")
    assert row.filter(like="_gbp").isna().all(axis=None)
    gaps = reserves.missing.query("column == 'close_schools_gbp'")
    assert gaps.to_numpy().tolist() == [["2022-23", "370", "close_schools_gbp", "not returned"]]


@pytest.mark.parametrize("spelt", [str.upper, lambda name: name.removesuffix("_cy")])
def test_the_ids_are_found_in_any_spelling(tmp_path: Path, spelt: Callable[[str], str]) -> None:
    rows = multi_year()
    expected = [table.frame for table in parse(multi_year_file(tmp_path / "multi.csv", rows))]
    rows[0] = [spelt(str(name)) if str(name).startswith("RS_") else name for name in rows[0]]
    for table, frame in zip(parse(multi_year_file(tmp_path / "multi.csv", rows)), expected, strict=True):
        pd.testing.assert_frame_equal(table.frame, frame)


def test_column_order_an_added_column_and_a_mark_change_nothing(tmp_path: Path) -> None:
    expected = parse(multi_year_file(tmp_path / "multi.csv", multi_year()))
    path = write_csv(tmp_path / "turned.csv", reordered(multi_year()), "utf-8-sig")
    for table, other in zip(parse(path), expected, strict=True):
        pd.testing.assert_frame_equal(table.frame, other.frame)


@pytest.mark.parametrize("ending", ["202403", "2024-03", "202403.0", "2023-24", "2023/24"])
def test_a_year_is_known_in_any_spelling(tmp_path: Path, ending: str) -> None:
    rows = [[ending, *row[1:]] if row[0] == 202403 else row for row in multi_year()]
    tables = tables_of(parse, multi_year_file(tmp_path / "multi.csv", rows))
    assert tables["dsg_lines"].frame["financial_year"].max() == "2023-24"


def test_a_year_in_which_line_912_is_blank_or_0_for_all_gives_no_dsg_lines(tmp_path: Path) -> None:
    rows = multi_year()
    for row in rows[1:4]:
        row[rows[0].index("RS_resdsgadj_end_cy")] = 0
    years = tables_of(parse, multi_year_file(tmp_path / "multi.csv", rows))["dsg_lines"].frame["financial_year"]
    assert sorted(set(years)) == ["2021-22", "2022-23", "2023-24"]
    older = [row for row in rows if row[0] in ("year_ending", 202203)]
    assert list(tables_of(parse, multi_year_file(tmp_path / "older.csv", older))) == ["usable_reserves"]


@pytest.mark.parametrize(
    ("line", "column", "value", "parts"),
    [
        (2, "status", "certified", ["line 2", "'status'", "'certified'"]),
        (5, "year_ending", 202304, ["line 5", "'year_ending'", "'202304'"]),
        (5, "RS_resdsg_end_cy", "n/k", ["line 5", "'RS_resdsg_end_cy'", "'n/k'"]),
        (9, "RS_resdsg_end_cy", 7, ["2023-24, England, close_dsg_reserve", "£11,000"]),
        (8, "LA_LGF_code", "E4401", ["line 8", "'E4401' and 'E09000007' (Camden)"]),
        (3, "year_ending", 202303, ["2022-23 370 (lines 3, 6)"]),
    ],
)
def test_a_fault_of_the_multi_year_file_names_its_line(
    tmp_path: Path, line: int, column: str, value: object, parts: list[str]
) -> None:
    rows = multi_year()
    rows[line - 1][rows[0].index(column)] = value
    fault_of(parse, multi_year_file(tmp_path / "multi.csv", rows), *parts)


def test_only_our_columns_are_kept_and_are_the_ones_pandas_reads(tmp_path: Path) -> None:
    path = tmp_path / "multi.csv"
    write_multiyear(path, rows=300, columns=60, authorities=20)
    whole = pd.read_csv(path, dtype=str, keep_default_na=False)
    sheet, cells = read_cells(path)
    assert sheet.printed["close_dsg_adjustment_account_gbp"] == "RS_resdsgadj_end_cy"
    assert len(cells.columns) == 6 + len(LEVELS) < len(whole.columns)
    whole = whole[~whole["ONS_code"].str.startswith("E07")].set_axis(cells.index)
    assert cells["close_dsg_adjustment_account_gbp"].tolist() == whole["RS_resdsgadj_end_cy"].tolist()
    assert cells["open_other_earmarked_adjusted_gbp"].tolist() == whole["RS_resoth_adj_start_cy"].tolist()
    assert cells["la_name"].tolist() == whole[HEAD[3]].tolist()
    reserves, dsg = parse(path)
    assert len(reserves.frame) == 20 * 9
    assert len(dsg.frame) == 20 * 10
