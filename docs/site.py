"""Hooks of the documentation site: what leads out of `docs` is named and not linked; formulas become MathML."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from latex2mathml.converter import convert

DOCS = Path(__file__).parent


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page's Markdown as the site takes it."""
    folder = PurePosixPath(page.file.src_uri).parent

    def link(found: re.Match[str]) -> str:
        words, target = found.groups()
        if "://" in target or target.startswith("#"):
            return found[0]
        path = (DOCS / folder / target.partition("#")[0]).resolve()
        inside = path.is_relative_to(DOCS) and path.is_file()
        return found[0] if inside else f"{words} (`{path.relative_to(DOCS.parent).as_posix()}` in the repository)"

    return re.sub(r"(?<!\!)\[([^\]]+)\]\(([^)\s]+)\)", link, _formulas(markdown))


def _formulas(markdown: str) -> str:
    """TeX between dollars, outside code, as MathML, which browsers draw without a script."""
    parts = re.split(r"(```.*?```|`[^`\n]*`)", markdown, flags=re.DOTALL)
    for place in range(0, len(parts), 2):
        parts[place] = re.sub(
            r"\$\$(.+?)\$\$", lambda each: convert(each[1], "block"), parts[place], flags=re.DOTALL
        )
        parts[place] = re.sub(r"\$([^$\n]+)\$", lambda each: convert(each[1]), parts[place])
    return "".join(parts)
