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

Signs are the publisher's: line 1.9.3 is **positive for a deficit** from 2019-20. Spending is positive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import SourceError
from deficits.formatting import year_of
from deficits.publications import dsg_allocations
from deficits.publications.editions import KEY, REPORTED, Reader, candidates, financial, newest
from deficits.publications.publication import EesRelease, Publication, Table
from deficits.publications.reading import (
    dfe_numbers,
    few_councils,
    figures,
    financial_year,
    heading,
    meanings,
    number,
    one_of,
    open_csv,
    refuse,
    refuse_twice,
    sums_to,
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

_NOTHING = {"not applicable", "rounds to zero"}
_GROUP_OF = {prefix: group for group, prefixes in GROUPS.items() for prefix in prefixes}
_LINE = re.compile(r"^(\d\.\d\.\d+[a-z]?)\b")
_KEY = ("financial_year", "dfe_number")
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
    "region": ("region_name",),
}


def parse(path: Path) -> tuple[Table, ...]:
    """The tables of the section 251 outturn CSV, authority rows only, money in £.

    `carried_forward`: one row an authority and year, `carried_forward_gbp` (line 1.9.3, positive = deficit) and,
    where the file has line 1.9.2, `brought_forward_gbp`, both as published.
    `net_spend`: one row an authority and year, net spending by group of lines (`GROUPS`).

    A line that is not applicable adds nothing to its group; nor does one that no authority has in that year, since
    the form did not have it. A line that others report and this authority does not (suppressed, not available, no
    row) leaves the group without a number, with the reason in `missing`. Years in which councils have no row are
    in `notes`.

    SourceError for another file (the budget, the national file), a missing column, a renumbered line, a cell that
    is no number and no symbol, an authority's line twice, an unknown authority, a balance that has left the gross
    column, and for lines whose authorities do not sum to the national row where every authority has a number.
    """
    text = open_csv(path, _COLUMNS, lambda name: "alleducation" in name.lower())
    rows, printed = text.table(_COLUMNS, ("identifier", "region"))
    rows = _lines(rows, text.name)
    councils = rows[rows["level"] == _COUNCIL].copy()
    regions = rows[rows["level"] != _COUNCIL]
    councils["dfe_number"] = dfe_numbers(councils, ["dfe_number", "la_code_in_source"], "la_name", text.name)
    refuse_twice(councils, [*_KEY, "line"], text.name)
    carried = councils["line"].isin(CARRIED)
    for wanted, lines in (
        ("1.9.3 ... carried forward ...", councils["line"] == "1.9.3"),
        ("1.0.1 to 2.5.1", ~carried),
    ):
        if not lines.any():
            raise SourceError(f"{text.name}: no line {wanted}; is it the section 251 outturn?")
    balances = _amounts(councils[carried], "gross", regions, printed, text.name)
    _refuse_level_elsewhere(balances, councils, text.name)
    spend = _amounts(councils[~carried], "net", regions, printed, text.name)
    dropped = tuple(sorted({name or "England" for name in regions.get("region", pd.Series("England"))}))
    notes = few_councils(balances, "financial_year", year_of)
    groups = {line: _GROUP_OF[line.rpartition(".")[0]] for line in spend["line"].unique()}
    return (
        _table("carried_forward", balances, CARRIED, ["la_name"], dropped, notes),
        _table("net_spend", spend, groups, ["la_name", "la_code_in_source"], dropped),
    )


