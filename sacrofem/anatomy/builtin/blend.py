"""Blends of implicit fields: fillets, rounded edges, steps and bumps."""

from __future__ import annotations

import numpy as np

from sacrofem.system.arrays import FloatArray


def smooth_min(a: FloatArray, b: FloatArray, radius: float) -> FloatArray:
    """Union of two fields with a fillet (polynomial smooth minimum)."""
    blend = np.maximum(radius - np.abs(a - b), 0.0)
    return np.minimum(a, b) - blend**2 / (4.0 * radius)


def smooth_max(a: FloatArray, b: FloatArray, radius: float) -> FloatArray:
    """Intersection of two fields with a rounded edge."""
    return -smooth_min(-a, -b, radius)


def smooth_step(value: FloatArray, width: float) -> FloatArray:
    """0 well below zero, 1 well above, with the given width of transition."""
    return 0.5 * (1.0 + np.tanh(2.0 * value / width))


def bump(value: FloatArray, centre: float, width: float) -> FloatArray:
    """1 at the centre, falling to 1/e at ``width`` from it."""
    return np.exp(-(((value - centre) / width) ** 2))
