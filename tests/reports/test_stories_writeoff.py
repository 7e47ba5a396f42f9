"""Rules of what the reports on a write-off and on several schemes say in words and tables."""

from __future__ import annotations

import ast
import re

import nbformat
import numpy as np
import pandas as pd
import pytest

import deficits as d
from deficits.panel import Panel
from deficits.paths import notebooks_dir
from deficits.projection import Projection
from deficits.reports import parse, stories
from deficits.writeoff import Scheme, WriteOff, scheme_names
from deficits.writeoff.costs import interest_by_year
from tests.writeoff.examples import scheme

GRANT = "high-needs-stability-grant"
NOT_SAID = re.compile(r"\bnan\b|\binf\b|not available|\bNone\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def result(projection: Projection) -> WriteOff:
    return Scheme.read(GRANT).apply(projection)


@pytest.fixture(scope="module")
def compared(projection: Projection) -> stories.Comparison:
    names = ["no-help", "flat-share", "flat-share-75", "equal-per-pupil", "capped-at-reserves"]
    return stories.compared(projection, {name: d.Scheme.read(name) for name in [*names, GRANT]}, GRANT, 2028)


def asked(**values: object) -> Scheme:
    return stories.asked(parse("writeoff", values))


# What is asked for


def test_the_scheme_as_it_is_keeps_its_title() -> None:
    assert asked() == Scheme.read(GRANT)


def test_a_changed_scheme_says_so_in_its_title() -> None:
    changed = asked(share=0.75, ineligible=0.02, safety_valve="continue")
    assert (changed.share, changed.ineligible.share, changed.safety_valve) == (0.75, 0.02, "continue")
    assert "share 75%" in changed.title


def test_payment_moves_with_the_base_year() -> None:
    later = asked(base_year=2027)
    assert (later.base_year, later.paid_in) == (2027, 2028)
    cover = asked(scheme="growth-covered", base_year=2027).cover
    assert cover is not None
    assert list(cover.shares) == [2028, 2029]


# One scheme


def test_main_points_follow_the_questions_and_give_ranges(result: WriteOff) -> None:
    points, headline = stories.writeoff_points(result)
    assert re.search(r"would pay £\d\.\dbn to £\d\.\dbn to \d+ to \d+ of 153 councils", points[0])
    told = " ".join(points)
    for words in ("in surplus gets nothing", "would stay with councils", "would be back", "usable reserves"):
        assert words in told
    for words in ("costs the Exchequer", "A quarter's delay", "It is uneven", "estimates"):
        assert words in told
    assert headline["grant_p50"] == round(result.summary().at["grant", "p50"])


@pytest.mark.parametrize("name", scheme_names())
def test_no_shipped_scheme_makes_a_report_say_nonsense(projection: Projection, name: str) -> None:
    there = Scheme.read(name).apply(projection)
    texts = stories.writeoff_points(there)[0] + stories.beside_published(there) + stories.concentration(there)
    assert not [text for text in texts if NOT_SAID.search(text)]
    stories.what_if(there), stories.responses(there), stories.grants(there), stories.exchequer(there)


def test_who_is_paid_nothing_is_listed_with_the_reason(result: WriteOff) -> None:
    unpaid = stories.unpaid(result).set_index("Council")
    assert unpaid.at["City of London", "Why"] == "no deficit, few schools"
    assert (unpaid["Chance of a grant (0 to 1)"] < 0.5).all()
    assert "likely in surplus" in set(unpaid["Why"])
    only = scheme(eligibility=[{"kind": "region", "names": ["London"]}]).apply(result.projection)
    assert stories.unpaid(only).set_index("Council").at["Kent", "Why"] == "not paid by the terms"


def test_regions_and_types_each_make_up_england(result: WriteOff) -> None:
    table = stories.grants_by_place(result).set_index("Region or type")["Grant, mean (£)"]
    types = ["Counties", "Unitary authorities", "Metropolitan boroughs", "London boroughs"]
    assert table[types].sum() == pytest.approx(table["England"])
    assert table.drop([*types, "England"]).sum() == pytest.approx(table["England"])
    assert table.index[-1] == "England"


def test_every_council_has_a_row_and_its_shares_add_up_to_england(result: WriteOff) -> None:
    table = stories.grants(result)
    assert len(table) == 153
    assert table["Grant, middle (£)"].is_monotonic_decreasing
    saved = table.filter(like="Interest saved").iloc[:, 0].sum()
    without, now = interest_by_year(result, paid=False), interest_by_year(result)
    assert saved == pytest.approx(
        sum((without[year] - now[year]).sum(axis=0).mean() for year in (2027, 2028)), abs=200
    )


def test_only_councils_likely_to_be_paid_are_counted_as_back(result: WriteOff) -> None:
    assert len(stories.years_until_back(result)) == 153 - len(stories.unpaid(result))


def test_other_terms_start_from_the_scheme_and_change_one_thing(result: WriteOff) -> None:
    table = stories.what_if(result).set_index("Terms")
    own = table.loc["As in this report"]
    assert own["Paid, middle (£)"] == pytest.approx(result.summary().at["grant", "p50"], rel=1e-3)
    assert own["More or fewer than here, mean"] == 0
    assert "Share 90%" not in table.index  # it is the scheme's own
    paid = table["Paid, middle (£)"]
    assert paid["Share 80%"] < paid["Share 95%"] < paid["Share 100%"]
    assert paid["5% of each deficit not eligible"] < paid["2% of each deficit not eligible"] < own.iloc[1]
    assert paid["1 plan in 10 refused"] == pytest.approx(0.9 * own.iloc[1], rel=0.02)
    pays = table["Councils pay, present value (£)"]
    assert (
        pays["All paid a year late"]
        > pays["1 plan in 4 approved a year late"]
        > own["Councils pay, present value (£)"]
    )
    assert table["More or fewer than here, mean"]["1 plan in 10 refused"] > 0


def test_a_term_that_makes_no_sense_of_a_scheme_is_left_out(projection: Projection) -> None:
    table = stories.what_if(Scheme.read("tapered-by-dsg").apply(projection))
    assert not table["Terms"].str.startswith("Share").any()
    covered = stories.what_if(Scheme.read("growth-covered").apply(projection))
    assert not covered["Terms"].str.startswith("And ").any()


def test_terms_beyond_the_projection_are_left_out(panel: Panel) -> None:
    short = d.project(panel, until=2027, draws=200)
    there = Scheme.read(GRANT).apply(short)
    terms = set(stories.what_if(there)["Terms"])
    assert "All paid a year late" not in terms
    assert "Share 80%" in terms
    assert stories.responses(there).empty
    assert not stories.carrying(there).filter(like="A year's delay").columns.tolist()


def test_cover_costs_more_when_councils_spend_more(result: WriteOff) -> None:
    table = stories.responses(result)
    assert table["Cover paid, mean (£)"].is_monotonic_increasing
    assert "as without cover" in set(table["Spend in each covered year"])
    own = stories.responses(Scheme.read("growth-covered").apply(result.projection))
    assert own["Cover paid, mean (£)"].is_monotonic_increasing


def test_those_with_an_agreement_stand_beside_those_without(result: WriteOff) -> None:
    table = stories.helped(result)
    assert table["who"].iloc[0].endswith("with a safety valve agreement that is held")
    assert table["received_per_person"].iloc[0] > table["received_per_person"].iloc[1] == 0
    counted = [int(who.split()[0]) for who in table["who"].iloc[:2]]
    assert sum(counted) == 153


def test_published_forecasts_times_the_share_stand_beside_the_grant(
    result: WriteOff, projection: Projection
) -> None:
    (told,) = stories.beside_published(result)
    assert "90% of those is £3.9bn to £5.9bn" in told
    assert stories.beside_published(Scheme.read("tapered-by-dsg").apply(projection)) == []


def test_what_councils_pay_in_is_told_as_published_and_not_in_a_past_run(panel: Panel) -> None:
    table = stories.contributions(panel).set_index("Council")
    assert table.at["Kent", "Council's own contribution, as published"] == "£82.0m"
    assert not table.iloc[:, 1].str.contains("http").any()
    assert stories.contributions(d.load_panel("2025-09-17")).empty


def test_successors_begin_with_their_part_of_the_balance(result: WriteOff) -> None:
    table = stories.successors(result)
    assert set(table["Of"]) == {"Surrey"}
    assert table["Share (0 to 1)"].sum() == pytest.approx(1)


# Several schemes


def test_the_scheme_that_others_are_held_against_is_among_them(compared: stories.Comparison) -> None:
    assert "High Needs Stability Grant" in compared.measured.titles
    assert len(compared.table) == 6


def test_ways_of_sharing_that_pay_alike_are_told_once(compared: stories.Comparison) -> None:
    assert list(compared.rivals) == [
        "Flat share of the deficit",
        "Equal amount a pupil",
        "90% capped at usable reserves",
    ]
    assert compared.alike == {"Three quarters of the deficit": "Flat share of the deficit"}
    assert compared.unequal == ["No help, override ends March 2028"]
    assert len(stories.left_out(compared)) == 2


def test_at_equal_cost_gains_and_losses_add_up_to_nothing(compared: stories.Comparison) -> None:
    for change in compared.changes.values():
        assert change.sum(axis=0).mean() == pytest.approx(0, abs=1e4)
    regions = stories.gains_by_region(compared).set_index("Region")
    assert regions.sum().to_numpy() == pytest.approx(0, abs=1e4)


def test_gains_are_those_of_the_write_off_room(compared: stories.Comparison) -> None:
    title = compared.most_different
    assert title == "Equal amount a pupil"
    mine = stories.gains(compared, title)
    theirs = compared.reference.against(Scheme.read("equal-per-pupil")).loc[mine.index]
    assert mine["mean"].to_numpy() == pytest.approx(-theirs["difference_mean"].to_numpy(), abs=100)
    assert mine["per_pupil"].to_numpy() == pytest.approx(-theirs["difference_per_pupil"].to_numpy(), abs=0.1)
    assert mine["better"].to_numpy() == pytest.approx(theirs["worse"].to_numpy(), abs=0.01)
    assert mine["mean"].is_monotonic_increasing


def test_regions_ranges_lie_about_their_means(compared: stories.Comparison) -> None:
    table = stories.region_ranges(compared, "Equal amount a pupil")
    assert table["Change, low (£)"].le(table["Change, mean (£)"]).all()
    assert table["Change, mean (£)"].sum() == pytest.approx(0, abs=1e4)


def test_each_other_scheme_is_held_against_the_one_draw_by_draw(compared: stories.Comparison) -> None:
    table = stories.differences(compared).set_index("scheme")
    assert "High Needs Stability Grant" not in table.index
    assert table.at["No help, override ends March 2028", "p10"] > 0
    assert table.at["Flat share of the deficit", "p50"] < table.at["No help, override ends March 2028", "p50"]


def test_measures_and_ranks_say_no_nonsense(compared: stories.Comparison) -> None:
    for frame in (stories.measures(compared), stories.ranks(compared)):
        texts = frame.astype("object").where(frame.notna(), "").astype(str).to_numpy().ravel()
        assert not [text for text in texts if NOT_SAID.search(text)]
    points, headline = stories.compare_points(compared)
    assert not [point for point in points if NOT_SAID.search(point)]
    assert headline["schemes"] == 6


def test_two_schemes_that_pay_nothing_can_be_compared(projection: Projection) -> None:
    names = ["no-help", "interest-on-the-dsg-bcp-2025"]
    nothing = stories.compared(projection, {name: d.Scheme.read(name) for name in names}, "no-help", 2028)
    assert nothing.most_different is None
    points, _ = stories.compare_points(nothing)
    assert not [point for point in points if NOT_SAID.search(point)]


# The notebooks


def run(notebook: str, **values: object) -> dict[str, object]:
    """What each code cell shows, by its id, run in this process."""
    namespace: dict[str, object] = {"__name__": "notebook"}
    shown = {}
    for cell in nbformat.read(notebooks_dir() / notebook, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        *before, last = ast.parse(cell.source).body
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(before, []), cell.id, "exec"), namespace)
            shown[cell.id] = eval(compile(ast.Expression(last.value), cell.id, "eval"), namespace)
        else:
            exec(compile(ast.Module([*before, last], []), cell.id, "exec"), namespace)
        if "parameters" in cell.metadata.get("tags", []):
            namespace |= values
    return shown


