"""What can be fetched: for each publication its folder, its parser and the way to its newest file.

Addresses of files change with each edition, so a way names a page or a release and a pattern, not a file. Every
publication also has a page where a person can download the file and give it with `--file`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from deficits.errors import closest
from deficits.sources import ees, govuk
from deficits.sources.http import FetchError


@dataclass(frozen=True)
class EesRelease:
    """A release of explore education statistics: one file of it, or the zip of all when `file` is None.

    A version is a release's slug, for example 2024-25.
    """

    slug: str
    file: str | None = None

    def __str__(self) -> str:
        return f"files of the latest release of '{self.slug}' on explore education statistics"


@dataclass(frozen=True)
class EesDataSet:
    """A data set of the EES public API, as CSV. A version is exact, for example 2.0.1."""

    data_set: str

    def __str__(self) -> str:
        return f"data set {self.data_set} of the explore education statistics API"


@dataclass(frozen=True)
class GovUk:
    """An attachment of a gov.uk page, by a pattern for its title or file name.

    Where `path` has {version} in it, a version is that part of the path and `newest` the one taken without; else
    it is a text that the attachment's title or file name must also hold. `document` is for a collection: the
    newest page it lists that matches.
    """

    path: str
    attachment: str
    newest: str | None = None
    document: str | None = None

    def __str__(self) -> str:
        return f"attachment of www.gov.uk{self.path.format(version=self.newest)}"


@dataclass(frozen=True)
class FixedUrl:
    """A file at a known address, in which {version} stands for the edition; `newest` is the one taken without."""

    url: str
    filename: str
    newest: str

    def __str__(self) -> str:
        return self.url.format(version=self.newest)


@dataclass(frozen=True)
class ByHand:
    """No file to download: someone tabulates it and gives it with `--file`."""

    why: str

    def __str__(self) -> str:
        return f"by hand only: {self.why}"


Way = EesRelease | EesDataSet | GovUk | FixedUrl | ByHand


@dataclass(frozen=True)
class Publication:
    """A publication: its folder in `data/raw`, the module that parses its file, the way there, a page for people.

    A parser whose name starts with a dot is a module of `deficits.sources`.
    """

    folder: str
    parser: str
    way: Way
    page: str
    short: tuple[str, ...] = field(default=())


PUBLICATIONS = (
    Publication(
        "section251-outturn",
        ".section251_outturn",
        # The outturn was not in the API when last seen, so the file of the release is taken.
        EesRelease("la-and-school-expenditure", r"^s251_alleducation_la_regional_national"),
        "https://explore-education-statistics.service.gov.uk/find-statistics/la-and-school-expenditure",
        ("section251", "s251", "outturn"),
    ),
    Publication(
        "mhclg-revenue-outturn",
        ".mhclg_revenue_outturn",
        GovUk(
            "/government/statistics/local-authority-revenue-expenditure-and-financing-england-revenue-outturn-"
            "multi-year-data-set",
            r"revenue_outturn_time_series_data.*\.csv$",
        ),
        "https://www.gov.uk/government/collections/local-authority-revenue-expenditure-and-financing",
        ("mhclg", "revenue-outturn", "rs"),
    ),
    Publication(
        "ehc-plans",
        ".ehc_plans",
        EesRelease("education-health-and-care-plans"),
        "https://explore-education-statistics.service.gov.uk/find-statistics/education-health-and-care-plans",
        ("ehc", "ehcp", "plans"),
    ),
    Publication(
        "dsg-allocations",
        ".dsg_allocations",
        GovUk(
            "/government/publications/dedicated-schools-grant-dsg-{version}", r"\ballocations?\b", "2026-to-2027"
        ),
        "https://www.gov.uk/government/collections/dedicated-schools-grant-dsg",
        ("dsg", "allocations"),
    ),
    Publication(
        "high-needs-benchmarking",
        ".high_needs_benchmarking",
        GovUk("/government/publications/high-needs-benchmarking-tool", r"benchmarking.?tool"),
        "https://www.gov.uk/government/publications/high-needs-benchmarking-tool",
        ("benchmarking",),
    ),
    Publication(
        "gdp-deflator",
        ".gdp_deflator",
        FixedUrl(
            "https://obr.uk/download/{version}-economic-and-fiscal-outlook-detailed-forecast-tables-expenditure/",
            "efo_{version}_expenditure.xlsx",
            "march-2026",
        ),
        "https://obr.uk/category/efo/",
        ("deflator", "obr"),
    ),
    Publication(
        "ons-population",
        ".ons_population",
        FixedUrl(
            "https://www.ons.gov.uk/file?uri=/peoplepopulationandcommunity/populationandmigration/"
            "populationestimates/datasets/estimatesofthepopulationforenglandandwales/"
            "mid2011tomid{version}detailedtimeseries/myebtablesenglandwales2011{version}.xlsx",
            "myebtablesenglandwales2011{version}.xlsx",
            "2025",
        ),
        "https://www.ons.gov.uk/peoplepopulationandcommunity/populationandmigration/populationestimates",
        ("population", "ons"),
    ),
    Publication(
        "safety-valve",
        ".safety_valve",
        ByHand("agreements are letters on a page, one a council"),
        "https://www.gov.uk/government/publications/dedicated-schools-grant-very-high-deficit-intervention",
        ("safety",),
    ),
)


@dataclass(frozen=True)
class Bases:
    """Addresses of the services; others are for tests and mirrors."""

    ees_api: str = ees.PUBLIC_API
    ees_releases: str = ees.RELEASES
    govuk: str = govuk.CONTENT_API

    @classmethod
    def given(cls, environment: Mapping[str, str] = os.environ) -> Bases:
        """As DEFICITS_EES_API, DEFICITS_EES_RELEASES and DEFICITS_GOVUK say, where they are set."""
        own = cls()
        return cls(
            environment.get("DEFICITS_EES_API") or own.ees_api,
            environment.get("DEFICITS_EES_RELEASES") or own.ees_releases,
            environment.get("DEFICITS_GOVUK") or own.govuk,
        )


def find(name: str, known: Iterable[Publication] = PUBLICATIONS) -> Publication:
    """The publication by its folder or a short name; FetchError offers the closest.

    >>> find("ehc").folder, find("section251").folder
    ('ehc-plans', 'section251-outturn')
    """
    by_name = {word: publication for publication in known for word in (publication.folder, *publication.short)}
    if name not in by_name:
        raise FetchError(f"nothing to fetch is called '{name}': {closest(name, by_name)}")
    return by_name[name]
