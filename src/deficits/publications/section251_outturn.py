"""DfE section 251 outturn: what councils carried forward of the DSG, and what they spent, by authority and line.

The file is `s251_alleducation_la_regional_national.csv` of explore education statistics ("LA and school
expenditure"), 2015-16 on, as its users quote it: CP1252, authority rows in pounds, national ones in £ or £
million. That the level of lines 1.9.x stands in the gross column, from which they read it, is assumed.

Signs are the publisher's: line 1.9.3 is **positive for a deficit** from 2019-20. Spending is positive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import SourceError
from deficits.publications.editions import KEY, REPORTED, Reader, Table, candidates, newest, reported
from deficits.publications.files import columns_of, financial_year, heading, number
from deficits.publications.reading import NO_ROW, Sheet, one_of, open_sheet, refuse, sums_to, table_of

FOLDER = "section251-outturn"
WORDS = {"1.9.3": "carried forward", "1.2.1": "top-up"}
"""What a line must say: a renumbered form is refused, not read as if it were the old one."""
_LINE = re.compile(r"(1\.9\.3|1\.2\.\d+[a-z]?)\b")
"""The balance, and spending on high needs: without place funding (1.0.2) and SEN transport (2.1.4)."""
_NOTHING = ("not applicable", "rounds to zero")
_KEY = ["financial_year", "dfe_number"]
_COUNCIL = "local authority"
_COLUMNS = columns_of(FOLDER)["lines"]


def parse(path: Path) -> tuple[Table, ...]:
    """The tables of the section 251 outturn CSV: a row an authority and year, money in £.

    `carried_forward`: `carried_forward_gbp`, line 1.9.3 as published (positive = deficit). `net_spend`:
    `high_needs_net_spend_gbp`, net spending on lines 1.2.x.

    A line that is not applicable adds nothing to its sum; nor does one that no authority has in that year, since
    the form did not have it. One that others report and this authority does not (suppressed, not available, no
    row) leaves the sum without a number. SourceError for a renumbered line too.
    """
    sheet = open_sheet(path, _COLUMNS, wanted=lambda name: "alleducation" in name.lower())
    rows = sheet.take(_COLUMNS, may_lack=("identifier",))
    rows["level"] = sheet.meaning(rows["level"], one_of("national", "regional", _COUNCIL))
    if "identifier" in rows:
        sheet.meaning(rows["identifier"], one_of("financial year"))
    rows["financial_year"] = sheet.meaning(rows["period"], financial_year)
    line_of = {}
    for text in rows["label"].unique():
        if match := _LINE.match(label := heading(text)):
            line_of[text] = line = match[1]
            if WORDS.get(line, "") not in label:
                raise SourceError(f"{sheet.name}: expected line {line} to say '{WORDS[line]}', found '{text}'")
    rows = rows.assign(line=rows["label"].map(line_of)).dropna(subset="line")
    councils = rows[rows["level"] == _COUNCIL]
    if missing := [line for line in WORDS if line not in set(councils["line"])]:
        raise SourceError(f"{sheet.name}: no line {missing[0]} of local authorities; is it the outturn?")
    councils = councils.assign(dfe_number=sheet.councils(councils, "dfe_number", "la_code_in_source"))
    sheet.refuse_twice(councils, [*_KEY, "line"])
    carried, national = councils["line"] == "1.9.3", rows[rows["level"] == "national"]
    names = councils.sort_values(_KEY, kind="stable").drop_duplicates(_KEY).set_index(_KEY)
    tables = []
    for kind, figure, side, ours in (
        ("carried_forward", "carried_forward_gbp", "gross", carried),
        ("net_spend", "high_needs_net_spend_gbp", "net", ~carried),
    ):
        total, why = _sums(councils[ours], side, names.index, national, sheet)
        table = names[["la_name", "la_code_in_source"]].assign(**{figure: total, f"{figure}?": why})
        columns = [*_KEY, "la_name", "la_code_in_source", figure]
        tables.append(table_of(kind, table.reset_index(), _KEY, columns))
    return tuple(tables)


def _sums(
    rows: pd.DataFrame, side: str, everyone: pd.MultiIndex, national: pd.DataFrame, sheet: Sheet
) -> tuple[pd.Series, pd.Series]:
    """The sum of each council's lines, and why one has no number."""
    rows = sheet.numbers(rows, [side])
    rows = rows.assign(amount=rows[side], why=rows.get(f"{side}?"))
    wide = rows.pivot(index=_KEY, columns="line", values=["amount", "why"]).reindex(everyone)
    amount, why = wide["amount"].astype(float), wide["why"].astype(object).fillna(NO_ROW)
    # A line is compared with its national row in the years in which every authority has a number in it.
    faults = []
    for (year, line), total in national.set_index(["financial_year", "line"])[side].map(number).dropna().items():
        if line in amount and year in everyone:
            parts = amount.loc[year, line]
            # To the pound, or to the whole £ million at the coarsest.
            in_millions = abs(total) * 1e4 < abs(parts.sum())
            rounding, unit = (5e5 / (len(parts) + 1), 1e6) if in_millions else (0.5, 1.0)
            where = f"{sheet.name}, national row, {year}, line {line}"
            faults.append(sums_to(parts, total * unit, rounding, where))
    refuse(faults)
    # A line without a number for anyone in a year was not on that year's form.
    on_form = amount.notna().groupby("financial_year").transform("any")
    lacking = why.where(amount.isna() & on_form & ~why.isin(_NOTHING)).bfill(axis=1).iloc[:, 0]
    return amount.sum(axis=1, min_count=1).mask(lacking.notna()), lacking.fillna(why.iloc[:, 0])


# --- what it gives the panel

FROM_PERCENTAGE = "derived_from_percentage"


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Balances by section 251.

    For 2019-20 to 2021-22 the balance was published as a percentage of the DSG, to 0.01%, so it is derived from
    the DSG and rounded to the £ thousand. Line 1.9.3 itself is positive for a deficit: its sign is turned, except
    in the years in which it was printed positive for a surplus.
    """
    shares = reader.read(FOLDER, "balance_shares", ["balance_pct_of_dsg"])
    allocated = reported(reader.read("dsg-allocations", "allocations", ["total_dsg"]), {"total_dsg": "dsg_total"})
    totals = newest(allocated).set_index(KEY)["value"]
    derived = (shares["balance_pct_of_dsg"] / 100 * totals.reindex(shares.index)).round(-3)
    yield candidates(shares, {"balance_section251": derived}, FROM_PERCENTAGE)
    column = "carried_forward_gbp"
    lines = reader.read(FOLDER, "carried_forward", [column])
    surplus_positive = lines["ends_in"] <= assumed("section251", "surplus_positive_to").value
    balance = lines[column].where(surplus_positive, -lines[column])
    yield candidates(lines, {"balance_section251": balance}, REPORTED, {"balance_section251": column})
