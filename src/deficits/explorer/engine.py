"""From a state to the draws that the panel shows, with what did not change kept from before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from deficits.errors import PanelError, ProjectionError, closest
from deficits.explorer.fan import Observed
from deficits.explorer.state import ENGLAND, State
from deficits.formatting import day_in_words
from deficits.panel import Panel, Split, load_panel, read_splits
from deficits.projection import Assumptions, Lever, Projection, project
from deficits.reports import stories
from deficits.writeoff import Inputs, WriteOff, write_off

Array = npt.NDArray[np.float64]

CHANCES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Area:
    """Where: England, a region or a council, and the places of its councils along the projection's authorities."""

    name: str
    kind: str
    codes: tuple[str, ...]
    places: tuple[int, ...]

    @property
    def is_council(self) -> bool:
        """Whether its balance is shown (negative = deficit), and not a gross deficit (>= 0)."""
        return self.kind == "council"


@dataclass(frozen=True)
class Shown:
    """Draws of what is shown, £, shape (years, draws): a gross deficit (>= 0), or a council's balance.

    `baseline` is on the package's own assumptions, `scenario` on the state's; the draws of both are of the same
    random numbers, so their difference draw by draw is what the scenario does. `grant`: £ a draw, with a scheme.
    """

    area: Area
    years: tuple[int, ...]
    baseline: Array
    scenario: Array
    grant: Array | None
    projection: Projection
    result: WriteOff | None
    observed: tuple[Observed, ...]


class Engine:
    """Projections and write-offs by what they depend on: only what a change touches is worked out again."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}

    def shown(self, state: State) -> Shown:
        """The draws of a state. Raises DeficitsError where the package refuses it; then nothing is changed."""
        panel = load_panel(state.as_of)
        run = (state.as_of, state.until, state.draws, state.seed)
        baseline = self._once(
            "baseline",
            run,
            lambda: project(panel, Assumptions(), until=state.until, draws=state.draws, seed=state.seed),
        )
        levers = tuple(pick.lever() for pick in state.levers)
        changed = (*run, state.assumptions, levers)
        projection = self._once("projection", changed, lambda: _again(baseline, state.assumptions, levers))
        result = None
        if state.scheme is not None:
            scheme = state.scheme.scheme()
            inputs = self._once("inputs", changed, lambda: Inputs(projection))
            result = self._once("result", (*changed, scheme), lambda: write_off(inputs, scheme))
        area = self._once(
            "area", (state.as_of, state.until, state.place), lambda: find_area(projection, state.place)
        )
        before = self._once("before", (*run, area), lambda: draws_of(baseline.balance, area))
        if result is not None:
            after = draws_of(result.balance, area)
        else:
            after = before if projection is baseline else draws_of(projection.balance, area)
        observed = self._once("observed", (state.as_of, area), lambda: _observed(panel, area))
        grant = None if result is None else result.grant.values[:, list(area.places)].sum(axis=1)
        return Shown(area, tuple(projection.years), before, after, grant, projection, result, observed)

    def _once(self, name: str, key: Any, work: Callable[[], Any]) -> Any:
        """What was worked out for this key; one is kept a name, and only once it has been worked out whole."""
        held = self._kept.get(name)
        if held is None or held[0] != key:
            held = self._kept[name] = (key, work())
        return held[1]


def _again(baseline: Projection, assumptions: Assumptions, levers: tuple[Lever, ...]) -> Projection:
    if assumptions == Assumptions() and not levers:
        return baseline
    return baseline.with_assumptions(assumptions, levers)


def places(panel: Panel) -> list[str]:
    """Everything that the place control offers: England, its regions, its councils by name."""
    frame = panel.authorities.frame
    now = frame[frame["last_year"].isna()]
    return [ENGLAND, *sorted(set(now["region"])), *sorted(now["name"])]


def find_area(projection: Projection, word: str) -> Area:
    """England, a region or a council. PanelError or ProjectionError offers the closest, or its successors."""
    text = word.strip()
    codes = [str(code) for code in projection.dataset["authority"].values]
    if text.casefold() in ("", ENGLAND.casefold()):
        return Area(ENGLAND, "England", tuple(codes), tuple(range(len(codes))))
    regions = {str(region).casefold(): str(region) for region in projection.fit.councils["region"]}
    if text.casefold() in regions:
        region = regions[text.casefold()]
        inside = projection.in_region(region)
        return Area(region, "region", tuple(inside), tuple(codes.index(code) for code in inside))
    try:
        code = projection.code(text)
    except PanelError:
        _refuse_successor(projection.panel, text)
        known = [ENGLAND, *regions.values(), *projection.panel.authorities.frame["name"]]
        raise ProjectionError(f"no council or region '{text}': {closest(text, known)}") from None
    return Area(projection.panel.authorities.name(code), "council", (code,), (codes.index(code),))


def division(code: str, as_of: str | None) -> Split | None:
    """The division of a council that was decided by a day; None where none was."""
    split = read_splits().get(code)
    return split if split is not None and (as_of is None or split.decided.isoformat() <= as_of) else None


def _refuse_successor(panel: Panel, text: str) -> None:
    """ProjectionError for a council that is not there yet: it names the one that is to be divided."""
    for code, split in read_splits().items():
        for name in split.successors:
            if name.casefold() == text.casefold():
                raise ProjectionError(
                    f"{name} begins on {day_in_words(split.on)}; until then ask for {panel.authorities.name(code)}"
                )


def draws_of(balance: Any, area: Area) -> Array:
    """A council's balance, or the gross deficit of several councils, £, shape (years, draws)."""
    # As the projection lays draws out in memory this is no copy.
    values = balance.transpose("year", "authority", "draw").values
    if area.is_council:
        one: Array = values[:, area.places[0]]
        return one
    inside = slice(None) if len(area.places) == values.shape[1] else list(area.places)
    total = np.empty((values.shape[0], values.shape[2]))
    for year, balances in enumerate(values):
        # -min(b, 0) summed is max(-b, 0) summed; a year at a time stays in the processor's cache.
        np.sum(np.minimum(balances[inside], 0.0), axis=0, out=total[year])
    return 0.0 - total


def quantiles(draws: Array) -> Array:
    """p10, p25, p50, p75 and p90 over draws: shape (5, years)."""
    found: Array = np.quantile(draws, CHANCES, axis=-1)
    return found


def _observed(panel: Panel, area: Area) -> tuple[Observed, ...]:
    if area.kind == "region":
        return ()
    if area.is_council:
        frame = stories.observed_balances(panel, area.codes[0]).rename(columns={"basis": "label"})
    else:
        frame = stories.observed_gross(panel)
    rows = frame.dropna(subset=["value"]).sort_values("year")
    return tuple(
        Observed(int(row.year), float(row.value), str(row.label)[:1].upper() + str(row.label)[1:])
        for row in rows.itertuples()
    )


def baseline_of(state: State) -> State:
    """The state on the package's own assumptions: same place, dates and draws."""
    return replace(state, assumptions=Assumptions(), levers=(), scheme=None, further=(), title=None)
