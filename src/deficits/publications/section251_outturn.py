"""DfE section 251 outturn: what councils carried forward of the DSG, and what they spent, by authority and line.

The file is `s251_alleducation_la_regional_national.csv` of explore education statistics ("LA and school
expenditure"), 2015-16 on, as its users quote it: CP1252, authority rows in pounds, national ones in £ or £
million. That the level of lines 1.9.x stands in the gross column, from which they read it, is assumed.

Signs are the publisher's: line 1.9.3 is **positive for a deficit** from 2019-20. Spending is positive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import SourceError
from deficits.publications import dsg_allocations
from deficits.publications.cells import financial_year, heading, number
from deficits.publications.editions import KEY, REPORTED, Reader, candidates, direct, financial, newest
from deficits.publications.publication import EesRelease, Publication, Table
from deficits.publications.reading import (
    NO_ROW,
    Sheet,
    one_of,
    open_sheet,
    refuse,
    sums_to,
    table_of,
)

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

_NOTHING = ("not applicable", "rounds to zero")
_GROUP_OF = {prefix: group for group, prefixes in GROUPS.items() for prefix in prefixes}
_LINE = re.compile(r"^(\d\.\d\.\d+[a-z]?)\b")
_KEY = ["financial_year", "dfe_number"]
_COUNCIL = "local authority"
_COLUMNS: dict[str, tuple[str, ...]] = {
    "period": ("time_period",),
    "level": ("geographic_level",),
    "dfe_number": ("old_la_code",),
    "la_code_in_source": ("new_la_code",),
    "la_name": ("la_name",),
    "label": ("category_of_expenditure",),
    "gross": ("gross_expenditure",),
    "net": ("net_expenditure",),
    "identifier": ("time_identifier",),
}


def parse(path: Path) -> tuple[Table, ...]:
    """The tables of the section 251 outturn CSV: a row an authority and year, money in £.

    `carried_forward`: `carried_forward_gbp` (line 1.9.3, positive = deficit) and, where the file has line 1.9.2,
    `brought_forward_gbp`, both as published. `net_spend`: net spending by group of lines (`GROUPS`).

    A line that is not applicable adds nothing to its group; nor does one that no authority has in that year, since
    the form did not have it. One that others report and this authority does not (suppressed, not available, no
    row) leaves the group without a number.

    SourceError for another file (the budget, the national file), a missing column, a renumbered line, a cell that
    is no number and no symbol, an authority unknown or twice, and for lines whose authorities do not sum to the
    national row where every authority has a number.
    """
    sheet = open_sheet(path, _COLUMNS, wanted=lambda name: "alleducation" in name.lower())
    rows = _lines(sheet)
    councils = rows[rows["level"] == _COUNCIL].copy()
    if councils.empty:
        raise SourceError(f"{sheet.name}: no rows of local authorities; expected the file by authority")
    councils["dfe_number"] = sheet.councils(councils, "dfe_number", "la_code_in_source")
    sheet.refuse_twice(councils, [*_KEY, "line"])
    carried = councils["line"].isin(CARRIED)
    if not (councils["line"] == "1.9.3").any() or carried.all():
        raise SourceError(
            f"{sheet.name}: no line 1.9.3, or none of 1.0.1 to 2.5.1; is it the section 251 outturn?"
        )
    names = councils.sort_values(_KEY, kind="stable").drop_duplicates(_KEY).set_index(_KEY)
    tables = []
    for kind, lines, side, labels, groups in (
        ("carried_forward", carried, "gross", ["la_name"], {group: (line,) for line, group in CARRIED.items()}),
        ("net_spend", ~carried, "net", ["la_name", "la_code_in_source"], GROUPS),
    ):
        wide = _amounts(councils[lines], side, rows[rows["level"] == "national"], sheet)
        sums = _grouped(wide, groups)
        money = [group for group in groups if group in sums]
        table = names[labels].join(sums, how="right").reset_index()
        tables.append(table_of(kind, table, _KEY, [*_KEY, *labels, *money]))
    return tuple(tables)


def _lines(sheet: Sheet) -> pd.DataFrame:
    """The rows of lines that we use, with `line` and `financial_year`; SourceError for a word not known."""
    rows = sheet.take(_COLUMNS, may_lack=("identifier",))
    folded = {text: heading(text) for text in rows["label"].unique()}
    line_of = {
        text: match[1]
        for text, label in folded.items()
        if (match := _LINE.match(label)) and "total" not in label
        if match[1] in CARRIED or match[1].rpartition(".")[0] in _GROUP_OF
    }
    if not line_of:
        raise SourceError(f"{sheet.name}: no lines such as '1.9.3 ...'; is it the section 251 outturn?")
    refuse(
        f"{sheet.name}: expected line {line} to say '{WORDS[line]}', found '{text}'"
        for text, line in line_of.items()
        if WORDS.get(line, "") not in folded[text]
    )
    rows = rows[rows["label"].isin(line_of)]
    if "identifier" in rows:
        sheet.meaning(rows["identifier"], one_of("financial year"))
    return rows.assign(
        line=rows["label"].map(line_of),
        level=sheet.meaning(rows["level"], one_of("national", "regional", _COUNCIL)),
        financial_year=sheet.meaning(rows["period"], financial_year),
    )


def _amounts(rows: pd.DataFrame, side: str, national: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    """Councils' amounts by line, and `why` one has no number.

    A line is compared with its national row in the years in which every authority has a number in it.
    """
    rows = sheet.numbers(rows, [side]).rename(columns={side: "amount", f"{side}?": "why"})
    wide = rows.reindex(columns=[*_KEY, "line", "amount", "why"]).pivot(index=_KEY, columns="line")
    faults = []
    printed = national.set_index(["financial_year", "line"])[side].map(number).dropna()
    for (year, line), total in printed.items():
        if line not in wide["amount"] or year not in wide.index:
            continue
        parts = wide.loc[year, ("amount", line)]
        # To the pound, or to the whole £ million at the coarsest.
        in_millions = abs(total) * 1e4 < abs(parts.sum())
        rounding, unit = (5e5 / (len(parts) + 1), 1e6) if in_millions else (0.5, 1.0)
        where = f"{sheet.name}, national row, {year}, line {line}"
        faults.append(sums_to(parts, total * unit, rounding, where))
    refuse(faults)
    return wide


def _grouped(wide: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The sums of councils' lines by group, as far as there are any, and `<group>?` why a sum has no number."""
    amount, why = wide["amount"], wide["why"].astype(object).fillna(NO_ROW).where(wide["amount"].isna())
    # A line without a number for anyone in a year was not on that year's form.
    on_form = amount.notna().groupby("financial_year").transform("any")
    lacking = why.where(on_form & ~why.isin(_NOTHING))
    sums = {}
    for group, prefixes in groups.items():
        lines = [line for line in amount if line in prefixes or line.rpartition(".")[0] in prefixes]
        if lines:
            reasons = lacking[lines].bfill(axis=1).iloc[:, 0]
            sums[group] = amount[lines].sum(axis=1, min_count=1).mask(reasons.notna())
            sums[f"{group}?"] = reasons.fillna(why[lines].bfill(axis=1).iloc[:, 0])
    return pd.DataFrame(sums)


