"""The authorities with an education function, through reorganisations: a closed list by year."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from deficits.errors import PanelError, closest
from deficits.sources import folded, read_table

FIRST_YEAR = 2010
"""January 2010: the first EHC plans (then statements) by authority."""


@dataclass(frozen=True)
class Authorities:
    """Every authority since 2010, indexed by DfE number.

    `frame` has columns name, region, gss (current ONS code), gss_all (every code it has had, `;` between),
    first_year and last_year (financial years at whose end it existed; last_year is <NA> while it exists),
    predecessors (DfE numbers, `;` between, `(part)` where divided), lon, lat (degrees).
    """

    frame: pd.DataFrame

    def in_year(self, year: int) -> pd.Index:
        """DfE numbers of the authorities that existed on 31 March of `year`."""
        first, last = self.frame["first_year"], self.frame["last_year"]
        return self.frame.index[(first <= year) & (last.isna() | (last >= year))]

    def resolve(self, word: str | int, year: int | None = None) -> str:
        """DfE number of the authority meant by a DfE number, an ONS code or a name.

        A name or code that has meant two (Dorset) means the one of `year`, or the current one.
        Raises PanelError that offers the closest name.
        """
        text = str(word).strip()
        candidates = self._known.get(text.upper()) or self._known.get(folded(text))
        if not candidates:
            raise PanelError(f"no authority '{text}': {closest(text, self.frame['name'])}")
        alive = [code for code in candidates if self.existed(code, year)]
        return (alive or candidates)[0]

    def existed(self, code: str, year: int | None = None) -> bool:
        """Whether the authority existed on 31 March of `year`; without a year, whether it still does."""
        first, last = self._lives[code]
        if year is None:
            return last is None
        return first <= year and (last is None or year <= last)

    def name(self, authority: str) -> str:
        """Its name, for a DfE number."""
        return str(self.frame.at[authority, "name"])

    def predecessors(self, authority: str) -> list[str]:
        """DfE numbers of the authorities that it replaced, whole or in part."""
        listed = self.frame.at[authority, "predecessors"]
        return [part.removesuffix("(part)") for part in listed.split(";") if part]

    @cached_property
    def _known(self) -> dict[str, list[str]]:
        """DfE numbers by every word that means them."""
        known: dict[str, list[str]] = {}
        for code, row in self.frame[["name", "gss_all"]].iterrows():
            for word in [str(code), folded(row["name"]), *row["gss_all"].split(";")]:
                known.setdefault(word, []).append(str(code))
        return known

    @cached_property
    def _lives(self) -> dict[str, tuple[int, int | None]]:
        last = self.frame["last_year"]
        ends = [None if ended else int(year) for year, ended in zip(last, last.isna(), strict=True)]
        return dict(zip(self.frame.index, zip(self.frame["first_year"], ends, strict=True), strict=True))


def load_authorities() -> Authorities:
    """The closed list, from `data/raw/authorities`."""
    raw = read_table("authorities", "authority_codes.csv", numeric=["centroid_lon", "centroid_lat"])
    frame = pd.DataFrame(
        {
            "name": raw["la_name"],
            "region": raw["region"],
            "gss": raw["gss_current"],
            "gss_all": raw["gss_all"],
            # It starts on 1 April, so its first year end is 31 March a year later; it ends on 1 April,
            # a day after its last.
            "first_year": raw["start_date"].str[:4].astype("Int64").add(1).fillna(FIRST_YEAR),
            "last_year": raw["end_date"].str[:4].astype("Int64"),
            "predecessors": raw["predecessors"].fillna(""),
            "lon": raw["centroid_lon"],
            "lat": raw["centroid_lat"],
        }
    )
    return Authorities(frame.set_index(pd.Index(raw["dfe_number"], name="authority")).sort_index())
