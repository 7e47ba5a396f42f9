"""Education, health and care plans (DfE, explore education statistics): plans in force, by age, and flows.

Shapes that are read, and how each is known:

- 2021 and 2022 releases: not seen; their files have the names of the 2023 release and are read as that.
- 2023 release: `sen2_mi.csv` seen whole (quoted headings, `new_la_code` before `old_la_code`, symbols x and z);
  `sen2_age_caseload.csv` and `sen2_age_new_plans.csv` from its data guidance.
- 2024 release: first rows of `sen2_mi.csv` and `sen2_age_caseload.csv` seen (no quotes, empty headings at the end,
  spaces in empty cells; the year is "2024, Calendar year" for January 2024).
- 2025 release: `caseload.csv`, `newplans.csv`, `requests.csv` seen (byte-order mark, `AP_PRU_total_pc` in mixed
  case, "202425, Academic year" for January 2025); the others from its data guidance.
- 2026 release: first rows of `caseload.csv`, `newplans.csv`, `requests.csv`, `assessments.csv`,
  `timeliness_20_week.csv` and `annual_reviews.csv` seen, and the last of `caseload.csv`: `special_academy_free` in
  two columns (the second is x in the years before they were told apart), other words for the totals, "age 10".

Everything is a count of plans or people, positive, as published; nothing is corrected here. The key is the DfE
number (`old_la_code`): names and ONS codes change between releases.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from deficits.errors import SourceError
from deficits.publications.delimited import Delimited, figures, read_delimited, refuse_twice
from deficits.publications.editions import DERIVED, KEY, REPORTED, Reader, calendar, candidates
from deficits.publications.publication import EesRelease, Publication, Table

_PLACE: dict[str, tuple[str, ...]] = {
    "period": ("time_period",),
    "level": ("geographic_level",),
    "la_code": ("new_la_code",),
    "dfe_number": ("old_la_code",),
    "la_name": ("la_name",),
    "region": ("region_name",),
}
_BREAKDOWN: dict[str, tuple[str, ...]] = {"topic": ("breakdown_topic",), "breakdown": ("breakdown",)}
_AGE_BAND: dict[str, tuple[str, ...]] = {"age": ("age",), "document": ("ehcp_or_statement",)}
_AGE_TOPICS = ("age at start of academic year", "child or young persons age")


def _named(*columns: str) -> dict[str, tuple[str, ...]]:
    return {column: (column,) for column in columns}


_PLACEMENTS = {
    "plans": ("ehcplans",),
    **_named(
        "mainstream_total",
        "special_total",
        "special_la_maintained",
        "special_academy_free",
        "special_independent",
        "special_non_maintained",
        "ap_pru_total",
        "fe_total",
        "ed_elsewhere",
        "nm_early_years",
        "placement_unknown",
    ),
    "await_prov_2022": ("await_prov_2022", "await_prov"),
    "perm_ex_2022": ("perm_ex_2022", "perm_ex"),
    **_named("mainstream_independent", "elective_home_education", "specialist_post_16_institutions"),
}
_SPLIT_IN_2026 = _named("special_academy", "special_free_school")


def _january(period: str) -> int:
    """Year of the January count: 202425 (academic year) and 2025 (2024 release and before) are January 2025."""
    if re.fullmatch(r"20\d{4}", period) and (int(period[:4]) + 1) % 100 == int(period[4:]):
        return int(period[:4]) + 1
    return _calendar(period)


def _calendar(period: str) -> int:
    if not re.fullmatch(r"20\d\d", period):
        raise ValueError(period)
    return int(period)


def _next_january(period: str) -> int:
    """A review's calendar year is told of the plans in force in the January after it."""
    return _calendar(period) + 1


