"""Many schemes on the same draws: what each costs and buys, which beats which, which are dominated."""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from deficits.errors import SchemeError, closest
from deficits.projection import Projection
from deficits.projection.projection import QUANTILES
from deficits.writeoff import costs
from deficits.writeoff.distribution import gini, top_share
from deficits.writeoff.inputs import Array, Inputs
from deficits.writeoff.result import Result, back, gross, steps_after
from deficits.writeoff.scheme import Scheme

BETTER: dict[str, int] = {
    "cost": -1,
    "present_cost": -1,
    "councils_pay": -1,
    "deficit": -1,
    "above_reserves": -1,
    "years_bought": 1,
    "gini": -1,
    "top_10_share": -1,
}
"""The measures of a scheme, and whether more (1) or less (-1) is better. Of concentration, less is only more
even."""
JUDGED = ("present_cost", "councils_pay", "deficit", "above_reserves", "years_bought", "gini")
"""What a scheme must be no worse in, and better in one, to dominate another."""
NEVER = 1e3
"""Years that stand for never where schemes are put in order."""
WORKERS = 2
CHUNK = 25
"""Schemes of one task."""
BLOCK = 1_000
"""Draws worked through at a time."""


Measured = dict[str, Array]
"""Measures of schemes by name, each (schemes, draws)."""


@dataclass(frozen=True)
class Frontier:
    """Schemes side by side on the same draws.

    `draws` by measure (see `BETTER`): shape (schemes, draws). cost: £ of write-off and cover, in cash;
    present_cost: net of what stops, is clawed back, repaid or levied, real and discounted to the base year;
    councils_pay: likewise discounted, what councils contribute, repay or give up, and interest of their general
    funds to `year`; deficit: England's gross deficit at 31 March of `year`, £; above_reserves: councils with
    more deficit than usable reserves then; years_bought: inf where the deficit is not back; gini (of £ a pupil
    between councils) and top_10_share: NaN where nothing is paid.
    """

    schemes: tuple[Scheme, ...]
    year: int
    draws: dict[str, Array]

    @cached_property
    def titles(self) -> list[str]:
        """Titles of the schemes, numbered where two are the same."""
        titles = [scheme.title for scheme in self.schemes]
        return [
            title if titles.count(title) == 1 else f"{title} [{place + 1}]" for place, title in enumerate(titles)
        ]

    @cached_property
    def quantiles(self) -> dict[str, Array]:
        """p10, p50 and p90 of each measure, shape (3, schemes)."""
        return {name: _three(values) for name, values in self.draws.items()}

    def table(self) -> pd.DataFrame:
        """One row a scheme, cheapest first: p10, p50 and p90 of each measure, `cost_mean`, `dominated`, and by
        which.

        `dominated`: another scheme is no worse at the middle of the range in what it costs, leaves, buys and how
        evenly it pays, and better in one. `dominated_by` names one such scheme; `in_draws` is the share of draws
        in which that scheme both costs less (or the same) and leaves less (or the same).
        """
        columns: dict[str, Any] = {"status": [scheme.status for scheme in self.schemes]}
        for name, values in self.draws.items():
            columns |= {
                f"{name}_{at}": found for at, found in zip(("p10", "p50", "p90"), _three(values), strict=True)
            }
        columns["cost_mean"] = self.draws["cost"].mean(axis=1)
        frame = pd.DataFrame(columns, index=pd.Index(self.titles, name="scheme"))
        by = self.dominating()
        frame["dominated"] = [place is not None for place in by]
        frame["dominated_by"] = [None if place is None else self.titles[place] for place in by]
        frame["in_draws"] = [
            np.nan if place is None else self._both(place, number) for number, place in enumerate(by)
        ]
        return frame.sort_values(["present_cost_p50", "cost_mean"], kind="stable")

    def dominating(self) -> list[int | None]:
        """For each scheme, the place of the cheapest one that dominates it, None where none does."""
        # The middles, turned so that less is better; nothing paid is as even as can be.
        middles = np.column_stack(
            [-BETTER[name] * np.nan_to_num(self.quantiles[name][1], nan=0.0, posinf=NEVER) for name in JUDGED]
        )
        scale = np.maximum(np.abs(middles).max(axis=0), 1e-12)
        middles = np.round(middles / scale, 9)
        found: list[int | None] = []
        for mine in middles:
            worse = (middles <= mine).all(axis=1) & (middles < mine).any(axis=1)
            places = np.flatnonzero(worse)
            found.append(int(places[middles[places, 0].argmin()]) if len(places) else None)
        return found

    def beats(self, measure: str = "deficit") -> pd.DataFrame:
        """Share of draws in which the scheme of the row is better in a measure than that of the column (ties are
        not)."""
        values = np.nan_to_num(self._measure(measure), nan=0.0) * BETTER[measure]
        shares = np.array([(mine > values).mean(axis=1) for mine in values])
        return pd.DataFrame(shares, index=pd.Index(self.titles, name="scheme"), columns=self.titles)

    def differences(self, scheme: str, measure: str = "deficit") -> pd.DataFrame:
        """Each scheme less one of them, draw by draw: mean, p10, p50, p90, in the unit of the measure."""
        if scheme not in self.titles:
            raise SchemeError(f"no scheme '{scheme}' here: {closest(scheme, self.titles)}")
        values = self._measure(measure)
        if not np.isfinite(values).all():
            raise SchemeError(f"{measure} is not a number in every draw: compare it with beats()")
        less = values - values[self.titles.index(scheme)]
        low, middle, high = _three(less)
        columns = {"mean": less.mean(axis=1), "p10": low, "p50": middle, "p90": high}
        return pd.DataFrame(columns, index=pd.Index(self.titles, name="scheme"))

    def ranks(self, measure: str = "deficit") -> pd.DataFrame:
        """Rank of each scheme in a measure, 1 is best: at the middle, p10 and p90 over draws, and share of draws
        first.

        Ranks that stay over draws survive the width of the forecast.
        """
        values = -BETTER[measure] * np.nan_to_num(self._measure(measure), nan=0.0)
        rank = 1 + np.array([(values < mine).sum(axis=0) for mine in values])
        low, middle, high = _three(rank)
        columns = {"p10": low, "p50": middle, "p90": high, "first": (rank == 1).mean(axis=1)}
        return pd.DataFrame(columns, index=pd.Index(self.titles, name="scheme")).sort_values(["p50", "first"])

    def _measure(self, measure: str) -> Array:
        if measure not in self.draws:
            raise SchemeError(f"no measure '{measure}': {closest(measure, self.draws)}")
        return self.draws[measure]

    def _both(self, one: int, other: int) -> float:
        cheaper = self.draws["present_cost"][one] <= self.draws["present_cost"][other]
        return float((cheaper & (self.draws["deficit"][one] <= self.draws["deficit"][other])).mean())

    def __repr__(self) -> str:
        return f"Frontier of {len(self.schemes)} schemes, deficits at 31 March {self.year}\n{self.table()}"


