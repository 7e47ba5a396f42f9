"""What schemes are measured on: a projection's draws and councils as plain arrays, each worked out once.

Arrays are (authorities, draws), or (authorities, 1) where every draw has the same; money is £.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import PanelError, SchemeError, closest
from deficits.panel import Panel
from deficits.panel.choice import SOURCES
from deficits.projection import Projection
from deficits.projection.history import NEARLY_ALL
from deficits.projection.summaries import dsg, people_2_18, price_factor, school_pupils
from deficits.writeoff.conditions import DeficitAbove, HasSafetyValve, IsCouncil, Size, amount, known_councils

Array = npt.NDArray[np.float64]
Kept = TypeVar("Kept")

RESERVES = ("unallocated", "earmarked")
APPROVAL_STREAM = 1_000
"""Key of the random stream of approvals, apart from the projection's own (`deficits.projection.streams.Shock`)."""
RATES = {"cheshire-east": "rate", "pwlb": "pwlb_rate", "bcp": "bcp_rate"}
"""Financing rates in data/assumptions/financing.yaml, by the name that a command takes."""


RateGiven = float | str | Mapping[int, float]
"""A financing rate: a share a year, one by financial year, or the name of one."""


def financing_rate(given: RateGiven) -> float | dict[int, float]:
    """A financing rate a year, or one by financial year: from a number ("4.81%" too), a mapping, or a rate in
    data/assumptions/financing.yaml by name.

    >>> financing_rate("pwlb"), financing_rate("4.3%"), financing_rate("bcp")
    (0.0481, 0.043, {2026: 0.053, 2027: 0.043})

    Raises SchemeError for what is none, with the names that are known.
    """
    if isinstance(given, str) and given.casefold() in RATES:
        declared = assumed("financing", RATES[given.casefold()])
        return {year: float(rate) for year, rate in declared.by_year().items()} or declared.number
    found = (
        {int(year): amount(rate) for year, rate in given.items()} if isinstance(given, Mapping) else amount(given)
    )
    for rate in found.values() if isinstance(found, dict) else [found]:
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 0.2:
            hint = f"; {rate:g}% is {rate / 100:g}" if isinstance(rate, int | float) and 0.2 < rate <= 20 else ""
            known = "" if hint else f", or {closest(str(given), RATES)}"
            raise SchemeError(
                f"financing rate: found {given!r}, expected a share a year from 0 to 0.2{hint}{known}"
            )
    return found if isinstance(found, dict) else float(found)


