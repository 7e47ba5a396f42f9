"""Rules of a cell's way, of the checks and of what a build writes for other tools."""

import json
from datetime import date
from pathlib import Path
from runpy import run_path

import frictionless
import pandas as pd
import pytest

import deficits as d
from deficits.errors import PanelError
from deficits.panel import FIGURES, Panel, calendar, reconcile, write
from deficits.paths import checkout


def test_a_trace_names_file_line_sign_rule_and_rival(panel: Panel) -> None:
    text = repr(d.trace(panel, "Kent", 2024, "balance"))
    for words in (
        "balance of Kent (886), 2023-24",
        "value: −67,167,405 £ (disputed), public by 2024-12-31",
        "data/raw/section251-outturn/carried_forward_2023_24.csv, line 124",
        "carried_forward_gbp = 67167405.0",
        "sign: turned",
        "correction: carried_forward_gbp flagged",
        "rule between sources: section251",
        "rival balance_mhclg: −103,430,000 £",
    ):
        assert words in text


def test_the_line_a_trace_names_holds_the_council(panel: Panel) -> None:
    root = checkout()
    assert root is not None
    for code, year, figure in [
        ("202", 2020, "balance"),
        ("316", 2026, "plans"),
        ("382", 2024, "high_needs_block"),
    ]:
        source = panel.frame.at[(code, year), f"{figure}_source"]
        place, line = source.rsplit(":", 1)
        text = (root / "data" / "raw" / place).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert code in text or panel.authorities.name(code) in text


def test_a_trace_shows_what_a_correction_made_of_a_figure(panel: Panel) -> None:
    text = repr(d.trace(panel, "Leeds", "2022-23", "new_plans"))
    assert "override new_ehc_plans_as_published, 6,078 became 362" in text


def test_a_missing_figure_is_traced_to_why(panel: Panel) -> None:
    assert "value: none (not reported)" in repr(d.trace(panel, "Westmorland and Furness", 2024, "balance"))
    assert "not collected for this year" in repr(d.trace(panel, "Kent", 2012, "balance"))


def test_a_trace_of_something_unknown_offers_the_closest(panel: Panel) -> None:
    with pytest.raises(PanelError, match="did you mean 'balance'"):
        d.trace(panel, "Kent", 2024, "balanse")
    with pytest.raises(PanelError, match="Cumbria has no year 2024: the panel has it from 2010 to 2023"):
        d.trace(panel, "Cumbria", 2024, "plans")


def test_a_check_passes_on_what_is_held_and_tells_what_is_overdue(panel: Panel) -> None:
    assert not reconcile(panel)["state"].eq("differs").any()
    assert not calendar(panel, date(2026, 11, 25))["overdue"].any()
    later = calendar(panel, date(2027, 2, 15))
    assert set(later.loc[later["overdue"], "publication"]) >= {"section251-outturn"}


def test_the_second_of_two_equal_builds_says_nothing_changed(panel: Panel, tmp_path: Path) -> None:
    assert write(panel, tmp_path)["changes"] is None
    assert write(panel, tmp_path)["changes"] == {}


def test_a_build_says_what_differs_from_the_one_before(panel: Panel, tmp_path: Path) -> None:
    write(d.load_panel(rule="mhclg"), tmp_path)
    changes = write(panel, tmp_path)["changes"]
    assert set(changes) == {"balance"}
    assert changes["balance"]["changed"] > 20
    code, year, before, after = changes["balance"]["largest"]
    assert (before, after) == (
        panel.frame.at[(code, year), "balance_mhclg"],
        panel.frame.at[(code, year), "balance_section251"],
    )


def test_what_a_build_writes_is_a_valid_data_package(panel: Panel, tmp_path: Path) -> None:
    write(panel, tmp_path)
    report = frictionless.validate(str(tmp_path / "datapackage.json"))
    assert report.valid, report.flatten(["type", "message"])
    package = json.loads((tmp_path / "datapackage.json").read_text(encoding="utf-8"))
    assert [field["name"] for field in package["resources"][0]["schema"]["fields"]] == [
        *panel.frame.index.names,
        *panel.frame.columns,
    ]


def test_the_csv_holds_the_same_values_as_the_panel(panel: Panel, tmp_path: Path) -> None:
    write(panel, tmp_path)
    read = pd.read_csv(tmp_path / "panel.csv", dtype={"authority": str}, low_memory=False)
    read = read.set_index(["authority", "year"])
    for name in FIGURES:
        pd.testing.assert_series_equal(read[name].astype(float), panel.frame[name])


def test_data_dictionary_and_glossary_are_the_generated_ones() -> None:
    root = checkout()
    assert root is not None
    generator = run_path(str(root / "docs" / "data_dictionary.py"))
    for path, made in generator["PAGES"].items():
        assert path.read_text(encoding="utf-8") == made()
