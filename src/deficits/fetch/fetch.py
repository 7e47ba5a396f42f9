"""From a publisher's file to new tables in `data/raw`: get it, parse it, check it, and only then write.

A fetch adds tables beside those held and never changes or deletes one: the newest of a kind wins when the panel is
built, and a run as of an earlier date leaves it out. A session that has already read `data/raw` sees the new
tables after a restart.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import import_module
from itertools import chain, count, islice
from pathlib import Path

import pandas as pd

from deficits.errors import SourceError
from deficits.fetch.http import FetchError, Progress, Sleep, download
from deficits.formatting import MINUS
from deficits.paths import checkout, processed_dir, raw_dir
from deficits.publications.publication import Table
from deficits.sources import ees, govuk
from deficits.sources.declaration import Source, SourceFile, read_source
from deficits.sources.publications import (
    PUBLICATIONS,
    Bases,
    ByHand,
    EesDataSet,
    EesRelease,
    FixedUrl,
    GovUk,
    Publication,
    find,
)
from deficits.sources.tables import read_table

YEARS = ("financial_year", "january", "calendar_year", "academic_year", "mid_year", "year")
"""Columns that hold a row's year, in the parsers' own names."""
AUTHORITIES = ("dfe_number", "la_code", "la_name")
"""Columns that tell authorities apart, the best one first."""
UNDESCRIBED = "no meaning is declared yet: as the parser names it"
GAPS = {
    "column": "the column of the table that has no number here",
    "symbol": "what is printed instead",
    "reason": "what the symbol says",
}
"""Meanings of the columns that every table of gaps has beside its key."""
SHOWN = 5


@dataclass(frozen=True)
class Original:
    """The publisher's own file. `published` is an ISO date; `url` is None for a file given by hand."""

    path: Path
    sha256: str
    published: str
    url: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Summary:
    """What is in a parsed table: rows, years, and authorities and sums of the newest year (in the columns' units).

    `missing` counts cells without a number by reason; `dropped` names rows that are no authority's.
    """

    kind: str
    rows: int
    years: tuple[str, ...]
    authorities: int
    sums: dict[str, float]
    missing: dict[str, int]
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A figure that differs between two editions; None is a figure that is missing there."""

    row: tuple[str, ...]
    column: str
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Difference:
    """What an edition changed against the one held: rows of the years in both, and figures of the rows in both."""

    kind: str
    before: str
    added: int
    removed: int
    changed: int
    largest: tuple[Change, ...]


@dataclass(frozen=True)
class Fetched:
    """What a fetch found and did. `written` holds the new files' names: none when everything is already held."""

    publication: str
    original: Original
    summaries: tuple[Summary, ...]
    written: tuple[str, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """The same in words, one line a fact."""
        return [
            f"{self.publication}: {self.original.url or self.original.path}, published {self.original.published}, "
            f"sha256 {self.original.sha256[:12]}…",
            *(line for summary in self.summaries for line in _told(summary)),
            *(line for difference in self.differences for line in _compared(difference)),
            *(f"Note: {note}" for note in self.notes),
            f"Written: {', '.join(self.written)}"
            if self.written
            else "Already held, with the same content: no change",
        ]


@dataclass(frozen=True)
class Held:
    """What can be fetched, how, and the newest edition held (None when no date is declared)."""

    publication: str
    newest: str | None
    how: str
    page: str


def listing(raw: Path | None = None) -> tuple[Held, ...]:
    """Every publication that can be fetched, with the newest edition held in `raw`."""
    held = []
    for publication in PUBLICATIONS:
        source = read_source((raw or raw_dir()) / publication.folder)
        dates = [file.published for file in source.file if file.published]
        held.append(Held(publication.folder, max(dates, default=None), str(publication.way), publication.page))
    return tuple(held)


def fetch(
    publication: str | Publication,
    *,
    version: str | None = None,
    file: Path | None = None,
    raw: Path | None = None,
    cache: Path | None = None,
    bases: Bases | None = None,
    progress: Progress | None = None,
    sleep: Sleep = time.sleep,
    today: date | None = None,
) -> Fetched:
    """Add a publication's newest tables, or those of a `version`, to `raw`.

    `version` is an edition as the publication's way to its file names it: a release (2024-25), an exact data set
    version (2.0.1), a year or edition in an address. With `file`, taken as it is instead of downloading, it is the
    day of publication (2026-01-22). `raw` is a folder like `data/raw`; one that is new or empty is first given a
    copy of the figures that come with the package. Downloads pass through `cache`.

    Nothing in `raw` changes unless everything was found good. Raises FetchError for an unknown publication, a
    publisher that cannot be reached or a folder that is not to be written; SourceError for a file that is not of
    the expected shape or fails a check.
    """
    wanted = find(publication) if isinstance(publication, str) else publication
    today = today or datetime.now(UTC).date()
    folder = _writable(raw) / wanted.folder
    with _alone(folder):
        held = read_source(folder)
        if file is not None:
            original = _by_hand(file, version)
        else:
            where = (cache or processed_dir() / "downloads") / wanted.folder
            with _adding(
                f"Or take it from {wanted.page} and give --file PATH --version DATE, its day of publication"
            ):
                original = _download(wanted, version, where, bases or Bases.given(), progress, sleep, today)
        with _adding("" if file else f"The file as it came is kept at {original.path}"):
            fetched = _add(wanted, original, held, folder)
        if file is None:
            original.path.unlink()
        return fetched


def parse(publication: Publication, path: Path) -> tuple[Table, ...]:
    """The publisher's file as tidy tables, by the publication's parser; SourceError when it is not as expected."""
    module = import_module(publication.parser, "deficits.sources")
    tables: tuple[Table, ...] = module.parse(path)
    faults = [fault for table in tables for fault in _faults(table)]
    kinds = [table.kind for table in tables]
    if not tables:
        faults.append("no table at all")
    if len(set(kinds)) < len(kinds):
        faults.append(f"two tables of the same kind among {', '.join(kinds)}")
    if faults:
        raise SourceError(
            f"{path.name} does not give good tables:\n" + "\n".join(f"  {fault}" for fault in faults)
        )
    return tables


def summarise(table: Table) -> Summary:
    """What is in a table; shares, rates and indices are not summed."""
    frame = table.frame
    year, authority = _first(frame, YEARS), _first(frame, AUTHORITIES)
    newest = frame[frame[year] == frame[year].max()] if year else frame
    figures = [
        column
        for column in newest.select_dtypes("number").columns
        if column not in (*table.key, year) and not re.search(r"pct|percent|rate|index", str(column))
    ]
    return Summary(
        kind=table.kind,
        rows=len(frame),
        years=tuple(sorted(frame[year].astype(str).unique())) if year else (),
        authorities=int(newest[authority].nunique()) if authority else 0,
        sums={str(column): float(newest[column].sum()) for column in figures},
        missing={str(reason): int(count) for reason, count in table.missing["reason"].value_counts().items()},
        dropped=table.dropped,
    )


def compare(kind: str, key: Sequence[str], name: str, before: pd.DataFrame, after: pd.DataFrame) -> Difference:
    """Rows and figures that differ between two editions of a table, read as text and with unique keys.

    `name` is the earlier edition's. The largest changes come first, by their size in the column's own unit.
    """
    old, new = before.set_index([*key]), after.set_index([*key])
    both = new.index.intersection(old.index)
    changes: list[Change] = []
    for column in new.columns.intersection(old.columns):
        was, now = (pd.to_numeric(frame.loc[both, column], errors="coerce") for frame in (old, new))
        # Binary fractions differ in the last digit from one way of adding up to another: that is no revision.
        differs = ~((was - now).abs().le(1e-9 * was.abs()) | (was.isna() & now.isna())).to_numpy()
        changes.extend(
            Change(_row(row), str(column), _figure(earlier), _figure(later))
            for row, earlier, later in zip(both[differs], was[differs], now[differs], strict=True)
        )
    changes.sort(key=lambda change: abs((change.after or 0.0) - (change.before or 0.0)), reverse=True)
    return Difference(
        kind=kind,
        before=name,
        added=len(new.index.difference(old.index)),
        removed=len(old.index.difference(new.index)),
        changed=len({change.row for change in changes}),
        largest=tuple(changes[:SHOWN]),
    )


def entry_text(entry: SourceFile) -> str:
    """A file's entry as it stands in source.toml.

    >>> print(entry_text(SourceFile(name="a.csv", title="A", sha256="0" * 64, rows=1, columns={"x y": "£"})))
    [[file]]
    name = "a.csv"
    title = "A"
    sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
    rows = 1
    [file.columns]
    "x y" = "£"
    <BLANKLINE>
    """
    values = entry.model_dump(mode="json", exclude_defaults=True, exclude={"columns"})
    heads = [f"{name} = {_toml(value)}" for name, value in values.items()]
    columns = [
        f"{name if re.fullmatch('[A-Za-z0-9_-]+', name) else _toml(name)} = {_toml(meaning)}"
        for name, meaning in entry.columns.items()
    ]
    return "\n".join(["[[file]]", *heads, "[file.columns]", *columns, ""])


def _download(
    publication: Publication,
    version: str | None,
    where: Path,
    bases: Bases,
    progress: Progress | None,
    sleep: Sleep,
    today: date,
) -> Original:
    """The publisher's file, by the publication's way to it."""
    params = None
    match publication.way:
        case EesRelease(slug, pattern):
            release = ees.release(slug, version or "latest", base=bases.ees_releases, sleep=sleep)
            wanted = release.file(pattern) if pattern else None
            url = ees.file_url(release, wanted, base=bases.ees_releases)
            name = wanted.file_name if wanted else f"{slug}_{release.slug}.zip"
            day = release.day
        case EesDataSet(data_set):
            api = ees.Ees(bases.ees_api, sleep)
            exact = version or _latest(api, data_set)
            found = api.version(data_set, exact)
            url, params = api.csv_address(data_set, exact)
            name = f"{data_set}_{exact}.csv"
            day = found.published.date() if found.published else None
        case GovUk() as way:
            page, attached = _attached(way, version, bases.govuk, sleep)
            url, name, day = attached.url, govuk.filename(attached), page.day
        case FixedUrl(address, filename, newest):
            url, name = (text.format(version=version or newest) for text in (address, filename))
            day = None
        case ByHand(why):
            raise FetchError(f"{publication.folder} cannot be downloaded: {why}")
    # A name from outside must not lead out of the folder.
    came = download(url, where / Path(name).name, params=params, progress=progress, sleep=sleep)
    published = day or came.modified
    note = None if published else "The publisher gives no date: the day it was fetched stands for it."
    return Original(came.path, came.sha256, (published or today).isoformat(), came.url, note)


def _latest(api: ees.Ees, data_set: str) -> str:
    latest = api.data_set(data_set).latest_version
    if latest is None:
        raise FetchError(f"data set {data_set} has no published version")
    return latest.version


def _attached(way: GovUk, version: str | None, base: str, sleep: Sleep) -> tuple[govuk.Page, govuk.Attachment]:
    in_path = "{version}" in way.path
    page = govuk.page(
        way.path.format(version=version or way.newest) if in_path else way.path, base=base, sleep=sleep
    )
    if way.document:
        page = govuk.page(govuk.document(page, way.document).base_path, base=base, sleep=sleep)
    narrowed = f"(?=.*{re.escape(version)}).*" if version and not in_path else ""
    return page, govuk.attachment(page, f"{narrowed}(?:{way.attachment})")


def _by_hand(file: Path, version: str | None) -> Original:
    if not file.is_file():
        raise FetchError(f"there is no file {file}")
    try:
        published = date.fromisoformat(version or "")
    except ValueError:
        found = f"found '{version}'" if version else "none was given"
        raise FetchError(f"--file needs the day it was published, as --version 2026-01-22: {found}") from None
    return Original(
        file,
        hashlib.sha256(file.read_bytes()).hexdigest(),
        published.isoformat(),
        note="The file was given by hand.",
    )


def _writable(raw: Path | None) -> Path:
    if raw is None:
        if checkout() is None:
            raise FetchError(
                f"the figures that came with the installed package ({raw_dir()}) are not changed in place: give "
                "--raw FOLDER; a new folder is given a copy of them first"
            )
        return raw_dir()
    if not raw.exists() or not any(raw.iterdir()):
        shutil.copytree(raw_dir(), raw, dirs_exist_ok=True)
    return raw


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one fetch at a time on this machine adds to a folder; FetchError for the second.

    An exclusive transaction of an empty database is a lock that every system gives back when its holder dies.
    """
    known = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    lock = Path(tempfile.gettempdir()) / f"deficits-fetch-{known}.lock"
    with closing(sqlite3.connect(lock, timeout=0, isolation_level=None)) as database:
        try:
            database.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise FetchError(f"another fetch is at work on {folder.name} ({error}): wait for it to end") from None
        yield


@contextmanager
def _adding(words: str) -> Iterator[None]:
    """Adds to an error what can be done about it here."""
    try:
        yield
    except SourceError as error:
        raise type(error)(f"{error}\n{words}".rstrip()) from None


def _add(publication: Publication, original: Original, held: Source, folder: Path) -> Fetched:
    """Parse, check and compare; write what is new."""
    tables = parse(publication, original.path)
    summaries = tuple(summarise(table) for table in tables)
    earlier = {table.kind: found for table in tables if (found := _earlier(held, table, folder))}
    _check_coverage(summaries, held, folder)
    with tempfile.TemporaryDirectory(prefix="deficits-fetch-") as staged:
        staging = Path(staged) / folder.name
        new = _stage(tables, summaries, original, held, folder, staging)
        read = {entry.table: read_table(folder.name, entry.name, raw=staging.parent) for entry in new}
        told = [
            _against(*earlier[table.kind], table, read[table.kind])
            for table in tables
            if table.kind in read and table.kind in earlier
        ]
        if new:
            _move_in(staging, [*(entry.name for entry in new), "source.toml"], folder)
    return Fetched(
        publication=publication.folder,
        original=original,
        summaries=summaries,
        written=tuple(entry.name for entry in new),
        differences=tuple(each for each in told if isinstance(each, Difference)),
        notes=(
            *([original.note] if original.note else []),
            *(note for entry in new for note in _to_describe(entry)),
            *(each for each in told if isinstance(each, str)),
        ),
    )


def _stage(
    tables: Sequence[Table],
    summaries: Sequence[Summary],
    original: Original,
    held: Source,
    folder: Path,
    staging: Path,
) -> list[SourceFile]:
    """What is not held yet, written to `staging` with the declaration that takes it in; its entries."""
    staging.mkdir()
    text = (folder / "source.toml").read_text(encoding="utf-8")
    new = []
    for kind, frame, note in _files(tables, summaries):
        content = _csv(frame)
        sha256 = hashlib.sha256(content).hexdigest()
        if any(file.sha256 == sha256 for file in held.file):
            continue
        meanings = _meanings(held, kind)
        given = {
            "name": _unused(f"{kind}_{original.published}", held),
            "table": kind,
            "title": f"{kind.replace('_', ' ').capitalize()}, edition of {original.published}",
            "published": original.published,
            "sha256": sha256,
            "original_sha256": original.sha256,
            "original_url": original.url,
            "rows": len(frame),
            "note": f"{note} {original.note}" if original.note else note,
            "columns": {str(name): meanings.get(str(name), UNDESCRIBED) for name in frame.columns},
        }
        entry = SourceFile.model_validate(given)
        (staging / entry.name).write_bytes(content)
        text = f"{text.rstrip()}\n\n{entry_text(entry)}"
        new.append(entry)
    (staging / "source.toml").write_text(text, encoding="utf-8", newline="\n")
    # A declaration with a fault is to be found here, before any of it is moved.
    read_source(staging)
    return new


def _faults(table: Table) -> Iterator[str]:
    frame, key = table.frame, [*table.key]
    if frame.empty:
        yield f"{table.kind} has no rows"
    elif lacking := set(key) - set(frame.columns):
        yield f"{table.kind} has no column {' and '.join(sorted(lacking))}, which its rows are told apart by"
    elif not frame.columns.is_unique:
        yield f"{table.kind} has a column twice among {', '.join(map(str, frame.columns))}"
    elif (blank := frame[key].isna().any(axis=1)).any():
        yield f"{table.kind} has {blank.sum()} rows without {' or '.join(key)}"
    elif (twice := frame.duplicated(key)).any():
        shown = _few(frame.loc[twice, key].astype(str).agg(", ".join, axis=1).tolist(), "; ")
        yield f"{table.kind} has the same {' and '.join(key)} in {twice.sum()} more rows: {shown}"


def _check_coverage(summaries: Sequence[Summary], held: Source, folder: Path) -> None:
    """SourceError when a table has lost half of its authorities: that is a changed file, not a reorganisation."""
    faults = []
    for summary in summaries:
        for name, frame in islice(_editions(held, summary.kind, folder), 1):
            before = summarise(Table(summary.kind, frame, ())).authorities
            if summary.authorities < before / 2:
                faults.append(
                    f"{summary.kind} has {summary.authorities} authorities in its newest year, {name} has {before}"
                )
    if faults:
        raise SourceError("\n".join(faults))


def _editions(held: Source, kind: str, folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Name and table of each edition held of a kind, the newest first; of one day, the one declared last."""
    editions = [file for file in reversed(held.file) if file.table == kind]
    for file in sorted(editions, key=lambda file: file.published or "", reverse=True):
        yield file.name, read_table(folder.name, file.name, raw=folder.parent)


def _earlier(held: Source, table: Table, folder: Path) -> tuple[str, pd.DataFrame] | None:
    """The newest edition held that shares years with a table: its name, and its rows of those years."""
    year = _first(table.frame, YEARS)
    for name, frame in _editions(held, table.kind, folder):
        shared = frame
        if year is not None and year in frame:
            shared = frame[frame[year].isin(table.frame[year].astype(str))]
        if not shared.empty:
            return name, shared
    return None


def _against(name: str, before: pd.DataFrame, table: Table, after: pd.DataFrame) -> Difference | str:
    """The difference from the edition held before, or why it cannot be told."""
    if not set(table.key) <= set(before.columns) or before.duplicated([*table.key]).any():
        return f"{table.kind} cannot be compared: {' and '.join(table.key)} do not tell the rows of {name} apart"
    return compare(table.kind, table.key, name, before, after)


def _files(tables: Sequence[Table], summaries: Sequence[Summary]) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Kind, frame and note of each file to write: the tables, and their gaps where these say more than a blank."""
    for table, summary in zip(tables, summaries, strict=True):
        yield table.kind, table.frame, _noted(summary)
        if set(summary.missing) - {"blank"}:
            yield f"{table.kind}_missing", table.missing, f"Cells of {table.kind} without a number, and why."


def _csv(frame: pd.DataFrame) -> bytes:
    """The table as it is written: whole numbers without a fraction, as publishers print them."""
    whole = [column for column in frame.select_dtypes("float") if frame[column].dropna().mod(1).eq(0).all()]
    text: str = frame.astype(dict.fromkeys(whole, "Int64")).to_csv(index=False, lineterminator="\n")
    return text.encode()


def _noted(summary: Summary) -> str:
    parts = [f"{_covered(summary)}."]
    if summary.missing:
        parts.append(f"Without a number: {_counted(summary.missing)}.")
    if summary.dropped:
        parts.append(f"Rows left out: {_few(summary.dropped)}.")
    return " ".join(parts)


def _told(summary: Summary) -> Iterator[str]:
    yield f"{summary.kind}: {summary.rows:,} rows, {_covered(summary)}"
    for column, total in summary.sums.items():
        yield f"  {column:40} sum of the newest year {_number(total)}"
    if summary.missing:
        yield f"  without a number: {_counted(summary.missing)}"
    if summary.dropped:
        yield f"  rows left out: {_few(summary.dropped)}"


def _compared(difference: Difference) -> Iterator[str]:
    yield (
        f"{difference.kind} against {difference.before}: {difference.added:,} rows added, "
        f"{difference.removed:,} removed, {difference.changed:,} changed"
    )
    for change in difference.largest:
        yield f"  {', '.join(change.row)}: {change.column} {_number(change.before)} to {_number(change.after)}"


def _covered(summary: Summary) -> str:
    years = summary.years
    span = f"{years[0]} to {years[-1]}" if len(years) > 1 else "".join(years)
    councils = f"{summary.authorities} authorities in the newest year" if summary.authorities else ""
    return ", ".join(filter(None, (span, councils))) or "no years or authorities"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.items())


def _few(names: Sequence[str], mark: str = ", ") -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{mark.join(names[:SHOWN])}{more}"


def _number(value: float | None) -> str:
    if value is None:
        return "missing"
    return f"{value:,.2f}".rstrip("0").rstrip(".").replace("-", MINUS)


def _first(frame: pd.DataFrame, names: Sequence[str]) -> str | None:
    return next((name for name in names if name in frame), None)


def _row(label: object) -> tuple[str, ...]:
    return tuple(map(str, label)) if isinstance(label, tuple) else (str(label),)


def _figure(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _toml(value: object) -> str:
    # A JSON text is a TOML basic string, but for the one control character that JSON does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _unused(stem: str, held: Source) -> str:
    """A file name that is not declared yet: a publisher may replace a file on the day, or a parser be mended."""
    taken = {file.name for file in held.file}
    numbered = (f"{stem}_{number}.csv" for number in count(2))
    return next(name for name in chain([f"{stem}.csv"], numbered) if name not in taken)


def _meanings(held: Source, kind: str) -> dict[str, str]:
    """What columns of a name mean in this publication: as declared for this kind of table, else for another."""
    ranked = sorted(held.file, key=lambda file: file.table == kind)
    return GAPS | {name: meaning for file in ranked for name, meaning in file.columns.items()}


def _to_describe(entry: SourceFile) -> Iterator[str]:
    names = [name for name, meaning in entry.columns.items() if meaning == UNDESCRIBED]
    if names:
        yield f"say in source.toml what these columns of {entry.name} mean: {', '.join(names)}"


def _move_in(staging: Path, names: Sequence[str], folder: Path) -> None:
    """Files into place one by one; the last is the declaration, without which a run does not see the others."""
    for name in names:
        beside = folder / f".{name}.part"
        try:
            shutil.copyfile(staging / name, beside)
            beside.replace(folder / name)
        except OSError as error:
            raise FetchError(f"{folder / name} cannot be written ({error}): what was held is as it was") from None
        finally:
            beside.unlink(missing_ok=True)
