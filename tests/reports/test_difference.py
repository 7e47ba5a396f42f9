"""Rules of the page of what changed between two runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import deficits as d
from deficits.errors import ReportError
from deficits.projection import forecasts
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
    assert "3 pages are in both runs; headline figures of 1 changed, 1 of them councils'" in said
    assert "The code has changed" in said
    rows = [
        row.get_text(" ", strip=True) for row in soup.find(id="councils").find_next("table").tbody.find_all("tr")
    ]
    balance, share = rows
    assert "central estimate −£150m" in balance
    assert "central estimate −£160m" in balance
    assert share.endswith("15% 16%")
    assert [image["alt"] for image in soup.find_all("img")] == ["A line goes up."] * 2


def told_by(ledger: Path, monkeypatch: pytest.MonkeyPatch, folder: Path, *hashes: str) -> BeautifulSoup:
    """The page of two runs whose pages have those hashes of the ledger's newest entry."""
    monkeypatch.setattr(forecasts, "forecasts_dir", lambda: ledger)
    for name, digest in zip(("old", "new"), hashes, strict=True):
        put_england(folder / name)
        change(folder / name, "england", ledger=digest)
    page = write_difference(folder / "old", folder / "new", folder)
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def test_causes_of_the_ledger_stand_with_amounts_that_add_up(
    panel: d.Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, ledger = d.project(panel, draws=200), tmp_path / "forecasts"
    other = d.project(panel, d.Assumptions(unit_cost_growth=0.02), draws=200, seed=2)
    first, second = (forecasts.issue(made, name, "", ledger) for made, name in ((usual, "a"), (other, "b")))
    soup = told_by(ledger, monkeypatch, tmp_path, first.hash, second.hash)
    rows = [
        [cell.get_text() for cell in row.find_all(["th", "td"])] for row in soup.select("#ledger-causes tr")[1:]
    ]
    amounts = {cause: float(amount.replace("\u2212", "-").replace(",", "")) for cause, amount in rows}
    together = amounts.pop("All causes together")
    assert together == sum(amounts.values())
    assert amounts.keys() == {"assumptions", "random numbers"}
    moved = second.median("England", 2028) - first.median("England", 2028)
    assert together == pytest.approx(moved / 1e6, abs=1)
    assert first.name in soup.find(id="ledger").find_next("p").get_text()


def test_where_an_entry_is_not_known_or_the_same_one_sentence_says_so(
    panel: d.Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = forecasts.issue(d.project(panel, draws=200), "a", "", tmp_path / "forecasts")
    for hashes, says in ((("", entry.hash), "cannot say"), ((entry.hash, entry.hash), "same newest entry")):
        soup = told_by(tmp_path / "forecasts", monkeypatch, tmp_path, *hashes)
        assert says in soup.find(id="ledger").find_next("p").get_text()
        assert not soup.select("#ledger-causes")


def test_two_folders_without_a_page_in_common_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no page in common"):
        write_difference(tmp_path, tmp_path, tmp_path)
