"""The projection: draws of every council's balance, and the questions it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
import xarray as xr

from deficits.assumptions import Assumptions, assumed
from deficits.errors import PanelError, ProjectionError, closest
from deficits.formatting import day_in_words, england_range, gbp, listed, year_end
from deficits.panel import Panel, read_splits
from deficits.projection.cache import kept, key_of
from deficits.projection.condition import Calibrated, newest_national_figure
from deficits.projection.councils import absent, own_assumptions
from deficits.projection.fit import Fit, fit
from deficits.projection.history import base_year
from deficits.projection.lever import Lever
from deficits.projection.national import Paths
from deficits.projection.simulate import Drawn, plans_by_council, simulate
from deficits.projection.summaries import (
    Per,
    Step,
    breaks_even,
    check_per,
    decomposed,
    dsg,
    people_2_18,
    price_factor,
    school_pupils,
    unit_of,
)
from deficits.simulated import QUANTILES, Area, Measures, Simulated, in_units, ranges
from deficits.validation import known_word, one_of, several, whole

Measure = Literal["gross", "net", "in_year"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
FIRST_SHOWN = int(assumed("write_offs", "measured_from").number)
"""Year end from which published balances are shown where newer ones are projected from."""
UNTIL = int(assumed("projection", "usual_last_year").number)
"""Last year end of a projection where none is asked for."""
LAST_HORIZON = int(assumed("projection", "last_year").number)
COUNTED_FOR = 8
"""Years after a count of people for which the ages with most plans are still of children who were counted."""
LEAST_AMOUNT = 1e6
"""£ below which a national deficit that is asked for is a slip of unit."""
SURPRISING = 2.0
"""Standard deviations between the model and a national figure above which a person should look."""


class Place(NamedTuple):
    """England, a region or a council (`kind`) by its name, and the DfE numbers of its councils."""

    name: str
    kind: Literal["England", "region", "council"]
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Reach:
    """When a national deficit reaches an amount.

    `probability`: by year end, that the deficit is at or above the amount (share of draws). `date`: quantiles
    of the day it first gets there; a balance is only measured at 31 March, so a day inside a year is
    interpolated on a straight line; missing where more than that share of draws have not got there by the
    last year.
    """

    probability: pd.Series
    date: pd.Series


@dataclass(frozen=True, repr=False)
class Projection(Simulated):
    """Draws of balances at each 31 March.

    `simulations` has `balance` (£, negative = deficit), with dims (draw, authority, year) and coordinates name,
    region and type along authority, and `safety_valve_payments` (£, authority and year), which are inside those
    balances. Up to `base_year` they are the published ones, the same in every draw but for councils that have not
    reported; later ones are simulated. `paths`: England's plans, spend and block behind them.
    """

    simulations: xr.Dataset
    panel: Panel
    assumptions: Assumptions
    levers: tuple[Lever, ...]
    fit: Fit
    paths: Paths
    drawn: Drawn
    changed: np.ndarray | None
    seed: int
    calibrated: Calibrated | None
    holdings: tuple[Calibrated, ...]

    _inner = frozenset(("fit", "paths", "drawn", "changed", "holdings", "account", "home"))

    @property
    def measures(self) -> Measures:
        """£ by council: gross (its deficit, >= 0), net (minus its balance), in_year (negative = overspend)."""
        balance, paid = self.balance.drop_attrs(), self.simulations["safety_valve_payments"].drop_attrs()
        in_year = balance.diff("year")
        found = {"gross": (-balance).clip(min=0.0), "net": -balance}
        found["in_year"] = in_year - paid.sel(year=in_year["year"])
        return {name: ("£", each.assign_attrs(units="£")) for name, each in found.items()}

    def with_assumptions(
        self, assumptions: Assumptions | None = None, levers: Lever | str | Sequence[Lever | str] | None = None
    ) -> Projection:
        """The same simulations with other assumptions or levers: what differs is what was changed. Quicker than
        `project`."""
        assumptions = self.assumptions if assumptions is None else _assumptions(assumptions, self.panel)
        chosen = self.levers if levers is None else several("levers", levers, Lever, Lever.read, ProjectionError)
        return _projected(self.panel, assumptions, chosen, self.fit, self.years, self.drawn, self.seed)

    @property
    def years(self) -> list[int]:
        """Year ends of the projection, the published one first."""
        return [int(year) for year in self.simulations["year"].values]

    @property
    def base_year(self) -> int:
        """The newest year end at which nearly all councils' balances are published: later ones are simulated."""
        return self.fit.base_year

    @property
    def projected_years(self) -> list[int]:
        """Year ends after the newest published one."""
        return [year for year in self.years if year > self.base_year]

    @property
    def headline_year(self) -> int:
        """The year end to report first: that of the government's grant, or the newest published one if it is
        later."""
        measured = int(assumed("write_offs", "grant_measured_at").number)
        return min(max(measured, self.base_year), self.years[-1])

    @property
    def balance(self) -> xr.DataArray:
        """£, dims (draw, authority, year), negative = deficit."""
        return self.simulations["balance"]

    def england(self, per: Per | None = None, real: int | None = None) -> pd.DataFrame:
        """`area` for England: quantiles by (measure, year), £ unless asked for otherwise."""
        return self.area("England", per, real)

    def area(self, area: Area, per: Per | None = None, real: int | None = None) -> pd.DataFrame:
        """Quantiles for England, a region, a council, or several together, whose ranges are those of their sum in
        each simulation, £: indexed by (measure, year), columns p10 to p90.

        gross: the deficits of the councils in deficit (>= 0). net: minus the sum of all balances.
        in_year: the sum of in-year positions without safety valve payments (negative = overspend), from the
        second year on.

        `per`: £ a "pupil" (on a school's roll), "person_2_18" (of that age) or "plan", or a share of the "dsg" of
        that year. `real`: in prices of that financial year. Errors offer the closest name of an unknown area.
        """
        codes = self.codes(area)
        every = len(codes) == self.balance.sizes["authority"]  # no copy is made of all
        held = self.simulations if every else self.simulations.sel(authority=codes)
        moneys = {measure: national(held["balance"], measure) for measure in MEASURES}
        moneys["in_year"] = moneys["in_year"] - held["safety_valve_payments"].sum("authority")
        ranged = {name: quantiles(self._divided(money, codes, per, real)) for name, money in moneys.items()}
        return in_units(pd.concat(ranged, names=["measure"]), unit_of(per, real))

    def codes(self, area: Area) -> list[str]:
        """DfE numbers of the councils of an area; errors offer the closest name of an unknown one."""
        if isinstance(area, float) or area is None:
            raise ProjectionError(f"area: found {area!r}, expected a council, a region, England or a list of them")
        if not isinstance(area, str | int):
            found = [code for each in area for code in self.codes(each)]
            twice = sorted({code for code in found if found.count(code) > 1})
            if twice or not found:
                names = listed([self.panel.authorities.name(code) for code in twice])
                raise ProjectionError(f"area: {names} would count twice" if twice else "area: found no council")
            return found
        return list(self.place(str(area)).codes)

    @property
    def warnings(self) -> tuple[str, ...]:  # type: ignore[override]
        """What a reader of all councils' figures must know, a sentence each."""
        return self.warnings_on("England")

    def warnings_on(self, area: Area) -> tuple[str, ...]:
        """The warnings that concern an area: those on councils elsewhere are left out."""
        return (*_warnings(self, self.codes(area)), *_without_effect(self))

    def place(self, word: str) -> Place:
        """England, a region or a council, in whatever letters; ProjectionError offers the closest, or says when a
        council that is to be divided will be."""
        regions = {region.casefold(): region for region in set(self.fit.councils["region"])}
        asked = word.strip().casefold()
        if asked in ("", "england"):
            return Place("England", "England", tuple(self.fit.councils.index))
        if asked in regions:
            inside = self.fit.councils["region"] == regions[asked]
            return Place(regions[asked], "region", tuple(inside.index[inside]))
        authorities = self.panel.authorities
        try:
            code = self.code(word)
        except PanelError:
            for divided, split in read_splits().items():
                for name in (each for each in split.successors if each.casefold() == asked):
                    when = f"begins on {day_in_words(split.on)}; until then ask for {authorities.name(divided)}"
                    raise ProjectionError(f"{name} {when}") from None
            known = [*regions.values(), *self.regions.index]
            raise ProjectionError(f"no council or region '{word.strip()}': {closest(word, known)}") from None
        return Place(authorities.name(code), "council", (code,))

    def authority(self, authority: str | int, per: Per | None = None, real: int | None = None) -> pd.DataFrame:
        """Quantiles of one council's balance, £ (negative = deficit): indexed by year, columns p10 to p90.

        The council by DfE number, ONS code or name. PanelError offers the closest name; ProjectionError when it
        no longer exists. `per` and `real` as for `area`.
        """
        code = self.code(authority)
        money = self._divided(self.balance.sel(authority=code), [code], per, real)
        return in_units(quantiles(money), unit_of(per, real))

    def lever_by_council(self, lever: Lever | str | Path) -> pd.DataFrame:
        """What a lever does to each council in each projected year, £ (positive = less deficit).

        Indexed by (authority, year); columns mean, p10, p50, p90 over the draws of this baseline.
        """
        effect = one_of("lever", lever, Lever, Lever.read, ProjectionError).effect(self.fit, self.paths)
        found = {name: each.T.ravel() for name, each in ranges(effect.position).items()}
        index = pd.MultiIndex.from_product(
            [self.fit.councils.index, self.paths.years[1:]], names=["authority", "year"]
        )
        return in_units(pd.DataFrame(found, index=index), "£")

    def plans(self) -> xr.DataArray:
        """EHC plans in January, dims (draw, authority, year); councils add up to England."""
        own = own_assumptions(self.panel, self.assumptions, self.fit.councils.index)
        number = plans_by_council(self.fit, self.paths, own, self.seed)
        return self.balance.copy(data=number).rename("plans").drop_attrs().assign_attrs(units="plans")

    def _divided(self, money: xr.DataArray, codes: list[str], per: Per | None, real: int | None) -> xr.DataArray:
        """Money of some councils together (dims draw and year), in the prices and per what is asked for."""
        check_per(per)
        years = [int(year) for year in money["year"].values]
        if real is not None:
            factor = price_factor(self.panel, self.assumptions, years, real)
            money = money * xr.DataArray(factor, dims="year", coords={"year": years})
        if per is None:
            return money
        if per == "plan":
            return money / self.plans().sel(authority=codes, year=years).sum("authority")
        index = pd.Index(codes)
        if per == "pupil":
            number = school_pupils(self.panel, index, years).sum()
        elif per == "person_2_18":
            number = people_2_18(self.panel, index, years).sum()
        else:
            number = dsg(self.panel, self.assumptions, index, years).sum(min_count=1)
        return money / xr.DataArray(number.to_numpy(), dims="year", coords={"year": years})

    def decompose(self, start: int, end: int, authority: str | int | None = None) -> pd.DataFrame:
        """Why the net deficit of England or one council grows between two year ends: £ by cause, positive raises
        it.

        Columns mean, p10, p50, p90; the rows are those of `CAUSES`, and `total`. The means add up exactly, and do
        not depend on the order of the causes; quantiles do not add up.
        """
        last = self.years[-1]
        start = whole("start", start, ProjectionError, self.base_year, last - 1)
        end = whole("end", end, ProjectionError, start + 1, last)
        return decomposed(self.account(authority), start, end)

    def breakeven(self, authority: str | int | None = None, year: int | None = None) -> pd.DataFrame:
        """What would stop the deficit from growing in one year, for England or one council: p10, p50, p90.

        Rows: saving (£ less spent in the year; below 0 so much could be spent more), plan_growth and
        funding_growth (shares: the growth in that year at which spend equals funding, all else as it is), and what
        is expected of either. Grants do not count. The year is the last one unless another is given.
        """
        last = self.years[-1]
        year = whole("year", last if year is None else year, ProjectionError, self.base_year + 1, last)
        return breaks_even(self.account(authority), year)

    def account(self, authority: str | int | None = None) -> Step:
        """Balance, spend and block of England or a council, and what moves them, £ by year and draw."""
        paths, every = self.paths, self.fit.councils.index
        codes = list(every) if authority is None else [self.code(authority)]
        places = every.get_indexer(codes)
        changed = np.zeros_like(paths.spend)
        if self.changed is not None:
            changed[-len(self.projected_years) :] = self.changed[:, places].sum(axis=1)
        return Step(
            years=paths.years,
            balance=self.balance.sel(authority=codes).sum("authority").transpose("year", "draw").values,
            spend=paths.spend * self.drawn.spend[:, places].sum(axis=1),
            block=paths.block * self.fit.accounts.block.loc[codes, paths.years].sum().to_numpy()[:, None],
            added=self.simulations["safety_valve_payments"].sel(authority=codes).sum("authority").values[:, None],
            changed=changed,
            factors={
                "people": paths.people,
                "plan_rate": paths.rate,
                "placement_mix": paths.mix,
                "unit_cost": paths.unit_cost,
            },
        )

    def code(self, authority: str | int) -> str:
        """DfE number of a council of the projection."""
        code = self.panel.authorities.resolve(authority)
        if code not in self.simulations["authority"].values:
            raise ProjectionError(absent(self.panel, code, self.fit.councils.index))
        return code

    def year(self, year: int) -> int:
        """The year, when the projection has it; ProjectionError otherwise."""
        return whole("year", year, ProjectionError, self.years[0], self.years[-1])

    def reaches(self, amount: float, measure: Measure = "gross") -> Reach:
        """When England's gross or net deficit reaches an amount (£, > 0)."""
        known_word("measure", measure, ("gross", "net"), ProjectionError)
        if not isinstance(amount, float | int | np.number) or not amount >= LEAST_AMOUNT:
            raise ProjectionError(f"amount {amount} is not a deficit: give pounds from 1e6, such as 5e9 for £5bn")
        deficit = national(self.balance, measure).values
        there = (deficit >= amount).mean(axis=0)
        places = np.quantile(_crossing(deficit, amount), list(QUANTILES.values()), method="lower")
        ends = [pd.Timestamp(year, 3, 31).toordinal() for year in self.years]
        days = np.interp(places, range(len(ends)), ends).astype(int)
        date = {
            name: pd.Timestamp.fromordinal(day) if np.isfinite(place) else pd.NaT
            for name, place, day in zip(QUANTILES, places, days, strict=True)
        }
        probability = pd.Series(there, index=pd.Index(self.years, name="year"), name="probability")
        return Reach(in_units(probability, "share"), pd.Series(date))

    def __repr__(self) -> str:
        draws, councils = self.size
        low, high = (self.england().loc["gross", part] for part in ("p10", "p90"))
        ends = [
            f"{england_range(low[year], high[year], year - self.base_year)} at {year_end(year)}"
            for year in dict.fromkeys([self.headline_year, self.years[-1]])
        ]
        given = [repr(self.assumptions)] * (self.assumptions != Assumptions().known_on(self.panel.as_of))
        given += [f"lever '{lever.title}'" for lever in self.levers]
        given += [f"as of {self.panel.as_of}"] * bool(self.panel.as_of)
        given += [f"own figures of {self.panel.own}"] * bool(self.panel.own)
        return (
            f"Projection of {councils} councils to {self.years[-1]}, {draws:,} simulations: England's gross "
            f"deficit {', '.join(ends)} (80% range)" + "".join(f"; {each}" for each in given)
        )


