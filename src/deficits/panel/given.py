"""Amounts, shares and years as a person types them; ValueError says what was found and what was expected."""

from __future__ import annotations

from datetime import date, datetime

from deficits.errors import PanelError
from deficits.formatting import year_given
from deficits.publications.files import number


def amount_given(value: object) -> float:
    """£ from a number or a text.

    >>> amount_given("£150m"), amount_given("150,000,000"), amount_given("-8.4e6"), amount_given("(£250k)")
    (150000000.0, 150000000.0, -8400000.0, -250000.0)
    """
    found = number(value, units=True)
    if found is None:
        raise ValueError(f"'{value}' is not an amount in pounds: give it like £150m or 150,000,000")
    return found


def rate_given(value: object) -> float:
    """A share or a rate of growth, from a number or a text.

    >>> rate_given("-1.5%"), rate_given(0.9), rate_given("4.05 %")
    (-0.015, 0.9, 0.0405)
    """
    text = str(value).strip()
    found = number(text.removesuffix("%"))
    if found is None or isinstance(value, bool):
        raise ValueError(f"'{value}' is not a share: give it like 90% or 0.9")
    return round(found / 100, 12) if text.endswith("%") else found


def share_given(value: object) -> float:
    """A share from 0 to 1.

    >>> share_given("90%"), share_given(0.9)
    (0.9, 0.9)
    """
    share = rate_given(value)
    if not 0 <= share <= 1:
        hint = f"; {share:g}% is {share / 100:g}" if 1 < share <= 100 else ""
        raise ValueError(f"found {value}, expected a share from 0 to 1{hint}")
    return share


def ending_year(value: object) -> int:
    """The year that a financial year ends in, from "2027-28", "2028" or 2028.

    >>> ending_year("2027-28"), ending_year(2028), ending_year("31 March 2028")
    (2028, 2028, 2028)
    """
    try:
        return year_given(str(value))
    except PanelError as error:
        raise ValueError(str(error)) from None


def whole_given(value: object) -> int:
    """A whole number.

    >>> whole_given("4,000"), whole_given(1)
    (4000, 1)
    """
    found = number(value)
    if found is None or found != int(found):
        raise ValueError(f"'{value}' is not a whole number: give it like 4000")
    return int(found)


def day_given(value: object) -> date:
    """A day, from a text.

    >>> day_given("30 November 2026"), day_given("30/11/2026"), day_given("2026-11-30")
    (datetime.date(2026, 11, 30), datetime.date(2026, 11, 30), datetime.date(2026, 11, 30))
    """
    for form in ("%Y-%m-%d", "%d/%m/%Y", "%d %B %Y", "%d %b %Y"):
        try:
            return datetime.strptime(str(value).strip(), form).date()
        except ValueError:
            continue
    raise ValueError(f"'{value}' is not a day: give it like 2026-11-30 or 30 November 2026")
