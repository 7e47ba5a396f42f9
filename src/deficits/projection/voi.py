"""What would narrow a range: how much knowing a figure that is not held would take off it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS
from statsmodels.tools import add_constant

from deficits.assumptions import assumed
from deficits.formatting import financial_year
from deficits.panel import Panel
from deficits.projection.history import newest_day
from deficits.projection.projection import Projection, national
from deficits.projection.streams import Array

GRANT_MEASURED = int(assumed("write_offs", "grant_measured_at").number)
"""The year end whose deficit the High Needs Stability Grant pays a share of."""


def value_of_information(
    projection: Projection, year: int, authority: str | int | None = None, last: int | None = None
) -> pd.DataFrame:
    """By how much figures that are not held would narrow the 80% range at a year end, if they were known.

    England's gross deficit, or a council's balance. One row a figure, the most telling first: width (£, p90 less
    p10 now), expected (£, once the figure is known, mean over what it may turn out to be) and narrowing (share).
    Worked out on the projection's own draws: a cubic regression of the year end on the figure (statsmodels) leaves
    the spread that would remain. Figures are not added up: two of them may tell the same. `last`: the last year
    that a figure may be of (see `last_year_over`); by default all years before `year`.
    """
    projection.year(year)
    if authority is None:
        outcome = national(projection.balance, "gross").sel(year=year).values
    else:
        outcome = projection.balance.sel(authority=projection.code(authority), year=year).values
    low, high = np.quantile(outcome, [0.1, 0.9])
    rows = {}
    for name, figure in _figures(projection, year if last is None else min(year, last + 1), authority):
        scaled = (figure - figure.mean()) / figure.std()
        fitted = OLS(outcome, add_constant(np.column_stack([scaled, scaled**2, scaled**3]))).fit()
        # Share of the spread that is left once the figure is known.
        rest = float(np.sqrt(max(fitted.ssr / fitted.centered_tss, 0.0)))
        rows[name] = (high - low, (high - low) * rest, 1 - rest)
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["width", "expected", "narrowing"])
    return frame.rename_axis("figure").sort_values("narrowing", ascending=False)


def last_year_over(panel: Panel) -> int:
    """The last financial year that had ended when the newest figure held was published: later ones are future.

    >>> from deficits.panel import load_panel
    >>> last_year_over(load_panel("2025-09-17"))
    2025
    """
    day = panel.as_of or newest_day(panel)
    return int(day[:4]) - (day[4:] < "-03-31")


def _figures(projection: Projection, year: int, authority: str | int | None) -> Iterator[tuple[str, Array]]:
    """Figures that are not the same in all draws, before the year end asked for: what they are, and by draw."""
    paths, gross = projection.paths, national(projection.balance, "gross").values
    for t, each in enumerate(paths.years):
        if not projection.base_year < each < year:
            continue
        end, spent = f"31 March {each}", financial_year(each)
        yearly = {
            f"England's EHC plans, January {each}": paths.plans[t],
            f"England's high needs spend, {spent}": paths.spend[t],
            f"England's high needs block, {spent}": paths.block[t],
            f"England's gross deficit, {end}": gross[:, t],
        }
        if authority is not None:
            council = projection.fit.councils.index.get_loc(projection.code(authority))
            yearly[f"the council's balance, {end}"] = projection.balance.values[:, council, t]
            yearly[f"the council's spend, {spent}"] = projection.drawn.spend[t, council] * paths.spend[t]
            # A council keeps its share of England's block, so that its own tells what England's tells.
            yearly[f"the council's high needs block, {spent}"] = (
                projection.fit.accounts.block[each].iloc[council] * paths.block[t]
            )
            # A share of the deficit, nothing of a surplus.
            owed = np.maximum(-projection.balance.values[:, council, t], 0)
            if each == GRANT_MEASURED and np.quantile(owed, 0.9) > 0:
                yearly[f"the council's grant allocation, for its deficit at {end}"] = owed
        for name, figure in yearly.items():
            if np.ptp(figure) > 1e-9 * abs(figure.mean()):
                yield name, figure
