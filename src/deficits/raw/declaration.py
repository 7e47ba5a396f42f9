"""What a `source.toml` says of a publication, checked."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, HttpUrl

from deficits.errors import SourceError
from deficits.formatting import last_day
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
    """The declaration in `folder/source.toml`. SourceError listing every fault of the file."""
    shown = f"data/raw/{folder.name}/source.toml"
    declared = read_toml(folder / "source.toml", shown, SourceError)
    return validated(Source, {"folder": folder.name, **declared}, shown, SourceError)
