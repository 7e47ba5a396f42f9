"""Population by single year of age (Office for National Statistics): mid-year estimates.

Shapes that are read, and how each is known:

- MYEB1 (a sheet of the workbook of all years, or a CSV): a row an area, sex and age, a column a year (`ladcode23`,
  `population_2011`); from published code that reads it. Of two geographies the newer is taken.
- MYE2: a row an area, a column an age; assumed to be saved as CSV with its title above.

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

from deficits.authorities import is_upper_tier, load_authorities, plain_code
from deficits.errors import SourceError
from deficits.publications.editions import DERIVED, REPORTED, Reader, calendar, candidates
from deficits.publications.editions import KEY as CELL
from deficits.publications.publication import FixedUrl, Publication, Table
from deficits.publications.reading import (
    Workbook,
    columns_by_meaning,
    figures,
    heading,
    is_workbook,
    meanings,
    one_of,
    open_csv,
    refuse_twice,
)
from deficits.raw import read_table

KEY = ("dfe_number", "year", "age")
_AREA = {"area": ("ladcode", "ladcd", "la code", "code")}
_BY_SEX = _AREA | {"sex": ("sex",), "age": ("age",)}
_PLACE = ["area", "year", "age"]
_ALL_AGES = -1
_ENGLAND = "E92000001"


def parse(path: Path) -> tuple[Table, ...]:
    """One table, `population`: `dfe_number`, `year`, `age`, `people`.

    `year` is the calendar year of 30 June, `age` in whole years, the last one open (90 is 90 and over), `people`
    of both sexes, a whole number. Areas outside England, regions and counties are in `Table.dropped` by code.

    Raises SourceError when a column or a sex is missing, an age is no single year, an area stands twice, ages do
    not sum to the file's "All ages", a council lacks a district, or councils do not sum to the England row; in a
    file without an England row, every authority must be there.
    """
    source = path.name
    rows = _long(path)
    wanted, dropped = _areas(rows["area"], source)
    rows = rows[rows["area"].isin([*wanted, _ENGLAND])]
    counted, gaps = figures(rows, {"people": "people"}, source)
    persons = _persons(counted, source)
    every = persons["age"] == _ALL_AGES
    total = persons[every].set_index(["area", "year"])["people"]
    sums = persons[~every].groupby(["area", "year"])["people"].sum(skipna=False).reindex(total.index)
    _compare(sums, total, "ages", "its row of all ages has", source)
    persons = persons[~every]
    areas = persons[persons["area"] != _ENGLAND]
    _check_complete(areas, source)
    areas = areas.assign(dfe_number=areas["area"].map(wanted))
    frame = areas.groupby(list(KEY), as_index=False)["people"].sum(skipna=False)
    _check_england(frame, persons[persons["area"] == _ENGLAND], source)
    blank = counted[counted["people"].isna()].reset_index(drop=True).join(gaps[["column", "symbol", "reason"]])
    blank = blank[blank["area"].isin(wanted) & (blank["age"] != _ALL_AGES)]
    blank = blank.assign(dfe_number=blank["area"].map(wanted)).drop_duplicates(KEY, ignore_index=True)
    return (Table("population", frame, KEY, blank[[*KEY, "column", "symbol", "reason"]], dropped),)


def age_of(label: str) -> int | None:
    """A single year of age, or the first of an open one; -1 for all ages, None for anything else.

    >>> age_of("7"), age_of("90 and over"), age_of("90+"), age_of("0 to 15"), age_of("All Ages")
    (7, 90, 90, None, -1)
    """
    match = re.fullmatch(r"(\d{1,3})(?: and over|\+)?", heading(label))
    return int(match[1]) if match else _ALL_AGES if heading(label) == "all ages" else None


def _age(label: str, source: str) -> int:
    age = age_of(label)
    if age is None:
        raise SourceError(f"{source}: expected a single year of age, found '{label}'")
    return age


def _unversioned(text: object) -> str:
    """A heading without the year of the geography: ladcode23, lad23cd."""
    return re.sub(r"^(lad|la)(code|name)?\d\d(cd|nm)?$", r"\1\2\3", heading(text))


def _long(path: Path) -> pd.DataFrame:
    """A row an area, year, age and, where the file has it, sex, with `people` as text; the index is the line."""
    source = path.name
    headings, cells, above = _cells(path)
    texts = [_unversioned(text) for text in headings]
    years = {
        at: int(match[1]) for at, text in enumerate(texts) if (match := re.fullmatch(r"population (\d{4})", text))
    }
    ages = {at: age for at, text in enumerate(texts) if (age := age_of(text)) is not None}
    places = columns_by_meaning(texts, _BY_SEX if years else _AREA, source)
    if not years and not ages:
        raise SourceError(f"{source}: expected a column a year, such as population_2023, or a column an age")
    labels = cells[list(places.values())].set_axis(list(places), axis=1)
    over = years or ages
    rows = labels.join(cells[list(over)].set_axis(list(over.values()), axis=1)).melt(
        list(labels), var_name="year" if years else "age", value_name="people", ignore_index=False
    )
    if years:
        rows["age"] = meanings(rows["age"], _age, source, "age")
    else:
        rows["year"] = _year(above, path)
    found = sorted(set(rows["age"]) - {_ALL_AGES})
    if found != list(range(len(found))) or len(found) < 86:
        raise SourceError(
            f"{source}: expected every single year of age from 0 to 85 or more, found {len(found)} of them"
            + (f", {found[0]} to {found[-1]}" if found else "")
        )
    return rows.astype({"year": "int64", "age": "int64"})


def _cells(path: Path) -> tuple[list[str], pd.DataFrame, list[str]]:
    """Headings, all cells as text by place, and the words above: of the CSV, or of the workbook's sheet of ages.

    Of a workbook's sheets with a row an area, sex and age the one of the newest geography is taken, and none of
    births, deaths and moves.
    """
    if not is_workbook(path):
        text = open_csv(path, _BY_SEX | {"total": ("all ages",)})
        cells = text.columns({str(place): place for place in range(len(text.headings))})
        return list(text.headings), cells.set_axis(range(len(text.headings)), axis=1), [*text.above]
    found: dict[str, tuple[list[str], pd.DataFrame, list[str]]] = {}
    book = Workbook(path)
    for _, rows in book:
        for at, row in enumerate(rows[:10]):
            texts = [heading(cell) for cell in row]
            area = next((text for text in texts if _unversioned(text) in _AREA["area"]), None)
            if area and {"sex", "age"} <= set(texts) and not re.search(r"\b(births|deaths)", " ".join(texts)):
                body = pd.DataFrame(rows[at + 1 :], index=range(at + 2, len(rows) + 1), dtype=object).map(
                    plain_code
                )
                found[area] = (texts, body[body[0] != ""].astype("str"), [])
    if not found:
        raise SourceError(
            f"{book.name}: expected a sheet with a row an area, sex and age, found {', '.join(book.sheets)}"
        )
    return found[max(found)]


def _year(above: list[str], path: Path) -> int:
    """The one year in the words above the table or in the file's name."""
    years = {year for text in [*above, path.stem] for year in re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)}
    if len(years) != 1:
        raise SourceError(
            f"{path.name} has no column of years; expected one year above the table or in the file's name, as in "
            f"'mid-2023', found {' and '.join(sorted(years)) or 'none'}"
        )
    return int(years.pop())


