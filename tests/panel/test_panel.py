"""Rules of the panel, and golden sums traced to their publications."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from deficits.errors import PanelError
from deficits.formatting import year_of
from deficits.panel import FIGURES, Panel, reconcile, write
from deficits.panel.choice import TOLERANCE
from deficits.panel.panel import build
from deficits.panel.schema import check
from deficits.paths import raw_dir
from deficits.publications import Reader, find
from deficits.raw import RawData
from deficits.raw.authorities import load_authorities
from tests.raw.test_raw import declare

# £m, from DfE section 251 outturn (balances published as a share of the DSG to 2021-22): gross deficit and
# number of councils with a return. Hillingdon's March 2024 is -£47.5m: it returned its movement, £25.6m.
GROSS_SECTION_251 = {2020: (675, 149), 2021: (1047, 149), 2022: (1443, 150), 2024: (2163, 148)}


@pytest.mark.parametrize(("year", "expected"), GROSS_SECTION_251.items())
def test_the_gross_deficit_is_the_sum_of_section_251_deficits(
    panel: Panel, year: int, expected: tuple[int, int]
) -> None:
    balances = panel.figure("balance_section251")[year].dropna()
    assert (round((-balances).clip(lower=0).sum() / 1e6), len(balances)) == expected


def test_plans_sum_to_the_published_england_figures(panel: Panel) -> None:
    table = reconcile(panel)
    plans = table[table["figure"] == "plans"].set_index("year")["sum"]
    # DfE, Education, health and care plans, reporting years 2025 and 2026.
    assert plans[2025] == 638_745
    assert plans[2026] == 718_838


# DfE, Education, health and care plans, reporting year 2025: the rows of England. In 2023-24 the two councils that
# returned totals only are in England's placements; Newham's January 2025 placements are not used.
ENGLAND_ROWS = {
    "plans_resource_base": {2019: 17_652, 2020: 18_235, 2022: 21_284, 2023: 20_122, 2025: 24_524},
    "plans_mainstream": {2019: 138_630 - 3_618, 2022: 191_442 - 5_033, 2023: 213_381 - 6_417},
    "plans_post_16": {2019: 57_191, 2022: 78_370, 2023: 76_476},
    "requests": {2020: 82_329, 2021: 75_951, 2022: 93_302, 2023: 114_482, 2025: 154_489},
    "requests_refused": {2020: 18_755, 2021: 16_406, 2022: 20_830, 2023: 25_255, 2025: 38_889},
    "requests_at_tribunal": {2025: 4_655},
    "new_plans": {2020: 53_899, 2025: 97_747},
}


@pytest.mark.parametrize("figure", ENGLAND_ROWS)
def test_councils_sum_to_englands_row_of_the_release(panel: Panel, figure: str) -> None:
    sums = panel.figure(figure).sum()
    assert {year: sums[year] for year in ENGLAND_ROWS[figure]} == ENGLAND_ROWS[figure]


def test_what_a_council_did_not_return_stays_unknown(panel: Panel) -> None:
    for name in ("Hackney", "Peterborough"):
        row = panel.frame.loc[(panel.authorities.resolve(name), 2024)]
        assert row["plans"] > 0
        assert row[["plans_mainstream", "plans_resource_base", "plans_post_16", "plans_16_25"]].isna().all()


def test_plans_of_young_people_are_the_sum_of_their_ages(panel: Panel) -> None:
    # DfE, reporting years 2023 (ages in bands) and 2025 (single years of age); Newham's ages are not used.
    assert panel.figure("plans_16_25")[2023].sum() == 141_175
    ages = panel.ages.plans.drop(index="316").loc[:, 16:].sum(axis=1)
    assert panel.figure("plans_16_25")[2025].drop("316").reindex(ages.index).eq(ages).all()


def test_newhams_undercount_is_bridged_and_said_to_be_disputed(panel: Panel) -> None:
    newham = panel.frame.loc["316"]
    assert newham.at[2024, "plans"] < newham.at[2025, "plans"] < newham.at[2026, "plans"]
    assert newham.at[2025, "plans_basis"] == "disputed"
    # England's sum exceeds the published one by what was not counted.
    assert panel.figure("plans")[2025].sum() == 638_745 - 1_199 + newham.at[2025, "plans"]


def test_the_high_needs_block_of_2023_24_is_9954m(panel: Panel) -> None:
    # DfE, DSG 2023 to 2024 allocations, all authorities, before recoupment and deductions.
    assert round(panel.figure("high_needs_block")[2024].sum() / 1e6) == 9954


def test_net_high_needs_spend_is_the_published_sum(panel: Panel) -> None:
    # DfE, LA and school expenditure 2024-25, section 251 lines 1.2.1 to 1.2.13, £m.
    spend = (panel.figure("high_needs_net_spend").sum() / 1e6).round()
    assert [spend[year] for year in (2023, 2024, 2025)] == [7419, 8686, 10216]


def test_one_councils_balance_keeps_sign_and_unit(panel: Panel) -> None:
    # BCP's own report and section 251 agree that it was in deficit: -£63.5m in the return, 31 March 2024.
    assert panel.frame.at[("839", 2024), "balance"] == pytest.approx(-63.5e6, abs=0.1e6)
    # Camden was in surplus by 3.08% of its DSG of £172.4m at 31 March 2020.
    assert panel.frame.at[("202", 2020), "balance"] == pytest.approx(5.311e6, abs=500)


def test_every_figure_has_its_source_and_date_and_nothing_else_does(panel: Panel) -> None:
    for name in FIGURES:
        present = panel.frame[name].notna()
        assert present.any() or name == "balance_own", name
        for part in ("_source", "_published"):
            assert (panel.frame[f"{name}{part}"].notna() == present).all(), name
    without = panel.frame.loc[panel.frame["balance"].isna(), "balance_basis"].dropna()
    assert set(without) == {"disputed", "not_reported"}


def test_an_authority_has_a_row_for_each_year_end_it_existed_and_no_other(panel: Panel) -> None:
    years = {code: set(rows.index.get_level_values("year")) for code, rows in panel.frame.groupby("authority")}
    assert years["928"] == set(range(2010, 2022))  # Northamptonshire, abolished on 1 April 2021
    assert years["940"] == years["941"] == set(range(2022, 2027))
    assert years["835"] == set(range(2010, 2020))  # the old Dorset
    assert years["838"] == set(range(2020, 2027))  # the new one
    assert years["815"] == set(range(2010, 2027))  # North Yorkshire changed its code, not its area


def test_there_are_153_authorities_since_2023(panel: Panel) -> None:
    assert [len(panel.authorities.in_year(year)) for year in (2019, 2020, 2022, 2024, 2026)] == [
        152,
        151,
        152,
        153,
        153,
    ]


def test_a_successors_zero_in_its_first_year_is_not_a_return(panel: Panel) -> None:
    assert pd.isna(panel.frame.at[("943", 2024), "balance_section251"])
    assert pd.isna(panel.frame.at[("943", 2024), "balance"])


def test_2022_23_has_only_councils_whose_two_returns_agree(panel: Panel) -> None:
    balances = panel.frame["balance"].xs(2023, level="year").dropna()
    both = panel.frame.xs(2024, level="year")[["balance_section251", "balance_mhclg"]].loc[balances.index]
    assert ((both["balance_section251"] - both["balance_mhclg"]).abs() <= TOLERANCE).all()
    # Warwickshire: its reserve line hides the deficit, so the adjustment account alone is its balance.
    assert balances["937"] < 0
    assert balances["304"] == pytest.approx(-13.829e6, abs=1)  # Brent; schools forum minutes say £13.8m


def test_mhclg_stands_in_where_section_251_has_no_return(panel: Panel) -> None:
    row = panel.frame.loc[("825", 2024)]  # Buckinghamshire
    assert pd.isna(row["balance_section251"])
    assert row["balance"] == row["balance_mhclg"]
    assert row["balance_source"].startswith("mhclg-revenue-outturn/dsg_lines.csv:")


def test_the_basis_of_a_balance_tells_derived_disputed_and_not_reported_apart(panel: Panel) -> None:
    bases = panel.frame["balance_basis"].dropna().groupby(level="year").agg(set)
    assert bases[2020] == bases[2021] == bases[2022] == {"derived_from_percentage", "not_reported"}
    assert bases[2024] == {"reported", "disputed", "not_reported"}
    assert panel.frame.at[("886", 2024), "balance_basis"] == "disputed"  # Kent: £67.2m or £103.4m
    assert panel.frame.at[("943", 2024), "balance_basis"] == "not_reported"  # Westmorland and Furness


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("Kent", "886"),
        ("kent county council", "886"),
        ("E10000016", "886"),
        ("886", "886"),
        (886, "886"),
        ("Kingston upon Hull", "810"),
        ("Bristol", "801"),
        ("BCP", "839"),
        ("BRISTOL CITY COUNCIL", "801"),
        ("London Borough of Brent", "304"),
        ("Dorset", "838"),
        ("E08000016", "370"),  # Barnsley's code until 2025
        ("E08000038", "370"),
        ("Hammersmith & Fulham", "205"),
    ],
)
def test_a_council_is_found_by_name_number_or_any_code(panel: Panel, word: str | int, code: str) -> None:
    assert panel.authorities.resolve(word) == code


def test_a_name_used_twice_means_the_one_of_its_year(panel: Panel) -> None:
    assert panel.authorities.resolve("Dorset", 2019) == "835"
    assert panel.authorities.resolve("Dorset", 2020) == "838"


def test_an_unknown_council_offers_the_closest(panel: Panel) -> None:
    with pytest.raises(PanelError, match="no authority 'Westmoreland and Furness': did you mean 'Westmorland and"):
        panel.authorities.resolve("Westmoreland and Furness")


def test_a_list_where_one_council_is_meant_is_told_as_one() -> None:
    with pytest.raises(PanelError, match=r"one council's name or code .* not 2 of them: \['Kent', 'Nowhere'\]"):
        load_authorities().resolve(["Kent", "Nowhere"])


@pytest.mark.parametrize("label", ["2024-25", "2024/25", "202425", "2024-2025", "FY25", "FY 2025", " 2024–25 "])
def test_a_financial_year_is_read_in_every_usual_style(label: str) -> None:
    assert year_of(label) == 2025


@pytest.mark.parametrize("label", ["2019-21", "202513", "19-20", "2019-2021", "2024", "next year", ""])
def test_a_year_that_is_not_one_year_is_refused(label: str) -> None:
    with pytest.raises(PanelError, match=r"is not|may be"):
        year_of(label)


def test_a_negative_number_of_plans_breaks_the_schema(panel: Panel) -> None:
    broken = panel.frame.copy()
    broken.loc[("886", 2025), "plans"] = -1.0
    with pytest.raises(PanelError, match=r"(?s)plans.*-1"):
        check(broken)


def test_a_value_without_its_source_breaks_the_schema(panel: Panel) -> None:
    broken = panel.frame.copy()
    broken.loc[("886", 2025), "plans_source"] = pd.NA
    with pytest.raises(PanelError, match="each figure needs its basis, source and date"):
        check(broken)


def test_sums_agree_with_the_published_figures_wherever_they_are_complete(panel: Panel) -> None:
    table = reconcile(panel)
    assert set(table["state"]) == {"agrees", "incomplete"}
    plans = table[table["figure"] == "plans"].set_index("year")["difference"]
    assert (plans.drop(2023) == 0).all()
    assert set(table.loc[table["figure"] == "high_needs_block", "year"]) == {2020, 2021, 2022, 2023}


def test_a_build_writes_what_it_says_and_reads_back_the_same(panel: Panel, tmp_path) -> None:
    record = write(panel, tmp_path)
    tables = {
        f"{name}.{kind}"
        for name in ("panel", "national", "forecasts", "statements", "corrections")
        for kind in ("csv", "parquet")
    }
    assert {path.name for path in tmp_path.iterdir()} == tables | {"build.json", "datapackage.json"}
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "panel.parquet"), panel.frame)
    assert record["figures"]["plans"] == {
        "unit": "plans",
        "first_year": 2010,
        "newest_year": 2026,
        "newest_councils": 153,
        "newest_sum": 718_838.0,
    }


def test_a_failed_build_leaves_the_last_one(panel: Panel, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(panel, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        write(panel, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_figure_that_is_not_declared_is_refused_and_not_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    misspelt = replace(find("school-pupils"), figures={"pupils": {"total_pupils": "pupil"}})
    monkeypatch.setattr("deficits.panel.panel.PUBLICATIONS", [misspelt])
    with pytest.raises(
        PanelError, match=r"no such figure in panel/figures\.toml, .*: pupil of 201 in 2016 \(school-pupils/"
    ):
        build(RawData(raw_dir()))


def test_a_name_that_is_no_councils_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    folder = tmp_path / "publication"
    folder.mkdir()
    declare(tmp_path, "year,la_name,value_gbp\n2024-25,Bury,1\n2024-25,Burry,2\n")
    declared = (folder / "source.toml").read_text(encoding="utf-8")
    names = 'year = "financial year"\nla_name = "name"'
    declared = declared.replace('dfe_number = "key"', names).replace("[[file]]", '[[file]]\ntable = "spend"')
    (folder / "source.toml").write_text(declared, encoding="utf-8")
    reader = Reader(RawData(tmp_path), load_authorities())
    with pytest.raises(PanelError, match=r"data/raw/publication/table\.csv:3: no authority 'Burry': did you mean"):
        reader.read("publication", "spend", ["value_gbp"])
