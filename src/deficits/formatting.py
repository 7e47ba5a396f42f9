"""Money, shares, years and days as a reader sees them and as people and publishers write them."""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache

from deficits.errors import PanelError

MINUS = "\N{MINUS SIGN}"
UNDATED = "9999-12-31"
"""Sorts after every day."""


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
    """A range in words, low first; one amount where both ends read the same.

    Both ends are in the unit that the larger needs, so that they compare at a glance.

    >>> gbp_range(5.1e9, 6.3e9), gbp_range(974e6, 1.21e9), gbp_range(-2e6, 400), gbp_range(6.31e9, 6.34e9)
    ('£5.1bn to £6.3bn', '£1.0bn to £1.2bn', '−£2.0m to £0.0m', '£6.3bn')
    """
    if gbp(low, places) == gbp(high, places):
        return gbp(low, places)
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{gbp(low, places)} to {gbp(high, places)}"
    size = max(abs(low), abs(high))
    for unit, pounds in (("bn", 1e9), ("m", 1e6)):
        if round(size / 1e6, places) >= pounds / 1e6:
            return f"{_in(low, pounds, unit, places)} to {_in(high, pounds, unit, places)}"
    return f"{gbp(low, places)} to {gbp(high, places)}"


def millions(value: float) -> str:
    """Pounds in £m whatever their size, for a table in one unit.

    >>> millions(-202_325), millions(3.7e6), millions(4)
    ('−£0.2m', '£3.7m', '£0.0m')
    """
    return _in(value, 1e6, "m", 1)


def _in(value: float, pounds: float, unit: str, places: int) -> str:
    shown = f"{abs(value) / pounds:,.{places}f}"
    finer = f"{abs(value) / pounds:.{places + 1}f}"
    if not shown.strip("0.") and finer.strip("0."):
        shown = finer
    sign = MINUS if value < 0 and shown.strip("0.,") else ""
    return f"{sign}£{shown}{unit}"


def two_figures(value: float) -> float:
    """A number to the two figures that an estimate for a council is known to; 0 for less than half a pound.

    >>> two_figures(657.1e6), two_figures(-18_540_000), two_figures(0.2)
    (660000000.0, -19000000.0, 0.0)
    """
    return 0.0 if abs(value) < 0.5 else float(f"{value:.2g}")


def estimate(value: float) -> str:
    """Estimated pounds, to the two figures that an estimate for a council is known to.

    >>> estimate(657.1e6), estimate(-18_540_000), estimate(9.64e6), estimate(322_881), estimate(0.2)
    ('£660m', '−£19m', '£9.6m', '£320,000', '£0')
    """
    rounded = two_figures(value)
    return gbp(rounded, 0 if abs(rounded) >= 1e10 or 1e7 <= abs(rounded) < 1e9 else 1)


def estimate_range(low: float, high: float, *, unit: str = "") -> str:
    """A range of estimated pounds, each end to two figures, both in the unit given or that the larger needs.

    >>> estimate_range(111.7e6, 235.8e6), estimate_range(322_881, 11.6e6), estimate_range(974e6, 1.21e9)
    ('£110m to £240m', '£0.3m to £12m', '£1.0bn to £1.2bn')
    >>> estimate_range(-810_000, -670_000, unit="£m"), estimate_range(31_000, 12e6)
    ('−£0.8m to −£0.7m', '£0.03m to £12m')
    """
    return between(*in_one_unit(low, high, unit))


def in_one_unit(low: float, high: float, given: str = "") -> list[str]:
    """Two estimates (£) as by `estimate`, both in one unit."""
    ends = [estimate(low), estimate(high)]
    for unit, pounds in (("bn", 1e9), ("m", 1e6)):
        if given == f"£{unit}" or any(end.endswith(unit) for end in ends):
            return [
                end if end.endswith(unit) or end == "£0" else _in(value, pounds, unit, 1)
                for end, value in zip(ends, (low, high), strict=True)
            ]
    return ends


NEAR, FAR, FAR_AHEAD = 100_000_000, 500_000_000, 4
"""£: what England's deficit is known to until, and from, so many years after the newest balances."""


def england_estimate(value: float, years_ahead: int = 0) -> float:
    """An estimate for England, £, rounded to what is known of it so many years after the newest balances.

    What is below £1bn is to two figures.

    >>> england_estimate(6_482_100_000, 2), england_estimate(17_610_000_000, 4), england_estimate(631_700_000)
    (6500000000.0, 17500000000.0, 630000000.0)
    """
    if abs(value) < 1e9:
        return two_figures(value)
    step = FAR if years_ahead >= FAR_AHEAD else NEAR
    return round(value / step) * float(step) if math.isfinite(value) else value


