"""Who is paid how much, worked by hand from the published rules, to the pound."""

import numpy as np
import pytest

import deficits as d
from deficits.projection import Projection
from deficits.writeoff import Inputs
from tests.writeoff.examples import scheme, with_balances

# City of London, Camden, Greenwich, Hackney: the first four councils by DfE number.
BALANCES = {2026: [-1.0, 1.0, 0.0, -100e6], 2027: [-2.0, 1.0, 0.0, -150e6], 2028: [-3.0, 1.0, 0.0, -210e6]}


@pytest.fixture
def four(projection: Projection) -> Projection:
    return with_balances(projection, BALANCES)


def grants(declared: d.Scheme, projection: Projection) -> list[float]:
    return d.write_off(projection, declared).grant.values.ravel().tolist()


def test_a_surplus_gets_nothing_and_a_deficit_of_a_pound_gets_90p(four: Projection) -> None:
    assert grants(scheme(), four) == pytest.approx([0.9, 0.0, 0.0, 90e6], abs=1e-9)


def test_nothing_is_never_minus_nothing(four: Projection) -> None:
    result = d.write_off(four, scheme())
    for array in (result.grant, result.left, result.base_deficit, *result.ledger.data_vars.values()):
        assert not np.signbit(array.values[array.values == 0]).any()


def test_the_grant_takes_the_lowest_of_the_sources(four: Projection) -> None:
    # Hackney's returns of 31 March 2024 differ by £140: 90% of £99,999,860.
    assert grants(d.Scheme.read("high-needs-stability-grant"), four)[3] == pytest.approx(89_999_874)


def test_what_is_ineligible_comes_off_before_the_share(four: Projection) -> None:
    # 5% of £100m and £15m are left out: 90% of £80m.
    ineligible = {"share": 0.05, "councils": {"Hackney": 15e6}}
    assert grants(scheme(ineligible=ineligible), four) == pytest.approx([0.9 * 0.95, 0, 0, 72e6])


def test_more_ineligible_than_the_deficit_gets_nothing(four: Projection) -> None:
    assert grants(scheme(ineligible={"councils": {"Hackney": 100_000_001}}), four)[3] == 0


def test_the_cap_comes_after_the_share(four: Projection) -> None:
    # Before the share a cap of £80m would leave £72m; after it, £80m.
    assert grants(scheme(cap={"pounds": 80e6}), four)[3] == 80e6
    assert grants(scheme(cap={"pounds": 90_000_001}), four)[3] == pytest.approx(90e6)


def test_the_lowest_of_several_caps_applies(four: Projection) -> None:
    inputs = Inputs(four)
    pupils, grant = inputs.size("pupils", 2026)[3, 0], inputs.size("dsg", 2026)[3, 0]
    assert grants(scheme(cap={"pupils": 500, "dsg": 0.5}), four)[3] == pytest.approx(500 * pupils)
    assert grants(scheme(cap={"pupils": 5000, "dsg": 0.05}), four)[3] == pytest.approx(0.05 * grant)


def test_reserves_borne_first_are_the_published_ones(four: Projection) -> None:
    reserves = Inputs(four).size("reserves", 2026)[3, 0]
    assert reserves > 0
    part = 40e6 / reserves
    assert grants(scheme(share=1, ineligible={"reserves": part}), four)[3] == pytest.approx(60e6)


@pytest.mark.parametrize(
    "allocation", ["pro_rata", "pupils", "people_2_18", "plans", "largest_of_dsg", "largest_of_reserves"]
)
def test_a_budget_that_binds_is_spent_to_the_pound(projection: Projection, allocation: str) -> None:
    result = d.write_off(projection, scheme(share=1, budget={"pounds": 4e9, "allocation": allocation}))
    assert result.grant.sum("authority").values == pytest.approx(4e9, abs=1e-3)
    assert bool((result.grant <= result.base_deficit + 1e-6).all())


def test_a_budget_pro_rata_cuts_every_claim_alike(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-30e6, 0, -10e6, -60e6], 2027: [0, 0, 0, 0]})
    assert grants(scheme(budget={"pounds": 45e6}), some) == pytest.approx([13.5e6, 0, 4.5e6, 27e6])


