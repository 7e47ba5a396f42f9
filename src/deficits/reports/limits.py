"""What a run may take: seconds for a cell, seconds for a report, memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MEGABYTE = 1024 * 1024


class Limits(BaseModel):
    """What one report may take.

    >>> Limits(cell=60).report
    900
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: Annotated[float, Field(gt=0)] = 300
    """Seconds for one cell."""
    report: Annotated[float, Field(gt=0)] = 900
    """Seconds for all of it, from its start to its page."""
    memory: Annotated[int, Field(gt=0)] = 4096
    """MB that it may take for itself, on top of what it shares with the process that started it."""


def cap_memory(megabytes: int) -> None:
    """Give this process no more than so much further memory: beyond it a cell has a MemoryError."""
    import resource  # not on Windows, where no process is forked either

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + megabytes * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
