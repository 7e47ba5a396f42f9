"""Where a scheme stops working: assumptions swept together, and the region of them in which it fails."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from deficits.projection import Projection
from deficits.simulated import with_units
from deficits.writeoff.comparison import compare
from deficits.writeoff.scheme import Scheme

SWEPT: dict[str, tuple[float, float]] = {
    "plan_growth": (0.0, 0.12),
    "unit_cost_growth": (0.0, 0.08),
    "later_block_growth": (0.0, 0.08),
}
"""Growth a year of plans, of spend per plan and of the high needs block: the ranges swept (assumptions)."""
PEEL = 0.05
"""Share of the points in a region that one step takes off one side of it."""
LEAST_POINTS = 5


def sweep(
    projection: Projection,
    schemes: Sequence[Scheme],
    *,
    points: int = 100,
    within: float = 2.0,
    year: int | None = None,
) -> pd.DataFrame:
    """Project and compare the schemes at points spread evenly over the ranges of `SWEPT`.

    One row a point and scheme: the assumptions, medians of years_bought, deficit and present_cost (£),
    `back_within` (the deficit is back within `within` years), `better`, the title of a scheme that dominates it
    there, and `fails`, either of them. `year`: as for `compare`. Each point is a projection of its own: a few
    hundred draws are enough.
    """
    # A Latin hypercube: each range in as many parts as there are points, each part met once.
    random, low, high = np.random.default_rng(1), *np.array(list(SWEPT.values())).T
    spread = np.array([random.permutation(points) for _ in SWEPT]).T + random.random((points, len(SWEPT)))
    rows = []
    for place in low + spread / points * (high - low):
        chosen = dict(zip(SWEPT, place.tolist(), strict=True))
        there = projection.with_assumptions(projection.assumptions.model_copy(update=chosen))
        compared = compare(there, schemes, year=year)
        for number, (title, (by, _)) in enumerate(zip(compared.titles, compared.dominating(), strict=True)):
            middles = {
                name: compared.quantiles[name][1, number] for name in ("years_bought", "deficit", "present_cost")
            }
            back = middles["years_bought"] <= within
            better = None if by is None else compared.titles[by]
            told = {"back_within": back, "better": better, "fails": bool(back or better)}
            rows.append(chosen | {"scheme": title} | middles | told)
    return with_units(pd.DataFrame(rows), "£", years_bought="years", **dict.fromkeys(SWEPT, "growth a year"))


def region(points: pd.DataFrame, fails: str = "fails") -> pd.DataFrame:
    """The region of the swept assumptions in which a scheme fails, by peeling (as PRIM does): a box from which,
    side by side, the edge is taken off that leaves the largest share of failures.

    `points`: rows of `sweep` of one scheme. One row an assumption: the low and high of the region in it; and
    for the whole, the same in each row: coverage, the share of all failures that lie inside; density, the share of
    points inside that fail; mass, the share of all points inside. Of the boxes on the way, that with the largest
    harmonic mean of coverage and density. Empty where the scheme never fails.
    """
    names = [name for name in SWEPT if name in points]
    values, failing = points[names].to_numpy(dtype=float), points[fails].to_numpy(dtype=bool)
    inside, best, found = np.ones(len(points), dtype=bool), -1.0, pd.DataFrame()
    while failing.any():
        density, coverage = failing[inside].mean(), failing[inside].sum() / failing.sum()
        score = 2 * density * coverage / (density + coverage) if density else 0.0
        if score > best + 1e-9:
            ends = {"low": values[inside].min(axis=0), "high": values[inside].max(axis=0)}
            whole = {"coverage": coverage, "density": density, "mass": inside.mean()}
            best, found = score, pd.DataFrame(ends | whole, index=pd.Index(names, name="assumption"))
        edges = [
            inside & edge
            for column in values.T
            for edge in (
                column >= np.quantile(column[inside], PEEL),
                column <= np.quantile(column[inside], 1 - PEEL),
            )
        ]
        tried = [edge for edge in edges if LEAST_POINTS <= edge.sum() < inside.sum()]
        if density == 1 or not tried:
            break
        inside = max(tried, key=lambda box: failing[box].mean())
    return with_units(found, "share of points", low="growth a year", high="growth a year")
