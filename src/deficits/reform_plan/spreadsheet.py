"""A council's workbook: its plan, balances, grant and interest as live formulas on cells that it may change.

Every formula carries the package's own value, so that the workbook reads right before it is recalculated; a check
cell says whether the two still agree. There are no macros and no links.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import ProjectionError
from deficits.formatting import day_in_words, year_end
from deficits.reform_plan.actions import (
    SECTOR_WORDS,
    SECTORS,
    Action,
    FewerPlans,
    Income,
    LowerCost,
    MovePlaces,
    OwnGrowth,
    Sector,
)
from deficits.reform_plan.baseline import Baseline, grown
from deficits.reform_plan.cells import Book, Cell, Row, Term, cell, least, most, total
from deficits.reform_plan.effects import ReformPlan, applied
from deficits.simulated import in_units
from deficits.sizes import Array
from deficits.writeoff import Inputs, Scheme, write_off

GRANT_AT = int(assumed("write_offs", "grant_measured_at").number)
"""Year end at which the grant is measured."""
LICENCE = "Contains public sector information licensed under the Open Government Licence v3.0."


@dataclass(frozen=True)
class Settings:
    """What the workbook's input cells hold: £ and shares.

    `balance`: at the grant's base date, negative = deficit. `growth`: by year, for the years after the newest
    count. `sizes`: of the actions, in order. `cap`: £, None for none. `cover`: share of the deficit's growth that
    is covered, by year.
    """

    balance: float
    growth: OwnGrowth
    sizes: tuple[float, ...]
    share: float
    cap: float | None
    ineligible: float
    cover: dict[int, float]
    rate: float


def central(plan: ReformPlan) -> Baseline:
    """The council without its plan on one path: the medians of the simulations, year by year."""

    def middle(part: Any) -> Any:
        arrays = {name: each for name, each in vars(part).items() if isinstance(each, np.ndarray)}
        return replace(part, **{name: np.median(each, axis=-1, keepdims=True) for name, each in arrays.items()})

    found: Baseline = replace(middle(plan.base), position=middle(plan.base.position))
    return found


def usual(plan: ReformPlan) -> Settings:
    """The central path's own settings, with which the workbook gives the median balance without the plan."""
    base = central(plan)
    if GRANT_AT not in plan.years:
        raise ProjectionError(
            f"the grant is measured at {year_end(GRANT_AT)}, and the plan begins at {year_end(plan.years[0])}"
        )

    def growth(path: Array) -> dict[int, float]:
        return {year: _growth(path, t) for t, year in enumerate(plan.years) if year > base.known}

    return Settings(
        balance=float(base.balance[plan.years.index(GRANT_AT), 0]),
        growth=OwnGrowth.model_construct(
            plan_growth=growth(base.position.plans),
            unit_cost_growth=growth(base.prices),
            block_growth=growth(base.block),
        ),
        sizes=tuple(action.size.middle for action in plan.actions.actions),
        share=float(Scheme.read("high-needs-stability-grant").share),  # type: ignore[arg-type]
        cap=None,
        ineligible=0.0,
        cover={year: 0.0 for year in (GRANT_AT + 1, GRANT_AT + 2) if year < plan.years[-1]},
        rate=plan.source.assumptions.financing_rate,
    )


def _growth(path: Array, t: int) -> float:
    return float(path[t, 0] / path[t - 1, 0] - 1) if path[t - 1, 0] > 0 else 0.0


