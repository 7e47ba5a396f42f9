"""Which councils have a figure in which years, as one picture."""

from __future__ import annotations

import textwrap
from functools import partial

import numpy as np
import pandas as pd

from deficits.formatting import financial_year
from deficits.plots import drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.style import BLUE, LINE, NAVY, ORANGE, PALE_BLUE, PLUM, TEXT, THIN, WHITE, house_style

SOURCE = (
    "LA and school expenditure from the Department for Education; revenue outturn from MHCLG; councils' own "
    "statements"
)
STATES = {
    "reported": NAVY,
    "derived": BLUE,
    "stated": PLUM,
    "disputed": ORANGE,
    "not reported": PALE_BLUE,
    "not collected": WHITE,
}
"""State of a cell and its colour, from most to least known. Text tells them apart too: see the table."""


def coverage(frame: pd.DataFrame, what: str) -> Chart:
    """One line a council, in its region; one column a year; the colour says how the figure is known.

    Args:
        frame: columns name, region, year and state (one of `STATES`), one row a council and year; a council that
            did not exist in a year has no row for it.
        what: the figure, for the subtitle, such as "DSG balance".
    """
    from matplotlib.colors import ListedColormap

    name = "coverage"
    cells = frames.columns(frame, ("name", "region", "year", "state"), name)
    unknown = set(cells["state"]) - set(STATES)
    if cells.empty or unknown:
        raise ValueError(f"chart {name!r}: {'no row' if cells.empty else f'unknown states {sorted(unknown)}'}")
    grid = cells.pivot(index=["region", "name"], columns="year", values="state")
    counts = pd.crosstab(cells["year"], cells["state"]).reindex(columns=list(STATES), fill_value=0)
    known = counts[["reported", "derived", "stated", "disputed"]].sum(axis=1)
    best = int(known.index[::-1][known[::-1].argmax()])
    finding = (
        f"Most complete in {financial_year(best)}: a figure for {known[best]} of {counts.loc[best].sum()} councils"
    )
    with house_style():
        figure, axes = drawing.new_axes(height=5.2)
        codes = np.ma.masked_invalid(grid.map(list(STATES).index, na_action="ignore").to_numpy(dtype=float))
        show = partial(axes.imshow, aspect="auto", interpolation="nearest")
        show(codes, cmap=ListedColormap(list(STATES.values())), vmin=-0.5, vmax=len(STATES) - 0.5)
        across = grid.shape[1]
        every_other = [financial_year(int(year)) if (across - n) % 2 else "" for n, year in enumerate(grid)]
        axes.set_xticks(range(across), every_other)
        axes.grid(visible=False)
        for edge in np.arange(1, across) - 0.5:
            axes.axvline(edge, color=WHITE, linewidth=LINE)
        # Each region's name at the middle of its councils, and a line below them.
        regions = grid.index.get_level_values("region")
        places = pd.Series(range(len(regions)), index=regions).groupby(level=0, sort=False)
        names = [textwrap.fill(f"{region} ({size})", 15) for region, size in places.size().items()]
        axes.set_yticks(places.mean(), names)
        for end in places.max().iloc[:-1]:
            axes.axhline(end + 0.5, color=TEXT, linewidth=THIN)
        for state in STATES:
            if counts[state].any():
                axes.bar([0], [np.nan], label=state, facecolor=STATES[state], edgecolor=TEXT, linewidth=THIN)
        drawing.legend_above(axes, 3)
        drawing.settle(figure)
    told = "; ".join(
        f"{financial_year(int(year))}: " + ", ".join(f"{row[state]} {state}" for state in STATES if row[state])
        for year, row in counts.iterrows()
    )
    table = counts.rename(columns=lambda state: f"{state.capitalize()} (councils)")
    table.insert(0, "Year", [financial_year(int(year)) for year in counts.index])
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=f"{what}, how each council's is known, by region and year, with councils since replaced",
        unit="councils",
        source=SOURCE,
        alt=f"{finding}. A line for each council and a column for each year. {told}.",
        data=table.reset_index(drop=True),
    )
