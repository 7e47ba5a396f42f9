"""Section 251 outturn: made-up files in the shape of DfE's: its headings, lines, symbols, encoding.

Every figure is invented.
"""

from pathlib import Path

import pandas as pd
import pytest

from deficits.publications.editions import Table
from deficits.publications.section251_outturn import load, parse
from tests.publications.samples import fault_of, reordered, tables_of, write_csv

Rows = list[list[object]]

HEADINGS = [
    "time_period", "time_identifier", "geographic_level", "country_name", "country_code", "region_name",
    "region_code", "la_name", "old_la_code", "new_la_code", "main_category", "category_of_expenditure",
    "early_years_establishments", "primary_schools", "secondary_schools", "sen_and_special_schools",
    "pupil_referral_units_and_alt_provision", "post_16", "gross_expenditure", "income", "net_expenditure",
    "net_per_capita_expenditure",
]  # fmt: skip

LINES = {
    "1.0.1 Individual Schools Budget, after academy recoupment": (900, 100),
    "1.0.2 High needs place funding within Individual Schools Budget": (90, 80),
    "1.1.1 Contingencies": (5, 0),
    "1.2.1 Top-up funding \u2013 maintained schools": (40, 30),
    "1.2.3 Top-up and other funding \u2013 non-maintained and independent providers": (60, 50),
    "1.2.5 SEN support service": (7, 6),
    "1.2.10 PFI/ BSF costs at special schools, AP/ PRUs and Post 16 institutions only": (3, 0),
    "1.2.12 Carbon reduction commitment allowances (PRUs)": ("z", "z"),
    "1.3.1 Central expenditure on early years entitlement": (8, 9),
    "1.4.10 Pupil growth (includes infant class sizes for years prior to 2018-19)": (2, 1),
    "1.7.1 Other Specific Grants": (1, 1),
    "1.8.1 TOTAL SCHOOLS EXPENDITURE (after academy recoupment)": (9999, 9999),
    "1.9.1 Dedicated Schools Grant for year": (1000, 500),
    "1.9.1a Dedicated Schools Grant in year adjustments": (0, 0),
    "1.9.2 Dedicated Schools Grant brought forward from previous year": (-20, 13),
    "1.9.3 Dedicated Schools Grant carried forward to next year": (-22, 19),
    "2.1.4 Home to school transport (pre 16): SEN transport expenditure": (12, 11),
    "2.4.3 Total Other education and community expenditure": (9999, 9999),
    "2.5.1 Capital Expenditure (excluding CERA)": (4, 0),
}
"""Each line's label as DfE prints it, with invented net spending (or, of 1.9.x, level) of two councils."""

PLACES = [
    ["Local authority", "England", "E92000001", "Inner London", "E13000001", "Camden", 202, "E09000007"],
    [
        "Local authority",
        "England",
        "E92000001",
        "Yorkshire and The Humber",
        "E12000003",
        "Barnsley",
        370,
        "E08000038",
    ],
    ["National", "England", "E92000001", "", "", "", "", ""],
    ["Regional", "England", "E92000001", "Inner London", "E13000001", "", "", ""],
]


def section251(period: object = 202324, lines: dict[str, tuple[object, object]] = LINES) -> Rows:
    rows: Rows = [list(HEADINGS)]
    for label, (camden, barnsley) in lines.items():
        england = sum(value for value in (camden, barnsley) if isinstance(value, int))
        for place, amount in zip(PLACES, (camden, barnsley, england, camden), strict=True):
            group = "Dedicated schools grant" if label.startswith("1.9") else "Schools"
            is_level = label.startswith("1.9")
            gross = amount if is_level or not isinstance(amount, int) else amount + 2
            net = "z" if is_level else amount
            income = "z" if is_level else 2
            rows.append(
                [period, "Financial year", *place, group, label, 0, 1, 1, "z", ":", 0, gross, income, net, 1]
            )
    return rows


def file_of(folder: Path, rows: Rows, encoding: str = "cp1252") -> Path:
    return write_csv(folder / "s251_alleducation_la_regional_national.csv", rows, encoding)


def tables(folder: Path, rows: Rows, encoding: str = "cp1252") -> dict[str, Table]:
    return tables_of(parse, file_of(folder, rows, encoding))


def fault(folder: Path, rows: Rows, *parts: str) -> str:
    return fault_of(parse, file_of(folder, rows), *parts)


