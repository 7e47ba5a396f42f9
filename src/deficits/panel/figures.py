"""The panel's figures: what each is, and how each comes from its published table.

Each loader returns a frame indexed by (authority, year) with one float column a figure; `attrs["source"]` is
the raw table it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from deficits.errors import PanelError
from deficits.panel.authorities import FIRST_YEAR, Authorities
from deficits.sources import read_table

KEY = ["authority", "year"]


@dataclass(frozen=True)
class Figure:
    """One figure of the panel: `signed` where it may be below zero."""

    name: str
    unit: str
    meaning: str
    signed: bool = False


FIGURES = {
    figure.name: figure
    for figure in [
        Figure("balance", "£", "cumulative DSG balance at 31 March, chosen among sources", signed=True),
        Figure("balance_section251", "£", "DSG balance from section 251 outturn, line 1.9.3", signed=True),
        Figure("balance_mhclg", "£", "DSG balance from MHCLG revenue outturn, lines 912 + 913", signed=True),
        Figure("dsg_total", "£", "dedicated schools grant, all blocks, before recoupment and deductions"),
        Figure("schools_block", "£", "schools block of the DSG"),
        Figure("central_school_services_block", "£", "central school services block of the DSG"),
        Figure("high_needs_block", "£", "high needs block of the DSG, before recoupment and deductions"),
        Figure("early_years_block", "£", "early years block of the DSG"),
        Figure(
            "high_needs_net_spend",
            "£",
            "net high needs spend, section 251 lines 1.2.x, no place funding",
            True,
        ),
        Figure("state_special_spend", "£", "spend on state special and alternative provision placements"),
        Figure("independent_spend", "£", "spend on independent or non-maintained placements"),
        Figure("plans", "plans", "EHC plans (and statements until 2018) in force in January"),
        Figure("plans_mainstream", "plans", "plans of children in state mainstream schools"),
        Figure("plans_state_special", "plans", "plans of children in state special schools"),
        Figure("plans_independent", "plans", "plans of children in independent and non-maintained schools"),
        Figure("new_plans", "plans", "first plans made in the calendar year that ends in the financial year"),
        Figure("population_2_18", "people", "people aged 2 to 18 in the middle of the calendar year"),
        Figure("pupils", "pupils", "pupils in state primary and secondary schools, no special schools"),
        Figure(
            "reserves_unallocated",
            "£",
            "unallocated general fund reserves at 31 March, line 916",
            signed=True,
        ),
        Figure("reserves_earmarked", "£", "other earmarked reserves at 31 March, line 915", signed=True),
    ]
}


def year_of(label: str) -> int:
    """The financial year (named by the year it ends in) of a published label.

    >>> year_of("2019-20"), year_of("1999-00"), year_of("2014/15")
    (2020, 2000, 2015)
    """
    start, mark, end = label[:4], label[4:5], label[5:]
    if not (start.isdigit() and mark in ("-", "/") and end.isdigit() and len(end) == 2):
        raise PanelError(f"'{label}' is not a year like '2019-20'")
    year = int(start) + 1
    if year % 100 != int(end):
        raise PanelError(f"'{label}' is not one year: {start} ends in {year % 100:02d}")
    return year


def _keyed(table: pd.DataFrame, year: pd.Series) -> pd.DataFrame:
    """The table indexed by (authority, year) through its DfE numbers."""
    source = table.attrs["source"]
    keyed = table.set_index(pd.MultiIndex.from_arrays([table["dfe_number"], year.astype("int64")], names=KEY))
    keyed.attrs["source"] = source
    return keyed


def _between(keyed: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    years = keyed.index.get_level_values("year")
    kept = keyed[(years >= first) & (years <= last)]
    kept.attrs = keyed.attrs
    return kept


def _pick(keyed: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    picked = keyed[list(columns)].rename(columns=columns)
    picked.attrs["source"] = keyed.attrs["source"]
    return picked


def allocations() -> pd.DataFrame:
    """DSG by block, £, before recoupment."""
    blocks = ["schools_block", "central_school_services_block", "high_needs_block", "early_years_block"]
    table = read_table("dsg-allocations", "allocations_by_block.csv", numeric=[*blocks, "total_dsg"])
    return _pick(
        _keyed(table, table["financial_year"].map(year_of)),
        {block: block for block in blocks} | {"total_dsg": "dsg_total"},
    )


def _net_spend(_: Authorities) -> Iterator[pd.DataFrame]:
    table = read_table("section251-outturn", "net_spend.csv", numeric=["high_needs_net_spend_gbp"])
    keyed = _keyed(table, table["financial_year"].map(year_of))
    yield _pick(keyed, {"high_needs_net_spend_gbp": "high_needs_net_spend"})


def _specialist_spend(authorities: Authorities) -> Iterator[pd.DataFrame]:
    table = read_table("specialist-placement-spend", "spend_2018_19_to_2021_22.csv", numeric=["total_spend"])
    years = table["year"].map(year_of)
    # The publication gives names only, and two authorities have been called Dorset.
    table["dfe_number"] = [
        authorities.resolve(name, year) for name, year in zip(table["la_name"], years, strict=True)
    ]
    # It lists a council in years when it did not exist, with a zero; such a row says nothing.
    existed = [authorities.existed(code, year) for code, year in zip(table["dfe_number"], years, strict=True)]
    table["total_spend"] = table["total_spend"].where(pd.Series(existed) | (table["total_spend"] != 0))
    for category, figure in {
        "State": "state_special_spend",
        "Independent or non-maintained": "independent_spend",
    }.items():
        rows = table[table["category"] == category].copy()
        rows.attrs["source"] = table.attrs["source"]
        yield _pick(_keyed(rows, years[rows.index]), {"total_spend": figure})


def _plans(_: Authorities) -> Iterator[pd.DataFrame]:
    by_age = read_table("ehc-plans", "plans_by_age_2010_2023.csv", numeric=["plans"])
    # From 2019 the newer release has every authority with its placements, so the older one ends there.
    older = _between(_keyed(by_age, by_age["january"].astype(int)), FIRST_YEAR, 2018)
    total = older.groupby(level=KEY)[["plans"]].sum(min_count=1)
    total.attrs = older.attrs
    yield total

    parts = {
        "plans_state_special": ["special_la_maintained", "special_academy_free"],
        "plans_independent": ["special_independent", "special_non_maintained", "mainstream_independent"],
    }
    needed = ["plans", "mainstream_total", *[column for columns in parts.values() for column in columns]]
    table = read_table("ehc-plans", "plans_by_placement_2019_2025.csv", numeric=needed)
    keyed = _keyed(table, table["january"].astype(int))
    placed = _pick(keyed, {"plans": "plans"})
    placed["plans_mainstream"] = keyed["mainstream_total"] - keyed["mainstream_independent"]
    for figure, columns in parts.items():
        placed[figure] = keyed[columns].sum(axis=1, min_count=len(columns))
    yield placed

    newest = read_table("ehc-plans", "plans_january_2026.csv", numeric=["plans_january_2026"])
    yield _pick(_keyed(newest, pd.Series(2026, index=newest.index)), {"plans_january_2026": "plans"})


def _new_plans(_: Authorities) -> Iterator[pd.DataFrame]:
    older = read_table("ehc-plans", "flows_2009_2022.csv", numeric=["new_ehc_plans"])
    newer = read_table("ehc-plans", "flows_2019_2024.csv", numeric=["new_ehc_plans"])
    # A calendar year is counted in the January that follows it. The 2025 release revised 2019 on.
    for table, first, last in [(older, FIRST_YEAR, 2019), (newer, 2020, 2025)]:
        keyed = _keyed(table, table["calendar_year"].astype(int) + 1)
        yield _pick(_between(keyed, first, last), {"new_ehc_plans": "new_plans"})


def _population(_: Authorities) -> Iterator[pd.DataFrame]:
    table = read_table("ons-population", "population_mid2023_by_authority.csv", numeric=["pop_2_18"])
    yield _pick(_keyed(table, table["mid_year"].astype(int) + 1), {"pop_2_18": "population_2_18"})


def _pupils(_: Authorities) -> Iterator[pd.DataFrame]:
    table = read_table("school-pupils", "pupils_by_authority.csv", numeric=["total_pupils"])
    # Counted in May, so the end of academic year 2022/23 falls in financial year 2023-24; the authorities
    # in each year's list, those of the April reorganisations included, bear this out.
    yield _pick(_keyed(table, table["academic_year"].map(year_of) + 1), {"total_pupils": "pupils"})


def _reserves(_: Authorities) -> Iterator[pd.DataFrame]:
    columns = {
        "close_unallocated_gbp": "reserves_unallocated",
        "close_other_earmarked_gbp": "reserves_earmarked",
    }
    for name in ["usable_reserves_2015_16_to_2017_18.csv", "usable_reserves_2023_24.csv"]:
        table = read_table("mhclg-revenue-outturn", name, numeric=columns)
        yield _pick(_keyed(table, table["financial_year"].map(year_of)), columns)


LOADERS: tuple[Callable[[Authorities], Iterator[pd.DataFrame]], ...] = (
    _net_spend,
    _specialist_spend,
    _plans,
    _new_plans,
    _population,
    _pupils,
    _reserves,
)
