"""What money is divided by: prices of one year, pupils, plans, the DSG."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from deficits.assumptions import Assumptions
from deficits.errors import ProjectionError, closest
from deficits.panel import Panel

Per = Literal["pupil", "plan", "dsg"]
PERS: tuple[Per, ...] = get_args(Per)
PUPIL_AGES = range(2, 19)
"""Ages that DfE's high needs benchmarking divides by."""


def check_per(per: str | None) -> None:
    """ProjectionError, with the closest name, for something that money is not divided by here."""
    if per is not None and per not in PERS:
        raise ProjectionError(f"no measure per '{per}': {closest(per, PERS)}")


def price_factor(panel: Panel, assumptions: Assumptions, years: list[int], real: int) -> npt.NDArray[np.float64]:
    """What turns money of each year into prices of the year `real` (GDP deflator, financial years).

    After the published forecast prices grow as `assumptions.long_run_prices` says.
    """
    if panel.prices.empty:
        raise ProjectionError(f"no GDP deflator was public on {panel.as_of}: leave real out")
    first, last = int(panel.prices.index[0]), max([*years, real, int(panel.prices.index[-1])])
    if not first <= real <= last or real > max(years[-1], int(panel.prices.index[-1])):
        raise ProjectionError(
            f"real {real} is not a year from {first} to {max(years[-1], int(panel.prices.index[-1]))}"
        )
    growth = panel.prices.reindex(range(first, last + 1)).fillna(assumptions.long_run_prices)
    level = (1 + growth).cumprod()
    factor: npt.NDArray[np.float64] = (level[real] / level[years]).to_numpy()
    return factor


def pupils(panel: Panel, authorities: pd.Index, years: list[int]) -> pd.DataFrame:
    """People aged 2 to 18 by authority and year: those of mid-2023 grown older, births as in the newest year."""
    if panel.ages.empty:
        raise ProjectionError(
            f"no population by age was public on {panel.as_of}: per 'pupil' cannot be worked out"
        )
    return pd.DataFrame(
        {year: panel.ages.people_in(year)[list(PUPIL_AGES)].sum(axis=1, min_count=1) for year in years}
    ).reindex(authorities)


def dsg(panel: Panel, assumptions: Assumptions, authorities: pd.Index, years: list[int]) -> pd.DataFrame:
    """Dedicated schools grant by authority and year, £: published, then growing by `dsg_growth`."""
    whole = panel.figure("dsg_total")
    newest = int(whole.dropna(axis=1, how="all").columns[-1])
    published = whole.reindex(authorities)
    last = published.ffill(axis=1)[newest]
    return pd.DataFrame(
        {
            year: published[year] if year <= newest else last * (1 + assumptions.dsg_growth) ** (year - newest)
            for year in years
        },
        index=authorities,
    ).replace(0.0, np.nan)
