"""Safety valve agreements (DfE): what each council is to be paid against its deficit, in all and by year.

DfE publishes an agreement a council (PDF) and no table of all of them, so this project's own table of what was
reported is read (`payments_by_year_gbp` as "2020-21:4000000;2024-25:960000"). Council names are resolved to DfE
numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deficits.assumptions import assumed
from deficits.authorities import load_authorities
from deficits.errors import PanelError, SourceError
from deficits.formatting import last_day, year_of
from deficits.publications.editions import CANDIDATE, REPORTED, Reader
from deficits.publications.publication import ByHand, Publication, Table
from deficits.publications.reading import (
    figures,
    financial_year,
    keyed_gaps,
    number,
    open_csv,
    refuse,
    refuse_twice,
)
from deficits.raw import SourceFile

_PAYMENTS = "payments_by_year_gbp"
_TOTAL = "total_payment_gbp"
_NEEDED: dict[str, tuple[str, ...]] = {
    "la_name": ("la_name", "local authority"),
    _TOTAL: (_TOTAL,),
    _PAYMENTS: (_PAYMENTS,),
}
_MAY_LACK = ("agreement_year", "first_year", "last_year", "council_contribution_gbp", "note", "url")


def parse(path: Path) -> tuple[Table, ...]:
    """Two tables: `agreements`, a row a council, and `payments`, a row a council and financial year ("2023-24").

    `total_payment_gbp` and `payment_gbp` are £ paid or to be paid to the council, positive; a payment of 0 was
    withheld. `agreements` also has what the file says in words (`agreement_year`, `first_year`, `last_year`,
    `council_contribution_gbp` as reported, `note`, `url`), blanks missing. A year without a known payment has no
    row in `payments`.

    Raises SourceError for a name that is no council's (with the closest), a council twice, a missing column, a
    cell that is neither an amount nor a symbol, and payments above the total.
    """
    text = open_csv(path, _NEEDED)
    rows, printed = text.table(_NEEDED | {name: (name,) for name in _MAY_LACK}, _MAY_LACK)
    words = [name for name in _MAY_LACK if name in rows]
    councils, gaps = figures(rows, {_TOTAL: printed[_TOTAL]}, text.name)
    councils.insert(0, "dfe_number", _numbered(councils["la_name"], text.name))
    refuse_twice(councils, ["dfe_number"], text.name)
    pairs = [
        (code, *pair)
        for line, code, cell in zip(councils.index, councils["dfe_number"], councils[_PAYMENTS], strict=True)
        for pair in _pairs(cell, f"{text.name}, line {line}, column '{printed[_PAYMENTS]}'")
    ]
    key = ["dfe_number", "financial_year"]
    payments = pd.DataFrame(pairs, columns=[*key, "payment_gbp"]).astype({"payment_gbp": float})
    paid = payments.groupby("dfe_number")["payment_gbp"].sum().reindex(councils["dfe_number"]).to_numpy()
    refuse(
        f"{text.name}, line {row.Index}: payments to {row.la_name} sum to £{total:,.0f}, above its total of "
        f"£{row.agreed:,.0f}"
        for row, total in zip(councils.rename(columns={_TOTAL: "agreed"}).itertuples(), paid, strict=True)
        if total > row.agreed or row.agreed < 0
    )
    agreements = councils[["dfe_number", "la_name", _TOTAL, *words]].reset_index(drop=True)
    agreements[words] = agreements[words].where(agreements[words] != "")
    missing = keyed_gaps(gaps, councils, ["dfe_number"])
    return (
        Table("agreements", agreements, ("dfe_number",), missing),
        Table("payments", payments.sort_values(key, ignore_index=True), tuple(key)),
    )


def _numbered(names: pd.Series, source: str) -> list[str]:
    found, faults = [], []
    for line, name in names.items():
        try:
            found.append(load_authorities().resolve(name))
        except PanelError as error:
            faults.append(f"{source}, line {line}: {error}")
    refuse(faults)
    return found


def _pairs(text: str, source: str) -> list[tuple[str, float]]:
    """Years and payments of a cell such as "2020-21:4000000;2024-25:960000"."""
    pairs: dict[str, float] = {}
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        label, _, amount = pair.partition(":")
        year, value = financial_year(label, source), number(amount)
        if value is None or value < 0 or year in pairs:
            raise SourceError(f"{source}: expected each year once, like 2020-21:4000000, found '{pair}'")
        pairs[year] = value
    return list(pairs.items())


# --- what it gives the panel

THEME = "safety_valve"
WHOLE = 0.9
"""Share of councils with a balance and a DSG from which a year's largest deficits are taken to be known."""


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Safety valve payments by year; one of the project's own table is taken as public by the end of its year."""
    paid = _public_payments(reader)
    paid = paid.assign(figure="safety_valve_payment", basis=REPORTED, edition=paid["published"])
    yield paid.rename(columns={"payment": "value"})[CANDIDATE]


