"""What many tests share: one panel and one projection, made once a worker."""

import sys

import hypothesis
import pytest

import deficits as d
from deficits.panel import Panel
from deficits.projection import Projection
from tests.browser import browser

__all__ = ["browser"]

# jsonschema looks for this one to check addresses that no notebook has; it takes as long as all of pandas.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of the code
hypothesis.settings.load_profile("untimed")


FULL = {"backtests", "cli", "editions", "explorer", "fetch", "notebooks", "plots", "recommendations", "reports"}
FULL |= {"test_workbook.py", "test_published_files.py"}
"""Folders and files of tests that drive a browser, papermill, a spreadsheet, processes, many charts or many
editions: `make check` leaves them out, and what has a cluster in its name."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests" in item.path.parts and (FULL & set(item.path.parts) or "cluster" in item.name):
            item.add_marker("full")
    # The dear ones first: workers take a module at a time, and end together where the last ones are small.
    items.sort(key=lambda item: item.get_closest_marker("full") is None)


@pytest.fixture(scope="session")
def panel() -> Panel:
    return d.load_panel()


@pytest.fixture(scope="session")
def projection(panel: Panel) -> Projection:
    return d.project(panel, until=2031, draws=1000, seed=1)