def project(
    panel: Panel,
    assumptions: Assumptions | None = None,
    *,
    levers: Lever | str | Sequence[Lever | str] = (),
    until: int = UNTIL,
    draws: int = 4000,
    seed: int = 1,
) -> Projection:
    """Project every council's balance to 31 March of `until`.

    A Monte Carlo over shared and own shocks, calibrated to the newest national gross deficit. Same seed, same
    result, to the pound, on any route. `levers`, or their names, change each draw. Where the environment variable
    DEFICITS_CACHE names a folder, the projection is kept there, and found again by its figures, assumptions,
    levers and code.

    >>> import deficits as d
    >>> projection = d.project(d.load_panel(), until=2028, draws=500, seed=1)
    >>> projection.balance.dims, projection.years
    (('draw', 'authority', 'year'), [2024, 2025, 2026, 2027, 2028])

    Raises ProjectionError for a horizon, number of draws or calibration that cannot be used.
    """
    if not isinstance(panel, Panel):
        raise ProjectionError(f"panel: found a {type(panel).__name__}, expected a Panel, as load_panel() gives")
    given = _assumptions(Assumptions() if assumptions is None else assumptions, panel)
    chosen = several("levers", levers, Lever, Lever.read, ProjectionError)
    until = whole("until", until, ProjectionError, base_year(panel) + 1, LAST_HORIZON)
    draws, seed = whole("draws", draws, ProjectionError, 100, 100_000), whole("seed", seed, ProjectionError, 0)

    def made() -> Projection:
        key = key_of(panel, Assumptions(), (), until, draws, seed)
        ready = _newest.get(key)
        if ready is None:
            fitted = fit(panel, until)
            years = list(range(min(fitted.base_year, FIRST_SHOWN), until + 1))
            ready = (fitted, years, Drawn.of(panel, fitted, years, draws, seed))
            _newest.clear()
            _newest[key] = ready
        return _projected(panel, given, chosen, *ready, seed)

    return kept(lambda: key_of(panel, given, chosen, until, draws, seed), made)