def agreements(reader: Reader, balance: pd.Series, dsg: pd.Series) -> pd.DataFrame:
    """Payments by council and year as known on a day: authority, year, value (£, >= 0), basis, source.

    `basis` is reported for a payment that is public, scheduled for one worked out from the agreement (the assumed
    share in the first year, the rest in even parts). It is expected where only the number of councils that were
    negotiating was public on the day: the agreements are then taken to go to those with the largest deficits as a
    share of their DSG, and to pay those off, as was said of them. `balance` and `dsg` are the panel's, by
    authority and year, as known on the day.
    """
    announced = assumed(THEME, "agreements_announced").by_year()
    deals = _deals(reader)
    early = deals["first"] <= assumed(THEME, "first_agreements_to").number
    found = deals["total"]
    unknown = assumed(THEME, "first_agreements_count").number - int((found.notna() & early).sum())
    if unknown > 0:
        deals["total"] = found.fillna(
            (assumed(THEME, "first_agreements_total").number - found[early].sum()) / unknown
        )
    paid = _public_payments(reader)
    rows = []
    for deal in deals.itertuples():
        day = announced.get(deal.first)
        if reader.as_of is not None and (day.isoformat() if day else deal.edition) > reader.as_of:
            continue
        public = paid[paid["authority"] == deal.authority].set_index("year")["payment"].to_dict()
        rows += [(deal.authority, year, amount, "reported", deal.source) for year, amount in public.items()]
        rows += [
            (deal.authority, year, amount, "scheduled", deal.source) for year, amount in _scheduled(deal, public)
        ]
    if reader.as_of is not None:
        rows += _expected(reader, balance, dsg, {row[0] for row in rows})
    return pd.DataFrame(rows, columns=["authority", "year", "value", "basis", "source"])


def _deals(reader: Reader) -> pd.DataFrame:
    """One row an agreement, from the newest edition that has the council: authority, first, last, total, ..."""
    parts = []
    for file in _editions(reader, "agreements"):
        table = reader.raw.table("safety-valve", file.name, [_TOTAL])
        first, last = (
            table.reindex(columns=[column])[column].map(year_of, na_action="ignore").astype(float)
            for column in ("first_year", "last_year")
        )
        authority = [
            reader.authorities.resolve(name, None if pd.isna(year) else int(year))
            for name, year in zip(table["la_name"], first, strict=True)
        ]
        source = [f"safety-valve/{file.name}:{line + 2}" for line in table.index]
        deals = pd.DataFrame({"authority": authority, "first": first, "last": last, "total": table[_TOTAL]})
        parts.append(deals.assign(source=source, edition=last_day(file.published)))
    every = pd.concat(parts, ignore_index=True)
    # What a newer edition leaves out, an older one may say; one that says no first year is not an agreement yet.
    deals = every[::-1].groupby("authority", sort=False).first()
    order = every.drop_duplicates("authority")["authority"]
    deals = deals.loc[order].dropna(subset=["first"]).reset_index()
    return deals.assign(first=deals["first"].astype(int))


def _editions(reader: Reader, kind: str) -> list[SourceFile]:
    """Oldest first; the project's own table, which has no date, is known on every day."""
    files = [
        file
        for file in reader.raw.files("safety-valve", kind)
        if not file.published or reader.as_of is None or last_day(file.published) <= reader.as_of
    ]
    return sorted(files, key=lambda file: last_day(file.published) if file.published else "")


