"""A publisher's site on this machine: a real HTTP server whose every answer a test decides."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    sends: int | None = None
    """Bytes of the body that really arrive; the length announced stays the whole."""
    pause: float = 0.0
    """Seconds of silence after them."""


Answer = Reply | Callable[[Asked], Reply]


class Site:
    """`serve` says what a path answers: the same always, or one answer after another (the last one stays)."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.asked: list[Asked] = []
        self._answers: dict[str, list[Answer]] = {}

    def serve(self, path: str, *answers: Answer) -> str:
        self._answers[path] = list(answers)
        return self.base + path

    def json(self, path: str, value: Any) -> str:
        return self.serve(path, Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json"}))

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        answers = self._answers.get(asked.path, [Reply(b"not here", 404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer if isinstance(answer, Reply) else answer(asked)


@contextmanager
def local_site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = site.answer(Asked(self.command, parts.path, query, self.headers, body))
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body[: reply.sends])
            self.wfile.flush()
            time.sleep(reply.pause)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        # A reply that is still pausing must not hold up the end of a test.
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """A client that has gone away is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
