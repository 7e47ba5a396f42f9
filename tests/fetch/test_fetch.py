"""Fetching into a folder like data/raw: added beside what is held when good, and nothing changed when not."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import deficits.fetch.fetch as fetch_module
from deficits.cli import app
from deficits.errors import ExitCode, SourceError
from deficits.paths import raw_dir
from deficits.raw import read_source, read_table
from deficits.fetch.fetch import Fetched, compare, fetch, listing
from deficits.fetch.http import FetchError
from deficits.publications.publication import (
    PUBLICATIONS,
    Bases,
    ByHand,
    EesDataSet,
    EesRelease,
    FixedUrl,
    GovUk,
    Publication,
    Way,
    find,
)
from deficits.publications.publication import Table
from tests.fetch.local_site import Asked, Reply, Site, local_site, ranged

KEY = ("dfe_number", "financial_year")
FIRST = "dfe_number,financial_year,balance_gbp\n201,2023-24,-100\n202,2023-24,50\n"
SECOND = (
    "dfe_number,financial_year,balance_gbp,grant_gbp\n"
    "201,2023-24,-100.0000000001,0\n202,2023-24,-50,0\n201,2024-25,-300,7\n202,2024-25,z,8\n"
)
HEAD = """title = "Balances"
publisher = "A publisher"
publication = "A publication"
url = "https://example.org/"
licence = "OGL-UK-3.0"
attribution = "Contains public sector information licensed under the Open Government Licence v3.0."
retrieved = 2026-11-25
note = "A note."

[[file]]
name = "balance_2025-01-20.csv"
table = "balance"
title = "Balances at 31 March 2024"
published = "2025-01-20"
sha256 = "{sha256}"
rows = 2
[file.columns]
dfe_number = "the authority's DfE number"
financial_year = "financial year"
balance_gbp = "balance, £; negative = deficit"
"""
Register = Callable[[Callable[[Path], tuple[Table, ...]]], None]
EDITION = Reply(SECOND.encode(), headers={"Last-Modified": "Thu, 22 Jan 2026 09:30:00 GMT"})


def tiny_parse(path: Path) -> tuple[Table, ...]:
    frame = pd.read_csv(io.BytesIO(path.read_bytes()), dtype=str)
    if list(frame.columns[:3]) != FIRST.splitlines()[0].split(","):
        raise SourceError(f"{path.name}: no column 'balance_gbp', did you mean '{frame.columns[-1]}'?")
    missing = frame.loc[frame["balance_gbp"] == "z", [*KEY]]
    missing = missing.assign(column="balance_gbp", symbol="z", reason="not applicable")
    for column in frame.columns[2:]:
        frame[column] = pd.to_numeric(frame[column], errors="coerce")
    return (Table("balance", frame, KEY, missing, ("England",)),)


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Registers a parser under the name that the tests' publication gives."""

    def register(parser: Callable[[Path], tuple[Table, ...]]) -> None:
        module = ModuleType("tiny_parser")
        module.parse = parser
        monkeypatch.setitem(sys.modules, "tiny_parser", module)

    register(tiny_parse)
    return register


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as site:
        site.serve("/balances-2026.csv", EDITION)
        yield site


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw" / "tiny"
    folder.mkdir(parents=True)
    (folder / "balance_2025-01-20.csv").write_text(FIRST, newline="")
    head = HEAD.format(sha256=hashlib.sha256(FIRST.encode()).hexdigest())
    (folder / "source.toml").write_text(head, encoding="utf-8", newline="")
    return tmp_path / "raw"


def tiny(way: Way) -> Publication:
    return Publication("tiny", "tiny_parser", way, "https://example.org/tiny", ("t",))


class Fetcher:
    """`fetch` of the tests' publication from the tests' site."""

    def __init__(self, site: Site, raw: Path) -> None:
        self.site, self.raw, self.cache = site, raw, raw.parent / "cache"
        self.bases = Bases(f"{site.base}/v1", f"{site.base}/api", f"{site.base}/content")
        self.publication = tiny(
            FixedUrl(f"{site.base}/balances-{{version}}.csv", "balances-{version}.csv", "2026")
        )

    def __call__(self, way: Way | None = None, **more: Any) -> Fetched:
        publication = tiny(way) if way else self.publication
        given = {"raw": self.raw, "cache": self.cache, "bases": self.bases, "sleep": lambda _: None}
        return fetch(publication, **{**given, "today": date(2026, 11, 25), **more})

    def held(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.raw / "tiny").iterdir())}

    def cached(self) -> list[str]:
        return sorted(path.name for path in self.cache.rglob("*") if path.is_file())


