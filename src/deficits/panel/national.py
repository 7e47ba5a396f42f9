"""What is published for England: outturn figures and forecasts, with who published them and when."""

from __future__ import annotations

import pandas as pd

from deficits.formatting import last_day, year_of
from deficits.raw import RawData


def load_national(raw: RawData, as_of: str | None = None) -> pd.DataFrame:
    """Published national figures, one row each.

    Columns: year, measure, value (£, count or %, as `unit` says), unit, price_basis, publisher, publication,
    published (date text, may be missing), url, note. A measure and year may have several rows that disagree.
    """
    table = raw.table("national-figures", "published.csv", numeric=["value"])
    return _known(_dated(table, "financial_year"), as_of)


def load_forecasts(raw: RawData, as_of: str | None = None) -> pd.DataFrame:
    """Published forecasts, one row each: year (of the target), measure, low, central, high, unit, publisher...

    Of a range only one end may be given; a target that is not one financial year is left out.
    """
    table = raw.table("published-forecasts", "forecasts.csv", numeric=["low", "central", "high"])
    one_year = table["target"].str.fullmatch(r"\d{4}-\d{2}")
    return _known(_dated(table[one_year], "target"), as_of)


def _dated(table: pd.DataFrame, column: str) -> pd.DataFrame:
    dated = table.drop(columns=column)
    dated.insert(0, "year", table[column].map(year_of).astype(int))
    return dated


def _known(table: pd.DataFrame, as_of: str | None) -> pd.DataFrame:
    """What was public on a day; a row whose date was not seen is not known to have been."""
    if as_of is not None:
        published = [last_day(None if pd.isna(day) else day) for day in table["published"]]
        table = table[[day <= as_of for day in published]]
    return table.reset_index(drop=True)
