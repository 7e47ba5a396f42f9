"""What each publication is: where its files are, how they are read, and what they give the panel."""

from deficits.errors import SourceError
from deficits.publications import (
    council_statements,
    dsg_allocations,
    ehc_plans,
    gdp_deflator,
    high_needs_benchmarking,
    mhclg_revenue_outturn,
    ons_population,
    safety_valve,
    school_pupils,
    section251_outturn,
    specialist_placement_spend,
)
from deficits.publications.editions import Reader
from deficits.publications.publication import Publication, Table

PUBLICATIONS: tuple[Publication, ...] = (
    dsg_allocations.PUBLICATION,
    section251_outturn.PUBLICATION,
    mhclg_revenue_outturn.PUBLICATION,
    ehc_plans.PUBLICATION,
    ons_population.PUBLICATION,
    school_pupils.PUBLICATION,
    specialist_placement_spend.PUBLICATION,
    safety_valve.PUBLICATION,
    council_statements.PUBLICATION,
    gdp_deflator.PUBLICATION,
    high_needs_benchmarking.PUBLICATION,
)

__all__ = ["PUBLICATIONS", "Publication", "Reader", "Table", "find"]


def find(name: str) -> Publication:
    """A publication by its folder or a short name; SourceError lists all.

    >>> find("ehc").folder, find("section251").folder
    ('ehc-plans', 'section251-outturn')
    """
    by_name = {word: each for each in PUBLICATIONS for word in (each.folder, *each.short)}
    if name not in by_name:
        folders = ", ".join(each.folder for each in PUBLICATIONS)
        raise SourceError(f"no publication is called '{name}': there are {folders}")
    return by_name[name]
