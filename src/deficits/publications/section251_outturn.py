"""DfE section 251 outturn: what councils carried forward of the DSG, and what they spent, by authority and line.

The file is `s251_alleducation_la_regional_national.csv` of explore education statistics ("LA and school
expenditure"), 2015-16 on. Its columns, as users of the file quote them: `time_period` (202324),
`time_identifier`, `geographic_level`, `country_name`, `country_code`, `region_name`, `region_code`, `la_name`,
`old_la_code` (the DfE number), `new_la_code`, `main_category`, `category_of_expenditure` (`1.9.3 Dedicated Schools
Grant carried forward to next year`), six columns by phase, `gross_expenditure`, `income`, `net_expenditure`,
`net_per_capita_expenditure`. It is written in CP1252 (the dashes of lines 1.2.1 to 1.2.3), authority rows are in
pounds, and 1.2.5 is "SEN support service" in older editions and "services" from 2025.

The file itself was not at hand, so these are assumed: that the level of lines 1.9.x stands in the gross column
(from which its users read it), and that the national rows are in £ or £ million.

A file with a column for each line (`1.9.3 ...` as a heading, with `gross expenditure` or `net expenditure` behind
it where there are both) is read too.

Signs are the publisher's: line 1.9.3 is **positive for a deficit** from 2019-20. Spending is positive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from deficits.authorities import load_authorities
from deficits.errors import SourceError
from deficits.publications import dsg_allocations
from deficits.publications.cells import columns_by_meaning, heading, number
from deficits.publications.delimited import figures, refuse_twice
from deficits.publications.editions import KEY, REPORTED, Reader, candidates, financial, newest
from deficits.publications.publication import EesRelease, Publication, Table
from deficits.publications.reading import csv_columns, csv_headings, financial_year, refuse, sums_to

CARRIED = {"1.9.3": "carried_forward_gbp", "1.9.2": "brought_forward_gbp"}
"""Lines of the DSG's balance; their level stands in the gross column."""

GROUPS = {
    "high_needs_net_spend_gbp": ("1.2",),
    "schools_block_gbp": ("1.0",),
    "central_school_services_gbp": ("1.1", "1.4", "1.5", "1.6", "1.7"),
    "early_years_gbp": ("1.3",),
    "other_education_and_community_gbp": ("2.0", "2.1", "2.2", "2.3", "2.4", "2.5"),
}
"""Groups of net spending by the first two parts of their lines; totals (1.8.1, 2.4.3) are left out. High needs
leaves out place funding (1.0.2, in the schools block) and SEN transport (2.1.4, in other)."""

WORDS = {"1.9.3": "carried forward", "1.9.2": "brought forward", "1.2.1": "top-up", "1.3.1": "early years"}
"""What a line must say: a renumbered form is refused, not read as if it were the old one."""

_NOTHING = {"not applicable", "rounds to zero"}
_GROUP_OF = {prefix: group for group, prefixes in GROUPS.items() for prefix in prefixes}
_LINE = re.compile(r"^(\d\.\d\.\d+[a-z]?)\b")
_SIDE = re.compile(r"\b(gross|net|income)([_ ]expenditure)?\)?$")
_KEY = ["financial_year", "dfe_number"]
_NO_ROW = "no row in the file"

_PLACE_COLUMNS: dict[str, tuple[str, ...]] = {
    "time_period": ("time_period",),
    "geographic_level": ("geographic_level",),
    "old_la_code": ("old_la_code",),
    "la_code_in_source": ("new_la_code",),
    "la_name": ("la_name",),
}
_EXTRA_COLUMNS: dict[str, tuple[str, ...]] = {
    "time_identifier": ("time_identifier",),
    "region_name": ("region_name",),
}
_LINE_COLUMN: tuple[str, ...] = ("category_of_expenditure",)
_VALUE_COLUMNS: dict[str, tuple[str, ...]] = {
    "gross_expenditure": ("gross_expenditure", "gross"),
    "net_expenditure": ("net_expenditure", "net"),
}


