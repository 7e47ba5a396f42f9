"""Many schemes on the same draws."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import deficits as d
from deficits.errors import SchemeError
from deficits.projection import Projection
from deficits.writeoff import Frontier
from tests.writeoff.examples import scheme


@pytest.fixture(scope="module")
def some(projection: Projection) -> Frontier:
    shares = scheme().vary(share=[0.5, 0.7, 0.9])
    # The same cost to the pound, later in the year: it saves less interest, and buys nothing for that.
    return d.frontier(projection, [*shares, scheme(title="Late", part_of_year=0.9), scheme(title="None", share=0)])


def test_a_frontier_agrees_with_each_scheme_alone(some: Frontier, projection: Projection) -> None:
    for place, one in enumerate(some.schemes):
        result = one.apply(projection)
        assert some.draws["cost"][place] == pytest.approx(result.grant.sum("authority").values)
        assert some.draws["deficit"][place] == pytest.approx(result.deficit(2028).sum(axis=0))
        assert some.draws["years_bought"][place] == pytest.approx(result.years_until_back())
        assert np.median(some.draws["above_reserves"][place]) == result.above_reserves().at[2028, "with_p50"]
        if one.share:
            assert np.median(some.draws["gini"][place]) == pytest.approx(
                result.concentration().at["gini", "p50"], abs=1e-3
            )


def test_a_scheme_that_costs_councils_more_for_the_same_is_dominated(some: Frontier) -> None:
    table = some.table()
    assert table["present_cost_p50"].is_monotonic_increasing
    assert table["dominated"].to_dict() == {"None": False, "Late": True} | dict.fromkeys(some.titles[:3], False)
    assert table.at["Late", "dominated_by"] == "Made up"
    assert table.at["Late", "in_draws"] == 1


def test_a_larger_share_leaves_less_in_every_draw(some: Frontier) -> None:
    beats = some.beats("deficit")
    assert beats.iloc[2, 0] == 1
    assert beats.iloc[0, 2] == 0
    assert np.diag(beats).tolist() == [0] * 5
    assert (some.differences("None").loc[some.titles[0], ["p10", "p50", "p90"]] < 0).all()


def test_ranks_say_whether_they_survive_the_width_of_the_forecast(some: Frontier) -> None:
    ranks = some.ranks("deficit")
    assert ranks.at["None", "p50"] == 5
    assert ranks["first"].max() == 1


def test_what_cannot_be_compared_is_refused(some: Frontier, projection: Projection) -> None:
    with pytest.raises(SchemeError, match="no measure 'deficits': did you mean 'deficit'"):
        some.beats("deficits")
    with pytest.raises(SchemeError, match="no scheme 'Later' here: did you mean 'Late'"):
        some.differences("Later")
    with pytest.raises(SchemeError, match="compare it with beats"):
        some.differences("None", "gini")
    with pytest.raises(SchemeError, match="give at least one"):
        d.frontier(projection, [])
    with pytest.raises(SchemeError, match="2026 is not after the base date"):
        d.frontier(projection, [scheme()], year=2026)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_cluster_gives_the_same_and_loses_nothing_with_a_worker(projection: Projection) -> None:
    distributed = pytest.importorskip("distributed")
    schemes = scheme().vary(share=np.linspace(0, 1, 500).tolist())
    here = d.frontier(projection, schemes)
    left = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        first = next(iter(cluster.workers.values()))

        def states() -> list[str]:
            tasks = list(cluster.scheduler.tasks.items())
            return [task.state for key, task in tasks if str(key).startswith("_measured_there")]

        def end_one() -> None:
            while "memory" not in states():
                time.sleep(0.01)
            left.append(len([state for state in states() if state != "memory"]))
            os.kill(first.pid, signal.SIGKILL)

        killer = threading.Thread(target=end_one)
        killer.start()
        there = d.frontier(projection, schemes, cluster=cluster.scheduler_address)
        killer.join()
    assert left[0] > 0
    for name, values in here.draws.items():
        assert np.array_equal(values, there.draws[name], equal_nan=True), name
