"""Rules of the annual monitor: sums are the publisher's, unknown stays unknown, causes add up."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deficits import monitor
from deficits.panel import Panel
from deficits.reform_plan import SECTORS


@pytest.fixture(scope="module")
def england(panel: Panel) -> pd.DataFrame:
    return monitor.counts(panel, monitor.places(panel)["England"]).set_index(["measure", "year"])


def test_englands_plans_are_the_publishers_and_sectors_add_up(panel: Panel, england: pd.DataFrame) -> None:
    # DfE, Education, health and care plans: January 2019, 2022, 2023 and 2026.
    published = {2019: 353_995, 2022: 473_255, 2023: 517_048, 2026: 718_838}
    assert {year: england.at[("plans", year), "value"] for year in published} == published
    held = monitor.by_council(panel)
    sectors = sum(held[f"plans_{sector}"] for sector in SECTORS)
    known = sectors.notna()
    assert (sectors - held["plans"]).where(known).abs().max(axis=None) == 0
    assert known[[2019, 2020, 2022, 2023]].sum().tolist() == [152, 151, 152, 152]


def test_a_count_that_is_missing_is_no_zero_and_says_of_how_many_councils_it_is(england: pd.DataFrame) -> None:
    row = england.loc[("plans_independent", 2025)]
    # Cambridgeshire and North East Lincolnshire returned no placements; Newham's are not used.
    assert (row["councils"], row["of"]) == (150, 153)
    last = england.loc[("plans_independent", 2026)]
    assert np.isnan(last["value"])
    assert last["councils"] == 0


def test_regions_add_up_to_england(panel: Panel, england: pd.DataFrame) -> None:
    regions = {name: codes for name, codes in monitor.places(panel).items() if name != "England"}
    assert len(regions) == 9
    for measure in ("plans", "new_plans", "requests_refused"):
        by_region = monitor.by_place(panel, regions, measure).sum(axis=1, min_count=9).dropna()
        assert by_region.eq(england.loc[measure, "value"].reindex(by_region.index)).all()


def test_timeliness_and_refusals_are_the_publishers(panel: Panel) -> None:
    # DfE, reporting year 2025: 46.4% within 20 weeks, exceptions left out; 25.2% of requests refused.
    rates = monitor.rates(panel, monitor.places(panel)["England"]).set_index(["measure", "year"])["value"]
    assert round(rates["in_20_weeks", 2025], 3) == 0.464
    assert round(rates["refused", 2025], 3) == 0.252


def test_shares_of_sectors_add_up_to_one_for_any_place(panel: Panel) -> None:
    for code in ("886", "330", "943"):
        shares = monitor.compared(panel, code).set_index("measure")
        sectors = shares.loc[[f"share_{sector}" for sector in SECTORS]]
        for place in (panel.authorities.name(code), monitor.NEIGHBOURS, "England"):
            assert sectors[place].sum() == pytest.approx(1)


def test_englands_factors_multiply_to_the_spend_of_all_its_councils(panel: Panel) -> None:
    england = monitor.factors(panel)
    assert (england["plans"] * england["mix"] * england["unit_cost"]).to_numpy() == pytest.approx(england["spend"])
    added = monitor.factors(panel, monitor.places(panel)["England"])
    both = england.index.intersection(added.index)
    assert added.loc[both, "spend"].to_numpy() == pytest.approx(england.loc[both, "spend"], rel=0.001)


positive = st.floats(1e-3, 1e6)


@settings(max_examples=50)
@given(before=st.tuples(positive, positive, positive), after=st.tuples(positive, positive, positive))
def test_causes_of_spend_add_up_and_what_did_not_move_explains_nothing(
    before: tuple[float, ...], after: tuple[float, ...]
) -> None:
    frame = pd.DataFrame([before, (before[0], *after[1:])], index=[1, 2], columns=["plans", "mix", "unit_cost"])
    frame["spend"] = frame.prod(axis=1)
    causes = monitor.explained(frame, 1, 2)
    moved = frame.at[2, "spend"] - frame.at[1, "spend"]
    assert causes["total"] == pytest.approx(moved, rel=1e-6, abs=1e-6 * frame["spend"].max())
    assert causes["plans"] == 0
    assert causes.drop("total").sum() == pytest.approx(causes["total"])


def test_an_earlier_day_knows_fewer_years(panel: Panel) -> None:
    import deficits as d

    then = d.load_panel("2024-12-31")
    known = monitor.counts(then, monitor.places(then)["England"]).dropna(subset="value")
    assert known.loc[known["measure"] == "plans", "year"].max() == 2024
    assert known.loc[known["measure"] == "requests", "year"].max() <= 2024
