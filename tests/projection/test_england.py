"""Rules of England's summaries: what is published, projected, forecast by others and changed by assumptions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import deficits as d
from deficits.formatting import england_estimate
from deficits.panel import Panel
from deficits.projection import Projection, england, lever_names


@given(st.floats(0, 1e11), st.integers(1, 8))
def test_an_estimate_is_rounded_once_to_what_is_known_of_it(value: float, ahead: int) -> None:
    rounded = england_estimate(value, ahead)
    assert england_estimate(rounded, ahead) == rounded
    assert abs(rounded - value) <= (0.25e9 if ahead >= 4 else 0.05e9) * 1.001
    assert np.isnan(england_estimate(float("nan"), ahead))


def test_observed_deficits_are_sums_of_nearly_all_councils_balances_then_the_national_figure(panel: Panel) -> None:
    seen = england.observed_gross(panel).set_index("year")
    returned = seen.loc[seen["label"] == "Councils' returns", "value"]
    balances = panel.figure("balance")
    assert list(returned) == pytest.approx(list((-balances[returned.index]).clip(lower=0).sum()))
    assert (balances[returned.index].count() >= 0.9 * 151).all()
    assert 2023 not in seen.index  # three in four councils
    assert seen.at[2025, "value"] == 3.8e9
    assert "Special Needs Jungle" in seen.at[2025, "label"]


def test_a_forecast_that_repeats_anothers_is_not_counted_twice_and_the_oldest_comes_first(panel: Panel) -> None:
    of_2026 = england.published_forecasts(panel, after=2025).query("year == 2026")
    assert "PAC" not in set(of_2026["publisher"])  # it repeats the DfE's estimate
    assert {"HM Government (MHCLG)", "NAO (DfE estimate)", "CCN"} <= set(of_2026["publisher"])
    assert of_2026["published"].is_monotonic_increasing
    floor = of_2026.set_index("publisher").loc["HM Government (MHCLG)"]
    assert floor["low"] == 5e9
    assert floor[["central", "high"]].isna().all()


def test_headline_values_are_those_of_the_estimates(projection: Projection) -> None:
    values, rounded = england.headline(projection), england.estimates(projection)
    for year in (2026, 2028):
        for part in ("p10", "p50", "p90"):
            assert values[f"england_gross_deficit_{year}_{part}"] == rounded.at[year, part]


def test_spending_block_and_payments_add_up_to_the_growth_of_the_deficit(projection: Projection) -> None:
    table = england.national_table(projection)
    ahead = table.loc[projection.projected_years]
    assert ahead["growth"].to_numpy() == pytest.approx(
        (ahead["spending"] - ahead["block"] - ahead["safety_valve"] + ahead["other"]).to_numpy()
    )
    total = projection.decompose(2026, 2028).at["total", "mean"]
    assert ahead.loc[2027:2028, "growth"].sum() == pytest.approx(total)
    assert table.loc[: projection.base_year, "growth"].isna().all()


def test_what_is_published_of_a_year_is_said(projection: Projection) -> None:
    table = england.national_table(projection)
    assert table.loc[2024, ["plans_known", "spending_known", "block_known"]].all()
    assert list(table.loc[2026, ["plans_known", "spending_known", "block_known"]]) == [True, False, False]
    assert table.at[2027, "block"] == pytest.approx(
        table.at[2026, "block"], rel=0.002
    )  # frozen, as announced; growth has its own doubt


def test_safety_valve_payments_are_as_the_projection_counts_them(projection: Projection) -> None:
    none = projection.with_assumptions(d.Assumptions(safety_valve_payments="none"))
    assert england.national_table(none).loc[2025:, "safety_valve"].eq(0).all()
    assert england.national_table(projection).at[2025, "safety_valve"] > 0


def test_other_assumptions_start_from_the_projections_own_and_a_misspelt_one_is_refused(
    projection: Projection,
) -> None:
    changed = {"the same": {}, "slower": {"plan_growth": 0.03}}
    found = england.sensitivity(projection, changed, [2026, 2028])
    assert (found.loc["the same", "change"] == 0).all()
    assert found.at[("the same", 2028), "p50"] == projection.england().at[("gross", 2028), "p50"]
    assert found.at[("slower", 2028), "change"] < 0
    with pytest.raises(ValueError, match="plan_growht"):
        england.sensitivity(projection, {"slower": {"plan_growht": 0.03}}, [2028])


def test_the_obrs_forecast_is_a_target_only_once_it_was_public(panel: Panel) -> None:
    now = d.project(panel, until=2028, draws=200)
    target = england.obr_target(now)
    assert target is not None
    assert (target.year, target.gross) == (2028, 14e9)
    theirs = now.with_assumptions(now.assumptions.model_copy(update={"calibrated_to": (target,)}))
    assert england.spending_growth(theirs, 2028) < england.spending_growth(now, 2028)
    assert england.obr_target(d.project(d.load_panel("2025-09-17"), until=2028, draws=200)) is None


def test_councils_forecasts_are_compared_only_where_the_balance_is_not_known(projection: Projection) -> None:
    table = england.stated_forecasts(projection)
    known = projection.panel.frame["balance"].dropna().index
    assert len(table) > 10
    assert not pd.MultiIndex.from_frame(table[["authority", "year"]]).isin(known).any()
    assert table["inside"].any()
    assert not table["inside"].all()


@pytest.fixture(scope="module")
def changed(panel: Panel) -> Projection:
    """A projection with a lever of its own."""
    return d.project(panel, levers=[d.Lever.read("funding-growth", growth=0.03)], until=2028, draws=200)


def test_levers_are_compared_with_the_projection_without_any_and_its_own_is_among_them(
    changed: Projection,
) -> None:
    compared = england.levers_compared(changed, 2028)
    alone = england.levers_compared(changed.with_assumptions(levers=[]), 2028)
    assert len(alone) == len(lever_names())
    pd.testing.assert_frame_equal(compared.iloc[:-1], alone)
    assert compared.iloc[-1]["change_p50"] < 0
    threshold = compared.set_index("lever").filter(like="threshold", axis=0).iloc[0]
    assert threshold["payers"] == "mainstream schools"
    assert threshold["others_pay"] > 0
