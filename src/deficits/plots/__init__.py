"""One function a figure: frames in, a `Chart` out, with its finding, unit, source, alternative text and numbers.

Nothing here touches pyplot or keeps a figure open, and matplotlib is loaded with the first figure.
"""

from deficits.plots.authority import authority_fan, plans_history
from deficits.plots.causes import causes_of_growth
from deficits.plots.chart import Chart
from deficits.plots.coverage import coverage
from deficits.plots.england import england_fan, probability_by_year, writeoff_paths
from deficits.plots.fairness import gainers_and_losers, help_per_pupil
from deficits.plots.forecasts import forecasts_for_year
from deficits.plots.frontier import frontier, schemes_against
from deficits.plots.grants import grant_by_region, largest_grants
from deficits.plots.levers import levers_compared
from deficits.plots.record import calibration, record_by_council
from deficits.plots.relief import above_reserves, time_until_back

__all__ = [
    "Chart",
    "above_reserves",
    "authority_fan",
    "calibration",
    "causes_of_growth",
    "coverage",
    "england_fan",
    "forecasts_for_year",
    "frontier",
    "gainers_and_losers",
    "grant_by_region",
    "help_per_pupil",
    "largest_grants",
    "levers_compared",
    "plans_history",
    "probability_by_year",
    "record_by_council",
    "schemes_against",
    "time_until_back",
    "writeoff_paths",
]
