"""Rules of places and capital: nothing is short where there is room, what is built is paid once, sums hold."""

from pathlib import Path

import numpy as np
import pytest

from deficits.errors import ProjectionError
from deficits.places import DECLARED, IN_USE, PROVISION, Capacity, Places, places, places_of_all, together
from deficits.projection import Projection
from deficits.reform_plan import SECTORS

ROOM = {"state_special": 50_000, "resource_base": 50_000}


@pytest.fixture(scope="module")
def kent(projection: Projection) -> Places:
    return places(projection, "Kent")


@pytest.fixture(scope="module")
def every(projection: Projection) -> dict[str, Places]:
    found = dict(places_of_all(projection))
    assert len(found) == 153
    return {code: each for code, each in found.items() if isinstance(each, Places)}


def test_without_a_declaration_capacity_is_what_is_in_use(kent: Places, projection: Projection) -> None:
    assert kent.basis == IN_USE
    row = projection.panel.frame.loc[("886", 2025)]
    # The count of January 2025, on the plans of January 2026 and moved by a year of England's shares.
    grown = projection.panel.frame.at[("886", 2026), "plans"] / row["plans"]
    for place, figure in enumerate(("plans_state_special", "plans_resource_base")):
        assert kent.capacity[place, 0, 0] == pytest.approx(row[figure] * grown, rel=0.06)


def test_where_there_is_room_nothing_is_short_built_or_lost(projection: Projection) -> None:
    roomy = places(projection, "Kent", Capacity(councils={"886": {"capacity": ROOM}}))
    assert roomy.basis == DECLARED
    for part in (roomy.short, roomy.not_built, *roomy.built.values(), *roomy.capital.values()):
        assert not part.any()
    assert roomy.options()["payback"].isna().all()


def test_need_and_capacity_make_the_shortfall_in_every_simulation(kent: Places) -> None:
    assert np.array_equal(kent.short, np.clip(kent.need - kent.capacity, 0, None))
    for provision in PROVISION:
        built = kent.built[provision]
        assert (np.diff(built, axis=0) >= 0).all()
        assert (built <= np.maximum.accumulate(kent.short.sum(axis=0), axis=0) + 1e-9).all()


def test_capital_pays_once_for_each_place(projection: Projection) -> None:
    built = places(projection, "Kent", Capacity(capital={"state_special": 50_000}, lead={"state_special": 0}))
    paid = built.capital["state_special"].sum(axis=0)
    assert paid == pytest.approx(50_000 * built.short.sum(axis=0).max(axis=0))


def test_places_that_open_in_time_save_what_not_building_costs(projection: Projection) -> None:
    # All who are short would be in special or in independent schools: the saving is the cost of not building.
    terms = Capacity(
        lead={"state_special": 0},
        councils={"Kent": {"capacity": {"resource_base": 50_000}}},
    )
    worked = places(projection, "Kent", terms)
    assert worked.saved["state_special"] == pytest.approx(worked.not_built)
    assert (worked.not_built[-1] > 0).mean() > 0.9


def test_places_that_open_later_are_capacity_from_their_year_on(kent: Places, projection: Projection) -> None:
    opening = {2029: {"state_special": 300}}
    later = places(projection, "Kent", Capacity(councils={"Kent": {"opening": opening}}))
    more = (later.capacity - kent.capacity)[:, :, 0]
    assert more[0].tolist() == [300.0 if year >= 2029 else 0.0 for year in kent.years]
    assert not more[1].any()


def test_councils_add_up_to_england(every: dict[str, Places], projection: Projection) -> None:
    england = together("England", list(every.values()))
    assert len(every) >= 150
    assert england.short.sum(axis=0) == pytest.approx(sum(each.short.sum(axis=0) for each in every.values()))
    # DfE, January 2025: 191,000 in state special schools and resource bases of the 150 councils that are counted.
    held = projection.panel.frame.xs(2025, level="year")[["plans_state_special", "plans_resource_base"]].sum()
    in_use = england.capacity[:, 0, 0]
    plans = projection.panel.figure("plans")[[2025, 2026]].sum()
    assert in_use == pytest.approx(held.to_numpy() * plans[2026] / plans[2025], rel=0.05)


def test_need_is_the_reform_plans_position_without_a_plan(kent: Places, projection: Projection) -> None:
    import deficits as d

    base = d.plan(projection, "Kent", "example").base.position
    at = [SECTORS.index(provision) for provision in PROVISION]
    assert np.allclose(kent.need, base.places[at][:, -len(kent.years) :])


def test_a_wrong_declaration_says_what_is_expected(tmp_path: Path, projection: Projection) -> None:
    path = tmp_path / "capacity.yaml"
    path.write_text("councils: {Kent: {capacity: {special: 10}}}", encoding="utf-8")
    with pytest.raises(ProjectionError, match=r"capacity\.yaml.*\n.*special"):
        Capacity.read(path)
    twice = Capacity(councils={"Kent": {}, "886": {}})
    with pytest.raises(ProjectionError, match="Kent is declared twice"):
        places(projection, "Kent", twice)
