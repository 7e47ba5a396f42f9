"""What a scheme does: who is paid, what is left, how soon it is back, who cannot balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from deficits.assumptions import assumed
from deficits.errors import SchemeError
from deficits.formatting import financial_year, year_end
from deficits.panel import divide, read_splits, shares
from deficits.projection import Projection, national, quantiles
from deficits.projection.summaries import Per, check_per, unit_of
from deficits.simulated import QUANTILES, Area, Measures, Simulated, with_units
from deficits.writeoff import ledger
from deficits.writeoff.conditions import Size
from deficits.writeoff.inputs import Array, Inputs
from deficits.writeoff.ledger import Flow, Kind, Rows
from deficits.writeoff.scheme import Scheme

Places = npt.NDArray[np.intp]
PER: dict[Per, Size] = {"pupil": "pupils", "person_2_18": "people_2_18", "plan": "plans", "dsg": "dsg"}
THREE = ("p10", "p50", "p90")
PENNY = 0.01
SHARE = "share of simulations"


@dataclass(frozen=True, repr=False)
class Result(Simulated):
    """A scheme applied to a projection, on the same simulations.

    `flows` are of money; balances and the ledger are worked out when they are asked for.
    """

    scheme: Scheme
    inputs: Inputs
    flows: tuple[Flow, ...]

    @classmethod
    def of(cls, scheme: Scheme, inputs: Inputs) -> Self:
        """The scheme applied to every draw of the inputs."""
        return cls(scheme, inputs, ledger.pay(scheme, inputs))

    @property
    def projection(self) -> Projection:
        """The projection that the scheme is applied to."""
        return self.inputs.projection

    @property
    def base_published(self) -> bool:
        """Whether the deficits at the base date are published for nearly all councils; else they are projected."""
        return self.scheme.base_year <= self.projection.base_year

    @property
    def warnings(self) -> tuple[str, ...]:  # type: ignore[override]
        """What a reader of the amounts must know."""
        return grants_inside(self.projection)

    @cached_property
    def simulations(self) -> xr.Dataset:  # type: ignore[override]
        """£ (>= 0), dims (draw, authority, year): deficit_with and deficit_without, grant and left of the base
        year."""
        return xr.Dataset(
            {name: values.drop_attrs().assign_attrs(units=unit) for name, (unit, values) in self.measures.items()},
            attrs={"units": "£", "seed": self.projection.seed},
        )

    @property
    def measures(self) -> Measures:
        """See `Simulated`: what `simulations` holds."""
        base = self.scheme.base_year
        after = self.standing.sel(year=[year for year in self.projection.years if year > base])
        return {
            "deficit_with": ("£", (-after).clip(min=0.0)),
            "deficit_without": ("£", (-self.projection.balance).clip(min=0.0)),
            "grant": ("£", self.grant.expand_dims(year=[base])),
            "left": ("£", self.left.expand_dims(year=[base])),
        }

    def codes(self, area: Area) -> list[str]:
        """See `Projection.codes`."""
        return self.projection.codes(area)

    def rows(self, authority: str | int | None = None) -> Rows:
        """Rows of one council in arrays of all, or every row."""
        return slice(None) if authority is None else [self.inputs.codes.get_loc(self.projection.code(authority))]

    @cached_property
    def grant(self) -> xr.DataArray:
        """£ (>= 0) of each council's write-off, whenever it is paid, dims (draw, authority)."""
        return ledger.labelled(self.inputs, self.total("write_off")).rename("grant")

    def total(self, *kinds: Kind) -> Array:
        """£ of some kinds of flows, those after the projection's last year too; shape (authorities, draws)."""
        found = [flow.amount for flow in self.flows if flow.kind in kinds]
        if len(found) == 1 and found[0].shape == self.inputs.shape:
            return found[0]
        total: Array = np.zeros(self.inputs.shape) + sum(found)
        return total

    @cached_property
    def balance(self) -> xr.DataArray:
        """£ at each 31 March with the scheme, dims (draw, authority, year), negative = deficit."""
        return ledger.balances(self.scheme, self.inputs, self.flows)

    @cached_property
    def ledger(self) -> xr.Dataset:
        """Every pound by council, year and draw: see `deficits.writeoff.ledger.ledger`."""
        return ledger.ledger(self.scheme, self.inputs, self.flows)

    @cached_property
    def base_deficit(self) -> xr.DataArray:
        """£ (>= 0), the deficit at the base date, dims (draw, authority)."""
        return ledger.labelled(self.inputs, self.inputs.deficit(self.scheme.base_year))

    @cached_property
    def left(self) -> xr.DataArray:
        """£ (>= 0), the deficit at the base date less the write-off, dims (draw, authority)."""
        base = self.scheme.base_year
        granted = sum(flow.amount for flow in self.flows if flow.kind == "write_off" and flow.earned == base)
        return ledger.labelled(self.inputs, np.maximum(self.base_deficit.values.T - granted, 0.0))

    def owed(self, year: int) -> Array:
        """£ (>= 0) of grant that is owed at 31 March of a year, for the deficits of then or before; shape
        (authorities, draws)."""
        due = [flow.amount for flow in self.flows if flow.owed(year)]
        return sum(due, start=np.zeros(self.inputs.shape))

    @cached_property
    def standing(self) -> xr.DataArray:
        """£ at each 31 March after the base date, the grant that is owed counted as paid; before, the balance.
        Dims (draw, authority, year), negative = deficit."""
        years = [year for year in self.inputs.years if year > self.scheme.base_year]
        if not any(flow.owed(year) for flow in self.flows for year in years):
            return self.balance.rename("standing")
        standing = ledger.balances(self.scheme, self.inputs, self.flows).rename("standing")
        for year in years:
            values = standing.sel(year=year).values
            values += self.owed(year).T
            values[np.abs(values) < PENNY] = 0.0  # paid in full is nothing left, not a rounding residue
        return standing

    def deficit(self, year: int) -> Array:
        """£ (>= 0) that remains with councils at 31 March of a year, the grant that is owed counted as paid; shape
        (authorities, draws)."""
        deficit: Array = np.maximum(0.0 - self.standing.sel(year=year).values.T, 0.0)
        return deficit

    def summary(self) -> pd.DataFrame:
        """The scheme for England: a row for each measure and year, with its unit, mean and quantiles p10 to p90.

        Money in £. `grant` is the write-off of the base date's deficits, `left` what it leaves of them; cover,
        contribution and the like have a row where the scheme has them. `deficit_with` is what remains with
        councils at a year end: grant that is owed for it, `owed`, counts as paid. `not_counted` is what comes off
        because the lowest of the sources counts. `years_bought` is time from the base date until England's
        gross deficit is back at its level of that date, on straight lines between year ends; `not_back`: share of
        draws in which it is not by the last year (its mean).
        """
        base, last = self.scheme.base_year, self.projection.years[-1]
        balance, flows, years = self.projection.balance, self.flows, self.years_until_back()
        without, with_grant = national(balance, "gross"), national(self.standing, "gross")
        found: list[tuple[str, int, str, Array]] = [
            ("deficit_without", base, "£", without.sel(year=base).values),
            ("grant", base, "£", self.grant.sum("authority").values),
            ("left", base, "£", self.left.sum("authority").values),
            ("councils_paid", base, "councils", (self.grant > 0).sum("authority").values),
            ("councils_in_surplus", base, "councils", (balance.sel(year=base) >= 0).sum("authority").values),
        ]
        if self.scheme.source == "lowest":
            gap = np.minimum(self.inputs.source_gap(base), self.inputs.deficit(base))
            found.append(("not_counted", base, "£", gap.sum(axis=0)))
        for kind in ledger.RAISES:
            if kind != "write_off" and any(flow.kind == kind for flow in flows):
                found.append((kind, last, "£", self.total(kind).sum(axis=0)))
        for year in range(base + 1, last + 1):
            found.append(("deficit_without", year, "£", without.sel(year=year).values))
            found.append(("deficit_with", year, "£", with_grant.sel(year=year).values))
            if any(flow.owed(year) for flow in flows):
                found.append(("owed", year, "£", self.owed(year).sum(axis=0)))
        found.append(("years_bought", base, "years", years))
        rows: list[dict[str, Any]] = [
            {"measure": name, "year": year, "unit": unit, "mean": float(values.mean()), **ordered(values)}
            for name, year, unit, values in found
        ]
        never = float(np.isinf(years).mean())
        rows.append({"measure": "not_back", "year": last, "unit": "share of draws", "mean": never})
        frame = pd.DataFrame(rows).set_index("measure")
        frame.attrs["units"] = frame["unit"].to_dict()
        return frame

    def by_authority(self, per: Per | None = None) -> pd.DataFrame:
        """Each council: indexed by DfE number; name, region, type, quantiles of grant, of what is left of the
        base year's deficit and of the balance at the last year end (£), and `paid`, the share of draws in which
        it is paid anything. `per`: £ a "pupil" (on a state school's roll), "person_2_18" (of that age) or "plan",
        or a share of the "dsg", of the base year.
        """
        size, councils = self._size(per), self.inputs.councils
        found = {name: array.values.T / size for name, array in self._by_council().items()}
        frame = councils.join(ranged(found, councils.index)).assign(paid=(self.grant > 0).mean("draw").values)
        return with_units(frame, unit_of(per, None), paid=SHARE)

    def england_row(self) -> dict[str, Any]:
        """England's line under `by_authority`: quantiles of the sums of the councils, and of the net balance."""
        sums = {name: array.sum("authority").values[None] for name, array in self._by_council().items()}
        (row,) = ranged(sums, pd.RangeIndex(1)).to_dict("records")
        named = dict.fromkeys(("authority", "name", "region"), "England")
        return {**named, **row, "paid": float((self.grant.sum("authority") > 0).mean())}

    def _by_council(self) -> dict[str, xr.DataArray]:
        last = self.projection.years[-1]
        return {"grant": self.grant, "left": self.left, "balance": self.standing.sel(year=last)}

    def by_region(self, per: Per | None = None) -> pd.DataFrame:
        """Each region and England: quantiles of the grant and of what is left of the base year's deficit (£).

        Quantiles do not add up over regions; `grant_mean` and `left_mean` do. `per` as for `by_authority`.
        """
        return self._grouped("region", per)

    def by_type(self, per: Per | None = None) -> pd.DataFrame:
        """Each type of council (county, unitary, metropolitan, london) and England, as `by_region`."""
        return self._grouped("type", per)

    def england(self) -> pd.DataFrame:
        """Quantiles of England's gross deficit with the grant, £, grant that is owed counted as paid: indexed by
        year, columns p10 to p90."""
        return with_units(quantiles(national(self.standing, "gross")), "£")

    def authority(self, authority: str | int) -> pd.DataFrame:
        """Quantiles of one council's balance with the grant, £ (negative = deficit), grant that is owed counted as
        paid: indexed by year."""
        return with_units(quantiles(self.standing.sel(authority=self.projection.code(authority))), "£")

    def years_until_back(self, *, by_council: bool = False) -> Array:
        """Years from the base date until England's gross deficit, or each council's, is back at its base level.

        One a draw. Grants still to be paid count as paid, so that instalments do not look like a return; infinite
        where it is not back by the last year of the projection.
        """
        base = self.scheme.base_year
        path = [(0, self.left.values.T)]
        path += [(year - base, self.deficit(year)) for year in self.inputs.years if year > base]
        level = self.base_deficit.values.T
        if by_council:
            return years_back(level, path)
        return years_back(level.sum(axis=0), [(years, deficits.sum(axis=0)) for years, deficits in path])

    def back_by_authority(self) -> pd.DataFrame:
        """Each council that may be paid: quantiles of the years until its deficit is back at its base level, among
        draws in which it is paid (infinite: not by the last year), and `never`, the share of those that is not.
        """
        years, rows = self.years_until_back(by_council=True), {}
        for place, code in enumerate(self.inputs.codes):
            paid = self.grant.values[:, place] > 0
            if paid.any():
                found = years[place, paid]
                rows[code] = {**ordered(found), "never": float(np.isinf(found).mean())}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=[*QUANTILES, "never"]).rename_axis(
            "authority"
        )
        frame = self.inputs.councils.loc[frame.index, ["name", "region"]].join(frame)
        return with_units(frame, "years", never=SHARE)

    def above_reserves(self) -> pd.DataFrame:
        """Councils with a deficit above their usable reserves at each year end: by year, quantiles without and
        with the scheme, of the `councils` whose reserves are published.

        Reserves are those of `Inputs.reserves_year`, carried on unchanged: an assumption. Of a council whose
        reserves are not published then it is not known, and it is not counted.
        """
        limit, years = self.inputs.size("reserves", self.scheme.base_year), self.projection.years
        deficits = {"without": self.inputs.deficit, "with": self.deficit}
        counts = {
            name: np.array([(deficit(year) > limit).sum(axis=0, dtype=float) for year in years])
            for name, deficit in deficits.items()
        }
        frame = ranged(counts, pd.Index(years, name="year"))
        return with_units(frame.assign(councils=int((~np.isnan(limit)).sum())), "councils")

    def cannot_balance(self) -> pd.DataFrame:
        """Each council's chance that its deficit is above its unallocated and earmarked reserves when the override
        ends, without and with the scheme: what it would then have to charge to them. Likeliest first; missing
        where its reserves are not published.
        """
        year = self.scheme.override_ends
        if year not in self.projection.years:
            raise SchemeError(f"override_ends {year} is not in the projection: project with until={year} or later")
        limit = self.inputs.size("reserves", self.scheme.base_year)
        chances = {
            name: np.where(np.isnan(limit[:, 0]), np.nan, (deficit > limit).mean(axis=1))
            for name, deficit in (("without", self.inputs.deficit(year)), ("with", self.deficit(year)))
        }
        frame = self.inputs.councils[["name", "region"]].assign(
            reserves=limit[:, 0], **{f"chance_{name}": chance for name, chance in chances.items()}
        )
        frame = frame.sort_values(["chance_with", "chance_without", "name"], ascending=[False, False, True])
        return with_units(frame, SHARE, reserves="£")

    def by_successor(self) -> pd.DataFrame:
        """Grant, what is left and the balance at the last year end before the change, of councils that are to be
        divided, by successor (£, quantiles), by people aged 2 to 18."""
        frames = []
        for code, split in read_splits().items():
            if code not in self.inputs.codes:
                continue
            last = min(split.on.year if split.on.month > 3 else split.on.year - 1, self.projection.years[-1])
            parts = shares(split)
            held = {"grant": self.grant, "left": self.left, "balance": self.balance.sel(year=last)}
            divided = {
                name: np.array(list(divide(array.sel(authority=code).values, parts).values()))
                for name, array in held.items()
            }
            index = pd.MultiIndex.from_product([[code], parts.index], names=["authority", "successor"])
            frame = pd.DataFrame({"share": parts.to_numpy(), "balance_year": last}, index=index)
            frames.append(frame.join(ranged(divided, index)))
        whole = pd.concat(frames) if frames else pd.DataFrame()
        return with_units(whole, "£", share="share", balance_year="year")

    def _grouped(self, column: str, per: Per | None) -> pd.DataFrame:
        groups = self.inputs.councils[column]
        members = {name: (groups == name).to_numpy() for name in sorted(groups.unique())}
        members["England"] = np.ones(len(groups), dtype=bool)

        def sums(values: Array) -> Array:
            return np.stack([np.nansum(values[inside], axis=0) for inside in members.values()])

        size = sums(np.broadcast_to(self._size(per), self.inputs.shape)) if per else 1.0
        frames = []
        for label, values in [("grant", self.grant.values.T), ("left", self.left.values.T)]:
            whole = sums(values) / size
            frame = ranged({label: whole}, pd.Index(members, name=column))
            frames.append(frame.assign(**{f"{label}_mean": whole.mean(axis=1)}))
        return with_units(pd.concat(frames, axis=1), unit_of(per, None))

    def _size(self, per: Per | None) -> Array:
        check_per(per)
        return np.ones((1, 1)) if per is None else self.inputs.size(PER[per], self.scheme.base_year)

    def __repr__(self) -> str:
        return f"{self.scheme!r}, on: {self.projection!r}"