_newest: dict[str, tuple[Fit, list[int], Drawn]] = {}
"""What was fitted and drawn for the newest run, by its figures: another run on them, with other assumptions, takes
it."""


def _assumptions(given: Assumptions | Mapping[str, object], panel: Panel) -> Assumptions:
    """Assumptions, or a dictionary of them, without what was announced after the panel's day."""
    if isinstance(given, Mapping):
        given = Assumptions(**given)
    if not isinstance(given, Assumptions):
        raise ProjectionError(f"assumptions: found a {type(given).__name__}, expected Assumptions(...)")
    return given.known_on(panel.as_of)


def _projected(
    panel: Panel,
    assumptions: Assumptions,
    levers: tuple[Lever, ...],
    fitted: Fit,
    years: list[int],
    drawn: Drawn,
    seed: int,
) -> Projection:
    base, councils = fitted.base_year, fitted.councils
    calibration = newest_national_figure(panel, assumptions, base + 1)
    block, known = councils["block"], drawn.known.get(base + 1)
    # Where councils with half of the block or more have a known balance, a rounded national figure adds nothing,
    # and the few others would have to make up all that it differs by.
    if known is not None and block.iloc[list(known)].sum() >= block.sum() / 2:
        calibration = None
    for lever in levers:
        if calibration is not None and base < lever.first_start <= calibration.year:
            raise ProjectionError(
                f"lever '{lever.title}' starts in {lever.first_start}, for which a national figure is published: "
                f"give start={calibration.year + 1} or later"
            )
    own = own_assumptions(panel, assumptions, councils.index)
    run = simulate(fitted, drawn, assumptions, own, levers, years, seed, calibration)
    dataset = xr.Dataset(
        {
            "balance": (
                ("draw", "authority", "year"),
                _with_published(panel, councils, years[0], base, run.balances),
                {"units": "£", "long_name": "DSG balance at 31 March, negative = deficit"},
            ),
            "safety_valve_payments": (
                ("authority", "year"),
                run.payments.T,
                {"units": "£", "long_name": "safety valve payments of the financial year"},
            ),
        },
        coords={
            "authority": councils.index.to_numpy(dtype=object),
            "year": years,
            "name": ("authority", councils["name"].to_numpy(dtype=object)),
            "region": ("authority", councils["region"].to_numpy(dtype=object)),
            "type": ("authority", panel.authorities.types(councils.index).to_numpy(dtype=object)),
        },
        attrs={"units": "£", "sign": "negative = deficit", "seed": seed},
    )
    return Projection(
        simulations=dataset,
        panel=panel,
        assumptions=assumptions,
        levers=levers,
        fit=fitted,
        paths=run.paths,
        drawn=drawn,
        changed=run.changed,
        seed=seed,
        calibrated=run.calibrated,
        holdings=run.holdings,
    )


