"""matplotlib's SVG made fit to stand inside a page, beside others, on a light or a dark ground."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from deficits.plots.style import DARK, house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
HREF = f"{{{XLINK}}}href"
ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)

# Laid out in DejaVu Sans, which matplotlib carries and which is the widest of these: the layout is the same on
# every machine, and text in a reader's own font takes less room than was kept for it.
FONTS = "Arial, Helvetica, 'DejaVu Sans', sans-serif"


def inline_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as one `<svg>` element without prolog or date, its ids beginning with `name`.

    Its one style rule is for its own id and gives each colour its stand-in where the reader's page is dark; it
    holds in a page as in an `<img>`.
    """
    root = ET.fromstring(_drawn(figure, name))
    for unwanted in ("metadata", "style"):
        # matplotlib's style sheet is "*{...}": in a page it would restyle every other picture.
        for parent in root.findall(f".//{{{SVG}}}{unwanted}/.."):
            parent.remove(parent.find(f"{{{SVG}}}{unwanted}"))  # type: ignore[arg-type]
    _own_ids(root, name)
    for element in root.iter():
        if "style" in element.attrib:
            style = re.sub(r"font-family: [^;]*;? ?", "", element.attrib["style"])
            element.set("style", re.sub(r"(?<=: )#([0-9a-f]{6})", r"var(--c\1, #\1)", style))
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
    _name_it(root, name, title, description)
    return ET.tostring(root, encoding="unicode")


def _drawn(figure: Figure, name: str) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    with house_style(), mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return re.sub(r"\s*\n\s*", " ", buffer.getvalue())


def _own_ids(root: ET.Element, name: str) -> None:
    """Begin each id that something refers to with the chart's name, and drop the others."""
    values = [value for element in root.iter() for value in element.attrib.values()]
    used = {one or other for value in values for one, other in re.findall(r"^#(.+)$|url\(#(.+?)\)", value)}
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "id":
                if value in used:
                    element.set(key, f"{name}-{value}")
                else:
                    del element.attrib[key]
            elif key == HREF:
                element.set(key, value.replace("#", f"#{name}-", 1))
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{name}-"))


def _name_it(root: ET.Element, name: str, title: str, description: str) -> None:
    for size in ("width", "height"):
        del root.attrib[size]
    dark = "; ".join(f"--c{light[1:].lower()}: {shown.lower()}" for light, shown in DARK.items())
    root.set("id", f"{name}-svg")
    root.set("width", "100%")
    root.set("role", "img")
    # The description states the finding too, so it alone is the accessible name: nothing is read out twice.
    root.set("aria-labelledby", f"{name}-desc")
    root.set("style", f"font-family: {FONTS}; stroke-linejoin: round; stroke-linecap: butt")
    added = {
        "title": title,
        "desc": description,
        "style": f"@media screen and (prefers-color-scheme: dark) {{#{name}-svg {{{dark}}}}}",
    }
    for place, (tag, text) in enumerate(added.items()):
        element = ET.Element(f"{{{SVG}}}{tag}", {} if tag == "style" else {"id": f"{name}-{tag}"})
        element.text = text
        root.insert(place, element)