def parse(path: Path) -> tuple[Table, ...]:
    """The tables of the section 251 outturn CSV, authority rows only, money in £.

    `carried_forward`: one row an authority and year, `carried_forward_gbp` (line 1.9.3, positive = deficit) and,
    where the file has line 1.9.2, `brought_forward_gbp`, both as published.
    `net_spend`: one row an authority and year, net spending by group of lines (`GROUPS`).

    A line that is not applicable adds nothing to its group; nor does one that no authority has in that year, since
    the form did not have it. A line that others report and this authority does not (suppressed, not available, no
    row) leaves the group without a number, with the reason in `missing`.

    SourceError for another file (the budget, the national file), a missing column, a renumbered line, a cell that
    is no number and no symbol, an authority's line twice, an unknown authority, and for lines whose authorities do
    not sum to the national row where every authority has a number.
    """
    headings = csv_headings(path)
    lines = _lines_of(path, headings)
    frame = _authorities(lines, path.name)
    regions = lines[lines["level"] != "local authority"]
    labels = sorted({name or "England" for name in regions["region_name"]})
    balances = frame[frame["line"].isin(CARRIED)]
    if not (balances["line"] == "1.9.3").any():
        raise SourceError(f"{path.name}: no line '1.9.3 ... carried forward ...'; is it the section 251 outturn?")
    spend = frame[~frame["line"].isin(CARRIED)]
    if spend.empty:
        raise SourceError(f"{path.name}: no lines 1.0.1 to 2.5.1; is it the section 251 outturn?")
    return (
        _carried_forward(_numbers(balances, regions, path.name), tuple(labels)),
        _net_spend(_numbers(spend, regions, path.name), tuple(labels)),
    )


# --- both shapes to one row a line


def _lines_of(path: Path, headings: list[str]) -> pd.DataFrame:
    """One row a place, year and line that we use, with its amount as text; the index is the line in the file."""
    folded = [heading(text) for text in headings]
    places = dict(_PLACE_COLUMNS)
    places |= {name: words for name, words in _EXTRA_COLUMNS.items() if set(words) & set(folded)}
    lines = {text: match[1] for text in folded if (match := _LINE.match(text))}
    if lines:
        lines = _chosen(lines, path.name)
        found = columns_by_meaning(folded, places | {text: (text,) for text in lines}, path.name)
        cells = csv_columns(path, found, len(headings))
        rows = pd.concat(
            cells[[*places]].assign(label=text, line=line, column=text, amount=cells[text])
            for text, line in lines.items()
        )
    else:
        found = columns_by_meaning(folded, places | {"label": _LINE_COLUMN} | _VALUE_COLUMNS, path.name)
        rows = csv_columns(path, found, len(headings))
        rows["label"] = rows["label"].map(heading)
        rows["line"] = rows["label"].str.extract(_LINE)[0]
        rows = rows[rows["line"].map(_is_used) & ~rows["label"].str.contains("total")].copy()
        rows["column"] = rows["line"].isin(CARRIED).map({True: "gross_expenditure", False: "net_expenditure"})
        gross, net = rows.pop("gross_expenditure"), rows.pop("net_expenditure")
        rows["amount"] = gross.where(rows["column"] == "gross_expenditure", net)
    if rows.empty:
        raise SourceError(f"{path.name}: no lines such as '1.9.3 ...'; is it the section 251 outturn?")
    _refuse_renumbered(rows[["line", "label"]].drop_duplicates(), path.name)
    return _checked_places(rows, path.name)


def _chosen(lines: dict[str, str], where: str) -> dict[str, str]:
    """Of the wide shape's columns the one for each line: gross for the DSG's balance, net for spending.

    A line with a single column that does not say which it is has that one.
    """
    chosen: dict[str, str] = {}
    faults: list[str | None] = []
    for line in sorted({line for line in lines.values() if _is_used(line)}):
        columns = [text for text, other in lines.items() if other == line and "total" not in text]
        side = "gross" if line in CARRIED else "net"
        marked = {text: match[1] for text in columns if (match := _SIDE.search(text))}
        fitting = [text for text in columns if marked.get(text, side) == side]
        if len(fitting) == 1:
            chosen[fitting[0]] = line
        elif columns:
            found = ", ".join(f"'{text}'" for text in columns)
            faults.append(f"{where}: expected one {side} column of line {line}, found {found}")
    refuse(faults)
    return chosen


def _is_used(line: object) -> bool:
    return isinstance(line, str) and (line in CARRIED or line.rpartition(".")[0] in _GROUP_OF)


def _refuse_renumbered(labels: pd.DataFrame, where: str) -> None:
    faults: list[str | None] = [
        f"{where}: expected line {row.line} to say '{WORDS[row.line]}', found '{row.label}'"
        for row in labels.itertuples()
        if row.line in WORDS and WORDS[row.line] not in row.label
    ]
    refuse(faults)


