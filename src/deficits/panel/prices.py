"""Prices: growth of the GDP deflator by year, as the OBR publishes it."""

from __future__ import annotations

import pandas as pd

from deficits.panel.editions import last_day
from deficits.panel.years import year_of
from deficits.sources import read_sources, read_table

COVID = (2021, 2022)
"""2020-21 (+5.2%) and 2021-22 (+0.3%) are effects of how output was measured: each takes the mean of the two."""


def load_prices(as_of: str | None = None) -> pd.Series:
    """Growth of the GDP deflator on the year before (share), by year; outturn, then forecast.

    Empty when the forecast held was not public on the day.
    """
    file = next(file for file in read_sources()["gdp-deflator"].file if file.table == "deflator")
    if as_of is not None and last_day(file.published) > as_of:
        return pd.Series(dtype=float, index=pd.Index([], dtype=int, name="year"), name="prices")
    table = read_table("gdp-deflator", "deflator_by_financial_year.csv", numeric=["gdp_deflator_growth_pct"])
    growth = (table["gdp_deflator_growth_pct"] / 100).set_axis(table["financial_year"].map(year_of))
    growth[list(COVID)] = growth[list(COVID)].mean()
    return growth.rename("prices").rename_axis("year")
