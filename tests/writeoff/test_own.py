"""Rules of a council's own case: its figures, what a scheme pays on them, and the working."""

from __future__ import annotations

import pandas as pd
import pytest

import deficits as d
from deficits.errors import SchemeError
from deficits.projection import Projection
from deficits.writeoff import Inputs, scheme_names
from deficits.writeoff.own import FORECAST, OwnCase, own_case
from tests.writeoff.examples import scheme


@pytest.fixture(scope="module")
def cheshire(projection: Projection) -> OwnCase:
    return own_case(
        council="Cheshire East",
        deficit=144.4e6,
        ineligible={"equal pay": 0.4e6},
        forecast={2027: -190e6, 2028: -240e6},
        projection=projection,
    )


def amounts(case: OwnCase) -> dict[str, float]:
    """The working by line; where a line stands in several years, its last."""
    return dict(case.working()[["line", "amount"]].itertuples(index=False, name=None))


def test_a_case_worked_by_hand(cheshire: OwnCase) -> None:
    assert cheshire.grant == pytest.approx(0.9 * 144.0e6)
    assert cheshire.left == pytest.approx(14.8e6)
    years = cheshire.by_year()
    assert years["closing"].tolist() == pytest.approx([-190e6 + 129.6e6, -240e6 + 129.6e6])
    # Half a year's interest on the grant, then a whole one.
    assert years["saved"].tolist() == pytest.approx([129.6e6 * 0.0405 / 2, 129.6e6 * 0.0405])
    assert years.at[2027, "interest_without"] == pytest.approx(0.0405 * (144.4e6 + 190e6) / 2)
    assert (years["basis"] == FORECAST).all()


def test_cheshire_easts_published_savings_are_near(cheshire: OwnCase) -> None:
    # £2.723m, then £5.265m, on a grant of about £130m.
    assert cheshire.by_year()["saved"].tolist() == pytest.approx([2.723e6, 5.265e6], rel=0.04)


def test_the_working_adds_up(cheshire: OwnCase) -> None:
    working = cheshire.working()
    assert working.columns.tolist() == ["step", "line", "amount", "rule", "source"]
    for year in ("2026-27", "2027-28"):
        account = working[working["step"] == year]["amount"].tolist()
        assert sum(account[:-1]) == pytest.approx(account[-1])
        borne = working[working["step"] == f"{year}, general fund"]["amount"].tolist()
        assert sum(borne[:-1]) == pytest.approx(borne[-1])
    told = amounts(cheshire)
    assert told["Deficit at 31 March 2026"] + told["Less equal pay"] == pytest.approx(told["Eligible deficit"])
    assert told["Grant"] + told["Left of the deficit at 31 March 2026"] == pytest.approx(144.4e6)


def test_every_line_says_what_it_follows_from(cheshire: OwnCase) -> None:
    working = cheshire.working()
    assert (working["rule"].str.len() > 3).all()
    of_scheme = working[working["rule"].str.startswith("High Needs Stability Grant")]
    assert of_scheme["source"].str.startswith("https://www.gov.uk/").all()
    assert working.set_index("line").at["Less equal pay", "rule"] == "your figure"


def test_the_lowest_of_the_sources_counts_where_the_scheme_says_so(projection: Projection) -> None:
    given = {"section 251": 100e6, "accounts": 96e6}
    assert own_case(council="Kent", deficit=given, projection=projection).deficit == 96e6
    first = own_case(council="Kent", deficit=given, scheme="flat-share", projection=projection)
    assert first.deficit == 100e6
    assert {"Deficit in section 251", "Deficit in accounts"} <= set(first.working()["line"])


@pytest.mark.parametrize(
    ("deficit", "items", "grant"),
    [(0.0, {}, 0.0), (1e6, {"early years": 2e6}, 0.0), (2e6, {"early years": 0.5e6}, 0.9 * 1.5e6)],
)
def test_more_ineligible_than_deficit_pays_nothing(
    projection: Projection, deficit: float, items: dict[str, float], grant: float
) -> None:
    case = own_case(council="Kent", deficit=deficit, ineligible=items, projection=projection)
    assert case.grant == pytest.approx(grant)
    assert case.left == pytest.approx(deficit - grant)
    eligible = case.working().query("step == 'eligible'")["amount"].tolist()
    assert deficit + sum(eligible[:-1]) == pytest.approx(eligible[-1])


def test_years_without_an_own_forecast_follow_the_projections_changes(projection: Projection) -> None:
    case = own_case(council="Kent", deficit=150e6, forecast={2027: -200e6}, projection=projection)
    years = case.by_year()
    assert years.at[2027, "basis"] == FORECAST
    assert years.at[2028, "basis"].startswith("your forecast of 31 March 2027 and this project's projection")
    kent = projection.balance.sel(authority="886")
    change = float((kent.sel(year=2028) - kent.sel(year=2027)).median())
    assert years.at[2028, "closing_without"] == pytest.approx(-200e6 + change)
    assert years.at[2028, "closing_p10"] < years.at[2028, "closing"] < years.at[2028, "closing_p90"]
    assert pd.isna(years.at[2027, "closing_p10"])


