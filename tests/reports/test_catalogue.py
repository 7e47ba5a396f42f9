from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import date, datetime
from pathlib import Path

import pytest

from deficits.errors import ReportFailed
from deficits.reports import catalogue as catalogues
from deficits.reports import write_index
from deficits.reports.catalogue import Catalogue, read_catalogue
from deficits.reports.feed import ATOM, atom_feed
from tests.reports.folder import DSG, change, councils, fail, now, put, put_council, put_england

DAY = date(2026, 11, 25)
IN_ATOM = {"a": ATOM}


def read(folder, **more) -> Catalogue:
    return read_catalogue(folder, today=DAY, dsg=DSG, dsg_year=2024, **more)


def council(found: Catalogue, name: str):
    return next(entry for entry in found.councils if entry.name == name)


# States


def test_every_council_is_there_though_no_page_is(tmp_path):
    found = read(tmp_path / "nowhere")
    assert sorted(entry.name for entry in found.councils) == sorted(councils().values())
    assert found.counts == {"fresh": 0, "stale": 0, "failed": 0, "not made": 153}
    assert found.pages == ()


def test_a_page_from_the_data_and_code_at_hand_is_fresh(tmp_path):
    put_council(tmp_path, "Kent")
    kent = council(read(tmp_path), "Kent")
    assert (kent.state, kent.page) == ("fresh", "authority-kent")
    assert read(tmp_path).by_page["authority-kent"].reasons == ()


def test_a_page_from_other_data_is_stale_and_says_so(tmp_path):
    put_england(tmp_path, data={"authorities/authority_codes.csv": "0" * 64})
    (page,) = read(tmp_path).pages
    assert page.state == "stale"
    assert re.fullmatch(r"\d+ data files have changed since it was made", page.reasons[0])


@pytest.mark.parametrize("changes", [{"source": "0" * 64}, {"notebook": "0" * 64}])
def test_a_page_from_other_code_is_stale_and_names_the_version(tmp_path, changes):
    put_england(tmp_path, code="0.0.9", **changes)
    (page,) = read(tmp_path).pages
    assert (page.state, page.reasons) == ("stale", ("made by another version of the code (0.0.9)",))


def test_a_page_with_other_packages_is_stale(tmp_path):
    put_england(tmp_path, python="3.10.0")
    (page,) = read(tmp_path).pages
    assert page.reasons == ("made with other versions of Python or of packages",)


def test_a_page_that_is_not_of_its_record_s_run_is_stale(tmp_path):
    put_england(tmp_path)
    (tmp_path / "england.html").write_text("an older page", encoding="utf-8")
    (page,) = read(tmp_path).pages
    assert page.reasons == ("the page and its run record are not of the same run",)


def test_a_failed_run_is_told_beside_the_last_good_page(tmp_path):
    page = put_council(tmp_path, "Leeds")
    fail(tmp_path, page)
    entry = read(tmp_path).by_page[page]
    assert (entry.state, entry.href, entry.failure.cell) == ("failed", "authority-leeds.html", 5)
    assert council(read(tmp_path), "Leeds").balance_p50 == -152.5e6


def test_a_page_that_never_succeeded_has_no_address(tmp_path):
    fail(tmp_path, "authority-leeds")
    entry = read(tmp_path).by_page["authority-leeds"]
    assert (entry.state, entry.href, entry.made_on) == ("failed", None, None)


def test_a_record_without_its_page_is_not_made(tmp_path):
    page = put_council(tmp_path, "Kent")
    (tmp_path / f"{page}.html").unlink()
    assert council(read(tmp_path), "Kent").state == "not made"


# Records as they may be found