def _checked_places(lines: pd.DataFrame, where: str) -> pd.DataFrame:
    """With `level` and `financial_year` in place of the file's own; SourceError for levels and periods unknown."""
    lines = lines.assign(level=lines["geographic_level"].str.strip().str.lower())
    if "region_name" not in lines:
        lines["region_name"] = ""
    faults: list[str | None] = [
        f"{where}, column '{column}': expected {' or '.join(known)}, found '{text}' on line {line}"
        for column, known in (
            ("level", ("national", "regional", "local authority")),
            ("time_identifier", ("financial year",)),
        )
        if column in lines
        for line, text in lines[column].str.strip().str.lower().drop_duplicates().items()
        if text not in known
    ]
    refuse(faults)
    if not (lines["level"] == "local authority").any():
        raise SourceError(
            f"{where}: no rows of local authorities, only {', '.join(sorted(set(lines['level'])))}; "
            "expected the file by authority, not the national one"
        )
    years = {text: financial_year(text, f"{where}, column 'time_period'") for text in set(lines["time_period"])}
    return lines.assign(financial_year=lines["time_period"].map(years))


# --- authorities and numbers


def _authorities(lines: pd.DataFrame, where: str) -> pd.DataFrame:
    """The rows of authorities with their DfE numbers; SourceError lists every unknown one."""
    frame = lines[lines["level"] == "local authority"].copy()
    for column in ("old_la_code", "la_code_in_source", "la_name"):
        frame[column] = frame[column].str.strip()
    known: dict[tuple[str, str, str], str] = {}
    faults: list[str | None] = []
    for row in frame.drop_duplicates(["old_la_code", "la_code_in_source", "la_name"]).itertuples():
        place = (row.old_la_code, row.la_code_in_source, row.la_name)
        try:
            known[place] = load_authorities().of_codes(*place[:2], name=place[2])
        except SourceError as error:
            faults.append(f"{where}, line {row.Index}: {error}")
    refuse(faults)
    places = zip(frame["old_la_code"], frame["la_code_in_source"], frame["la_name"], strict=True)
    frame["dfe_number"] = [known[place] for place in places]
    refuse_twice(frame, [*_KEY, "line"], where)
    return frame


def _numbers(rows: pd.DataFrame, regions: pd.DataFrame, where: str) -> pd.DataFrame:
    """The rows with `amount` as a number, `symbol` and `reason` where there is none, held to the national rows."""
    parts = []
    faults: list[str | None] = []
    # By line: in the wide shape the lines of the form share a line of the file.
    for (_, column), part in rows.groupby(["line", "column"], sort=False):
        try:
            counted, gaps = figures(part.rename(columns={"amount": column}), [column], where)
        except SourceError as error:
            faults.append(str(error))
            continue
        reasons = gaps.set_index("line")[["symbol", "reason"]]
        parts.append(counted.rename(columns={column: "amount"}).join(reasons))
    refuse(faults)
    counted = pd.concat(parts)
    _check_national(counted, regions, where)
    return counted


def _check_national(counted: pd.DataFrame, regions: pd.DataFrame, where: str) -> None:
    """Holds a year's line to its national row, where every authority of that year has a number in that line."""
    councils = counted.groupby("financial_year")["dfe_number"].nunique()
    national = regions[regions["level"] == "national"]
    totals = {
        (row.financial_year, row.line): number(row.amount)
        for row in national[national["line"].isin(counted["line"])].itertuples()
    }
    faults: list[str | None] = []
    for (year, line), parts in counted.groupby(["financial_year", "line"])["amount"]:
        total = totals.get((year, line))
        if total is None or len(parts) < councils[year]:
            continue
        in_millions = abs(total) * 1e4 < abs(parts.sum())
        printed = total * 1e6 if in_millions else total
        # To the pound, or to the whole £ million at the coarsest.
        rounding = 5e5 / (len(parts) + 1) if in_millions else 0.5
        faults.append(sums_to(parts, printed, rounding, f"{where}, national row, {year}, line {line}"))
    refuse(faults)


# --- the tables


def _carried_forward(rows: pd.DataFrame, dropped: tuple[str, ...]) -> Table:
    money = [column for line, column in CARRIED.items() if (rows["line"] == line).any()]
    rows = rows.assign(column=rows["line"].map(CARRIED))
    amounts = rows.pivot(index=_KEY, columns="column", values="amount")[money]
    frame = _named(rows).merge(amounts.reset_index(), on=_KEY, validate="one_to_one")
    frame = frame[[*_KEY, "la_name", *money]]
    return Table("carried_forward", frame, tuple(_KEY), _gaps(frame, rows, money), dropped)