def _lines(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """The rows of lines that we use, with `line` and `financial_year`; SourceError for a word not known."""
    folded = {text: heading(text) for text in rows["label"].unique()}
    line_of = {
        text: match[1]
        for text, label in folded.items()
        if (match := _LINE.match(label))
        and "total" not in label
        and (match[1] in CARRIED or match[1].rpartition(".")[0] in _GROUP_OF)
    }
    if not line_of:
        raise SourceError(f"{source}: no lines such as '1.9.3 ...'; is it the section 251 outturn?")
    refuse(
        f"{source}: expected line {line} to say '{WORDS[line]}', found '{text}'"
        for text, line in line_of.items()
        if line in WORDS and WORDS[line] not in folded[text]
    )
    rows = rows[rows["label"].isin(line_of)].copy()
    rows["line"] = rows["label"].map(line_of)
    rows["level"] = meanings(rows["level"], one_of("national", "regional", _COUNCIL), source, "geographic_level")
    if "identifier" in rows:
        meanings(rows["identifier"], one_of("financial year"), source, "time_identifier")
    if not (rows["level"] == _COUNCIL).any():
        raise SourceError(
            f"{source}: no rows of local authorities; expected the file by authority, not the national one"
        )
    return rows.assign(financial_year=meanings(rows["period"], financial_year, source, "time_period"))


def _amounts(
    rows: pd.DataFrame, side: str, regions: pd.DataFrame, printed: dict[str, str], source: str
) -> pd.DataFrame:
    """The rows with `amount` as a number, `symbol` and `reason` where there is none.

    A line is compared with its national row in the years in which every authority has a number in it.
    """
    counted, gaps = figures(rows, {side: printed[side]}, source)
    counted = counted.join(gaps.set_index("line")[["symbol", "reason"]].astype("str")).rename(
        columns={side: "amount"}
    )
    councils = counted.groupby("financial_year")["dfe_number"].nunique()
    national = regions[regions["level"] == "national"].set_index(["financial_year", "line"])[side]
    totals = {place: number(amount) for place, amount in national.items()}
    faults: list[str | None] = []
    for (year, line), parts in counted.groupby(["financial_year", "line"])["amount"]:
        total = totals.get((year, line))
        if total is None or len(parts) < councils[year]:
            continue
        in_millions = abs(total) * 1e4 < abs(parts.sum())
        # To the pound, or to the whole £ million at the coarsest.
        rounding = 5e5 / (len(parts) + 1) if in_millions else 0.5
        total = total * 1e6 if in_millions else total
        faults.append(sums_to(parts, total, rounding, f"{source}, national row, {year}, line {line}"))
    refuse(faults)
    return counted


def _refuse_level_elsewhere(balances: pd.DataFrame, councils: pd.DataFrame, source: str) -> None:
    """SourceError when line 1.9.3, read from the gross column, is 0 there for all, and not in the net one."""
    net = councils.loc[balances.index, "net"].map(number).fillna(0.0)
    for year, rows in balances[balances["line"] == "1.9.3"].groupby("financial_year"):
        if not rows["amount"].fillna(0.0).any() and net[rows.index].any():
            raise SourceError(
                f"{source}: line 1.9.3 of {year} is 0 in the gross column for every council, not in the net one. "
                "The balance is read from the gross column; ask DfE where it stands now"
            )


# --- the tables


def _table(
    kind: str,
    rows: pd.DataFrame,
    groups: dict[str, str],
    labels: list[str],
    dropped: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> Table:
    """One row an authority and year: the sums of its lines by group, and why a sum has no number."""
    rows = rows.assign(column=rows["line"].map(groups))
    money = [group for group in (*CARRIED.values(), *GROUPS) if (rows["column"] == group).any()]
    cell = [*_KEY, "column"]
    rows["lacking"] = rows["reason"].notna() & ~rows["reason"].isin(_NOTHING)
    # A line without a number for anyone in a year was not on that year's form.
    on_form = rows[rows.groupby(["financial_year", "line"])["amount"].transform("count") > 0].copy()
    on_form["lines"] = on_form.groupby(["financial_year", "column"])["line"].transform("nunique")
    grouped = on_form.groupby(cell)
    short = grouped.size() < grouped["lines"].first()
    amounts = grouped["amount"].sum(min_count=1).mask(grouped["lacking"].any() | short)
    # Named as printed there first.
    frame = rows.sort_values([*_KEY], kind="stable").drop_duplicates(_KEY)[[*_KEY, *labels]]
    frame = frame.merge(amounts.unstack("column").reindex(columns=money), how="left", on=[*_KEY])
    why = rows[rows["reason"].notna()].sort_values("lacking", ascending=False, kind="stable")
    # Where a row is wanting, a line that is not applicable is not the reason.
    why = why.join(short.rename("short"), on=cell)
    why = why[why["lacking"] | ~why["short"].eq(True)].drop_duplicates(cell)[[*cell, "symbol", "reason"]]
    cells = frame.melt([*_KEY], money, "column")
    gaps = cells.loc[cells["value"].isna(), cell].merge(why, on=cell, how="left")
    gaps = gaps.fillna({"symbol": "", "reason": "no row in the file"})
    return Table(kind, frame, _KEY, gaps, dropped, notes)


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
