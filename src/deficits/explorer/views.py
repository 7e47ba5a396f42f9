"""What the explorer shows of a state: headline, figure, table. Plain values in and out; no widget is needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from html import escape
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from deficits.assumptions import Assumptions
from deficits.explorer.fan import Fan, fan_svg
from deficits.explorer.state import State
from deficits.formatting import (
    MINUS,
    balance,
    balance_range,
    day_in_words,
    england_range,
    estimate,
    estimate_range,
    financial_year,
    gbp,
    year_end,
)
from deficits.panel import load_panel, read_splits
from deficits.projection import Projection, england, profile, project
from deficits.projection.projection import Place
from deficits.reform_plan import ReformPlan, plan
from deficits.reports import REPORTS
from deficits.scenario import Scenario, as_yaml
from deficits.simulated import QUANTILES
from deficits.writeoff import Inputs, WriteOff, write_off

Array = npt.NDArray[np.float64]
T = TypeVar("T")
KEPT = 9
"""Projections and results that an engine keeps: enough to go back and forth between two scenarios."""


def simulations(place: Place, values: Any) -> Array:
    """A council's balance (negative = deficit), or councils' gross deficit (>= 0), £, shape (years, draws)."""
    if place.kind == "council":
        one: Array = values.sel(authority=place.codes[0]).transpose("year", "draw").values
        return one
    inside, ordered = _rows(place, values), values.transpose("year", "authority", "draw").values
    # A year at a time stays in the processor's cache; -min(b, 0) is max(-b, 0).
    return 0.0 - np.stack([np.minimum(year[inside], 0.0).sum(axis=0) for year in ordered])


def _rows(place: Place, values: Any) -> Any:
    """What picks a place's councils out of an array of those of `values`; of all of them no copy is made."""
    known = values["authority"].values
    return slice(None) if len(place.codes) == len(known) else np.isin(known, place.codes)


class Engine:
    """Projections and write-offs by what they depend on: only what a change touches is worked out again."""

    def __init__(self) -> None:
        self._held: dict[Any, Any] = {}

    def _cached(self, key: Any, work: Callable[[], T]) -> T:
        found: T = self._held.pop(key) if key in self._held else work()
        self._held[key] = found  # the newest last, so that the oldest goes
        while len(self._held) > KEPT:
            del self._held[next(iter(self._held))]
        return found

    def projection(self, state: State, scenario: Scenario) -> Projection:
        """The projection of a scenario, on the same random numbers as that of any other."""
        run = (state.as_of, state.until, state.draws, state.seed)
        usual = self._cached(
            run, lambda: project(load_panel(state.as_of), until=state.until, draws=state.draws, seed=state.seed)
        )
        assumed, levers = scenario.assumptions, scenario.levers
        if assumed == Assumptions() and not levers:
            return usual
        key = (*run, assumed.model_dump_json(), *(lever.model_dump_json() for lever in levers))
        return self._cached(key, lambda: usual.with_assumptions(assumed, levers))

    def planned(self, state: State, projection: Projection, place: Place) -> ReformPlan | None:
        """The reform plan of a council on its projection; None without one, or with all of its actions off."""
        if state.actions is None or place.kind != "council" or not state.value("actions"):
            return None
        chosen = state.actions.without(*state.off)
        _, plans = self._cached(("plans", id(projection)), lambda: (projection, projection.plans()))
        key = ("plan", id(projection), place.codes[0], chosen.model_dump_json())
        return self._cached(key, lambda: plan(projection, place.codes[0], chosen, plans))

    def balances(self, projection: Projection, scenario: Scenario) -> tuple[Any, WriteOff | None]:
        """Balances of a scenario's projection, its first scheme's grants in them; and the scheme's result."""
        if not scenario.schemes:
            return projection.balance, None

        def made() -> Inputs:
            held = (each for each in self._held.values() if isinstance(each, Inputs))
            alike = next((each for each in held if each.panel is projection.panel), None)
            return Inputs(projection) if alike is None else alike.on(projection)

        result = write_off(self._cached(("inputs", id(projection)), made), scenario.schemes[0])
        return result.standing, result

    def simulated(self, state: State, area: Place, other: Scenario) -> Array:
        """Simulations of the scenario that a state is compared with, which has no reform plan."""
        key = (state.as_of, state.until, state.draws, state.seed, area, other.text())
        return self._cached(key, lambda: simulations(area, self.balances(self.projection(state, other), other)[0]))


