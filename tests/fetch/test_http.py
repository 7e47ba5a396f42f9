"""Downloads against a real server: whole or not at all, continued, patient, and clear."""

from __future__ import annotations

import gzip
import hashlib
import io
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from rich.console import Console

from deficits.errors import ExitCode, SourceError
from deficits.fetch.http import FetchError, download, progress_on, read_json
from tests.fetch.local_site import Answer, Asked, Reply, Site, local_site, ranged

CONTENT = b"dfe_number,value\n" + b"201,1.5\n" * 5000


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as site:
        yield site


@pytest.fixture
def slept() -> list[float]:
    """Pauses that were asked for, instead of made."""
    return []


def in_place(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_is_put_in_place_and_described(site: Site, tmp_path: Path) -> None:
    headers = {"Last-Modified": "Thu, 17 Sep 2026 09:30:00 GMT"}
    url = site.serve("/a.csv", Reply(CONTENT, headers=headers))
    seen: list[tuple[str, int, int | None]] = []
    came = download(url, tmp_path / "new" / "a.csv", params={"v": "2.0"}, progress=lambda *told: seen.append(told))
    assert came.path.read_bytes() == CONTENT
    assert (came.size, came.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert (came.url, came.modified) == (f"{url}?v=2.0", date(2026, 9, 17))
    assert in_place(came.path.parent) == ["a.csv"]
    assert seen[-1] == ("a.csv", len(CONTENT), len(CONTENT))


def test_a_busy_publisher_is_asked_again_after_the_pause_it_wants(
    site: Site, tmp_path: Path, slept: list[float]
) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    url = site.serve(
        "/a.csv",
        Reply(status=429, headers={"Retry-After": "7"}),
        Reply(status=503),
        Reply(status=429, headers={"Retry-After": later}),
        Reply(status=504),
        Reply(CONTENT),
    )
    came = download(url, tmp_path / "a.csv", sleep=slept.append)
    assert came.path.read_bytes() == CONTENT
    assert slept == [7, 2, pytest.approx(60, abs=5), 8]


@pytest.mark.parametrize("status", [502, 503, 504, 429])
def test_a_publisher_that_stays_busy_is_given_up(
    site: Site, tmp_path: Path, slept: list[float], status: int
) -> None:
    url = site.serve("/a.csv", Reply(status=status))
    with pytest.raises(FetchError, match=rf"/a\.csv is busy \({status}\)\. Try again later"):
        download(url, tmp_path / "a.csv", sleep=slept.append)
    assert slept == [1, 2, 4, 8]
    assert not in_place(tmp_path)


def test_a_long_pause_is_left_to_the_reader(site: Site, tmp_path: Path, slept: list[float]) -> None:
    url = site.serve("/a.csv", Reply(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(FetchError, match="asks to come back in 60 minutes"):
        download(url, tmp_path / "a.csv", sleep=slept.append)
    assert not slept


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=404), r"is not there \(404\): the publisher moved or withdrew it"),
        (Reply(status=410), r"is not there \(410\)"),
        (Reply(b'{"title": "Not for you."}', 403), r"was refused \(403 Forbidden\): Not for you\."),
        (Reply(b"<html>", 500), r"was refused \(500 Internal Server Error\)$"),
        (Reply(status=302, headers={"Location": "/a.csv"}), "leads round in a circle"),
        (
            Reply(status=302, headers={"Location": "http://example.org/b.csv"}),
            "example.org/b.csv, which is not https",
        ),
        (Reply(status=302, headers={"Location": "ftp://example.org/b.csv"}), "which is not https"),
        (Reply(b"x", headers={"Content-Encoding": "br"}), "came packed as 'br', expected gzip or nothing"),
        (Reply(CONTENT, headers={"Content-Encoding": "gzip"}), "came as a damaged gzip"),
        (Reply(gzip.compress(CONTENT)[:-20], headers={"Content-Encoding": "gzip"}), "came as a damaged gzip"),
    ],
)
def test_what_cannot_pass_is_not_tried_again(
    site: Site, tmp_path: Path, slept: list[float], reply: Reply, words: str
) -> None:
    (tmp_path / "a.csv").write_text("from the last time")
    url = site.serve("/a.csv", reply)
    with pytest.raises(SourceError, match=words):
        download(url, tmp_path / "a.csv", sleep=slept.append)
    assert not slept
    assert in_place(tmp_path) == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "from the last time"


@pytest.mark.parametrize("url", ["http://example.org/a.csv", "ftp://127.0.0.1/a.csv", "a.csv"])
def test_an_address_that_is_not_https_is_refused(tmp_path: Path, slept: list[float], url: str) -> None:
    with pytest.raises(FetchError, match=r"not https|no address"):
        download(url, tmp_path / "a.csv", sleep=slept.append)
    assert not slept


