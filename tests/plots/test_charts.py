"""Rules that every chart keeps, whatever it shows."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from deficits import plots
from deficits.plots import Chart, drawing, style
from tests.plots.examples import overlapping

Charts = dict[str, Chart]
ROOT = Path(__file__).parents[2]
FILLS_WITH_AN_EDGE_LINE = {style.PALE_BLUE, style.LIGHT_BLUE}


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def drawn(chart: Chart) -> list[str]:
    return [text.get_text() for text in chart.figure.findobj(Text) if text.get_text()]


def words(chart: Chart) -> str:
    return " ".join([chart.finding, chart.subtitle, chart.unit, chart.source, chart.alt, *drawn(chart)])


def test_every_chart_function_is_under_test(every_chart: Charts) -> None:
    made = {re.sub("-", "_", chart.name) for chart in every_chart.values()}
    prefixes = {"forecasts_for_year": "forecasts_", "placements_history": "placements_"}
    for function in set(plots.__all__) - {"Chart"}:
        assert any(name.startswith(prefixes.get(function, function)) for name in made), function


def test_every_chart_states_its_finding_in_its_alternative_text(all_charts: Charts) -> None:
    for chart in all_charts.values():
        assert chart.alt.startswith(chart.finding)
        assert len(chart.alt) > len(chart.finding) + 30  # the shape too
        assert re.search(r"\d", chart.alt)


def test_a_finding_fits_in_a_headline(all_charts: Charts) -> None:
    for chart in all_charts.values():
        assert len(chart.finding.split()) <= 17, chart.finding
        assert not chart.finding[0].islower()
        assert not chart.finding.endswith(".")


def test_no_missing_value_is_ever_shown(all_charts: Charts) -> None:
    for name, chart in all_charts.items():
        assert not re.search(r"\bnan\b|\bNone\b|\binf\b|not available|<NA>|NaT", words(chart)), name


@pytest.mark.parametrize("field", ["finding", "subtitle", "unit", "source", "alt"])
def test_a_chart_without_its_words_is_refused(every_chart: Charts, field: str) -> None:
    with pytest.raises(ValueError, match=f"'england-fan': {field} is empty"):
        dataclasses.replace(every_chart["england"], **{field: "  "})  # type: ignore[arg-type]


def test_a_chart_without_numbers_is_refused(every_chart: Charts) -> None:
    with pytest.raises(ValueError, match="'england-fan': data is empty"):
        dataclasses.replace(every_chart["england"], data=pd.DataFrame())


def test_a_name_that_cannot_begin_an_id_is_refused(every_chart: Charts) -> None:
    with pytest.raises(ValueError, match="lower-case words"):
        dataclasses.replace(every_chart["england"], name="England fan")


def test_svg_is_the_same_on_each_run(every_chart: Charts) -> None:
    chart = every_chart["england"]
    first = chart.svg()
    chart.figure.savefig(io.BytesIO(), dpi=60)  # drawing at another size must not move anything
    assert chart.svg() == first
    code = "from tests.plots.examples import MAKERS; print(MAKERS['england']().svg(), end='')"
    run = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert run.stdout == first


def test_svg_stands_alone_and_says_what_it_shows(every_chart: Charts) -> None:
    space = "{http://www.w3.org/2000/svg}"
    for chart in every_chart.values():
        svg = chart.svg()
        root = ET.fromstring(svg)
        assert svg.startswith("<svg ")
        assert not re.search(r"<\?xml|<!DOCTYPE|<metadata|\d{4}-\d{2}-\d{2}T|https?://(?!www.w3.org)", svg)
        assert root.get("viewBox")
        assert root.findtext(f"{space}title") == chart.finding
        assert root.findtext(f"{space}desc") == chart.alt
        assert root.findall(f".//{space}text"), "text stays text"
        assert "prefers-color-scheme: dark" in svg
        assert svg.count("font-family") == 1


def test_svg_is_small(all_charts: Charts) -> None:
    for name, chart in all_charts.items():
        assert len(chart.svg().encode()) < 40_000, name


def test_every_colour_has_enough_contrast_on_a_light_and_on_a_dark_page(all_charts: Charts) -> None:
    for name, chart in all_charts.items():
        root = ET.fromstring(chart.svg())
        for element in root.iter():
            text = element.tag.endswith("}text")
            for colour in re.findall(
                r"(?:fill|stroke): var\(--c[0-9a-f]{6}, (#[0-9a-f]{6})\)", element.get("style", "")
            ):
                light = colour.upper()
                dark = style.DARK[light]  # each colour has a stand-in
                if light == style.WHITE or light in FILLS_WITH_AN_EDGE_LINE:
                    continue  # paper; and bands, bounded by a line as the next test shows
                for shown, paper in ((light, style.WHITE), (dark, style.DARK[style.WHITE])):
                    assert contrast(shown, paper) >= (4.5 if text else 3), (name, shown)


def test_no_colour_is_left_that_a_dark_page_cannot_change(all_charts: Charts) -> None:
    for name, chart in all_charts.items():
        assert not re.search(r": #[0-9a-f]{6}", re.sub(r"<style.*?</style>", "", chart.svg())), name


def test_the_narrow_band_is_farther_from_the_paper_than_the_wide_one_on_both_pages() -> None:
    for shade in (dict.fromkeys(style.DARK), style.DARK):
        wide, narrow, paper = (
            shade[colour] or colour for colour in (style.PALE_BLUE, style.LIGHT_BLUE, style.WHITE)
        )
        assert contrast(narrow, paper) > contrast(wide, paper) > 1.2


def test_every_band_has_an_edge_line(every_chart: Charts) -> None:
    for name, edges in {"england": 4, "authority": 4, "authority_after": 2, "writeoff": 2}.items():
        axes = every_chart[name].figure.axes[0]
        assert sum(line.get_linewidth() == style.THIN for line in axes.lines[: edges + 2]) >= edges
    edge = style.BLUE
    assert contrast(edge, style.WHITE) >= 3
    assert contrast(style.DARK[edge], style.DARK[style.WHITE]) >= 3


def test_fans_differ_in_more_than_colour(every_chart: Charts) -> None:
    lines = {line.get_color(): line.is_dashed() for line in every_chart["writeoff"].figure.axes[0].lines}
    assert lines[style.ORANGE] != lines[style.NAVY]


def test_no_label_is_cut_off_or_overlaps_another(all_charts: Charts) -> None:
    for name, chart in all_charts.items():
        assert overlapping(chart) == [], name
        across = chart.figure.axes[0].get_position().width
        assert across > 0.4, f"{name}: words leave the drawing {across:.0%} of the width"


def test_text_is_level_and_there_is_one_pair_of_axes(all_charts: Charts) -> None:
    for chart in all_charts.values():
        assert len(chart.figure.axes) == 1
        assert {text.get_rotation() for text in chart.figure.findobj(Text) if text.get_text()} == {0.0}
        assert not chart.figure.axes[0].get_title()  # the page prints the finding


def test_text_is_readable_on_a_phone_and_the_last_year_is_on_it(all_charts: Charts) -> None:
    """A page of 375 pixels leaves 343 for the figure, which is made to fit."""
    for name, chart in all_charts.items():
        across = chart.figure.get_size_inches()[0] * 72
        sizes = {float(text.get_fontsize()) for text in chart.figure.findobj(Text) if text.get_text()}
        assert min(sizes) * 343 / across >= 10, name
    assert "2031" in drawn(all_charts["england"])


def test_a_bar_begins_at_zero_or_where_the_last_one_ended(all_charts: Charts) -> None:
    for name in ("regions", "grants", "helped", "moved", "back", "calibration", "placements"):
        axes = all_charts[name].figure.axes[0]
        assert min(abs(bar.get_x()) for bar in axes.patches if isinstance(bar, Rectangle)) == 0
        assert axes.get_xlim()[0] <= 0 <= axes.get_xlim()[1]


def test_notebook_shows_words_with_the_figure_as_a_picture_that_needs_no_trust(every_chart: Charts) -> None:
    chart = every_chart["forecasts"]
    bundle = chart._repr_mimebundle_()
    page = ET.fromstring(bundle["text/html"])  # names with & or < are escaped
    words = "".join(page.itertext())
    assert chart.finding in words
    assert f"{chart.subtitle}, {chart.unit}" in words
    assert f"Source: {chart.source}" in words
    (picture,) = page.iter("img")
    assert picture.get("alt") == chart.alt
    assert base64.b64decode(picture.get("src", "").removeprefix("data:image/svg+xml;base64,")).startswith(b"<svg ")
    assert bundle["text/plain"] == f"{chart.finding}. {chart.alt}"


def test_house_style_leaves_settings_as_they_were() -> None:
    before = dict(mpl.rcParams)
    with style.house_style():
        assert mpl.rcParams["axes.spines.right"] is False  # afcharts' own
        assert mpl.rcParams["axes.edgecolor"] == style.GREY  # stronger than afcharts'
    assert dict(mpl.rcParams) == before


def test_importing_charts_does_not_load_matplotlib() -> None:
    code = "import sys, deficits.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(1, 12)), min_size=1, max_size=6),
)
def test_spread_labels_keep_clear_and_keep_their_order(labels: list[tuple[float, float]]) -> None:
    targets, heights = zip(*labels, strict=True)
    placed = drawing.spread(targets, heights, 0, 100)
    order = sorted(range(len(labels)), key=lambda number: targets[number])
    for lower, upper in pairwise(order):
        assert placed[upper] - placed[lower] >= (heights[lower] + heights[upper]) / 2 - 1e-6
    assert placed[order[0]] >= heights[order[0]] / 2 - 1e-6
    assert placed[order[-1]] <= 100 - heights[order[-1]] / 2 + 1e-6
