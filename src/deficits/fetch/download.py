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
from datetime import date
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import tenacity

from deficits.errors import ExitCode, SourceError

LARGEST_FILE = 300_000_000
"""Bytes, also once unpacked: several times the largest file of any publication (S251, about 60 MB)."""
LARGEST_ANSWER = 20_000_000
"""Bytes of an answer in JSON."""
FILE_SECONDS, ANSWER_SECONDS = 900.0, 60.0
"""For a whole file or answer, further attempts included."""
QUIET_SECONDS = 30.0
"""Without a byte."""
LONGEST_WAIT = 60.0
"""Seconds a server may ask to wait; for more than that the user is told to come back."""
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
CUT_SHORT = (httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, zlib.error)


class FetchError(SourceError):
    """A publisher that cannot be reached, an address that is not there, or a request that cannot be met."""

    exit_code = ExitCode.BAD_INPUT


class _MayPass(FetchError):
    """A fault that may pass; `wait` is the pause that the server asked for, in seconds."""

    wait = 0.0


def download(
    url: str, to: Path, most: int = LARGEST_FILE, seconds: float = FILE_SECONDS
) -> tuple[str, date | None]:
    """Put the file at `url` in place at `to` once it is whole, unpacked where it is sent as gzip.

    Returns the sha256 of its content, and the day on which it was changed where the server says so. FetchError
    when there is no network, the address is not there or not https, the publisher stays busy, is too slow, sends
    more than `most` bytes, or the file stays cut short.
    """
    part = to.with_name(f"{to.name}.part")
    try:
        with part.open("w+b") as file:
            headers = _received(url, file, most, seconds)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        part.replace(to)
    except OSError as error:
        raise FetchError(f"{url} cannot be stored here: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    try:
        return sha256, parsedate_to_datetime(headers.get("Last-Modified", "")).date()
    except (ValueError, OverflowError):
        return sha256, None


def read_json(url: str) -> Any:
    """The JSON at `url`. Raises FetchError as `download` does, SourceError when the answer is not JSON."""
    content = io.BytesIO()
    _received(url, content, LARGEST_ANSWER, ANSWER_SECONDS)
    try:
        return json.loads(content.getvalue())
    except (ValueError, RecursionError):
        shown = printable(content.getvalue()[:80].decode("utf-8", "replace"))
        raise SourceError(f"{url} gave '{shown}', expected an answer in JSON") from None


def printable(text: str) -> str:
    """What others wrote, without the control codes that a terminal would obey.

    >>> printable("grant\\x1b[2J (£)\\tthousand")
    'grant[2J (£) thousand'
    """
    return "".join(char for char in text.replace("\t", " ") if char.isprintable() or char == "\n")


def _received(url: str, into: BinaryIO, most: int, seconds: float) -> httpx.Headers:
    """The whole body at `url` into an open file, by the first attempt that succeeds; the headers it came with."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_MayPass),
        stop=tenacity.stop_after_attempt(4) | tenacity.stop_before_delay(seconds),
        wait=tenacity.wait_exponential(max=30)
        + tenacity.wait_exception(lambda fault: getattr(fault, "wait", 0.0)),
        reraise=True,
    )
    return retrying(_attempt, url, into, most, time.monotonic() + seconds)


def _attempt(url: str, into: BinaryIO, most: int, deadline: float) -> httpx.Headers:
    into.seek(0)
    into.truncate()
    try:
        with _client(url) as client, client.stream("GET", url) as response:
            _check_status(response, url)
            packing = response.headers.get("Content-Encoding", "identity").lower()
            if packing not in ("identity", "gzip"):
                raise FetchError(f"{url} came packed as '{printable(packing)}', expected gzip or nothing")
            unpacking = zlib.decompressobj(wbits=31) if packing == "gzip" else None
            for piece in response.iter_raw():  # up to 64 kB, so up to 64 MB unpacked
                into.write(unpacking.decompress(piece) if unpacking else piece)
                if into.tell() > most:
                    raise FetchError(f"{url} sends more than {most / 1e6:,.0f} MB: no file here is so large")
                if time.monotonic() > deadline:
                    raise FetchError(f"{url} is too slow: {into.tell():,} bytes in the time allowed. Try later")
            if unpacking and not unpacking.eof:
                raise zlib.error("the gzip has no end")
            return response.headers
    except CUT_SHORT as error:
        raise _MayPass(printable(f"{url} was cut short or is too slow: try again later ({error})")) from None
    except (httpx.RequestError, httpx.InvalidURL, ValueError, ImportError) as error:
        advice = "Is there a network? Behind a proxy, set HTTPS_PROXY or ALL_PROXY;"
        raise FetchError(
            printable(f"{url} cannot be fetched ({error}). {advice} where it inspects traffic, SSL_CERT_FILE too")
        ) from None


def _client(url: str) -> httpx.Client:
    """A client that follows a few redirects, each to https (or, from this machine, to this machine)."""
    local = _is_local(httpx.URL(url))

    def check(request: httpx.Request) -> None:
        if request.url.scheme != "https" and not (local and _is_local(request.url)):
            raise FetchError(f"{url} leads to {request.url}, which is not https: nothing was downloaded")

    return httpx.Client(
        follow_redirects=True,
        max_redirects=5,
        timeout=httpx.Timeout(QUIET_SECONDS, connect=15.0),
        # A length can only be compared with what is sent as it is; the EES API packs whatever it is asked.
        headers={"User-Agent": "deficits (statistics reader)", "Accept-Encoding": "identity"},
        event_hooks={"request": [check]},
        trust_env=not local,  # a proxy has no way to this machine's own addresses
    )


def _is_local(url: httpx.URL) -> bool:
    return url.scheme == "http" and url.host in ("127.0.0.1", "localhost", "::1") and not url.userinfo


def _check_status(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status in (404, 410):
        raise FetchError(f"{url} is not there ({status}): the publisher moved or withdrew it")
    if status in BUSY:
        fault = _MayPass(f"{url} is busy ({status}). Try again later")
        pause = re.fullmatch(r"\s*([0-9]{1,9})\s*", response.headers.get("Retry-After", ""))
        fault.wait = float(pause[1]) if pause else 0.0
        if fault.wait > LONGEST_WAIT:
            raise FetchError(f"{url} is busy ({status}) and asks to come back in {fault.wait / 60:,.0f} minutes")
        raise fault
    if status != 200:
        raise FetchError(f"{url} was refused ({status} {printable(response.reason_phrase)})")
