from __future__ import annotations

import pytest

from deficits.plots import Chart
from tests.plots.examples import EDGES, MAKERS


@pytest.fixture(scope="session")
def every_chart() -> dict[str, Chart]:
    """One chart of each kind."""
    return {name: make() for name, make in MAKERS.items()}


@pytest.fixture(scope="session")
def all_charts(every_chart: dict[str, Chart]) -> dict[str, Chart]:
    """One chart of each kind, and the edge cases."""
    return every_chart | {name: make() for name, make in EDGES.items()}
