"""Rules of the commands on the panel: what they ask and keep, and what they print where letters are missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import run


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("deficits.panel.own_figures.own_dir", lambda: tmp_path / "own")
    return tmp_path / "own"


def test_own_figures_that_are_not_certain_are_asked_about_and_then_kept_as_answered(
    tmp_path: Path, kept: Path
) -> None:
    file = tmp_path / "[red]dsg.csv"
    file.write_text("year,balance\n2024-25,97500\n")
    asked = run("own", str(file), "--authority", "Kent")
    assert asked.returncode == 2
    assert "--unit" in asked.stderr
    assert "--deficits-positive" in asked.stderr
    assert not kept.exists()
    done = run("own", str(file), "--authority", "Kent", "--unit", "£000", "--deficits-positive")
    assert done.returncode == 0, done.stderr
    assert "−£97.5m" in done.stdout
    assert "[red]dsg.csv" in done.stdout
    traced = run("trace", "Kent", "2025", "--own", "[red]dsg.csv")
    assert "-97,500,000" in traced.stdout.replace("−", "-")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
def test_a_minus_is_printed_where_the_output_has_no_such_letter(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deficits.cli", "trace", "Kent", "2023-24"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 0, done.stderr
    assert "-67,167,405" in done.stdout.decode(encoding)


def test_a_folder_that_cannot_be_written_ends_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("build", "--out", str(tmp_path / "file"))
    assert done.returncode == 2
    assert "file" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folders_name_is_printed_as_it_is(tmp_path: Path) -> None:
    done = run("build", "--out", str(tmp_path / "[red]y[x]"))
    assert done.returncode in (0, 3), done.stderr
    assert "[red]y[x]" in done.stdout
    assert (tmp_path / "[red]y[x]" / "build.json").is_file()
