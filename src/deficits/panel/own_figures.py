"""An analyst's own figures: a council's closing balances and forecasts, in a file as finance officers type one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from deficits.errors import PanelError, closest, first_of
from deficits.formatting import UNDATED, financial_year, gbp, listed, year_end
from deficits.panel import choice
from deficits.panel.own_file import ROLES, SAYS, STATUS, UNITS, Column, amount_in, read_table, year_in
from deficits.paths import own_dir, write_whole
from deficits.publications.editions import CANDIDATE, KEY
from deficits.publications.files import heading, reason
from deficits.raw.authorities import Authorities
from deficits.validation import known_word

FALL, RISE = 1.2, 0.6
"""High needs blocks by which a balance may fall or rise in a year before it is asked about: about twice the
largest moves that any council has returned."""
SMALL = 0.1
"""An amount under this share of the council's last balance may be in another unit."""
BEYOND = 10
"""An amount of more high needs blocks than this is refused whatever is answered."""
MOST_FAULTS, LONGEST_NAME = 20, 80
OUTTURN, FORECAST = "outturn", "forecast"
PATH = ["authority", "year", "value", "scenario", "source"]


@dataclass(frozen=True)
class Answers:
    """What an analyst says of a file that does not say it itself.

    `authority`: the one council of a file without names. `unit` (£, £000 or £m): of its amounts.
    `deficits_positive`: a positive number is a deficit. `accept`: amounts that depart from the council's published
    record are right as they stand.
    """

    authority: str | None = None
    unit: str | None = None
    deficits_positive: bool = False
    accept: bool = False

    def __post_init__(self) -> None:
        if self.unit is not None:
            known_word("unit", self.unit, UNITS, PanelError)


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
    """The figures of a CSV (comma, semicolon or tab) or workbook, compared with the published ones in `frame`.

    One row a council and year, or a year a column; titles above the headings, merged headings and the rows of one
    council's plan are understood. A year in any usual style; 2025 is the year to 31 March 2025, and one that has
    not ended by `today` is a forecast. Amounts are in the unit that their heading or the title states, else in £;
    negative or bracketed for a deficit, but positive under a heading that says deficit. Columns that may be there:
    status (outturn or forecast; mitigated or unmitigated), note, accepted (yes: right, though it departs from the
    record).

    Raises PanelError that lists every fault with its line, and a question, with both readings, about every amount
    that does not fit the council's published balance and high needs block.
    """
    balance = choice.choose(frame.assign(balance_own=float("nan")), "section251")["balance"]
    published = frame[["high_needs_block", "reserves_unallocated"]].assign(balance=balance)
    reading = _Reading(path.name, published, authorities, answers or Answers(), today or date.today())
    found = reading.figures(path)
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
        readings=tuple(dict.fromkeys(reading.readings)),
    )


def keep_own(
    path: Path, frame: pd.DataFrame, authorities: Authorities, answers: Answers | None = None
) -> tuple[Path, OwnFigures]:
    """Check a file of own figures (see `read_own`) and keep what it says in `data/own`, in £, one row a figure.

    The copy says where each figure stood and needs no answers. Raises PanelError with every fault, or when the
    file's name is none that a report takes.
    """
    kept = own_dir() / f"{path.stem}.csv"
    plain = re.fullmatch(r"[^.\\][^\\]*", kept.name) and kept.name.isprintable()
    if not plain or len(kept.name) > LONGEST_NAME:
        raise PanelError(f"a report takes a plain file name of up to {LONGEST_NAME} letters: rename it first")
    figures = read_own(path, frame, authorities, answers)
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


