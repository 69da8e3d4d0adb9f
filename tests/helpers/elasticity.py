"""Small elastic models for the tests: loads by scikit-fem's own forms, supports by selection, one solve."""

import numpy as np
from skfem import Basis, ElementTetP1, ElementTetP2, ElementVector, FacetBasis, LinearForm
from skfem.helpers import dot

from sacrofem.mechanics.linear.settings import SolverSettings
from sacrofem.mechanics.linear.solver import LinearSystem
from sacrofem.mechanics.measures.fields import gap_fields
from sacrofem.mechanics.parts.bone import Elasticity
from sacrofem.mechanics.parts.interface import GapStiffness
from sacrofem.mechanics.parts.stiffness import Assembler
from sacrofem.mechanics.space.space import Space


def element(space):
    return ElementVector({1: ElementTetP1, 2: ElementTetP2}[space.order]())


def basis(space, intorder=4):
    return Basis(space.skfem_mesh, element(space), intorder=intorder)


def facet_basis(space, faces, intorder=4):
    """On boundary faces of the mesh (indices), in their order."""
    facets = np.sort(space.skfem_mesh.facets.T, axis=1)
    wanted = np.sort(space.mesh.faces[faces], axis=1)
    base = np.array([len(space.mesh.points) ** 2, len(space.mesh.points), 1])
    order = np.argsort(facets @ base)
    numbers = order[np.searchsorted(facets @ base, wanted @ base, sorter=order)]
    return FacetBasis(space.skfem_mesh, element(space), facets=numbers, intorder=intorder)


def nodal(values):
    return np.asarray(values).reshape(-1, 3)


def body_force(space, density, intorder=4):
    """(N, 3) nodal forces of a force a volume: density(x (3, ...)) -> (3, ...)."""
    return nodal(LinearForm(lambda v, w: dot(density(w.x), v)).assemble(basis(space, intorder)))


def traction_force(space, faces, traction, intorder=4):
    """(N, 3) nodal forces of a traction on boundary faces: traction(x, n) -> (3, ...)."""
    form = LinearForm(lambda v, w: dot(traction(w.x, w.n), v))
    return nodal(form.assemble(facet_basis(space, faces, intorder)))


def faces_at(mesh, axis, value):
    """(f,) unpaired boundary faces in a coordinate plane."""
    return np.flatnonzero(np.isclose(mesh.points[mesh.faces][..., axis], value).all(axis=1) & (mesh.pair_side == 0))


def held(space, *rules):
    """(N, 3) fixed displacements: each rule is (selected nodes (N,) bool, axes)."""
    fixed = np.zeros((space.n_nodes, 3), bool)
    for nodes, axes in rules:
        fixed[np.ix_(nodes, np.atleast_1d(axes))] = True
    return fixed


def at(space, axis, value):
    return np.isclose(space.nodes[:, axis], value)


def uniform(space, value):
    return np.full(len(space.mesh.tets), float(value))


def bone_of(space, youngs, poisson=0.3):
    """Elasticity of every tet from numbers or (m,)."""
    return Elasticity.given(np.broadcast_to(np.asarray(youngs, float), len(space.mesh.tets)), poisson)


def stiffness(space, youngs, poisson, *, parts=(), gap=None):
    return Assembler(space, parts).matrix(bone_of(space, youngs, poisson), gap)


def system(space, youngs, poisson, fixed, *, method="direct", tolerance=1e-12, parts=(), gap=None):
    """A constrained model."""
    coarse = Space(space.mesh, 1) if space.order == 2 else None
    return LinearSystem(
        space,
        stiffness(space, youngs, poisson, parts=parts, gap=gap),
        fixed,
        None if coarse is None else lambda: stiffness(coarse, youngs, poisson, parts=parts, gap=gap),
        SolverSettings(method, tolerance),
    )


def gap_of(space, normal, tangential=None):
    """The same stiffness at every gap point (N/mm³)."""
    tangential = normal if tangential is None else tangential
    return GapStiffness(*(np.full(space.gap.areas.shape, float(k)) for k in (normal, tangential)))


def fracture_force(space, displacement, gap):
    """(p, 3) force in N that each pair puts on its side -1, from the tractions of the gap law."""
    traction = gap_fields(space, displacement, stiffness=gap).traction
    return np.einsum("pqx,pq->px", traction, space.gap.areas)


def stress_tensors(stresses):
    """(..., 3, 3) from xx, yy, zz, yz, xz, xy."""
    return stresses[..., np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])]


def hooke(gradient, youngs, poisson):
    """Stress (..., 3, 3) of a displacement gradient."""
    strain = (gradient + np.swapaxes(gradient, -1, -2)) / 2
    mu = youngs / (2 * (1 + poisson))
    lam = youngs * poisson / ((1 + poisson) * (1 - 2 * poisson))
    return 2 * mu * strain + lam * np.trace(strain, axis1=-2, axis2=-1)[..., None, None] * np.eye(3)
