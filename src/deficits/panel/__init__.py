"""Published figures by authority and year in one panel, each with its basis and source."""

from deficits.panel.authorities import Authorities, load_authorities
from deficits.panel.build import Panel, load_panel
from deficits.panel.figures import FIGURES, Figure, year_of
from deficits.panel.outputs import describe, write
from deficits.panel.reconcile import reconcile

__all__ = [
    "FIGURES",
    "Authorities",
    "Figure",
    "Panel",
    "describe",
    "load_authorities",
    "load_panel",
    "reconcile",
    "write",
    "year_of",
]
