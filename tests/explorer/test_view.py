from __future__ import annotations

import ast
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import deficits as d
from deficits.errors import DeficitsError, ProjectionError
from deficits.explorer import State, view
from deficits.explorer.code import code
from deficits.explorer.fan import LETTER, NARROW, WIDE, Fan, Observed, fan_svg
from deficits.formatting import gbp_range
from deficits.projection import national, quantiles

SMALL = State(draws=400)
MOVED = SMALL.assumption("later_block_growth", 0.05).lever("funding-growth", True, growth=0.02)
PAID = MOVED.with_scheme("flat-share", share=0.75, budget={"pounds": 4e9})
PLACES = ["England", "South East", "Kent"]


def by_the_package(state: State) -> pd.DataFrame:
    """The same quantiles by the package's public functions."""
    levers = tuple(pick.lever() for pick in state.levers)
    panel = d.load_panel(state.as_of)
    projection = d.project(
        panel, state.assumptions, levers=levers, until=state.until, draws=state.draws, seed=state.seed
    )
    result = state.scheme.scheme().apply(projection) if state.scheme else None
    if state.place == "England":
        return result.england() if result else projection.england().loc["gross"]
    if state.place == "South East":
        if result is None:
            return projection.region(state.place).loc["gross"]
        return quantiles(national(result.balance.sel(authority=projection.in_region(state.place)), "gross"))
    return result.authority(state.place) if result else projection.authority(state.place)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("state", [SMALL, MOVED, PAID], ids=["baseline", "moved", "paid"])
def test_what_is_shown_is_what_the_package_gives(state, place, engine):
    state = replace(state, place=place)
    frame = view(state, engine).frame
    np.testing.assert_allclose(frame.loc["scenario"], by_the_package(state), rtol=1e-12)
    usual = State(place=place, draws=400)
    np.testing.assert_allclose(frame.loc["baseline"], by_the_package(usual), rtol=1e-12)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("state", [SMALL, MOVED, PAID], ids=["baseline", "moved", "paid"])
def test_the_python_that_is_shown_gives_what_is_shown(state, place, engine):
    state = replace(state, place=place)
    tree = ast.parse(code(state, engine.shown(state).area))
    last = ast.Expression(tree.body.pop().value)
    names: dict[str, object] = {}
    exec(compile(tree, "shown", "exec"), names)
    result = eval(compile(last, "shown", "eval"), names)
    np.testing.assert_allclose(result, view(state, engine).frame.loc["scenario"], rtol=1e-12)


def test_python_reads_a_scenarios_file_where_a_scheme_came_whole(engine):
    own = d.Scheme.read("flat-share").model_copy(update={"title": "Mine", "proposer": "A council"})
    state = SMALL.opened(d.Scenario(schemes=(own,)))
    assert 'd.Scenario.read("scenario.yaml")' in code(state, engine.shown(state).area)


def test_the_headline_gives_a_range_before_a_point(engine):
    seen = view(SMALL, engine)
    path = seen.frame.loc[("scenario", 2031)]
    assert seen.lead == gbp_range(path["p10"], path["p90"])
    assert seen.headline.startswith(
        f"{seen.lead}. England's gross deficit at 31 March 2031, in 8 in 10 simulated futures. In the middle: £"
    )
    assert "baseline" not in seen.headline


def test_a_difference_is_taken_draw_by_draw(engine):
    shown = engine.shown(MOVED)
    low, high = np.quantile(shown.baseline[-1] - shown.scenario[-1], (0.1, 0.9))
    told = view(MOVED, engine).points[1]
    assert told.startswith(f"{gbp_range(low, high)} less deficit than the baseline, on the same random numbers")
    apart = np.quantile(shown.baseline[-1], 0.9) - np.quantile(shown.scenario[-1], 0.1)
    assert high < apart


def test_more_and_less_are_told_apart_for_a_council(engine):
    less = view(replace(MOVED, place="Kent"), engine)
    assert "less deficit than the baseline" in less.headline
    assert less.lead.startswith("Deficit of £")
    more = view(replace(SMALL.assumption("later_block_growth", 0.0), place="Kent"), engine)
    assert "more deficit than the baseline" in more.headline


def test_a_grant_that_is_the_same_in_every_future_is_one_amount(engine):
    assert ": pays £4.0bn in 2026-27." in view(PAID, engine).headline


def test_without_comparison_there_is_one_fan(engine):
    both, one = view(MOVED, engine).svg, view(replace(MOVED, compare=False), engine).svg
    assert "Baseline" in both
    assert "stroke-dasharray" in both
    assert "Baseline" not in one
    assert "stroke-dasharray" not in one


