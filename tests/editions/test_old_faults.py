"""Newer files that once left every command failing, or gave wrong figures without a word."""

from __future__ import annotations

from functools import partial

import deficits as d
from tests.editions.conftest import Make
from tests.editions.relabelled import allocations, balances, flows, newest_balances, population_series

NEWEST = newest_balances()
YORKSHIRE = "Yorkshire and The Humber"
SURREY = "936"
PROVISIONS = ["937", "838", "381"]
NOT_RETURNED = ["881", "380", "309", "208", "826", "333", "877"]
REPEATED = partial(balances, repeating=(SURREY, *PROVISIONS, *NOT_RETURNED))


def test_allocations_of_a_year_beyond_all_others_build_and_project(made: Make) -> None:
    year = d.load_panel().frame.index.get_level_values("year").max() + 1
    case = made(partial(allocations, year=year))
    assert case.panel.frame.index.get_level_values("year").max() == year
    assert case.projection.balance.notnull().all()


def test_a_series_of_todays_boundaries_says_nothing_of_councils_before_they_began(made: Make) -> None:
    panel = made(population_series).panel
    people = panel.figure("population_2_18")
    assert people.loc["886"].notna().sum() >= 13
    for code in ("838", "942"):  # Dorset, Cumberland
        first = int(panel.authorities.frame.at[code, "first_year"])
        assert people.loc[code].dropna().index.min() == first


def test_new_plans_of_yorkshire_in_2022_stay_councils_own_when_the_error_is_published_again(made: Make) -> None:
    before, after = d.load_panel(), made(flows).panel
    councils = before.authorities.frame.query("region == @YORKSHIRE").index
    held, found = (panel.figure("new_plans").reindex(councils)[2023].dropna() for panel in (before, after))
    assert found["373"] == held["373"] == 947  # Sheffield
    assert found.equals(held)
    assert found.max() < 6078


def test_a_reserve_set_against_a_deficit_does_not_hide_it_in_a_later_year(made: Make) -> None:
    panel = made(REPEATED).panel
    year = NEWEST + 1
    for code in (SURREY, *PROVISIONS):
        cell = panel.frame.loc[(code, year)]
        assert cell["balance_mhclg"] < -1e6, code
        assert cell["balance_mhclg_basis"] == "disputed", code
        assert cell["balance_basis"] == "disputed", code


def test_zero_on_both_dsg_lines_is_not_taken_for_a_balance_of_nothing_in_a_later_year(made: Make) -> None:
    panel = made(REPEATED).panel
    for code in NOT_RETURNED:
        cell = panel.frame.loc[(code, NEWEST + 1)]
        assert cell["balance"] != 0 or cell["balance_basis"] == "disputed", code
