"""Add a publication's newest edition to a folder like `data/raw`, take it out again, ask what is newer.

A fetch adds tables to those held and changes none. A copy of the publication with the new edition in it must pass
the gates, build and project before anything is written. A session that has read `data/raw` sees the new tables
after a restart.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from deficits.errors import DeficitsError, SourceError, first_of
from deficits.fetch import folder, gates
from deficits.fetch.addresses import locate
from deficits.fetch.download import FetchError, download, printable
from deficits.formatting import gbp, last_day, listed, year_end
from deficits.panel import Panel, build
from deficits.paths import exchange, processed_dir, raw_dir
from deficits.projection import Projection, project
from deficits.publications import PUBLICATIONS, Publication, Table, find
from deficits.raw import GuardFailed, RawData, Source, SourceFile, raw_data, read_source
from deficits.raw.authorities import load_authorities

TRIAL = timedelta(days=366)
"""How far ahead of today an edition may be dated, so that one that is expected can be tried."""
DRAWS = 200
SHOWN = 20
UNDESCRIBED = "no meaning is declared yet: as the parser names it"


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

    `written` and `removed` are files of the publication's folder: none when everything is already held. `lines`
    say in words what is in the edition, what it moved of the years held, and what it does to the headline.
    """

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


def listing(raw: Path | None = None) -> Iterator[tuple[str, str, str]]:
    """Every publication that can be fetched: folder, newest edition held in `raw`, and where it comes from."""
    data = RawData(raw or raw_dir())
    for each in PUBLICATIONS:
        if each.parse:
            yield each.folder, data.source(each.folder).newest or "undated", str(each.address)


def fetch(
    publication: str | Publication,
    *,
    version: str | None = None,
    file: Path | None = None,
    raw: Path | None = None,
    retire: Sequence[str] = (),
    keep: Sequence[str] = (),
    accept: str | None = None,
) -> Fetched:
    """Add a publication's newest tables, or those of a `version`, to `raw`.

    `version` is an edition as the publication's address names it: a release (2024-25), a year or edition in an
    address. With `file`, taken as it is instead of downloading, it is the day of publication (2026-01-22). `raw`
    is a folder like `data/raw`; one that is new or empty is first given a copy of the project's figures. `retire`
    and `keep` name corrections whose guard fails in the new edition; `accept` is the reason why figures that were
    asked about are right, and is kept with them.

    Nothing in `raw` changes unless everything was found good. Raises FetchError for a publisher that cannot be
    reached or a folder that is not to be written; SourceError for a file that is not of the expected shape, does
    not pass a gate, or cannot be built and projected from.
    """
    wanted = find(publication) if isinstance(publication, str) else publication
    if wanted.parse is None:
        raise FetchError(f"{wanted.folder} is not fetched: {wanted.address}")
    choices = dict.fromkeys(retire, "retire") | dict.fromkeys(keep, "keep")
    with folder.trial(raw, wanted.folder) as (root, staged):
        if file is not None:
            return _add(wanted, _by_hand(file, version), root, staged, choices, accept)
        page = raw_data().source(wanted.folder).url
        advice = f"Or take it from {page}: --file PATH --version DATE (its day of publication)"
        try:
            original = _downloaded(wanted, version)
            advice = f"The file is kept: --file {original.path} --version {original.published}"
            fetched = _add(wanted, original, root, staged, choices, accept)
        except SourceError as error:
            raise type(error)(f"{error}\n{advice}") from None
    original.path.unlink()
    return fetched


def undo(publication: str | Publication, *, raw: Path | None = None) -> Fetched:
    """Take the edition of a publication that was fetched last out again.

    Its tables, their entries and the decisions on them go, once the rest was found good. Raises FetchError when
    what is held came with the project, SourceError when the rest cannot be used.
    """
    name = (find(publication) if isinstance(publication, str) else publication).folder
    with folder.trial(raw, name) as (root, staged):
        held = read_source(staged / name)
        fetched = [each for each in held.file if each.original_sha256]
        if not fetched:
            raise FetchError(f"{name}: what is held came with the project, nothing was taken out")
        last = (fetched[-1].original_sha256, fetched[-1].published)
        removed = sorted(each.name for each in fetched if (each.original_sha256, each.published) == last)
        folder.drop(staged / name, set(removed))
        if len(read_source(staged / name).file) != len(held.file) - len(removed):
            raise FetchError(f"{name}/source.toml was edited by hand: take {listed(removed)} out by hand")
        data = RawData(root)
        was = _held(data)
        try:
            after = project(build(RawData(staged, was.raw if was else data)), draws=DRAWS)
        except DeficitsError as error:
            raise SourceError(f"nothing was taken out: without this edition {error}") from None
        lines = (f"Taken out: {', '.join(removed)}", _headline(was, after))
        exchange(staged / name, root / name)
    return Fetched(removed=tuple(removed), lines=lines)


