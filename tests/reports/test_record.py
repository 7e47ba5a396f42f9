"""Rules of a page's record: what it rests on, and when it no longer holds."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import deficits as d
from deficits.paths import PACKAGE, notebooks_dir
from deficits.reports import plan
from deficits.reports.record import (
    code_of,
    differing,
    figures_used,
    frame_digest,
    notebook_digest,
    rounded,
)

CODE = (
    "{}X = 1\n{}class A:\n    {}y: int = 1\n\n    def f(self) -> int:\n        {}return 2\n\n\nclass B:\n    {}\n"
)
WORDED = ('"""M."""\n', '"""X."""\n', '"""A."""\n    ', '"""F."""\n        # why\n        ', '"""B."""')


def test_a_docstring_that_is_added_taken_out_or_changed_is_no_code() -> None:
    bare = code_of(CODE.format("", "", "", "", "pass"))
    assert code_of(CODE.format(*WORDED)) == bare
    for place, words in enumerate(WORDED):
        one = ["", "", "", "", "pass"]
        one[place] = words
        assert code_of(CODE.format(*one)) == bare
    assert code_of('"""A module of words."""\n') == code_of("")
    assert code_of(CODE.format(*WORDED).replace("return 2", "return 3")) != bare
    assert code_of(CODE.format(*WORDED).replace("y: int = 1", "y: int = 2")) != bare


@pytest.mark.parametrize("path", sorted((PACKAGE / "reports").glob("*.py")), ids=lambda path: path.stem)
def test_the_packages_own_files_are_the_same_code_without_their_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    whole = ast.unparse(tree)
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            texts = [each for each in body if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)]
            node.body = [each for each in body if each not in texts] or [ast.Pass()]
    bare = ast.unparse(tree)
    assert bare != whole
    assert code_of(bare) == code_of(whole)


def test_outputs_decide_nothing_about_which_notebook_it_is() -> None:
    notebook = nbformat.read(notebooks_dir() / "01_england.ipynb", as_version=4)
    before = notebook_digest(notebook)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = []
    assert notebook_digest(notebook) == before
    notebook.cells[-1].source += "\n"
    assert notebook_digest(notebook) != before


@given(st.floats(min_value=1e-3, max_value=1e11), st.sampled_from([-1e-14, 1e-14]))
def test_the_last_digits_of_another_processor_change_no_digest(value: float, change: float) -> None:
    near = float(f"{value:.7g}")  # far from where rounding turns
    tables = [pd.DataFrame({"a": [near * (1 + each)]}) for each in (0, change)]
    assert frame_digest(tables[0]) == frame_digest(tables[1])
    assert frame_digest(tables[0]) != frame_digest(tables[0] * 1.001)
    assert rounded("figures of 2026-27") == "figures of 2026-27"


def test_a_changed_figure_of_one_council_is_told_of_its_page_and_not_of_anothers(
    panel: d.Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pupils of Kent are only shown on its own page: no projection changes with them."""
    requests = plan(["authority", "quality"], ["Kent, Camden"], {"draws": 200})
    before = {request.page: figures_used(request) for request in requests}
    frame = panel.frame.copy()
    kent = frame.index.get_level_values("authority") == "886"
    frame.loc[kent, "pupils"] = frame.loc[kent, "pupils"] + 1
    changed = type(panel)(**{name: getattr(panel, name) for name in panel.__dataclass_fields__} | {"frame": frame})
    from deficits.reports import record

    record._of_panel.cache_clear()
    monkeypatch.setattr("deficits.panel.load_panel", lambda *_, **__: changed)
    after = {request.page: figures_used(request) for request in requests}
    record._of_panel.cache_clear()

    def told(page: str) -> list[str]:
        return differing(before[page], after[page])

    assert told("authority-kent") == ["its published figures"]
    assert told("authority-camden") == []
    assert told("quality") == ["pupils"]
