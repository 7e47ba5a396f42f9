"""What every result offers: simulations, one long table, plots on matplotlib's axes, files, a notebook's view."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from deficits.errors import DeficitsError
from deficits.formatting import year_end
from deficits.validation import known_word, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTILES = {"p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9}
COLUMNS = ["measure", "unit", "area", "year", "mean", *QUANTILES]
"""Columns of the long table: one row a measure, area and year; `mean` and quantiles in the unit."""
Area = str | int | Sequence[str | int]
"""England, a region, a council (name, DfE number or ONS code), or several councils or regions together."""
Measures = Mapping[str, tuple[str, xr.DataArray]]
"""By name the unit and, for each council, simulations that add up: dims (draw, authority, year)."""
Table = TypeVar("Table", pd.DataFrame, pd.Series)
SCALES = {1e9: "£bn", 1e6: "£m", 1e3: "£000s", 1.0: "£"}


class Written:
    """Files of a result, and what of it completes."""

    simulations: xr.Dataset
    to_frame: Callable[..., pd.DataFrame]
    _inner: ClassVar[frozenset[str]] = frozenset()
    """Attributes that other rooms read and that do not complete: they are not part of the public API."""

    def to_parquet(self, path: str | Path, areas: Area | Mapping[str, Area] | None = None) -> Path:
        """Write the long table, for R, Power BI or DuckDB: the path written. `areas`: as for `to_frame`."""
        frame = self.to_frame() if areas is None else self.to_frame(areas)
        frame.to_parquet(path, index=False)
        return Path(path)

    def to_netcdf(self, path: str | Path) -> Path:
        """Write every simulation with its coordinates, for xarray, R or Stata: the path written."""
        self.simulations.to_netcdf(path)
        return Path(path)

    def __dir__(self) -> list[str]:
        return [
            name
            for name in super().__dir__()
            if name.startswith("__") or (name[0] != "_" and name not in self._inner)
        ]


class Simulated(Written, ABC):
    """A result that holds simulations by council and year.

    `simulations`: dims draw, authority and year, coordinates name, region and type; each variable has its unit in
    `attrs["units"]`. `warnings`: what a reader must know, a sentence each.
    """

    warnings: tuple[str, ...]
    home: str = "England"
    """The area that is shown first."""

    @property
    def size(self) -> tuple[int, int]:
        """(simulations, councils)."""
        return self.simulations.sizes["draw"], self.simulations.sizes["authority"]

    @property
    @abstractmethod
    def measures(self) -> Measures:
        """What `to_frame` tells of each area, by name: its unit, and simulations by council and year."""

    @abstractmethod
    def codes(self, area: Area) -> list[str]:
        """DfE numbers of the councils of an area: England, a region, a council, or several of them together."""

    @property
    def regions(self) -> pd.Series:
        """Region of each council, by name."""
        names, regions = (self.simulations[key].to_numpy() for key in ("name", "region"))
        return pd.Series(regions, index=pd.Index(names, name="name"), name="region")

    def to_frame(self, areas: Area | Mapping[str, Area] | None = None) -> pd.DataFrame:
        """One long table: a row for each measure, area and year; columns `COLUMNS`.

        `areas`: England, each region and each council unless given; a dictionary names groups of councils, whose
        ranges are those of their sum in each simulation. `attrs["units"]` has the unit of each measure.
        """
        if areas is None:
            areas = [self.home, *sorted(self.regions.unique()), *self.regions.index]
        if not isinstance(areas, Mapping | list | tuple | pd.Index):
            areas = [areas]  # type: ignore[list-item]
        named = areas if isinstance(areas, Mapping) else {str(area): area for area in areas}
        members = {name: self.codes(area) for name, area in named.items()}
        frames = [_rows(name, unit, values, members) for name, (unit, values) in self.measures.items()]
        units = {name: unit for name, (unit, _) in self.measures.items()}
        return in_units(pd.concat(frames, ignore_index=True), units)

    def difference(self, other: Simulated) -> Difference:
        """This result less another on the same simulations: its ranges are of the difference in each."""
        return Difference(self, other)

    @property
    def plot(self) -> Plots:
        """Plots of the result, on axes of your own or new ones, in matplotlib's own style."""
        return Plots(self)

    def _repr_html_(self) -> str:
        frame = self.to_frame(self.home)
        money = frame["unit"].eq("£")
        shown = frame[["measure", "unit", "year"]].assign(unit=frame["unit"].where(~money, "£bn"))
        for column in ("mean", "p10", "p50", "p90"):
            shown[column] = frame[column].where(~money, frame[column] / 1e9)
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.warnings)
        table = shown.to_html(index=False, float_format="{:,.2f}".format, border=0)
        return (
            f"<p><strong>{escape(repr(self))}</strong></p>"
            f"<details open><summary>{escape(self.home)}</summary>{table}</details>"
            f"<details><summary>What to know</summary><ul>{notes}</ul></details>"
        )


