"""Explore education statistics, as its API and its releases answered when last seen, and when they change."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deficits.errors import SourceError
from deficits.fetch.ees import Ees, file_url, release
from deficits.fetch.http import FetchError, download
from tests.fetch.local_site import Asked, Reply, Site, local_site

SET = "7588c2d6-9e8a-4d84-8f19-6b8d52a01fbd"
PAGE_SIZE = 2
"""Whatever is asked for: the server's own choice."""

PUBLICATIONS = [
    {
        "id": f"id-{n}",
        "title": f"Publication {n}",
        "slug": f"publication-{n}",
        "summary": "",
        "lastPublished": "2026-06-25T09:30:00+01:00",
    }
    for n in range(5)
]
LATEST = {
    "version": "2.0.1",
    "published": "2026-06-25T09:30:00+01:00",
    "totalResults": 3,
    "timePeriods": {"start": "2024/25", "end": "2025/26"},
    "geographicLevels": ["National", "Local authority"],
    "filters": ["Placement"],
    "indicators": ["Plans"],
}
DATA_SET = {
    "id": SET,
    "title": "Plans in force",
    "summary": "A summary.",
    "status": "Published",
    "latestVersion": LATEST,
}


def version(number: str, kind: str) -> dict[str, Any]:
    return {
        **LATEST,
        "version": number,
        "type": kind,
        "status": "Published",
        "notes": "",
        "file": {"id": "f"},
        "release": {"title": "January 2026", "slug": "2026"},
    }


VERSIONS = [version("2.0.1", "Patch"), version("2.0", "Major"), version("1.0", "Major")]
CHANGES = {
    "versionNumber": "2.0",
    "majorChanges": {"filterOptions": [{"filter": {"id": "a", "column": "p", "label": "P"}, "options": []}]},
    "minorChanges": {},
}
META = {
    "filters": [
        {
            "id": "pQ3",
            "column": "placement",
            "label": "Placement",
            "hint": "",
            "options": [{"id": "x", "label": "All"}],
        }
    ],
    "indicators": [{"id": "enW", "column": "ehcplans", "label": "Plans", "unit": "", "decimalPlaces": 0}],
    "geographicLevels": [{"code": "LA", "label": "Local authority"}],
    "locations": [
        {
            "level": {"code": "LA", "label": "Local authority"},
            "options": [{"id": "kL9", "label": "Camden", "code": "E09000007", "oldCode": "202"}],
        }
    ],
    "timePeriods": [{"code": "AY", "period": "2025/2026", "label": "2025/26"}],
}
RESULTS = [
    {
        "timePeriod": {"code": "AY", "period": "2025/2026"},
        "geographicLevel": "LA",
        "locations": {"LA": "kL9"},
        "filters": {"pQ3": "x"},
        "values": {"enW": value},
    }
    for value in ("1500", "z", "0")
]


