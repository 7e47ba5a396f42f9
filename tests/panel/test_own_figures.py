"""Rules of an analyst's own figures: what is understood, what is asked about, and what they change."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xlsxwriter

import deficits as d
from deficits.errors import PanelError
from deficits.panel import Answers, Panel, keep_own, read_own, trace
from deficits.panel.own_figures import OwnFigures, find
from deficits.projection import Projection, profile

TODAY = date(2026, 11, 29)
KENT, RUTLAND = "886", "857"


def own_file(path: Path, *rows: str, header: str = "authority,year,balance,status") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where own figures are kept, and another folder to work in."""
    monkeypatch.setattr("deficits.panel.own_figures.own_dir", lambda: tmp_path / "own")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "own"


def read(panel: Panel, path: Path, content: str | bytes, answers: Answers | None = None) -> OwnFigures:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_own(path, panel.frame, panel.authorities, answers, TODAY)


def balances(figures: OwnFigures) -> dict[tuple[str, int], float]:
    return figures.outturns.set_index(["authority", "year"])["value"].to_dict()


def paths(figures: OwnFigures) -> dict[tuple[int, str], float]:
    return figures.paths.set_index(["year", "scenario"])["value"].to_dict()


def refusal(panel: Panel, path: Path, content: str | bytes, answers: Answers | None = None) -> str:
    with pytest.raises(PanelError) as caught:
        read(panel, path, content, answers)
    return str(caught.value)


# What they change


def test_own_figures_go_before_published_ones_and_say_so(tmp_path: Path, panel: Panel) -> None:
    file = own_file(
        tmp_path / "mine.csv",
        'Kent,2023-24,"(103,430,000)",',
        "Kent,2024/25,-£97.5m,",
        "839,FY26,-183.1m,forecast",
    )
    frame = d.load_panel(own=file).frame
    assert frame.loc[(KENT, 2024), ["balance", "balance_basis", "balance_source"]].tolist() == [
        -103_430_000.0,
        "own_outturn",
        "own/mine.csv:2",
    ]
    assert frame.at[(KENT, 2024), "balance_section251"] == panel.frame.at[(KENT, 2024), "balance_section251"]
    assert frame.at[("839", 2026), "balance_basis"] == "own_forecast"
    others = panel.frame.index.difference([(KENT, 2024), (KENT, 2025), ("839", 2026)])
    pd.testing.assert_series_equal(frame.loc[others, "balance"], panel.frame.loc[others, "balance"])


def test_every_draw_passes_through_an_own_figure(tmp_path: Path, projection: Projection) -> None:
    file = own_file(tmp_path / "mine.csv", "Kent,2024-25,-97500000,", "839,2025-26,-183100000,forecast")
    mine = d.project(d.load_panel(own=file), until=2031, draws=1000, seed=1)
    assert (mine.balance.sel(authority=KENT, year=2025) == -97_500_000).all()
    assert (mine.balance.sel(authority="839", year=2026) == -183_100_000).all()
    assert float(mine.balance.sel(authority="839", year=2027).std()) > 1e6
    assert any("mine.csv" in warning and "Kent at 31 March 2025" in warning for warning in mine.warnings)
    assert np.isfinite(mine.balance.values).all()


def test_when_most_councils_are_known_the_rounded_national_figure_is_left_out(
    tmp_path: Path, panel: Panel
) -> None:
    known = panel.figure("balance")[2024].dropna()
    rows = [f"{code},2024-25,{1.5 * value - 2000:.0f},yes" for code, value in known.items()]
    file = own_file(tmp_path / "all.csv", *rows, header="authority,year,balance,accepted")
    mine = d.project(d.load_panel(own=file), until=2026, draws=500, seed=1)
    assert mine.calibrated is None
    assert mine.balance.sel(year=2025, authority=known.index).std("draw").max() < 1e-6


