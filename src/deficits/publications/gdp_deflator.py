"""GDP deflator (Office for Budget Responsibility): a table of the "detailed forecast tables: expenditure".

It is 4.3 in March 2026; it is found by its title, since numbers and places of tables change between outlooks.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from deficits.errors import SourceError, closest
from deficits.formatting import year_of
from deficits.publications.cells import heading, number
from deficits.publications.editions import Reader
from deficits.publications.publication import FixedUrl, Publication, Table
from deficits.publications.workbook import Rows, Workbook

TITLE = "consistent historical rdel and cdel series"
_SERIES = {
    "gdp_deflator_growth_pct": ("gdp deflator", "gdp deflator (per cent)", "gdp deflator growth (per cent)"),
    "nominal_gdp_bn": ("nominal gdp (£ billion)",),
    "uk_population_thousand": ("population (thousand)", "population (thousands)"),
}
"""Our column and what its row is called (as `heading` gives it); the words hold the unit."""
_LARGEST_GROWTH = 30.0
"""Per cent: above any growth of UK prices since the war. The row's label has no unit, and an index is near 100."""
_STATUS = {"outturn": "outturn", "forecast": "forecast"}


def parse(path: Path) -> tuple[Table, ...]:
    """One table, `deflator`: a row a financial year ("2024-25"), `status` outturn or forecast.

    `gdp_deflator_growth_pct` is the change on the year before in per cent, `nominal_gdp_bn` in £ billion,
    `uk_population_thousand` in thousand people, each as published; `deflator_index` makes an index of the growth.

    Raises SourceError when no sheet (or more than one) has the table's title, a series is missing, a cell is no
    number, or a year stands twice.
    """
    book = Workbook(path)
    found = [sheet for sheet in book.sheets if _titled(book.rows(sheet))]
    if len(found) != 1:
        shown = ", ".join(found) if found else f"none of {', '.join(book.sheets)}"
        raise SourceError(f"{path.name}: expected one table titled '{TITLE}', found {shown}")
    where = f"{path.name}, sheet '{found[0]}'"
    rows = book.rows(found[0])
    series = {name: _series(rows, name, where) for name in _SERIES}
    frame = pd.DataFrame(series)
    frame["status"] = _statuses(rows, where)
    if frame.isna().to_numpy().any():
        year, column = frame.isna().stack().idxmax()
        raise SourceError(f"{where}: {column} has no figure for {year}, which other rows have")
    growth = frame["gdp_deflator_growth_pct"]
    if (growth.abs() > _LARGEST_GROWTH).any():
        raise SourceError(
            f"{where}, row 'GDP deflator': found {growth[growth.abs() > _LARGEST_GROWTH].iloc[0]:g}, "
            "expected growth in per cent; is it an index?"
        )
    tidy = frame.rename_axis("financial_year").sort_index().reset_index()
    return (Table("deflator", tidy, ("financial_year",)),)


def deflator_index(growth: pd.Series, base: str) -> pd.Series:
    """Price level with `base` = 100, chained from growth on the year before in per cent, by financial year.

    A year's level is the level of the year before times (1 + growth / 100); the first year's own growth only sets
    the level before it and is not used. SourceError when `base` is no year of the series or a year is absent.

    >>> growth = pd.Series([2.0, 10.0], index=["2024-25", "2025-26"])
    >>> deflator_index(growth, "2025-26").round(4).to_dict()
    {'2024-25': 90.9091, '2025-26': 100.0}
    """
    if base not in growth.index:
        raise SourceError(f"no financial year '{base}' in the deflator: {closest(base, growth.index)}")
    starts = pd.Series([int(str(year)[:4]) for year in growth.index])
    if not (starts.diff().iloc[1:] == 1).all():
        raise SourceError(
            f"the deflator's years {growth.index[0]} to {growth.index[-1]} are not in an unbroken row"
        )
    factors = (1 + growth / 100).to_numpy().copy()
    factors[0] = 1.0
    level = pd.Series(np.cumprod(factors), index=growth.index)
    return level / level[base] * 100


def _titled(rows: Rows) -> bool:
    # The title stands alone over the table, with the table's number before it.
    return any(re.fullmatch(rf"(table )?[\d.]*:? ?{TITLE}\d*", heading(cell)) for row in rows[:5] for cell in row)