def with_line(label: str, camden: object, barnsley: object) -> dict[str, tuple[object, object]]:
    """The lines with one council's amounts of the line that begins with `label` changed."""
    return {name: (camden, barnsley) if name.startswith(label) else value for name, value in LINES.items()}


def cells(rows: Rows, label: str, name: str) -> list[object]:
    return next(row for row in rows[1:] if str(row[11]).startswith(label) and row[7] == name)


PLACED = [["2023-24", "202", "Camden", "E09000007"], ["2023-24", "370", "Barnsley", "E08000038"]]
CARRIED = [[*PLACED[0], -22], [*PLACED[1], 19]]
SPENT = [[*PLACED[0], 110], [*PLACED[1], 86]]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig"])
def test_carried_forward_and_net_spend_are_as_published(tmp_path: Path, encoding: str) -> None:
    found = tables(tmp_path, section251(), encoding)
    assert found["carried_forward"].frame.to_numpy().tolist() == CARRIED
    assert found["net_spend"].frame.to_numpy().tolist() == SPENT
    assert found["net_spend"].missing.empty
    assert found["carried_forward"].missing.empty


def test_years_of_one_file_stay_apart(tmp_path: Path) -> None:
    later = {label.replace("service", "services"): value for label, value in LINES.items()}
    rows = [*section251(), *section251(202425, later)[1:]]
    spend = tables(tmp_path, rows)["net_spend"].frame
    assert spend["financial_year"].tolist() == ["2023-24"] * 2 + ["2024-25"] * 2
    assert spend["high_needs_net_spend_gbp"].tolist() == [110, 86, 110, 86]


def test_an_added_column_and_a_row_order_change_nothing(tmp_path: Path) -> None:
    rows = section251()
    for changed in (reordered(rows), [rows[0], *reversed(rows[1:])]):
        found = tables(tmp_path, changed)
        assert found["carried_forward"].frame.to_numpy().tolist() == CARRIED
        assert found["net_spend"].frame.to_numpy().tolist() == SPENT


def test_a_line_that_no_one_has_was_not_on_the_form(tmp_path: Path) -> None:
    found = tables(tmp_path, section251(lines=with_line("1.2.10", ":", ":")))["net_spend"]
    assert found.frame["high_needs_net_spend_gbp"].tolist() == [107, 86]
    assert found.missing.empty


@pytest.mark.parametrize(("symbol", "why"), [(":", "not available"), ("c", "suppressed"), ("", "blank")])
def test_a_line_that_one_council_lacks_leaves_its_group_without_a_number(
    tmp_path: Path, symbol: str, why: str
) -> None:
    found = tables(tmp_path, section251(lines=with_line("1.2.3", symbol, 50)))["net_spend"]
    assert found.frame["high_needs_net_spend_gbp"].isna().tolist() == [True, False]
    assert found.missing.to_numpy().tolist() == [["2023-24", "202", "high_needs_net_spend_gbp", why]]


def test_a_line_that_does_not_apply_to_one_council_adds_nothing(tmp_path: Path) -> None:
    found = tables(tmp_path, section251(lines=with_line("1.2.3", "z", 50)))["net_spend"]
    assert found.frame["high_needs_net_spend_gbp"].tolist() == [50, 86]


def test_a_balance_without_a_number_is_missing_with_its_symbol(tmp_path: Path) -> None:
    found = tables(tmp_path, section251(lines=with_line("1.9.3", ":", 19)))["carried_forward"]
    assert found.frame["carried_forward_gbp"].isna().tolist() == [True, False]
    assert found.missing.to_numpy().tolist() == [["2023-24", "202", "carried_forward_gbp", "not available"]]


def test_a_council_without_the_line_is_missing_for_want_of_a_row(tmp_path: Path) -> None:
    rows = [
        row for row in section251() if not (str(row[11]).startswith(("1.9.3", "1.2.5")) and row[7] == "Camden")
    ]
    found = tables(tmp_path, rows)  # nor is the national row held to what is left
    assert found["carried_forward"].missing.to_numpy().tolist() == [
        ["2023-24", "202", "carried_forward_gbp", "no row in the file"]
    ]
    assert found["net_spend"].missing.to_numpy().tolist() == [
        ["2023-24", "202", "high_needs_net_spend_gbp", "no row in the file"]
    ]


