"""From an executed notebook to a page: one HTML file that asks nothing of any server."""

from __future__ import annotations

import html
import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import mistune
from markupsafe import Markup
from mistune.plugins.table import table as table_plugin

from deficits.errors import ReportError
from deficits.formatting import MINUS, slug
from deficits.reports.changes import Changes
from deficits.reports.display import FILTER
from deficits.reports.frame import SITE, bundles, csp_hash, part, templates
from deficits.reports.glossary import corrections, used_in
from deficits.reports.params import PARAMETERS, parse
from deficits.reports.spreadsheet import link, spreadsheet, tables_of
from deficits.reports.whatif import MARK

if TYPE_CHECKING:
    from jinja2 import Template
    from nbformat import NotebookNode

    from deficits.reports.record import RunRecord


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


def lead_and_rest(body: Markup) -> tuple[Markup, Markup]:
    """The body up to the end of its main points, which stand before the contents, and what follows them."""
    found = re.search(r'<section class="main-points".*?</section>', body, flags=re.DOTALL)
    place = found.end() if found else 0
    return body[:place], body[place:]


def _without_tags(text: str) -> str:
    return re.sub(r"<[^>]+>", "", text)


@cache
def _template() -> Template:
    """Compiled once for all pages of a process."""
    made = templates()
    made.filters |= {
        "markdown": lambda text: Markup(markdown(text)),
        "headings": headings,
        "without_first_heading": without_first_heading,
        "lead_and_rest": lead_and_rest,
    }
    return made.get_template("page.html.j2")


def first_heading(notebook: NotebookNode) -> str | None:
    """The notebook's first-level heading, without its markup; None when no markdown cell has one."""
    words = "".join(markdown(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    return next((text for _, text in headings(words, 1)), None)


def notebook_page(notebook: NotebookNode, record: RunRecord, changes: Changes | None = None) -> str:
    """The page of an executed notebook, the record's title as its first heading, the record at its foot.

    `changes`: what differs from the last run; none given is a page's first run.

    Raises ReportError that lists what is wrong: a second first-level heading, an id that stands twice, a picture
    without a text alternative, a script that is not of the project, an output that the page cannot show.
    """
    tables = tables_of(notebook)
    words = _shown_text(notebook)
    differences = parse(record.content.report, record.content.parameters).differences()
    script = _script(words)
    shown = {
        "record": record,
        "style": part("style.css") + (part("whatif.css") if MARK in words else ""),
        "script": script,
        "script_hash": csp_hash(script) if script else "",
        "site": SITE,
        "hidden": PARAMETERS,
        "kinds": SHOWN,
        "changes": changes or Changes(),
        "differences": differences,
        "corrections": corrections(),
        "terms": used_in(words),
        "spreadsheet": link(spreadsheet(tables, record, differences), record.page) if tables else "",
    }
    body = _template().render(notebook=notebook, shown=shown)
    faults = [*output_faults(notebook), *page_faults(body)]
    if faults:
        raise ReportError("the page is not fit to publish: " + "; ".join(faults))
    return body.replace(f"{MINUS}£", f"{MINUS}\N{WORD JOINER}£")  # a line does not end after a minus


SCRIPTS = {MARK: "whatif.js", FILTER: "filter.js"}
"""The scripts that a page may have, by what it must hold to have one: each is the project's own."""


def _script(words: str) -> Markup:
    """The scripts of a page, in one; nothing where it has neither a panel nor a table to filter."""
    return Markup("").join(part(name) for mark, name in SCRIPTS.items() if mark in words)


def _shown_text(notebook: NotebookNode) -> str:
    """The words that a notebook puts on its page, as HTML."""
    words = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return " ".join([*words, *(data.get("text/html", "") for data in bundles(notebook))])


SHOWN = ("text/html", "image/png", "text/markdown", "text/plain")
"""Kinds of output that the template puts on a page: the first that an output has."""


def output_faults(notebook: NotebookNode) -> list[str]:
    """Outputs that the page would leave out without a word."""
    faults = []
    for place, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", []):
            kinds = set(output.get("data", {})) - {"text/plain", PARAMETERS}
            if kinds and kinds.isdisjoint(SHOWN):
                faults.append(f"cell {place} shows only {', '.join(sorted(kinds))}; use deficits.reports.figure")
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
    rest = body.replace(f"<script>{_script(body)}</script>", "", 1)
    faults += [f"there is a <{tag}> element" for tag in ("script", "iframe", "object") if f"<{tag}" in rest]
    return faults


META = "deficits-run-record"


def with_record(html: str, record: RunRecord) -> str:
    """A page that carries its run record, for whoever has the page alone."""
    text = json.dumps(record.model_dump(mode="json", exclude={"files"}), ensure_ascii=False, allow_nan=False)
    meta = Markup('<meta name="{}" content="{}">\n</head>').format(META, text)
    return html.replace("</head>", str(meta), 1)
