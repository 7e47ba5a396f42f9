"""Rules of what the reports say in words and tables."""

import re

import pandas as pd
import pytest

import deficits as d
from deficits.panel import FIGURES, Panel
from deficits.projection import Projection
from deficits.reports import stories
from deficits.writeoff import WriteOff


@pytest.fixture(scope="module")
def result(projection: Projection) -> WriteOff:
    return d.Scheme.read("high-needs-stability-grant").apply(projection)


def test_no_report_says_nan_or_infinity(projection: Projection, result: WriteOff) -> None:
    texts = list(stories.writeoff_points(result)[0])
    for code in projection.fit.councils.index:
        texts += stories.authority_points(result, code)[0]
    assert not [text for text in texts if re.search(r"\bnan\b|\binf\b|not available", text, re.IGNORECASE)]


def test_a_scheme_that_pays_nothing_is_said_to_buy_no_time(projection: Projection) -> None:
    nothing = d.Scheme.read("flat-share", share=0).apply(projection)
    assert "It buys no time: nothing is paid." in stories.writeoff_points(nothing)[0]


def test_a_council_in_surplus_is_said_to_get_no_grant(projection: Projection, result: WriteOff) -> None:
    grants = result.by_authority()
    code = grants.index[grants["grant_p90"] == 0][0]
    assert any("no grant is likely" in point for point in stories.authority_points(result, code)[0])


def test_a_figure_missing_for_a_council_is_listed_as_missing(panel: Panel) -> None:
    facts = stories.council_facts(panel, "943").set_index("Figure")
    assert len(facts) == len(FIGURES)
    row = facts.loc[FIGURES["balance"].meaning[:1].upper() + FIGURES["balance"].meaning[1:]]
    assert pd.isna(row["Value"])
    assert row["Basis"] == "not published for this council"


def test_every_council_has_an_answer_to_each_question(panel: Panel) -> None:
    small = d.project(panel, until=2029, draws=200)
    grant = d.Scheme.read("high-needs-stability-grant").apply(small)
    for code in small.fit.councils.index:
        told = stories.questions(grant, code)
        assert len(told) == 8
        text = " ".join(told["Answer"])
        assert not re.search(r"\b(nan|inf)\b", text), (code, text)
        if stories.moves(small, code):
            assert "nan" not in " ".join(stories.breaking_even(small, 2028, code)["Needed"]), code


def test_a_council_stands_beside_its_own_kind_nearest_in_size(projection: Projection) -> None:
    table = stories.beside_others(projection, "886")
    assert list(table["Place"].iloc[[0, -2, -1]]) == ["Kent", "South East", "England"]
    kinds = projection.panel.authorities.frame.loc[stories.near(projection, "886"), "gss"].str[:3]
    assert set(kinds) == {"E10"}
    assert len(table) == 8


def test_placements_make_up_all_plans(panel: Panel) -> None:
    placed = stories.placements(panel, "886")
    assert placed.iloc[:, 1:].sum().to_numpy() == pytest.approx([1.0, 1.0, 1.0])


# On a scenario


@pytest.fixture(scope="module")
def changed(panel: Panel) -> Projection:
    """A projection with assumptions, a lever and a council's assumptions of its own."""
    own = {"Kent": {"plan_growth": 0.01, "block_growth": 0.1}}
    assumptions = d.Assumptions(block_growth={2027: 0.01, 2028: 0.02}, later_block_growth=0.04, councils=own)
    return d.project(
        panel, assumptions, levers=[d.Lever.read("funding-growth", growth=0.03)], until=2028, draws=200
    )


def test_a_council_that_a_scenario_changes_is_not_said_to_follow_englands_growth(changed: Projection) -> None:
    kent = changed.code("Kent")
    assert list(stories.breaking_even(changed, 2028, kent)["Way"]) == ["A saving in the year"]
    assert len(stories.breaking_even(changed.with_assumptions(d.Assumptions(), levers=[]), 2028, kent)) == 3
    points, _ = stories.authority_points(d.Scheme.read("flat-share").apply(changed), kent)
    assert "and what the scenario sets for it" in points[-1]
