"""Population by single year of age (Office for National Statistics): mid-year estimates and projections.

Shapes that are read, and how each is known:

- estimates, Nomis (NM_2002_1): a row an area, sex and age with `GEOGRAPHY_CODE`, `GENDER_NAME`, `C_AGE_NAME`,
  `OBS_VALUE`, groups of ages and percentages among the rows; from published code that calls its API. Its download
  by hand: words above the headings, `mnemonic` and a column an age.
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
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from deficits.errors import SourceError
from deficits.publications.cells import heading
from deficits.publications.delimited import Delimited, figures, read_delimited, read_sheet, refuse_twice
from deficits.publications.editions import DERIVED, REPORTED, Reader, calendar, candidates
from deficits.publications.editions import KEY as CELL
from deficits.publications.publication import FixedUrl, Publication, Table
from deficits.publications.workbook import Workbook
from deficits.raw import read_table

KEY = ["dfe_number", "year", "age"]
_AREA = (
    "area_code",
    "geography_code",
    "ladcode",
    "ladcd",
    "mnemonic",
    "area code",
    "la code",
    "code",
)
_OPTIONAL: dict[str, tuple[str, ...]] = {
    "component": ("component",),
    "measure": ("measures_name",),
    "sex": ("gender_name", "sex", "gender"),
    "year": ("date_name", "year", "date", "mid_year"),
    "age": ("c_age_name", "age_group", "age"),
    "people": ("obs_value", "population", "people", "value"),
}
_PERSONS = {"persons", "person", "total", "all", "all persons", "people"}
_MALE_FEMALE = {
    "male": "male",
    "males": "male",
    "m": "male",
    "female": "female",
    "females": "female",
    "f": "female",
}
_ALL_AGES = {"all ages", "all", "total"}
_YEAR_COLUMN = re.compile(r"(?:population_)?((?:19|20)\d\d)")
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
    rows = _long(_read(path), path)
    kind = "population_projection" if "component" in rows else "population"
    if "component" in rows:
        rows = rows[rows["component"].str.lower() == "population"]
    if "measure" in rows:
        rows = rows[rows["measure"].str.lower() == "value"]
    if rows.empty:
        raise SourceError(f"{path.name} has no rows of population; is it a table of births, deaths or migration?")

    wanted, dropped = _areas(rows["area"], path.name)
    rows = rows[rows["area"].isin([*wanted, _ENGLAND])].reset_index(names="in_file")
    rows["year"] = rows["year"].astype("int64")
    rows["age"], rows["open"] = _ages(rows["age"])
    rows = _single_years(rows, path.name)
    counted, gaps = figures(rows, ["people"], path.name)
    persons = _persons(counted, path.name)
    tolerance = _ROUNDING if kind == "population_projection" else 0.0
    _check_all_ages(persons, tolerance, path.name)
    persons = persons[persons["age"] >= 0]
    areas = persons[persons["area"] != _ENGLAND]
    _check_complete(areas, path.name)
    areas = areas.assign(dfe_number=areas["area"].map(wanted))
    frame = areas.groupby(KEY, as_index=False)["people"].sum(skipna=False)
    _check_england(frame, persons[persons["area"] == _ENGLAND], len(wanted) * tolerance, path.name)
    named = gaps.join(rows[["area", "year", "age"]], on="line")
    named = named[named["area"].isin(wanted) & (named["age"] >= 0)]
    named["dfe_number"] = named["area"].map(wanted)
    missing = named[[*KEY, "column", "symbol", "reason"]].drop_duplicates(KEY).reset_index(drop=True)
    return (Table(kind, frame, tuple(KEY), missing, dropped),)


def age_of(label: str) -> tuple[int, bool] | None:
    """A single year of age and whether it is open upwards; None for a group of ages and for all ages.

    >>> age_of("Age 7"), age_of("90 and over"), age_of("Age 90+"), age_of("Aged 0 to 15"), age_of("All Ages")
    ((7, False), (90, True), (90, True), None, None)
    """
    match = re.fullmatch(r"(?:aged?[ _])?(\d{1,3})( and over|\+)?", heading(label))
    return (int(match[1]), match[2] is not None) if match else None


def _has_area(cells: list[str]) -> bool:
    return any(_unversioned(cell) in _AREA for cell in cells)


def _unversioned(text: str) -> str:
    """A heading without the year of the geography: ladcode23, lad23cd."""
    return re.sub(r"^(lad|la)(code|name)?\d\d(cd|nm)?$", r"\1\2\3", heading(text))


def _read(path: Path) -> Delimited:
    """The CSV, or the workbook's sheet of population, with headings that name no year of geography."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error}. Download it again") from None
    if content.startswith(b"PK"):
        lines = _sheet_of_ages(Workbook(path))
    else:
        lines = read_delimited(content, path.name, _has_area)
    return replace(lines, headings=tuple(_unversioned(text) for text in lines.headings))


