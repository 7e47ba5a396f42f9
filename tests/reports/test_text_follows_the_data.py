"""What pages say of years, published figures and tense is true of the figures held, whatever they are."""

from __future__ import annotations

import re
from collections.abc import Callable

import nbformat
import pytest

import deficits as d
from deficits.formatting import gbp
from deficits.panel import Panel
from deficits.paths import notebooks_dir
from deficits.projection import england, profile
from deficits.raw import read_table
from deficits.reports import REPORTS
from tests.reports.reading import LATE, VINTAGES, Vintage, sentences

YEAR = re.compile(r"\b20[2-4]\d\b")
MARCH = re.compile(r"March (20\d\d)")


# England


@pytest.mark.parametrize("name", VINTAGES)
def test_the_newest_balances_told_of_are_the_newest_held(vintage: Callable[[str], Vintage], name: str) -> None:
    one = vintage(name)
    told = [each for each in sentences(one.england) if "newest balances" in each]
    assert told
    assert {int(year) for each in told for year in MARCH.findall(each)} == {one.base}


@pytest.mark.parametrize("name", VINTAGES)
def test_a_page_says_nothing_that_is_not_a_word_or_a_number(vintage: Callable[[str], Vintage], name: str) -> None:
    assert not re.search(r"\b(nan|NaN|NaT|inf|None(?!\.)|not available)\b", vintage(name).england)


@pytest.mark.parametrize("name", VINTAGES)
def test_a_deficit_is_called_published_where_it_is_and_estimated_where_it_is_not(
    vintage: Callable[[str], Vintage], name: str
) -> None:
    one = vintage(name)
    published = re.findall(r"gross deficit on SEND at 31 March (\d{4}) was", one.england)
    estimated = re.findall(r"gross deficit on SEND at 31 March (\d{4}) is estimated", one.england)
    ahead = re.findall(r"it would reach .*? by 31 March (\d{4})", one.england)
    assert len(published) + len(estimated) == 1
    assert all(int(year) <= one.base for year in published)
    assert all(int(year) > one.base for year in [*estimated, *ahead])


def test_published_deficits_are_the_sum_of_what_councils_returned_with_its_source(
    vintage: Callable[[str], Vintage],
) -> None:
    one = vintage("two years on")
    returned = one.panel.figure("balance")[one.base].dropna()
    total = gbp((-returned).clip(lower=0).sum())
    told = next(line for line in one.england.splitlines() if "gross deficit on SEND at" in line)
    assert f"at 31 March {one.base} was {total}, published" in told
    assert f"{len(returned)} of {len(returned) + len(LATE)} councils" in told
    assert "Ministry of Housing, Communities and Local Government, 10 December 2026" in told
    assert f"{len(LATE)} have not returned theirs" in told


def test_a_sum_of_too_few_councils_is_not_called_the_deficit(vintage: Callable[[str], Vintage]) -> None:
    panel = vintage("two years on").panel.copy()
    newest = panel.frame.index[panel.frame.index.get_level_values("year") == vintage("two years on").base]
    panel.frame.loc[newest[:24], "balance"] = float("nan")
    projection = d.project(panel, until=2029, draws=200)
    assert projection.base_year == vintage("two years on").base
    assert projection.base_year not in set(england.observed_gross(panel)["year"])
    assert f"england_gross_deficit_{projection.base_year}" not in england.headline(projection)


def test_five_billion_was_passed_between_the_published_year_ends_on_either_side(
    vintage: Callable[[str], Vintage],
) -> None:
    one = vintage("two years on")
    gross = (-one.panel.figure("balance")).clip(lower=0).sum()
    before, after = (gbp(gross[year]) for year in (one.base - 1, one.base))
    assert gross[one.base - 1] < 5e9 < gross[one.base]
    passed = f"between 31 March {one.base - 1} ({before}) and 31 March {one.base} ({after})"
    assert f"It passed £5bn {passed}" in one.england


def test_the_national_total_is_told_of_with_its_author_only_where_it_is_used(
    vintage: Callable[[str], Vintage],
) -> None:
    told = {name: "calibrated to a national total" in vintage(name).england for name in VINTAGES}
    assert told == {"held": True, "replayed": False, "two years on": False}
    assert "Special Needs Jungle" in vintage("held").england


def test_what_councils_forecast_stands_as_a_deficit_like_every_other_on_the_page(
    vintage: Callable[[str], Vintage],
) -> None:
    one = vintage("held")
    stated = england.stated_forecasts(d.project(one.panel, until=2029, draws=200))
    largest = stated.loc[stated["stated"].idxmin()]
    row = next(line for line in one.england.splitlines() if line.startswith(f"{largest['name']} "))
    numbers = [
        float(each)
        for each in re.findall(r"(?<= )[\u2212]?\d+(?:\.\d)?(?= )", row.replace(str(largest["detail"]), ""))
    ]
    assert numbers[0] == round(-largest["stated"] / 1e6, 1)
    assert 0 < numbers[1] < numbers[2]
    assert "negative = deficit" not in one.england