@pytest.mark.parametrize("place", PLACES)
def test_a_figure_is_well_formed_and_has_its_text_alternative(place, engine):
    seen = view(replace(PAID, place=place), engine)
    root = ET.fromstring(seen.svg)
    described = root.find(f".//*[@id='{root.get('aria-labelledby')}']")
    assert described is not None
    assert described.text == seen.alt
    assert seen.alt.startswith(f"{seen.finding}.")
    assert "nan" not in seen.svg
    words = [element.text for element in root.iter("text")]
    assert any(word.startswith("£0") for word in words)
    assert {"2025", "2031", "At 31 March"} <= set(words)


BASES = ("Derived from percentage", "Not reported", "Reported", "Disputed")


@pytest.mark.parametrize("width", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_word_of_a_figure_lies_within_it(width):
    fan = Fan("Scenario\n−£434.6m", range(2024, 2036), np.full((5, 12), -434.6e6))
    observed = [Observed(2020 + number, -1e8, basis) for number, basis in enumerate(BASES)]
    words = list(ET.fromstring(fan_svg([fan, fan], observed, "", "fan", width)).iter("text"))
    for word in words:
        x, long = float(word.get("x")), LETTER * len(word.text)
        start = x - long * {"start": 0, "middle": 0.5, "end": 1}[word.get("text-anchor")]
        assert start >= 0, word.text
        assert start + long <= width.whole, word.text
    years = sorted(float(word.get("x")) for word in words if word.text.isdigit())
    assert min(np.diff(years)) > 4 * LETTER


@pytest.mark.parametrize("place", PLACES)
def test_a_small_screen_has_the_same_figure_with_its_own_ids(place, engine):
    seen = view(replace(PAID, place=place), engine)
    wide, narrow = ET.fromstring(seen.svg), ET.fromstring(seen.narrow)
    assert wide.get("aria-labelledby") != narrow.get("aria-labelledby")
    shown = [{word.text for word in root.iter("text") if not word.text.isdigit()} for root in (wide, narrow)]
    assert shown[0] == shown[1]


def test_a_grant_and_interest_are_the_write_offs_own(engine):
    state = MOVED.with_scheme("flat-share", share=0.75)
    seen = view(state, engine)
    result = engine.shown(state).result
    grant = result.summary().loc["grant"]
    assert f"pays {gbp_range(grant['p10'], grant['p90'])} in 2026-27" in seen.headline
    interest = result.interest().loc[2031]
    assert f"about {gbp_range(interest['with_p10'], interest['with_p90'])} of interest" in seen.headline


def test_a_rate_of_interest_changes_what_is_paid_on_the_deficit(engine):
    cheap = view(SMALL.assumption("financing_rate", 0.0), engine)
    assert cheap.points[-1] == "General funds pay about £0 of interest on it in 2030-31."


def test_a_council_that_was_reorganised_is_named_with_its_heirs(engine):
    with pytest.raises(ProjectionError, match="ask for Cumberland or Westmorland and Furness"):
        view(replace(SMALL, place="Cumbria"), engine)
    with pytest.raises(ProjectionError, match="did you mean 'Kent'"):
        view(replace(SMALL, place="Kant"), engine)


def test_a_council_that_is_to_be_divided_says_so_once_that_is_decided(engine):
    told = "Surrey is to be divided on 1 April 2027; this is East Surrey and West Surrey together."
    surrey = replace(SMALL, place="Surrey", until=2028)
    assert told in view(surrey, engine).points
    assert told not in view(replace(surrey, as_of="2025-09-17"), engine).points
    assert told not in view(replace(surrey, place="Kent"), engine).points
    with pytest.raises(ProjectionError, match="West Surrey begins on 1 April 2027; until then ask for Surrey"):
        view(replace(SMALL, place="west surrey"), engine)


@pytest.mark.parametrize("place", ["kent", "886", " South east ", "", "E10000016"])
def test_a_place_is_found_by_any_of_its_names(place, engine):
    assert view(replace(SMALL, place=place), engine).place in {"Kent", "South East", "England"}


def test_what_was_known_by_a_day(engine):
    state = replace(SMALL, as_of="2025-09-17", until=2028)
    seen = view(state, engine)
    np.testing.assert_allclose(seen.frame.loc["scenario"], by_the_package(state), rtol=1e-12)
    assert any("published by 2025-09-17" in note for note in seen.notes)


def test_an_engine_that_was_refused_goes_on_as_before(engine):
    before = view(PAID, engine).headline
    for wrong in (replace(PAID, place="Cumbria"), replace(PAID, as_of="yesterday"), replace(PAID, until=2050)):
        with pytest.raises(DeficitsError):
            view(wrong, engine)
    assert view(PAID, engine).headline == before
