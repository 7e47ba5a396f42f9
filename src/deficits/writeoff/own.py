"""A council's own figures: what a scheme pays on them, what is left, and what its general fund bears, line by
line."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from deficits.errors import PanelError, SchemeError, closest
from deficits.formatting import financial_year, gbp, percent, year_end
from deficits.panel import load_panel
from deficits.projection import Assumptions, Projection, project
from deficits.projection.projection import LAST_HORIZON
from deficits.writeoff import allocation as claims
from deficits.writeoff import costs as cost
from deficits.writeoff.inputs import Inputs
from deficits.writeoff.reading import scheme_names
from deficits.writeoff.scheme import Scheme
from deficits.writeoff.write_off import WriteOff, write_off

YOURS = "your figure"
FORECAST = "your forecast"
PATHS = ("p50", "p10", "p90")
"""Paths of later balances, as draws: the middle of the projection's changes, and its low and high ones."""
FEW_DRAWS = 1_000
TOO_MUCH = 0.25
"""Share of the high needs block by which a deficit cannot turn into a surplus in a year without a slip of sign (an
assumption: no council's in-year surplus has come near it)."""
METHOD = "docs/method.md, section 3"
CAPS = {
    "pounds": "fixed",
    "dsg": "DSG",
    "reserves": "usable reserves",
    "unallocated_reserves": "unallocated reserves",
    "pupils": "people aged 2 to 18",
    "plans": "EHC plans",
}


