"""Rules of statistical neighbours and of deprivation: every authority once, and only from their day on."""

from deficits.publications import Reader
from deficits.publications.tabulated import deprivation, neighbours
from deficits.raw import raw_data
from deficits.raw.authorities import load_authorities

AUTHORITIES = load_authorities()


def reader(as_of: str | None = None) -> Reader:
    return Reader(raw_data(), AUTHORITIES, as_of)


def test_every_authority_has_ten_neighbours_other_than_itself() -> None:
    table = neighbours(reader())
    assert set(table["authority"]) == set(AUTHORITIES.in_year(2026))
    assert set(table["neighbour"]) <= set(AUTHORITIES.in_year(2026))
    assert (table["authority"] != table["neighbour"]).all()
    assert table.groupby("authority")["rank"].apply(list).map(lambda ranks: ranks == [*range(1, 11)]).all()
    assert not table.duplicated(["authority", "neighbour"]).any()


def test_kents_nearest_neighbour_is_essex() -> None:
    nearest = neighbours(reader()).query("authority == '886' and rank == 1")["neighbour"].item()
    assert AUTHORITIES.name(nearest) == "Essex"


def test_deprivation_is_ranked_by_its_score() -> None:
    table = deprivation(reader())
    assert set(table.index) == set(AUTHORITIES.in_year(2026))
    assert (table.sort_values("rank")["score"].diff().dropna() <= 0).all()
    assert table["children_in_income_deprivation"].between(0, 1).all()


def test_neither_is_known_before_it_was_published() -> None:
    assert neighbours(reader("2025-05-30")).empty
    assert not neighbours(reader("2025-05-31")).empty
    assert deprivation(reader("2025-10-29")).empty
    assert not deprivation(reader("2025-10-30")).empty