@dataclass(frozen=True)
class Inputs:
    """A projection as schemes see it, or some of its draws. Make one and use it for many schemes.

    `rate`: the financing rate, a year or by financial year (of later years the last); the projection's unless
    given. `allocated`: councils whose deficit at the base date is the published eligible one. `moved`: £ that are
    added to the projection's balances, shape (years, authorities, 1).
    """

    projection: Projection
    draws: slice = field(default_factory=lambda: slice(None))
    rate: float | Mapping[int, float] | None = None
    allocated: frozenset[str] = frozenset()
    moved: Array | None = field(default=None, repr=False)
    whole: Inputs | None = field(default=None, repr=False)

    def blocks(self, size: int) -> Iterator[Inputs]:
        """The same in blocks of draws, one after the other: small arrays stay near the processor, and are worked
        through faster."""
        for start in range(0, self.projection.simulations.sizes["draw"], size):
            yield dataclasses.replace(self, draws=slice(start, start + size), moved=None, whole=self)

    def with_allocations(self, allocations: Mapping[str, float], share: float, year: int) -> Inputs:
        """The same with grants that the government has published, £ by council, in the place of estimates.

        Divided by the share that the grant pays, an allocation is the council's eligible deficit at 31 March of
        `year`; its balances from then on move by as much, in every draw. Raises SchemeError for a council that is
        unknown or named twice.
        """
        try:
            codes = {self.projection.code(name): pounds for name, pounds in known_councils(allocations).items()}
        except (PanelError, ValueError) as error:
            raise SchemeError(f"allocations: {error}") from None
        balance = self.projection.balance.transpose("draw", "authority", "year").copy()
        for code, pounds in codes.items():
            later = balance.values[:, self.codes.get_loc(code), self.years.index(year) :]
            later -= later[:, :1] + pounds / share
        simulations = self.projection.simulations.assign(balance=balance)
        moved = dataclasses.replace(self.projection, simulations=simulations)
        return dataclasses.replace(self, projection=moved, allocated=self.allocated | codes.keys())

    def on(self, projection: Projection) -> Inputs:
        """The same of a projection under other assumptions; what published balances alone say is kept."""
        other = dataclasses.replace(self, projection=projection)
        other._kept.update({key: found for key, found in self._kept.items() if key[0] == "gap"})
        return other

    def rate_in(self, year: int) -> float:
        """The financing rate of a year."""
        if isinstance(self.rate, Mapping):
            return self.rate[max((at for at in self.rate if at <= year), default=min(self.rate))]
        return self.projection.assumptions.financing_rate if self.rate is None else self.rate

    def once(self, key: tuple[str, Any], work: Callable[[], Kept]) -> Kept:
        """What is worked out from these inputs alone, kept for other schemes."""
        kept: Kept = self._kept[key] if key in self._kept else self._kept.setdefault(key, work())
        return kept

    def shared(self, key: tuple[str, Any], work: Callable[[Inputs], Kept]) -> Kept:
        """What is the same in every draw, worked out once for all blocks."""
        owner = self.whole or self
        return owner.once(key, lambda: work(owner))

    @cached_property
    def _kept(self) -> dict[tuple[str, Any], Any]:
        return {}

    @property
    def panel(self) -> Panel:
        """The published figures behind the projection."""
        return self.projection.panel

    @cached_property
    def years(self) -> list[int]:
        """Year ends of the projection."""
        return self.projection.years

    @cached_property
    def codes(self) -> pd.Index:
        """DfE numbers of the councils, in the order of every array."""
        return pd.Index([str(code) for code in self.projection.simulations["authority"].values], name="authority")

    @cached_property
    def balances(self) -> Array:
        """£, shape (years, authorities, draws), negative = deficit."""
        if self.whole:
            values = np.ascontiguousarray(self.whole.balances[..., self.draws])
        else:
            values = self.projection.balance.transpose("year", "authority", "draw").values[..., self.draws]
        return values if self.moved is None else values + self.moved

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(authorities, draws)."""
        return self.balances.shape[1], self.balances.shape[2]

    def balance(self, year: int) -> Array:
        """£ at 31 March of a year, as the projection has it."""
        values: Array = self.balances[self.years.index(year)]
        return values

    def deficit(self, year: int) -> Array:
        """£ (>= 0) at 31 March of a year, as the projection has it; not to be changed."""
        return self.once(("deficit", year), lambda: np.maximum(0.0 - self.balance(year), 0.0))

    def below(self, year: int, *, average: bool = False) -> Array:
        """£ by which balances are below 0 at 31 March of a year, or on its average (< 0 where they are above)."""

        def worked_out() -> Array:
            end = 0.0 - self.balance(year)
            return 0.5 * (self.below(self.years[self.years.index(year) - 1]) + end) if average else end

        return self.once(("below", (year, average)), worked_out)

    @cached_property
    def councils(self) -> pd.DataFrame:
        """Name, region and type, by authority."""
        known = self.panel.authorities
        return known.frame.loc[self.codes, ["name", "region"]].assign(type=known.types(self.codes))

    def safety_valve_payments(self, year: int) -> Array:
        """Safety valve payments of a year inside the projection's balances."""
        values: Array = self.projection.simulations["safety_valve_payments"].sel(year=year).values[:, None]
        return values

    @cached_property
    def agreed(self) -> pd.DataFrame:
        """Every agreed safety valve payment by council and year, those after the projection's last year too."""
        if self.whole:
            return self.whole.agreed
        return self.projection.fit.safety_valve_payments.reindex(self.codes).fillna(0.0)

    def agreed_in(self, year: int) -> Array:
        """Agreed safety valve payments of a year."""
        return self._column(self.agreed.get(year, pd.Series(0.0, index=self.codes)))

    def agreed_and_not_projected(self, year: int) -> float:
        """Agreed safety valve payments of a year that the projection does not pay, England, £."""

        def work(whole: Inputs) -> float:
            inside = whole.safety_valve_payments(year) if year in whole.years else 0.0
            return float((whole.agreed_in(year) - inside).sum())

        return self.shared(("agreed and not projected", year), work)

    def agreed_after(self, year: int) -> Array:
        """Agreed safety valve payments due after 31 March of a year."""
        return self._column(self.agreed.loc[:, [late for late in self.agreed if late > year]].sum(axis=1))

    def size(self, of: Size, year: int) -> Array:
        """What amounts are measured against (see `Size`) in a year; NaN where it is not published.

        DSG after the published years grows as the projection's assumptions say; reserves are those of
        `reserves_year`, carried on unchanged (an assumption).
        """
        values = self.shared((of, year), lambda own: own._size(of, year))
        return values[:, self.draws] if self.whole and values.shape[1] > 1 else values

    def _size(self, of: Size, year: int) -> Array:
        panel, codes = self.panel, self.codes
        match of:
            case "pounds":
                return np.ones((len(codes), 1))
            case "dsg":
                return self._column(dsg(panel, self.projection.assumptions, codes, [year])[year])
            case "pupils":
                return self._column(school_pupils(panel, codes, [year])[year])
            case "people_2_18":
                return self._column(people_2_18(panel, codes, [year])[year])
            case "reserves":
                return self._column(self.reserves.sum(axis=1, skipna=False))
            case "unallocated_reserves":
                return self._column(self.reserves["unallocated"])
            case "plans":
                published = panel.figure("plans").reindex(codes)
                if year in published and published[year].notna().mean() >= NEARLY_ALL:
                    return self._column(published[year])
                drawn = self.once(("drawn_plans", None), self.projection.plans)
                plans: Array = drawn.sel(year=year, authority=list(codes)).transpose("authority", "draw").values
                return plans[:, self.draws]

    @cached_property
    def reserves_year(self) -> int | None:
        """The newest year end at which nearly all councils' reserves are published; None where there is none."""
        known = sum(self._reserves(name) for name in RESERVES).notna().mean()
        return max((int(year) for year in known.index[known >= NEARLY_ALL]), default=None)

    @cached_property
    def reserves(self) -> pd.DataFrame:
        """Unallocated and other earmarked reserves at `reserves_year`, £ (>= 0), by authority; missing where they
        are not published for it."""
        year = self.reserves_year
        missing = pd.Series(np.nan, index=self.codes)
        return pd.DataFrame(
            {name: missing if year is None else self._reserves(name)[year].clip(lower=0.0) for name in RESERVES}
        )

    def _reserves(self, name: str) -> pd.DataFrame:
        return self.panel.figure(f"reserves_{name}").reindex(self.codes)

    def source_gap(self, year: int) -> Array:
        """£ (>= 0) by which the deficit of a year end is above the lowest of the sources that count."""
        return self.shared(("gap", year), lambda own: own._column(own.source_differences(year)["counts"]))

    def source_differences(self, year: int) -> pd.DataFrame:
        """What the rule that the lowest of the sources counts does to each council's deficit of a year end.

        By authority: year, the year end at which sources are compared; counted, the balance that counts there, and
        that of each source (£, negative = deficit); gap, £ (>= 0) by which the deficit is above the lowest;
        counts, the £ that come off: 0 where one source shows a deficit and another does not, since a difference
        of bases is then likelier than an ineligible deficit, or where the eligible deficit is published.

        Where the balance of `year` is known: of the sources that give it. Where it is projected: as at the newest
        year end that both give, for the source that the projection starts from.
        """
        names = ["balance", *SOURCES]
        held = [self.panel.figure(name).reindex(self.codes) for name in names]
        given, at_end = np.full((len(self.codes), len(names)), np.nan), np.full(len(self.codes), np.nan)
        both = [at for at in held[0] if all(one[at].notna().any() for one in held[1:])]
        if both:
            at_end[:], given = both[-1], np.column_stack([one[both[-1]] for one in held])
            start = min(self.projection.base_year, year)
            sources = self.panel.frame[[f"{name}_source" for name in names]].xs(start, level="year")
            sources = sources.reindex(self.codes)
            for place, name in enumerate(SOURCES, start=1):
                counts = sources[f"{name}_source"].eq(sources["balance_source"]).eq(True)
                counts &= ~np.isnan(given[:, place])
                given[counts, 0] = given[counts, place]
        if year in held[0]:
            known = held[0][year].notna().to_numpy()
            given[known] = np.column_stack([one[year] for one in held])[known]
            at_end[known] = year
        deficits = np.maximum(-given, 0.0)
        frame = pd.DataFrame(given, index=self.codes, columns=["counted", *SOURCES])
        frame.insert(0, "year", at_end)
        frame["gap"] = np.nan_to_num(deficits[:, 0] - np.fmin.reduce(deficits, axis=1))
        differ = (np.fmin.reduce(given, axis=1) < 0) & (np.fmax.reduce(given, axis=1) >= 0)
        frame["counts"] = frame["gap"].mask(differ | frame.index.isin(self.allocated), 0.0)
        return frame

    @cached_property
    def had_safety_valve(self) -> npt.NDArray[np.bool_]:
        """Whether a council has had an agreement that is held, shape (authorities, 1)."""
        agreed: npt.NDArray[np.bool_] = np.isin(self.codes, self.panel.agreements["authority"])[:, None]
        return agreed

    def meets(self, condition: Any, year: int, deficit: Array) -> npt.NDArray[np.bool_]:
        """Whether councils meet a condition, with their deficits at 31 March of a year; what is not known is not
        met, and neither is its opposite."""
        match condition:
            case DeficitAbove():
                size = self.size(condition.of, year)
                above: npt.NDArray[np.bool_] = (deficit > condition.than * size) == condition.holds
                return above & ~np.isnan(size)
            case IsCouncil():
                known = [self.panel.authorities.resolve(name) for name in condition.names]
                met = self.codes.isin(known)[:, None]
            case HasSafetyValve():
                met = self.had_safety_valve
            case _:  # a region or a type
                met = self.councils[condition.kind].isin(condition.names).to_numpy()[:, None]
        asked: npt.NDArray[np.bool_] = met == condition.holds
        return asked

    @cached_property
    def chance(self) -> Array:
        """A number from 0 to 1 by council and draw, which decides on approval: the same for every scheme."""
        if self.whole:
            return self.whole.chance[:, self.draws]
        drawn = np.empty((len(self.codes), self.projection.simulations.sizes["draw"]))
        for row, code in enumerate(self.codes):
            stream = np.random.SeedSequence(self.projection.seed, spawn_key=(APPROVAL_STREAM, int(code)))
            drawn[row] = np.random.default_rng(stream).random(drawn.shape[1])
        return drawn[:, self.draws]

    def prices(self, years: list[int], real: int) -> Array:
        """What turns £ of each year into prices of `real`; with no deflator public, prices grow as in the long
        run."""
        assumptions = self.projection.assumptions
        if self.panel.prices.empty:
            factors: Array = (1 + assumptions.long_run_prices) ** (real - np.array(years, dtype=float))
            return factors
        return price_factor(self.panel, assumptions, years, real)

    def _column(self, values: pd.Series) -> Array:
        column: Array = values.reindex(self.codes).to_numpy(dtype=float)[:, None]
        return column


