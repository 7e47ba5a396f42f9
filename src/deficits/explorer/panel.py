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
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from IPython.display import Javascript, display

from deficits.assumptions import PROGRAMME_ENDED
from deficits.errors import DeficitsError, ProjectionError
from deficits.explorer.state import ENGLAND, EXAMPLE, SIZES, State, shipped_lever
from deficits.explorer.views import Engine, View, places, view
from deficits.formatting import MINUS, financial_year, year_end
from deficits.panel import load_panel
from deficits.paths import reports_dir, write_whole
from deficits.projection import lever_names
from deficits.projection.projection import LAST_HORIZON, UNTIL
from deficits.reports import render, write_index
from deficits.scenario import Scenario
from deficits.validation import read_text
from deficits.writeoff import schemes

FOLDER = "DEFICITS_EXPLORER_FOLDER"
"""Environment variable: the folder of scenario files, where it is not the current one."""
STATE = "DEFICITS_EXPLORER_STATE"
"""Environment variable: the folder of the scenario that is kept as it changes (~/.local/state/deficits)."""
PLACE = "DEFICITS_EXPLORER_PLACE"
"""Environment variable: the place to begin with, which `deficits explore PLACE` sets."""
BEAT = 2.0
"""Seconds between signs of life; panel.js says that the process has ended after five of them."""
BASELINE, NOTHING, HELD = "the baseline", "nothing", "what is set now"
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


@dataclass
class Control:
    """A labelled widget for a setting of the state: a tick goes between `on` and `off`, a slider shows the setting
    times `scale`. It is there where the setting has a value."""

    setting: str
    widget: Any
    scale: float = 1.0
    on: Any = None
    off: Any = None
    line: Any = field(default_factory=lambda: _html("deficits-line"))

    def __post_init__(self) -> None:
        self.widget.layout.width, self.widget.style = "auto", {"description_width": "initial"}
        self.box = widgets.VBox([self.widget, self.line])
        self.box.add_class("deficits-field")

    def show(self, state: State) -> None:
        """Show the state's value; one that a file brought from outside a slider's range or a list widens it."""
        value, widget = state.value(self.setting), self.widget
        options = dict(widget.options).values() if isinstance(widget, widgets.Dropdown) else ()
        if isinstance(widget, widgets.Checkbox):
            value = value != self.off
        elif isinstance(widget, widgets.FloatSlider):
            value = round(value * self.scale, 8) if isinstance(value, float | int) else None
        there = value is not None or None in options
        self.box.layout.display = None if there else "none"
        if not there:
            return
        if isinstance(widget, widgets.FloatSlider):
            widget.min, widget.max = min(widget.min, value), max(widget.max, value)
        if isinstance(widget, widgets.SelectMultiple):
            widget.options = state.actions.titles if state.actions else ()
            widget.rows = len(widget.options)
        if isinstance(widget, widgets.Dropdown) and value not in options:
            widget.options = [*widget.options, (f"{value} (from the file)", value)]
        widget.value = value

    def moved(self, state: State, value: Any) -> State:
        """The state with the widget's value."""
        if isinstance(self.widget, widgets.Checkbox):
            value = self.on if value else self.off
        elif isinstance(self.widget, widgets.FloatSlider):
            value = float(f"{value / self.scale:.12g}")
        return state.with_value(self.setting, value)

    def say(self, text: str, error: bool = False) -> None:
        """Put a remark or an error beneath the control; an empty text takes it off."""
        self.line.value = _line(text, error)

    @property
    def error(self) -> str:
        """The error beneath the control; empty where there is none."""
        return str(self.line.value) if "deficits-error" in self.line.value else ""


