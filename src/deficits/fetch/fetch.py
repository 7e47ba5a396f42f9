"""Add a publication's newest edition to a folder like `data/raw`, take it out again, ask what is newer.

A fetch adds tables to those held and changes none: the newest of a kind wins when the panel is built, and a run as
of an earlier date leaves it out. A copy of the folder with the new edition in it must pass the gates, build and
project before anything is written. A session that has already read `data/raw` sees the new tables after a restart.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain, count
from pathlib import Path

import pandas as pd

from deficits.authorities import load_authorities
from deficits.errors import DeficitsError, SourceError
from deficits.fetch import folder, gates
from deficits.fetch.addresses import locate
from deficits.fetch.compare import Difference, compare, contents, year_column
from deficits.fetch.download import LARGEST_FILE, FetchError, download, printable
from deficits.formatting import gbp, last_day, listed, year_end
from deficits.outlook import Outlook, project
from deficits.panel import Panel, build
from deficits.paths import processed_dir, raw_dir
from deficits.publications import PUBLICATIONS, Publication, Table, find
from deficits.raw import GuardFailed, RawData, Source, SourceFile, read_source

TRIAL = timedelta(days=366)
"""How far ahead of today an edition may be dated, so that one that is expected can be tried."""
DRAWS = 200
ASKED_AT_ONCE = 20
UNDESCRIBED = "no meaning is declared yet: as the parser names it"
GAPS = {
    "column": "the column of the table that has no number here",
    "symbol": "what is printed instead",
    "reason": "what the symbol says",
}
"""Meanings of the columns that every table of gaps has with its key."""
Earlier = dict[str, tuple[str, pd.DataFrame, set[str]]]
"""By kind of table, the edition held to compare with: its name, its rows, and the years of all editions."""


@dataclass(frozen=True)
class Original:
    """The publisher's own file. `published` is an ISO date; `url` is None for a file given by hand."""

    path: Path
    sha256: str
    published: str
    url: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Fetched:
    """What a fetch or an undo did.

    `written` and `removed` are files of the publication's folder: none when everything is already held.
    `differences` compare new tables with the editions held; `headline` is the middle gross deficit (£) at the
    newest year end that has passed, before and after (None without a projection); `lines` say all of it in words.
    """

    publication: str
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    headline: tuple[float | None, float | None] = (None, None)
    lines: tuple[str, ...] = ()


def listing(raw: Path | None = None) -> Iterator[tuple[str, str, str]]:
    """Every publication that can be fetched: folder, newest edition held in `raw`, and where it comes from."""
    data = RawData(raw or raw_dir())
    for each in PUBLICATIONS:
        if each.parse:
            yield each.folder, _newest(data.source(each.folder)) or "undated", str(each.address)


def suggest(file: Path) -> str:
    """Which publications' parsers take a file, in words."""
    _check_file(file)
    taken = []
    for publication in PUBLICATIONS:
        try:
            if publication.parse and publication.parse(file):
                taken.append(publication.folder)
        except DeficitsError:
            continue
    known = listed([each.folder for each in PUBLICATIONS if each.parse], "or")
    return f"it is a file of {listed(taken, 'or')}" if taken else f"no parser takes it; there are those of {known}"


def fetch(
    publication: str | Publication,
    *,
    version: str | None = None,
    file: Path | None = None,
    raw: Path | None = None,
    retire: Sequence[str] = (),
    keep: Sequence[str] = (),
    accept: str | None = None,
    today: date | None = None,
) -> Fetched:
    """Add a publication's newest tables, or those of a `version`, to `raw`.

    `version` is an edition as the publication's address names it: a release (2024-25), a year or edition in an
    address. With `file`, taken as it is instead of downloading, it is the day of publication (2026-01-22). `raw`
    is a folder like `data/raw`; one that is new or empty is first given a copy of the project's figures. `retire`
    and `keep` name corrections whose guard fails in the new edition; `accept` is the reason why figures that were
    asked about are right, and is kept with them.

    Nothing in `raw` changes unless everything was found good. Raises FetchError for an unknown publication, a
    publisher that cannot be reached or a folder that is not to be written; SourceError for a file that is not of
    the expected shape, does not pass a gate, or cannot be built and projected from.
    """
    wanted = find(publication) if isinstance(publication, str) else publication
    today = today or datetime.now(UTC).date()
    if wanted.parse is None:
        raise FetchError(f"{wanted.folder} is not fetched: {wanted.address}")
    if file is not None:
        original = _by_hand(file, version, today)
        with _trying(raw) as (root, staged):
            return _add(wanted, original, root, staged, retire, keep, accept, today)
    with _trying(raw) as (root, staged):
        with _adding(f"Or take it from {wanted.page}: --file PATH --version DATE (its day of publication)"):
            original = _downloaded(wanted, version, today)
        with _adding(f"The file is kept: --file {original.path} --version {original.published}"):
            fetched = _add(wanted, original, root, staged, retire, keep, accept, today)
        original.path.unlink()
        return fetched