def worked(plan: ReformPlan, settings: Settings) -> pd.DataFrame:
    """The plan and the grant on one path, by the package's own engine and ledger.

    A row a year, £, balances negative for a deficit: base (balance without plan and grant), without (the plan's,
    without grant), then with it paid, closing and interest; and granted, at the base date.
    """
    years, middle = plan.years, central(plan)
    base = grown(middle, settings.growth)
    base = replace(base, balance=base.balance + settings.balance - middle.balance[years.index(GRANT_AT)])
    costs = [action.cost.middle for action in plan.actions.actions]
    sizes = [(np.array([size]), np.array([cost])) for size, cost in zip(settings.sizes, costs, strict=True)]
    _, saved, _ = applied(base, plan.actions.actions, sizes)
    without = (base.balance + saved.sum(axis=0).cumsum(axis=0))[:, 0]
    row = int(np.flatnonzero(plan.source.simulations["authority"].values == plan.code)[0])
    dataset = plan.source.simulations.isel(draw=slice(0, 1)).sel(year=years).copy(deep=True)
    dataset["balance"][0, row] = without
    dataset["safety_valve_payments"][row] = 0.0
    assumptions = plan.source.assumptions.model_copy(update={"financing_rate": settings.rate})
    # The grant as the input cells have it, the council's plan approved in time.
    changes: dict[str, Any] = {"share": settings.share, "source": "projection"}
    if settings.cap is not None:
        changes["cap"] = {"pounds": settings.cap}
    if any(settings.cover.values()):
        changes["cover"] = {"shares": settings.cover}
    if settings.ineligible:
        changes["ineligible"] = {"councils": {plan.code: settings.ineligible}}
    scheme = Scheme.read("high-needs-stability-grant", **changes)
    result = write_off(Inputs(replace(plan.source, simulations=dataset, assumptions=assumptions)), scheme)
    money = result.ledger.sel(authority=plan.code).isel(draw=0)
    account = pd.DataFrame(
        {
            "base": base.balance[:, 0],
            "without": without,
            "paid": np.append(0.0, money["write_off"] + money["cover"]),
            "closing": np.append(without[0], money["closing"]),
            "interest": np.append(0.0, money["interest"]),
            "granted": float(result.grant.values[0, row]),
        },
        index=pd.Index(years, name="year"),
    )
    return in_units(account, "£")


def workbook(plan: ReformPlan, path: str | Path, settings: Settings | None = None) -> pd.DataFrame:
    """Write a council's workbook (.xlsx) and give what the package makes of the same settings: see `worked`.

    Sheets: Inputs (cells to change are yellow), Plan (places, cost and each action), Balances (balance, grant,
    interest, with the package's range), Sources. For Excel 2016 and later, and LibreOffice.
    """
    given = settings or usual(plan)
    account = worked(plan, given)
    book = Book(Path(path), plan.years, f"SEND deficit and reform plan: {plan.name}", LICENCE)
    inputs = _inputs(book, plan, given)
    _balances(book, plan, account, inputs, *_plan_sheet(book, plan, inputs))
    book.sheet("Sources", "Where the figures are from")
    for n, text in enumerate(_sources(plan)):
        book.on.write_string(2 + n, 0, text, book.wrap)
    book.on.set_column(0, 0, 120)
    book.book.close()
    return account


def _inputs(book: Book, plan: ReformPlan, given: Settings) -> dict[Any, Any]:
    book.sheet("Inputs", f"{plan.name}: change the yellow cells; everything else follows")
    cells: dict[Any, Any] = {
        "balance": book.given(f"Balance at {year_end(GRANT_AT)} (negative = deficit)", given.balance),
        "share": book.given("Share of the eligible deficit that the grant pays", given.share, "share"),
        "ineligible": book.given("Part of the deficit that is not eligible", given.ineligible),
        "rate": book.given("Rate of interest on the average deficit of a year", given.rate, "share a year"),
        "with": book.given("Reform plan counted: 1 yes, 0 no", 1, "0 or 1"),
    }
    cap = book.given("Cap on the grant (blank for none)", given.cap)
    none = cap.value if given.cap is not None else 1e15
    cells["cap"] = Cell(f"IF(ISBLANK({cap.text}),1E+15,{cap.text})", none)
    paths = dict(given.growth) | {"cover": given.cover}
    for key, label in (
        ("plan_growth", "Growth of EHC plans without the plan"),
        ("unit_cost_growth", "Growth of the cost of a place"),
        ("block_growth", "Growth of the high needs block"),
        ("cover", "Share of the deficit's growth that is covered, paid a year later"),
    ):
        cells[key] = book.row(label, map(paths[key].get, plan.years), "share", given=True)
    cells["actions"] = []
    for action, size in zip(plan.actions.actions, given.sizes, strict=True):
        unit = getattr(action, "unit", "£ a year" if isinstance(action, Income) else "share")
        cost = action.cost.middle if action.paid_by.casefold() == "dsg" else 0.0
        cells["actions"].append(
            {
                "size": book.given(f"{action.title}: size", size, unit),
                "start": book.given(f"{action.title}: start, year ending", action.start, "year"),
                "lag": book.given(f"{action.title}: lag", action.lag, "years"),
                "ramp": book.given(f"{action.title}: years to full size", action.ramp, "years"),
                "cost": book.given(f"{action.title}: cost to the DSG", cost, "£ a year"),
            }
        )
    return cells


