"""Rules of the committed notebooks."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from deficits.paths import notebooks_dir
from deficits.reports.params import REPORTS, check_parameters_cell, parameters_cell

NOTEBOOKS = sorted(notebooks_dir().glob("*.ipynb"))
PLAN = notebooks_dir() / "06_reform_plan.ipynb"
REPORTED = [path for path in NOTEBOOKS if path.name not in ("explore.ipynb", PLAN.name)]
"""A panel and a paper are no reports."""


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def test_every_notebook_is_a_reports_and_every_report_has_one() -> None:
    assert {path.name for path in REPORTED} == {report.notebook for report in REPORTS.values()}


@pytest.mark.parametrize("name", REPORTS)
def test_a_notebooks_parameters_are_those_of_its_model(name: str) -> None:
    check_parameters_cell(REPORTS[name], read(notebooks_dir() / REPORTS[name].notebook))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_arithmetic_and_no_traces_of_its_run(path: Path) -> None:
    notebook = read(path)
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            tree = ast.parse(cell.source)
            assert not [node for node in ast.walk(tree) if isinstance(node, ast.BinOp | ast.For | ast.Try)]
    assert notebook.metadata.kernelspec.name == "python3"
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize("path", REPORTED, ids=lambda path: path.stem)
def test_a_committed_notebook_carries_its_outputs_and_no_error(path: Path) -> None:
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert all(output.output_type != "error" for cell in cells for output in cell.outputs)
    assert sum(bool(cell.outputs) for cell in cells) >= 5


def papermill(notebook: Path, out: Path, *parameters: str) -> subprocess.CompletedProcess[str]:
    """Plain papermill, as an analyst would call it."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "papermill",
            str(notebook),
            str(out),
            "-k",
            "python3",
            "--no-progress-bar",
            *parameters,
        ],
        capture_output=True,
        text=True,
        cwd=out.parent,
    )


@pytest.mark.parametrize("authority", ["943"])
def test_plain_papermill_runs_a_council_by_name_or_code(tmp_path: Path, authority: str) -> None:
    notebook = notebooks_dir() / "03_authority.ipynb"
    done = papermill(notebook, tmp_path / "out.ipynb", "-r", "authority", authority, "-p", "draws", "200")
    assert done.returncode == 0, done.stderr[-2000:]
    shown = "".join(
        str(output.get("data", {}).get("text/plain", ""))
        for cell in read(tmp_path / "out.ipynb").cells
        for output in cell.get("outputs", [])
    )
    assert {"Surrey": "Surrey", "E09000007": "Camden", "943": "Westmorland"}[authority] in shown


def test_plain_papermill_with_a_misspelt_parameter_fails_and_names_the_closest(tmp_path: Path) -> None:
    done = papermill(notebooks_dir() / "01_england.ipynb", tmp_path / "out.ipynb", "-p", "drawz", "200")
    assert done.returncode != 0
    assert "did you mean 'draws'?" in done.stderr


def test_the_panel_opens_on_the_place_that_papermill_is_given(tmp_path: Path) -> None:
    panel = pytest.importorskip("deficits.explorer", reason="ipywidgets is not installed")
    notebook = notebooks_dir() / "explore.ipynb"
    usual = inspect.signature(panel.Explorer).parameters
    assert all(usual[name].default == value for name, value in parameters_cell(read(notebook)).items())
    done = papermill(notebook, tmp_path / "out.ipynb", "-p", "place", "Kent")
    assert done.returncode == 0, done.stderr[-2000:]
    (shown,) = [cell for cell in read(tmp_path / "out.ipynb").cells if cell.source.endswith("\nexplorer")]
    assert "Kent" in shown.outputs[0]["data"]["text/plain"]


def test_the_paper_on_a_reform_plan_runs_on_a_councils_own_file(tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "deficits.cli", "plan", "--example"], capture_output=True, text=True, check=True
    )
    (tmp_path / "mine.yaml").write_text(printed.stdout.replace("Resource bases instead", "Bases instead"))
    given = ["-r", "authority", "Leeds", "-r", "actions", "mine.yaml", "-p", "draws", "200"]
    done = papermill(PLAN, tmp_path / "out.ipynb", *given)
    assert done.returncode == 0, done.stderr[-2000:]
    cells = [cell for cell in read(tmp_path / "out.ipynb").cells if cell.cell_type == "code"]
    shown = "".join(str(out.get("data", {}).get("text/plain", "")) for cell in cells for out in cell.outputs)
    assert "Reform plan of Leeds, 5 actions" in shown
    assert "Bases instead of special schools" in shown


def test_the_paper_carries_its_outputs() -> None:
    cells = [cell for cell in read(PLAN).cells if cell.cell_type == "code"]
    assert sum(bool(cell.outputs) for cell in cells) == len(cells) - 1
    assert all(output.output_type != "error" for cell in cells for output in cell.outputs)
