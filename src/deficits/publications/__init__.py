"""What each publication is: where its files are, how they are read, and what they give the panel."""

from deficits.errors import PanelError
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
from deficits.publications.editions import Publication, Reader, Table, declared

PUBLICATIONS: tuple[Publication, ...] = (
    declared("dsg-allocations", dsg_allocations.parse),
    declared("section251-outturn", section251_outturn.parse, section251_outturn.load),
    declared("mhclg-revenue-outturn", mhclg_revenue_outturn.parse, mhclg_revenue_outturn.load),
    declared("ehc-plans", ehc_plans.parse, ehc_plans.load),
    declared("ons-population", ons_population.parse, ons_population.load, ons_population.newest_edition),
    declared("school-pupils"),
    declared("specialist-placement-spend", load=tabulated.specialist_spend),
    declared("safety-valve", safety_valve.parse, safety_valve.load),
    declared("council-statements", load=tabulated.stated_balances),
    declared("gdp-deflator", gdp_deflator.parse, newest=gdp_deflator.newest_edition),
    declared("high-needs-benchmarking", high_needs_benchmarking.parse),
)

__all__ = ["PUBLICATIONS", "Publication", "Reader", "Table", "find"]


def find(name: str) -> Publication:
    """A publication by its folder or a short name (`ehc`); PanelError lists all."""
    by_name = {word: each for each in PUBLICATIONS for word in (each.folder, *each.short)}
    if name not in by_name:
        folders = ", ".join(each.folder for each in PUBLICATIONS)
        raise PanelError(f"no publication is called '{name}': there are {folders}")
    return by_name[name]