def _plan_sheet(book: Book, plan: ReformPlan, inputs: dict[Any, Any]) -> tuple[Row, Row, Row]:
    """Places, cost and spend without the plan, then each action: block, spend without it, and what is saved."""
    years, middle = plan.years, central(plan)
    book.sheet(
        "Plan", "Places by sector, what they cost, and what each action takes off; each acts on what is left"
    )

    def factor(label: str, growth: Row, path: Array) -> Row:
        def work(t: int, so_far: Row) -> Term:
            if years[t] <= plan.base.known:
                return so_far[-1] if so_far else 1.0
            return so_far[-1] * (cell(1) + growth[t]) / (1 + _growth(path, t))

        return book.row(f"{label}: own growth over the central path's", work, "factor")

    position = middle.position
    plans = factor("Plans", inputs["plan_growth"], position.plans)
    prices = factor("Cost of a place", inputs["unit_cost_growth"], middle.prices)
    funded = factor("Block", inputs["block_growth"], middle.block)

    def moved(label: str, path: Array, by: Row, unit: str = "£") -> Row:
        values = book.row(f"Central path, {label}", path[:, 0], unit)
        return book.row(label[0].upper() + label[1:], map(mul, values, by), unit)

    block = moved("high needs block", middle.block, funded)
    places, cost = {}, {}
    for n, sector in enumerate(SECTORS):
        words = SECTOR_WORDS[sector]
        places[sector] = moved(f"plans in {words}", position.places[n], plans, "plans")
        cost[sector] = moved(f"£ a place in {words}", position.cost[n], prices, "£ a place")

    def spend(label: str) -> Row:
        by_sector = (map(mul, places[sector], cost[sector]) for sector in SECTORS)
        return book.row(label, map(total, zip(*by_sector, strict=True)))

    without = before = spend("Spend without the plan")
    saved = []
    for action, given in zip(plan.actions.actions, inputs["actions"], strict=True):
        money = _acted(book, action, given, places, cost)
        after = spend(f"Spend after {action.title}")
        begun = (Cell(f"({year}>={given['start'].text})", float(year >= given["start"].value)) for year in years)
        each = zip(before, after, money, begun, strict=True)
        off = (was - now + more - given["cost"] * on for was, now, more, on in each)
        saved.append(book.row(f"{action.title}: off the deficit, after earlier actions", off))
        before = after
    together = (total(each) * inputs["with"] for each in zip(*saved, strict=True))
    return block, without, book.row("All actions: off the deficit", together)


def _acted(
    book: Book, action: Action, given: dict[str, Cell], places: dict[Sector, Row], cost: dict[Sector, Row]
) -> Row:
    """What one action does to places and cost, in place, as `Action.act` has it; and the income that it brings."""
    title, since = action.title, given["start"] + given["lag"]
    ramp = book.row(
        f"{title}: part of full size",
        (most(0.0, least(1.0, (cell(year + 1) - since) / given["ramp"])) for year in book.years),
        "factor",
    )
    each = [given["size"] * part for part in ramp]
    if isinstance(action, FewerPlans):
        chosen = list(SECTORS) if action.sector == "all" else [action.sector]
        held = [total(plans) for plans in zip(*(places[sector] for sector in chosen), strict=True)]

        def left(t: int, so_far: Row) -> Term:
            if not t:
                return 1.0
            kept = most(0.0, least(1.0, 1.0 - each[t] / (held[t] / held[t - 1])))
            some = least(held[t], held[t - 1])
            return so_far[-1] * Cell(f"IF({some.text}>0,{kept.text},1.0)", kept.value if some.value > 0 else 1.0)

        part = book.row(f"{title}: part of plans that is left", left, "factor")
        for sector in chosen:
            places[sector] = book.row(
                f"{title}: plans in {SECTOR_WORDS[sector]}", map(mul, places[sector], part), "plans"
            )
    elif isinstance(action, MovePlaces):
        source = places[action.from_]
        if action.unit == "places":
            so_far = book.row(
                f"{title}: places so far", lambda t, done: each[t] + done[-1] if done else 0.0, "plans"
            )
            moved = map(least, so_far, source)
        else:
            stay = book.row(
                f"{title}: part that stays",
                lambda t, done: done[-1] * (1.0 - least(1.0, each[t])) if done else 1.0,
                "factor",
            )
            moved = map(mul, source, (1.0 - part for part in stay))
        gone = book.row(f"{title}: places moved", moved, "plans")
        for sector, sign in ((action.from_, -1.0), (action.to, 1.0)):
            then = (was + more * sign for was, more in zip(places[sector], gone, strict=True))
            places[sector] = book.row(f"{title}: plans in {SECTOR_WORDS[sector]}", then, "plans")
    elif isinstance(action, LowerCost):
        less = map(mul, cost[action.sector], (1.0 - part for part in each))
        cost[action.sector] = book.row(f"{title}: £ a place in {SECTOR_WORDS[action.sector]}", less, "£ a place")
    else:
        return [cell(0.0), *each[1:]]
    return [cell(0.0)] * len(book.years)