def test_a_record_of_another_version_is_read(tmp_path):
    put_england(tmp_path)
    change(tmp_path, "england", something_new={"deep": [1]})
    found = read(tmp_path)
    assert found.unreadable == ()
    assert found.pages[0].main_point == "The first point of england."


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"kind": "deficits run rec', "not whole, or not JSON"),
        ("", "not whole, or not JSON"),
        ('{"kind": "deficits run record", "page": "x"}', "title: Field required"),
        ('{"kind": "deficits run record", "title": NaN}', "not whole, or not JSON"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_and_costs_only_its_own_page(tmp_path, text, problem):
    put_england(tmp_path)
    put_council(tmp_path, "Kent")
    (tmp_path / "authority-kent.json").write_text(text, encoding="utf-8")
    found = read(tmp_path)
    (fault,) = found.unreadable
    assert (fault.file, fault.problem, fault.href) == ("authority-kent.json", problem, "authority-kent.html")
    assert found.by_page["england"].state == "fresh"
    assert council(found, "Kent").state == "stale"


def test_a_record_in_no_known_encoding_is_named(tmp_path):
    (tmp_path / "authority-kent.json").write_bytes(b"\xff\xfe\x00")
    assert [fault.file for fault in read(tmp_path).unreadable] == ["authority-kent.json"]


def test_a_page_without_a_record_is_named_and_linked(tmp_path):
    page = put_council(tmp_path, "Kent")
    (tmp_path / f"{page}.json").unlink()
    found = read(tmp_path)
    assert [(fault.file, fault.problem) for fault in found.unreadable] == [("authority-kent.json", "missing")]
    assert found.by_page[page].href == "authority-kent.html"


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "other.json").write_text('{"kind": "something else"}', encoding="utf-8")
    (tmp_path / "list.json").write_text("[1]", encoding="utf-8")
    (tmp_path / "notes.html").write_text("x", encoding="utf-8")
    found = read(tmp_path)
    assert (found.unreadable, found.pages) == ((), ())


# Figures


def test_a_council_has_the_first_range_of_its_page_and_its_share_of_the_grant(tmp_path):
    put_council(tmp_path, "Kent")
    kent = council(read(tmp_path), "Kent")
    assert (kent.year, kent.balance_p10, kent.balance_p90) == (2026, -193.9e6, -110.9e6)
    assert kent.deficit_share_of_dsg == pytest.approx(0.1525)


@pytest.mark.parametrize("name", ["City of London", "Bury"])
def test_without_a_grant_there_is_a_range_and_no_share(tmp_path, name):
    put_council(tmp_path, name)
    entry = council(read(tmp_path), name)
    assert (entry.balance_p50, entry.deficit_share_of_dsg) == (-152.5e6, None)


def test_the_grant_is_the_newest_published_one_unless_given(tmp_path):
    put_council(tmp_path, "Kent")
    kent = council(read_catalogue(tmp_path, today=DAY), "Kent")
    assert kent.dsg_year == 2024
    assert 1.5e9 < kent.dsg < 1.7e9


def test_the_panel_is_not_built_again_while_data_and_code_are_the_same(tmp_path, monkeypatch):
    put_council(tmp_path, "Kent")
    write_index(tmp_path, today=DAY, dsg=DSG, dsg_year=2024)
    put_council(tmp_path, "Camden")
    monkeypatch.setattr(catalogues, "_published_dsg", lambda: pytest.fail("the panel was built"))
    found = read_catalogue(tmp_path, today=DAY)
    assert council(found, "Kent").dsg == DSG["886"]
    assert council(found, "Camden").deficit_share_of_dsg == pytest.approx(152.5 / 200)


def test_the_panel_is_built_again_when_the_last_catalogue_is_of_other_data(tmp_path, monkeypatch):
    put_council(tmp_path, "Kent")
    write_index(tmp_path, today=DAY, dsg=DSG, dsg_year=2024)
    other = now().model_copy(update={"data": {"a/b.csv": "0"}})
    monkeypatch.setattr(catalogues, "_published_dsg", lambda: ({"886": 7.0}, 2025))
    assert council(read_catalogue(tmp_path, today=DAY, found=other), "Kent").dsg == 7.0


def test_the_vintage_is_the_newest_publication_among_the_figures_or_the_day_asked_for(tmp_path):
    put_england(tmp_path)
    put(tmp_path, "england-as-of-2025-09-17", "england", "x", {"a": 1}, {"as_of": "2025-09-17"})
    vintages = {entry.page: entry.figures_to for entry in read(tmp_path).pages}
    assert vintages["england"] >= "2026-06"
    assert vintages["england-as-of-2025-09-17"] == "2025-09-17"


# The JSON file


def test_the_file_says_what_it_is_and_reads_back_the_same(tmp_path):
    put_council(tmp_path, "Kent")
    write_index(tmp_path, today=DAY, dsg=DSG, dsg_year=2024)
    text = (tmp_path / "catalogue.json").read_text(encoding="utf-8")
    assert json.loads(text)["kind"] == catalogues.KIND
    assert json.loads(text)["version"] == catalogues.VERSION
    assert Catalogue.model_validate_json(text) == read(tmp_path)


def test_every_field_of_the_file_is_documented():
    words = (Path(__file__).parents[2] / "docs" / "catalogue.md").read_text(encoding="utf-8")
    for model in (
        Catalogue,
        catalogues.PageEntry,
        catalogues.CouncilEntry,
        catalogues.Failure,
        catalogues.Unreadable,
    ):
        missing = [name for name in model.model_fields if f"`{name}`" not in words]
        assert missing == [], model.__name__
    assert f"version {catalogues.VERSION}" in words


