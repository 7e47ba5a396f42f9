"""What a scheme does to councils, regions, England and the Exchequer."""

import numpy as np
import pandas as pd
import pytest

import deficits as d
from deficits.errors import SchemeError
from deficits.paths import schemes_dir
from deficits.projection import Projection, national
from deficits.writeoff import STPR, Inputs, WriteOff, at_cost_of, scheme_names
from deficits.writeoff.distribution import gini
from tests.writeoff.examples import scheme, with_balances
from tests.writeoff.expected import DECIMALS, result_of


@pytest.fixture(scope="module")
def grant(projection: Projection) -> WriteOff:
    return d.write_off(projection, d.Scheme.read("high-needs-stability-grant"))


@pytest.mark.parametrize("name", scheme_names())
def test_each_shipped_scheme_has_its_expected_result_beside_it(name: str) -> None:
    assert not unlike(name, result_of(name))


def test_a_slip_in_a_term_is_more_than_rounding_hides() -> None:
    """A ten-thousandth of the share, and a budget of £5.0002bn."""
    for name, term in {"flat-share": {"share": 0.5001}, "pro-rata-5bn": {"budget.pounds": 5.0002e9}}.items():
        assert {"grant", "deficit_with"} <= unlike(name, result_of(name, **term))


def unlike(name: str, found: pd.DataFrame) -> set[str]:
    """Measures that differ from the stored ones by more than rounding takes away (£50,000 of amounts)."""
    expected = pd.read_csv(schemes_dir() / f"{name}.expected.csv", index_col="measure")
    labels = ["year", "unit"]
    pd.testing.assert_frame_equal(found[labels], expected[labels])
    values, stored = found.drop(columns=labels), expected.drop(columns=labels)
    within = 0.51 * 10.0 ** -found["unit"].map(DECIMALS)
    alike = values.eq(stored) | values.isna() & stored.isna() | values.sub(stored).abs().le(within, axis=0)
    return set(found.index[~alike.all(axis=1)])


def test_the_deficit_at_the_base_date_is_unchanged_by_a_grant_paid_later(grant: WriteOff) -> None:
    before = slice(2024, 2026)
    assert np.array_equal(grant.balance.sel(year=before).values, grant.projection.balance.sel(year=before).values)


def test_what_is_paid_and_what_is_left_make_up_the_deficit(grant: WriteOff) -> None:
    assert (grant.grant + grant.left).values == pytest.approx(grant.base_deficit.values, abs=1e-6)


@pytest.mark.parametrize("table", ["by_region", "by_type"])
def test_groups_sum_to_england(grant: WriteOff, table: str) -> None:
    means = getattr(grant, table)()[["grant_mean", "left_mean"]]
    assert len(means) == {"by_region": 10, "by_type": 5}[table]
    assert means.drop("England").sum().to_numpy() == pytest.approx(means.loc["England"].to_numpy())


def test_councils_sum_to_england_in_every_draw(grant: WriteOff) -> None:
    by_council = (-grant.balance).clip(min=0)
    assert np.allclose(by_council.sum("authority").values, national(grant.balance, "gross").values)
    assert len(grant.by_authority()) == 153


def test_grants_are_told_per_pupil_per_plan_and_as_a_share_of_the_dsg(grant: WriteOff) -> None:
    plain = grant.by_authority()["grant_p50"]
    for per, size in [("pupil", "pupils"), ("person_2_18", "people_2_18"), ("plan", "plans"), ("dsg", "dsg")]:
        told = grant.by_authority(per=per)["grant_p50"]
        number = pd.Series(Inputs(grant.projection).size(size, 2026).ravel(), index=plain.index)
        assert (told * number).dropna().to_numpy() == pytest.approx(plain[told.notna()].to_numpy())
    england = grant.by_region(per="pupil").at["England", "grant_mean"]
    assert 100 < england < 2000


def test_the_published_arithmetic_of_the_grant_comes_out(projection: Projection) -> None:
    # OBR-based figures in the press: £5.4bn at March 2026 and £8.6bn accruing over two years to £14bn; 90% is
    # about £4.9bn, about £0.5bn stays, about £9.1bn stands at March 2028, and the deficit is back after 1.1 years.
    published = with_balances(projection, {2026: [-5.4e9], 2027: [-9.7e9], 2028: [-14e9]})
    summary = d.write_off(published, d.Scheme.read("high-needs-stability-grant")).summary()
    assert summary.at["grant", "p50"] == pytest.approx(4.86e9)
    assert summary.at["left", "p50"] == pytest.approx(0.54e9)
    assert summary.query("year == 2028").at["deficit_with", "p50"] == pytest.approx(9.14e9)
    assert summary.at["years_bought", "p50"] == pytest.approx(1.13, abs=0.01)