@dataclass
class _Reading:
    """A file as it is being understood: what it is compared with, how it was read, its faults and its figures."""

    file: str
    published: pd.DataFrame
    authorities: Authorities
    answers: Answers
    today: date
    readings: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    found: dict[tuple[str, int, str], dict[str, Any]] = field(default_factory=dict)

    def figures(self, path: Path) -> pd.DataFrame:
        """A row for each figure of the file; PanelError with all its faults."""
        columns, rows, commas = read_table(path, self.readings)
        for column in columns:
            if column.role == "other":
                self.readings.append(f"Column '{column.words}' is no closing balance: left out")
            elif not column.role and column.words:
                known = ", ".join([*ROLES, "balance"])
                self.faults.append(f"column '{column.words}' is none that is known ({known}): take it out")
        section = ""
        for line, row in rows:
            filled = [cell for cell in row if cell]
            unheaded = [cell for column, cell in zip(columns, row, strict=False) if not any(column)]
            if len(filled) == 1 and amount_in(filled[0])[0] is None:
                section = heading(filled[0])
            elif any(unheaded) or any(row[len(columns) :]):
                why = "more cells than headings; an amount such as -8,400,000 needs quotes around it"
                self.faults.append(f"line {line}: {why}")
            else:
                self._row(line, [*row, *[""] * len(columns)], columns, section, commas)
        faults = list(dict.fromkeys(self.faults))
        if faults or not self.found:
            told = first_of(faults, MOST_FAULTS) or ["it holds no amounts"]
            raise PanelError("\n  ".join([f"{self.file} cannot be used:", *told]))
        return pd.DataFrame(self.found.values())

    def _row(self, line: int, row: list[str], columns: list[Column], section: str, commas: bool) -> None:
        cells = [(column.role, cell) for column, cell in zip(columns, row, strict=False) if cell]
        given = {role: " ".join(cell for each, cell in cells if each == role) for role in (*ROLES, "label")}
        label, names = heading(given["label"]), [cell for role, cell in cells if role == "authority"]
        if SAYS["no_balance"].search(label):
            self.readings.append(f"Line {line}, '{label}', is no closing balance: left out")
            return
        names += [given["label"]] * bool(label and not SAYS["balance"].search(label))
        holding = [place for place, column in enumerate(columns) if column.role == "amount"]
        for place in holding:
            column, text, after = columns[place], row[place], row[place + 1]
            unit = self.answers.unit or column.unit or "£"
            words = " ".join(filter(None, [column.words, "" if names else label, section]))
            council = [*names, *([self.answers.authority] if self.answers.authority else [])]
            accepted = self.answers.accept or heading(given["accepted"]) == "yes"
            parted = commas and unit != "£m" and not self.answers.accept
            try:
                if text in ("-", "–"):
                    raise PanelError(f"'{text}' may be nil or not known: write 0, or leave the cell empty")
                if parted and SAYS["part_of_an_amount"].match(f"{text},{after}"):
                    raise PanelError(f"'{text},{after}' may be one amount: leave its comma out, or --accept two")
                if len(holding) == 1 or reason(text) is None:
                    year = column.year or year_in(given["year"])
                    if year is None:
                        raise PanelError(f"'{given['year']}' is not a financial year like 2024-25")
                    self._figure(line, text, unit, words, council, year, heading(given["status"]), accepted)
            except PanelError as error:
                self.faults.append(f"line {line}: {error}")

    def _figure(
        self, line: int, text: str, unit: str, words: str, names: list[str], year: int, status: str, accepted: bool
    ) -> None:
        """One amount as a figure; PanelError when its council, kind or size cannot be right."""
        codes = {self.authorities.resolve(name, year) for name in names}
        if len(codes) != 1:
            raise PanelError(
                f"{listed(names)} are different councils" if codes else "no council: --authority NAME"
            )
        code = codes.pop()
        if not self.authorities.existed(code, year):
            raise PanelError(f"{self.authorities.name(code)} did not exist on {year_end(year)}")
        ended = date(year, 3, 31) <= self.today
        kind = next((kind for kind, known in STATUS.items() if known.search(status or words)), None)
        if status and kind is None:
            raise PanelError(f"status '{status}': {closest(status, STATUS)}")
        if kind == OUTTURN and not ended:
            raise PanelError(f"{year_end(year)} has not come: it can only be a forecast")
        kind = kind or (OUTTURN if ended else FORECAST)
        value, sure = self._value(text, unit, words, code, year, accepted)
        if (code, year, kind) in self.found:
            raise PanelError(f"the same council and year as line {self.found[code, year, kind]['line']}")
        self.found[code, year, kind] = {
            "line": line,
            "name": self.authorities.name(code),
            "authority": code,
            "year": year,
            "value": value,
            "status": kind,
            "accepted": "" if sure else "yes",
            "ended": ended,
            "source": f"own/{self.file}:{line}",
            "note": f"from {self.file}, line {line}: {words}: '{text}'",
        }

    def _value(self, text: str, unit: str, words: str, code: str, year: int, accepted: bool) -> tuple[float, bool]:
        """An amount in £, negative for a deficit, and whether what is published of the council bears it out.

        PanelError asks about one that it does not, with the readings that it would.
        """
        typed, has_unit = amount_in(text)
        if typed is None or abs(typed) > 1e13:
            raise PanelError(f"'{text}' is not an amount in pounds")
        headed = SAYS["deficit"].search(words) is not None and "surplus" not in words
        turned, certain = headed, headed and typed >= 0
        if self.answers.deficits_positive or SAYS["a_deficit_is_positive"].search(words):
            turned, certain = True, True
        elif SAYS["a_surplus_is_positive"].search(words):
            turned, certain = False, True
        value = (-typed if turned else typed) * (1.0 if has_unit else UNITS[unit])
        record = _Record(self.published, code, year)
        surplus = value > 0 > record.last
        if not record.fits(value) or (not certain and (surplus or turned)):
            units, signs = {"": 1.0}, {"": 1}
            if not has_unit:
                units |= {f'--unit "{name}"': size / UNITS[unit] for name, size in UNITS.items() if name != unit}
            if not certain and (typed >= 0 or turned):
                signs["head the column 'balance'" if turned else "--deficits-positive"] = -1
            better = [
                f"{gbp(value * scale * sign)} would ({f'{by_unit} {by_sign}'.strip()}); "
                for (by_unit, scale), (by_sign, sign) in product(units.items(), signs.items())
                if scale * sign != 1 and record.fits(value * scale * sign)
            ]
            beyond = abs(value) > record.most
            if beyond or not accepted:
                raise PanelError(
                    f"'{text}' is {gbp(value)} as it stands, which does not fit what is published for "
                    f"{self.authorities.name(code)} ({record.words}); {''.join(better)}"
                    + ("correct it" if beyond else "if it is right as it stands, --accept")
                )
        if turned:
            heard = "answered" if self.answers.deficits_positive else "headed"
            self.readings.append(f"A positive number is a deficit, as {heard}")
        if unit != "£" and not has_unit:
            self.readings.append(f"Amounts are in {unit}, as {'answered' if self.answers.unit else 'headed'}")
        # What is kept stands under 'balance £', without the heading that made its sign certain here.
        return value, record.fits(value) and not surplus


