"""From an executed notebook to a page: one HTML file that asks nothing of any server."""

from __future__ import annotations

import html
import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mistune
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from mistune.plugins.table import table as table_plugin
from nbconvert.exporters import TemplateExporter

from deficits.errors import ReportError
from deficits.reporting.parameters import PARAMETERS, slug

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from deficits.reporting.record import RunRecord

HERE = Path(__file__).parent
SITE = "SEND deficits in England’s councils"


class _Words(mistune.HTMLRenderer):
    """Markdown to HTML: headings with ids, table headings with their scope."""

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        return f'<h{level} id="{slug(_without_tags(text))}">{text}</h{level}>\n'


def markdown(text: str) -> str:
    """Markdown as HTML. HTML within it is shown, not used. A paragraph "Table: ..." before a table is its caption.

    >>> markdown("## How sure are we?")
    '<h2 id="how-sure-are-we">How sure are we?</h2>\\n'
    """
    write = mistune.create_markdown(renderer=_Words(escape=True), plugins=[table_plugin, "url"])
    written = str(write(text)).replace("<th>", '<th scope="col">').replace("<th style", '<th scope="col" style')
    written = re.sub(
        r"<p>Table: (.*?)</p>\s*<table>", r"<table><caption><span>\1</span></caption>", written, flags=re.DOTALL
    )
    return written.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")


def day(when: date) -> str:
    """A date as it is written in Britain.

    >>> day(date(2026, 11, 5))
    '5 November 2026'
    """
    return f"{when.day} {when:%B %Y}"


def headings(body: str, level: int) -> list[tuple[str, str]]:
    """Ids and texts of the headings of a level, in the page's order.

    >>> headings('<h2 id="a">A &amp; b</h2><h3>c</h3>', 2)
    [('a', 'A & b')]
    """
    found = re.findall(rf'<h{level}(?: id="([^"]*)")?[^>]*>(.*?)</h{level}>', body, flags=re.DOTALL)
    return [(name, html.unescape(_without_tags(text)).strip()) for name, text in found]


def without_first_heading(body: str) -> Markup:
    """The page's body without its first-level heading, which the template writes itself."""
    return Markup(re.sub(r"<h1[^>]*>.*?</h1>\s*", "", body, count=1, flags=re.DOTALL))


def _without_tags(text: str) -> str:
    return re.sub(r"<[^>]+>", "", text)


class PageExporter(TemplateExporter):
    """nbconvert's exporter with the template that stands beside this module."""

    file_extension = ".html"
    output_mimetype = "text/html"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            template_name="page",
            extra_template_basedirs=[str(HERE)],
            exclude_input=True,
            exclude_raw=True,
            filters={
                "markdown": lambda text: Markup(markdown(text)),
                "headings": headings,
                "without_first_heading": without_first_heading,
                "day": day,
            },
            **kwargs,
        )

    def _create_environment(self) -> Environment:
        environment: Environment = super()._create_environment()  # type: ignore[no-untyped-call]
        environment.autoescape = True
        return environment


def first_heading(notebook: NotebookNode) -> str | None:
    """The notebook's first-level heading, without its markup; None when no markdown cell has one."""
    words = "".join(markdown(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    return next((text for _, text in headings(words, 1)), None)


def notebook_page(notebook: NotebookNode, record: RunRecord) -> str:
    """The page of an executed notebook, the record's title as its first heading, the record at its foot.

    Raises ReportError that lists what is wrong: a second first-level heading, an id that stands twice, a picture
    without a text alternative, a script, an output that the page cannot show.
    """
    shown = {"record": record, "style": style(), "site": SITE, "hidden": PARAMETERS}
    body, _ = PageExporter().from_notebook_node(notebook, {"shown": shown})
    faults = [*output_faults(notebook), *page_faults(body)]
    if faults:
        raise ReportError("the page is not fit to publish: " + "; ".join(faults))
    return str(body)


SHOWN = frozenset({"text/html", "text/markdown", "image/png"})
"""Kinds of output, besides plain text, that the template puts on a page."""


def output_faults(notebook: NotebookNode) -> list[str]:
    """Outputs that the page would leave out without a word."""
    faults = []
    for place, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", []):
            kinds = set(output.get("data", {})) - {"text/plain", PARAMETERS}
            if kinds and SHOWN.isdisjoint(kinds):
                faults.append(f"cell {place} shows only {', '.join(sorted(kinds))}; use deficits.reporting.show")
    return faults


def page_faults(body: str) -> list[str]:
    """What makes a page unfit to publish."""
    faults = []
    titles = headings(body, 1)
    if len(titles) != 1:
        faults.append(f"expected one first-level heading, found {len(titles)}")
    ids = re.findall(r'<[^>]+\sid="([^"]+)"', body)
    twice = sorted({name for name in ids if ids.count(name) > 1})
    faults += [f"two elements have the id '{name}'" for name in twice]
    pictures = [tag for tag in re.findall(r"<img\b[^>]*>", body) if not re.search(r'\salt="[^"]+"', tag)]
    faults += [f"{len(pictures)} pictures without a text alternative"] if pictures else []
    faults += [f"there is a <{tag}> element" for tag in ("script", "iframe", "object") if f"<{tag}" in body]
    return faults


def style() -> Markup:
    """The style sheet of every page."""
    return Markup((HERE / "page" / "style.css").read_text(encoding="utf-8"))


def plain_page(template: str, **shown: Any) -> str:
    """A page from a template in the `page` folder that is no notebook's."""
    environment = Environment(loader=FileSystemLoader(HERE / "page"), autoescape=True, trim_blocks=True)
    environment.filters["day"] = day
    return environment.get_template(template).render(style=style(), site=SITE, **shown)