def test_a_year_end_that_only_own_figures_know_is_added_for_every_council(tmp_path: Path) -> None:
    then = d.load_panel("2024-06-01")
    frame = d.load_panel("2024-06-01", own=own_file(tmp_path / "a.csv", "Kent,2024-25,-97500000,")).frame
    later = int(then.frame.index.get_level_values("year").max()) + 1
    assert later == 2025
    assert frame.at[(KENT, later), "balance"] == -97_500_000
    assert set(frame.xs(later, level="year").index) == set(then.authorities.in_year(later))
    assert frame.at[(RUTLAND, later), "name"] == "Rutland"
    assert frame.xs(later, level="year")["balance_section251"].isna().all()
    pd.testing.assert_frame_equal(frame.loc[then.frame.index], then.frame)


def test_a_councils_table_of_figures_names_the_analysts_file(tmp_path: Path) -> None:
    panel = d.load_panel(own=own_file(tmp_path / "dsg.csv", "Rutland,2024-25,-9100000,"))
    facts = profile.newest(panel, RUTLAND)
    assert facts.loc[facts["value"] == -9.1e6, "publication"].str.contains("dsg.csv").all()
    assert (facts["value"] == -9.1e6).any()


def test_a_trace_of_an_own_figure_ends_in_its_line(tmp_path: Path) -> None:
    panel = d.load_panel(own=own_file(tmp_path / "dsg.csv", "Kent,2023-24,-70m,", "Rutland,2024-25,-9100000,"))
    assert any("dsg.csv, line 3" in step for step in trace(panel, "Rutland", 2025, "balance").steps)


# What is understood


@pytest.mark.parametrize(
    "content",
    [
        "authority,year,balance\nKent,2024-25,-97500000\n",
        "authority,year,balance,,\nKent,2025,-97500000,,\n\n",
        "Council,Financial year,Balance £000\n886,31 March 2025,-97500\n",
        'Council,Year,Balance (£\'000)\nKent County Council,2024/25,"(97,500)"\n',
        "Name,Code,Year,DSG reserve £m\nKent,886,FY25,-97.5\n",
        "authority,year,DSG deficit\nKent,2024-25,97500000\n",
        "authority,year,overspend c/f £k\nKent,2024-25,97500\n",
        "authority,year,Surplus/(deficit) £m\nKent,2024-25,(97.5)\n",
        "authority,year,Deficit/(surplus) £m\nKent,2024-25,97.5\n",
        "authority,year,balance\nKent,2024-25,£(97.5) million\n",
        "authority,year,balance\nKent,2024-25,(£97.5M)\n",
        "Council,2024-25\nKent,-97500000\n",
        "DSG balances at 31 March 2025,\n,\nCouncil,£000\nKent,-97500\n",
        "Council,31/03/2025\nKent,-97.5m\n",
        "Schools forum\nDSG deficits in £ million\nCouncil,Mar-25,note\nKent,-97.5,final\n",
        "DSG balances; all in £m\nCouncil,2024-25\nKent,-97.5",
    ],
)
def test_the_same_balance_is_read_from_every_way_of_typing_it(content: str, tmp_path: Path, panel: Panel) -> None:
    assert balances(read(panel, tmp_path / "mine.csv", content)) == {(KENT, 2025): pytest.approx(-97_500_000)}


@pytest.mark.parametrize(
    ("mark", "encoding"), [(",", "utf-8-sig"), (";", "cp1252"), ("\t", "cp1252"), ("\t", "utf-16"), (";", "utf-8")]
)
def test_a_spreadsheets_csv_is_read_in_each_encoding_and_with_each_divider(
    mark: str, encoding: str, tmp_path: Path, panel: Panel
) -> None:
    rows = [["Council", "Year", "Balance £"], ["Kent", "2024-25", '"-£97,500,000"']]
    content = "\r\n".join(mark.join(row) for row in rows).encode(encoding)
    assert balances(read(panel, tmp_path / "mine.csv", content)) == {(KENT, 2025): -97_500_000}


