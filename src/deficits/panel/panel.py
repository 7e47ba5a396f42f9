"""One authority-by-year panel from the published tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import PanelError
from deficits.formatting import iso_day
from deficits.panel import choice, own_figures
from deficits.panel.choice import RULES, Rule
from deficits.panel.schema import FIGURES, PARTS, check
from deficits.publications import (
    PUBLICATIONS,
    Reader,
    ehc_plans,
    gdp_deflator,
    ons_population,
    safety_valve,
    tabulated,
)
from deficits.publications.editions import KEY, STATED, newest
from deficits.raw import RawData, raw_data
from deficits.raw.authorities import Authorities, load_authorities
from deficits.simulated import in_units
from deficits.validation import known_word


@dataclass(frozen=True)
class Ages:
    """People and EHC plans by single year of age, as far as they are published.

    `people`: people aged 0 to 25, authorities (rows) by (year, age): mid-2023 is in year 2024. `plans`: plans in
    the January of `plans_year`, authorities by age; those of children "under 3" stand at 2. Empty without either.
    """

    people: pd.DataFrame
    plans: pd.DataFrame
    plans_year: int | None

    @property
    def empty(self) -> bool:
        """Whether people or plans by age were not public."""
        return bool(self.people.empty or self.plans.empty)

    @cached_property
    def counts(self) -> list[int]:
        """Years with a count of people."""
        return sorted({int(year) for year in self.people.columns.get_level_values("year")})

    def people_in(self, year: int) -> pd.DataFrame:
        """People by age in a year, authorities by ages: the newest count until then, grown older.

        Later births are as many as in that count, and nobody moves between councils (assumptions). Before the
        first count it is the first one, grown younger as far as it goes.
        """
        count = max((each for each in self.counts if each <= year), default=self.counts[0])
        people = self.people[count]
        ages = people.columns
        return people[np.clip(ages - (year - count), 0, ages[-1])].set_axis(ages, axis=1)


@dataclass(frozen=True)
class Panel:
    """The published figures by authority and year, with what is published for England.

    `frame` is indexed by authority (DfE number, str) and year (int; 2025 is 2024-25), one row for each authority
    that existed at that year end. Columns: gss, name, region, then for each figure of `deficits.panel.FIGURES` its
    value (float; £, plans, pupils or people; balances negative for a deficit), `<figure>_basis`, `<figure>_source`
    (`publication/file:line`) and `<figure>_published` (the ISO day by which it was public). `national` and
    `forecasts` are published figures for England; `statements` what councils have said of their own balances (see
    `deficits.publications.tabulated.statements`); `agreements` the safety valve payments by council and year,
    published and scheduled (see `deficits.publications.safety_valve.agreements`); `ages` people and plans by
    authority and age; `prices` growth of the GDP deflator by year (share); `corrections` the cells that a declared
    correction touched. `as_of`, `rule` and `own` say what the panel was made with, `raw` from which folder.
    `own_paths`: the forecasts in the analyst's own file (authority, year, value in £, scenario, source).
    """

    frame: pd.DataFrame
    national: pd.DataFrame
    forecasts: pd.DataFrame
    statements: pd.DataFrame
    agreements: pd.DataFrame
    ages: Ages
    prices: pd.Series
    authorities: Authorities
    corrections: pd.DataFrame
    as_of: str | None
    rule: Rule
    own: str | None
    own_paths: pd.DataFrame
    raw: RawData

    def figure(self, name: str) -> pd.DataFrame:
        """One figure as authorities (rows) by years (columns), missing where not published."""
        known_word("figure", name, FIGURES, PanelError)
        return in_units(self.frame[name].unstack("year"), FIGURES[name].unit)

    def rounding(self, year: int) -> pd.Series:
        """To what a year end's stated balances are rounded, £, by authority; none for those that were returned."""
        balances = self.frame.xs(year, level="year")
        stated = balances.loc[balances["balance_basis"] == STATED, "balance_source"]
        return stated.map(self.statements.set_index("source")["rounding"]).astype(float)

    def copy(self) -> Panel:
        """The same figures as a value of its own: what is changed in it changes nothing elsewhere."""
        given = vars(self).items()
        frames = {name: each.copy() for name, each in given if isinstance(each, pd.DataFrame | pd.Series)}
        ages = replace(self.ages, people=self.ages.people.copy(), plans=self.ages.plans.copy())
        return replace(self, **frames, ages=ages)

    def __repr__(self) -> str:
        authorities, years = (self.frame.index.get_level_values(key).unique() for key in KEY)
        made = f", as of {self.as_of}" * bool(self.as_of) + f", with own figures of {self.own}" * bool(self.own)
        return (
            f"Panel of {len(self.frame):,} rows: {len(authorities)} authorities, {years.min()} to {years.max()}, "
            f"{len(FIGURES)} figures{made}"
        )


