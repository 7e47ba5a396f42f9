"""The panel's figures, as `figures.toml` declares them, and the rules that its columns keep to."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from deficits.errors import PanelError

_DECLARED = tomllib.loads(Path(__file__).with_name("figures.toml").read_text(encoding="utf-8"))
COLUMNS: dict[str, str] = _DECLARED["column"]
"""What the columns of the panel mean that are no figures: its keys first."""
PACKAGE: dict[str, Any] = _DECLARED["package"]
"""The head of datapackage.json."""
BESIDE: dict[str, str] = _DECLARED["part"]
"""The columns of the panel that go with each figure, by the end of its column's name."""
PARTS = ("", *BESIDE)
BASES: dict[str, str] = _DECLARED["basis"]
"""What a figure may be, and what that means."""


@dataclass(frozen=True)
class Figure:
    """One figure of the panel: `signed` where it may be below zero, `watched` where a fetch looks at its moves."""

    name: str
    unit: str
    meaning: str
    signed: bool = False
    watched: bool = False


@dataclass(frozen=True)
class Comparison:
    """A figure of the panel, the published national measure it should sum to, and by how much it may differ.

    `publication`: whose rows are on the panel's own basis, where a measure has rows on several.
    """

    figure: str
    measure: str
    tolerance: float
    reason: str
    publication: str | None = None


FIGURES = {name: Figure(name, **values) for name, values in _DECLARED["figure"].items()}
COMPARISONS = [Comparison(**values) for values in _DECLARED["comparison"]]


def check(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, when it keeps to the rules; PanelError naming every breach otherwise.

    A row an authority and year; a figure is not below zero unless it is signed; a value has a basis, source and
    date, and nothing else has, but for the basis that says why there is no balance.
    """
    columns = [*list(COLUMNS)[2:], *(f"{name}{part}" for name in FIGURES for part in PARTS)]
    breaches = [] if list(frame.columns) == columns else [f"columns other than {', '.join(columns)}"]
    if not frame.index.is_unique:
        breaches.append("an authority and year twice")
    value, basis, source, published = (
        frame.reindex(columns=[f"{name}{part}" for name in FIGURES]).set_axis(list(FIGURES), axis=1)
        for part in PARTS
    )
    present = value.notna()
    why = basis["balance"].isin(["disputed", "not_reported"])
    needed = basis.notna().assign(balance=lambda each: each["balance"] & (present["balance"] | ~why))
    days = [day for day in published.stack().dropna().unique() if not re.fullmatch(r"\d{4}-\d\d-\d\d", day)]
    rules = {
        "a figure below zero": value.lt(0) & [not figure.signed for figure in FIGURES.values()],
        "each figure needs its basis, source and date": (source.notna() != present)
        | (published.notna() != present)
        | (needed != present),
        f"a basis other than {', '.join(BASES)}": basis.notna() & ~basis.isin([*BASES]),
        "a date that is none": published.isin(days),
    }
    for rule, broken in rules.items():
        for name in broken.columns[broken.any()]:
            place = broken[name].idxmax()
            found = ", ".join(map(str, frame.loc[place, [f"{name}{part}" for part in PARTS]]))
            breaches.append(f"{rule}: {name} of {place[0]} in {place[1]} ({found}), {broken[name].sum()} in all")
    if breaches:
        raise PanelError("\n  ".join(["the panel breaks its rules:", *breaches[:10]]))
    return frame
