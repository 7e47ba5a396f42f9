"""Explore education statistics (EES), DfE's statistics service: its public API v1, and the files of its releases.

The API holds only some data sets (no finance among them when last seen), so files of a release come first and the
API is for what it has. Results are typed: a field that is new is ignored, one that is gone is an error naming it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from deficits.errors import SourceError
from deficits.fetch.http import FetchError, Sleep, read_json

PUBLIC_API = "https://api.education.gov.uk/statistics/v1"
RELEASES = "https://content.explore-education-statistics.service.gov.uk/api"
"""The service's own content API, behind its release pages: public, without a key, and without a promise."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Paging(_Answer):
    """Where in a list a page stands; the page size is the server's to choose."""

    page: int
    page_size: int
    total_results: int
    total_pages: int


class EesPublication(_Answer):
    """A publication of the API."""

    id: str
    title: str
    slug: str
    last_published: datetime


class PeriodRange(_Answer):
    """First and last time period, as labelled."""

    start: str
    end: str


class LatestVersion(_Answer):
    """The newest version of a data set. `version` is exact, for example 2.0.1."""

    version: str
    published: datetime
    total_results: int
    time_periods: PeriodRange


class DataSet(_Answer):
    """A data set of the API. `id` stays the same from version to version."""

    id: str
    title: str
    summary: str
    status: str
    latest_version: LatestVersion | None = None


class VersionRelease(_Answer):
    """The release that a version came with."""

    title: str
    slug: str


class Version(_Answer):
    """A version of a data set. Major: something was taken away; minor and patch: added, or values revised."""

    version: str
    type: str
    status: str
    published: datetime | None = None
    notes: str = ""
    total_results: int
    release: VersionRelease
    time_periods: PeriodRange


class ChangeSet(_Answer):
    """Changes by what changed; each entry has `previousState`, `currentState` or both, as the API words them."""

    filters: tuple[dict[str, Any], ...] = ()
    filter_options: tuple[dict[str, Any], ...] = ()
    geographic_levels: tuple[dict[str, Any], ...] = ()
    indicators: tuple[dict[str, Any], ...] = ()
    location_groups: tuple[dict[str, Any], ...] = ()
    location_options: tuple[dict[str, Any], ...] = ()
    time_periods: tuple[dict[str, Any], ...] = ()


class Changes(_Answer):
    """What a version changed against the one before it. Revised values are not listed: compare the figures."""

    major_changes: ChangeSet
    minor_changes: ChangeSet


class Indicator(_Answer):
    """A measure. `column` is its name in the CSV, `id` its short code in queries."""

    id: str
    column: str
    label: str
    unit: str | None = None
    decimal_places: int | None = None


class Option(_Answer):
    """One value of a filter or one place; `code` and `old_code` are a place's ONS code and DfE number."""

    id: str
    label: str
    code: str | None = None
    old_code: str | None = None


class Filter(_Answer):
    """A breakdown and its options."""

    id: str
    column: str
    label: str
    options: tuple[Option, ...]


class Level(_Answer):
    """A geographic level, for example LA."""

    code: str
    label: str


class Locations(_Answer):
    """The places of one level."""

    level: Level
    options: tuple[Option, ...]


class Period(_Answer):
    """A time period: `code` FY is a financial year, AY an academic year, CY a calendar year."""

    code: str
    period: str
    label: str


class Meta(_Answer):
    """What a data set can be asked for."""

    filters: tuple[Filter, ...]
    indicators: tuple[Indicator, ...]
    geographic_levels: tuple[Level, ...]
    locations: tuple[Locations, ...]
    time_periods: tuple[Period, ...]


class ResultPeriod(_Answer):
    """The time period of one result."""

    code: str
    period: str


class Result(_Answer):
    """One row of a query; values are text, as published, symbols included. Keys are the short codes of `Meta`."""

    time_period: ResultPeriod
    geographic_level: str
    locations: dict[str, str]
    filters: dict[str, str]
    values: dict[str, str]


class ReleaseFile(_Answer):
    """A file of a release."""

    id: str
    name: str
    file_name: str
    extension: str = ""
    type: str = ""


class Release(_Answer):
    """A release on the web. `id` names this very version of it: a correction has another one."""

    id: str
    title: str
    slug: str
    published: datetime | None = None
    download_files: tuple[ReleaseFile, ...]

    @property
    def day(self) -> date | None:
        """Day of publication."""
        return self.published.date() if self.published else None

    def file(self, pattern: str) -> ReleaseFile:
        """The one file whose file name or title matches; SourceError lists the files when not one does."""
        wanted = re.compile(pattern, re.IGNORECASE)
        found = [file for file in self.download_files if wanted.search(file.file_name) or wanted.search(file.name)]
        if len(found) != 1:
            listed = "; ".join(f"{file.file_name} ({file.name})" for file in self.download_files) or "none"
            raise SourceError(
                f"release '{self.title}' has {len(found) or 'no'} files like '{pattern}', expected one. "
                f"Its files: {listed}"
            )
        return found[0]


