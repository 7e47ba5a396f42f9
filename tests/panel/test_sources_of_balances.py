"""Rules of the choice among sources and of vintages."""

import pytest

import deficits as d
from deficits.errors import PanelError
from deficits.panel import Panel, disagreements
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
    with pytest.raises(PanelError, match="rule: found 'lowst'; did you mean 'lowest'"):
        d.load_panel(rule="lowst")
    for day in ("September 2025", "2026-02-30", "9999-99-99"):
        with pytest.raises(PanelError, match=f"as_of '{day}' is not a day"):
            d.load_panel(as_of=day)


def test_the_day_before_the_mps_report_knows_only_what_was_public_then() -> None:
    then = d.load_panel(as_of="2025-09-17")
    assert then.frame["balance"].xs(2024, level="year").notna().sum() == 152  # published in December 2024
    assert then.frame["plans"].xs(2025, level="year").notna().all()  # June 2025
    assert 2026 not in then.frame["plans"].dropna().index.get_level_values("year")  # June 2026
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
    projection = d.project(d.load_panel(as_of="2025-09-17"), until=2027, draws=1000, seed=1)
    assert projection.calibrated is None
    assert any("2025-09-17" in warning for warning in projection.warnings)
