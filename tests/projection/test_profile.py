"""One council beside others: what is known of it stays as published, and unknown stays unknown."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import deficits as d
from deficits.formatting import gbp
from deficits.panel import Panel
from deficits.projection import Projection, profile


def test_a_disputed_balance_has_both_values_and_says_from_whom(panel: Panel) -> None:
    rows = profile.known_balances(panel, "886").set_index("year")
    frame = panel.frame.loc["886"]
    year = rows.index[rows["basis"] == "disputed"][-1]
    assert {rows.at[year, "value"], rows.at[year, "other"]} == {
        frame.at[year, "balance_section251"],
        frame.at[year, "balance_mhclg"],
    }
    assert rows.at[year, "from"] != rows.at[year, "other_from"]


def test_a_balance_that_is_not_disputed_has_one_value(panel: Panel) -> None:
    for code in ("330", "839", "943"):
        rows = profile.known_balances(panel, code)
        assert rows.loc[rows["basis"] != "disputed", "other"].isna().all()


def test_a_councils_own_outturn_is_among_its_balances_and_its_statements(panel: Panel) -> None:
    known, stated = profile.known_balances(panel, "886"), profile.statements(panel, "886")
    assert known.iloc[-1]["basis"] == "stated by the council"
    outturns = stated[stated["kind"] == "outturn"]
    assert known.iloc[-1]["value"] in set(outturns["value"])
    assert (stated["year"] > known.loc[known["basis"] != "stated by the council", "year"].max()).all()


def test_only_the_statement_that_the_projection_takes_counts_as_used(panel: Panel) -> None:
    for code in panel.statements["authority"].unique():
        stated = profile.statements(panel, code)
        used = stated[stated["used"]]
        assert set(used["kind"]) <= {"outturn"}
        assert not used.duplicated("year").any()
        assert stated.loc[~stated["used"], "reason"].notna().all()


def test_a_disputed_balance_whose_rival_prints_alike_or_is_not_there_has_a_reason(panel: Panel) -> None:
    for code in panel.authorities.in_year(2024):
        disputed = profile.known_balances(panel, code).query("basis == 'disputed'")
        assert not (disputed["other"].map(gbp) == disputed["value"].map(gbp)).any()
        assert (disputed["other"].notna() | disputed["reason"].ne("")).all()
    bcp = profile.known_balances(panel, "839").set_index("year").loc[2024]
    assert "£65.5m" in bcp["reason"]
    assert pd.isna(bcp["other"])


def test_the_analysts_own_forecast_is_no_known_balance(panel: Panel) -> None:
    assert not profile.known_balances(panel, "886")["basis"].str.contains("forecast").any()


def test_placements_make_up_all_plans(panel: Panel) -> None:
    shares = profile.placements(panel, ["886", "881"])
    assert len(shares) > 1
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1)
    assert (shares >= 0).all(axis=None)


def test_cost_per_plan_is_spending_over_plans(panel: Panel) -> None:
    costs = profile.costs(panel, ["886"])
    year = costs.index[-1]
    assert costs.at[year, "per_plan"] == pytest.approx(
        panel.figure("high_needs_net_spend").at["886", year] / panel.figure("plans").at["886", year]
    )


def test_a_council_without_a_figure_is_in_neither_part_of_a_share_or_cost(panel: Panel) -> None:
    assert panel.figure("plans_mainstream").isna().at["316", 2025]
    assert panel.figure("plans").notna().at["316", 2025]
    assert profile.placements(panel, ["316", "886"]).loc[2025].equals(profile.placements(panel, ["886"]).loc[2025])
    spent, planned = (panel.figure(name)[2024] for name in ("high_needs_net_spend", "plans"))
    without = spent.index[spent.isna() & planned.notna()]
    assert len(without)
    assert profile.costs(panel, ["886", *without]).loc[2024].equals(profile.costs(panel, ["886"]).loc[2024])


def test_a_council_is_not_its_own_neighbour_and_none_are_known_before_they_were_published(panel: Panel) -> None:
    for code in ("886", "351", "943"):
        others = profile.neighbours(panel, code)
        assert code not in others
        assert len(others) == len(set(others)) <= 10
    assert profile.neighbours(d.load_panel("2023-02-28"), "886") == []


def test_places_of_several_councils_are_added_up_before_they_are_divided(projection: Projection) -> None:
    year = projection.headline_year
    pair = profile.compared(projection, {"both": ["886", "881"], "Kent": ["886"], "Essex": ["881"]}, year)
    assert (
        pair.loc["Kent":, "per_person"].min()
        < pair.at["both", "per_person"]
        < pair.loc["Kent":, "per_person"].max()
    )
    kent = profile.measures(projection, year).loc["886"]
    assert pair.loc["Kent"].to_numpy() == pytest.approx(kent[list(pair.columns)].to_numpy(dtype=float))


def test_only_figures_that_are_published_are_listed(panel: Panel) -> None:
    facts = profile.newest(panel, "943")
    assert facts["value"].notna().all()
    assert not facts["meaning"].str.startswith("cumulative DSG balance").any()  # Westmorland has reported none
    assert isinstance(facts, pd.DataFrame)


def test_a_councils_own_path_stands_next_to_the_projection(tmp_path: Path) -> None:
    rows = ["Kent,2026-27,-171000000,unmitigated", "Kent,2026-27,-150000000,mitigated"]
    (tmp_path / "plan.csv").write_text("\n".join(["council,year,balance,status", *rows]), encoding="utf-8")
    projection = d.project(d.load_panel(own=tmp_path / "plan.csv"), until=2029, draws=200)
    path = profile.own_path(projection, "886").set_index("scenario")
    assert path["value"].to_dict() == {"mitigated": -150e6, "unmitigated": -171e6}
    assert (path["p50"] == projection.authority("886").at[2027, "p50"]).all()
    assert profile.own_path(projection, "881").empty
    assert not any(warning.endswith(": .") for warning in projection.warnings_on("886"))
