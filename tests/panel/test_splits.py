"""Rules of announced divisions."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deficits.panel import divide, load_authorities, read_splits, read_undecided, shares

SURREY = read_splits()["936"]


def test_a_proposal_without_a_decision_declares_no_successor() -> None:
    authorities = load_authorities()
    assert {authorities.name(code) for code in read_undecided()} >= {"Essex", "Norfolk", "West Sussex"}
    assert not read_undecided().keys() & read_splits().keys()


def test_every_district_of_surrey_goes_to_one_successor() -> None:
    districts = [code for codes in SURREY.successors.values() for code in codes]
    assert len(districts) == len(set(districts)) == 11
    assert set(districts) == {f"E070002{number:02d}" for number in range(7, 18)}


@given(
    amounts=st.lists(st.floats(-1e10, 1e10), min_size=1, max_size=5),
    east=st.floats(0, 100),
    west=st.floats(0.001, 100),
)
def test_a_division_conserves_every_pound(amounts: list[float], east: float, west: float) -> None:
    parts = pd.Series({"East Surrey": east, "West Surrey": west}) / (east + west)
    divided = divide(amounts, parts)
    assert np.allclose(sum(divided.values()), amounts, rtol=0, atol=1e-5)
    assert set(divided) == {"East Surrey", "West Surrey"}


def test_the_split_is_by_people_aged_2_to_18() -> None:
    # ONS mid-2023: 114,000 or so in the east and 125,000 or so in the west.
    assert shares(SURREY)["East Surrey"] == pytest.approx(0.47, abs=0.03)
