"""Many schemes on the same simulations: what each costs and buys, which beats which, which are dominated."""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from deficits.errors import SchemeError
from deficits.formatting import year_end
from deficits.projection import Projection
from deficits.simulated import QUANTILES, Written, bars, with_units
from deficits.validation import known_word, several
from deficits.writeoff import costs
from deficits.writeoff.distribution import gini, top_share
from deficits.writeoff.inputs import Array, Inputs, RateGiven, inputs_of
from deficits.writeoff.ledger import Flow, charged_to_dsg, walk, with_instalments
from deficits.writeoff.result import PENNY, Places, Result, years_back
from deficits.writeoff.scheme import Scheme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BETTER: dict[str, int] = {
    "cost": -1,
    "present_cost": -1,
    "councils_pay": -1,
    "to_repay": -1,
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
UNITS = {"above_reserves": "councils", "years_bought": "years", "gini": "0 to 1", "top_10_share": "share"}
"""Units of measures that are not £."""
NEVER = 1e3
"""Years that stand for never where schemes are put in order."""
ROUNDING = 1e-6
"""Share of the largest value of a measure by which two schemes may differ and still be alike."""
WORKERS = 2
CHUNK = 100
"""Schemes of one task."""
BLOCK = 250
"""Draws worked through at a time: arrays of so many stay in the processor's cache."""
MANY = 16
"""Shares of one family from which on it is faster to sort its councils among them."""
KEPT = 400_000
"""Values of a measure that are kept draw by draw: of more schemes, evenly spaced draws; quantiles are of all."""
LEAST_KEPT = 200
CANDIDATES = 5
"""Schemes that are tried, cheapest first, as the one that dominates another."""


class Family(NamedTuple):
    """Schemes that differ in nothing but a flat share, and so pay each council the same but for a factor: one that
    pays all that is eligible, and for each its place among all schemes and its share, rising. Any other scheme is
    by itself, and pays once what it says."""

    scheme: Scheme
    places: list[int]
    times: Array


Measured = tuple[dict[str, Array], dict[str, Array]]
"""Measures of some schemes by name: those draws that are kept, (schemes, draws); p10, p50 and p90 of all draws,
(3, schemes)."""


@dataclass(frozen=True)
class Dates:
    """The dates that all schemes of a comparison share: the year end at which what is left is counted; that from
    which time is counted, and whose prices and present values amounts are in; and that after which councils' costs
    count."""

    at: int
    base: int
    start: int


@dataclass(frozen=True)
class Comparison(Written):
    """Schemes side by side on the same simulations, in prices of one year and from one date.

    Measures (see `BETTER`): cost: £ of write-off and cover, in cash; present_cost: net of what stops, is clawed
    back, repaid or levied, real and discounted to `dates.base`; councils_pay: likewise discounted, what councils
    contribute, repay or give up, and interest of their general funds to `dates.at`; to_repay: £ of loans that
    councils still owe with interest after `dates.at`, in cash; deficit: England's gross deficit then, £, grant
    that is owed counted as paid; above_reserves: councils with more deficit than usable reserves then, of
    the `reserves_known` whose reserves are published; years_bought: from 31 March of `dates.base` until England's
    gross deficit is back at its level of then without help, inf where it is not; gini (of £ per person aged 2
    to 18 between councils) and top_10_share: NaN where nothing is paid.

    `quantiles`: p10, p50, p90 of all draws, shape (3, schemes); `draws`: those kept, (schemes, draws).
    """

    schemes: tuple[Scheme, ...]
    dates: Dates
    draws: dict[str, Array]
    quantiles: dict[str, Array]
    reserves_known: int

    @property
    def year(self) -> int:
        """The year end at which what is left is counted."""
        return self.dates.at

    @cached_property
    def titles(self) -> list[str]:
        """Titles of the schemes, numbered where two are the same."""
        titles = [scheme.title for scheme in self.schemes]
        return [
            title if titles.count(title) == 1 else f"{title} [{place + 1}]" for place, title in enumerate(titles)
        ]

    def table(self) -> pd.DataFrame:
        """One row a scheme, cheapest (present cost) first: p10, p50 and p90 of each measure,
        `dominated`, and by which.

        `dominated`: another scheme is no worse at the median in each measure of `JUDGED`, differences within
        rounding left out, better in one, and no worse in all of them in at least half of the draws. `dominated_by`
        names the cheapest such scheme; `in_draws` is that share of draws.
        """
        columns: dict[str, Any] = {"status": [scheme.status for scheme in self.schemes]}
        for name, values in self.quantiles.items():
            columns |= {f"{name}_{at}": found for at, found in zip(("p10", "p50", "p90"), values, strict=True)}
        columns["reserves_known"] = self.reserves_known
        frame = pd.DataFrame(columns, index=pd.Index(self.titles, name="scheme"))
        by = self.dominating()
        frame["dominated"] = [place is not None for place, _ in by]
        frame["dominated_by"] = [None if place is None else self.titles[place] for place, _ in by]
        frame["in_draws"] = [share for _, share in by]
        frame = frame.sort_values(["present_cost_p50", "cost_p50"], kind="stable")
        return with_units(frame, "£", **UNITS, reserves_known="councils", in_draws="share of simulations")

    def dominating(self) -> list[tuple[int | None, float]]:
        """For each scheme, the place of the cheapest one that dominates it, and the share of draws in which that
        is no worse in every measure; None and NaN where none does."""
        middles = np.column_stack([_lower_is_better(name, self.quantiles[name][1]) for name in JUDGED])
        margin = _margin(middles, axis=0)
        found: list[tuple[int | None, float]] = []
        for place, mine in enumerate(middles):
            # What is not a number (nothing is paid) is neither better nor worse.
            no_worse = ~(middles > mine + margin)
            places = np.flatnonzero(no_worse.all(axis=1) & (middles < mine - margin).any(axis=1))
            cheapest = places[np.argsort(middles[places, 0], kind="stable")][:CANDIDATES]
            shares = ((int(other), self._no_worse(int(other), place)) for other in cheapest)
            found.append(next(((other, share) for other, share in shares if share >= 0.5), (None, math.nan)))
        return found

    def _no_worse(self, one: int, other: int) -> float:
        """Share of draws in which a scheme is no worse than another in each judged measure."""
        holds = np.ones(self.draws["cost"].shape[1], dtype=bool)
        for name in JUDGED:
            mine, theirs = (_lower_is_better(name, self.draws[name][place]) for place in (one, other))
            holds &= ~(mine > theirs + _margin(np.concatenate([mine, theirs])))
        return float(holds.mean())

    def difference(self, other: str) -> pd.DataFrame:
        """Every scheme less one of them, simulation by simulation: a long table as `to_frame`, whose mean, p10,
        p50 and p90 are of the difference (of the draws that are kept). Missing where either has no number in
        some draw (the deficit is not back, nothing is paid): `ranks` has those."""
        known_word("other", other, self.titles, SchemeError)
        place, less = self.titles.index(other), dict[str, Array]()
        for name, values in self.draws.items():
            known = np.isfinite(values).all(axis=1) & np.isfinite(values[place]).all()
            less[name] = np.full_like(values, np.nan)
            less[name][known] = values[known] - values[place]
        return self._long(less, {name: _three(values) for name, values in less.items()})

    def ranks(self, measure: str = "deficit") -> pd.DataFrame:
        """Rank of each scheme in a measure, 1 is best: median, p10 and p90 over draws, and share of draws
        first. Schemes that differ by no more than rounding share a rank; one without a value (nothing is paid) has
        none.

        Ranks that stay over draws survive the width of the forecast.
        """
        known_word("measure", measure, self.draws, SchemeError)
        values = _lower_is_better(measure, self.draws[measure])
        margin = _margin(values)
        rank = 1.0 + np.array([(values < mine - margin).sum(axis=0) for mine in values])
        rank[np.isnan(values)] = np.nan
        low, middle, high = _three(rank)
        columns = {"p10": low, "p50": middle, "p90": high, "first": (rank == 1).mean(axis=1)}
        frame = pd.DataFrame(columns, index=pd.Index(self.titles, name="scheme")).sort_values(["p50", "first"])
        return with_units(frame, "rank", first="share of simulations")

    @property
    def simulations(self) -> xr.Dataset:  # type: ignore[override]
        """Each measure with dims (scheme, draw): the draws that are kept, evenly spaced where there are many."""
        arrays = {
            name: (("scheme", "draw"), values, {"units": UNITS.get(name, "£")})
            for name, values in self.draws.items()
        }
        return xr.Dataset(arrays, coords={"scheme": self.titles}, attrs={"year": self.year})

    def to_frame(self) -> pd.DataFrame:
        """One long table: columns measure, unit, area, year, scheme, mean (of the draws that are kept), p10, p50,
        p90."""
        return self._long(self.draws, self.quantiles)

    def _long(self, draws: dict[str, Array], quantiles: dict[str, Array]) -> pd.DataFrame:
        rows = [
            (name, UNITS.get(name, "£"), "England", self.year, title, kept.mean(), *across)
            for name, values in draws.items()
            for title, kept, across in zip(self.titles, values, quantiles[name].T, strict=True)
        ]
        columns = ["measure", "unit", "area", "year", "scheme", "mean", "p10", "p50", "p90"]
        frame = pd.DataFrame(rows, columns=columns)
        frame.attrs["units"] = dict(zip(frame["measure"], frame["unit"], strict=True))
        return frame

    def plot(self, measure: str = "deficit", *, ax: Axes | None = None) -> Axes:
        """A bar for each scheme, on axes of your own or new ones: the median of a measure with its 80% range."""
        known_word("measure", measure, self.draws, SchemeError)
        frame = self.to_frame().query("measure == @measure").sort_values("p50")
        return bars(frame, "scheme", f"{measure.replace('_', ' ')} at {year_end(self.year)}", ax)

    def _repr_html_(self) -> str:
        frame = self.to_frame().query("unit == '£'")
        wide = frame.pivot(index="scheme", columns="measure", values="p50") / 1e9
        table = wide.to_html(float_format="{:,.2f}".format, border=0)
        head = f"{len(self.schemes)} schemes at {year_end(self.year)}, medians in £bn"
        return f"<p><strong>{head}</strong></p>{table}"

    def __repr__(self) -> str:
        return f"Comparison of {len(self.schemes)} schemes, deficits at {year_end(self.year)}\n{self.table()}"


def _lower_is_better(measure: str, values: Array) -> Array:
    turned: Array = -BETTER[measure] * np.where(np.isposinf(values), NEVER, values)
    return turned


def _margin(values: Array, axis: int | None = None) -> Any:
    """What two values of a measure may differ by and still be alike; 0 where there is none."""
    return ROUNDING * np.nan_to_num(np.abs(values)).max(axis=axis)


def compare(
    projection: Projection | Inputs,
    schemes: Scheme | str | Sequence[Scheme | str],
    *,
    year: int | None = None,
    rate: RateGiven | None = None,
    cluster: str | None = None,
) -> Comparison:
    """Compare any number of schemes, or those of names, on the same simulations.

    `year`: year end at which the deficit and the councils above reserves are counted; by default the first
    scheme's `override_ends`, or the projection's last year. `rate`: the financing rate (see `financing_rate`); the
    projection's unless given. `cluster`: address of a dask.distributed scheduler (tcp://...), which shares the
    schemes among its workers; the result is the same.

    All schemes are in prices of, discounted to, and timed from the latest of their base dates; councils' costs
    count from the earliest.

    Raises SchemeError when there is no scheme, or one does not fit the projection.
    """
    chosen = several("schemes", schemes, Scheme, Scheme.read, SchemeError)
    inputs = inputs_of(projection, rate)
    if not chosen:
        raise SchemeError("no scheme to compare: give at least one")
    at = min(chosen[0].override_ends, inputs.years[-1]) if year is None else inputs.projection.year(year)
    bases = [scheme.base_year for scheme in chosen]
    dates = Dates(at, max(bases), min(bases))
    late = [scheme.title for scheme in chosen if scheme.base_year >= at]
    if late:
        raise SchemeError(f"{at} is not after the base date of '{late[0]}': compare at a later year end")
    tasks, count = list(_tasks(chosen)), inputs.projection.simulations.sizes["draw"]
    kept = np.unique(np.linspace(0, count - 1, min(count, max(KEPT // len(chosen), LEAST_KEPT)), dtype=int))
    draws = {name: np.empty((len(chosen), len(kept))) for name in BETTER}
    quantiles = {name: np.empty((3, len(chosen))) for name in BETTER}
    work = partial(measured, dates=dates, kept=kept)
    done = map(partial(work, inputs), tasks) if cluster is None else _there(work, inputs, tasks, cluster)
    for task, (kept_draws, found) in zip(tasks, done, strict=True):
        places = [place for family in task for place in family.places]
        for name in BETTER:
            draws[name][places], quantiles[name][:, places] = kept_draws[name], found[name]
    return Comparison(chosen, dates, draws, quantiles, int((inputs.size("reserves", dates.base) >= 0).sum()))


def _tasks(schemes: Sequence[Scheme]) -> Iterator[list[Family]]:
    """The schemes in portions, those of one kin side by side."""
    kin = [_kin(scheme) or str(place) for place, scheme in enumerate(schemes)]
    order = np.argsort(pd.factorize(np.array(kin, dtype=object))[0], kind="stable").tolist()
    size = min(CHUNK, math.ceil(len(schemes) / WORKERS))
    for start in range(0, len(order), size):
        alike = groupby(order[start : start + size], key=kin.__getitem__)
        yield [_family(schemes, list(places)) for _, places in alike]


def _kin(scheme: Scheme) -> str | None:
    """What schemes have in common that differ in nothing but a flat share, where all that is paid is in proportion
    to it."""
    limited = scheme.cap or scheme.budget or scheme.cover or scheme.plus or scheme.match_funding
    if limited or not isinstance(scheme.share, float | int) or not scheme.share:
        return None
    return None if scheme.interest_borne_by == "dsg" else scheme.model_dump_json(exclude={"title", "share"})


def _family(schemes: Sequence[Scheme], places: list[int]) -> Family:
    one = schemes[places[0]]
    if len(places) == 1:
        return Family(one, places, np.ones(1))
    shares = np.array([schemes[place].share for place in places], dtype=float)
    rising = shares.argsort(kind="stable")
    return Family(one.model_copy(update={"share": 1.0}), [places[at] for at in rising], shares[rising])


def connected(address: str) -> Any:
    """A client of a dask scheduler; SchemeError without dask, or where none answers within 10 seconds."""
    try:
        from distributed import Client
    except ImportError:
        raise SchemeError("a cluster needs dask.distributed: pip install 'deficits[cluster]'") from None
    try:
        return Client(address, timeout=10, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise SchemeError(f"cluster {address}: no scheduler answers there ({error})") from None


def _there(
    work: Callable[..., Measured], inputs: Inputs, tasks: list[list[Family]], address: str
) -> Iterator[Measured]:
    """On a cluster. The inputs are a task's own result, not data scattered among workers: where a worker dies
    with it, the scheduler can hand it out again, so that nothing is lost."""
    with connected(address) as client:
        with warnings.catch_warnings():
            # It is large on purpose.
            warnings.filterwarnings("ignore", "Sending large graph")
            sent = client.submit(pickle.loads, pickle.dumps(replace(inputs)), pure=False)
        yield from client.gather([client.submit(work, sent, task, pure=False) for task in tasks])


def measured(inputs: Inputs, families: Sequence[Family], dates: Dates, kept: Places) -> Measured:
    """The measures of schemes. All of them work through one block of draws, then the next: what they share of a
    block is worked out once, and is gone after it. Threads, which numpy lets run, take a block each."""
    number = sum(len(family.places) for family in families)
    found = {name: np.empty((number, inputs.projection.simulations.sizes["draw"])) for name in BETTER}

    def work(block: Inputs) -> None:
        done = 0
        for family in families:
            rows = slice(done, done + len(family.places))
            for name, values in _measures(block, family, dates).items():
                found[name][rows, block.draws] = values
            done = rows.stop

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, inputs.blocks(BLOCK)))
    draws = {name: values[:, kept] for name, values in found.items()}
    return draws, {name: _three(values) for name, values in found.items()}


def _measures(block: Inputs, family: Family, dates: Dates) -> dict[str, Array | float]:
    scheme, times = family.scheme, family.times[:, None]
    result, inputs = Result.of(scheme, block), with_instalments(scheme, block)
    flows = [flow for flow in result.flows if flow.kind != "safety_valve"]
    deficits, amounts = Deficits(inputs, family.times), result.total("write_off", "cover")
    level = block.once(("level", dates.base), lambda: block.deficit(dates.base).sum(axis=0))
    found: dict[str, Array | float] = {}
    borne: list[tuple[int, Array]] = []
    path: list[tuple[int, Array]] = []
    if dates.base == inputs.years[0]:
        path.append((0, deficits.gross(dates.base, _owed(flows, dates.base, None))))
    for step in walk(scheme, inputs, flows):
        year = step.year
        if dates.start < year <= dates.at and not charged_to_dsg(scheme, year):
            borne.append((year, step.rate * deficits.gross(year, step.halfway, average=True)))
        if year < dates.base:
            continue
        if year > dates.at and np.logical_or.reduce([gross >= level for _, gross in path]).all():
            break  # it is back, and all else is counted
        standing = _owed(flows, year, step.added)
        gross = deficits.gross(year, standing)
        path.append((year - dates.base, gross))
        if year == dates.at:
            found |= {"deficit": gross, "above_reserves": deficits.above(year, standing, dates.base)}
    exchequer = [
        (year, amount if item == costs.STOPPED else times * amount)
        for item, by_year in costs.exchequer_flows(result).items()
        for year, amount in by_year.items()
    ]
    borne += [
        (flow.year, times * flow.total) for flow in flows if flow.kind in ("contribution", "repayment", "levy")
    ]
    to_repay = sum(flow.total for flow in flows if flow.kind == "repayment" and flow.year > dates.at)
    # Turned once for both: they sort each draw's amounts side by side.
    turned = np.asfortranarray(amounts)
    return found | {
        "cost": times * amounts.sum(axis=0),
        "present_cost": _present(inputs, exchequer, dates),
        "councils_pay": _present(inputs, borne, dates),
        "to_repay": times * to_repay,
        "years_bought": years_back(level, path),
        "gini": gini(turned / block.size("people_2_18", scheme.base_year)),
        "top_10_share": top_share(turned),
    }


class Deficits:
    """England's deficits of a block of draws, with amounts added to balances so many `times` over (rising)."""

    def __init__(self, inputs: Inputs, times: Array) -> None:
        self.inputs, self.times = inputs, times

    def gross(self, year: int, added: Array | None, *, average: bool = False) -> Array:
        """£ (>= 0) at the end of a year or on its average, shape (times, draws)."""
        below = self.inputs.below(year, average=average)
        if added is None:
            whole = self.inputs.once(("gross", (year, average)), lambda: np.maximum(below, 0.0).sum(axis=0))
            return np.broadcast_to(whole, (len(self.times), len(whole)))
        if self._in_turn(added):
            # The sum of max(deficit - added, 0) is that of max(deficit, added), less the sum of `added`.
            larger = np.array([np.add.reduce(np.maximum(below, time * added), axis=0) for time in self.times])
            gross: Array = larger - self.times[:, None] * added.sum(axis=0)
            return gross
        standing = self._standing(below, added)
        return self._sums(standing, below) - self.times[:, None] * self._sums(standing, added)

    def above(self, year: int, added: Array | None, known: int) -> Array:
        """Councils with more deficit than usable reserves, of those whose reserves are published, shape (times,
        draws)."""
        inputs = self.inputs
        more = inputs.once(
            ("above", (year, known)), lambda: inputs.below(year) - (inputs.size("reserves", known) + PENNY)
        )
        added = np.zeros((1, 1)) if added is None else added
        if not self._in_turn(added):
            return self._sums(self._standing(more, added))
        # Ones of a byte each are summed much faster than truths are counted.
        found = [(more > time * added).view(np.uint8) for time in self.times]
        wide = np.uint8 if len(more) < 256 else np.uint32
        return np.array([np.add.reduce(one, axis=0, dtype=wide) for one in found], dtype=float)

    def _in_turn(self, added: Array) -> bool:
        return len(self.times) < MANY or bool((added < 0).any())

    def _standing(self, below: Array, added: Array) -> npt.NDArray[np.intp]:
        """How many of the times leave each council a deficit, those below deficit over amount: with the draw, the
        place of its amounts in a table of (times, draws)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            most = below / (added + 0.0)  # no minus nought
        standing = np.searchsorted(self.times, np.where(np.isnan(most), -np.inf, most))
        places: npt.NDArray[np.intp] = standing * below.shape[1] + np.arange(below.shape[1])
        return places

    def _sums(self, standing: npt.NDArray[np.intp], amounts: Array | None = None) -> Array:
        """Amounts (or ones) of councils that still have a deficit, summed, shape (times, draws)."""
        shape = len(self.times) + 1, standing.shape[1]
        weights = None if amounts is None else np.broadcast_to(amounts, standing.shape).ravel()
        sums = np.bincount(standing.ravel(), weights, math.prod(shape)).reshape(shape)
        from_here: Array = sums[::-1].cumsum(axis=0, dtype=float)[::-1]
        return from_here[1:]


def _owed(flows: Sequence[Flow], year: int, added: Array | None) -> Array | None:
    """What is added to balances of a year end, the grant that is owed counted as paid."""
    for flow in flows:
        if flow.owed(year):
            added = flow.amount if added is None else added + flow.amount
    return added


def _present(inputs: Inputs, amounts: Sequence[tuple[int, Array]], dates: Dates) -> Array | float:
    """£ of several years in prices of the common base year, discounted to it."""
    at, years = dates.base, sorted({year for year, _ in amounts})
    weights = inputs.shared(
        ("present", (at, *years)), lambda whole: costs.weights(whole, years, at, costs.STPR)["present"]
    )
    return sum(weights[year] * amount for year, amount in amounts)


def _three(values: Array) -> Array:
    """p10, p50 and p90 of each row, each a value that occurs: between infinite ones there is nothing to
    interpolate."""
    rising = np.sort(values, axis=1)
    places = [math.ceil(QUANTILES[at] * rising.shape[1]) - 1 for at in ("p10", "p50", "p90")]
    found: Array = rising[:, places].T
    return found
