"""Rules of the server behind `deficits explore`, with small servers in the place of voila."""

from __future__ import annotations

import socket
import sys
import urllib.request

import pytest

from deficits.errors import ReportError
from deficits.explorer import server

TALKS = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Talks(BaseHTTPRequestHandler):
    def do_GET(self):
        sys.stderr.write("x" * 1_000_000)
        self.send_response(204)
        self.end_headers()

HTTPServer(("127.0.0.1", int(sys.argv[1])), Talks).serve_forever()
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stands_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(server, "command", lambda port: [sys.executable, "-c", code, str(port)])


def test_a_server_that_does_not_start_is_told_with_its_last_words(monkeypatch, port):
    stands_in(monkeypatch, "raise SystemExit('no such template')")
    with (
        pytest.raises(ReportError, match="the explorer's server did not start: no such template"),
        server.served(port),
    ):
        pass


def test_the_server_ends_where_the_system_has_no_groups_of_processes(monkeypatch, port):
    stands_in(monkeypatch, TALKS)
    monkeypatch.delattr(server.os, "killpg")
    with server.served(port):
        pass
    assert not server._answers(port)


def test_a_server_that_says_much_goes_on_answering(monkeypatch, port):
    stands_in(monkeypatch, TALKS)
    with server.served(port) as address:
        for _ in range(2):
            assert urllib.request.urlopen(address, timeout=10).status == 204
    assert not server._answers(port)
