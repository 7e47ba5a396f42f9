"""What every page has around it, and what a notebook has shown, without loading what makes pages."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from deficits.formatting import day_in_words

PARTS = Path(__file__).parent / "templates"
"""Templates, style sheets and scripts."""
SITE = "SEND deficits in England's councils"


def templates() -> Environment:
    """The templates."""
    loader = FileSystemLoader(PARTS)
    made = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.filters["day"] = day_in_words
    return made


def bundles(notebook: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a notebook's cells have shown, in order: of each output its kinds of data."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            yield output.get("data", {})


def first_chart(notebook: Path) -> str:
    """The first chart that the notebook in a file shows, as HTML; empty where there is none."""
    try:
        shown = ["".join(data.get("text/html", "")) for data in bundles(json.loads(notebook.read_bytes()))]
    except (OSError, ValueError, KeyError):
        return ""
    return next((html for html in shown if 'class="chart"' in html), "")


def part(name: str) -> Markup:
    """A style sheet or a script as it stands in a page."""
    return Markup((PARTS / name).read_text(encoding="utf-8"))


def csp_hash(script: str) -> str:
    """What the content security policy calls the one script that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
