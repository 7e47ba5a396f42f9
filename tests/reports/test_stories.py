"""Rules of what the reports say in words and tables."""

import re

import pandas as pd
import pytest

import deficits as d
from deficits import plots
from deficits.panel import FIGURES, Panel
from deficits.projection import Projection, lever_names
from deficits.projection.backtest import Backtest, vintages
from deficits.reports import stories
from deficits.writeoff import WriteOff


@pytest.fixture(scope="module")
def record(panel: Panel) -> Backtest:
    return stories.past_record(panel)


@pytest.fixture(scope="module")
def result(projection: Projection) -> WriteOff:
    return d.Scheme.read("high-needs-stability-grant").apply(projection)


def test_observed_deficits_are_sums_of_nearly_all_councils_balances_then_the_national_figure(panel: Panel) -> None:
    seen = stories.observed_gross(panel).set_index("year")
    returned = seen.loc[seen["label"] == "Councils' returns", "value"]
    balances = panel.figure("balance")
    assert list(returned) == pytest.approx(list((-balances[returned.index]).clip(lower=0).sum()))
    assert (balances[returned.index].count() >= 0.9 * 151).all()
    assert 2023 not in seen.index  # three in four councils
    assert seen.loc[2025].to_list() == [3.8e9, "National figure"]


def test_a_forecast_that_repeats_anothers_is_not_counted_twice(panel: Panel) -> None:
    forecasts = stories.deficit_forecasts(panel, after=2025)
    of_2026 = forecasts[forecasts["year"] == 2026]
    assert "PAC" not in set(of_2026["publisher"])  # it repeats the DfE's estimate
    assert {"HM Government (MHCLG)", "NAO (DfE estimate)", "CCN"} <= set(of_2026["publisher"])
    assert of_2026[["low", "central", "high"]].max(axis=1).between(4e9, 7e9).all()


def test_the_legend_of_the_england_chart_lies_inside_it(panel: Panel, projection: Projection) -> None:
    chart = plots.england_fan(
        projection.england().loc["gross"],
        stories.observed_gross(panel),
        stories.deficit_forecasts(panel, after=2025),
    )
    chart.figure.draw_without_rendering()
    (axes,) = chart.figure.axes
    assert axes.get_legend().get_window_extent().x1 <= chart.figure.bbox.x1


def test_main_points_give_a_range_before_a_point_and_call_themselves_estimates(
    projection: Projection, record: Backtest
) -> None:
    points, headline = stories.england_points(projection, record)
    assert re.search(r"£\d\.\dbn to £\d\.\dbn .*, with £\d\.\dbn in the middle", points[0])
    assert "estimates" in points[-1]
    gross = projection.england().loc["gross"]
    assert headline["gross_deficit_2026_p50"] == round(gross.at[2026, "p50"])


def test_no_report_says_nan_or_infinity(projection: Projection, result: WriteOff, record: Backtest) -> None:
    texts = [*stories.england_points(projection, record)[0], *stories.writeoff_points(result)[0]]
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


def test_the_table_of_assumptions_says_which_rows_are_published(projection: Projection) -> None:
    table = stories.national_arithmetic(projection).set_index("Year")
    assert table.at[2024, "Not published"] == "–"
    assert table.at[2025, "Not published"] == "block (growth announced)"
    assert table.at[2026, "Not published"] == "spend, block (growth announced)"
    assert table.at[2027, "Growth of block (0 to 1)"] == 0
    assert table.at[2028, "Not published"] == "plans, spend, block"


def test_levers_are_compared_with_who_pays_instead(panel: Panel) -> None:
    small = d.project(panel, until=2031, draws=200)
    compared = stories.levers_compared(small, 2031)
    assert len(compared) == len(lever_names())
    threshold = compared.set_index("lever").filter(like="threshold", axis=0).iloc[0]
    assert threshold["change_p50"] < 0
    assert threshold["elsewhere"].startswith("mainstream schools £")
    assert (compared["change_p10"] <= compared["change_p90"]).all()


def test_the_obrs_forecast_is_explained_only_once_it_was_public(panel: Panel) -> None:
    now = d.project(panel, until=2028, draws=200)
    then = d.project(d.load_panel("2025-09-17"), until=2028, draws=200)
    assert "The OBR forecast £14bn for 31 March 2028" in stories.beside_the_obr(now)[0]
    assert stories.beside_the_obr(then) == []


