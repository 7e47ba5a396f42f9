"""Rules of what a run must not tell: secrets of the environment, folders and names of the machine and its user."""

from __future__ import annotations

import base64
import io
import os
import re
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_fanout import PARAMETERS, POINTS, START, Write, council_pages

from deficits.reports import How, make, write_index
from deficits.reports.kernel import LONGEST_SOCKET, ReportKernelManager
from deficits.reports.notify import COMMAND, URL, Notified

PLANTED = {
    "PLANTED_TOKEN": "planted-token-value",
    "GITHUB_TOKEN": "planted-github-value",
    "AWS_SECRET_ACCESS_KEY": "planted-aws-value",
    "DATABASE_URL": "postgres://planted-database-user:planted-database-word@db",
    "USER": "planted-user-name",
    "LOGNAME": "planted-log-name",
    URL: "http://127.0.0.1:1/planted-hook-address",
    COMMAND: "planted-hook-command --token planted-hook-word",
}
WORDS = re.compile(rb"planted-[a-z]+-[a-z]+", re.IGNORECASE)
NOSY = f"""
import os
from pathlib import Path
mine = Path("/proc/self/environ").read_text() if Path("/proc/self").exists() else ""
asked = {{name: os.environ.get(name) for name in {sorted(PLANTED)}}}
print(asked, "of the process:", "planted" + "-" in mine)
report.paragraph(str(asked))
if settings.authority == '202':
    raise ValueError(f"no access: {{asked}} {{mine.count('planted' + '-')}} " + str(Path.home() / "a.csv"))
"""


def texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What stands in the files of a folder, those within a page and within a spreadsheet included."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes()
            for data in re.findall(rb"base64,([A-Za-z0-9+/=]{100,})", path.read_bytes()):
                held = base64.b64decode(data)
                yield f"{path.name}, data", held
                if held.startswith(b"PK"):
                    with zipfile.ZipFile(io.BytesIO(held)) as book:
                        yield from ((f"{path.name}, {name}", book.read(name)) for name in book.namelist())


@pytest.mark.parametrize("engine", ["deficits", "plain"])
def test_a_planted_secret_appears_in_nothing_that_a_run_leaves(
    write: Write,
    tmp_path: Path,
    engine: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    notebook = write("# A page", POINTS, NOSY, parameters=PARAMETERS, start=START)
    out, warned = tmp_path / "reports", []
    with Notified(out, None, warned.append) as run:
        outcomes = make(
            council_pages("Kent", "Camden"), out, How(engine=engine, notebook=notebook), run.hears(print)
        )
        write_index(out)
    assert {one.page: one.state for one in outcomes} == {"authority-kent": "made", "authority-camden": "failed"}
    assert (out / "authority-camden.failed.json").is_file()
    assert len(warned) == 2  # nobody answers at what was planted
    published = [*texts(out), *((line, line.encode()) for line in warned)]
    for name, text in [*published, *(("what was said", said.encode()) for said in capfd.readouterr())]:
        assert not WORDS.search(text), name
    home = re.escape(str(Path.home())).encode()
    for name, text in published:  # whoever ran it is told the folder, for the fault is theirs to mend
        assert not re.search(rb"(?<![\w.-])" + home + rb"(?![\w-])", text), name
    ran = (out / "authority-kent.ipynb").read_text(encoding="utf-8")
    assert "'PLANTED_TOKEN': None" in ran  # the notebook did ask
    assert "of the process: False" in ran


def test_a_real_page_tells_nothing_of_the_machine_or_its_user(tmp_path: Path) -> None:
    home = tmp_path / "planted-home-folder"
    home.mkdir()
    around = {**os.environ, **PLANTED, "HOME": str(home), "HOSTNAME": "planted-host-name"}
    out = tmp_path / "reports"
    command = [sys.executable, "-m", "deficits.cli", "report", "quality", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=around, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    machine = {str(home), str(tmp_path), tempfile.gettempdir() + "/", sys.prefix, str(Path.cwd())}
    names = [re.escape(folder).encode() for folder in machine]
    # A short name of a machine may be a word of the language.
    names += [socket.gethostname().encode()] if len(socket.gethostname()) > 8 else []
    for name, text in texts(out):
        assert not WORDS.search(text), name
        assert not re.search(rb"(?<![\w.-])(" + b"|".join(names) + rb")(?![\w-])", text), name
    assert not WORDS.search(done.stderr.encode())
    assert [line for line in done.stdout.splitlines() if WORDS.search(line.encode())] == []


def test_no_page_is_made_of_a_notebook_that_prints_its_surroundings(write: Write, tmp_path: Path) -> None:
    notebook = write("# A page", POINTS, "import os\nprint(dict(os.environ))", parameters=PARAMETERS, start=START)
    (outcome,) = make(council_pages("Kent"), tmp_path / "reports", How(notebook=notebook))
    assert outcome.state == "failed"
    assert "Machine path in cell 5" in outcome.message
    assert not (tmp_path / "reports" / "authority-kent.html").exists()
    failure = (tmp_path / "reports" / "authority-kent.failed.json").read_text(encoding="utf-8")
    assert "names a folder of this machine, (a folder)" in failure


@pytest.mark.skipif(sys.platform == "win32", reason="ZeroMQ has no local sockets there")
def test_a_kernel_listens_to_local_sockets_however_long_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    for folder in (tmp_path, long):
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        manager = ReportKernelManager()
        assert manager.transport == "ipc"
        assert Path(manager.ip).is_absolute()
        assert len(os.fsencode(manager.ip)) <= LONGEST_SOCKET + 2
        assert manager.folder.stat().st_mode & 0o077 == 0  # nobody else's
        manager.folder.rmdir()
