"""England: the projection and what others forecast, why the deficit grows, and what levers would change."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from deficits.errors import closest
from deficits.formatting import (
    day_in_words,
    england_range,
    estimate_range,
    financial_year,
    gbp,
    gbp_range,
    slug,
    two_figures,
    year_end,
)
from deficits.plots import drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.frames import Row
from deficits.plots.style import BLUE, NAVY, ORANGE, PLUM
from deficits.plots.words import counted, lowered, read_out, signed

SOURCE = "projection based on council returns to the Department for Education and MHCLG"
SOURCE_WITH_FORECASTS = f"{SOURCE}; forecasts as published by each organisation named"

TOTAL = "total"
SHORT = {
    "carried_on": "Shortfall of {first}, continuing each year",
    "people": "Number of children and young people",
    "plan_rate": "Plans per person",
    "placement_mix": "Placement mix",
    "unit_cost": "Cost per plan (like for like)",
    "funding": "Growth of the high needs block",
    "safety_valve_payments": "Safety valve payments and contributions",
    "levers": "Levers and councils' own assumptions",
    "not_explained": "Not explained",
    TOTAL: "Total growth",
}
"""A cause as chart, table and alternative text call it; in the order of `CAUSES`."""

POLICY, ASSUMPTION = "policy lever", "assumption"
KINDS = {POLICY: (NAVY, "o"), ASSUMPTION: (PLUM, "D")}
"""Colour and shape of the dot."""
HEADINGS = {"mean": "Mean (£)", "p10": "10th percentile (£)", "p90": "90th percentile (£)"}
CHANGES = ("change_p10", "change_p50", "change_p90")


def england_fan(
    quantiles: pd.DataFrame,
    observed: pd.DataFrame,
    forecasts: pd.DataFrame,
    threshold: float = 5e9,
    scenarios: Mapping[str, pd.DataFrame] | None = None,
) -> Chart:
    """The gross deficit of England: observed, the projection's 50% and 80% ranges, and others' forecasts.

    Args:
        quantiles: indexed by year (2026: at 31 March 2026), columns p10, p25, p50, p75, p90; gross deficit,
            £, >= 0.
        observed: columns year, value (£) and label (such as "Reported by councils"); may be empty. Returns are
            joined by a line; a figure whose label says "national" or "stated" stands alone.
        forecasts: columns publisher, year, low, central, high (£, NaN where not given), published (ISO date);
            may be empty.
        threshold: £, drawn as a line.
        scenarios: `quantiles` under other assumptions, by their words: central estimates as lines.

    >>> fan = pd.DataFrame({"p10": 5.1e9, "p25": 5.4e9, "p50": 5.7e9, "p75": 6e9, "p90": 6.3e9}, index=[2026])
    >>> seen = pd.DataFrame({"year": [2025], "value": [3.8e9], "label": ["National figure"]})
    >>> england_fan(fan, seen, pd.DataFrame(columns=list(frames.FORECAST))).finding
    "England's deficit: £5.1bn to £6.3bn at March 2026"
    """
    name = "england-fan"
    projection = frames.quantiles_by_year(quantiles, name)
    if projection.empty:
        raise ValueError(f"chart {name!r}: no year of quantiles has all of {', '.join(frames.QUANTILES)}")
    last, mark = projection.iloc[-1], gbp(threshold).replace(".0", "")
    return drawing.fan_chart(
        {"Projection": projection},
        frames.observed_points(observed, name, "label"),
        name=name,
        finding=f"England's deficit: {gbp_range(last['p10'], last['p90'])} at March {projection.index[-1]}",
        subtitle="Gross deficit of councils in deficit, 50% and 80% ranges, England",
        shape=f"Line and fan chart with a line at {mark}.",
        source=SOURCE_WITH_FORECASTS,
        forecasts=frames.published_forecasts(forecasts, name),
        line=(threshold, mark),
        scenarios=scenarios,
    )


# What others forecast


def forecasts_for_year(
    quantiles_row: pd.Series[float], forecasts: pd.DataFrame, year: int, *, published: float | None = None
) -> Chart:
    """Our central estimate and 80% range for one year end, and a row for each published forecast, oldest first.

    Where the figure has been published since, it stands in place of our range. A forecast that gives a floor only,
    such as "over £5bn", is an arrow.

    Args:
        quantiles_row: p10, p25, p50, p75, p90 of the gross deficit at 31 March of `year`, £, >= 0.
        forecasts: columns publisher, year, low, central, high (£, NaN where not given), published (ISO date);
            those for other years are left out.
        year: 2026 for 31 March 2026.
        published: the gross deficit of that day as published since, £; none where it is not.
    """
    name = f"forecasts-{year}"
    ours = frames.quantiles_by_year(quantiles_row.to_frame(year).T, name)
    if ours.empty:
        raise ValueError(f"chart {name!r}: quantiles_row lacks one of {', '.join(frames.QUANTILES)}")
    others = frames.published_forecasts(forecasts, name).query("year == @year")
    theirs = others.to_dict("records")
    own, range_in_words = ours.iloc[0], gbp_range(ours["p10"].iloc[0], ours["p90"].iloc[0])
    if published is None:
        level, seen, fans, band = own["p50"], [], {"This projection": ours}, (own["p10"], own["p90"])
        first = {"label": "This projection (central estimate, 80% range)", "text": range_in_words}
        first |= {"low": own["p10"], "high": own["p90"]}
    else:
        level, seen, fans, band = published, [[year, published, "Published since", np.nan]], {}, None
        first = {"label": "Published since", "text": gbp(published)}
    shown: list[Row] = [first | {"dot": level, "colour": NAVY, "shape": "o"}]
    for row in theirs:
        given, marks = frames.values_and_marks(row)
        day = row["published"] and day_in_words(row["published"])
        look = {"colour": PLUM, "shape": ">" if frames.is_floor(row) else "o"}
        look |= {"low": min(given), "high": max(given)} if len(given) > 1 else {}
        look |= {"label": ", ".join(filter(None, [row["publisher"], day])), "text": frames.forecast_in_words(row)}
        shown.append(look | {"dot": np.nan if len(marks) > 1 else marks[0]})
    rows = pd.DataFrame(shown)
    highest = [np.nanmax([row["central"], row["high"]]) for row in theirs if not frames.is_floor(row)]
    below = sum(value < level for value in highest)
    these = counted(len(highest), "published forecast" if published is None else "forecast")
    if not highest:
        finding = f"Our 80% range for March {year} is {range_in_words}"
    elif published is None:
        floors = len(theirs) - len(highest)
        only = f"; {floors} more give{'s' * (floors == 1)} a floor only" if floors else ""
        finding = f"Our central estimate for March {year} is above {below} of {these}{only}"
    else:
        were = "was" if below == 1 else "were"
        finding = f"{below} of {these} for March {year} {were} below the {gbp(published)} published since"
    told = " ".join(f"{label}: {text}." for label, text in zip(rows["label"], rows["text"], strict=True))
    known = pd.DataFrame(seen, columns=["year", "value", "basis", "other"])
    return drawing.row_chart(
        rows,
        name=name,
        finding=finding,
        subtitle=f"Gross deficit of councils in deficit, England, {year_end(year)}",
        source=SOURCE_WITH_FORECASTS,
        alt=f"{finding}. Dots and ranges in rows. {told}",
        data=frames.fan_table(known, fans, others),
        from_zero=False,
        band=band,
    )


# Causes and levers


def causes_of_growth(causes: pd.DataFrame, start: int, end: int, place: str = "England") -> Chart:
    """What the net deficit's growth between two year ends is made of: a waterfall from nothing to the total.

    Each bar starts where the one above it ends. Means add up to the total; ranges do not, and stand in the table.
    A cause that is nothing throughout has no bar.

    Args:
        causes: indexed by cause (those of `CAUSES`, and "total"), columns mean, p10, p50, p90; £, positive
            raises the deficit: `Projection.decompose`.
        start: 2026 for 31 March 2026, and for the shortfall of 2025-26.
        end: as `start`.
        place: England, or the name of a council.
    """
    name = f"causes-of-growth-{slug(place)}"
    parts = frames.columns(causes, ("mean", "p10", "p90"), name).astype("float64")
    for cause in parts.index:
        if cause not in SHORT:
            raise ValueError(f"chart {name!r}: cause {cause!r} is not known; {closest(str(cause), SHORT)}")
    if TOTAL not in parts.index:
        raise ValueError(f"chart {name!r}: no row {TOTAL!r}; the bars need the total that they add up to")
    if parts.isna().any(axis=None):
        raise ValueError(f"chart {name!r}: {parts.index[parts.isna().any(axis=1)][0]!r} lacks a value")
    shown = parts[parts.map(gbp).ne(gbp(0)).any(axis=1) & (parts.index != TOTAL)]
    if shown.empty:
        raise ValueError(f"chart {name!r}: every cause is zero; there is nothing to draw")
    parts = pd.concat([shown, parts.loc[[TOTAL]]])
    labels = [SHORT[str(cause)].format(first=financial_year(start)) for cause in parts.index]
    mean = parts["mean"].to_numpy()
    before = np.append(mean[:-1].cumsum() - mean[:-1], 0.0)
    unit = drawing.money_unit([*before, *(before + mean)])
    of_a_council = place != "England"
    in_words = estimate_range if of_a_council else england_range
    texts = [signed(value, unit, estimate=of_a_council) for value in mean]
    ranges = [f"({in_words(low, high, unit=unit)})" for low, high in zip(parts["p10"], parts["p90"], strict=True)]
    told = read_out(map(lowered, labels), texts, ranges)
    colours = [*(BLUE if value >= 0 else ORANGE for value in mean[:-1]), NAVY]
    figures = parts.map(two_figures) if of_a_council else parts
    # The largest cause in the direction in which the deficit goes.
    causes_alone, total = mean[:-1], float(mean[-1])
    most = int(causes_alone.argmax() if total >= 0 and (causes_alone > 0).any() else causes_alone.argmin())
    grows = "change" if of_a_council else f"{gbp(abs(total))} {'growth' if total >= 0 else 'fall'}"
    largest = f"{place}: largest" if of_a_council else "Largest"
    finding = f"{largest} part of {grows} to March {end}: {lowered(labels[most])}, {texts[most]}"
    return drawing.row_chart(
        pd.DataFrame({"label": labels, "text": texts, "start": before, "bar": mean, "colour": colours}),
        name=name,
        finding=finding,
        subtitle=f"Growth of the net deficit by cause, means, {place}, {year_end(start)} to {year_end(end)}",
        unit=unit,
        source=SOURCE,
        alt=f"{finding}. Waterfall of means (80% ranges in brackets), March {start} to March {end}; above zero "
        f"raises the deficit: {told}. Before rounding, means add up to the total; ranges do not.",
        data=figures.set_axis(labels).rename(columns=HEADINGS).rename_axis("Cause").reset_index(),
        across="Means; each bar starts where the last ended",
    )


def levers_compared(table: pd.DataFrame, year: int) -> Chart:
    """What each lever alone does to England's net deficit at a year end: a dot and a range, most cut first.

    Args:
        table: columns lever (title), kind ("policy lever" or "assumption"), change_p10, change_p50, change_p90:
            £ against the baseline on the same simulations, negative = smaller deficit.
        year: 2031 for 31 March 2031.
    """
    name = "levers-compared"
    found = frames.complete(table, ("lever", "kind", *CHANGES), name)
    unknown = sorted(set(found["kind"].astype(str)) - set(KINDS))
    if unknown:
        raise ValueError(f"chart {name!r}: unknown kinds {unknown}; expected {list(KINDS)}")
    found = found.sort_values(["change_p50", "lever"], kind="stable", ignore_index=True)
    rows = drawing.signed_rows(found, "lever", CHANGES, "dot")
    rows["label"] += found["kind"].map({POLICY: "", ASSUMPTION: " (assumption)"})
    rows["colour"], rows["shape"] = (found["kind"].map(lambda kind, n=n: KINDS[kind][n]) for n in (0, 1))
    levers = found[found["kind"] == POLICY]
    best = (found if levers.empty else levers).iloc[0]  # an assumption is nobody's to choose
    cut = -float(best["change_p50"])
    finding = f"Largest reduction by March {year}: {gbp(cut)}, from “{best['lever']}”"
    if cut <= 0 or gbp(cut) == gbp(0):
        finding = f"No {'assumption' if levers.empty else 'lever'} reduces the deficit at March {year}"
    return drawing.row_chart(
        rows,
        name=name,
        finding=finding,
        subtitle="Change in the net deficit against the baseline, central estimate and 80% range, "
        f"England, {year_end(year)}",
        source=SOURCE,
        alt=f"{finding}. Dots with the 80% range as a line, {counted(len(rows), 'row')}, largest reduction first; "
        f"below zero is a smaller deficit: {read_out(rows['label'], rows['text'], rows['range'])}.",
        data=found.rename(columns={"lever": "Lever", "kind": "Kind", **frames.named("Change", CHANGES)}),
        across="Below zero: smaller deficit than without the lever",
    )
