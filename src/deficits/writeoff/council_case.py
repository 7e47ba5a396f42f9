"""A council's case: what a scheme pays on its own figures, what is left, and what its general fund bears, line by
line and year by year, with the scheme and without."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from deficits.assumptions import assumed
from deficits.errors import PanelError, SchemeError
from deficits.formatting import balance, balance_range, day_in_words, financial_year, gbp, percent, year_end
from deficits.panel import load_panel, read_splits, read_undecided, shares
from deficits.panel.own_figures import FALL, RISE
from deficits.projection import Assumptions, Projection, project
from deficits.projection.projection import LAST_HORIZON
from deficits.simulated import with_units
from deficits.validation import one_of, whole
from deficits.writeoff import allocation, costs
from deficits.writeoff.inputs import Array, Inputs, RateGiven, financing_rate
from deficits.writeoff.ledger import annuity, years_needed
from deficits.writeoff.scheme import Scheme, limit_in_words
from deficits.writeoff.write_off import WriteOff, write_off

YOURS = "your figure"
FORECAST = "your forecast"
PATHS = ("p50", "p10", "p90")
"""Paths of later balances, as draws: the median of the projection's changes, and its low and high ones."""
FEW_DRAWS = 1_000
UNTIL = int(assumed("override", "ends").number) + 2
"""Last year of a case where none is asked for: two years past the end of the override."""
SLIP = 50.0
"""A figure this many times smaller than the projection's, which in £000 would be near it, is taken for a slip."""
NEAR = 5.0
"""Near: within this factor."""
METHOD = "docs/method.md, section 3"
RESERVES_SOURCE = "MHCLG revenue outturn, unallocated and other earmarked reserves, newest year end published"
SIDE_BY_SIDE = {
    "closing_without": "Balance at the year's end, without the scheme",
    "closing": "Balance at the year's end, with it",
    "closing_p10": "  1 in 10 below",
    "closing_p90": "  1 in 10 above",
    "grant": "Grant paid in the year",
    "interest_without": "Interest, without",
    "interest": "Interest, with",
    "general_fund": "General fund bears in the year, with (interest, contributions, repayments)",
    "charge_without": "Charge when the override has ended, without",
    "charge": "Charge when the override has ended, with",
    "reserves_without": "Usable reserves after it, without",
    "reserves": "Usable reserves after it, with",
    "above_minimum": "  above the council's minimum (negative: below it)",
}
"""Columns of `CouncilCase.by_year` in words, for the account with the scheme and without."""
Line = tuple[str, str, float, str]
"""A line of the working: step, line, £, and the rule that it follows from."""


@dataclass(frozen=True)
class Terms:
    """What a council declares besides its deficit: £, shares a year and years (2027 is 2026-27).

    `contributions`: £ (>= 0) that its general fund pays into the DSG, by year. `rate`: of financing (see
    `financing_rate`); the projection's unless given, and in years that are not. `paid_on`: the day of the grant.
    `late`: years by which it comes later. `refused`: the council's plan is not approved, so no grant. `reserves`:
    £ usable at the base date, those published unless given; `minimum`: £ below which they shall not fall.
    `spread`: years over which what is left could be paid.
    """

    contributions: Mapping[int, float] = dataclasses.field(default_factory=dict)
    rate: RateGiven | None = None
    paid_on: date | None = None
    late: float = 0.0
    refused: bool = False
    reserves: float | None = None
    minimum: float = 0.0
    spread: int = 20