@pytest.mark.parametrize(
    "values",
    [
        {"scheme": "no-help"},
        {"scheme": "growth-covered"},
        {"scheme": "loan-10-years"},
        {"scheme": "equal-per-pupil"},
        {"share": 0.5, "base_year": 2027, "ineligible": 0.02, "safety_valve": "continue"},
        {"until": 2027},
        {"as_of": "2025-09-17"},
    ],
    ids=lambda values: "-".join(map(str, values.values())),
)
def test_the_report_on_one_scheme_runs_whatever_the_scheme(values: dict[str, object]) -> None:
    shown = run("02_writeoff.ipynb", draws=200, **values)
    assert sum(item is not None for item in shown.values()) >= 12
    points = str(shown["02-03"])
    assert not NOT_SAID.search(points), points


@pytest.mark.parametrize(
    "values",
    [
        {"schemes": ["no-help", GRANT]},
        {"schemes": ["flat-share", "flat-share-75"], "against": "flat-share-100", "year": 2027},
        {"schemes": ["no-help", "interest-on-the-dsg-bcp-2025"], "against": "no-help"},
    ],
    ids=["grant-or-none", "shares", "nothing-paid"],
)
def test_the_report_on_several_schemes_runs_whatever_they_are(values: dict[str, object]) -> None:
    shown = run("05_compare.ipynb", draws=200, **values)
    assert not NOT_SAID.search(str(shown["05-03"]))


