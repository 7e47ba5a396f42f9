"""Announced divisions of an authority, and the share of its balance that each successor would take."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import HttpUrl

from deficits.errors import SourceError
from deficits.paths import raw_dir
from deficits.raw import read_table
from deficits.validation import Declared, Model, read_toml, validated


class Split(Declared):
    """One authority (DfE number) that is divided on a day; each successor with its districts (ONS codes)."""

    authority: str
    on: date
    decided: date
    reference: HttpUrl
    note: str
    successors: dict[str, tuple[str, ...]]


class Undecided(Declared):
    """Authorities (DfE numbers) that are to be reorganised on a day, where no decision on successors is held."""

    authorities: tuple[str, ...]
    on: date
    announced: date
    reference: HttpUrl
    note: str


@cache
def read_splits() -> dict[str, Split]:
    """The announced divisions, by DfE number."""
    return {split.authority: split for split in _declared("split", Split)}


@cache
def read_undecided() -> dict[str, Undecided]:
    """Reorganisations without a decision on the successors, by DfE number of each authority concerned."""
    return {code: each for each in _declared("undecided", Undecided) for code in each.authorities}


def _declared(key: str, model: type[Model]) -> list[Model]:
    shown = "data/raw/authorities/splits.toml"
    declared = read_toml(raw_dir() / "authorities" / "splits.toml", shown, SourceError)
    return [validated(model, entry, shown, SourceError) for entry in declared.get(key, [])]


def shares(split: Split) -> pd.Series:
    """Each successor's share (0 to 1, they add up to 1), by people aged 2 to 18.

    >>> round(float(shares(read_splits()["936"]).sum()), 12)
    1.0
    """
    people = read_table("ons-population", "population_mid2023_by_district.csv", numeric=["pop_2_18"])
    by_district = people.set_index("district_code")["pop_2_18"]
    parts = pd.Series({name: by_district.loc[list(codes)].sum() for name, codes in split.successors.items()})
    return parts / parts.sum()


def divide(amounts: npt.ArrayLike, parts: pd.Series) -> dict[str, npt.NDArray[np.float64]]:
    """Amounts of any shape, divided by the shares of `parts`; the last successor takes what is left, so that the
    successors' amounts add up to the whole.
    """
    whole = np.asarray(amounts, dtype=float)
    *others, last = parts.index
    divided = {name: whole * parts[name] for name in others}
    return divided | {last: whole - sum(divided.values())}