def national(balance: xr.DataArray, measure: Measure) -> xr.DataArray:
    """England's gross or net deficit or in-year position, £, from balances with an authority dim.

    Any other dims stay; in_year has one year end fewer.
    """
    known_word("measure", measure, MEASURES, ProjectionError)
    balance = balance.drop_attrs()
    money = (balance.clip(max=0.0) if measure == "gross" else balance).sum("authority", skipna=False)
    return (money.diff("year") if measure == "in_year" else -money).assign_attrs(units="£")


def quantiles(values: xr.DataArray) -> pd.DataFrame:
    """Quantiles over draws: columns p10, p25, p50, p75, p90, one row for each place along the other dim."""
    (other,) = [dim for dim in values.dims if dim != "draw"]
    array = np.quantile(values.transpose("draw", other).values, list(QUANTILES.values()), axis=0)
    return pd.DataFrame(array.T, index=pd.Index(values[other].values, name=str(other)), columns=list(QUANTILES))


def _crossing(deficit: np.ndarray, amount: float) -> np.ndarray:
    """Where along its year ends each draw first reaches the amount, on straight lines; infinity where it does
    not."""
    there = deficit >= amount
    first = there.argmax(axis=1)
    rows = np.arange(len(deficit))
    before = deficit[rows, np.maximum(first - 1, 0)]
    after = deficit[rows, first]
    part = np.divide(amount - before, after - before, out=np.ones_like(after), where=first > 0)
    return np.where(there.any(axis=1), np.where(first > 0, first - 1 + part, 0.0), np.inf)


