from __future__ import annotations

import json
import subprocess
import sys
import tempfile

import pytest

from deficits.errors import ExitCode, ReportError, ReportFailed
from deficits.reports import Limits, record, render
from deficits.reports import engine as engines
from deficits.reports.kernel import kernel_environment

TITLE = "# A page"
PARAMETERS = "as_of = None\nown = None\nscenario = None\nuntil = 2029\ndraws = 4000\nseed = 1"
POINTS = "report.main_points(['One point.'], {'gross': 5.7e9})"


def test_a_failed_run_leaves_the_last_good_page(write, tmp_path):
    out = tmp_path / "reports"
    page = render("england", {}, out, notebook=write(TITLE, POINTS))
    good = {path.name: path.read_bytes() for path in out.iterdir()}

    broken = write(TITLE, POINTS, "total = 5.1\n\nnational = {}\nnational['gross']")
    with pytest.raises(ReportFailed) as error:
        render("england", {"seed": 2}, out, notebook=broken)
    assert "report 'england' failed: KeyError in cell 5: 'gross'" in str(error.value)
    assert "national['gross']" in str(error.value)
    assert error.value.exit_code == ExitCode.REPORT_FAILED

    left = {path.name: path.read_bytes() for path in out.iterdir()}
    failure = json.loads(left.pop("england.failed.json"))
    assert left == good
    assert (failure["error"], failure["cell"], failure["parameters"]["seed"]) == ("KeyError", 5, 2)
    assert failure["source"].startswith("total = 5.1")

    assert render("england", {}, out, notebook=write(TITLE, POINTS)) == page
    again = {path.name: path.read_bytes() for path in out.iterdir()}
    assert again.keys() == good.keys()  # the failure is gone
    assert again["england.ipynb"] == good["england.ipynb"]
    assert b"Nothing: figures, data, parameters and code are those of the last run" in again["england.html"]


def test_wrong_parameters_are_refused_before_anything_is_written(write, tmp_path):
    with pytest.raises(ReportError, match="did you mean 'draws'"):
        render("england", {"drawz": 5}, tmp_path / "reports", notebook=write(TITLE, POINTS))
    with pytest.raises(ReportError, match="seed: missing in the parameters cell"):
        render("england", {}, tmp_path / "reports", notebook=write(TITLE, parameters="until = 2029\ndraws = 4000"))
    assert not (tmp_path / "reports").exists()


def test_a_missing_notebook_is_named(tmp_path):
    with pytest.raises(ReportError, match=r"gone\.ipynb is missing"):
        render("england", {}, tmp_path, notebook=tmp_path / "gone.ipynb")


@pytest.mark.parametrize("engine", ["deficits", "plain"])
def test_a_cell_that_never_ends_is_stopped_and_named(write, tmp_path, engine):
    notebook = write(TITLE, POINTS, "import time\ntime.sleep(60)")
    with pytest.raises(ReportFailed, match="Time-out in cell 5: ran longer than 1 seconds") as error:
        render("england", {}, tmp_path / "reports", notebook=notebook, limits=Limits(cell=1), engine=engine)
    assert error.value.exit_code == ExitCode.OUT_OF_TIME
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["england.failed.json"]


@pytest.mark.parametrize("engine", ["deficits", "plain"])
def test_a_report_that_takes_too_long_is_stopped_though_each_cell_is_short(write, tmp_path, engine):
    notebook = write(TITLE, POINTS, *["import time\ntime.sleep(1)"] * 30)
    with pytest.raises(ReportFailed, match="the report ran longer than 4 seconds") as error:
        render("england", {}, tmp_path / "reports", notebook=notebook, limits=Limits(report=4), engine=engine)
    assert error.value.exit_code == ExitCode.OUT_OF_TIME