def _public_payments(reader: Reader) -> pd.DataFrame:
    """Payments public on the day: authority, year, payment (£), source, published; newest edition first."""
    rows = []
    for file in _editions(reader, "agreements"):
        table = reader.raw.table("safety-valve", file.name)
        if _PAYMENTS not in table:
            continue
        for line, row in enumerate(table.itertuples(), start=2):
            cell = getattr(row, _PAYMENTS)
            for label, amount in _pairs(cell, f"{file.name}, line {line}") if isinstance(cell, str) else []:
                year = year_of(label)
                day = f"{year}-03-31" if not file.published else last_day(file.published)
                code = reader.authorities.resolve(row.la_name, year)
                rows.append((code, year, amount, f"safety-valve/{file.name}:{line}", day))
    for file in _editions(reader, "payments"):
        table = reader.raw.table("safety-valve", file.name, ["payment_gbp"])
        for line, row in enumerate(table.itertuples(), start=2):
            year, source = year_of(row.financial_year), f"safety-valve/{file.name}:{line}"
            rows.append((row.dfe_number, year, row.payment_gbp, source, last_day(file.published)))
    paid = pd.DataFrame(rows, columns=["authority", "year", "payment", "source", "published"])
    if reader.as_of is not None:
        paid = paid[paid["published"] <= reader.as_of]
    return paid.drop_duplicates(["authority", "year"], keep="last", ignore_index=True)


def _expected(
    reader: Reader, balance: pd.Series, dsg: pd.Series, agreed: set[str]
) -> list[tuple[str, int, float, str, str]]:
    """Payments of the agreements that were said to be negotiated, and not yet published, on a day."""
    as_of = str(reader.as_of)
    announced = assumed(THEME, "agreements_announced").by_year()
    years = int(assumed(THEME, "years_of_an_agreement").number)
    both = pd.DataFrame({"balance": balance, "dsg": dsg})
    whole = both.notna().all(axis=1).groupby(level="year").mean() >= WHOLE
    rows = []
    file = reader.raw.files("safety-valve", "negotiations")[-1]
    for line, round_ in enumerate(reader.raw.table("safety-valve", file.name).itertuples(), start=2):
        first = year_of(round_.agreement_year)
        if not round_.announced <= as_of < announced[first].isoformat() or not whole.any():
            continue
        newest = both.xs(whole.index[whole][-1], level="year")
        others = (newest["balance"] / newest["dsg"]).dropna().drop(list(agreed), errors="ignore")
        for code in others.nsmallest(int(round_.councils)).index:
            total = max(-newest.at[code, "balance"], 0.0)
            place = f"safety-valve/{file.name}:{line}"
            rows += [
                (code, year, part, "expected", place) for year, part in _spread(total, range(first, first + years))
            ]
    return rows


def _scheduled(deal: Any, public: dict[int, float]) -> list[tuple[int, float]]:
    """The years whose payment is not public, and what the agreement leaves for each."""
    years = int(assumed(THEME, "years_of_an_agreement").number)
    last = deal.first + years - 1 if pd.isna(deal.last) else int(deal.last)
    open_years = [year for year in range(deal.first, last + 1) if year not in public]
    left = max(deal.total - sum(public.values()), 0.0)
    if not open_years:
        return []
    if deal.first in public:
        return [(year, left / len(open_years)) for year in open_years]
    return _spread(left, open_years)


def _spread(total: float, years: Sequence[int]) -> list[tuple[int, float]]:
    """The assumed share of an agreement in its first year, and the rest in even parts."""
    first = total if len(years) == 1 else assumed(THEME, "first_payment_share").number * total
    return [(years[0], first), *[(year, (total - first) / (len(years) - 1)) for year in years[1:]]]


PUBLICATION = Publication(
    folder="safety-valve",
    address=ByHand("agreements are letters on a page, one a council"),
    page="https://www.gov.uk/government/publications/dedicated-schools-grant-very-high-deficit-intervention",
    short=("safety",),
    parse=parse,
    load=load,
    reads=frozenset({"agreements", "payments", "negotiations"}),
)