@pytest.fixture
def fetcher(site: Site, raw: Path, parse: object) -> Fetcher:
    return Fetcher(site, raw)


def test_a_new_edition_is_added_beside_the_one_held(fetcher: Fetcher) -> None:
    before = fetcher.held()
    fetched = fetcher()
    assert fetched.written == ("balance_2026-01-22.csv", "balance_missing_2026-01-22.csv")
    after = fetcher.held()
    assert set(after) == {*before, *fetched.written}
    assert after["balance_2025-01-20.csv"] == before["balance_2025-01-20.csv"]
    assert after["source.toml"].startswith(before["source.toml"])
    entry = read_source(fetcher.raw / "tiny").find("balance_2026-01-22.csv")
    assert (entry.table, entry.published, entry.rows) == ("balance", "2026-01-22", 4)
    assert entry.original_sha256 == hashlib.sha256(SECOND.encode()).hexdigest() == fetched.original.sha256
    assert str(entry.original_url) == f"{fetcher.site.base}/balances-2026.csv"
    assert entry.columns["balance_gbp"] == "balance, £; negative = deficit"
    assert entry.note == (
        "2023-24 to 2024-25, 2 authorities in the newest year. Without a number: not applicable 1. "
        "Rows left out: England."
    )
    table = read_table("tiny", entry.name, numeric=["balance_gbp", "grant_gbp"], raw=fetcher.raw)
    assert table["balance_gbp"].sum() == pytest.approx(-450)
    gaps = read_table("tiny", "balance_missing_2026-01-22.csv", raw=fetcher.raw)
    assert list(gaps.iloc[0]) == ["202", "2024-25", "balance_gbp", "z", "not applicable"]
    assert not fetcher.cached()


def test_a_fetch_says_what_came_and_what_changed(fetcher: Fetcher) -> None:
    original = hashlib.sha256(SECOND.encode()).hexdigest()[:12]
    assert fetcher().lines() == [
        f"tiny: {fetcher.site.base}/balances-2026.csv, published 2026-01-22, sha256 {original}…",
        "balance: 4 rows, 2023-24 to 2024-25, 2 authorities in the newest year",
        "  balance_gbp                              sum of the newest year −300",
        "  grant_gbp                                sum of the newest year 15",
        "  without a number: not applicable 1",
        "  rows left out: England",
        "balance against balance_2025-01-20.csv: 2 rows added, 0 removed, 1 changed",
        "  202, 2023-24: balance_gbp 50 to −50",
        "Note: say in source.toml what these columns of balance_2026-01-22.csv mean: grant_gbp",
        "Written: balance_2026-01-22.csv, balance_missing_2026-01-22.csv",
    ]


def test_the_same_again_changes_nothing_and_says_so(fetcher: Fetcher) -> None:
    fetcher()
    before = fetcher.held()
    again = fetcher()
    assert (again.written, again.differences) == ((), ())
    assert again.lines()[-1] == "Already held, with the same content: no change"
    assert fetcher.held() == before


def test_another_file_of_the_same_day_gets_its_own_name(fetcher: Fetcher) -> None:
    fetcher()
    revised = SECOND.replace("-300", "-301")
    fetcher.site.serve("/balances-2026.csv", Reply(revised.encode(), headers=EDITION.headers))
    fetched = fetcher()
    assert fetched.written == ("balance_2026-01-22_2.csv",)
    assert fetched.differences[0].before == "balance_2026-01-22.csv"
    assert [(change.row, change.after) for change in fetched.differences[0].largest] == [
        (("201", "2024-25"), -301)
    ]
    read_source(fetcher.raw / "tiny").find("balance_2026-01-22.csv")