def test_medians_of_the_frontier_are_those_of_each_scheme(compared: stories.Comparison) -> None:
    row = compared.table.set_index("scheme").loc["High Needs Stability Grant"]
    summary = compared.reference.summary()
    assert row["deficit_p50"] == pytest.approx(summary.at["deficit_with_2028", "p50"], rel=1e-3)
    assert np.isclose(row["years_bought_p50"], summary.at["years_bought", "p50"], rtol=1e-2)
    assert isinstance(stories.at_equal_cost(compared), pd.DataFrame)


def test_schemes_with_one_title_are_told_apart(projection: Projection) -> None:
    titled = d.Scheme.read("flat-share").model_copy(update={"title": d.Scheme.read(GRANT).title})
    pupil = d.Scheme.read("equal-per-pupil").model_copy(update={"title": "Equal"})
    plan = d.Scheme.read("equal-per-plan").model_copy(update={"title": "Equal"})
    schemes = {GRANT: d.Scheme.read(GRANT), "flat-share": titled, "own-scheme": pupil, "own-scheme-2": plan}
    both = stories.compared(projection, schemes, GRANT, 2028)
    assert len(set(both.measured.titles)) == 4
    assert {"Equal (own-scheme)", "Equal (own-scheme-2)"} <= set(both.rivals)
    stories.compare_points(both)
