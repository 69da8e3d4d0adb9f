"""Factorisations that stand in for one another: the whole system or the P1 level of multigrid.

The own multifrontal Cholesky needs nothing beyond NumPy. The others are used where they are asked for
by name and installed: CHOLMOD (scikit-sparse; its supernodal part is GPL), Pardiso (pypardiso; MKL is
proprietary), and SciPy's SuperLU behind the same nested dissection.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from sacrofem.errors import InputError, SolverError
from sacrofem.mechanics.linear.direct import NOT_DEFINITE, MultifrontalCholesky, dissect
from sacrofem.mechanics.space.blocks import BlockMatrix
from sacrofem.system.arrays import FloatArray

Factorisation = Literal["multifrontal", "cholmod", "pardiso", "superlu"]


class FactoredMatrix(Protocol):
    """A factorised symmetric positive definite matrix."""

    def solve(self, force: FloatArray) -> FloatArray:
        """(N, 3) solution of A x = force (N, 3)."""


def _optional(module: str, package: str, name: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"needs the package {package}", field="solver.factorisation", value=name,
            mend=f"pip install {package}, or leave the key out",
        ) from error  # fmt: skip


class SuperLU:
    """SciPy's SuperLU, ordered by nested dissection and without pivoting.

    Raises
    ------
    SolverError
        If the matrix is not positive definite: without pivoting the signs of the pivots tell.
    """

    def __init__(self, matrix: BlockMatrix, coordinates: FloatArray) -> None:
        tree = dissect(matrix.indptr, matrix.indices, coordinates)
        self._order = np.concatenate([nodes for nodes, _ in tree])
        dofs = (3 * self._order[:, None] + np.arange(3)).ravel()
        ordered = matrix.to_scipy().tocsr()[dofs][:, dofs].tocsc()
        try:
            self._factor = splu(
                ordered, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True, "Equil": False}
            )
        except RuntimeError:
            raise SolverError(NOT_DEFINITE) from None
        if not (self._factor.U.diagonal() > 0).all():
            raise SolverError(NOT_DEFINITE)

    def solve(self, force: FloatArray) -> FloatArray:
        """(N, 3) solution of A x = force."""
        result = np.empty(force.shape)
        result[self._order] = self._factor.solve(force[self._order].ravel().astype(np.float64)).reshape(-1, 3)
        return result


class Cholmod:
    """CHOLMOD by scikit-sparse.

    Raises
    ------
    InputError
        The package is missing.
    SolverError
        If the matrix is not positive definite.
    """

    def __init__(self, matrix: BlockMatrix, coordinates: FloatArray) -> None:
        module = _package("cholmod")
        try:
            self._factor: Any = module.cholesky(_scalar(matrix).tocsc(), mode="supernodal")
        except module.CholmodNotPositiveDefiniteError:
            raise SolverError(NOT_DEFINITE) from None

    def solve(self, force: FloatArray) -> FloatArray:
        """(N, 3) solution of A x = force."""
        x: FloatArray = self._factor(force.ravel().astype(np.float64))
        return x.reshape(force.shape)


class Pardiso:
    """Intel's Pardiso by pypardiso, for symmetric positive definite matrices (type 2).

    Raises
    ------
    InputError
        The package is missing.
    SolverError
        If the matrix is not positive definite.
    """

    def __init__(self, matrix: BlockMatrix, coordinates: FloatArray) -> None:
        module = _package("pardiso")
        self._solver: Any = module.PyPardisoSolver(mtype=2)
        self._upper = sp.triu(_scalar(matrix), format="csr")
        try:
            self._solver.factorize(self._upper)
        except module.pardiso_wrapper.PyPardisoError:
            raise SolverError(NOT_DEFINITE) from None

    def solve(self, force: FloatArray) -> FloatArray:
        """(N, 3) solution of A x = force."""
        x: FloatArray = self._solver.solve(self._upper, force.ravel().astype(np.float64))
        return x.reshape(force.shape)

    def __del__(self) -> None:
        # Pardiso keeps its factors outside Python.
        solver = getattr(self, "_solver", None)
        if solver is not None:
            solver.free_memory(everything=True)


def _scalar(matrix: BlockMatrix) -> sp.csr_matrix:
    # The packages know SciPy's older matrix classes.
    csr = sp.csr_matrix(matrix.to_scipy().tocsr())
    csr.sort_indices()
    return csr


NAMES = {
    "multifrontal": "multifrontal Cholesky",
    "cholmod": "CHOLMOD",
    "pardiso": "Pardiso",
    "superlu": "SuperLU",
}
_CLASSES: dict[str, Callable[[BlockMatrix, FloatArray], FactoredMatrix]] = {
    "cholmod": Cholmod,
    "pardiso": Pardiso,
    "superlu": SuperLU,
}


_PACKAGES = {"cholmod": ("sksparse.cholmod", "scikit-sparse"), "pardiso": ("pypardiso", "pypardiso")}


def check_installed(name: Factorisation) -> None:
    """Refuse a solver whose package is missing, before anything is built.

    Raises
    ------
    InputError
    """
    if name in _PACKAGES:
        _package(name)


def _package(name: str) -> Any:
    module, package = _PACKAGES[name]
    return _optional(module, package, name)


def factorise(
    matrix: BlockMatrix, coordinates: FloatArray, name: Factorisation, *, single: bool = False
) -> FactoredMatrix:
    """Factor a symmetric positive definite matrix by the named solver.

    Parameters
    ----------
    matrix : BlockMatrix
        Constrained.
    coordinates : (N, 3)
        Where the nodes lie.
    name
        One of ``NAMES``.
    single
        For preconditioning: kept in single precision where the solver can.

    Raises
    ------
    InputError
        The solver's package is missing.
    SolverError
        If the matrix is not positive definite.
    """
    if name == "multifrontal":
        return MultifrontalCholesky(matrix, coordinates, single=single)
    return _CLASSES[name](matrix, coordinates)