@dataclass(frozen=True)
class CouncilCase:
    """A scheme on one council's own figures.

    `deficits`: £ (>= 0) at the base date, by source; `ineligible`: £ by item; `basis`: where each later balance
    comes from. Without an own forecast, later years are the own deficit and the projection's changes; amounts are
    then of the median path, and `by_year` has the low and high ones as well. `public`: its balance at the base
    date by public figures, £ (negative = deficit): the ends of the 80% range, equal where it is published.
    """

    code: str
    name: str
    deficits: Mapping[str, float]
    ineligible: Mapping[str, float]
    basis: Mapping[int, str]
    asked: Scheme
    terms: Terms
    result: WriteOff
    public: tuple[float, float]

    @property
    def scheme(self) -> Scheme:
        """The scheme as it is applied: approved, and in time."""
        return self.result.scheme

    @property
    def deficit(self) -> float:
        """£ (>= 0) at the base date: the lowest of the sources given where the scheme takes the lowest, else the
        first."""
        return _counted(self.asked, self.deficits)

    @property
    def grant(self) -> float:
        """£ (>= 0) that is paid of the deficit at the base date, once the council's plan is approved."""
        return float(self.result.grant.values[0, self._row])

    @property
    def left(self) -> float:
        """£ (>= 0) of the deficit at the base date that stays with the council."""
        return max(self.deficit - self.grant, 0.0)

    @cached_property
    def _row(self) -> int:
        return int(self.result.inputs.codes.get_loc(self.code))

    def by_year(self) -> pd.DataFrame:
        """The council's account, £, indexed by year after the base date.

        opening and closing balance (negative = deficit), in_year (without grants), contribution, grant (write-off
        and cover), other (instalments, less what is taken back, levied or charged), closing_without, interest with
        and without, saved, general_fund (interest, contributions and repayment), charge (the deficit that falls on
        it in the year after the override's end), charge_without, reserves and reserves_without (usable, after all
        of these; missing where unknown) and basis; and, where no own forecast is given, closing_p10, closing_p90,
        saved_p10 and saved_p90.
        """
        result, row, given = self.result, self._row, self.terms.contributions
        on_dsg = self.scheme.interest_borne_by == "dsg"
        years = [year for year in result.inputs.years if year > self.scheme.base_year]
        account = result.ledger.sel(authority=self.code, year=years).transpose("year", "draw")
        money = {str(name): each.values for name, each in account.items()}
        before = costs.interest_by_year(result, [row], paid=False)
        without, interest = np.concatenate([before[year] for year in years]), money["interest"]
        contributed = np.array([given.get(year, 0.0) for year in years])
        grant = money["write_off"] + money["cover"]
        borne = np.zeros_like(interest) if on_dsg else interest
        repaid = money["repayment"] - money["charged"] + (interest if on_dsg else 0.0)
        bears = (borne + money["contribution"] + repaid)[:, 0] + contributed
        ended = np.array(years) == self.scheme.override_ends + 1
        charge = np.where(ended, self.falls_on_council(), 0.0)
        charge_without = np.where(ended, self.falls_on_council(with_scheme=False), 0.0)
        lines = {
            "opening": money["opening"][:, 0],
            "in_year": money["in_year"][:, 0] - contributed,
            "contribution": contributed,
            "grant": grant[:, 0],
            "other": (money["closing"] - money["opening"] - money["in_year"] - grant)[:, 0],
            "closing": money["closing"][:, 0],
            "closing_without": [result.inputs.balance(year)[row, 0] for year in years],
            "interest_without": without[:, 0],
            "interest": borne[:, 0],
            "saved": (without - interest)[:, 0],
            "general_fund": bears,
            "charge": charge,
            "charge_without": charge_without,
            "reserves": self.reserves - (bears + charge).cumsum(),
            "reserves_without": self.reserves - (without[:, 0] + contributed + charge_without).cumsum(),
            "basis": [self.basis[year] for year in years],
        }
        projected = np.array([self.basis[year] != FORECAST for year in years])
        if projected.any():
            for part, path in (("p10", 1), ("p90", 2)):
                lines[f"closing_{part}"] = np.where(projected, money["closing"][:, path], np.nan)
                lines[f"saved_{part}"] = np.where(projected, (without - interest)[:, path], np.nan)
        return with_units(pd.DataFrame(lines, index=pd.Index(years, name="year")), "£")

    @cached_property
    def reserves(self) -> float:
        """£ of usable reserves at the base date: the council's own figure, else those published; missing where
        neither is known."""
        if self.terms.reserves is not None:
            return self.terms.reserves
        return float(self.result.inputs.size("reserves", self.scheme.base_year)[self._row, 0])

    def falls_on_council(self, *, with_scheme: bool = True) -> float:
        """£ (>= 0) of deficit at the override's end, less grant and cover that is still to be paid."""
        end = self.scheme.override_ends
        if end not in self.result.inputs.years:
            return math.nan
        deficit = self.result.deficit(end) if with_scheme else self.result.inputs.deficit(end)
        return float(deficit[self._row, 0])

    def side_by_side(self) -> pd.DataFrame:
        """The account with the scheme and without it, £: lines by financial year; ranges where they are known."""
        years = self.by_year().assign(above_minimum=lambda each: each["reserves"] - self.terms.minimum)
        shown = {name: words for name, words in SIDE_BY_SIDE.items() if name in years}
        frame = years[list(shown)].rename(columns=shown).T
        return with_units(frame.rename(columns=lambda year: financial_year(int(year))).rename_axis("line"), "£")

    def ways_to_meet_left(self) -> pd.DataFrame:
        """How the part of the deficit that no grant pays could be met, £: columns first_year, yearly, years, total
        and interest. From reserves at once; by a capitalisation direction, borrowed at the PWLB rate with equal
        yearly payments (minimum revenue provision and interest); or in equal parts, with interest on what stands.
        """
        left, years = self.left, self.terms.spread
        pwlb = assumed("financing", "pwlb_rate").number
        rate = self.result.inputs.rate_in(self.scheme.base_year)
        lent, interest = left * annuity(years, pwlb), rate * left * (years + 1) / 2
        parts = f"in {years} equal parts, interest at {percent(rate, 2)}"
        rows = {
            "from usable reserves at once": [left, left, 1, left, 0.0],
            f"capitalised, PWLB at {percent(pwlb, 2)}": [lent, lent, years, years * lent, years * lent - left],
            parts: [left / years + rate * left, (left + interest) / years, years, left + interest, interest],
        }
        columns = ["first_year", "yearly", "years", "total", "interest"]
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("way")
        return with_units(frame, "£", years="years")

    def successors(self) -> pd.DataFrame:
        """Parts of new councils that are to take over from this one, £: indexed by name, columns on, share, grant,
        left, reference. Shares are by people aged 2 to 18, an assumption; empty where no division is declared."""
        split = read_splits().get(self.code)
        rows = {
            name: (split.on, share, share * self.grant, share * self.left, str(split.reference))
            for name, share in shares(split).items()
        } if split else {}  # fmt: skip
        columns = ["on", "share", "grant", "left", "reference"]
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("name")
        return with_units(frame, "£", share="share")

    def to_excel(self, path: str | Path) -> None:
        """Write the case as an .xlsx: by year in £000, the working in £, how what is left could be met."""
        with pd.ExcelWriter(path, engine="xlsxwriter") as book:
            for name, frame in (
                ("By year (£000)", (self.side_by_side() / 1000).round(1)),
                ("Working (£)", self.working().round(2).set_index("step")),
                ("What is left (£)", self.ways_to_meet_left().round(2)),
                ("New councils (£)", self.successors()),
            ):
                frame.to_excel(book, sheet_name=name, freeze_panes=(1, 1))
                book.sheets[name].set_column(0, 0, 60)
                book.sheets[name].set_column(1, len(frame.columns), 18)

    def working(self) -> pd.DataFrame:
        """Every step, in order: columns step, line, amount (£; what is taken off is below 0), rule (what it
        follows from) and source (the address of a scheme's rule). Adding the lines of a year gives its last one.
        """
        rows = [*self._deficit_lines(), *self._grant_lines(), *self._year_lines(), *self._end_lines()]
        frame = pd.DataFrame(rows, columns=["step", "line", "amount", "rule"])
        of_scheme = frame["rule"].str.startswith(self.asked.title)
        source = np.where(of_scheme, str(self.asked.reference), "")
        return with_units(frame.assign(amount=frame["amount"] + 0.0, source=source), "£")  # no minus nought

    def _deficit_lines(self) -> list[Line]:
        given = self.deficits.items() if len(self.deficits) > 1 else ()
        rows: list[Line] = [("sources", f"Deficit in {source}", amount, YOURS) for source, amount in given]
        rows += [
            ("reconciliation", f"{source} above the figure that counts", amount - self.deficit, YOURS)
            for source, amount in given
            if amount != self.deficit
        ]
        lowest = given and self.asked.source == "lowest"
        rule = f"{self.asked.title}: the lowest of sources that differ" if lowest else YOURS
        return [*rows, ("deficit", f"Deficit at {year_end(self.scheme.base_year)}", self.deficit, rule)]

    def _grant_lines(self) -> list[Line]:
        scheme, inputs, row, rule = self.scheme, self.result.inputs, self._row, self.asked.title
        base, alone = scheme.base_year, scheme.parts[0]
        declared, deficit = scheme.ineligible, inputs.deficit(base)
        told = {
            "share": f"Less {percent(declared.share)}, not eligible",
            "reserves": f"Less {percent(declared.reserves)} of usable reserves, borne first",
            "councils": "Less what the scheme leaves out for the council",
            "instalments": "Less agreed instalments still to come",
        }
        rows: list[Line] = [
            ("eligible", f"Less {item}", -amount, YOURS) for item, amount in self.ineligible.items()
        ]
        to_come = inputs.agreed_after(base) if scheme.safety_valve == "continue" else 0.0
        for why, amounts in allocation.left_out(alone, inputs, deficit, to_come).items():
            amount = float(np.broadcast_to(amounts, deficit.shape)[row, 0])
            amount -= sum(self.ineligible.values()) if why == "councils" else 0.0
            if amount > 0.5:
                source = f"{rule}; {RESERVES_SOURCE}" if why == "reserves" else rule
                rows.append(("eligible", told[why], -amount, source))
        eligible = float(allocation.eligible(alone, inputs, deficit, to_come)[row, 0])
        more = eligible - self.deficit - sum(amount for _, _, amount, _ in rows)
        if abs(more) > 0.5:
            refused = more < 0
            words = "Conditions of the scheme are not met" if refused else "Never below nought"
            rows.append(("eligible", words, more, rule if refused else METHOD))
        rows.append(("eligible", "Eligible deficit", eligible, METHOD))
        share = float(np.broadcast_to(allocation.share(alone, inputs, deficit), deficit.shape)[row, 0])
        amount = eligible * share
        rows.append(("grant", f"{percent(share, 1)} of the eligible deficit", amount, rule))
        for size, limit in scheme.cap.items():
            most = limit * float(inputs.size(size, base)[row, 0])
            if amount > most:
                rows.append(("grant", f"Cut to the cap, {limit_in_words(size, limit)}", most - amount, rule))
                amount = most
        for part in scheme.parts[1:]:
            rows.append(("grant", f"With {part.title}, paid on top", self.grant - amount, str(part.reference)))
            amount = self.grant
        if scheme.budget and abs(self.grant - amount) > 0.5:
            words = f"Cut to the national budget of {gbp(scheme.budget.pounds)}, with other councils as projected"
            rows.append(("grant", words, self.grant - amount, rule))
        words = "Grant"
        if self.terms.refused:
            words = "Grant: none, the plan is refused"
        elif self.asked.approval.probability < 1:
            words = f"Grant, if the plan is approved (chance {percent(self.asked.approval.probability)})"
        rows.append(("grant", words, self.grant, rule))
        return [*rows, ("left", f"Left of the deficit at {year_end(base)}", self.left, METHOD)]

    def _year_lines(self) -> list[Line]:
        rule, on_dsg = self.asked.title, self.scheme.interest_borne_by == "dsg"
        other = "Interest on the DSG" if on_dsg else "Instalments, contributions and what is taken back"
        rows: list[Line] = []
        for year, row in self.by_year().to_dict("index").items():
            when, rate = financial_year(year), percent(self.result.inputs.rate_in(year), 2)
            fund, interest = f"{when}, general fund", f"{rate} of the year's average deficit, {METHOD}"
            moved = row["interest_without"] - row["saved"] - row["interest"]
            rows += [
                (when, f"Balance at {year_end(year - 1)}", row["opening"], "the line before it"),
                (when, "In-year position, without grants", row["in_year"], row["basis"]),
                *_unless_nil(
                    (when, "Contribution from the general fund", row["contribution"], YOURS),
                    (when, "Grant paid", row["grant"], rule),
                    (when, other, row["other"], rule),
                ),
                (when, f"Balance at {year_end(year)}", row["closing"], METHOD),
                (fund, "Interest without the scheme", -row["interest_without"], interest),
                (fund, "Interest saved", row["saved"], interest),
                *_unless_nil(
                    (fund, "Interest moved to the DSG", moved, rule),
                    (fund, "Contributions and repayments", row["interest"] - row["general_fund"], rule),
                ),
                (fund, "General fund bears", -row["general_fund"], METHOD),
            ]
        return rows

    def _end_lines(self) -> list[Line]:
        end = self.scheme.override_ends
        if end not in self.result.inputs.years:
            return []
        when = f"override ends, {year_end(end)}"
        rows = [(when, "Deficit that then falls on the general fund", -self.falls_on_council(), METHOD)]
        if not math.isfinite(self.reserves):
            return rows
        source = RESERVES_SOURCE if self.terms.reserves is None else YOURS
        borne = float(self.by_year().loc[:end, "general_fund"].sum())
        rows += [
            (when, f"Usable reserves at {year_end(self.scheme.base_year)}", self.reserves, source),
            (when, "Borne by the general fund until then", -borne, METHOD),
        ]
        if self.terms.minimum:
            rows.append((when, "Minimum that reserves shall not fall below", -self.terms.minimum, YOURS))
        after = sum(amount for _, _, amount, _ in rows)
        return [*rows, (when, "Reserves after it" if after >= 0 else "Not covered", after, METHOD)]

    def lines(self) -> list[str]:
        """The case in a few sentences, as a command line prints it."""
        years = self.by_year()
        told = [
            f"{self.name}, {self.asked.title}: a grant of {gbp(self.grant)} on a deficit of {gbp(self.deficit)}; "
            f"{gbp(self.left)} is left.",
            f"Interest saved to {year_end(int(years.index[-1]))}: {gbp(years['saved'].sum())}.",
        ]
        if self.asked.approval.probability < 1:
            told.append(f"If its plan is approved: chance {percent(self.asked.approval.probability)}.")
        low, high = self.public
        source = "Published" if low == high else "This project's estimate from public figures"
        words = f"a {balance(low)}" if low == high else f"{balance_range(low, high)} (80% range)"
        told.append(f"{source} for {year_end(self.asked.base_year)}: {words}.")
        if not math.isfinite(self.reserves):
            told.append("Its usable reserves are not published: give reserves, or what they cover is not known.")
        if pending := read_undecided().get(self.code):
            told.append(
                f"It is to be reorganised on {day_in_words(pending.on)}; which councils take over is not held: "
                f"{pending.note} ({pending.reference})."
            )
        return [*told, *self.result.warnings]

    def __repr__(self) -> str:
        return "\n".join(self.lines())


