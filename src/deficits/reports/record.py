"""The run record: what a page was made from and what it found, under one fingerprint."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from html import unescape
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from pydantic import BaseModel, ConfigDict, ValidationError

from deficits import paths

INJECTED = "injected-parameters"
"""Tag of the cell in which papermill puts the values of a run."""

PACKAGE = "deficits"

RESULTS = ("headline", "main_points", "outputs")
"""What a run found. The rest of a record's content is what it was made from."""

FIRST_LINES = 5

LETTERS = 16
"""Letters of a sha256 that stand for what one cell showed."""


class Surroundings(BaseModel):
    """What a run finds on the machine: data, code and packages. The same for every page of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: dict[str, str]
    """Each raw file to its sha256."""
    code: str
    """The package's version, for a reader; in a checkout also the commit."""
    source: str
    """The sha256 of the package's own files: what decides whether the code is the same."""
    python: str
    packages: dict[str, str]


class RunContent(BaseModel):
    """All that a page's figures depend on, and what came of it. Holds no time and no path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    report: str
    parameters: dict[str, Any]
    data: dict[str, str]
    """Each raw file to its sha256, and a file of the analyst's own where one was used."""
    code: str
    source: str = ""
    notebook: str = ""
    """The sha256 of the notebook's cells, without their outputs."""
    python: str
    packages: dict[str, str]
    headline: dict[str, float | int | str]
    main_points: tuple[str, ...]
    outputs: dict[str, str] = {}
    """What each cell showed: its place in the notebook to the first letters of a sha256."""

    def inputs(self) -> dict[str, Any]:
        """What decides whether a page is up to date. Not the commit, which changes with the docs too."""
        return self.model_dump(mode="json", exclude={"code", *RESULTS})

    def fingerprint(self) -> str:
        """The sha256 of the content as canonical JSON: two runs with the same one had the same result.

        >>> first = RunContent(report="england", parameters={"seed": 1}, data={}, code="1", python="3",
        ...     packages={}, headline={"gross": 3.8e9}, main_points=())
        >>> first.fingerprint() == first.model_copy(update={"parameters": {"seed": 2}}).fingerprint()
        False
        """
        text = json.dumps(
            self.model_dump(mode="json"),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
        return hashlib.sha256(text.encode()).hexdigest()


class RunRecord(BaseModel):
    """What is kept in a page and beside it as `<page>.json`; only `content` is in the fingerprint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = "deficits run record"
    page: str
    title: str
    run_on: date
    fingerprint: str
    content: RunContent
    files: dict[str, str] = {}
    """The endings of the page's other files, each to its sha256; empty in the record within the page."""


class FailureRecord(BaseModel):
    """What is kept as `<page>.failed.json` when a run fails, until one succeeds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = "deficits failure record"
    page: str
    title: str
    failed_at: str
    """UTC, ISO format."""
    report: str
    parameters: dict[str, Any]
    error: str
    message: str
    cell: int | None
    """Place of the cell in the report's notebook, counted from 1; None when it was no cell's fault."""
    source: str


def surroundings() -> Surroundings:
    """This machine's data, code and packages as they are now."""
    from deficits.raw import raw_data

    return Surroundings(
        data=dict(sorted(raw_data().hashes().items())),
        code=code_version(),
        source=source_digest(),
        python=platform.python_version(),
        packages=package_versions(),
    )


def make_content(
    report: str,
    parameters: Mapping[str, Any],
    notebook: Mapping[str, Any],
    found: Surroundings,
    headline: Mapping[str, Any] | None = None,
    main_points: Sequence[str] = (),
) -> RunContent:
    """The content of a notebook's run: of one that has been made, or of one to be made, which has no results."""
    return RunContent(
        report=report,
        parameters=dict(parameters),
        data=found.data | _own_file(parameters.get("own")),
        code=found.code,
        source=found.source,
        notebook=notebook_digest(notebook),
        python=found.python,
        packages=found.packages,
        headline=dict(headline or {}),
        main_points=tuple(main_points),
        outputs=output_digests(notebook) if headline else {},
    )


def _own_file(name: str | None) -> dict[str, str]:
    if name is None:
        return {}
    from deficits.panel.own_figures import find

    return {f"own/{name}": file_digest(find(name))}


def file_digest(path: Path) -> str:
    """The sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def source_digest() -> str:
    """The sha256 of the package's own files, names included."""
    digest = hashlib.sha256()
    for path in sorted(paths.PACKAGE.rglob("*")):
        inside = path.relative_to(paths.PACKAGE)
        if path.is_file() and not {"__pycache__", "_bundle"} & set(inside.parts):
            digest.update(f"{inside.as_posix()} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def notebook_digest(notebook: Mapping[str, Any]) -> str:
    """The sha256 of the cells as they were written: without outputs, and without the values papermill put in.

    The notebook is one that has been read, or what its file holds.
    """
    cells = [
        [cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])]
        for cell in written_cells(notebook)
    ]
    return hashlib.sha256(json.dumps(cells, ensure_ascii=False).encode()).hexdigest()


