"""Rules of the schedules and of the list of known faults: what they name is there."""

from __future__ import annotations

import ast
import configparser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from deficits.cli import app
from deficits.errors import ExitCode
from deficits.paths import checkout
from deficits.reports import notify

ROOT = checkout()
assert ROOT is not None
DOCS = ("docs/scheduling.md", "docs/reports.md")
UNITS = ("schedule/deficits-report.service", "schedule/deficits-check.service", "schedule/deficits-report.timer")
CALLERS = (*DOCS, *UNITS, "schedule/crontab", "Dockerfile", ".github/workflows/reports.yml")
CALL = re.compile(r"(?<![-.\w])deficits(?:\.exe)? (?P<words>[a-z]+\b.*)")
ENDS = re.compile(r"\|\||&&|[>|;#`]|\"?$")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code(name: str) -> str:
    """What a file has a machine do: in a text for people, what is set as code."""
    whole = text(name).replace("\\\n", " ")
    if not name.endswith(".md"):
        return re.sub(r"^ *#.*$", "", whole, flags=re.MULTILINE)
    blocks = re.findall(r"^```(?:sh|bat)\n(.*?)^```", whole, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`(deficits [^`\n]+)`", re.sub(r"^```.*?^```", "", whole, flags=re.MULTILINE | re.DOTALL))
    return "\n".join([*blocks, *spans])


def calls(name: str) -> Iterator[list[str]]:
    """Each call of the command line in a file, as words."""
    for line in code(name).splitlines():
        found = CALL.search(line)
        if found and not re.match(r"\s*(docker build|echo|Description)", line[: found.start()] or " "):
            words = found["words"]
            yield shlex.split(words[: ENDS.search(words).start()].replace("\\", "/"))  # type: ignore[union-attr]
    if name == "Dockerfile":
        yield json.loads(re.findall(r"^CMD (.*)$", text(name), re.MULTILINE)[0])


@pytest.mark.parametrize("name", CALLERS)
def test_every_call_of_the_command_line_is_one_that_it_takes(name: str) -> None:
    found = list(calls(name))
    assert found or name.endswith(".timer")
    for command, *options in found:
        assert command in COMMANDS
        if options:  # a command that is only named has none
            COMMANDS[command].make_context(command, options)  # raises on an option that is none


def test_the_calls_that_are_checked_are_those_that_are_there() -> None:
    assert ["check", "--fresh"] in calls(".github/workflows/reports.yml")
    daily = ["report", "--only-stale", "--every-days", "3", "--out", "/var/lib/deficits/reports"]
    for name in ("docs/scheduling.md", "schedule/crontab", "schedule/deficits-report.service"):
        assert daily in calls(name), name
    assert ["report", "--only-stale", "--every-days", "3", "--out", "C:/deficits/reports"] in calls(DOCS[0])
    assert ["report", "--only-stale", "--every-days", "3", "--jobs", "2", "--out", "/reports"] in calls(DOCS[0])


def test_the_workflow_checks_first_publishes_good_pages_and_fails_at_the_end() -> None:
    steps = yaml.safe_load(text(".github/workflows/reports.yml"))["jobs"]["render"]["steps"]
    place = {step.get("id") or step.get("uses", step.get("name")): n for n, step in enumerate(steps)}
    report = steps[place["report"]]
    assert place["check"] < place["actions/cache/restore@v4"] < place["report"] < place["actions/cache/save@v4"]
    assert place["report"] < place["actions/upload-pages-artifact@v3"] < place["publish"]
    kept, found = (steps[place[f"actions/cache/{way}@v4"]]["with"] for way in ("save", "restore"))
    assert kept.items() <= found.items()  # the same folder and key, or GitHub finds nothing
    assert steps[place["check"]]["continue-on-error"]
    assert report["continue-on-error"]
    assert set(report["env"]) >= {notify.URL}
    for name in ("actions/cache/save@v4", "actions/upload-pages-artifact@v3", "publish"):
        codes = json.loads(re.findall(r"fromJSON\('(.*?)'\)", steps[place[name]]["if"])[0])
        assert codes == [str(int(each)) for each in (0, ExitCode.REPORT_FAILED, ExitCode.OUT_OF_TIME)]
    assert steps[-1]["run"].splitlines()[-1] == "exit 1"


def test_the_units_are_ones_that_systemd_takes(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd on this machine")
    for name in UNITS:
        unit = text(name).replace("/opt/deficits/.venv/bin/deficits", "/bin/true")  # it looks for the program
        (tmp_path / Path(name).name).write_text(unit, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *sorted(tmp_path.iterdir())], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", UNITS[:2])
def test_a_service_writes_its_own_folders_and_nothing_else(name: str) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text(name))
    service = unit["Service"]
    assert service["User"] != "root"
    assert (service["ProtectSystem"], service["ProtectHome"], service["NoNewPrivileges"]) == (
        "strict",
        "yes",
        "yes",
    )
    assert "ReadWritePaths" not in service
    assert "TimeoutStartSec" in service


def test_the_crontab_is_the_one_of_the_docs() -> None:
    lines = [line for line in text("schedule/crontab").splitlines() if re.match(r"\d", line)]
    assert len(lines) == 2
    assert "\n".join(lines) in text(DOCS[0])


def test_the_image_is_built_from_the_lock_by_nobody_and_holds_no_secret() -> None:
    file = text("Dockerfile")
    lines = [line for line in file.splitlines() if not line.startswith("#")]
    assert "--require-hashes -r requirements.lock" in file
    assert "://" not in file
    assert not re.search(r"token|password|secret|index-url|^ARG", file, re.IGNORECASE | re.MULTILINE)
    users = [line.split()[1] for line in lines if line.startswith("USER")]
    assert users[-1].isdigit()
    assert users[-1] != "0"
    # What is not in the context cannot be copied: nothing is but for what is let in.
    ignored = [line for line in text(".dockerignore").splitlines() if line and not line.startswith("#")]
    assert ignored[0] == "*"
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = {word for line in lines if re.match("COPY (?!--from)", line) for word in line.split()[1:-1]}
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


def test_every_exit_code_is_explained() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|", text(DOCS[0]).partition("## Exit codes")[2], re.MULTILINE)
    told = {int(each) for row in rows for each in row.split(",")}
    assert {int(each) for each in ExitCode} | {notify.BUG} <= told


def test_what_the_docs_say_of_a_notification_is_what_is_sent(tmp_path: Path) -> None:
    docs = text(DOCS[0])
    for key in notify.message([], tmp_path):
        assert f"`{key}`" in docs, key
    assert f"{notify.LONGEST:g} seconds" in docs
    assert f"the first {notify.LISTED}" in docs
    assert {notify.COMMAND, notify.URL} <= set(re.findall(r"`(DEFICITS_NOTIFY_\w+)`", docs))


def test_nbval_runs_the_cells_of_a_notebook_in_one_process() -> None:
    (line,) = [line for line in text("Makefile").splitlines() if "--nbval " in line]
    # A notebook is a scope: its cells go to one worker, in their order.
    assert " -n " not in line or "--dist loadscope" in line


def test_no_figure_is_made_through_pyplot() -> None:
    # It keeps every figure open, and 153 pages make some thousands.
    for path in (ROOT / "src").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) .*pyplot", path.read_text(encoding="utf-8"), re.MULTILINE), path


def test_every_link_of_the_docs_leads_somewhere() -> None:
    for name in DOCS:
        for target in re.findall(r"\]\(([^)#]+)\)", text(name)):
            assert target.startswith("https://") or (ROOT / "docs" / target).exists(), f"{name}: {target}"


def known_faults() -> list[list[str]]:
    """The rows of the table: number, fault, what is done, tests."""
    rows = re.findall(r"^\| (\d+ \|.*) \|$", text("docs/reports.md"), re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows]


def test_the_table_of_known_faults_is_whole() -> None:
    rows = known_faults()
    assert [int(row[0]) for row in rows] == list(range(1, 49))
    for row in rows:
        assert len(row) == 4, row
        assert re.search(r": \[[^]]+\]\(https://github\.com/", row[1]), row[0]
        assert re.search(r"`[\w/]+\.py::test_", row[3]) or row[3].startswith("**"), row[0]


def test_every_test_that_proves_a_fault_gone_is_there() -> None:
    for number, *_, proof in known_faults():
        for path, name in re.findall(r"`([\w/]+\.py)::(\w+)`", proof):
            tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
            assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, number