def test_a_budget_a_pupil_gives_the_same_a_pupil_up_to_the_deficit(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-1e3, -50e6, -50e6, -50e6], 2027: [0, 0, 0, 0]})
    result = d.write_off(some, scheme(share=1, budget={"pounds": 30e6, "allocation": "pupils"}))
    paid = result.grant.values.ravel()
    each = paid / Inputs(some).size("pupils", 2026).ravel()
    assert paid[0] == 1e3
    assert each[1:] == pytest.approx(each[1])
    assert paid.sum() == pytest.approx(30e6)


def test_a_budget_in_turn_pays_the_worst_hit_whole(projection: Projection) -> None:
    some = with_balances(projection, {2026: [0, -50e6, -1e6, -50e6], 2027: [0, 0, 0, 0]})
    ratio = 50e6 / Inputs(some).size("dsg", 2026).ravel()
    first, second = (1, 3) if ratio[1] > ratio[3] else (3, 1)
    paid = grants(scheme(share=1, budget={"pounds": 70e6, "allocation": "largest_of_dsg"}), some)
    assert paid[first] == 50e6
    assert paid[second] == pytest.approx(20e6)
    assert paid[2] == 0


def test_tiers_pay_by_the_size_of_the_deficit(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-1e6, -10e6, -19e6, -20e6], 2027: [0, 0, 0, 0]})
    tiers = {"of": "pounds", "at": [0, 10e6, 20e6], "pays": [0.2, 0.5, 0.8]}
    assert grants(scheme(share=tiers), some) == pytest.approx([0.2e6, 5e6, 9.5e6, 16e6])


def test_a_taper_runs_straight_between_its_ends(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-5e6, -10e6, -15e6, -40e6], 2027: [0, 0, 0, 0]})
    taper = {"of": "pounds", "at": [10e6, 20e6], "pays": [0.5, 0.9], "between": "line"}
    assert grants(scheme(share=taper), some) == pytest.approx([2.5e6, 5e6, 15e6 * 0.7, 36e6])


def test_a_share_by_condition(four: Projection) -> None:
    share = {"conditions": [{"kind": "deficit_above", "than": 50e6}], "met": 0.5, "otherwise": 1}
    assert grants(scheme(share=share), four) == pytest.approx([1.0, 0, 0, 50e6])


@pytest.mark.parametrize(
    ("condition", "paid"),
    [
        ({"kind": "region", "names": ["London"]}, [0.9, 90e6]),
        ({"kind": "region", "names": ["London"], "holds": False}, [0, 0]),
        ({"kind": "council", "names": ["Hackney"]}, [0, 90e6]),
        ({"kind": "council", "names": ["E09000012"], "holds": False}, [0.9, 0]),
        ({"kind": "type", "names": ["london"]}, [0.9, 90e6]),
        ({"kind": "safety_valve"}, [0, 0]),
        ({"kind": "safety_valve", "holds": False}, [0.9, 90e6]),
        ({"kind": "deficit_above", "than": 1}, [0, 90e6]),
        ({"kind": "deficit_above", "of": "dsg", "than": 0.01}, [0, 90e6]),
        ({"kind": "deficit_above", "of": "reserves", "than": 0.1}, [0, 90e6]),
    ],
)
def test_who_is_eligible(four: Projection, condition: dict, paid: list[float]) -> None:
    found = grants(scheme(eligibility=[condition]), four)
    assert [found[0], found[3]] == pytest.approx(paid)


def test_90_and_10_percent_are_100_percent(projection: Projection) -> None:
    both = d.write_off(projection, scheme(share=0.9) + scheme(share=0.1))
    assert both.grant.values == pytest.approx(both.base_deficit.values, abs=1e-6)
    assert float(both.left.max()) == pytest.approx(0, abs=1e-6)


def test_together_schemes_never_pay_more_than_the_deficit(projection: Projection) -> None:
    both = d.write_off(projection, scheme(share=0.9) + scheme(share=0.9))
    assert both.grant.values == pytest.approx(both.base_deficit.values, abs=1e-6)


def test_a_later_scheme_is_measured_on_what_the_earlier_one_left(projection: Projection) -> None:
    some = with_balances(projection, {2026: [-100e6], 2027: [-120e6], 2028: [-150e6], 2029: [-150e6]})
    later = scheme(share=1, base_year=2028, paid_in=2029)
    result = d.write_off(some, scheme() + later)
    # 90% of £100m, then all of the £60m that is there at 31 March 2028.
    assert result.grant.item() == pytest.approx(150e6)
    assert result.balance.sel(year=2029).item() == pytest.approx(0, abs=1e-6)
    assert result.balance.sel(year=2028).item() == pytest.approx(-60e6)
