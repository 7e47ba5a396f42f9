"""Safety valve agreements (DfE): what each council is to be paid against its deficit, in all and by year.

DfE publishes an agreement a council (PDF) and no table of all of them, so this project's own table of what was
reported is read (`payments_by_year_gbp` as "2020-21:4000000;2024-25:960000"). Council names are resolved to DfE
numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import SourceError
from deficits.formatting import last_day, year_of
from deficits.publications.editions import CANDIDATE, REPORTED, Reader, Table
from deficits.publications.files import columns_of, financial_year, number
from deficits.publications.reading import open_sheet, refuse, table_of

FOLDER = "safety-valve"
_PAYMENTS = "payments_by_year_gbp"
_TOTAL = "total_payment_gbp"
_NEEDED, _OTHERS = columns_of(FOLDER).values()


def parse(path: Path) -> tuple[Table, ...]:
    """One table, `agreements`: a row a council, as this project's own table.

    `total_payment_gbp` is £ paid or to be paid to the council, positive; so is each payment of
    `payments_by_year_gbp`, where one of 0 was withheld and a year without a known payment does not stand. The rest
    is what the file says in words (`agreement_year`, `first_year`, `last_year`, `council_contribution_gbp` as
    reported, `note`, `url`), blanks missing.
    """
    sheet = open_sheet(path, _NEEDED)
    rows = sheet.take(_NEEDED | _OTHERS, may_lack=_OTHERS)
    rows = sheet.numbers(rows, [_TOTAL])
    rows.insert(0, "dfe_number", sheet.councils(rows))
    faults = []
    for line, name, total, cell in rows[["la_name", _TOTAL, _PAYMENTS]].itertuples():
        place = f"{sheet.name}, line {line}"
        paid = sum(payments_of(cell, f"{place}, column '{sheet.printed[_PAYMENTS]}'").values())
        if paid > total or total < 0:
            faults.append(f"{place}: payments to {name} sum to £{paid:,.0f}, above its total of £{total:,.0f}")
    refuse(faults)
    sheet.refuse_twice(rows, ["dfe_number"])
    words = [_PAYMENTS, *(name for name in _OTHERS if name in rows)]
    rows[words] = rows[words].where(rows[words] != "")
    return (table_of("agreements", rows, ["dfe_number"], ["dfe_number", "la_name", _TOTAL, *words]),)


def payments_of(text: str, source: str) -> dict[str, float]:
    """Payments (£) by financial year of a cell such as "2020-21:4000000;2024-25:960000"."""
    payments: dict[str, float] = {}
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        label, _, amount = pair.partition(":")
        year, value = financial_year(label, source), number(amount)
        if value is None or value < 0 or year in payments:
            raise SourceError(f"{source}: expected each year once, like 2020-21:4000000, found '{pair}'")
        payments[year] = value
    return payments


# --- what it gives the panel

THEME = "safety_valve"
WHOLE = 0.9
"""Share of councils with a balance and a DSG from which a year's largest deficits are taken to be known."""


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Safety valve payments by year; one of the project's own table is taken as public by the end of its year."""
    _, paid = _known(reader)
    yield paid.assign(figure="safety_valve_payment", basis=REPORTED, edition=paid["published"])[CANDIDATE]


def agreements(reader: Reader, balance: pd.Series, dsg: pd.Series) -> pd.DataFrame:
    """Payments by council and year as known on a day: authority, year, value (£, >= 0), basis, source and
    length_assumed (whether the last year of the agreement is assumed).

    `basis` is reported for a payment that is public, scheduled for one worked out from the agreement (the assumed
    share in the first year, the rest in even parts), assumed where the agreement's amount was not found. It is
    expected where only the number of councils that were negotiating was public on the day: the agreements are then
    taken to go to those with the largest deficits as a share of their DSG, and to pay those off, as was said of
    them. `balance` and `dsg` are the panel's, by authority and year, as known on the day.
    """
    announced = assumed(THEME, "agreements_announced").by_year()
    length = int(assumed(THEME, "years_of_an_agreement").number)
    deals, payments = _known(reader)
    early = deals["first"] <= assumed(THEME, "first_agreements_to").number
    found = deals["total"]
    unknown = assumed(THEME, "first_agreements_count").number - int((found.notna() & early).sum())
    if unknown > 0:
        left = assumed(THEME, "first_agreements_total").number - found[early].sum()
        deals["total"] = found.fillna(left / unknown)
    deals["basis"] = found.notna().map({True: "scheduled", False: "assumed"})
    by_council = payments.groupby("authority")
    paid = {code: dict(zip(rows["year"], rows["value"], strict=True)) for code, rows in by_council}
    rows = []
    for deal in deals.itertuples():
        if (announced[deal.first].isoformat() if deal.first in announced else deal.edition) > reader.last:
            continue
        public = paid.get(deal.authority, {})
        last = deal.first + length - 1 if pd.isna(deal.last) else int(deal.last)
        open_years = [year for year in range(deal.first, last + 1) if year not in public]
        left = max(deal.total - sum(public.values()), 0.0)
        scheduled = _spread(left, open_years, begun=deal.first in public)
        for basis, amounts in (("reported", public.items()), (deal.basis, scheduled)):
            rows += [
                (deal.authority, year, amount, basis, deal.source, pd.isna(deal.last)) for year, amount in amounts
            ]
    if reader.as_of is not None:
        rows += _expected(reader, balance, dsg, {row[0] for row in rows})
    return pd.DataFrame(rows, columns=["authority", "year", "value", "basis", "source", "length_assumed"])


