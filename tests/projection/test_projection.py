"""Rules of the projection."""

import dataclasses
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.tools.sm_exceptions import ConvergenceWarning

import deficits as d
from deficits.errors import PanelError, ProjectionError
from deficits.panel import Panel
from deficits.projection import Projection, national
from deficits.projection.condition import T_SD
from deficits.projection.councils import UPPER_DECILE
from deficits.projection.history import Balances
from deficits.projection.projection import _crossing
from deficits.projection.streams import TAIL
from deficits.simulated import QUANTILES


def test_the_scale_of_own_shocks_is_that_of_a_students_t() -> None:
    assert stats.t(TAIL).ppf(0.9) == pytest.approx(UPPER_DECILE, rel=1e-12)
    assert stats.t(TAIL).std() == pytest.approx(T_SD, rel=1e-12)


def test_the_gross_deficit_of_march_2026_lies_where_published_forecasts_do(projection: Projection) -> None:
    # Published forecasts for that date run from £4.3bn (DfE, 2024) to £6.6bn (CCN, 2026).
    assert 4.5e9 < projection.england().loc[("gross", 2026), "p50"] < 7e9


def test_the_nowcast_holds_the_national_figure_in_its_range_before_it_is_held_to_it(
    projection: Projection,
) -> None:
    assert projection.calibrated is not None
    # Published to the nearest £0.1bn.
    assert projection.calibrated.low - 50e6 <= 3.8e9 <= projection.calibrated.high + 50e6
    assert abs(projection.calibrated.shift) < 1.2816


def test_what_councils_stated_lies_in_ranges_made_without_their_statements(panel: Panel) -> None:
    stated = panel.frame["balance_basis"] == "stated"
    actual = panel.frame.loc[stated, "balance"].xs(2025, level="year")
    unseen = dataclasses.replace(panel, frame=panel.frame.assign(balance=panel.frame["balance"].mask(stated)))
    draws = d.project(unseen, until=2026, draws=1000).balance.sel(year=2025, authority=actual.index)
    low, middle, high = np.quantile(draws.transpose("authority", "draw"), [0.1, 0.5, 0.9], axis=1)
    assert len(actual) >= 14
    assert actual.between(low, high).mean() >= 0.7
    assert np.abs(actual - middle).mean() < 3e6


def test_a_stated_balance_is_true_to_its_last_digit(panel: Panel) -> None:
    stated = panel.frame["balance"][panel.frame["balance_basis"] == "stated"]
    projection = d.project(panel, until=2026, draws=500)
    for (authority, year), value in stated.items():
        off = abs(projection.balance.sel(authority=authority, year=year) - value).max()
        assert off <= panel.rounding(year)[authority] / 2


def test_a_change_is_never_taken_between_sources_that_disagree(panel: Panel) -> None:
    councils = panel.authorities.in_year(2024)
    kent = ("886", 2024)
    frame = panel.frame.copy()
    frame.loc[kent, ["balance", "balance_source"]] = frame.loc[
        kent, ["balance_mhclg", "balance_mhclg_source"]
    ].values
    payments = pd.DataFrame(0.0, index=councils, columns=[2023, 2024])
    moved = Balances.of(dataclasses.replace(panel, frame=frame), councils, payments).moved(2022, 2024)
    # MHCLG has no balance of March 2022, so the change is not a change of one source; section 251's is.
    assert moved["886"] == pytest.approx(frame.at[kent, "balance"] - frame.at[("886", 2022), "balance"])
    mixed = Balances.of(panel, councils, payments).moved(2023, 2024)
    assert mixed["937"] == pytest.approx(
        panel.frame.at[("937", 2024), "balance"] - panel.frame.at[("937", 2023), "balance"], abs=150_000
    )


def test_every_draw_is_calibrated_to_the_national_figure_as_gross_or_as_net(projection: Projection) -> None:
    # The figure does not say whether it is gross: in about a quarter of the draws it is taken to be net.
    off = [abs(national(projection.balance, which).sel(year=2025) - 3.8e9) for which in ("gross", "net")]
    assert float(np.minimum(*off).max()) <= 50e6 + 1
    assert 0.2 < float((off[1] < off[0]).mean()) < 0.3


