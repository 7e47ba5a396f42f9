"""What a plan's assumptions are compared with: own published figures, neighbours' and England's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from deficits.panel import Panel
from deficits.publications.editions import Reader
from deficits.publications.tabulated import neighbours
from deficits.simulated import in_units

PUBLISHED = {
    "plan growth": ("plans", None, "growth a year"),
    "plans in mainstream": ("plans_mainstream", "plans", "share of plans"),
    "plans in state special schools": ("plans_state_special", "plans", "share of plans"),
    "plans in independent and non-maintained": ("plans_independent", "plans", "share of plans"),
    "plans in further education and specialist post-16": ("plans_post_16", "plans", "share of plans"),
    "net high needs spend per plan": ("high_needs_net_spend", "plans", "£ per plan"),
    "growth of net high needs spend": ("high_needs_net_spend", None, "growth a year"),
    "state special spend per plan there": ("state_special_spend", "plans_state_special", "£ per plan"),
    "independent spend per plan there": ("independent_spend", "plans_independent", "£ per plan"),
    "growth of the high needs block": ("high_needs_block", None, "growth a year"),
    "net high needs spend over the block": ("high_needs_net_spend", "high_needs_block", "share of block"),
}
"""Measures: one figure of the panel over another, or its growth where there is no other, and the unit."""
FEWEST = 100
"""Councils that must have both figures in a year for England's to be shown."""


def evidence(panel: Panel, code: str) -> pd.DataFrame:
    """Published figures to compare a plan's assumptions with: indexed by measure, columns unit, year, own,
    neighbours (the median of the statistical neighbours that have it), england (of all councils that have it) and
    source.

    Each measure in the newest year that the council has it; missing where nothing is published.
    """
    known = neighbours(Reader(panel.raw, panel.authorities, panel.as_of))
    alike = known.loc[known["authority"] == code, "neighbour"].tolist()
    rows = {}
    for name, (figure, other, unit) in PUBLISHED.items():
        above = panel.figure(figure)
        below = (above.shift(1, axis=1) if other is None else panel.figure(other)).reindex_like(above)
        both = above.notna() & (below > 0)
        values = (above / below).where(both) - (other is None)
        own = values.loc[code].dropna() if code in values.index else pd.Series(dtype=float)
        year = int(own.index[-1]) if len(own) else int(values.columns[both.sum() >= FEWEST][-1])
        counted = both[year]
        england = above.loc[counted, year].sum() / below.loc[counted, year].sum() - (other is None)
        near = values.reindex(alike)[year].dropna()
        sources = panel.frame[f"{figure}_source"].xs(year, level="year").dropna()
        rows[name] = {
            "unit": unit,
            "year": year,
            "own": own.get(year, np.nan),
            "neighbours": near.median(),
            "neighbours_counted": len(near),
            "england": england if counted.sum() >= FEWEST else np.nan,
            "source": str(sources.get(code, sources.iloc[0])).partition("/")[0],
        }
    units = {name: unit for name, (_, _, unit) in PUBLISHED.items()}
    return in_units(pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure"), units)
