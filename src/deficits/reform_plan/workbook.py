"""A council's workbook: its plan, balances, grant and interest as live formulas on cells that it may change.

Every formula carries the package's own value, so that the workbook reads right before it is recalculated; a check
cell says whether the two still agree. There are no macros and no links.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from deficits.assumptions import assumed
from deficits.errors import ProjectionError
from deficits.formatting import financial_year, year_end
from deficits.reform_plan.actions import SECTOR_WORDS, SECTORS, Array, FewerPlans, Income, LowerCost, MovePlaces
from deficits.reform_plan.baseline import Baseline, grown
from deficits.reform_plan.plan import ReformPlan, applied
from deficits.writeoff import Inputs, Scheme, write_off

Values = Sequence[float] | Array
LICENCE = "Contains public sector information licensed under the Open Government Licence v3.0."
FIRST = 2
"""Column of the first year: labels and units stand before it."""


@dataclass(frozen=True)
class Settings:
    """What the workbook's input cells hold: £ and shares.

    `balance`: at the grant's base date, negative = deficit. `plan_growth`, `unit_cost_growth` and `block_growth`:
    by year, for the years after the newest count. `sizes`: of the actions, in order. `cap`: £, None for none.
    `cover`: share of the deficit's growth that is covered, by year.
    """

    balance: float
    plan_growth: dict[int, float]
    unit_cost_growth: dict[int, float]
    block_growth: dict[int, float]
    sizes: tuple[float, ...]
    share: float
    cap: float | None
    ineligible: float
    cover: dict[int, float]
    rate: float


def central(plan: ReformPlan) -> Baseline:
    """The council without its plan on one path: the medians of the simulations, year by year."""

    def middle(values: Array) -> Array:
        return np.median(values, axis=-1, keepdims=True)

    base, position = plan.base, plan.base.position
    return dataclasses.replace(
        base,
        position=dataclasses.replace(
            position, places=middle(position.places), cost=middle(position.cost), income=middle(position.income)
        ),
        block=middle(base.block),
        balance=middle(base.balance),
        prices=middle(base.prices),
    )


def usual(plan: ReformPlan) -> Settings:
    """The central path's own settings, with which the workbook gives the median balance without the plan."""
    base = central(plan)
    years = [year for year in plan.years if year > base.known]

    def growth(path: Array) -> dict[int, float]:
        return {year: _growth(path, plan.years.index(year)) for year in years}

    scheme, grant = Scheme.read("high-needs-stability-grant"), _grant_year()
    if grant not in plan.years:
        raise ProjectionError(
            f"the grant is measured at {year_end(grant)}, and the plan begins at {year_end(plan.years[0])}"
        )
    return Settings(
        balance=float(base.balance[plan.years.index(grant), 0]),
        plan_growth=growth(base.position.plans),
        unit_cost_growth=growth(base.prices),
        block_growth=growth(base.block),
        sizes=tuple(action.range.middle for action in plan.actions.actions),
        share=float(scheme.share),  # type: ignore[arg-type]
        cap=None,
        ineligible=0.0,
        cover={year: 0.0 for year in (grant + 1, grant + 2) if year < plan.years[-1]},
        rate=plan.source.assumptions.financing_rate,
    )


def _growth(path: Array, t: int) -> float:
    return float(path[t, 0] / path[t - 1, 0] - 1) if path[t - 1, 0] > 0 else 0.0


def _grant_year() -> int:
    return int(assumed("write_offs", "grant_measured_at").number)


@dataclass(frozen=True)
class Account:
    """What the package makes of some settings: arrays by year, £ (balances negative for a deficit) or plans.

    `base` and `steps`: positions without the plan and after each action; `saved`: £ a year by action; `without`:
    balance without grant; then, with it: granted, cover paid, closing balance and interest.
    """

    base: Baseline
    steps: tuple[Any, ...]
    saved: Array
    without: Array
    paid: Array
    closing: Array
    interest: Array
    granted: float


