"""GDP deflator (Office for Budget Responsibility): a table of the "detailed forecast tables: expenditure".

It is 4.3 in March 2026; it is found by its title, since numbers and places of tables change between outlooks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import chain
from pathlib import Path

import pandas as pd

from deficits.errors import SourceError, closest, some
from deficits.formatting import year_of
from deficits.publications.editions import Reader, Table
from deficits.publications.files import columns_of, heading, number, opened, padded

Rows = list[list[str]]
TITLE = "consistent historical rdel and cdel series"
_SERIES = columns_of("gdp-deflator")["series"]
_LARGEST_GROWTH = 30.0
"""Per cent: above any growth of UK prices since the war. The row's label has no unit, and an index is near 100."""


def parse(path: Path) -> tuple[Table, ...]:
    """One table, `deflator`: a row a financial year ("2024-25"), `status` outturn or forecast.

    `gdp_deflator_growth_pct` is the change on the year before in per cent, `nominal_gdp_bn` in £ billion,
    `uk_population_thousand` in thousand people, each as published.
    """
    # The title stands alone over the table, with the table's number before it.
    title = re.compile(rf"(table )?[\d.]*:? ?{TITLE}\d*")
    tables = {grid.sheet: (grid.name, [row for _, row in grid.rows()]) for grid in opened(path)}
    tops = {sheet: map(heading, chain(*rows[:5])) for sheet, (_, rows) in tables.items()}
    found = [sheet for sheet, top in tops.items() if any(map(title.fullmatch, top))]
    if len(found) != 1:
        shown = ", ".join(found) or f"none of {', '.join(tables)}"
        raise SourceError(f"{path.name}: expected one table titled '{TITLE}', found {shown}")
    source, rows = tables[found[0]]
    rows = padded(rows, max(map(len, rows)))
    series: dict[str, pd.Series] = {}
    for name, words in _SERIES.items():
        row, years, status = _row(rows, words, source)
        if wrong := [f"{year}: '{row[at]}'" for year, at in years.items() if number(row[at]) is None]:
            raise SourceError(f"{source}, '{words[0]}': expected numbers, found {some(wrong)}")
        series[name] = pd.Series({year: number(row[at]) for year, at in years.items()})
        # That of the first series, the growth.
        series.setdefault("status", pd.Series({year: status[at] for year, at in years.items()}))
    frame = pd.DataFrame(series).rename_axis("financial_year")
    if (lacking := frame.isna().stack()).any():
        year, name = lacking.idxmax()
        raise SourceError(f"{source}: {name} has nothing for {year}, which other rows have")
    if (growth := frame["gdp_deflator_growth_pct"].abs().max()) > _LARGEST_GROWTH:
        raise SourceError(f"{source}, 'gdp deflator': {growth:g} is no growth in per cent; is it an index?")
    return (Table("deflator", frame[[*_SERIES, "status"]].sort_index().reset_index(), ("financial_year",)),)


def _row(rows: Rows, words: tuple[str, ...], source: str) -> tuple[list[str], dict[str, int], pd.Series]:
    """The row of a series, the columns of the years in the nearest row of them above, and outturn or forecast by
    column, which stands over the first year of each."""
    # A footnote's mark may follow a label.
    labels = [{heading(cell).rstrip("0123456789") for cell in row} for row in rows]
    found = [at for at, texts in enumerate(labels) if texts & set(words)]
    if len(found) != 1:
        known = [text for text in set().union(*labels) if re.search("[a-z]{3}", text)]
        raise SourceError(
            f"{source}: expected one row '{words[0]}', found {len(found)}; {closest(words[0], known)}"
        )
    for above in range(found[0], 0, -1):
        texts = enumerate(map(heading, rows[above]))
        years = [(text, at) for at, text in texts if re.fullmatch(r"\d{4}-\d{2}", text)]
        if len(years) > len(dict(years)):
            raise SourceError(f"{source}, row {above + 1}: a financial year stands twice")
        if len(years) > 1:
            status = pd.Series([heading(cell) for cell in rows[above - 1]])
            return rows[found[0]], dict(years), status.where(status.isin(["outturn", "forecast"])).ffill()
    raise SourceError(f"{source}: expected a row of financial years like 2024-25 over '{words[0]}', found none")


# --- what it gives the panel


def prices(reader: Reader, smoothed: Sequence[int]) -> pd.Series:
    """Growth of the GDP deflator on the year before (share), by year, of the newest edition public on the day.

    Outturn, then forecast; empty when none was public. `smoothed`: years that each take the mean of them all,
    since how output was measured moved between them.
    """
    table = reader.table("gdp-deflator", "deflator", ["gdp_deflator_growth_pct"])
    years = table["financial_year"].map(year_of).astype("int64")
    growth = (table["gdp_deflator_growth_pct"] / 100).set_axis(years)
    held = [year for year in smoothed if year in growth.index]
    growth[held] = growth[held].mean()
    return growth.rename("prices").rename_axis("year")


def newest_edition() -> str:
    """What stands for the edition in its address: the OBR publishes with the Budget in November and in March."""
    today = date.today()
    return f"march-{today.year}" if today.month < 12 else f"november-{today.year}"
