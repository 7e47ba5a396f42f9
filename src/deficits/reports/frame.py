"""What every page has around it, without loading what makes pages from notebooks."""

from __future__ import annotations

import base64
import hashlib
from datetime import date
from pathlib import Path

from markupsafe import Markup

PARTS = Path(__file__).parent / "templates"
"""Templates, style sheets and scripts."""

SITE = "SEND deficits in England’s councils"


def day(when: date) -> str:
    """A date as it is written in Britain.

    >>> day(date(2026, 11, 5))
    '5 November 2026'
    """
    return f"{when.day} {when:%B %Y}"


def part(name: str) -> Markup:
    """A style sheet or a script as it stands in a page."""
    return Markup((PARTS / name).read_text(encoding="utf-8"))


def csp_hash(script: str) -> str:
    """What the content security policy calls the one script that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