@dataclass(frozen=True)
class OwnCase:
    """A scheme on one council's own figures.

    `deficits`: £ (>= 0) at the base date, by source; `ineligible`: £ by item; `basis`: where each later balance
    comes from. Without an own forecast, later years are the own deficit and the projection's changes; amounts are
    then of the middle path, and `by_year` has the low and high ones beside them.
    """

    code: str
    name: str
    deficits: Mapping[str, float]
    ineligible: Mapping[str, float]
    basis: Mapping[int, str]
    asked: Scheme
    result: WriteOff

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
        return float(self.result.paid.granted[self._row, 0])

    @property
    def left(self) -> float:
        """£ (>= 0) of the deficit at the base date that stays with the council."""
        return max(self.deficit - self.grant, 0.0)

    @cached_property
    def _row(self) -> int:
        return int(self.result.inputs.codes.get_loc(self.code))

    @cached_property
    def _money(self) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
        """The ledger's columns for the council, shape (paths, years)."""
        money = self.result.ledger.sel(authority=self.code)
        return {str(name): money[name].transpose("draw", "year").values for name in money}

    def by_year(self) -> pd.DataFrame:
        """The council's account, £, indexed by year after the base date.

        opening and closing balance (negative = deficit), in_year (without grants), grant (write-off and cover),
        other (instalments, contributions, less what is taken back, levied or charged), closing_without, interest
        with and without, saved, general_fund (interest, contribution and repayment) and basis; and, where no own
        forecast is given, closing_p10, closing_p90, saved_p10 and saved_p90.
        """
        money = self._money
        without = cost.interest_by_year(self.result, paid=False)
        rows = {}
        for place, year in enumerate(self.result.ledger["year"].values.tolist()):
            if year <= self.scheme.base_year:
                continue
            here = {name: values[:, place] for name, values in money.items()}
            grant = here["write_off"] + here["cover"]
            other = here["closing"] - here["opening"] - here["in_year"] - grant
            before = without[year][self._row]
            on_dsg = self.scheme.interest_borne_by == "dsg"
            borne = np.zeros_like(grant) if on_dsg else here["interest"]
            repaid = [
                flow.amount
                for flow in self.result.paid.flows
                if flow.kind == "repayment" and flow.year == year and not flow.raises
            ]
            repayment = sum(
                (np.broadcast_to(amount, self.result.inputs.shape)[self._row] for amount in repaid), 0.0
            )
            bears = borne + here["contribution"] + repayment
            row: dict[str, Any] = {
                "opening": here["opening"][0],
                "in_year": here["in_year"][0],
                "grant": grant[0],
                "other": other[0],
                "closing": here["closing"][0],
                "closing_without": self.result.inputs.balance(year)[self._row, 0],
                "interest_without": before[0],
                "interest": borne[0],
                "saved": before[0] - here["interest"][0],
                "general_fund": bears[0],
                "basis": self.basis[year],
            }
            if self.basis[year] != FORECAST:
                for part, path in (("p10", 1), ("p90", 2)):
                    row[f"closing_{part}"] = here["closing"][path]
                    row[f"saved_{part}"] = before[path] - here["interest"][path]
            rows[year] = row
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("year")

    def working(self) -> pd.DataFrame:
        """Every step, in order: columns step, line, amount (£; what is taken off is below 0), rule (what it
        follows from) and source (the address of a scheme's rule). Adding the lines of a year gives its last one.
        """
        rows = [*self._deficit_lines(), *self._grant_lines(), *self._year_lines(), *self._end_lines()]
        frame = pd.DataFrame(rows, columns=["step", "line", "amount", "rule"])
        of_scheme = frame["rule"].str.startswith(self.asked.title)
        return frame.assign(
            amount=frame["amount"] + 0.0,  # no minus nought
            source=np.where(of_scheme, str(self.asked.reference), ""),
        )

    def _deficit_lines(self) -> list[tuple[str, str, float, str]]:
        base = year_end(self.scheme.base_year)
        lowest = self.asked.source == "lowest" and len(self.deficits) > 1
        rows = []
        if len(self.deficits) > 1:
            rows += [
                ("sources", f"Deficit in {source}", amount, YOURS) for source, amount in self.deficits.items()
            ]
        rule = f"{self._rule()}: the lowest of sources that differ" if lowest else YOURS
        return [*rows, ("deficit", f"Deficit at {base}", self.deficit, rule)]

    def _rule(self) -> str:
        return self.asked.title

    def _grant_lines(self) -> list[tuple[str, str, float, str]]:
        rows: list[tuple[str, str, float, str]] = []
        rule = self._rule()
        scheme, inputs, row = self.scheme.model_copy(update={"plus": ()}), self.result.inputs, self._row
        deficit = np.maximum(0.0 - inputs.balance(scheme.base_year), 0.0)
        for item, amount in self.ineligible.items():
            rows.append(("eligible", f"Less {item}", -amount, YOURS))
        declared = scheme.ineligible
        if declared.share:
            rows.append(
                ("eligible", f"Less {percent(declared.share)}, not eligible", -declared.share * self.deficit, rule)
            )
        if declared.reserves:
            reserves = float(np.nan_to_num(inputs.size("reserves", scheme.base_year)[row, 0]))
            told = f"Less {percent(declared.reserves)} of usable reserves, borne first"
            rows.append(("eligible", told, -declared.reserves * reserves, f"{rule}; {_reserves_source()}"))
        own = sum(self.ineligible.values())
        named = sum(
            amount
            for name, amount in declared.councils.items()
            if inputs.panel.authorities.resolve(name) == self.code
        )
        if named - own > 0.5:
            rows.append(("eligible", "Less what the scheme leaves out for the council", own - named, rule))
        to_come: Any = 0.0
        if scheme.safety_valve == "continue":
            to_come = inputs.agreed_after(scheme.base_year)
            if to_come[row, 0]:
                rows.append(("eligible", "Less agreed instalments still to come", -float(to_come[row, 0]), rule))
        eligible = claims.eligible(scheme, inputs, deficit, to_come)
        meant = self.deficit + sum(amount for _, _, amount, _ in rows)
        if eligible[row, 0] - meant > 0.5:
            rows.append(("eligible", "Never below nought", float(eligible[row, 0]) - meant, METHOD))
        elif meant - eligible[row, 0] > 0.5:
            rows.append(
                ("eligible", "Conditions of the scheme are not met", float(eligible[row, 0]) - meant, rule)
            )
        rows.append(("eligible", "Eligible deficit", float(eligible[row, 0]), METHOD))
        share = np.broadcast_to(np.asarray(claims.share(scheme, inputs, deficit), dtype=float), deficit.shape)
        amount = float(eligible[row, 0] * share[row, 0])
        rows.append(("grant", f"{percent(float(share[row, 0]), 1)} of the eligible deficit", amount, rule))
        for size, limit in scheme.cap.items():
            most = limit * float(inputs.size(size, scheme.base_year)[row, 0])
            if math.isfinite(most) and amount > most:
                told = f"Cut to the cap by {CAPS[size]}, {gbp(most)}"
                rows.append(("grant", told, most - amount, rule))
                amount = most
        for part in self.scheme.parts[1:]:
            rows.append(("grant", f"With {part.title}, paid on top", self.grant - amount, str(part.reference)))
            amount = self.grant
        if scheme.budget and abs(self.grant - amount) > 0.5:
            told = f"Cut to the national budget of {gbp(scheme.budget.pounds)}, with other councils as projected"
            rows.append(("grant", told, self.grant - amount, rule))
        told = "Grant"
        if self.asked.approval.probability < 1:
            told = f"Grant, if the plan is approved (chance {percent(self.asked.approval.probability)})"
        rows.append(("grant", told, self.grant, rule))
        rows.append(("left", f"Left of the deficit at {year_end(scheme.base_year)}", self.left, METHOD))
        return rows

    def _year_lines(self) -> list[tuple[str, str, float, str]]:
        rate = percent(self.result.projection.assumptions.financing_rate, 2)
        rows: list[tuple[str, str, float, str]] = []
        for year, row in self.by_year().iterrows():
            when = financial_year(int(str(year)))
            rows.append((when, f"Balance at {year_end(int(str(year)) - 1)}", row["opening"], "the line before it"))
            rows.append((when, "In-year position, without grants", row["in_year"], row["basis"]))
            if row["grant"]:
                rows.append((when, "Grant paid", row["grant"], self._rule()))
            if abs(row["other"]) > 0.5:
                rows.append(
                    (when, "Instalments, contributions and what is taken back", row["other"], self._rule())
                )
            rows.append((when, f"Balance at {year_end(int(str(year)))}", row["closing"], METHOD))
            interest = f"{rate} of the year's average deficit, {METHOD}"
            rows.append(
                (f"{when}, general fund", "Interest without the scheme", -row["interest_without"], interest)
            )
            rows.append((f"{when}, general fund", "Interest saved", row["saved"], interest))
            moved = row["interest_without"] - row["saved"] - row["interest"]
            if moved:
                rows.append((f"{when}, general fund", "Interest moved to the DSG", moved, self._rule()))
            others = row["general_fund"] - row["interest"]
            if others:
                rows.append((f"{when}, general fund", "Contribution and repayments", -others, self._rule()))
            rows.append((f"{when}, general fund", "General fund bears", -row["general_fund"], METHOD))
        return rows

    def _end_lines(self) -> list[tuple[str, str, float, str]]:
        end = self.scheme.override_ends
        if end not in self.result.inputs.years:
            return []
        balance = float(self.result.balance.sel(authority=self.code, year=end).values[0])
        reserves = float(self.result.inputs.size("reserves", self.scheme.base_year)[self._row, 0])
        left = max(0.0 - balance, 0.0)
        when = f"override ends, {year_end(end)}"
        rows = [(when, "Deficit that then falls on the council", -left, METHOD)]
        if math.isfinite(reserves):
            rows.append((when, "Usable reserves", reserves, _reserves_source()))
            rows.append(
                (when, "Reserves after it" if reserves >= left else "Not covered", reserves - left, METHOD)
            )
        return rows

    def lines(self) -> list[str]:
        """The case in a few sentences, as a command line prints it."""
        years = self.by_year()
        saved = years["saved"].sum()
        told = [
            f"{self.name}, {self.asked.title}: a grant of {gbp(self.grant)} on a deficit of {gbp(self.deficit)}; "
            f"{gbp(self.left)} is left.",
            f"Interest saved to {year_end(int(years.index[-1]))}: {gbp(saved)}.",
        ]
        if self.asked.approval.probability < 1:
            told.append(f"If its plan is approved: chance {percent(self.asked.approval.probability)}.")
        known = self.result.inputs.panel.figure("balance").get(self.asked.base_year, pd.Series(dtype=float))
        if not math.isnan(published := known.get(self.code, math.nan)):
            told.append(f"CalibrationTarget for {year_end(self.asked.base_year)}: a balance of {gbp(published)}.")
        return [*told, *self.result.warnings]

    def __repr__(self) -> str:
        return "\n".join(self.lines())


