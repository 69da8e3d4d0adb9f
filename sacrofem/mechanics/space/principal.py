"""Principal strains and stresses, and what is made of them."""

from __future__ import annotations

import numpy as np
from numba import prange

from sacrofem.mechanics.space.space import Space, lame, tet_gradients
from sacrofem.system.arrays import FloatArray
from sacrofem.system.compiled import kernel

_SWEEPS = 8
_PIECES = 64


@kernel()
def _sorted_eigenvalues(t, values):  # type: ignore[no-untyped-def]
    """Ascending eigenvalues of the symmetric 3x3 ``t``, which is overwritten.

    Cyclic Jacobi rotations (Golub & Van Loan, Matrix Computations, algorithm 8.5.2): accurate for
    equal and nearly equal values, where the closed form loses half of the digits.
    """
    for _ in range(_SWEEPS):
        off = abs(t[0, 1]) + abs(t[0, 2]) + abs(t[1, 2])
        if off <= 1e-17 * (abs(t[0, 0]) + abs(t[1, 1]) + abs(t[2, 2])):
            break
        for p in range(2):
            for q in range(p + 1, 3):
                if t[p, q] == 0.0:
                    continue
                tau = (t[q, q] - t[p, p]) / (2.0 * t[p, q])
                tangent = 1.0 / (abs(tau) + np.sqrt(1.0 + tau * tau))
                if tau < 0.0:
                    tangent = -tangent
                cosine = 1.0 / np.sqrt(1.0 + tangent * tangent)
                sine = tangent * cosine
                shift = tangent * t[p, q]
                t[p, p] -= shift
                t[q, q] += shift
                t[p, q] = 0.0
                t[q, p] = 0.0
                r = 3 - p - q
                a, b = t[p, r], t[q, r]
                t[p, r] = cosine * a - sine * b
                t[r, p] = t[p, r]
                t[q, r] = sine * a + cosine * b
                t[r, q] = t[q, r]
    a, b, c = t[0, 0], t[1, 1], t[2, 2]
    values[0], values[2] = min(a, b, c), max(a, b, c)
    values[1] = max(min(a, b), min(max(a, b), c))


@kernel(parallel=True)
def _principal_strains(nodes, gradients, shape, displacement, out):  # type: ignore[no-untyped-def]
    n_points, n_local = shape.shape[0], shape.shape[1]
    n_tets = len(nodes)
    for piece in prange(_PIECES):
        tensor, slope = np.empty((3, 3)), np.empty((3, 4))
        for e in range(n_tets * piece // _PIECES, n_tets * (piece + 1) // _PIECES):
            for q in range(n_points):
                for i in range(3):
                    for k in range(4):
                        slope[i, k] = 0.0
                for a in range(n_local):
                    n = nodes[e, a]
                    for k in range(4):
                        factor = shape[q, a, k]
                        if factor != 0.0:
                            for i in range(3):
                                slope[i, k] += factor * displacement[n, i]
                for i in range(3):
                    for j in range(i + 1):
                        s = 0.0
                        for k in range(4):
                            s += slope[i, k] * gradients[e, k, j] + slope[j, k] * gradients[e, k, i]
                        tensor[i, j] = 0.5 * s
                        tensor[j, i] = 0.5 * s
                _sorted_eigenvalues(tensor, out[e * n_points + q])


@kernel(parallel=True)
def _eigenvalues(voigt, out):  # type: ignore[no-untyped-def]
    for piece in prange(_PIECES):
        t = np.empty((3, 3))
        for n in range(len(voigt) * piece // _PIECES, len(voigt) * (piece + 1) // _PIECES):
            t[0, 0], t[1, 1], t[2, 2] = voigt[n, 0], voigt[n, 1], voigt[n, 2]
            t[1, 2], t[0, 2], t[0, 1] = voigt[n, 3], voigt[n, 4], voigt[n, 5]
            t[2, 1], t[2, 0], t[1, 0] = voigt[n, 3], voigt[n, 4], voigt[n, 5]
            _sorted_eigenvalues(t, out[n])


def principal_values(voigt: FloatArray) -> FloatArray:
    """(..., 3) ascending principal values of tensors (..., 6) xx, yy, zz, yz, xz, xy (tensor shears)."""
    flat = np.ascontiguousarray(voigt, dtype=float).reshape(-1, 6)
    out = np.empty((len(flat), 3))
    _eigenvalues(flat, out)
    return out.reshape(*voigt.shape[:-1], 3)


def principal_strains(space: Space, displacement: FloatArray) -> FloatArray:
    """(m·q, 3) ascending principal strains at the integration points for (N, 3) displacements."""
    barycentric, _ = space.rule
    out = np.empty((len(space.connectivity) * len(barycentric), 3))
    _principal_strains(
        space.connectivity, space.barycentric_gradients, tet_gradients(barycentric, space.order),
        np.ascontiguousarray(displacement), out,
    )  # fmt: skip
    return out


def principal_stresses(strain: FloatArray, youngs: FloatArray, poisson: FloatArray) -> FloatArray:
    """(..., 3) principal stresses in MPa of principal strains (..., 3): isotropic, so on the same axes."""
    lam, mu = lame(youngs, poisson)
    return np.asarray(2.0 * mu[..., None] * strain + (lam * strain.sum(axis=-1))[..., None])


def von_mises(principal: FloatArray) -> FloatArray:
    """(...) von Mises stress of principal stresses (..., 3)."""
    difference = principal - np.roll(principal, 1, axis=-1)
    return np.asarray(np.sqrt(0.5 * np.einsum("...i,...i->...", difference, difference)))
