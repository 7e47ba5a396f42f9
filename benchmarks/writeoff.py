"""1,000 schemes with every measure of a comparison, beside one of them on a long frame, scaled up."""

from __future__ import annotations

import resource
import time

import numpy as np
import pandas as pd

SCHEMES = 1000
DRAWS = 4000
UNTIL = 2031


def sweep_at_once(schemes: int = SCHEMES) -> float:
    import deficits as d

    projection = d.project(d.load_panel(), until=UNTIL, draws=DRAWS, seed=1)
    scheme = d.Scheme.read("high-needs-stability-grant")
    many = scheme.vary(share=np.linspace(0, 1, schemes // 2).tolist(), part_of_year=[0.25, 0.5])
    start = time.perf_counter()
    d.compare(projection, many).table()
    return time.perf_counter() - start


def figures() -> None:
    """Print what the promises on write-offs are held against: seconds and processor seconds (more than one core
    works, and on a busy machine only these say how much), and the memory that comparing adds."""
    import deficits as d

    projection = d.project(d.load_panel(), until=UNTIL, draws=DRAWS, seed=1)
    rows = []
    for name, schemes in {
        "one scheme": 1,
        f"{SCHEMES:,} schemes": SCHEMES,
        "10,000 schemes": 10 * SCHEMES,
    }.items():
        scheme = d.Scheme.read("high-needs-stability-grant")
        many = scheme.vary(share=np.linspace(0.1, 1, max(schemes // 2, 1)).tolist(), part_of_year=[0.25, 0.5])
        before, start, worked = peak(), time.perf_counter(), time.process_time()
        if schemes == 1:
            d.write_off(projection, scheme).grant.sum()
        else:
            d.compare(projection, many)
        rows.append([name, time.perf_counter() - start, time.process_time() - worked, before, peak() - before])
    columns = ["what", "seconds", "processor seconds", "MB before", "MB more at peak"]
    print(pd.DataFrame(rows, columns=columns).round(3).to_string(index=False))


def peak() -> float:
    """MB of memory that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def sweep_with_group_by() -> float:
    """As an analyst would write it, one row a draw, council and year: one scheme on a quarter of the draws."""
    import deficits as d
    from deficits.writeoff import Inputs

    projection = d.project(d.load_panel(), until=UNTIL, draws=DRAWS // 4, seed=1)
    inputs = Inputs(projection)
    sizes = {"reserves": inputs.size("reserves", 2026).ravel(), "pupils": inputs.size("pupils", 2026).ravel()}
    councils = pd.DataFrame(sizes | {"gap": inputs.source_gap(2026).ravel()}, index=inputs.codes)
    long = projection.balance.to_series().rename("balance").reset_index()
    start = time.perf_counter()
    base = long[long["year"] == 2026].merge(councils, left_on="authority", right_index=True)
    base["deficit"] = (-base["balance"]).clip(lower=0)
    base["grant"] = 0.9 * (base["deficit"] - base["gap"]).clip(lower=0)
    base["per_pupil"] = base["grant"] / base["pupils"]
    grants = base[["draw", "authority", "grant", "reserves"]]
    merged = long[long["year"] >= 2026].merge(grants, on=["draw", "authority"])
    merged["after"] = merged["balance"] + merged["grant"].where(merged["year"] >= 2027, 0.0)
    merged["left"] = (-merged["after"]).clip(lower=0)
    merged["above"] = merged["left"] > merged["reserves"]
    ordered = merged.sort_values(["draw", "authority", "year"])
    before = ordered.groupby(["draw", "authority"])["after"].shift()
    merged["interest"] = 0.0405 * (-(before + merged["after"]) / 2).clip(lower=0)
    measures = {"left": ("left", "sum"), "above": ("above", "sum"), "interest": ("interest", "sum")}
    by_year = merged.groupby(["draw", "year"]).agg(**measures)
    cost, level = base.groupby("draw")["grant"].sum(), base.groupby("draw")["deficit"].sum()
    base.groupby("draw")["per_pupil"].apply(_gini)
    base.groupby("draw")["grant"].apply(lambda grant: grant.nlargest(10).sum()) / cost
    by_year["left"].groupby("draw").apply(lambda path: _years_back(path, level, cost))
    return (time.perf_counter() - start) * 4 * SCHEMES


def _gini(values: pd.Series) -> float:
    ordered = np.sort(values.to_numpy())
    number = len(ordered)
    return float((2 * np.arange(1, number + 1) - number - 1) @ ordered / (number * ordered.sum()))


def _years_back(path: pd.Series, level: pd.Series, cost: pd.Series) -> float:
    draw = path.index[0][0]
    values = path.to_numpy().copy()
    values[0] = level[draw] - cost[draw]
    over = np.flatnonzero(values[1:] >= level[draw])
    if not len(over):
        return float("inf")
    first = over[0]
    return float(first + (level[draw] - values[first]) / (values[first + 1] - values[first]))
