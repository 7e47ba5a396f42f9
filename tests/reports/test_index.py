from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from datetime import date
from itertools import pairwise

import pytest
from bs4 import BeautifulSoup

from deficits.reports import write_index
from deficits.reports.frame import PARTS
from deficits.reports.index import BANDS
from tests.browser import served
from tests.reports.folder import DSG, TODAY, councils, fail, put, put_council, put_england

DAY = date.fromisoformat(TODAY)
AFTER = date(2026, 1, 5)
"""A day so long ago that its next check is overdue on any day on which a test runs."""


def write(folder, today=DAY, **more):
    return write_index(folder, today=today, dsg=DSG, dsg_year=2024, **more)


def soup(folder, **more):
    return BeautifulSoup(write(folder, **more).read_text(encoding="utf-8"), "html.parser")


@pytest.fixture
def folder(tmp_path):
    """England, councils in deficit, in surplus and with a failed run, and a record that is half written."""
    put_england(tmp_path)
    put_council(tmp_path, "Kent")
    put_council(tmp_path, "Camden", 1.0e6, 3.0e6, 5.0e6)
    fail(tmp_path, put_council(tmp_path, "Leeds", -90e6, -30e6, 10e6))
    put_council(tmp_path, "Bury")
    (tmp_path / "authority-bury.json").write_text('{"kind": "deficits ru', encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A page for every council, and England."""
    made = tmp_path_factory.mktemp("full")
    put_england(made)
    for place, name in enumerate(councils().values()):
        put_council(made, name, -2e6 * place, -1e6 * place, 1e6)
    return made


def row(page, name):
    return next(row for row in page.find(id="councils").tbody.find_all("tr") if row.th.get_text() == name)


def tile(page, name):
    return next(
        item
        for item in page.find(class_="tiles").find_all("li")
        if item.find(class_="vh").get_text() == f"{name} "
    )


# What it says


def test_a_folder_of_no_pages_has_a_list_that_says_so(tmp_path):
    page = soup(tmp_path / "empty")
    assert len(page.find_all("h1")) == 1
    assert "Not made yet: " in page.main.get_text()
    assert page.find(id="councils").tbody.get_text().count("Not made") == len(councils())
    assert "No council’s page has been made yet" in page.main.get_text()
    assert page.find(id="readout") is None


def test_the_list_is_whole_without_a_script(folder):
    """Each council stands in it with its region, range, share, dates and state."""
    page = soup(folder)
    rows = page.find(id="councils").tbody.find_all("tr")
    assert sorted(row.th.get_text() for row in rows) == sorted(councils().values())
    assert not any(row.has_attr("hidden") for row in rows)
    said = [cell.get_text().strip() for cell in row(page, "Kent").find_all(["th", "td"])]
    assert said[:5] == ["Kent", "£110.9m to £193.9m", "15%", "Up to date", "25 Nov 2026"]
    assert said[6] == "South East"
    assert row(page, "Kent").a["href"] == "authority-kent.html"
    assert page.find(id="tools").has_attr("hidden")
    assert page.find("button") is None


def test_a_surplus_is_called_one(folder):
    page = soup(folder)
    assert "£1.0m to £5.0m surplus" in row(page, "Camden").get_text()
    assert tile(page, "Camden").get_text().endswith("+2%")
    assert "£10.0m surplus to £90.0m deficit" in row(page, "Leeds").get_text()


def test_every_council_has_one_tile_that_says_what_the_list_says(folder):
    page = soup(folder)
    assert len(page.find(class_="tiles").find_all("li")) == len(councils())
    described = tile(page, "Kent").a["title"]
    assert described == (
        "Kent: £110.9m to £193.9m at 31 March 2026; middle of the range 15% of its grant; "
        "page made on 25 November 2026"
    )
    assert tile(page, "Bath and North East Somerset").a is None
    assert tile(page, "Bath and North East Somerset").find(title=True)["title"].endswith("not made")


def test_colour_is_never_alone(folder):
    """A tile that has a colour has a figure too, and each step of the key says which figures it holds."""
    page = soup(folder)
    for item in page.find(class_="tiles").find_all("li"):
        figure = item.find_all("span")[-1].get_text()
        coloured = item.find(True)["class"][0] != "none"
        assert bool(re.fullmatch(r"\+?\d+%", figure)) == coloured
    key = page.find(class_="key").get_text()
    assert all(band.label in key for band in BANDS)


def test_an_out_of_date_or_failed_page_is_marked_with_a_sign(folder):
    page = soup(folder)
    assert tile(page, "Leeds").find(class_="mark").get_text() == "!"
    assert "last run failed" in tile(page, "Leeds").a["title"]
    assert tile(page, "Kent").find(class_="mark") is None


def test_failures_and_unreadable_records_are_named_at_the_top(folder):
    said = " ".join(soup(folder).find(class_="attention").get_text().split())
    assert "Leeds: SEND deficit: the run of 26 November 2026 failed in cell 5 (KeyError)" in said
    assert "The page is of 25 November 2026." in said
    assert "authority-bury.json: not whole, or not JSON. The page authority-bury.html is there." in said


def test_pages_that_are_out_of_date_are_counted_by_reason(tmp_path):
    for name in ("Kent", "Bury", "Leeds", "York"):
        put_council(tmp_path, name, source="0" * 64, code="0.0.9")
    put_england(tmp_path, python="3.10.0")
    said = " ".join(soup(tmp_path).find(class_="attention").get_text().split())
    assert said == (
        "What needs attention 5 pages out of date 4 pages: made by another version of the code (0.0.9). "
        "When do deficits pass £5bn?: made with other versions of Python or of packages."
    )


def test_nothing_is_said_to_need_attention_when_nothing_does(full):
    page = soup(full)
    assert page.find(class_="attention") is None
    assert page.find(class_="counts").get_text(" ", strip=True).startswith("154 up to date 0 out of date")


def test_a_page_that_never_succeeded_is_named_without_a_link(tmp_path):
    fail(tmp_path, "authority-leeds")
    attention = soup(tmp_path).find(class_="attention")
    assert "There is no earlier page." in attention.get_text()
    assert attention.a is None


def test_england_comes_first_with_its_first_point_date_and_vintage(folder):
    put(folder, "quality", "quality", "The published figures", {"figures": 1}, {})
    card = soup(folder).find(class_="cards").li
    assert card.a["href"] == "england.html"
    said = " ".join(card.get_text().split())
    assert "The first point of england. Up to date. Made on 25 November 2026, from figures published to" in said


def test_pages_with_other_settings_are_apart(folder):
    put(folder, "england-as-of-2025-09-17", "england", "An earlier day", {"a": 1}, {"as_of": "2025-09-17"})
    page = soup(folder)
    assert len(page.find(class_="cards").find_all("li")) == 1
    assert "An earlier day" in page.find(class_="others").get_text()


def test_the_next_check_is_stated_in_words(folder):
    said = " ".join(soup(folder, every_days=7).find(class_="opening").get_text().split())
    assert "Checked against the data on 25 November 2026. The next check is due by 2 December 2026" in said
    assert "after that day, take every page here as out of date" in said


def test_titles_are_text_and_never_markup(tmp_path):
    put(tmp_path, "england", "england", "<script>alert(1)</script>", {"a": 1}, {}, main_points=["<b>x</b>"])
    page = soup(tmp_path)
    assert len(page.find_all("script")) == 1
    assert "<b>x</b>" in page.find(class_="cards").get_text()


# How it is made


def test_headings_are_in_order_and_landmarks_are_there(folder):
    page = soup(folder)
    levels = [int(heading.name[1]) for heading in page.find_all(["h1", "h2", "h3", "h4"])]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for landmark in ("header", "main", "footer"):
        assert len(page.find_all(landmark)) == 1
    assert page.find("a", class_="skip")["href"] == "#main"
    assert page.html["lang"] == "en-GB"


def test_ids_are_unique_and_every_reference_has_its_target(folder):
    page = soup(folder)
    ids = [element["id"] for element in page.find_all(id=True)]
    assert len(set(ids)) == len(ids)
    asked = [link["href"][1:] for link in page.find_all("a", href=re.compile("^#"))]
    asked += [element["aria-labelledby"] for element in page.find_all(attrs={"aria-labelledby": True})]
    assert set(asked) <= set(ids)


def test_the_table_has_a_caption_and_scopes(folder):
    table = soup(folder).find(id="councils")
    assert table.caption.get_text()
    assert {cell["scope"] for cell in table.thead.find_all("th")} == {"col"}
    assert {cell["scope"] for cell in table.tbody.find_all("th")} == {"row"}


def test_the_policy_names_the_one_script_by_its_hash(folder):
    page = soup(folder)
    (script,) = page.find_all("script")
    digest = base64.b64encode(hashlib.sha256(script.string.encode()).digest()).decode()
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_weights(full):
    assert len((PARTS / "catalogue.js").read_bytes()) < 5_000
    assert len((PARTS / "catalogue.css").read_bytes()) < 14_000
    assert write(full).stat().st_size < 170_000
    assert (full / "catalogue.json").stat().st_size < 400_000


def test_solving_is_not_needed_to_show_the_map(folder):
    sys.modules.pop("scipy.optimize", None)
    write(folder)
    assert "scipy.optimize" not in sys.modules


# In a browser


@pytest.fixture
def shown(browser, folder):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(write(folder, every_days=36_500).as_uri())
    yield page
    page.close()


def names(page):
    return page.eval_on_selector_all(
        "#councils tbody tr:not([hidden]) th", "cells => cells.map(cell => cell.textContent)"
    )


FEW_ROWS = "document.querySelectorAll('#councils tr:nth-child(n + 12)').forEach(row => { row.hidden = true })"
"""The rows of the list are alike; axe takes ten seconds for 153 of them."""


@pytest.mark.parametrize(
    ("pages", "width", "scheme"),
    [("folder", 320, "light"), ("late", 1280, "dark")],
)
def test_axe_finds_no_violation(browser, folder, pages, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    when = {"today": AFTER} if pages == "late" else {"every_days": 36_500}
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(write(folder, **when).as_uri())
    page.evaluate(FEW_ROWS)
    results = axe.run(page, options={"rules": {"target-size": {"enabled": True}}})
    assert results.violations_count == 0, results.generate_report()
    context.close()


def test_axe_finds_no_violation_while_searching(shown):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    shown.fill("#search", "kent")
    results = axe.run(shown)
    assert results.violations_count == 0, results.generate_report()


def test_searching_narrows_the_list_and_says_how_many(shown):
    shown.fill("#search", "kent")
    assert names(shown) == ["Kent"]
    assert shown.inner_text("#matches") == f"1 of {len(councils())} councils match"
    assert shown.get_attribute("#matches", "role") == "status"
    shown.fill("#search", "FAILED")
    assert names(shown) == ["Leeds"]
    shown.fill("#search", "deficit leeds")
    assert names(shown) == ["Leeds"]
    shown.fill("#search", "st helens")
    assert names(shown) == ["St. Helens"]
    shown.fill("#search", "no such place")
    assert names(shown) == []
    shown.fill("#search", "")
    assert len(names(shown)) == len(councils())


def test_searching_shows_the_matches_on_the_map(shown):
    shown.fill("#search", "south east")
    off = shown.locator(".tiles li.off").count()
    assert off == len(councils()) - 19


def test_sorting_by_keyboard_tells_its_order(shown):
    button = shown.locator("#councils thead button", has_text="Share of grant")
    head = shown.locator("#councils thead th", has_text="Share of grant")
    button.focus()
    shown.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert names(shown)[:3] == ["Kent", "Leeds", "Camden"]
    shown.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert names(shown)[:3] == ["Camden", "Leeds", "Kent"]
    assert shown.locator("#councils thead th[aria-sort]").count() == 1


def test_rows_without_a_figure_come_last_either_way(shown):
    button = shown.locator("#councils thead button", has_text="Deficit")
    for _ in range(2):
        button.click()
        assert set(names(shown)[:3]) == {"Kent", "Leeds", "Camden"}


def test_sorting_keeps_what_was_searched_for(shown):
    shown.fill("#search", "london")
    shown.click("#councils thead button:has-text('Council')")
    found = names(shown)
    assert len(found) == 33
    assert found == sorted(found, reverse=True)


def test_the_list_turns_visibly_out_of_date_past_its_day(browser, folder):
    page = browser.new_page()
    page.goto(write(folder, today=AFTER).as_uri())
    assert page.is_visible("#late")
    assert "This list is past its date." in page.inner_text("#late")
    page.goto(write(folder, every_days=36_500).as_uri())
    assert not page.is_visible("#late")
    page.close()


def test_on_its_last_day_the_list_is_still_good(browser, folder):
    page = browser.new_page()
    page.clock.install(time="2026-12-26T20:00:00")
    page.goto(write(folder).as_uri())
    assert not page.is_visible("#late")
    page.clock.set_system_time("2026-12-27T08:00:00")
    page.reload()
    assert page.is_visible("#late")
    page.close()


def test_a_tile_is_read_out_beside_the_map_and_leads_to_its_page(shown):
    link = shown.locator(".tiles li[data-a='886'] a")
    link.focus()
    assert shown.inner_text("#readout").startswith("Kent: £110.9m to £193.9m")
    link.click()
    assert shown.url.endswith("authority-kent.html")


def test_the_map_can_be_skipped_by_keyboard(shown):
    shown.focus("main a[href='#list'] >> nth=0")
    shown.keyboard.press("Tab")
    assert shown.locator(":focus").inner_text().startswith("Skip the map")
    assert shown.locator(":focus").bounding_box()["height"] >= 20
    shown.keyboard.press("Enter")
    shown.keyboard.press("Tab")
    assert shown.locator(":focus").get_attribute("id") == "search"


def test_focus_is_seen(shown):
    for where in (".tiles a >> nth=0", "#search", "#councils thead button >> nth=0", "#councils tbody a >> nth=0"):
        shown.keyboard.press("Tab")  # so that the browser takes the focus for one by keyboard
        shown.focus(where)
        assert shown.eval_on_selector(":focus", "found => getComputedStyle(found).outlineWidth") == "3px"


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_targets_are_24_pixels_and_the_page_reflows(browser, full, width):
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(write(full).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.eval_on_selector_all(
        ".tiles li, #councils thead button, #councils tbody th a, #search",
        "all => all.map(one => one.getBoundingClientRect()).map(box => [box.width, box.height])",
    )
    assert min(height for _, height in sizes) >= 23.9
    assert min(width for width, _ in sizes) >= 23.9
    page.close()


def test_nothing_is_asked_of_any_server(browser, full):
    address = "http://reports.test/index.html"
    with served(browser, write(full).read_text(encoding="utf-8"), address) as (page, asked, said):
        page.fill("#search", "kent")
        page.click("#councils thead button >> nth=1")
        page.wait_for_timeout(100)
        assert (asked, said) == ([address], [])


def test_without_a_script_there_is_the_map_the_list_and_no_dead_control(browser, full):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(write(full).as_uri())
    assert page.locator("#councils tbody tr:visible").count() == len(councils())
    assert page.locator(".tiles a:visible").count() == len(councils())
    assert page.locator("button:visible, input:visible").count() == 0
    context.close()


def test_on_paper_the_map_keeps_its_colours_and_the_tools_are_gone(browser, full):
    page = browser.new_page()
    page.goto(write(full).as_uri())
    page.emulate_media(media="print")
    assert not page.is_visible("#search")
    assert page.eval_on_selector(".tiles a", "tile => getComputedStyle(tile).printColorAdjust") == "exact"
    page.close()


def test_a_program_finds_the_same_states(folder):
    write(folder)
    counts = json.loads((folder / "catalogue.json").read_text(encoding="utf-8"))["counts"]
    page = soup(folder)
    said = [int(found) for found in re.findall(r"\d+", page.find(class_="counts").get_text())]
    assert said == list(counts.values())
