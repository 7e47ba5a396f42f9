"""What a notebook shows: charts, tables, main points and sources, each as HTML and as rounded plain text.

A chart is an image with its text alternative, so that a notebook that JupyterLab does not trust shows it too. A
table is kept with its HTML as data, from which the page's spreadsheet is made. nbval compares the plain text.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from deficits.errors import ReportError, closest
from deficits.formatting import slug, two_figures
from deficits.raw import raw_data
from deficits.reports.tables import DATA, Format, Link, csv_link, html_table, laid_out, resource, text_table

if TYPE_CHECKING:
    import pandas as pd

    from deficits.plots import Chart

FILTER = 'class="filter tools"'
"""By what a page knows that it has a table to filter."""
NO_HEADLINE = frozenset({"", "nan", "inf", "infinity", "none", "true", "false"})
HEADLINE = "application/vnd.deficits.headline+json"
POINTS = "application/vnd.deficits.points+json"

OGL = "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"
LICENCES = {
    "OGL-UK-3.0": Link("Open Government Licence v3.0", OGL),
    "facts": "facts quoted from the publication",
}
OGL_ATTRIBUTION = "Contains public sector information licensed under the Open Government Licence v3.0."


@dataclass(frozen=True)
class Shown:
    """Something for a notebook to show: the last line of a cell, or given to IPython's `display`."""

    html: str
    text: str
    other: Mapping[str, Any] = field(default_factory=dict)
    """Further MIME types and what they hold."""

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/html": self.html, "text/plain": self.text, **self.other}


def figure(chart: Chart) -> Shown:
    """A chart with its finding as heading, its source, and its numbers as a table and as CSV."""
    name, source = f"figure-{chart.name}", chart.source.rstrip(".")
    columns = laid_out(chart.data, chart.unit if chart.unit.startswith("£") else "")
    # The heading says the finding already.
    alt = chart.alt.removeprefix(f"{chart.finding}.").strip() or chart.alt
    html = Markup(
        '<figure class="chart" id="{name}">\n'
        '<figcaption><h3>{finding}</h3>\n<p class="subtitle">{subtitle}, {unit}</p></figcaption>\n'
        '<div class="picture"><img src="data:image/svg+xml;base64,{svg}" alt="{alt}"></div>\n'
        '<p class="source">Source: {source}.</p>\n</figure>\n'
        '<details class="data"><summary>Table and data<span class="vh">: {finding}</span></summary>\n'
        "{table}\n<p>{link}</p>\n</details>"
    ).format(
        name=name,
        finding=chart.finding,
        subtitle=chart.subtitle,
        unit=chart.unit,
        svg=base64.b64encode(chart.svg().encode()).decode("ascii"),
        alt=alt,
        source=source,
        table=html_table(columns, f"{name}-data", f"{chart.subtitle}: the figures in the chart"),
        link=csv_link(columns, chart.name),
    )
    text = "\n".join([chart.finding, alt, "", text_table(columns)])
    return Shown(str(html), text, {DATA: resource(columns, name, chart.subtitle, source, chart.finding)})


def table(
    frame: pd.DataFrame,
    name: str = "",
    caption: str = "",
    source: str = "",
    formats: Mapping[str, Format] | None = None,
    units: str = "",
    filters: Sequence[str] = (),
    estimates: bool = False,
) -> Shown:
    """A table with its caption, its source and its figures as CSV.

    The first column (a named index, where there is one) names the rows. `units` is what numbers are shown in: "£",
    "£m", "£bn", "%" (of shares from 0 to 1) or "number"; `formats` gives one of these for a column, "chance" (a
    share of simulations, never 0 or 100), "year" (the calendar year in which a financial year ends), or a function
    from a value to a text or a `Link`. The unit goes to the column's heading; a missing value is "n/a". `name` is
    the id, unique on the page. `filters` are columns of which a reader can choose a value, next to a search of all
    cells; without scripts the whole table shows.
    `estimates`: columns whose names end in "(£)" are estimates for councils, rounded to two figures as everywhere.

    Raises ReportError for an empty caption or source, no rows, or a format or filter that is not known or belongs
    to no column.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"Council": ["Kent", "Bury"], "Deficit": [142.1e6, None]})
    >>> table(frame, caption="Deficits at March 2024", source="section 251 from DfE", units="£m")
    Deficits at March 2024
    Council  Deficit (£m)
    Kent            142.1
    Bury              n/a
    Source: section 251 from DfE.
    """
    name = name or slug(caption)
    for what, text in (("caption", caption), ("source", source)):
        if not text.strip():
            raise ReportError(f"table '{name}': {what} is empty; a table is not published without it")
    if estimates:
        frame = frame.assign(**{each: frame[each].map(two_figures) for each in frame if str(each).endswith("(£)")})
    try:
        columns = laid_out(frame, units, formats)
    except ValueError as error:
        raise ReportError(f"table '{name}': {error}") from None
    tools = _filter(f"table-{name}", caption, [each.heading for each in columns], filters)
    source = source.rstrip(".")
    html = Markup('<div class="table">\n{}{}\n<p class="source">Source: {}. {}</p>\n</div>').format(
        tools, html_table(columns, f"table-{name}", caption), source, csv_link(columns, name)
    )
    text = f"{caption}\n{text_table(columns)}\nSource: {source}."
    return Shown(str(html), text, {DATA: resource(columns, f"table-{name}", caption, source)})