def undo(publication: str | Publication, *, raw: Path | None = None, today: date | None = None) -> Fetched:
    """Take the newest edition of a publication out again: the one fetched last, else the newest that is held.

    Its tables, their entries and the decisions on them go, once the rest was found good. Raises FetchError when it
    came with the project and nothing of a kind would be left, SourceError when the rest cannot be used.
    """
    wanted = find(publication) if isinstance(publication, str) else publication
    with _trying(raw) as (root, staged):
        place = root / wanted.folder
        held = read_source(place)
        fetched = [each for each in held.file if each.original_sha256]
        if fetched:
            last = (fetched[-1].original_sha256, fetched[-1].published)
            gone = [each for each in fetched if (each.original_sha256, each.published) == last]
        else:
            gone = [each for each in held.file if each.published == _newest(held)]
        names = sorted(each.name for each in gone)
        lost = {each.table for each in gone} - {each.table for each in held.file if each not in gone}
        if lost and not fetched:
            raise FetchError(
                f"{wanted.folder}: {listed(names)} came with the project, and no {listed(sorted(map(str, lost)))} "
                "would be left: nothing was taken out"
            )
        folder.drop(staged / wanted.folder, set(names))
        if len(read_source(staged / wanted.folder).file) != len(held.file) - len(gone):
            raise FetchError(
                f"{wanted.folder}/source.toml was edited by hand: take {listed(names)} out of it by hand"
            )
        before = _held(root)
        try:
            after = prove(RawData(staged))
        except DeficitsError as error:
            raise SourceError(f"nothing was taken out: without this edition {error}") from None
        folder.move_out(staged / wanted.folder, names, place)
    headline, line = _headline(before, after, today or datetime.now(UTC).date())
    words = (f"Taken out: {', '.join(names)}", line)
    return Fetched(wanted.folder, removed=tuple(names), headline=headline, lines=words)


def news(publication: Publication, raw: RawData) -> tuple[bool, str]:
    """Whether the publisher has something else than the newest edition held, and what, in words.

    An edition of the same day is compared by its content, where the publisher's own file was fetched.
    """
    held = raw.source(publication.folder)
    newest = _newest(held) or ""
    try:
        found = locate(publication)
        if found.published and found.published.isoformat() > last_day(newest):
            return True, f"a newer edition, of {found.published}"
        known = {each.original_sha256 for each in held.file if each.published == newest} - {None}
        if not known:
            return False, "no newer edition" if found.published else "its publisher gives no date to compare"
        with tempfile.TemporaryDirectory(prefix="deficits-fetch-") as work:
            same = download(found.url, Path(work) / "file").sha256 in known
        return (
            not same,
            "as held" if same else f"another file than the one of {newest}, without a newer date",
        )
    except SourceError as error:
        return False, f"could not be asked: {printable(str(error).splitlines()[0])}"


def prove(raw: RawData) -> Outlook:
    """The projection from a folder; PanelError, OutlookError or SourceError says which figure does not fit."""
    return project(build(raw), draws=DRAWS)


def _held(root: Path) -> Panel | None:
    """The panel of what is held; None where that is not good itself, before an edition that mends it."""
    try:
        return build(RawData(root))
    except DeficitsError:
        return None


