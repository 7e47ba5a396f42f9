"""Rules of corrections: declared, guarded, decided anew for each edition, and gone when their cause is."""

from pathlib import Path

import pandas as pd
import pytest

from deficits.errors import PanelError
from deficits.panel import Panel
from deficits.paths import raw_dir
from deficits.raw import GuardFailed, raw_data
from deficits.raw.corrections import Corrections, correct, read_corrections

TABLE = pd.DataFrame(
    {
        "name": ["A", "B", "C"],
        "pounds": [0.0, 0.0, 5.0],
        "other": [1.0, 2.0, 3.0],
        "file": "t.csv",
        "line": [2, 3, 4],
        "ends_in": [2024, 2025, 2025],
    }
)
GUARDED = 'match = { name = ["A", "B"] }\nexpect = { equals = 0.0 }\n'


def declared(tmp_path: Path, action: str, more: str, decisions: str = "") -> Corrections:
    entry = (
        f'[[correction]]\nname = "mended"\ntable = "table"\ncolumn = "pounds"\naction = "{action}"\n'
        f'reason = "for the test: a reason of some length"\nby = "a test"\ndecided = 2026-11-25\n{more}\n'
    )
    folder = tmp_path / "publication"
    folder.mkdir(exist_ok=True)
    (folder / "corrections.toml").write_text(entry + decisions, encoding="utf-8")
    return read_corrections(folder)


def corrected(corrections: Corrections, table: pd.DataFrame = TABLE) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame, touched, _ = correct(table, corrections, corrections.correction, "publication")
    return frame, touched


@pytest.mark.parametrize(
    ("action", "more", "expected"),
    [
        ("drop", "", [None, None, 5.0]),
        ("override", "value = 7.0", [7.0, 7.0, 5.0]),
        ("override", 'from_column = "other"', [1.0, 2.0, 5.0]),
        ("flag", "", [0.0, 0.0, 5.0]),
    ],
)
def test_a_correction_does_what_it_says_and_leaves_the_rest(tmp_path, action, more, expected) -> None:
    frame, touched = corrected(declared(tmp_path, action, GUARDED + more))
    pd.testing.assert_series_equal(frame["pounds"], pd.Series(expected, dtype=float, name="pounds"))
    assert list(touched["source"]) == ["publication/t.csv:2", "publication/t.csv:3"]
    assert list(frame["flagged"].str.contains("pounds")) == [action == "flag"] * 2 + [False]
    assert TABLE["pounds"].tolist() == [0.0, 0.0, 5.0]


def test_a_figure_that_is_not_the_one_corrected_needs_a_decision(tmp_path) -> None:
    mended = TABLE.assign(pounds=[0.0, 9.0, 5.0])
    with pytest.raises(GuardFailed, match=r"t\.csv line 3 holds 9") as caught:
        corrected(declared(tmp_path, "drop", GUARDED), mended)
    assert (caught.value.correction, caught.value.file) == ("mended", "t.csv")


@pytest.mark.parametrize(("choice", "expected"), [("keep", [None, None, 5.0]), ("retire", [0.0, 9.0, 5.0])])
def test_a_decision_holds_for_its_edition_alone(tmp_path, choice, expected) -> None:
    decision = f'[[decision]]\ncorrection = "mended"\nfile = "t.csv"\nchoice = "{choice}"\ndecided = 2026-11-25\n'
    corrections = declared(tmp_path, "drop", GUARDED, decision)
    mended = TABLE.assign(pounds=[0.0, 9.0, 5.0])
    assert corrected(corrections, mended)[0]["pounds"].tolist() == pytest.approx(
        [float("nan") if value is None else value for value in expected], nan_ok=True
    )
    with pytest.raises(GuardFailed):
        corrected(corrections, mended.assign(file="later.csv"))


def test_a_practice_is_corrected_where_its_condition_holds_and_nowhere_else(tmp_path) -> None:
    practice = declared(
        tmp_path, "override", "after = 2024\nwhen = { pounds = { equals = 0.0 } }\nvalue = 7.0\ndisputed = true"
    )
    frame, _ = corrected(practice)
    assert frame["pounds"].tolist() == [0.0, 7.0, 5.0]  # A's zero is of 2024, C holds 5
    assert list(frame["flagged"]) == ["", "pounds,", ""]
    assert corrected(practice, TABLE.assign(pounds=1.0))[1].empty


def test_a_practice_may_leave_one_council_out(tmp_path) -> None:
    practice = declared(tmp_path, "drop", 'unless = { name = "A" }\nwhen = { pounds = { equals = 0.0 } }')
    assert corrected(practice)[0]["pounds"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("action", "more", "words"),
    [
        ("override", GUARDED, "takes value or from_column"),
        ("drop", GUARDED + "value = 1.0", "takes no value"),
        ("override", GUARDED + 'value = 1.0\nfrom_column = "other"', "takes value or from_column"),
        ("erase", GUARDED, "action"),
        ("drop", GUARDED + 'colour = "red"', "colour"),
        ("drop", "", "'expect'"),
        ("drop", GUARDED + "when = { pounds = { equals = 0.0 } }", "not both"),
    ],
)
def test_a_correction_that_is_not_well_formed_is_refused(tmp_path, action, more, words) -> None:
    with pytest.raises(PanelError, match=words) as caught:
        declared(tmp_path, action, more)
    assert "data/raw/publication/corrections.toml" in str(caught.value)


# --- the corrections that come with the project