def test_a_redirect_is_followed_and_the_lasting_address_kept(site: Site, tmp_path: Path) -> None:
    url = site.serve("/old.csv", Reply(status=301, headers={"Location": "/new.csv?key=1"}))
    site.serve("/new.csv", Reply(CONTENT))
    assert download(url, tmp_path / "a.csv").url == url


def test_a_wrong_checksum_leaves_nothing(site: Site, tmp_path: Path) -> None:
    url = site.serve("/a.csv", Reply(CONTENT))
    with pytest.raises(SourceError, match=r"is not the expected file: sha256 \w{12}…, expected 000000000000…"):
        download(url, tmp_path / "a.csv", sha256="0" * 64)
    assert not in_place(tmp_path)
    assert download(url, tmp_path / "a.csv", sha256=hashlib.sha256(CONTENT).hexdigest()).size == len(CONTENT)


def test_a_file_that_stays_cut_short_is_an_error_and_never_in_place(
    site: Site, tmp_path: Path, slept: list[float]
) -> None:
    url = site.serve("/a.csv", Reply(CONTENT, sends=1000))
    with pytest.raises(SourceError, match="broke off before the end") as caught:
        download(url, tmp_path / "a.csv", sleep=slept.append)
    assert caught.value.exit_code == ExitCode.DATA_FAILS_CHECK
    assert slept == [1, 2, 4, 8]
    assert "a.csv" not in in_place(tmp_path)


def test_a_broken_transfer_goes_on_where_it_broke(site: Site, tmp_path: Path, slept: list[float]) -> None:
    url = site.serve("/a.csv", ranged(CONTENT, sends=1000))
    came = download(url, tmp_path / "a.csv", sleep=slept.append)
    assert came.path.read_bytes() == CONTENT
    assert [asked.headers.get("Range") for asked in site.asked] == [None, "bytes=1000-"]
    assert in_place(tmp_path) == ["a.csv"]


def broken(site: Site, to: Path, first: Answer) -> str:
    """A run that gave up in the middle."""
    url = site.serve("/a.csv", first)
    with pytest.raises(SourceError):
        download(url, to, tries=1)
    site.asked.clear()
    return url


@pytest.mark.parametrize(
    ("first", "then", "asks"),
    [
        (ranged(CONTENT, sends=1000), ranged(CONTENT), "bytes=1000-"),
        (ranged(CONTENT[::-1], '"zero"', sends=1000), ranged(CONTENT), "bytes=1000-"),
        (ranged(CONTENT, sends=1000), Reply(CONTENT), "bytes=1000-"),
        (Reply(CONTENT, headers={"ETag": 'W/"1"'}, sends=1000), Reply(CONTENT), None),
        (Reply(CONTENT, sends=1000), Reply(CONTENT), None),
    ],
    ids=["the same file", "a changed file", "no ranges after all", "only a weak tag", "no tag"],
)
def test_the_next_run_continues_the_same_file_and_starts_again_on_any_other(
    site: Site, tmp_path: Path, first: Answer, then: Answer, asks: str | None
) -> None:
    url = broken(site, tmp_path / "a.csv", first)
    assert in_place(tmp_path) == ["a.csv.part", "a.csv.part.json"]
    site.serve("/a.csv", then)
    assert download(url, tmp_path / "a.csv").path.read_bytes() == CONTENT
    assert [asked.headers.get("Range") for asked in site.asked] == [asks]
    assert in_place(tmp_path) == ["a.csv"]


