from __future__ import annotations

import math
import types

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from deficits import Assumptions, Lever, Scenario, Scheme
from deficits.errors import ReportError
from deficits.reports import REPORTS, parse, settings
from deficits.reports.params import check_parameters_cell, parameters_cell


def test_every_report_has_working_defaults():
    for name, report in REPORTS.items():
        assert parse(name, {}) == report()


@pytest.mark.parametrize(
    ("name", "given", "closest"),
    [
        ("england", {"drawz": 5}, "did you mean 'draws'"),
        ("writeoff", {"shares": 0.5}, "did you mean 'share'"),
        ("authority", {"Authority": "Kent"}, "did you mean 'authority'"),
    ],
)
def test_an_unknown_parameter_is_refused_with_the_closest_name(name, given, closest):
    with pytest.raises(ReportError, match=closest) as error:
        parse(name, given)
    assert f"report '{name}'" in str(error.value)
    assert next(iter(given)) in str(error.value)


def test_an_unknown_report_is_refused_with_the_closest_name():
    with pytest.raises(ReportError, match="did you mean 'england'"):
        parse("englnd", {})


def test_all_faults_are_told_at_once():
    with pytest.raises(ReportError) as error:
        parse("england", {"until": 2050, "draws": "many", "sead": 1})
    message = str(error.value)
    assert "3 faults" in message
    assert "until: found 2050, should be less than or equal to 2035" in message
    assert "draws: 'many' is not a whole number" in message
    assert "sead: not a parameter of this report; did you mean 'seed'?" in message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "nan", "inf", "1e999", None, [1], 2030.5])
def test_a_number_is_finite_and_no_truth_value(value):
    with pytest.raises(ReportError, match=r"draws: .*(found|is not)"):
        parse("england", {"draws": value})


@pytest.mark.parametrize("value", [math.nan, "nan", "inf", False, 1.01, -0.01])
def test_a_share_lies_between_nothing_and_all(value):
    with pytest.raises(ReportError, match=r"share: .*(found|is not)"):
        parse("writeoff", {"share": value})


def test_texts_of_a_command_line_are_read_as_what_the_parameter_is():
    read = parse("writeoff", {"until": "2029", "share": "0.75"})
    assert (read.until, read.share) == (2029, 0.75)
    read = parse("writeoff", {"until": "2028-29", "share": "75%", "draws": "4,000", "as_of": "17 September 2025"})
    assert (read.until, read.share, read.draws, read.as_of) == (2029, 0.75, 4000, "2025-09-17")
    assert parse("writeoff", {"share": ""}).share is None
    assert parse("writeoff", {"share": "none"}).share is None


@pytest.mark.parametrize("code", ["201", "E10000016"])
def test_an_authority_code_stays_a_text(code):
    assert parse("authority", {"authority": code}).authority == code


def test_a_code_given_as_a_number_is_refused_with_the_text_to_give():
    with pytest.raises(ReportError, match=r"authority: found 201, .*give '201'"):
        parse("authority", {"authority": 201})


def test_an_unknown_authority_is_refused_before_anything_runs():
    with pytest.raises(ReportError, match="did you mean 'Kent'"):
        parse("authority", {"authority": "Knt"})


@pytest.mark.parametrize("path", ["../secret", "/srv/scheme.yaml", "C:\\schemes", "", " ", "a\nb"])
def test_a_name_is_no_path(path):
    with pytest.raises(ReportError, match="scheme: found"):
        parse("writeoff", {"scheme": path})


def test_a_page_is_named_for_what_it_is_about():
    def page(name, **given):
        return parse(name, given).page

    assert page("england", draws=500) == "england"
    assert page("writeoff") == "writeoff-high-needs-stability-grant"
    assert page("authority") == page("authority", authority="886") == "authority-kent"
    assert page("authority", authority="Bristol") == "authority-bristol-city-of"


def test_a_page_with_other_terms_never_replaces_the_usual_one():
    assert parse("writeoff", {"share": 0.5}).page.endswith("-share-0-5")
    assert parse("authority", {"scheme": "other"}).page == "authority-kent-scheme-other"


def test_a_notebook_gets_its_own_variables_as_settings():
    namespace = {
        **{"__name__": "__main__", "_i1": "x", "In": ["", "x"], "Out": {}, "quit": quit, "open": open},
        **{"math": math, "Path": type, "namespace": types.SimpleNamespace()},
        **{"until": 2028, "draws": 300, "seed": 0},
    }
    assert settings("england", namespace).model_dump(exclude_none=True) == {"until": 2028, "draws": 300, "seed": 0}


CELL = "until = 2029  # last year end\ndraws = 4000\nseed = 1"


def test_a_misspelt_papermill_parameter_is_refused():
    history = ["", CELL, "# Parameters\ndrawz = 5\n", "settings = ..."]
    with pytest.raises(ReportError, match="drawz: not a parameter of this report; did you mean 'draws'"):
        settings("england", {"In": history, "until": 2029, "draws": 4000, "seed": 1, "drawz": 5})
    history = ["", 'place = "England"', "# Parameters\nplase = 'Kent'\n"]
    with pytest.raises(ReportError, match="plase: not a parameter of this report; did you mean 'place'"):
        settings("explore", {"In": history, "place": "England", "plase": "Kent"})
    with pytest.raises(ReportError, match=r"place: found 886, .*give '886'"):
        settings("explore", {"In": history[:2], "place": 886})