def _add(
    publication: Publication,
    original: Original,
    root: Path,
    staged: Path,
    retire: Sequence[str],
    keep: Sequence[str],
    accept: str | None,
    today: date,
) -> Fetched:
    """Parse, stage and prove an edition, and write what is new of it."""
    tables = _parsed(publication, original)
    place = staged / publication.folder
    held = read_source(place)
    heads = (
        f"{publication.folder}: {original.url or original.path}, published {original.published}, "
        f"sha256 {original.sha256[:12]}…",
        *(line for table in tables for line in contents(table)),
    )
    entries = _entries(tables, original, held, place)
    if not entries:
        return Fetched(publication.folder, lines=(*heads, *_already(publication, tables, held)))
    folder.add_entries(place, entries)
    earlier = _earlier(tables, RawData(root), publication.folder)
    authorities = load_authorities(RawData(root))
    found = gates.Findings()
    for table in tables:
        if table.kind in earlier:
            gates.coverage(table, *earlier[table.kind][:2], authorities, found)
    _refuse(found)
    panel, decided = _decided(staged, publication, retire, keep, today)
    before = _held(root)
    gates.figures(before, panel, [f"{publication.folder}/{entry.name}" for entry in entries], found)
    gates.national(before, panel, found)
    _refuse(found)
    _ask(found, accept)
    try:
        after = project(panel, draws=DRAWS)
    except DeficitsError as error:
        raise SourceError(
            f"nothing was written: with this edition there is no projection: {error}. Declare a correction in "
            f"data/raw/{publication.folder}/corrections.toml, or wait for its publisher's"
        ) from None
    if found.asked:
        noted = f"Asked about, and accepted on {today}: {accept}. {'; '.join(found.asked[:ASKED_AT_ONCE])}"
        folder.drop(place, {entry.name for entry in entries})
        folder.add_entries(place, [each.model_copy(update={"note": f"{each.note} {noted}"}) for each in entries])
    names = tuple(entry.name for entry in entries)
    kinds = {entry.table for entry in entries}
    differences = [compare(each, *earlier[each.kind]) for each in tables if each.kind in kinds & set(earlier)]
    headline, line = _headline(before, after, today)
    notes = [
        *([original.note] if original.note else []),
        *(note for table in tables for note in table.notes),
        *(f"accepted: {text}" for text in found.asked),
        *decided,
        *_unused_notes(publication, original, tables, entries, held),
    ]
    words = [line for difference in differences for line in difference.lines()]
    folder.move_in(place, names, root / publication.folder)
    return Fetched(
        publication.folder,
        written=names,
        differences=tuple(differences),
        headline=headline,
        lines=(*heads, *words, *(f"Note: {note}" for note in notes), f"Written: {', '.join(names)}", line),
    )


def _parsed(publication: Publication, original: Original) -> tuple[Table, ...]:
    """The publisher's file as tidy tables; SourceError when it, or its day of publication, is not as expected."""
    assert publication.parse is not None
    tables = publication.parse(original.path)
    if not tables or any(table.frame.empty for table in tables):
        raise SourceError(f"{original.path.name} has no figures for any council")
    years = [str(table.frame[year].min()) for table in tables if (year := year_column(table.frame))]
    # A year's allocations are published in the months before it.
    if years and int(original.published[:4]) < int(min(years)[:4]) - 1:
        raise FetchError(
            f"{original.path.name} has figures from {min(years)} on, so it was not published on "
            f"{original.published}: give the right day as --version"
        )
    return tables


def _entries(tables: Sequence[Table], original: Original, held: Source, place: Path) -> list[SourceFile]:
    """What is not held yet, written to the staged folder; its entries."""
    known = {file.sha256 for file in held.file}
    entries = []
    for kind, frame, note in _files(tables):
        content = _csv(frame)
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 in known:
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
            "note": " ".join(filter(None, [note, original.note])),
            "columns": {str(name): meanings.get(str(name), UNDESCRIBED) for name in frame.columns},
        }
        entries.append(SourceFile.model_validate(given))
        (place / entries[-1].name).write_bytes(content)
    return entries