def worked(plan: ReformPlan, settings: Settings) -> Account:
    """The plan and the grant on one path, by the package's own engine and ledger."""
    grant, years = _grant_year(), plan.years
    own = plan.actions.growth.model_copy(
        update={name: getattr(settings, name) for name in ("plan_growth", "unit_cost_growth", "block_growth")}
    )
    middle = central(plan)
    base = grown(middle, own)
    base = dataclasses.replace(base, balance=base.balance + settings.balance - middle.balance[years.index(grant)])
    sizes = [
        (np.array([size]), np.array([action.cost.middle]))
        for size, action in zip(settings.sizes, plan.actions.actions, strict=True)
    ]
    steps, saved, _ = applied(base, plan.actions.actions, sizes)
    without = (base.balance + saved.sum(axis=0).cumsum(axis=0))[:, 0]
    scheme = _scheme(plan, settings)
    row = int(np.flatnonzero(plan.source.dataset["authority"].values == plan.code)[0])
    dataset = plan.source.dataset.isel(draw=slice(0, 1)).sel(year=years).copy(deep=True)
    dataset["balance"][0, row] = without
    dataset["bail_out"][row] = 0.0
    assumptions = plan.source.assumptions.model_copy(update={"financing_rate": settings.rate})
    source = dataclasses.replace(plan.source, dataset=dataset, assumptions=assumptions)
    result = write_off(Inputs(source), scheme)
    money = result.ledger.sel(authority=plan.code).isel(draw=0)

    def column(name: str) -> Array:
        return np.concatenate([[0.0], np.asarray(money[name].values, dtype=float)])

    closing = np.concatenate([[without[0]], money["closing"].values])
    return Account(
        base=base,
        steps=steps,
        saved=saved[:, :, 0],
        without=without,
        paid=column("write_off") + column("cover"),
        closing=closing,
        interest=column("interest"),
        granted=float(result.paid.granted[row, 0]),
    )


def _scheme(plan: ReformPlan, settings: Settings) -> Scheme:
    """The High Needs Stability Grant as the input cells have it, the council's plan approved in time."""
    changes: dict[str, Any] = {"share": settings.share, "source": "projection"}
    if settings.cap is not None:
        changes["cap"] = {"pounds": settings.cap}
    if any(settings.cover.values()):
        changes["cover"] = {"shares": settings.cover}
    if settings.ineligible:
        changes["ineligible"] = {"councils": {plan.code: settings.ineligible}}
    return Scheme.read("high-needs-stability-grant", **changes)


class _Book:
    """The workbook as it is written: each row keeps where it stands, so that formulas can name it."""

    def __init__(self, path: Path, years: list[int], title: str) -> None:
        self.book = xlsxwriter.Workbook(str(path))
        self.book.set_properties({"title": title, "comments": LICENCE})
        self.years = years
        add = self.book.add_format
        self.head = add({"bold": True, "bottom": 1})
        self.input = add({"bg_color": "#FFF2CC", "border": 1, "locked": False, "num_format": "#,##0.0000"})
        self.money_input = add({"bg_color": "#FFF2CC", "border": 1, "locked": False, "num_format": "#,##0"})
        self.number = add({"num_format": "#,##0;-#,##0"})
        self.factor = add({"num_format": "0.0000"})
        self.wrap = add({"text_wrap": True, "valign": "top"})
        self.sheets: dict[str, Any] = {}
        self.rows: dict[str, int] = {}

    def sheet(self, name: str, heading: str) -> None:
        sheet = self.sheets[name] = self.book.add_worksheet(name)
        sheet.set_column(0, 0, 58)
        sheet.set_column(1, 1, 14)
        sheet.set_column(FIRST, FIRST + len(self.years) + 2, 16)
        sheet.write(0, 0, heading, self.head)
        sheet.freeze_panes(2, FIRST)
        self.rows[name] = 2

    def heads(self, name: str) -> None:
        """The years over the columns: balances stand at the 31 March that ends each."""
        for t, year in enumerate(self.years):
            self.sheets[name].write(1, FIRST + t, financial_year(year), self.head)

    def line(self, name: str, label: str, unit: str = "") -> int:
        row = self.rows[name]
        self.rows[name] += 1
        self.sheets[name].write(row, 0, label)
        self.sheets[name].write(row, 1, unit)
        return row

    def values(
        self, name: str, label: str, unit: str, values: Sequence[float | None] | Array, *, given: bool = False
    ) -> int:
        """A row of values, input cells where `given`; None leaves a year blank."""
        row = self.line(name, label, unit)
        for t, value in enumerate(values):
            if value is not None:
                style = self.input if given else self.factor if unit == "factor" else self.number
                self.sheets[name].write_number(row, FIRST + t, float(value), style)
        return row

    def formulas(self, name: str, label: str, unit: str, formulas: Sequence[str], values: Values) -> int:
        """A row of formulas, each with the package's value for it."""
        row = self.line(name, label, unit)
        style = self.factor if unit == "factor" else self.number
        for t, (formula, value) in enumerate(zip(formulas, values, strict=True)):
            self.sheets[name].write_formula(row, FIRST + t, formula, style, float(value))
        return row

    def one(self, name: str, label: str, unit: str, value: float | None, *, money: bool = False) -> str:
        """An input cell; its absolute address."""
        row = self.line(name, label, unit)
        style = self.money_input if money else self.input
        if value is None:
            self.sheets[name].write_blank(row, FIRST, None, style)
        else:
            self.sheets[name].write_number(row, FIRST, float(value), style)
        return f"'{name}'!{xl_rowcol_to_cell(row, FIRST, row_abs=True, col_abs=True)}"

    def at(self, name: str, row: int, t: int) -> str:
        """Address of a row's cell in a year."""
        return f"'{name}'!{xl_rowcol_to_cell(row, FIRST + t)}"


