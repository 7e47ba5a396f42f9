"""The pages as an Atom feed (RFC 4287): an entry a page, so that a reader is told of a new run or a failure."""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime, time

from deficits.reports.catalogue import Catalogue, PageEntry

ATOM = "http://www.w3.org/2005/Atom"
TITLE = "SEND deficits in England’s councils: reports"
AUTHOR = "deficits, estimates made from published figures"
FEED = "feed.xml"
HERE = "urn:deficits:reports/"
"""Stands for the folder's address in what an id is made from, when the folder has none yet."""


def atom_feed(catalogue: Catalogue) -> str:
    """The feed as XML, newest first.

    An id stays the same from run to run, as the standard asks: it is made from the page's name and the base URL.
    Links are absolute below the base URL, and otherwise relative to the feed.
    """
    # Registering the namespace would be for the whole process, and take its prefix from the charts' SVG.
    feed = ET.Element("feed", {"xmlns": ATOM, "{http://www.w3.org/XML/1998/namespace}lang": "en-GB"})
    # A page without a record has no day on which it last changed; the list names it.
    known = [entry for entry in catalogue.pages if entry.made_on or entry.failure]
    entries = sorted(known, key=lambda entry: (_changed(entry, catalogue), entry.page), reverse=True)
    newest = _changed(entries[0], catalogue) if entries else _noon(catalogue.checked_on)
    _add(feed, "id", _identity(catalogue, ""))
    _add(feed, "title", TITLE)
    _add(feed, "subtitle", "Estimates, not official statistics")
    _add(feed, "updated", newest.isoformat())
    _link(feed, "self", catalogue.address(FEED), "application/atom+xml")
    _link(feed, "alternate", catalogue.address("index.html"), "text/html")
    _add(_add(feed, "author"), "name", AUTHOR)
    for entry in entries:
        _entry(feed, entry, catalogue)
    ET.indent(feed, "")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(feed, encoding="unicode") + "\n"


def _entry(feed: ET.Element, entry: PageEntry, catalogue: Catalogue) -> None:
    made = _add(feed, "entry")
    _add(made, "id", _identity(catalogue, entry.page))
    _add(made, "title", f"Run failed: {entry.title}" if entry.state == "failed" else entry.title)
    _add(made, "updated", _changed(entry, catalogue).isoformat())
    # An entry without content needs an alternate link, so a page that never was points to the list that names it.
    _link(made, "alternate", catalogue.address(entry.href or "index.html"), "text/html")
    if entry.record_href:
        _link(made, "related", catalogue.address(entry.record_href), "application/json")
    ET.SubElement(made, "category", {"term": entry.report})
    _add(made, "summary", _summary(entry))


def _summary(entry: PageEntry) -> str:
    """The first main point, and what is to be known of the page's state."""
    reasons = ["; ".join(entry.reasons)] if entry.reasons else []
    said = [*([entry.main_point] if entry.main_point else []), *(f"State: {text}." for text in reasons)]
    return " ".join(said) or entry.title


def _changed(entry: PageEntry, catalogue: Catalogue) -> datetime:
    """When the entry last changed: its run, or its failure since then."""
    made = _noon(entry.made_on or catalogue.checked_on)
    return max(made, datetime.fromisoformat(entry.failure.failed_at)) if entry.failure else made


def _noon(day: date) -> datetime:
    """A record has a day and no time: midday, which is on that day everywhere in Europe."""
    return datetime.combine(day, time(12), tzinfo=UTC)


def _identity(catalogue: Catalogue, page: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{catalogue.base_url or HERE}{page}").urn


def _link(parent: ET.Element, rel: str, href: str, kind: str) -> None:
    ET.SubElement(parent, "link", {"rel": rel, "type": kind, "href": href})


def _add(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    made = ET.SubElement(parent, name)
    made.text = None if text is None else _allowed(text)
    return made


def _allowed(text: str) -> str:
    """Text without the control characters that XML has no way to hold; an error's message may have them."""
    return "".join(letter for letter in text if letter >= " " or letter in "\t\n\r")
