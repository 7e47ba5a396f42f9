"""The panel's schema: types, keys, signs and which words a basis may be."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa

from deficits.errors import PanelError
from deficits.panel.figures import FIGURES

BASES = (
    "reported",
    "derived_from_percentage",
    "derived",
    "disputed",
    "not_reported",
    "own_outturn",
    "own_forecast",
)
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
