"""One authority-by-year panel from the published tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from deficits.errors import PanelError, closest
from deficits.panel import balances, own
from deficits.panel.ages import load_ages
from deficits.panel.agreements import load_agreements
from deficits.panel.authorities import FIRST_YEAR, Authorities, load_authorities
from deficits.panel.balances import RULES, Rule
from deficits.panel.editions import KEY, Reader
from deficits.panel.figures import FIGURES, LOADERS, Loaded, allocations
from deficits.panel.national import load_forecasts, load_national
from deficits.panel.prices import load_prices
from deficits.panel.schema import check

LAST_YEAR = 2026
"""January 2026: the newest EHC plans by authority."""
PARTS = ("", "_basis", "_source", "_published")


@dataclass(frozen=True)
class Panel:
    """The published figures by authority and year, with what is published for England.

    `frame` is indexed by authority (DfE number, str) and year (int; 2025 is 2024-25), one row for each authority
    that existed at that year end. Columns: gss, name, region, then for each figure of `deficits.panel.FIGURES` its
    value (float; £, plans, pupils or people; balances negative for a deficit), `<figure>_basis`,
    `<figure>_source` (`publication/file:line`) and `<figure>_published` (the ISO day by which it was public).
    `national` and `forecasts` are published figures for England; `agreements` the safety valve payments by council
    and year, published and scheduled (see `load_agreements`); `ages` people and plans by authority and age (see
    `load_ages`); `prices` growth of the GDP deflator by year (share); `corrections` the cells that a declared
    correction touched. `as_of`, `rule` and `own` say what the panel was made with.
    """

    frame: pd.DataFrame
    national: pd.DataFrame
    forecasts: pd.DataFrame
    agreements: pd.DataFrame
    ages: pd.DataFrame
    prices: pd.Series
    authorities: Authorities
    corrections: pd.DataFrame
    as_of: str | None
    rule: Rule
    own: str | None

    def figure(self, name: str) -> pd.DataFrame:
        """One figure as authorities (rows) by years (columns), missing where not published."""
        if name not in FIGURES:
            raise PanelError(f"no figure '{name}': {closest(name, FIGURES)}")
        return self.frame[name].unstack("year")

    def __repr__(self) -> str:
        years = self.frame.index.get_level_values("year")
        authorities = self.frame.index.get_level_values("authority").nunique()
        made = [f"as of {self.as_of}"] * bool(self.as_of) + [f"with own figures of {self.own}"] * bool(self.own)
        return ", ".join(
            [
                f"Panel of {len(self.frame):,} rows: {authorities} authorities",
                f"{years.min()} to {years.max()}",
                f"{len(FIGURES)} figures",
                *made,
            ]
        )


def load_panel(as_of: str | None = None, *, rule: Rule = "section251", own: str | Path | None = None) -> Panel:
    """The panel, built from the raw tables in about a second.

    `as_of` (ISO date) leaves out what was published after that day; where only a later edition is held, its
    figures stand in for the first ones, revisions included. `rule` chooses among sources of a balance: see
    `deficits.panel.choose`. `own` is a CSV of an analyst's own balances, a path or the name of one kept by
    `deficits own`: see `deficits.panel.read_own`.

    >>> panel = load_panel()
    >>> float(panel.frame.at[("886", 2024), "balance"])     # Kent, 31 March 2024, £
    -67167405.0
    >>> panel.frame.at[("886", 2024), "balance_basis"]
    'disputed'

    Raises SourceError when a raw file is not the declared one, PanelError when a date or rule is none, a table
    holds an authority that did not exist in its year, or a correction no longer fits.
    """
    if as_of is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", as_of):
        raise PanelError(f"as_of '{as_of}' is not a date like '2025-09-17'")
    if rule not in RULES:
        raise PanelError(f"no rule '{rule}': {closest(rule, RULES)}")
    if own is None:
        return _published(as_of, rule)
    return _build(as_of, rule, own)


@cache
def _published(as_of: str | None, rule: Rule) -> Panel:
    return _build(as_of, rule, None)


def _build(as_of: str | None, rule: Rule, own_file: str | Path | None) -> Panel:
    authorities = load_authorities()
    loaded = list(_load(Reader(authorities, as_of)))
    candidates = [part.candidates for part in loaded]
    if own_file is not None:
        path = own.find(own_file)
        candidates.append(own.read_own(path, authorities, LAST_YEAR))
    frame = _wide(pd.concat(candidates, ignore_index=True), authorities)
    chosen = balances.choose(frame, rule)
    for part, name in zip(PARTS, ("value", "basis", "source", "published"), strict=True):
        frame[f"balance{part}"] = chosen[name]
    return Panel(
        frame=check(frame),
        national=load_national(as_of),
        forecasts=load_forecasts(as_of),
        agreements=load_agreements(authorities, as_of, frame),
        ages=load_ages(authorities, as_of),
        prices=load_prices(as_of),
        authorities=authorities,
        corrections=pd.concat([part.corrections for part in loaded], ignore_index=True),
        as_of=as_of,
        rule=rule,
        own=None if own_file is None else path.name,
    )


def _load(reader: Reader) -> Iterator[Loaded]:
    blocks = allocations(reader)
    yield blocks
    totals = _newest(blocks.candidates[blocks.candidates["figure"] == "dsg_total"]).set_index(KEY)["value"]
    yield from balances.section251(reader, totals)
    yield balances.mhclg(reader)
    for loader in LOADERS:
        yield from loader(reader)


def _wide(candidates: pd.DataFrame, authorities: Authorities) -> pd.DataFrame:
    """Every cell that an authority could have, filled from the newest edition that has it.

    PanelError when a candidate's authority did not exist in its year, or one file has a cell twice.
    """
    pairs = [(code, year) for year in range(FIRST_YEAR, LAST_YEAR + 1) for code in authorities.in_year(year)]
    index = pd.MultiIndex.from_tuples(pairs, names=KEY).sort_values()
    strays = candidates[~pd.MultiIndex.from_frame(candidates[KEY]).isin(index)]
    if len(strays):
        raise PanelError("no such authority in that year: " + "; ".join(map(_place, strays.head().itertuples())))
    file = candidates["source"].str.rsplit(":", n=1).str[0]
    twice = candidates[candidates.assign(file=file).duplicated(["figure", *KEY, "file"], keep=False)]
    if len(twice):
        raise PanelError("more than one value for a cell: " + "; ".join(map(_place, twice.head().itertuples())))
    newest = _newest(candidates)
    labels = authorities.frame.loc[index.get_level_values("authority"), ["gss", "name", "region"]].set_axis(index)
    columns = {}
    for figure in FIGURES:
        cells = newest[newest["figure"] == figure].set_index(KEY).reindex(index)
        columns[figure] = cells["value"].astype(float)
        for part in PARTS[1:]:
            columns[f"{figure}{part}"] = cells[part.removeprefix("_")].astype("str")
    return pd.concat([labels, pd.DataFrame(columns)], axis=1)


def _newest(candidates: pd.DataFrame) -> pd.DataFrame:
    """One candidate a cell: of the newest edition, and of several on one day the one declared last."""
    return candidates.sort_values("edition", kind="stable").drop_duplicates(["figure", *KEY], keep="last")


def _place(cell: tuple) -> str:
    return f"{cell.figure} of {cell.authority} in {cell.year} ({cell.source})"  # type: ignore[attr-defined]


def keep_own(path: Path, panel: Panel) -> tuple[Path, pd.DataFrame]:
    """Check a CSV of own balances and keep it in `data/own`: the copy, and its rows (name, year, value £, basis).

    Raises PanelError with every fault of the file; then nothing is kept.
    """
    kept, rows = own.keep(path, panel.authorities, LAST_YEAR)
    names = [panel.authorities.name(code) for code in rows["authority"]]
    return kept, rows.assign(name=names)[["name", "year", "value", "basis"]]
