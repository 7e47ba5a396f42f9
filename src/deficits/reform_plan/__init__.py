"""A council's local SEND reform plan: declared actions, what they do together and each alone, and a workbook."""

from deficits.reform_plan.actions import SECTOR_WORDS, SECTORS, Actions
from deficits.reform_plan.effects import ReformPlan, plan, plans_of_all
from deficits.reform_plan.published import evidence
from deficits.reform_plan.spreadsheet import workbook

__all__ = [
    "SECTORS",
    "SECTOR_WORDS",
    "Actions",
    "ReformPlan",
    "evidence",
    "plan",
    "plans_of_all",
    "workbook",
]