_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Ees:
    """The public API at `base`. Every method raises FetchError when it cannot be reached or has no such thing,
    SourceError when the answer is not of the expected shape.
    """

    base: str = PUBLIC_API
    sleep: Sleep = time.sleep

    def publications(self, search: str | None = None) -> tuple[EesPublication, ...]:
        """Publications that have data sets in the API, or those that match `search`."""
        return tuple(self._pages("/publications", EesPublication, {"search": search} if search else {}))

    def data_sets(self, publication: str) -> tuple[DataSet, ...]:
        """The data sets of a publication, by its id."""
        return tuple(self._pages(f"/publications/{quote(publication)}/data-sets", DataSet))

    def data_set(self, data_set: str) -> DataSet:
        """One data set, with its newest version."""
        return self._one(f"/data-sets/{quote(data_set)}", DataSet)

    def versions(self, data_set: str) -> tuple[Version, ...]:
        """All versions of a data set, newest first as the API lists them."""
        return tuple(self._pages(f"/data-sets/{quote(data_set)}/versions", Version))

    def version(self, data_set: str, version: str) -> Version:
        """One exact version of a data set."""
        return self._one(f"/data-sets/{quote(data_set)}/versions/{exact(version)}", Version)

    def changes(self, data_set: str, version: str) -> Changes:
        """What an exact version changed."""
        return self._one(f"/data-sets/{quote(data_set)}/versions/{exact(version)}/changes", Changes)

    def meta(self, data_set: str, version: str) -> Meta:
        """Filters, indicators, places and periods of an exact version."""
        return self._one(f"/data-sets/{quote(data_set)}/meta", Meta, {"dataSetVersion": exact(version)})

    def query(self, data_set: str, version: str, query: Mapping[str, Any]) -> tuple[Result, ...]:
        """Every result of a query (as the API's POST body, without paging) on an exact version."""
        path = f"/data-sets/{quote(data_set)}/query"
        return tuple(self._pages(path, Result, {"dataSetVersion": exact(version)}, query))

    def csv_address(self, data_set: str, version: str) -> tuple[str, dict[str, str]]:
        """Address and parameters of an exact version as CSV, to `download`; it is sent packed and stored unpacked.

        Its columns carry no promise of staying as they are: the parser checks them.
        """
        return f"{self.base}/data-sets/{quote(data_set)}/csv", {"dataSetVersion": exact(version)}

    def _one(self, path: str, model: type[_Model], params: Mapping[str, str] | None = None) -> _Model:
        url = self.base + path
        return shaped(read_json(url, params=params, sleep=self.sleep), model, url)

    def _pages(
        self, path: str, model: type[_Model], params: Mapping[str, str] | None = None, query: Any = None
    ) -> Iterator[_Model]:
        """Items of every page, counted against what the first page announces."""
        url = self.base + path
        page, pages, given, announced = 1, 1, 0, 0
        while page <= pages:
            # The API takes the page number of a POST query in its body and of a list in the address.
            asked = {**(params or {}), **({} if query is not None else {"page": str(page)})}
            body = None if query is None else {**query, "page": page}
            answer = read_json(url, params=asked, body=body, sleep=self.sleep)
            listed = shaped(answer, _Page[model], url)  # type: ignore[valid-type]
            if page == 1:
                pages, announced = listed.paging.total_pages, listed.paging.total_results
            given += len(listed.results)
            yield from listed.results
            page += 1
        if given != announced:
            raise SourceError(f"{url} announced {announced} results and gave {given}: fetch again")


class _Page(_Answer, Generic[_Model]):
    paging: Paging
    results: tuple[_Model, ...]


def exact(version: str) -> str:
    """The version, if it names exactly one; FetchError for `2.*` and the like, which name another one each year.

    >>> exact("2.0"), exact("2.0.1")
    ('2.0', '2.0.1')
    """
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", version):
        raise FetchError(f"version '{version}' is not exact: expected for example 2.0 or 2.0.1")
    return version


def release(slug: str, which: str = "latest", *, base: str = RELEASES, sleep: Sleep = time.sleep) -> Release:
    """A publication's release on the web by its slug (`2024-25`), or the latest; errors as in `Ees`."""
    url = f"{base}/publications/{quote(slug)}/releases/{quote(which)}"
    return shaped(read_json(url, sleep=sleep), Release, url)


def file_url(of: Release, file: ReleaseFile | None = None, *, base: str = RELEASES) -> str:
    """Address of one file of a release, or of the zip of them all."""
    return f"{base}/releases/{quote(of.id)}/files" + (f"/{quote(file.id)}" if file else "")


def shaped(answer: object, model: type[_Model], url: str) -> _Model:
    """The answer as `model`; SourceError naming each field that is not as expected."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}" for fault in error.errors()]
    more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
    raise SourceError(
        f"{url} gave an answer of another shape: {'; '.join(faults[:5])}{more}. "
        "The publisher may have changed it: download by hand and use --file"
    )
