from __future__ import annotations

import math
from types import SimpleNamespace
from urllib.parse import unquote

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from deficits.errors import ReportError
from deficits.reports import main_points, notes, paragraph, show, sources, table

FRAME = pd.DataFrame(
    {
        "Council": ["Kent", "Bury <b>", "Isles of Scilly"],
        "Deficit": [142_123_456.78, -1_049_999.0, None],
        "Chance": [0.9997, 0.0, None],
        "Year": [2025, 2026, 2027],
        "Plans": [1234, 5, 6],
    }
)
FORMATS = {"Deficit": "gbp_m", "Chance": "percent", "Year": "year"}


def largest(**more):
    return table(FRAME, "largest", "Largest deficits", "section 251 from DfE", FORMATS, **more)


def soup(shown):
    data, _ = shown._repr_mimebundle_()
    return BeautifulSoup(data["text/html"], "html.parser")


def chart(**more):
    parts = {
        "name": "fan",
        "finding": "Over £5bn & rising",
        "subtitle": "Gross deficit, England",
        "unit": "£bn",
        "source": "own projection",
        "alt": "A rising line.",
        "data": pd.DataFrame(
            {"Year": [2025, 2026], "Median (£)": [3.8e9, 5.712e9], "Probability (0 to 1)": [0, 0.93]}
        ),
        "svg": lambda: '<svg role="img" aria-label="A rising line."></svg>',
        "png": lambda: b"png",
    }
    return SimpleNamespace(**parts | more)


def test_a_table_has_a_caption_and_scoped_headings():
    page = soup(largest())
    assert page.caption.get_text() == "Largest deficits"
    assert [cell["scope"] for cell in page.thead.find_all("th")] == ["col"] * 5
    assert [row.find("th")["scope"] for row in page.tbody.find_all("tr")] == ["row"] * 3


def test_units_stand_in_the_headings_and_numbers_are_rounded_once():
    page = soup(largest())
    assert [cell.get_text() for cell in page.thead.find_all("th")][1:] == [
        "Deficit (£m)",
        "Chance (%)",
        "Year",
        "Plans",
    ]
    rows = [[cell.get_text() for cell in row.find_all("td")] for row in page.tbody.find_all("tr")]
    assert rows[:2] == [["142.1", "over 99", "2024-25", "1,234"], ["−1.0", "0", "2025-26", "5"]]


def test_a_missing_value_is_a_dash_that_is_read_out_and_never_nan():
    page = soup(largest())
    dashes = page.find_all(attrs={"aria-label": "not available"})
    assert [dash.get_text() for dash in dashes] == ["–", "–"]
    assert "nan" not in str(page).casefold()
    assert "nan" not in repr(largest()).casefold()


def test_a_download_holds_the_unrounded_values():
    link = soup(largest()).find("a")
    assert link["download"] == "largest.csv"
    kind, text = unquote(link["href"]).split(",", 1)
    assert kind == "data:text/csv;charset=utf-8"
    assert text.startswith("\ufeffCouncil,Deficit")
    assert "142123456.78" in text
    assert "Isles of Scilly,,,2027,6" in text


def test_plain_text_holds_the_rounded_figures_of_the_html():
    assert repr(largest()).splitlines() == [
        "Largest deficits",
        "Council          Deficit (£m)  Chance (%)     Year  Plans",
        "Kent                    142.1     over 99  2024-25  1,234",
        "Bury <b>                 −1.0           0  2025-26      5",
        "Isles of Scilly             –           –  2026-27      6",
        "Source: section 251 from DfE.",
    ]


def test_a_table_that_fits_a_narrow_screen_is_no_tab_stop():
    narrow = table(FRAME[["Council", "Plans"]], "plans", "Plans", "DfE")
    assert "tabindex" not in str(soup(narrow))
    wide = soup(largest()).find(class_="scroll")
    assert (wide["role"], wide["tabindex"], wide["aria-labelledby"]) == ("region", "0", "table-largest-caption")


def test_a_financial_year_is_not_broken_over_two_lines():
    years = pd.DataFrame({"Year": ["2024-25"], "What it was": ["the year before last"]})
    page = soup(table(years, "x", "Caption", "Source"))
    assert page.tbody.th["class"] == ["s"]
    assert soup(table(FRAME[["Year"]], "x", "Caption", "Source", {"Year": "year"})).tbody.th["class"] == ["s"]
    assert page.tbody.td["class"] == ["t"]


def test_a_named_index_names_the_rows():
    frame = pd.DataFrame({"Median": [1.5]}, index=pd.Index([2026], name="Year"))
    assert soup(table(frame, "x", "Caption", "Source")).tbody.th.get_text() == "2026"


def test_a_format_may_be_a_function():
    shown = table(FRAME, "x", "Caption", "Source", {"Council": str.upper})
    assert soup(shown).tbody.th.get_text() == "KENT"


