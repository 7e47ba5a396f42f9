"""Corrections of published figures, as data: each with its reason and a guard that fails when it no longer fits.

`data/raw/<publication>/corrections.toml` holds them. A correction that matches nothing, or whose guard finds
another value (the publisher has mended the figure), is an error, so that none outlives its cause.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deficits.errors import PanelError
from deficits.places import raw_dir

NO_CORRECTIONS = pd.DataFrame(columns=["source", "column", "action", "before", "after", "reason"])
"""What `correct` gives where nothing was corrected."""


class Expect(BaseModel):
    """What each matched cell must hold: a number, a range, or nothing (`blank = true`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    equals: float | None = None
    least: float | None = None
    most: float | None = None
    blank_allowed: bool = False

    def holds(self, values: pd.Series) -> pd.Series:
        """Whether each value is as expected."""
        met = pd.Series(True, index=values.index)
        if self.equals is not None:
            met &= (values - self.equals).abs() < 0.005
        if self.least is not None:
            met &= values >= self.least
        if self.most is not None:
            met &= values <= self.most
        return met | values.isna() if self.blank_allowed else met & values.notna()


class Correction(BaseModel):
    """One correction.

    drop: the figure is missing. override: it is `value`, or that row's `from_column`. scale: times `factor`.
    flag: it stands, and counts as disputed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str = Field(description="kind of table, as `table` in source.toml")
    file: str | None = Field(default=None, description="one edition alone, where a newer one is right")
    column: str
    match: dict[str, str | list[str]] = Field(description="column and the text, or texts, that its rows hold")
    action: Literal["drop", "override", "scale", "flag"]
    value: float | None = None
    from_column: str | None = None
    factor: float | None = None
    reason: str = Field(min_length=20)
    by: str = Field(min_length=3, description="who found it or says so")
    decided: date
    expect: Expect

    @model_validator(mode="after")
    def _has_what_its_action_needs(self) -> Self:
        given = {"value": self.value, "from_column": self.from_column, "factor": self.factor}
        allowed = {"override": {"value", "from_column"}, "scale": {"factor"}}.get(self.action, set())
        found = {name for name, what in given.items() if what is not None}
        if found - allowed or (allowed and len(found) != 1):
            needs = " or ".join(sorted(allowed)) or "no value"
            raise ValueError(f"action '{self.action}' takes {needs}, found {sorted(found) or 'none'}")
        return self

    def rows(self, frame: pd.DataFrame) -> pd.Series:
        """Which rows of a table it is about."""
        found = pd.Series(True, index=frame.index)
        for column, wanted in self.match.items():
            found &= frame[column].isin([wanted] if isinstance(wanted, str) else wanted)
        return found


@cache
def read_corrections(publication: str, raw: Path | None = None) -> tuple[Correction, ...]:
    """The corrections of a publication; none when it has no corrections.toml.

    Raises PanelError listing every fault of the file.
    """
    path = (raw or raw_dir()) / publication / "corrections.toml"
    if not path.is_file():
        return ()
    shown = f"data/raw/{publication}/corrections.toml"
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8")).get("correction", [])
        return tuple(Correction.model_validate(entry) for entry in listed)
    except tomllib.TOMLDecodeError as error:
        raise PanelError(f"{shown} is not valid TOML: {error}") from None
    except ValidationError as error:
        faults = "\n".join(
            f"  {'.'.join(map(str, fault['loc'])) or 'entry'}: {fault['msg']}, found {fault['input']!r:.80}"
            for fault in error.errors()
        )
        raise PanelError(f"{shown} is not valid:\n{faults}") from None


def correct(
    frame: pd.DataFrame, corrections: Sequence[Correction], publication: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A table with its corrections, and one row for each cell that they touched.

    `frame` is a table of one kind, every edition of it: columns of the files, those to correct as numbers, and
    `file` and `line`. The second frame has columns source (`publication/file:line`), column, action, before,
    after, reason.

    Raises PanelError when a correction matches no row, names a column that is not there, or its guard fails.
    """
    corrected = frame.copy()
    touched = []
    for correction in corrections:
        where = f"data/raw/{publication}/corrections.toml, {correction.table}, {correction.column}"
        unknown = {correction.column, *correction.match, correction.from_column or correction.column} - set(frame)
        if unknown:
            raise PanelError(f"{where}: the table has no column {', '.join(sorted(unknown))}")
        rows = correction.rows(frame)
        if correction.file:
            rows &= frame["file"] == correction.file
        if not rows.any():
            raise PanelError(
                f"{where}: no row matches {correction.match}; remove the correction or mend its match"
            )
        before = frame.loc[rows, correction.column]
        unexpected = before[~correction.expect.holds(before)]
        if len(unexpected):
            place = frame.loc[unexpected.index[0]]
            raise PanelError(
                f"{where}: {place['file']} line {place['line']} holds {unexpected.iloc[0]}, not what the guard "
                f"expects ({correction.expect.model_dump(exclude_defaults=True)}): the publisher may have mended "
                "it; look, then change or remove the correction"
            )
        if correction.action == "drop":
            corrected.loc[rows, correction.column] = float("nan")
        elif correction.action == "override":
            source = correction.from_column
            corrected.loc[rows, correction.column] = (
                correction.value if source is None else frame.loc[rows, source]
            )
        elif correction.action == "scale":
            corrected.loc[rows, correction.column] = before * correction.factor
        touched.append(
            pd.DataFrame(
                {
                    "source": publication
                    + "/"
                    + frame.loc[rows, "file"]
                    + ":"
                    + frame.loc[rows, "line"].astype(str),
                    "column": correction.column,
                    "action": correction.action,
                    "before": before,
                    "after": corrected.loc[rows, correction.column],
                    "reason": correction.reason,
                }
            )
        )
    return corrected, pd.concat(touched, ignore_index=True) if touched else NO_CORRECTIONS
