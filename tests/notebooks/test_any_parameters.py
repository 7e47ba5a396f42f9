"""The notebooks on councils and write-offs run whatever they are asked for, and say nothing senseless.

Earlier and later figures are those of `tests.reports.test_text_follows_the_data` and `test_text_writeoff_council`.
"""

from __future__ import annotations

import ast
import re

import nbformat
import pytest

from deficits.paths import notebooks_dir

GRANT = "high-needs-stability-grant"
NOT_SAID = re.compile(
    r"\b(nan|inf|NaT|not available|None)\b|£0 to £0|[−-]0\b(?!\.)|(£[\d.,]+\w*) to \2\b|\b(100|0)% of simul"
)


def run(notebook: str, **values: object) -> list[object]:
    """What the cells show, run in this process."""
    names: dict[str, object] = {"__name__": "notebook"}
    shown = []
    for cell in nbformat.read(notebooks_dir() / notebook, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        tree = ast.parse(cell.source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, cell.id, "exec"), names)
        if last is not None:
            shown.append(eval(compile(ast.Expression(last.value), cell.id, "eval"), names))
        if "parameters" in cell.metadata.get("tags", []):
            names |= values
    return [each for each in shown if each is not None]


def points(shown: list[object]) -> str:
    return next(str(each) for each in shown if str(each).startswith("Main points"))


@pytest.mark.parametrize(
    "values",
    [
        {"scheme": "no-help"},
        {"scheme": "growth-covered"},
        {"scheme": "loan-10-years"},
        {"scheme": "equal-per-pupil", "until": 2027},
        {"share": 0.5, "base_year": 2027, "ineligible": 0.02, "safety_valve": "continue"},
    ],
    ids=lambda values: "-".join(map(str, values.values())),
)
def test_the_report_on_one_scheme_runs_whatever_the_scheme(values: dict[str, object]) -> None:
    shown = run("02_writeoff.ipynb", draws=200, **values)
    assert len(shown) >= 12
    assert not NOT_SAID.search(points(shown)), points(shown)


@pytest.mark.parametrize(
    "values",
    [
        {"schemes": ["no-help", GRANT]},
        {"schemes": ["flat-share", "flat-share-75"], "against": "flat-share-100", "year": 2027},
        {"schemes": ["no-help", "interest-on-the-dsg-bcp-2025"], "against": "no-help"},
    ],
    ids=["grant-or-none", "shares", "nothing-paid"],
)
def test_the_report_on_several_schemes_runs_whatever_they_are(values: dict[str, object]) -> None:
    told = points(run("05_compare.ipynb", draws=200, **values))
    assert not NOT_SAID.search(told), told


@pytest.mark.parametrize(
    "values",
    [{"place": "South East", "as_of": "2023-12-31"}, {"place": "Newham"}, {"place": "City of London"}],
    ids=lambda values: "-".join(map(str, values.values())),
)
def test_the_monitor_runs_for_any_place_and_day(values: dict[str, object]) -> None:
    told = points(run("08_monitor.ipynb", **values))
    assert not NOT_SAID.search(told), told


@pytest.mark.parametrize(
    "authority", ["Bury", "Westmorland and Furness", "Surrey", "City of London", "Isles of Scilly"]
)
def test_the_report_on_a_council_runs_for_any(authority: str) -> None:
    shown = run("03_authority.ipynb", draws=200, authority=authority)
    told = points(shown)
    assert not NOT_SAID.search(told), told
    small = authority in ("City of London", "Isles of Scilly")
    assert len(shown) < 12 if small else len(shown) > 15
    assert ("too small for estimates" in told) is small
    assert any("to be divided on 1 April 2027" in str(each) for each in shown) is (authority == "Surrey")
