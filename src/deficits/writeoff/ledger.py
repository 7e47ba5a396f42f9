"""The arithmetic of a scheme: dated flows of money, and the balances they leave. Every pound has one place.

closing = opening + in_year + write_off + cover + safety_valve + contribution - clawback - levy - charged
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from deficits.errors import SchemeError
from deficits.writeoff.allocation import claim, within
from deficits.writeoff.conditions import Repayment
from deficits.writeoff.inputs import Array, Inputs
from deficits.writeoff.scheme import Scheme

Kind = Literal["write_off", "cover", "safety_valve", "contribution", "clawback", "levy", "repayment"]
Rows = slice | list[int]
"""Rows of councils."""
RAISES: dict[Kind, int] = {
    "write_off": 1,
    "cover": 1,
    "safety_valve": 1,
    "contribution": 1,
    "clawback": -1,
    "levy": -1,
    "repayment": 0,
}
"""What each kind of flow does to the DSG balance. A repayment is the general fund's, unless the scheme says so."""
MIDDLE = 0.5
"""Part of the year gone when money is paid that comes through the year: instalments, repayments (an
assumption)."""


@dataclass(frozen=True)
class Flow:
    """Money in a financial year: £, shape (authorities, draws) or broadcasting to it.

    All kinds are >= 0 except `safety_valve`, which is what the scheme adds to the instalments in the projection,
    and is below 0 where it stops them. `at`: part of the year gone when it is paid. `raises`: 1 where it raises
    the DSG balance, -1 where it lowers it, 0 where it passes it by. `earned`: for grants, the year end of the
    deficit that they are for; until they are paid they are owed.
    """

    kind: Kind
    year: int
    at: float
    amount: Array
    raises: int
    earned: int | None = None

    @cached_property
    def total(self) -> Array:
        """£ of all councils, shape (draws,) or (1,)."""
        whole: Array = np.add.reduce(self.amount, axis=0)
        return whole

    def owed(self, year: int) -> bool:
        """Whether it is a grant owed at 31 March of a year: for a deficit of then or before, and paid later."""
        return self.earned is not None and self.earned <= year < self.year


def pay(scheme: Scheme, inputs: Inputs) -> tuple[Flow, ...]:
    """Everything a scheme pays, part by part in the order of its dates.

    A part is measured on the projection with what earlier dates have credited; two on one date are measured on the
    same deficit, and the later one is cut where together they would pass it. Raises SchemeError when a date is
    not in the projection.
    """
    check_dates(scheme, inputs)
    parts, changed = scheme.parts, instalments(scheme, inputs)
    continuing = any(part.safety_valve == "continue" for part in parts)
    # What a date is credited with stands from the day after it; money taken or given in a year, at its end.
    credits: list[tuple[int, Array]] = []
    moved = [(flow.year, flow.amount) for flow in changed]
    own: list[list[Flow]] = [[] for _ in parts]

    def deficit(year: int, until: int) -> Array:
        """Deficit of a year with what has been credited for dates up to `until`."""
        counted = [amount for date, amount in credits if date <= until]
        counted += [amount for date, amount in moved if date <= year]
        balance = sum(counted, start=inputs.balance(year))
        return np.maximum(0.0 - balance, 0.0) if counted else inputs.deficit(year)

    measured = [(part.base_year, number, False) for number, part in enumerate(parts)]
    measured += [
        (year, number, True) for number, part in enumerate(parts) if part.cover for year in part.cover.shares
    ]
    for year, number, growth in sorted(measured):
        part, owing = parts[number], deficit(year, year - 1)
        spent = sum(flow.total for flow in own[number] if flow.kind in ("write_off", "cover"))
        left = np.maximum(part.budget.pounds - spent, 0.0) if part.budget else np.inf
        if growth:
            grown = inputs.balance(year - 1) - inputs.balance(year)
            amount = _covered(part, inputs, year, np.clip(grown, 0.0, owing), left)
        else:
            to_come = inputs.agreed_after(year) if continuing else 0.0
            amount = claim(part, inputs, owing, to_come, left)
        if len(parts) > 1:
            amount = np.minimum(amount, deficit(year, year))
        if part.approval.probability < 1:
            amount = amount * (inputs.chance < part.approval.probability)
        credits.append((year, amount))
        if growth:
            assert part.cover is not None
            own[number].append(Flow("cover", year + part.cover.paid_after, part.part_of_year, amount, 1, year))
            continue
        dated = _dated(part, inputs, amount)
        own[number] += dated
        if part.match_funding:
            matched = np.minimum(part.match_funding * amount, deficit(year, year))
            ratio = np.divide(matched, amount, out=np.zeros_like(amount), where=amount > 0)
            own[number] += [Flow("contribution", flow.year, flow.at, flow.amount * ratio, 1) for flow in dated]
            credits.append((year, matched))
        if rule := part.clawback:
            broken = inputs.balance(year) - inputs.balance(rule.year) > rule.growth * inputs.size("dsg", year)
            taken = Flow("clawback", rule.year + 1, part.part_of_year, rule.share * amount * broken, -1)
            own[number].append(taken)
            moved.append((taken.year, -taken.amount))
        if part.repayment:
            own[number] += [flow for lent in dated for flow in _repaid(part.repayment, inputs, lent)]
    for number, part in enumerate(parts):
        if part.payer == "schools_budget":
            own[number] += _levied(inputs, own[number])
    return (*changed, *(flow for flows in own for flow in flows))


