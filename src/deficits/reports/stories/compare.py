"""The report that compares schemes: what each costs and buys, which are dominated, who gains and who loses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from deficits.errors import SchemeError
from deficits.formatting import between, gbp_range, percent, year_end
from deficits.projection import Projection
from deficits.reports.stories.common import Points, pounds
from deficits.writeoff import Frontier, Inputs, Scheme, WriteOff, at_cost_of, frontier, write_off

RANKED = {
    "present_cost": "Net cost",
    "deficit": "Deficit left",
    "above_reserves": "Councils above reserves",
    "years_bought": "Years bought",
    "gini": "Evenness",
}
SURE = 0.9
"""Share of draws from which a council is said to gain or lose."""
ALIKE = 1_000.0
"""£ a council by which two ways of sharing may differ and still be told as one: the search for an equal cost ends
that near."""
NOTICED = 1e6
"""£: money moved between councils below which two schemes share it alike."""


@dataclass(frozen=True)
class Comparison:
    """Schemes on the same draws, and one of them that the others are held against.

    `measured`: what each costs and buys. `reference`: the one, applied. `rivals`: the others that pay, made as
    dear as it on the mean of all draws, by title, one of those that share the money alike; `alike`: those left out
    for that; `unequal`: those whose largest form pays less.
    """

    measured: Frontier
    reference: WriteOff
    rivals: dict[str, WriteOff]
    alike: dict[str, str]
    unequal: list[str]

    @cached_property
    def table(self) -> pd.DataFrame:
        """`Frontier.table`, with the title as a column `scheme`."""
        return self.measured.table().reset_index()

    @cached_property
    def changes(self) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
        """By rival: £ that it pays each council more than the reference, shape (authorities, draws)."""
        mine = self.reference.paid.total("write_off", "cover")
        return {title: rival.paid.total("write_off", "cover") - mine for title, rival in self.rivals.items()}

    @cached_property
    def most_different(self) -> str | None:
        """Title of the rival that moves most money between councils; None where none moves any."""
        moved = {title: _moved(change) for title, change in self.changes.items()}
        most = max(moved, key=lambda title: moved[title], default=None)
        return most if most is not None and moved[most] > NOTICED else None


def compared(projection: Projection, schemes: Mapping[str, Scheme], against: str, year: int) -> Comparison:
    """Compare schemes by their names, one of which they are held against."""
    schemes = _told_apart(schemes)
    measured = frontier(projection, list(schemes.values()), year=projection.year(year))
    inputs = Inputs(projection)
    reference = write_off(inputs, schemes[against])
    mine = reference.paid.total("write_off", "cover")
    rivals: dict[str, WriteOff] = {}
    alike: dict[str, str] = {}
    unequal: list[str] = []
    for scheme in (scheme for name, scheme in schemes.items() if name != against):
        try:
            rival = write_off(inputs, at_cost_of(scheme, reference.scheme, inputs))
        except SchemeError:
            unequal.append(way(scheme.title))
            continue
        paid = rival.paid.total("write_off", "cover")
        same = [title for title, other in rivals.items() if _same(paid, other.paid.total("write_off", "cover"))]
        if same or _same(paid, mine):
            alike[scheme.title] = same[0] if same else reference.scheme.title
        else:
            rivals[scheme.title if way(scheme.title) in rivals else way(scheme.title)] = rival
    return Comparison(measured, reference, rivals, alike, unequal)


def _told_apart(schemes: Mapping[str, Scheme]) -> dict[str, Scheme]:
    """The schemes, those with one title under their names as well."""
    titles = [scheme.title for scheme in schemes.values()]
    return {
        name: scheme
        if titles.count(scheme.title) == 1
        else scheme.model_copy(update={"title": f"{scheme.title} ({name})"})
        for name, scheme in schemes.items()
    }


def _same(one: np.ndarray[Any, np.dtype[np.float64]], other: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    """Whether two ways of sharing pay every council the same, in every draw."""
    return bool(np.abs(one - other).max() < ALIKE)


def way(title: str) -> str:
    """A scheme's title without the amount that it has when it is not made as dear as another.

    >>> way("Equal amount a pupil, £5bn")
    'Equal amount a pupil'
    """
    return re.sub(r", £[\d.]+(bn|m)$", "", title)


def compare_points(compared: Comparison) -> Points:
    """Main points and headline figures of the report that compares schemes."""
    measured, table = compared.measured, compared.table.set_index("scheme")
    title, year = compared.reference.scheme.title, measured.year
    smallest = table["deficit_p50"].idxmin()
    row, mine = table.loc[smallest], table.loc[title]
    least, left = (gbp_range(one["deficit_p10"], one["deficit_p90"]) for one in (row, mine))
    points = [
        f"At {year_end(year)} {least} would be left under the scheme that leaves least "
        f"({_in_text(str(smallest))}), and {left} under {title}: a write-off does not close the yearly gap.",
        _years(table),
        _reserves(table, year),
        _dominated(table),
        *_who_moves(compared),
        _stable(measured),
        "All schemes are tried on the same simulated futures, so a difference between two of them is firmer than "
        "either amount. These are estimates; counterfactuals are made up to compare, and nobody proposed them.",
        *compared.reference.warnings,
    ]
    headline: dict[str, float | int | str] = {"schemes": len(table), "against": title}
    for name in ("present_cost", "deficit"):
        headline |= {f"{name}_of_{part}": pounds(mine[f"{name}_{part}"]) for part in ("p10", "p50", "p90")}
    headline["dominated"] = int(table["dominated"].sum())
    return points, headline


def has_values(compared: Comparison, measure: str) -> bool:
    """Whether any scheme has a value of a measure in the middle of its range: none has where all pay nothing, or
    none is back."""
    return bool(np.isfinite(compared.table[f"{measure}_p50"].astype("float64")).any())


def _in_text(title: str) -> str:
    return title[:1].lower() + title[1:] if title[1:2].islower() and not title.startswith("High Needs") else title


def _years(table: pd.DataFrame) -> str:
    known = table[np.isfinite(table["years_bought_p50"])]
    gone = table.index.difference(known.index)
    if known.empty:
        return "Under none of them is the deficit back within the period, in the middle of the range."
    longest = known["years_bought_p50"].idxmax()
    row = known.loc[longest]
    low = f"{row['years_bought_p10']:.1f}"
    high = f"{row['years_bought_p90']:.1f}" if np.isfinite(row["years_bought_p90"]) else "more"
    told = f"The most time that one of them buys is {between(low, high)} years ({_in_text(str(longest))})."
    return told + (f" {len(gone)} are not back within the period." if len(gone) else "")


def _reserves(table: pd.DataFrame, year: int) -> str:
    row, worst = (
        table.loc[place] for place in (table["above_reserves_p50"].idxmin(), table["above_reserves_p50"].idxmax())
    )
    fewest, most = (
        between(f"{one['above_reserves_p10']:.0f}", f"{one['above_reserves_p90']:.0f}") for one in (row, worst)
    )
    return (
        f"{fewest} of {row['reserves_known']:.0f} councils whose reserves are published would have a deficit "
        f"above them at {year_end(year)} under the most effective scheme, {most} under the least effective."
    )


def _dominated(table: pd.DataFrame) -> str:
    beaten = table[table["dominated"].astype(bool)]
    if beaten.empty:
        return "No scheme is dominated: each is better than every other in something, cost included."
    told = "; ".join(
        f"{scheme}, by {row['dominated_by']} (no worse on every measure in {percent(row['in_draws'])} of "
        "simulations)"
        for scheme, row in beaten.iterrows()
    )
    number = "1 scheme is" if len(beaten) == 1 else f"{len(beaten)} schemes are"
    return (
        f"{number} dominated: at the median another is at least as good on every measure and better on one: "
        f"{told}."
    )


def _who_moves(compared: Comparison) -> list[str]:
    title = compared.most_different
    if title is None:
        return []
    change = compared.changes[title]
    moved = np.quantile(np.clip(change, 0, None).sum(axis=0), [0.1, 0.9])
    gains, loses = (int(((sign * change > 1).mean(axis=1) > SURE).sum()) for sign in (1, -1))
    return [
        f"At the cost of {compared.reference.scheme.title}, {_in_text(title)} would move {gbp_range(*moved)} "
        f"between councils: {gains} gain and {loses} lose in 9 of 10 futures."
    ]


def _stable(measured: Frontier) -> str:
    ranks = measured.ranks("deficit")
    firm = int((ranks["p10"] == ranks["p90"]).sum())
    return (
        f"By what they leave, {firm} of {len(ranks)} schemes keep the same rank in 8 of 10 futures: the width of "
        "the forecast hardly changes which is larger, only by how much."
        if firm >= len(ranks) / 2
        else f"By what they leave, only {firm} of {len(ranks)} schemes keep the same rank in 8 of 10 futures."
    )


def _moved(change: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """£ that a way of sharing takes from some councils and gives to others, mean of the draws."""
    return float(np.minimum(np.clip(change, 0, None).sum(axis=0), np.clip(-change, 0, None).sum(axis=0)).mean())


def measures(compared: Comparison) -> pd.DataFrame:
    """What each scheme costs and buys, cheapest first, with ranges in words."""
    table, year = compared.table, compared.measured.year
    numbers = {title: str(place) for place, title in enumerate(table["scheme"], start=1)}
    return pd.DataFrame(
        {
            "No.": range(1, len(table) + 1),
            "Scheme": table["scheme"],
            "Net cost, present value": _ranges(table, "present_cost"),
            "Councils pay, present value": _ranges(table, "councils_pay"),
            f"Deficit at {year_end(year)}": _ranges(table, "deficit"),
            "Councils above reserves": _ranges(table, "above_reserves"),
            "Years bought": _ranges(table, "years_bought"),
            "Gini": _ranges(table, "gini"),
            "Dominated by No.": [numbers.get(by) for by in table["dominated_by"]],
        }
    ).set_index("No.")


def _ranges(table: pd.DataFrame, measure: str) -> list[str | None]:
    return [
        _range(measure, low, high)
        for low, high in table[[f"{measure}_p10", f"{measure}_p90"]].itertuples(index=False, name=None)
    ]


def _range(measure: str, low: float, high: float) -> str | None:
    if np.isnan(low):
        return None
    if measure in ("present_cost", "councils_pay", "deficit"):
        return gbp_range(low, high)
    places = {"above_reserves": 0, "years_bought": 1, "gini": 2}[measure]
    first, last = (f"{value:.{places}f}" if np.isfinite(value) else "never" for value in (low, high))
    return between(first, last)


def schemes_listed(compared: Comparison) -> list[str]:
    """Each scheme with its terms, status and proposer, cheapest first."""
    by_title = dict(zip(compared.measured.titles, compared.measured.schemes, strict=True))
    return [
        f"{title} ({_whose(by_title[title])}): {by_title[title].terms()}." for title in compared.table["scheme"]
    ]


def _whose(scheme: Scheme) -> str:
    return scheme.proposer if scheme.status == "counterfactual" else f"{scheme.status}; {scheme.proposer}"


def differences(compared: Comparison) -> pd.DataFrame:
    """What each other scheme leaves more (£) than the one they are held against: columns scheme, p10, p50, p90."""
    title = _title(compared)
    frame = compared.measured.differences(title, "deficit").drop(index=title)
    return frame.reset_index()[["scheme", "p10", "p50", "p90"]]


def _title(compared: Comparison) -> str:
    place = compared.measured.schemes.index(compared.reference.scheme)
    return compared.measured.titles[place]


def ranks(compared: Comparison) -> pd.DataFrame:
    """Rank of each scheme in each measure, 1 is best: the range that holds 8 in 10 draws, in words."""
    found = {words: compared.measured.ranks(name) for name, words in RANKED.items()}
    titles = compared.table["scheme"]
    return pd.DataFrame(
        {"Scheme": titles}
        | {words: [_rank(frame.loc[title]) for title in titles] for words, frame in found.items()}
    )


def _rank(row: pd.Series) -> str:
    if np.isnan(row["p50"]):
        return "none is paid"
    return between(str(int(row["p10"])), str(int(row["p90"])))


def at_equal_cost(compared: Comparison) -> pd.DataFrame:
    """Each scheme made as dear as the one they are held against: money moved between councils (£), and councils
    that gain and that lose in 9 of 10 draws."""
    rows = []
    for title, change in compared.changes.items():
        low, high = np.quantile(np.clip(change, 0, None).sum(axis=0), [0.1, 0.9])
        rows.append(
            {
                "Scheme": title,
                "Paid more to gainers, low (£)": low,
                "Paid more to gainers, high (£)": high,
                "Councils that gain": int(((change > 1).mean(axis=1) > SURE).sum()),
                "Councils that lose": int(((change < -1).mean(axis=1) > SURE).sum()),
            }
        )
    return pd.DataFrame(rows)


def left_out(compared: Comparison) -> list[str]:
    """Which schemes are not among those compared at equal cost, and why, in sentences."""
    told = [
        f"{title} shares the money as {other} does, once it costs as much."
        for title, other in compared.alike.items()
    ]
    if compared.unequal:
        named = ", ".join(compared.unequal)
        told.append(f"Not compared at the same cost, since even their largest form pays less: {named}.")
    return told


def gains(compared: Comparison, title: str) -> pd.DataFrame:
    """What one scheme pays each council more than the reference, at the same cost: name, region, mean, p10, p50,
    p90 (£, negative = less) and per_pupil (£), largest loser first."""
    inputs = compared.reference.inputs
    change = compared.changes[title]
    low, middle, high = np.quantile(change, [0.1, 0.5, 0.9], axis=1)
    pupils = inputs.size("pupils", compared.reference.scheme.base_year)[:, 0]
    frame = inputs.councils[["name", "region"]].assign(
        mean=change.mean(axis=1), p10=low, p50=middle, p90=high, per_pupil=change.mean(axis=1) / pupils
    )
    return frame.assign(better=(change > 1).mean(axis=1), worse=(change < -1).mean(axis=1)).sort_values(
        ["mean", "name"]
    )


def gains_table(compared: Comparison, title: str) -> pd.DataFrame:
    """`gains` in readable columns (£)."""
    frame = gains(compared, title)
    return pd.DataFrame(
        {
            "Council": frame["name"],
            "Region": frame["region"],
            "Change, low (£)": frame["p10"].round(),
            "Change, mean (£)": frame["mean"].round(),
            "Change, high (£)": frame["p90"].round(),
            "Change a pupil, mean (£)": frame["per_pupil"].round(),
            "Gains (0 to 1)": frame["better"].round(4),
            "Loses (0 to 1)": frame["worse"].round(4),
        }
    ).reset_index(drop=True)


def gains_by_region(compared: Comparison) -> pd.DataFrame:
    """Mean change of each region's grant at the same cost, one column a scheme (£, negative = less). The regions
    of a column add up to nothing."""
    regions = compared.reference.inputs.councils["region"]
    shown = {
        f"{title} (£)": pd.Series(change.mean(axis=1), index=regions.index).groupby(regions).sum()
        for title, change in compared.changes.items()
    }
    return pd.DataFrame(shown).rename_axis("Region").reset_index()


def region_ranges(compared: Comparison, title: str) -> pd.DataFrame:
    """Change of each region's grant under one scheme at the same cost: low, mean, high (£) and a pupil (£)."""
    inputs, change = compared.reference.inputs, compared.changes[title]
    regions = inputs.councils["region"]
    pupils = pd.Series(inputs.size("pupils", compared.reference.scheme.base_year)[:, 0], index=regions.index)
    rows = []
    for region in sorted(regions.unique()):
        whole = change[(regions == region).to_numpy()].sum(axis=0)
        low, high = np.quantile(whole, [0.1, 0.9])
        mean = float(whole.mean())
        rows.append(
            {
                "Region": region,
                "Change, low (£)": low,
                "Change, mean (£)": mean,
                "Change, high (£)": high,
                "Change a pupil, mean (£)": mean / float(pupils[regions == region].sum()),
            }
        )
    return pd.DataFrame(rows).sort_values("Change, mean (£)", ignore_index=True)


CHANGE_FORMATS = dict.fromkeys(("Change, low (£)", "Change, mean (£)", "Change, high (£)"), "gbp_m")
