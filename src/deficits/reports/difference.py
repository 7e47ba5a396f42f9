"""One page of what changed between two runs: figures, charts side by side, and causes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from deficits.errors import ProjectionError, ReportError
from deficits.formatting import day_in_words, gbp, slug, year_end
from deficits.reports.batch import put_in_place
from deficits.reports.changes import Changes, changes
from deficits.reports.frame import SITE, first_chart, part, templates
from deficits.reports.record import RunRecord, read_record
from deficits.reports.tables import html_table, laid_out

LISTED = 20
"""Councils in the table of those whose balance moved most."""
ADDS_UP_TO = 1e6
"""£ to which amounts of the forecast ledger are rounded before they are subtracted, so that they add up."""


@dataclass(frozen=True)
class Pair:
    """A page in two runs; `charts`: the chart that it shows first, an image of each run with its words."""

    before: RunRecord
    now: RunRecord
    changes: Changes
    charts: Sequence[Markup] = ()

    @property
    def moved_by(self) -> float:
        """By how much the first median that both pages state moved, £."""
        for name, value in self.now.content.headline.items():
            then = self.before.content.headline.get(name)
            if name.endswith("_p50") and isinstance(value, float | int) and isinstance(then, float | int):
                return abs(value - then)
        return 0.0


def write_difference(before: Path, now: Path, out_dir: Path) -> Path:
    """Write `diff-<day>-<day>.html` of two folders of pages, such as one of the archive and the current one.

    Raises ReportError when a folder has no page with a record, or the two have none in common.
    """
    pairs = list(_pairs(before, now))
    if not pairs:
        raise ReportError(f"{before} and {now} have no page in common: expected two folders of pages of runs")
    changed = [pair for pair in pairs if pair.changes.figures]
    of_councils = [pair for pair in changed if pair.now.content.report == "authority"]
    reports = [pair for pair in changed if pair.now.content.report != "authority"]
    most = sorted(of_councils, key=lambda pair: -pair.moved_by)[:LISTED]
    days = (max(pair.before.run_on for pair in pairs), max(pair.now.run_on for pair in pairs))
    shown = {
        "site": SITE,
        "style": part("style.css"),
        "days": days,
        "counts": {"compared": len(pairs), "changed": len(changed), "councils": len(of_councils)},
        "causes": list(dict.fromkeys(line for pair in pairs for line in pair.changes.causes())),
        "explained": _explained(max(pairs, key=lambda pair: pair.now.run_on)),
        "reports": _moved(reports, days, "Headline figures of the reports that changed"),
        "charts": [pair for pair in pairs if pair.charts],
        "councils": _moved(most, days, "The councils whose balance moved most"),
    }
    text = templates().get_template("diff.html.j2").render(shown)
    name = f"{slug(f'diff {days[0]} {days[1]}')}.html"
    put_in_place(out_dir, {name: text})
    return out_dir / name


def _pairs(before: Path, now: Path) -> Iterator[Pair]:
    for path in sorted(now.glob("*.json")):
        new, old = read_record(path), read_record(before / path.name)
        if new is None or old is None:
            continue
        of_council = new.content.report == "authority"
        shown = [] if of_council else [first_chart(folder / f"{new.page}.ipynb") for folder in (before, now)]
        images = [Markup(found[0]) for html in shown if (found := re.search(r"<img [^>]*>", html))]
        # An image of one run alone, or the same of both, shows no difference.
        yield Pair(old, new, changes(old, new.content), images if len(set(images)) == len(shown) else [])


def _moved(pairs: Sequence[Pair], days: Sequence[date], caption: str) -> Markup:
    rows = [(pair.now.title, *astuple(moved)) for pair in pairs for moved in pair.changes.figures]
    frame = pd.DataFrame(rows, columns=["Page", "Figure", *map(day_in_words, days)])
    return html_table(laid_out(frame), slug(caption), caption) if rows else Markup("<p>None.</p>")


def _explained(pair: Pair) -> tuple[str, Markup]:
    """Why England's central estimate moved between the ledger's newest entries of two runs: a sentence, and causes
    with amounts that add up. No table where a run's entry is not known here, or both have the same.
    """
    from deficits.panel import load_panel
    from deficits.projection.england import OVERRIDE_ENDS
    from deficits.projection.forecasts import diff, entries

    held, none = {entry.hash: entry for entry in entries()}, Markup("")
    first, second = (held.get(record.ledger) for record in (pair.before, pair.now))
    if first is None or second is None:
        run = pair.before if first is None else pair.now
        return f"The forecast ledger does not hold the entry of the run of {run.run_on}, so it cannot say.", none
    if first == second:
        return f"Both runs have the same newest entry in the forecast ledger, {first.name}.", none
    try:
        steps = diff(first, second, load_panel(), OVERRIDE_ENDS)["value"]
    except ProjectionError as error:
        return f"The forecast ledger cannot say: {error}.", none
    rounded = (steps / ADDS_UP_TO).round() * ADDS_UP_TO
    change = rounded.diff().iloc[1:]
    change = change[change != 0]
    change["All causes together"] = change.sum()
    frame = pd.DataFrame({"Cause": change.index, "Change (£)": change.to_numpy()})
    at = f"England's gross deficit at {year_end(OVERRIDE_ENDS)}"
    was, now = (gbp(rounded.iloc[place], 3) for place in (0, -1))
    said = (
        f"The central estimate of {at} was {was} in {first.name}, now {now} in {second.name}, the newest entries "
        "of the forecast ledger at the two runs."
    )
    return said, html_table(laid_out(frame, "£m"), "ledger-causes", f"What moved the central estimate of {at}")