def test_a_wrong_format_is_refused_with_the_closest_name():
    with pytest.raises(ReportError, match=r"table 'x'.*'gbpm'.*did you mean 'gbp_m'"):
        table(FRAME, "x", "Caption", "Source", {"Deficit": "gbpm"})
    with pytest.raises(ReportError, match="'deficit', which is no column; did you mean 'Deficit'"):
        table(FRAME, "x", "Caption", "Source", {"deficit": "gbp_m"})


@pytest.mark.parametrize("words", [("", "Source"), ("Caption", " ")])
def test_a_table_without_caption_or_source_is_refused(words):
    with pytest.raises(ReportError, match="is empty"):
        table(FRAME, "x", *words)


def test_everything_from_outside_is_escaped():
    hostile = "<script>alert(1)</script>"
    shown = [
        table(pd.DataFrame({hostile: [hostile], "n": [1]}), "x", hostile, hostile),
        main_points([hostile], {"a": 1}),
        paragraph(hostile),
        notes([hostile]),
        sources([{"title": hostile, "publisher": hostile, "url": "javascript:alert(1)", "note": hostile}]),
        show(chart(finding=hostile, subtitle=hostile, unit=hostile, source=hostile)),
    ]
    for one in shown:
        html = one._repr_mimebundle_()[0]["text/html"]
        assert "<script" not in html
        assert 'href="javascript' not in html


def test_a_chart_is_shown_with_its_finding_its_source_and_its_numbers():
    page = soup(show(chart()))
    assert page.figure.h3.get_text() == "Over £5bn & rising"
    assert page.figure.find(class_="subtitle").get_text() == "Gross deficit, England, £bn"
    assert page.figure.svg["role"] == "img"
    assert page.figure.find(class_="source").get_text() == "Source: own projection."
    assert page.details.summary.get_text().startswith("Table and data")
    assert page.details.caption.get_text() == "Gross deficit, England: the figures in the chart"
    assert page.details.find("a")["download"] == "fan.csv"


def test_the_numbers_of_a_chart_are_in_its_unit():
    page = soup(show(chart()))
    assert [cell.get_text() for cell in page.thead.find_all("th")] == ["Year", "Median (£bn)", "Probability (%)"]
    assert [cell.get_text() for cell in page.tbody.find_all("tr")[1]] == ["2026", "5.7", "93"]


def test_a_chart_has_a_picture_with_text_alternative_where_html_is_not_trusted():
    data, metadata = show(chart())._repr_mimebundle_()
    assert data["image/png"] == "cG5n"
    assert metadata == {"image/png": {"alt": "A rising line."}}


def test_plain_text_of_a_chart_holds_finding_alt_and_figures():
    assert repr(show(chart())).splitlines() == [
        "Over £5bn & rising",
        "A rising line.",
        "",
        "Year  Median (£bn)  Probability (%)",
        "2025           3.8                0",
        "2026           5.7               93",
    ]


def test_main_points_carry_the_headline_values():
    data, _ = main_points(["One.", "Two."], {"gross": 3.8e9})._repr_mimebundle_()
    assert data["application/vnd.deficits.headline+json"] == {"gross": 3.8e9}
    assert data["text/plain"] == "Main points\n- One.\n- Two."
    assert BeautifulSoup(data["text/html"], "html.parser").h2.get_text() == "Main points"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "nan", "-inf", "", True, None])
def test_a_headline_value_is_there_and_finite(value):
    with pytest.raises(ReportError, match="headline 'gross'"):
        main_points(["One."], {"gross": value})


def test_a_page_has_main_points_and_a_headline():
    with pytest.raises(ReportError, match="no headline value; there are no points"):
        main_points([], {})


def test_a_page_without_remarks_says_so():
    assert repr(notes([])) == "None."
    assert [item.get_text() for item in soup(notes(["One.", "Two."])).find_all("li")] == ["One.", "Two."]


def test_sources_are_linked_and_licensed():
    page = soup(
        sources(
            [
                {
                    "title": "LA expenditure",
                    "publisher": "DfE",
                    "url": "https://example.org/x",
                    "licence": "OGL-UK-3.0",
                    "published": "2024-12-12",
                    "next_expected": "2025-12",
                    "via": "the Library",
                    "files": {"a.csv": "ab" * 32},
                }
            ]
        )
    )
    links = {link.get_text(): link["href"] for link in page.find_all("a")}
    assert links["LA expenditure"] == "https://example.org/x"
    assert links["Open Government Licence v3.0"].endswith("/open-government-licence/version/3/")
    text = page.get_text()
    assert "Published 2024-12-12. Next edition due 2025-12. Tabulated by the Library." in text
    assert "Contains public sector information licensed under the Open Government Licence v3.0." in text
    assert "ab" * 32 in text


def test_a_source_names_what_it_is_and_who_made_it():
    with pytest.raises(ReportError, match=r"unknown key 'licens', did you mean 'licence'.*no publisher"):
        sources([{"title": "LA expenditure", "licens": "OGL-UK-3.0"}])
    with pytest.raises(ReportError, match="none is given"):
        sources([])
