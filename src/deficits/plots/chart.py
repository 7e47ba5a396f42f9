"""What a chart is: a figure with the words, the unit, the source and the numbers that belong to it."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from deficits.plots.style import DARK, house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
WORDS = ("finding", "subtitle", "unit", "source", "alt")
# Laid out in DejaVu Sans, which matplotlib carries and which is the widest of these: the layout is the same on
# every machine, and text in a reader's own font takes less room than was kept for it.
FONTS = "Arial, Helvetica, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure that cannot be made without its text alternative and its numbers.

    The figure draws axes and labels only: the page prints the finding and the subtitle as text, so that they
    reflow, can be read out and can be translated.

    Attributes:
        figure: made without pyplot, so nothing has to be closed.
        name: lower-case words joined by hyphens, unique on a page: it names files.
            `dataclasses.replace(chart, name=...)` gives a second chart of a kind its own.
        finding: the headline, in sentence case.
        subtitle: measure, geography and period.
        unit: of the value axis, such as "£bn".
        source: "publication from the organisation".
        alt: the finding and the shape in words, with numbers.
        data: what is drawn, unrounded, with plain column names that carry their unit.

    Raises:
        ValueError: a text is empty, the name is not a slug, or there is no data; it names chart and field.

    Shown as the last line of a notebook cell, a chart gives its picture with its words.
    """

    figure: Figure
    name: str
    finding: str
    subtitle: str
    unit: str
    source: str
    alt: str
    data: pd.DataFrame

    def __post_init__(self) -> None:
        if not SLUG.fullmatch(self.name):
            raise ValueError(
                f"chart {self.name!r}: name must be lower-case words joined by hyphens, such as 'england-fan'"
            )
        for field in WORDS:
            if not str(getattr(self, field)).strip():
                raise ValueError(f"chart {self.name!r}: {field} is empty; no chart is published without it")
        if self.data.empty:
            raise ValueError(f"chart {self.name!r}: data is empty; no chart is published without its numbers")

    def svg(self) -> str:
        """The figure as one `<svg>` element to show as an image, without prolog or date: the same on each run.

        Its style rule gives each colour its stand-in where the reader's page is dark.
        """
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        buffer = io.StringIO()
        with house_style(), mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": self.name}):
            # Figure.savefig would draw all of it once more before, for a layout that is settled already.
            FigureCanvasSVG(self.figure).print_svg(buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
        drawn = re.sub(r"\s*\n\s*", " ", buffer.getvalue())
        drawn = re.sub(r"^.*?(?=<svg )|<metadata>.*?</metadata>", "", drawn)
        drawn = re.sub(r"font-family: [^;\"]*;? ?", "", drawn)
        drawn = re.sub(r"(?<=: )#([0-9a-f]{6})", r"var(--c\1, #\1)", drawn)
        dark = "; ".join(f"--c{light[1:].lower()}: {shown.lower()}" for light, shown in DARK.items())
        head = (
            f"<title>{escape(self.finding)}</title><desc>{escape(self.alt)}</desc>"
            f"<style>svg {{font-family: {FONTS}}} "
            f"@media screen and (prefers-color-scheme: dark) {{svg {{{dark}}}}}</style>"
        )
        return re.sub(r"(<svg [^>]*>)", lambda found: found[0] + head, drawn, count=1)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What Jupyter shows: the SVG as an `<img>`, which a notebook that is not trusted yet keeps."""
        finding, subtitle, unit, source, alt = (escape(str(getattr(self, field))) for field in WORDS)
        picture = base64.b64encode(self.svg().encode()).decode("ascii")
        page = (
            f'<figure class="chart" id="{self.name}">\n'
            f'<figcaption><p class="finding"><strong>{finding}</strong></p>'
            f'<p class="subtitle">{subtitle}, {unit}</p></figcaption>\n'
            f'<img src="data:image/svg+xml;base64,{picture}" alt="{alt}" width="640"/>\n'
            f'<p class="source">Source: {source}</p>\n</figure>'
        )
        return {"text/html": page, "text/plain": f"{self.finding}. {self.alt}"}
