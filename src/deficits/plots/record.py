"""How good a past projection was, council by council: where each ended in its range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from deficits.formatting import MINUS, percent, year_end
from deficits.plots import changes, drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.phrases import balance, balance_range, counted
from deficits.plots.style import BLUE, NAVY, ORANGE, PALE_BLUE, TEXT, THIN, WHITE, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

SOURCE = "this project's backtest on council returns to the Department for Education and MHCLG"
INSIDE, BELOW, ABOVE = "Inside", "Below", "Above"
MARKS = {INSIDE: ("o", NAVY, 4.2), BELOW: ("v", ORANGE, 6.5), ABOVE: ("^", ORANGE, 6.5)}
"""Where a council ended: shape, colour and size of its mark."""

NAMED = 8
"""Councils outside their range to name, the furthest first, where there is room."""

Side = tuple[tuple[float, float], tuple[float, float], str, str]
"""Where a text may stand: place in the axes, offset in points, and how it is aligned across and along."""

SHOULD = {
    "Below 10th": 0.10,
    "10th to 25th": 0.15,
    "25th to 50th": 0.25,
    "50th to 75th": 0.25,
    "75th to 90th": 0.15,
    "Above 90th": 0.10,
}
"""Percentiles of a projection and the share of councils that should end between them."""


def record_by_council(councils: pd.DataFrame, target: int, *, source: str = SOURCE) -> Chart:
    """Each council's 80% range of a past projection and what happened, as shares of its high needs block.

    Councils stand in the order of the middles of their ranges; a council outside its range has another colour and
    another mark, and those furthest outside are named where there is room.

    Args:
        councils: columns name, block (£, > 0), actual, p10, p50, p90 (£, balance, negative = deficit), one row a
            council: `Backtest.councils`.
        target: 2024 for 31 March 2024.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, a block is not above zero, or no row has all values.

    >>> seen = pd.DataFrame({"name": ["Kent", "Devon"], "block": 1e8, "actual": [-5e6, -9e6], "p10": -8e6,
    ...                      "p50": [-6e6, -5e6], "p90": -2e6})
    >>> record_by_council(seen, 2024).finding
    '1 of 2 councils ended inside their 80% range'
    """
    name = "record-by-council"
    known = frames.columns(councils, ("name", "block", "actual", *frames.WIDE), name).dropna()
    if known.empty:
        raise ValueError(f"chart {name!r}: no council has all of name, block, actual, p10, p50 and p90")
    if not (known["block"] > 0).all():
        wrong = known.loc[~(known["block"] > 0), "name"].iloc[0]
        raise ValueError(f"chart {name!r}: the block of {wrong!r} is not above zero")
    shares = known[["actual", *frames.WIDE]].div(known["block"], axis=0)
    ended = _ended(known)
    outside = (shares["actual"] - shares["actual"].clip(shares["p10"], shares["p90"])).abs()
    shares = shares.assign(name=known["name"], ended=ended, outside=outside)
    shares = shares.sort_values(["p50", "name"], kind="stable")
    known = known.loc[shares.index]
    shares = shares.reset_index(drop=True)
    counts = {place: int((ended == place).sum()) for place in MARKS}
    with house_style():
        figure, axes = drawing.new_axes(4.6)
        _share_axis(axes, shares[["actual", *frames.WIDE]].to_numpy())
        _ranges(axes, shares)
        for place in MARKS:
            _marks(axes, shares[shares["ended"] == place], place, counts[place])
        axes.axhline(0, color=TEXT, linewidth=THIN, zorder=1.9)
        axes.spines["bottom"].set_visible(False)
        axes.set_xlim(-1.5, len(shares) + 0.5)
        axes.set_xticks([])
        axes.set_xlabel("Councils in the order of the middles of their ranges")
        _legend(axes)
        drawing.settle(figure)
        _words(figure, axes, shares)
    finding = f"{counts[INSIDE]} of {counted(len(known), 'council')} ended inside their 80% range"
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle="Balance (below zero: deficit) as a share of the high needs block, past projection and what "
        f"happened, {counted(len(known), 'council')}, {year_end(target)}",
        unit="% of block",
        source=source,
        alt=f"{finding}. An upright line for each council's range and a mark for what happened, in the order of "
        f"the middles; {counts[BELOW]} ended below their range (a larger deficit or a smaller surplus) and "
        f"{counts[ABOVE]} above.{_furthest_in_words(known, outside)}",
        data=pd.DataFrame(
            {
                "Council": known["name"].to_numpy(),
                f"Balance at {year_end(target)} (£)": known["actual"].to_numpy(),
                "10th percentile (£)": known["p10"].to_numpy(),
                "Median (£)": known["p50"].to_numpy(),
                "90th percentile (£)": known["p90"].to_numpy(),
                "High needs block (£)": known["block"].to_numpy(),
                "Ended": [str(place).lower() for place in shares["ended"]],
            }
        ),
    )


def calibration(councils: pd.DataFrame, target: int, *, source: str = SOURCE) -> Chart:
    """How many councils ended in each part of their range, beside how many do when ranges are well calibrated.

    Args:
        councils: columns actual, p10, p25, p50, p75, p90 (£, balance, negative = deficit), one row a council:
            `Backtest.councils`.
        target: 2024 for 31 March 2024.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, or no row has all values.

    >>> seen = pd.DataFrame({"actual": [-5e6, -9e6], "p10": -8e6, "p25": -7e6, "p50": -6e6, "p75": -4e6,
    ...                      "p90": -2e6})
    >>> calibration(seen, 2024).finding
    '50% ranges held 50% of councils, 80% ranges 50%'
    """
    name = "calibration"
    known = frames.columns(councils, ("actual", *frames.QUANTILES), name).astype("float64").dropna()
    if known.empty:
        raise ValueError(f"chart {name!r}: no council has all of actual, {', '.join(frames.QUANTILES)}")
    ended = _parts(known)
    shares = ended / len(known)
    with house_style():
        figure, axes = drawing.new_axes(3.6)
        places = np.arange(len(SHOULD))
        should = np.array(list(SHOULD.values()))
        axes.bar(places - 0.21, shares, width=0.4, color=BLUE, label="Councils that ended there")
        axes.bar(
            places + 0.21,
            should,
            width=0.4,
            color=PALE_BLUE,
            edgecolor=NAVY,
            linewidth=1.0,
            label="If well calibrated",
        )
        for place, share, wanted in zip(places.tolist(), shares, should, strict=True):
            shown = percent(share).replace("over ", ">").replace("under ", "<")
            drawing.label_above(axes, place - 0.21, share, shown)
            drawing.label_above(axes, place + 0.21, wanted, percent(wanted))
        top = 0.05 * np.ceil(max(shares.max(), should.max()) * 20 + 0.8)
        ticks = np.arange(0, top + 1e-9, 0.1 if top <= 0.6 else 0.2)
        axes.set_ylim(0, top)
        axes.set_yticks(ticks, [f"{tick:.0%}" for tick in ticks])
        axes.set_xticks(places, [words.replace(" ", "\n", 1) for words in SHOULD])
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel("Percentile of the council's projection (low: larger deficit than expected)")
        drawing.legend_above(axes)
        drawing.settle(figure)
    half = float(shares.iloc[2:4].sum())
    wide = float(shares.iloc[1:5].sum())
    finding = f"50% ranges held {percent(half)} of councils, 80% ranges {percent(wide)}"
    told = "; ".join(
        f"{words[0].lower()}{words[1:]} {percent(share)}, should be {percent(SHOULD[words])}"
        for words, share in shares.items()
    )
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=f"Share of councils by the percentile of the past projection at which they ended, "
        f"{counted(len(known), 'council')}, {year_end(target)}",
        unit="% of councils",
        source=source,
        alt=f"{finding}. Bars of the share of {counted(len(known), 'council')} that ended between percentiles of "
        f"their range, a line across each for the share that should have: {told}.",
        data=pd.DataFrame(
            {
                "Percentile of the range": list(SHOULD),
                "Councils (number)": ended.to_numpy(),
                "Share of councils (0 to 1)": shares.to_numpy(),
                "Should be (0 to 1)": should,
            }
        ),
    )


def _ended(known: pd.DataFrame) -> pd.Series:
    """Below, inside (its ends included) or above the 80% range."""
    below, above = known["actual"] < known["p10"], known["actual"] > known["p90"]
    return pd.Series(np.select([below, above], [BELOW, ABOVE], default=INSIDE), index=known.index)


def _parts(known: pd.DataFrame) -> pd.Series[int]:
    """Councils by the part of the range in which they ended; the ends of the central ranges belong to them."""
    actual = known["actual"]
    passed = [actual >= known[name] for name in ("p10", "p25", "p50")] + [
        actual > known[name] for name in ("p75", "p90")
    ]
    part = np.sum(passed, axis=0)
    return pd.Series(np.bincount(part, minlength=len(SHOULD)), index=list(SHOULD))


# The picture of each council


def _share_axis(axes: Axes, shares: np.ndarray) -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = min(0.0, float(shares.min())), max(0.0, float(shares.max()))
    pad = 0.04 * (high - low) or 0.01
    ticks = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    within = [float(tick) for tick in ticks if low - pad <= tick <= high + pad]
    axes.set_ylim(low - pad, high + pad)
    axes.set_yticks(within, [f"{MINUS if tick < -1e-9 else ''}{abs(tick):.0%}" for tick in within])


def _ranges(axes: Axes, shares: pd.DataFrame) -> None:
    """All ranges as one broken line: a path a council would make the picture three times as heavy."""
    gap = np.full(len(shares), np.nan)
    across = np.column_stack([shares.index, shares.index, gap]).ravel()
    along = np.column_stack([shares["p10"], shares["p90"], gap]).ravel()
    axes.plot(across, along, color=BLUE, linewidth=1.1, label="80% range", zorder=2)


def _marks(axes: Axes, some: pd.DataFrame, place: str, count: int) -> None:
    if some.empty:
        return
    shape, colour, size = MARKS[place]
    axes.plot(
        some.index,
        some["actual"],
        shape,
        color=colour,
        markersize=size,
        markeredgecolor=WHITE,
        markeredgewidth=0.4,
        label=f"{place} ({count})",
        clip_on=False,
        zorder=3 if place == INSIDE else 3.5,
    )


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=4,
        borderaxespad=0.8,
        borderpad=0,
        handlelength=1.0,
        handletextpad=0.4,
        columnspacing=1.5,
    )


def _words(figure: Figure, axes: Axes, shares: pd.DataFrame) -> None:
    """Say which side of zero is which and name those furthest outside, where that covers no mark and no range."""
    taken = _covered(axes, shares, figure.dpi / 72)
    last = len(shares) - 1
    for words, up, upright in (("surplus", 3, "bottom"), ("deficit", -4, "top")):
        _place(axes, taken, words, [((0, 0), (0, up), "left", upright), ((last, 0), (0, up), "right", upright)])
    furthest = shares[shares["outside"] > 0].nlargest(NAMED, "outside")
    for council, name, share in zip(furthest.index, furthest["name"], furthest["actual"], strict=True):
        mark = (float(council), float(share))
        sides: list[Side] = [
            (mark, (7, 0), "left", "center"),
            (mark, (-7, 0), "right", "center"),
            (mark, (0, -7), "center", "top"),
        ]
        _place(axes, taken, changes.wrapped(str(name), 24), sides)


def _place(axes: Axes, taken: list[Bbox], text: str, sides: list[Side]) -> None:
    """Put a text on the first side that is free, and take that room; leave it out where none is."""
    page = axes.get_window_extent()
    for place, offset, level, upright in sides:
        note = axes.annotate(
            text, place, offset, textcoords="offset points", ha=level, va=upright, bbox=drawing.CLEAR, zorder=4
        )
        note.set_linespacing(1.05)
        box = note.get_window_extent()
        within = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        if within and not box.count_overlaps(taken):
            taken.append(box.padded(3))
            return
        note.remove()


def _covered(axes: Axes, shares: pd.DataFrame, dpi: float) -> list[Bbox]:
    """Boxes of all ranges and marks, in pixels."""
    from matplotlib.transforms import Bbox

    def box(place: int, low: float, high: float, half: float) -> Bbox:
        (x, bottom), (_, top) = axes.transData.transform([(place, low), (place, high)])
        return Bbox.from_extents(x - half * dpi, bottom - half * dpi, x + half * dpi, top + half * dpi)

    ranges = zip(shares.index, shares["p10"], shares["p90"], strict=True)
    marks = zip(shares.index, shares["actual"], shares["actual"], strict=True)
    return [*(box(*each, 0.6) for each in ranges), *(box(*each, 3.5) for each in marks)]


def _furthest_in_words(known: pd.DataFrame, outside: pd.Series) -> str:
    """The council furthest outside, for its size, with its range."""
    if not (outside > 0).any():
        return ""
    row = known.loc[outside.idxmax()]
    return (
        f" Furthest outside for its size is {row['name']}: a {balance(row['actual'])}, where the range was "
        f"a {balance_range(row['p10'], row['p90'])}."
    )