def test_a_deficit_that_is_never_back_is_said_so(projection: Projection) -> None:
    improving = with_balances(projection, {2026: [-5e9], 2027: [-4e9], 2028: [-3e9]})
    result = d.write_off(improving, d.Scheme.read("high-needs-stability-grant"))
    assert result.summary().at["not_back", "mean"] == 1
    assert np.isinf(result.summary().at["years_bought", "p50"])
    assert result.back_by_authority()["never"].tolist() == [1.0]


def test_instalments_do_not_look_like_a_return(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-100e6], 2027: [-150e6], 2028: [-200e6], 2029: [-250e6]})
    at_once, by_parts = scheme(), scheme(instalments=[0.2, 0.4, 0.4])
    assert d.write_off(some, by_parts).years_until_back() == pytest.approx(
        d.write_off(some, at_once).years_until_back()
    )
    assert d.write_off(some, at_once).years_until_back() == pytest.approx([1.8])
    assert d.write_off(some, at_once).back_by_authority()["p50"].tolist() == pytest.approx([1.8])


def test_fewer_councils_are_above_their_reserves_with_a_grant(grant: WriteOff) -> None:
    counts = grant.above_reserves()
    assert (counts["with_p50"] <= counts["without_p50"]).all()
    assert counts.loc[2027, "with_p50"] < counts.loc[2027, "without_p50"]
    # Birmingham's and Westmorland and Furness's reserves are not published.
    assert counts["councils"].eq(151).all()


def test_who_cannot_balance_when_the_override_ends(grant: WriteOff) -> None:
    chances = grant.cannot_balance()
    unknown = chances["reserves"].isna()
    assert unknown.any()
    assert chances.loc[unknown, ["chance_with", "chance_without"]].isna().all(axis=None)
    assert (chances["chance_with"] <= chances["chance_without"])[~unknown].all()
    assert chances["chance_with"].sum() == pytest.approx(
        float((grant.deficit(2028) > Inputs(grant.projection).size("reserves", 2026)).sum(axis=0).mean())
    )
    with pytest.raises(SchemeError, match="override_ends 2035 is not in the projection"):
        d.write_off(grant.projection, scheme(override_ends=2035)).cannot_balance()


def test_a_quarters_delay_costs_a_quarter_of_a_years_interest_on_the_grant(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-100e6], 2027: [-150e6], 2028: [-200e6], 2029: [-250e6]})
    result = d.write_off(some, scheme())
    quarter, year = result.cost_of_delay(0.25)["mean"], result.cost_of_delay(1)["mean"]
    assert quarter["total"] == pytest.approx(0.25 * 0.0405 * 90e6)
    assert year["total"] == pytest.approx(0.0405 * 90e6)
    assert year[["2027", "2028"]].tolist() == pytest.approx([0.5 * 0.0405 * 90e6] * 2)
    with pytest.raises(SchemeError, match="expected a number from 0"):
        result.cost_of_delay(-1)


def test_the_exchequers_cost_in_cash_in_real_terms_and_discounted(grant: WriteOff) -> None:
    cost = grant.exchequer()["mean"]
    agreed = Inputs(grant.projection).agreed
    stopped = agreed.loc[:, [year for year in agreed if year > 2026]].to_numpy().sum()
    assert cost["cash", "instalments_stopped"] == pytest.approx(-stopped)
    assert cost["cash", "net"] == pytest.approx(cost["cash", "gross"] - stopped)
    assert cost["present", "gross"] == pytest.approx(cost["real", "gross"] / (1 + STPR))
    assert cost["real", "gross"] < cost["cash", "gross"]
    assert grant.exchequer(rate=0)["mean"]["present", "net"] == pytest.approx(cost["real", "net"])
    continues = d.write_off(grant.projection, d.Scheme.read("high-needs-stability-grant-safety-valve-continues"))
    assert continues.exchequer()["mean"]["cash", "instalments_stopped"] == 0


def test_a_loan_at_the_rate_of_discount_costs_nothing(projection: Projection) -> None:
    flat_prices = dataclasses_replace_prices(projection)
    loan = d.write_off(flat_prices, scheme(repayment={"years": 10, "rate": STPR}))
    assert loan.exchequer()["mean"]["present", "net"] == pytest.approx(
        d.write_off(flat_prices, scheme(share=0)).exchequer()["mean"]["present", "net"], abs=1
    )


