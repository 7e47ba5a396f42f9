from __future__ import annotations

import threading
from pathlib import Path

import pytest

import deficits as d
from deficits import Scenario, Scheme
from deficits.errors import ReportError
from deficits.explorer import session
from deficits.explorer.report import wanted

pytest.importorskip("ipywidgets", reason="ipywidgets is not installed: pip install 'deficits[explore]'")

from deficits.explorer import Explorer, State
from deficits.explorer import panel as panel_module


@pytest.fixture
def explorer(tmp_path: Path) -> Explorer:
    return Explorer(draws=300, folder=tmp_path)


def move(explorer: Explorer, name: str, value: object) -> None:
    explorer.fields[name].control.value = value


def test_a_slider_changes_headline_figure_and_python_in_place(explorer):
    before = explorer._figure.value
    move(explorer, "later_block_growth", 5.0)
    assert explorer.state.assumptions.later_block_growth == 0.05
    assert explorer.view.lead in explorer._headline.value
    assert explorer._figure.value != before
    assert "later_block_growth=0.05" in explorer._code.value
    assert explorer.scenario == d.Scenario(assumptions=d.Assumptions(later_block_growth=0.05))


def test_every_control_has_a_label(explorer):
    for name, field in explorer.fields.items():
        assert field.control.description.strip(), name


@pytest.mark.parametrize(
    ("name", "wrong", "told"),
    [
        ("place", "Cumbria", "ask for Cumberland or Westmorland and Furness"),
        ("place", "Kant", "did you mean"),
        ("as_of", "17/9/2025", "is not a day"),
        ("as_of", "2001-01-01", ""),
    ],
)
def test_an_error_is_told_beneath_its_control_and_nothing_else_changes(explorer, name, wrong, told):
    move(explorer, "later_block_growth", 5.0)
    before = explorer.state, explorer._headline.value, explorer._figure.value
    move(explorer, name, wrong)
    assert told in explorer.fields[name].error
    assert 'role="alert"' in explorer.fields[name].error
    assert (explorer.state, explorer._headline.value, explorer._figure.value) == before
    assert not any(field.error for other, field in explorer.fields.items() if other != name)
    move(explorer, name, "England" if name == "place" else "")
    assert explorer.fields[name].error == ""


def test_dates_of_a_scheme_that_contradict_each_other_are_told_beneath_them(explorer):
    move(explorer, "scheme", "flat-share")
    move(explorer, "paid_in", 2025)
    assert "paid_in 2025 is not after base_year 2026" in explorer.fields["paid_in"].error
    assert explorer.state.scheme.scheme().paid_in == 2027
    move(explorer, "base_year", 2027)
    assert explorer.state.scheme.scheme().paid_in == 2028


def test_sliders_are_there_for_what_is_on(explorer):
    def is_shown(name: str) -> bool:
        return explorer.fields[name].box.layout.display != "none"

    assert not is_shown("plan_growth")
    move(explorer, "set_plan_growth", True)
    assert is_shown("plan_growth")
    assert explorer.state.assumptions.plan_growth == 0.08
    move(explorer, "plan_growth", 6.0)
    assert explorer.state.assumptions.plan_growth == 0.06
    move(explorer, "set_plan_growth", False)
    assert explorer.state.assumptions.plan_growth is None
    assert not is_shown("funding-growth.size")
    move(explorer, "funding-growth", True)
    move(explorer, "funding-growth.size", 2.0)
    assert explorer.scenario.levers == (d.Lever.read("funding-growth", growth=0.02),)
    assert not is_shown("share")
    move(explorer, "scheme", "tapered-by-dsg")
    assert is_shown("paid_in")
    assert not is_shown("share")


def test_a_limit_is_set_and_taken_off(explorer):
    move(explorer, "scheme", "flat-share")
    move(explorer, "budget", 2.0)
    assert explorer.result.scheme.budget.pounds == 2e9
    move(explorer, "budget", 0.0)
    assert explorer.result.scheme == d.Scheme.read("flat-share")


def test_back_to_the_baseline_keeps_the_place(explorer):
    move(explorer, "place", "Kent")
    move(explorer, "calibration", False)
    move(explorer, "scheme", "flat-share")
    explorer._reset()
    assert explorer.state == State(place="Kent", draws=300)
    assert explorer.fields["calibration"].value is True
    assert explorer.fields["scheme"].value is None


def test_the_numbers_are_a_table_with_scopes_when_asked_for(explorer):
    assert explorer._table.value == ""
    move(explorer, "numbers", True)
    assert explorer._table.value.count('scope="row"') == 8
    assert "<caption>England" in explorer._table.value


# Files