def _with_published(
    panel: Panel, councils: pd.DataFrame, first: int, base: int, balances: np.ndarray
) -> np.ndarray:
    """Simulated balances with the published ones of earlier year ends before them, £ (draws, authorities, years).

    Where a council's is not known, it lies on the line between its last known balance and that of the base year
    end.
    """
    if first == base:
        return balances
    published = panel.figure("balance").reindex(index=councils.index)
    before = []
    for year in range(first, base):
        known = published.loc[:, :year]
        newest = known.apply(pd.Series.last_valid_index, axis=1).astype(float)
        part = ((year - newest) / (base - newest)).fillna(1.0).to_numpy()
        last = known.ffill(axis=1).iloc[:, -1].fillna(0.0).to_numpy()
        before.append((1 - part) * last + part * balances[:, :, 0])
    return np.concatenate([np.stack(before, axis=2), balances], axis=2)


def _warnings(projection: Projection, codes: list[str]) -> Iterator[str]:
    """What a reader of some councils' figures must know of those that they are made from."""
    panel, fitted, until = projection.panel, projection.fit, projection.years[-1]
    councils, base, calibrated = fitted.councils.loc[codes], fitted.base_year, projection.calibrated
    if panel.own is not None:
        own = panel.frame["balance_own"].notna() & panel.frame.index.isin(codes, level=0)
        used = [f"{name} at {year_end(year)}" for (_, year), name in panel.frame.loc[own, "name"].items()]
        if used:
            yield f"An analyst's own figures, from {panel.own}, go before published ones: {', '.join(used)}."
    if panel.as_of is not None:
        yield f"Only what was published by {panel.as_of} is used."
    late = councils["last_known"] < base
    estimated = councils["start_basis"].eq("estimated") & ~late
    for which, instead in (
        (estimated, "a share of the predecessor's last balance is used instead."),
        (late, "it is projected from the last one that is known."),
    ):
        if which.any():
            names = listed(list(councils.loc[which, "name"]))
            yield f"No balance at {year_end(base)} is held for {names}: {instead}"
    without = councils.loc[councils["block"] == 0, "name"]
    if len(without):
        yield f"No high needs block is published for {', '.join(without)}: the last balance is carried forward."
    if fitted.history.people is None:
        yield "No population by age was public: growth in plans is not split into people and plans per person."
    elif until > panel.ages.counts[-1] + COUNTED_FOR:
        yield (
            f"After {panel.ages.counts[-1] + COUNTED_FOR} most children of school age are not born yet in the "
            "population counted: births are assumed to stay as in the newest year."
        )
    if calibrated and abs(calibrated.shift) > SURPRISING:
        figure = calibrated.calibration
        yield (
            f"The model alone expects {gbp(calibrated.expected)} at {year_end(figure.year)}; the published "
            f"{gbp(figure.gross)} that the draws are calibrated to lies {abs(calibrated.shift):.1f} standard "
            f"deviations {'above' if calibrated.shift > 0 else 'below'}. One likely reason: few safety valve "
            "payments are public by year, so most stay inside the balances."
        )
    for holding in projection.holdings:
        told = f"the forecast of {gbp(holding.calibration.gross)} at {year_end(holding.calibration.year)}"
        yield f"Draws are drawn to {told}; the model alone expects {gbp(holding.expected)}."
        if abs(holding.shift) > SURPRISING:
            yield f"{told[0].upper()}{told[1:]} contradicts it: {abs(holding.shift):.1f} standard deviations."


