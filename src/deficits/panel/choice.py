"""DSG balances by authority: each source with its rivals, and one chosen by a declared rule.

Negative is a deficit in everything that leaves this module.
"""

from __future__ import annotations

from typing import Literal, get_args

import pandas as pd

from deficits.panel.schema import PARTS
from deficits.publications.editions import DISPUTED, KEY
from deficits.simulated import in_units

Rule = Literal["section251", "mhclg", "lowest", "newest"]
RULES: tuple[Rule, ...] = get_args(Rule)

TOLERANCE = 150_000.0
"""£. Two publications' figures for one balance count as the same within this: MHCLG publishes in £ thousand, and
councils restate small amounts between the two returns. An assumption of this project."""
NEARLY_ALL = 0.9
"""Share of the authorities of a year from which a source counts as having been collected for that year."""
NOT_REPORTED = "not_reported"
SOURCES = ("balance_section251", "balance_mhclg")


def choose(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """One balance an authority and year: columns balance (£), balance_basis, balance_source, balance_published.

    section251: section 251 where it is returned, else MHCLG. mhclg: the other way round. lowest: the lower
    deficit of the two, as the High Needs Stability Grant's own rule takes. newest: the one first public later.
    An analyst's own figure goes before any. MHCLG stands in only where section 251 was collected that year (so the
    council did not return it) or not yet, or where the two agree on the council a year later. What a council
    states counts after the newest year end that a return was collected for, where no return has the council.

    The basis is `disputed` where the two differ by more than TOLERANCE, or MHCLG alone is there and may not stand
    in (then without a value); `not_reported` where a source was collected that year and none has the council.
    """
    section251, mhclg = (frame[name] for name in SOURCES)
    collected_251 = _collected(section251)
    collected = collected_251 | _collected(mhclg)
    difference = (section251 - mhclg).abs()
    agree_later = (difference <= TOLERANCE).rename(lambda year: year - 1, level=1).reindex(frame.index)
    usable = mhclg.where(collected_251 | _after(collected_251) | agree_later.fillna(False).astype(bool))
    dates = [frame[f"{name}_published"].fillna("") for name in SOURCES]
    prefer_mhclg = {
        "section251": pd.Series(False, index=frame.index),
        "mhclg": usable.notna(),
        # A balance is negative for a deficit, so the lower deficit is the higher balance.
        "lowest": usable > section251,
        "newest": usable.notna() & (dates[1] > dates[0]),
    }[rule]
    stands = pd.DataFrame(
        {
            "balance_own": frame["balance_own"].notna(),
            "balance_mhclg": usable.notna() & (section251.isna() | prefer_mhclg),
            "balance_section251": section251.notna(),
            "balance_stated": frame["balance_stated"].notna() & _after(collected),
        }
    )
    source = stands.idxmax(axis=1).where(stands.any(axis=1))
    parts = {name: [f"{name}{part}" for part in PARTS] for name in ("balance", *stands)}
    taken = [frame.loc[source == name, parts[name]].set_axis(parts["balance"], axis=1) for name in stands]
    chosen = pd.concat(taken).reindex(frame.index)
    waiting = chosen["balance"].isna() & mhclg.notna()
    chosen.loc[((difference > TOLERANCE) & source.isin(SOURCES)) | waiting, "balance_basis"] = DISPUTED
    chosen.loc[chosen["balance_basis"].isna() & collected, "balance_basis"] = NOT_REPORTED
    return chosen


def disagreements(frame: pd.DataFrame, tolerance: float = TOLERANCE) -> pd.DataFrame:
    """Balances on which the sources differ by more than `tolerance` (£), the largest difference first.

    Indexed by (authority, year): name, balance_section251, balance_mhclg, difference (the second less the first),
    balance and its source.
    """
    first, second = (frame[name] for name in SOURCES)
    listed = frame.loc[(second - first).abs() > tolerance, ["name", *SOURCES, "balance", "balance_source"]]
    listed.insert(3, "difference", listed[SOURCES[1]] - listed[SOURCES[0]])
    return in_units(listed.sort_values("difference", key=abs, ascending=False), "£")


def _after(collected: pd.Series) -> pd.Series:
    """Whether the row's year is later than every year that was collected."""
    years = collected.index.get_level_values(KEY[1])
    newest = years[collected].max() if collected.any() else -1
    return pd.Series(years > newest, index=collected.index)


def _collected(values: pd.Series) -> pd.Series:
    """Whether a source covers nearly all authorities of the row's year."""
    return values.notna().groupby(level=KEY[1]).transform("mean") >= NEARLY_ALL
