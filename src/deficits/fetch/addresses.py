"""Where a publication's file is today: explore education statistics (EES), www.gov.uk, a known address.

DEFICITS_EES_RELEASES, DEFICITS_EES_API and DEFICITS_GOVUK name other addresses (a mirror's) than those of
`SERVICES`: of the EES content API, of the EES public API, and of the gov.uk content API.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import AliasPath, BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError

from deficits.errors import SourceError
from deficits.fetch.download import FetchError, printable, read_json
from deficits.formatting import day_in_words
from deficits.publications.publication import ByHand, EesRelease, FixedUrl, GovUk, Publication
from deficits.validation import faults_of

SERVICES = {
    "DEFICITS_EES_RELEASES": "https://content.explore-education-statistics.service.gov.uk/api",
    "DEFICITS_EES_API": "https://api.education.gov.uk/statistics/v1",
    "DEFICITS_GOVUK": "https://www.gov.uk/api/content",
}
T = TypeVar("T")
Day = Annotated[date, BeforeValidator(lambda moment: str(moment)[:10])]


@dataclass(frozen=True)
class Found:
    """A publisher's file: its address, its name, and the day of publication where the publisher says so."""

    url: str
    name: str
    published: date | None = None
    note: str | None = None


class _Release(BaseModel):
    """An EES release; `id` names this very version of it: a correction has another one."""

    id: str
    slug: str
    published: Day | None = None
    latest: bool = Field(default=False, alias="latestRelease")


class _DataSet(BaseModel):
    """A file of an EES release, and its id in the public API where it is there."""

    file: str = Field(alias="fileId")
    title: str
    api: str | None = Field(default=None, alias="publicApiDataSetId")


class _DataContent(BaseModel):
    data_sets: tuple[_DataSet, ...] = Field(alias="dataSets")


class _Attachment(BaseModel):
    """A file of a page of gov.uk; older pages give its name in the address only."""

    title: str
    url: str
    filename: str = ""
    attachment_type: str = "file"

    @property
    def name(self) -> str:
        return self.filename or self.url.rsplit("/", 1)[-1]


class _Page(BaseModel):
    """A page of gov.uk: files attached to it, for a collection its pages, for one that has moved where to."""

    updated: Day | None = Field(default=None, alias="public_updated_at")
    attachments: tuple[_Attachment, ...] = Field(default=(), validation_alias=AliasPath("details", "attachments"))
    documents: tuple[dict[str, Any], ...] = Field(default=(), validation_alias=AliasPath("links", "documents"))
    withdrawn: Day | None = Field(default=None, validation_alias=AliasPath("withdrawn_notice", "withdrawn_at"))
    document_type: str = ""
    redirects: tuple[dict[str, Any], ...] = ()


def locate(publication: Publication, version: str | None = None) -> Found:
    """The file of a publication's newest edition, or of a `version` as its kind of address names one.

    Raises FetchError when it cannot be asked for or there is no such version, SourceError when the publisher's
    answer has another shape.
    """
    match publication.address:
        case EesRelease() as address:
            return _of_release(address, version)
        case GovUk() as address:
            return _attached(address, version)
        case FixedUrl(url, filename, newest):
            edition = version or newest()
            return Found(url.format(version=quote(edition)), filename.format(version=edition))
        case ByHand(why):
            raise FetchError(f"{publication.folder} cannot be downloaded: {why}")


def _of_release(address: EesRelease, version: str | None) -> Found:
    """A file of an EES release: by the public API where it is in it and the newest is wanted."""
    base = _service("DEFICITS_EES_RELEASES")
    url = f"{base}/publications/{quote(address.slug)}/releases"
    releases = _asked(url, tuple[_Release, ...])
    release = next((each for each in releases if (each.slug == version if version else each.latest)), None)
    if release is None:
        raise FetchError(
            f"'{address.slug}' on explore education statistics has no {version or 'latest'} release; it has "
            f"{_few(each.slug for each in releases)}"
        )
    files, name = f"{base}/releases/{quote(release.id)}/files", f"{address.slug}_{release.slug}"
    if address.title is None:
        return Found(files, f"{name}.zip", release.published)
    content = _asked(f"{url}/{quote(release.slug)}/data-content", _DataContent)
    wanted = _one(address.title, {each.title: each for each in content.data_sets}, f"release {release.slug}")
    in_api = f"{_service('DEFICITS_EES_API')}/data-sets/{quote(wanted.api or '')}/csv"
    found = in_api if wanted.api and version is None else f"{files}/{quote(wanted.file)}"
    return Found(found, f"{name}.csv", release.published)


def _attached(address: GovUk, version: str | None) -> Found:
    """A file attached to a page of gov.uk; without a version, of the newest page that the collection lists."""
    path, wanted = address.path, address.attachment
    if "{version}" in path:
        path = path.format(version=version or _newest(address))
    elif version:
        wanted = f"(?=.*{re.escape(version)}).*(?:{wanted})"
    page = _page(path)
    files = {f"{each.title}: {each.name}": each for each in page.attachments if each.attachment_type == "file"}
    file = _one(wanted, files, f"www.gov.uk{path}")
    when = day_in_words(page.withdrawn) if page.withdrawn else None
    return Found(
        file.url, file.name, page.updated, when and f"gov.uk says that this page was withdrawn on {when}."
    )


def _newest(address: GovUk) -> str:
    """What stands for the version in the path of the newest page of the collection: the last in order."""
    if address.collection is None:
        raise FetchError(f"www.gov.uk{address.path} needs a --version")
    pattern = re.escape(address.path).replace(re.escape("{version}"), r"(\d[a-z0-9-]*)")
    listed = [str(each.get("base_path")) for each in _page(address.collection).documents]
    versions = [match[1] for path in listed if (match := re.fullmatch(pattern, path))]
    if not versions:
        raise SourceError(f"www.gov.uk{address.collection} lists no page like {address.path}: {_few(listed)}")
    return max(versions)


def _page(path: str) -> _Page:
    page = _asked(f"{_service('DEFICITS_GOVUK')}/{quote(path.strip('/'))}", _Page)
    if page.document_type == "redirect":
        to = _few(str(each.get("destination")) for each in page.redirects)
        raise FetchError(f"www.gov.uk{path} has moved to {to}")
    return page


def _one(pattern: str, named: Mapping[str, T], where: str) -> T:
    """The one thing whose name matches (letter case aside, underscores also as spaces); else what there is."""
    spaced = re.compile(pattern.replace("_", " "), re.IGNORECASE)
    found = [each for name, each in named.items() if spaced.search(name.replace("_", " "))]
    if len(found) != 1:
        raise SourceError(f"{where} has {len(found)} files like '{pattern}', expected one. It has: {_few(named)}")
    return found[0]


def _few(names: Iterable[str]) -> str:
    return textwrap.shorten(printable("; ".join(names)), 800) or "none"


def _service(name: str) -> str:
    return os.environ.get(name) or SERVICES[name]


def _asked(url: str, shape: type[T]) -> T:
    """The answer at an address, in its shape; SourceError naming each field that is not as expected."""
    try:
        return TypeAdapter(shape).validate_python(read_json(url))
    except ValidationError as error:
        faults = printable("; ".join(faults_of(error)[:5]))
        raise SourceError(
            f"{url} gave an answer of another shape: {faults}. The publisher may have changed it: download the "
            "file by hand and use --file"
        ) from None
