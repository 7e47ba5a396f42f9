"""Safety valve agreements: what each council has been or was to be paid, by year."""

from __future__ import annotations

import pandas as pd

from deficits.panel.authorities import Authorities
from deficits.panel.years import year_of
from deficits.sources import read_table

ANNOUNCED = {2021: "2021-03-31", 2022: "2022-03-31", 2023: "2023-03-16", 2024: "2024-03-21"}
"""The day by which each year's agreements were public (DfE's list of agreements and the press of those days)."""
FIRST_PART = 0.4
"""Share paid in the first year where the payment is not public: Surrey £40.5m of £100m, Bristol £21.5m of £53.8m,
Kent £56.8m of £142m. An assumption for the others."""
YEARS = 5
"""Years of an agreement whose last year is not public (Dorset, Hillingdon, Rotherham, York): an assumption."""
PUBLISHED_TOTAL, PUBLISHED_DEALS, PUBLISHED_BY = 989e6, 34, 2023
"""£ of the first 34 agreements together (Schools Week, 17 March 2023). An agreement whose amount was not found is
taken to be an even share of what the known ones leave of it: an assumption."""
WHOLE = 0.9
"""Share of councils with a balance and a DSG that a year must have for the largest deficits to be told from it."""
COLUMNS = ["authority", "year", "value", "basis", "source"]


def load_agreements(authorities: Authorities, as_of: str | None, frame: pd.DataFrame) -> pd.DataFrame:
    """Payments by council and year as known on a day: authority, year, value (£, >= 0), basis, source.

    `basis` is reported for a payment that is public, scheduled for one worked out from the agreement: FIRST_PART
    in the first year, the rest in even parts. A payment is taken as public by the end of its year. It is expected
    where only the number of councils that were negotiating was public on the day: the agreements are then taken to
    go to those with the largest deficits as a share of their DSG, and to pay those off, as was said of them.
    `frame` is the panel's, as known on the day.
    """
    table = read_table("safety-valve", "agreements.csv")
    table["first"] = table["first_year"].map(year_of)
    found = table["total_payment_gbp"].astype(float)
    early = table["first"] <= PUBLISHED_BY
    unknown = PUBLISHED_DEALS - int((found.notna() & early).sum())
    table["total"] = found.fillna((PUBLISHED_TOTAL - found[early].sum()) / unknown)
    rows = []
    for line, deal in enumerate(table.itertuples(), start=2):
        if as_of is not None and ANNOUNCED[deal.first] > as_of:
            continue
        code = authorities.resolve(deal.la_name, deal.first)
        public = {year: paid for year, paid in _payments(deal.payments_by_year_gbp) if _known(year, as_of)}
        place = f"safety-valve/agreements.csv:{line}"
        rows += [(code, year, paid, "reported", place) for year, paid in public.items()]
        rows += [(code, year, paid, "scheduled", place) for year, paid in _scheduled(deal, public)]
    if as_of is not None:
        rows += _expected(as_of, frame, {row[0] for row in rows})
    return pd.DataFrame(rows, columns=COLUMNS)


def _expected(as_of: str, frame: pd.DataFrame, agreed: set[str]) -> list[tuple[str, int, float, str, str]]:
    """Payments of the agreements that were said to be negotiated, and not yet published, on a day."""
    rows = []
    for line, round_ in enumerate(read_table("safety-valve", "negotiations.csv").itertuples(), start=2):
        first = year_of(round_.agreement_year)
        balance, grant = frame["balance"].unstack("year"), frame["dsg_total"].unstack("year")
        shares = (balance / grant)[[year for year in balance if _whole(frame, year)]]
        if not round_.announced <= as_of < ANNOUNCED[first] or shares.empty:
            continue
        newest = shares.columns[-1]
        others = shares[newest].dropna().drop(list(agreed), errors="ignore")
        for code in others.nsmallest(int(round_.councils)).index:
            total = max(-balance.at[code, newest], 0.0)
            years = range(first, first + YEARS)
            parts = [FIRST_PART, *[(1 - FIRST_PART) / (YEARS - 1)] * (YEARS - 1)]
            place = f"safety-valve/negotiations.csv:{line}"
            rows += [
                (code, year, part * total, "expected", place) for year, part in zip(years, parts, strict=True)
            ]
    return rows


def _whole(frame: pd.DataFrame, year: int) -> bool:
    both = frame.xs(year, level="year")[["balance", "dsg_total"]].notna().all(axis=1)
    return bool(both.mean() >= WHOLE)


def _known(year: int, as_of: str | None) -> bool:
    return as_of is None or f"{year}-03-31" <= as_of


def _payments(cell: object) -> list[tuple[int, float]]:
    pairs = [part.partition(":") for part in cell.split(";")] if isinstance(cell, str) else []
    return [(year_of(label), float(amount)) for label, _, amount in pairs]


def _scheduled(deal: tuple, public: dict[int, float]) -> list[tuple[int, float]]:
    """The years whose payment is not public, and what the agreement leaves for each."""
    first: int = deal.first  # type: ignore[attr-defined]
    stated = deal.last_year  # type: ignore[attr-defined]
    last = year_of(stated) if isinstance(stated, str) else first + YEARS - 1
    open_years = [year for year in range(first, last + 1) if year not in public]
    left = max(deal.total - sum(public.values()), 0.0)  # type: ignore[attr-defined]
    if not open_years:
        return []
    if first in public or len(open_years) == 1:
        return [(year, left / len(open_years)) for year in open_years]
    rest = (left - FIRST_PART * left) / (len(open_years) - 1)
    return [(year, FIRST_PART * left if year == first else rest) for year in open_years]
