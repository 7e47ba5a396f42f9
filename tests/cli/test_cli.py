"""Rules of the command line: exit codes, closest names, and the same figures as the API."""

import io
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pandas as pd
import pytest

import deficits as d
from deficits.cli import main
from deficits.cli.models import MEASURES
from deficits.formatting import year_end
from deficits.panel import Panel


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in this process: what Python imports is imported once for all tests."""
    said, told, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(told):
        patch.setattr(sys, "argv", ["deficits", *arguments])
        patch.setenv("COLUMNS", "200")
        patch.setenv("NO_COLOR", "1")
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess(arguments, code, said.getvalue(), told.getvalue())


def run_apart(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a user starts it."""
    env = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "deficits.cli", *arguments], capture_output=True, text=True, env=env
    )


def test_a_process_tells_of_bad_input_without_a_traceback_and_exits_2() -> None:
    for arguments in (["project", "--untill", "2030"], ["report", "englnd"]):
        done = run_apart(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Traceback" not in done.stderr
        assert done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["project", "Kant", "--draws", "200"], "did you mean 'Kent'?"),
        (["project", "--untill", "2030"], "--until"),
        (["project", "--set", "plan_grwth=0.05"], "did you mean 'plan_growth'?"),
        (["project", "--set", "plan_growth=5"], "plan_growth"),
        (["project", "Londn", "--draws", "200"], "did you mean 'London'?"),
        (["explore", "Kennt"], "did you mean 'Kent'?"),
        (["writeoff", "flat-share", "--set", "shar=0.8"], "did you mean 'share'?"),
        (["compare", "flat-shaer"], "did you mean 'flat-share'?"),
        (["scheme", "new", "mine.txt"], "expected a name that ends in .yaml"),
        (["writeoff", "high-needs-stabilty-grant"], "did you mean 'high-needs-stability-grant'?"),
        (["writeoff", "flat-share", "--share", "90"], "90% is 0.9"),
        (["writeoff", "flat-share", "--share", "0.9", "--set", "share=0.8"], "'share' is given twice"),
        (["writeoff", "flat-share", "--set", "share=0.9", "--set", "share=0.8"], "'share' is given twice"),
        (["writeoff", "flat-share", "--rate", "4.81"], "4.81% is 0.0481"),
        (["report", "englnd"], "did you mean 'england'?"),
        (["report", "england", "--set", "drawz=500"], "did you mean 'draws'?"),
        (["report", "authority", "--set", "authority=Kant", "--set", "draws=200"], "did you mean 'Kent'?"),
        (["report", "authority", "--authorities", "all", "--set", "drawz=9"], "did you mean 'draws'?"),
        (["verify", "README.md"], "carries no run record"),
        (["buidl"], "build"),
    ],
)
def test_bad_input_is_named_with_the_closest_and_exit_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = run(*arguments, *(["--out", str(tmp_path)] if arguments[0] == "report" else []))
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.html"))


def by_year(path: Path) -> pd.DataFrame:
    """What a command wrote, without the units in its headings."""
    frame = pd.read_csv(path, index_col="year").astype(float)
    return frame.rename(columns=lambda heading: heading.removesuffix(" (£)"))


def test_the_command_line_and_the_api_agree_to_the_pound(tmp_path: Path) -> None:
    done = run("project", "--until", "2027", "--draws", "300", "--seed", "7", "--csv", str(tmp_path / "out.csv"))
    assert done.returncode == 0, done.stderr
    england = d.project(d.load_panel(), until=2027, draws=300, seed=7).england().loc["gross"]
    written = by_year(tmp_path / "out.csv")
    pd.testing.assert_frame_equal(written.round(0), england.round(0), check_names=False)


def test_a_councils_own_path_is_printed_next_to_the_projection(tmp_path: Path) -> None:
    (tmp_path / "plan.csv").write_text("council,year,balance\nKent,2026-27,-171000000\n", encoding="utf-8")
    done = run("project", "Kent", "--own", str(tmp_path / "plan.csv"), "--until", "2028", "--draws", "200")
    assert "31 March 2027  plan.csv: forecast −£171.0m, outside the 80% range" in done.stdout
    assert "go before published ones" not in done.stderr