def news(publication: Publication, raw: RawData) -> tuple[bool, str]:
    """Whether the publisher has something else than the newest edition held, and what, in words.

    An edition of the same day is compared by its content, where the publisher's own file was fetched.
    """
    held = raw.source(publication.folder)
    newest = held.newest
    try:
        found = locate(publication)
        if found.published and found.published.isoformat() > last_day(newest):
            return True, f"a newer edition, of {found.published}"
        known = {each.original_sha256 for each in held.file if each.published == newest} - {None}
        if not known:
            return False, "no newer edition" if found.published else "its publisher gives no date to compare"
        with tempfile.TemporaryDirectory(prefix="deficits-fetch-") as work:
            if download(found.url, Path(work) / "file")[0] in known:
                return False, "as held"
        return True, f"another file than the one of {newest}, without a newer date"
    except SourceError as error:
        return False, f"could not be asked: {printable(str(error).splitlines()[0])}"


def _add(
    publication: Publication,
    original: Original,
    root: Path,
    staged: Path,
    choices: Mapping[str, str],
    accept: str | None,
) -> Fetched:
    """Parse, stage and prove an edition, and write what is new of it."""
    name, place = publication.folder, staged / publication.folder
    data, found = RawData(root), gates.Findings()
    held, tables = data.source(name), _parsed(publication, original)
    lines = [
        f"{name}: {original.url or original.path}, published {original.published}, sha256 {original.sha256[:12]}…",
        *(line for table in tables for line in gates.contents(table)),
    ]
    entries, same = [], []
    for table in tables:
        content = _csv(table)
        entry = _entry(table, content, original, held)
        if days := [file.day for file in held.file if file.sha256 == entry.sha256]:
            same += days
            continue
        entries.append(entry)
        (place / entry.name).write_bytes(content)
        if before := gates.earlier(table, data, name):
            gates.coverage(table, before, load_authorities(data), found)
            lines += gates.compare(table, before)
    if not entries:
        lines.append(f"Already held, with the same content, as the edition of {max(same)}: no change")
        newest = max(file.day for file in held.file if file.table in {table.kind for table in tables})
        if max(same) < newest:
            withdrawn = "If its publisher has withdrawn that, take it out"
            lines.append(f"The newest held is of {newest}. {withdrawn}: deficits fetch {name} --undo")
        return Fetched(lines=tuple(lines))
    folder.declare(root / name, entries, place)
    _stop("this file is not as it should be.", found.refused)
    was = _held(data)
    panel = _decided(staged, was.raw if was else data, name, choices)
    if was:
        gates.figures(was, panel, [f"{name}/{entry.name}" for entry in entries], found)
    gates.national(was, panel, found)
    _stop("this file is not as it should be.", found.refused)
    if not (accept and accept.strip()):
        advice = 'If they are right: --accept "the reason why", which is kept with the figures'
        _stop("please look at these.", found.asked, advice)
    elif found.asked:
        asked = f"Asked about, and accepted on {date.today()}: {accept}. {'; '.join(found.asked[:SHOWN])}"
        noted = [each.model_copy(update={"note": f"{each.note} {asked}"}) for each in entries]
        folder.declare(root / name, noted, place)
    try:
        after = project(panel, draws=DRAWS)
    except DeficitsError as error:
        advice = f"Declare a correction in data/raw/{name}/corrections.toml, or wait for its publisher's"
        raise SourceError(f"nothing was written: no projection starts from it: {error}. {advice}") from None
    notes = [
        *([original.note] if original.note else []),
        *(note for table in tables for note in table.notes),
        *(f"accepted: {text}" for text in found.asked),
        *(f"decided: {choice} '{correction}'" for correction, choice in choices.items()),
        *_unread(panel, original, entries, held),
    ]
    written = tuple(entry.name for entry in entries)
    lines += [*(f"Note: {note}" for note in notes), f"Written: {', '.join(written)}", _headline(was, after)]
    exchange(place, root / name)
    return Fetched(written=written, lines=tuple(lines))


def _parsed(publication: Publication, original: Original) -> tuple[Table, ...]:
    tables = publication.parse(original.path) if publication.parse else ()
    if not tables or any(table.frame.empty for table in tables):
        raise SourceError(f"{original.path.name} has no figures for any council")
    first = min(filter(None, (gates.years_of(table.frame).min() for table in tables)), default="")
    # A year's allocations are published in the months before it.
    if first and int(original.published[:4]) < int(first[:4]) - 1:
        raise FetchError(
            f"{original.path.name} has figures from {first} on: --version {original.published} is too early"
        )
    return tables


def _entry(table: Table, content: bytes, original: Original, held: Source) -> SourceFile:
    """What declares a new table. A column means what it does in the tables held, those of its kind first."""
    ranked = sorted(held.file, key=lambda file: file.table == table.kind)
    meanings = {name: meaning for file in ranked for name, meaning in file.columns.items()}
    facts = ". ".join([*map(str.strip, gates.contents(table)), *table.notes]) + "."
    # A publisher may replace a file on the day, or a parser be mended.
    stem, taken = f"{table.kind}_{original.published}", {file.name for file in held.file}
    names = (f"{stem}{mark}.csv" for mark in ("", *(f"_{place}" for place in range(2, len(taken) + 3))))
    given = {
        "name": next(name for name in names if name not in taken),
        "table": table.kind,
        "title": f"{table.kind.replace('_', ' ').capitalize()}, edition of {original.published}",
        "published": original.published,
        "sha256": hashlib.sha256(content).hexdigest(),
        "original_sha256": original.sha256,
        "original_url": original.url,
        "rows": len(table.frame),
        "note": " ".join(filter(None, [facts, original.note])),
        "columns": {str(name): meanings.get(str(name), UNDESCRIBED) for name in table.frame},
    }
    return SourceFile.model_validate(given)