def _decided(
    staged: Path, publication: Publication, retire: Sequence[str], keep: Sequence[str], today: date
) -> tuple[Panel, list[str]]:
    """The panel with the new edition, each guard that fails in it decided on as was asked, and those decisions.

    SourceError names every guard that fails and was not decided on, or says what else does not fit.
    """
    given = dict.fromkeys(retire, "retire") | dict.fromkeys(keep, "keep")
    decided: list[GuardFailed] = []
    while True:
        try:
            panel = build(RawData(staged))
            break
        except GuardFailed as fault:
            # To find the others too, one that nobody has decided on is kept for now.
            choice = given.get(fault.correction, "keep")
            folder.add_decision(staged / publication.folder, fault.correction, fault.file, choice, today)
            decided.append(fault)
        except DeficitsError as error:
            raise SourceError(f"nothing was written: with this edition there is no panel: {error}") from None
    open_ = [
        f"{fault}\n  Give --retire-correction {fault.correction}, or --keep {fault.correction}"
        for fault in decided
        if fault.correction not in given
    ]
    if open_:
        raise SourceError("\n".join(["nothing was written: corrections were made for other figures.", *open_]))
    if idle := set(given) - {fault.correction for fault in decided}:
        raise FetchError(f"nothing was written: this edition needs no decision on {listed(sorted(idle))}")
    return panel, [f"{given[each.correction]} '{each.correction}' in {each.file}" for each in decided]


def _refuse(found: gates.Findings) -> None:
    if found.refused:
        raise SourceError("\n  ".join(["nothing was written: this file is not as it should be.", *found.refused]))


def _ask(found: gates.Findings, accept: str | None) -> None:
    """SourceError for what is asked about and not accepted."""
    if found.asked and not (accept or "").strip():
        more = len(found.asked) - ASKED_AT_ONCE
        raise SourceError(
            "\n  ".join(
                [
                    "nothing was written: please look at these.",
                    *found.asked[:ASKED_AT_ONCE],
                    *([f"and {more} more"] if more > 0 else []),
                    'If they are right: --accept "the reason why", which is kept with the figures',
                ]
            )
        )


def _already(publication: Publication, tables: Sequence[Table], held: Source) -> Iterator[str]:
    """What to say of an edition whose tables are all held: also that a newer one is, if so."""
    hashes = {hashlib.sha256(_csv(frame)).hexdigest() for _, frame, _ in _files(tables)}
    day = max(_day(each) for each in held.file if each.sha256 in hashes)
    yield f"Already held, with the same content, as the edition of {day}: no change"
    newest = max(_day(each) for each in held.file if each.table in {table.kind for table in tables})
    if day < newest:
        yield (
            f"The newest held is of {newest}. If its publisher has withdrawn that, take it out: deficits fetch "
            f"{publication.folder} --undo"
        )


def _unused_notes(
    publication: Publication,
    original: Original,
    tables: Sequence[Table],
    entries: Sequence[SourceFile],
    held: Source,
) -> Iterator[str]:
    """What of a new edition is not read, or not before somebody has done something."""
    for table in tables:
        newer = max((_day(each) for each in held.file if each.table == table.kind), default="")
        if original.published < newer:
            yield (
                f"older than the edition of {newer} held: {table.kind} of it is used only where that one has no "
                "figure, and as of days before it"
            )
        if table.kind not in publication.reads:
            yield f"{table.kind} is kept; nothing reads it yet"
    for entry in entries:
        if names := [name for name, meaning in entry.columns.items() if meaning == UNDESCRIBED]:
            yield f"say in source.toml what these columns of {entry.name} mean: {', '.join(names)}"


def _headline(before: Panel | None, after: Outlook, today: date) -> tuple[tuple[float | None, float | None], str]:
    """The gross deficit at the newest year end that has passed, with what was held and with what is held now."""
    year = today.year if (today.month, today.day) > (3, 31) else today.year - 1
    try:
        was = None if before is None else project(before, draws=DRAWS)
    except DeficitsError:
        was = None
    pair = (_middle(was, year), _middle(after, year))
    words = ["not known" if value is None else gbp(value, 2) for value in pair]
    what = f"Gross deficit at {year_end(year)} (central estimate, {DRAWS} simulations)"
    return pair, f"{what}: {words[0]} before, {words[1]} now"


def _middle(outlook: Outlook | None, year: int) -> float | None:
    if outlook is None or year not in outlook.years:
        return None
    return float(outlook.england().at[("gross", year), "p50"])


def _by_hand(file: Path, version: str | None, today: date) -> Original:
    _check_file(file)
    try:
        published = date.fromisoformat(version or "")
    except ValueError:
        given = f"found '{version}'" if version else "none was given"
        raise FetchError(f"--file needs the day it was published, as --version 2026-01-22: {given}") from None
    if published > today + TRIAL:
        raise FetchError(f"--version {version} is far in the future: give the day on which the file was published")
    note = "The file was given by hand."
    if published > today:
        note += f" Its day, {published}, is in the future: if it is a trial, `--undo` takes it out again."
    return Original(file, hashlib.sha256(file.read_bytes()).hexdigest(), published.isoformat(), note=note)


