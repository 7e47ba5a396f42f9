"""One function a figure: frames in, a `Chart` out, with its finding, unit, source, alternative text and numbers.

Nothing here touches pyplot or keeps a figure open, and matplotlib is loaded with the first figure.
"""

from deficits.charts.authority import authority_fan, plans_history
from deficits.charts.chart import Chart
from deficits.charts.coverage import coverage
from deficits.charts.england import england_fan, probability_by_year, writeoff_paths
from deficits.charts.forecasts import forecasts_for_year
from deficits.charts.grants import grant_by_region, largest_grants

__all__ = [
    "Chart",
    "authority_fan",
    "coverage",
    "england_fan",
    "forecasts_for_year",
    "grant_by_region",
    "largest_grants",
    "plans_history",
    "probability_by_year",
    "writeoff_paths",
]
