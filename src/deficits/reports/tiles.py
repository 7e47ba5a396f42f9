"""England as a tile map: one equal tile a council, near where the council lies.

A map to scale shows Northumberland well and Camden not at all, though both are one council. Here each council is
one cell of a grid. London's boroughs have a square of their own, so that the capital stays whole; the rest of
England is moved outwards by just the room that this square takes. Which council gets which cell is the assignment
with the smallest sum of squared distances between where a council lies and its cell.

The result is kept in `page/tiles.csv`, since solving needs scipy (a quarter of a second to import). When the
councils of `authority_codes.csv` are no longer those of the file, the map is solved afresh;
`python -m deficits.reports.tiles` prints the file anew.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

KEPT = Path(__file__).parent / "page" / "tiles.csv"

COLUMNS, ROWS = 15, 21
"""Size of the grid: at 24 pixels a tile, the least size of a target, 15 columns fit on a phone 375 pixels wide."""
LONDON = "London"
LONDON_AT, LONDON_SIDE = (7, 12), 6
"""First column and row, and side, of London's square: with the scale, those that keep neighbours nearest."""
KM_A_TILE = 30.0
KM_A_DEGREE = 111.3
MIDDLE_LATITUDE = 53.0
"""Degrees north; a degree of longitude is shorter than one of latitude by its cosine."""


@dataclass(frozen=True)
class Tile:
    """A council's place on the map: DfE number, three letters for it, column and row from 0 at the top left."""

    authority: str
    letters: str
    column: int
    row: int


def tile_map(councils: pd.DataFrame) -> dict[str, Tile]:
    """The tile of each council; `councils` has name, region, lon and lat by DfE number.

    >>> from deficits.panel import load_authorities
    >>> every = load_authorities().frame
    >>> tile_map(every[every["last_year"].isna()])["886"]
    Tile(authority='886', letters='KEN', column=13, row=16)
    """
    kept = read_tiles()
    if set(kept) == set(councils.index):
        return kept
    return solve(councils, {code: tile.letters for code, tile in kept.items()})


def read_tiles(path: Path = KEPT) -> dict[str, Tile]:
    """The map that is kept."""
    with path.open(encoding="utf-8", newline="") as lines:
        tiles = (
            Tile(row["authority"], row["letters"], int(row["column"]), int(row["row"]))
            for row in csv.DictReader(lines)
        )
        return {tile.authority: tile for tile in tiles}


def solve(councils: pd.DataFrame, letters: Mapping[str, str] | None = None) -> dict[str, Tile]:
    """The map worked out from where the councils lie: the same councils always get the same map."""
    import numpy as np

    # In an order of its own, so that the order of the rows decides nothing.
    councils = councils.sort_index()
    places = targets(councils)
    in_london = (councils["region"] == LONDON).to_numpy()
    square = _square(LONDON_AT, LONDON_SIDE)
    cells = np.empty((len(councils), 2), dtype=int)
    cells[in_london] = _assigned(places[in_london], square)
    taken = {(int(column), int(row)) for column, row in cells[in_london]}
    cells[~in_london] = _assigned(places[~in_london], [cell for cell in _grid() if cell not in taken])
    named = with_letters(councils["name"], letters or {})
    return {
        code: Tile(code, named[code], int(column), int(row))
        for code, (column, row) in zip(councils.index, cells, strict=True)
    }


def targets(councils: pd.DataFrame) -> np.ndarray:
    """Where each council would lie on the grid if a cell could hold many: columns and rows, not whole numbers."""
    import numpy as np

    shrink = np.cos(np.radians(MIDDLE_LATITUDE))
    flat = np.column_stack([councils["lon"] * shrink, -councils["lat"]]) * KM_A_DEGREE / KM_A_TILE
    in_london = (councils["region"] == LONDON).to_numpy()
    boroughs = flat[in_london]
    if len(boroughs) > LONDON_SIDE**2:
        raise ValueError(f"{len(boroughs)} boroughs do not fit into London's square of side {LONDON_SIDE}")
    out = np.empty_like(flat)
    # London in a scale of its own: from edge to edge of its square.
    low, high = boroughs.min(axis=0), boroughs.max(axis=0)
    out[in_london] = (boroughs - low) / (high - low) * (LONDON_SIDE - 1) + LONDON_AT
    # The rest of England moves outwards as if London were a point that grew to a disc of that many tiles: each
    # ring around it keeps its area.
    away = flat[~in_london] - boroughs.mean(axis=0)
    distance = np.hypot(away[:, 0], away[:, 1])
    stretch = np.sqrt(distance**2 + len(boroughs) / np.pi) / distance
    out[~in_london] = away * stretch[:, None] + np.add(LONDON_AT, (LONDON_SIDE - 1) / 2)
    return out


