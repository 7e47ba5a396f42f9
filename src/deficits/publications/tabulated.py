"""Publications that come as tables put together by hand, so that no publisher's file is parsed.

What their columns mean, with units and signs, is in the `source.toml` of each in data/raw; `source`, which is
added, is `publication/file:line`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from deficits.formatting import last_day, year_of
from deficits.publications.editions import CANDIDATE, KEY, STATED, Reader, reported


def specialist_spend(reader: Reader) -> Iterator[pd.DataFrame]:
    """Spend on state special and on independent placements, £."""
    rows = reader.read("specialist-placement-spend", "specialist_spend", ["total_spend"])
    sectors = {"State": "state_special_spend", "Independent or non-maintained": "independent_spend"}
    for sector, figure in sectors.items():
        yield reported(rows[rows["category"] == sector], {"total_spend": figure})


def statements(reader: Reader) -> pd.DataFrame:
    """What councils say of their own DSG balances, as far as public on the reader's day, one row a statement.

    With authority (DfE number), year, name, value (£, negative for a deficit), rounding (£) and use (bool: False
    is shown as not used). Of `trust`, A is the council or a minister, B press that quotes the council, C a
    machine's summary of council papers, D not to be used.
    """
    rows = reader.dated("council-statements", "stated_balances", ["value_gbp", "rounding_gbp"])
    rows["use"] = rows["use"].eq("yes") & rows["trust"].ne("D")
    rows.insert(1, "year", rows.pop("financial_year").map(year_of).astype("int64"))
    return rows.rename(
        columns={"dfe_number": "authority", "la_name": "name", "value_gbp": "value", "rounding_gbp": "rounding"}
    )


def stated_balances(reader: Reader) -> Iterator[pd.DataFrame]:
    """Outturns of the whole DSG that councils stated, one a council and year.

    Of several the most trusted, and of those the newest. Forecasts, and what is not to be used, never count.
    """
    every = statements(reader)
    outturns = every[every["use"] & every["kind"].eq("outturn") & every["measure"].eq("dsg_balance")]
    public = outturns["published"].map(last_day)
    best = outturns.assign(figure="balance_stated", basis=STATED, published=public, edition=public)
    best = best.sort_values("published", ascending=False).sort_values("trust", kind="stable")
    yield best.drop_duplicates(KEY).sort_values(KEY)[CANDIDATE]


RETURNED = ("outturn", "provisional")
"""Kinds of national figure that come from councils' returns; surveys of the sector run far above them for the same
day."""


def national(reader: Reader) -> pd.DataFrame:
    """What many publishers say of England as a whole, as far as public on the reader's day, one row a figure.

    `value` is £, a count or %, as `unit` says; a measure and year may have several rows that disagree.
    """
    rows = reader.dated("national-figures", "published", ["value"])
    rows.insert(0, "year", rows.pop("financial_year").map(year_of).astype("int64"))
    return rows


def forecasts(reader: Reader) -> pd.DataFrame:
    """Published forecasts that were public on the reader's day, one row each.

    `year` is the one that the forecast is for; low, central and high are in `unit`, a deficit positive, and of a
    range only one end may be given. A target that is not one financial year is left out.
    """
    rows = reader.dated("published-forecasts", "forecasts", ["low", "central", "high"])
    rows = rows[rows["target"].str.fullmatch(r"\d{4}-\d{2}")].reset_index(drop=True)
    rows.insert(0, "year", rows.pop("target").map(year_of).astype("int64"))
    return rows


def deprivation(reader: Reader) -> pd.DataFrame:
    """Deprivation (MHCLG, English indices), of the newest edition public on the reader's day, by DfE number.

    Columns: score (average of the index; higher is more deprived), rank (1 is the most deprived authority) and
    children_in_income_deprivation (share, 0 to 1, approximate). No rows where no edition was public.
    """
    columns = {
        "dfe_number": "authority",
        "imd2025_average_score": "score",
        "imd2025_rank_of_153": "rank",
        "idaci2025_share_approx": "children_in_income_deprivation",
    }
    table = reader.table("deprivation", "deprivation", list(columns)[1:])
    return table[[*columns]].rename(columns=columns).set_index("authority")


def neighbours(reader: Reader) -> pd.DataFrame:
    """Statistical neighbours (DfE, Local Authority Interactive Tool), the authorities most like each one.

    Of the newest edition public on the reader's day: authority, rank (1 is the nearest), neighbour (both DfE
    numbers). No rows where no edition was public.
    """
    table = reader.table("statistical-neighbours", "neighbours", ["rank"])
    table = table.rename(columns={"dfe_number": "authority", "neighbour_dfe_number": "neighbour"})
    table = table[["authority", "rank", "neighbour"]].astype({"rank": int})
    return table.sort_values(["authority", "rank"], ignore_index=True)
