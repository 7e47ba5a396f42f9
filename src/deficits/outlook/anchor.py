"""A national figure newer than the balances by council, to which every draw is held."""

from __future__ import annotations

from dataclasses import dataclass

from deficits.errors import OutlookError
from deficits.outlook.drivers import BASE_YEAR, Drivers
from deficits.panel import Panel


@dataclass(frozen=True)
class Anchor:
    """A published national gross deficit, £, true to within `half_width` either way (evenly)."""

    year: int
    gross: float
    half_width: float


@dataclass(frozen=True)
class Anchoring:
    """How the national figure fits the model: what the model alone says of it, £, and how far off that is.

    `shift` is the figure less the model's mean, in the model's standard deviations.
    """

    anchor: Anchor
    expected: float
    sd: float

    @property
    def shift(self) -> float:
        """Standard deviations by which the figure lies above the model."""
        return (self.anchor.gross - self.expected) / self.sd


def find_anchor(panel: Panel, drivers: Drivers) -> Anchor | None:
    """The published national gross deficit of the anchor year, or None when no anchor is wanted.

    OutlookError when the year is not the one after the newest balances by council, or no figure or several that
    disagree are published for it.
    """
    if drivers.anchor_year is None:
        return None
    rows = panel.national.query("measure == 'gross_deficit' and unit == 'gbp' and price_basis == 'nominal'")
    figures = rows.loc[rows["year"] == drivers.anchor_year, "value"]
    if drivers.anchor_year != BASE_YEAR + 1 or figures.empty:
        raise OutlookError(
            f"anchor_year {drivers.anchor_year} cannot be used: it must be {BASE_YEAR + 1}, the first year end "
            "after the newest balances by council, with a published national gross deficit; or None"
        )
    if figures.nunique() > 1:
        raise OutlookError(f"anchor_year {drivers.anchor_year} has figures that disagree: {sorted(set(figures))}")
    return Anchor(drivers.anchor_year, float(figures.iloc[0]), drivers.anchor_half_width)
