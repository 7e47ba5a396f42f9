"""One function a figure: frames in, a `Chart` out, with its finding, unit, source, alternative text and numbers.

A frame that lacks a column, has a year twice or nothing to draw is refused with a ValueError that names the chart
and what is wrong. Nothing here touches pyplot or keeps a figure open; matplotlib is loaded with the first figure.
"""

from deficits.plots.chart import Chart
from deficits.plots.council import authority_fan, placements_history, plans_history
from deficits.plots.coverage import coverage
from deficits.plots.england import causes_of_growth, england_fan, forecasts_for_year, levers_compared
from deficits.plots.record import calibration, record_by_council
from deficits.plots.writeoff import (
    above_reserves,
    gainers_and_losers,
    grant_by_region,
    help_per_person,
    largest_grants,
    schemes_against,
    time_until_back,
    writeoff_paths,
)

__all__ = [
    "Chart",
    "above_reserves",
    "authority_fan",
    "calibration",
    "causes_of_growth",
    "coverage",
    "england_fan",
    "forecasts_for_year",
    "gainers_and_losers",
    "grant_by_region",
    "help_per_person",
    "largest_grants",
    "levers_compared",
    "placements_history",
    "plans_history",
    "record_by_council",
    "schemes_against",
    "time_until_back",
    "writeoff_paths",
]
