"""Projections and backtests kept in a folder and found again by what they depend on."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import joblib
import pandas as pd
from filelock import FileLock
from pandas.util import hash_pandas_object

from deficits import paths
from deficits.assumptions import Assumptions
from deficits.panel import Panel
from deficits.projection.lever import Lever

Kept = TypeVar("Kept")
FOLDER = "DEFICITS_CACHE"
"""Environment variable that names the folder. Let nobody else write to it: its files are pickles."""


def kept(key: Callable[[], str], make: Callable[[], Kept]) -> Kept:
    """What the key names in the folder that the environment names, its arrays mapped and not read; made and
    written where it is not there, and made where there is no folder.

    A process that asks again for one of the newest is given the same object, and so is one forked from it.
    """
    folder = os.environ.get(FOLDER)
    if not folder:
        return make()
    path = Path(folder) / f"{key()}.joblib"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.exists():
            part = path.with_suffix(".part")
            joblib.dump(make(), part)
            part.replace(path)
        found: Kept = _loaded(path)
    return found


@lru_cache(maxsize=4)
def _loaded(path: Path) -> Any:
    return joblib.load(path, mmap_mode="c")  # a change is this process's own


def key_of(panel: Panel, assumptions: Assumptions, levers: Sequence[Lever], *run: int) -> str:
    """What a projection depends on, as the name of a file: figures, assumptions, levers, the run and the code."""
    # What a panel holds may have been replaced by its reader, as a backtest does with agreements.
    frames = [panel.frame, panel.national, panel.forecasts, panel.statements, panel.own_paths, panel.agreements]
    frames += [panel.ages.people, panel.ages.plans, panel.prices.to_frame()]
    known = [panel.as_of, panel.rule, [_digest(frame) for frame in frames], panel.raw.hashes()]
    declared = [each.model_dump(mode="json") for each in (assumptions, *levers)]
    parts = [*known, declared, run, code_hash()]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


_digested: deque[tuple[pd.DataFrame, str]] = deque(maxlen=40)
"""Copies of frames and their digests: to compare two frames is much quicker than to work out a digest."""


def _digest(frame: pd.DataFrame) -> str:
    known = next((digest for held, digest in _digested if held.equals(frame)), None)
    if known is None:
        known = hashlib.sha256(hash_pandas_object(frame).to_numpy().tobytes()).hexdigest()
        _digested.append((frame.copy(), known))
    return known


@cache
def code_hash() -> str:
    """Of the package's code and the assumptions as data."""
    digest = hashlib.sha256()
    for folder in (paths.PACKAGE, paths.assumptions_dir()):
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.yaml")]):
            digest.update(path.read_bytes())
    return digest.hexdigest()
