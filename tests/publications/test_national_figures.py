"""Rules of the figures published for England, and of others' forecasts: what each is, and since when."""

import pandas as pd
import pytest

from deficits.formatting import last_day
from deficits.publications import Reader
from deficits.publications.tabulated import RETURNED, forecasts, national
from deficits.raw import raw_data
from deficits.raw.authorities import load_authorities


def reader(as_of: str | None = None) -> Reader:
    return Reader(raw_data(), load_authorities(raw_data()), as_of)


@pytest.fixture(scope="module")
def figures() -> pd.DataFrame:
    return national(reader())


def test_every_figure_says_what_it_is(figures) -> None:
    assert set(figures["kind"]) <= {*RETURNED, "survey", "forecast"}
    deficits = figures["measure"].isin(["gross_deficit", "net_balance"])
    assert set(figures.loc[deficits, "basis"]) <= {"gross", "net", "unknown"}


def test_the_deficit_of_march_2025_is_second_hand_of_unknown_basis_and_counted_once(figures) -> None:
    rows = figures.query("measure == 'gross_deficit' and year == 2025")
    assert set(rows["value"]) == {3.8e9}
    assert set(rows["basis"]) == {"unknown"}
    assert set(rows["kind"]) == {"provisional"}
    first = rows[rows["repeats"].isna()]
    assert len(first) == 1
    assert first["published"].item() == rows["published"].min()


@pytest.mark.parametrize("table", [national, forecasts])
def test_what_a_row_repeats_is_there_and_older(table) -> None:
    rows = table(reader())
    known = {f"{row.publisher}, {row.published}" for row in rows.itertuples()}
    for row in rows.dropna(subset=["repeats"]).itertuples():
        assert row.repeats in known
        assert last_day(row.repeats[-10:]) < last_day(row.published)


@pytest.mark.parametrize("table", [national, forecasts])
def test_a_row_is_known_from_its_day_on_and_one_without_a_day_on_no_earlier_one(table) -> None:
    rows = table(reader())
    assert rows["published"].isna().any()
    for day in ("2022-12-31", "2025-12-16", "2025-12-17", "2026-11-25"):
        known = rows["published"].map(last_day, na_action="ignore") <= day
        pd.testing.assert_frame_equal(table(reader(day)), rows[known].reset_index(drop=True))


def test_a_count_of_plans_is_known_from_the_month_of_its_release(figures) -> None:
    plans = figures[figures["measure"] == "ehc_plans_january"]
    assert plans["published"].notna().all()
    months = plans["published"].str[:7].to_numpy()
    assert all(f"{year}-05" <= month for year, month in zip(plans["year"], months, strict=True))


def test_a_forecast_that_is_not_of_one_year_is_left_out() -> None:
    every = raw_data().table("published-forecasts", "forecasts.csv")["target"]
    assert len(forecasts(reader())) == every.str.fullmatch(r"\d{4}-\d{2}").sum() < len(every)
