"""Rules that every type of page keeps in a browser: WCAG 2.2 AA, no request, small screens, large text, paper.

Pages of reports are made from the committed notebooks, which carry their outputs: nothing runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import nbformat
import pytest

from deficits.paths import notebooks_dir
from deficits.reports import REPORTS, write_index
from deficits.reports.changes import changes
from deficits.reports.page import first_heading, notebook_page, with_record
from deficits.reports.record import RunContent, RunRecord
from tests.browser import served
from tests.reports import folder as made
from tests.reports.folder import fail, put_council, put_england

DAY = date.fromisoformat(made.TODAY)
HEAVIEST = {"authority": 400_000, "index": 400_000}
OTHERWISE = 600_000  # bytes
TYPES = ["england", "writeoff", "authority", "recommendations", "monitor", "index"]
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
HIDE_ROWS = "hide => document.querySelectorAll('tr:nth-child(n + 6)').forEach(row => { row.hidden = hide })"
"""The rows of a table are alike; axe takes ten seconds for 150 of them."""
SMALLEST_TEXT = 11  # pixels, in a chart on a phone


def report_page(name: str) -> str:
    """The page of a committed notebook, after a run that found otherwise."""
    notebook = nbformat.read(notebooks_dir() / REPORTS[name].notebook, as_version=4)
    headline = {"gross_deficit_2026_p10": 6.1e9, "gross_deficit_2026_p90": 6.9e9, "within_80": 0.86}
    content = RunContent.model_validate(made.content(name, headline, {}))
    title = first_heading(notebook) or name
    record = RunRecord(page=name, title=title, run_on=DAY, fingerprint=content.fingerprint(), content=content)
    other = {"headline": headline | {"gross_deficit_2026_p10": 6.0e9}, "ran": "0", "data": {}}
    before = record.model_copy(update={"content": content.model_copy(update=other)})
    return with_record(notebook_page(notebook, record, changes(before, content)), record)


@pytest.fixture(scope="module")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A page of each type, made when first asked for.

    The list of reports tells of a council whose last run failed.
    """
    folder = tmp_path_factory.mktemp("pages")

    def make(name: str) -> Path:
        path = folder / f"{name}.html"
        if path.exists():
            return path
        if name == "index":
            put_england(folder / "listed")
            put_council(folder / "listed", "Kent")
            fail(folder / "listed", put_council(folder / "listed", "Leeds"))
            write_index(folder / "listed", today=DAY).rename(path)
        else:
            path.write_text(report_page(name), encoding="utf-8")
        return path

    return make


@pytest.fixture(scope="module")
def opened(browser, page_of):
    """Each page opened once, with all that folds unfolded."""
    context = browser.new_context()
    found = {}

    def open_page(name):
        if name not in found:
            address = page_of(name).as_uri()
            found[name] = context.new_page()
            found[name].goto(address)
            found[name].evaluate(UNFOLD, True)
        found[name].emulate_media(media="screen", color_scheme="light")
        found[name].set_viewport_size({"width": 1280, "height": 900})
        return found[name]

    yield open_page
    context.close()


UNFOLD = "open => document.querySelectorAll('details').forEach(one => { one.open = open })"


@pytest.mark.parametrize("name", TYPES)
def test_a_page_is_no_heavier_than_its_budget(page_of, name):
    assert page_of(name).stat().st_size < HEAVIEST.get(name, OTHERWISE)


# They are made of the same parts: one wide and light, one wide and dark, one narrow. The front page has this test
# among its own.
@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("england", 1280, "light"),
        ("authority", 320, "light"),
        ("writeoff", 1280, "dark"),
        ("recommendations", 320, "light"),
    ],
)
def test_axe_finds_no_violation(opened, name, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(name)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(HIDE_ROWS, True)
    results = axe.run(page, options=AXE)
    page.evaluate(HIDE_ROWS, False)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("name", TYPES)
def test_a_page_asks_for_nothing_and_says_nothing(browser, page_of, name):
    address = f"http://reports.test/{name}.html"
    with served(browser, page_of(name).read_text(encoding="utf-8"), address) as (page, asked, said):
        page.evaluate(UNFOLD, True)
        page.wait_for_timeout(100)
        assert (asked, said) == ([address], [])


@pytest.mark.parametrize("name", TYPES)
def test_a_page_reflows_on_a_screen_320_pixels_wide(opened, name):
    page = opened(name)
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("name", TYPES)
def test_text_of_twice_the_size_fits(opened, name):
    page = opened(name)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        assert page.evaluate(CUT_OFF) == []
    finally:
        page.evaluate("document.documentElement.style.fontSize = ''")


CUT_OFF = """() => [...document.querySelectorAll('main p, main li, main th, main td, h1, h2, h3, summary, a')]
    .filter(one => one.checkVisibility() && getComputedStyle(one).overflow !== 'visible'
        && getComputedStyle(one).clipPath === 'none' && one.scrollHeight > one.clientHeight + 1)
    .map(one => one.textContent.trim().slice(0, 40))"""
TEXT_SIZES = """() => [...document.querySelectorAll('.picture img')].flatMap(img => {
    const svg = new DOMParser().parseFromString(atob(img.src.split(',')[1]), 'image/svg+xml').documentElement
    const scale = img.getBoundingClientRect().width / svg.viewBox.baseVal.width
    return [...svg.querySelectorAll('text')].map(text => parseFloat(text.style.fontSize) * scale)
})"""


def test_a_councils_briefing_is_one_page_of_paper_with_its_points_a_chart_and_a_table(browser, page_of):
    context = browser.new_context()
    page = context.new_page()
    page.goto(page_of("authority").as_uri())
    page.get_by_role("link", name="On one page").click()
    seen = "selector => [...document.querySelectorAll(selector)].filter(one => one.checkVisibility()).length"
    counted = [page.evaluate(seen, each) for each in (".main-points li", "figure.chart", "table", "nav, footer")]
    assert counted[0] >= 4
    assert counted[1:] == [1, 1, 0]
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 1
    page.get_by_role("link", name="The whole page").click()
    assert page.evaluate(seen, "table") > 1
    context.close()


def test_the_list_of_reports_tells_of_a_failed_run(opened):
    assert "failed in cell 5" in opened("index").inner_text("main")


def test_a_reader_finds_rows_by_words_and_by_a_columns_values(opened):
    page = opened("recommendations")
    shown = "[...document.querySelectorAll('#table-recommendations tbody tr')].filter(row => !row.hidden)"
    every = page.evaluate(f"{shown}.length")
    theme = "#table-recommendations-1"
    page.select_option(theme, "Funding")
    cells = page.evaluate(f"{shown}.map(row => row.cells[1].textContent)")
    assert 0 < len(cells) < every
    assert set(cells) == {"Funding"}
    page.fill("#table-recommendations-search", "write-off")
    assert page.evaluate(f"{shown}.map(row => row.cells[0].textContent.includes('write-off'))") == [True]
    assert page.inner_text(".filter [role=status]") == f"1 of {every} shown"
    page.select_option(theme, "")
    page.fill("#table-recommendations-search", "")
    assert page.evaluate(f"{shown}.length") == every