def load_panel(
    as_of: str | date | None = None,
    *,
    rule: Rule = "section251",
    own: str | Path | None = None,
    raw: str | Path | None = None,
) -> Panel:
    """The panel, built from the raw tables in about a second.

    `as_of` (a day: ISO text, date or Timestamp) leaves out what was published after that day; where only a later
    edition is held, its figures stand in for the first ones, revisions included. `rule` chooses among sources of a
    balance: see `deficits.panel.choice`. `own` is a file of an analyst's own balances, a path or the name of one
    kept by `deficits own`: see `deficits.panel.read_own`. `raw` is another folder like `data/raw`.

    >>> panel = load_panel()
    >>> float(panel.frame.at[("886", 2024), "balance"])     # Kent, 31 March 2024, £
    -67167405.0
    >>> panel.frame.at[("886", 2024), "balance_basis"]
    'disputed'

    Raises SourceError when a raw file is not the declared one, PanelError when a date or rule is not one, a table
    holds an authority that did not exist in its year, or a correction no longer fits.
    """
    day = None if as_of is None else iso_day(as_of)
    known_word("rule", rule, RULES, PanelError)
    if own is None and raw is None:
        return _published(raw_data(), day, rule).copy()
    return build(raw_data() if raw is None else RawData(Path(raw)), day, rule, own).copy()


def build(
    raw: RawData, as_of: str | None = None, rule: Rule = "section251", own: str | Path | None = None
) -> Panel:
    """The panel from a folder of raw data, as of a day; it may share tables with another one of that folder."""
    authorities = load_authorities(raw)
    candidates, reader, tables = _public(raw, as_of)
    frame = _wide(candidates, authorities)
    path, own_paths = None, pd.DataFrame(columns=own_figures.PATH)
    if own is not None:
        path = own_figures.find(own)
        given = own_figures.read_own(path, frame, authorities)
        own_paths = given.paths
        frame = _wide(pd.concat([candidates, given.outturns], ignore_index=True), authorities)
    chosen = choice.choose(frame, rule)
    frame[chosen.columns] = chosen
    return Panel(
        frame=in_units(check(frame), {name: figure.unit for name, figure in FIGURES.items()}),
        agreements=in_units(safety_valve.agreements(reader, frame["balance"], frame["dsg_total"]), "£"),
        authorities=authorities,
        as_of=as_of,
        rule=rule,
        own=None if path is None else path.name,
        own_paths=own_paths,
        raw=raw,
        **tables,
    )


_published = cache(build)


@lru_cache(maxsize=4)
def _public(raw: RawData, as_of: str | None) -> tuple[pd.DataFrame, Reader, dict[str, Any]]:
    """What was public on a day, whatever rule chooses among it: the candidates, their reader, and other tables."""
    reader = Reader(raw, load_authorities(raw), as_of)
    found = [frame for each in PUBLICATIONS for frame in each.candidates(reader) if len(frame)]
    if not found:
        raise PanelError(f"as_of {as_of}: no figure by council was public by then; give a later day")
    plans, plans_year = ehc_plans.plans_by_single_age(reader)
    smoothed: Any = assumed("prices", "smoothed_years").value
    tables = {
        "national": tabulated.national(reader),
        "forecasts": tabulated.forecasts(reader),
        "statements": in_units(tabulated.statements(reader), "£"),
        "ages": Ages(ons_population.people_by_age(reader), plans, plans_year),
        "prices": in_units(gdp_deflator.prices(reader, smoothed), "share"),
        "corrections": reader.corrected,
    }
    return pd.concat(found, ignore_index=True), reader, tables


def _wide(candidates: pd.DataFrame, authorities: Authorities) -> pd.DataFrame:
    """Every cell that an authority could have in the candidates' years, from the newest edition that has it.

    PanelError when a figure is not declared, an authority did not exist in its year, or a file has a cell twice.
    """
    years = range(int(candidates["year"].min()), int(candidates["year"].max()) + 1)
    pairs = [(code, year) for year in years for code in authorities.in_year(year)]
    index = pd.MultiIndex.from_tuples(pairs, names=KEY).sort_values()
    outside = candidates[~pd.MultiIndex.from_frame(candidates[KEY]).isin(index)]
    several = candidates[candidates.duplicated(["figure", *KEY, "edition"], keep=False)]
    files = several.assign(file=several["source"].str.rsplit(":", n=1).str[0])
    twice = several[files.duplicated(["figure", *KEY, "file"], keep=False)]
    for fault, wrong in {
        "no such figure in panel/figures.toml, declare it there": candidates[~candidates["figure"].isin(FIGURES)],
        "no such authority in that year": outside,
        "more than one value for a cell": twice,
    }.items():
        if len(wrong):
            places = wrong.head().itertuples()
            told = [f"{each.figure} of {each.authority} in {each.year} ({each.source})" for each in places]
            raise PanelError(f"{fault}: {'; '.join(told)}")
    cells = newest(candidates).reset_index(drop=True)
    # The row of `cells` that each cell of the panel takes; -1, which is none, where it takes no row.
    rows = np.full((len(index), len(FIGURES)), -1)
    place = index.get_indexer(pd.MultiIndex.from_frame(cells[KEY]))
    rows[place, cells["figure"].map({figure: n for n, figure in enumerate(FIGURES)})] = cells.index
    columns = {
        f"{figure}{part}": cells[part.removeprefix("_") or "value"].array.take(rows[:, n], allow_fill=True)
        for n, figure in enumerate(FIGURES)
        for part in PARTS
    }
    labels = authorities.frame.loc[index.get_level_values("authority"), ["gss", "name", "region"]].set_axis(index)
    return pd.concat([labels, pd.DataFrame(columns, index=index)], axis=1)
