"""Where a publication's file is, asked of answers shaped as explore education statistics and gov.uk give them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from deficits.errors import SourceError
from deficits.fetch.addresses import locate
from deficits.fetch.download import FetchError
from deficits.publications import find
from deficits.publications.editions import FixedUrl
from tests.fetch.local_site import Site, local_site

RELEASES = [
    {"id": "v2", "slug": "2024-25", "published": "2026-01-22T09:30:00+00:00", "latestRelease": True},
    {"id": "v1", "slug": "2023-24", "published": "2024-12-12T09:30:00+00:00", "latestRelease": False},
]
DATA_SETS = [
    {"fileId": "f1", "title": "All education expenditure - local authority, regional and national"},
    {"fileId": "f2", "title": "Planned expenditure", "publicApiDataSetId": None},
]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with local_site() as site:
        for name in ("EES_RELEASES", "EES_API", "GOVUK"):
            monkeypatch.setenv(f"DEFICITS_{name}", f"{site.base}/{name}")
        yield site


def expenditure(site: Site, **more: Any) -> None:
    base = "/EES_RELEASES/publications/la-and-school-expenditure/releases"
    site.json(base, RELEASES)
    for release in RELEASES:
        site.json(f"{base}/{release['slug']}/data-content", {"dataSets": [{**DATA_SETS[0], **more}, DATA_SETS[1]]})


def page(site: Site, path: str, *names: tuple[str, str], **more: Any) -> None:
    attachments = [
        {"attachment_type": "file", "title": title, "filename": file, "url": f"https://assets.example/{file}"}
        for title, file in names
    ]
    day = "2025-12-17T10:00:00Z"
    site.json(f"/GOVUK{path}", {"public_updated_at": day, "details": {"attachments": attachments}, **more})


def test_a_release_file_is_the_newest_releases_data_set_of_that_title(site: Site) -> None:
    expenditure(site)
    found = locate(find("section251"))
    assert found.url == f"{site.base}/EES_RELEASES/releases/v2/files/f1"
    assert found.published == date(2026, 1, 22)
    assert locate(find("section251"), "2023-24").url.endswith("/releases/v1/files/f1")


def test_a_data_set_that_is_in_the_public_api_comes_from_there(site: Site) -> None:
    expenditure(site, publicApiDataSetId="d1")
    assert locate(find("section251")).url == f"{site.base}/EES_API/data-sets/d1/csv"
    assert locate(find("section251"), "2023-24").url.endswith("/releases/v1/files/f1")  # the API gives its newest


def test_without_a_title_a_release_comes_as_the_zip_of_all_its_files(site: Site) -> None:
    site.json("/EES_RELEASES/publications/education-health-and-care-plans/releases", RELEASES)
    found = locate(find("ehc"))
    assert (found.url, found.name[-4:]) == (f"{site.base}/EES_RELEASES/releases/v2/files", ".zip")


def test_a_release_that_is_not_there_is_answered_with_those_that_are(site: Site) -> None:
    expenditure(site)
    with pytest.raises(FetchError, match="2024-25; 2023-24"):
        locate(find("section251"), "2031-32")


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ([{"slug": "2024-25", "latestRelease": True}], "'id'"),
        ([{"slug": "2024-25", "id": 5, "latestRelease": True}], "another shape"),
        ([{"slug": "2024-25"}], "'latestRelease'"),
        ({"releases": []}, "another shape"),
        (None, "another shape"),
    ],
)
def test_an_answer_of_another_shape_names_the_field(site: Site, answer: object, field: str) -> None:
    site.json("/EES_RELEASES/publications/la-and-school-expenditure/releases", answer)
    with pytest.raises(SourceError, match=field):
        locate(find("section251"))


@pytest.mark.parametrize("details", [[], {"attachments": 5}, {"attachments": [{"title": "Tool"}]}])
def test_a_page_of_another_shape_is_refused(site: Site, details: object) -> None:
    site.json("/GOVUK/government/publications/high-needs-benchmarking-tool", {"details": details})
    with pytest.raises(SourceError, match="another shape"):
        locate(find("benchmarking"))


@pytest.mark.parametrize("name", ["dsg_allocations_2026_to_2027.xlsx", "DSG-allocations.ods"])
def test_the_newest_page_of_a_collection_is_taken_whatever_its_year(site: Site, name: str) -> None:
    path = "/government/publications/dedicated-schools-grant-dsg-{}"
    listed = [path.format(year) for year in ("2024-to-2025", "2026-to-2027", "2025-to-2026")]
    links = {"documents": [{"base_path": each} for each in [*listed, "/government/publications/dsg-conditions"]]}
    site.json("/GOVUK/government/collections/dedicated-schools-grant-dsg", {"links": links})
    page(site, path.format("2026-to-2027"), ("Technical note", "note.pdf"), ("Table", name))
    page(site, path.format("2025-to-2026"), ("DSG allocations", "old.xlsx"))
    assert locate(find("dsg")).url == f"https://assets.example/{name}"
    assert locate(find("dsg"), "2025-to-2026").published == date(2025, 12, 17)


def test_a_page_that_was_withdrawn_says_so(site: Site) -> None:
    notice = {"withdrawn_notice": {"withdrawn_at": "2026-10-01T00:00:00Z", "explanation": "<p>wrong</p>"}}
    page(
        site, "/government/publications/high-needs-benchmarking-tool", ("Tool", "benchmarking_tool.xlsx"), **notice
    )
    assert "1 October 2026" in str(locate(find("benchmarking")).note)


def test_a_page_that_has_moved_names_the_new_address(site: Site) -> None:
    moved = {"document_type": "redirect", "redirects": [{"destination": "/government/publications/elsewhere"}]}
    site.json("/GOVUK/government/publications/high-needs-benchmarking-tool", moved)
    with pytest.raises(FetchError, match="/government/publications/elsewhere"):
        locate(find("benchmarking"))


def test_two_files_that_match_are_not_chosen_between(site: Site) -> None:
    names = ("Tool", "benchmarking_tool.xlsx"), ("Tool, revised", "benchmarking_tool_2.xlsx")
    page(site, "/government/publications/high-needs-benchmarking-tool", *names)
    with pytest.raises(SourceError, match=r"2 files.*benchmarking_tool_2\.xlsx"):
        locate(find("benchmarking"))


def test_a_known_address_takes_the_edition_that_is_newest_today() -> None:
    address = FixedUrl("https://example.org/{version}/a.xlsx", "a_{version}.xlsx", newest=lambda: "2025")
    found = locate(replace(find("population"), address=address))
    assert (found.url, found.name) == ("https://example.org/2025/a.xlsx", "a_2025.xlsx")


def test_what_is_tabulated_by_hand_is_not_asked_for() -> None:
    with pytest.raises(FetchError, match="letters"):
        locate(find("safety"))