@cache
def _districts() -> dict[str, tuple[str, str]]:
    """By district code since 2011: the district of today that covers it and the DfE number of its authority."""
    table = read_table("authorities", "district_to_authority.csv")
    return {
        code: (active, load_authorities().of_codes(authority))
        for code, active, authority in zip(table["ladcd"], table["ladcd_active"], table["utlacd"], strict=True)
    }


def _areas(codes: pd.Series, source: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """DfE numbers by code of the districts and unitary authorities to sum, and the codes of the others."""
    found = list(codes.unique())
    known, districts = load_authorities(), _districts()
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
        raise SourceError(
            f"{source}: districts are missing, so their council cannot be summed: {'; '.join(lacking[:5])}"
        )
    return wanted, tuple(code for code in found if code not in wanted)


def _persons(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """One row an area, year and age, of both sexes."""
    if "sex" not in rows:
        refuse_twice(rows, _PLACE, source)
        return rows[[*_PLACE, "people"]]
    rows = rows.assign(sex=meanings(rows["sex"], one_of("m", "f", "male", "female"), source, "sex").str[0])
    refuse_twice(rows, [*_PLACE, "sex"], source)
    both = rows.groupby(_PLACE)["people"].agg(["size", "count", "sum"]).reset_index()
    if (both["size"] != 2).any():
        lone = both[both["size"] != 2].iloc[0]
        raise SourceError(f"{source}: {lone['area']} has one sex only at age {lone['age']} in {lone['year']}")
    return both.assign(people=both["sum"].where(both["count"] == 2))[[*_PLACE, "people"]]


def _compare(sums: pd.Series, printed: pd.Series, parts: str, whole: str, source: str) -> None:
    """SourceError with the first sum that is not what is printed; a sum without a number is not compared."""
    wrong = sums.notna() & (sums != printed)
    if wrong.any():
        where: tuple[object, ...] = wrong.index[wrong][0]
        raise SourceError(
            f"{source}, {' '.join(map(str, where))}: {parts} sum to {sums[where]:,.0f}, {whole} "
            f"{printed[where]:,.0f}; download the file again"
        )


def _check_complete(areas: pd.DataFrame, source: str) -> None:
    """Every area has every age in every year."""
    counts = areas.groupby(["area", "year"]).size().unstack("year", fill_value=0)
    short = counts.stack()[lambda count: count != areas["age"].nunique()]
    if not short.empty:
        area, year = short.index[0]
        raise SourceError(
            f"{source}: {area} has {short.iloc[0]} ages in {year}, expected {areas['age'].nunique()}; download "
            "the file again"
        )


def _check_england(frame: pd.DataFrame, england: pd.DataFrame, source: str) -> None:
    if england.empty:
        absent = sorted({number for _, number in _districts().values()} - set(frame["dfe_number"]))
        if absent:
            raise SourceError(
                f"{source} has no row for England and no figures for {len(absent)} authorities (DfE numbers "
                f"{', '.join(absent[:5])}); download all districts"
            )
        return
    sums = frame.groupby(["year", "age"])["people"].sum(skipna=False)
    total = england.set_index(["year", "age"])["people"].reindex(sums.index)
    _compare(sums, total, "councils", "England is", source)


# --- what it gives the panel

OLDEST = 25
"""EHC plans run to the age of 25."""


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """People aged 2 to 18 by authority, for the authorities that existed at the year end after the count."""
    column = "pop_2_18"
    rows = reader.read("ons-population", "population_by_authority", [column], calendar("mid_year", 1))
    yield candidates(rows, {"population_2_18": rows[column]}, REPORTED, column)
    by_age = reader.read("ons-population", "population", ["age", "people"], calendar("year", 1))
    existed = np.array([reader.authorities.existed(code, year) for code, year in by_age.index], dtype=bool)
    columns = ["people", "source", "published", "edition", "flagged"]
    by_age = by_age.loc[existed & by_age["age"].between(2, 18), columns]
    # One sum an edition: a later count of the same year replaces the earlier one, age by age and whole.
    grouped = by_age.groupby([*CELL, "edition"])
    first = grouped[["source", "published", "flagged"]].first().reset_index("edition")
    people = grouped["people"].sum(min_count=17).reset_index("edition", drop=True)
    yield candidates(first, {"population_2_18": people}, DERIVED)


def people_by_age(reader: Reader) -> pd.DataFrame:
    """People by authority (rows) and (year, age) of every mid-year count that was public on the day.

    A mid-year belongs to the financial year that it falls in: mid-2023 to 2024. A count of an older boundary is
    left out; of two editions of one count the newer is taken.
    """
    counts: dict[int, pd.DataFrame] = {}
    for file in reader.files("ons-population", "population_by_authority"):
        ages = {f"age_{age}": age for age in range(OLDEST + 1)}
        table = reader.raw.table("ons-population", file.name, list(ages))
        for year, rows in table.groupby(table["mid_year"].astype(int) + 1):
            counts[int(year)] = rows.set_index("dfe_number")[list(ages)].rename(columns=ages)
    for file in reader.files("ons-population", "population"):
        table = reader.raw.table("ons-population", file.name, ["age", "people"])
        table = table[table["age"] <= OLDEST]
        for year, rows in table.groupby(table["year"].astype(int) + 1):
            wide = rows.pivot(index="dfe_number", columns="age", values="people")
            counts[int(year)] = wide.rename(columns=int)
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
    reads=frozenset({"population_by_authority", "population_by_district", "population"}),
)
