"""What nobody has promised to pay: what stays of the base date's deficits, later growth, interest and SEND
transport, and what it would cost to cover a share of the growth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import SchemeError
from deficits.simulated import ranges
from deficits.writeoff.costs import interest_by_year
from deficits.writeoff.inputs import Array
from deficits.writeoff.result import Result, ranged

ITEMS = {
    "left": "What the scheme leaves",
    "growth": "Growth of deficits",
    "remaining": "Deficit that remains",
    "interest": "Interest on it, from general funds",
    "transport": "SEND home-to-school transport",
}
"""The rows of `unfunded` in words."""
AT_A_YEAR_END = ("left", "remaining")
"""Rows that are of 31 March, and not of a financial year."""
SHARES = (0.25, 0.5, 0.75, 0.9, 1.0)
"""Shares of later growth that are priced unless others are asked for."""


def unfunded(result: Result, authority: str | int | None = None) -> pd.DataFrame:
    """What no scheme and no announcement pays, of England or one council: rows by (item, year), columns p10, p50,
    p90 (£) and basis.

    left: of the deficits at the base date; growth: change of the remaining deficit in a year, grant that is owed
    counted as paid (below 0 where it falls); remaining: at the year end, which is what is left and the growth
    since, added up, in every draw; interest: of the general fund on it, which is paid each year and in no balance;
    transport: home-to-school transport for children with SEND, which no grant for DSG deficits covers: published
    for England in some years, blank where it is not, and for every council.
    """
    base, places = result.scheme.base_year, result.rows(authority)
    later = [year for year in result.inputs.years if base < year]
    before = result.left.values.T[places].sum(axis=0)
    rows: dict[tuple[str, int], Array] = {("left", base): before}
    interest = interest_by_year(result, places)
    transport = assumed("write_offs", "send_transport")
    published = {} if authority is not None else transport.by_year(result.projection.panel.as_of)
    for year in later:
        now = result.deficit(year)[places].sum(axis=0)
        rows["growth", year] = now - before
        rows["remaining", year] = now
        rows["interest", year] = interest[year].sum(axis=0)
        rows["transport", year] = np.full(len(now), published.get(year, np.nan))
        before = now
    index = pd.MultiIndex.from_tuples(rows, names=["item", "year"])
    frame = pd.DataFrame(ranges(np.array(list(rows.values()))), index=index).drop(columns="mean")
    stated = f"stated; {transport.publisher}"
    missing = "not published by council" if authority is not None else "not published for the year"
    known = frame["p50"].notna()
    basis = np.where(index.get_level_values("item") == "transport", np.where(known, stated, missing), "estimated")
    return frame.assign(basis=basis)


def price_of_cover(
    result: Result, shares: Sequence[float] = SHARES, authority: str | int | None = None
) -> pd.DataFrame:
    """What it would cost to cover a share of the growth of deficits in each year from the base date to the end of
    the override, on top of the scheme: one row a share; quantiles of the cover by year of growth, of all of it,
    and of the deficit that then remains (£).

    Raises SchemeError where the scheme covers growth already, or the projection ends before the last payment.
    """
    scheme, places = result.scheme, result.rows(authority)
    if any(part.cover for part in scheme.parts):
        raise SchemeError(f"'{scheme.title}' covers growth already: price it on a scheme without cover")
    years = range(scheme.base_year + 1, scheme.override_ends + 1)
    frames = []
    for share in shares:
        covered = type(result).of(scheme.changed(cover={"shares": dict.fromkeys(years, share)}), result.inputs)
        cover = [flow for flow in covered.paid.flows if flow.kind == "cover"]
        amounts = {f"growth_{flow.earned}": flow.amount[places].sum(axis=0) for flow in cover}
        amounts["total"] = np.sum(list(amounts.values()), axis=0)
        amounts[f"remaining_{years[-1]}"] = covered.deficit(years[-1])[places].sum(axis=0)
        rows = {name: values[None] for name, values in amounts.items()}
        frames.append(ranged(rows, pd.Index([share], name="share")))
    return pd.concat(frames)
