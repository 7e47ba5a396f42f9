"""The client against a real server: a file comes whole, within limits, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from deficits.errors import SourceError
from deficits.fetch import download as client
from deficits.fetch.download import FetchError, download, read_json
from tests.fetch.local_site import Reply, Site, local_site

CONTENT = b"dfe_number,value\n" + b"201,1.5\n" * 5000


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as site:
        yield site


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses that were asked for, instead of made."""
    pauses: list[float] = []
    monkeypatch.setattr("tenacity.nap.time", type("Time", (), {"sleep": staticmethod(pauses.append)}))
    return pauses


def test_a_whole_file_is_put_in_place_with_its_hash_and_date(site: Site, tmp_path: Path) -> None:
    url = site.serve("/a.csv", Reply(CONTENT, headers={"Last-Modified": "Thu, 17 Sep 2026 09:30:00 GMT"}))
    sha256, changed = download(url, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == CONTENT
    assert (sha256, changed) == (hashlib.sha256(CONTENT).hexdigest(), date(2026, 9, 17))


def test_a_gzip_is_stored_unpacked(site: Site, tmp_path: Path) -> None:
    url = site.serve("/a.csv", Reply(gzip.compress(CONTENT), headers={"Content-Encoding": "gzip"}))
    download(url, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == CONTENT


def test_a_busy_publisher_is_asked_again_after_the_pause_it_wants(
    site: Site, tmp_path: Path, slept: list[float]
) -> None:
    busy = Reply(status=429, headers={"Retry-After": "7"})
    url = site.serve("/a.csv", busy, Reply(status=503), Reply(CONTENT[:9], sends=3), Reply(CONTENT))
    download(url, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == CONTENT
    assert slept[0] >= 7
    assert len(slept) == 3


@pytest.mark.parametrize(
    ("reply", "requests"),
    [
        (Reply(status=404), 1),
        (Reply(status=410), 1),
        (Reply(status=429, headers={"Retry-After": "3600"}), 1),
        (Reply(status=503), 4),
        (Reply(CONTENT, sends=100), 4),
        (Reply(gzip.compress(CONTENT)[:-20], headers={"Content-Encoding": "gzip"}), 4),
        (Reply(gzip.compress(bytes(5_000_000)), headers={"Content-Encoding": "gzip"}), 1),
        (Reply(bytes(2_000_000)), 1),
        (Reply(b"x", headers={"Content-Encoding": "br"}), 1),
        (Reply(status=302, headers={"Location": "http://192.0.2.1/a.csv"}), 1),
        (Reply(status=302, headers={"Location": "file:///etc/passwd"}), 1),
        (Reply(status=302, headers={"Location": "/a.csv"}), 6),
    ],
    ids=lambda value: None if isinstance(value, Reply) else str(value),
)
def test_what_does_not_come_whole_and_small_leaves_the_file_of_the_last_time(
    site: Site, tmp_path: Path, reply: Reply, requests: int
) -> None:
    """Only what may pass is asked for again: a busy server, or one that broke off."""
    (tmp_path / "a.csv").write_text("from the last time")
    with pytest.raises(SourceError):
        download(site.serve("/a.csv", reply), tmp_path / "a.csv", most=1_000_000)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.csv": "from the last time"}
    assert len(site.asked) == requests


def test_a_body_that_drips_ends_with_the_time_allowed(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "QUIET_SECONDS", 0.2)
    url = site.serve("/a.csv", Reply(CONTENT, sends=100, pause=2.0))
    with pytest.raises(FetchError, match="too slow"):
        download(url, tmp_path / "a.csv", seconds=0.0)


@pytest.mark.parametrize(
    "url",
    ["http://example.org/a.csv", "http://127.0.0.1@example.org/a", "ftp://127.0.0.1/a.csv", "a.csv", "https://\0"],
)
def test_an_address_that_is_not_https_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(FetchError):
        download(url, tmp_path / "a.csv")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "nonsense://127.0.0.1:9", "http://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(FetchError):
        download("https://example.invalid/a.csv", tmp_path / "a.csv")


def test_without_a_network_the_host_is_named(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(FetchError, match=f"127.0.0.1:{port}.*Is there a network"):
        download(f"http://127.0.0.1:{port}/a.csv", tmp_path / "a.csv")


@pytest.mark.parametrize(
    "body", [b"<html>", b"[" * 100_000, b"9" * 100_000, bytes(range(256)), b" " * 21_000_000, b"\x1b[2J"]
)
def test_an_answer_that_is_no_json_or_too_large_is_refused_without_control_codes(site: Site, body: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        read_json(site.serve("/a.json", Reply(body)))
    assert all(char.isprintable() or char == "\n" for char in str(caught.value))


def test_json_is_read(site: Site) -> None:
    assert read_json(site.serve("/a.json", Reply(json.dumps({"a": [1]}).encode()))) == {"a": [1]}