def test_a_workbook_with_merged_headings_gives_a_path_a_scenario(tmp_path: Path, panel: Panel) -> None:
    path = tmp_path / "plan.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Cover").write_row(0, 0, ["Schools Forum", "19/11/2025", "£000 or £m"])
        sheet = book.add_worksheet("Plan")
        sheet.write(0, 0, "DSG management plan 2025/26 to 2026/27")
        sheet.write_row(2, 0, ["£000", "Outturn"])
        sheet.merge_range(2, 2, 2, 3, "Unmitigated")
        sheet.merge_range(2, 4, 2, 5, "Mitigated")
        sheet.write_row(3, 1, [2025, "2025/26", "2026/27", "2025/26", "2026/27"])
        sheet.write_row(4, 0, ["Kent", -97_500, -130_000, -171_000, -125_000, -150_000])
    figures = read(panel, path, path.read_bytes())
    assert balances(figures) == {(KENT, 2025): -97_500_000}
    assert paths(figures) == {
        (2026, "unmitigated"): -130_000_000,
        (2027, "unmitigated"): -171_000_000,
        (2026, "mitigated"): -125_000_000,
        (2027, "mitigated"): -150_000_000,
    }
    assert any("Plan" in reading for reading in figures.readings)
    assert any("£000" in reading for reading in figures.readings)


PLAN = """DSG management plan,,,
£m,2024-25,2025-26,2026-27
In-year deficit,20,30,40
Cumulative deficit c/f (unmitigated),,130.2,171
Cumulative deficit c/f (mitigated),,125,150
Cumulative deficit c/f,97.5,,
"""


def test_the_rows_of_one_councils_plan_are_its_closing_balances(tmp_path: Path, panel: Panel) -> None:
    figures = read(panel, tmp_path / "plan.csv", PLAN, Answers(authority="Kent"))
    assert balances(figures) == {(KENT, 2025): -97_500_000}
    assert paths(figures)[(2027, "unmitigated")] == -171_000_000
    assert paths(figures)[(2027, "mitigated")] == -150_000_000
    assert any("in-year" in reading for reading in figures.readings)
    assert "--authority" in refusal(panel, tmp_path / "plan.csv", PLAN)


def test_a_plan_of_later_years_is_a_path_and_no_balance(tmp_path: Path, panel: Panel) -> None:
    rows = [
        "Rutland,2025-26,-8400000,forecast",
        "Rutland,2026-27,-12600000,",
        "Rutland,2030-31,-17100000,forecast",
    ]
    figures = read(panel, tmp_path / "plan.csv", "\n".join(["authority,year,balance,status", *rows]))
    assert balances(figures) == {(RUTLAND, 2026): -8_400_000}
    assert set(figures.outturns["basis"]) == {"own_forecast"}
    assert paths(figures) == {
        (2026, "forecast"): -8_400_000,
        (2027, "forecast"): -12_600_000,
        (2031, "forecast"): -17_100_000,
    }
    mine = d.load_panel(own=tmp_path / "plan.csv")
    assert mine.frame.index.equals(panel.frame.index)
    assert mine.own_paths["year"].tolist() == [2026, 2027, 2031]


def test_an_outturn_goes_before_a_forecast_of_the_same_year(tmp_path: Path, panel: Panel) -> None:
    rows = "Kent,2024-25,-95000000,forecast\nKent,2024-25,-97500000,outturn\n"
    figures = read(panel, tmp_path / "mine.csv", f"authority,year,balance,status\n{rows}")
    assert balances(figures) == {(KENT, 2025): -97_500_000}
    assert paths(figures) == {(2025, "forecast"): -95_000_000}


# What is asked about


@pytest.mark.parametrize(
    ("row", "reading", "answer", "answers"),
    [
        ('Rutland,2024-25,"(8,400)"', "−£8.4m", "£000", Answers(unit="£000")),
        ("Rutland,2024-25,-8400", "−£8.4m", "£000", Answers(unit="£000")),
        ("Rutland,2024-25,-8.4", "−£8.4m", "£m", Answers(unit="£m")),
        ("Rutland,2024-25,8400000", "−£8.4m", "--deficits-positive", Answers(deficits_positive=True)),
        ("Kent,2024-25,97500000", "−£97.5m", "--deficits-positive", Answers(deficits_positive=True)),
        ("Kent,2024-25,97500", "−£97.5m", "--deficits-positive", Answers(unit="£000", deficits_positive=True)),
    ],
)
def test_an_amount_that_fits_the_record_in_another_unit_or_sign_is_asked_about(
    row: str, reading: str, answer: str, answers: Answers, tmp_path: Path, panel: Panel
) -> None:
    content = f"authority,year,balance\n{row}\n"
    asked = refusal(panel, tmp_path / "mine.csv", content)
    assert "line 2" in asked
    assert reading in asked
    assert answer in asked
    assert "31 March" in asked
    taken = balances(read(panel, tmp_path / "mine.csv", content, answers))
    assert next(iter(taken.values())) == pytest.approx(-8.4e6 if "Rutland" in row else -97.5e6)
    literal = balances(read(panel, tmp_path / "mine.csv", content, Answers(accept=True)))
    assert next(iter(literal.values())) != next(iter(taken.values()))