def test_levers_and_assumptions_on_the_command_line_are_those_of_the_api(tmp_path: Path) -> None:
    asked = [
        "project",
        "--until",
        "2029",
        "--draws",
        "300",
        "--set",
        "plan_growth=0.05",
        "--lever",
        "health-share",
    ]
    done = run(*asked, "--csv", str(tmp_path / "out.csv"))
    assert done.returncode == 0, done.stderr
    levers = [d.Lever.read("health-share")]
    projection = d.project(d.load_panel(), d.Assumptions(plan_growth=0.05), levers=levers, until=2029, draws=300)
    written = by_year(tmp_path / "out.csv")
    pd.testing.assert_frame_equal(written.round(0), projection.england().loc["gross"].round(0), check_names=False)


def test_a_saved_scenario_gives_the_same_on_the_command_line(tmp_path: Path) -> None:
    scenario = d.Scenario(assumptions=d.Assumptions(plan_growth=0.05), levers=(d.Lever.read("health-share"),))
    path = scenario.save(tmp_path / "mine.yaml")
    done = run(
        "project",
        "--until",
        "2028",
        "--draws",
        "300",
        "--scenario",
        str(path),
        "--csv",
        str(tmp_path / "a.csv"),
    )
    assert done.returncode == 0, done.stderr
    projection = scenario.project(d.load_panel(), until=2028, draws=300)
    written = by_year(tmp_path / "a.csv")
    pd.testing.assert_frame_equal(written.round(0), projection.england().loc["gross"].round(0), check_names=False)


