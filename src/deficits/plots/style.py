"""The colours and settings of every figure: the Analysis Function's, through afcharts, with stronger axes.

On white, each colour of a line, an edge or a marker has a contrast of at least 3:1 and each colour of
text at least 4.5:1, and so has what stands for it on a dark page. The fills of fans do not reach 3:1: a fan is
drawn with an edge line and a label.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import as_file, files
from typing import Any

from afcharts.af_colours import get_af_colours

NAVY, _TEAL, PLUM, ORANGE, GREY, _LILAC = get_af_colours("categorical")
_, _, BLUE, LIGHT_BLUE, PALE_BLUE = get_af_colours("sequential")
WHITE = "#FFFFFF"
TEXT = "#0B0C0C"  # GOV.UK's text colour
GRID = "#949494"  # the lightest grey that keeps 3:1 on white

DARK = {
    WHITE: "#12171D",
    TEXT: "#E7EBEF",
    GREY: "#ADB8C3",
    GRID: "#6F7C89",
    NAVY: "#7FB8EA",
    BLUE: "#5AA5E6",
    LIGHT_BLUE: "#2B6499",
    PALE_BLUE: "#1D3F5E",
    PLUM: "#E58FB8",
    ORANGE: "#FF9A66",
}
"""Each colour on a dark page: what is farther from the ground in one is farther from it in the other."""

WIDTH, HEIGHT = 5.0, 3.5  # inches: on a phone of 375 pixels text is above 10 pixels
FONT_SIZE = 11.0
THIN, LINE = 0.8, 2.0  # points
DASHES = (0, (4, 2))  # of the projection after a write-off: told apart without colour

SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": FONT_SIZE,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), TEXT),
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), GREY),
    "ytick.major.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 0.4,
    "figure.facecolor": WHITE,
    "axes.facecolor": "none",
    "savefig.facecolor": WHITE,
    "text.parse_math": False,  # a "$" in a publisher's name is a "$"
}


@cache
def _settings() -> dict[Any, Any]:
    """The Analysis Function's style with our settings: its file is read once."""
    import matplotlib as mpl

    with as_file(files("afcharts") / "afcharts.mplstyle") as path:
        return dict(mpl.rc_params_from_file(path, use_default_template=False)) | SETTINGS


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style; matplotlib's settings are as before afterwards.

    >>> import matplotlib as mpl
    >>> with house_style():
    ...     mpl.rcParams["axes.grid.axis"]
    'y'
    """
    import matplotlib as mpl

    with mpl.rc_context(_settings()):
        yield
