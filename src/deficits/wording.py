"""Numbers as a reader sees them: rounded once, here, with their unit."""

from __future__ import annotations

import math

MINUS = "\N{MINUS SIGN}"


def gbp(value: float, places: int = 1) -> str:
    """Pounds as £bn, £m or £, to `places` decimals (whole pounds below £1m).

    >>> gbp(3.8e9), gbp(-12_345_678), gbp(950)
    ('£3.8bn', '−£12.3m', '£950')
    >>> gbp(999_960_000), gbp(0)
    ('£1.0bn', '£0')
    """
    if not math.isfinite(value):
        return "not available"
    sign = MINUS if value < 0 else ""
    size = abs(value)
    if round(size / 1e6, places) >= 1000:
        return f"{sign}£{size / 1e9:,.{places}f}bn"
    if round(size / 1e6, places) >= 1:
        return f"{sign}£{size / 1e6:,.{places}f}m"
    whole = round(size)
    return f"{sign if whole else ''}£{whole:,}"


def gbp_range(low: float, high: float, places: int = 1) -> str:
    """A range in words, low first.

    Both ends are in the unit that the larger needs, so that they compare at a glance.

    >>> gbp_range(5.1e9, 6.3e9), gbp_range(974e6, 1.21e9), gbp_range(-2e6, 400)
    ('£5.1bn to £6.3bn', '£1.0bn to £1.2bn', '−£2.0m to £0.0m')
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{gbp(low, places)} to {gbp(high, places)}"
    size = max(abs(low), abs(high))
    for unit, pounds in (("bn", 1e9), ("m", 1e6)):
        if round(size / 1e6, places) >= pounds / 1e6:
            return f"{_in(low, pounds, unit, places)} to {_in(high, pounds, unit, places)}"
    return f"{gbp(low, places)} to {gbp(high, places)}"


def _in(value: float, pounds: float, unit: str, places: int) -> str:
    shown = f"{abs(value) / pounds:,.{places}f}"
    sign = MINUS if value < 0 and shown.strip("0.,") else ""
    return f"{sign}£{shown}{unit}"


def percent(share: float, places: int = 0) -> str:
    """A share (0 to 1) as a percentage; never a bare 0% or 100% for what is only nearly so.

    >>> percent(0.434), percent(0.9997), percent(1.0), percent(0.0004)
    ('43%', 'over 99%', '100%', 'under 1%')
    """
    if not math.isfinite(share):
        return "not available"
    shown = f"{100 * share:.{places}f}%"
    if places == 0 and 0 < share < 0.005:
        return "under 1%"
    if places == 0 and 0.995 <= share < 1:
        return "over 99%"
    return shown.replace("-", MINUS)


def financial_year(year: int) -> str:
    """The financial year that ends in `year`.

    >>> financial_year(2025), financial_year(2000)
    ('2024-25', '1999-00')
    """
    return f"{year - 1}-{year % 100:02d}"


def year_end(year: int) -> str:
    """The date on which a balance of `year` is measured.

    >>> year_end(2026)
    '31 March 2026'
    """
    return f"31 March {year}"
