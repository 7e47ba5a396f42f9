"""What a scheme does, draw by draw: who is paid what, what is left, how soon it is back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from deficits.errors import SchemeError
from deficits.outlook import Outlook, national, quantiles
from deficits.outlook.outlook import QUANTILES
from deficits.writeoff.scheme import Scheme


@dataclass(frozen=True)
class WriteOff:
    """A scheme applied to an outlook, on the same draws.

    `grant`: £ (>= 0), dims (draw, authority). `balance`: £ at each 31 March with the grant paid, dims
    (draw, authority, year), negative = deficit; the year ends before the payment are the outlook's.
    """

    scheme: Scheme
    outlook: Outlook
    grant: xr.DataArray
    balance: xr.DataArray

    def summary(self) -> pd.DataFrame:
        """The scheme for England: one row a measure, with its unit and quantiles p10 to p90.

        Money in £. `years_bought` is the time from the base date until England's gross deficit is back at its
        level of that date, on straight lines between year ends; `not_back` the share of draws in which it is
        not by the last year.
        """
        base, paid, last = self.scheme.base_year, self.scheme.paid_in, self.outlook.years[-1]
        without, with_grant = national(self.outlook.balance, "gross"), national(self.balance, "gross")
        years = self.years_until_back()
        at_base = self.outlook.balance.sel(year=base)
        measures: dict[str, tuple[str, np.ndarray]] = {
            f"deficit_{base}": ("£", without.sel(year=base).values),
            "grant": ("£", self.grant.sum("authority").values),
            f"left_of_{base}": ("£", (without.sel(year=base) - self.grant.sum("authority")).values),
            "councils_paid": ("councils", (self.grant > 0).sum("authority").values),
            "councils_in_surplus": ("councils", (at_base >= 0).sum("authority").values),
        }
        for year in range(paid, last + 1):
            measures[f"deficit_without_{year}"] = ("£", without.sel(year=year).values)
            measures[f"deficit_with_{year}"] = ("£", with_grant.sel(year=year).values)
        measures["years_bought"] = ("years", years)
        rows = {
            name: {"unit": unit, **dict(zip(QUANTILES, _ordered(values), strict=True))}
            for name, (unit, values) in measures.items()
        }
        rows["not_back"] = {"unit": "share of draws", "p50": float(np.isinf(years).mean())}
        frame = pd.DataFrame.from_dict(rows, orient="index")
        frame.index.name = "measure"
        return frame

    def by_authority(self) -> pd.DataFrame:
        """Each council: indexed by DfE number; name, region, quantiles of grant, of what is left of the base
        year's deficit and of the balance at the last year end (£), and `paid`, the share of draws in which it
        is paid anything.
        """
        frame = self.outlook.fit.councils[["name", "region"]].copy()
        base = self.outlook.balance.sel(year=self.scheme.base_year)
        left = (-base).clip(min=0.0) - self.grant
        last = self.outlook.years[-1]
        for label, values in [
            ("grant", self.grant),
            (f"left_of_{self.scheme.base_year}", left),
            (f"balance_{last}", self.balance.sel(year=last)),
        ]:
            frame = frame.join(_three(values, label))
        return frame.assign(paid=(self.grant > 0).mean("draw").values)

    def by_region(self) -> pd.DataFrame:
        """Each region and England: quantiles of the grant and of what is left of the base year's deficit (£).

        Quantiles do not add up over regions; `grant_mean` and `left_mean` do.
        """
        base = self.outlook.balance.sel(year=self.scheme.base_year)
        left = (-base).clip(min=0.0) - self.grant
        frames = []
        for label, values in [("grant", self.grant), ("left", left)]:
            summed = values.groupby("region").sum()
            england = values.sum("authority").expand_dims(region=["England"])
            whole = xr.concat([summed, england], dim="region")
            frames.append(_three(whole, label).assign(**{f"{label}_mean": whole.mean("draw").values}))
        return pd.concat(frames, axis=1).rename_axis("region")

    def england(self) -> pd.DataFrame:
        """Quantiles of England's gross deficit with the grant, £: indexed by year, columns p10 to p90."""
        return quantiles(national(self.balance, "gross"))

    def authority(self, authority: str | int) -> pd.DataFrame:
        """Quantiles of one council's balance with the grant, £ (negative = deficit): indexed by year."""
        return quantiles(self.balance.sel(authority=self.outlook.code(authority)))

    def years_until_back(self) -> np.ndarray:
        """Years from the base date until England's gross deficit is back at its base level, one a draw.

        Counted from the year end at which the grant has been paid; infinite where it is not back by the last
        year of the outlook.
        """
        years = np.array(self.outlook.years)
        level = national(self.outlook.balance, "gross").sel(year=self.scheme.base_year).values
        after = years >= self.scheme.paid_in
        gross = national(self.balance, "gross").transpose("draw", "year").values[:, after]
        # The line from what is left at the base date, once the grant is taken off it.
        left = level - self.grant.sum("authority").values
        path = np.column_stack([left, gross])
        ends = np.concatenate([[self.scheme.base_year], years[after]]) - self.scheme.base_year
        back = path >= level[:, None]
        back[:, 0] = self.grant.sum("authority").values <= 0
        first = back.argmax(axis=1)
        rows = np.arange(len(path))
        low, high = path[rows, np.maximum(first - 1, 0)], path[rows, first]
        part = np.divide(level - low, high - low, out=np.ones_like(level), where=high > low)
        reached = ends[np.maximum(first - 1, 0)] + part * (ends[first] - ends[np.maximum(first - 1, 0)])
        years_back: np.ndarray = np.where(back.any(axis=1), np.where(first == 0, 0.0, reached), np.inf)
        return years_back


def pay(scheme: Scheme, outlook: Outlook) -> WriteOff:
    """Apply the scheme to every draw: the grant is a share of the deficit at the base date, and stays paid."""
    for word, year in [("base_year", scheme.base_year), ("paid_in", scheme.paid_in)]:
        if year not in outlook.years:
            raise SchemeError(
                f"{word} {year} of '{scheme.title}' is not in the outlook, which runs from {outlook.years[0]} "
                f"to {outlook.years[-1]}: project further with until={max(year, outlook.years[-1])}, or change it"
            )
    grant = scheme.share * (-outlook.balance.sel(year=scheme.base_year, drop=True)).clip(min=0.0)
    paid = (outlook.dataset["year"] >= scheme.paid_in).astype(float)
    balance = (outlook.balance + grant * paid).transpose("draw", "authority", "year")
    return WriteOff(scheme, outlook, grant, balance)


def _ordered(values: np.ndarray) -> list[float]:
    """Quantiles of values that may be infinite (never), between two of which there is nothing to interpolate."""
    method: Literal["linear", "inverted_cdf"] = "linear" if np.isfinite(values).all() else "inverted_cdf"
    return [float(np.quantile(values, share, method=method)) for share in QUANTILES.values()]


def _three(values: xr.DataArray, label: str) -> pd.DataFrame:
    picked = quantiles(values)[["p10", "p50", "p90"]]
    return picked.add_prefix(f"{label}_")
