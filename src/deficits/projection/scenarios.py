"""Three named scenarios on the same random numbers."""

from __future__ import annotations

from deficits.assumptions import assumed
from deficits.errors import ProjectionError
from deficits.projection.projection import Projection
from deficits.projection.revisions import obr_target

CURRENT, DFE, OBR = "Current policy", "DfE's path of plans", "Calibrated to the OBR"


def scenarios(projection: Projection) -> dict[str, Projection]:
    """The projection under three named sets of assumptions, draw for draw, in this order.

    Current policy: the projection as it is. DfE's path of plans: plans grow to DfE's estimates of the share of
    pupils with one (`data/assumptions/plans.yaml`), with pupils as they are. Calibrated to the OBR: draws are
    moved to its forecast for the end of the override, as far as the error assumed for it allows. One that cannot
    be made, where the figures were not public or the years are past, is left out.
    """
    found, now = {CURRENT: projection}, projection.assumptions
    growth = dfe_plan_growth(projection)
    if growth:
        found[DFE] = projection.with_assumptions(now.model_copy(update={"plan_growth": growth}))
    try:
        target, _ = obr_target(projection)
    except ProjectionError:
        return found
    found[OBR] = projection.with_assumptions(now.model_copy(update={"calibrated_to": (target,)}))
    return found


def dfe_plan_growth(projection: Projection) -> dict[int, float]:
    """Growth of plans by projected year (shares) that leads from the newest count to DfE's next estimates of the
    share of pupils with a plan, with pupils as they are; empty where its estimates were not public."""
    estimates = assumed("plans", "share_of_pupils").by_year(projection.panel.as_of)
    plans = projection.fit.history.plans
    start = next((year for year in sorted(estimates) if year in plans.index), None)
    if start is None:
        return {}
    before, level = int(plans.index[-1]), float(plans.iloc[-1])
    growth: dict[int, float] = {}
    for year in sorted(year for year in estimates if year > before):
        target = float(plans[start] * estimates[year] / estimates[start])
        growth |= dict.fromkeys(range(before + 1, year + 1), (target / level) ** (1 / (year - before)) - 1)
        before, level = year, target
    return {year: each for year, each in growth.items() if year <= projection.years[-1]}
