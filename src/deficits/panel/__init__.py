"""Published figures by authority and year in one panel, each with its basis, source and date."""

from deficits.panel.ages import PEOPLE_YEAR, PLANS_YEAR
from deficits.panel.authorities import Authorities, load_authorities
from deficits.panel.balances import RULES, Rule, disagreements
from deficits.panel.build import Panel, keep_own, load_panel
from deficits.panel.check import Checked, check_panel
from deficits.panel.figures import FIGURES, Figure
from deficits.panel.outputs import describe, panel_fields, write
from deficits.panel.own import read_own
from deficits.panel.reconcile import reconcile
from deficits.panel.splits import Split, divide, read_splits, shares
from deficits.panel.trace import Trace, trace
from deficits.panel.years import year_of

__all__ = [
    "FIGURES",
    "PEOPLE_YEAR",
    "PLANS_YEAR",
    "RULES",
    "Authorities",
    "Checked",
    "Figure",
    "Panel",
    "Rule",
    "Split",
    "Trace",
    "check_panel",
    "describe",
    "disagreements",
    "divide",
    "keep_own",
    "load_authorities",
    "load_panel",
    "panel_fields",
    "read_own",
    "read_splits",
    "reconcile",
    "shares",
    "trace",
    "write",
    "year_of",
]
