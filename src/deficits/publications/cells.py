"""Cells of published tables: numbers in every style that publishers use, and what stands where there is none.

A zero stays a zero. Nothing is ever filled in: what is not a number is missing with a reason, or an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from deficits.errors import SourceError, closest

REASONS = {
    "": "blank",
    ":": "not available",
    "..": "not available",
    "x": "not available",
    "[x]": "not available",
    "…": "not returned",
    "...": "not returned",
    "z": "not applicable",
    "[z]": "not applicable",
    "n/a": "not applicable",
    "na": "not applicable",
    "c": "suppressed",
    "[c]": "suppressed",
    "low": "rounds to zero",
    "[low]": "rounds to zero",
    "k": "rounds to zero",
    "-": "blank",
    "–": "blank",
    "#ref!": "broken in the source",
    "#n/a": "broken in the source",
    "#div/0!": "broken in the source",
    "#value!": "broken in the source",
}
"""Symbol (folded to lower case) and what it says: explore education statistics' `:` `z` `x` `c` `low` `k`, the
Analysis Function's bracketed shorthand, MHCLG's `…` for a return not made, spreadsheet errors."""

_SPACES = re.compile(r"[\s\u00a0\u2009\u202f\ufeff]+")
_DASHES = str.maketrans({"\u2013": "-", "\u2014": "-", "\u2212": "-", "\u2010": "-", "\u2011": "-", "\x96": "-"})
PLAIN = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
"""Texts that are numbers whatever the publisher's style, so that they can be converted without a look at each."""
_NUMBER = re.compile(
    r"""
    (?P<open>\()?                       # (1,234) is minus 1,234
    (?P<sign>[-+])?
    £?(?P<inner>-)?                     # -£5 and £-5
    (?P<digits>\d{1,3}(?:,\d{3})+|\d+)?(?P<fraction>\.\d+)?(?P<power>[eE][-+]?\d+)?
    (?P<unit>bn|m|k|%)?
    (?(open)\))                         # a bracket that was opened is closed
    """,
    re.VERBOSE,
)
_SCALES = {"bn": 1e9, "m": 1e6, "k": 1e3, "%": 1.0, None: 1.0}


def number(cell: object) -> float | None:
    """The number in a cell, or None where there is none (a symbol or words).

    >>> number("(1,234)"), number("–£5.5m"), number("1e6"), number("12.5%"), number(7)
    (-1234.0, -5500000.0, 1000000.0, 12.5, 7.0)
    >>> number("x"), number("12,34"), number("") is None
    (None, None, True)
    """
    if isinstance(cell, bool) or cell is None:
        return None
    if isinstance(cell, int | float | np.number):
        return float(cell) if np.isfinite(cell) else None
    text = _SPACES.sub("", str(cell)).translate(_DASHES)
    match = _NUMBER.fullmatch(text)
    if match is None or not (match["digits"] or match["fraction"]):
        return None
    size = float((match["digits"] or "0").replace(",", "") + (match["fraction"] or "") + (match["power"] or ""))
    minus = [match["open"], match["sign"] == "-", match["inner"]]
    if sum(map(bool, minus)) > 1:
        return None
    value = (-size if any(minus) else size) * _SCALES[match["unit"]]
    return value if np.isfinite(value) else None


def reason(cell: object) -> str | None:
    """Why a cell holds no number, or None for words that are no known symbol.

    >>> reason("z"), reason(" [x] "), reason(None), reason("about 5")
    ('not applicable', 'not available', 'blank', None)
    """
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return REASONS[""]
    return REASONS.get(_SPACES.sub("", str(cell)).lower())


def numbers(
    column: pd.Series, where: str, scale: float = 1.0, percentages: bool = False
) -> tuple[pd.Series, pd.Series]:
    """A column's numbers (float64, times `scale`) and, where there is none, the reason (missing where there is).

    `where` names the file and column for a message; the column's index is taken as the line in the file.
    SourceError lists every cell that is neither a number nor a known symbol, and every `12%` in a column that is
    not said to hold `percentages`.

    >>> numbers(pd.Series(["1.5", "z"]), "a.csv", scale=1000)[0].tolist()
    [1500.0, nan]
    >>> numbers(pd.Series(["12%"], index=[7]), "a.csv")
    Traceback (most recent call last):
    deficits.errors.SourceError: a.csv: expected a number or a symbol, found line 7: '12%'
    """
    values = np.full(len(column), np.nan)
    reasons: list[str | None] = [None] * len(column)
    plain = _plain(column)
    values[plain] = column[plain].astype(float)
    unknown = []
    for place in np.flatnonzero(~plain):
        cell = column.iloc[place]
        value = None if not percentages and isinstance(cell, str) and "%" in cell else number(cell)
        if value is not None:
            values[place] = value
            continue
        reasons[place] = reason(cell)
        if reasons[place] is None:
            unknown.append(f"line {column.index[place]}: '{cell}'")
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise SourceError(f"{where}: expected a number or a symbol, found {'; '.join(unknown[:5])}{more}")
    return pd.Series(values * scale, index=column.index), pd.Series(reasons, index=column.index, dtype="str")


def _plain(column: pd.Series) -> npt.NDArray[np.bool_]:
    """Which cells of a column of texts are plain digits: nearly every cell of a big file, read all at once."""
    if not isinstance(column.dtype, pd.StringDtype):
        return np.zeros(len(column), dtype=bool)
    return np.asarray(column.str.fullmatch(PLAIN.pattern), dtype=bool)


def heading(text: object) -> str:
    """A column's heading as a declared mapping knows it: lower case, single spaces, plain dashes, no mark before.

    >>> heading("\\ufeffTime_Period"), heading("1.2.1  Top–up funding\\n(state)")
    ('time_period', '1.2.1 top-up funding (state)')
    """
    plain = str(text).translate(_DASHES).replace("\ufeff", "")
    return re.sub(r"\s+", " ", plain).strip().lower()


def columns_by_meaning(
    headings: Iterable[object], wanted: dict[str, tuple[str, ...]], where: str
) -> dict[str, int]:
    """Place of each wanted column among the headings, by any of the spellings it has had.

    `wanted` maps our name to the publisher's spellings (as `heading` gives them), the newest first. Columns that
    are not wanted, and their order, do not matter. SourceError names every wanted column that is not there, with
    the closest heading, and any that stands there twice.
    """
    folded = [heading(text) for text in headings]
    places: dict[str, int] = {}
    faults = []
    for name, spellings in wanted.items():
        found = [place for place, text in enumerate(folded) if text in spellings]
        if len(found) == 1:
            places[name] = found[0]
        elif found:
            faults.append(f"'{folded[found[0]]}' stands {len(found)} times")
        else:
            faults.append(f"no column '{spellings[0]}' ({name}), {closest(spellings[0], folded)}")
    if faults:
        raise SourceError(f"{where}: {'; '.join(faults)}")
    return places
