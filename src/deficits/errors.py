"""One exception type a layer, each with the exit code the command line gives for it.

A message names the file, row, column or parameter, what was found, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from enum import IntEnum


class ExitCode(IntEnum):
    """What the command line returns to the shell."""

    DONE = 0
    BAD_INPUT = 2
    DATA_FAILS_CHECK = 3
    REPORT_FAILED = 4
    OUT_OF_TIME = 5


class DeficitsError(Exception):
    """Base of every error that this package raises on purpose."""

    exit_code = ExitCode.BAD_INPUT


class SourceError(DeficitsError):
    """A published file is missing, changed or not of the declared shape."""

    exit_code = ExitCode.DATA_FAILS_CHECK


class PanelError(DeficitsError):
    """An unknown authority, year or figure, or a panel that breaks its own rules."""


class ProjectionError(DeficitsError):
    """An assumption, horizon or measure that the projection cannot use."""


class SchemeError(DeficitsError):
    """A write-off scheme that is not well formed or does not fit the projection."""


class ReportError(DeficitsError):
    """A report's parameters are wrong, or the report could not be made."""


class ReportFailed(ReportError):
    """The parameters were good, but the run or its result was not."""

    exit_code = ExitCode.REPORT_FAILED


def first_of(faults: Sequence[str], most: int) -> list[str]:
    """The first of many faults, and how many more there are.

    >>> first_of(["line 2", "line 3", "line 4"], 2)
    ['line 2', 'line 3', 'and 1 more']
    """
    return [*faults[:most], *([f"and {len(faults) - most} more"] if len(faults) > most else [])]


def some(faults: Sequence[str]) -> str:
    """The first of many faults, in a sentence."""
    return "; ".join(faults[:5]) + (f" and {len(faults) - 5} more" if len(faults) > 5 else "")


def closest(word: str, known: Iterable[str]) -> str:
    """End of a message that names the closest known word, or lists the known ones.

    >>> closest("drawz", ["draws", "seed"])
    "did you mean 'draws'?"
    >>> closest("colour", ["draws", "seed"])
    'known: draws, seed'
    """
    names = sorted({str(name) for name in known})
    folded = {name.casefold(): name for name in names}
    near = get_close_matches(str(word).casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{folded[near[0]]}'?"
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"known: {shown}"