def test_no_file_names_a_folder_of_this_machine(tmp_path):
    put_council(tmp_path, "Kent")
    (tmp_path / "england.json").mkdir()
    write_index(tmp_path, today=DAY, dsg=DSG)
    for name in ("index.html", "catalogue.json", "feed.xml"):
        assert str(tmp_path) not in (tmp_path / name).read_text(encoding="utf-8")


def test_the_same_pages_give_the_same_files(tmp_path):
    put_council(tmp_path, "Kent")
    names = ("index.html", "catalogue.json", "feed.xml")
    made = []
    for _ in range(2):
        write_index(tmp_path, today=DAY, dsg=DSG)
        made.append([(tmp_path / name).read_bytes() for name in names])
    assert made[0] == made[1]


def test_a_disk_that_is_full_leaves_the_last_list_and_says_so(tmp_path, monkeypatch):
    write_index(tmp_path, today=DAY)
    before = (tmp_path / "index.html").read_bytes()
    put_council(tmp_path, "Kent")

    def full(path, *args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ReportFailed, match="No space left on device"):
        write_index(tmp_path, today=DAY, dsg=DSG)
    assert (tmp_path / "index.html").read_bytes() == before
    assert list(tmp_path.glob(".making-*")) == []


# The feed


def feed(folder, **more) -> ET.Element:
    return ET.fromstring(atom_feed(read(folder, **more)))


def test_the_feed_has_what_the_standard_asks_for(tmp_path):
    put_england(tmp_path)
    fail(tmp_path, "authority-leeds")
    found = feed(tmp_path)
    assert found.tag == f"{{{ATOM}}}feed"
    for parent in (found, *found.findall("a:entry", IN_ATOM)):
        for name in ("id", "title", "updated"):
            (element,) = parent.findall(f"a:{name}", IN_ATOM)
            assert element.text
        assert parent.find("a:id", IN_ATOM).text.startswith("urn:uuid:")
        assert datetime.fromisoformat(parent.find("a:updated", IN_ATOM).text).tzinfo
        assert parent.find("a:link[@rel='alternate']", IN_ATOM).get("href")
    assert found.find("a:author/a:name", IN_ATOM).text
    assert found.find("a:link[@rel='self']", IN_ATOM).get("href") == "feed.xml"


def test_the_feed_has_an_entry_a_page_with_an_id_of_its_own_the_newest_first(tmp_path):
    put_england(tmp_path)
    put_council(tmp_path, "Kent")
    fail(tmp_path, "authority-leeds")
    entries = feed(tmp_path).findall("a:entry", IN_ATOM)
    assert len({entry.find("a:id", IN_ATOM).text for entry in entries}) == 3
    assert entries[0].find("a:title", IN_ATOM).text == "Run failed: Leeds: SEND deficits by council"
    times = [entry.find("a:updated", IN_ATOM).text for entry in entries]
    assert times == sorted(times, reverse=True)
    assert feed(tmp_path).find("a:updated", IN_ATOM).text == times[0]


def test_ids_stay_when_a_page_is_made_again(tmp_path):
    put_england(tmp_path)
    first = feed(tmp_path).find("a:entry/a:id", IN_ATOM).text
    change(tmp_path, "england", run_on="2027-01-01", fingerprint="cd" * 32)
    assert feed(tmp_path).find("a:entry/a:id", IN_ATOM).text == first


@pytest.mark.parametrize("base", ["https://example.org/reports", "https://example.org/reports/"])
def test_with_a_base_url_every_link_is_absolute(tmp_path, base):
    put_england(tmp_path)
    links = [link.get("href") for link in feed(tmp_path, base_url=base).iter(f"{{{ATOM}}}link")]
    assert "https://example.org/reports/england.html" in links
    assert "https://example.org/reports/feed.xml" in links
    assert all(link.startswith("https://example.org/reports/") for link in links)


def test_an_error_message_with_control_characters_does_not_break_the_feed(tmp_path):
    put_england(tmp_path, main_points=["A \x1b[31mred\x1b[0m point & <b>."])
    assert feed(tmp_path).find("a:entry/a:summary", IN_ATOM).text == "A [31mred[0m point & <b>."


def test_a_feed_of_no_pages_is_a_feed(tmp_path):
    found = feed(tmp_path)
    assert found.findall("a:entry", IN_ATOM) == []
    assert found.find("a:updated", IN_ATOM).text.startswith("2026-11-25")
