"""The panel in JupyterLab and in the browser: controls over a state, and what is shown of it."""

from __future__ import annotations

import base64
import itertools
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from IPython.display import Javascript, display

from deficits.assumptions import PROGRAMME_ENDED
from deficits.errors import DeficitsError, ProjectionError
from deficits.explorer.report import make, wanted
from deficits.explorer.state import ENGLAND, SIZES, State, shipped_lever
from deficits.explorer.views import Engine, View, places, view
from deficits.formatting import financial_year, year_end
from deficits.panel import load_panel
from deficits.paths import reports_dir, write_whole
from deficits.projection import lever_names
from deficits.projection.projection import LAST_HORIZON, UNTIL
from deficits.scenario import Scenario
from deficits.writeoff import Scheme, schemes

FOLDER = "DEFICITS_EXPLORER_FOLDER"
"""Environment variable: the folder of scenario files, where it is not the current one."""
STATE = "DEFICITS_EXPLORER_STATE"
"""Environment variable: the folder of the scenario that is kept as it changes (~/.local/state/deficits)."""
PLACE = "DEFICITS_EXPLORER_PLACE"
"""Environment variable: the place to begin with, which `deficits explore PLACE` sets."""
BEAT = 2.0
"""Seconds between signs of life; panel.js says that the process has ended after five of them."""
BASELINE, NOTHING = "the baseline", "nothing"
WIDE = {"description_width": "initial"}
SLIDERS = (
    ("plan_growth", "Growth of plans, % a year", -5, 20, 0.5, 0.08),
    ("unit_cost_growth", "Growth of cost per plan, % a year", -5, 15, 0.5, 0.04),
    ("later_block_growth", "Later growth of the block, % a year", -2, 15, 0.5, None),
    ("growth_persistence", "Growth that persists, % a year later", 0, 100, 5, None),
    ("financing_rate", "Interest on deficits, % a year", 0, 12, 0.05, None),
)
"""Assumption, label, range and step of its slider in %, and where it starts when the model does not set it."""
SIZE_LABELS = {
    "threshold": "Threshold in the first year, £",
    "fewer": "Points a year that plans grow less",
    "moved": "Placements that move, % a year",
    "weight": "Share of the block shared out anew, %",
    "paid": "Joint cost that health pays, %",
    "growth": "Points a year that the block grows more",
}
Shows = Callable[[Any], Any]
Sets = Callable[[State, Any], State]
Options = list[tuple[str, Any]]


@dataclass
class Control:
    """A labelled widget, what it shows of a state, what its value makes of one, and when it is there."""

    widget: Any
    shows: Shows
    sets: Sets
    there: Shows = bool  # every state is true
    line: Any = field(default_factory=lambda: _html("deficits-line"))

    def __post_init__(self) -> None:
        self.widget.layout.width, self.widget.style = "auto", WIDE
        self.box = widgets.VBox([self.widget, self.line])
        self.box.add_class("deficits-field")

    def show(self, state: State) -> None:
        """Show the state's value; one that a file brought from outside a slider's range widens it."""
        value = self.shows(state)
        self.box.layout.display = None if self.there(state) else "none"
        if value is None and not isinstance(self.widget, widgets.Dropdown):
            return
        if isinstance(self.widget, widgets.FloatSlider):
            self.widget.min, self.widget.max = min(self.widget.min, value), max(self.widget.max, value)
        if isinstance(self.widget, widgets.Dropdown) and value not in dict(self.widget.options).values():
            self.widget.options = [*self.widget.options, (f"{value} (from the file)", value)]
        self.widget.value = value

    def say(self, text: str, error: bool = False) -> None:
        """Put a remark or an error beneath the control; an empty text takes it off."""
        self.line.value = _line(text, error)

    @property
    def error(self) -> str:
        """The error beneath the control; empty where there is none."""
        return str(self.line.value) if "deficits-error" in self.line.value else ""


