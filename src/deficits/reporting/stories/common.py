"""What every report says alike: money in words, headline figures, sources."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from deficits.formatting import gbp, gbp_range
from deficits.raw import raw_data

OVERRIDE_ENDS = 2028
"""The statutory override ends on 31 March 2028 (written statement of 20 June 2025)."""

EVERY_FOLDER = (
    "section251-outturn",
    "mhclg-revenue-outturn",
    "dsg-allocations",
    "ehc-plans",
    "specialist-placement-spend",
    "school-pupils",
    "ons-population",
    "national-figures",
    "published-forecasts",
    "authorities",
)
"""Publications that the panel rests on, by folder of `data/raw`."""

BALANCES = ("section251-outturn", "mhclg-revenue-outturn", "dsg-allocations")

Points = tuple[list[str], dict[str, float | int | str]]


def used_sources(*folders: str) -> list[dict[str, Any]]:
    """What `reporting.sources` shows of some publications, by folder of `data/raw`."""
    known = raw_data().sources
    return [
        {
            "title": source.title,
            "publisher": source.publisher,
            "url": str(source.url),
            "licence": source.licence,
            "published": max((file.published for file in source.file if file.published), default=""),
            "next_expected": source.next_expected,
            "retrieved": source.retrieved.isoformat(),
            "files": {file.name: file.sha256 for file in source.file},
        }
        for source in (known[folder] for folder in folders)
    ]


def pounds(value: float) -> float:
    """A headline value, to the pound: the same on every machine."""
    return float(round(value))


def money_range(row: pd.Series) -> str:
    """The 80% range of a row of quantiles (£) in words."""
    return gbp_range(row["p10"], row["p90"])


def standing(balance: float) -> str:
    """A balance (£, negative = deficit) in words."""
    return f"a deficit of {gbp(-balance)}" if balance < 0 else f"a surplus of {gbp(balance)}"


def standing_range(row: pd.Series) -> str:
    """The 80% range of a balance (£, negative = deficit) in words."""
    low, high = row["p10"], row["p90"]
    if high <= 0:
        return f"a deficit of {gbp_range(-high, -low)}"
    if low >= 0:
        return f"a surplus of {gbp_range(low, high)}"
    return f"between a deficit of {gbp(-low)} and a surplus of {gbp(high)}"


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def day_in_words(iso: str) -> str:
    """An ISO day as it is written: 28 February 2023."""
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"
