"""The arithmetic: every pound has one place, for any scheme and any balances."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import deficits as d
from deficits.projection import Projection
from deficits.writeoff import Inputs
from deficits.writeoff.ledger import RAISES
from deficits.writeoff.scheme import Scheme
from tests.writeoff.examples import scheme, with_balances, with_draws

YEARS = list(range(2024, 2032))
SHARES = st.floats(0, 1)
CONDITIONS = st.one_of(
    st.builds(lambda than: {"kind": "deficit_above", "than": than}, st.floats(0, 2e8)),
    st.builds(lambda than: {"kind": "deficit_above", "of": "dsg", "than": than}, st.floats(0, 0.5)),
    st.builds(lambda holds: {"kind": "council", "names": ["Camden"], "holds": holds}, st.booleans()),
)
BODIES = st.fixed_dictionaries(
    {"share": SHARES},
    optional={
        "ineligible": st.fixed_dictionaries({"share": SHARES, "reserves": st.floats(0, 1)}),
        "source": st.sampled_from(["projection", "lowest"]),
        "eligibility": st.lists(CONDITIONS, max_size=1),
        "cap": st.dictionaries(
            st.sampled_from(["dsg", "reserves", "pupils", "people_2_18", "plans"]), st.floats(0, 1e3)
        ),
        "budget": st.fixed_dictionaries(
            {
                "pounds": st.floats(0, 5e8),
                "allocation": st.sampled_from(
                    ["pro_rata", "pupils", "people_2_18", "plans", "largest_of_dsg", "largest_of_reserves"]
                ),
            }
        ),
        "part_of_year": SHARES,
        "instalments": st.sampled_from([(1.0,), (0.5, 0.5), (0.25, 0.25, 0.5)]),
        "approval": st.fixed_dictionaries({"probability": SHARES, "late": SHARES, "delay": st.just(1)}),
        "match_funding": st.floats(0, 3),
        "cover": st.fixed_dictionaries(
            {"shares": st.dictionaries(st.sampled_from([2027, 2028]), SHARES, min_size=1)},
            optional={"growth_limit": st.floats(0, 0.2), "paid_after": st.sampled_from([0, 1, 2])},
        ),
        "repayment": st.fixed_dictionaries(
            {
                "years": st.integers(1, 20),
                "rate": st.floats(0, 0.1),
                "borne_by": st.sampled_from(["general_fund", "dsg"]),
            }
        ),
        "interest_borne_by": st.sampled_from(["general_fund", "dsg"]),
        "payer": st.sampled_from(["treasury", "schools_budget"]),
        "clawback": st.fixed_dictionaries({"share": SHARES, "year": st.just(2030), "growth": st.floats(0, 0.3)}),
        "safety_valve": st.sampled_from(["as_projected", "stop", "continue"]),
    },
)
# Whole pence: what is far below a penny has no place in an account.
PANELS = npst.arrays(
    float, (2, 5, len(YEARS)), elements=st.integers(-30_000_000_000, 10_000_000_000).map(lambda pence: pence / 100)
)


@settings(max_examples=150)
@given(body=BODIES, values=PANELS, more=st.booleans())
def test_the_account_adds_up_in_every_cell_no_write_off_creates_a_surplus_and_a_budget_is_kept(
    projection: Projection, body: dict, values: np.ndarray, more: bool
) -> None:
    some = with_draws(projection, values, YEARS)
    declared = scheme(**body)
    result = d.write_off(some, declared)
    assert bool((result.grant >= 0).all())
    assert bool((result.grant <= result.base_deficit + 1e-6).all())
    surplus = some.balance.sel(year=2026) >= 0
    assert not result.grant.values[surplus.values].any()
    if declared.budget:
        spent = result.total("write_off", "cover").sum(axis=0)
        assert float(spent.max()) <= declared.budget.pounds * (1 + 1e-12) + 1e-3
    if more and declared.safety_valve != "continue":
        result = d.write_off(some, declared + scheme(share=0.3, base_year=2027, paid_in=2028))
    ledger = result.ledger
    closing = ledger["opening"] + ledger["in_year"] - ledger["charged"]
    for kind, sign in RAISES.items():
        closing = closing + sign * ledger[kind]
    assert np.allclose(closing, ledger["closing"], rtol=0, atol=1e-3)
    assert np.array_equal(ledger["opening"].values[..., 1:], ledger["closing"].values[..., :-1])
    for name in (*RAISES, "interest", "charged"):
        assert bool((ledger[name] >= 0).all()), name


@settings(max_examples=60)
@given(values=PANELS, shares=st.tuples(SHARES, SHARES), body=BODIES)
def test_a_larger_share_never_leaves_a_larger_deficit(
    projection: Projection, values: np.ndarray, shares: tuple[float, float], body: dict
) -> None:
    some = with_draws(projection, values, YEARS)
    # A larger share of a fixed budget takes from one council for another, and a levy or loan takes back.
    kept = {
        key: body[key]
        for key in ("ineligible", "source", "eligibility", "cap", "approval", "cover")
        if key in body
    }
    less, more = (d.write_off(some, scheme(**kept | {"share": share})) for share in sorted(shares))
    last = {"year": YEARS[-1]}
    assert bool((more.left <= less.left + 1e-3).all())
    assert bool((more.balance.sel(last) >= less.balance.sel(last) - 1e-3).all())


@settings(max_examples=60)
@given(values=PANELS, order=st.permutations(range(5)), body=BODIES)
def test_the_order_of_councils_does_not_matter(
    projection: Projection, values: np.ndarray, order: list[int], body: dict
) -> None:
    some = with_draws(projection, values, YEARS)
    turned = dataclasses.replace(some, simulations=some.simulations.isel(authority=order))
    declared = scheme(**body)
    straight, other = d.write_off(some, declared).balance, d.write_off(turned, declared).balance
    assert np.allclose(other.values, straight.isel(authority=order).values, rtol=1e-12, atol=1e-3)


@pytest.mark.parametrize(
    "body",
    [{"share": 0}, {"share": 1, "budget": {"pounds": 0}}, {"approval": {"probability": 0}}, {"cap": {"dsg": 0}}],
)
def test_a_scheme_that_gives_nothing_is_the_projection_draw_by_draw(
    projection: Projection, body: dict[str, Any]
) -> None:
    result = d.write_off(projection, scheme(**body))
    assert np.array_equal(result.balance.values, projection.balance.values)
    assert (result.years_until_back() == 0).all()


def test_money_from_the_schools_budget_is_only_moved(projection: Projection) -> None:
    moved = d.write_off(projection, scheme(payer="schools_budget"))
    before, after = projection.balance.sum("authority"), moved.balance.sum("authority")
    assert np.allclose(before, after, rtol=0, atol=1e-3)
    assert float(moved.exchequer().loc[("cash", "net"), "mean"]) == pytest.approx(
        float(d.write_off(projection, scheme(share=0)).exchequer().loc[("cash", "net"), "mean"]), abs=1
    )


def test_one_draw_of_approval_decides_for_every_scheme(projection: Projection) -> None:
    likely, unlikely = (
        d.write_off(projection, scheme(approval={"probability": chance})).grant > 0 for chance in (0.8, 0.4)
    )
    assert not bool((unlikely & ~likely).any())
    in_deficit = projection.balance.sel(year=2026) < 0
    assert float((likely & in_deficit).sum() / in_deficit.sum()) == pytest.approx(0.8, abs=0.01)
    again = d.write_off(projection, scheme(share=0.5, approval={"probability": 0.8})).grant > 0
    assert bool((again == likely).all())


def test_an_approval_draw_belongs_to_its_council(projection: Projection) -> None:
    fewer = dataclasses.replace(projection, simulations=projection.simulations.isel(authority=[5, 9]))
    assert np.array_equal(Inputs(fewer).chance, Inputs(projection).chance[[5, 9]])


def test_a_late_approval_is_paid_a_year_later(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-100e6], 2027: [-110e6], 2028: [-120e6], 2029: [-130e6]})
    late = d.write_off(some, scheme(approval={"late": 1, "delay": 1}))
    assert late.balance.values.ravel() == pytest.approx([-100e6, -110e6, -30e6, -40e6])
    assert late.grant.item() == pytest.approx(90e6)


def test_instalments_come_year_by_year(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-100e6], 2027: [-110e6], 2028: [-120e6], 2029: [-130e6]})
    result = d.write_off(some, scheme(instalments=[0.5, 0.25, 0.25]))
    assert result.balance.values.ravel() == pytest.approx([-100e6, -65e6, -52.5e6, -40e6])


def test_cover_is_of_the_growth_of_each_year_once_it_is_known(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-100e6], 2027: [-110e6], 2028: [-130e6], 2029: [-130e6]})
    result = d.write_off(some, scheme(cover={"shares": {2027: 0.5, 2028: 1}}))
    # £90m in 2026-27; half of £10m in 2027-28; all of £20m in 2028-29.
    assert result.balance.values.ravel() == pytest.approx([-100e6, -20e6, -35e6, -15e6])
    assert result.total("cover").item() == pytest.approx(25e6)


def test_cover_starts_where_a_surplus_ends(projection: Projection) -> None:
    some = with_balances(projection, {2026: [5e6], 2027: [-10e6], 2028: [-10e6]})
    assert d.write_off(some, scheme(cover={"shares": {2027: 1}})).total("cover").item() == pytest.approx(10e6)


def test_a_council_matches_the_grant_up_to_its_deficit(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-100e6], 2027: [-100e6]})
    ledger = d.write_off(some, scheme(share=0.5, match_funding=0.4)).ledger
    assert ledger["contribution"].item() == pytest.approx(20e6)
    assert ledger["closing"].item() == pytest.approx(-30e6)
    assert d.write_off(some, scheme(share=0.9, match_funding=1)).ledger["contribution"].item() == pytest.approx(
        10e6
    )


def test_a_loan_is_repaid_with_interest_by_the_general_fund(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-100e6], 2027: [-100e6], 2028: [-100e6], 2029: [-100e6]})
    ledger = d.write_off(some, scheme(share=1, repayment={"years": 2, "rate": 0.1})).ledger
    # £100m over two years at 10%: £57.619m a year.
    assert ledger["repayment"].values.ravel() == pytest.approx([0, 57.619e6, 57.619e6], abs=1e3)
    assert ledger["closing"].values.ravel() == pytest.approx([0, 0, 0])
    on_dsg = d.write_off(some, scheme(share=1, repayment={"years": 2, "rate": 0, "borne_by": "dsg"}))
    assert on_dsg.balance.values.ravel() == pytest.approx([-100e6, 0, -50e6, -100e6])


def test_grant_is_taken_back_where_the_deficit_grew_more_than_agreed(projection: Projection) -> None:
    dsg = Inputs(projection).size("dsg", 2026)[1, 0]
    grown = {2026: [0, -50e6], 2027: [0, -50e6], 2028: [0, -50e6 - 0.11 * dsg], 2029: [0, -50e6 - 0.11 * dsg]}
    rule = {"share": 0.5, "year": 2028, "growth": 0.1}
    result = d.write_off(with_balances(projection, grown), scheme(clawback=rule))
    assert result.ledger["clawback"].values.ravel().tolist() == pytest.approx([0, 0, 0, 0, 0, 22.5e6])
    kept = d.write_off(with_balances(projection, grown), scheme(clawback=rule | {"growth": 0.12}))
    assert not kept.ledger["clawback"].values.any()


def test_interest_is_on_the_average_deficit_and_falls_on_the_general_fund(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-100e6], 2027: [-140e6], 2028: [-140e6]})
    result = d.write_off(some, scheme(part_of_year=0.75))
    interest = result.ledger["interest"].values.ravel()
    # £120m on average, less £90m for a quarter of the year; then £50m all year.
    assert interest == pytest.approx([0.0405 * 97.5e6, 0.0405 * 50e6])
    assert result.balance.values.ravel() == pytest.approx([-100e6, -50e6, -50e6])


def test_interest_on_the_dsg_makes_the_deficit_grow(projection: Projection) -> None:
    some = with_balances(projection, {2025: [-100e6], 2026: [-100e6], 2027: [-100e6], 2028: [-100e6]})
    result = d.write_off(some, scheme(share=0, interest_borne_by="dsg"))
    first = 0.0405 * 100e6
    second = 0.0405 * (100e6 + first)
    assert result.balance.values.ravel() == pytest.approx(
        [-100e6, -100e6, -100e6 - first, -100e6 - first - second]
    )


def test_cheshire_east_saves_the_interest_that_it_published(projection: Projection) -> None:
    # £2.723m in 2026-27 and £5.265m in 2027-28 on a grant of about £130m: 4.05%, and 51.7% of the first year.
    place = list(projection.fit.councils.index).index("895")
    balances = np.zeros((1, place + 1, 3))
    balances[0, place] = [-130e6 / 0.9, -180e6, -230e6]
    some = with_draws(projection, balances, [2026, 2027, 2028])
    saved = d.write_off(some, scheme(part_of_year=1 - 2.723 / 5.265)).interest("Cheshire East")["saved_p50"]
    assert saved.tolist() == pytest.approx([2.723e6, 5.265e6], abs=500)


def test_safety_valve_instalments_stop_or_go_on(projection: Projection) -> None:
    agreed = Inputs(projection).agreed_after(2026).ravel()
    name = projection.fit.councils["name"].iloc[int(agreed.argmax())]
    stopped, goes_on = (d.write_off(projection, scheme(safety_valve=variant)) for variant in ("stop", "continue"))
    code = projection.code(name)
    assert np.array_equal(stopped.balance.values, d.write_off(projection, scheme()).balance.values)
    to_come = Inputs(projection).agreed.loc[code]
    to_come = to_come[to_come.index > 2026]
    deficit = goes_on.base_deficit.sel(authority=code)
    expected = 0.9 * (deficit - to_come.sum()).clip(min=0)
    assert goes_on.grant.sel(authority=code).values == pytest.approx(expected.values)
    received = goes_on.ledger["safety_valve"].sel(authority=code, draw=0).to_series()
    for year in range(2027, 2032):
        assert received[year] == pytest.approx(to_come.get(year, 0.0))
    assert not stopped.ledger["safety_valve"].sel(year=slice(2027, None)).values.any()


def test_instalments_in_the_projection_can_be_stopped(panel: d.load_panel) -> None:
    agreed = d.project(panel, d.Assumptions(safety_valve_payments="as_agreed"), until=2029, draws=100, seed=1)
    result = d.write_off(agreed, scheme(share=0, safety_valve="stop"))
    less = agreed.simulations["safety_valve_payments"].sel(year=slice(2027, None)).sum()
    difference = (agreed.balance - result.balance).sel(year=2029).sum("authority")
    assert difference.values == pytest.approx(float(less))
    assert float(less) > 0


def test_dates_outside_the_projection_are_refused(projection: Projection) -> None:
    with pytest.raises(d.writeoff.scheme.SchemeError, match="the last payment of cover 2032"):
        d.write_off(projection, scheme(cover={"shares": {2031: 0.5}}))


def test_a_scheme_is_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        scheme().share = 0.5
    assert isinstance(scheme() + scheme(), Scheme)
