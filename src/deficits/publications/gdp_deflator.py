"""GDP deflator (Office for Budget Responsibility): a table of the "detailed forecast tables: expenditure".

It is 4.3 in March 2026; it is found by its title, since numbers and places of tables change between outlooks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from deficits.errors import SourceError, closest
from deficits.formatting import year_of
from deficits.publications.cells import heading, number
from deficits.publications.editions import Reader
from deficits.publications.files import Rows, Workbook
from deficits.publications.publication import FixedUrl, Publication, Table

TITLE = "consistent historical rdel and cdel series"
_SERIES = {
    "gdp_deflator_growth_pct": ("gdp deflator", "gdp deflator (per cent)", "gdp deflator growth (per cent)"),
    "nominal_gdp_bn": ("nominal gdp (£ billion)",),
    "uk_population_thousand": ("population (thousand)", "population (thousands)"),
}
"""Our column and what its row is called (as `heading` gives it); the words hold the unit."""
_LARGEST_GROWTH = 30.0
"""Per cent: above any growth of UK prices since the war. The row's label has no unit, and an index is near 100."""


def parse(path: Path) -> tuple[Table, ...]:
    """One table, `deflator`: a row a financial year ("2024-25"), `status` outturn or forecast.

    `gdp_deflator_growth_pct` is the change on the year before in per cent, `nominal_gdp_bn` in £ billion,
    `uk_population_thousand` in thousand people, each as published.

    Raises SourceError when no sheet (or more than one) has the table's title, a series is missing, a cell is no
    number, or a year stands twice.
    """
    book = Workbook(path)
    # The title stands alone over the table, with the table's number before it.
    title = re.compile(rf"(table )?[\d.]*:? ?{TITLE}\d*")
    found = {
        sheet: rows
        for sheet, rows in book
        if any(title.fullmatch(heading(cell)) for row in rows[:5] for cell in row)
    }
    if len(found) != 1:
        shown = ", ".join(found) or f"none of {', '.join(book.sheets)}"
        raise SourceError(f"{path.name}: expected one table titled '{TITLE}', found {shown}")
    ((sheet, rows),) = found.items()
    source = f"{path.name}, sheet '{sheet}'"
    frame = pd.DataFrame({name: _series(rows, name, source) for name in _SERIES})
    if (lacking := frame.isna().stack()).any():
        year, column = lacking.idxmax()
        raise SourceError(f"{source}: {column} has no figure for {year}, which other rows have")
    growth = frame["gdp_deflator_growth_pct"]
    if (growth.abs() > _LARGEST_GROWTH).any():
        raise SourceError(
            f"{source}, row 'GDP deflator': {growth.abs().max():g} is no growth in per cent; is it an index?"
        )
    frame["status"] = _statuses(rows, source)
    return (
        Table("deflator", frame.rename_axis("financial_year").sort_index().reset_index(), ("financial_year",)),
    )


def _row_and_years(rows: Rows, name: str, source: str) -> tuple[int, int, dict[str, int]]:
    """A series' row, the nearest row of financial years over it, and the column of each year."""
    # A footnote's mark may follow a label.
    labels = [{heading(cell).rstrip("0123456789") for cell in row if isinstance(cell, str)} for row in rows]
    found = [at for at, texts in enumerate(labels) if texts & set(_SERIES[name])]
    if len(found) != 1:
        known = [text for texts in labels for text in texts if len(text) > 3]
        shown = f"found {len(found)}" if found else closest(_SERIES[name][0], known)
        raise SourceError(f"{source}: expected one row '{_SERIES[name][0]}', {shown}")
    for above in range(found[0], -1, -1):
        years = [(heading(cell), at) for at, cell in enumerate(rows[above])]
        years = [(label, at) for label, at in years if re.fullmatch(r"\d{4}-\d{2}", label)]
        if len(years) > len(dict(years)):
            raise SourceError(f"{source}, row {above + 1}: a financial year stands twice")
        if len(years) > 1:
            return found[0], above, dict(years)
    raise SourceError(
        f"{source}: expected a row of financial years like 2024-25 over row {found[0] + 1}, found none"
    )


def _series(rows: Rows, name: str, source: str) -> pd.Series:
    at, _, years = _row_and_years(rows, name, source)
    values = {year: number(rows[at][column]) for year, column in years.items()}
    wrong = [f"{year}: '{rows[at][column]}'" for year, column in years.items() if values[year] is None]
    if wrong:
        raise SourceError(f"{source}, row {at + 1} ({name}): expected numbers, found {'; '.join(wrong[:5])}")
    return pd.Series(values, dtype=float)


def _statuses(rows: Rows, source: str) -> pd.Series:
    """Outturn or forecast by year, from the words that stand over the first year of each."""
    _, above, years = _row_and_years(rows, "gdp_deflator_growth_pct", source)
    words = pd.Series([heading(cell) for cell in rows[above - 1]])
    statuses = words.where(words.isin(["outturn", "forecast"])).ffill()
    found = pd.Series({year: statuses[at] for year, at in years.items()})
    if found.isna().any():
        raise SourceError(f"{source}, row {above}: expected Outturn or Forecast over {found.isna().idxmax()}")
    return found


# --- what it gives the panel


def prices(reader: Reader, smoothed: Sequence[int]) -> pd.Series:
    """Growth of the GDP deflator on the year before (share), by year, of the newest edition public on the day.

    Outturn, then forecast; empty when none was public. `smoothed`: years that each take the mean of them all,
    since how output was measured moved between them.
    """
    table = reader.table("gdp-deflator", "deflator", ["gdp_deflator_growth_pct"])
    if table is None:
        return pd.Series(dtype=float, index=pd.Index([], dtype=int, name="year"), name="prices")
    growth = (table["gdp_deflator_growth_pct"] / 100).set_axis(table["financial_year"].map(year_of))
    held = [year for year in smoothed if year in growth.index]
    growth[held] = growth[held].mean()
    return growth.rename("prices").rename_axis("year")


def _newest_projection() -> str:
    """The OBR publishes with the Budget in November and the forecast in March."""
    today = date.today()
    return f"march-{today.year}" if today.month < 12 else f"november-{today.year}"


PUBLICATION = Publication(
    folder="gdp-deflator",
    address=FixedUrl(
        "https://obr.uk/download/{version}-economic-and-fiscal-outlook-detailed-forecast-tables-expenditure/",
        "efo_{version}_expenditure.xlsx",
        newest=_newest_projection,
    ),
    page="https://obr.uk/category/efo/",
    short=("deflator", "obr"),
    parse=parse,
    reads=frozenset({"deflator"}),
)
