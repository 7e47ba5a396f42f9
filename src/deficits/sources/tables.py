"""The tables in `data/raw`, read strictly: the declared file, the declared columns, numbers that are numbers."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from deficits.errors import SourceError, closest
from deficits.places import raw_dir
from deficits.sources.declaration import Source, SourceFile, read_source


def read_sources(raw: Path | None = None) -> dict[str, Source]:
    """Every publication under `data/raw` (or another folder of the same shape), by folder name."""
    return _read_folder(raw) if raw else _read_own()


@cache
def _read_own() -> dict[str, Source]:
    return _read_folder(raw_dir())


def _read_folder(raw: Path) -> dict[str, Source]:
    if not raw.is_dir():
        raise SourceError("data/raw is missing: the package was installed without its data; install it again")
    return {path.name: read_source(path) for path in sorted(raw.iterdir()) if path.is_dir()}


def read_table(publication: str, name: str, numeric: Iterable[str] = (), raw: Path | None = None) -> pd.DataFrame:
    """One table as published: text columns as `str`, the `numeric` ones as float64, blanks missing.

    The file must be byte for byte the declared one (sha256), so that a figure can always be traced.
    `frame.attrs["source"]` is `publication/name`.

    Raises SourceError when the publication, file or column is unknown, the file differs from its
    declaration, or a cell of a numeric column is not a number (all such cells in one message).
    """
    sources = read_sources(raw)
    if publication not in sources:
        raise SourceError(f"data/raw has no publication '{publication}': {closest(publication, sources)}")
    declared = sources[publication].find(name)
    shown = f"data/raw/{publication}/{name}"
    frame = _read(((raw or raw_dir()) / publication / name), declared, shown)
    for column in numeric:
        if column not in frame:
            raise SourceError(f"{shown} has no column '{column}': {closest(column, frame.columns)}")
        frame[column] = _numbers(frame[column], shown)
    frame.attrs["source"] = f"{publication}/{name}"
    return frame


def data_hashes(raw: Path | None = None) -> dict[str, str]:
    """sha256 of each raw file, by `publication/name`."""
    return {
        f"{folder}/{declared.name}": declared.sha256
        for folder, source in read_sources(raw).items()
        for declared in source.file
    }


def _read(path: Path, declared: SourceFile, shown: str) -> pd.DataFrame:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SourceError(f"{shown} is declared in source.toml but missing") from None
    found = hashlib.sha256(content).hexdigest()
    if found != declared.sha256:
        raise SourceError(
            f"{shown} is not the declared file: sha256 {found[:12]}…, expected {declared.sha256[:12]}…. "
            "Restore it, or declare the new file's hash, rows and date in source.toml"
        )
    frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, na_values=[""])
    if list(frame.columns) != list(declared.columns):
        raise SourceError(
            f"{shown} has columns {list(frame.columns)}, but source.toml declares {list(declared.columns)}"
        )
    if len(frame) != declared.rows:
        raise SourceError(f"{shown} has {len(frame)} rows, but source.toml declares {declared.rows}")
    return frame


def _numbers(column: pd.Series, shown: str) -> pd.Series:
    values = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = (values.isna() & column.notna()) | np.isinf(values)
    if wrong.any():
        # Line 1 of the file is its header, so the first row of the frame is line 2.
        cells = "; ".join(f"line {row + 2}: '{column[row]}'" for row in column.index[wrong][:5])
        more = f" and {wrong.sum() - 5} more" if wrong.sum() > 5 else ""
        raise SourceError(f"{shown}, column '{column.name}': expected a number, found {cells}{more}")
    return values