def council_case(
    *,
    council: str | int,
    deficit: float | Mapping[str, float],
    ineligible: Mapping[str, float] | None = None,
    forecast: Mapping[int, float] | None = None,
    scheme: Scheme | str = "high-needs-stability-grant",
    until: int = UNTIL,
    projection: Projection | None = None,
    accept: bool = False,
    surplus: float = 0.0,
    **terms: Any,
) -> CouncilCase:
    """What a scheme does on a council's own figures.

    Args:
        council: name, DfE number or ONS code.
        deficit: £ (>= 0; 0 where it is in surplus) at 31 March of the scheme's base year; or several by source,
            such as `{"section 251": 130e6, "accounts": 128e6}`: the lowest counts where the scheme says so, else
            the first.
        ineligible: £ (>= 0) of that by item, such as `{"equal pay": 2e6}`.
        forecast: £ at later year ends, negative = deficit, without the scheme, contributions and safety valve
            instalments. Years that are not given follow the projection's changes.
        scheme: a scheme, its name, or its file.
        until: last year of the account; later where the scheme or a forecast needs it.
        projection: made from the newest panel unless given.
        accept: take figures that look like a slip, or are far from public ones.
        surplus: £ (>= 0) at the base date, of a council without a deficit.
        terms: contributions, rate, paid_on, late, refused, reserves, minimum, spread: see `Terms`.

    Raises:
        SchemeError: a figure that cannot be right, or a scheme that does not fit; every fault in one message.
    """
    design = one_of("scheme", scheme, Scheme, Scheme.read, SchemeError)
    given = {"the council's figures": deficit} if isinstance(deficit, int | float) else dict(deficit)
    items, later, declared = dict(ineligible or {}), dict(forecast or {}), Terms(**terms)
    _check(design, given, items, later, surplus, declared)
    whole("until", until, SchemeError, design.base_year + 1, LAST_HORIZON)
    dated = _certain(design, "", 0.0, declared)
    needed = max([dated.override_ends, *(max(years_needed(part).values()) for part in dated.parts), *later])
    if projection is None:
        projection = project(load_panel(), Assumptions(), until=max(needed, until), draws=FEW_DRAWS)
    elif projection.years[-1] < needed:
        raise SchemeError(f"the projection ends in {projection.years[-1]}: project with until={needed} or later")
    code, base = _council(projection, council), design.base_year
    own = surplus - _counted(design, given)
    low, high = np.quantile(projection.balance.sel(authority=code, year=base), (0.1, 0.9))
    if not accept:
        _check_slips(projection, code, base, given, own, later)
    years = [year for year in projection.years if year <= max(needed, until)]
    moved, basis = _with_own(projection, code, base, own, later, declared.contributions, years)
    usual = projection.assumptions.financing_rate
    rate = usual if declared.rate is None else financing_rate(declared.rate)
    by_year = rate if isinstance(rate, dict) else dict.fromkeys(years, rate)
    inputs = Inputs(moved, rate={year: by_year.get(year, usual) for year in years})
    # Where the base date's plans are not published, each path has the middles of those projected.
    inputs.once(("drawn_plans", None), lambda: projection.plans().median("draw").expand_dims(draw=len(PATHS)))
    name = projection.panel.authorities.name(code)
    applied = _certain(design, name, sum(items.values()), declared)
    return CouncilCase(code, name, given, items, basis, design, declared, write_off(inputs, applied), (low, high))


