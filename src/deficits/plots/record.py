"""How good a past projection was, council by council: where each ended in its range."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import binom

from deficits.formatting import MINUS, balance, balance_range, percent, two_figures, year_end
from deficits.plots import drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.style import BLUE, NAVY, ORANGE, TEXT, THIN, WHITE, house_style
from deficits.plots.words import counted, lowered, read_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

SOURCE = "this project's backtest on council returns to the Department for Education and MHCLG"
INSIDE, BELOW, ABOVE = "Inside", "Below", "Above"
MARKS = {INSIDE: ("o", NAVY, 3.4), BELOW: ("v", ORANGE, 5.5), ABOVE: ("^", ORANGE, 5.5)}
"""Where a council ended: shape, colour and size of its mark."""
PLACES = ((6, 0), "left", "center"), ((-6, 0), "right", "center"), ((0, -6), "center", "top")
"""Where a name may stand by its mark: points from it, and what of the name stands there."""
NAMED = 6  # councils outside their range, the furthest first, where there is room

SHOULD = {
    "Below 10th": 0.10,
    "10th to 25th": 0.15,
    "25th to 50th": 0.25,
    "50th to 75th": 0.25,
    "75th to 90th": 0.15,
    "Above 90th": 0.10,
}
"""Percentiles of a projection and the share of councils that should end between them."""


def record_by_council(councils: pd.DataFrame, target: int) -> Chart:
    """Each council's 80% range of a past projection and what happened, as shares of its high needs block.

    Councils stand in the order of their central estimates; a council outside its range has another colour and
    another mark, and those furthest outside are named where there is room.

    Args:
        councils: columns name, block (£, > 0), actual, p10, p50, p90 (£, balance, negative = deficit), one row a
            council: `Backtest.councils`.
        target: 2024 for 31 March 2024.
    """
    name = "record-by-council"
    known = frames.complete(councils, ("name", "block", "actual", *frames.WIDE), name)
    if not (known["block"] > 0).all():
        wrong = known.loc[~(known["block"] > 0), "name"].iloc[0]
        raise ValueError(f"chart {name!r}: the block of {wrong!r} is not above zero")
    shares = known[["actual", *frames.WIDE]].div(known["block"], axis=0)
    below, above = known["actual"] < known["p10"], known["actual"] > known["p90"]
    ended = np.select([below, above], [BELOW, ABOVE], default=INSIDE)
    outside = (shares["actual"] - shares["actual"].clip(shares["p10"], shares["p90"])).abs()
    shares = shares.assign(name=known["name"], ended=ended, outside=outside)
    shares = shares.sort_values(["p50", "name"], kind="stable")
    known = known.loc[shares.index]
    shares = shares.reset_index(drop=True)
    counts = {place: int((ended == place).sum()) for place in MARKS}
    with house_style():
        figure, axes = drawing.new_axes(4.4)
        drawn = shares[["actual", *frames.WIDE]].to_numpy()
        low, high = min(0.0, float(drawn.min())), max(0.0, float(drawn.max()))
        pad = 0.04 * (high - low) or 0.01
        ticks = [tick for tick in drawing.round_ticks(low, high, 6) if low - pad <= tick <= high + pad]
        axes.set_ylim(low - pad, high + pad)
        axes.set_yticks(ticks, [f"{MINUS if tick < -1e-9 else ''}{abs(tick):.0%}" for tick in ticks])
        # All ranges as one broken line: a path a council would make the picture three times as heavy.
        gap = np.full(len(shares), np.nan)
        across = np.column_stack([shares.index, shares.index, gap]).ravel()
        along = np.column_stack([shares["p10"], shares["p90"], gap]).ravel()
        axes.plot(across, along, color=BLUE, linewidth=1.0, label="80% range", zorder=2)
        mark = partial(axes.plot, markeredgecolor=WHITE, markeredgewidth=0.4, clip_on=False, zorder=3)
        for place, (shape, colour, size) in MARKS.items():
            some = shares.loc[shares["ended"] == place, "actual"]
            if len(some):
                mark(some.index, some, shape, color=colour, markersize=size, label=f"{place} ({counts[place]})")
        axes.axhline(0, color=TEXT, linewidth=THIN, zorder=1.9)
        axes.spines["bottom"].set_visible(False)
        axes.set_xlim(-1.5, len(shares) + 0.5)
        axes.set_xticks([])
        axes.set_xlabel("Councils in the order of their central estimates")
        drawing.legend_above(axes)
        drawing.settle(figure)
        _name_furthest(axes, shares)
    finding = f"{counts[INSIDE]} of {counted(len(known), 'council')} ended inside their 80% range"
    furthest = ""
    if (outside > 0).any():
        row = known.loc[outside.idxmax()]
        furthest = (
            f" Furthest outside for its size is {row['name']}: a {balance(row['actual'])}, where the range was "
            f"{balance_range(row['p10'], row['p90'])}."
        )
    headings = {
        "name": "Council",
        "actual": f"Balance at {year_end(target)} (£)",
        "p10": "10th percentile (£)",
        "p50": "Central estimate (£)",
        "p90": "90th percentile (£)",
        "block": "High needs block (£)",
    }
    estimated = {part: known[part].map(two_figures) for part in ("p10", "p50", "p90")}
    table = known.assign(**estimated)[list(headings)].reset_index(drop=True)
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle="Balance (below zero: deficit) as a share of the high needs block, past projection and outturn, "
        f"{counted(len(known), 'council')}, {year_end(target)}",
        unit="% of block",
        source=SOURCE,
        alt=f"{finding}. An upright line for each council's range and a mark for the outturn, in the order "
        f"of central estimates; {counts[BELOW]} ended below their range (a larger deficit) and "
        f"{counts[ABOVE]} above.{furthest}",
        data=table.rename(columns=headings).assign(Ended=shares["ended"].str.lower()),
    )


def _name_furthest(axes: Axes, shares: pd.DataFrame) -> None:
    """Name the councils furthest outside, each next to its mark, where that covers no mark and no other name."""
    points = axes.transData.transform(shares[["actual"]].reset_index().to_numpy(dtype=float))
    taken: list[Bbox] = []
    page = axes.get_window_extent()
    write = partial(axes.annotate, textcoords="offset points", bbox=drawing.CLEAR, zorder=4)
    for council, row in shares[shares["outside"] > 0].nlargest(NAMED, "outside").iterrows():
        for offset, level, upright in PLACES:
            note = write(row["name"], (float(council), row["actual"]), offset, ha=level, va=upright)
            box = note.get_window_extent()
            within = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
            if within and not box.count_overlaps(taken) and not box.count_contains(points):
                taken.append(box.padded(3))
                break
            note.remove()


def calibration(councils: pd.DataFrame, target: int) -> Chart:
    """How many councils ended in each part of their range, compared with how many should.

    Args:
        councils: columns actual, p10, p25, p50, p75, p90 (£, balance, negative = deficit), one row a council:
            `Backtest.councils`.
        target: 2024 for 31 March 2024.
    """
    name = "calibration"
    known = frames.complete(councils, ("actual", *frames.QUANTILES), name).astype("float64")
    # The ends of the central ranges belong to them.
    passed = [known["actual"] >= known[part] for part in ("p10", "p25", "p50")]
    passed += [known["actual"] > known[part] for part in ("p75", "p90")]
    ended = np.bincount(np.sum(passed, axis=0), minlength=len(SHOULD))
    shares, should = ended / len(known), list(SHOULD.values())
    low, high = (binom.ppf(end, len(known), should) / len(known) for end in (0.025, 0.975))
    texts = [
        f"{percent(share)}, should be {percent(wanted)} ({percent(least)} to {percent(most)})"
        for share, wanted, least, most in zip(shares, should, low, high, strict=True)
    ]
    rows = {"label": [f"{words} percentile" for words in SHOULD], "text": texts, "bar": shares, "target": should}
    rows |= {"low": low, "high": high}
    finding = f"50% ranges held {percent(shares[2:4].sum())} of councils, 80% ranges {percent(shares[1:5].sum())}"
    many = counted(len(known), "council")
    return drawing.row_chart(
        pd.DataFrame(rows),
        name=name,
        finding=finding,
        subtitle="Share of councils by the percentile of the past projection at which they ended (low: a larger "
        f"deficit than expected), {many}, {year_end(target)}",
        source=SOURCE,
        alt=f"{finding}. Bars of the share of {many} that ended between percentiles of their range, a mark on "
        "each for the share that should have, and a line for what is likely (95%) if the ranges are right: "
        f"{read_out(map(lowered, SHOULD), texts)}.",
        data=pd.DataFrame(
            {
                "Percentile of the range": list(SHOULD),
                "Councils (number)": ended,
                "Share of councils (0 to 1)": shares,
                "Should be (0 to 1)": should,
                "Likely from (0 to 1)": low,
                "Likely to (0 to 1)": high,
            }
        ),
        unit="% of councils",
        axis="share",
        across="Marks: if well calibrated; lines: 95 times in 100",
    )
