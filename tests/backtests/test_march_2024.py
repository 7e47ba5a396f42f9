"""The projection's record: made with what was public in February 2023, scored on March 2024.

`march_2024.csv` is the ground truth: section 251 balances of the councils scored, £, negative = deficit.
"""

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import deficits as d
from deficits.errors import ProjectionError
from deficits.panel import Panel
from deficits.projection import Projection
from deficits.projection.backtest import (
    OURS,
    SAME_GRANTS,
    Backtest,
    backtest,
    components,
    coverage,
    live_record,
    scored_record,
    statements_by_region,
)
from deficits.projection.fit import fit

ORIGIN, TARGET = "2023-02-28", 2024


@pytest.fixture(scope="module")
def record(panel: Panel) -> Backtest:
    return backtest(panel, d.load_panel(ORIGIN), TARGET)


def test_the_ground_truth_is_the_published_balances(record: Backtest) -> None:
    truth = pd.read_csv(Path(__file__).parent / "march_2024.csv", dtype={"authority": str}, index_col="authority")
    assert len(truth) == 146
    pd.testing.assert_series_equal(record.councils["actual"], truth["balance"], check_names=False)


def test_the_record_is_of_the_newest_year_end_two_years_after_balances_known_on_a_day(
    panel: Panel,
) -> None:
    assert scored_record(panel) == (ORIGIN, TARGET)


def test_nothing_of_the_target_is_known_at_the_origin() -> None:
    then = d.load_panel(ORIGIN)
    assert then.frame["balance"].dropna().index.get_level_values("year").max() == TARGET - 2
    assert then.frame["high_needs_net_spend"].dropna().index.get_level_values("year").max() == 2022


def test_the_projection_errs_less_than_every_rule_that_knows_no_grants(record: Backtest) -> None:
    ours, others = record.scores.loc[OURS], record.scores.drop(OURS)
    plain = others[~others.index.str.endswith(SAME_GRANTS)]
    assert (ours["error"] < plain["error"]).all()
    assert (ours["crps"] < plain["crps"]).all()
    assert ours["error"] <= 7.0e6
    assert ours["crps"] <= 5.05e6


def test_skill_over_the_strongest_rule_is_told_with_an_interval_that_may_hold_nought(record: Backtest) -> None:
    skill = record.skill()
    assert skill["crps"].is_monotonic_increasing
    assert skill.index[0] == "Last in-year position, same grants"
    # It cannot be told from it: neither is said to be better.
    assert skill["councils_low"].iloc[0] < 0 < skill["councils_high"].iloc[0]
    assert (skill["councils_low"] < skill["skill"]).all()
    assert (skill["skill"] < skill["councils_high"]).all()
    mean = record.losses.mean()
    assert skill.at["Last value", "skill"] == pytest.approx(1 - mean[OURS] / mean["Last value"])


def test_outcomes_lie_evenly_in_the_distributions_that_were_told(record: Backtest) -> None:
    pit = record.pit()
    assert pit["councils"].sum() == len(record.councils)
    assert (pit["councils"].between(pit["low"], pit["high"])).sum() >= 8


def test_coverage_is_told_by_day_and_horizon(panel: Panel) -> None:
    rows = coverage(panel, draws=200)
    assert {(ORIGIN, 2022, 2024, 2)} <= set(
        rows[["as_of", "origin", "year", "ahead"]].itertuples(index=False, name=None)
    )
    assert np.allclose(rows["below"] + rows["above"] + rows["within_80"], 1)


def test_parts_with_long_histories_are_scored_from_eight_years_or_more(panel: Panel) -> None:
    rows = components(panel).set_index(["component", "rule"])
    assert rows.loc["plans", "origins"].min() >= 8
    assert rows.loc["councils' shares of plans", "origins"].min() >= 8
    assert rows.at[("plans", "fading"), "error"] < rows.at[("plans", "no growth"), "error"]
    growth = panel.figure("plans").sum().pct_change()
    assert rows.at[("plans", "no growth"), "error"] == pytest.approx(growth.loc[2012:].abs().mean(), rel=1e-9)


@pytest.fixture(scope="module")
def live(panel: Panel) -> pd.DataFrame:
    return live_record(panel, draws=500)


def test_what_councils_state_is_scored_beside_a_projection_that_did_not_see_it(live: pd.DataFrame) -> None:
    outturns = live[live["kind"].eq("outturn") & live["year"].eq(2025)]
    assert len(outturns) == 14
    assert outturns["error"].abs().mean() <= 3.0e6
    assert 0.7 <= outturns["stated"].between(outturns["p10"], outturns["p90"]).mean() <= 0.95