def grants_inside(projection: Projection) -> tuple[str, ...]:
    """A warning where published balances may hold the government's grant already; none before it is paid."""
    published, paid_in = projection.base_year, int(assumed("write_offs", "grant_paid_in").number)
    if published < paid_in:
        return ()
    return (
        f"Balances at {year_end(published)} are published, and they may already include grants that the "
        f"government paid from {financial_year(paid_in)} on. They are taken here as balances before any grant: "
        "where they include one, what is left with a scheme is too low.",
    )


def years_back(level: Array, path: Sequence[tuple[int, Array]]) -> Array:
    """Years until a deficit that was `level` is back there, on straight lines between year ends.

    `path`: years since, and the deficit then, in order; the first is 0 and what is left once the grant is counted.
    0 where nothing was paid, and infinite where it is not back by the last.
    """
    reached = np.where(path[0][1] >= level, 0.0, np.inf)
    for (since, low), (years, now) in pairwise(path):
        there = np.isinf(reached) & (now >= level)
        if there.any():
            start = low[there]
            part = (np.broadcast_to(level, now.shape)[there] - start) / (now[there] - start)
            reached[there] = since + part * (years - since)
    return reached


def ordered(values: Array) -> dict[str, float]:
    """Quantiles of values that may be infinite (never), between two of which there is nothing to interpolate."""
    method: Literal["linear", "inverted_cdf"] = "linear" if np.isfinite(values).all() else "inverted_cdf"
    return {name: float(np.quantile(values, at, method=method)) for name, at in QUANTILES.items()}


def ranged(values: Mapping[str, Array], index: pd.Index) -> pd.DataFrame:
    """p10, p50 and p90 over draws (the last axis) of each row, in columns such as `grant_p10`."""
    found = {name: np.quantile(each, [QUANTILES[at] for at in THREE], axis=-1) for name, each in values.items()}
    columns = {f"{name}_{at}": row for name, rows in found.items() for at, row in zip(THREE, rows, strict=True)}
    return pd.DataFrame(columns, index=index)
