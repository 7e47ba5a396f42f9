"""Partial write-offs: schemes as declared, what each does on the draws of a projection, and many compared."""

from deficits.writeoff.comparison import Comparison, compare
from deficits.writeoff.costs import AT_A_YEAR_END, STPR, UNFUNDED, price_of_cover, unfunded
from deficits.writeoff.distribution import at_cost_of
from deficits.writeoff.inputs import Inputs, financing_rate, read_allocations
from deficits.writeoff.result import grants_inside
from deficits.writeoff.robustness import SWEPT, region, sweep
from deficits.writeoff.scheme import Scheme, scheme_names, schemes, write_new
from deficits.writeoff.write_off import WriteOff, write_off

__all__ = [
    "AT_A_YEAR_END",
    "STPR",
    "SWEPT",
    "UNFUNDED",
    "Comparison",
    "Inputs",
    "Scheme",
    "WriteOff",
    "at_cost_of",
    "compare",
    "financing_rate",
    "grants_inside",
    "price_of_cover",
    "read_allocations",
    "region",
    "scheme_names",
    "schemes",
    "sweep",
    "unfunded",
    "write_new",
    "write_off",
]
