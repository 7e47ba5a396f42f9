"""An analyst's own figures: a council's closing balances and forecasts, in a file as finance officers type one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from deficits.authorities import Authorities
from deficits.errors import PanelError, closest
from deficits.formatting import UNDATED, financial_year, gbp, listed, year_end
from deficits.panel import choice
from deficits.panel.own_file import UNITS, Amount, Answers, amount_in, amounts, year_in
from deficits.paths import own_dir, write_whole
from deficits.publications.editions import CANDIDATE, KEY

if TYPE_CHECKING:
    from deficits.panel.panel import Panel

FALL, RISE = 1.2, 0.6
"""High needs blocks by which a balance may fall or rise in a year before it is asked about: about twice the
largest moves that any council has returned."""
SMALL = 0.1
"""An amount under this share of the council's last balance may be in another unit."""
BEYOND = 10
"""An amount of more high needs blocks than this is refused whatever is answered."""
MOST_FAULTS, LONGEST_NAME = 20, 80
OUTTURN, FORECAST = "outturn", "forecast"
STATUSES = {
    "unmitigated": re.compile(r"unmitigated|(without|before|pre)[- ](any )?mitigation"),
    "mitigated": re.compile(r"mitigat"),
    FORECAST: re.compile(r"forecast|project(ed|ion)|estimate|budget"),
    OUTTURN: re.compile(r"outturn|actual|audited"),
}
"""Kinds of figure, and the words that a file has for each; the first that fits."""
_SURPLUS_POSITIVE = re.compile(r"\((deficits?|overspends?)\)|negative")
_DEFICIT_POSITIVE = re.compile(r"deficits?\s*/\s*\(surplus")
_DEFICIT = re.compile(r"deficit|overspen")

PATH = ["authority", "year", "value", "scenario", "source"]


@dataclass(frozen=True)
class OwnFigures:
    """A file's figures in £, negative = deficit.

    `outturns`: candidates for `balance_own`, at year ends that have passed; a forecast for one stands there where
    no outturn is given. `paths`: the council's own forecasts, columns authority, year, value, scenario (mitigated,
    unmitigated or forecast), source. `kept`: every figure as `deficits own` keeps it. `readings`: how the file was
    understood, a sentence each.
    """

    outturns: pd.DataFrame
    paths: pd.DataFrame
    kept: pd.DataFrame
    readings: tuple[str, ...]


def find(name: str | Path) -> Path:
    """The file that a path names; a name without a folder is that of a copy in `data/own`, or else of a file here.

    Raises PanelError when there is none, or when the file here is newer than the copy that was kept.
    """
    given, kept = Path(name), own_dir() / Path(name).name
    bare = str(name) == given.name
    if bare and kept.is_file():
        if given.is_file() and given.stat().st_mtime > kept.stat().st_mtime:
            raise PanelError(
                f"'{name}' in this folder is newer than the copy kept by that name: `deficits own {name}` keeps "
                f"it anew, ./{name} uses it once"
            )
        return kept
    if given.is_file():
        return given
    known = [path.name for path in own_dir().glob("*.csv")] if bare else []
    hint = closest(given.name, known) if known else "`deficits own FILE` checks a file and keeps it"
    raise PanelError(f"no file of own figures '{name}': {hint}")


