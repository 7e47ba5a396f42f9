"""DSG balances by authority: each source beside the others, and one chosen by a declared rule.

Negative is a deficit in everything that leaves this module.
"""

from __future__ import annotations

from typing import Literal, get_args

import pandas as pd

from deficits.publications.editions import DISPUTED, KEY

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
    """One balance an authority and year: columns value (£), basis, source, published.

    section251: section 251 where it is returned, else MHCLG. mhclg: the other way round. lowest: the lower
    deficit of the two, as the High Needs Stability Grant's own rule takes. newest: the one first public later.
    An analyst's own figure goes before any. MHCLG stands in only where section 251 was collected that year (so the
    council did not return it) or not yet, or where the two agree on the council a year later. What a council
    states counts after the newest year end that a return was collected for, where no return has the council.

    The basis is `disputed` where the two differ by more than TOLERANCE, or MHCLG alone is there and may not stand
    in (then without a value); `not_reported` where a source was collected that year and none has the council.
    """
    both = frame[list(SOURCES)]
    usable = both.assign(balance_mhclg=both["balance_mhclg"].where(_may_stand_in(both)))
    collected = pd.concat([_collected(both[name]) for name in SOURCES], axis=1).any(axis=1)
    order = _order(frame, usable, rule, _after(collected))
    chosen = pd.DataFrame(
        {
            "value": float("nan"),
            "basis": pd.Series(pd.NA, index=frame.index, dtype="str"),
            "source": pd.Series(pd.NA, index=frame.index, dtype="str"),
            "published": pd.Series(pd.NA, index=frame.index, dtype="str"),
        }
    )
    for name in (*SOURCES, "balance_stated", "balance_own"):
        taken = order.eq(name)
        chosen.loc[taken, "value"] = frame.loc[taken, name]
        for part in ("basis", "source", "published"):
            chosen.loc[taken, part] = frame.loc[taken, f"{name}_{part}"]
    differ = (both["balance_section251"] - both["balance_mhclg"]).abs() > TOLERANCE
    waiting = chosen["value"].isna() & both["balance_mhclg"].notna()
    chosen.loc[(differ & order.isin(SOURCES)) | waiting, "basis"] = DISPUTED
    chosen.loc[chosen["basis"].isna() & collected, "basis"] = NOT_REPORTED
    return chosen


def disagreements(frame: pd.DataFrame, tolerance: float = TOLERANCE) -> pd.DataFrame:
    """Balances on which the sources differ by more than `tolerance` (£), the largest difference first.

    Indexed by (authority, year): name, balance_section251, balance_mhclg, difference (the second less the first),
    balance and its source.
    """
    first, second = (frame[name] for name in SOURCES)
    listed = frame.loc[(second - first).abs() > tolerance, ["name", *SOURCES, "balance", "balance_source"]]
    listed.insert(3, "difference", listed[SOURCES[1]] - listed[SOURCES[0]])
    return listed.sort_values("difference", key=abs, ascending=False)


def _order(frame: pd.DataFrame, usable: pd.DataFrame, rule: Rule, later: pd.Series) -> pd.Series:
    """Name of the source that each cell is taken from; missing where there is none."""
    first, second = SOURCES
    has_first, has_second = usable[first].notna(), usable[second].notna()
    prefers_second = {
        "section251": pd.Series(False, index=frame.index),
        "mhclg": pd.Series(True, index=frame.index),
        # A balance is negative for a deficit, so the lower deficit is the higher balance.
        "lowest": usable[second] > usable[first],
        "newest": frame[f"{second}_published"].fillna("") > frame[f"{first}_published"].fillna(""),
    }[rule]
    order = pd.Series(pd.NA, index=frame.index, dtype="str")
    order[frame["balance_stated"].notna() & later] = "balance_stated"
    order[has_first] = first
    order[has_second & (~has_first | prefers_second)] = second
    order[frame["balance_own"].notna()] = "balance_own"
    return order


def _may_stand_in(both: pd.DataFrame) -> pd.Series:
    """Where MHCLG's figure may be used at all."""
    agrees = (both["balance_section251"] - both["balance_mhclg"]).abs() <= TOLERANCE
    a_year_later = agrees.rename(lambda year: year - 1, level=1)
    collected = _collected(both["balance_section251"])
    return collected | _after(collected) | a_year_later.reindex(both.index, fill_value=False)


def _after(collected: pd.Series) -> pd.Series:
    """Whether the row's year is later than every year that was collected."""
    years = collected.index.get_level_values(KEY[1])
    newest = years[collected].max() if collected.any() else -1
    return pd.Series(years > newest, index=collected.index)


def _collected(values: pd.Series) -> pd.Series:
    """Whether a source covers nearly all authorities of the row's year."""
    return values.notna().groupby(level=KEY[1]).transform("mean") >= NEARLY_ALL
