"""The worked cases: what each kind of scheme pays four councils, worked by hand from docs/method.md, in £m.

City of London has no published DSG or reserves; Greenwich is in surplus until 31 March 2027.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deficits.errors import SchemeError
from deficits.projection import Projection
from deficits.writeoff import Inputs, Scheme, WriteOff, read_allocations, write_off
from tests.writeoff.examples import scheme, with_balances

M = 1e6
COUNCILS = ("City of London", "Camden", "Greenwich", "Hackney")
BALANCES = {
    2026: [-1, -20, 5, -100],
    2027: [-2, -30, -5, -140],
    2028: [-3, -45, -10, -200],
    2029: [-3, -50, -10, -260],
    2030: [-3, -60, -10, -300],
}
NONE = float("nan")
SIZES = {
    "dsg": [NONE, 100 * M, 200 * M, 400 * M],
    "reserves": [NONE, 10 * M, 50 * M, 30 * M],
    "unallocated_reserves": [NONE, 4 * M, 10 * M, 10 * M],
    "pupils": [1_000, 10_000, 20_000, 40_000],
    "plans": [100, 500, 1_000, 3_000],
}
GAPS = [0, 0, 0, 4 * M]
"""£ by which the sources differ."""


@pytest.fixture
def inputs(projection: Projection) -> Inputs:
    """Four councils in one draw, with sizes in round numbers instead of the published ones."""
    four = with_balances(projection, {year: [M * value for value in values] for year, values in BALANCES.items()})
    made = Inputs(four, rate=0.05)
    made._kept.update(
        {(name, year): np.array(values)[:, None] for name, values in SIZES.items() for year in BALANCES}
    )
    made._kept["gap", 2026] = np.array(GAPS, dtype=float)[:, None]
    return made


def millions(result: WriteOff, *kinds: str) -> list[float]:
    """£m by council of some kinds of flows; of the grant unless they are named."""
    found = result.total(*kinds) if kinds else result.total("write_off")
    return (found.ravel() / M).tolist()


GRANTS: dict[str, tuple[dict[str, Any], list[float]]] = {
    "90% of each deficit": ({"share": 0.9}, [0.9, 18, 0, 90]),
    "all of each deficit": ({"share": 1}, [1, 20, 0, 100]),
    "nothing": ({"share": 0}, [0, 0, 0, 0]),
    "5% ineligible": ({"ineligible": {"share": 0.05}}, [0.855, 17.1, 0, 85.5]),
    "£15m ineligible": ({"ineligible": {"councils": {"Hackney": "£15m"}}}, [0.9, 18, 0, 76.5]),
    "more ineligible than the deficit": ({"ineligible": {"councils": {"Camden": 25e6}}}, [0.9, 0, 0, 90]),
    "reserves borne first": ({"ineligible": {"reserves": 1}}, [0.9, 9, 0, 63]),
    "half of reserves borne first": ({"share": 1, "ineligible": {"reserves": 0.5}}, [1, 15, 0, 85]),
    "all kinds of ineligible": (
        {"ineligible": {"share": 0.1, "councils": {"Hackney": 10e6}, "reserves": 1}},
        [0.81, 7.2, 0, 45],
    ),
    "the lowest of the sources": ({"source": "lowest"}, [0.9, 18, 0, 86.4]),
    "cap in pounds": ({"cap": {"pounds": 50e6}}, [0.9, 18, 0, 50]),
    "cap by DSG, none where it is not known": ({"cap": {"dsg": 0.1}}, [0.9, 10, 0, 40]),
    "cap by reserves": ({"cap": {"reserves": 1}}, [0.9, 10, 0, 30]),
    "cap by unallocated reserves": ({"cap": {"unallocated_reserves": 2}}, [0.9, 8, 0, 20]),
    "cap per pupil": ({"cap": {"pupils": 1500}}, [0.9, 15, 0, 60]),
    "cap per plan": ({"cap": {"plans": 30_000}}, [0.9, 15, 0, 90]),
    "the lowest of two caps": ({"cap": {"pupils": 1500, "dsg": 0.1}}, [0.9, 10, 0, 40]),
    "budget pro rata": ({"budget": 54.45e6}, [0.45, 9, 0, 45]),
    "a budget that does not bind": ({"budget": 200e6}, [0.9, 18, 0, 90]),
    "no budget": ({"budget": 0}, [0, 0, 0, 0]),
    "budget per pupil": ({"share": 1, "budget": {"pounds": 51e6, "allocation": "pupils"}}, [1, 10, 0, 40]),
    "budget per pupil, a claim met": (
        {"share": 1, "budget": {"pounds": 71e6, "allocation": "pupils"}},
        [1, 14, 0, 56],
    ),
    "budget per plan": ({"share": 1, "budget": {"pounds": 36e6, "allocation": "plans"}}, [1, 5, 0, 30]),
    # In full, largest deficit over DSG first; the last that is reached in part, so that the budget is spent.
    "budget, largest of DSG first": (
        {"share": 1, "budget": {"pounds": 110e6, "allocation": "largest_of_dsg"}},
        [0, 10, 0, 100],
    ),
    "budget, largest of reserves first": (
        {"share": 1, "budget": {"pounds": 110e6, "allocation": "largest_of_reserves"}},
        [0, 10, 0, 100],
    ),
    "tiers": ({"share": {"of": "pounds", "at": [0, 10e6, 50e6], "pays": [0.2, 0.5, 0.8]}}, [0.2, 10, 0, 80]),
    "taper": (
        {"share": {"of": "dsg", "at": [0, 0.5], "pays": [0.5, 1], "between": "line"}},
        [0.5, 14, 0, 75],
    ),
    "share by condition": (
        {"share": {"conditions": [{"kind": "deficit_above", "than": "£50m"}], "met": 0.5, "otherwise": 1}},
        [1, 20, 0, 50],
    ),
    "a region": ({"eligibility": [{"kind": "region", "names": ["london"]}]}, [0.9, 18, 0, 90]),
    "no region": ({"eligibility": [{"kind": "region", "names": ["London"], "holds": False}]}, [0, 0, 0, 0]),
    "one council": ({"eligibility": [{"kind": "council", "names": ["Hackney"]}]}, [0, 0, 0, 90]),
    "all but one": ({"eligibility": [{"kind": "council", "names": ["Hackney"], "holds": False}]}, [0.9, 18, 0, 0]),
    "above a share of DSG": (
        {"eligibility": [{"kind": "deficit_above", "of": "dsg", "than": 0.22}]},
        [0, 0, 0, 90],
    ),
    # What is not known is not met, and neither is its opposite.
    "not above a share of DSG": (
        {"eligibility": [{"kind": "deficit_above", "of": "dsg", "than": 0.22, "holds": False}]},
        [0, 18, 0, 0],
    ),
    "every plan refused": ({"approval": {"probability": 0}}, [0, 0, 0, 0]),
}


@pytest.mark.parametrize("name", GRANTS)
def test_what_a_scheme_pays_of_the_deficits(inputs: Inputs, name: str) -> None:
    body, expected = GRANTS[name]
    assert millions(write_off(inputs, scheme(**body))) == pytest.approx(expected, abs=1e-6)


FLOWS: dict[str, tuple[dict[str, Any], str, list[float]]] = {
    "match": ({"share": 0.5, "match_funding": 0.5}, "contribution", [0.25, 5, 0, 25]),
    # A council never pays more than what the grant has left of its deficit.
    "match cut to the deficit": ({"match_funding": 1}, "contribution", [0.1, 2, 0, 10]),
    "cover of growth": ({"cover": {"shares": {2027: 0.5, 2028: 1}}}, "cover", [1.5, 20, 7.5, 80]),
    "cover up to a limit": (
        {"cover": {"shares": {2027: 1}, "growth_limit": 0.05}},
        "cover",
        [1, 5, 5, 20],
    ),
    "loan": ({"share": 1, "repayment": {"years": 2, "rate": 0}}, "repayment", [1, 20, 0, 100]),
    # £100 over two years at the financing rate of 5%: 53.780488 a year.
    "loan at the financing rate": (
        {"share": 1, "repayment": {"years": 2}},
        "repayment",
        [1.07561, 21.512195, 0, 107.560976],
    ),
    # 108.9 by DSG, of 700; a council without a published DSG gives nothing.
    "paid from the schools budget": ({"payer": "schools_budget"}, "levy", [0, 15.557143, 31.114286, 62.228571]),
    "taken back where the deficit grew by more than 10% of DSG": (
        {"clawback": {"share": 0.5, "year": 2028, "growth": 0.1}},
        "clawback",
        [0, 9, 0, 45],
    ),
}


@pytest.mark.parametrize("name", FLOWS)
def test_what_else_moves(inputs: Inputs, name: str) -> None:
    body, kind, expected = FLOWS[name]
    assert millions(write_off(inputs, scheme(**body)), kind) == pytest.approx(expected, abs=1e-5)


HACKNEY: dict[str, tuple[dict[str, Any], list[float]]] = {
    "paid at once": ({}, [-50, -110, -170, -210]),
    "in instalments": ({"instalments": [0.5, 0.25, 0.25]}, [-95, -132.5, -170, -210]),
    "approved a year late": ({"approval": {"late": 1, "delay": 1}}, [-140, -110, -170, -210]),
    "matched": ({"share": 0.5, "match_funding": 0.5}, [-65, -125, -185, -225]),
    "a loan on the DSG": (
        {"share": 1, "repayment": {"years": 2, "rate": 0, "borne_by": "dsg"}},
        [-40, -150, -260, -300],
    ),
    # 5% of the year's average: (100 + 140) / 2, then (146 + 206) / 2, (214.8 + 274.8) / 2, (287.04 + 327.04) / 2.
    "interest on the DSG": ({"share": 0, "interest_borne_by": "dsg"}, [-146, -214.8, -287.04, -342.392]),
}


@pytest.mark.parametrize("name", HACKNEY)
def test_the_balances_that_follow(inputs: Inputs, name: str) -> None:
    body, expected = HACKNEY[name]
    balance = (
        write_off(inputs, scheme(**body)).balance.isel(draw=0, authority=3).sel(year=[2027, 2028, 2029, 2030])
    )
    assert (balance.values / M).tolist() == pytest.approx(expected, abs=1e-6)


def test_interest_is_on_the_average_deficit_at_the_rate_asked_for(inputs: Inputs) -> None:
    saved = write_off(inputs, scheme()).interest("Hackney")
    # Half of 100 and 50, then of 50 and 110, at 5%; without the grant of 100 and 140, then 140 and 200.
    assert (saved.loc[2027:2028, "with_p50"] / M).tolist() == pytest.approx([3.75, 4.0])
    assert (saved.loc[2027:2028, "saved_p50"] / M).tolist() == pytest.approx([6 - 3.75, 8.5 - 4.0])


def test_grant_that_is_owed_is_no_deficit_that_remains(inputs: Inputs) -> None:
    result = write_off(inputs, scheme(share=1, cover={"shares": {2027: 1, 2028: 1}}))
    # All of 2026 and all growth since is paid or owed: nothing remains, though balances are below nought.
    assert (result.balance.sel(year=2028).values.ravel() / M).tolist() == pytest.approx([-1, -15, -5, -60])
    assert (result.owed(2028).ravel() / M).tolist() == pytest.approx([1, 15, 5, 60])
    assert result.deficit(2028).ravel().tolist() == [0, 0, 0, 0]
    assert result.above_reserves().at[2028, "with_p50"] == 0
    half = write_off(inputs, scheme(share=1, cover={"shares": {2027: 0.5, 2028: 0.5}}))
    assert (half.deficit(2028).ravel() / M).tolist() == pytest.approx([1, 12.5, 5, 50])


def test_two_schemes_pay_no_more_than_the_deficit_in_either_order(inputs: Inputs) -> None:
    most, some = scheme(share=0.9), scheme(share=0.3)
    for both in (most + some, some + most):
        assert millions(write_off(inputs, both)) == pytest.approx([1, 20, 0, 100])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"paid_in": 2031}, "paid_in 2031 .* project further with until=2031"),
        ({"base_year": 2025}, "base_year 2025 .* the earliest is 2026"),
    ],
)
def test_a_date_outside_the_projection_is_refused(inputs: Inputs, body: dict[str, Any], told: str) -> None:
    with pytest.raises(SchemeError, match=told):
        write_off(inputs, scheme(**body))


def test_published_allocations_replace_the_estimates(inputs: Inputs) -> None:
    told = inputs.with_allocations({"Hackney": 81e6}, 0.9, 2026)
    told._kept.update(inputs._kept)
    result = write_off(told, Scheme.model_validate(scheme(source="projection").model_dump()))
    # £81m is 90% of an eligible deficit of £90m, £10m less than the estimate, then and in every later year.
    assert millions(result) == pytest.approx([0.9, 18, 0, 81])
    assert (result.balance.isel(authority=3).sel(year=2028).item() / M) == pytest.approx(-190 + 81)
    with pytest.raises(SchemeError, match="'Hackney' and 'hackney' are the same council"):
        inputs.with_allocations({"Hackney": 1e6, "hackney": 2e6}, 0.9, 2026)


def test_a_file_of_allocations_is_read_and_its_faults_are_told_by_row(tmp_path: Path) -> None:
    path = tmp_path / "allocations.csv"
    path.write_text('council,grant_gbp\nHackney,£81m\nCamden,"18,000,000"\n', encoding="utf-8-sig")
    assert read_allocations(path) == {"Hackney": 81e6, "Camden": 18e6}
    path.write_text("council,grant_gbp\nHackney,lots\n", encoding="utf-8")
    with pytest.raises(SchemeError, match="row 2, grant_gbp: found lots"):
        read_allocations(path)
    path.write_text("council,grant\nHackney,1\n", encoding="utf-8")
    with pytest.raises(SchemeError, match="no column grant_gbp"):
        read_allocations(path)
