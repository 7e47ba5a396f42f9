"""The panel in JupyterLab and in the browser: controls over a state, and what is shown of it."""

from __future__ import annotations

import base64
import itertools
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from IPython.display import Javascript, display

from deficits.assumptions import PROGRAMME_ENDED
from deficits.errors import DeficitsError, ProjectionError
from deficits.explorer.state import CONTROLS, ENGLAND, EXAMPLE, State, shipped_lever
from deficits.explorer.views import Engine, View
from deficits.formatting import MINUS, financial_year, year_end
from deficits.panel import load_panel
from deficits.paths import reports_dir, write_whole
from deficits.projection import lever_names
from deficits.projection.projection import LAST_HORIZON, UNTIL
from deficits.reports import render, write_index
from deficits.scenario import Scenario
from deficits.validation import read_text
from deficits.writeoff import schemes

BASELINE, NOTHING, HELD = "the baseline", "nothing", "what is set now"
TRAITS: dict[str, dict[str, Any]] = {
    "FloatSlider": {"continuous_update": False, "readout_format": ".1f"},
    "Checkbox": {"indent": False},
}
"""What all widgets of a kind have."""


class Control:
    """A labelled widget for a setting of the state, as controls.toml declares it; there if that has a value."""

    def __init__(
        self, setting: str, widget: str, *, scale: float = 100.0, on: Any = None, off: Any = None, **traits: Any
    ) -> None:
        self.setting, self.scale, self.on, self.off = setting, scale, on, off
        look = {"layout": {"width": "auto"}, "style": {"description_width": "initial"}}
        self.widget: Any = getattr(widgets, widget)(**TRAITS.get(widget, {}) | look | traits)
        self.line = _html("deficits-line")
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
        elif isinstance(widget, widgets.SelectMultiple):
            widget.options = state.actions.titles if state.actions else ()
            widget.rows = len(widget.options)
        elif isinstance(widget, widgets.Dropdown) and value not in options:
            widget.options = [*widget.options, (f"{value} (from the file)", value)]
        widget.value = value

    def setting_at(self, value: Any) -> Any:
        """The setting's value at a value of the widget."""
        if isinstance(self.widget, widgets.Checkbox):
            return self.on if value else self.off
        return float(f"{value / self.scale:.12g}") if isinstance(self.widget, widgets.FloatSlider) else value

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
    `scenario` are what it shows at that moment. In the environment, DEFICITS_EXPLORER_FOLDER and _PLACE give a
    folder and a place; DEFICITS_EXPLORER_STATE is the folder of the scenario that is kept as it changes.

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
        self.folder = Path(folder or os.environ.get("DEFICITS_EXPLORER_FOLDER") or Path.cwd()).resolve()
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        self._kept = Path(os.environ.get("DEFICITS_EXPLORER_STATE") or home / "deficits") / "explorer.yaml"
        self._engine, self._filling = Engine(), False
        place = os.environ.get("DEFICITS_EXPLORER_PLACE") or place
        self.state = State(place=place, as_of=as_of, until=until, draws=draws, seed=seed)
        if scenario is not None:
            self.state = self._opened(scenario if isinstance(scenario, Scenario) else Scenario.read(scenario))
        self.view = View(self.state, self._engine)
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
        # Where there are no widgets the headline stands, and not the names of a hundred of them.
        display({**self.box._repr_mimebundle_(), "text/plain": repr(self)}, raw=True)  # type: ignore[no-untyped-call]
        threading.Thread(target=self._beat, daemon=True).start()
        display(Javascript(_file("panel.js")))  # type: ignore[no-untyped-call]

    def _beat(self) -> None:
        for beat in itertools.count():
            self._pulse.value = f"<i>{beat}</i>"
            self._offer_last()
            time.sleep(2.0)  # panel.js says that the process has ended after five such silences

    # Controls

    def _build(self) -> None:
        years = range(self.view.projection.base_year, LAST_HORIZON + 1)
        ends = [(year_end(year), year) for year in years]
        known = load_panel(self.state.as_of).authorities.frame.query("last_year.isna()")
        options: dict[str, list[Any]] = {
            "places": [ENGLAND, *sorted(set(known["region"])), *sorted(known["name"])],
            "horizons": ends[1:],
            "year_ends": ends,
            "financial_years": [(financial_year(year), year) for year in years],
            "payments": [
                (f"Those due by {year_end(int(PROGRAMME_ENDED.number))}", "until_2026"),
                ("All that were agreed", "as_agreed"),
                ("None", "none"),
            ],
            "schemes": [("None", None), *((title, name) for name, title in schemes()["title"].items())],
            **self._files(),
        }
        levers: dict[str, Any] = {}
        for name in lever_names():
            shipped, setting = shipped_lever(name), f"lever.{name}"
            slider = {"setting": setting, "widget": "FloatSlider"} | CONTROLS["Levers"][shipped.kind]
            usual = shipped.central(slider.pop("size"))
            tick = {"setting": setting, "widget": "Checkbox", "description": shipped.title, "on": usual}
            levers |= {name: tick, f"{name}.size": slider}
        tabs: dict[str, list[Any]] = {}
        for tab, declared in (CONTROLS | {"Levers": levers}).items():
            for name, given in declared.items():
                listed = {"options": options[given["options"]]} if "options" in given else {}
                self.controls[name] = control = Control(**given | listed)
                tabs.setdefault(tab, []).append(control.box)
                if control.setting:
                    control.widget.observe(partial(self._moved, name), names="value")

        parts = ("headline", "figure", "table", "terms", "notes", "pulse", "line", "page")
        made = [_html(f"deficits-{part}") for part in parts]
        self._headline, self._figure, self._table, self._terms, self._notes, self._pulse = made[:6]
        self._report_note, self._report_line = made[6:]
        self._last = widgets.VBox()
        self._code = widgets.Textarea(description="The same in Python", disabled=True)
        self._code.add_class("deficits-code")
        tabs["Write-off"].insert(1, self._terms)
        tabs["Files"] += [
            widgets.HBox([_button("Save scenario", self.save), _button("Open scenario", self.open)]),
            self._report_note,
            _button("Render this as a report", self.report),
            self._report_line,
        ]
        titles = ["Assumptions", "Levers", "Write-off", "Plan", "Files"]
        inside = widgets.Tab([widgets.VBox(tabs[title]) for title in titles], titles=titles)
        reset = _button("Back to the baseline", self.reset)
        left = widgets.VBox([self._last, *tabs["Top"], inside, reset])
        numbers = widgets.Accordion([self._table], titles=["The numbers as a table"])
        notes = widgets.Accordion([self._notes], titles=["Notes"])
        copy = widgets.HTML('<button class="deficits-copy">Copy the Python</button>')
        right = widgets.VBox([self._headline, self._figure, *tabs["Compared"], numbers, notes, self._code, copy])
        left.add_class("deficits-controls")
        right.add_class("deficits-shown")
        self._pulse.layout.display = "none"
        style = widgets.HTML(f"<style>{_file('panel.css')}</style>", layout={"display": "none"})
        self.box = widgets.Box([style, self._pulse, left, right])
        self.box.add_class("deficits-explorer")

    # From a control to the figure

    def _moved(self, name: str, change: Any) -> None:
        control, value = self.controls[name], change["new"]
        if self._filling:
            return
        control.say("Working…" if name in ("as_of", "until") else "")
        if name == "other":
            self._turn(control, lambda: self._compared(value))
        elif name == "plan":
            self._turn(control, lambda: self._planned(self.state, value))
        else:
            self._turn(control, lambda: self.state.with_value(control.setting, control.setting_at(value)))

    def _turn(self, control: Control, to: Callable[[], State], said: str = "") -> None:
        """Turn to a state if it can be worked out; otherwise say why beneath the control, and keep this one."""
        try:
            state = to()
            self.view = View(state, self._engine)
        except DeficitsError as error:
            control.say(str(error), error=True)
            return
        control.say(said)
        name = self.view.area.name
        self.state = state if state.place == name else replace(state, place=name)
        self._last.children = ()
        self._show()
        # Without a folder that can be written to, the panel does without.
        with suppress(OSError, DeficitsError):
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._kept, self.state.file_text)

    def _compared(self, name: str) -> State:
        known = {NOTHING: None, BASELINE: Scenario(), HELD: self.scenario}
        other = known[name] if name in known else Scenario.read(self._path(name))
        said = f"{self.scenario.called} (held)" if name == HELD else name
        return replace(self.state, other=other, other_name=said)

    def _planned(self, state: State, name: str, off: tuple[str, ...] = ()) -> State:
        known = {NOTHING: None, EXAMPLE: EXAMPLE}
        text = known[name] if name in known else read_text(self._path(name), name, ProjectionError)
        return replace(state, plan=text, plan_name=name, off=off)

    def _opened(self, scenario: Scenario) -> State:
        """The state with a scenario and all that the explorer showed when it saved it."""
        return self._planned(self.state.opened(scenario), scenario.plan or NOTHING, scenario.off)

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
        baseline = replace(self.state, scenario=Scenario(), plan=None, plan_name=NOTHING, off=())
        self._turn(self.controls["place"], lambda: baseline)

    # Files

    def _path(self, said: str) -> Path:
        """The scenario file meant: a name within the folder, .yaml unless it says .yml. ProjectionError else."""
        name = said.strip() or "scenario.yaml"
        name = name if name.lower().endswith((".yaml", ".yml")) else f"{name}.yaml"
        odd = not name.isprintable() or name.startswith(".") or Path(name).name != name or "\\" in name
        if odd or len(name) > 100 or (self.folder / name).is_symlink():
            raise ProjectionError(
                f"'{said[:60]}' is not the name of a file in {self.folder}: give a name without a folder"
            )
        return self.folder / name

    def _files(self) -> dict[str, list[Any]]:
        """The options of the controls that list the folder's files."""
        found: list[str] = []
        with suppress(OSError):
            found = sorted(path.name for path in self.folder.iterdir() if path.suffix.lower() in (".yaml", ".yml"))
        before = {"others": (BASELINE, NOTHING, HELD), "plans": (NOTHING, EXAMPLE)}
        return {"files": found} | {
            key: [(each, each) for each in (*first, *found)] for key, first in before.items()
        }

    def save(self) -> None:
        """Save the scenario under the name in the panel; another's file is replaced at the second asking."""
        file = self.controls["file"]
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
        listed = self._files()
        for name, options in (("file", "files"), ("other", "others"), ("plan", "plans")):
            self.controls[name].widget.options = listed[options]
        self._filling = False
        self._show()

    def open(self) -> None:
        """Open the scenario file named in the panel; what is wrong with it is told, and the state stays."""
        file = self.controls["file"]
        name = file.widget.value.strip() or "scenario.yaml"
        self._turn(file, lambda: self._opened(Scenario.read(self._path(name))), f"Opened {name}")

    def _offer_last(self) -> None:
        """Offer what was kept, if it is not the usual: a process that ended took nothing with it.

        Looked at again while the panel is as it began: voila starts a kernel long before it shows it.
        """
        with suppress(DeficitsError, OSError):
            kept = self._kept.stat().st_mtime_ns
            if kept == self._offered:
                return
            self._offered = kept
            last = self._opened(Scenario.read(self._kept))
            if not last.is_baseline and self.state.is_baseline:
                told = widgets.HTML(_line(f"Your last scenario is kept: {last.scenario.called}, for {last.place}"))
                place = self.controls["place"]
                self._last.children = (told, _button("Go on with it", lambda: self._turn(place, lambda: last)))

    # The report

    def report(self) -> None:
        """Make the report nearest to what is shown; the panel goes on working meanwhile."""
        if self._making is None or not self._making.is_alive():
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


def _button(label: str, clicked: Callable[[], None]) -> Any:
    made = widgets.Button(description=label, layout={"width": "auto"})
    made.on_click(lambda _: clicked())
    return made


def _html(look: str, value: str = "") -> Any:
    made = widgets.HTML(value)
    made.add_class(look)
    return made


def _line(text: str, error: bool = False) -> str:
    look, role = ("deficits-error", "alert") if error else ("deficits-remark", "status")
    return f'<p class="{look}" role="{role}">{escape(text)}</p>'.replace("\n", "<br>") if text else ""


def _carried(kind: str, name: str, text: str, words: str = "") -> str:
    """A link to a file that the panel itself carries: no server has to reach it."""
    data = base64.b64encode(text.encode()).decode()
    return f'<a download="{escape(name)}" href="data:{kind};base64,{data}">{words or name}</a>'


def _file(name: str) -> str:
    return files("deficits.explorer").joinpath(name).read_text(encoding="utf-8")