def england_range(low: float, high: float, years_ahead: int = 0, *, unit: str = "") -> str:
    """An estimated range for England, rounded to what is known of it; below £1bn as by `estimate_range`.

    >>> england_range(13.91e9, 20.38e9), england_range(13.91e9, 20.38e9, 4), england_range(631.7e6, 732.7e6)
    ('£13.9bn to £20.4bn', '£14.0bn to £20.5bn', '£630m to £730m')
    """
    if max(abs(low), abs(high)) < 1e9:
        return estimate_range(low, high, unit=unit)
    return gbp_range(england_estimate(low, years_ahead), england_estimate(high, years_ahead))


def balance(value: float, write: Callable[[float], str] = gbp) -> str:
    """A balance (£, negative = deficit) in words; an estimated one is written by `estimate`.

    >>> balance(-67_167_405), balance(-67_167_405, estimate), balance(2e6), balance(0.2)
    ('deficit of £67.2m', 'deficit of £67m', 'surplus of £2.0m', 'balance of £0')
    """
    if gbp(value) == gbp(0):
        return "balance of £0"
    return f"{'deficit' if value < 0 else 'surplus'} of {write(abs(value))}"


def balance_range(low: float, high: float) -> str:
    """A range of estimated balances in words, the smaller amount first.

    >>> balance_range(-9e6, -3e6), balance_range(-27e6, 120_000), balance_range(2e6, 2e6)
    ('a deficit of £3.0m to £9.0m', 'between a deficit of £27m and a surplus of £0.1m', 'a surplus of £2.0m')
    """
    worst, best = (balance(value, estimate).partition(" of ")[0] for value in (low, high))
    if worst == best:
        return f"a {worst} of {estimate_range(*sorted((abs(low), abs(high))))}"
    ends = in_one_unit(abs(low), abs(high))
    return f"between a {worst} of {ends[0]} and a {best} of {ends[1]}"


def between(low: str, high: str) -> str:
    """Two ends in words, or one where they read the same.

    >>> between("117", "121"), between("37%", "37%")
    ('117 to 121', '37%')
    """
    return low if low == high else f"{low} to {high}"


def number_range(low: float, high: float) -> str:
    """A range of estimated numbers, each end to two figures.

    >>> number_range(195_875, 240_555), number_range(1134, 1134)
    ('200,000 to 240,000', '1,100')
    """
    return between(*(f"{two_figures(value):,.0f}" for value in (low, high)))


def percent(share: float, places: int = 0) -> str:
    """A share (0 to 1) as a percentage; never a bare 0% or 100% for what is only nearly so.

    >>> percent(0.434), percent(0.9997), percent(1.0), percent(0.0004), percent(-0.003)
    ('43%', 'over 99%', '100%', 'under 1%', '−0.3%')
    """
    if not math.isfinite(share):
        return "not available"
    shown = f"{100 * share:.{places}f}%"
    if places == 0 and 0 < share < 0.005:
        return "under 1%"
    if places == 0 and 0.995 <= share < 1:
        return "over 99%"
    if places == 0 and -0.005 < share < 0:
        return percent(share, 1)
    return shown.replace("-", MINUS if shown.strip("-0.%") else "")


def chance(share: float) -> str:
    """A share of simulations as a chance: what happens in all of them, or in none, is still not certain.

    >>> chance(0.434), chance(1.0), chance(0.0)
    ('43%', 'over 99%', 'under 1%')
    """
    return percent(min(max(share, 0.001), 0.999))


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


_STYLES = (
    re.compile(r"(?P<start>\d{4})\s*(?:[-/–—]|to)\s*(?P<end>\d{2}|\d{4})"),  # 2024-25, 2024/25, 2024 to 2025
    re.compile(r"(?P<start>\d{4})(?P<end>\d{2})"),  # 202425
    re.compile(r"FY\s*(?:20)?(?P<end>\d{2})", re.IGNORECASE),  # FY25 and FY2025 end in March 2025
)


@cache
def year_of(label: str) -> int:
    """The financial year (named by the calendar year it ends in) of a published label.

    >>> [year_of(label) for label in ("2024-25", "2024/25", "202425", "2024 to 2025", "FY25", "1999-00")]
    [2025, 2025, 2025, 2025, 2025, 2000]

    A calendar year alone is refused: a publisher's 2024 may mean 2023-24 or 2024-25.
    """
    text = str(label).strip()
    for style in _STYLES:
        match = style.fullmatch(text)
        if match is None:
            continue
        parts = match.groupdict()
        if "start" not in parts:
            return 2000 + int(parts["end"])
        year = int(parts["start"]) + 1
        if year % 100 != int(parts["end"]) % 100 or (len(parts["end"]) == 4 and int(parts["end"]) != year):
            raise PanelError(f"'{text}' is not one year: the year that starts in {parts['start']} ends in {year}")
        return year
    if re.fullmatch(r"\d{4}", text):
        start = int(text)
        raise PanelError(
            f"'{text}' may be the year to or from March {text}: write '{start - 1}-{start % 100:02d}' or "
            f"'{start}-{(start + 1) % 100:02d}'"
        )
    raise PanelError(f"'{text}' is not a financial year like '2024-25'")


