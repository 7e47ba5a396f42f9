"""Population by single year of age (Office for National Statistics): mid-year estimates.

Read is MYEB1 (a sheet of the workbook of all years, or saved as CSV): a row an area, sex and age, a column a year
(`ladcode23`, `population_2011`), as published code that reads it has it. Of two geographies the newer is taken.

Districts are summed to the authority with the education function of today (`data/raw/authorities`), so that a
series does not break where a county became unitary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd

from deficits.errors import SourceError, some
from deficits.publications.editions import Reader, Table, reported
from deficits.publications.files import Columns, columns_of, heading
from deficits.publications.reading import one_of, open_sheets, table_of
from deficits.raw import read_table
from deficits.raw.authorities import is_upper_tier, load_authorities

FOLDER = "ons-population"
OLDEST = 25
"""EHC plans run to the age of 25."""
OPEN = 85
"""The first of the ages that an edition may put together."""
_COLUMNS = columns_of(FOLDER)["areas"]
_KEY = ["mid_year", "dfe_number"]


def parse(path: Path) -> tuple[Table, ...]:
    """One table, `population_by_authority`: a row an authority and `mid_year` (the calendar year of 30 June).

    `age_0` to `age_25` are people of both sexes of an age in whole years, `pop_2_18` those aged 2 to 18.
    """
    # The code's heading has the year of the geography: ladcode23, lad23cd.
    found = open_sheets(
        path, _COLUMNS, enough=3, fold=lambda text: re.sub(r"^lad(code)?\d\d(cd)?$", r"lad\1\2", heading(text))
    )
    # The workbook's other sheets have births, deaths and moves as well as people.
    headings = [[heading(text) for text in sheet.head[-1]] for sheet in found]
    kept = [n for n, texts in enumerate(headings) if not any(text.startswith("births") for text in texts)]
    newest = max(kept, key=lambda n: [text for text in headings[n] if text.startswith("lad")], default=0)
    sheet = found[newest]
    years: Columns = {text[-4:]: (text,) for text in headings[newest] if re.fullmatch(r"population \d{4}", text)}
    if not years:
        raise SourceError(f"{sheet.name}: expected a column a year, such as population_2023, found none")
    cells = sheet.take(_COLUMNS | years)
    areas = _areas(cells["area"], sheet.name)
    cells = cells[cells["area"].isin(areas)]
    cells["sex"] = sheet.meaning(cells["sex"], one_of("m", "f", "male", "female")).str[0]
    cells["age"] = sheet.meaning(cells["age"], _age)
    sheet.refuse_twice(cells, ["area", "sex", "age"])
    counts = cells.groupby(["area", "age"]).size().unstack(fill_value=0)
    every = range(max(OPEN, cells["age"].max()) + 1)
    if lone := counts.reindex(columns=every, fill_value=0).stack()[lambda rows: rows != 2].index.tolist():
        where = some([f"{area} at {age}" for area, age in lone])
        raise SourceError(f"{sheet.name}: expected each sex at every age from 0 to 85 or more, not so for {where}")
    cells["dfe_number"] = cells["area"].map(areas)
    cells = sheet.numbers(cells[cells["age"] <= OLDEST], years)
    parts = []
    for year in sorted(years):
        grouped = cells.assign(column="age_" + cells["age"].astype(str)).groupby(["dfe_number", "column"])
        people = grouped[year].sum(skipna=False).unstack()[[f"age_{age}" for age in range(OLDEST + 1)]]
        people.insert(0, "pop_2_18", people.loc[:, "age_2":"age_18"].sum(axis=1, skipna=False))
        why = grouped[f"{year}?"].first().unstack().add_suffix("?") if f"{year}?" in cells else pd.DataFrame()
        parts.append(people.join(why).reset_index().assign(mid_year=int(year)))
    columns = [*_KEY, "pop_2_18", *(f"age_{age}" for age in range(OLDEST + 1))]
    return (table_of("population_by_authority", pd.concat(parts), _KEY, columns),)


def _age(text: str, source: str) -> int:
    """A single year of age, or the first of an open one."""
    match = re.fullmatch(r"(\d{1,3})(?: and over|\+)?", heading(text))
    if match is None:
        raise SourceError(f"{source}: expected a single year of age, found '{text}'")
    return int(match[1])


def _areas(codes: pd.Series, source: str) -> dict[str, str]:
    """DfE numbers by code of the districts and unitary authorities to sum, which must all be there."""
    known, table = load_authorities(), read_table("authorities", "district_to_authority.csv")
    # By district code since 2011: the district of today that covers it and the DfE number of its authority.
    districts = {
        code: (active, known.of_codes(authority))
        for code, active, authority in table[["ladcd", "ladcd_active", "utlacd"]].itertuples(index=False)
    }
    # A county (E10) is the sum of its districts.
    ours = [code for code in codes.unique() if code[:3] == "E07" or (is_upper_tier(code) and code[:3] != "E10")]
    unknown = [code for code in ours if code not in districts and not known.knows(code)]
    if unknown:
        raise SourceError(
            f"{source}: no authority is known for the area {', '.join(unknown)}; a new code goes into "
            "data/raw/authorities/district_to_authority.csv"
        )
    covered = {districts[code][0] for code in ours if code in districts}
    lacking = sorted({f"{active} (in {number})" for active, number in districts.values() if active not in covered})
    if lacking:
        raise SourceError(f"{source}: districts are missing, so their councils cannot be summed: {some(lacking)}")
    return {code: districts[code][1] if code in districts else known.of_codes(code) for code in ours}


# --- what it gives the panel


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """People aged 2 to 18 by authority, for the authorities that existed at the year end after the count."""
    column = "pop_2_18"
    rows = reader.read(FOLDER, "population_by_authority", [column])
    yield reported(reader.existing(rows), {column: "population_2_18"})


def people_by_age(reader: Reader) -> pd.DataFrame:
    """People by authority (rows) and (year, age) of every mid-year count that was public on the day.

    A mid-year belongs to the financial year that it falls in: mid-2023 to 2024. A count of an older boundary is
    left out; of two editions of one count the newer is taken.
    """
    ages = {f"age_{age}": age for age in range(OLDEST + 1)}
    rows = reader.read(FOLDER, "population_by_authority", ages)
    rows = rows.sort_values("edition", kind="stable")
    newest = rows[rows["file"] == rows.groupby(level="year")["file"].transform("last")]
    people = newest[list(ages)].rename(columns=ages).rename_axis("age", axis=1).unstack("year")
    return people.swaplevel(axis=1).sort_index(axis=1)


def newest_edition() -> str:
    """What stands for the edition in its address: the year of the count, which comes out in the year after."""
    return str(date.today().year - 1)
