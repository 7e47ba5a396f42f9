"""Population by single year of age (Office for National Statistics): mid-year estimates.

Shapes that are read, and how each is known:

- MYEB1 (a sheet of the workbook of all years, or a CSV): a row an area, sex and age, a column a year (`ladcode23`,
  `population_2011`); from published code that reads it. Of two geographies the newer is taken.
- MYE2: a row an area, a column an age, the year in its title or its file's name.

Districts are summed to the authority with the education function of today (`data/raw/authorities`), so that a
series does not break where a county became unitary. `year` is the calendar year of 30 June.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from deficits.authorities import is_upper_tier, load_authorities
from deficits.errors import SourceError
from deficits.publications.cells import heading
from deficits.publications.editions import REPORTED, Reader, calendar, candidates
from deficits.publications.publication import FixedUrl, Publication, Table
from deficits.publications.reading import Columns, Sheet, one_of, open_sheets, refuse, some, table_of
from deficits.raw import read_table

OLDEST = 25
"""EHC plans run to the age of 25."""
_AREA: Columns = {"area": ("ladcode", "ladcd", "la code", "code")}
_BY_SEX: Columns = {"sex": ("sex",), "age": ("age",)}
_ENGLAND = "E92000001"
_ALL = -1
"""Stands for all ages."""
_KEY = ["mid_year", "dfe_number"]


def parse(path: Path) -> tuple[Table, ...]:
    """One table, `population_by_authority`: a row an authority and `mid_year` (the calendar year of 30 June).

    `age_0` to `age_25` are people of both sexes of an age in whole years, `pop_2_18` those aged 2 to 18.

    Raises SourceError when a column or a sex is missing, an age is no single year, an area stands twice, ages do
    not sum to the file's "All ages", a council lacks a district, or councils do not sum to the England row; in a
    file without an England row, every authority must be there.
    """
    found = open_sheets(path, _AREA | _BY_SEX | {"all": ("all ages",)}, enough=2, fold=_unversioned)
    # The workbook's other sheets have births, deaths and moves beside the people.
    tidy = [
        sheet for sheet in found if not any(text.startswith("births") for text in map(heading, sheet.head[-1]))
    ]
    sheet = max(tidy or found, key=lambda sheet: [text for text in map(heading, sheet.head[-1]) if "code" in text])
    rows = _long(sheet, path)
    numbers = _areas(rows["area"], sheet.name)
    rows = sheet.numbers(rows[rows["area"].isin([*numbers, _ENGLAND])], ["people"])
    by_area = _complete(rows, sheet)
    every = by_area.pop(_ALL) if _ALL in by_area else by_area.sum(axis=1, skipna=False)
    council = by_area.index.get_level_values("area").map(numbers.get)
    people = by_area.groupby(["mid_year", council.rename("dfe_number")]).sum(skipna=False)
    faults = _unequal(by_area.sum(axis=1, skipna=False), every, "all ages")
    if _ENGLAND in by_area.index:
        faults += _unequal(
            people.groupby("mid_year").sum(skipna=False).stack(), by_area.loc[_ENGLAND].stack(), "England"
        )
    elif absent := sorted({number for _, number in _districts().values()} - set(numbers.values())):
        faults.append(
            f"no row for England and no figures for {len(absent)} authorities (DfE numbers {', '.join(absent[:5])}"
            "); download all districts"
        )
    refuse(f"{sheet.name}: {fault}" for fault in faults[:1])
    people = people[list(range(OLDEST + 1))].rename(columns="age_{}".format)
    people.insert(0, "pop_2_18", people.loc[:, "age_2":"age_18"].sum(axis=1, skipna=False))
    if "people?" in rows:
        ours = rows.assign(dfe_number=rows["area"].map(numbers), column="age_" + rows["age"].astype(str) + "?")
        people = people.join(ours.pivot_table(index=_KEY, columns="column", values="people?", aggfunc="first"))
    figures = [name for name in people if not name.endswith("?")]
    return (table_of("population_by_authority", people.reset_index(), _KEY, [*_KEY, *figures]),)


def _unversioned(text: str) -> str:
    """A heading without the year of the geography: ladcode23, lad23cd."""
    return re.sub(r"^(lad|la)(code|name)?\d\d(cd|nm)?$", r"\1\2\3", heading(text))


def age_of(label: str) -> int | None:
    """A single year of age, or the first of an open one; -1 for all ages, None for anything else.

    >>> age_of("7"), age_of("90 and over"), age_of("90+"), age_of("0 to 15"), age_of("All Ages")
    (7, 90, 90, None, -1)
    """
    match = re.fullmatch(r"(\d{1,3})(?: and over|\+)?", heading(label))
    return int(match[1]) if match else _ALL if heading(label) == "all ages" else None


def _age(label: str, source: str) -> int:
    if (age := age_of(label)) is None:
        raise SourceError(f"{source}: expected a single year of age, found '{label}'")
    return age


def _long(sheet: Sheet, path: Path) -> pd.DataFrame:
    """A row an area, year, age and, where the file has it, sex, with `people` as text; the index is the line."""
    texts = list(map(sheet.fold, sheet.head[-1]))
    years = {text[-4:]: at for at, text in enumerate(texts) if re.fullmatch(r"population \d{4}", text)}
    ages = {str(age): at for at, text in enumerate(texts) if (age := age_of(text)) is not None}
    labels = sheet.places(_AREA | _BY_SEX if years else _AREA)
    over = "mid_year" if years else "age"
    rows = sheet.cells(labels | (years or ages)).melt(
        [*labels], var_name=over, value_name="people", ignore_index=False
    )
    if years:
        rows["age"] = sheet.meaning(rows["age"], _age)
        rows["sex"] = sheet.meaning(rows["sex"], one_of("m", "f", "male", "female")).str[0]
    else:
        named = set(re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", f"{sheet.title} {path.stem}"))
        if len(named) != 1:
            raise SourceError(
                f"{sheet.name} has no column of years; expected one year above the table or in the file's name, "
                f"as in 'mid-2023', found {' and '.join(sorted(named)) or 'none'}"
            )
        rows["mid_year"] = named.pop()
    return rows[rows["area"] != ""].astype({"mid_year": "int64", "age": "int64"})


@cache
def _districts() -> dict[str, tuple[str, str]]:
    """By district code since 2011: the district of today that covers it and the DfE number of its authority."""
    table = read_table("authorities", "district_to_authority.csv")
    return {
        code: (active, load_authorities().of_codes(authority))
        for code, active, authority in zip(table["ladcd"], table["ladcd_active"], table["utlacd"], strict=True)
    }


def _areas(codes: pd.Series, source: str) -> dict[str, str]:
    """DfE numbers by code of the districts and unitary authorities to sum."""
    found, known, districts = list(codes.unique()), load_authorities(), _districts()
    # A county (E10) is the sum of its districts.
    ours = [code for code in found if code.startswith("E07") or (is_upper_tier(code) and code[:3] != "E10")]
    unknown = [code for code in ours if code not in districts and not known.knows(code)]
    if unknown:
        raise SourceError(
            f"{source}: no authority is known for the area {', '.join(unknown)}; a new code goes into "
            "data/raw/authorities/district_to_authority.csv"
        )
    if not ours:
        raise SourceError(f"{source} has no districts of England, found {', '.join(found[:5])}")
    wanted = {code: districts[code][1] if code in districts else known.of_codes(code) for code in ours}
    covered = {districts[code][0] for code in wanted if code in districts}
    lacking = [
        f"{active} (in {number})"
        for active, number in dict.fromkeys(districts.values())
        if number in wanted.values() and active not in covered
    ]
    if lacking:
        raise SourceError(f"{source}: districts are missing, so their council cannot be summed: {some(lacking)}")
    return wanted


def _complete(rows: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    """People of both sexes by area and year (rows) and age; SourceError where a row is missing or stands twice."""
    place = ["area", "mid_year", "age"]
    sheet.refuse_twice(rows, [*place, "sex"] if "sex" in rows else place)
    counts = rows.groupby(place).size().unstack("age", fill_value=0)
    ages = sorted(set(counts) - {_ALL})
    if ages != list(range(len(ages))) or len(ages) < 86:
        raise SourceError(
            f"{sheet.name}: expected every single year of age from 0 to 85 or more, found {len(ages)} of them"
        )
    each = 2 if "sex" in rows else 1
    if (short := counts.stack()[lambda count: count != each]).size:
        (area, year, age), found = short.index[0], short.iloc[0]
        raise SourceError(
            f"{sheet.name}: {area} has {found} rows, expected {each}, for age {age} in {year}; download it again"
        )
    return rows.groupby(place)["people"].sum(min_count=each).unstack("age")


def _unequal(sums: pd.Series, printed: pd.Series | None, whole: str) -> list[str]:
    """Which sums are not what is printed; a sum without a number is not compared."""
    if printed is None:
        return []
    both = pd.DataFrame({"sums": sums, "printed": printed}).dropna()
    return [
        f"{' '.join(map(str, row.Index))}: the parts sum to {row.sums:,.0f}, {whole} is {row.printed:,.0f}; "
        "download the file again"
        for row in both[both["sums"] != both["printed"]].itertuples()
    ]


# --- what it gives the panel


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """People aged 2 to 18 by authority, for the authorities that existed at the year end after the count."""
    column = "pop_2_18"
    rows = reader.read("ons-population", "population_by_authority", [column], calendar("mid_year", 1))
    rows = rows[np.array([reader.authorities.existed(code, year) for code, year in rows.index], dtype=bool)]
    yield candidates(rows, {"population_2_18": rows[column]}, REPORTED, column)


def people_by_age(reader: Reader) -> pd.DataFrame:
    """People by authority (rows) and (year, age) of every mid-year count that was public on the day.

    A mid-year belongs to the financial year that it falls in: mid-2023 to 2024. A count of an older boundary is
    left out; of two editions of one count the newer is taken.
    """
    counts: dict[int, pd.DataFrame] = {}
    ages = {f"age_{age}": age for age in range(OLDEST + 1)}
    for file in reader.files("ons-population", "population_by_authority"):
        table = reader.raw.table("ons-population", file.name, list(ages))
        for year, rows in table.groupby(table["mid_year"].astype(int) + 1):
            counts[int(year)] = rows.set_index("dfe_number")[list(ages)].rename(columns=ages)
    return pd.concat(counts, axis=1, names=["year", "age"]) if counts else pd.DataFrame()


PUBLICATION = Publication(
    folder="ons-population",
    address=FixedUrl(
        "https://www.ons.gov.uk/file?uri=/peoplepopulationandcommunity/populationandmigration/populationestimates/"
        "datasets/estimatesofthepopulationforenglandandwales/mid2011tomid{version}detailedtimeseries/"
        "myebtablesenglandwales2011{version}.xlsx",
        "myebtablesenglandwales2011{version}.xlsx",
        newest=lambda: str(date.today().year - 1),
    ),
    page="https://www.ons.gov.uk/peoplepopulationandcommunity/populationandmigration/populationestimates",
    short=("population", "ons"),
    parse=parse,
    load=load,
    reads=frozenset({"population_by_authority", "population_by_district"}),
)
