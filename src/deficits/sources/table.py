"""What a parser gives: one tidy table, and what was missing in it and why."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Table:
    """A publication's table with its own labels, signs and coverage; money in £ whatever unit it was printed in.

    `kind` is the table's name within its publication (as `table` in source.toml). `frame` is one row a key.
    `missing` has a row for each cell without a number: the key columns, `column`, `symbol` as printed, `reason`.
    `dropped` names rows that are no authority's (totals, classes, notes), for the record.
    """

    kind: str
    frame: pd.DataFrame
    key: tuple[str, ...]
    missing: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["column", "symbol", "reason"]))
    dropped: tuple[str, ...] = ()