def frontier(
    projection: Projection, schemes: Sequence[Scheme], *, year: int | None = None, cluster: str | None = None
) -> Frontier:
    """Compare any number of schemes on the same draws.

    `year`: year end at which the deficit and the councils above reserves are counted; by default the first
    scheme's `override_ends`, or the projection's last year. `cluster`: address of a dask.distributed scheduler
    (tcp://...), which shares the schemes among its workers; the result is the same.

    >>> import deficits as d
    >>> projection = d.project(d.load_panel(), draws=200)
    >>> shares = d.Scheme.read("flat-share").vary(share=[0.5, 0.75, 1.0])
    >>> bool(d.frontier(projection, shares).table()["cost_p50"].is_monotonic_increasing)
    True

    Raises SchemeError when there is no scheme, or one does not fit the projection.
    """
    chosen = tuple(schemes)
    if not chosen:
        raise SchemeError("no scheme to compare: give at least one")
    at = min(chosen[0].override_ends, projection.years[-1]) if year is None else projection.year(year)
    chunks = [chosen[start : start + CHUNK] for start in range(0, len(chosen), CHUNK)]
    draws = {name: np.empty((len(chosen), projection.dataset.sizes["draw"])) for name in BETTER}
    done = 0
    for part in _here(projection, chunks, at) if cluster is None else _there(projection, chunks, at, cluster):
        for name, values in part.items():
            draws[name][done : done + len(values)] = values
        done += len(part["cost"])
    return Frontier(chosen, at, draws)