def test_without_an_anchor_the_draws_are_the_models_own(panel: Panel, projection: Projection) -> None:
    free = d.project(panel, d.Assumptions(calibration="none"), until=2026, draws=1000, seed=1)
    gross = national(free.balance, "gross").sel(year=2025)
    assert free.calibrated is None
    assert projection.calibrated is not None
    assert float(gross.mean()) == pytest.approx(projection.calibrated.expected, rel=0.01)
    assert float(gross.std()) > 50e6


def test_holding_the_draws_to_what_the_model_expects_changes_little(panel: Panel) -> None:
    free = d.project(panel, d.Assumptions(calibration="none"), until=2026, draws=1000, seed=1)
    expected = float(national(free.balance, "gross").sel(year=2025).median())
    national_rows = panel.national.copy()
    rows = national_rows["measure"].eq("gross_deficit") & national_rows["year"].eq(2025)
    national_rows.loc[rows, "value"] = expected
    held = d.project(dataclasses.replace(panel, national=national_rows), until=2026, draws=1000, seed=1)
    middle_free, middle_held = free.england().loc["gross", "p50"], held.england().loc["gross", "p50"]
    assert middle_held[2026] == pytest.approx(middle_free[2026], rel=0.02)
    assert not any("The model alone" in warning for warning in held.warnings)


def test_the_start_is_the_published_balance_in_every_draw(panel: Panel, projection: Projection) -> None:
    start = projection.balance.sel(year=2024)
    assert bool((start == start.isel(draw=0)).all())
    published = panel.figure("balance")[2024].dropna()
    assert list(start.sel(authority=published.index).isel(draw=0).values) == list(published)


def test_same_seed_same_result_to_the_pound(panel: Panel, projection: Projection) -> None:
    again = d.project(panel, until=2031, draws=1000, seed=1)
    assert np.array_equal(again.balance.values, projection.balance.values)
    other = d.project(panel, until=2031, draws=1000, seed=2)
    assert not np.array_equal(other.balance.values, projection.balance.values)


def test_a_longer_horizon_leaves_the_earlier_years_unchanged(panel: Panel, projection: Projection) -> None:
    shorter = d.project(panel, until=2027, draws=1000, seed=1)
    assert np.array_equal(shorter.balance.values, projection.balance.sel(year=shorter.years).values)


def test_more_funding_never_raises_a_deficit(panel: Panel, projection: Projection) -> None:
    richer = d.project(
        panel,
        d.Assumptions(block_growth={**d.Assumptions().block_growth, 2026: 0.12, 2027: 0.05}),
        until=2031,
        draws=1000,
        seed=1,
    )
    assert bool((richer.balance >= projection.balance - 1e-3).all())


def test_faster_spending_never_lowers_a_deficit(panel: Panel, projection: Projection) -> None:
    faster = d.project(panel, d.Assumptions(growth_persistence=0.95), until=2031, draws=1000, seed=1)
    assert faster.england().loc[("gross", 2028), "p50"] > projection.england().loc[("gross", 2028), "p50"]


