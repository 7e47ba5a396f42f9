"""Names of authorities as publications spell them, and the DfE numbers they mean."""

from __future__ import annotations

import re
from functools import cache

from deficits.errors import SourceError, closest
from deficits.sources.tables import read_table

_DROPPED = {"and", "the", "of", "upon", "on", "council", "borough", "royal", "metropolitan", "county", "district"}
_SHORT = {
    "hull": "kingston hull",
    "kingston": "kingston thames",
    "richmond": "richmond thames",
    "bcp": "bournemouth christchurch poole",
    "bath nes": "bath north east somerset",
    "southend": "southend sea",
    "stockton": "stockton tees",
    "stoke": "stoke trent",
}
"""Short names in common use, folded, and the folded name each stands for."""


def folded(name: str) -> str:
    """A name without what its spellings differ in.

    >>> folded("Bristol, City of") == folded("BRISTOL CITY COUNCIL") == folded("Bristol")
    True
    >>> folded("Herefordshire, County of"), folded("London Borough of Brent"), folded("City of London")
    ('herefordshire', 'brent', 'london city')
    >>> folded("Newcastle-on-Tyne") == folded("Newcastle upon Tyne")
    True
    """
    plain = name.casefold().replace("&", " and ").replace("-", " ")
    plain = re.sub(r"[^\w\s]", "", plain)
    plain = re.sub(r"\blondon borough\b", " ", plain)
    words = [word for word in plain.split() if word not in _DROPPED]
    # "City" says nothing in a name, but the City of London is not London.
    rest = [word for word in words if word != "city"]
    if rest == ["london"] and "city" in words:
        return "london city"
    text = " ".join(rest)
    return _SHORT.get(text, text)


@cache
def _known() -> tuple[dict[str, str], tuple[str, ...]]:
    """DfE numbers by folded name, and the names as they are. Of two with one name, the one that exists today."""
    table = read_table("authorities", "authority_codes.csv")
    ended_first = table.assign(exists=table["end_date"].isna()).sort_values("exists")
    numbers = {
        folded(name): code for name, code in zip(ended_first["la_name"], ended_first["dfe_number"], strict=True)
    }
    return numbers, tuple(table["la_name"])


def dfe_number_named(name: str, where: str) -> str:
    """The DfE number of the authority that a name means, in any common spelling.

    Two authorities have been called Dorset: the name means the one of today. SourceError, beginning with `where`,
    for a name that is no authority's, with the closest one.

    >>> dfe_number_named("Bristol", "a.csv"), dfe_number_named("Kingston upon Hull, City of", "a.csv")
    ('801', '810')
    """
    numbers, names = _known()
    found = numbers.get(folded(name))
    if found is None:
        raise SourceError(f"{where}: no authority is called '{name}', {closest(name, names)}")
    return found