def workbook(plan: ReformPlan, path: str | Path, settings: Settings | None = None) -> Account:
    """Write a council's workbook (.xlsx) and give what the package makes of the same settings.

    Sheets: Inputs (cells to change are yellow), Plan (places, cost and each action), Balances (balance, grant,
    interest, with the package's range), Sources. For Excel 2016 and later, and LibreOffice.
    """
    given = settings or usual(plan)
    account = worked(plan, given)
    years, count = plan.years, len(plan.years)
    book = _Book(Path(path), years, f"SEND deficit and reform plan: {plan.name}")
    inputs = _inputs(book, plan, given)
    saved = _plan_sheet(book, plan, given, account, inputs)
    _balances(book, plan, given, account, inputs, saved)
    book.sheet("Sources", "Where the figures are from")
    for text in _sources(plan, count):
        book.sheets["Sources"].write(book.line("Sources", ""), 0, text, book.wrap)
    book.sheets["Sources"].set_column(0, 0, 120)
    book.book.close()
    return account


def _inputs(book: _Book, plan: ReformPlan, given: Settings) -> dict[str, Any]:
    name = "Inputs"
    book.sheet(name, f"{plan.name}: change the yellow cells; everything else follows")
    book.heads(name)
    grant = year_end(_grant_year())
    cells: dict[str, Any] = {
        "balance": book.one(name, f"Balance at {grant} (negative = deficit)", "£", given.balance, money=True),
        "share": book.one(name, "Share of the eligible deficit that the grant pays", "share", given.share),
        "ineligible": book.one(
            name, "Part of the deficit that is not eligible", "£", given.ineligible, money=True
        ),
        "cap": book.one(name, "Cap on the grant (blank for none)", "£", given.cap, money=True),
        "rate": book.one(name, "Rate of interest on the average deficit of a year", "share a year", given.rate),
        "with": book.one(name, "Reform plan counted: 1 yes, 0 no", "0 or 1", 1),
    }
    for key, label in (
        ("plan_growth", "Growth of EHC plans without the plan"),
        ("unit_cost_growth", "Growth of the cost of a place"),
        ("block_growth", "Growth of the high needs block"),
        ("cover", "Share of the deficit's growth that is covered, paid a year later"),
    ):
        path = getattr(given, key)
        cells[key] = book.values(name, label, "share", [path.get(year) for year in plan.years], given=True)
    for n, action in enumerate(plan.actions.actions):
        unit = getattr(action, "unit", "£ a year" if isinstance(action, Income) else "share")
        cells[n, "size"] = book.one(name, f"{action.title}: size", unit, given.sizes[n])
        cells[n, "start"] = book.one(name, f"{action.title}: start, year ending", "year", action.start)
        cells[n, "lag"] = book.one(name, f"{action.title}: lag", "years", action.lag)
        cells[n, "ramp"] = book.one(name, f"{action.title}: years to full size", "years", action.ramp)
        cost = action.cost.middle if action.paid_by.casefold() == "dsg" else 0.0
        cells[n, "cost"] = book.one(name, f"{action.title}: cost to the DSG", "£ a year", cost, money=True)
    return cells


def _factors(book: _Book, plan: ReformPlan, label: str, row: int, path: Array, values: Array) -> int:
    """A row of what a central path is multiplied by, from its own growth to that of the input cells."""
    formulas = ["=1"]
    for t, year in enumerate(plan.years[1:], start=1):
        before = book.at("Plan", book.rows["Plan"], t - 1)
        own = 1 + _growth(path, t)
        cell = book.at("Inputs", row, t)
        formulas.append(f"={before}*(1+{cell})/{own!r}" if year > plan.base.known else f"={before}")
    return book.formulas("Plan", label, "factor", formulas, values)


