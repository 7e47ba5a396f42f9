"""Levers: declared changes to what moves the deficit, each with its size, lag, ramp and evidence."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from deficits.outlook.councils import Parts
from deficits.outlook.growth import Paths

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """What a lever adds to in-year positions (£, positive = less deficit), and what it costs elsewhere (£ by payer).

    Arrays of shape (years, authorities, draws), or broadcasting to it; the first year is the first projected one.
    """

    position: Array
    elsewhere: dict[str, Array] = field(default_factory=dict)


class Lever(BaseModel):
    def effect(self, parts: Parts, paths: Paths) -> Effect:
        raise NotImplementedError
