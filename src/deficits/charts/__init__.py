"""One function a figure: frames in, a `Chart` out, with its finding, unit, source, alternative text and numbers.

Nothing here touches pyplot or keeps a figure open, and matplotlib is loaded with the first figure.
"""

from deficits.charts.authority import authority_fan, plans_history
from deficits.charts.causes import causes_of_growth
from deficits.charts.chart import Chart
from deficits.charts.coverage import coverage
from deficits.charts.england import england_fan, probability_by_year, writeoff_paths
from deficits.charts.forecasts import forecasts_for_year
from deficits.charts.grants import grant_by_region, largest_grants
from deficits.charts.levers import levers_compared
from deficits.charts.record import calibration, record_by_council

__all__ = [
    "Chart",
    "authority_fan",
    "calibration",
    "causes_of_growth",
    "coverage",
    "england_fan",
    "forecasts_for_year",
    "grant_by_region",
    "largest_grants",
    "levers_compared",
    "plans_history",
    "probability_by_year",
    "record_by_council",
    "writeoff_paths",
]
