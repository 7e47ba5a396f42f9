"""Rules of the panel in which a reader moves a write-off's terms: it agrees with the page and with the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import deficits as d
from deficits.formatting import england_range, estimate_range
from deficits.projection import Projection
from deficits.reports import what_if
from deficits.reports.frame import PARTS
from deficits.reports.whatif import UNIT, what_if_facts

PAGE = "<!DOCTYPE html><meta charset=utf-8><html><body>{}<script>{}</script></body></html>"


@pytest.fixture(scope="module")
def result(projection: Projection) -> d.WriteOff:
    return d.write_off(projection, d.Scheme.read("flat-share", share=0.8))


@pytest.fixture
def opened(browser, tmp_path: Path):
    def open_panel(html: str):
        path = tmp_path / "panel.html"
        path.write_text(PAGE.format(html, (PARTS / "whatif.js").read_text(encoding="utf-8")), encoding="utf-8")
        page = browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(path.as_uri())
        assert faults == []
        return page

    return open_panel


def shown(page) -> dict[str, list[str]]:
    return {
        row.query_selector("th").inner_text(): [cell.inner_text() for cell in row.query_selector_all("td")]
        for row in page.query_selector_all(".what-if tbody tr")
    }


@pytest.mark.parametrize("code", [None, "886"])
def test_with_the_pages_own_terms_and_without_a_write_off_it_shows_the_packages_numbers(
    result, code, opened
) -> None:
    page = opened(what_if(result, code).html)
    (_, *deficits), facts = shown(page).values(), what_if_facts(result, code)
    quantiles = result.england() if code is None else -result.authority(code)[["p90", "p50", "p10"]]
    base = result.projection.base_year
    for year, cells in zip(facts["years"], deficits, strict=True):
        ends = quantiles.loc[year].iloc[[0, -1]]
        assert cells[0] == (england_range(*ends, year - base) if code is None else estimate_range(*ends))
    assert facts["years"][-1] == result.scheme.override_ends  # as the page's charts
    page.fill("#try-cap", "0")
    assert all(now == without for now, without in list(shown(page).values())[1:])
    page.close()


def test_with_other_terms_it_is_near_what_the_package_gives(result, opened) -> None:
    page = opened(what_if(result, "886").html)
    page.eval_on_selector("#try-share", "one => { one.value = 40; one.dispatchEvent(new Event('input')) }")
    last = list(shown(page).values())[2][0]
    low, high = (float(part.strip("£m")) for part in last.split(" to "))
    again = (
        -d.write_off(result.projection, d.Scheme.read("flat-share", share=0.4)).authority("886").loc[2027] / 1e6
    )
    assert low == pytest.approx(again["p90"], rel=0.07)
    assert high == pytest.approx(again["p10"], rel=0.07)
    page.close()


def test_grant_that_is_owed_counts_as_paid_as_on_the_page(projection: Projection, opened) -> None:
    whole = d.write_off(projection, "full-write-off-lga-2026")
    assert shown(opened(what_if(whole).html))["Gross deficit at 31 March 2028"][0] == "none"
    # Half of each deficit, paid a year late or at once, leaves the same a year after the base date.
    late = d.write_off(projection, "high-needs-stability-grant-late")
    page = opened(what_if(late).html)
    page.fill("#try-share", "50")
    low, high = (float(part.strip("£bn")) for part in list(shown(page).values())[2][0].split(" to "))
    half = d.write_off(projection, late.scheme.changed(share=0.5)).england().loc[2027] / 1e9
    assert (low, high) == pytest.approx((half["p10"], half["p90"]), rel=0.05)


def test_the_page_carries_plain_json_of_simulations_in_whole_units(result) -> None:
    panel = BeautifulSoup(what_if(result, "886").html, "html.parser").section
    facts = json.loads(panel["data-facts"])
    (council,) = facts["balances"]
    assert len(council) == len(facts["years"])
    assert {len(row) for row in council} == {facts["draws"]}
    held = result.projection.authority("886").loc[facts["years"][0], "p50"]
    assert sorted(council[0])[facts["draws"] // 2] * UNIT == pytest.approx(held, rel=0.02)
    assert panel.has_attr("hidden")  # without a script there is no dead control
