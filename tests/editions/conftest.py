"""Panels and projections of next editions, each made once and shared between tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import pytest

import deficits as d
from deficits.panel import Panel, build
from deficits.projection import Projection
from deficits.raw import RawData, raw_data
from tests.editions.relabelled import Claim, Folder

Edition = Callable[[Folder], Claim]
Make = Callable[..., "Made"]


@dataclass(frozen=True, eq=False)
class Made:
    """The raw data with editions added, and what follows from it."""

    raw: RawData
    claims: tuple[Claim, ...]

    @cached_property
    def panel(self) -> Panel:
        """As known today."""
        return build(self.raw)

    @cache  # noqa: B019  made once a session
    def as_of(self, day: str) -> Panel:
        """As known on a day."""
        return build(self.raw, day)

    @cached_property
    def projection(self) -> Projection:
        """200 simulations to March 2029."""
        return d.project(self.panel, until=2029, draws=200)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes a folder with editions; the same editions give the same one."""
    kept: dict[tuple[Edition, ...], Made] = {}

    def make(*editions: Edition) -> Made:
        if editions not in kept:
            folder = Folder(tmp_path_factory.mktemp("editions") / "raw")
            folder.folder.mkdir()
            claims = tuple(edition(folder) for edition in editions)
            kept[editions] = Made(RawData(folder.folder, raw_data()), claims)
        return kept[editions]

    return make
