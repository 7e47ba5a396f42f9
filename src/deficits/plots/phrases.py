"""How findings and text alternatives are put: years, thresholds, balances and changes in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date

from deficits.formatting import gbp, gbp_range, year_end


def slug(text: str) -> str:
    """Lower-case words joined by hyphens, for ids and file names.

    >>> slug("Bristol, City of"), slug("£5bn")
    ('bristol-city-of', '5bn')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def march(year: int) -> str:
    """The month of a balance, short enough for a headline.

    >>> march(2026)
    'March 2026'
    """
    return f"March {year}"


def period(years: Iterable[int]) -> str:
    """The dates that a figure spans.

    >>> period([2026, 2025]), period([2026])
    ('31 March 2025 to 31 March 2026', '31 March 2026')
    """
    known = {int(year) for year in years}
    first, last = min(known), max(known)
    return year_end(first) if first == last else f"{year_end(first)} to {year_end(last)}"


def round_gbp(value: float) -> str:
    """Pounds without a needless decimal, for thresholds.

    >>> round_gbp(5e9), round_gbp(4.5e9), round_gbp(-3e6)
    ('£5bn', '£4.5bn', '−£3m')
    """
    return re.sub(r"\.0(?=[bm])", "", gbp(value))


def short_date(published: str) -> str:
    """An ISO date as a reader writes it; anything else as it came.

    >>> short_date("2025-11-26"), short_date("2025-11"), short_date("autumn 2025")
    ('26 Nov 2025', 'Nov 2025', 'autumn 2025')
    """
    whole = re.fullmatch(r"\d{4}-\d{2}", published) is None
    try:
        day = date.fromisoformat(published if whole else f"{published}-01")
    except ValueError:
        return published
    return f"{day.day} {day:%b %Y}" if whole else f"{day:%b %Y}"


def change(first: float, last: float) -> str:
    """How an amount moves.

    >>> change(1e6, 2e6), change(1e6, 1.001e6)
    ('rises from £1.0m to £2.0m', 'stays at £1.0m')
    """
    if gbp(first) == gbp(last):
        return f"stays at {gbp(last)}"
    return f"{'rises' if last > first else 'falls'} from {gbp(first)} to {gbp(last)}"


def balance(value: float) -> str:
    """A signed balance in words.

    >>> balance(-3e6), balance(2e6), balance(0.2)
    ('deficit of £3.0m', 'surplus of £2.0m', 'balance of £0')
    """
    if gbp(value) == gbp(0):
        return "balance of £0"
    return f"{'deficit' if value < 0 else 'surplus'} of {gbp(abs(value))}"


def balance_range(low: float, high: float) -> str:
    """A range of signed balances in words, the smaller amount first.

    >>> balance_range(-9e6, -3e6), balance_range(-9e6, 1e6), balance_range(2e6, 2e6)
    ('deficit of £3.0m to £9.0m', 'deficit of £9.0m to surplus of £1.0m', 'surplus of £2.0m')
    """
    worst, best = balance(low), balance(high)
    if worst == best:
        return worst
    if worst.split()[0] == best.split()[0]:
        near, far = sorted((abs(low), abs(high)))
        return f"{worst.split()[0]} of {gbp_range(near, far)}"
    return f"{worst} to {best}"


def counted(number: int, thing: str) -> str:
    """A number with its noun.

    >>> counted(1, "forecast"), counted(9, "forecast")
    ('1 forecast', '9 forecasts')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
