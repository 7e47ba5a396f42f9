"""What a write-off does, in frames: parts make up wholes, terms change one thing, other ways of sharing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import deficits as d
from deficits.panel import Panel
from deficits.projection import Projection
from deficits.writeoff import Scheme, WriteOff, scheme_names, summaries
from deficits.writeoff.costs import interest_by_year
from tests.writeoff.examples import scheme

GRANT = "high-needs-stability-grant"


@pytest.fixture(scope="module")
def result(projection: Projection) -> WriteOff:
    return d.write_off(projection, Scheme.read(GRANT))


@pytest.fixture(scope="module")
def shared(result: WriteOff) -> pd.DataFrame:
    names = ["no-help", "flat-share", "flat-share-75", "equal-per-pupil", "capped-at-reserves"]
    return summaries.at_equal_cost(result, [Scheme.read(name) for name in names])


def test_payment_and_cover_move_with_the_base_year() -> None:
    assert summaries.moved_to(Scheme.read(GRANT), None) == Scheme.read(GRANT)
    later = summaries.moved_to(Scheme.read("growth-covered"), 2027)
    assert (later.base_year, later.paid_in) == (2027, 2028)
    assert later.cover is not None
    assert list(later.cover.shares) == [2028, 2029]


def test_every_council_has_a_row_and_interest_saved_adds_up_to_englands(result: WriteOff) -> None:
    table = summaries.by_council(result)
    assert len(table) == 153
    assert table["grant_p50"].is_monotonic_decreasing
    without, now = interest_by_year(result, paid=False), interest_by_year(result)
    saved = sum((without[year] - now[year]).sum(axis=0).mean() for year in (2027, 2028))
    assert table["interest_saved"].sum() == pytest.approx(saved, abs=200)


def test_a_council_whose_returns_differ_is_paid_less_than_the_share_and_no_council_more(result: WriteOff) -> None:
    paid = summaries.by_council(result).set_index("name")["paid_share"].dropna()
    assert paid["South Gloucestershire"] < 0.8
    assert paid.max() == pytest.approx(0.9)
    assert (paid > 0.89).sum() > 130


def test_what_is_not_known_of_reserves_stays_unknown(result: WriteOff) -> None:
    table = summaries.by_council(result)
    unknown = table["reserves"].isna()
    assert unknown.any()
    assert table.loc[unknown, "above_reserves"].isna().all()
    assert table.loc[~unknown, "above_reserves"].between(0, 1).all()


@pytest.mark.parametrize("kind", ["region", "type"])
def test_places_make_up_england(result: WriteOff, kind: str) -> None:
    means = summaries.by_place(result, kind)["grant_mean"]  # type: ignore[arg-type]
    assert means.drop("England").sum() == pytest.approx(means["England"])


def test_who_is_not_paid_is_in_surplus_or_left_out_by_the_terms(result: WriteOff) -> None:
    unpaid = summaries.not_paid(result).set_index("name")
    assert (unpaid["paid"] < 0.5).all()
    assert (unpaid["in_surplus"] >= 0.5).all()
    only = d.write_off(result.projection, scheme(eligibility=[{"kind": "region", "names": ["London"]}]))
    assert summaries.not_paid(only).set_index("name").at["Kent", "in_surplus"] < 0.5


def test_other_terms_start_from_the_scheme_and_change_one_thing(result: WriteOff) -> None:
    terms = {
        "as it is": {},
        "80%": {"share": 0.8},
        "100%": {"share": 1.0},
        "5% out": {"ineligible.share": 0.05},
        "refused": {"approval.probability": 0.9},
        "late": {"paid_in": 2028},
    }
    table = summaries.on_other_terms(result, terms)
    own, paid = table.loc["as it is"], table["cost_p50"]
    assert own["cost_p50"] == pytest.approx(result.summary().at["grant", "p50"], rel=1e-3)
    assert own["deficit_p50"] == pytest.approx(
        result.summary().query("year == 2028").at["deficit_with", "p50"], rel=1e-3
    )
    assert paid["80%"] < paid["5% out"] < own["cost_p50"] < paid["100%"]
    assert paid["refused"] == pytest.approx(0.9 * own["cost_p50"], rel=0.02)
    assert table.at["late", "councils_pay_p50"] > own["councils_pay_p50"]


def test_a_term_that_makes_no_sense_of_a_scheme_is_left_out(panel: Panel, projection: Projection) -> None:
    loan = d.write_off(projection, Scheme.read("loan-10-years"))
    assert list(summaries.on_other_terms(loan, {"own": {}, "too much": {"share": 1.5}}).index) == ["own"]
    short = d.write_off(d.project(panel, until=2027, draws=200), Scheme.read(GRANT))
    assert list(summaries.on_other_terms(short, {"own": {}, "late": {"paid_in": 2028}}).index) == ["own"]


@pytest.mark.parametrize("name", scheme_names())
def test_every_shipped_scheme_can_be_summed_up(projection: Projection, name: str) -> None:
    there = d.write_off(projection, Scheme.read(name))
    for frame in (summaries.by_council(there), summaries.by_place(there), summaries.help_by_group(there)):
        assert not np.isinf(frame.select_dtypes("number").to_numpy(dtype=float)).any()


def test_those_with_an_agreement_stand_beside_those_without(result: WriteOff) -> None:
    table = summaries.help_by_group(result)
    assert table["councils"].sum() == 153
    assert table.at[True, "received_per_person"] > table.at[False, "received_per_person"] == 0


def test_at_equal_cost_gains_and_losses_add_up_to_nothing(shared: pd.DataFrame) -> None:
    sums = shared.groupby("scheme")["difference_mean"].sum()
    assert sums.to_numpy() == pytest.approx(0, abs=1e4)
    assert (shared["difference_p10"] <= shared["difference_p90"]).all()


def test_ways_of_sharing_that_pay_alike_are_told_once(shared: pd.DataFrame) -> None:
    assert set(shared["scheme"]) == {
        "Flat share of the deficit",
        "Equal amount per pupil",
        "90% capped at usable reserves",
    }


def test_a_gain_is_what_the_other_scheme_pays_more(result: WriteOff, shared: pd.DataFrame) -> None:
    mine = shared[shared["scheme"] == "Equal amount per pupil"].set_index("authority")
    theirs = result.against(Scheme.read("equal-per-pupil")).loc[mine.index]
    assert mine["difference_mean"].to_numpy() == pytest.approx(-theirs["difference_mean"].to_numpy(), abs=100)
    assert mine["gains"].to_numpy() == pytest.approx(theirs["worse"].to_numpy(), abs=0.01)


def test_schemes_that_pay_nothing_share_nothing(projection: Projection) -> None:
    nothing = d.write_off(projection, Scheme.read("no-help"))
    assert summaries.at_equal_cost(nothing, [Scheme.read("interest-on-the-dsg-bcp-2025")]).empty
