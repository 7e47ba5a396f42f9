"""Numbers in every style come back as they were; symbols have a reason; columns are found by what they mean."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deficits.errors import SourceError
from deficits.publications.cells import REASONS, columns_by_meaning, heading, number, numbers, reason

WHOLE = st.integers(-(10**13), 10**13)
PENCE = st.integers(-(10**12), 10**12).map(lambda pence: pence / 100)

STYLES = {
    "plain": lambda x: f"{x}",
    "thousands": lambda x: f"{x:,}",
    "pounds": lambda x: f"£{x:,}" if x >= 0 else f"-£{-x:,}",
    "pounds, sign inside": lambda x: f"£{x:,}",
    "brackets": lambda x: f"({-x:,})" if x < 0 else f"{x:,}",
    "brackets and pounds": lambda x: f"(£{-x:,})" if x < 0 else f"£{x:,}",
    "minus sign": lambda x: f"{x:,}".replace("-", "\u2212"),
    "en dash": lambda x: f"{x:,}".replace("-", "\u2013"),
    "plus": lambda x: f"{x:+,}",
    "spaces around": lambda x: f"\u00a0 {x:,} ",
    "narrow spaces within": lambda x: f"{x:,}".replace(",", "\u202f"),
    "byte-order mark": lambda x: f"\ufeff{x}",
}


@pytest.mark.parametrize("style", STYLES)
@given(x=WHOLE)
def test_a_whole_number_comes_back_from_every_style(style: str, x: int) -> None:
    assert number(STYLES[style](x)) == x


@pytest.mark.parametrize("style", STYLES)
@given(x=PENCE)
def test_pence_come_back_from_every_style(style: str, x: float) -> None:
    found = number(STYLES[style](x) if x else "0")
    assert found == pytest.approx(x, rel=1e-15, abs=1e-9)


@given(x=st.floats(allow_nan=False, allow_infinity=False))
def test_a_workbooks_number_and_its_scientific_text_come_back(x: float) -> None:
    assert number(x) == x
    assert number(repr(x)) == x


@given(x=st.integers(-10_000, 10_000), unit=st.sampled_from([("m", 1e6), ("bn", 1e9), ("k", 1e3)]))
def test_a_unit_behind_the_number_scales_it(x: int, unit: tuple[str, float]) -> None:
    assert number(f"£{x}{unit[0]}") == x * unit[1]


@pytest.mark.parametrize(
    "nothing", [None, math.nan, math.inf, True, "", "-", "about 5", "1,23", "(5", "--5", "1e999"]
)
def test_what_is_no_number_is_none(nothing: object) -> None:
    assert number(nothing) is None


@pytest.mark.parametrize("symbol", REASONS)
def test_every_symbol_has_its_reason_and_is_no_number(symbol: str) -> None:
    assert number(symbol) is None
    assert reason(f" {symbol.upper()} ") == REASONS[symbol]


@given(st.text(max_size=12))
def test_a_cell_is_a_number_or_has_a_reason_or_is_refused(cell: str) -> None:
    column = pd.Series([cell], index=[9])
    if number(cell) is None and reason(cell) is None:
        with pytest.raises(SourceError, match=r"a\.csv.*line 9"):
            numbers(column, "a.csv")
    elif "%" not in cell:
        values, reasons = numbers(column, "a.csv")
        assert values.notna().iloc[0] != reasons.notna().iloc[0]


def test_zero_stays_zero_and_a_symbol_is_not_filled_in() -> None:
    values, reasons = numbers(pd.Series(["0", "x", 0.0]), "a.csv", scale=1000)
    assert values.tolist()[::2] == [0, 0]
    assert math.isnan(values[1])
    assert reasons[1] == "not available"


def test_a_percentage_is_refused_unless_the_column_holds_percentages() -> None:
    column = pd.Series(["12.5%"], index=[4])
    with pytest.raises(SourceError, match=r"a\.csv: expected a number or a symbol, found line 4: '12\.5%'"):
        numbers(column, "a.csv")
    assert numbers(column, "a.csv", percentages=True)[0].tolist() == [12.5]


def test_every_cell_that_is_neither_is_told_at_once() -> None:
    column = pd.Series(["1", "two", "3", "four"], index=[2, 3, 4, 5])
    with pytest.raises(SourceError, match="line 3: 'two'; line 5: 'four'"):
        numbers(column, "a.csv")


HEADINGS = ("Time_Period", "old_la_code", "LA name", "1.2.1 Top\u2013up funding", "Net\nexpenditure")
WANTED = {
    "year": ("time_period", "year"),
    "code": ("old_la_code",),
    "name": ("local authority", "la name"),
    "topup": ("1.2.1 top-up funding",),
    "net": ("net expenditure",),
}


@given(order=st.permutations(HEADINGS), added=st.lists(st.text(max_size=8).map("added {}".format), max_size=4))
def test_order_and_added_columns_change_nothing(order: list[str], added: list[str]) -> None:
    headings = [*added, *order]
    places = columns_by_meaning(headings, WANTED, "a.csv")
    assert [headings[place] for place in places.values()] == list(HEADINGS)


@given(order=st.permutations(HEADINGS), lost=st.sampled_from(list(WANTED)))
def test_a_needed_column_that_is_gone_is_named(order: list[str], lost: str) -> None:
    rest = [text for text in order if heading(text) not in WANTED[lost]]
    with pytest.raises(SourceError, match=rf"a\.csv: no column '{WANTED[lost][0]}' \({lost}\)"):
        columns_by_meaning(rest, WANTED, "a.csv")


def test_the_closest_heading_is_offered_and_a_heading_twice_is_refused() -> None:
    with pytest.raises(SourceError, match=r"no column 'old_la_code'.*did you mean 'old_la_cod'"):
        columns_by_meaning(["old_la_cod"], {"code": ("old_la_code",)}, "a.csv")
    with pytest.raises(SourceError, match="'year' stands 2 times"):
        columns_by_meaning(["year", "Year "], {"year": ("year",)}, "a.csv")
