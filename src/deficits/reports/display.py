"""What a notebook shows: charts, tables, main points and sources, each as HTML and as rounded plain text.

The plain text is what nbval compares, so it holds every figure that the HTML does, rounded the same way.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from markupsafe import Markup

from deficits.errors import ReportError, closest
from deficits.reports.tables import Format, csv_link, html_table, laid_out, text_table

if TYPE_CHECKING:
    import pandas as pd

HEADLINE = "application/vnd.deficits.headline+json"
POINTS = "application/vnd.deficits.points+json"

LICENCES = {
    "OGL-UK-3.0": (
        "Open Government Licence v3.0",
        "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
    ),
    "facts": ("facts quoted from the publication", ""),
}
OGL_ATTRIBUTION = "Contains public sector information licensed under the Open Government Licence v3.0."
_DATES = {
    "published": "Published {}",
    "next_expected": "Next edition due {}",
    "retrieved": "Retrieved {}",
    "via": "Tabulated by {}",
}
SOURCE_FIELDS = ("title", "publisher", "url", "licence", *_DATES, "note", "files")


class ChartLike(Protocol):
    """What `show` needs of a chart; `deficits.plots.Chart` has it."""

    @property
    def name(self) -> str:
        """Lower-case words joined by hyphens, unique on a page."""

    @property
    def finding(self) -> str:
        """The headline."""

    @property
    def subtitle(self) -> str:
        """Measure, geography and period."""

    @property
    def unit(self) -> str:
        """Of the value axis, such as "£bn"."""

    @property
    def source(self) -> str:
        """Publication and organisation."""

    @property
    def alt(self) -> str:
        """The finding and the shape in words."""

    @property
    def data(self) -> pd.DataFrame:
        """What is drawn, unrounded; column names carry their unit."""

    def svg(self) -> str:
        """The figure as an `<svg>` element with its text alternative."""

    def png(self) -> bytes:
        """The figure as a PNG file."""


@dataclass(frozen=True)
class Shown:
    """Something for a notebook to show: the last line of a cell, or given to IPython's `display`."""

    html: str
    text: str
    other: Mapping[str, Any] = field(default_factory=dict)
    """Further MIME types and what they hold."""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"text/html": self.html, "text/plain": self.text, **self.other}, dict(self.metadata)


def show(chart: ChartLike) -> Shown:
    """A chart with its finding as heading, its source, and its numbers as a table and as CSV.

    Where HTML cannot be shown, as in a notebook that JupyterLab does not trust yet, there is a PNG.
    """
    name = f"figure-{chart.name}"
    shown = laid_out(chart.data, unit=chart.unit)
    caption = f"{chart.subtitle}: the figures in the chart"
    html = Markup(
        '<figure class="chart" id="{name}">\n'
        '<figcaption><h3>{finding}</h3>\n<p class="subtitle">{subtitle}, {unit}</p></figcaption>\n'
        '<div class="picture">{svg}</div>\n<p class="source">Source: {source}.</p>\n</figure>\n'
        '<details class="data"><summary>Table and data<span class="vh">: {short}</span></summary>\n'
        "{table}\n<p>{link}</p>\n</details>"
    ).format(
        name=name,
        finding=chart.finding,
        subtitle=chart.subtitle,
        unit=chart.unit,
        svg=Markup(chart.svg()),
        source=chart.source.rstrip("."),
        short=_lower_first(chart.subtitle),
        table=html_table(shown, f"{name}-data", caption),
        link=csv_link(chart.data, chart.name),
    )
    text = "\n".join([chart.finding, chart.alt, "", text_table(shown)])
    picture = base64.b64encode(chart.png()).decode("ascii")
    return Shown(str(html), text, {"image/png": picture}, {"image/png": {"alt": chart.alt}})


def table(
    frame: pd.DataFrame, name: str, caption: str, source: str, formats: Mapping[str, Format] | None = None
) -> Shown:
    """A table with its caption, its source and its unrounded values as CSV.

    The first column names the rows. `formats` gives for a column a function from a value to a text, or one of
    "gbp" (£), "gbp_m" (£, shown in £m), "gbp_bn" (£, shown in £bn), "percent" (0 to 1, shown in %), "count" and
    "year" (the calendar year in which a financial year ends). The unit goes to the column's heading.
    A missing value is a dash.

    Raises ReportError for an empty caption or source, or a format that is not known or belongs to no column.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"Council": ["Kent", "Bury"], "Deficit": [142.1e6, None]})
    >>> table(frame, "largest", "Deficits at March 2024", "section 251 from DfE", {"Deficit": "gbp_m"})
    Deficits at March 2024
    Council  Deficit (£m)
    Kent            142.1
    Bury                –
    Source: section 251 from DfE.
    """
    for what, text in (("caption", caption), ("source", source)):
        if not text.strip():
            raise ReportError(f"table '{name}': {what} is empty; a table is not published without it")
    try:
        shown = laid_out(frame, formats)
    except ValueError as error:
        raise ReportError(f"table '{name}': {error}") from None
    html = Markup('<div class="table">\n{table}\n<p class="source">Source: {source}. {link}</p>\n</div>').format(
        table=html_table(shown, f"table-{name}", caption),
        source=source.rstrip("."),
        link=csv_link(frame, name),
    )
    return Shown(str(html), f"{caption}\n{text_table(shown)}\nSource: {source.rstrip('.')}.")


