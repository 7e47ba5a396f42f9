"""The state as a report: which one it is, which of its parameters the state fills, and its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deficits.explorer.engine import Area
from deficits.explorer.state import State
from deficits.outlook import Drivers
from deficits.reporting import REPORTS, parse


@dataclass(frozen=True)
class Wanted:
    """A report with its parameters, and what of the state it has no parameter for, in words."""

    name: str
    values: Mapping[str, object]
    left_out: tuple[str, ...]

    @property
    def page(self) -> str:
        """Name of the page's file. Raises ReportError where the report refuses a parameter."""
        return f"{REPORTS[self.name].page_id(parse(self.name, self.values))}.html"

    @property
    def command(self) -> str:
        """The command that makes the same page."""
        told = " ".join(f'--set "{name}={value}"' for name, value in self.values.items())
        return f"deficits report {self.name} {told}".strip()


def wanted(state: State, area: Area) -> Wanted:
    """The report nearest to a state: of the council, of the scheme, or of England."""
    left_out = []
    name = "authority" if area.is_council else "england" if state.scheme is None else "writeoff"
    values: dict[str, object] = {"until": state.until, "draws": state.draws, "seed": state.seed}
    values |= {} if state.as_of is None else {"as_of": state.as_of}
    if area.is_council:
        values["authority"] = area.codes[0]
    elif area.kind == "region":
        left_out.append(f"{area.name} alone (the report is on England, and has its regions)")
    known = REPORTS[name].model.model_fields
    if state.scheme is not None:
        changes = dict(state.scheme.changes)
        if state.scheme.own is not None or state.further:
            left_out.append("a scheme that came whole in a file")
        else:
            values["scheme"] = state.scheme.name
        if "share" in known and isinstance(changes.get("share"), float):
            values["share"] = changes.pop("share")
        left_out += [f"the scheme's {key.replace('_', ' ')} of {value}" for key, value in changes.items()]
    if state.drivers != Drivers():
        left_out.append("the assumptions that you set")
    if state.levers:
        left_out.append("levers")
    return Wanted(name, {key: value for key, value in values.items() if key in known}, tuple(left_out))


def make(asked: Wanted, folder: Path) -> Path:
    """Run the report into a folder and return its page. Raises ReportError as `deficits.reporting.render` does."""
    from deficits.reporting import render, write_index

    page = render(asked.name, asked.values, folder)
    write_index(folder)
    return page
