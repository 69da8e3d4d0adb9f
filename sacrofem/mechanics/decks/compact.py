"""What makes a deck small: few materials, whose error is stated, and fewest springs, without any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.part import Springs
from sacrofem.system.arrays import FloatArray, IntArray

MOST_MATERIALS = 200
# Poisson's ratios of bone and of its mixtures with cement: the middle of a step of this width stands for it.
_RATIO_STEP = 0.01
_AXES = 3


@dataclass(frozen=True, eq=False)
class Binned:
    """Bone of few materials.

    Attributes
    ----------
    bone : Elasticity
    materials : int
    error : float
        Largest relative error of a tet's modulus.
    mean_error : float
        Its mean by volume.
    ratio_error : float
        Largest error of a Poisson's ratio.
    """

    bone: Elasticity
    materials: int
    error: float
    mean_error: float
    ratio_error: float

    def __str__(self) -> str:
        if self.error == self.ratio_error == 0.0:
            return f"{self.materials} materials, exact"
        return (
            f"{self.materials} materials; moduli within {100 * self.error:.2g} % ({100 * self.mean_error:.2g} % on the "
            f"average by volume), Poisson's ratios within {self.ratio_error:.2g}"
        )


def binned(bone: Elasticity, volumes: FloatArray, most: int = MOST_MATERIALS) -> Binned:
    """The same bone of at most so many materials, with the least of the largest relative error of a modulus.

    Every interval of moduli is of one width on a logarithmic scale and begins at a modulus that is there.

    Parameters
    ----------
    bone
    volumes
        (m,) of the tets.
    most
    """
    constants = np.column_stack([bone.youngs, bone.poisson])
    count = len(np.unique(constants, axis=0))
    if count <= most:
        return Binned(bone, count, 0.0, 0.0, 0.0)
    step = np.round(bone.poisson / _RATIO_STEP).astype(np.int64)
    order = np.lexsort((bone.youngs, step))
    logs, steps = np.log(bone.youngs[order]), step[order]
    low, high = 0.0, float(np.ptp(logs))
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _bins(logs, steps, middle)[-1] >= most else (low, middle)
    group = np.empty(len(order), np.int64)
    group[order] = _bins(logs, steps, high)
    lowest, highest = (
        extreme.reduceat(bone.youngs[order], np.flatnonzero(np.diff(group[order], prepend=-1)))
        for extreme in (np.minimum, np.maximum)
    )
    youngs = np.sqrt(lowest * highest)[group]
    ratios = np.bincount(group, bone.poisson * volumes) / np.bincount(group, volumes)
    errors = np.abs(youngs / bone.youngs - 1.0)
    made = Elasticity.given(youngs, ratios[group])
    ratio_error = float(np.abs(made.poisson - bone.poisson).max())
    return Binned(made, int(group.max()) + 1, float(errors.max()), float(errors @ volumes / volumes.sum()), ratio_error)


def _bins(logs: FloatArray, steps: IntArray, width: float) -> IntArray:
    """(m,) number of the interval of each, of values sorted within their steps."""
    found = np.empty(len(logs), np.int64)
    first = number = 0
    while first < len(logs):
        stop = np.searchsorted(steps, steps[first], side="right")
        last = first + int(np.searchsorted(logs[first:stop], logs[first] + width, side="right"))
        found[first:last] = number
        first, number = last, number + 1
    return found


def condensed(springs: Springs) -> Springs:
    """The fewest springs of the same energy on each element: its b √k, which are many, brought to triangular form.

    Its points have no meaning any more; they lie in the middle of the element.
    """
    values = np.einsum("qac,edcx->eqdax", springs.shape, springs.axes) * np.sqrt(springs.stiffness)[..., None, None]
    e, q, d, a, _ = values.shape
    if q * d <= _AXES:
        return springs
    triangular = np.zeros((e, min(q * d, 3 * a), 3 * a))
    for place, rows in enumerate(values.reshape(e, q * d, 3 * a)):
        # With pivots: only then is what lies below the rank nothing.
        found, order = qr(rows, mode="r", pivoting=True, check_finite=False)
        triangular[place][:, order] = found[: triangular.shape[1]]
    used = np.abs(triangular).max(axis=2) > 1e-13 * np.abs(triangular).max(axis=(1, 2))[:, None]
    triangular[~used] = 0.0
    count = int(used.any(axis=0).nonzero()[0].max()) + 1
    points = -(-count // _AXES)
    whole = np.zeros((e, points * _AXES, 3 * a))
    whole[:, :count] = triangular[:, :count]
    # The product that springs are made of, with one term for each point, node and axis.
    one = np.eye(3 * a).reshape(3 * a, a, 3)
    shape = np.zeros((points, a, points, 3 * a))
    for point in range(points):
        shape[point, :, point] = one.sum(axis=2).T
    axes = np.einsum("epdk,kax->edpkx", whole.reshape(e, points, _AXES, 3 * a), one)
    middle = np.repeat(springs.points.mean(axis=1, keepdims=True), points, axis=1)
    stiffness = np.where(np.abs(whole).max(axis=2).reshape(e, points, _AXES) > 0, 1.0, 0.0)
    return Springs(
        springs.nodes, shape.reshape(points, a, -1), axes.reshape(e, _AXES, -1, 3), stiffness, middle, springs.names,
        springs.owner,
    )  # fmt: skip
