from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from deficits.panel import load_authorities
from deficits.reports import tiles

NEAREST = 4


@pytest.fixture(scope="module")
def councils():
    frame = load_authorities().frame
    return frame[frame["last_year"].isna()]


@pytest.fixture(scope="module")
def placed(councils):
    return tiles.tile_map(councils)


def cells(placed, codes):
    return np.array([(placed[code].column, placed[code].row) for code in codes])


def test_every_council_has_one_tile(councils, placed):
    assert list(placed) == list(councils.index)
    assert set(Counter((tile.column, tile.row) for tile in placed.values()).values()) == {1}
    assert all(0 <= tile.column < tiles.COLUMNS and 0 <= tile.row < tiles.ROWS for tile in placed.values())


def test_every_council_has_three_letters_of_its_own(placed):
    letters = [tile.letters for tile in placed.values()]
    assert len(set(letters)) == len(letters)
    assert all(len(word) == 3 and word.isupper() for word in letters)


def test_neighbours_stay_neighbours(councils, placed):
    """Of each council's four nearest, three in four touch its tile; none is more than three tiles away."""
    east = councils["lon"].to_numpy() * np.cos(np.radians(tiles.MIDDLE_LATITUDE))
    away = np.hypot(east[:, None] - east, councils["lat"].to_numpy()[:, None] - councils["lat"].to_numpy())
    np.fill_diagonal(away, np.inf)
    nearest = np.argsort(away, axis=1, kind="stable")[:, :NEAREST]
    at = cells(placed, councils.index)
    steps = np.abs(at[:, None, :] - at[None, :, :]).max(axis=2)
    found = np.take_along_axis(steps, nearest, axis=1)
    assert np.median(found) == 1
    assert (found == 1).mean() >= 0.75
    assert found.max() <= 3


def test_a_council_is_near_where_it_lies(councils, placed):
    moved = np.hypot(*(cells(placed, councils.index) - tiles.targets(councils)).T)
    assert np.median(moved) < 0.7
    # Torbay, Plymouth and the Isles of Scilly go the furthest: the peninsula is longer than the grid.
    assert np.quantile(moved, 0.95) < 2


def test_north_is_up_and_east_is_right(councils, placed):
    at = cells(placed, councils.index)
    assert np.corrcoef(at[:, 1], -councils["lat"])[0, 1] > 0.95
    assert np.corrcoef(at[:, 0], councils["lon"])[0, 1] > 0.9


def test_london_is_whole(councils, placed):
    """Its 33 tiles touch each other by their sides, and the City is surrounded by boroughs."""
    london = {
        (placed[code].column, placed[code].row): code for code in councils.index[councils["region"] == "London"]
    }
    reached, ahead = set(), [next(iter(london))]
    while ahead:
        column, row = ahead.pop()
        reached.add((column, row))
        beside = [(column + 1, row), (column - 1, row), (column, row + 1), (column, row - 1)]
        ahead += [cell for cell in beside if cell in london and cell not in reached]
    assert len(reached) == len(london) == 33
    city = placed["201"]
    around = [(city.column + x, city.row + y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    assert all(cell in london for cell in around)


def test_the_map_that_is_kept_is_the_one_that_is_solved(councils, placed):
    assert tiles.solve(councils, {code: tile.letters for code, tile in placed.items()}) == placed


def test_the_order_of_the_councils_decides_nothing(councils, placed):
    letters = {code: tile.letters for code, tile in placed.items()}
    assert tiles.solve(councils.sample(frac=1, random_state=1), letters) == placed


def test_councils_that_are_new_get_tiles_of_their_own(councils):
    surrey = councils.loc[["936"]]
    east, west = surrey.assign(name="East Surrey", lon=-0.2), surrey.assign(name="West Surrey", lon=-0.6)
    new = pd.concat([councils.drop("936"), east.set_axis(["951"]), west.set_axis(["952"])])
    placed = tiles.tile_map(new)
    assert len({(tile.column, tile.row) for tile in placed.values()}) == len(placed) == 154
    assert len({tile.letters for tile in placed.values()}) == 154
    assert placed["952"].column <= placed["951"].column


def test_lines_are_drawn_between_regions_and_along_the_coast():
    path = tiles.borders({(0, 0): "London", (1, 0): "South East"})
    assert path == "M0 0h2M0 1h2M0 0v1M1 0v1M2 0v1"