def _unless_nil(*lines: Line) -> list[Line]:
    return [line for line in lines if abs(line[2]) > 0.5]


def _council(projection: Projection, council: str | int) -> str:
    """Its DfE number; SchemeError offers the closest, or the council that a new one takes over from."""
    for code, split in read_splits().items():
        if str(council).casefold() in {name.casefold() for name in split.successors}:
            raise SchemeError(
                f"council: {council} takes over from {projection.panel.authorities.name(code)} on {split.on}: "
                "make the case for that council, which shows each new council's part"
            )
    try:
        return projection.code(council)
    except PanelError as error:
        raise SchemeError(f"council: {error}") from None


def _counted(scheme: Scheme, deficits: Mapping[str, float]) -> float:
    amounts = list(deficits.values())
    return float(min(amounts) if scheme.source == "lowest" else amounts[0])


def _check(
    scheme: Scheme,
    deficits: Mapping[str, float],
    items: Mapping[str, float],
    forecast: Mapping[int, float],
    surplus: float,
    terms: Terms,
) -> None:
    """SchemeError that lists every figure that cannot be right."""
    faults = [] if deficits else ["deficit: no figure; give £ at the base date"]
    amounts: dict[str, Mapping[Any, float]] = {
        "deficit": deficits,
        "ineligible": items,
        "forecast": forecast,
        "contributions": terms.contributions,
        "surplus": {"at the base date": surplus},
        "reserves": {"usable": terms.reserves or 0.0, "minimum": terms.minimum},
    }
    for what, each in amounts.items():
        for name, amount in each.items():
            if not math.isfinite(amount):
                faults.append(f"{what}, {name}: found {amount}, expected £")
            elif amount < 0 and what != "forecast":
                meant = f"; {gbp(-amount)} for a deficit, 0 for a surplus" if what == "deficit" else ""
                faults.append(f"{what}, {name}: found {gbp(amount)}, expected £ of 0 or more{meant}")
            elif what == "deficit" and 0 < amount < 1_000:
                faults.append(f"{what}, {name}: found {gbp(amount)}; give pounds, not thousands or millions")
    if surplus and any(deficits.values()):
        faults.append(f"surplus: found {gbp(surplus)} besides a deficit; in surplus the deficit is 0")
    first = scheme.base_year + 1
    for what, years in (("forecast", forecast), ("contributions", terms.contributions)):
        for year in years:
            if type(year) is not int or not first <= year <= LAST_HORIZON:
                words = f"expected a year from {first} to {LAST_HORIZON}, named by the calendar year it ends in"
                faults.append(f"{what}, {year}: {words}")
    try:
        financing_rate(0.0 if terms.rate is None else terms.rate)
    except SchemeError as error:
        faults.append(str(error))
    for what, number, low, high in (("late", terms.late, 0, 3), ("spread", terms.spread, 1, 50)):
        if not low <= number <= high:
            faults.append(f"{what}: found {number:g}, expected {low} to {high} years")
    if terms.paid_on and not scheme.base_year <= terms.paid_on.year <= LAST_HORIZON:
        faults.append(f"paid_on: found {terms.paid_on}, expected a day from {scheme.base_year} to {LAST_HORIZON}")
    _refuse(faults)


