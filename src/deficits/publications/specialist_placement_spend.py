"""Spend on specialist placements (DfE, SEND and alternative provision dashboard), by authority and sector."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from deficits.publications.editions import Reader, financial, reported
from deficits.publications.publication import ByHand, Publication

SECTORS = {"State": "state_special_spend", "Independent or non-maintained": "independent_spend"}


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Spend on state special and on independent placements, £."""
    rows = reader.read("specialist-placement-spend", "specialist_spend", ["total_spend"], financial("year"))
    for sector, figure in SECTORS.items():
        some = rows[rows["category"] == sector] if "category" in rows else rows
        yield reported(some, {"total_spend": figure})


PUBLICATION = Publication(
    folder="specialist-placement-spend",
    address=ByHand("the dashboard has no file to download"),
    load=load,
)
