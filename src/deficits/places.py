"""Specialist places: need in state provision against capacity, what closing the gap costs, and what not closing
it does.

Need is the projection's plans in state special schools, resource bases and SEN units. Capacity is what the
analyst declares for a council; no survey of capacity by council is held here, so that without a declaration it
is the places in use at the start. What is short is filled by independent schools unless places are built. £
throughout, in cash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from deficits.assumptions import assumed
from deficits.errors import DeficitsError, ProjectionError
from deficits.projection import Projection
from deficits.reform_plan import SECTORS, Actions
from deficits.reform_plan.actions import Sector, Year
from deficits.reform_plan.baseline import baseline
from deficits.simulated import ranges
from deficits.sizes import Array, Pounds, Share
from deficits.validation import Declared, read_text, read_yaml, validated

Provision = Literal["state_special", "resource_base"]
PROVISION: tuple[Provision, ...] = get_args(Provision)
"""State provision that may be short of places."""
IN_USE, DECLARED = "places in use at the start (assumed)", "declared"
Number = Annotated[float, Field(ge=0)]


class CouncilCapacity(Declared):
    """What an analyst knows of a council: places by provision, those that open later by year (2028 is 2027-28),
    its own count of plans by sector, and £ a place and year.
    """

    capacity: dict[Provision, Number] = Field(default_factory=dict)
    opening: dict[Year, dict[Provision, Number]] = Field(default_factory=dict)
    places: dict[Sector, Number] = Field(default_factory=dict)
    unit_costs: dict[Sector, Pounds] = Field(default_factory=dict)


class Capacity(Declared):
    """Terms of building, and what is known of councils, by name or DfE number."""

    capital: dict[Provision, Pounds] = Field(default_factory=dict, description="£ once a place")
    lead: dict[Provision, Annotated[int, Field(ge=0, le=10)]] = Field(
        default_factory=dict, description="years from the start until the first new place opens"
    )
    to_independent: dict[Provision, Share] = Field(
        default_factory=dict, description="share of those without a place who go to an independent school"
    )
    councils: dict[str, CouncilCapacity] = Field(default_factory=dict)

    @classmethod
    def read(cls, file: str | Path) -> Capacity:
        """From a YAML file; ProjectionError lists every fault."""
        path = Path(file)
        content = read_yaml(read_text(path, path.name, ProjectionError), path.name, ProjectionError)
        return validated(cls, content or {}, path.name, ProjectionError)

    def term(self, name: str, provision: Provision) -> float:
        """What building takes: as declared, else as data/assumptions/places.yaml has it."""
        return float(getattr(self, name).get(provision, assumed("places", f"{name}_{provision}").number))


@dataclass(frozen=True)
class Places:
    """Places of a council, or of several together, by year and simulation.

    `need`: plans by provision, shape (provisions, years, draws); `capacity`: places, shape (provisions, years,
    1 or draws); `short`: what need passes capacity by, as `need`. `not_built`: £ a year more than in the
    projection when what is short is filled by independent schools, shape (years, draws). For each provision
    that may be built, of the same shape: `built` (places that are open), `capital` (£ in the year), `saved` (£
    a year less than without the places). `basis`: where capacity is from.
    """

    name: str
    basis: str
    years: list[int]
    need: Array
    capacity: Array
    short: Array
    not_built: Array
    built: dict[str, Array]
    capital: dict[str, Array]
    saved: dict[str, Array]

    def by_year(self) -> pd.DataFrame:
        """Need, capacity and shortfall by provision, and £ of not building: indexed by (measure, year), columns
        mean, p10, p50, p90, unit.
        """
        tables = {
            f"{measure}, {provision}": getattr(self, measure)[place]
            for place, provision in enumerate(PROVISION)
            for measure in ("need", "capacity", "short")
        }
        tables |= {"short": self.short.sum(axis=0), "cost of not building": self.not_built}
        years = pd.Index(self.years, name="year")
        frames = {name: pd.DataFrame(ranges(values), index=years) for name, values in tables.items()}
        frame = pd.concat(frames, names=["measure", "year"]).assign(unit="places")
        frame.loc["cost of not building", "unit"] = "£"
        return frame

    def options(self) -> pd.DataFrame:
        """What closing the gap takes, by what is built: columns places (open in the last year), capital (£ in
        all), saved (£ in the last year) and net (saved in all less capital, £), as medians; payback (years of the
        last year's saving that pay for the capital) and broken_even (share of simulations in which that has
        happened by the last year). Indexed by provision.
        """
        rows = {}
        for provision, built in self.built.items():
            capital, saved = self.capital[provision].sum(axis=0), self.saved[provision]
            net = saved.sum(axis=0) - capital
            pays = np.divide(capital, saved[-1], out=np.full_like(capital, np.nan), where=saved[-1] > 0)
            rows[provision] = {
                "places": np.median(built[-1]),
                "capital": np.median(capital),
                "saved": np.median(saved[-1]),
                "net": np.median(net),
                "payback": np.nanmedian(pays) if np.isfinite(pays).any() else np.nan,
                "broken_even": float((net >= 0)[capital > 0].mean()) if (capital > 0).any() else np.nan,
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("provision")


def places(
    projection: Projection,
    council: str | int,
    declared: Capacity | None = None,
    plans: xr.DataArray | None = None,
) -> Places:
    """A council's places on a projection without levers. `plans`: of `Projection.plans`, where worked out already.

    Raises ProjectionError for a council without plans by placement, or where more than one entry is for it.
    """
    terms, code = declared or Capacity(), projection.code(council)
    name = projection.panel.authorities.name(code)
    given = [own for place, own in terms.councils.items() if projection.code(place) == code]
    if len(given) > 1:
        raise ProjectionError(f"councils: {name} is declared twice")
    own = given[0] if given else CouncilCapacity()
    # A reform plan's position without any action.
    nothing = Actions.model_construct(actions=(), places=own.places, unit_costs=own.unit_costs)
    base = baseline(projection, code, nothing, projection.plans() if plans is None else plans)
    position, at = base.position, [SECTORS.index(provision) for provision in PROVISION]
    ahead = [year > base.known for year in position.years]
    years = [year for year in position.years if year > base.known]
    need, cost = position.places[at][:, ahead], position.cost[at][:, ahead]
    start = position.places[at][:, position.years.index(base.known)].mean(axis=1)
    capacity = np.zeros((len(PROVISION), len(years), 1))
    for place, provision in enumerate(PROVISION):
        capacity[place] = own.capacity.get(provision, start[place])
        for opens, new in own.opening.items():
            capacity[place, np.array(years) >= opens] += new.get(provision, 0.0)
    lead, price, share = (
        np.array([terms.term(name, provision) for provision in PROVISION])[:, None, None]
        for name in ("lead", "capital", "to_independent")
    )
    short = np.clip(need - capacity, 0.0, None)
    whole = short.sum(axis=0)
    not_built = (short * share * (position.cost[SECTORS.index("independent")][ahead] - cost)).sum(axis=0)
    # £ that those who are short cost without a place, on average.
    otherwise = not_built + (short * cost).sum(axis=0)
    average = np.divide(otherwise, whole, out=np.zeros_like(whole), where=whole > 0)
    # A place once built is there, also when fewer are short later.
    built = np.maximum.accumulate(whole * (np.array(years)[:, None] > base.known + lead), axis=1)
    capital = np.diff(built, axis=1, prepend=0.0) * price
    saved = np.minimum(built, whole) * (average - cost)
    basis = DECLARED if own.capacity else IN_USE
    by_provision = (dict(zip(PROVISION, each, strict=True)) for each in (built, capital, saved))
    return Places(name, basis, years, need, capacity, short, not_built, *by_provision)


def places_of_all(
    projection: Projection, declared: Capacity | None = None
) -> Iterator[tuple[str, Places | DeficitsError]]:
    """DfE number and places of every council of a projection; for one that cannot be worked out, the reason."""
    plans = projection.plans()
    for code in projection.fit.councils.index:
        try:
            yield code, places(projection, code, declared, plans)
        except ProjectionError as error:
            yield code, error


def together(name: str, found: Sequence[Places]) -> Places:
    """Several councils' places added up in every simulation: one council's spare places do not help another."""

    sums: dict[str, Any] = {
        part: np.sum([getattr(each, part) for each in found], axis=0, dtype=float)
        for part in ("need", "capacity", "short", "not_built")
    }
    for part in ("built", "capital", "saved"):
        sums[part] = {p: np.sum([getattr(each, part)[p] for each in found], axis=0) for p in PROVISION}
    return Places(name, " or ".join(sorted({each.basis for each in found})), found[0].years, **sums)
