"""The panel's figures: what each is, and how each comes from its published tables.

Each loader gives candidates: a frame with one row a cell and columns figure, authority, year, value, basis, source
(`publication/file:line`), published (ISO day) and edition. Where several editions have a cell, the newest wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from deficits.panel.corrections import NO_CORRECTIONS
from deficits.panel.editions import Reader
from deficits.panel.years import year_of
from deficits.sources import read_table

DISPUTED, REPORTED, DERIVED = "disputed", "reported", "derived"
CANDIDATE = ["figure", "authority", "year", "value", "basis", "source", "published", "edition"]


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
        Figure("balance_own", "£", "DSG balance given by the analyst", signed=True),
        Figure("bail_out", "£", "safety valve grant received in the year, as far as public: few payments are"),
        Figure("dsg_total", "£", "dedicated schools grant, all blocks, before recoupment and deductions"),
        Figure("schools_block", "£", "schools block of the DSG"),
        Figure("central_school_services_block", "£", "central school services block of the DSG"),
        Figure("high_needs_block", "£", "high needs block of the DSG, before recoupment and deductions"),
        Figure("early_years_block", "£", "early years block of the DSG"),
        Figure(
            "high_needs_net_spend", "£", "net high needs spend, section 251 lines 1.2.x, no place funding", True
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
            "reserves_unallocated", "£", "unallocated general fund reserves at 31 March, line 916", signed=True
        ),
        Figure("reserves_earmarked", "£", "other earmarked reserves at 31 March, line 915", signed=True),
    ]
}


@dataclass(frozen=True)
class Loaded:
    """Candidates for cells of the panel, and the corrections that were made on the way."""

    candidates: pd.DataFrame
    corrections: pd.DataFrame


def candidates(rows: pd.DataFrame, values: Mapping[str, pd.Series], basis: str, column: str = "") -> pd.DataFrame:
    """Candidates for several figures from the same rows; cells without a value are left out.

    `rows` is a reader's frame. A row flagged on `column` counts as disputed.
    """
    flagged = [bool(column) and column in flags.split(",") for flags in rows["flagged"]]
    bases = np.where(flagged, DISPUTED, basis)
    frames = []
    for figure, value in values.items():
        frame = rows[["source", "published", "edition"]].assign(figure=figure, value=value.to_numpy(), basis=bases)
        frames.append(frame.dropna(subset=["value"]).reset_index())
    return pd.concat(frames, ignore_index=True)[CANDIDATE]


def _year(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda table: table[column].map(year_of)


def _calendar(column: str, later: int = 0) -> Callable[[pd.DataFrame], pd.Series]:
    """The financial year of a January (or, `later` = 1, of the January after a calendar year)."""
    return lambda table: table[column].astype(int) + later


def allocations(reader: Reader) -> Loaded:
    """DSG by block, £, before recoupment."""
    blocks = ["schools_block", "central_school_services_block", "high_needs_block", "early_years_block"]
    rows, touched = reader.read("dsg-allocations", "allocations", [*blocks, "total_dsg"], _year("financial_year"))
    values = {block: rows[block] for block in blocks} | {"dsg_total": rows["total_dsg"]}
    return Loaded(candidates(rows, values, REPORTED), touched)


def _net_spend(reader: Reader) -> Iterator[Loaded]:
    column = "high_needs_net_spend_gbp"
    rows, touched = reader.read("section251-outturn", "net_spend", [column], _year("financial_year"))
    yield Loaded(candidates(rows, {"high_needs_net_spend": rows[column]}, REPORTED, column), touched)


def _specialist_spend(reader: Reader) -> Iterator[Loaded]:
    rows, touched = reader.read("specialist-placement-spend", "specialist_spend", ["total_spend"], _year("year"))
    sectors = {"State": "state_special_spend", "Independent or non-maintained": "independent_spend"}
    for sector, figure in sectors.items():
        some = rows[rows["category"] == sector]
        yield Loaded(candidates(some, {figure: some["total_spend"]}, REPORTED, "total_spend"), touched)
        touched = touched.iloc[:0]


def _plans(reader: Reader) -> Iterator[Loaded]:
    by_age, touched = reader.read("ehc-plans", "plans_by_age", ["plans"], _calendar("january"))
    # One row an age group: the council's total stands at the first of its rows.
    grouped = by_age.groupby(level=["authority", "year"])
    total = grouped[["source", "published", "edition", "flagged"]].first()
    yield Loaded(candidates(total, {"plans": grouped["plans"].sum(min_count=1)}, DERIVED), touched)

    parts = {
        "plans_state_special": ["special_la_maintained", "special_academy_free"],
        "plans_independent": ["special_independent", "special_non_maintained", "mainstream_independent"],
    }
    needed = ["plans", "mainstream_total", *[column for columns in parts.values() for column in columns]]
    rows, touched = reader.read("ehc-plans", "plans_by_placement", needed, _calendar("january"))
    yield Loaded(candidates(rows, {"plans": rows["plans"]}, REPORTED, "plans"), touched)
    placed = {figure: rows[columns].sum(axis=1, min_count=len(columns)) for figure, columns in parts.items()}
    placed["plans_mainstream"] = rows["mainstream_total"] - rows["mainstream_independent"]
    yield Loaded(candidates(rows, placed, DERIVED), touched.iloc[:0])

    total, touched = reader.read("ehc-plans", "plans_total", ["plans"], _calendar("january"))
    yield Loaded(candidates(total, {"plans": total["plans"]}, REPORTED, "plans"), touched)


def _new_plans(reader: Reader) -> Iterator[Loaded]:
    # A calendar year is counted in the January that follows it.
    before, touched = reader.read(
        "ehc-plans", "flows_before_2023", ["new_ehc_plans"], _calendar("calendar_year", 1)
    )
    yield Loaded(candidates(before, {"new_plans": before["new_ehc_plans"]}, REPORTED, "new_ehc_plans"), touched)

    published = "new_ehc_plans_as_published"
    columns = [published, "new_ehc_plans", "new_ehc_plans_2023_release"]
    rows, touched = reader.read("ehc-plans", "flows", columns, _calendar("calendar_year", 1))
    # Only an edition with a known error keeps what was published apart.
    plans = rows[published].fillna(rows["new_ehc_plans"])
    yield Loaded(candidates(rows, {"new_plans": plans}, REPORTED, published), touched)


def _population(reader: Reader) -> Iterator[Loaded]:
    column = "pop_2_18"
    rows, touched = reader.read("ons-population", "population_by_authority", [column], _calendar("mid_year", 1))
    yield Loaded(candidates(rows, {"population_2_18": rows[column]}, REPORTED, column), touched)
    if reader.holds("ons-population", "population"):
        by_age, touched = reader.read("ons-population", "population", ["age", "people"], _calendar("year", 1))
        some = by_age[by_age["age"].between(2, 18)].groupby(level=["authority", "year"])
        first = some[["source", "published", "edition", "flagged"]].first()
        yield Loaded(candidates(first, {"population_2_18": some["people"].sum(min_count=17)}, DERIVED), touched)


def _pupils(reader: Reader) -> Iterator[Loaded]:
    # Counted in May, so the end of academic year 2022/23 falls in financial year 2023-24; the authorities in each
    # year's list, those of the April reorganisations included, bear this out.
    rows, touched = reader.read(
        "school-pupils", "pupils", ["total_pupils"], lambda table: table["academic_year"].map(year_of) + 1
    )
    yield Loaded(candidates(rows, {"pupils": rows["total_pupils"]}, REPORTED, "total_pupils"), touched)


def _reserves(reader: Reader) -> Iterator[Loaded]:
    columns = {"close_unallocated_gbp": "reserves_unallocated", "close_other_earmarked_gbp": "reserves_earmarked"}
    rows, touched = reader.read("mhclg-revenue-outturn", "usable_reserves", columns, _year("financial_year"))
    for column, figure in columns.items():
        yield Loaded(candidates(rows, {figure: rows[column]}, REPORTED, column), touched)
        touched = touched.iloc[:0]


def _bail_outs(reader: Reader) -> Iterator[Loaded]:
    """Safety valve payments by year; a payment is taken as public by the end of its year."""
    table = read_table("safety-valve", "agreements.csv")
    cells = []
    for line, row in enumerate(table.itertuples(), start=2):
        payments = row.payments_by_year_gbp.split(";") if isinstance(row.payments_by_year_gbp, str) else []
        for payment in payments:
            label, _, amount = payment.partition(":")
            year = year_of(label)
            day = f"{year}-03-31"
            code = reader.authorities.resolve(row.la_name, year)
            place = f"safety-valve/agreements.csv:{line}"
            cells.append(["bail_out", code, year, float(amount), REPORTED, place, day, day])
    found = pd.DataFrame(cells, columns=CANDIDATE)
    if reader.as_of is not None:
        found = found[found["published"] <= reader.as_of]
    yield Loaded(found, NO_CORRECTIONS)


LOADERS: tuple[Callable[[Reader], Iterator[Loaded]], ...] = (
    _net_spend,
    _specialist_spend,
    _plans,
    _new_plans,
    _population,
    _pupils,
    _reserves,
    _bail_outs,
)
