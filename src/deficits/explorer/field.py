"""A control with its label, and beneath it what is wrong with its value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as widgets

from deficits.explorer import page
from deficits.explorer.controls import Slide

STYLE = {"description_width": "initial"}


class Field:
    """One control, the line beneath it that tells of an error or a remark, and who is told of a new value."""

    def __init__(self, control: widgets.DOMWidget, told: Callable[[Any], None] | None = None) -> None:
        control.layout.width = "auto"
        self.control = control
        self._line = widgets.HTML(layout={"display": "none"})
        self._line.add_class("deficits-line")
        self.box = widgets.VBox([control, self._line])
        self.box.add_class("deficits-field")
        self._told, self._quiet = told, False
        if told is not None:
            control.observe(self._moved, names="value")

    @property
    def value(self) -> Any:
        """What the control shows."""
        return self.control.value

    @property
    def error(self) -> str:
        """The error beneath the control, as HTML; empty where there is none."""
        return str(self._line.value) if "deficits-error" in self._line.value else ""

    def say(self, message: str, *, error: bool = False) -> None:
        """Put a remark or an error beneath the control, or with an empty message nothing."""
        told = page.error(message) if error else page.remark(message)
        self._line.value = told if message else ""
        self._line.layout.display = None if message else "none"

    def set(self, value: Any) -> None:
        """Show a value without telling anybody, and forget the error before it."""
        with self._silent():
            self.control.value = value
        self.say("")

    def options(self, options: Any, value: Any) -> None:
        """Offer other options, with one of them chosen, without telling anybody."""
        with self._silent():
            self.control.options = options
            self.control.value = value

    def hide(self, hidden: bool) -> None:
        """Take the control off the panel, or put it back."""
        self.box.layout.display = "none" if hidden else None

    @contextmanager
    def _silent(self) -> Iterator[None]:
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    def _moved(self, change: Any) -> None:
        if not self._quiet and self._told is not None:
            self._told(change["new"])


class SlideField(Field):
    """A slider that tells the value itself, not what it shows (a share, where it shows percent)."""

    def __init__(self, slide: Slide, start: float, told: Callable[[float], None]) -> None:
        self.slide = slide
        control = widgets.FloatSlider(
            value=slide.shown(start),
            min=slide.low,
            max=slide.high,
            step=slide.step,
            description=slide.label,
            continuous_update=False,
            readout_format=f".{slide.places}f" if slide.high < 1000 else ",.0f",
            style=STYLE,
        )
        super().__init__(control, lambda shown: told(slide.value(shown)))

    def set(self, value: float) -> None:
        """Show a value; one outside the slider's range widens it, since a file may hold it."""
        shown = self.slide.shown(value)
        with self._silent():
            self.control.min, self.control.max = min(self.control.min, shown), max(self.control.max, shown)
        super().set(shown)


class YearField(Field):
    """One of several years, each in words; one that is not among them joins them, since a file may hold it."""

    def __init__(
        self,
        label: str,
        words: Callable[[int], str],
        years: Iterable[int],
        start: int,
        told: Callable[[int], None],
    ) -> None:
        self._words, self._years = words, set(years)
        super().__init__(choice(label, self._listed(), None), told)
        self.set(start)

    def _listed(self) -> list[tuple[str, int]]:
        return [(self._words(year), year) for year in sorted(self._years)]

    def set(self, value: int) -> None:
        """Show a year without telling anybody."""
        if value not in self._years:
            self._years.add(value)
            self.options(self._listed(), value)
        super().set(value)


def checkbox(label: str) -> widgets.Checkbox:
    """A box to tick, in line with the other controls."""
    return widgets.Checkbox(value=False, description=label, indent=False, style=STYLE)


def choice(label: str, options: Any, value: Any) -> widgets.Dropdown:
    """One of several options."""
    return widgets.Dropdown(options=options, value=value, description=label, style=STYLE)


def combobox(label: str, options: list[str], placeholder: str = "") -> widgets.Combobox:
    """A line of text that offers what begins alike."""
    return widgets.Combobox(
        options=options, placeholder=placeholder, description=label, continuous_update=False, style=STYLE
    )


def text(label: str, value: str = "", placeholder: str = "") -> widgets.Text:
    """A line of text, told when Enter is pressed or the control is left."""
    return widgets.Text(
        value=value, placeholder=placeholder, description=label, continuous_update=False, style=STYLE
    )


def button(label: str, clicked: Callable[[], None], kind: str = "") -> widgets.Button:
    """A button."""
    made = widgets.Button(description=label, button_style=kind, layout={"width": "auto"})
    made.on_click(lambda _: clicked())
    return made


def html(*classes: str, value: str = "") -> widgets.HTML:
    """A piece of the page."""
    made = widgets.HTML(value)
    for name in classes:
        made.add_class(name)
    return made


def column(children: list[Any], *classes: str) -> widgets.VBox:
    """Fields and widgets one beneath another."""
    made = widgets.VBox([child.box if isinstance(child, Field) else child for child in children])
    for name in classes:
        made.add_class(name)
    return made
