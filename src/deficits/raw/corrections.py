"""Corrections of published figures, as data: each with its reason, and what the cell must hold for it to be made.

`data/raw/<publication>/corrections.toml` holds them. There are two sorts:

- one with `expect` is about figures that somebody looked at. It must find them in some edition; an edition whose
  cells hold something else needs a decision (`[[decision]]`, written by `deficits fetch`): to keep the correction
  for that edition, or to retire it there. So no correction outlives its cause unseen.
- one with `when` is about a practice that may come back, in any year and edition: it is made where its condition
  holds and nowhere else, and may count the cell as disputed (`disputed = true`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from deficits.errors import PanelError, SourceError
from deficits.raw.declaration import Declared
from deficits.validation import read_toml, validated

TOUCHED = ["source", "correction", "column", "action", "before", "after", "reason"]
"""Columns of the record of corrected cells."""
Choice = Literal["keep", "retire"]


class Expect(Declared):
    """What a cell must hold: a number, or a range."""

    equals: float | None = None
    least: float | None = None
    most: float | None = None

    def holds(self, values: pd.Series) -> pd.Series:
        """Whether each value is as expected; a blank never is."""
        met = values.notna()
        if self.equals is not None:
            met &= (values - self.equals).abs() < 0.005
        if self.least is not None:
            met &= values >= self.least
        if self.most is not None:
            met &= values <= self.most
        return met

    def __str__(self) -> str:
        parts = {"": self.equals, "at least ": self.least, "at most ": self.most}
        return " and ".join(f"{words}{value:,.0f}" for words, value in parts.items() if value is not None)


class Correction(Declared):
    """One correction.

    drop: the figure is missing. override: it is `value`, or that row's `from_column`. scale: times `factor`.
    flag: it stands, and counts as disputed.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$", description="what a decision and a message call it")
    table: str = Field(description="kind of table, as `table` in source.toml")
    file: str | None = Field(default=None, description="one edition alone, where a newer one is right")
    column: str
    match: dict[str, str | list[str]] = Field(
        default_factory=dict, description="column and the text, or texts, that its rows hold"
    )
    unless: dict[str, str] = Field(
        default_factory=dict, description="column and the text of rows that it is not about"
    )
    after: int | None = Field(default=None, description="only year ends after this one (2024 is 2023-24)")
    action: Literal["drop", "override", "scale", "flag"]
    value: float | None = None
    from_column: str | None = None
    factor: float | None = None
    disputed: bool = Field(default=False, description="the corrected cell counts as disputed")
    reason: str = Field(min_length=20)
    by: str = Field(min_length=3, description="who found it or says so")
    decided: date
    expect: Expect | None = None
    when: dict[str, Expect] = Field(default_factory=dict, description="what columns of the row hold")

    @model_validator(mode="after")
    def _has_what_its_action_needs(self) -> Self:
        given = {"value": self.value, "from_column": self.from_column, "factor": self.factor}
        allowed = {"override": {"value", "from_column"}, "scale": {"factor"}}.get(self.action, set())
        found = {name for name, what in given.items() if what is not None}
        if found - allowed or (allowed and len(found) != 1):
            needs = " or ".join(sorted(allowed)) or "no value"
            raise ValueError(f"action '{self.action}' takes {needs}, found {sorted(found) or 'none'}")
        if (self.expect is None) == (not self.when):
            raise ValueError("give 'expect' (figures that somebody looked at) or 'when' (a practice), not both")
        return self

    @property
    def columns(self) -> set[str]:
        """Columns that a table must have for the correction to be about it."""
        return {self.column, self.from_column or self.column, *self.match, *self.unless, *self.when}

    def rows(self, frame: pd.DataFrame) -> pd.Series:
        """Which rows of an edition it is about."""
        found = pd.Series(True, index=frame.index)
        for column, wanted in self.match.items():
            found &= frame[column].isin([wanted] if isinstance(wanted, str) else wanted)
        for column, unwanted in self.unless.items():
            found &= frame[column] != unwanted
        if self.after is not None:
            found &= frame["ends_in"] > self.after
        for column, expected in self.when.items():
            found &= expected.holds(pd.to_numeric(frame[column], errors="coerce"))
        return found

    def made(self, frame: pd.DataFrame, rows: pd.Series) -> pd.Series:
        """What the column holds afterwards."""
        values = frame[self.column].copy()
        if self.action == "drop":
            values[rows] = np.nan
        elif self.action == "override":
            values[rows] = self.value if self.from_column is None else frame.loc[rows, self.from_column]
        elif self.action == "scale":
            values[rows] *= self.factor
        return values