def output_digests(notebook: Mapping[str, Any]) -> dict[str, str]:
    """What each cell that showed anything did, by its place in the notebook from 1."""
    shown = {
        str(place): json.dumps(cell["outputs"], sort_keys=True, ensure_ascii=False)
        for place, cell in enumerate(written_cells(notebook), 1)
        if cell.get("outputs")
    }
    return {place: hashlib.sha256(text.encode()).hexdigest()[:LETTERS] for place, text in shown.items()}


def written_cells(notebook: Mapping[str, Any]) -> list[Any]:
    """The cells of the notebook as it was written, without the one that papermill adds."""
    return [cell for cell in notebook["cells"] if INJECTED not in cell["metadata"].get("tags", [])]


def written_place(notebook: Mapping[str, Any], place: int) -> int:
    """A cell's place from 1 in the notebook as it was written, from its place from 0 in the one that runs."""
    return place + 1 - sum(INJECTED in cell["metadata"].get("tags", []) for cell in notebook["cells"][: place + 1])


def first_lines(source: str) -> str:
    """The lines of a failed cell that a failure record quotes."""
    lines = source.splitlines()
    return "\n".join([*lines[:FIRST_LINES], *(["..."] if len(lines) > FIRST_LINES else [])])


META = "deficits-run-record"


def with_record(html: str, record: RunRecord) -> str:
    """A page that carries its run record, for whoever has the page alone."""
    text = json.dumps(record.model_dump(mode="json", exclude={"files"}), ensure_ascii=False, allow_nan=False)
    quoted = text.replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;")
    return html.replace("</head>", f"<meta name=\"{META}\" content='{quoted}'>\n</head>", 1)


def record_in(html: str) -> RunRecord | None:
    """The run record that a page carries; None when it has none that can be read."""
    found = re.search(rf"<meta name=\"{META}\" content='([^']*)'>", html)
    if found is None:
        return None
    try:
        return RunRecord.model_validate_json(unescape(found[1]))
    except ValidationError:
        return None


def record_beside(page: Path) -> RunRecord | None:
    """The run record beside a page; None when there is none that can be read."""
    try:
        return RunRecord.model_validate_json(page.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def package_versions() -> dict[str, str]:
    """Versions of the packages that this one asks for by name, without its extras."""
    wanted = (Requirement(text) for text in metadata.requires(PACKAGE) or [])
    names = sorted(need.name for need in wanted if need.marker is None or need.marker.evaluate({"extra": ""}))
    return {name: metadata.version(name) for name in names}


def code_version() -> str:
    """The package's version; in a checkout also the commit, and whether there are changes that are not in it."""
    version = metadata.version(PACKAGE)
    root = paths.checkout()
    commit = None if root is None else _git(root, "describe", "--always", "--tags")
    if root is None or commit is None:
        return version
    changes = _git(root, "status", "--porcelain")
    return f"{version}, commit {commit}" + (", with uncommitted changes" if changes else "")


def _git(root: Path, *words: str) -> str | None:
    """What git answers; None where git or the repository is missing."""
    try:
        # Without the optional locks, a reading command never gets in the way of somebody's commit.
        done = subprocess.run(
            ["git", "--no-optional-locks", *words],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
