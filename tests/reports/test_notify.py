"""Rules of telling somebody of a run that nobody watches."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deficits.errors import ExitCode, ReportFailed
from deficits.reports import Outcome, notify
from deficits.reports.notify import COMMAND, URL, Notified, message
from tests.fetch.local_site import Asked, Reply, Site, local_site

MADE = Outcome("england", "made", 2.0)
FAILED = Outcome("authority-kent", "failed", 1.0, "report 'authority-kent' failed: KeyError: 'gross'\n  cell", 4)
SECRET = "planted-secret-value"


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as found:
        yield found


def tell(folder: Path, *outcomes: Outcome, **given: str) -> list[str]:
    """Tell of a run; the warnings."""
    warned: list[str] = []
    with Notified(folder, None, warned.append, given) as run:
        run.outcomes += outcomes
    return warned


def program(path: Path, text: str) -> str:
    """A command line of a program of its own."""
    path.write_text(text, encoding="utf-8")
    return shlex.join([sys.executable, str(path)])


def writes(path: Path) -> str:
    """A command line that keeps what it is told."""
    told = path.with_suffix(".json")
    return program(path, f"import pathlib, sys\npathlib.Path({str(told)!r}).write_bytes(sys.stdin.buffer.read())")


def deficits(*arguments: str, **around: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deficits.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **around})


def test_a_message_counts_the_pages_and_names_those_that_failed(tmp_path: Path) -> None:
    told = message([MADE, FAILED, Outcome("quality", "unchanged")], tmp_path)
    assert (told["made"], told["unchanged"], told["failed"], told["exit_code"]) == (1, 1, 1, 4)
    assert told["failed_pages"] == [
        {"page": "authority-kent", "message": "report 'authority-kent' failed: KeyError: 'gross'"}
    ]
    assert told["index"] == "index.html"
    assert told["text"].startswith("deficits reports, exit code 4. pages: 1 made, 1 unchanged, 1 failed; ")
    assert told["text"].endswith("failed: authority-kent. See index.html")
    assert message([MADE], tmp_path, "https://example.org/r/")["index"] == "https://example.org/r/index.html"


def test_a_message_of_many_failures_stays_small(tmp_path: Path) -> None:
    many = [Outcome(f"page-{n}", "failed", 1.0, "x" * 5000, ExitCode.OUT_OF_TIME) for n in range(157)]
    told = message(many, tmp_path)
    assert (told["failed"], len(told["failed_pages"]), told["exit_code"]) == (157, 20, 5)
    assert len(json.dumps(told)) < 8000
    assert "and 152 more" in told["text"]


def test_a_message_names_no_folder_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pages"
    monkeypatch.setenv("HOME", "/somewhere/planted-user-name")
    words = f"cannot write {folder}/a.html or {Path.home()}/b or {Path(sys.prefix) / 'c'}"
    told = json.dumps(message([Outcome("a", "failed", 1.0, words, 4)], folder, None, ReportFailed(words)))
    for name in (str(tmp_path), "planted-user-name", sys.prefix):
        assert name not in told
    assert "(the folder of pages)/a.html" in told


@pytest.mark.parametrize(
    ("error", "code"), [(ReportFailed("no"), 4), (KeyError("x"), 1), (KeyboardInterrupt(), 130)]
)
def test_an_error_that_ends_a_run_is_told_and_goes_on(error: BaseException, code: int, tmp_path: Path) -> None:
    run = Notified(tmp_path, None, pytest.fail, {COMMAND: writes(tmp_path / "hook.py")})
    run.outcomes.append(MADE)
    with pytest.raises(type(error)), run:
        raise error
    told = json.loads((tmp_path / "hook.json").read_text(encoding="utf-8"))
    assert (told["exit_code"], told["made"]) == (code, 1)
    assert told["error"].startswith(type(error).__name__)


def test_an_address_is_sent_the_message(site: Site, tmp_path: Path) -> None:
    url = site.serve("/hook", Reply(status=204))
    assert tell(tmp_path, MADE, FAILED, **{URL: url}) == []
    (asked,) = site.asked
    assert (asked.method, asked.headers["Content-Type"]) == ("POST", "application/json")
    assert json.loads(asked.body)["failed_pages"][0]["page"] == "authority-kent"


def test_nothing_is_told_without_a_command_or_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "message", lambda *_: pytest.fail("asked for"))
    assert tell(tmp_path, MADE) == []
    assert tell(tmp_path, MADE, **{URL: " ", COMMAND: ""}) == []  # as a secret that is not set comes


def test_a_hook_that_fails_is_one_line_that_keeps_its_secret(site: Site, tmp_path: Path) -> None:
    gone = site.serve(f"/{SECRET}", Reply(status=500))
    moved = site.serve(f"/{SECRET}/moved", Reply(status=302, headers={"Location": site.base + "/elsewhere"}))
    addresses = [gone, moved, f"http://127.0.0.1:1/{SECRET}", f"ftp://{SECRET}", SECRET, f"http://[{SECRET}"]
    commands = [f"{SECRET}-that-is-nowhere", f"sh -c 'exit 3; {SECRET}'", f"'{SECRET}", f"ls /{SECRET}"]
    given = [*((URL, each) for each in addresses), *((COMMAND, each) for each in commands)]
    for name, value in given:
        (line,) = tell(tmp_path, MADE, **{name: value})
        assert line.startswith(f"nobody was told of this run by {name}: it ")
        assert SECRET not in line
        assert "\n" not in line
    assert [asked.path for asked in site.asked] == [f"/{SECRET}", f"/{SECRET}/moved"]


def test_a_hook_that_hangs_is_left_after_its_time(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "LONGEST", 0.5)

    def late(asked: Asked) -> Reply:
        time.sleep(4)
        return Reply()

    alive = tmp_path / "alive"
    child = f"import time, pathlib; time.sleep(1.5); pathlib.Path({str(alive)!r}).touch()"
    hangs = program(
        tmp_path / "hangs.py", f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    )
    started = time.monotonic()
    lines = tell(tmp_path, MADE, **{COMMAND: hangs, URL: site.serve("/hook", late)})
    assert time.monotonic() - started < 3.5
    assert [line.partition(": it ")[2] for line in lines] == ["did not end in 0.5 s", "failed (ReadTimeout)"]
    time.sleep(1.5)
    assert not alive.exists()  # what it started has ended with it


def test_a_command_that_reads_nothing_is_told_all_the_same(tmp_path: Path) -> None:
    assert tell(tmp_path, MADE, **{COMMAND: shlex.join([sys.executable, "-c", "pass"])}) == []


def test_the_command_line_tells_of_its_run_and_keeps_its_exit_code(site: Site, tmp_path: Path) -> None:
    url = site.serve(f"/{SECRET}", Reply())
    hook = writes(tmp_path / "hook.py")
    out = tmp_path / "reports"
    done = deficits("report", "quality", "--out", str(out), **{URL: url, COMMAND: hook})
    assert (done.returncode, done.stderr) == (0, "")
    (asked,) = site.asked
    told = json.loads(asked.body)
    assert (told["made"], told["exit_code"], told["error"]) == (1, 0, None)
    by_command = json.loads((tmp_path / "hook.json").read_text(encoding="utf-8"))
    assert {**by_command, "at": ""} == {**told, "at": ""}
    for path in out.iterdir():
        assert SECRET.encode() not in path.read_bytes(), path.name
        assert b"NOTIFY" not in path.read_bytes(), path.name
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    for arguments, code in ((["--out", str(tmp_path / "file")], 4), (["--set", "drawz=1"], 2)):
        done = deficits("report", "england", *arguments, **{URL: url})
        assert done.returncode == code
        told = json.loads(site.asked[-1].body)
        assert told["exit_code"] == code
        assert str(tmp_path) not in site.asked[-1].body.decode()
    assert "did you mean 'draws'" in told["error"]
    done = deficits("report", "quality", "--only-stale", "--out", str(out), **{URL: site.base + "/nowhere"})
    assert done.returncode == 0
    assert done.stderr == f"deficits: nobody was told of this run by {URL}: it answered 404\n"