def test_an_earlier_day_knows_nothing_that_was_said_after_it(vintage: Callable[[str], Vintage]) -> None:
    text = vintage("replayed").england
    assert "OBR" not in text  # November 2025
    assert "January 2026" not in text  # counted in June 2026
    assert "£3.8bn" not in text  # December 2025


def test_recommendations_are_answered_by_what_was_public_on_the_day(vintage: Callable[[str], Vintage]) -> None:
    before, later = (vintage(name).text("recommendations", draws=200) for name in ("replayed", "two years on"))
    assert "on the day of this page it was not known" in before  # the report is of 18 September 2025
    assert "High Needs Stability Grant" not in before
    assert "High Needs Stability Grant pays 90%" in later
    for text in (before, later):
        assert not re.search(r"\b(nan|NaN|inf|None(?! of these))\b", text)


@pytest.mark.parametrize("report", ["monitor", "places", "formula"])
def test_a_later_or_an_earlier_vintage_and_a_near_horizon_leave_no_gap_in_words(
    vintage: Callable[[str], Vintage], report: str
) -> None:
    given = {} if report == "monitor" else {"draws": 200, "until": 2028}
    for name in ("replayed", "two years on"):
        text = vintage(name).text(report, **given)
        assert not re.search(r"\b(nan|NaN|NaT|inf|None)\b", text), name


# Notebooks and words


@pytest.mark.parametrize("report", REPORTS)
def test_no_year_stands_in_a_notebook_but_in_its_parameters(report: str) -> None:
    notebook = nbformat.read(notebooks_dir() / REPORTS[report].notebook, as_version=4)
    cells = [cell for cell in notebook.cells if "parameters" not in cell.metadata.get("tags", [])]
    assert [cell.source for cell in cells if YEAR.search(cell.source)] == []


def test_the_kinds_of_disputed_balance_add_up(panel: Panel) -> None:
    told = stored("00_data_quality", r"Of the (\d+) disputed balances there are (.*)")
    numbers = [int(number) for number in re.findall(r"(?:^|; |and )(\d+) (?:on|in) ", told[2])]
    assert sum(numbers) == int(told[1]) == panel.frame["balance_basis"].eq("disputed").sum()


def test_the_safety_valve_agreements_that_are_not_held_are_said(panel: Panel) -> None:
    told = stored("02_writeoff", r"Of (\d+) safety valve agreements (\d+) are not held")
    assert int(told[1]) - int(told[2]) == panel.agreements["authority"].nunique()


def test_an_amount_that_was_not_found_is_told_as_assumed(panel: Panel) -> None:
    listed = read_table("safety-valve", "agreements.csv", numeric=["total_payment_gbp"])
    unknown = listed.loc[listed["total_payment_gbp"].isna(), "la_name"].map(panel.authorities.resolve)
    basis = panel.agreements.groupby("authority")["basis"].agg(set)
    assert set(basis.index[basis == {"assumed"}]) == set(unknown)
    assert len(unknown) == 9


def test_sums_of_plans_hold_the_councils_that_were_replaced_and_say_what_was_put_in_place(panel: Panel) -> None:
    published = panel.frame["plans"].groupby(level="year").sum()
    told = stored("03_authority", r"\n +2010 +[\d,]+ +[\d,]+ +([\d,]+)\n")
    assert int(told[1].replace(",", "")) == published[2010] == 228_221
    (note,) = profile.replaced(panel, "plans", ["316"])
    before, after = (int(number.replace(",", "")) for number in re.findall(r"\d,\d{3}", note)[::3][:2])
    assert published[2025] - (after - before) == 638_745  # DfE's
    assert profile.replaced(panel, "plans", ["886"]) == []


def test_a_past_range_is_held_against_both_returns_of_a_council() -> None:
    told = stored("03_authority", r"was a deficit of £67.2m, (\w+) that range \(its other return: .*?, (\w+) that")
    assert (told[1], told[2]) == ("outside", "inside")


def stored(name: str, pattern: str) -> re.Match[str]:
    """Where a pattern stands in what a committed notebook says."""
    notebook = nbformat.read(notebooks_dir() / f"{name}.ipynb", as_version=4)
    texts = [out.data for cell in notebook.cells for out in cell.get("outputs", []) if "data" in out]
    said = [text for data in texts for text in data.values() if isinstance(text, str)]
    found = re.search(pattern, "\n".join(said))
    assert found, pattern
    return found
