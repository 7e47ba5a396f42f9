"""Rules of a run of many pages: one that fails costs one page, and a run ended anywhere leaves no half page."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest

from deficits.errors import ExitCode, ReportError, ReportFailed
from deficits.reports import RunOptions, exit_code, make, plan, render, write_index
from deficits.reports.batch import put_in_place
from deficits.reports.params import PanelReport
from deficits.reports.record import file_digest, now, read_record

PARAMETERS = "as_of = None\nown = None\nscenario = None\nuntil = 2029\ndraws = 4000\nseed = 1\n"
PARAMETERS += "scheme = 'high-needs-stability-grant'\nauthority = 'Kent'"
START = "from deficits import reports as report\nsettings = report.settings('authority', globals())"
POINTS = "report.main_points(['One point.'], {'gross_2026': 5.7e9 + settings.seed})"
IN_KENT = "import os, time\nif settings.authority == '886':\n    {}"
TWO, THREE = ("Kent", "Camden"), ("Kent", "Camden", "Bury")
DAY, NEXT = date(2026, 11, 3), date(2026, 11, 4)
RUN = """
import sys
from pathlib import Path
from deficits.reports import RunOptions, make, plan
if __name__ == "__main__":
    out, notebook, *councils = sys.argv[1:]
    pages = plan(["authority"], [",".join(councils)], {"draws": 200})
    make(pages, Path(out), RunOptions(notebook=Path(notebook), jobs=2))
"""


def council_pages(*names: str, **values: object) -> list[PanelReport]:
    return plan(["authority"], [",".join(names)], {"draws": 200} | values)


def files(out: Path) -> dict[str, bytes]:
    """What is published: pages, notebooks, records."""
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name.startswith("authority")}


def whole(page: Path) -> bool:
    """Whether a page's three files are of one run."""
    record = read_record(page.with_suffix(".json"))
    assert record is not None
    return all(file_digest(page.with_suffix(ending)) == digest for ending, digest in record.files.items())