def _without_effect(projection: Projection) -> Iterator[str]:
    """What was set and changes nothing, in words: for a year that is published, or that is not projected."""
    assumptions, known, until = projection.assumptions, projection.fit.history, projection.years[-1]
    announced = Assumptions().block_growth
    own_block = {year: each for year, each in assumptions.block_growth.items() if each != announced.get(year)}
    published = {
        "plan_growth": known.plans.index,
        "unit_cost_growth": known.unit_cost.index,
        "independent_share": known.shares.columns,
        "block_growth": projection.fit.block.index,
    }
    settings = [(name, getattr(assumptions, name), years) for name, years in published.items()]
    settings[-1] = ("block_growth", own_block, published["block_growth"])
    for placement, own in assumptions.placements.items():
        settings.append((f"placements.{placement}.plan_growth", own.plan_growth, known.shares.columns))
        settings.append((f"placements.{placement}.unit_cost_growth", own.unit_cost_growth, known.unit_cost.index))
    for council, mine in assumptions.councils.items():
        settings += [
            (f"councils.{council}.{name}", setting, published[name]) for name, setting in mine if name in published
        ]
    for name, setting, years in settings:
        newest = int(years[-1])
        for year in sorted(setting) if isinstance(setting, dict) else ():
            if not newest < year <= until:
                why = f"figures are published to {newest}" if year <= newest else f"the projection ends in {until}"
                yield f"{name} of {year} has no effect: {why}."
    for lever in projection.levers:
        first = lever.first_start + lever.lag
        if first > until:
            yield f"Lever '{lever.title}' has no effect: it is first felt in {first}, after {until}."
