"""Every table of a write-off says what its numbers are in."""

from collections.abc import Callable

import pandas as pd
import pytest

import deficits as d
from deficits.projection import Projection
from deficits.writeoff import Scheme, WriteOff, price_of_cover, region, summaries, sweep, unfunded
from deficits.writeoff.council_case import CouncilCase, council_case

GRANT = "high-needs-stability-grant"
OTHER = Scheme.read("equal-per-pupil")
TABLES: dict[str, Callable[[WriteOff], pd.DataFrame]] = {
    name: getattr(WriteOff, name)
    for name in dir(WriteOff)
    if getattr(getattr(WriteOff, name), "__annotations__", {}).get("return") == "pd.DataFrame"
    and not name.startswith(("_", "against", "authority"))
}
TABLES |= {
    "against": lambda result: result.against(OTHER),
    "authority": lambda result: result.authority("Kent"),
    "per plan": lambda result: result.by_authority(per="plan"),
    "unfunded": unfunded,
    "price_of_cover": price_of_cover,
    "by_council": summaries.by_council,
    "by_place": summaries.by_place,
    "not_paid": summaries.not_paid,
    "on_other_terms": lambda result: summaries.on_other_terms(result, {"own": {}}),
    "help_by_group": summaries.help_by_group,
    "at_equal_cost": lambda result: summaries.at_equal_cost(result, [OTHER]),
    "schemes": lambda _: d.schemes(),
    "table": lambda result: d.compare(result.projection, [GRANT, "no-help"]).table(),
    "ranks": lambda result: d.compare(result.projection, [GRANT, "no-help"]).ranks(),
    "long": lambda result: d.compare(result.projection, [GRANT, "no-help"]).to_frame(),
    "difference": lambda result: d.compare(result.projection, [GRANT, OTHER]).difference(OTHER.title),
}
CASE = {"by_year", "side_by_side", "ways_to_meet_left", "successors", "working"}


@pytest.fixture(scope="module")
def result(projection: Projection) -> WriteOff:
    return d.write_off(projection, GRANT)


@pytest.fixture(scope="module")
def case(projection: Projection) -> CouncilCase:
    return council_case(council="Surrey", deficit=150e6, projection=projection, accept=True)


def without_unit(frame: pd.DataFrame) -> set[str]:
    """Numeric columns, or measures of a long table, without a unit."""
    numbers = frame.get("measure", frame.index) if "unit" in frame else frame.select_dtypes("number")
    return set(numbers) - frame.attrs.get("units", {}).keys()


def test_the_list_holds_every_table_of_a_result() -> None:
    assert {"summary", "by_region", "by_type", "interest", "exchequer", "moral_hazard", "to_frame"} <= set(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_every_number_of_a_table_has_its_unit(result: WriteOff, name: str) -> None:
    frame = TABLES[name](result)
    assert len(frame.columns)
    assert not without_unit(frame)


@pytest.mark.parametrize("name", sorted(CASE))
def test_every_number_of_a_case_has_its_unit(case: CouncilCase, name: str) -> None:
    assert not without_unit(getattr(case, name)())


def test_a_sweep_and_its_region_have_theirs(projection: Projection) -> None:
    few = d.project(projection.panel, until=2029, draws=100, seed=1)
    points = sweep(few, [Scheme.read(GRANT)], points=6)
    assert not without_unit(points)
    box = region(points.assign(fails=[True, False] * 3))
    assert not without_unit(box)
    assert box.attrs["units"]["density"] == "share of points"


@pytest.mark.parametrize(
    ("table", "column", "unit"),
    [
        ("by_authority", "grant_p50", "£"),
        ("by_authority", "paid", "share of simulations"),
        ("per plan", "grant_p50", "£ per plan"),
        ("by_council", "share_of_dsg", "share of DSG"),
        ("by_council", "per_person", "£ per person aged 2 to 18"),
        ("by_council", "back_p50", "years"),
        ("summary", "councils_paid", "councils"),
        ("back_by_authority", "never", "share of simulations"),
        ("above_reserves", "with_p10", "councils"),
        ("cannot_balance", "reserves", "£"),
        ("help_so_far", "new_per_person", "£ per person aged 2 to 18"),
        ("table", "years_bought_p50", "years"),
        ("table", "gini_p50", "0 to 1"),
        ("ranks", "first", "share of simulations"),
        ("schemes", "paid_in", "year"),
    ],
)
def test_units_are_the_right_ones(result: WriteOff, table: str, column: str, unit: str) -> None:
    assert TABLES[table](result).attrs["units"][column] == unit