@pytest.fixture
def pages(write: Callable[..., Path]) -> Callable[..., Path]:
    """A notebook of councils' pages with some cells more."""
    return lambda *cells: write("# A page", POINTS, *cells, parameters=PARAMETERS, start=START)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three good pages of a day."""
    from tests.reports.conftest import write_notebook

    folder = tmp_path_factory.mktemp("good")
    notebook = write_notebook(folder / "small.ipynb", "# A page", POINTS, parameters=PARAMETERS, start=START)
    results = make(council_pages(*THREE), folder / "reports", RunOptions(notebook=notebook), today=DAY)
    assert [one.state for one in results] == ["made"] * 3, results
    return folder / "reports"


@pytest.fixture
def good(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "reports"))


def test_one_failed_page_leaves_the_others_its_last_good_one_and_a_record(pages, good: Path) -> None:
    before = files(good)
    broken = pages(IN_KENT.format("{}['gross']"))
    seen: list[str] = []
    results = make(council_pages(*TWO), good, RunOptions(notebook=broken), lambda one: seen.append(one.page), DAY)
    assert {one.page: one.state for one in results} == {"authority-kent": "failed", "authority-camden": "made"}
    assert sorted(seen) == ["authority-camden", "authority-kent"]
    assert exit_code(results) == ExitCode.REPORT_FAILED
    failure = json.loads((good / "authority-kent.failed.json").read_text(encoding="utf-8"))
    assert (failure["error"], failure["cell"], failure["parameters"]["authority"]) == ("KeyError", 5, "886")
    assert all(files(good)[name] == text for name, text in before.items() if "kent" in name or "bury" in name)
    again = make(council_pages(*THREE), good, RunOptions(only_stale=True, notebook=pages()), today=DAY)
    states = {one.page: one.state for one in again}
    assert states == {"authority-kent": "made", "authority-camden": "made", "authority-bury": "unchanged"}
    assert files(good).keys() == before.keys()


def test_what_never_ends_or_dies_costs_its_page_and_is_named(pages, tmp_path: Path) -> None:
    options = RunOptions(cell_seconds=8, notebook=pages(IN_KENT.format("time.sleep(60)")))
    slow = make(council_pages(*TWO), tmp_path, options)
    assert {one.page: one.state for one in slow} == {"authority-kent": "failed", "authority-camden": "made"}
    assert exit_code(slow) == ExitCode.OUT_OF_TIME
    assert "the cell ran longer than 8 seconds" in next(one.message for one in slow if one.state == "failed")
    dead = make(
        council_pages(*TWO), tmp_path, RunOptions(notebook=pages(IN_KENT.format("os.kill(os.getpid(), 9)")))
    )
    assert {one.page: one.state for one in dead} == {"authority-kent": "failed", "authority-camden": "made"}
    assert "signal 9" in next(one.message for one in dead if one.state == "failed")


def test_a_killed_worker_costs_time_and_no_page(pages, tmp_path: Path) -> None:
    hidden = str(tmp_path / "once").encode().hex()  # a page with a path of this machine in it is refused
    kill = (
        f"import multiprocessing, os\nfrom pathlib import Path\nonce = Path(bytes.fromhex('{hidden}').decode())\n"
    )
    kill += "if not once.exists():\n    once.touch()\n    os.kill(multiprocessing.parent_process().pid, 9)"
    results = make(council_pages(*TWO), tmp_path / "out", RunOptions(jobs=1, notebook=pages(kill)))
    assert [one.state for one in results] == ["made"] * 2, results


def test_unchanged_pages_are_left_alone_and_what_changed_is_said(pages, good: Path) -> None:
    before = files(good)
    options = RunOptions(only_stale=True, notebook=pages())
    assert {one.state for one in make(council_pages(*THREE), good, options)} == {"unchanged"}
    assert files(good) == before
    (one,) = make(council_pages("Kent", seed=2), good, options)
    assert (one.state, one.message) == ("made", "seed is 2, and was 1")
    (good / "authority-bury.html").write_text("half a", encoding="utf-8")
    (one,) = make(council_pages("Bury"), good, options)
    assert one.message == "its files are not those that its run left"
    (one,) = make(council_pages("Camden"), good, RunOptions(only_stale=True, notebook=pages("1")))
    assert one.message == "its notebook has changed"


def test_a_changed_file_leaves_a_page_that_used_none_of_its_changed_figures(pages, good: Path) -> None:
    path, options = good / "authority-kent.json", RunOptions(only_stale=True, notebook=pages())
    record = json.loads(path.read_text(encoding="utf-8"))
    record["content"]["data"] |= {name: "0" for name in record["content"]["data"] if name.startswith("ehc-plans/")}
    path.write_text(json.dumps(record), encoding="utf-8")
    (one,) = make(council_pages("Kent"), good, options)
    assert one.state == "unchanged"
    kept = read_record(path)
    assert kept is not None
    assert kept.holds_with == now().data_digest  # so that the next run need not look again
    record["content"]["figures"]["its published figures"] = "0"
    path.write_text(json.dumps(record), encoding="utf-8")
    (one,) = make(council_pages("Kent"), good, options)
    assert (one.state, one.message) == ("made", "figures: its published figures")


def test_the_edition_before_goes_to_the_archive_which_never_changes(pages, good: Path) -> None:
    old = (good / "authority-kent.ipynb").read_bytes()
    (good / "authority-kent.pdf").write_bytes(b"the briefing of the page before")
    for seed in (2, 3):
        make(council_pages("Kent", seed=seed), good, RunOptions(notebook=pages()), today=NEXT)
    kept = good / "archive" / DAY.isoformat()
    assert sorted(path.name for path in kept.iterdir()) == [
        f"authority-kent{end}" for end in (".html", ".ipynb", ".json")
    ]
    assert (kept / "authority-kent.ipynb").read_bytes() == old
    assert not (good / "authority-kent.pdf").exists()
    assert 'href="../../index.html"' in (kept / "authority-kent.html").read_text(encoding="utf-8")
    assert f'href="archive/{DAY}/authority-kent.html"' in (good / "authority-kent.html").read_text(
        encoding="utf-8"
    )


def test_a_wrong_request_is_refused_before_anything_is_written(write, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="did you mean 'draws'"):
        render("england", {"drawz": 5}, tmp_path / "out")
    with pytest.raises(ReportError, match="seed: missing in the parameters cell"):
        render("england", {}, tmp_path / "out", notebook=write("# A page", parameters="until = 2029"))
    with pytest.raises(ReportError, match=r"gone\.ipynb is missing"):
        render("england", {}, tmp_path / "out", notebook=tmp_path / "gone.ipynb")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["# No points"], "there is no headline value"),
        (["# A page", POINTS, "# A second"], "expected one first-level heading, found 2"),
        (["# A page", POINTS, "import os\nprint(os.getcwd())"], "names a folder of this machine"),
    ],
)
def test_a_result_that_is_not_fit_to_publish_is_a_failed_page(write, tmp_path: Path, cells, says) -> None:
    notebook = write(*cells, parameters=PARAMETERS, start=START)
    with pytest.raises(ReportFailed, match=says):
        render("authority", {"draws": 200}, tmp_path, notebook=notebook)
    assert [path.name for path in tmp_path.glob("*.html")] == []


def test_a_plain_kernel_makes_the_same_page(pages, good: Path, tmp_path: Path) -> None:
    (one,) = make(
        council_pages("Kent"), tmp_path / "plain", RunOptions(engine="plain", notebook=pages()), today=DAY
    )
    assert one.state == "made", one.message
    assert (tmp_path / "plain" / "authority-kent.ipynb").read_bytes() == (
        good / "authority-kent.ipynb"
    ).read_bytes()


def test_another_executor_makes_the_same_pages(pages, good: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as executor:
        options = RunOptions(executor=executor, notebook=pages())
        results = make(council_pages(*TWO), tmp_path / "out", options, today=DAY)
    assert [one.state for one in results] == ["made"] * 2, results
    assert all(
        files(good)[name] == text for name, text in files(tmp_path / "out").items() if name.endswith(".ipynb")
    )


def test_pages_take_the_runs_projection_and_never_simulate(pages, tmp_path: Path) -> None:
    cell = "import deficits as d\nfrom deficits.projection import projection\nprojection._projected = None\n"
    cell += "found = settings.assumed.project(d.load_panel(), until=2029, draws=200, seed=1)\n"
    cell += "report.paragraph(str(found.england().loc[('gross', 2029), 'p50']))"
    (one,) = make(council_pages("Kent"), tmp_path, RunOptions(notebook=pages(cell)))
    assert one.state == "made", one.message


# Killed, full, read-only, two at once ---------------------------------------------------------------------------


@pytest.fixture
def run(pages, good: Path) -> Iterator[subprocess.Popen]:
    """A run that is at work on Kent for as long as a test likes, and has made the others."""
    notebook = pages(IN_KENT.format("time.sleep(600)"))
    process = subprocess.Popen([sys.executable, "-c", RUN, str(good), str(notebook), *THREE])
    log = good / "run-log.jsonl"
    log.unlink()
    until(lambda: log.exists() and log.read_text(encoding="utf-8").count('"made"') == 2)
    yield process
    process.kill()
    process.wait()


def until(found: Callable[[], Any]) -> None:
    ends = time.monotonic() + 240
    while not found():
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_a_killed_run_ends_whole_leaves_no_half_page_and_the_next_completes(run, pages, good: Path) -> None:
    with pytest.raises(ReportFailed, match="another run is making pages"):
        make(council_pages(*TWO), good, RunOptions(notebook=pages()))
    kent = {name: text for name, text in files(good).items() if "kent" in name}
    started = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGKILL)
    _, left = psutil.wait_procs(started, 20)
    assert not [one for one in left if one.status() != psutil.STATUS_ZOMBIE]
    assert kent.items() <= files(good).items()
    assert all(whole(page) for page in good.glob("authority*.html"))
    results = make(council_pages(*THREE), good, RunOptions(only_stale=True, notebook=pages()))
    assert {one.state for one in results} <= {"made", "unchanged"}
    assert all(whole(page) for page in good.glob("authority*.html"))
    assert not list(good.glob(".making-*"))


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_files_killed_between_two_moves_are_old_or_new(moved: int, tmp_path: Path, monkeypatch) -> None:
    names, calls, usual = ("a.json", "a.ipynb", "a.html"), [], Path.replace
    put_in_place(tmp_path, dict.fromkeys(names, "old"))

    def deadly(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) > moved:
            raise KeyboardInterrupt
        return usual(self, target)

    monkeypatch.setattr(Path, "replace", deadly)
    with pytest.raises(KeyboardInterrupt):
        put_in_place(tmp_path, dict.fromkeys(names, "new"))
    assert [(tmp_path / name).read_text() for name in names] == ["new"] * moved + ["old"] * (3 - moved)


def test_a_full_disk_is_a_failed_page_and_leaves_the_last_good_one(pages, good: Path, monkeypatch) -> None:
    before, usual = files(good), Path.write_text

    def full(self: Path, text: str, **more: Any) -> int:
        if self.suffix == ".html":
            usual(self, text[:100], **more)
            raise OSError(28, "No space left on device", str(self))
        return usual(self, text, **more)

    monkeypatch.setattr(Path, "write_text", full)
    (one,) = make(council_pages("Kent", seed=2), good, RunOptions(notebook=pages()), today=DAY)
    assert (one.state, one.exit_code) == ("failed", ExitCode.REPORT_FAILED)
    assert "could not be written: No space left on device" in one.message
    assert files(good) == before


def test_a_folder_that_cannot_be_written_to_is_a_failed_run(pages, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file", encoding="utf-8")
    with pytest.raises(ReportFailed, match="cannot be written to: File exists"):
        make(council_pages("Kent"), tmp_path / "reports", RunOptions(notebook=pages()))
    if os.geteuid():
        (tmp_path / "shut").mkdir(mode=0o500)
        with pytest.raises(ReportFailed, match="cannot be written to: Permission denied"):
            make(council_pages("Kent"), tmp_path / "shut", RunOptions(notebook=pages()))


# Which pages ----------------------------------------------------------------------------------------------------


def test_pages_are_chosen_by_report_region_and_council() -> None:
    names = [one.page for one in plan()]
    assert sum(name.startswith("authority-") for name in names) == 153
    assert {"england", "quality", "writeoff-high-needs-stability-grant"} <= set(names)
    assert len(plan(["authority"], ["South East"])) == 19
    chosen = [one.subject for one in plan(["authority"], ["Bristol, City of", "E06000001,Kent"])]
    assert chosen == ["Bristol, City of", "Hartlepool", "Kent"]
    assert [one.page for one in plan(["authority"], values={"authority": "Kent"})] == ["authority-kent"]


def test_a_value_goes_to_the_reports_that_have_such_a_parameter() -> None:
    chosen = {one.report: one.model_dump() for one in plan(["quality", "england"], values={"draws": "500"})}
    assert chosen["england"]["draws"] == 500
    assert "draws" not in chosen["quality"]


def test_wrong_choices_are_refused_together_with_the_closest() -> None:
    with pytest.raises(ReportError, match=r"did you mean 'Kent'\?.*\n.*did you mean 'Camden'\?"):
        plan(["authority"], ["Kant", "Camdem"])
    with pytest.raises(ReportError, match="regions: East Midlands, East of England"):
        plan(["authority"], ["South Eest"])
    with pytest.raises(ReportError, match="did you mean 'draws'"):
        plan(["quality", "england"], values={"drawz": 500})


def test_the_front_page_is_written_for_what_a_run_left(good: Path) -> None:
    text = write_index(good).read_text(encoding="utf-8")
    assert "0 up to date; 3 out of date; 0 last run failed; 150 not made" in text
    assert "its notebook has changed" in text  # these pages came from a notebook of the tests