def test_what_else_a_notebook_holds_does_not_matter():
    """Constants of a start-up file, the notebook's own later variables, and a mistake since mended."""
    history = ["", CELL, "# Parameters\ndrawz = 5\n", CELL, "alternatives = {'faster': 1}\nFY = 2027"]
    namespace = {"In": history, "until": 2029, "draws": 500, "seed": 1, "drawz": 5, "FY": 2026, "years": [2026]}
    assert settings("england", namespace).draws == 500


def test_settings_are_printed_as_a_short_list():
    assert str(parse("writeoff", {})).splitlines() == [
        "Writeoff report",
        "  as_of         not set",
        "  own           not set",
        "  scenario      not set",
        "  until         2029",
        "  draws         4000",
        "  seed          1",
        "  scheme        high-needs-stability-grant",
        "  share         not set",
        "  base_year     not set",
        "  ineligible    not set",
        "  safety_valve  not set",
    ]


def test_several_names_are_divided_by_commas_and_stand_in_the_pages_name():
    read = parse("compare", {"schemes": "no-help, flat-share"})
    assert read.schemes == ["no-help", "flat-share"]
    assert "no-help" in str(read)
    assert read.page == "compare-schemes-no-help-flat-share"
    assert parse("compare", {}).page == "compare"


def test_a_page_of_many_schemes_has_a_name_that_a_folder_takes():
    one, other = (
        parse("compare", {"schemes": [f"scheme-number-{n}" for n in range(start, 20)]}) for start in (0, 1)
    )
    names = [read.page for read in (one, other)]
    assert max(map(len, names)) < 140
    assert len(set(names)) == 2


@pytest.mark.parametrize("schemes", ["no-help", ["no-help", "no-help"], ["../x", "no-help"], 5])
def test_schemes_are_two_or_more_different_names(schemes):
    with pytest.raises(ReportError, match=r"schemes: found"):
        parse("compare", {"schemes": schemes})


def test_a_word_that_is_none_of_those_allowed_is_refused_with_them():
    with pytest.raises(
        ReportError, match="safety_valve: found 'halt', should be 'as_projected', 'stop' or 'continue'"
    ):
        parse("writeoff", {"safety_valve": "halt"})


def notebook(source: str, tags: tuple[str, ...] = ("parameters",)) -> nbformat.NotebookNode:
    return new_notebook(cells=[new_code_cell(source, metadata={"tags": list(tags)})])


def test_a_parameters_cell_holds_literals_only():
    assert parameters_cell(notebook("until = 2029\nnames = ['Kent']")) == {"until": 2029, "names": ["Kent"]}
    with pytest.raises(ReportError, match=r"line 2: found .label = f"):
        parameters_cell(notebook("until = 2029\nlabel = f'to {until}'"))
    with pytest.raises(ReportError, match="found 0"):
        parameters_cell(notebook("until = 2029", tags=()))


def test_notebook_and_model_have_the_same_parameters():
    report = REPORTS["england"]
    check_parameters_cell(
        report, notebook("as_of = None\nown = None\nscenario = None\nuntil = 2029\ndraws = 4000\nseed = 1")
    )
    with pytest.raises(ReportError) as error:
        check_parameters_cell(report, notebook("until = 2030\ndraws = 4000\nsede = 1"))
    assert "seed: missing in the parameters cell" in str(error.value)
    assert "sede: 1 in the parameters cell, missing in EnglandReport" in str(error.value)
    assert "until: 2030 in the parameters cell, 2029 in EnglandReport" in str(error.value)


# A scenario as a parameter

SLOWER = Assumptions(plan_growth=0.05)
LEVER = Lever.read("funding-growth")
HALF, MORE = Scheme.read("flat-share", share=0.5), Scheme.read("flat-share", share=0.6)
OWN = Scheme.read("flat-share").model_copy(update={"title": "Ours", "proposer": "Us"})


def test_a_scenario_is_kept_as_what_it_says_and_not_as_where_it_lay(tmp_path):
    scenario = Scenario(title="Slower", assumptions=SLOWER, levers=(LEVER,))
    path = scenario.save(tmp_path / "slower.yaml")
    read = parse("england", {"scenario": str(path)})
    assert read.scenario == scenario.text()
    assert read.assumed == scenario
    assert parse("england", read.model_dump()) == read


def test_a_page_on_a_scenario_never_replaces_the_usual_one_and_says_so():
    scenario = Scenario(title="Slower", assumptions=SLOWER, levers=(LEVER,))
    asked = parse("england", {"scenario": scenario.text()})
    assert asked.page == f"england-scenario-{scenario.name}"
    assert asked.heading() == "SEND deficits in England (scenario: Slower)"
    assert asked.differences() == [f"It rests on a scenario, “Slower”: Plan growth: 5%; Lever: {LEVER.title}."]


