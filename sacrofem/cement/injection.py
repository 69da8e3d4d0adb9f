"""What is injected through a needle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sacrofem.cement.flow import Flow
from sacrofem.cement.needle import Needle
from sacrofem.cement.shapes import SHORT_AXIS_COLUMN, Spread
from sacrofem.errors import InputError


@dataclass(frozen=True)
class Injection:
    """What goes through one needle: a volume, and the shape in which it spreads.

    Raises
    ------
    InputError
        If the volume is not a positive number.
    """

    needle: Needle
    volume_ml: float
    spread: Spread | Flow = SHORT_AXIS_COLUMN

    def __post_init__(self) -> None:
        if not (np.isfinite(self.volume_ml) and self.volume_ml > 0.0):
            raise InputError(
                "must be positive", field="cement.volume_ml", value=self.volume_ml, mend="2 to 5 ml are usual"
            )
