"""Rules of the assumptions, and of what is published behind them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deficits as d
from deficits.assumptions import CalibrationTarget, Spread, setting_in
from deficits.errors import ProjectionError
from deficits.panel import Panel
from deficits.projection import Lever, Projection, national
from deficits.projection.history import PLACEMENTS
from deficits.projection.streams import Shock, own_shocks


@pytest.fixture(scope="module")
def small(panel: Panel) -> Projection:
    return d.project(panel, until=2030, draws=400, seed=1)


def test_spend_is_people_times_plan_rate_times_mix_times_unit_cost(small: Projection) -> None:
    paths = small.paths
    product = paths.plans * paths.mix * paths.unit_cost
    assert np.allclose(product, paths.spend, rtol=1e-12)
    assert np.allclose(paths.plans, paths.plans[0] * paths.people * paths.rate, rtol=1e-9)


def test_published_years_are_the_same_in_every_draw(small: Projection) -> None:
    known, paths = small.fit.history, small.paths
    for year in (2024, 2025):
        place = paths.years.index(year)
        assert np.allclose(paths.spend[place], known.spend[year])
    assert known.plans[2026] == 718_838
    assert np.allclose(paths.plans[paths.years.index(2026)], 718_838)
    assert np.ptp(paths.spend[paths.years.index(2026)]) > 0


def test_place_funding_and_spend_make_up_the_block_and_the_overspend_of_2021_22(small: Projection) -> None:
    # In-year overspend of 2021-22: £282m (national figures); block £7,906m.
    assert small.fit.history.spend[2022] == pytest.approx(7_906e6 + 282e6, rel=0.05)


def test_an_independent_place_costs_what_the_nao_found(small: Projection) -> None:
    # NAO, October 2024, for 2021-22: £61,500 a year in an independent special school, £23,900 in a state one.
    cost = small.fit.history.cost
    assert small.fit.history.cost_year == 2022
    assert cost["independent"] == pytest.approx(61_500, rel=0.05)
    assert cost["state_special"] == pytest.approx(23_900, rel=0.06)


def test_shares_of_placements_add_up_to_one(small: Projection) -> None:
    assert np.allclose(small.paths.shares.sum(axis=0), 1.0)
    assert (small.paths.shares >= 0).all()
    assert list(small.fit.history.shares.index) == list(PLACEMENTS)


def test_children_already_born_grow_a_year_older_a_year(small: Projection) -> None:
    people = small.fit.history.people
    assert people is not None
    assert people[2025].sum() == pytest.approx(638_745)  # at the rates of that January, its own plans
    assert people[2030].sum() < people[2026].sum()  # smaller birth years reach the ages with most plans


def test_a_path_leaves_other_years_to_the_model(panel: Panel, small: Projection) -> None:
    faster = small.with_assumptions(d.Assumptions(plan_growth={2028: 0.2}))
    growth = faster.paths.plans[1:] / faster.paths.plans[:-1] - 1
    years = faster.paths.years[1:]
    assert np.allclose(growth[years.index(2028)], 0.2)
    assert np.array_equal(faster.paths.plans[: years.index(2028) + 1], small.paths.plans[: years.index(2028) + 1])


def test_a_spread_is_one_value_a_draw(small: Projection) -> None:
    spread = small.with_assumptions(d.Assumptions(plan_growth=Spread(mean=0.06, sd=0.01)))
    growth = spread.paths.plans[1:] / spread.paths.plans[:-1] - 1
    later = growth[[spread.paths.years.index(year) - 1 for year in (2027, 2029)]]
    assert np.allclose(later[0], later[1])
    assert later[0].mean() == pytest.approx(0.06, abs=0.002)
    assert later[0].std() == pytest.approx(0.01, rel=0.2)


def test_a_path_may_be_a_series(small: Projection) -> None:
    series = pd.Series({2027: 0.05, 2028: 0.04})
    made = [small.with_assumptions(d.Assumptions(plan_growth=path)) for path in (series, series.to_dict())]
    assert np.array_equal(made[0].balance.values, made[1].balance.values)


def test_a_spread_follows_the_year_before_as_far_as_it_says(small: Projection) -> None:
    spread = Spread(mean=0.06, sd=0.01, correlation=0.5)
    paths = small.with_assumptions(d.Assumptions(plan_growth=spread)).paths
    growth = paths.plans[1:] / paths.plans[:-1] - 1
    later = growth[[paths.years.index(year) - 1 for year in (2028, 2029)]]
    assert np.corrcoef(later)[0, 1] == pytest.approx(0.5, abs=0.15)
    assert later.std(axis=1) == pytest.approx([0.01, 0.01], rel=0.2)


def test_a_setting_without_effect_says_so(small: Projection) -> None:
    idle = d.Assumptions(plan_growth={2025: 0.1, 2040: 0.1}, block_growth={2023: 0.2})
    made = small.with_assumptions(idle, levers=[Lever.read("funding-growth", start=2040)])
    told = [warning for warning in made.warnings if "has no effect" in warning]
    assert len(told) == 4
    assert not any("has no effect" in warning for warning in small.warnings)


def test_per_pupil_divides_by_pupils_and_per_person_by_people(panel: Panel, small: Projection) -> None:
    money = small.england().at[("net", 2026), "p50"]
    pupils = panel.figure("pupils")[2026].sum()
    assert money / small.england(per="pupil").at[("net", 2026), "p50"] == pytest.approx(pupils, rel=1e-6)
    people = money / small.england(per="person_2_18").at[("net", 2026), "p50"]
    assert people > 1.1 * pupils


@given(st.floats(-0.2, 0.5), st.integers(2020, 2035))
def test_a_number_is_meant_for_every_year(growth: float, year: int) -> None:
    assert setting_in(growth, year) == growth
    assert setting_in({2030: growth}, year) == (growth if year == 2030 else None)


@settings(max_examples=8)
@given(st.floats(0.0, 0.2), st.floats(0.001, 0.1))
def test_faster_plans_never_lower_a_deficit(small: Projection, growth: float, more: float) -> None:
    slower, faster = (
        small.with_assumptions(d.Assumptions(plan_growth=value)) for value in (growth, growth + more)
    )
    assert bool((faster.balance <= slower.balance + 1e-3).all())


def test_a_councils_own_assumption_changes_only_that_council(small: Projection) -> None:
    kent = small.with_assumptions(
        d.Assumptions(councils={"Kent": {"plan_growth": 0.02, "contribution": {2027: 5e6}}})
    )
    others = [code for code in small.balance["authority"].values if code != "886"]
    assert np.array_equal(kent.balance.sel(authority=others).values, small.balance.sel(authority=others).values)
    better = kent.balance.sel(authority="886", year=2028) > small.balance.sel(authority="886", year=2028)
    assert bool(better.all())
    published = kent.authority("Kent").loc[2026] - small.authority("Kent").loc[2026]  # plans of 2026 are
    assert np.allclose(published, 0.0, atol=1e-3)


def test_a_contribution_is_in_the_balance_to_the_pound(small: Projection) -> None:
    paid = small.with_assumptions(d.Assumptions(councils={"Camden": {"contribution": {2027: 1e6}}}))
    more = (paid.balance - small.balance).sel(authority=small.code("Camden"))
    assert np.allclose(more.sel(year=[2026]), 0.0, atol=1e-3)
    assert np.allclose(more.sel(year=[2027, 2030]), 1e6)


def test_plans_of_councils_add_up_to_englands(small: Projection) -> None:
    assert np.allclose(small.plans().sum("authority").transpose("year", "draw").values, small.paths.plans)


def test_an_unknown_council_in_the_assumptions_offers_the_closest(panel: Panel) -> None:
    with pytest.raises(ProjectionError, match="did you mean 'Kent'"):
        d.project(panel, d.Assumptions(councils={"Kentt": {"plan_growth": 0.02}}), until=2027, draws=200)


def test_a_council_that_is_gone_or_given_twice_is_refused(small: Projection) -> None:
    with pytest.raises(
        ProjectionError, match=r"Cumbria \(909\) no longer exists; ask for Cumberland or Westmorland"
    ):
        small.with_assumptions(d.Assumptions(councils={"Cumbria": {"plan_growth": 0.02}}))
    with pytest.raises(ProjectionError, match="'886' and 'Kent' are the same council"):
        small.with_assumptions(
            d.Assumptions(councils={"Kent": {"plan_growth": 0.02}, "886": {"plan_growth": 0.03}})
        )


def test_a_lever_cannot_change_a_published_year(small: Projection) -> None:
    with pytest.raises(
        ProjectionError, match="starts in 2025, for which a national figure is published: give start=2026"
    ):
        small.with_assumptions(levers=[Lever.read("funding-growth", start=2025)])


@pytest.mark.parametrize(
    "wrong",
    [
        {"plan_growth": 4.0},
        {"plan_growth": {"mean": 0.05, "sd": 3}},
        {"later_block_growth": -1},
        {"financing_rate": 4.05},
        {"independent_share": {2028: 7}},
        {"councils": {"Kent": {"plan_groth": 0.02}}},
        {"safety_valve_payments": "some"},
    ],
)
def test_a_assumption_out_of_range_or_misspelt_is_refused(wrong: dict) -> None:
    with pytest.raises(ProjectionError) as refused:
        d.Assumptions(**wrong)
    assert next(iter(wrong)) in str(refused.value)


def test_the_independent_share_is_what_the_assumption_says(small: Projection) -> None:
    shifted = small.with_assumptions(d.Assumptions(independent_share={2028: 0.05}))
    place = shifted.paths.years.index(2028)
    assert np.allclose(shifted.paths.shares[0, place], 0.05)
    assert np.allclose(shifted.paths.shares[:, place].sum(axis=0), 1.0)


def test_growth_by_placement_is_englands_path_by_hand(small: Projection) -> None:
    own = {
        "independent": {"unit_cost_growth": {2026: 0.06, 2027: 0.1}, "plan_growth": {2028: 0.12}},
        "state_special": {"unit_cost_growth": 0.02},
    }
    known, was = small.fit.history, small.paths
    paths = small.with_assumptions(d.Assumptions(placements=own)).paths
    before, then, place = (paths.years.index(year) for year in (2025, 2027, 2028))
    plans, cost = paths.plans * paths.shares, paths.cost
    # Unit costs are published to 2024-25.
    assert cost[0, then] == pytest.approx(known.cost["independent"] * known.unit_cost[2025] * 1.06 * 1.1)
    assert cost[1, place] == pytest.approx(known.cost["state_special"] * known.unit_cost[2025] * 1.02**3)
    assert cost[2] == pytest.approx(known.cost["mainstream_and_other"] * was.unit_cost)
    assert plans[0, place] == pytest.approx(plans[0, then] * 1.12)
    assert paths.plans == pytest.approx(was.plans)  # the others have the rest, in their proportions
    assert plans[1, place] / plans[2, place] == pytest.approx(was.shares[1, place] / was.shares[2, place])
    assert paths.spend == pytest.approx(plans[0] * cost[0] + plans[1] * cost[1] + plans[2] * cost[2])
    assert paths.spend == pytest.approx(paths.plans * paths.mix * paths.unit_cost)
    assert paths.spend[: before + 1] == pytest.approx(was.spend[: before + 1], rel=1e-12)
    later = was.unit_cost[place] / was.unit_cost[then]  # what all placements' costs grow by where none is set
    assert (cost[0, place] / cost[0, then]).mean() == pytest.approx(later.mean(), rel=0.001)


def test_growth_alike_in_every_placement_is_that_of_all(small: Projection) -> None:
    path = pd.Series({2026: 0.03, 2027: Spread(mean=0.05, sd=0.01), 2029: 0.02})
    alike = small.with_assumptions(
        d.Assumptions(placements={name: {"unit_cost_growth": path} for name in PLACEMENTS})
    )
    assert alike.paths.cost[0, :3] == pytest.approx(
        small.fit.history.cost["independent"]
        * small.with_assumptions(d.Assumptions(unit_cost_growth=path)).paths.unit_cost[:3]
    )


def test_growth_by_placement_that_cannot_be_or_has_no_effect_is_told(small: Projection) -> None:
    for wrong, told in (
        ({"special": {"plan_growth": 0.1}}, "placements.special: found 'special'; .* 'state_special'"),
        ({name: {"plan_growth": 0.1} for name in PLACEMENTS}, "plan_growth of all three, expected of two"),
        (
            {"independent": {"plan_growth": 3}},
            "placements.independent.plan_growth: found 3, expected growth a year",
        ),
    ):
        with pytest.raises(ProjectionError, match=told):
            d.Assumptions(placements=wrong)
    with pytest.raises(ProjectionError, match="say the same: give one"):
        d.Assumptions(placements={"independent": {"plan_growth": 0.1}}, independent_share={2028: 0.05})
    idle = d.Assumptions(
        placements={"independent": {"unit_cost_growth": {2024: 0.1}, "plan_growth": {2024: 0.1, 2040: 0.1}}},
        councils={"Kent": {"plan_growth": {2025: 0.1}}},
    )
    told = [warning for warning in small.with_assumptions(idle).warnings if "has no effect" in warning]
    assert [warning.partition(" has")[0] for warning in told] == [
        "placements.independent.plan_growth of 2024",
        "placements.independent.plan_growth of 2040",
        "placements.independent.unit_cost_growth of 2024",
        "councils.Kent.plan_growth of 2025",
    ]


def test_instalments_after_the_programme_ended_count_only_where_asked(panel: Panel, small: Projection) -> None:
    agreed = small.with_assumptions(d.Assumptions(safety_valve_payments="as_agreed"))
    none = small.with_assumptions(d.Assumptions(safety_valve_payments="none"))
    later = agreed.balance.sel(year=2028) - small.balance.sel(year=2028)
    assert float(later.mean("draw").sum()) > 100e6
    assert bool((later >= -1e-3).all())
    assert float(none.simulations["safety_valve_payments"].sel(year=[2025, 2026]).sum()) == 0
    past = agreed.england().loc["in_year"] - small.england().loc["in_year"]
    assert np.allclose(past.loc[[2027, 2028]], 0.0, atol=1.0)  # a grant never counts as improvement


def test_a_forecast_moves_the_draws_as_far_as_its_error_allows(small: Projection) -> None:
    firm = small.with_assumptions(
        d.Assumptions(calibrated_to=[CalibrationTarget(year=2028, gross=14e9, sd=0.3e9)])
    )
    loose = small.with_assumptions(
        d.Assumptions(calibrated_to=[CalibrationTarget(year=2028, gross=14e9, sd=10e9)])
    )
    free, near, far = (each.england().loc[("gross", 2028), "p50"] for each in (small, firm, loose))
    assert abs(near - 14e9) < 0.2 * abs(free - 14e9)
    assert abs(far - free) < 0.2 * abs(free - 14e9)
    assert firm.holdings[0].expected == pytest.approx(
        float(national(small.balance, "gross").sel(year=2028).mean())
    )
    off = [abs(national(firm.balance, which).sel(year=2025) - 3.8e9) for which in ("gross", "net")]
    assert float(np.minimum(*off).max()) <= 50e6 + 1  # the outturn is kept exactly


def test_a_councils_own_forecast_moves_its_draws_alone_as_far_as_its_error_allows(small: Projection) -> None:
    def drawn(sd: float) -> Projection:
        own = {"Kent": {"calibrated_to": [{"year": 2028, "balance": -260e6, "sd": sd}]}}
        return small.with_assumptions(d.Assumptions(councils=own))

    firm, loose = drawn(5e6), drawn(5e9)
    free, near, far = (each.authority("Kent").at[2028, "p50"] for each in (small, firm, loose))
    assert abs(near + 260e6) < 0.1 * abs(free + 260e6)
    assert abs(far - free) < 0.2 * abs(free + 260e6)
    moved = np.abs(firm.balance - small.balance).max("draw")
    assert set(moved.authority.values[(moved > 1e-3).any("year").values]) == {"886"}
    assert float(moved.sel(authority="886", year=[2024, 2025]).max()) == 0.0  # what is published stays
    assert (
        firm.authority("Kent").at[2027, "p50"] > small.authority("Kent").at[2027, "p50"]
    )  # the way there moves too
    spread = [each.authority("Kent").loc[2028, ["p10", "p90"]].diff().iloc[-1] for each in (small, firm)]
    assert spread[1] < 0.3 * spread[0]
    for change in (each.decompose(2026, 2028, "Kent") for each in (small, firm)):
        assert change.drop("total")["mean"].sum() == pytest.approx(change.at["total", "mean"], abs=1.0)
    published = {"Kent": {"calibrated_to": [{"year": 2025, "balance": -1e6, "sd": 1e6}]}}
    with pytest.raises(ProjectionError, match=r"calibrated_to: found 2025, expected .* from 2026"):
        small.with_assumptions(d.Assumptions(councils=published))


def test_a_forecast_that_the_model_expects_changes_little(small: Projection) -> None:
    expected = float(national(small.balance, "gross").sel(year=2028).mean())
    held = small.with_assumptions(
        d.Assumptions(calibrated_to=[CalibrationTarget(year=2028, gross=expected, sd=5e9)])
    )
    middle, free = (each.england().loc[("gross", 2028), "p50"] for each in (held, small))
    assert middle == pytest.approx(free, rel=0.02)


def test_a_forecast_that_contradicts_the_model_is_a_visible_warning(small: Projection) -> None:
    held = small.with_assumptions(d.Assumptions(calibrated_to=[CalibrationTarget(year=2027, gross=40e9, sd=1e9)]))
    assert any("contradicts" in warning and "£40.0bn" in warning for warning in held.warnings)
    with pytest.raises(ProjectionError, match=r"calibrated_to: found 2040, expected .* from 2025 to 2030"):
        small.with_assumptions(d.Assumptions(calibrated_to=[CalibrationTarget(year=2040, gross=4e9, sd=1e9)]))


def test_a_council_less_leaves_the_others_shocks_unchanged() -> None:
    every = own_shocks((201, 202, 203), Shock.OWN_POSITION, 3, 100, 1)
    fewer = own_shocks((201, 203), Shock.OWN_POSITION, 3, 100, 1)
    longer = own_shocks((201, 203), Shock.OWN_POSITION, 5, 100, 1)
    assert np.array_equal(every[:, [0, 2]], fewer)
    assert np.array_equal(longer[:3], fewer)


def test_a_run_again_is_the_run(panel: Panel, small: Projection) -> None:
    assumptions = d.Assumptions(growth_persistence=0.8, plan_growth={2029: 0.05})
    again = small.with_assumptions(assumptions)
    anew = d.project(panel, assumptions, until=2030, draws=400, seed=1)
    assert np.array_equal(again.balance.values, anew.balance.values)


def test_a_year_past_the_children_counted_is_a_visible_warning(panel: Panel) -> None:
    far = d.project(panel, until=2035, draws=200)
    assert any("not born yet" in warning for warning in far.warnings)
    assert np.isfinite(far.balance.values).all()


def test_before_ages_were_public_a_run_says_so(panel: Panel) -> None:
    then = d.project(d.load_panel("2023-02-28"), until=2024, draws=200)
    assert any("No population by age was public" in warning for warning in then.warnings)
    with pytest.raises(ProjectionError, match="no population by age was public"):
        then.england(per="pupil")
    with pytest.raises(ProjectionError, match="no GDP deflator was public"):
        then.england(real=2024)


def test_a_jump_of_ten_times_or_a_council_without_figures_gives_a_usable_result(panel: Panel) -> None:
    frame = panel.frame.copy()
    frame.loc[("202", 2024), "balance"] *= 10
    for figure in ("balance", "high_needs_net_spend", "plans", "plans_independent", "plans_state_special"):
        frame.loc["203", figure] = np.nan
    odd = d.project(dataclasses.replace(panel, frame=frame), until=2028, draws=300)
    assert np.isfinite(odd.balance.values).all()
    assert any("No balance at 31 March 2024 is held for" in warning for warning in odd.warnings)
    assert np.isfinite(odd.authority("203", real=2026)).all(axis=None)