class Explorer:
    """A panel to move assumptions, levers and a write-off, and see at once what they do, on the same simulations.

    `place`: England, a region or a council. `scenario`: one to begin with, or its file. `folder`: where scenarios
    are saved; the current folder unless given. As the last line of a cell it is the panel; `state`, `view` and
    `scenario` are what it shows at that moment.

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
        self.folder = Path(folder or os.environ.get(FOLDER) or Path.cwd()).resolve()
        self._engine, self._filling = Engine(), False
        state = State(place=os.environ.get(PLACE) or place, as_of=as_of, until=until, draws=draws, seed=seed)
        if scenario is not None:
            state = state.opened(scenario if isinstance(scenario, Scenario) else Scenario.read(scenario))
        self.state, self.view = state, view(state, self._engine)
        self._replacing: str | None = None
        self._making: threading.Thread | None = None
        self._offered = 0
        self.controls: dict[str, Control] = {}
        self._build()
        self._show()
        self._offer_last()

    @property
    def scenario(self) -> Scenario:
        """Assumptions, levers and schemes, as they would be saved."""
        return self.state.scenario

    def __repr__(self) -> str:
        return f"Explorer: {self.view.headline}"

    def _ipython_display_(self) -> None:
        show: Any = display
        # Where there are no widgets the headline stands, and not the names of a hundred of them.
        show({**self.box._repr_mimebundle_(), "text/plain": repr(self)}, raw=True)
        threading.Thread(target=self._beat, daemon=True).start()
        script: Any = Javascript
        show(script(_file("panel.js")))

    def _beat(self) -> None:
        for beat in itertools.count():
            self._pulse.value = f"<i>{beat}</i>"
            self._offer_last()
            time.sleep(BEAT)

    # Controls

    def _add(self, name: str, widget: Any, shows: Shows, sets: Sets, there: Shows = bool) -> None:
        self.controls[name] = Control(widget, shows, sets, there)
        widget.observe(lambda change: self._moved(name, change["new"]), names="value")

    def _build(self) -> None:
        first = self.view.projection.base_year
        known, years = places(load_panel(self.state.as_of)), range(first, LAST_HORIZON + 1)
        ends = [(year_end(year), year) for year in years]

        def moved(name: str) -> Sets:
            return lambda state, value: replace(state, **{name: value})

        place = widgets.Combobox(options=known, description="England, region or council", continuous_update=False)
        self._add("place", place, lambda state: state.place, moved("place"))
        day = widgets.Text(description="Known by (date)", placeholder="all published", continuous_update=False)
        self._add(
            "as_of",
            day,
            lambda state: state.as_of or "",
            lambda state, day: moved("as_of")(state, day.strip() or None),
        )
        self._add("until", _choice("Look ahead to", ends[1:]), lambda state: state.until, moved("until"))
        self._assumptions()
        for name in lever_names():
            self._lever(name)
        self._scheme(ends, [(financial_year(year), year) for year in years])
        other = _choice("Compare with", self._others())
        self._add("other", other, lambda state: state.other_name if state.other else NOTHING, self._compared)
        file = widgets.Combobox(options=self._files(), value="scenario.yaml", description="Scenario file")
        self.controls["file"] = Control(file, lambda state: None, lambda state, value: state)
        self._lay_out()

    def _assumptions(self) -> None:
        for name, label, low, high, step, start in SLIDERS:

            def value(state: State, name: str = name) -> Any:
                return getattr(state.scenario.assumptions, name)

            def sets(state: State, value: float, name: str = name) -> State:
                return state.with_assumption(name, value / 100)

            def is_set(state: State, value: Shows = value) -> bool:
                return value(state) is not None

            def set_or_not(state: State, on: bool, name: str = name, start: float | None = start) -> State:
                return state.with_assumption(name, start if on else None)

            if start is not None:  # the model works it out, unless it is set
                self._add(f"set_{name}", _tick(f"Set: {label.lower()}"), is_set, set_or_not)
            shown = lambda state, value=value: _percent(value(state))  # noqa: E731
            self._add(name, _slider(label, low, high, step), shown, sets, is_set)
        paid = [(f"Those due by {year_end(int(PROGRAMME_ENDED.number))}", "until_2026")]
        paid += [("All that were agreed", "as_agreed"), ("None", "none")]
        self._add(
            "safety_valve_payments",
            _choice("Safety valve payments to come", paid),
            lambda state: state.scenario.assumptions.safety_valve_payments,
            lambda state, value: state.with_assumption("safety_valve_payments", value),
        )
        self._add(
            "calibration",
            _tick("Calibrate to the newest national figure"),
            lambda state: state.scenario.assumptions.calibration == "newest",
            lambda state, value: state.with_assumption("calibration", "newest" if value else "none"),
        )

    def _lever(self, name: str) -> None:
        shipped = shipped_lever(name)
        size, low, high = SIZES[shipped.kind]
        scale = 1 if size == "threshold" else 100

        def is_on(state: State) -> bool:
            return state.lever(name) is not None

        self._add(
            name,
            _tick(shipped.title),
            is_on,
            lambda state, on: state.with_lever(name, shipped.central(size) if on else None),
        )
        self._add(
            f"{name}.size",
            _slider(f"{SIZE_LABELS[size]}", scale * low, scale * high, 100 if scale == 1 else 0.5),
            lambda state: scale * (state.lever(name) or shipped).central(size),
            lambda state, value: state.with_lever(name, float(f"{value / scale:.12g}")),
            is_on,
        )

    def _scheme(self, ends: Options, years: Options) -> None:
        named: Options = [("None", None)]
        named += [(title, name) for name, title in schemes()["title"].items()]
        self._add(
            "scheme",
            _choice("Scheme", named),
            lambda state: state.declared["schemes"][0].get("name", state.scheme.title) if state.scheme else None,
            lambda state, value: state.with_scheme(value),
        )

        def term(name: str, widget: Any, sets: Callable[[Scheme, Any], dict[str, Any]], shows: Shows) -> None:
            self._add(
                name,
                widget,
                lambda state: shows(state.scheme) if state.scheme else None,
                lambda state, value: state.with_terms(**sets(state.scheme, value)) if state.scheme else state,
                lambda state: state.scheme is not None and shows(state.scheme) is not None,
            )

        term(
            "share",
            _slider("Share paid, %", 0, 100, 5),
            lambda _, value: {"share": value / 100},
            lambda scheme: _percent(scheme.share),
        )
        term(
            "base_year",
            _choice("Deficit of", ends),
            # The payment moves along with it.
            lambda scheme, year: {"base_year": year, "paid_in": year + scheme.paid_in - scheme.base_year},
            lambda scheme: scheme.base_year,
        )
        term(
            "paid_in", _choice("Paid in", years), lambda _, year: {"paid_in": year}, lambda scheme: scheme.paid_in
        )
        term(
            "budget",
            _slider("National limit, £bn (0: none)", 0, 20, 0.25),
            lambda _, value: {"budget": {"pounds": value * 1e9} if value else None},
            lambda scheme: scheme.budget.pounds / 1e9 if scheme.budget else 0.0,
        )

    def _compared(self, state: State, value: str) -> State:
        if value == NOTHING:
            return replace(state, other=None)
        if value == BASELINE:
            return replace(state, other=Scenario(), other_name=BASELINE)
        if value == "what is set now":
            return replace(state, other=state.scenario, other_name=f"{state.scenario.called} (held)")
        return replace(state, other=Scenario.read(self._path(value)), other_name=value)

    def _others(self) -> list[tuple[str, str]]:
        return [(name, name) for name in (BASELINE, NOTHING, "what is set now", *self._files())]

    # From a control to the figure

    def _moved(self, name: str, value: Any) -> None:
        """Change the state if it can be worked out; otherwise say why beneath the control, and keep it."""
        if self._filling:
            return
        control = self.controls[name]
        control.say("Working…" if name in ("as_of", "until") else "")
        try:
            state = control.sets(self.state, value)
            shown = view(state, self._engine)
        except DeficitsError as error:
            control.say(str(error), error=True)
            return
        control.say("")
        self._take(state if state.place == shown.area.name else replace(state, place=shown.area.name), shown)

    def _take(self, state: State, shown: View) -> None:
        self.state, self.view = state, shown
        self._last.children = ()
        self._show()
        # Without a folder that can be written to, the panel does without.
        with suppress(OSError, DeficitsError):
            _kept_at().parent.mkdir(parents=True, exist_ok=True)
            write_whole(_kept_at(), state.file_text)

    def _show(self) -> None:
        """Headline and figure first: they are what is waited for."""
        shown, state = self.view, self.state
        points, wide = "".join(f"<li>{escape(point)}</li>" for point in shown.points), shown.svg()
        self._headline.value = (
            f'<p class="deficits-lead">{escape(shown.lead)}</p>'
            f'<p class="deficits-meaning">{escape(shown.meaning)}</p><ul>{points}</ul>'
        )
        self._figure.value = (
            f'<div class="deficits-wide">{wide}</div><div class="deficits-narrow">{shown.svg(372)}</div>'
            f"<p>{_download(shown, wide)}</p>"
        )
        self._table.value = shown.table()
        self._code.value = shown.area.code(state)
        self._code.rows = self._code.value.count("\n") + 2
        notes = [*shown.projection.warnings_on(shown.area.name), *(shown.result.warnings if shown.result else ())]
        self._notes.value = "".join(f"<li>{escape(note)}</li>" for note in [*state.scenario.lines(), *notes])
        self._terms.value = _line(f"{state.scheme.terms()}." if state.scheme else "No write-off.")
        self._report_note.value = _line(wanted(state, shown.area).told)
        self._filling = True
        try:
            for control in self.controls.values():
                if not control.error:
                    control.show(state)
        finally:
            self._filling = False

    def reset(self) -> None:
        """Back to the baseline; place, dates and simulations stay."""
        state = replace(self.state, scenario=Scenario())
        self._take(state, view(state, self._engine))

    # Files

    def _path(self, said: str) -> Path:
        """The scenario file meant: a name within the folder, .yaml unless it says .yml. ProjectionError else."""
        name = said.strip() or "scenario.yaml"
        name = name if name.lower().endswith((".yaml", ".yml")) else f"{name}.yaml"
        plain = (
            name.isprintable()
            and not name.startswith(".")
            and Path(name).name == name
            and "\\" not in name
            and len(name) <= 100
        )
        if not plain or (self.folder / name).is_symlink():
            raise ProjectionError(
                f"'{said[:60]}' is not the name of a file in {self.folder}: give a name without a folder"
            )
        return self.folder / name

    def _files(self) -> list[str]:
        with suppress(OSError):
            return sorted(path.name for path in self.folder.iterdir() if path.suffix.lower() in (".yaml", ".yml"))
        return []

    def save(self) -> None:
        """Save the scenario under the name in the panel; another's file is replaced at the second asking."""
        control = self.controls["file"]
        try:
            path = self._path(control.widget.value)
            if path.exists():
                Scenario.read(path)  # what is not a scenario is not replaced
                if self._replacing != path.name:
                    self._replacing = path.name
                    control.say(
                        f"{path.name} is there already: press Save scenario again to replace it.", error=True
                    )
                    return
            write_whole(path, self.state.file_text)
        except (DeficitsError, OSError) as error:
            control.say(str(error), error=True)
            return
        self._replacing = path.name
        control.say(f"Saved as {path.name}")
        control.widget.options = self._files()
        self._filling = True
        self.controls["other"].widget.options = self._others()
        self._filling = False
        self.controls["other"].show(self.state)

    def open(self) -> None:
        """Open the scenario file named in the panel; what is wrong with it is told, and the state stays."""
        control = self.controls["file"]
        try:
            path = self._path(control.widget.value)
            state = self.state.opened(Scenario.read(path))
            shown = view(state, self._engine)
        except DeficitsError as error:
            control.say(str(error), error=True)
            return
        control.say(f"Opened {path.name}")
        self._take(state, shown)

    def _offer_last(self) -> None:
        """Offer what was kept, if it is not the usual: a process that ended took nothing with it.

        Looked at again while the panel is as it began: voila starts a kernel long before it shows it.
        """
        with suppress(DeficitsError, OSError):
            kept = _kept_at().stat().st_mtime_ns
            if kept == self._offered:
                return
            self._offered = kept
            last = self.state.opened(Scenario.read(_kept_at()))
            if not last.is_baseline and self.state.is_baseline:
                told = _html(value=_line(f"Your last scenario is kept: {last.scenario.called}, for {last.place}"))
                self._last.children = (told, _button("Go on with it", lambda: self._go_on(last)))

    def _go_on(self, last: State) -> None:
        try:
            self._take(last, view(last, self._engine))
        except DeficitsError as error:
            self._last.children = (_html(value=_line(str(error), error=True)),)

    # The report

    def report(self) -> None:
        """Make the report nearest to what is shown; the panel goes on working meanwhile."""
        if self._making is not None and self._making.is_alive():
            return
        self._report_line.value = _line("Making the report…")
        self._making = threading.Thread(target=self._make, daemon=True)
        self._making.start()

    def _make(self) -> None:
        try:
            said = _line(f"The page is {make(wanted(self.state, self.view.area), reports_dir())}")
        except Exception as error:  # told in the panel: nobody sees a thread's traceback
            said = _line(f"The report failed: {error}", error=True)
        self._report_line.value = said

    def _lay_out(self) -> None:
        def boxes(*names: str) -> list[Any]:
            return [self.controls[name].box for name in names]

        self._last, self._pulse = widgets.VBox(), _html("deficits-pulse")
        self._headline, self._figure, self._table = (
            _html(f"deficits-{name}") for name in ("headline", "figure", "table")
        )
        self._terms, self._notes = _html("deficits-terms"), _html("deficits-notes")
        self._report_note, self._report_line = _html("deficits-line"), _html("deficits-line")
        self._code = widgets.Textarea(description="The same in Python", disabled=True)
        self._code.add_class("deficits-code")
        levers = [name for lever in lever_names() for name in (lever, f"{lever}.size")]
        names = list(self.controls)
        file_row = widgets.HBox([_button("Save scenario", self.save), _button("Open scenario", self.open)])
        tabs = widgets.Tab(
            [
                widgets.VBox(boxes(*names[names.index("set_plan_growth") : names.index(levers[0])])),
                widgets.VBox(boxes(*levers)),
                widgets.VBox([*boxes("scheme"), self._terms, *boxes("share", "base_year", "paid_in", "budget")]),
                widgets.VBox(
                    [
                        *boxes("file"),
                        file_row,
                        self._report_note,
                        _button("Render this as a report", self.report),
                        self._report_line,
                    ]
                ),
            ],
            titles=["Assumptions", "Levers", "Write-off", "Files"],
        )
        controls = widgets.VBox(
            [self._last, *boxes("place", "as_of", "until"), tabs, _button("Back to the baseline", self.reset)]
        )
        shown = widgets.VBox(
            [
                self._headline,
                self._figure,
                *boxes("other"),
                _folded("The numbers as a table", self._table),
                _folded("Notes", self._notes),
                self._code,
                _html(value='<button class="deficits-copy">Copy the Python</button>'),
            ]
        )
        controls.add_class("deficits-controls")
        shown.add_class("deficits-shown")
        self._pulse.layout.display = "none"
        style = widgets.HTML(f"<style>{_file('panel.css')}</style>", layout={"display": "none"})
        self.box = widgets.Box([style, self._pulse, controls, shown])
        self.box.add_class("deficits-explorer")


