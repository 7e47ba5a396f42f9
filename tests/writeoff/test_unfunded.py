"""What nobody has promised to pay, and where a scheme stops working."""

import numpy as np
import pandas as pd
import pytest

import deficits as d
from deficits.errors import SchemeError
from deficits.projection import Projection
from deficits.writeoff import WriteOff, price_of_cover, region, sweep, unfunded, write_off
from tests.writeoff.examples import scheme, with_balances

M = 1e6


@pytest.fixture
def result(projection: Projection) -> WriteOff:
    two = {2026: [-100, 5], 2027: [-150, -10], 2028: [-230, -20], 2029: [-300, -30]}
    some = with_balances(projection, {year: [M * value for value in values] for year, values in two.items()})
    return write_off(some, scheme(override_ends=2028), rate=0.05)


def test_what_is_left_and_the_growth_since_add_up_to_what_remains(result: WriteOff) -> None:
    found = unfunded(result)["p50"] / M
    assert found["left", 2026] == pytest.approx(10)
    # £60m and £10m at March 2027; £140m and £20m at March 2028.
    assert found["growth"].tolist() == pytest.approx([60, 90, 80])
    assert found["remaining"].tolist() == pytest.approx([70, 160, 240])
    assert found["left", 2026] + found["growth"].sum() == pytest.approx(found["remaining", 2029])
    # Half of £100m and £60m, and half of £2.5m (from £5m in surplus to £10m in deficit), at 5%.
    assert found["interest", 2027] == pytest.approx(0.05 * (80 + 2.5))


def test_transport_is_stated_where_it_was_published_and_blank_elsewhere(result: WriteOff) -> None:
    england, council = unfunded(result), unfunded(result, result.inputs.codes[0])
    assert england.loc["transport", "p50"].isna().all()  # 2026-27 to 2028-29: no year of them was published
    assert council.loc["transport", "basis"].eq("not published by council").all()
    assert council.at[("remaining", 2028), "p50"] == pytest.approx(140 * M)


def test_the_price_of_covering_a_share_of_growth(result: WriteOff) -> None:
    prices = price_of_cover(result, shares=(0.5, 1.0)) / M
    # Growth of £50m and £10m, then of £80m and £10m; the surplus of £5m comes first.
    assert prices.loc[1.0, ["growth_2027_p50", "growth_2028_p50", "total_p50"]].tolist() == pytest.approx(
        [60, 90, 150]
    )
    assert prices.loc[0.5, "total_p50"] == pytest.approx(75)
    assert prices.loc[1.0, "remaining_2028_p50"] == pytest.approx(10)
    assert prices.loc[0.5, "remaining_2028_p50"] == pytest.approx(85)
    covered = write_off(result.inputs, scheme(cover={"shares": {2027: 0.5}}))
    with pytest.raises(SchemeError, match="covers growth already"):
        price_of_cover(covered)


def test_the_region_found_is_the_corner_that_was_put_there() -> None:
    random = np.random.default_rng(3)
    points = pd.DataFrame({"plan_growth": random.random(400) / 8, "later_block_growth": random.random(400) / 12})
    points["fails"] = (points["plan_growth"] > 0.08) & (points["later_block_growth"] < 0.04)
    found = region(points)
    assert found.at["plan_growth", "low"] == pytest.approx(0.08, abs=0.012)
    assert found.at["later_block_growth", "high"] == pytest.approx(0.04, abs=0.008)
    assert (found[["coverage", "density"]].iloc[0] > 0.85).all()
    assert region(points.assign(fails=False)).empty


def test_a_sweep_finds_that_faster_growth_brings_the_deficit_back(projection: Projection) -> None:
    few = d.project(projection.panel, until=2029, draws=100, seed=1)
    swept = sweep(few, [d.Scheme.read("high-needs-stability-grant")], points=8)
    assert len(swept) == 8
    fast, slow = swept.nlargest(3, "plan_growth"), swept.nsmallest(3, "plan_growth")
    assert fast["deficit"].mean() > slow["deficit"].mean()
    assert (swept["fails"] == swept["back_within"]).all()  # one scheme: none other can be better