def check_dates(scheme: Scheme, inputs: Inputs) -> None:
    """SchemeError where the projection lacks a year that the scheme measures or pays in."""
    first, last = inputs.years[0], inputs.years[-1]
    for part in scheme.parts:
        for word, year in years_needed(part).items():
            if not first <= year <= last:
                remedy = f"project further with until={year}" if year > last else f"the earliest is {first}"
                raise SchemeError(
                    f"{word} {year} of '{part.title}' is not in the projection, which runs from {first} "
                    f"to {last}: {remedy}, or change it"
                )


def years_needed(part: Scheme) -> dict[str, int]:
    """Years in which one scheme measures or pays, by what it does; repayments of loans may come later."""
    needed = {"base_year": part.base_year, "paid_in": part.paid_in}
    needed["the last payment"] = part.paid_in + len(part.instalments) - 1 + part.approval.delay
    if part.cover:
        needed["the last payment of cover"] = max(part.cover.shares) + part.cover.paid_after
    if part.clawback:
        needed["clawback, the year after"] = part.clawback.year + 1
    return needed


def _covered(part: Scheme, inputs: Inputs, year: int, grown: Array, left: Array | float) -> Array:
    """What is paid of the growth of deficits in a year."""
    cover = part.cover
    assert cover is not None
    for condition in part.eligibility:
        grown = grown * inputs.meets(condition, part.base_year, inputs.deficit(part.base_year))
    if cover.growth_limit is not None:
        grown = np.fmin(grown, cover.growth_limit * inputs.size("dsg", part.base_year))
    amount = cover.shares[year] * grown
    if part.budget is None:
        return amount
    return within(part.budget, inputs, part.base_year, amount, grown, left)


def instalments(scheme: Scheme, inputs: Inputs) -> list[Flow]:
    """What the scheme changes in the safety valve instalments after its base date."""
    variants = {part.safety_valve for part in scheme.parts} - {"as_projected"}

    def worked_out(whole: Inputs) -> list[Flow]:
        flows = []
        for year in (later for later in whole.years if later > scheme.base_year):
            wanted = whole.agreed_in(year) if "continue" in variants else 0.0
            change = wanted - whole.safety_valve_payments(year)
            if change.any():
                flows.append(Flow("safety_valve", year, MIDDLE, change, 1))
        return flows

    return inputs.shared(("instalments", (*variants, scheme.base_year)), worked_out) if variants else []


