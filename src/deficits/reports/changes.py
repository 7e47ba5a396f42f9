"""What changed since the last run of a page: its figures, its data, its parameters and its code, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from deficits.formatting import (
    day_in_words,
    england_range,
    estimate_range,
    financial_year,
    gbp,
    percent,
    year_end,
)
from deficits.reports.record import RunContent, RunRecord, differing

QUANTILE = re.compile(r"(?P<base>.+)_p(?P<part>10|50|90)")
AT = re.compile(r"(?P<words>.+)_(?P<year>20\d\d)")
SHARES = frozenset({"chance", "share", "within"})
"""Words in the name of a headline value that is a share."""
COUNTED = frozenset({"councils", "short"})
"""Words in the name of a range that is of a number of councils or places: the others are of pounds."""
SHORT_FOR = {"dsg": "DSG", "crps": "CRPS", "ehc": "EHC", "5bn": "£5bn", "80": "80%", "50": "50%"}

Value = float | int | str
Figure = Mapping[str, Value]
"""A headline figure: its value under "", or its percentiles under "10", "50" and "90"."""


@dataclass(frozen=True)
class Moved:
    """A headline figure that is not what it was."""

    label: str
    before: str
    now: str


@dataclass(frozen=True)
class Changes:
    """What differs from the last run; `since` is its date, None when there was none."""

    since: date | None = None
    figures: tuple[Moved, ...] = ()
    data: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    code: tuple[str, ...] = ()

    def causes(self) -> list[str]:
        """All but the figures, a line each."""
        return [
            *(f"Data: {each}" for each in self.data),
            *(f"Parameter {each}" for each in self.parameters),
            *self.code,
        ]

    @property
    def none(self) -> bool:
        """Whether nothing differs."""
        return not (self.figures or self.causes())


def changes(before: RunRecord | None, now: RunContent) -> Changes:
    """What differs between the last good run of a page and this one."""
    if before is None:
        return Changes()
    then = before.content
    return Changes(
        since=before.run_on,
        figures=tuple(_figures(then.headline, now.headline, of_a_council=now.report == "authority")),
        data=tuple(_data(then.data, now.data)),
        parameters=tuple(_values(then.parameters, now.parameters)),
        code=tuple(_code(then, now)),
    )


# Figures --------------------------------------------------------------------------------------------------------


def _figures(then: Mapping[str, Value], now: Mapping[str, Value], of_a_council: bool) -> Iterator[Moved]:
    before, after = grouped(then), grouped(now)
    for name in {**after, **before}:
        old, new = (figure(name, values.get(name, {}), of_a_council) for values in (before, after))
        if old != new:
            yield Moved(label(name), old, new)


def grouped(headline: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """Headline values by figure: one under "", or its percentiles together."""
    found: dict[str, dict[str, Value]] = {}
    for name, value in headline.items():
        quantile = QUANTILE.fullmatch(name)
        base, part = (quantile["base"], quantile["part"]) if quantile else (name, "")
        found.setdefault(base, {})[part] = value
    return found


def label(name: str) -> str:
    """A headline value's name in words.

    >>> label("gross_deficit_2026"), label("chance_of_5bn_2026"), label("plans")
    ('Gross deficit at 31 March 2026', 'Chance of £5bn at 31 March 2026', 'Plans')
    """
    dated = AT.fullmatch(name)
    words = [SHORT_FOR.get(word, word) for word in (dated["words"] if dated else name).split("_")]
    text = " ".join(words) + (f" at {year_end(int(dated['year']))}" if dated else "")
    return text[:1].upper() + text[1:]


def figure(name: str, found: Figure, of_a_council: bool = False) -> str:
    """A headline figure as its page has it, a range first; an estimate for a council is to two figures.

    >>> figure("net_2026", {"10": 5.18e9, "50": 5.61e9, "90": 6.02e9}), figure("within_80", {"": 0.856})
    ('£5.2bn to £6.0bn, central estimate £5.6bn', '86%')
    >>> figure("balance_2026", {"10": -235_800_000, "50": -172_900_000, "90": -111_700_000}, of_a_council=True)
    '−£240m to −£110m, central estimate −£170m'
    >>> figure("england_left_2026", {"10": 630_000_000, "50": 680_000_000, "90": 730_000_000})
    '£630m to £730m, central estimate £680m'
    >>> figure("places_short_2031", {"10": 35867, "90": 91176})
    '35,867 to 91,176'
    """
    if not found:
        return "not given"
    if {"10", "90"} <= found.keys() and not COUNTED & set(name.split("_")):
        low, high = float(found["10"]), float(found["90"])
        if gbp(low) == gbp(high):
            return gbp(low)
        between = estimate_range if of_a_council else england_range
        middle = f", central estimate {between(*[float(found['50'])] * 2)}" if "50" in found else ""
        return between(low, high) + middle
    ends = [value for part, value in found.items() if part != "50"] or found.values()
    return " to ".join(_value(name, value) for value in ends)


def _value(name: str, value: Value) -> str:
    if isinstance(value, str):
        return value
    if SHARES & set(name.split("_")):
        return percent(float(value))
    if isinstance(value, float):
        return gbp(value) if abs(value) >= 1000 else f"{value:,.3g}"
    return financial_year(value) if name.startswith("newest") and 1900 < value < 2100 else f"{value:,}"


# Data, parameters, code -----------------------------------------------------------------------------------------


def _data(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """A line for each publication of which a file has changed."""
    from deficits.raw import raw_data

    by_folder: dict[str, list[str]] = {}
    for file in differing(then, now):
        by_folder.setdefault(file.partition("/")[0], []).append(file)
    for folder, files in by_folder.items():
        counts = {
            "new": sum(file not in then for file in files),
            "changed": sum(file in then and file in now for file in files),
            "no longer used": sum(file not in now for file in files),
        }
        said = ", ".join(
            f"{count} file{'' if count == 1 else 's'} {what}" for what, count in counts.items() if count
        )
        source = raw_data().sources.get(folder)
        if source is None:
            yield f"{'Your own figures' if folder == 'own' else folder}: {said}"
            continue
        told = f"{source.title}, from {source.publisher}: {said}"
        if source.newest:
            on = "on" if len(source.newest) == 10 else "in"
            told += f"; the newest now held was published {on} {day_in_words(source.newest)}"
        yield told


def _values(then: Mapping[str, object], now: Mapping[str, object]) -> Iterator[str]:
    for name in {**now, **then}:
        if then.get(name) != now.get(name):
            before, after = ("not set" if each.get(name) is None else each[name] for each in (then, now))
            yield f"{name.replace('_', ' ')}: {before} before, {after} now"


def _code(then: RunContent, now: RunContent) -> Iterator[str]:
    if (then.ran, then.notebook) != (now.ran, now.notebook):
        what = "The page's notebook" if then.ran == now.ran else "The code"
        versions = "" if then.code == now.code else f". Before: {then.code}. Now: {now.code}"
        yield f"{what} has changed{versions}"
    if then.python != now.python:
        yield f"Python {then.python} before, {now.python} now"
    if packages := list(_values(then.packages, now.packages)):
        yield f"Packages: {'; '.join(packages)}"
