"""The result that stands beside each shipped scheme: `python -m tests.writeoff.expected` writes them again."""

from functools import cache

import pandas as pd

import deficits as d
from deficits.paths import schemes_dir
from deficits.projection import Projection
from deficits.writeoff import scheme_names


@cache
def projection() -> Projection:
    return d.project(d.load_panel(), until=2031, draws=1000, seed=1)


def result_of(name: str) -> pd.DataFrame:
    """The scheme's summary on a small projection, rounded: to the pound, and to a thousandth of a year."""
    return d.write_off(projection(), d.Scheme.read(name)).summary().round(3)


if __name__ == "__main__":
    for scheme in scheme_names():
        result_of(scheme).to_csv(schemes_dir() / f"{scheme}.expected.csv")
