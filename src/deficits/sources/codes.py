"""Codes of education authorities: DfE numbers, ONS codes and MHCLG's e-codes, all to the DfE number."""

from __future__ import annotations

import re
from functools import cache

from deficits.errors import SourceError, closest
from deficits.sources.tables import read_table

FORMER_ECODES = {"E2721": "815", "E0421": "825", "E3320": "933"}
"""E-codes of counties before they became unitary authorities under the same DfE number: North Yorkshire and
Somerset (April 2023), Buckinghamshire (April 2020). Read in MHCLG's revenue outturn of 2015-16 to 2017-18."""

_ONS_CODE = re.compile(r"E(06|08|09|10)\d{6}")


def plain_code(cell: object) -> str:
    """A code as text, also where a workbook holds it as a number.

    >>> plain_code(202.0), plain_code(" E09000007 ")
    ('202', 'E09000007')
    """
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def is_upper_tier(ons_code: str) -> bool:
    """Whether an ONS code has the pattern of a unitary, metropolitan or London borough or a county council.

    Those have an education function. The class rows of MHCLG's tables (`E06`, `E10`), districts (`E07`), fire,
    police and combined authorities do not match.

    >>> is_upper_tier("E10000016"), is_upper_tier("E10"), is_upper_tier("E07000223")
    (True, False, False)
    """
    return _ONS_CODE.fullmatch(ons_code) is not None


@cache
def _dfe_numbers() -> dict[str, str]:
    table = read_table("authorities", "authority_codes.csv")
    own = [
        (code, row.dfe_number)
        for row in table.itertuples()
        for code in (row.dfe_number, row.mhclg_ecode, *row.gss_all.split(";"))
    ]
    return FORMER_ECODES | dict(own)


@cache
def _names() -> tuple[str, ...]:
    return tuple(read_table("authorities", "authority_codes.csv")["la_name"])


def known_code(code: str) -> bool:
    """Whether this is a code of an education authority, present or past since 2010.

    >>> known_code("E2721"), known_code("E3831")
    (True, False)
    """
    return code in _dfe_numbers()


def dfe_number_of(*codes: str, name: str = "") -> str:
    """The DfE number of an education authority by any of its codes (DfE number, e-code, ONS code, old or new).

    Codes that are not known are passed over while one is: a file may print a wrong or an ended one (MHCLG gives
    North Yorkshire E10000022 in two years). SourceError when none is known, with the closest known name or code,
    or when two of them belong to different authorities.

    >>> dfe_number_of("E5011"), dfe_number_of("E10000022", "E2721"), dfe_number_of("E06000048")
    ('202', '815', '929')
    """
    found = {_dfe_numbers()[code] for code in codes if code in _dfe_numbers()}
    if len(found) == 1:
        return found.pop()
    shown = " and ".join(f"'{code}'" for code in codes) + (f" ({name})" if name else "")
    if found:
        raise SourceError(f"the codes {shown} belong to different authorities, {' and '.join(sorted(found))}")
    hint = closest(name, _names()) if name else closest(codes[0], _dfe_numbers())
    raise SourceError(f"no education authority is known by {shown}: {hint}")
