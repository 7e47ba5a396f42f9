"""Tables that the panel, a reform plan and the recommendations give say the unit of their figures."""

from collections.abc import Callable

import pandas as pd
import pytest

import deficits as d
from deficits.panel import FIGURES, Panel, disagreements, reconcile
from deficits.projection import Projection
from deficits.recommendations import hours, new_plans, newest, plans_not_issued, posts, prices
from deficits.reform_plan import ReformPlan, evidence
from deficits.reform_plan.spreadsheet import usual, worked

TABLES: dict[str, Callable[[Panel, Projection, ReformPlan], pd.DataFrame | pd.Series]] = {
    "Panel.frame": lambda panel, *_: panel.frame,
    "Panel.figure": lambda panel, *_: panel.figure("plans"),
    "Panel.statements": lambda panel, *_: panel.statements,
    "Panel.agreements": lambda panel, *_: panel.agreements,
    "Panel.prices": lambda panel, *_: panel.prices,
    "disagreements": lambda panel, *_: disagreements(panel.frame),
    "reconcile": lambda panel, *_: reconcile(panel),
    "evidence": lambda panel, *_: evidence(panel, "886"),
    "ReformPlan.by_year": lambda panel, _, plan: plan.by_year("plans", "balance"),
    "ReformPlan.effects": lambda panel, _, plan: plan.effects(),
    "ReformPlan.costs": lambda panel, _, plan: plan.costs(),
    "ReformPlan.management_plan": lambda panel, _, plan: plan.management_plan(),
    "ReformPlan.stress": lambda panel, _, plan: plan.stress(),
    "ReformPlan.to_frame": lambda panel, _, plan: plan.to_frame(),
    "worked": lambda panel, _, plan: worked(plan, usual(plan)),
    "hours": lambda *_: hours(),
    "prices": lambda *_: prices(),
    "new_plans": lambda panel, projection, _: new_plans(projection),
    "newest": lambda panel, *_: newest(panel, "requests"),
    "posts": lambda panel, projection, _: posts(projection, 2027),
    "plans_not_issued": lambda panel, projection, _: plans_not_issued(projection, d.Lever.read("early-support")),
}
KNOWN = {each.unit for each in FIGURES.values()}
KNOWN |= {"hours", "posts", "share", "growth a year", "share of plans", "share of block", "£ per plan"}


@pytest.fixture(scope="module")
def kent(projection: Projection) -> ReformPlan:
    return d.plan(projection, "Kent", "example")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_its_units(name: str, panel: Panel, projection: Projection, kent: ReformPlan) -> None:
    table = TABLES[name](panel, projection, kent)
    units = table.attrs["units"]
    if isinstance(units, str):
        assert units in KNOWN
    else:
        # One a column, or one a measure: a value of the column or level that names what a row is about.
        frame = table.reset_index()
        measures = next((frame[each] for each in ("measure", "figure") if each in frame), None)
        assert set(units) <= set(frame.columns) if measures is None else set(units) == set(measures)
        assert set(units.values()) <= KNOWN
        assert measures is None or "unit" not in frame or dict(zip(measures, frame["unit"], strict=True)) == units