def main_points(points: Sequence[str], headline: Mapping[str, float | int | str]) -> Shown:
    """The main points of a page, and its headline values for the run record, unrounded.

    Raises ReportError when there are no points, or a headline value is missing or not finite.

    >>> main_points(["The deficit is £3.8bn."], {"gross_2025": 3.8e9})
    Main points
    - The deficit is £3.8bn.
    """
    faults = headline_faults(headline)
    if not [point for point in points if point.strip()]:
        faults.append("there are no points")
    if faults:
        raise ReportError("main points: " + "; ".join(faults))
    items = Markup("\n").join(Markup("<li>{}</li>").format(point) for point in points)
    html = Markup(
        '<section class="main-points" aria-labelledby="main-points">\n'
        '<h2 id="main-points">Main points</h2>\n<ul>\n{}\n</ul>\n</section>'
    ).format(items)
    text = "\n".join(["Main points", *(f"- {point}" for point in points)])
    return Shown(str(html), text, {HEADLINE: dict(headline), POINTS: list(points)})


def headline_faults(headline: Mapping[str, object]) -> list[str]:
    """What is wrong with headline values: none at all, or one that is missing or not finite."""
    faults = [] if headline else ["there is no headline value"]
    for name, value in headline.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            faults.append(f"headline '{name}' is {value!r}, expected a number or a text")
        elif isinstance(value, str):
            if not value.strip() or value.strip().casefold().lstrip("+-") in {"nan", "inf", "infinity", "none"}:
                faults.append(f"headline '{name}' is the text {value!r}, expected a value")
        elif not math.isfinite(value):
            faults.append(f"headline '{name}' is {value}, expected a finite number")
    return faults


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
    items = Markup("\n").join(Markup("<li>{}</li>").format(text) for text in listed)
    return Shown(str(Markup("<ul>\n{}\n</ul>").format(items)), "\n".join(f"- {text}" for text in listed))


def sources(listed: Iterable[Mapping[str, Any]]) -> Shown:
    """The publications that a page rests on, each with its link, licence, dates and files.

    Each is a mapping with `title` and `publisher`, and where known `url`, `licence` ("OGL-UK-3.0", "facts" or a
    licence's name), `published`, `next_expected`, `retrieved`, `via`, `note`, and `files` (name to sha256).
    Raises ReportError for a key that is not one of these, or a missing title or publisher.
    """
    checked = [_checked_source(source) for source in listed]
    if not checked:
        raise ReportError("sources: none is given; a page names what it rests on")
    items = Markup("\n").join(Markup("<li>{}</li>").format(_source_html(source)) for source in checked)
    html = Markup('<ul class="sources">\n{}\n</ul>').format(items)
    if any(source.get("licence") == "OGL-UK-3.0" for source in checked):
        html += Markup('\n<p class="source">{}</p>').format(OGL_ATTRIBUTION)
    return Shown(str(html), "\n".join(_source_text(source) for source in checked))


def _checked_source(source: Mapping[str, Any]) -> dict[str, Any]:
    faults = [f"unknown key '{key}', {closest(key, SOURCE_FIELDS)}" for key in source if key not in SOURCE_FIELDS]
    faults += [f"no {key}" for key in ("title", "publisher") if not source.get(key)]
    if faults:
        raise ReportError(f"source '{source.get('title', '?')}': {'; '.join(faults)}")
    return {key: value for key, value in source.items() if value}


def _source_html(source: Mapping[str, Any]) -> Markup:
    lines = [Markup("{}, from {}").format(_link(source["title"], source.get("url", "")), source["publisher"])]
    details = _dates(source)
    if "licence" in source:
        name, address = LICENCES.get(source["licence"], (source["licence"], ""))
        details.append(Markup("Licence: {}").format(_link(name, address)))
    details += [Markup("{}").format(source["note"])] if "note" in source else []
    if details:
        lines.append(Markup('<span class="detail">{}</span>').format(Markup(". ").join(details) + "."))
    files = source.get("files")
    if files:
        rows = Markup("").join(
            Markup("<li><code>{}</code> <code>{}</code></li>").format(file, digest)
            for file, digest in files.items()
        )
        lines.append(
            Markup("<details><summary>Files used from {}, with sha256</summary><ul>{}</ul></details>").format(
                source["title"], rows
            )
        )
    return Markup("\n").join(lines)


def _source_text(source: Mapping[str, Any]) -> str:
    dates = [str(part) for part in _dates(source)]
    return "- " + ". ".join([f"{source['title']}, from {source['publisher']}", *dates])


def _dates(source: Mapping[str, Any]) -> list[Markup]:
    return [Markup(label).format(str(source[key]).rstrip(".")) for key, label in _DATES.items() if key in source]


def _link(text: str, url: object) -> Markup:
    """A link, or the text alone when the address is none that a reader's browser opens as a page."""
    if str(url).startswith(("https://", "http://")):
        return Markup('<a href="{}">{}</a>').format(str(url), text)
    return Markup("{}").format(text)


def _lower_first(text: str) -> str:
    """A title within a sentence; an abbreviation keeps its capitals."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
