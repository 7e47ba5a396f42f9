from __future__ import annotations

import base64
import math
from types import SimpleNamespace
from urllib.parse import unquote

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from deficits.errors import ReportError
from deficits.raw import raw_data
from deficits.reports import figure, main_points, notes, paragraph, sources, table
from deficits.reports.tables import DATA, Link

FRAME = pd.DataFrame(
    {
        "Council": ["Kent", "Bury <b>", "Isles of Scilly"],
        "Deficit": [142_123_456.78, -1_049_999.0, None],
        "Chance": [0.9997, 0.0, None],
        "Year": [2025, 2026, 2027],
        "Plans": [1234, 5, 6],
    }
)
FORMATS = {"Deficit": "£m", "Chance": "%", "Year": "year"}


def largest(**more):
    return table(FRAME, "largest", "Largest deficits", "section 251 from DfE", FORMATS, **more)


def soup(shown):
    data = shown._repr_mimebundle_()
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


def test_a_chance_that_simulations_give_is_never_certain():
    frame = pd.DataFrame({"Council": ["Kent", "Bury"], "Chance (0 to 1)": [1.0, 0.0]})
    page = soup(table(frame, "chances", "Chances", "own projection", {"Chance (0 to 1)": "chance"}))
    assert page.find_all("th")[1].get_text() == "Chance (%)"
    assert [cell.get_text() for cell in page.find_all("td")] == ["over 99", "under 1"]


def test_a_missing_value_is_said_to_be_missing_and_is_never_nan_or_nought():
    page = soup(largest())
    cells = [cell.get_text() for cell in page.tbody.find_all("tr")[2].find_all("td")]
    assert cells == ["n/a", "n/a", "2026-27", "6"]
    assert "nan" not in str(page).casefold()
    assert "nan" not in repr(largest()).casefold()


def test_a_download_and_the_kept_data_hold_the_figures_as_shown():
    link = soup(largest()).find("a")
    assert link["download"] == "largest.csv"
    kind, text = unquote(link["href"]).split(",", 1)
    assert kind == "data:text/csv;charset=utf-8"
    assert text.startswith("\ufeffCouncil,Deficit (£m),Chance (%),Year,Plans\r\nKent,142.1,over 99,2024-25,1234")
    assert "Isles of Scilly,,,2026-27,6" in text
    kept = largest()._repr_mimebundle_()[DATA]
    assert kept["data"][1] == ["Bury <b>", -1.0, 0, "2025-26", 5]
    assert kept["data"][2] == ["Isles of Scilly", None, None, "2026-27", 6]
    assert [field["type"] for field in kept["schema"]["fields"]] == [
        "string",
        "number",
        "number",
        "string",
        "number",
    ]


def test_a_text_that_a_spreadsheet_would_work_out_is_a_text_in_the_download():
    link = soup(table(pd.DataFrame({"Council": ["=1+1"]}), "x", "Caption", "Source")).find("a")
    assert unquote(link["href"]).endswith("\r\n'=1+1\r\n")


def test_pounds_of_one_table_have_one_unit():
    frame = pd.DataFrame({"Council": ["Kent"], "Low (£)": [9e8], "High (£)": [1.2e9]})
    assert [cell.get_text() for cell in soup(table(frame, "x", "Caption", "Source")).tbody.find_all("td")] == [
        "0.9",
        "1.2",
    ]
    shown = soup(table(frame, "x", "Caption", "Source", units="£m"))
    assert [cell.get_text() for cell in shown.thead.find_all("th")] == ["Council", "Low (£m)", "High (£m)"]


def test_plain_text_holds_the_rounded_figures_of_the_html():
    assert repr(largest()).splitlines() == [
        "Largest deficits",
        "Council          Deficit (£m)  Chance (%)  Year     Plans",
        "Kent                    142.1     over 99  2024-25  1,234",
        "Bury <b>                 −1.0           0  2025-26      5",
        "Isles of Scilly           n/a         n/a  2026-27      6",
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
    with pytest.raises(ReportError, match=r"table 'x'.*'£k'.*did you mean '£'"):
        table(FRAME, "x", "Caption", "Source", {"Deficit": "£k"})
    with pytest.raises(ReportError, match="'deficit', which is no column; did you mean 'Deficit'"):
        table(FRAME, "x", "Caption", "Source", {"deficit": "£m"})


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
        figure(chart(finding=hostile, subtitle=hostile, unit=hostile, source=hostile)),
    ]
    for one in shown:
        html = one._repr_mimebundle_()["text/html"]
        assert "<script" not in html
        assert 'href="javascript' not in html


