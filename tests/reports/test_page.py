from __future__ import annotations

import json
import tempfile
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from python_calamine import CalamineWorkbook

from deficits.reports.page import headings, markdown, page_faults

HEAVIEST = 70_000  # bytes, of a page with one chart and one table
CLOSING = ["What changed since the last run", "Corrections", "Words used on this page"]


@pytest.fixture(scope="module")
def text(rendered: Path) -> str:
    return rendered.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def soup(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


@pytest.fixture
def files(rendered: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in rendered.parent.iterdir()}


def test_a_page_has_notebook_and_run_record_beside_it_and_nothing_else(files):
    published = sorted(name for name in files if name.startswith("england"))
    assert published == ["england.html", "england.ipynb", "england.json"]


def test_a_page_has_one_first_heading_and_landmarks(soup):
    assert soup.html["lang"] == "en-GB"
    assert [heading.get_text() for heading in soup.find_all("h1")] == ["When do deficits pass £5bn?"]
    assert soup.title.get_text().startswith("When do deficits pass £5bn?")
    for landmark in ("header", "nav", "main", "footer"):
        assert len(soup.find_all(landmark)) == 1, landmark
    assert soup.find("a", class_="skip")["href"] == "#main"
    assert soup.main["id"] == "main"


def test_a_page_lists_its_sections(soup):
    listed = {link.get_text(): link["href"] for link in soup.nav.find_all("a")}
    assert list(listed) == ["Main points", "The projection", "Councils", "How sure are we?", "Sources", *CLOSING]
    for address in listed.values():
        assert soup.find(id=address.removeprefix("#")).name == "h2"


def test_a_page_says_that_it_is_no_official_statistic(soup):
    assert "Estimates, not official statistics" in soup.header.get_text()


def test_code_and_what_is_printed_are_not_on_the_page(text):
    for hidden in ("from deficits", "England report", "In [", "last year"):
        assert hidden not in text


def test_a_warning_is_on_the_page_without_the_place_it_comes_from(soup):
    warning = soup.find(class_="warning").get_text()
    assert warning.strip().endswith("UserWarning: figures of two councils are estimates")
    assert "ipykernel" not in warning


def test_every_table_has_caption_and_scopes(soup):
    tables = soup.find_all("table")
    assert len(tables) == 2  # the chart's and the councils'
    for table in tables:
        assert table.caption.get_text()
        assert all(cell.get("scope") for cell in table.find_all("th"))


def test_no_script_and_nothing_from_elsewhere_is_on_the_page(text, soup):
    assert not soup.find_all(["script", "iframe", "object", "link"], src=True)
    assert "<script" not in text
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert (
        policy
        == "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
    assert [link["href"] for link in soup.find_all("link")] == ["data:,"]
    assert "url(" not in soup.style.string
    assert "tabindex" not in str(soup.find_all(["main", "section", "figure"], recursive=False))


def test_a_page_is_light(rendered):
    assert rendered.stat().st_size < HEAVIEST


def test_a_page_offers_the_notebook_that_made_it(soup, rendered):
    links = {link["href"] for link in soup.footer.find_all("a")}
    assert {"england.ipynb", "england.json", "index.html"} <= links
    notebook = nbformat.read(rendered.with_suffix(".ipynb"), as_version=4)
    assert any("report.main_points" in cell.source for cell in notebook.cells)


def test_a_published_notebook_holds_results_and_nothing_of_the_run(files):
    notebook = json.loads(files["england.ipynb"])
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert all(set(cell["metadata"]) <= {"tags"} for cell in notebook["cells"])
    for word in ("papermill", "duration", "start_time", "iopub"):
        assert word not in files["england.ipynb"]


def test_a_page_holds_no_machine_path(files, rendered):
    folders = {
        Path.home(),
        Path.cwd(),
        Path(tempfile.gettempdir()),
        rendered.parent.parent,
        Path(nbformat.__file__),
    }
    for name, text in files.items():
        for folder in folders:
            assert f'"{folder}' not in text, name
            assert f"{folder}/" not in text, name


def test_a_secret_or_a_user_name_in_the_environment_appears_nowhere(files):
    for name, text in files.items():
        assert "planted-secret-value" not in text, name
        assert "planted-user-name" not in text, name
    assert "None None" in files["england.ipynb"]  # what the notebook was told when it asked


def test_the_run_record_is_at_the_foot_and_beside_the_page(soup, files):
    record = json.loads(files["england.json"])
    listed = {term.get_text(): term.find_next("dd").get_text() for term in soup.footer.find_all("dt")}
    assert listed["Fingerprint"] == record["fingerprint"]
    assert (listed["Seed"], listed["Report"]) == ("3", "england")
    assert record["content"]["headline"] == {"gross_2026": 5.7e9 + 3}
    assert record["content"]["main_points"] == ["The deficit is £5.1bn to £6.3bn."]
    assert record["content"]["code"].endswith("commit abc1234, with uncommitted changes")
    assert {"papermill", "pandas", "pydantic"} <= record["content"]["packages"].keys()
    assert "ruff" not in record["content"]["packages"]
    assert all(len(digest) == 64 for digest in record["content"]["data"].values())


def test_a_download_works_under_the_security_policy(browser, rendered):
    page = browser.new_page()
    page.goto(rendered.as_uri())
    with page.expect_download() as download:
        page.click("a[download='largest.csv']")
    assert "Kent,South East,142.1," in Path(download.value.path()).read_text(encoding="utf-8-sig")
    page.close()


def test_the_spreadsheet_is_saved_under_the_security_policy(browser, rendered):
    page = browser.new_page()
    page.goto(rendered.as_uri())
    with page.expect_download() as download:
        page.click("a[download='england.xlsx']")
    book = CalamineWorkbook.from_path(download.value.path())
    assert book.sheet_names == ["Cover", "Contents", "Table_1", "Table_2"]
    page.close()


def test_a_page_explains_the_words_that_it_uses_and_no_others(soup):
    words = [term.get_text() for term in soup.find("dl", class_="glossary").find_all("dt")]
    assert {"Backtest", "Gross deficit", "Projection", "Section 251"} <= set(words)
    assert "Write-off" not in words


def test_a_page_without_corrections_says_so_and_how_to_report_an_error(soup):
    said = soup.find("section", attrs={"aria-labelledby": "errors-and-corrections"}).get_text()
    assert "Nothing on this page has had to be corrected" in said
    assert "To report an error, tell whoever publishes this page" in said


def test_html_in_markdown_is_shown_and_not_used():
    assert "<b>" not in markdown("# A <b>bold</b> claim")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<h2>x</h2>", "expected one first-level heading, found 0"),
        ("<h1>x</h1><h1>y</h1>", "expected one first-level heading, found 2"),
        ('<h1>x</h1><p id="a"></p><p id="a"></p>', "two elements have the id 'a'"),
        ('<h1>x</h1><img src="data:">', "1 pictures without a text alternative"),
        ("<h1>x</h1><script>1</script>", "there is a <script> element"),
    ],
)
def test_a_page_that_breaks_a_rule_is_not_fit_to_publish(body, fault):
    assert page_faults(body) == [fault]


def test_headings_are_found_with_their_text():
    assert headings('<h2 id="a">One <em>&amp;</em> two</h2>', 2) == [("a", "One & two")]
