"""The outlook's record: made with what was public in February 2023, scored on March 2024.

`march_2024.csv` is the ground truth: section 251 balances of the councils scored, £, negative = deficit.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import deficits as d
from deficits.errors import OutlookError
from deficits.outlook.backtest import ORIGIN, TARGET, Backtest, backtest
from deficits.outlook.fit import fit, relative_growth
from deficits.outlook.simulate import simulate
from deficits.panel import Panel


@pytest.fixture(scope="module")
def record(panel: Panel) -> Backtest:
    return backtest(panel, d.load_panel(ORIGIN), TARGET)


def test_the_ground_truth_is_the_published_balances(record: Backtest) -> None:
    truth = pd.read_csv(Path(__file__).parent / "march_2024.csv", dtype={"authority": str}, index_col="authority")
    assert len(truth) == 146
    pd.testing.assert_series_equal(record.councils["actual"], truth["balance"], check_names=False)


def test_nothing_of_the_target_is_known_at_the_origin() -> None:
    then = d.load_panel(ORIGIN)
    assert then.frame["balance"].xs(2024, level="year").isna().all()
    assert then.frame["balance"].xs(2023, level="year").isna().all()
    assert then.frame["high_needs_net_spend"].dropna().index.get_level_values("year").max() == 2022


def test_the_outlook_errs_less_than_every_rule_that_needs_no_model(record: Backtest) -> None:
    others = record.scores.drop("This outlook")
    assert (record.scores.at["This outlook", "error"] < others["error"]).all()
    assert (record.scores.at["This outlook", "crps"] < others["crps"]).all()
    assert record.scores.at["This outlook", "error"] <= 8.0e6


def test_the_naive_rules_err_as_worked_out_by_hand(record: Backtest, panel: Panel) -> None:
    # £m, from the balances alone: 9.36 for the last value, 8.56 for own two-year drift.
    errors = (record.scores["error"] / 1e6).round(2)
    assert errors["Last value"] == 9.36
    assert errors["Own drift"] == 8.56
    last = panel.figure("balance_section251").loc[record.councils.index, 2022]
    assert errors["Last value"] == round((record.councils["actual"] - last).abs().mean() / 1e6, 2)


def test_knowing_the_councils_spend_makes_the_outlook_err_less(record: Backtest, panel: Panel) -> None:
    then = d.load_panel(ORIGIN)
    drivers = d.Drivers().known_on(ORIGIN)
    fitted = fit(then, drivers, None)
    spend = panel.figure("high_needs_net_spend").reindex(fitted.councils.index)
    growth = relative_growth(spend, fitted.councils["block"])[[2023, 2024]]
    known = dataclasses.replace(fitted, known_growth=growth)
    balances, _ = simulate(known, drivers, [2023, 2024], 1000, 1, None, {})
    middle = pd.Series(np.median(balances[:, :, 2], axis=0), index=fitted.councils.index)
    error = (middle[record.councils.index] - record.councils["actual"]).abs().mean()
    assert error < 0.8 * record.scores.at["This outlook", "error"]


def test_a_bail_out_never_counts_as_improvement(panel: Panel) -> None:
    kent = panel.frame.at[("886", 2023), "bail_out"]
    assert kent == 56.8e6  # the first payment of Kent's agreement of £142m
    without = dataclasses.replace(panel, frame=panel.frame.assign(bail_out=np.nan))
    positions = [fit(source, d.Drivers(), None) for source in (panel, without)]
    assert positions[0].position < positions[1].position
    assert positions[0].councils["start"].equals(positions[1].councils["start"])  # the money is in the balance


def test_an_80_percent_range_holds_about_80_percent_of_councils(record: Backtest) -> None:
    assert 0.72 <= record.scores.at["This outlook", "within_80"] <= 0.88
    assert 0.42 <= record.scores.at["This outlook", "within_50"] <= 0.58


def test_englands_deficit_lay_inside_its_range(record: Backtest) -> None:
    england = record.england
    assert england["p10"] < england["actual"] < england["p90"]
    assert england["actual"] == pytest.approx(2.13e9, abs=0.01e9)


def test_a_backtest_without_a_day_or_a_target_is_refused(panel: Panel) -> None:
    with pytest.raises(OutlookError, match="a panel as of a day"):
        backtest(panel, panel, TARGET)
    with pytest.raises(OutlookError, match="no council has a section 251 balance"):
        backtest(panel, d.load_panel(ORIGIN), 2023)


def test_an_outlook_made_before_two_years_of_balances_were_public_is_refused() -> None:
    with pytest.raises(OutlookError, match="no year end has balances of nearly all councils"):
        d.project(d.load_panel("2021-06-30"), until=2024)


def test_how_councils_move_is_what_money_does(panel: Panel) -> None:
    movement = d.project(panel, until=2026, draws=200).fit.movement
    assert 0 < movement.persistence < 1
    assert -1.3 < movement.spend < -0.5  # £1 more spent takes most of £1 from the balance
    assert movement.scale > 0
    assert np.isfinite([movement.spend_before, movement.spend_persistence, movement.spend_scale]).all()
