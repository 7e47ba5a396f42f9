"""A scheme applied to a projection: its result, with what it costs and whom it helps as methods."""

from __future__ import annotations

from deficits.errors import SchemeError
from deficits.projection import Projection
from deficits.validation import one_of
from deficits.writeoff import costs, distribution
from deficits.writeoff.inputs import Inputs, RateGiven, inputs_of
from deficits.writeoff.result import Result
from deficits.writeoff.scheme import Scheme


class WriteOff(Result):
    """A scheme applied to a projection, on the same simulations: `Result`, and the analyses of `costs` and
    `distribution`, each of them a function of a result."""

    _inner = frozenset(("inputs", "flows", "of", "home", "total", "rows", "england_row"))
    interest = costs.interest
    cost_of_delay = costs.of_delay
    exchequer = costs.exchequer
    against = distribution.against
    concentration = distribution.concentration
    help_so_far = distribution.help_so_far
    moral_hazard = distribution.moral_hazard


def write_off(projection: Projection | Inputs, scheme: Scheme | str, *, rate: RateGiven | None = None) -> WriteOff:
    """What a scheme, or the one of a name, does to each draw of a projection. With `Inputs` in hand, many schemes
    share their work.

    `rate`: the financing rate, a year or by financial year, or the name of one ("pwlb"; see `financing_rate`); the
    projection's unless given. Raises SchemeError when the base date or a payment lies outside the projection's
    years.
    """
    chosen = one_of("scheme", scheme, Scheme, Scheme.read, SchemeError)
    return WriteOff.of(chosen, inputs_of(projection, rate))
