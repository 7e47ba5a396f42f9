"""The kernel that runs a report: this interpreter, over local sockets, knowing nothing of its surroundings."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from traitlets import default

from deficits.reports.shared import FOLDER, install

KERNEL_NAME = "python3"

PASSED_ON = frozenset(
    {
        *("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "APPDATA", "LOCALAPPDATA"),
        *("TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE", "TZ", "MPLCONFIGDIR", "PYTHONPATH", "PYTHONHOME"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    }
)
PASSED_ON_BEGINNINGS = ("LC_", "OMP_", "OPENBLAS_", "MKL_", "DEFICITS_")
"""What the kernel is given of the environment: a report cannot print a token that it never had."""
SECRET_BEGINNING = "DEFICITS_NOTIFY_"  # where a run is told of: an address may hold a key

LONGEST_SOCKET = 100
"""Longest path of a local socket, in bytes, less the number that ZeroMQ adds: systems allow 104 to 108."""


class ReportKernelManager(AsyncKernelManager):
    """Starts this interpreter as a kernel, whatever kernel the notebook names and whatever kernels are installed.

    It speaks through sockets in a folder of its own: two runs never want the same port, nothing of it can be
    reached from the network, and ipykernel has no reason to warn of unencrypted TCP. ZeroMQ has no such sockets on
    Windows, so there it stays with TCP on the local machine.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = _short_folder()
        self.connection_file = str(self.folder / "kernel.json")
        self.transport = "tcp" if sys.platform == "win32" else "ipc"
        if self.transport == "ipc":
            self.ip = str(self.folder / "s")

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel of the interpreter that makes the report."""
        tell = f"from {__name__} import prepare; prepare(); del prepare"
        argv = [
            sys.executable,
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
            f"--IPKernelApp.exec_lines={tell}",
        ]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")

    @default("cache_ports")
    def _default_cache_ports(self) -> bool:
        return sys.platform == "win32"

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        kw["env"] = kernel_environment(dict(os.environ), self.folder)
        command, kw = await super()._async_pre_start_kernel(**kw)
        return command, kw

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        await super()._async_cleanup_resources(restart=restart)
        if not restart:
            shutil.rmtree(self.folder, ignore_errors=True)

    # jupyter_client gives the method this second name, which nbclient calls when a kernel has died.
    cleanup_resources = _async_cleanup_resources


def kernel_environment(around: dict[str, str], folder: Path) -> dict[str, str]:
    """The kernel's environment variables, from those around: what programs need to run, and no secrets.

    IPython's folder is an empty one, so that a user's start-up files do not change a report.
    """
    kept = {
        name: value
        for name, value in around.items()
        if name.upper() in PASSED_ON
        or (name.startswith(PASSED_ON_BEGINNINGS) and not name.startswith(SECRET_BEGINNING))
    }
    return kept | {"IPYTHONDIR": str(folder), "PYTHONHASHSEED": "0", "MPLBACKEND": "agg"}


def prepare() -> None:
    """What a kernel does before the first cell: plain warnings, and the run's projection where there is one."""
    plain_warnings()
    if os.environ.get(FOLDER):
        install()


def plain_warnings() -> None:
    """Let warnings say what is wrong, without the path of the file they come from: a page shows them."""

    def written(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        return f"{category.__name__}: {message}\n"

    warnings.formatwarning = written


def _short_folder() -> Path:
    folder, short = Path(tempfile.mkdtemp(prefix="deficits-")), Path("/tmp")
    if len(os.fsencode(folder)) > LONGEST_SOCKET and short.is_dir():
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="deficits-", dir=short))
    return folder
