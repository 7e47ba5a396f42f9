"""The command line: each command a line or two into a room.

Rooms are imported inside the commands, so that `deficits --help` does not wait for pandas.
"""

from __future__ import annotations

import sys

from deficits.cli import editions, models, pages, panel
from deficits.cli.common import app, err
from deficits.errors import DeficitsError

__all__ = ["app", "editions", "main", "models", "pages", "panel"]


def main() -> None:
    """Run the command line; an error of ours is one message and its exit code, never a traceback."""
    try:
        app()
    except DeficitsError as error:
        err.print(f"deficits: {error}", markup=False)
        sys.exit(int(error.exit_code))
