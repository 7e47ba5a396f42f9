"""What the Education Committee recommended, what government has answered, and what this project can say of it."""

from deficits.recommendations.findings import Finding, england_places, findings
from deficits.recommendations.ledger import read_ledger
from deficits.recommendations.people import (
    HOURS_OF_A_POST,
    hours,
    new_plans,
    newest,
    plans_not_issued,
    posts,
    prices,
)

__all__ = [
    "HOURS_OF_A_POST",
    "Finding",
    "england_places",
    "findings",
    "hours",
    "new_plans",
    "newest",
    "plans_not_issued",
    "posts",
    "prices",
    "read_ledger",
]
