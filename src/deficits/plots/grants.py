"""Who a write-off helps: grants by region and the largest by council."""

from __future__ import annotations

import pandas as pd

from deficits.formatting import gbp, gbp_range
from deficits.plots import drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.england import SOURCE
from deficits.plots.phrases import counted
from deficits.plots.style import BLUE, TEXT, house_style

AMOUNTS = {
    "grant_p10": "Grant, 10th percentile (£)",
    "grant_p50": "Grant, median (£)",
    "grant_p90": "Grant, 90th percentile (£)",
}


def grant_by_region(frame: pd.DataFrame, *, source: str = SOURCE) -> Chart:
    """Grant of a write-off by region, largest first.

    Args:
        frame: columns region, grant_p10, grant_p50, grant_p90; £, >= 0.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, or no row has all amounts.

    >>> grants = pd.DataFrame({"region": ["London", "South East"], "grant_p10": [1e8, 3e8],
    ...                        "grant_p50": [1.5e8, 4e8], "grant_p90": [2e8, 5e8]})
    >>> grant_by_region(grants).finding
    'South East receives the largest grant, £300.0m to £500.0m'
    """
    name = "grant-by-region"
    grants = _sorted(frame, "region", name)
    subtitle = f"Write-off grant by region, median and 80% range, {counted(len(grants), 'region')}"
    return _bars(grants, name, "Region", subtitle, source)


def largest_grants(frame: pd.DataFrame, top: int = 20, *, source: str = SOURCE) -> Chart:
    """The councils that receive most from a write-off, largest first.

    Args:
        frame: columns name, grant_p10, grant_p50, grant_p90; £, >= 0.
        top: how many councils to show.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, no row has all amounts, or `top` is below 1.

    >>> grants = pd.DataFrame({"name": ["Kent", "Devon"], "grant_p10": [1e8, 5e7],
    ...                        "grant_p50": [1.2e8, 6e7], "grant_p90": [1.5e8, 7e7]})
    >>> largest_grants(grants, top=1).subtitle
    'Write-off grant by council, median and 80% range, 1 largest of 2 councils'
    """
    name = "largest-grants"
    if top < 1:
        raise ValueError(f"chart {name!r}: top is {top}; show at least 1 council")
    grants = _sorted(frame, "name", name)
    shown = grants.head(top)
    how_many = f"{len(shown)} largest of {counted(len(grants), 'council')}"
    subtitle = f"Write-off grant by council, median and 80% range, {how_many}"
    return _bars(shown, name, "Council", subtitle, source)


def _sorted(frame: pd.DataFrame, key: str, chart: str) -> pd.DataFrame:
    found = frames.columns(frame, (key, *AMOUNTS), chart).dropna().rename(columns={key: "who"})
    found = found.astype({"who": "str", **dict.fromkeys(AMOUNTS, "float64")})
    if found.empty:
        raise ValueError(f"chart {chart!r}: no row has {key} and all of {', '.join(AMOUNTS)}")
    order = ["grant_p50", "grant_p90", "who"]
    return found.sort_values(order, ascending=[False, False, True], ignore_index=True)


def _bars(grants: pd.DataFrame, name: str, kind: str, subtitle: str, source: str) -> Chart:
    low, middle, high = (grants[column] for column in AMOUNTS)
    with house_style():
        figure, axes = drawing.new_axes(0.7 + 0.31 * len(grants))
        low_end, high_end = drawing.limits([*high, *middle])
        unit = drawing.money_axis_across(axes, low_end, high_end * 1.03)
        axes.barh(grants.index, middle, height=0.62, color=BLUE)
        axes.errorbar(
            middle,
            grants.index,
            xerr=[(middle - low).clip(lower=0), (high - middle).clip(lower=0)],
            fmt="none",
            ecolor=TEXT,
            elinewidth=1.2,
            capsize=3,
        )
        for row, (least, most) in enumerate(zip(low, high, strict=True)):
            axes.annotate(
                gbp_range(least, most),
                (most, row),
                (6, 0),
                textcoords="offset points",
                va="center",
                bbox=drawing.CLEAR,
            )
        axes.set_yticks(grants.index, grants["who"])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(grants) - 0.5, -0.5)
        drawing.settle(figure)
    first, last = grants.iloc[0], grants.iloc[-1]
    finding = _finding(first, kind)
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=subtitle,
        unit=unit,
        source=source,
        alt=f"{finding}. Horizontal bars of the median grant, the 80% range as a line, largest first: "
        f"{counted(len(grants), 'bar')}, from {first['who']} with {gbp(first['grant_p50'])} "
        f"to {last['who']} with {gbp(last['grant_p50'])}.",
        data=grants.rename(columns={"who": kind, **AMOUNTS}),
    )


def _finding(first: pd.Series, kind: str) -> str:
    if gbp(first["grant_p90"]) == gbp(0):
        return f"No {kind.lower()} receives a grant"
    amounts = gbp_range(first["grant_p10"], first["grant_p90"])
    return f"{first['who']} receives the largest grant, {amounts}"