def _decided(staged: Path, base: RawData, publication: str, choices: Mapping[str, str]) -> Panel:
    """The panel with the new edition, each guard that fails in it decided on; SourceError names the others."""
    failed: dict[str, GuardFailed] = {}
    while True:
        try:
            panel = build(RawData(staged, base))
            break
        except GuardFailed as fault:
            # To find the others too, one that nobody has decided on is kept for now.
            choice = choices.get(fault.correction, "keep")
            folder.decide(staged / publication, fault.correction, fault.file, choice)
            failed[fault.correction] = fault
        except DeficitsError as error:
            raise SourceError(f"nothing was written: with this edition there is no panel: {error}") from None
    undecided = [
        f"{fault}\n  Give --retire-correction {name}, or --keep {name}"
        for name, fault in failed.items()
        if name not in choices
    ]
    _stop("corrections were made for other figures.", undecided)
    if idle := set(choices) - set(failed):
        raise FetchError(f"nothing was written: this edition needs no decision on {listed(sorted(idle))}")
    return panel


def _stop(why: str, found: Sequence[str], *advice: str) -> None:
    if found:
        raise SourceError("\n  ".join([f"nothing was written: {why}", *first_of(found, SHOWN), *advice]))


def _unread(panel: Panel, original: Original, entries: Sequence[SourceFile], held: Source) -> Iterator[str]:
    """What of a new edition is not read, or not before somebody has done something."""
    read = {(folder, name) for folder, name, *_ in panel.raw.tables}
    kinds = {file.table for file in panel.raw.source(held.folder).file if (held.folder, file.name) in read}
    for entry in entries:
        newer = max((each.day for each in held.file if each.table == entry.table), default="")
        if original.published < newer:
            yield (
                f"older than the edition of {newer} held: {entry.table} of it is used only where that one has no "
                "figure, and as of days before it"
            )
        if entry.table not in kinds:
            yield f"{entry.table} is kept; nothing reads it yet"
        if names := [name for name, meaning in entry.columns.items() if meaning == UNDESCRIBED]:
            yield f"say in source.toml what these columns of {entry.name} mean: {', '.join(names)}"


def _held(data: RawData) -> Panel | None:
    """The panel of what is held; None where that is not good itself, before an edition that mends it."""
    with suppress(DeficitsError):
        return build(data)
    return None


def _headline(before: Panel | None, after: Projection) -> str:
    """The gross deficit at the newest year end that has passed, with what was held and with what is held now."""
    year, was = date.today().year - (date.today().month < 4), "not known"

    def gross(projection: Projection) -> str:
        known = year in projection.years
        return gbp(projection.england().at[("gross", year), "p50"], 2) if known else "not known"

    with suppress(DeficitsError):
        was = gross(project(before, draws=DRAWS)) if before else was
    what = f"Gross deficit at {year_end(year)} (central estimate, {DRAWS} simulations)"
    return f"{what}: {was} before, {gross(after)} now"


def _by_hand(file: Path, version: str | None) -> Original:
    if not file.is_file():
        raise FetchError(f"there is no file {file}")
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    try:
        published = date.fromisoformat(version or "")
    except ValueError:
        found = f"found '{version or ''}'"
        raise FetchError(f"--file needs its day of publication, as --version 2026-01-22: {found}") from None
    if published > date.today() + TRIAL:
        raise FetchError(f"--version {version} is far in the future: give the day on which the file was published")
    note = "The file was given by hand."
    if published > date.today():
        note += f" Its day, {published}, is in the future: if it is a trial, `--undo` takes it out again."
    return Original(file, sha256, published.isoformat(), note=note)


def _downloaded(publication: Publication, version: str | None) -> Original:
    found = locate(publication, version)
    # A name from outside must not lead out of the folder.
    name = re.sub(r"[^\w.-]+", "_", Path(found.name).name or "file")
    path = processed_dir() / "downloads" / publication.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    sha256, changed = download(found.url, path)
    published = found.published or changed
    undated = None if published else "The publisher gives no date: the day it was fetched stands for it."
    note = " ".join(filter(None, [found.note, undated])) or None
    return Original(path, sha256, (published or date.today()).isoformat(), found.url, note)


def _csv(table: Table) -> bytes:
    """The table as it is written: whole numbers without a fraction, as publishers print them."""
    frame = table.frame
    whole = [column for column in frame.select_dtypes("float") if frame[column].dropna().mod(1).eq(0).all()]
    text: str = frame.astype(dict.fromkeys(whole, "Int64")).to_csv(index=False, lineterminator="\n")
    return text.encode()