def test_a_chart_is_shown_with_its_finding_its_source_and_its_numbers():
    page = soup(figure(chart()))
    assert page.figure.h3.get_text() == "Over £5bn & rising"
    assert page.figure.find(class_="subtitle").get_text() == "Gross deficit, England, £bn"
    assert page.figure.img["alt"] == "A rising line."
    assert base64.b64decode(page.figure.img["src"].removeprefix("data:image/svg+xml;base64,")).startswith(b"<svg")
    assert page.figure.find(class_="source").get_text() == "Source: own projection."
    assert page.details.summary.get_text().startswith("Table and data")
    assert page.details.caption.get_text() == "Gross deficit, England: the figures in the chart"
    assert page.details.find("a")["download"] == "fan.csv"


def test_the_numbers_of_a_chart_are_in_its_unit():
    page = soup(figure(chart()))
    assert [cell.get_text() for cell in page.thead.find_all("th")] == ["Year", "Median (£bn)", "Probability (%)"]
    assert [cell.get_text() for cell in page.tbody.find_all("tr")[1]] == ["2026", "5.7", "93"]


def test_a_text_alternative_does_not_repeat_the_heading():
    assert soup(figure(chart(alt="Over £5bn & rising. A rising line."))).img["alt"] == "A rising line."


def test_plain_text_of_a_chart_holds_finding_alt_and_figures():
    assert repr(figure(chart())).splitlines() == [
        "Over £5bn & rising",
        "A rising line.",
        "",
        "Year  Median (£bn)  Probability (%)",
        "2025           3.8                0",
        "2026           5.7               93",
    ]


def test_main_points_carry_the_headline_values():
    data = main_points(["One.", "Two."], {"gross": 3.8e9})._repr_mimebundle_()
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


def test_sources_are_linked_dated_and_licensed():
    page = soup(sources("section251-outturn", "published-forecasts"))
    source = raw_data().source("section251-outturn")
    links = {link.get_text(): link["href"] for link in page.find_all("a")}
    assert links[source.title] == str(source.url)
    assert links["Open Government Licence v3.0"].endswith("/open-government-licence/version/3/")
    text = page.get_text()
    assert f"Retrieved {source.retrieved}" in text
    assert "Contains public sector information licensed under the Open Government Licence v3.0." in text
    assert all(file.sha256 in text for file in source.file)


def test_an_unknown_source_is_refused_with_the_closest_name():
    with pytest.raises(ReportError, match=r"'section251-outurn', did you mean|did you mean 'section251-outturn'"):
        sources("section251-outurn")


def test_a_cell_that_links_is_a_link_on_a_page_and_its_text_elsewhere():
    shown = table(
        FRAME[["Council", "Plans"]],
        caption="Plans",
        source="DfE",
        formats={"Council": lambda name: Link(name, "a.html?b=1&c")},
    )
    link = soup(shown).tbody.find_all("a")[1]
    assert (link["href"], link.get_text()) == ("a.html?b=1&c", "Bury <b>")
    assert "<a" not in shown.text
    assert shown.other[DATA]["data"][1][0] == "Bury <b>"


def test_a_tables_filters_are_its_columns_and_wait_for_a_script():
    tools = soup(largest(filters=["Year"])).find(class_="filter")
    assert tools.has_attr("hidden")  # without a script there is no dead control
    assert tools["data-table"] == "table-largest"
    assert {label["for"] for label in tools.find_all("label")} == {
        each["id"] for each in tools.find_all(["input", "select"])
    }
    assert tools.find("select")["data-column"] == "3"
    assert soup(largest()).find(class_="filter") is None
    with pytest.raises(ReportError, match="filter 'Yaer' is no column; did you mean 'Year'"):
        largest(filters=["Yaer"])
