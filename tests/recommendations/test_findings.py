"""Rules of what this project says of recommendations: figures have a source, a range, and one value everywhere."""

from __future__ import annotations

import numpy as np
import pytest

import deficits as d
from deficits.errors import PanelError, ProjectionError
from deficits.panel import Panel
from deficits.projection import Projection, england
from deficits.recommendations import (
    Finding,
    findings,
    hours,
    new_plans,
    newest,
    plans_not_issued,
    posts,
    prices,
    read_ledger,
)

LEDGER = read_ledger()
NEW_IN_2024 = 97_747
"""New EHC plans of England in the calendar year 2024: DfE, Education, health and care plans, June 2025."""


@pytest.fixture(scope="module")
def projection(panel: Panel) -> Projection:
    return d.project(panel, until=2031, draws=200)


@pytest.fixture(scope="module")
def found(projection: Projection) -> dict[str, Finding | None]:
    return findings(LEDGER, projection)


def test_every_measure_gives_a_finite_range(found: dict[str, Finding | None]) -> None:
    named = [each.name for each in LEDGER.recommendations if each.measure]
    assert [name for name in found if found[name]] == named
    for name in named:
        figure = found[name]
        assert figure
        assert np.isfinite([figure.low, figure.high]).all()
        assert figure.low <= figure.high


def test_a_lever_does_here_what_it_does_on_the_page_on_england(
    projection: Projection, found: dict[str, Finding | None]
) -> None:
    table = england.levers_compared(projection, 2031).set_index("lever")
    figure = found["uprate-threshold"]
    assert figure
    row = table.loc[d.Lever.read("threshold-uprating").title]
    assert (figure.low, figure.high) == (row["change_p10"], row["change_p90"])


def test_a_formula_moves_money_and_adds_none(found: dict[str, Finding | None], projection: Projection) -> None:
    effect = d.Lever.read("formula-review").effect(projection.fit, projection.paths).position
    figure = found["formula-review"]
    assert figure
    assert np.abs(effect.sum(axis=1)).max() < 1
    lost = -np.clip(effect[-1], None, 0).sum(axis=0)
    assert np.quantile(lost, [0.1, 0.9]) == pytest.approx([figure.low, figure.high])


def test_new_plans_are_those_published_and_then_follow_the_projection(projection: Projection) -> None:
    plans = new_plans(projection)
    assert plans.at[2025, "p10"] == plans.at[2025, "p90"] == NEW_IN_2024
    later = plans[~plans["published"]]
    assert (later["p10"] <= later["p50"]).all()
    assert (later["p50"] <= later["p90"]).all()
    share = NEW_IN_2024 / projection.panel.figure("plans")[2025].sum()
    middle = np.median(projection.paths.plans[projection.paths.years.index(2028)])
    assert later.at[2028, "p50"] == pytest.approx(share * middle)


def test_posts_are_plans_times_measured_hours(projection: Projection) -> None:
    # 97,747 plans x 17.4 hours (DfE, 2026) = 1.7m hours, at an assumed 1,500 hours a post.
    needed = posts(projection, 2025)
    assert needed.at["educational psychologist", "posts_low"] == pytest.approx(1133.9, abs=0.05)
    everybody = needed.loc["all council professionals", ["posts_low", "posts_high"]]
    assert everybody.tolist() == pytest.approx([NEW_IN_2024 * 56 / 1500, NEW_IN_2024 * 68 / 1500])
    shorter = posts(projection, 2025, per_post=750)
    assert shorter["posts_high"].dropna().tolist() == pytest.approx((2 * needed["posts_high"]).dropna().tolist())
    with pytest.raises(ProjectionError, match="year 2050: found no new plans"):
        posts(projection, 2050)


def test_hours_that_nobody_has_measured_are_blank_and_say_what_was_searched() -> None:
    unknown = hours()[hours()["hours_low"].isna()]
    assert {"annual review", "appeal"} <= set(unknown.index.get_level_values("activity"))
    assert unknown["note"].str.contains("not found: searched").all()
    assert unknown["hours_high"].isna().all()


def test_fewer_plans_are_issued_only_once_a_lever_works(projection: Projection) -> None:
    lever = d.Lever.read("early-support", start=2028)
    fewer = plans_not_issued(projection, lever)
    assert (fewer.loc[: lever.start + lever.lag - 1] == 0).all(axis=None)
    assert (fewer.loc[lever.start + lever.lag :] > 0).all(axis=None)
    # All that are not issued, added up, are the plans that the lever's saving is worked out on.
    gone = projection.paths.plans[-1] * (1 - lever.plans_left(projection.paths)[-1])
    assert np.quantile(gone, 0.5) == pytest.approx(fewer["p50"].sum(), rel=0.05)


def test_a_price_is_a_published_cost_times_a_published_number_and_not_the_grants() -> None:
    listed = prices()
    assert (listed["unit_low"] <= listed["unit_high"]).all()
    assert (listed["total_low"] == listed["unit_low"] * listed["quantity_low"]).all()
    sources = ["cost_url", "cost_publisher", "cost_published", "quantity_url", "quantity_publisher"]
    assert listed[sources].notna().all(axis=None)
    assert not listed["payer"].str.contains("DSG|dedicated schools grant").any()
    assert listed.at["senco-qualification", "total_high"] == 1_265 * 24_453


def test_what_was_not_public_on_a_day_is_not_known_then() -> None:
    assert hours("2025-12-31").empty
    assert set(prices("2025-12-31").index) < set(prices().index)
    earlier = d.project(d.load_panel("2025-09-30"), until=2029, draws=200)
    few = ("specialists-time", "training-for-all", "uprate-threshold")
    kept = tuple(each for each in LEDGER.known_on("2025-09-30").recommendations if each.name in few)
    then = findings(LEDGER.model_copy(update={"recommendations": kept}), earlier)
    assert then["specialists-time"] is None  # measured in 2026
    assert then["training-for-all"] is None  # announced in January 2026
    assert then["uprate-threshold"] is not None


def test_a_figure_that_too_few_councils_have_stands_for_no_year(projection: Projection) -> None:
    assert int(newest(projection.panel, "new_plans").name) == 2025
    few = projection.panel.copy()
    few.frame.loc[:, "new_plans"] = few.frame["new_plans"].where(few.frame["region"] == "London")
    with pytest.raises(PanelError, match="no year in which nearly all councils have it"):
        newest(few, "new_plans")


def test_a_name_that_is_not_held_is_refused_with_the_closest(projection: Projection) -> None:
    one = next(each for each in LEDGER.recommendations if each.name == "senco-leader")
    assert one.measure
    wrong = one.model_copy(update={"measure": one.measure.model_copy(update={"name": "senco-qualifcation"})})
    with pytest.raises(PanelError, match="did you mean 'senco-qualification'"):
        findings(LEDGER.model_copy(update={"recommendations": (wrong,)}), projection)
