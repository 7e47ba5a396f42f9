"""How much a scheme pays each council at its base date: ineligible, share, cap, budget, in that order.

Every function takes and gives £ of shape (authorities, draws), or (authorities, 1) where all draws have the same.
"""

from __future__ import annotations

import numpy as np

from deficits.writeoff.conditions import Budget, ByCondition, Scale, Size
from deficits.writeoff.inputs import Array, Inputs
from deficits.writeoff.scheme import Scheme


def claim(scheme: Scheme, inputs: Inputs, deficit: Array, to_come: Array | float, left: Array | float) -> Array:
    """What each council is paid of its deficit at the base date (all >= 0, £).

    `to_come`: safety valve instalments that go on and are left out of what is paid for. `left`: of the budget, £ a
    draw; inf where the scheme has none.
    """
    year = scheme.base_year
    amount = eligible(scheme, inputs, deficit, to_come) * share(scheme, inputs, deficit)
    for size, limit in scheme.cap.items():
        np.fmin(amount, limit * inputs.size(size, year), out=amount)
    if scheme.budget is None:
        return amount
    return within(scheme.budget, inputs, year, amount, deficit, left)


def eligible(scheme: Scheme, inputs: Inputs, deficit: Array, to_come: Array | float) -> Array:
    """The deficit less what is ineligible, never below 0; 0 for a council that is not eligible."""
    amount: Array = np.maximum(deficit - sum(left_out(scheme, inputs, deficit, to_come).values()), 0.0)
    for condition in scheme.eligibility:
        amount *= inputs.meets(condition, scheme.base_year, deficit)
    return amount


def left_out(scheme: Scheme, inputs: Inputs, deficit: Array, to_come: Array | float) -> dict[str, Array | float]:
    """What is not eligible of each deficit (all >= 0, £), by what makes it so."""
    ineligible, year = scheme.ineligible, scheme.base_year
    off: dict[str, Array | float] = {"share": deficit * ineligible.share if ineligible.share else 0.0}
    if scheme.source == "lowest":
        off["sources"] = inputs.source_gap(year)
    if ineligible.reserves:
        # Where reserves are not published none are asked for.
        off["reserves"] = ineligible.reserves * np.nan_to_num(inputs.size("reserves", year))
    for name, pounds in ineligible.councils.items():
        named = pounds * (inputs.codes == inputs.panel.authorities.resolve(name))[:, None]
        off["councils"] = off.get("councils", 0.0) + named
    return off | {"instalments": to_come}


def share(scheme: Scheme, inputs: Inputs, deficit: Array) -> Array | float:
    """The share of the eligible deficit that is paid, 0 to 1."""
    declared = scheme.share
    if isinstance(declared, Scale):
        ratio = relative(inputs, deficit, declared.of, scheme.base_year)
        if declared.between == "line":
            tapered: Array = np.interp(ratio, declared.at, declared.pays)
            return tapered
        tier = np.searchsorted(declared.at, ratio, side="right") - 1
        stepped: Array = np.asarray(declared.pays)[np.maximum(tier, 0)]
        return stepped
    if isinstance(declared, ByCondition):
        met = [inputs.meets(condition, scheme.base_year, deficit) for condition in declared.conditions]
        chosen: Array = np.where(
            np.logical_and.reduce(np.broadcast_arrays(*met)), declared.met, declared.otherwise
        )
        return chosen
    return declared


def relative(inputs: Inputs, deficit: Array, of: Size, year: int) -> Array:
    """The deficit as a multiple of something; 0 where that is not published, large where it is 0."""
    size = np.broadcast_to(inputs.size(of, year), deficit.shape)
    return np.divide(deficit, np.maximum(size, 1e-9), out=np.zeros_like(deficit), where=~np.isnan(size))


def within(budget: Budget, inputs: Inputs, year: int, claims: Array, deficit: Array, left: Array | float) -> Array:
    """The claims, cut where they add up to more than what is left of the budget (£ a draw)."""
    total: Array = claims.sum(axis=0)
    if np.all(total <= left):
        return claims
    match budget.allocation:
        case "pro_rata":
            part: Array = np.divide(np.minimum(left, total), total, out=np.ones_like(total), where=total > 0)
            return claims * part
        case "pupils" | "people_2_18" | "plans":
            size = np.nan_to_num(inputs.size(budget.allocation, year))
            return alike(claims, np.broadcast_to(size, claims.shape), left)
        case "largest_of_dsg" | "largest_of_reserves":
            of: Size = "dsg" if budget.allocation == "largest_of_dsg" else "reserves"
            return in_turn(claims, relative(inputs, deficit, of, year), np.asarray(inputs.codes, dtype=int), left)


def alike(claims: Array, size: Array, left: Array | float) -> Array:
    """The same £ for each pupil, person or plan everywhere, no more than the claim, so that all is spent."""
    wanted = np.divide(claims, size, out=np.full_like(claims, np.inf), where=size > 0)
    order = wanted.argsort(axis=0, kind="stable")
    met, sizes = np.take_along_axis(claims, order, 0), np.take_along_axis(size, order, 0)
    before = met.cumsum(axis=0) - met
    still = sizes[::-1].cumsum(axis=0)[::-1]
    # £ each, if the claims up to here are met in full and the rest take the same: the first that holds is it.
    each = np.divide(left - before, still, out=np.zeros_like(before), where=still > 0)
    holds = (each <= np.take_along_axis(wanted, order, 0)) & (still > 0)
    first = holds.argmax(axis=0)
    level = np.where(holds.any(axis=0), np.take_along_axis(each, first[None], 0)[0], 0.0)
    # Where the budget meets every claim that has a size, none is cut.
    return np.where(holds.any(axis=0), np.minimum(claims, level * size), claims * (size > 0))


def in_turn(claims: Array, need: Array, codes: np.ndarray, left: Array | float) -> Array:
    """Whole claims, the greatest need first (of equals, the lowest DfE number), until the money is gone."""
    order = np.lexsort((np.broadcast_to(codes[:, None], need.shape), -need), axis=0)
    met = np.take_along_axis(claims, order, 0)
    paid = np.clip(left - (met.cumsum(axis=0) - met), 0.0, met)
    back = np.empty_like(paid)
    np.put_along_axis(back, order, paid, 0)
    return back
