"""Write-offs: paths with and without one, who is paid, how soon deficits return, one scheme against another."""

from __future__ import annotations

import numpy as np
import pandas as pd

from deficits.formatting import between, estimate, estimate_range, gbp, slug, the, two_figures, year_end
from deficits.plots import drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.drawing import Bars
from deficits.plots.england import SOURCE
from deficits.plots.style import BLUE, NAVY, ORANGE, PLUM
from deficits.plots.words import counted, lowered, period, read_out, signed

AMOUNTS = frames.named("Grant", ("grant_p10", "grant_p50", "grant_p90"))
SIDES = {"without": ("without the scheme", NAVY, "o"), "with": ("with the scheme", ORANGE, "D")}
"""Words, colour and shape: told apart without colour."""
HELP = {"received_per_person": Bars("Safety valve", NAVY), "new_per_person": Bars("This scheme", BLUE, "//")}


def writeoff_paths(
    without: pd.DataFrame, with_scheme: pd.DataFrame, observed: pd.DataFrame, scheme_title: str
) -> Chart:
    """The gross deficit of England with and without a write-off: central estimates and 80% ranges.

    Args:
        without: indexed by year, columns p10, p50, p90; gross deficit, £, >= 0.
        with_scheme: the same after the write-off, from the year end before it is paid.
        observed: columns year, value (£), label; may be empty.
        scheme_title: as its proposer calls it.
    """
    name = f"writeoff-paths-{slug(scheme_title)}"
    before = frames.quantiles_by_year(without, name, frames.WIDE)
    after = frames.quantiles_by_year(with_scheme, name, frames.WIDE)
    shared = before.index.intersection(after.index)
    if shared.empty:
        raise ValueError(f"chart {name!r}: the projections without and with the scheme have no year in common")
    last = int(shared.max())
    left, reached = gbp(before["p50"].loc[last]), gbp(after["p50"].loc[last])
    told = (
        f"{left}, or {reached} after the write-off"
        if left != reached
        else f"{left}, with or without the write-off"
    )
    return drawing.fan_chart(
        {"No write-off": before, "After write-off": after},
        frames.observed_points(observed, name, "label"),
        name=name,
        finding=f"Central deficit at March {last}: {told}",
        subtitle=f"Gross deficit, central estimate and 80% range, {scheme_title}, England",
        shape=f"A fan without the write-off and a dashed line after it ({scheme_title}), with its range at the "
        "end.",
        source=SOURCE,
    )


def grant_by_region(frame: pd.DataFrame) -> Chart:
    """Grant of a write-off by region, largest first.

    Args:
        frame: columns region, grant_p10, grant_p50, grant_p90; £, >= 0.
    """
    return _grants(frame, "region", "grant-by-region", "by region", None)


def largest_grants(frame: pd.DataFrame, top: int = 15) -> Chart:
    """The largest grants of a write-off by council.

    Args:
        frame: columns name, grant_p10, grant_p50, grant_p90; £, >= 0.
        top: how many councils to show.
    """
    if top < 1:
        raise ValueError(f"chart 'largest-grants': top is {top}; show at least 1 council")
    return _grants(frame, "name", "largest-grants", "by council", top)


def _grants(frame: pd.DataFrame, key: str, name: str, by: str, top: int | None) -> Chart:
    grants = frames.complete(frame, (key, *AMOUNTS), name).rename(columns={key: "who"})
    order = ["grant_p50", "grant_p90", "who"]
    grants = grants.sort_values(order, ascending=[False, False, True], ignore_index=True)
    shown = grants.head(top or len(grants))
    low, middle, high = (shown[column] for column in AMOUNTS)
    amounts = [estimate_range(*ends) for ends in zip(low, high, strict=True)]
    if key == "region":  # all in the unit of the largest
        unit = drawing.money_unit(high)
        parts = [[signed(end, unit).lstrip("+") for end in ends] for ends in zip(low, high, strict=True)]
        amounts = [between(*each).replace("none", "£0") for each in parts]
    rows = {"label": shown["who"].astype(str), "text": amounts, "bar": middle, "low": low, "high": high}
    finding = f"{shown['who'][0]} would receive the largest grant, {amounts[0]}"
    if gbp(high[0]) == gbp(0):
        finding = f"No {'region' if key == 'region' else 'council'} receives a grant"
    how_many = "" if top is None else f", {len(shown)} largest of {counted(len(grants), 'council')}"
    if key == "name":
        shown = shown.assign(**{amount: shown[amount].map(two_figures) for amount in AMOUNTS})
    return drawing.row_chart(
        pd.DataFrame(rows),
        name=name,
        finding=finding,
        subtitle=f"Write-off grant {by}, central estimate and 80% range{how_many}",
        source=SOURCE,
        alt=f"{finding}. Bars of the central estimate with the 80% range as a line, largest first: "
        f"{read_out(shown['who'], amounts)}.",
        data=shown.rename(columns={"who": "Region" if key == "region" else "Council", **AMOUNTS}),
    )