def _plan_sheet(
    book: _Book, plan: ReformPlan, given: Settings, account: Account, inputs: dict[str, Any]
) -> dict[str, int]:
    """Places, cost and spend without the plan, then each action; the rows that balances need."""
    name, years = "Plan", plan.years
    span = range(len(years))
    book.sheet(name, "Places by sector, what they cost, and what each action takes off; each acts on what is left")
    book.heads(name)
    middle, base = central(plan), account.base.position

    def ratio(after: Array, before: Array) -> Array:
        return np.divide(after, before, out=np.ones_like(after), where=before > 0)[:, 0]

    moved = {
        "plans": _factors(
            book, plan, "Plans: own growth over the central path's", inputs["plan_growth"],
            middle.position.plans, ratio(base.plans, middle.position.plans),
        ),
        "cost": _factors(
            book, plan, "Cost of a place: the same", inputs["unit_cost_growth"], middle.prices,
            ratio(account.base.prices, middle.prices),
        ),
        "block": _factors(
            book, plan, "Block: the same", inputs["block_growth"], middle.block,
            ratio(account.base.block, middle.block),
        ),
    }  # fmt: skip

    def times(row: int, factor: str) -> list[str]:
        return [f"={book.at(name, row, t)}*{book.at(name, moved[factor], t)}" for t in span]

    places, cost = {}, {}
    for n, sector in enumerate(SECTORS):
        words = SECTOR_WORDS[sector]
        path = book.values(name, f"Central path, plans in {words}", "plans", middle.position.places[n, :, 0])
        places[sector] = book.formulas(
            name, f"Plans in {words}", "plans", times(path, "plans"), base.places[n, :, 0]
        )
        path = book.values(name, f"Central path, £ a place in {words}", "£ a place", middle.position.cost[n, :, 0])
        cost[sector] = book.formulas(
            name, f"£ a place in {words}", "£ a place", times(path, "cost"), base.cost[n, :, 0]
        )

    def spend(label: str, values: Array) -> int:
        formulas = [
            "=" + "+".join(f"{book.at(name, places[s], t)}*{book.at(name, cost[s], t)}" for s in SECTORS)
            for t in span
        ]
        return book.formulas(name, label, "£", formulas, values)

    block = book.values(name, "Central path, high needs block", "£", middle.block[:, 0])
    rows = {
        "block": book.formulas(name, "High needs block", "£", times(block, "block"), account.base.block[:, 0]),
        "spend": spend("Spend without the plan", base.spend[:, 0]),
    }
    before, income, saved = rows["spend"], np.zeros(len(years)), []
    for n, action in enumerate(plan.actions.actions):
        cell = {key: inputs[n, key] for key in ("size", "start", "lag", "ramp", "cost")}
        after = account.steps[n]
        ramp = book.formulas(
            name, f"{action.title}: part of full size", "factor",
            [f"=MAX(0,MIN(1,({year}-({cell['start']}+{cell['lag']})+1)/{cell['ramp']}))" for year in years],
            action.ramped(years)[:, 0],
        )  # fmt: skip
        each = [f"{cell['size']}*{book.at(name, ramp, t)}" for t in span]
        money = ["0" for _ in span]
        if isinstance(action, FewerPlans):
            chosen = list(SECTORS) if action.sector == "all" else [action.sector]
            held = ["+".join(book.at(name, places[s], t) for s in chosen) for t in span]
            formulas = ["=1"]
            for t in span[1:]:
                growth = f"(({held[t]})/({held[t - 1]}))"
                left = f"IF(MIN({held[t]},{held[t - 1]})>0,MAX(0,MIN(1,1-{each[t]}/{growth})),1)"
                formulas.append(f"={book.at(name, book.rows[name], t - 1)}*{left}")
            start = account.steps[n - 1] if n else base
            where = [SECTORS.index(s) for s in chosen]
            part = ratio(after.places[where].sum(axis=0), start.places[where].sum(axis=0))
            kept = book.formulas(name, f"{action.title}: plans that are left", "factor", formulas, part)
            for s in chosen:
                formulas = [f"={book.at(name, places[s], t)}*{book.at(name, kept, t)}" for t in span]
                places[s] = book.formulas(
                    name, f"{action.title}: plans in {SECTOR_WORDS[s]}", "plans", formulas,
                    after.places[SECTORS.index(s), :, 0],
                )  # fmt: skip
        elif isinstance(action, MovePlaces):
            source, target = places[action.from_], places[action.to]
            row, formulas = book.rows[name], ["=0"]
            for t in span[1:]:
                there = book.at(name, source, t)
                if action.unit == "places":
                    so_far = "+".join(each[: t + 1])
                    formulas.append(f"=MIN({so_far},{there})")
                else:
                    kept = "*".join(f"(1-MIN(1,{one}))" for one in each[1 : t + 1])
                    formulas.append(f"={there}*(1-{kept})")
            start = account.steps[n - 1] if n else base
            place = SECTORS.index(action.to)
            book.formulas(
                name, f"{action.title}: places that have moved", "plans", formulas,
                (after.places[place] - start.places[place])[:, 0],
            )  # fmt: skip
            for sector, held_row, sign in ((action.from_, source, "-"), (action.to, target, "+")):
                places[sector] = book.formulas(
                    name, f"{action.title}: plans in {SECTOR_WORDS[sector]}", "plans",
                    [f"={book.at(name, held_row, t)}{sign}{book.at(name, row, t)}" for t in span],
                    after.places[SECTORS.index(sector), :, 0],
                )  # fmt: skip
        elif isinstance(action, LowerCost):
            cost[action.sector] = book.formulas(
                name, f"{action.title}: £ a place in {SECTOR_WORDS[action.sector]}", "£ a place",
                [f"={book.at(name, cost[action.sector], t)}*(1-{each[t]})" for t in span],
                after.cost[SECTORS.index(action.sector), :, 0],
            )  # fmt: skip
        else:
            money = ["0", *each[1:]]
        income = after.income[:, 0]
        spent = spend(f"Spend after {action.title}", after.spend[:, 0] + income)
        saved.append(
            book.formulas(
                name, f"{action.title}: off the deficit, after earlier actions", "£",
                [
                    f"={book.at(name, before, t)}-{book.at(name, spent, t)}+{money[t]}"
                    f"-{cell['cost']}*({year}>={cell['start']})"
                    for t, year in enumerate(years)
                ],
                account.saved[n],
            )
        )  # fmt: skip
        before = spent
    rows["saved"] = book.formulas(
        name, "All actions: off the deficit", "£",
        ["=(" + "+".join(book.at(name, row, t) for row in saved) + f")*{inputs['with']}" for t in span],
        account.saved.sum(axis=0),
    )  # fmt: skip
    return rows


