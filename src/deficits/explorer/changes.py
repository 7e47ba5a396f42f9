"""What each control changes of a state: functions of a state and the control's value, for the panel to call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from deficits.explorer.state import State

Change = Callable[[State, Any], State]


def place(state: State, value: str) -> State:
    """Another place."""
    return replace(state, place=value)


def as_of(state: State, value: str) -> State:
    """Another day by which figures are known; nothing for all that is published."""
    return replace(state, as_of=value.strip() or None)


def until(state: State, value: int) -> State:
    """Another last year end."""
    return replace(state, until=value)


def compare(state: State, value: bool) -> State:
    """With the baseline beside it or not."""
    return replace(state, compare=value)


def assumption(name: str) -> Change:
    """An assumption at the control's value."""
    return lambda state, value: state.assumption(name, value)


def assumption_set(name: str, start: float) -> Change:
    """An assumption that the model works out, or one that is set and begins at `start`."""
    return lambda state, value: state.assumption(name, start if value else None)


def anchored(state: State, value: bool) -> State:
    """Held to the newest national figure or not."""
    return state.assumption("calibration", "newest" if value else "none")


def lever_on(name: str) -> Change:
    """A lever on or off."""
    return lambda state, value: state.lever(name, value)


def lever_size(name: str, size: str) -> Change:
    """A lever at another size."""
    return lambda state, value: state.lever(name, True, **{size: value})


def scheme(state: State, value: str | None) -> State:
    """Another scheme, or none."""
    return state.with_scheme(value)


def share(state: State, value: float) -> State:
    """Another share of each deficit."""
    return _scheme(state, share=value)


def base_year(state: State, value: int) -> State:
    """The deficit of another year end; the payment moves along with it."""
    if state.scheme is None:
        return state
    now = state.scheme.scheme()
    return _scheme(state, base_year=value, paid_in=now.paid_in + value - now.base_year)


def paid_in(state: State, value: int) -> State:
    """Paid in another financial year."""
    return _scheme(state, paid_in=value)


def budget(state: State, value: float) -> State:
    """Another national limit, £; 0 for none."""
    if state.scheme is None:
        return state
    now = state.scheme.scheme().budget
    allocation = {"allocation": now.allocation} if now and now.allocation != "pro_rata" else {}
    return _scheme(state, budget={"pounds": value, **allocation} if value else None)


def _scheme(state: State, **changes: Any) -> State:
    return state if state.scheme is None else state.with_scheme(state.scheme.name, **changes)
