"""Voila for the explorer: a token, local names only, few kernels, and an end with the process that started it."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

# jsonschema looks for this one to check addresses that no notebook has; it takes as long as all of pandas.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager  # noqa: E402
from tornado.ioloop import PeriodicCallback  # noqa: E402
from tornado.web import HTTPError  # noqa: E402
from voila.app import Voila  # noqa: E402

TOKEN = "DEFICITS_EXPLORER_TOKEN"
KERNELS = 6
"""Kernels at once; each takes about 0.6 GB."""


class FewKernels(AsyncMappingKernelManager):
    """Refuses a kernel beyond `KERNELS`."""

    async def start_kernel(self, *args: Any, **named: Any) -> Any:  # type: ignore[override]
        """Start a kernel, unless there are enough."""
        if len(self.list_kernel_ids()) >= KERNELS:
            raise HTTPError(503, f"{KERNELS} explorers are open, which is the most: close one and wait a minute")
        return await super().start_kernel(*args, **named)


class ExplorerServer(Voila):  # type: ignore[misc]
    """Voila that asks for the token in the environment and takes requests for this machine's own names only."""

    def init_settings(self) -> dict[str, Any]:
        """Voila's settings, with the check of the Host header that it leaves off."""
        self.token = os.environ.pop(TOKEN)
        settings: dict[str, Any] = super().init_settings()
        settings["allow_remote_access"] = False
        return settings

    def listen(self) -> None:
        """Serve until told to end, or until the process that started this one is gone."""
        parent = os.getppid()

        def look() -> None:
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)

        PeriodicCallback(look, 1000).start()
        super().listen()


if __name__ == "__main__":
    ExplorerServer.launch_instance()
