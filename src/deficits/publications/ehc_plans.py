"""Education, health and care plans (DfE, explore education statistics): plans in force, by age, and flows.

Shapes that are read, and how each is known:

- 2021 and 2022 releases: 2022 seen whole: `sen2_mi.csv` (`InreqEHC`), `sen2_age_caseload.csv` and
  `sen2_age_new_plans.csv` (`characteristic_age`, `Total_all`, `Total_new_st`).
- 2023 release: `sen2_mi.csv` seen whole (quoted headings, `new_la_code` before `old_la_code`, symbols x and z);
  `sen2_age_caseload.csv` and `sen2_age_new_plans.csv` from its data guidance.
- 2024 release: first rows of `sen2_mi.csv` and `sen2_age_caseload.csv` seen (no quotes, empty headings at the end,
  spaces in empty cells; the year is "2024, Calendar year" for January 2024).
- 2025 release: seen whole (byte-order mark, `AP_PRU_total_pc` in mixed case, "202425, Academic year" for January
  2025).
- 2026 release: first rows of `caseload.csv`, `newplans.csv`, `requests.csv`, `assessments.csv`,
  `timeliness_20_week.csv` and `annual_reviews.csv` seen, and the last of `caseload.csv`: `special_academy_free` in
  two columns (the second is x in the years before they were separate), other words for the totals, "age 10".

Everything is a count of plans or people, positive, as published; nothing is corrected here. The key is the DfE
number (`old_la_code`): names and ONS codes change between releases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from deficits.errors import SourceError
from deficits.publications.editions import DERIVED, KEY, REPORTED, Reader, calendar, candidates
from deficits.publications.publication import EesRelease, Publication, Table
from deficits.publications.reading import (
    Csv,
    Meaning,
    dfe_numbers,
    few_councils,
    figures,
    financial_year,
    heading,
    meanings,
    one_of,
    open_csvs,
    refuse,
    refuse_twice,
)

_Columns = dict[str, tuple[str, ...]]
_PLACE: _Columns = {
    "period": ("time_period",),
    "level": ("geographic_level",),
    "la_code": ("new_la_code",),
    "dfe_number": ("old_la_code",),
    "la_name": ("la_name",),
    "region": ("region_name",),
}
_BREAKDOWN: _Columns = {"topic": ("breakdown_topic",), "breakdown": ("breakdown",)}
_AGE_BAND: _Columns = {"age_group": ("age", "characteristic_age"), "document": ("ehcp_or_statement",)}
_AGE_TOPICS = ("age at start of academic year", "child or young persons age")
_LEVELS = ("national", "regional", "local authority")


def _named(columns: str) -> _Columns:
    return {column: (column,) for column in columns.split()}


_PLACEMENTS = {
    "plans": ("ehcplans",),
    **_named(
        "mainstream_total special_total special_la_maintained special_academy_free special_independent "
        "special_non_maintained ap_pru_total fe_total ed_elsewhere nm_early_years placement_unknown"
    ),
    "await_prov_2022": ("await_prov_2022", "await_prov"),
    "perm_ex_2022": ("perm_ex_2022", "perm_ex"),
    **_named("mainstream_independent elective_home_education specialist_post_16_institutions"),
}
_SPLIT_IN_2026 = _named("special_academy special_free_school")


def _calendar(period: str, source: str) -> int:
    if not re.fullmatch(r"20\d\d(\.0)?", period):
        raise SourceError(f"{source}: expected a calendar year like 2024, found '{period}'")
    return int(period[:4])


def _january(period: str, source: str) -> int:
    """Year of the January count: 202425 (academic year) and 2025 (2024 release and before) are January 2025."""
    return (
        _calendar(period, source)
        if re.fullmatch(r"\d{4}", period)
        else int(financial_year(period, source)[:4]) + 1
    )


def _totals(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of no breakdown: they name themselves in both columns, in words that change with the release."""
    return rows[rows["topic"].str.lower() == rows["breakdown"].str.lower()]


def _single_ages(rows: pd.DataFrame) -> pd.DataFrame:
    aged = rows[rows["topic"].str.lower().isin(_AGE_TOPICS)]
    return aged.assign(age=aged["breakdown"].map(age_label))


