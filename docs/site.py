"""Hooks of the documentation site: tutorials become pages, what else leads out of `docs` is named and not linked,
and formulas become MathML."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File
from nbconvert import MarkdownExporter

DOCS = Path(__file__).parent
TUTORIALS = DOCS.parent / "notebooks" / "tutorials"


def on_files(files: Any, config: Any) -> Any:
    """The site's files, with a page a tutorial, as it is stored, and a list of them."""
    listed = ["# Tutorials\n"]
    for path in sorted(TUTORIALS.glob("*.ipynb")):
        text, _ = MarkdownExporter().from_filename(path)
        files.append(File.generated(config, f"tutorials/{path.stem}.md", content=text))
        listed.append(f"- [{text.split(chr(10), 1)[0].lstrip('# ')}]({path.stem}.md)")
    files.append(File.generated(config, "tutorials/README.md", content="\n".join(listed)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page's Markdown as the site takes it."""
    folder = PurePosixPath(page.file.src_uri).parent

    def link(found: re.Match[str]) -> str:
        words, target = found.groups()
        if "://" in target or target.startswith("#"):
            return found[0]
        path = (DOCS / folder / target.partition("#")[0]).resolve()
        if path.is_relative_to(TUTORIALS):
            name = "README.md" if path == TUTORIALS else f"{path.stem}.md"
            return f"[{words}]({'../' * len(folder.parts)}tutorials/{name})"
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
