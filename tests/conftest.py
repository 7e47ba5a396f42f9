"""What many tests share: one panel and one outlook, made once a worker."""

import pytest

import deficits as d
from deficits.outlook import Outlook
from deficits.panel import Panel
from tests.browser import browser

__all__ = ["browser"]


@pytest.fixture(scope="session")
def panel() -> Panel:
    return d.load_panel()


@pytest.fixture(scope="session")
def outlook(panel: Panel) -> Outlook:
    return d.project(panel, until=2031, draws=1000, seed=1)