def inputs_of(projection: Projection | Inputs, rate: RateGiven | None = None) -> Inputs:
    """Inputs of a projection, or those in hand, with a financing rate of one's own (see `financing_rate`)."""
    if not isinstance(projection, Projection | Inputs):
        raise SchemeError(
            f"projection: found a {type(projection).__name__}, expected a Projection: give what project() gives"
        )
    inputs = projection if isinstance(projection, Inputs) else Inputs(projection)
    return inputs if rate is None else dataclasses.replace(inputs, rate=financing_rate(rate))


def read_allocations(path: str | Path) -> dict[str, float]:
    """Grants by council as the government has published them: a CSV with the columns council and grant_gbp.

    Raises SchemeError that names the file, row and column of each fault.
    """
    try:
        frame = pd.read_csv(path, dtype=str, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise SchemeError(f"allocations {path} cannot be read: {error}") from None
    missing = {"council", "grant_gbp"} - set(frame.columns)
    if missing:
        raise SchemeError(f"allocations {path}: no column {', '.join(sorted(missing))}; found {', '.join(frame)}")
    found: dict[str, float] = {}
    for row, (council, given) in enumerate(zip(frame["council"], frame["grant_gbp"], strict=True), start=2):
        pounds = amount(given)
        if not isinstance(pounds, float) or not 0 <= pounds < np.inf:
            raise SchemeError(f"allocations {path}, row {row}, grant_gbp: found {given}, expected £ of 0 or more")
        if council in found:
            raise SchemeError(f"allocations {path}, row {row}: {council} is given twice")
        found[str(council)] = pounds
    return found
