"""The outlook: where balances go from the last published ones, with uncertainty."""

from deficits.outlook.drivers import Drivers
from deficits.outlook.outlook import MEASURES, Measure, Outlook, Reach, national, project, quantiles

__all__ = ["MEASURES", "Drivers", "Measure", "Outlook", "Reach", "national", "project", "quantiles"]
