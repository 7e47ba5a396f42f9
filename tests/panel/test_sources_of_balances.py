"""Rules of the choice among sources, of vintages and of an analyst's own figures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import deficits as d
from deficits.errors import PanelError
from deficits.outlook import Outlook
from deficits.panel import Panel, disagreements, keep_own
from deficits.panel.choice import TOLERANCE


def test_the_lowest_rule_takes_the_lower_deficit_as_the_grant_does() -> None:
    lowest = d.load_panel(rule="lowest").frame.xs(2024, level="year")
    both = lowest[["balance_section251", "balance_mhclg"]].dropna()
    assert (lowest.loc[both.index, "balance"] == both.max(axis=1)).all()


def test_each_rule_prefers_its_own_source_where_both_have_one(panel: Panel) -> None:
    kent = [
        d.load_panel(rule=rule).frame.at[("886", 2024), "balance"] for rule in ("section251", "mhclg", "lowest")
    ]
    assert kent == [-67_167_405.0, -103_430_000.0, -67_167_405.0]


def test_every_disagreement_above_the_tolerance_is_listed_with_both_values(panel: Panel) -> None:
    listed = disagreements(panel.frame)
    assert (listed["difference"].abs() > TOLERANCE).all()
    assert listed["difference"].abs().is_monotonic_decreasing
    assert set(listed.index.get_level_values("year")) == {2024}
    assert {"886", "936", "351"} <= set(listed.index.get_level_values("authority"))
    assert (panel.frame.loc[listed.index, "balance_basis"] == "disputed").all()


def test_an_unknown_rule_or_date_is_refused() -> None:
    with pytest.raises(PanelError, match="no rule 'lowst': did you mean 'lowest'"):
        d.load_panel(rule="lowst")
    for day in ("September 2025", "2026-02-30", "9999-99-99"):
        with pytest.raises(PanelError, match=f"as_of '{day}' is not a day"):
            d.load_panel(as_of=day)


def test_the_day_before_the_mps_report_knows_only_what_was_public_then() -> None:
    then = d.load_panel(as_of="2025-09-17")
    assert then.frame["balance"].xs(2024, level="year").notna().sum() == 152  # published in December 2024
    assert then.frame["plans"].xs(2025, level="year").notna().all()  # June 2025
    assert then.frame["plans"].xs(2026, level="year").isna().all()  # June 2026
    assert then.frame["high_needs_net_spend"].xs(2025, level="year").isna().all()  # January 2026
    gross = then.national.query("measure == 'gross_deficit'")
    assert 2025 not in set(gross["year"])  # £3.8bn appeared in December 2025
    assert "OBR" not in set(then.forecasts["publisher"])  # November 2025


def test_an_earlier_day_never_knows_more(panel: Panel) -> None:
    counts = [
        d.load_panel(as_of=day).frame["balance"].notna().sum()
        for day in ("2021-01-01", "2023-06-01", "2025-09-17")
    ]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] <= panel.frame["balance"].notna().sum()


def test_nothing_published_after_the_day_is_in_the_panel() -> None:
    day = "2024-01-10"
    frame = d.load_panel(as_of=day).frame
    for column in frame.filter(like="_published"):
        assert (frame[column].dropna() <= day).all(), column


def test_the_projection_of_that_day_says_which_day_it_is() -> None:
    outlook = d.project(d.load_panel(as_of="2025-09-17"), until=2027, draws=1000, seed=1)
    assert outlook.anchoring is None
    assert any("2025-09-17" in warning for warning in outlook.warnings)


def own_file(path: Path, *rows: str, header: str = "authority,year,balance,status") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_own_figures_go_before_published_ones_and_say_so(tmp_path: Path, panel: Panel) -> None:
    file = own_file(
        tmp_path / "mine.csv",
        'Kent,2023-24,"(103,430,000)",',
        "Kent,2024/25,-£97.5m,",
        "839,FY26,-183.1m,forecast",
    )
    frame = d.load_panel(own=file).frame
    assert frame.loc[("886", 2024), ["balance", "balance_basis", "balance_source"]].tolist() == [
        -103_430_000.0,
        "own_outturn",
        "own/mine.csv:2",
    ]
    assert frame.at[("886", 2024), "balance_section251"] == panel.frame.at[("886", 2024), "balance_section251"]
    assert frame.at[("839", 2026), "balance_basis"] == "own_forecast"
    others = panel.frame.index.difference([("886", 2024), ("886", 2025), ("839", 2026)])
    pd.testing.assert_series_equal(frame.loc[others, "balance"], panel.frame.loc[others, "balance"])


def test_every_draw_passes_through_an_own_figure(tmp_path: Path, outlook: Outlook) -> None:
    file = own_file(tmp_path / "mine.csv", "Kent,2024-25,-97500000,", "839,2025-26,-183100000,forecast")
    mine = d.project(d.load_panel(own=file), until=2031, draws=1000, seed=1)
    assert (mine.balance.sel(authority="886", year=2025) == -97_500_000).all()
    assert (mine.balance.sel(authority="839", year=2026) == -183_100_000).all()
    assert float(mine.balance.sel(authority="839", year=2027).std()) > 1e6
    gross = (-mine.balance.sel(year=2025)).clip(min=0).sum("authority")
    assert float(abs(gross - 3.8e9).max()) <= 50e6 + 1
    assert any("mine.csv" in warning and "Kent at 31 March 2025" in warning for warning in mine.warnings)
    assert np.isfinite(mine.balance.values).all()


def test_when_most_councils_are_known_the_rounded_national_figure_is_left_out(
    tmp_path: Path, panel: Panel
) -> None:
    balances = panel.figure("balance")[2024].dropna()
    rows = [f"{code},2024-25,{1.5 * value - 2000:.0f}," for code, value in balances.items()]
    mine = d.project(d.load_panel(own=own_file(tmp_path / "all.csv", *rows)), until=2026, draws=500, seed=1)
    assert mine.anchoring is None
    assert mine.balance.sel(year=2025, authority=balances.index).std("draw").max() < 1e-6


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["Kant,2024-25,-5000000,"], "line 2: no authority 'Kant': did you mean 'Kent'"),
        (["Kent,2025,-5000000,"], "line 2: '2025' may be the year to or from March 2025"),
        (["Kent,2029-30,-5000000,"], "ends after 2026"),
        (["Cumbria,2024-25,-5000000,"], "line 2: Cumbria did not exist on 31 March 2025"),
        (["Kent,2024-25,-97.5,"], "give pounds, not £m or a percentage"),
        (["Kent,2024-25,4.2%,"], "balance '4.2%' is not an amount in pounds"),
        (["Kent,2024-25,about 5m,"], "balance 'about 5m' is not an amount in pounds"),
        (["Kent,2024-25,-5000000,guess"], "status 'guess'"),
        (["Kent,2024-25,-5000000,", "886,2024/25,-6000000,"], "line 3: the same council and year as line 2"),
        ([], "it holds no rows"),
    ],
)
def test_own_figures_that_cannot_be_used_are_named_by_line(tmp_path: Path, rows: list[str], words: str) -> None:
    with pytest.raises(PanelError) as caught:
        d.load_panel(own=own_file(tmp_path / "mine.csv", *rows))
    assert words in str(caught.value)
    assert "mine.csv" in str(caught.value)


def test_all_faults_of_a_file_are_told_at_once_and_nothing_is_kept(
    tmp_path: Path, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deficits.panel.own.own_dir", lambda: tmp_path / "own")
    file = own_file(tmp_path / "mine.csv", "Kant,2024-25,-5000000,", "Kent,2025,-5000000,")
    with pytest.raises(PanelError, match=r"(?s)line 2: .*line 3: "):
        keep_own(file, panel)
    assert not (tmp_path / "own").exists()


def test_a_kept_file_is_found_by_its_name(tmp_path: Path, panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deficits.panel.own.own_dir", lambda: tmp_path / "own")
    file = own_file(tmp_path / "mine.csv", "Kent,2024-25,-97500000,")
    kept, rows = keep_own(file, panel)
    assert kept.read_bytes() == file.read_bytes()
    assert rows["name"].tolist() == ["Kent"]
    file.unlink()
    assert d.load_panel(own="mine.csv").frame.at[("886", 2025), "balance"] == -97_500_000
    with pytest.raises(PanelError, match=r"no file of own figures 'mine2.csv': did you mean 'mine.csv'"):
        d.load_panel(own="mine2.csv")


@pytest.mark.parametrize("header", ["authority,yr,balance,status", "council,year,balance,status"])
def test_a_wrong_column_of_own_figures_offers_the_closest(tmp_path: Path, header: str) -> None:
    with pytest.raises(PanelError, match="no column"):
        d.load_panel(own=own_file(tmp_path / "mine.csv", "Kent,2024-25,-5000000,", header=header))
