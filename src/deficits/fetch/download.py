"""One small client for publishers' files and answers: https only, with limits on size, time and patience.

Plain http is taken from this machine alone (127.0.0.1, localhost, ::1), as a mirror or a test serves it.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import httpx
import tenacity

from deficits.errors import ExitCode, SourceError

LARGEST_FILE = 300_000_000
"""Bytes, also once unpacked: several times the largest file of any publication (S251, about 60 MB)."""
LARGEST_ANSWER = 20_000_000
"""Bytes of an answer in JSON."""
TOTAL_SECONDS = 900.0
"""For a whole file, further attempts included."""
ANSWER_SECONDS = 60.0
QUIET_SECONDS = 30.0
"""Without a byte."""
ATTEMPTS = 4
LONGEST_WAIT = 60.0
"""Seconds a server may ask to wait; for more than that the user is told to come back."""
REDIRECTS = 5
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
T = TypeVar("T")


class FetchError(SourceError):
    """A publisher that cannot be reached, an address that is not there, or a request that cannot be met."""

    exit_code = ExitCode.BAD_INPUT


class _MayPass(FetchError):
    """A fault that may pass; `wait` is the pause that the server asked for, in seconds."""

    wait: float | None = None


@dataclass(frozen=True)
class Downloaded:
    """A whole file at `path`, with the sha256 of its content and the day on which it was changed, if told."""

    path: Path
    url: str
    sha256: str
    modified: date | None


def download(
    url: str, to: Path, *, most: int = LARGEST_FILE, seconds: float = TOTAL_SECONDS, quiet: float = QUIET_SECONDS
) -> Downloaded:
    """The file at `url`, in place at `to` once it is whole, unpacked where it is sent as gzip.

    Raises FetchError when there is no network, the address is not there or not https, the publisher stays busy, is
    too slow, sends more than `most` bytes, or the file stays cut short.
    """

    part = to.with_name(f"{to.name}.part")

    def receive(deadline: float) -> httpx.Headers:
        with part.open("wb") as file:
            return _receive(url, file, most, deadline, quiet)

    try:
        headers = _patiently(receive, seconds)
        with part.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        part.replace(to)
    except OSError as error:
        raise FetchError(f"{url} cannot be stored here: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    return Downloaded(to, url, sha256, _day(headers.get("Last-Modified")))


def read_json(url: str, *, seconds: float = ANSWER_SECONDS, quiet: float = QUIET_SECONDS) -> Any:
    """The JSON at `url`. Raises FetchError as `download` does, SourceError when the answer is not JSON."""

    def receive(deadline: float) -> bytes:
        content = io.BytesIO()
        _receive(url, content, LARGEST_ANSWER, deadline, quiet)
        return content.getvalue()

    content = _patiently(receive, seconds)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        shown = printable(content[:80].decode("utf-8", "replace"))
        raise SourceError(f"{url} gave '{shown}', expected an answer in JSON") from None


def printable(text: str) -> str:
    """What others wrote, without the control codes that a terminal would obey.

    >>> printable("grant\\x1b[2J (£)\\tthousand")
    'grant[2J (£) thousand'
    """
    return "".join(char for char in text.replace("\t", " ") if char.isprintable() or char == "\n")


def seconds_asked(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks to wait, given as a number or a date; None when it asks for none.

    >>> [seconds_asked(text, datetime(2026, 1, 1, tzinfo=UTC)) for text in ("7", "soon", "²", None)]
    [7.0, None, None, None]
    >>> seconds_asked("Thu, 01 Jan 2026 00:00:30 GMT", datetime(2026, 1, 1, tzinfo=UTC))
    30.0
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds(), 0.0)


def _patiently(receive: Callable[[float], T], seconds: float) -> T:
    """The result of the first attempt that succeeds, in the time allowed; else the last attempt's error."""
    growing = tenacity.wait_exponential(max=30)

    def wait(state: tenacity.RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        return growing(state) if not isinstance(fault, _MayPass) or fault.wait is None else fault.wait

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_MayPass),
        stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_before_delay(seconds),
        wait=wait,
        reraise=True,
    )
    return retrying(receive, time.monotonic() + seconds)


