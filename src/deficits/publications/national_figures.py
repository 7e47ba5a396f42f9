"""What is published for England as a whole by many publishers: deficits, plans, spending, forecasts."""

from __future__ import annotations

import pandas as pd

from deficits.formatting import year_of
from deficits.publications.editions import Reader

RETURNED = ("outturn", "provisional")
"""Kinds of figure that come from councils' returns; surveys of the sector run far above them for the same day."""


def national(reader: Reader) -> pd.DataFrame:
    """Published national figures that were public on the reader's day, one row each.

    Columns: year, measure, value (£, count or %, as `unit` says; missing where no figure was found), unit,
    price_basis, kind (outturn, provisional, survey or forecast), basis (of a deficit: gross, net or unknown),
    repeats (what the row only repeats; missing otherwise), publisher, publication, published (date text, may be
    missing), url, note and source (`publication/file:line`). A measure and year may have several rows that
    disagree.
    """
    rows = reader.dated("national-figures", "published", ["value"])
    rows.insert(0, "year", rows.pop("financial_year").map(year_of).astype("int64"))
    return rows


def forecasts(reader: Reader) -> pd.DataFrame:
    """Published forecasts that were public on the reader's day, one row each.

    Columns: year (that the forecast is for), publisher, publication, published (date text, may be missing),
    measure, low, central, high (in `unit`; of a range only one end may be given; a deficit is positive), unit,
    price_basis, repeats (the forecast that the row only repeats; missing otherwise), url, note and source
    (`publication/file:line`). A target that is not one financial year is left out.
    """
    rows = reader.dated("published-forecasts", "forecasts", ["low", "central", "high"])
    rows = rows[rows["target"].str.fullmatch(r"\d{4}-\d{2}")].reset_index(drop=True)
    rows.insert(0, "year", rows.pop("target").map(year_of).astype("int64"))
    return rows
