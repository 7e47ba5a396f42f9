"""Who gains and who loses: help so far with new help, and one way of sharing the same money against another."""

from __future__ import annotations

import pandas as pd

from deficits.formatting import gbp, gbp_range
from deficits.plots import changes, drawing, frames
from deficits.plots.chart import Chart
from deficits.plots.england import SOURCE
from deficits.plots.phrases import counted
from deficits.plots.style import BLUE, NAVY, PLUM, WHITE, house_style

PARTS = {"received_per_pupil": ("Safety valve", NAVY, ""), "new_per_pupil": ("This scheme", BLUE, "//")}
"""Name, colour and hatching of what each bar is made of."""
LETTERS = 26  # in a line of a council's name
DIFFERENCE = {
    "p10": "Change, 10th percentile (£)",
    "mean": "Change, mean (£)",
    "p90": "Change, 90th percentile (£)",
    "per_pupil": "Mean change, £ a pupil",
}


def help_per_pupil(frame: pd.DataFrame, *, source: str = SOURCE) -> Chart:
    """Help that councils had before a scheme and get from it, £ a pupil, in the order given.

    Args:
        frame: columns who, group (whether the row stands for several councils), received_per_pupil,
            new_per_pupil; £ a person aged 2 to 18, >= 0. The first two rows are compared in the finding.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, or there are fewer than two rows.

    >>> helped = pd.DataFrame({"who": ["With", "Without"], "group": True, "received_per_pupil": [300.0, 0.0],
    ...                        "new_per_pupil": [700.0, 500.0]})
    >>> help_per_pupil(helped).finding
    'Safety valve councils get £1,000 a pupil, others £500'
    """
    name = "help-per-pupil"
    rows = frames.columns(frame, ("who", "group", *PARTS), name).dropna().reset_index(drop=True)
    if len(rows) < 2:
        raise ValueError(f"chart {name!r}: {counted(len(rows), 'row')}; give at least the two that are compared")
    together = rows[list(PARTS)].sum(axis=1)
    labels = [changes.wrapped(str(who), LETTERS) for who in rows["who"]]
    with house_style():
        figure, axes = drawing.new_axes(1.3 + 0.16 * sum(label.count("\n") + 2 for label in labels))
        unit = drawing.money_axis_across(axes, 0.0, max(float(together.max()), 1.0) * 1.03)
        start = pd.Series(0.0, index=rows.index)
        for column, (label, colour, hatch) in PARTS.items():
            axes.barh(
                rows.index,
                rows[column],
                left=start,
                height=0.62,
                color=colour,
                label=label,
                hatch=hatch,
                edgecolor=WHITE,
                linewidth=0,
            )
            start = start + rows[column]
        axes.set_ylim(len(rows) - 0.5, -0.5)
        groups = int(rows["group"].sum())
        if 0 < groups < len(rows):
            axes.axhline(groups - 0.5, color=PLUM, linewidth=0.8)
        changes.amounts_beside(axes, [gbp(amount) for amount in together])
        changes.name_rows(figure, axes, labels)
        drawing.legend_above(axes)
        drawing.settle(figure)
    first, second = together.iloc[0], together.iloc[1]
    finding = f"Safety valve councils get {gbp(first)} a pupil, others {gbp(second)}"
    told = "; ".join(
        f"{who} {gbp(had)} and {gbp(new)}"
        for who, had, new in rows[["who", *PARTS]].itertuples(index=False, name=None)
    )
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle="Safety valve grant so far and mean grant of this scheme, £ a person aged 2 to 18",
        unit=unit,
        source=source,
        alt=f"{finding}. Bars of two parts, safety valve grant so far and this scheme's: {told}.",
        data=pd.DataFrame(
            {
                "Council": rows["who"],
                "Safety valve so far (£ a pupil)": rows["received_per_pupil"],
                "This scheme (£ a pupil)": rows["new_per_pupil"],
                "Together (£ a pupil)": together,
            }
        ),
    )


def gainers_and_losers(
    frame: pd.DataFrame, instead: str, against: str, top: int = 8, *, source: str = SOURCE
) -> Chart:
    """Councils that lose and gain most when the same money is shared in another way.

    Args:
        frame: columns name, mean, p10, p90 (£, what the other way pays more, negative = less) and per_pupil (£).
        instead: the other way, as its scheme is called.
        against: the scheme that it stands in for.
        top: how many losers, and how many gainers.
        source: publications and organisations.

    Raises:
        ValueError: a column is missing, nobody gains or loses, or `top` is below 1.

    >>> moved = pd.DataFrame({"name": ["Kent", "Bury"], "mean": [-5e6, 5e6], "p10": [-9e6, 1e6],
    ...                       "p90": [-1e6, 9e6], "per_pupil": [-15.0, 120.0]})
    >>> gainers_and_losers(moved, "Equal amounts", "the grant").finding
    'Kent loses most, £1.0m to £9.0m'
    """
    name = "gainers-and-losers"
    if top < 1:
        raise ValueError(f"chart {name!r}: top is {top}; show at least 1 council")
    moved = frames.columns(frame, ("name", *DIFFERENCE), name).dropna().sort_values(["mean", "name"])
    losers = moved[moved["mean"] < -1].head(top)
    gainers = moved[moved["mean"] > 1].tail(top)
    rows = pd.concat([losers, gainers]).reset_index(drop=True)
    if rows.empty:
        raise ValueError(f"chart {name!r}: no council gains or loses")
    labels = [changes.wrapped(str(who), LETTERS) for who in rows["name"]]
    with house_style():
        figure, axes = drawing.new_axes(1.1 + 0.16 * sum(label.count("\n") + 2 for label in labels))
        unit = drawing.money_axis_across(axes, *changes.span(rows[["mean", "p10", "p90"]].to_numpy().ravel()))
        colours = [PLUM if amount < 0 else BLUE for amount in rows["mean"]]
        axes.barh(rows.index, rows["mean"], height=0.62, color=colours)
        changes.ranges(axes, rows["p10"], rows["p90"])
        changes.zero_line(axes, len(rows))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        changes.amounts_beside(axes, [changes.signed(amount, unit) for amount in rows["mean"]])
        axes.set_xlabel("Below zero: paid less")
        changes.name_rows(figure, axes, labels)
        drawing.settle(figure)
    finding = _who(rows)
    told = "; ".join(
        f"{who} {changes.signed(mean, unit)}" for who, mean in rows[["name", "mean"]].itertuples(index=False)
    )
    return Chart(
        figure=figure,
        name=name,
        finding=finding,
        subtitle=f"Change in grant, mean and 80% range, {instead} against {against}, same cost, "
        f"{len(losers)} largest losers and {len(gainers)} largest gainers",
        unit=unit,
        source=source,
        alt=f"{finding}. Bars of the mean change with the 80% range as a line, largest loser first: {told}.",
        data=rows.assign(per_pupil=rows["per_pupil"].round()).rename(columns={"name": "Council", **DIFFERENCE}),
    )


def _who(rows: pd.DataFrame) -> str:
    first, last = rows.iloc[0], rows.iloc[-1]
    if first["mean"] < 0 and -first["mean"] >= last["mean"]:
        ends = sorted((abs(first["p10"]), abs(first["p90"])))
        whole = first["p90"] <= 0
        return f"{first['name']} loses most, {gbp_range(*ends) if whole else gbp(-first['mean'])}"
    whole = last["p10"] >= 0
    return f"{last['name']} gains most, {gbp_range(last['p10'], last['p90']) if whole else gbp(last['mean'])}"