def _here(projection: Projection, chunks: list[tuple[Scheme, ...]], year: int) -> Iterator[Measured]:
    """On this machine's cores: the arithmetic is numpy's, which lets threads run side by side."""
    blocks = Inputs(projection).blocks(BLOCK)
    measured(blocks, chunks[0][:1], year)
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(lambda chunk: measured(blocks, chunk, year), chunks)


def _there(
    projection: Projection, chunks: list[tuple[Scheme, ...]], year: int, address: str
) -> Iterator[Measured]:
    """On a cluster. The projection is a task's own result, not data scattered among workers: where a worker dies
    with it, the scheduler can hand it out again, so that nothing is lost."""
    try:
        from distributed import Client
    except ImportError:
        raise SchemeError("a cluster needs dask.distributed: pip install 'deficits[cluster]'") from None
    with Client(address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
        with warnings.catch_warnings():
            # It is large on purpose.
            warnings.filterwarnings("ignore", "Sending large graph")
            sent = client.submit(pickle.loads, pickle.dumps(projection), pure=False)
        tasks = [client.submit(_measured_there, sent, chunk, year, pure=False) for chunk in chunks]
        yield from client.gather(tasks)


def _measured_there(projection: Projection, chunk: tuple[Scheme, ...], year: int) -> Measured:
    return measured(Inputs(projection).blocks(BLOCK), chunk, year)


def measured(blocks: Sequence[Inputs], schemes: Sequence[Scheme], year: int) -> Measured:
    """The measures of schemes, each (schemes, draws)."""
    rows = [[_measures(block, scheme, year) for block in blocks] for scheme in schemes]
    return {name: np.array([np.concatenate([part[name] for part in row]) for row in rows]) for name in BETTER}


def _measures(inputs: Inputs, scheme: Scheme, year: int) -> Measured:
    if year <= scheme.base_year:
        raise SchemeError(f"{year} is not after the base date of '{scheme.title}': give a later year to frontier")
    result = Result.of(scheme, inputs)
    amounts = result.paid.total("write_off", "cover")
    reserves = inputs.size("reserves", scheme.base_year)
    level = gross(inputs.balance(scheme.base_year))
    left = level - result.paid.granted.sum(axis=0)
    borne: dict[int, Array] = {}
    path, deficit, above = [], level, level
    for step, granted in steps_after(scheme, inputs, result.paid, averages=range(scheme.base_year + 1, year + 1)):
        total = gross(granted)
        path.append((step.year - scheme.base_year, total))
        if step.average is not None and scheme.interest_borne_by == "general_fund":
            borne[step.year] = step.rate * gross(step.average)
        if step.year == year:
            deficit = total if granted is step.closing else gross(step.closing)
            above = (step.closing < -reserves).sum(axis=0)
        if step.year >= year and np.isfinite(back(level, left, path)).all():
            break
    for flow in result.paid.flows:
        if flow.kind in ("contribution", "repayment", "levy"):
            borne[flow.year] = borne.get(flow.year, 0.0) + flow.amount.sum(axis=0)
    exchequer = costs.exchequer_flows(result, as_agreed=False).values()
    return {
        "cost": amounts.sum(axis=0),
        "present_cost": sum((_present(result, flows) for flows in exchequer), start=np.zeros(inputs.shape[1])),
        "councils_pay": _present(result, borne),
        "deficit": deficit,
        "above_reserves": above.astype(float),
        "years_bought": back(level, left, path),
        "gini": gini(amounts / inputs.size("pupils", scheme.base_year)),
        "top_10_share": top_share(amounts),
    }


def _present(result: Result, by_year: dict[int, Array]) -> Array:
    """£ of several years in prices of the base year, discounted to it."""
    factors = costs.weights(result, sorted(by_year), result.scheme.base_year, costs.STPR)["present"]
    total = np.zeros(result.inputs.shape[1])
    for year, amount in by_year.items():
        total += factors[year] * amount
    return total


def _three(values: Array) -> Array:
    """p10, p50 and p90 of each row, each a value that occurs: between infinite ones there is nothing to
    interpolate."""
    rising = np.sort(values, axis=1)
    places = [math.ceil(QUANTILES[at] * rising.shape[1]) - 1 for at in ("p10", "p50", "p90")]
    found: Array = rising[:, places].T
    return found