def own_case(
    *,
    council: str | int,
    deficit: float | Mapping[str, float],
    ineligible: Mapping[str, float] | None = None,
    forecast: Mapping[int, float] | None = None,
    scheme: Scheme | str = "high-needs-stability-grant",
    rate: float | None = None,
    projection: Projection | None = None,
) -> OwnCase:
    """What a scheme does on a council's own figures.

    Args:
        council: name, DfE number or ONS code.
        deficit: £ (>= 0; 0 where it is in surplus) at 31 March of the scheme's base year; or several by source,
            such as `{"section 251": 130e6, "accounts": 128e6}`: the lowest counts where the scheme says so, else
            the first.
        ineligible: £ (>= 0) of that by item, such as `{"equal pay": 2e6}`.
        forecast: £ at later year ends, negative = deficit, without the scheme and without safety valve
            instalments. Years that are not given follow the projection's changes.
        scheme: a scheme, its name, or its file.
        rate: financing rate, a year, 0 to 0.2; the projection's unless given.
        projection: made from the newest panel unless given.

    Raises:
        SchemeError: a figure that cannot be right, or a scheme that does not fit; every fault in one message.

    >>> case = own_case(council="Cheshire East", deficit=144.4e6, ineligible={"equal pay": 0.4e6},
    ...                 forecast={2027: -190e6, 2028: -240e6})
    >>> round(case.grant), round(case.left)
    (129600000, 14800000)
    """
    design = Scheme.read(scheme) if isinstance(scheme, str) and _is_name(scheme) else scheme
    if not isinstance(design, Scheme):
        raise SchemeError(f"no scheme '{scheme}': {closest(str(scheme), scheme_names())}")
    given = {"the council's figures": deficit} if isinstance(deficit, int | float) else dict(deficit)
    items, later = dict(ineligible or {}), dict(forecast or {})
    _check(design, given, items, later, rate)
    last = max([_last_needed(design), *later])
    if projection is None:
        projection = project(load_panel(), Assumptions(), until=last, draws=FEW_DRAWS)
    elif projection.years[-1] < last:
        raise SchemeError(f"the projection ends in {projection.years[-1]}: project with until={last} or later")
    try:
        code = projection.code(council)
    except PanelError as error:
        raise SchemeError(f"council: {error}") from None
    own = -_counted(design, given)
    _check_signs(projection, code, own, later)
    years = [year for year in projection.years if year <= last]
    paths, basis = _paths(projection, code, design.base_year, own, later, years)
    inputs = Inputs(_with_own(projection, code, years, paths, rate))
    applied = _certain(design, projection.panel.authorities.name(code), sum(items.values()))
    return OwnCase(
        code, projection.panel.authorities.name(code), given, items, basis, design, write_off(inputs, applied)
    )


