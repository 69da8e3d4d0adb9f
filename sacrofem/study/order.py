"""Observed order of convergence of one number over a ladder of meshes, and the band that follows from it.

Three meshes give the order p of f(h) = f0 + C h^p; where the sequence is monotone and p lies between
0.5 and 3, the band is the grid convergence index with the safety factor 1.25 of Roache 1994 for three
meshes (unequal ratios as in Celik 2008). An order
above the formal one, here 1 at a fracture front, is chance on meshes that are not nested: the extrapolation
uses the formal one then (Oberkampf & Roy 2010, ch. 8).
Anywhere else no limit can be extrapolated, and the band is three times the range of the three values
(Eça & Hoekstra 2014, and earlier).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.optimize import brentq

SAFETY_FACTOR = 1.25
RANGE_FACTOR = 3.0
ORDERS = (0.5, 3.0)
"""Observed orders that are believed."""
FORMAL_ORDER = 1.0
"""Of micromotion and of all that hangs on it: in the size at the front (Sneddon's crack, tests/verification)."""
CONVERGED_STEP = 0.05
"""Largest change over the last refinement, relative, of what has settled without a believable order: the
criterion that is usual for finite-element models of bone (Henninger 2010; Anderson 2007)."""
_BRACKET = (-20.0, 20.0)


@dataclass(frozen=True)
class Estimate:
    """What a ladder of meshes says of one number.

    Attributes
    ----------
    value : float
        On the mesh that the band is for.
    half_width : float
        Of the band around it, in its unit.
    order : float or None
        Observed order; None where the sequence is not monotone or does not move.
    limit : float or None
        Extrapolated value for h -> 0; None where the order is not believed.
    converged : bool
        A believable order, or a last step below `CONVERGED_STEP`.
    """

    value: float
    half_width: float
    order: float | None
    limit: float | None
    converged: bool

    @property
    def band(self) -> tuple[float, float]:
        """The band as an interval."""
        return self.value - self.half_width, self.value + self.half_width


def observed_order(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """p of f0 + C h^p through three values; None where they are not monotone, negative where the steps grow.

    Parameters
    ----------
    sizes, values
        Of three meshes, coarse to fine; sizes fall.
    """
    coarse, middle, fine = (math.log(size) for size in sizes)
    first, last = values[1] - values[0], values[2] - values[1]
    if first * last <= 0.0:
        return None
    wanted = math.log(first / last)

    def excess(p: float) -> float:
        # Written so that nothing cancels as p passes zero, where the ratio of the steps is that of the log sizes.
        return p * (middle - fine) + _log_expm1_over(p * (coarse - middle)) - _log_expm1_over(
            p * (middle - fine)
        ) + math.log((coarse - middle) / (middle - fine)) - wanted  # fmt: skip

    low, high = _BRACKET
    if excess(low) > 0.0:
        return low
    if excess(high) < 0.0:
        return high
    return float(brentq(excess, low, high, xtol=1e-10))


def _log_expm1_over(x: float) -> float:
    """log((e^x - 1) / x), 0 at 0."""
    return 0.0 if abs(x) < 1e-12 else math.log(math.expm1(x) / x)


def estimate(sizes: Sequence[float], values: Sequence[float], *, at: int = -1, scale: float | None = None) -> Estimate:
    """The band of one number on one mesh of a ladder; the three finest meshes decide.

    Parameters
    ----------
    sizes, values
        Of three or more meshes, coarse to fine.
    at
        Index of the mesh that the band is for.
    scale
        What the last step counts against; the finest value by default.

    Raises
    ------
    ValueError
        Fewer than three meshes, or sizes that do not fall.
    """
    if len(sizes) != len(values) or len(sizes) < 3:
        raise ValueError("three or more meshes are needed")
    h, f = sizes[-3:], values[-3:]
    if not h[0] > h[1] > h[2] > 0.0:
        raise ValueError(f"sizes do not fall: {h}")
    order = observed_order(h, f)
    if order is not None and ORDERS[0] <= order <= ORDERS[1]:
        limit = f[2] + (f[2] - f[1]) / ((h[1] / h[2]) ** min(order, FORMAL_ORDER) - 1.0)
        return Estimate(values[at], SAFETY_FACTOR * abs(values[at] - limit), order, limit, True)
    settled = abs(f[2] - f[1]) <= CONVERGED_STEP * (abs(f[2]) if scale is None else scale)
    everything = (*f, values[at])
    return Estimate(values[at], RANGE_FACTOR * (max(everything) - min(everything)), order, None, settled)
