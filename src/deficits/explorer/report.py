"""The state as a report: which one it is, which of its parameters the state fills, and its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from deficits.explorer.engine import Area
from deficits.explorer.state import State
from deficits.projection import Assumptions
from deficits.reports import REPORTS, parse


@dataclass(frozen=True)
class Wanted:
    """A report with its parameters, and what of the state it leaves out, in words."""

    name: str
    values: Mapping[str, object]
    left_out: tuple[str, ...]

    @property
    def page(self) -> str:
        """Name of the page's file. Raises ReportError where the report refuses a parameter."""
        return f"{REPORTS[self.name].page_id(parse(self.name, self.values))}.html"


def wanted(state: State, area: Area) -> Wanted:
    """The report nearest to a state: of the council, of the scheme, or of England."""
    name = "authority" if area.is_council else "england" if state.scheme is None else "writeoff"
    values: dict[str, object] = {"until": state.until, "draws": state.draws, "seed": state.seed}
    values |= {} if state.as_of is None else {"as_of": state.as_of}
    values |= {"authority": area.codes[0]} if area.is_council else {}
    scheme = state.scheme
    usual = state.assumptions == Assumptions() and not state.levers
    if usual and scheme is not None and scheme.own is None and not scheme.changes:
        values["scheme"] = scheme.name  # so that the page is the usual one of that scheme
    elif not state.is_baseline:  # one scheme is shown, and a report is on one
        values["scenario"] = replace(state, further=()).scenario.text()
    left_out = [f"{area.name} alone (it is on England, and has its regions)"] if area.kind == "region" else []
    left_out += [f"further schemes of the file ({len(state.further)})"] if state.further else []
    return Wanted(name, values, tuple(left_out))


def make(asked: Wanted, folder: Path) -> Path:
    """Run the report into a folder and return its page. Raises ReportError as `deficits.reports.render` does."""
    from deficits.reports import render, write_index

    page = render(asked.name, asked.values, folder)
    write_index(folder)
    return page
