"""A reform plan on a council's projection: what its actions do together, each alone, and under stress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from deficits.assumptions import assumed, assumptions
from deficits.errors import DeficitsError, ProjectionError
from deficits.formatting import estimate_range, financial_year, gbp, gbp_range, listed, year_end
from deficits.projection import Projection
from deficits.reform_plan.actions import SECTOR_WORDS, SECTORS, Action, Actions, MovePlaces, OwnGrowth, Position
from deficits.reform_plan.baseline import Baseline, baseline, grown
from deficits.simulated import in_units, lines, ranges
from deficits.sizes import Array
from deficits.validation import one_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS = {"plans": "plans", "spend": "£", "block": "£", "in_year": "£", "balance": "£"}
UNITS |= {f"places, {sector}": "plans" for sector in SECTORS}
"""Measures of a plan by year and their units; balance and in_year are negative for a deficit or overspend."""


@dataclass(frozen=True)
class ReformPlan:
    """A council's reform plan, worked out in every simulation.

    `base`: the council without it. `steps`: its position after each action, in order. `alone`: £ that each action
    by itself takes off what the DSG pays, less its cost to the DSG, and `in_turn`: the same of each after the
    earlier ones, both of shape (actions, years, draws). `elsewhere`: £ by payer outside the DSG, shape (years,
    draws). The grant that a council may receive is not in any balance here: see `projection`.
    """

    source: Projection
    code: str
    name: str
    actions: Actions
    base: Baseline
    steps: tuple[Position, ...]
    alone: Array
    in_turn: Array
    elsewhere: dict[str, Array]

    @property
    def years(self) -> list[int]:
        """Years of the plan, those that are known first."""
        return self.base.position.years

    @property
    def saved(self) -> Array:
        """£ a year by which the in-year position is better, shape (years, draws): the sum of `in_turn`."""
        total: Array = self.in_turn.sum(axis=0)
        return total

    @property
    def interaction(self) -> Array:
        """£ a year that actions do to one another: what all do together, less what each does alone."""
        together: Array = self.saved - self.alone.sum(axis=0)
        return together

    @property
    def balance(self) -> Array:
        """£ at each 31 March with the plan, shape (years, draws)."""
        return self.base.balance + np.cumsum(self.saved, axis=0)

    @cached_property
    def projection(self) -> Projection:
        """The projection with this council's balances as the plan leaves them, and every other council's as they
        were: write-off schemes apply to it."""
        balance = self.source.balance.copy(deep=True)
        balance.loc[{"authority": self.code, "year": self.years}] = xr.DataArray(
            self.balance, dims=("year", "draw"), coords={"year": self.years}
        )
        return replace(self.source, simulations=self.source.simulations.assign(balance=balance))

    @property
    def simulations(self) -> xr.Dataset:
        """Each of `UNITS`, dims (variant, year, draw): unmitigated and mitigated, with its unit."""
        base, before, after = self.base, self.base.position, self.steps[-1]
        in_year = np.diff(base.balance, axis=0, prepend=np.nan)
        found = {
            "plans": (before.plans, after.plans),
            "spend": (before.spend, before.spend - self.saved),
            "block": (base.block, base.block),
            "in_year": (in_year, in_year + self.saved),
            "balance": (base.balance, self.balance),
        }
        found |= {f"places, {sector}": (before.places[n], after.places[n]) for n, sector in enumerate(SECTORS)}
        dims = ("variant", "year", "draw")
        arrays = {name: (dims, np.stack(each), {"units": UNITS[name]}) for name, each in found.items()}
        return xr.Dataset(arrays, coords={"variant": ["unmitigated", "mitigated"], "year": self.years})

    def by_year(self, *measures: str) -> pd.DataFrame:
        """Measures by year without and with the plan: indexed by (measure, variant, year), columns mean, p10, p50,
        p90 and unit; variant is unmitigated, mitigated or difference.

        All of `UNITS` unless some are named. Quantiles of a difference are not the difference of quantiles.
        """
        simulations, tables = self.simulations, dict[Any, Array]()
        for measure in measures or UNITS:
            before, after = simulations[measure].values
            tables |= {(measure, "unmitigated"): before, (measure, "mitigated"): after}
            tables[measure, "difference"] = after - before
        frame = self._yearly(tables, "measure", "variant")
        frame["unit"] = frame.index.get_level_values("measure").map(UNITS)
        return in_units(frame, {measure: UNITS[measure] for measure in measures or UNITS})

    def _yearly(self, tables: dict[Any, Array], *names: str) -> pd.DataFrame:
        """Mean and quantiles by year of what stands under each key, whose parts are called `names`; of the plan's
        last years where there are fewer values."""
        index = [(*key, year) for key, values in tables.items() for year in self.years[-len(values) :]]
        found = ranges(np.concatenate([*tables.values(), np.empty((0, self.saved.shape[1]))]))
        return pd.DataFrame(found, index=pd.MultiIndex.from_tuples(index, names=[*names, "year"]))

    def effects(self) -> pd.DataFrame:
        """What each action takes off the deficit by the last year, £ in all: its own effect, and after the earlier
        ones; then the interaction and the total. Columns for each: mean, p10, p50, p90.

        In every simulation the own effects and the interaction add up to the total, and so do the effects after
        earlier actions; the means therefore do too.
        """
        titles = pd.Index([*self.actions.titles, "interaction", "total"], name="action")
        money = {
            "own": [*self.alone, self.interaction, self.saved],
            "after_earlier": [*self.in_turn, np.zeros_like(self.saved), self.saved],
        }
        frames = [
            pd.DataFrame(ranges(np.sum(each, axis=1)), titles).add_prefix(f"{kind}_")
            for kind, each in money.items()
        ]
        return in_units(pd.concat(frames, axis=1), "£")

    def costs(self) -> pd.DataFrame:
        """£ a year that others pay, by payer: indexed by (payer, year), columns mean to p90."""
        paid = {(payer,): money[1:] for payer, money in self.elsewhere.items()}
        return in_units(self._yearly(paid, "payer"), "£")

    def management_plan(self) -> pd.DataFrame:
        """Lines of a DSG management plan, £, without the plan and with it: indexed by (variant, line), columns
        financial years. Means, so that the lines of a year add up to its in-year position; spend is below 0.
        """
        after, base = self.steps[-1], self.base
        costs = base.position.spend - after.spend - self.saved
        variants = {
            "unmitigated": (base.position, np.zeros_like(costs), base.in_year, base.balance),
            "mitigated": (after, costs, base.in_year + self.saved[1:], self.balance),
        }
        lines = {}
        for variant, (position, cost, in_year, balance) in variants.items():
            lines[variant, "High needs block"] = base.block[1:]
            lines[variant, "Transfers and other income"] = position.income[1:]
            for sector, money in zip(SECTORS, position.places * position.cost, strict=True):
                lines[variant, f"Spend: {SECTOR_WORDS[sector]}"] = -money[1:]
            lines[variant, "Cost of the plan's actions"] = -cost[1:]
            lines[variant, "Other blocks and movements"] = base.other
            lines[variant, "In-year position"] = in_year
            lines[variant, "Balance at 31 March"] = balance[1:]
        means = {line: values.mean(axis=1) for line, values in lines.items()}
        frame = pd.DataFrame(means, [financial_year(year) for year in self.years[1:]])
        return in_units(frame.T.rename_axis(["variant", "line"]), "£")

    def stress(self) -> pd.DataFrame:
        """The balance at the last year end, £, on harder terms: columns mean, p10, p50, p90 and difference (of the
        means, from the plan as declared).

        A year late, half the effect at its full cost, growth of plans higher, and all three, as far as
        data/assumptions/reform_plan.yaml says.
        """
        late = int(assumed("reform_plan", "late_by").number)
        part, more = (assumed("reform_plan", name).number for name in ("part_of_effect", "more_growth"))
        higher = grown(self.base, OwnGrowth(), more)
        later = [action.model_copy(update={"start": action.start + late}) for action in self.actions.actions]
        usual = list(self.actions.actions)
        cases = {
            "as declared": (self.base, usual, 1.0),
            f"every action {late} year later": (self.base, later, 1.0),
            f"{part:.0%} of each effect, at full cost": (self.base, usual, part),
            f"plans grow {100 * more:g} points a year more": (higher, usual, 1.0),
            "all three": (higher, later, part),
        }
        ends = {"without the plan": self.base.balance[-1]}
        draws = self.base.balance.shape[1]
        sizes = [action.sizes(draws, self.source.seed, self.code) for action in usual]
        for name, (base, actions, size) in cases.items():
            _, saved, _ = applied(base, actions, [(size * each, cost) for each, cost in sizes])
            ends[name] = base.balance[-1] + saved.sum(axis=(0, 1))
        frame = pd.DataFrame(ranges(np.stack(list(ends.values()))), index=pd.Index(ends, name="case"))
        return in_units(frame.assign(difference=frame["mean"] - frame.at["as declared", "mean"]), "£")

    def to_frame(self) -> pd.DataFrame:
        """One long table, a row a measure, year, variant, sector and action: columns measure, unit, area, year,
        variant, sector, action, mean, p10, p50, p90. Money in £, plans in numbers."""
        years = self.by_year().reset_index()
        years[["measure", "sector"]] = years["measure"].str.partition(", ")[[0, 2]].to_numpy()
        money = {("saved", title): each[1:] for title, each in zip(self.actions.titles, self.in_turn, strict=True)}
        money |= {("cost outside the DSG", payer): each[1:] for payer, each in self.elsewhere.items()}
        acted = self._yearly(money, "measure", "action").reset_index()
        frame = pd.concat([years, acted.assign(variant="mitigated", unit="£")], ignore_index=True)
        frame = frame.fillna({"sector": "", "action": ""}).assign(area=self.name)
        frame = frame[
            ["measure", "unit", "area", "year", "variant", "sector", "action", "mean", "p10", "p50", "p90"]
        ]
        return in_units(frame, dict(zip(frame["measure"], frame["unit"], strict=True)))

    def plot(self, measure: str = "balance", *, ax: Axes | None = None) -> Axes:
        """A measure by year without and with the plan, with 80% ranges, on axes of your own or new ones."""
        rows = self.to_frame().query("measure == @measure and variant != 'difference'")
        return lines(rows, "variant", self.name, ax)

    def _repr_html_(self) -> str:
        table = (self.effects() / 1e6).to_html(float_format="{:,.1f}".format, border=0)
        return f"<p><strong>{escape(repr(self))}</strong></p><p>Effect of each action, £m:</p>{table}"

    def __dir__(self) -> list[str]:
        inner = {"source", "base", "steps", "alone", "in_turn", "elsewhere", "code"}
        return [
            name for name in super().__dir__() if name.startswith("__") or not (name[0] == "_" or name in inner)
        ]

    def declared(self) -> pd.DataFrame:
        """The actions as declared: columns title, terms, timing, cost, capital, evidence, address, risk_owner."""
        rows = [
            {
                "title": action.title,
                "terms": action.terms(),
                "timing": action.timing(),
                "cost": f"{gbp_range(action.cost.low, action.cost.high)} a year, paid by {action.paid_by}"
                if action.cost.high
                else "none declared",
                "capital": f"{gbp(action.capital)} a place" if action.capital else "none declared",
                "evidence": "; ".join(each.fact for each in action.evidence) or "none given",
                "address": " ".join(str(each.url) for each in action.evidence if each.url),
                "risk_owner": action.risk_owner,
            }
            for action in self.actions.actions
        ]
        return pd.DataFrame(rows)

    def answers(self) -> pd.DataFrame:
        """What a reform plan is said to be asked, and what this one answers: columns asked, answer, said_by, read.

        Nothing here is DfE's judgement; its form and its rating were not public where we looked.
        """
        last, base, number = self.years[-1], self.base, len(self.actions.actions)
        before, after = base.position.places[:, -1], self.steps[-1].places[:, -1]
        moved = pd.Series(np.median(after - before, axis=1), index=SECTORS)
        bare = [action.title for action in self.actions.actions if not action.evidence]
        total, stress = self.effects().loc["total"], self.stress()
        special = "no more of them than without the plan."
        if moved["state_special"] > 0.5:
            special = "more of them, so the plan must say why resource bases cannot meet the need."
        given = {
            "ratings": "Not answered here: a rating is DfE's to give.",
            "asked_inclusive_mainstream": f"{moved['mainstream'] + moved['resource_base']:+,.0f} places in "
            f"mainstream schools and resource bases by January {last}, compared with the position without the "
            f"plan; of them {moved['resource_base']:+,.0f} in resource bases.",
            "asked_special_capacity": f"{moved['state_special']:+,.0f} places in state special schools by January "
            f"{last}: {special}",
            "asked_impact_of_each": f"Each of {number} actions has its own effect, the effect after earlier ones, "
            f"and the interaction; together {estimate_range(total['own_p10'], total['own_p90'])} by "
            f"{year_end(last)}. Effects on needs are not worked out: no data on needs by council are held.",
            "asked_evidence": f"{number - len(bare)} of {number} actions name their evidence"
            + (f"; none is given for {listed(bare)}." if bare else "."),
            "asked_baseline": f"It starts from {np.median(base.position.plans[0]):,.0f} EHC plans in January "
            f"{self.years[0]}, shared among sectors as at the count of January {base.counted}, and a balance of "
            f"{gbp(float(np.median(base.balance[0])))} at {year_end(self.years[0])}. Health data are not held: "
            "the council adds its own.",
            "asked_what_if": f"On harder terms the balance at {year_end(last)} would be "
            f"{gbp(stress['p50'].drop('without the plan').min())} at worst instead of "
            f"{gbp(stress.at['as declared', 'p50'])} (medians).",
        }
        facts = assumptions("reform_plan")
        rows = [
            [facts[key].value, told, facts[key].publisher, facts[key].reference] for key, told in given.items()
        ]
        return pd.DataFrame(rows, columns=["asked", "answer", "said_by", "read"])

    def __repr__(self) -> str:
        planned, without = (gbp(float(np.median(each[-1]))) for each in (self.balance, self.base.balance))
        return (
            f"Reform plan of {self.name}, {len(self.actions.actions)} actions: a balance of {planned} at "
            f"{year_end(self.years[-1])} instead of {without} (medians)"
        )


def plan(
    projection: Projection, council: str | int, actions: Actions | str | Path, plans: xr.DataArray | None = None
) -> ReformPlan:
    """A council's reform plan on a projection. £ throughout; balances are negative for a deficit.

    `actions`: declared actions, or their YAML file; "example" is one to change. `plans`: of `Projection.plans`,
    where it is worked out already. The projection, and every other council, stay as they are.

    Raises ProjectionError with every fault of the file, or where an action starts in a year that is known.
    """
    declared = one_of("actions", actions, Actions, Actions.read, ProjectionError)
    code = projection.code(council)
    base = baseline(projection, code, declared, projection.plans() if plans is None else plans)
    base = grown(base, declared.growth)
    years, draws = base.position.years, base.balance.shape[1]
    faults = [
        f"{action.title}: start {financial_year(action.start)}, expected {financial_year(base.known + 1)} to "
        f"{financial_year(years[-1])}, the years of the projection after the newest count of plans"
        for action in declared.actions
        if not base.known < action.start <= years[-1]
    ]
    if faults:
        raise ProjectionError("\n  ".join(["actions are not usable:", *faults]))
    sizes = [action.sizes(draws, projection.seed, code) for action in declared.actions]
    steps, in_turn, elsewhere = applied(base, declared.actions, sizes)
    alone = np.stack(
        [applied(base, [action], [size])[1][0] for action, size in zip(declared.actions, sizes, strict=True)]
    )
    name = projection.panel.authorities.name(code)
    return ReformPlan(projection, code, name, declared, base, steps, alone, in_turn, elsewhere)


def plans_of_all(projection: Projection, actions: Actions | str | Path) -> Iterator[ReformPlan | DeficitsError]:
    """The same actions for every council of a projection, one plan after another; for one whose plans by placement
    are not published, the reason."""
    declared = actions if isinstance(actions, Actions) else Actions.read(actions)
    plans = projection.plans()
    for code in projection.fit.councils.index:
        try:
            yield plan(projection, code, declared, plans)
        except ProjectionError as error:
            yield error


def applied(
    base: Baseline, actions: Sequence[Action], sizes: Sequence[tuple[Array, Array]]
) -> tuple[tuple[Position, ...], Array, dict[str, Array]]:
    """Positions after each action, £ a year that each takes off after earlier ones, and others' costs by payer."""
    position, steps, saved = base.position, [], []
    elsewhere: dict[str, Array] = {}
    for action, (size, cost) in zip(actions, sizes, strict=True):
        after = action.act(position, size)
        costs = action.costs(position.years, cost)
        own = action.paid_by.casefold() == "dsg"
        saved.append(position.spend - after.spend - (costs if own else 0.0))
        if action.cost.high and not own:
            elsewhere[action.paid_by] = elsewhere.get(action.paid_by, 0.0) + costs
        if action.capital and isinstance(action, MovePlaces):
            place = SECTORS.index(action.to)
            # A place once built is there: places that are given up later need no new one.
            built = np.maximum.accumulate(after.places[place] - position.places[place], axis=0)
            added = np.diff(built, axis=0, prepend=0.0)
            elsewhere["capital"] = elsewhere.get("capital", 0.0) + added * action.capital
        position = after
        steps.append(position)
    return tuple(steps), np.stack(saved), elsewhere
