"""Publishers' own files give the tables that are held, cell by cell, and their own totals."""

from functools import cache

import pandas as pd
import pytest

from deficits.publications import find
from deficits.publications.editions import Table
from deficits.raw import read_table
from tests.publications.samples import FILES

EHC_2022, EHC_2025 = "ehc_plans_2022_release_excerpt.zip", "ehc_plans_2025_release_excerpt.zip"


@cache
def published(publication: str, name: str) -> dict[str, Table]:
    parse = find(publication).parse
    assert parse is not None
    return {table.kind: table for table in parse(FILES / name)}


@pytest.mark.parametrize(
    ("publication", "name", "kind", "held"),
    [
        ("dsg", "dedicated-schools-grant_2022_07_18.ods", "allocations", "allocations_by_block.csv"),
        ("mhclg", "RS_2016-17_data_by_LA.xlsx", "usable_reserves", "usable_reserves_2015_16_to_2017_18.csv"),
        ("mhclg", "RS_2023-24_data_by_LA.ods", "usable_reserves", "usable_reserves_2023_24.csv"),
        ("mhclg", "RS_2023-24_data_by_LA.ods", "dsg_lines", "dsg_lines.csv"),
        ("benchmarking", "hn_benchmarking_outturn_data_202122.xlsx", "spend", "spend_2021_22.csv"),
        ("deflator", "obr_march_2026_efo_expenditure.xlsx", "deflator", "deflator_by_financial_year.csv"),
        ("ehc", "sen2_mi_2023_release_excerpt.csv", "flows_before_2023", "flows_2009_2022.csv"),
        ("ehc", EHC_2022, "flows_before_2023", "flows_2009_2022.csv"),
        ("ehc", EHC_2025, "plans_by_placement", "plans_by_placement_2019_2025.csv"),
        ("ehc", EHC_2025, "plans_by_single_age", "plans_by_single_age_2024_2025.csv"),
        ("ehc", EHC_2025, "flows", "flows_2019_2024.csv"),
    ],
)
def test_a_publishers_file_is_what_is_held(publication: str, name: str, kind: str, held: str) -> None:
    table = published(publication, name)[kind]
    key = list(table.key)
    raw = read_table(find(publication).folder, held)
    # Where the publisher's figure is plainly wrong, the project's own table keeps it apart.
    raw["new_ehc_plans"] = raw.get("new_ehc_plans_as_published", raw.get("new_ehc_plans"))
    raw = raw.astype({part: table.frame[part].dtype for part in key}).groupby(key).first()
    parsed = table.frame.set_index(key).select_dtypes("number")
    assert parsed.index.isin(raw.index).all()
    assert parsed.isna().to_numpy().sum() == len(table.missing)
    for column in parsed:
        known = parsed[column].dropna()
        expected = raw.loc[known.index, column].astype(float)
        # Held reserves of 2016-17 are to the pound.
        pd.testing.assert_series_equal(known, expected, atol=0.5 if kind == "usable_reserves" else 0, rtol=0)


def test_sums_are_the_publishers() -> None:
    (dsg,) = published("dsg", "dedicated-schools-grant_2022_07_18.ods").values()
    assert dsg.frame[["high_needs_block", "total_dsg"]].sum().tolist() == [7_906_348_577, 51_128_654_118]
    lines = published("mhclg", "RS_2023-24_data_by_LA.ods")["dsg_lines"]
    sums = lines.frame.groupby("financial_year")[["dsg_adjustment_account_gbp", "dsg_reserve_gbp"]].sum() / 1e6
    assert sums.round().to_numpy().tolist() == [[-1642, 562], [-2317, 632]]
    assert sorted(set(lines.missing["dfe_number"])) == ["330", "943"]  # Birmingham, Westmorland and Furness
    plans = published("ehc", EHC_2025)["plans_by_placement"].frame
    assert plans.groupby("january")["plans"].sum()[2025] == 638_745
    older = published("ehc", EHC_2022)
    assert older["plans_by_age"].frame["plans"].sum() == 473_255
    assert older["flows_before_2023"].frame.groupby("calendar_year")["new_ehc_plans"].sum()[2021] == 62_180
    (spend,) = published("benchmarking", "hn_benchmarking_outturn_data_202122.xlsx").values()
    outturn = spend.frame.filter(like="outturn_").drop(columns="outturn_place_funding")
    assert round(outturn.sum().sum() / 1e6) == 6_477


def test_a_form_without_line_912_gives_no_dsg_lines() -> None:
    tables = published("mhclg", "RS_2016-17_data_by_LA.xlsx")
    assert list(tables) == ["usable_reserves"]
    assert set(tables["usable_reserves"].missing["reason"]) == {"not returned"}


def test_a_region_that_stands_for_each_of_its_councils_is_kept_and_noted() -> None:
    flows = published("ehc", EHC_2025)["flows"]
    yorkshire = flows.frame.query("calendar_year == 2022 and region == 'Yorkshire and The Humber'")
    assert set(yorkshire["new_ehc_plans"]) == {6078.0}
    (note,) = [note for note in flows.notes if note.startswith("new_ehc_plans")]
    for part in ("151,798", "66,706", "Yorkshire and The Humber"):
        assert part in note


def test_a_council_with_a_row_for_each_of_two_codes_is_one() -> None:
    flows = published("ehc", EHC_2025)["flows"].frame.query("dfe_number == '825' and calendar_year == 2022")
    assert flows[["requests_received_in_year", "new_ehc_plans"]].notna().all(axis=None)
    assert len(flows) == 1
