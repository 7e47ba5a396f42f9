"""`deficits explore`: the panel served by voila on this machine alone, without its code."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from deficits.errors import ReportError
from deficits.explorer.state import ENGLAND
from deficits.paths import notebooks_dir

HOST = "127.0.0.1"
PORT = 8866
WIDGETS = ["@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager"]
START = 90.0
"""Seconds within which the server answers, on a slow machine too."""
STOP = 8.0
"""Seconds that the server and its kernels have to end by themselves."""


def address(port: int) -> str:
    """Where the panel is."""
    return f"http://{HOST}:{port}/"


def command(port: int, pool: int) -> list[str]:
    """Voila on the explorer's notebook, with `pool` kernels that have run it before anybody comes."""
    notebook = notebooks_dir() / "explore.ipynb"
    return [
        sys.executable,
        "-m",
        "voila",
        str(notebook),
        f"--Voila.ip={HOST}",
        f"--port={port}",
        "--Voila.port_retries=0",
        "--no-browser",
        "--template=deficits",
        "--VoilaConfiguration.allow_template_override=NO",
        "--VoilaConfiguration.allow_theme_override=NO",
        # Only widgets are needed of JupyterLab's extensions; the others cost seconds and reach out.
        f"--VoilaConfiguration.extension_allowlist={WIDGETS}",
        f"--preheat_kernel={pool > 0}",
        f"--pool_size={pool}",
        "--MappingKernelManager.cull_interval=60",
        "--MappingKernelManager.cull_idle_timeout=1800",
        "--Application.log_level=WARN",
    ]


def environment(folder: Path) -> dict[str, str]:
    """Where voila finds the template, and the panel the folder to save in."""
    ours = str(files("deficits.explorer").joinpath("jupyter"))
    paths = [ours, *filter(None, [os.environ.get("JUPYTER_PATH")])]
    return {**os.environ, "JUPYTER_PATH": os.pathsep.join(paths), "DEFICITS_EXPLORER_FOLDER": str(folder)}


@contextlib.contextmanager
def served(port: int = PORT, *, folder: Path | None = None, pool: int = 1) -> Iterator[str]:
    """The panel's address while it is served; then the server and its kernels have ended and the port is free.

    Raises ReportError when voila is not installed, the port is taken or the server does not start.
    """
    missing = [name for name in ("voila", "ipywidgets") if find_spec(name) is None]
    if missing:
        raise ReportError(f"{' and '.join(missing)} is missing: pip install 'deficits[explore]'")
    if not _free(port):
        raise ReportError(f"port {port} is taken by another program: give another, like --port {port + 1}")
    # What it says goes into a file: a pipe that nobody reads would stop it once that is full.
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command(port, pool),
            env=environment(folder or Path.cwd()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            # A group of its own: Ctrl-C reaches us alone, and we end it in order.
            start_new_session=True,
        )
        try:
            _wait(process, port, said)
            yield address(port)
        finally:
            _end(process, port)


def serve(
    port: int = PORT, open_browser: bool = True, *, folder: Path | None = None, say: Callable[[str], None] = print
) -> None:
    """Serve the panel until Ctrl-C (or SIGTERM), and open it in a browser unless told not to.

    `folder`: where scenarios are saved, the current one unless given. Raises ReportError as `served` does, and
    where the server ends by itself.
    """
    ours = threading.current_thread() is threading.main_thread()
    # Ctrl-C too: a shell that starts us in the background has it ignored.
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGINT) if ours}
    try:
        with served(port, folder=folder) as where:
            say(f"The explorer is at {where} (for {ENGLAND}; Ctrl-C ends it)")
            if open_browser:
                webbrowser.open(where)
            while _answers(port):
                time.sleep(2)
            raise ReportError("the explorer's server has ended by itself; start it again, your last state is kept")
    except KeyboardInterrupt:
        say("The explorer has ended.")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=5):
        return True
    return False


def _wait(process: subprocess.Popen[bytes], port: int, said: IO[bytes]) -> None:
    """Until the server answers. ReportError with its last words where it does not."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said.seek(0)
            words = said.read().decode(errors="replace").strip()
            raise ReportError(f"the explorer's server did not start: {words[-400:] or 'it said nothing'}")
        if _answers(port):
            return
        time.sleep(0.2)
    raise ReportError(f"the explorer's server did not answer within {START:g} seconds")


def _end(process: subprocess.Popen[bytes], port: int) -> None:
    """Ask the server to end with its kernels; end its group if it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP)
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + STOP
    while not _free(port) and time.monotonic() < deadline:
        time.sleep(0.1)
