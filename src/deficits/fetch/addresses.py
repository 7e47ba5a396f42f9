"""Where a publication's file is today: explore education statistics (EES), www.gov.uk, a known address.

DEFICITS_EES_RELEASES, DEFICITS_EES_API and DEFICITS_GOVUK name other addresses (a mirror's) than those of
`SERVICES`: of the EES content API, of the EES public API, and of the gov.uk content API.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from deficits.errors import SourceError
from deficits.fetch.download import FetchError, printable, read_json
from deficits.formatting import day_in_words
from deficits.publications.editions import ByHand, EesRelease, FixedUrl, GovUk, Publication

SERVICES = {
    "DEFICITS_EES_RELEASES": "https://content.explore-education-statistics.service.gov.uk/api",
    "DEFICITS_EES_API": "https://api.education.gov.uk/statistics/v1",
    "DEFICITS_GOVUK": "https://www.gov.uk/api/content",
}


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


def _of_release(address: EesRelease, version: str | None) -> Found:
    """A file of an EES release: by the public API where it is in it and the newest is wanted."""
    base = _service("DEFICITS_EES_RELEASES")
    url = f"{base}/publications/{quote(address.slug)}/releases"
    with _asked(url) as releases:
        named = {each["slug"]: each for each in releases}
        slug = version or next((each["slug"] for each in releases if each["latestRelease"]), "latest")
        if slug not in named:
            raise FetchError(
                f"'{address.slug}' on explore education statistics has no {slug} release; it has {_few(named)}"
            )
        published = _day(named[slug].get("published"))
        # The id names this very version of a release: a correction has another one.
        files, name = f"{base}/releases/{quote(named[slug]['id'])}/files", f"{address.slug}_{slug}"
    if address.title is None:
        return Found(files, f"{name}.zip", published)
    with _asked(f"{url}/{quote(slug)}/data-content") as content:
        wanted = _one(address.title, {each["title"]: each for each in content["dataSets"]}, f"release {slug}")
        in_api = wanted.get("publicApiDataSetId") if version is None else None
        api = f"{_service('DEFICITS_EES_API')}/data-sets/{quote(in_api or '')}/csv"
        return Found(api if in_api else f"{files}/{quote(wanted['fileId'])}", f"{name}.csv", published)


def _attached(address: GovUk, version: str | None) -> Found:
    """A file attached to a page of gov.uk; without a version, of the newest page that the collection lists."""
    path, wanted = address.path, address.attachment
    if address.collection:
        path = path.format(version=version or _newest(address))
    elif version:
        wanted = f"(?=.*{re.escape(version)}).*(?:{wanted})"
    with _page(path) as page:
        files = {}
        for each in page.get("details", {}).get("attachments", []):
            if each.get("attachment_type", "file") == "file":
                # Older pages give a file's name in its address only.
                name = each.get("filename") or each["url"].rsplit("/", 1)[-1]
                files[f"{each['title']}: {name}"] = (str(each["url"]), str(name))
        withdrawn = _day((page.get("withdrawn_notice") or {}).get("withdrawn_at"))
        note = f"gov.uk says that this page was withdrawn on {day_in_words(withdrawn)}." if withdrawn else None
        url, name = _one(wanted, files, f"www.gov.uk{path}")
        return Found(url, name, _day(page.get("public_updated_at")), note)


def _newest(address: GovUk) -> str:
    """What stands for the version in the path of the newest page of the collection: the last in order."""
    pattern = re.escape(address.path).replace(re.escape("{version}"), r"(\d[a-z0-9-]*)")
    with _page(address.collection) as page:
        listed = [each["base_path"] for each in page["links"]["documents"]]
        versions = [match[1] for path in listed if (match := re.fullmatch(pattern, path))]
    if not versions:
        raise SourceError(f"www.gov.uk{address.collection} lists no page like {address.path}: {_few(listed)}")
    return max(versions)


@contextmanager
def _page(path: str) -> Iterator[dict[str, Any]]:
    """What gov.uk says of a page."""
    with _asked(f"{_service('DEFICITS_GOVUK')}/{quote(path.strip('/'))}") as page:
        if page.get("document_type") == "redirect":
            to = _few(each["destination"] for each in page["redirects"])
            raise FetchError(f"www.gov.uk{path} has moved to {to}")
        yield page


@contextmanager
def _asked(url: str) -> Iterator[Any]:
    """The answer at an address; SourceError where it has not what is read of it."""
    answer = read_json(url)
    try:
        yield answer
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(
            f"{url} gave an answer of another shape ({printable(repr(error))}). The publisher may have changed "
            "it: download the file by hand and use --file"
        ) from None


def _day(moment: str | None) -> date | None:
    return date.fromisoformat(moment[:10]) if moment else None


def _one(pattern: str, named: Mapping[str, Any], where: str) -> Any:
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
