"""Adding an edition changes no figure that was known on an earlier day."""

from __future__ import annotations

import pandas as pd
import pytest

import deficits as d
from deficits.panel import Panel
from tests.editions.conftest import Edition, Make
from tests.editions.relabelled import DAY, EDITIONS

DAY_BEFORE = (pd.Timestamp(DAY) - pd.Timedelta(days=1)).date().isoformat()
DAYS = ["2022-02-01", "2023-02-28", "2024-12-11", "2025-09-17", DAY_BEFORE]
ALL = tuple(EDITIONS.values())


def same(found: Panel, before: Panel) -> None:
    """Every figure, its basis, source and day, and all that is published for England, prices and ages."""
    pd.testing.assert_frame_equal(found.frame, before.frame)
    pd.testing.assert_frame_equal(found.national, before.national)
    pd.testing.assert_frame_equal(found.forecasts, before.forecasts)
    pd.testing.assert_frame_equal(found.agreements, before.agreements)
    pd.testing.assert_frame_equal(found.ages.people, before.ages.people)
    pd.testing.assert_frame_equal(found.ages.plans, before.ages.plans)
    pd.testing.assert_series_equal(found.prices, before.prices)
    assert found.ages.plans_year == before.ages.plans_year


@pytest.mark.parametrize("editions", [ALL[::2], ALL[1::2]], ids=["some", "others"])
def test_what_another_edition_hides_changes_no_figure_of_the_day_before(
    editions: tuple[Edition, ...], made: Make
) -> None:
    """Of two editions that give one figure, each alone."""
    same(made(*editions).as_of(DAY_BEFORE), d.load_panel(DAY_BEFORE))


@pytest.mark.parametrize("day", DAYS)
def test_adding_every_edition_changes_no_figure_of_an_earlier_day(day: str, made: Make) -> None:
    same(made(*ALL).as_of(day), d.load_panel(day))


def test_adding_an_edition_changes_no_projection_of_an_earlier_day(made: Make) -> None:
    day = "2025-09-17"
    found = d.project(made(*ALL).as_of(day), until=2028, draws=200).england()
    pd.testing.assert_frame_equal(found, d.project(d.load_panel(day), until=2028, draws=200).england())
