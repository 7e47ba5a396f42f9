"""Where a publication's file is today: explore education statistics (EES), www.gov.uk, a known address.

DEFICITS_EES_RELEASES, DEFICITS_EES_API and DEFICITS_GOVUK name other addresses (a mirror's) than those of
`SERVICES`: of the EES content API, of the EES public API, and of the gov.uk content API.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from urllib.parse import quote

from pydantic import AliasPath, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

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
SHOWN = 12
T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """A publisher's file: its address, its name, and the day of publication where the publisher says so."""

    url: str
    name: str
    published: date | None = None
    note: str | None = None


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


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class _Release(_Answer):
    """An EES release; `id` names this very version of it: a correction has another one."""

    id: str
    slug: str
    published: datetime | None = None
    latest_release: bool = False


class _DataSet(_Answer):
    """A file of an EES release, and its id in the public API where it is there."""

    file_id: str
    title: str
    public_api_data_set_id: str | None = None


class _DataContent(_Answer):
    data_sets: tuple[_DataSet, ...]


class _Attachment(BaseModel):
    title: str
    url: str
    filename: str = ""
    attachment_type: str = "file"

    @property
    def name(self) -> str:
        """The file's name; older pages give it in the address only."""
        return self.filename or self.url.rsplit("/", 1)[-1]


class _Linked(BaseModel):
    base_path: str


class _Withdrawn(BaseModel):
    withdrawn_at: datetime


class _Page(BaseModel):
    """A page of gov.uk: the files attached to it, and for a collection the pages that it lists."""

    public_updated_at: datetime | None = None
    attachments: tuple[_Attachment, ...] = Field(default=(), validation_alias=AliasPath("details", "attachments"))
    documents: tuple[_Linked, ...] = Field(default=(), validation_alias=AliasPath("links", "documents"))
    withdrawn_notice: _Withdrawn | None = None


def _of_release(address: EesRelease, version: str | None) -> Found:
    """A file of an EES release: by the public API where it is in it and the newest is wanted."""
    base = _service("DEFICITS_EES_RELEASES")
    releases = _asked(f"{base}/publications/{quote(address.slug)}/releases", tuple[_Release, ...])
    chosen = [each for each in releases if each.slug == version or (version is None and each.latest_release)]
    if not chosen:
        raise FetchError(
            f"'{address.slug}' on explore education statistics has no {version or 'latest'} release; it has "
            f"{_few([each.slug for each in releases])}"
        )
    release = chosen[0]
    day = release.published.date() if release.published else None
    files = f"{base}/releases/{quote(release.id)}/files"
    if address.title is None:
        return Found(files, f"{address.slug}_{release.slug}.zip", day)
    url = f"{base}/publications/{quote(address.slug)}/releases/{quote(release.slug)}/data-content"
    data_sets = _asked(url, _DataContent).data_sets
    data_set = _one(address.title, {each.title: each for each in data_sets}, f"release {release.slug}")
    name = f"{address.slug}_{release.slug}.csv"
    if version is None and data_set.public_api_data_set_id:
        api = _service("DEFICITS_EES_API")
        return Found(f"{api}/data-sets/{quote(data_set.public_api_data_set_id)}/csv", name, day)
    return Found(f"{files}/{quote(data_set.file_id)}", name, day)


def _attached(address: GovUk, version: str | None) -> Found:
    """A file attached to a page of gov.uk; without a version, of the newest page that the collection lists."""
    path, wanted = address.path, address.attachment
    if "{version}" in path:
        path = path.format(version=version or _newest(address))
    elif version:
        wanted = f"(?=.*{re.escape(version)}).*(?:{wanted})"
    page = _page(path)
    files = {f"{each.title} ({each.name})": each for each in page.attachments if each.attachment_type == "file"}
    attached = _one(wanted, files, f"www.gov.uk{path}")
    withdrawn = page.withdrawn_notice and day_in_words(page.withdrawn_notice.withdrawn_at)
    return Found(
        url=attached.url,
        name=attached.name,
        published=page.public_updated_at.date() if page.public_updated_at else None,
        note=f"gov.uk says that this page was withdrawn on {withdrawn}." if withdrawn else None,
    )


def _newest(address: GovUk) -> str:
    """What stands for the version in the path of the newest page of the collection: the last in order."""
    if address.collection is None:
        raise FetchError(f"www.gov.uk{address.path} needs a --version")
    pattern = re.escape(address.path).replace(re.escape("{version}"), r"(\d[a-z0-9-]*)")
    listed = [each.base_path for each in _page(address.collection).documents]
    versions = [match[1] for path in listed if (match := re.fullmatch(pattern, path))]
    if not versions:
        raise SourceError(f"www.gov.uk{address.collection} lists no page like {address.path}: {_few(listed)}")
    return max(versions)


def _page(path: str) -> _Page:
    url = f"{_service('DEFICITS_GOVUK')}/{quote(path.strip('/'))}"
    answer = read_json(url)
    # A redirect of the site is a document of its own kind, without the files of the page it leads to.
    if isinstance(answer, dict) and answer.get("document_type") == "redirect":
        leads = [str(each.get("destination")) for each in answer.get("redirects") or [] if isinstance(each, dict)]
        raise FetchError(f"www.gov.uk{path} has moved to {printable(', '.join(leads)) or 'another page'}")
    return _shaped(answer, _Page, url)


def _one(pattern: str, named: dict[str, T], where: str) -> T:
    """The one thing whose name matches (letter case aside, underscores also as spaces); else what there is."""
    found = [
        each
        for name, each in named.items()
        if any(
            re.search(pattern, text, re.IGNORECASE) for text in (name, name.replace("_", " "), name.rstrip(")"))
        )
    ]
    if len(found) != 1:
        raise SourceError(
            f"{where} has {len(found) or 'no'} files like '{pattern}', expected one. It has: {_few(list(named))}"
        )
    return found[0]


def _few(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return printable("; ".join(names[:SHOWN])) + more if names else "none"


def _service(name: str) -> str:
    return os.environ.get(name) or SERVICES[name]


def _asked(url: str, shape: type[T]) -> T:
    return _shaped(read_json(url), shape, url)


def _shaped(answer: object, shape: type[T], url: str) -> T:
    """The answer in its shape; SourceError naming each field that is not as expected."""
    try:
        return TypeAdapter(shape).validate_python(answer)
    except ValidationError as error:
        faults = printable("; ".join(faults_of(error)[:5]))
        raise SourceError(
            f"{url} gave an answer of another shape: {faults}. The publisher may have changed it: download the "
            "file by hand and use --file"
        ) from None