def test_a_new_scheme_is_a_file_that_works_and_is_never_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    assert run("scheme", "new", str(mine)).returncode == 0
    assert "share" in json.loads((tmp_path / "scheme.schema.json").read_text(encoding="utf-8"))["properties"]
    assert d.Scheme.read(mine).share == d.Scheme.read("flat-share").share
    mine.write_text(mine.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    again = run("scheme", "new", str(mine))
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert mine.read_text(encoding="utf-8").endswith("# mine\n")


def test_schemes_side_by_side_are_the_frontiers(tmp_path: Path) -> None:
    names = ["flat-share", "high-needs-stability-grant", "no-help"]
    done = run("compare", *names, "--until", "2029", "--draws", "300", "--csv", str(tmp_path / "c.csv"))
    assert done.returncode == 0, done.stderr
    projection = d.project(d.load_panel(), until=2029, draws=300)
    table = d.compare(projection, [d.Scheme.read(name) for name in names], year=2028).table()
    written = pd.read_csv(tmp_path / "c.csv", index_col=0)
    assert list(written.index) == list(table.index)
    assert written["cost_p50 (£)"].to_numpy() == pytest.approx(table["cost_p50"].to_numpy(), abs=0.5)
    assert "31 March 2028" in done.stdout
    assert " of 151" in done.stdout  # councils whose reserves are published
    assert "Net cost to the Exchequer, 2025-26 prices" in done.stdout


def test_each_measure_of_each_scheme_has_words_and_its_year_end(panel: Panel) -> None:
    projection = d.project(panel, draws=100)
    for name in d.schemes().index:
        summary = d.write_off(projection, name).summary()
        assert set(summary.index) <= MEASURES.keys(), name
        said = [MEASURES[measure].format(at=year_end(year)) for measure, year in summary["year"].items()]
        assert len(set(said)) == len(said), name


def test_a_councils_estimates_are_to_two_figures_with_their_year_ends() -> None:
    told = run(
        "writeoff", "flat-share", "--authority", "Kent", "--until", "2028", "--draws", "300", "--unfunded"
    ).stdout
    assert "Balance at 31 March 2028, with the scheme" in told
    assert not re.findall(r"£\d\d+\.\d", told.partition("would cost")[0])


def test_no_simulations_chance_is_certain_on_the_command_line() -> None:
    told = run("project", "--until", "2027", "--draws", "200").stdout
    assert "over 99% at 31 March 2027" in told
    assert not re.search(r"\b(100|0)%", told)


def test_a_build_says_what_is_in_it(tmp_path: Path) -> None:
    done = run("build", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for words in ("2,585 rows", "153 now", "718,838, published 718,838: agrees", "balance "):
        assert words in done.stdout
    assert (tmp_path / "panel.parquet").is_file()


def test_a_write_off_by_council_is_written_in_pounds(tmp_path: Path) -> None:
    done = run("writeoff", "flat-share", "--share", "0.5", "--draws", "300", "--csv", str(tmp_path / "out.csv"))
    assert done.returncode == 0, done.stderr
    assert "50% of each council's deficit at 31 March 2026, paid in 2026-27" in done.stdout
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")  # Excel then reads it as UTF-8
    table = pd.read_csv(tmp_path / "out.csv", dtype={"authority": str}, encoding="utf-8-sig").set_index(
        "authority"
    )
    assert len(table) == 154
    assert table.at["886", "grant_p50 (£)"] > 1e6
    assert table.at["England", "grant_p50 (£)"] > 1e9


def test_a_scenarios_own_scheme_goes_before_the_shipped_one_of_its_name(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("version: 1\nschemes:\n  - name: flat-share\n    share: 80%\n", encoding="utf-8")
    asked = ("--scenario", str(own), "--until", "2028", "--draws", "200")
    assert "80% of each council's deficit" in run("writeoff", "flat-share", *asked).stdout
    assert "70% of each council's deficit" in run("writeoff", "flat-share", "--share", "70%", *asked).stdout
    compared = run("compare", "flat-share", "no-help", *asked).stdout
    assert "Flat share of the deficit (share 80%)" in compared


def test_the_shipped_schemes_are_listed() -> None:
    done = run("schemes")
    assert done.returncode == 0
    assert "high-needs-stability-grant" in done.stdout
    assert "90% of each council's deficit at 31 March 2026" in done.stdout


def test_many_pages_are_a_line_each_and_unchanged_ones_are_left(tmp_path: Path) -> None:
    asked = ["report", "authority", "--authorities", "Kent, Camden", "--set", "draws=200", "--out", str(tmp_path)]
    done = run(*asked)
    assert done.returncode == 0, done.stderr
    assert sorted(line.split()[1] for line in done.stdout.splitlines()[:2]) == [
        "authority-camden,",
        "authority-kent,",
    ]
    assert "2 pages: 2 made. Open " in done.stdout
    assert {"authority-kent.html", "index.html", "run-log.jsonl"} <= {path.name for path in tmp_path.iterdir()}
    again = run(*asked, "--only-stale")
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("2 pages: 2 unchanged.")


def test_a_page_is_verified_or_what_differs_is_said(tmp_path: Path) -> None:
    assert run("report", "quality", "--out", str(tmp_path)).returncode == 0
    page = tmp_path / "quality.html"
    same = run("verify", str(page))
    assert same.returncode == 0, same.stdout + same.stderr
    assert same.stdout.startswith("quality: the same")
    page.write_text(page.read_text(encoding="utf-8").replace("Sources", "Origins"), encoding="utf-8")
    other = run("verify", str(page))
    assert other.returncode == 3
    assert "Origins" in other.stdout


def test_failed_pages_are_named_and_the_run_exits_4(tmp_path: Path) -> None:
    done = run("report", "quality", "england", "--as-of", "2016-01-01", "--out", str(tmp_path))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "report 'england-as-of-2016-01-01' failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "2 pages: " in done.stdout


def test_a_folder_that_cannot_be_written_to_exits_4(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file", encoding="utf-8")
    done = run("report", "quality", "--out", str(tmp_path / "reports"))
    assert done.returncode == 4
    assert "cannot be written to" in done.stderr
