"""Corrections of published figures, as data: each with its reason, and what the cell must hold for it to be made.

`data/raw/<publication>/corrections.toml` holds them. There are two sorts:

- one with `expect` is about figures that somebody looked at. It must find them in some edition; an edition whose
  cells hold something else needs a decision (`[[decision]]`, written by `deficits fetch`): to keep the correction
  for that edition, or to retire it there. So no correction outlives its cause unseen.
- one with `when` is about a practice that may come back, in any year and edition: it is made where its condition
  holds and nowhere else, and may count the cell as disputed (`disputed = true`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

import pandas as pd
from pydantic import Field, model_validator

from deficits.errors import PanelError, SourceError
from deficits.validation import Declared, each_once, read_toml, validated

TOUCHED = ["source", "correction", "column", "action", "before", "after", "reason"]
"""Columns of the record of corrected cells."""
Choice = Literal["keep", "retire"]


class Expect(Declared):
    """What a cell must hold: a number, or a range."""

    equals: float | None = None
    least: float = -math.inf
    most: float = math.inf

    def holds(self, values: pd.Series) -> pd.Series:
        """Whether each value is as expected; a blank never is."""
        numbers = pd.to_numeric(values, errors="coerce")
        met = numbers.between(self.least, self.most)
        return met if self.equals is None else met & numbers.between(self.equals - 0.005, self.equals + 0.005)

    def __str__(self) -> str:
        parts = {"": self.equals, "at least ": self.least, "at most ": self.most}
        given = {words: value for words, value in parts.items() if value is not None and math.isfinite(value)}
        return " and ".join(f"{words}{value:,.0f}" for words, value in given.items())


class Correction(Declared):
    """One correction: drop makes the figure missing, override gives it `value` or that row's `from_column`, flag
    lets it stand and counts it as disputed."""

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
    action: Literal["drop", "override", "flag"]
    value: float | None = None
    from_column: str | None = None
    disputed: bool = Field(default=False, description="the corrected cell counts as disputed")
    reason: str = Field(min_length=20)
    by: str = Field(min_length=3, description="who found it or says so")
    decided: date
    expect: Expect | None = None
    when: dict[str, Expect] = Field(default_factory=dict, description="what columns of the row hold")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.value is not None) + (self.from_column is not None) != (self.action == "override"):
            needs = "value or from_column" if self.action == "override" else "no value"
            raise ValueError(f"action '{self.action}' takes {needs}")
        if (self.expect is None) == (not self.when):
            raise ValueError("give 'expect' (figures that somebody looked at) or 'when' (a practice), not both")
        return self

    def rows(self, frame: pd.DataFrame) -> pd.Series:
        """Which rows of an edition it is about; none of a table without its columns."""
        needed = {self.column, self.from_column or self.column, *self.match, *self.unless, *self.when}
        found = pd.Series(needed <= set(frame), index=frame.index)
        if not found.any():
            return found
        for column, wanted in self.match.items():
            found &= frame[column].isin([wanted] if isinstance(wanted, str) else wanted)
        for column, unwanted in self.unless.items():
            found &= frame[column] != unwanted
        for column, expected in self.when.items():
            found &= expected.holds(frame[column])
        return found if self.after is None else found & (frame["ends_in"] > self.after)


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

    correction: Annotated[tuple[Correction, ...], each_once("name")] = ()
    decision: tuple[Decision, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Self:
        unknown = {each.correction for each in self.decision} - {each.name for each in self.correction}
        if unknown:
            raise ValueError(f"decision on corrections that are not there: {sorted(unknown)}")
        return self


def read_corrections(folder: Path) -> Corrections:
    """The corrections in a publication's folder; none when it has no corrections.toml. PanelError lists faults."""
    path = folder / "corrections.toml"
    if not path.is_file():
        return Corrections()
    shown = f"data/raw/{folder.name}/corrections.toml"
    return validated(Corrections, read_toml(path, shown, SourceError), shown, PanelError)


def correct(
    frame: pd.DataFrame, corrections: Corrections, wanted: Sequence[Correction], publication: str
) -> tuple[pd.DataFrame, pd.DataFrame, set[str]]:
    """One edition of a table, corrected; a record of each cell that was touched; the corrections about some row.

    `frame` has the columns of the file, those to correct as numbers, and `file`, `line` and `ends_in` (year). It
    is given `flagged`: for each row, the columns that count as disputed. GuardFailed when a figure is not the one
    that a correction was made for and nobody has decided what then.
    """
    corrected = frame.assign(flagged="")
    touched, found = [pd.DataFrame(columns=TOUCHED)], set()
    for each in wanted:
        if not (rows := each.rows(frame)).any():
            continue
        found.add(each.name)
        file, before = str(frame["file"].iloc[0]), frame.loc[rows, each.column]
        # The newest decision on it in this edition.
        choice = {(one.correction, one.file): one.choice for one in corrections.decision}.get((each.name, file))
        if choice == "retire":
            continue
        lines = frame.loc[rows, "line"]
        if each.expect is not None and choice is None and not (met := each.expect.holds(before)).all():
            place = met.idxmin()
            raise GuardFailed(
                f"data/raw/{publication}/corrections.toml, '{each.name}' (column {each.column}): {file} line "
                f"{lines[place]} holds {before[place]:,.0f}, but the correction was made for {each.expect}: the "
                f"publisher may have mended it. Correction: {each.reason}",
                each.name,
                file,
            )
        if each.action == "flag" or each.disputed:
            corrected.loc[rows, "flagged"] += f"{each.column},"
        if each.action == "drop":
            corrected.loc[rows, each.column] = float("nan")
        elif each.action == "override":
            new = each.value if each.from_column is None else frame.loc[rows, each.from_column]
            corrected.loc[rows, each.column] = new
        source, after = f"{publication}/{file}:" + lines.astype(str), corrected.loc[rows, each.column]
        record = (source, each.name, each.column, each.action, before, after, each.reason)
        touched.append(pd.DataFrame(dict(zip(TOUCHED, record, strict=True))))
    return corrected, pd.concat(touched, ignore_index=True), found
