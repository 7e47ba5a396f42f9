"""Education, health and care plans (DfE, explore education statistics): plans in force, by age, and flows.

Read are the releases of 2022 and 2025 as seen whole, those of 2023 and 2024 (`sen2_mi.csv`, `sen2_age_caseload`)
and of 2026 as far as seen: there special academies and free schools stand in two columns, of which the second is x
in the years before they were separate. The words of years, totals and ages differ from one to the next.

Everything is a count of plans or people, positive, as published; nothing is corrected here. The key is the DfE
number (`old_la_code`): names and ONS codes change between releases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from deficits.errors import SourceError
from deficits.publications.editions import DERIVED, KEY, REPORTED, Reader, Table, candidates, reported
from deficits.publications.files import Columns, columns_of, financial_year, heading
from deficits.publications.reading import Meaning, Sheet, one_of, open_sheets, refuse, table_of

FOLDER = "ehc-plans"
_COLUMNS = columns_of(FOLDER)
_AGE_TOPICS = ("age at start of academic year", "child or young persons age")
RESOURCE_BASES = tuple(name for name in _COLUMNS["placements"] if name.endswith(("_provision", "_senunit")))
_MAY_LACK = ("assessments", "document", "mediation_related_request", "tribunal_related_request", *RESOURCE_BASES)


def _calendar(period: str, source: str) -> int:
    if not re.fullmatch(r"20\d\d(\.0)?", period):
        raise SourceError(f"{source}: expected a calendar year like 2024, found '{period}'")
    return int(period[:4])


def _january(period: str, source: str) -> int:
    """Year of the January count: 202425 (academic year) and 2025 (2024 release and before) are January 2025."""
    return int(period) if re.fullmatch(r"20\d\d", period) else int(financial_year(period, source)[:4]) + 1


def _totals(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of no breakdown: they name themselves in both columns, in words that change with the release."""
    return rows[rows["topic"].str.lower() == rows["breakdown"].str.lower()]


