"""What schemes are measured on: a projection's draws and councils as plain arrays, each worked out once.

Arrays are (authorities, draws), or (authorities, 1) where every draw has the same; money is £.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from deficits.errors import SchemeError
from deficits.panel import Panel
from deficits.projection import Projection
from deficits.projection.fit import NEARLY_ALL, Balances
from deficits.projection.measures import dsg, price_factor, pupils
from deficits.writeoff.conditions import (
    CouncilType,
    DeficitAbove,
    HasSafetyValve,
    InRegion,
    IsCouncil,
    IsType,
    Size,
)

Array = npt.NDArray[np.float64]

TYPES: dict[str, CouncilType] = {"E06": "unitary", "E08": "metropolitan", "E09": "london", "E10": "county"}
"""Type of council by the first three characters of its ONS code (ONS coding guidance)."""
RESERVES = ("unallocated", "earmarked")
APPROVAL_STREAM = 1_000
"""Key of the random stream of approvals, beside the projection's own (`deficits.projection.streams.Shock`)."""


@dataclass(frozen=True)
class Inputs:
    """A projection as schemes see it, or some of its draws. Make one and use it for many schemes."""

    projection: Projection
    draws: slice = field(default_factory=lambda: slice(None))

    def blocks(self, size: int) -> list[Inputs]:
        """The same in blocks of draws: small arrays stay near the processor, and are worked through faster."""
        count = self.projection.dataset.sizes["draw"]
        return [Inputs(self.projection, slice(start, start + size)) for start in range(0, count, size)]

    def _once(self, key: tuple[str, Any], work: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = work()
        return self._kept[key]

    @cached_property
    def _kept(self) -> dict[tuple[str, Any], Any]:
        return {}

    @cached_property
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
        return pd.Index([str(code) for code in self.projection.dataset["authority"].values], name="authority")

    @cached_property
    def balances(self) -> Array:
        """£, shape (years, authorities, draws), negative = deficit."""
        values: Array = self.projection.balance.transpose("year", "authority", "draw").values[..., self.draws]
        return values

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(authorities, draws)."""
        return self.balances.shape[1], self.balances.shape[2]

    def balance(self, year: int) -> Array:
        """£ at 31 March of a year, as the projection has it."""
        values: Array = self.balances[self.years.index(year)]
        return values

    @cached_property
    def councils(self) -> pd.DataFrame:
        """Name, region and type, by authority."""
        listed = self.panel.authorities.frame.loc[self.codes]
        kinds = [TYPES[str(gss)[:3]] for gss in listed["gss"]]
        return listed[["name", "region"]].assign(type=kinds)

    def bail_out(self, year: int) -> Array:
        """Safety valve grant of a year inside the projection's balances."""
        place = self.years.index(year)
        values: Array = self._bail_outs[:, place][:, None]
        return values

    @cached_property
    def _bail_outs(self) -> Array:
        values: Array = self.projection.dataset["bail_out"].transpose("authority", "year").values
        return values

    @cached_property
    def agreed(self) -> pd.DataFrame:
        """Every agreed safety valve instalment by council and year, those after the projection's last year too."""
        return self.projection.fit.safety_valve_payments.reindex(self.codes).fillna(0.0)

    def agreed_in(self, year: int) -> Array:
        """Agreed instalments of a year."""
        values: Array = self._once(
            ("agreed_in", year), lambda: self._column(self.agreed.get(year, pd.Series(0.0, index=self.codes)))
        )
        return values

    def agreed_after(self, year: int) -> Array:
        """Agreed instalments due after 31 March of a year."""
        return self._column(self.agreed.loc[:, [late for late in self.agreed if late > year]].sum(axis=1))

    def size(self, of: Size, year: int) -> Array:
        """What amounts are measured against (see `Size`) in a year; NaN where it is not published.

        DSG after the published years grows as the projection's assumptions say; reserves are those of
        `reserves_year`, carried on unchanged (an assumption).
        """
        return self._once((of, year), lambda: self._size(of, year))  # type: ignore[no-any-return]

    def _size(self, of: Size, year: int) -> Array:
        match of:
            case "pounds":
                return np.ones((len(self.codes), 1))
            case "dsg":
                return self._column(dsg(self.panel, self.projection.assumptions, self.codes, [year])[year])
            case "pupils":
                return self._column(pupils(self.panel, self.codes, [year])[year])
            case "plans":
                return self._plans(year)
            case "reserves":
                return self._column(self.reserves.sum(axis=1, skipna=False))
            case "unallocated_reserves":
                return self._column(self.reserves["unallocated"])

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

    def _plans(self, year: int) -> Array:
        published = self.panel.figure("plans").reindex(self.codes)
        if year in published and published[year].notna().mean() >= NEARLY_ALL:
            return self._column(published[year])
        drawn = self._once(("drawn_plans", None), self.projection.plans)
        values: Array = drawn.sel(year=year, authority=list(self.codes)).transpose("authority", "draw").values
        return values[:, self.draws]

    def source_gap(self, year: int) -> Array:
        """£ (>= 0) by which the deficit of a year end is above the lowest of the sources.

        Where the balance is known: of the sources that give it. Where it is projected: as at the newest year end
        that both give, for the source that the projection starts from.
        """
        return self._once(("source_gap", year), lambda: self._source_gap(year))  # type: ignore[no-any-return]

    def _source_gap(self, year: int) -> Array:
        held = Balances.of(self.panel, self.codes, self.agreed)
        both = [at for at in held.chosen if all(one[at].notna().any() for one in held.sources.values())]
        gap = pd.Series(0.0, index=self.codes)
        if both:
            start = held.source[min(self.projection.base_year, year)]
            counts = held.chosen[both[-1]]
            for name, balances in held.sources.items():
                counts = counts.mask(start.eq(name) & balances[both[-1]].notna(), balances[both[-1]])
            gap = _above_lowest(counts, held, both[-1]).fillna(0.0)
        if year in held.chosen:
            known = held.chosen[year]
            gap = gap.mask(known.notna(), _above_lowest(known, held, year))
        return self._column(gap)

    @cached_property
    def had_safety_valve(self) -> npt.NDArray[np.bool_]:
        """Whether a council has had an agreement, shape (authorities, 1)."""
        agreed: npt.NDArray[np.bool_] = np.isin(self.codes, self.panel.agreements["authority"])[:, None]
        return agreed

    def meets(self, condition: Any, year: int, deficit: Array) -> npt.NDArray[np.bool_]:
        """Whether councils meet a condition, with their deficits at 31 March of a year."""
        match condition:
            case DeficitAbove():
                met = deficit > condition.than * self.size(condition.of, year)
            case InRegion():
                met = self.councils["region"].isin(condition.names).to_numpy()[:, None]
            case IsCouncil():
                known = [self.panel.authorities.resolve(name) for name in condition.names]
                met = self.codes.isin(known)[:, None]
            case IsType():
                met = self.councils["type"].isin(condition.names).to_numpy()[:, None]
            case HasSafetyValve():
                met = self.had_safety_valve
            case _:
                raise SchemeError(f"no condition {condition!r}")
        asked: npt.NDArray[np.bool_] = met == condition.holds
        return asked

    @cached_property
    def chance(self) -> Array:
        """A number from 0 to 1 by council and draw, which decides on approval: the same for every scheme."""
        drawn = np.empty((len(self.codes), self.projection.dataset.sizes["draw"]))
        for row, code in enumerate(self.codes):
            stream = np.random.SeedSequence(self.projection.seed, spawn_key=(APPROVAL_STREAM, int(code)))
            drawn[row] = np.random.default_rng(stream).random(drawn.shape[1])
        return drawn[:, self.draws]

    def prices(self, years: list[int], real: int) -> Array:
        """What turns £ of each year into prices of `real`; with no deflator public, prices grow as in the long
        run."""
        factors: Array
        if self.panel.prices.empty:
            factors = (1 + self.projection.assumptions.long_run_prices) ** (real - np.array(years, dtype=float))
        else:
            factors = self._once(
                ("prices", (tuple(years), real)),
                lambda: price_factor(self.panel, self.projection.assumptions, years, real),
            )
        return factors

    def _column(self, values: pd.Series) -> Array:
        column: Array = values.reindex(self.codes).to_numpy(dtype=float)[:, None]
        return column


def _above_lowest(balance: pd.Series, held: Balances, year: int) -> pd.Series:
    """£ by which each deficit is above the lowest that a source gives at a year end; 0 or more."""
    deficits = pd.DataFrame({"counts": balance, **{name: one[year] for name, one in held.sources.items()}})
    deficits = (-deficits).clip(lower=0.0)
    return deficits["counts"] - deficits.min(axis=1)