def test_pounds_under_a_heading_of_thousands_are_asked_about(tmp_path: Path, panel: Panel) -> None:
    asked = refusal(panel, tmp_path / "mine.csv", "authority,year,balance £000\nRutland,2024-25,-8400000\n")
    assert "−£8.4m" in asked
    assert '"£"' in asked


def test_a_minus_under_a_heading_of_deficits_is_asked_about(tmp_path: Path, panel: Panel) -> None:
    asked = refusal(panel, tmp_path / "mine.csv", "authority,year,deficit\nKent,2024-25,-97500000\n")
    assert "£97.5m" in asked
    assert "−£97.5m" in asked


@pytest.mark.parametrize("amount", ["-137000000000", "1e308", "1e30", "-999999999999999"])
def test_an_amount_beyond_any_council_is_refused_whatever_is_answered(
    amount: str, tmp_path: Path, panel: Panel
) -> None:
    content = f"authority,year,balance\nRutland,2024-25,{amount}\n"
    assert amount in refusal(panel, tmp_path / "mine.csv", content, Answers(accept=True))


@pytest.mark.parametrize(
    "content",
    [
        "authority,year,balance\nKent,2024-25,-8,400,000\n",
        "authority,year,balance,status,note\nKent,2024-25,-8,400,000\n",
        "balance,authority,year\n-8,400,000,Kent,2024-25\n",
        "authority,year,balance,note\nKent,2024-25,-97,500\n",
        "Council,2024-25,2025-26\nKent,-97,500\n",
    ],
)
def test_commas_that_are_not_quoted_never_shift_an_amount(content: str, tmp_path: Path, panel: Panel) -> None:
    told = refusal(panel, tmp_path / "mine.csv", content)
    assert "line 2" in told
    assert "comma" in told or "quotes" in told


def test_an_accepted_amount_needs_no_further_answer(tmp_path: Path, panel: Panel) -> None:
    content = "authority,year,balance,accepted\nKent,2024-25,1200000,yes\n"
    assert balances(read(panel, tmp_path / "mine.csv", content)) == {(KENT, 2025): 1_200_000}