def read_own(
    path: Path,
    frame: pd.DataFrame,
    authorities: Authorities,
    answers: Answers | None = None,
    today: date | None = None,
) -> OwnFigures:
    """The figures of a CSV (comma, semicolon or tab) or workbook, held against the published ones in `frame`.

    One row a council and year, or a year a column; titles above the headings, merged headings and the rows of one
    council's plan are understood. A year in any usual style; 2025 is the year to 31 March 2025, and one that has
    not ended by `today` is a forecast. Amounts are in the unit that their heading or the title states, else in £;
    negative or bracketed for a deficit, but positive under a heading that says deficit. Columns that may be there:
    status (outturn or forecast; mitigated or unmitigated), note, accepted (yes: right, though it departs from the
    record).

    Raises PanelError that lists every fault with its line, and a question, with both readings, about every amount
    that does not fit the council's published balance and high needs block.
    """
    answers, today = answers or Answers(), today or date.today()
    record = _Record(frame, authorities)
    readings: list[str] = []
    faults: list[str] = []
    rows: list[dict[str, Any]] = []
    first: dict[tuple[str, int, str], int] = {}
    for amount in amounts(path, answers, readings, faults):
        try:
            row = _row(amount, path.name, record, answers, today, readings)
            key = (row["authority"], row["year"], row["status"])
            if key in first:
                raise PanelError(f"the same council and year as line {first[key]}")
            first[key] = amount.line
            rows.append(row)
        except PanelError as error:
            faults.append(f"line {amount.line}: {error}")
    faults = list(dict.fromkeys(faults))
    if faults or not rows:
        more = [f"and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
        told = [*faults[:MOST_FAULTS], *more] or ["it holds no amounts"]
        raise PanelError("\n  ".join([f"{path.name} cannot be used:", *told]))
    found = pd.DataFrame(rows)
    balances = found[found["status"].isin([OUTTURN, FORECAST]) & found["ended"]]
    balances = balances.sort_values("status", ascending=False).drop_duplicates(KEY).sort_index()
    balances = balances.assign(figure="balance_own", basis="own_" + balances["status"])
    return OwnFigures(
        outturns=balances.assign(published=UNDATED, edition=UNDATED)[CANDIDATE].reset_index(drop=True),
        paths=found[found["status"] != OUTTURN]
        .rename(columns={"status": "scenario"})[PATH]
        .reset_index(drop=True),
        kept=found[["name", *KEY, "value", "status", "accepted", "note"]],
        readings=tuple(dict.fromkeys(readings)),
    )


def keep_own(path: Path, panel: Panel, answers: Answers | None = None) -> tuple[Path, OwnFigures]:
    """Check a file of own figures and keep what it says in `data/own`, in £, one row a figure.

    The copy says where each figure stood and needs no answers. Raises PanelError with every fault, or when the
    file's name is none that a report takes; then nothing is kept.
    """
    kept = own_dir() / f"{path.stem}.csv"
    if (
        len(kept.name) > LONGEST_NAME
        or not kept.name.isprintable()
        or kept.name.startswith(".")
        or "\\" in kept.name
    ):
        raise PanelError(
            f"a report takes a plain file name of up to {LONGEST_NAME} letters: rename the file first"
        )
    if not path.is_file():
        raise PanelError(f"no file '{path}'")
    figures = read_own(path, panel.frame, panel.authorities, answers)
    table = figures.kept.assign(authority=figures.kept["name"], year=figures.kept["year"].map(financial_year))
    table = table.assign(value=table["value"].map("{:.2f}".format)).drop(columns="name")
    table = table.rename(columns={"value": "balance £"})
    content = table.to_csv(index=False, lineterminator="\n").encode()
    try:
        if kept.is_file() and kept.read_bytes() != content:
            figures = replace(figures, readings=(*figures.readings, f"The {kept.name} kept before is replaced"))
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, content)
    except OSError as error:
        raise PanelError(f"{kept.name} cannot be kept in {kept.parent}: {error.strerror}") from None
    return kept, figures


def added(frame: pd.DataFrame, rows: pd.DataFrame, authorities: Authorities) -> pd.DataFrame:
    """The panel's frame with own balances in it, and with the later years that only they have."""
    last = int(frame.index.get_level_values("year").max())
    later = range(last + 1, int(rows["year"].max()) + 1 if len(rows) else 0)
    pairs = [(code, year) for year in later for code in authorities.in_year(year)]
    index = pd.MultiIndex.from_tuples([*frame.index, *pairs], names=KEY).sort_values()
    frame = frame.reindex(index)
    for label in ("gss", "name", "region"):
        frame[label] = authorities.frame[label].reindex(index.get_level_values("authority")).to_numpy()
    places = pd.MultiIndex.from_frame(rows[KEY])
    for part, suffix in {"value": "", "basis": "_basis", "source": "_source", "published": "_published"}.items():
        frame.loc[places, f"balance_own{suffix}"] = rows[part].to_numpy()
    return frame


def _row(
    amount: Amount, file: str, record: _Record, answers: Answers, today: date, readings: list[str]
) -> dict[str, Any]:
    """One figure, understood and held against the record."""
    year = amount.year if isinstance(amount.year, int) else year_in(amount.year)
    if year is None:
        raise PanelError(f"'{amount.year}' is not a financial year like 2024-25")
    authorities = record.authorities
    codes = {authorities.resolve(name, year) for name in amount.names}
    if len(codes) != 1:
        raise PanelError(
            f"{listed(amount.names)} are different councils" if codes else "no council: --authority NAME"
        )
    code = codes.pop()
    if not authorities.existed(code, year):
        raise PanelError(f"{authorities.name(code)} did not exist on {year_end(year)}")
    ended = date(year, 3, 31) <= today
    status = _status(amount, year, ended)
    typed, has_unit = amount_in(amount.text)
    if typed is None or abs(typed) > 1e13:
        raise PanelError(f"'{amount.text}' is not an amount in pounds")
    turned, signed = _sign(amount.words, typed, answers)
    value = (-typed if turned else typed) * (1.0 if has_unit else UNITS[amount.unit])
    scales = {"": 1.0} | {
        f'--unit "{name}"': size / UNITS[amount.unit]
        for name, size in UNITS.items()
        if name != amount.unit and not has_unit
    }
    signs = {"": 1}
    if not signed and (turned or typed > 0):
        signs["head the column 'balance'" if turned else "--deficits-positive"] = -1
    others = {
        " ".join(filter(None, (scaled, sign))): value * scale * turn
        for scaled, scale in scales.items()
        for sign, turn in signs.items()
    }
    asked = record.question(code, year, value, others, sure=signed, doubtful=turned and not signed)
    if record.beyond(code, year, value) or (asked and not (answers.accept or amount.accepted)):
        raise PanelError(f"'{amount.text}' {asked}")
    if turned:
        certain = "answered" if answers.deficits_positive else "headed"
        readings.append(f"A positive number is a deficit, as {certain}")
    if amount.unit != "£" and not has_unit:
        readings.append(f"Amounts are in {amount.unit}, as {'answered' if answers.unit else 'headed'}")
    # What is kept stands under 'balance £', without what made its sign certain here.
    departs = record.question(code, year, value, {}, sure=False, doubtful=False)
    return {
        "line": amount.line,
        "name": authorities.name(code),
        "authority": code,
        "year": year,
        "value": value,
        "status": status,
        "accepted": "yes" if departs else "",
        "ended": ended,
        "source": f"own/{file}:{amount.line}",
        "note": f"from {file}, line {amount.line}: {amount.words}: '{amount.text}'",
    }