def _sheet_of_ages(book: Workbook) -> Delimited:
    """The sheet with a row an area, sex and age, of the newest geography; not one of births, deaths and moves."""
    found: dict[str, Delimited] = {}
    for name in book.sheets:
        rows = book.rows(name)
        headed = next((row for row in rows[:10] if _has_area([str(cell) for cell in row])), None)
        texts = [heading(cell) for cell in headed or []]
        if {"sex", "age"} <= set(texts) and not any(text.startswith(("births", "deaths")) for text in texts):
            code = next(text for text in texts if _unversioned(text) in _AREA)
            found[code] = read_sheet(rows, f"{book.name}, sheet '{name}'", _has_area)
    if not found:
        raise SourceError(
            f"{book.name}: expected a sheet with a row an area, sex and age, found {', '.join(book.sheets)}"
        )
    return found[max(found)]


def _long(lines: Delimited, path: Path) -> pd.DataFrame:
    """A row an area, year, sex and age with `people` as text, whether years, ages or neither are columns.

    The index is the line in the file.
    """
    texts = dict(enumerate(lines.headings))
    years = {at: match[1] for at, text in texts.items() if (match := _YEAR_COLUMN.fullmatch(text))}
    ages = {at: text for at, text in texts.items() if at not in years and age_of(text)}
    if years:
        # A projection's years stand alone, an estimate's follow a word; only a projection needs its component.
        needed = ["age", "component"] if set(years.values()) & set(lines.headings) else ["age"]
        over, spread = years, "year"
    elif len(ages) > 1:
        needed = []
        over, spread = {at: text for at, text in texts.items() if at in ages or text in _ALL_AGES}, "age"
    else:
        needed, over, spread = ["age", "people"], {}, ""
    present = set(lines.headings)
    held = {spread, "people"} if over else set()
    named = [name for name, words in _OPTIONAL.items() if name not in held and present & set(words)]
    labels = lines.columns({"area": _AREA, **{name: _OPTIONAL[name] for name in dict.fromkeys([*named, *needed])}})
    if not over:
        return _with_year(labels, lines, path)
    cells = lines.rows[list(over)].set_axis(list(over.values()), axis=1)
    long = labels.join(cells).melt(list(labels), var_name=spread, value_name="people", ignore_index=False)
    return long if years else _with_year(long, lines, path)


def _with_year(rows: pd.DataFrame, lines: Delimited, path: Path) -> pd.DataFrame:
    """The rows with their year: a column of the file, or else the one year in the words above it or its name."""
    if "year" in rows:
        found = rows["year"].str.extract(r"^((?:19|20)\d\d)\b", expand=False)
        if found.isna().any():
            line = found.index[found.isna()][0]
            raise SourceError(f"{lines.where}, line {line}: expected a year, found '{rows['year'][line]}'")
        return rows.assign(year=found)
    told = [*lines.above, path.stem]
    years = sorted({year for text in told for year in re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)})
    if len(years) != 1:
        raise SourceError(
            f"{lines.where} has no column of years, and the words above it and its name tell "
            f"{' and '.join(years) or 'none'}; expected one, as in 'mid-2023'"
        )
    return rows.assign(year=years[0])


