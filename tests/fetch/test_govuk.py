"""Pages of gov.uk as its content API answers: the attachment wanted, or a list of those that are there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from deficits.errors import SourceError
from deficits.fetch.govuk import attachment, document, filename, page
from deficits.fetch.http import FetchError
from tests.fetch.local_site import Site, local_site

PATH = "/government/statistics/revenue-outturn-multi-year-data-set"
ASSETS = "https://assets.publishing.service.gov.uk/media"


def attached(title: str, name: str, **more: Any) -> dict[str, Any]:
    return {"attachment_type": "file", "title": title, "url": f"{ASSETS}/6aaa/{name}", "filename": name, **more}


PAGE = {
    "title": "Revenue outturn: multi-year data set",
    "base_path": PATH,
    "document_type": "official_statistics",
    "public_updated_at": "2026-09-17T09:30:00+01:00",
    "details": {
        "body": "<p>…</p>",
        "attachments": [
            attached(
                "Revenue Outturn time series data", "Revenue_Outturn_time_series_data_v4.csv", file_size=24_290_759
            ),
            attached("Metadata", "Revenue_Outturn_metadata.ods"),
            {"attachment_type": "html", "title": "Time series data: notes", "url": "/government/notes"},
        ],
    },
    "links": {},
}
COLLECTION = {
    "title": "Local authority revenue expenditure and financing",
    "base_path": "/government/collections/revenue",
    "details": {"body": ""},
    "links": {
        "documents": [
            {"title": "Outturn 2023 to 2024", "base_path": "/a", "public_updated_at": "2024-12-12T09:30:00Z"},
            {"title": "Outturn 2024 to 2025", "base_path": "/b", "public_updated_at": "2025-12-11T09:30:00Z"},
            {"title": "Budget 2026 to 2027", "base_path": "/c", "public_updated_at": "2026-06-18T09:30:00Z"},
        ]
    },
}


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as site:
        site.json(f"/content{PATH}", PAGE)
        yield site


def test_the_attachment_is_found_by_title_or_file_name(site: Site) -> None:
    found = page(PATH, base=f"{site.base}/content")
    assert (found.title, str(found.day)) == (PAGE["title"], "2026-09-17")
    by_name = attachment(found, r"time_series_data.*\.csv$")
    assert by_name == attachment(found, "time series")
    assert by_name.url == f"{ASSETS}/6aaa/Revenue_Outturn_time_series_data_v4.csv"
    assert by_name.file_size == 24_290_759


@pytest.mark.parametrize(("pattern", "many"), [("budget", "no"), ("revenue_outturn", "2")])
def test_attachments_that_are_not_one_are_listed(site: Site, pattern: str, many: str) -> None:
    found = page(PATH, base=f"{site.base}/content")
    with pytest.raises(SourceError) as caught:
        attachment(found, pattern)
    for words in (PATH, f"has {many} attachments like '{pattern}'", "Metadata (Revenue_Outturn_metadata.ods)"):
        assert words in str(caught.value)
    assert "notes" not in str(caught.value)


def test_an_older_page_gives_the_file_name_in_the_address_only(site: Site) -> None:
    older = {"title": "Data", "url": f"{ASSETS}/5aaa/RS_2016-17_data_by_LA.xlsx"}
    site.json(f"/content{PATH}", {**PAGE, "details": {"attachments": [older]}})
    assert (
        filename(attachment(page(PATH, base=f"{site.base}/content"), r"rs_2016")) == "RS_2016-17_data_by_LA.xlsx"
    )


def test_a_page_without_attachments_says_so(site: Site) -> None:
    site.json(f"/content{PATH}", {**PAGE, "details": {}})
    with pytest.raises(SourceError, match="Attached: none"):
        attachment(page(PATH, base=f"{site.base}/content"), "data")


def test_a_collection_gives_its_newest_page_that_matches(site: Site) -> None:
    site.json("/content/government/collections/revenue", COLLECTION)
    found = page("/government/collections/revenue", base=f"{site.base}/content")
    assert document(found, "outturn").base_path == "/b"
    with pytest.raises(
        SourceError, match=r"lists no page like 'capital'\. It lists: Outturn 2023 to 2024; Outturn"
    ):
        document(found, "capital")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": None}, "title: Input should be a valid string"),
        ({"details": {"attachments": [{"title": "Data"}]}}, r"attachments\.0\.url: Field required"),
        ({"details": {"attachments": "none"}}, "attachments: Input should be a valid tuple"),
        ({"document_type": "redirect", "redirects": [{"destination": "/new"}]}, "on gov.uk now leads to /new"),
    ],
)
def test_an_answer_of_another_shape_is_named(site: Site, change: dict[str, Any], words: str) -> None:
    site.json(f"/content{PATH}", {**PAGE, **change})
    with pytest.raises(SourceError, match=words):
        page(PATH, base=f"{site.base}/content")


def test_a_page_that_is_gone_is_said_so(site: Site) -> None:
    with pytest.raises(FetchError, match=r"/content/government/gone is not there \(404\)"):
        page("/government/gone", base=f"{site.base}/content")
