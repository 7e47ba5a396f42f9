from __future__ import annotations

import json
import shutil

import pytest
from bs4 import BeautifulSoup

from deficits.errors import ReportError
from deficits.reporting import write_index


def soup(folder):
    return BeautifulSoup(write_index(folder).read_text(encoding="utf-8"), "html.parser")


@pytest.fixture
def folder(rendered, tmp_path):
    shutil.copytree(rendered.parent, tmp_path / "reports")
    return tmp_path / "reports"


def fail(folder, page, report="england"):
    failure = {
        "kind": "deficits failure record",
        "page": page,
        "title": "The SEND deficit of one council",
        "failed_at": "2026-11-26T06:00:00+00:00",
        "report": report,
        "parameters": {},
        "error": "KeyError",
        "message": "'gross'",
        "cell": 5,
        "source": "x",
    }
    (folder / f"{page}.failed.json").write_text(json.dumps(failure), encoding="utf-8")


def test_a_list_of_no_pages_says_so(tmp_path):
    page = soup(tmp_path / "empty")
    assert "No report has been made yet." in page.main.get_text()
    assert len(page.find_all("h1")) == 1


def test_each_page_is_listed_with_its_main_point_date_and_parameters(folder):
    page = soup(folder)
    assert page.h3.a["href"] == "england.html"
    text = page.main.get_text()
    assert "The deficit is £5.1bn to £6.3bn." in text
    assert "until 2029, draws 4000, seed 3" in text
    assert "Run on " in text
    assert "1 page." in text


def test_a_failed_page_is_shown_with_the_date_of_the_last_good_one(folder):
    fail(folder, "england")
    item = soup(folder).find("li", class_="failed")
    assert "The run of 26 November 2026 failed (KeyError). The page is of " in item.get_text()
    assert item.a["href"] == "england.html"


def test_a_page_that_never_succeeded_is_listed_without_a_link(folder):
    fail(folder, "authority-kent", report="authority")
    page = soup(folder)
    item = page.find("li", class_="failed")
    assert "There is no earlier page." in item.get_text()
    assert item.a is None
    assert "1 failed run." in page.main.get_text()


def test_other_json_files_are_left_alone_and_broken_records_are_named(folder):
    (folder / "other.json").write_text('{"kind": "something else"}', encoding="utf-8")
    soup(folder)
    (folder / "broken.json").write_text("{", encoding="utf-8")
    with pytest.raises(ReportError, match=r"broken\.json"):
        write_index(folder)


def test_axe_finds_no_violation_in_the_list(browser, folder):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    fail(folder, "england")
    page = browser.new_page(viewport={"width": 320, "height": 640})
    page.goto(write_index(folder).as_uri())
    results = axe.run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.close()
