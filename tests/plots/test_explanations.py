"""Figures that explain the projection: causes of growth, levers, and its record."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.text import Text

from deficits import plots
from deficits.plots import Chart, causes, levers, style
from deficits.projection.questions import CAUSES as KNOWN
from tests.plots.examples import CAUSES, LEVERS, RECORD, make_record, overlapping

Charts = dict[str, Chart]
NEW = ("causes", "levers", "record", "calibration")


def drawn(chart: Chart) -> list[str]:
    return [text.get_text() for text in chart.figure.findobj(Text) if text.get_text()]


def row_labels(chart: Chart) -> list[str]:
    return [label.get_text().replace("\n", " ") for label in chart.figure.axes[0].get_yticklabels()]


@pytest.mark.parametrize("name", NEW)
def test_finding_is_short_and_stands_in_the_alternative_text(every_chart: Charts, name: str) -> None:
    chart = every_chart[name]
    assert len(chart.finding.split()) <= 12
    assert chart.alt.startswith(f"{chart.finding}. ")


@pytest.mark.parametrize("name", NEW)
def test_svg_is_the_same_each_time_it_is_made(every_chart: Charts, name: str) -> None:
    from tests.plots.examples import MAKERS

    first = every_chart[name].svg()
    every_chart[name].png(dpi=50)
    assert every_chart[name].svg() == first
    assert MAKERS[name]().svg() == first


@pytest.mark.parametrize(
    ("make", "column"),
    [
        (lambda column: plots.causes_of_growth(CAUSES.drop(columns=column), 2026, 2028), "p90"),
        (lambda column: plots.levers_compared(LEVERS.drop(columns=column), 2031), "kind"),
        (lambda column: plots.levers_compared(LEVERS.drop(columns=column), 2031), "change_p50"),
        (lambda column: plots.record_by_council(RECORD.drop(columns=column), 2024), "block"),
        (lambda column: plots.record_by_council(RECORD.drop(columns=column), 2024), "p50"),
        (lambda column: plots.calibration(RECORD.drop(columns=column), 2024), "p25"),
    ],
)
def test_a_missing_column_is_refused(make: Callable[[str], Chart], column: str) -> None:
    with pytest.raises(ValueError, match=f"no column '{column}'"):
        make(column)


# Causes


def test_every_cause_of_the_projection_has_words_in_its_order() -> None:
    assert list(causes.SHORT) == [*KNOWN, causes.TOTAL]
    assert list(causes.IN_A_HEADLINE) == list(KNOWN)


def test_causes_stand_in_the_order_given_without_zeros_and_the_total_last(every_chart: Charts) -> None:
    chart = every_chart["causes"]
    assert row_labels(chart) == [
        "Overspend of 2025-26, repeated each year",
        "Number of children and young people",
        "Plans per person",
        "Not explained",
        "Total growth",
    ]
    mean = chart.data["Mean (£)"]
    assert mean.iloc[:-1].sum() == mean.iloc[-1]
    assert {"+£6.0bn", "−£0.2bn", "<£0.1bn", "+£10.8bn"} <= set(drawn(chart))
    assert "Bars: means, which add up. Lines: 80% ranges, which do not." in drawn(chart)
    assert "Means add up to the total; ranges do not" in chart.alt


def test_bars_of_causes_start_at_zero_and_show_their_direction_by_side_and_colour(every_chart: Charts) -> None:
    bars = every_chart["causes"].figure.axes[0].patches
    assert {bar.get_x() for bar in bars} == {0.0}
    assert [bar.get_width() > 0 for bar in bars] == [True, False, True, True, True]
    assert len({bar.get_facecolor() for bar in bars}) == 2


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        ({}, "Repeating the 2025-26 overspend adds most to the deficit, £6.0bn"),
        ({"plan_rate": 26e9}, "More plans per person add most to the deficit, £26.0bn"),
        ({"people": -40e9, "total": -29e9}, "Fewer children and young people take most off the deficit, £40.0bn"),
        (
            {"plan_rate": -5e9, "carried_on": -1e6, "not_explained": -1e6, "total": 0.0},
            "Fewer plans per person take",
        ),
    ],
)
def test_the_largest_cause_in_the_direction_of_the_deficit_is_the_finding(
    changed: dict[str, float], finding: str
) -> None:
    frame = CAUSES.copy()
    for cause, amount in changed.items():
        frame.loc[cause] = amount
    assert plots.causes_of_growth(frame, 2026, 2028).finding.startswith(finding)


def test_a_council_is_named_and_its_fall_is_not_called_growth(all_charts: Charts) -> None:
    chart = all_charts["deficit_of_a_council_falls"]
    assert chart.finding == "Bristol, City of: repeating the 2025-26 surplus takes most off the deficit"
    assert chart.name == "causes-of-growth-bristol-city-of"
    assert chart.unit == "£m"


def test_causes_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match="cause 'plan_rates' is not known; did you mean 'plan_rate'"):
        plots.causes_of_growth(CAUSES.rename(index={"plan_rate": "plan_rates"}), 2026, 2028)
    with pytest.raises(ValueError, match="no row 'total'"):
        plots.causes_of_growth(CAUSES.drop(index="total"), 2026, 2028)
    with pytest.raises(ValueError, match="every cause is zero"):
        plots.causes_of_growth(CAUSES * 0, 2026, 2028)
    with pytest.raises(ValueError, match="'people' lacks a value"):
        plots.causes_of_growth(CAUSES.mask(CAUSES["mean"] < 0), 2026, 2028)


# Levers


def test_levers_stand_with_the_largest_cut_first_and_zero_is_the_baseline(every_chart: Charts) -> None:
    chart = every_chart["levers"]
    assert row_labels(chart) == [
        "Plans grow less",
        "Moves places nearer to children's homes",
        "Moves money only",
        "Costs more at first and saves later",
    ]
    assert {"baseline", "−£3.0bn", "none", "+£1.4bn"} <= set(drawn(chart))
    assert chart.data["Change, median (£)"].is_monotonic_increasing


def test_an_assumption_is_not_a_saving_anyone_can_choose(every_chart: Charts, all_charts: Charts) -> None:
    assert every_chart["levers"].finding == "Largest deficit cut, £3.0bn: moves places nearer to children's homes"
    assert all_charts["only_an_assumption"].finding == "Largest deficit cut, £8.0bn: plans grow less"
    assert all_charts["only_a_lever_that_changes_nothing"].finding == "No lever cuts the deficit at March 2031"
    nhs = plots.levers_compared(LEVERS.iloc[[1]].assign(lever="NHS pays"), 2031)
    assert nhs.finding.endswith(": NHS pays")


def test_kinds_differ_in_shape_as_well_as_colour(every_chart: Charts, all_charts: Charts) -> None:
    assert len({shape for _, shape in levers.KINDS.values()}) == len(levers.KINDS)
    assert {"Policy lever", "Assumption"} <= set(drawn(every_chart["levers"]))
    assert "Assumption" not in drawn(all_charts["only_an_assumption"])  # one kind needs no legend


def test_levers_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown kinds \['guess'\]"):
        plots.levers_compared(LEVERS.assign(kind="guess"), 2031)
    with pytest.raises(ValueError, match="no row has all values"):
        plots.levers_compared(LEVERS.head(0), 2031)


# The record


def test_councils_are_counted_inside_below_and_above(every_chart: Charts) -> None:
    chart = every_chart["record"]
    inside = RECORD["actual"].between(RECORD["p10"], RECORD["p90"])
    assert chart.finding == f"{inside.sum()} of 146 councils ended inside their 80% range"
    counts = chart.data["Ended"].value_counts()
    assert counts["inside"] == inside.sum()
    assert {f"{word.capitalize()} ({number})" for word, number in counts.items()} <= set(drawn(chart))
    assert f"{counts['below']} ended below" in chart.alt


def test_an_end_of_the_range_is_inside_it() -> None:
    chart = plots.record_by_council(make_record([1.0, -1.0, 0.0]).assign(actual=lambda frame: frame["p10"]), 2024)
    assert chart.finding == "3 of 3 councils ended inside their 80% range"
    ends = plots.calibration(make_record([0.0] * 4).assign(actual=lambda frame: frame["p90"]), 2024)
    assert ends.finding == "50% ranges held 0% of councils, 80% ranges 100%"


def test_outside_differs_in_colour_and_in_shape_and_councils_stand_by_their_middles(every_chart: Charts) -> None:
    chart = every_chart["record"]
    marks = {line.get_label().split()[0]: line for line in chart.figure.axes[0].lines}
    assert marks["Inside"].get_color() == style.NAVY != marks["Below"].get_color()
    assert len({marks[place].get_marker() for place in ("Inside", "Below", "Above")}) == 3
    assert chart.data["Median (£)"].is_monotonic_increasing  # each block is the same here


def test_those_furthest_outside_are_named_where_nothing_is_covered(every_chart: Charts) -> None:
    chart = every_chart["record"]
    assert {"Council 2", "Council 4"} <= set(drawn(chart))
    assert "Furthest outside for its size is Council 2: " in chart.alt
    crowded = plots.record_by_council(make_record(list(np.tile([1.5, -1.5, 0.0], 48))), 2024)
    assert overlapping(crowded) == []


def test_a_block_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="the block of 'Council 0' is not above zero"):
        plots.record_by_council(make_record([0.0]).assign(block=0.0), 2024)
    with pytest.raises(ValueError, match="no council has all of"):
        plots.record_by_council(RECORD.head(0), 2024)
    with pytest.raises(ValueError, match="no council has all of"):
        plots.calibration(RECORD.assign(p25=float("nan")), 2024)


def test_calibration_shares_add_up_and_stand_beside_what_they_should_be(every_chart: Charts) -> None:
    chart = every_chart["calibration"]
    data = chart.data
    assert data["Councils (number)"].sum() == 146
    assert data["Share of councils (0 to 1)"].sum() == pytest.approx(1)
    assert data["Should be (0 to 1)"].tolist() == [0.10, 0.15, 0.25, 0.25, 0.15, 0.10]
    inside = RECORD["actual"].between(RECORD["p10"], RECORD["p90"]).sum()
    assert data["Councils (number)"].iloc[1:5].sum() == inside
    assert chart.figure.axes[0].get_ylim()[0] == 0


def test_a_perfect_record_is_as_it_should_be() -> None:
    places = [place / 1.28 for place in [-2.0] * 10 + [-1.0] * 15 + [-0.3] * 25]
    chart = plots.calibration(make_record([*places, *(-place for place in places)]), 2024)
    assert chart.data["Share of councils (0 to 1)"].tolist() == chart.data["Should be (0 to 1)"].tolist()
    assert chart.finding == "50% ranges held 50% of councils, 80% ranges 80%"


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e3])
def test_labels_keep_clear_at_any_scale(scale: float) -> None:
    values = ["change_p10", "change_p50", "change_p90"]
    for chart in (
        plots.causes_of_growth(CAUSES * scale, 2026, 2028),
        plots.levers_compared(LEVERS.assign(**{name: LEVERS[name] * scale for name in values}), 2031),
    ):
        assert overlapping(chart) == []
        ticks = chart.figure.axes[0].get_xticks()
        assert all(one < other for one, other in pairwise(ticks))
