"""Telling somebody of a run that nobody watches: a command or a web address that the environment gives.

`DEFICITS_NOTIFY_COMMAND` is a command line that reads a JSON object from its input, `DEFICITS_NOTIFY_URL` an
address that the object is sent to. Both may hold a secret: they are taken out of the environment before anything
else is started, and stand in no output. A notification that fails is a line of warning, since the pages are what a
run is for.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any

from deficits.errors import DeficitsError, ExitCode
from deficits.reports.publish import without_folders

if TYPE_CHECKING:
    from deficits.reports.fanout import Outcome

COMMAND, URL = "DEFICITS_NOTIFY_COMMAND", "DEFICITS_NOTIFY_URL"
LONGEST = 10.0
"""Seconds that a command or an address may take."""
LISTED = 20
"""Failed pages that are named; all are counted."""
LETTERS = 200
"""Letters of a message that are told: whoever wants the whole of it opens the failure record."""
BUG = 1
"""What Python itself exits with for an error that is none of ours."""

Warn = Callable[[str], None]
Tell = Callable[[str, str], str | None]
"""Gives the text to the command or the address, and what went wrong."""


class Notified:
    """A run whose end is told, whether it is good or an error.

    Args:
        folder: of the pages; what is told never names it.
        base_url: where the pages stand, so that the list of them can be linked.
        warn: told in a sentence of a notification that failed.
        environment: is without the two variables afterwards.

    >>> around = {"DEFICITS_NOTIFY_COMMAND": "", "PATH": "/bin"}
    >>> with Notified(Path("reports"), None, print, around) as run:
    ...     run.outcomes.clear()
    >>> around
    {'PATH': '/bin'}
    """

    def __init__(
        self, folder: Path, base_url: str | None, warn: Warn, environment: MutableMapping[str, str] | None = None
    ) -> None:
        environment = os.environ if environment is None else environment
        self._command = environment.pop(COMMAND, "").strip()
        self._url = environment.pop(URL, "").strip()
        self._folder, self._base_url, self._warn = folder, base_url, warn
        self.outcomes: list[Outcome] = []
        """What became of the pages so far."""

    def hears(self, say: Callable[[Outcome], None]) -> Callable[[Outcome], None]:
        """What tells of each page, so that this run has heard of it too."""

        def both(outcome: Outcome) -> None:
            self.outcomes.append(outcome)
            say(outcome)

        return both

    def __enter__(self) -> Notified:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ways = ((COMMAND, self._command, _run), (URL, self._url, _send))
        for name, value, tell in ways:
            fault = self._tell(tell, value, error) if value else None
            if fault:
                self._warn(f"nobody was told of this run by {name}: it {fault}")

    def _tell(self, tell: Tell, value: str, error: BaseException | None) -> str | None:
        try:
            told = message(self.outcomes, self._folder, self._base_url, error)
            return _in_time(tell, value, json.dumps(told, ensure_ascii=False))
        except Exception as fault:  # whatever it is, the run has ended as it has
            return _kind(fault)


def message(
    outcomes: Sequence[Outcome], folder: Path, base_url: str | None = None, error: BaseException | None = None
) -> dict[str, Any]:
    """What is told of a run; `error` is what ended it, where something did.

    `text` is the whole in a sentence, which chat services show. Holds no folder of this machine.
    """
    failed = [one for one in outcomes if one.state == "failed"]
    counts = Counter(one.state for one in outcomes)
    code = _code(outcomes, error)
    told = {
        "kind": "deficits notification",
        "version": 1,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "exit_code": code,
        "made": counts["made"],
        "unchanged": counts["unchanged"],
        "failed": counts["failed"],
        "failed_pages": [{"page": one.page, "message": _short(one.message, folder)} for one in failed[:LISTED]],
        "error": None if error is None else _short(f"{type(error).__name__}: {error}", folder),
        "index": f"{base_url.rstrip('/')}/index.html" if base_url else "index.html",
    }
    return told | {"text": _sentence(told)}


def _code(outcomes: Sequence[Outcome], error: BaseException | None) -> int:
    from deficits.reports.fanout import exit_code

    if error is None:
        return int(exit_code(outcomes))
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    return int(error.exit_code) if isinstance(error, DeficitsError) else BUG


def _sentence(told: dict[str, Any]) -> str:
    counted = [f"{told[state]} {state}" for state in ("made", "unchanged", "failed") if told[state]]
    parts = [f"pages: {', '.join(counted)}"] if counted else []
    if told["failed_pages"]:
        named = [each["page"] for each in told["failed_pages"][:5]]
        more = told["failed"] - len(named)
        parts.append(f"failed: {', '.join(named)}{f' and {more} more' if more else ''}")
    parts += [told["error"]] if told["error"] else []
    what = "reports done" if told["exit_code"] == ExitCode.DONE else f"reports, exit code {told['exit_code']}"
    return f"deficits {what}. {'; '.join(parts) or 'No page was asked for'}. See {told['index']}"


def _short(text: str, folder: Path) -> str:
    """The first line of a message, without what tells of the machine."""
    for place in sorted({str(folder), str(folder.resolve())} - {"."}, key=len, reverse=True):
        text = text.replace(place, "(the folder of pages)")
    first = without_folders(text).strip().split("\n")[0]
    return first if len(first) <= LETTERS else f"{first[: LETTERS - 1]}…"


def _in_time(tell: Tell, value: str, text: str) -> str | None:
    """What went wrong, if anything; `tell` may take `LONGEST` seconds and is then left behind."""
    fault: list[str | None] = [f"did not answer in {LONGEST:g} s"]

    def work() -> None:
        try:
            fault[0] = tell(value, text)
        except Exception as error:
            fault[0] = _kind(error)

    # httpx limits each step and not the whole: an answer that comes a byte at a time would go on for ever.
    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(LONGEST + 1)
    return fault[0]


def _kind(error: Exception) -> str:
    """An error without its words, which may hold the address or the command."""
    return f"failed ({type(error).__name__})"


def _run(command: str, text: str) -> str | None:
    """Run the command without a shell, with the text as its input and its own output thrown away."""
    words = command if sys.platform == "win32" else shlex.split(command)
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.communicate(text.encode(), timeout=LONGEST)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"did not end in {LONGEST:g} s"
    return f"ended with {process.returncode}" if process.returncode else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it started."""
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _send(url: str, text: str) -> str | None:
    """Send the text to the address. A redirect is not followed: what is told goes where it was meant to."""
    import httpx

    headers = {"Content-Type": "application/json", "User-Agent": "deficits"}
    with (
        httpx.Client(timeout=LONGEST) as client,
        client.stream("POST", url, content=text.encode(), headers=headers) as answer,
    ):
        return None if answer.is_success else f"answered {answer.status_code}"