def time_until_back(years: pd.Series, base_year: int, ends: int) -> Chart:
    """How many councils' deficits are back at their level before a write-off by each half year after it.

    Args:
        years: one value a council that is paid, in years, the median; infinite where it is not back.
        base_year: 2026 for deficits of 31 March 2026.
        ends: last year end that was looked at.
    """
    name = "time-until-back"
    values = years.astype("float64")
    if values.empty or values.isna().any() or (values < 0).any():
        raise ValueError(f"chart {name!r}: give years of 0 or more for at least one council")
    steps = np.arange(0.5, ends - base_year + 0.01, 0.5)
    back = [int((values <= step).sum()) for step in steps]
    words = [f"Within {round(12 * step)} months" for step in steps] + [f"Not back by {year_end(ends)}"]
    counts = [*back, len(values) - back[-1]]
    of = counted(len(values), "council")
    finding = f"At {(values <= 1).sum()} of {of} the deficit would be back within a year"
    rows = {"label": words, "text": [f"{count} of {len(values)}" for count in counts], "bar": counts}
    return drawing.row_chart(
        pd.DataFrame(rows | {"colour": [BLUE] * len(back) + [ORANGE]}),
        name=name,
        finding=finding,
        subtitle=f"Councils paid whose deficit is back at its level of {year_end(base_year)}, central estimates",
        source=SOURCE,
        alt=f"{finding}. Bars of councils whose deficit is back, each with those of the bars before: "
        f"{read_out(map(lowered, words), counts)}.",
        data=pd.DataFrame({"Time since the base date": words, "Councils": counts}),
        unit="councils",
        axis="count",
    )


def above_reserves(frame: pd.DataFrame) -> Chart:
    """Councils with a deficit above their usable reserves at each year end, without and with a scheme.

    Args:
        frame: indexed by year, columns without_p10, without_p50, without_p90, with_p10, with_p50, with_p90:
            numbers of councils, and councils: of how many; the last year is the one that the finding is about.
    """
    name = "above-reserves"
    titles = {
        **frames.named("Without the scheme", [f"without_{part}" for part in frames.WIDE], "councils"),
        **frames.named("With the scheme", [f"with_{part}" for part in frames.WIDE], "councils"),
    }
    shown = frames.complete(frame, [*titles, "councils"], name).astype("float64")
    shown.index = pd.Index(frames.whole_years(shown.index, name, once=True), name="year")
    rows = pd.DataFrame(
        {
            "label": f"{year_end(year)}, {words}",
            "text": between(f"{row[f'{side}_p10']:.0f}", f"{row[f'{side}_p90']:.0f}"),
            "dot": row[f"{side}_p50"],
            "low": row[f"{side}_p10"],
            "high": row[f"{side}_p90"],
            "colour": colour,
            "shape": shape,
        }
        for year, row in shown.iterrows()
        for side, (words, colour, shape) in SIDES.items()
    )
    of = counted(round(shown["councils"].iloc[-1]), "council")
    finding = f"{rows['text'].iloc[-1]} of {of} would still have deficits above reserves"
    return drawing.row_chart(
        rows,
        name=name,
        finding=finding,
        subtitle="Councils with a deficit above their usable reserves, central estimate and 80% range, "
        f"{period(shown.index)}",
        source=SOURCE,
        alt=f"{finding}. That is at March {shown.index[-1]}. Dots with 80% ranges, two for each year end: "
        f"{read_out(rows['label'], rows['text'])}.",
        data=shown[list(titles)].rename(columns=titles).rename_axis(frames.YEAR).reset_index(),
        unit="councils",
        axis="count",
    )


