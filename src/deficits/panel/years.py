"""A financial year as publishers write it."""

from __future__ import annotations

import re
from functools import cache

from deficits.errors import PanelError

_STYLES = (
    re.compile(r"(?P<start>\d{4})\s*[-/–—]\s*(?P<end>\d{2}|\d{4})"),  # 2024-25, 2024/25, 2024-2025
    re.compile(r"(?P<start>\d{4})(?P<end>\d{2})"),  # 202425
    re.compile(r"FY\s*(?:20)?(?P<end>\d{2})", re.IGNORECASE),  # FY25 and FY2025 end in March 2025
)


@cache
def year_of(label: str) -> int:
    """The financial year (named by the calendar year it ends in) of a published label.

    >>> [year_of(label) for label in ("2024-25", "2024/25", "202425", "2024-2025", "FY25", "1999-00")]
    [2025, 2025, 2025, 2025, 2025, 2000]

    A calendar year alone is refused: 2024 may mean 2023-24 or 2024-25.
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