def test_the_rate_is_the_councils_own(projection: Projection) -> None:
    one, other = (
        own_case(
            council="Kent", deficit=100e6, forecast={2027: -100e6, 2028: -100e6}, rate=rate, projection=projection
        )
        for rate in (None, 0.0605)
    )
    assert one.by_year().at[2028, "saved"] == pytest.approx(0.0405 * 90e6)
    assert other.by_year().at[2028, "saved"] == pytest.approx(0.0605 * 90e6)


def test_a_cap_is_told_as_a_step_of_its_own(projection: Projection) -> None:
    capped = scheme(cap={"pounds": 50e6, "pupils": 100})
    case = own_case(council="Kent", deficit=100e6, scheme=capped, projection=projection)
    pupils = Inputs(projection).size("pupils", 2026)[Inputs(projection).codes.get_loc("886"), 0]
    assert case.grant == pytest.approx(100 * pupils)
    lines = case.working().query("step == 'grant'")
    assert lines["line"].str.startswith("Cut to the cap").sum() == 2
    assert lines["amount"].iloc[:-1].sum() == pytest.approx(lines["amount"].iloc[-1])


def test_a_national_budget_is_shared_with_the_other_councils_as_projected(projection: Projection) -> None:
    case = own_case(council="Dorset", deficit=120e6, scheme="equal-per-pupil", projection=projection)
    assert 0 < case.grant < 120e6
    assert case.working()["line"].str.startswith("Cut to the national budget of £5.0bn").any()


def test_a_chance_of_approval_is_told_and_the_grant_is_that_of_an_approved_plan(projection: Projection) -> None:
    unsure = scheme(approval={"probability": 0.7, "late": 0.5, "delay": 1})
    case = own_case(council="Kent", deficit=100e6, scheme=unsure, projection=projection)
    assert case.grant == pytest.approx(90e6)
    assert "Grant, if the plan is approved (chance 70%)" in set(case.working()["line"])
    assert "chance 70%" in str(case)


def test_a_council_that_had_instalments_is_paid_less_where_they_go_on(projection: Projection) -> None:
    name = "high-needs-stability-grant-safety-valve-continues"
    case = own_case(council="Devon", deficit=60e6, scheme=name, projection=projection)
    agreed = Inputs(projection).agreed_after(2026)[Inputs(projection).codes.get_loc(case.code), 0]
    assert agreed > 0
    assert case.grant == pytest.approx(0.9 * (60e6 - agreed))
    assert amounts(case)["Less agreed instalments still to come"] == pytest.approx(-agreed)


@pytest.mark.parametrize("name", [name for name in scheme_names() if d.Scheme.read(name).base_year >= 2025])
def test_every_shipped_scheme_has_a_working_that_adds_up(projection: Projection, name: str) -> None:
    case = own_case(
        council="Bristol", deficit=90e6, ineligible={"equal pay": 1e6}, scheme=name, projection=projection
    )
    working = case.working()
    assert working["amount"].notna().all()
    assert 0 <= case.grant <= 90e6
    for _, step in working[working["step"].str.match(r"\d{4}-\d{2}")].groupby("step"):
        assert step["amount"].iloc[:-1].sum() == pytest.approx(step["amount"].iloc[-1], abs=1)
    assert not [line for line in case.lines() if "nan" in line or "not available" in line]


def test_a_forecast_with_the_sign_slipped_is_refused(projection: Projection) -> None:
    with pytest.raises(SchemeError, match=r"forecast, 2027: found £120.0m, a surplus, .* is below 0: −£120.0m"):
        own_case(council="Kent", deficit=100e6, forecast={2027: 120e6}, projection=projection)
    small = own_case(council="Kent", deficit=1e6, forecast={2027: 0.5e6}, projection=projection)
    assert small.by_year().at[2027, "closing_without"] == 0.5e6


def test_every_figure_that_cannot_be_right_is_told_at_once(projection: Projection) -> None:
    with pytest.raises(SchemeError) as error:
        own_case(
            council="Kent",
            deficit=130,
            ineligible={"equal pay": -1e6, "early years": float("nan")},
            forecast={2026: -1e6},
            rate=4.05,
            projection=projection,
        )
    message = str(error.value)
    assert "deficit, the council's figures: found £130; give pounds, not thousands or millions" in message
    assert "ineligible, equal pay: found −£1.0m, expected £ of 0 or more" in message
    assert "ineligible, early years: found nan" in message
    assert "forecast, 2026: expected a year from 2027 to 2035" in message
    assert "rate: found 4.05, expected 0 to 0.2 a year; 4.05% is 0.0405" in message


def test_a_council_or_scheme_that_is_not_known_is_refused_with_the_closest(projection: Projection) -> None:
    with pytest.raises(SchemeError, match="did you mean 'Kent'"):
        own_case(council="Knt", deficit=1e6, projection=projection)
    with pytest.raises(SchemeError, match="did you mean 'high-needs-stability-grant'"):
        own_case(council="Kent", deficit=1e6, scheme="high-need-stability-grant", projection=projection)
    with pytest.raises(SchemeError, match="0 where the council is in surplus"):
        own_case(council="Kent", deficit=-5e6, projection=projection)
