"""A council's page in brief as a PDF of one sheet: its print view, printed by a browser of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from deficits.errors import ReportError, ReportFailed
from deficits.paths import write_whole

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
QUIET = ("--headless", "--disable-gpu", "--disable-background-networking", "--no-first-run")
SECONDS = 120
"""In which one sheet is printed."""


def browser() -> str:
    """The program that prints; ReportError when this machine has none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise ReportError(f"--pdf prints with a browser, and none of {', '.join(BROWSERS)} is found: install one")
    return found


def write_briefings(pages: Iterable[Path], at_once: int) -> None:
    """Write `<page>.pdf` next to each of these councils' pages. ReportFailed names one that is not printed."""
    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(partial(_print, browser()), pages))


def _print(program: str, page: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="deficits-", ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "briefing.pdf"
        asked = [*QUIET, f"--user-data-dir={folder}", "--no-pdf-header-footer", f"--print-to-pdf={made}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            asked.append("--no-sandbox")  # the browser has none for root
        command = [program, *asked, f"{page.resolve().as_uri()}#briefing"]
        try:
            subprocess.run(command, capture_output=True, check=True, timeout=SECONDS)
            write_whole(page.with_suffix(".pdf"), made.read_bytes())
        except (OSError, subprocess.SubprocessError) as error:
            told = getattr(error, "strerror", None) or type(error).__name__
            raise ReportFailed(f"{page.stem}.pdf could not be printed by {program}: {told}") from None
