"""An analyst's own figures: a council's newer closing balance, or its forecast, beside the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from deficits.authorities import Authorities
from deficits.errors import PanelError, closest
from deficits.formatting import UNDATED as UNKNOWN
from deficits.formatting import year_of
from deficits.paths import own_dir, write_whole
from deficits.publications.cells import number
from deficits.publications.editions import CANDIDATE, KEY

if TYPE_CHECKING:
    from deficits.panel.panel import Panel

NEEDED = ("authority", "year", "balance")
OPTIONAL = ("status", "note")
STATUSES = {"outturn": "own_outturn", "forecast": "own_forecast"}
SMALLEST = 1000.0
"""£. A balance nearer to zero than this is taken for £m, £ thousand or a percentage typed by mistake."""


def find(name: str | Path) -> Path:
    """The file meant: a path, or the plain name of one that `deficits own` has put in `data/own`."""
    given = Path(name)
    if given.is_file():
        return given
    kept = own_dir() / given.name
    if kept.is_file():
        return kept
    known = [path.name for path in own_dir().glob("*.csv")] if own_dir().is_dir() else []
    hint = closest(given.name, known) if known else "none is kept yet: `deficits own FILE` checks and keeps one"
    raise PanelError(f"no file of own figures '{given.name}': {hint}")


def read_own(path: Path, frame: pd.DataFrame, authorities: Authorities) -> pd.DataFrame:
    """Candidates for balance_own from a CSV with columns authority, year, balance and, if wanted, status, note.

    authority: name, DfE number or ONS code. year: "2024-25" in any usual style; the balance is at its 31 March.
    balance: £ (also "(12,345,678)", "-£12.3m"), negative = deficit. status: outturn (default) or forecast.

    Raises PanelError that lists every fault with its line: unknown column or council, a year that is not one or
    beyond `last_year`, a council that did not exist, a balance that is no number or looks like £m or a percentage,
    a council twice in a year.
    """
    last_year = int(frame.index.get_level_values("year").max())
    table = _read(path)
    faults, rows = [], []
    for line, row in enumerate(table.to_dict("records"), start=2):
        try:
            rows.append(_row(row, line, path.name, authorities, last_year))
        except PanelError as error:
            faults.append(f"  line {line}: {error}")
    first: dict[tuple[str, int], int] = {}
    for row in rows:
        key = (row["authority"], row["year"])
        if key in first:
            faults.append(f"  line {row['line']}: the same council and year as line {first[key]}")
        first.setdefault(key, row["line"])
    if faults:
        raise PanelError(f"{path.name} cannot be used:\n" + "\n".join(faults))
    return pd.DataFrame(rows, columns=CANDIDATE)


def _read(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise PanelError(f"{path.name} is not a CSV file in UTF-8: {error}") from None
    table.columns = [name.strip().lower() for name in table.columns]
    faults = [f"no column '{name}': {closest(name, table.columns)}" for name in NEEDED if name not in table]
    known = (*NEEDED, *OPTIONAL)
    faults += [f"unknown column '{name}': {closest(name, known)}" for name in table if name not in known]
    if table.empty:
        faults.append("it holds no rows")
    if faults:
        raise PanelError(f"{path.name} cannot be used: {'; '.join(faults)}")
    return table


def _row(row: dict[str, str], line: int, file: str, authorities: Authorities, last_year: int) -> dict[str, Any]:
    year = year_of(row["year"])
    if year > last_year:
        raise PanelError(f"year '{row['year']}' ends after {last_year}, the last year of the panel")
    code = authorities.resolve(row["authority"], year)
    if not authorities.existed(code, year):
        raise PanelError(f"{authorities.name(code)} did not exist on 31 March {year}")
    balance = number(row["balance"])
    if balance is None or "%" in row["balance"]:
        raise PanelError(f"balance '{row['balance']}' is not an amount in pounds")
    if 0 < abs(balance) < SMALLEST:
        raise PanelError(
            f"balance '{row['balance']}' is under £{SMALLEST:,.0f}: give pounds, not £m or a percentage"
        )
    status = row.get("status", "").strip().lower() or "outturn"
    if status not in STATUSES:
        raise PanelError(f"status '{status}': {closest(status, STATUSES)}")
    return {
        "line": line,
        "figure": "balance_own",
        "authority": code,
        "year": year,
        "value": balance,
        "basis": STATUSES[status],
        "source": f"own/{file}:{line}",
        "published": UNKNOWN,
        "edition": UNKNOWN,
    }


def keep_own(path: Path, panel: Panel) -> tuple[Path, pd.DataFrame]:
    """Check a file of own figures and keep a copy in `data/own`; returns the copy and its candidates.

    Raises PanelError with every fault; then nothing is kept.
    """
    if not path.is_file():
        raise PanelError(f"no file '{path.name}'")
    rows = read_own(path, panel.frame, panel.authorities)
    own_dir().mkdir(parents=True, exist_ok=True)
    kept = own_dir() / path.name
    if kept.resolve() != path.resolve():
        write_whole(kept, path.read_bytes())
    names = [panel.authorities.name(code) for code in rows["authority"]]
    return kept, rows.assign(name=names)[["name", "year", "value", "basis"]]


def added(frame: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The panel's frame with own balances in it."""
    frame = frame.copy()
    places = pd.MultiIndex.from_frame(rows[KEY])
    for column, part in {
        "balance_own": "value",
        "balance_own_basis": "basis",
        "balance_own_source": "source",
        "balance_own_published": "published",
    }.items():
        frame.loc[places, column] = rows[part].to_numpy()
    return frame
