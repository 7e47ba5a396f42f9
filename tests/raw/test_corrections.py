"""Rules of corrections: declared, guarded, and gone when their cause is."""

from pathlib import Path

import pandas as pd
import pytest

from deficits.errors import PanelError
from deficits.panel import Panel
from deficits.raw.corrections import correct, read_corrections
from deficits.paths import raw_dir

ENTRY = """
[[correction]]
table = "table"
column = "pounds"
match = {{ name = ["A", "B"] }}
action = "{action}"
reason = "for the test: a reason of some length"
by = "a test"
decided = 2026-11-25
expect = {expect}
{more}
"""
TABLE = pd.DataFrame(
    {
        "name": ["A", "B", "C"],
        "pounds": [0.0, 0.0, 5.0],
        "other": [1.0, 2.0, 3.0],
        "file": "t.csv",
        "line": [2, 3, 4],
    }
)


def entries(tmp_path: Path, action: str, expect: str = "{ equals = 0.0 }", more: str = ""):
    folder = tmp_path / "publication"
    folder.mkdir(exist_ok=True)
    text = ENTRY.format(action=action, expect=expect, more=more)
    (folder / "corrections.toml").write_text(text, encoding="utf-8")
    read_corrections.cache_clear()
    return read_corrections("publication", tmp_path)


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
    corrected, touched = correct(TABLE, entries(tmp_path, action, more=more), "publication")
    pd.testing.assert_series_equal(corrected["pounds"], pd.Series(expected, dtype=float, name="pounds"))
    assert list(touched["source"]) == ["publication/t.csv:2", "publication/t.csv:3"]
    assert set(touched["action"]) == {action}
    assert TABLE["pounds"].tolist() == [0.0, 0.0, 5.0]


def test_a_scale_multiplies(tmp_path: Path) -> None:
    table = TABLE.assign(pounds=[2.0, 3.0, 5.0])
    corrected, _ = correct(table, entries(tmp_path, "scale", "{ most = 10.0 }", "factor = 1000.0"), "publication")
    assert corrected["pounds"].tolist() == [2000.0, 3000.0, 5.0]


def test_a_correction_fails_when_the_publisher_has_mended_the_figure(tmp_path: Path) -> None:
    mended = TABLE.assign(pounds=[0.0, 9.0, 5.0])
    with pytest.raises(
        PanelError, match=r"t\.csv line 3 holds 9\.0, not what the guard expects .*may have mended"
    ):
        correct(mended, entries(tmp_path, "drop"), "publication")


def test_a_correction_that_matches_nothing_fails(tmp_path: Path) -> None:
    with pytest.raises(PanelError, match="no row matches"):
        correct(TABLE[TABLE["name"] == "C"], entries(tmp_path, "drop"), "publication")


@pytest.mark.parametrize(
    ("action", "more", "words"),
    [
        ("override", "", "takes from_column or value"),
        ("drop", "value = 1.0", "takes no value"),
        ("override", 'value = 1.0\nfrom_column = "other"', "takes from_column or value"),
        ("erase", "", "action"),
        ("drop", 'colour = "red"', "colour"),
    ],
)
def test_a_correction_that_is_not_well_formed_is_refused(tmp_path, action, more, words) -> None:
    with pytest.raises(PanelError, match=words) as caught:
        entries(tmp_path, action, more=more)
    assert "data/raw/publication/corrections.toml" in str(caught.value)


def test_a_correction_of_an_unknown_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PanelError, match="the table has no column pounds"):
        correct(TABLE.drop(columns="pounds"), entries(tmp_path, "drop"), "publication")


def test_every_shipped_correction_is_in_force(panel: Panel) -> None:
    folders = [path.parent.name for path in raw_dir().glob("*/corrections.toml")]
    declared = [entry for folder in folders for entry in read_corrections(folder)]
    assert {(entry.column, entry.action, entry.reason) for entry in declared} == set(
        panel.corrections[["column", "action", "reason"]].itertuples(index=False, name=None)
    )


def test_the_regional_total_repeated_for_15_councils_is_replaced_by_their_own_figures(panel: Panel) -> None:
    yorkshire = panel.frame.xs(2023, level="year").query("region == 'Yorkshire and The Humber'")["new_plans"]
    assert len(yorkshire) == 15
    # DfE, EHC plans 2023 release: the 15 councils' own figures add up to 6,109.
    assert yorkshire.sum() == 6109
    assert yorkshire["383"] == 362  # Leeds


def test_a_zero_stays_a_zero_unless_a_correction_says_otherwise(panel: Panel) -> None:
    # City of London reports no DSG balance to MHCLG: a return of nought.
    assert panel.frame.at[("201", 2024), "balance_mhclg"] == 0
    # Essex returned zeros although section 251 has a balance.
    assert pd.isna(panel.frame.at[("881", 2024), "balance_mhclg"])
    assert panel.frame.at[("881", 2024), "balance"] != 0
