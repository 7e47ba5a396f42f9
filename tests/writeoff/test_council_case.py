"""Rules of a council's own case: its figures, what a scheme pays on them, and the working."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

import deficits as d
from deficits.errors import SchemeError
from deficits.projection import Projection
from deficits.writeoff import Inputs, scheme_names
from deficits.writeoff.council_case import FORECAST, CouncilCase, council_case
from tests.writeoff.examples import scheme


@pytest.fixture(scope="module")
def cheshire(projection: Projection) -> CouncilCase:
    return council_case(
        council="Cheshire East",
        deficit=144.4e6,
        ineligible={"equal pay": 0.4e6},
        forecast={2027: -190e6, 2028: -240e6},
        until=2028,
        projection=projection,
    )


def amounts(case: CouncilCase) -> dict[str, float]:
    """The working by line; where a line stands in several years, its last."""
    return dict(case.working()[["line", "amount"]].itertuples(index=False, name=None))


def test_a_case_worked_by_hand(cheshire: CouncilCase) -> None:
    assert cheshire.grant == pytest.approx(0.9 * 144.0e6)
    assert cheshire.left == pytest.approx(14.8e6)
    years = cheshire.by_year()
    assert years["closing"].tolist() == pytest.approx([-190e6 + 129.6e6, -240e6 + 129.6e6])
    # Half a year's interest on the grant, then a whole one.
    assert years["saved"].tolist() == pytest.approx([129.6e6 * 0.0405 / 2, 129.6e6 * 0.0405])
    assert years.at[2027, "interest_without"] == pytest.approx(0.0405 * (144.4e6 + 190e6) / 2)
    assert (years["basis"] == FORECAST).all()


def test_cheshire_easts_published_savings_are_near(cheshire: CouncilCase) -> None:
    # £2.723m, then £5.265m, on a grant of about £130m.
    assert cheshire.by_year()["saved"].tolist() == pytest.approx([2.723e6, 5.265e6], rel=0.04)


def test_the_working_adds_up(cheshire: CouncilCase) -> None:
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


def test_every_line_says_what_it_follows_from(cheshire: CouncilCase) -> None:
    working = cheshire.working()
    assert (working["rule"].str.len() > 3).all()
    of_scheme = working[working["rule"].str.startswith("High Needs Stability Grant")]
    assert of_scheme["source"].str.startswith("https://www.gov.uk/").all()
    assert working.set_index("line").at["Less equal pay", "rule"] == "your figure"


def test_the_lowest_of_the_sources_counts_where_the_scheme_says_so(projection: Projection) -> None:
    given = {"section 251": 100e6, "accounts": 96e6}
    assert council_case(council="Kent", deficit=given, projection=projection).deficit == 96e6
    first = council_case(council="Kent", deficit=given, scheme="flat-share", projection=projection)
    assert first.deficit == 100e6
    assert {"Deficit in section 251", "Deficit in accounts"} <= set(first.working()["line"])


@pytest.mark.parametrize(
    ("deficit", "items", "grant"),
    [(0.0, {}, 0.0), (1e6, {"early years": 2e6}, 0.0), (2e6, {"early years": 0.5e6}, 0.9 * 1.5e6)],
)
def test_more_ineligible_than_deficit_pays_nothing(
    projection: Projection, deficit: float, items: dict[str, float], grant: float
) -> None:
    case = council_case(council="Kent", deficit=deficit, ineligible=items, projection=projection)
    assert case.grant == pytest.approx(grant)
    assert case.left == pytest.approx(deficit - grant)
    eligible = case.working().query("step == 'eligible'")["amount"].tolist()
    assert deficit + sum(eligible[:-1]) == pytest.approx(eligible[-1])


def test_years_without_an_own_forecast_follow_the_projections_changes(projection: Projection) -> None:
    case = council_case(council="Kent", deficit=150e6, forecast={2027: -200e6}, projection=projection)
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
        council_case(
            council="Kent", deficit=100e6, forecast={2027: -100e6, 2028: -100e6}, rate=rate, projection=projection
        )
        for rate in (None, 0.0605)
    )
    assert one.by_year().at[2028, "saved"] == pytest.approx(0.0405 * 90e6)
    assert other.by_year().at[2028, "saved"] == pytest.approx(0.0605 * 90e6)


def test_a_cap_is_told_as_a_step_of_its_own(projection: Projection) -> None:
    capped = scheme(cap={"pounds": 50e6, "pupils": 100})
    case = council_case(council="Kent", deficit=100e6, scheme=capped, projection=projection)
    pupils = Inputs(projection).size("pupils", 2026)[Inputs(projection).codes.get_loc("886"), 0]
    assert case.grant == pytest.approx(100 * pupils)
    lines = case.working().query("step == 'grant'")
    assert lines["line"].str.startswith("Cut to the cap").sum() == 2
    assert lines["amount"].iloc[:-1].sum() == pytest.approx(lines["amount"].iloc[-1])


def test_a_national_budget_is_shared_with_the_other_councils_as_projected(projection: Projection) -> None:
    case = council_case(council="Dorset", deficit=120e6, scheme="equal-per-pupil", projection=projection)
    assert 0 < case.grant < 120e6
    assert case.working()["line"].str.startswith("Cut to the national budget of £5.0bn").any()


def test_money_by_plan_is_shared_out_on_projected_plans_where_none_are_published_yet() -> None:
    earlier = d.project(d.load_panel("2025-09-17"), until=2030, draws=100)
    case = council_case(council="Dorset", deficit=120e6, scheme="equal-per-plan", projection=earlier, accept=True)
    assert 0 < case.grant < 120e6


def test_a_chance_of_approval_is_told_and_the_grant_is_that_of_an_approved_plan(projection: Projection) -> None:
    unsure = scheme(approval={"probability": 0.7, "late": 0.5, "delay": 1})
    case = council_case(council="Kent", deficit=100e6, scheme=unsure, projection=projection)
    assert case.grant == pytest.approx(90e6)
    assert "Grant, if the plan is approved (chance 70%)" in set(case.working()["line"])
    assert "chance 70%" in str(case)


def test_a_council_that_had_instalments_is_paid_less_where_they_go_on(projection: Projection) -> None:
    name = "high-needs-stability-grant-safety-valve-continues"
    case = council_case(council="Devon", deficit=160e6, scheme=name, projection=projection)
    agreed = Inputs(projection).agreed_after(2026)[Inputs(projection).codes.get_loc(case.code), 0]
    assert agreed > 0
    assert case.grant == pytest.approx(0.9 * (160e6 - agreed))
    assert amounts(case)["Less agreed instalments still to come"] == pytest.approx(-agreed)


@pytest.mark.parametrize("name", [name for name in scheme_names() if d.Scheme.read(name).base_year >= 2025])
def test_every_shipped_scheme_has_a_working_that_adds_up(projection: Projection, name: str) -> None:
    case = council_case(
        council="Bristol", deficit=90e6, ineligible={"equal pay": 1e6}, scheme=name, projection=projection
    )
    working = case.working()
    assert working["amount"].notna().all()
    assert 0 <= case.grant <= 90e6
    for _, step in working[working["step"].str.match(r"\d{4}-\d{2}")].groupby("step"):
        assert step["amount"].iloc[:-1].sum() == pytest.approx(step["amount"].iloc[-1], abs=1)
    assert not [line for line in case.lines() if "nan" in line or "not available" in line]


def test_an_amount_far_from_public_figures_is_asked_about_and_the_public_ones_are_told(
    projection: Projection,
) -> None:
    low, high = np.quantile(projection.balance.sel(authority="886", year=2026), (0.1, 0.9))
    with pytest.raises(SchemeError, match=r"found a deficit of £1.5bn; public figures say a deficit of"):
        council_case(council="Kent", deficit=1500e6, projection=projection)
    with pytest.raises(SchemeError, match=r"forecast, 2027: found a deficit of £2.8bn"):
        council_case(council="Kent", deficit=150e6, forecast={2027: -2.8e9}, projection=projection)
    case = council_case(council="Kent", deficit=1500e6, projection=projection, accept=True)
    assert case.deficit == 1500e6
    assert case.public == (low, high)
    assert any("estimate from public figures for 31 March 2026" in line for line in case.lines())


def test_a_slip_of_unit_or_sign_is_refused_and_can_be_accepted(projection: Projection) -> None:
    def kent(**given: object) -> CouncilCase:
        return council_case(**{"council": "Kent", "deficit": 150e6, "projection": projection, **given})  # type: ignore[arg-type]

    with pytest.raises(SchemeError, match=r"found £150,000; in £000 it would be £150.0m"):
        kent(deficit=150_000)
    with pytest.raises(SchemeError, match=r"forecast, 2027: found £280.0m, a surplus, .* is below 0: −£280.0m"):
        kent(forecast={2027: 280e6})
    with pytest.raises(SchemeError, match=r"forecast, 2027: found −£280,000; in £000 it would be −£280.0m"):
        kent(forecast={2027: -280e3})
    assert kent(deficit=150_000, accept=True).deficit == 150_000
    camden = projection.balance.sel(authority="202")
    grows = -float((camden.sel(year=2027) - camden.sel(year=2026)).median())
    if grows > 0:
        with pytest.raises(SchemeError, match="a surplus"):
            kent(council="Camden", deficit=5e6, forecast={2027: 5e6 + grows})


def test_the_account_runs_to_2029_30_and_has_both_sides(projection: Projection) -> None:
    case = council_case(council="Kent", deficit=150e6, projection=projection)
    table = case.side_by_side()
    assert list(table) == ["2026-27", "2027-28", "2028-29", "2029-30"]
    apart = (
        table.loc["Balance at the year's end, with it"]
        - table.loc["Balance at the year's end, without the scheme"]
    )
    assert np.allclose(apart, case.grant)
    assert (table.loc["  1 in 10 below"] < table.loc["  1 in 10 above"]).all()


def test_the_overrides_end_is_charged_and_reserves_run_down(projection: Projection) -> None:
    terms = {"reserves": 300e6, "minimum": 20e6, "forecast": {2027: -200e6, 2028: -250e6}}
    case = council_case(council="Kent", deficit=150e6, projection=projection, **terms)
    years = case.by_year()
    assert years.at[2029, "charge"] == pytest.approx(250e6 - case.grant)
    assert years.at[2029, "charge_without"] == pytest.approx(250e6)
    assert (years["charge"].drop(2029) == 0).all()
    spent = (years["general_fund"] + years["charge"]).cumsum()
    assert np.allclose(years["reserves"], 300e6 - spent)
    end = case.working().query("step == 'override ends, 31 March 2028'")["amount"].tolist()
    assert sum(end[:-1]) == pytest.approx(end[-1])


def test_cover_that_is_owed_does_not_fall_on_the_council(projection: Projection) -> None:
    covered = scheme(share=1.0, cover={"shares": {2027: 1.0, 2028: 1.0}})
    case = council_case(
        council="Kent", deficit=150e6, forecast={2027: -200e6, 2028: -250e6}, scheme=covered, projection=projection
    )
    assert case.falls_on_council() == pytest.approx(0)
    assert case.falls_on_council(with_scheme=False) == pytest.approx(250e6)


def test_unpublished_reserves_are_not_known_and_never_nought(projection: Projection) -> None:
    case = council_case(council="Birmingham", deficit=60e6, projection=projection, accept=True)
    assert case.by_year()["reserves"].isna().all()
    assert "not published" in str(case)
    own = council_case(council="Birmingham", deficit=60e6, projection=projection, accept=True, reserves=100e6)
    assert own.by_year()["reserves"].notna().all()


def test_a_plan_refused_late_or_paid_on_a_day(projection: Projection) -> None:
    def kent(**terms: object) -> CouncilCase:
        flat = {"deficit": 100e6, "forecast": dict.fromkeys((2027, 2028), -100000000.0), "until": 2028}
        return council_case(council="Kent", projection=projection, **flat, **terms)  # type: ignore[arg-type]

    assert kent(refused=True).grant == 0
    assert (kent(refused=True).by_year()["saved"] == 0).all()
    assert kent(late=1).by_year().at[2027, "saved"] == 0
    assert kent(late=1).by_year().at[2028, "saved"] == pytest.approx(0.0405 * 45e6)
    on_the_day = kent(paid_on=date(2027, 3, 31)).by_year()
    assert on_the_day.at[2027, "saved"] == pytest.approx(0.0405 * 90e6 / 365)
    rates = kent(rate={2028: 0.05}).by_year()
    assert rates.at[2028, "saved"] == pytest.approx(0.05 * 90e6)
    assert rates.at[2027, "saved"] == pytest.approx(0.0405 * 45e6)


def test_contributions_come_off_the_deficit_and_out_of_the_general_fund(projection: Projection) -> None:
    given = {"deficit": 100e6, "forecast": {2027: -100e6, 2028: -100e6}, "until": 2028, "rate": 0.0}
    years = council_case(council="Kent", projection=projection, contributions={2027: 2e6}, **given).by_year()
    assert years["closing_without"].tolist() == pytest.approx([-98e6, -98e6])
    assert years["general_fund"].tolist() == pytest.approx([2e6, 0])
    assert years["in_year"].tolist() == pytest.approx([0, 0])


def test_what_is_left_can_be_met_at_once_or_over_years(projection: Projection) -> None:
    case = council_case(council="Kent", deficit=100e6, projection=projection, spread=10)
    ways = case.ways_to_meet_left()
    assert ways["total"].iloc[0] == pytest.approx(10e6)
    assert ways["yearly"].iloc[1] == pytest.approx(10e6 * 0.0481 / (1 - 1.0481**-10))
    assert ways["total"].iloc[2] == pytest.approx(10e6 + 0.0405 * sum(1e6 * left for left in range(1, 11)))
    assert np.allclose(ways["total"] - ways["interest"], 10e6)


def test_new_councils_take_their_parts_and_are_pointed_to_the_old_one(projection: Projection) -> None:
    parts = council_case(council="Surrey", deficit=200e6, projection=projection, accept=True).successors()
    assert parts["grant"].sum() == pytest.approx(180e6)
    with pytest.raises(SchemeError, match="East Surrey takes over from Surrey on 2027-04-01"):
        council_case(council="East Surrey", deficit=100e6, projection=projection)


def test_a_surplus_starts_the_path_above_nought(projection: Projection) -> None:
    case = council_case(council="Kent", deficit=0, surplus=4e6, projection=projection, accept=True)
    assert case.by_year().at[2027, "opening"] == 4e6
    assert case.grant == 0


def test_sources_are_reconciled(projection: Projection) -> None:
    case = council_case(council="Kent", deficit={"section 251": 100e6, "accounts": 96e6}, projection=projection)
    assert amounts(case)["section 251 above the figure that counts"] == 4e6


def test_the_case_as_a_spreadsheet(projection: Projection, tmp_path: Path) -> None:
    case = council_case(council="Kent", deficit=150e6, projection=projection)
    case.to_excel(tmp_path / "case.xlsx")
    book = CalamineWorkbook.from_path(str(tmp_path / "case.xlsx"))
    rows = book.get_sheet_by_name("By year (£000)").to_python()
    assert rows[0][1:] == ["2026-27", "2027-28", "2028-29", "2029-30"]
    assert rows[1][1] == pytest.approx(case.by_year().at[2027, "closing_without"] / 1000, abs=0.1)


def test_every_figure_that_cannot_be_right_is_told_at_once(projection: Projection) -> None:
    with pytest.raises(SchemeError) as error:
        council_case(
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
    assert "financing rate: found 4.05, expected a share a year from 0 to 0.2; 4.05% is 0.0405" in message


def test_a_surplus_and_a_deficit_are_not_netted(projection: Projection) -> None:
    with pytest.raises(SchemeError, match=r"surplus: found £5.0m besides a deficit"):
        council_case(council="Kent", deficit=144e6, surplus=5e6, projection=projection)


def test_a_council_or_scheme_that_is_not_known_is_refused_with_the_closest(projection: Projection) -> None:
    with pytest.raises(SchemeError, match="did you mean 'Kent'"):
        council_case(council="Knt", deficit=1e6, projection=projection)
    with pytest.raises(SchemeError, match="did you mean 'high-needs-stability-grant'"):
        council_case(council="Kent", deficit=1e6, scheme="high-need-stability-grant", projection=projection)
    with pytest.raises(SchemeError, match="0 for a surplus"):
        council_case(council="Kent", deficit=-5e6, projection=projection)