def _assigned(places: np.ndarray, cells: Sequence[tuple[int, int]]) -> np.ndarray:
    """The cell of each place: the assignment with the smallest sum of squared distances."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    free = np.array(cells)
    cost = ((places[:, None, :] - free[None, :, :]) ** 2).sum(axis=2)
    # Rounded, so that the last digit of a cosine, which differs between machines, decides nothing.
    _, chosen = linear_sum_assignment(cost.round(6))
    given: np.ndarray = free[chosen]
    return given


def _grid() -> list[tuple[int, int]]:
    return [(column, row) for row in range(ROWS) for column in range(COLUMNS)]


def _square(at: tuple[int, int], side: int) -> list[tuple[int, int]]:
    return [(at[0] + column, at[1] + row) for row in range(side) for column in range(side)]


def with_letters(names: pd.Series, known: Mapping[str, str]) -> dict[str, str]:
    """Three letters for each council: those it is known by, otherwise from its name, never those of another.

    >>> import pandas as pd
    >>> with_letters(pd.Series({"886": "Kent", "999": "Kenton"}), {"886": "KEN"})
    {'886': 'KEN', '999': 'KET'}
    """
    given = {code: known[code] for code in names.index if code in known}
    for code, name in names.items():
        if code not in given:
            given[str(code)] = next(word for word in _tries(str(name)) if word not in given.values())
    return {str(code): given[str(code)] for code in names.index}


def _tries(name: str) -> Iterable[str]:
    """Three-letter words for a name, the first ones the likeliest."""
    letters = [letter for letter in name.upper() if letter.isascii() and letter.isalpha()]
    from_name = (letters[0] + second + third for n, second in enumerate(letters[1:], 2) for third in letters[n:])
    return chain(from_name, (f"{letters[0]}{number:02}" for number in range(100)))


def borders(cells: Mapping[tuple[int, int], str]) -> str:
    """The lines between regions and along the coast, as an SVG path in units of a cell.

    `cells` gives the region of each cell that holds a council.

    >>> borders({(0, 0): "North East", (1, 0): "North East"})
    'M0 0h2M0 1h2M0 0v1M2 0v1'
    """
    level, upright = set(), set()
    for (column, row), region in cells.items():
        level |= {(row + step, column) for step in (0, 1) if cells.get((column, row - 1 + 2 * step)) != region}
        upright |= {(column + step, row) for step in (0, 1) if cells.get((column - 1 + 2 * step, row)) != region}
    across = "".join(f"M{start} {at}h{length}" for at, start, length in _runs(level))
    return across + "".join(f"M{at} {start}v{length}" for at, start, length in _runs(upright))


def _runs(steps: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Steps of length 1, each a line and a place on it, joined where they follow each other."""
    runs: list[tuple[int, int, int]] = []
    for line, place in sorted(steps):
        if runs and runs[-1][0] == line and runs[-1][1] + runs[-1][2] == place:
            runs[-1] = (line, runs[-1][1], runs[-1][2] + 1)
        else:
            runs.append((line, place, 1))
    return runs


def write_tiles(tiles: Iterable[Tile], file: object = None) -> None:
    """Print the map as the file that keeps it."""
    writer = csv.writer(file or sys.stdout, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerow(["authority", "letters", "column", "row"])
    writer.writerows([tile.authority, tile.letters, tile.column, tile.row] for tile in tiles)


if __name__ == "__main__":
    from deficits.panel import load_authorities

    every = load_authorities().frame
    now = every[every["last_year"].isna()]
    write_tiles(solve(now, {code: tile.letters for code, tile in read_tiles().items()}).values())
