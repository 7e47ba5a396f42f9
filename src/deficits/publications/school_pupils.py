"""Pupils in state primary and secondary schools (DfE, school capacity survey), by authority."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from deficits.formatting import year_of
from deficits.publications.editions import REPORTED, Reader, candidates
from deficits.publications.publication import ByHand, Publication


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Pupils by authority.

    Counted in May, so the end of academic year 2022/23 falls in financial year 2023-24; the authorities in each
    year's list, those of the April reorganisations included, bear this out.
    """
    rows = reader.read(
        "school-pupils", "pupils", ["total_pupils"], lambda table: table["academic_year"].map(year_of) + 1
    )
    yield candidates(rows, {"pupils": rows["total_pupils"]}, REPORTED, "total_pupils")


PUBLICATION = Publication(
    folder="school-pupils",
    address=ByHand("the table was put together from the school places scorecards"),
    page="https://explore-education-statistics.service.gov.uk/find-statistics/school-capacity",
    load=load,
    reads=frozenset({"pupils"}),
)