def test_an_edition_is_compared_with_the_newest_held_of_its_years(fetcher: Fetcher, tmp_path: Path) -> None:
    fetcher()
    given = tmp_path / "given.csv"
    given.write_text(FIRST.replace("2023-24", "2024-25").replace("202,", "203,"))
    fetched = fetcher(file=given, version="2026-02-01")
    found = fetched.differences[0]
    assert (found.before, found.added, found.removed, found.changed) == ("balance_2026-01-22.csv", 1, 1, 1)
    given.write_text(FIRST.replace("2023-24", "2016-17"))
    assert not fetcher(file=given, version="2026-02-01").differences


def test_a_version_is_another_address(fetcher: Fetcher) -> None:
    fetcher.site.serve("/balances-2027.csv", Reply(SECOND.encode()))
    fetched = fetcher(version="2027")
    assert fetched.original.published == "2026-11-25"
    assert "Note: The publisher gives no date: the day it was fetched stands for it." in fetched.lines()
    entry = read_source(fetcher.raw / "tiny").find("balance_2026-11-25.csv")
    assert str(entry.note).endswith("The publisher gives no date: the day it was fetched stands for it.")


def test_a_file_is_taken_by_hand(fetcher: Fetcher, tmp_path: Path) -> None:
    given = tmp_path / "given.csv"
    given.write_text(SECOND)
    fetched = fetcher(ByHand("letters"), file=given, version="2026-01-22")
    assert fetched.written[0] == "balance_2026-01-22.csv"
    entry = read_source(fetcher.raw / "tiny").find("balance_2026-01-22.csv")
    assert (entry.original_url, entry.original_sha256) == (None, hashlib.sha256(given.read_bytes()).hexdigest())
    assert given.is_file()
    assert not fetcher.site.asked


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"file": Path("nowhere.csv"), "version": "2026-01-22"}, r"there is no file nowhere\.csv"),
        ({"file": Path(__file__)}, "needs the day it was published, as --version 2026-01-22: none was given"),
        ({"file": Path(__file__), "version": "2024-25"}, "found '2024-25'"),
        (
            {},
            r"tiny cannot be downloaded: letters\nOr take it from https://example\.org/tiny and give --file PATH",
        ),
    ],
)
def test_by_hand_needs_a_file_and_its_day(fetcher: Fetcher, more: dict[str, Any], words: str) -> None:
    before = fetcher.held()
    with pytest.raises(FetchError, match=words):
        fetcher(ByHand("letters"), **more)
    assert fetcher.held() == before


def test_a_file_of_another_shape_is_kept_for_a_look_and_nothing_changes(fetcher: Fetcher) -> None:
    fetcher.site.serve("/balances-2026.csv", Reply(b"dfe_number,financial_year,balance\n201,2024-25,1\n"))
    before = fetcher.held()
    with pytest.raises(
        SourceError, match=r"did you mean 'balance'\?\nThe file as it came is kept at .*2026\.csv"
    ) as it:
        fetcher()
    assert it.value.exit_code == ExitCode.DATA_FAILS_CHECK
    assert fetcher.held() == before
    assert fetcher.cached() == ["balances-2026.csv"]


def table(*rows: tuple[Any, ...], key: tuple[str, ...] = KEY, kind: str = "balance") -> Table:
    return Table(kind, pd.DataFrame(rows, columns=[*KEY, "balance_gbp"]), key)


GOOD = ("201", "2024-25", -1.0)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ((), "no table at all"),
        ((table(),), "balance has no rows"),
        ((table(GOOD, GOOD),), "balance has the same dfe_number and financial_year in 1 more rows: 201, 2024-25"),
        ((table(GOOD, (None, "2024-25", 0.0)),), "balance has 1 rows without dfe_number or financial_year"),
        ((table(GOOD, key=("la_code",)),), "balance has no column la_code, which its rows are told apart by"),
        ((table(GOOD), table(GOOD)), "two tables of the same kind among balance, balance"),
        ((table(), table(kind="other")), "balance has no rows\n  other has no rows"),
        ((table(GOOD),), r"balance has 1 authorities in its newest year, balance_2025-01-20\.csv has 3"),
    ],
)
def test_tables_that_are_not_good_are_named_and_nothing_changes(
    fetcher: Fetcher,
    parse: Register,
    tables: tuple[Table, ...],
    words: str,
) -> None:
    folder = fetcher.raw / "tiny"
    wider = FIRST + "203,2023-24,1\n"
    (folder / "balance_2025-01-20.csv").write_text(wider, newline="")
    head = HEAD.format(sha256=hashlib.sha256(wider.encode()).hexdigest()).replace("rows = 2", "rows = 3")
    (folder / "source.toml").write_text(head, encoding="utf-8")
    before = fetcher.held()
    parse(lambda _: tables)
    with pytest.raises(SourceError, match=words):
        fetcher()
    assert fetcher.held() == before


