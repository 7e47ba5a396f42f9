"""Rules of the page of what changed between two runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from deficits.errors import ReportError
from deficits.reports.difference import write_difference
from tests.reports.folder import change, put_council, put_england


def chart(folder: Path, path: str) -> None:
    html = f'<figure class="chart"><img src="data:image/svg+xml,{path}" alt="A line goes up."></figure>'
    cells = [{"outputs": [{"data": {"text/html": html, "text/plain": "A line goes up."}}]}]
    (folder / "england.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")


def test_what_changed_between_two_runs_stands_on_one_page(tmp_path: Path) -> None:
    old, new = tmp_path / "archive", tmp_path / "reports"
    for folder, middle in ((old, -152.5e6), (new, -160.0e6)):
        put_england(folder)
        put_council(folder, "Kent", middle=middle, **({"ran": "0"} if folder == old else {}))
        put_council(folder, "Bury")
        chart(folder, f"M0 {middle:.0f}")
    for page in ("england", "authority-kent", "authority-bury"):
        change(old, page, run_on="2026-11-03")
    page = write_difference(old, new, tmp_path)
    assert page.name == "diff-2026-11-03-2026-11-25.html"
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    said = " ".join(soup.main.get_text(" ").split())
    assert "3 pages are in both runs; headline figures of 1 changed, 1 of them councils’" in said
    assert "The code has changed" in said
    rows = [row.get_text(" ", strip=True) for row in soup.find_all("table")[1].tbody.find_all("tr")]
    balance, share = rows
    assert "central estimate −£150m" in balance
    assert "central estimate −£160m" in balance
    assert share.endswith("15% 16%")
    assert [image["alt"] for image in soup.find_all("img")] == ["A line goes up."] * 2


def test_two_folders_without_a_page_in_common_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no page in common"):
        write_difference(tmp_path, tmp_path, tmp_path)
