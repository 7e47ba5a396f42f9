"""One headless Chromium for all tests of a worker: Playwright's own loop cannot run twice in a process."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def found() -> str | None:
    """The machine's Chromium."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def launched(assumption: object) -> object:
    """Headless Chromium that makes no request of its own; close it."""
    return assumption.chromium.launch(executable_path=found(), args=QUIET)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Headless Chromium; the test is skipped where there is none."""
    if found() is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as assumption, launched(assumption) as chromium:
        yield chromium


@contextmanager
def served(browser: object, text: str, address: str) -> Iterator[tuple[object, list[str], list[str]]]:
    """A page with this text at this address, the addresses that it asks for, and what it says in the console."""
    asked: list[str] = []
    said: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    def answer(route):
        asked.append(route.request.url)
        route.fulfill(body=text, content_type="text/html; charset=utf-8")

    context.route("**/*", answer)
    page.goto(address, wait_until="load")
    yield page, asked, said
    context.close()