class Explorer:
    """A panel to move assumptions, levers, a write-off and a council's reform plan, and see at once what they do,
    on the same simulations.

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
        self.state = State(place=os.environ.get(PLACE) or place, as_of=as_of, until=until, draws=draws, seed=seed)
        if scenario is not None:
            self.state = self._opened(scenario if isinstance(scenario, Scenario) else Scenario.read(scenario))
        self.view = view(self.state, self._engine)
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

    def _add(self, controls: dict[str, Control]) -> list[Any]:
        for name, control in controls.items():
            control.widget.observe(partial(self._moved, name), names="value")
        self.controls |= controls
        return [control.box for control in controls.values()]

    def _build(self) -> None:
        known, years = (
            places(load_panel(self.state.as_of)),
            range(self.view.projection.base_year, LAST_HORIZON + 1),
        )
        ends = [(year_end(year), year) for year in years]
        place = widgets.Combobox(options=known, description="England, region or council", continuous_update=False)
        day = widgets.Text(description="Known by (date)", placeholder="all published", continuous_update=False)
        file = widgets.Combobox(options=self._files(), value="scenario.yaml", description="Scenario file")
        paid = [(f"Those due by {year_end(int(PROGRAMME_ENDED.number))}", "until_2026")]
        paid += [("All that were agreed", "as_agreed"), ("None", "none")]
        titles = [(title, name) for name, title in schemes()["title"].items()]
        until = _choice("Look ahead to", ends[1:])
        top = {"place": Control("place", place), "as_of": Control("as_of", day), "until": Control("until", until)}
        assumptions, levers = {}, {}
        for name, label, least, most, step, start in SLIDERS:
            setting = f"assumption.{name}"
            if start is not None:
                assumptions[f"set_{name}"] = Control(setting, _tick(f"Set: {label.lower()}"), on=start)
            assumptions[name] = Control(setting, _slider(label, least, most, step), scale=100)
        payments = Control("assumption.safety_valve_payments", _choice("Safety valve payments to come", paid))
        calibrate = _tick("Calibrate to the newest national figure")
        assumptions["safety_valve_payments"] = payments
        assumptions["calibration"] = Control("assumption.calibration", calibrate, on="newest", off="none")
        for name in lever_names():
            shipped = shipped_lever(name)
            size, low, high = SIZES[shipped.kind]
            scale, step = (1.0, 100.0) if size == "threshold" else (100, 0.5)
            slider = _slider(SIZE_LABELS[size], scale * low, scale * high, step)
            levers[name] = Control(f"lever.{name}", _tick(shipped.title), on=shipped.central(size))
            levers[f"{name}.size"] = Control(f"lever.{name}", slider, scale)
        scheme = {"scheme": Control("scheme", _choice("Scheme", [("None", None), *titles]))}
        terms = {
            "share": Control("term.share", _slider("Share paid, %", 0, 100, 5), 100),
            "base_year": Control("term.base_year", _choice("Deficit of", ends)),
            "paid_in": Control(
                "term.paid_in", _choice("Paid in", [(financial_year(year), year) for year in years])
            ),
            "budget": Control("term.budget", _slider("National limit, £bn (0: none)", 0, 20, 0.25), 1e-9),
        }
        other = {"other": Control("compared", _choice("Compare with", self._others()))}
        actions = widgets.SelectMultiple(description="Actions that apply (Ctrl or Cmd to choose several)")
        plan = {
            "plan": Control("plan_name", _choice("Actions of a council’s reform plan", self._plans())),
            "actions": Control("actions", actions),
        }

        parts = ("headline", "figure", "table", "terms", "notes", "pulse", "line", "page")
        made = [_html(f"deficits-{part}") for part in parts]
        self._headline, self._figure, self._table, self._terms, self._notes, self._pulse = made[:6]
        self._report_note, self._report_line = made[6:]
        self._last = widgets.VBox()
        self._code = widgets.Textarea(description="The same in Python", disabled=True)
        self._code.add_class("deficits-code")
        self.controls["file"] = Control("", file)
        tabs = {
            "Assumptions": self._add(assumptions),
            "Levers": self._add(levers),
            "Write-off": [*self._add(scheme), self._terms, *self._add(terms)],
            "Plan": self._add(plan),
            "Files": [
                self.controls["file"].box,
                widgets.HBox([_button("Save scenario", self.save), _button("Open scenario", self.open)]),
                self._report_note,
                _button("Render this as a report", self.report),
                self._report_line,
            ],
        }
        inside = widgets.Tab([widgets.VBox(boxes) for boxes in tabs.values()], titles=list(tabs))
        reset = _button("Back to the baseline", self.reset)
        controls = widgets.VBox([self._last, *self._add(top), inside, reset])
        numbers = widgets.Accordion([self._table], titles=["The numbers as a table"])
        notes = widgets.Accordion([self._notes], titles=["Notes"])
        copy = _html(value='<button class="deficits-copy">Copy the Python</button>')
        shown = widgets.VBox([self._headline, self._figure, *self._add(other), numbers, notes, self._code, copy])
        controls.add_class("deficits-controls")
        shown.add_class("deficits-shown")
        self._pulse.layout.display = "none"
        style = widgets.HTML(f"<style>{_file('panel.css')}</style>", layout={"display": "none"})
        self.box = widgets.Box([style, self._pulse, controls, shown])
        self.box.add_class("deficits-explorer")

    def _compared(self, name: str) -> State:
        if name == NOTHING:
            return replace(self.state, other=None)
        if name == HELD:
            return replace(self.state, other=self.scenario, other_name=f"{self.scenario.called} (held)")
        other = Scenario() if name == BASELINE else Scenario.read(self._path(name))
        return replace(self.state, other=other, other_name=name)

    def _planned(self, state: State, name: str, off: tuple[str, ...] = ()) -> State:
        known = {NOTHING: None, EXAMPLE: EXAMPLE}
        text = known[name] if name in known else read_text(self._path(name), name, ProjectionError)
        return replace(state, plan=text, plan_name=name, off=off)

    def _opened(self, scenario: Scenario) -> State:
        """The state with a scenario and all that the explorer showed when it saved it."""
        return self._planned(self.state.opened(scenario), scenario.plan or NOTHING, scenario.off)

    def _others(self) -> list[tuple[str, str]]:
        return [(name, name) for name in (BASELINE, NOTHING, HELD, *self._files())]

    def _plans(self) -> list[tuple[str, str]]:
        return [(name, name) for name in (NOTHING, EXAMPLE, *self._files())]

    # From a control to the figure

    def _moved(self, name: str, change: Any) -> None:
        """Change the state if it can be worked out; otherwise say why beneath the control, and keep it."""
        if self._filling:
            return
        control, value = self.controls[name], change["new"]
        control.say("Working…" if name in ("as_of", "until") else "")
        try:
            if name == "other":
                state = self._compared(value)
            else:
                moved = self._planned if name == "plan" else control.moved
                state = moved(self.state, value)
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
        points = points.replace(f"{MINUS}£", f"{MINUS}&NoBreak;£")  # a sign stays with its amount
        self._headline.value = (
            f'<p class="deficits-lead">{escape(shown.lead)}</p>'
            f'<p class="deficits-meaning">{escape(shown.meaning)}</p><ul>{points}</ul>'
        )
        self._figure.value = (
            f'<div class="deficits-wide">{wide}</div><div class="deficits-narrow">{shown.svg(372)}</div>'
            f"<p>{_carried('text/csv', 'numbers.csv', shown.quantiles.to_csv())} "
            f"{_carried('image/svg+xml', 'figure.svg', wide)}</p>"
        )
        self._table.value = shown.table()
        self._code.value = shown.code
        self._code.rows = self._code.value.count("\n") + 2
        notes = [*shown.projection.warnings_on(shown.area.name), *(shown.result.warnings if shown.result else ())]
        self._notes.value = "".join(f"<li>{escape(note)}</li>" for note in [*state.scenario.lines(), *notes])
        self._terms.value = _line(f"{state.scheme.terms()}." if state.scheme else "No write-off.")
        self._report_note.value = _line(shown.report[2])
        self._filling = True
        try:
            for control in self.controls.values():
                if control.setting and not control.error:
                    control.show(state)
        finally:
            self._filling = False

    def reset(self) -> None:
        """Back to the baseline; place, dates and simulations stay."""
        for control in self.controls.values():
            control.say("")
        state = replace(self.state, scenario=Scenario(), plan=None, plan_name=NOTHING, off=())
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
        file, other = self.controls["file"], self.controls["other"]
        try:
            path = self._path(file.widget.value)
            if path.exists():
                Scenario.read(path)  # what is not a scenario is not replaced
                if self._replacing != path.name:
                    self._replacing = path.name
                    raise ProjectionError(
                        f"{path.name} is there already: press Save scenario again to replace it."
                    )
            write_whole(path, self.state.file_text)
        except (DeficitsError, OSError) as error:
            file.say(str(error), error=True)
            return
        self._replacing = path.name
        file.say(f"Saved as {path.name}")
        self._filling = True
        file.widget.options, other.widget.options = self._files(), self._others()
        self.controls["plan"].widget.options = self._plans()
        self._filling = False
        self._show()

    def open(self) -> None:
        """Open the scenario file named in the panel; what is wrong with it is told, and the state stays."""
        file = self.controls["file"]
        try:
            path = self._path(file.widget.value)
            state = self._opened(Scenario.read(path))
            shown = view(state, self._engine)
        except DeficitsError as error:
            file.say(str(error), error=True)
            return
        file.say(f"Opened {path.name}")
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
            last = self._opened(Scenario.read(_kept_at()))
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
            name, values, _ = self.view.report
            page = render(name, values, reports_dir())
            write_index(reports_dir())
            link = _carried("text/html", page.name, page.read_text(encoding="utf-8"), "Open the page")
            said = f'<p class="deficits-remark" role="status">{link} <code>{escape(str(page))}</code></p>'
        except Exception as error:  # told in the panel: nobody sees a thread's traceback
            said = _line(f"The report failed: {error}", error=True)
        self._report_line.value = said


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


def _choice(label: str, options: list[tuple[str, Any]]) -> Any:
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


def _line(text: str, error: bool = False) -> str:
    look, role = ("deficits-error", "alert") if error else ("deficits-remark", "status")
    return f'<p class="{look}" role="{role}">{escape(text)}</p>'.replace("\n", "<br>") if text else ""


def _carried(kind: str, name: str, text: str, words: str = "") -> str:
    """A link to a file that the panel itself carries: no server has to reach it."""
    data = base64.b64encode(text.encode()).decode()
    return f'<a download="{escape(name)}" href="data:{kind};base64,{data}">{words or name}</a>'


def _kept_at() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(os.environ.get(STATE) or Path(home) / "deficits") / "explorer.yaml"


def _file(name: str) -> str:
    return files("deficits.explorer").joinpath(name).read_text(encoding="utf-8")