def dataclasses_replace_prices(projection: Projection) -> Projection:
    """The projection with prices that stand still."""
    import dataclasses

    assumptions = projection.assumptions.model_copy(update={"long_run_prices": 0.0})
    panel = dataclasses.replace(projection.panel, prices=projection.panel.prices * 0)
    return dataclasses.replace(projection, panel=panel, assumptions=assumptions)


def test_the_gini_of_known_lists() -> None:
    alike, one_takes_all = np.full((4, 1), 7.0), np.array([[0.0], [0.0], [0.0], [5.0]])
    assert gini(alike).item() == pytest.approx(0)
    assert gini(one_takes_all).item() == pytest.approx(0.75)
    assert gini(np.array([[1.0], [2.0], [3.0]])).item() == pytest.approx(2 / 9)
    assert np.isnan(gini(np.zeros((3, 1)))).all()


def test_an_equal_amount_a_pupil_is_the_least_concentrated(grant: WriteOff) -> None:
    equal = d.write_off(grant.projection, d.Scheme.read("equal-per-pupil")).concentration()
    assert equal.at["gini", "p50"] < grant.concentration().at["gini", "p50"]


def test_against_a_scheme_of_equal_cost_gains_and_losses_cancel(grant: WriteOff) -> None:
    compared = grant.against(d.Scheme.read("equal-per-pupil"))
    assert compared["difference_mean"].sum() == pytest.approx(0, abs=20)
    assert compared["difference_mean"].is_monotonic_increasing
    loser, gainer = compared.iloc[0], compared.iloc[-1]
    assert loser["difference_mean"] < 0 < gainer["difference_mean"]
    assert loser["worse"] > 0.5 < gainer["better"]


@pytest.mark.parametrize("name", ["equal-per-plan", "capped-at-reserves", "tapered-by-dsg", "flat-share"])
def test_a_scheme_at_the_cost_of_another_costs_as_much(projection: Projection, name: str) -> None:
    grant = scheme(share=0.45)
    as_dear = at_cost_of(d.Scheme.read(name), grant, projection)
    cost = d.write_off(projection, grant).grant.sum("authority").mean()
    assert float(d.write_off(projection, as_dear).grant.sum("authority").mean()) == pytest.approx(
        float(cost), rel=1e-8
    )
    assert as_dear.title.endswith(f"at the same cost as {grant.title}")


def test_a_scheme_that_cannot_cost_as_much_is_refused(projection: Projection) -> None:
    one = scheme(eligibility=[{"kind": "council", "names": ["Kent"]}])
    with pytest.raises(SchemeError, match=r"pays £.* at most, less than the"):
        at_cost_of(one, scheme(), projection)


def test_help_so_far_adds_up_the_safety_valve_and_the_grant(grant: WriteOff) -> None:
    helped = grant.help_so_far()
    kent = helped[helped["name"] == "Kent"].iloc[0]
    assert kent["safety_valve"]
    assert kent["received"] > 56.8e6
    assert kent["together"] == pytest.approx(kent["received"] + kent["new"])
    never = helped[~helped["safety_valve"]]
    assert not never["received"].any()
    assert helped["together_per_person"].dropna().is_monotonic_decreasing


def test_cover_that_is_expected_costs_more_where_councils_respond(projection: Projection) -> None:
    tried = d.write_off(projection, d.Scheme.read("growth-covered")).moral_hazard()
    assert tried.index.tolist() == [0.0, 0.01, 0.02]
    assert tried["cover"].is_monotonic_increasing
    assert tried["cover"].iloc[2] > tried["cover"].iloc[0] + 200e6
    assert tried["deficit_with"].is_monotonic_increasing
    # The base date is past: nothing that councils do after it changes the write-off.
    assert tried["grant"].nunique() == 1


def test_successors_take_all_of_what_their_predecessor_has(grant: WriteOff) -> None:
    split = grant.by_successor().xs("936", level="authority")
    surrey = grant.by_authority().loc["936"]
    assert split["grant_p50"].sum() == pytest.approx(surrey["grant_p50"])
    assert split["share"].sum() == pytest.approx(1)


def test_a_scheme_outside_the_projection_is_refused(projection: Projection) -> None:
    with pytest.raises(SchemeError, match=r"paid_in 2034 .* runs from 2024 to 2031: project further"):
        d.write_off(projection, d.Scheme.read("flat-share", paid_in=2034))
