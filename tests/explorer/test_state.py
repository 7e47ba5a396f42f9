from __future__ import annotations

import pytest

import deficits as d
from deficits.errors import ProjectionError, SchemeError
from deficits.explorer import Pick, State
from deficits.explorer.controls import ASSUMPTIONS, lever_slide
from deficits.explorer.state import CONTROLLED, SIZES
from deficits.projection import Assumptions, CalibrationTarget, CouncilAssumptions, Spread, lever_names


def test_the_usual_state_is_the_baseline():
    assert State().is_baseline
    assert State().scenario == d.Scenario()
    assert State().assumption("later_block_growth", 0.03).is_baseline
    assert not State().assumption("later_block_growth", 0.04).is_baseline


def test_a_assumption_out_of_range_is_refused_in_words():
    with pytest.raises(ProjectionError, match=r"found 0\.9; input should be less than or equal to 0\.2"):
        State().assumption("financing_rate", 0.9)


def test_levers_go_on_and_off_in_the_packages_order():
    state = State().lever("threshold-uprating", True).lever("funding-growth", True, growth=0.02)
    assert [pick.name for pick in state.levers] == ["funding-growth", "threshold-uprating"]
    assert state.scenario.levers[0] == d.Lever.read("funding-growth", growth=0.02)
    resized = state.lever("funding-growth", True, growth=0.01)
    assert resized.scenario.levers[0] == d.Lever.read("funding-growth", growth=0.01)
    assert [pick.name for pick in resized.lever("funding-growth", False).levers] == ["threshold-uprating"]


def test_a_schemes_parameters_are_checked_together():
    state = State().with_scheme("flat-share", share=0.75)
    assert state.scenario.schemes == (d.Scheme.read("flat-share", share=0.75),)
    with pytest.raises(SchemeError, match="paid_in 2026 is not after base_year 2026"):
        state.with_scheme("flat-share", paid_in=2026)
    assert state.with_scheme("loan-10-years").scheme == Pick("loan-10-years")
    assert state.with_scheme(None).scheme is None


OWN = d.Scheme.read("flat-share").model_copy(update={"title": "Mine", "proposer": "A council"})
SCENARIOS = {
    "assumptions": d.Scenario(assumptions=Assumptions(plan_growth={2027: 0.08}, calibration="none")),
    "things no control shows": d.Scenario(
        title="All of it",
        assumptions=Assumptions(
            unit_cost_growth=Spread(mean=0.04, sd=0.01),
            councils={"Kent": CouncilAssumptions(plan_growth=0.02)},
            calibrated_to=(CalibrationTarget(year=2028, gross=14e9, sd=1e9),),
        ),
        levers=(d.Lever.read("placement-shift", start=2029, moved=0.1),),
        schemes=(OWN, d.Scheme.read("loan-10-years")),
    ),
    "changed": d.Scenario(
        levers=(d.Lever.read("funding-growth", growth=0.02),),
        schemes=(d.Scheme.read("flat-share", share=0.6, budget={"pounds": 2e9}),),
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_nothing_of_a_scenario_is_lost_between_opening_and_saving(scenario, tmp_path):
    opened = d.Scenario.read(scenario.save(tmp_path / "scenario.yaml"))
    assert State().opened(opened).scenario == scenario
    moved = State().opened(opened).assumption("growth_persistence", 0.8).scenario
    assert moved.schemes == scenario.schemes
    assert moved.levers == scenario.levers
    assert moved.assumptions == scenario.assumptions.model_copy(update={"growth_persistence": 0.8})


def test_what_no_control_shows_is_told():
    notes = State().opened(SCENARIOS["things no control shows"]).notes
    for words in (
        "Several schemes",
        "Kent, plan growth: 2%",
        "CalibrationTarget to: £14.0bn",
        "Unit cost growth: 4%, give or take 1%",
    ):
        assert any(words in note for note in notes), words
    assert "Lever: State special places instead of independent ones (start 2028-29, moved 10%)" in notes
    assert State().opened(SCENARIOS["changed"]).notes == ()


HIDDEN = {
    "long_run_rate_growth": 0.01,
    "independent_share": {2028: 0.1},
    "long_run_prices": 0.03,
    "block_growth": {2027: 0.01},
    "dsg_growth": 0.02,
    "calibration_half_width": 1e8,
    "councils": {"Kent": {"plan_growth": 0.02}},
    "calibrated_to": ({"year": 2028, "gross": 14e9, "sd": 1e9},),
}


def test_every_assumption_has_a_control_or_is_told():
    assert CONTROLLED | HIDDEN.keys() == Assumptions.model_fields.keys()
    assert {*ASSUMPTIONS, "safety_valve_payments", "calibration"} == CONTROLLED
    for name, value in HIDDEN.items():
        assert len(State().opened(d.Scenario(assumptions=Assumptions(**{name: value}))).notes) == 1, name


def test_a_lever_that_is_there_twice_is_told():
    twice = tuple(d.Lever.read("funding-growth", growth=growth) for growth in (0.01, 0.02))
    assert len(State().opened(d.Scenario(levers=twice)).notes) == 2


def test_an_opened_scheme_moves_on_from_what_it_was():
    state = State().opened(SCENARIOS["changed"])
    assert state.scheme == Pick("flat-share", {"share": 0.6, "budget": {"pounds": 2e9}})
    moved = state.with_scheme("flat-share", share=0.9).scenario.schemes[0]
    assert (moved.share, moved.budget.pounds) == (0.9, 2e9)
    own = State().opened(SCENARIOS["things no control shows"]).with_scheme("Mine", share=0.4)
    assert own.scenario.schemes[0].share == 0.4
    assert own.scenario.schemes[1] == d.Scheme.read("loan-10-years")


@pytest.mark.parametrize("name", lever_names())
def test_every_lever_has_a_slider_that_reaches_its_usual_size(name):
    lever, slide = Pick(name).lever(), lever_slide(name)
    assert slide.name == SIZES[lever.kind]
    shown = slide.shown(getattr(lever, slide.name))
    assert slide.low <= shown <= slide.high
    assert slide.value(shown) == pytest.approx(getattr(lever, slide.name), rel=1e-12)
    State().lever(name, True, **{slide.name: slide.value(slide.high)})


@pytest.mark.parametrize("slide", ASSUMPTIONS.values(), ids=ASSUMPTIONS)
def test_every_place_of_a_assumptions_slider_is_allowed(slide):
    for shown in (slide.low, slide.high):
        State().assumption(slide.name, slide.value(shown))