def with_instalments(scheme: Scheme, inputs: Inputs) -> Inputs:
    """The inputs with the projection's balances as they are once the scheme has changed the instalments.

    An instalment comes half-way through a year: the year's average changes by half as much as its end.
    """
    flows = instalments(scheme, inputs)

    def worked_out() -> Inputs:
        moved = np.zeros((len(inputs.years), len(inputs.codes), 1))
        for flow in flows:
            moved[inputs.years.index(flow.year) :] += flow.amount
        return replace(inputs, moved=moved)

    key = "with_instalments", (scheme.base_year, *(part.safety_valve for part in scheme.parts))
    return inputs.once(key, worked_out) if flows else inputs


def _dated(part: Scheme, inputs: Inputs, amount: Array) -> list[Flow]:
    """A write-off in the years in which it is paid; that of councils approved late, later."""
    approval, at, earned = part.approval, part.part_of_year, part.base_year
    # The same draw that decides on approval: the last of the approved are the late ones.
    late = inputs.chance >= approval.probability * (1 - approval.late) if approval.late else None
    flows = []
    for year, portion in enumerate(part.instalments, start=part.paid_in):
        due = amount if portion == 1 else portion * amount
        flows.append(Flow("write_off", year, at, due if late is None else due * ~late, 1, earned))
        if late is not None:
            flows.append(Flow("write_off", year + approval.delay, at, due * late, 1, earned))
    return flows


def annuity(years: int, rate: float) -> float:
    """Equal yearly repayment of £1 lent, the first a year after it."""
    # expm1 and log1p keep their digits where the rate is next to nothing.
    return 1 / years if rate == 0 else rate / -math.expm1(-years * math.log1p(rate))


def _repaid(loan: Repayment, inputs: Inputs, lent: Flow) -> list[Flow]:
    """Repayments of one payment, those after the projection's last year too."""
    rate = inputs.rate_in(lent.year) if loan.rate is None else loan.rate
    amount = lent.amount * annuity(loan.years, rate)
    raises = -1 if loan.borne_by == "dsg" else 0
    return [Flow("repayment", lent.year + year, lent.at, amount, raises) for year in range(1, loan.years + 1)]


def _levied(inputs: Inputs, flows: Sequence[Flow]) -> list[Flow]:
    """What councils give up of their DSG, in proportion to it, so that the grants cost no new money."""
    levies = []
    for flow in flows:
        if flow.kind in ("write_off", "cover"):
            grant = np.nan_to_num(inputs.size("dsg", flow.year))
            levies.append(Flow("levy", flow.year, flow.at, grant / grant.sum() * flow.total, -1))
    return levies


class Step(NamedTuple):
    """One financial year: £, shape (authorities, draws) or broadcasting to it.

    `before`, `projected`: the projection's balance at its start and end. What the scheme has added to them:
    `added` at the end and `halfway` on average, None where nothing. All else comes evenly through the year, so
    that half of it stands on average; a grant stands once it is paid.
    """

    year: int
    rate: float
    before: Array
    projected: Array
    added: Array | None
    halfway: Array | None

    @property
    def closing(self) -> Array:
        """£ at the end of the year, negative = deficit."""
        return self.projected if self.added is None else self.projected + self.added

    def interest(self, places: Rows = slice(None)) -> Array:
        """£ (>= 0) on the average deficit of the year, of all councils or those of some rows."""
        average = 0.5 * (self.before[places] + self.projected[places])
        if self.halfway is not None:
            average += self.halfway[places]
        return self.rate * np.maximum(0.0 - average, 0.0)


