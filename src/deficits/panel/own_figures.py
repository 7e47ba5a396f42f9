"""An analyst's own figures: a council's closing balances and forecasts, in a file as finance officers type one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    balance = choice.choose(frame.assign(balance_own=float("nan")), "section251")["value"]
    published = frame[["high_needs_block", "reserves_unallocated"]].assign(balance=balance)
    readings: list[str] = []
    faults: list[str] = []
    rows: dict[tuple[str, int, str], dict[str, Any]] = {}
    for amount in amounts(path, answers, readings, faults):
        try:
            row = _row(amount, path.name, published, authorities, answers, today, readings)
            first = rows.setdefault((row["authority"], row["year"], row["status"]), row)
            if first is not row:
                raise PanelError(f"the same council and year as line {first['line']}")
        except PanelError as error:
            faults.append(f"line {amount.line}: {error}")
    faults = list(dict.fromkeys(faults))
    if faults or not rows:
        more = [f"and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
        told = [*faults[:MOST_FAULTS], *more] or ["it holds no amounts"]
        raise PanelError("\n  ".join([f"{path.name} cannot be used:", *told]))
    found = pd.DataFrame(rows.values())
    balances = found[found["status"].isin([OUTTURN, FORECAST]) & found["ended"]]
    balances = balances.sort_values("status", ascending=False).drop_duplicates(KEY).sort_index()
    balances = balances.assign(
        figure="balance_own", basis="own_" + balances["status"], published=UNDATED, edition=UNDATED
    )
    paths = found[found["status"] != OUTTURN].rename(columns={"status": "scenario"})
    return OwnFigures(
        outturns=balances[CANDIDATE].reset_index(drop=True),
        paths=paths[PATH].reset_index(drop=True),
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
        not re.fullmatch(r"[^.\\][^\\]*", kept.name)
        or not kept.name.isprintable()
        or len(kept.name) > LONGEST_NAME
    ):
        raise PanelError(
            f"a report takes a plain file name of up to {LONGEST_NAME} letters: rename the file first"
        )
    figures = read_own(path, panel.frame, panel.authorities, answers)
    table = figures.kept.drop(columns="name").assign(
        authority=figures.kept["name"],
        year=figures.kept["year"].map(financial_year),
        value=figures.kept["value"].map("{:.2f}".format),
    )
    content = table.rename(columns={"value": "balance £"}).to_csv(index=False, lineterminator="\n").encode()
    try:
        if kept.is_file() and kept.read_bytes() != content:
            figures = replace(figures, readings=(*figures.readings, f"The {kept.name} kept before is replaced"))
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, content)
    except OSError as error:
        raise PanelError(f"{kept.name} cannot be kept in {kept.parent}: {error.strerror}") from None
    return kept, figures


def _row(
    amount: Amount,
    file: str,
    published: pd.DataFrame,
    authorities: Authorities,
    answers: Answers,
    today: date,
    readings: list[str],
) -> dict[str, Any]:
    """One figure, understood and held against what is published."""
    year = amount.year if isinstance(amount.year, int) else year_in(amount.year)
    if year is None:
        raise PanelError(f"'{amount.year}' is not a financial year like 2024-25")
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
    turned, certain = _sign(amount.words, typed, answers)
    value = (-typed if turned else typed) * (1.0 if has_unit else UNITS[amount.unit])
    record = _record(published, code, year)
    surplus = value > 0 > record.last
    if not record.fits(value) or (not certain and (surplus or turned)):
        scales = {f'--unit "{name}"': size for name, size in UNITS.items() if name != amount.unit and not has_unit}
        signs = {"head the column 'balance'" if turned else "--deficits-positive": -1}
        better = [
            f"{gbp(other)} would ({f'{unit} {sign}'.strip()}); "
            for unit, scale in {"": UNITS[amount.unit], **scales}.items()
            for sign, turn in {"": 1, **({} if certain or (typed < 0 and not turned) else signs)}.items()
            if (other := value * turn * scale / UNITS[amount.unit]) != value and record.fits(other)
        ]
        beyond = abs(value) > record.most
        if beyond or not (answers.accept or amount.accepted):
            raise PanelError(
                f"'{amount.text}' is {gbp(value)} as it stands, which does not fit what is published for "
                f"{authorities.name(code)} ({record.words}); {''.join(better)}"
                + ("correct it" if beyond else "if it is right as it stands, --accept")
            )
    if turned:
        heard = "answered" if answers.deficits_positive else "headed"
        readings.append(f"A positive number is a deficit, as {heard}")
    if amount.unit != "£" and not has_unit:
        readings.append(f"Amounts are in {amount.unit}, as {'answered' if answers.unit else 'headed'}")
    return {
        "line": amount.line,
        "name": authorities.name(code),
        "authority": code,
        "year": year,
        "value": value,
        "status": status,
        # What is kept stands under 'balance £', without the heading that made its sign certain here.
        "accepted": "yes" if surplus or not record.fits(value) else "",
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


@dataclass(frozen=True)
class _Record:
    """What is published of a council nearest to a year, to hold an amount (£) against.

    `last`: its balance, 0 without one. `size`: what its amounts are measured by, its high needs block or its
    balance where that is larger; 0 without a block. `years`: since that balance. `most`: more than any answer can
    make of an amount. `words`: what is published, in a sentence.
    """

    last: float
    size: float
    years: int
    most: float
    words: str

    def fits(self, amount: float) -> bool:
        """Whether an amount is of a likely size and no unlikely move from the balance."""
        fall, rise = FALL * self.years * self.size, RISE * self.years * self.size
        likely = amount == 0 or abs(amount) >= SMALL * max(abs(self.last), self.size / 100, 1e4)
        near = not self.size or self.last - fall <= amount <= self.last + rise
        return likely and near and abs(amount) <= self.most


def _record(published: pd.DataFrame, code: str, year: int) -> _Record:
    """The newest balance, high needs block and reserves until a year, or else the first."""
    mine = published[published.index.get_level_values("authority") == code].droplevel("authority")

    def newest(figure: str) -> pd.Series:
        known = mine[figure].dropna()
        until = known[known.index <= year]
        return until[-1:] if len(until) else known[:1]

    balance, block, reserves = map(newest, ("balance", "high_needs_block", "reserves_unallocated"))
    at = int([*balance.index, *mine.index, year][0])
    last, size = float(balance.sum()), float(block.sum())
    size = max(size, abs(last)) if size > 0 else 0.0
    named = {f"balance at {year_end(at)}": balance, "high needs block": block, "unallocated reserves": reserves}
    return _Record(
        last=last,
        size=size,
        years=max(1, abs(year - at)),
        most=BEYOND * (size or float(published["high_needs_block"].max())),
        words=", ".join(f"{name} {gbp(each.sum())}" for name, each in named.items() if len(each)) or "nothing",
    )
