"""What each figure says and draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from deficits import plots
from deficits.formatting import two_figures
from deficits.plots import Chart, england, style
from deficits.projection import CAUSES as KNOWN
from tests.plots.examples import (
    ABOVE,
    CAUSES,
    COUNCIL,
    COVERED,
    DISPUTED,
    ENGLAND,
    FORECASTS,
    GRANTS,
    HELPED,
    LESS,
    LEVERS,
    MOVED,
    NOTHING_SEEN,
    RECORD,
    SEEN,
    make_fan,
    make_observed,
    make_record,
    overlapping,
)

Charts = dict[str, Chart]


def drawn(chart: Chart) -> list[str]:
    return [text.get_text() for text in chart.figure.findobj(Text) if text.get_text()]


def across(line: Line2D) -> list[float]:
    return [float(year) for year in np.asarray(line.get_xdata())]


def along(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_ydata(), dtype=float)]


def bars(chart: Chart) -> pd.DataFrame:
    patches = [bar for bar in chart.figure.axes[0].patches if isinstance(bar, Rectangle)]
    return pd.DataFrame({"start": [bar.get_x() for bar in patches], "wide": [bar.get_width() for bar in patches]})


@pytest.mark.parametrize(
    ("make", "frame"),
    [
        (lambda frame: plots.england_fan(frame, SEEN, FORECASTS), ENGLAND),
        (lambda frame: plots.england_fan(ENGLAND, SEEN, frame), FORECASTS),
        (lambda frame: plots.causes_of_growth(frame, 2026, 2028), CAUSES.drop(columns="p50")),
        (lambda frame: plots.levers_compared(frame, 2031), LEVERS),
        (lambda frame: plots.schemes_against(frame, "The grant", 2028), LESS),
        (plots.help_per_person, HELPED),
        (plots.above_reserves, ABOVE),
        (plots.largest_grants, GRANTS),
        (lambda frame: plots.gainers_and_losers(frame, "Equal", "the grant"), MOVED),
        (lambda frame: plots.record_by_council(frame, 2024), RECORD.drop(columns=["p25", "p75", "start"])),
        (lambda frame: plots.calibration(frame, 2024), RECORD.drop(columns=["name", "block", "start"])),
        (lambda frame: plots.coverage(frame, "Balance"), COVERED),
    ],
)
def test_a_frame_that_lacks_a_column_is_refused_by_its_name(
    make: Callable[[pd.DataFrame], Chart], frame: pd.DataFrame
) -> None:
    make(frame)
    for column in frame.columns.difference(["per_pupil"]):
        with pytest.raises(ValueError, match=f"no column '{column}'"):
            make(frame.drop(columns=column))


def test_a_wrong_year_is_refused() -> None:
    with pytest.raises(ValueError, match="'england-fan': no column 'p50'; did you mean 'p_50'"):
        plots.england_fan(ENGLAND.rename(columns={"p50": "p_50"}), SEEN, FORECASTS)
    with pytest.raises(ValueError, match="2026 stands twice"):
        plots.england_fan(pd.concat([ENGLAND, ENGLAND.head(1)]), SEEN, FORECASTS)
    with pytest.raises(ValueError, match="'2024-25' is not a year"):
        plots.plans_history(pd.DataFrame({"year": ["2024-25"], "plans": [1.0]}), "Kent")


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="'authority-fan-kent': no observed balance and no projection"):
        plots.authority_fan(COUNCIL.iloc[:0], NOTHING_SEEN, "Kent")
    with pytest.raises(ValueError, match="'plans-history-kent': no row has all of year, plans"):
        plots.plans_history(pd.DataFrame({"year": [2025], "plans": [float("nan")]}), "Kent")
    with pytest.raises(ValueError, match="every cause is zero"):
        plots.causes_of_growth(CAUSES * 0, 2026, 2028)
    with pytest.raises(ValueError, match="no council gains or loses"):
        plots.gainers_and_losers(MOVED.assign(mean=0.0), "Equal amounts", "the grant")
    with pytest.raises(ValueError, match="at least one council"):
        plots.time_until_back(pd.Series(dtype=float), 2026, 2029)
    with pytest.raises(ValueError, match=r"unknown states \['guessed'\]"):
        plots.coverage(COVERED.assign(state="guessed"), "DSG balance")
    with pytest.raises(ValueError, match="unknown kinds"):
        plots.levers_compared(LEVERS.assign(kind="guess"), 2031)
    with pytest.raises(ValueError, match="top is 0"):
        plots.largest_grants(GRANTS, top=0)


# Fans


def test_data_are_unrounded_and_keep_observed_projection_and_forecasts_apart(every_chart: Charts) -> None:
    data = every_chart["england"].data
    central = "Central estimate, observed or published central (£)"
    assert set(data["Figure"]) == {"Reported", "Projection", *FORECASTS["publisher"][:4]}
    projection = data[data["Figure"] == "Projection"]
    assert projection[central].tolist() == ENGLAND["p50"].tolist()
    assert projection["25th percentile (£)"].tolist() == ENGLAND["p25"].tolist()
    assert (data["Figure"] == "Reported").sum() == SEEN["value"].notna().sum()


def test_a_national_figure_is_not_joined_to_the_returns() -> None:
    seen = make_observed({2023: 2.1e9, 2024: 2.9e9}).assign(label="Councils' returns")
    national = make_observed({2025: 3.8e9}).assign(label="National figure")
    chart = plots.england_fan(ENGLAND, pd.concat([seen, national]), FORECASTS.iloc[:0])
    joined = [line for line in chart.figure.axes[0].lines if line.get_color() == style.GREY]
    assert max(max(across(line)) for line in joined) == 2024
    assert {"Councils' returns", "National figure"} <= set(drawn(chart))


def test_a_disputed_balance_shows_both_values_and_a_stated_one_stands_alone(all_charts: Charts) -> None:
    chart = all_charts["disputed"]
    (bar,) = (line for line in chart.figure.axes[0].lines if across(line) == [2024, 2024])
    assert sorted(along(bar)) == [-18e6, 3e6]
    assert "surplus of £3.0m at 31 March 2024, not deficit of £18.0m" in chart.alt
    assert {3e6, -18e6, -23e6} <= set(chart.data["Central estimate or observed (£)"])
    joined = [line for line in chart.figure.axes[0].lines if line.get_color() == style.GREY]
    assert max(max(across(line)) for line in joined) == 2024 < DISPUTED["year"].max()


def test_the_forecast_that_looks_furthest_ahead_is_named_in_the_picture(every_chart: Charts) -> None:
    assert "First body\n£14bn" in drawn(every_chart["england"])


def test_a_deficit_is_drawn_below_zero_and_called_a_deficit(all_charts: Charts) -> None:
    chart = all_charts["authority"]
    low, high = chart.figure.axes[0].get_ylim()
    assert low < -40e6
    assert high == 0
    assert "deficit of" in chart.finding
    assert "surplus of" in all_charts["always_in_surplus"].finding
    assert "deficit" not in all_charts["always_in_surplus"].alt
    assert all_charts["all_zero"].finding == "Kent: balance of £0 at March 2028"


def test_an_estimate_for_a_council_is_told_to_two_figures(every_chart: Charts) -> None:
    assert every_chart["authority"].finding == "Kent: deficit of £31m to £51m at March 2029"


def test_a_scheme_is_told_from_what_to_what_and_one_that_changes_nothing_is_not_told_as_a_cut(
    all_charts: Charts,
) -> None:
    assert "£20.0bn, or £18.0bn after" in all_charts["writeoff"].finding
    assert "£20.0bn, with or without" in all_charts["scheme_changes_nothing"].finding
    assert "£41m at March 2029, or £26m after" in all_charts["authority_after"].finding


def test_a_missing_year_leaves_a_gap_in_fan_and_line(all_charts: Charts) -> None:
    axes = all_charts["years_missing"].figure.axes[0]
    lines = {tuple(across(line)): along(line) for line in axes.lines}
    assert np.isnan(lines[(2026.0, 2027.0, 2028.0, 2029.0)]).tolist() == [False, True, False, False]
    assert np.isnan(lines[(2020, 2021, 2022, 2023, 2024)]).tolist() == [False, True, True, True, False]


def test_a_fan_opens_from_the_last_point_only_when_that_is_a_return_of_the_year_before() -> None:
    def first_year(seen: dict[int, float], basis: str = "reported") -> float:
        chart = plots.authority_fan(COUNCIL, make_observed(seen, "basis").assign(basis=basis), "Kent")
        (median,) = (line for line in chart.figure.axes[0].lines if line.get_color() == style.NAVY)
        return across(median)[0]

    assert first_year({2025: -14e6}) == 2025
    assert first_year({2024: -14e6}) == 2026
    assert first_year({2025: -14e6}, "stated by the council") == 2026


@settings(max_examples=5)
@given(st.sampled_from([1.0, 1e3, 1e6, 1e9]), st.sampled_from([-1, 1]), st.sampled_from([0.0, 0.01, 0.5]))
def test_labels_keep_clear_at_any_scale(scale: float, sign: int, width: float) -> None:
    fan = make_fan([sign * scale * (3 + year) for year in range(6)], scale * width)
    chart = plots.authority_fan(fan, make_observed({2025: sign * 2 * scale}, "basis"), "Kent", fan + scale)
    assert overlapping(chart) == []
    assert overlapping(plots.england_fan(fan.abs(), SEEN, FORECASTS, threshold=scale)) == []


# England


def test_forecasts_stand_oldest_first_and_one_with_a_floor_only_is_no_miss() -> None:
    floor = pd.DataFrame([["Government", 2026, 5e9, np.nan, np.nan, "2026-02-09"]], columns=FORECASTS.columns)
    chart = plots.forecasts_for_year(ENGLAND.loc[2026], pd.concat([FORECASTS, floor]), 2026)
    texts = drawn(chart)
    days = ["24 October 2024", "February 2025", "26 November 2025", "9 February 2026"]
    places = [next(number for number, text in enumerate(texts) if day in text) for day in days]
    assert places == sorted(places)
    assert {"£4.0bn to £4.9bn", "up to £5.9bn", "£6.0bn", "over £5.0bn"} <= set(texts)
    assert (
        chart.finding
        == "Our central estimate for March 2026 is above 1 of 3 published forecasts; 1 more gives a floor only"
    )


def test_what_was_published_since_takes_the_place_of_our_range() -> None:
    chart = plots.forecasts_for_year(ENGLAND.loc[2026], FORECASTS, 2026, published=6.2e9)
    assert chart.finding == "3 of 3 forecasts for March 2026 were below the £6.2bn published since"
    assert chart.data["Figure"].iloc[0] == "Published since"


def test_every_cause_of_the_projection_has_words_in_its_order() -> None:
    assert list(england.SHORT) == [*KNOWN, england.TOTAL]


def test_causes_are_a_waterfall_that_ends_at_the_total(every_chart: Charts) -> None:
    chart = every_chart["causes"]
    drawn_bars = bars(chart)
    assert chart.data["Cause"].tolist()[-1] == "Total growth"
    assert "Levers and councils' own assumptions" not in chart.data["Cause"].tolist()  # nothing throughout
    ends = drawn_bars["start"] + drawn_bars["wide"]
    assert drawn_bars["start"].iloc[1:-1].tolist() == ends.iloc[:-2].tolist()
    assert ends.iloc[-2] == pytest.approx(ends.iloc[-1]) == CAUSES.at["total", "mean"]
    assert {"+£6.0bn", "−£0.2bn", "+£0.01bn", "+£10.8bn"} <= set(drawn(chart))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "£10.8bn growth to March 2028: shortfall of 2025-26, continuing each year, +£6.0bn"),
        ({"plan_rate": 26e9}, "plans per person, +£26.0bn"),
        (
            {"people": -40e9, "total": -29e9},
            "£29.0bn fall to March 2028: number of children and young people, −£40.0bn",
        ),
    ],
)
def test_the_largest_cause_in_the_direction_of_the_deficit_is_the_finding(
    changed: dict[str, float], told: str
) -> None:
    frame = CAUSES.copy()
    for cause, amount in changed.items():
        frame.loc[cause] = amount
    assert told in plots.causes_of_growth(frame, 2026, 2028).finding


def test_causes_that_cannot_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="cause 'plan_rates' is not known; did you mean 'plan_rate'"):
        plots.causes_of_growth(CAUSES.rename(index={"plan_rate": "plan_rates"}), 2026, 2028)
    with pytest.raises(ValueError, match="no row 'total'"):
        plots.causes_of_growth(CAUSES.drop(index="total"), 2026, 2028)
    with pytest.raises(ValueError, match="'people' lacks a value"):
        plots.causes_of_growth(CAUSES.mask(CAUSES["mean"] < 0), 2026, 2028)


def test_the_finding_of_levers_is_a_policy_and_never_an_assumption(all_charts: Charts) -> None:
    chart = all_charts["levers"]
    assert chart.data["Change, central estimate (£)"].is_monotonic_increasing
    assert (
        chart.finding == "Largest reduction by March 2031: £3.0bn, from “Moves places nearer to children's homes”"
    )
    assert {"−£3.0bn", "none", "+£1.4bn"} <= set(drawn(chart))
    assert all_charts["only_a_lever_that_changes_nothing"].finding == "No lever reduces the deficit at March 2031"


# Councils


def test_plans_are_compared_from_the_first_year_that_all_places_have(all_charts: Charts) -> None:
    assert all_charts["plans"].finding == "Kent: EHC plans up 67% from January 2020 to January 2023"
    beside = all_charts["plans_beside"]
    assert beside.unit == "January 2020 = 100"
    assert {"Devon\n167", "England\n111"} <= set(drawn(beside))
    assert beside.data["England (plans)"].tolist() == [9e4, 9.5e4, 1e5]


def test_placements_of_a_bar_add_up_to_all_plans(every_chart: Charts) -> None:
    patches = bars(every_chart["placements"])
    assert patches["wide"].sum() == pytest.approx(2)
    assert every_chart["placements"].finding == "Kent: state special from 40% of plans (2023) to 30% (2025)"


# Write-offs


def test_grants_are_largest_first_and_only_as_many_as_asked(every_chart: Charts) -> None:
    chart = every_chart["grants"]
    assert chart.data["Council"].tolist() == GRANTS["name"].tolist()[:14:-1]
    assert chart.finding == "Council 29 would receive the largest grant, £80m to £130m"
    assert chart.subtitle.endswith("15 largest of 30 councils")


def test_councils_that_are_back_are_counted_up_and_those_never_back_apart(every_chart: Charts) -> None:
    chart = every_chart["back"]
    assert chart.data["Councils"].tolist() == [2, 3, 4, 4, 4, 5, 1]
    assert chart.finding == "At 3 of 6 councils the deficit would be back within a year"


def test_councils_above_reserves_are_told_of_those_whose_reserves_are_known(
    every_chart: Charts,
) -> None:
    chart = every_chart["above"]
    assert chart.finding == "25 to 53 of 151 councils would still have deficits above reserves"
    assert "31 March 2028, without the scheme 52 to 80" in chart.alt


def test_help_so_far_and_new_help_add_up_to_the_bar(every_chart: Charts) -> None:
    chart = every_chart["helped"]
    together = HELPED["received_per_person"] + HELPED["new_per_person"]
    assert chart.data["Together, per person aged 2 to 18 (£)"].tolist() == together.map(two_figures).tolist()
    first, second = chart.figure.axes[0].containers
    assert [bar.get_x() for bar in second] == [bar.get_width() for bar in first]
    assert first[0].get_hatch() != second[0].get_hatch()


def test_only_a_whole_range_above_zero_is_said_to_leave_more(every_chart: Charts) -> None:
    chart = every_chart["against"]
    assert chart.finding == "1 of 3 schemes leaves a larger deficit"
    assert chart.data["Scheme"].tolist() == ["All", "About the same", "No help"]
    assert {"−£1.5bn", "+£6.0bn"} <= set(drawn(chart))


def test_losers_come_first_and_the_largest_on_each_side_are_shown(every_chart: Charts, all_charts: Charts) -> None:
    chart = every_chart["moved"]
    assert len(chart.data) == 12
    assert chart.data["Change, mean (£)"].is_monotonic_increasing
    assert chart.finding == "Council 0 would lose most, £30m to £90m"
    assert all_charts["one_gains"].finding == "Council 29 would gain most, £10m to £30m"
    wide = plots.gainers_and_losers(MOVED.head(1).assign(p90=5e6), "Equal amounts", "the grant")
    assert wide.finding == "Council 0 would lose most, £60m"  # a range across zero is not told as a loss


# The record


@pytest.mark.parametrize(("places", "inside"), [([0.0, 0.99, -0.99], 3), ([3.0, -2.0], 0), ([1.0, -1.0, 1.01], 2)])
def test_the_ends_of_a_range_are_inside_it(places: list[float], inside: int) -> None:
    chart = plots.record_by_council(make_record(places), 2024)
    assert chart.finding.startswith(f"{inside} of {len(places)} councils")
    assert (chart.data["Ended"] == "inside").sum() == inside


def test_estimates_of_a_past_projection_are_to_two_figures_and_outturns_as_published(every_chart: Charts) -> None:
    data = every_chart["record"].data
    assert data["10th percentile (£)"].map(two_figures).equals(data["10th percentile (£)"])
    assert data["Balance at 31 March 2024 (£)"].equals(RECORD["actual"].reset_index(drop=True))


def test_the_council_furthest_outside_is_named_in_words(every_chart: Charts) -> None:
    assert "Furthest outside for its size is Council 2:" in every_chart["record"].alt
    with pytest.raises(ValueError, match="the block of 'Council 0' is not above zero"):
        plots.record_by_council(RECORD.assign(block=0.0), 2024)


def test_each_council_stands_in_one_part_of_its_range(every_chart: Charts) -> None:
    data = every_chart["calibration"].data
    assert data["Councils (number)"].sum() == len(RECORD)
    assert data["Should be (0 to 1)"].sum() == pytest.approx(1)
    held = data["Share of councils (0 to 1)"].iloc[1:5].sum()
    assert f"80% ranges {held:.0%}" in every_chart["calibration"].finding


def test_a_coverage_picture_counts_councils_by_state() -> None:
    chart = plots.coverage(COVERED, "DSG balance")
    assert chart.data.filter(like="(councils)").sum(axis=1).tolist() == [30, 30, 30]
    assert "2023-24: 10 reported, 10 derived, 10 disputed" in chart.alt


def test_the_share_that_should_end_in_a_part_lies_in_its_band_which_is_wider_for_fewer_councils() -> None:
    few, many = (plots.calibration(make_record(list(np.linspace(-2, 2, n))), 2024).data for n in (20, 200))
    for data in (few, many):
        assert data["Should be (0 to 1)"].between(data["Likely from (0 to 1)"], data["Likely to (0 to 1)"]).all()
    wide, narrow = (data["Likely to (0 to 1)"] - data["Likely from (0 to 1)"] for data in (few, many))
    assert (wide > narrow).all()


def test_the_finding_on_placements_compares_the_councils_own_first_and_last_year() -> None:
    rows = {"January 2023": [0.4, 0.6], "January 2024": [0.5, 0.5], "January 2025": [0.7, 0.3]}
    rows["England, January 2025"] = [0.1, 0.9]
    shares = pd.DataFrame(rows, index=["Mainstream", "Elsewhere"]).T
    chart = plots.placements_history(shares, "Kent")
    assert chart.finding == "Kent: elsewhere from 60% of plans (January 2023) to 30% (January 2025)"
    assert len(chart.data) == len(rows)


def test_a_councils_own_path_is_marked_in_its_fan_and_told(every_chart: Charts) -> None:
    own = pd.DataFrame({"scenario": ["mitigated", "unmitigated"], "year": 2028, "value": [-30e6, -70e6]})
    seen = make_observed({2025: -14e6}, "basis")
    chart = plots.authority_fan(COUNCIL, seen, "Kent", own=own)
    table = chart.data.set_index("Figure")["Central estimate or observed (£)"]
    assert table[["Own mitigated", "Own unmitigated"]].tolist() == [-30e6, -70e6]
    assert "The council's own: 2 forecasts for March 2028, deficit of £70.0m to deficit of £30.0m." in chart.alt
    assert "The council's own forecast" in [
        text.get_text() for text in chart.figure.axes[0].get_legend().get_texts()
    ]
    without = plots.authority_fan(COUNCIL, seen, "Kent")
    assert "own" not in without.alt
    assert "Own" not in " ".join(without.data["Figure"])