def test_quantiles_are_ordered_and_gross_is_never_below_net(projection: Projection) -> None:
    england = projection.england()
    assert (england.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    gross, net = national(projection.balance, "gross"), national(projection.balance, "net")
    assert bool((gross >= net - 1e-3).all())
    assert bool((gross >= 0).all())


def test_no_figure_of_the_projection_is_missing_or_infinite(projection: Projection) -> None:
    assert np.isfinite(projection.balance.values).all()
    assert projection.balance.shape == (1000, 153, 8)


def test_the_chance_of_reaching_an_amount_never_rises_with_the_amount(projection: Projection) -> None:
    chances = [projection.reaches(amount).probability for amount in (4e9, 5e9, 6e9, 8e9)]
    for lower, higher in pairwise(chances):
        assert (lower >= higher).all()


def test_a_date_is_interpolated_between_the_year_ends_it_lies_between(projection: Projection) -> None:
    reach = projection.reaches(5e9)
    assert reach.probability[2025] == 0
    assert reach.probability[2026] > 0.5
    assert pd.Timestamp("2025-03-31") < reach.date["p50"] < pd.Timestamp("2026-03-31")
    assert reach.date.is_monotonic_increasing


def test_an_amount_that_is_never_reached_has_no_date(projection: Projection) -> None:
    reach = projection.reaches(1e13)
    assert reach.date.isna().all()


@settings(max_examples=60)
@given(
    path=st.lists(st.floats(0, 100), min_size=2, max_size=8),
    amount=st.floats(0.5, 99),
)
def test_a_crossing_lies_on_the_straight_line_at_the_amount(path: list[float], amount: float) -> None:
    place = _crossing(np.array([path]), amount)[0]
    if np.isinf(place):
        assert max(path) < amount
    else:
        assert np.interp(place, range(len(path)), path) >= amount - 1e-6
        before = path[: int(np.floor(place))]
        assert all(value < amount for value in before)


def test_a_council_is_asked_for_by_name_and_a_misspelling_offers_the_closest(projection: Projection) -> None:
    by_name = projection.authority("Kent")
    assert list(by_name.columns) == list(QUANTILES)
    pd.testing.assert_frame_equal(by_name, projection.authority("E10000016"))
    with pytest.raises(PanelError, match="did you mean 'Kent'"):
        projection.authority("Kant")


def test_an_abolished_council_names_its_successors(projection: Projection) -> None:
    with pytest.raises(
        ProjectionError, match=r"Cumbria .* no longer exists; ask for Cumberland or Westmorland and"
    ):
        projection.authority("Cumbria")


def test_a_successor_without_a_return_starts_from_its_share_of_the_predecessors_balance(
    panel: Panel, projection: Projection
) -> None:
    start = projection.fit.councils.loc["943"]
    assert start["start_basis"] == "estimated"
    cumbria = panel.frame.at[("909", 2022), "balance"]
    people = panel.figure("population_2_18")[2024]
    share = people["943"] / (people["942"] + people["943"])
    assert start["start"] == pytest.approx(cumbria * share)
    assert any("Westmorland and Furness" in warning for warning in projection.warnings)


def test_a_warning_is_given_to_readers_of_the_councils_that_it_concerns(projection: Projection) -> None:
    (told,) = (each for each in projection.warnings if "Westmorland and Furness" in each)
    assert told in projection.warnings_on("England")
    assert told in projection.warnings_on("North West")
    assert told in projection.warnings_on("Westmorland and Furness")
    assert told not in projection.warnings_on("South East")
    # York's name stands inside North Yorkshire's, Bury's in no warning at all.
    for area in ("North Yorkshire", "Bury", ["Kent", "Essex"]):
        assert told not in projection.warnings_on(area)


def test_own_figures_are_a_warning_where_they_are_used(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("authority,year,balance\nYork,2025,-9000000\n")
    with_own = d.project(d.load_panel(own=tmp_path / "own.csv"), until=2027, draws=200)
    told = [each for each in with_own.warnings if "own figures" in each]
    assert len(told) == 1
    assert set(told) <= set(with_own.warnings_on("York"))
    assert not set(told) & set(with_own.warnings_on("North Yorkshire"))


def test_a_figure_that_contradicts_the_model_is_a_visible_warning(panel: Panel) -> None:
    national_rows = panel.national.copy()
    rows = national_rows["measure"].eq("gross_deficit") & national_rows["year"].eq(2025)
    national_rows.loc[rows, "value"] = 8e9
    held = d.project(dataclasses.replace(panel, national=national_rows), until=2026, draws=500, seed=1)
    assert any("£8.0bn" in warning and "standard deviations" in warning for warning in held.warnings)


def test_disagreeing_national_figures_are_refused(panel: Panel) -> None:
    used = panel.national.query("measure == 'gross_deficit' and year == 2025 and repeats.isna()").iloc[[0]]
    national_rows = pd.concat([panel.national, used.assign(value=4.1e9)], ignore_index=True)
    with pytest.raises(ProjectionError, match="31 March 2025 has figures that disagree"):
        d.project(dataclasses.replace(panel, national=national_rows), until=2026, draws=500)


def test_a_fit_that_does_not_converge_is_an_error_and_no_result(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stray(self: object) -> None:
        warnings.warn("did not converge", ConvergenceWarning, stacklevel=1)

    monkeypatch.setattr(sm.RLM, "fit", stray)
    with pytest.raises(ProjectionError, match="how councils move could not be fitted to the figures held"):
        d.project(panel, until=2027, draws=200)


def test_an_unknown_year_is_told_the_years_and_an_unknown_measure_the_closest(projection: Projection) -> None:
    with pytest.raises(ProjectionError, match=r"year: found 2040, expected .* from 2024 to 2031"):
        projection.year(2040)
    with pytest.raises(ProjectionError, match="did you mean 'gross'"):
        projection.reaches(5e9, measure="groos")
    with pytest.raises(ProjectionError, match="is not a deficit: give pounds"):
        projection.reaches(-5e9)
