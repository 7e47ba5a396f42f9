"""A small notebook of each kind of content, rendered once; and a browser, where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from deficits import reports
from deficits.reports import record
from tests.reports.reading import Vintage, vintages

PARAMETERS = "as_of = None\nown = None\nscenario = None\nuntil = 2029  # last year\ndraws = 4000\nseed = 1"
SETTINGS = """from deficits import reports as report
settings = report.settings('england', globals())
print(settings)
settings"""
MAIN_POINTS = "report.main_points(['The deficit is £5.1bn to £6.3bn.'], {'gross_2026': 5.7e9 + settings.seed})"
CHART = """
import pandas as pd

class Chart:
    name, unit = "gross-deficit", "£bn"
    finding = "The deficit passes £5bn & more"
    subtitle = "Gross deficit, England, March 2025 to March 2026"
    source = "own projection from the Department for Education"
    alt = "The deficit passes £5bn. A line from £3.8bn to £5.7bn."
    data = pd.DataFrame({"Year (at 31 March)": [2025, 2026], "Median (£)": [3_812_345_678.9, 5.7e9]})

    def svg(self):
        return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 50" width="100%" role="img" '
                'aria-labelledby="gross-deficit-desc"><desc id="gross-deficit-desc">' + self.alt + '</desc>'
                '<path d="M0 40L100 10" stroke="#12436D" fill="none"/></svg>')

    def png(self):
        return b"a picture"

report.figure(Chart())
"""
TABLE = """
frame = pd.DataFrame({
    "Council": ["Kent", "Bath and North East Somerset", "Isles of Scilly"],
    "Region": ["South East", "South West", "South West"],
    "Deficit": [142_111_111.11, 21.3e6, None], "Low": [1e8, 2e7, None], "High": [2e8, 3e7, None],
    "Chance": [0.9997, 0.43, None],
})
pounds = dict.fromkeys(["Deficit", "Low", "High"], "£m")
report.table(frame, "largest", "Largest deficits", "section 251 from DfE", pounds | {"Chance": "%"})
"""
WORDS = """## How sure are we?

Text with a [link](https://example.org/method), and a backtest.
"""
SOURCES = """
report.sources("section251-outturn")
"""
SURROUNDINGS = """
import os, warnings
warnings.warn("figures of two councils are estimates", stacklevel=1)
print(os.environ.get("PLANTED_TOKEN"), os.environ.get("USER"))
"""

Write = Callable[..., Path]


def write_notebook(path: Path, *cells: str, parameters: str = PARAMETERS, start: str = SETTINGS) -> Path:
    """A notebook with a parameters cell; a text that begins with "#" is a markdown cell, the others are code."""
    first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    rest = [new_markdown_cell(text) if text.startswith("#") else new_code_cell(text.strip()) for text in cells]
    made = new_notebook(cells=[rest[0], first, new_code_cell(start), *rest[1:]])
    for place, cell in enumerate(made.cells):
        cell.id = f"cell-{place}"
    made.metadata["kernelspec"] = {"name": "a-kernel-that-is-nowhere", "display_name": "x", "language": "python"}
    nbformat.write(made, path)
    return path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a notebook into the test's folder."""
    return lambda *cells, **more: write_notebook(tmp_path / "small.ipynb", *cells, **more)


@pytest.fixture(autouse=True, scope="session")
def _no_git() -> Iterator[None]:
    """A test does not ask what is in the repository it stands in, which somebody may be working on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "code_version", lambda: "0.2.0, commit abc1234, with uncommitted changes")
        yield


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory, _no_git: None) -> Path:
    """The page of a notebook with each kind of content, made with a secret in the environment."""
    folder = tmp_path_factory.mktemp("rendered")
    cells = [
        "# When do deficits pass £5bn?\n\nA first paragraph.",
        MAIN_POINTS,
        "## The projection",
        CHART,
        SURROUNDINGS,
    ]
    cells += ["report.paragraph('Above <£5bn>.')", "## Councils", TABLE, WORDS, "## Sources", SOURCES]
    notebook = write_notebook(folder / "small.ipynb", *cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANTED_TOKEN", "planted-secret-value")
        patch.setenv("USER", "planted-user-name")
        return reports.render("england", {"seed": "3"}, folder / "reports", notebook=notebook)


@pytest.fixture(scope="session")
def vintage(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Vintage]:
    """Figures to make pages of, by name: see `tests.reports.reading`."""
    return vintages(lambda: tmp_path_factory.mktemp("vintage"))
