"""Frames made by hand: no figure in them is anybody's result."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.text import Text

from deficits import plots
from deficits.plots import Chart

SPREADS = {"p10": -1.28, "p25": -0.67, "p50": 0.0, "p75": 0.67, "p90": 1.28}
NAN = float("nan")


def make_fan(middles: list[float], width: float, first: int = 2026) -> pd.DataFrame:
    """Percentiles about the given medians; the fan opens by `width` a year."""
    years = range(first, first + len(middles))
    opening = width * np.arange(1, len(middles) + 1)
    return pd.DataFrame({name: middles + times * opening for name, times in SPREADS.items()}, index=years)


def make_observed(values: dict[int, float], column: str = "label") -> pd.DataFrame:
    return pd.DataFrame({"year": list(values), "value": list(values.values()), column: "reported"})


FORECASTS = pd.DataFrame(
    [
        ["Body with a long name that has to be put on two lines", 2026, NAN, 6.0e9, NAN, "2025-11-26"],
        ["First body", 2026, 4.0e9, NAN, 4.9e9, "2024-10-24"],
        ["Second & last body", 2026, NAN, NAN, 5.9e9, "2025-02"],
        ["First body", 2028, NAN, 14.0e9, NAN, "2025-11-26"],
        ["Says nothing", 2028, NAN, NAN, NAN, None],
    ],
    columns=["publisher", "year", "low", "central", "high", "published"],
)
ENGLAND = make_fan([5.7e9, 8e9, 11e9, 14e9, 17e9, 20e9], 0.4e9)
SEEN = make_observed({2021: 1e9, 2022: 1.4e9, 2023: NAN, 2024: 2.9e9, 2025: 3.8e9})
COUNCIL = make_fan([-20e6, -25e6, -32e6, -41e6], 2e6)
GRANTS = pd.DataFrame(
    {
        "name": [f"Council {number}" for number in range(30)],
        "grant_p10": np.linspace(0, 80e6, 30),
        "grant_p50": np.linspace(0, 100e6, 30),
        "grant_p90": np.linspace(0, 130e6, 30),
    }
)

COVERED = pd.DataFrame(
    [
        [
            f"Council {number}",
            f"Region {number // 10}",
            year,
            ["reported", "derived", "disputed"][(number + year) % 3],
        ]
        for number in range(30)
        for year in (2022, 2023, 2024)
    ],
    columns=["name", "region", "year", "state"],
)

CAUSES = pd.DataFrame(
    {"mean": [6e9, -2e8, 5e9, 0.0, 1e7, 10.81e9], "p10": [5e9, -3e8, 4e9, 0.0, -5e8, 8e9]},
    index=["carried_on", "people", "plan_rate", "levers", "not_explained", "total"],
).assign(p50=lambda frame: frame["mean"], p90=lambda frame: 2 * frame["mean"] - frame["p10"])
LEVERS = pd.DataFrame(
    [
        ["Costs more at first and saves later", "policy lever", 1e9, 1.4e9, 1.7e9],
        ["Moves places nearer to children's homes", "policy lever", -4e9, -3e9, -2.5e9],
        ["Moves money only", "policy lever", 0.0, 0.0, 0.0],
        ["Plans grow less", "assumption", -9e9, -8e9, -7e9],
    ],
    columns=["lever", "kind", "change_p10", "change_p50", "change_p90"],
)


def make_record(places: list[float], width: float = 10e6) -> pd.DataFrame:
    """Councils that ended so many half-widths from the middle of their 80% range."""
    middle = np.linspace(-40e6, 20e6, len(places))
    councils = {name: middle + times / 1.28 * width for name, times in SPREADS.items()}
    names = [f"Council {number}" for number in range(len(places))]
    actual = middle + np.array(places) * width
    return pd.DataFrame({"name": names, "block": 50e6, "start": middle, "actual": actual, **councils})


LESS = pd.DataFrame(
    {
        "scheme": ["All", "No help", "About the same"],
        "p10": [-2e9, 5e9, -1e8],
        "p50": [-1.5e9, 6e9, 1e7],
        "p90": [-1e9, 7e9, 2e8],
    }
)
HELPED = pd.DataFrame(
    {
        "who": [
            "36 councils that had an agreement",
            "117 councils that never had one",
            "Kent",
            "Bristol, City of",
        ],
        "received_per_person": [376.0, 0.0, 0.0, 400.0],
        "new_per_person": [613.0, 482.0, 2100.0, 900.0],
    }
)
MOVED = pd.DataFrame(
    {
        "name": [f"Council {number}" for number in range(30)],
        "mean": np.linspace(-60e6, 20e6, 30),
        "p10": np.linspace(-90e6, 10e6, 30),
        "p90": np.linspace(-30e6, 30e6, 30),
    }
)
ABOVE = pd.DataFrame(
    {
        "without_p10": [14, 30, 52],
        "without_p50": [16, 36, 66],
        "without_p90": [18, 43, 80],
        "with_p10": [14, 4, 25],
        "with_p50": [16, 8, 37],
        "with_p90": [18, 12, 53],
        "councils": 151,
    },
    index=[2026, 2027, 2028],
)

RECORD = make_record([0.1, -0.9, 2.5, 0.4, -1.8, 1.2, *np.linspace(-1.1, 1.1, 140)])

MAKERS: dict[str, Callable[[], Chart]] = {
    "coverage": lambda: plots.coverage(COVERED, "DSG balance"),
    "england": lambda: plots.england_fan(ENGLAND, SEEN, FORECASTS),
    "forecasts": lambda: plots.forecasts_for_year(ENGLAND.loc[2026], FORECASTS, 2026),
    "writeoff": lambda: plots.writeoff_paths(ENGLAND, ENGLAND - 2e9, SEEN, "Half of each deficit"),
    "regions": lambda: plots.grant_by_region(GRANTS.head(9).rename(columns={"name": "region"})),
    "grants": lambda: plots.largest_grants(GRANTS),
    "authority": lambda: plots.authority_fan(COUNCIL, make_observed({2024: -9e6, 2025: -14e6}, "basis"), "Kent"),
    "authority_after": lambda: plots.authority_fan(
        COUNCIL, make_observed({2025: -14e6}, "basis"), "Devon", COUNCIL + 15e6
    ),
    "plans": lambda: plots.plans_history(
        pd.DataFrame({"year": [2020, 2021, 2023], "plans": [900.0, 1000.0, 1500.0]}), "Kent"
    ),
    "plans_beside": lambda: plots.plans_history(
        pd.DataFrame({"year": [2020, 2021, 2022], "plans": [900, 1000, 1500], "England": [9e4, 9.5e4, 1e5]}),
        "Devon",
    ),
    "disputed": lambda: plots.authority_fan(COUNCIL, DISPUTED, "Bury"),
    "placements": lambda: plots.placements_history(PLACED, "Kent"),
    "causes": lambda: plots.causes_of_growth(CAUSES, 2026, 2028),
    "levers": lambda: plots.levers_compared(LEVERS, 2031),
    "record": lambda: plots.record_by_council(RECORD, 2024),
    "calibration": lambda: plots.calibration(RECORD, 2024),
    "against": lambda: plots.schemes_against(LESS, "The grant", 2028),
    "helped": lambda: plots.help_per_person(HELPED),
    "moved": lambda: plots.gainers_and_losers(MOVED, "Equal amounts", "the grant"),
    "above": lambda: plots.above_reserves(ABOVE),
    "back": lambda: plots.time_until_back(pd.Series([0.0, 0.5, 0.9, 1.2, 3.0, np.inf]), 2026, 2029),
}

DISPUTED: pd.DataFrame = pd.DataFrame(
    {
        "year": [2023, 2024, 2025],
        "value": [-5e6, -18e6, -23e6],
        "basis": ["reported", "disputed", "stated by the council"],
        "other": [NAN, 3e6, NAN],
    }
)
PLACED: pd.DataFrame = pd.DataFrame(
    {"Mainstream": [0.4, 0.38], "State special": [0.4, 0.3], "Independent": [0.1, 0.2], "Elsewhere": [0.1, 0.12]},
    index=[2023, 2025],
)

NOTHING_SEEN = make_observed({}, "basis")
EDGES: dict[str, Callable[[], Chart]] = {
    "long_names_in_the_legend": lambda: plots.england_fan(
        ENGLAND,
        make_observed({2024: 3.3e9, 2025: 3.8e9}).assign(
            label=["Councils' returns", "National figure, a body with a long name (and another in brackets)"]
        ),
        FORECASTS,
    ),
    "two_long_names_side_by_side": lambda: plots.authority_fan(
        COUNCIL,
        make_observed({2022: -1e7, 2024: -2e7}, "basis").assign(
            basis=["published as a percentage", "stated by the council"]
        ),
        "Kent",
    ),
    "always_in_surplus": lambda: plots.authority_fan(
        make_fan([4e6, 5e6, 6e6], 1e5), make_observed({2025: 3e6}, "basis"), "Rutland"
    ),
    "nothing_observed": lambda: plots.authority_fan(COUNCIL, NOTHING_SEEN, "Kent"),
    "only_observed": lambda: plots.authority_fan(COUNCIL.iloc[:0], make_observed({2024: -3.0}, "basis"), "Kent"),
    "all_equal": lambda: plots.authority_fan(make_fan([-12.0] * 3, 0), NOTHING_SEEN, "Kent"),
    "all_zero": lambda: plots.authority_fan(make_fan([0.0] * 3, 0), NOTHING_SEEN, "Kent"),
    "around_zero": lambda: plots.authority_fan(make_fan([0.0] * 3, 4e6), NOTHING_SEEN, "Kent"),
    "years_missing": lambda: plots.authority_fan(
        COUNCIL.drop(index=[2027]), make_observed({2020: -1e6, 2024: -9e6}, "basis"), "Kent"
    ),
    "one_year": lambda: plots.authority_fan(COUNCIL.iloc[-1:], NOTHING_SEEN, "Kent"),
    "england_at_zero": lambda: plots.england_fan(make_fan([0.0] * 3, 0), SEEN.iloc[:0], FORECASTS.iloc[:0]),
    "england_scenarios": lambda: plots.england_fan(
        ENGLAND,
        SEEN,
        FORECASTS,
        scenarios={"DfE's path of plans": 0.9 * ENGLAND, "Calibrated to the OBR": 0.8 * ENGLAND},
    ),
    "england_above": lambda: plots.england_fan(ENGLAND, make_observed({2025: 5.1e9}), FORECASTS),
    "england_falls": lambda: plots.england_fan(
        make_fan([9e9, 7e9, 4e9], 1e8), make_observed({2025: 9.5e9}), FORECASTS
    ),
    "scheme_changes_nothing": lambda: plots.writeoff_paths(ENGLAND, ENGLAND, SEEN.iloc[:0], "No grant"),
    "no_other_forecast": lambda: plots.forecasts_for_year(ENGLAND.loc[2027], FORECASTS, 2027),
    "no_grant_at_all": lambda: plots.largest_grants(GRANTS.head(1), top=5),
    "deficit_of_a_council_falls": lambda: plots.causes_of_growth(
        -CAUSES.rename(columns={"p10": "p90", "p90": "p10"}) / 1e3, 2026, 2031, "Bristol, City of"
    ),
    "one_cause_of_a_few_pounds": lambda: plots.causes_of_growth(
        CAUSES.loc[["plan_rate", "total"]] / 1e9, 2026, 2027, "Kent"
    ),
    "only_a_lever_that_changes_nothing": lambda: plots.levers_compared(LEVERS.iloc[[2]], 2031),
    "only_an_assumption": lambda: plots.levers_compared(LEVERS.tail(1), 2031),
    "all_inside": lambda: plots.record_by_council(make_record([0.0, 0.5, -0.5]), 2024),
    "all_outside": lambda: plots.record_by_council(make_record([3.0, -2.0] * 20), 2024),
    "one_council": lambda: plots.record_by_council(make_record([9.0]), 2024),
    "ranges_without_width": lambda: plots.record_by_council(make_record([0.0, 0.0], width=0.0), 2024),
    "all_in_one_part": lambda: plots.calibration(make_record([0.0] * 300 + [4.0]), 2024),
    "nothing_differs": lambda: plots.schemes_against(LESS.assign(p10=0.0, p50=0.0, p90=0.0), "The grant", 2028),
    "nobody_above_reserves": lambda: plots.above_reserves(ABOVE * 0),
    "all_back_at_once": lambda: plots.time_until_back(pd.Series([0.1] * 150), 2026, 2028),
    "no_help_at_all": lambda: plots.help_per_person(HELPED.assign(received_per_person=0.0, new_per_person=0.0)),
    "one_gains": lambda: plots.gainers_and_losers(MOVED.tail(1), "Equal amounts", "the grant"),
    "one_count_of_plans": lambda: plots.plans_history(pd.DataFrame({"year": [2025], "plans": [0.0]}), "Kent"),
}


def overlapping(chart: Chart) -> list[tuple[str, str]]:
    """Pairs of texts of which one stands on the other; fails where a text leaves the figure."""
    chart.figure.draw_without_rendering()  # offsets in points are left as of the last file written
    shown = [text for text in chart.figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in shown]
    page = chart.figure.bbox.padded(0.5)
    for text, box in boxes:
        assert page.contains(box.x0, box.y0), f"{text!r} is cut off at its left or below"
        assert page.contains(box.x1, box.y1), f"{text!r} is cut off at its right or above"
    return [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.padded(-1).overlaps(b)]