def _check_file(file: Path) -> None:
    if not file.is_file():
        raise FetchError(f"there is no file {file}")
    if file.stat().st_size > LARGEST_FILE:
        raise FetchError(f"{file} is larger than {LARGEST_FILE / 1e6:,.0f} MB: no file here is so large")


def _downloaded(publication: Publication, version: str | None, today: date) -> Original:
    found = locate(publication, version)
    where = processed_dir() / "downloads" / publication.folder
    where.mkdir(parents=True, exist_ok=True)
    # A name from outside must not lead out of the folder.
    came = download(found.url, where / re.sub(r"[^\w.-]+", "_", f"{Path(found.name).name or 'file'}"))
    published = found.published or came.modified
    undated = None if published else "The publisher gives no date: the day it was fetched stands for it."
    note = " ".join(filter(None, [found.note, undated])) or None
    return Original(came.path, came.sha256, (published or today).isoformat(), came.url, note)


@contextmanager
def _trying(raw: Path | None) -> Iterator[tuple[Path, Path]]:
    """A folder for this fetch alone, and a copy of it to try the change in; errors without control codes."""
    try:
        root = folder.writable(raw)
        with folder.alone(root), tempfile.TemporaryDirectory(prefix="deficits-fetch-") as work:
            yield root, folder.staged(root, Path(work) / "raw")
    except DeficitsError as error:
        error.args = (printable(str(error)), *error.args[1:])
        raise
    except OSError as error:
        raise FetchError(f"nothing was changed: a file cannot be read or written ({error})") from None


@contextmanager
def _adding(words: str) -> Iterator[None]:
    """Adds to an error what can be done about it here."""
    try:
        yield
    except SourceError as error:
        raise type(error)(f"{error}\n{words}") from None


def _day(file: SourceFile) -> str:
    """The day of an edition; one without a date is taken to be older than any."""
    return last_day(file.published) if file.published else ""


def _newest(source: Source) -> str | None:
    return max((each.published for each in source.file if each.published), key=last_day, default=None)


def _earlier(tables: Sequence[Table], raw: RawData, publication: str) -> Earlier:
    """By kind, the newest edition held that shares years with the new table, else the newest."""
    found: Earlier = {}
    for table in tables:
        files = sorted(raw.files(publication, table.kind), key=_day)
        frames = {file.name: raw.table(publication, file.name) for file in files}
        year = year_column(table.frame)
        years = {name: set(frame[year]) if year in frame else set() for name, frame in frames.items()}
        shared = [name for name in frames if year and years[name] & set(table.frame[year].astype(str))]
        if frames:
            name = (shared or list(frames))[-1]
            found[table.kind] = (name, frames[name], set().union(*years.values()))
    return found


def _files(tables: Sequence[Table]) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Kind, frame and note of each file to write: the tables, and their gaps where these say more than a blank."""
    for table in tables:
        lines = [line.strip() for line in contents(table) if "sum of the newest year" not in line]
        yield table.kind, table.frame, ". ".join([*lines, *table.notes]) + "."
        if set(table.missing["reason"]) - {"blank"}:
            yield f"{table.kind}_missing", table.missing, f"Cells of {table.kind} without a number, and why."


def _csv(frame: pd.DataFrame) -> bytes:
    """The table as it is written: whole numbers without a fraction, as publishers print them."""
    whole = [column for column in frame.select_dtypes("float") if frame[column].dropna().mod(1).eq(0).all()]
    text: str = frame.astype(dict.fromkeys(whole, "Int64")).to_csv(index=False, lineterminator="\n")
    return text.encode()


def _meanings(held: Source, kind: str) -> dict[str, str]:
    """What columns of a name mean in this publication: as declared for this kind of table, else for another."""
    ranked = sorted(held.file, key=lambda file: file.table == kind)
    return GAPS | {name: meaning for file in ranked for name, meaning in file.columns.items()}


def _unused(stem: str, held: Source) -> str:
    """A file name that is not declared yet: a publisher may replace a file on the day, or a parser be mended."""
    taken = {file.name for file in held.file}
    numbered = (f"{stem}_{place}.csv" for place in count(2))
    return next(name for name in chain([f"{stem}.csv"], numbered) if name not in taken)
