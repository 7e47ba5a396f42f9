"""Why a projection moved, what would narrow it, and what the DfE's and the OBR's figures make of it."""

import dataclasses
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import deficits as d
from deficits.errors import ProjectionError
from deficits.panel import Panel
from deficits.projection import Projection
from deficits.projection.england import dfe_plan_growth, obr_target
from deficits.projection.forecasts import diff, entries, entry, from_forecast, issue
from deficits.projection.voi import value_of_information


@pytest.fixture(scope="module")
def small(panel: Panel) -> Projection:
    return d.project(panel, until=2028, draws=400)


def test_the_steps_from_one_entry_to_another_add_up_to_the_pound(panel: Panel, tmp_path: Path) -> None:
    early, late = date(2025, 12, 1), date(2026, 1, 20)
    slower = d.Assumptions(plan_growth={2027: 0.05})
    then, later = (d.load_panel(day.isoformat()) for day in (early, late))
    issue(d.project(then, until=2028, draws=200), "older", "made for a test", tmp_path, early)
    issue(d.project(later, slower, until=2028, draws=200, seed=2), "newer", "made for a test", tmp_path, late)
    held = entries(tmp_path)
    for authority in (None, "Kent"):
        steps = diff(entry("older", held), entry("newer", held), panel, 2028, authority)
        issued = steps["value"].iloc[[0, -1]]
        assert steps["change"].sum() == issued.iloc[1] - issued.iloc[0]
        # The same code made both, so that method explains nothing; the rest is told apart.
        assert abs(steps["change"].iloc[1]) <= 1
        assert abs(steps["change"].iloc[-1]) <= 1
        assert {"assumptions", "random numbers"} <= set(steps.index)
        assert any("2026-27 as announced" in cause for cause in steps.index)
    with pytest.raises(ProjectionError, match="older"):
        entry("oldest", held)


def test_the_dfes_path_of_plans_and_the_obrs_target_move_the_projection_as_they_say(small: Projection) -> None:
    growth, target = dfe_plan_growth(small), obr_target(small)
    assert target is not None
    assert (target.gross, target.sd) == (14e9, 2e9)
    dfe = small.with_assumptions(d.Assumptions(plan_growth=growth))
    obr = small.with_assumptions(d.Assumptions(calibrated_to=(target,)))
    assert np.median(dfe.paths.plans[-1]) < np.median(small.paths.plans[-1])
    middle, slower, near = (each.england().at[("gross", 2028), "p50"] for each in (small, dfe, obr))
    assert slower < middle
    assert abs(near - 14e9) < abs(middle - 14e9) / 2


def test_figures_that_were_not_public_set_no_path_and_no_target() -> None:
    then = d.project(d.load_panel("2024-09-30"), until=2028, draws=200)
    assert dfe_plan_growth(then) == {}
    assert obr_target(then) is None


def test_the_steps_from_somebody_elses_forecast_to_ours_add_up(panel: Panel) -> None:
    then = d.project(d.load_panel("2026-01-20"), until=2028, draws=200)
    steps = from_forecast(then, "OBR")
    assert steps["value"].iloc[0] == 14e9
    assert steps["value"].iloc[-1] == round(then.england().at[("gross", 2028), "p50"])
    assert steps["change"].sum() == steps["value"].iloc[-1] - 14e9
    # Public on one day, on lines of their own.
    day = [cause.partition(": ")[2] for cause in steps.index if cause.startswith("2025-12-17")]
    assert day == ["the block of 2026-27 as announced", "the national figure of £3.8bn for 31 March 2025"]
    with pytest.raises(ProjectionError, match="did you mean 'London Councils'"):
        from_forecast(then, "London Council")


def test_what_would_narrow_a_range_does_narrow_it(panel: Panel) -> None:
    """Hide the balances that councils stated for March 2025: what knowing one was said to take off their range of
    March 2026 is, on average, what knowing it does take off."""
    stated = panel.frame["balance_basis"] == "stated"
    councils = panel.frame.index[stated & (panel.frame.index.get_level_values("year") == 2025)]
    hidden = dataclasses.replace(panel, frame=panel.frame.assign(balance=panel.frame["balance"].mask(stated)))
    before, after = (d.project(each, until=2026, draws=1000) for each in (hidden, panel))
    said, did = [], []
    for code, _ in councils:
        told = value_of_information(before, 2026, code)
        said.append(told.at["the council's balance, 31 March 2025", "narrowing"])
        widths = [each.authority(code).loc[2026, ["p10", "p90"]].diff().iloc[-1] for each in (before, after)]
        did.append(1 - widths[1] / widths[0])
    assert np.mean(said) > 0.02
    assert np.mean(did) == pytest.approx(np.mean(said), abs=0.03)


def test_what_knowing_a_years_spend_would_take_off_englands_range_it_takes_off(panel: Panel) -> None:
    """Hide the spend of 2024-25 by council, which is held."""
    last = panel.figure("high_needs_net_spend").dropna(axis=1, how="all").columns[-1]
    spend = panel.frame["high_needs_net_spend"].mask(panel.frame.index.get_level_values("year") == last)
    hidden = dataclasses.replace(panel, frame=panel.frame.assign(high_needs_net_spend=spend))
    before, after = (d.project(each, until=2028, draws=4000) for each in (hidden, panel))
    told = value_of_information(before, 2028).at["England's high needs spend, 2024-25", "narrowing"]
    widths = [each.england().loc[("gross", 2028), ["p10", "p90"]].diff().iloc[-1] for each in (before, after)]
    assert told > 0.1
    assert 1 - widths[1] / widths[0] == pytest.approx(told, abs=0.05)


def test_figures_that_are_published_tell_nothing_new(small: Projection) -> None:
    figures = value_of_information(small, 2028).index
    assert "England's EHC plans, January 2026" not in figures
    assert "England's gross deficit, 31 March 2027" in figures
    assert value_of_information(small, 2028)["narrowing"].between(0, 1).all()


def test_a_councils_own_block_and_grant_allocation_are_among_what_would_narrow_its_range(
    small: Projection,
) -> None:
    kent, camden = (value_of_information(small, 2028, name)["narrowing"] for name in ("Kent", "Camden"))
    grant, balance = "the council's grant allocation, for its deficit at 31 March 2026", "the council's balance, "
    assert {grant, "the council's high needs block, 2026-27"} <= set(kent.index)
    # It tells the deficit, and nothing of how large a surplus is.
    assert kent[grant] == pytest.approx(kent[f"{balance}31 March 2026"], abs=1e-3)
    assert camden.get(grant, 0) < camden[f"{balance}31 March 2026"] / 2
    assert grant not in value_of_information(small, 2028).index