@cache
def _districts() -> dict[str, tuple[str, str]]:
    """By district code since 2011: the district of today that covers it and the DfE number of its authority."""
    numbers = _upper_tier()
    table = read_table("authorities", "district_to_authority.csv")
    return {
        code: (active, numbers[authority])
        for code, active, authority in zip(table["ladcd"], table["ladcd_active"], table["utlacd"], strict=True)
    }


@cache
def _upper_tier() -> dict[str, str]:
    """DfE numbers by every ONS code that an authority has had."""
    table = read_table("authorities", "authority_codes.csv")
    return {
        code: number
        for codes, number in zip(table["gss_all"], table["dfe_number"], strict=True)
        for code in codes.split(";")
    }


def _areas(codes: pd.Series, where: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """DfE numbers by code of the areas to sum, and the codes of the others.

    Counties (E10) are their districts' sum, and are taken only where a file has no districts (E07).
    """
    found = list(dict.fromkeys(codes))
    counties = not any(code.startswith("E07") for code in found)
    wanted: dict[str, str] = {}
    unknown = []
    for code in found:
        if re.fullmatch(r"E0[6-9]\d{6}", code):
            if code in _districts():
                wanted[code] = _districts()[code][1]
            elif code in _upper_tier():
                wanted[code] = _upper_tier()[code]
            else:
                unknown.append(code)
        elif counties and re.fullmatch(r"E10\d{6}", code):
            if code in _upper_tier():
                wanted[code] = _upper_tier()[code]
            else:
                unknown.append(code)
    if unknown:
        raise SourceError(
            f"{where}: no authority is known for the area {', '.join(unknown)}; a new code goes into "
            "data/raw/authorities/district_to_authority.csv"
        )
    if not wanted:
        raise SourceError(f"{where} has no districts or counties of England, found {', '.join(found[:5])}")
    covered = {_districts()[code][0] for code in wanted if code in _districts()}
    lacking = {
        active: number
        for active, number in _districts().values()
        if not counties and number in wanted.values() and active not in covered
    }
    if lacking:
        shown = "; ".join(f"{code} (in {number})" for code, number in list(lacking.items())[:5])
        raise SourceError(f"{where}: districts are missing, so their council cannot be summed: {shown}")
    return wanted, tuple(code for code in found if code not in wanted)


def _ages(labels: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Ages in years and whether each is open; -1 for all ages, -2 for a group of ages."""
    told = {
        label: age_of(label) or ((-1, False) if heading(label) in _ALL_AGES else (-2, False))
        for label in labels.unique()
    }
    ages = {label: age for label, (age, _) in told.items()}
    opened = {label: is_open for label, (_, is_open) in told.items()}
    return labels.map(ages).astype("int64"), labels.map(opened).astype(bool)


def _single_years(rows: pd.DataFrame, where: str) -> pd.DataFrame:
    """Rows of single years, of the open age that follows the last of them, and of all ages: no other group."""
    single = rows.loc[(rows["age"] >= 0) & ~rows["open"], "age"]
    if single.empty or set(single) != set(range(int(single.max()) + 1)):
        raise SourceError(f"{where}: expected every single year of age from 0, found {_runs(single)}")
    last = int(single.max())
    if last < 89 and not (rows["open"] & (rows["age"] == last + 1)).any():
        raise SourceError(f"{where}: single years of age end at {last}, without the people who are older")
    follows = rows["open"] & (rows["age"] == last + 1)
    return rows[(~rows["open"] & (rows["age"] >= -1)) | follows].reset_index(drop=True)


def _runs(ages: Iterable[int]) -> str:
    known = sorted(set(ages))
    return f"{known[0]} to {known[-1]}, {len(known)} of them" if known else "none"


def _persons(rows: pd.DataFrame, where: str) -> pd.DataFrame:
    """One row an area, year and age: the file's persons, or else males and females together."""
    key = ["area", "year", "age"]
    if "sex" not in rows:
        _refuse_twice_in_file(rows, key, where)
        return rows[[*key, "people"]]
    said = rows["sex"].map(heading)
    sexes = said.map(lambda text: "persons" if text in _PERSONS else _MALE_FEMALE.get(text))
    if sexes.isna().any():
        line = rows.loc[sexes.isna(), "in_file"].iloc[0]
        raise SourceError(
            f"{where}, line {line}: expected persons, males or females, found '{said[sexes.isna()].iloc[0]}'"
        )
    rows = rows.assign(sex=sexes)
    _refuse_twice_in_file(rows, [*key, "sex"], where)
    present = set(sexes)
    if "persons" in present:
        return rows.loc[rows["sex"] == "persons", [*key, "people"]]
    if present != {"male", "female"}:
        raise SourceError(f"{where} has {' and '.join(sorted(present))} only, expected persons or both sexes")
    both = rows.groupby(key)["people"].agg(["size", "count", "sum"]).reset_index()
    if (both["size"] != 2).any():
        lone = both[both["size"] != 2].iloc[0]
        raise SourceError(f"{where}: {lone['area']} has one sex only at age {lone['age']} in {lone['year']}")
    return both.assign(people=both["sum"].where(both["count"] == 2))[[*key, "people"]]


def _refuse_twice_in_file(rows: pd.DataFrame, key: list[str], where: str) -> None:
    refuse_twice(rows.set_index("in_file"), key, where)


def _check_all_ages(persons: pd.DataFrame, tolerance: float, where: str) -> None:
    total = persons[persons["age"] == -1].set_index(["area", "year"])["people"]
    each = persons[persons["age"] >= 0].groupby(["area", "year"])["people"]
    sums, counts = each.sum(skipna=False).reindex(total.index), each.size().reindex(total.index)
    wrong = (sums - total).abs() > tolerance * (counts + 1)
    if wrong.any():
        area, year = wrong.index[wrong][0]
        raise SourceError(
            f"{where}: ages of {area} in {year} sum to {sums[area, year]:,.0f}, its row of all ages has "
            f"{total[area, year]:,.0f}"
        )


def _check_complete(areas: pd.DataFrame, where: str) -> None:
    every = areas["age"].nunique()
    counts = areas.groupby(["area", "year"]).size()
    short = counts[counts != every]
    if not short.empty:
        area, year = short.index[0]
        raise SourceError(
            f"{where}: {area} has {short.iloc[0]} ages in {year}, expected {every}; download the file again"
        )
    lacking = areas.groupby("area")["year"].nunique()
    few = lacking[lacking != areas["year"].nunique()]
    if not few.empty:
        raise SourceError(
            f"{where}: {few.index[0]} has {few.iloc[0]} years, expected {areas['year'].nunique()}; "
            "download the file again"
        )


def _check_england(frame: pd.DataFrame, england: pd.DataFrame, tolerance: float, where: str) -> None:
    if england.empty:
        absent = sorted({number for _, number in _districts().values()} - set(frame["dfe_number"]))
        if absent:
            raise SourceError(
                f"{where} has no row for England and no figures for {len(absent)} authorities (DfE numbers "
                f"{', '.join(absent[:5])}); download all districts"
            )
        return
    sums = frame.groupby(["year", "age"])["people"].sum(skipna=False)
    total = england.set_index(["year", "age"])["people"].reindex(sums.index)
    wrong = (sums - total).abs() > tolerance
    if wrong.any() or total.isna().any():
        year, age = wrong.index[wrong | total.isna()][0]
        raise SourceError(
            f"{where}: councils sum to {sums[year, age]:,.0f} at age {age} in {year}, England is "
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

    A mid-year belongs to the financial year that it falls in: mid-2023 to 2024. A count of an older boundary is left
    out; of two editions of one count the newer is taken.
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
