from __future__ import annotations

import ast
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

import deficits as d
from deficits.errors import DeficitsError, ProjectionError
from deficits.explorer import State, View
from deficits.formatting import england_range, estimate_range, gbp
from deficits.reform_plan import Actions
from deficits.simulated import QUANTILES

SMALL = State(draws=400)
MOVED = SMALL.with_value("assumption.later_block_growth", 0.05).with_value("lever.funding-growth", 0.02)
PAID = MOVED.with_value("scheme", "flat-share").with_value("term.share", 0.75).with_value("term.budget", 4e9)
PLACES = ["England", "South East", "Kent"]


PLANNED = replace(SMALL, plan="example", plan_name="example").with_value(
    "actions", ["Joint commissioning with health"]
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("state", [SMALL, MOVED, PAID, PLANNED], ids=["baseline", "moved", "paid", "planned"])
def test_the_python_that_is_shown_gives_what_is_shown(state: State, place: str, engine) -> None:
    seen = View(replace(state, place=place), engine)
    tree = ast.parse(seen.code)
    last = ast.Expression(tree.body.pop().value)
    names: dict[str, object] = {}
    exec(compile(tree, "shown", "exec"), names)
    result = eval(compile(last, "shown", "eval"), names)
    np.testing.assert_allclose(result, seen.quantiles.loc["scenario"], rtol=1e-12)


def test_a_reform_plan_applies_to_its_council_and_a_grant_to_what_it_leaves(engine) -> None:
    granted = SMALL.with_value("assumption.later_block_growth", 0.05).with_value("scheme", "flat-share")
    state = replace(granted, place="Kent", plan="example", plan_name="example")
    first, *others = state.actions.titles
    seen, alone = View(state.with_value("actions", others), engine), View(replace(granted, place="Kent"), engine)
    planned = d.plan(alone.projection, "Kent", Actions.read("example").without(first))
    paid = d.write_off(planned.projection, granted.scheme).authority("Kent")
    np.testing.assert_allclose(seen.quantiles.loc["scenario"], paid[list(QUANTILES)], rtol=1e-12)
    low, high = np.quantile(planned.saved.sum(axis=0), (0.1, 0.9))
    np.testing.assert_array_equal(View(replace(state, other=granted.scenario), engine).other, alone.scenario)
    assert f"actions (4) take {estimate_range(low, high)} off the deficit" in seen.headline
    assert "It leaves out: assumptions, levers and write-off; that 1 of its actions are off." in seen.report[2]
    england = View(replace(state, place="England"), engine)
    assert england.plan is None
    assert "choose a council" in england.headline
    with pytest.raises(ProjectionError, match="without levers"):
        View(state.with_value("lever.funding-growth", 0.02), engine)


def test_the_headline_gives_a_range_before_a_point(engine) -> None:
    seen = View(SMALL, engine)
    path = seen.quantiles.loc[("scenario", seen.years[-1])]
    ahead = seen.years[-1] - seen.projection.base_year  # as the page on England rounds it
    assert seen.lead == england_range(path["p10"], path["p90"], ahead)
    assert seen.headline.startswith(f"{seen.lead}. England's gross deficit at 31 March 2031 (80% range). Central ")


def test_a_difference_is_taken_simulation_by_simulation(engine) -> None:
    seen = View(MOVED, engine)
    apart = np.quantile(seen.scenario[-1] - seen.other[-1], 0.9)
    assert apart < 0
    assert apart < np.quantile(seen.scenario[-1], 0.9) - np.quantile(seen.other[-1], 0.1)
    less = View(replace(MOVED, place="Kent"), engine)
    assert (less.scenario[-1] >= less.other[-1]).all()  # a balance: a smaller deficit is higher
    assert "−£" in less.points[1]


def test_any_two_scenarios_are_compared_on_the_same_simulations(engine) -> None:
    state = replace(PAID, other=MOVED.scenario, other_name="without the scheme")
    seen = View(state, engine)
    np.testing.assert_array_equal(seen.other, View(MOVED, engine).scenario)
    assert set(seen.quantiles.index.get_level_values("path")) == {"scenario", "without the scheme"}
    assert View(replace(state, other=None), engine).other is None
    assert "stroke-dasharray" in seen.svg()
    assert "stroke-dasharray" not in View(replace(state, other=None), engine).svg()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("width", [640, 372])
def test_a_figure_is_well_formed_and_its_words_lie_within_it(place: str, width: int, engine) -> None:
    seen = View(replace(PAID, place=place), engine)
    root = ET.fromstring(seen.svg(width))
    assert root.get("aria-label") == seen.alt
    assert "nan" not in seen.svg(width)
    for word in root.iter("text"):
        long = 6.8 * len(word.text or "")
        start = (
            float(word.get("x", "")) - long * {"start": 0, "middle": 0.5, "end": 1}[word.get("text-anchor", "")]
        )
        assert start >= -1, word.text
        assert start + long <= width + 4, word.text


def test_the_table_has_scoped_headers_and_the_figures_numbers(engine) -> None:
    seen = View(MOVED, engine)
    rows = ET.fromstring(seen.table()).findall("table/tbody/tr")
    assert [row.findtext("th") for row in rows] == [str(year) for year in seen.years]
    last = [cell.text for cell in rows[-1].findall("td")]
    assert gbp(seen.quantiles.loc[("scenario", seen.years[-1]), "p50"]) in last
    assert seen.table().count('scope="row"') == len(seen.years)


def test_a_grant_is_the_write_offs_own(engine) -> None:
    seen = View(MOVED.with_value("scheme", "flat-share").with_value("term.share", 0.75), engine)
    grant = seen.result.summary().loc["grant"]
    assert f"pays {england_range(grant['p10'], grant['p90'])} from 2026-27" in seen.headline


def test_a_council_that_was_reorganised_is_named_with_its_successors(engine) -> None:
    with pytest.raises(ProjectionError, match="ask for Cumberland or Westmorland and Furness"):
        View(replace(SMALL, place="Cumbria"), engine)
    with pytest.raises(ProjectionError, match="did you mean 'Kent'"):
        View(replace(SMALL, place="Kant"), engine)


def test_a_council_that_is_to_be_divided_says_so_once_that_is_decided(engine) -> None:
    told = "Surrey is to be divided on 1 April 2027; this is East Surrey and West Surrey together."
    surrey = replace(SMALL, place="Surrey", until=2028)
    assert told in View(surrey, engine).points
    assert told not in View(replace(surrey, as_of="2025-09-17"), engine).points
    with pytest.raises(ProjectionError, match="West Surrey begins on 1 April 2027; until then ask for Surrey"):
        View(replace(SMALL, place="west surrey"), engine)


@pytest.mark.parametrize(
    ("place", "name"), [("kent", "Kent"), ("886", "Kent"), (" South east ", "South East"), ("", "England")]
)
def test_a_place_is_found_by_any_of_its_names(place: str, name: str, engine) -> None:
    assert View(replace(SMALL, place=place), engine).area.name == name


def test_an_engine_that_was_refused_goes_on_as_before(engine) -> None:
    before = View(PAID, engine).headline
    for wrong in (replace(PAID, place="Cumbria"), replace(PAID, as_of="yesterday"), replace(PAID, until=2050)):
        with pytest.raises(DeficitsError):
            View(wrong, engine)
    assert View(PAID, engine).headline == before
