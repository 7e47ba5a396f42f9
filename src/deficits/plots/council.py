"""One council: its balance with the projection, its plans compared with other places', and its placements."""

from __future__ import annotations

import numpy as np
import pandas as pd

from deficits.assumptions import assumed
from deficits.formatting import balance, balance_range, estimate, percent, slug
from deficits.plots import drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.drawing import Bars
from deficits.plots.england import SOURCE
from deficits.plots.style import BLUE, GREY, NAVY, ORANGE, PLUM, house_style
from deficits.plots.words import counted, lowered

PLANS_SOURCE = "Education, health and care plans from the Department for Education"
STACK = (NAVY, BLUE, ORANGE, PLUM, GREY)
HATCHES = ("", "//", "", "", "")


def authority_fan(
    quantiles: pd.DataFrame,
    observed: pd.DataFrame,
    name: str,
    with_scheme: pd.DataFrame | None = None,
    own: pd.DataFrame | None = None,
) -> Chart:
    """The cumulative balance of one council: observed, then the projection's ranges; a deficit lies below zero.

    Args:
        quantiles: indexed by year (2026: at 31 March 2026), columns p10, p25, p50, p75, p90; balance, £,
            negative = deficit, so p10 is the worst. May be empty where `observed` is not.
        observed: columns year, value (£, negative = deficit), basis (such as "reported"; what a council has
            "stated" stands alone), and where a second source says otherwise, other (£); may be empty.
        name: of the council.
        with_scheme: as `quantiles`, after a write-off: its central estimate, and its 80% range in the last year.
        own: the council's own forecasts, marked: columns scenario (such as "mitigated"), year, value (£, negative
            = deficit).
    """
    chart = f"authority-fan-{slug(name)}"
    projection = frames.quantiles_by_year(quantiles, chart)
    after = projection.iloc[:0] if with_scheme is None else frames.quantiles_by_year(with_scheme, chart)
    points = frames.observed_points(observed, chart, "basis")
    if projection.empty and after.empty and points.empty:
        raise ValueError(f"chart {chart!r}: no observed balance and no projection; there is nothing to draw")
    mine = pd.DataFrame(columns=frames.FORECAST) if own is None else own.rename(columns={"value": "central"})
    if own is not None:
        mine = mine.assign(publisher="Own " + own["scenario"], low=np.nan, high=np.nan, published=np.nan)
    return drawing.fan_chart(
        {"Projection": projection, "After write-off": after},
        points,
        name=chart,
        finding=_finding(name, projection, after, points),
        subtitle=f"Dedicated schools grant balance (negative = deficit), {name}",
        shape=f"Line {'' if projection.empty and after.empty else 'and fan '}chart with a line at zero.",
        source=SOURCE if len(projection) else SOURCE.partition("based on ")[2],
        forecasts=frames.published_forecasts(mine, chart),
        line=(0.0, "Zero"),
        of_a_council=True,
    )


def _finding(name: str, projection: pd.DataFrame, after: pd.DataFrame, points: pd.DataFrame) -> str:
    if projection.empty and after.empty:
        return f"{name}: {balance(points['value'].iloc[-1], estimate)} at March {points['year'].iloc[-1]}"
    if after.empty:
        end = balance_range(projection["p10"].iloc[-1], projection["p90"].iloc[-1])
        return f"{name}: {end.removeprefix('a ')} at March {projection.index[-1]}"
    shared = projection.index.intersection(after.index)
    if shared.empty:
        raise ValueError(
            f"chart 'authority-fan-{slug(name)}': no year has both a projection and one after the scheme"
        )
    last = int(shared.max())
    before, then = (balance(fan["p50"].loc[last], estimate) for fan in (projection, after))
    if before == then:
        return f"{name}: central estimate at March {last} is a {then}, with or without the write-off"
    if before.startswith("deficit") and then.startswith("deficit"):
        then = then.removeprefix("deficit of ")
    return f"{name}: central {before} at March {last}, or {then} after the write-off"


