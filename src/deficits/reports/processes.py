"""Processes in which everything is imported already: the standard library's "forkserver", with a preload list.

Nothing here loads what makes pages: who only asks for them does not wait for it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PRELOAD = ["deficits.reports.preload"]
"""What the server of processes imports before the first notebook."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of the server: two notebooks at once use two processors and no more, and forks hold no threads."""
_starting = threading.Lock()


def _unheld() -> None:
    """A process forked while the lock is held would find it held for ever."""
    global _starting
    _starting = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unheld)


def can_fork() -> bool:
    """Whether notebooks can have processes forked here: on Linux, and not in a daemon such as a dask worker."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon


def context() -> Any:
    """The standard library's "forkserver", with what every notebook imports loaded once; in a process that comes
    from it, "fork", since that has loaded all of it too.
    """
    if multiprocessing.parent_process() is not None:
        return multiprocessing.get_context("fork")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(PRELOAD)
    return made


@contextmanager
def starting() -> Iterator[None]:
    """While processes are started: none does again what the caller's own script does, as "forkserver" would."""
    with _starting:
        main, before = sys.modules["__main__"], {name: os.environ.get(name) for name in ONE_THREAD}
        sys.modules["__main__"] = types.ModuleType("__main__")
        os.environ.update(ONE_THREAD)
        try:
            yield
        finally:
            sys.modules["__main__"] = main
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