def _totals(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of no breakdown: they name themselves in both columns, in words that change with the release."""
    return rows[rows["topic"].str.lower() == rows["breakdown"].str.lower()]


def _single_ages(rows: pd.DataFrame) -> pd.DataFrame:
    aged = rows[rows["topic"].str.lower().isin(_AGE_TOPICS)]
    return aged.assign(age=aged["breakdown"].map(age_label))


def _age_bands(rows: pd.DataFrame) -> pd.DataFrame:
    """Bands of age, plans and statements together."""
    banded = rows[(rows["document"].str.lower() == "total") & (rows["age"].str.lower() != "total")]
    return banded.rename(columns={"age": "age_group"})


def _new_statements(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["document"].str.lower() == "statement") & (rows["age"].str.lower() == "total")]


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
    """One table of the publication: the file (and the heading) it is known by, and what is taken from it."""

    kind: str
    file: str
    mark: str
    figures: dict[str, tuple[str, ...]]
    rows: Callable[[pd.DataFrame], pd.DataFrame] = _totals
    filters: dict[str, tuple[str, ...]] = field(default_factory=lambda: _BREAKDOWN)
    year: str = "calendar_year"
    year_of: Callable[[str], int] = _calendar
    also: tuple[str, ...] = ()
    needed: bool = True

    @property
    def key(self) -> list[str]:
        return [self.year, "dfe_number", *self.also]


_SHAPES = (
    _Shape("plans_by_placement", "caseload", "ehcplans", _PLACEMENTS, year="january", year_of=_january),
    _Shape(
        "plans_by_single_age",
        "caseload",
        "ehcplans",
        {"plans": ("ehcplans",)},
        rows=_single_ages,
        year="january",
        year_of=_january,
        also=("age",),
        needed=False,
    ),
    _Shape(
        "plans_by_age",
        "sen2_age_caseload",
        "num_caseload",
        {"plans": ("num_caseload",)},
        rows=_age_bands,
        filters=_AGE_BAND,
        year="january",
        year_of=_january,
        also=("age_group",),
    ),
    _Shape(
        "plans_total",
        "annual_reviews",
        "total_ehc_plans",
        {"plans": ("total_ehc_plans",)},
        year="january",
        year_of=_next_january,
    ),
    _Shape(
        "flows",
        "requests",
        "requests_received_in_year",
        _named(
            "requests_received_in_year",
            "requests_decided_to_assess",
            "requests_decided_not_to_assess",
            "requests_decision_not_made",
            "requests_withdrawn",
        ),
    ),
    _Shape(
        "flows", "assessments", "assess_in_year", _named("assess_in_year", "assess_issued", "assess_not_issued")
    ),
    _Shape("flows", "newplans", "new_ehc_plans", _named("new_ehc_plans")),
    _Shape("flows", "ceased_plans", "total_ceased", _named("total_ceased")),
    _Shape(
        "flows",
        "timeliness_20_week",
        "plans_issued_den",
        _named(
            "plans_issued_den", "plans_issued_den_ex", "plans_issued_within_20_weeks", "plans_issued_20_weeks_ex"
        ),
    ),
    _Shape(
        "flows_before_2023",
        "sen2_mi",
        "inreq_ehc",
        {
            "requests_received_in_year": ("inreq_ehc",),
            "requests_refused": ("ass_refused_ehc",),
            "assessments": ("assessments",),
            "assessed_no_plan": ("ass_none_ehc",),
            "new_ehc_plans": ("new_all_ehc",),
        },
        rows=lambda rows: rows,
        filters={},
    ),
    _Shape(
        "flows_before_2023",
        "sen2_age_new_plans",
        "num_new_plans",
        {"new_statements": ("num_new_plans",)},
        rows=_new_statements,
        filters=_AGE_BAND,
        needed=False,
    ),
)

PUBLISHERS_OWN = {("new_ehc_plans", 2022): (151_798, 66_706)}
"""Sums of councils and England rows that differ in the file as DfE published it: in the 2025 release each of the
15 councils of Yorkshire and The Humber carries the region's total of new plans in 2022. The parser keeps what was
published and says so in `Table.dropped`; the corrections are data, not code."""


@dataclass(frozen=True)
class _Part:
    """One file's contribution to a table: a row a key, sorted by key."""

    shape: _Shape
    where: str
    frame: pd.DataFrame
    missing: pd.DataFrame
    dropped: tuple[str, ...]


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
    rows under two ONS codes (Buckinghamshire 2022) becomes one when its cells do not conflict.

    Raises SourceError when the file is none of these, is cut short, lacks a column, has a cell that is neither
    number nor symbol, a council twice, or councils that do not sum to the England row (a sum may fall short
    where a council is missing).
    """
    parts = [part for name, content in _files(path) for part in _parts(read_delimited(content, name))]
    if not parts:
        raise SourceError(f"{path.name} holds none of the files {', '.join(_known_files())}")
    kinds = dict.fromkeys(part.shape.kind for part in parts)
    return tuple(_table([part for part in parts if part.shape.kind == kind], path.name) for kind in kinds)


def _known_files() -> list[str]:
    return list(dict.fromkeys(f"{shape.file}.csv" for shape in _SHAPES))


def _files(path: Path) -> list[tuple[str, bytes]]:
    """The CSVs to read, by name. Of a zip, those that are named as a file we know: a release has many others."""
    try:
        if not zipfile.is_zipfile(path):
            content = path.read_bytes()
            if content.startswith(b"PK"):
                raise SourceError(f"{path.name} is cut short; download it again")
            return [(path.name, content)]
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            files = [(f"{path.name}/{name}", archive.read(name)) for name in names]
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path.name} cannot be read: {error}. Download it again") from None
    return [(name, content) for name, content in files if _shapes_by_file(name)]


def _shapes_by_file(name: str) -> list[_Shape]:
    stem = Path(name).stem.lower()
    return [shape for shape in _SHAPES if stem == shape.file or stem.startswith(f"{shape.file}_")]


def _parts(lines: Delimited) -> list[_Part]:
    # By its headings; by its name only where the heading that marks it is gone, so that the message can name it.
    shapes = [shape for shape in _SHAPES if shape.mark in lines.headings] or _shapes_by_file(lines.where)
    if not shapes:
        marks = ", ".join(dict.fromkeys(shape.mark for shape in _SHAPES))
        raise SourceError(
            f"{lines.where} is no table of education, health and care plans that we know: expected one of the "
            f"columns {marks}, found {', '.join(lines.headings[:12])}"
        )
    return [part for shape in shapes if (part := _part(shape, lines)) is not None]


def _part(shape: _Shape, lines: Delimited) -> _Part | None:
    where = lines.where
    wanted = dict(shape.figures)
    if "special_academy_free" not in lines.headings and set(_SPLIT_IN_2026) & set(lines.headings):
        wanted.pop("special_academy_free", None)
        wanted |= _SPLIT_IN_2026 if shape.kind == "plans_by_placement" else {}
    rows = shape.rows(lines.columns({**_PLACE, **shape.filters, **wanted}))
    if rows.empty:
        if not shape.needed:
            return None
        raise SourceError(f"{where} has no rows for {shape.kind}: no totals among its breakdowns")
    rows = rows.assign(level=_levels(rows["level"], where))
    rows[shape.year] = _years(rows["period"], shape, where)
    rows, gaps = figures(rows, wanted, where)
    if "special_free_school" in rows:
        rows, gaps = _unsplit(rows, gaps, shape)
    councils = rows[rows["level"] == "local authority"]
    _check_councils(councils, where)
    merged, missing = _merged(councils, gaps, shape, where)
    notes = _check_england(rows, merged, shape, where)
    others = rows[rows["level"] != "local authority"]
    names = others["region"].where(others["level"] == "regional", "England")
    return _Part(shape, where, merged, missing, (*dict.fromkeys(names), *notes))


def _levels(levels: pd.Series, where: str) -> pd.Series:
    folded = levels.str.lower()
    known = ("national", "regional", "local authority")
    unknown = levels[~folded.isin(known)]
    if not unknown.empty:
        raise SourceError(
            f"{where}, line {unknown.index[0]}, column 'geographic_level': found '{unknown.iloc[0]}', "
            f"expected one of {', '.join(known)}"
        )
    return folded


def _years(periods: pd.Series, shape: _Shape, where: str) -> pd.Series:
    years = {}
    for period in periods.unique():
        try:
            years[period] = shape.year_of(period)
        except ValueError:
            line = periods.index[periods == period][0]
            expected = "a year like 202425 or 2024" if shape.year_of is _january else "a calendar year like 2024"
            raise SourceError(
                f"{where}, line {line}, column 'time_period': found '{period}', expected {expected}"
            ) from None
    return periods.map(years).astype("int64")


def _unsplit(rows: pd.DataFrame, gaps: pd.DataFrame, shape: _Shape) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One column for special academies and free schools, which the 2026 release tells apart in its newest year.

    In a year in which no place has a figure for free schools, the academies' column still holds both.
    """
    academies, free = rows["special_academy"], rows["special_free_school"]
    told_apart = free.notna().groupby(rows[shape.year]).transform("any")
    both = (academies + free).where(told_apart, academies)
    empty = both[both.isna()].index
    columns = gaps["column"].map(dict.fromkeys(_SPLIT_IN_2026, "special_academy_free"))
    renamed = gaps.assign(column=columns.fillna(gaps["column"]))
    filled = (renamed["column"] == "special_academy_free") & ~renamed["line"].isin(empty)
    kept = renamed[~filled].drop_duplicates(["line", "column"])
    together = rows.drop(columns=list(_SPLIT_IN_2026)).assign(special_academy_free=both)
    return together, kept


def _check_councils(councils: pd.DataFrame, where: str) -> None:
    wrong = councils[~councils["dfe_number"].str.fullmatch(r"\d{3}")]
    if not wrong.empty:
        raise SourceError(
            f"{where}, line {wrong.index[0]}, column 'old_la_code': found '{wrong['dfe_number'].iloc[0]}' for "
            f"{wrong['la_name'].iloc[0]}, expected a DfE number of three digits"
        )


def _merged(
    councils: pd.DataFrame, gaps: pd.DataFrame, shape: _Shape, where: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a key, sorted, and its cells without a number.

    A council that has two ONS codes may have a row for each, of which one holds what the other lacks.
    """
    counted = list(shape.figures)
    columns = [shape.year, "la_code", "dfe_number", "la_name", "region", *shape.also, *counted]
    refuse_twice(councils, [*shape.key, "la_code"], where)
    twice = councils[councils.duplicated(shape.key, keep=False)]
    conflicting = twice.groupby(shape.key)[counted].transform("nunique").gt(1).any(axis=1)
    refuse_twice(twice[conflicting], shape.key, where)
    merged = councils[columns].groupby(shape.key, as_index=False).first()[columns]

    named = gaps[gaps["line"].isin(councils.index)].join(councils[shape.key], on="line")
    named = named.drop_duplicates([*shape.key, "column"])
    values = merged.melt(shape.key, counted, "column", "value")
    still = values.loc[values["value"].isna(), [*shape.key, "column"]]
    missing = still.merge(named, on=[*shape.key, "column"])
    return merged, missing[[*shape.key, "column", "symbol", "reason"]]


def _check_england(rows: pd.DataFrame, merged: pd.DataFrame, shape: _Shape, where: str) -> list[str]:
    """Notes where councils rightly do not sum to an England row of the file; SourceError where they should."""
    nation = rows[rows["level"] == "national"]
    over = [shape.year, *shape.also]
    refuse_twice(nation, over, where)
    england = nation.set_index(over)[list(shape.figures)]
    groups = merged.groupby(over)[list(shape.figures)]
    sums = groups.sum().reindex(england.index, fill_value=0.0)
    gap = merged[list(shape.figures)].isna().groupby([merged[column] for column in over]).any()
    gap = gap.reindex(england.index, fill_value=False)
    absent = _years_left_out(merged, shape.year)
    notes, faults = [], []
    for column in shape.figures:
        for when in england.index[england[column].notna() & (england[column] != sums[column])]:
            found, expected = sums.at[when, column], england.at[when, column]
            parts = when if isinstance(when, tuple) else (when,)
            shown = " ".join(str(part) for part in parts)
            told = f"{column} {shown}: councils sum to {found:,.0f}, England is {expected:,.0f}"
            own = PUBLISHERS_OWN.get((column, when))
            if own == (found, expected):
                notes.append(f"{told} (as published)")
            elif found < expected and (gap.at[when, column] or parts[0] in absent):
                notes.append(f"{told} (councils are missing)")
            else:
                faults.append(told)
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise SourceError(
            f"{where}: {'; '.join(faults[:5])}{more}. Rows are missing or changed; download the file again"
        )
    return notes


def _years_left_out(merged: pd.DataFrame, year: str) -> set[int]:
    """Years for which a council with rows in an earlier and a later year has none.

    The last year of a file that is cut short is not among them.
    """
    every = sorted(merged[year].unique())
    rows = merged.groupby("dfe_number")[year].unique()
    return {y for years in rows for y in every if min(years) < y < max(years) and y not in years}


def _table(parts: list[_Part], where: str) -> Table:
    """One table of the files that contribute to it, joined on its key."""
    shape, key = parts[0].shape, parts[0].shape.key
    counted = [column for part in parts for column in part.shape.figures]
    repeated = {column for column in counted if counted.count(column) > 1}
    if repeated:
        files = ", ".join(part.where for part in parts)
        raise SourceError(f"{where}: {', '.join(sorted(repeated))} stands in more than one file of {files}")
    labels = [column for column in parts[0].frame.columns if column not in counted]
    frame = pd.concat([part.frame for part in parts]).groupby(key, as_index=False).first()[[*labels, *counted]]
    missing = [part.missing for part in parts]
    for part in parts:
        absent = frame[key].merge(part.frame[key], how="left", indicator=True).query("_merge == 'left_only'")[key]
        why = f"no row in {Path(part.where).name}"
        missing.extend(
            absent.assign(column=column, symbol="", reason=why)
            for column in part.shape.figures
            if not absent.empty
        )
    gaps = pd.concat(missing, ignore_index=True)
    return Table(
        shape.kind, frame, tuple(key), gaps, tuple(dict.fromkeys(n for part in parts for n in part.dropped))
    )


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
