"""Words that a page explains at its foot, and corrections that it tells of, from data next to the templates."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from functools import cache
from html import unescape

from pydantic import Field, field_validator

from deficits.reports.frame import PARTS
from deficits.reports.params import REPORTS
from deficits.validation import Declared


class Term(Declared):
    """A word of the field, in words that need no other."""

    name: str
    found_by: tuple[str, ...] = Field(min_length=1, description="what to look for in a page's text")
    means: str

    def is_in(self, text: str) -> bool:
        """Whether a text uses it."""
        return any(_search(words).search(text) for words in self.found_by)


class Correction(Declared):
    """An error of ours that stood on published pages."""

    on: date = Field(description="day on which the corrected page was published")
    reports: tuple[str, ...] = Field(description="names of reports; none where every page had the error")
    was: str
    now: str

    @field_validator("reports")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in REPORTS]
        if unknown:
            raise ValueError(f"no such report: {', '.join(unknown)}")
        return names


class Corrections(Declared):
    """All of them, and where to report one more."""

    report_to: str = Field(description="a web or e-mail address, or nothing")
    correction: tuple[Correction, ...] = ()

    def of(self, report: str) -> list[Correction]:
        """Those that touched a report's pages, the newest first."""
        touched = [each for each in self.correction if not each.reports or report in each.reports]
        return sorted(touched, key=lambda each: each.on, reverse=True)

    @property
    def address(self) -> str:
        """Where to report an error, as a link has it."""
        return f"mailto:{self.report_to}" if "@" in self.report_to else self.report_to


@cache
def _search(words: str) -> re.Pattern[str]:
    # An abbreviation in small letters is another word.
    flags = re.NOFLAG if words.isupper() else re.IGNORECASE
    return re.compile(rf"(?<!\w){re.escape(words)}(?!\w|\.\w)", flags)


@cache
def terms() -> tuple[Term, ...]:
    """The whole glossary, in the order of the alphabet."""
    found = tomllib.loads((PARTS / "glossary.toml").read_text(encoding="utf-8"))["term"]
    return tuple(sorted((Term(**each) for each in found), key=lambda term: term.name.casefold()))


def used_in(html: str) -> list[Term]:
    """Terms that a page's text uses."""
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
    return [term for term in terms() if term.is_in(text)]


@cache
def corrections() -> Corrections:
    """The corrections of published pages."""
    return Corrections(**tomllib.loads((PARTS / "corrections.toml").read_text(encoding="utf-8")))
