"""Rules of the committed notebooks."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from deficits.formatting import england_range
from deficits.paths import notebooks_dir
from deficits.reports.batch import plan
from deficits.reports.display import HEADLINE, POINTS
from deficits.reports.params import REPORTS, check_parameters_cell, parameters_cell
from deficits.reports.tables import DATA
from tests.cli.test_cli import run as command
from tests.notebooks.test_any_parameters import run

NOTEBOOKS = sorted(notebooks_dir().glob("*.ipynb"))
PLAN = notebooks_dir() / "06_reform_plan.ipynb"
REPORTED = [path for path in NOTEBOOKS if path.name != "explore.ipynb"]
"""A panel is no report."""
TUTORIALS = sorted((notebooks_dir() / "tutorials").glob("*.ipynb"))


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def test_every_notebook_is_a_reports_and_every_report_has_one() -> None:
    assert {path.name for path in REPORTED} == {report.notebook for report in REPORTS.values()}


@pytest.mark.parametrize("name", REPORTS)
def test_a_notebooks_parameters_are_those_of_its_model(name: str) -> None:
    check_parameters_cell(REPORTS[name], read(notebooks_dir() / REPORTS[name].notebook))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_calls_nothing_private_and_has_no_traces_of_its_run(path: Path) -> None:
    notebook = read(path)
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            nodes = list(ast.walk(ast.parse(cell.source)))
            assert not [node for node in nodes if isinstance(node, ast.Try)]
            names = [getattr(node, "attr", getattr(node, "name", "")) for node in nodes]
            assert not [name for name in names if name and name.split(".")[-1].startswith("_")]
    assert notebook.metadata.kernelspec.name == "python3"
    assert path.stat().st_size < 1_000_000


@pytest.mark.parametrize("path", REPORTED, ids=lambda path: path.stem)
def test_a_link_to_another_page_leads_to_one_that_a_usual_run_makes(path: Path) -> None:
    made = {f"{request.page}.html" for request in plan()}
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    links = set(re.findall(r"\]\(([\w.-]+\.html)\)", text))
    assert links <= made, links - made


def outputs(path: Path) -> list[dict[str, Any]]:
    """What a notebook shows, by kind; what it prints is plain text."""
    shown = [output for cell in read(path).cells for output in cell.get("outputs", [])]
    return [output.get("data") or {"text/plain": output.get("text", "")} for output in shown]


def test_a_named_value_has_one_value_whatever_page_it_stands_on() -> None:
    seen: dict[str, Any] = {}
    for path in REPORTED:
        for data in outputs(path):
            for name, value in data.get(HEADLINE, {}).items():
                assert seen.setdefault(name, value) == value, (name, path.stem)
    assert len(seen) > 10


CHANCE = re.compile(r"chance|not back|above reserves at|paid back|^gains|^loses", re.IGNORECASE)
"""Headings of columns that are shares of simulations."""


@pytest.mark.parametrize("path", [*REPORTED, *TUTORIALS], ids=lambda path: path.stem)
def test_a_page_prints_its_headline_values_and_none_that_says_nothing(path: Path) -> None:
    shown = outputs(path)
    text = "\n".join(data.get("text/plain", "") for data in shown)
    headline = {key: value for data in shown for key, value in data.get(HEADLINE, {}).items()}
    for key in headline:
        if key.endswith("_p10") and key.startswith("england_"):
            assert england_range(headline[key], headline[key.replace("p10", "p90")]) in text
    nothing = (r"£0 to £0", r"[−-]0(\.0+)?(?![\d.,])", r"[+−]0%", r"\b(nan|inf|None)\b")
    certain = r"\b(100|0)% (of simulations|likely|chance)"
    for said in (*nothing, certain):
        assert not re.search(said, text), said
    for table in (data[DATA] for data in shown if DATA in data):
        for place, field in enumerate(table["schema"]["fields"]):
            if CHANCE.search(field["name"]):
                assert not {0, 100} & {row[place] for row in table["data"]}, (table["name"], field["name"])


def rows_of(name: str, caption: str) -> list[list[str]]:
    """The rows of a stored table, cell by cell."""
    text = "\n".join(data.get("text/plain", "") for data in outputs(notebooks_dir() / f"{name}.ipynb"))
    table = text.partition(f"{caption}\n")[2].partition("\nSource")[0].splitlines()[1:]
    return [re.split(r"\s{2,}", row) for row in table]


def test_the_record_calls_a_method_better_only_where_both_intervals_leave_out_nought() -> None:
    table = rows_of("04_backtest", "the strongest rule first")
    assert len(table) == 9
    for *_, by_council, by_region, better in table:
        ends = [int(end.replace("−", "-")) for end in re.findall(r"(−?\d+)%", by_council + by_region)]
        assert (better == "cannot be told apart") == (min(ends[::2]) <= 0 <= max(ends[1::2]))
    # The main point says of the strongest rule what its row says.
    point = next(
        point
        for data in outputs(notebooks_dir() / "04_backtest.ipynb")
        for point in data.get(POINTS, [])
        if "CRPS" in point
    )
    assert ("cannot be told apart" in point) == (table[0][-1] == "cannot be told apart")


def test_the_steps_from_the_obrs_forecast_add_up_as_printed_to_the_estimate_of_the_england_page() -> None:
    shown = rows_of("04_backtest", "cause by cause")
    tenths = [[round(10 * float(cell.replace("−", "-"))) for cell in row[1:] if cell != "n/a"] for row in shown]
    for (before, *_), now in zip([each[-1:] for each in tenths], tenths[1:], strict=False):
        assert before + now[0] == now[1]
    assert tenths[0] == [140]
    current = rows_of("01_england", "under each named scenario, with its 80% range")
    assert [row[3] for row in current if row[:2] == ["Current policy", "2028"]] == [shown[-1][-1]]
    assert len({row[0] for row in current}) == 3


@pytest.mark.parametrize("name", ["00_data_quality", "01_england", "04_backtest"])
def test_every_figure_of_a_notebook_is_an_image_with_a_text_alternative(name: str) -> None:
    html = "".join(data.get("text/html", "") for data in outputs(notebooks_dir() / f"{name}.ipynb"))
    # Untrusted, JupyterLab strips inline SVG and scripts, and keeps an image whose address holds it.
    assert "<svg" not in html
    assert "<script" not in html
    images = re.findall(r"<img [^>]*>", html)
    assert images
    assert all(re.search(r'src="data:image/svg\+xml;base64,[^"]+" alt="[^"]{40,}"', image) for image in images)


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


def test_the_panel_opens_on_the_place_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = pytest.importorskip("deficits.explorer", reason="ipywidgets is not installed")
    notebook = notebooks_dir() / "explore.ipynb"
    usual = inspect.signature(panel.Explorer).parameters
    assert all(usual[name].default == value for name, value in parameters_cell(read(notebook)).items())
    monkeypatch.setenv("DEFICITS_EXPLORER_STATE", str(tmp_path))
    assert "Kent" in repr(run(notebook.name, place="Kent")[-1])


def test_plain_papermill_runs_the_paper_on_a_reform_plan_on_a_councils_own_file(tmp_path: Path) -> None:
    """The council by its code, which stays a text."""
    printed = command("plan", "--example").stdout
    (tmp_path / "mine.yaml").write_text(printed.replace("Resource bases instead", "Bases instead"))
    given = ["-r", "authority", "383", "-r", "actions", "mine.yaml", "-p", "draws", "200"]
    done = papermill(PLAN, tmp_path / "out.ipynb", *given)
    assert done.returncode == 0, done.stderr[-2000:]
    cells = [cell for cell in read(tmp_path / "out.ipynb").cells if cell.cell_type == "code"]
    shown = "".join(str(out.get("data", {}).get("text/plain", "")) for cell in cells for out in cell.outputs)
    assert "the balance of Leeds would be" in shown
    assert "Bases instead of special schools" in shown


def test_the_paper_carries_its_outputs() -> None:
    cells = [cell for cell in read(PLAN).cells if cell.cell_type == "code"]
    assert sum(bool(cell.outputs) for cell in cells) > len(cells) / 2
    assert all(output.output_type != "error" for cell in cells for output in cell.outputs)