def in_units(table: Table, units: str | dict[str, str]) -> Table:
    """The table with the unit of its figures in `attrs["units"]`: one, or one a column or measure."""
    table.attrs["units"] = units
    return table


def with_units(frame: pd.DataFrame, unit: str, **others: str) -> pd.DataFrame:
    """The table with the unit of each numeric column in `attrs["units"]`: `unit`, or that of `others` by its name
    without mean or quantile (`paid` for `paid_p50`)."""
    names = (str(name) for name in frame.select_dtypes("number"))
    return in_units(frame, {name: others.get(re.sub(r"_(mean|p\d\d)$", "", name), unit) for name in names})


def ranges(values: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, p10, p50 and p90 over the simulations, which are the last axis."""
    low, middle, high = np.quantile(values, (0.1, 0.5, 0.9), axis=-1)
    return {"mean": values.mean(axis=-1), "p10": low, "p50": middle, "p90": high}


def _rows(measure: str, unit: str, values: xr.DataArray, members: Mapping[str, list[str]]) -> pd.DataFrame:
    places = pd.Index(values["authority"].to_numpy())
    each = values.transpose("authority", "year", "draw").to_numpy()
    total = np.stack([each[places.get_indexer(codes)].sum(axis=0) for codes in members.values()])
    across = np.quantile(total, list(QUANTILES.values()), axis=-1)
    years = values["year"].to_numpy()
    frame = {"measure": measure, "unit": unit, "area": np.repeat(list(members), len(years))}
    frame |= {"year": np.tile(years, len(members)), "mean": total.mean(axis=-1).ravel()}
    return pd.DataFrame(frame | {name: found.ravel() for name, found in zip(QUANTILES, across, strict=True)})


class Difference(Simulated):
    """One result less another, simulation by simulation, in the measures that both have.

    DeficitsError where they do not share their simulations (seed, number, councils) or a measure.
    """

    def __init__(self, one: Simulated, other: Simulated) -> None:
        if not isinstance(other, Simulated):
            raise DeficitsError(f"other: found a {type(other).__name__}, expected a result like a projection")
        seeds = [(each.simulations.attrs.get("seed"), each.size[0]) for each in (one, other)]
        if seeds[0] != seeds[1]:
            told = " and ".join(f"seed {seed} with {draws:,} draws" for seed, draws in seeds)
            raise DeficitsError(f"results of {told}: expected the same, so that simulations are paired")
        mine, theirs = one.measures, other.measures
        self._measures = {
            name: (unit, values - theirs[name][1]) for name, (unit, values) in mine.items() if name in theirs
        }
        if not self._measures:
            raise DeficitsError(f"no measure in common: {', '.join(mine)} and {', '.join(theirs)}")
        self._one, self._other, self.warnings = one, other, one.warnings
        self.simulations = xr.Dataset({name: values for name, (_, values) in self._measures.items()})

    @property
    def measures(self) -> Measures:
        """See `Simulated`."""
        return self._measures

    def codes(self, area: Area) -> list[str]:
        """See `Simulated`."""
        return self._one.codes(area)

    def __repr__(self) -> str:
        return f"Difference, simulation by simulation: {self._one!r}\nless {self._other!r}"


class Plots:
    """Plots of a result. Each takes `ax`, or makes a figure, and returns the axes to change as you like."""

    def __init__(self, result: Simulated) -> None:
        self._result = result

    def __dir__(self) -> list[str]:
        return ["fan", "largest"]

    def fan(self, area: Area | None = None, measure: str | None = None, *, ax: Axes | None = None) -> Axes:
        """A measure by year: its median, 50% and 80% ranges. England and the first measure unless given."""
        area = self._result.home if area is None else area
        return lines(self._of({_label(area): area}, measure), "area", _label(area), ax)

    def largest(
        self, year: int | None = None, measure: str | None = None, *, n: int = 10, ax: Axes | None = None
    ) -> Axes:
        """The councils with the most of a measure at a year end: medians with 80% ranges."""
        frame = self._of({name: name for name in self._result.regions.index}, measure)
        years = sorted(frame["year"].unique())
        chosen = years[-1] if year is None else whole("year", year, DeficitsError, years[0], years[-1])
        top = frame[frame["year"] == chosen].nlargest(whole("n", n, DeficitsError, 1), "p50").iloc[::-1]
        return bars(top, "area", f"{_words(top['measure'].iloc[0])} at {year_end(int(chosen))}", ax)

    def _of(self, areas: Mapping[str, Area], measure: str | None) -> pd.DataFrame:
        known = self._result.measures
        name = known_word("measure", next(iter(known)) if measure is None else measure, known, DeficitsError)
        members = {label: self._result.codes(area) for label, area in areas.items()}
        return _rows(name, *known[name], members)


def lines(frame: pd.DataFrame, label: str, title: str, ax: Axes | None = None) -> Axes:
    """A line by year for each value of a column of a long table: its median, 80% range and, where it is there, 50%
    range."""
    scale, unit = _scale(frame)
    axes = _axes(ax)
    for name, rows in frame.groupby(label, sort=False):
        years = rows["year"]
        (line,) = axes.plot(years, rows["p50"] / scale, label=f"{name}, central estimate and 80% range")
        for low, high in (("p10", "p90"), ("p25", "p75")):
            if low in rows:
                bounds = rows[low] / scale, rows[high] / scale
                axes.fill_between(years, *bounds, color=line.get_color(), alpha=0.2, lw=0)
    axes.set_xticks(sorted(frame["year"].unique()))
    axes.set(xlabel="31 March", ylabel=unit, title=f"{title}: {_words(frame['measure'].iloc[0])}")
    return axes


def bars(frame: pd.DataFrame, label: str, title: str, ax: Axes | None = None) -> Axes:
    """A bar for each row of a long table, the first one lowest: its median and 80% range."""
    scale, unit = _scale(frame)
    axes = _axes(ax)
    reach = np.abs(np.stack([frame["p50"] - frame["p10"], frame["p90"] - frame["p50"]])) / scale
    axes.barh(frame[label], frame["p50"] / scale, xerr=reach, capsize=2)
    axes.set(xlabel=unit, title=title)
    return axes


def _axes(ax: Axes | None) -> Axes:
    import matplotlib.pyplot as plt

    return plt.subplots()[1] if ax is None else ax


def _label(area: Area) -> str:
    return str(area) if isinstance(area, str | int) else " and ".join(map(str, area))


def _words(measure: str) -> str:
    return measure.replace("_", " ").capitalize()


def _scale(frame: pd.DataFrame) -> tuple[float, str]:
    """What values are divided by on an axis, and the unit it then has."""
    unit: str = frame["unit"].iloc[0]
    most: Any = frame[["p10", "p90"]].abs().to_numpy().max()
    if unit != "£":
        return 1.0, unit
    scale = next((each for each in SCALES if most >= each), 1.0)
    return scale, SCALES[scale]
