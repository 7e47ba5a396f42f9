"""matplotlib's SVG as a file of its own, on a light or a dark ground."""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING

from deficits.plots.style import DARK, house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Laid out in DejaVu Sans, which matplotlib carries and which is the widest of these: the layout is the same on
# every machine, and text in a reader's own font takes less room than was kept for it.
FONTS = "Arial, Helvetica, 'DejaVu Sans', sans-serif"


def as_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as one `<svg>` element without prolog or date, to be shown as an image.

    Its style rule gives each colour its stand-in where the reader's page is dark.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    with house_style(), mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        # Figure.savefig would draw all of it once more before, for a layout that is settled already.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
    drawn = re.sub(r"\s*\n\s*", " ", buffer.getvalue())
    drawn = re.sub(r"^.*?(?=<svg )|<metadata>.*?</metadata>", "", drawn)
    drawn = re.sub(r"font-family: [^;\"]*;? ?", "", drawn)
    drawn = re.sub(r"(?<=: )#([0-9a-f]{6})", r"var(--c\1, #\1)", drawn)
    dark = "; ".join(f"--c{light[1:].lower()}: {shown.lower()}" for light, shown in DARK.items())
    head = (
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc><style>svg {{font-family: {FONTS}}} "
        f"@media screen and (prefers-color-scheme: dark) {{svg {{{dark}}}}}</style>"
    )
    return re.sub(r"(<svg [^>]*>)", lambda found: found[0] + head, drawn, count=1)
