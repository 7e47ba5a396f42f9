"""What is published for England: outturn figures and forecasts, with who published them and when."""

from __future__ import annotations

import pandas as pd

from deficits.panel.figures import year_of
from deficits.sources import read_table


def load_national() -> pd.DataFrame:
    """Published national figures, one row each.

    Columns: year, measure, value (£, count or %, as `unit` says), unit, price_basis, publisher, publication,
    published (date text, may be missing), url, note. A measure and year may have several rows that disagree.
    """
    table = read_table("national-figures", "published.csv", numeric=["value"])
    return _dated(table, "financial_year").reset_index(drop=True)


def load_forecasts() -> pd.DataFrame:
    """Published forecasts, one row each: year (of the target), measure, low, central, high, unit, publisher...

    Of a range only one end may be given; a target that is not one financial year is left out.
    """
    table = read_table("published-forecasts", "forecasts.csv", numeric=["low", "central", "high"])
    one_year = table["target"].str.fullmatch(r"\d{4}-\d{2}")
    return _dated(table[one_year], "target").reset_index(drop=True)


def _dated(table: pd.DataFrame, column: str) -> pd.DataFrame:
    dated = table.drop(columns=column)
    dated.insert(0, "year", table[column].map(year_of).astype(int))
    return dated
