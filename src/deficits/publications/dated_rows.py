"""Tables whose rows were published on different days: each row carries its own date."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from deficits.formatting import last_day
from deficits.publications.editions import Reader


def dated_rows(reader: Reader, publication: str, kind: str, numeric: Iterable[str] = ()) -> pd.DataFrame:
    """The rows of every edition of a table that were public on the reader's day, with the file's own columns.

    `published` is left as printed (a day, month or year, or missing); a row without one is not known to have been
    public on any earlier day, so that only a reader without a day has it. `source` is `publication/file:line`.
    """
    parts = []
    for file in reader.raw.files(publication, kind):
        table = reader.raw.table(publication, file.name, numeric)
        # Line 1 of a file is its header.
        parts.append(table.assign(source=[f"{publication}/{file.name}:{row + 2}" for row in table.index]))
    rows = pd.concat(parts, ignore_index=True)
    if reader.as_of is not None:
        days = rows["published"].map(lambda day: last_day(day if isinstance(day, str) else None))
        rows = rows[days <= reader.as_of]
    return rows.reset_index(drop=True)
