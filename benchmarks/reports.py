"""Council pages by our engine, beside papermill and nbconvert one page after another on the same notebook.

Each side is started as a user would: `deficits report` for all councils at once, and the commands `papermill` and
`jupyter nbconvert` for each council. What the cells show is compared and must be equal. A machine that does other
work meanwhile slows the side that uses all its processors more, so processor seconds stand beside the clock's.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil

THEIRS = 4
"""Councils that the other side makes, since each costs the same; ours makes all, its start included."""
LOOK = 0.2
"""Seconds between two looks at the memory of a run and all that it starts."""


def _councils() -> list[str]:
    from deficits.panel import load_authorities

    known = load_authorities()
    return [str(code) for code in known.frame.index if known.existed(code)]


def _watched(commands: list[list[str]]) -> tuple[float, float, float]:
    """Seconds of some commands in turn, their processor seconds, and the most memory held at once (MB)."""
    start, before, most = time.perf_counter(), _processor(), 0
    for command in commands:
        process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while process.poll() is None:
            most = max(most, _memory(process))
            time.sleep(LOOK)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}\n{process.stderr.read().decode()}")
        process.stderr.close()
    return time.perf_counter() - start, _processor() - before, most / 1024**2


def _processor() -> float:
    """Processor seconds of all that this process has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(process: psutil.Popen) -> int:
    """Memory of a process and its children, with what they share counted once."""
    held = 0
    try:
        for each in [process, *process.children(recursive=True)]:
            held += each.memory_full_info().pss
    except psutil.NoSuchProcess:
        pass
    return held


def _ours(folder: Path, councils: list[str]) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "deficits.cli", "report", "authority", "--out", str(folder)]
    return _watched([[*command, "--authorities", ",".join(councils)]])


def _theirs(folder: Path, councils: list[str]) -> tuple[float, float, float]:
    from deficits.paths import notebooks_dir

    notebook = str(notebooks_dir() / "03_authority.ipynb")
    commands = []
    for council in councils:
        out = str(folder / f"{council}.ipynb")
        values = ["-r", "authority", council, "-k", "python3", "--no-progress-bar"]
        commands.append([sys.executable, "-m", "papermill", notebook, out, *values])
        commands.append([sys.executable, "-m", "nbconvert", "--to", "html", out])
    return _watched(commands)


def _outputs(path: Path) -> list[object]:
    """What the cells show, without the two that print the parameters."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.get("outputs")]
    return [cell.outputs for cell in cells][1:]


def compare() -> list[tuple[str, float, float]]:
    """Seconds a page and memory of either way: name, value of ours, value of theirs."""
    from deficits.reports import parse

    councils = _councils()
    with tempfile.TemporaryDirectory() as made_in:
        folder = Path(made_in)
        seconds, processor, memory = _ours(folder, councils)
        their_seconds, their_processor, their_memory = _theirs(folder, councils[:THEIRS])
        for council in councils[:THEIRS]:
            page = parse("authority", {"authority": council}).page
            if _outputs(folder / f"{page}.ipynb") != _outputs(folder / f"{council}.ipynb"):
                raise RuntimeError(f"the two ways show different things for {council}")
    return [
        ("seconds a council's page, start included", seconds / len(councils), their_seconds / THEIRS),
        ("processor seconds a page", processor / len(councils), their_processor / THEIRS),
        ("peak memory, MB, of all processes", memory, their_memory),
    ]


def main() -> None:
    rows = compare()
    _, ours, theirs = rows[0]
    for name, one, other in rows:
        print(f"{name:45}{one:8.2f}{other:10.2f} papermill and nbconvert")
    print(f"{'pages in the same time':45}{theirs / ours:8.1f}      times as many, with equal outputs")
