"""`deficits explore`: the panel served by voila to this machine's user alone, without its code."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from deficits.errors import ReportError
from deficits.paths import notebooks_dir

HOST, PORT = "127.0.0.1", 8866
WIDGETS = ["@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager"]
START, STOP = 90.0, 8.0
"""Seconds within which the server answers, on a slow machine too; and that it has to end by itself."""


def command(port: int) -> list[str]:
    """Voila on the explorer's notebook, with a kernel that has run it before anybody comes."""
    return [
        *(sys.executable, "-m", "deficits.explorer.voila_app", str(notebooks_dir() / "explore.ipynb")),
        *(f"--Voila.ip={HOST}", f"--port={port}", "--Voila.port_retries=0", "--no-browser", "--template=deficits"),
        "--VoilaConfiguration.allow_template_override=NO",
        "--VoilaConfiguration.allow_theme_override=NO",
        "--VoilaConfiguration.multi_kernel_manager_class=deficits.explorer.voila_app.FewKernels",
        # Only widgets are needed of JupyterLab's extensions; the others cost seconds and reach out.
        f"--VoilaConfiguration.extension_allowlist={WIDGETS}",
        *("--preheat_kernel=True", "--pool_size=1"),
        *("--MappingKernelManager.cull_interval=60", "--MappingKernelManager.cull_idle_timeout=1800"),
        "--Application.log_level=WARN",
    ]


@contextlib.contextmanager
def served(port: int = PORT, place: str = "") -> Iterator[str]:
    """The panel's address with its token, while it is served; then server and kernels have ended.

    Scenarios are saved in the current folder.

    Raises ReportError when voila is not installed, the port is taken or the server does not start.
    """
    missing = [name for name in ("voila", "ipywidgets") if find_spec(name) is None]
    if missing:
        raise ReportError(f"{' and '.join(missing)} is missing: pip install 'deficits[explore]'")
    if _answers(port):
        raise ReportError(f"port {port} is taken by another program: give another, like --port {port + 1}")
    token = secrets.token_urlsafe(24)
    paths = [str(files("deficits.explorer").joinpath("jupyter")), os.environ.get("JUPYTER_PATH", "")]
    given = {"JUPYTER_PATH": os.pathsep.join(filter(None, paths)), "DEFICITS_EXPLORER_TOKEN": token}
    given |= {"DEFICITS_EXPLORER_FOLDER": str(Path.cwd()), "DEFICITS_EXPLORER_PLACE": place}
    # What it says goes into a file: a pipe that nobody reads would stop it once that is full.
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command(port),
            env={**os.environ, **given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end it in order
        )
        try:
            deadline = time.monotonic() + START
            while not _answers(port):
                if process.poll() is not None:
                    said.seek(0)
                    words = said.read().decode(errors="replace").strip()
                    raise ReportError(f"the explorer's server did not start: {words[-400:] or 'it said nothing'}")
                if time.monotonic() > deadline:
                    raise ReportError(f"the explorer's server did not answer within {START:g} seconds")
                time.sleep(0.2)
            yield f"http://{HOST}:{port}/?token={token}"
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP)
            if hasattr(os, "killpg"):  # with its kernels; Windows has no groups of processes
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()


def serve(
    port: int = PORT, open_browser: bool = True, *, place: str = "", say: Callable[[str], None] = print
) -> None:
    """Serve the panel until Ctrl-C, SIGTERM or the terminal's end, and open it in a browser unless told not to.

    Raises ReportError as `served` does, and where the server ends by itself.
    """
    ends = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    # Ctrl-C too: a shell that starts us in the background has it ignored.
    before = {number: signal.signal(number, signal.default_int_handler) for number in ends}
    try:
        with served(port, place) as where:
            with contextlib.suppress(OSError):
                say(f"The explorer is at {where} (Ctrl-C ends it)")
            if open_browser:
                webbrowser.open(where)
            while _answers(port):
                time.sleep(2)
            raise ReportError("the explorer's server has ended by itself; start it again, your last state is kept")
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            say("The explorer has ended.")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=5):
        return True
    return False
