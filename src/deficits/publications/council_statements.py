"""What councils say of their own DSG balances: outturns before the national returns have them, and forecasts."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from deficits.formatting import last_day, year_of
from deficits.publications.editions import CANDIDATE, KEY, Reader
from deficits.publications.publication import ByHand, Publication

FOLDER, KIND = "council-statements", "stated_balances"
STATED = "stated"
"""Basis of a balance that the council itself stated and no national return has yet."""


def statements(reader: Reader) -> pd.DataFrame:
    """Every statement that was public on the reader's day, one row each.

    Columns: source (`publication/file:line`), authority (DfE number), year, name, measure (dsg_balance;
    dsg_balance_low and dsg_balance_high of a range; high_needs_block_balance, which is not the DSG's balance),
    value (£, negative for a deficit), rounding (£, to what the page rounds), kind (outturn, forecast; derived
    and unclear are neither), detail, trust (A the council or a minister, B press that quotes the council, C a
    machine's summary of council papers, D not to be used), source_kind, published (day, month or year; missing
    where not seen), use (bool: False is shown as not used), reason (why not), url and words (as the page has
    them, shortened).
    """
    rows = reader.dated(FOLDER, KIND, ["value_gbp", "rounding_gbp"])
    rows["use"] = rows["use"].eq("yes") & rows["trust"].ne("D")
    rows.insert(1, "year", rows.pop("financial_year").map(year_of).astype("int64"))
    return rows.rename(
        columns={"dfe_number": "authority", "la_name": "name", "value_gbp": "value", "rounding_gbp": "rounding"}
    )


def load(reader: Reader) -> Iterator[pd.DataFrame]:
    """Outturns of the whole DSG that councils stated, `balance_stated`: one a council and year.

    Of several the most trusted, and of those the newest. Forecasts, and what is not to be used, never count.
    """
    every = statements(reader)
    outturns = every[every["use"] & every["kind"].eq("outturn") & every["measure"].eq("dsg_balance")]
    public = outturns["published"].map(last_day)
    best = outturns.assign(figure="balance_stated", basis=STATED, published=public, edition=public)
    best = best.sort_values("published", ascending=False).sort_values("trust", kind="stable")
    yield best.drop_duplicates(KEY).sort_values(KEY)[CANDIDATE]


PUBLICATION = Publication(
    folder=FOLDER,
    address=ByHand("statements are read one by one in councils' papers and the press"),
    short=("statements",),
    load=load,
)
