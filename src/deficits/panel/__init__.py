"""Published figures by authority and year in one panel, each with its basis, source and date."""

from deficits.panel.checks import calendar, reconcile
from deficits.panel.choice import disagreements
from deficits.panel.outputs import write
from deficits.panel.own_figures import Answers, keep_own, read_own
from deficits.panel.panel import Ages, Panel, build, load_panel
from deficits.panel.schema import FIGURES
from deficits.panel.splits import Split, divide, read_splits, read_undecided, shares
from deficits.panel.trace import trace
from deficits.raw.authorities import Authorities, authorities, load_authorities

__all__ = [
    "FIGURES",
    "Ages",
    "Answers",
    "Authorities",
    "Panel",
    "Split",
    "authorities",
    "build",
    "calendar",
    "disagreements",
    "divide",
    "keep_own",
    "load_authorities",
    "load_panel",
    "read_own",
    "read_splits",
    "read_undecided",
    "reconcile",
    "shares",
    "trace",
    "write",
]
