"""Deprivation by authority (MHCLG, English indices of deprivation)."""

from __future__ import annotations

import pandas as pd

from deficits.publications.editions import Reader

_COLUMNS = {
    "dfe_number": "authority",
    "imd2025_average_score": "score",
    "imd2025_rank_of_153": "rank",
    "idaci2025_share_approx": "children_in_income_deprivation",
}


def deprivation(reader: Reader) -> pd.DataFrame:
    """Deprivation that was public on the reader's day, of the newest edition, indexed by authority (DfE number).

    Columns: score (average of the index; higher is more deprived), rank (1 is the most deprived authority) and
    children_in_income_deprivation (share, 0 to 1, approximate). No rows where no edition was public.
    """
    table = reader.table("deprivation", "deprivation", list(_COLUMNS)[1:])
    return table[[*_COLUMNS]].rename(columns=_COLUMNS).set_index("authority")
