"""Downloads that end with the whole file or none: resumed, checked, patient, and clear about what went wrong.

Nothing is printed here: `progress` is called with what has arrived, and the caller shows it or does not.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import re
import shutil
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import tenacity

from deficits.errors import ExitCode, SourceError

if TYPE_CHECKING:
    from rich.console import Console

TRIES = 5
LONGEST_WAIT = 120.0
"""Seconds: a publisher that asks for a longer pause is taken at its word, and the run ends."""
BUSY = frozenset({429, 502, 503, 504})
"""Statuses that ask to come back later. Explore education statistics documents 429; large queries can give 504."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that have arrived and the bytes expected (None when not announced)."""
Sleep = Callable[[float], None]


class FetchError(SourceError):
    """A download that was asked for wrongly or could not be made; the figures held are as good as before."""

    exit_code = ExitCode.BAD_INPUT


@dataclass(frozen=True)
class Downloaded:
    """A file that arrived whole.

    `sha256` and `size` (bytes) are of the file as it lies at `path`; `url` is the address that was asked for,
    since what it redirects to may expire; `modified` is the day the server says it was last changed.
    """

    path: Path
    url: str
    sha256: str
    size: int
    modified: date | None


@dataclass(frozen=True)
class _Partial:
    """What is remembered beside a `.part`, to know whether the rest of the same file can be asked for."""

    url: str
    validator: str | None
    encoding: str


