"""`make bench`: each comparison runs both ways in processes of their own and prints the ratio and peak memory."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks import reports
from benchmarks.multiyear import parse_needed_columns, read_needed_columns, read_whole_file, tabulate_whole_file
from benchmarks.writeoff import sweep_at_once, sweep_with_group_by

DRAWS = 4000
UNTIL = 2031


def simulate_vectorised() -> float:
    import deficits as d

    panel = d.load_panel()
    start = time.perf_counter()
    d.project(panel, until=UNTIL, draws=DRAWS, seed=1)
    return time.perf_counter() - start


def simulate_council_by_council() -> float:
    """One statsmodels random walk with drift a council, simulated a draw at a time: 1 in 40 draws, scaled up."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    import deficits as d

    balances = d.load_panel().figure("balance")[[2020, 2021, 2022, 2024]].dropna()
    start = time.perf_counter()
    for series in balances.to_numpy():
        model = UnobservedComponents(series, level="rwdrift")
        for draw in range(DRAWS // 40):
            model.simulate([1e6, 1e6], UNTIL - 2024, rng=np.random.default_rng(draw))
    return (time.perf_counter() - start) * 40 * 153 / len(balances)


def apply_vectorised() -> float:
    import deficits as d

    projection = d.project(d.load_panel(), until=UNTIL, draws=DRAWS, seed=1)
    scheme = d.Scheme.read("high-needs-stability-grant")
    start = time.perf_counter()
    result = d.write_off(projection, scheme)
    assert result.balance.sizes  # worked out when it is asked for
    return time.perf_counter() - start


def apply_with_group_by() -> float:
    """The same arithmetic on a long frame, one row a draw, council and year, as an analyst would write it."""
    import deficits as d

    projection = d.project(d.load_panel(), until=UNTIL, draws=DRAWS // 4, seed=1)
    long = projection.balance.to_series().rename("balance").reset_index()
    start = time.perf_counter()
    base = long[long["year"] == 2026].set_index(["draw", "authority"])["balance"]
    grant = (0.9 * (-base).clip(lower=0)).rename("grant").reset_index()
    merged = long.merge(grant, on=["draw", "authority"])
    merged["after"] = merged["balance"] + merged["grant"].where(merged["year"] >= 2027, 0.0)
    merged["deficit"] = (-merged["after"]).clip(lower=0)
    merged.groupby(["draw", "year"])["deficit"].sum()
    return (time.perf_counter() - start) * 4


def measured(work: Callable[[], float]) -> tuple[float, float]:
    """Best seconds of three, and peak memory in MB, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (work,))


def _run(work: Callable[[], float]) -> tuple[float, float]:
    seconds = min(work() for _ in range(3 if work.__name__.endswith("vectorised") else 1))
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


COMPARISONS: dict[str, tuple[Callable[[], float], Callable[[], float]]] = {
    "1,000 schemes with every measure beside pandas merge and group-by": (sweep_at_once, sweep_with_group_by),
    f"project, {DRAWS} draws x 153 councils to {UNTIL}, beside one statsmodels model a council": (
        simulate_vectorised,
        simulate_council_by_council,
    ),
    "apply a scheme to it, beside pandas merge and group-by": (apply_vectorised, apply_with_group_by),
    "read MHCLG's multi-year outturn, beside pandas on the whole file": (read_needed_columns, read_whole_file),
    "parse and check it, beside pandas and a pivot": (parse_needed_columns, tabulate_whole_file),
    "parse and check it, beside pandas only reading the whole file": (parse_needed_columns, read_whole_file),
}


def main() -> None:
    rows = []
    for name, (ours, other) in COMPARISONS.items():
        (seconds, memory), (their_seconds, their_memory) = measured(ours), measured(other)
        rows.append([name, seconds, memory, their_seconds, their_memory, their_seconds / seconds])
    columns = ["what", "seconds", "peak MB", "other, seconds", "other, peak MB", "times faster"]
    print(pd.DataFrame(rows, columns=columns).round(2).to_string(index=False))
    print()
    reports.main()