def help_per_person(frame: pd.DataFrame) -> Chart:
    """Help that councils had before a scheme and get from it, £ per person aged 2 to 18, in the order given.

    Args:
        frame: columns who, received_per_person, new_per_person; £ per person aged 2 to 18, >= 0. The first two
            rows are compared in the finding: councils that had a safety valve agreement, and the others.
    """
    name = "help-per-person"
    rows = frames.columns(frame, ("who", *HELP), name).dropna().reset_index(drop=True)
    if len(rows) < 2:
        raise ValueError(f"chart {name!r}: {counted(len(rows), 'row')}; give at least the two that are compared")
    together, new = rows[list(HELP)].sum(axis=1), rows["new_per_person"]
    finding = (
        f"Safety valve councils: {estimate(together[0])} per person aged 2 to 18 in all; "
        f"others {estimate(together[1])}"
    )
    so_far = [gbp(amount) for amount in rows["received_per_person"]]
    return drawing.row_chart(
        rows.assign(label=rows["who"].astype(str), text=together.map(estimate)),
        HELP,
        name=name,
        finding=finding,
        subtitle="Safety valve grant so far and mean grant of this scheme, per person aged 2 to 18",
        source=SOURCE,
        alt=f"{finding}. Bars of two parts, safety valve grant so far and this scheme's: "
        f"{read_out(rows['who'], so_far, ['and'] * len(rows), new.map(estimate))}.",
        data=pd.DataFrame(
            {
                "Council": rows["who"],
                "Safety valve so far, per person aged 2 to 18 (£)": rows["received_per_person"],
                "This scheme, per person aged 2 to 18 (£)": new.map(two_figures),
                "Together, per person aged 2 to 18 (£)": together.map(two_figures),
            }
        ),
    )


# One scheme against another


def schemes_against(frame: pd.DataFrame, reference: str, year: int) -> Chart:
    """What each scheme leaves more or less than one of them, draw by draw: a dot and a range.

    Args:
        frame: columns scheme, p10, p50, p90: £ of England's gross deficit, this scheme's less the reference's on
            the same draws, negative = smaller deficit.
        reference: title of the scheme that they are compared with.
        year: 2028 for 31 March 2028.
    """
    name = "schemes-against"
    found = frames.complete(frame, ("scheme", *frames.WIDE), name)
    found = found.sort_values(["p50", "scheme"], kind="stable", ignore_index=True)
    rows = drawing.signed_rows(found, "scheme", frames.WIDE, "dot")
    more = int((found["p10"] > 0).sum())
    finding = f"{more} of {counted(len(found), 'scheme')} {'leaves' if more == 1 else 'leave'} a larger deficit"
    return drawing.row_chart(
        rows,
        name=name,
        finding=finding,
        subtitle=f"Gross deficit compared with {the(reference)}, same simulations, central estimate and 80% "
        f"range, England, {year_end(year)}",
        source=SOURCE,
        alt=f"{finding} than {the(reference)} in at least 90% of simulations. Dots with the 80% range as a line, "
        f"smallest deficit first: {read_out(rows['label'], rows['text'], rows['range'])}.",
        data=found.rename(columns={"scheme": "Scheme", **frames.named("Difference", frames.WIDE)}),
        across=f"Below zero: smaller deficit at March {year}",
    )


def gainers_and_losers(frame: pd.DataFrame, instead: str, against: str) -> Chart:
    """The six councils that lose and the six that gain most when the same money is shared in another way.

    Args:
        frame: columns name, mean, p10, p90 (£, what the other way pays more, negative = less).
        instead: the other way, as its scheme is called.
        against: the scheme that it is compared with.
    """
    name = "gainers-and-losers"
    moved = frames.columns(frame, ("name", "mean", "p10", "p90"), name).dropna().sort_values(["mean", "name"])
    losers, gainers = moved[moved["mean"] < -1].head(6), moved[moved["mean"] > 1].tail(6)
    found = pd.concat([losers, gainers]).reset_index(drop=True)
    if found.empty:
        raise ValueError(f"chart {name!r}: no council gains or loses")
    rows = drawing.signed_rows(found, "name", ("p10", "mean", "p90"), "bar", of_a_council=True)
    rows["colour"] = [PLUM if amount < 0 else BLUE for amount in found["mean"]]
    loses = -found["mean"].iloc[0] >= found["mean"].iloc[-1]
    row = found.iloc[0 if loses else -1]
    one_way = row["p90"] <= 0 or row["p10"] >= 0
    amount = estimate_range(*sorted((abs(row["p10"]), abs(row["p90"])))) if one_way else estimate(abs(row["mean"]))
    finding = f"{row['name']} would {'lose' if loses else 'gain'} most, {amount}"
    changes = frames.named("Change", ("mean", "p10", "p90"))
    rounded = found.assign(**{part: found[part].map(two_figures) for part in changes})
    return drawing.row_chart(
        rows,
        name=name,
        finding=finding,
        subtitle=f"Change in grant, mean and 80% range, {instead} compared with {the(against)}, same cost, "
        f"{len(losers)} largest losers and {len(gainers)} largest gainers",
        source=SOURCE,
        alt=f"{finding}. Bars of the mean change with the 80% range as a line, largest loser first: "
        f"{read_out(rows['label'], rows['text'])}.",
        data=rounded.rename(columns={"name": "Council", **changes}),
        across="Below zero: paid less",
    )