def _is_name(scheme: str) -> bool:
    return scheme in scheme_names() or scheme.endswith((".yaml", ".yml"))


def _counted(scheme: Scheme, deficits: Mapping[str, float]) -> float:
    amounts = list(deficits.values())
    return float(min(amounts) if scheme.source == "lowest" else amounts[0])


def _last_needed(scheme: Scheme) -> int:
    """The last year that anything of the scheme is paid or measured in, later repayments left out."""
    years = [scheme.override_ends]
    for part in scheme.parts:
        years.append(part.paid_in + len(part.instalments) - 1)
        if part.cover:
            years.append(max(part.cover.shares) + part.cover.paid_after)
        if part.clawback:
            years.append(part.clawback.year + 1)
    return max(years)


def _check(
    scheme: Scheme,
    deficits: Mapping[str, float],
    items: Mapping[str, float],
    forecast: Mapping[int, float],
    rate: float | None,
) -> None:
    """SchemeError that lists every figure that cannot be right."""
    faults = [] if deficits else ["deficit: no figure; give £ at the base date"]
    for what, amounts in (("deficit", deficits), ("ineligible", items)):
        for name, amount in amounts.items():
            if not math.isfinite(amount):
                faults.append(f"{what}, {name}: found {amount}, expected £")
            elif amount < 0:
                meant = "; 0 where the council is in surplus" if what == "deficit" else ""
                faults.append(f"{what}, {name}: found {gbp(amount)}, expected £ of 0 or more{meant}")
            elif what == "deficit" and 0 < amount < 1_000:
                faults.append(f"{what}, {name}: found {gbp(amount)}; give pounds, not thousands or millions")
    for year, balance in forecast.items():
        if isinstance(year, bool) or not isinstance(year, int) or year <= scheme.base_year or year > LAST_HORIZON:
            faults.append(
                f"forecast, {year}: expected a year from {scheme.base_year + 1} to {LAST_HORIZON}, named by the "
                "calendar year it ends in"
            )
        elif not math.isfinite(balance):
            faults.append(f"forecast, {year}: found {balance}, expected £")
    if rate is not None and not 0 <= rate <= 0.2:
        hint = f"; {rate:g}% is {rate / 100:g}" if 0.2 < rate <= 20 else ""
        faults.append(f"rate: found {rate:g}, expected 0 to 0.2 a year{hint}")
    if faults:
        raise SchemeError("own figures are not usable:\n" + "\n".join(f"  {fault}" for fault in faults))


