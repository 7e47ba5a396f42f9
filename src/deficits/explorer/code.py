"""The Python that gives what the panel shows, for copying: it runs as it stands, in a notebook or a script."""

from __future__ import annotations

from typing import Any

from deficits.explorer.engine import Area
from deficits.explorer.state import State

WHOLE = "# A lever or scheme of the scenario came whole from a file: save the scenario, and read it here."


def code(state: State, area: Area) -> str:
    """Python for a state; its last line is the table of quantiles that the figure draws.

    >>> from deficits.explorer.state import State
    >>> print(code(State(), Area("England", "England", (), ())))
    import deficits as d
    <BLANKLINE>
    panel = d.load_panel()
    projection = d.project(panel, until=2031, draws=4000, seed=1)
    projection.england().loc["gross"]
    """
    declared = state.declared
    things = [*declared.get("levers", []), *declared.get("schemes", [])]
    lines = ["import deficits as d"]
    if state.scheme is not None and area.kind == "region":
        lines.append("from deficits.projection import national, quantiles")
    as_of = f'"{state.as_of}"' if state.as_of else ""
    lines += ["", f"panel = d.load_panel({as_of})"]
    run = f"until={state.until}, draws={state.draws}, seed={state.seed}"
    if all("name" in thing for thing in things):
        lines += _written(declared, run)
        scheme = "scheme"
    else:
        lines += [WHOLE, 'scenario = d.Scenario.read("scenario.yaml")']
        lines += [f"projection = scenario.project(panel, {run})"]
        scheme = "scenario.schemes[0]"
    if state.scheme is None:
        lines.append(_quantiles("projection", area))
    else:
        if scheme == "scheme":
            lines.append(f"scheme = {_call('d.Scheme.read', declared['schemes'][0])}")
        lines += [f"result = {scheme}.apply(projection)", _with_scheme(area)]
    return "\n".join(lines)


def _written(declared: dict[str, Any], run: str) -> list[str]:
    lines, given = [], ["panel"]
    if "assumptions" in declared:
        assumptions = ", ".join(f"{name}={value!r}" for name, value in declared["assumptions"].items())
        lines.append(f"assumptions = d.Assumptions({assumptions})")
        given.append("assumptions")
    if "levers" in declared:
        lines += ["levers = [", *(f"    {_call('d.Lever.read', lever)}," for lever in declared["levers"]), "]"]
        given.append("levers=levers")
    return [*lines, f"projection = d.project({', '.join(given)}, {run})"]


def _call(function: str, declared: dict[str, Any]) -> str:
    """Reading a shipped lever or scheme with what is changed of it."""
    changes = {key: value for key, value in declared.items() if key not in ("name", "title")}
    told = "".join(f", {key}={value!r}" for key, value in changes.items())
    return f'{function}("{declared["name"]}"{told})'


def _quantiles(projection: str, area: Area) -> str:
    if area.is_council:
        return f'{projection}.authority("{area.codes[0]}")  # {area.name}'
    if area.kind == "region":
        return f'{projection}.region("{area.name}").loc["gross"]'
    return f'{projection}.england().loc["gross"]'


def _with_scheme(area: Area) -> str:
    if area.is_council:
        return f'result.authority("{area.codes[0]}")  # {area.name}'
    if area.kind == "region":
        inside = f'result.balance.sel(authority=projection.in_region("{area.name}"))'
        return f'quantiles(national({inside}, "gross"))'
    return "result.england()"
