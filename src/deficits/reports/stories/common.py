"""What every report says alike: money in words, headline figures, sources."""

from __future__ import annotations

import pandas as pd

from deficits.assumptions import assumed
from deficits.formatting import UNDATED, gbp, gbp_range
from deficits.panel import Panel
from deficits.projection import Projection

OVERRIDE_ENDS = int(assumed("override", "ends").value)  # type: ignore[arg-type]
"""The last year end that the statutory override covers."""

EVERY_FOLDER = (
    "section251-outturn",
    "mhclg-revenue-outturn",
    "dsg-allocations",
    "ehc-plans",
    "specialist-placement-spend",
    "school-pupils",
    "ons-population",
    "safety-valve",
    "gdp-deflator",
    "council-statements",
    "national-figures",
    "published-forecasts",
    "authorities",
)
"""Publications that the panel rests on, by folder of `data/raw`."""

BALANCES = ("section251-outturn", "mhclg-revenue-outturn", "council-statements", "dsg-allocations")

Points = tuple[list[str], dict[str, float | int | str]]


def used_sources(*folders: str) -> list[str]:
    """What `reports.sources` shows of some publications, by folder of `data/raw`."""
    return list(folders)


def known_to(panel: Panel) -> str:
    """The day (ISO) to which a panel knows what is published: its own, or that of the newest figure it holds.

    Not today's: the same figures give the same sentences on every day.
    """
    if panel.as_of is not None:
        return panel.as_of
    days = [panel.frame[column] for column in panel.frame if column.endswith("_published")]
    return str(pd.concat(days).dropna().loc[lambda day: day < UNDATED].max())


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


def span(projection: Projection) -> tuple[int, int]:
    """The two year ends between which growth is explained: the one to report first, and the override's end or,
    where that is no later, the last one."""
    start, last = projection.headline_year, projection.years[-1]
    return start, OVERRIDE_ENDS if start < OVERRIDE_ENDS <= last else last