def test_the_national_row_may_be_in_millions(tmp_path: Path) -> None:
    rows = section251(lines=dict.fromkeys(LINES, (5_000_000, 7_400_000)))
    for row in rows[1:]:
        if row[2] == "National":
            row[18], row[20] = (12.4, "z") if str(row[11]).startswith("1.9") else (99, 12.4)
    assert tables(tmp_path, rows)["carried_forward"].frame["carried_forward_gbp"].sum() == 12_400_000
    for row in rows[1:]:
        if row[2] == "National" and str(row[11]).startswith("1.9.3"):
            row[18] = 17.1
    assert "national row, 2023-24, line 1.9.3: rows of authorities (2) sum to £12,400,000" in fault(tmp_path, rows)


def changed(label: str, name: str, column: str, value: object) -> Rows:
    rows = section251()
    cells(rows, label, name)[HEADINGS.index(column)] = value
    return rows


def lines_without(label: str) -> dict[str, tuple[object, object]]:
    return {name: value for name, value in LINES.items() if not name.startswith(label)}


UNKNOWN = [
    [*row[:7], "Camdon", 299, "E09000099", *row[10:]] if row[7] == "Camden" else row for row in section251()
]


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (changed("1.9.3", "Camden", "gross_expenditure", "some"), ["line 62", "'gross_expenditure'", "'some'"]),
        (changed("1.2.1", "Camden", "net_expenditure", "12%"), ["line 14", "'net_expenditure'", "'12%'"]),
        (changed("1.2.1", "Camden", "net_expenditure", 77), ["national row, 2023-24, line 1.2.1"]),
        (changed("1.9.3", "Camden", "old_la_code", 370), ["'370' and 'E09000007' (Camden)"]),
        (changed("1.0.1", "Camden", "time_period", 202325), ["'time_period'", "'202325'"]),
        (changed("1.0.1", "Camden", "geographic_level", "School"), ["line 2", "'geographic_level'", "'School'"]),
        (changed("1.0.1", "Camden", "time_identifier", "Academic year"), ["line 2", "'time_identifier'"]),
        ([*section251(), section251()[13]], ["2023-24 202 1.2.1 (lines 14, 78)"]),
        (UNKNOWN, ["line 14", "'299'", "did you mean 'Camden'?"]),
        ([row for row in section251() if row[2] != "Local authority"], ["no line 1.9.3 of local authorities"]),
        (section251(lines={"1.9.3 Something else": (1, 1), **LINES}), ["1.9.3", "'carried forward'"]),
        (section251(lines=lines_without("1.9.3")), ["no line 1.9.3"]),
        (
            section251(lines={next(name for name in LINES if name[:5] == "1.9.3"): (1, 1)}),
            ["no line 1.2.1"],
        ),
        (section251(lines={"Teachers": (1, 1)}), ["no line 1.9.3"]),
    ],
)
def test_a_fault_names_line_column_and_cell(tmp_path: Path, rows: Rows, parts: list[str]) -> None:
    fault(tmp_path, rows, *parts)


def test_the_budget_is_refused_and_its_heading_offered(tmp_path: Path) -> None:
    rows = section251()
    for name in ("category_of_expenditure", "gross_expenditure", "net_expenditure"):
        rows[0][HEADINGS.index(name)] = name.replace("expenditure", "planned_expenditure")
    assert "did you mean 'category of planned expenditure'?" in fault(tmp_path, rows)


class Held:
    """A reader of one council's line 1.9.3 in two years, and of nothing else."""

    def read(self, publication: str, kind: str, numeric: list[str]) -> pd.DataFrame:
        ends = [2019, 2020] if kind == "carried_forward" else []
        index = pd.MultiIndex.from_tuples([("886", end) for end in ends] or [("", 0)], names=["authority", "year"])
        frame = pd.DataFrame(dict.fromkeys(numeric, 5.0), index=index).assign(
            ends_in=index.get_level_values("year"),
            source="a",
            published="2021-01-01",
            edition="2021-01-01",
            flagged="",
        )
        return frame if ends else frame.iloc[:0]


def test_line_193_positive_was_a_surplus_to_2018_19_and_is_a_deficit_since() -> None:
    found = pd.concat(list(load(Held())))  # type: ignore[arg-type]
    assert found.set_index("year")["value"].to_dict() == {2019: 5.0, 2020: -5.0}
