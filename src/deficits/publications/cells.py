"""What a publisher's cell, heading or title says. A zero stays a zero; what is no number has a reason, or is a
fault."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path

import numpy as np

from deficits.errors import SourceError

_WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
REASONS: dict[str, str] = {symbol: reason for reason, symbols in _WORDS["symbols"].items() for symbol in symbols}
"""Why there is no number, by what publishers print there."""
Columns = dict[str, tuple[str, ...]]
"""Our name of each column and the publisher's spellings of its heading."""

_SPACES = re.compile(r"[\s\u00a0\u2009\u202f\ufeff]+")
_DASHES = str.maketrans({"\u2013": "-", "\u2014": "-", "\u2212": "-", "\u2010": "-", "\u2011": "-", "\x96": "-"})
_UNIT = "(?i:billion|bn|million|mn|m|thousand|k)"
_NUMBER = re.compile(
    rf"""
    (?:£(?=\())?(?P<open>\()?            # (1,234) and £(1,234) are minus 1,234
    (?P<sign>[-+])?
    £?(?P<inner>-)?                     # -£5 and £-5
    (?P<digits>\d{{1,3}}(?:,\d{{3}})+|\d+)?(?P<fraction>\.\d+)?
    (?P<power>e[-+]?\d+)?               # as R writes a round number; Excel's 1.05E+08 has lost digits
    (?P<unit>{_UNIT})?
    (?(open)\)(?P<after>{_UNIT})?)      # a bracket that was opened is closed: (5m) and (5)m
    """,
    re.VERBOSE,
)
_SCALES = {"b": 1e9, "m": 1e6, "t": 1e3, "k": 1e3, "": 1.0}
_YEAR = re.compile(r"(?<!\d)(20\d\d)\s*(?:[-/\u2013]|to|)\s*(?:20)?(\d\d)(?!\d)")


def columns_of(publication: str) -> dict[str, Columns]:
    """What `words.toml` says of a publication's columns, by group."""
    return {
        group: {name: tuple(spellings) or (name,) for name, spellings in columns.items()}
        for group, columns in _WORDS[publication].items()
    }


def number(cell: object, units: bool = False) -> float | None:
    """The number in a cell, or None where there is none: a symbol, words, a percentage, lost digits (1.05E+08).

    `units`: also read 5.5m, 950k and £1.2 billion, as people write them; publishers' columns hold plain numbers.

    >>> number("(1,234)"), number("–£5.50"), number("1e+05"), number(7), number("£5.5m", units=True)
    (-1234.0, -5.5, 100000.0, 7.0, 5500000.0)
    """
    if isinstance(cell, bool) or cell is None:
        return None
    if isinstance(cell, int | float | np.number):
        return float(cell) if np.isfinite(cell) else None
    match = _NUMBER.fullmatch(_SPACES.sub("", str(cell)).translate(_DASHES))
    unit = (match["unit"] or match["after"] or "") if match else ""
    if match is None or not (match["digits"] or match["fraction"]) or (unit and not units):
        return None
    minus = [match["open"], match["sign"] == "-", match["inner"]]
    if sum(map(bool, minus)) > 1:
        return None
    size = float((match["digits"] or "0").replace(",", "") + (match["fraction"] or "") + (match["power"] or ""))
    value = (-size if any(minus) else size) * _SCALES[unit[:1].lower()]
    return value if np.isfinite(value) else None


def reason(cell: object) -> str | None:
    """Why a cell holds no number, or None for words that are no known symbol."""
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return REASONS[""]
    text = _SPACES.sub("", str(cell)).lower()
    return REASONS.get(re.sub(r"^\[(\w+)\]$", r"\1", text))


def financial_year(text: object, source: str) -> str:
    """The first financial year that a title or a period names, as `2023-24`; SourceError where there is none.

    >>> [financial_year(text, "a.csv") for text in (202324, "2023/24", "2023 to 2024", "Outturn (RO) 2023-24")]
    ['2023-24', '2023-24', '2023-24', '2023-24']
    """
    for match in _YEAR.finditer(str(text)):
        if (int(match[1]) + 1) % 100 == int(match[2]):
            return f"{match[1]}-{match[2]}"
    shown = " ".join(str(text).split())[:80]
    raise SourceError(f"{source}: expected a financial year such as 2023-24, found '{shown}'")


@lru_cache(maxsize=1 << 13)
def heading(text: Hashable) -> str:
    """A heading without what its spellings differ in: case, spaces, underscores, dashes, a byte-order mark.

    >>> heading("\\ufeffTime_Period"), heading("1.2.1  Top–up funding\\n(state)")
    ('time period', '1.2.1 top-up funding (state)')
    """
    plain = str(text)
    plain = plain if plain.isascii() else plain.translate(_DASHES).replace("\ufeff", "")
    return " ".join(plain.replace("_", " ").split()).lower()
