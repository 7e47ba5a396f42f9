"""Rules of scenarios and their files."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import deficits as d
from deficits.assumptions import CalibrationTarget, CouncilAssumptions, PlacementAssumptions, Spread
from deficits.errors import ProjectionError
from deficits.panel import Panel
from deficits.projection.lever import Lever, lever_names
from deficits.scenario import VERSION, Scenario
from deficits.writeoff import Scheme

growths = st.floats(-0.2, 0.5)
spreads = st.builds(Spread, mean=growths, sd=st.floats(0, 0.2))
years = st.integers(2025, 2035)
assumptions_settings = st.none() | growths | spreads | st.dictionaries(years, growths | spreads, max_size=3)
councils = st.builds(
    CouncilAssumptions,
    plan_growth=assumptions_settings,
    block_growth=assumptions_settings,
    contribution=st.dictionaries(years, st.floats(0, 1e9), max_size=2),
)
some_assumptions = st.builds(
    d.Assumptions,
    plan_growth=assumptions_settings,
    unit_cost_growth=assumptions_settings,
    placements=st.dictionaries(
        st.sampled_from(["independent", "state_special"]),
        st.builds(PlacementAssumptions, unit_cost_growth=assumptions_settings),
    )
    | st.builds(PlacementAssumptions, plan_growth=assumptions_settings).map(lambda own: {"state_special": own}),
    independent_share=st.dictionaries(years, st.floats(0, 0.5), max_size=2),
    block_growth=st.dictionaries(years, growths, max_size=3),
    safety_valve_payments=st.sampled_from(["until_2026", "as_agreed", "none"]),
    calibration_half_width=st.floats(1, 2e9),
    calibrated_to=st.lists(
        st.builds(CalibrationTarget, year=years, gross=st.floats(1, 200e9), sd=st.floats(1, 50e9)), max_size=2
    ).map(tuple),
    councils=st.dictionaries(st.sampled_from(["Kent", "826", "E06000002"]), councils, max_size=2),
)

TITLES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(str.isprintable)


@st.composite
def some_levers(draw: st.DrawFn) -> tuple[Lever, ...]:
    names = draw(st.lists(st.sampled_from(lever_names()), unique=True, max_size=3))
    changes: dict[str, Any] = {}
    if draw(st.booleans()):
        changes |= {"start": draw(st.integers(2027, 2040)), "ramp": draw(st.integers(1, 10))}
    if draw(st.booleans()):
        changes["title"] = draw(TITLES.filter(lambda title: len(title) >= 3))
    levers = [Lever.read(name, **changes) for name in names]
    if draw(st.booleans()):
        levers.append(Lever.read("health-share", joint=draw(st.floats(0, 1)), proposer="An analyst"))
    return tuple(levers)


some_schemes = st.lists(
    st.builds(lambda share: Scheme.read("flat-share", share=share), st.floats(0, 1)),
    max_size=2,
    unique_by=lambda scheme: scheme.model_dump_json(),
).map(tuple)
scenarios = st.builds(
    Scenario,
    title=st.none() | TITLES,
    assumptions=some_assumptions,
    levers=some_levers(),
    schemes=some_schemes,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenario=scenarios)
def test_a_scenario_is_read_back_as_it_was_saved(tmp_path: Path, scenario: Scenario) -> None:
    read = Scenario.read(scenario.save(tmp_path / "mine.yaml"))
    assert read == scenario
    assert read.name == scenario.name
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    assert yaml.safe_load(Scenario().text()) == {"version": VERSION}
    lever = Lever.read("threshold-uprating", rate=0.03)
    grant = Scheme.read("high-needs-stability-grant")
    assumptions = d.Assumptions(plan_growth={2027: 0.08}, councils={"Kent": {"plan_growth": 0.05}})
    path = Scenario(title="Mine", assumptions=assumptions, levers=(lever,), schemes=(grant,)).save(
        tmp_path / "mine.yaml"
    )
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == {
        "version": VERSION,
        "title": "Mine",
        "assumptions": {"plan_growth": {2027: 0.08}, "councils": {"Kent": {"plan_growth": 0.05}}},
        "levers": [{"name": "threshold-uprating", "rate": 0.03}],
        "schemes": [{"name": "high-needs-stability-grant"}],
    }


def test_a_lever_that_is_not_shipped_is_written_whole(tmp_path: Path) -> None:
    own = Lever.read("health-share").model_copy(update={"proposer": "An analyst", "published": date(2026, 11, 1)})
    scenario = Scenario(levers=(own,))
    (written,) = scenario.contents()["levers"]
    assert written["proposer"] == "An analyst"
    assert "name" not in written
    assert Scenario.read(scenario.save(tmp_path / "mine.yaml")) == scenario


def test_a_scheme_that_is_not_shipped_is_written_whole(tmp_path: Path) -> None:
    own = Scheme.read("flat-share").model_copy(update={"title": "Ours", "proposer": "An analyst"})
    scenario = Scenario(schemes=(own,))
    assert "name" not in scenario.contents()["schemes"][0]
    assert Scenario.read(scenario.save(tmp_path / "mine.yaml")) == scenario


def test_a_scenario_is_named_by_its_contents() -> None:
    lever = Lever.read("funding-growth")
    scenario = Scenario(
        assumptions=d.Assumptions(plan_growth=0.05), levers=(lever,), schemes=(Scheme.read("flat-share"),)
    )
    assert scenario.name.startswith("plan-growth-and-funding-growth-and-1-more-")
    assert Scenario().name.startswith("baseline-")
    assert scenario.model_copy(update={"title": "Another"}).name == scenario.name
    assert (
        Scenario(assumptions=d.Assumptions(plan_growth=0.051)).name
        != Scenario(assumptions=d.Assumptions(plan_growth=0.05)).name
    )
    again = Scenario(
        assumptions=d.Assumptions(plan_growth=0.05), levers=(lever,), schemes=(Scheme.read("flat-share"),)
    )
    assert again.name == scenario.name


def test_a_scenario_is_projected_on_the_baselines_draws(panel: Panel) -> None:
    lever = Lever.read("funding-growth", start=2027)
    baseline = Scenario().project(panel, until=2028, draws=200, seed=3)
    changed = Scenario(levers=(lever,)).project(panel, until=2028, draws=200, seed=3)
    plain = d.project(panel, until=2028, draws=200, seed=3)
    assert np.array_equal(baseline.balance.values, plain.balance.values)
    more = lever.effect(baseline.fit, baseline.paths).position.sum(axis=0).T
    difference = (changed.balance - baseline.balance).sel(year=2028).values
    assert np.allclose(difference, more, atol=1e-2)
    assert changed.levers == (lever,)


def test_a_scenarios_schemes_are_worked_out_on_its_projection(panel: Panel) -> None:
    scenario = Scenario(schemes=(Scheme.read("flat-share"), Scheme.read("high-needs-stability-grant")))
    projection = scenario.project(panel, until=2028, draws=200)
    half, grant = (d.write_off(projection, scheme) for scheme in scenario.schemes)
    assert float(half.grant.sum()) < float(grant.grant.sum())


def test_the_same_lever_twice_is_refused() -> None:
    lever = Lever.read("funding-growth")
    with pytest.raises(ProjectionError, match="there twice"):
        Scenario(levers=(lever, lever))
    assert Scenario(levers=(lever, Lever.read("funding-growth", growth=0.01)))


@pytest.mark.parametrize(
    ("council", "said"),
    [
        ("Kant", "did you mean 'Kent'"),
        ("Cumbria", r"Cumbria \(909\) no longer exists; ask for Cumberland or West"),
    ],
)
def test_a_council_that_the_projection_does_not_have_is_said_so(panel: Panel, council: str, said: str) -> None:
    scenario = Scenario(assumptions=d.Assumptions(councils={council: CouncilAssumptions(plan_growth=0.05)}))
    with pytest.raises(ProjectionError, match=said):
        scenario.project(panel, until=2026, draws=100)


def test_a_council_that_is_given_twice_is_said_so(panel: Panel) -> None:
    one = CouncilAssumptions(plan_growth=0.05)
    scenario = Scenario(assumptions=d.Assumptions(councils={"Kent": one, "886": one}))
    with pytest.raises(ProjectionError, match="'886' and 'Kent' are the same council"):
        scenario.project(panel, until=2026, draws=100)


def read_text(folder: Path, text: str) -> str:
    """What is said of a scenario's file with that text."""
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProjectionError) as told:
        Scenario.read(path)
    return str(told.value)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("version: 0", "found version 0, expected 1; make the scenario again"),
        ("version: 2", "found version 2, expected 1; install the deficits that wrote it"),
        ("version: one", "found version 'one', expected 1"),
        ("title: Mine", "version is missing, expected 1"),
    ],
)
def test_a_file_of_another_version_is_refused(tmp_path: Path, version: str, said: str) -> None:
    message = read_text(tmp_path, version)
    assert message.startswith("scenario mine.yaml: ")
    assert said in message