class _TryAgain(Exception):
    """A fault that may pass: what to say if it does not, and the pause the server asked for, in seconds."""

    def __init__(self, error: SourceError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait


def download(
    url: str,
    to: Path,
    *,
    sha256: str | None = None,
    params: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    tries: int = TRIES,
    limit: float = 900.0,
    quiet: float = 30.0,
    sleep: Sleep = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Downloaded:
    """The file at `url`, in place at `to` only when it is whole.

    It arrives as `<name>.part` beside `to`. What a broken run leaves there is continued by the next one where
    the server can say that the file is still the same (ETag or Last-Modified), and thrown away where not. A body
    sent gzip-encoded is stored unpacked. `limit` is seconds for the whole file, `quiet` seconds without a byte.

    Raises FetchError when there is no network, the address is not there or not allowed, or the publisher stays
    busy or too slow; SourceError when the file stays cut short or is not the one that `sha256` names.
    """
    url = str(httpx.URL(url, params=dict(params))) if params else url
    deadline = clock() + limit
    part = to.with_name(to.name + ".part")

    def attempt() -> httpx.Response:
        with opened(url, quiet) as client, _told_plainly(url, quiet):
            return _receive(client, url, part, progress, deadline, clock)

    response = _patiently(attempt, tries, sleep)
    remembered = _recall(part)
    try:
        _unpack(part, url, remembered.encoding if remembered else "")
        found = _sha256(part)
        if sha256 is not None and found != sha256:
            raise SourceError(
                f"{url} is not the expected file: sha256 {found[:12]}…, expected {sha256[:12]}…. "
                "The publisher may have replaced it: fetch the newest version"
            )
        size = part.stat().st_size
        part.replace(to)
    finally:
        _forget(part)
    return Downloaded(to, url, found, size, _modified(response.headers))


def read_json(
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    body: object = None,
    tries: int = TRIES,
    quiet: float = 30.0,
    sleep: Sleep = time.sleep,
) -> object:
    """The JSON at `url`, by GET, or by POST when there is a `body`.

    Raises FetchError as `download` does; SourceError when the answer is not JSON.
    """

    def attempt() -> httpx.Response:
        with opened(url, quiet) as client, _told_plainly(url, quiet):
            response = client.request("GET" if body is None else "POST", url, params=params, json=body)
            _check_status(response, url)
            return response

    response = _patiently(attempt, tries, sleep)
    try:
        return response.json()
    except ValueError:
        shown = re.sub(r"\s+", " ", response.text[:80])
        raise SourceError(f"{response.url} gave '{shown}', expected JSON") from None


@contextmanager
def opened(url: str, quiet: float) -> Iterator[httpx.Client]:
    """A client for `url` that follows redirects to https only (http is for this machine, as in tests).

    Raises FetchError for any other address.
    """
    local = _is_local(url)

    def check(request: httpx.Request) -> None:
        if request.url.scheme != "https" and not (local and _is_local(str(request.url))):
            raise FetchError(f"{url} leads to {request.url}, which is not https: nothing was downloaded")

    with httpx.Client(
        follow_redirects=True,
        max_redirects=10,
        timeout=httpx.Timeout(quiet, connect=min(quiet, 15.0)),
        headers={"User-Agent": "deficits (statistics reader)"},
        event_hooks={"request": [check]},
        verify=_certificates(),
        trust_env=not local,  # a proxy has no way to this machine's own addresses
    ) as client:
        yield client


def wait_asked(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, given in seconds or as a date; None when it asks for none.

    >>> wait_asked("7", datetime(2026, 1, 1, tzinfo=UTC))
    7.0
    >>> wait_asked("Thu, 01 Jan 2026 00:00:30 GMT", datetime(2026, 1, 1, tzinfo=UTC))
    30.0
    >>> wait_asked("soon", datetime(2026, 1, 1, tzinfo=UTC)) is None
    True
    """
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds(), 0.0)


@contextmanager
def progress_on(console: Console) -> Iterator[Progress | None]:
    """A progress bar on a terminal; None where nobody watches, so that a log holds no half-drawn bars."""
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        tasks = {}

        def show(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield show


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: it takes longer than a page of the API."""
    return httpx.create_ssl_context()


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in LOOPBACK


def _patiently(attempt: Callable[[], httpx.Response], tries: int, sleep: Sleep) -> httpx.Response:
    """The attempt's result; a fault that may pass is tried again after the pause asked for, or 1, 2, 4 … seconds.

    When it does not pass within `tries`, its own error is raised.
    """
    grow = tenacity.wait_exponential(multiplier=1, max=30)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return error.wait if isinstance(error, _TryAgain) and error.wait is not None else grow(state)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_TryAgain),
        stop=tenacity.stop_after_attempt(tries),
        wait=wait,
        sleep=sleep,
        reraise=True,
    )
    try:
        return retrying(attempt)
    except _TryAgain as error:
        raise error.error from None


@contextmanager
def _told_plainly(url: str, quiet: float) -> Iterator[None]:
    """What httpx raises, as a fault that may pass or as an error that says what to do."""
    host = urlsplit(url).hostname
    try:
        yield
    except httpx.TooManyRedirects:
        raise FetchError(f"{url} leads round in a circle: look for its new address") from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise FetchError(f"'{url}' is no address that can be fetched: {error}") from None
    except httpx.ConnectError as error:
        if _is_certificate(error):
            raise FetchError(
                f"{host} could not prove who it is ({error}): nothing was downloaded. "
                "Behind an inspecting proxy, set SSL_CERT_FILE to its certificate"
            ) from None
        raise _TryAgain(FetchError(f"{host} cannot be reached ({error}). Is there a network?")) from None
    except httpx.ConnectTimeout:
        raise _TryAgain(FetchError(f"{host} cannot be reached (no answer). Is there a network?")) from None
    except httpx.TimeoutException:
        raise _TryAgain(FetchError(f"{url} is too slow: nothing came for {quiet:g} s. Try again later")) from None
    except (httpx.ProtocolError, httpx.NetworkError) as error:
        raise _TryAgain(SourceError(f"{url} broke off before the end ({error}). Fetch it again")) from None
    except httpx.RequestError as error:
        raise FetchError(f"{url} cannot be fetched: {error}") from None
    except OSError as error:
        raise FetchError(f"{url} cannot be stored here: {error}") from None


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _check_status(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if response.is_success:
        return
    if status in BUSY:
        wait = wait_asked(response.headers.get("Retry-After"), datetime.now(UTC))
        error = FetchError(f"{url} is busy ({status}). Try again later")
        if wait is not None and wait > LONGEST_WAIT:
            raise FetchError(f"{url} is busy ({status}) and asks to come back in {wait / 60:.0f} minutes")
        raise _TryAgain(error, wait)
    if status in (404, 410):
        raise FetchError(f"{url} is not there ({status}): the publisher moved or withdrew it")
    raise FetchError(f"{url} was refused ({status} {response.reason_phrase}){_said(response)}")


def _said(response: httpx.Response) -> str:
    """A publisher's own words on an error, where it gives some (RFC 9457 `title`)."""
    try:
        problem = json.loads(response.read())
    except (ValueError, httpx.HTTPError):
        return ""
    title = problem.get("title") if isinstance(problem, dict) else None
    return f": {title}" if title else ""


def _receive(
    client: httpx.Client,
    url: str,
    part: Path,
    progress: Progress | None,
    deadline: float,
    clock: Callable[[], float],
) -> httpx.Response:
    """The body, added to what `part` already holds of the same file; the response for its headers."""
    part.parent.mkdir(parents=True, exist_ok=True)
    remembered = _recall(part)
    held = part.stat().st_size if remembered and remembered.url == url and remembered.validator else 0
    # Plain bytes are asked for: a compressed body could not be continued in the middle or its length checked.
    headers = {"Accept-Encoding": "identity"}
    if held and remembered and remembered.validator:
        headers |= {"Range": f"bytes={held}-", "If-Range": remembered.validator}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:
            # The file is now shorter than what is held: it changed, so the next attempt starts from nothing.
            _forget(part)
            raise _TryAgain(SourceError(f"{url} changed while it was fetched. Fetch it again"), 0.0)
        _check_status(response, url)
        start, total = _span(response, held)
        if start == 0:
            _remember(part, _Partial(url, _validator(response.headers), _encoding(response.headers)))
        done = start
        with part.open("ab" if start else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                done += len(chunk)
                if progress:
                    progress(part.stem, done, total)
                if clock() > deadline:
                    raise FetchError(
                        f"{url} is too slow: {done:,} bytes"
                        + (f" of {total:,}" if total else "")
                        + " within the time allowed. What came is kept: fetch again to continue"
                    )
        if total is not None and done != total:
            raise _TryAgain(SourceError(f"{url} broke off after {done:,} of {total:,} bytes. Fetch it again"))
        return response


def _span(response: httpx.Response, held: int) -> tuple[int, int | None]:
    """Where the body starts in the file, and the file's whole length if it is said."""
    if response.status_code == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != held:
            raise FetchError(f"{response.url} gave another part of the file than was asked for. Fetch it again")
        return held, None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _validator(headers: httpx.Headers) -> str | None:
    """What tells that a file is still the same; a weak ETag does not promise the same bytes."""
    tag: str | None = headers.get("ETag")
    dated: str | None = headers.get("Last-Modified")
    return tag if tag and not tag.startswith("W/") else dated


def _encoding(headers: httpx.Headers) -> str:
    return str(headers.get("Content-Encoding", "")).strip().lower()


def _modified(headers: httpx.Headers) -> date | None:
    with contextlib.suppress(ValueError, KeyError):
        return parsedate_to_datetime(headers["Last-Modified"]).date()
    return None


def _unpack(part: Path, url: str, encoding: str) -> None:
    if encoding in ("", "identity"):
        return
    if encoding not in ("gzip", "x-gzip"):
        raise SourceError(f"{url} came packed as '{encoding}', expected gzip or nothing")
    plain = part.with_name(part.name + ".plain")
    try:
        with gzip.open(part) as packed, plain.open("wb") as file:
            shutil.copyfileobj(packed, file)
        plain.replace(part)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{url} came as a damaged gzip ({error}). Fetch it again") from None
    finally:
        plain.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _recall(part: Path) -> _Partial | None:
    try:
        remembered = _Partial(**json.loads(_note(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return remembered if part.is_file() else None


def _remember(part: Path, partial: _Partial) -> None:
    part.unlink(missing_ok=True)
    _note(part).write_text(json.dumps(asdict(partial)), encoding="utf-8")


def _forget(part: Path) -> None:
    _note(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)