def paged(items: list[Any]) -> Any:
    """Pages of a list, or of a query, whose page number is in its body."""

    def answer(asked: Asked) -> Reply:
        page = json.loads(asked.body)["page"] if asked.method == "POST" else int(asked.query["page"])
        start = (page - 1) * PAGE_SIZE
        paging = {
            "page": page,
            "pageSize": PAGE_SIZE,
            "totalResults": len(items),
            "totalPages": -(-len(items) // PAGE_SIZE),
        }
        return Reply(json.dumps({"paging": paging, "results": items[start : start + PAGE_SIZE]}).encode())

    return answer


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as site:
        site.serve("/v1/publications", paged(PUBLICATIONS))
        site.serve("/v1/publications/id-1/data-sets", paged([DATA_SET]))
        site.json(f"/v1/data-sets/{SET}", DATA_SET)
        site.serve(f"/v1/data-sets/{SET}/versions", paged(VERSIONS))
        site.json(f"/v1/data-sets/{SET}/versions/2.0.1", VERSIONS[0])
        site.json(f"/v1/data-sets/{SET}/versions/2.0/changes", CHANGES)
        site.json(f"/v1/data-sets/{SET}/meta", META)
        site.serve(f"/v1/data-sets/{SET}/query", paged(RESULTS))
        yield site


@pytest.fixture
def api(site: Site) -> Ees:
    return Ees(f"{site.base}/v1", sleep=lambda _: None)


def test_lists_are_read_to_their_last_page_whatever_its_size(api: Ees, site: Site) -> None:
    assert [publication.slug for publication in api.publications()] == [f"publication-{n}" for n in range(5)]
    assert [asked.query for asked in site.asked] == [{"page": "1"}, {"page": "2"}, {"page": "3"}]
    api.publications("plans")
    assert site.asked[-1].query == {"search": "plans", "page": "3"}
    assert [data_set.title for data_set in api.data_sets("id-1")] == ["Plans in force"]
    assert [each.version for each in api.versions(SET)] == ["2.0.1", "2.0", "1.0"]


def test_an_empty_list_is_empty(api: Ees, site: Site) -> None:
    site.serve("/v1/publications", paged([]))
    assert api.publications("nothing of that name") == ()


def test_a_data_set_its_versions_changes_and_meta(api: Ees) -> None:
    latest = api.data_set(SET).latest_version
    assert latest is not None
    found = api.version(SET, latest.version)
    assert (found.version, found.type, found.release.slug) == ("2.0.1", "Patch", "2026")
    assert found.published is not None
    changes = api.changes(SET, "2.0")
    assert changes.major_changes.filter_options[0]["filter"]["column"] == "p"
    assert changes.minor_changes.filters == ()
    meta = api.meta(SET, "2.0")
    assert (meta.indicators[0].column, meta.time_periods[0].period) == ("ehcplans", "2025/2026")
    assert (meta.locations[0].options[0].code, meta.locations[0].options[0].old_code) == ("E09000007", "202")


def test_a_query_gives_every_row_with_its_symbols(api: Ees, site: Site) -> None:
    rows = api.query(SET, "2.0", {"indicators": ["enW"]})
    assert [row.values["enW"] for row in rows] == ["1500", "z", "0"]
    assert [json.loads(asked.body) for asked in site.asked] == [
        {"indicators": ["enW"], "page": 1},
        {"indicators": ["enW"], "page": 2},
    ]
    assert {asked.query["dataSetVersion"] for asked in site.asked} == {"2.0"}


def test_a_pinned_version_comes_as_plain_csv(api: Ees, site: Site, tmp_path: Path) -> None:
    packed = gzip.compress(b"time_period,ehcplans\n2025/26,1500\n")
    site.serve(f"/v1/data-sets/{SET}/csv", Reply(packed, headers={"Content-Encoding": "gzip"}))
    url, params = api.csv_address(SET, "2.0.1")
    came = download(url, tmp_path / "plans.csv", params=params)
    assert came.path.read_bytes().startswith(b"time_period,ehcplans")
    assert site.asked[-1].query == {"dataSetVersion": "2.0.1"}


@pytest.mark.parametrize("loose", ["2.*", "2", "latest", "", "2.0; 1.0"])
def test_a_version_that_may_be_another_next_year_is_refused(api: Ees, loose: str) -> None:
    with pytest.raises(FetchError, match="is not exact: expected for example 2"):
        api.csv_address(SET, loose)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": None}, "title: Input should be a valid string"),
        ({"latestVersion": {"version": "2.0"}}, r"latestVersion\.published: Field required"),
    ],
)
def test_a_changed_answer_names_what_was_expected(
    api: Ees, site: Site, change: dict[str, Any], words: str
) -> None:
    site.json(f"/v1/data-sets/{SET}", {**DATA_SET, **change})
    with pytest.raises(SourceError, match=rf"{SET} gave an answer of another shape: .*{words}.*use --file"):
        api.data_set(SET)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([], "answer: Input should be a valid dictionary"),
        ({"results": []}, "paging: Field required"),
        (
            {"paging": {"page": 1, "pageSize": 5, "totalResults": 9, "totalPages": 1}, "results": PUBLICATIONS},
            "announced 9 results and gave 5: fetch again",
        ),
    ],
)
def test_a_list_that_is_none_or_not_whole_is_an_error(api: Ees, site: Site, answer: Any, words: str) -> None:
    site.json("/v1/publications", answer)
    with pytest.raises(SourceError, match=words):
        api.publications()


def test_a_data_set_that_is_not_there_and_a_slow_query_are_told_apart(api: Ees, site: Site) -> None:
    with pytest.raises(FetchError, match="is not there"):
        api.data_set("another")
    site.serve(f"/v1/data-sets/{SET}/query", Reply(status=504))
    with pytest.raises(FetchError, match=r"is busy \(504\)"):
        api.query(SET, "2.0", {})


RELEASE = {
    "id": "rv-1",
    "title": "Financial year 2024-25",
    "slug": "2024-25",
    "published": "2026-01-22T09:30:00Z",
    "downloadFiles": [
        {
            "id": "f-1",
            "extension": "csv",
            "fileName": "s251_all_la.csv",
            "name": "All LA",
            "size": "9 Mb",
            "type": "Data",
        },
        {"id": "f-2", "extension": "csv", "fileName": "s251_schools.csv", "name": "Schools", "size": "1 Mb"},
    ],
}


def test_a_release_is_found_with_its_files(site: Site) -> None:
    site.json("/api/publications/spending/releases/latest", RELEASE)
    base = f"{site.base}/api"
    found = release("spending", base=base)
    assert (found.slug, str(found.day)) == ("2024-25", "2026-01-22")
    assert file_url(found, found.file(r"^s251_all"), base=base) == f"{base}/releases/rv-1/files/f-1"
    assert file_url(found, found.file("^schools$"), base=base) == f"{base}/releases/rv-1/files/f-2"
    assert file_url(found, base=base) == f"{base}/releases/rv-1/files"


@pytest.mark.parametrize(("pattern", "many"), [("budget", "no"), ("s251", "2")])
def test_files_that_are_not_one_are_listed(site: Site, pattern: str, many: str) -> None:
    site.json("/api/publications/spending/releases/2024-25", RELEASE)
    found = release("spending", "2024-25", base=f"{site.base}/api")
    with pytest.raises(
        SourceError, match=rf"has {many} files like '{pattern}', expected one.*s251_schools.csv \(Schools"
    ):
        found.file(pattern)


def test_a_release_of_another_shape_is_an_error(site: Site) -> None:
    site.json("/api/publications/spending/releases/latest", {**RELEASE, "downloadFiles": None})
    with pytest.raises(SourceError, match="downloadFiles: Input should be a valid tuple"):
        release("spending", base=f"{site.base}/api")
