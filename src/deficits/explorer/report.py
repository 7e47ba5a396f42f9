"""The state as a report: which one it is, which of its parameters the state fills, and its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deficits.explorer.state import State
from deficits.explorer.views import Area
from deficits.reports import REPORTS
from deficits.scenario import as_yaml


@dataclass(frozen=True)
class Wanted:
    """A report with its parameters; `told` says which it is and what of the state it leaves out."""

    name: str
    values: Mapping[str, object]
    told: str


def wanted(state: State, area: Area) -> Wanted:
    """The report nearest to a state: of the council, of the scheme, or of England."""
    name = "authority" if area.kind == "council" else "england" if state.scheme is None else "writeoff"
    values: dict[str, object] = {"until": state.until, "draws": state.draws, "seed": state.seed}
    values |= {} if state.as_of is None else {"as_of": state.as_of}
    values |= {"authority": area.codes[0]} if area.kind == "council" else {}
    if state.declared.keys() - {"version"} == {"schemes"} and state.declared["schemes"][0].keys() == {"name"}:
        values["scheme"] = state.declared["schemes"][0]["name"]  # so that the page is the usual one of that scheme
    elif not state.is_baseline:
        alone = state.declared | {"schemes": state.declared.get("schemes", [])[:1]}  # a report is on one
        values["scenario"] = as_yaml({key: value for key, value in alone.items() if value})
    told = f"The report nearest to this is “{REPORTS[name].title}”."
    left_out = [f"{area.name} alone (it is on England, and has its regions)"] if area.kind == "region" else []
    left_out += [f"further schemes ({len(state.scenario.schemes) - 1})"] if len(state.scenario.schemes) > 1 else []
    return Wanted(name, values, f"{told} It leaves out: {'; '.join(left_out)}." if left_out else told)


def make(asked: Wanted, folder: Path) -> Path:
    """Run the report into a folder and return its page. Raises ReportError as `deficits.reports.render` does."""
    from deficits.reports import render, write_index

    page = render(asked.name, asked.values, folder)
    write_index(folder)
    return page
