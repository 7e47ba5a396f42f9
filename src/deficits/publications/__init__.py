"""What each publication is: where its files are, how they are read, and what they give the panel."""

from deficits.errors import SourceError
from deficits.publications import (
    dsg_allocations,
    ehc_plans,
    gdp_deflator,
    high_needs_benchmarking,
    mhclg_revenue_outturn,
    ons_population,
    safety_valve,
    section251_outturn,
    tabulated,
)
from deficits.publications.editions import Reader
from deficits.publications.publication import Publication, Table, declared

PUBLICATIONS: tuple[Publication, ...] = (
    dsg_allocations.PUBLICATION,
    section251_outturn.PUBLICATION,
    mhclg_revenue_outturn.PUBLICATION,
    ehc_plans.PUBLICATION,
    ons_population.PUBLICATION,
    declared("school-pupils"),
    declared("specialist-placement-spend", load=tabulated.specialist_spend),
    safety_valve.PUBLICATION,
    declared("council-statements", load=tabulated.stated_balances),
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