def test_an_edition_that_cannot_be_compared_is_added_with_a_note(fetcher: Fetcher, parse: Register) -> None:
    frame = pd.DataFrame({"la_code": ["E09000001", "E09000007"], "balance_gbp": [1.0, 2.0]})
    parse(lambda _: (Table("balance", frame, ("la_code",)),))
    assert fetcher().notes[-1] == (
        "balance cannot be compared: la_code do not tell the rows of balance_2025-01-20.csv apart"
    )


def test_no_network_changes_nothing_and_is_exit_code_2(fetcher: Fetcher) -> None:
    before = fetcher.held()
    fetcher.site.serve("/balances-2026.csv", Reply(status=503))
    with pytest.raises(FetchError) as caught:
        fetcher()
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    assert fetcher.held() == before


def test_a_killed_fetch_changes_nothing_and_the_next_one_continues_it(fetcher: Fetcher) -> None:
    long = (SECOND + "203,2024-25,1,1\n" + "".join(f"{n},2024-25,1,1\n" for n in range(1000, 4000))).encode()
    fetcher.site.serve("/balances-2026.csv", ranged(long, sends=30_000, pause=5), ranged(long))
    before = fetcher.held()
    code = (
        "import sys; from pathlib import Path; from deficits.fetch.fetch import fetch\n"
        "from deficits.publications.publication import FixedUrl, Publication\n"
        "way = FixedUrl(sys.argv[1], 'balances-2026.csv', '')\n"
        "fetch(Publication('tiny', '', way, ''), raw=Path(sys.argv[2]), cache=Path(sys.argv[3]))"
    )
    url = f"{fetcher.site.base}/balances-2026.csv"
    with subprocess.Popen([sys.executable, "-c", code, url, str(fetcher.raw), str(fetcher.cache)]) as run:
        part = fetcher.cache / "tiny" / "balances-2026.csv.part"
        while run.poll() is None and not (part.is_file() and part.stat().st_size):
            time.sleep(0.01)
        run.kill()
    assert fetcher.held() == before
    assert fetcher.cached() == ["balances-2026.csv.part", "balances-2026.csv.part.json"]
    assert fetcher().summaries[0].rows == 3005
    assert fetcher.site.asked[-1].headers["Range"].startswith("bytes=")
    assert not fetcher.cached()