def test_a_scenario_is_saved_and_opened(explorer, tmp_path):
    move(explorer, "funding-growth", True)
    move(explorer, "scheme", "loan-10-years")
    move(explorer, "file", "mine")
    explorer.save()
    saved = explorer.scenario
    assert d.Scenario.read(tmp_path / "mine.yaml") == saved
    assert "mine.yaml" in explorer.fields["file"].control.options
    explorer._reset()
    move(explorer, "file", "mine.yaml")
    explorer.open()
    assert explorer.scenario == saved
    assert explorer.fields["funding-growth"].value is True
    assert explorer.fields["scheme"].value == "loan-10-years"
    assert "Opened mine.yaml" in explorer.fields["file"]._line.value


def test_a_file_that_is_there_is_replaced_at_the_second_asking(explorer, tmp_path):
    (tmp_path / "notes.yaml").write_text("mine: 1\n", encoding="utf-8")
    move(explorer, "file", "notes.yaml")
    explorer.save()
    assert "press Save scenario again" in explorer.fields["file"].error
    assert (tmp_path / "notes.yaml").read_text(encoding="utf-8") == "mine: 1\n"
    explorer.save()
    assert d.Scenario.read(tmp_path / "notes.yaml") == d.Scenario()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read"),
        ("version: 1\ndrivers: {plan_grwth: 0.05}\n", "did you mean &#x27;plan_growth&#x27;"),
        ("version: 1\ndrivers: {plan_growth: 5}\n", "expected growth a year"),
        ("version: 0\n", "found version 0, expected 1; make the scenario again"),
        ("version: 2\n", "install the deficits that wrote it"),
        ("assumptions: {}\n", "version is missing"),
        ("a: [", "not valid YAML"),
        ("version: 1\ndrivers: {councils: {Cumbria: {plan_growth: 0.02}}}\n", "Cumberland or Westmorland"),
        ("version: 1\nschemes: [{name: flat-share, base_year: 2039, paid_in: 2040}]\n", ""),
    ],
)
def test_a_scenario_file_that_cannot_be_used_changes_nothing(explorer, tmp_path, text, told):
    move(explorer, "later_block_growth", 5.0)
    before = explorer.state
    if text is not None:
        (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    move(explorer, "file", "bad.yaml")
    explorer.open()
    assert explorer.fields["file"].error
    assert told in explorer.fields["file"].error
    assert explorer.state == before
    assert explorer.fields["later_block_growth"].value == 5.0


def test_a_folder_that_cannot_be_written_to_is_told(explorer, tmp_path):
    move(explorer, "file", str(tmp_path / "nowhere" / "mine.yaml"))
    explorer.save()
    assert "could not be written" in explorer.fields["file"].error


@pytest.mark.parametrize("said", [".", "/", "a\0b", "x" * 300, "x" * 250, "~nobody-here/mine", "no/such/folder"])
def test_what_can_be_no_file_is_told_beneath_the_control(explorer, said):
    before = explorer.state
    move(explorer, "file", said)
    for press in (explorer.save, explorer.open):
        explorer.fields["file"].say("")
        press()
        assert explorer.fields["file"].error
    assert explorer.state == before


def test_an_ending_counts_in_capitals_too(explorer, tmp_path):
    move(explorer, "file", "MINE.YAML")
    explorer.save()
    assert [path.name for path in tmp_path.glob("*.*")] == ["MINE.YAML"]
    assert explorer.fields["file"].control.options == ("MINE.YAML",)


def test_what_was_saved_or_opened_is_said_until_something_moves(explorer, tmp_path):
    assumptions = d.Assumptions(dsg_growth=0.02)
    d.Scenario(assumptions=assumptions).save(tmp_path / "mine.yaml")
    move(explorer, "file", "mine.yaml")
    explorer.open()
    assert "What no control shows: DSG growth: 2%" in explorer.fields["file"]._line.value
    move(explorer, "later_block_growth", 5.0)
    assert explorer.fields["file"]._line.value == ""
    assert explorer.scenario.assumptions == assumptions.model_copy(update={"later_block_growth": 0.05})


@pytest.mark.parametrize("until", [2025, 2026])
def test_a_year_that_the_package_takes_is_among_the_choices(until, tmp_path):
    explorer = Explorer(draws=200, folder=tmp_path, until=until)
    assert explorer.fields["until"].value == until
    move(explorer, "until", 2031)
    assert explorer.state.until == 2031


def test_a_schemes_years_are_among_the_choices(tmp_path):
    scheme = Scheme.read("flat-share", base_year=2023, paid_in=2024)
    explorer = Explorer(draws=200, folder=tmp_path, as_of="2023-12-01", scenario=d.Scenario(schemes=(scheme,)))
    assert explorer.fields["base_year"].value == 2023


def test_a_place_is_shown_by_its_name_and_one_that_is_refused_stays_to_be_mended(explorer):
    move(explorer, "place", "886")
    assert explorer.fields["place"].value == explorer.state.place == "Kent"
    move(explorer, "place", "Kant")
    move(explorer, "later_block_growth", 5.0)
    assert explorer.fields["place"].value == "Kant"
    assert explorer.fields["place"].error
    move(explorer, "place", "")
    assert explorer.fields["place"].value == "England"


def test_an_explorer_begins_with_a_scenario(tmp_path):
    scenario = d.Scenario(assumptions=d.Assumptions(plan_growth=0.3), levers=(d.Lever.read("health-share"),))
    path = scenario.save(tmp_path / "mine.yaml")
    explorer = Explorer("Kent", scenario=path, draws=300)
    assert explorer.scenario == scenario
    assert explorer.fields["plan_growth"].value == 30.0  # beyond the slider's usual range
    assert repr(explorer).startswith("Explorer: Deficit of £")


# What is kept


def test_a_state_outlives_its_process(explorer, tmp_path):
    move(explorer, "place", "Kent")
    move(explorer, "funding-growth", True)
    again = Explorer(draws=300, folder=tmp_path)
    assert again.state.is_baseline
    offer, go_on = again._last.children
    assert "Your last scenario is kept: funding growth, for Kent" in offer.value
    go_on.click()
    assert again.state == explorer.state
    assert again.fields["place"].value == "Kent"
    assert again._last.children == ()


def test_nothing_is_offered_where_nothing_was_moved(explorer, kept, tmp_path):
    assert explorer._last.children == ()
    kept.mkdir()
    session.kept_at().write_text("not: [a, state]\n", encoding="utf-8")
    assert Explorer(draws=300, folder=tmp_path)._last.children == ()


def test_a_state_that_cannot_be_kept_stops_nothing(explorer, kept):
    kept.write_text("a file where the folder should be", encoding="utf-8")
    move(explorer, "later_block_growth", 5.0)
    assert explorer.state.assumptions.later_block_growth == 0.05


# Reports


def test_a_report_carries_all_that_is_set(explorer):
    engine = explorer._engine

    def asked(state: State):
        return wanted(state, engine.shown(state).area)

    usual = State(draws=300)
    assert (asked(usual).name, asked(usual).values) == ("england", {"until": 2031, "draws": 300, "seed": 1})
    kent = State(place="Kent", draws=300).with_scheme("flat-share")
    assert asked(kent).values["authority"] == "886"
    assert asked(kent).page == "authority-kent-scheme-flat-share.html"
    paid = usual.with_scheme("flat-share", share=0.6, paid_in=2028).assumption("later_block_growth", 0.05)
    set_ = paid.lever("health-share", True)
    assert asked(set_).name == "writeoff"
    assert Scenario.parse(asked(set_).values["scenario"]) == set_.scenario
    assert asked(set_).page == f"writeoff-flat-share-scenario-{set_.scenario.name}.html"
    assert asked(set_).left_out == ()


def test_what_a_report_leaves_out_is_told(explorer):
    engine = explorer._engine
    north = State(place="North West", draws=300).assumption("plan_growth", 0.05)
    assert wanted(north, engine.shown(north).area).left_out == (
        "North West alone (it is on England, and has its regions)",
    )
    two = State(draws=300).opened(Scenario(schemes=(Scheme.read("flat-share"), Scheme.read("no-help"))))
    told = wanted(two, engine.shown(two).area)
    assert told.left_out == ("further schemes of the file (1)",)
    assert told.page == "writeoff-flat-share.html"


def test_a_report_is_made_beside_the_panel_and_its_page_named(explorer, tmp_path, monkeypatch):
    free = threading.Event()

    def make(asked, folder):
        assert free.wait(10)
        return folder / "england.html"

    monkeypatch.setattr(panel_module, "make", make)
    explorer.report()
    assert "Making the report" in explorer._report_line.value
    assert explorer._report_button.disabled
    move(explorer, "later_block_growth", 5.0)
    free.set()
    explorer._running.join(10)
    assert "england.html" in explorer._report_line.value
    assert not explorer._report_button.disabled


@pytest.mark.parametrize("error", [ReportError("no such report"), RuntimeError("a bug")])
def test_a_report_that_fails_is_told(explorer, monkeypatch, error):
    def make(asked, folder):
        raise error

    monkeypatch.setattr(panel_module, "make", make)
    explorer.report()
    explorer._running.join(10)
    assert str(error) in explorer._report_line.value
    assert 'role="alert"' in explorer._report_line.value