# Faults


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("Kant,2024-25,-50000000,", "did you mean 'Kent'"),
        ("Kent,2024-26,-50000000,", "2024-26"),
        ("Kent,soon,-50000000,", "soon"),
        ("Kent,31/12/2024,-50000000,", "31/12/2024"),
        ("Kent,2029-30,-50000000,outturn", "31 March 2030"),
        ("Cumbria,2024-25,-50000000,", "Cumbria did not exist on 31 March 2025"),
        ("Kent,2024-25,4.2%,", "4.2%"),
        ("Kent,2024-25,about 5m,", "about 5m"),
        ("Kent,2024-25,=1+1,", "=1+1"),
        ("Kent,2024-25,-9.75E+07,", "-9.75E+07"),
        ("Kent,2024-25,,", "not an amount"),
        ("Kent,2024-25,-,", "nil"),
        ("Kent,2024-25,-50000000,guess", "guess"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_its_line(
    row: str, words: str, tmp_path: Path, panel: Panel
) -> None:
    content = f"authority,year,balance,status\n\nKent,2023-24,-70m,\n{row}\nKent,2022-23,-60m,\n"
    told = refusal(panel, tmp_path / "mine.csv", content)
    assert "mine.csv" in told
    assert "line 4" in told
    assert words in told


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("authority,year,balance\n", "no amounts"),
        ("", "mine.csv"),
        ("Kent,2024-25,-97500000\n", "headings"),
        ("authority,yr,balance\nKent,2024-25,-97500000\n", "yr"),
        ("authority,year,balance,pupils\nKent,2024-25,-97500000,9\n", "pupils"),
        ("authority,year,balance £000 or £m\nKent,2024-25,-97500\n", "£000"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "mine.csv"),
        ("authority,year,balance\nKe\0nt,2024-25,-97500000\n", "mine.csv"),
        (b"PK\x03\x04 cut short", "mine.csv"),
        ('authority,year,balance,note\nKent,2024-25,-97.5m,"so\nSurrey,2024-25,-90m,x\n', "quotation mark"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_what_it_lacks(
    content: str | bytes, words: str, tmp_path: Path, panel: Panel
) -> None:
    assert words in refusal(panel, tmp_path / "mine.csv", content)


def test_all_faults_of_a_file_are_named_at_once_and_nothing_is_kept(
    tmp_path: Path, folder: Path, panel: Panel
) -> None:
    file = own_file(
        tmp_path / "mine.csv",
        "Kant,2024-25,-5000000,",
        "Kent,2024-25,-8400,",
        "Kent,25,-97.5m,",
        "Kent,2024,-70m,",
    )
    with pytest.raises(PanelError, match=r"(?s)line 2: .*line 3: .*line 4: "):
        keep_own(file, panel.frame, panel.authorities)
    assert not folder.exists()


def test_one_kind_of_figure_twice_for_a_council_and_year_is_refused(tmp_path: Path, panel: Panel) -> None:
    told = refusal(panel, tmp_path / "mine.csv", "authority,year,balance\nKent,2024-25,-97.5m\n886,2024/25,-96m\n")
    assert "line 3" in told
    assert "line 2" in told


# What is kept


def test_what_is_kept_reads_as_the_same_figures_without_answers(
    tmp_path: Path, folder: Path, panel: Panel
) -> None:
    file = own_file(tmp_path / "mine.csv", "Kent,2024-25,97500,", "Rutland,2024-25,-700,", "Kent,2030-31,250000,")
    kept, figures = keep_own(
        file, panel.frame, panel.authorities, Answers(unit="£000", deficits_positive=True, accept=True)
    )
    assert kept.parent == folder
    again = read_own(kept, panel.frame, panel.authorities)
    assert balances(again) == balances(figures) == {(KENT, 2025): -97_500_000, (RUTLAND, 2025): 700_000}
    assert paths(again) == paths(figures)
    file.unlink()
    assert d.load_panel(own="mine.csv").frame.at[(KENT, 2025), "balance"] == -97_500_000


def test_a_path_that_is_missing_never_means_a_kept_copy(tmp_path: Path, folder: Path, panel: Panel) -> None:
    keep_own(own_file(tmp_path / "mine.csv", "Kent,2024-25,-97500000,"), panel.frame, panel.authorities)
    with pytest.raises(PanelError, match="no file"):
        find(tmp_path / "nowhere" / "mine.csv")
    with pytest.raises(PanelError, match=r"did you mean 'mine.csv'"):
        find("mine2.csv")
    assert find("mine.csv") == folder / "mine.csv"


def test_a_newer_file_of_a_kept_name_is_not_passed_over(tmp_path: Path, folder: Path, panel: Panel) -> None:
    here = own_file(Path("mine.csv"), "Kent,2024-25,-97500000,")
    kept, _ = keep_own(here, panel.frame, panel.authorities)
    assert find("mine.csv") == kept
    os.utime(here, (kept.stat().st_mtime + 60,) * 2)
    with pytest.raises(PanelError, match="newer"):
        find("mine.csv")
    assert find("./mine.csv") == Path("mine.csv")


@pytest.mark.parametrize("name", [f"{'a' * 90}.csv", "a\nb.csv", ".csv.csv", "a\\b.csv"])
def test_a_name_that_no_report_takes_is_not_kept(name: str, tmp_path: Path, folder: Path, panel: Panel) -> None:
    with pytest.raises(PanelError, match="rename"):
        keep_own(own_file(tmp_path / name, "Kent,2024-25,-97500000,"), panel.frame, panel.authorities)
    assert not folder.exists()
