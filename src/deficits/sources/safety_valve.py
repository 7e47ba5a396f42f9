"""Safety valve agreements (DfE): what each council is to be paid against its deficit, in all and by year.

DfE publishes an agreement a council (PDF) and no table of all of them that was seen. Two shapes are read: this
project's own table of what was reported (`payments_by_year_gbp` as "2020-21:4000000;2024-25:960000"), and a table
with a column a financial year ("2020-21", "2020 to 2021 (£m)"), the shape assumed for one that DfE may publish.
Council names are resolved to DfE numbers.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from deficits.errors import SourceError
from deficits.sources.cells import heading, number
from deficits.sources.delimited import Delimited, figures, keyed_gaps, read_delimited, refuse_twice
from deficits.sources.names import dfe_number_named
from deficits.sources.table import Table

_NEEDED: dict[str, tuple[str, ...]] = {
    "la_name": ("la_name", "local authority", "local authority name", "authority", "council"),
    "total_payment_gbp": ("total_payment_gbp", "total payment", "total dfe payment", "total funding", "total"),
}
_PAYMENTS = "payments_by_year_gbp"
_TEXTS: dict[str, tuple[str, ...]] = {
    "agreement_year": ("agreement_year", "agreement year", "year of agreement"),
    "first_year": ("first_year",),
    "last_year": ("last_year",),
    "council_contribution_gbp": ("council_contribution_gbp",),
    "note": ("note", "notes"),
    "url": ("url", "source"),
}
_TOTALS = {"total", "grand total", "england", "all"}
_UNITS = {"£": 1.0, "gbp": 1.0, "£m": 1e6, "£ million": 1e6, "£000": 1e3, "£000s": 1e3, "£k": 1e3}


def parse(path: Path) -> tuple[Table, ...]:
    """Two tables: `agreements`, a row a council, and `payments`, a row a council and financial year ("2023-24").

    `total_payment_gbp` and `payment_gbp` are £ paid or to be paid to the council, positive; a payment of 0 was
    withheld. `agreements` also has what the file tells in words (`agreement_year`, `first_year`, `last_year`,
    `council_contribution_gbp` as reported, `note`, `url`), blanks missing. A year without a known payment has no
    row in `payments`, and its symbol is in `Table.missing` where the file has a column for it.

    Raises SourceError for a name that is no council's (with the closest), a council twice, a missing column, a
    cell that is neither an amount nor a symbol, payments above the total, or councils that do not sum to a row of
    totals.
    """
    try:
        lines = read_delimited(path.read_bytes(), path.name)
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error}") from None
    lines, scales = _units(lines)
    years = {text: year for text in lines.headings if (year := financial_year(text))}
    present = set(lines.headings)
    texts = {name: words for name, words in _TEXTS.items() if present & set(words)}
    by_year = {year: (text,) for text, year in years.items()}
    listed = {} if years else {_PAYMENTS: (_PAYMENTS,)}
    rows = lines.columns({**_NEEDED, **texts, **by_year, **listed})
    named = {"total_payment_gbp": _NEEDED["total_payment_gbp"], **by_year}
    scale = {name: scales.get(next((w for w in words if w in scales), ""), 1.0) for name, words in named.items()}
    rows, gaps = figures(rows, named, lines.where, scale)

    is_total = rows["la_name"].map(heading).isin(_TOTALS)
    councils = rows[~is_total].copy()
    councils.insert(0, "dfe_number", _numbered(councils["la_name"], lines.where))
    refuse_twice(councils, ["dfe_number"], lines.where)
    if (councils[list(named)] < 0).any(axis=None):
        raise SourceError(f"{lines.where}: expected payments to councils of 0 or more, found one below")
    payments = _payments(councils, list(by_year), lines.where)
    _check_sums(councils, payments, rows[is_total], list(named), lines.where)

    told = ["dfe_number", "la_name", "total_payment_gbp", *texts]
    agreements = councils[told].reset_index(drop=True)
    agreements[list(texts)] = agreements[list(texts)].where(agreements[list(texts)] != "")
    gaps = keyed_gaps(gaps, councils, ["dfe_number"])
    untold = gaps["column"] == "total_payment_gbp"
    yearly = gaps[~untold].rename(columns={"column": "financial_year"}).assign(column="payment_gbp")
    key = ["dfe_number", "financial_year"]
    yearly = yearly[[*key, "column", "symbol", "reason"]].reset_index(drop=True)
    dropped = tuple(rows.loc[is_total, "la_name"])
    return (
        Table("agreements", agreements, ("dfe_number",), gaps[untold].reset_index(drop=True), dropped),
        Table("payments", payments, tuple(key), yearly, dropped),
    )


def financial_year(text: str) -> str | None:
    """A financial year in any of its spellings as "2023-24", or None for another heading.

    >>> financial_year("2023 to 2024"), financial_year("2023/24"), financial_year("2023-25")
    ('2023-24', '2023-24', None)
    """
    match = re.fullmatch(r"(20\d\d)(?: to |[-/])(?:20)?(\d\d)", text.strip())
    if match is None or (int(match[1]) + 1) % 100 != int(match[2]):
        return None
    return f"{match[1]}-{match[2]}"


def _units(lines: Delimited) -> tuple[Delimited, dict[str, float]]:
    """The headings without a unit at their end, and what each one's amounts are multiplied by to be pounds."""
    plain, scales = [], {}
    for text in lines.headings:
        match = re.fullmatch(r"(.+?),? \(?((?:£|gbp)[^)]*)\)?", text)
        unit = match[2].strip() if match else ""
        if match and unit not in _UNITS:
            raise SourceError(f"{lines.where}, column '{text}': expected a unit among {', '.join(_UNITS)}")
        plain.append(match[1] if match else text)
        scales[plain[-1]] = _UNITS.get(unit, 1.0)
    return Delimited(lines.where, tuple(plain), lines.rows, lines.above, lines.below), scales