def _single_ages(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of single years of age, called alike in every release: "10" (Aged 10), "under 3" (Aged 2 and under)."""
    aged = rows[rows["topic"].str.lower().isin(_AGE_TOPICS)]
    ages = aged["breakdown"].str.strip().str.lower().replace(r"^aged?\s+", "", regex=True)
    return aged.assign(
        age=ages.str.replace(r"(\d+) and under", lambda age: f"under {int(age[1]) + 1}", regex=True)
    )


def _age_bands(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of bands of age, of plans and statements together where they are apart."""
    total = rows["document"].str.lower() == "total" if "document" in rows else True
    return rows[(rows["age_group"].str.lower() != "total") & total]


@dataclass(frozen=True)
class _Shape:
    """A table and what is taken of a file for it: a group of columns, of which the first is the file's mark."""

    kind: str
    file: str
    group: str
    rows: Callable[[pd.DataFrame], pd.DataFrame] = _totals
    filters: str = "breakdown"
    also: tuple[str, ...] = ()
    year_of: Meaning = _calendar
    later: int = 0

    @property
    def figures(self) -> Columns:
        return _COLUMNS[self.group]

    @property
    def marks(self) -> tuple[str, ...]:
        return next(iter(self.figures.values()))

    @property
    def key(self) -> list[str]:
        year = "january" if self.kind.startswith("plans") else "calendar_year"
        return [year, "dfe_number", *self.also]


_SHAPES = (
    _Shape("plans_by_placement", "caseload", "placements", year_of=_january),
    _Shape("plans_by_single_age", "caseload", "single_ages", _single_ages, also=("age",), year_of=_january),
    _Shape("plans_by_age", "sen2_age_caseload", "age_bands", _age_bands, "age_band", ("age_group",), _january),
    # The reviews of a calendar year count the plans in force in the January after it.
    _Shape("plans_total", "annual_reviews", "reviews", later=1),
    _Shape("flows", "requests", "requests"),
    _Shape("flows", "assessments", "assessments"),
    _Shape("flows", "newplans", "new_plans"),
    _Shape("flows", "ceased_plans", "ceased"),
    _Shape("flows", "timeliness_20_week", "timeliness"),
    _Shape("flows_before_2023", "sen2_mi", "before_2023", lambda rows: rows, filters=""),
)


def parse(path: Path) -> tuple[Table, ...]:
    """The tables in one of the publication's CSVs, or in a release's .zip (every CSV in it that we know).

    A row an authority and January: `plans_by_placement`, and with ages ("10", "under 3"; "Age 5 to 10")
    `plans_by_single_age` and `plans_by_age`, plans in force; `plans_total`, as the table of annual reviews gives
    them. A row an authority and calendar year, joined over a zip's files: `flows`, and of releases to 2024
    `flows_before_2023`, requests, assessments, new plans, plans that ceased, plans issued in time.

    A council with two rows under two ONS codes (Buckinghamshire 2022) becomes one when its cells do not conflict.
    Sums that differ from England's for a reason that the file shows (councils are missing; each council of a
    region has the region's own figure) are kept as published and stand in `Table.notes`.
    """
    files = tuple(f"{shape.file}_" for shape in _SHAPES)
    found: dict[str, list[Any]] = {}
    for sheet in open_sheets(
        path, _COLUMNS["place"], wanted=lambda name: f"{Path(name).stem.lower()}_".startswith(files)
    ):
        headings = set(map(heading, sheet.head[-1]))
        shapes = [shape for shape in _SHAPES if headings & set(map(heading, shape.marks))]
        if not shapes:
            what = f"{sheet.name} is no table of education, health and care plans"
            marks, there = ", ".join(shape.marks[0] for shape in _SHAPES), ", ".join(sheet.head[-1][:12])
            raise SourceError(f"{what}: expected one of the columns {marks}, found {there}")
        for shape in shapes:
            rows, figures, odd = _rows(shape, sheet, headings)
            if len(rows):
                found.setdefault(shape.kind, []).append((shape, rows, figures, odd))
    tables = []
    for kind, parts in found.items():
        of_kind, frames, names, notes = zip(*parts, strict=True)
        key, figures = of_kind[0].key, list(chain(*names))
        if repeated := sorted({name for name in figures if figures.count(name) > 1}):
            raise SourceError(f"{path.name}: {', '.join(repeated)} stands in more than one of its files")
        columns = [key[0], "la_code", "dfe_number", "la_name", "region", *key[2:], *figures]
        joined = pd.concat(frames).groupby(key, as_index=False).first()
        tables.append(table_of(kind, joined, key, columns, dict.fromkeys(chain(*notes))))
    return tuple(tables)


def _rows(shape: _Shape, sheet: Sheet, headings: set[str]) -> tuple[pd.DataFrame, list[str], list[str]]:
    """A row a council and key, which of the columns are figures, and what was odd; no rows where a file has no
    breakdown by age."""
    wanted, year = dict(shape.figures), shape.key[0]
    if "special_academy_free" in wanted and "special academy" in headings:
        del wanted["special_academy_free"]
        wanted |= _COLUMNS["split_in_2026"]
    rows = shape.rows(sheet.take(_COLUMNS["place"] | _COLUMNS.get(shape.filters, {}) | wanted, _MAY_LACK))
    if rows.empty and not shape.also:
        raise SourceError(f"{sheet.name} has no rows for {shape.kind}: no totals among its breakdowns")
    rows = rows.assign(
        level=sheet.meaning(rows["level"], one_of("national", "regional", "local authority")),
        **{year: sheet.meaning(rows["period"], shape.year_of).astype("int64") + shape.later},
    )
    rows = sheet.numbers(rows, [name for name in wanted if name in rows])
    if "special_free_school" in rows:
        # In a year in which no place has a figure for free schools, the academies' column still holds both.
        academies, free = rows["special_academy"], rows["special_free_school"]
        separate = free.notna().groupby(rows[year]).transform("any")
        rows["special_academy_free"] = (academies + free).where(separate, academies)
        rows["special_academy_free?"] = rows["special_academy?"].fillna(rows["special_free_school?"])
    figures = [name for name in shape.figures if name in rows]
    councils = rows[rows["level"] == "local authority"].copy()
    councils["dfe_number"] = sheet.councils(councils, "dfe_number", "la_code")
    # A council that has two ONS codes may have a row for each, of which one holds what the other lacks.
    sheet.refuse_twice(councils, [*shape.key, "la_code"])
    conflicting = councils.groupby(shape.key)[figures].transform("nunique").gt(1).any(axis=1)
    sheet.refuse_twice(councils[conflicting], shape.key)
    councils = councils.groupby(shape.key, as_index=False).first()
    return councils, figures, _check_england(rows, councils, shape, figures, sheet)


def _check_england(
    rows: pd.DataFrame, councils: pd.DataFrame, shape: _Shape, figures: list[str], sheet: Sheet
) -> list[str]:
    """Notes where councils rightly do not sum to an England row of the file; SourceError where they should."""
    over = [shape.key[0], *shape.also]
    nation, regions = rows[rows["level"] == "national"], rows[rows["level"] == "regional"]
    sheet.refuse_twice(nation, over)
    notes, faults = [], []
    by_place = dict(list(councils.groupby(over)))
    # Years left out between two that a council has: the last year of a file that is cut short is not among them.
    every, lives = sorted(councils[over[0]].unique()), councils.groupby("dfe_number")[over[0]].unique()
    absent = {y for years in lives for y in every if min(years) < y < max(years) and y not in years}
    for _, england in nation.iterrows():
        when = tuple(england[over])
        here = by_place.get(when, councils.iloc[:0])
        for name in figures:
            found, expected = here[name].sum(), england[name]
            if found == expected or pd.isna(expected):
                continue
            differs = (
                f"{name} {' '.join(map(str, when))}: councils sum to {found:,.0f}, England is {expected:,.0f}"
            )
            there = regions[(regions[over] == list(when)).all(axis=1)]
            repeated = {
                region: value * (len(own) - 1)
                for region, value in there[["region", name]].itertuples(index=False)
                if len(own := here.loc[here["region"] == region, name]) > 1 and value > 0 and (own == value).all()
            }
            if repeated and found - sum(repeated.values()) == expected:
                notes.append(f"{differs}; each council of {', '.join(repeated)} has the region's own figure")
            elif found < expected and (here[name].isna().any() or when[0] in absent):
                notes.append(f"{differs} (councils are missing)")
            else:
                faults.append(f"{sheet.name}: {differs}. Rows are missing or changed; download the file again")
    refuse(faults)
    return notes


# --- what it gives the panel


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Plans by age and placement; new plans."""
    by_age = reader.read(FOLDER, "plans_by_age", ["plans"])
    yield _summed(by_age, "plans", by_age["plans"])
    ages = reader.read(FOLDER, "plans_by_single_age", ["plans"])
    old = pd.to_numeric(ages["age"], errors="coerce") >= 16
    for rows, young in ((by_age, by_age["age_group"].isin(("Age 16 to 19", "Age 20 to 25"))), (ages, old)):
        yield _summed(rows, "plans_16_25", rows["plans"] * young.astype(float))
    sums = {
        "plans_state_special": ["special_la_maintained", "special_academy_free"],
        "plans_independent": ["special_independent", "special_non_maintained", "mainstream_independent"],
        "plans_post_16": ["fe_total"],
        "plans_resource_base": list(RESOURCE_BASES),
    }
    rows = reader.read(FOLDER, "plans_by_placement", ["plans", "mainstream_total", *chain(*sums.values())])
    yield reported(rows, {"plans": "plans"})
    placed = {figure: rows[columns].sum(axis=1, min_count=len(columns)) for figure, columns in sums.items()}
    mainstream = rows["mainstream_total"] - rows["mainstream_independent"]
    bases = placed["plans_resource_base"].where(mainstream.notna())
    yield candidates(rows, placed | {"plans_mainstream": mainstream, "plans_resource_base": bases}, DERIVED)
    published = "new_ehc_plans_as_published"
    rows = reader.read(FOLDER, "flows", [published, "new_ehc_plans", "new_ehc_plans_2023_release"])
    # Only an edition with a known error keeps what was published apart.
    plans = rows[published].fillna(rows["new_ehc_plans"])
    yield candidates(rows, {"new_plans": plans}, REPORTED, {"new_plans": published})


def _summed(rows: pd.DataFrame, figure: str, counts: pd.Series) -> pd.DataFrame:
    """A figure of each edition's councils, summed over their rows by age, of which the first is its source."""
    # An age without a row has no plans; a council without figures has rows without any.
    grouped = rows.assign(counts=counts).groupby([*KEY, "file"])
    first = grouped[["source", "published", "edition", "flagged"]].first().droplevel("file")
    return candidates(first, {figure: grouped["counts"].sum(min_count=1).droplevel("file")}, DERIVED)


NEARLY_ALL = 0.9
"""Share of the councils of a January that must have plans by age for that January to be taken."""


def plans_by_single_age(reader: Reader) -> tuple[pd.DataFrame, int | None]:
    """Plans by authority (rows) and age in the newest January that nearly all councils have, and its year.

    As known on the reader's day; empty, and None, when none was public. Children "under 3" stand at age 2, where
    nearly all of them are.
    """
    found: dict[int, pd.DataFrame] = {}
    for file in reader.files(FOLDER, "plans_by_single_age"):
        table = reader.raw.table(FOLDER, file.name, ["plans"])
        age, january = table["age"].replace("under 3", "2").astype(int), table["january"].astype(int)
        counted = table.groupby([january, "dfe_number", age])["plans"].sum(min_count=1).unstack("age")
        found |= {int(year): counted.xs(year, level="january") for year in january.unique()}
    known = {year: reader.authorities.in_year(year) for year in found}
    newest = max((year for year in found if len(found[year]) >= NEARLY_ALL * len(known[year])), default=None)
    if newest is None:
        return pd.DataFrame(), None
    return found[newest].reindex(known[newest]).rename_axis(index="authority"), newest