class _Record:
    """What is published of a council nearest to a year, to hold an amount (£) against.

    `last`: its balance, 0 without one. `size`: its high needs block, or its balance where that is larger; 0
    without a block. `years`: since that balance. `most`: more than any answer can make of an amount. `words`: what
    is published, in a sentence.
    """

    def __init__(self, published: pd.DataFrame, code: str, year: int) -> None:
        mine = published[published.index.get_level_values("authority") == code].droplevel("authority")
        series = [mine[name].dropna() for name in ("balance", "high_needs_block", "reserves_unallocated")]
        # The newest until that year, or else the first.
        balance, block, reserves = (
            each[each.index <= year][-1:] if (each.index <= year).any() else each[:1] for each in series
        )
        at = int([*balance.index, *mine.index, year][0])
        self.last, size = float(balance.sum()), float(block.sum())
        self.size = max(size, abs(self.last)) if size > 0 else 0.0
        self.years = max(1, abs(year - at))
        self.most = BEYOND * (self.size or float(published["high_needs_block"].max()))
        named = {
            f"balance at {year_end(at)}": balance,
            "high needs block": block,
            "unallocated reserves": reserves,
        }
        told = [f"{name} {gbp(each.sum())}" for name, each in named.items() if len(each)]
        self.words = ", ".join(told) or "nothing"

    def fits(self, amount: float) -> bool:
        """Whether an amount is of a likely size and no unlikely move from the balance."""
        fall, rise = FALL * self.years * self.size, RISE * self.years * self.size
        likely = amount == 0 or abs(amount) >= SMALL * max(abs(self.last), self.size / 100, 1e4)
        near = not self.size or self.last - fall <= amount <= self.last + rise
        return likely and near and abs(amount) <= self.most
