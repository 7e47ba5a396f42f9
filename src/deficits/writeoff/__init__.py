"""Partial write-offs: schemes as declared, what each does on the draws of a projection, and many side by side."""

from deficits.writeoff.cost import STPR
from deficits.writeoff.effects import WriteOff, apply, grants_inside
from deficits.writeoff.frontier import Frontier, frontier
from deficits.writeoff.ground import Ground
from deficits.writeoff.new import write_new
from deficits.writeoff.reading import scheme_names
from deficits.writeoff.scheme import Scheme

__all__ = [
    "STPR",
    "Frontier",
    "Ground",
    "Scheme",
    "WriteOff",
    "apply",
    "frontier",
    "grants_inside",
    "scheme_names",
    "write_new",
]