def test_past_projections_are_of_year_ends_that_were_not_public_yet_and_are_now(panel: Panel) -> None:
    past = vintages(panel, draws=300)
    first = past[past["as_of"] == past["as_of"].min()]
    assert list(first["year"]) == [2024, 2025]
    # On 28 February 2026 the national figure of March 2025 was out, and nothing newer is yet.
    assert past["as_of"].max() == "2025-02-28"
    assert set(past.loc[past["year"] == 2025, "actual"]) == {3.8e9}
    assert past["actual"].between(past["p10"], past["p90"]).all()
    assert "IFS £3.3bn" in past["forecasts"].iloc[-1]


def test_councils_forecasts_are_compared_only_where_the_balance_is_not_known(
    panel: Panel, projection: Projection
) -> None:
    table = stories.statement_table(projection)
    known = panel.frame["balance"].dropna().index
    codes = [panel.authorities.resolve(name) for name in table["Council"]]
    assert len(table) > 10
    assert not [pair for pair in zip(codes, table["Year"], strict=True) if pair in known]


def test_other_assumptions_start_from_the_reports_own(projection: Projection) -> None:
    table = stories.sensitivities(projection)
    own = projection.england().loc["gross", "p50"]
    assert table.iloc[0, 1] == pytest.approx(own[2026])
    assert table.iloc[0, 2] == pytest.approx(own[2028])
    assert (table.iloc[1:, 2] != table.iloc[0, 2]).all()


def test_a_figure_missing_for_a_council_is_listed_as_missing(panel: Panel) -> None:
    facts = stories.council_facts(panel, "943").set_index("Figure")
    assert len(facts) == len(FIGURES)
    row = facts.loc[FIGURES["balance"].meaning[:1].upper() + FIGURES["balance"].meaning[1:]]
    assert pd.isna(row["Value"])
    assert row["Basis"] == "not published for this council"


def test_every_source_of_a_page_has_its_link_licence_and_hashes() -> None:
    for source in stories.used_sources(*stories.BALANCES, "national-figures"):
        assert source["url"].startswith("https://")
        assert source["licence"] in {"OGL-UK-3.0", "facts"}
        assert all(len(digest) == 64 for digest in source["files"].values())


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


def test_levers_are_compared_with_the_projection_without_any_and_its_own_is_among_them(
    changed: Projection,
) -> None:
    compared = stories.levers_compared(changed, 2028)
    alone = stories.levers_compared(changed.with_assumptions(levers=[]), 2028)
    pd.testing.assert_frame_equal(compared.iloc[:-1], alone)
    assert compared.iloc[-1]["terms"] == changed.levers[0].terms()
    assert compared.iloc[-1]["change_p50"] < 0


def test_growth_that_a_scenario_sets_is_not_said_to_be_announced(changed: Projection) -> None:
    table = stories.national_arithmetic(changed).set_index("Year")
    assert "announced" not in table.at[2027, "Not published"]


def test_other_assumptions_name_what_the_projection_has_instead(changed: Projection) -> None:
    words = stories.sensitivities(changed)["Assumption"]
    assert words.str.endswith("instead of 4%").any()


def test_a_council_that_a_scenario_changes_is_not_said_to_follow_englands_growth(changed: Projection) -> None:
    kent = changed.code("Kent")
    assert list(stories.breaking_even(changed, 2028, kent)["Way"]) == ["A saving in the year"]
    assert len(stories.breaking_even(changed.with_assumptions(d.Assumptions(), levers=[]), 2028, kent)) == 3
    points, _ = stories.authority_points(d.Scheme.read("flat-share").apply(changed), kent)
    assert "and what the scenario sets for it" in points[-1]


def test_safety_valve_grant_is_told_as_the_projection_counts_it(projection: Projection) -> None:
    none = projection.with_assumptions(d.Assumptions(safety_valve_payments="none"))
    column = "Safety valve grant (£)"
    assert stories.national_arithmetic(none).set_index("Year").loc[2025:, column].eq(0).all()
    assert stories.national_arithmetic(projection).set_index("Year").at[2025, column] > 0
