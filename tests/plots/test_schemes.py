"""Figures of write-offs beside each other: what they cost and buy, who gains, how soon deficits are back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from deficits import plots
from deficits.plots import Chart, style
from tests.plots.examples import ABOVE, COMPARED, HELPED, LESS, MOVED, overlapping

Charts = dict[str, Chart]
NEW = ("frontier", "frontier_reserves", "against", "helped", "moved", "above", "back")


def drawn(chart: Chart) -> list[str]:
    return [text.get_text() for text in chart.figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("name", NEW)
def test_a_finding_is_ten_words_or_fewer(every_chart: Charts, name: str) -> None:
    assert len(every_chart[name].finding.split()) <= 10


@pytest.mark.parametrize("name", NEW)
def test_svg_is_the_same_each_time_it_is_made(every_chart: Charts, name: str) -> None:
    from tests.plots.examples import MAKERS

    assert MAKERS[name]().svg() == every_chart[name].svg()


def test_schemes_are_numbered_from_the_cheapest_on_and_named_in_a_key(every_chart: Charts) -> None:
    chart = every_chart["frontier"]
    assert {"1", "2", "3, 4"} <= set(drawn(chart))  # two schemes at one place share a label
    assert chart.data["Scheme"].tolist() == COMPARED["scheme"].tolist()
    key = [text.replace("\n", " ") for text in drawn(chart) if "  " in text]
    assert key[0] == "1  No help"
    assert key[3] == "4  Like all (dominated)"


def test_a_dominated_scheme_differs_in_shape_as_well_as_colour(every_chart: Charts) -> None:
    rings, dots = every_chart["frontier"].figure.axes[0].lines[:2]
    assert rings.get_markerfacecolor() == style.WHITE != dots.get_markerfacecolor()
    assert rings.get_markersize() > dots.get_markersize()  # both are seen where they stand on one another
    assert every_chart["frontier"].data["Dominated"].tolist() == ["no", "no", "no", "yes"]


def test_the_finding_of_a_frontier_is_the_range_of_the_best(every_chart: Charts, all_charts: Charts) -> None:
    assert every_chart["frontier"].finding == "The smallest deficit left is £6.0bn to £10.0bn"
    assert every_chart["frontier_reserves"].finding == "Fewest councils above their reserves: 20 to 50"
    years = all_charts["frontier_of_years_some_never"]
    assert years.finding == "The longest time bought is 1.3 years"  # its range has no upper end
    assert "4 Like all, dominated, £6.0bn: no value" in years.alt
    assert all_charts["frontier_of_gini_where_one_pays_nothing"].finding == (
        "Scheme 2 is the most even, Gini 0.40 to 0.50"
    )


def test_a_scheme_without_a_value_keeps_its_number_in_the_key(all_charts: Charts) -> None:
    chart = all_charts["frontier_of_gini_where_one_pays_nothing"]
    assert "1" not in drawn(chart)
    assert "1  No help" in drawn(chart)


def test_a_measure_that_is_not_known_is_refused_with_the_closest() -> None:
    with pytest.raises(ValueError, match="no measure 'deficits'; did you mean 'deficit'"):
        plots.frontier(COMPARED, "deficits", 2028)
    with pytest.raises(ValueError, match="no scheme has a value"):
        plots.frontier(COMPARED.head(1), "gini", 2028)


def test_only_a_whole_range_above_zero_is_said_to_leave_more(every_chart: Charts) -> None:
    chart = every_chart["against"]
    assert chart.finding == "1 of 3 schemes leaves a larger deficit"
    assert chart.data["Scheme"].tolist() == ["All", "About the same", "No help"]
    assert {"−£1.5bn", "+£6.0bn"} <= set(drawn(chart))


def test_help_so_far_and_new_help_add_up_to_the_bar(every_chart: Charts) -> None:
    chart = every_chart["helped"]
    assert chart.finding == "Safety valve councils get £989 a pupil, others £482"
    together = HELPED["received_per_pupil"] + HELPED["new_per_pupil"]
    assert chart.data["Together (£ a pupil)"].tolist() == together.tolist()
    first, second = chart.figure.axes[0].containers
    assert [bar.get_x() for bar in second] == [bar.get_width() for bar in first]
    assert first[0].get_hatch() != second[0].get_hatch()


def test_losers_come_first_and_the_largest_on_each_side_are_shown(every_chart: Charts, all_charts: Charts) -> None:
    chart = every_chart["moved"]
    assert len(chart.data) == 16
    assert chart.data["Change, mean (£)"].is_monotonic_increasing
    assert chart.finding == "Council 0 loses most, £30.0m to £90.0m"
    assert all_charts["one_gains"].finding == "Council 29 gains most, £10.0m to £30.0m"
    with pytest.raises(ValueError, match="no council gains or loses"):
        plots.gainers_and_losers(MOVED.assign(mean=0.0), "Equal amounts", "the grant")
    with pytest.raises(ValueError, match="top is 0"):
        plots.gainers_and_losers(MOVED, "Equal amounts", "the grant", top=0)


def test_a_range_across_zero_is_not_told_as_a_loss() -> None:
    chart = plots.gainers_and_losers(MOVED.head(1).assign(p90=5e6), "Equal amounts", "the grant")
    assert chart.finding == "Council 0 loses most, £60.0m"


def test_councils_above_reserves_are_told_as_a_range(every_chart: Charts) -> None:
    chart = every_chart["above"]
    assert chart.finding == "Deficits still pass reserves in 25 to 53 councils"
    assert "without the scheme 52 to 80" in chart.alt
    assert chart.figure.axes[0].get_ylim()[0] == 0
    assert len(chart.data) == len(ABOVE)


def test_every_council_stands_in_one_bar_and_never_is_longer(every_chart: Charts) -> None:
    chart = every_chart["back"]
    assert chart.data["Councils"].tolist() == [2, 1, 1, 0, 2]
    assert chart.finding == "3 of 6 deficits are back within a year"
    with pytest.raises(ValueError, match="at least one council"):
        plots.time_until_back(pd.Series(dtype=float), 2026)


def test_a_missing_column_is_refused() -> None:
    with pytest.raises(ValueError, match="no column 'deficit_p90'"):
        plots.frontier(COMPARED.drop(columns="deficit_p90"), "deficit", 2028)
    with pytest.raises(ValueError, match="no column 'p50'"):
        plots.schemes_against(LESS.drop(columns="p50"), "The grant", 2028)
    with pytest.raises(ValueError, match="no column 'group'"):
        plots.help_per_pupil(HELPED.drop(columns="group"))
    with pytest.raises(ValueError, match="no column 'with_p50'"):
        plots.above_reserves(ABOVE.drop(columns="with_p50"))


@pytest.mark.parametrize("count", [1, 5, 20])
def test_numbers_keep_clear_of_each_other_however_many_schemes(count: int) -> None:
    rng = np.random.default_rng(count)
    middle = rng.uniform(8e9, 9e9, count)
    table = pd.DataFrame(
        {
            "scheme": [f"Scheme {number}" for number in range(count)],
            "dominated": rng.random(count) < 0.5,
            "present_cost_p50": rng.uniform(4e9, 6e9, count),
            "deficit_p10": middle - 1e9,
            "deficit_p50": middle,
            "deficit_p90": middle + 1e9,
        }
    )
    assert overlapping(plots.frontier(table, "deficit", 2028)) == []
