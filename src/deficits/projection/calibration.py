"""A national figure newer than the balances by council, to which every draw is held."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from deficits.assumptions import Assumptions
from deficits.errors import ProjectionError
from deficits.formatting import year_end
from deficits.panel import Panel
from deficits.publications.national_figures import RETURNED


@dataclass(frozen=True)
class Calibration:
    """A published national gross deficit, £, true to within `half_width` either way (evenly)."""

    year: int
    gross: float
    half_width: float


@dataclass(frozen=True)
class Calibrated:
    """How the national figure fits the model: what the model alone says of it, £, and how far off that is.

    `expected`, `sd`: mean and standard deviation over draws; `low` to `high`: the 80% range. `shift` is the
    figure less the mean, in standard deviations.
    """

    calibration: Calibration
    expected: float
    sd: float
    low: float
    high: float

    @property
    def shift(self) -> float:
        """Standard deviations by which the figure lies above the model."""
        return (self.calibration.gross - self.expected) / self.sd


def returned(national: pd.DataFrame) -> pd.DataFrame:
    """Published national gross deficits that come from councils' returns, £, in the prices of their day.

    Not from a survey, not net, and none that repeats another; one of unknown basis is taken to be gross.
    """
    rows = national.query("measure == 'gross_deficit' and unit == 'gbp' and price_basis == 'nominal'")
    return rows[rows["kind"].isin(RETURNED) & rows["basis"].ne("net") & rows["repeats"].isna()]


def newest_national_figure(panel: Panel, assumptions: Assumptions, year: int) -> Calibration | None:
    """The published national deficit of a year end, the one after the newest balances by council.

    None when the assumptions want none, or none was public when the panel's figures were. ProjectionError when
    several figures that disagree are published for it.
    """
    if assumptions.calibration == "none":
        return None
    rows = returned(panel.national)
    figures = rows.loc[rows["year"].eq(year), "value"]
    if figures.empty:
        return None
    if figures.nunique() > 1:
        raise ProjectionError(
            f"the national gross deficit of {year_end(year)} has figures that disagree: "
            f"{sorted(set(figures))}; set calibration to 'none', or drop all but one from panel.national"
        )
    return Calibration(year, float(figures.iloc[0]), assumptions.calibration_half_width)