def test_a_date_of_change_serves_as_well_as_a_tag(site: Site, tmp_path: Path) -> None:
    dated = {"Last-Modified": "Thu, 17 Sep 2026 09:30:00 GMT"}

    def rest(asked: Asked) -> Reply:
        assert asked.headers["If-Range"] == dated["Last-Modified"]
        return Reply(CONTENT[1000:], 206, {"Content-Range": f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"})

    url = broken(site, tmp_path / "a.csv", Reply(CONTENT, headers=dated, sends=1000))
    site.serve("/a.csv", rest)
    assert download(url, tmp_path / "a.csv").path.read_bytes() == CONTENT


def test_another_part_than_was_asked_for_is_refused(site: Site, tmp_path: Path) -> None:
    url = broken(site, tmp_path / "a.csv", ranged(CONTENT, sends=1000))
    site.serve("/a.csv", Reply(CONTENT[5:], 206, {"Content-Range": f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}"}))
    with pytest.raises(FetchError, match="gave another part of the file than was asked for"):
        download(url, tmp_path / "a.csv")


def test_a_file_that_became_shorter_starts_again(site: Site, tmp_path: Path, slept: list[float]) -> None:
    url = broken(site, tmp_path / "a.csv", ranged(CONTENT, sends=1000))
    site.serve("/a.csv", ranged(CONTENT[:900]))
    assert download(url, tmp_path / "a.csv", sleep=slept.append).path.read_bytes() == CONTENT[:900]
    assert slept == [0]


def test_what_came_from_another_address_is_not_continued(site: Site, tmp_path: Path) -> None:
    broken(site, tmp_path / "a.csv", ranged(CONTENT, sends=1000))
    other = site.serve("/b.csv", ranged(CONTENT[::-1]))
    assert download(other, tmp_path / "a.csv").path.read_bytes() == CONTENT[::-1]


def test_a_packed_body_is_continued_packed_and_stored_unpacked(
    site: Site, tmp_path: Path, slept: list[float]
) -> None:
    packed = gzip.compress(bytes(range(256)) * 40)

    def answer(sends: int | None) -> Answer:
        whole = ranged(packed, sends=sends)
        assert callable(whole)

        def with_encoding(asked: Asked) -> Reply:
            reply = whole(asked)
            return Reply(reply.body, reply.status, {**reply.headers, "Content-Encoding": "gzip"}, reply.sends)

        return with_encoding

    url = site.serve("/a.csv", answer(100), answer(None))
    came = download(url, tmp_path / "a.csv", sleep=slept.append)
    assert came.path.read_bytes() == bytes(range(256)) * 40
    assert site.asked[-1].headers["Range"] == "bytes=100-"
    assert in_place(tmp_path) == ["a.csv"]


def test_a_publisher_that_falls_silent_is_too_slow(site: Site, tmp_path: Path, slept: list[float]) -> None:
    url = site.serve("/a.csv", Reply(CONTENT, sends=1000, pause=0.4))
    with pytest.raises(FetchError, match=r"is too slow: nothing came for 0\.1 s\. Try again later"):
        download(url, tmp_path / "a.csv", quiet=0.1, tries=2, sleep=slept.append)
    assert slept == [1]


def test_a_file_that_takes_too_long_is_kept_for_the_next_run(site: Site, tmp_path: Path) -> None:
    url = site.serve("/a.csv", ranged(CONTENT))
    times = iter([0.0, 901.0])
    with pytest.raises(FetchError, match=r"too slow: [\d,]+ bytes of 40,017 within the time allowed.*fetch again"):
        download(url, tmp_path / "a.csv", clock=lambda: next(times))
    assert in_place(tmp_path) == ["a.csv.part", "a.csv.part.json"]
    assert download(url, tmp_path / "a.csv").path.read_bytes() == CONTENT


def test_no_network_is_said_so_with_exit_code_2(tmp_path: Path, slept: list[float]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a.csv"
    with pytest.raises(FetchError, match=r"127\.0\.0\.1 cannot be reached .*Is there a network\?") as caught:
        download(url, tmp_path / "a.csv", sleep=slept.append)
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    assert slept == [1, 2, 4, 8]
    assert not in_place(tmp_path)


def test_a_killed_run_leaves_a_part_that_the_next_run_continues(site: Site, tmp_path: Path) -> None:
    url = site.serve("/a.csv", ranged(CONTENT, sends=20_000, pause=5), ranged(CONTENT))
    code = (
        "import sys; from pathlib import Path; from deficits.fetch.http import download; "
        "download(sys.argv[1], Path(sys.argv[2]))"
    )
    with subprocess.Popen([sys.executable, "-c", code, url, str(tmp_path / "a.csv")]) as run:
        part = tmp_path / "a.csv.part"
        while run.poll() is None and not (part.is_file() and part.stat().st_size):
            time.sleep(0.01)
        run.kill()
    assert "a.csv" not in in_place(tmp_path)
    held = part.stat().st_size
    assert download(url, tmp_path / "a.csv").path.read_bytes() == CONTENT
    assert site.asked[-1].headers["Range"] == f"bytes={held}-"


def test_json_is_read_by_get_and_by_post(site: Site, slept: list[float]) -> None:
    url = site.serve("/a", Reply(status=504), Reply(b'{"a": 1}'))
    assert read_json(url, params={"page": "1"}, sleep=slept.append) == {"a": 1}
    assert (site.asked[-1].method, site.asked[-1].query) == ("GET", {"page": "1"})
    assert read_json(url, body={"page": 2}) == {"a": 1}
    assert (site.asked[-1].method, site.asked[-1].body) == ("POST", b'{"page":2}')
    site.serve("/a", Reply(b"<!DOCTYPE html>\n<p>Sorry</p>"))
    with pytest.raises(SourceError, match="gave '<!DOCTYPE html> <p>Sorry</p>', expected JSON"):
        read_json(url)


def test_progress_is_drawn_on_a_terminal_only() -> None:
    with progress_on(Console(file=io.StringIO())) as progress:
        assert progress is None
    drawn = io.StringIO()
    with progress_on(Console(file=drawn, force_terminal=True, width=100)) as progress:
        assert progress is not None
        progress("a.csv", 10, 20)
        progress("a.csv", 20, 20)
    assert "a.csv" in drawn.getvalue()
