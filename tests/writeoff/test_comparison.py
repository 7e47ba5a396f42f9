"""Many schemes on the same simulations."""

import math
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import deficits as d
from deficits.errors import SchemeError
from deficits.projection import Projection
from deficits.writeoff import Comparison
from tests.writeoff.examples import scheme


@pytest.fixture(scope="module")
def some(projection: Projection) -> Comparison:
    shares = scheme().vary(share=[0.5, 0.7, 0.9])
    # The same cost to the pound, later in the year: it saves less interest, and buys nothing for that.
    return d.compare(projection, [*shares, scheme(title="Late", part_of_year=0.9), scheme(title="None", share=0)])


def test_a_frontier_agrees_with_each_scheme_alone(some: Comparison, projection: Projection) -> None:
    for place, one in enumerate(some.schemes):
        result = d.write_off(projection, one)
        assert some.draws["cost"][place] == pytest.approx(result.grant.sum("authority").values)
        assert some.draws["deficit"][place] == pytest.approx(result.deficit(2028).sum(axis=0))
        assert some.draws["years_bought"][place] == pytest.approx(result.years_until_back())
        assert np.median(some.draws["above_reserves"][place]) == result.above_reserves().at[2028, "with_p50"]
        if one.share:
            assert np.median(some.draws["gini"][place]) == pytest.approx(
                result.concentration().at["gini", "p50"], abs=1e-3
            )


def test_a_scheme_that_costs_councils_more_for_the_same_is_dominated(some: Comparison) -> None:
    table = some.table()
    assert table["present_cost_p50"].is_monotonic_increasing
    assert table["dominated"].to_dict() == {"None": False, "Late": True} | dict.fromkeys(some.titles[:3], False)
    assert table.at["Late", "dominated_by"] == "Made up"
    assert table.at["Late", "in_draws"] == 1


def test_a_larger_share_leaves_less_in_every_draw(some: Comparison) -> None:
    less = some.difference("None").query("measure == 'deficit'").set_index("scheme")
    assert (less.loc[some.titles[0], ["p10", "p50", "p90"]] < 0).all()


def test_a_scheme_less_itself_is_nothing_and_less_another_is_the_difference_in_each_simulation(
    some: Comparison,
) -> None:
    frame = some.difference("Late").set_index(["measure", "scheme"])
    itself = frame.xs("Late", level="scheme")[["mean", "p10", "p50", "p90"]]
    assert itself.drop("years_bought").eq(0).all(axis=None)
    draws = some.simulations
    for measure in ("cost", "councils_pay", "above_reserves", "gini"):
        paired = np.sort(draws[measure].sel(scheme="Made up (share 70%)") - draws[measure].sel(scheme="Late"))
        told = frame.loc[(measure, "Made up (share 70%)")]
        assert told["mean"] == pytest.approx(paired.mean(), rel=1e-9)
        assert told["p90"] == paired[math.ceil(0.9 * len(paired)) - 1]
    # Nothing is paid of the scheme of no share: how evenly is no number, and neither is a difference from it.
    assert frame.loc[("gini", "None"), ["mean", "p10", "p50", "p90"]].isna().all()
    assert frame.attrs["units"]["above_reserves"] == frame.loc[("above_reserves", "None"), "unit"] == "councils"


def test_a_comparison_is_written_and_read_again(some: Comparison, tmp_path: Path) -> None:
    table = pd.read_parquet(some.to_parquet(tmp_path / "schemes.parquet"))
    pd.testing.assert_frame_equal(table, some.to_frame())
    with xr.open_dataset(some.to_netcdf(tmp_path / "schemes.nc")) as held:
        xr.testing.assert_equal(held.load(), some.simulations)
        assert held["years_bought"].attrs["units"] == "years"


def test_ranks_say_whether_they_survive_the_width_of_the_forecast(some: Comparison) -> None:
    ranks = some.ranks("deficit")
    assert ranks.at["None", "p50"] == 5
    assert ranks["first"].max() == 1


def test_schemes_that_share_the_money_alike_share_a_rank_and_none_is_even_where_nothing_is_paid(
    some: Comparison,
) -> None:
    ranks = some.ranks("gini")
    assert ranks.loc[some.titles[:4], ["p10", "p50", "p90"]].eq(1).all(axis=None)
    assert ranks.loc["None", ["p10", "p50", "p90"]].isna().all()


def test_schemes_of_two_base_dates_are_in_prices_of_one_and_count_the_same_years(projection: Projection) -> None:
    earlier = scheme(title="Earlier", base_year=2025, paid_in=2026)
    both = d.compare(projection, [scheme(), earlier, scheme(title="None", share=0)])
    assert (both.dates.base, both.dates.start) == (2026, 2025)
    alone = d.write_off(projection, earlier).exchequer(real=2026)["mean"]
    net = float((both.draws["present_cost"][1]).mean())
    assert net == pytest.approx(alone["present", "net"], rel=1e-9)
    # Without help and before any is paid, a year's interest is the same whichever scheme is beside it.
    no_help = d.compare(projection, [scheme(title="None", share=0), earlier]).draws["councils_pay"][0]
    assert both.draws["councils_pay"][2] == pytest.approx(no_help)
    # Timed from March 2026: what was paid on the deficit of 2025 is back sooner than its size suggests.
    assert np.median(both.draws["years_bought"][1]) < np.median(both.draws["years_bought"][0])


