from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deficits as d
from deficits.errors import ProjectionError
from deficits.explorer import State
from deficits.explorer.state import CONTROLS
from deficits.projection import lever_names

OWN = d.Lever.read("funding-growth").model_copy(
    update={"title": "A council's own", "summary": "What a council wrote in its own file."}
)


def test_an_assumption_out_of_range_is_refused_by_name() -> None:
    with pytest.raises(ProjectionError, match=r"plan_growth: found 5\b"):
        State().with_value("assumption.plan_growth", 5)


def test_every_shipped_lever_has_a_size_that_its_slider_sets() -> None:
    for name in lever_names():
        lever = d.Lever.read(name)
        size = lever.central(CONTROLS["Levers"][lever.kind]["size"])
        state = State().with_value(f"lever.{name}", size)
        assert state.scenario.levers == (lever,)
        assert state.with_value(f"lever.{name}", None) == State()


def test_a_lever_of_a_file_keeps_its_name_and_timing_when_its_size_moves() -> None:
    later = OWN.model_copy(update={"start": 2030})
    moved = State(scenario=d.Scenario(levers=(later,))).with_value("lever.funding-growth", 0.03).scenario.levers[0]
    assert (moved.title, moved.start, moved.growth) == (later.title, 2030, 0.03)


@settings(max_examples=20)
@given(shares=st.lists(st.floats(0.05, 1.0), min_size=1, max_size=4))
def test_a_scheme_moved_several_times_is_the_scheme_on_its_last_terms(shares: list[float]) -> None:
    state = State().with_value("scheme", "flat-share")
    for share in shares:
        state = state.with_value("term.share", share)
    assert state.scheme == d.Scheme.read("flat-share", share=shares[-1])


def test_terms_that_contradict_each_other_are_refused() -> None:
    state = State().with_value("scheme", "flat-share")
    with pytest.raises(ProjectionError, match="paid_in 2025 is not after base_year 2026"):
        state.with_value("term.paid_in", 2025)


def test_a_file_keeps_place_day_and_horizon_and_other_schemes() -> None:
    both = (d.Scheme.read("flat-share"), d.Scheme.read("no-help"))
    state = State(place="Kent", as_of="2025-09-17", until=2028, scenario=d.Scenario(levers=(OWN,), schemes=both))
    assert State().opened(d.Scenario.parse(state.file_text)) == state
    assert "place" not in state.declared
    assert d.Scenario.parse(state.file_text).name == state.scenario.name
