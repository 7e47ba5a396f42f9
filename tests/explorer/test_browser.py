"""The panel in a real browser: in JupyterLab, and served by `deficits explore`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest

import deficits as d
from deficits.errors import ReportError
from deficits.explorer.server import served
from deficits.formatting import england_range
from deficits.paths import notebooks_dir

pytest.importorskip("voila", reason="voila is not installed: pip install 'deficits[explore]'")
psutil = pytest.importorskip("psutil")

SLIDER = "Later growth of the block, % a year"
LEAD = ".deficits-lead"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while not answers(port):
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server did not answer"
        time.sleep(0.1)


@cache
def expected(growth: float) -> str:
    """The headline that the package gives for a later growth of the block."""
    projection = d.project(d.load_panel(), d.Assumptions(later_block_growth=growth), until=2031)
    row = projection.england().loc[("gross", 2031)]
    return england_range(row["p10"], row["p90"], 2031 - projection.base_year)


def move_by_keyboard(page) -> None:
    """One step of the slider to the right, from its usual place at 3%."""
    page.wait_for_selector(LEAD)
    handle = page.get_by_role("slider", name=SLIDER)
    handle.wait_for()
    assert page.inner_text(LEAD) == expected(0.03)
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([lead, words]) => document.querySelector(lead).innerText === words",
        arg=[LEAD, expected(0.035)],
    )


@dataclass
class Served:
    port: int
    process: subprocess.Popen
    address: str

    @property
    def bare(self) -> str:
        """The address without its token."""
        return self.address.partition("?")[0]

    def children(self) -> list:
        return psutil.Process(self.process.pid).children(recursive=True)

    def kernel(self, page) -> object:
        """The process behind the page."""
        kernel = page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId")
        found = [child for child in self.children() if any(kernel in word for word in child.cmdline())]
        return found[0]


@pytest.fixture(scope="module")
def voila(browser, tmp_path_factory) -> Iterator[Served]:
    """`deficits explore --no-browser`, started as a person would."""
    folder, port = tmp_path_factory.mktemp("explore"), free_port()
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", f"from deficits.explorer import serve; serve({port}, False)"],
        cwd=folder,
        env={**os.environ, "DEFICITS_EXPLORER_STATE": str(folder / "state")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = process.stdout.readline()
        yield Served(port, process, re.search(r"http://\S+", said)[0])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        process.stdout.close()


@contextmanager
def new_page(browser) -> Iterator[object]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(180_000)  # no test of speed: a busy machine takes its time
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def opened(browser, voila) -> Iterator[tuple[object, list[str]]]:
    """The panel, opened once, for each page has a kernel of its own; and the addresses that it asks for."""
    asked: list[str] = []
    with new_page(browser) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(voila.address)
        yield page, asked


def test_served_a_slider_moved_by_keyboard_gives_the_packages_value(voila, opened):
    page, asked = opened
    move_by_keyboard(page)
    assert all(url.startswith((voila.bare, "data:", "blob:")) for url in asked)
    assert page.title() == "Explore SEND deficits in England"
    assert page.get_attribute("html", "lang") == "en-GB"
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1
    assert "import Explorer" not in page.content()


def test_served_axe_finds_no_violation_and_errors_belong_to_their_controls(opened):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page, _ = opened
    page.wait_for_selector(LEAD)
    lead = page.inner_text(LEAD)
    place = page.get_by_label("England, region or council")
    place.fill("Cumbria")
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-invalid]")
    told = page.locator(f"#{place.get_attribute('aria-describedby')}")
    assert told.inner_text() == "Cumbria (909) no longer exists; ask for Cumberland or Westmorland and Furness"
    assert page.inner_text(LEAD) == lead
    # The tabs by keyboard: arrow and Enter.
    page.get_by_role("tab", name="Assumptions").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_label("Faster growth of the high needs block").check()
    page.get_by_role("slider", name="Points a year that the block grows more").wait_for()
    page.get_by_text("The numbers as a table").click()
    page.get_by_role("table").wait_for()
    page.get_by_role("tab", name="Plan", exact=True).click()
    page.get_by_label("Actions of a council's reform plan").select_option("example")
    page.get_by_label("Actions that apply").wait_for()
    for name, width in (("Levers", 1280), ("Write-off", 800), ("Plan", 380), ("Files", 380)):
        page.set_viewport_size({"width": width, "height": 900})
        page.get_by_role("tab", name=name, exact=True).click()
        results = axe.run(page)
        assert results.violations_count == 0, results.generate_report()
        # The page's body could scroll by itself, unseen by the document.
        assert page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)") <= width
        size = "parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a"
        letters = (
            f"Array.from(document.querySelectorAll('svg text')).filter(e => e.getScreenCTM()?.a).map(e => {size})"
        )
        shown = [px for px in page.evaluate(letters) if px]
        assert shown
        assert min(shown) >= 11


def test_served_a_process_that_ended_is_told_and_nothing_is_lost(voila, browser):
    with new_page(browser) as page:
        page.goto(voila.address)
        page.wait_for_selector(LEAD)
        page.get_by_role("tab", name="Write-off").click()
        page.get_by_label("Scheme", exact=True).select_option("Flat share of the deficit")
        page.get_by_text("Flat share", exact=False).and_(page.get_by_text(": pays £")).wait_for()
        lead = page.inner_text(LEAD)
        # The copy on disk is made just after the figure.
        time.sleep(0.5)
        voila.kernel(page).kill()
        told = page.wait_for_selector(".deficits-ended")
        assert "What you set is kept" in told.inner_text()
        page.reload()
        page.get_by_role("button", name="Go on with it").click()
        page.wait_for_function(
            "([lead, words]) => document.querySelector(lead)?.innerText === words", arg=[LEAD, lead]
        )


def test_without_the_token_or_under_another_name_nothing_is_served(voila):
    with httpx.Client() as client:
        bare = client.get(voila.bare, follow_redirects=True)
        assert "deficits-explorer" not in bare.text
        assert "kernelId" not in bare.text
        socket_ = client.get(f"{voila.bare}api/kernels/{'0' * 8}-0000-0000-0000-{'0' * 12}/channels")
        assert socket_.status_code in (403, 404)
    with httpx.Client() as client:
        rebound = client.get(voila.address, headers={"Host": f"evil.example:{voila.port}"})
        assert rebound.status_code == 403
    assert voila.address.partition("token=")[2] not in " ".join(
        word for child in voila.children() for word in child.cmdline()
    )


def test_a_port_that_is_taken_is_told(voila):
    with pytest.raises(ReportError, match=f"port {voila.port} is taken"), served(voila.port):
        pass


def test_ctrl_c_ends_the_server_and_its_kernels_and_frees_the_port(voila):
    ends = time.monotonic() + 30
    while len(children := voila.children()) < 2:  # the server, and a kernel that waits for a reader
        assert time.monotonic() < ends
        time.sleep(0.1)
    voila.process.send_signal(signal.SIGINT)
    said, _ = voila.process.communicate(timeout=30)
    assert voila.process.returncode == 0
    assert said.endswith("The explorer has ended.\n")
    assert not answers(voila.port)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


@pytest.fixture
def lab(tmp_path) -> Iterator[str]:
    """JupyterLab on a copy of the notebook, without anybody's own settings."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed: pip install 'deficits[explore]'")
    work, port = tmp_path / "work", free_port()
    work.mkdir()
    shutil.copy(Path(notebooks_dir()) / "explore.ipynb", work)
    homes = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            f"--port={port}",
            "--ServerApp.ip=127.0.0.1",
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=test",
            f"--ServerApp.root_dir={work}",
        ],
        env={**os.environ, **{name: str(tmp_path / name) for name in homes}},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}/lab/tree/explore.ipynb?token=test&reset"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_in_jupyterlab_a_slider_moved_by_keyboard_gives_the_packages_value(browser, lab):
    with new_page(browser) as page:
        page.goto(lab)
        page.wait_for_selector(".jp-NotebookPanel .jp-MarkdownOutput h1")
        # Before its kernel is there, JupyterLab runs nothing.
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        move_by_keyboard(page)


def test_the_server_ends_with_the_process_that_started_it(tmp_path):
    port = free_port()
    code = f"from deficits.explorer import serve; serve({port}, False)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_for(port, process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
