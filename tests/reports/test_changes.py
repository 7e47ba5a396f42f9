"""Rules of `What changed since the last run`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from deficits.reports import render
from deficits.reports.changes import Changes, changes, figure, label
from deficits.reports.record import RunContent, RunRecord, read_record
from tests.reports.folder import content

HEADLINE = {
    "gross_deficit_2026_p10": 6.1e9,
    "gross_deficit_2026_p50": 6.5e9,
    "gross_deficit_2026_p90": 6.9e9,
    "within_80": 0.86,
    "councils": 152,
    "authority": "Kent",
}


def made(headline=HEADLINE, seed=1, **more) -> RunContent:
    return RunContent.model_validate(content("england", headline, {"seed": seed}, **more))


def run(found: RunContent) -> RunRecord:
    return RunRecord(page="x", title="x", run_on=date(2026, 11, 18), fingerprint="ab" * 32, content=found)


def test_a_first_run_has_nothing_to_compare_with():
    assert changes(None, made()) == Changes()
    assert changes(None, made()).since is None


def test_a_run_that_is_as_the_last_changed_nothing():
    found = changes(run(made()), made())
    assert found.none
    assert found.since == date(2026, 11, 18)


def test_the_commit_alone_is_no_change():
    assert changes(run(made(code="0.1.0, commit a")), made(code="0.1.0, commit b")).none


def test_a_figure_that_moved_is_told_from_and_to_a_range_first():
    found = changes(run(made()), made(HEADLINE | {"gross_deficit_2026_p90": 7.1e9, "councils": 1153}))
    assert [(one.label, one.before, one.now) for one in found.figures] == [
        (
            "Gross deficit at 31 March 2026",
            "£6.1bn to £6.9bn, central estimate £6.5bn",
            "£6.1bn to £7.1bn, central estimate £6.5bn",
        ),
        ("Councils", "152", "1,153"),
    ]


def test_a_figure_that_came_or_went_is_told():
    before, now = dict(HEADLINE), HEADLINE | {"chance_of_5bn_2026": 0.93}
    del now["councils"]
    told = {one.label: (one.before, one.now) for one in changes(run(made(before)), made(now)).figures}
    assert told == {"Chance of £5bn at 31 March 2026": ("not given", "93%"), "Councils": ("152", "not given")}


def test_what_moved_less_than_it_is_rounded_to_did_not_move():
    assert changes(run(made()), made(HEADLINE | {"within_80": 0.8601})).none


def test_a_publication_that_changed_is_named_with_the_newest_date_that_is_held():
    data = made().data
    (line,) = changes(run(made(data=data | {"ehc-plans/plans_total_2026.csv": "0"})), made()).data
    assert "Department for Education: 1 file changed; the newest now held was published in June 2026" in line


def test_new_files_files_no_longer_used_and_own_ones_are_told_apart():
    data = dict(made().data)
    less = {file: digest for file, digest in data.items() if not file.startswith("ehc-plans/plans_total")}
    lines = changes(run(made(data=less | {"gone/old.csv": "0"})), made(data=data | {"own/mine.csv": "1"})).data
    assert [line.split(": ")[-1].split(";")[0] for line in lines] == [
        "1 file new",
        "1 file no longer used",
        "1 file new",
    ]
    assert lines[2].startswith("Your own figures")


def test_parameters_code_python_and_packages_are_told():
    now = made(seed=2, ran="0", code="0.2.0", python="3.12.1", packages={"pandas": "4.0"})
    found = changes(run(made(code="0.1.0", packages={"pandas": "3.1"}, python="3.11.7")), now)
    assert "seed: 1 before, 2 now" in found.parameters
    assert found.code == (
        "The code has changed. Before: 0.1.0. Now: 0.2.0",
        "Python 3.11.7 before, 3.12.1 now",
        "Packages: pandas: 3.1 before, 4.0 now",
    )


def test_another_notebook_with_the_same_code_is_called_that():
    found = changes(run(made(notebook="0", code="a")), made(notebook="1", code="a"))
    assert found.code == ("The page's notebook has changed",)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("balance_2024", "Balance at 31 March 2024"),
        ("newest_balances", "Newest balances"),
        ("crps", "CRPS"),
        ("left_2026", "Left at 31 March 2026"),
    ],
)
def test_a_headline_values_name_is_put_in_words(name, words):
    assert label(name) == words


def test_values_are_shown_by_what_they_are():
    shown = [
        figure("newest_balances", {"": 2024}),
        figure("share", {"": 0.9}),
        figure("balance_2024", {"": -67.2e6}),
        figure("ratio", {"": 1.2345}),
        figure("authority", {"": "Kent"}),
    ]
    assert shown == ["2023-24", "90%", "−£67.2m", "1.23", "Kent"]


def said(page: Path) -> str:
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    return soup.find("section", attrs={"aria-labelledby": "what-changed"}).get_text(" ", strip=True)


def test_a_page_tells_of_the_run_before_it_and_its_fingerprint_does_not(write, tmp_path: Path):
    cells = ["# A page", "report.main_points(['One.'], {'gross_2026': 5.7e9})"]
    page = render("england", {}, tmp_path / "reports", notebook=write(*cells))
    first = read_record(page.with_suffix(".json"))
    assert "This is the first run of this page" in said(page)

    render("england", {}, tmp_path / "reports", notebook=write(*cells))
    assert "Nothing: figures, data, parameters and code are those of the last run" in said(page)
    assert read_record(page.with_suffix(".json")).fingerprint == first.fingerprint

    render("england", {"seed": 2}, tmp_path / "reports", notebook=write(cells[0], cells[1].replace("5.7", "5.8")))
    told = said(page)
    assert "Gross at 31 March 2026 £5.7bn £5.8bn" in told
    assert "Parameter seed: 1 before, 2 now." in told
    assert "The page's notebook has changed" in told
    assert "The data are the same." in told