def _filter(name: str, caption: str, headings: Sequence[str], filters: Sequence[str]) -> Markup:
    """What a reader chooses a table's rows with, which the page's script shows; nothing without filters."""
    for heading in filters:
        if heading not in headings:
            raise ReportError(f"table '{name}': filter '{heading}' is no column; {closest(heading, headings)}")
    if not filters:
        return Markup("")
    choices = Markup("").join(
        Markup(
            '<div><label for="{0}-{1}">{2}</label><select id="{0}-{1}" data-column="{1}">'
            '<option value="">All</option></select></div>'
        ).format(name, headings.index(heading), heading)
        for heading in filters
    )
    return Markup(
        '<div class="filter tools" data-table="{0}" role="search" aria-label="{1}" hidden>'
        '<div><label for="{0}-search">Find words</label>'
        '<input id="{0}-search" type="search" autocomplete="off"></div>'
        '{2}<p role="status"></p></div>\n'
    ).format(name, caption, choices)


def main_points(points: Sequence[str], headline: Mapping[str, float | int | str]) -> Shown:
    """The main points of a page, and its headline values by name for the run record.

    Raises ReportError when there are no points, or a headline value is missing or not finite.

    >>> main_points(["The deficit is £3.8bn."], {"england.gross_deficit.2025": 3.8e9})
    Main points
    - The deficit is £3.8bn.
    """
    faults = [] if headline else ["there is no headline value"]
    faults += [
        f"headline '{name}' is {value!r}, expected a finite number or a text"
        for name, value in headline.items()
        if str(value).strip().casefold().lstrip("+-") in NO_HEADLINE
    ]
    if not [point for point in points if point.strip()]:
        faults.append("there are no points")
    if faults:
        raise ReportError("main points: " + "; ".join(faults))
    html = Markup(
        '<section class="main-points" aria-labelledby="main-points">\n'
        '<h2 id="main-points">Main points</h2>\n{}\n</section>'
    ).format(_listed(points))
    text = "\n".join(["Main points", *(f"- {point}" for point in points)])
    return Shown(str(html), text, {HEADLINE: dict(headline), POINTS: list(points)})


def paragraph(text: str) -> Shown:
    """A paragraph of the page, for words with numbers in them.

    >>> paragraph("The deficit is £3.8bn.")
    The deficit is £3.8bn.
    """
    return Shown(str(Markup("<p>{}</p>").format(text)), text)


def notes(texts: Iterable[str]) -> Shown:
    """Remarks as a list: a projection's warnings, a scheme's assumptions; "None." where there are none.

    >>> notes(["Surrey is split on 1 April 2027."])
    - Surrey is split on 1 April 2027.
    """
    listed = [text for text in texts if text.strip()]
    if not listed:
        return paragraph("None.")
    return Shown(str(_listed(listed)), "\n".join(f"- {text}" for text in listed))


def _listed(items: Iterable[str]) -> Markup:
    return Markup("<ul>\n{}\n</ul>").format(
        Markup("\n").join(Markup("<li>{}</li>").format(item) for item in items)
    )


def sources(*publications: str | list[str]) -> Shown:
    """The publications that a page rests on, each with its link, licence, dates and files.

    Each is named by its folder in `data/raw`, like "section251-outturn". Raises ReportError for an unknown one.
    """
    known = raw_data().sources
    names = [name for given in publications for name in ([given] if isinstance(given, str) else given)]
    for name in names:
        if name not in known:
            raise ReportError(f"sources: no publication '{name}'; {closest(name, known)}")
    items, text = [], []
    for source in (known[name] for name in names):
        days = {
            "Published": source.newest,
            "Next edition due": source.next_expected,
            "Retrieved": source.retrieved.isoformat(),
        }
        dates = [f"{what} {str(day).rstrip('.')}" for what, day in days.items() if day]
        # No other address is one that a reader's browser opens as a page.
        web = str(source.url).startswith(("https://", "http://"))
        files = Markup("").join(
            Markup("<li><code>{}</code> <code>{}</code></li>").format(file.name, file.sha256)
            for file in source.file
        )
        items.append(
            Markup(
                '<li>{link}, from {publisher}\n<span class="detail">{dates}. Licence: {licence}.</span>\n'
                "<details><summary>Files used from {title}, with sha256</summary><ul>{files}</ul></details></li>"
            ).format(
                link=Link(source.title, str(source.url)) if web else source.title,
                publisher=source.publisher,
                dates=". ".join(dates),
                licence=LICENCES[source.licence],
                title=source.title,
                files=files,
            )
        )
        text.append(". ".join([f"- {source.title}, from {source.publisher}", *dates]))
    html = Markup('<ul class="sources">\n{}\n</ul>').format(Markup("\n").join(items))
    if any(known[name].licence == "OGL-UK-3.0" for name in names):
        html += Markup('\n<p class="source">{}</p>').format(OGL_ATTRIBUTION)
    return Shown(str(html), "\n".join(text))
