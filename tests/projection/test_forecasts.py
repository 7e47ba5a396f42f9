"""Rules of the forecast ledger: nothing in it can be edited unseen, and it is scored on what came out later."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import deficits as d
from deficits.errors import ProjectionError
from deficits.panel import Panel
from deficits.projection.forecasts import QUANTILES, entries, issue, outturns, score, skill, verify


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two entries, the first made with what was public in February 2023."""
    folder = tmp_path_factory.mktemp("forecasts")
    then = d.project(d.load_panel("2023-02-28"), until=2025, draws=500)
    issue(then, "first", "made for a test", folder, date(2023, 2, 28))
    issue(
        d.project(d.load_panel(), until=2027, draws=200), "second", "made for a test", folder, date(2026, 11, 29)
    )
    return folder


def test_entries_are_chained_and_verified(ledger: Path) -> None:
    first, second = entries(ledger)
    assert second.facts["previous"] == first.hash
    assert verify(ledger) == second.hash


@pytest.mark.parametrize("name", ["forecast.parquet", "entry.json"])
def test_one_changed_byte_of_an_old_entry_is_found(ledger: Path, name: str) -> None:
    path = entries(ledger)[0].folder / name
    content = path.read_bytes()
    at = content.rindex(b"2") if name == "entry.json" else len(content) // 2
    try:
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ProjectionError, match="was changed"):
            verify(ledger)
    finally:
        path.write_bytes(content)


def test_an_entry_that_is_taken_out_is_missed(ledger: Path, tmp_path: Path) -> None:
    second = entries(ledger)[1].folder
    alone = tmp_path / second.name
    alone.mkdir()
    for path in second.iterdir():
        (alone / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ProjectionError, match="expected entry 1"):
        verify(tmp_path)


def test_an_entry_is_never_replaced(ledger: Path) -> None:
    projection = d.project(d.load_panel(), until=2027, draws=200)
    with pytest.raises(ProjectionError, match="never replaced"):
        issue(projection, "second", "made for a test", ledger, date(2026, 11, 29))


def test_a_table_holds_every_council_region_and_england_with_ordered_quantiles(ledger: Path) -> None:
    table = entries(ledger)[1].table()
    assert table["location"].nunique() == 153 + 9 + 1
    wide = table.pivot(index=["location", "target_end_date"], columns="output_type_id", values="value")
    assert list(wide.columns) == list(QUANTILES)
    assert (np.diff(wide.to_numpy(), axis=1) >= 0).all()
    facts = entries(ledger)[1].facts
    assert {"seed", "draws", "assumptions", "data", "code", "note"} <= set(facts)
    json.dumps(facts)


def test_what_was_public_on_the_day_is_no_outturn(panel: Panel) -> None:
    found = outturns(panel, "2025-09-17")
    assert (found["known"] > "2025-09-17").all()
    assert found.query("location == 'England' and target_end_date == '2025-03-31'")["value"].tolist() == [3.8e9]
    assert "2024-03-31" not in set(found["target_end_date"])


def test_an_entry_is_scored_on_what_came_out_after_it(ledger: Path, panel: Panel) -> None:
    first = entries(ledger)[0]
    key = ["target", "location", "target_end_date"]
    middle = first.table().query("output_type_id == 0.5").set_index(key)["value"]
    off = (middle - outturns(panel, "2023-02-28").set_index(key)["value"]).abs().dropna()
    assert set(off.index.get_level_values("target_end_date")) == {"2023-03-31", "2024-03-31", "2025-03-31"}
    table = score(panel, ledger).set_index(["forecaster", "area", "target_end_date"])
    row = table.loc[(first.name, "councils", "2024-03-31")]
    councils = off.xs(("balance", "2024-03-31"), level=("target", "target_end_date"))
    assert row["error"] == pytest.approx(councils.mean())
    assert 0 < row["crps"] < row["error"]
    assert row["n"] == len(councils) > 140
    # NAO's forecast of March 2026 has no outturn yet; those of March 2025 do.
    others = table.reset_index()
    others = others[~others["forecaster"].isin([entry.name for entry in entries(ledger)])]
    assert set(others["target_end_date"]) <= {"2024-03-31", "2025-03-31"}
    assert len(others) >= 4


def test_skill_has_an_interval_and_the_interval_holds_the_estimate(ledger: Path, panel: Panel) -> None:
    found = skill(entries(ledger)[0], panel).set_index("target_end_date").loc["2024-03-31"]
    assert found["councils_low"] < found["skill"] < found["councils_high"]
    assert found["regions_low"] < found["skill"] < found["regions_high"]
    assert skill(entries(ledger)[1], panel).empty  # nothing has come out since it was issued


def test_no_entry_of_the_ledger_has_changed_since_it_was_made() -> None:
    folder = Path(__file__).parents[2] / "forecasts"
    assert verify(folder) == entries(folder)[-1].hash