def _balances(
    book: _Book, plan: ReformPlan, given: Settings, account: Account, inputs: dict[str, Any], rows: dict[str, int]
) -> None:
    """Balance, grant, cover and interest by year, and the package's range."""
    name, years, grant = "Balances", plan.years, _grant_year()
    span, at = range(len(years)), plan.years.index(_grant_year())
    book.sheet(name, "Balances at each 31 March, £, negative = deficit")
    book.heads(name)
    base = account.base
    other = book.values(name, "Other movements, as in the package's central path", "£", [0.0, *base.other[:, 0]])
    in_year = book.formulas(
        name, "In-year position with the plan: block - spend + other + actions", "£",
        [
            f"={book.at('Plan', rows['block'], t)}-{book.at('Plan', rows['spend'], t)}+{book.at(name, other, t)}"
            f"+{book.at('Plan', rows['saved'], t)}" if t else "=0"
            for t in span
        ],
        np.diff(account.without, prepend=account.without[0]),
    )  # fmt: skip
    row = book.rows[name]
    formulas = []
    for t in span:
        if t == at:
            formulas.append(f"={inputs['balance']}")
        elif t < at:
            formulas.append(f"={book.at(name, row, t + 1)}-{book.at(name, in_year, t + 1)}")
        else:
            formulas.append(f"={book.at(name, row, t - 1)}+{book.at(name, in_year, t)}")
    without = book.formulas(name, "Balance, no grant", "£", formulas, account.without)
    deficit = f"MAX(0,-{book.at(name, without, at)})"
    cap = f"IF(ISBLANK({inputs['cap']}),1E+15,{inputs['cap']})"
    granted = book.line(name, f"Grant: share of the eligible deficit at {year_end(grant)}, up to the cap", "£")
    book.sheets[name].write_formula(
        granted, FIRST,
        f"=MIN({inputs['share']}*MAX(0,{deficit}-{inputs['ineligible']}),{cap})", book.number, account.granted,
    )  # fmt: skip
    owed = f"'{name}'!{xl_rowcol_to_cell(granted, FIRST, row_abs=True, col_abs=True)}"
    row, formulas, values = book.rows[name], [], []
    for t, year in enumerate(years):
        if year not in given.cover:
            formulas.append("=0")
            values.append(0.0)
            continue
        credited = "+".join([owed, *(book.at(name, row, u) for u in range(at + 1, t))])
        now, before = book.at(name, without, t), book.at(name, without, t - 1)
        formulas.append(
            f"={book.at('Inputs', inputs['cover'], t)}*MIN(MAX(0,{before}-{now}),MAX(0,-({now}+{credited})))"
        )
        values.append(float(account.paid[t + 1]))
    cover = book.formulas(name, "Cover earned by the year's growth, paid a year later", "£", formulas, values)
    paid = book.formulas(
        name, "Grant and cover paid in the year", "£",
        [f"={owed if t == at + 1 else 0}+{book.at(name, cover, t - 1) if t else 0}" for t in span], account.paid,
    )  # fmt: skip
    row = book.rows[name]
    closing = book.formulas(
        name, "Balance with the grant", "£",
        [
            f"={book.at(name, row, t - 1)}+{book.at(name, in_year, t)}+{book.at(name, paid, t)}" if t
            else f"={book.at(name, without, 0)}"
            for t in span
        ],
        account.closing,
    )  # fmt: skip
    book.formulas(
        name, "Interest on the year's average deficit, paid by the general fund", "£",
        [
            f"={inputs['rate']}*MAX(0,-({book.at(name, closing, t - 1)}+{book.at(name, closing, t)})/2)" if t
            else "=0"
            for t in span
        ],
        account.interest,
    )  # fmt: skip
    ends = int(assumed("override", "ends").number)
    if ends in years:
        t = years.index(ends)
        unpaid = f"{book.at(name, cover, t)}"
        row = book.line(name, f"Deficit at {year_end(ends)}, the override's end, less cover still to come", "£")
        left = max(0.0, -account.closing[t] - (account.paid[t + 1] if ends in given.cover else 0.0))
        book.sheets[name].write_formula(
            row, FIRST, f"=MAX(0,-{book.at(name, closing, t)}-{unpaid})", book.number, left
        )
    book.line(name, "")
    check = book.formulas(
        name, "The package's balance with the grant, on the settings this file was made with", "£",
        [f"={float(value)!r}" for value in account.closing], account.closing,
    )  # fmt: skip
    row = book.line(name, "Check: furthest apart (0 until a yellow cell is changed)", "£")
    apart = ",".join(f"ABS({book.at(name, closing, t)}-{book.at(name, check, t)})" for t in span)
    book.sheets[name].write_formula(row, FIRST, f"=ROUND(MAX({apart}),0)", book.number, 0)
    range_ = plan.by_year("balance")
    for variant in ("unmitigated", "mitigated"):
        for quantile, words in (("p10", "1 in 10 below"), ("p50", "median"), ("p90", "1 in 10 above")):
            values = [range_.at[("balance", variant, year), quantile] for year in years]
            book.values(name, f"Package's simulations, no grant, {variant}: {words}", "£", values)


def _sources(plan: ReformPlan, count: int) -> list[str]:
    panel = plan.source.panel
    mine = panel.frame.loc[plan.code]
    used = {
        str(source).partition(":")[0]
        for column in mine.columns[mine.columns.str.endswith("_source")]
        for source in mine[column].dropna()
    }
    return [
        f"{plan.name} (DfE number {plan.code}). Published figures: {', '.join(sorted(used))}.",
        "The central path is the median, year by year, of this package's simulations; the plan's sizes are the "
        "middles of the ranges that the council declared. These are not official statistics.",
        "Rules of the grant: explanatory note of 9 February 2026, "
        "https://www.gov.uk/government/publications/explanatory-note-on-the-governments-approach-to-dedicated-"
        "schools-grant-deficits",
        f"Financing rate: {assumed('financing', 'rate').reference}",
        "Other movements hold what block and spend do not explain: other blocks, transfers and grants.",
        LICENCE,
        *(f"{a.title}: {each.fact} {each.url or ''}" for a in plan.actions.actions for each in a.evidence),
    ]
