"""The commands on one council: what finance officers type is understood, and nothing is lost."""

from pathlib import Path

import pandas as pd
import pytest

from deficits.cli.common import rates, write_csv
from deficits.errors import SchemeError
from deficits.writeoff import financing_rate
from tests.cli.test_cli import run

CASE = ["case", "Cheshire East", "£144.4m", "--forecast", "2026-27=-£190m", "--forecast", "2028=-240,000,000"]


def test_a_case_as_it_is_typed(tmp_path: Path) -> None:
    files = [tmp_path / "case.csv", tmp_path / "case.xlsx"]
    done = run(
        *CASE, "--ineligible", "equal pay=£400k", "--rate", "4.05%", "--reserves", "100m",
        "--until", "2027-28", "--csv", str(files[0]), "--xlsx", str(files[1]),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "a grant of £129.6m on a deficit of £144.4m" in done.stdout
    assert "By year, £000" in done.stdout
    assert "-60,400" in done.stdout.replace("\N{MINUS SIGN}", "-")  # 190.0 less 129.6, in £000
    working = pd.read_csv(files[0]).set_index("line")["amount (£)"]
    assert working["Grant"] == 129_600_000
    assert all(file.stat().st_size for file in files)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--forecast", "2027=-200m"], "'2027' is given twice"),
        (["--ineligible", "equal pay=1m", "--ineligible", "Equal pay=2m"], "'Equal pay' is given twice"),
        (["--rate", "90%"], "rate: found '90%'"),
        (["--forecast", "2027-29=-1m"], "--forecast 2027-29=-1m: '2027-29' is not one year"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(given: list[str], words: str) -> None:
    done = run(*CASE, *given)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_plan_for_one_council_and_in_one_table(tmp_path: Path) -> None:
    file, table = tmp_path / "mine.yaml", tmp_path / "plan.csv"
    file.write_text(run("plan", "--example").stdout)
    done = run("plan", "Leeds", str(file), "--draws", "200", "--csv", str(table))
    assert done.returncode == 0, done.stderr
    for words in ("Reform plan of Leeds", "interaction", "all three", "Secretary of State"):
        assert words in done.stdout
    assert set(pd.read_csv(table)["area"]) == {"Leeds"}


def test_a_plan_without_a_file_or_council_says_what_to_give() -> None:
    done = run("plan", "Leeds")
    assert done.returncode == 2
    assert "deficits plan Kent actions.yaml" in done.stderr
    assert "--example" in run("plan", "Leeds", "nowhere.yaml").stderr


def test_a_workbook_is_written(tmp_path: Path) -> None:
    done = run("workbook", "Leeds", "--draws", "200", "--to", str(tmp_path / "leeds.xlsx"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "leeds.xlsx").read_bytes()[:2] == b"PK"


def test_places_as_an_analyst_declares_them(tmp_path: Path) -> None:
    file, table = tmp_path / "capacity.yaml", tmp_path / "places.csv"
    file.write_text("councils: {Leeds: {capacity: {state_special: 2000}, unit_costs: {independent: £58k}}}")
    done = run("places", "Leeds", str(file), "--draws", "200", "--csv", str(table))
    assert done.returncode == 0, done.stderr
    assert "Leeds; capacity: declared" in done.stdout
    rows = pd.read_csv(table).set_index(["measure", "year"])["p50 (in the unit of the row)"]
    assert rows["capacity, state_special"].eq(2000).all()


def test_a_financing_rate_is_one_or_by_year_and_never_both() -> None:
    assert rates(["4.5%"]) == 0.045
    assert rates(["2026-27=4.5%", "2028=5%"]) == {2027: 0.045, 2028: 0.05}
    assert rates(["pwlb"]) == financing_rate("pwlb")
    for given in (["4.5%", "2027=5%"], ["4%", "5%"], ["2026-27=4%", "2027=5%"]):
        with pytest.raises(SchemeError, match="--rate"):
            rates(given)


def test_a_table_opens_in_excel_with_units_and_every_pound(tmp_path: Path) -> None:
    frame = pd.DataFrame({"year": [2027], "grant_p50": [48_056_102_722.4], "share": [0.25], "name": ["Rhôs"]})
    write_csv(frame, tmp_path / "out.csv")
    text = (tmp_path / "out.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    assert text.decode("utf-8-sig").splitlines() == [
        "year,grant_p50 (£),share (0 to 1),name",
        "2027,48056102722,0.25,Rhôs",
    ]
