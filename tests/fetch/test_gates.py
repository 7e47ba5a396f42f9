"""Files wrong as a whole do not pass; what one council moves is asked about; ordinary growth is neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from deficits.fetch import gates
from deficits.panel import Panel
from deficits.publications import Table

NEW = "section251-outturn/new.csv"
Change = Callable[[pd.Series], pd.Series]


def with_year(panel: Panel, figure: str, values: pd.Series, year: int) -> Panel:
    """The panel as it would be with a new file that has these values (by council) for a year."""
    frame = panel.frame.copy()
    codes = [code for code in values.dropna().index if (code, year) in frame.index]
    places = pd.MultiIndex.from_tuples([(code, year) for code in codes], names=frame.index.names)
    frame.loc[places, figure] = values[codes].to_numpy()
    frame.loc[places, f"{figure}_source"] = f"{NEW}:2"
    return replace(panel, frame=frame)


def findings(panel: Panel, figure: str, change: Change) -> gates.Findings:
    """What is found when the newest values held come again, changed, for the next year (or the last)."""
    wide = panel.figure(figure)
    newest = int(wide.columns[wide.notna().sum() > 100][-1])
    year = min(newest + 1, int(wide.columns[-1]))
    found = gates.Findings()
    gates.figures(panel, with_year(panel, figure, change(wide[newest]), year), [NEW], found)
    return found


def lacking(values: pd.Series) -> pd.Series:
    """Without the six councils that have not returned yet."""
    return values.drop(values.dropna().index[::26][:6])


def growing(values: pd.Series) -> pd.Series:
    """Deficits half as large again and more, surpluses run down."""
    return (values * 1.72).where(values < 0, values - 6e6)


@pytest.mark.parametrize("figure", ["balance_section251", "balance_mhclg"])
@pytest.mark.parametrize("change", [growing, lambda values: lacking(growing(values)), lambda values: values])
def test_growth_and_late_returns_pass(panel: Panel, figure: str, change: Change) -> None:
    assert findings(panel, figure, change) == gates.Findings()


@pytest.mark.parametrize("figure", ["plans", "high_needs_net_spend"])
def test_ordinary_growth_of_plans_and_spend_passes(panel: Panel, figure: str) -> None:
    wide = panel.figure(figure)
    first, second = wide.columns[wide.notna().sum() > 100][-2:]
    moves = wide[second] / wide[first]
    assert findings(panel, figure, lambda values: values * moves.clip(0.8, 1.3)) == gates.Findings()


@pytest.mark.parametrize("figure", ["balance_section251", "balance_mhclg"])
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda values: -values, "sign"),
        (lambda values: values * 1000, "thousand"),
        (lambda values: values / 1000, "thousand"),
        (lambda values: values * 0, "zero"),
    ],
)
def test_a_fault_of_the_whole_file_is_refused(panel: Panel, figure: str, change: Change, word: str) -> None:
    found = findings(panel, figure, change)
    assert len(found.refused) == 1
    assert word in found.refused[0]


@pytest.mark.parametrize("factor", [-1.0, 0.0, 10.0, 1000.0])
@pytest.mark.parametrize("figure", ["balance_section251", "balance_mhclg"])
def test_one_councils_wrong_balance_is_asked_about_by_name(panel: Panel, figure: str, factor: float) -> None:
    def change(values: pd.Series) -> pd.Series:
        return growing(values).where(values.index != "886", values * factor)

    asked = findings(panel, figure, change).asked
    assert len(asked) == 1
    assert "Kent" in asked[0]


@pytest.mark.parametrize(("figure", "factor"), [("plans", 0.3), ("dsg_total", 1.5), ("high_needs_net_spend", 3.0)])
def test_one_councils_wrong_count_is_asked_about(panel: Panel, figure: str, factor: float) -> None:
    asked = findings(panel, figure, lambda values: values.where(values.index != "886", values * factor)).asked
    assert len(asked) == 1
    assert "Kent" in asked[0]


def test_a_block_that_halves_everywhere_is_asked_about(panel: Panel) -> None:
    assert findings(panel, "high_needs_block", lambda values: values / 2).asked


def test_a_sum_that_departs_from_the_figure_for_england_is_asked_about(panel: Panel) -> None:
    found = gates.Findings()
    gates.national(panel, with_year(panel, "plans", panel.figure("plans")[2024] * 1.01, 2024), found)
    assert len(found.asked) == 1
    agreeing = gates.Findings()
    gates.national(panel, panel, agreeing)
    assert agreeing == gates.Findings()


def edition(panel: Panel, year: int, drop: int = 0) -> Table:
    codes = [str(code) for code in panel.authorities.in_year(year)][drop:]
    label = f"{year - 1}-{year % 100}"
    frame = pd.DataFrame({"financial_year": label, "dfe_number": codes, "balance_gbp": 1.0})
    return Table("carried_forward", frame, ("financial_year", "dfe_number"))


@pytest.mark.parametrize("year", [2023, 2024])
@pytest.mark.parametrize(("missing", "asked", "refused"), [(0, 0, 0), (3, 1, 0), (40, 0, 1)])
def test_councils_that_an_edition_has_lost(
    panel: Panel, year: int, missing: int, asked: int, refused: int
) -> None:
    """In a year that both have, or in the year after; a council that has ended meanwhile is not missed."""
    found = gates.Findings()
    held = gates.Held("held.csv", edition(panel, 2023).frame.astype(str), set())
    gates.coverage(edition(panel, year, missing), held, panel.authorities, found)
    assert (len(found.asked), len(found.refused)) == (asked, refused)


def test_of_the_cells_that_moved_none_that_stayed_is_named(panel: Panel) -> None:
    table = edition(panel, 2023)
    held = gates.Held("held.csv", table.frame.astype(str), {"2022-23"})
    table.frame.loc[0, "balance_gbp"] = 2.0
    said, *cells = gates.compare(table, held)
    assert "1 cells moved" in said
    assert [cell.strip() for cell in cells] == [f"2022-23, {table.frame.at[0, 'dfe_number']}: balance_gbp 1 to 2"]


def test_an_edition_held_without_the_key_is_compared_by_its_rows_alone() -> None:
    table = Table("agreements", pd.DataFrame({"dfe_number": ["886"], "total_payment_gbp": [1.0]}), ("dfe_number",))
    held = gates.Held("held.csv", pd.DataFrame({"la_name": ["Kent"], "total_payment_gbp": ["1"]}), set())
    (said,) = gates.compare(table, held)
    assert "1 rows added, 1 removed, 0 cells moved" in said
