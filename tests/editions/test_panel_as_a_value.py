"""A panel that is handed out is a value, and is of a real day."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pytest

import deficits as d
from deficits.errors import PanelError

REAL = ["2025-09-17", date(2025, 9, 17), datetime(2025, 9, 17, 10, 30), pd.Timestamp("2025-09-17")]
NO_DAY = [
    "2026-02-30",
    "9999-99-99",
    "2025-9-17",
    "2025-09",
    "2025-09-17T10:30",
    "yesterday",
    "",
    20250917,
    2025.75,
    pd.NaT,
]


def test_editing_a_panel_changes_nothing_of_the_next_one() -> None:
    first = d.load_panel()
    first.frame.loc[:, "balance"] = 0.0
    del first.frame["plans"]
    first.national.loc[:, "value"] = 0.0
    first.agreements.loc[:, "value"] = 0.0
    first.prices[:] = 0.0
    first.ages.people.loc[:] = 0
    second = d.load_panel()
    assert second.frame.at[("886", 2024), "balance"] < -50e6
    assert second.frame["plans"].notna().any()
    assert second.national["value"].gt(0).any()
    assert second.agreements["value"].gt(0).any()
    assert second.prices.gt(0).any()
    assert second.ages.people.to_numpy().sum() > 0


@pytest.mark.parametrize("day", REAL, ids=lambda day: type(day).__name__)
def test_a_day_is_given_as_text_date_or_timestamp(day: str | date) -> None:
    panel = d.load_panel(day)
    assert panel.as_of == "2025-09-17"
    assert panel.frame["plans_published"].dropna().max() <= "2025-09-17"


@pytest.mark.parametrize("nonsense", NO_DAY, ids=repr)
def test_what_is_no_real_day_is_refused(nonsense: object) -> None:
    with pytest.raises(PanelError, match="is not a day"):
        d.load_panel(nonsense)  # type: ignore[arg-type]
