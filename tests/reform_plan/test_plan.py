"""Rules of a reform plan: nothing saved twice, parts that add up in every simulation, nobody else moved."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deficits as d
from deficits.errors import ProjectionError
from deficits.projection import Projection
from deficits.reform_plan import SECTORS, Actions, ReformPlan, evidence, plans_of_all
from deficits.reform_plan.actions import Position

HEAD = {"start": "2027-28", "risk_owner": "Director of Education"}


def actions(*declared: dict[str, Any], **own: Any) -> Actions:
    return Actions.model_validate(
        {"actions": [HEAD | {"title": f"Action {n}"} | each for n, each in enumerate(declared)], **own}
    )


@pytest.fixture(scope="module")
def kent(projection: Projection) -> ReformPlan:
    return d.plan(projection, "Kent", "example")


def test_the_parts_add_up_to_the_pound_in_every_simulation(kent: ReformPlan) -> None:
    costs = sum(a.costs(kent.years, a.sizes(1000, 1, "886")[1]) for a in kent.actions.actions if a.cost.high)
    whole = kent.base.position.spend - kent.steps[-1].spend - costs
    assert np.abs(kent.in_turn.sum(axis=0) - whole).max() < 1
    assert np.abs(kent.alone.sum(axis=0) + kent.interaction - whole).max() < 1
    assert np.abs(kent.balance - kent.base.balance - whole.cumsum(axis=0)).max() < 1
    explained = (kent.base.block - kent.base.position.spend)[1:] + kent.base.other
    assert np.abs(np.diff(kent.base.balance, axis=0) - explained).max() < 1
    effects = kent.effects()
    assert effects["own_mean"].drop("total").sum() == pytest.approx(effects.at["total", "own_mean"], abs=1)
    assert effects["after_earlier_mean"].drop("total").sum() == pytest.approx(
        effects.at["total", "own_mean"], abs=1
    )


def test_the_baseline_is_the_projections_own(kent: ReformPlan, projection: Projection) -> None:
    balance = projection.balance.sel(authority="886", year=kent.years).transpose("year", "draw").values
    assert np.allclose(kent.base.balance, balance)
    plans = projection.plans().sel(authority="886", year=kent.years).transpose("year", "draw").values
    assert np.allclose(kent.base.position.plans, plans)
    account = projection.account("Kent")
    assert np.allclose(kent.base.position.spend, account.spend[-len(kent.years) :])
    assert kent.base.position.plans[0].mean() == pytest.approx(21_742)  # published for January 2026


def test_the_first_sectors_are_as_counted(kent: ReformPlan, projection: Projection) -> None:
    share = dict(zip(SECTORS, kent.base.position.places[:, 0].mean(axis=1) / 21_742, strict=True))
    counted = projection.panel.frame.loc[("886", 2025)].copy()
    counted["plans_mainstream"] -= counted["plans_resource_base"]
    for sector in ("mainstream", "resource_base", "independent", "post_16"):
        # Moved by a year of England's shares, so near and not the same.
        assert share[sector] == pytest.approx(counted[f"plans_{sector}"] / counted["plans"], rel=0.06)


def test_costs_by_placement_that_move_apart_do_so_for_a_councils_places(
    kent: ReformPlan, projection: Projection
) -> None:
    dearer = projection.with_assumptions(d.Assumptions(placements={"independent": {"unit_cost_growth": 0.1}}))
    place = [SECTORS.index(sector) for sector in ("independent", "mainstream")]
    apart, usual = (
        each.base.position.cost[place[0]] / each.base.position.cost[place[1]]
        for each in (d.plan(dearer, "Kent", kent.actions), kent)
    )
    ahead = dearer.paths.cost[0] / dearer.paths.cost[2] / (projection.paths.cost[0] / projection.paths.cost[2])
    assert apart / usual == pytest.approx(ahead[-len(apart) :], rel=1e-9)
    assert ahead[-1].mean() > 1.1


def test_a_council_moves_no_other_and_not_england(kent: ReformPlan, projection: Projection) -> None:
    moved = (kent.projection.balance != projection.balance).any(["draw", "year"])
    assert moved.sel(authority="886")
    assert int(moved.sum()) == 1
    apart = kent.projection.england().loc["net"] - projection.england().loc["net"]
    assert (apart["p50"].loc[[2024, 2025, 2026, 2027]] == 0).all()
    saved = (kent.projection.balance - projection.balance).sum("authority").sel(year=2031)
    assert np.allclose(saved, kent.saved.sum(axis=0))


def test_the_same_draws_for_a_council_alone_and_among_all(kent: ReformPlan, projection: Projection) -> None:
    every = list(plans_of_all(projection, "example"))
    assert len(every) == len(projection.fit.councils) == 153
    worked = {each.code: each for each in every if isinstance(each, ReformPlan)}
    assert np.array_equal(worked["886"].balance, kent.balance)
    for each in worked.values():
        assert all((step.places >= -1e-6).all() for step in each.steps)
        assert np.isfinite(each.balance).all()


def test_an_actions_draws_do_not_depend_on_the_others(kent: ReformPlan, projection: Projection) -> None:
    alone = Actions(actions=kent.actions.actions[2:3])
    assert np.array_equal(d.plan(projection, "Kent", alone).in_turn[0], kent.alone[2])


def test_a_place_is_never_saved_twice(projection: Projection) -> None:
    move = {"changes": "places", "from": "independent", "to": "state_special", "unit": "share", "size": 1.0}
    twice = d.plan(projection, "Kent", actions(move, move))
    assert np.abs(twice.in_turn[1]).max() < 1e-6
    assert np.allclose(twice.interaction, -twice.alone[1])
    number = move | {"unit": "places", "size": 1_000_000}
    there = d.plan(projection, "Kent", actions(number))
    gone = SECTORS.index("independent")
    assert np.allclose(there.steps[-1].places[gone, 2:], 0)
    assert np.allclose(there.steps[-1].plans, there.base.position.plans)


def test_a_moved_place_saves_the_difference_of_the_unit_costs(projection: Projection) -> None:
    own = {"independent": "£60k", "state_special": 25_000}
    move = {"changes": "places", "from": "independent", "to": "state_special", "unit": "places", "size": 10}
    worked = d.plan(projection, "Kent", actions(move | {"start": 2029}, unit_costs=own))
    cost = worked.base.position.cost[[SECTORS.index(sector) for sector in own]]
    assert cost[:, 0].mean(axis=1) == pytest.approx([60_000, 25_000])
    expected = np.array([0, 0, 0, 10, 20, 30])[:, None] * (cost[0] - cost[1])
    assert np.allclose(worked.saved, expected)
    with pytest.raises(ProjectionError, match=r"unit_costs: .* more than the council's high needs spend"):
        d.plan(projection, "Kent", actions(move, unit_costs={"mainstream": "£1m"}))


def test_costs_start_before_effects_and_others_pay_theirs(projection: Projection) -> None:
    late = {"changes": "unit_cost", "sector": "independent", "size": "2%", "lag": 1, "cost": "£1m"}
    worked = d.plan(projection, "Kent", actions(late))
    assert (worked.saved[worked.years.index(2028)] == -1e6).all()
    paid = d.plan(projection, "Kent", actions(late | {"paid_by": "Public health"}))
    assert (paid.saved[worked.years.index(2028)] == 0).all()
    assert paid.costs().loc[("Public health", 2029), "p50"] == 1e6


def test_a_size_is_an_80_percent_range(kent: ReformPlan) -> None:
    size = kent.actions.actions[2].size.drawn(100_000, 1, 886, 7)
    assert np.quantile(size, [0.1, 0.5, 0.9]) == pytest.approx([0.02, 0.035, 0.05], abs=3e-4)
    assert size.min() >= 0


def test_stress_makes_it_worse(kent: ReformPlan) -> None:
    stress = kent.stress()["mean"]
    declared = stress["as declared"]
    assert declared == pytest.approx(kent.balance[-1].mean())
    assert (stress.drop("as declared") < declared).all()
    assert stress["all three"] == stress.drop("without the plan").min()


def test_own_growth_moves_plans_spend_and_balance_alike(projection: Projection) -> None:
    change = {"changes": "income", "size": 1, "payer": "nobody"}
    usual = d.plan(projection, "Kent", actions(change)).base
    own = d.plan(
        projection, "Kent", actions(change, growth={"plan_growth": "0%", "block_growth": {"2027-28": "10%"}})
    ).base
    assert np.allclose(own.position.plans, own.position.plans[0])
    apart = (own.block - own.position.spend) - (usual.block - usual.position.spend)
    assert np.allclose(own.balance - usual.balance, apart.cumsum(axis=0))
    assert np.allclose(own.block[2] / own.block[1], 1.1)
    assert np.allclose(own.other, usual.other)


def test_resource_bases_come_out_of_mainstream(projection: Projection) -> None:
    change = {"changes": "income", "size": 1, "payer": "nobody"}
    worked = d.plan(projection, "Kent", actions(change, places={"resource_base": 900}))
    first = worked.base.position.places[:, 0].mean(axis=1)
    assert first[SECTORS.index("resource_base")] == pytest.approx(900, rel=0.05)
    assert first.sum() == pytest.approx(21_742)
    with pytest.raises(ProjectionError, match="in mainstream"):
        d.plan(projection, "Kent", actions(change, places={"resource_base": 20_000}))


def test_every_fault_of_a_file_is_told_in_its_own_words(tmp_path: Path, projection: Projection) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "actions:\n- {title: One, changes: plans, start: 2027-29, size: 90, risk_owner: Me}\n"
        "- {title: Two, changes: income, start: 2028, size: about £5, payer: NHS}\n"
        "growth: {plan_growth: {2015: 1%}}\n"
    )
    with pytest.raises(ProjectionError) as told:
        Actions.read(file)
    own = "growth.plan_growth.2015: found 2015, expected 2020 or more"
    for words in ("2027-29", "90% is 0.9", "'about £5' is not an amount", "risk_owner", own):
        assert words in str(told.value)
    assert "function" not in str(told.value)
    with pytest.raises(ProjectionError, match="start 2025-26, expected 2026-27 to 2030-31"):
        d.plan(projection, "Kent", actions({"changes": "income", "size": 1, "payer": "NHS", "start": 2026}))
    with pytest.raises(ProjectionError, match="without levers"):
        d.plan(projection.with_assumptions(levers=[d.Lever.read("health-share")]), "Kent", "example")


def test_evidence_is_the_councils_its_neighbours_and_englands(projection: Projection) -> None:
    beside = evidence(projection.panel, "886")
    plans = projection.panel.figure("plans")
    assert beside.at["plan growth", "own"] == pytest.approx(plans.at["886", 2026] / plans.at["886", 2025] - 1)
    assert beside.at["plan growth", "england"] == pytest.approx(718_838 / 638_745 - 1, abs=0.01)
    assert (beside["neighbours_counted"] == 10).all()


def test_the_answers_say_what_is_asked_and_whose_word_it_is(kent: ReformPlan) -> None:
    answers = kent.answers()
    assert len(answers) == 7
    assert answers["read"].str.contains("https://").all()
    assert (answers["answer"].str.len() > 20).all()


def test_the_lines_of_the_management_plan_add_up(kent: ReformPlan) -> None:
    lines = kent.management_plan()
    for variant, table in lines.groupby(level="variant"):
        table = table.droplevel("variant")
        parts = table.drop(["In-year position", "Balance at 31 March"]).sum()
        assert np.allclose(parts, table.loc["In-year position"], atol=1)
        first = kent.base.balance[0].mean()
        assert np.allclose(
            first + table.loc["In-year position"].cumsum(), table.loc["Balance at 31 March"], atol=1
        )
        assert variant in ("unmitigated", "mitigated")
    assert lines.loc[("mitigated", "Cost of the plan's actions"), "2027-28"] == pytest.approx(-5e5, rel=0.02)
    assert lines.loc[("mitigated", "Transfers and other income"), "2030-31"] == 500_000


def test_the_tidy_table_has_each_row_once(kent: ReformPlan) -> None:
    tidy = kent.to_frame()
    assert not tidy.duplicated(["year", "measure", "sector", "action", "variant"]).any()
    assert set(tidy["sector"]) == {*SECTORS, ""}
    saved = tidy[tidy["measure"] == "saved"].groupby("year")["mean"].sum()
    spend = tidy[(tidy["measure"] == "spend") & (tidy["variant"] == "difference")].set_index("year")["mean"]
    assert np.allclose(saved, -spend[saved.index])


@settings(max_examples=40)
@given(
    places=st.lists(st.floats(0, 1e4), min_size=6, max_size=6),
    size=st.floats(0, 1),
    ramp=st.integers(1, 4),
    fewer=st.floats(0, 1),
)
def test_no_action_makes_a_place_negative_or_loses_one(
    places: list[float], size: float, ramp: int, fewer: float
) -> None:
    years = list(range(2026, 2032))
    start = np.array(places)[:, None, None] * np.linspace(1, 1.5, 6)[None, :, None]
    position = Position(years, start, np.full_like(start, 1000.0), np.zeros((6, 1)))
    move, less = actions(
        {
            "changes": "places",
            "from": "independent",
            "to": "mainstream",
            "unit": "share",
            "size": size,
            "ramp": ramp,
        },
        {"changes": "plans", "size": fewer, "ramp": ramp},
    ).actions
    moved = move.act(position, np.array([size]))
    assert np.allclose(moved.plans, position.plans)
    after = less.act(moved, np.array([fewer]))
    assert (after.places >= 0).all()
    assert (after.plans <= moved.plans + 1e-6).all()
    assert (after.spend <= moved.spend + 1e-3).all()
