"""Population by single year of age (Office for National Statistics): mid-year estimates and projections.

Shapes that are read, and how each is known:

- estimates, Nomis (NM_2002_1): a row an area, sex and age with `GEOGRAPHY_CODE`, `GENDER_NAME`, `C_AGE_NAME`,
  `OBS_VALUE`, groups of ages and percentages among the rows; from published code that calls its API.
- estimates, ONS MYEB1 (CSV, or a sheet of the workbook of all years): a row an area, sex and age, a column a year
  (`ladcode23`, `population_2011`); from published code that reads it. Of two geographies the newer is taken.
- estimates, ONS MYE2: a row an area, a column an age; assumed to be saved as CSV with its title above.
- sub-national projections, 2018-based and 2022-based: `AREA_CODE`, `AREA_NAME`, `COMPONENT`, `SEX`, `AGE_GROUP`
  and a column a year, headings quoted in the newer; first rows of both seen.

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

from deficits.authorities import load_authorities, plain_code
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
    open_csv,
    refuse_twice,
)
from deficits.raw import read_table

KEY = ("dfe_number", "year", "age")
_AREA = ("area_code", "geography_code", "ladcode", "ladcd", "mnemonic", "la code", "code")
_OPTIONAL: dict[str, tuple[str, ...]] = {
    "component": ("component",),
    "measure": ("measures_name",),
    "sex": ("gender_name", "sex", "gender"),
    "year": ("date_name", "year", "date", "mid_year"),
    "age": ("c_age_name", "age_group", "age"),
    "people": ("obs_value", "population", "people", "value"),
}
_SEXES = {
    **dict.fromkeys(("persons", "person", "total", "all", "all persons", "people"), "persons"),
    **dict.fromkeys(("male", "males", "m"), "male"),
    **dict.fromkeys(("female", "females", "f"), "female"),
}
_ALL_AGES = {"all ages", "all", "total"}
_ENGLAND = "E92000001"
_ROUNDING = 0.0005
"""People: projections are printed to a thousandth, so each may be half of that away."""


def parse(path: Path) -> tuple[Table, ...]:
    """One table, `population` (estimates) or `population_projection`: `dfe_number`, `year`, `age`, `people`.

    `year` is the calendar year of 30 June, `age` in whole years, the last one open (90 is 90 and over), `people`
    of both sexes: a whole number in an estimate, thousandths in a projection. Areas outside England, regions and,
    where the file has districts, counties are in `Table.dropped` by code.

    Raises SourceError when a column or a sex is missing, ages are in groups only, an area stands twice, ages do
    not sum to the file's "All ages", a council lacks a district, or councils do not sum to the England row; in a
    file without an England row, every authority must be there.
    """
    source = path.name
    rows = _long(path)
    kind = "population_projection" if "component" in rows else "population"
    for column, value in (("component", "population"), ("measure", "value")):
        if column in rows:
            rows = rows[rows[column].str.lower() == value]
    if rows.empty:
        raise SourceError(f"{source} has no rows of population; is it a table of births, deaths or migration?")
    wanted, dropped = _areas(rows["area"], source)
    rows = rows[rows["area"].isin([*wanted, _ENGLAND])].reset_index(names="in_file")
    rows["year"] = rows["year"].astype("int64")
    rows = _single_years(rows, source)
    counted, gaps = figures(rows.set_index("in_file"), {"people": "people"}, source)
    persons = _persons(counted, source)
    tolerance = _ROUNDING if kind == "population_projection" else 0.0
    _check_all_ages(persons, tolerance, source)
    persons = persons[persons["age"] >= 0]
    areas = persons[persons["area"] != _ENGLAND]
    areas = areas.assign(dfe_number=areas["area"].map(wanted))
    _check_complete(areas, source)
    frame = areas.groupby(list(KEY), as_index=False)["people"].sum(skipna=False)
    _check_england(frame, persons[persons["area"] == _ENGLAND], len(wanted) * tolerance, source)
    blank = counted[counted["people"].isna()].reset_index(drop=True).join(gaps[["column", "symbol", "reason"]])
    blank = blank[blank["area"].isin(wanted) & (blank["age"] >= 0)]
    blank = blank.assign(dfe_number=blank["area"].map(wanted)).drop_duplicates(KEY, ignore_index=True)
    return (Table(kind, frame, KEY, blank[[*KEY, "column", "symbol", "reason"]], dropped),)


def age_of(label: str) -> tuple[int, bool] | None:
    """A single year of age and whether it is open upwards; None for a group of ages and for all ages.

    >>> age_of("Age 7"), age_of("90 and over"), age_of("Age 90+"), age_of("Aged 0 to 15"), age_of("All Ages")
    ((7, False), (90, True), (90, True), None, None)
    """
    match = re.fullmatch(r"(?:aged? )?(\d{1,3})( and over|\+)?", heading(label))
    return (int(match[1]), match[2] is not None) if match else None


def _unversioned(text: object) -> str:
    """A heading without the year of the geography: ladcode23, lad23cd."""
    return re.sub(r"^(lad|la)(code|name)?\d\d(cd|nm)?$", r"\1\2\3", heading(text))


def _is_area(cell: object) -> bool:
    return _unversioned(cell) in [heading(word) for word in _AREA]


def _long(path: Path) -> pd.DataFrame:
    """A row an area, year, sex and age with `people` as text, whether years, ages or neither are columns.

    The index is the line in the file.
    """
    headings, cells, above = _cells(path)
    texts = {place: _unversioned(text) for place, text in enumerate(headings)}
    years = {
        at: match[1]
        for at, text in texts.items()
        if (match := re.fullmatch(r"(?:population )?((?:19|20)\d\d)", text))
    }
    ages = {at: text for at, text in texts.items() if at not in years and age_of(text)}
    if years:
        # A projection's years stand alone, an estimate's follow a word; only a projection needs its component.
        needed = ["age", "component"] if set(years.values()) & set(texts.values()) else ["age"]
        over, spread = years, "year"
    elif len(ages) > 1:
        needed, spread = [], "age"
        over = {at: text for at, text in texts.items() if at in ages or text in _ALL_AGES}
    else:
        needed, over, spread = ["age", "people"], {}, ""
    held = {spread, "people"} if over else set()
    present = [
        name for name, words in _OPTIONAL.items() if {heading(word) for word in words} & set(texts.values())
    ]
    names = dict.fromkeys([*(name for name in present if name not in held), *needed])
    wanted = {"area": _AREA} | {name: _OPTIONAL[name] for name in names}
    places = columns_by_meaning(texts.values(), wanted, path.name)
    labels = cells[list(places.values())].set_axis(list(places), axis=1)
    if over:
        spread_out = labels.join(cells[list(over)].set_axis(list(over.values()), axis=1))
        labels = spread_out.melt(list(labels), var_name=spread, value_name="people", ignore_index=False)
    return _with_year(labels, above, path)


def _cells(path: Path) -> tuple[list[str], pd.DataFrame, list[str]]:
    """Headings, all cells as text by place, and the words above: of the CSV, or of the workbook's sheet of ages.

    Of a workbook's sheets with a row an area, sex and age the one of the newest geography is taken, and none of
    births, deaths and moves.
    """
    if not is_workbook(path):
        text = open_csv(path, {"area": _AREA, **_OPTIONAL})
        cells = text.columns({str(place): place for place in range(len(text.headings))})
        return list(text.headings), cells.set_axis(range(len(text.headings)), axis=1), [*text.above]
    found = {}
    book = Workbook(path)
    for _, rows in book:
        at = next((place for place, row in enumerate(rows[:10]) if any(map(_is_area, row))), -1)
        texts = [heading(cell) for cell in rows[at]] if at >= 0 else []
        if {"sex", "age"} <= set(texts) and not any(text.startswith(("births", "deaths")) for text in texts):
            body = pd.DataFrame(rows[at + 1 :], index=range(at + 2, len(rows) + 1), dtype=object).map(plain_code)
            above = [str(cell) for row in rows[:at] for cell in row]
            found[next(filter(_is_area, texts))] = (texts, body[body[0] != ""].astype("str"), above)
    if not found:
        raise SourceError(
            f"{book.name}: expected a sheet with a row an area, sex and age, found {', '.join(book.sheets)}"
        )
    return found[max(found)]


def _with_year(rows: pd.DataFrame, above: list[str], path: Path) -> pd.DataFrame:
    """The rows with their year: a column of the file, or else the one year in the words above it or its name."""
    if "year" in rows:
        found = rows["year"].str.extract(r"^((?:19|20)\d\d)\b", expand=False)
        if found.isna().any():
            line = found.index[found.isna()][0]
            raise SourceError(f"{path.name}, line {line}: expected a year, found '{rows.at[line, 'year']}'")
        return rows.assign(year=found)
    years = sorted(
        {year for text in [*above, path.stem] for year in re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)}
    )
    if len(years) != 1:
        raise SourceError(
            f"{path.name} has no column of years; expected one year above the table or in the file's name, as in "
            f"'mid-2023', found {' and '.join(years) or 'none'}"
        )
    return rows.assign(year=years[0])


@cache
def _districts() -> dict[str, tuple[str, str]]:
    """By district code since 2011: the district of today that covers it and the DfE number of its authority."""
    table = read_table("authorities", "district_to_authority.csv")
    return {
        code: (active, load_authorities().of_codes(authority))
        for code, active, authority in zip(table["ladcd"], table["ladcd_active"], table["utlacd"], strict=True)
    }


def _areas(codes: pd.Series, source: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """DfE numbers by code of the areas to sum, and the codes of the others.

    Counties (E10) are their districts' sum, and are taken only where a file has no districts (E07).
    """
    found = list(dict.fromkeys(codes))
    counties = not any(code.startswith("E07") for code in found)
    ours = [
        code for code in found if re.fullmatch(r"E0[6-9]\d{6}|E10\d{6}" if counties else r"E0[6-9]\d{6}", code)
    ]
    known, districts = load_authorities(), _districts()
    unknown = [code for code in ours if code not in districts and not known.knows(code)]
    if unknown:
        raise SourceError(
            f"{source}: no authority is known for the area {', '.join(unknown)}; a new code goes into "
            "data/raw/authorities/district_to_authority.csv"
        )
    if not ours:
        raise SourceError(f"{source} has no districts or counties of England, found {', '.join(found[:5])}")
    wanted = {code: districts[code][1] if code in districts else known.of_codes(code) for code in ours}
    covered = {districts[code][0] for code in wanted if code in districts}
    lacking = [
        f"{active} (in {number})"
        for active, number in dict.fromkeys(districts.values())
        if not counties and number in wanted.values() and active not in covered
    ]
    if lacking:
        raise SourceError(
            f"{source}: districts are missing, so their council cannot be summed: {'; '.join(lacking[:5])}"
        )
    return wanted, tuple(code for code in found if code not in wanted)


def _single_years(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """Rows of single years, of the open age that follows the last of them, and of all ages (-1)."""
    meant = {
        label: age_of(label) or ((-1, False) if heading(label) in _ALL_AGES else (-2, False))
        for label in rows["age"].unique()
    }
    ages = rows["age"].map({label: age for label, (age, _) in meant.items()}).astype("int64")
    opened = rows["age"].map({label: is_open for label, (_, is_open) in meant.items()}).astype(bool)
    single = sorted(set(ages[(ages >= 0) & ~opened]))
    if not single or single != list(range(single[-1] + 1)):
        shown = f"{single[0]} to {single[-1]}, {len(single)} of them" if single else "none"
        raise SourceError(f"{source}: expected every single year of age from 0, found {shown}")
    follows = opened & (ages == single[-1] + 1)
    if single[-1] < 89 and not follows.any():
        raise SourceError(f"{source}: single years of age end at {single[-1]}, without the people who are older")
    return rows.assign(age=ages)[(~opened & (ages >= -1)) | follows].reset_index(drop=True)


def _persons(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """One row an area, year and age: the file's persons, or else males and females together."""
    key = ["area", "year", "age"]
    if "sex" not in rows:
        refuse_twice(rows, key, source)
        return rows[[*key, "people"]]
    sexes = rows["sex"].map({text: _SEXES.get(heading(text)) for text in rows["sex"].unique()})
    if sexes.isna().any():
        line, found = next(rows.loc[sexes.isna(), "sex"].items())
        raise SourceError(f"{source}, line {line}: expected persons, males or females, found '{found}'")
    rows = rows.assign(sex=sexes)
    refuse_twice(rows, [*key, "sex"], source)
    if "persons" in set(sexes):
        return rows.loc[rows["sex"] == "persons", [*key, "people"]]
    if set(sexes) != {"male", "female"}:
        raise SourceError(f"{source} has {' and '.join(sorted(set(sexes)))} only, expected persons or both sexes")
    both = rows.groupby(key)["people"].agg(["size", "count", "sum"]).reset_index()
    if (both["size"] != 2).any():
        lone = both[both["size"] != 2].iloc[0]
        raise SourceError(f"{source}: {lone['area']} has one sex only at age {lone['age']} in {lone['year']}")
    return both.assign(people=both["sum"].where(both["count"] == 2))[[*key, "people"]]


def _check_all_ages(persons: pd.DataFrame, tolerance: float, source: str) -> None:
    total = persons[persons["age"] == -1].set_index(["area", "year"])["people"]
    each = persons[persons["age"] >= 0].groupby(["area", "year"])["people"]
    sums, counts = each.sum(skipna=False).reindex(total.index), each.size().reindex(total.index)
    wrong = (sums - total).abs() > tolerance * (counts + 1)
    if wrong.any():
        area, year = wrong.index[wrong][0]
        raise SourceError(
            f"{source}: ages of {area} in {year} sum to {sums[area, year]:,.0f}, its row of all ages has "
            f"{total[area, year]:,.0f}"
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


def _check_england(frame: pd.DataFrame, england: pd.DataFrame, tolerance: float, source: str) -> None:
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
    wrong = ((sums - total).abs() > tolerance) | total.isna()
    if wrong.any():
        year, age = wrong.index[wrong][0]
        raise SourceError(
            f"{source}: councils sum to {sums[year, age]:,.0f} at age {age} in {year}, England is "
            f"{total[year, age]:,.0f}; download the file again"
        )


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
