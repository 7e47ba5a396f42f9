from __future__ import annotations

import threading
from pathlib import Path

import pytest

import deficits as d
from deficits.errors import ReportError
from deficits.paths import PACKAGE

pytest.importorskip("ipywidgets", reason="ipywidgets is not installed: pip install 'deficits[explore]'")

from deficits.explorer import Explorer, State, View
from deficits.explorer import panel as panel_module
from deficits.explorer.views import Engine

EXAMPLE = PACKAGE / "reform_plan" / "example.yaml"


@pytest.fixture
def explorer(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Explorer:
    monkeypatch.setattr(panel_module, "Engine", lambda: engine)
    return Explorer(draws=300, folder=tmp_path)


def move(explorer: Explorer, name: str, value: object) -> None:
    explorer.controls[name].widget.value = value


def is_there(explorer: Explorer, name: str) -> bool:
    return explorer.controls[name].box.layout.display != "none"


def test_a_slider_changes_headline_figure_and_python_in_place(explorer: Explorer) -> None:
    before = explorer._figure.value
    move(explorer, "later_block_growth", 5.0)
    assert explorer.scenario == d.Scenario(assumptions=d.Assumptions(later_block_growth=0.05))
    assert explorer.view.lead in explorer._headline.value
    assert explorer._figure.value != before
    assert "later_block_growth: 0.05" in explorer._code.value


def test_every_control_has_a_label_and_shows_the_package_s_own_assumption(explorer: Explorer) -> None:
    for name, control in explorer.controls.items():
        assert control.widget.description.strip(), name
    for name in ("later_block_growth", "growth_persistence", "financing_rate"):
        shown = explorer.controls[name].widget.value
        assert shown == pytest.approx(100 * getattr(d.Assumptions(), name))


@pytest.mark.parametrize(
    ("name", "wrong"), [("place", "Cumbria"), ("place", "Kant"), ("as_of", "17/9/2025"), ("as_of", "2001-01-01")]
)
def test_an_error_is_told_beneath_its_control_and_nothing_else_changes(explorer, name: str, wrong: str) -> None:
    move(explorer, "later_block_growth", 5.0)
    before = explorer.state, explorer._headline.value, explorer._figure.value
    move(explorer, name, wrong)
    assert 'role="alert"' in explorer.controls[name].error
    assert (explorer.state, explorer._headline.value, explorer._figure.value) == before
    move(explorer, "later_block_growth", 4.0)
    assert explorer.controls[name].widget.value == wrong  # it stays to be mended
    move(explorer, name, "England" if name == "place" else "")
    assert explorer.controls[name].error == ""


def test_sliders_are_there_for_what_is_on(explorer: Explorer) -> None:
    assert not is_there(explorer, "plan_growth")
    move(explorer, "set_plan_growth", True)
    assert is_there(explorer, "plan_growth")
    move(explorer, "plan_growth", 6.0)
    assert explorer.scenario.assumptions.plan_growth == 0.06
    move(explorer, "set_plan_growth", False)
    assert explorer.scenario.assumptions.plan_growth is None
    assert not is_there(explorer, "funding-growth.size")
    move(explorer, "funding-growth", True)
    move(explorer, "funding-growth.size", 2.0)
    assert explorer.scenario.levers == (d.Lever.read("funding-growth", growth=0.02),)
    move(explorer, "scheme", "tapered-by-dsg")
    assert is_there(explorer, "paid_in")
    assert not is_there(explorer, "share")  # its share is no single number


def test_a_payment_moves_along_with_its_base_date(explorer: Explorer) -> None:
    move(explorer, "scheme", "flat-share")
    move(explorer, "paid_in", 2025)
    assert "paid_in 2025 is not after base_year 2026" in explorer.controls["paid_in"].error
    move(explorer, "base_year", 2027)
    assert explorer.state.scheme.paid_in == 2028
    move(explorer, "budget", 2.0)
    assert explorer.view.result.scheme.budget.pounds == 2e9


def test_a_scenario_is_held_and_another_compared_with_it(explorer: Explorer) -> None:
    move(explorer, "later_block_growth", 5.0)
    move(explorer, "other", "what is set now")
    assert explorer.view.other is None  # the same
    move(explorer, "later_block_growth", 2.0)
    assert explorer.state.other.assumptions.later_block_growth == 0.05
    assert (explorer.view.scenario[-1] >= explorer.view.other[-1]).all()
    move(explorer, "other", "nothing")
    assert explorer.view.other is None


def test_a_councils_reform_plan_is_taken_from_a_file_and_its_actions_switched_off(
    explorer, tmp_path: Path
) -> None:
    (tmp_path / "actions.yaml").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    explorer.save()  # lists of files are renewed
    move(explorer, "place", "Kent")
    assert not is_there(explorer, "actions")
    move(explorer, "plan", "actions.yaml")
    assert len(explorer.view.plan.actions.actions) == len(explorer.controls["actions"].widget.value) == 5
    move(explorer, "actions", explorer.state.actions.titles[:2])
    assert len(explorer.view.plan.actions.actions) == 2
    move(explorer, "file", "mine")
    explorer.save()
    again = Explorer(draws=300, folder=tmp_path)
    move(again, "file", "mine.yaml")
    again.open()
    assert again.state == explorer.state
    assert d.Scenario.read(tmp_path / "mine.yaml").name == d.Scenario().name
    move(explorer, "actions", [])
    assert explorer.view.plan is None
    move(explorer, "plan", "scenario.yaml")
    assert "actions: missing" in explorer.controls["plan"].error
    assert explorer.state.plan_name == "actions.yaml"
    explorer.reset()
    assert explorer.controls["plan"].widget.value == "nothing"


def test_back_to_the_baseline_keeps_the_place(explorer: Explorer) -> None:
    move(explorer, "place", "886")
    assert explorer.controls["place"].widget.value == "Kent"
    move(explorer, "calibration", False)
    move(explorer, "scheme", "flat-share")
    explorer.reset()
    assert explorer.state == State(place="Kent", draws=300)
    assert explorer.controls["calibration"].widget.value is True
    assert explorer.controls["scheme"].widget.value is None


def test_a_scenario_is_saved_and_opened_with_its_place(explorer: Explorer, tmp_path: Path) -> None:
    move(explorer, "place", "Kent")
    move(explorer, "funding-growth", True)
    move(explorer, "scheme", "loan-10-years")
    saved = explorer.state
    move(explorer, "file", "mine")
    explorer.save()
    again = Explorer(draws=300, folder=tmp_path)
    move(again, "file", "mine.yaml")
    again.open()
    assert again.state == saved
    assert again.controls["scheme"].widget.value == "loan-10-years"
    move(again, "other", "mine.yaml")
    assert again.state.other.levers == saved.scenario.levers


def test_a_file_is_replaced_at_the_second_asking_and_only_if_it_is_a_scenario(explorer, tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text("mine: 1\n", encoding="utf-8")
    move(explorer, "file", "notes.yaml")
    for _ in range(2):
        explorer.save()
        assert explorer.controls["file"].error
    assert (tmp_path / "notes.yaml").read_text(encoding="utf-8") == "mine: 1\n"
    move(explorer, "file", "mine.yaml")
    explorer.save()
    first = (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    explorer._replacing = None
    move(explorer, "later_block_growth", 5.0)
    explorer.save()
    assert (tmp_path / "mine.yaml").read_text(encoding="utf-8") == first
    explorer.save()
    assert d.Scenario.read(tmp_path / "mine.yaml").assumptions.later_block_growth == 0.05


def test_files_are_read_and_written_in_the_folder_alone(explorer: Explorer, tmp_path: Path) -> None:
    before = explorer.state
    for said in ("..", "/etc/x", "a\0b", "x" * 300, "~/mine", "no/folder", "../up.yaml", "a\\b"):
        move(explorer, "file", said)
        for press in (explorer.save, explorer.open):
            explorer.controls["file"].say("")
            press()
            assert explorer.controls["file"].error, said
    assert explorer.state == before
    assert not list(tmp_path.glob("*.yaml"))


def test_a_scenario_file_that_cannot_be_used_changes_nothing(explorer: Explorer, tmp_path: Path) -> None:
    before = explorer.state
    (tmp_path / "bad.yaml").write_text("version: 1\nassumptions: {plan_grwth: 0.05}\n", encoding="utf-8")
    move(explorer, "file", "bad.yaml")
    explorer.open()
    assert "plan_growth" in explorer.controls["file"].error
    assert explorer.state == before


def test_a_value_beyond_a_sliders_range_widens_it(tmp_path: Path) -> None:
    scenario = d.Scenario(assumptions=d.Assumptions(plan_growth=0.3), levers=(d.Lever.read("health-share"),))
    explorer = Explorer("Kent", scenario=scenario, draws=300, folder=tmp_path)
    assert explorer.scenario == scenario
    assert explorer.controls["plan_growth"].widget.value == 30.0
    assert repr(explorer).startswith("Explorer: Deficit of £")


def test_a_state_outlives_its_process(explorer: Explorer, tmp_path: Path, kept: Path) -> None:
    assert explorer._last.children == ()
    move(explorer, "place", "Kent")
    move(explorer, "funding-growth", True)
    again = Explorer(draws=300, folder=tmp_path)
    offer, go_on = again._last.children
    assert "funding growth, for Kent" in offer.value
    go_on.click()
    assert again.state == explorer.state
    (kept / "explorer.yaml").write_text("not: [a, state]\n", encoding="utf-8")
    assert Explorer(draws=300, folder=tmp_path)._last.children == ()


def test_a_panel_that_was_started_in_advance_offers_what_was_kept_since(
    explorer: Explorer, tmp_path: Path
) -> None:
    waiting = Explorer(draws=300, folder=tmp_path)
    assert waiting._last.children == ()
    move(explorer, "place", "Kent")
    move(explorer, "funding-growth", True)
    waiting._offer_last()
    offer, _ = waiting._last.children
    assert "funding growth, for Kent" in offer.value
    waiting._offer_last()
    assert waiting._last.children[0] is offer


def test_a_state_that_cannot_be_kept_stops_nothing(explorer: Explorer, kept: Path) -> None:
    kept.write_text("a file where the folder should be", encoding="utf-8")
    move(explorer, "later_block_growth", 5.0)
    assert explorer.scenario.assumptions.later_block_growth == 0.05


def test_a_report_carries_all_that_is_set_and_says_what_it_leaves_out(engine: Engine) -> None:
    def asked(state: State):
        return View(state, engine).report

    usual = State(draws=300)
    assert asked(usual)[:2] == ("england", {"until": 2031, "draws": 300, "seed": 1})
    kent = asked(State(place="Kent", draws=300).with_value("scheme", "flat-share"))[1]
    assert (kent["authority"], kent["scheme"]) == ("886", "flat-share")
    set_ = (
        usual.with_value("scheme", "flat-share")
        .with_value("term.share", 0.6)
        .with_value("term.paid_in", 2028)
        .with_value("lever.health-share", 0.1)
    )
    name, values, _ = asked(set_)
    assert name == "writeoff"
    assert d.Scenario.parse(values["scenario"]) == set_.scenario
    assert "North West alone" in asked(State(place="North West", draws=300))[2]


@pytest.mark.parametrize("error", [None, ReportError("no such report"), RuntimeError("a bug")])
def test_a_report_is_made_beside_the_panel(explorer, monkeypatch, tmp_path: Path, error) -> None:
    free = threading.Event()

    def render(name: str, values: object, folder: Path) -> Path:
        assert free.wait(10)
        if error:
            raise error
        page = tmp_path / f"{name}.html"
        page.write_text("<h1>England</h1>", encoding="utf-8")
        return page

    monkeypatch.setattr(panel_module, "render", render)
    monkeypatch.setattr(panel_module, "write_index", lambda folder: folder)
    explorer.report()
    move(explorer, "later_block_growth", 5.0)
    free.set()
    explorer._making.join(10)
    link = 'download="england.html" href="data:text/html;base64,PGgxPkVuZ2xhbmQ8L2gxPg=="'
    assert (str(error) if error else link) in explorer._report_line.value
    assert (str(tmp_path / "england.html") in explorer._report_line.value) == (error is None)
    assert ('role="alert"' in explorer._report_line.value) == (error is not None)