def shipped(publication: str, kind: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows of a later edition, as the project's own corrections leave them."""
    corrections = raw_data().corrections(publication)
    wanted = [each for each in corrections.correction if each.table == kind and each.when]
    table = pd.DataFrame(rows).assign(file="later.csv", line=range(2, len(rows) + 2))
    return correct(table, corrections, wanted, publication)[0]


def test_every_correction_of_looked_at_figures_is_in_force(panel: Panel) -> None:
    folders = [path.parent for path in raw_dir().glob("*/corrections.toml")]
    guarded = {each.name for folder in folders for each in read_corrections(folder).correction if each.expect}
    assert guarded == set(panel.corrections["correction"])


def test_a_council_that_again_sets_its_own_money_against_the_deficit_keeps_its_deficit() -> None:
    lines = [("936", -120e6, 144e6), ("936", -120e6, 0.0), ("926", -117e6, 35e6)]
    rows = [
        {"dfe_number": code, "ends_in": 2025, "dsg_adjustment_account_gbp": account, "dsg_reserve_gbp": reserve}
        for code, account, reserve in lines
    ]
    found = shipped("mhclg-revenue-outturn", "dsg_lines", rows)
    assert found["dsg_reserve_gbp"].tolist() == [0.0, 0.0, 35e6]  # Norfolk's reserve is not such a provision
    assert found["flagged"].str.contains("dsg_reserve_gbp").tolist() == [True, False, False]


def test_two_zeros_are_no_return_but_for_the_city_of_london() -> None:
    lines = [("881", 2026, 0.0, 0.0), ("201", 2026, 0.0, 0.0), ("881", 2026, 0.0, 5e6), ("831", 2023, 0.0, 0.0)]
    rows = [
        {"dfe_number": code, "ends_in": year, "dsg_adjustment_account_gbp": account, "dsg_reserve_gbp": reserve}
        for code, year, account, reserve in lines
    ]
    found = shipped("mhclg-revenue-outturn", "dsg_lines", rows)[["dsg_adjustment_account_gbp", "dsg_reserve_gbp"]]
    assert found.isna().all(axis=1).tolist() == [True, False, False, False]
    assert found.notna().all(axis=1).tolist() == [False, True, True, True]


def test_a_zero_of_cumbrias_successors_is_no_return_in_any_year() -> None:
    rows = [
        {"dfe_number": code, "financial_year": "2024-25", "ends_in": 2025, "carried_forward_gbp": value}
        for code, value in (("942", 0.0), ("943", 4e6), ("201", 0.0))
    ]
    found = shipped("section251-outturn", "carried_forward", rows)
    assert found["carried_forward_gbp"].isna().tolist() == [True, False, False]


def test_a_release_that_repeats_the_regional_total_gives_no_new_plans_for_its_councils() -> None:
    rows = [
        {"calendar_year": year, "dfe_number": code, "ends_in": int(year) + 1, "new_ehc_plans": value}
        for year, code, value in (("2022", "383", 6078.0), ("2022", "383", 362.0), ("2023", "383", 6078.0))
    ]
    assert shipped("ehc-plans", "flows", rows)["new_ehc_plans"].isna().tolist() == [True, False, False]


def test_the_regional_total_repeated_for_15_councils_is_replaced_by_their_own_figures(panel: Panel) -> None:
    yorkshire = panel.frame.xs(2023, level="year").query("region == 'Yorkshire and The Humber'")["new_plans"]
    assert len(yorkshire) == 15
    # DfE, EHC plans 2023 release: the 15 councils' own figures add up to 6,109.
    assert yorkshire.sum() == 6109
    assert yorkshire["383"] == 362  # Leeds


def test_a_movement_returned_as_a_balance_is_not_one(panel: Panel) -> None:
    hillingdon = panel.frame.loc[("312", 2024)]
    assert hillingdon["balance"] == hillingdon["balance_mhclg"] == -47_492_000
    before = panel.corrections.set_index("correction").at["hillingdon-movement-as-balance", "before"]
    opening = panel.frame.at[("312", 2023), "balance_mhclg"]
    assert hillingdon["balance"] == pytest.approx(opening - before, abs=500)


def test_an_undercount_is_bridged_disputed_and_still_traced_to_what_was_published(panel: Panel) -> None:
    plans = panel.figure("plans").loc["316"]
    others = panel.figure("plans").drop("316")
    both = others[[2024, 2025]].dropna().sum()
    assert plans[2024] < plans[2025] < plans[2026]
    assert plans[2025] == pytest.approx(plans[2024] * both[2025] / both[2024], abs=0.5)
    assert panel.frame.at[("316", 2025), "plans_basis"] == "disputed"
    assert (
        panel.frame.loc[("316", 2025), ["plans_mainstream", "plans_state_special", "plans_independent"]]
        .isna()
        .all()
    )
    touched = panel.corrections.set_index("correction").loc["newham-january-2025"]
    assert (touched["before"], touched["source"]) == (1199.0, panel.frame.at[("316", 2025), "plans_source"])


def test_a_zero_stays_a_zero_unless_a_correction_says_otherwise(panel: Panel) -> None:
    # City of London reports no DSG balance to MHCLG: a return of nought.
    assert panel.frame.at[("201", 2024), "balance_mhclg"] == 0
    # Essex returned zeros although section 251 has a balance.
    assert pd.isna(panel.frame.at[("881", 2024), "balance_mhclg"])
    assert panel.frame.at[("881", 2024), "balance"] != 0
