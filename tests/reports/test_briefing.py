"""Rules of the one-sheet PDF of a council's page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from pypdf import PdfReader
from typer.testing import CliRunner

from deficits.cli import app
from deficits.errors import ReportFailed
from deficits.reports import briefing
from tests.reports.test_every_page import report_page

AMOUNT = re.compile(r"£[\d.,]*\d(?:bn|m)")


printed = pytest.mark.skipif(
    not any(map(shutil.which, briefing.BROWSERS)),
    reason="no Chromium on this machine, which `make test` needs besides Python",
)


@printed
def test_a_briefing_is_one_sheet_with_the_numbers_of_the_main_points_and_a_table(tmp_path: Path) -> None:
    page = tmp_path / "authority-kent.html"
    page.write_text(report_page("authority"), encoding="utf-8")
    briefing.write_briefings([page], 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["authority-kent.html", "authority-kent.pdf"]
    (sheet,) = PdfReader(page.with_suffix(".pdf")).pages
    told = sheet.extract_text().replace("\N{WORD JOINER}", "")
    points = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").select_one(".main-points")
    amounts = set(AMOUNT.findall(points.get_text()))
    assert len(amounts) >= 4
    assert amounts <= set(AMOUNT.findall(told))
    assert "Per EHC plan" in " ".join(told.split())
    assert page.as_uri() not in told


@printed
def test_a_council_with_more_to_tell_has_one_sheet_too(tmp_path: Path) -> None:
    page, point = tmp_path / "a.html", f"<li>{'A point as long as the longest is. ' * 5}</li>"
    lead, rest = report_page("authority").split('<section class="main-points"')
    page.write_text(f'{lead}<section class="main-points"{rest.replace("</ul>", f"{point * 2}</ul>", 1)}', "utf-8")
    briefing.write_briefings([page], 1)
    assert len(PdfReader(page.with_suffix(".pdf")).pages) == 1


def test_without_a_browser_nothing_is_made_and_the_run_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(briefing, "BROWSERS", ("no-such-browser",))
    done = CliRunner().invoke(
        app, ["report", "authority", "--authorities", "Kent", "--pdf", "--out", str(tmp_path)]
    )
    assert "--pdf prints with a browser" in str(done.exception)
    assert done.exception.exit_code == 2  # type: ignore[union-attr]
    assert not list(tmp_path.iterdir())


def test_a_browser_that_fails_leaves_the_old_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(briefing, "browser", lambda: "false")
    (tmp_path / "a.pdf").write_bytes(b"old")
    with pytest.raises(ReportFailed, match=r"a\.pdf could not be printed by false"):
        briefing.write_briefings([tmp_path / "a.html"], 1)
    assert (tmp_path / "a.pdf").read_bytes() == b"old"
