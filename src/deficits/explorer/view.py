"""What the panel shows of a state: headline, figure, table. Plain values in and out; no widget is needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from deficits.explorer.engine import Array, Engine, Shown, division, quantiles
from deficits.explorer.fan import NARROW, Fan, fan_svg
from deficits.explorer.state import State
from deficits.formatting import MINUS, day_in_words, financial_year, gbp, gbp_range, percent, slug, year_end
from deficits.plots.england import SOURCE
from deficits.plots.words import balance, balance_range

PARTS = ("p10", "p25", "p50", "p75", "p90")
EIGHT_IN_TEN = "8 in 10 simulated futures"


@dataclass(frozen=True)
class View:
    """What is shown: every number is the package's own for the same state, rounded once, here.

    `lead` is the range at the last year end, `meaning` what it is of, `points` what else a reader needs; `finding`
    and `subtitle` head the figure `svg`, which is `narrow` on a small screen. `baseline` and `scenario` are
    quantiles (£; rows p10 to p90, a column a year).
    """

    place: str
    years: tuple[int, ...]
    lead: str
    meaning: str
    points: tuple[str, ...]
    notes: tuple[str, ...]
    finding: str
    subtitle: str
    alt: str
    svg: str
    narrow: str
    source: str
    baseline: Array
    scenario: Array

    @property
    def headline(self) -> str:
        """Everything above the figure as plain text."""
        return " ".join([f"{self.lead}.", self.meaning, *self.points])

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The figure's numbers, £, unrounded: indexed by (path, year), columns p10 to p90."""
        paths = {"baseline": self.baseline, "scenario": self.scenario}
        frames = {
            name: pd.DataFrame(values.T, index=pd.Index(self.years, name="year"), columns=list(PARTS))
            for name, values in paths.items()
        }
        return pd.concat(frames, names=["path"])


def view(state: State, engine: Engine | None = None) -> View:
    """What is shown of a state. Raises DeficitsError where the package refuses it.

    >>> seen = view(State(until=2027, draws=200))
    >>> seen.meaning
    "England's gross deficit at 31 March 2027, in 8 in 10 simulated futures."
    """
    shown = (engine or Engine()).shown(state)
    before, after = quantiles(shown.baseline), quantiles(shown.scenario)
    compared = state.compare and not state.is_baseline
    words = _Words(shown, state, before, after, compared)
    finding = words.finding()
    alt = words.alt(finding)
    fans = [Fan(words.label("Scenario" if compared else "Middle", after), shown.years, after)]
    if compared:
        fans.append(Fan(words.label("Baseline", before), shown.years, before, dashed=True))
    name = f"explorer-fan-{slug(shown.area.name)}"
    return View(
        place=shown.area.name,
        years=shown.years,
        lead=words.lead(),
        meaning=words.meaning(),
        points=tuple(words.points()),
        notes=(*shown.projection.warnings, *(shown.result.warnings if shown.result else ())),
        finding=finding,
        subtitle=words.subtitle(),
        alt=alt,
        svg=fan_svg(fans, shown.observed, alt, name),
        narrow=fan_svg(fans, shown.observed, alt, f"{name}-narrow", NARROW),
        source=SOURCE[0].upper() + SOURCE[1:],
        baseline=before,
        scenario=after,
    )


