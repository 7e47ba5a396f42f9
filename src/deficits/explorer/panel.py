"""The panel in JupyterLab and in the browser: thin widgets over a state, and what is shown of it."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from IPython.display import Javascript, display

from deficits.assumptions import assumed
from deficits.errors import DeficitsError
from deficits.explorer import changes, page, session
from deficits.explorer.changes import Change
from deficits.explorer.code import code
from deficits.explorer.controls import (
    ASSUMPTIONS,
    OPTIONAL,
    SAFETY_VALVE_PAYMENTS,
    SCHEME,
    Slide,
    default_of,
    lever_slide,
)
from deficits.explorer.engine import Engine, places
from deficits.explorer.field import (
    Field,
    SlideField,
    YearField,
    button,
    checkbox,
    choice,
    column,
    combobox,
    html,
    text,
)
from deficits.explorer.files import USUAL, scenario_files, scenario_path
from deficits.explorer.report import Wanted, make, wanted
from deficits.explorer.state import ENGLAND, SIZES, Pick, State
from deficits.explorer.view import View, view
from deficits.formatting import financial_year, year_end
from deficits.panel import load_panel
from deficits.paths import reports_dir
from deficits.projection import Projection, lever_names
from deficits.projection.fit import base_year
from deficits.projection.projection import LAST_HORIZON, UNTIL
from deficits.reports import REPORTS
from deficits.reports.parameters import USUAL as USUAL_SCHEME
from deficits.scenario import Scenario
from deficits.writeoff import Scheme, WriteOff, scheme_names

FOLDER = "DEFICITS_EXPLORER_FOLDER"
"""Environment variable with the folder that scenarios are saved in, where it is not the current one."""
BEAT = 2.0
"""Seconds between signs of life; panel.js gives up after five of them."""


class Explorer:
    """A panel to move assumptions, levers and a write-off, and see at once what they do, on the same draws.

    `place`: England, a region or a council. `scenario`: one to begin with, or its file. `folder`: where scenarios
    are saved; the current folder unless given. As the last line of a cell it is the panel; `state`, `view`,
    `scenario`, `projection` and `result` are what it shows at that moment.

    Raises DeficitsError for a place, date or scenario that the package refuses.
    """

    def __init__(
        self,
        place: str = ENGLAND,
        *,
        as_of: str | None = None,
        until: int = UNTIL,
        scenario: Scenario | str | Path | None = None,
        folder: str | Path | None = None,
        draws: int = 4000,
        seed: int = 1,
    ) -> None:
        self._engine = Engine()
        state = State(place=place, as_of=as_of, until=until, draws=draws, seed=seed)
        if scenario is not None:
            state = state.opened(scenario if isinstance(scenario, Scenario) else Scenario.read(scenario))
        self.folder = Path(folder or os.environ.get(FOLDER) or Path.cwd())
        self._state, self._view = state, view(state, self._engine)
        self._running: threading.Thread | None = None
        self._untouched, self._offered = True, 0.0
        self._asked_to_replace: Path | None = None
        self._build()
        self._fill()
        self._show()
        self._offer_last()

    @property
    def state(self) -> State:
        """What the controls are set to; the last one that could be worked out."""
        return self._state

    @property
    def view(self) -> View:
        """What is shown: headline, quantiles, figure."""
        return self._view

    @property
    def scenario(self) -> Scenario:
        """Assumptions, levers and schemes, as they would be saved."""
        return self._state.scenario

    @property
    def projection(self) -> Projection:
        """The projection that is shown, without the scheme."""
        return self._engine.shown(self._state).projection

    @property
    def result(self) -> WriteOff | None:
        """The scheme applied to it; None without one."""
        return self._engine.shown(self._state).result

    def __repr__(self) -> str:
        return f"Explorer: {self._view.headline}"

    def _ipython_display_(self) -> None:
        show: Any = display
        # Where there are no widgets the headline stands, and not the names of a hundred of them.
        show({**self.box._repr_mimebundle_(), "text/plain": repr(self)}, raw=True)
        threading.Thread(target=self._beat, daemon=True).start()
        # What ipywidgets leaves out: names of slider handles, errors tied to their controls, live regions.
        script: Any = Javascript
        show(script(_file("panel.js")))

    def _beat(self) -> None:
        """Tell the page that this process lives: it says so when it no longer does.

        A process may have been started before anybody came, so what was kept is looked for until something moves.
        """
        for beat in itertools.count():
            self._pulse.value = f"<i>{beat}</i>"
            if self._untouched:
                self._offer_last()
            time.sleep(BEAT)

    # Building

    def _told(self, name: str, change: Change) -> Callable[[Any], None]:
        return lambda value: self._try(name, lambda state: change(state, value))

    def _field(self, name: str, control: widgets.DOMWidget, change: Change) -> None:
        self.fields[name] = Field(control, self._told(name, change))

    def _slide(self, name: str, slide: Slide, start: float, change: Change) -> None:
        self.fields[name] = SlideField(slide, start, self._told(name, change))

    def _years(
        self, name: str, label: str, words: Callable[[int], str], years: range, start: int, change: Change
    ) -> None:
        self.fields[name] = YearField(label, words, years, start, self._told(name, change))

    def _build(self) -> None:
        self.fields: dict[str, Field] = {}
        panel = load_panel(self._state.as_of)
        ahead = range(base_year(panel) + 1, LAST_HORIZON + 1)
        known = places(panel)
        self._field("place", combobox("England, region or council", known, "Type a name"), changes.place)
        self._field("as_of", text("Known by (date)", placeholder="all that is published"), changes.as_of)
        self._years("until", "Look ahead to", year_end, ahead, self._state.until, changes.until)
        self._assumptions()
        self._levers()
        self._schemes(range(ahead[0] - 1, LAST_HORIZON + 1))
        self._files()
        tabs = widgets.Tab(
            [
                column(self._named(*self._assumption_order), "deficits-pane"),
                column(self._named(*self._lever_order), "deficits-pane"),
                column([*self._named("scheme"), self._terms, *self._named(*self._scheme_order)], "deficits-pane"),
                column([*self._named("file"), *self._file_parts], "deficits-pane"),
            ],
            titles=["Assumptions", "Levers", "Write-off", "Files"],
        )
        self._tabs = tabs
        self._last = column([], "deficits-last")
        reset = button("Back to the baseline", self._reset)
        controls = column(
            [self._last, *self._named("place"), self._row("as_of", "until"), tabs, reset], "deficits-controls"
        )
        self._headline, self._figure = html("deficits-headline"), html("deficits-figure")
        self._table, self._notes = html("deficits-table"), html("deficits-notes")
        self._code = widgets.Textarea(description="The same in Python", rows=8)
        self._code.add_class("deficits-code")
        self._field("compare", checkbox("Compare with the baseline"), changes.compare)
        self.fields["numbers"] = Field(checkbox("Show the numbers as a table"), lambda _: self._show_table())
        shown = column(
            [
                self._headline,
                self._figure,
                self._row("compare", "numbers"),
                self._table,
                self._notes,
                self._code,
            ],
            "deficits-shown",
        )
        style = widgets.HTML(f"<style>{_file('panel.css')}</style>", layout={"display": "none"})
        self._pulse = widgets.HTML(layout={"display": "none"})
        self._pulse.add_class("deficits-pulse")
        self.box = widgets.Box([style, self._pulse, controls, shown])
        self.box.add_class("deficits-explorer")

    def _named(self, *names: str) -> list[Field]:
        return [self.fields[name] for name in names]

    def _row(self, *names: str) -> widgets.HBox:
        row = widgets.HBox([self.fields[name].box for name in names])
        row.add_class("deficits-row")
        return row

    def _assumptions(self) -> None:
        self._assumption_order: list[str] = []
        for name, slide in ASSUMPTIONS.items():
            if name in OPTIONAL:
                label, start = OPTIONAL[name]
                self._field(f"set_{name}", checkbox(label), changes.assumption_set(name, start))
                self._assumption_order.append(f"set_{name}")
            self._slide(name, slide, default_of(name), changes.assumption(name))
            self._assumption_order.append(name)
        paid = choice("Safety valve instalments still paid", list(SAFETY_VALVE_PAYMENTS.items()), "until_2026")
        self._field("safety_valve_payments", paid, changes.assumption("safety_valve_payments"))
        self._field("calibration", checkbox("Hold to the newest national figure"), changes.anchored)
        self._assumption_order += ["safety_valve_payments", "calibration"]

    def _levers(self) -> None:
        self._lever_order: list[str] = []
        for name in lever_names():
            lever, slide = Pick(name).lever(), lever_slide(name)
            self._field(name, checkbox(lever.title), changes.lever_on(name))
            start = float(getattr(lever, slide.name))
            self._slide(f"{name}.size", slide, start, changes.lever_size(name, slide.name))
            self._lever_order += [name, f"{name}.size"]

    def _schemes(self, years: range) -> None:
        usual = Scheme.read(USUAL_SCHEME)
        self._field("scheme", choice("Scheme", _scheme_options(None), None), changes.scheme)
        self._terms = html("deficits-terms")
        self._slide("share", SCHEME["share"], assumed("write_offs", "grant_share").number, changes.share)
        self._years("base_year", "Deficit of", year_end, years, usual.base_year, changes.base_year)
        self._years("paid_in", "Paid in", financial_year, years, usual.paid_in, changes.paid_in)
        self._slide("budget", SCHEME["budget"], 0.0, changes.budget)
        self._scheme_order = ["share", "base_year", "paid_in", "budget"]

    def _files(self) -> None:
        self.fields["file"] = Field(combobox("Scenario file", []))
        self.fields["file"].set(USUAL)
        row = widgets.HBox([button("Save scenario", self.save, "primary"), button("Open scenario", self.open)])
        row.add_class("deficits-buttons")
        self._report_button = button("Render this as a report", self.report)
        self._report_line, self._report_note = html("deficits-line"), html("deficits-terms")
        where = html(value=page.remark(f"In {self.folder}"))
        self._file_parts = [row, where, self._report_note, self._report_button, self._report_line]

    # From a control to the figure

    def _try(self, name: str, change: Callable[[State], State]) -> None:
        """Change the state if it can be worked out; otherwise say why beneath the control, and keep it."""
        field = self.fields[name]
        if name in ("as_of", "until"):
            field.say("Working…")
        try:
            state = change(self._state)
            shown = view(state, self._engine)
        except DeficitsError as error:
            field.say(str(error), error=True)
            return
        field.say("")
        self._take(state, shown)

    def _take(self, state: State, shown: View) -> None:
        state = replace(state, place=shown.place)
        before, self._state, self._view = self._state, state, shown
        self._untouched = False
        self._last.children = ()
        # Its name in full; and what was saved or opened is no longer what is shown.
        if not self.fields["place"].error:
            self.fields["place"].set(state.place)
        self.fields["file"].say("")
        self._show()
        if (before.levers, before.scheme, before.assumptions, before.as_of) != (
            state.levers,
            state.scheme,
            state.assumptions,
            state.as_of,
        ):
            self._show_and_hide()
        session.keep(state)

    def _show(self) -> None:
        """Headline and figure first: they are what is waited for."""
        shown, state = self._view, self._state
        self._headline.value, self._figure.value = page.headline(shown), page.figure(shown)
        self._show_table()
        area = self._engine.shown(state).area
        self._code.value = code(state, area)
        self._code.rows = max(8, self._code.value.count("\n") + 2)
        self._say_report(wanted(state, area))
        self._notes.value = page.notes([*(f"Also in the scenario: {note}." for note in state.notes), *shown.notes])

    def _show_table(self) -> None:
        self._table.value = page.numbers(self._view) if self.fields["numbers"].value else ""

    def _say_report(self, asked: Wanted) -> None:
        told = f"The report nearest to this is “{REPORTS[asked.name].title}”."
        if asked.left_out:
            told += f" It leaves out: {'; '.join(asked.left_out)}."
        self._report_note.value = f"<p>{escape(told)}</p>"

    # Filling the controls from a state

    def _fill(self) -> None:
        state = self._state
        self.fields["place"].set(self._view.place)
        self.fields["as_of"].set(state.as_of or "")
        self.fields["until"].set(state.until)
        for name in ASSUMPTIONS:
            value = getattr(state.assumptions, name)
            if name in OPTIONAL:
                self.fields[f"set_{name}"].set(value is not None)
            self.fields[name].set(float(value) if isinstance(value, float | int) else default_of(name))
        self.fields["safety_valve_payments"].set(state.assumptions.safety_valve_payments)
        self.fields["calibration"].set(state.assumptions.calibration == "newest")
        for name in lever_names():
            pick = state.picked(name)
            lever = (pick or Pick(name)).lever()
            self.fields[name].set(pick is not None)
            self.fields[f"{name}.size"].set(float(getattr(lever, SIZES[lever.kind])))
        self.fields["compare"].set(state.compare)
        self._list_files()
        self._show_and_hide()

    def _show_and_hide(self) -> None:
        """Sliders of what is on; the scheme's own parameters as they now are."""
        state = self._state
        for name in OPTIONAL:
            value = getattr(state.assumptions, name)
            self.fields[name].hide(value is None)
            if isinstance(value, float):
                self.fields[name].set(value)
        for name in lever_names():
            self.fields[f"{name}.size"].hide(state.picked(name) is None)
        scheme = state.scheme.scheme() if state.scheme else None
        self.fields["scheme"].options(_scheme_options(state.scheme), state.scheme and state.scheme.name)
        for name in self._scheme_order:
            self.fields[name].hide(scheme is None)
        if scheme is None:
            self._terms.value = "<p>No write-off. Choose a scheme to pay off part of the deficits.</p>"
            return
        self._terms.value = f"<p>{escape(scheme.terms())}.</p>"
        flat = isinstance(scheme.share, float)
        self.fields["share"].hide(not flat)
        if flat:
            self.fields["share"].set(scheme.share)
        self.fields["base_year"].set(scheme.base_year)
        self.fields["paid_in"].set(scheme.paid_in)
        self.fields["budget"].set(scheme.budget.pounds if scheme.budget else 0.0)

    def _reset(self) -> None:
        state = replace(
            State(place=self._state.place, as_of=self._state.as_of, until=self._state.until),
            draws=self._state.draws,
            seed=self._state.seed,
            compare=self._state.compare,
        )
        self._take(state, view(state, self._engine))
        self._fill()

    # Files

    def _list_files(self) -> None:
        self.fields["file"].control.options = scenario_files(self.folder)

    def save(self) -> None:
        """Save the scenario under the name in the panel. A file that is there is replaced at the second asking."""
        field = self.fields["file"]
        try:
            path = scenario_path(self.folder, field.value)
            if path.exists() and path != self._asked_to_replace:
                self._asked_to_replace = path
                field.say(f"{path.name} is there already: press Save scenario again to replace it.", error=True)
                return
            self.scenario.save(path)
        except (DeficitsError, OSError) as error:
            field.say(str(error), error=True)
            return
        self._asked_to_replace = path
        field.say(f"Saved as {path}")
        self._list_files()

    def open(self) -> None:
        """Open the scenario file named in the panel; what is wrong with it is told, and the state stays."""
        field = self.fields["file"]
        try:
            path = scenario_path(self.folder, field.value)
            state = self._state.opened(Scenario.read(path))
            shown = view(state, self._engine)
        except DeficitsError as error:
            field.say(str(error), error=True)
            return
        self._take(state, shown)
        self._fill()
        self._asked_to_replace = path
        unseen = f". What no control shows: {'; '.join(state.notes)}" if state.notes else ""
        field.say(f"Opened {path.name}{unseen}")

    def _offer_last(self) -> None:
        """Offer the state that was kept, if it is not the usual one: a process that ended took nothing with it."""
        when = session.kept_on()
        if when == self._offered:
            return
        self._offered = when
        last = session.kept(self._state)
        if last is None or last.is_baseline or not self._state.is_baseline:
            return
        told = html(value=page.remark(f"Your last scenario is kept: {last.scenario.called}, for {last.place}"))

        def go_on() -> None:
            try:
                self._take(last, view(last, self._engine))
            except DeficitsError as error:
                told.value = page.error(str(error))
                return
            self._fill()

        self._last.children = (told, button("Go on with it", go_on))

    # The report

    def report(self) -> None:
        """Make the report nearest to what is shown, beside the panel: it goes on working meanwhile."""
        if self._running is not None and self._running.is_alive():
            return
        asked = wanted(self._state, self._engine.shown(self._state).area)
        self._report_button.disabled = True
        self._report_line.value = page.remark("Making the report…", "status")
        self._running = threading.Thread(target=self._report, args=(asked, reports_dir()), daemon=True)
        self._running.start()

    def _report(self, asked: Wanted, folder: Path) -> None:
        try:
            # Its path and no link: a browser opens no file for a page that came from a server.
            said = page.remark(f"The page is {make(asked, folder)}", "status")
        except DeficitsError as error:
            said = page.error(str(error))
        except Exception as error:  # told in the panel: nobody sees a thread's traceback
            said = page.error(f"The report failed: {error!r}")
        self._report_line.value = said
        self._report_button.disabled = False


def _scheme_options(pick: Pick | None) -> list[tuple[str, str | None]]:
    options: list[tuple[str, str | None]] = [("None", None)]
    options += [(name.replace("-", " ").capitalize(), name) for name in scheme_names()]
    if pick is not None and pick.name not in dict(map(reversed, options)):  # type: ignore[arg-type]
        options.append((f"{pick.name} (from the file)", pick.name))
    return options


def _file(name: str) -> str:
    return files("deficits.explorer").joinpath(name).read_text(encoding="utf-8")