def _check_signs(projection: Projection, code: str, own: float, forecast: Mapping[int, float]) -> None:
    """SchemeError where a forecast turns a deficit into a surplus faster than any council does: a slip of sign."""
    block = float(projection.fit.councils.at[code, "block"])
    before, faults = own, []
    for year in sorted(forecast):
        balance = forecast[year]
        if before < 0 < balance and balance - before > TOO_MUCH * block:
            faults.append(
                f"forecast, {year}: found {gbp(balance)}, a surplus, after a deficit of {gbp(-before)}; a deficit "
                f"is below 0: {gbp(-balance)}"
            )
        before = balance if balance < 0 else before
    if faults:
        raise SchemeError("own figures are not usable:\n" + "\n".join(f"  {fault}" for fault in faults))


def _paths(
    projection: Projection, code: str, base: int, own: float, forecast: Mapping[int, float], years: list[int]
) -> tuple[dict[int, np.ndarray[Any, np.dtype[np.float64]]], dict[int, str]]:
    """The council's balances from the base date on, £ by year and path, and where each comes from."""
    balances = projection.balance.sel(authority=code)
    paths, basis = {base: np.full(len(PATHS), own)}, {}
    known = base
    for year in (later for later in years if later > base):
        if year in forecast:
            paths[year], basis[year] = np.full(len(PATHS), float(forecast[year])), FORECAST
            known = year
            continue
        change = (balances.sel(year=year) - balances.sel(year=known)).values
        paths[year] = paths[known] + np.quantile(change, [0.5, 0.1, 0.9])
        since = "your deficit" if known == base else FORECAST
        then = (
            "the change of the published balances" if year <= projection.base_year else "this project's projection"
        )
        basis[year] = f"{since} of {year_end(known)} and {then} after it"
    return paths, basis


def _with_own(
    projection: Projection,
    code: str,
    years: list[int],
    paths: Mapping[int, np.ndarray[Any, np.dtype[np.float64]]],
    rate: float | None,
) -> Projection:
    """The projection with three draws: other councils at their middles, this one on its own paths."""
    middle = projection.balance.sel(year=years).median("draw")
    values = np.repeat(middle.transpose("authority", "year").values[None], len(PATHS), axis=0)
    row = int(np.flatnonzero(projection.dataset["authority"].values == code)[0])
    for year, balances in paths.items():
        values[:, row, years.index(year)] = balances
    dataset = projection.dataset.isel(draw=slice(0, len(PATHS))).sel(year=years)
    received = dataset["bail_out"].copy()
    received.loc[{"authority": code}] = 0.0  # own figures are without instalments, or hold them already
    dataset = dataset.assign(balance=(("draw", "authority", "year"), values), bail_out=received)
    assumptions = (
        projection.assumptions
        if rate is None
        else projection.assumptions.model_copy(update={"financing_rate": rate})
    )
    return dataclasses.replace(projection, dataset=dataset, assumptions=assumptions)


def _certain(scheme: Scheme, name: str, ineligible: float) -> Scheme:
    """The scheme with the council's plan approved in time, its own sources chosen and its own items left out."""

    def one(part: Scheme) -> Scheme:
        approval = part.approval.model_copy(update={"probability": 1.0, "late": 0.0})
        councils = dict(part.ineligible.councils)
        if ineligible:
            near = get_close_matches(name, councils, n=1, cutoff=1.0)
            councils[near[0] if near else name] = councils.get(name, 0.0) + ineligible
        left_out = part.ineligible.model_copy(update={"councils": councils})
        plus = tuple(one(other) for other in part.plus)
        return part.model_copy(
            update={"approval": approval, "source": "projection", "ineligible": left_out, "plus": plus}
        )

    return one(scheme)


def _reserves_source() -> str:
    return "MHCLG revenue outturn, unallocated and other earmarked reserves, newest year end published"
