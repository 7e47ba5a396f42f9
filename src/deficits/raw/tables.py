"""Published figures as they lie in `data/raw`: what each `source.toml` says, and the tables, read strictly.

A table must be the declared file, with the declared columns, and its numbers must be numbers.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field, HttpUrl

from deficits.errors import SourceError, closest
from deficits.formatting import last_day
from deficits.paths import raw_dir
from deficits.raw.corrections import Corrections, read_corrections
from deficits.validation import Declared, read_toml, validated

PublishedDate = Annotated[str, Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SourceFile(Declared):
    """One table of a publication as it lies in `data/raw`."""

    name: str = Field(pattern=r"^[^/\\]+$", description="without a folder")
    table: str | None = Field(
        default=None, description="kind of table: files of one kind are editions of it, the newest wins"
    )
    title: str
    published: PublishedDate | None = Field(default=None, description="when its publisher published it")
    first_published: dict[int, PublishedDate] = Field(
        default_factory=dict,
        description="by financial year (2024 is 2023-24), when its figures first appeared, where this edition "
        "is a later one; they may have been revised since",
    )
    via: str | None = Field(default=None, description="who tabulated it, where it did not come straight")
    sha256: Sha256
    original_sha256: Sha256 | None = Field(
        default=None, description="of the publisher's own file, where it was parsed here"
    )
    original_url: HttpUrl | None = None
    rows: Annotated[int, Field(gt=0)]
    note: str | None = None
    columns: dict[str, str] = Field(description="each column's meaning, unit and sign, in file order")

    @property
    def day(self) -> str:
        """The day of the edition; one without a date is taken to be older than any."""
        return last_day(self.published) if self.published else ""


class Source(Declared):
    """One publication: a folder of `data/raw` with its files."""

    folder: str
    title: str
    publisher: str
    publication: str
    url: HttpUrl
    licence: Literal["OGL-UK-3.0", "facts"]
    attribution: str
    retrieved: date
    note: str
    next_expected: PublishedDate | None = Field(default=None, description="when a newer edition is due")
    file: tuple[SourceFile, ...]

    @property
    def newest(self) -> str:
        """When the newest of its files was published; empty where none has a date."""
        return max(self.file, key=lambda file: file.day).published or ""

    def find(self, name: str) -> SourceFile:
        """The declared file of that name; SourceError when there is none."""
        files = {declared.name: declared for declared in self.file}
        if name not in files:
            shown = f"data/raw/{self.folder}/source.toml"
            raise SourceError(f"{shown} declares no file '{name}'; it declares {', '.join(files)}")
        return files[name]


def read_source(folder: Path) -> Source:
    """The declaration in `folder/source.toml`; SourceError lists every fault of the file."""
    shown = f"data/raw/{folder.name}/source.toml"
    declared = read_toml(folder / "source.toml", shown, SourceError)
    return validated(Source, {"folder": folder.name, **declared}, shown, SourceError)


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
