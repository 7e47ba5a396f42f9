"""One authority-by-year panel from the published tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from deficits.errors import PanelError
from deficits.panel import balances
from deficits.panel.authorities import FIRST_YEAR, Authorities, load_authorities
from deficits.panel.figures import FIGURES, KEY, LOADERS, allocations
from deficits.panel.national import load_forecasts, load_national
from deficits.panel.schema import check

LAST_YEAR = 2026
"""January 2026: the newest EHC plans by authority."""


@dataclass(frozen=True)
class Panel:
    """The published figures by authority and year, with what is published for England.

    `frame` is indexed by authority (DfE number, str) and year (int; 2025 is 2024-25), one row for each
    authority that existed at that year end. Columns: gss, name, region, then for each figure of
    `deficits.panel.FIGURES` its value (float; £, plans, pupils or people; balances negative for a deficit),
    `<figure>_basis` (reported, derived_from_percentage, derived; missing with the value) and
    `<figure>_source` (the raw table). `national` and `forecasts` are published figures for England.
    """

    frame: pd.DataFrame
    national: pd.DataFrame
    forecasts: pd.DataFrame
    authorities: Authorities

    def figure(self, name: str) -> pd.DataFrame:
        """One figure as authorities (rows) by years (columns), missing where not published."""
        return self.frame[name].unstack("year")

    def __repr__(self) -> str:
        years = self.frame.index.get_level_values("year")
        authorities = self.frame.index.get_level_values("authority").nunique()
        return (
            f"Panel of {len(self.frame):,} rows: {authorities} authorities, "
            f"{years.min()} to {years.max()}, {len(FIGURES)} figures"
        )


@cache
def load_panel() -> Panel:
    """The panel, built from the raw tables (well under a second; the same object each time).

    >>> panel = load_panel()
    >>> float(panel.frame.at[("886", 2024), "balance"])     # Kent, 31 March 2024, £
    -67167405.0
    >>> panel.frame.at[("886", 2024), "balance_basis"]
    'reported'

    Raises SourceError when a raw file is not the declared one, PanelError when a table holds an authority
    that did not exist in its year.
    """
    authorities = load_authorities()
    index = _index(authorities)
    columns: dict[str, pd.Series] = {}

    blocks = allocations()
    returns = balances.section251(authorities, blocks["dsg_total"])
    outturn = balances.mhclg(authorities)
    chosen = balances.choose(returns, outturn)
    _place(columns, index, "balance", chosen["balance"], chosen["basis"], chosen["source"])
    section251 = returns["balance_section251"]
    _place(columns, index, "balance_section251", section251, returns["basis"], returns["source"])
    _place(columns, index, "balance_mhclg", outturn["balance_mhclg"], "reported", outturn["source"])
    _place_all(columns, index, blocks)
    for loader in LOADERS:
        for table in loader(authorities):
            _place_all(columns, index, table)

    labels = authorities.frame.loc[index.get_level_values("authority"), ["gss", "name", "region"]]
    ordered = [f"{name}{suffix}" for name in FIGURES for suffix in ("", "_basis", "_source")]
    frame = pd.concat([labels.set_axis(index), pd.DataFrame(columns, index=index)[ordered]], axis=1)
    return Panel(check(frame), load_national(), load_forecasts(), authorities)


def _index(authorities: Authorities) -> pd.MultiIndex:
    pairs = [(code, year) for year in range(FIRST_YEAR, LAST_YEAR + 1) for code in authorities.in_year(year)]
    return pd.MultiIndex.from_tuples(pairs, names=KEY).sort_values()


def _place_all(columns: dict[str, pd.Series], index: pd.MultiIndex, table: pd.DataFrame) -> None:
    for name in table.columns:
        derived = name in {"plans_mainstream", "plans_state_special", "plans_independent"}
        basis = "derived" if derived else "reported"
        _place(columns, index, name, table[name], basis, table.attrs["source"])


def _place(
    columns: dict[str, pd.Series],
    index: pd.MultiIndex,
    name: str,
    values: pd.Series,
    basis: pd.Series | str,
    source: pd.Series | str,
) -> None:
    """Put a table's values in their cells; each must find one, and none may be taken."""
    present = values.notna().to_numpy()
    rows = index.get_indexer(values.index[present])
    if (rows < 0).any():
        strays = [f"{code} in {year}" for code, year in values.index[present][rows < 0][:5]]
        raise PanelError(f"{name} of {_first(source)}: no such authority in that year: {', '.join(strays)}")
    if len(np.unique(rows)) != len(rows):
        twice = values.index[present][pd.Series(rows).duplicated()]
        raise PanelError(f"{name} of {_first(source)}: more than one value for {list(twice[:5])}")
    if name not in columns:
        columns[name] = pd.Series(np.nan, index=index)
        columns[f"{name}_basis"] = pd.Series(pd.NA, index=index, dtype="str")
        columns[f"{name}_source"] = pd.Series(pd.NA, index=index, dtype="str")
    taken = columns[name].iloc[rows].notna()
    if taken.any():
        raise PanelError(f"{name} of {_first(source)}: a value already stands at {list(index[rows][taken][:5])}")
    columns[name].iloc[rows] = values[present].to_numpy(dtype=float)
    for suffix, told in [("_basis", basis), ("_source", source)]:
        words = told[present].to_numpy() if isinstance(told, pd.Series) else told
        columns[name + suffix].iloc[rows] = words


def _first(source: pd.Series | str) -> str:
    return source if isinstance(source, str) else str(source.iloc[0])
