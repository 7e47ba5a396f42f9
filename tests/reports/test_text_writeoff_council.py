"""Pages on a write-off, on schemes compared and on a council say what is true of the figures held."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pandas as pd
import pytest

import deficits as d
from deficits.assumptions import assumed
from deficits.formatting import balance, estimate_range, year_end
from deficits.writeoff import Scheme, WriteOff, grants_inside
from tests.editions.relabelled import Folder, balances, newest_balances
from tests.reports.reading import LATE, VINTAGES, Vintage

MEASURED = int(assumed("write_offs", "grant_measured_at").number)
PAID_IN = int(assumed("write_offs", "grant_paid_in").number)
NOT_SAID = re.compile(r"\b(nan|NaN|NaT|inf|None(?! for|\.| is known))\b|(£[\d.,]+\w*) to \2\b")
AFTER_PAYMENT = "may already include grants"

Page = Callable[..., str]


@pytest.fixture(scope="module")
def page(vintage: Callable[[str], Vintage]) -> Page:
    """The text of a page on a vintage, made once."""

    @cache
    def make(name: str, report: str, **parameters: str) -> str:
        return vintage(name).text(report, draws=200, **parameters)

    return make


@pytest.fixture(scope="module")
def paid_already(tmp_path_factory: pytest.TempPathFactory) -> Vintage:
    """Balances are published for the year end after the government's grant is paid."""
    raw = Folder.copied(tmp_path_factory.mktemp("paid") / "raw")
    balances(raw, last=PAID_IN)
    return Vintage("paid already", raw=raw.folder)


def applied(vintage: Vintage) -> WriteOff:
    return d.write_off(d.project(vintage.panel, until=2029, draws=200), Scheme.read("high-needs-stability-grant"))


def newest_of_nearly_all(frame: pd.DataFrame) -> int:
    return int(frame.columns[frame.notna().mean() >= 0.9].max())


@pytest.mark.parametrize("name", VINTAGES)
def test_reserves_are_those_of_the_newest_year_end_that_nearly_all_councils_have(
    page: Page, vintage: Callable[[str], Vintage], name: str
) -> None:
    panel, text = vintage(name).panel, page(name, "writeoff")
    now = panel.authorities.in_year(vintage(name).base)
    both = (panel.figure("reserves_unallocated") + panel.figure("reserves_earmarked")).reindex(now)
    year = newest_of_nearly_all(both)
    assert set(re.findall(r"other earmarked ones at (31 March \d{4})", text)) == {year_end(year)}
    assert f"of {both[year].notna().sum()} councils would have deficits above" in text
    for code in both.index[both[year].isna()]:
        assert panel.authorities.name(code) in text.partition("Those of ")[2].partition("not published")[0]


@pytest.mark.parametrize("name", VINTAGES)
def test_deficits_are_called_published_where_nearly_all_are_and_projected_where_they_are_not(
    page: Page, vintage: Callable[[str], Vintage], name: str
) -> None:
    text, published = page(name, "writeoff"), vintage(name).base >= MEASURED
    assert not NOT_SAID.search(text)
    assert (f"Deficits at {year_end(MEASURED)} are those that councils returned" in text) is published
    assert (f"Deficits at {year_end(MEASURED)} are projected" in text) is not published
    assert AFTER_PAYMENT not in text


def test_a_scheme_is_measured_on_the_published_balances_where_there_are_any(
    page: Page, vintage: Callable[[str], Vintage]
) -> None:
    two = vintage("two years on")
    result = applied(two)
    returned = two.panel.figure("balance")[MEASURED].reindex(result.inputs.codes)
    known = returned.dropna()
    assert sorted(returned.index[returned.isna()]) == sorted(LATE)
    deficits = result.base_deficit.sel(authority=list(known.index)).to_pandas()
    assert (deficits == (-known).clip(lower=0.0)).all(axis=None)
    grants = result.grant.sel(authority=list(known.index)).to_pandas()
    assert (grants - 0.9 * (-known).clip(lower=0.0)).abs().max(axis=None) < 1


def test_a_council_is_told_of_its_newest_balance_and_its_projection_starts_after_it(
    page: Page, vintage: Callable[[str], Vintage]
) -> None:
    two = vintage("two years on")
    known = two.panel.figure("balance").loc["330"].dropna()
    text = page("two years on", "authority", authority="Birmingham")
    assert f"had a {balance(known[MEASURED])} at {year_end(MEASURED)} (published)" in text
    assert re.search(rf"At {year_end(MEASURED + 1)} it is estimated at .* \(80% range", text)
    assert not NOT_SAID.search(text)


def test_a_council_without_the_newest_balance_is_told_of_the_one_before_and_projected_from_it(
    page: Page, vintage: Callable[[str], Vintage]
) -> None:
    known = vintage("two years on").panel.figure("balance").loc["886"].dropna()
    text = page("two years on", "authority", authority="Kent")
    assert known.index[-1] == MEASURED - 1
    assert f"had a {balance(known.iloc[-1])} at {year_end(MEASURED - 1)} (published)" in text
    assert re.search(rf"At {year_end(MEASURED)} it is estimated at .* \(80% range", text)


def test_what_a_council_has_stated_and_what_its_returns_dispute_is_said(
    page: Page, vintage: Callable[[str], Vintage]
) -> None:
    text, frame = page("held", "authority", authority="Kent"), vintage("held").panel.frame.loc["886"]
    disputed = frame[frame["balance_basis"] == "disputed"].iloc[-1]
    stated = frame[frame["balance_basis"] == "stated"]["balance"]
    for source in ("balance_section251", "balance_mhclg"):
        assert f"a {balance(disputed[source])} in its" in text
    assert f"has stated a {balance(stated.iloc[-1])} at {year_end(stated.index[-1])}" in text


def test_reserves_of_an_earlier_year_are_not_shown_for_a_council_without_newer_ones(
    page: Page, vintage: Callable[[str], Vintage]
) -> None:
    reserves = vintage("held").panel.figure("reserves_unallocated")
    year = newest_of_nearly_all(reserves)
    assert reserves.loc["330"].notna().any()
    assert pd.isna(reserves.loc["330", year])
    text = page("held", "authority", authority="Birmingham")
    assert not NOT_SAID.search(text)
    assert f"we do not hold the council's usable reserves at {year_end(year)}" in text


def test_a_scheme_that_was_not_public_on_the_day_says_so(page: Page) -> None:
    assert "was not yet public on the day" in page("replayed", "writeoff")
    assert "was not yet public" not in page("held", "writeoff")


def test_balances_published_after_the_grant_is_paid_are_said_to_hold_it_perhaps(paid_already: Vintage) -> None:
    result = applied(paid_already)
    assert result.projection.base_year == PAID_IN
    assert newest_balances() < PAID_IN
    total = 0.9 * (-paid_already.panel.figure("balance")[MEASURED]).clip(lower=0.0).sum()
    pages = {
        "writeoff": paid_already.text("writeoff", draws=200),
        "compare": paid_already.text("compare", draws=200, schemes=["no-help", "high-needs-stability-grant"]),
        "authority": paid_already.text("authority", draws=200, authority="Surrey"),
    }
    assert f"High Needs Stability Grant would pay {estimate_range(total, total)} to " in pages["writeoff"]
    for report, text in pages.items():
        assert AFTER_PAYMENT in text, report
        assert year_end(PAID_IN) in text.partition(AFTER_PAYMENT)[0].rpartition("Balances at")[2], report
    assert grants_inside(result.projection) == result.warnings