def test_cover_that_is_owed_leaves_no_deficit_and_a_loan_what_must_be_repaid(projection: Projection) -> None:
    full = scheme(title="All", share=1, cover={"shares": {2027: 1, 2028: 1}})
    loan = scheme(title="Loan", share=1, repayment={"years": 10, "rate": 0})
    compared = d.compare(projection, [full, loan], year=2028)
    assert compared.quantiles["deficit"][:, 0].tolist() == pytest.approx([0, 0, 0], abs=0.01)
    assert compared.quantiles["above_reserves"][:, 0].tolist() == [0, 0, 0]
    assert compared.reserves_known == 151
    lent = d.write_off(projection, loan).grant.sum("authority").values
    # Paid in 2026-27, repaid from 2027-28: nine tenths are still to come at March 2028.
    assert compared.draws["to_repay"][1] == pytest.approx(0.9 * lent)


@pytest.fixture(scope="module")
def many(projection: Projection) -> Comparison:
    return d.compare(projection, scheme().vary(share=np.linspace(0, 1, 500).tolist()))


def test_many_schemes_keep_evenly_spaced_draws_and_quantiles_of_all(
    many: Comparison, projection: Projection
) -> None:
    few, compared = d.compare(projection, many.schemes[-2:]), many
    assert compared.draws["cost"].shape[1] < few.draws["cost"].shape[1]
    for name, values in few.quantiles.items():
        assert compared.quantiles[name][:, -2:] == pytest.approx(values, nan_ok=True), name


@pytest.mark.parametrize(
    "terms",
    [
        {"safety_valve": "stop", "instalments": [0.6, 0.4]},
        {"safety_valve": "continue", "approval": {"probability": 0.8, "late": 0.5, "delay": 1}},
        {"repayment": {"years": 3}, "clawback": {"share": 0.5, "year": 2028, "growth": 0.05}},
        {"repayment": {"years": 2, "rate": 0.1, "borne_by": "dsg"}},
        {"payer": "schools_budget", "eligibility": [{"kind": "deficit_above", "of": "dsg", "than": 0.1}]},
        {"base_year": 2025, "paid_in": 2026, "ineligible": {"reserves": 0.5}},
    ],
)
def test_many_shares_of_one_scheme_measure_together_as_each_does_alone(
    projection: Projection, terms: dict[str, Any]
) -> None:
    shares = scheme(**terms).vary(share=np.linspace(0.02, 1, 40).tolist())
    together = d.compare(projection, [scheme(title="None", share=0), *shares], year=2028)
    for place in (1, 18, 40):
        alone = d.compare(projection, [scheme(title="None", share=0), together.schemes[place]], year=2028)
        for name, values in alone.draws.items():
            assert together.draws[name][place] == pytest.approx(values[1], rel=1e-9, abs=1e-4, nan_ok=True), name


def test_what_cannot_be_compared_is_refused(some: Comparison, projection: Projection) -> None:
    with pytest.raises(SchemeError, match="measure: found 'deficits'; did you mean 'deficit'"):
        some.ranks("deficits")
    with pytest.raises(SchemeError, match="other: found 'Later'; did you mean 'Late'"):
        some.difference("Later")
    with pytest.raises(SchemeError, match="give at least one"):
        d.compare(projection, [])
    with pytest.raises(SchemeError, match="2026 is not after the base date"):
        d.compare(projection, [scheme()], year=2026)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_cluster_gives_the_same_and_loses_nothing_with_a_worker(
    many: Comparison, projection: Projection
) -> None:
    distributed = pytest.importorskip("distributed")
    left = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        first = next(iter(cluster.workers.values()))

        def states() -> list[str]:
            tasks = list(cluster.scheduler.tasks.items())
            return [task.state for key, task in tasks if str(key).startswith("measured")]

        def end_one() -> None:
            while "memory" not in states():
                time.sleep(0.01)
            left.append(len([state for state in states() if state != "memory"]))
            os.kill(first.pid, signal.SIGKILL)

        killer = threading.Thread(target=end_one)
        killer.start()
        there = d.compare(projection, many.schemes, cluster=cluster.scheduler_address)
        killer.join()
    assert left[0] > 0
    for name, values in many.draws.items():
        np.testing.assert_allclose(values, there.draws[name], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("instalments", ["as_projected", "stop", "continue"])
def test_the_net_cost_is_that_of_the_schemes_own_page(projection: Projection, instalments: str) -> None:
    """Agreed safety valve instalments that stop are a saving in both."""
    one = scheme(safety_valve=instalments)
    alone = d.write_off(projection, one).exchequer().loc[("present", "net")]
    beside = d.compare(projection, [one, scheme(title="None", share=0)]).draws["present_cost"][0]
    assert beside.mean() == pytest.approx(alone["mean"], rel=1e-9)
