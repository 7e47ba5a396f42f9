"""People and EHC plans by single year of age: what an ageing population brings is worked out from them."""

from __future__ import annotations

import pandas as pd

from deficits.panel.authorities import Authorities
from deficits.panel.editions import last_day
from deficits.sources import read_sources, read_table

OLDEST = 25
"""EHC plans run to the age of 25."""
PEOPLE_YEAR, PLANS_YEAR = 2024, 2025
"""Mid-2023 is in financial year 2023-24; the newest plans by single year of age are those of January 2025."""


def load_ages(authorities: Authorities, as_of: str | None) -> pd.DataFrame:
    """People aged 0 to 25 in the middle of 2023 and plans in January 2025, by authority and age.

    Columns people and plans (float), indexed by authority and age; empty when not both were public on the day.
    Plans of children "under 3" stand at age 2, where nearly all of them are.
    """
    public = [
        _published("ons-population", "population_by_authority"),
        _published("ehc-plans", "plans_by_single_age"),
    ]
    if as_of is not None and max(public) > as_of:
        return pd.DataFrame(
            {"people": [], "plans": []}, index=pd.MultiIndex.from_tuples([], names=["authority", "age"])
        )
    people = read_table("ons-population", "population_mid2023_by_authority.csv")
    ages = {f"age_{age}": age for age in range(OLDEST + 1)}
    long = people.set_index("dfe_number")[list(ages)].astype(float).rename(columns=ages)
    plans = read_table("ehc-plans", "plans_by_single_age_2024_2025.csv")
    plans = plans[plans["january"].astype(int) == PLANS_YEAR]
    age = plans["age"].replace("under 3", "2").astype(int)
    counted = plans["plans"].astype(float).groupby([plans["dfe_number"], age]).sum()
    known = authorities.in_year(PLANS_YEAR)
    index = pd.MultiIndex.from_product([known, range(OLDEST + 1)], names=["authority", "age"])
    long.columns.name, long.index.name = "age", "authority"
    return pd.DataFrame({"people": long.stack(), "plans": counted.rename_axis(["authority", "age"])}).reindex(
        index
    )


def _published(publication: str, table: str) -> str:
    return max(last_day(file.published) for file in read_sources()[publication].file if file.table == table)
