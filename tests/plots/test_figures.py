"""What each figure says and draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from deficits import plots
from deficits.plots import Chart
from tests.plots.examples import (
    COUNCIL,
    COVERED,
    ENGLAND,
    FORECASTS,
    GRANTS,
    NOTHING_SEEN,
    SEEN,
    make_fan,
    make_observed,
    overlapping,
)

Charts = dict[str, Chart]


def drawn(chart: Chart) -> list[str]:
    return [text.get_text() for text in chart.figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize(
    ("first_year", "chance"),
    [
        ({"p10": 5.1e9, "p25": 5.2e9}, "at least 90% likely"),
        ({"p10": 4.9e9, "p25": 5.1e9}, "at least 75% likely"),
        ({"p10": 4.8e9, "p25": 4.9e9}, "more likely than not"),
    ],
)
def test_england_finding_says_no_more_than_the_percentiles_do(first_year: dict[str, float], chance: str) -> None:
    fan = pd.DataFrame({**first_year, "p50": 5.5e9, "p75": 5.8e9, "p90": 6e9}, index=[2026])
    chart = plots.england_fan(fan, SEEN, FORECASTS.iloc[:0])
    assert chart.finding == f"England's deficit is {chance} to exceed £5bn at March 2026"


def test_england_finding_when_the_threshold_is_not_reached_or_already_passed(all_charts: Charts) -> None:
    low = plots.england_fan(ENGLAND, SEEN, FORECASTS, threshold=40e9)
    assert low.finding == "England's deficit is more likely than not below £40bn until March 2031"
    assert all_charts["england_above"].finding.endswith("above £5bn at March 2025, is likely to stay above it")
    assert all_charts["england_falls"].finding.endswith("is likely to fall below £5bn by March 2028")


def test_england_data_are_unrounded_and_keep_observed_projection_and_forecasts_apart(every_chart: Charts) -> None:
    data = every_chart["england"].data
    middle = "Median, observed or published central (£)"
    assert set(data["Figure"]) == {"Reported", "Projection", *FORECASTS["publisher"][:4]}
    projection = data[data["Figure"] == "Projection"]
    assert projection[middle].tolist() == ENGLAND["p50"].tolist()
    assert projection["25th percentile (£)"].tolist() == ENGLAND["p25"].tolist()
    assert (data["Figure"] == "Reported").sum() == SEEN["value"].notna().sum()


def test_forecasts_stand_oldest_first_with_publisher_date_and_amount(every_chart: Charts) -> None:
    chart = every_chart["forecasts"]
    labels = [label.get_text() for label in chart.figure.axes[0].get_yticklabels()]
    assert [label.splitlines()[-1] for label in labels[1:]] == ["24 Oct 2024", "Feb 2025", "26 Nov 2025"]
    assert {"£4.0bn to £4.9bn", "up to £5.9bn", "£6.0bn"} <= set(drawn(chart))
    assert chart.finding == "2 of 3 published forecasts for March 2026 are within our 80% range"
    assert "First body, 24 Oct 2024: £4.0bn to £4.9bn." in chart.alt


def test_probability_names_the_first_likely_year_and_never_rounds_to_certainty(every_chart: Charts) -> None:
    chart = every_chart["probability"]
    assert chart.finding == "A gross deficit above £5bn is 93% likely at March 2026"
    assert ">99%" in drawn(chart)
    assert "over 99% in 2027" in chart.alt


@pytest.mark.parametrize("share", [-0.1, 1.01, 93.0])
def test_probability_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"the probability of 2026 is .*; expected 0 to 1"):
        plots.probability_by_year(pd.Series({2026: share}), 5e9, "gross")


def test_writeoff_says_from_what_to_what(all_charts: Charts) -> None:
    assert all_charts["writeoff"].finding == (
        "Write-off lowers the central deficit at March 2031 from £20.0bn to £18.0bn"
    )
    assert all_charts["scheme_changes_nothing"].finding.endswith("unchanged at £20.0bn")


def test_grants_are_largest_first_and_only_as_many_as_asked(every_chart: Charts) -> None:
    chart = every_chart["grants"]
    assert chart.data["Council"].tolist() == GRANTS["name"].tolist()[:9:-1]
    assert chart.finding == "Council 29 receives the largest grant, £80.0m to £130.0m"
    assert chart.subtitle.endswith("20 largest of 30 councils")


def test_a_deficit_is_drawn_below_zero_and_called_a_deficit(all_charts: Charts) -> None:
    chart = all_charts["authority"]
    low, high = chart.figure.axes[0].get_ylim()
    assert low < -40e6
    assert high == 0
    assert "deficit of" in chart.finding
    assert "Zero balance" in drawn(chart)
    assert "surplus of" in all_charts["always_in_surplus"].finding
    assert "deficit" not in all_charts["always_in_surplus"].alt
    assert all_charts["all_zero"].finding == "Kent: balance of £0 projected at March 2028"


def test_a_missing_year_leaves_a_gap_in_fan_and_line(all_charts: Charts) -> None:
    axes = all_charts["years_missing"].figure.axes[0]
    lines = {tuple(line.get_xdata()): np.asarray(line.get_ydata(), dtype=float) for line in axes.lines}
    fan = lines[(2026.0, 2027.0, 2028.0, 2029.0)]
    observed = lines[(2020, 2021, 2022, 2023, 2024)]
    assert np.isnan(fan).tolist() == [False, True, False, False]
    assert np.isnan(observed).tolist() == [False, True, True, True, False]


def test_a_fan_opens_from_the_last_point_only_when_that_is_the_year_before() -> None:
    def first_year(seen: dict[int, float]) -> float:
        chart = plots.authority_fan(COUNCIL, make_observed(seen, "basis"), "Kent")
        return float(chart.figure.axes[0].lines[0].get_xdata()[0])

    assert first_year({2025: -14e6}) == 2025
    assert first_year({2024: -14e6}) == 2026


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="'authority-fan-kent': no observed balance and no projection"):
        plots.authority_fan(COUNCIL.iloc[:0], NOTHING_SEEN, "Kent")
    with pytest.raises(ValueError, match="'plans-history-kent': no year has a count"):
        plots.plans_history(pd.DataFrame({"year": [2025], "plans": [float("nan")]}), "Kent")


def test_a_wrong_frame_is_refused_with_the_closest_name() -> None:
    with pytest.raises(ValueError, match="'england-fan': no column 'p50'; did you mean 'p_50'"):
        plots.england_fan(ENGLAND.rename(columns={"p50": "p_50"}), SEEN, FORECASTS)
    with pytest.raises(ValueError, match="2026 stands twice"):
        plots.england_fan(pd.concat([ENGLAND, ENGLAND.head(1)]), SEEN, FORECASTS)
    with pytest.raises(ValueError, match="'2024-25' is not a year"):
        plots.plans_history(pd.DataFrame({"year": ["2024-25"], "plans": [1.0]}), "Kent")


def test_plans_say_how_much_they_grew(every_chart: Charts) -> None:
    assert every_chart["plans"].finding == "Kent: EHC plans up 67% from January 2020 to January 2023"
    assert "1,500" in drawn(every_chart["plans"])


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("sign", [-1, 1])
def test_labels_keep_clear_at_any_scale(scale: float, sign: int) -> None:
    for width in (0.0, 0.01, 0.5):
        fan = make_fan([sign * scale * (3 + year) for year in range(6)], scale * width)
        chart = plots.authority_fan(fan, make_observed({2025: sign * 2 * scale}, "basis"), "Kent", fan + scale)
        assert overlapping(chart) == []
        assert overlapping(plots.england_fan(fan.abs(), SEEN, FORECASTS, threshold=scale)) == []


def test_a_coverage_picture_counts_councils_by_state_and_refuses_an_unknown_one():
    chart = plots.coverage(COVERED, "DSG balance")
    assert chart.data.filter(like="(councils)").sum(axis=1).tolist() == [30, 30, 30]
    assert "2023-24: 10 reported, 10 derived, 10 disputed" in chart.alt
    with pytest.raises(ValueError, match=r"unknown states \['guessed'\]"):
        plots.coverage(COVERED.assign(state="guessed"), "DSG balance")
    with pytest.raises(ValueError, match="no row"):
        plots.coverage(COVERED.head(0), "DSG balance")