def _refuse(faults: list[str]) -> None:
    if faults:
        raise SchemeError("own figures are not usable:\n" + "\n".join(f"  {fault}" for fault in faults))


def _check_slips(
    projection: Projection,
    code: str,
    base: int,
    deficits: Mapping[str, float],
    own: float,
    forecast: Mapping[int, float],
) -> None:
    """SchemeError where a figure is near the projection in £000 or with the other sign, or further from it than
    any council's balance has moved in a year."""
    balances = projection.balance.sel(authority=code)
    at_base, block = balances.sel(year=base), float(projection.fit.councils.at[code, "block"])
    last, faults = "; accept=True (--accept) takes it as it is", []

    def ask(what: str, typed: float, amount: float, near: Any) -> None:
        low, middle, high = np.quantile(near, (0.1, 0.5, 0.9))
        size, wide = abs(middle), max(high - low, abs(own))
        if 0 < abs(typed) < size / SLIP and size / NEAR < 1000 * abs(typed) < size * NEAR:
            faults.append(f"{what}: found {gbp(typed)}; in £000 it would be {gbp(1000 * typed)}{last}")
        elif amount > 0 > own and amount > high and low - wide <= -amount <= high + wide:
            faults.append(
                f"{what}: found {gbp(amount)}, a surplus, after a deficit of {gbp(-own)}; a deficit is below 0: "
                f"{gbp(-amount)}{last}"
            )
        elif block and not low - FALL * block <= amount <= high + RISE * block:
            public = f"public figures say {balance_range(low, high)} (80% range)"
            faults.append(f"{what}: found a {balance(amount)}; {public}{last}")

    for name, amount in deficits.items():
        ask(f"deficit, {name}", amount, own if own > 0 else -amount, at_base)
    for year in sorted(year for year in forecast if year in projection.years):
        change = balances.sel(year=year) - at_base
        ask(f"forecast, {year}", forecast[year], forecast[year], own + change)
    _refuse(faults)


