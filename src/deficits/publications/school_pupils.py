"""Pupils in state primary and secondary schools (DfE, school capacity survey), by authority.

Counted in May, so the end of academic year 2022/23 falls in financial year 2023-24; the authorities in each year's
list, those of the April reorganisations included, bear this out.
"""

from deficits.formatting import year_of
from deficits.publications.editions import direct
from deficits.publications.publication import ByHand, Publication

PUBLICATION = Publication(
    folder="school-pupils",
    address=ByHand("the table was put together from the school places scorecards"),
    load=direct(
        "school-pupils",
        "pupils",
        lambda table: table["academic_year"].map(year_of) + 1,
        {"total_pupils": "pupils"},
    ),
)
