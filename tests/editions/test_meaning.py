"""What a projection from newer balances means: published where published, a range only where it is not known."""

from __future__ import annotations

import numpy as np
import pytest

import deficits as d
from tests.editions.conftest import Edition, Made, Make
from tests.editions.relabelled import COUNCILS, balance_at, national, plans_by_placement, spend
from tests.editions.test_next_editions import A_FEW, GAPS, LATER, NEWEST, check_works

GRANT = d.Scheme.read("high-needs-stability-grant")
RANGE = ["p10", "p90"]


def published_gross(case: Made, year: int) -> float:
    """£, the sum of the deficits in the panel."""
    return float((-case.panel.figure("balance")[year]).clip(lower=0.0).sum())


@pytest.mark.parametrize("years", LATER)
def test_the_projection_starts_at_the_newest_year_end_and_is_as_published_until_then(
    years: int, made: Make
) -> None:
    case, start = made(LATER[years]), NEWEST + years
    check_works(case)
    assert case.projection.base_year == start
    assert case.panel.figure("balance")[start].reindex(COUNCILS).notna().all()
    for year in (year for year in case.projection.years if NEWEST < year <= start):
        gross = case.projection.england().loc[("gross", year)]
        assert gross[RANGE].to_numpy() == pytest.approx(published_gross(case, year), rel=1e-12)
    after = case.projection.england().loc[("gross", start + 1)]
    assert after["p90"] > after["p10"]


@pytest.mark.parametrize("years", GAPS)
def test_only_councils_without_a_balance_have_a_range_at_the_start(years: int, made: Make) -> None:
    case, start = made(GAPS[years]), NEWEST + years
    check_works(case)
    at_start = case.projection.balance.sel(year=start)
    assert case.projection.base_year == start
    varies = at_start.std("draw").to_series() > 0
    # A council without a block and a deficit (Isles of Scilly, City of London) need not vary.
    assert set(varies.index[varies]) <= set(A_FEW)
    assert varies[list(A_FEW)].sum() >= len(A_FEW) - 1
    known = [code for code in COUNCILS if code not in A_FEW]
    returned = at_start.sel(authority=known).transpose("authority", "draw").values
    assert returned == pytest.approx(np.repeat(balance_at(start)[known].to_numpy()[:, None], 200, axis=1))


def test_what_a_council_did_not_return_is_estimated_near_what_the_others_imply(made: Make) -> None:
    case, start = made(GAPS[2]), NEWEST + 2
    missing = case.projection.balance.sel(year=start, authority=list(A_FEW)).sum("authority")
    low, high = np.quantile(missing.values, [0.01, 0.99])
    moved = balance_at(start)[list(A_FEW)].sum() - balance_at(start - 1)[list(A_FEW)].sum()
    before = balance_at(start - 1)[list(A_FEW)].sum()
    assert before + 3 * moved < low < high < before - moved


def test_published_balances_are_not_calibrated_to_a_national_figure_of_their_day(made: Make) -> None:
    # England's published £3.8bn is of the year end after the newest balances held here.
    projection = made(LATER[1]).projection
    assert projection.calibrated is None
    assert projection.england().at[("gross", NEWEST + 1), "p50"] != pytest.approx(3.8e9, abs=1e6)


def test_a_newer_national_figure_calibrates_balances_that_are_older(made: Make) -> None:
    figure = 5.6e9
    case = made(LATER[1], national)
    gross = case.projection.england().loc[("gross", NEWEST + 2)]
    assert gross[RANGE].to_numpy() == pytest.approx(figure, abs=0.1e9)


@pytest.mark.parametrize("plans", [(), (plans_by_placement,)], ids=["plans older", "plans of the same year"])
def test_spend_newer_than_the_balances_is_used_as_published(plans: tuple[Edition, ...], made: Make) -> None:
    case = made(spend, *plans)
    newest = int(case.panel.figure("high_needs_net_spend").dropna(axis=1, how="all").columns[-1])
    projection = case.projection
    assert projection.base_year == NEWEST < newest
    drawn = projection.paths.spend[projection.years.index(newest)]
    assert np.ptp(drawn) == pytest.approx(0.0, abs=1.0)
    after = projection.paths.spend[projection.years.index(newest) + 1]
    assert np.ptp(after) > 1e6


@pytest.mark.parametrize("years", LATER)
def test_spend_of_the_first_year_follows_on_from_the_last_published(years: int, made: Make) -> None:
    projection = made(LATER[years]).projection
    published = projection.fit.history.spend
    first = projection.projected_years[0]
    gap = first - int(published.index[-1])
    nowcast = float(np.median(projection.paths.spend[projection.paths.years.index(first)]))
    # England's spend has grown by 8% to 18% a year since 2019.
    assert 1.0 < (nowcast / published.iloc[-1]) ** (1 / gap) < 1.25


@pytest.mark.parametrize("years", LATER)
def test_the_in_year_position_does_not_jump_where_published_balances_end(years: int, made: Make) -> None:
    case, start = made(LATER[years]), NEWEST + years
    balance = case.panel.figure("balance").reindex(COUNCILS)
    last = float((balance[start] - balance[start - 1]).sum())
    first = float(case.projection.england().at[("in_year", start + 1), "p50"])
    # The overspend of the first projected year is between half and twice that of the last published one.
    assert last < 0
    assert 0.5 < first / last < 2.0


def test_the_grant_works_off_the_published_deficits_of_its_own_date(made: Make) -> None:
    years = GRANT.base_year - NEWEST
    for case in (made(LATER[years]), made(LATER[years + 1])):
        published = published_gross(case, GRANT.base_year)
        summary = d.write_off(case.projection, GRANT).summary()
        on_the_day = (
            summary.query("year == @GRANT.base_year").loc["deficit_without", RANGE].astype(float).to_numpy()
        )
        assert on_the_day == pytest.approx(published, rel=1e-12)
        granted = summary.loc["grant", RANGE].astype(float).to_numpy()
        assert granted[0] == pytest.approx(granted[1], rel=1e-12)
        assert 0.8 * published < granted[0] <= 0.9 * published