def test_a_write_that_fails_leaves_what_was_declared_as_it_was(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fetcher.held()
    copy = shutil.copyfile

    def full(source: Path, to: Path) -> Path:
        if source.name == "source.toml":
            to.write_bytes(b"title = ")
            raise OSError("No space left on device")
        return copy(source, to)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(FetchError, match=r"cannot be written .*No space left"):
            fetcher()
    after = fetcher.held()
    assert {name: after[name] for name in before} == before
    assert not [name for name in after if name.endswith(".part")]
    assert fetcher().written[0] == "balance_2026-01-22.csv"


def test_a_second_fetch_at_once_is_refused(fetcher: Fetcher) -> None:
    refused: list[Exception] = []

    def meanwhile(_: Asked) -> Reply:
        try:
            fetcher()
        except FetchError as error:
            refused.append(error)
        return EDITION

    fetcher.site.serve("/balances-2026.csv", meanwhile)
    assert fetcher().written
    assert "another fetch is at work on tiny" in str(refused[0])
    assert not fetcher().written


RELEASE = {
    "id": "rv-1",
    "title": "Financial year 2024-25",
    "slug": "2024-25",
    "published": "2026-01-22T09:30:00Z",
    "downloadFiles": [{"id": "f-1", "extension": "csv", "fileName": "balances_la.csv", "name": "Balances"}],
}


@pytest.mark.parametrize(
    ("way", "path", "name"),
    [
        (EesRelease("spending", "^balances"), "/api/releases/rv-1/files/f-1", "balances_la.csv"),
        (EesRelease("spending"), "/api/releases/rv-1/files", "spending_2024-25.zip"),
    ],
)
def test_a_release_of_explore_education_statistics(
    fetcher: Fetcher,
    parse: Register,
    way: Way,
    path: str,
    name: str,
) -> None:
    names: list[str] = []
    parse(lambda given: (names.append(given.name), tiny_parse(given))[1])
    fetcher.site.json("/api/publications/spending/releases/latest", RELEASE)
    fetcher.site.json("/api/publications/spending/releases/2024-25", RELEASE)
    fetcher.site.serve(path, Reply(SECOND.encode()))
    fetched = fetcher(way)
    assert names == [name]
    assert (fetched.original.published, fetched.original.url) == ("2026-01-22", fetcher.site.base + path)
    assert not fetcher(way, version="2024-25").written
    with pytest.raises(FetchError, match=r"releases/2023-24 is not there"):
        fetcher(way, version="2023-24")


def test_a_data_set_of_the_api_is_pinned_to_an_exact_version(fetcher: Fetcher) -> None:
    latest = {
        "version": "2.0.1",
        "published": "2026-01-22T09:30:00Z",
        "totalResults": 4,
        "timePeriods": {"start": "2023-24", "end": "2024-25"},
    }
    found = {**latest, "type": "Patch", "status": "Published", "release": {"title": "", "slug": ""}}
    data_set = {"id": "id", "title": "Balances", "summary": "", "status": "Published"}
    site = fetcher.site
    site.json("/v1/data-sets/id", {**data_set, "latestVersion": latest})
    site.json("/v1/data-sets/id/versions/2.0.1", found)
    site.serve("/v1/data-sets/id/csv", Reply(SECOND.encode()))
    fetched = fetcher(EesDataSet("id"))
    assert fetched.original.url == f"{site.base}/v1/data-sets/id/csv?dataSetVersion=2.0.1"
    assert fetched.original.published == "2026-01-22"
    assert not fetcher(EesDataSet("id"), version="2.0.1").written
    site.json("/v1/data-sets/id", data_set)
    with pytest.raises(FetchError, match="data set id has no published version"):
        fetcher(EesDataSet("id"))


def test_an_attachment_of_gov_uk(fetcher: Fetcher) -> None:
    site = fetcher.site
    url = site.serve("/media/6aaa/balances_2026.csv", Reply(SECOND.encode()))
    files = [
        {"attachment_type": "file", "title": f"Balances {year}", "url": url, "filename": f"balances_{year}.csv"}
        for year in (2025, 2026)
    ]
    page = {
        "title": "Balances",
        "base_path": "/balances-2026",
        "public_updated_at": "2026-01-22T09:30:00Z",
        "details": {"attachments": files},
    }
    listed = [{"title": "Balances", "base_path": "/balances-2026"}]
    site.json("/content/balances-2026", page)
    site.json("/content/balances-2025", {**page, "details": {"attachments": files[:1]}})
    site.json("/content/all", {"title": "All", "base_path": "/all", "links": {"documents": listed}})
    assert fetcher(GovUk("/balances-{version}", r"2026\.csv$", "2026")).original.published == "2026-01-22"
    in_path = fetcher(GovUk("/balances-{version}", "balances", "2026"), version="2025")
    assert in_path.original.path.name == "balances_2025.csv"
    assert not fetcher(GovUk("/balances-2026", r"\.csv$"), version="2026").written
    assert not fetcher(GovUk("/all", "2026", document="^balances$")).written
    with pytest.raises(SourceError, match=r"Attached: Balances 2025 \(balances_2025\.csv\); Balances 2026"):
        fetcher(GovUk("/balances-2026", r"\.csv$"))


def test_a_name_from_outside_stays_in_its_folder(fetcher: Fetcher) -> None:
    release = {
        **RELEASE,
        "downloadFiles": [{"id": "f-1", "fileName": "../../balances_la.csv", "name": "Balances"}],
    }
    fetcher.site.json("/api/publications/spending/releases/latest", release)
    fetcher.site.serve("/api/releases/rv-1/files/f-1", Reply(b"another,shape\n1,2\n"))
    with pytest.raises(SourceError):
        fetcher(EesRelease("spending", "balances"))
    assert (fetcher.cache / "tiny" / "balances_la.csv").is_file()


def test_the_figures_of_an_installed_package_are_not_changed_in_place(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fetch_module, "checkout", lambda: None)
    monkeypatch.setattr(fetch_module, "raw_dir", lambda: fetcher.raw)
    before = fetcher.held()
    with pytest.raises(FetchError, match=r"are not changed in place: give --raw FOLDER"):
        fetcher(raw=None)
    assert fetcher(raw=tmp_path / "mine").written
    assert fetcher.held() == before
    assert (tmp_path / "mine" / "tiny" / "balance_2025-01-20.csv").read_bytes() == before["balance_2025-01-20.csv"]
    assert read_source(tmp_path / "mine" / "tiny").find("balance_2026-01-22.csv")


def test_a_folder_without_the_publication_is_refused(fetcher: Fetcher) -> None:
    (fetcher.raw / "tiny").rename(fetcher.raw / "other")
    with pytest.raises(SourceError, match=r"tiny/source\.toml is missing"):
        fetcher()


def test_changes_are_figures_and_the_largest_come_first() -> None:
    before = pd.DataFrame({"a": ["1", "2", "3", "4"], "name": list("wxyz"), "v": ["1", None, "3", "0.1"]})
    after = pd.DataFrame(
        {"a": ["5", "4", "3", "2"], "name": list("abcd"), "v": ["9", "0.1000000000000001", None, "7"]}
    )
    found = compare("kind", ["a"], "before.csv", before, after)
    assert (found.added, found.removed, found.changed) == (1, 1, 2)
    assert [(change.row, change.before, change.after) for change in found.largest] == [
        (("2",), None, 7),
        (("3",), 3, None),
    ]


def test_everything_in_the_register_has_its_folder_and_its_parser() -> None:
    for publication in PUBLICATIONS:
        assert read_source(raw_dir() / publication.folder)
        assert callable(import_module(publication.parser, "deficits.sources").parse)
        assert publication.page.startswith("https://")
    assert [held.publication for held in listing()] == [publication.folder for publication in PUBLICATIONS]


def test_short_names_are_known_and_the_closest_is_offered() -> None:
    assert find("s251") == find("section251") == find("section251-outturn")
    with pytest.raises(FetchError, match=r"nothing to fetch is called 'secton251': did you mean 'section251'"):
        find("secton251")


def test_addresses_of_the_services_can_be_given() -> None:
    assert Bases.given({}) == Bases()
    assert Bases.given({"DEFICITS_GOVUK": "http://127.0.0.1:1"}) == replace(Bases(), govuk="http://127.0.0.1:1")
    assert all(base.startswith("https://") for base in (Bases().ees_api, Bases().ees_releases, Bases().govuk))


def test_the_command_line_adds_lists_and_refuses(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = CliRunner()
    given = tmp_path / "given.csv"
    given.write_text(SECOND)
    monkeypatch.setattr(fetch_module, "find", lambda _: fetcher.publication)
    monkeypatch.setattr(fetch_module, "PUBLICATIONS", (fetcher.publication,))
    done = run.invoke(
        app, ["fetch", "t", "--file", str(given), "--version", "2026-01-22", "--raw", str(fetcher.raw)]
    )
    assert done.exit_code == 0, done.output
    assert "Written: balance_2026-01-22.csv" in done.output
    done = run.invoke(app, ["fetch", "--raw", str(fetcher.raw)])
    assert f"newest 2026-01-22  {fetcher.site.base}/balances-2026.csv" in done.output
    assert run.invoke(app, ["fetch", "t", "--list", "--raw", str(fetcher.raw)]).output == done.output
    done = run.invoke(app, ["fetch", "t", "--file", str(given), "--raw", str(fetcher.raw)])
    assert isinstance(done.exception, FetchError)
    assert done.exception.exit_code == ExitCode.BAD_INPUT