def test_no_region_is_further_from_its_councils_own_forecasts_than_chance_lets_be(live: pd.DataFrame) -> None:
    regions = statements_by_region(live).loc[2026]
    assert regions["councils"].sum() == live.query("year == 2026 and kind == 'forecast'").shape[0]
    far = regions["difference"].abs() / regions["spread"]
    assert far.max() < 2
    # Two of nine lie outside one spread (East of England, South West); by chance three would.
    assert (far > 1).sum() <= 3


def test_the_naive_rules_err_as_worked_out_by_hand(record: Backtest, panel: Panel) -> None:
    # £m, from the balances alone: 9.51 for the last value, 8.63 for own two-year drift.
    errors = (record.scores["error"] / 1e6).round(2)
    assert errors["Last value"] == 9.51
    assert errors["Own drift"] == 8.63
    last = panel.figure("balance_section251").loc[record.councils.index, 2022]
    assert errors["Last value"] == round((record.councils["actual"] - last).abs().mean() / 1e6, 2)


@cache
def _nowcast() -> Projection:
    """Made without the balances after March 2022, but with all else that is published of the two years after."""
    now = d.load_panel()
    frame = now.frame.copy()
    later = frame.index.get_level_values("year") > TARGET - 2
    frame.loc[later, ["balance", "balance_section251", "balance_mhclg", "balance_stated"]] = np.nan
    return d.project(
        dataclasses.replace(now, frame=frame), d.Assumptions(calibration="none"), until=TARGET, draws=1000
    )


def test_knowing_spend_and_grants_makes_the_projection_err_less(record: Backtest) -> None:
    middle = _nowcast().balance.sel(year=TARGET).median("draw").to_series()
    error = (middle[record.councils.index] - record.councils["actual"]).abs().mean()
    assert error < 3.4e6


def test_a_nowcast_holds_what_was_then_published_in_its_ranges(record: Backtest, panel: Panel) -> None:
    draws = _nowcast().balance.sel(year=TARGET, authority=record.councils.index).transpose("authority", "draw")
    low, high = np.quantile(draws.values, [0.1, 0.9], axis=1)
    inside = record.councils["actual"].between(low, high).mean()
    assert 0.75 <= inside <= 0.95
    gross = _nowcast().england().loc[("gross", TARGET)]
    assert gross["p10"] < (-panel.figure("balance")[TARGET]).clip(lower=0).sum() < gross["p90"]


def test_a_bail_out_never_counts_as_improvement(panel: Panel) -> None:
    kent = panel.agreements.query("authority == '886' and year == 2023")["value"].sum()
    assert kent == 56.8e6  # the first payment of Kent's agreement of £142m
    without = dataclasses.replace(panel, agreements=panel.agreements.iloc[:0])
    positions = [fit(source, 2026) for source in (panel, without)]
    assert positions[0].position < positions[1].position
    assert positions[0].councils["start"].equals(positions[1].councils["start"])  # the money is in the balance


def test_its_ranges_are_sharper_than_a_gaussian_drifts_by_a_tenth(record: Backtest) -> None:
    crps = record.scores["crps"]
    assert crps["This projection"] <= 0.9 * crps["Own drift"]


def test_an_80_percent_range_holds_about_80_percent_of_councils(record: Backtest) -> None:
    assert 0.72 <= record.scores.at["This projection", "within_80"] <= 0.88
    assert 0.40 <= record.scores.at["This projection", "within_50"] <= 0.65


def test_englands_deficit_lay_inside_its_range(record: Backtest) -> None:
    england = record.england
    assert england["p10"] < england["actual"] < england["p90"]
    assert england["actual"] == pytest.approx(2.15e9, abs=0.01e9)


def test_a_backtest_without_a_day_or_a_target_is_refused(panel: Panel) -> None:
    with pytest.raises(ProjectionError, match="a panel as of a day"):
        backtest(panel, panel, TARGET)
    with pytest.raises(ProjectionError, match="balances of nearly all councils at 31 March 2023"):
        backtest(panel, d.load_panel(ORIGIN), 2023)


def test_an_projection_made_before_two_years_of_balances_were_public_is_refused() -> None:
    with pytest.raises(ProjectionError, match="no two year ends"):
        d.project(d.load_panel("2021-06-30"), until=2024)


def test_a_council_that_has_spent_more_than_its_block_says_is_drawn_back_and_more_plans_cost_more(
    panel: Panel,
) -> None:
    fitted = d.project(panel, until=2026, draws=200).fit
    spending, offsets = fitted.accounts.spending, fitted.offsets
    moved = spending.result.params
    assert 0 < moved["to_block"] < 1
    assert 0 < moved["to_plans"] < 1
    assert 0 < moved["plans"] < 1
    assert (spending.result.bse > 0).all()
    assert 0 < offsets.gain < 1
    assert (offsets.shock > 0).all()
    block = fitted.councils["block"]
    assert abs((offsets.lasting * block).sum() / block.sum()) < 1e-12
