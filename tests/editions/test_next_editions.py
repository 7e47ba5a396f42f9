"""Each publication one edition on, and subsets of them: the panel, the projection and the write-off still work."""

from __future__ import annotations

from functools import partial

import pandas as pd
import pytest

import deficits as d
from deficits.panel import reconcile
from tests.editions.conftest import Edition, Made, Make
from tests.editions.relabelled import (
    COUNCILS,
    EDITIONS,
    allocations,
    balances,
    flows,
    newest_balances,
    plans_by_placement,
    plans_by_single_age,
    plans_total,
    specialist_spend,
    spend,
)

NEWEST = newest_balances()
A_FEW = tuple(COUNCILS[::26])
LATER: dict[int, Edition] = {1: balances, **{on: partial(balances, last=NEWEST + on) for on in (2, 3)}}
GAPS = {years: partial(balances, last=NEWEST + years, missing=A_FEW) for years in (1, 2, 3)}

SUBSETS: dict[str, tuple[Edition, ...]] = {
    "balances and spend": (LATER[2], spend),
    "balances and allocations": (LATER[2], allocations),
    "plans only": (plans_by_placement, plans_by_single_age, plans_total, flows),
    "money without balances": (spend, allocations, specialist_spend),
    "all": tuple(EDITIONS.values()),
    "all but spend": tuple(edition for edition in EDITIONS.values() if edition is not spend),
}


def check_works(case: Made) -> None:
    """Panel, sums, projection and write-off can be made, and no balance of the projection is missing."""
    assert set(reconcile(case.panel)["state"]) <= {"agrees", "incomplete"}
    assert case.projection.balance.notnull().all()
    summary = d.write_off(case.projection, d.Scheme.read("high-needs-stability-grant")).summary()
    assert summary.at["grant", "p50"] > 0
    for claim in case.claims:
        found = claim.found(case.panel)
        pd.testing.assert_series_equal(found.reindex(claim.expected.index), claim.expected, check_names=False)


@pytest.mark.parametrize("name", EDITIONS)
def test_each_publication_one_edition_on(name: str, made: Make) -> None:
    check_works(made(EDITIONS[name]))


@pytest.mark.parametrize("name", SUBSETS)
def test_subsets_of_publications_one_edition_on(name: str, made: Make) -> None:
    check_works(made(*SUBSETS[name]))


def test_a_certified_edition_replaces_the_provisional_one_from_its_day_on(made: Make) -> None:
    first = partial(balances, last=NEWEST + 1, missing=A_FEW, certified="N", published="2026-12-09")
    case = made(first, LATER[1])
    year = NEWEST + 1
    assert case.panel.figure("balance_mhclg")[year].notna().sum() == len(COUNCILS)
    before = case.as_of("2026-12-09").figure("balance_mhclg")[year]
    assert set(COUNCILS) - set(before.dropna().index) == set(A_FEW)
