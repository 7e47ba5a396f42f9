"""Rules of the front page: what it says, that it works without a script, and its search, map and table."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from deficits.reports import write_index
from deficits.reports.index import BANDS, read_tiles
from tests.browser import served
from tests.reports.folder import TODAY, councils, fail, put, put_council, put_england

DAY = date.fromisoformat(TODAY)
AFTER = date(2026, 1, 5)
"""A day so long ago that its next check is overdue on any day on which a test runs."""
CHART = '<figure class="chart" id="figure-fan"><svg role="img" aria-label="A line goes up"></svg></figure>'


def write(folder: Path, today: date = DAY, **more) -> Path:
    return write_index(folder, today=today, **more)


def soup(folder: Path, **more) -> BeautifulSoup:
    return BeautifulSoup(write(folder, **more).read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """England, councils in deficit, in surplus and with a failed run, and a record that is half written."""
    made = tmp_path_factory.mktemp("folder")
    put_england(made)
    notebook = {"cells": [{"outputs": [{"data": {"text/html": CHART}}]}]}
    (made / "england.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    put_council(made, "Kent")
    put_council(made, "Camden", 1.0e6, 3.0e6, 5.0e6)
    fail(made, put_council(made, "Leeds", -90e6, -30e6, 10e6))
    put_council(made, "Bury")
    (made / "authority-bury.json").write_text('{"kind": "deficits ru', encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def page(folder: Path) -> BeautifulSoup:
    return soup(folder)


def row(page: BeautifulSoup, name: str):
    return next(row for row in page.find(id="councils").tbody.find_all("tr") if row.th.get_text() == name)


def tile(page: BeautifulSoup, name: str):
    return next(
        item
        for item in page.find(class_="tiles").find_all("li")
        if item.find(class_="vh").get_text() == f"{name} "
    )


def test_the_headline_and_its_chart_come_first_and_housekeeping_last(page) -> None:
    assert "The first point of england." in page.find(class_="opening").get_text()
    assert page.find(class_="opening").a["href"] == "england.html"
    assert page.find("figure", class_="chart") is not None
    headings = [heading["id"] for heading in page.find_all("h2")]
    assert headings == ["find", "england", "map", "list", "reports", "state"]
    assert [heading.name for heading in page.find_all("h1")] == ["h1"]


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    page = soup(tmp_path / "empty")
    assert "Not made yet" in page.main.get_text()
    assert "No council's page has been made yet" in page.main.get_text()


def test_a_shared_link_to_the_front_page_is_described(page, tmp_path: Path) -> None:
    shown = {meta.get("property") or meta.get("name"): meta["content"] for meta in page.find_all("meta")[1:]}
    assert shown["og:type"] == "website"
    assert shown["og:title"] == page.title.get_text()
    assert shown["description"] == shown["og:description"] == "The first point of england."
    empty = soup(tmp_path / "empty").find("meta", attrs={"name": "description"})
    assert "for England and each council" in empty["content"]


def test_the_table_is_whole_without_a_script(page) -> None:
    rows = page.find(id="councils").tbody.find_all("tr")
    assert sorted(row.th.get_text() for row in rows) == sorted(councils().values())
    said = [cell.get_text().strip() for cell in row(page, "Kent").find_all(["th", "td"])]
    assert said == ["Kent", "£110m to £190m", "15%", "South East"]
    assert row(page, "Kent").a["href"] == "authority-kent.html"
    assert page.find(id="tools").has_attr("hidden")
    table = page.find(id="councils")
    assert {cell["scope"] for cell in table.thead.find_all("th")} == {"col"}
    assert {cell["scope"] for cell in table.tbody.find_all("th")} == {"row"}


def test_a_surplus_is_called_one(page) -> None:
    assert "£1.0m to £5.0m surplus" in row(page, "Camden").get_text()
    assert tile(page, "Camden").get_text().endswith("+2%")
    assert "£10m surplus to £90m deficit" in row(page, "Leeds").get_text()


def test_a_share_under_1_per_cent_is_the_same_on_the_map_and_in_the_table(tmp_path: Path) -> None:
    put_council(tmp_path, "Kent", -2e6, -1e6, 1e6)
    put_council(tmp_path, "Camden", -1e6, 0.3e6, 2e6)
    made = soup(tmp_path)
    assert tile(made, "Kent").get_text().endswith(" <1%")
    assert tile(made, "Camden").get_text().endswith(" +<1%")
    assert "under 1% surplus" in row(made, "Camden").get_text()


def test_every_council_has_a_tile_of_its_own_and_colour_is_never_alone(page) -> None:
    tiles = read_tiles()
    assert set(tiles) == set(councils())
    assert (
        len({place[1:] for place in tiles.values()}) == len({place[0] for place in tiles.values()}) == len(tiles)
    )
    for item in page.find(class_="tiles").find_all("li"):
        figure = item.find_all("span")[-1].get_text()
        assert bool(re.fullmatch(r"\+?<?\d+%", figure)) == (item.find(True)["class"][0] != "none")
    described = tile(page, "Kent").a["title"]
    assert described == "Kent: £110m to £190m at 31 March 2026; central estimate 15% of its grant"
    labels = page.find(class_="key").get_text()
    assert all(label in labels for name, label, _ in BANDS if page.find(class_="tiles").find(class_=name))


def test_failures_and_records_that_cannot_be_read_are_named(page) -> None:
    said = " ".join(page.find(class_="attention").get_text().split())
    assert "Leeds: SEND deficit: the run of 26 November 2026 failed in cell 5 (KeyError)" in said
    assert "authority-bury.json" in said
    assert tile(page, "Leeds").find(class_="mark").get_text() == "!"
    assert tile(page, "Kent").find(class_="mark") is None


def test_pages_that_are_out_of_date_are_counted_by_reason(tmp_path: Path) -> None:
    for name in ("Kent", "Bury", "Leeds", "York"):
        put_council(tmp_path, name, ran="0", code="0.0.9")
    said = " ".join(soup(tmp_path).find(class_="attention").get_text().split())
    assert "4 pages: the code that it runs has changed (it was made by 0.0.9)" in said


def test_titles_are_text_and_never_markup(tmp_path: Path) -> None:
    put(tmp_path, "england", "england", "<script>alert(1)</script>", {"a": 1}, {}, main_points=["<b>x</b>"])
    page = soup(tmp_path)
    assert len(page.find_all("script")) == 1
    assert page.find("b", string="x") is None


def test_programs_find_the_same_states_and_figures(folder: Path) -> None:
    write(folder, base_url="https://example.org/reports")
    told = json.loads((folder / "catalogue.json").read_text(encoding="utf-8"))
    assert (told["checked_on"], told["next_due"]) == (TODAY, "2026-12-26")
    assert told["counts"] == {"fresh": 3, "stale": 1, "failed": 1, "not made": 149}
    kent = next(one for one in told["councils"] if one["name"] == "Kent")
    assert kent["deficit_share_of_dsg"] == pytest.approx(0.1525)
    feed = ET.fromstring((folder / "feed.xml").read_text(encoding="utf-8"))
    space = {"a": "http://www.w3.org/2005/Atom"}
    titles = [entry.text for entry in feed.findall("a:entry/a:title", space)]
    assert "Run failed: Leeds: SEND deficit" in titles
    links = [link.get("href") for link in feed.findall("a:entry/a:link", space)]
    assert "https://example.org/reports/authority-kent.html" in links


# In a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown(browser, folder: Path):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(write(folder, every_days=36_500).as_uri())
    yield page
    page.close()


def names(page) -> list[str]:
    return page.eval_on_selector_all(
        "#councils tbody tr:not([hidden]) th", "all => all.map(one => one.textContent)"
    )


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("kent", ["Kent"]),
        ("Maidstone", ["Kent"]),
        ("st helens", ["St. Helens"]),
        ("hull", ["Kingston upon Hull, City of"]),
        ("Barrow-in-Furness", ["Westmorland and Furness"]),
        ("BCP", ["Bournemouth, Christchurch and Poole"]),
        ("lbhf", ["Hammersmith and Fulham"]),
        ("Kent County Council", ["Kent"]),
        ("Brighton & Hove City Council", ["Brighton and Hove"]),
        ("Royal Borough of Greenwich", ["Greenwich"]),
        ("City of London", ["City of London"]),
        ("council", []),
        ("no such place", []),
    ],
)
def test_a_council_is_found_by_its_districts_and_common_names(shown, asked: str, found: list[str]) -> None:
    shown.fill("#search", asked)
    assert names(shown) == found
    assert shown.locator("#found li").count() == len(found)
    assert shown.inner_text("#matches") == f"{len(found)} of {len(councils())} councils match"
    assert shown.locator(".tiles li.off").count() == len(councils()) - len(found)
    shown.fill("#search", "")
    assert len(names(shown)) == len(councils())


def test_sorting_by_keyboard_tells_its_order_and_puts_what_is_unknown_last(shown) -> None:
    button = shown.locator("#councils thead button", has_text="Share of grant")
    head = shown.locator("#councils thead th", has_text="Share of grant")
    for order, first in (("descending", ["Kent", "Leeds", "Camden"]), ("ascending", ["Camden", "Leeds", "Kent"])):
        button.focus()
        shown.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == order
        assert names(shown)[:3] == first


def test_axe_finds_no_violation_past_its_date_in_the_dark(browser, folder: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = browser.new_page(viewport={"width": 320, "height": 900}, color_scheme="dark")
    page.goto(write(folder, today=AFTER).as_uri())
    assert page.is_visible("#late")
    page.evaluate(
        "document.querySelectorAll('#councils tr:nth-child(n + 12)').forEach(one => { one.hidden = true })"
    )
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.close()


def test_nothing_is_asked_of_any_server(browser, folder: Path) -> None:
    address = "http://reports.test/index.html"
    with served(browser, write(folder, every_days=36_500).read_text(encoding="utf-8"), address) as (
        page,
        asked,
        said,
    ):
        page.fill("#search", "kent")
        page.wait_for_timeout(100)
        assert (asked, said) == ([address], [])