class View:
    """What is shown of a state: every number is the package's own for it, rounded once, here.

    `scenario` and `other` are simulations of the deficit (>= 0) or the council's balance (negative = deficit), £,
    shape (years, draws), on the same random numbers; `other` is None where nothing is compared. `observed`:
    published figures by year, £. `result`: the write-off; `plan`: the council's reform plan.

    Raises DeficitsError where the package refuses the state.

    >>> View(State(until=2027, draws=200)).meaning
    "England's gross deficit at 31 March 2027 (80% range)."
    """

    def __init__(self, state: State, engine: Engine | None = None) -> None:
        engine = engine or Engine()
        self.state = state
        usual = engine.projection(state, state.scenario)
        self.area = usual.place(state.place)
        self.of_council = self.area.kind == "council"
        self.plan = engine.planned(state, usual, self.area)
        self.projection = self.plan.projection if self.plan else usual
        balances, self.result = engine.balances(self.projection, state.scenario)
        self.years = tuple(self.projection.years)
        self.scenario = simulations(self.area, balances)
        same = state.other == state.scenario and self.plan is None
        self.other = None if state.other is None or same else engine.simulated(state, self.area, state.other)
        self.observed = _observed(state.as_of, self.area)

    @cached_property
    def quantiles(self) -> pd.DataFrame:
        """The figure's numbers, £, unrounded: indexed by (path, year), columns p10 to p90."""
        paths = {"scenario": self.scenario} | ({} if self.other is None else {self.state.other_name: self.other})
        levels = list(QUANTILES.values())
        found = {name: np.quantile(draws, levels, axis=1).T for name, draws in paths.items()}
        frames = [pd.DataFrame(each, index=list(self.years), columns=list(QUANTILES)) for each in found.values()]
        return pd.concat(frames, keys=found, names=["path", "year"])

    @cached_property
    def lead(self) -> str:
        """The 80% range at the last year end."""
        low, high = self.quantiles.loc[("scenario", self.years[-1]), ["p10", "p90"]]
        told = balance_range(low, high) if self.of_council else self._said(low, high, year=self.years[-1])
        told = told.removeprefix("a ")
        return told[:1].upper() + told[1:]

    @property
    def meaning(self) -> str:
        """What the headline is of."""
        what = "balance" if self.of_council else "gross deficit"
        whose = f"{self.area.name}'" if self.area.name.endswith("s") else f"{self.area.name}'s"
        return f"{whose} {what} at {year_end(self.years[-1])} (80% range)."

    @cached_property
    def points(self) -> list[str]:
        """What else a reader needs: central estimate, difference, grant, interest, a division to come."""
        last = float(np.median(self.scenario[-1]))
        central = balance(last, estimate) if self.of_council else self._said(last, year=self.years[-1])
        told = [f"Central estimate: {central}."]
        if self.other is not None:
            apart = (self.scenario[-1] - self.other[-1]) * (-1 if self.of_council else 1)
            amounts = np.quantile(apart, (0.1, 0.5, 0.9))
            low, middle, high = (f"{'+' if each > 0 else MINUS}{self._said(abs(each))}" for each in amounts)
            told.append(
                f"The same as {self.state.other_name} in every simulation."
                if all(gbp(each) == gbp(0) for each in amounts)
                else f"Deficit compared with {self.state.other_name}, simulation by simulation: {low} to {high}; "
                f"central estimate {middle}."
            )
        if self.plan is not None:
            low, middle, high = np.quantile(self.plan.saved.sum(axis=0), (0.1, 0.5, 0.9))
            what = f"The reform plan's actions ({len(self.plan.actions.actions)}) take {self._said(low, high)}"
            told.append(f"{what} off the deficit by then; central estimate {self._said(middle)}.")
        elif self.state.plan is not None and not self.of_council:
            told.append("A reform plan is one council's: choose a council to see what its actions do.")
        if self.result is not None:
            scheme, inside = self.result.scheme, _rows(self.area, self.result.standing)
            low, middle, high = np.quantile(self.result.grant.values.T[inside].sum(axis=0), (0.1, 0.5, 0.9))
            paid = f"pays {self._said(low, high)} from {financial_year(scheme.paid_in)}"
            told.append(f"{scheme.title}: {paid}; central estimate {self._said(middle)}.")
        ends = self.scenario[-2:]
        deficits = np.maximum(-ends, 0.0) if self.of_council else ends
        rate = self.state.scenario.assumptions.financing_rate
        low, high = np.quantile(rate * deficits.mean(axis=0), (0.1, 0.9))
        told.append(f"Interest on it in {financial_year(self.years[-1])}: about {self._said(low, high)}.")
        split = read_splits().get(self.area.codes[0]) if self.of_council else None
        if split is not None and (self.state.as_of is None or split.decided.isoformat() <= self.state.as_of):
            when, heirs = day_in_words(split.on), " and ".join(split.successors)
            told.append(f"{self.area.name} is to be divided on {when}; this is {heirs} together.")
        return told

    def _said(self, *ends: float, year: int = 0) -> str:
        """An estimate or its range: a council's to two figures, England's deficit at a year end as known then."""
        if self.of_council:
            return estimate_range(ends[0], ends[-1])
        ahead = year - self.projection.base_year if self.area.kind == "England" else 0
        return england_range(ends[0], ends[-1], ahead)

    @property
    def headline(self) -> str:
        """Range, meaning and points as one text."""
        return " ".join([f"{self.lead}.", self.meaning, *self.points])

    @property
    def alt(self) -> str:
        """The figure in words."""
        return f"Fan chart. {self.meaning} {self.lead}. {self.points[0]}"

    def svg(self, width: int = 640) -> str:
        """The figure: the scenario's fan, the other's as a dashed outline, and what is published."""
        fans = []
        for key in self.quantiles.index.unique("path"):
            path, name = self.quantiles.loc[key], key.removeprefix("the ")[:18].capitalize()
            name = "Projection" if key == "scenario" and self.state.is_baseline else name
            end = self._said(path["p50"].iloc[-1], year=self.years[-1])
            fans.append(Fan(name, end, path.to_numpy().T, outline=key != "scenario"))
        return fan_svg(self.years, fans, self.observed, self.alt, width)

    @property
    def code(self) -> str:
        """Python that gives what is shown, as it stands; its last line is the table of the figure's quantiles."""
        state, area = self.state, self.area
        panel = f'd.load_panel("{state.as_of}")' if state.as_of else "d.load_panel()"
        text = as_yaml(state.declared)
        scenario = "d.Scenario()" if state.scenario == Scenario() else f'd.Scenario.parse("""\n{text}""")'
        run = f"until={state.until}, draws={state.draws}, seed={state.seed}"
        lines = ["import deficits as d", "", f"panel = {panel}", f"scenario = {scenario}"]
        lines.append(f"projection = scenario.project(panel, {run})")
        if self.plan is not None:
            lines.insert(1, "from deficits.reform_plan import Actions")
            actions = f'Actions.read("{state.plan_name}")'
            actions += f".without({', '.join(map(repr, state.off))})" if state.off else ""
            lines.append(f'projection = d.plan(projection, "{area.codes[0]}", {actions}).projection')
        shown = "projection"
        if state.scheme is not None:
            lines.append("result = d.write_off(projection, scenario.schemes[0])")
            shown = "result"
        if self.of_council:
            lines.append(f'{shown}.authority("{area.codes[0]}")  # {area.name}')
        elif area.kind == "England":
            lines.append("result.england()" if state.scheme else 'projection.england().loc["gross"]')
        else:
            lines.insert(1, "from deficits.projection import national, quantiles")
            held = f"{shown}.{'standing' if state.scheme else 'balance'}"
            inside = f'{held}.sel(authority=projection.codes("{area.name}"))'
            lines.append(f'quantiles(national({inside}, "gross"))')
        return "\n".join(lines)

    @property
    def report(self) -> tuple[str, dict[str, object], str]:
        """The report nearest to what is shown: its name, its parameters, and what of the state it leaves out."""
        state, area, left_out = self.state, self.area, []
        values: dict[str, object] = {"until": state.until, "draws": state.draws, "seed": state.seed}
        values |= {} if state.as_of is None else {"as_of": state.as_of}
        values |= {"authority": area.codes[0]} if self.of_council else {}
        schemes = state.declared.get("schemes", [])[:1]  # a report is on one
        if self.plan is not None:
            name, values["actions"] = "plan", state.plan
            left_out += [] if state.scenario == Scenario() else ["assumptions, levers and write-off"]
            left_out += [f"that {len(state.off)} of its actions are off"] if state.off else []
        else:
            name = "authority" if self.of_council else "england" if state.scheme is None else "writeoff"
            if state.declared.keys() - {"version"} == {"schemes"} and schemes[0].keys() == {"name"}:
                values["scheme"] = schemes[0]["name"]  # so that the page is the usual one of that scheme
            elif not state.is_baseline:
                values["scenario"] = as_yaml(state.declared | ({"schemes": schemes} if schemes else {}))
            if area.kind == "region":
                left_out.append(f"{area.name} alone (it is on England, and has its regions)")
            if len(state.scenario.schemes) > 1:
                left_out.append(f"further schemes ({len(state.scenario.schemes) - 1})")
        told = f"The report nearest to this is “{REPORTS[name].title}”."
        return name, values, f"{told} It leaves out: {'; '.join(left_out)}." if left_out else told

    def table(self) -> str:
        """The figure's numbers as an HTML table with scoped headers."""
        words = {"p10": "low", "p50": "central", "p90": "high"}
        shown = [(path, part) for path in sorted(self.quantiles.index.unique("path")) for part in words]
        head = "".join(f'<th scope="col">{escape(path)}: {words[part]}</th>' for path, part in shown)
        values, rows = self.quantiles.to_dict(), ""
        for year in self.years:
            cells = "".join(f"<td>{self._said(values[part][path, year], year=year)}</td>" for path, part in shown)
            rows += f'<tr><th scope="row">{year}</th>{cells}</tr>'
        return (
            '<div class="deficits-scroll" role="region" tabindex="0" aria-label="The numbers of the figure">'
            f"<table><caption>{escape(self.area.name)}: 80% range and central estimate</caption>"
            f'<thead><tr><th scope="col">At 31 March</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        )


@lru_cache(maxsize=8)
def _observed(as_of: str | None, area: Place) -> tuple[tuple[int, float], ...]:
    if area.kind == "region":
        return ()
    panel, council = load_panel(as_of), area.kind == "council"
    frame = profile.known_balances(panel, area.codes[0]) if council else england.observed_gross(panel)
    rows = frame.dropna(subset=["value"]).sort_values("year")
    return tuple(zip(rows["year"].astype(int), rows["value"].astype(float), strict=True))