@pytest.mark.parametrize("engine", ["deficits", "plain"])
def test_a_kernel_that_dies_is_a_failed_run_and_leaves_no_files(write, tmp_path, monkeypatch, engine):
    sockets = tmp_path / "t"
    sockets.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(sockets))
    notebook = write(TITLE, "import os\nos._exit(1)")
    with pytest.raises(ReportFailed, match="Dead kernel in cell 4"):
        render("england", {}, tmp_path / "reports", notebook=notebook, engine=engine)
    engines.end_mine()
    assert list(sockets.iterdir()) == []


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (["report.paragraph('No headline.')"], "there is no headline value"),
        ([POINTS, "raise SystemExit"], "in cell 5: the cell did not run to its end"),
        ([POINTS, "# Another title"], "expected one first-level heading, found 2"),
        ([POINTS, POINTS], "two elements have the id 'main-points'"),
        ([POINTS, "import os\nos.getcwd()"], "Machine path in cell 5: the output names a folder of this machine"),
        ([POINTS, "from IPython.display import SVG\nSVG('<svg/>')"], "cell 6 shows only image/svg"),
    ],
)
def test_a_result_that_is_not_fit_to_publish_is_a_failed_run(write, tmp_path, cells, fault):
    with pytest.raises(ReportFailed, match=fault):
        render("england", {}, tmp_path / "reports", notebook=write(TITLE, *cells))
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["england.failed.json"]


def test_a_failure_record_names_no_folder_of_the_machine(write, tmp_path):
    with pytest.raises(ReportFailed, match="FileNotFoundError"):
        render("england", {}, tmp_path, notebook=write(TITLE, f"open({str(tmp_path / 'gone.csv')!r})"))
    failure = json.loads((tmp_path / "england.failed.json").read_text(encoding="utf-8"))
    assert str(tmp_path.parent) not in failure["message"]
    assert "gone.csv" in failure["message"]


def test_a_page_about_one_council_is_named_for_it(write, tmp_path):
    notebook = write(
        TITLE,
        POINTS,
        parameters=PARAMETERS + "\nauthority = 'Kent'\nscheme = 'high-needs-stability-grant'",
        start="from deficits import reports as report\nsettings = report.settings('authority', globals())",
    )
    page = render("authority", {"authority": "202"}, tmp_path, notebook=notebook)
    assert page.name == "authority-camden.html"
    assert "<h1>Camden: A page</h1>" in page.read_text(encoding="utf-8")
    assert json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["title"].startswith("Camden: ")


def test_a_kernel_is_given_what_programs_need_and_no_secrets(tmp_path):
    around = {"PATH": "/bin", "LC_ALL": "C", "GITHUB_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "k", "USER": "u"}
    given = kernel_environment(around, tmp_path)
    assert given["PATH"] == "/bin"
    assert given["LC_ALL"] == "C"
    assert not {"t", "k", "u"} & set(given.values())


def content(**more):
    parts = {
        "report": "england",
        "parameters": {"seed": 1},
        "data": {"a.csv": "ab"},
        "code": "0.1.0",
        "source": "ef",
        "python": "3.11.7",
        "packages": {"pandas": "3.1.1"},
        "headline": {"gross": 5.7e9},
        "main_points": ("One.",),
    }
    return record.RunContent(**parts | more)


def test_the_same_run_has_the_same_fingerprint_and_any_other_another():
    assert content().fingerprint() == content().fingerprint()
    others = [{"parameters": {"seed": 2}}, {"data": {"a.csv": "cd"}}, {"headline": {"gross": 5.8e9}}]
    assert len({content(**other).fingerprint() for other in [{}, *others]}) == 4


@pytest.mark.parametrize(
    ("answers", "version"),
    [
        ({"describe": "v0.1-3-gabc", "status": ""}, "0.1.0, commit v0.1-3-gabc"),
        ({"describe": "abc", "status": " M x"}, "0.1.0, commit abc, with uncommitted changes"),
        ({"describe": None}, "0.1.0"),
    ],
)
def test_the_code_version_tells_of_changes_that_are_in_no_commit(monkeypatch, answers, version):
    monkeypatch.setattr(record.metadata, "version", lambda name: "0.1.0")
    monkeypatch.setattr(record, "_git", lambda root, *words: answers[words[0]])
    assert record.code_version() == version


def test_loading_the_room_loads_neither_papermill_nor_nbconvert():
    heavy = "{'papermill', 'nbconvert', 'nbclient', 'jinja2', 'jupyter_client', 'matplotlib'} & set(sys.modules)"
    code = f"import sys, deficits.reports; print(sorted({heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