def _known(reader: Reader) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the editions known on the day say; the project's own, which has no date, is known on every day.

    A row an agreement, from the newest edition that has the council: what it leaves out, an older one may say, and
    one that says no first year is not an agreement yet. And the payments that were public, of the newest edition.
    """
    columns = ["la_name", "first_year", "last_year", _TOTAL, _PAYMENTS]
    parts, paid = [], []
    for file in sorted(reader.raw.files(FOLDER, "agreements"), key=lambda file: file.day):
        if file.day > reader.last:
            continue
        rows = reader.raw.table(FOLDER, file.name, [_TOTAL]).reindex(columns=columns)
        rows = rows.set_axis(["name", "first", "last", "total", "paid"], axis=1)
        for name in ("first", "last"):
            rows[name] = rows[name].map(year_of, na_action="ignore").astype(float)
        years = [None if pd.isna(year) else int(year) for year in rows["first"]]
        rows["authority"] = list(map(reader.authorities.resolve, rows.pop("name"), years))
        rows["source"] = [f"{FOLDER}/{file.name}:{row + 2}" for row in rows.index]
        for council, source, cell in rows[["authority", "source", "paid"]].fillna("").itertuples(index=False):
            by_year = {year_of(label): amount for label, amount in payments_of(cell, file.name).items()}
            paid += [(council, year, by_year[year], source, file.day or f"{year}-03-31") for year in by_year]
        parts.append(rows.drop(columns="paid").assign(edition=last_day(file.published)))
    every = pd.concat(parts)
    deals = every[::-1].groupby("authority", sort=False).first().loc[every["authority"].drop_duplicates()]
    deals = deals.dropna(subset=["first"]).reset_index().astype({"first": int})
    payments = pd.DataFrame(paid, columns=["authority", "year", "value", "source", "published"])
    payments = payments[payments["published"] <= reader.last]
    return deals, payments.drop_duplicates(["authority", "year"], keep="last", ignore_index=True)


def _expected(
    reader: Reader, balance: pd.Series, dsg: pd.Series, agreed: set[str]
) -> list[tuple[str, int, float, str, str, bool]]:
    """Payments of the agreements that were said to be negotiated, and not yet published, on a day."""
    announced = assumed(THEME, "agreements_announced").by_year()
    years = int(assumed(THEME, "years_of_an_agreement").number)
    both = pd.DataFrame({"balance": balance, "dsg": dsg})
    whole = both.notna().all(axis=1).groupby(level="year").mean() >= WHOLE
    rows = []
    file = reader.raw.files(FOLDER, "negotiations")[-1]
    for line, talks in enumerate(reader.raw.table(FOLDER, file.name).itertuples(), start=2):
        first = year_of(talks.agreement_year)
        if not talks.announced <= reader.last < announced[first].isoformat() or not whole.any():
            continue
        newest = both.xs(whole.index[whole][-1], level="year")
        others = (newest["balance"] / newest["dsg"]).dropna().drop(list(agreed), errors="ignore")
        place = f"{FOLDER}/{file.name}:{line}"
        for code in others.nsmallest(int(talks.councils)).index:
            parts = _spread(max(-newest.at[code, "balance"], 0.0), range(first, first + years))
            rows += [(code, year, part, "expected", place, True) for year, part in parts]
    return rows


def _spread(total: float, years: Sequence[int], begun: bool = False) -> list[tuple[int, float]]:
    """The assumed share of an agreement in its first year, and the rest in even parts: all, once it has begun."""
    if begun:
        return [(year, total / len(years)) for year in years]
    first = total if len(years) == 1 else assumed(THEME, "first_payment_share").number * total
    return [(year, (total - first) / (len(years) - 1) if n else first) for n, year in enumerate(years)]
