"""Files attached to pages of www.gov.uk, found by title or file name because their addresses change."""

from __future__ import annotations

import re
import time
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from pydantic import AliasPath, BaseModel, ConfigDict, Field, field_validator

from deficits.errors import SourceError
from deficits.fetch.ees import shaped
from deficits.fetch.http import Sleep, read_json

CONTENT_API = "https://www.gov.uk/api/content"


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Attachment(_Content):
    """A file attached to a page. `url` is absolute and changes with each edition."""

    title: str
    url: str
    filename: str = ""
    file_size: int | None = None


class Linked(_Content):
    """A page that a collection lists."""

    title: str
    base_path: str
    public_updated_at: datetime | None = None


class Page(_Content):
    """A page's title, date, attached files and, for a collection, the pages it lists."""

    title: str
    base_path: str
    public_updated_at: datetime | None = None
    attachments: tuple[Attachment, ...] = Field(default=(), validation_alias=AliasPath("details", "attachments"))
    documents: tuple[Linked, ...] = Field(default=(), validation_alias=AliasPath("links", "documents"))

    @field_validator("attachments", mode="before")
    @classmethod
    def _files(cls, given: Any) -> Any:
        """Attached web pages (`html`) and links out (`external`) are left aside."""
        if not (isinstance(given, list) and all(isinstance(each, dict) for each in given)):
            return given
        return [each for each in given if each.get("attachment_type", "file") == "file"]

    @property
    def day(self) -> date | None:
        """Day of the page's last public change."""
        return self.public_updated_at.date() if self.public_updated_at else None


def page(path: str, *, base: str = CONTENT_API, sleep: Sleep = time.sleep) -> Page:
    """The page at `path` (as after www.gov.uk).

    Raises FetchError when it cannot be reached or is not there, SourceError when the answer is of another shape.
    """
    url = f"{base}/{quote(path.strip('/'))}"
    answer = read_json(url, sleep=sleep)
    # A redirect of the site is a document of its own kind, without the title and files of the page it leads to.
    if isinstance(answer, dict) and answer.get("document_type") == "redirect":
        leads = [each.get("destination") for each in answer.get("redirects") or []]
        raise SourceError(f"{path} on gov.uk now leads to {', '.join(map(str, leads)) or 'another page'}")
    return shaped(answer, Page, url)


def attachment(of: Page, pattern: str) -> Attachment:
    """The one attachment whose title or file name matches `pattern` (letter case aside).

    SourceError lists the page's attachments when none or several match.
    """
    found = [each for each in of.attachments if _matches(pattern, each.title, filename(each))]
    if len(found) != 1:
        listed = "; ".join(f"{each.title} ({filename(each)})" for each in of.attachments) or "none"
        raise SourceError(
            f"{of.base_path} on gov.uk has {len(found) or 'no'} attachments like '{pattern}', expected one. "
            f"Attached: {listed}"
        )
    return found[0]


def document(of: Page, pattern: str) -> Linked:
    """The newest page of a collection whose title or path matches; SourceError lists the titles when none does."""
    found = [each for each in of.documents if _matches(pattern, each.title, each.base_path)]
    if not found:
        listed = "; ".join(each.title for each in of.documents) or "no pages"
        raise SourceError(f"{of.base_path} on gov.uk lists no page like '{pattern}'. It lists: {listed}")
    return max(found, key=lambda each: each.public_updated_at.timestamp() if each.public_updated_at else 0.0)


def _matches(pattern: str, *texts: str) -> bool:
    return any(re.search(pattern, text, re.IGNORECASE) for text in texts)


def filename(of: Attachment) -> str:
    """Name of the attached file; older pages give it in the address only."""
    return of.filename or of.url.rsplit("/", 1)[-1]
