"""The tables in `data/raw`, read strictly: the declared file, the declared columns, numbers that are numbers."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from deficits.errors import SourceError, closest
from deficits.paths import raw_dir
from deficits.raw.corrections import Corrections, read_corrections
from deficits.raw.declaration import Source, SourceFile, read_source


@dataclass(frozen=True, eq=False)  # a folder may change: what is read of it is kept an object, not a path
class RawData:
    """A folder like `data/raw`: one folder a publication, each with its declaration, tables and corrections."""

    folder: Path
    base: RawData | None = None
    """Another such folder, which has the publications that are not in this one."""
    tables: dict[tuple[str, ...], pd.DataFrame] = field(default_factory=dict, repr=False)
    """Tables as published, by publication, name and numeric columns."""
    corrected: dict[tuple[str, ...], tuple[pd.DataFrame, pd.DataFrame]] = field(default_factory=dict, repr=False)
    """Tables with their corrections made, by publication, kind and columns (see `publications.editions`)."""

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Every publication's declaration, by folder name."""
        if not self.folder.is_dir():
            raise SourceError(
                f"there is no folder of published figures at {self.folder}: give a folder like data/raw, or "
                "install the package again if it is its own"
            )
        here = {path.name: read_source(path) for path in self.folder.iterdir() if path.is_dir()}
        return dict(sorted(((self.base.sources if self.base else {}) | here).items()))

    def source(self, publication: str) -> Source:
        """The declaration of one publication; SourceError offers the closest name of an unknown one."""
        if publication not in self.sources:
            raise SourceError(
                f"data/raw has no publication '{publication}': {closest(publication, self.sources)}. Restore its "
                "folder, or start from a whole copy of data/raw"
            )
        return self.sources[publication]

    def where(self, publication: str) -> RawData:
        """The folder that a publication is in: this one, or its base."""
        if self.base is None or (self.folder / publication).is_dir():
            return self
        return self.base.where(publication)

    def files(self, publication: str, kind: str) -> list[SourceFile]:
        """Every edition of a kind of table, in the order in which they were declared."""
        return [file for file in self.source(publication).file if file.table == kind]

    @cache  # noqa: B019  a folder of raw data is read once and lives as long as the process
    def corrections(self, publication: str) -> Corrections:
        """What is corrected in a publication's tables."""
        return read_corrections(self.where(publication).folder / publication)

    def table(self, publication: str, name: str, numeric: Iterable[str] = ()) -> pd.DataFrame:
        """One table as published: text columns as `str`, the `numeric` ones as float64, blanks missing.

        SourceError when the publication, file or column is unknown, the file is not byte for byte the declared one
        (sha256), or a cell of a numeric column is not a number.
        """
        raw, key = self.where(publication), (publication, name, *numeric)
        if key not in raw.tables:
            raw.tables[key] = raw._read(*key)
        return raw.tables[key].copy()

    def _read(self, publication: str, name: str, *numeric: str) -> pd.DataFrame:
        declared, shown = self.source(publication).find(name), f"data/raw/{publication}/{name}"
        try:
            content = (self.folder / publication / name).read_bytes()
        except FileNotFoundError:
            raise SourceError(f"{shown} is declared in source.toml but missing") from None
        found = hashlib.sha256(content).hexdigest()
        if found != declared.sha256:
            raise SourceError(
                f"{shown} is not the declared file: sha256 {found[:12]}…, expected {declared.sha256[:12]}…. "
                "Restore it, or declare the new file's hash, rows and date in source.toml"
            )
        frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, na_values=[""])
        for what, held, expected in (
            ("columns", list(frame.columns), list(declared.columns)),
            ("rows", len(frame), declared.rows),
        ):
            if held != expected:
                raise SourceError(f"{shown} has {what} {held}, but source.toml declares {expected}")
        for column in numeric:
            if column not in frame:
                raise SourceError(f"{shown} has no column '{column}': {closest(column, frame.columns)}")
        texts = frame[[*numeric]]
        values = texts.astype(object).apply(pd.to_numeric, errors="coerce").astype(float)
        wrong = (values.isna() & texts.notna()) | np.isinf(values)
        for column in wrong.columns[wrong.any()]:
            # Line 1 of the file is its header, so the first row of the frame is line 2.
            cells = texts.loc[wrong[column], column].head().items()
            found = "; ".join(f"line {row + 2}: '{cell}'" for row, cell in cells)
            raise SourceError(f"{shown}, column '{column}': expected numbers, found {found}")
        return frame.assign(**values) if numeric else frame

    def hashes(self) -> dict[str, str]:
        """sha256 of each table, by `publication/name`."""
        return {
            f"{folder}/{file.name}": file.sha256 for folder, source in self.sources.items() for file in source.file
        }


@cache
def raw_data() -> RawData:
    """The figures that come with the project, or those that DEFICITS_RAW names."""
    return RawData(raw_dir())


def read_table(publication: str, name: str, numeric: Iterable[str] = ()) -> pd.DataFrame:
    """One table of the project's own figures: see `RawData.table`."""
    return raw_data().table(publication, name, numeric)
