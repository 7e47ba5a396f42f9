"""What a scheme costs, and whom: interest, delay, the Exchequer, councils' general funds; and what nobody has
promised to pay: what stays of the base date's deficits, later growth, interest and SEND transport."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import SchemeError
from deficits.simulated import ranges, with_units
from deficits.validation import number
from deficits.writeoff import ledger
from deficits.writeoff.inputs import Array, Inputs
from deficits.writeoff.ledger import Kind, Rows
from deficits.writeoff.result import Result, ranged
from deficits.writeoff.scheme import Scheme

STPR = assumed("financing", "social_time_preference").number
"""Social time preference rate, real, a year."""
STOPPED = "instalments_stopped"
EXCHEQUER: dict[Kind, tuple[str, int]] = {
    "write_off": ("gross", 1),
    "cover": ("gross", 1),
    "safety_valve": (STOPPED, 1),
    "clawback": ("clawed_back", -1),
    "repayment": ("repaid", -1),
    "levy": ("levied", -1),
}
"""Flows that the Exchequer pays (1) or gets back (-1), and the item that each belongs to."""
UNFUNDED = {
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


def interest_by_year(result: Result, places: Rows = slice(None), *, paid: bool = True) -> dict[int, Array]:
    """Interest of each year by council and draw, £, with the scheme or without any; `places`: rows of councils."""
    flows = result.flows if paid else ()
    scheme = result.scheme if paid else result.scheme.model_copy(update={"interest_borne_by": "general_fund"})
    return {step.year: step.interest(places) for step in ledger.walk(scheme, result.inputs, flows)}


def interest(result: Result, authority: str | int | None = None) -> pd.DataFrame:
    """Interest on deficits by year, £, for England or a council: quantiles without, with and saved.

    Paid by the general fund on the average deficit of the year, at the projection's `financing_rate`.
    """
    places = result.rows(authority)
    without, with_grant = interest_by_year(result, places, paid=False), interest_by_year(result, places)
    before, after = (np.array([each[year].sum(axis=0) for year in each]) for each in (without, with_grant))
    found = {"without": before, "with": after, "saved": before - after}
    return with_units(ranged(found, pd.Index(list(without), name="year")), "£")


def later(scheme: Scheme, years: float) -> Scheme:
    """The scheme with every payment of the write-off later by a number of years, in whole or part."""

    def moved(part: Scheme) -> Scheme:
        whole, gone = divmod(round(part.part_of_year + years, 9), 1.0)
        return part.model_copy(update={"paid_in": part.paid_in + int(whole), "part_of_year": gone})

    first, *others = map(moved, scheme.parts)
    return first.model_copy(update={"plus": tuple(others)})


def of_delay(result: Result, years: float = 0.25) -> pd.DataFrame:
    """What councils pay more in interest when the grant comes a quarter (or another part) of a year later, £: by
    year and in total, mean and quantiles."""
    years = number("years", years, SchemeError, 0, 10)
    delayed = type(result).of(later(result.scheme, years), result.inputs)
    now, then = interest_by_year(result), interest_by_year(delayed)
    extra = {year: (then[year] - now[year]).sum(axis=0) for year in now if year > result.scheme.base_year}
    rows = np.array([*extra.values(), np.sum(list(extra.values()), axis=0)])
    return with_units(pd.DataFrame(ranges(rows), pd.Index([*map(str, extra), "total"], name="year")), "£")


def exchequer(result: Result, rate: float = STPR, real: int | None = None) -> pd.DataFrame:
    """What the scheme costs the Exchequer, £: rows by (basis, item), columns mean, p10, p50, p90.

    Bases: cash; real, in prices of `real` (the base year unless given); present, discounted to that year too at
    `rate`. Items: gross grants; instalments_stopped, agreed safety valve instalments no longer paid (a saving, so
    below 0); clawed_back, repaid and levied (below 0); net. Repayments after the projection's last year count.
    """
    rate, flows = number("rate", rate, SchemeError, -0.1, 0.2), exchequer_flows(result)
    at = result.scheme.base_year if real is None else real
    years = sorted({year for by_year in flows.values() for year in by_year})
    rows: dict[tuple[str, str], Array] = {}
    for basis, factor in weights(result.inputs, years, at, rate).items():
        net = np.zeros(result.inputs.shape[1])
        for item, by_year in flows.items():
            rows[basis, item] = np.zeros_like(net) + sum(factor[year] * by_year[year] for year in by_year)
            net += rows[basis, item]
        rows[basis, "net"] = net
    index = pd.MultiIndex.from_tuples(rows, names=["basis", "item"])
    return with_units(pd.DataFrame(ranges(np.array(list(rows.values()))), index), "£")


def exchequer_flows(result: Result) -> dict[str, dict[int, Array]]:
    """What the Exchequer pays (> 0) and gets back or no longer pays (< 0), £ a draw, by item and year.

    Safety valve instalments are compared with those agreed.
    """
    inputs, base = result.inputs, result.scheme.base_year
    flows: dict[str, dict[int, Array]] = {item: {} for item, _ in EXCHEQUER.values()}
    changes: dict[int, Array] = {}
    for flow in result.flows:
        if flow.kind == "safety_valve":
            changes[flow.year] = flow.amount
        elif flow.kind in EXCHEQUER:
            item, sign = EXCHEQUER[flow.kind]
            flows[item][flow.year] = flows[item].get(flow.year, 0.0) + sign * flow.total
    going_on = any(part.safety_valve == "continue" for part in result.scheme.parts)
    for year in (int(year) for year in inputs.agreed if year > base and not going_on):
        saved = inputs.agreed_and_not_projected(year) - float(np.sum(changes.get(year, 0.0)))
        if saved:
            flows[STOPPED][year] = np.full(inputs.shape[1], -saved)
    return flows


def weights(inputs: Inputs, years: list[int], at: int, rate: float) -> dict[str, dict[int, float]]:
    """What £ of each year count for, by basis: cash, in prices of `at`, and discounted to it as well."""
    real = dict(zip(years, map(float, inputs.prices(years, at) if years else ()), strict=True))
    present = {year: factor / (1 + rate) ** (year - at) for year, factor in real.items()}
    return {"cash": dict.fromkeys(years, 1.0), "real": real, "present": present}


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
    return with_units(frame.assign(basis=basis), "£")


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
        cover = [flow for flow in covered.flows if flow.kind == "cover"]
        amounts = {f"growth_{flow.earned}": flow.amount[places].sum(axis=0) for flow in cover}
        amounts["total"] = np.sum(list(amounts.values()), axis=0)
        amounts[f"remaining_{years[-1]}"] = covered.deficit(years[-1])[places].sum(axis=0)
        rows = {name: values[None] for name, values in amounts.items()}
        frames.append(ranged(rows, pd.Index([share], name="share")))
    return with_units(pd.concat(frames), "£")
