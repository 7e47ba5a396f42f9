"""docs/equations.md, line by line in plain arithmetic, meets the projection without shocks."""

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deficits as d
from deficits.panel import Panel
from deficits.projection import Projection

ROOT = Path(__file__).parents[2]


class Still:
    """A generator whose numbers are all what is expected of them."""

    def standard_normal(self, size: Any) -> np.ndarray:
        return np.zeros(size)

    def chisquare(self, freedom: int, size: int) -> np.ndarray:
        return np.full(size, float(freedom))

    def multivariate_normal(self, mean: Any, cov: Any, size: int) -> np.ndarray:
        return np.tile(np.asarray(mean), (size, 1))

    def uniform(self, low: float, high: float, size: Any) -> np.ndarray:
        return np.full(size, (low + high) / 2)


@pytest.fixture
def still(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> Projection:
    """The projection with every shock at nought, not calibrated; no council's later balance is known."""
    for name in ("streams", "national", "simulate", "councils", "projection"):
        module = import_module(f"deficits.projection.{name}")
        monkeypatch.setattr(module, "stream", lambda *key: Still(), raising=False)
        nothing = lambda codes, kind, years, draws, seed: np.zeros((years, len(codes), draws))  # noqa: E731
        monkeypatch.setattr(module, "own_shocks", nothing, raising=False)
    monkeypatch.setattr("deficits.projection.projection._newest", {})
    return d.project(panel, d.Assumptions(calibration="none"), until=2029, draws=100)


def test_a_spreadsheet_of_the_equations_gives_the_councils_balances(still: Projection) -> None:
    fit = still.fit
    accounts, moves = fit.accounts, fit.accounts.spending.result.params
    page = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in moves.index)  # a coefficient that the page leaves out is seen here
    codes = [code for code in accounts.spend.index if fit.councils.at[code, "block"] > 0]
    spend_of_england = dict(zip(still.paths.years, still.paths.spend[:, 0].tolist(), strict=True))
    block_of_england = dict(zip(still.paths.years, still.paths.block[:, 0].tolist(), strict=True))
    left = [fit.block[year] - fit.history.spend[year] for year in fit.reference_years]
    england = fit.position - sum(left) / len(left) / fit.councils["block"].sum()

    share = {code: accounts.spend.loc[code].to_dict() for code in codes}
    for year in range(accounts.spent + 1, 2030):
        for code in codes:
            w, f, p = share[code], accounts.block.loc[code], accounts.plans.loc[code]
            moved = moves["momentum"] * math.log(w[year - 1] / w[year - 2])
            moved += moves["to_block"] * math.log(f[year - 1] / w[year - 1])
            moved += moves["to_plans"] * math.log(p[year - 1] / w[year - 1])
            moved += moves["plans"] * math.log(p[year] / p[year - 1])
            moved += moves["plans_before"] * math.log(p[year - 1] / p[year - 2])
            w[year] = w[year - 1] * math.exp(moved)
        total = sum(share[code][year] for code in codes)
        for code in codes:
            share[code][year] /= total

    stated = set(still.panel.figure("balance").get(2025, {}).dropna().index)
    for name in ("Camden", "Devon", "Surrey"):
        code = still.code(name)
        assert code not in stated
        balance, lasting = float(fit.councils.at[code, "start"]), float(fit.offsets.lasting[code])
        size = float(fit.councils.at[code, "block"])
        for year in still.projected_years:
            lasting *= fit.offsets.persistence
            position = accounts.block.at[code, year] * block_of_england[year]
            position -= share[code][year] * spend_of_england[year]
            position += size * (england + lasting)
            balance += position + float(still.simulations["safety_valve_payments"].sel(authority=code, year=year))
            assert float(still.balance.sel(authority=code, year=year).mean()) == pytest.approx(balance, abs=1.0)
