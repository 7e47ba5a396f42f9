"""What one publication is here: where its files are, how they are read, and what they give the panel."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from deficits.publications.editions import Reader, reported

_DECLARED = tomllib.loads(Path(__file__).with_name("publications.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Table:
    """A publication's table with its own labels, signs and coverage; money in £ whatever unit it was printed in.

    `kind` is the table's name within its publication (as `table` in source.toml). `frame` is one row a key.
    `missing` has a row for each figure that is not there: the key columns, `column`, `reason`. `notes` are for a
    person to look at: what the parser found odd and took as it was published.
    """

    kind: str
    frame: pd.DataFrame
    key: tuple[str, ...]
    missing: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["column", "reason"]))
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EesRelease:
    """A release of explore education statistics (EES), whose slug (2024-25) is a version: one file of it by its
    title, or the zip of all."""

    slug: str
    title: str | None = None

    def __str__(self) -> str:
        return f"files of the latest release of '{self.slug}' on explore education statistics"


@dataclass(frozen=True)
class GovUk:
    """An attachment of a gov.uk page, by a pattern for its title or file name.

    Where `path` has {version} in it, a version is that part of the path, and `collection` lists the pages. Else a
    version is a text that the attachment's title or file name must also hold.
    """

    path: str
    attachment: str
    collection: str | None = None

    def __str__(self) -> str:
        return f"attachment of www.gov.uk{self.path}"


@dataclass(frozen=True)
class FixedUrl:
    """A file at a known address, in which {version} stands for the edition; `newest` gives today's."""

    url: str
    filename: str
    newest: Callable[[], str]

    def __str__(self) -> str:
        return self.url.format(version=self.newest())


@dataclass(frozen=True)
class ByHand:
    """No file to download: someone tabulates it and gives it with `--file`."""

    why: str

    def __str__(self) -> str:
        return f"by hand only: {self.why}"


@dataclass(frozen=True)
class Publication:
    """One publication, known by its folder in `data/raw`.

    `parse` turns the publisher's file into tidy tables; None where nothing is fetched. It raises SourceError for
    another file, a column that is missing, a cell that is neither a number nor a known symbol, a council that is
    unknown or stands twice, and sums that do not reach the file's own totals. `figures` are the columns that are
    figures of the panel as they stand, by kind of table; `load` gives the candidates that are worked out. `turned`
    are the kinds of table whose sign, positive for a deficit, the panel turns.
    """

    folder: str
    address: EesRelease | GovUk | FixedUrl | ByHand
    short: tuple[str, ...] = ()
    parse: Callable[[Path], tuple[Table, ...]] | None = None
    figures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    load: Callable[[Reader], Iterator[pd.DataFrame]] | None = None
    turned: tuple[str, ...] = ()

    def candidates(self, reader: Reader) -> Iterator[pd.DataFrame]:
        """What it gives the panel, from the tables held, as known on the reader's day."""
        if self.load:
            yield from self.load(reader)
        for kind, columns in self.figures.items():
            yield reported(reader.read(self.folder, kind, columns), columns)


def declared(
    folder: str,
    parse: Callable[[Path], tuple[Table, ...]] | None = None,
    load: Callable[[Reader], Iterator[pd.DataFrame]] | None = None,
    newest: Callable[[], str] | None = None,
) -> Publication:
    """What `publications.toml` declares; `newest` gives today's edition of a file at a known address."""
    entry: dict[str, Any] = dict(_DECLARED[folder])
    addresses = {"ees": EesRelease, "gov_uk": GovUk, "fixed": FixedUrl, "by_hand": ByHand}
    (name,) = addresses.keys() & entry
    address = addresses[name](**entry.pop(name), **({"newest": newest} if newest else {}))
    return Publication(folder, address, parse=parse, load=load, **entry)
