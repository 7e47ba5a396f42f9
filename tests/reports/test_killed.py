"""Rules of a run that is ended at any moment: no half page, no lost good page, a clear exit code, and the next run
completes. `test_fanout` has the rules of one process; here the command line is killed, and the disk is full."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import folder as written
import psutil
import pytest
from test_fanout import PARAMETERS, POINTS, START, Write, council_pages, files

from deficits.errors import ExitCode
from deficits.reports import How, exit_code, make, render, write_index
from deficits.reports.record import file_digest, record_beside

START_ENGLAND = "from deficits import reports as report\nsettings = report.settings('england', globals())"
STEPS = {
    "886": ("write_text", 1),
    "202": ("write_text", 3),
    "383": ("replace", 1),
    "936": ("replace", 2),
    "805": ("replace", 3),
    "351": ("unlink", 1),
}
"""By council, when the process of its page is killed: half through writing a file, before moving one into place,
and when all are in place but an old failure is still to be removed."""
DEADLY = f"""
import os, signal
from pathlib import Path

name, number = {STEPS}[settings.authority]
usual, calls = getattr(Path, name), []

def deadly(self, *given, **more):
    if name == "unlink" or ".making-" in str(self):
        calls.append(self)
    if len(calls) == number:
        if name == "write_text":
            usual(self, given[0][: len(given[0]) // 2], **more)
        os.kill(os.getpid(), signal.SIGKILL)
    return usual(self, *given, **more)

if os.environ.get("DEFICITS_DEADLY"):
    setattr(Path, name, deadly)
"""
DEADLY_LIST = """
import os, signal, sys
from datetime import date
from pathlib import Path
from deficits.reports import write_index

number, usual, calls = int(sys.argv[2]), Path.replace, []

def deadly(self, target):
    calls.append(self)
    if len(calls) == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return usual(self, target)

Path.replace = deadly
write_index(Path(sys.argv[1]), today=date(2026, 11, 26))
"""


def whole(page: Path) -> bool:
    """Whether a page's three files are of one run."""
    record = record_beside(page)
    assert record is not None
    return all(file_digest(page.with_suffix(ending)) == digest for ending, digest in record.files.items())


def test_a_page_killed_at_any_step_of_its_writing_is_the_old_one_or_the_new_one(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = write("# A page", POINTS, DEADLY, parameters=PARAMETERS, start=START)
    out, how = tmp_path / "reports", How(only_stale=True, notebook=notebook)
    make(council_pages(*STEPS), out, how)
    good = files(out)
    assert len(good) == 3 * len(STEPS)

    monkeypatch.setenv("DEFICITS_DEADLY", "yes")
    killed = make(council_pages(*STEPS, seed=2), out, how)
    assert exit_code(killed) == ExitCode.REPORT_FAILED
    assert all("ended (signal 9)" in one.message for one in killed)
    left = files(out)
    assert left.keys() == good.keys() | {f"{one.page}.failed.json" for one in killed}
    replaced = {name for name in good if left[name] != good[name]}
    pages = {council: asked.page for council, asked in zip(STEPS, council_pages(*STEPS), strict=True)}
    assert replaced == {
        *(f"{pages['936']}.json", f"{pages['805']}.json", f"{pages['805']}.ipynb"),
        *(f"{pages['351']}{ending}" for ending in (".json", ".ipynb", ".html")),
    }
    for page in out.glob("authority*.html"):
        assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
        json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8"))
    assert whole(out / f"{pages['351']}.html")

    monkeypatch.delenv("DEFICITS_DEADLY")
    for folder in out.glob(".making-*"):
        os.utime(folder, (0, 0))  # as the next day's run finds it
    assert [one.state for one in make(council_pages(*STEPS, seed=2), out, how)] == ["made"] * len(STEPS)
    assert files(out).keys() == good.keys()
    assert all(whole(page) for page in out.glob("authority*.html"))
    assert not list(out.glob(".making-*"))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_list_killed_between_two_moves_is_mended_by_the_next_run(number: int, tmp_path: Path) -> None:
    out, names = tmp_path / "reports", ["catalogue.json", "feed.xml", "index.html"]
    written.put_england(out)
    write_index(out, today=date(2026, 11, 25))
    old = {name: (out / name).read_bytes() for name in names}
    done = subprocess.run([sys.executable, "-c", DEADLY_LIST, str(out), str(number)])
    assert done.returncode == -signal.SIGKILL
    left = {name: (out / name).read_bytes() for name in names}
    assert [name for name in names if left[name] != old[name]] == names[: number - 1]
    json.loads(left["catalogue.json"])
    ElementTree.fromstring(left["feed.xml"])
    assert left["index.html"].rstrip().endswith(b"</html>")
    write_index(out, today=date(2026, 11, 26))
    assert json.loads((out / "catalogue.json").read_bytes())["checked_on"] == "2026-11-26"
    assert "26 November 2026" in (out / "index.html").read_text(encoding="utf-8")


def test_nothing_is_saved_before_a_run_has_ended(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("papermill.engines.write_ipynb", lambda *_: pytest.fail("saved a notebook that grows"))
    page = render("england", {}, tmp_path, notebook=write("# A page", POINTS, *["1"] * 5, start=START_ENGLAND))
    assert whole(page)


class Deficits:
    """`deficits report` in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.command = [sys.executable, "-m", "deficits.cli", "report", *arguments]

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command, capture_output=True, text=True)

    def __enter__(self) -> Deficits:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def started(self) -> list[psutil.Process]:
        """All that it has started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def worker(self) -> psutil.Process:
        """The process of a page: forked from the one that this one has started."""
        return _until(lambda: [each for each in self.started() if each.ppid() != self.process.pid])[0]


def _until(found: Callable[[], Any]) -> Any:
    ends = time.monotonic() + 90
    while not (value := found()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    return value


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good pages that the command line has made."""
    out = tmp_path_factory.mktemp("good") / "reports"
    assert Deficits("quality", "--out", str(out)).run().returncode == 0
    return out


@pytest.fixture
def out(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "reports"))


def test_a_worker_that_is_killed_costs_its_page_and_exit_4(out: Path) -> None:
    before = files(out)
    with Deficits("quality", "--out", str(out)) as run:
        run.worker().kill()
        said, told = run.process.communicate()
    assert run.process.returncode == ExitCode.REPORT_FAILED, told
    assert "1 pages: 1 failed" in said
    assert "report 'quality' failed: Dead process" in told
    assert "signal 9" in told
    left = files(out)
    assert all(left[name] == before[name] for name in before if name.startswith("quality."))
    assert "Last run failed" in (out / "index.html").read_text(encoding="utf-8")
    done = Deficits("quality", "--only-stale", "--out", str(out)).run()
    assert (done.returncode, done.stderr) == (0, "")
    assert files(out).keys() == before.keys()


def test_a_run_that_is_killed_ends_whole_and_the_folder_is_free_again(out: Path) -> None:
    before = files(out)
    with Deficits("quality", "--out", str(out)) as run:
        worker = run.worker()
        worker.suspend()  # at work for as long as this test likes
        log = (out / "run-log.jsonl").read_bytes()
        second = Deficits("quality", "--out", str(out)).run()
        assert second.returncode == ExitCode.REPORT_FAILED
        assert second.stderr == (
            "deficits: another run is making pages in that folder: wait for it, or choose --out\n"
        )
        assert (out / "run-log.jsonl").read_bytes() == log
        started = run.started()
        run.process.kill()
        assert run.process.wait() == -signal.SIGKILL
    psutil.wait_procs(started, 20)
    assert not [each for each in started if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert files(out) == before
    done = Deficits("quality", "--out", str(out)).run()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB, where this machine lets a test have one."""
    place = tmp_path / "disk"
    place.mkdir()
    if sys.platform != "linux" or os.geteuid() or not shutil.which("mount"):
        pytest.skip("no file system can be mounted by this user")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], capture_output=True)
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_disk_that_is_full_or_read_only_is_exit_4_and_leaves_the_last_good_pages(good: Path, disk: Path) -> None:
    out = Path(shutil.copytree(good, disk / "reports"))
    before = {**files(out), "feed.xml": (out / "feed.xml").read_bytes()}

    def stays() -> bool:
        return before == {name: (out / name).read_bytes() for name in before}

    (out / "run-log.jsonl").unlink()  # what it takes would be free for the next one
    filler = disk / "filler"
    for left, words in ((0, "folder of pages cannot be written to"), (64, "could not be written")):
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        filler.write_bytes(b"x" * (free - left * 1024))
        done = Deficits("quality", "--out", str(out)).run()
        assert done.returncode == ExitCode.REPORT_FAILED, done.stderr
        assert f"{words}: No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        assert stays()
        filler.unlink()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    done = Deficits("quality", "--out", str(out)).run()
    assert done.returncode == ExitCode.REPORT_FAILED
    assert done.stderr.startswith("deficits: the folder of pages cannot be written to: Read-only file system")
    assert stays()
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    done = Deficits("quality", "--out", str(out)).run()
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(out.glob("*.failed.json"))