def year_given(value: int | str) -> int:
    """The year that a person means: 2025 is the year to 31 March 2025, as everywhere here, or a label.

    >>> year_given(2025), year_given("2025"), year_given("2024-25"), year_given("31 March 2025")
    (2025, 2025, 2025, 2025)
    """
    text = str(value).strip()
    text = re.sub(r"^(?:at|as at)?\s*31(?:st)?\s+mar(?:ch)?\s+", "", text, flags=re.IGNORECASE)
    if re.fullmatch(r"(19|20)\d\d(\.0)?", text):
        return int(float(text))
    return year_of(text)


def last_day(published: object) -> str:
    """The day by which something was public, for a date known to the day, the month or the year.

    >>> last_day("2025-06"), last_day("2024"), last_day("2024-12-12"), last_day("2024-02")
    ('2025-06-30', '2024-12-31', '2024-12-12', '2024-02-29')

    What carries no date is not known to have been public by any: it sorts after every day.
    """
    if not isinstance(published, str) or not published:
        return UNDATED
    if len(published) == 4:
        return f"{published}-12-31"
    if len(published) == 7:
        year, month = map(int, published.split("-"))
        return f"{published}-{monthrange(year, month)[1]}"
    return published


def iso_day(value: str | date, name: str = "as_of") -> str:
    """A real day as ISO text, from text, a date, a datetime or a pandas Timestamp; PanelError for anything else.

    >>> iso_day("2025-09-17"), iso_day(date(2025, 9, 17))
    ('2025-09-17', '2025-09-17')
    """
    try:
        # pandas' NaT is a date to Python.
        text = value.isoformat()[:10] if isinstance(value, date) else value
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text).isoformat()
    except (TypeError, ValueError):
        pass
    raise PanelError(f"{name} '{value}' is not a day: give one like '2025-09-17', or a date")


def day_in_words(day: str | date) -> str:
    """A day as it is written; a month or a year alone stays one.

    >>> day_in_words("2023-02-28"), day_in_words("2026-02"), day_in_words("2026")
    ('28 February 2023', 'February 2026', '2026')
    """
    text = day.isoformat()[:10] if isinstance(day, date) else day
    if len(text) == 4:
        return text
    if len(text) == 7:
        return f"{date.fromisoformat(f'{text}-01'):%B %Y}"
    when = date.fromisoformat(text)
    return f"{when.day} {when:%B %Y}"


def the(name: str) -> str:
    """The name of a region or a scheme with its article, where it takes one in a sentence.

    >>> the("South West"), the("London"), the("High Needs Stability Grant"), the("All of the deficit")
    ('the South West', 'London', 'the High Needs Stability Grant', 'All of the deficit')
    """
    takes = r"(North|South) (East|West)|(East|West) Midlands|East of England|High Needs Stability Grant"
    return f"the {name}" if re.match(takes, name) else name


def reported_by(publisher: str, address: str) -> str:
    """Who published something and, where the address is neither theirs nor a public body's, who reported it.

    >>> reported_by("DfE, white paper", "https://www.example.org/a"), reported_by("DfE", "https://www.gov.uk/a")
    ('DfE, white paper, as reported by example.org', 'DfE')
    >>> reported_by("Schools Week", "https://schoolsweek.co.uk/a")
    'Schools Week'
    """
    host = address.removeprefix("second-hand, via ").split("/")[2].removeprefix("www.")
    own = host.endswith(("gov.uk", "parliament.uk")) or host.split(".")[0] in slug(publisher).replace("-", "")
    return publisher if own else f"{publisher}, as reported by {host}"


def slug(text: str) -> str:
    """A name as part of a file's name or of an address.

    >>> slug("Bristol, City of")
    'bristol-city-of'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words in a sentence; divided by semicolons where one of them has a comma.

    >>> listed(["Kent"]), listed(["Kent", "Essex"]), listed(["Kent", "Essex", "Bury"])
    ('Kent', 'Kent and Essex', 'Kent, Essex and Bury')
    >>> listed(["Kent", "Bristol, City of", "Bury"])
    'Kent; Bristol, City of; and Bury'
    """
    if len(words) > 2 and any("," in word for word in words):
        return f"{'; '.join(words[:-1])}; {last} {words[-1]}"
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
