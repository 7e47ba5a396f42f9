"""Rules of councils' own statements: which of them may stand for a balance, and since when."""

import pandas as pd
import pytest

from deficits.formatting import last_day
from deficits.publications import Reader, tabulated
from deficits.publications.tabulated import stated_balances, statements
from deficits.raw import raw_data
from deficits.raw.authorities import load_authorities


def reader(as_of: str | None = None) -> Reader:
    return Reader(raw_data(), load_authorities(raw_data()), as_of)


@pytest.fixture(scope="module")
def said() -> pd.DataFrame:
    return statements(reader())


@pytest.fixture(scope="module")
def stated() -> pd.DataFrame:
    return next(stated_balances(reader()))


def test_only_outturns_of_the_whole_dsg_stand_for_a_balance(said, stated) -> None:
    used = said.set_index("source").loc[stated["source"]]
    assert set(used["kind"]) == {"outturn"}
    assert set(used["measure"]) == {"dsg_balance"}
    assert set(used["trust"]) <= {"A", "B", "C"}
    assert set(said["kind"]) == {"outturn", "forecast", "derived", "unclear"}


def test_what_is_not_to_be_used_is_kept_with_its_reason(said, stated) -> None:
    refused = said[~said["use"]]
    assert len(refused)
    assert set(said.loc[said["trust"] == "D", "use"]) == {False}
    assert refused["reason"].notna().all()
    assert not set(refused["source"]) & set(stated["source"])
    assert {"312", "865", "937"} <= set(refused["authority"])  # Hillingdon, Wiltshire, Warwickshire


def test_a_balance_of_the_high_needs_block_is_not_one_of_the_dsg(stated) -> None:
    redbridge = stated[stated["authority"] == "317"]
    assert redbridge.empty
    cheshire_east = stated.query("authority == '895' and year == 2025")["value"]
    assert cheshire_east.tolist() == [-112_100_000.0]  # its high needs block alone was at £113.7m


def test_more_than_an_amount_is_the_least_of_a_deficit_and_no_forecast_of_it(said) -> None:
    least = said[said["detail"].str.contains("more than|exceed")]
    assert {"823", "860"} <= set(least["authority"])  # Central Bedfordshire, Staffordshire
    assert set(least["measure"]) == {"dsg_balance_high"}


def test_an_outturn_replaces_the_forecast_made_of_it(stated) -> None:
    assert stated.query("authority == '938' and year == 2025")["value"].tolist() == [-123_200_000.0]
    assert stated.query("authority == '839' and year == 2026").empty


def test_one_statement_a_council_and_year_the_most_trusted_first(monkeypatch) -> None:
    rows = {
        "authority": "886",
        "year": 2025,
        "measure": "dsg_balance",
        "kind": "outturn",
        "use": True,
        "value": [-1.0, -2.0, -3.0, -4.0],
        "trust": ["C", "A", "A", "B"],
        "published": ["2026-01", "2025-07", "2025-09", None],
        "source": list("cabd"),
    }
    monkeypatch.setattr(tabulated, "statements", lambda _: pd.DataFrame(rows))
    assert next(stated_balances(reader()))[["value", "published"]].to_numpy().tolist() == [[-3.0, "2025-09-30"]]


def test_a_statement_is_known_from_the_end_of_the_month_that_its_page_gives(said) -> None:
    for day in ("2024-06-18", "2024-06-19", "2025-07-30", "2025-07-31", "2026-12-31"):
        known = set(statements(reader(day))["source"])
        dated = said.dropna(subset=["published"])
        assert known == set(dated.loc[dated["published"].map(last_day) <= day, "source"])


def test_every_statement_is_of_a_council_that_existed_and_says_what_the_page_says(said) -> None:
    authorities = load_authorities()
    assert all(authorities.existed(code, year) for code, year in zip(said["authority"], said["year"], strict=True))
    assert said[["words", "url", "trust", "kind"]].notna().all(axis=None)
    assert (said["rounding"] > 0).all()
    assert said["source"].is_unique