def _percent(value: Any) -> float | None:
    return round(100 * value, 8) if isinstance(value, float | int) else None


def _slider(label: str, low: float, high: float, step: float) -> Any:
    return widgets.FloatSlider(
        value=low,
        min=low,
        max=high,
        step=step,
        description=label,
        continuous_update=False,
        readout_format=",.0f" if high > 1000 else ".2f" if step < 0.5 else ".1f",
    )


def _choice(label: str, options: Options) -> Any:
    return widgets.Dropdown(options=options, description=label)


def _tick(label: str) -> Any:
    return widgets.Checkbox(value=False, description=label, indent=False)


def _button(label: str, clicked: Callable[[], None]) -> Any:
    made = widgets.Button(description=label, layout={"width": "auto"})
    made.on_click(lambda _: clicked())
    return made


def _html(*classes: str, value: str = "") -> Any:
    made = widgets.HTML(value)
    for name in classes:
        made.add_class(name)
    return made


def _folded(title: str, child: Any) -> Any:
    return widgets.Accordion([child], titles=[title])


def _line(text: str, error: bool = False) -> str:
    look, role = ("deficits-error", "alert") if error else ("deficits-remark", "status")
    return f'<p class="{look}" role="{role}">{escape(text)}</p>'.replace("\n", "<br>") if text else ""


def _download(shown: View, svg: str) -> str:
    """Links to the figure's numbers and to the figure itself, carried in the page."""
    things = {"numbers.csv": ("text/csv", shown.quantiles.to_csv()), "figure.svg": ("image/svg+xml", svg)}
    return " ".join(
        f'<a download="{name}" href="data:{kind};base64,{base64.b64encode(text.encode()).decode()}">{name}</a>'
        for name, (kind, text) in things.items()
    )


def _kept_at() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(os.environ.get(STATE) or Path(home) / "deficits") / "explorer.yaml"


def _file(name: str) -> str:
    return files("deficits.explorer").joinpath(name).read_text(encoding="utf-8")
