"""The command line: each command a line or two into a room.

Rooms are imported inside the commands, so that `deficits --help` does not wait for pandas.
"""

from __future__ import annotations

import codecs
import io
import sys

from deficits.cli import council, forecasts, models, pages, panel
from deficits.cli.common import app, err
from deficits.errors import DeficitsError, ExitCode
from deficits.formatting import MINUS

__all__ = ["app", "council", "forecasts", "main", "models", "pages", "panel"]

ALIKE = str.maketrans({MINUS: "-", "£": "GBP", "…": "...", "–": "-", "’": "'"})
"""What is printed for a character that the terminal or file cannot take; a minus must not be lost."""


def main() -> None:
    """Run the command line; an error of ours is one message and its exit code, never a traceback."""
    codecs.register_error("alike", _alike)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="alike")
    try:
        app()
    except DeficitsError as error:
        err.print(f"deficits: {error}")
        sys.exit(int(error.exit_code))
    except OSError as error:
        err.print(f"deficits: {f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
        sys.exit(int(ExitCode.BAD_INPUT))


def _alike(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(ALIKE)
    return text.encode("ascii", "replace").decode(), error.end