def test_all_faults_of_a_scenario_are_told_at_once(tmp_path: Path) -> None:
    message = read_text(
        tmp_path,
        """
version: 1
leves: []
assumptions:
  plan_grwth: 0.05
  unit_cost_growth: 9
  calibrated_to: [{year: 2028, gross: 0, sd: 1.0e+9}]
  councils:
    Kent: {plan_growth: 7}
levers:
- name: funding-growth
  grwth: 0.02
- name: healthshare
- threshold-uprating
- kind: health_share
schemes:
- name: flat-share
  share: 50
""",
    )
    assert message.startswith("scenario mine.yaml is not usable")
    assert "leves: unknown name; did you mean 'levers'?" in message
    assert "assumptions.plan_grwth: unknown name; did you mean 'plan_growth'?" in message
    assert "assumptions.unit_cost_growth: found 9, expected growth a year from -0.2 to 0.5, a spread" in message
    assert "assumptions.calibrated_to.0.gross: found 0" in message
    assert message.count("assumptions.unit_cost_growth") == 1
    assert "assumptions.councils.Kent.plan_growth: found 7, expected growth a year" in message
    assert "levers[0]" in message
    assert "did you mean 'growth'" in message
    assert "levers[1]: found name 'healthshare', expected a shipped one; did you mean 'health-share'?" in message
    assert "levers[2]: found 'threshold-uprating', expected '- name: early-support'" in message
    assert "levers[3]" in message
    assert "proposer: missing" in message
    assert "schemes[0]" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- 1", "holds list, expected keys: version"),
        ("version: [", "is not valid YAML"),
        ("version: 1\nlevers: 3", "levers: found 3, expected a list"),
        ("version: 1\ndrivers: [1]", "assumptions: found [1], expected names with their values"),
        ("version: 1\ntitle: [1]", "title: found [1]"),
        ("version: 1\nlevers:\n- name: funding-growth\n- name: funding-growth", "there twice"),
        ("version: 1\nlevers:\n- name: ../../funding-growth.yaml", "expected a shipped one"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in read_text(tmp_path, text)


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ProjectionError, match=r"none\.yaml cannot be read: No such file"):
        Scenario.read(tmp_path / "none.yaml")
    with pytest.raises(ProjectionError, match="could not be written"):
        Scenario().save(tmp_path / "nowhere" / "mine.yaml")


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Scenario(title="Old").save(tmp_path / "mine.yaml")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ProjectionError, match="No space left"):
        Scenario(title="New").save(path)
    assert Scenario.read(path).title == "Old"
    assert [each.name for each in tmp_path.iterdir()] == ["mine.yaml"]


def test_a_scenario_file_of_an_older_version_keeps_its_meaning() -> None:
    older = "version: 1\ndrivers:\n  plan_growth: 0.05\n  bail_outs: none\n  anchor: none\n"
    assumed = Scenario.parse(older).assumptions
    assert assumed == d.Assumptions(plan_growth=0.05, safety_valve_payments="none", calibration="none")
