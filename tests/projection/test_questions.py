"""Rules of the projection's answers: regions, measures, causes, what stops a deficit."""

import numpy as np
import pytest

import deficits as d
from deficits.errors import ProjectionError
from deficits.panel import Panel
from deficits.projection import MEASURES, Projection, national
from deficits.projection.summaries import CAUSES, price_factor


@pytest.fixture(scope="module")
def small(panel: Panel) -> Projection:
    return d.project(panel, until=2030, draws=400, seed=1)


def test_regions_make_up_england(small: Projection) -> None:
    regions = sorted(set(small.fit.councils["region"]))
    codes = [code for region in regions for code in small.codes(region)]
    assert len(regions) == 9
    assert sorted(codes) == sorted(small.balance["authority"].values)
    gross = sum(national(small.balance.sel(authority=small.codes(region)), "gross") for region in regions)
    assert np.allclose(gross, national(small.balance, "gross"))


def test_prices_of_a_years_own_are_as_they_are(small: Projection) -> None:
    factor = price_factor(small.panel, small.assumptions, small.years, 2026)
    assert factor[small.years.index(2026)] == 1.0
    assert (np.diff(factor) < 0).all()  # later money is worth less
    # OBR, March 2026: prices up 2.006% in 2026-27.
    assert factor[small.years.index(2027)] == pytest.approx(1 / 1.02005742, rel=1e-6)


def test_per_plan_and_per_dsg_are_the_money_divided(small: Projection) -> None:
    kent = small.authority("Kent")
    dsg = small.panel.figure("dsg_total").at["886", 2024]
    assert small.authority("Kent", per="dsg").at[2024, "p50"] == pytest.approx(kent.at[2024, "p50"] / dsg)
    plans = small.panel.figure("plans")[2024].sum()
    england = small.england(per="plan").loc[("gross", 2024), "p50"]
    assert england == pytest.approx(small.england().loc[("gross", 2024), "p50"] / plans, rel=1e-3)


def test_pupils_of_2023_24_are_the_people_published(small: Projection) -> None:
    people = small.panel.figure("population_2_18")[2024].sum()
    england = small.england(per="person_2_18").loc[("gross", 2024), "p50"]
    assert england == pytest.approx(small.england().loc[("gross", 2024), "p50"] / people, rel=1e-9)


@pytest.mark.parametrize("council", [None, "Kent", "Camden"])
def test_causes_add_up_to_the_growth_of_the_deficit(small: Projection, council: str | None) -> None:
    causes = small.decompose(2026, 2028, council)
    assert list(causes.index) == [*CAUSES, "total"]
    assert causes["mean"].drop("total").sum() == pytest.approx(causes.at["total", "mean"], rel=1e-9, abs=1)
    balance = (
        small.balance.sum("authority") if council is None else small.balance.sel(authority=small.code(council))
    )
    grown = float((balance.sel(year=2026) - balance.sel(year=2028)).mean())
    assert causes.at["total", "mean"] == pytest.approx(grown)


def test_from_the_first_year_held_the_overspend_of_the_next_is_carried_on(small: Projection) -> None:
    first, last = small.years[0], small.years[-1]
    overspend = -small.england().loc[("in_year", first + 1), "p50"]
    assert small.decompose(first, last).at["carried_on", "p50"] == pytest.approx((last - first) * overspend)


def test_a_council_without_spend_has_no_cause_of_growth(small: Projection) -> None:
    assert small.decompose(2025, 2028, "Isles of Scilly").eq(0.0).all(axis=None)


def test_every_result_has_its_own_unit(small: Projection) -> None:
    way = small.breakeven()
    assert small.plans().attrs == {"units": "plans"}
    for found in (small.decompose(2025, 2028), small.lever_by_council("funding-growth"), small.authority("Kent")):
        assert found.attrs["units"] == "£"
    assert way.attrs["units"] == dict.fromkeys(way.index, "share") | {"saving": "£"}
    assert small.reaches(5e9).probability.attrs["units"] == "share"
    assert small.fit.accounts.spend.attrs["units"] == small.fit.offsets.lasting.attrs["units"] == "share"
    # A deficit is above 0: it does not take a balance's name, by which it would be below.
    deficits = [national(small.balance, measure) for measure in MEASURES]
    deficits += [values for _, values in small.measures.values()]
    deficits += d.write_off(small, "full-write-off-lga-2026").simulations.data_vars.values()
    assert all(values.attrs == {"units": "£"} for values in deficits)


def test_spend_split_by_cause_leaves_nothing_over(small: Projection) -> None:
    # What is not explained is the level's own walk: its mean is near nought over draws.
    causes = small.decompose(2026, 2030)["mean"]
    assert abs(causes["not_explained"]) < 0.05 * causes["total"]


def test_a_lone_cause_is_the_whole(panel: Panel) -> None:
    frozen = d.project(panel, d.Assumptions(plan_growth=0.0, unit_cost_growth=0.1), until=2029, draws=200)
    causes = frozen.decompose(2026, 2029)["mean"]
    assert abs(causes["people"] + causes["plan_rate"]) < 1e-3 * causes["unit_cost"]
    assert causes["unit_cost"] > 1e9


def test_what_breaks_even_does(small: Projection) -> None:
    way = small.breakeven(year=2028)
    funded = small.with_assumptions(
        d.Assumptions(
            block_growth={**small.assumptions.block_growth, 2028: min(float(way.at["funding_growth", "p50"]), 0.5)}
        )
    )
    if way.at["funding_growth", "p50"] <= 0.5:
        assert funded.england().loc[("in_year", 2028), "p50"] == pytest.approx(0.0, abs=2e7)
    assert way.at["saving", "p50"] == pytest.approx(-small.england().loc[("in_year", 2028), "p50"], rel=1e-9)
    assert way.at["plan_growth", "p50"] < way.at["expected_plan_growth", "p50"]


def test_a_year_that_is_published_or_unknown_is_refused(small: Projection) -> None:
    with pytest.raises(ProjectionError, match=r"year: found 2024, expected .* from 2025 to 2030"):
        small.breakeven(year=2024)
    with pytest.raises(ProjectionError, match=r"end: found 2026, expected .* from 2029 to 2030"):
        small.decompose(2028, 2026)
    with pytest.raises(ProjectionError, match=r"end: found 2050, expected .* from 2027 to 2030"):
        small.decompose(2026, 2050)
