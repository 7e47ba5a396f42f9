"""Pieces of HTML that the panel shows, from plain values."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from deficits.explorer.view import View
from deficits.formatting import gbp


def headline(shown: View) -> str:
    """The range, what it is of, and the points."""
    return (
        f'<p class="deficits-lead">{escape(shown.lead)}</p><p class="deficits-meaning">{escape(shown.meaning)}</p>'
        f"{listed(shown.points)}"
    )


def figure(shown: View) -> str:
    """The figure under its finding, with its source; the style sheet shows it wide or narrow."""
    return (
        f'<figure><figcaption><h2 class="deficits-finding">{escape(shown.finding)}</h2>'
        f'{remark(shown.subtitle)}</figcaption><div class="deficits-wide">{shown.svg}</div>'
        f'<div class="deficits-narrow">{shown.narrow}</div>{remark(f"Source: {shown.source}.")}</figure>'
    )


def numbers(shown: View) -> str:
    """The figure's numbers, rounded, as a table with scoped headers."""
    words = ("At 31 March", "Scenario: low", "middle", "high", "Baseline: low", "middle", "high")
    head = "".join(f'<th scope="col">{word}</th>' for word in words)
    rows = []
    for place, year in enumerate(shown.years):
        cells = [*shown.scenario[[0, 2, 4], place], *shown.baseline[[0, 2, 4], place]]
        values = "".join(f"<td>{gbp(float(value))}</td>" for value in cells)
        rows.append(f'<tr><th scope="row">{year}</th>{values}</tr>')
    caption = f"{escape(shown.place)}: 8 in 10 simulated futures lie between low and high"
    # It scrolls sideways where it is wider than the panel, by keyboard too.
    return (
        f'<div class="deficits-scroll" role="region" tabindex="0" aria-label="The numbers of the figure">'
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def notes(told: list[str]) -> str:
    """Remarks, folded away."""
    return f"<details><summary>Notes ({len(told)})</summary>{listed(told)}</details>" if told else ""


def listed(texts: Iterable[str]) -> str:
    """Texts as a list."""
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def remark(text: str, role: str = "") -> str:
    """A line in small type; with the role "status" it is read out."""
    said = f' role="{role}"' if role else ""
    return f'<p class="deficits-remark"{said}>{escape(text)}</p>'


def error(text: str) -> str:
    """A line that tells of an error, and is read out."""
    lines = "<br>".join(escape(line.strip()) for line in text.splitlines())
    return f'<p class="deficits-error" role="alert">{lines}</p>'
