"""DSG balances by authority: each source beside the others, and one chosen.

Negative is a deficit in everything that leaves this module.
"""

from __future__ import annotations

import pandas as pd

from deficits.panel.authorities import Authorities
from deficits.panel.figures import KEY, year_of
from deficits.sources import read_table

AGREES_WITHIN = 150_000.0
"""£. Two publications' figures for one balance are taken as the same within this: MHCLG publishes in £ thousand,
and councils restate small amounts between the two returns. An assumption of this project."""


def section251(authorities: Authorities, dsg_total: pd.Series) -> pd.DataFrame:
    """Balances from section 251 outturn: columns balance_section251 (£), basis, source.

    For 2019-20 to 2021-22 the balance was published as a percentage of the DSG, to 0.01%, so it is derived
    from `dsg_total` (£, by authority and year). A zero returned by a successor council for its first year
    end is not a return.
    """
    shares = read_table("section251-outturn", "balance_pct_of_dsg.csv", numeric=["balance_pct_of_dsg"])
    years = shares["financial_year"].map(year_of)
    keys = [(authorities.resolve(name, year), year) for name, year in zip(shares["la_name"], years, strict=True)]
    index = pd.MultiIndex.from_tuples(keys, names=KEY)
    derived = pd.DataFrame(
        {
            # To the nearest £ thousand: the percentage's last digit is worth more than that.
            "balance_section251": (
                shares["balance_pct_of_dsg"].to_numpy() / 100 * dsg_total.reindex(index).to_numpy()
            ).round(-3),
            "basis": "derived_from_percentage",
            "source": shares.attrs["source"],
        },
        index=index,
    )
    table = read_table("section251-outturn", "balance_2023_24.csv", numeric=["balance_gbp"])
    year = table["financial_year"].map(year_of)
    first_year = table["dfe_number"].map(authorities.frame["first_year"]).astype(int)
    unreturned = (table["balance_gbp"] == 0) & (year == first_year)
    reported = pd.DataFrame(
        {
            "balance_section251": table["balance_gbp"].mask(unreturned).to_numpy(),
            "basis": "reported",
            "source": table.attrs["source"],
        },
        index=pd.MultiIndex.from_arrays([table["dfe_number"], year], names=KEY),
    )
    return pd.concat([derived, reported]).dropna(subset=["balance_section251"])


def mhclg(authorities: Authorities) -> pd.DataFrame:
    """DSG lines from MHCLG revenue outturn: columns adjustment_account, reserve, balance_mhclg (£), source.

    The level at 1 April 2023 is the balance at the end of 2022-23; what a council that began on that day
    took over then is no balance of its own and is left out.
    """
    lines = ["dsg_adjustment_account_gbp", "dsg_reserve_gbp"]
    table = read_table("mhclg-revenue-outturn", "dsg_lines.csv", numeric=lines)
    frame = pd.DataFrame(
        {
            "adjustment_account": table[lines[0]].to_numpy(),
            "reserve": table[lines[1]].to_numpy(),
            "balance_mhclg": table[lines].sum(axis=1, min_count=2).to_numpy(),
            "source": table.attrs["source"],
        },
        index=pd.MultiIndex.from_arrays([table["dfe_number"], table["financial_year"].map(year_of)], names=KEY),
    )
    first_year = frame.index.get_level_values("authority").map(authorities.frame["first_year"])
    existed = first_year <= frame.index.get_level_values("year")
    return frame[existed].dropna(subset=["balance_mhclg"])


def choose(returns: pd.DataFrame, outturn: pd.DataFrame) -> pd.DataFrame:
    """One balance an authority and year: columns balance (£), basis, source.

    Section 251 where it is returned. Its 2022-23 is not public by authority: there, MHCLG's level at
    1 April 2023 stands in for the councils whose two closing figures a year later agree (or agree on the
    adjustment account alone, where a provision in the reserve line hides the deficit). For a year end that
    section 251 has for most councils, MHCLG's figure stands in for those that did not return it.
    """
    compared = outturn.join(returns["balance_section251"], how="left")
    both = compared["balance_section251"]
    closing = compared.assign(
        whole=(compared["balance_mhclg"] - both).abs() <= AGREES_WITHIN,
        account=(compared["adjustment_account"] - both).abs() <= AGREES_WITHIN,
    ).xs(2024, level="year")

    opening = outturn.xs(2023, level="year", drop_level=False)
    authority = opening.index.get_level_values("authority")
    whole = authority.isin(closing.index[closing["whole"]])
    account = authority.isin(closing.index[closing["account"] & ~closing["whole"]])
    standing_in = pd.concat(
        [
            opening.loc[whole, ["balance_mhclg", "source"]].set_axis(["balance", "source"], axis=1),
            opening.loc[account, ["adjustment_account", "source"]].set_axis(["balance", "source"], axis=1),
            outturn.loc[outturn.index.get_level_values("year") == 2024, ["balance_mhclg", "source"]]
            .drop(index=returns.index, errors="ignore")
            .set_axis(["balance", "source"], axis=1),
        ]
    ).assign(basis="reported")
    chosen = returns.rename(columns={"balance_section251": "balance"})
    return pd.concat([chosen, standing_in[["balance", "basis", "source"]]]).sort_index()
