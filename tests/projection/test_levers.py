"""Rules of the levers."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import deficits as d
from deficits import Scenario
from deficits.errors import ProjectionError
from deficits.panel import Panel
from deficits.paths import levers_dir
from deficits.projection import Projection, national
from deficits.projection.fit import Fit
from deficits.projection.lever import KINDS, THRESHOLD, Effect, Lever, in_turn, lever_from, lever_names, spread
from deficits.projection.national import Paths

UNTIL, DRAWS = 2029, 200
PAID_ELSEWHERE = ["funding-growth", "health-share", "threshold-uprating"]
"""What the block saves by these, somebody else pays."""


@pytest.fixture(scope="module")
def small(panel: Panel) -> Projection:
    return d.project(panel, until=UNTIL, draws=DRAWS, seed=1)


def with_levers(panel: Panel, *levers: Lever) -> Projection:
    return d.project(panel, levers=levers, until=UNTIL, draws=DRAWS, seed=1)


def effect(lever: Lever, projection: Projection) -> Effect:
    return lever.effect(projection.fit, projection.paths)


def at_once(name: str, **changes: Any) -> Lever:
    """A shipped lever that works in full from 2026-27."""
    return Lever.read(name, start=2027, lag=0, ramp=1, **changes)


@pytest.mark.parametrize("name", lever_names())
def test_each_shipped_lever_is_valid_and_says_where_its_size_comes_from(name: str) -> None:
    lever = Lever.read(name)
    assert lever.kind == name.replace("-", "_")
    assert lever.assumed
    assert str(lever.reference).startswith("https://")
    assert all(str(each.url).startswith(("https://", "http://")) for each in lever.evidence)
    assert lever.terms()
    assert lever.timing()


def test_each_kind_of_lever_is_shipped_once() -> None:
    assert sorted(Lever.read(name).kind for name in lever_names()) == sorted(KINDS)


def test_levers_are_off_unless_asked_for(panel: Panel, small: Projection) -> None:
    assert small.levers == ()
    assert np.array_equal(with_levers(panel).balance.values, small.balance.values)


OFF: dict[str, dict[str, float]] = {
    "threshold-uprating": {"threshold": THRESHOLD, "rate": 0.0},
    "early-support": {"cost": 0.0, "fewer": 0.0},
    "placement-shift": {"moved": 0.0},
    "formula-review": {"weight": 0.0},
    "health-share": {"paid": 0.0},
    "funding-growth": {"growth": 0.0},
}


@pytest.mark.parametrize("name", lever_names())
def test_a_lever_of_no_size_changes_nothing(panel: Panel, small: Projection, name: str) -> None:
    changed = with_levers(panel, at_once(name, **OFF[name]))
    assert np.array_equal(changed.balance.values, small.balance.values)


UNMEASURED = {
    "early-support": "fewer",
    "placement-shift": "moved",
    "health-share": "paid",
    "threshold-uprating": "passed_on",
}
"""A size of each lever that nobody has measured: a range."""


@pytest.mark.parametrize(("name", "size"), UNMEASURED.items())
def test_a_size_that_nobody_has_measured_widens_the_range_of_its_effect(
    small: Projection, name: str, size: str
) -> None:
    def of(lever: Lever) -> np.ndarray:
        return np.quantile(effect(lever, small).position[-1].sum(axis=0), [0.1, 0.5, 0.9])

    ranged = at_once(name)
    usual = ranged.central(size)
    low, _, high = of(ranged)
    one = of(at_once(name, **{size: usual}))
    assert high - low > one[2] - one[0]
    assert low < one[1] < high
    assert of(at_once(name, **{size: {"low": usual, "high": usual}})) == pytest.approx(one)


@pytest.mark.parametrize(("name", "size"), UNMEASURED.items())
def test_a_levers_size_in_a_draw_is_its_own_whatever_else_is_asked_for(
    small: Projection, name: str, size: str
) -> None:
    lever = Lever.read(name)
    drawn = getattr(lever.drawn(small.paths), size)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    given = getattr(lever, size)
    width = given.high - given.low
    assert np.quantile(drawn, [0.1, 0.9]) == pytest.approx([given.low, given.high], abs=0.3 * width)
    later = Lever.read(name, start=2030, title="Another")
    assert np.array_equal(getattr(later.drawn(small.paths), size), drawn)


@pytest.mark.parametrize("name", lever_names())
def test_a_lever_that_starts_after_the_last_year_changes_nothing(small: Projection, name: str) -> None:
    done = effect(Lever.read(name, start=UNTIL + 1), small)
    assert not done.position.any()
    assert not any(cost.any() for cost in done.elsewhere.values())


@pytest.mark.parametrize("name", lever_names())
def test_years_before_a_lever_starts_are_left_as_they_are(panel: Panel, small: Projection, name: str) -> None:
    changed = with_levers(panel, Lever.read(name, start=2027, lag=0))
    before = {"year": slice(None, 2026)}
    assert np.array_equal(changed.balance.sel(before).values, small.balance.sel(before).values)
    assert not np.array_equal(changed.balance.values, small.balance.values)


def test_a_lever_cannot_start_in_a_published_year(panel: Panel) -> None:
    with pytest.raises(ProjectionError, match="found start 2024, expected a year after 2024"):
        with_levers(panel, Lever.read("funding-growth", start=2024))


@pytest.mark.parametrize("name", lever_names())
def test_a_levers_difference_from_the_baseline_is_its_effect_draw_by_draw(
    panel: Panel, small: Projection, name: str
) -> None:
    lever = at_once(name)
    changed = with_levers(panel, lever)
    difference = (changed.balance - small.balance).diff("year").transpose("year", "authority", "draw").values
    assert np.allclose(difference, np.broadcast_to(effect(lever, small).position, difference.shape), atol=1e-3)


def test_several_levers_never_save_a_plan_twice_in_whatever_order_they_are_named(
    panel: Panel, small: Projection
) -> None:
    levers = [at_once(name) for name in lever_names()]
    together = with_levers(panel, *levers).balance - small.balance
    other_way = with_levers(panel, *levers[::-1]).balance - small.balance
    assert np.allclose(together.values, other_way.values, atol=1e-2)
    alone = sum((with_levers(panel, lever).balance - small.balance for lever in levers), start=0 * together)
    last = {"year": small.years[-1]}
    assert (together.sel(last).sum("authority") < alone.sel(last).sum("authority")).all()


def test_health_pays_for_the_joint_placements_that_have_not_moved(small: Projection) -> None:
    shift, health = at_once("placement-shift", moved=0.2), at_once("health-share")
    moved, paid = in_turn([health, shift], small.fit, small.paths)
    assert moved.position == pytest.approx(effect(shift, small).position)
    there = 0.8 ** np.clip(np.array(small.paths.years[1:]) - 2026, 0, None)[:, None, None]
    assert paid.position == pytest.approx(effect(health, small).position * there)


@pytest.mark.parametrize("name", PAID_ELSEWHERE)
def test_what_the_block_saves_by_moving_a_cost_somebody_pays(small: Projection, name: str) -> None:
    done = effect(at_once(name), small)
    (cost,) = done.elsewhere.values()
    assert np.array_equal(cost, done.position)
    assert (cost[2:] >= 0).all()


def test_the_threshold_saves_the_rise_for_each_plan_that_it_concerns(small: Projection) -> None:
    lever = at_once("threshold-uprating", threshold=7000, rate=0.0, affected=0.5, passed_on=1.0)
    saved = effect(lever, small).position.sum(axis=1)
    plans = (small.paths.plans * small.paths.shares[2])[1:]
    year = small.paths.years.index(2028) - 1
    assert saved[year] == pytest.approx(plans[year] * 0.5 * 1000)


def test_the_shipped_threshold_has_kept_up_with_the_deflator_since_2013_14(panel: Panel) -> None:
    lever = Lever.read("threshold-uprating")
    since = panel.prices[(panel.prices.index > 2014) & (panel.prices.index <= lever.start)]
    # The panel evens out the deflator's two years of Covid, which moves the level by a few pounds.
    assert THRESHOLD * (1 + since).prod() == pytest.approx(lever.model_dump()["threshold"], abs=10)


@settings(max_examples=20)
@given(growth=st.floats(0, 0.2), more=st.floats(0, 0.2), ramp=st.integers(1, 5))
def test_more_funding_never_raises_a_deficit(small: Projection, growth: float, more: float, ramp: int) -> None:
    low, high = sorted([growth, more])
    some = effect(Lever.read("funding-growth", start=2027, growth=low, ramp=ramp), small).position
    lots = effect(Lever.read("funding-growth", start=2027, growth=high, ramp=ramp), small).position
    assert (some >= 0).all()
    assert (lots >= some - 1e-6).all()


def test_funding_that_grows_more_is_that_much_higher(small: Projection) -> None:
    more = effect(at_once("funding-growth", growth=0.05), small).position.sum(axis=1)
    block = small.paths.block
    first = small.paths.years.index(2027)
    assert more[first - 1] == pytest.approx(block[first - 1] * 0.05)


@settings(max_examples=20)
@given(weight=st.floats(0, 1), basis=st.sampled_from(["people", "plans", "spend"]), ramp=st.integers(1, 5))
def test_a_formula_review_keeps_the_sum_of_the_block(
    small: Projection, weight: float, basis: str, ramp: int
) -> None:
    done = effect(Lever.read("formula-review", start=2027, weight=weight, basis=basis, ramp=ramp), small)
    assert np.abs(done.position.sum(axis=1)).max() < 0.01
    assert done.elsewhere == {}


def test_a_formula_review_in_full_shares_the_block_out_by_its_basis(small: Projection) -> None:
    done = effect(at_once("formula-review", weight=1.0, basis="plans"), small)
    share = small.fit.parts
    block = share["block"].to_numpy()[:, None] * small.paths.block[-1] + done.position[-1]
    funded = share["block"] > 0
    kept = share["plans"].where(funded, 0.0)
    assert block[:, 0] == pytest.approx((kept / kept.sum()).to_numpy() * small.paths.block[-1, 0], abs=0.01)
    assert not done.position[:, ~funded].any()


def test_a_formula_review_by_people_says_that_it_needs_them(small: Projection) -> None:
    history = dataclasses.replace(small.fit.history, people=None)
    without = dataclasses.replace(small.fit, history=history)
    with pytest.raises(ProjectionError, match="give basis 'plans' or 'spend'"):
        Lever.read("formula-review").effect(without, small.paths)


def test_early_support_costs_at_once_and_saves_later(small: Projection) -> None:
    lever = Lever.read("early-support", start=2027, lag=2, ramp=1, cost=0.02)
    yearly = effect(lever, small).position.sum(axis=1).mean(axis=1)
    spend = small.paths.spend[1:].mean(axis=1)
    by_year = dict(zip(small.paths.years[1:], zip(yearly, spend, strict=True), strict=True))
    assert by_year[2026][0] == 0
    assert by_year[2027][0] == pytest.approx(-0.02 * by_year[2027][1])
    assert by_year[2028][0] == pytest.approx(-0.02 * by_year[2028][1])
    assert by_year[2029][0] > -0.02 * by_year[2029][1]


def test_fewer_plans_add_up_year_by_year(small: Projection) -> None:
    lever = at_once("early-support", cost=0.0, fewer=0.01, avoided="average")
    saved = effect(lever, small).position.sum(axis=1)
    spend = small.paths.spend[1:]
    first = small.paths.years.index(2027) - 1
    growth = small.paths.plans[1:] / small.paths.plans[:-1]
    left = (1 - 0.01 / growth[first]) * (1 - 0.01 / growth[first + 1])
    assert saved[first + 1] == pytest.approx(spend[first + 1] * (1 - left))


def test_what_dfe_pays_of_early_support_councils_do_not(small: Projection) -> None:
    done = effect(at_once("early-support", fewer=0.0, from_block=0.25), small)
    assert np.allclose(done.elsewhere["DfE"], -3 * done.position)


def test_a_placement_that_moves_saves_the_difference_of_two_unit_costs(small: Projection) -> None:
    done = effect(at_once("placement-shift", moved=0.1), small)
    first = small.paths.years.index(2027)
    plans = small.paths.plans[first] * small.paths.shares[0, first] * 0.1
    cost = small.fit.history.cost
    apart = (cost["independent"] - cost["state_special"]) * small.paths.unit_cost[first]
    assert done.position[first - 1].sum(axis=0) == pytest.approx(plans * apart)
    assert done.elsewhere["capital (DfE)"][first - 1].sum(axis=0) == pytest.approx(plans * 87_000)


def test_each_place_is_built_once(small: Projection) -> None:
    lever = at_once("placement-shift", moved=0.1, capital=100_000)
    built = effect(lever, small).elsewhere["capital (DfE)"].sum(axis=(0, 1)) / 100_000
    gone = 1 - 0.9 ** (UNTIL - 2026)
    independent = small.paths.plans * small.paths.shares[0]
    assert (built >= independent[-1] * gone - 1e-6).all()
    assert built.mean() == pytest.approx((independent[-1] * gone).mean(), rel=0.01)


def test_health_pays_its_share_of_joint_placements(small: Projection) -> None:
    done = effect(at_once("health-share", joint=0.1, paid=0.5), small)
    cost = small.fit.history.cost["independent"] * small.paths.unit_cost[-1]
    spent = small.paths.plans[-1] * small.paths.shares[0, -1] * cost
    assert done.elsewhere["NHS"][-1].sum(axis=0) == pytest.approx(0.05 * spent)


@given(start=st.integers(2025, 2035), lag=st.integers(0, 10), ramp=st.integers(1, 10))
def test_a_ramp_starts_at_nothing_never_falls_and_ends_at_full_size(start: int, lag: int, ramp: int) -> None:
    years = list(range(2024, 2060))
    size = Lever.read("health-share", start=start, lag=lag, ramp=ramp).size(years).ravel()
    by_year = dict(zip(years, size, strict=True))
    assert all(by_year[year] == 0 for year in years if year < start + lag)
    assert by_year[start + lag] == pytest.approx(1 / ramp)
    assert all(by_year[year] == 1 for year in years if year >= start + lag + ramp - 1)
    assert (np.diff(size) >= 0).all()


@settings(max_examples=20)
@given(name=st.sampled_from(lever_names()), lag=st.integers(0, 3), ramp=st.integers(1, 4))
def test_a_lever_that_works_sooner_does_no_less(small: Projection, name: str, lag: int, ramp: int) -> None:
    if name in ("early-support", "formula-review"):
        return
    later = effect(Lever.read(name, start=2027, lag=lag + 1, ramp=ramp), small).position.cumsum(axis=0)
    sooner = effect(Lever.read(name, start=2027, lag=lag, ramp=ramp), small).position.cumsum(axis=0)
    assert (sooner >= later - 1e-6).all()


@pytest.mark.parametrize("name", lever_names())
def test_a_council_without_figures_gives_no_missing_effect(small: Projection, name: str) -> None:
    done = effect(at_once(name), small)
    assert np.isfinite(done.position).all()
    assert done.position.shape == (len(small.years) - 1, len(small.fit.councils), DRAWS)


def test_a_levers_table_by_council_is_the_projections_difference(panel: Panel, small: Projection) -> None:
    lever = at_once("health-share")
    table = small.lever_by_council(lever)
    changed = with_levers(panel, lever)
    larger = national(changed.balance, "net") - national(small.balance, "net")
    assert -table["mean"].sum() == pytest.approx(float(larger.sel(year=UNTIL).mean()))
    assert (table["p10"] <= table["p50"]).all()
    assert (table["p50"] <= table["p90"]).all()


def test_a_changed_lever_names_itself() -> None:
    assert Lever.read("funding-growth", growth=0.04) == Lever.read("funding-growth")
    assert Lever.read("health-share", paid=0.5).title == "Health pays a share of joint placements (paid 50%)"
    assert Lever.read("health-share", paid=0.5, title="Half").title == "Half"
    assert Lever.read("placement-shift", capital=100_000, start=2030).title.endswith(
        "(start 2029-30, capital £100,000)"
    )


def test_an_unknown_parameter_offers_the_closest() -> None:
    with pytest.raises(ProjectionError, match="grwth: unknown name; did you mean 'growth'"):
        Lever.read("funding-growth", grwth=0.1)


def test_all_faults_of_a_lever_are_told_at_once() -> None:
    with pytest.raises(ProjectionError) as told:
        Lever.read("health-share", joint=8.5, paid=-1, start=1999)
    message = str(told.value)
    assert "joint: found 8.5, expected a share from 0 to 1; 8.5% is 0.085" in message
    assert "paid: found -1" in message
    assert "start: found 1999" in message


def test_terms_are_read_as_a_person_types_them() -> None:
    lever = Lever.read("health-share", paid="50%", start="2028-29", pathfinders={"Kent": "2027-28"})
    assert lever == Lever.read("health-share", paid=0.5, start=2029, pathfinders={"Kent": 2028})
    assert Lever.read("threshold-uprating", threshold="£8,000").shown("threshold") == "£8,000"
    with pytest.raises(ProjectionError, match="paid: 'half' is not a share: give it like 90%"):
        Lever.read("health-share", paid="half")


def test_a_lever_that_starts_nowhere_is_refused() -> None:
    with pytest.raises(ProjectionError, match="only_pathfinders: no council starts; give pathfinders"):
        Lever.read("funding-growth", only_pathfinders=True)


def test_an_unknown_kind_is_told_with_the_heads_faults() -> None:
    with pytest.raises(ProjectionError) as told:
        lever_from({"kind": "treshold_uprating", "title": "x"}, "mine.yaml")
    message = str(told.value)
    assert "did you mean 'threshold_uprating'" in message
    assert "proposer: missing" in message
    with pytest.raises(ProjectionError, match="kind: missing"):
        lever_from({}, "mine.yaml")
    whole = Lever.read("early-support").model_dump(mode="json") | {"kind": "nonsense"}
    with pytest.raises(ProjectionError, match="kind: found 'nonsense'"):
        lever_from(whole, "mine.yaml")


def test_a_lever_of_ones_own_kind_is_saved_in_a_scenario_and_read_again(small: Projection, tmp_path: Path) -> None:
    class Grant(Lever):
        kind: Literal["grant"]
        pounds: float

        def _effect(self, fit: Fit, parts: pd.DataFrame, paths: Paths) -> Effect:
            return Effect(spread(parts, "block", np.full_like(paths.block[1:], self.pounds)))

    try:
        head = Lever.read("funding-growth").model_dump(exclude={"kind", "growth"})
        lever = Grant(kind="grant", pounds=1e8, **head)
        scenario = Scenario(levers=(lever,))
        assert Scenario.read(scenario.save(tmp_path / "mine.yaml")) == scenario
        read = Scenario.read(tmp_path / "mine.yaml").levers
        assert small.with_assumptions(levers=read).balance.mean() > small.balance.mean()
    finally:
        del KINDS["grant"]


def test_a_persons_own_lever_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    declared = yaml.safe_load((levers_dir() / "funding-growth.yaml").read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(declared | {"growth": 0.01, "title": "Mine"}), encoding="utf-8")
    assert Lever.read(path).title == "Mine"
    path.write_text("- growth", encoding="utf-8")
    with pytest.raises(ProjectionError, match=r"mine\.yaml holds no parameters"):
        Lever.read(path)
    path.write_text("growth: [", encoding="utf-8")
    with pytest.raises(ProjectionError, match=r"mine\.yaml is not valid YAML"):
        Lever.read(path)
    with pytest.raises(ProjectionError, match="no lever file"):
        Lever.read(tmp_path / "other.yaml")


BASIS = st.one_of(
    st.sampled_from(["people", "plans", "spend", "deprivation"]),
    st.floats(0, 1).map(lambda share: {"people": share, "deprivation": 1 - share}),
)
LIMIT = st.one_of(st.none(), st.floats(0, 0.1))


@settings(max_examples=30)
@given(weight=st.floats(0, 1), basis=BASIS, floor=LIMIT, cap=LIMIT, early=st.integers(2027, 2029))
def test_a_formula_review_keeps_the_sum_within_its_floor_and_cap_in_every_simulation(
    small: Projection, weight: float, basis: Any, floor: float | None, cap: float | None, early: int
) -> None:
    terms = {"weight": weight, "basis": basis, "floor": floor, "gains_cap": cap}
    lever = at_once("formula-review", **terms, pathfinders={"London": early})
    moved = effect(lever, small).position
    region = small.fit.councils["region"].eq("London").to_numpy()
    # Those that start in a year of their own share out their own blocks.
    for group in (region, ~region) if early != 2027 else (region | ~region,):
        assert np.abs(moved[:, group].sum(axis=1)).max() < 0.01
    block = small.fit.parts["block"].to_numpy()[:, None] * small.paths.block[1:, None, :]
    assert (moved >= -(1.0 if floor is None else floor) * block - 0.01).all()
    assert cap is None or (moved <= cap * block + 0.01).all()


def test_a_floor_protects_losers_at_the_gainers_cost(small: Projection) -> None:
    free = effect(at_once("formula-review"), small).position[-1, :, 0]
    kept = effect(at_once("formula-review", floor=0.01), small).position[-1, :, 0]
    block = small.fit.parts["block"].to_numpy() * small.paths.block[-1, 0]
    assert (free < -0.01 * block - 1).any()
    assert kept[free < -0.01 * block] == pytest.approx(-0.01 * block[free < -0.01 * block])
    assert (kept[free > 0] < free[free > 0]).all()


def test_deprivation_moves_money_to_councils_with_more_poor_children(small: Projection) -> None:
    moved = effect(at_once("formula-review", basis="deprivation"), small).position[-1, :, 0]
    gain = dict(zip(small.fit.councils["name"], moved, strict=True))
    assert gain["Blackpool"] > 0 > gain["Wokingham"]


def test_shares_of_a_formulas_factors_add_up_to_one() -> None:
    with pytest.raises(ProjectionError, match=r"basis: .*add up to 0\.9, expected 1"):
        Lever.read("formula-review", basis={"people": 0.5, "plans": 0.4})


@pytest.mark.parametrize("name", lever_names())
def test_a_pathfinder_starts_in_its_own_year_as_all_would_have(small: Projection, name: str) -> None:
    if name == "formula-review":
        return  # shares out the pathfinders' own blocks: see above
    late = at_once(name).model_copy(update={"start": 2029})
    phased = effect(late.model_copy(update={"pathfinders": {"South East": 2028, "Kent": 2027}}), small)
    councils = small.fit.councils
    kent = (councils["name"] == "Kent").to_numpy()
    region = (councils["region"] == "South East").to_numpy() & ~kent
    for places, year in ((kent, 2027), (region, 2028), (~kent & ~region, 2029)):
        alone = effect(at_once(name).model_copy(update={"start": year}), small)
        assert np.allclose(phased.position[:, places], alone.position[:, places])
        for payer, cost in alone.elsewhere.items():
            assert np.allclose(phased.elsewhere[payer][:, places], cost[:, places])


def test_a_pilot_moves_nobody_else(panel: Panel, small: Projection) -> None:
    pilot = at_once("funding-growth", pathfinders={"886": 2027}, only_pathfinders=True)
    moved = (with_levers(panel, pilot).balance != small.balance).any(["draw", "year"])
    assert [str(code) for code in moved["authority"].values[moved.values]] == ["886"]
    assert pilot.timing() == "only in 886 from 2026-27"


def test_an_unknown_pathfinder_offers_the_closest(small: Projection) -> None:
    with pytest.raises(ProjectionError, match="no council or region 'Kemt'; did you mean 'Kent'"):
        effect(at_once("funding-growth", pathfinders={"Kemt": 2027}), small)