# --- what it gives the panel

FROM_PERCENTAGE = "derived_from_percentage"


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Balances by section 251, and net spend on high needs.

    For 2019-20 to 2021-22 the balance was published as a percentage of the DSG, to 0.01%, so it is derived from
    the DSG and rounded to the £ thousand. Line 1.9.3 itself is positive for a deficit: its sign is turned, except
    in the years in which it was printed positive for a surplus.
    """
    shares = reader.read(
        "section251-outturn", "balance_shares", ["balance_pct_of_dsg"], financial("financial_year")
    )
    totals = newest(pd.concat(dsg_allocations.load(reader)).query("figure == 'dsg_total'")).set_index(KEY)["value"]
    derived = (shares["balance_pct_of_dsg"] / 100 * totals.reindex(shares.index)).round(-3)
    yield candidates(shares, {"balance_section251": derived}, FROM_PERCENTAGE)
    column = "carried_forward_gbp"
    lines = reader.read("section251-outturn", "carried_forward", [column], financial("financial_year"))
    surplus_positive = lines["ends_in"] <= assumed("section251", "surplus_positive_to").value
    balance = lines[column].where(surplus_positive, -lines[column])
    yield candidates(lines, {"balance_section251": balance}, REPORTED, column)
    columns = {"high_needs_net_spend_gbp": "high_needs_net_spend"}
    yield from direct("section251-outturn", "net_spend", financial("financial_year"), columns)(reader)


PUBLICATION = Publication(
    folder="section251-outturn",
    address=EesRelease("la-and-school-expenditure", r"all education.*local authority|s251_alleducation"),
    short=("section251", "s251", "outturn"),
    parse=parse,
    load=load,
    reads=frozenset({"balance_shares", "carried_forward", "net_spend"}),
    turned=frozenset({("carried_forward", "carried_forward_gbp")}),
)