@dataclass(frozen=True)
class _Words:
    """The findings in words, after those of `deficits.plots`."""

    shown: Shown
    state: State
    before: Array
    after: Array
    compared: bool

    @property
    def last(self) -> int:
        return self.shown.years[-1]

    @property
    def whose(self) -> str:
        name = self.shown.area.name
        return f"{name}'" if name.endswith("s") else f"{name}'s"

    def lead(self) -> str:
        ranged = self._ranged(self.after[0, -1], self.after[4, -1])
        return ranged[:1].upper() + ranged[1:]

    def meaning(self) -> str:
        if self.shown.area.is_council:
            return f"{self.whose} balance at {year_end(self.last)}, in {EIGHT_IN_TEN}."
        return f"{self.whose} gross deficit at {year_end(self.last)}, in {EIGHT_IN_TEN}."

    def points(self) -> list[str]:
        told = [f"In the middle: {self._one(self.after[2, -1])}."]
        if self.compared:
            told.append(self._difference())
        if self.shown.grant is not None:
            told.append(self._grant(self.shown.grant))
        told.append(self._interest())
        return [*told, *self._division()]

    def _difference(self) -> str:
        apart = self.shown.scenario[-1] - self.shown.baseline[-1]
        low, middle, high = np.quantile(apart, (0.1, 0.5, 0.9))
        if gbp(low) == gbp(high) == gbp(0):
            return "The same as the baseline in every simulated future."
        if self.shown.area.is_council:
            low, middle, high = -high, -middle, -low
        if low >= 0 or gbp(low) == gbp(0):
            words = f"{gbp_range(max(low, 0.0), high)} more deficit than the baseline"
        elif high <= 0 or gbp(high) == gbp(0):
            words = f"{gbp_range(max(-high, 0.0), -low)} less deficit than the baseline"
        else:
            words = f"{MINUS}{gbp(-low)} to +{gbp(high)} beside the deficit of the baseline"
        return f"{words}, on the same random numbers; in the middle {self._signed(middle)}."

    @staticmethod
    def _signed(value: float) -> str:
        return f"+{gbp(value)}" if value > 0 and gbp(value) != gbp(0) else gbp(value)

    def _grant(self, grant: Array) -> str:
        assert self.state.scheme is not None
        scheme = self.state.scheme.scheme()
        low, middle, high = np.quantile(grant, (0.1, 0.5, 0.9))
        when = f"from {financial_year(scheme.paid_in)}" if len(scheme.instalments) > 1 else ""
        when = when or f"in {financial_year(scheme.paid_in)}"
        if high <= 0:
            return f"{scheme.title}: no grant in {EIGHT_IN_TEN}, since there is no deficit to pay off."
        if low <= 0:
            chance = percent(float((grant > 0).mean()))
            return f"{scheme.title}: up to {gbp(high)} {when}, with a chance of {chance} of any."
        between = "" if gbp(low) == gbp(high) else f"; in the middle {gbp(middle)}"
        return f"{scheme.title}: pays {gbp_range(low, high)} {when}{between}."

    def _interest(self) -> str:
        """On the average of the deficits at both ends of the last year, as the projection charges it."""
        ends = self.shown.scenario[-2:]
        deficits = np.maximum(-ends, 0.0) if self.shown.area.is_council else ends
        rate = self.state.assumptions.financing_rate
        low, high = np.quantile(rate * deficits.mean(axis=0), (0.1, 0.9))
        who = "The general fund pays" if self.shown.area.is_council else "General funds pay"
        return f"{who} about {gbp_range(low, high)} of interest on it in {financial_year(self.last)}."

    def _division(self) -> list[str]:
        """A council that is to be divided is shown whole: whoever looks for its successors must know."""
        if not self.shown.area.is_council:
            return []
        split = division(self.shown.area.codes[0], self.state.as_of)
        if split is None:
            return []
        heirs = " and ".join(split.successors)
        return [f"{self.shown.area.name} is to be divided on {day_in_words(split.on)}; this is {heirs} together."]

    def finding(self) -> str:
        name, when = self.shown.area.name, f"March {self.last}"
        before, after = float(self.before[2, -1]), float(self.after[2, -1])
        if not self.compared:
            if self.shown.area.is_council:
                ends = balance_range(float(self.after[0, -1]), float(self.after[4, -1]))
                return f"{name}: {ends} projected at {when}"
            return f"{self.whose} deficit is projected at {self.lead()} at {when}"
        if self.shown.area.is_council:
            if gbp(before) == gbp(after):
                return f"{name}: the scenario leaves a central {balance(after)} at {when}, as without it"
            moved = f"from a {balance(before)} to a {balance(after)}"
            return f"{name}: the scenario moves the central balance at {when} {moved}"
        if gbp(before) == gbp(after):
            return f"{name}: the scenario leaves the central deficit at {when} unchanged at {gbp(after)}"
        word = "lowers" if after < before else "raises"
        return f"{name}: the scenario {word} the central deficit at {when} from {gbp(before)} to {gbp(after)}"

    def subtitle(self) -> str:
        what = "Dedicated schools grant balance (negative = deficit)"
        if not self.shown.area.is_council:
            what = "Gross deficit of councils in deficit"
        compared = "; dashed: median and 80% range of the baseline" if self.compared else ""
        return f"{what}, median with 50% and 80% ranges{compared}"

    def alt(self, finding: str) -> str:
        told = [f"{finding}.", "Fan chart."]
        seen = self.shown.observed
        if len(seen) > 1:
            first, last = seen[0], seen[-1]
            if self.shown.area.is_council:
                moved = f"goes from a {balance(first.value)} to a {balance(last.value)}"
            else:
                moved = f"goes from {gbp(first.value)} to {gbp(last.value)}"
            told.append(f"The published figure {moved} between {year_end(first.year)} and {year_end(last.year)}.")
        paths = {"The median of the scenario": self.after} if self.compared else {"The median": self.after}
        if self.compared:
            paths["That of the baseline"] = self.before
        for subject, path in paths.items():
            ends = self._ranged(path[0, -1], path[4, -1])
            told.append(
                f"{subject} is {self._one(path[2, -1])} at {year_end(self.last)}, where 8 in 10 lie at {ends}."
            )
        return " ".join(told)

    def label(self, word: str, path: Array) -> str:
        return f"{word}\n{gbp(float(path[2, -1]))}"

    def _one(self, value: float) -> str:
        return balance(float(value)) if self.shown.area.is_council else gbp(float(value))

    def _ranged(self, low: float, high: float) -> str:
        if self.shown.area.is_council:
            return balance_range(float(low), float(high))
        return gbp_range(float(low), float(high))
