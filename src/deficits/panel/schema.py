"""The panel's figures and its schema: what each figure is, types, keys, signs, and which words a basis may be."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pandera.pandas as pa

from deficits.errors import PanelError

PARTS = ("", "_basis", "_source", "_published")
"""What stands in the panel for each figure: its value, and beside it where that comes from."""


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
        Figure("balance_stated", "£", "DSG balance at year end that the council itself has stated", signed=True),
        Figure("balance_own", "£", "DSG balance given by the analyst", signed=True),
        Figure("safety_valve_payment", "£", "safety valve payment of the year, as far as public: few are"),
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
        Figure("plans_post_16", "plans", "plans of young people in further education and specialist post-16"),
        Figure("new_plans", "plans", "first plans made in the calendar year that ends in the financial year"),
        Figure("population_2_18", "people", "people aged 2 to 18 in the middle of the calendar year"),
        Figure("pupils", "pupils", "pupils in state primary and secondary schools, no special schools"),
        Figure(
            "reserves_unallocated", "£", "unallocated general fund reserves at 31 March, line 916", signed=True
        ),
        Figure("reserves_earmarked", "£", "other earmarked reserves at 31 March, line 915", signed=True),
    ]
}

BASES = {
    "reported": "as its publication has it",
    "derived_from_percentage": "published as a percentage of the DSG, times the DSG",
    "derived": "a sum or difference of published figures",
    "disputed": "two publications differ by more than £150,000, or a correction flags it",
    "stated": "the council's own statement of its balance at year end, where no return has it yet",
    "not_reported": "collected that year, and this council has none (balances only, without a value)",
    "own_outturn": "an analyst's own closing balance",
    "own_forecast": "an analyst's own forecast",
}
"""What a figure may be, and what that means."""
REGIONS = (
    "East Midlands",
    "East of England",
    "London",
    "North East",
    "North West",
    "South East",
    "South West",
    "West Midlands",
    "Yorkshire and The Humber",
)
DAY = pa.Check.str_matches(r"^\d{4}-\d{2}-\d{2}$")


def _figure_columns() -> dict[str, pa.Column]:
    columns = {}
    for figure in FIGURES.values():
        checks = [] if figure.signed else [pa.Check.ge(0)]
        columns[figure.name] = pa.Column(float, checks, nullable=True)
        columns[f"{figure.name}_basis"] = pa.Column(str, pa.Check.isin(BASES), nullable=True)
        columns[f"{figure.name}_source"] = pa.Column(str, nullable=True)
        columns[f"{figure.name}_published"] = pa.Column(str, DAY, nullable=True)
    return columns


def _each_with_its_provenance(frame: pd.DataFrame) -> bool:
    """A value has a basis, source and date; only a balance may have a basis that says why there is no value."""
    for name in FIGURES:
        present = frame[name].notna()
        parts = ["_source", "_published"] if name == "balance" else ["_basis", "_source", "_published"]
        if any((frame[f"{name}{part}"].notna() != present).any() for part in parts):
            return False
    without = frame.loc[frame["balance"].isna(), "balance_basis"].dropna()
    return bool(frame.loc[frame["balance"].notna(), "balance_basis"].notna().all()) and set(without) <= {
        "disputed",
        "not_reported",
    }


SCHEMA = pa.DataFrameSchema(
    {
        "gss": pa.Column(str, pa.Check.str_matches(r"^E\d{8}$")),
        "name": pa.Column(str),
        "region": pa.Column(str, pa.Check.isin(REGIONS)),
        **_figure_columns(),
    },
    index=pa.MultiIndex(
        [pa.Index(str, pa.Check.str_matches(r"^\d{3}$"), name="authority"), pa.Index(int, name="year")],
        unique=["authority", "year"],
    ),
    checks=[pa.Check(_each_with_its_provenance, error="each figure needs its basis, source and date")],
    strict=True,
    ordered=True,
)


def check(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, when it keeps to the schema; PanelError naming every breach otherwise."""
    try:
        return SCHEMA.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases[["column", "check", "failure_case", "index"]].head(10)
        raise PanelError(f"the panel breaks its schema:\n{cases.to_string(index=False)}") from None