def _years_above(rows: Rows, at: int, where: str) -> tuple[int, dict[str, int]]:
    """The nearest row of financial years over a row, as its place and the column of each year."""
    for place in range(at, -1, -1):
        labels = [(heading(cell), column) for column, cell in enumerate(rows[place])]
        years = [(label, column) for label, column in labels if re.fullmatch(r"\d{4}-\d{2}", label)]
        if len(years) > 1:
            if len(dict(years)) != len(years):
                twice = next(label for label, _ in years if [other for other, _ in years].count(label) > 1)
                raise SourceError(f"{where}, row {place + 1}: the year {twice} stands twice")
            return place, dict(years)
    raise SourceError(f"{where}: expected a row of financial years like 2024-25 over row {at + 1}, found none")


def _row_of(rows: Rows, name: str, where: str) -> int:
    labels = {place: [heading(cell) for cell in row if isinstance(cell, str)] for place, row in enumerate(rows)}
    # A footnote's mark may follow a label.
    found = [
        place
        for place, texts in labels.items()
        if any(text in _SERIES[name] or re.sub(r"\d+$", "", text) in _SERIES[name] for text in texts)
    ]
    if len(found) != 1:
        known = [text for texts in labels.values() for text in texts if len(text) > 3]
        told = (
            f"in rows {', '.join(str(place + 1) for place in found)}"
            if found
            else closest(_SERIES[name][0], known)
        )
        raise SourceError(f"{where}: expected one row '{_SERIES[name][0]}' ({name}), {told}")
    return found[0]


def _series(rows: Rows, name: str, where: str) -> pd.Series:
    at = _row_of(rows, name, where)
    _, years = _years_above(rows, at, where)
    values = {year: number(rows[at][column]) for year, column in years.items()}
    wrong = [f"{year}: '{rows[at][years[year]]}'" for year, value in values.items() if value is None]
    if wrong:
        raise SourceError(f"{where}, row {at + 1} ({name}): expected numbers, found {'; '.join(wrong[:5])}")
    return pd.Series(values, dtype=float)


def _statuses(rows: Rows, where: str) -> pd.Series:
    """Outturn or forecast by year, from the words that stand over the first year of each."""
    place, years = _years_above(rows, _row_of(rows, "gdp_deflator_growth_pct", where), where)
    above = {column: heading(cell) for column, cell in enumerate(rows[place - 1]) if place and heading(cell)}
    starts = {column: _STATUS[text] for column, text in above.items() if text in _STATUS}
    statuses = {}
    for year, column in years.items():
        before = [start for start in starts if start <= column]
        if not before:
            raise SourceError(f"{where}, row {place}: expected Outturn or Forecast over {year}, found {above}")
        statuses[year] = starts[max(before)]
    return pd.Series(statuses)


# --- what it gives the panel


def prices(reader: Reader, smoothed: Sequence[int]) -> pd.Series:
    """Growth of the GDP deflator on the year before (share), by year, of the newest edition public on the day.

    Outturn, then forecast; empty when none was public. `smoothed`: years that each take the mean of them all, since
    how output was measured moved between them.
    """
    found = reader.table("gdp-deflator", "deflator", ["gdp_deflator_growth_pct"])
    if found is None:
        return pd.Series(dtype=float, index=pd.Index([], dtype=int, name="year"), name="prices")
    table, _ = found
    growth = (table["gdp_deflator_growth_pct"] / 100).set_axis(table["financial_year"].map(year_of))
    held = [year for year in smoothed if year in growth.index]
    growth[held] = growth[held].mean()
    return growth.rename("prices").rename_axis("year")


def _newest_outlook() -> str:
    """The OBR publishes with the Budget in November and the forecast in March."""
    today = date.today()
    return f"march-{today.year}" if today.month < 12 else f"november-{today.year}"


PUBLICATION = Publication(
    folder="gdp-deflator",
    address=FixedUrl(
        "https://obr.uk/download/{version}-economic-and-fiscal-outlook-detailed-forecast-tables-expenditure/",
        "efo_{version}_expenditure.xlsx",
        newest=_newest_outlook,
    ),
    page="https://obr.uk/category/efo/",
    short=("deflator", "obr"),
    parse=parse,
    reads=frozenset({"deflator"}),
)
