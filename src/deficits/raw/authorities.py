"""The authorities with an education function, through reorganisations, and the one resolver of names and codes.

A council is known by its DfE number. Files and people call it by that, by an ONS code (which changes when its area
does), by MHCLG's e-code, or by a name in one of many spellings.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path

import pandas as pd

from deficits.errors import PanelError, SourceError, closest
from deficits.raw.tables import RawData, raw_data
from deficits.validation import whole

TYPES = {"E06": "unitary", "E08": "metropolitan", "E09": "london", "E10": "county"}
"""Type of council by the beginning of its ONS code."""
_FOREVER = 9999
_NAMES = tomllib.loads(Path(__file__).with_name("names.toml").read_text(encoding="utf-8"))
SAYS_NOTHING = (*_NAMES["dropped"], "city")
"""Words of a name that say nothing where somebody looks for a council."""


def folded(name: str) -> str:
    """A name without what its spellings differ in.

    >>> [folded(name) for name in ("Bristol, City of", "BRISTOL CITY COUNCIL", "City of London", "Kent CC")]
    ['bristol', 'bristol', 'london city', 'kent']
    >>> folded("London Borough of Brent"), folded("Newcastle-on-Tyne"), folded("S. Gloucestershire")
    ('brent', 'newcastle tyne', 'south gloucestershire')
    """
    plain = name.casefold().replace("&", " and ").replace("-", " ")
    plain = re.sub(r"[^\w\s]", "", plain)
    plain = re.sub(r"\blondon borough\b", " ", plain)
    expanded, short = _NAMES["expanded"], _NAMES["short"]
    words = [expanded.get(word, word) for word in plain.split() if word not in _NAMES["dropped"]]
    # "City" says nothing in a name, but the City of London is not London.
    text = " ".join(word for word in words if word != "city")
    return "london city" if text == "london" and "city" in words else str(short.get(text, text))


def is_upper_tier(ons_code: str) -> bool:
    """Whether an ONS code is a council's with an education function.

    Classes of MHCLG's tables (`E10`), districts (`E07`), fire, police and combined authorities have none.
    """
    return re.fullmatch(r"E(06|08|09|10)\d{6}", ons_code) is not None


@dataclass(frozen=True)
class Authorities:
    """Every authority since the first counts of EHC plans by authority, indexed by DfE number.

    `frame` has columns name, region, gss (current ONS code), gss_all (every code it has had, `;` between), ecode,
    first_year and last_year (financial years at whose end it existed; <NA> where it began before the figures do,
    or still exists), predecessors (DfE numbers, `;` between, `(part)` where divided).
    `districts`: DfE number of the authority that a district lies in, by the district's name, folded.
    """

    frame: pd.DataFrame
    districts: dict[str, str] = field(default_factory=dict)

    def in_year(self, year: int | None = None) -> pd.Index:
        """DfE numbers of the authorities that existed on 31 March of `year`; without a year, that still do."""
        return self.frame.index[[self.existed(code, year) for code in self._lives]]

    def resolve(self, word: str | int, year: int | None = None) -> str:
        """DfE number of the authority meant by a DfE number, an ONS code, an e-code or a name.

        A name or code that has meant two (Dorset) means the one of `year`, or the current one.
        Raises PanelError that offers the closest name, or says which authority a district lies in.
        """
        if isinstance(word, Collection) and not isinstance(word, str):
            raise PanelError(f"one council's name or code is wanted here, not {len(word)} of them: {list(word)}")
        text = str(word).strip()
        plain = folded(text)
        found = self._by_code.get(text.upper()) or self._names.get(plain)
        if not found:
            begun = [name for name in self._names if plain and name.startswith(f"{plain} ")]
            if len(begun) != 1:
                raise PanelError(f"no authority '{text}': {self._hint(text)}")
            found = self._names[begun[0]]
        return next((code for code in found if self.existed(code, year)), found[0])

    def of_codes(self, *codes: str, name: str = "") -> str:
        """The DfE number by any of the codes that a file prints (DfE number, e-code, ONS code, old or new).

        Codes that are not known are passed over while one is: a file may print a wrong or an ended one (MHCLG
        gives North Yorkshire E10000022 in two years). SourceError when none is known, with the closest known name
        or code, or when two of them belong to different authorities.
        """
        found = {self._by_code[code][-1] for code in codes if self.knows(code)}
        if len(found) == 1:
            return found.pop()
        shown = " and ".join(f"'{code}'" for code in codes) + (f" ({name})" if name else "")
        if found:
            raise SourceError(f"the codes {shown} belong to different authorities, {' and '.join(sorted(found))}")
        raise SourceError(f"no education authority is known by {shown}: {self._hint(name or codes[0])}")

    def knows(self, code: str) -> bool:
        """Whether this is a code of an education authority, present or past."""
        return code in self._by_code

    def existed(self, code: str, year: int | None = None) -> bool:
        """Whether the authority existed on 31 March of `year`; without a year, whether it still does."""
        first, last = self._lives[code]
        return last == _FOREVER if year is None else first <= year <= last

    def name(self, authority: str) -> str:
        """Its name, for a DfE number."""
        return str(self.frame.at[authority, "name"])

    def types(self, codes: pd.Index) -> pd.Series:
        """Type of each council (unitary, metropolitan, london, county), for DfE numbers."""
        return self.frame.loc[codes, "gss"].str[:3].map(TYPES).rename("type")

    def predecessors(self, authority: str) -> list[str]:
        """DfE numbers of the authorities that it replaced, whole or in part."""
        listed = self.frame.at[authority, "predecessors"]
        return [part.removesuffix("(part)") for part in listed.split(";") if part]

    def short_names(self) -> dict[str, str]:
        """DfE numbers by the short names in common use, in lower case."""
        return {name: self.resolve(name) for name in _NAMES["short"]}

    def _hint(self, text: str) -> str:
        plain = folded(text)
        if plain in self.districts and plain not in self._names:
            return f"{text} is a district of {self.name(self.districts[plain])}"
        begun = sorted(self.name(self._names[name][0]) for name in self._names if plain and name.startswith(plain))
        if begun:
            return f"did you mean {' or '.join(repr(name) for name in begun[:4])}?"
        near = get_close_matches(plain, self._names, n=1, cutoff=0.75)
        if near:
            return f"did you mean '{self.name(self._names[near[0]][0])}'?"
        if re.fullmatch(r"[A-Z]?\d+", text):
            return closest(text, self._by_code)
        return "give its name, its DfE number (886) or its ONS code (E10000016)"

    @cached_property
    def _by_code(self) -> dict[str, list[str]]:
        """DfE numbers by every code; of two with one code, the later one last."""
        known: dict[str, list[str]] = {code: [number] for code, number in _NAMES["former_ecodes"].items()}
        for number, row in self.frame[["gss_all", "ecode"]].iterrows():
            for code in (str(number), row["ecode"], *row["gss_all"].split(";")):
                known.setdefault(code, []).append(str(number))
        return known

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """DfE numbers by folded name; of two with one name, the one that exists first."""
        known: dict[str, list[str]] = {}
        for number, name in self.frame["name"].items():
            known.setdefault(folded(name), []).append(str(number))
        return {name: sorted(numbers, key=lambda code: not self.existed(code)) for name, numbers in known.items()}

    @cached_property
    def _lives(self) -> dict[str, tuple[int, int]]:
        """The first and last year of each, by DfE number."""
        years = self.frame[["first_year", "last_year"]].fillna({"first_year": 0, "last_year": _FOREVER})
        return {str(number): (int(first), int(last)) for number, first, last in years.itertuples()}


def load_authorities(raw: RawData | None = None) -> Authorities:
    """The closed list, from `data/raw/authorities`."""
    return _load((raw or raw_data()).where("authorities"))


def authorities(year: int | None = None) -> pd.DataFrame:
    """Councils with an education function, by DfE number: name, region, type, gss (ONS code), first_year and
    last_year.

    Those that exist now, or that existed on 31 March of `year`.

    >>> authorities().loc["886", ["name", "type"]].tolist()
    ['Kent', 'county']
    """
    known = load_authorities()
    codes = known.in_year(None if year is None else whole("year", year, PanelError))
    frame = known.frame.loc[codes, ["name", "region", "gss", "first_year", "last_year"]]
    frame.insert(2, "type", known.types(codes))
    return frame


@cache
def _load(raw: RawData) -> Authorities:
    table = raw.table("authorities", "authority_codes.csv")
    frame = table.rename(columns={"la_name": "name", "gss_current": "gss", "mhclg_ecode": "ecode"}).assign(
        # It starts on 1 April, so its first year end is 31 March a year later; it ends on 1 April, a day after its
        # last.
        first_year=table["start_date"].str[:4].astype("Int64").add(1),
        last_year=table["end_date"].str[:4].astype("Int64"),
        predecessors=table["predecessors"].fillna(""),
    )
    columns = ["name", "region", "gss", "gss_all", "ecode", "first_year", "last_year", "predecessors"]
    frame = frame.set_index("dfe_number").rename_axis("authority").sort_index()[columns]
    lookup = raw.table("authorities", "district_to_authority.csv")
    numbers = {code: number for number, codes in frame["gss_all"].items() for code in codes.split(";")}
    districts = {
        folded(district): numbers[upper]
        for columns in (["ladnm", "utlacd"], ["ladnm_active", "utlacd"])
        for district, upper in lookup[columns].itertuples(index=False)
        if upper in numbers
    }
    return Authorities(frame, districts)