def _status(amount: Amount, year: int, ended: bool) -> str:
    found = next((kind for kind, words in STATUSES.items() if words.search(amount.status or amount.words)), None)
    if amount.status and found is None:
        raise PanelError(f"status '{amount.status}': {closest(amount.status, STATUSES)}")
    if found == OUTTURN and not ended:
        raise PanelError(f"{year_end(year)} has not come: it can only be a forecast")
    return found or (OUTTURN if ended else FORECAST)


def _sign(words: str, typed: float, answers: Answers) -> tuple[bool, bool]:
    """Whether a positive number is a deficit, and whether that is certain."""
    if answers.deficits_positive or _DEFICIT_POSITIVE.search(words):
        return True, True
    if _SURPLUS_POSITIVE.search(words):
        return False, True
    headed = _DEFICIT.search(words) is not None and "surplus" not in words
    return headed, headed and typed >= 0


class _Record:
    """What is published of each council, to hold an amount (£) against."""

    def __init__(self, frame: pd.DataFrame, authorities: Authorities) -> None:
        published = choice.choose(frame.assign(balance_own=float("nan")), "section251")["value"]
        held = frame[["high_needs_block", "reserves_unallocated"]].assign(balance=published)
        self.largest = float(held["high_needs_block"].max())
        self.by_council = {code: rows.droplevel("authority") for code, rows in held.groupby(level="authority")}
        self.authorities = authorities

    def newest(self, code: str, figure: str, year: int) -> tuple[int, float]:
        """The year and value of a figure: the newest until a year, or else the first.

        Without any, the council's first year and not a number.
        """
        known = self.by_council[code][figure].dropna() if code in self.by_council else pd.Series()
        if known.empty:
            return (int(self.by_council[code].index[0]) if code in self.by_council else year), float("nan")
        at = max(int((known.index <= year).sum()) - 1, 0)
        return int(known.index[at]), float(known.iloc[at])

    def size(self, code: str, year: int) -> float:
        """What a council's amounts are measured by: its high needs block, or its balance where that is larger.

        0 without a block.
        """
        block, balance = (abs(self.newest(code, name, year)[1]) for name in ("high_needs_block", "balance"))
        return float(np.fmax(block, balance)) if block > 0 else 0.0

    def beyond(self, code: str, year: int, value: float) -> bool:
        """Whether an amount is more than any answer can make of it."""
        return abs(value) > BEYOND * (self.size(code, year) or self.largest)

    def question(
        self, code: str, year: int, value: float, others: dict[str, float], *, sure: bool, doubtful: bool
    ) -> str | None:
        """What is to be asked about a value, or None where it fits the record.

        `others`: what it would be by other answers. `sure`: its sign is certain. `doubtful`: asked about anyway.
        """
        at, balance = self.newest(code, "balance", year)
        size, last = self.size(code, year), float(np.nan_to_num(balance))
        years = max(1, abs(year - at))
        smallest = SMALL * max(abs(last), size / 100, 1e4)

        def fits(amount: float) -> bool:
            inside = last - FALL * years * size <= amount <= last + RISE * years * size
            sized = amount == 0 or abs(amount) >= smallest
            return sized and (inside or not size) and not self.beyond(code, year, amount)

        turned = value > 0 > last and not sure
        if fits(value) and not turned and not doubtful:
            return None
        better = [
            f"{gbp(each)} would ({answer})" for answer, each in others.items() if each != value and fits(each)
        ]
        record = [
            f"{words} {gbp(amount)}"
            for words, amount in {
                f"balance at {year_end(at)}": balance,
                "high needs block": self.newest(code, "high_needs_block", year)[1],
                "unallocated reserves": self.newest(code, "reserves_unallocated", year)[1],
            }.items()
            if np.isfinite(amount)
        ]
        return (
            f"is {gbp(value)} as it stands, which does not fit what is published for "
            f"{self.authorities.name(code)} ({', '.join(record) or 'nothing'}); "
            + "".join(f"{each}; " for each in better)
            + ("correct it" if self.beyond(code, year, value) else "if it is right as it stands, --accept")
        )