@pytest.mark.parametrize("scenario", [Scenario(), Scenario(title="As usual")])
def test_a_scenario_that_changes_nothing_is_the_usual_page(scenario):
    assert parse("writeoff", {"scenario": scenario.text()}) == parse("writeoff", {})


def test_a_report_without_schemes_takes_a_scenarios_other_parts():
    both = Scenario(assumptions=SLOWER, schemes=(HALF,))
    assert parse("england", {"scenario": both.text()}).assumed == Scenario(assumptions=SLOWER)
    assert parse("england", {"scenario": Scenario(schemes=(HALF,)).text()}) == parse("england", {})


@pytest.mark.parametrize("name", ["writeoff", "authority"])
@pytest.mark.parametrize(("scheme", "called"), [(HALF, "flat-share"), (OWN, "own-scheme")])
def test_a_scenarios_one_scheme_goes_before_the_usual_one(name, scheme, called):
    read = parse(name, {"scenario": Scenario(schemes=(scheme,)).text()})
    assert read.scheme == called
    assert read.scheme_called(read.scheme) == scheme
    assert parse(name, read.model_dump()) == read


def test_a_scheme_that_is_named_goes_before_the_scenarios():
    read = parse("writeoff", {"scenario": Scenario(schemes=(HALF,)).text(), "scheme": "no-help"})
    assert read.scheme_called(read.scheme) == Scheme.read("no-help")


def test_of_several_schemes_of_a_scenario_one_is_named():
    text = Scenario(schemes=(HALF, MORE)).text()
    with pytest.raises(
        ReportError, match="has 2 schemes and this report is on one: give flat-share or flat-share-2"
    ):
        parse("writeoff", {"scenario": text})
    read = parse("writeoff", {"scenario": text, "scheme": "flat-share-2"})
    assert read.scheme_called(read.scheme) == MORE


def test_schemes_of_a_scenario_are_compared_in_place_of_the_usual_ones():
    read = parse("compare", {"scenario": Scenario(schemes=(HALF, OWN)).text()})
    usual = Scheme.read("high-needs-stability-grant")
    assert read.designs == {"high-needs-stability-grant": usual, "flat-share": HALF, "own-scheme": OWN}
    assert parse("compare", read.model_dump()) == read


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "version: 1\ndrivers: {plan_grwth: 0.05}\n",
            "assumptions.plan_grwth: unknown name; did you mean 'plan_growth'?",
        ),
        ("version: 0\n", "found version 0, expected 1"),
        ("nowhere.yaml", "nowhere.yaml cannot be read: No such file"),
        (5, "scenario: found 5"),
    ],
)
def test_a_scenario_that_cannot_be_used_is_refused_with_its_own_faults(given, said):
    with pytest.raises(ReportError, match="report 'england', 1 fault:\n  scenario: ") as error:
        parse("england", {"scenario": given})
    assert said in str(error.value)


def test_earlier_figures_and_ones_own_are_said_on_the_page():
    assert parse("quality", {"as_of": "2025-09-17", "own": "mine.csv"}).differences() == [
        "It leaves out what was published after 17 September 2025.",
        "It takes balances from mine.csv, a file of whoever made it.",
    ]


def test_a_scenario_that_changes_the_scheme_others_are_held_against_is_compared_with_the_usual_ones():
    changed = Scheme.read("high-needs-stability-grant", share=0.8)
    read = parse("compare", {"scenario": Scenario(schemes=(changed,)).text()})
    assert list(read.designs) == parse("compare", {}).schemes
    assert read.designs["high-needs-stability-grant"] == changed
    assert parse("compare", read.model_dump()) == read


def test_more_schemes_of_a_scenario_than_a_page_compares_are_refused():
    many = tuple(Scheme.read("flat-share", share=place / 100) for place in range(1, 21))
    with pytest.raises(ReportError, match="the scenario has 20 schemes, and at most 19 are compared"):
        parse("compare", {"scenario": Scenario(schemes=many).text()})


def test_a_page_tells_of_those_schemes_of_its_scenario_that_it_is_on():
    text = Scenario(title="Two", assumptions=SLOWER, schemes=(HALF, MORE)).text()
    (told,) = parse("writeoff", {"scenario": text, "scheme": "flat-share-2"}).differences()
    assert told == f"It rests on a scenario, “Two”: Plan growth: 5%; Scheme: {MORE.title}."
    (none,) = parse("writeoff", {"scenario": text, "scheme": "no-help"}).differences()
    assert none == "It rests on a scenario, “Two”: Plan growth: 5%."


def test_a_scenario_that_a_record_could_not_keep_is_refused(tmp_path):
    levers = tuple(LEVER.model_copy(update={"title": f"{place} {'long ' * 90}"}) for place in range(110))
    path = Scenario(levers=levers).save(tmp_path / "long.yaml")
    with pytest.raises(ReportError, match="at most 50000"):
        parse("england", {"scenario": str(path)})


def test_a_day_that_is_none_is_refused_with_what_is_expected():
    with pytest.raises(ReportError, match=r"as_of: .soon. is not a day: .*like 2025-09-17"):
        parse("quality", {"as_of": "soon"})