def _balances(
    book: Book, plan: ReformPlan, account: pd.DataFrame, inputs: dict[Any, Any], block: Row, spend: Row, saved: Row
) -> None:
    """Balance, grant, cover and interest by year, the check, and the package's range."""
    years, at = plan.years, plan.years.index(GRANT_AT)
    book.sheet("Balances", "Balances at each 31 March, £, negative = deficit")
    other = book.row("Other movements, as in the package's central path", [0.0, *central(plan).other[:, 0]])
    in_year = book.row(
        "In-year position with the plan: block - spend + other + actions",
        lambda t, _: block[t] - spend[t] + other[t] + saved[t] if t else 0.0,
    )
    without = book.row(
        "Balance, no grant",
        # The own balance stands at the base date; earlier year ends follow from it.
        lambda t, so_far: (
            so_far[-1] + in_year[t]
            if t > at
            else total([inputs["balance"], *(0.0 - one for one in in_year[at:t:-1])])
        ),
    )
    eligible = most(0.0, most(0.0, 0.0 - without[at]) - inputs["ineligible"])
    (owed,) = book.row(
        f"Grant: share of the eligible deficit at {year_end(GRANT_AT)}, up to the cap",
        [least(inputs["share"] * eligible, inputs["cap"])],
    )

    def covered(t: int, so_far: Row) -> Term:
        if not at < t <= at + 2:
            return 0.0
        standing = total([without[t], owed, *so_far[at + 1 : t]])
        growth = most(0.0, without[t - 1] - without[t])
        share: Cell = inputs["cover"][t]
        return share * least(growth, most(0.0, 0.0 - standing))

    cover = book.row("Cover earned by the growth of 2 years, paid a year later", covered)
    paid = book.row(
        "Grant and cover paid in the year",
        lambda t, _: (cover[t - 1] if t else cell(0.0)) + (owed if t == at + 1 else 0.0),
    )
    closing = book.row(
        "Balance with the grant", lambda t, so_far: so_far[-1] + in_year[t] + paid[t] if so_far else without[0]
    )
    book.row(
        "Interest on the year's average deficit, paid by the general fund",
        lambda t, _: inputs["rate"] * most(0.0, 0.0 - (closing[t - 1] + closing[t]) / 2) if t else 0.0,
    )
    ends = int(assumed("override", "ends").number)
    if ends in years:
        t = years.index(ends)
        book.row(
            f"Deficit at {year_end(ends)}, the override's end, less cover still to come",
            [most(0.0, 0.0 - closing[t] - cover[t])],
        )
    check = book.row(
        "The package's balance with the grant, on the settings this file was made with", account["closing"]
    )
    furthest = most(*(most(mine - theirs, theirs - mine) for mine, theirs in zip(closing, check, strict=True)))
    book.row(
        "Check: furthest apart (0 until a yellow cell is changed)",
        [Cell(f"ROUND({furthest.text},0)", round(furthest.value))],
    )
    simulated = plan.by_year("balance").loc["balance"]
    for variant in ("unmitigated", "mitigated"):
        for quantile, words in (("p10", "1 in 10 below"), ("p50", "median"), ("p90", "1 in 10 above")):
            label = f"Package's simulations, no grant, {variant}: {words}"
            book.row(label, simulated.loc[variant, quantile])


def _sources(plan: ReformPlan) -> list[str]:
    panel, grant = plan.source.panel, Scheme.read("high-needs-stability-grant")
    used = panel.frame.loc[plan.code].filter(regex="_source$").stack().dropna().str.partition(":")[0]
    return [
        f"{plan.name} (DfE number {plan.code}). Published figures: {', '.join(sorted(set(used)))}.",
        "The central path is the median, year by year, of this package's simulations; the plan's sizes are the "
        "middles of the ranges that the council declared. These are not official statistics.",
        f"Rules of the grant: explanatory note of {day_in_words(grant.published)}, {grant.reference}",
        f"Financing rate: {assumed('financing', 'rate').reference}",
        "Other movements hold what block and spend do not explain: other blocks, transfers and grants.",
        LICENCE,
        *(f"{a.title}: {each.fact} {each.url or ''}" for a in plan.actions.actions for each in a.evidence),
    ]