def _with_own(
    projection: Projection,
    code: str,
    base: int,
    own: float,
    forecast: Mapping[int, float],
    contributions: Mapping[int, float],
    years: list[int],
) -> tuple[Projection, dict[int, str]]:
    """The projection with three draws, other councils at their middles and this one on paths of its own balances
    from the base date on; and where each of those comes from, by year."""
    balances = projection.balance.sel(authority=code)
    middle = projection.balance.sel(year=years).median("draw").transpose("authority", "year").values
    values = np.repeat(middle[None], len(PATHS), axis=0)
    row = list(projection.simulations["authority"].values).index(code)
    start, known, given, basis = np.full(len(PATHS), own), base, 0.0, dict[int, str]()
    for place, year in enumerate(years):
        if year < base:
            continue
        path: Array = start
        if year in forecast:
            start = path = np.full(len(PATHS), float(forecast[year]))
            known, basis[year] = year, FORECAST
        elif year > base:
            change = (balances.sel(year=year) - balances.sel(year=known)).values
            path = start + np.quantile(change, [0.5, 0.1, 0.9])
            since = "your deficit" if known == base else FORECAST
            public = year <= projection.base_year
            then = "the change of the published balances" if public else "this project's projection"
            basis[year] = f"{since} of {year_end(known)} and {then} after it"
        given += contributions.get(year, 0.0)
        values[:, row, place] = path + given
    dataset = projection.simulations.isel(draw=slice(0, len(PATHS))).sel(year=years)
    received = dataset["safety_valve_payments"].copy()
    received.loc[{"authority": code}] = 0.0  # own figures are without instalments, or hold them already
    dataset = dataset.assign(balance=(("draw", "authority", "year"), values), safety_valve_payments=received)
    return dataclasses.replace(projection, simulations=dataset), basis


def _certain(scheme: Scheme, name: str, ineligible: float, terms: Terms) -> Scheme:
    """The scheme with the council's plan approved in time (unless declared otherwise), its own sources chosen and
    its own items left out."""

    def one(part: Scheme) -> Scheme:
        named = part.ineligible.councils
        own = {name: named.get(name, 0.0) + ineligible} if ineligible else {}
        changes: dict[str, Any] = {
            "approval": part.approval.model_copy(update={"probability": float(not terms.refused), "late": 0.0}),
            "source": "projection",
            "ineligible": part.ineligible.model_copy(update={"councils": {**named, **own}}),
            "plus": tuple(one(other) for other in part.plus),
        }
        if terms.paid_on:
            year = terms.paid_on.year + (terms.paid_on >= date(terms.paid_on.year, 4, 1))
            gone = (terms.paid_on - date(year - 1, 4, 1)).days / 365
            changes |= {"paid_in": year, "part_of_year": min(gone, 1.0)}
        return part.model_copy(update=changes)

    return costs.later(one(scheme), terms.late) if terms.late else one(scheme)
