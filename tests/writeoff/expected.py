"""The result that stands beside each shipped scheme: `python -m tests.writeoff.expected` writes them again.

Rounded to what a reviewer can read: £m and councils to one decimal, years and shares to three.
"""

from functools import cache
from typing import Any

import pandas as pd

import deficits as d
from deficits.paths import schemes_dir
from deficits.projection import Projection
from deficits.writeoff import scheme_names

DECIMALS = {"£m": 1, "councils": 1, "years": 3, "share of draws": 3}


@cache
def projection() -> Projection:
    return d.project(d.load_panel(), until=2031, draws=1000, seed=1)


def result_of(name: str, **changes: Any) -> pd.DataFrame:
    """The scheme's summary (with other terms) on a small projection, money in £m, not rounded."""
    frame = d.write_off(projection(), d.Scheme.read(name, **changes)).summary()
    pounds = frame["unit"] == "£"
    frame.loc[pounds, "mean":"p90"] /= 1e6
    return frame.assign(unit=frame["unit"].where(~pounds, "£m"))


if __name__ == "__main__":
    for scheme in scheme_names():
        found = result_of(scheme)
        for unit, decimals in DECIMALS.items():
            rows = found["unit"] == unit
            found.loc[rows, "mean":"p90"] = found.loc[rows, "mean":"p90"].round(decimals)
        found.to_csv(schemes_dir() / f"{scheme}.expected.csv")