def _numbered(names: pd.Series, where: str) -> list[str]:
    found, faults = [], []
    for line, name in names.items():
        try:
            found.append(dfe_number_named(name, f"line {line}"))
        except SourceError as error:
            faults.append(str(error))
    if faults:
        raise SourceError(f"{where}, {'; '.join(faults)}")
    return found


def _payments(councils: pd.DataFrame, years: list[str], where: str) -> pd.DataFrame:
    columns = ["dfe_number", "financial_year", "payment_gbp"]
    if years:
        long = councils.melt(["dfe_number"], years, "financial_year", "payment_gbp")
        paid = long[long["payment_gbp"].notna()]
    else:
        pairs = [
            (code, *pair)
            for line, code, text in zip(councils.index, councils["dfe_number"], councils[_PAYMENTS], strict=True)
            for pair in _pairs(text, f"{where}, line {line}, column '{_PAYMENTS}'")
        ]
        paid = pd.DataFrame(pairs, columns=columns).astype({"payment_gbp": float})
    return paid.sort_values(columns[:2]).reset_index(drop=True)[columns]


def _pairs(text: str, where: str) -> list[tuple[str, float]]:
    """Years and payments of a cell such as "2020-21:4000000;2024-25:960000"."""
    pairs: dict[str, float] = {}
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        label, _, amount = pair.partition(":")
        year, value = financial_year(label), number(amount)
        if year is None or value is None or value < 0 or year in pairs:
            raise SourceError(f"{where}: expected each year once, like 2020-21:4000000, found '{pair}'")
        pairs[year] = value
    return list(pairs.items())


def _check_sums(
    councils: pd.DataFrame, payments: pd.DataFrame, totals: pd.DataFrame, columns: list[str], where: str
) -> None:
    paid = payments.groupby("dfe_number")["payment_gbp"].sum()
    agreed = councils.set_index("dfe_number")["total_payment_gbp"]
    # A payment may be printed rounded, in millions with one decimal.
    above = paid[paid > agreed.reindex(paid.index) + 50_000 * len(columns)]
    if not above.empty:
        code = above.index[0]
        name = councils.loc[councils["dfe_number"] == code, "la_name"].iloc[0]
        raise SourceError(
            f"{where}: payments to {name} sum to £{above.iloc[0]:,.0f}, its total is £{agreed[code]:,.0f}"
        )
    for line, row in totals.iterrows():
        for column in columns:
            found = councils[column].sum()
            slack = 50_000 * len(councils)
            if pd.notna(row[column]) and councils[column].notna().all() and abs(found - row[column]) > slack:
                raise SourceError(
                    f"{where}, line {line}, column '{column}': councils sum to £{found:,.0f}, "
                    f"the row of totals has £{row[column]:,.0f}"
                )
