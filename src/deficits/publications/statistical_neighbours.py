"""Statistical neighbours (DfE, Local Authority Interactive Tool): the authorities that are most like each one."""

from __future__ import annotations

import pandas as pd

from deficits.publications.editions import Reader


def neighbours(reader: Reader) -> pd.DataFrame:
    """The statistical neighbours that were public on the reader's day, of the newest edition.

    Columns: authority, rank (1 is the nearest), neighbour (both DfE numbers). No rows where no edition was public.
    """
    table = reader.table("statistical-neighbours", "neighbours", ["rank"])
    table = table.rename(columns={"dfe_number": "authority", "neighbour_dfe_number": "neighbour"})
    table = table[["authority", "rank", "neighbour"]].astype({"rank": int})
    return table.sort_values(["authority", "rank"], ignore_index=True)