def plans_history(frame: pd.DataFrame, name: str) -> Chart:
    """Education, health and care plans each January: their number, or an index to compare with other places.

    Args:
        frame: columns year (2025: January 2025), plans (a count), and a column of counts for each place to compare
            with, such as "England"; the index is 100 in the first year that all have.
        name: of the council.
    """
    chart = f"plans-history-{slug(name)}"
    found = frames.complete(frame, ("year", "plans"), chart)
    years = frames.whole_years(found["year"], chart, once=True)
    others = frame.columns.difference(["year", "plans"], False)
    counts = frame.loc[found.index, ["plans", *others]].astype("float64").set_axis(years).sort_index()
    counts = counts.set_axis([name, *map(str, others)], axis=1)
    start, end = f"January {min(years)}", f"January {max(years)}"
    whole = counts.dropna()
    indexed = len(others) > 0 and len(whole) > 1 and bool((whole.iloc[0] > 0).all())
    shown = 100 * whole / whole.iloc[0] if indexed else counts[[name]]
    with house_style():
        figure, axes = drawing.new_axes()
        ticks = drawing.round_ticks(0, max(float(shown.max(axis=None)), 1), 6, whole=True)
        axes.set_ylim(0, ticks[-1])
        axes.set_yticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        drawing.year_axis(axes, shown.index, "January")
        labels = []
        for column, style in zip(shown, ("o-", "s--", "D:", "^-."), strict=False):
            line = shown[column].reindex(range(shown.index[0], shown.index[-1] + 1))
            axes.plot(line.index, line, style, color=NAVY if column == name else PLUM, markersize=5, clip_on=False)
            words = f"{column}\n{line.iloc[-1]:,.0f}" if indexed else f"{line.iloc[-1]:,.0f}"
            labels.append((line.index[-1], line.iloc[-1], words))
        drawing.end_labels(figure, axes, labels)
    transferred = assumed("plans", "comparable_from").number
    statements = ", and before them statements of special educational needs" if min(years) < transferred else ""
    mine = counts[name]
    first, last = mine.iloc[0], mine.iloc[-1]
    if first == last:
        when = end if len(mine) == 1 else f"both {start} and {end}"
        finding = f"{name}: {counted(round(last), 'EHC plan')} in {when}"
    elif first == 0:
        finding = f"{name}: EHC plans up from 0 in {start} to {last:,.0f} in {end}"
    else:
        change = f"{'up' if last > first else 'down'} {percent(abs(last / first - 1))}"
        finding = f"{name}: EHC plans {change} from {start} to {end}"
    told = ", ".join(f"{count:,.0f} in {year}" for year, count in mine.items())
    if indexed:
        newest = ", ".join(f"{place} {index:,.0f}" for place, index in shown.iloc[-1].items())
        told += f". With January {shown.index[0]} as 100, January {shown.index[-1]} is: {newest}"
    return Chart(
        figure=figure,
        name=chart,
        finding=finding,
        subtitle=f"Education, health and care (EHC) plans{statements}, {name}, "
        + (start if start == end else f"{start} to {end}"),
        unit=f"January {shown.index[0]} = 100" if indexed else "plans",
        source=PLANS_SOURCE,
        alt=f"{finding}. Line chart of the plans each January: {told}.",
        data=counts.add_suffix(" (plans)").rename_axis("January").reset_index(),
    )


def placements_history(shares: pd.DataFrame, name: str) -> Chart:
    """Where children with plans are taught: a bar a row, divided by kind of placement.

    Args:
        shares: indexed by what each bar is (a January, or a place), one column a kind of placement; shares of the
            plans, 0 to 1. The finding compares the first and the last of the council's own rows, which have no
            comma as "England, January 2025" has.
        name: of the council.
    """
    chart = f"placements-{slug(name)}"
    shown = frames.complete(shares.rename(columns=str), [str(kind) for kind in shares], chart)
    if len(shown.columns) > len(STACK):
        raise ValueError(
            f"chart {chart!r}: {len(shown.columns)} kinds of placement; at most {len(STACK)} are drawn"
        )
    own = shown[["," not in str(row) for row in shown.index]]
    first, last = own.iloc[0], own.iloc[-1]
    moved = (last - first).abs()
    most = str(moved.idxmax())
    rows = shown.assign(label=[str(place) for place in shown.index], text="")
    bars = {kind: Bars(kind, colour, hatch) for kind, colour, hatch in zip(shown, STACK, HATCHES, strict=False)}
    finding = (
        f"{name}: {lowered(most)} from {percent(first[most])} of plans ({shown.index[0]}) to "
        f"{percent(last[most])} ({last.name})"
    )
    told = "; ".join(
        f"{place}: " + ", ".join(f"{kind} {percent(share)}" for kind, share in row.items())
        for place, row in shown.iterrows()
    )
    return drawing.row_chart(
        rows,
        bars,
        name=chart,
        finding=finding,
        subtitle=f"Share of plans by kind of placement, {name}",
        source=PLANS_SOURCE,
        alt=f"{finding}. Bars divided by kind of placement. {told}.",
        data=shown.rename(columns=lambda kind: f"{kind} (0 to 1)").rename_axis("Place or January").reset_index(),
        unit="% of plans",
        axis="share",
    )
