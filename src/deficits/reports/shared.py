"""One projection for many pages: `deficits.project`, within the reports of one run.

Where a run makes many pages, their projection is computed once. A report's process that was forked finds it in
memory that it shares with the others; a kernel of its own maps it from a file. A notebook calls
`deficits.project` as always, and one that asks for another projection simulates it.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import mmap
import os
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deficits.errors import DeficitsError

if TYPE_CHECKING:
    from deficits.projection import Projection

FOLDER = "DEFICITS_PROJECTIONS"
"""Environment variable that names the folder of a run's projections to a kernel."""
ASKED = ("as_of", "own", "scenario", "until", "draws", "seed")
"""The parameters of a report that decide its projection."""
ALIGNED = 64
"""Bytes: arrays start at whole multiples."""

_held: dict[str, Projection] = {}


def needed(parameters: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The projections that reports with these parameters ask for, each once."""
    found = [{name: one[name] for name in ASKED} for one in parameters if set(ASKED) <= one.keys()]
    return [each for place, each in enumerate(found) if each not in found[:place]]


def hold(asked: Mapping[str, Any]) -> str | None:
    """Compute a projection for the reports of this process's children, and give its key.

    None where it cannot be made: the report that asks for it says why.
    """
    from deficits.panel import load_panel
    from deficits.scenario import Scenario

    given = {name: asked[name] for name in ("until", "draws", "seed")}
    try:
        panel = load_panel(asked["as_of"], own=asked["own"])
        scenario = Scenario() if asked["scenario"] is None else Scenario.parse(asked["scenario"])
        key = _key(panel, scenario.assumptions, levers=scenario.levers, **given)
        if key not in _held:
            _held[key] = scenario.project(panel, **given)
    except DeficitsError:
        return None
    return key


def install() -> None:
    """Let `deficits.project` and `Scenario.project` in this process take what is held."""
    import deficits
    from deficits import scenario

    deficits.project = project
    scenario.project = project  # type: ignore[attr-defined]


def project(*given: Any, **named: Any) -> Projection:
    """`deficits.project`, taking a projection that is held for this run instead of simulating it again."""
    from deficits.projection import project as simulate

    key = _key(*given, **named)
    if key not in _held and os.environ.get(FOLDER):
        found = load(Path(os.environ[FOLDER]) / key)
        if found is not None:
            _held[key] = found
    return _held[key] if key in _held else simulate(*given, **named)


def _key(*given: Any, **named: Any) -> str:
    """What a projection depends on, as the name of a file."""
    from deficits.projection import Assumptions
    from deficits.projection import project as simulate
    from deficits.scenario import Scenario

    bound = inspect.signature(simulate).bind(*given, **named)
    bound.apply_defaults()
    asked = dict(bound.arguments)
    panel, assumptions, levers = asked.pop("panel"), asked.pop("assumptions"), asked.pop("levers")
    own = [panel.frame["balance_own"].dropna().to_csv(), panel.own_paths.to_csv(), panel.raw.hashes()]
    assumed = Scenario(assumptions=assumptions or Assumptions(), levers=tuple(levers)).contents()
    parts = [panel.as_of, panel.rule, own, assumed, asked]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def save(folder: Path) -> None:
    """Write what is held into a folder, one file a projection, for kernels to map."""
    for key, projection in _held.items():
        arrays: list[pickle.PickleBuffer] = []
        head = pickle.dumps(projection, protocol=5, buffer_callback=arrays.append)
        beside = folder / f".{key}"
        with beside.open("wb") as file:
            file.write(b"\0" * ALIGNED)
            places = []
            for array in arrays:
                raw = array.raw()
                file.write(b"\0" * (-file.tell() % ALIGNED))
                places.append((file.tell(), raw.nbytes))
                file.write(raw)
            index = pickle.dumps((places, head))
            start = file.tell()
            file.write(index)
            file.seek(0)
            file.write(start.to_bytes(8, "little"))
        beside.replace(folder / key)


def load(path: Path) -> Projection | None:
    """A projection from a file that this run has written, its arrays mapped, not read; None when there is none."""
    try:
        with path.open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except FileNotFoundError:
        return None
    places, head = pickle.loads(mapped[int.from_bytes(mapped[:8], "little") :])
    projection: Projection = pickle.loads(head, buffers=[mapped[start : start + size] for start, size in places])
    return projection