def walk(scheme: Scheme, inputs: Inputs, flows: Sequence[Flow]) -> Iterator[Step]:
    """The years of the projection after its first, one by one, with what the scheme makes of them."""
    added: Array | None = None
    for before, year in pairwise(inputs.years):
        halfway = added
        for flow in flows:
            if flow.year == year and flow.raises:
                change = flow.amount if flow.raises == 1 else -flow.amount
                part = change * (1 - flow.at)
                added = change if added is None else added + change
                halfway = part if halfway is None else halfway + part
        ends = inputs.balance(before), inputs.balance(year)
        step = Step(year, inputs.rate_in(year), *ends, added, halfway)
        if charged_to_dsg(scheme, year):
            interest = step.interest()
            added = -interest if added is None else added - interest
            step = step._replace(added=added)
        yield step


def charged_to_dsg(scheme: Scheme, year: int) -> bool:
    """Whether the interest of a year lies on the DSG: after the base date, where the scheme says so."""
    return scheme.interest_borne_by == "dsg" and year > scheme.base_year


def balances(scheme: Scheme, inputs: Inputs, flows: Sequence[Flow]) -> xr.DataArray:
    """£ at each 31 March with the scheme, dims (draw, authority, year), negative = deficit."""
    values = inputs.balances.copy(order="K")
    for place, step in enumerate(walk(scheme, inputs, flows), start=1):
        if step.added is not None:
            values[place] += step.added
    return labelled(inputs, values).rename("balance")


def ledger(scheme: Scheme, inputs: Inputs, flows: Sequence[Flow]) -> xr.Dataset:
    """Every pound of every council, year and draw: dims (draw, authority, year), £, for the years after the first.

    opening and closing balance (negative = deficit); in_year, the projection's position without grants; write_off,
    cover, safety_valve (all instalments received), contribution, clawback, levy, repayment, interest (each >= 0);
    charged, the part of repayment and interest that lies on the DSG instead of the general fund. In every cell

        closing = opening + in_year + write_off + cover + safety_valve + contribution - clawback - levy - charged
    """
    years = inputs.years[1:]
    shape = (len(years), *inputs.shape)
    on_dsg = scheme.interest_borne_by == "dsg" or any(flow.kind == "repayment" and flow.raises for flow in flows)
    # What the scheme has none of takes no memory: one zero stands for all of it.
    used = {"opening", "closing", "in_year", "interest", "safety_valve", *(flow.kind for flow in flows)}
    used |= {"charged"} if on_dsg else set()
    money: dict[str, Array] = {
        name: np.zeros(shape) if name in used else np.broadcast_to(0.0, shape)
        for name in ("opening", "closing", "in_year", "interest", *RAISES, "charged")
    }
    opening = inputs.balances[0]
    for place, step in enumerate(walk(scheme, inputs, flows)):
        year, received = step.year, inputs.safety_valve_payments(step.year)
        money["opening"][place], money["closing"][place] = opening, step.closing
        opening = money["closing"][place]
        money["interest"][place], money["safety_valve"][place] = step.interest(), received
        money["in_year"][place] = inputs.balance(year) - inputs.balance(year - 1) - received
        for flow in (flow for flow in flows if flow.year == year):
            money[flow.kind][place] += flow.amount
            if flow.kind == "repayment" and flow.raises:
                money["charged"][place] += flow.amount
        if charged_to_dsg(scheme, year):
            money["charged"][place] += money["interest"][place]
    found = xr.Dataset({name: labelled(inputs, values, years) for name, values in money.items()})
    return found.assign_attrs(units="£")


def labelled(inputs: Inputs, values: Array, years: list[int] | None = None) -> xr.DataArray:
    """£ of shape ([years,] authorities, draws) as dims (draw, authority[, year]), with places' names; no copy."""
    dataset, dims = inputs.projection.simulations, ("draw", "authority", "year")[: values.ndim]
    coords: dict[str, Any] = {name: dataset[name] for name in ("authority", "name", "region", "type")}
    coords |= {"year": years or inputs.years} if values.ndim == 3 else {}
    return xr.DataArray(values.T, dims=dims, coords=coords, attrs={"units": "£"})
