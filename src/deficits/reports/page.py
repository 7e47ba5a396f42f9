"""From an executed notebook to a page: one HTML file that asks nothing of any server."""

from __future__ import annotations

import html
import json
import os
import re
import tomllib
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import mistune
from markupsafe import Markup
from pydantic import Field, field_validator

from deficits.errors import ReportError
from deficits.formatting import MINUS, slug
from deficits.reports.changes import Changes
from deficits.reports.display import FILTER
from deficits.reports.frame import SITE, bundles, csp_hash, part, templates
from deficits.reports.params import PARAMETERS, find_report, parse
from deficits.reports.spreadsheet import link, spreadsheet, tables_of
from deficits.reports.whatif import MARK
from deficits.validation import Declared

if TYPE_CHECKING:
    from jinja2 import Template
    from nbformat import NotebookNode

    from deficits.reports.record import RunRecord

META = "deficits-run-record"
SCRIPTS = {MARK: "whatif.js", FILTER: "filter.js"}
"""The scripts that a page may have, by what it must hold to have one: each is the project's own."""
SHOWN = ("text/html", "text/markdown", "text/plain")
"""Kinds of output that the template puts on a page: the first that an output has."""


# Markdown -------------------------------------------------------------------------------------------------------


class _Words(mistune.HTMLRenderer):
    def heading(self, text: str, level: int, **attrs: Any) -> str:
        return f'<h{level} id="{slug(_without_tags(text))}">{text}</h{level}>\n'


def markdown(text: str) -> str:
    """Markdown as HTML, headings with ids. HTML within it is shown, not used.

    >>> markdown("## How sure are we?")
    '<h2 id="how-sure-are-we">How sure are we?</h2>\\n'
    """
    return str(mistune.create_markdown(renderer=_Words(escape=True), plugins=["url"])(text))


# Words that a page explains at its foot, and corrections that it tells of -------------------------------------


class Correction(Declared):
    """An error of ours that stood on published pages."""

    on: date = Field(description="day on which the corrected page was published")
    reports: tuple[str, ...] = Field(description="names of reports; none where every page had the error")
    was: str
    now: str

    @field_validator("reports")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(find_report(name).report for name in names)


class Corrections(Declared):
    """All of them, and where to report one more."""

    report_to: str = Field(description="a web or e-mail address, or nothing")
    correction: tuple[Correction, ...] = ()

    def of(self, report: str) -> list[Correction]:
        """Those that touched a report's pages, the newest first."""
        touched = [each for each in self.correction if not each.reports or report in each.reports]
        return sorted(touched, key=lambda each: each.on, reverse=True)

    @property
    def address(self) -> str:
        """Where to report an error, as a link has it."""
        return f"mailto:{self.report_to}" if "@" in self.report_to else self.report_to


@cache
def terms() -> list[dict[str, Any]]:
    """The whole glossary, in the order of the alphabet: name, found_by, means and the pattern that finds each."""
    declared, found = tomllib.loads(part("glossary.toml")), []
    for name, means in sorted(declared["means"].items(), key=lambda term: str(term[0]).casefold()):
        found_by = declared["found_by"].get(name, [name])
        # An abbreviation in small letters is another word.
        words = (re.escape(word) if word.isupper() else f"(?i:{re.escape(word)})" for word in found_by)
        pattern = re.compile(rf"(?<!\w)(?:{'|'.join(words)})s?(?!\w|\.\w)")
        found.append({"name": name, "means": means, "found_by": found_by, "pattern": pattern})
    return found


def terms_in(body: str) -> list[dict[str, Any]]:
    """Terms that a page's text uses."""
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())
    return [term for term in terms() if term["pattern"].search(text)]


@cache
def corrections() -> Corrections:
    """The corrections of published pages, with the contact of whoever runs the reports."""
    declared = tomllib.loads(part("corrections.toml"))
    return Corrections(**declared | {"report_to": os.environ.get("DEFICITS_CONTACT") or declared["report_to"]})


# The page -------------------------------------------------------------------------------------------------------


def headings(body: str, level: int) -> list[tuple[str, str]]:
    """Ids and texts of the headings of a level, in the page's order.

    >>> headings('<h2 id="a">A &amp; b</h2><h3>c</h3>', 2)
    [('a', 'A & b')]
    """
    found = re.findall(rf'<h{level}(?: id="([^"]*)")?[^>]*>(.*?)</h{level}>', body, flags=re.DOTALL)
    return [(name, html.unescape(_without_tags(text)).strip()) for name, text in found]


def lead_and_rest(body: str) -> tuple[Markup, Markup]:
    """The body up to the end of its main points, which stand before the contents, and what follows them; without
    its first-level heading, which the template writes itself.
    """
    body = Markup(re.sub(r"<h1[^>]*>.*?</h1>\s*", "", body, count=1, flags=re.DOTALL))
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
    said = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    words = " ".join([*said, *(data.get("text/html", "") for data in bundles(notebook))])
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
        "terms": terms_in(words),
        "spreadsheet": link(spreadsheet(tables, record, differences), record.page) if tables else "",
    }
    body = _template().render(notebook=notebook, shown=shown)
    faults = [*output_faults(notebook), *page_faults(body)]
    if faults:
        raise ReportError("the page is not fit to publish: " + "; ".join(faults))
    return body.replace(f"{MINUS}£", f"{MINUS}\N{WORD JOINER}£")  # a line does not end after a minus


def _script(words: str) -> Markup:
    """The scripts of a page, in one; nothing where it has neither a panel nor a table to filter."""
    return Markup("").join(part(name) for mark, name in SCRIPTS.items() if mark in words)


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


def with_record(html: str, record: RunRecord) -> str:
    """A page that carries its run record, for whoever has the page alone."""
    text = json.dumps(record.model_dump(mode="json", exclude={"files"}), ensure_ascii=False, allow_nan=False)
    meta = Markup('<meta name="{}" content="{}">\n</head>').format(META, text)
    return html.replace("</head>", str(meta), 1)