def _net_spend(rows: pd.DataFrame, dropped: tuple[str, ...]) -> Table:
    every = rows.assign(column=rows["line"].str.rpartition(".")[0].map(_GROUP_OF))
    every["lacking"] = every["reason"].notna() & ~every["reason"].isin(_NOTHING)
    money = [group for group in GROUPS if (every["column"] == group).any()]
    # A line without a number for anyone in a year was not on that year's form.
    on_form = every.groupby(["financial_year", "line"])["amount"].transform("count") > 0
    rows = every[on_form].copy()
    rows["lines"] = rows.groupby(["financial_year", "column"])["line"].transform("nunique")
    groups = rows.groupby([*_KEY, "column"])
    sums = groups.agg(
        amount=("amount", lambda amounts: amounts.sum(min_count=1)),
        lacking=("lacking", "any"),
        rows=("line", "size"),
        lines=("lines", "first"),
    )
    short = sums["rows"] < sums["lines"]
    amounts = sums["amount"].mask(sums["lacking"] | short).unstack("column").reindex(columns=money)
    frame = _named(every).merge(amounts.reset_index(), how="left", on=_KEY, validate="one_to_one")
    frame = frame[[*_KEY, "la_name", "la_code_in_source", *money]]
    why = every[every["reason"].notna()].sort_values("lacking", ascending=False, kind="stable")
    # Where a row is wanting, a line that is not applicable is not the reason.
    why = why.join(short.rename("short"), on=[*_KEY, "column"])
    why = why[why["lacking"] | ~why["short"].eq(True)]
    return Table("net_spend", frame, tuple(_KEY), _gaps(frame, why, money), dropped)


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """One row an authority and year, with its name and code as printed there first."""
    return rows.sort_values(_KEY, kind="stable").drop_duplicates(_KEY)[[*_KEY, "la_name", "la_code_in_source"]]


def _gaps(frame: pd.DataFrame, rows: pd.DataFrame, money: list[str]) -> pd.DataFrame:
    """The frame's cells without a number, each with the first symbol and reason that `rows` has for it."""
    cells = frame.melt(id_vars=_KEY, value_vars=money, var_name="column")
    cells = cells.loc[cells["value"].isna(), [*_KEY, "column"]]
    why = rows.drop_duplicates([*_KEY, "column"])[[*_KEY, "column", "symbol", "reason"]]
    gaps = cells.merge(why, on=[*_KEY, "column"], how="left")
    return gaps.assign(symbol=gaps["symbol"].fillna(""), reason=gaps["reason"].fillna(_NO_ROW))


# --- what it gives the panel

FROM_PERCENTAGE = "derived_from_percentage"
SURPLUS_POSITIVE_TO = 2019
"""Line 1.9.3 was printed positive for a surplus up to 2018-19, and is positive for a deficit since (DfE's SEND and
alternative provision dashboard leaves the earlier years out for that reason)."""


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Balances by section 251, and net spend on high needs.

    For 2019-20 to 2021-22 the balance was published as a percentage of the DSG, to 0.01%, so it is derived from the
    DSG and rounded to the £ thousand. Line 1.9.3 itself is positive for a deficit: its sign is turned.
    """
    shares = reader.read(
        "section251-outturn", "balance_shares", ["balance_pct_of_dsg"], financial("financial_year")
    )
    totals = newest(pd.concat(dsg_allocations.load(reader)).query("figure == 'dsg_total'")).set_index(KEY)["value"]
    derived = (shares["balance_pct_of_dsg"] / 100 * totals.reindex(shares.index)).round(-3)
    yield candidates(shares, {"balance_section251": derived}, FROM_PERCENTAGE)
    column = "carried_forward_gbp"
    lines = reader.read("section251-outturn", "carried_forward", [column], financial("financial_year"))
    balance = lines[column].where(lines["ends_in"] <= SURPLUS_POSITIVE_TO, -lines[column])
    yield candidates(lines, {"balance_section251": balance}, REPORTED, column)
    column = "high_needs_net_spend_gbp"
    spend = reader.read("section251-outturn", "net_spend", [column], financial("financial_year"))
    yield candidates(spend, {"high_needs_net_spend": spend[column]}, REPORTED, column)


PUBLICATION = Publication(
    folder="section251-outturn",
    address=EesRelease("la-and-school-expenditure", r"all education.*local authority|s251_alleducation"),
    page="https://explore-education-statistics.service.gov.uk/find-statistics/la-and-school-expenditure",
    short=("section251", "s251", "outturn"),
    parse=parse,
    load=load,
    reads=frozenset({"balance_shares", "carried_forward", "net_spend"}),
    turned=frozenset({("carried_forward", "carried_forward_gbp")}),
)
