"""Projections with balances given by hand, and schemes declared in a line."""

import dataclasses
from typing import Any

import numpy as np

from deficits.projection import Projection
from deficits.writeoff import Scheme

HEAD: dict[str, Any] = {
    "title": "Made up",
    "proposer": "a test",
    "published": "2026-02-09",
    "status": "counterfactual",
    "reference": "https://www.gov.uk/",
    "summary": "A scheme that nobody proposed, for a test.",
    "assumed": ["everything"],
    "base_year": 2026,
    "share": 0.9,
    "paid_in": 2027,
}


def scheme(**body: Any) -> Scheme:
    return Scheme.model_validate(HEAD | body)


def with_balances(projection: Projection, pounds: dict[int, list[float]]) -> Projection:
    """The projection of as many councils as there are figures a year, one draw, no bail-outs."""
    values = np.array([[pounds[year] for year in sorted(pounds)]]).transpose(0, 2, 1)
    return with_draws(projection, values, sorted(pounds))


def with_draws(projection: Projection, values: np.ndarray, years: list[int]) -> Projection:
    """The same of values with the shape (draws, councils, years)."""
    some = projection.simulations.isel(draw=slice(0, len(values)), authority=slice(0, values.shape[1])).sel(
        year=years
    )
    dataset = some.assign(
        balance=(("draw", "authority", "year"), np.asarray(values, dtype=float)),
        safety_valve_payments=(("authority", "year"), np.zeros(values.shape[1:])),
    )
    return dataclasses.replace(projection, simulations=dataset)
