"""How findings and text alternatives are put: years, thresholds, balances and changes in words."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import pandas as pd

from deficits.formatting import (
    MINUS,
    balance,
    balance_range,
    between,
    estimate,
    gbp,
    gbp_range,
    two_figures,
    year_end,
)
from deficits.plots.frames import VALUES

UNITS = {"£bn": 1e9, "£m": 1e6, "£": 1.0}


def period(years: Iterable[int]) -> str:
    """The dates that a figure spans.

    >>> period([2026, 2025]), period([2026])
    ('31 March 2025 to 31 March 2026', '31 March 2026')
    """
    known = {int(year) for year in years}
    first, last = min(known), max(known)
    return year_end(first) if first == last else f"{year_end(first)} to {year_end(last)}"


def signed(value: float, unit: str, *, estimate: bool = False) -> str:
    """A change with its sign, in the unit that its figure has: amounts in one column compare at a glance.

    `estimate`: to the two figures that an estimate for a council is known to.

    >>> signed(5.93e9, "£bn"), signed(-242e6, "£bn"), signed(11e6, "£bn"), signed(0.2, "£m"), signed(-950, "£")
    ('+£5.9bn', '−£0.2bn', '+£0.01bn', 'none', '−£950')
    >>> signed(188.6e6, "£m", estimate=True), signed(-5.93e6, "£m", estimate=True)
    ('+£190m', '−£5.9m')
    """
    if gbp(value) == gbp(0):
        return "none"
    suffix = unit.removeprefix("£")
    size = abs(two_figures(value) if estimate else value) / UNITS[unit]
    shown = f"{size:,.{0 if not suffix or (estimate and size >= 10) else 1}f}"
    if not shown.strip("0.,"):
        shown = f"{size:.2f}"  # with its sign, which "less than" would lose
    return f"{MINUS if value < 0 else '+'}£{shown}{suffix}"


def counted(number: int, thing: str) -> str:
    """A number with its noun."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def fan_words(
    points: pd.DataFrame, fans: dict[str, pd.DataFrame], forecasts: pd.DataFrame, of_a_council: bool
) -> list[str]:
    """What a fan chart shows, in sentences for its alternative text; of a council, estimates in two figures."""
    say = balance if of_a_council else gbp
    guess = partial(balance, write=estimate) if of_a_council else gbp
    told = []
    if len(points):
        first, last = points.iloc[0], points.iloc[-1]
        start = f"{say(first['value'])} at {year_end(first['year'])}, " if len(points) > 1 else ""
        basis = lowered(last["basis"])
        told.append(f"Observed: {start}{say(last['value'])} at {year_end(last['year'])} ({basis}).")
    for _, row in points.dropna(subset=["other"]).iterrows():
        told.append(
            f"A second source has {say(row['other'])} at {year_end(row['year'])}, not {say(row['value'])}."
        )
    for words, fan in fans.items():
        if len(fan):
            end = fan.iloc[-1]
            ends = (balance_range if of_a_council else gbp_range)(end["p10"], end["p90"])
            middle = f"central estimate {guess(end['p50'])} at {year_end(int(fan.index[-1]))}"
            told.append(f"{words}: {middle}, 80% range {ends.removeprefix('a ')}.")
    said = []
    for year, some in forecasts.groupby("year"):
        values = some[VALUES].to_numpy()
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        amounts = between(balance(low), balance(high)) if of_a_council else gbp_range(low, high)
        said.append(f"{counted(len(some), 'forecast')} for March {int(year)}, {amounts}")
    whose = "The council's own" if of_a_council else "Published elsewhere"
    return [*told, f"{whose}: {'; '.join(said)}."] if said else told


def read_out(labels: Iterable[str], *texts: Iterable[object]) -> str:
    """Rows as an alternative text tells them: each label, its text and what else is given."""
    return "; ".join(" ".join(map(str, row)) for row in zip(labels, *texts, strict=True))


def lowered(text: str) -> str:
    """Words of a heading inside a sentence."""
    return f"{text[:1].lower()}{text[1:]}"