def _receive(url: str, into: BinaryIO, most: int, deadline: float, quiet: float) -> httpx.Headers:
    """The body at `url`, unpacked, into an open file; the headers it came with."""
    # A length can only be compared with what is sent as it is; the EES API packs whatever it is asked.
    plain = {"Accept-Encoding": "identity"}
    total = 0
    with _plainly(url, quiet), _client(url, quiet) as client, client.stream("GET", url, headers=plain) as response:
        _check_status(response, url)
        for piece in _unpacked(response, url):
            total += len(piece)
            if total > most:
                raise FetchError(f"{url} sends more than {most / 1e6:,.0f} MB: no file here is so large")
            if time.monotonic() > deadline:
                raise FetchError(f"{url} is too slow: {total:,} bytes in the time allowed. Try again later")
            into.write(piece)
        return response.headers


def _unpacked(response: httpx.Response, url: str) -> Iterator[bytes]:
    """The pieces of a body, unpacked when it is gzip; FetchError for another packing or a damaged one."""
    packing = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packing == "identity":
        yield from response.iter_raw()
        return
    if packing not in ("gzip", "x-gzip"):
        raise FetchError(f"{url} came packed as '{printable(packing)}', expected gzip or nothing")
    unpacking = zlib.decompressobj(wbits=31)
    try:
        for piece in response.iter_raw():  # up to 64 kB, so up to 64 MB unpacked
            yield unpacking.decompress(piece)
    except zlib.error as error:
        raise FetchError(f"{url} came as a damaged gzip ({error}). Fetch it again") from None
    if not unpacking.eof:
        raise _MayPass(f"{url} was cut short. Fetch it again")


def _client(url: str, quiet: float) -> httpx.Client:
    """A client that follows a few redirects, each to https (or, from this machine, to this machine)."""
    local = _is_local(httpx.URL(url))

    def check(request: httpx.Request) -> None:
        if request.url.scheme != "https" and not (local and _is_local(request.url)):
            raise FetchError(f"{url} leads to {request.url}, which is not https: nothing was downloaded")

    try:
        return httpx.Client(
            follow_redirects=True,
            max_redirects=REDIRECTS,
            timeout=httpx.Timeout(quiet, connect=min(quiet, 15.0)),
            headers={"User-Agent": "deficits (statistics reader)"},
            event_hooks={"request": [check]},
            trust_env=not local,  # a proxy has no way to this machine's own addresses
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise FetchError(
            f"the proxy that HTTPS_PROXY, ALL_PROXY or this system's settings name cannot be used: {error}. "
            "Give one like http://proxy.example:8080, or unset it"
        ) from None


def _is_local(url: httpx.URL) -> bool:
    return url.scheme == "http" and url.host in ("127.0.0.1", "localhost", "::1") and not url.userinfo


@contextmanager
def _plainly(url: str, quiet: float) -> Iterator[None]:
    """What httpx raises, as a fault that may pass or as an error that says what to do."""
    try:
        yield
    except httpx.TooManyRedirects:
        raise FetchError(f"{url} leads on more than {REDIRECTS} times: look for its new address") from None
    except httpx.ProxyError as error:
        raise FetchError(
            f"{url} cannot be reached through this machine's proxy: {printable(str(error))}"
        ) from None
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        inspected = "CERTIFICATE" in str(error)
        hint = "Behind an inspecting proxy, set SSL_CERT_FILE" if inspected else "Is there a network?"
        raise FetchError(f"{url} cannot be reached ({printable(str(error)) or 'no answer'}). {hint}") from None
    except httpx.TimeoutException:
        raise _MayPass(f"{url} is too slow: nothing came for {quiet:g} s. Try again later") from None
    except (httpx.RemoteProtocolError, httpx.NetworkError) as error:
        raise _MayPass(f"{url} was cut short ({printable(str(error))}). Fetch it again") from None
    except (httpx.RequestError, httpx.InvalidURL, UnicodeError) as error:
        raise FetchError(f"'{printable(url)}' cannot be fetched: {printable(str(error))}") from None


def _check_status(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status == 200:
        return
    if status in (404, 410):
        raise FetchError(f"{url} is not there ({status}): the publisher moved or withdrew it")
    if status not in BUSY:
        raise FetchError(f"{url} was refused ({status} {printable(response.reason_phrase)})")
    fault = _MayPass(f"{url} is busy ({status}). Try again later")
    fault.wait = seconds_asked(response.headers.get("Retry-After"), datetime.now(UTC))
    if fault.wait is not None and fault.wait > LONGEST_WAIT:
        raise FetchError(f"{url} is busy ({status}) and asks to come back in {fault.wait / 60:,.0f} minutes")
    raise fault


def _day(value: str | None) -> date | None:
    with suppress(ValueError, OverflowError):
        return parsedate_to_datetime(value or "").date()
    return None