class Decision(Declared):
    """What was decided of a correction in one edition whose figures are not those that it was made for."""

    correction: str
    file: str
    choice: Choice
    decided: date


class GuardFailed(PanelError):
    """Figures of an edition are not those that a correction was made for; `correction` and `file` say which."""

    def __init__(self, message: str, correction: str, file: str) -> None:
        super().__init__(message)
        self.correction, self.file = correction, file


class Corrections(Declared):
    """The corrections of one publication, and the decisions on them."""

    correction: tuple[Correction, ...] = ()
    decision: tuple[Decision, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Self:
        names = [each.name for each in self.correction]
        twice = {name for name in names if names.count(name) > 1}
        unknown = {each.correction for each in self.decision} - set(names)
        if twice or unknown:
            raise ValueError(f"corrections named twice: {sorted(twice)}, decided but not there: {sorted(unknown)}")
        return self

    def choice(self, correction: str, file: str) -> Choice | None:
        """The newest decision on a correction in an edition."""
        found = [each.choice for each in self.decision if (each.correction, each.file) == (correction, file)]
        return found[-1] if found else None


def read_corrections(folder: Path) -> Corrections:
    """The corrections in a publication's folder; none when it has no corrections.toml. PanelError lists faults."""
    path = folder / "corrections.toml"
    if not path.is_file():
        return Corrections()
    shown = f"data/raw/{folder.name}/corrections.toml"
    return validated(Corrections, read_toml(path, shown, SourceError), shown, PanelError)


@dataclass(frozen=True)
class Corrected:
    """An edition with its corrections made: `flagged` names, for each row, the columns that count as disputed."""

    frame: pd.DataFrame
    flagged: pd.Series
    touched: pd.DataFrame
    found: frozenset[str]


def correct(
    frame: pd.DataFrame, corrections: Corrections, wanted: Sequence[Correction], publication: str
) -> Corrected:
    """One edition of a table, corrected, with a record of each cell that was touched.

    `frame` has the columns of the file, those to correct as numbers, and `file`, `line` and `ends_in` (year).
    GuardFailed when a figure is not the one that a correction was made for and nobody has decided what then.
    """
    corrected = frame.copy()
    flagged = pd.Series("", index=frame.index)
    touched, found = [pd.DataFrame(columns=TOUCHED)], set()
    for correction in wanted:
        if not (correction.columns <= set(frame) and (rows := correction.rows(frame)).any()):
            continue
        found.add(correction.name)
        choice = corrections.choice(correction.name, str(frame["file"].iloc[0]))
        if choice == "retire":
            continue
        if correction.expect is not None and choice is None:
            _guard(frame, rows, correction, publication)
        if correction.action == "flag" or correction.disputed:
            flagged[rows] += f"{correction.column},"
        corrected[correction.column] = correction.made(corrected, rows)
        record = {
            "source": f"{publication}/" + frame.loc[rows, "file"] + ":" + frame.loc[rows, "line"].astype(str),
            "correction": correction.name,
            "column": correction.column,
            "action": correction.action,
            "before": frame.loc[rows, correction.column],
            "after": corrected.loc[rows, correction.column],
            "reason": correction.reason,
        }
        touched.append(pd.DataFrame(record))
    return Corrected(corrected, flagged, pd.concat(touched, ignore_index=True), frozenset(found))


def _guard(frame: pd.DataFrame, rows: pd.Series, correction: Correction, publication: str) -> None:
    before = frame.loc[rows, correction.column]
    unexpected = before[~correction.expect.holds(before)]  # type: ignore[union-attr]
    if len(unexpected):
        place = frame.loc[unexpected.index[0]]
        raise GuardFailed(
            f"data/raw/{publication}/corrections.toml, '{correction.name}' (column {correction.column}): "
            f"{place['file']} line {place['line']} holds {unexpected.iloc[0]:,.0f}, but the correction was made "
            f"for {correction.expect}: the publisher may have mended it. Correction: {correction.reason}",
            correction.name,
            str(place["file"]),
        )
