"""Rules of a run that makes many pages."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deficits.errors import ExitCode, ReportError, ReportFailed
from deficits.reports import How, Limits, engine, exit_code, index_is_current, make, plan, record, shared
from deficits.reports.asked import Asked
from deficits.reports.record import record_beside
from deficits.reports.selection import stale
from tests.reports.conftest import write_notebook

PARAMETERS = """as_of = None
own = None
scenario = None
authority = 'Kent'
scheme = 'high-needs-stability-grant'
until = 2029
draws = 4000
seed = 1"""
START = "from deficits import reports as report\nsettings = report.settings('authority', globals())"
POINTS = "report.main_points(['One point.'], {'seed': float(settings.seed)})"
TWO = ["Kent", "Camden"]
THREE = ["Camden", "Bury", "Kent"]
COMMAND = """
import sys
from pathlib import Path
from deficits.reports import How, make, plan
how = How(jobs=2, notebook=Path(sys.argv[2]))
print("started", flush=True)
make(plan(["authority"], sys.argv[3:], {"draws": 200}), Path(sys.argv[1]), how)
"""

Write = Callable[..., Path]


@pytest.fixture
def pages(write: Write) -> Callable[..., Path]:
    """A small notebook with the authority report's parameters."""
    return lambda *cells: write("# A page", POINTS, *cells, parameters=PARAMETERS, start=START)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good pages, made once."""
    folder = tmp_path_factory.mktemp("once")
    notebook = write_notebook(folder / "small.ipynb", "# A page", POINTS, parameters=PARAMETERS, start=START)
    make(council_pages(*THREE), folder / "reports", How(notebook=notebook))
    return folder / "reports"


@pytest.fixture
def good(once: Path, tmp_path: Path) -> Path:
    """A copy of that folder: good pages of three councils, of the notebook that `pages()` writes."""
    return Path(shutil.copytree(once, tmp_path / "reports"))


def council_pages(*councils: str, **values: object) -> list[Asked]:
    """Pages of councils, from few simulated futures."""
    return plan(["authority"], councils, {"draws": 200, **values})


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in {".html", ".ipynb", ".json"}
    }


def states(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "run-log.jsonl").read_text(encoding="utf-8").splitlines()]


def waits_in_kent(seconds: int = 60) -> str:
    return f"import time\nif settings.authority in ('Kent', '886'): time.sleep({seconds})"


@pytest.mark.parametrize("engine", ["deficits", "plain"])
def test_one_failed_page_leaves_the_others(pages: Write, tmp_path: Path, engine: str) -> None:
    broken = pages("assert settings.authority != '202', 'no figure'")
    out = tmp_path / "reports"
    said = []
    outcomes = make(council_pages("Kent, Camden, Bury"), out, How(engine=engine, notebook=broken), said.append)
    assert {one.page: one.state for one in outcomes} == {
        "authority-kent": "made",
        "authority-camden": "failed",
        "authority-bury": "made",
    }
    assert said == outcomes
    assert exit_code(outcomes) == ExitCode.REPORT_FAILED
    (failed,) = [one for one in outcomes if one.state == "failed"]
    assert "AssertionError in cell 5: no figure" in failed.message
    assert sorted(path.name for path in out.glob("*camden*")) == ["authority-camden.failed.json"]
    assert sorted(path.name for path in out.glob("*kent*")) == [
        f"authority-kent.{end}" for end in ("html", "ipynb", "json")
    ]


def test_the_log_says_of_each_page_what_became_of_it(pages: Write, tmp_path: Path) -> None:
    broken = pages("import tempfile\nif settings.authority == '202': open(tempfile.gettempdir() + '/gone.csv')")
    make(council_pages(*TWO), tmp_path / "reports", How(notebook=broken))
    start, *told, end = states(tmp_path / "reports")
    assert (start["event"], start["pages"]) == ("start", 2)
    assert {line["page"]: line["state"] for line in told} == {
        "authority-kent": "made",
        "authority-camden": "failed",
    }
    assert (end["made"], end["failed"], end["exit"]) == (1, 1, 4)
    (failed,) = [line for line in told if line["state"] == "failed"]
    assert "FileNotFoundError" in failed["message"]
    assert "(a folder)/gone.csv" in failed["message"]


def test_a_page_that_is_out_of_time_leaves_the_others_and_a_record_of_its_cell(
    pages: Write, tmp_path: Path
) -> None:
    how = How(Limits(cell=1), notebook=pages(waits_in_kent()))
    outcomes = make(council_pages(*TWO), tmp_path, how)
    assert {one.page: one.state for one in outcomes} == {"authority-kent": "failed", "authority-camden": "made"}
    assert exit_code(outcomes) == ExitCode.OUT_OF_TIME
    failure = json.loads((tmp_path / "authority-kent.failed.json").read_text(encoding="utf-8"))
    assert failure["message"] == "the cell ran longer than 1 seconds"
    assert failure["cell"] == 5
    assert failure["source"] == waits_in_kent()


def test_a_page_whose_process_is_killed_leaves_the_others(pages: Write, tmp_path: Path) -> None:
    kill = "import os, signal\nif settings.authority == '886': os.kill(os.getpid(), signal.SIGKILL)"
    outcomes = make(council_pages(*TWO), tmp_path, How(notebook=pages(kill)))
    assert {one.page: one.state for one in outcomes} == {"authority-kent": "failed", "authority-camden": "made"}
    failure = json.loads((tmp_path / "authority-kent.failed.json").read_text(encoding="utf-8"))
    assert "ended (signal 9)" in failure["message"]
    assert failure["cell"] == 5


def test_when_the_server_is_killed_the_other_pages_still_come(pages: Write, tmp_path: Path) -> None:
    kill = "import os, signal\nif settings.authority == '886': os.kill(os.getppid(), signal.SIGKILL)"
    how = How(jobs=1, notebook=pages(kill))
    outcomes = make(council_pages("Bury", "Kent", "Camden"), tmp_path, how)
    assert [one.state for one in outcomes] == ["made", "failed", "made"]


def test_unchanged_pages_are_left_alone(pages: Write, good: Path) -> None:
    before = files(good)
    outcomes = make(council_pages(*THREE), good, How(only_stale=True, notebook=pages()))
    assert [one.state for one in outcomes] == ["unchanged"] * 3
    assert files(good) == before


@pytest.mark.parametrize("change", ["nothing", "parameters", "notebook", "page", "failure", "data"])
def test_a_page_is_out_of_date_when_what_it_rests_on_has_changed(pages: Write, good: Path, change: str) -> None:
    asked, notebook, found = council_pages("Kent"), pages(), record.surroundings()
    page = good / "authority-kent.html"
    if change == "parameters":
        asked = council_pages("Kent", seed=2)
    elif change == "notebook":
        notebook = pages("1")
    elif change == "page":
        page.write_text("half a", encoding="utf-8")
    elif change == "failure":
        page.with_suffix(".failed.json").write_text("{}", encoding="utf-8")
    elif change == "data":
        found = found.model_copy(update={"data": found.data | {next(iter(found.data)): "0"}})
    assert stale(asked, good, found, notebook) == ([] if change == "nothing" else asked)


def test_a_failed_page_keeps_its_last_good_one_and_is_made_again(pages: Write, good: Path) -> None:
    before = files(good)
    make(council_pages("Kent"), good, How(only_stale=True, notebook=pages("1 / 0")))
    assert before.items() <= files(good).items()
    outcomes = make(council_pages(*THREE), good, How(only_stale=True, notebook=pages()))
    assert [one.state for one in outcomes] == ["unchanged", "unchanged", "made"]
    assert files(good).keys() == before.keys()


def test_two_runs_at_once_do_not_share_a_folder(pages: Write, tmp_path: Path) -> None:
    out = tmp_path / "reports"
    with Run(out, pages(waits_in_kent()), "Kent") as first:
        _until(lambda: (out / "run-log.jsonl").exists())
        with pytest.raises(ReportFailed, match="another run is making pages"):
            make(council_pages(*TWO), out, How(notebook=pages()))
        first.kill()
    assert [one.state for one in make(council_pages(*TWO), out, How(notebook=pages()))] == ["made"] * 2


@pytest.mark.parametrize("after", ["at once", "in a cell", "with some pages made"])
def test_a_killed_run_leaves_no_half_page_and_the_next_one_completes(pages: Write, good: Path, after: str) -> None:
    before = files(good)
    log = good / "run-log.jsonl"
    log.unlink()
    with Run(good, pages(waits_in_kent()), *THREE) as run:
        if after == "in a cell":
            _until(lambda: log.exists() and log.read_text(encoding="utf-8").count("start"))
        elif after == "with some pages made":
            _until(lambda: log.exists() and log.read_text(encoding="utf-8").count("made"))
        run.send_signal(signal.SIGKILL)
    left = files(good)
    assert left.keys() == before.keys()
    for page in good.glob("authority*.html"):
        assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
        assert record_beside(page) is not None
    outcomes = make(council_pages(*THREE), good, How(only_stale=True, notebook=pages()))
    assert all(one.state in {"made", "unchanged"} for one in outcomes)
    whole = files(good)
    assert whole.keys() == before.keys()
    assert all(whole[name] == before[name] for name in before if name.endswith(".ipynb"))


def test_what_a_killed_run_left_half_made_is_removed(pages: Write, tmp_path: Path) -> None:
    old, new = tmp_path / ".making-old", tmp_path / ".making-new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (0, 0))
    make(council_pages("Kent"), tmp_path, How(notebook=pages()))
    assert not old.exists()
    assert new.exists()


def test_a_folder_that_cannot_be_written_to_is_a_failed_run(pages: Write, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file", encoding="utf-8")
    with pytest.raises(ReportFailed, match="cannot be written to: File exists"):
        make(council_pages("Kent"), tmp_path / "reports", How(notebook=pages()))


def test_a_full_disk_is_a_failed_page_and_leaves_the_last_good_one(pages: Write, good: Path) -> None:
    before = files(good)
    # No file of this process and its children may be longer: writing further fails as on a full disk.
    full = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    full += "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    outcomes = make(council_pages(*TWO), good, How(notebook=pages(full)))
    assert [one.state for one in outcomes] == ["failed"] * 2
    assert "could not be written: File too large" in outcomes[0].message
    assert before.items() <= files(good).items()


def test_pages_take_the_runs_projection_and_never_simulate(pages: Write, tmp_path: Path) -> None:
    cells = [
        "import deficits as d\nfrom deficits.projection import projection\nprojection.simulate = None",
        "found = d.project(d.load_panel(), d.Assumptions(), until=2029, draws=200, seed=1)\n"
        "report.paragraph(str(found.england().loc[('gross', 2029), 'p50']))",
    ]
    for way in ("deficits", "plain"):
        chosen = council_pages("Kent")
        (outcome,) = make(chosen, tmp_path / way, How(engine=way, notebook=pages(*cells)))
        assert outcome.state == "made", outcome.message
    pair = [record_beside(tmp_path / way / "authority-kent.html") for way in ("deficits", "plain")]
    assert pair[0].content.outputs == pair[1].content.outputs


def test_pages_on_a_scenario_take_the_runs_projection_of_it_and_are_on_its_figures(
    pages: Write, tmp_path: Path
) -> None:
    import deficits as d

    scenario = d.Scenario(assumptions=d.Assumptions(plan_growth=0.02), levers=(d.Lever.read("funding-growth"),))
    cells = [
        "import deficits as d\nfrom deficits.projection import projection\nprojection.simulate = None",
        "found = settings.assumed.project(d.load_panel(), until=2029, draws=200, seed=1)\n"
        "report.paragraph(str(found.england().loc[('gross', 2029), 'p50']))",
    ]
    chosen = plan(["authority"], ["Kent"], {"scenario": scenario.text(), "draws": 200, "seed": 1})
    (outcome,) = make(chosen, tmp_path, How(notebook=pages(*cells)))
    assert outcome.state == "made", outcome.message
    expected = scenario.project(d.load_panel(), until=2029, draws=200, seed=1)
    page = (tmp_path / f"{outcome.page}.html").read_text(encoding="utf-8")
    assert str(expected.england().loc[("gross", 2029), "p50"]) in page
    assert "It rests on a scenario" in page


def test_another_projection_than_the_runs_is_simulated(monkeypatch: pytest.MonkeyPatch, panel: object) -> None:
    import deficits as d

    monkeypatch.setattr(shared, "_held", {})
    asked = {"as_of": None, "own": None, "scenario": None, "until": 2028, "draws": 200, "seed": 1}
    assert shared.hold(asked) is not None
    held = shared.project(d.load_panel(), until=2028, draws=200)
    assert shared.project(d.load_panel(), d.Assumptions(), until=2028, draws=200, seed=1) is held
    others = [{"seed": 2}, {"until": 2029}, {"assumptions": d.Assumptions(plan_growth=0.05)}]
    for other in others:
        assert shared.project(d.load_panel(), **({"until": 2028, "draws": 200} | other)) is not held


def test_an_projection_from_a_file_is_the_one_that_was_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shared, "_held", {})
    key = shared.hold({"as_of": None, "own": None, "scenario": None, "until": 2028, "draws": 200, "seed": 1})
    shared.save(tmp_path)
    read = shared.load(tmp_path / key)
    assert read.dataset.identical(shared._held[key].dataset)
    read.balance.values[0] = 0  # a change is this process's own
    assert shared.load(tmp_path / key).dataset.identical(shared._held[key].dataset)


def test_pages_are_chosen_by_report_region_and_council() -> None:
    whole = [one.page for one in plan()]
    assert sum(page.startswith("authority-") for page in whole) == 153
    assert {"england", "quality", "writeoff-high-needs-stability-grant"} <= set(whole)
    assert len(plan(["authority"], ["South East"])) == 19
    assert [one.subject for one in plan(["authority"], ["Bristol, City of", "E06000001,Kent"])] == [
        "Bristol, City of",
        "Hartlepool",
        "Kent",
    ]
    assert [one.page for one in plan(["authority"], values={"authority": "Kent"})] == ["authority-kent"]


def test_a_value_goes_to_the_reports_that_have_such_a_parameter() -> None:
    chosen = {one.report.name: one.values for one in plan(["quality", "england"], values={"draws": "500"})}
    assert chosen["england"]["draws"] == 500
    assert "draws" not in chosen["quality"]


def test_wrong_choices_are_refused_together_with_the_closest() -> None:
    with pytest.raises(ReportError, match=r"did you mean 'Kent'\?.*\n.*did you mean 'Camden'\?"):
        plan(["authority"], ["Kant", "Camdem"])
    with pytest.raises(ReportError, match="regions: East Midlands, East of England"):
        plan(["authority"], ["South Eest"])
    with pytest.raises(ReportError, match="did you mean 'draws'"):
        plan(["quality", "england"], values={"drawz": 500})


class Run:
    """A run in a process of its own, that a test can end."""

    def __init__(self, out: Path, notebook: Path, *councils: str) -> None:
        self.command = [sys.executable, "-c", COMMAND, str(out), str(notebook), *councils]

    def __enter__(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "started\n"
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def _until(true: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.fixture
def scheduler() -> Iterator[str]:
    """A dask cluster of two workers on this machine."""
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    )
    yield cluster.scheduler_address
    cluster.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_cluster_makes_the_same_pages(
    pages: Write, tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "source_digest", engine.source_digest)  # as the workers have it
    notebook = pages("assert settings.authority != '202', 'no figure'")
    chosen = council_pages("Kent", "Camden", "Bury")
    make(chosen, tmp_path / "here", How(notebook=notebook))
    outcomes = make(chosen, tmp_path / "there", How(cluster=scheduler, notebook=notebook))
    assert {one.page: one.state for one in outcomes} == {
        "authority-kent": "made",
        "authority-camden": "failed",
        "authority-bury": "made",
    }
    here, there = (files(tmp_path / name) for name in ("here", "there"))
    assert here.keys() == there.keys()
    for name in here:
        if name.endswith(".ipynb"):  # the page names the commit, which the tests make up on this side alone
            assert here[name] == there[name]
    make(council_pages("Kent"), tmp_path / "there", How(cluster=scheduler, notebook=notebook))
    assert "those of the last run" in (tmp_path / "there" / "authority-kent.html").read_text(encoding="utf-8")


def test_the_list_of_pages_is_current_when_it_is_of_today_and_newer_than_the_records(tmp_path: Path) -> None:
    assert not index_is_current(tmp_path)
    (tmp_path / "england.json").write_text("{}", encoding="utf-8")
    index = tmp_path / "index.html"
    index.write_text("", encoding="utf-8")
    os.utime(tmp_path / "england.json", (0, index.stat().st_mtime - 1))
    assert index_is_current(tmp_path)
    os.utime(tmp_path / "england.json", (0, index.stat().st_mtime + 1))
    assert not index_is_current(tmp_path)
    os.utime(tmp_path / "england.json", (0, 0))
    os.utime(index, (0, 100_000))
    assert not index_is_current(tmp_path)


def test_a_worker_with_other_data_or_code_makes_no_page(pages: Write, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    from deficits.reports import cluster
    from deficits.reports.record import surroundings

    (asked,) = council_pages("Kent")
    (outcome,) = make([asked], tmp_path / "worker", How(notebook=pages()))
    sent = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "worker").glob("authority*")}
    here = surroundings()
    for found in (here.model_copy(update={"source": "other"}), here.model_copy(update={"data": {"a.csv": "ab"}})):
        refused = cluster._put(asked, tmp_path / "here", found, outcome, sent)
        assert refused.state == "failed"
        assert "other data, another Python or other code" in refused.message
        assert [path.name for path in (tmp_path / "here").iterdir()] == ["authority-kent.failed.json"]


def test_a_cluster_that_does_not_answer_is_named(
    pages: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    from deficits.reports import cluster

    monkeypatch.setattr(cluster, "CONNECTING", 1)
    with pytest.raises(ReportFailed, match=r"no scheduler answers at tcp://127\.0\.0\.1:1"):
        make(council_pages("Kent"), tmp_path, How(cluster="tcp://127.0.0.1:1", notebook=pages()))
