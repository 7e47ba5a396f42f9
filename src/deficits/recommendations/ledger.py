"""The ledger of recommendations, `data/recommendations.yaml`, checked. It holds no figure of this project."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, model_validator

from deficits.errors import PanelError
from deficits.formatting import day_in_words, reported_by
from deficits.paths import recommendations_file
from deficits.validation import Declared, each_once, read_text, read_yaml, validated

Kind = Literal[
    "lever", "delay", "moved", "capital", "scheme", "shortfall", "share", "number", "information", "posts", "price"
]
Words = Annotated[str, Field(min_length=3)]


class Answer(Declared):
    """What government has said that bears on a recommendation: who, when, and where it was read."""

    said: Words
    by: Words
    dated: date
    reference: HttpUrl

    @property
    def source(self) -> str:
        """Who said it and when, and who reported it, in words."""
        return reported_by(f"{self.by}, {day_in_words(self.dated)}", str(self.reference))

    def __str__(self) -> str:
        return f"{self.said} ({self.source})"


class Measure(Declared):
    """How this project answers: a kind of figure (see `deficits.recommendations.findings`) and its page."""

    kind: Kind = Field(description="which figure is worked out when a page is made")
    name: str = Field(default="", description="of a lever, scheme, figure of the panel, profession or price")
    page: str = Field(pattern=r"^[a-z0-9-]+$", description="page that shows the working, without .html")
    note: Words = Field(description="what the figure is, and what it leaves out")


class Recommendation(Declared):
    """One recommendation, government's answer, and this project's: a figure, or why there is none."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    theme: Words
    asked: Words = Field(description="what is recommended, in this project's words")
    read_in: HttpUrl | None = Field(default=None, description="where, if not in the ledger's own reference")
    answers: tuple[Answer, ...] = ()
    searched: str = Field(default="", description="what was searched, where no answer was found")
    measure: Measure | None = None
    reason: str = Field(default="", description="why there is no figure")
    needs: str = Field(
        default="", description="the figure that would be needed; none where money is not the point"
    )

    @model_validator(mode="after")
    def _is_answered(self) -> Recommendation:
        if bool(self.answers) == bool(self.searched):
            raise ValueError("give government's 'answers', or what was 'searched' where none was found")
        if (self.measure is None) != bool(self.reason and self.needs) or (
            self.measure and (self.reason or self.needs)
        ):
            raise ValueError("give a 'measure', or both the 'reason' why there is none and what it 'needs'")
        return self

    def answer(self) -> str:
        """Government's answer in words, with who and when."""
        return "; ".join(map(str, self.answers)) or f"No answer found (searched: {self.searched})"


class Count(Declared):
    """How many recommendations there are, as somebody counts them."""

    by: Words
    number: int = Field(gt=0)
    what: Words
    reference: HttpUrl


class Ledger(Declared):
    """All recommendations that are held, of one report."""

    report: Words
    publisher: Words
    published: date
    reference: HttpUrl = Field(description="where the recommendations were read")
    counts: tuple[Count, ...]
    reply: Answer | None = Field(description="the answer to the report as a whole")
    recommendations: Annotated[tuple[Recommendation, ...], each_once("name")]

    def known_on(self, as_of: str | None) -> Ledger:
        """What was public on a day (ISO; None knows everything): no recommendation before the report is published.

        An answer of a later day is left out, and the recommendation then has none.
        """
        if as_of is None:
            return self
        if str(self.published) > as_of:
            return self.model_copy(update={"recommendations": (), "reply": None})
        kept = []
        for each in self.recommendations:
            answers = tuple(one for one in each.answers if str(one.dated) <= as_of)
            searched = each.searched or ("" if answers else f"what is held of {as_of} and before")
            kept.append(each.model_copy(update={"answers": answers, "searched": searched}))
        reply = self.reply if self.reply and str(self.reply.dated) <= as_of else None
        return self.model_copy(update={"recommendations": tuple(kept), "reply": reply})


def read_ledger(path: Path | None = None) -> Ledger:
    """The ledger; PanelError with every fault of the file.

    >>> ledger = read_ledger()
    >>> ledger.known_on("2025-09-17").recommendations
    ()
    """
    file = path or recommendations_file()
    shown = f"data/{file.name}"
    return validated(Ledger, read_yaml(read_text(file, shown, PanelError), shown, PanelError), shown, PanelError)