def _bands(total: bool, document: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Rows of bands of age, or of the total of all ages, for one kind of document where they are apart."""

    def rows_of(rows: pd.DataFrame) -> pd.DataFrame:
        wanted = (rows["age_group"].str.lower() == "total") == total
        return rows[wanted & (rows["document"].str.lower() == document)] if "document" in rows else rows[wanted]

    return rows_of


def age_label(text: str) -> str:
    """An age as every release's tables call it here: years alone, or "under 3".

    >>> age_label("Aged 10"), age_label("age 7"), age_label("Under 3"), age_label("Aged 2 and under")
    ('10', '7', 'under 3', 'under 3')
    """
    plain = re.sub(r"^aged?\s+", "", text.strip().lower())
    below = re.fullmatch(r"(\d+) and under", plain)
    return f"under {int(below[1]) + 1}" if below else plain


@dataclass(frozen=True)
class _Shape:
    """One table of the publication and what is taken of a file for it; its first figure's heading is its mark."""

    kind: str
    file: str
    figures: _Columns
    rows: Callable[[pd.DataFrame], pd.DataFrame] = _totals
    filters: _Columns = field(default_factory=lambda: _BREAKDOWN)
    also: tuple[str, ...] = ()
    year_of: Meaning = _calendar
    needed: bool = True

    @property
    def year(self) -> str:
        return "january" if self.kind.startswith("plans") else "calendar_year"

    @property
    def key(self) -> list[str]:
        return [self.year, "dfe_number", *self.also]

    @property
    def marks(self) -> set[str]:
        return {heading(word) for word in next(iter(self.figures.values()))}


_SHAPES = (
    _Shape("plans_by_placement", "caseload", _PLACEMENTS, year_of=_january),
    _Shape(
        "plans_by_single_age",
        "caseload",
        {"plans": ("ehcplans",)},
        _single_ages,
        also=("age",),
        year_of=_january,
        needed=False,
    ),
    _Shape(
        "plans_by_age",
        "sen2_age_caseload",
        {"plans": ("num_caseload", "Total_all")},
        _bands(False, "total"),
        _AGE_BAND,
        ("age_group",),
        _january,
    ),
    # A review's calendar year counts the plans in force in the January after it.
    _Shape(
        "plans_total",
        "annual_reviews",
        {"plans": ("total_ehc_plans",)},
        year_of=lambda period, source: _calendar(period, source) + 1,
    ),
    *(
        _Shape("flows", file, _named(columns))
        for file, columns in {
            "requests": "requests_received_in_year requests_decided_to_assess requests_decided_not_to_assess "
            "requests_decision_not_made requests_withdrawn",
            "assessments": "assess_in_year assess_issued assess_not_issued",
            "newplans": "new_ehc_plans",
            "ceased_plans": "total_ceased",
            "timeliness_20_week": "plans_issued_den plans_issued_den_ex plans_issued_within_20_weeks "
            "plans_issued_20_weeks_ex",
        }.items()
    ),
    _Shape(
        "flows_before_2023",
        "sen2_mi",
        {
            "requests_received_in_year": ("inreq_ehc", "InreqEHC"),
            "requests_refused": ("ass_refused_ehc", "AssRefusedEHC"),
            "assessments": ("assessments",),
            "assessed_no_plan": ("ass_none_ehc", "AssnoneEHC"),
            "new_ehc_plans": ("new_all_ehc", "NewallEHC"),
        },
        rows=lambda rows: rows,
        filters={},
    ),
    _Shape(
        "flows_before_2023",
        "sen2_age_new_plans",
        {"new_statements": ("num_new_plans", "Total_new_st")},
        _bands(True, "statement"),
        _AGE_BAND,
        needed=False,
    ),
)
_NOT_IN_2022 = ("assessments", "document")


def parse(path: Path) -> tuple[Table, ...]:
    """The tables in one of the publication's CSVs, or in a release's .zip (every CSV in it that we know).

    - `plans_by_placement`: a row an authority and January, plans in force in all and by placement.
    - `plans_by_single_age`, `plans_by_age`: a row an authority, January and age (`age`: "10", "under 3";
      `age_group`: "Age 5 to 10"), plans in force. An age without a row has none.
    - `plans_total`: plans in force as the table of annual reviews gives them.
    - `flows`: a row an authority and calendar year, joined over a zip's files: `requests_...`, `assess_...`,
      `new_ehc_plans`, `total_ceased`, `plans_issued_...` (releases from 2025).
    - `flows_before_2023`: the same of the releases to 2024: `requests_received_in_year`, `requests_refused`,
      `assessments`, `assessed_no_plan`, `new_ehc_plans`, `new_statements`.

    Counts are float64 so that a cell without a number can be missing; `Table.missing` says why. A council with two
    rows under two ONS codes (Buckinghamshire 2022) becomes one when its cells do not conflict. Sums that differ
    from England's for a reason that the file shows (councils are missing; each council of a region has the
    region's own figure) are kept as published and stand in `Table.notes`.

    Raises SourceError when the file is none of these, is cut short, lacks a column, has a cell that is neither
    number nor symbol, an unknown council or one twice, or councils that do not sum to the England row otherwise.
    """
    found: dict[str, list[tuple[str, Table]]] = {}
    for text in open_csvs(path, _PLACE, lambda name: any(_is_file(name, shape) for shape in _SHAPES)):
        for table in _tables(text):
            found.setdefault(table.kind, []).append((text.name, table))
    return tuple(_joined(parts, path.name) for parts in found.values())


def _is_file(name: str, shape: _Shape) -> bool:
    stem = Path(name).stem.lower()
    return stem == shape.file or stem.startswith(f"{shape.file}_")


def _tables(text: Csv) -> list[Table]:
    # By its headings; by its name only where the heading that marks it is gone, so that the message can name it.
    known = {heading(printed) for printed in text.headings}
    shapes = [shape for shape in _SHAPES if shape.marks & known]
    shapes = shapes or [shape for shape in _SHAPES if _is_file(text.name, shape)]
    if not shapes:
        marks = ", ".join(sorted({mark for shape in _SHAPES for mark in shape.marks}))
        raise SourceError(
            f"{text.name} is no table of education, health and care plans that is read here: expected one of the "
            f"columns {marks}, found {', '.join(text.headings[:12])}"
        )
    return [table for shape in shapes if (table := _table(shape, text, known)) is not None]


def _table(shape: _Shape, text: Csv, known: set[str]) -> Table | None:
    """One file's contribution to a table: a row a key, sorted by key; None where it has none and need not."""
    source = text.name
    wanted = dict(shape.figures)
    if "special academy free" not in known and {heading(name) for name in _SPLIT_IN_2026} & known:
        wanted.pop("special_academy_free", None)
        wanted |= _SPLIT_IN_2026 if shape.kind == "plans_by_placement" else {}
    table, printed = text.table(_PLACE | shape.filters | wanted, _NOT_IN_2022)
    rows = shape.rows(table).copy()
    if rows.empty:
        if not shape.needed:
            return None
        raise SourceError(f"{source} has no rows for {shape.kind}: no totals among its breakdowns")
    rows["level"] = meanings(rows["level"], one_of(*_LEVELS), source, "geographic_level")
    rows[shape.year] = meanings(rows["period"], shape.year_of, source, "time_period").astype("int64")
    rows, gaps = figures(rows, {name: printed[name] for name in wanted if name in printed}, source)
    if "special_free_school" in rows:
        rows, gaps = _unsplit(rows, gaps, shape)
    councils = rows[rows["level"] == "local authority"].copy()
    councils["dfe_number"] = dfe_numbers(councils, ["dfe_number", "la_code"], "la_name", source)
    counted = [column for column in shape.figures if column in rows]
    merged, missing = _merged(councils, gaps, shape, counted, source)
    notes = _check_england(rows, merged, shape, counted, source)
    if not shape.also:
        later = 0 if shape.year == "january" else 1
        notes += few_councils(merged, shape.year, lambda year: int(str(year)) + later)
    others = rows[rows["level"] != "local authority"]
    names = others["region"].where(others["level"] == "regional", "England")
    return Table(shape.kind, merged, tuple(shape.key), missing, tuple(dict.fromkeys(names)), tuple(notes))


def _unsplit(rows: pd.DataFrame, gaps: pd.DataFrame, shape: _Shape) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One column for special academies and free schools, which the 2026 release separates in its newest year.

    In a year in which no place has a figure for free schools, the academies' column still holds both.
    """
    academies, free = rows["special_academy"], rows["special_free_school"]
    separate = free.notna().groupby(rows[shape.year]).transform("any")
    both = (academies + free).where(separate, academies)
    columns = gaps["column"].replace(dict.fromkeys(_SPLIT_IN_2026, "special_academy_free"))
    filled = (columns == "special_academy_free") & ~gaps["line"].isin(both[both.isna()].index)
    kept = gaps.assign(column=columns)[~filled].drop_duplicates(["line", "column"])
    return rows.drop(columns=list(_SPLIT_IN_2026)).assign(special_academy_free=both), kept


def _merged(
    councils: pd.DataFrame, gaps: pd.DataFrame, shape: _Shape, counted: list[str], source: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a key, sorted, and its cells without a number.

    A council that has two ONS codes may have a row for each, of which one holds what the other lacks.
    """
    columns = [shape.year, "la_code", "dfe_number", "la_name", "region", *shape.also, *counted]
    refuse_twice(councils, [*shape.key, "la_code"], source)
    twice = councils[councils.duplicated(shape.key, keep=False)]
    conflicting = twice.groupby(shape.key)[counted].transform("nunique").gt(1).any(axis=1)
    refuse_twice(twice[conflicting], shape.key, source)
    merged = councils[columns].groupby(shape.key, as_index=False).first()[columns]

    named = gaps[gaps["line"].isin(councils.index)].join(councils[shape.key], on="line")
    named = named.drop_duplicates([*shape.key, "column"])
    values = merged.melt(shape.key, counted, "column", "value")
    still = values.loc[values["value"].isna(), [*shape.key, "column"]]
    missing = still.merge(named, on=[*shape.key, "column"])
    return merged, missing[[*shape.key, "column", "symbol", "reason"]]


def _check_england(
    rows: pd.DataFrame, merged: pd.DataFrame, shape: _Shape, counted: list[str], source: str
) -> tuple[str, ...]:
    """Notes where councils rightly do not sum to an England row of the file; SourceError where they should."""
    over = [shape.year, *shape.also]
    nation = rows[rows["level"] == "national"]
    refuse_twice(nation, over, source)
    england = nation.set_index(over)[counted]
    regions = rows[rows["level"] == "regional"]
    sums = merged.groupby(over)[counted].sum().reindex(england.index, fill_value=0.0)
    gap = merged[counted].isna().groupby([merged[column] for column in over]).any()
    gap = gap.reindex(england.index, fill_value=False)
    absent = _years_left_out(merged, shape.year)
    notes, faults = [], []
    for column in counted:
        for when in england.index[england[column].notna() & (england[column] != sums[column])]:
            found, expected = sums.at[when, column], england.at[when, column]
            parts = when if isinstance(when, tuple) else (when,)
            shown = " ".join(map(str, parts))
            differs = f"{column} {shown}: councils sum to {found:,.0f}, England is {expected:,.0f}"
            repeated = _repeated_regions(merged, regions, over, parts, column)
            if repeated and found - sum(repeated.values()) == expected:
                notes.append(f"{differs}; each council of {', '.join(repeated)} has the region's own figure")
            elif found < expected and (gap.at[when, column] or parts[0] in absent):
                notes.append(f"{differs} (councils are missing)")
            else:
                faults.append(f"{source}: {differs}. Rows are missing or changed; download the file again")
    refuse(faults)
    return tuple(notes)


def _repeated_regions(
    merged: pd.DataFrame, regions: pd.DataFrame, over: list[str], when: tuple[object, ...], column: str
) -> dict[str, float]:
    """Regions whose every council has the region's own figure, and by how much their councils' sum exceeds it."""
    found = {}
    here, there = (frame[(frame[over] == list(when)).all(axis=1)] for frame in (merged, regions))
    for region, value in there.set_index("region")[column].items():
        councils = here.loc[here["region"] == region, column]
        if len(councils) > 1 and value > 0 and (councils == value).all():
            found[str(region)] = value * (len(councils) - 1)
    return found


def _years_left_out(merged: pd.DataFrame, year: str) -> set[int]:
    """Years for which a council with rows in an earlier and a later year has none.

    The last year of a file that is cut short is not among them.
    """
    every = sorted(merged[year].unique())
    rows = merged.groupby("dfe_number")[year].unique()
    return {y for years in rows for y in every if min(years) < y < max(years) and y not in years}


def _joined(parts: list[tuple[str, Table]], source: str) -> Table:
    """One table of the files that contribute to it, joined on its key."""
    first, key = parts[0][1], list(parts[0][1].key)
    labels = [column for column in first.frame if column in (*key, *_PLACE)]
    counted = [column for _, table in parts for column in table.frame.columns.difference(labels, sort=False)]
    repeated = sorted({column for column in counted if counted.count(column) > 1})
    if repeated:
        files = ", ".join(name for name, _ in parts)
        raise SourceError(f"{source}: {', '.join(repeated)} stands in more than one file of {files}")
    frame = (
        pd.concat([table.frame for _, table in parts]).groupby(key, as_index=False).first()[[*labels, *counted]]
    )
    missing = [table.missing for _, table in parts]
    for name, table in parts:
        absent = frame[key].merge(table.frame[key], how="left", indicator=True).query("_merge == 'left_only'")[key]
        why = f"no row in {Path(name).name}"
        lacking = table.frame.columns.difference(labels, sort=False) if len(absent) else []
        missing += [absent.assign(column=column, symbol="", reason=why) for column in lacking]
    dropped = tuple(dict.fromkeys(name for _, table in parts for name in table.dropped))
    notes = tuple(dict.fromkeys(note for _, table in parts for note in table.notes))
    return Table(first.kind, frame, first.key, pd.concat(missing, ignore_index=True), dropped, notes)


# --- what it gives the panel


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Plans in force in January, in all and by placement, and new plans of the calendar year before."""
    by_age = reader.read("ehc-plans", "plans_by_age", ["plans"], calendar("january"))
    # One row an age group: the council's total stands at the first of its rows.
    grouped = by_age.groupby(level=KEY)
    total = grouped[["source", "published", "edition", "flagged"]].first()
    yield candidates(total, {"plans": grouped["plans"].sum(min_count=1)}, DERIVED)
    parts = {
        "plans_state_special": ["special_la_maintained", "special_academy_free"],
        "plans_independent": ["special_independent", "special_non_maintained", "mainstream_independent"],
    }
    needed = ["plans", "mainstream_total", *[column for columns in parts.values() for column in columns]]
    rows = reader.read("ehc-plans", "plans_by_placement", needed, calendar("january"))
    yield candidates(rows, {"plans": rows["plans"]}, REPORTED, "plans")
    placed = {figure: rows[columns].sum(axis=1, min_count=len(columns)) for figure, columns in parts.items()}
    placed["plans_mainstream"] = rows["mainstream_total"] - rows["mainstream_independent"]
    yield candidates(rows, placed, DERIVED)
    total = reader.read("ehc-plans", "plans_total", ["plans"], calendar("january"))
    yield candidates(total, {"plans": total["plans"]}, REPORTED, "plans")
    # A calendar year is counted in the January that follows it.
    before = reader.read("ehc-plans", "flows_before_2023", ["new_ehc_plans"], calendar("calendar_year", 1))
    yield candidates(before, {"new_plans": before["new_ehc_plans"]}, REPORTED, "new_ehc_plans")
    published = "new_ehc_plans_as_published"
    columns = [published, "new_ehc_plans", "new_ehc_plans_2023_release"]
    rows = reader.read("ehc-plans", "flows", columns, calendar("calendar_year", 1))
    # Only an edition with a known error keeps what was published apart.
    plans = rows[published].fillna(rows["new_ehc_plans"])
    yield candidates(rows, {"new_plans": plans}, REPORTED, published)


NEARLY_ALL = 0.9
"""Share of the councils of a January that must have plans by age for that January to be taken."""


def plans_by_single_age(reader: Reader) -> tuple[pd.DataFrame, int | None]:
    """Plans by authority (rows) and age in the newest January that nearly all councils have, and its year.

    As known on the reader's day; empty, and None, when none was public. Children "under 3" stand at age 2, where
    nearly all of them are.
    """
    found: dict[int, pd.DataFrame] = {}
    for file in reader.files("ehc-plans", "plans_by_single_age"):
        table = reader.raw.table("ehc-plans", file.name, ["plans"])
        age = table["age"].replace("under 3", "2").astype(int)
        for year, rows in table.assign(age=age).groupby(table["january"].astype(int)):
            counted = rows.groupby(["dfe_number", "age"])["plans"].sum(min_count=1).unstack("age")
            if len(counted) >= NEARLY_ALL * len(reader.authorities.in_year(int(year))):
                found[int(year)] = counted
    if not found:
        return pd.DataFrame(), None
    newest = max(found)
    known = reader.authorities.in_year(newest)
    return found[newest].reindex(known).rename_axis(index="authority"), newest


PUBLICATION = Publication(
    folder="ehc-plans",
    address=EesRelease("education-health-and-care-plans"),
    page="https://explore-education-statistics.service.gov.uk/find-statistics/education-health-and-care-plans",
    short=("ehc", "ehcp", "plans"),
    parse=parse,
    load=load,
    reads=frozenset(
        {"plans_by_age", "plans_by_placement", "plans_total", "plans_by_single_age", "flows_before_2023", "flows"}
    ),
)
