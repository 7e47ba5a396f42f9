"""The panel's figures, as `figures.toml` declares them, and the rules that its columns keep to."""

from __future__ import annotations

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


FIGURES = {name: Figure(name, **values) for name, values in _DECLARED["figure"].items()}
COMPARISONS: list[dict[str, Any]] = _DECLARED["comparison"]
"""A figure, the published national measure it should sum to, and by how much it may differ."""


def check(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, when it keeps to the rules; PanelError naming every breach otherwise.

    A figure is not below zero unless it is signed; a value has a basis, source and date, and nothing else has, but
    for the basis that says why there is no balance.
    """
    value, basis, source, published = (
        frame[[f"{name}{part}" for name in FIGURES]].set_axis(list(FIGURES), axis=1) for part in PARTS
    )
    present, based = value.notna(), basis.notna()
    based["balance"] &= present["balance"] | ~basis["balance"].isin(["disputed", "not_reported"])
    rules = {
        "a figure below zero": value.lt(0) & [not figure.signed for figure in FIGURES.values()],
        "each figure needs its basis, source and date": (source.notna() != present)
        | (published.notna() != present)
        | (based != present),
        f"a basis other than {', '.join(BASES)}": basis.notna() & ~basis.isin([*BASES]),
    }
    breaches = []
    for rule, broken in rules.items():
        for name in broken.columns[broken.any()]:
            place = broken[name].idxmax()
            found = ", ".join(map(str, frame.loc[place, [f"{name}{part}" for part in PARTS]]))
            breaches.append(f"{rule}: {name} of {place[0]} in {place[1]} ({found}), {broken[name].sum()} in all")
    if breaches:
        raise PanelError("\n  ".join(["the panel breaks its rules:", *breaches[:10]]))
    return frame
